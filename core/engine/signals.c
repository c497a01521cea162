/* Ctrl-C, SIGTERM and SIGHUP: what each of them still lets a run finish.
 *
 * The first one finishes the node: a step that holds (`step(name, { hold = true })`) and has
 * acted goes on to its end.  The second finishes the action under way.  The third leaves at
 * once; what was asked for goes on by itself.  Where no step holds, the first is what the second
 * is there.  Whoever lets time pass asks here, so that every wait obeys; a run never pauses without
 * saying what it has stopped and not started.
 */
#include "engine/run.h"

#include <stdio.h>

static bool holds(const kp_run *r)
{
    for (int i = 0; i <= r->depth; i++)
        if (r->scope[i].hold)
            return true;
    return false;
}

kp_urge kp_urged(const kp_run *r)
{
    int signals = kp_interrupts(r->w) - r->signals.seen;

    if (signals <= 0 || r->replay.shadow)
        return KP_GO_ON;
    signals += !holds(r);
    return signals < KP_LEAVE ? (kp_urge)signals : KP_LEAVE;
}

void kp_hold_acted(kp_run *r)
{
    for (int i = 0; i <= r->depth; i++)
        r->scope[i].hold = r->scope[i].hold || r->scope[i].holds;
}

const kp_value *kp_left_down(kp_run *r)
{
    kp_builder b = kp_list_begin(r->a);
    for (size_t i = 0; i < r->seen->n_known; i++)
        if (r->seen->known[i].stopped)
            kp_list_add(&b, kp_text(r->a, kp_node_word(r->a, r->inv, r->seen->known[i].id)));
    return kp_list_end(&b);
}

#define NAMED 5 /* of the nodes that are down */

/* "broker 2 is down: this run stopped it and has not started it"; "" when nothing is. */
static void say_down(kp_run *r, kp_buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < r->seen->n_known; i++)
        if (r->seen->known[i].stopped && n++ < NAMED)
            kp_buf_fmt(b, "%s%s", n > 1 ? ", " : "",
                       kp_node_word(r->call, r->inv, r->seen->known[i].id));
    if (n > NAMED)
        kp_buf_fmt(b, " and %zu more", n - NAMED);
    if (n)
        kp_buf_fmt(b, "%s down: this run stopped %s and has not started %s", n > 1 ? " are" : " is",
                   n > 1 ? "them" : "it", n > 1 ? "them" : "it");
}

static kp_err *paused(kp_run *r)
{
    KP_AUTO_BUF down = KP_BUF_INIT(4096);

    r->signals.seen = kp_interrupts(r->w);
    say_down(r, &down);
    return kp_run_end(r, kp_err_new(KP_PAUSED, "kplay resume", "paused by a person; %s",
                                    down.n ? kp_buf_text(&down) : "nothing is under way"));
}

static kp_err *left(kp_run *r)
{
    KP_AUTO_BUF down = KP_BUF_INIT(4096);
    const char *what = r->signals.under_way ? kp_printf(r->call, ": %s", r->signals.under_way) : "";

    say_down(r, &down);
    return kp_run_end(r, kp_err_new(KP_DETACHED, "kplay resume",
                                    "detached; what was asked for goes on by itself%s%s%s", what,
                                    down.n ? "; " : "", kp_buf_text(&down)));
}

/* Once per signal: what is finished first, and what one more would do. */
static void tell(kp_run *r, kp_urge urge)
{
    int signals = kp_interrupts(r->w);
    char now[256] = "";

    if (r->signals.told >= signals)
        return;
    r->signals.told = signals;
    if (*r->signals.waits_for)
        snprintf(now, sizeof now, "; now %s", r->signals.waits_for);
    const char *text =
        urge == KP_FINISH_ACTION
            ? "pausing when this action is done; press Ctrl-C again to leave now"
            : kp_printf(r->call,
                        "pausing when %s is done%s; press Ctrl-C again to pause after this action",
                        *r->scope[r->depth].step ? r->scope[r->depth].step : "this step", now);
    kp_tell(r, (kp_event) { .kind = KP_E_NOTE, .text = text });
}

kp_err *kp_check_interrupt(kp_run *r)
{
    return kp_urged(r) >= KP_FINISH_ACTION ? paused(r) : NULL;
}

kp_err *kp_obey_signals(kp_run *r)
{
    kp_urge urge = kp_urged(r);

    if (urge == KP_LEAVE)
        return left(r);
    if (urge == KP_FINISH_ACTION && !r->signals.under_way)
        return paused(r);
    if (urge != KP_GO_ON)
        tell(r, urge);
    return NULL;
}
