/* How long things take.
 *
 * The first guess is a rule of thumb per verb, wide on purpose; after that the median and the
 * slowest of what this run itself has seen.  Every intent and wait carries it, so the journal is
 * the back-test.
 */
#include "engine/run.h"

#include <string.h>

/* NULL: it is not timed. */
static kp_eta *eta_of(kp_run *r, const kp_op *op)
{
    if (!op->p50)
        return NULL;
    for (size_t i = 0; i < KP_ETA_VERBS; i++)
        if (!r->eta[i].op || r->eta[i].op == op) {
            r->eta[i].op = op;
            return &r->eta[i];
        }
    return NULL;
}

void kp_eta_learn(kp_run *r, const kp_op *op, kp_ms took)
{
    kp_eta *e = eta_of(r, op);
    if (!e)
        return;
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
    const kp_eta *e = eta_of(r, op);
    if (!e)
        return NULL;
    kp_ms p50 = e->n ? e->ms[e->n / 2] : op->p50;
    kp_ms p95 = e->n ? e->ms[e->n - 1] * 2 : op->p95;
    return kp_map(r->call, "p50", kp_int(r->call, p50), "p95",
                  kp_int(r->call, p95 > p50 ? p95 : p50), NULL);
}
