/* Faults: each by name, with its moments and its end. */
#include "sim/with_sim.h"

#include <string.h>

#define KRAFT "{'racks':['a','b','c'],'topics':[{'name':'t','partitions':30}]}"

static void crash(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'crash','node':2,'at':'10s','lasts':'30s'}");
    pass(&c, 9900);
    assert_true(kp_get_int(host_of(&c, 2), "pid", 0) > 0);
    pass(&c, 200);
    const kp_value *h = host_of(&c, 2);
    assert_int_equal(kp_get_int(h, "pid", -1), 0);
    assert_int_equal(kp_get_int(h, "clean_dirs", -1), 0);
    assert_string_equal(kp_get_text(kp_get(h, "service"), "state", ""), "failed");
    pass(&c, 10 * KP_SECOND);
    assert_int_equal(view_of(&c, 1)->counts.urp, 30);
    pass(&c, 15 * KP_SECOND);
    assert_int_equal(kp_get_int(host_of(&c, 2), "pid", -1), 0);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0); /* the service was started again */
    assert_int_equal(kp_get_int(kp_get(host_of(&c, 2), "service"), "restarts", 0), 1);
    assert_int_equal(kp_get_int(kp_sim_host_counts(c.a, c.sim, 2), "starts", -1),
                     0); /* not by us */
    assert_int_equal(violations(&c, "violations"), 0);
    cluster_close(&c);
}

static void crash_while_booting(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'crash','node':2,'start':1}");
    stop(&c, 2);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    start(&c, 2);
    assert_int_equal(kp_get_int(host_of(&c, 2), "pid", -1), 0);
    start(&c, 2); /* the second one is not hit */
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    cluster_close(&c);
}

static void unclean_stop(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'unclean_stop','node':2,'stop':2}");
    restart(&c, 2); /* the first stop is clean */
    stop(&c, 2);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    assert_int_equal(kp_get_int(host_of(&c, 2), "clean_dirs", -1), 0);
    const kp_view *v = view_of(&c, 1);
    assert_int_equal(v->counts.urp, 30); /* leaders moved before it was killed */
    assert_true(v->brokers[1].alive);
    assert_in_range(until_listed(&c, 2, false, KP_MINUTE), 8000, 9200);
    start(&c, 2);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    assert_true(kp_get_bool(kp_get(host_of(&c, 2), "signs"), "recovering", false));
    restart(&c, 2); /* once only */
    assert_int_equal(kp_get_int(kp_at(kp_sim_acts(c.a, c.sim), 0), "leaders_moved", 0), 10);
    cluster_close(&c);
}

static void slow_disk(void **state)
{
    kp_ms boot[2], sync[2];
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        cluster c = cluster_of("{'topics':[{'name':'t','partitions':60,'rate':'20MB/s'}]}");
        if (slow)
            fault(&c, "{'fault':'slow_disk','node':2}");
        stop(&c, 2);
        assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
        start(&c, 2);
        boot[slow] = until_listed(&c, 2, true, KP_HOUR);
        sync[slow] = until_in_sync(&c, 2, KP_HOUR);
        cluster_close(&c);
    }
    assert_in_range(boot[1], boot[0] * 6, boot[0] * 11);
    assert_true(sync[1] > sync[0] * 10); /* away for longer, too */
}

static void a_disk_that_recovers_goes_on_at_full_speed(void **state)
{
    cluster c = cluster_of("{'topics':[{'name':'t','partitions':60,'rate':'40MB/s'}]}");
    (void)state;
    stop(&c, 2);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    pass(&c, KP_MINUTE);
    start(&c, 2);
    assert_true(until_listed(&c, 2, true, KP_HOUR) >= 0);
    fault(&c, "{'fault':'slow_disk','node':2,'lasts':'30s'}");
    pass(&c, 29 * KP_SECOND);
    assert_int_equal(view_of(&c, 1)->out_of_sync[1], 60);
    kp_ms t = until_in_sync(&c, 2, KP_HOUR);
    assert_in_range(t, 25 * KP_SECOND, 70 * KP_SECOND); /* 2.7 GB at 60 MB/s */
    cluster_close(&c);
}

static void rack_loss(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'rack_loss','rack':'b','at':'1s','lasts':'60s'}");
    pass(&c, 15 * KP_SECOND);
    kp_ms from = kp_mono(c.w);
    kp_err *e = refused(&c, (kp_request) { .kind = KP_Q_HOST, .node = 2, .within = 3000 });
    assert_int_equal(kp_mono(c.w) - from, 3000);
    assert_int_equal(e->cls, KP_HOST);
    assert_true(e->retriable);
    kp_err_drop(e);
    e = refused(&c, (kp_request) { .kind = KP_Q_VIEW, .node = 2, .within = 2000 });
    kp_err_drop(e);
    const kp_view *v = view_of(&c, 1);
    assert_false(v->brokers[1].alive);
    assert_int_equal(v->counts.urp, 30);
    const kp_value *q = told(&c, (kp_request) { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE });
    assert_int_equal(kp_get_int(q, "leader", 0), 3001); /* the rack held one voter of three */
    pass(&c, KP_MINUTE);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    assert_true(until_caught_up(&c, 3002, KP_MINUTE) >= 0);
    cluster_close(&c);
}

static void lost_ssh(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'lost_ssh','node':2,'stop':1,'lasts':'20s'}");
    kp_err *e = refused(&c, (kp_request) { .kind = KP_A_STOP, .node = 2, .op.id = "s" });
    assert_int_equal(e->cls, KP_HOST);
    assert_true(e->retriable);
    kp_err_drop(e);
    assert_true(kp_sim_op_acted(c.sim, 2, "s")); /* it landed, and nobody was told */
    e = refused(&c, (kp_request) { .kind = KP_Q_HOST, .node = 2 });
    assert_non_null(strstr(e->what, "lost"));
    kp_err_drop(e);
    pass(&c, 20 * KP_SECOND);
    assert_int_equal(kp_get_int(host_of(&c, 2), "pid", -1), 0);
    assert_int_equal(kp_get_int(host_of(&c, 3), "pid", 0) > 0, 1);
    cluster_close(&c);
}

static void controller_failover(void **state)
{
    static const char *const modes[] = { "kraft", "zookeeper", "combined" };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(modes); i++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
        cluster c = cluster_of(kp_printf(a, "{'mode':'%s','topics':[{'name':'t'}]}", modes[i]));
        bool zookeeper = i == 1;
        kp_request q = { .kind = zookeeper ? KP_Q_NODE : KP_Q_QUORUM,
                         .node = zookeeper ? 3 : KP_ANY_NODE };
        const char *key = zookeeper ? "controller" : "leader";
        int64_t before = kp_get_int(told(&c, q), key, -1);
        /* after three requests from now: the third one triggers it */
        fault(&c, "{'fault':'controller_failover','requests':3}");
        told(&c, q);
        told(&c, q);
        assert_int_equal(kp_get_int(told(&c, (kp_request) { .kind = q.kind, .node = q.node }), key,
                                    -1) == before,
                         zookeeper);
        pass(&c, KP_SECOND);
        int64_t after = kp_get_int(told(&c, q), key, -1);
        assert_true(after != before && after > 0);
        assert_int_equal(view_of(&c, KP_ANY_NODE)->counts.urp, 0);
        cluster_close(&c);
    }
}

static void stale_metadata(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    uint64_t whole = view_of(&c, 3)->digest;
    fault(&c, "{'fault':'stale_metadata','node':3,'lasts':'60s'}");
    stop(&c, 2);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    const kp_view *old = view_of(&c, 3), *now = view_of(&c, 1);
    assert_true(old->digest == whole && now->digest != whole);
    assert_int_equal(old->counts.urp, 0);
    assert_int_equal(now->counts.urp, 30);
    assert_true(old->brokers[1].alive);
    assert_string_equal(old->brokers[1].host, "broker2");
    assert_int_equal(old->leads[1], 10);
    uint32_t p[4];
    assert_int_equal(kp_view_differ(old, now, p, 4), 30);
    pass(&c, KP_MINUTE);
    assert_int_equal(view_of(&c, 3)->counts.urp, 30);
    cluster_close(&c);
}

static void config_breaks_start(void **state)
{
    static const struct {
        const char *edits, *release;
        bool mended;
    } rows[] = {
        { NULL, NULL, false },
        { "{'log.retention.ms':'1'}", NULL, true },
        { NULL, "3.7.2", true },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        cluster c = cluster_of(KRAFT);
        fault(&c, "{'fault':'config_breaks_start','node':2}");
        stop(&c, 2);
        assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
        switch_to(&c, 2, "3.9.1");
        start(&c, 2);
        assert_true(until_off(&c, 2, 10 * KP_SECOND) >= 0);
        assert_true(log_says(&c, 2, "Invalid configuration"));
        if (rows[i].edits)
            edit_file(&c, 2, rows[i].edits);
        if (rows[i].release)
            switch_to(&c, 2, rows[i].release);
        start(&c, 2);
        assert_int_equal(until_in_sync(&c, 2, 30 * KP_SECOND) >= 0, rows[i].mended);
        cluster_close(&c);
    }
}

static void does_not_stop(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'does_not_stop','node':2,'stop':1,'lasts':'5m'}");
    stop(&c, 2);
    assert_int_equal(until_off(&c, 2, 4 * KP_MINUTE), -1);
    assert_string_equal(kp_get_text(kp_get(host_of(&c, 2), "service"), "state", ""),
                        "deactivating");
    assert_int_equal(view_of(&c, 1)->counts.urp, 0);
    assert_true(until_off(&c, 2, 2 * KP_MINUTE) >= 0); /* the request is still there when it can */
    cluster_close(&c);
}

static void does_not_rejoin(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'does_not_rejoin','node':2,'start':1,'lasts':'10m'}");
    stop(&c, 2);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    start(&c, 2);
    assert_true(until_listed(&c, 2, true, KP_MINUTE) >= 0);
    assert_int_equal(until_in_sync(&c, 2, 9 * KP_MINUTE), -1);
    assert_int_equal(view_of(&c, 1)->out_of_sync[1], 30);
    assert_true(until_in_sync(&c, 2, 3 * KP_MINUTE) >= 0);
    cluster_close(&c);
}

static void faults_of_a_description_are_planned(void **state)
{
    cluster c = cluster_of("{'topics':[{'name':'t'}],'faults':[{'fault':'crash','node':'2'},"
                           "{'fault':'crash','node':3,'at':'5s'}]}");
    (void)state;
    assert_int_equal(kp_get_int(host_of(&c, 2), "pid", -1), 0);
    assert_true(kp_get_int(host_of(&c, 3), "pid", -1) > 0);
    pass(&c, 6 * KP_SECOND);
    assert_int_equal(kp_get_int(host_of(&c, 3), "pid", -1), 0);
    cluster_close(&c);
}

static void a_loss_without_a_moment_is_past(void **state)
{
    cluster c = cluster_of("{'racks':['a','b','c'],'topics':[{'name':'t','partitions':30}],"
                           "'faults':[{'fault':'rack_loss','rack':'b'}]}");
    (void)state;
    cluster d = cluster_of("{'topics':[{'name':'t'}]}");
    const kp_view *v = view_of(&c, 1);
    assert_false(v->brokers[1].alive);
    assert_int_equal(v->counts.urp, 30);
    assert_true(kp_now(c.w) < kp_now(d.w) + 100); /* it begins when others do */
    cluster_close(&c);
    cluster_close(&d);
}

static void wrong_faults_are_said(void **state)
{
    static const struct {
        const char *json, *where, *says;
    } rows[] = {
        { "{'node':2}", "fault.fault", "no name" },
        { "{'fault':'crsh','node':2}", "fault.fault", "did you mean `crash`" },
        { "{'fault':'crash'}", "fault.node", "needs a node" },
        { "{'fault':'crash','node':9}", "fault.node", "no node 9" },
        { "{'fault':'crash','node':2,'rack':'a'}", "fault.rack", "has no rack" },
        { "{'fault':'rack_loss'}", "fault.rack", "needs a rack" },
        { "{'fault':'rack_loss','rack':'z'}", "fault.rack", "no node is in rack z" },
        { "{'fault':'crash','node':2,'at':'5s','stop':1}", "fault.at", "one moment" },
        { "{'fault':'crash','node':2,'at':'soon'}", "fault.at", "not a duration" },
        { "{'fault':'crash','node':2,'stop':0}", "fault.stop", "not between" },
        { "{'fault':'controller_failover','stop':1}", "fault.node", "needs a node" },
        { "{'fault':'does_not_rejoin','node':3001}", "fault.node", "no broker" },
        { "{'fault':'crash','node':2,'when':'now'}", "fault.when", "unknown word" },
        { "[1]", "fault", "a map is needed" },
    };
    cluster c = cluster_of(KRAFT);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_err *e = kp_sim_fault(c.sim, value_of(c.a, rows[i].json));
        assert_non_null(e);
        if (!strstr(e->what, rows[i].says) || strcmp(e->where, rows[i].where) != 0)
            print_error("%s: %s: %s\n", rows[i].json, e->where, e->what);
        assert_int_equal(e->cls, KP_CONFIG);
        assert_string_equal(e->where, rows[i].where);
        assert_non_null(strstr(e->what, rows[i].says));
        kp_err_drop(e);
    }
    for (uint32_t i = 0; i < KP_SIM_MAX_FAULTS; i++)
        fault(&c, "{'fault':'crash','node':2,'at':'9m'}");
    kp_err *e = kp_sim_fault(c.sim, value_of(c.a, "{'fault':'crash','node':2}"));
    assert_non_null(e);
    kp_err_drop(e);
    cluster_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crash),
        cmocka_unit_test(crash_while_booting),
        cmocka_unit_test(unclean_stop),
        cmocka_unit_test(slow_disk),
        cmocka_unit_test(a_disk_that_recovers_goes_on_at_full_speed),
        cmocka_unit_test(rack_loss),
        cmocka_unit_test(lost_ssh),
        cmocka_unit_test(controller_failover),
        cmocka_unit_test(stale_metadata),
        cmocka_unit_test(config_breaks_start),
        cmocka_unit_test(does_not_stop),
        cmocka_unit_test(does_not_rejoin),
        cmocka_unit_test(faults_of_a_description_are_planned),
        cmocka_unit_test(a_loss_without_a_moment_is_past),
        cmocka_unit_test(wrong_faults_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
