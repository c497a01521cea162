/* Partitions: the one way they change, and how leaders and ISRs follow from who is there.
 *
 * kp_sim_partition_set keeps every count, every broker's out-of-sync replicas and leaders, two
 * digests and the oracle up to date in constant time; kp_sim_audit proves it by counting again.
 *
 * How a leader is found: the first replica in assignment order that is in the ISR, alive and not
 * shutting down.  A broker that leaves is taken out of every ISR; the last member of an ISR stays
 * in it and the partition has no leader; a broker that comes back moves nobody but leads again what
 * has no leader and has it in the ISR.  (PartitionLeaderElectionAlgorithms and
 * KafkaController.doControlledShutdown in ZooKeeper mode, ReplicationControlManager in KRaft.)
 */
#include "sim/oracle.h"

#include <string.h>

#define AHEAD 8u /* replicas fetched into the cache ahead of the one worked on */

#define B2(n) (n), (n) + 1, (n) + 1, (n) + 2
#define B4(n) B2(n), B2((n) + 1), B2((n) + 1), B2((n) + 2)
#define B6(n) B4(n), B4((n) + 1), B4((n) + 1), B4((n) + 2)
static const uint8_t ones[256] = { B6(0), B6(1), B6(1), B6(2) };

static void tally(kp_view_counts *c, uint32_t rf, uint32_t min, unsigned isr, unsigned leader,
                  uint32_t one)
{
    uint32_t n = ones[isr & 0xff];

    c->urp += n < rf ? one : 0;
    c->offline += leader == KP_VIEW_NO_LEADER ? one : 0;
    c->under_min_isr += n < min ? one : 0;
    c->at_min_isr += min > 0 && n == min ? one : 0;
    c->unpreferred += leader != 0 && leader != KP_VIEW_NO_LEADER ? one : 0;
}

static uint64_t digest_of(uint32_t p, unsigned isr, unsigned leader)
{
    return kp_sim_mix((uint64_t)p << 16 | isr << 8 | leader);
}

/* The first replica of p among `isr` that may lead, or KP_VIEW_NO_LEADER. */
static unsigned elect(const kp_sim *sim, uint32_t p, unsigned isr)
{
    const uint16_t *r = sim->rep + sim->first_rep[p];

    for (unsigned s = 0; isr >> s; s++)
        if ((isr >> s & 1) && sim->can_lead[r[s]])
            return s;
    return KP_VIEW_NO_LEADER;
}

/* A partition leads again: whoever of its replicas is up and behind may go on fetching. */
static void wake(kp_sim *sim, uint32_t p, unsigned isr)
{
    for (uint32_t i = sim->first_rep[p]; i < sim->first_rep[p + 1]; i++) {
        kp_sim_node *n = &sim->node[sim->broker[sim->rep[i]]];
        if ((isr >> (i - sim->first_rep[p]) & 1) || n->phase != KP_SIM_RUNNING || n->recheck)
            continue;
        n->recheck = true;
        sim->n_recheck++;
    }
}

void kp_sim_partition_set(kp_sim *sim, uint32_t p, unsigned isr, unsigned leader)
{
    kp_sim_header *h = sim->h;
    unsigned was_isr = sim->isr[p], was_leader = sim->leader[p];

    if (was_isr == isr && was_leader == leader)
        return;
    uint32_t first = sim->first_rep[p], rf = sim->first_rep[p + 1] - first, min = sim->min_isr[p];
    const uint16_t *r = sim->rep + first;

    sim->isr[p] = (uint8_t)isr;
    sim->leader[p] = (uint8_t)leader;
    tally(&h->counts, rf, min, was_isr, was_leader, UINT32_MAX); /* minus one */
    tally(&h->counts, rf, min, isr, leader, 1);
    for (unsigned diff = was_isr ^ isr, s = 0; diff >> s; s++)
        if (diff >> s & 1)
            sim->out[r[s]] += isr >> s & 1 ? UINT32_MAX : 1;
    if (leader != was_leader) {
        if (was_leader != KP_VIEW_NO_LEADER)
            sim->leads[r[was_leader]]--;
        if (leader != KP_VIEW_NO_LEADER)
            sim->leads[r[leader]]++;
        sim->epoch[p]++;
    }
    h->digest ^= digest_of(p, was_isr, was_leader) ^ digest_of(p, isr, leader);
    if (was_isr != isr)
        h->isr_digest ^= digest_of(p, was_isr, 0) ^ digest_of(p, isr, 0);
    h->n_changes++;
    kp_sim_oracle_partition(sim, p, was_isr, was_leader);
    if (was_leader == KP_VIEW_NO_LEADER && leader != KP_VIEW_NO_LEADER)
        wake(sim, p, isr);
}

void kp_sim_partition_min(kp_sim *sim, uint32_t p, unsigned min_isr)
{
    uint32_t rf = sim->first_rep[p + 1] - sim->first_rep[p];

    tally(&sim->h->counts, rf, sim->min_isr[p], sim->isr[p], sim->leader[p], UINT32_MAX);
    sim->min_isr[p] = (uint8_t)min_isr;
    tally(&sim->h->counts, rf, min_isr, sim->isr[p], sim->leader[p], 1);
}

typedef struct counted {
    kp_view_counts counts;
    uint32_t *out, *leads;
    uint64_t digest, isr_digest;
} counted;

static void count_all(const kp_sim *sim, counted *c)
{
    c->counts = (kp_view_counts) { .partitions = sim->h->n_parts };
    c->digest = c->isr_digest = 0;
    memset(c->out, 0, sim->h->n_brokers * sizeof *c->out);
    memset(c->leads, 0, sim->h->n_brokers * sizeof *c->leads);
    for (uint32_t p = 0; p < sim->h->n_parts; p++) {
        uint32_t first = sim->first_rep[p], rf = sim->first_rep[p + 1] - first;
        unsigned isr = sim->isr[p], leader = sim->leader[p];
        tally(&c->counts, rf, sim->min_isr[p], isr, leader, 1);
        for (uint32_t s = 0; s < rf; s++)
            if (!(isr >> s & 1))
                c->out[sim->rep[first + s]]++;
        if (leader != KP_VIEW_NO_LEADER)
            c->leads[sim->rep[first + leader]]++;
        c->digest ^= digest_of(p, isr, leader);
        c->isr_digest ^= digest_of(p, isr, 0);
    }
}

void kp_sim_recount(kp_sim *sim)
{
    counted c = { .out = sim->out, .leads = sim->leads };

    count_all(sim, &c);
    sim->h->counts = c.counts;
    sim->h->digest = c.digest;
    sim->h->isr_digest = c.isr_digest;
}

static kp_err *differs(const char *what, uint64_t kept, uint64_t counted_now)
{
    return kp_err_new(KP_INTERNAL, "this is a bug in the simulator: keep the file and report it",
                      "the simulated cluster's %s is kept as %" PRIu64 " and counted as %" PRIu64,
                      what, kept, counted_now);
}

kp_err *kp_sim_audit(const kp_sim *sim)
{
    const kp_sim_header *h = sim->h;
    KP_AUTO_ARENA a = kp_arena_new("simulator's audit", (size_t)16 << 20);
    counted c = { .out = KP_NEW_ARRAY(a, h->n_brokers + 1, uint32_t),
                  .leads = KP_NEW_ARRAY(a, h->n_brokers + 1, uint32_t) };

    count_all(sim, &c);
    const struct {
        const char *what;
        uint64_t kept, now;
    } rows[] = {
        { "count of partitions", h->counts.partitions, c.counts.partitions },
        { "count of under-replicated partitions", h->counts.urp, c.counts.urp },
        { "count of offline partitions", h->counts.offline, c.counts.offline },
        { "count of partitions under min ISR", h->counts.under_min_isr, c.counts.under_min_isr },
        { "count of partitions at min ISR", h->counts.at_min_isr, c.counts.at_min_isr },
        { "count of partitions not led by the preferred leader", h->counts.unpreferred,
          c.counts.unpreferred },
        { "digest", h->digest, c.digest },
        { "digest of ISRs", h->isr_digest, c.isr_digest },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        if (rows[i].kept != rows[i].now)
            return differs(rows[i].what, rows[i].kept, rows[i].now);
    for (uint32_t b = 0; b < h->n_brokers; b++) {
        if (sim->out[b] != c.out[b])
            return differs("count of a broker's replicas out of sync", sim->out[b], c.out[b]);
        if (sim->leads[b] != c.leads[b])
            return differs("count of a broker's leaders", sim->leads[b], c.leads[b]);
    }
    return NULL;
}

void kp_sim_place(kp_sim *sim)
{
    kp_sim_header *h = sim->h;
    uint32_t *first = sim->by_first;

    memset(first, 0, (h->n_brokers + 1) * sizeof *first);
    for (uint32_t i = 0; i < h->n_reps; i++)
        first[sim->rep[i] + 1]++;
    for (uint32_t b = 0; b < h->n_brokers; b++)
        first[b + 1] += first[b];
    /* `out` is the place of each broker's next entry, until everything is counted below. */
    memcpy(sim->out, first, h->n_brokers * sizeof *first);
    uint32_t t = 0;
    for (uint32_t p = 0; p < h->n_parts; p++) {
        while (t + 1 < h->n_topics && sim->topic[t + 1].first <= p)
            t++;
        for (uint32_t i = sim->first_rep[p]; i < sim->first_rep[p + 1]; i++) {
            kp_sim_node *n = &sim->node[sim->broker[sim->rep[i]]];
            sim->by_broker[sim->out[sim->rep[i]]++] = p << 3 | (i - sim->first_rep[p]);
            n->inflow += (double)sim->rate[p];
            n->boot_bytes += sim->topic[t].size;
        }
    }
    kp_sim_recount(sim);
}

static void prefetch(const kp_sim *sim, uint32_t i, uint32_t end)
{
    if (i + 2 * AHEAD < end)
        __builtin_prefetch(&sim->first_rep[sim->by_broker[i + 2 * AHEAD] >> 3]);
    if (i + AHEAD < end) {
        uint32_t p = sim->by_broker[i + AHEAD] >> 3;
        __builtin_prefetch(&sim->isr[p]);
        __builtin_prefetch(&sim->leader[p]);
        __builtin_prefetch(&sim->min_isr[p]);
        __builtin_prefetch(&sim->epoch[p]);
        __builtin_prefetch(&sim->rep[sim->first_rep[p]]);
    }
}

kp_sim_left kp_sim_broker_leaves(kp_sim *sim, int32_t node, bool keep_last)
{
    kp_sim_left left = { 0, 0 };
    uint32_t slot = sim->node[node].slot, end = sim->by_first[slot + 1];

    for (uint32_t i = sim->by_first[slot]; i < end; i++) {
        prefetch(sim, i, end);
        uint32_t p = sim->by_broker[i] >> 3;
        unsigned s = sim->by_broker[i] & 7, isr = sim->isr[p], leader = sim->leader[p];
        if (!(isr >> s & 1))
            continue;
        unsigned rest = isr & ~(1u << s);
        if (rest == 0) {
            unsigned all = (1u << (sim->first_rep[p + 1] - sim->first_rep[p])) - 1;
            unsigned other = sim->flags[p] & KP_PART_UNCLEAN ? elect(sim, p, all & ~isr)
                                                             : KP_VIEW_NO_LEADER;
            if (other != KP_VIEW_NO_LEADER) {
                kp_sim_partition_set(sim, p, 1u << other, other);
                left.moved++;
            } else if (!keep_last) {
                kp_sim_partition_set(sim, p, isr, KP_VIEW_NO_LEADER);
            } else if (all != 1) {
                left.stuck++;
            }
            continue;
        }
        if (leader == s || leader == KP_VIEW_NO_LEADER) {
            left.moved += leader == s;
            leader = elect(sim, p, rest);
        }
        kp_sim_partition_set(sim, p, rest, leader);
    }
    return left;
}

void kp_sim_broker_returns(kp_sim *sim, int32_t node)
{
    uint32_t slot = sim->node[node].slot;

    if (sim->h->counts.offline == 0)
        return;
    for (uint32_t i = sim->by_first[slot]; i < sim->by_first[slot + 1]; i++) {
        uint32_t p = sim->by_broker[i] >> 3;
        unsigned s = sim->by_broker[i] & 7, isr = sim->isr[p];
        if (sim->leader[p] != KP_VIEW_NO_LEADER)
            continue;
        if (isr >> s & 1)
            kp_sim_partition_set(sim, p, isr, elect(sim, p, isr));
        else if (sim->flags[p] & KP_PART_UNCLEAN)
            kp_sim_partition_set(sim, p, 1u << s, s);
    }
}

void kp_sim_elect_preferred(kp_sim *sim, uint32_t p)
{
    if (sim->leader[p] == 0 || sim->leader[p] == KP_VIEW_NO_LEADER)
        return;
    if ((sim->isr[p] & 1) && sim->can_lead[sim->rep[sim->first_rep[p]]])
        kp_sim_partition_set(sim, p, sim->isr[p], 0);
}

/* leader.imbalance.per.broker.percentage = 10: whose preferred leadership is too often
 * elsewhere. */
static uint8_t *unbalanced(kp_sim *sim)
{
    kp_arena_reset(sim->scratch);
    uint32_t n = sim->h->n_brokers;
    uint32_t *preferred = KP_NEW_ARRAY(sim->scratch, n, uint32_t),
             *away = KP_NEW_ARRAY(sim->scratch, n, uint32_t);
    uint8_t *is = KP_NEW_ARRAY(sim->scratch, n, uint8_t);

    for (uint32_t p = 0; p < sim->h->n_parts; p++) {
        uint32_t b = sim->rep[sim->first_rep[p]];
        preferred[b]++;
        away[b] += sim->leader[p] != 0;
    }
    for (uint32_t b = 0; b < n; b++)
        is[b] = away[b] * 10 > preferred[b];
    return is;
}

void kp_sim_elect_all(kp_sim *sim, bool only_unbalanced)
{
    if (sim->h->counts.unpreferred == 0)
        return;
    const uint8_t *is = only_unbalanced ? unbalanced(sim) : NULL;
    for (uint32_t p = 0; p < sim->h->n_parts; p++)
        if (sim->leader[p] != 0 && (!is || is[sim->rep[sim->first_rep[p]]]))
            kp_sim_elect_preferred(sim, p);
}

uint32_t kp_sim_topic_of(const kp_sim *sim, uint32_t p)
{
    uint32_t low = 0, high = sim->h->n_topics;

    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (sim->topic[mid].first <= p)
            low = mid;
        else
            high = mid;
    }
    return low;
}

int32_t kp_sim_topic_named(const kp_sim *sim, const char *name)
{
    uint32_t low = 0, high = sim->h->n_topics;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int cmp = strcmp(kp_sim_string(sim, sim->topic[mid].name), name);
        if (cmp == 0)
            return (int32_t)mid;
        if (cmp < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}
