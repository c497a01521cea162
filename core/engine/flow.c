/* The engine's own verbs: steps, words, questions to people, sleeping, baselines. */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

typedef struct text_args {
    const char *text;
} text_args;
static const kp_arg text_arg[] = { KP_ARG(text_args, text, "text", NULL, "one line") };

/* ---- step ---- */

typedef struct step_args {
    const char *name;
    bool hold, goes_on;
    int64_t at, of;
} step_args;
static const kp_arg step_arg[] = {
    KP_ARG(step_args, name, "text", NULL, "what the operator is looking at"),
    KP_ARG(step_args, hold, "bool", "false",
           "once it has acted, the first Ctrl-C waits for the step's end"),
    KP_ARG(step_args, goes_on, "bool", "false",
           "it ends what the step before began: Ctrl-C does not part them"),
    KP_ARG(step_args, at, "int", "0", "which of its like it is, for the screen: 4 ..."),
    KP_ARG(step_args, of, "int", "0", "... of 6"),
};

static kp_err *step_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const step_args *a = args;
    kp_run *r = s->r;
    kp_scope *sc = &r->scope[r->depth];

    /* What begins with @ are the engine's own records. */
    if (!*a->name || *a->name == KP_OWN_MARK || strlen(a->name) > 80 || strpbrk(a->name, "/:.#\n"))
        return kp_err_new(KP_PLAYBOOK, "use letters, digits and spaces",
                          "step: \"%.80s\" is no name (1 to 80 characters, without / : . #, and "
                          "no @ first)",
                          a->name);
    if (r->scope[0].part != KP_PART_RUN)
        return NULL;
    int times = 1;
    for (uint32_t i = 0; i < sc->n_names; i++)
        times += kp_streq(sc->name[i], a->name);
    if (sc->n_names == sc->cap_names) {
        uint32_t bigger = sc->cap_names ? sc->cap_names * 2 : 64;
        const char **more = KP_NEW_ARRAY(r->a, bigger, const char *);
        if (sc->n_names)
            memcpy(more, sc->name, sc->n_names * sizeof *more);
        sc->name = more;
        sc->cap_names = bigger;
    }
    sc->name[sc->n_names++] = kp_strdup(r->a, a->name);
    sc->step = times > 1 ? kp_printf(r->a, "%s#%d", a->name, times) : sc->name[sc->n_names - 1];
    sc->calls = 0;
    sc->holds = a->hold;
    if (!a->goes_on) {
        sc->hold = false;
        if (kp_replay_over(r))
            KP_TRY(kp_check_interrupt(r));
    }
    kp_tell(r, (kp_event) { .kind = KP_E_STEP,
                            .text = sc->step,
                            .value = a->of > 0 ? kp_map(s->a, "at", kp_int(s->a, a->at), "of",
                                                        kp_int(s->a, a->of), NULL)
                                               : NULL,
                            .replayed = !kp_replay_over(r) });
    *ret_v = kp_nil();
    return NULL;
}

/* ---- log, warn, skip: told, journaled as notes ---- */

static kp_err *note(kp_step *s, const kp_value *text, kp_event_kind kind, kp_maybe_id node,
                    const kp_value *about)
{
    kp_run *r = s->r;
    const kp_call_record *old = r->replay.now;
    const char *line = kp_as_text(text, "");

    if (!old)
        KP_TRY(kp_record_add(r, KP_K_NOTE,
                             kp_map(s->a, "i", kp_text(s->a, s->path), "fn",
                                    kp_text(s->a, s->op->name), "a", s->canonical, NULL)));
    if (kind == KP_E_WARN)
        kp_list_add(&r->tally.warnings, kp_text(r->a, line));
    kp_tell(r, (kp_event) { .kind = kind,
                            .text = line,
                            .verb = s->op->name,
                            .node = node,
                            .value = about,
                            .replayed = old != NULL });
    return NULL;
}

static kp_err *log_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    (void)ret_v;
    return note(s, kp_text(s->a, ((const text_args *)args)->text), KP_E_NOTE, KP_NOBODY, NULL);
}

typedef struct warn_args {
    const char *text;
    const kp_value *about;
} warn_args;
static const kp_arg warn_arg[] = {
    KP_ARG(warn_args, text, "text", NULL, "one line"),
    KP_ARG_AS(warn_args, about, "map", "kplay.finding|table", "nil",
              "what it is about, for who reads --json: a finding"),
};

static kp_err *warn_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const warn_args *a = args;
    kp_maybe_id node = KP_NOBODY;
    int64_t id = kp_get_int(a->about, "node", -1);

    (void)ret_v;
    if (id >= 0 && id <= INT32_MAX)
        node = kp_somebody((int)id);
    return note(s, kp_text(s->a, a->text), KP_E_WARN, node, a->about);
}

typedef struct skip_args {
    int node;
    const char *why;
} skip_args;
static const kp_arg skip_arg[] = {
    KP_ARG(skip_args, node, "node", NULL, "a node's id"),
    KP_ARG(skip_args, why, "text", NULL, "one line"),
};

static kp_err *skip_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const skip_args *a = args;
    (void)ret_v;
    const char *node = kp_node_word(s->a, s->r->inv, a->node);
    return note(s, kp_textf(s->a, "%s  skipped: %s", node, a->why), KP_E_NOTE, kp_somebody(a->node),
                NULL);
}

/* ---- fail ---- */

typedef struct fail_args {
    const char *what, *next, *detail;
    bool final;
} fail_args;
static const kp_arg fail_arg[] = {
    KP_ARG(fail_args, what, "text", NULL, "what is wrong"),
    KP_ARG(fail_args, next, "text", "nil", "what to do about it"),
    KP_ARG(fail_args, final, "bool", "false",
           "the run is closed for good: begin a new one instead of resuming"),
    KP_ARG(fail_args, detail, "text", "nil", "the evidence: another error's detail, lines"),
};

static kp_err *fail_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const fail_args *a = args;
    kp_run *r = s->r;
    (void)ret_v;
    r->closing = a->final;
    const char *next = a->next ? a->next
                       : a->final || r->scope[0].part == KP_PART_CHECK || !r->header->effects
                           ? "mend it, then run the playbook again"
                           : "mend it, then: kplay resume";
    kp_err *e = kp_err_new(r->scope[0].part == KP_PART_RUN && r->acted ? KP_FAILED : KP_REFUSED,
                           next, "%s", a->what);
    return kp_run_end(r, a->detail && *a->detail ? kp_err_detail(e, "%s", a->detail) : e);
}

/* ---- confirm ---- */

static kp_err *confirm_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const kp_call_record *old = s->r->replay.now;
    kp_asking asking = { .kind = KP_ASK_CONFIRM,
                         .text = ((const text_args *)args)->text,
                         .path = s->path,
                         .fn = s->op->name,
                         .args = s->canonical };
    bool yes;

    *ret_v = kp_bool(true);
    if (old && kp_people_said_yes(s->r, old->first, &asking))
        return NULL;
    return kp_people_ask(s->r, &asking, &yes);
}

/* ---- sleep, now ---- */

typedef struct sleep_args {
    kp_ms time;
} sleep_args;
static const kp_arg sleep_arg[] = { KP_ARG(sleep_args, time, "duration", NULL, "how long") };

static kp_err *sleep_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    (void)ret_v;
    return kp_wait_sleep(s, ((const sleep_args *)args)->time);
}

static kp_err *now_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    (void)args;
    *ret_v = kp_text(s->a, kp_time_text(s->a, kp_now(s->r->w)));
    return NULL;
}

/* ---- on_failure: what the team wants done with a node that failed ---- */

typedef struct failure_args {
    const char *text, *detail;
} failure_args;
static const kp_arg failure_arg[] = {
    KP_ARG(failure_args, text, "text", NULL, "one line"),
    KP_ARG(failure_args, detail, "text", "nil", "why: the error's detail, shown with the question"),
};

static kp_err *on_failure_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const failure_args *a = args;
    kp_run *r = s->r;
    bool back = r->inv->on_failure == KP_ON_FAILURE_BACK_OUT;

    if (r->inv->on_failure == KP_ON_FAILURE_ASK)
        KP_TRY(kp_people_ask(
            r,
            &(kp_asking) {
                .kind = KP_ASK_FAILURE,
                .text = kp_printf(s->a, "%s\nPut this node back on its old release?", a->text),
                .details = a->detail,
                .path = kp_printf(s->a, KP_ASK_OF_FAILURE "%s", s->path),
                .fn = s->op->name,
                .args = s->canonical },
            &back));
    *ret_v = kp_text(s->a, back ? "back_out" : "stop");
    return NULL;
}

/* ---- baselines: values a playbook keeps for later in the run ---- */

typedef struct baseline_args {
    const char *name;
    const kp_value *value;
} baseline_args;
static const kp_arg save_arg[] = {
    KP_ARG(baseline_args, name, "text", NULL, "under which name"),
    KP_ARG_AS(baseline_args, value, "any", "kplay.value", NULL, "any value"),
};
static const kp_arg load_arg[] = { KP_ARG(baseline_args, name, "text", NULL,
                                          "the name it was saved under") };

static kp_err *save_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const baseline_args *a = args;
    kp_run *r = s->r;
    (void)ret_v;
    r->saved = kp_map_with(r->a, r->saved ? r->saved : kp_map(r->a, NULL), kp_strdup(r->a, a->name),
                           kp_value_copy(r->a, a->value));
    if (!r->replay.now)
        KP_TRY(kp_record_add(r, KP_K_NOTE,
                             kp_map(s->a, "i", kp_text(s->a, s->path), "fn",
                                    kp_text(s->a, s->op->name), "a", s->canonical, NULL)));
    return NULL;
}

static kp_err *load_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const kp_value *v = kp_get(s->r->saved, ((const baseline_args *)args)->name);
    *ret_v = v ? v : kp_nil();
    return NULL;
}

const kp_op kp_op_step = {
    .name = "step",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_FLOW,
    .doc =
        "Begins a step: what the progress line, the journal and the resume message name.  It ends "
        "where the next begins.",
    .result = "nil",
    .example = "step(\"broker 2\")",
    KP_TAKES(step_arg, step_args),
    .read = step_read,
    .unrecorded = true,
};
const kp_op kp_op_log = {
    .name = "log",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_FLOW,
    .doc = "Says a line, on the screen and in the journal.",
    .result = "nil",
    .example = "log(\"rack a is done\")",
    KP_TAKES(text_arg, text_args),
    .read = log_read,
};
const kp_op kp_op_warn = {
    .name = "warn",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_FLOW,
    .doc = "Says a warning; the run's report lists it.\n"
           "A run that only looks (a playbook without effects, a rehearsal) and warns ends with "
           "exit code 5.",
    .result = "nil",
    .example = "warn(\"broker 4 is nearly full\")",
    KP_TAKES(warn_arg, warn_args),
    .read = warn_read,
};
const kp_op kp_op_skip = {
    .name = "skip",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_FLOW,
    .doc = "Says that a node is left alone, and why.",
    .result = "nil",
    .example = "skip(2, \"already on 3.9.1\")",
    KP_TAKES(skip_arg, skip_args),
    .read = skip_read,
};
const kp_op kp_op_fail = {
    .name = "fail",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_FLOW,
    .doc = "Ends the run: what is wrong and what to do about it.",
    .result = "never",
    .example = "fail(\"no rack has two brokers\", { next = \"add one\" })",
    KP_TAKES(fail_arg, fail_args),
    .read = fail_read,
    .unrecorded = true,
};
const kp_op kp_op_confirm = {
    .name = "confirm",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_FLOW,
    .doc = "Asks a person.  No, or nobody there: the run pauses until kplay approve.",
    .result = "true",
    .example = "confirm(\"raise the protocol version?\")",
    KP_TAKES(text_arg, text_args),
    .read = confirm_read,
    .pauses = true,
};
const kp_op kp_op_sleep = {
    .name = "sleep",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_FLOW,
    .doc = "Lets time pass.  Prefer wait_until: it ends when it may.",
    .result = "nil",
    .example = "sleep(\"10m\")",
    KP_TAKES(sleep_arg, sleep_args),
    .read = sleep_read,
    .pauses = true,
};
const kp_op kp_op_now = { .name = "now",
                          .since = 1,
                          .rev = 1,
                          .cls = KP_OP_READ,
                          .doc = "The time, UTC.",
                          .result = "string",
                          .example = "now()",
                          .read = now_read };
const kp_op kp_op_on_failure = {
    .name = "on_failure",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    KP_TAKES(failure_arg, failure_args),
    .doc = "What to do with a node that failed: policy.on_failure of the cluster file, or a "
           "person's answer.",
    .result = "\"stop\"|\"back_out\"",
    .example = "on_failure(\"broker 2 did not come back\")",
    .read = on_failure_read,
};
const kp_op kp_op_baseline_save = {
    .name = "baseline_save",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_FLOW,
    .doc = "Keeps a value under a name, for later in this run.",
    .result = "nil",
    .example = "baseline_save(\"urp\", urp())",
    KP_TAKES(save_arg, baseline_args),
    .read = save_read,
};
const kp_op kp_op_baseline_load = {
    .name = "baseline_load",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_FLOW,
    .doc = "Gives back what baseline_save kept; nil when nothing was.",
    .result = "kplay.value?",
    .example = "baseline_load(\"urp\")",
    KP_TAKES(load_arg, baseline_args),
    .read = load_read,
    .unrecorded = true,
};

/* ---- what the script host carries out ---- */

static const kp_arg until_arg[] = {
    { .name = "fn",
      .type = "function",
      .lua = "fun(): boolean?, string?",
      .doc = "answers whether it is so, and a text for the live line" },
    KP_ARG(kp_until_args, stall, "duration", "15m", "give up after this long without progress"),
    KP_ARG(kp_until_args, limit, "duration", "24h", "give up after this long in any case"),
    KP_ARG(kp_until_args, every, "duration", "0s",
           "ask again after this long; left out, at a pace of what the asking costs"),
};

typedef struct play_args {
    const char *name;
    const kp_value *args;
} play_args;
static const kp_arg play_arg[] = {
    KP_ARG(play_args, name, "text", NULL, "the playbook, as kplay run takes it"),
    KP_ARG_AS(play_args, args, "map", "table<string, kplay.value>", "nil", "its arguments"),
};

const kp_op kp_op_wait_until = {
    .name = "wait_until",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_SCRIPT,
    .doc = "Waits until a function returns true.  It may only ask, and may not change variables "
           "outside of it.  Progress is when it sees something else than before.",
    KP_TAKES(until_arg, kp_until_args),
    .result = "true",
    .example = "wait_until(function() return urp() == 0 end, { stall = \"10m\" })",
};
const kp_op kp_op_play = {
    .name = "play",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_SCRIPT,
    .doc = "Runs another playbook inside this run: its check, run and verify.  Its effects must be "
           "among the caller's.",
    KP_TAKES(play_arg, play_args),
    .result = "nil",
    .example = "play(\"preflight.lua\", { to = args.to })",
};
