/* A start: whose process it is that the others list, how often it has died meanwhile, and what is
 * progress of it. */
#include "engine/with_script.h"

#include <stdio.h>
#include <string.h>

#include "engine/run.h"
#include "verbs/inner.h"

#define KRAFT                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\","                                      \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"

static const char *path_of[4]; /* "verb [args]", in order */

static kp_err *goes(kp_run *r, const kp_value *args)
{
    (void)args;
    for (size_t i = 0; i < KP_COUNT(path_of) && path_of[i]; i++) {
        char verb[64];
        const char *blank = strchr(path_of[i], ' ');
        snprintf(verb, sizeof verb, "%.*s", (int)(blank - path_of[i]), path_of[i]);
        TEST_TRY(call(r, verb, blank + 1, NULL));
    }
    return NULL;
}

static void fault(bench *b, const char *json)
{
    const kp_value *v;
    assert_null(kp_json_read(b->a, json, strlen(json), &v));
    well(kp_sim_fault(b->sim, v));
}

static void begin(bench *b, const char *const *path, size_t n)
{
    static const test_script script = { .part = { NULL, goes },
                                        .effects = KP_G_BROKER_RESTART | KP_G_CONTROLLER_RESTART };
    the_script = &script;
    memset(path_of, 0, sizeof path_of);
    memcpy(path_of, path, n * sizeof *path);
    make_runs(b);
    bench_open(b, KRAFT, NULL);
}

static const char *const restart[] = { "stop_broker [2]", "start_broker [2]", "wait_in_sync [2]" };

/* ---- a supervisor that starts a dying process for ever ---- */

static void a_crash_loop_ends_the_start_at_the_second_death(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, restart, 2);
    fault(&b, "{\"fault\":\"crash_loop\",\"node\":2,\"start\":1}");
    kp_ms from = kp_mono(b.spec.world);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_non_null(strstr(e->detail, "ERROR Exiting Kafka due to fatal exception"));
    assert_non_null(strstr(e->next, "stop what starts it again"));
    fails(e, KP_FAILED, "its process has died 2 times since it was started");
    assert_in_range(kp_mono(b.spec.world) - from, 0, KP_MINUTE);
    bench_over(&b);
}

static void a_controllers_crash_loop_too(void **state)
{
    static const char *const path[] = { "stop_controller [3003]", "start_controller [3003]" };
    bench b = { 0 };
    (void)state;
    begin(&b, path, 2);
    fault(&b, "{\"fault\":\"crash_loop\",\"node\":3003,\"start\":1}");
    fails(bench_run(&b, NULL), KP_FAILED, "its process has died 2 times since it was started");
    bench_over(&b);
}

/* It has started, and dies while it catches up: each process that took its place is a death. */
static void processes_that_replace_each_other_are_not_waited_for(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, restart, 3);
    fault(&b, "{\"fault\":\"does_not_rejoin\",\"node\":2}");
    fault(&b, "{\"fault\":\"crash\",\"node\":2,\"at\":\"60s\",\"lasts\":\"10ms\"}");
    fault(&b, "{\"fault\":\"crash\",\"node\":2,\"at\":\"100s\",\"lasts\":\"10ms\"}");
    kp_ms from = kp_mono(b.spec.world);
    fails(bench_run(&b, NULL), KP_FAILED, "broker 2: its process has died 2 times");
    assert_in_range(kp_mono(b.spec.world) - from, 100 * KP_SECOND, 105 * KP_SECOND);
    bench_over(&b);
}

static const kp_value *host(kp_arena *a, const char *json)
{
    const kp_value *v;
    kp_err *e = kp_json_read(a, json, strlen(json), &v);
    assert_null(e);
    return v;
}

static int64_t deaths_after(const char *const *states, size_t n, int64_t restarts_before)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_life l = { 0 };
    for (size_t i = 0; i < n; i++)
        kp_life_look(&l, host(a, states[i]), restarts_before);
    return kp_life_deaths(&l);
}
#define DEATHS(before, ...)                                                                        \
    deaths_after((const char *const[]) { __VA_ARGS__ },                                            \
                 sizeof((const char *const[]) { __VA_ARGS__ }) / sizeof(char *), before)

static void deaths_are_counted_by_process_and_by_manager(void **state)
{
    (void)state;
    assert_int_equal(
        DEATHS(-1, "{\"pid\":0}", "{\"pid\":7,\"start_time\":1}", "{\"pid\":7,\"start_time\":1}"),
        0);
    assert_int_equal(DEATHS(-1, "{\"pid\":7,\"start_time\":1}", "{\"pid\":0}", "{\"pid\":0}",
                            "{\"pid\":8,\"start_time\":2}"),
                     1);
    assert_int_equal(DEATHS(-1, "{\"pid\":7,\"start_time\":1}", "{\"pid\":8,\"start_time\":2}",
                            "{\"pid\":9,\"start_time\":3}"),
                     2);
    /* the same pid again is another process */
    assert_int_equal(DEATHS(-1, "{\"pid\":7,\"start_time\":1}", "{\"pid\":7,\"start_time\":2}"), 1);
    /* a start script that ends when its java runs has not died; nor has a wrapper of it */
    assert_int_equal(
        DEATHS(-1, "{\"pid\":7,\"start_time\":1,\"script\":true}", "{\"pid\":8,\"start_time\":2}"),
        0);
    assert_int_equal(DEATHS(-1, "{\"pid\":9,\"start_time\":1}",
                            "{\"pid\":10,\"start_time\":2,\"pids\":[10,9]}",
                            "{\"pid\":9,\"start_time\":1}"),
                     0);
    /* between two looks the manager has counted more; it may have begun anew with the start */
    assert_int_equal(DEATHS(4, "{\"pid\":7,\"start_time\":1,\"service\":{\"restarts\":4}}",
                            "{\"pid\":8,\"start_time\":2,\"service\":{\"restarts\":7}}"),
                     3);
    assert_int_equal(DEATHS(4, "{\"pid\":7,\"start_time\":1,\"service\":{\"restarts\":0}}",
                            "{\"pid\":8,\"start_time\":2,\"service\":{\"restarts\":2}}"),
                     2);
    assert_int_equal(DEATHS(4, "{\"pid\":7,\"start_time\":1,\"service\":{\"restarts\":4}}",
                            "{\"pid\":7,\"start_time\":1,\"service\":{\"restarts\":0}}"),
                     0);
}

/* ---- what is progress ---- */

static int64_t progress_of(kp_step *s, const char *json, bool listed)
{
    kp_life_look(&s->life, host(s->a, json), -1);
    kp_start_progress(s, host(s->a, json), listed);
    return s->progress;
}

static void a_growing_log_is_no_progress(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_step s = { .a = a };
    (void)state;
    int64_t best = 0;
    assert_false(kp_nearer(progress_of(&s, "{\"pid\":0,\"log_size\":10}", false), &best));
    assert_true(
        kp_nearer(progress_of(&s, "{\"pid\":7,\"log_size\":20,\"signs\":{}}", false), &best));
    assert_false(
        kp_nearer(progress_of(&s, "{\"pid\":7,\"log_size\":90,\"signs\":{}}", false), &best));
    /* logs recovered, and more of them, and in a log that was turned */
    assert_true(
        kp_nearer(progress_of(&s, "{\"pid\":7,\"signs\":{\"advanced\":90}}", false), &best));
    assert_false(
        kp_nearer(progress_of(&s, "{\"pid\":7,\"signs\":{\"advanced\":90}}", false), &best));
    assert_true(
        kp_nearer(progress_of(&s, "{\"pid\":7,\"signs\":{\"advanced\":95}}", false), &best));
    assert_true(kp_nearer(progress_of(&s, "{\"pid\":7,\"signs\":{\"advanced\":5}}", false), &best));
    assert_true(kp_nearer(progress_of(&s, "{\"pid\":7,\"signs\":{\"advanced\":5}}", true), &best));
}

static void what_goes_to_and_fro_is_no_progress(void **state)
{
    int64_t best = 0;
    (void)state;
    assert_false(kp_nearer(0, &best));
    assert_true(kp_nearer(-6, &best));
    assert_true(kp_nearer(-5, &best));
    assert_false(kp_nearer(-6, &best));
    assert_false(kp_nearer(-5, &best));
    assert_false(kp_nearer(0, &best));
    assert_true(kp_nearer(-4, &best));
}

/* ---- another process is registered as this broker ---- */

static void a_broker_that_is_registered_elsewhere_has_not_started(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, restart, 2);
    fault(&b, "{\"fault\":\"registered_elsewhere\",\"node\":2,\"start\":1}");
    kp_ms from = kp_mono(b.spec.world);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_non_null(strstr(e->detail, "DUPLICATE_BROKER_REGISTRATION"));
    assert_non_null(strstr(e->next, "does the cluster file name the right one?"));
    fails(e, KP_FAILED, "another process is registered as broker 2 and goes on");
    assert_in_range(kp_mono(b.spec.world) - from, 45 * KP_SECOND, 75 * KP_SECOND);
    bench_over(&b);
}

/* It ends by itself, as an old session does: the start is waited for and done. */
static void an_old_session_is_waited_for(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, restart, 3);
    fault(&b, "{\"fault\":\"registered_elsewhere\",\"node\":2,\"start\":1,\"lasts\":\"15s\"}");
    well(bench_run(&b, NULL));
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_loop_ends_the_start_at_the_second_death),
        cmocka_unit_test(a_controllers_crash_loop_too),
        cmocka_unit_test(processes_that_replace_each_other_are_not_waited_for),
        cmocka_unit_test(deaths_are_counted_by_process_and_by_manager),
        cmocka_unit_test(a_growing_log_is_no_progress),
        cmocka_unit_test(what_goes_to_and_fro_is_no_progress),
        cmocka_unit_test(a_broker_that_is_registered_elsewhere_has_not_started),
        cmocka_unit_test(an_old_session_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
