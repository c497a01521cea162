/* The life of a broker's process: how long stops and starts take, what keeps a start from
 * succeeding, sessions.
 *
 * The ranges are those seen on small real clusters.
 */
#include "sim/with_sim.h"

#include <string.h>

#define KRAFT "{'topics':[{'name':'t','partitions':30}]}"
#define ZOOKEEPER "{'mode':'zookeeper','release':'3.4.1','topics':[{'name':'t','partitions':30}]}"

static kp_ms stop_time(cluster *c, int id)
{
    stop(c, id);
    kp_ms t = until_off(c, id, 10 * KP_MINUTE);
    assert_true(t >= 0);
    return t;
}

static void kraft_stops_take_multiples_of_the_heartbeat(void **state)
{
    (void)state;
    for (int seed = 1; seed <= 8; seed++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
        cluster c = cluster_of(
            kp_printf(a, "{'seed':%d,'topics':[{'name':'t','partitions':30}]}", seed));
        kp_ms t = stop_time(&c, 1);
        bool one = t >= 2300 && t <= 2950, two = t >= 4300 && t <= 4950;
        assert_true(one || two);
        cluster_close(&c);
    }
}

static void a_stop_takes_longer_with_many_leaders(void **state)
{
    cluster c = cluster_of("{'topics':[{'name':'t','partitions':10000}],'brokers':3}");
    (void)state;
    kp_ms first = stop_time(&c, 1);
    start(&c, 1);
    assert_true(until_in_sync(&c, 1, KP_HOUR) >= 0);
    kp_ms second = stop_time(&c, 2); /* it leads what broker 1 led as well */
    assert_true(first > 20 * KP_SECOND);
    assert_true(second > first);
    cluster_close(&c);
}

static void zookeeper_stops_are_fast_and_controllers_too(void **state)
{
    cluster c = cluster_of(ZOOKEEPER), k = cluster_of(KRAFT);
    (void)state;
    assert_in_range(stop_time(&c, 2), 100, 900);
    assert_in_range(stop_time(&k, 3002), 100, 900);
    cluster_close(&c);
    cluster_close(&k);
}

static void a_clean_stop_leaves_marks_and_the_list(void **state)
{
    static const char *const specs[] = { KRAFT, ZOOKEEPER };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(specs); i++) {
        cluster c = cluster_of(specs[i]);
        assert_int_equal(kp_get_int(host_of(&c, 2), "clean_dirs", -1), 0);
        stop_time(&c, 2);
        const kp_value *h = host_of(&c, 2);
        assert_int_equal(kp_get_int(h, "dirs", -1), 1);
        assert_int_equal(kp_get_int(h, "clean_dirs", -1), 1);
        assert_null(kp_get(h, "process"));
        assert_true(until_listed(&c, 2, false, 200) >= 0);
        start(&c, 2);
        assert_true(until_listed(&c, 2, true, KP_MINUTE) >= 0);
        assert_int_equal(kp_get_int(host_of(&c, 2), "clean_dirs", -1), 0);
        cluster_close(&c);
    }
}

static void boot_grows_with_replicas_and_with_log_recovery(void **state)
{
    cluster few = cluster_of(KRAFT),
            many = cluster_of("{'topics':[{'name':'t','partitions':8000}]}");
    cluster hurt = cluster_of("{'topics':[{'name':'t','size':'100GB','rate':'30MB/s'}]}");
    (void)state;
    stop_time(&few, 1);
    stop_time(&many, 1);
    stop_time(&hurt, 1);
    start(&few, 1);
    start(&many, 1);
    start(&hurt, 1);
    kp_ms a = until_listed(&few, 1, true, KP_HOUR), b = until_listed(&many, 1, true, KP_HOUR);
    kp_ms clean = until_listed(&hurt, 1, true, KP_HOUR);
    assert_true(a >= 2000 && a < 8000);
    assert_true(b > a + 10 * KP_SECOND);
    fault(&hurt, "{'fault':'crash','node':1}");
    pass(&hurt, 20 * KP_SECOND);
    start(&hurt, 1);
    kp_ms unclean = until_listed(&hurt, 1, true, KP_HOUR);
    assert_true(unclean > clean + KP_MINUTE);
    assert_true(kp_get_bool(kp_get(host_of(&hurt, 1), "signs"), "recovering", false));
    cluster_close(&few);
    cluster_close(&many);
    cluster_close(&hurt);
}

static void a_killed_broker_stays_listed_until_its_session_ends(void **state)
{
    static const struct {
        const char *spec;
        kp_ms from, to;
    } rows[] = {
        { KRAFT, 6500, 9200 },
        { ZOOKEEPER, 15500, 18200 },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        cluster c = cluster_of(rows[i].spec);
        fault(&c, "{'fault':'crash','node':2}");
        const kp_view *v = view_of(&c, 3);
        assert_true(v->brokers[1].alive); /* a lie, as in life */
        assert_int_equal(v->counts.urp, 0);
        assert_int_equal(v->leads[1], 10);
        kp_ms t = until_listed(&c, 2, false, KP_MINUTE);
        assert_in_range(t, rows[i].from, rows[i].to);
        v = view_of(&c, 3);
        assert_int_equal(v->counts.urp, 30);
        assert_int_equal(v->leads[1], 0);
        assert_int_equal(v->counts.offline, 0);
        cluster_close(&c);
    }
}

/* After a kill always, after a clean stop under 4.x controllers: kept out until the old session
 * has ended. */
static void a_quick_restart_is_kept_out_by_the_old_session(void **state)
{
    static const struct {
        const char *release;
        bool kill;
        bool kept_out;
    } rows[] = {
        { "3.9.1", false, false },
        { "3.9.1", true, true },
        { "4.1.1", false, true },
        { "4.1.1", true, true },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
        cluster c = cluster_of(
            kp_printf(a, "{'release':'%s','topics':[{'name':'t'}]}", rows[i].release));
        if (rows[i].kill)
            fault(&c, "{'fault':'crash','node':2}");
        else
            stop_time(&c, 2);
        int64_t since = kp_get_int(host_of(&c, 2), "log_size", 0);
        start(&c, 2);
        kp_ms t = 0;
        const kp_value *h;
        do {
            pass(&c, 100);
            t += 100;
            h = told(&c, (kp_request) { .kind = KP_Q_HOST, .node = 2, .host.since = since });
        } while (!kp_get_bool(kp_get(h, "signs"), "started", false) && t < KP_MINUTE);
        assert_true(t < KP_MINUTE);
        assert_int_equal(kp_get_bool(kp_get(h, "signs"), "duplicate_registration", false),
                         rows[i].kept_out);
        if (rows[i].kept_out)
            assert_true(t > 6000);
        else
            assert_true(t < 6000);
        cluster_close(&c);
    }
}

static void zookeeper_mode_does_not_start_beside_its_old_session(void **state)
{
    cluster c = cluster_of(ZOOKEEPER);
    (void)state;
    fault(&c, "{'fault':'crash','node':2}");
    start(&c, 2);
    assert_true(until_off(&c, 2, 15 * KP_SECOND) >= 0);
    assert_true(log_says(&c, 2, "NodeExistsException"));
    assert_string_equal(kp_get_text(kp_get(host_of(&c, 2), "service"), "state", ""), "failed");
    pass(&c, 20 * KP_SECOND);
    start(&c, 2);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    cluster_close(&c);
}

/* ---- what a start reads ---- */

typedef struct start_row {
    const char *what, *spec, *edits, *release, *says; /* says NULL: it starts */
} start_row;

static const start_row start_rows[] = {
    { "the same again", KRAFT, NULL, NULL, NULL },
    { "a newer release", KRAFT, NULL, "3.9.1", NULL },
    { "unknown keys are harmless", KRAFT, "{'no.such.key':'1'}", NULL, NULL },
    { "the key that breaks", KRAFT, "{'kplay.sim.breaks_start':'true'}", NULL,
      "kplay.sim.breaks_start" },
    { "... when it says false", KRAFT, "{'kplay.sim.breaks_start':'false'}", NULL, NULL },
    { "another node id", KRAFT, "{'node.id':'7'}", NULL, "meta.properties" },
    { "a release that breaks on a key",
      "{'breaking':{'3.8.1':['log.cleaner.enable']},'topics':[{'name':'t'}]}",
      "{'log.cleaner.enable':'true'}", "3.8.1", "log.cleaner.enable" },
    { "... not with another release",
      "{'breaking':{'3.8.1':['log.cleaner.enable']},'topics':[{'name':'t'}]}",
      "{'log.cleaner.enable':'true'}", "3.9.1", NULL },
    { "a binary older than metadata.version", KRAFT, NULL, "3.6.2",
      "finalized metadata.version 19" },
    { "a binary too new for it",
      "{'metadata_version':'3.3-IV2','release':'3.7.2','topics':[{'name':'t'}]}", NULL, "4.0.1",
      "supports 7 to 25" },
    { "an older binary that still supports it",
      "{'metadata_version':'3.6','topics':[{'name':'t'}]}", NULL, "3.6.2", NULL },
    { "4.x in ZooKeeper mode", ZOOKEEPER, NULL, "4.0.1", "process.roles" },
    { "a protocol that is none", ZOOKEEPER, "{'inter.broker.protocol.version':'3.x'}", NULL,
      "inter.broker.protocol.version" },
    { "a protocol newer than the binary", ZOOKEEPER, "{'inter.broker.protocol.version':'3.5'}",
      NULL, "inter.broker.protocol.version" },
    { "the protocol pinned", ZOOKEEPER, "{'inter.broker.protocol.version':'3.4'}", "3.9.1", NULL },
};

static void a_start_reads_the_link_and_the_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(start_rows); i++) {
        const start_row *r = &start_rows[i];
        cluster c = cluster_of(r->spec);
        stop_time(&c, 2);
        if (r->edits)
            edit_file(&c, 2, r->edits);
        if (r->release)
            switch_to(&c, 2, r->release);
        int64_t since = kp_get_int(host_of(&c, 2), "log_size", 0);
        start(&c, 2);
        assert_true(kp_get_int(host_of(&c, 2), "pid", 0) > 0); /* there for a moment in any case */
        bool off = until_off(&c, 2, 20 * KP_SECOND) >= 0;
        const kp_value *h = told(
            &c, (kp_request) { .kind = KP_Q_HOST, .node = 2, .host.since = since });
        if (off != (r->says != NULL))
            print_error("%s\n", r->what);
        assert_int_equal(off, r->says != NULL);
        assert_int_equal(kp_get_bool(kp_get(h, "signs"), "started", false), !off);
        if (r->says) {
            if (!log_says(&c, 2, r->says))
                print_error("%s: %s\n", r->what, kp_json_text(c.a, kp_get(h, "signs")));
            assert_true(log_says(&c, 2, r->says));
            assert_string_equal(kp_get_text(kp_get(h, "service"), "state", ""), "failed");
        } else if (r->release) {
            assert_string_equal(kp_get_text(h, "running_release", ""), r->release);
        }
        cluster_close(&c);
    }
}

static void the_running_release_is_not_the_link(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    switch_to(&c, 2, "3.9.1");
    const kp_value *h = host_of(&c, 2);
    assert_string_equal(kp_get_text(h, "running_release", ""), "3.7.2");
    assert_string_equal(kp_get_text(h, "link_release", ""), "3.9.1");
    assert_string_equal(kp_get_text(h, "link", ""), "/opt/kafka/releases/kafka_2.13-3.9.1");
    const kp_value *said = told(&c, (kp_request) { .kind = KP_Q_NODE, .node = 2 });
    assert_string_equal(kp_get_text(said, "release", ""), "3.7");
    restart(&c, 2);
    said = told(&c, (kp_request) { .kind = KP_Q_NODE, .node = 2 });
    assert_string_equal(kp_get_text(said, "release", ""), "3.9");
    assert_int_equal(kp_get_int(said, "metadata_version", 0), 19);
    assert_int_equal(kp_get_int(said, "metadata_version_max", 0), 21);
    assert_string_equal(kp_get_text(said, "mode", ""), "kraft");
    cluster_close(&c);
}

/* ---- inter.broker.protocol.version ---- */

static void an_unpinned_newer_binary_never_rejoins(void **state)
{
    cluster c = cluster_of(ZOOKEEPER);
    (void)state;
    stop_time(&c, 2);
    switch_to(&c, 2, "3.9.1");
    start(&c, 2);
    assert_true(until_listed(&c, 2, true, KP_MINUTE) >= 0); /* it registers and answers */
    assert_int_equal(until_in_sync(&c, 2, 10 * KP_MINUTE), -1);
    assert_true(kp_get_bool(kp_get(host_of(&c, 2), "signs"), "mis_pinned", false));
    assert_true(log_says(&c, 2, "which is not enabled"));
    /* pin and restart repairs it */
    stop_time(&c, 2);
    edit_file(&c, 2, "{'inter.broker.protocol.version':'3.4'}");
    start(&c, 2);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    cluster_close(&c);
}

static void a_protocol_above_the_others_binaries_never_rejoins_either(void **state)
{
    cluster c = cluster_of(ZOOKEEPER);
    (void)state;
    stop_time(&c, 2);
    switch_to(&c, 2, "3.9.1");
    edit_file(&c, 2, "{'inter.broker.protocol.version':'3.6'}");
    start(&c, 2);
    assert_int_equal(until_in_sync(&c, 2, 5 * KP_MINUTE), -1);
    cluster_close(&c);
}

static const char *protocol(cluster *c, int id, const char *what)
{
    const kp_value *all = told(
        c,
        (kp_request) { .kind = KP_Q_CONFIG,
                       .node = id,
                       .config = { .resource = "broker",
                                   .keys = value_of(c->a, "['inter.broker.protocol.version']") } });
    const kp_value *one = kp_get(kp_get(all, kp_printf(c->a, "%d", id)),
                                 "inter.broker.protocol.version");
    return kp_get_text(one, what, "");
}

static void a_rolling_bump_on_uniform_binaries_works(void **state)
{
    cluster c = cluster_of(
        "{'mode':'zookeeper','release':'3.9.1','ibp':'2.8','topics':[{'name':'t'}]}");
    static const int order[] = { 2, 3, 1 };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int id = order[i];
        assert_string_equal(protocol(&c, id, "value"), "2.8");
        assert_string_equal(protocol(&c, id, "default"), "3.9-IV0");
        edit_file(&c, id, "{'inter.broker.protocol.version':'3.9'}");
        assert_string_equal(protocol(&c, id, "value"), "2.8"); /* the process, not the file */
        restart(&c, id);
        assert_string_equal(protocol(&c, id, "value"), "3.9");
    }
    assert_int_equal(violations(&c, "violations"), 0);
    cluster_close(&c);
}

static void the_whole_cluster_pinned_upgrades(void **state)
{
    cluster c = cluster_of(ZOOKEEPER);
    static const int order[] = { 2, 3, 1 };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int id = order[i];
        stop_time(&c, id);
        edit_file(&c, id, "{'inter.broker.protocol.version':'3.4'}");
        switch_to(&c, id, "3.9.1");
        start(&c, id);
        assert_true(until_in_sync(&c, id, KP_MINUTE) >= 0);
        view_of(&c, 1);
        view_of(&c, 2);
        view_of(&c, 3);
    }
    assert_int_equal(violations(&c, "violations"), 0);
    cluster_close(&c);
}

/* ---- catching up ---- */

static void catch_up_takes_bytes_over_the_link(void **state)
{
    /* 30 MB/s written; every broker has every replica: away T seconds it is 30 T MB behind */
    cluster c = cluster_of(
        "{'topics':[{'name':'t','partitions':60,'rate':'30MB/s'}],'timing':{'link':'100MB/s'}}");
    (void)state;
    stop_time(&c, 2);
    pass(&c, 60 * KP_SECOND);
    start(&c, 2);
    kp_ms away = 60 * KP_SECOND + until_listed(&c, 2, true, KP_MINUTE);
    pass(&c, 500);
    const kp_value *dir = kp_at(told(&c, (kp_request) { .kind = KP_Q_LOG_DIRS, .node = 2 }), 0);
    int64_t behind = kp_get_int(dir, "behind", -1), catching = kp_get_int(dir, "catching_up", -1);
    assert_true(behind > 30 * (away / 1000) * 900 && behind < 30 * (away / 1000) * 1200);
    assert_int_equal(catching, 60);
    pass(&c, 18 * KP_SECOND);
    dir = kp_at(told(&c, (kp_request) { .kind = KP_Q_LOG_DIRS, .node = 2 }), 0);
    assert_true(kp_get_int(dir, "behind", -1) < behind);
    assert_in_range(kp_get_int(dir, "catching_up", -1), 1, 59); /* those with little rejoin first */
    kp_ms t = 18500 + until_in_sync(&c, 2, KP_HOUR);
    /* 100 MB/s less the 30 that keep coming */
    assert_in_range(t, 30 * away / 70 * 8 / 10, 30 * away / 70 * 13 / 10);
    assert_int_equal(
        kp_get_int(kp_at(told(&c, (kp_request) { .kind = KP_Q_LOG_DIRS, .node = 2 }), 0), "behind",
                   -1),
        0);
    cluster_close(&c);
}

static void a_started_broker_answers_from_an_empty_cache_at_first(void **state)
{
    static const char *const specs[] = { KRAFT, ZOOKEEPER };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(specs); i++) {
        cluster c = cluster_of(specs[i]);
        stop_time(&c, 2);
        start(&c, 2);
        for (;;) {
            kp_reply *r = ask(&c, (kp_request) { .kind = KP_Q_VIEW, .node = 2, .within = 500 });
            if (!r->err) {
                assert_int_equal(r->view->counts.urp, 0); /* "0 under-replicated": worth nothing */
                assert_int_equal(r->view->n_parts, 0);
                assert_int_equal(r->view->out_of_sync[1], 0);
                break;
            }
            kp_err_drop(r->err);
            pass(&c, 20);
        }
        assert_int_equal(view_of(&c, 3)->counts.urp, 30);
        pass(&c, 2000);
        assert_int_equal(view_of(&c, 2)->n_parts, 30);
        cluster_close(&c);
    }
}

static void a_replica_waits_for_a_leader_to_fetch_from(void **state)
{
    cluster c = cluster_of("{'topics':[{'name':'t','partitions':12,'rf':2}]}");
    (void)state;
    stop_time(&c, 1);
    stop_time(&c, 2);
    uint32_t offline = view_of(&c, 3)->counts.offline;
    assert_int_equal(offline, 4); /* on 1 and 2, broker 2 was the last */
    start(&c, 1);
    assert_true(until_listed(&c, 1, true, KP_MINUTE) >= 0);
    pass(&c, KP_MINUTE);
    const kp_view *v = view_of(&c, 3);
    assert_int_equal(v->counts.offline, 4);
    assert_int_equal(v->out_of_sync[0], 4);
    start(&c, 2);
    assert_true(until_in_sync(&c, 1, KP_MINUTE) >= 0);
    assert_int_equal(view_of(&c, 3)->counts.offline, 0);
    cluster_close(&c);
}

static void stopping_and_starting_at_odd_moments(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    start(&c, 2); /* runs already */
    int64_t pid = kp_get_int(host_of(&c, 2), "pid", 0);
    stop(&c, 2);
    start(&c, 2); /* while stopping: starts when it has stopped */
    pass(&c, 6 * KP_SECOND);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    assert_true(kp_get_int(host_of(&c, 2), "pid", 0) != pid);
    stop_time(&c, 2);
    stop(&c, 2); /* stopped already */
    start(&c, 2);
    stop(&c, 2); /* while booting */
    assert_in_range(until_off(&c, 2, KP_MINUTE), 0, 1000);
    assert_int_equal(kp_get_int(host_of(&c, 2), "clean_dirs", -1), 1);
    start(&c, 2);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    cluster_close(&c);
}

static void an_act_tells_what_its_stop_cost(void **state)
{
    cluster c = cluster_of(
        "{'topics':[{'name':'t','partitions':30},{'name':'m','partitions':6,'min_isr':1}]}");
    (void)state;
    kp_sim_keep_leaders(c.sim);
    restart(&c, 1);
    const kp_view *after = view_of(&c, 3);
    uint32_t leads = after->leads[1], t = kp_view_topic_named(after, "t")->first;
    const kp_value *leaders = kp_get(kp_get(kp_at(kp_sim_acts(c.a, c.sim), 0), "leaders"), "t");
    assert_int_equal(kp_len(leaders), 30);
    for (uint32_t p = 0; p < 30; p++) {
        int64_t id = kp_as_int(kp_at(leaders, p), 0);
        assert_true(id == 2 || id == 3);
        assert_int_equal(id, kp_view_leader_id(after, t + p));
    }
    stop_time(&c, 2);
    const kp_value *acts = kp_sim_acts(c.a, c.sim), *first = kp_at(acts, 0), *last = kp_at(acts, 2);
    assert_int_equal(kp_len(acts), 3);
    assert_string_equal(kp_get_text(first, "act", ""), "stop");
    assert_int_equal(kp_get_int(first, "node", 0), 1);
    assert_int_equal(kp_get_int(first, "leaders_moved", 0), 12);
    assert_int_equal(kp_get_int(first, "peak_urp", 0), 36);
    assert_int_equal(kp_get_int(first, "peak_at_min_isr", 0), 30);
    assert_true(kp_get_int(first, "rejoined", 0) > kp_get_int(first, "at", 0));
    assert_string_equal(kp_get_text(kp_at(acts, 1), "act", ""), "start");
    assert_null(kp_get(kp_at(acts, 1), "leaders_moved"));
    assert_true(leads > 12);
    assert_int_equal(kp_get_int(last, "leaders_moved", 0), leads);
    assert_null(kp_get(last, "rejoined"));
    assert_null(kp_get(last, "leaders"));
    cluster_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kraft_stops_take_multiples_of_the_heartbeat),
        cmocka_unit_test(a_stop_takes_longer_with_many_leaders),
        cmocka_unit_test(zookeeper_stops_are_fast_and_controllers_too),
        cmocka_unit_test(a_clean_stop_leaves_marks_and_the_list),
        cmocka_unit_test(boot_grows_with_replicas_and_with_log_recovery),
        cmocka_unit_test(a_killed_broker_stays_listed_until_its_session_ends),
        cmocka_unit_test(a_quick_restart_is_kept_out_by_the_old_session),
        cmocka_unit_test(zookeeper_mode_does_not_start_beside_its_old_session),
        cmocka_unit_test(a_start_reads_the_link_and_the_file),
        cmocka_unit_test(the_running_release_is_not_the_link),
        cmocka_unit_test(an_unpinned_newer_binary_never_rejoins),
        cmocka_unit_test(a_protocol_above_the_others_binaries_never_rejoins_either),
        cmocka_unit_test(a_rolling_bump_on_uniform_binaries_works),
        cmocka_unit_test(the_whole_cluster_pinned_upgrades),
        cmocka_unit_test(catch_up_takes_bytes_over_the_link),
        cmocka_unit_test(a_started_broker_answers_from_an_empty_cache_at_first),
        cmocka_unit_test(a_replica_waits_for_a_leader_to_fetch_from),
        cmocka_unit_test(stopping_and_starting_at_odd_moments),
        cmocka_unit_test(an_act_tells_what_its_stop_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
