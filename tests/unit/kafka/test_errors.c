/* Kafka's error codes: names, texts, and what is worth trying again. */
#include "kafka/kafka.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_codes(void **state KP_UNUSED)
{
    static const struct {
        int code;
        const char *name;
        bool retriable;
    } rows[] = {
        { -1, "UNKNOWN_SERVER_ERROR", false },
        { 0, "NONE", false },
        { 3, "UNKNOWN_TOPIC_OR_PARTITION", true },
        { 6, "NOT_LEADER_OR_FOLLOWER", true },
        { 35, "UNSUPPORTED_VERSION", false },
        { 41, "NOT_CONTROLLER", true },
        { 56, "KAFKA_STORAGE_ERROR", true },
        { 80, "PREFERRED_LEADER_NOT_AVAILABLE", true },
        { 84, "ELECTION_NOT_NEEDED", false },
        { 101, "DUPLICATE_BROKER_REGISTRATION", false },
        { 114, "MISMATCHED_ENDPOINT_TYPE", false },
        { 133, "SHARE_SESSION_LIMIT_REACHED", true },
        { 134, "UNKNOWN", false },
        { -2, "UNKNOWN", false },
        { 30000, "UNKNOWN", false },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_kafka_code c = kp_kafka_code_of(rows[i].code);
        assert_int_equal(c.code, rows[i].code);
        assert_string_equal(c.name, rows[i].name);
        assert_int_equal(c.retriable, rows[i].retriable);
    }
}

static void test_table_is_in_order(void **state KP_UNUSED)
{
    for (int code = -1; code <= 133; code++) {
        kp_kafka_code c = kp_kafka_code_of(code);
        assert_int_equal(c.code, code);
        assert_string_not_equal(c.name, "UNKNOWN");
        assert_true(strlen(c.text) > 0);
        assert_int_not_equal(c.text[strlen(c.text) - 1], '.');
    }
}

static void test_as_error(void **state KP_UNUSED)
{
    kp_err *e = kp_kafka_code_err(41, NULL);
    assert_int_equal(e->cls, KP_CLUSTER);
    assert_true(e->retriable);
    assert_string_equal(e->what, "NOT_CONTROLLER (41): this node is not the active controller");
    kp_err_drop(e);
    e = kp_kafka_code_err(31, "no DESCRIBE on the cluster");
    assert_false(e->retriable);
    assert_string_equal(e->what, "CLUSTER_AUTHORIZATION_FAILED (31): no DESCRIBE on the cluster");
    assert_non_null(strstr(e->next, "ACL"));
    kp_err_drop(e);
    e = kp_kafka_code_err(999, "");
    assert_string_equal(e->what, "UNKNOWN (999): a code that this release does not know");
    kp_err_drop(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_table_is_in_order),
        cmocka_unit_test(test_as_error),
    };
    return cmocka_run_group_tests_name("kafka/errors", tests, NULL, NULL);
}
