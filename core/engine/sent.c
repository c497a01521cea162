/* Actions and the one pause: what a run does to its world.
 *
 * An action is sent and not waited for: that it was done is never believed, the verb's probe looks
 * instead; what refuses it is kept for the step, whenever it comes. kp_pause is the only place
 * where a run lets time pass without a question of its own open.
 */
#include "engine/run.h"

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
    kp_request whole = *q;
    whole.op.id = s->op_id;
    whole.op.epoch = r->fence.epoch;
    whole.op.holder = r->id;
    /* It may be under way when the call, or a detached run, has ended. */
    s->sent.ticket = kp_send(r->w, r->a, &whole);
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
