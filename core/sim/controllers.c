/* Who is in charge: the KRaft quorum's leader, or ZooKeeper mode's controller broker.
 *
 * KRaft: a majority of voters elects a leader among those that are caught up; a leader that stops
 * resigns first (a new one in about 0.3 s), one that dies is missed after the fetch timeout
 * (controller.quorum.fetch.timeout.ms = 2 s) and an election; without a majority there is no
 * leader. A voter that was away is caught up again a while after its start.  The metadata log grows
 * by two no-op records a second while there is a leader (metadata.max.idle.interval.ms = 500).
 *
 * ZooKeeper: the brokers race for the ephemeral /controller.  A controller that speaks a newer
 * protocol than the others is heard by nobody but itself: they go on naming the old one.
 */
#include "sim/oracle.h"

#define FETCH_TIMEOUT (2 * KP_SIM_SECOND)
#define RECORDS_PER_SECOND 2

bool kp_sim_controller_works(const kp_sim *sim)
{
    int32_t leader = sim->h->leader;

    if (leader == KP_SIM_NO_NODE)
        return false;
    if (sim->h->mode != KP_SIM_ZOOKEEPER)
        return true;
    const kp_sim_node *n = &sim->node[leader];
    return n->phase == KP_SIM_RUNNING || n->phase == KP_SIM_STOPPING;
}

int64_t kp_sim_log_end(const kp_sim *sim)
{
    const kp_sim_header *h = sim->h;

    if (h->leader == KP_SIM_NO_NODE)
        return h->offset;
    return h->offset + (h->now - h->offset_at) * RECORDS_PER_SECOND / KP_SIM_SECOND;
}

static void hold_log(kp_sim *sim)
{
    sim->h->offset = kp_sim_log_end(sim);
    sim->h->offset_at = sim->h->now;
}

static void elect_in(kp_sim *sim, kp_us in)
{
    kp_sim_timer_set(sim, kp_sim_timer_global(sim, KP_SIM_T_ELECT),
                     in == KP_SIM_NEVER ? in : sim->h->now + in);
}

static uint32_t voters_up(const kp_sim *sim)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < sim->h->n_nodes; i++)
        n += sim->node[i].voter > 0;
    return n;
}

static bool majority(const kp_sim *sim)
{
    return voters_up(sim) > sim->h->n_voters / 2;
}

void kp_sim_voter_up(kp_sim *sim, int32_t node)
{
    sim->node[node].voter = 1;
    kp_sim_timer_set(sim, kp_sim_timer_of(node, KP_SIM_T_VOTER),
                     sim->h->now + kp_sim_between(sim, 300 * KP_SIM_MS, 900 * KP_SIM_MS));
    if (sim->h->leader == KP_SIM_NO_NODE && majority(sim))
        elect_in(sim, kp_sim_between(sim, 1000 * KP_SIM_MS, 1500 * KP_SIM_MS));
}

void kp_sim_voter_due(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    if (n->voter == 0)
        return;
    if (sim->h->leader == KP_SIM_NO_NODE) { /* nothing to fetch from yet */
        kp_sim_timer_set(sim, kp_sim_timer_of(node, KP_SIM_T_VOTER), sim->h->now + 500 * KP_SIM_MS);
        return;
    }
    n->voter = 2;
    n->voter_since = sim->h->now;
    kp_sim_oracle_voter(sim, node);
}

void kp_sim_voter_down(kp_sim *sim, int32_t node, bool clean)
{
    kp_sim_node *n = &sim->node[node];

    if (n->voter == 2) {
        n->voter_offset = kp_sim_log_end(sim);
        n->voter_since = sim->h->now;
    }
    n->voter = 0;
    kp_sim_timer_set(sim, kp_sim_timer_of(node, KP_SIM_T_VOTER), KP_SIM_NEVER);
    if (sim->h->leader == node) {
        hold_log(sim);
        sim->h->last_leader = node;
        sim->h->leader = KP_SIM_NO_NODE;
        elect_in(sim, clean
                          ? kp_sim_between(sim, 200 * KP_SIM_MS, 400 * KP_SIM_MS)
                          : FETCH_TIMEOUT + kp_sim_between(sim, 200 * KP_SIM_MS, 1200 * KP_SIM_MS));
    } else if (sim->h->leader != KP_SIM_NO_NODE && !majority(sim)) {
        elect_in(sim, FETCH_TIMEOUT * 3 / 2); /* the leader misses its followers and resigns */
    }
}

/* The next node after the last leader, by id and around, that may lead. */
static int32_t candidate(const kp_sim *sim)
{
    uint32_t n = sim->h->n_nodes;
    uint32_t from = sim->h->last_leader == KP_SIM_NO_NODE ? n - 1 : (uint32_t)sim->h->last_leader;
    bool zookeeper = sim->h->mode == KP_SIM_ZOOKEEPER;
    int32_t behind = KP_SIM_NO_NODE;

    for (uint32_t i = 1; i <= n; i++) {
        const kp_sim_node *c = &sim->node[(from + i) % n];
        if (zookeeper ? c->phase == KP_SIM_RUNNING && c->listed : c->voter == 2)
            return (int32_t)((from + i) % n);
        /* all voters were away: the one with the longest log leads */
        if (!zookeeper && c->voter == 1 &&
            (behind == KP_SIM_NO_NODE || c->voter_offset > sim->node[behind].voter_offset))
            behind = (int32_t)((from + i) % n);
    }
    return behind;
}

void kp_sim_controller_told(kp_sim *sim)
{
    int32_t leader = sim->h->leader;

    if (sim->h->mode != KP_SIM_ZOOKEEPER || leader == KP_SIM_NO_NODE)
        return;
    for (uint32_t i = 0; i < sim->h->n_nodes; i++)
        if (!sim->node[leader].mis_pinned || (int32_t)i == leader)
            sim->node[i].controller_seen = sim->node[leader].id;
}

void kp_sim_election_due(kp_sim *sim)
{
    kp_sim_header *h = sim->h;

    if (h->mode != KP_SIM_ZOOKEEPER && !majority(sim)) {
        if (h->leader != KP_SIM_NO_NODE) {
            hold_log(sim);
            h->last_leader = h->leader;
            h->leader = KP_SIM_NO_NODE;
        }
        return;
    }
    if (h->leader != KP_SIM_NO_NODE)
        return;
    int32_t next = candidate(sim);
    if (next == KP_SIM_NO_NODE)
        return;
    h->leader = h->last_leader = next;
    h->leader_epoch++;
    h->leader_since = h->offset_at = h->now;
    if (h->mode == KP_SIM_ZOOKEEPER) {
        kp_sim_controller_told(sim);
    } else if (sim->node[next].voter == 1) {
        sim->node[next].voter = 2;
        sim->node[next].voter_since = h->now;
        kp_sim_oracle_voter(sim, next);
    }
    /* What went away or came while nobody was in charge. */
    for (uint32_t i = 0; i < h->n_nodes; i++)
        if (kp_sim_is_broker(&sim->node[i]) && sim->node[i].phase == KP_SIM_RUNNING &&
            sim->node[i].listed)
            kp_sim_broker_returns(sim, (int32_t)i);
}

void kp_sim_controller_gone(kp_sim *sim, int32_t node, kp_us until_election)
{
    sim->h->last_leader = node;
    sim->h->leader = KP_SIM_NO_NODE;
    elect_in(sim, until_election);
}

void kp_sim_controller_failover(kp_sim *sim)
{
    if (sim->h->leader == KP_SIM_NO_NODE)
        return;
    if (sim->h->mode != KP_SIM_ZOOKEEPER)
        hold_log(sim);
    kp_sim_controller_gone(sim, sim->h->leader, 150 * KP_SIM_MS);
}
