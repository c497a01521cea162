/* wait_in_sync while others fall silent: another broker is asked while there is one, and with too
 * few left the run stands still and says whom it waits for. */
#include "engine/with_twist.h"

#include <string.h>

#include "engine/run.h"

#define TOPIC ",\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"
#define THREE "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\"" TOPIC
#define NO_REJOIN                                                                                  \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\","                                      \
    "\"faults\":[{\"fault\":\"does_not_rejoin\",\"node\":2}]" TOPIC
#define FOUR "{\"brokers\":4,\"controllers\":3,\"release\":\"3.7.2\"" TOPIC

static kp_err *silenced(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    twist_on(true);
    return call(r, "wait_in_sync", "[2,{\"stall\":\"1m\"}]", NULL);
}

static kp_err *wait_without(bench *b, const char *spec, const twist *t, size_t n)
{
    static const test_script script = { .part = { NULL, silenced },
                                        .effects = KP_G_BROKER_RESTART };
    the_script = &script;
    bench_open(b, spec, NULL);
    twist_into(b, t, n);
    return bench_run(b, NULL);
}

static void stands_still(const char *spec, const twist *t, size_t n, const char *says,
                         const char *next)
{
    bench b = { 0 };
    kp_err *e = wait_without(&b, spec, t, n);
    assert_non_null(e);
    if (!strstr(e->what, says) || !strstr(e->next, next))
        print_error("%s\n%s\n", e->what, e->next);
    assert_int_equal(e->cls, KP_FAILED);
    assert_non_null(strstr(e->what, says));
    assert_non_null(strstr(e->next, next));
    kp_err_drop(e);
    bench_close(&b);
}

static void a_silent_broker_is_passed_over_for_another(void **state)
{
    static const twist one[] = { { KP_Q_VIEW, 1, NULL, NULL } };
    bench b = { 0 };
    (void)state;
    kp_err *e = wait_without(&b, FOUR, one, 1);
    if (e)
        print_error("%s\n", e->what);
    assert_null(e);
    bench_close(&b);
}

static void with_too_few_others_it_stands_still_and_says_for_whom(void **state)
{
    static const twist three[] = { { KP_Q_VIEW, 3, NULL, NULL } };
    static const twist one[] = { { KP_Q_VIEW, 1, NULL, NULL } };
    static const twist both[] = { { KP_Q_VIEW, 1, NULL, NULL }, { KP_Q_VIEW, 3, NULL, NULL } };
    static const twist four[] = { { KP_Q_VIEW, 3, NULL, NULL }, { KP_Q_VIEW, 4, NULL, NULL } };
    (void)state;
    stands_still(THREE, three, 1, "broker 3 does not answer; nothing is touched until it is back",
                 "look at broker 3, start it");
    stands_still(THREE, one, 1, "broker 1 does not answer; nothing is touched until it is back",
                 "look at broker 1, start it");
    stands_still(FOUR, four, 2, "does not answer; nothing is touched until it is back", "start it");
    stands_still(THREE, both, 2, "no other broker answers", "kplay resume");
}

static kp_err *other_killed(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "sleep", "[\"20s\"]", NULL)); /* broker 3 is killed meanwhile */
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    return call(r, "wait_in_sync", "[2,{\"stall\":\"1m\"}]", NULL);
}

/* The only replica it could fetch from is on a broker that died. */
static void a_dead_broker_that_keeps_it_behind_is_named(void **state)
{
    static const test_script script = { .part = { NULL, other_killed },
                                        .effects = KP_G_BROKER_RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b,
               "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[{\"name\":"
               "\"t\",\"partitions\":6,\"rf\":2,\"min_isr\":1,\"rate\":\"1MB\"}],\"faults\":[{"
               "\"fault\":\"crash\",\"node\":3,\"at\":\"15s\"}]}",
               NULL);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_non_null(strstr(e->what, "broker 2 is behind on"));
    assert_non_null(strstr(e->what, "and broker 3 is down; nothing is touched until it is back"));
    assert_non_null(strstr(e->next, "look at broker 3, start it"));
    kp_err_drop(e);
    bench_close(&b);
}

static void the_node_itself_must_answer(void **state)
{
    static const twist itself[] = { { KP_Q_VIEW, 2, NULL, NULL } };
    (void)state;
    stands_still(FOUR, itself, 1, "broker 2 does not answer", "look at broker 2");
}

/* From an empty cache everything looks well. */
static void the_node_itself_must_know_the_topics(void **state)
{
    static const twist empty[] = { { KP_Q_VIEW, 2, "empty", "" } };
    (void)state;
    stands_still(THREE, empty, 1, "broker 2 does not know the topics the others know yet",
                 "kplay resume");
}

static void a_process_that_is_gone_or_refused_is_not_waited_for(void **state)
{
    static const twist gone[] = { { KP_Q_HOST, 2, "pid", "0" } };
    static const twist refused[] = { { KP_Q_HOST, 2, "signs", "{\"mis_pinned\":true}" } };
    (void)state;
    stands_still(NO_REJOIN, gone, 1, "the process of broker 2 is gone", "when it runs again");
    stands_still(NO_REJOIN, refused, 1, "the fetches of broker 2 are refused", "pin inter.broker");
}

static kp_sim *the_sim;
static kp_err *one_looks_back(kp_run *r, const kp_value *args)
{
    const kp_value *fault;
    static const char stale[] = "{\"fault\":\"stale_metadata\",\"node\":3,\"lasts\":\"40s\"}";
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    kp_ms from = kp_mono(r->w);
    TEST_TRY(kp_json_read(r->a, stale, strlen(stale), &fault));
    TEST_TRY(kp_sim_fault(the_sim, fault));
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    TEST_TRY(call(r, "wait_in_sync", "[2]", NULL));
    assert_in_range(kp_mono(r->w) - from, 40 * KP_SECOND, KP_MINUTE);
    return NULL;
}

static void two_others_must_see_it(void **state)
{
    static const test_script script = { .part = { NULL, one_looks_back },
                                        .effects = KP_G_BROKER_RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b, THREE, NULL);
    the_sim = b.sim;
    assert_null(bench_run(&b, NULL));
    bench_close(&b);
}

static kp_err *restarted_while_behind(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    TEST_TRY(call(r, "stop_broker", "[2]", NULL)); /* it is in no ISR by now */
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    return call(r, "wait_in_sync", "[2,{\"stall\":\"1m\"}]", NULL);
}

static void what_it_was_behind_on_before_its_stop_is_not_waited_for(void **state)
{
    static const test_script script = { .part = { NULL, restarted_while_behind },
                                        .effects = KP_G_BROKER_RESTART };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b, NO_REJOIN, NULL);
    kp_inventory inv = *b.spec.inventory;
    inv.guard = KP_GUARD_AVAILABLE;
    b.spec.inventory = &inv;
    kp_err *e = bench_run(&b, NULL);
    if (e)
        print_error("%s\n", e->what);
    assert_null(e);
    bench_close(&b);
}

static kp_err *controller_restarted(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_controller", "[3003]", NULL));
    TEST_TRY(call(r, "start_controller", "[3003]", NULL));
    kp_ms started = kp_mono(r->w);
    twist_on(true);
    TEST_TRY(call(r, "wait_in_sync", "[3003]", NULL));
    assert_in_range(kp_mono(r->w) - started, 4900, 10 * KP_SECOND);
    return NULL;
}

/* The quorum's leader keeps of a stopped voter when it was caught up last. */
static void a_voter_that_was_caught_up_before_its_restart_is_not_back(void **state)
{
    static const test_script script = { .part = { NULL, controller_restarted },
                                        .effects = KP_G_CONTROLLER_RESTART };
    static const twist kept[] = { { KP_Q_QUORUM, 0, "voters",
                                    "[{\"id\":3003,\"behind\":0,\"caught_up_ms\":4900}]" } };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b, THREE, NULL);
    twist_into(&b, kept, 1);
    assert_null(bench_run(&b, NULL));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_broker_is_passed_over_for_another),
        cmocka_unit_test(with_too_few_others_it_stands_still_and_says_for_whom),
        cmocka_unit_test(a_dead_broker_that_keeps_it_behind_is_named),
        cmocka_unit_test(the_node_itself_must_answer),
        cmocka_unit_test(the_node_itself_must_know_the_topics),
        cmocka_unit_test(a_process_that_is_gone_or_refused_is_not_waited_for),
        cmocka_unit_test(two_others_must_see_it),
        cmocka_unit_test(what_it_was_behind_on_before_its_stop_is_not_waited_for),
        cmocka_unit_test(a_voter_that_was_caught_up_before_its_restart_is_not_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
