/* The proof of a file by a staged release: what it says beforehand is how the start ends. */
#include "sim/with_sim.h"

#include <string.h>

#define KRAFT "{'topics':[{'name':'t','partitions':6}],'breaking':{'3.9.1':['old.key']}}"
#define OLD_JAVA "{'java':11,'topics':[{'name':'t','partitions':6}]}"
#define ZOOKEEPER "{'mode':'zookeeper','ibp':'3.4','topics':[{'name':'t','partitions':6}]}"

static const kp_value *proof(cluster *c, const char *release)
{
    return told(c, (kp_request) { .kind = KP_Q_PROOF, .node = 2, .proof.version = release });
}

static void of_kind(const kp_value *v, const char *kind, const char *part, bool ran)
{
    if (!kp_streq(kp_get_text(v, "kind", NULL), kind) ||
        (part && !strstr(kp_get_text(v, "problem", ""), part)))
        fail_msg("wanted %s \"%s\", got %s \"%s\"", kind, part, kp_get_text(v, "kind", "none"),
                 kp_get_text(v, "problem", ""));
    assert_int_equal(kp_get_bool(v, "ran", !ran), ran);
}

static void well(const kp_value *v)
{
    assert_true(kp_get_bool(v, "ran", false));
    if (kp_get(v, "problem") || kp_get(v, "kind") || kp_get(v, "why"))
        fail_msg("a problem: %s", kp_get_text(v, "problem", "without words"));
}

/* Restarts with the release; whether its process lives. */
static bool starts(cluster *c, const char *release)
{
    stop(c, 2);
    assert_true(until_off(c, 2, KP_MINUTE) >= 0);
    switch_to(c, 2, release);
    start(c, 2);
    return until_in_sync(c, 2, KP_MINUTE) >= 0;
}

static void a_file_that_starts(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    const kp_value *v = proof(&c, "3.9.1");
    well(v);
    assert_string_equal(kp_get_text(v, "java", ""), "17.0.12");
    assert_int_equal(kp_get_int(v, "java_major", 0), 17);
    assert_string_equal(kp_get_text(v, "java_path", ""), "/usr/bin/java");
    assert_string_equal(kp_get_text(v, "release_dir", ""), "/opt/kafka/releases/kafka_2.13-3.9.1");
    assert_string_equal(kp_get_text(v, "file_sha256", "x"),
                        kp_get_text(host_of(&c, 2), "config_sha256", "y"));
    assert_true(starts(&c, "3.9.1"));
    cluster_close(&c);
}

static void a_key_that_a_release_refuses(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    edit_file(&c, 2, "{'old.key':'1'}");
    well(proof(&c, "3.8.1"));
    of_kind(proof(&c, "3.9.1"), "config", "ConfigException: Invalid configuration: old.key", true);
    assert_false(starts(&c, "3.9.1"));
    assert_true(starts(&c, "3.8.1"));
    cluster_close(&c);
}

static void a_pin_that_a_release_does_not_know(void **state)
{
    cluster c = cluster_of(ZOOKEEPER);
    (void)state;
    well(proof(&c, "3.5.2"));
    edit_file(&c, 2, "{'inter.broker.protocol.version':'3.6'}");
    of_kind(proof(&c, "3.5.2"), "config", "not a version that 3.5.2 knows", true);
    well(proof(&c, "3.6.2"));
    of_kind(proof(&c, "4.0.1"), "config", "process.roles", true);
    assert_false(starts(&c, "3.5.2"));
    cluster_close(&c);
}

static void a_java_that_is_too_old(void **state)
{
    cluster c = cluster_of(OLD_JAVA);
    (void)state;
    well(proof(&c, "3.9.1"));
    const kp_value *v = proof(&c, "4.0.1");
    of_kind(v, "java", "class file version 61.0", false);
    assert_int_equal(kp_get_int(v, "java_major", 0), 11);
    assert_true(starts(&c, "3.9.1"));
    assert_false(starts(&c, "4.0.1"));
    assert_true(log_says(&c, 2, "UnsupportedClassVersionError"));
    cluster_close(&c);
}

static void a_release_that_is_not_there(void **state)
{
    cluster c = cluster_of("{'staged':['3.9.1']}");
    (void)state;
    well(proof(&c, "3.9.1"));
    of_kind(proof(&c, "3.8.1"), "missing", "/opt/kafka/releases/kafka_2.13-3.8.1", false);
    cluster_close(&c);
}

/* It is asked at any moment, and changes nothing: the file and release that a fault is bound to
 * are those of the next start, not of a proof. */
static void a_fault_that_stands_is_seen(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'config_breaks_start','node':2}");
    of_kind(proof(&c, "3.8.1"), "config", "server.properties", true);
    of_kind(proof(&c, "3.9.1"), "config", "server.properties", true);
    assert_false(starts(&c, "3.9.1"));
    well(proof(&c, "3.8.1"));
    of_kind(proof(&c, "3.9.1"), "config", "server.properties", true);
    assert_true(starts(&c, "3.8.1"));
    cluster_close(&c);
}

static void a_question_needs_a_version(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    kp_err *e = refused(&c, (kp_request) { .kind = KP_Q_PROOF, .node = 2 });
    assert_int_equal(e->cls, KP_INTERNAL);
    kp_err_drop(e);
    cluster_close(&c);
}

/* ---- what the next start loads, and with which options ---- */

static const kp_value *proof_of_class(cluster *c, const char *class)
{
    const kp_value *one = kp_map(c->a, "class", kp_text(c->a, class), NULL);
    kp_builder list = kp_list_begin(c->a);
    kp_list_add(&list, one);
    return told(c, (kp_request) { .kind = KP_Q_PROOF,
                                  .node = 2,
                                  .proof = { .version = "3.9.1", .classes = kp_list_end(&list) } });
}

static void a_class_that_is_nowhere(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    assert_null(kp_get(proof(&c, "3.9.1"), "classes_missing"));
    assert_int_equal(kp_len(kp_get(proof_of_class(&c, "com.acme.A"), "classes_missing")), 0);
    const kp_value *v = proof_of_class(&c, "kplay.sim.missing.A");
    assert_true(kp_list_has_text(kp_get(v, "classes_missing"), "kplay.sim.missing.A"));
    assert_true(kp_get_bool(v, "class_path_known", false));
    edit_file(&c, 2, "{'metric.reporters':'com.acme.B'}");
    assert_true(starts(&c, "3.9.1"));
    edit_file(&c, 2, "{'metric.reporters':'com.acme.B,kplay.sim.missing.A'}");
    assert_false(starts(&c, "3.9.1"));
    assert_true(log_says(&c, 2, "ClassNotFoundException"));
    edit_file(&c, 2, "{'metric.reporters':false}");
    start(&c, 2);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    cluster_close(&c);
}

static void a_java_that_was_exchanged(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    assert_int_equal(kp_len(kp_get(proof(&c, "3.9.1"), "jvm_refused")), 0);
    fault(&c, "{'fault':'java_exchanged','node':2,'lasts':'3m'}");
    const kp_value *v = proof(&c, "3.9.1");
    assert_true(kp_get_bool(v, "jvm_tried", false));
    assert_int_equal(kp_len(kp_get(v, "jvm_refused")), 1);
    assert_false(starts(&c, "3.9.1"));
    assert_true(log_says(&c, 2, "Unrecognized VM option"));
    pass(&c, 3 * KP_MINUTE);
    start(&c, 2);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    assert_int_equal(kp_len(kp_get(proof(&c, "3.9.1"), "jvm_refused")), 0);
    cluster_close(&c);
}

/* ---- what a host shows of it ---- */

static const kp_value *looked_at(cluster *c)
{
    return told(
        c, (kp_request) { .kind = KP_Q_HOST, .node = 2, .host = { .since = -1, .agents = true } });
}

static void what_a_host_shows_while_a_fault_lasts(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    for (int turn = 0; turn < 2; turn++) { /* during them, and after */
        bool now = turn == 0;
        if (now) {
            fault(&c, "{'fault':'config_agent','node':2,'lasts':'1m'}");
            fault(&c, "{'fault':'short_stop_limit','node':2,'lasts':'1m'}");
            fault(&c, "{'fault':'log4j1','node':2,'lasts':'1m'}");
        }
        const kp_value *host = looked_at(&c);
        assert_int_equal(kp_list_has_text(kp_get(host, "agents"), "puppet"), now);
        assert_null(kp_get(host_of(&c, 2), "agents")); /* not asked */
        assert_int_equal(kp_get_int(kp_get(host, "service"), "stop_timeout", 0), now ? 90000 : -1);
        assert_int_equal(kp_get(proof(&c, "4.0.1"), "log4j") != NULL, now);
        pass(&c, KP_MINUTE + KP_SECOND);
    }
    cluster_close(&c);
}

/* ---- the file and the process that read it ---- */

static const char *threads(cluster *c)
{
    const kp_value *all = told(
        c, (kp_request) { .kind = KP_Q_CONFIG, .node = 2, .config = { .resource = "broker" } });
    return kp_get_text(kp_get(kp_get(all, "2"), "num.io.threads"), "value", "not set");
}

static void a_process_has_what_it_read(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    assert_string_equal(threads(&c), "not set");
    edit_file(&c, 2, "{'num.io.threads':'9'}");
    edit_file(&c, 2, "{'num.io.threads':'16'}");
    assert_string_equal(threads(&c), "not set");
    kp_sim *copy = kp_sim_copy(c.sim); /* it is of the state */
    cluster other = cluster_from(copy);
    assert_string_equal(threads(&other), "not set");
    cluster_close(&other);
    restart(&c, 2);
    assert_string_equal(threads(&c), "16");
    for (int i = 0; i < 200; i++) { /* nothing is kept but what is needed */
        edit_file(&c, 2, i % 2 ? "{'num.io.threads':'9'}" : "{'num.io.threads':'16'}");
        if (i % 50 == 0)
            restart(&c, 2);
    }
    cluster_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_starts),
        cmocka_unit_test(a_key_that_a_release_refuses),
        cmocka_unit_test(a_pin_that_a_release_does_not_know),
        cmocka_unit_test(a_java_that_is_too_old),
        cmocka_unit_test(a_release_that_is_not_there),
        cmocka_unit_test(a_fault_that_stands_is_seen),
        cmocka_unit_test(a_class_that_is_nowhere),
        cmocka_unit_test(a_java_that_was_exchanged),
        cmocka_unit_test(what_a_host_shows_while_a_fault_lasts),
        cmocka_unit_test(a_process_has_what_it_read),
        cmocka_unit_test(a_question_needs_a_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
