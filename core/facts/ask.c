/* Questions, and what they cost.
 *
 * A question is sent and waited for; several questions are sent together and cost one round trip.
 *
 * How long one pauses between two looks follows from what the last look cost those who answered,
 * not from how long it took: on a busy machine a round trip is mostly waiting.  An answer costs its
 * size at the best rate seen of its kind; a command on a host costs the best round trip seen, as
 * its work does not grow with what it says.
 */
#include "facts/facts.h"

static bool on_host(kp_req kind)
{
    /* not these: their seconds are Java's, and they are asked seldom */
    bool by_java = kind == KP_Q_PROOF || kind == KP_Q_RELEASE || kind == KP_Q_CLIENTS;
    return (kp_req_is_of_host(kind) && kp_req_is_question(kind) && !by_java) || kind == KP_Q_ZNODE;
}

static int64_t entries(const kp_value *v)
{
    int64_t n = 1;
    if (!v || (v->type != KP_LIST && v->type != KP_MAP))
        return n;
    for (uint32_t i = 0; i < v->n; i++)
        n += entries(v->u.items[i]);
    return n;
}

#define ENTRY_US 100 /* no entry of an answer is taken to cost more, however slow its first one */

void kp_pace_add(kp_pace *p, const kp_reply *reply)
{
    if (reply->err || reply->kind >= KP_REQS)
        return;
    int64_t size = on_host(reply->kind) ? 1 : reply->view ? reply->view->n_parts + INT64_C(1)
                                                          : entries(reply->value);
    int64_t ns = reply->took_us * 1000 / size, *best = &p->best_ns[reply->kind];
    if (*best == 0)
        *best = on_host(reply->kind) ? INT64_MAX : ENTRY_US * 1000;
    if (ns < *best)
        *best = ns > 0 ? ns : 1;
    p->cost_us += size * *best / 1000;
}

kp_ms kp_pace_pause(const kp_pace *p, int share)
{
    int64_t ms = p->cost_us * share / 1000;
    return ms < KP_POLL_MS ? KP_POLL_MS : ms > KP_POLL_MOST ? KP_POLL_MOST : ms;
}

void kp_ask_all(kp_seen *o, kp_arena *a, const kp_request *q, size_t n, kp_reply *ret_replies)
{
    kp_world_ask_all(o->w, a, q, n, ret_replies);
    for (size_t i = 0; i < n; i++)
        kp_pace_add(&o->pace, &ret_replies[i]);
}

kp_err *kp_ask(kp_seen *o, kp_arena *a, const kp_request *q, kp_reply *ret_reply)
{
    kp_reply reply;
    kp_ask_all(o, a, q, 1, &reply);
    if (reply.err)
        return reply.err;
    *ret_reply = reply;
    return NULL;
}

kp_err *kp_ask_value(kp_seen *o, kp_arena *a, const kp_request *q, const kp_value **ret_v)
{
    kp_reply reply;
    KP_TRY(kp_ask(o, a, q, &reply));
    *ret_v = reply.value ? reply.value : kp_nil();
    return NULL;
}
