/* Views that may be relied on.
 *
 * One broker's answer is not the cluster's: a second broker's metadata cache lags the first by a
 * few tenths of a second, and a broker that has just restarted answers "0 under-replicated" from an
 * empty cache.  So a fresh view is two answers, from two nodes, neither just restarted, asked after
 * the last action, that agree; disagreement is waited out, and what stays is unknown, which is
 * unhealthy.
 */
#include "facts/facts.h"

#include <string.h>

#define SAME_MOMENT 20                /* ms */
#define AGREE_WITHIN (10 * KP_SECOND) /* caches that differ for longer differ for a reason */

void kp_view_seen(kp_seen *o, const kp_view *v)
{
    for (size_t i = 0; i < o->n_known; i++) {
        int slot = kp_view_slot(v, o->known[i].id);
        o->known[i].down = slot < 0 || !v->brokers[slot].alive;
    }
    o->view = v->leader_epoch ? v : NULL;
}

size_t kp_view_sources(kp_seen *o, kp_maybe_id without, int *ret_ids, size_t max)
{
    size_t n = 0;
    /* Three passes: live brokers that are neither `without` nor the last one started; then that
     * one; then any. */
    for (int pass = 0; pass < 3 && n < max; pass++) {
        for (uint32_t i = 0; i < o->inv->n_nodes && n < max; i++) {
            const kp_node *node = &o->inv->nodes[i];
            if (!kp_node_is(node, KP_BROKER) || kp_is_node(without, node->id))
                continue;
            const kp_known *known = kp_known_node(o, node->id);
            bool alive = !known || !known->down;
            bool started = kp_is_node(o->last_started, node->id);
            if (pass == 0 ? !alive || started : pass == 1 ? !alive || !started : alive)
                continue;
            ret_ids[n++] = node->id;
        }
        if (n >= 2 && pass < 1)
            break;
    }
    return n;
}

/* False: they disagree, *ret_why says where. */
static bool views_agree(kp_seen *o, const kp_view *x, const kp_view *y, const char **ret_why)
{
    uint32_t p[3];

    if (x->digest == y->digest && x->n_parts == y->n_parts)
        return true;
    uint32_t n = kp_view_differ(x, y, p, 3);
    if (n == 0)
        return true;
    const char *one = p[0] < y->n_parts ? kp_view_name(o->scratch, y, p[0])
                                        : "a topic only one of them knows";
    *ret_why = kp_printf(o->scratch,
                         "brokers %d and %d disagree about %s of %u partition%s, %s first", x->node,
                         y->node, "the ISR or leader", n, n == 1 ? "" : "s", one);
    return false;
}

/* A view with epochs older than the run has seen comes from a stale cache. */
static bool stale(kp_seen *o, const kp_view *v)
{
    if (o->view && v->leader_epoch == o->view->leader_epoch)
        return false; /* the same array */
    if (!v->leader_epoch || !o->view || !o->view->leader_epoch || o->view->n_parts != v->n_parts)
        return false;
    if (v->n_topics == 0 || o->view->n_topics != v->n_topics ||
        memcmp(o->view->topics[0].id, v->topics[0].id, 16) != 0)
        return false;
    for (uint32_t p = 0; p < v->n_parts; p++)
        if (v->leader_epoch[p] < o->view->leader_epoch[p] &&
            memcmp(kp_view_topic_of(v, p)->id, kp_view_topic_of(o->view, p)->id, 16) == 0)
            return true;
    return false;
}

/* And nothing was asked since: it would be the same answer. */
static bool just_taken(const kp_seen *o, bool with_config)
{
    return o->fresh && o->fresh_requests == o->w->n_requests && (o->fresh_config || !with_config) &&
           kp_mono(o->w) - o->fresh_at < SAME_MOMENT;
}

static void believe(kp_seen *o, const kp_view *v, bool with_config)
{
    o->view_turn = !o->view_turn;
    kp_view_seen(o, v);
    o->fresh = v;
    o->fresh_config = with_config;
    o->fresh_requests = o->w->n_requests;
    o->fresh_at = kp_mono(o->w);
}

/* One round's views, of one node or of two. */
typedef struct voices {
    const kp_view *view[2];
    size_t n;
} voices;

/* Asks these nodes, two at a time, until two have answered.  *silence: the error of the last one
 * that did not; the caller's. */
static voices ask_two(kp_seen *o, kp_arena *a, const int *ids, size_t n, bool with_config,
                      kp_err **silence)
{
    voices got = { 0 };
    size_t at = 0;

    while (got.n < 2 && at < n) {
        kp_request q[2];
        kp_reply reply[2];
        size_t m = 0;
        while (m < 2 - got.n && at < n)
            q[m++] = (kp_request) { .kind = KP_Q_VIEW,
                                    .node = ids[at++],
                                    .view.with_config = with_config,
                                    .within = 5 * KP_SECOND };
        kp_ask_all(o, a, q, m, reply);
        for (size_t i = 0; i < m; i++) {
            if (reply[i].err) {
                kp_err_drop(*silence);
                *silence = reply[i].err;
            } else {
                got.view[got.n++] = reply[i].view;
            }
        }
    }
    return got;
}

/* The view they agree on; NULL: they do not, or it is an older one, and *why says so. */
static const kp_view *agreed(kp_seen *o, kp_arena *a, const voices *got, bool with_config,
                             const char **why)
{
    const kp_view *v = got->view[0];

    if (got->n == 2 && !views_agree(o, v, got->view[1], why))
        return NULL;
    if (stale(o, v)) {
        *why = kp_printf(o->scratch, "broker %d answers with leader epochs older than already seen",
                         v->node);
        return NULL;
    }
    return got->n == 2 && with_config ? kp_view_stricter(a, v, got->view[1]) : v;
}

/* One look at the cluster: the view to rely on; NULL: there is none now, and *why says why. */
static const kp_view *look(kp_seen *o, kp_maybe_id without, bool with_config, const char **why,
                           kp_err **silence)
{
    int ids[16];
    size_t n = kp_view_sources(o, without, ids, KP_COUNT(ids));
    bool lonely = o->inv->n_nodes > 0 && n < 2; /* a cluster of one broker has one voice */
    kp_arena *a = o->view_a[!o->view_turn];

    kp_arena_reset(a);
    o->polls++;
    const voices got = ask_two(o, a, ids, n, with_config, silence);
    if (got.n == 2 || (got.n == 1 && lonely)) {
        kp_err_drop(*silence); /* whoever was silent, it was not for want of answers */
        *silence = NULL;
        return agreed(o, a, &got, with_config, why);
    }
    *why = got.n == 0 ? "no broker answers"
                      : kp_printf(o->scratch, "only broker %d answers", got.view[0]->node);
    return NULL;
}

kp_err *kp_fresh_view(kp_seen *o, kp_maybe_id without, bool with_config, const kp_view **ret_v)
{
    kp_ms until = kp_mono(o->w) + AGREE_WITHIN;
    const char *why = "";
    kp_err *silence = NULL;

    if (just_taken(o, with_config)) {
        *ret_v = o->fresh;
        return NULL;
    }
    o->fresh = NULL;
    for (;;) {
        const kp_view *v = look(o, without, with_config, &why, &silence);
        if (v) {
            believe(o, v, with_config);
            *ret_v = v;
            return NULL;
        }
        if (kp_mono(o->w) >= until)
            break;
        kp_err *e = o->pause(o->ud, KP_POLL_MS);
        if (e) {
            kp_err_drop(silence);
            return e;
        }
    }
    kp_err *e = kp_err_new(silence ? KP_CLUSTER : KP_SAFETY,
                           "look at the brokers named here; when they agree again: kplay resume",
                           "the state of the partitions is unknown: %s", why);
    return kp_err_because(e, silence);
}
