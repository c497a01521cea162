/* facts: what a cluster and its nodes are, asked of a world.
 *
 * Everything that is asked goes through here (ask.c), and nothing is judged or done here.  kp_seen
 * is what one process remembers between its looks; kp_facts is one round of judging: one record per
 * node, one source per field, each asked for at most once.  Rows name what they need, and what
 * several rows need is asked in one round of questions.  A fact that could not be had says why;
 * what is not known is for the row to judge (unknown is unhealthy).
 *
 * A round's memory is the arena it was begun with; answers stay as they were when they came.  One
 * thread.
 */
#ifndef KP_FACTS_H
#define KP_FACTS_H

#include "cluster/risk.h"
#include "cluster/server_config.h"
#include "world/world.h"

/* ---- what is known between two looks ---- */

/* The pause between two looks at the world, within the first two: so many times what the last look
 * cost that looking takes a twentieth of those who answer; a quarter while an action is under way,
 * for then a node is down, or about to be. */
#define KP_POLL_MS 100
#define KP_POLL_MOST KP_SECOND
#define KP_POLL_SHARE 20
#define KP_POLL_SHARE_ACTING 3

/* The process that a start brought, as its host shows it. */
typedef struct kp_life {
    int64_t pid, start_time; /* as last seen; 0: none */
    int deaths;              /* of those seen, and then seen gone or replaced */
    bool counts;             /* the service manager counts restarts too */
    int64_t restarts, restarts_least;
    int64_t log_at, log_before; /* where its log last said that it gets on; of logs turned since */
    kp_ms duplicate_since, listed_since; /* monotonic; 0: it is not so */
} kp_life;

/* What is known of a node beyond the inventory: seen, or done by this run. */
typedef struct kp_known {
    int id;
    const kp_value
        *excused;     /* replicas that were behind before it was stopped (kp_view_behind_keys) */
    kp_ms restarted;  /* world monotonic time of the last start this process saw; 0 never */
    kp_ms looked;     /* when its host was last asked whether the process is still there */
    int64_t log_from; /* size of its log before its last start; -1 not known */
    kp_life life;     /* of the process that its last start brought */
    bool down;        /* not listed in the newest view */
    bool stopped;     /* this run stopped it, and has not started it since */
    /* The release that has proved its file, and the file's sha256 then; NULL: none has. */
    const char *proved_release, *proved_sha;
    const char *written_sha; /* of server.properties as this run last wrote it; NULL: never */
} kp_known;

/* What looks cost those who answer (ask.c). */
typedef struct kp_pace {
    int64_t cost_us;          /* of the answers since it was last set to 0: before each look */
    int64_t best_ns[KP_REQS]; /* by kind, for an entry of the answer; 0: none was seen */
} kp_pace;

/* A cluster as one process knows it: asked by this room, remembered for whoever judges or acts. */
typedef struct kp_seen {
    kp_world *w;
    const kp_inventory *inv;
    kp_arena *a;         /* lives as long as this */
    kp_arena *scratch;   /* of one call: texts of why something is not known */
    kp_arena *view_a[2]; /* the newest view and the one before */
    int view_turn;
    const kp_view *view;  /* the newest whole view; NULL where a world's views do not last (sim) */
    const kp_view *fresh; /* the newest agreed view, while nothing was asked since */
    bool fresh_config;
    int64_t fresh_requests;
    kp_ms fresh_at;
    const kp_value *releases; /* KP_Q_RELEASE's answers: release -> what it is, asked once */
    const kp_value *baseline; /* what was under-replicated when the run began; kp_view_short_list */
    const kp_value *met;      /* what the first broker that was met said of itself */
    const char *cluster_id;   /* and of its cluster */
    bool zookeeper;           /* and its mode */
    bool simulated;           /* as whoever began this says */
    kp_known *known;          /* as the inventory's nodes */
    size_t n_known;
    kp_maybe_id last_started; /* not asked for views until it is confirmed in sync */
    kp_pace pace;
    int64_t polls; /* rounds of questions about views */
    /* Lets time pass; its error ends what waits.  Whoever uses this says how (engine/sent.c). */
    kp_err *(*pause)(void *ud, kp_ms d);
    void *ud;
} kp_seen;

kp_seen *kp_seen_new(kp_arena *a, kp_arena *scratch, kp_world *w, const kp_inventory *inv);
void kp_seen_done(kp_seen *o);
kp_known *kp_known_node(kp_seen *o, int id); /* NULL: not in the inventory */
/* What a host (KP_Q_HOST) lacks of a release: NULL when it is staged there whole, "" when it is not
 * there at all, else the jar that is missing in it. */
const char *kp_release_lacks(const kp_value *state, const char *version);

/* ---- ask.c ---- */
kp_err *kp_ask(kp_seen *o, kp_arena *a, const kp_request *q, kp_reply *ret_reply) KP_MUST_USE;
/* All at once; replies in the order of the questions, each with its own err (owned by the caller).
 */
void kp_ask_all(kp_seen *o, kp_arena *a, const kp_request *q, size_t n, kp_reply *ret_replies);
kp_err *kp_ask_value(kp_seen *o, kp_arena *a, const kp_request *q,
                     const kp_value **ret_v) KP_MUST_USE;
void kp_pace_add(kp_pace *p, const kp_reply *reply); /* kp_ask_all does, with each answer */
kp_ms kp_pace_pause(const kp_pace *p, int share);

/* ---- fresh.c: views that may be relied on ---- */
/* A whole view from two nodes that agree, neither just restarted, asked now.  `without`: a node
 * not to ask. Waits out disagreement (caches lag), then KP_SAFETY "unknown". */
kp_err *kp_fresh_view(kp_seen *o, kp_maybe_id without, bool with_config,
                      const kp_view **ret_v) KP_MUST_USE;
void kp_view_seen(kp_seen *o, const kp_view *v); /* a whole view that is believed */
size_t kp_view_sources(kp_seen *o, kp_maybe_id without, int *ret_ids,
                       size_t max); /* broker ids to ask, best first */

/* ---- one round of judging ---- */

enum {                            /* what a round can ask */
       KP_F_VIEW = 1 << 0,        /* the fresh view, with topic settings */
       KP_F_SAID = 1 << 1,        /* KP_Q_NODE of the nodes in scope and of the other brokers */
       KP_F_HOST = 1 << 2,        /* KP_Q_HOST of the nodes in scope */
       KP_F_FILE = 1 << 3,        /* KP_Q_FILE of the nodes in scope */
       KP_F_MOVES = 1 << 4,       /* running reassignments */
       KP_F_QUORUM = 1 << 5,      /* the controller quorum, where there is one */
       KP_F_IBP = 1 << 6,         /* the effective protocol version of every broker */
       KP_F_FEATURES = 1 << 7,    /* KP_Q_NODE of any node: the finalised levels */
       KP_F_PROOF = 1 << 8,       /* KP_Q_PROOF of the nodes in scope, when a release is named */
       KP_F_EVERYBODY = 1 << 9,   /* KP_Q_NODE of every node */
       KP_F_REGISTERED = 1 << 10, /* KP_Q_REGISTERED, KP_Q_CONTROLLERS */
       KP_F_RUNNING = 1 << 11,  /* KP_Q_CONFIG of the brokers in scope, of the keys in their file */
       KP_F_LOG_DIRS = 1 << 12, /* KP_Q_LOG_DIRS of the brokers in scope */
       KP_F_OF_BROKERS = 1 << 13, /* the keys below, of every broker */
       KP_F_OF_TOPICS = 1 << 14,  /* and of every topic */
};

/* What is looked at of the configurations of brokers and topics (KP_Q_CONFIG). */
#define KP_KEY_LEADER_RATE "leader.replication.throttled.rate"
#define KP_KEY_FOLLOWER_RATE "follower.replication.throttled.rate"
#define KP_KEY_LEADER_REPLICAS "leader.replication.throttled.replicas"
#define KP_KEY_FOLLOWER_REPLICAS "follower.replication.throttled.replicas"
#define KP_KEY_FORMAT "message.format.version"
#define KP_KEY_DIFFERENCE "message.timestamp.difference.max.ms"
#define KP_KEY_REMOTE_TOPIC "remote.storage.enable"
#define KP_KEY_REMOTE_BROKER "remote.log.storage.system.enable"

/* asked and v NULL: not known, `why` says why in one line. */
typedef struct kp_fact {
    bool asked;
    const kp_value *v;
    const char *why;
} kp_fact;

typedef struct kp_node_facts {
    const kp_node *node;
    bool in_scope; /* its host and file are looked at in this round */
    kp_fact said, host, file, proof, ibp, running, dirs, keys;
} kp_node_facts;

/* Who a node is, as far as this round has asked: one source for each field.  Texts are NULL, ids -1
 * and the rest 0 where that source was not asked, did not answer or does not tell. */
typedef struct kp_who {
    /* its host */
    bool looked;             /* it answered */
    int64_t pid;             /* of the process that runs the node's file; 0: none does */
    int64_t process_id;      /* whose node.id is */
    const char *process_cluster, *process_config;
    const char *jars;        /* release of the first main jar of its class path, as Java takes it */
    bool java_seen;          /* the path of its java binary is known */
    const char *linked;      /* release that the link names */
    const char *file_inside; /* release directory that its properties file lies in */
    int64_t log_dirs;
    /* its listener */
    bool answers;
    const char *cluster, *line; /* the release line it answers as */
    bool zookeeper;             /* in ZooKeeper mode, with the migration flag or without */
    /* the other brokers; the controllers */
    bool listed, votes;
} kp_who;

typedef struct kp_facts {
    kp_seen *seen;
    kp_arena *a;
    const char *version;  /* the release that is to come; NULL: none */
    /* Judged before the first stop: the nodes still run, and what the playbook does before a start
     * (a pin) is not done yet. */
    bool ahead;
    unsigned have;        /* KP_F_* asked so far */
    kp_node_facts *nodes; /* as the inventory's */
    size_t n_nodes;
    const kp_view *view;  /* NULL: `view_why`, and `view_next` what to do */
    const char *view_why, *view_next;
    kp_fact moves, quorum, features, registered, controllers, topic_keys;
    const kp_value *unreached; /* why the first host that was asked gave no answer; NULL: all did */
} kp_facts;

/* Begins a round about these nodes; nothing is asked yet. */
kp_facts *kp_facts_begin(kp_seen *o, kp_arena *a, const int *scope, size_t n, const char *version);
/* What is already known of a node's host: the answer of a moment ago; NULL: it is to be asked. */
void kp_facts_host(kp_facts *f, int node, const kp_value *state);
/* Asks what of it was not asked yet, in one round trip beside the view's. */
void kp_facts_need(kp_facts *f, unsigned what);
/* What a release that is staged on the node's host is (KP_Q_RELEASE); asked once in a process, of
 * whichever host: other rows prove that each has all of it.  NULL: nobody tells, and why. */
const kp_value *kp_facts_release(kp_facts *f, int node, const char *version,
                                 const char **ret_why);
kp_node_facts *kp_facts_of(kp_facts *f, int node); /* NULL: not in the inventory */
kp_who kp_facts_who(const kp_facts *f, const kp_node_facts *one);
/* What the node's next start reads: its file, and the running process's --override words, which its
 * service is taken to give again.  NULL: the file was not asked for, or is not to be had. */
const kp_server_config *kp_facts_config(const kp_facts *f, const kp_node_facts *one);
/* Mode is a node's: while a cluster migrates there are a quorum and brokers in ZooKeeper mode. */
bool kp_facts_has_quorum(const kp_facts *f);

#endif
