/* The simulated cluster as data: one block without pointers, and what a process keeps beside it.
 *
 * Everything that shapes the future is in the block (kp_sim_header and the arrays behind it), so
 * that it can be a mapped file, survive the process, and be copied by one memcpy.  Placement never
 * changes; a partition's state is who of its replicas is in sync (a bit per replica), which one
 * leads, min.insync.replicas and flags, kept in the arrays a kp_view shows, so that a view costs
 * nothing.  What can be recounted (counts, heap of
 * what is due, lists of replicas that catch up) is either kept beside the block or repaired from
 * it.
 *
 * Rules that keep it sound: partitions change only through kp_sim_partition_set and, in
 * partitions.c, partition_only; time passes only in kp_sim_advance; a timer's due time is cleared
 * when its handler has ended, and a handler may run twice, so that a process killed in the middle
 * of one is made good by running it again.
 */
#ifndef KP_SIM_STATE_H
#define KP_SIM_STATE_H

#include "base/heap.h"
#include "sim/sim.h"

typedef int64_t kp_us; /* microseconds of the virtual clock */
#define KP_SIM_MS ((kp_us)1000)
#define KP_SIM_SECOND ((kp_us)1000000)
#define KP_SIM_NEVER INT64_MAX

#define KP_SIM_FORMAT 6u
#define KP_SIM_NO_SLOT 0xffffu /* kp_sim_node.slot of a pure controller */
#define KP_SIM_NO_NODE (-1)
#define KP_SIM_JAVA 17        /* of hosts whose Java is not said */
/* A class of this package is in no jar of any host; a node whose file names one does not start. */
#define KP_SIM_MISSING "kplay.sim.missing."
#define KP_SIM_SIGNS 8u       /* lines of a node's log that are kept */
#define KP_SIM_HOLDER 96u     /* bytes of a fence's holder */
#define KP_SIM_CONFIGS 512u   /* dynamic configs in all */
#define KP_SIM_OPEN_ACTS 256u /* stops whose peaks are followed at once */
#define KP_SIM_POOL_CLASSES 16u
#define KP_SIM_GHOST_CONTROLLERS 64u

typedef enum kp_sim_mode { KP_SIM_ZOOKEEPER, KP_SIM_KRAFT, KP_SIM_COMBINED } kp_sim_mode;

/* A node's process. */
typedef enum kp_sim_phase {
    KP_SIM_OFF,     /* no process */
    KP_SIM_BOOTING, /* process there, logs being loaded */
    KP_SIM_FAILING, /* process there, about to exit with an error */
    KP_SIM_JOINING, /* broker: registers, waits to be unfenced */
    KP_SIM_RUNNING,
    KP_SIM_STOPPING,
} kp_sim_phase;

/* Whose doing it is. */
typedef enum kp_sim_hand { KP_SIM_NOBODY, KP_SIM_OURS, KP_SIM_FAULT } kp_sim_hand;

/* Lines of server.log that matter; their texts are in lines.c. */
typedef enum kp_sim_line {
    KP_SIM_LINE_STARTED = 1,
    KP_SIM_LINE_STOPPED,
    KP_SIM_LINE_DUPLICATE,
    KP_SIM_LINE_EXISTS, /* ZooKeeper: the ephemeral node of the old session is still there */
    KP_SIM_LINE_FETCH,  /* a fetch version that the leaders do not know */
    KP_SIM_LINE_ROLES,  /* no process.roles where ZooKeeper is gone */
    KP_SIM_LINE_NODE_ID,
    KP_SIM_LINE_IBP,
    KP_SIM_LINE_CONFIG,
    KP_SIM_LINE_METADATA_OLD, /* the binary is too old for the finalized metadata.version */
    KP_SIM_LINE_METADATA_NEW,
    KP_SIM_LINE_UNCLEAN, /* controlled shutdown was not answered */
    KP_SIM_LINE_RECOVERY,
    KP_SIM_LINE_JAVA,   /* the release was compiled for a newer Java */
    KP_SIM_LINE_OPTION, /* one of its options is none of its Java */
    KP_SIM_LINE_CLASS,  /* a class of its file is in no jar */
} kp_sim_line;

/* Why a process ends in its start: its last line, and what stands in it; line 0: it does not. */
typedef struct kp_sim_refusal {
    kp_sim_line line;
    int32_t arg;
} kp_sim_refusal;

typedef struct kp_sim_sign {
    int64_t at; /* offset in the log */
    uint32_t line;
    int32_t arg;
} kp_sim_sign;

/* Standing troubles of a node, set by faults. */
enum {
    KP_SIM_UNCLEAN_NEXT = 1,
    KP_SIM_SLOW = 2,
    KP_SIM_UNREACHABLE = 4, /* its host does not answer anything */
    KP_SIM_NO_SSH = 8,
    KP_SIM_STALE = 16,
    KP_SIM_BAD_CONFIG = 32,
    KP_SIM_NO_STOP = 64,
    KP_SIM_NO_REJOIN = 128,
    KP_SIM_LOOPING = 256,      /* dies in start-up; its supervisor starts it again */
    KP_SIM_ELSEWHERE = 512,    /* another process is registered as this broker */
    KP_SIM_OLD_RELEASE = 1024, /* its start script names the release it last ran */
    KP_SIM_OTHER_JAVA = 2048,  /* its next start's Java refuses an option of its process */
    KP_SIM_LOG4J1 = 4096,      /* its service gives it a log4j 1 configuration of its own */
    KP_SIM_SHORT_STOP = 8192,  /* its unit's stop limit is systemd's default */
    KP_SIM_AGENT = 16384,      /* puppet runs on its host */
    KP_SIM_DEAD_DIR = 32768,   /* it has a second log dir, which is offline */
    KP_SIM_FULL = 65536,       /* 1 % of its disk is free */
    KP_SIM_NO_JDK = 131072,    /* its Java comes without jcmd */
};

typedef struct kp_sim_text {
    uint32_t off, n, size_class;
} kp_sim_text; /* in the pool */

typedef struct kp_sim_node {
    int32_t id;
    uint16_t slot; /* index among the brokers */
    uint8_t roles; /* kp_role bits */
    uint8_t phase;
    uint8_t step;     /* of a stop: 0 asked, 1 about to exit, 2 so while booting; or registered */
    bool listed;      /* the controllers take it for alive */
    bool in_shutdown; /* not given any leader */
    bool clean;       /* .kafka_cleanshutdown is there */
    bool again;       /* start when the stop has ended */
    bool mis_pinned;
    bool unmanaged;        /* in no cluster file: nobody stops or starts it */
    bool unregistered;     /* KRaft: the controllers do not know it, until it is started */
    bool recheck;          /* a partition it is behind on has a leader again */
    uint8_t voter;         /* 0 down, 1 behind, 2 caught up */
    uint8_t down_by;       /* kp_sim_hand of the stop or kill under way or done */
    uint8_t link, running; /* releases: of the link, of the process */
    uint32_t troubles;
    uint32_t host, rack, config, current, releases_dir, log_dir; /* strings */
    uint32_t port;
    uint64_t staged;     /* bit per release */
    kp_sim_text text[2]; /* server.properties: text[text_now] */
    uint8_t text_now;
    uint32_t text_gen; /* how often it was replaced */
    kp_sim_text started; /* what its process read, when it was replaced since; off 0: it was not */
    int32_t ibp;       /* level the process speaks */
    int32_t pid, restarts;
    bool service_failed;

    int64_t fence;
    char holder[KP_SIM_HOLDER]; /* "": nobody */
    char last[KP_SIM_HOLDER];   /* who gave it back, when nobody holds it */
    char fence_by[KP_SIM_HOLDER];
    kp_us fence_at;

    kp_us started_at, stop_asked_at, stop_tries_until;
    kp_us stop_landed_at; /* of the last stop by our hand */
    kp_us log_from;       /* its log grows since; 0: not at present */
    bool ibp_pinned;      /* what it speaks is written in the file it started with */
    kp_us staging_until;  /* a job that stages `staging` ends then; 0: none */
    uint64_t staging;
    kp_us behind_since; /* its replicas that are out of sync have missed what was written since */
    kp_us cache_until;  /* it answers from an empty metadata cache until then */
    kp_us fault_at;     /* last time a fault took it down */
    double boot_bytes;  /* of its replicas, for log recovery */
    double inflow;      /* bytes/s written to its replicas */

    double level, span; /* catch-up: bytes each replica got; seconds it was away */
    kp_us level_at;

    kp_us voter_since;    /* last caught up (when down), or up since */
    int64_t voter_offset; /* where it stood when it went down */

    uint32_t bad_gen; /* config_breaks_start: with this file and release it does not start */
    uint8_t bad_link;
    bool bad_set;
    uint8_t java; /* major version of its host's Java; 0: KP_SIM_JAVA */

    int32_t controller_seen; /* ZooKeeper: the id this broker believes in */
    int64_t log_at;          /* bytes of server.log */
    uint32_t n_signs;
    kp_sim_sign sign[KP_SIM_SIGNS];

    uint32_t n_stop, n_start, n_link, n_file, n_job, n_fence, n_repeated, n_refused;
    uint32_t asked_stop, asked_start; /* also those that did not act: what faults count */
    uint32_t open_act;                /* index + 1 of the stop whose rejoin is awaited */
    uint32_t out_before;              /* replicas out of sync when it was stopped */
} kp_sim_node;

typedef struct kp_sim_topic {
    uint8_t id[16];
    uint32_t name; /* string */
    uint32_t first, n;
    double rate, size; /* of one replica: bytes/s, bytes */
    bool internal, accepted;
} kp_sim_topic;

typedef enum kp_sim_fault_name {
    KP_SIM_F_CRASH,
    KP_SIM_F_UNCLEAN_STOP,
    KP_SIM_F_SLOW_DISK,
    KP_SIM_F_RACK_LOSS,
    KP_SIM_F_LOST_SSH,
    KP_SIM_F_CONTROLLER_FAILOVER,
    KP_SIM_F_STALE_METADATA,
    KP_SIM_F_CONFIG_BREAKS_START,
    KP_SIM_F_DOES_NOT_STOP,
    KP_SIM_F_DOES_NOT_REJOIN,
    KP_SIM_F_CRASH_LOOP,
    KP_SIM_F_REGISTERED_ELSEWHERE,
    KP_SIM_F_STARTS_OLD_RELEASE,
    KP_SIM_F_JAVA_EXCHANGED,
    KP_SIM_F_LOG4J1,
    KP_SIM_F_SHORT_STOP_LIMIT,
    KP_SIM_F_CONFIG_AGENT,
    KP_SIM_F_DEAD_LOG_DIR,
    KP_SIM_F_FULL_DISK,
    KP_SIM_F_NO_JDK,
    KP_SIM_F_NAMES
} kp_sim_fault_name;

/* A start that a crash waits for is carried out first. */
typedef enum kp_sim_when {
    KP_SIM_AT,
    KP_SIM_ON_STOP,
    KP_SIM_ON_START,
    KP_SIM_AFTER_START,
    KP_SIM_ON_REQUEST
} kp_sim_when;
/* kp_sim_fault_plan.state */
enum { KP_SIM_PLANNED = 1, KP_SIM_ACTING, KP_SIM_OVER };

typedef struct kp_sim_fault_plan {
    uint8_t name, when, state;
    int32_t node;   /* index, KP_SIM_NO_NODE */
    uint32_t rack;  /* string, 0 none */
    uint64_t count; /* ON_*: the value of the counter at which it happens */
    kp_us lasts;    /* KP_SIM_NEVER: for good */
} kp_sim_fault_plan;

typedef struct kp_sim_act {
    kp_us at, rejoined;
    uint64_t op;
    int64_t epoch;
    int32_t node; /* index, KP_SIM_NO_NODE for the cluster */
    uint8_t kind; /* kp_req */
    bool broker_stop;
    uint32_t leaders_moved, peak_urp, peak_at_min;
} kp_sim_act;

/* Who led every partition when the broker of a stop was back: beside the block, when asked for. */
typedef struct kp_sim_led {
    struct kp_sim_led *next;
    uint32_t act;
    int32_t *leader; /* id per partition, -1 for none */
} kp_sim_led;

typedef struct kp_sim_claim {
    uint64_t h1, h2; /* of node and op id; 0, 0: free */
    kp_us ends;      /* of a job */
} kp_sim_claim;

typedef struct kp_sim_config {
    uint8_t used;   /* 0 free, 't' topic, 'b' broker */
    int32_t target; /* topic index, broker id (-1: every broker's default) */
    char key[96], value[256];
} kp_sim_config;

typedef struct kp_sim_move { /* a reassignment under way; of which replicas is in sim->adding and
                                sim->removing */
    uint32_t p;
} kp_sim_move;

typedef struct kp_sim_group {
    uint32_t name;    /* string */
    uint32_t stalled; /* it commits nothing since the cluster began */
} kp_sim_group;

typedef struct kp_sim_breaking {
    uint32_t release, key;
} kp_sim_breaking; /* release text and key: strings */

/* Clients of one software: so many connections to a broker, or to every one. */
typedef struct kp_sim_client {
    uint32_t name, version, listener, requests; /* strings; requests: "FetchConsumer 3,Produce 2" */
    int32_t node;                               /* a broker's id; -1: every broker */
    uint32_t connections;
    kp_us until; /* gone then */
} kp_sim_client;

typedef struct kp_sim_timing {
    kp_us boot, boot_per_1000, stop_per_1000;
    double recovery, link; /* bytes/s */
} kp_sim_timing;

/* Where an array lies in the block. */
enum {
    KP_SIM_P_NODES,
    KP_SIM_P_TOPICS,
    KP_SIM_P_FIRST_REP,
    KP_SIM_P_REP,
    KP_SIM_P_ISR,
    KP_SIM_P_LEADER,
    KP_SIM_P_MIN,
    KP_SIM_P_FLAGS,
    KP_SIM_P_EPOCH,
    KP_SIM_P_RATE,
    KP_SIM_P_BY_FIRST,
    KP_SIM_P_BY_BROKER,
    KP_SIM_P_OUT,
    KP_SIM_P_LEADS,
    KP_SIM_P_BROKERS,
    KP_SIM_P_DUE,
    KP_SIM_P_FAULTS,
    KP_SIM_P_ACTS,
    KP_SIM_P_CLAIMS,
    KP_SIM_P_CONFIGS,
    KP_SIM_P_MOVES,
    KP_SIM_P_ADDING,
    KP_SIM_P_REMOVING,
    KP_SIM_P_BREAKING,
    KP_SIM_P_GROUPS,
    KP_SIM_P_CLIENTS,
    KP_SIM_P_STRINGS,
    KP_SIM_P_ORACLE,
    KP_SIM_P_POOL,
    KP_SIM_PARTS
};

typedef struct kp_sim_header {
    uint64_t size; /* of the block: whole pages */
    uint64_t off[KP_SIM_PARTS], bytes[KP_SIM_PARTS];

    uint8_t mode;
    bool auto_rebalance, no_topic_ids;
    uint32_t n_nodes, n_brokers, n_topics, n_parts, n_reps, n_voters;
    uint32_t n_moves, n_breaking, n_groups, n_clients, n_faults, n_acts, n_claims, n_releases;
    uint32_t max_acts, max_claims; /* the claims table has twice that many entries */
    char release[KP_SIM_MAX_RELEASES][24];
    char cluster_id[24];
    kp_sim_timing timing;

    kp_us now;      /* the clock; starts at one second */
    kp_ms epoch_ms; /* UTC when `now` was 0 */
    uint64_t seed, rng;
    uint64_t trace, n_events, n_changes, n_requests;
    uint64_t digest, isr_digest;
    kp_view_counts counts;

    int32_t metadata_version; /* finalized level; 0 in ZooKeeper mode */
    int32_t leader; /* of the quorum, or the controller broker: node index or KP_SIM_NO_NODE */
    int32_t last_leader;
    uint32_t
        n_ghost_controllers; /* KRaft: registered, down for good, in no cluster file: their ids */
    int32_t ghost_controller[KP_SIM_GHOST_CONTROLLERS];
    int64_t leader_epoch;
    kp_us leader_since, offset_at;
    int64_t offset; /* metadata log: end when `offset_at` was now */

    int32_t cause_node; /* whose stop or death changes partitions now: node index */
    uint8_t cause;      /* kp_sim_hand */

    uint32_t n_open, open_act[KP_SIM_OPEN_ACTS];
    int32_t next_pid;
    uint32_t any_node; /* who is asked next when anybody may be */

    uint32_t pool_end;
    uint32_t pool_free[KP_SIM_POOL_CLASSES];
} kp_sim_header;

struct kp_sim_oracle_state;

/* Partitions whose replica on one broker catches up, ascending by bytes behind. */
typedef struct kp_sim_flows {
    uint32_t *e;
    uint32_t n, next;
    double left; /* bytes behind of those from `next` on, as if none had come yet */
} kp_sim_flows;

/* What is read off a node's file again and again; good while `gen` is its text_gen + 1. */
typedef struct kp_sim_file { /* as kp_server_config_read has it */
    uint32_t gen;
    bool has_id, kraft;
    unsigned roles;
    int64_t node_id;
    const kp_value *problems, *log_dirs; /* its first: a simulated host has one */
    char sha256[65];
} kp_sim_file;

typedef struct kp_sim_frozen { /* stale_metadata: what the node goes on answering */
    uint64_t *isr;
    uint16_t *leader;
    int32_t *epoch;
    uint32_t *out, *leads;
    kp_view_broker *brokers;
    kp_view_counts counts;
    uint64_t digest;
    int controller;
} kp_sim_frozen;

typedef struct kp_sim_call {
    uint64_t ticket;
    kp_us sent, due; /* when it lands (actions), then when it is answered */
    bool landed, unanswered;
    int32_t node; /* index, KP_SIM_NO_NODE: anybody */
    kp_arena *a;
    kp_request q; /* what it points to is in `a` */
    kp_err *err;  /* of an action that has landed */
    size_t at;    /* its place in the heap */
} kp_sim_call;

struct kp_sim {
    kp_world world; /* first: a kp_world is its kp_sim */
    kp_sim_header *h;
    int fd;           /* of the file, -1 */
    const char *kept; /* what is in it; NULL */

    kp_sim_node *node;
    kp_sim_topic *topic;
    uint32_t *first_rep;
    uint16_t *rep, *leader, *min_isr;
    uint64_t *isr;               /* bit per entry of rep */
    uint64_t *adding, *removing; /* so too, of replicas in a reassignment; nothing without one */
    uint8_t *flags;
    int32_t *epoch;
    float *rate; /* bytes/s of a partition */
    uint32_t *by_first, *by_broker, *out, *leads;
    uint16_t *broker; /* slot -> node index */
    kp_us *due;       /* per timer */
    kp_sim_fault_plan *fault;
    kp_sim_act *act;
    kp_sim_claim *claim;
    kp_sim_config *config;
    kp_sim_move *move;
    kp_sim_breaking *breaking;
    kp_sim_group *group;
    kp_sim_client *client;
    char *strings;
    struct kp_sim_oracle_state *oracle;
    char *pool;

    kp_arena *own;     /* what views and answers share, for as long as the sim */
    kp_arena *scratch; /* emptied at every use */
    kp_view_broker *view_broker;
    kp_view_topic *view_topic;
    uint8_t *can_lead; /* per broker slot: listed and not shutting down */
    uint32_t *zeros;   /* n_brokers + 1, for an empty cache's view */
    struct {
        uint64_t mask;
        const kp_value *list;
    } staged[8];

    uint32_t n_timers;
    kp_heap timers;   /* that are due some time, by due and number */
    size_t *timer_at; /* per timer: its place there */
    kp_sim_flows *flows;    /* per node */
    kp_sim_frozen **frozen; /* per node */
    kp_sim_file *file;      /* per node */
    uint32_t n_recheck;
    bool keep_leaders;
    kp_sim_led *led;

    kp_heap calls; /* requests under way, by due and ticket */
    uint64_t ticket;
    int interrupts, interrupts_told;
    kp_loop *loop; /* signals, and pauses of real time */
    int pace;      /* seconds of the virtual clock in one of the real one; 0: no pauses */
};

/* ---- timers ---- */
enum { KP_SIM_T_LIFE, KP_SIM_T_SESSION, KP_SIM_T_CATCH_UP, KP_SIM_T_VOTER, KP_SIM_T_PER_NODE };
enum { KP_SIM_T_ELECT, KP_SIM_T_REBALANCE, KP_SIM_T_GLOBALS };
static inline uint32_t kp_sim_timer_of(int32_t node, unsigned what)
{
    return (uint32_t)node * KP_SIM_T_PER_NODE + what;
}
static inline uint32_t kp_sim_timer_global(const kp_sim *sim, unsigned what)
{
    return sim->h->n_nodes * KP_SIM_T_PER_NODE + what;
}
static inline uint32_t kp_sim_timer_fault(const kp_sim *sim, uint32_t fault)
{
    return sim->h->n_nodes * KP_SIM_T_PER_NODE + KP_SIM_T_GLOBALS + fault;
}

/* clock.c: time, chance, and what is due */
void kp_sim_timer_set(kp_sim *sim, uint32_t timer, kp_us due); /* KP_SIM_NEVER: not at all */
void kp_sim_timers_rebuild(kp_sim *sim);
void kp_sim_advance(
    kp_sim *sim, kp_us to); /* everything due up to and including `to`, then the clock is there */
void kp_sim_settle(
    kp_sim *sim); /* after an event, or a change from outside: what follows from it */
uint64_t kp_sim_random(kp_sim *sim);
kp_us kp_sim_between(kp_sim *sim, kp_us from, kp_us to);
uint64_t kp_sim_mix(uint64_t x);
static inline kp_ms kp_sim_utc(const kp_sim *sim, kp_us t)
{
    return sim->h->epoch_ms + t / KP_SIM_MS;
}

/* image.c: the block */
typedef struct kp_sim_sizes {
    uint32_t nodes, brokers, topics, parts, reps, moves, breaking, groups, clients;
    size_t strings, pool;
} kp_sim_sizes;
kp_sim *kp_sim_block_new(const kp_sim_sizes *sizes);
void kp_sim_block_ready(kp_sim *sim); /* filled: what lies beside it is made */
/* A change from outside is whole: at the end of each way in.  Nothing in memory. */
void kp_sim_commit(kp_sim *sim);
bool kp_sim_text_set(kp_sim *sim, kp_sim_node *node, const void *p,
                     size_t n);    /* false: the pool is full */
void kp_sim_text_started(kp_sim *sim, kp_sim_node *node); /* a process reads the present one */
size_t kp_sim_pool_need(size_t n); /* bytes of the pool that a text of n bytes takes */
static inline const char *kp_sim_string(const kp_sim *sim, uint32_t off)
{
    return sim->strings + off;
}
static inline const kp_sim_text *kp_sim_node_text(const kp_sim_node *node)
{
    return &node->text[node->text_now];
}
/* What its process read when it started. */
static inline const kp_sim_text *kp_sim_text_read(const kp_sim_node *node)
{
    return node->started.off ? &node->started : kp_sim_node_text(node);
}

/* partitions.c: the one way a partition changes, and what follows from placement */
#define KP_SIM_NO_REPLICA UINT32_MAX
static inline uint32_t kp_sim_rf(const kp_sim *sim, uint32_t p)
{
    return sim->first_rep[p + 1] - sim->first_rep[p];
}
static inline bool kp_sim_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}
static inline bool kp_sim_in_sync(const kp_sim *sim, uint32_t p, uint32_t replica)
{
    return kp_sim_bit(sim->isr, sim->first_rep[p] + replica);
}
/* Which replica of p is on a broker that has one (by_broker says so). */
static inline uint32_t kp_sim_replica_on(const kp_sim *sim, uint32_t p, uint32_t slot)
{
    const uint16_t *r = sim->rep + sim->first_rep[p];
    uint32_t k = 0;
    while (r[k] != slot)
        k++;
    return k;
}
static inline uint32_t kp_sim_bit_words(uint32_t reps) /* of a bit per replica, and a spare one */
{
    return reps / 64 + 2;
}
/* One replica joins the ISR and one leaves it (KP_SIM_NO_REPLICA: none); `leader` leads. */
void kp_sim_partition_set(kp_sim *sim, uint32_t p, uint32_t joins, uint32_t leaves,
                          uint32_t leader);
void kp_sim_partition_min(kp_sim *sim, uint32_t p, unsigned min_isr);
void kp_sim_place(kp_sim *sim); /* by_broker and everything counted, from placement and state */
/* A broker leaves every ISR and its leaders move.  What it alone is in sync on goes offline, or
 * stays (keep_last). */
typedef struct kp_sim_left {
    uint32_t moved, stuck;
} kp_sim_left; /* leaders; of RF > 1 that stayed */
kp_sim_left kp_sim_broker_leaves(kp_sim *sim, int32_t node, bool keep_last);
void kp_sim_broker_returns(kp_sim *sim, int32_t node); /* leads again what only it can lead */
void kp_sim_elect_preferred(kp_sim *sim, uint32_t p);
void kp_sim_elect_all(kp_sim *sim, bool only_unbalanced);
uint32_t kp_sim_topic_of(const kp_sim *sim, uint32_t p);
int32_t kp_sim_topic_named(const kp_sim *sim, const char *name); /* index or -1 */

/* catchup.c */
void kp_sim_catch_up_start(kp_sim *sim, int32_t node);
void kp_sim_catch_up_stop(kp_sim *sim, int32_t node);
void kp_sim_catch_up_due(kp_sim *sim, int32_t node);
void kp_sim_catch_up_speed(kp_sim *sim, int32_t node); /* before and after its speed changes */
double kp_sim_bytes_behind(const kp_sim *sim, int32_t node);
void kp_sim_recheck(kp_sim *sim);
void kp_sim_catch_up_restore(kp_sim *sim, int32_t node); /* its list, when a block was opened */

/* nodes.c: the life of a process */
void kp_sim_node_start(kp_sim *sim, int32_t node);
void kp_sim_node_stop(kp_sim *sim, int32_t node);
void kp_sim_node_kill(kp_sim *sim, int32_t node); /* by a fault */
void kp_sim_node_due(kp_sim *sim, int32_t node);
void kp_sim_session_due(kp_sim *sim, int32_t node);
void kp_sim_pins_check(kp_sim *sim);
int32_t
kp_sim_ibp_at_start(kp_sim *sim,
                    int32_t node); /* what its file and link would make it speak; -1 nothing */
/* What KafkaConfig of the release n->running, or Java, says against n's file. */
kp_sim_refusal kp_sim_file_refusal(kp_sim *sim, const kp_sim_node *n);
static inline unsigned kp_sim_java(const kp_sim_node *n)
{
    return n->java ? n->java : KP_SIM_JAVA;
}
const char *kp_sim_line_text(kp_arena *a, const kp_sim *sim, const kp_sim_node *n,
                             const kp_sim_sign *sign);
bool kp_sim_line_is_error(uint32_t line);
static inline bool kp_sim_has_process(const kp_sim_node *n)
{
    return n->phase != KP_SIM_OFF;
}
static inline bool kp_sim_is_broker(const kp_sim_node *n)
{
    return (n->roles & KP_BROKER) != 0;
}
static inline bool kp_sim_is_voter(const kp_sim_node *n)
{
    return (n->roles & KP_CONTROLLER) != 0;
}
int64_t kp_sim_log_size(const kp_sim *sim, const kp_sim_node *n);
void kp_sim_node_shown(kp_sim *sim, int32_t node);   /* after `listed` or `in_shutdown` changed */
int32_t kp_sim_node_find(const kp_sim *sim, int id); /* index, or KP_SIM_NO_NODE */
void kp_sim_peaks(kp_sim *sim);                      /* of the stops under way; after every event */
void kp_sim_rejoined(kp_sim *sim, int32_t node);     /* when it is: closes its stop */

/* controllers.c: the quorum, or the controller broker */
bool kp_sim_controller_works(const kp_sim *sim);
void kp_sim_voter_up(kp_sim *sim, int32_t node);
void kp_sim_voter_down(kp_sim *sim, int32_t node, bool clean);
void kp_sim_voter_due(kp_sim *sim, int32_t node);
void kp_sim_controller_gone(kp_sim *sim, int32_t node, kp_us until_election); /* ZooKeeper */
void kp_sim_election_due(kp_sim *sim);
void kp_sim_controller_failover(kp_sim *sim);
void kp_sim_controller_told(
    kp_sim *sim); /* ZooKeeper: every broker hears who it is, if it can read it */
int64_t kp_sim_log_end(const kp_sim *sim);

/* faults.c */
void kp_sim_fault_due(kp_sim *sim, uint32_t fault);
bool kp_sim_faults_count(kp_sim *sim, kp_sim_when when, int32_t node,
                         uint64_t count); /* true: the connection was cut */
void kp_sim_freeze(kp_sim *sim, int32_t node);
void kp_sim_freeze_as(kp_sim *sim, int32_t node, const kp_sim_frozen *as);
void kp_sim_thaw(kp_sim *sim, int32_t node);

/* releases.c: what releases are */
typedef struct kp_sim_release_facts {
    int major, minor;
    int iv;                         /* of its newest inter.broker.protocol.version */
    int metadata_min, metadata_max; /* levels its binary supports, 0 without */
    bool zookeeper;
} kp_sim_release_facts;
extern const char *const kp_sim_known_releases[];              /* ends with NULL */
const kp_sim_release_facts *kp_sim_facts(const char *release); /* NULL: not known */
bool kp_sim_knows_key(const kp_sim_release_facts *f, const char *key); /* of server.properties */
int32_t kp_sim_ibp_level(const char *text);                    /* -1: no such level */
int32_t kp_sim_ibp_newest(const kp_sim_release_facts *f);
char *kp_sim_ibp_name(kp_arena *a, int32_t level);
int32_t kp_sim_metadata_level(const char *text); /* "3.7", "3.7-IV4", "19"; -1 */
/* The oldest Java that starts it. */
static inline int kp_sim_java_needed(const kp_sim_release_facts *f)
{
    return f->major < 4 ? 8 : 17;
}
static inline const kp_sim_release_facts *kp_sim_facts_at(const kp_sim *sim, uint8_t release)
{
    return kp_sim_facts(sim->h->release[release]);
}

/* answers.c and acts.c: requests that have arrived */
#define KP_SIM_DISK_BYTES INT64_C(2000000000000) /* of a broker's log dir */
int64_t kp_sim_free(const kp_sim_node *node);    /* of them */
kp_err *kp_sim_answer(kp_sim *sim, const kp_sim_call *c, const kp_value **ret_v) KP_MUST_USE;
kp_err *kp_sim_answer_host(kp_sim *sim, const kp_sim_call *c, const kp_value **ret_v) KP_MUST_USE;
const kp_value *kp_sim_answer_clients(const kp_sim *sim, kp_arena *a, int32_t node); /* clients.c */
const kp_view *kp_sim_view(kp_sim *sim, kp_arena *a, int32_t node);
kp_err *kp_sim_perform(kp_sim *sim, const kp_sim_call *c) KP_MUST_USE;
const kp_sim_file *kp_sim_file_of(kp_sim *sim, int32_t node);
void kp_sim_staging_settle(kp_sim *sim, int32_t node);
kp_sim_claim *kp_sim_claim_find(const kp_sim *sim, int32_t node, const char *op_id);

/* world.c */
void kp_sim_calls_drop(kp_sim *sim);
extern const kp_world_class kp_sim_world_class;

#endif
