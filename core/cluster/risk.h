/* Risk: what would remain without some nodes.
 *
 * Pure arithmetic on a view, O(replicas of those nodes).  Kafka itself does not look at
 * min.insync.replicas when a broker asks to stop (KafkaController.doControlledShutdown,
 * ReplicationControlManager), so this is where it is looked at.
 */
#ifndef KP_CLUSTER_RISK_H
#define KP_CLUSTER_RISK_H

#include "cluster/view.h"

#define KP_RISK_LIST 64 /* partitions listed by name; the counts are whole */

typedef struct kp_risk_list {
    uint32_t n;               /* all of them */
    uint32_t p[KP_RISK_LIST]; /* the first ones, ascending */
} kp_risk_list;

typedef struct kp_risk {
    uint32_t replicas;  /* partitions with a replica on the nodes */
    uint32_t leaders;   /* partitions they lead */
    uint32_t urp_after; /* under-replicated partitions in the whole cluster with the nodes gone */
    uint32_t at_min_after;    /* at min ISR in the whole cluster with the nodes gone */
    kp_risk_list offline;     /* no in-sync replica would remain */
    kp_risk_list below_min;   /* |ISR| would fall below min.insync.replicas */
    kp_risk_list unclean;     /* unclean leader election is allowed on them */
    kp_risk_list unknown_min; /* min.insync.replicas is not known */
    kp_risk_list single;      /* of offline: replication factor 1 */
    kp_risk_list
        tight; /* of below_min: replication factor <= min.insync.replicas, so no order helps */
} kp_risk;

/* With the nodes gone: remaining = the in-sync replicas on other brokers that are alive.
 *   offline      a node was in sync and nothing remains
 *   below_min    a node was in sync and fewer than min.insync.replicas remain, or a node has a
 *                replica of a partition that is under min ISR already (it may be the first to catch
 * up) unclean      a node was in sync unknown_min  a node has a replica Counts look at the ISR
 * alone.  Ids nobody knows change nothing.  `accepted` is a list as policy.accept (NULL: none); an
 * accepted partition is in no list. */
void kp_risk_of(const kp_view *v, const int *nodes, size_t n, const kp_value *accepted,
                kp_risk *ret_risk);

/* {offline, below_min_isr, at_min_isr, under_replicated, unclean, leaders, partitions}: counts, and
 * the first KP_RISK_LIST partitions that are offline or below min ISR, as kp_view_partition_value.
 */
const kp_value *kp_risk_value(kp_arena *a, const kp_view *v, const kp_risk *risk);

/* The partition, or its topic, is accepted by its whole name, and v->at is not after the last day
 * (`until`, UTC). */
bool kp_view_accepted(const kp_view *v, uint32_t p, const kp_value *accepted);
/* The same of a topic as a whole, which need not have partitions in the view (kp_view.bad). */
bool kp_view_topic_accepted(const kp_view *v, const char *topic, const kp_value *accepted);

#endif
