/* Ctrl-C, SIGTERM, SIGHUP: the first finishes the node, the second the action, the third leaves;
 * every wait obeys, and no pause hides what is down. */
#include "engine/with_script.h"

#include <stdio.h>
#include <string.h>

#define KRAFT                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\","                                      \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"

/* When the person interrupts, how often, and whether that is over. */
static struct {
    kp_event_kind kind;
    const char *verb; /* NULL: whichever */
    bool replayed;
    int times, seen_before;
} when;
static kp_sim *the_sim;
static void (*below)(void *ud, const kp_event *e);

static void on_event(void *ud, const kp_event *e)
{
    below(ud, e);
    if (when.times == 0 || e->kind != when.kind || e->replayed != when.replayed ||
        (when.verb && !kp_streq(e->verb, when.verb)) || when.seen_before-- > 0)
        return;
    while (when.times > 0) {
        when.times--;
        kp_sim_interrupt(the_sim);
    }
}

static const char *path_of[12]; /* "verb [args]", in order; NULL ends */

static kp_err *goes(kp_run *r, const kp_value *args)
{
    (void)args;
    for (size_t i = 0; path_of[i]; i++) {
        char verb[64];
        const char *blank = strchr(path_of[i], ' ');
        snprintf(verb, sizeof verb, "%.*s", (int)(blank - path_of[i]), path_of[i]);
        TEST_TRY(call(r, verb, blank + 1, NULL));
    }
    return NULL;
}

static void begin(bench *b, const char *const *path, size_t n)
{
    static const test_script script = { .part = { NULL, goes }, .effects = KP_G_BROKER_RESTART };
    the_script = &script;
    memset(path_of, 0, sizeof path_of);
    memcpy(path_of, path, n * sizeof *path);
    make_runs(b);
    bench_open(b, KRAFT, NULL);
    the_sim = b->sim;
    below = b->spec.sink.event;
    b->spec.sink.event = on_event;
}
#define BEGIN(b, path) begin(b, path, KP_COUNT(path))

static int64_t count(bench *b, int node, const char *what)
{
    return kp_get_int(kp_sim_host_counts(b->a, b->sim, node), what, -1);
}

#define STEP_2 "step [\"broker 2\",{\"hold\":true}]"
#define STEP_3 "step [\"broker 3\",{\"hold\":true}]"
static const char *const two_nodes[] = {
    STEP_2, "stop_broker [2]", "start_broker [2]", "wait_in_sync [2]",
    STEP_3, "stop_broker [3]", "start_broker [3]", "wait_in_sync [3]",
};

static void the_first_finishes_the_node_and_says_what_it_waits_for(void **state)
{
    static const char *const verbs[] = { "stop_broker", "start_broker", "wait_in_sync" };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(verbs); i++) {
        bench b = { 0 };
        const kp_value *report;
        BEGIN(&b, two_nodes);
        when.kind = KP_E_BEGIN;
        when.verb = verbs[i];
        when.times = 1;
        kp_err *e = bench_run(&b, &report);
        assert_string_equal(e->what, "paused by a person; nothing is under way");
        fails(e, KP_PAUSED, "");
        assert_int_equal(count(&b, 2, "starts"), 1);
        assert_int_equal(count(&b, 3, "stops"), 0);
        assert_int_equal(kp_len(kp_get(report, "down")), 0);
        const char *said = kp_buf_text(&b.said);
        char first[128];
        snprintf(first, sizeof first, "pausing when broker 2 is done; now %s", verbs[i]);
        assert_non_null(strstr(said, first));
        assert_non_null(strstr(said, "; press Ctrl-C again to pause after this action"));
        well(bench_resume(&b, bench_only_run(&b), NULL));
        assert_int_equal(count(&b, 2, "stops"), 1);
        assert_int_equal(count(&b, 3, "starts"), 1);
        bench_over(&b);
    }
}

static void the_second_finishes_the_action_and_says_what_is_down(void **state)
{
    bench b = { 0 };
    (void)state;
    BEGIN(&b, two_nodes);
    when.kind = KP_E_BEGIN;
    when.verb = "stop_broker";
    when.times = 2;
    kp_err *e = bench_run(&b, NULL);
    assert_string_equal(e->what, "paused by a person; broker 2 is down: this run stopped it and "
                                 "has not started it");
    fails(e, KP_PAUSED, "");
    assert_non_null(strstr(kp_buf_text(&b.said), "pausing when this action is done; press Ctrl-C "
                                                 "again to leave now"));
    assert_int_equal(count(&b, 2, "starts"), 0);
    well(bench_resume(&b, bench_only_run(&b), NULL));
    assert_int_equal(count(&b, 2, "stops"), 1);
    assert_int_equal(count(&b, 2, "starts"), 1);
    bench_over(&b);
}

static void the_third_leaves_and_says_what_goes_on(void **state)
{
    bench b = { 0 };
    (void)state;
    BEGIN(&b, two_nodes);
    when.kind = KP_E_BEGIN;
    when.verb = "start_broker";
    when.times = 3;
    kp_err *e = bench_run(&b, NULL);
    assert_string_equal(e->what, "detached; what was asked for goes on by itself: start_broker of "
                                 "broker 2; broker 2 is down: this run stopped it and has not "
                                 "started it");
    fails(e, KP_DETACHED, "");
    well(bench_resume(&b, bench_only_run(&b), NULL));
    assert_int_equal(count(&b, 2, "starts"), 1);
    bench_over(&b);
}

/* Intent, doubt and outcome of the stop: its host is asked about it by the id it was asked with. */
static void has_one_op_id(bench *b)
{
    kp_journal *j;
    const char *id = NULL;
    int records = 0;
    well(kp_journal_open(b->a, &kp_disk_real, b->runs, bench_only_run(b), &j));
    for (int64_t i = 1; i <= kp_journal_n(j); i++) {
        const kp_record *rec = kp_journal_at(j, i);
        const kp_value *body = rec->body;
        if (!kp_streq(kp_get_text(body, "i", ""), "broker 2.1") || rec->kind == KP_K_PAUSE)
            continue;
        id = records++ ? id : kp_get_text(body, "id", "");
        assert_string_equal(kp_get_text(body, "id", ""), id);
    }
    assert_int_equal(records, 3);
    kp_journal_free(j);
}

static void what_was_left_under_way_is_not_asked_for_again(void **state)
{
    bench b = { 0 };
    (void)state;
    BEGIN(&b, two_nodes);
    when.kind = KP_E_BEGIN;
    when.verb = "stop_broker";
    when.times = 3;
    fails(bench_run(&b, NULL), KP_DETACHED, "goes on by itself: stop_broker of broker 2");
    kp_ms until = kp_mono(b.spec.world) + 100; /* it has arrived there, and has not ended */
    while (kp_mono(b.spec.world) < until)
        (void)kp_wait(b.spec.world, until);
    assert_int_equal(count(&b, 2, "stops"), 1);
    well(bench_resume(&b, bench_only_run(&b), NULL));
    assert_int_equal(count(&b, 2, "stops"), 1);
    assert_int_equal(count(&b, 2, "starts"), 1);
    has_one_op_id(&b);
    bench_over(&b);
}

/* A playbook of one's own that holds nothing. */
static void where_no_step_holds_the_first_finishes_the_action(void **state)
{
    static const char *const path[] = { "stop_broker [2]", "sleep [\"1s\"]", "start_broker [2]" };
    bench b = { 0 };
    (void)state;
    BEGIN(&b, path);
    when.kind = KP_E_BEGIN;
    when.verb = "stop_broker";
    when.times = 1;
    fails(bench_run(&b, NULL), KP_PAUSED, "; broker 2 is down: this run stopped it");
    bench_over(&b);
}

static void a_node_that_was_not_touched_yet_is_not_begun(void **state)
{
    static const char *const path[] = { STEP_2, "sleep [\"1h\"]", "stop_broker [2]",
                                        "start_broker [2]" };
    bench b = { 0 };
    (void)state;
    BEGIN(&b, path);
    kp_ms from = kp_mono(b.spec.world);
    when.kind = KP_E_PROGRESS;
    when.verb = "sleep";
    when.times = 1;
    fails(bench_run(&b, NULL), KP_PAUSED, "nothing is under way");
    assert_in_range(kp_mono(b.spec.world) - from, 0, KP_MINUTE);
    assert_int_equal(count(&b, 2, "stops"), 0);
    bench_over(&b);
}

static void waits_of_a_held_node_obey_the_second(void **state)
{
    static const char *const path[] = { STEP_2, "stop_broker [2]", "sleep [\"1h\"]",
                                        "start_broker [2]" };
    bench b = { 0 };
    (void)state;
    BEGIN(&b, path);
    kp_ms from = kp_mono(b.spec.world);
    when.kind = KP_E_PROGRESS;
    when.verb = "sleep";
    when.times = 2;
    fails(bench_run(&b, NULL), KP_PAUSED, "; broker 2 is down");
    assert_in_range(kp_mono(b.spec.world) - from, 0, KP_MINUTE);
    bench_over(&b);
}

/* The guard waits for ISRs that are being rejoined. */
static void the_guards_waiting_obeys(void **state)
{
    static const char *const path[] = { "stop_broker [2]", "start_broker [2]", "stop_broker [3]" };
    bench b = { 0 };
    (void)state;
    BEGIN(&b, path);
    const kp_value *fault;
    const char *json = "{\"fault\":\"does_not_rejoin\",\"node\":2}";
    assert_null(kp_json_read(b.a, json, strlen(json), &fault));
    assert_null(kp_sim_fault(b.sim, fault));
    when.kind = KP_E_HELD;
    when.verb = NULL;
    when.times = 1;
    fails(bench_run(&b, NULL), KP_PAUSED, "nothing is under way");
    assert_int_equal(count(&b, 3, "stops"), 0);
    bench_over(&b);
}

/* What a resumed run tells again is past: it goes on to the node it was interrupted in. */
static void a_signal_while_it_catches_up_finishes_the_node_it_is_in(void **state)
{
    bench b = { 0 };
    (void)state;
    BEGIN(&b, two_nodes);
    when.kind = KP_E_BEGIN;
    when.verb = "start_broker";
    when.seen_before = 1; /* that of broker 3 */
    when.times = 3;
    fails(bench_run(&b, NULL), KP_DETACHED, "broker 3 is down");
    when.kind = KP_E_DONE;
    when.verb = "wait_in_sync";
    when.replayed = true;
    when.seen_before = 0;
    when.times = 1;
    well(bench_resume(&b, bench_only_run(&b), NULL)); /* no step and no call follows the node */
    when.replayed = false;
    assert_int_equal(when.times, 0);
    assert_int_equal(count(&b, 3, "starts"), 1);
    bench_over(&b);
}

static void the_way_back_belongs_to_the_node(void **state)
{
    static const char *const path[] = { STEP_2,
                                        "stop_broker [2]",
                                        "step [\"broker 2, back\",{\"hold\":true,"
                                        "\"goes_on\":true}]",
                                        "start_broker [2]",
                                        "wait_in_sync [2]",
                                        STEP_3,
                                        "stop_broker [3]" };
    bench b = { 0 };
    (void)state;
    BEGIN(&b, path);
    when.kind = KP_E_BEGIN;
    when.verb = "stop_broker";
    when.times = 1;
    fails(bench_run(&b, NULL), KP_PAUSED, "nothing is under way");
    assert_int_equal(count(&b, 2, "starts"), 1);
    assert_int_equal(count(&b, 3, "stops"), 0);
    bench_over(&b);
}

/* Of several nodes those that were asked for are finished, and no more are begun. */
static void nothing_more_is_begun(void **state)
{
    static const char *const path[] = { "stop_broker [2]", "start_broker [2]" };
    bench b = { 0 };
    (void)state;
    BEGIN(&b, path);
    when.kind = KP_E_DONE;
    when.verb = "stop_broker";
    when.times = 1;
    fails(bench_run(&b, NULL), KP_PAUSED, "; broker 2 is down");
    assert_int_equal(count(&b, 2, "starts"), 0);
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_finishes_the_node_and_says_what_it_waits_for),
        cmocka_unit_test(the_second_finishes_the_action_and_says_what_is_down),
        cmocka_unit_test(the_third_leaves_and_says_what_goes_on),
        cmocka_unit_test(what_was_left_under_way_is_not_asked_for_again),
        cmocka_unit_test(where_no_step_holds_the_first_finishes_the_action),
        cmocka_unit_test(a_node_that_was_not_touched_yet_is_not_begun),
        cmocka_unit_test(waits_of_a_held_node_obey_the_second),
        cmocka_unit_test(the_guards_waiting_obeys),
        cmocka_unit_test(a_signal_while_it_catches_up_finishes_the_node_it_is_in),
        cmocka_unit_test(the_way_back_belongs_to_the_node),
        cmocka_unit_test(nothing_more_is_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
