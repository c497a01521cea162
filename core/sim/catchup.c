/* Catching up: a broker that is back fetches what its replicas missed, and they rejoin their ISRs.
 *
 * The replicas share the broker's link equally (processor sharing), so they finish in the order of
 * the bytes they are behind: rate times the time away.  They are sorted once, and one event per
 * broker is pending, for the next to finish.  `level` is what each of them has got so far.  The
 * list lies beside the block and can be made again from the ISRs and the level.
 *
 * A replica whose partition has no leader cannot fetch; it is tried again when the partition has
 * one. What is written meanwhile takes its share of the link.
 */
#include "sim/oracle.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_FETCH                                                                                \
    (400 * KP_SIM_MS) /* fetching begins, and the leader's answer to joining the ISR */
#define TOGETHER                                                                                   \
    (5 * KP_SIM_MS) /* what is done within this is one event (AlterPartition batches) */
#define SLOW 10     /* slow_disk */

static kp_us timer_due(const kp_sim *sim, int32_t node)
{
    return sim->due[kp_sim_timer_of(node, KP_SIM_T_CATCH_UP)];
}

static double speed(const kp_sim *sim, const kp_sim_node *n)
{
    double link = sim->h->timing.link, left = link - n->inflow;

    if (left < link / 10)
        left = link / 10;
    return n->troubles & KP_SIM_SLOW ? left / SLOW : left;
}

static double bytes_of(const kp_sim *sim, const kp_sim_node *n, uint32_t p)
{
    return (double)sim->rate[p] * n->span;
}

/* Ascending by rate, then by partition: keys are the bits of the (never negative) floats. */
static void sort_by_rate(const kp_sim *sim, uint32_t *e, uint32_t n)
{
    typedef struct pair {
        uint32_t key, e;
    } pair;
    pair *from = kp_malloc(2 * (size_t)n * sizeof *from), *to = from + n, *whole = from;

    for (uint32_t i = 0; i < n; i++) {
        memcpy(&from[i].key, &sim->rate[e[i]], sizeof from[i].key);
        from[i].e = e[i];
    }
    for (unsigned shift = 0; shift < 32; shift += 11) {
        uint32_t at[2048] = { 0 };
        for (uint32_t i = 0; i < n; i++)
            at[from[i].key >> shift & 2047]++;
        for (uint32_t k = 0, sum = 0; k < 2048; k++) {
            uint32_t c = at[k];
            at[k] = sum;
            sum += c;
        }
        for (uint32_t i = 0; i < n; i++)
            to[at[from[i].key >> shift & 2047]++] = from[i];
        pair *swap = from;
        from = to;
        to = swap;
    }
    for (uint32_t i = 0; i < n; i++)
        e[i] = from[i].e;
    free(whole);
}

/* A replica that a reassignment adds is not the business of a restart. */
static bool is_adding(const kp_sim *sim, uint32_t p, uint32_t replica)
{
    return sim->h->n_moves > 0 && kp_sim_bit(sim->adding, sim->first_rep[p] + replica);
}

/* Replicas of the node that are out of sync on a partition with a leader; the others can
 * not catch up. */
static void list(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];
    kp_sim_flows *f = &sim->flows[node];
    uint32_t first = sim->by_first[n->slot], end = sim->by_first[n->slot + 1];

    free(f->e);
    *f = (kp_sim_flows) { 0 };
    if (sim->out[n->slot] == 0)
        return;
    f->e = kp_malloc(sim->out[n->slot] * sizeof *f->e);
    for (uint32_t i = first; i < end; i++) {
        uint32_t p = sim->by_broker[i], replica = kp_sim_replica_on(sim, p, n->slot);
        if (kp_sim_in_sync(sim, p, replica))
            continue;
        if (sim->leader[p] != KP_VIEW_NO_LEADER && !is_adding(sim, p, replica))
            f->e[f->n++] = p;
    }
    sort_by_rate(sim, f->e, f->n);
    for (uint32_t i = 0; i < f->n; i++)
        f->left += bytes_of(sim, n, f->e[i]);
}

/* The share of each flow, brought up to now. */
static void settle(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];
    kp_sim_flows *f = &sim->flows[node];

    if (f->next < f->n && sim->h->now > n->level_at)
        n->level += speed(sim, n) / (f->n - f->next) * (double)(sim->h->now - n->level_at) / 1e6;
    if (sim->h->now > n->level_at)
        n->level_at = sim->h->now;
}

static kp_us until_next(const kp_sim *sim, const kp_sim_node *n, const kp_sim_flows *f)
{
    double need = bytes_of(sim, n, f->e[f->next]) - n->level;

    if (need <= 0)
        return 0;
    double us = need * (f->n - f->next) / speed(sim, n) * 1e6;
    return us < 1e15 ? (kp_us)us + 1 : (kp_us)1e15;
}

static void arm(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];
    const kp_sim_flows *f = &sim->flows[node];
    kp_us due = KP_SIM_NEVER;

    if (f->next < f->n)
        due = (n->level_at > sim->h->now ? n->level_at : sim->h->now) + until_next(sim, n, f);
    kp_sim_timer_set(sim, kp_sim_timer_of(node, KP_SIM_T_CATCH_UP), due);
    kp_sim_rejoined(sim, node);
}

static bool may_fetch(const kp_sim_node *n)
{
    return n->phase == KP_SIM_RUNNING && kp_sim_is_broker(n) && !n->mis_pinned &&
           !(n->troubles & KP_SIM_NO_REJOIN);
}

void kp_sim_catch_up_start(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    kp_sim_catch_up_stop(sim, node);
    if (!may_fetch(n))
        return;
    n->span = n->behind_since == KP_SIM_NEVER ? 0 : (double)(sim->h->now - n->behind_since) / 1e6;
    n->level = 0;
    n->level_at = sim->h->now + FIRST_FETCH;
    list(sim, node);
    arm(sim, node);
}

void kp_sim_catch_up_stop(kp_sim *sim, int32_t node)
{
    free(sim->flows[node].e);
    sim->flows[node] = (kp_sim_flows) { 0 };
    kp_sim_timer_set(sim, kp_sim_timer_of(node, KP_SIM_T_CATCH_UP), KP_SIM_NEVER);
}

void kp_sim_catch_up_restore(kp_sim *sim, int32_t node)
{
    list(sim, node);
}

void kp_sim_catch_up_speed(kp_sim *sim, int32_t node)
{
    settle(sim, node);
    if (timer_due(sim, node) != KP_SIM_NEVER)
        arm(sim, node);
}

void kp_sim_catch_up_due(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];
    kp_sim_flows *f = &sim->flows[node];

    settle(sim, node);
    while (f->next < f->n && until_next(sim, n, f) <= TOGETHER) {
        uint32_t p = f->e[f->next++];
        if (f->next + 16 < f->n)
            __builtin_prefetch(&sim->first_rep[f->e[f->next + 16]]);
        if (f->next + 8 < f->n) {
            uint32_t q = f->e[f->next + 8];
            __builtin_prefetch(&sim->isr[sim->first_rep[q] / 64]);
            __builtin_prefetch(&sim->rep[sim->first_rep[q]]);
            __builtin_prefetch(&sim->rate[q]);
        }
        f->left -= bytes_of(sim, n, p);
        if (sim->leader[p] != KP_VIEW_NO_LEADER)
            kp_sim_partition_set(sim, p, kp_sim_replica_on(sim, p, n->slot), KP_SIM_NO_REPLICA,
                                 sim->leader[p]);
    }
    arm(sim, node);
}

double kp_sim_bytes_behind(const kp_sim *sim, int32_t node)
{
    const kp_sim_flows *f = &sim->flows[node];
    const kp_sim_node *n = &sim->node[node];
    double got = n->level;

    if (f->next < f->n && sim->h->now > n->level_at)
        got += speed(sim, n) / (f->n - f->next) * (double)(sim->h->now - n->level_at) / 1e6;
    double left = f->left - got * (f->n - f->next);
    return left > 0 ? left : 0;
}

void kp_sim_recheck(kp_sim *sim)
{
    for (uint32_t i = 0; i < sim->h->n_nodes && sim->n_recheck > 0; i++) {
        if (!sim->node[i].recheck)
            continue;
        sim->node[i].recheck = false;
        sim->n_recheck--;
        if (!may_fetch(&sim->node[i]))
            continue;
        settle(sim, (int32_t)i);
        list(sim, (int32_t)i);
        arm(sim, (int32_t)i);
    }
}
