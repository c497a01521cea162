/* Meeting the cluster: who answers, in which state it is, and whether it is still the one that the
 * run began on.
 */
#include "engine/run.h"

#include <string.h>

/* Goes on where a run began when none of its brokers answers: the only one may be down by our
 * hand.  Whatever acts is preceded by its own look, and hosts prove whom they run. */
static bool meet_by_journal(kp_run *r, const kp_err *e)
{
    const kp_value *open = r->j ? kp_journal_at(r->j, 1)->body : NULL;
    const char *mode = kp_get_text(open, "mode", NULL);

    if (!mode || e->cls != KP_CLUSTER || r->replay.n == 0)
        return false;
    r->seen->zookeeper = kp_streq(mode, "ZooKeeper");
    r->seen->cluster_id = kp_get_text(open, "cluster_id", "");
    r->seen->met = kp_map(r->a, NULL);
    for (size_t i = 0; i < r->seen->n_known; i++)
        r->seen->known[i].down = true;
    return true;
}

kp_err *kp_meet(kp_run *r)
{
    int ids[16];
    size_t n = kp_view_sources(r->seen, KP_NOBODY, ids, KP_COUNT(ids));
    kp_err *last = NULL;
    kp_reply node = { 0 };

    for (size_t i = 0; i < n; i++) {
        kp_request q = { .kind = KP_Q_NODE, .node = ids[i], .within = 5 * KP_SECOND };
        kp_err *e = kp_ask(r->seen, r->a, &q, &node);
        if (!e) {
            kp_err_drop(last);
            last = NULL;
            break;
        }
        kp_err_drop(last);
        last = e;
    }
    if (last && meet_by_journal(r, last)) {
        kp_err_drop(last);
        return NULL;
    }
    if (last)
        return last;
    if (n == 0)
        return kp_err_new(KP_CONFIG, "list the brokers in the cluster file",
                          "the cluster file has no broker");
    const char *mode = kp_get_text(node.value, "mode", "kraft");
    r->seen->zookeeper = kp_streq(mode, "zookeeper") || kp_streq(mode, "hybrid");
    r->seen->cluster_id = kp_get_text(node.value, "cluster_id", "");
    r->seen->met = node.value;

    kp_request q = { .kind = KP_Q_VIEW, .node = node.node, .view.with_config = true };
    kp_reply view;
    kp_arena_reset(r->seen->view_a[0]);
    KP_TRY(kp_ask(r->seen, r->seen->view_a[0], &q, &view));
    r->seen->view = view.view;
    r->seen->view_turn = 0;
    if (!*r->seen->cluster_id)
        r->seen->cluster_id = kp_strdup(r->a, r->seen->view->cluster_id);
    return NULL;
}

#define BASELINE_MOST 20000u /* under-replicated partitions: what fits a record's blob */

/* The state a run began with is what "no worse than before" is measured by, in all its sessions:
 * the ISR sizes of what was under-replicated then. */
kp_err *kp_meet_baseline(kp_run *r)
{
    const kp_view *v = r->seen->view;
    if (v) {
        r->n_parts = v->n_parts;
        kp_view_seen(r->seen, v);
    }
    for (int64_t i = 1; i <= kp_journal_n(r->j) && !r->seen->baseline; i++) {
        const kp_record *rec = kp_journal_at(r->j, i);
        if (rec && rec->kind == KP_K_NOTE &&
            kp_streq(kp_get_text(rec->body, "i", ""), KP_NOTE_BASELINE))
            r->seen->baseline = kp_value_copy(r->a, kp_get(rec->body, "r"));
    }
    /* Taken once, before anything was done; what it does not list was whole. */
    if (r->seen->baseline || r->acted || !v || !r->header->effects || v->counts.urp > BASELINE_MOST)
        return NULL;
    r->seen->baseline = kp_view_short_list(r->a, v);
    return kp_record_add(r, KP_K_NOTE,
                         kp_map(r->a, "i", kp_text(r->a, KP_NOTE_BASELINE), "m",
                                kp_text(r->a, "under-replicated when the run began"), "r",
                                r->seen->baseline, NULL));
}

kp_err *kp_meet_again(kp_run *r)
{
    const kp_value *open = kp_journal_at(r->j, 1)->body;
    const char *was = kp_get_text(open, "cluster_id", "");

    KP_TRY(kp_meet(r));
    if (!kp_streq(was, r->seen->cluster_id)) {
        kp_err *e = kp_err_new(KP_REFUSED, "point the cluster file at the cluster the run began on",
                               "the cluster is not the one this run began on");
        return kp_err_detail(e, "  began on  %s\n  this one  %s\n", was, r->seen->cluster_id);
    }
    if (!kp_streq(kp_get_text(open, "inventory", ""), kp_inventory_digest(r->a, r->inv)))
        return kp_err_new(
            KP_REFUSED, "undo the edit, or close the run and begin a new one: --supersede",
            "the cluster file names other nodes, hosts or paths than when the run began");
    if (!kp_streq(kp_get_text(open, "kplay", ""), KPLAY_VERSION) && !r->spec->accept_new_kplay)
        return kp_err_new(KP_REFUSED, "resume with that kplay, or: kplay resume --accept-new-kplay",
                          "the run was begun by kplay %s, this is %s",
                          kp_get_text(open, "kplay", "?"), KPLAY_VERSION);
    return NULL;
}

/* Without a playbook and a journal: what a run would find. */
kp_err *kp_run_findings(kp_arena *a, const kp_run_spec *spec, const kp_value *nodes, const char *to,
                        const kp_value **ret_list)
{
    kp_run *r = kp_run_new(a, spec);
    kp_err *e = kp_meet(r);
    int *ids = KP_NEW_ARRAY(a, kp_len(nodes) + 1, int);
    kp_nodes some = { .id = ids, .n = kp_len(nodes), .list = true };

    for (size_t i = 0; i < some.n; i++)
        ids[i] = (int)kp_as_int(kp_at(nodes, i), -1);
    if (!e)
        e = kp_guard_list(r, a, nodes ? &some : NULL, to, NULL, ret_list);
    kp_run_done(r);
    return e;
}
