/* How long a run pauses between two looks: by what the answers cost, not by how long they took. */
#include "facts/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static kp_ms pause_after(kp_pace *p, kp_req kind, const kp_value *v, int64_t took_us)
{
    p->cost_us = 0;
    kp_pace_add(p, &(kp_reply) { .kind = kind, .value = v, .took_us = took_us });
    return kp_pace_pause(p, KP_POLL_SHARE);
}

static kp_ms pause_after_view(kp_pace *p, uint32_t parts, int64_t took_us)
{
    const kp_view v = { .n_parts = parts };
    p->cost_us = 0;
    kp_pace_add(p, &(kp_reply) { .kind = KP_Q_VIEW, .view = &v, .took_us = took_us });
    return kp_pace_pause(p, KP_POLL_SHARE);
}

static void a_slow_round_trip_does_not_lengthen_the_pause(void **state)
{
    kp_pace p = { 0 };
    (void)state;
    assert_int_equal(pause_after_view(&p, 18, 300000), KP_POLL_MS); /* nor when it is the first */
    assert_int_equal(pause_after_view(&p, 18, 600), KP_POLL_MS);
    assert_int_equal(pause_after_view(&p, 18, 300000), KP_POLL_MS);
    kp_pace h = { 0 };
    assert_int_equal(pause_after(&h, KP_Q_HOST, NULL, 20000), 20 * 20);
    assert_int_equal(pause_after(&h, KP_Q_HOST, NULL, 900000), 20 * 20);
    assert_int_equal(pause_after(&h, KP_Q_HOST, NULL, 10000), 20 * 10);
    assert_int_equal(pause_after(&h, KP_Q_HOST, NULL, 900000), 20 * 10);
}

static void a_big_answer_does(void **state)
{
    kp_pace p = { 0 };
    (void)state;
    assert_int_equal(pause_after_view(&p, 9999, 20000), 20 * 20); /* 2 us a partition */
    assert_int_equal(pause_after_view(&p, 19999, 90000), 20 * 40);
    assert_int_equal(pause_after_view(&p, 99, 90000), KP_POLL_MS);
}

static void it_stays_between_its_bounds(void **state)
{
    kp_pace p = { 0 };
    (void)state;
    assert_int_equal(kp_pace_pause(&p, KP_POLL_SHARE), KP_POLL_MS);
    assert_int_equal(pause_after_view(&p, 5000000, 6000000), KP_POLL_MOST);
    assert_int_equal(pause_after_view(&p, 0, 0), KP_POLL_MS);
    assert_int_equal(pause_after(&p, KP_Q_GROUPS, NULL, INT32_MAX), KP_POLL_MS);
    assert_int_equal(KP_POLL_MS, 100);
    assert_int_equal(KP_POLL_MOST, 1000);
}

/* A predicate may ask for several things: they cost as much as all of them. */
static void answers_add_up_and_errors_cost_nothing(void **state)
{
    kp_pace p = { 0 };
    const kp_view v = { .n_parts = 9999 };
    kp_reply one = { .kind = KP_Q_VIEW, .view = &v, .took_us = 10000 };
    (void)state;
    kp_pace_add(&p, &one);
    assert_int_equal(kp_pace_pause(&p, KP_POLL_SHARE), 20 * 10);
    kp_pace_add(&p, &one);
    assert_int_equal(kp_pace_pause(&p, KP_POLL_SHARE), 20 * 20);
    kp_err *e = kp_err_new(KP_CLUSTER, "wait", "no answer");
    kp_pace_add(&p, &(kp_reply) { .kind = KP_Q_VIEW, .err = e, .took_us = 5000000 });
    kp_err_drop(e);
    assert_int_equal(kp_pace_pause(&p, KP_POLL_SHARE), 20 * 20);
    assert_int_equal(kp_pace_pause(&p, KP_POLL_SHARE_ACTING), KP_POLL_MS);
}

static void an_action_is_looked_at_more_often(void **state)
{
    kp_pace p = { 0 };
    (void)state;
    assert_int_equal(pause_after(&p, KP_Q_HOST, NULL, 60000), KP_POLL_MOST);
    assert_int_equal(kp_pace_pause(&p, KP_POLL_SHARE_ACTING), 3 * 60);
    kp_pace_add(&p, &(kp_reply) { .kind = KP_Q_HOST, .took_us = 60000 }); /* of a second node */
    assert_int_equal(kp_pace_pause(&p, KP_POLL_SHARE_ACTING), 3 * 120);
}

static void a_long_list_costs_what_is_in_it(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 24);
    kp_pace p = { 0 };
    kp_builder b = kp_list_begin(a);
    (void)state;
    for (int i = 0; i < 1000; i++)
        kp_list_add(&b, kp_map(a, "x", kp_int(a, i), "y", kp_int(a, i), NULL));
    const kp_value *list = kp_list_end(&b);
    assert_int_equal(pause_after(&p, KP_Q_REASSIGNMENTS, list, 30010), 20 * 30);
    assert_int_equal(pause_after(&p, KP_Q_REASSIGNMENTS, kp_int(a, 1), 900000), KP_POLL_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_round_trip_does_not_lengthen_the_pause),
        cmocka_unit_test(a_big_answer_does),
        cmocka_unit_test(it_stays_between_its_bounds),
        cmocka_unit_test(answers_add_up_and_errors_cost_nothing),
        cmocka_unit_test(an_action_is_looked_at_more_often),
        cmocka_unit_test(a_long_list_costs_what_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
