/* Views that may be relied on: two answers that agree, who is asked for them, and what is said when
 * there are no two. */
#include "facts/with_brokers.h"

#include <stdio.h>
#include <string.h>

static const kp_node nodes[] = { { .id = 1, .roles = KP_BROKER },
                                 { .id = 2, .roles = KP_BROKER | KP_CONTROLLER },
                                 { .id = 3, .roles = KP_BROKER },
                                 { .id = 3001, .roles = KP_CONTROLLER } };
static const kp_inventory three = { .path = "t", .cluster = "t", .n_nodes = 4, .nodes = nodes };
static const kp_inventory two = { .path = "t", .cluster = "t", .n_nodes = 2, .nodes = nodes };
static const kp_inventory one = { .path = "t", .cluster = "t", .n_nodes = 1, .nodes = nodes };

typedef struct asking {
    kp_arena *a;
    kp_seen *o;
} asking;

/* Until then, or until a person leaves. */
static kp_err *pauses(void *ud, kp_ms d)
{
    kp_world *w = &the_brokers.w;
    kp_ms until = kp_mono(w) + d;
    (void)ud;
    for (;;) {
        if (kp_interrupts(w) > 0)
            return kp_err_new(KP_DETACHED, "kplay resume", "interrupted");
        if (kp_mono(w) >= until)
            return NULL;
        assert_null(kp_wait(w, until));
    }
}

static void begin(asking *q, const kp_inventory *inv)
{
    brokers_begin();
    memset(q, 0, sizeof *q);
    q->a = kp_arena_new("fresh", 1 << 20);
    q->o = kp_seen_new(q->a, q->a, &the_brokers.w, inv);
    q->o->pause = pauses;
}
static void over(asking *q)
{
    assert_int_equal(the_brokers.n_open, 0);
    kp_seen_done(q->o);
    kp_arena_free(q->a);
}

static const kp_view *fresh(asking *q, kp_maybe_id without, bool with_config)
{
    const kp_view *v = NULL;
    kp_err *e = kp_fresh_view(q->o, without, with_config, &v);
    if (e)
        print_error("%s\n", e->what);
    assert_null(e);
    assert_non_null(v);
    return v;
}
static void unknown(asking *q, kp_maybe_id without, kp_class cls, const char *says)
{
    const kp_view *v = NULL;
    kp_ms from = the_brokers.now;
    kp_err *e = kp_fresh_view(q->o, without, false, &v);
    assert_non_null(e);
    if (e->cls != cls || !strstr(e->what, says))
        print_error("%s: %s\n", kp_class_name(e->cls), e->what);
    assert_int_equal(e->cls, cls);
    assert_non_null(strstr(e->what, "the state of the partitions is unknown: "));
    assert_non_null(strstr(e->what, says));
    assert_null(v);
    assert_null(q->o->fresh);
    assert_in_range(the_brokers.now - from, 10 * KP_SECOND, 16 * KP_SECOND);
    kp_err_drop(e);
}
static void asked(const char *who)
{
    char text[256] = "";
    for (size_t i = 0; i < the_brokers.n_asked; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i ? " " : "",
                 the_brokers.asked[i]);
    assert_string_equal(text, who);
    the_brokers.n_asked = 0;
}

/* ---- two answers ---- */

static void two_brokers_that_agree_are_believed_at_once(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    const kp_view *v = fresh(&q, KP_NOBODY, false);
    asked("1 2");
    assert_int_equal(the_brokers.now, 1000 + ANSWER_MS);
    assert_int_equal(v->counts.urp, 0);
    assert_ptr_equal(q.o->view, v);
    /* Who is not listed as alive is known to be down. */
    assert_false(q.o->known[0].down);
    assert_true(q.o->known[2].down);
    over(&q);
}

static void nothing_is_asked_twice_in_one_moment(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    const kp_view *v = fresh(&q, KP_NOBODY, false);
    assert_ptr_equal(fresh(&q, KP_NOBODY, false), v);
    asked("1 2");
    fresh(&q, KP_NOBODY, true); /* the settings were not read with it */
    asked("1 2");
    v = fresh(&q, KP_NOBODY, false); /* what has the settings as well will do */
    asked("");
    the_brokers.w.n_requests++; /* something was asked for since */
    assert_ptr_not_equal(fresh(&q, KP_NOBODY, false), v);
    asked("1 2");
    the_brokers.now += 20;
    fresh(&q, KP_NOBODY, false);
    asked("1 2");
    over(&q);
}

static void a_lagging_broker_is_waited_for(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    the_brokers.look[1][0].in_sync = 2;
    the_brokers.look[2][1] = (look) { .from = 1300, .in_sync = 2, .epoch = 5 };
    const kp_view *v = fresh(&q, KP_NOBODY, false);
    assert_int_equal(v->counts.urp, PARTS);
    assert_in_range(the_brokers.now, 1300, 1500);
    over(&q);
}

static void a_disagreement_that_stays_is_unknown(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    the_brokers.look[2][0].in_sync = 2;
    unknown(&q, KP_NOBODY, KP_SAFETY,
            "brokers 1 and 2 disagree about the ISR or leader of 2 partitions, orders-0 first");
    over(&q);
}

static void a_silent_third_broker_does_not_explain_a_disagreement(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    the_brokers.look[1][0].silent = true;
    the_brokers.look[2][0].in_sync = 2;
    unknown(&q, KP_NOBODY, KP_SAFETY, "brokers 2 and 3 disagree");
    over(&q);
    begin(&q, &two);
    the_brokers.look[2][0].silent = true;
    the_brokers.look[2][1] = (look) { .from = 4000, .in_sync = 2, .epoch = 5 };
    unknown(&q, KP_NOBODY, KP_SAFETY, "brokers 1 and 2 disagree");
    over(&q);
}

static void a_topic_only_one_of_them_knows_is_a_disagreement(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    the_brokers.look[1][0].topics = 2;
    unknown(&q, KP_NOBODY, KP_SAFETY, "of 1 partition, a topic only one of them knows first");
    over(&q);
}

static void of_two_settings_the_stricter_counts(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    the_brokers.look[1][0].min_isr = 1;
    the_brokers.look[2][0].min_isr = 2;
    the_brokers.look[1][0].unclean = true;
    const kp_view *v = fresh(&q, KP_NOBODY, true);
    for (uint32_t p = 0; p < PARTS; p++) {
        assert_int_equal(v->min_isr[p], 2);
        assert_int_equal(v->flags[p], KP_PART_UNCLEAN);
    }
    over(&q);
}

/* ---- who is asked ---- */

static void a_silent_broker_is_replaced_by_another(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    the_brokers.look[1][0].silent = true;
    const kp_view *v = fresh(&q, KP_NOBODY, false);
    asked("1 2 3");
    assert_int_equal(v->node, 2);
    assert_in_range(the_brokers.now - 1000, 5 * KP_SECOND, 6 * KP_SECOND);
    over(&q);
}

static void the_order_of_asking_is_the_best_first(void **state)
{
    static const struct {
        kp_maybe_id without, started, down;
        const char *order;
    } rows[] = {
        { .order = "1 2 3" },
        { .without = { true, 2 }, .order = "1 3" },
        { .started = { true, 1 }, .order = "2 3" },
        { .down = { true, 2 }, .order = "1 3" },
        { .started = { true, 1 }, .down = { true, 2 }, .order = "3 1 2" },
        { .without = { true, 3 }, .started = { true, 1 }, .order = "2 1" },
        { .without = { true, 3 }, .down = { true, 1 }, .order = "2 1" },
    };
    asking q;
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        int ids[8];
        char text[64] = "";
        begin(&q, &three);
        q.o->last_started = rows[i].started;
        if (rows[i].down.is)
            q.o->known[rows[i].down.id - 1].down = true;
        size_t n = kp_view_sources(q.o, rows[i].without, ids, KP_COUNT(ids));
        for (size_t k = 0; k < n; k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", k ? " " : "", ids[k]);
        assert_string_equal(text, rows[i].order);
        assert_int_equal(kp_view_sources(q.o, rows[i].without, ids, 1), 1);
        over(&q);
    }
}

static void the_only_broker_is_believed_alone(void **state)
{
    asking q;
    (void)state;
    begin(&q, &one);
    assert_int_equal(fresh(&q, KP_NOBODY, false)->node, 1);
    asked("1");
    over(&q);
    begin(&q, &two);
    assert_int_equal(fresh(&q, kp_somebody(1), false)->node, 2);
    asked("2");
    over(&q);
}

static void one_voice_of_two_is_not_enough(void **state)
{
    asking q;
    (void)state;
    begin(&q, &two);
    the_brokers.look[2][0].silent = true;
    unknown(&q, KP_NOBODY, KP_CLUSTER, "only broker 1 answers");
    over(&q);
}

static void nobody_answers(void **state)
{
    asking q;
    const kp_view *v;
    (void)state;
    begin(&q, &one);
    the_brokers.look[1][0].silent = true;
    kp_err *e = kp_fresh_view(q.o, KP_NOBODY, false, &v);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_CLUSTER);
    assert_non_null(strstr(e->what, "no broker answers"));
    assert_non_null(e->cause);
    assert_non_null(strstr(e->cause->what, "no answer within 5 s"));
    kp_err_drop(e);
    over(&q);
}

static void a_broker_that_comes_back_is_heard(void **state)
{
    asking q;
    (void)state;
    begin(&q, &two);
    the_brokers.look[2][0].silent = true;
    the_brokers.look[2][1] = (look) { .from = 4000, .in_sync = 3, .epoch = 5 };
    fresh(&q, KP_NOBODY, false);
    assert_in_range(the_brokers.now, 4000, 7000);
    over(&q);
}

/* ---- older than already seen ---- */

static void an_answer_from_an_old_cache_is_waited_out(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    fresh(&q, KP_NOBODY, false);
    the_brokers.now += 100;
    for (int id = 1; id <= 3; id++) {
        the_brokers.look[id][0] = (look) { .in_sync = 2, .epoch = 4 };
        the_brokers.look[id][1] =
            (look) { .from = the_brokers.now + 400, .in_sync = 2, .epoch = 6 };
    }
    kp_ms from = the_brokers.now;
    const kp_view *v = fresh(&q, KP_NOBODY, false);
    assert_int_equal(v->leader_epoch[0], 6);
    assert_in_range(the_brokers.now - from, 400, 600);
    over(&q);
}

static void an_old_cache_that_stays_old_is_unknown(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    fresh(&q, KP_NOBODY, false);
    the_brokers.now += 100;
    for (int id = 1; id <= 3; id++)
        the_brokers.look[id][0].epoch = 4;
    unknown(&q, KP_NOBODY, KP_SAFETY, "broker 1 answers with leader epochs older than already seen");
    over(&q);
}

static void a_topic_made_again_begins_with_new_epochs(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    for (int id = 1; id <= 3; id++)
        the_brokers.look[id][0].topics = 2;
    fresh(&q, KP_NOBODY, false);
    kp_view *seen = kp_memdup(q.o->view_a[q.o->view_turn], q.o->view, sizeof *q.o->view);
    int32_t epochs[2 * PARTS] = { 5, 5, 9, 9 }; /* of its namesake that is gone */
    seen->leader_epoch = epochs;
    q.o->view = seen;
    the_brokers.now += 100;
    for (int id = 1; id <= 3; id++)
        the_brokers.look[id][0].again = 7;
    assert_int_equal(fresh(&q, KP_NOBODY, false)->leader_epoch[PARTS], 5);
    over(&q);
}

static void with_other_partitions_there_is_nothing_to_compare(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    fresh(&q, KP_NOBODY, false);
    the_brokers.now += 100;
    for (int id = 1; id <= 3; id++)
        the_brokers.look[id][0] = (look) { .in_sync = 3, .epoch = 4, .parts = PARTS + 1 };
    kp_ms from = the_brokers.now;
    fresh(&q, KP_NOBODY, false);
    assert_int_equal(the_brokers.now - from, ANSWER_MS);
    over(&q);
}

static void without_epochs_there_is_nothing_to_compare(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    for (int id = 1; id <= 3; id++) {
        the_brokers.look[id][0].epoch = -1;
        the_brokers.look[id][1] =
            (look) { .from = the_brokers.now + 100, .in_sync = 3, .epoch = 4 };
    }
    fresh(&q, KP_NOBODY, false);
    the_brokers.now += 200;
    kp_ms from = the_brokers.now;
    assert_int_equal(fresh(&q, KP_NOBODY, false)->leader_epoch[0], 4);
    assert_int_equal(the_brokers.now - from, ANSWER_MS);
    over(&q);
}

/* ---- Ctrl-C ---- */

static void a_person_may_leave_while_it_waits(void **state)
{
    asking q;
    const kp_view *v;
    (void)state;
    begin(&q, &three);
    the_brokers.look[2][0].in_sync = 2;
    the_brokers.interrupted_at = 1500;
    kp_err *e = kp_fresh_view(q.o, KP_NOBODY, false, &v);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_DETACHED);
    assert_in_range(the_brokers.now, 1500, 1700);
    kp_err_drop(e);
    over(&q);
}

/* ---- nodes ---- */

static void what_is_known_of_a_node_is_found_by_its_id(void **state)
{
    asking q;
    (void)state;
    begin(&q, &three);
    assert_ptr_equal(kp_known_node(q.o, 3001), &q.o->known[3]);
    assert_null(kp_known_node(q.o, 4));
    over(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_brokers_that_agree_are_believed_at_once),
        cmocka_unit_test(nothing_is_asked_twice_in_one_moment),
        cmocka_unit_test(a_lagging_broker_is_waited_for),
        cmocka_unit_test(a_disagreement_that_stays_is_unknown),
        cmocka_unit_test(a_silent_third_broker_does_not_explain_a_disagreement),
        cmocka_unit_test(a_topic_only_one_of_them_knows_is_a_disagreement),
        cmocka_unit_test(of_two_settings_the_stricter_counts),
        cmocka_unit_test(a_silent_broker_is_replaced_by_another),
        cmocka_unit_test(the_order_of_asking_is_the_best_first),
        cmocka_unit_test(the_only_broker_is_believed_alone),
        cmocka_unit_test(one_voice_of_two_is_not_enough),
        cmocka_unit_test(nobody_answers),
        cmocka_unit_test(a_broker_that_comes_back_is_heard),
        cmocka_unit_test(an_answer_from_an_old_cache_is_waited_out),
        cmocka_unit_test(an_old_cache_that_stays_old_is_unknown),
        cmocka_unit_test(a_topic_made_again_begins_with_new_epochs),
        cmocka_unit_test(with_other_partitions_there_is_nothing_to_compare),
        cmocka_unit_test(without_epochs_there_is_nothing_to_compare),
        cmocka_unit_test(a_person_may_leave_while_it_waits),
        cmocka_unit_test(what_is_known_of_a_node_is_found_by_its_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
