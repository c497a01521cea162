/* A view: one answer to "how are the brokers and partitions", with everything counted.
 *
 * Placement (who holds which replica) is arrays that never change within a view; the state of a
 * partition is a bit per replica and a few bytes beside them, so that a million partitions fit and
 * a question costs what it must: the counts are there, a broker's partitions are walked through
 * `by_broker`.  A partition has any number of replicas up to that of the brokers.  Who is in sync
 * is asked by kp_view_in_sync, kp_view_isr_size and kp_view_isr_bits, never read off the array.
 * Sources: Metadata v12 (KIP-516 topic ids, KIP-320 leader epochs); min.insync.replicas and
 * unclean.leader.election.enable from DescribeConfigs TOPIC.
 */
#ifndef KP_CLUSTER_VIEW_H
#define KP_CLUSTER_VIEW_H

#include "value/value.h"

#define KP_VIEW_NO_LEADER 0xffff  /* kp_view.leader of a partition without one */
#define KP_VIEW_MIN_ISR_CAP 65535 /* larger values of min.insync.replicas (an int in Kafka) are kept
                                     as this: it is more than the replicas a partition can have */

typedef struct kp_view_broker {
    int id;
    bool alive;       /* listed as a live broker by the node that was asked */
    const char *host; /* "" when not alive */
    int port;
    const char *rack; /* "" when none */
} kp_view_broker;

typedef struct kp_view_topic {
    const char *name;
    uint8_t id[16]; /* all zero where the cluster has no topic ids */
    uint32_t first; /* its partitions are first .. first + n - 1 */
    uint32_t n;
    bool internal;
} kp_view_topic;

/* A topic whose partitions are not known: the node answered with an error instead of them. */
typedef struct kp_view_bad_topic {
    const char *name;
    int code;          /* Kafka's, as 29 */
    const char *error; /* its name, as "TOPIC_AUTHORIZATION_FAILED" */
} kp_view_bad_topic;

typedef struct kp_view_counts {
    uint32_t partitions;
    uint32_t urp;           /* |ISR| < |replicas| */
    uint32_t offline;       /* no leader */
    uint32_t under_min_isr; /* |ISR| < min.insync.replicas */
    uint32_t at_min_isr;    /* |ISR| = min.insync.replicas */
    uint32_t unpreferred;   /* the leader is not the first replica */
} kp_view_counts;

/* kp_view.flags */
enum {
    KP_PART_UNCLEAN = 1, /* unclean.leader.election.enable is true for its topic */
    /* It has a live leader, and that one has no listener of the name by which the node was asked
     * (LISTENER_NOT_FOUND, 72, of ZkMetadataCache and KRaftMetadataCache.getPartitionMetadata): who
     * leads is not known, and it counts as offline. */
    KP_PART_NO_LISTENER = 2,
    /* A broker that is none of its replicas is in its ISR or leads it.  In ZooKeeper mode a
     * reassignment that ends shows it for a moment: the replicas are the new ones already, and the
     * old ones are still being taken out of the ISR (KafkaController.onPartitionReassignment,
     * phase B).  What such a broker holds is about to go, so it counts neither as in sync nor as
     * leader. */
    KP_PART_OUTSIDE = 4,
};

typedef struct kp_view {
    int node;   /* who was asked; -1 for a view joined from several answers */
    kp_ms at;   /* when the answer arrived, UTC as the world tells it */
    bool whole; /* false: only some topics were asked for */
    const char *cluster_id;
    int controller; /* as that node says; -1 none.  In KRaft an arbitrary broker: never use it there
                     */
    uint64_t digest; /* over topic ids, ISRs, leaders and bad topics: equal views have equal ones */

    uint32_t n_brokers; /* live ones, replicas' owners and the inventory's, ascending by id */
    const kp_view_broker *brokers;
    uint32_t n_topics; /* ascending by name */
    const kp_view_topic *topics;
    uint32_t n_bad; /* topics without partitions here, ascending by name */
    const kp_view_bad_topic *bad;
    uint32_t n_parts;
    const uint32_t *first_rep; /* n_parts + 1; the replicas of p are rep[first_rep[p]] .. */
    const uint16_t *rep;       /* index into brokers; the first one is the preferred leader */
    const uint64_t *isr;       /* a bit per entry of rep, and one word more than they need */
    const uint16_t *leader;    /* which replica leads, or KP_VIEW_NO_LEADER */
    const uint16_t *min_isr;   /* 0 where not known; see KP_VIEW_MIN_ISR_CAP */
    const uint8_t *flags;
    const int32_t *leader_epoch; /* NULL where not known */

    const uint32_t *by_broker_first; /* n_brokers + 1 */
    const uint32_t *by_broker;       /* partitions with a replica on broker i, ascending:
                                        by_broker_first[i] .. */
    const uint32_t *out_of_sync;     /* per broker: replicas not in their ISR */
    const uint32_t *leads;           /* per broker: partitions it leads */
    kp_view_counts counts;
} kp_view;

/* ---- build (the live world; the simulator fills the struct from its own arrays) ---- */
typedef struct kp_view_partition_in {
    int32_t index, leader, leader_epoch; /* leader -1: none */
    uint32_t n_replicas, n_isr;
    const int32_t *replicas, *isr;
    int min_isr; /* 0 unknown */
    bool unclean, no_listener;
} kp_view_partition_in;

typedef struct kp_view_topic_in {
    const char *name;
    uint8_t id[16];
    bool internal;
    uint32_t n;
    const kp_view_partition_in *parts; /* by index, without holes */
} kp_view_topic_in;

typedef struct kp_view_in {
    int node;
    kp_ms at;
    bool whole;
    const char *cluster_id;
    int controller;
    uint32_t n_brokers;
    const kp_view_broker
        *brokers; /* any order; inventory ids that are not live come with alive = false */
    uint32_t n_topics;
    const kp_view_topic_in *topics; /* any order */
    uint32_t n_bad;
    const kp_view_bad_topic *bad; /* any order */
} kp_view_in;

/* Copies what it keeps.  In-sync ids and a leader that are none of the partition's replicas are
 * left out, so such a partition looks worse than it is, and is flagged KP_PART_OUTSIDE.  A
 * partition without a leader counts as offline, not as unpreferred.  Fails (KP_CLUSTER) on 65,535
 * brokers, on a hole in the partition indexes, on a broker twice among a partition's replicas, on a
 * topic twice. */
kp_err *kp_view_build(kp_arena *a, const kp_view_in *in, const kp_view **ret_v) KP_MUST_USE;

/* x, with the stricter min.insync.replicas and unclean.leader.election.enable of both: each broker
 * answers with what it has heard, and a change reaches them at different times.  Not known to one
 * of them is not known.  For views that agree about every partition; x itself when nothing differs.
 */
const kp_view *kp_view_stricter(kp_arena *a, const kp_view *x, const kp_view *y);

/* ---- ask ---- */
int kp_view_slot(const kp_view *v, int broker_id); /* index into brokers, -1 when unknown */
const kp_view_topic *kp_view_topic_of(const kp_view *v, uint32_t p); /* O(log topics) */
const kp_view_topic *kp_view_topic_named(const kp_view *v, const char *name);
char *kp_view_name(kp_arena *a, const kp_view *v, uint32_t p); /* "payments-7" */
static inline uint32_t kp_view_rf(const kp_view *v, uint32_t p)
{
    return v->first_rep[p + 1] - v->first_rep[p];
}
/* Is the k-th replica of p in sync? */
static inline bool kp_view_in_sync(const kp_view *v, uint32_t p, uint32_t k)
{
    uint32_t at = v->first_rep[p] + k;
    return v->isr[at / 64] >> (at % 64) & 1;
}
/* Replicas 64 * word .. 64 * word + 63 of p as a mask: bit i is set when replica 64 * word + i is
 * in sync. */
static inline uint64_t kp_view_isr_bits(const kp_view *v, uint32_t p, uint32_t word)
{
    uint32_t at = v->first_rep[p] + 64 * word, n = v->first_rep[p + 1] - at, shift = at % 64;
    const uint64_t *w = v->isr + at / 64;
    uint64_t bits = w[0] >> shift | w[1] << 1 << (63 - shift);
    return n < 64 ? bits & (((uint64_t)1 << n) - 1) : bits;
}
static inline uint32_t kp_view_isr_size(const kp_view *v, uint32_t p)
{
    uint32_t n = 0, rf = kp_view_rf(v, p);
    for (uint32_t word = 0; 64 * word < rf; word++)
        n += (uint32_t)__builtin_popcountll(kp_view_isr_bits(v, p, word));
    return n;
}
/* The broker id of the k-th replica of p. */
static inline int kp_view_replica_id(const kp_view *v, uint32_t p, uint32_t k)
{
    return v->brokers[v->rep[v->first_rep[p] + k]].id;
}
/* Which replica of p is on the broker brokers[slot]; kp_view_rf(v, p) when none is. */
static inline uint32_t kp_view_replica_on(const kp_view *v, uint32_t p, uint32_t slot)
{
    const uint16_t *r = v->rep + v->first_rep[p];
    uint32_t rf = kp_view_rf(v, p), k = 0;
    while (k < rf && r[k] != slot)
        k++;
    return k;
}
int kp_view_leader_id(const kp_view *v, uint32_t p); /* broker id or -1 */

/* One partition as playbooks see it: {topic, partition, leader, replicas, isr, min_isr}. */
const kp_value *kp_view_partition_value(kp_arena *a, const kp_view *v, uint32_t p);

/* Replicas of `broker_id` outside their ISR that are not excused (NULL: none is), and bad topics
 * that are not: it may have replicas of them.  Up to `max` are listed in ret_parts (may be NULL),
 * bad topics last, as UINT32_MAX. */
uint32_t kp_view_behind(const kp_view *v, int broker_id, const kp_value *excused,
                        uint32_t *ret_parts, uint32_t max);

/* The out-of-sync replicas of a broker as a list of "TOPICID-or-name:partition" keys, and "NAME:?"
 * of every bad topic: what was already behind or not known before a stop, by topic id (a topic
 * deleted and made again is another topic).  Used as `excused` above, which relies on its ascending
 * byte order. */
const kp_value *kp_view_behind_keys(kp_arena *a, const kp_view *v, int broker_id);

/* The under-replicated partitions as a list of "KEY N": N replicas in sync; keys as above,
 * ascending. */
const kp_value *kp_view_short_list(kp_arena *a, const kp_view *v);
/* N of partition p in such a list of an earlier view; UINT32_MAX when it is not listed: it was
 * whole, or not there. */
uint32_t kp_view_short_of(const kp_view *v, uint32_t p, const kp_value *list);

/* How many partitions differ in ISR (as a set) or leader; 0 when the views agree.  Partitions only
 * one of them has differ; topics, and bad topics with their errors, that only one of them has count
 * once each, unless the other one is not whole.  The first `max` that are partitions of b (a topic
 * only b has: its first one) are listed in ret_parts (may be NULL), ascending; unused places are
 * UINT32_MAX. */
uint32_t kp_view_differ(const kp_view *a, const kp_view *b, uint32_t *ret_parts, uint32_t max);

#endif
