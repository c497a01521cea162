/* A run's report: how it ended, what it stopped and how long it did nothing in between.
 *
 * {run, state = "done"|"paused"|"failed"|"refused", records, head, journal = its path, requests,
 * took_ms, stops = [{node, at, idle_ms, idle_requests, idle_polls}], stops_before = a count, down =
 * [names], assumed, irreversible = [what a rehearsal said yes to], warnings, overrides, accepted,
 * unused_effects, used_effects, replayed, acted, warned (it only looked, ended well and warned),
 * closed}: requests, took_ms and stops are of this session
 */
#include "engine/run.h"

const kp_value *kp_effects_value(kp_arena *a, unsigned effects)
{
    kp_builder b = kp_list_begin(a);
    for (unsigned bit = 1; bit; bit <<= 1)
        if ((effects & bit) && kp_grant_name((kp_grant)bit))
            kp_list_add(&b, kp_text(a, kp_grant_name((kp_grant)bit)));
    return kp_list_end(&b);
}

/* ---- what is counted ---- */

void kp_count_stop(kp_step *s)
{
    kp_run *r = s->r;
    bool idle = r->tally.confirmed_at >= 0;

    kp_list_add(
        &r->tally.stops,
        kp_map(r->a, "node", kp_int(r->a, s->node.id), "at", kp_int(r->a, kp_now(r->w)), "idle_ms",
               idle ? kp_int(r->a, kp_mono(r->w) - r->tally.confirmed_at) : NULL, "idle_requests",
               idle ? kp_int(r->a, r->w->n_requests - r->tally.confirmed_requests) : NULL,
               "idle_polls", idle ? kp_int(r->a, r->seen->polls - r->tally.confirmed_polls) : NULL,
               NULL));
    r->tally.confirmed_at = -1;
}

void kp_count_confirmed(kp_step *s)
{
    kp_run *r = s->r;

    r->tally.confirmed_at = kp_mono(r->w);
    r->tally.confirmed_requests = r->w->n_requests;
    r->tally.confirmed_polls = r->seen->polls;
}

/* ---- the report ---- */

const char *kp_state_of(const kp_err *e)
{
    if (!e)
        return "done";
    switch (e->cls) {
    case KP_PAUSED:
    case KP_DETACHED:
        return "paused";
    case KP_SAFETY:
    case KP_REFUSED:
        return "refused";
    default:
        return "failed";
    }
}

/* A playbook without effects, or a rehearsal of one that has some. */
static bool only_looks(const kp_run *r)
{
    return r->spec->assume_yes || (r->header && !r->header->effects);
}

const kp_value *kp_run_report(kp_run *r, const kp_err *e, bool closed)
{
    kp_arena *a = r->a;
    unsigned unused = r->header ? r->header->effects & ~r->used : 0;
    const kp_value *warnings = kp_list_end(&r->tally.warnings);

    return kp_map(a, "run", kp_text(a, r->id), "state", kp_text(a, kp_state_of(e)), "records",
                  kp_int(a, r->j ? kp_journal_n(r->j) : 0), "head",
                  r->j ? kp_text(a, kp_journal_head(r->j)) : NULL, "journal",
                  r->spec->runs ? kp_textf(a, "%s/%s/journal.jsonl", r->spec->runs, r->id) : NULL,
                  "requests", kp_int(a, r->w->n_requests), "took_ms",
                  kp_int(a, kp_mono(r->w) - r->tally.began), "stops", kp_list_end(&r->tally.stops),
                  "stops_before", r->tally.stops_before ? kp_int(a, r->tally.stops_before) : NULL,
                  "down", kp_left_down(r), "assumed", kp_list_end(&r->tally.assumed),
                  "irreversible", kp_list_end(&r->tally.irreversible), "warnings", warnings,
                  "warned", kp_bool(!e && only_looks(r) && kp_len(warnings) > 0), "overrides",
                  kp_list_end(&r->tally.overridden), "accepted", kp_list_end(&r->tally.accepted),
                  "unused_effects", kp_effects_value(a, unused), "used_effects",
                  kp_effects_value(a, r->used), "replayed", kp_int(a, r->replay.answered), "acted",
                  kp_bool(r->acted > 0), "closed", kp_bool(closed), NULL);
}

kp_err *kp_report_warned(const kp_value *report)
{
    size_t n = kp_len(kp_get(report, "warnings"));

    if (!kp_get_bool(report, "warned", false))
        return NULL;
    return kp_err_new(KP_WARNED, "read what it warns of: nothing of it stands in the way",
                      "it ended well, with %zu warning%s", n, n == 1 ? "" : "s");
}
