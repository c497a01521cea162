/* Actions: fences, op ids, links, files, jobs, configurations; and what hosts show of them. */
#include "sim/with_sim.h"

#include <string.h>

#define KRAFT "{'topics':[{'name':'t','partitions':6}],'groups':['g','h']}"

static void one_op_id_acts_once(void **state)
{
    cluster c = cluster_of(KRAFT);
    kp_request q = { .kind = KP_A_STOP, .node = 2, .op.id = "7f3a.broker-2.1~1" };
    (void)state;
    assert_false(kp_sim_op_acted(c.sim, 2, q.op.id));
    told(&c, q);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    start(&c, 2);
    assert_true(until_in_sync(&c, 2, KP_MINUTE) >= 0);
    told(&c, q); /* taken, and does nothing */
    pass(&c, 10 * KP_SECOND);
    assert_true(kp_get_int(host_of(&c, 2), "pid", 0) > 0);
    assert_true(kp_sim_op_acted(c.sim, 2, q.op.id));
    /* on another host, or as another attempt, it is another one */
    q.node = 3;
    told(&c, q);
    q.node = 2;
    q.op.id = "7f3a.broker-2.1~2";
    told(&c, q);
    const kp_value *n = kp_sim_host_counts(c.a, c.sim, 2);
    assert_int_equal(kp_get_int(n, "stops", -1), 2);
    assert_int_equal(kp_get_int(n, "starts", -1), 1);
    assert_int_equal(kp_get_int(n, "repeated", -1), 1);
    assert_int_equal(kp_get_int(kp_sim_host_counts(c.a, c.sim, 3), "stops", -1), 1);
    assert_int_equal(kp_sim_host_counts(c.a, c.sim, 99)->type, KP_NIL);
    cluster_close(&c);
}

static void a_fence_lets_only_its_epoch_act(void **state)
{
    cluster c = cluster_of(KRAFT);
    kp_err *e;
    (void)state;
    told(&c, (kp_request) { .kind = KP_A_FENCE, .node = 2, .op.epoch = 4, .op.holder = "run-a" });
    const kp_value *f = kp_get(host_of(&c, 2), "fence");
    assert_int_equal(kp_get_int(f, "epoch", 0), 4);
    assert_string_equal(kp_get_text(f, "holder", ""), "run-a");
    told(&c, (kp_request) { .kind = KP_A_FENCE,
                            .node = 2,
                            .op.epoch = 4,
                            .op.holder = "run-a" }); /* ours already */
    static const struct {
        int64_t epoch;
        const char *holder;
    } no[] = { { 4, "run-b" }, { 3, "run-a" }, { 0, "x" } };
    for (size_t i = 0; i < KP_COUNT(no); i++) {
        e = refused(&c, (kp_request) { .kind = KP_A_FENCE,
                                       .node = 2,
                                       .op.epoch = no[i].epoch,
                                       .op.holder = no[i].holder });
        assert_int_equal(e->cls, KP_REFUSED);
        assert_string_equal(e->what, "fenced by run-a at 4");
        kp_err_drop(e);
    }
    for (int64_t epoch = 3; epoch <= 5; epoch += 2) {
        e = refused(&c,
                    (kp_request) { .kind = KP_A_STOP, .node = 2, .op.epoch = epoch, .op.id = "x" });
        assert_int_equal(e->cls, KP_REFUSED);
        kp_err_drop(e);
    }
    told(&c, (kp_request) { .kind = KP_A_STOP, .node = 2, .op.epoch = 4, .op.id = "x" });
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    kp_request other = { .kind = KP_A_FENCE, .node = 2, .op.epoch = 5, .op.holder = "run-b" };
    e = refused(&c, other); /* a higher number alone takes nothing from a run that holds it */
    assert_string_equal(e->what, "fenced by run-a at 4");
    kp_err_drop(e);
    other.fence.over = "run-a";
    told(&c, other);
    e = refused(&c, (kp_request) { .kind = KP_A_START, .node = 2, .op.epoch = 4, .op.id = "y" });
    kp_err_drop(e);
    const kp_value *n = kp_sim_host_counts(c.a, c.sim, 2);
    assert_int_equal(kp_get_int(n, "fences", -1), 2);
    assert_int_equal(kp_get_int(n, "refused", -1), 7);
    assert_int_equal(kp_get_int(n, "starts", -1), 0);
    cluster_close(&c);
}

/* As on a real host (tests/unit/live/test_host_side.c). */
static void a_stop_is_for_the_process_it_means(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    const kp_value *host = host_of(&c, 2);
    kp_request q = {
        .kind = KP_A_STOP, .node = 2, .op.id = "s1", .stop.pid = kp_get_int(host, "pid", 0) + 1
    };
    kp_err *e = refused(&c, q);
    assert_int_equal(e->cls, KP_REFUSED);
    assert_true(e->certain);
    assert_non_null(strstr(e->what, "runs in its place"));
    kp_err_drop(e);
    assert_int_equal(kp_get_int(kp_sim_host_counts(c.a, c.sim, 2), "stops", -1), 0);
    q.stop.pid--; /* the op id has acted on nothing yet */
    told(&c, q);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    cluster_close(&c);
}

/* As on a real host (tests/unit/host/test_fence.c, test_giving_back). */
static void a_host_that_is_given_back_is_nobodys(void **state)
{
    cluster c = cluster_of(KRAFT);
    kp_request fence = { .kind = KP_A_FENCE, .node = 2, .op.epoch = 5, .op.holder = "run-a" };
    kp_request back = { .kind = KP_A_UNFENCE, .node = 2, .op.epoch = 5, .op.holder = "run-a" };
    (void)state;
    fence.fence.who = "ops@a";
    kp_err *e = refused(&c, back);
    assert_non_null(strstr(e->what, "no kplay has taken this host over"));
    kp_err_drop(e);
    told(&c, fence);
    kp_ms since = kp_get_int(kp_get(host_of(&c, 2), "fence"), "since", 0);
    assert_true(since > 0 && since <= kp_now(c.w));
    static const struct {
        int64_t epoch;
        const char *holder;
    } no[] = { { 4, "run-a" }, { 6, "run-a" }, { 5, "run-b" } };
    for (size_t i = 0; i < KP_COUNT(no); i++) {
        kp_request q = back;
        q.op.epoch = no[i].epoch;
        q.op.holder = no[i].holder;
        e = refused(&c, q);
        assert_string_equal(e->what, "fenced by run-a at 5");
        kp_err_drop(e);
    }
    told(&c, back);
    told(&c, back); /* again */
    const kp_value *f = kp_get(host_of(&c, 2), "fence");
    assert_int_equal(kp_get_int(f, "epoch", 0), 5);
    assert_null(kp_get(f, "holder"));
    assert_string_equal(kp_get_text(f, "last", ""), "run-a");
    e = refused(&c, (kp_request) { .kind = KP_A_STOP, .node = 2, .op.epoch = 5, .op.id = "x" });
    assert_string_equal(e->what, "fenced: nobody holds this host since run-a gave it back at 5");
    kp_err_drop(e);
    fence.op.holder = "run-b";
    kp_err_drop(refused(&c, fence)); /* a number is used once */
    fence.op.epoch = 6;
    told(&c, fence);
    assert_string_equal(kp_get_text(kp_get(host_of(&c, 2), "fence"), "holder", ""), "run-b");
    cluster_close(&c);
}

static void a_file_is_replaced_only_if_it_is_the_one_read(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    const kp_value *f = told(&c, (kp_request) { .kind = KP_Q_FILE, .node = 2 });
    const char *sha = kp_get_text(f, "sha256", "");
    assert_string_equal(kp_get_text(f, "path", ""), "/etc/kafka/server.properties");
    assert_string_equal(sha, kp_get_text(host_of(&c, 2), "config_sha256", ""));
    assert_non_null(strstr(kp_get_text(f, "bytes", ""), "node.id=2\n"));
    kp_request q = { .kind = KP_A_FILE,
                     .node = 2,
                     .op.id = "f1",
                     .file = { .bytes = { "node.id=2\n", 10 }, .expect = "0" } };
    kp_err *e = refused(&c, q);
    assert_int_equal(e->cls, KP_REFUSED);
    kp_err_drop(e);
    q.file.expect = sha;
    told(&c, q);
    told(&c, q); /* again under the same op id: nothing, although the file is another one now */
    f = told(&c, (kp_request) { .kind = KP_Q_FILE, .node = 2 });
    assert_string_equal(kp_get_text(f, "bytes", ""), "node.id=2\n");
    assert_string_equal(kp_get_text(f, "sha256", ""), kp_sha256_hex(c.a, "node.id=2\n", 10));
    assert_string_equal(kp_get_text(host_of(&c, 2), "config_sha256", ""),
                        kp_get_text(f, "sha256", ""));
    assert_int_equal(kp_get_int(kp_get(host_of(&c, 2), "config"), "node_id", 0), 2);
    assert_int_equal(kp_get_int(kp_sim_host_counts(c.a, c.sim, 2), "files", -1), 1);
    cluster_close(&c);
}

static void many_large_files_fit_and_a_full_disk_is_said(void **state)
{
    cluster c = cluster_of(KRAFT);
    size_t n = KP_PROPERTIES_LIMIT;
    (void)state;
    char *big = kp_alloc(c.a, n + 1);
    memset(big, '#', n);
    bool full = false;
    for (int round = 0; round < 40;
         round++) { /* the old text is freed: one place more than nodes is enough */
        int node = round % 2 ? 2 : 3;
        const kp_value *f = told(&c, (kp_request) { .kind = KP_Q_FILE, .node = node });
        kp_arena *a = kp_arena_new("t", 16 << 20);
        kp_request q = { .kind = KP_A_FILE,
                         .node = node,
                         .op.id = kp_printf(c.a, "b%d", round),
                         .file = { .bytes = { big, n - 1 },
                                   .expect = kp_get_text(f, "sha256", "") } };
        kp_send(c.w, a, &q);
        kp_reply *r = kp_wait(c.w, KP_NEVER);
        full = full || r->err != NULL;
        kp_err_drop(r->err);
        kp_arena_free(a);
    }
    assert_false(full);
    for (int node = 1; node <= 3003 && !full; node = node == 3 ? 3001 : node + 1) {
        const kp_value *f = told(&c, (kp_request) { .kind = KP_Q_FILE, .node = node });
        kp_reply *r = ask(&c, (kp_request) { .kind = KP_A_FILE,
                                             .node = node,
                                             .op.id = kp_printf(c.a, "l%d", node),
                                             .file = { .bytes = { big, n - 1 },
                                                       .expect = kp_get_text(f, "sha256", "") } });
        if (r->err) {
            full = true;
            assert_int_equal(r->err->cls, KP_HOST);
            assert_non_null(strstr(r->err->what, "no space"));
        }
        kp_err_drop(r->err);
    }
    assert_true(full);
    kp_err *e = refused(&c, (kp_request) { .kind = KP_A_FILE,
                                           .node = 1,
                                           .op.id = "huge",
                                           .file = { .bytes = { big, n + 1 }, .expect = "" } });
    kp_err_drop(e);
    cluster_close(&c);
}

static void a_link_goes_to_staged_releases_only(void **state)
{
    cluster c = cluster_of("{'staged':['3.8.1'],'topics':[{'name':'t'}]}");
    (void)state;
    const kp_value *releases = kp_get(host_of(&c, 2), "releases");
    assert_int_equal(kp_len(releases), 2); /* and the one it runs */
    kp_err *e = refused(
        &c, (kp_request) { .kind = KP_A_LINK, .node = 2, .op.id = "l", .link.version = "3.9.1" });
    assert_int_equal(e->cls, KP_HOST);
    assert_non_null(strstr(e->what, "3.9.1 is not staged"));
    kp_err_drop(e);
    switch_to(&c, 2, "3.8.1");
    assert_string_equal(kp_get_text(host_of(&c, 2), "link_release", ""), "3.8.1");
    assert_string_equal(kp_get_text(host_of(&c, 3), "link_release", ""), "3.7.2");
    cluster_close(&c);
}

static void a_job_runs_detached_and_may_stage_a_release(void **state)
{
    cluster c = cluster_of("{'staged':['3.7.2'],'topics':[{'name':'t'}]}");
    (void)state;
    kp_request q = { .kind = KP_Q_JOB, .node = 2, .op.id = "unpack" };
    assert_string_equal(kp_get_text(told(&c, q), "state", ""), "none");
    told(&c,
         (kp_request) { .kind = KP_A_JOB,
                        .node = 2,
                        .op.id = "unpack",
                        .job.argv = value_of(c.a, "['tar','-xzf','/tmp/kafka_2.13-3.7.2.tgz']") });
    assert_string_equal(kp_get_text(told(&c, q), "state", ""), "running");
    pass(&c, 2 * KP_SECOND);
    const kp_value *job = told(&c, q);
    assert_string_equal(kp_get_text(job, "state", ""), "done");
    assert_int_equal(kp_get_int(job, "rc", -1), 0);
    assert_int_equal(kp_get_int(kp_sim_host_counts(c.a, c.sim, 2), "jobs", -1), 1);
    stop(&c, 2); /* any act has a claim that can be asked for */
    q.op.id = "op-1";
    assert_string_equal(kp_get_text(told(&c, q), "state", ""), "done");
    cluster_close(&c);
}

static void a_job_stages_on_its_host_when_it_has_ended(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    /* node 3001 has 3.9.1 staged, the others not: the release is known to the cluster */
    const kp_value *snapshot = value_of(
        a, "{'brokers':[{'id':1,'release':'3.7.2','staged':['3.7.2']}],"
           "'controllers':[{'id':3001,'release':'3.7.2','staged':['3.9.1']}]}");
    kp_sim *sim;
    (void)state;
    sound(kp_sim_from_snapshot(a, snapshot, &sim));
    cluster c = cluster_from(sim);
    assert_int_equal(kp_len(kp_get(host_of(&c, 1), "releases")), 1);
    told(&c,
         (kp_request) { .kind = KP_A_JOB,
                        .node = 1,
                        .op.id = "unpack",
                        .job.argv = value_of(c.a, "['tar','-xzf','/tmp/kafka_2.13-3.9.1.tgz']") });
    assert_int_equal(kp_len(kp_get(host_of(&c, 1), "releases")), 1);
    pass(&c, 2 * KP_SECOND);
    assert_int_equal(kp_len(kp_get(host_of(&c, 1), "releases")), 2);
    switch_to(&c, 1, "3.9.1");
    cluster_close(&c);
}

static const char *config(cluster *c, const char *resource, const char *name, const char *key,
                          const char *what)
{
    const kp_value *all = told(
        c, (kp_request) { .kind = KP_Q_CONFIG,
                          .node = KP_ANY_NODE,
                          .config = { .resource = resource,
                                      .names = value_of(c->a, kp_printf(c->a, "['%s']", name)) } });
    const kp_value *v = kp_get(kp_get(kp_get(all, name), key), what);
    return !v ? "(absent)" : v->type == KP_INT ? kp_printf(c->a, "%" PRId64, v->u.i) : v->u.s;
}

static void alter(cluster *c, const char *resource, const char *name, const char *edits)
{
    told(c, (kp_request) {
                .kind = KP_A_CONFIG,
                .node = KP_ANY_NODE,
                .alter = { .resource = resource, .name = name, .edits = value_of(c->a, edits) } });
}

static void dynamic_configurations_are_kept(void **state)
{
    cluster c = cluster_of(KRAFT);
    static const char throttle[] = "leader.replication.throttled.rate";
    (void)state;
    assert_string_equal(config(&c, "broker", "2", throttle, "value"), "(absent)");
    alter(&c, "broker", "2", "{'leader.replication.throttled.rate':'1000'}");
    assert_string_equal(config(&c, "broker", "2", throttle, "value"), "1000");
    assert_string_equal(config(&c, "broker", "2", throttle, "source"), "2");
    assert_string_equal(config(&c, "broker", "1", throttle, "value"), "(absent)");
    alter(&c, "broker", "2", "{'leader.replication.throttled.rate':'2000'}");
    assert_string_equal(config(&c, "broker", "2", throttle, "value"), "2000");
    alter(&c, "broker", "2", "{'leader.replication.throttled.rate':false}");
    assert_string_equal(config(&c, "broker", "2", throttle, "value"), "(absent)");
    alter(&c, "broker", "", "{'log.retention.ms':'5'}");
    assert_string_equal(config(&c, "broker", "3", "log.retention.ms", "source"), "3");
    assert_string_equal(config(&c, "broker", "3", "node.id", "value"), "3");
    assert_string_equal(config(&c, "broker", "3", "node.id", "source"), "4");

    assert_string_equal(config(&c, "topic", "t", "min.insync.replicas", "value"), "2");
    assert_string_equal(config(&c, "topic", "t", "min.insync.replicas", "source"), "1");
    alter(&c, "topic", "t", "{'retention.ms':'7','unclean.leader.election.enable':'true'}");
    assert_string_equal(config(&c, "topic", "t", "retention.ms", "value"), "7");
    assert_string_equal(config(&c, "topic", "t", "unclean.leader.election.enable", "value"),
                        "true");
    assert_int_equal(view_of(&c, 1)->flags[0], KP_PART_UNCLEAN);
    kp_err *e = refused(
        &c, (kp_request) { .kind = KP_Q_CONFIG,
                           .node = KP_ANY_NODE,
                           .config = { .resource = "topic", .names = value_of(c.a, "['nope']") } });
    kp_err_drop(e);
    const kp_value *all = told(
        &c, (kp_request) { .kind = KP_Q_CONFIG,
                           .node = KP_ANY_NODE,
                           .config = { .resource = "topic",
                                       .keys = value_of(c.a, "['min.insync.replicas']") } });
    assert_int_equal(kp_len(all), 1);
    assert_int_equal(kp_len(kp_get(all, "t")), 1);
    cluster_close(&c);
}

static void groups_commit_as_they_read(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    const kp_value *groups = told(&c, (kp_request) { .kind = KP_Q_GROUPS, .node = KP_ANY_NODE });
    assert_int_equal(kp_len(groups), 2);
    assert_string_equal(kp_get_text(kp_at(groups, 0), "group", ""), "g");
    kp_request q = { .kind = KP_Q_LAG, .node = KP_ANY_NODE, .lag.groups = value_of(c.a, "['h']") };
    const kp_value *before = told(&c, q);
    assert_int_equal(kp_len(before), 1);
    pass(&c, KP_MINUTE);
    const kp_value *after = told(&c, q);
    const kp_value *was = kp_get(kp_get(kp_get(before, "h"), "topics"), "t"),
                   *is = kp_get(kp_get(kp_get(after, "h"), "topics"), "t");
    assert_int_equal(kp_len(is), 3 * 6);
    assert_true(kp_as_int(kp_at(is, 1), 0) > kp_as_int(kp_at(was, 1), 0));
    assert_int_equal(kp_as_int(kp_at(is, 1), 0), kp_as_int(kp_at(is, 2), -1));
    cluster_close(&c);
}

static int64_t lag_of(cluster *c, const char *group)
{
    const kp_value *all = told(c, (kp_request) { .kind = KP_Q_LAG, .node = KP_ANY_NODE }),
                   *t = kp_get(kp_get(kp_get(all, group), "topics"), "t");
    return kp_as_int(kp_at(t, 2), -1) - kp_as_int(kp_at(t, 1), -1);
}

static void a_stalled_group_falls_behind(void **state)
{
    cluster c = cluster_of(
        "{'topics':[{'name':'t','partitions':6}],'groups':['g'],'stalled':['h']}");
    (void)state;
    pass(&c, KP_MINUTE);
    int64_t first = lag_of(&c, "h");
    pass(&c, KP_MINUTE);
    assert_int_equal(lag_of(&c, "g"), 0);
    assert_true(first > 0 && lag_of(&c, "h") > first);
    cluster_close(&c);
}

static void ghost_controllers_are_registered_and_follow_nobody(void **state)
{
    static const struct {
        const char *spec;
        size_t n; /* 0: nobody tells */
    } rows[] = { { "{'ghost_controllers':[9]}", 4 },
                 { "{'mode':'combined','ghost_controllers':[9]}", 4 },
                 { "{'metadata_version':'14'}", 0 },
                 { "{'mode':'zookeeper'}", 0 } };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        cluster c = cluster_of(rows[i].spec);
        const kp_value *all = told(&c,
                                   (kp_request) { .kind = KP_Q_CONTROLLERS, .node = KP_ANY_NODE });
        assert_int_equal(kp_is(all, KP_LIST), rows[i].n > 0);
        assert_int_equal(kp_len(all), rows[i].n);
        if (rows[i].n)
            assert_int_equal(kp_get_int(kp_at(all, 3), "id", -1), 9);
        cluster_close(&c);
    }
}

static const kp_value *registered(cluster *c)
{
    return told(c, (kp_request) { .kind = KP_Q_REGISTERED, .node = KP_ANY_NODE });
}

static void a_fenced_broker_is_unregistered_and_registers_again(void **state)
{
    cluster c = cluster_of("{'release':'4.0.1','topics':[{'name':'t','partitions':6}]}");
    kp_request q = { .kind = KP_A_UNREGISTER, .node = KP_ANY_NODE, .unregister.broker = 3 };
    (void)state;
    assert_int_equal(kp_len(registered(&c)), 3);
    assert_false(kp_get_bool(kp_at(registered(&c), 2), "fenced", true));
    kp_err_drop(refused(&c, q)); /* alive */
    stop(&c, 3);
    until_off(&c, 3, KP_MINUTE);
    pass(&c, KP_MINUTE);
    assert_true(kp_get_bool(kp_at(registered(&c), 2), "fenced", false));
    told(&c, q);
    assert_int_equal(kp_len(registered(&c)), 2);
    kp_err *e = refused(&c, q);
    assert_non_null(strstr(e->what, "BROKER_ID_NOT_REGISTERED (102)"));
    kp_err_drop(e);
    sound(kp_sim_audit(c.sim));
    start(&c, 3);
    pass(&c, KP_MINUTE);
    assert_int_equal(kp_len(registered(&c)), 3);
    cluster_close(&c);
}

static void a_ghost_holds_nothing_and_is_registered(void **state)
{
    cluster c = cluster_of("{'release':'4.0.1','ghosts':[9,0],"
                           "'topics':[{'name':'t','partitions':60}]}");
    (void)state;
    assert_int_equal(kp_len(registered(&c)), 5);
    assert_int_equal(kp_get_int(kp_at(registered(&c), 0), "id", -1), 0);
    assert_true(kp_get_bool(kp_at(registered(&c), 0), "fenced", false));
    assert_true(kp_get_bool(kp_at(registered(&c), 4), "fenced", false));
    const kp_view *v = view_of(&c, 1);
    assert_int_equal(v->counts.urp, 0);
    assert_int_equal(kp_len(kp_get(kp_sim_oracle(c.a, c.sim), "first")), 0);
    told(&c, (kp_request) { .kind = KP_A_UNREGISTER, .node = KP_ANY_NODE, .unregister.broker = 0 });
    assert_int_equal(kp_len(registered(&c)), 4);
    sound(kp_sim_audit(c.sim));
    cluster_close(&c);
}

static void who_is_fenced_is_not_told_before_4_0(void **state)
{
    static const char *const of[] = { "{'release':'3.9.1'}",
                                      "{'mode':'zookeeper','release':'3.4.1'}" };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(of); i++) {
        cluster c = cluster_of(of[i]);
        assert_true(kp_is(registered(&c), KP_NIL));
        cluster_close(&c);
    }
}

static void what_a_host_shows_has_the_shape_of_world_h(void **state)
{
    cluster c = cluster_of(KRAFT);
    static const char *const keys[] = {
        "boot_id",  "pid",          "start_time", "process", "config",     "running_release",
        "link",     "link_release", "releases",   "dirs",    "clean_dirs", "config_sha256",
        "log_size", "signs",        "service",    "fence",   "free",       "dirs_by",
        "log_dirs"
    };
    (void)state;
    const kp_value *h = host_of(&c, 2);
    for (size_t i = 0; i < KP_COUNT(keys); i++)
        if (!kp_get(h, keys[i]))
            print_error("no %s\n", keys[i]);
    assert_int_equal(kp_len(h), KP_COUNT(keys));
    const kp_value *p = kp_get(h, "process"), *f = kp_get(h, "config");
    assert_string_equal(kp_get_text(p, "config", ""), "/etc/kafka/server.properties");
    assert_int_equal(kp_get_int(p, "node_id", 0), 2);
    assert_int_equal(kp_get_int(f, "node_id", 0), 2);
    assert_string_equal(kp_get_text(p, "cluster_id", "x"), view_of(&c, 1)->cluster_id);
    assert_string_equal(kp_get_text(f, "cluster_id", "x"), view_of(&c, 1)->cluster_id);
    assert_int_equal(strlen(view_of(&c, 1)->cluster_id), 22);
    assert_null(
        kp_get(told(&c, (kp_request) { .kind = KP_Q_HOST, .node = 2, .host.since = -1 }), "signs"));
    assert_int_equal(kp_len(told(&c, (kp_request) { .kind = KP_Q_GRANTS, .node = 2 })), 0);
    const char *boot = kp_get_text(h, "boot_id", "");
    restart(&c, 2);
    assert_string_equal(kp_get_text(host_of(&c, 2), "boot_id", ""), boot);
    assert_true(kp_get_int(host_of(&c, 2), "start_time", 0) > kp_get_int(h, "start_time", -1));
    cluster_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_op_id_acts_once),
        cmocka_unit_test(a_fence_lets_only_its_epoch_act),
        cmocka_unit_test(a_stop_is_for_the_process_it_means),
        cmocka_unit_test(a_host_that_is_given_back_is_nobodys),
        cmocka_unit_test(a_file_is_replaced_only_if_it_is_the_one_read),
        cmocka_unit_test(many_large_files_fit_and_a_full_disk_is_said),
        cmocka_unit_test(a_link_goes_to_staged_releases_only),
        cmocka_unit_test(a_job_runs_detached_and_may_stage_a_release),
        cmocka_unit_test(a_job_stages_on_its_host_when_it_has_ended),
        cmocka_unit_test(dynamic_configurations_are_kept),
        cmocka_unit_test(groups_commit_as_they_read),
        cmocka_unit_test(a_stalled_group_falls_behind),
        cmocka_unit_test(ghost_controllers_are_registered_and_follow_nobody),
        cmocka_unit_test(a_fenced_broker_is_unregistered_and_registers_again),
        cmocka_unit_test(a_ghost_holds_nothing_and_is_registered),
        cmocka_unit_test(who_is_fenced_is_not_told_before_4_0),
        cmocka_unit_test(what_a_host_shows_has_the_shape_of_world_h),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
