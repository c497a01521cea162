/* sim: a simulated Kafka cluster.
 *
 * A world (world.h) whose brokers, controllers, hosts and clock are a deterministic discrete-event
 * model.  It is the dry run (from a snapshot of the live cluster), the demo, and the test bed.  It
 * implements requests, not verbs: what runs above it is the code that runs against real clusters.
 *
 * What is modelled: placement, leaders, ISRs, controlled shutdown, registration and sessions,
 * log recovery, catch-up, elections of leaders and controllers, releases by link, server.properties
 * as text, inter.broker.protocol.version and metadata.version as limits, fencing epochs and op ids
 * on hosts, and faults.  Structure (who leads, who is in sync, the counts) follows Kafka exactly;
 * durations are estimates.  Replicas are never placed anew: a reassignment that is under way only
 * ends.  The migration from ZooKeeper to KRaft is not modelled.
 *
 * State lives in one block of memory.  Put into a file (kp_sim_keep), a simulated cluster goes on
 * existing when kplay is killed, its clock included: what a request or a wait has changed is in the
 * file, whole, before it returns.  Requests that had not landed on their host when the process
 * ended never do.  A file is changed by one process at a time; any may look.
 */
#ifndef KP_SIM_H
#define KP_SIM_H

#include "world/world.h"

typedef struct kp_sim kp_sim;

#define KP_SIM_MAX_NODES 4096u
#define KP_SIM_MAX_TOPICS 65536u
#define KP_SIM_MAX_PARTITIONS (8u << 20)
#define KP_SIM_MAX_REPLICAS (64u << 20)
#define KP_SIM_MAX_RELEASES 64u /* known to one simulated cluster */
#define KP_SIM_MAX_FAULTS 256u

/* ---- make ----
 *
 * In memory; kp_sim_keep puts it into a file.  The arena is for the while of the call.  Errors are
 * KP_CONFIG, with a `where` like "simulate.topics[1].rf".  Numbers, ids, sizes and flags may be
 * given as text: "3", "true", "10GB".
 *
 * A description is a map of the keys that kp_sim_keys tells; every one of them may be left out.
 */
kp_err *kp_sim_from_spec(kp_arena *a, const kp_value *simulate, kp_sim **ret_sim) KP_MUST_USE;

/* What may stand in a description: a list of levels, {level = "simulate.topics[]", doc, keys}, the
 * description itself first.  A key is {key, type, default, doc, example, words}: what it takes, in
 * words; its default as it would stand in the file, or in words when it is computed, absent when
 * there is none; an example as it would stand behind "key: "; words = [{word, doc}] for those that
 * are known by name. */
const kp_value *kp_sim_keys(kp_arena *a);

/* Three brokers with a few topics: "kraft" and "combined" 3.7.2 with three controllers,
 * "zookeeper" 3.4.1. */
kp_err *kp_sim_demo(kp_arena *a, const char *mode, kp_sim **ret_sim) KP_MUST_USE;

/* From a snapshot of a live cluster, a map:
 *   cluster_id
 *   mode      "kraft" (default), "zookeeper", "combined"
 *   at        when, UTC ms
 *   metadata_version  level, KRaft
 *   controller  id of the quorum's leader, or of the controller broker; default: the first one
 *   brokers   list of nodes, combined ones too
 *   controllers  list of nodes, pure ones only
 *             node: {id, host, rack, release (running), link_release (default release), staged
 *             (default all known), ibp, java (major version, default 17), alive = true, properties
 *             (text of its server.properties; default: made up), config, current, releases_dir,
 *             log_dir (paths), voter = true (mode combined; a process.roles in properties says it
 *             better), managed = true (false: in no cluster file; kp_sim_inventory leaves it out),
 *             registered = true (KRaft, of one that is not alive: the controllers know it)}
 *   topics    list of {name, id (32 hex digits), internal, min_isr, unclean, size, rate,
 *             partitions = [[[replica ids], [ISR ids], leader id or -1], ...]}
 *   reassignments  list of {topic, partition, replicas, adding, removing}, which last
 *   auto_leader_rebalance, groups, stalled, ghost_controllers: as above
 *   breaking, timing, accept, allow, seed, faults: as above
 * A broker that is not alive is simulated as stopped cleanly at `at`. */
kp_err *kp_sim_from_snapshot(kp_arena *a, const kp_value *snapshot, kp_sim **ret_sim) KP_MUST_USE;

/* From now on it lives in that file, which takes the place of one that is there. */
kp_err *kp_sim_keep(kp_sim *sim, const char *path) KP_MUST_USE;
/* The simulated cluster in a file, to go on with.  Errors: KP_CONFIG (not such a file, in use). */
kp_err *kp_sim_open_file(const char *path, kp_sim **ret_sim) KP_MUST_USE;
/* A copy of it in memory, whoever uses the file. */
kp_err *kp_sim_look(const char *path, kp_sim **ret_sim) KP_MUST_USE;

/* The same cluster once more, in memory of its own: state and clock, not the requests under way.
 * For a sweep's branches. */
kp_sim *kp_sim_copy(const kp_sim *sim);

void kp_sim_close(kp_sim *sim); /* takes NULL.  The same as the world's `done` */

/* ---- use ---- */

kp_world *kp_sim_world(kp_sim *sim);

/* The simulated nodes as an inventory.  Policy, playbooks, rules and runs are those of `policy`,
 * which may be NULL. */
const kp_inventory *kp_sim_inventory(kp_arena *a, const kp_sim *sim, const kp_inventory *policy);

/* Count SIGINT, SIGTERM and SIGHUP of this process as interrupts from now on. */
void kp_sim_catch_signals(kp_sim *sim);
/* From now on time passes for whoever waits on this world, too: `pace` seconds of its clock in one
 * real second, and no wait longer than a second; 0: none passes. */
void kp_sim_pace(kp_sim *sim, int pace);
void kp_sim_interrupt(kp_sim *sim); /* one more interrupt, as if Ctrl-C had been pressed */

/* Plan a fault, a map {fault = NAME, ...} of the keys that kp_sim_keys tells of simulate.faults[];
 * what counts and lasts does so from now. */
kp_err *kp_sim_fault(kp_sim *sim, const kp_value *fault) KP_MUST_USE;

/* ---- what was done, on the simulated truth ---- */

/* {violations, K1 .. K9 = counts, first = [texts of the first ones]}.  The oracle judges every
 * request against the truth, whoever asked and whatever it knew; oracle.h has the rules. */
const kp_value *kp_sim_oracle(kp_arena *a, const kp_sim *sim);

/* Do not judge a topic (K1, K2, K3), or a whole rule ("K7").  False when there is neither. */
bool kp_sim_oracle_allow(kp_sim *sim, const char *topic_or_rule);

/* Every request that acted, in order: list of {at, act = "stop"|"start"|..., node, op (hash, hex),
 * epoch}; a stop of a broker also has leaders_moved, peak_urp, peak_at_min_isr (the highest counts
 * of the cluster until it was back in sync), rejoined (UTC ms, absent while it is not). */
const kp_value *kp_sim_acts(kp_arena *a, const kp_sim *sim);

/* From now on an act that has `rejoined` also has `leaders`, who led each partition at that moment:
 * a map of topic to list of broker ids, -1 for none.  Not kept in the file.  Does nothing when
 * brokers x partitions is above KP_SIM_MAX_KEPT. */
void kp_sim_keep_leaders(kp_sim *sim);
#define KP_SIM_MAX_KEPT (1u << 20)

/* What acted on a host: {stops, starts, links, files, jobs, fences, repeated (requests whose op id
 * had acted before), refused (wrong epoch)}; nil for an unknown node. */
const kp_value *kp_sim_host_counts(kp_arena *a, const kp_sim *sim, int node);

bool kp_sim_op_acted(const kp_sim *sim, int node, const char *op_id); /* on the host */

typedef struct kp_sim_stats {
    uint64_t changes; /* of one partition's ISR or leader */
    uint64_t events;
    uint64_t requests;
    uint64_t trace;      /* hash of every event and its time, in order */
    uint64_t digest;     /* everything that shapes the future */
    uint64_t isr_digest; /* ISRs only */
    size_t bytes;        /* of the state */
} kp_sim_stats;
kp_sim_stats kp_sim_stats_of(const kp_sim *sim);

/* Count everything again and compare: KP_INTERNAL naming the first difference. */
kp_err *kp_sim_audit(const kp_sim *sim) KP_MUST_USE;

#endif
