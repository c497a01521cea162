/* What a later session of a run looks at again, and what it keeps of the earlier ones. */
#include "engine/with_script.h"

#include <stdio.h>
#include <string.h>

#include "engine/run.h"

#define RESTART (KP_G_BROKER_RESTART | KP_G_CONFIG_FILE)
#define SMALL                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[{\"name\":\"t\","          \
    "\"partitions\":6,\"min_isr\":1}]"

static void fault(bench *b, const char *json)
{
    const kp_value *v;
    well(kp_json_read(b->a, json, strlen(json), &v));
    well(kp_sim_fault(b->sim, v));
}

static void pass(bench *b, kp_ms d)
{
    kp_ms until = kp_mono(b->spec.world) + d;
    while (kp_mono(b->spec.world) < until) {
        kp_reply *stray = kp_wait(b->spec.world, until);
        if (stray)
            kp_err_drop(stray->err);
    }
}

static void open_run(bench *b, const test_script *script, const char *spec)
{
    the_script = script;
    make_runs(b);
    bench_open(b, spec, NULL);
}

static int64_t starts(bench *b, int node)
{
    return kp_get_int(kp_sim_host_counts(b->a, b->sim, node), "starts", -1);
}

static int64_t stops(bench *b, int node)
{
    return kp_get_int(kp_sim_host_counts(b->a, b->sim, node), "stops", -1);
}

/* As node.roll does: what failed is caught, something is asked, and it is raised again. */
static kp_err *caught_and_raised(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    kp_err *e = call(r, "start_broker", "[2]", NULL);
    if (!e)
        return NULL;
    kp_err *other = call(r, "on_failure", "[\"it did not start\"]", NULL);
    if (!other)
        other = call(r, "log", "[\"giving up\"]", NULL);
    kp_err_drop(other);
    return e;
}

static void what_failed_is_tried_again_though_more_was_asked_after_it(void **state)
{
    static const test_script script = { .part = { NULL, caught_and_raised }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    open_run(&b, &script, SMALL "}");
    b.spec.inventory = kp_memdup(b.a, b.spec.inventory, sizeof *b.spec.inventory);
    ((kp_inventory *)(uintptr_t)b.spec.inventory)->on_failure = KP_ON_FAILURE_STOP;
    fault(&b, "{\"fault\":\"config_breaks_start\",\"node\":2}");
    fails(bench_run(&b, NULL), KP_FAILED, "its process is gone again");
    assert_int_equal(starts(&b, 2), 1);
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_FAILED, "its process is gone again");
    assert_int_equal(starts(&b, 2), 2);
    assert_int_equal(stops(&b, 2), 1);
    bench_over(&b);
}

static kp_err *rest(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "sleep", "[\"20s\"]", NULL);
}

static kp_err *in_sync(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(call(r, "urp", "[]", &v));
    return v->u.i > 0 ? call(r, "fail", "[\"some are behind\"]", NULL) : NULL;
}

static void a_failed_verification_looks_again(void **state)
{
    static const test_script script = { .part = { NULL, rest, in_sync }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    open_run(&b, &script,
             SMALL
             ",\"faults\":[{\"fault\":\"crash\",\"node\":3,\"at\":\"2s\",\"lasts\":\"1m\"}]}");
    fails(bench_run(&b, NULL), KP_REFUSED, "some are behind");
    char *run = bench_only_run(&b);
    fails(bench_resume(&b, run, NULL), KP_REFUSED, "some are behind"); /* they still are */
    pass(&b, 2 * KP_MINUTE);
    well(bench_resume(&b, run, NULL));
    bench_over(&b);
}

static kp_err *stop_ask_start(kp_run *r, const char *node)
{
    TEST_TRY(call(r, "stop_broker", node, NULL));
    TEST_TRY(call(r, "confirm", "[\"Start it?\"]", NULL));
    return call(r, "start_broker", node, NULL);
}
static kp_err *start_one(kp_run *r, const kp_value *args)
{
    (void)args;
    return stop_ask_start(r, "[1]");
}
static kp_err *start_two(kp_run *r, const kp_value *args)
{
    (void)args;
    return stop_ask_start(r, "[2]");
}

static unsigned answered; /* bits by kp_question */
static kp_answer some_ask(void *ud, const kp_question *q, const char **ret_by)
{
    (void)ud;
    *ret_by = "tester";
    return answered >> q->kind & 1 ? KP_ANSWER_YES : KP_ANSWER_NOBODY;
}

static void a_run_that_is_not_started_closes_no_other(void **state)
{
    static const test_script script = { .part = { NULL, start_two }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    open_run(&b, &script, SMALL "}");
    b.spec.sink.ask = some_ask;
    answered = 1u << KP_ASK_START;
    fails(bench_run(&b, NULL), KP_PAUSED, "nobody is here to answer: Start it?");
    char *run = bench_only_run(&b);
    b.spec.supersede = run;
    answered = 0;
    fails(bench_run(&b, NULL), KP_USAGE, "nobody is here to say yes");
    b.spec.supersede = NULL;
    well(bench_approve(&b, run, "boss@desk"));
    well(bench_resume(&b, run, NULL));
    assert_int_equal(starts(&b, 2), 1);
    bench_over(&b);
}

static kp_err *one_after_the_other(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[1]", NULL));
    TEST_TRY(call(r, "start_broker", "[1]", NULL));
    return call(r, "stop_broker", "[2]", NULL);
}

static void no_worse_than_when_the_run_began_not_the_session(void **state)
{
    static const test_script script = { .part = { NULL, one_after_the_other }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    open_run(&b, &script, SMALL "}");
    b.spec.inventory = kp_memdup(b.a, b.spec.inventory, sizeof *b.spec.inventory);
    ((kp_inventory *)(uintptr_t)b.spec.inventory)->guard = KP_GUARD_HEALTHY;
    fault(&b, "{\"fault\":\"does_not_rejoin\",\"node\":1,\"start\":1}");
    fails(bench_run(&b, NULL), KP_SAFETY, "worse than when the run began");
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_SAFETY, "worse than when the run began");
    assert_int_equal(stops(&b, 2), 0);
    bench_over(&b);
}

static kp_err *change_ask_stop(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "set_properties", "[2,{\"num.io.threads\":\"9\"}]", NULL));
    TEST_TRY(call(r, "confirm", "[\"Stop it?\"]", NULL));
    return call(r, "stop_broker", "[2]", NULL);
}

/* Broker 3 was behind before the run, and still is. */
static void what_was_so_when_the_run_began_is_healthy_in_every_session(void **state)
{
    static const test_script script = { .part = { NULL, change_ask_stop }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    open_run(&b, &script,
             SMALL ",\"faults\":[{\"fault\":\"does_not_rejoin\",\"node\":3},{\"fault\":\"crash\","
                   "\"node\":3,\"at\":\"1s\",\"lasts\":\"10s\"}]}");
    b.spec.inventory = kp_memdup(b.a, b.spec.inventory, sizeof *b.spec.inventory);
    ((kp_inventory *)(uintptr_t)b.spec.inventory)->guard = KP_GUARD_HEALTHY;
    pass(&b, 2 * KP_MINUTE);
    b.spec.sink.ask = some_ask;
    answered = 1u << KP_ASK_START;
    fails(bench_run(&b, NULL), KP_PAUSED, "Stop it?");
    answered |= 1u << KP_ASK_CONFIRM;
    well(bench_resume(&b, bench_only_run(&b), NULL));
    assert_int_equal(stops(&b, 2), 1);
    bench_over(&b);
}

/* The guard is loosened on the way: what this run broke does not become the norm. */
static void healthy_in_mid_run_is_measured_from_the_beginning(void **state)
{
    static const test_script script = { .part = { NULL, one_after_the_other }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    open_run(&b, &script, SMALL "}");
    fault(&b, "{\"fault\":\"does_not_rejoin\",\"node\":1,\"start\":1}");
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_null(strstr(e->next, "policy.guard")); /* no advice to call it healthy */
    fails(e, KP_SAFETY, "under-replicated");
    b.spec.inventory = kp_memdup(b.a, b.spec.inventory, sizeof *b.spec.inventory);
    ((kp_inventory *)(uintptr_t)b.spec.inventory)->guard = KP_GUARD_HEALTHY;
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_SAFETY, "worse than when the run began");
    assert_int_equal(stops(&b, 2), 0);
    bench_over(&b);
}

static void the_only_broker_is_down_by_our_hand(void **state)
{
    static const test_script script = { .part = { NULL, start_one }, .effects = RESTART };
    static const char *const modes[] = {
        "{\"brokers\":1,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[]}",
        "{\"mode\":\"zookeeper\",\"brokers\":1,\"release\":\"3.4.1\",\"ibp\":\"3.4\",\"topics\":[]}"
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(modes); i++) {
        bench b = { 0 };
        open_run(&b, &script, modes[i]);
        b.spec.sink.ask = some_ask;
        answered = 1u << KP_ASK_START;
        fails(bench_run(&b, NULL), KP_PAUSED, "nobody is here to answer: Start it?");
        answered |= 1u << KP_ASK_CONFIRM;
        well(bench_resume(&b, bench_only_run(&b), NULL));
        assert_int_equal(stops(&b, 1), 1);
        assert_int_equal(starts(&b, 1), 1);
        bench_over(&b);
    }
}

static kp_err *raise_ibp(kp_run *r, const kp_value *args)
{
    (void)args;
    for (int id = 1; id <= 3; id++) {
        TEST_TRY(call(r, "set_ibp", kp_printf(r->a, "[%d,\"3.5\"]", id), NULL));
        TEST_TRY(call(r, "stop_broker", kp_printf(r->a, "[%d]", id), NULL));
        TEST_TRY(call(r, "start_broker", kp_printf(r->a, "[%d]", id), NULL));
        TEST_TRY(call(r, "wait_in_sync", kp_printf(r->a, "[%d]", id), NULL));
    }
    return NULL;
}

#define ZK_352                                                                                     \
    "{\"mode\":\"zookeeper\",\"brokers\":3,\"release\":\"3.5.2\",\"ibp\":\"3.4\",\"topics\":[],"   \
    "\"allow\":[\"K7\"]}"

static void raising_the_protocol_version_needs_a_persons_word(void **state)
{
    static const test_script script = { .part = { NULL, raise_ibp }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    open_run(&b, &script, ZK_352);
    b.spec.sink.ask = some_ask;
    answered = 1u << KP_ASK_START | 1u << KP_ASK_CONFIRM;
    for (int id = 1; id <= 3; id++) {
        fails(id == 1 ? bench_run(&b, NULL) : bench_resume(&b, bench_only_run(&b), NULL), KP_PAUSED,
              "is irreversible. Do it?");
        assert_int_equal(stops(&b, id), 0);
        well(bench_approve(&b, bench_only_run(&b), "boss@desk"));
    }
    well(bench_resume(&b, bench_only_run(&b), NULL));
    for (int id = 1; id <= 3; id++)
        assert_int_equal(starts(&b, id), 1);
    assert_int_equal(kp_get_int(kp_sim_oracle(b.a, b.sim), "violations", -1), 0);
    bench_over(&b);
}

static const char *level;
static kp_err *raise_to(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "set_ibp", kp_printf(r->a, "[1,\"%s\"]", level), NULL);
}

static void a_word_for_one_thing_is_not_for_another(void **state)
{
    static const test_script script = { .part = { NULL, raise_to }, .effects = RESTART };
    static const test_script other = { .part = { NULL, raise_to },
                                       .effects = RESTART,
                                       .text = "two" };
    bench b = { 0 };
    (void)state;
    open_run(&b, &script,
             "{\"mode\":\"zookeeper\",\"brokers\":3,\"release\":\"3.9.1\",\"ibp\":\"3.4\","
             "\"topics\":[]}");
    b.spec.sink.ask = some_ask;
    answered = 1u << KP_ASK_START;
    level = "3.5";
    fails(bench_run(&b, NULL), KP_PAUSED, "3.5\"} is irreversible");
    char *run = bench_only_run(&b);
    well(bench_approve(&b, run, "boss@desk"));
    level = "3.9";
    the_script = &other;
    b.spec.accept_changed_playbook = true;
    fails(bench_resume(&b, run, NULL), KP_PAUSED, "3.9\"} is irreversible");
    well(bench_approve(&b, run, "boss@desk"));
    b.spec.accept_changed_playbook = false;
    well(bench_resume(&b, run, NULL));
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_failed_is_tried_again_though_more_was_asked_after_it),
        cmocka_unit_test(a_failed_verification_looks_again),
        cmocka_unit_test(a_run_that_is_not_started_closes_no_other),
        cmocka_unit_test(no_worse_than_when_the_run_began_not_the_session),
        cmocka_unit_test(what_was_so_when_the_run_began_is_healthy_in_every_session),
        cmocka_unit_test(healthy_in_mid_run_is_measured_from_the_beginning),
        cmocka_unit_test(the_only_broker_is_down_by_our_hand),
        cmocka_unit_test(raising_the_protocol_version_needs_a_persons_word),
        cmocka_unit_test(a_word_for_one_thing_is_not_for_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
