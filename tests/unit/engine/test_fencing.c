/* Two runs and the hosts of one cluster: who may act, who is refused, and that an end gives back. */
#include "engine/with_script.h"
#include "engine/with_twist.h"

#include <stdio.h>
#include <string.h>

#define RESTART (KP_G_BROKER_RESTART | KP_G_CONFIG_FILE)
#define SMALL                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[{\"name\":\"t\","          \
    "\"partitions\":6,\"min_isr\":1}]}"
#define REASON "bastion1 burnt down"

static int64_t counted(bench *b, int node, const char *what)
{
    return kp_get_int(kp_sim_host_counts(b->a, b->sim, node), what, -1);
}

static const kp_value *fence_of(bench *b, int node)
{
    kp_request q = { .kind = KP_Q_HOST, .node = node, .host.since = -1 };
    kp_reply reply;
    kp_world_ask_all(b->spec.world, b->a, &q, 1, &reply);
    well(reply.err);
    return kp_get(reply.value, "fence");
}

static const char *holder_of(bench *b, int node)
{
    return kp_get_text(fence_of(b, node), "holder", "");
}

static int64_t epoch_at(bench *b, int node)
{
    return kp_get_int(fence_of(b, node), "epoch", -1);
}

/* Another run raises the fence of one host, as its kplay would. */
static void hold(bench *b, int node, int64_t epoch, const char *run)
{
    kp_request q = { .kind = KP_A_FENCE, .node = node, .op.epoch = epoch, .op.holder = run };
    kp_reply reply;
    q.fence.who = "other@bastion2";
    kp_world_ask_all(b->spec.world, b->a, &q, 1, &reply);
    well(reply.err);
}

static kp_err *restart(kp_run *r, const char *node)
{
    TEST_TRY(call(r, "stop_broker", node, NULL));
    TEST_TRY(call(r, "start_broker", node, NULL));
    return call(r, "wait_in_sync", node, NULL);
}

/* ---- two bastions: two directories of runs, one cluster ---- */

static bench bastion1, bastion2;

static const kp_record *last_record(bench *b, const char *run, kp_journal **ret_j)
{
    well(kp_journal_open(b->a, &kp_disk_real, b->runs, run, ret_j));
    return kp_journal_at(*ret_j, kp_journal_n(*ret_j));
}

static void two_bastions(void)
{
    bastion1 = bastion2 = (bench) { 0 };
    make_runs(&bastion1);
    bench_open(&bastion1, SMALL, NULL);
    make_runs(&bastion2);
    bastion2.a = bastion1.a;
    bastion2.sim = bastion1.sim;
    bastion2.spec = bastion1.spec;
    bastion2.spec.runs = bastion2.runs;
    bastion2.spec.who = "other@bastion2";
    bastion2.answer = KP_ANSWER_YES;
}

static void two_bastions_over(void)
{
    remove_runs(&bastion2);
    bench_over(&bastion1);
}

/* What the second bastion tries while the first is at work, once: a resumed run begins again. */
static const test_script *intruder;
static void (*intrusion)(void);
static void meanwhile(void)
{
    const test_script *mine = the_script;
    void (*now)(void) = intrusion;
    intrusion = NULL;
    if (!now)
        return;
    the_script = intruder;
    now();
    the_script = mine;
}

static kp_err *stop_meanwhile_start(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    meanwhile();
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    return call(r, "wait_in_sync", "[2]", NULL);
}

static kp_err *restart_one(kp_run *r, const kp_value *args)
{
    (void)args;
    return restart(r, "[1]");
}

static const test_script first_script = { .part = { NULL, stop_meanwhile_start },
                                          .effects = RESTART };
static const test_script one_script = { .part = { NULL, restart_one }, .effects = RESTART };

static void refused_by_the_guard(void)
{
    int64_t epoch = epoch_at(&bastion1, 1);
    assert_true(epoch > 0);
    fails(bench_run(&bastion2, NULL), KP_SAFETY, "refused before stopping broker 1");
    for (int node = 1; node <= 3; node++)
        assert_int_equal(epoch_at(&bastion1, node), epoch);
}

static void a_second_run_that_the_guard_refuses_leaves_the_first_able_to_go_on(void **state)
{
    (void)state;
    two_bastions();
    the_script = &first_script;
    intruder = &one_script;
    intrusion = refused_by_the_guard;
    well(bench_run(&bastion1, NULL));
    assert_int_equal(counted(&bastion1, 2, "starts"), 1);
    assert_int_equal(counted(&bastion1, 1, "stops"), 0);
    two_bastions_over();
}

/* ---- a holder that has not ended ---- */

static kp_err *one_meanwhile_two(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(restart(r, "[1]"));
    meanwhile();
    return restart(r, "[2]");
}
static kp_err *restart_three(kp_run *r, const kp_value *args)
{
    (void)args;
    return restart(r, "[3]");
}
static const test_script two_script = { .part = { NULL, one_meanwhile_two }, .effects = RESTART };
static const test_script three_script = { .part = { NULL, restart_three }, .effects = RESTART };

static void refused_by_the_fence(void)
{
    char *run = bench_only_run(&bastion1);
    int64_t epoch = epoch_at(&bastion1, 3);
    kp_err *e = bench_run(&bastion2, NULL);
    assert_non_null(e);
    assert_non_null(strstr(e->what, kp_printf(bastion1.a, "run %s holds all 6 hosts", run)));
    assert_non_null(strstr(e->what, ", by tester@here, since 20"));
    assert_non_null(strstr(e->detail, "broker 1, broker 2, broker 3, controller"));
    assert_non_null(strstr(e->next, kp_printf(bastion1.a, "--take-over %s --reason TEXT", run)));
    fails(e, KP_REFUSED, "fenced: run");
    assert_int_equal(counted(&bastion1, 3, "stops"), 0);
    assert_int_equal(epoch_at(&bastion1, 3), epoch);
    assert_string_equal(holder_of(&bastion1, 3), run);
}

static void hosts_that_a_run_holds_are_not_taken(void **state)
{
    (void)state;
    two_bastions();
    the_script = &two_script;
    intruder = &three_script;
    intrusion = refused_by_the_fence;
    well(bench_run(&bastion1, NULL));
    assert_int_equal(counted(&bastion1, 2, "starts"), 1);
    /* The first has ended: now the second, which was only refused, goes on. */
    the_script = &three_script;
    well(bench_resume(&bastion2, bench_only_run(&bastion2), NULL));
    assert_int_equal(counted(&bastion1, 3, "starts"), 1);
    two_bastions_over();
}

static kp_err *stop_ask_start(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "confirm", "[\"Start it?\"]", NULL));
    return call(r, "start_broker", "[2]", NULL);
}
static const test_script asking = { .part = { NULL, stop_ask_start }, .effects = RESTART };

static kp_err *change_three(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "set_properties", "[3,{\"num.io.threads\":\"9\"}]", NULL);
}
static const test_script change = { .part = { NULL, change_three }, .effects = RESTART };

static kp_answer only_start(void *ud, const kp_question *q, const char **ret_by)
{
    (void)ud;
    *ret_by = "tester";
    return q->kind == KP_ASK_START ? KP_ANSWER_YES : KP_ANSWER_NOBODY;
}

/* A change of a file has no guard; the holder is looked at all the same. */
static void a_paused_run_holds_its_hosts(void **state)
{
    (void)state;
    two_bastions();
    the_script = &asking;
    bastion1.spec.sink.ask = only_start;
    fails(bench_run(&bastion1, NULL), KP_PAUSED, "nobody is here to answer: Start it?");
    char *run = bench_only_run(&bastion1);
    the_script = &change;
    fails(bench_run(&bastion2, NULL), KP_REFUSED,
          kp_printf(bastion1.a, "fenced: run %s holds all 6 hosts", run));
    assert_int_equal(counted(&bastion1, 3, "files"), 0);
    well(bench_approve(&bastion1, run, "boss@desk"));
    the_script = &asking;
    well(bench_resume(&bastion1, run, NULL));
    assert_int_equal(counted(&bastion1, 2, "starts"), 1);
    two_bastions_over();
}

/* ---- taking over ---- */

static char taker[64];
static void takes_over(void)
{
    char *run = bench_only_run(&bastion1);
    kp_journal *j;
    bool noted = false;

    bastion2.spec.take_over = "1124-ffff"; /* another one than holds */
    bastion2.spec.take_over_reason = REASON;
    fails(bench_run(&bastion2, NULL), KP_REFUSED,
          kp_printf(bastion1.a, "it holds no host here; run %s holds all 6 hosts", run));
    assert_int_equal(counted(&bastion1, 3, "stops"), 0);
    bastion2.spec.take_over = run;
    snprintf(taker, sizeof taker, "%s", bench_only_run(&bastion2));
    well(bench_resume(&bastion2, taker, NULL));
    assert_int_equal(counted(&bastion1, 3, "starts"), 1);

    (void)last_record(&bastion2, taker, &j);
    for (int64_t i = 1; i <= kp_journal_n(j); i++) {
        const kp_value *body = kp_journal_at(j, i)->body, *r = kp_get(body, "r");
        if (!kp_streq(kp_get_text(body, "i", ""), "@take-over"))
            continue;
        noted = true;
        assert_string_equal(kp_get_text(r, "run", ""), run);
        assert_string_equal(kp_get_text(r, "reason", ""), REASON);
        assert_string_equal(kp_get_text(r, "who", ""), "other@bastion2");
        assert_int_equal(kp_get_int(r, "hosts", 0), 6);
    }
    assert_true(noted);
    kp_journal_free(j);
}

static void a_run_whose_hosts_were_taken_does_nothing_more(void **state)
{
    kp_journal *j;
    (void)state;
    two_bastions();
    the_script = &two_script;
    intruder = &three_script;
    intrusion = takes_over;
    fails(bench_run(&bastion1, NULL), KP_REFUSED,
          kp_printf(bastion1.a, "has taken the hosts over"));
    char *run = bench_only_run(&bastion1);
    assert_int_equal(counted(&bastion1, 2, "stops"), 0);
    assert_int_equal(counted(&bastion1, 2, "refused"), 0); /* nothing was even asked */

    const kp_record *last = last_record(&bastion1, run, &j);
    assert_int_equal(last->kind, KP_K_PAUSE);
    const char *what = kp_get_text(kp_get(last->body, "err"), "what", "");
    assert_non_null(strstr(what, kp_printf(bastion1.a, "run %s has taken", taker)));
    assert_non_null(strstr(what, ", by other@bastion2, since 20"));
    kp_journal_free(j);

    /* Nor later, although the other run has ended and holds nothing any more. */
    fails(
        bench_resume(&bastion1, run, NULL), KP_REFUSED,
        kp_printf(bastion1.a, "run %s had taken over all 6 hosts, and has given them back", taker));
    assert_int_equal(counted(&bastion1, 2, "stops"), 0);
    assert_string_equal(holder_of(&bastion1, 2), "");
    /* A person's word takes them back. */
    bastion1.spec.take_over = taker;
    bastion1.spec.take_over_reason = "the second was a mistake";
    well(bench_resume(&bastion1, run, NULL));
    assert_int_equal(counted(&bastion1, 2, "starts"), 1);
    two_bastions_over();
}

/* A resumed run is often started with the words of the last time. */
static void one_that_was_taken_over_may_be_named_again(void **state)
{
    bench b = { 0 };
    (void)state;
    the_script = &asking;
    make_runs(&b);
    bench_open(&b, SMALL, NULL);
    hold(&b, 2, 5, "1124-aaaa");
    b.spec.sink.ask = only_start;
    b.spec.take_over = "1124-aaaa";
    b.spec.take_over_reason = REASON;
    fails(bench_run(&b, NULL), KP_PAUSED, "nobody is here to answer: Start it?");
    well(bench_approve(&b, bench_only_run(&b), "boss@desk"));
    well(bench_resume(&b, bench_only_run(&b), NULL));
    assert_int_equal(counted(&b, 2, "starts"), 1);
    bench_over(&b);
}

static void one_that_is_named_and_holds_nothing_is_a_mistake(void **state)
{
    bench b = { 0 };
    (void)state;
    the_script = &three_script;
    bench_open(&b, SMALL, NULL);
    b.spec.take_over = "1124-ffff";
    b.spec.take_over_reason = REASON;
    fails(bench_run(&b, NULL), KP_REFUSED, "it holds no host here; nobody does");
    assert_int_equal(counted(&b, 3, "stops"), 0);
    assert_int_equal(epoch_at(&b, 3), 0);
    bench_close(&b);
}

/* ---- the end gives back ---- */

static void a_run_that_ends_gives_the_hosts_back(void **state)
{
    bench b = { 0 };
    (void)state;
    the_script = &three_script;
    make_runs(&b);
    bench_open(&b, SMALL, NULL);
    well(bench_run(&b, NULL));
    for (uint32_t i = 0; i < b.spec.inventory->n_nodes; i++) {
        const kp_value *f = fence_of(&b, b.spec.inventory->nodes[i].id);
        assert_null(kp_get(f, "holder"));
        assert_int_equal(kp_get_int(f, "epoch", 0), 1);
        assert_string_equal(kp_get_text(f, "by", ""), "tester@here");
    }
    well(bench_run(&b, NULL)); /* and the number goes on */
    assert_int_equal(epoch_at(&b, 3), 2);
    bench_over(&b);
}

static kp_err *change_and_fail(kp_run *r, const kp_value *args)
{
    TEST_TRY(change_three(r, args));
    return call(r, "fail", "[\"enough\",{\"final\":true}]", NULL);
}
static kp_err *change_and_lack(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "set_properties", "[3,{\"num.network.threads\":\"7\"}]", NULL));
    return call(r, "stop_broker", "[3]", NULL);
}

static void closed_for_good_gives_back_and_unfinished_keeps(void **state)
{
    static const test_script closed = { .part = { NULL, change_and_fail }, .effects = RESTART };
    static const test_script open = { .part = { NULL, change_and_lack },
                                      .effects = RESTART }; /* refused: broker 1 is down */
    bench b = { 0 };
    const kp_value *fault;
    (void)state;
    the_script = &closed;
    make_runs(&b);
    bench_open(&b, SMALL, NULL);
    fails(bench_run(&b, NULL), KP_FAILED, "enough");
    assert_string_equal(holder_of(&b, 3), "");
    assert_int_equal(epoch_at(&b, 3), 1);
    remove_runs(&b);

    make_runs(&b);
    the_script = &open;
    static const char down[] = "{\"fault\":\"crash\",\"node\":1,\"at\":\"0s\"}";
    well(kp_json_read(b.a, down, strlen(down), &fault));
    well(kp_sim_fault(b.sim, fault));
    fails(bench_run(&b, NULL), KP_SAFETY, "refused before stopping broker 3");
    char *run = bench_only_run(&b);
    assert_string_equal(holder_of(&b, 3), run);

    /* --supersede names it: nothing else need be said, and it holds nothing from then on. */
    b.spec.supersede = run;
    the_script = &change; /* which is done already: this run acts on no host */
    well(bench_run(&b, NULL));
    assert_string_equal(holder_of(&b, 3), "");
    assert_int_equal(epoch_at(&b, 3), 2);
    bench_over(&b);
}

/* It was killed between its last record and giving back. */
static void a_run_of_these_that_is_closed_holds_nothing(void **state)
{
    bench b = { 0 };
    (void)state;
    make_runs(&b);
    bench_open(&b, SMALL, NULL);
    the_script = &change;
    well(bench_run(&b, NULL));
    char *run = bench_only_run(&b);
    the_script = &three_script;
    for (uint32_t i = 0; i < b.spec.inventory->n_nodes; i++)
        hold(&b, b.spec.inventory->nodes[i].id, 7, run);
    well(bench_run(&b, NULL));
    assert_non_null(strstr(kp_buf_text(&b.said), "it has ended, so they are taken over"));
    assert_int_equal(epoch_at(&b, 3), 8);
    bench_over(&b);
}

static void what_can_not_be_given_back_is_told_and_changes_no_end(void **state)
{
    bench b = { 0 };
    const kp_value *report;
    static const twist blind[] = { { KP_A_UNFENCE, 2, NULL, NULL } };
    (void)state;
    the_script = &change;
    bench_open(&b, SMALL, NULL);
    twist_into(&b, blind, 1);
    twist_on(true);
    well(bench_run(&b, &report));
    const char *told = kp_as_text(kp_at(kp_get(report, "warnings"), 0), "");
    assert_non_null(strstr(told, "1 of 6 hosts could not be given back (broker 2: "));
    assert_non_null(strstr(kp_buf_text(&b.said), "warn - 0 run "));
    assert_string_equal(holder_of(&b, 3), "");
    bench_close(&b);
}

/* ---- raising ---- */

/* Another run takes one host between the look and the raising: what was raised is given back. */
static void half_a_cluster_is_not_held(void **state)
{
    bench b = { 0 };
    static const twist hidden[] = { { KP_Q_HOST, 3, "fence", "{\"epoch\":0}" } };
    (void)state;
    the_script = &one_script;
    bench_open(&b, SMALL, NULL);
    hold(&b, 3, 5, "1124-aaaa");
    twist_into(&b, hidden, 1);
    twist_on(true);
    fails(bench_run(&b, NULL), KP_REFUSED, "fenced by 1124-aaaa at 5");
    twist_on(false);
    assert_string_equal(holder_of(&b, 1), "");
    assert_string_equal(holder_of(&b, 3), "1124-aaaa");
    assert_int_equal(counted(&b, 1, "stops"), 0);
    bench_close(&b);
}

/* What is refused by the guard raises nothing, on no host. */
static void a_refusal_of_the_guard_raises_nothing(void **state)
{
    bench b = { 0 };
    const kp_value *fault;
    static const char down[] = "{\"fault\":\"crash\",\"node\":1,\"at\":\"0s\"}";
    (void)state;
    the_script = &three_script;
    bench_open(&b, SMALL, NULL);
    well(kp_json_read(b.a, down, strlen(down), &fault));
    well(kp_sim_fault(b.sim, fault));
    fails(bench_run(&b, NULL), KP_SAFETY, "refused before stopping broker 3");
    for (int node = 1; node <= 3; node++)
        assert_int_equal(epoch_at(&b, node), 0);
    bench_close(&b);
}

static void (*below)(void *ud, const kp_event *e);
static void truth_once_the_hosts_are_taken(void *ud, const kp_event *e)
{
    below(ud, e);
    if (e->kind == KP_E_NOTE && e->text && strstr(e->text, "so they are taken over"))
        twist_on(false);
}

/* Another run restarted it between the look and the fence: the process that is stopped is the one
 * that is seen afterwards. */
static void what_was_seen_before_the_fence_does_not_count(void **state)
{
    bench b = { 0 };
    static const twist before[] = { { KP_Q_HOST, 3, "pid", "99999" } };
    (void)state;
    make_runs(&b);
    bench_open(&b, SMALL, NULL);
    the_script = &change;
    well(bench_run(&b, NULL));
    hold(&b, 1, 7, bench_only_run(&b));
    the_script = &three_script;
    below = b.spec.sink.event;
    b.spec.sink.event = truth_once_the_hosts_are_taken;
    twist_into(&b, before, 1);
    twist_on(true);
    well(bench_run(&b, NULL));
    assert_int_equal(counted(&b, 3, "starts"), 1);
    bench_over(&b);
}

/* Nor does a user who could not act on one of them. */
static void who_may_not_act_on_a_host_takes_none(void **state)
{
    bench b = { 0 };
    static const twist may_not[] = { { KP_Q_GRANTS, 3, NULL, "[\"start Kafka\"]" } };
    (void)state;
    the_script = &one_script;
    bench_open(&b, SMALL, NULL);
    twist_into(&b, may_not, 1);
    twist_on(true);
    fails(bench_run(&b, NULL), KP_HOST, "is not allowed to start Kafka");
    for (int node = 1; node <= 3; node++)
        assert_int_equal(epoch_at(&b, node), 0);
    assert_int_equal(counted(&b, 1, "stops"), 0);
    bench_close(&b);
}

/* A rehearsal goes on, and says what it would need. */
static void a_rehearsal_assumes_that_the_hosts_are_free(void **state)
{
    bench b = { 0 };
    const kp_value *report;
    (void)state;
    the_script = &three_script;
    bench_open(&b, SMALL, NULL);
    hold(&b, 3, 5, "1124-aaaa");
    b.spec.assume_yes = true;
    well(bench_run(&b, &report));
    const char *assumed = kp_as_text(kp_at(kp_get(report, "assumed"), 0), "");
    assert_non_null(strstr(assumed, "run 1124-aaaa holds 1 of 6 hosts, by other@bastion2"));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_run_that_the_guard_refuses_leaves_the_first_able_to_go_on),
        cmocka_unit_test(hosts_that_a_run_holds_are_not_taken),
        cmocka_unit_test(a_paused_run_holds_its_hosts),
        cmocka_unit_test(a_run_whose_hosts_were_taken_does_nothing_more),
        cmocka_unit_test(one_that_was_taken_over_may_be_named_again),
        cmocka_unit_test(one_that_is_named_and_holds_nothing_is_a_mistake),
        cmocka_unit_test(a_run_that_ends_gives_the_hosts_back),
        cmocka_unit_test(closed_for_good_gives_back_and_unfinished_keeps),
        cmocka_unit_test(a_run_of_these_that_is_closed_holds_nothing),
        cmocka_unit_test(what_can_not_be_given_back_is_told_and_changes_no_end),
        cmocka_unit_test(half_a_cluster_is_not_held),
        cmocka_unit_test(a_refusal_of_the_guard_raises_nothing),
        cmocka_unit_test(what_was_seen_before_the_fence_does_not_count),
        cmocka_unit_test(who_may_not_act_on_a_host_takes_none),
        cmocka_unit_test(a_rehearsal_assumes_that_the_hosts_are_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
