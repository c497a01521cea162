/* The guard: what no edit of a playbook removes.
 *
 * Before anything disruptive, before a start or a switch of release, and before anything
 * irreversible the rows below are judged on what the cluster and the hosts say now.  Unknown is
 * unhealthy.  A row that is not met refuses with its reason and what to do; when its cause heals by
 * itself (an ISR being rejoined) and the run has already begun, the guard waits as long as there is
 * progress.  An override (--force ROW --reason TEXT) is journaled; hard rows take none.
 */
#include "engine/guard.h"

#include <string.h>

#define HEAL_STALL (2 * KP_MINUTE)
#define ALSO_SHOWN 20
#define ROUND_LIMIT (512 << 20) /* of the facts of one round: a view of a million partitions */

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
    { "all-upgraded", KP_BEFORE_IRREVERSIBLE, false, true, KP_F_VIEW | KP_F_EVERYBODY,
      kp_judge_all_upgraded,
      "every registered broker runs a binary that supports the new level" },
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

kp_facts *kp_guard_judge(kp_run *r, kp_guard_when when, const kp_guard_case *c, kp_findings *fs)
{
    kp_facts *f = kp_facts_begin(r->seen, fs->a, c->nodes, c->n, c->version);
    unsigned needs = 0;

    for (size_t i = 0; c->state && i < c->n; i++)
        kp_facts_host(f, c->nodes[i], c->state[i]);
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++)
        needs |= row->when == when ? row->needs : 0;
    kp_facts_need(f, needs);
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++) {
        fs->row = row;
        if (row->when == when)
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

    row->judge(f,
               &(kp_guard_case) {
                   .doing = "", .nodes = &node, .n = 1, .version = f->version },
               all);
    for (size_t i = from; i < all->n; i++)
        if (!all->f[i].node.is)
            all->f[i].node = kp_somebody(node);
}

kp_err *kp_guard_ahead(kp_run *r, kp_arena *a, const kp_nodes *nodes, const char *version,
                       const kp_value *rows, kp_findings *fs)
{
    kp_facts *f = kp_facts_begin(r->seen, a, nodes->id, nodes->n, version);
    kp_findings all = { .a = a };
    unsigned needs = 0;

    f->ahead = true;
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++)
        if (row->when != KP_BEFORE_IRREVERSIBLE && (!rows || kp_list_has_text(rows, row->name)))
            needs |= row->needs;
    kp_facts_need(f, needs);
    if (r->over) /* a person wants it to pause */
        return kp_err_copy(r->over);
    if (f->unreached)
        return kp_err_from_value(f->unreached);
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++) {
        all.row = row;
        /* Where no view is to be had, a row about it has nothing to judge. */
        bool instead = (needs & KP_F_VIEW) && !f->view && row->judge == kp_judge_fresh_view;
        if (row->when == KP_BEFORE_IRREVERSIBLE ||
            (rows && !instead && !kp_list_has_text(rows, row->name)))
            continue;
        if (!row->node)
            row->judge(f, &(kp_guard_case) { .doing = "" }, &all);
        for (size_t i = 0; row->node && i < nodes->n; i++)
            judge_node(f, row, nodes->id[i], &all);
    }
    for (size_t i = 0; i < all.n; i++)
        if (!found_before(&all, i, &all.f[i])) {
            fs->row = NULL;
            kp_find_add(fs, all.f[i]);
        }
    return NULL;
}

const char *kp_guard_covered(const kp_run *r, const kp_finding *f)
{
    for (size_t i = 0; i < r->spec->n_overrides; i++)
        if (!f->hard && kp_streq(r->spec->overrides[i].guard, f->row))
            return r->spec->overrides[i].reason;
    return NULL;
}

/* Whether a person has overridden the row.  It is told, and journaled with its reason, once in
 * `told`, which has a bit for each override. */
static kp_err *forced(kp_run *r, const kp_guard_case *c, const kp_finding *f, uint64_t *told,
                      bool *ret_so)
{
    for (size_t i = 0; i < r->spec->n_overrides; i++) {
        const kp_override *o = &r->spec->overrides[i];
        if (f->hard || !kp_streq(o->guard, f->row))
            continue;
        if (!c->beforehand && !(*told & (UINT64_C(1) << (i & 63)))) {
            *told |= UINT64_C(1) << (i & 63);
            const kp_value *what = kp_map(r->a, "guard", kp_text(r->a, f->row), "reason",
                                          kp_text(r->a, o->reason), "was", kp_text(r->a, f->text),
                                          NULL);
            KP_TRY(kp_record_add(r, KP_K_NOTE,
                                 kp_map(r->call, "m", kp_text(r->call, "overridden"), "before",
                                        kp_text(r->call, c->doing), "override", what, NULL)));
            kp_list_add(&r->overridden, what);
            kp_tell(r, (kp_event) { .kind = KP_E_WARN,
                                    .text = kp_printf(r->call, "overridden (%s): %s; reason: %s",
                                                      f->row, f->text, o->reason) });
        }
        *ret_so = true;
        return NULL;
    }
    *ret_so = false;
    return NULL;
}

/* What is accepted is lost all the same: told at each stop, journaled and reported. */
static kp_err *tell_accepted(kp_run *r, kp_facts *f, const kp_guard_case *c)
{
    const char *loss = kp_accepted_loss(f, c);

    if (!loss)
        return NULL;
    const kp_value *what = kp_map(r->a, "before", kp_text(r->a, c->doing), "accepted",
                                  kp_text(r->a, loss), NULL);
    kp_list_add(&r->accepted, what);
    kp_tell(r, (kp_event) { .kind = KP_E_WARN,
                            .text = kp_printf(r->call, "accepted, %s: %s", c->doing, loss) });
    return kp_record_add(r, KP_K_NOTE,
                         kp_map(r->call, "m", kp_text(r->call, "accepted"), "before",
                                kp_text(r->call, c->doing), "accepted", kp_text(r->call, loss),
                                NULL));
}

static kp_err *refusal(const kp_guard_case *c, const kp_findings *fs)
{
    const kp_finding *f = &fs->f[0];
    KP_AUTO_BUF detail = KP_BUF_INIT(128 * 1024);

    kp_buf_str(&detail, f->detail);
    for (size_t i = 1; i < fs->n && i <= ALSO_SHOWN; i++)
        kp_buf_fmt(&detail, "also  %s\n%s", fs->f[i].text, fs->f[i].detail);
    if (fs->n > ALSO_SHOWN + 1)
        kp_buf_fmt(&detail, "and %zu more\n", fs->n - ALSO_SHOWN - 1);
    kp_buf_fmt(&detail, "guard %s%s\n", f->row, f->hard ? " (takes no override)" : "");
    kp_err *e = kp_err_new(KP_SAFETY, f->next, "refused before %s: %s", c->doing, f->text);
    return kp_err_detail(e, "%s", kp_buf_text(&detail));
}

/* No host runs another node than the inventory says, and for none that runs nothing somebody
 * answers elsewhere; *ret_idle: some run nothing. */
static void judge_hosts(kp_run *r, const kp_reply *state, bool again, kp_findings *fs,
                        bool *ret_idle)
{
    kp_facts *f = kp_facts_begin(r->seen, r->call, NULL, 0, NULL);

    *ret_idle = false;
    for (uint32_t i = 0; i < r->inv->n_nodes; i++) {
        f->nodes[i].in_scope = kp_get_int(state[i].value, "pid", 0) == 0;
        if (!f->nodes[i].in_scope || !again)
            kp_facts_host(f, r->inv->nodes[i].id, state[i].value);
        *ret_idle = *ret_idle || f->nodes[i].in_scope;
    }
    if (*ret_idle) /* somebody else may answer for it */
        kp_facts_need(f, KP_F_SAID | (again ? KP_F_HOST : 0));
    for (uint32_t i = 0; i < r->inv->n_nodes; i++)
        kp_judge_process(f, &f->nodes[i], fs);
}

kp_err *kp_guard_hosts(kp_run *r, const kp_reply *state)
{
    kp_findings fs = { .a = r->call, .row = &kp_guard_rows[0] };
    bool idle;

    judge_hosts(r, state, false, &fs, &idle);
    if (fs.n > 0 && idle) { /* it may have come up between the two questions: both at once */
        fs.n = 0;
        judge_hosts(r, state, true, &fs, &idle);
    }
    if (fs.n == 0)
        return NULL;
    return kp_run_end(r, refusal(&(kp_guard_case) { .doing = "the first action" }, &fs));
}

kp_err *kp_guard(kp_run *r, kp_guard_when when, const kp_guard_case *c, bool *ret_waited)
{
    int64_t measure = INT64_MAX;
    uint64_t told = 0;
    kp_ms moved = kp_mono(r->w);
    kp_guard_case later = *c;

    for (;;) {
        KP_AUTO_ARENA a = kp_arena_new("guard", ROUND_LIMIT);
        r->seen->pace.cost_us = 0;
        kp_findings all = { .a = a }, fs = { .a = a };
        kp_facts *f = kp_guard_judge(r, when, c, &all);
        if (r->over)
            return kp_err_copy(r->over);

        bool heals = true;
        int64_t sum = 0;
        for (size_t i = 0; i < all.n; i++) {
            bool so;
            if (all.f[i].warns)
                continue;
            KP_TRY(forced(r, c, &all.f[i], &told, &so));
            if (so)
                continue;
            heals = heals && all.f[i].heals;
            sum += all.f[i].measure;
            all.f[fs.n++] = all.f[i];
        }
        fs.f = all.f; /* what is left of them, in their order */
        if (fs.n == 0)
            return when == KP_BEFORE_DISRUPTIVE && !c->beforehand ? tell_accepted(r, f, c) : NULL;
        if (sum < measure) {
            measure = sum;
            moved = kp_mono(r->w);
        }
        if (!heals || !r->acted || kp_mono(r->w) - moved > HEAL_STALL)
            return kp_run_end(r, refusal(c, &fs));
        kp_tell(r, (kp_event) { .kind = KP_E_HELD,
                                .text = kp_printf(a, "before %s: %s", c->doing, fs.f[0].text),
                                .took = kp_mono(r->w) - moved });
        *ret_waited = true;
        later.state = NULL; /* what was just read is old from now on */
        c = &later;
        kp_ms pause = kp_pace_pause(&r->seen->pace, KP_POLL_SHARE);
        KP_TRY(kp_pause(r, pause > 5 * KP_POLL_MS ? pause : 5 * KP_POLL_MS));
    }
}
