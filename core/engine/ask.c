/* Requests and the one pause: how everything in the engine talks to its world.
 *
 * A question is sent and waited for; several questions are sent together and cost one round trip.
 * An action is sent and not waited for: its answer is never believed, the verb's probe looks
 * instead. kp_pause is the only place where a run lets time pass without a question of its own
 * open.
 */
#include "engine/run.h"

void kp_ask_all(kp_run *r, kp_arena *a, const kp_request *q, size_t n, kp_reply *ret_replies)
{
    kp_world_ask_all(r->w, a, q, n, ret_replies);
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

void kp_send_only(kp_run *r, const kp_request *q)
{
    r->acted = true;
    /* It may be under way when the call, or a detached run, has ended. */
    (void)kp_send(r->w, r->a, q);
}

kp_ms kp_poll_pause(int64_t last_took_us)
{
    int64_t ms = last_took_us * 20 / 1000;
    if (ms < KP_POLL_MS)
        return KP_POLL_MS;
    return ms > 5 * KP_SECOND ? 5 * KP_SECOND : ms;
}

kp_err *kp_pause(kp_run *r, kp_ms d, bool action_under_way)
{
    kp_ms until = kp_mono(r->w) + d;
    for (;;) {
        int signals = kp_interrupts(r->w);
        bool hold = r->depth >= 0 && r->scope[r->depth].hold;
        if (signals > r->interrupts_seen && !action_under_way && !hold)
            return kp_check_interrupt(r);
        if (signals > r->interrupts_seen + 1)
            return kp_run_end(r, kp_err_new(KP_DETACHED, "kplay resume",
                                            "detached; what was asked for goes on by itself"));
        if (signals == r->interrupts_seen + 1 && action_under_way && !hold &&
            r->interrupts_told < signals) {
            r->interrupts_told = signals;
            kp_tell(
                r,
                (kp_event) {
                    .kind = KP_E_NOTE,
                    .text = "pausing when this action is done; press Ctrl-C again to leave now" });
        }
        if (kp_mono(r->w) >= until)
            return NULL;
        kp_reply *stray = kp_wait(r->w, until);
        if (stray)
            kp_err_drop(stray->err);
    }
}
