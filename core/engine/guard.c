/* The guard: what no edit of a playbook removes.
 *
 * Before anything disruptive, before a start or a switch of release, and before anything
 * irreversible the rows below are judged on what the cluster and the hosts say now.  Unknown is
 * unhealthy.  A row that is not met refuses with its reason and what to do; when its cause heals by
 * itself (an ISR being rejoined) and the run has already begun, the guard waits as long as there is
 * progress.  An override
 * (--force ROW --reason TEXT) is journaled; hard rows take none.
 */
#include "engine/run.h"

#include <string.h>

/* Other brokers asked, one by one, whether they answer; in larger clusters the rest is known by the
 * views alone. */
#define ANSWERS_ASKED 100
#define HEAL_STALL (2 * KP_MINUTE)
#define ALSO_SHOWN 20

const kp_guard_row kp_guard_rows[] = {
    { "identity", KP_BEFORE_DISRUPTIVE, true,
      "the process on the host runs the inventory's properties file with that node id and the "
      "run's cluster id" },
    { "listener", KP_BEFORE_DISRUPTIVE, true,
      "the node that answers on the listener is of the run's cluster" },
    { "fresh-view", KP_BEFORE_DISRUPTIVE, true,
      "two brokers, neither just restarted, agree about every ISR and leader" },
    { "cluster-id", KP_BEFORE_DISRUPTIVE, true, "the cluster is the one the run began on" },
    { "offline", KP_BEFORE_DISRUPTIVE, true, "every partition keeps a leader" },
    { "min-isr", KP_BEFORE_DISRUPTIVE, false, "no partition falls below min.insync.replicas" },
    { "unclean-election", KP_BEFORE_DISRUPTIVE, false,
      "no partition of the node allows unclean leader election" },
    { "under-replicated", KP_BEFORE_DISRUPTIVE, false,
      "no partition is under-replicated (strict), or worse than when the run began (healthy)" },
    { "node-down", KP_BEFORE_DISRUPTIVE, false, "no other broker is down" },
    { "reassignment", KP_BEFORE_DISRUPTIVE, false, "no partition reassignment is running" },
    { "quorum", KP_BEFORE_DISRUPTIVE, true,
      "without the controller a caught-up majority of the quorum remains" },
    { "one-controller", KP_BEFORE_DISRUPTIVE, false,
      "in ZooKeeper mode all brokers name the same controller" },
    { "staged", KP_BEFORE_START, true, "the release is staged on the host" },
    { "supports-features", KP_BEFORE_START, true,
      "the binary supports the finalised metadata.version" },
    { "supports-ibp", KP_BEFORE_START, true,
      "the binary knows the inter.broker.protocol.version in the file" },
    { "needs-kraft", KP_BEFORE_START, true,
      "a 4.x binary is not started on a ZooKeeper-mode configuration" },
    { "ibp-pinned", KP_BEFORE_START, true,
      "in ZooKeeper mode inter.broker.protocol.version is set once in the file, no higher than any "
      "running broker speaks, or all of them know it" },
    { "config-unchanged", KP_BEFORE_START, true,
      "server.properties is still the file this run wrote" },
    { "all-upgraded", KP_BEFORE_IRREVERSIBLE, true,
      "every registered broker runs a binary that supports the new level" },
    { NULL, 0, false, NULL },
};

static bool is_hard(const char *name)
{
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++)
        if (kp_streq(row->name, name))
            return row->hard;
    return true;
}

void kp_find_add(kp_findings *fs, kp_finding f)
{
    f.hard = is_hard(f.row);
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

/* ---- lines about partitions ---- */

#define SHOWN 8

static const char *partition_lines(kp_run *r, const kp_view *v, const kp_risk_list *list,
                                   const int *nodes, size_t n)
{
    kp_arena *a = r->call;
    KP_AUTO_BUF b = KP_BUF_INIT(64 * 1024);

    for (uint32_t i = 0; i < list->n && i < SHOWN && i < KP_RISK_LIST; i++) {
        uint32_t p = list->p[i];
        kp_buf_fmt(&b, "  %-28s in sync ", kp_view_name(a, v, p));
        KP_AUTO_BUF left = KP_BUF_INIT(256);
        bool some = false;
        for (uint32_t k = 0; k < kp_view_rf(v, p); k++) {
            if (!(v->isr[p] & (1u << k)))
                continue;
            int id = v->brokers[v->rep[v->first_rep[p] + k]].id;
            kp_buf_fmt(&b, "%s%d", some ? "," : "", id);
            some = true;
            bool goes = false;
            for (size_t m = 0; m < n; m++)
                goes = goes || nodes[m] == id;
            if (!goes)
                kp_buf_fmt(&left, "%s%d", left.n ? "," : "", id);
        }
        if (!some)
            kp_buf_str(&b, "nobody");
        kp_buf_fmt(&b, "   min %u", v->min_isr[p]);
        if (n)
            kp_buf_fmt(&b, "   afterwards: %s", left.n ? kp_buf_text(&left) : "nobody");
        kp_buf_chr(&b, '\n');
    }
    if (list->n > SHOWN)
        kp_buf_fmt(&b, "  and %u more\n", list->n - SHOWN);
    return kp_strdup(a, kp_buf_text(&b));
}

static bool in(const int *ids, size_t n, int id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Whether only nodes that this call has stopped are missing from its ISR. */
static bool by_this_call(const kp_guard_case *c, const kp_view *v, uint32_t p)
{
    for (uint32_t k = 0; k < kp_view_rf(v, p); k++)
        if (!(v->isr[p] & (1u << k)) &&
            !in(c->gone, c->n_gone, v->brokers[v->rep[v->first_rep[p] + k]].id))
            return false;
    return c->n_gone > 0;
}

/* Under-replicated and not accepted by name. */
static kp_risk_list urp_list(const kp_run *r, const kp_guard_case *c, const kp_view *v)
{
    kp_risk_list l = { 0 };
    uint32_t left = v->counts.urp;
    for (uint32_t p = 0; p < v->n_parts && left > 0; p++) {
        if (kp_view_isr_size(v, p) >= kp_view_rf(v, p))
            continue;
        left--;
        if (kp_view_accepted(v, p, r->inv->accept) || by_this_call(c, v, p))
            continue;
        if (l.n < KP_RISK_LIST)
            l.p[l.n] = p;
        l.n++;
    }
    return l;
}

static const char *plural(uint32_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- the disruptive rows ---- */

/* Whether the process on a node's host is that node, by what its host says of it. */
static void process_is(kp_run *r, const kp_node *node, const kp_value *state, kp_findings *fs)
{
    kp_arena *a = r->call;
    const kp_value *process = kp_get(state, "process");
    const char *word = kp_node_word(a, r, node->id), *config = kp_get_text(process, "config", NULL),
               *cluster = kp_get_text(process, "cluster_id", "");
    int64_t id = kp_get_int(process, "node_id", -1);

    if (id != node->id)
        kp_find_add(
            fs, (kp_finding) { .row = "identity",
                               .text = kp_printf(a, "the process on %s is node %" PRId64 ", not %d",
                                                 node->host, id, node->id),
                               .next = kp_printf(a, "correct the host of node %d (%s)", node->id,
                                                 node->where) });
    else if (config && !kp_streq(config, node->layout.config))
        kp_find_add(fs,
                    (kp_finding) { .row = "identity",
                                   .text = kp_printf(a, "%s runs with %s, the inventory says %s",
                                                     word, config, node->layout.config),
                                   .next = kp_printf(a, "correct layout.config of node %d (%s)",
                                                     node->id, node->where) });
    else if (*cluster && !kp_streq(cluster, r->cluster_id))
        kp_find_add(
            fs, (kp_finding) { .row = "cluster-id",
                               .text = kp_printf(a, "%s belongs to cluster %s, this run is on %s",
                                                 word, cluster, r->cluster_id),
                               .next = kp_printf(a, "correct the host of node %d (%s)", node->id,
                                                 node->where) });
}

static void identity(kp_run *r, const kp_guard_case *c, const kp_reply *listener, kp_findings *fs)
{
    kp_arena *a = r->call;
    for (size_t i = 0; i < c->n; i++) {
        const kp_node *node = kp_inventory_node(r->inv, c->nodes[i]);
        const kp_value *state = c->state[i];
        const char *word = kp_node_word(a, r, c->nodes[i]);
        const char *address = *node->kafka ? node->kafka : node->controller;

        if (!state) {
            kp_find_add(fs,
                        (kp_finding) { .row = "identity",
                                       .text = kp_printf(a, "the host of %s does not answer", word),
                                       .next = "make the host reachable, then: kplay resume" });
            continue;
        }
        if (kp_get_int(state, "pid", 0) == 0)
            continue; /* nothing runs there: stopping it changes nothing */
        process_is(r, node, state, fs);
        if (listener[i].err || !listener[i].value) {
            /* Its process is there and it does not answer: a frozen or half-started node.  Not
             * known to be what it says. */
            kp_find_add(
                fs, (kp_finding) {
                        .row = "listener",
                        .text = kp_printf(a, "%s runs and does not answer on %s", word, address),
                        .next = "find out why it does not answer, then: kplay resume" });
            continue;
        }
        const char *said = kp_get_text(listener[i].value, "cluster_id", "");
        if (*said && !kp_streq(said, r->cluster_id))
            kp_find_add(fs,
                        (kp_finding) {
                            .row = "listener",
                            .text = kp_printf(
                                a, "what answers as %s on %s is of cluster %s, this run is on %s",
                                word, address, said, r->cluster_id),
                            .next = kp_printf(a, "correct the listener of node %d (%s)", node->id,
                                              node->where) });
    }
}

static void partitions(kp_run *r, const kp_guard_case *c, const kp_view *v, kp_findings *fs)
{
    kp_arena *a = r->call;
    kp_risk risk;
    kp_guard_level level = r->inv->guard;
    int *all = KP_NEW_ARRAY(a, c->n + c->n_gone + 1, int);
    size_t n_all = 0;

    /* The set is judged as it will be: those of it that are down already included. */
    for (size_t i = 0; i < c->n; i++)
        all[n_all++] = c->nodes[i];
    for (size_t i = 0; i < c->n_gone && c->n; i++)
        all[n_all++] = c->gone[i];
    kp_risk_of(v, all, n_all, r->inv->accept, &risk);

    if (risk.offline.n)
        kp_find_add(
            fs, (kp_finding) { .row = "offline",
                               .heals = risk.offline.n > risk.single.n,
                               .measure = risk.offline.n,
                               .text = kp_printf(a, "%u partition%s would have no leader%s",
                                                 risk.offline.n, plural(risk.offline.n),
                                                 risk.single.n ? " (replication factor 1)" : ""),
                               .detail = partition_lines(r, v, &risk.offline, all, n_all),
                               .next = "raise their replication factor   |   accept a topic by "
                                       "name: policy.accept in the cluster file" });
    if (risk.below_min.n && level != KP_GUARD_AVAILABLE)
        kp_find_add(
            fs,
            (kp_finding) {
                .row = "min-isr",
                .heals = risk.below_min.n > risk.tight.n,
                .measure = risk.below_min.n,
                .text = kp_printf(a, "%u partition%s would fall below min.insync.replicas",
                                  risk.below_min.n, plural(risk.below_min.n)),
                .detail = partition_lines(r, v, &risk.below_min, all, n_all),
                .next = risk.tight.n == risk.below_min.n
                            ? "lower their min.insync.replicas or raise their replication factor   "
                              "|   accept a topic by name: policy.accept in the cluster file"
                            : "kplay resume (waits for them)   |   accept a topic by name: "
                              "policy.accept in the cluster file" });
    if (risk.unclean.n)
        kp_find_add(fs, (kp_finding) {
                            .row = "unclean-election",
                            .text = kp_printf(a,
                                              "%u partition%s allow unclean leader election: "
                                              "records could be lost without a word",
                                              risk.unclean.n, plural(risk.unclean.n)),
                            .detail = partition_lines(r, v, &risk.unclean, all, n_all),
                            .next = "set unclean.leader.election.enable=false on them   |   accept "
                                    "a topic by name: policy.accept in the cluster file" });
    if (risk.unknown_min.n && level != KP_GUARD_AVAILABLE)
        kp_find_add(fs,
                    (kp_finding) {
                        .row = "min-isr",
                        .text = kp_printf(a, "min.insync.replicas of %u partition%s is not known",
                                          risk.unknown_min.n, plural(risk.unknown_min.n)),
                        .next = "allow kplay to describe topic configurations (DescribeConfigs)" });

    if (level == KP_GUARD_STRICT && v->counts.urp) {
        kp_risk_list bad = urp_list(r, c, v);
        if (bad.n)
            kp_find_add(fs,
                        (kp_finding) {
                            .row = "under-replicated",
                            .heals = true,
                            .measure = bad.n,
                            .text = kp_printf(a, "%u partition%s %s under-replicated", bad.n,
                                              plural(bad.n), bad.n == 1 ? "is" : "are"),
                            .detail = partition_lines(r, v, &bad, NULL, 0),
                            .next = r->acted ? "kplay resume (waits for them)"
                                             : "kplay resume (waits for them)   |   policy.guard: "
                                               "healthy" });
    }
    if (level == KP_GUARD_HEALTHY) {
        kp_risk_list worse = { 0 };
        for (uint32_t p = 0; p < v->n_parts; p++) {
            if (kp_view_isr_size(v, p) >= kp_view_rf(v, p) || by_this_call(c, v, p) ||
                kp_view_isr_size(v, p) >= kp_view_short_of(v, p, r->baseline))
                continue;
            if (worse.n < KP_RISK_LIST)
                worse.p[worse.n] = p;
            worse.n++;
        }
        if (worse.n)
            kp_find_add(
                fs, (kp_finding) {
                        .row = "under-replicated",
                        .heals = true,
                        .measure = worse.n,
                        .text = kp_printf(a, "%u partition%s %s worse than when the run began",
                                          worse.n, plural(worse.n), worse.n == 1 ? "is" : "are"),
                        .detail = partition_lines(r, v, &worse, NULL, 0),
                        .next = "kplay resume (waits for them)" });
    }
}

static void others_down(kp_run *r, const kp_guard_case *c, const kp_view *v, kp_findings *fs)
{
    for (uint32_t i = 0; i < r->inv->n_nodes; i++) {
        const kp_node *node = &r->inv->nodes[i];
        if (!kp_node_is(node, KP_BROKER) || in(c->nodes, c->n, node->id) ||
            in(c->gone, c->n_gone, node->id))
            continue;
        int slot = kp_view_slot(v, node->id);
        if (slot < 0 || !v->brokers[slot].alive)
            kp_find_add(
                fs, (kp_finding) { .row = "node-down",
                                   .heals = true,
                                   .measure = 1,
                                   .text = kp_printf(r->call, "broker %d is down", node->id),
                                   .next = kp_printf(r->call, "start broker %d, then: kplay resume",
                                                     node->id) });
    }
}

/* Whether a voter answers for itself; one that is not in the inventory is taken at the leader's
 * word. */
static bool voter_answers(const kp_request *asked, const kp_reply *reply, size_t n, int id)
{
    for (size_t i = 0; i < n; i++)
        if (asked[i].node == id)
            return !reply[i].err;
    return true;
}

/* `asked`: what the other nodes said of themselves. */
static void quorum(kp_run *r, const kp_guard_case *c, const kp_reply *q, const kp_request *asked,
                   const kp_reply *reply, size_t n_asked, kp_findings *fs)
{
    kp_arena *a = r->call;
    bool touches = false;
    for (size_t i = 0; i < c->n; i++)
        touches = touches || kp_node_is(kp_inventory_node(r->inv, c->nodes[i]), KP_CONTROLLER);
    if (q->err || !q->value) {
        kp_find_add(fs,
                    (kp_finding) { .row = "quorum",
                                   .text = "the controller quorum does not answer",
                                   .heals = true,
                                   .measure = 1,
                                   .detail = q->err ? kp_printf(a, "  %s\n", q->err->what) : "" });
        return;
    }
    const kp_value *voters = kp_get(q->value, "voters");
    if (kp_get_int(q->value, "leader", -1) < 0) {
        kp_find_add(fs, (kp_finding) { .row = "quorum",
                                       .heals = true,
                                       .measure = 1,
                                       .text = "the controller quorum has no leader" });
        return;
    }
    if (!touches)
        return;
    /* A majority must stay, leader included, that was caught up within the fetch time-out (2 s) and
     * some slack: the last offset alone says nothing of a voter that died (it keeps it).  And it
     * must answer: one that was stopped a second ago was caught up a second ago. */
    size_t n = kp_len(voters), good = 0, gone = 0;
    KP_AUTO_BUF lines = KP_BUF_INIT(4096);
    for (size_t i = 0; i < n; i++) {
        const kp_value *one = kp_at(voters, i);
        int id = (int)kp_get_int(one, "id", -1);
        int64_t behind = kp_get_int(one, "caught_up_ms", -1);
        if (in(c->nodes, c->n, id) || in(c->gone, c->n_gone, id)) {
            gone++;
            continue;
        }
        if (!voter_answers(asked, reply, n_asked, id))
            kp_buf_fmt(&lines, "  controller %d  does not answer\n", id);
        else if (behind >= 0 && behind < 5000)
            good++;
        else
            kp_buf_fmt(&lines, "  controller %d  not caught up%s\n", id,
                       behind < 0 ? ""
                                  : kp_printf(a, " for %s", kp_duration_text(a, behind, false)));
    }
    if (n == 1 && gone == 1) {
        kp_find_add(
            fs,
            (kp_finding) {
                .row = "quorum",
                .text = "it is the only controller: the cluster would have none",
                .next =
                    "add controllers; a quorum of one can not be restarted without an outage" });
        return;
    }
    if (good < n / 2 + 1)
        kp_find_add(
            fs, (kp_finding) {
                    .row = "quorum",
                    .heals = true,
                    .measure = (int64_t)(n - good),
                    .text = kp_printf(
                        a, "only %zu of %zu controllers would remain caught up; a majority is %zu",
                        good, n, n / 2 + 1),
                    .detail = kp_strdup(a, kp_buf_text(&lines)),
                    .next = "kplay resume (waits for them)" });
}

/* Rows judged on the view: two brokers' word on every partition. */
static void view_rows(kp_run *r, const kp_guard_case *c, bool broker, kp_findings *fs)
{
    kp_arena *a = r->call;
    const kp_view *v;
    kp_err *e = kp_fresh_view(r, KP_NOBODY, true, &v);

    if (e) {
        kp_find_add(fs, (kp_finding) { .row = "fresh-view",
                                       .text = kp_strdup(a, e->what),
                                       .next = kp_strdup(a, e->next) });
        kp_err_drop(e);
        return;
    }
    if (*v->cluster_id && !kp_streq(v->cluster_id, r->cluster_id))
        kp_find_add(fs, (kp_finding) { .row = "cluster-id",
                                       .text = kp_printf(
                                           a, "the brokers answer as cluster %s, this run is on %s",
                                           v->cluster_id, r->cluster_id) });
    kp_guard_case nobody = { .op = c->op, .doing = c->doing, .gone = c->gone, .n_gone = c->n_gone };
    partitions(r, broker ? c : &nobody, v, fs);
    others_down(r, c, v, fs);
}

/* ZooKeeper mode: a controller that only some of the brokers hear splits the control plane. */
static void one_controller(kp_run *r, const kp_reply *reply, size_t n, kp_findings *fs)
{
    int64_t named = -1;

    for (size_t i = 0; i < n; i++) {
        if (reply[i].err || !reply[i].value)
            continue; /* a broker that is down has its own row */
        int64_t other = kp_get_int(reply[i].value, "controller", -1);
        if (named < 0)
            named = other;
        if (other >= 0 && other == named)
            continue;
        kp_find_add(
            fs, (kp_finding) {
                    .row = "one-controller",
                    .heals = true,
                    .measure = 1,
                    .text = kp_printf(r->call,
                                      "the brokers do not agree on the controller "
                                      "(%" PRId64 " and %" PRId64 ")",
                                      named, other),
                    .next = "look at the controller; when all brokers name one: kplay resume" });
        return;
    }
}

static void silent_ones(kp_run *r, const kp_request *q, const kp_reply *reply, size_t n,
                        kp_findings *fs)
{
    for (size_t i = 0; i < n; i++) {
        const kp_known *k = kp_known_node(r, q[i].node);
        if (reply[i].err && !(k && k->down)) /* one that is not listed has its own finding */
            kp_find_add(fs, (kp_finding) {
                                .row = "node-down",
                                .heals = true,
                                .measure = 1,
                                .text = kp_printf(r->call, "broker %d does not answer", q[i].node),
                                .detail = kp_printf(r->call, "  %s\n", reply[i].err->what),
                                .next = kp_printf(
                                    r->call, "look at broker %d; when it answers: kplay resume",
                                    q[i].node) });
    }
}

static void moves(kp_run *r, const kp_reply *reply, kp_findings *fs)
{
    uint32_t n = (uint32_t)kp_len(reply->value);

    if (reply->err)
        kp_find_add(fs, (kp_finding) { .row = "reassignment",
                                       .text = "running reassignments can not be listed",
                                       .detail = kp_printf(r->call, "  %s\n", reply->err->what) });
    else if (n)
        kp_find_add(fs,
                    (kp_finding) { .row = "reassignment",
                                   .heals = true,
                                   .measure = n,
                                   .text = kp_printf(r->call, "%u partition%s %s being reassigned",
                                                     n, plural(n), n == 1 ? "is" : "are"),
                                   .next = "wait for the reassignment to end, then run it again" });
}

static void disruptive(kp_run *r, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = r->call;
    size_t n = 0, nodes = c->n + r->inv->n_nodes;
    kp_request *q = KP_NEW_ARRAY(a, nodes + 4, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(a, nodes + 4, kp_reply);
    kp_findings on_view = { .a = a };
    bool broker = false, controller = false;

    for (size_t i = 0; i < c->n; i++) {
        const kp_node *node = kp_inventory_node(r->inv, c->nodes[i]);
        broker = broker || kp_node_is(node, KP_BROKER);
        controller = controller || kp_node_is(node, KP_CONTROLLER);
    }
    view_rows(r, c, broker, &on_view);

    /* Everything else in one round of questions: each node itself, the reassignments, the quorum or
     * the other brokers. */
    for (size_t i = 0; i < c->n; i++)
        q[n++] = (kp_request) { .kind = KP_Q_NODE, .node = c->nodes[i], .within = 5 * KP_SECOND };
    /* A broker that was killed is listed until its session ends; it does not answer. */
    for (uint32_t i = 0; i < r->inv->n_nodes && (r->zookeeper || n < c->n + ANSWERS_ASKED); i++)
        if (kp_node_is(&r->inv->nodes[i], KP_BROKER) && !in(c->nodes, c->n, r->inv->nodes[i].id) &&
            !in(c->gone, c->n_gone, r->inv->nodes[i].id))
            q[n++] = (kp_request) { .kind = KP_Q_NODE,
                                    .node = r->inv->nodes[i].id,
                                    .within = 5 * KP_SECOND };
    size_t others = n;
    for (uint32_t i = 0; i < r->inv->n_nodes && controller; i++)
        if (r->inv->nodes[i].roles == KP_CONTROLLER && !in(c->nodes, c->n, r->inv->nodes[i].id))
            q[n++] = (kp_request) { .kind = KP_Q_NODE,
                                    .node = r->inv->nodes[i].id,
                                    .within = 5 * KP_SECOND };
    size_t asked = n;
    q[n++] = (kp_request) { .kind = KP_Q_REASSIGNMENTS, .node = KP_ANY_NODE };
    if (!r->zookeeper)
        q[n++] = (kp_request) { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE };
    kp_ask_all(r, a, q, n, reply);

    identity(r, c, reply, fs);
    silent_ones(r, q + c->n, reply + c->n, others - c->n, fs);
    moves(r, &reply[asked], fs);
    if (r->zookeeper)
        one_controller(r, reply, others, fs);
    else
        quorum(r, c, &reply[asked + 1], q + c->n, reply + c->n, asked - c->n, fs);
    for (size_t i = 0; i < n; i++)
        kp_err_drop(reply[i].err);
    for (size_t i = 0; i < on_view.n; i++)
        kp_find_add(fs, on_view.f[i]);
}

/* ---- judging ---- */

/* Whether a person has overridden the row.  It is told, and journaled with its reason, once in
 * `told`, which has a bit for each override. */
static kp_err *forced(kp_run *r, const kp_guard_case *c, const kp_finding *f, uint64_t *told,
                      bool *ret_so)
{
    for (size_t i = 0; i < r->spec->n_overrides; i++) {
        const kp_override *o = &r->spec->overrides[i];
        if (f->hard || !kp_streq(o->guard, f->row))
            continue;
        if (!(*told & (UINT64_C(1) << (i & 63)))) {
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

kp_err *kp_guard_hosts(kp_run *r, const kp_reply *state)
{
    kp_findings fs = { .a = r->call };

    for (uint32_t i = 0; i < r->inv->n_nodes; i++)
        if (kp_get_int(state[i].value, "pid", 0) != 0)
            process_is(r, &r->inv->nodes[i], state[i].value, &fs);
    if (fs.n == 0)
        return NULL;
    return kp_run_end(r, refusal(&(kp_guard_case) { .doing = "the first action" }, &fs));
}

kp_err *kp_guard(kp_run *r, kp_guard_when when, const kp_guard_case *c)
{
    int64_t measure = INT64_MAX;
    uint64_t told = 0;
    kp_ms moved = kp_mono(r->w);

    for (;;) {
        kp_findings all = { .a = r->call }, fs = { .a = r->call };
        if (when == KP_BEFORE_DISRUPTIVE)
            disruptive(r, c, &all);
        else if (when == KP_BEFORE_START)
            kp_guard_start(r, c, &all);
        else
            kp_guard_irreversible(r, c, &all);

        bool heals = true;
        int64_t sum = 0;
        for (size_t i = 0; i < all.n; i++) {
            bool so;
            KP_TRY(forced(r, c, &all.f[i], &told, &so));
            if (so)
                continue;
            kp_find_add(&fs, all.f[i]);
            heals = heals && all.f[i].heals;
            sum += all.f[i].measure;
        }
        if (fs.n == 0)
            return NULL;
        if (sum < measure) {
            measure = sum;
            moved = kp_mono(r->w);
        }
        if (!heals || !r->acted || kp_mono(r->w) - moved > HEAL_STALL)
            return kp_run_end(r, refusal(c, &fs));
        kp_tell(r, (kp_event) { .kind = KP_E_HELD,
                                .text = kp_printf(r->call, "before %s: %s", c->doing, fs.f[0].text),
                                .took = kp_mono(r->w) - moved });
        KP_TRY(kp_pause(r, 5 * KP_POLL_MS, false));
    }
}
