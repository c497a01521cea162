/* The oracle: what must never happen to a cluster, judged on the simulated truth.
 *
 * It knows everything, sees every request as it lands and every change of a partition, and shares
 * no code with the engine's guard or with risk.c, so that one mistake cannot blind both.  It
 * forbids nothing; it counts.  "By our hand" is what follows from a request; a fault's doing is not
 * judged.
 *
 *   K1  a broker is asked to stop while another broker, stopped by our hand, is not back, and both
 *       have replicas of one partition
 *   K2  our stop leaves a partition with fewer in-sync replicas than min.insync.replicas
 *   K3  our stop leaves a partition without a leader
 *       (K2 and K3 excuse a partition of which a fault took another replica after we had asked)
 *   K4  a start by our hand raises the inter.broker.protocol.version a broker speaks, while another
 *       broker runs a binary that does not know it, or is down
 *   K5  a start by our hand of a binary older than what is finalized: metadata.version in KRaft; in
 *       ZooKeeper mode the version in its file, or the lowest one the running brokers speak
 *   K6  a voter is asked to stop while another that we stopped is not caught up, or when no
 *       majority of caught-up voters would remain
 *   K7  the active controller is asked to stop before every other controller (ZooKeeper mode:
 *       broker) that is there has been stopped more often than it: it comes last
 *   K8  a node is asked to stop while another, whose stop by our hand ended unclean, is not back in
 *       sync
 *   K9  a broker is asked to stop while another that we started is not back in sync, or before the
 *       cluster was looked at twice, from two nodes, since it was
 *
 * A broker that is in no cluster file is nobody's to stop: it is not waited for by K7, and down for
 * good it is not one of those that K4 speaks of.
 * What topics and rules are excused is told by kp_sim_oracle_allow.
 */
#ifndef KP_SIM_ORACLE_H
#define KP_SIM_ORACLE_H

#include "sim/state.h"

#define KP_SIM_RULES 9
#define KP_SIM_ORACLE_TEXTS 16

typedef struct kp_sim_judged {
    bool down;       /* stopped by our hand, not up again */
    bool voter_away; /* stopped by our hand, not caught up again */
    bool rejoining;  /* started by our hand, not in sync yet */
    bool unclean;    /* its stop ended unclean, not in sync since */
    uint32_t stops;
} kp_sim_judged;

typedef struct kp_sim_oracle_state {
    uint64_t count[KP_SIM_RULES + 1]; /* by number; [0] all */
    uint32_t allowed;                 /* bit per rule */
    uint32_t n_texts;
    char text[KP_SIM_ORACLE_TEXTS][200];
    uint32_t n_down, n_rejoining, n_unclean;
    bool restarted; /* a broker, by our hand, at some time */
    int32_t last_started;
    int32_t looked[2]; /* nodes that answered with a view since all were in sync; KP_SIM_NO_NODE */
    kp_sim_judged node[];
} kp_sim_oracle_state;

size_t kp_sim_oracle_bytes(uint32_t nodes);
void kp_sim_oracle_init(kp_sim *sim);

/* A request that will act has landed. */
void kp_sim_oracle_stop(kp_sim *sim, int32_t node);
void kp_sim_oracle_start(kp_sim *sim, int32_t node);
/* A partition has changed from this; the cause is in the header. */
void kp_sim_oracle_partition(kp_sim *sim, uint32_t p, uint32_t was_in_sync, uint32_t was_leader);
/* A node has come so far. */
void kp_sim_oracle_exit(kp_sim *sim, int32_t node, bool clean);
void kp_sim_oracle_up(kp_sim *sim, int32_t node);
void kp_sim_oracle_synced(kp_sim *sim, int32_t node);
void kp_sim_oracle_voter(kp_sim *sim, int32_t node);
/* A view was answered by it. */
void kp_sim_oracle_saw(kp_sim *sim, int32_t node);

#endif
