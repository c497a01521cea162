/* Verbs: what a playbook can say, one const struct each.
 *
 * A verb is what to remember, what to ask, and how to know.  Its struct stands beside its functions
 * and is listed once, in an array that a run is given (core/verbs).  Its arguments are decoded by
 * the engine (args.c) into the verb's own C struct.  The documentation, the editor stubs, the
 * argument help and the API baseline are made by walking the array.
 */
#ifndef KP_ENGINE_OP_H
#define KP_ENGINE_OP_H

#include "facts/facts.h"

/* What a playbook may be allowed to do; a closed list, granted by the playbook's `effects`. */
typedef enum kp_grant {
    KP_G_NONE = 0,
    KP_G_BROKER_RESTART = 1 << 0,
    KP_G_CONTROLLER_RESTART = 1 << 1,
    KP_G_RELEASE_STAGE = 1 << 2,
    KP_G_RELEASE_SWITCH = 1 << 3,
    KP_G_CONFIG_FILE = 1 << 4,
    KP_G_CONFIG_DYNAMIC = 1 << 5,
    KP_G_LEADER_ELECT = 1 << 6,
    KP_G_BROKER_UNREGISTER = 1 << 7,
} kp_grant;
const char *kp_grant_name(kp_grant one); /* "broker.restart"; NULL when not exactly one */
bool kp_grant_parse(const char *name, kp_grant *ret_one);
const char *const *kp_grant_names(void); /* ends with NULL */

typedef enum kp_op_class {
    KP_OP_READ, /* a question: `read` */
    KP_OP_WANT, /* wants a state; asking twice is harmless */
    KP_OP_ONCE, /* must act once; the host's claim or the cluster makes sure */
    KP_OP_WAIT, /* acts on nothing; `probe` says when it is so */
    KP_OP_FLOW, /* log, confirm, step ...: `read` runs it; it is journaled by itself when it must be
                 */
    KP_OP_SCRIPT, /* needs a function of the script (wait_until, play): carried out by the script
                     host */
} kp_op_class;

enum { KP_DISRUPTIVE = 1, KP_IRREVERSIBLE = 2 }; /* marks of one call */

typedef enum kp_verdict { KP_NOT_YET, KP_UNDER_WAY, KP_SO, KP_DID_FAIL, KP_UNKNOWN } kp_verdict;
const char *kp_verdict_name(kp_verdict v); /* "not yet", "under way", "so", "failed", "unknown" */

typedef struct kp_run kp_run;
typedef struct kp_step kp_step;

/* One argument.  Types and what they become in the verb's struct:
 *   int -> int64_t   bool -> bool   text, version -> const char *   duration -> kp_ms
 *   node, broker, controller -> int, or kp_maybe_id where it is optional (checked against the
 *   inventory)
 *   nodes, brokers, controllers -> kp_nodes (an id or a list of ids)
 *   any, list, map -> const kp_value * (NULL when nil)
 *   function -> nothing: the script host takes it; only of KP_OP_SCRIPT, and first
 * `otherwise` is the default as text; NULL: required; "nil": optional, zero or NULL. */
typedef struct kp_arg {
    const char *name, *type, *otherwise, *doc;
    size_t offset;
    const char *lua; /* its type as LuaCATS writes it, where `type` does not say it all; or NULL */
} kp_arg;
#define KP_ARG(type_, field, kind, otherwise_, doc_)                                               \
    KP_ARG_AS(type_, field, kind, NULL, otherwise_, doc_)
#define KP_ARG_AS(type_, field, kind, lua_, otherwise_, doc_)                                      \
    {                                                                                              \
        .name = #field, .type = kind, .otherwise = otherwise_, .doc = doc_,                        \
        .offset = offsetof(type_, field), .lua = lua_                                              \
    }

/* Of a verb: its arguments, and the struct that they are decoded into. */
#define KP_TAKES(rows, type_) .args = rows, .n_args = KP_COUNT(rows), .args_size = sizeof(type_)

/* One field of a table that a verb answers with; its type as LuaCATS writes it, "string?" where it
 * may be nil. */
typedef struct kp_answer_field {
    const char *name, *type, *doc;
} kp_answer_field;
#define KP_ANSWERS(rows) .fields = rows, .n_fields = KP_COUNT(rows)

/* One field of what a verb remembers before it acts: int64_t, const char * (NULL: absent) or
 * const kp_value * (NULL: absent).  It stands in the intent, by its name. */
typedef enum kp_keep_type { KP_KEEP_INT, KP_KEEP_TEXT, KP_KEEP_VALUE } kp_keep_type;
typedef struct kp_keep {
    const char *name;
    kp_keep_type type;
    size_t offset;
} kp_keep;
#define KP_KEEP(type_, field, kind)                                                                \
    {                                                                                              \
#field, kind, offsetof(type_, field)                                                       \
    }
#define KP_KEEPS(rows, type_) .keeps = rows, .n_keeps = KP_COUNT(rows), .pre_size = sizeof(type_)

typedef struct kp_nodes {
    const int *id; /* ascending, unique */
    size_t n;
    bool list; /* given as a list: the call answers by node */
} kp_nodes;

typedef struct kp_op {
    const char *name;
    int since; /* API level that brought it */
    int rev; /* raised when its meaning changes: an open intent of another revision is not attached
                to */
    kp_op_class cls;
    kp_grant grant;      /* what it needs; KP_G_NONE for questions */
    unsigned marks;      /* marks it always has; `marks_of` may add some by its arguments */
    const char *doc;     /* first line: what it does or answers; more lines: details */
    const char *result;  /* type of what it answers, as LuaCATS writes it: "integer?",
                            "kplay.broker", "kplay.partition[]"; given a list, a verb that fans out
                            answers by node, the id as text */
    const kp_answer_field
        *fields; /* of the class that `result` names; several verbs may share it */
    size_t n_fields;
    const char *example; /* one line of Lua */
    const char *doing;   /* of a node: "stopping"; NULL: its name */
    bool starts;         /* a node, or chooses what it starts with: the rows before a start */
    kp_ms p50, p95;      /* how long it takes, until this run has seen better; 0: not timed */
    kp_ms landing;       /* how long a request may take to show its first effect */
    kp_ms stall;         /* under way without progress for this long: failed */
    bool pauses;         /* KP_OP_FLOW: lets time pass; not in check and verify */
    bool unrecorded;     /* KP_OP_FLOW: changes only how the run is told; no record, no number */
    const char *fan_out; /* name of the kp_nodes argument it fans out over; NULL: none */
    const kp_arg *args;
    size_t n_args;
    size_t args_size; /* of its struct */
    const kp_keep *keeps;
    size_t n_keeps;
    size_t pre_size; /* of the struct of what it remembers */

    /* Any of these may be NULL. */
    kp_grant (*grant_of)(const kp_inventory *inv, const void *args); /* it depends on them */
    unsigned (*marks_of)(kp_seen *o, kp_arena *a, const void *args);
    const char *(*version_of)(const void *args); /* the release it brings in, for the guard */
    kp_err *(*refuse)(const void *args);         /* wrong in itself, whatever the cluster */
    kp_err *(*read)(kp_step *s, const void *args, const kp_value **ret_v);
    kp_err *(*before)(kp_step *s, const void *args, void *pre); /* fills its struct, all zero */
    kp_err *(*ask)(kp_step *s, const void *args);
    kp_verdict (*probe)(kp_step *s, const void *args);
    void (*after)(
        kp_step *s,
        const void *args); /* done, now or as replayed: keep what later verbs need; may be NULL */
} kp_op;

const kp_op *kp_op_named(const kp_op *const *verbs, const char *name); /* NULL: there is none */

/* What was asked for and how it was answered (sent.c).  The answer never says that it is so; a no
 * is heard. */
typedef struct kp_sent {
    uint64_t ticket; /* 0: nothing was sent */
    kp_err *no;      /* NULL: not answered yet, or handed over.  Owned here */
    struct kp_sent *next;
} kp_sent;

/* One action on one node (or on the cluster) while it is being done.  Verbs read it and set
 * the fields of the last group; memory is the step arena `a`, which ends with the call. */
struct kp_step {
    kp_run *r;
    const kp_op *op;
    kp_seen *seen;        /* the cluster: its world and inventory, what is known of its nodes */
    kp_arena *a;          /* of the call; what is to last: seen->a */
    kp_ms gone_since;     /* for the verb's own use: when its process was first seen to be gone */
    kp_life life;         /* too */
    kp_maybe_id followed; /* too: the broker that is followed has seen this node back */
    const char *path;     /* call path, "broker 2.1" or of a child "all.1/3" */
    const char *op_id;    /* "7f3a0c41be95.broker-2.1~1" */
    kp_maybe_id node;     /* the child's node; nobody: it acts on the cluster */
    const void *args;
    const kp_value *canonical;
    const kp_value *host; /* its host, as `before` has just seen it; NULL: not in this process */
    const void *pre;      /* what `before` remembered, now or as the intent has it; NULL: nothing */
    bool intended;        /* its intent is on disk, of this session or an earlier one */
    bool asked;           /* by this process */
    kp_ms asked_at; /* world monotonic time; for an older process' intent, when its landing time
                       began */
    kp_sent sent;   /* by `ask` */

    /* set by probe */
    const kp_value *result; /* of the verb, when so */
    const kp_value *saw;    /* what it looked at: goes to the doubt record */
    const char *why;        /* failed, unknown: one line */
    const char *next;       /* failed, unknown: what to do */
    const char *say;        /* under way: for the live line */
    bool blind;             /* under way: nobody there to look at; a stall of it decides nothing */
    int64_t progress;       /* the greater, the nearer to what is waited for: only a new greatest
                               one counts; 0: not known; -n for "n left" */
    int64_t left;           /* a wait: what is left of it, for who looks on; 0: not known */
    const char *detail;     /* failed: evidence, lines ended by \n */
};

/* ---- what a verb does to the run it is called in ---- */

/* sent.c: sends an action of this step (its op id, the run's epoch and name are filled in).  That
 * it was done is not believed, so its answer is not waited for; a no that comes ends the step. */
void kp_send_only(kp_step *s, const kp_request *q);
/* fencing.c: `state` is KP_Q_HOST's answer.  KP_REFUSED, and the run is over, when another run has
 * taken the host since. */
kp_err *kp_fence_holds(kp_run *r, const kp_value *state) KP_MUST_USE;
/* guarding.c: the guard's findings ahead, as playbooks see them.  nodes NULL: all of the
 * inventory. */
kp_err *kp_guard_list(kp_run *r, kp_arena *a, const kp_nodes *nodes, const char *version,
                      const kp_value *rows, const kp_value **ret_list) KP_MUST_USE;
/* baseline.c: keeps what a question has found under a name, in the run's journal, and gives the
 * newest of that name back, for as long as the run lasts; KP_PLAYBOOK when there is none.
 * file: a person's, or NULL; it is written as well, but for a rehearsal's, or read when the run has
 * not read it yet.  KP_PLAYBOOK: a person did not name it.  KP_CONFIG: it cannot be read or
 * written, or is not what it must be (baseline_file.c).  KP_PAUSED: no room. */
kp_err *kp_baseline_keep(kp_step *s, const char *name, const char *file,
                         const kp_value *v) KP_MUST_USE;
kp_err *kp_baseline_get(kp_step *s, const char *name, const char *file,
                        const kp_value **ret_v) KP_MUST_USE;
/* report.c: the run's report lists each stop, and how long nothing was done before it. */
void kp_count_stop(kp_step *s);
void kp_count_confirmed(kp_step *s); /* the nodes that were taken are in sync again */

/* flow.c: the engine's own verbs, for the array. */
extern const kp_op kp_op_step, kp_op_log, kp_op_warn, kp_op_fail, kp_op_confirm, kp_op_sleep,
    kp_op_now, kp_op_on_failure, kp_op_baseline_save, kp_op_baseline_load, kp_op_wait_until,
    kp_op_play, kp_op_skip;

/* args.c: decodes the call's arguments into a fresh struct of op->args_size in `a`, and gives them
 * back in canonical form (a map by name, defaults left out) for the journal.  `given`: list of
 * positional values; a last map gives arguments by name. */
kp_err *kp_args_decode(kp_run *r, kp_arena *a, const kp_op *op, const kp_value *given,
                       void **ret_args, const kp_value **ret_canonical) KP_MUST_USE;

#endif
