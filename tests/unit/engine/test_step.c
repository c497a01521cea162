/* The step loop on a simulated cluster: what a verb does in each of its worlds, the guard before it,
 * fan-out, failures, and the crash sweep: killed at every record, resumed, nothing repeated. */
#include "engine/with_script.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/run.h"

#define RESTART                                                                                    \
    (KP_G_BROKER_RESTART | KP_G_CONTROLLER_RESTART | KP_G_LEADER_ELECT | KP_G_RELEASE_SWITCH |     \
     KP_G_RELEASE_STAGE | KP_G_CONFIG_FILE)
#define SMALL                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[{\"name\":\"t\","          \
    "\"partitions\":6}]}"

static kp_err *restart_two(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "step", "[\"broker 2\"]", NULL));
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    return call(r, "wait_in_sync", "[2]", NULL);
}

static const test_script restart_script = { .part = { NULL, restart_two }, .effects = RESTART };

static void check(kp_err *e)
{
    if (e) {
        KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
        print_error("%s\n", kp_err_text(a, e));
    }
    assert_null(e);
}

static void a_broker_is_stopped_and_started_once(void **state)
{
    bench b = { 0 };
    const kp_value *report;
    (void)state;
    the_script = &restart_script;
    bench_open(&b, SMALL, NULL);
    check(bench_run(&b, &report));
    assert_string_equal(kp_get_text(report, "state", ""), "done");
    const kp_value *counts = kp_sim_host_counts(b.a, b.sim, 2);
    assert_int_equal(kp_get_int(counts, "stops", 0), 1);
    assert_int_equal(kp_get_int(counts, "starts", 0), 1);
    assert_int_equal(kp_get_int(counts, "repeated", 0), 0);
    assert_int_equal(kp_get_int(kp_sim_oracle(b.a, b.sim), "violations", -1), 0);
    bench_close(&b);
}

static kp_err *stop_broker_0(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "stop_broker", "[0]", NULL);
}

/* 0 is an id like any other: Kafka's own default, and guarded. */
static void a_stop_of_broker_0_is_guarded(void **state)
{
    static const test_script script = { .part = { NULL, stop_broker_0 }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b,
               "{\"brokers\":3,\"first_id\":0,\"topics\":[{\"name\":\"t\",\"partitions\":6,"
               "\"rf\":3,\"min_isr\":3}]}",
               NULL);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_SAFETY);
    kp_err_drop(e);
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 0), "stops", -1), 0);
    bench_close(&b);
}

static kp_err *ask_of_broker_0(kp_run *r, const kp_value *args)
{
    const kp_value *all, *its, *config;
    (void)args;
    TEST_TRY(call(r, "partitions", "[{}]", &all));
    size_t n_all = kp_len(all);
    TEST_TRY(call(r, "partitions", "[{\"broker\":0}]", &its));
    assert_in_range(kp_len(its), 1, n_all - 1);
    TEST_TRY(call(r, "config", "[{\"broker\":0}]", &config));
    assert_true(kp_len(config) > 0);
    return call(r, "alter_config", "[{\"broker\":0,\"set\":{\"log.cleaner.threads\":\"2\"}}]",
                NULL);
}

static void questions_of_broker_0_are_about_broker_0(void **state)
{
    static const test_script script = { .part = { NULL, ask_of_broker_0 },
                                        .effects = KP_G_CONFIG_DYNAMIC };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b,
               "{\"brokers\":4,\"first_id\":0,\"topics\":[{\"name\":\"t\",\"partitions\":8,"
               "\"rf\":2}]}",
               NULL);
    check(bench_run(&b, NULL));
    bench_close(&b);
}

static kp_err *stop_two_twice(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", &v));
    assert_false(kp_get_bool(v, "already", false));
    assert_true(kp_get_bool(v, "clean", false));
    TEST_TRY(call(r, "stop_broker", "[2]", &v));
    assert_true(kp_get_bool(v, "already", false));
    return NULL;
}

static void stopping_a_stopped_broker_succeeds_and_says_so(void **state)
{
    static const test_script script = { .part = { NULL, stop_two_twice }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b, SMALL, NULL);
    check(bench_run(&b, NULL));
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 2), "stops", 0), 1);
    bench_close(&b);
}

/* Its record would not hold every replica that is behind by now. */
static void a_stopped_broker_of_many_replicas_is_stopped_already(void **state)
{
    static const test_script script = { .part = { NULL, stop_two_twice }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b,
               "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[{\"name\":\"t\","
               "\"partitions\":4000}]}",
               NULL);
    check(bench_run(&b, NULL));
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 2), "stops", 0), 1);
    bench_close(&b);
}

static kp_err *names_alike(kp_run *r, const kp_value *args)
{
    static const char *const names[] = { "roll 1", "roll-1", "roll_1", "\xd0\xb4\xd0\xbe",
                                         "\xd0\xbf\xd0\xbe" };
    (void)args;
    for (size_t i = 0; i < KP_COUNT(names); i++) {
        TEST_TRY(call(r, "step", kp_printf(r->a, "[\"%s\"]", names[i]), NULL));
        TEST_TRY(call(r, "stop_broker", "[2]", NULL));
        TEST_TRY(call(r, "start_broker", "[2]", NULL));
        TEST_TRY(call(r, "wait_in_sync", "[2]", NULL));
    }
    return NULL;
}

/* A host does nothing for an op id it has seen. */
static void steps_of_like_names_are_not_taken_for_each_other(void **state)
{
    static const test_script script = { .part = { NULL, names_alike }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b, SMALL, NULL);
    check(bench_run(&b, NULL));
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 2), "stops", 0), 5);
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 2), "starts", 0), 5);
    bench_close(&b);
}

static kp_err *restart_a_stopped_one(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "sleep", "[\"1m\"]", NULL));
    TEST_TRY(call(r, "stop_broker", "[2]", &v));
    assert_true(kp_get_bool(v, "already", false));
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    TEST_TRY(call(r, "urp", "[]", &v));
    assert_true(v->u.i > 0);
    TEST_TRY(call(r, "wait_in_sync", "[2]", NULL));
    TEST_TRY(call(r, "urp", "[]", &v));
    assert_int_equal(v->u.i, 0);
    return NULL;
}

/* As a node that is backed out is: what it missed while it was down is waited for. */
static void a_broker_found_stopped_is_not_excused(void **state)
{
    static const test_script script = { .part = { NULL, restart_a_stopped_one },
                                        .effects = RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b,
               "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[{\"name\":"
               "\"t\",\"partitions\":6,\"size\":\"10GB\",\"rate\":\"10MB\"}]}",
               NULL);
    check(bench_run(&b, NULL));
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 2), "stops", 0), 1);
    bench_close(&b);
}

static kp_err *stop_two_brokers(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "stop_broker", "[[1,2]]", NULL);
}

static void two_brokers_at_once_are_refused_together(void **state)
{
    static const test_script script = { .part = { NULL, stop_two_brokers }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b, SMALL, NULL);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_SAFETY);
    assert_non_null(strstr(e->what, "below min.insync.replicas"));
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 1), "stops", 0), 0);
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 2), "stops", 0), 0);
    kp_err_drop(e);
    bench_close(&b);
}

static void a_set_of_brokers_is_done_as_children(void **state)
{
    static const test_script script = { .part = { NULL, stop_two_brokers }, .effects = RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b,
               "{\"brokers\":4,\"topics\":[{\"name\":\"t\",\"partitions\":1,\"rf\":1}],\"release\":"
               "\"3.7.2\",\"accept\":[\"t\"]}",
               NULL);
    /* The one partition lives on broker 1, 2, 3 or 4; accept it so that the set may go. */
    kp_inventory inv = *b.spec.inventory;
    const kp_value *accept;
    check(kp_json_read(b.a, "[{\"topic\":\"t\",\"why\":\"test\"}]", 28, &accept));
    inv.accept = accept;
    b.spec.inventory = &inv;
    check(bench_run(&b, NULL));
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 1), "stops", 0), 1);
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 2), "stops", 0), 1);
    bench_close(&b);
}

static kp_err *undeclared(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "elect_preferred", "[]", NULL);
}

static void an_effect_that_is_not_declared_is_refused(void **state)
{
    static const test_script script = { .part = { NULL, undeclared },
                                        .effects = KP_G_BROKER_RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b, SMALL, NULL);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_PLAYBOOK);
    assert_non_null(strstr(e->what, "leader.elect"));
    kp_err_drop(e);
    bench_close(&b);
}

static kp_err *acts_in_check(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "stop_broker", "[2]", NULL);
}

static void check_may_only_ask(void **state)
{
    static const test_script script = { .part = { acts_in_check, restart_two },
                                        .effects = RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b, SMALL, NULL);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_non_null(strstr(e->what, "in check, which may only ask"));
    kp_err_drop(e);
    bench_close(&b);
}

/* ---- faults ---- */

static void with_fault(const char *fault, const char *expect, kp_class cls)
{
    bench b = { 0 };
    const kp_value *f;
    the_script = &restart_script;
    bench_open(&b, SMALL, NULL);
    check(kp_json_read(b.a, fault, strlen(fault), &f));
    check(kp_sim_fault(b.sim, f));
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    if (e->cls != cls || !strstr(e->what, expect))
        print_error("%s / %s\n", kp_class_name(e->cls), e->what);
    assert_int_equal(e->cls, cls);
    assert_non_null(strstr(e->what, expect));
    kp_err_drop(e);
    bench_close(&b);
}

static void an_unclean_stop_is_noticed(void **state)
{
    (void)state;
    with_fault("{\"fault\":\"unclean_stop\",\"node\":2,\"stop\":1}", "without a clean shutdown",
               KP_FAILED);
}

static void a_broker_that_does_not_start_is_said(void **state)
{
    (void)state;
    with_fault("{\"fault\":\"config_breaks_start\",\"node\":2}", "its process is gone again",
               KP_FAILED);
}

static void a_broker_that_does_not_stop_stalls(void **state)
{
    (void)state;
    with_fault("{\"fault\":\"does_not_stop\",\"node\":2,\"stop\":1}", "no progress for", KP_FAILED);
}

static void a_broker_that_does_not_rejoin_stalls(void **state)
{
    (void)state;
    with_fault("{\"fault\":\"does_not_rejoin\",\"node\":2,\"start\":1}", "no progress for",
               KP_FAILED);
}

static void another_broker_down_refuses_the_stop(void **state)
{
    (void)state;
    with_fault("{\"fault\":\"crash\",\"node\":3}", "refused before stopping broker 2", KP_SAFETY);
}

/* ---- crash sweep ---- */

typedef struct killed_run {
    bench *b;
    const char *image;
    int record;
    const char *run;
} killed_run;

static void begin_and_die(void *ud)
{
    killed_run *k = ud;
    char crash[64];
    bench b = { 0 };
    memcpy(b.runs, k->b->runs, sizeof b.runs);
    snprintf(crash, sizeof crash, "record:%d", k->record);
    setenv("KPLAY_CRASH", crash, 1);
    if (k->run)
        bench_reopen(&b, k->image);
    else
        bench_open(&b, SMALL, k->image);
    kp_err *e = k->run ? bench_resume(&b, k->run, NULL) : bench_run(&b, NULL);
    _exit(e ? 9 : 0);
}

static void sweep(bool twice)
{
    the_script = &restart_script;
    for (int record = 2;; record++) {
        bench b = { 0 };
        char image[300];
        make_runs(&b);
        snprintf(image, sizeof image, "%s/cluster.sim", b.runs);
        killed_run k = { .b = &b, .image = image, .record = record };
        int status = in_child(begin_and_die, &k);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            assert_true(record > 8);
            remove_runs(&b);
            return; /* the run ended before that record */
        }
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        if (twice) { /* the resumed run is killed as well, one record further on */
            bench look = { 0 };
            memcpy(look.runs, b.runs, sizeof b.runs);
            bench_reopen(&look, image);
            char *run = bench_only_run(&look);
            char name[64];
            snprintf(name, sizeof name, "%s", run);
            bench_close(&look);
            k.run = name;
            k.record = record + 2;
            (void)in_child(begin_and_die, &k);
        }
        unsetenv("KPLAY_CRASH");
        bench_reopen(&b, image);
        kp_run_info *info;
        size_t n;
        check(kp_runs_list(b.a, b.runs, &info, &n));
        assert_int_equal(n, 1);
        if (!info[0].finished) {
            kp_err *e = bench_resume(&b, info[0].run, NULL);
            if (e)
                print_error("killed at record %d\n", record);
            check(e);
        }
        const kp_value *counts = kp_sim_host_counts(b.a, b.sim, 2);
        if (kp_get_int(counts, "stops", 0) != 1 || kp_get_int(counts, "starts", 0) != 1)
            print_error("killed at record %d\n", record);
        assert_int_equal(kp_get_int(counts, "stops", 0), 1);
        assert_int_equal(kp_get_int(counts, "starts", 0), 1);
        assert_int_equal(kp_get_int(kp_sim_oracle(b.a, b.sim), "violations", -1), 0);
        bench_close(&b);
        remove_runs(&b);
    }
}

static void killed_at_every_record_nothing_is_repeated_or_skipped(void **state)
{
    (void)state;
    sweep(false);
}

static void killed_again_while_resuming(void **state)
{
    (void)state;
    sweep(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_is_stopped_and_started_once),
        cmocka_unit_test(a_stop_of_broker_0_is_guarded),
        cmocka_unit_test(questions_of_broker_0_are_about_broker_0),
        cmocka_unit_test(stopping_a_stopped_broker_succeeds_and_says_so),
        cmocka_unit_test(a_stopped_broker_of_many_replicas_is_stopped_already),
        cmocka_unit_test(steps_of_like_names_are_not_taken_for_each_other),
        cmocka_unit_test(a_broker_found_stopped_is_not_excused),
        cmocka_unit_test(two_brokers_at_once_are_refused_together),
        cmocka_unit_test(a_set_of_brokers_is_done_as_children),
        cmocka_unit_test(an_effect_that_is_not_declared_is_refused),
        cmocka_unit_test(check_may_only_ask),
        cmocka_unit_test(an_unclean_stop_is_noticed),
        cmocka_unit_test(a_broker_that_does_not_start_is_said),
        cmocka_unit_test(a_broker_that_does_not_stop_stalls),
        cmocka_unit_test(a_broker_that_does_not_rejoin_stalls),
        cmocka_unit_test(another_broker_down_refuses_the_stop),
        cmocka_unit_test(killed_at_every_record_nothing_is_repeated_or_skipped),
        cmocka_unit_test(killed_again_while_resuming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
