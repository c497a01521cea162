/* How long things take: a rule of thumb, then the median and twice the slowest of what was seen. */
#include "engine/with_script.h"

#include "engine/run.h"
#include "verbs/verbs.h"

static void expect(kp_run *r, const char *verb, kp_ms p50, kp_ms p95)
{
    const kp_value *v = kp_eta_of(r, kp_op_named(kp_verbs, verb));
    assert_int_equal(kp_get_int(v, "p50", -1), p50);
    assert_int_equal(kp_get_int(v, "p95", -1), p95);
}
static void learn(kp_run *r, const char *verb, kp_ms took)
{
    kp_eta_learn(r, kp_op_named(kp_verbs, verb), took);
}

static void before_anything_was_seen_it_is_a_rule_of_thumb(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_run r = { .call = a };
    (void)state;
    expect(&r, "stop_broker", 6 * KP_SECOND, 2 * KP_MINUTE);
    expect(&r, "wait_in_sync", 10 * KP_SECOND, 10 * KP_MINUTE);
}

static void then_it_is_what_this_run_has_seen(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_run r = { .call = a };
    (void)state;
    learn(&r, "start_broker", 9000);
    expect(&r, "start_broker", 9000, 18000);
    learn(&r, "start_broker", 1000);
    learn(&r, "start_broker", 3000);
    expect(&r, "start_broker", 3000, 18000);
    learn(&r, "start_broker", 2000);
    learn(&r, "start_broker", 2500);
    expect(&r, "start_broker", 2500, 18000);
    expect(&r, "stop_broker", 6 * KP_SECOND, 2 * KP_MINUTE); /* each verb for itself */
}

static void there_is_room_for_every_verb_that_is_timed(void **state)
{
    int n = 0;
    (void)state;
    for (size_t i = 0; kp_verbs[i]; i++)
        n += kp_verbs[i]->p50 > 0;
    assert_in_range(n, 1, KP_ETA_VERBS);
}

static void nothing_is_known_of_verbs_that_are_not_timed(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_run r = { .call = a };
    (void)state;
    learn(&r, "stage_release", 1000);
    assert_null(kp_eta_of(&r, kp_op_named(kp_verbs, "stage_release")));
}

/* A thousand brokers: more than are kept. */
static void of_many_the_middle_and_the_slowest_stay(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_run r = { .call = a };
    (void)state;
    for (int i = 0; i < 1000; i++)
        learn(&r, "stop_broker", i % 2 ? 4000 + i % 7 : 6000 + i % 5);
    learn(&r, "stop_broker", 60000);
    for (int i = 0; i < 1000; i++)
        learn(&r, "stop_broker", 5000);
    expect(&r, "stop_broker", 5000, 120000);
    const kp_eta *e = &r.eta[0];
    assert_int_equal(e->n, KP_ETA_SAMPLES);
    for (int i = 1; i < e->n; i++)
        assert_true(e->ms[i - 1] <= e->ms[i]);
}

/* Whatever the order in which they come, the median of a thousand is not the newest one. */
static void the_median_of_many_stays_in_the_middle(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_run r = { .call = a };
    (void)state;
    for (int64_t i = 0; i < 1000; i++) {
        learn(&r, "stop_broker", 1000 + i * 3571 % 8000); /* evenly 1 to 9 s */
        const kp_value *v = kp_eta_of(&r, kp_op_named(kp_verbs, "stop_broker"));
        if (i >= 64)
            assert_in_range(kp_get_int(v, "p50", -1), 3500, 6500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_anything_was_seen_it_is_a_rule_of_thumb),
        cmocka_unit_test(then_it_is_what_this_run_has_seen),
        cmocka_unit_test(there_is_room_for_every_verb_that_is_timed),
        cmocka_unit_test(nothing_is_known_of_verbs_that_are_not_timed),
        cmocka_unit_test(of_many_the_middle_and_the_slowest_stay),
        cmocka_unit_test(the_median_of_many_stays_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
