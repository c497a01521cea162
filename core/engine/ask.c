/* Requests and the one pause: how everything in the engine talks to its world.
 *
 * A question is sent and waited for; several questions are sent together and cost one round trip.
 * An action is sent and not waited for: that it was done is never believed, the verb's probe looks
 * instead; what refuses it is kept for the step, whenever it comes. kp_pause is the only place
 * where a run lets time pass without a question of its own open.
 *
 * How long a run pauses between two looks follows from what the last look cost those who answered,
 * not from how long it took: on a busy machine a round trip is mostly waiting.  An answer costs its
 * size at the best rate seen of its kind; a command on a host costs the best round trip seen, as
 * its work does not grow with what it says.
 */
#include "engine/run.h"

static bool on_host(kp_req kind)
{
    return kind == KP_Q_HOST || kind == KP_Q_FILE || kind == KP_Q_GRANTS || kind == KP_Q_JOB ||
           kind == KP_Q_ZNODE;
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

void kp_ask_all(kp_run *r, kp_arena *a, const kp_request *q, size_t n, kp_reply *ret_replies)
{
    kp_world_ask_all(r->w, a, q, n, ret_replies);
    for (size_t i = 0; i < n; i++)
        kp_pace_add(&r->pace, &ret_replies[i]);
}

kp_err *kp_ask(kp_run *r, kp_arena *a, const kp_request *q, kp_reply *ret_reply)
{
    kp_reply reply;
    kp_ask_all(r, a, q, 1, &reply);
    if (reply.err)
        return reply.err;
    *ret_reply = reply;
    return NULL;
}

kp_err *kp_ask_value(kp_run *r, kp_arena *a, const kp_request *q, const kp_value **ret_v)
{
    kp_reply reply;
    KP_TRY(kp_ask(r, a, q, &reply));
    *ret_v = reply.value ? reply.value : kp_nil();
    return NULL;
}

static void answered(void *ud, kp_reply *reply)
{
    kp_run *r = ud;
    kp_sent *s = r->sent;

    while (s && s->ticket != reply->ticket)
        s = s->next;
    if (s && !s->no)
        s->no = reply->err;
    else
        kp_err_drop(reply->err);
}

void kp_send_only(kp_step *s, const kp_request *q)
{
    kp_run *r = s->r;

    r->acted++;
    r->w->stray = answered;
    r->w->stray_ud = r;
    /* It may be under way when the call, or a detached run, has ended. */
    s->sent.ticket = kp_send(r->w, r->a, q);
    s->sent.next = r->sent;
    r->sent = &s->sent;
}

void kp_sent_forget(kp_run *r)
{
    for (kp_sent *s = r->sent; s; s = s->next)
        kp_err_drop(s->no);
    r->sent = NULL;
    r->w->stray = NULL;
}

kp_err *kp_pause(kp_run *r, kp_ms d)
{
    kp_ms until = kp_mono(r->w) + d;
    for (;;) {
        KP_TRY(kp_obey_signals(r));
        if (kp_mono(r->w) >= until)
            return NULL;
        kp_reply *stray = kp_wait(r->w, until);
        if (stray)
            kp_world_stray(r->w, stray);
    }
}
