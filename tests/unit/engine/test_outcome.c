/* What is made of the answers to an action: a yes is never believed, a no is heard. */
#include "engine/with_twist.h"

#include <string.h>

#include "engine/run.h"

#define KRAFT                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\","                                      \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"
/* A clean stop of half a minute: longer than a stop may take to show its first effect. */
#define SLOW                                                                                       \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\","                                      \
    "\"timing\":{\"stop_per_1000\":\"6h\"},"                                                       \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"
#define STUCK                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[],"                        \
    "\"faults\":[{\"fault\":\"does_not_stop\",\"node\":2,\"stop\":1}]}"
#define FIVE "{\"brokers\":1,\"controllers\":5,\"release\":\"3.7.2\",\"topics\":[]}"
/* No service manager: a command stops it, and leaves a claim. */
#define COMMAND                                                                                    \
    {                                                                                              \
        KP_Q_HOST, 2, "service", "{}"                                                              \
    }
#define DENIED "systemctl stop kafka: sudo: a password is required"

static bool bends = true; /* from the action on */

static kp_err *stop_2(kp_run *r, const kp_value *args)
{
    (void)args;
    twist_on(bends);
    return call(r, "stop_broker", "[2]", NULL);
}
static kp_err *one_before(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[1]", NULL));
    TEST_TRY(call(r, "start_broker", "[1]", NULL));
    TEST_TRY(call(r, "wait_in_sync", "[1]", NULL));
    twist_on(bends);
    return call(r, "stop_broker", "[2]", NULL);
}
static kp_err *two_controllers(kp_run *r, const kp_value *args)
{
    (void)args;
    twist_on(bends);
    return call(r, "stop_controller", "[[3001,3002]]", NULL);
}

/* A run of that part with the answers bent; its error, or NULL, and how long it took. */
static kp_err *run_bent(bench *b, const char *cluster, test_part part, const twist *t, size_t n,
                        kp_ms *ret_took)
{
    static test_script script = { .effects = KP_G_BROKER_RESTART | KP_G_CONTROLLER_RESTART };
    script.part[KP_PART_RUN] = part;
    the_script = &script;
    make_runs(b);
    bench_open(b, cluster, NULL);
    twist_into(b, t, n);
    kp_ms from = kp_mono(b->spec.world);
    kp_err *e = bench_run(b, NULL);
    *ret_took = kp_mono(b->spec.world) - from;
    return e;
}

static int stops_of(bench *b, int node)
{
    return (int)kp_get_int(kp_sim_host_counts(b->a, b->sim, node), "stops", -1);
}

static void a_no_ends_the_step_at_once_in_its_own_words(void **state)
{
    static const twist no = { KP_A_STOP, 2, "no", DENIED };
    bench b = { 0 };
    kp_ms took;
    (void)state;
    kp_err *e = run_bent(&b, KRAFT, stop_2, &no, 1, &took);
    assert_non_null(e);
    assert_string_equal(e->what, DENIED);
    assert_string_equal(e->where, "broker 2");
    assert_in_range(took, 0, 5 * KP_SECOND); /* of the simulated clock */
    assert_int_equal(e->cls, KP_HOST);       /* nothing was changed */
    kp_err_drop(e);
    assert_int_equal(stops_of(&b, 2), 0);
    bench_over(&b);
}

static void a_no_after_an_action_is_a_failed_step(void **state)
{
    static const twist no = { KP_A_STOP, 2, "no", DENIED };
    bench b = { 0 };
    kp_ms took;
    (void)state;
    kp_err *e = run_bent(&b, KRAFT, one_before, &no, 1, &took);
    fails(e, KP_FAILED, DENIED);
    assert_int_equal(stops_of(&b, 1), 1);
    bench_over(&b);
}

static void what_was_refused_is_a_new_attempt_of_the_resumed_run(void **state)
{
    static const twist no = { KP_A_STOP, 2, "no", DENIED };
    bench b = { 0 };
    kp_ms took;
    (void)state;
    fails(run_bent(&b, KRAFT, stop_2, &no, 1, &took), KP_HOST, DENIED);
    char *run = bench_only_run(&b);
    /* Still not let: nothing was changed by the second session either. */
    fails(bench_resume(&b, run, NULL), KP_HOST, DENIED);
    bends = false;
    well(bench_resume(&b, run, NULL));
    bends = true;
    assert_int_equal(stops_of(&b, 2), 1);
    bench_over(&b);
}

static void what_is_not_certain_is_kept_for_the_line_that_says_no_effect(void **state)
{
    static const twist lost = { KP_A_STOP, 2, "lost", "the connection was reset" };
    bench b = { 0 };
    kp_ms took;
    (void)state;
    fails(run_bent(&b, KRAFT, stop_2, &lost, 1, &took), KP_FAILED,
          "it was asked for and had no effect within 20 s: the connection was reset");
    bench_over(&b);
}

static void a_no_to_what_is_so_is_no_failure(void **state)
{
    static const twist no = { KP_A_STOP, 2, "no, but done", "the link was cut" };
    bench b = { 0 };
    kp_ms took;
    (void)state;
    well(run_bent(&b, KRAFT, stop_2, &no, 1, &took));
    assert_int_equal(stops_of(&b, 2), 1);
    bench_over(&b);
}

static void a_no_of_one_node_does_not_end_the_others(void **state)
{
    static const twist no = { KP_A_STOP, 3002, "no", DENIED };
    bench b = { 0 };
    kp_ms took;
    (void)state;
    kp_err *e = run_bent(&b, FIVE, two_controllers, &no, 1, &took);
    assert_non_null(e);
    assert_string_equal(e->what, "stop_controller failed on 1 of 2 nodes");
    assert_string_equal(e->detail, "  controller 3002  " DENIED "\n");
    assert_int_equal(e->cls, KP_FAILED); /* the other one is down by now */
    kp_err_drop(e);
    assert_int_equal(stops_of(&b, 3001), 1);
    assert_int_equal(stops_of(&b, 3002), 0);
    bench_over(&b);
}

static void one_lost_question_about_a_job_is_not_no_job(void **state)
{
    static const twist silent[] = { { KP_Q_JOB, 2, NULL, NULL }, COMMAND };
    bench b = { 0 };
    kp_ms took;
    (void)state;
    well(run_bent(&b, SLOW, stop_2, silent, 2, &took));
    assert_true(took > 20 * KP_SECOND);
    assert_int_equal(stops_of(&b, 2), 1);
    bench_over(&b);
}

static void a_command_that_failed_is_told_with_what_it_said(void **state)
{
    static const twist failed[] = {
        { KP_Q_JOB, 2, NULL, "{\"state\":\"done\",\"rc\":1,\"output\":\"sudo: no\\n\"}" }, COMMAND
    };
    bench b = { 0 };
    kp_ms took;
    (void)state;
    fails(run_bent(&b, STUCK, stop_2, failed, 2, &took), KP_FAILED,
          "no progress for 6 min: its process is still there, and its command ended with exit code "
          "1: sudo: no");
    bench_over(&b);
}

static int64_t pid, start_time;

static kp_err *look_and_stop_2(kp_run *r, const kp_value *args)
{
    kp_request q = { .kind = KP_Q_HOST, .node = 2, .host.since = -1 };
    kp_reply reply;
    (void)args;
    kp_world_ask_all(r->w, r->a, &q, 1, &reply);
    pid = kp_get_int(reply.value, "pid", 0);
    start_time = kp_get_int(reply.value, "start_time", 0);
    return call(r, "stop_broker", "[2]", NULL);
}

/* Whatever has been looked at since: the one that its intent remembers. */
static void a_stop_names_the_process_it_is_for(void **state)
{
    bench b = { 0 };
    kp_ms took;
    (void)state;
    assert_null(run_bent(&b, KRAFT, look_and_stop_2, NULL, 0, &took));
    assert_true(pid > 0);
    assert_int_equal(twist_last(KP_A_STOP).stop.pid, pid);
    assert_int_equal(twist_last(KP_A_STOP).stop.start_time, start_time);
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_no_ends_the_step_at_once_in_its_own_words),
        cmocka_unit_test(a_no_after_an_action_is_a_failed_step),
        cmocka_unit_test(what_was_refused_is_a_new_attempt_of_the_resumed_run),
        cmocka_unit_test(what_is_not_certain_is_kept_for_the_line_that_says_no_effect),
        cmocka_unit_test(a_no_to_what_is_so_is_no_failure),
        cmocka_unit_test(a_no_of_one_node_does_not_end_the_others),
        cmocka_unit_test(one_lost_question_about_a_job_is_not_no_job),
        cmocka_unit_test(a_command_that_failed_is_told_with_what_it_said),
        cmocka_unit_test(a_stop_names_the_process_it_is_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
