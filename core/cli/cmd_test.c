/* kplay test: busted specs over simulated clusters.
 *
 * The script host runs busted; this file gives it the clusters: simulated, in memory, one per
 * kplay.simulate, each run on it, and gone on with, as the command line would do it.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard/guard.h"

static const kp_option options[] = {
    KP_OPT_CLUSTER,
    { "json", 0, NULL, "one JSON object: successes, failures, errors, pendings" },
    KP_OPT_HELP,
    { NULL, 0, NULL, NULL },
};

/* A run's memory lives as long as its cluster: what it asked for last may still be under way
 * there. */
typedef struct spec_cluster {
    kp_sim *sim;
    kp_arena *runs;
    kp_kept kept;
    const kp_value *policies; /* by the name of the run that began with it */
} spec_cluster;

static kp_err *simulate(void *ud, kp_arena *a, const kp_value *spec, void **ret_sim)
{
    kp_sim *sim;
    (void)ud;
    KP_TRY(kp_sim_from_spec(a, spec, &sim));
    kp_arena *runs = kp_arena_new("runs of a spec", (size_t)1 << 30);
    spec_cluster *c = KP_NEW(runs, spec_cluster);
    c->sim = sim;
    c->runs = runs;
    c->kept.a = runs;
    *ret_sim = c;
    return NULL;
}

/* ---- what a spec hears, and says ---- */

typedef struct hearing {
    kp_arena *a;
    kp_builder events, questions;
    const kp_value *closed; /* the last event, which a killed process does not come to */
    const kp_value *request;
    size_t asked;  /* questions after the start's */
    kp_err *wrong; /* the first answer that does not fit its question */
} hearing;

static void hear(void *ud, const kp_event *e)
{
    hearing *h = ud;
    if (e->kind == KP_E_PROGRESS || e->kind == KP_E_PHASE)
        return;
    const kp_value *event = kp_map(
        h->a, "event", kp_text(h->a, kp_event_name(e->kind)), "verb", kp_text(h->a, e->verb),
        "node", e->node.is ? kp_int(h->a, e->node.id) : NULL, "step", kp_text(h->a, e->step),
        "text", kp_text(h->a, e->text), "failed", e->err ? kp_bool(true) : NULL, "about",
        e->kind == KP_E_WARN && e->value ? kp_value_copy(h->a, e->value) : NULL, NULL);
    if (e->kind == KP_E_CLOSED)
        h->closed = event;
    else
        kp_list_add(&h->events, event);
}

/* The start has an answer of its own; the list is for what is asked from then on. */
static const char *word_for(hearing *h, const kp_question *q)
{
    if (q->kind == KP_ASK_START)
        return kp_get_text(h->request, "start", "yes");
    const char *otherwise = kp_get_text(h->request, "answer", "yes");
    return kp_as_text(kp_at(kp_get(h->request, "answers"), h->asked++), otherwise);
}

static kp_answer answer(void *ud, const kp_question *q, const char **ret_by)
{
    hearing *h = ud;
    kp_answer answer = KP_ANSWER_LEFT;
    const char *word = word_for(h, q), *kind = kp_asked_name(q->kind);

    *ret_by = "spec";
    if (!kp_answer_of(word, q->kind, &answer)) {
        if (!h->wrong)
            h->wrong = kp_err_new(KP_USAGE, "say yes, no, nobody or interrupt",
                                  "\"%s\" answers what to do with a node that failed, and this "
                                  "question (%s) is: %s",
                                  word, kind, q->text);
        answer = KP_ANSWER_LEFT;
    }
    kp_list_add(&h->questions,
                kp_map(h->a, "kind", kp_text(h->a, kind), "text", kp_text(h->a, q->text), "details",
                       *q->details ? kp_text(h->a, q->details) : NULL, "answer",
                       kp_text(h->a, word), NULL));
    return answer;
}

/* The simulated nodes with that policy, whose words the script host has checked. */
static const kp_inventory *inventory(spec_cluster *c, const kp_value *policy)
{
    kp_inventory *inv = kp_memdup(c->runs, kp_sim_inventory(c->runs, c->sim, NULL), sizeof *inv);

    inv->on_failure = KP_ON_FAILURE_STOP;
    for (int i = 0; kp_guard_levels[i]; i++)
        if (kp_streq(kp_get_text(policy, "guard", NULL), kp_guard_levels[i]))
            inv->guard = (kp_guard_level)i;
    for (int i = 0; kp_on_failures[i]; i++)
        if (kp_streq(kp_get_text(policy, "on_failure", NULL), kp_on_failures[i]))
            inv->on_failure = (kp_on_failure)i;
    if (kp_get(policy, "accept"))
        inv->accept = kp_value_copy(c->runs, kp_get(policy, "accept"));
    return inv;
}

/* As --force takes it. */
static kp_err *override_of(const kp_value *forced, kp_override *ret_force)
{
    const char *guard = kp_get_text(forced, "guard", NULL);
    const kp_guard_row *row = guard ? kp_guard_row_named(guard) : NULL;

    *ret_force = (kp_override) { guard, kp_get_text(forced, "reason", "a spec") };
    if (guard && !row)
        return kp_err_new(KP_USAGE, "kplay doc guard lists them", "the guard has no row \"%.60s\"",
                          guard);
    if (row && row->hard)
        return kp_err_new(KP_USAGE, "mend its cause: nothing overrides it",
                          "the guard's row %s takes no override", guard);
    return NULL;
}

/* ---- a run, from its beginning or from where it stood ---- */

static const kp_value *error_value(kp_arena *a, const kp_err *e)
{
    return e ? kp_map(a, "class", kp_text(a, kp_class_name(e->cls)), "what", kp_text(a, e->what),
                      "next", kp_text(a, e->next), "where", kp_text(a, e->where), "detail",
                      kp_text(a, e->detail), NULL)
             : NULL;
}

#define EXIT_KILLED 137 /* as a shell says it of kill -9 */

static const kp_value *result(kp_arena *a, spec_cluster *c, hearing *h, const kp_err *e,
                              const kp_value *report)
{
    bool killed = c->kept.killed;

    if (h->closed && !killed)
        kp_list_add(&h->events, h->closed);
    const kp_value *state = killed ? kp_text(a, "killed") : kp_get(report, "state");
    kp_err *warned = e ? NULL : kp_report_warned(report);
    int code = killed ? EXIT_KILLED : kp_err_exit_code(warned ? warned : e);
    kp_err_drop(warned);
    return kp_map(a, "ok", kp_bool(!e && !killed), "exit", kp_int(a, code), "state", state, "error",
                  error_value(a, e), "report", killed ? NULL : report, "questions",
                  kp_list_end(&h->questions), "events", kp_list_end(&h->events), "oracle",
                  kp_sim_oracle(a, c->sim), NULL);
}

/* The newest unfinished run, and the policy it began with: the cluster file is the same. */
static kp_err *take_unfinished(spec_cluster *c, const kp_value **io_policy, kp_journal **ret_j)
{
    *ret_j = kp_kept_take(&c->kept);
    if (!*ret_j)
        return kp_err_new(KP_USAGE, "sim:run begins one",
                          "no run on this simulated cluster is unfinished");
    if (!*io_policy)
        *io_policy = kp_get(c->policies, kp_journal_run(*ret_j));
    return NULL;
}

static void remember_policy(spec_cluster *c, const kp_value *report, const kp_value *policy)
{
    if (report && policy)
        c->policies = kp_map_with(c->runs, c->policies, kp_get_text(report, "run", ""),
                                  kp_value_copy(c->runs, policy));
}

static kp_err *run(void *ud, kp_arena *a, void *cluster, const kp_value *request,
                   const kp_value **ret_v)
{
    spec_cluster *c = cluster;
    hearing h = {
        .a = a, .events = kp_list_begin(a), .questions = kp_list_begin(a), .request = request
    };
    const kp_value *report = NULL, *policy = kp_get(request, "policy");
    bool supersede = kp_get_bool(request, "supersede", false);
    kp_override force;
    kp_journal *j = NULL;

    KP_TRY(override_of(kp_get(request, "forced"), &force));
    c->kept.killed = false;
    c->kept.kill_after = kp_get_int(request, "killed_at", 0);
    if (kp_get_bool(request, "resume", false))
        KP_TRY(take_unfinished(c, &policy, &j));
    kp_run_spec spec = { .verbs = kp_verbs,
                         .world = kp_sim_world(c->sim),
                         .simulated = true,
                         .inventory = inventory(c, policy),
                         .kept = &c->kept,
                         .playbook = kp_strdup(c->runs, kp_get_text(request, "playbook", "")),
                         .find = kp_files_find,
                         .find_ud = ud,
                         .given.value = kp_get(request, "args"),
                         .who = "spec",
                         .overrides = &force,
                         .n_overrides = force.guard ? 1 : 0,
                         .sink = { .event = hear, .ask = answer, .ud = &h },
                         .supersede = supersede ? kp_kept_acted(&c->kept) : NULL };
    kp_err *e = j ? kp_run_resume(c->runs, &spec, j, &report)
                  : kp_run_first(c->runs, &spec, &report);
    remember_policy(c, report, policy);
    *ret_v = result(a, c, &h, e, report);
    kp_err_drop(e);
    return h.wrong;
}

static kp_err *ask(void *ud, kp_arena *a, void *cluster, const char *what, const kp_value *v,
                   const kp_value **ret_v)
{
    kp_sim *sim = ((spec_cluster *)cluster)->sim;
    (void)ud;
    *ret_v = kp_nil();
    if (kp_streq(what, "fault"))
        return kp_sim_fault(sim, v);
    if (kp_streq(what, "counts"))
        *ret_v = kp_sim_host_counts(a, sim, (int)kp_as_int(v, 0));
    else if (kp_streq(what, "acts"))
        *ret_v = kp_sim_acts(a, sim);
    else
        *ret_v = kp_sim_oracle(a, sim);
    return NULL;
}

static void close_sim(void *ud, void *cluster)
{
    spec_cluster *c = cluster;
    (void)ud;
    kp_kept_done(&c->kept);
    kp_sim_close(c->sim);
    kp_arena_free(c->runs); /* c is in it */
}

static int test_main(kp_arena *a, const kp_line *line)
{
    kp_files files;
    kp_err *e = kp_files_init(a, kp_cluster_file(line), &files);
    if (e)
        return kp_cli_fail(e, kp_flag(line, "json"));
    kp_spec_host host = { .simulate = simulate,
                          .run = run,
                          .ask = ask,
                          .close = close_sim,
                          .find = kp_files_find,
                          .find_ud = &files,
                          .ud = &files };
    char **argv = KP_NEW_ARRAY(a, line->n_words + 3, char *);
    int argc = 0, own;
    if (kp_flag(line, "json"))
        argv[argc++] = kp_strdup(a, "--output=json");
    own = argc;
    for (size_t i = 0; i < line->n_words; i++)
        argv[argc++] = kp_strdup(a, line->word[i]);
    if (argc == own)
        argv[argc++] = kp_strdup(a, "spec");
    return kp_script_host_table.specs(&host, argc, argv);
}

const kp_command kp_cmd_test = {
    .name = "test",
    .usage = "test [options] [DIRECTORY|FILE ...]",
    .options = options,
    .most_words = SIZE_MAX,
    .main = test_main,
    .doc =
        "Run busted specs (spec/*_spec.lua) over simulated clusters.\n\n"
        "A spec gets the module `kplay`: kplay.simulate{...} makes a cluster, sim:run(PLAYBOOK, "
        "ARGS)\n"
        "runs a playbook on it, sim:resume{...} goes on with it, sim:fault{...} breaks something,\n"
        "kplay.stdlib(NAME, VERBS) and kplay.team(NAME, VERBS) load a module.",
};
