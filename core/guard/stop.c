/* The rows before a stop that are judged on the nodes themselves: who they are, who answers, the
 * controllers, what is moving.
 */
#include "guard/guard.h"

/* Caught up within the fetch time-out (2 s) and some slack. */
#define CAUGHT_UP (5 * KP_SECOND)

static const char *word_of(const kp_facts *f, int id)
{
    return kp_node_word(f->a, f->seen->inv, id);
}

/* ---- who it is ---- */

void kp_judge_process(kp_facts *f, const kp_node_facts *one, kp_findings *fs)
{
    kp_arena *a = f->a;
    const kp_node *node = one->node;
    kp_who who = kp_facts_who(f, one);

    if (who.pid == 0) {
        /* Nothing runs there; then nobody may answer for it from elsewhere. */
        if (who.looked && who.answers)
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(node->id),
                                .heals = true,
                                .measure = 1,
                                .text = kp_printf(a,
                                                  "%s answers on %s, and no process of it runs on "
                                                  "%s",
                                                  word_of(f, node->id),
                                                  *node->kafka ? node->kafka : node->controller,
                                                  node->host),
                                .next = kp_printf(a,
                                                  "correct the host of node %d, or how its process "
                                                  "is found there (service, layout.config: %s)",
                                                  node->id, node->where) });
        return;
    }
    if (who.process_id != node->id)
        kp_find_add(
            fs, (kp_finding) { .node = kp_somebody(node->id),
                               .text = kp_printf(a, "the process on %s is node %" PRId64 ", not %d",
                                                 node->host, who.process_id, node->id),
                               .next = kp_printf(a, "correct the host of node %d (%s)", node->id,
                                                 node->where) });
    else if (who.process_config && !kp_streq(who.process_config, node->layout.config))
        kp_find_add(fs,
                    (kp_finding) { .node = kp_somebody(node->id),
                                   .text = kp_printf(a, "%s runs with %s, the inventory says %s",
                                                     word_of(f, node->id), who.process_config,
                                                     node->layout.config),
                                   .next = kp_printf(a, "correct layout.config of node %d (%s)",
                                                     node->id, node->where) });
}

bool kp_judge_silent_host(kp_facts *f, const kp_node_facts *one, kp_findings *fs)
{
    if (one->host.v)
        return false;
    kp_find_add(fs, (kp_finding) {
                        .node = kp_somebody(one->node->id),
                        .heals = true,
                        .measure = 1,
                        .text = kp_printf(f->a, "the host of %s does not answer",
                                          word_of(f, one->node->id)),
                        .detail = one->host.why ? kp_printf(f->a, "  %s\n", one->host.why) : NULL,
                        .next = "make the host reachable, then: kplay resume" });
    return true;
}

void kp_judge_identity(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        if (!kp_judge_silent_host(f, one, fs))
            kp_judge_process(f, one, fs);
    }
}

void kp_judge_cluster_id(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = f->a;

    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        kp_who who = kp_facts_who(f, one);
        if (who.pid && who.process_cluster && !kp_streq(who.process_cluster, f->seen->cluster_id))
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(c->nodes[i]),
                                .text = kp_printf(
                                    a, "%s belongs to cluster %s, this run is on %s",
                                    word_of(f, c->nodes[i]), who.process_cluster,
                                    f->seen->cluster_id),
                                .next = kp_printf(a, "correct the host of node %d (%s)",
                                                  c->nodes[i], one->node->where) });
    }
    if (f->view && *f->view->cluster_id && !kp_streq(f->view->cluster_id, f->seen->cluster_id))
        kp_find_add(fs, (kp_finding) { .text = kp_printf(
                                           a, "the brokers answer as cluster %s, this run is on %s",
                                           f->view->cluster_id, f->seen->cluster_id) });
}

void kp_judge_listener(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = f->a;

    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const char *address = *one->node->kafka ? one->node->kafka : one->node->controller;
        kp_who who = kp_facts_who(f, one);

        if (who.pid == 0)
            continue;
        /* Its process is there and it does not answer: a frozen or half-started node.  Not known
         * to be what it says. */
        if (!who.answers)
            kp_find_add(
                fs, (kp_finding) {
                        .node = kp_somebody(c->nodes[i]),
                        .text = kp_printf(a, "%s runs and does not answer on %s",
                                          word_of(f, c->nodes[i]), address),
                        .next = "find out why it does not answer, then: kplay resume" });
        else if (who.cluster && !kp_streq(who.cluster, f->seen->cluster_id))
            kp_find_add(fs,
                        (kp_finding) {
                            .node = kp_somebody(c->nodes[i]),
                            .text = kp_printf(
                                a, "what answers as %s on %s is of cluster %s, this run is on %s",
                                word_of(f, c->nodes[i]), address, who.cluster, f->seen->cluster_id),
                            .next = kp_printf(a, "correct the listener of node %d (%s)",
                                              c->nodes[i], one->node->where) });
    }
}

/* Two sources for one fact: the class path, by which Java takes the first jar, and the protocol.
 * In ZooKeeper mode the line is only inferred from ranges of versions, and what allows unstable
 * features answers as a newer line: neither contradicts. */
void kp_judge_release(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        kp_who who = kp_facts_who(f, one);
        kp_version by_jar, by_wire;
        if (!who.jars || !who.line || who.zookeeper || !kp_version_parse(who.jars, &by_jar) ||
            !kp_version_parse(who.line, &by_wire) || kp_version_line_cmp(by_wire, by_jar) >= 0)
            continue;
        kp_find_add(fs, (kp_finding) {
                            .node = kp_somebody(c->nodes[i]),
                            .text = kp_printf(f->a, "%s has the jars of %s and answers as %s",
                                              word_of(f, c->nodes[i]), who.jars, who.line),
                            .next = "find out what listens there, and with which classes" });
    }
}

/* A config provider gives them where only the process knows it. */
void kp_judge_log_dirs(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        kp_who who = kp_facts_who(f, one);
        if (kp_node_is(one->node, KP_BROKER) && who.pid && who.log_dirs == 0)
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(c->nodes[i]),
                                .text = kp_printf(f->a,
                                                  "the log dirs of %s are not known: its clean "
                                                  "stop could not be proved",
                                                  word_of(f, c->nodes[i])),
                                .next = "write log.dirs into its server.properties as it is, or "
                                        "let become.files see the files its process holds" });
    }
}

/* ---- the others ---- */

/* A broker that was killed is listed until its session ends; it does not answer. */
void kp_judge_node_down(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < f->n_nodes; i++) {
        const kp_node_facts *one = &f->nodes[i];
        int id = one->node->id;
        if (!kp_node_is(one->node, KP_BROKER) || kp_among(c->nodes, c->n, id) ||
            kp_among(c->gone, c->n_gone, id))
            continue;
        kp_who who = kp_facts_who(f, one);
        if (f->view && !who.listed)
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(id),
                                .heals = true,
                                .measure = 1,
                                .text = who.pid ? kp_printf(f->a,
                                                            "broker %d runs on %s and is not "
                                                            "registered",
                                                            id, one->node->host)
                                                : kp_printf(f->a, "broker %d is down", id),
                                .next = kp_printf(f->a,
                                                  who.pid
                                                       ? "read the log of broker %d; when the "
                                                         "others list it: kplay resume"
                                                       : "start broker %d, then: kplay resume",
                                                  id) });
        else if (one->said.asked && !who.answers)
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(id),
                                .heals = true,
                                .measure = 1,
                                .text = kp_printf(f->a, "broker %d does not answer", id),
                                .detail = kp_printf(f->a, "  %s\n", one->said.why),
                                .next = kp_printf(f->a,
                                                  "look at broker %d; when it answers: kplay "
                                                  "resume",
                                                  id) });
    }
}

/* "orders-3, orders-7, ..." */
static const char *first_names(kp_arena *a, const kp_value *list)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4096);
    for (size_t i = 0; i < kp_len(list) && i < 3; i++)
        kp_buf_fmt(&b, "%s%s-%" PRId64, i ? ", " : "", kp_get_text(kp_at(list, i), "topic", "?"),
                   kp_get_int(kp_at(list, i), "partition", -1));
    return kp_printf(a, "%s%s", kp_buf_text(&b), kp_len(list) > 3 ? ", ..." : "");
}

void kp_judge_reassignment(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    uint32_t n = (uint32_t)kp_len(f->moves.v);
    (void)c;

    if (!f->moves.v)
        kp_find_add(fs, (kp_finding) { .text = "running reassignments cannot be listed",
                                       .detail = kp_printf(f->a, "  %s\n", f->moves.why) });
    else if (n)
        kp_find_add(fs, (kp_finding) {
                            .heals = true,
                            .measure = n,
                            .text = kp_printf(f->a, "%u partition%s %s being reassigned: %s", n,
                                              kp_plural(n), n == 1 ? "is" : "are",
                                              first_names(f->a, f->moves.v)),
                            .next = "wait for it to end, or cancel it with "
                                    "kafka-reassign-partitions, then run it again" });
}

void kp_judge_unlisted(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    (void)c;
    for (uint32_t i = 0; f->view && i < f->view->n_brokers; i++) {
        const kp_view_broker *b = &f->view->brokers[i];
        if (b->alive && !kp_inventory_node(f->seen->inv, b->id))
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(b->id),
                                .text = kp_printf(f->a,
                                                  "broker %d at %s:%d is live and not in the "
                                                  "cluster file",
                                                  b->id, b->host, b->port),
                                .next = "add it to the cluster file, or find out whose it is" });
    }
}

/* ---- controllers ---- */

/* A controller that only some of the brokers in ZooKeeper mode hear splits the control plane. */
void kp_judge_one_controller(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    int64_t named = -1;
    (void)c;

    for (size_t i = 0; i < f->n_nodes; i++) {
        if (!kp_node_is(f->nodes[i].node, KP_BROKER) || !kp_facts_who(f, &f->nodes[i]).zookeeper)
            continue; /* KRaft; or it is down, which has its own row */
        int64_t other = kp_get_int(f->nodes[i].said.v, "controller", -1);
        if (named < 0)
            named = other;
        if (other >= 0 && other == named)
            continue;
        kp_find_add(
            fs, (kp_finding) {
                    .heals = true,
                    .measure = 1,
                    .text = kp_printf(f->a,
                                      "the brokers do not agree on the controller "
                                      "(%" PRId64 " and %" PRId64 ")",
                                      named, other),
                    .next = "look at the controller; when all brokers name one: kplay resume" });
        return;
    }
}

/* Whether a voter answers for itself; one that is not in the inventory, or that has another
 * listener for it, is taken at the leader's word. */
static bool voter_answers(kp_facts *f, int id)
{
    const kp_node_facts *one = kp_facts_of(f, id);
    return !one || !one->said.asked || one->said.v;
}

/* A majority must stay, leader included, that was caught up a moment ago: the last offset alone
 * says nothing of a voter that died (it keeps it).  And it must answer: one that was stopped a
 * second ago was caught up a second ago. */
static void majority(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = f->a;
    const kp_value *voters = kp_get(f->quorum.v, "voters");
    size_t n = kp_len(voters), good = 0, gone = 0;
    KP_AUTO_BUF lines = KP_BUF_INIT(4096);

    for (size_t i = 0; i < n; i++) {
        const kp_value *one = kp_at(voters, i);
        int id = (int)kp_get_int(one, "id", -1);
        int64_t behind = kp_get_int(one, "caught_up_ms", -1);
        if (kp_among(c->nodes, c->n, id) || kp_among(c->gone, c->n_gone, id))
            gone++;
        else if (!voter_answers(f, id))
            kp_buf_fmt(&lines, "  controller %d  does not answer\n", id);
        else if (behind >= 0 && behind < CAUGHT_UP)
            good++;
        else
            kp_buf_fmt(&lines, "  controller %d  not caught up%s\n", id,
                       behind < 0 ? ""
                                  : kp_printf(a, " for %s", kp_duration_text(a, behind, false)));
    }
    kp_maybe_id who = c->n == 1 ? kp_somebody(c->nodes[0]) : KP_NOBODY;
    if (n == 1 && gone == 1)
        kp_find_add(fs,
                    (kp_finding) { .node = who,
                                   .text = "it is the only controller: the cluster would have none",
                                   .next = "add controllers; a quorum of one cannot be restarted "
                                           "without an outage" });
    else if (good < n / 2 + 1)
        kp_find_add(
            fs, (kp_finding) {
                    .node = who,
                    .heals = true,
                    .measure = (int64_t)(n - good),
                    .text = kp_printf(
                        a, "only %zu of %zu controllers would remain caught up; a majority is %zu",
                        good, n, n / 2 + 1),
                    .detail = kp_strdup(a, kp_buf_text(&lines)),
                    .next = "kplay resume (waits for them)" });
}

void kp_judge_voters(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    const kp_value *voters = kp_get(f->quorum.v, "voters");
    kp_arena *a = f->a;
    (void)c;

    if (kp_len(voters) == 0)
        return; /* there is none; or no answer, which is the row `quorum`'s */
    for (size_t i = 0; i < f->n_nodes; i++) {
        const kp_node *node = f->nodes[i].node;
        if (kp_node_is(node, KP_CONTROLLER) && !kp_facts_who(f, &f->nodes[i]).votes)
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(node->id),
                                .text = kp_printf(a, "controller %d is no voter of the quorum",
                                                  node->id),
                                .next = kp_printf(a,
                                                  "make it one (kafka-metadata-quorum add-"
                                                  "controller), or take it out of the cluster "
                                                  "file (%s)",
                                                  node->where) });
    }
    for (size_t k = 0; k < kp_len(voters); k++) {
        int id = (int)kp_get_int(kp_at(voters, k), "id", -1);
        if (!kp_inventory_node(f->seen->inv, id))
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(id),
                                .text = kp_printf(a,
                                                  "controller %d votes in the quorum and is not in "
                                                  "the cluster file",
                                                  id),
                                .next = "add it to the cluster file" });
    }
}

void kp_judge_quorum(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    bool touched = false;

    if (!kp_facts_has_quorum(f))
        return;
    for (size_t i = 0; i < c->n; i++)
        touched = touched ||
                  kp_node_is(kp_inventory_node(f->seen->inv, c->nodes[i]), KP_CONTROLLER);
    if (!f->quorum.v)
        kp_find_add(fs, (kp_finding) { .text = "the controller quorum does not answer",
                                       .heals = true,
                                       .measure = 1,
                                       .detail = kp_printf(f->a, "  %s\n", f->quorum.why) });
    else if (kp_get_int(f->quorum.v, "leader", -1) < 0)
        kp_find_add(fs, (kp_finding) { .heals = true,
                                       .measure = 1,
                                       .text = "the controller quorum has no leader" });
    else if (touched)
        majority(f, c, fs);
}
