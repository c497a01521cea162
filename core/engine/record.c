/* What a run writes down and tells: records, events, and the error that ends it. */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

kp_err *kp_record_add(kp_run *r, kp_kind kind, const kp_value *body)
{
    kp_err *e = kp_journal_append(r->j, kind, kp_now(r->w), body);
    if (e)
        return kp_run_end(r, e);
    return NULL;
}

/* What the run waits for, for whoever interrupts it. */
static void keep_waits_for(kp_run *r, const kp_event *e)
{
    if (e->kind == KP_E_DONE)
        *r->signals.waits_for = 0;
    else if ((e->kind == KP_E_PROGRESS || e->kind == KP_E_HELD) && e->text)
        snprintf(r->signals.waits_for, sizeof r->signals.waits_for, "%s%s%s",
                 e->verb ? e->verb : "waiting", *e->text ? ": " : "", e->text);
}

const char *kp_event_name(kp_event_kind k)
{
    static const char *const names[] = {
        [KP_E_OPENED] = "opened", [KP_E_RESUMED] = "resumed",   [KP_E_STEP] = "step",
        [KP_E_BEGIN] = "begin",   [KP_E_PROGRESS] = "progress", [KP_E_DONE] = "done",
        [KP_E_NOTE] = "note",     [KP_E_WARN] = "warn",         [KP_E_DOUBT] = "doubt",
        [KP_E_HELD] = "held",     [KP_E_CLOSED] = "closed",     [KP_E_PHASE] = "phase",
    };
    return names[k];
}

void kp_tell(kp_run *r, kp_event e)
{
    keep_waits_for(r, &e);
    if (!r->spec->sink.event)
        return;
    e.t = kp_now(r->w);
    if (!e.step)
        e.step = r->depth >= 0 ? r->scope[r->depth].step : "";
    r->spec->sink.event(r->spec->sink.ud, &e);
}

bool kp_err_ends_run(const kp_err *e)
{
    switch (e->cls) {
    case KP_SAFETY:
    case KP_REFUSED:
    case KP_PAUSED:
    case KP_DETACHED:
    case KP_INTERNAL:
        return true;
    default:
        return false;
    }
}

kp_err *kp_run_end(kp_run *r, kp_err *e)
{
    if (!r->over)
        r->over = kp_err_copy(e);
    return e;
}

bool kp_run_is_over(const kp_run *r)
{
    return r->over != NULL;
}
const kp_err *kp_run_over(const kp_run *r)
{
    return r->over;
}
uint64_t kp_run_seed(const kp_run *r)
{
    return r->seed;
}
