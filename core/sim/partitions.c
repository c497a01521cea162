/* Partitions: the one way they change, and how leaders and ISRs follow from who is there.
 *
 * kp_sim_partition_set keeps every count, every broker's out-of-sync replicas and leaders, two
 * digests and the oracle up to date, at the cost of the partition's replicas; kp_sim_audit proves
 * it by counting again.
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

static void tally(kp_view_counts *c, uint32_t rf, uint32_t min, uint32_t in_sync, uint32_t leader,
                  uint32_t one)
{
    c->urp += in_sync < rf ? one : 0;
    c->offline += leader == KP_VIEW_NO_LEADER ? one : 0;
    c->under_min_isr += in_sync < min ? one : 0;
    c->at_min_isr += min > 0 && in_sync == min ? one : 0;
    c->unpreferred += leader != 0 && leader != KP_VIEW_NO_LEADER ? one : 0;
}

static uint32_t isr_size(const kp_sim *sim, uint32_t p)
{
    uint32_t n = 0;

    for (uint32_t i = sim->first_rep[p]; i < sim->first_rep[p + 1]; i++)
        n += kp_sim_bit(sim->isr, i);
    return n;
}

/* Digests are the exclusive or of these, over what is in sync and who leads. */
static uint64_t digest_of_replica(uint32_t i)
{
    return kp_sim_mix(i);
}

static uint64_t digest_of_leader(uint32_t p, uint32_t leader)
{
    return kp_sim_mix((uint64_t)1 << 63 | (uint64_t)p << 16 | leader);
}

/* The first replica of p that may lead, among those that are in sync, or that are not; without
 * `except`. */
static uint32_t elect(const kp_sim *sim, uint32_t p, bool in_sync, uint32_t except)
{
    const uint16_t *r = sim->rep + sim->first_rep[p];

    for (uint32_t k = 0, rf = kp_sim_rf(sim, p); k < rf; k++)
        if (k != except && sim->can_lead[r[k]] && kp_sim_in_sync(sim, p, k) == in_sync)
            return k;
    return KP_VIEW_NO_LEADER;
}

/* A partition leads again: whoever of its replicas is up and behind may go on fetching. */
static void wake(kp_sim *sim, uint32_t p)
{
    for (uint32_t i = sim->first_rep[p]; i < sim->first_rep[p + 1]; i++) {
        kp_sim_node *n = &sim->node[sim->broker[sim->rep[i]]];
        if (kp_sim_bit(sim->isr, i) || n->phase != KP_SIM_RUNNING || n->recheck)
            continue;
        n->recheck = true;
        sim->n_recheck++;
    }
}

/* ---- a change: between these two the bits of the ISR are turned ---- */

typedef struct change {
    uint32_t p, in_sync, leader; /* as they were */
} change;

static change change_begin(const kp_sim *sim, uint32_t p)
{
    return (change) { p, isr_size(sim, p), sim->leader[p] };
}

static void turn(kp_sim *sim, uint32_t p, uint32_t replica)
{
    uint32_t i = sim->first_rep[p] + replica;
    uint64_t digest = digest_of_replica(i);

    sim->isr[i / 64] ^= (uint64_t)1 << (i % 64);
    sim->out[sim->rep[i]] += kp_sim_bit(sim->isr, i) ? UINT32_MAX : 1;
    sim->h->digest ^= digest;
    sim->h->isr_digest ^= digest;
}

static void change_end(kp_sim *sim, change was, uint32_t in_sync, uint32_t leader)
{
    kp_sim_header *h = sim->h;
    uint32_t p = was.p, rf = kp_sim_rf(sim, p), min = sim->min_isr[p];
    const uint16_t *r = sim->rep + sim->first_rep[p];

    sim->leader[p] = (uint16_t)leader;
    tally(&h->counts, rf, min, was.in_sync, was.leader, UINT32_MAX); /* minus one */
    tally(&h->counts, rf, min, in_sync, leader, 1);
    if (leader != was.leader) {
        if (was.leader != KP_VIEW_NO_LEADER)
            sim->leads[r[was.leader]]--;
        if (leader != KP_VIEW_NO_LEADER)
            sim->leads[r[leader]]++;
        sim->epoch[p]++;
        h->digest ^= digest_of_leader(p, was.leader) ^ digest_of_leader(p, leader);
    }
    h->n_changes++;
    kp_sim_oracle_partition(sim, p, was.in_sync, was.leader);
    if (was.leader == KP_VIEW_NO_LEADER && leader != KP_VIEW_NO_LEADER)
        wake(sim, p);
}

void kp_sim_partition_set(kp_sim *sim, uint32_t p, uint32_t joins, uint32_t leaves, uint32_t leader)
{
    bool in = joins != KP_SIM_NO_REPLICA && !kp_sim_in_sync(sim, p, joins),
         out = leaves != KP_SIM_NO_REPLICA && kp_sim_in_sync(sim, p, leaves);

    if (!in && !out && sim->leader[p] == leader)
        return;
    change was = change_begin(sim, p);
    if (in)
        turn(sim, p, joins);
    if (out)
        turn(sim, p, leaves);
    change_end(sim, was, was.in_sync + in - out, leader);
}

/* One replica is the whole ISR and leads. */
static void partition_only(kp_sim *sim, uint32_t p, uint32_t replica)
{
    change was = change_begin(sim, p);

    if (!kp_sim_in_sync(sim, p, replica))
        turn(sim, p, replica);
    for (uint32_t k = 0, rf = kp_sim_rf(sim, p); k < rf; k++)
        if (k != replica && kp_sim_in_sync(sim, p, k))
            turn(sim, p, k);
    change_end(sim, was, 1, replica);
}

void kp_sim_partition_min(kp_sim *sim, uint32_t p, unsigned min_isr)
{
    uint32_t rf = kp_sim_rf(sim, p), in_sync = isr_size(sim, p);

    tally(&sim->h->counts, rf, sim->min_isr[p], in_sync, sim->leader[p], UINT32_MAX);
    sim->min_isr[p] = (uint16_t)min_isr;
    tally(&sim->h->counts, rf, min_isr, in_sync, sim->leader[p], 1);
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
        uint32_t first = sim->first_rep[p], rf = kp_sim_rf(sim, p), leader = sim->leader[p], n = 0;
        for (uint32_t i = first; i < first + rf; i++) {
            bool in_sync = kp_sim_bit(sim->isr, i);
            n += in_sync;
            c->out[sim->rep[i]] += !in_sync;
            c->isr_digest ^= in_sync ? digest_of_replica(i) : 0;
        }
        tally(&c->counts, rf, sim->min_isr[p], n, leader, 1);
        if (leader != KP_VIEW_NO_LEADER)
            c->leads[sim->rep[first + leader]]++;
        c->digest ^= digest_of_leader(p, leader);
    }
    c->digest ^= c->isr_digest;
}

static void recount(kp_sim *sim)
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
            sim->by_broker[sim->out[sim->rep[i]]++] = p;
            n->inflow += (double)sim->rate[p];
            n->boot_bytes += sim->topic[t].size;
        }
    }
    recount(sim);
}

static void prefetch(const kp_sim *sim, uint32_t i, uint32_t end)
{
    if (i + 2 * AHEAD < end)
        __builtin_prefetch(&sim->first_rep[sim->by_broker[i + 2 * AHEAD]]);
    if (i + AHEAD < end) {
        uint32_t p = sim->by_broker[i + AHEAD];
        __builtin_prefetch(&sim->isr[sim->first_rep[p] / 64]);
        __builtin_prefetch(&sim->leader[p]);
        __builtin_prefetch(&sim->min_isr[p]);
        __builtin_prefetch(&sim->epoch[p]);
        __builtin_prefetch(&sim->rep[sim->first_rep[p]]);
    }
}

/* Is this in-sync replica the only one? */
static bool is_last(const kp_sim *sim, uint32_t p, uint32_t replica)
{
    for (uint32_t k = 0, rf = kp_sim_rf(sim, p); k < rf; k++)
        if (k != replica && kp_sim_in_sync(sim, p, k))
            return false;
    return true;
}

kp_sim_left kp_sim_broker_leaves(kp_sim *sim, int32_t node, bool keep_last)
{
    kp_sim_left left = { 0, 0 };
    uint32_t slot = sim->node[node].slot, end = sim->by_first[slot + 1];

    for (uint32_t i = sim->by_first[slot]; i < end; i++) {
        prefetch(sim, i, end);
        uint32_t p = sim->by_broker[i], leader = sim->leader[p];
        uint32_t s = kp_sim_replica_on(sim, p, slot);
        if (!kp_sim_in_sync(sim, p, s))
            continue;
        if (is_last(sim, p, s)) {
            uint32_t other = sim->flags[p] & KP_PART_UNCLEAN ? elect(sim, p, false, s)
                                                             : KP_VIEW_NO_LEADER;
            if (other != KP_VIEW_NO_LEADER) {
                partition_only(sim, p, other);
                left.moved++;
            } else if (!keep_last) {
                kp_sim_partition_set(sim, p, KP_SIM_NO_REPLICA, KP_SIM_NO_REPLICA,
                                     KP_VIEW_NO_LEADER);
            } else if (kp_sim_rf(sim, p) > 1) {
                left.stuck++;
            }
            continue;
        }
        if (leader == s || leader == KP_VIEW_NO_LEADER) {
            left.moved += leader == s;
            leader = elect(sim, p, true, s);
        }
        kp_sim_partition_set(sim, p, KP_SIM_NO_REPLICA, s, leader);
    }
    return left;
}

void kp_sim_broker_returns(kp_sim *sim, int32_t node)
{
    uint32_t slot = sim->node[node].slot;

    if (sim->h->counts.offline == 0)
        return;
    for (uint32_t i = sim->by_first[slot]; i < sim->by_first[slot + 1]; i++) {
        uint32_t p = sim->by_broker[i];
        if (sim->leader[p] != KP_VIEW_NO_LEADER)
            continue;
        uint32_t s = kp_sim_replica_on(sim, p, slot);
        if (kp_sim_in_sync(sim, p, s))
            kp_sim_partition_set(sim, p, KP_SIM_NO_REPLICA, KP_SIM_NO_REPLICA,
                                 elect(sim, p, true, KP_SIM_NO_REPLICA));
        else if (sim->flags[p] & KP_PART_UNCLEAN)
            partition_only(sim, p, s);
    }
}

void kp_sim_elect_preferred(kp_sim *sim, uint32_t p)
{
    if (sim->leader[p] == 0 || sim->leader[p] == KP_VIEW_NO_LEADER)
        return;
    if (kp_sim_in_sync(sim, p, 0) && sim->can_lead[sim->rep[sim->first_rep[p]]])
        kp_sim_partition_set(sim, p, KP_SIM_NO_REPLICA, KP_SIM_NO_REPLICA, 0);
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
