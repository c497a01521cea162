/* Requests on the virtual clock: answers, refusals and silence, time limits, cancelling,
 * interrupts; determinism. */
#include "sim/with_sim.h"

#include <signal.h>
#include <string.h>

#define KRAFT "{'racks':['a','b','c'],'topics':[{'name':'t','partitions':30}]}"

static void every_request_is_answered_once_in_time(void **state)
{
    cluster c = cluster_of(KRAFT);
    uint64_t ticket[200];
    bool seen[200] = { false };
    (void)state;
    fault(&c, "{'fault':'rack_loss','rack':'b'}");
    kp_ms from = kp_mono(c.w);
    for (int i = 0; i < 200; i++) {
        kp_request q = { .kind = i % 3 == 0   ? KP_Q_VIEW
                                 : i % 3 == 1 ? KP_Q_HOST
                                              : KP_Q_NODE,
                         .node = 1 + i % 3,
                         .within = 100 * (1 + i % 7) };
        if (q.kind == KP_Q_HOST)
            q.host.since = -1;
        ticket[i] = kp_send(c.w, c.a, &q);
    }
    for (int n = 0; n < 200; n++) {
        kp_reply *r = kp_wait(c.w, KP_NEVER);
        assert_non_null(r);
        int i = 0;
        while (ticket[i] != r->ticket)
            i++;
        assert_false(seen[i]);
        seen[i] = true;
        assert_int_equal(r->err != NULL, i % 3 == 1); /* node 2 is in the lost rack */
        assert_int_equal(r->node, 1 + i % 3);
        if (r->err)
            assert_int_equal(kp_mono(c.w) - from, 100 * (1 + i % 7));
        assert_true(r->took_us > 0 && r->took_us <= 100000 * (1 + i % 7));
        kp_err_drop(r->err);
    }
    assert_null(kp_wait(c.w, kp_mono(c.w) + 60000));
    assert_int_equal(c.w->n_requests, 200);
    cluster_close(&c);
}

static void a_broker_that_is_down_refuses_and_its_host_answers(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    stop(&c, 2);
    until_off(&c, 2, KP_MINUTE);
    static const kp_req kinds[] = { KP_Q_VIEW, KP_Q_NODE, KP_Q_LOG_DIRS };
    for (size_t i = 0; i < KP_COUNT(kinds); i++) {
        kp_err *e = refused(&c, (kp_request) { .kind = kinds[i], .node = 2 });
        assert_int_equal(e->cls, KP_CLUSTER);
        assert_true(e->retriable);
        assert_string_equal(e->where, "broker 2");
        kp_err_drop(e);
    }
    assert_int_equal(kp_get_int(host_of(&c, 2), "pid", -1), 0);
    for (int i = 0; i < 20; i++) /* anybody: never the one that is down */
        assert_true(view_of(&c, KP_ANY_NODE)->node != 2);
    cluster_close(&c);
}

static void questions_go_to_whom_they_are_for(void **state)
{
    cluster c = cluster_of(KRAFT);
    static const struct {
        kp_req kind;
        int node;
        kp_class cls;
    } rows[] = {
        { KP_Q_VIEW, 3001, KP_CLUSTER }, { KP_Q_LOG_DIRS, 3001, KP_CLUSTER },
        { KP_Q_HOST, 77, KP_CONFIG },    { KP_Q_HOST, KP_ANY_NODE, KP_CONFIG },
        { KP_Q_VIEW, 77, KP_CONFIG },    { KP_Q_JOB, 2, KP_INTERNAL },
        { KP_A_STOP, 2, KP_INTERNAL },   { KP_Q_PROOF, 2, KP_INTERNAL },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_err *e = refused(&c, (kp_request) { .kind = rows[i].kind, .node = rows[i].node });
        assert_int_equal(e->cls, rows[i].cls);
        kp_err_drop(e);
    }
    kp_err *e = refused(
        &c, (kp_request) { .kind = KP_Q_CONFIG, .node = 3001, .config.resource = "broker" });
    kp_err_drop(e);
    cluster_close(&c);
}

static void waiting_moves_the_clock_and_no_further(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    kp_ms now = kp_now(c.w), mono = kp_mono(c.w);
    assert_null(kp_wait(c.w, mono + 1234));
    assert_int_equal(kp_mono(c.w), mono + 1234);
    assert_int_equal(kp_now(c.w), now + 1234);
    assert_null(kp_wait(c.w, mono)); /* past: nothing happens */
    assert_int_equal(kp_mono(c.w), mono + 1234);
    assert_null(kp_wait(c.w, KP_NEVER)); /* nothing under way: nothing would ever come */
    assert_int_equal(kp_mono(c.w), mono + 1234);
    kp_request q = { .kind = KP_Q_HOST, .node = 2, .host.since = -1 };
    kp_send(c.w, c.a, &q);
    assert_null(kp_wait(c.w, kp_mono(c.w) + 10)); /* a host takes 40 ms */
    kp_reply *r = kp_wait(c.w, kp_mono(c.w) + 10000);
    assert_non_null(r);
    assert_int_equal(kp_mono(c.w), mono + 1234 + 40);
    assert_int_equal(r->took_us, 40000);
    assert_string_equal(c.w->c->name, "sim");
    cluster_close(&c);
}

static void a_cancelled_question_is_not_answered_and_a_cancelled_action_lands(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    kp_request q = { .kind = KP_Q_HOST, .node = 1, .host.since = -1 },
               view = { .kind = KP_Q_VIEW, .node = 1 };
    uint64_t a = kp_send(c.w, c.a, &q), b = kp_send(c.w, c.a, &view);
    kp_cancel(c.w, a);
    kp_cancel(c.w, 4711);
    kp_reply *r = kp_wait(c.w, kp_mono(c.w) + 1000);
    assert_true(r->ticket == b);
    assert_null(kp_wait(c.w, kp_mono(c.w) + 1000));
    kp_request act = { .kind = KP_A_STOP, .node = 2, .op.id = "s" };
    kp_cancel(c.w, kp_send(c.w, c.a, &act));
    assert_null(kp_wait(c.w, kp_mono(c.w) + 10000));
    assert_int_equal(kp_get_int(host_of(&c, 2), "pid", -1), 0);
    act.op.epoch = 9; /* refused: the error is dropped with the reply */
    act.op.id = "t";
    kp_cancel(c.w, kp_send(c.w, c.a, &act));
    /* what is under way when the world ends is dropped */
    kp_send(c.w, c.a, &q);
    act.op.id = "u";
    kp_send(c.w, c.a, &act);
    kp_wait(c.w, kp_mono(c.w) + 30);
    cluster_close(&c);
}

static void requests_are_copied(void **state)
{
    cluster c = cluster_of(KRAFT);
    char op[16] = "stop-2";
    (void)state;
    kp_request q = { .kind = KP_A_STOP, .node = 2, .op.id = op };
    kp_send(c.w, c.a, &q);
    memset(op, 'x', sizeof op - 1);
    kp_wait(c.w, KP_NEVER);
    assert_true(kp_sim_op_acted(c.sim, 2, "stop-2"));
    cluster_close(&c);
}

static void an_interrupt_ends_the_wait_once(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    kp_ms mono = kp_mono(c.w);
    assert_int_equal(kp_interrupts(c.w), 0);
    kp_sim_interrupt(c.sim);
    assert_null(kp_wait(c.w, mono + 1000));
    assert_int_equal(kp_mono(c.w), mono);
    assert_int_equal(kp_interrupts(c.w), 1);
    assert_null(kp_wait(c.w, mono + 1000));
    assert_int_equal(kp_mono(c.w), mono + 1000);
    kp_sim_catch_signals(c.sim);
    kp_sim_catch_signals(c.sim);
    raise(SIGINT);
    assert_null(kp_wait(c.w, mono + 2000));
    assert_int_equal(kp_mono(c.w), mono + 1000);
    assert_int_equal(kp_interrupts(c.w), 2);
    cluster_close(&c);
}

static void following_a_node_costs_what_it_is_behind(void **state)
{
    cluster c = cluster_of("{'brokers':10,'topics':[{'name':'t','partitions':20000}]}");
    (void)state;
    const kp_view *v = view_of(&c, 1);
    kp_request whole = { .kind = KP_Q_VIEW, .node = 1 }, follow = {
        .kind = KP_Q_VIEW, .node = 1, .view = { .follow = kp_somebody(2), .seen = v }
    };
    int64_t a = ask(&c, whole)->took_us, b = ask(&c, follow)->took_us;
    assert_in_range(a, 20000, 30000);
    assert_in_range(b, 400, 600);                      /* nothing of it is out of sync */
    assert_true(ask(&c, follow)->view->isr == v->isr); /* its own arrays: no copy */
    cluster_close(&c);
}

/* ---- determinism ---- */

static kp_sim_stats one_history(int seed)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    cluster c = cluster_of(
        kp_printf(a,
                  "{'seed':%d,'brokers':5,'topics':[{'name':'t','partitions':50}],"
                  "'faults':[{'fault':'crash','node':4,'at':'15s','lasts':'20s'}]}",
                  seed));
    for (int id = 1; id <= 3; id++)
        restart(&c, id);
    kp_sim_stats s = kp_sim_stats_of(c.sim);
    cluster_close(&c);
    return s;
}

static void equal_seeds_make_equal_histories(void **state)
{
    (void)state;
    kp_sim_stats a = one_history(1), b = one_history(1), other = one_history(2);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(a.events > 10 && a.changes > 100);
    assert_true(a.trace != other.trace);
    assert_true(a.digest != other.digest);
}

static void the_digest_sees_what_shapes_the_future(void **state)
{
    static const char *const faults[] = {
        "{'fault':'does_not_stop','node':2}",
        "{'fault':'crash','node':2,'at':'5m'}",
        "{'fault':'slow_disk','node':1}",
    };
    cluster c = cluster_of(KRAFT);
    (void)state;
    uint64_t before = kp_sim_stats_of(c.sim).digest;
    for (size_t i = 0; i < KP_COUNT(faults); i++) {
        cluster d = cluster_from(kp_sim_copy(c.sim));
        assert_true(kp_sim_stats_of(d.sim).digest == before);
        fault(&d, faults[i]);
        assert_true(kp_sim_stats_of(d.sim).digest != before);
        cluster_close(&d);
    }
    edit_file(&c, 3, "{'a':'1'}");
    uint64_t edited = kp_sim_stats_of(c.sim).digest;
    assert_true(edited != before);
    told(&c, (kp_request) { .kind = KP_A_FENCE, .node = 3, .op.epoch = 1, .op.holder = "x" });
    assert_true(kp_sim_stats_of(c.sim).digest != edited);
    cluster_close(&c);
}

/* ---- scale: small enough for a sanitizer, large enough to hurt when something is not constant
 * ---- */

static void a_hundred_brokers_and_a_hundred_thousand_partitions(void **state)
{
    cluster c = cluster_of(
        "{'brokers':100,'racks':['a','b','c','d'],'topics':[{'name':'t','count':1000,"
        "'partitions':100,'rf':3}]}");
    (void)state;
    for (int id = 1; id <= 100; id += 9) {
        restart(&c, id);
        kp_arena_reset(c.a);
    }
    const kp_view *v = view_of(&c, 1);
    assert_int_equal(v->n_parts, 100000);
    assert_int_equal(v->counts.urp, 0);
    assert_true(v->counts.unpreferred > 5000);
    assert_int_equal(kp_get_int(kp_sim_oracle(c.a, c.sim), "violations", -1), 0);
    told(&c, (kp_request) { .kind = KP_A_ELECT, .node = KP_ANY_NODE });
    assert_int_equal(view_of(&c, 1)->counts.unpreferred, 0);
    kp_sim_stats s = kp_sim_stats_of(c.sim);
    assert_true(s.changes > 60000);
    assert_true(s.bytes < 16 << 20);
    cluster_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_is_answered_once_in_time),
        cmocka_unit_test(a_broker_that_is_down_refuses_and_its_host_answers),
        cmocka_unit_test(questions_go_to_whom_they_are_for),
        cmocka_unit_test(waiting_moves_the_clock_and_no_further),
        cmocka_unit_test(a_cancelled_question_is_not_answered_and_a_cancelled_action_lands),
        cmocka_unit_test(requests_are_copied),
        cmocka_unit_test(an_interrupt_ends_the_wait_once),
        cmocka_unit_test(following_a_node_costs_what_it_is_behind),
        cmocka_unit_test(equal_seeds_make_equal_histories),
        cmocka_unit_test(the_digest_sees_what_shapes_the_future),
        cmocka_unit_test(a_hundred_brokers_and_a_hundred_thousand_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
