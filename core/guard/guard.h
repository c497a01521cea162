/* guard: the rows, what each demands, and its judge.
 *
 * A row is one demand.  Its judge looks at facts and adds a finding for each thing that is not as
 * the row demands; it asks nothing but by the facts it names.  Everything that judges walks this
 * one table: the engine before an action, `findings()` for playbooks' checks and preflight,
 * kplay cluster check.  What is done about a finding (refused, waited for, overridden) is not
 * decided here.
 */
#ifndef KP_GUARD_H
#define KP_GUARD_H

#include "facts/facts.h"

/* When a row is judged; bits.  Rows of the first two are judged ahead of a run as well, those of
 * the third only with KP_AHEAD.  KP_AHEAD alone: ahead of a run, and not again before an action,
 * which it would slow down and not make safer. */
typedef enum kp_guard_when {
    KP_BEFORE_DISRUPTIVE = 1,
    KP_BEFORE_START = 2,
    KP_BEFORE_IRREVERSIBLE = 4,
    KP_AHEAD = 8,
} kp_guard_when;
typedef struct kp_guard_case { /* who is touched, and how */
    const int *nodes;
    size_t n;
    const kp_value *const *state; /* per node: KP_Q_HOST's answer, just read; NULL: it is asked.
                                     NULL: all of them are */
    const int *gone; /* other nodes of the same call: it has stopped them, or is doing so */
    size_t n_gone;
    const char *version; /* switch: the release; NULL */
} kp_guard_case;

typedef struct kp_guard_row kp_guard_row;

typedef struct kp_finding {
    const char *row;    /* guard name */
    kp_maybe_id node;   /* whom it is about; nobody: the cluster */
    bool hard;          /* no override */
    bool warns;         /* to be known, and no reason to refuse */
    bool heals;         /* its cause can go away by itself: an ISR being rejoined */
    int64_t measure;    /* gets smaller while it heals */
    const char *text;   /* one line */
    const char *detail; /* lines ended by \n, or "" */
    const char *next;
} kp_finding;
typedef struct kp_findings {
    kp_arena *a;
    kp_finding *f;
    size_t n, cap;
    const kp_guard_row *row; /* being judged; NULL: findings come with theirs */
} kp_findings;
void kp_find_add(kp_findings *fs, kp_finding f);

/* Every row before `when`, on fresh facts; gives them back. */
kp_facts *kp_guard_judge(kp_seen *o, kp_guard_when when, const kp_guard_case *c,
                         kp_findings *fs);
/* Every row that can refuse a stop, a switch, a start or the way back of these nodes, each node
 * alone, before the first of them is touched; and the rows that are looked at ahead alone.  A host
 * that cannot be asked is the error.
 * version NULL: they are only restarted.  rows: a list of names; NULL: all of them. */
kp_err *kp_guard_ahead(kp_seen *o, kp_arena *a, const int *nodes, size_t n, const char *version,
                       const kp_value *rows, kp_findings *fs) KP_MUST_USE;
const kp_guard_row *kp_guard_row_named(const char *name); /* NULL: there is none */

typedef void (*kp_judge)(kp_facts *f, const kp_guard_case *c, kp_findings *fs);

struct kp_guard_row {
    const char *name;
    unsigned when;  /* KP_BEFORE_*, KP_AHEAD */
    bool node;      /* about the nodes of the case; else about the cluster, whoever is touched */
    bool hard;      /* takes no override */
    unsigned needs; /* KP_F_* its judge always looks at */
    kp_judge judge;
    const char *doc;
};
extern const kp_guard_row kp_guard_rows[]; /* ends with a NULL name */

/* ---- stop.c ---- */
void kp_judge_identity(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_listener(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_cluster_id(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_release(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_log_dirs(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_node_down(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_reassignment(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_one_controller(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_quorum(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_voters(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_unlisted(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
/* A host that gave no answer: nothing of it is known, and it is said to be that. */
bool kp_judge_silent_host(kp_facts *f, const kp_node_facts *node, kp_findings *fs);
/* Whether the process on a node's host is that node, by what its host says of it. */
void kp_judge_process(kp_facts *f, const kp_node_facts *node, kp_findings *fs);

/* ---- view.c ---- */
void kp_judge_fresh_view(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_offline(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_min_isr(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_unclean(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
/* What the stop takes from partitions that policy.accept names, in one line; NULL: nothing. */
const char *kp_accepted_loss(kp_facts *f, const kp_guard_case *c);
void kp_judge_leaderless(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_under_replicated(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_topic_error(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_leader_listener(kp_facts *f, const kp_guard_case *c, kp_findings *fs);

/* ---- release.c ---- */
void kp_judge_config_place(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_config(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_java(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_proof(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_config_keys(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_way_back(kp_facts *f, const kp_guard_case *c, kp_findings *fs);

/* ---- start.c ---- */
void kp_judge_staged(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_features(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_ibp_known(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_needs_kraft(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_pinned(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_unchanged(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_ghosts(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_all_upgraded(kp_facts *f, const kp_guard_case *c, kp_findings *fs);

/* ---- host.c ---- */
void kp_judge_plugins(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_jvm_flags(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_log4j(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_stop_limit(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_config_agent(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_drift(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_jwks(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_min_isr_unlike(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
/* ---- cluster.c ---- */
void kp_judge_log_dir_error(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_free_space(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_throttle(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_internal_topics(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_topic_overrides(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_small_quorum(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_tiered_storage(kp_facts *f, const kp_guard_case *c, kp_findings *fs);
void kp_judge_cruise_control(kp_facts *f, const kp_guard_case *c, kp_findings *fs);

static inline bool kp_among(const int *ids, size_t n, int id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}
static inline const char *kp_plural(size_t n)
{
    return n == 1 ? "" : "s";
}

#endif
