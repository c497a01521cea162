/* What the files of this room share; nobody else includes it.
 *
 * A task is a request under way.  It has any number of legs, each one question to one node or one
 * host, and ends exactly once: by kp_task_done, kp_task_view or kp_task_fail, which give up
 * whatever legs are left, or by its timer.  A leg's function is called by the loop, never from
 * inside the call that made the leg; it may end the task and make further legs.
 *
 *     world.c      the world: send, wait, cancel; nodes and their addresses
 *     task.c       tasks and legs
 *     ask_*.c      the questions to the cluster        act_cluster.c  the actions on it
 *     host_side.c  the questions and actions on hosts
 */
#ifndef KP_LIVE_INNER_H
#define KP_LIVE_INNER_H

#include <sys/queue.h>

#include "host/host.h"
#include "kafka/kafka.h"
#include "live/live.h"

typedef struct kp_live kp_live;
typedef struct kp_task kp_task;
typedef struct kp_leg kp_leg;
TAILQ_HEAD(kp_tasks, kp_task);
LIST_HEAD(kp_legs, kp_leg);

/* ---- the world ---- */

typedef struct kp_live_node {
    const kp_node *node;
    kp_host *host;
} kp_live_node;

/* What a topic's configuration was when it was last read, for views that do not read it. */
typedef struct kp_topic_config {
    const char *name;
    uint8_t id[16];
    uint16_t min_isr; /* 0: could not be read */
    bool unclean;
} kp_topic_config;

typedef struct kp_topic_configs {
    kp_arena *a[2]; /* the one of `v`, and the one of the next reading */
    int turn;
    const kp_topic_config *v; /* ascending by name */
    size_t n;
} kp_topic_configs;

enum { KP_SPARE_ARENAS = 16 };

struct kp_live {
    kp_world w; /* first: a kp_world * is one of these */
    const kp_inventory *inv;
    kp_arena *a;
    kp_loop *l;
    kp_kafka *k;
    kp_hosts *hs;
    kp_live_node *nodes; /* as inv->nodes */
    struct kp_tasks open, answered;
    size_t n_tasks;
    uint64_t last_ticket;
    kp_reply acted;          /* the reply to an action, until the next wait */
    kp_arena *spare[KP_SPARE_ARENAS];
    size_t n_spare;
    const char *cluster_id;  /* of the first node that told it; "" before */
    int controller;          /* as a broker last told it, any one in KRaft; -1: nobody did */
    kp_topic_configs configs;
    kp_live_stats stats;
};

kp_live_node *kp_live_node_of(kp_live *lv, int id); /* NULL: not in the inventory */

/* A combined node has two listeners, so a listener has an id of its own: the broker's is the node's
 * id, the controller's is below -1. */
static inline int kp_controller_listener(int node) { return -2 - node; }
static inline int kp_listener_node(int listener) { return listener < 0 ? -2 - listener : listener; }

/* The listener for questions to the node itself: of the broker where there is one. */
int kp_main_listener(const kp_node *n);

/* All brokers' listeners: first those whose last question was answered, last those whose was not;
 * `first` (a broker's id, or -1) before all, unless it is one of the latter.  With `controllers`,
 * the controllers' after them. */
int *kp_live_listeners(kp_live *lv, kp_arena *a, int first, bool controllers, size_t *ret_n);

/* "broker 2 at b2:9092", "controller 3001 at c1:9093", for messages. */
const char *kp_listener_place(kp_live *lv, kp_arena *a, int listener);

/* What an answer says about the whole cluster is remembered. */
void kp_live_learn(kp_live *lv, const char *cluster_id, int controller);

/* ---- tasks and legs ---- */

/* A leg's answer: e, which the function takes over, or the response, in t->own.  `tag` is the
 * listener that was asked, or what the one who made the leg gave it. */
typedef void (*kp_leg_fn)(kp_task *t, int tag, kp_err *e, const void *response);
typedef void (*kp_host_leg_fn)(kp_task *t, kp_err *e, const kp_value *v);

struct kp_leg {
    LIST_ENTRY(kp_leg) link;
    kp_task *t;
    int tag;
    bool is_node;      /* tag is a listener */
    bool of_any;       /* one of kp_task_any's */
    bool again;        /* asked a second time */
    kp_api_key api;    /* of a node's leg */
    const void *request;
    kp_ms deadline;
    uint64_t kafka;    /* ticket, or 0 */
    kp_ticket host;    /* ticket, or 0 */
    kp_leg_fn fn;
    kp_host_leg_fn host_fn;
};

typedef struct kp_any kp_any;

struct kp_task {
    TAILQ_ENTRY(kp_task) link; /* in kp_live.open or .answered */
    kp_live *lv;
    kp_request q;       /* kept in `own` */
    kp_live_node *node; /* NULL: KP_ANY_NODE */
    kp_arena *a;        /* the caller's, for the answer; NULL for an action */
    kp_arena *own;      /* what is needed until then */
    kp_ms deadline;     /* of legs: a little before the task's, so that it ends in their words */
    kp_timer *timer;    /* the task's own */
    kp_timer *later;    /* of whoever carries it out; removed with the task's legs */
    struct kp_legs legs;
    kp_any *any;        /* of kp_task_any, while it asks */
    void *state;        /* of whoever carries it out */
    kp_err *last;       /* kp_task_any's, kept aside */
    kp_err *kept;       /* of whoever carries it out */
    bool answered;
    bool unwanted;      /* an action that was cancelled: it goes on, its reply is dropped */
    int64_t sent_us;
    kp_reply reply;
};

kp_task *kp_task_new(kp_live *lv, kp_arena *a, const kp_request *q);
void kp_task_free(kp_task *t); /* whatever its state; calls nobody */

/* Ends.  `value` is in t->a (NULL for an action), `view` too.  `node` is who answered, by
 * listener. */
void kp_task_done(kp_task *t, int listener, const kp_value *value);
void kp_task_view(kp_task *t, int listener, const kp_view *view);
void kp_task_fail(kp_task *t, kp_err *e);

/* One question to one listener.  The request lives in t->own, or for ever. */
void kp_task_call(kp_task *t, int listener, kp_api_key api, const void *request, kp_leg_fn fn);

/* One question to any of several listeners, in this order; fn hears one answer, the first good one,
 * or the last error.  A task does this once at a time.  listeners and request live in t->own; the
 * deadline is t's as it is now. */
void kp_task_any(kp_task *t, const int *listeners, size_t n, kp_api_key api, const void *request,
                 kp_leg_fn fn);

/* A question that in ZooKeeper mode the controller alone answers, and any broker in KRaft (it
 * forwards it): asked of any broker, and of the controller when that one names it with
 * NOT_CONTROLLER.  code reads the error code of a response. */
void kp_task_controller_call(kp_task *t, kp_api_key api, const void *request,
                             int (*code)(const void *response), kp_leg_fn fn);

/* The node's main listener, or any broker's when n is NULL. */
void kp_task_call_or_any(kp_task *t, const kp_live_node *n, kp_api_key api, const void *request,
                         kp_leg_fn fn);

int32_t kp_task_time_left(const kp_task *t); /* ms, for requests that carry a timeout; at least 1 */

/* A leg that the caller starts: its function is kp_leg_on_kafka or kp_leg_on_host with the leg as
 * ud, its ticket goes into the leg. */
kp_leg *kp_task_leg(kp_task *t, int tag, kp_leg_fn fn);
kp_leg *kp_task_host_leg(kp_task *t, kp_host_leg_fn fn);
void kp_leg_on_kafka(void *ud, kp_err *e, const void *response);
void kp_leg_on_host(void *ud, kp_err *e, const kp_value *v);

/* An error code in an answer, with the listener as its place; message is the node's own or NULL. */
kp_err *kp_answer_err(kp_task *t, int listener, int code, const char *message);

/* Metadata without topics: who the brokers, the controller and the cluster are. */
extern const kp_metadata_request kp_no_topics;

/* Error codes that are answers (kafka.h has them all by name). */
enum {
    KP_UNKNOWN_TOPIC = 3,
    KP_LISTENER_NOT_FOUND = 72,
    KP_LEADER_NOT_AVAILABLE = 5,
    KP_NOT_LEADER_OR_FOLLOWER = 6,
    KP_NOT_ALLOWED_ON_CLUSTER = 31,
    KP_NOT_CONTROLLER = 41,
};

/* ---- the requests ---- */

/* Whose configuration a request is about, and who must be asked: a broker itself, anybody (NULL)
 * for topics and for the default of all brokers, whose name is "". */
typedef struct kp_config_target {
    int8_t type; /* KP_RESOURCE_... */
    const char *name;
    const kp_live_node *node;
} kp_config_target;
kp_err *kp_config_target_of(kp_task *t, const char *resource, const char *name,
                            kp_config_target *ret_to) KP_MUST_USE;

void kp_live_ask_view(kp_task *t);
void kp_live_ask_node(kp_task *t);
void kp_live_ask_quorum(kp_task *t);
void kp_live_ask_config(kp_task *t);
void kp_live_ask_log_dirs(kp_task *t);
void kp_live_ask_reassignments(kp_task *t);
void kp_live_ask_registered(kp_task *t);
void kp_live_ask_controllers(kp_task *t);
void kp_live_ask_groups(kp_task *t);
void kp_live_ask_lag(kp_task *t);
void kp_live_act_elect(kp_task *t);
void kp_live_act_config(kp_task *t);
void kp_live_act_unregister(kp_task *t);
void kp_live_ask_host(kp_task *t);
void kp_live_ask_file(kp_task *t);
void kp_live_ask_grants(kp_task *t);
void kp_live_ask_proof(kp_task *t);
void kp_live_ask_release(kp_task *t);
void kp_live_ask_clients(kp_task *t);
void kp_live_ask_job(kp_task *t);
void kp_live_act_fence(kp_task *t);
void kp_live_act_unfence(kp_task *t);
void kp_live_act_stop(kp_task *t);
void kp_live_act_start(kp_task *t);
void kp_live_act_link(kp_task *t);
void kp_live_act_file(kp_task *t);
void kp_live_act_job(kp_task *t);

/* Views take what was last read of the topics they name; a reading of all topics, ascending by
 * name, replaces it. */
void kp_topic_configs_put(kp_topic_configs *c, const kp_topic_config *v, size_t n);
const kp_topic_config *kp_topic_configs_get(const kp_topic_configs *c, const char *name,
                                            const uint8_t id[16]); /* NULL: not read */

#endif
