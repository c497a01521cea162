/* A resumed playbook gets the answers it got.  One that asks something else than it asked is refused
 * before anything acts, both sides shown. */
#include "engine/with_twist.h"

#include <stdio.h>
#include <string.h>

#include "engine/run.h"

static const char *first_step, *verb = "stop_broker", *args_json = "[2]";

static kp_err *play(kp_run *r, const kp_value *args)
{
    (void)args;
    if (first_step)
        TEST_TRY(call(r, "step", first_step, NULL));
    TEST_TRY(call(r, verb, args_json, NULL));
    return call(r, "fail", "[\"enough\"]", NULL);
}

static void a_divergence_is_refused(void **state)
{
    static const test_script script = { .part = { NULL, play }, .effects = KP_G_BROKER_RESTART };
    static const struct {
        const char *step, *verb, *args, *journal, *playbook;
    } rows[] = {
        { "[\"one\"]", "stop_broker", "[2]", "journal   1  stop_broker",
          "playbook  one.1  stop_broker" },
        { NULL, "start_broker", "[2]", "journal   1  stop_broker", "playbook  1  start_broker" },
        { NULL, "stop_broker", "[3]", "stop_broker{\"nodes\":2}", "stop_broker{\"nodes\":3}" },
    };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    make_runs(&b);
    bench_open(&b, "{\"brokers\":3,\"release\":\"3.7.2\",\"topics\":[]}", NULL);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_string_equal(e->what, "enough");
    kp_err_drop(e);
    char *run = bench_only_run(&b);
    size_t acts = kp_len(kp_sim_acts(b.a, b.sim));
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        first_step = rows[i].step;
        verb = rows[i].verb;
        args_json = rows[i].args;
        e = bench_resume(&b, run, NULL);
        assert_non_null(e);
        assert_int_equal(e->cls, KP_REFUSED);
        assert_non_null(strstr(e->what, "does not ask what it asked before (record "));
        if (!strstr(e->detail, rows[i].journal) || !strstr(e->detail, rows[i].playbook))
            print_error("%s", e->detail);
        assert_non_null(strstr(e->detail, rows[i].journal));
        assert_non_null(strstr(e->detail, rows[i].playbook));
        assert_string_equal(e->where, "test.lua:1");
        kp_err_drop(e);
        assert_int_equal(kp_len(kp_sim_acts(b.a, b.sim)), acts);
    }
    bench_close(&b);
    remove_runs(&b);
}

/* ---- what was answered stays answered ---- */

static char answers[2][256]; /* of the first session and of the second */
static int session;

static kp_err *asks_and_pauses(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    KP_AUTO_ARENA a = kp_arena_new("answers", 1 << 20);
    (void)args;
    twist_on(session == 0);
    TEST_TRY(call(r, "reassignments", "[]", &v));
    const char *told = kp_json_text(a, v);
    kp_err *e = call(r, "groups", "[]", &v);
    assert_non_null(e);
    assert_int_equal(kp_err_ends_run(e), false);
    snprintf(answers[session], sizeof answers[0], "%s; %s: %s, next %s", told,
             kp_class_name(e->cls), e->what, e->next);
    kp_err_drop(e);
    twist_on(false);
    return call(r, "confirm", "[\"further?\"]", NULL);
}

static void a_resumed_playbook_gets_the_answers_it_got(void **state)
{
    static const test_script script = { .part = { NULL, asks_and_pauses } };
    static const twist t[] = { { KP_Q_REASSIGNMENTS, 0, NULL, "[{\"topic\":\"then\"}]" },
                               { KP_Q_GROUPS, 0, NULL, NULL } };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    make_runs(&b);
    bench_open(&b, "{\"brokers\":3,\"release\":\"3.7.2\",\"topics\":[]}", NULL);
    twist_into(&b, t, KP_COUNT(t));
    b.answer = KP_ANSWER_NOBODY;
    session = 0;
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_PAUSED);
    kp_err_drop(e);
    assert_non_null(strstr(answers[0], "then"));
    assert_non_null(strstr(answers[0], "cluster: no answer within 5 s, next look at it"));
    session = 1; /* the cluster would answer otherwise by now */
    b.answer = KP_ANSWER_YES;
    assert_null(bench_resume(&b, bench_only_run(&b), NULL));
    assert_string_equal(answers[1], answers[0]);
    bench_close(&b);
    remove_runs(&b);
}

/* ---- a predicate that asks something else ---- */

static int other_broker;
static kp_err *predicate(void *ud, bool *ret_true, const char **ret_say)
{
    (void)ret_say;
    TEST_TRY(call(ud, "broker", session && other_broker ? "[3]" : "[2]", NULL));
    if (session && !other_broker)
        TEST_TRY(call(ud, "broker", "[2]", NULL)); /* once more than before */
    *ret_true = true;
    return NULL;
}
static kp_err *waits_and_pauses(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(kp_run_wait_until(r, NULL, predicate, r, "test.lua:2", &v));
    return call(r, "confirm", "[\"further?\"]", NULL);
}
static void a_predicate_that_asks_something_else_is_refused(void **state)
{
    static const test_script script = { .part = { NULL, waits_and_pauses } };
    (void)state;
    for (other_broker = 0; other_broker < 2; other_broker++) {
        bench b = { 0 };
        the_script = &script;
        make_runs(&b);
        bench_open(&b, "{\"brokers\":3,\"release\":\"3.7.2\",\"topics\":[]}", NULL);
        b.answer = KP_ANSWER_NOBODY;
        session = 0;
        kp_err_drop(bench_run(&b, NULL));
        session = 1;
        kp_err *e = bench_resume(&b, bench_only_run(&b), NULL);
        assert_non_null(e);
        assert_int_equal(e->cls, KP_REFUSED);
        assert_string_equal(e->what, "the predicate does not ask what it asked before (broker)");
        kp_err_drop(e);
        bench_close(&b);
        remove_runs(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_divergence_is_refused),
        cmocka_unit_test(a_resumed_playbook_gets_the_answers_it_got),
        cmocka_unit_test(a_predicate_that_asks_something_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
