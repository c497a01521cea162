/* Waits: satisfied, stalled, out of time; a predicate may only ask; what a resumed run does with a
 * wait it began, and Ctrl-C in one. */
#include "engine/with_script.h"

#include <stdio.h>
#include <string.h>

#define SMALL "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[]}"

static int evaluated, true_at, interrupt_at;
static bool pred_acts, pause_behind;
static const char *options = "{}";
static kp_sim *the_sim;
static kp_ms woke, began;

static kp_err *predicate_of(kp_run *r, bool *ret_true)
{
    const kp_value *v;
    evaluated++;
    if (pred_acts)
        return call(r, "stop_broker", "[2]", NULL);
    if (evaluated == interrupt_at)
        kp_sim_interrupt(the_sim);
    TEST_TRY(call(r, "broker", "[2]", &v));
    *ret_true = evaluated >= true_at;
    return NULL;
}
static kp_err *predicate(void *ud, bool *ret_true, const char **ret_say)
{
    *ret_say = "broker 2";
    return predicate_of(ud, ret_true);
}

static kp_err *waits(kp_run *r, const kp_value *args)
{
    const kp_value *given, *v;
    KP_AUTO_ARENA a = kp_arena_new("options", 1 << 20);
    (void)args;
    kp_err *e = kp_json_read(a, options, strlen(options), &given);
    assert_null(e);
    TEST_TRY(kp_run_wait_until(r, given, predicate, r, "test.lua:2", &v));
    assert_true(v->u.b);
    if (pause_behind)
        TEST_TRY(call(r, "confirm", "[\"further?\"]", NULL));
    return NULL;
}
static const test_script script = { .part = { NULL, waits }, .effects = KP_G_BROKER_RESTART };

static void begin(bench *b, const char *opt, int when)
{
    the_script = &script;
    evaluated = interrupt_at = 0;
    pred_acts = pause_behind = false;
    options = opt;
    true_at = when;
    make_runs(b);
    bench_open(b, SMALL, NULL);
    the_sim = b->sim;
}
static void satisfied_and_replayed_with_one_evaluation(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, "{}", 5);
    pause_behind = true;
    b.answer = KP_ANSWER_YES;
    interrupt_at = 5; /* is heard behind the wait */
    fails(bench_run(&b, NULL), KP_PAUSED, "");
    assert_int_equal(evaluated, 5);
    evaluated = 4; /* the next one is true */
    interrupt_at = 0;
    well(bench_resume(&b, bench_only_run(&b), NULL));
    assert_int_equal(evaluated, 5);
    bench_over(&b);
}

static void a_predicate_that_changed_its_mind_is_refused(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, "{}", 3);
    pause_behind = true;
    interrupt_at = 3;
    fails(bench_run(&b, NULL), KP_PAUSED, "");
    evaluated = interrupt_at = 0;
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_REFUSED, "the predicate was true");
    bench_over(&b);
}

static void limits(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, "{\"stall\":\"30s\"}", 1 << 30);
    kp_ms from = kp_mono(b.spec.world);
    fails(bench_run(&b, NULL), KP_FAILED, "wait_until: no progress for 30");
    assert_in_range(kp_mono(b.spec.world) - from, 30 * KP_SECOND, 60 * KP_SECOND);
    bench_over(&b);
    begin(&b, "{\"limit\":\"20s\"}", 1 << 30);
    from = kp_mono(b.spec.world);
    fails(bench_run(&b, NULL), KP_FAILED, "wait_until: not within its limit of 20");
    assert_in_range(kp_mono(b.spec.world) - from, 20 * KP_SECOND, 50 * KP_SECOND);
    bench_over(&b);
    begin(&b, "{\"sometime\":\"20s\"}", 1);
    fails(bench_run(&b, NULL), KP_PLAYBOOK, "has no argument `sometime`");
    bench_over(&b);
    static const char *const wrong[] = { "{\"stall\":5}", "{\"every\":\"soon\"}" };
    for (size_t i = 0; i < KP_COUNT(wrong); i++) {
        begin(&b, wrong[i], 1);
        kp_err *e = bench_run(&b, NULL);
        assert_non_null(e);
        assert_string_equal(e->where, "test.lua:2");
        fails(e, KP_PLAYBOOK, "");
        bench_over(&b);
    }
}

static void a_predicate_may_only_ask(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, "{}", 1);
    pred_acts = true;
    fails(bench_run(&b, NULL), KP_PLAYBOOK, "stop_broker");
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 2), "stops", -1), 0);
    bench_over(&b);
}

static void ctrl_c_pauses_and_the_limit_stays(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, "{\"limit\":\"5m\"}", 1 << 30);
    kp_ms from = kp_mono(b.spec.world);
    interrupt_at = 3;
    fails(bench_run(&b, NULL), KP_PAUSED, "");
    assert_int_equal(evaluated, 3);
    kp_ms away = kp_mono(b.spec.world) + 3 * KP_MINUTE;
    while (kp_mono(b.spec.world) < away)
        (void)kp_wait(b.spec.world, away);
    interrupt_at = 0;
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_FAILED, "not within its limit");
    assert_in_range(kp_mono(b.spec.world) - from, 5 * KP_MINUTE, 5 * KP_MINUTE + 30 * KP_SECOND);
    bench_over(&b);
}

static void interrupt_while_it_sleeps(void *ud, const kp_event *e)
{
    (void)ud;
    if (e->kind == KP_E_PROGRESS && interrupt_at && ++evaluated == interrupt_at)
        kp_sim_interrupt(the_sim);
}
static kp_err *sleeps(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "sleep", "[\"10m\"]", NULL));
    woke = kp_mono(kp_sim_world(the_sim));
    return NULL;
}
static void sleep_keeps_its_wake_up_time(void **state)
{
    static const test_script sleeper = { .part = { NULL, sleeps } };
    bench b = { 0 };
    (void)state;
    begin(&b, "{}", 1);
    the_script = &sleeper;
    interrupt_at = 60;
    b.spec.sink.event = interrupt_while_it_sleeps;
    began = kp_mono(b.spec.world);
    fails(bench_run(&b, NULL), KP_PAUSED, "");
    kp_ms away = kp_mono(b.spec.world) + 4 * KP_MINUTE;
    while (kp_mono(b.spec.world) < away)
        (void)kp_wait(b.spec.world, away);
    interrupt_at = 0;
    well(bench_resume(&b, bench_only_run(&b), NULL));
    assert_in_range(woke - began, 10 * KP_MINUTE, 10 * KP_MINUTE + 10 * KP_SECOND);
    bench_over(&b);
}

/* ---- a wait that ended badly, and a playbook that went on ---- */

static kp_err *caught; /* a copy of what the wait raised */
static kp_err *goes_on_anyway(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    KP_AUTO_ARENA a = kp_arena_new("options", 1 << 16);
    (void)args;
    kp_err *e = kp_run_wait_until(r, kp_map(a, "limit", kp_text(a, "20s"), NULL), predicate, r,
                                  "test.lua:2", &v);
    assert_non_null(e);
    kp_err_drop(caught);
    caught = kp_err_copy(e);
    kp_err_drop(e);
    return call(r, "confirm", "[\"further?\"]", NULL);
}
static void a_wait_that_failed_fails_again_without_waiting(void **state)
{
    static const test_script bold = { .part = { NULL, goes_on_anyway } };
    bench b = { 0 };
    (void)state;
    begin(&b, "{}", 1 << 30);
    the_script = &bold;
    b.answer = KP_ANSWER_NOBODY;
    fails(bench_run(&b, NULL), KP_PAUSED, "nobody is here");
    char *run = bench_only_run(&b);
    char *said = kp_strdup(b.a, caught->what);
    assert_non_null(strstr(said, "not within its limit"));
    int looked = evaluated;
    kp_ms from = kp_mono(b.spec.world);
    well(bench_approve(&b, run, "boss"));
    well(bench_resume(&b, run, NULL));
    assert_int_equal(caught->cls, KP_FAILED);
    assert_string_equal(caught->what, said);
    assert_int_equal(evaluated, looked);
    assert_in_range(kp_mono(b.spec.world) - from, 0, 5 * KP_SECOND);
    kp_err_drop(caught);
    caught = NULL;
    bench_over(&b);
}

/* ---- a wait for what cannot become so ---- */

static kp_verdict hopeless_probe(kp_step *s, const void *args)
{
    (void)args;
    s->why = "its disk is gone";
    s->next = "replace it";
    s->detail = "  /data/1\n";
    return KP_DID_FAIL;
}
static const kp_op hopeless = { .name = "wait_hopeless",
                                .since = 1,
                                .rev = 1,
                                .cls = KP_OP_WAIT,
                                .doc = "d",
                                .args_size = 1,
                                .probe = hopeless_probe };
static kp_err *hopes(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    KP_AUTO_ARENA a = kp_arena_new("given", 1 << 16);
    kp_builder none = kp_list_begin(a);
    (void)args;
    return kp_run_call(r, &hopeless, kp_list_end(&none), "test.lua:3", &v);
}
static void what_can_not_become_so_is_not_waited_for(void **state)
{
    static const test_script hoping = { .part = { NULL, hopes } };
    bench b = { 0 };
    (void)state;
    begin(&b, "{}", 1);
    the_script = &hoping;
    kp_ms from = kp_mono(b.spec.world);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_string_equal(e->next, "replace it");
    assert_string_equal(e->detail, "  /data/1\n");
    fails(e, KP_FAILED, "wait_hopeless: its disk is gone");
    assert_in_range(kp_mono(b.spec.world) - from, 0, 5 * KP_SECOND);
    bench_over(&b);
}

/* An ISR that comes and goes: more and less is left, for ever, and never less than before. */
static int flapped;
static kp_verdict flapping_probe(kp_step *s, const void *args)
{
    (void)args;
    s->left = 5 + flapped++ % 2;
    s->progress = -s->left;
    return KP_UNDER_WAY;
}
static const kp_op flapping = { .name = "wait_flapping",
                                .since = 1,
                                .rev = 1,
                                .cls = KP_OP_WAIT,
                                .doc = "d",
                                .args_size = 1,
                                .probe = flapping_probe };
static kp_err *flaps(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    KP_AUTO_ARENA a = kp_arena_new("given", 1 << 16);
    kp_builder none = kp_list_begin(a);
    (void)args;
    return kp_run_call(r, &flapping, kp_list_end(&none), "test.lua:3", &v);
}
static void what_comes_and_goes_is_no_progress(void **state)
{
    static const test_script flap = { .part = { NULL, flaps } };
    bench b = { 0 };
    (void)state;
    begin(&b, "{}", 1);
    the_script = &flap;
    kp_ms from = kp_mono(b.spec.world);
    fails(bench_run(&b, NULL), KP_FAILED, "wait_flapping: no progress for 15 min");
    assert_in_range(kp_mono(b.spec.world) - from, 15 * KP_MINUTE, 16 * KP_MINUTE);
    bench_over(&b);
}

/* That time passes is no progress of what is waited for. */
static kp_err *looks_at_the_clock(void *ud, bool *ret_true, const char **ret_say)
{
    const kp_value *v;
    *ret_say = "the clock";
    *ret_true = false;
    return call(ud, "now", "[]", &v);
}
static kp_err *waits_by_the_clock(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    KP_AUTO_ARENA a = kp_arena_new("options", 1 << 16);
    (void)args;
    const kp_value *given = kp_map(a, "stall", kp_text(a, "30s"), "limit", kp_text(a, "5m"), NULL);
    return kp_run_wait_until(r, given, looks_at_the_clock, r, "test.lua:2", &v);
}
static void the_clock_is_no_progress(void **state)
{
    static const test_script clock = { .part = { NULL, waits_by_the_clock } };
    bench b = { 0 };
    (void)state;
    begin(&b, "{}", 1);
    the_script = &clock;
    fails(bench_run(&b, NULL), KP_FAILED, "wait_until: no progress for 30");
    bench_over(&b);
}

static void check_never_waits(void **state)
{
    static const test_script checking = { .part = { waits } };
    bench b = { 0 };
    (void)state;
    begin(&b, "{}", 1);
    the_script = &checking;
    fails(bench_run(&b, NULL), KP_PLAYBOOK, "wait_until inside check, which never waits");
    assert_int_equal(evaluated, 0);
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(satisfied_and_replayed_with_one_evaluation),
        cmocka_unit_test(a_predicate_that_changed_its_mind_is_refused),
        cmocka_unit_test(limits),
        cmocka_unit_test(a_predicate_may_only_ask),
        cmocka_unit_test(ctrl_c_pauses_and_the_limit_stays),
        cmocka_unit_test(sleep_keeps_its_wake_up_time),
        cmocka_unit_test(a_wait_that_failed_fails_again_without_waiting),
        cmocka_unit_test(what_can_not_become_so_is_not_waited_for),
        cmocka_unit_test(what_comes_and_goes_is_no_progress),
        cmocka_unit_test(the_clock_is_no_progress),
        cmocka_unit_test(check_never_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
