/* The rows that are judged on the view: two brokers' word on every partition.
 *
 * What policy.accept names is left out of every one of them.
 */
#include "guard/guard.h"

#define SHOWN 8

/* ---- lines about partitions ---- */

static const char *partition_lines(kp_facts *f, const kp_risk_list *list, const int *nodes,
                                   size_t n)
{
    kp_arena *a = f->a;
    const kp_view *v = f->view;
    KP_AUTO_BUF b = KP_BUF_INIT(64 * 1024);

    for (uint32_t i = 0; i < list->n && i < SHOWN && i < KP_RISK_LIST; i++) {
        uint32_t p = list->p[i];
        kp_buf_fmt(&b, "  %-28s in sync ", kp_view_name(a, v, p));
        KP_AUTO_BUF left = KP_BUF_INIT(256);
        bool some = false;
        for (uint32_t k = 0; k < kp_view_rf(v, p); k++) {
            if (!kp_view_in_sync(v, p, k))
                continue;
            int id = kp_view_replica_id(v, p, k);
            kp_buf_fmt(&b, "%s%d", some ? "," : "", id);
            some = true;
            if (!kp_among(nodes, n, id))
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

/* ---- what would remain ---- */

typedef struct remains {
    int *ids; /* the set as it will be: those of the call that are down already included */
    size_t n;
    kp_risk risk;
} remains;

/* Nothing where no broker is stopped: a controller's stop changes no ISR. */
static bool judge_risk(kp_facts *f, const kp_guard_case *c, remains *ret)
{
    bool broker = false;

    *ret = (remains) { .ids = KP_NEW_ARRAY(f->a, c->n + c->n_gone + 1, int) };
    for (size_t i = 0; i < c->n; i++) {
        broker = broker || kp_node_is(kp_inventory_node(f->seen->inv, c->nodes[i]), KP_BROKER);
        ret->ids[ret->n++] = c->nodes[i];
    }
    for (size_t i = 0; i < c->n_gone; i++)
        ret->ids[ret->n++] = c->gone[i];
    if (!f->view || !broker)
        return false;
    kp_risk_of(f->view, ret->ids, ret->n, f->seen->inv->accept, &ret->risk);
    return true;
}

void kp_judge_fresh_view(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    (void)c;
    if (!f->view)
        kp_find_add(fs, (kp_finding) { .text = f->view_why, .next = f->view_next });
}

void kp_judge_offline(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    remains left;
    if (!judge_risk(f, c, &left) || left.risk.offline.n == 0)
        return;
    const kp_risk *risk = &left.risk;
    kp_find_add(fs, (kp_finding) {
                        .heals = risk->offline.n > risk->single.n,
                        .measure = risk->offline.n,
                        .text = kp_printf(f->a, "%u partition%s would have no leader%s",
                                          risk->offline.n, kp_plural(risk->offline.n),
                                          risk->single.n ? " (replication factor 1)" : ""),
                        .detail = partition_lines(f, &risk->offline, left.ids, left.n),
                        .next = "raise their replication factor   |   accept a topic by "
                                "name: policy.accept in the cluster file" });
}

void kp_judge_min_isr(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    remains left;
    if (f->seen->inv->guard == KP_GUARD_AVAILABLE || !judge_risk(f, c, &left))
        return;
    const kp_risk *risk = &left.risk;
    if (risk->below_min.n)
        kp_find_add(
            fs, (kp_finding) {
                    .heals = risk->below_min.n > risk->tight.n,
                    .measure = risk->below_min.n,
                    .text = kp_printf(f->a, "%u partition%s would fall below min.insync.replicas",
                                      risk->below_min.n, kp_plural(risk->below_min.n)),
                    .detail = partition_lines(f, &risk->below_min, left.ids, left.n),
                    .next = risk->tight.n == risk->below_min.n
                                ? "lower their min.insync.replicas or raise their replication "
                                  "factor   |   accept a topic by name: policy.accept in the "
                                  "cluster file"
                            : f->ahead
                                ? "wait until they are in sync, then run it again   |   accept a "
                                  "topic by name: policy.accept in the cluster file"
                                : "kplay resume (waits for them)   |   accept a topic by name: "
                                  "policy.accept in the cluster file" });
    if (risk->unknown_min.n)
        kp_find_add(
            fs, (kp_finding) {
                    .text = kp_printf(f->a, "min.insync.replicas of %u partition%s is not known",
                                      risk->unknown_min.n, kp_plural(risk->unknown_min.n)),
                    .next = "allow kplay to describe topic configurations (DescribeConfigs)" });
}

void kp_judge_unclean(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    remains left;
    if (!judge_risk(f, c, &left) || left.risk.unclean.n == 0)
        return;
    const kp_risk_list *unclean = &left.risk.unclean;
    kp_find_add(fs, (kp_finding) {
                        .text = kp_printf(f->a,
                                          "%u partition%s allow unclean leader election: "
                                          "records could be lost without a word",
                                          unclean->n, kp_plural(unclean->n)),
                        .detail = partition_lines(f, unclean, left.ids, left.n),
                        .next = "set unclean.leader.election.enable=false on them   |   accept "
                                "a topic by name: policy.accept in the cluster file" });
}

/* The first names of those in `all` that are accepted, with what happens to them. */
static void add_accepted(kp_facts *f, const kp_risk_list *all, const char *what, kp_buf *b)
{
    size_t n = 0;
    KP_AUTO_BUF names = KP_BUF_INIT(4096);

    for (uint32_t i = 0; i < all->n && i < KP_RISK_LIST; i++)
        if (kp_view_accepted(f->view, all->p[i], f->seen->inv->accept) && n++ < SHOWN)
            kp_buf_fmt(&names, "%s%s", n > 1 ? ", " : "", kp_view_name(f->a, f->view, all->p[i]));
    if (n)
        kp_buf_fmt(b, "%s%s %s%s%s", b->n ? "; " : "", kp_buf_text(&names),
                   n > SHOWN ? "and more " : "", n == 1 ? "has " : "have ", what);
}

const char *kp_accepted_loss(kp_facts *f, const kp_guard_case *c)
{
    remains left;
    KP_AUTO_BUF b = KP_BUF_INIT(16 * 1024);

    if (kp_len(f->seen->inv->accept) == 0 || !judge_risk(f, c, &left))
        return NULL;
    kp_risk_of(f->view, left.ids, left.n, NULL, &left.risk);
    add_accepted(f, &left.risk.offline, "no leader meanwhile", &b);
    add_accepted(f, &left.risk.below_min, "fewer than min.insync.replicas in sync meanwhile", &b);
    add_accepted(f, &left.risk.unclean, "unclean leader election allowed", &b);
    return b.n ? kp_strdup(f->a, kp_buf_text(&b)) : NULL;
}

/* ---- what is behind already ---- */

/* Whether only nodes that this call takes or has stopped are missing from its ISR: it loses nothing
 * more by it. */
static bool by_this_call(const kp_guard_case *c, const kp_view *v, uint32_t p)
{
    for (uint32_t k = 0; k < kp_view_rf(v, p); k++) {
        int id = kp_view_replica_id(v, p, k);
        if (!kp_view_in_sync(v, p, k) && !kp_among(c->nodes, c->n, id) &&
            !kp_among(c->gone, c->n_gone, id))
            return false;
    }
    return c->n + c->n_gone > 0;
}

void kp_judge_leaderless(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    const kp_view *v = f->view;
    kp_risk_list l = { 0 };
    (void)c;

    for (uint32_t p = 0; v && v->counts.offline > 0 && p < v->n_parts; p++) {
        if (v->leader[p] != KP_VIEW_NO_LEADER || kp_view_accepted(v, p, f->seen->inv->accept))
            continue;
        if (l.n < KP_RISK_LIST)
            l.p[l.n] = p;
        l.n++;
    }
    if (l.n)
        kp_find_add(fs, (kp_finding) { .heals = true,
                                       .measure = l.n,
                                       .text = kp_printf(f->a, "%u partition%s %s no leader", l.n,
                                                         kp_plural(l.n), l.n == 1 ? "has" : "have"),
                                       .detail = partition_lines(f, &l, NULL, 0),
                                       .next = "start the brokers that hold them   |   accept them "
                                               "by name: policy.accept in the cluster file" });
}

/* Under-replicated and not accepted by name; healthy: and worse than when the run began. */
static kp_risk_list behind(const kp_facts *f, const kp_guard_case *c, bool worse)
{
    const kp_view *v = f->view;
    kp_risk_list l = { 0 };
    uint32_t left = v->counts.urp;

    for (uint32_t p = 0; p < v->n_parts && left > 0; p++) {
        if (kp_view_isr_size(v, p) >= kp_view_rf(v, p))
            continue;
        left--;
        if (by_this_call(c, v, p) ||
            (worse ? kp_view_isr_size(v, p) >= kp_view_short_of(v, p, f->seen->baseline)
                   : kp_view_accepted(v, p, f->seen->inv->accept)))
            continue;
        if (l.n < KP_RISK_LIST)
            l.p[l.n] = p;
        l.n++;
    }
    return l;
}

void kp_judge_under_replicated(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_guard_level level = f->seen->inv->guard;
    bool worse = level == KP_GUARD_HEALTHY;

    if (!f->view || level == KP_GUARD_AVAILABLE)
        return;
    kp_risk_list bad = behind(f, c, worse);
    if (bad.n == 0)
        return;
    kp_find_add(fs, (kp_finding) {
                        .heals = true,
                        .measure = bad.n,
                        .text = kp_printf(f->a, "%u partition%s %s %s", bad.n, kp_plural(bad.n),
                                          bad.n == 1 ? "is" : "are",
                                          worse ? "worse than when the run began"
                                                : "under-replicated"),
                        .detail = partition_lines(f, &bad, NULL, 0),
                        .next = f->ahead ? "wait until they are in sync, then run it again   |   "
                                           "policy.guard: healthy"
                                         : "kplay resume (waits for them)" });
}

/* ---- what the brokers do not tell ---- */

void kp_judge_topic_error(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    KP_AUTO_BUF b = KP_BUF_INIT(64 * 1024);
    uint32_t n = 0;

    (void)c;
    for (uint32_t i = 0; f->view && i < f->view->n_bad; i++) {
        const kp_view_bad_topic *t = &f->view->bad[i];
        if (kp_view_topic_accepted(f->view, t->name, f->seen->inv->accept))
            continue;
        if (n++ < SHOWN)
            kp_buf_fmt(&b, "  %-28s %s (%d)\n", t->name, t->error, t->code);
    }
    if (n == 0)
        return;
    if (n > SHOWN)
        kp_buf_fmt(&b, "  and %u more\n", n - SHOWN);
    kp_find_add(fs, (kp_finding) {
                        .measure = n,
                        .text = kp_printf(f->a,
                                          "%u topic%s: brokers answer with an error, so nothing is "
                                          "known of its partitions",
                                          n, kp_plural(n)),
                        .detail = kp_strdup(f->a, kp_buf_text(&b)),
                        .next = "allow kplay to describe it, or delete it   |   accept a topic "
                                "by name: policy.accept in the cluster file" });
}

void kp_judge_leader_listener(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_risk_list l = { 0 };

    (void)c;
    for (uint32_t p = 0; f->view && p < f->view->n_parts; p++) {
        if (!(f->view->flags[p] & KP_PART_NO_LISTENER) ||
            kp_view_accepted(f->view, p, f->seen->inv->accept))
            continue;
        if (l.n < KP_RISK_LIST)
            l.p[l.n] = p;
        l.n++;
    }
    if (l.n == 0)
        return;
    kp_find_add(fs, (kp_finding) {
                        .measure = l.n,
                        .text = kp_printf(f->a,
                                          "%u partition%s: the leader has no listener of the name "
                                          "that kplay's addresses belong to (LISTENER_NOT_FOUND), "
                                          "so who leads is not known",
                                          l.n, kp_plural(l.n)),
                        .detail = partition_lines(f, &l, NULL, 0),
                        .next = "give every broker that listener, or name addresses of a listener "
                                "that all of them have (kafka: of the nodes in the cluster "
                                "file)" });
}
