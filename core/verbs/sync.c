/* wait_in_sync: a restarted node is back when two others and it itself say so.
 *
 * A broker: in every ISR it was in before its stop (by topic id, less topics deleted since), seen
 * by two other brokers, and confirmed by itself: it knows the same topics by the same ids.  A
 * controller: the quorum's leader has seen it caught up since.
 */
#include "verbs/inner.h"

#include <string.h>

typedef struct sync_args {
    kp_nodes nodes;
    kp_ms stall, limit;
} sync_args;

static const kp_arg sync_arg[] = {
    KP_ARG(sync_args, nodes, "nodes", NULL, "a node's id, or a list of ids"),
    KP_ARG(sync_args, stall, "duration", "10m", "give up after this long without progress"),
    KP_ARG(sync_args, limit, "duration", "24h", "give up after this long in any case"),
};

static char *behind_lines(kp_step *s, const kp_view *v, const uint32_t *p, uint32_t n)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4096);
    for (uint32_t i = 0; i < n && i < 5; i++)
        kp_buf_fmt(&b, "  %s\n",
                   p[i] < v->n_parts ? kp_view_name(s->a, v, p[i])
                                     : "a topic that brokers answer with an error");
    if (n > 5)
        kp_buf_fmt(&b, "  and %u more\n", n - 5);
    return kp_strdup(s->a, kp_buf_text(&b));
}

/* The node's own picture: the same topics, by id, as the others'.  From an empty cache everything
 * looks well, and a broker left behind in another mode leads partitions it has never heard of. */
static bool same_topics(const kp_view *own, const kp_view *others)
{
    if (own->n_topics != others->n_topics || own->n_parts != others->n_parts)
        return false;
    for (uint32_t i = 0; own->topics != others->topics && i < own->n_topics; i++)
        if (memcmp(own->topics[i].id, others->topics[i].id, 16) != 0 ||
            strcmp(own->topics[i].name, others->topics[i].name) != 0)
            return false;
    return true;
}

/* Without that other broker it cannot become so: the run stands still, and says for whom. */
static void held_by(kp_step *s, int id, const char *how, const char *first)
{
    s->say = kp_printf(s->a, "%sbroker %d %s; nothing is touched until it is back", first, id, how);
    s->next = kp_printf(s->a,
                        "look at broker %d, start it if it is down (that is what brings the ISRs "
                        "back), then: kplay resume",
                        id);
}

/* Another broker of the inventory that the view does not list as live. */
static kp_maybe_id first_down(const kp_step *s, const kp_view *v, int but)
{
    for (uint32_t i = 0; i < v->n_brokers; i++) {
        const kp_view_broker *b = &v->brokers[i];
        const kp_node *n = b->alive ? NULL : kp_inventory_node(s->seen->inv, b->id);
        if (n && n->id != but && kp_node_is(n, KP_BROKER))
            return kp_somebody(n->id);
    }
    return KP_NOBODY;
}

/* The views of two others (of as many as there are, in a smaller cluster) and of the node itself;
 * another that does not answer is passed over while there are more.  False: too few answered. */
static bool ask_all(kp_step *s, int node, const kp_view *ret_other[2], size_t *ret_n,
                    const kp_view **ret_own)
{
    kp_arena *va = s->seen->view_a[!s->seen->view_turn];
    int ids[KP_OTHERS_MOST];
    size_t n = kp_view_sources(s->seen, kp_somebody(node), ids, KP_COUNT(ids));
    size_t need = n < 2 ? n : 2, got = 0, at = 0;
    bool own_asked = false;
    kp_maybe_id silent = KP_NOBODY; /* another that did not answer, the first of them */

    kp_arena_reset(va);
    *ret_own = NULL;
    while (!own_asked || (got < need && at < n)) {
        kp_request q[3];
        kp_reply reply[3];
        size_t m = 0;
        for (; m < need - got && at < n; at++)
            q[m++] = (kp_request) { .kind = KP_Q_VIEW, .node = ids[at], .within = 5 * KP_SECOND };
        if (!own_asked)
            q[m++] = (kp_request) { .kind = KP_Q_VIEW, .node = node, .within = 5 * KP_SECOND };
        own_asked = true;
        kp_ask_all(s->seen, va, q, m, reply);
        for (size_t i = 0; i < m; i++) {
            if (reply[i].err)
                silent = q[i].node == node || silent.is ? silent : kp_somebody(q[i].node);
            else if (q[i].node == node)
                *ret_own = reply[i].view;
            else
                ret_other[got++] = reply[i].view;
            kp_err_drop(reply[i].err);
        }
    }
    *ret_n = got;
    if (*ret_own && got == need)
        return true;
    if (*ret_own) {
        held_by(s, silent.id, "does not answer", "");
    } else {
        s->say = kp_printf(s->a, "broker %d does not answer", node);
        s->next = kp_printf(s->a, "look at broker %d; when it answers: kplay resume", node);
    }
    return false;
}

static kp_verdict broker_back(kp_step *s, int node)
{
    kp_known *known = kp_known_node(s->seen, node);
    const kp_value *excused = known ? known->excused : NULL;
    const kp_view *other[2], *own;
    uint32_t parts[KP_RISK_LIST], left;
    size_t n;

    /* One broker is followed until it says so; only then the second one and the node itself are
     * asked. */
    if (!kp_is_node(s->followed, node)) {
        bool alone;
        const kp_view *v = kp_others_view(s, kp_somebody(node), kp_somebody(node), &alone);
        if (!v && !alone) {
            s->say = "no other broker answers";
            return KP_NOT_YET;
        }
        int slot = v ? kp_view_slot(v, node) : 0;
        left = v ? kp_view_behind(v, node, excused, parts, KP_RISK_LIST) : 0;
        if (v && (slot < 0 || !v->brokers[slot].alive || left)) {
            s->left = left;
            s->say = slot < 0 || !v->brokers[slot].alive
                         ? kp_printf(s->a, "broker %d is not listed", node)
                         : kp_printf(s->a, "broker %d is behind on %u of %u partitions", node, left,
                                     v->by_broker_first[slot + 1] - v->by_broker_first[slot]);
            s->detail = behind_lines(s, v, parts, left);
            kp_maybe_id down = first_down(s, v, node);
            if (down.is)
                held_by(s, down.id, "is down", kp_printf(s->a, "%s, and ", s->say));
            return KP_UNDER_WAY;
        }
    }
    s->followed = kp_somebody(node);
    if (!ask_all(s, node, other, &n, &own))
        return KP_NOT_YET;
    for (size_t i = 0; i <= n; i++) {
        const kp_view *v = i < n ? other[i] : own;
        left = kp_view_behind(v, node, excused, NULL, 0);
        if (!left)
            continue;
        s->left = left;
        s->say = kp_printf(s->a, "broker %d sees it behind on %u partition%s", v->node, left,
                           left == 1 ? "" : "s");
        return KP_UNDER_WAY;
    }
    if (n > 0 && !same_topics(own, other[0])) {
        s->say = kp_printf(s->a, "broker %d does not know the topics the others know yet", node);
        return KP_UNDER_WAY;
    }
    s->followed = KP_NOBODY;
    s->seen->view_turn = !s->seen->view_turn;
    kp_view_seen(s->seen, n > 0 ? other[0] : own);
    return KP_SO;
}

static kp_verdict controller_back(kp_step *s, int node)
{
    kp_request q = { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE, .within = 5 * KP_SECOND };
    const kp_value *quorum;
    kp_err *e = kp_ask_value(s->seen, s->a, &q, &quorum);

    if (e) {
        s->say = kp_printf(s->a, "the quorum does not answer: %s", e->what);
        kp_err_drop(e);
        return KP_NOT_YET;
    }
    if (kp_get_int(quorum, "leader", -1) < 0) {
        s->say = "the quorum has no leader";
        return KP_UNDER_WAY;
    }
    const kp_value *voters = kp_get(quorum, "voters");
    for (size_t i = 0; i < kp_len(voters); i++) {
        const kp_value *one = kp_at(voters, i);
        if (kp_get_int(one, "id", -1) != node)
            continue;
        int64_t behind = kp_get_int(one, "behind", 0), ago = kp_get_int(one, "caught_up_ms", -1);
        const kp_known *k = kp_known_node(s->seen, node);
        kp_ms since = k && k->restarted ? kp_mono(s->seen->w) - k->restarted : KP_NEVER;
        /* A stopped voter keeps its last end offset: what counts is that it was caught up after its
         * restart. */
        if (ago >= 0 && ago < 5000 && ago <= since) {
            return KP_SO;
        }
        s->left = behind;
        s->say = kp_printf(s->a, "controller %d is %" PRId64 " records behind", node, behind);
        return KP_UNDER_WAY;
    }
    s->why = kp_printf(s->a, "controller %d is no voter of the quorum", node);
    return KP_DID_FAIL;
}

/* Every two seconds: a node whose process died is not waited for until the stall, nor one whose
 * fetches are refused because it speaks a newer protocol than the others (its own log says that
 * they fail, again and again). */
static kp_verdict look_at_host(kp_step *s, const kp_node *node, kp_verdict so_far)
{
    kp_known *k = kp_known_node(s->seen, node->id);
    const kp_value *state;
    kp_ms now = kp_mono(s->seen->w);

    if (!k || now - k->looked < 2 * KP_SECOND)
        return so_far;
    k->looked = now;
    int64_t cost = s->seen->pace.cost_us; /* this look has a pace of its own */
    kp_err *e = kp_ask_host(s, node->id, k->log_from > 0 ? k->log_from : -1, &state);
    s->seen->pace.cost_us = cost;
    if (e) {
        kp_err_drop(e);
        return so_far;
    }
    if (kp_get_int(state, "pid", 0) == 0) {
        s->why = kp_printf(s->a, "the process of %s is gone",
                           kp_node_word(s->a, s->seen->inv, node->id));
        s->next = "find out what ended it; when it runs again: kplay resume";
        return KP_DID_FAIL;
    }
    kp_life_look(&k->life, state, -1);
    if (kp_dies_again(s, &k->life, state)) {
        s->why = kp_printf(s->a, "%s: %s", kp_node_word(s->a, s->seen->inv, node->id), s->why);
        return KP_DID_FAIL;
    }
    const kp_value *signs = kp_get(state, "signs");
    bool refused = kp_get_bool(signs, "mis_pinned", false) ||
                   (kp_streq(kp_get_text(kp_get(state, "process"), "mode", ""), "zookeeper") &&
                    kp_get_bool(signs, "fetch_errors", false) && k->restarted &&
                    now - k->restarted > 30 * KP_SECOND);
    if (refused) {
        s->why = kp_printf(
            s->a, "the fetches of %s are refused: it speaks a newer protocol than the others",
            kp_node_word(s->a, s->seen->inv, node->id));
        s->next = "stop it, pin inter.broker.protocol.version in its file, start it again";
        return KP_DID_FAIL;
    }
    return so_far;
}

static kp_verdict sync_probe(kp_step *s, const void *args)
{
    const sync_args *a = args;
    kp_verdict worst = KP_SO;

    for (size_t i = 0; i < a->nodes.n && worst == KP_SO; i++) {
        const kp_node *node = kp_inventory_node(s->seen->inv, a->nodes.id[i]);
        if (kp_node_is(node, KP_CONTROLLER))
            worst = controller_back(s, node->id);
        if (worst == KP_SO && kp_node_is(node, KP_BROKER))
            worst = broker_back(s, node->id);
        if (worst != KP_SO && worst != KP_DID_FAIL)
            worst = look_at_host(s, node, worst);
        if (s->left > 0) /* a node further on in the list is nearer, whatever it has left */
            s->progress = -s->left - (int64_t)(a->nodes.n - 1 - i) * (INT64_C(1) << 32);
    }
    return worst;
}

static void sync_after(kp_step *s, const void *args)
{
    const sync_args *a = args;
    for (size_t i = 0; i < a->nodes.n; i++)
        if (kp_is_node(s->seen->last_started, a->nodes.id[i]))
            s->seen->last_started = KP_NOBODY;
    kp_count_confirmed(s);
}

const kp_op kp_op_wait_in_sync = {
    .name = "wait_in_sync",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_WAIT,
    .p50 = 10 * KP_SECOND,
    .p95 = 10 * KP_MINUTE,
    .doc =
        "Waits until each node is back in every ISR it was in, or caught up with the quorum.\n"
        "A broker: in every ISR it was in before it was stopped, seen by two other brokers and by\n"
        "itself.  A controller: caught up with the quorum's leader since its restart.",
    .result = "nil",
    .example = "wait_in_sync(2, { stall = \"30m\" })",
    KP_TAKES(sync_arg, sync_args),
    .probe = sync_probe,
    .after = sync_after,
};
