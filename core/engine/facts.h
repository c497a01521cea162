/* Facts: what the cluster and its nodes are, as a round of judging sees them.
 *
 * One record per node, one source per field, each asked for at most once a round: rows name what
 * they need, and what several rows need is asked in one round of questions.  A fact that could not
 * be had says why; what is not known is for the row to judge (unknown is unhealthy).
 *
 * Memory is the arena the round was begun with; answers stay as they were when they came.
 */
#ifndef KP_ENGINE_FACTS_H
#define KP_ENGINE_FACTS_H

#include "cluster/risk.h"
#include "engine/engine.h"

enum { /* what a round can ask */
    KP_F_VIEW = 1 << 0,     /* the fresh view, with topic settings */
    KP_F_SAID = 1 << 1,     /* KP_Q_NODE of the nodes in scope and of the other brokers */
    KP_F_HOST = 1 << 2,     /* KP_Q_HOST of the nodes in scope */
    KP_F_FILE = 1 << 3,     /* KP_Q_FILE of the nodes in scope */
    KP_F_MOVES = 1 << 4,    /* running reassignments */
    KP_F_QUORUM = 1 << 5,   /* the controller quorum, where there is one */
    KP_F_IBP = 1 << 6,      /* the effective protocol version of every broker */
    KP_F_FEATURES = 1 << 7, /* KP_Q_NODE of any node: the finalised levels */
    KP_F_EVERYBODY = 1 << 9, /* KP_Q_NODE of every node */
    KP_F_PROOF = 1 << 8,    /* KP_Q_PROOF of the nodes in scope, when a release is named */
};

/* asked and v NULL: not known, `why` says why in one line. */
typedef struct kp_fact {
    bool asked;
    const kp_value *v;
    const char *why;
} kp_fact;

typedef struct kp_node_facts {
    const kp_node *node;
    bool in_scope; /* its host and file are looked at in this round */
    kp_fact said, host, file, proof, ibp;
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
    kp_run *r;
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
    kp_fact moves, quorum, features;
    const kp_value *unreached; /* why the first host that was asked gave no answer; NULL: all did */
} kp_facts;

/* Begins a round about these nodes; nothing is asked yet. */
kp_facts *kp_facts_begin(kp_run *r, kp_arena *a, const int *scope, size_t n, const char *version);
/* What is already known of a node's host: the answer of a moment ago; NULL: it is to be asked. */
void kp_facts_host(kp_facts *f, int node, const kp_value *state);
/* Asks what of it was not asked yet, in one round trip beside the view's. */
void kp_facts_need(kp_facts *f, unsigned what);
kp_node_facts *kp_facts_of(kp_facts *f, int node); /* NULL: not in the inventory */
kp_who kp_facts_who(const kp_facts *f, const kp_node_facts *one);
/* Mode is a node's: while a cluster migrates there are a quorum and brokers in ZooKeeper mode. */
bool kp_facts_has_quorum(const kp_facts *f);

#endif
