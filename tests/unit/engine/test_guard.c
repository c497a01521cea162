/* Every row of the guard made to refuse on a simulated cluster; the override of those that take
 * one, journaled with its reason; and none for the hard ones. */
#include "engine/with_ahead_rows.h"
#include "engine/with_twist.h"

#include <stdio.h>
#include <string.h>

#include "engine/run.h"

#define EVERYTHING                                                                                 \
    (KP_G_BROKER_RESTART | KP_G_CONTROLLER_RESTART | KP_G_RELEASE_SWITCH | KP_G_RELEASE_STAGE |    \
     KP_G_CONFIG_FILE)
#define KRAFT "\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\""
#define ZK "\"mode\":\"zookeeper\",\"brokers\":3,"
#define NO_TOPICS ",\"topics\":[]"
#define TOPIC(rf, min, more)                                                                       \
    ",\"topics\":[{\"name\":\"t\",\"partitions\":6,\"rf\":" rf ",\"min_isr\":" min more "}]"

typedef struct verb_call {
    const char *verb, *args;
} verb_call;

typedef struct guard_row {
    const char *row, *says;
    const char *spec;
    twist t[2];
    verb_call before[3]; /* done first, without the twist */
    verb_call last;      /* refused */
    kp_guard_level level;
    const char *config; /* what the inventory says of broker 2's layout.config; NULL: the truth */
    const char *fault;
    kp_maybe_id left_out; /* of the inventory */
    bool alone;           /* overriding it lets the call through */
    bool bent;            /* from the beginning */
} guard_row;

#define STOP                                                                                       \
    {                                                                                              \
        "stop_broker", "[2]"                                                                       \
    }
#define DOWN_2                                                                                     \
    {                                                                                              \
        STOP                                                                                       \
    }

static const guard_row rows[] = {
    { .row = "identity",
      .says = "the inventory says /etc/other.properties",
      .spec = "{" KRAFT NO_TOPICS "}",
      .config = "/etc/other.properties",
      .last = STOP },
    { .row = "identity",
      .says = "is node 9, not 2",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_HOST, 2, "process", "{\"node_id\":9}" } },
      .last = STOP },
    { .row = "identity", /* it became another one after the first action */
      .says = "refused before stopping broker 2: the process on",
      .spec = "{" KRAFT NO_TOPICS "}",
      .before = { { "set_properties", "[3,{\"num.io.threads\":\"9\"}]" } },
      .t = { { KP_Q_HOST, 2, "process", "{\"node_id\":9}" } },
      .last = STOP },
    { .row = "identity", /* another node's, which the run has not come to yet */
      .says = "refused before the first action: the process on",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_HOST, 3, "process", "{\"node_id\":2}" } },
      .last = STOP },
    { .row = "cluster-id",
      .says = "belongs to cluster other",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_HOST, 2, "process", "{\"node_id\":2,\"cluster_id\":\"other\"}" } },
      .last = STOP },
    { .row = "listener",
      .says = "runs and does not answer on",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_NODE, 2, NULL, NULL } },
      .last = STOP },
    { .row = "listener",
      .says = "is of cluster other",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_NODE, 2, "cluster_id", "\"other\"" } },
      .last = STOP },
    { .row = "release",
      .says = "broker 2 has the jars of 3.7.2 and answers as 3.6",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_NODE, 2, "release", "\"3.6\"" } },
      .last = STOP,
      .alone = true },
    /* A cluster that migrates: brokers in ZooKeeper mode, and a quorum. */
    { .row = "quorum",
      .says = "only 1 of 3 controllers would remain",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_NODE, 0, "mode", "\"hybrid\"" } },
      .bent = true,
      .fault = "{\"fault\":\"crash\",\"node\":3003}",
      .last = { "stop_controller", "[3001]" } },
    { .row = "quorum",
      .says = "the controller quorum has no leader",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_NODE, 0, "mode", "\"hybrid\"" }, { KP_Q_QUORUM, 0, "leader", "-1" } },
      .bent = true,
      .last = STOP },
    { .row = "offline",
      .says = "would have no leader (replication factor 1)",
      .spec = "{" KRAFT TOPIC("1", "1", "") "}",
      .last = STOP },
    { .row = "min-isr",
      .says = "would fall below min.insync.replicas",
      .spec = "{" KRAFT TOPIC("2", "2", "") "}",
      .last = STOP,
      .alone = true },
    /* a change of a topic reaches the brokers at different times: the stricter answer counts */
    { .row = "min-isr",
      .says = "would fall below min.insync.replicas",
      .spec = "{" KRAFT TOPIC("3", "2", "") "}",
      .t = { { KP_Q_VIEW, 2, "min_isr", "3" } },
      .last = STOP,
      .alone = true },
    { .row = "min-isr",
      .says = "min.insync.replicas of 6 partitions is not known",
      .spec = "{" KRAFT TOPIC("3", "2", "") "}",
      .t = { { KP_Q_VIEW, 2, "min_isr", "0" } },
      .last = STOP,
      .alone = true },
    { .row = "unclean-election",
      .says = "allow unclean leader election",
      .spec = "{" KRAFT TOPIC("3", "2", "") "}",
      .t = { { KP_Q_VIEW, 2, "flags", "1" } },
      .last = STOP,
      .alone = true },
    { .row = "unclean-election",
      .says = "allow unclean leader election",
      .spec = "{" KRAFT TOPIC("3", "2", ",\"unclean\":true") "}",
      .last = STOP,
      .alone = true },
    { .row = "under-replicated",
      .says = "are under-replicated",
      .spec = "{" KRAFT TOPIC("3", "1", "") "}",
      .fault = "{\"fault\":\"does_not_rejoin\",\"node\":3,\"start\":1}",
      .before = { { "stop_broker", "[3]" }, { "start_broker", "[3]" } },
      .last = STOP,
      .alone = true },
    { .row = "under-replicated",
      .says = "worse than when the run began",
      .spec = "{" KRAFT TOPIC("3", "1", "") "}",
      .fault = "{\"fault\":\"does_not_rejoin\",\"node\":3,\"start\":1}",
      .before = { { "stop_broker", "[3]" }, { "start_broker", "[3]" } },
      .last = STOP,
      .level = KP_GUARD_HEALTHY,
      .alone = true },
    { .row = "topic-error",
      .says = "1 topic: brokers answer with an error",
      .spec = "{" KRAFT TOPIC("3", "2", "") "}",
      .t = { { KP_Q_VIEW, 0, "bad", "29" } },
      .last = STOP,
      .alone = true },
    { .row = "leader-listener",
      .says = "6 partitions: the leader has no listener",
      .spec = "{" KRAFT TOPIC("3", "2", "") "}",
      .t = { { KP_Q_VIEW, 2, "flags", "2" } },
      .last = STOP,
      .alone = true },
    { .row = "node-down",
      .says = "broker 3 is down",
      .spec = "{" KRAFT NO_TOPICS ",\"faults\":[{\"fault\":\"crash\",\"node\":3}]}",
      .last = STOP,
      .alone = true },
    { .row = "node-down",
      .says = "broker 3 does not answer",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_NODE, 3, NULL, NULL } },
      .last = STOP,
      .alone = true },
    { .row = "reassignment",
      .says = "1 partition is being reassigned",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_REASSIGNMENTS, 0, NULL, "[{\"topic\":\"t\",\"partition\":0}]" } },
      .last = STOP,
      .alone = true },
    { .row = "reassignment",
      .says = "running reassignments cannot be listed",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_REASSIGNMENTS, 0, NULL, NULL } },
      .last = STOP,
      .alone = true },
    { .row = "quorum",
      .says = "only 1 of 3 controllers would remain caught up; a majority is 2",
      .spec = "{" KRAFT NO_TOPICS ",\"faults\":[{\"fault\":\"crash\",\"node\":3002}]}",
      .last = { "stop_controller", "[3003]" } },
    { .row = "quorum", /* it was caught up a moment ago, before we stopped it */
      .says = "only 1 of 3 controllers would remain caught up; a majority is 2",
      .spec = "{" KRAFT NO_TOPICS "}",
      .before = { { "stop_controller", "[3002]" } },
      .last = { "stop_controller", "[3003]" } },
    { .row = "quorum", /* it answers, and has not caught up */
      .says = "only 1 of 3 controllers would remain caught up; a majority is 2",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_QUORUM, 0, "voters",
               "[{\"id\":3001,\"caught_up_ms\":0},{\"id\":3002,\"caught_up_ms\":60000},"
               "{\"id\":3003,\"caught_up_ms\":0}]" } },
      .last = { "stop_controller", "[3003]" } },
    { .row = "quorum",
      .says = "it is the only controller",
      .spec = "{\"brokers\":3,\"controllers\":1,\"release\":\"3.7.2\"" NO_TOPICS "}",
      .last = { "stop_controller", "[3001]" } },
    { .row = "quorum",
      .says = "the controller quorum does not answer",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_QUORUM, 0, NULL, NULL } },
      .last = STOP },
    { .row = "quorum",
      .says = "the controller quorum has no leader",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_QUORUM, 0, "leader", "-1" } },
      .last = STOP },
    { .row = "one-controller",
      .says = "the brokers do not agree on the controller",
      .spec = "{" ZK "\"release\":\"3.4.1\",\"ibp\":\"3.4\"" NO_TOPICS "}",
      .t = { { KP_Q_NODE, 3, "controller", "3" }, { KP_Q_NODE, 1, "controller", "1" } },
      .last = STOP,
      .alone = true },
    { .row = "staged",
      .says = "release 3.9.1 is not staged on",
      .spec = "{" KRAFT NO_TOPICS ",\"staged\":[\"3.7.2\"]}",
      .before = DOWN_2,
      .last = { "switch_release", "[2,\"3.9.1\"]" } },
    { .row = "staged", /* the jar that a start looks for first is not there */
      .says = "is only half unpacked: kafka_2.13-3.9.1.jar is missing",
      .spec = "{" KRAFT NO_TOPICS "}",
      .before = DOWN_2,
      .t = { { KP_Q_HOST, 2, "releases_partial", "{\"3.9.1\":\"kafka_2.13-3.9.1.jar\"}" } },
      .last = { "switch_release", "[2,\"3.9.1\"]" } },
    { .row = "supports-features",
      .says = "release 3.6 knows only up to 14",
      .spec = "{" KRAFT NO_TOPICS ",\"staged\":[\"3.7.2\",\"3.6.2\"]}",
      .before = DOWN_2,
      .last = { "switch_release", "[2,\"3.6.2\"]" } },
    { .row = "supports-features",
      .says = "release 4.0 needs at least 7",
      .spec = "{" KRAFT NO_TOPICS ",\"metadata_version\":\"5\",\"staged\":[\"3.7.2\",\"4.0.0\"]}",
      .before = DOWN_2,
      .last = { "switch_release", "[2,\"4.0.0\"]" } },
    { .row = "supports-ibp",
      .says = "release 3.3 does not know inter.broker.protocol.version=3.4",
      .spec = "{" ZK "\"release\":\"3.4.1\",\"ibp\":\"3.4\"" NO_TOPICS
              ",\"staged\":[\"3.4.1\",\"3.3.2\"]}",
      .before = { STOP },
      .t = { { KP_Q_HOST, 2, "link_release", "\"3.3.2\"" } },
      .last = { "start_broker", "[2]" } },
    { .row = "needs-kraft",
      .says = "release 4.0.0 has no ZooKeeper mode",
      .spec = "{" ZK "\"release\":\"3.9.1\",\"ibp\":\"3.9\"" NO_TOPICS
              ",\"staged\":[\"3.9.1\",\"4.0.0\"]}",
      .before = DOWN_2,
      .last = { "switch_release", "[2,\"4.0.0\"]" } },
    { .row = "ibp-pinned",
      .says = "is not set and release 3.7 would speak its newest, above broker",
      .spec = "{" ZK "\"release\":\"3.4.1\"" NO_TOPICS ",\"staged\":[\"3.4.1\",\"3.7.2\"]}",
      .before = { STOP, { "switch_release", "[2,\"3.7.2\"]" } },
      .last = { "start_broker", "[2]" } },
    { .row = "config-unchanged",
      .says = "was changed by someone after kplay's edit",
      .spec = "{" KRAFT NO_TOPICS "}",
      .before = { STOP, { "set_properties", "[2,{\"num.io.threads\":\"9\"}]" } },
      .t = { { KP_Q_FILE, 2, "sha256", "\"beef\"" } },
      .last = { "start_broker", "[2]" } },
    { .row = "all-upgraded",
      .says = "runs 3.4, it takes 3.7",
      .spec = "{" ZK "\"release\":\"3.4.1\",\"ibp\":\"3.4\"" NO_TOPICS "}",
      .last = { "set_ibp", "[2,\"3.7\"]" } },
    { .row = "leaderless",
      .says = "6 partitions have no leader",
      .spec = "{" KRAFT TOPIC("3", "1", "") "}",
      .t = { { KP_Q_VIEW, 0, "leader", "255" } },
      .last = STOP,
      .alone = true },
    { .row = "unlisted",
      .says = "is live and not in the cluster file",
      .spec = "{" KRAFT NO_TOPICS "}",
      .left_out = { true, 3 },
      .last = STOP,
      .alone = true },
    { .row = "voters",
      .says = "controller 3003 is no voter of the quorum",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_QUORUM, 0, "voters",
               "[{\"id\":3001,\"caught_up_ms\":0},{\"id\":3002,\"caught_up_ms\":0}]" } },
      .last = STOP,
      .alone = true },
    { .row = "voters",
      .says = "controller 9 votes in the quorum and is not in the cluster file",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_QUORUM, 0, "voters",
               "[{\"id\":9},{\"id\":3001},{\"id\":3002},{\"id\":3003}]" } },
      .last = STOP,
      .alone = true },
    { .row = "identity",
      .says = "answers on broker2:9092, and no process of it runs on broker2",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_HOST, 2, "pid", "0" } },
      .last = { "stop_broker", "[3]" } },
    { .row = "log-dirs",
      .says = "the log dirs of broker 2 are not known",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_HOST, 2, "dirs", "0" } },
      .last = STOP },
    { .row = "config-in-release",
      .says = "lies inside the release kafka_2.13-3.7.2",
      .spec = "{" KRAFT NO_TOPICS "}",
      .before = DOWN_2,
      .t = { { KP_Q_HOST, 2, "config", "{\"path_inside_release\":\"kafka_2.13-3.7.2\"}" } },
      .last = { "switch_release", "[2,\"3.9.1\"]" } },
    { .row = "config",
      .says = "server.properties of broker 2: log.dirs is empty",
      .spec = "{" KRAFT NO_TOPICS "}",
      .before = DOWN_2,
      .t = { { KP_Q_HOST, 2, "config",
               "{\"problems\":[{\"what\":\"log.dirs is empty\",\"stops\":true}]}" } },
      .last = { "switch_release", "[2,\"3.9.1\"]" },
      .alone = true },
    { .row = "proof",
      .says = "release 3.9.1 would not start broker 2: no such key",
      .spec = "{" KRAFT NO_TOPICS "}",
      .before = DOWN_2,
      .t = { { KP_Q_PROOF, 2, NULL, "{\"kind\":\"config\",\"problem\":\"no such key\"}" } },
      .last = { "switch_release", "[2,\"3.9.1\"]" },
      .alone = true },
    { .row = "fresh-view",
      .says = "the state of the partitions is unknown: only broker",
      .spec = "{" KRAFT NO_TOPICS "}",
      .t = { { KP_Q_VIEW, 2, NULL, NULL }, { KP_Q_VIEW, 3, NULL, NULL } },
      .last = { "stop_controller", "[3003]" } },
};

static const guard_row *now;
static const kp_value *accepts; /* policy.accept; NULL: nothing */

static kp_err *play_row(kp_run *r, const kp_value *args)
{
    (void)args;
    for (size_t i = 0; i < KP_COUNT(now->before) && now->before[i].verb; i++)
        TEST_TRY(call(r, now->before[i].verb, now->before[i].args, NULL));
    twist_on(true);
    return call(r, now->last.verb, now->last.args, NULL);
}

static const kp_guard_row *table_row(const char *name)
{
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++)
        if (kp_streq(row->name, name))
            return row;
    return NULL;
}

static kp_err *run_row(bench *b, const guard_row *row, const kp_override *force,
                       const kp_value **ret_report)
{
    static const test_script script = { .part = { NULL, play_row }, .effects = EVERYTHING };
    const kp_value *fault;

    now = row;
    the_script = &script;
    bench_open(b, row->spec, NULL);
    kp_inventory *inv = kp_memdup(b->a, b->spec.inventory, sizeof *b->spec.inventory);
    inv->guard = row->level;
    inv->accept = accepts ? kp_value_copy(b->a, accepts) : inv->accept;
    if (row->config) {
        kp_node *nodes = kp_memdup(b->a, inv->nodes, inv->n_nodes * sizeof *inv->nodes);
        for (uint32_t i = 0; i < inv->n_nodes; i++)
            if (nodes[i].id == 2)
                nodes[i].layout.config = row->config;
        inv->nodes = nodes;
    }
    if (row->left_out.is) {
        kp_node *nodes = KP_NEW_ARRAY(b->a, inv->n_nodes, kp_node);
        uint32_t n = 0;
        for (uint32_t i = 0; i < inv->n_nodes; i++)
            if (!kp_is_node(row->left_out, inv->nodes[i].id))
                nodes[n++] = inv->nodes[i];
        inv->nodes = nodes;
        inv->n_nodes = n;
    }
    b->spec.inventory = inv;
    if (row->fault) {
        assert_null(kp_json_read(b->a, row->fault, strlen(row->fault), &fault));
        assert_null(kp_sim_fault(b->sim, fault));
    }
    size_t n = 0;
    while (n < KP_COUNT(row->t) && (row->t[n].json || row->t[n].kind || row->t[n].node))
        n++;
    twist_into(b, row->t, n);
    twist_on(row->bent);
    b->spec.overrides = force;
    b->spec.n_overrides = force ? 1 : 0;
    return bench_run(b, ret_report);
}

static int64_t acts_of(bench *b, const guard_row *row)
{
    const kp_value *list = kp_sim_acts(b->a, b->sim);
    int64_t n = 0;
    for (size_t i = 0; i < kp_len(list); i++)
        n += !kp_ends_with(kp_get_text(kp_at(list, i), "act", ""), "fence"); /* and unfence */
    for (size_t i = 0; i < KP_COUNT(row->before) && row->before[i].verb; i++)
        n--;
    return n;
}

static void refused(const guard_row *row, kp_err *e, bench *b)
{
    char line[64];
    snprintf(line, sizeof line, "guard %s%s\n", row->row,
             table_row(row->row)->hard ? " (takes no override)" : "");
    if (!e || e->cls != KP_SAFETY || !strstr(e->what, row->says) || !strstr(e->detail, line))
        print_error("%s: %s\n%s%s\n", row->row, row->says, e ? e->what : "not refused",
                    e ? e->detail : "");
    assert_non_null(e);
    assert_int_equal(e->cls, KP_SAFETY);
    assert_non_null(strstr(e->what, "refused before "));
    assert_non_null(strstr(e->what, row->says));
    assert_non_null(strstr(e->detail, line));
    assert_true(*e->next);
    assert_int_equal(acts_of(b, row), 0);
}

static void every_row_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        bench b = { 0 };
        const kp_value *report;
        kp_err *e = run_row(&b, &rows[i], NULL, &report);
        refused(&rows[i], e, &b);
        kp_err_drop(e);
        bench_close(&b);
    }
}

static kp_err *find_nothing(kp_run *r, const kp_value *args)
{
    const kp_value *found;
    (void)args;
    TEST_TRY(call(r, "findings", "[{\"to\":\"3.9.1\"}]", &found));
    if (kp_len(found))
        print_error("%s\n", kp_json_text(r->a, found));
    assert_int_equal(kp_len(found), 0);
    return NULL;
}

static void a_sound_cluster_has_none(void **state)
{
    static const test_script script = { .part = { NULL, find_nothing } };
    static const char *const specs[] = { "{" KRAFT TOPIC("3", "2", "") "}",
                                         "{" ZK "\"release\":\"3.7.2\"" TOPIC("3", "2", "") "}",
                                         "{\"mode\":\"combined\",\"first_id\":0}" };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(specs); i++) {
        bench b = { 0 };
        the_script = &script;
        bench_open(&b, specs[i], NULL);
        assert_null(bench_run(&b, NULL));
        bench_close(&b);
    }
}

static void no_row_is_left_out(void **state)
{
    (void)state;
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++) {
        bool seen = false;
        for (size_t i = 0; i < KP_COUNT(rows); i++)
            seen = seen || kp_streq(rows[i].row, row->name);
        for (size_t i = 0; i < n_ahead_rows; i++)
            seen = seen || kp_streq(ahead_rows[i].row, row->name);
        if (!seen)
            print_error("%s is not tried\n", row->name);
        assert_true(seen);
    }
}

static void hard_rows_take_no_override(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        if (!table_row(rows[i].row)->hard)
            continue;
        bench b = { 0 };
        const kp_value *report;
        kp_override force = { rows[i].row, "I know better" };
        kp_err *e = run_row(&b, &rows[i], &force, &report);
        refused(&rows[i], e, &b);
        kp_err_drop(e);
        bench_close(&b);
    }
}

static void the_others_do_and_it_is_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        if (table_row(rows[i].row)->hard)
            continue;
        bench b = { 0 };
        const kp_value *report;
        const char *row = rows[i].row;
        kp_override force = { row, "I know better" };
        assert_true(rows[i].alone);
        kp_err *e = run_row(&b, &rows[i], &force, &report);
        if (e)
            print_error("%s: %s\n%s\n", row, e->what, e->detail);
        assert_null(e);
        const kp_value *list = kp_get(report, "overrides");
        assert_int_equal(kp_len(list), 1);
        assert_string_equal(kp_get_text(kp_at(list, 0), "guard", ""), row);
        assert_string_equal(kp_get_text(kp_at(list, 0), "reason", ""), "I know better");
        assert_non_null(strstr(kp_get_text(kp_at(list, 0), "was", ""), rows[i].says));
        assert_int_equal(acts_of(&b, &rows[i]), 1);
        bench_close(&b);
    }
}

static void an_override_covers_its_own_row_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        bench b = { 0 };
        const kp_value *report;
        bool same = kp_streq(rows[i].row, "node-down");
        kp_override force = { same ? "min-isr" : "node-down", "I know better" };
        kp_err *e = run_row(&b, &rows[i], &force, &report);
        refused(&rows[i], e, &b);
        kp_err_drop(e);
        bench_close(&b);
    }
}

/* A bench's journal is in memory; this one is read back from disk. */
static void an_override_is_journaled_with_its_reason(void **state)
{
    static const test_script script = { .part = { NULL, play_row }, .effects = EVERYTHING };
    bench b = { 0 };
    kp_override force = { "min-isr", "the topic is a cache" };
    kp_journal *j;
    int found = 0;
    (void)state;
    for (now = rows; !kp_streq(now->row, "min-isr"); now++)
        ;
    the_script = &script;
    make_runs(&b);
    bench_open(&b, now->spec, NULL);
    twist_into(&b, NULL, 0);
    b.spec.overrides = &force;
    b.spec.n_overrides = 1;
    assert_null(bench_run(&b, NULL));
    assert_null(kp_journal_open(b.a, &kp_disk_real, b.runs, bench_only_run(&b), &j));
    for (int64_t i = 1; i <= kp_journal_n(j); i++) {
        const kp_value *o = kp_get(kp_journal_at(j, i)->body, "override");
        if (!o)
            continue;
        found++;
        assert_string_equal(kp_get_text(o, "guard", ""), "min-isr");
        assert_string_equal(kp_get_text(o, "reason", ""), "the topic is a cache");
        assert_int_equal(kp_journal_at(j, i + 1)->kind, KP_K_INTENT); /* before it acts */
    }
    assert_int_equal(found, 1);
    kp_journal_free(j);
    remove_runs(&b);
    bench_close(&b);
}

static kp_err *stop_in_a_dead_rack(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "set_properties", "[1,{\"num.io.threads\":\"9\"}]", NULL)); /* fences */
    TEST_TRY(call(r, "sleep", "[\"5500ms\"]", NULL));
    return call(r, "stop_broker", "[1]", NULL);
}

/* Twenty brokers that are silent, and overridden, must not push the hard row out of sight. */
static void many_findings_hide_no_hard_one(void **state)
{
    static const test_script script = { .part = { NULL, stop_in_a_dead_rack },
                                        .effects = EVERYTHING };
    bench b = { 0 };
    kp_override force = { "node-down", "I know better" };
    (void)state;
    the_script = &script;
    bench_open(
        &b,
        "{\"brokers\":40,\"controllers\":3,\"release\":\"3.7.2\",\"racks\":[\"a\",\"b\"],"
        "\"topics\":[{\"name\":\"single\",\"partitions\":40,\"rf\":1}],\"faults\":[{\"fault\":"
        "\"rack_loss\",\"rack\":\"b\",\"at\":\"5s\"}]}",
        NULL);
    b.spec.overrides = &force;
    b.spec.n_overrides = 1;
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    if (!strstr(e->what, "would have no leader"))
        print_error("%s\n%s\n", e->what, e->detail);
    assert_int_equal(e->cls, KP_SAFETY);
    assert_non_null(strstr(e->what, "would have no leader"));
    assert_non_null(strstr(e->detail, "takes no override"));
    kp_err_drop(e);
    bench_close(&b);
}

/* ---- what policy.accept names ---- */

static void what_is_accepted_by_name_is_left_out(void **state)
{
    static const char *const of_topics[] = { "offline",          "min-isr",     "unclean-election",
                                             "under-replicated", "topic-error", "leader-listener",
                                             "leaderless" };
    KP_AUTO_ARENA a = kp_arena_new("accepted", 1 << 20);
    static const char json[] = "[{\"topic\":\"t\",\"why\":\"test\"},"
                               "{\"topic\":\"secret\",\"why\":\"test\"}]";
    size_t tried = 0;
    (void)state;
    assert_null(kp_json_read(a, json, strlen(json), &accepts));
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        size_t k = 0;
        while (k < KP_COUNT(of_topics) && !kp_streq(rows[i].row, of_topics[k]))
            k++;
        if (k == KP_COUNT(of_topics) || rows[i].level != KP_GUARD_STRICT)
            continue;
        bench b = { 0 };
        const kp_value *report;
        tried++;
        kp_err *e = run_row(&b, &rows[i], NULL, &report);
        if (e)
            print_error("%s: %s\n%s\n", rows[i].row, e->what, e->detail);
        assert_null(e);
        assert_int_equal(acts_of(&b, &rows[i]), 1);
        const kp_value *lost = kp_at(kp_get(report, "accepted"), 0);
        if (kp_streq(rows[i].row, "offline")) /* it is lost all the same, and said */
            assert_non_null(strstr(kp_get_text(lost, "accepted", ""), "no leader meanwhile"));
        bench_close(&b);
    }
    assert_true(tried >= KP_COUNT(of_topics));
    accepts = NULL;
}

/* ---- a set of which some are down already ---- */

static kp_err *judge_with_one_gone(kp_run *r, const kp_value *args)
{
    static const int two[] = { 2 }, one[] = { 1 };
    const kp_value *state[] = { NULL };
    (void)args;
    for (size_t gone = 0; gone < 2; gone++) {
        kp_guard_case c = { .nodes = two, .n = 1, .state = state, .gone = one, .n_gone = gone };
        kp_findings fs = { .a = r->call };
        kp_guard_judge(r->seen, KP_BEFORE_DISRUPTIVE, &c, &fs);
        assert_int_equal(fs.n, gone);
        if (gone)
            assert_string_equal(fs.f[0].row, "min-isr");
    }
    return NULL;
}

/* The others still see it in sync. */
static void one_of_the_set_that_goes_down_counts_with_the_rest(void **state)
{
    static const test_script script = { .part = { NULL, judge_with_one_gone } };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    bench_open(&b, "{" KRAFT TOPIC("3", "2", "") "}", NULL);
    assert_null(bench_run(&b, NULL));
    bench_close(&b);
}

static void available_lets_what_strict_holds(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        if (!kp_streq(rows[i].row, "under-replicated") && !kp_streq(rows[i].row, "min-isr"))
            continue;
        bench b = { 0 };
        const kp_value *report;
        guard_row row = rows[i];
        row.level = KP_GUARD_AVAILABLE;
        kp_err *e = run_row(&b, &row, NULL, &report);
        assert_null(e);
        assert_int_equal(acts_of(&b, &row), 1);
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_refuses),
        cmocka_unit_test(no_row_is_left_out),
        cmocka_unit_test(a_sound_cluster_has_none),
        cmocka_unit_test(hard_rows_take_no_override),
        cmocka_unit_test(the_others_do_and_it_is_reported),
        cmocka_unit_test(an_override_covers_its_own_row_only),
        cmocka_unit_test(an_override_is_journaled_with_its_reason),
        cmocka_unit_test(many_findings_hide_no_hard_one),
        cmocka_unit_test(what_is_accepted_by_name_is_left_out),
        cmocka_unit_test(one_of_the_set_that_goes_down_counts_with_the_rest),
        cmocka_unit_test(available_lets_what_strict_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
