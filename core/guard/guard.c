/* The guard's table of rows, and the walks over it. */
#include "guard/guard.h"

#include <string.h>

const kp_guard_row kp_guard_rows[] = {
    { "identity", KP_BEFORE_DISRUPTIVE, true, true, KP_F_HOST, kp_judge_identity,
      "the process on the host runs the inventory's properties file with that node id" },
    { "cluster-id", KP_BEFORE_DISRUPTIVE, true, true, KP_F_HOST | KP_F_VIEW, kp_judge_cluster_id,
      "the cluster, and the process on the host, are of the cluster the run began on" },
    { "listener", KP_BEFORE_DISRUPTIVE, true, true, KP_F_HOST | KP_F_SAID, kp_judge_listener,
      "the node that answers on the listener is of the run's cluster" },
    { "release", KP_BEFORE_DISRUPTIVE, true, false, KP_F_HOST | KP_F_SAID, kp_judge_release,
      "in KRaft the node answers as no older release than the jars of its process" },
    { "log-dirs", KP_BEFORE_DISRUPTIVE, true, true, KP_F_HOST, kp_judge_log_dirs,
      "the log dirs of the broker are known: its clean stop is proved by the marks in them" },
    { "node-down", KP_BEFORE_DISRUPTIVE, false, false, KP_F_VIEW | KP_F_SAID, kp_judge_node_down,
      "no other broker is down" },
    { "reassignment", KP_BEFORE_DISRUPTIVE, false, false, KP_F_MOVES, kp_judge_reassignment,
      "no partition reassignment is running" },
    { "one-controller", KP_BEFORE_DISRUPTIVE, false, false, KP_F_SAID, kp_judge_one_controller,
      "in ZooKeeper mode all brokers name the same controller" },
    { "quorum", KP_BEFORE_DISRUPTIVE, true, true, KP_F_QUORUM | KP_F_SAID, kp_judge_quorum,
      "without the controller a caught-up majority of the quorum remains" },
    { "voters", KP_BEFORE_DISRUPTIVE, false, false, KP_F_QUORUM, kp_judge_voters,
      "the controllers of the cluster file are the voters of the quorum" },
    { "unlisted", KP_BEFORE_DISRUPTIVE, false, false, KP_F_VIEW, kp_judge_unlisted,
      "every live broker is in the cluster file" },
    { "fresh-view", KP_BEFORE_DISRUPTIVE, false, true, KP_F_VIEW, kp_judge_fresh_view,
      "two brokers, neither just restarted, agree about every ISR and leader" },
    { "offline", KP_BEFORE_DISRUPTIVE, true, true, KP_F_VIEW, kp_judge_offline,
      "every partition keeps a leader" },
    { "min-isr", KP_BEFORE_DISRUPTIVE, true, false, KP_F_VIEW, kp_judge_min_isr,
      "no partition falls below min.insync.replicas" },
    { "leaderless", KP_BEFORE_DISRUPTIVE, false, false, KP_F_VIEW, kp_judge_leaderless,
      "every partition has a leader" },
    { "unclean-election", KP_BEFORE_DISRUPTIVE, true, false, KP_F_VIEW, kp_judge_unclean,
      "no partition of the node allows unclean leader election" },
    { "under-replicated", KP_BEFORE_DISRUPTIVE, false, false, KP_F_VIEW, kp_judge_under_replicated,
      "no partition is under-replicated (strict), or worse than when the run began (healthy)" },
    { "topic-error", KP_BEFORE_DISRUPTIVE, false, false, KP_F_VIEW, kp_judge_topic_error,
      "brokers answer for every topic" },
    { "leader-listener", KP_BEFORE_DISRUPTIVE, false, false, KP_F_VIEW, kp_judge_leader_listener,
      "every leader has a listener of the name that is asked" },
    { "staged", KP_BEFORE_START, true, true, KP_F_HOST, kp_judge_staged,
      "the release is staged on the host" },
    { "config-in-release", KP_BEFORE_START, true, true, KP_F_HOST, kp_judge_config_place,
      "server.properties does not lie inside a release's directory, which the switch would swap" },
    { "config", KP_BEFORE_START, true, false, KP_F_HOST, kp_judge_config,
      "server.properties says what it means: nothing in it keeps Kafka from starting" },
    { "config-keys", KP_AHEAD, true, false, KP_F_HOST | KP_F_FILE, kp_judge_config_keys,
      "server.properties sets nothing that the release no longer knows (its ConfigDef)" },
    { "java", KP_BEFORE_START, true, false, KP_F_HOST, kp_judge_java,
      "the node's Java is new enough for the release" },
    { "way-back", KP_BEFORE_START, true, false, KP_F_HOST, kp_judge_way_back,
      "the release that runs is staged too, so that the node can be put back" },
    { "config-unchanged", KP_BEFORE_START, true, true, KP_F_FILE, kp_judge_unchanged,
      "server.properties is still the file this run wrote" },
    { "needs-kraft", KP_BEFORE_START, true, true, KP_F_FILE, kp_judge_needs_kraft,
      "a 4.x binary is not started on a ZooKeeper-mode configuration" },
    { "supports-ibp", KP_BEFORE_START, true, true, KP_F_FILE, kp_judge_ibp_known,
      "the binary knows the inter.broker.protocol.version in the file" },
    { "ibp-pinned", KP_BEFORE_START, true, true, KP_F_FILE, kp_judge_pinned,
      "in ZooKeeper mode inter.broker.protocol.version is set once in the file, no higher than any "
      "running broker speaks, or all of them know it" },
    { "supports-features", KP_BEFORE_START, true, true, KP_F_FILE, kp_judge_features,
      "the binary supports the finalised metadata.version" },
    { "proof", KP_BEFORE_START, true, false, KP_F_FILE | KP_F_HOST, kp_judge_proof,
      "the staged release itself takes the node's server.properties (StorageTool info)" },
    { "plugins", KP_AHEAD, true, false, KP_F_FILE | KP_F_HOST | KP_F_PROOF, kp_judge_plugins,
      "every class that server.properties names is in the staged release or on the class path" },
    { "jvm-flags", KP_AHEAD, true, false, KP_F_PROOF, kp_judge_jvm_flags,
      "the Java of the next start takes the options that the node runs with" },
    { "log4j", KP_AHEAD, true, false, KP_F_PROOF, kp_judge_log4j,
      "no node comes to a 4.x release with a log4j 1 configuration (warns)" },
    { "stop-limit", KP_AHEAD, true, false, KP_F_HOST, kp_judge_stop_limit,
      "the service manager does not kill a broker that still stops (warns)" },
    { "config-agent", KP_AHEAD, true, false, KP_F_HOST, kp_judge_config_agent,
      "no configuration agent runs on the host (warns)" },
    { "drift", KP_AHEAD, true, false, KP_F_FILE | KP_F_RUNNING, kp_judge_drift,
      "the broker runs with what its server.properties says (warns)" },
    { "jwks", KP_BEFORE_START, true, false, KP_F_FILE | KP_F_HOST, kp_judge_jwks,
      "from 4.4 on an OAUTHBEARER endpoint for keys comes with the audience and issuer expected" },
    { "min-isr-unlike", KP_AHEAD, false, false, KP_F_FILE | KP_F_HOST, kp_judge_min_isr_unlike,
      "min.insync.replicas is alike in the files of brokers and controllers (4.0+; warns)" },
    { "all-upgraded", KP_BEFORE_IRREVERSIBLE, false, true, KP_F_VIEW | KP_F_EVERYBODY,
      kp_judge_all_upgraded, "every registered broker runs a binary that supports the new level" },
    { "log-dir-error", KP_AHEAD, true, false, KP_F_LOG_DIRS | KP_F_SAID, kp_judge_log_dir_error,
      "every log dir of the broker is online" },
    { "topic-overrides", KP_AHEAD, false, false, KP_F_OF_TOPICS, kp_judge_topic_overrides,
      "no topic has an override that the release, 4.0 or newer, no longer knows" },
    { "free-space", KP_AHEAD, true, false, KP_F_LOG_DIRS | KP_F_HOST, kp_judge_free_space,
      "policy.free_space percent of each log dir's disk are free (warns)" },
    { "throttle", KP_AHEAD, false, false, KP_F_OF_BROKERS | KP_F_OF_TOPICS | KP_F_MOVES | KP_F_SAID,
      kp_judge_throttle, "no replication throttle is left over (warns)" },
    { "internal-topics", KP_AHEAD, false, false, KP_F_VIEW, kp_judge_internal_topics,
      "Kafka's own topics have three replicas where there are three brokers (warns)" },
    { "small-quorum", KP_AHEAD, false, false, KP_F_QUORUM, kp_judge_small_quorum,
      "the quorum has three voters or more (warns)" },
    { "tiered-storage", KP_AHEAD, false, false, KP_F_OF_BROKERS | KP_F_OF_TOPICS | KP_F_SAID,
      kp_judge_tiered_storage, "tiered storage is not in use (warns)" },
    { "cruise-control", KP_AHEAD, false, false, KP_F_VIEW, kp_judge_cruise_control,
      "no Cruise Control is at work, which may move replicas meanwhile (warns)" },
    { "ghosts", KP_BEFORE_IRREVERSIBLE | KP_AHEAD, false, false, KP_F_REGISTERED | KP_F_QUORUM,
      kp_judge_ghosts,
      "every registered broker and controller is alive or in the cluster file (KRaft)" },
    { NULL, 0, false, false, 0, NULL, NULL },
};

const kp_guard_row *kp_guard_row_named(const char *name)
{
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++)
        if (kp_streq(row->name, name))
            return row;
    return NULL;
}

void kp_find_add(kp_findings *fs, kp_finding f)
{
    if (fs->row) {
        f.row = fs->row->name;
        f.hard = fs->row->hard;
    }
    if (!f.detail)
        f.detail = "";
    if (!f.next)
        f.next = "mend it, then: kplay resume";
    if (fs->n == fs->cap) {
        size_t bigger = fs->cap ? fs->cap * 2 : 16;
        kp_finding *more = KP_NEW_ARRAY(fs->a, bigger, kp_finding);
        if (fs->n)
            memcpy(more, fs->f, fs->n * sizeof *more);
        fs->f = more;
        fs->cap = bigger;
    }
    fs->f[fs->n++] = f;
}

/* ---- judging ---- */

kp_facts *kp_guard_judge(kp_seen *o, kp_guard_when when, const kp_guard_case *c,
                         kp_findings *fs)
{
    kp_facts *f = kp_facts_begin(o, fs->a, c->nodes, c->n, c->version);
    unsigned needs = 0;

    for (size_t i = 0; c->state && i < c->n; i++)
        kp_facts_host(f, c->nodes[i], c->state[i]);
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++)
        needs |= row->when & when ? row->needs : 0;
    kp_facts_need(f, needs);
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++) {
        fs->row = row;
        if (row->when & when)
            row->judge(f, c, fs);
    }
    return f;
}

/* Once each: what several nodes have in common, and what a row says twice. */
static bool found_before(const kp_findings *fs, size_t from, const kp_finding *f)
{
    for (size_t i = 0; i < from; i++)
        if (kp_streq(fs->f[i].row, f->row) && kp_streq(fs->f[i].text, f->text) &&
            fs->f[i].node.is == f->node.is && fs->f[i].node.id == f->node.id)
            return true;
    return false;
}

/* A row about one node, taken alone: what it finds is about that node. */
static void judge_node(kp_facts *f, const kp_guard_row *row, int node, kp_findings *all)
{
    size_t from = all->n;

    row->judge(f, &(kp_guard_case) { .nodes = &node, .n = 1, .version = f->version }, all);
    for (size_t i = from; i < all->n; i++)
        if (!all->f[i].node.is)
            all->f[i].node = kp_somebody(node);
}

static bool is_ahead(const kp_guard_row *row)
{
    return row->when & ~(unsigned)KP_BEFORE_IRREVERSIBLE;
}

kp_err *kp_guard_ahead(kp_seen *o, kp_arena *a, const int *nodes, size_t n, const char *version,
                       const kp_value *rows, kp_findings *fs)
{
    kp_facts *f = kp_facts_begin(o, a, nodes, n, version);
    kp_findings all = { .a = a };
    unsigned needs = 0;

    f->ahead = true;
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++)
        if (is_ahead(row) && (!rows || kp_list_has_text(rows, row->name)))
            needs |= row->needs;
    kp_facts_need(f, needs);
    if (f->unreached)
        return kp_err_from_value(f->unreached);
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++) {
        all.row = row;
        /* Where no view is to be had, a row about it has nothing to judge. */
        bool instead = (needs & KP_F_VIEW) && !f->view && row->judge == kp_judge_fresh_view;
        if (!is_ahead(row) ||
            (rows && !instead && !kp_list_has_text(rows, row->name)))
            continue;
        if (!row->node)
            row->judge(f, &(kp_guard_case) { 0 }, &all);
        for (size_t i = 0; row->node && i < n; i++)
            judge_node(f, row, nodes[i], &all);
    }
    for (size_t i = 0; i < all.n; i++)
        if (!found_before(&all, i, &all.f[i])) {
            fs->row = NULL;
            kp_find_add(fs, all.f[i]);
        }
    return NULL;
}
