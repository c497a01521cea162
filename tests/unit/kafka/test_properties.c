/* The kafka: section: what is taken, what is refused, and that secrets stay secret. */
#include "kafka/kafka.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_one_property(void **state KP_UNUSED)
{
    static const struct {
        const char *name, *value, *says; /* NULL: taken */
    } rows[] = {
        { "bootstrap.servers", "a:9092,b:9092", NULL },
        { "bootstrap.controllers", "c:9093", NULL },
        { "security.protocol", "PLAINTEXT", NULL },
        { "security.protocol", "plaintext", NULL },
        { "broker.address.family", "v4", NULL },
        { "client.id", "kplay-test", NULL },
        { "ssl.key.password", "x", NULL },
        { "security.protocol", "SSL", "this release speaks PLAINTEXT only" },
        { "security.protocol", "SASL_SSL", "this release speaks PLAINTEXT only" },
        { "security.protocol", "TLS", "security.protocol" },
        { "boostrap.servers", "a:9092", "boostrap.servers" },
        { "socket.timeout.ms", "soon", "socket.timeout.ms" },
        { "group.id", "g", "group.id cannot be set" },
        { "ssl.key.pasword", "hunter2", "ssl.key.pasword" },
        { "session.timout.ms", "9", "did you mean `session.timeout.ms`?" },
        { "log.queue", "false", "log.queue cannot be set" },
        { "max.poll.interval.ms", "10", "does not start with max.poll.interval.ms: " },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = kp_arena_new("properties", 1 << 20);
        kp_loop *l = kp_loop_new();
        kp_kafka *k = NULL;
        kp_err *e = kp_kafka_new(l, kp_map(a, rows[i].name, kp_text(a, rows[i].value), NULL), NULL,
                                 &k);
        if (rows[i].says && !e)
            fail_msg("%s=%s was taken", rows[i].name, rows[i].value);
        if (!rows[i].says && e)
            fail_msg("%s", e->what);
        if (e) {
            assert_int_equal(e->cls, KP_CONFIG);
            assert_null(k);
            assert_non_null(strstr(e->what, rows[i].says));
            assert_null(strstr(e->what, "hunter2"));
        }
        kp_err_drop(e);
        kp_kafka_free(k);
        kp_loop_free(l);
    }
}

static void test_a_value_must_be_text(void **state KP_UNUSED)
{
    KP_AUTO_ARENA a = kp_arena_new("properties", 1 << 20);
    kp_kafka *k;
    kp_err *e = kp_kafka_new(NULL, kp_map(a, "socket.timeout.ms", kp_int(a, 3000), NULL), NULL, &k);
    assert_non_null(e);
    assert_string_equal(e->what, "socket.timeout.ms must be a text, not a integer");
    kp_err_drop(e);
}

static void test_the_place_of_what_is_wrong(void **state KP_UNUSED)
{
    KP_AUTO_ARENA a = kp_arena_new("properties", 1 << 20);
    const kp_value *about = kp_map(
        a, "client.id", kp_map(a, "where", kp_text(a, "k.yaml:2:1"), NULL),
        "partition.assignment.strategy",
        kp_map(a, "where", kp_text(a, "k.yaml:3:1"), "secret", kp_bool(true), NULL), NULL);
    kp_kafka *k;
    kp_err *e = kp_kafka_new(NULL,
                             kp_map(a, "client.id", kp_text(a, "c"),
                                    "partition.assignment.strategy", kp_text(a, "hunter2"), NULL),
                             about, &k);
    assert_non_null(e);
    assert_string_equal(e->where, "k.yaml:3:1");
    assert_string_equal(e->what, "librdkafka does not start with partition.assignment.strategy");
    kp_err_drop(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_property),
        cmocka_unit_test(test_a_value_must_be_text),
        cmocka_unit_test(test_the_place_of_what_is_wrong),
    };
    return cmocka_run_group_tests_name("kafka/properties", tests, NULL, NULL);
}
