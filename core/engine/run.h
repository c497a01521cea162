/* The inside of a run, for the engine's own files.  Others include engine.h. */
#ifndef KP_ENGINE_RUN_H
#define KP_ENGINE_RUN_H

#include "engine/engine.h"
#include "guard/guard.h"

#define KP_SCOPES 8 /* nested play() */

/* One call as the journal has it: the records of one path, children of a fan-out included. */
typedef struct kp_child_record {
    const char *path;
    int attempt;
    const kp_record *intent; /* NULL for a call that needs none */
    const kp_record *done;   /* NULL: in doubt */
    bool retry;              /* it failed and ended a session: it is tried again */
} kp_child_record;

typedef struct kp_call_record {
    const char *path, *fn;
    const kp_value *args;
    const kp_record *first; /* read, ask, intent, wait or note */
    const kp_record *done;  /* of a wait; a read, ask or note is its own */
    kp_child_record *child;
    uint32_t n_children, cap_children;
    bool reopened; /* a wait that failed and ended the last session: it begins again */
} kp_call_record;

typedef struct kp_scope {
    kp_part part;       /* of this playbook, which runs now */
    const char *prefix; /* "" or "preflight:" */
    const char *step;   /* name of the open step, with #2 when repeated; "" before the first */
    int calls;          /* in the open step */
    bool holds;         /* the open step holds: once it has acted, Ctrl-C waits for its end */
    bool hold;          /* it has acted */
    const char **name;  /* step names used so far, in order */
    uint32_t n_names, cap_names;
    unsigned granted;
} kp_scope;

#define KP_ETA_VERBS 16
#define KP_ETA_SAMPLES 64
typedef struct kp_eta {
    const kp_op *op; /* NULL: and none behind it */
    kp_ms ms[KP_ETA_SAMPLES];
    int n;
    int forget; /* which one makes room next */
} kp_eta;

/* What the journal of earlier sessions answers; see replay.c. */
typedef struct kp_replay {
    kp_call_record *calls;
    int64_t n, at;             /* of calls; the next one to be asked for again */
    const kp_call_record *now; /* the record behind the present call; NULL: live */
    int64_t answered;
    bool shadow;   /* without a world: ends where the journal ends */
    bool ended;    /* and has ended there */
    bool diverged; /* the playbook did not ask what it asked before */
} kp_replay;

/* One evaluation of wait_until's function. */
typedef struct kp_evaluation {
    bool on;
    kp_builder reads;       /* what it was told */
    const kp_value *stored; /* on replay: what the satisfying one was told, and the next of them */
    size_t at;
} kp_evaluation;

typedef struct kp_signals {
    int seen, told;        /* of those that came: not this run's; told what they do */
    const char *under_way; /* actions that were asked for and have not settled; NULL: none */
    char waits_for[160];   /* the newest progress, "" after it: told to who interrupts */
} kp_signals;

typedef struct kp_people {
    const char *word;         /* path and digest of the newest yes of this session; NULL: none */
    const kp_value *question; /* arguments of what the run pauses for a person's answer to */
    const kp_value *ask;      /* that question, for its pause record; see people.c */
} kp_people;

typedef struct kp_tally { /* for the report */
    kp_builder stops, assumed, irreversible, warnings, overridden, accepted;
    int stops_before; /* in earlier sessions of the run */
    kp_ms began;
    kp_ms confirmed_at; /* monotonic: the last node was confirmed in sync; -1: none since the last
                           stop */
    int64_t confirmed_requests, confirmed_polls;
} kp_tally;

typedef struct kp_fenced {
    int64_t epoch; /* of this session; 0 before the first effect */
    bool raised;   /* on every host, by this process */
} kp_fenced;

struct kp_run {
    const kp_run_spec *spec;
    kp_arena *a;    /* the run */
    kp_arena *call; /* one call; reset when the next begins */
    kp_arena *eval; /* one evaluation of a predicate */
    kp_world *w;    /* the spec's, as `inv` */
    const kp_inventory *inv;
    kp_seen *seen; /* the cluster, as this run knows it */
    kp_journal *j;
    int lock_fd;             /* of the cluster's lock; 0: none */
    const char *id, *suffix; /* "1122-7f3a", "7f3a" */
    uint64_t seed;
    uint32_t n_parts; /* of the cluster, when the session began */

    bool stored; /* files are taken as the journal kept them; those that it has not, as they are */
    bool keeps;  /* what is loaded from now on goes into the journal */
    kp_script *script;
    const kp_header *header;
    kp_scope scope[KP_SCOPES];
    int depth;
    unsigned used; /* effects used so far */
    int64_t n_called;
    char last_path[512]; /* of the newest call, for the error record; "": none */
    kp_evaluation predicate;
    const kp_value *saved; /* baseline_save */
    const kp_value *kept;  /* baselines of this session, by name (baseline.c) */
    const kp_value *paths; /* files that a person has named; list of text */

    kp_replay replay;
    kp_people people;
    kp_signals signals;
    kp_fenced fence;
    kp_sent *sent; /* whose answers are listened for */
    kp_eta eta[KP_ETA_VERBS];
    kp_tally tally;

    int acted;    /* actions that this run (in any session) asked for and that nobody refused */
    kp_err *over; /* set: the run ends with it; nothing may be caught */
    bool closing; /* over by fail{}: the run is closed for good */
};

/* ---- run.c ---- */
kp_run *kp_run_new(kp_arena *a, const kp_run_spec *spec);
void kp_run_done(kp_run *r);
/* The run that wrote it, from now on the journal's owner; its cluster is as it was then. */
void kp_run_of_journal(kp_run *r, kp_journal *j);
kp_err *kp_run_load(kp_run *r) KP_MUST_USE; /* the playbook of its spec, by kp_run_find */
kp_err *kp_run_part(kp_run *r, kp_part p, const kp_value *args) KP_MUST_USE; /* if it has one */

/* ---- kept.c ---- */
void kp_kept_began(kp_run *r); /* it has a journal now */
void kp_kept_put(kp_run *r);   /* the journal goes where its spec says, or is freed */
/* The i-th of the unfinished ones was closed. */
void kp_kept_drop(kp_kept *kept, size_t i);

/* ---- meeting.c ---- */
kp_err *kp_meet(kp_run *r) KP_MUST_USE; /* fills in `seen` */
/* The same for a resumed run: KP_REFUSED when it is not what the run began on. */
kp_err *kp_meet_again(kp_run *r) KP_MUST_USE;
/* The state a run began with is what "no worse than before" is measured by, in all its sessions:
 * taken once, before anything was done. */
kp_err *kp_meet_baseline(kp_run *r) KP_MUST_USE;

/* ---- sources.c ---- */
/* The playbook or a module that the run has loaded was edited or deleted since: KP_REFUSED, with
 * the first difference, unless the edit was accepted. */
kp_err *kp_sources_changed(kp_run *r, bool *ret_changed) KP_MUST_USE;
kp_err *
kp_sources_keep(kp_run *r) KP_MUST_USE; /* what is loaded: the run goes by that from now on */

/* ---- playargs.c ---- */
/* The arguments with every path made whole: one of the command line from the working directory, one
 * of the cluster file from where that lies; ~/ is the home directory. */
const kp_value *kp_paths_whole(kp_arena *a, const kp_header *h, const kp_inventory *inv,
                               const kp_value *args, const kp_value *origin);
void kp_paths_allow(kp_run *r, const kp_value *args); /* fills in `paths` */
char *kp_working_directory(kp_arena *a);              /* NULL: not to be had */

/* ---- baseline_file.c ---- */
/* sha: of the file's bytes. */
kp_err *kp_baseline_file_read(const kp_step *s, const char *path, const kp_value **ret_v,
                              const char **ret_sha) KP_MUST_USE;
kp_err *kp_baseline_file_write(const kp_step *s, const char *path, const kp_value *v,
                               const char **ret_sha) KP_MUST_USE;

/* ---- record.c ---- */
void kp_tell(kp_run *r, kp_event e); /* fills in time, path and step */
kp_err *kp_record_add(kp_run *r, kp_kind kind, const kp_value *body) KP_MUST_USE;
/* Makes e the error that ends the run; returns a copy to raise. */
kp_err *kp_run_end(kp_run *r, kp_err *e);
bool kp_err_ends_run(const kp_err *e); /* not for playbooks to catch */

/* ---- report.c ---- */
const kp_value *kp_effects_value(kp_arena *a, unsigned effects); /* their names */
const char *kp_state_of(const kp_err *e); /* "done", "paused", "refused", "failed" */
/* e: what it ends with, NULL when it is done; closed: for good. */
const kp_value *kp_run_report(kp_run *r, const kp_err *e, bool closed);

/* ---- fencing.c ---- */
/* The hosts are this run's, or KP_REFUSED: once per session, after the guard has judged and before
 * the first effect.  What was seen before it raised the fence is to be looked at again. */
kp_err *kp_fence(kp_run *r) KP_MUST_USE;
/* The run, or one that this run has closed, has ended: its hosts are nobody's.  What cannot be
 * given back is told. */
void kp_fence_give_back(kp_run *r);
void kp_fence_give_back_of(kp_run *r, const kp_journal *closed);

/* ---- sent.c: actions, and the one pause ---- */
/* A no that comes is in its step's `sent` until this; what comes later is dropped. */
void kp_sent_forget(kp_run *r);
/* Waits `d`.  KP_PAUSED or KP_DETACHED when a signal says that it must not go on. */
kp_err *kp_pause(kp_run *r, kp_ms d) KP_MUST_USE;

/* ---- signals.c: what a person who interrupts still lets the run finish ---- */
typedef enum kp_urge { KP_GO_ON, KP_FINISH_NODE, KP_FINISH_ACTION, KP_LEAVE } kp_urge;
kp_urge kp_urged(const kp_run *r);
kp_err *kp_check_interrupt(kp_run *r) KP_MUST_USE; /* between actions: KP_PAUSED, or go on */
kp_err *kp_obey_signals(kp_run *r) KP_MUST_USE;    /* while time passes; says what it finishes */
void kp_hold_acted(kp_run *r);                     /* an action is intended, or was: hold now */
const kp_value *kp_left_down(kp_run *r); /* names of nodes it stopped and has not started */

/* ---- guarding.c: the guard stands before every action ---- */
typedef struct kp_about { /* what is about to happen */
    const char *doing;    /* "stopping broker 3" */
    bool beforehand;      /* nothing is done yet: it will be judged again before it is */
    kp_guard_case c;
} kp_about;
/* *ret_waited becomes true when it had to wait until it was so: what was seen is old then. */
kp_err *kp_guard(kp_run *r, kp_guard_when when, const kp_about *what, bool *ret_waited) KP_MUST_USE;
/* Once per session, before the first action: no host runs another node than the inventory says.
 * `state`: KP_Q_HOST's answers, one per node of the inventory. */
kp_err *kp_guard_hosts(kp_run *r, const kp_reply *state) KP_MUST_USE;

/* ---- names of records ---- */
/* What stands in a record's "i".  A call's name is its path, and no playbook can make one that
 * begins with '@' (kp_op_step refuses such a step): what does is the engine's own, in these spaces.
 * An op id is another thing again (step.c): it is made of a path and names a claim on a host. */
#define KP_OWN_MARK '@'
#define KP_OF_CHECK "@check:"   /* a call of check; the path follows */
#define KP_OF_VERIFY "@verify:" /* of verify */
#define KP_ASK_OF_START "@start"
#define KP_ASK_OF_WORD "@word:"   /* before what cannot be taken back; the path follows */
#define KP_ASK_OF_FAILURE "@ask:" /* what to do with a node that failed; the path follows */
#define KP_NOTE_BASELINE "@baseline" /* what was under-replicated when the run began */
#define KP_NOTE_KEPT "@kept"         /* of a question (baseline.c) */
#define KP_NOTE_CHECKED "@check"
#define KP_NOTE_TAKEN "@taken"
#define KP_NOTE_TAKE_OVER "@take-over"

/* ---- replay.c ---- */
/* r->calls from the opened journal: of KP_PART_RUN in all sessions, of another part as it was
 * last asked. */
void kp_replay_index(kp_run *r, kp_part part);
int kp_replay_acted(const kp_journal *j); /* see kp_run.acted */
const char *kp_part_prefix(kp_part part); /* of its calls' paths: "", "@check:", "@verify:" */
/* The record of this call, NULL when it is new; KP_REFUSED when the playbook asks something else
 * than it did. */
kp_err *kp_replay_take(kp_run *r, const char *path, const kp_op *op, const kp_value *canonical,
                       const char *at, const kp_call_record **ret_call) KP_MUST_USE;
bool kp_replay_over(const kp_run *r);
bool kp_replay_settled(const kp_call_record *c); /* nothing in doubt, waited for or tried again */

/* ---- people.c ---- */
typedef struct kp_asking {
    kp_asked kind;
    const char *text, *details; /* details: shown with it, lines ended by \n; NULL: none */
    const char *path, *fn;      /* of its record; see people.c */
    const kp_value *args;       /* NULL: none */
} kp_asking;
/* Puts it to a person, unless a word given before is for it, and journals the answer.  *ret_yes is
 * false only for KP_ASK_FAILURE: with the others a no, or nobody there, is an error that ends the
 * run. */
kp_err *kp_people_ask(kp_run *r, const kp_asking *asking, bool *ret_yes) KP_MUST_USE;
/* Is that record, of this call, a yes to this question that still holds? */
bool kp_people_said_yes(kp_run *r, const kp_record *rec, const kp_asking *asking);
/* The journal of a run that is not finished and that no process has; KP_REFUSED otherwise. */
kp_err *kp_paused_run(kp_arena *a, const char *runs, const char *run,
                      kp_journal **ret_j) KP_MUST_USE;

/* ---- shadow.c ---- */
/* Replays the run part of r's journal by the playbook as its spec finds it, as a run of its own
 * without a world, to the end of the journaled calls; KP_REFUSED when the playbook does not ask
 * what the journal has. */
kp_err *kp_shadow_replay(kp_run *r, const kp_value *args) KP_MUST_USE;
kp_err *kp_shadow_end(kp_run *r); /* raised by the call behind which the journal has nothing */

/* ---- step.c ---- */
/* Whether `progress` is nearer than it was ever before; 0 never is. */
bool kp_nearer(int64_t progress, int64_t *best);
kp_err *kp_step_run(kp_run *r, const kp_op *op, void *args, const kp_value *canonical,
                    const char *path, const kp_call_record *old,
                    const kp_value **ret_v) KP_MUST_USE;

/* ---- pre.c ---- */
const kp_value *kp_pre_value(kp_arena *a, const kp_op *op, const void *pre);
void *kp_pre_of(kp_arena *a, const kp_op *op,
                const kp_value *v); /* NULL: v is, or it keeps nothing */

/* ---- eta.c: how long things take; a rule of thumb at first, then what this run has seen ---- */
/* {p50, p95} in ms, NULL when nothing is known */
const kp_value *kp_eta_of(kp_run *r, const kp_op *op);
void kp_eta_learn(kp_run *r, const kp_op *op, kp_ms took);

/* ---- wait.c ---- */
typedef struct kp_until_args {
    kp_ms stall, limit, every;
} kp_until_args;
kp_err *kp_wait_verb(kp_run *r, const kp_op *op, void *args, const kp_value *canonical,
                     const char *path, const kp_call_record *old,
                     const kp_value **ret_v) KP_MUST_USE;

kp_err *kp_wait_sleep(kp_step *s, kp_ms d) KP_MUST_USE;

/* ---- call.c ---- */
char *kp_path_next(kp_run *r); /* the next call's path, counted */
/* The name of the part that may only ask, this playbook's or one's that plays it; NULL: none. */
const char *kp_only_asks(const kp_run *r);

#endif
