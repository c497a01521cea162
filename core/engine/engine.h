/* engine: a run.
 *
 * It loads a playbook through the script host, gives it the verbs, journals every question and
 * action around the world's requests, guards what would make data unavailable, and can go on after
 * any crash: recovery is the normal path.  The step loop (step.c) is the same for a first run and a
 * resumed one.
 *
 * One run per process at a time, one thread.
 */
#ifndef KP_ENGINE_H
#define KP_ENGINE_H

#include "engine/op.h"
#include "journal/journal.h"

/* ---- the script host: the one project symbol core leaves undefined; luaapi/ defines it ---- */

#define KP_API 1                     /* newest API level a playbook may ask for */
#define KP_SCRIPT_LIMIT (64u * 1024) /* bytes of one playbook or module */

typedef enum kp_part { KP_PART_CHECK, KP_PART_RUN, KP_PART_VERIFY } kp_part;

/* The types of a playbook's arguments (playargs.c); ends with a NULL name. */
typedef struct kp_arg_type {
    const char *name, *takes, *in_lua, *example;
    /* The value `v`, or its text `s`, as this type; NULL: it is none.  ids: NULL here. */
    const kp_value *(*as)(kp_arena *a, const kp_value *v, const char *s);
} kp_arg_type;
extern const kp_arg_type kp_arg_types[];
const kp_arg_type *kp_arg_type_named(const char *name); /* NULL: there is none */

/* An argument a playbook declares: args = { to = { "version", default=, doc= } }. */
typedef struct kp_script_arg {
    const char *name, *type, *doc;
    const kp_value *otherwise; /* NULL: nil unless given */
    bool required;             /* required = true in the declaration */
} kp_script_arg;

typedef struct kp_header {
    const char *name; /* as loaded: "rolling.lua" */
    int api;
    const char *summary;
    const char *comment; /* the file's first comment, without the dashes */
    unsigned effects;    /* kp_grant bits */
    size_t n_args;
    const kp_script_arg *args; /* in the order of their names */
    bool has[3];               /* by kp_part */
} kp_header;

typedef enum kp_find { KP_FIND_PLAYBOOK, KP_FIND_STDLIB, KP_FIND_TEAM } kp_find;
/* The text of a file: name "gate", "night" (of team.night), "rolling.lua"; NULL text when there is
 * none.  ret_path is how messages name it, or the module's place when there is none. */
typedef kp_err *(*kp_find_fn)(void *ud, kp_arena *a, kp_find what, const char *name,
                              const char **ret_path, const char **ret_text, size_t *ret_n);

/* What specs (kplay test) may do with simulated clusters; the command line provides it, as it alone
 * names a world. */
typedef struct kp_spec_host {
    /* A simulated cluster by description (sim.h). */
    kp_err *(*simulate)(void *ud, kp_arena *a, const kp_value *spec, void **ret_sim);
    /* Runs a playbook on it, as `kplay run` does, or goes on with its newest unfinished run, as
     * `kplay resume` does: request = {playbook, args} or {resume = true}, and what
     * `kplay.run_options` of spec_keys has -> what `kplay.result` has. */
    kp_err *(*run)(void *ud, kp_arena *a, void *sim, const kp_value *request,
                   const kp_value **ret_v);
    /* Plans a fault (sim.h), or asks for a node's counts: what = "fault" | "counts" | "acts" |
     * "oracle". */
    kp_err *(*ask)(void *ud, kp_arena *a, void *sim, const char *what, const kp_value *v,
                   const kp_value **ret_v);
    void (*close)(void *ud, void *sim);
    kp_find_fn find;
    void *find_ud;
    void *ud;
} kp_spec_host;

typedef struct kp_script kp_script;
typedef struct kp_script_host {
    /* Compiles the playbook and everything it requires, checks the header.  KP_PLAYBOOK errors
     * carry file:line:col and, in detail, the line with a caret.  Nothing of the playbook but its
     * top level has run, with no verb to call. */
    kp_err *(*load)(kp_arena *a, const char *name, const kp_op *const *verbs, kp_find_fn find,
                    void *ud, kp_script **ret_s);
    const kp_header *(*header)(kp_script *s);
    /* Every file that was loaded, for the journal; grows with play(). */
    size_t (*sources)(kp_script *s, const kp_source **ret_sources);
    /* Runs one part with the run's verbs.  `args` is the map of argument values. */
    kp_err *(*call)(kp_script *s, kp_run *r, kp_part part, const kp_value *args);
    void (*free)(kp_script *s);
    /* What a playbook's table may have, in levels as kp_sim_keys tells a description's. */
    const kp_value *(*keys)(kp_arena *a);
    /* Runs busted over argv (its own arguments: files, directories, options); the exit code.  Specs
     * run in a Lua state of their own, with busted's libraries, which no playbook ever sees. */
    int (*specs)(const kp_spec_host *host, int argc, char **argv);
    /* What specs can say, from the table that makes it: a list of
     *   {name = "sim:run", params = [{name, type, optional, doc}], returns, doc, example}, and of
     *   {class = "kplay.result", fields = [{name, type, doc}]}; types as LuaCATS writes them. */
    const kp_value *(*spec_keys)(kp_arena *a);
    const char *release; /* "Lua 5.4.4" */
    int rev;             /* of sorting, matching, formatting, random */
} kp_script_host;
extern const kp_script_host kp_script_host_table;

/* ---- what a run tells, and asks ---- */

typedef enum kp_event_kind {
    KP_E_OPENED,   /* value: the summary (see run.c); before anything acts */
    KP_E_RESUMED,  /* value: {records, replayed...} */
    KP_E_STEP,     /* text: the step's name; value: {at, of} when it is one of several like it */
    KP_E_BEGIN,    /* an action or wait began: verb, node */
    KP_E_PROGRESS, /* text: what is waited for, since when; value: {done, of, ...}; for the live
                      line only */
    KP_E_DONE,     /* verb, node, took; value: its result */
    KP_E_NOTE,     /* text: from log() or the engine */
    KP_E_WARN,     /* text */
    KP_E_DOUBT,    /* text: how an open intent was settled; value: {id, saw, so} */
    KP_E_HELD,     /* text: the guard waits; value: its reasons */
    KP_E_CLOSED,   /* value: the run's report (see run.c); err: why it did not end well */
    KP_E_PHASE,    /* text: "checking"; for the live line only */
} kp_event_kind;
const char *kp_event_name(kp_event_kind k); /* "opened", "held", ... */

typedef struct kp_event {
    kp_event_kind kind;
    kp_ms t; /* world time */
    const char *path, *step, *verb, *text;
    kp_maybe_id node;
    kp_ms took;
    const kp_value *value;
    const kp_err *err;
    bool replayed; /* told again while a resumed run catches up */
} kp_event;

typedef enum kp_asked {
    KP_ASK_START,        /* may the run begin? */
    KP_ASK_CONFIRM,      /* a playbook's confirm */
    KP_ASK_FAILURE,      /* a node failed: put it back? */
    KP_ASK_IRREVERSIBLE, /* what comes next cannot be taken back */
} kp_asked;

#define KP_QUESTION_LIVES (24 * KP_HOUR) /* a word given later is about another cluster */

/* A question to a person; made by people.c alone. */
typedef struct kp_question {
    kp_asked kind;
    const char *text;    /* what is asked: "Go on?" */
    const char *details; /* shown above it, lines ended by \n; "" */
    const char *risk;    /* what a yes sets going, one line; "" when the text says it */
    const char *phrase;  /* typed whole it is the yes; "": yes or y is */
    const char *shown;   /* sha256 over all of these: a word is for what was shown, nothing else */
    kp_ms lives;         /* for so long after it was asked a word counts */
} kp_question;

typedef enum kp_answer {
    KP_ANSWER_NOBODY, /* nobody is there to be asked */
    KP_ANSWER_NO,
    KP_ANSWER_YES,
    KP_ANSWER_LEFT, /* Ctrl-C, SIGTERM or a hang-up instead of an answer */
} kp_answer;

const char *kp_asked_name(kp_asked kind); /* "confirm", "failure", ... */
/* Answers as specs write them: "yes", "no", "nobody", "interrupt"; and, of a node that failed,
 * "back_out" and "stop".  Ends with NULL. */
extern const char *const kp_answer_words[];
/* False when that word is none, or answers no question of that kind. */
bool kp_answer_of(const char *word, kp_asked kind, kp_answer *ret_answer);

typedef struct kp_sink {
    void (*event)(void *ud, const kp_event *e);
    /* by: "ops@bastion1" */
    kp_answer (*ask)(void *ud, const kp_question *q, const char **ret_by);
    void *ud;
} kp_sink;

/* ---- runs in memory: for specs, what a directory of runs is to the command line ---- */

/* Of one simulated cluster.  A run that ends unfinished stays here, until it is gone on with or
 * another run takes its place. */
typedef struct kp_kept {
    kp_arena *a;
    kp_journal **unfinished; /* the newest is the last */
    size_t n, cap;
    uint64_t begun;     /* runs so far: each has its own seed, and so its own name */
    int64_t kill_after; /* the next session dies right after that record; 0: it does not */
    bool killed;        /* the last session died so */
} kp_kept;
/* The newest unfinished run, for kp_run_resume, which keeps it again unless it ends; NULL: none. */
kp_journal *kp_kept_take(kp_kept *kept);
/* The name of the one that has done something, so that no other may act beside it; NULL: none. */
const char *kp_kept_acted(const kp_kept *kept);
void kp_kept_done(kp_kept *kept);

/* ---- a run ---- */

typedef struct kp_override {
    const char *guard, *reason;
} kp_override; /* --force GUARD --reason TEXT */

/* What a playbook is given: name -> text or value; true for a name without a value; a list for one
 * that was given several times. */
typedef struct kp_given_args {
    const kp_value *value;
    const char *const *also; /* what the command line takes besides, for "did you mean"; or NULL */
} kp_given_args;

typedef struct kp_run_spec {
    const kp_op *const *verbs; /* what the playbook can say; ends with NULL */
    kp_world *world;
    bool simulated; /* words on the screen */
    const kp_inventory *inventory;
    const char *runs;     /* directory; NULL: journal in memory */
    kp_kept *kept;        /* without `runs`: where its journal stays; NULL: it goes with the run */
    const char *playbook; /* name to load */
    kp_find_fn find;
    void *find_ud;
    kp_given_args given; /* on the command line */
    const char *who; /* "ops@bastion1" */
    const kp_override *overrides;
    size_t n_overrides;
    bool assume_yes; /* rehearsals: every ask is answered yes and listed */
    kp_sink sink;
    const char *supersede; /* close that unfinished run first */
    /* Of a first run, once, when no other has a claim to the cluster any more.  NULL: nobody wants
     * to know. */
    kp_err *(*taken)(void *ud);
    void *taken_ud;
    const char *take_over; /* --take-over: whose hosts may be taken; "RUN" or "RUN,RUN" */
    const char *take_over_reason;
    bool accept_changed_playbook, accept_new_kplay; /* resume */
} kp_run_spec;

/* Runs a playbook to its end.  ret_report (in `a`, may be NULL) is set in every case:
 *   {run, state = "done"|"paused"|"failed"|"refused", records, journal, requests, took_ms,
 *    stops = [...], stops_before, assumed = [...], irreversible = [...], unused_effects = [...],
 *    overrides = [...], accepted = [{before, accepted}], warnings, warned, closed (for good: it
 *    cannot be resumed)} */
kp_err *kp_run_first(kp_arena *a, const kp_run_spec *spec, const kp_value **ret_report) KP_MUST_USE;
/* KP_WARNED, for the exit code, of the report of a run that only looked (its playbook has no
 * effects, or it was rehearsed), ended well and warned; else NULL. */
kp_err *kp_report_warned(const kp_value *report) KP_MUST_USE;
/* Goes on with the run that wrote the journal `j`, which was opened to be written and is the run's
 * from now on. */
kp_err *kp_run_resume(kp_arena *a, const kp_run_spec *spec, kp_journal *j,
                      const kp_value **ret_report) KP_MUST_USE;

/* Replays a run from its journal (the run's from now on) and stored texts alone, without any world:
 * every call of its check, run and verify must be the journal's call, record for record, and end
 * where the journal ends.  Nothing is locked or written.  ret_report (in `a`): {run, playbook,
 * records, calls, ended = what its last record says}.
 * Errors: KP_REFUSED with both calls in its detail, or naming the revision of the verb or of the
 * script host that the run was recorded by. */
kp_err *kp_run_replay(kp_arena *a, const kp_op *const *verbs, kp_journal *j,
                      const kp_value **ret_report) KP_MUST_USE;

/* The arguments a playbook would get: declared, from the command line, from the cluster file,
 * defaults; every value with where it came from.  Errors: KP_USAGE (unknown, did you mean; a
 * required one is missing, and then all others are there), KP_CONFIG. */
kp_err *kp_run_args(kp_arena *a, const kp_header *h, const kp_inventory *inv,
                    const kp_given_args *from_line, const kp_value **ret_args,
                    const kp_value **ret_origin) KP_MUST_USE;
/* What the cluster file gives it, name -> value as it stands there; NULL: nothing. */
const kp_value *kp_team_args(kp_arena *a, const kp_header *h, const kp_inventory *inv);

/* What the guard's rows find of these nodes (list of int; NULL: of every node), before anything is
 * touched, as findings() gives it (kplay doc findings).  to: the release that is to come; NULL:
 * they are only restarted.  Needs world, inventory, overrides and sink of the spec; nothing is
 * changed, nothing journaled. */
kp_err *kp_run_findings(kp_arena *a, const kp_run_spec *spec, const kp_value *nodes, const char *to,
                        const kp_value **ret_list) KP_MUST_USE;

/* Answers and settles, by another process, while the run is paused. */

/* What a paused run waits for. */
typedef struct kp_waiting {
    kp_question question;
    const char *playbook;
    kp_ms asked; /* UTC, of the run's world */
} kp_waiting;
/* KP_REFUSED when it is finished or does not wait for an answer. */
kp_err *kp_run_waiting(kp_arena *a, const char *runs, const char *run,
                       kp_waiting *ret_waiting) KP_MUST_USE;

typedef struct kp_word {
    const char *who, *reason; /* reason: NULL for none */
    const char *shown;        /* of the question this person has seen */
    kp_ms now;                /* UTC, of the run's world */
} kp_word;
/* The yes of a person.  KP_REFUSED also when the run waits with another question than the one that
 * was shown, and when its time to live is over. */
kp_err *kp_run_approve(kp_arena *a, const char *runs, const char *run,
                       const kp_word *word) KP_MUST_USE;
kp_err *kp_run_settle(kp_arena *a, const char *runs, const char *run, const char *op_id, bool done,
                      const char *reason, const char *who) KP_MUST_USE;

/* ---- for the script host ---- */

/* One call of a verb.  `at` is "rolling.lua:23".  ret_v is in the run's arena until the next call.
 */
kp_err *kp_run_call(kp_run *r, const kp_op *op, const kp_value *given, const char *at,
                    const kp_value **ret_v) KP_MUST_USE;

/* wait_until(fn, {stall=, limit=, every=}): the engine owns the loop; the predicate may only ask.
 * It returns true, or false, and may return a text for the live line. */
typedef kp_err *(*kp_predicate)(void *ud, bool *ret_true, const char **ret_say);
kp_err *kp_run_wait_until(kp_run *r, const kp_value *options, kp_predicate fn, void *ud,
                          const char *at, const kp_value **ret_v) KP_MUST_USE;

/* play(name, args): enters a nested playbook; its effects must be among the caller's. */
kp_err *kp_run_enter(kp_run *r, const kp_header *h, const kp_value *given,
                     const kp_value **ret_args) KP_MUST_USE;
void kp_run_leave(kp_run *r);
kp_part kp_run_part_now(const kp_run *r); /* of the innermost playbook: at first its caller's */
/* The innermost playbook's next part: what that part may do holds for its calls. */
void kp_run_part_begins(kp_run *r, kp_part part);

uint64_t kp_run_seed(const kp_run *r); /* of the playbook's random numbers; journaled */
bool kp_run_is_over(
    const kp_run *r); /* an error that ends the run was raised: nothing may be caught any more */
const kp_err *kp_run_over(const kp_run *r);
kp_find_fn
kp_run_find(kp_run *r,
            void **ret_ud); /* where play() looks: the journal's stored texts when resumed */

#endif
