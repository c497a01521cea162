/* How long things take.
 *
 * The first guess is a rule of thumb per verb, wide on purpose; after that the median and the
 * slowest of what this run itself has seen.  Every intent and wait carries it, so the journal is
 * the back-test.
 */
#include "engine/run.h"

#include <string.h>

static const struct thumb {
    const char *verb;
    kp_ms p50, p95;
} thumbs[] = {
    { "stop_broker", 6 * KP_SECOND, 2 * KP_MINUTE },
    { "start_broker", 12 * KP_SECOND, 2 * KP_MINUTE },
    { "stop_controller", 2 * KP_SECOND, 15 * KP_SECOND },
    { "start_controller", 8 * KP_SECOND, KP_MINUTE },
    { "wait_in_sync", 10 * KP_SECOND, 10 * KP_MINUTE },
    { "switch_release", KP_SECOND, 10 * KP_SECOND },
    { "set_ibp", KP_SECOND, 10 * KP_SECOND },
    { "set_properties", KP_SECOND, 10 * KP_SECOND },
    { "elect_preferred", 2 * KP_SECOND, 30 * KP_SECOND },
};

static int slot_of(const kp_op *op)
{
    for (size_t i = 0; i < KP_COUNT(thumbs); i++)
        if (kp_streq(thumbs[i].verb, op->name))
            return (int)i;
    return -1;
}

_Static_assert(KP_COUNT(thumbs) <= KP_ETA_VERBS, "a row for each verb that is timed");

void kp_eta_learn(kp_run *r, const kp_op *op, kp_ms took)
{
    int i = slot_of(op);
    if (i < 0)
        return;
    kp_eta *e = &r->eta[i];
    /* Kept sorted: the middle one is the median, the last one the slowest.  Any but the slowest
     * makes room, all over the range in turn, so that the middle stays the middle. */
    if (e->n == KP_ETA_SAMPLES) {
        int gone = e->forget;
        e->forget = (gone + 25) %
                    (KP_ETA_SAMPLES - 1); /* 25 and 63 share no factor: each has its turn */
        memmove(&e->ms[gone], &e->ms[gone + 1], (size_t)(e->n - gone - 1) * sizeof e->ms[0]);
        e->n--;
    }
    int at = e->n;
    while (at > 0 && e->ms[at - 1] > took)
        at--;
    memmove(&e->ms[at + 1], &e->ms[at], (size_t)(e->n - at) * sizeof e->ms[0]);
    e->ms[at] = took;
    e->n++;
}

const kp_value *kp_eta_of(kp_run *r, const kp_op *op)
{
    int i = slot_of(op);
    if (i < 0)
        return NULL;
    const kp_eta *e = &r->eta[i];
    kp_ms p50 = e->n ? e->ms[e->n / 2] : thumbs[i].p50;
    kp_ms p95 = e->n ? e->ms[e->n - 1] * 2 : thumbs[i].p95;
    return kp_map(r->call, "p50", kp_int(r->call, p50), "p95",
                  kp_int(r->call, p95 > p50 ? p95 : p50), NULL);
}
