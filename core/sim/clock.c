/* The virtual clock: what is due, in which order, and chance.
 *
 * Every source of events has one timer, a due time in the block.  The heap over them lies beside
 * the block and is rebuilt when a file is opened.  Events at the same microsecond happen in the
 * order of their timers, so that equal seeds give equal histories.
 */
#include "sim/oracle.h"

/* splitmix64 */
uint64_t kp_sim_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t kp_sim_random(kp_sim *sim)
{
    sim->h->rng += 0x9e3779b97f4a7c15u;
    return kp_sim_mix(sim->h->rng);
}

kp_us kp_sim_between(kp_sim *sim, kp_us from, kp_us to)
{
    return to <= from ? from : from + (kp_us)(kp_sim_random(sim) % (uint64_t)(to - from));
}

void kp_sim_timer_set(kp_sim *sim, uint32_t timer, kp_us due)
{
    size_t *at = &sim->timer_at[timer];

    if (due <= sim->h->now)
        due = sim->h->now + 1; /* an event never asks for its own instant again */
    sim->due[timer] = due;
    if (due != KP_SIM_NEVER)
        kp_heap_add(&sim->timers, (kp_due) { .due = due, .order = timer, .at = at });
    else if (*at != KP_HEAP_OUT)
        kp_heap_remove(&sim->timers, *at);
}

void kp_sim_timers_rebuild(kp_sim *sim)
{
    kp_heap_done(&sim->timers);
    for (uint32_t t = 0; t < sim->n_timers; t++)
        sim->timer_at[t] = KP_HEAP_OUT;
    for (uint32_t t = 0; t < sim->n_timers; t++)
        if (sim->due[t] != KP_SIM_NEVER)
            kp_sim_timer_set(sim, t, sim->due[t]);
}

static void dispatch(kp_sim *sim, uint32_t timer)
{
    uint32_t per_node = sim->h->n_nodes * KP_SIM_T_PER_NODE;

    if (timer < per_node) {
        int32_t node = (int32_t)(timer / KP_SIM_T_PER_NODE);
        switch (timer % KP_SIM_T_PER_NODE) {
        case KP_SIM_T_LIFE:
            kp_sim_node_due(sim, node);
            break;
        case KP_SIM_T_SESSION:
            kp_sim_session_due(sim, node);
            break;
        case KP_SIM_T_CATCH_UP:
            kp_sim_catch_up_due(sim, node);
            break;
        default:
            kp_sim_voter_due(sim, node);
            break;
        }
    } else if (timer == per_node + KP_SIM_T_ELECT) {
        kp_sim_election_due(sim);
    } else if (timer == per_node + KP_SIM_T_REBALANCE) {
        /* leader.imbalance.check.interval.seconds = 300; the threshold per broker counts in
         * ZooKeeper mode only */
        if (kp_sim_controller_works(sim))
            kp_sim_elect_all(sim, sim->h->mode == KP_SIM_ZOOKEEPER);
        kp_sim_timer_set(sim, timer, sim->h->now + 300 * KP_SIM_SECOND);
    } else {
        kp_sim_fault_due(sim, timer - per_node - KP_SIM_T_GLOBALS);
    }
}

void kp_sim_settle(kp_sim *sim)
{
    if (sim->n_recheck > 0)
        kp_sim_recheck(sim);
    if (sim->h->n_open > 0)
        kp_sim_peaks(sim);
}

void kp_sim_advance(kp_sim *sim, kp_us to)
{
    kp_sim_header *h = sim->h;

    while (sim->timers.n > 0 && sim->timers.item[0].due <= to) {
        uint32_t timer = (uint32_t)sim->timers.item[0].order;
        kp_us due = sim->due[timer];
        if (due > h->now)
            h->now = due;
        h->n_events++;
        h->trace = kp_sim_mix(h->trace ^ kp_sim_mix((uint64_t)h->now) ^ timer);
        dispatch(sim, timer);
        if (sim->due[timer] == due)
            kp_sim_timer_set(sim, timer, KP_SIM_NEVER);
        kp_sim_settle(sim);
    }
    if (to > h->now)
        h->now = to;
}
