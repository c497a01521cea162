/* What a playbook caught, a later session hears again: an error that is not on record would send it
 * another way than it went. */
#include "engine/with_twist.h"

#include <stdio.h>
#include <string.h>

#include "engine/run.h"

#define RESTART (KP_G_BROKER_RESTART | KP_G_CONFIG_FILE | KP_G_RELEASE_SWITCH)
#define KRAFT                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"staged\":[\"3.7.2\",\"3.9.1\"],"     \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6,\"min_isr\":1}]}"

static int session, evaluated;
static const char *victim; /* the broker restarted afterwards */

/* The start is answered; nobody else is there. */
static kp_answer start_only(void *ud, const kp_question *q, const char **ret_by)
{
    (void)ud;
    *ret_by = "tester";
    return q->kind == KP_ASK_START ? KP_ANSWER_YES : KP_ANSWER_NOBODY;
}

static void begin(bench *b, const test_script *script, const char *spec, const twist *t, size_t n)
{
    the_script = script;
    session = 1;
    evaluated = 0;
    victim = "[2]";
    make_runs(b);
    bench_open(b, spec, NULL);
    twist_into(b, t, n);
    b->spec.sink.ask = start_only;
}

static kp_err *again(bench *b)
{
    session++;
    twist_on(false);
    return bench_resume(b, bench_only_run(b), NULL);
}

static kp_err *approved(bench *b)
{
    well(bench_approve(b, bench_only_run(b), "boss@desk"));
    return again(b);
}

static int64_t count(bench *b, const char *what, int node)
{
    return kp_get_int(kp_sim_host_counts(b->a, b->sim, node), what, -1);
}

/* Caught, whatever it was; then a broker is restarted, with a pause in between. */
static kp_err *caught(kp_run *r, kp_err *e)
{
    assert_non_null(e);
    bool ends = kp_err_ends_run(e);
    if (ends)
        return e;
    kp_err_drop(e);
    twist_on(false);
    TEST_TRY(call(r, "stop_broker", victim, NULL));
    TEST_TRY(call(r, "confirm", "[\"Start it?\"]", NULL));
    return call(r, "start_broker", victim, NULL);
}

static kp_err *start_unseen(kp_run *r, const kp_value *args)
{
    (void)args;
    twist_on(session == 1);
    return caught(r, call(r, "start_broker", "[1]", NULL));
}

static void an_action_that_could_not_be_prepared(void **state)
{
    static const test_script script = { .part = { NULL, start_unseen }, .effects = RESTART };
    static const twist silent[] = { { KP_Q_HOST, 1, NULL, NULL } };
    bench b = { 0 };
    (void)state;
    begin(&b, &script, KRAFT, silent, 1);
    fails(bench_run(&b, NULL), KP_PAUSED, "Start it?");
    well(approved(&b));
    assert_int_equal(count(&b, "starts", 2), 1);
    bench_over(&b);
}

static kp_err *edit_unasked(kp_run *r, const kp_value *args)
{
    (void)args;
    twist_on(session == 1);
    twist_after(2); /* before and probe */
    return caught(r, call(r, "set_properties", "[1,{\"num.io.threads\":\"9\"}]", NULL));
}

static void an_action_that_could_not_be_asked_for_is_not_done_later(void **state)
{
    static const test_script script = { .part = { NULL, edit_unasked }, .effects = RESTART };
    static const twist silent[] = { { KP_Q_FILE, 1, NULL, NULL } };
    bench b = { 0 };
    (void)state;
    begin(&b, &script, KRAFT, silent, 1);
    fails(bench_run(&b, NULL), KP_PAUSED, "Start it?");
    well(approved(&b));
    assert_int_equal(count(&b, "files", 1), 0);
    assert_int_equal(count(&b, "starts", 2), 1);
    bench_over(&b);
}

static kp_err *raises(void *ud, bool *ret_true, const char **ret_say)
{
    (void)ud;
    (void)ret_say;
    evaluated++;
    *ret_true = false;
    return kp_err_new(KP_PLAYBOOK, "mend it", "the predicate is wrong");
}

static kp_err *wait_raises(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    return caught(r, kp_run_wait_until(r, NULL, raises, NULL, "test.lua:1", &v));
}

static void a_predicate_that_raised(void **state)
{
    static const test_script script = { .part = { NULL, wait_raises }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    begin(&b, &script, KRAFT, NULL, 0);
    fails(bench_run(&b, NULL), KP_PAUSED, "Start it?");
    well(approved(&b));
    assert_int_equal(evaluated, 1);
    bench_over(&b);
}

static kp_err *silent_now(void *ud, bool *ret_true, const char **ret_say)
{
    (void)ret_say;
    kp_err *e = call(ud, "api_versions", "[1]", NULL);
    *ret_true = e != NULL;
    kp_err_drop(e);
    return call(ud, "offline", "[]", NULL);
}

static kp_err *wait_for_silence(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    twist_on(session == 1);
    TEST_TRY(kp_run_wait_until(r, NULL, silent_now, r, "test.lua:1", &v));
    return caught(r, kp_err_new(KP_PLAYBOOK, "go on", "not an error of a verb"));
}

static void a_question_that_failed_inside_a_predicate(void **state)
{
    static const test_script script = { .part = { NULL, wait_for_silence }, .effects = RESTART };
    static const twist silent[] = { { KP_Q_NODE, 1, NULL, NULL } };
    bench b = { 0 };
    (void)state;
    begin(&b, &script, KRAFT, silent, 1);
    fails(bench_run(&b, NULL), KP_PAUSED, "Start it?");
    well(approved(&b));
    assert_int_equal(count(&b, "starts", 2), 1);
    bench_over(&b);
}

static kp_err *switch_while_it_runs(kp_run *r, const kp_value *args)
{
    (void)args;
    kp_err *e = call(r, "switch_release", "[1,\"3.9.1\"]", NULL);
    if (session == 1)
        return e;
    return caught(r, e);
}

/* Tried again, it failed again and was caught then: not a third time, in the middle of the replay. */
static void what_failed_twice_is_not_done_while_replaying(void **state)
{
    static const test_script script = { .part = { NULL, switch_while_it_runs },
                                        .effects = RESTART };
    bench b = { 0 };
    (void)state;
    begin(&b, &script, KRAFT, NULL, 0);
    victim = "[1]"; /* while it is down, the switch could be done */
    fails(bench_run(&b, NULL), KP_FAILED, "it is running");
    fails(again(&b), KP_PAUSED, "Start it?");
    well(approved(&b));
    assert_int_equal(count(&b, "links", 1), 0);
    assert_int_equal(count(&b, "starts", 1), 1);
    bench_over(&b);
}

static kp_err *edit(kp_run *r, const kp_value *args)
{
    (void)args;
    twist_on(session == 1);
    twist_after(5); /* before and probe, again when the hosts are ours, and ask */
    return call(r, "set_properties", "[1,{\"num.io.threads\":\"9\"}]", NULL);
}

/* Sent, and then nobody there to look at for longer than its stall: neither done nor failed. */
static void an_action_nobody_can_look_at_is_not_called_failed(void **state)
{
    static const test_script script = { .part = { NULL, edit }, .effects = RESTART };
    static const twist silent[] = { { KP_Q_FILE, 1, NULL, NULL } };
    bench b = { 0 };
    (void)state;
    begin(&b, &script, KRAFT, silent, 1);
    fails(bench_run(&b, NULL), KP_REFUSED, "it is not known whether it was done");
    well(again(&b));
    assert_int_equal(count(&b, "files", 1), 1);
    bench_over(&b);
}

static kp_err *stop_a_pair(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[[1,4]]", NULL));
    TEST_TRY(call(r, "start_broker", "[[1,4]]", NULL));
    return call(r, "wait_in_sync", "[[1,4]]", NULL);
}

/* The one of the set that is down already is down by this call: it does not stand in its way. */
static void a_set_that_partly_failed_is_finished(void **state)
{
    static const test_script script = { .part = { NULL, stop_a_pair }, .effects = RESTART };
    static const char stays[] = "{\"fault\":\"does_not_stop\",\"node\":4,\"stop\":1,"
                                "\"lasts\":\"10m\"}";
    bench b = { 0 };
    const kp_value *fault;
    (void)state;
    begin(&b, &script,
          "{\"brokers\":5,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[{\"name\":\"t\","
          "\"partitions\":10,\"min_isr\":1}]}",
          NULL, 0);
    well(kp_json_read(b.a, stays, strlen(stays), &fault));
    well(kp_sim_fault(b.sim, fault));
    fails(bench_run(&b, NULL), KP_FAILED, "stop_broker failed on 1 of 2 nodes");
    well(again(&b));
    assert_int_equal(count(&b, "starts", 1), 1);
    assert_int_equal(count(&b, "starts", 4), 1);
    assert_int_equal(count(&b, "stops", 1), 1);
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_action_that_could_not_be_prepared),
        cmocka_unit_test(an_action_that_could_not_be_asked_for_is_not_done_later),
        cmocka_unit_test(a_predicate_that_raised),
        cmocka_unit_test(a_question_that_failed_inside_a_predicate),
        cmocka_unit_test(what_failed_twice_is_not_done_while_replaying),
        cmocka_unit_test(an_action_nobody_can_look_at_is_not_called_failed),
        cmocka_unit_test(a_set_that_partly_failed_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
