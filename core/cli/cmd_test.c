/* kplay test: busted specs over simulated clusters.
 *
 * The script host runs busted; this file gives it the clusters: simulated, in memory, one per
 * kplay.simulate, each run on it as the command line would run it.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

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
    *ret_sim = c;
    return NULL;
}

typedef struct hearing {
    kp_arena *a;
    kp_builder events;
    kp_answer answer;
} hearing;

static void hear(void *ud, const kp_event *e)
{
    hearing *h = ud;
    if (e->kind == KP_E_PROGRESS || e->kind == KP_E_PHASE)
        return;
    kp_list_add(&h->events,
                kp_map(h->a, "event", kp_text(h->a, kp_event_name(e->kind)), "verb",
                       kp_text(h->a, e->verb), "node", e->node.is ? kp_int(h->a, e->node.id) : NULL,
                       "step", kp_text(h->a, e->step), "text", kp_text(h->a, e->text), "failed",
                       e->err ? kp_bool(true) : NULL, NULL));
}

static kp_answer answer(void *ud, const kp_question *q, const char **ret_by)
{
    (void)q;
    *ret_by = "spec";
    return ((hearing *)ud)->answer;
}

/* The simulated nodes with the request's policy. */
static kp_err *inventory(kp_arena *a, kp_sim *sim, const kp_value *policy,
                         const kp_inventory **ret_inv)
{
    kp_inventory *inv = kp_memdup(a, kp_sim_inventory(a, sim, NULL), sizeof *inv);

    inv->on_failure = KP_ON_FAILURE_STOP;
    for (int i = 0; i < 3; i++) {
        if (kp_streq(kp_get_text(policy, "guard", ""), kp_guard_levels[i]))
            inv->guard = (kp_guard_level)i;
        if (kp_streq(kp_get_text(policy, "on_failure", ""), kp_on_failures[i]))
            inv->on_failure = (kp_on_failure)i;
    }
    if (kp_get(policy, "accept"))
        inv->accept = kp_get(policy, "accept");
    *ret_inv = inv;
    return NULL;
}

static kp_err *run(void *ud, kp_arena *a, void *cluster, const kp_value *request,
                   const kp_value **ret_v)
{
    kp_sim *sim = ((spec_cluster *)cluster)->sim;
    kp_arena *runs = ((spec_cluster *)cluster)->runs;
    kp_files *files = ud;
    hearing h = { .a = a, .events = kp_list_begin(a), .answer = KP_ANSWER_YES };
    const kp_inventory *inv;
    const kp_value *report = NULL, *forced = kp_get(request, "forced");
    kp_override force = { kp_get_text(forced, "guard", ""),
                          kp_get_text(forced, "reason", "a spec") };

    if (kp_streq(kp_get_text(request, "answer", "yes"), "no"))
        h.answer = KP_ANSWER_NO;
    KP_TRY(inventory(a, sim, kp_get(request, "policy"), &inv));
    kp_run_spec spec = { .verbs = kp_verbs,
                         .world = kp_sim_world(sim),
                         .simulated = true,
                         .inventory = inv,
                         .playbook = kp_get_text(request, "playbook", ""),
                         .find = kp_files_find,
                         .find_ud = files,
                         .given.value = kp_get(request, "args"),
                         .who = "spec",
                         .overrides = &force,
                         .n_overrides = forced ? 1 : 0,
                         .sink = { .event = hear, .ask = answer, .ud = &h } };
    kp_err *e = kp_run_first(runs, &spec, &report);
    const kp_value *error = e ? kp_map(a, "class", kp_text(a, kp_class_name(e->cls)), "what",
                                       kp_text(a, e->what), "next", kp_text(a, e->next), "where",
                                       kp_text(a, e->where), "detail", kp_text(a, e->detail), NULL)
                              : NULL;
    *ret_v = kp_map(a, "ok", kp_bool(!e), "exit", kp_int(a, kp_err_exit_code(e)), "state",
                    kp_get(report, "state"), "error", error, "report", report, "events",
                    kp_list_end(&h.events), "oracle", kp_sim_oracle(a, sim), NULL);
    kp_err_drop(e);
    return NULL;
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
    kp_sim_close(c->sim);
    kp_arena_free(c->runs); /* c is in it */
}

static int test_main(kp_arena *a, const kp_line *line)
{
    kp_files files;
    kp_err *e = kp_files_init(a, kp_opt(line, "cluster"), &files);
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
    .doc = "Run busted specs (spec/*_spec.lua) over simulated clusters.\n\n"
           "A spec gets the module `kplay`: kplay.simulate{...} makes a cluster, sim:run(PLAYBOOK, "
           "ARGS)\n"
           "runs a playbook on it, sim:fault{...} breaks something, kplay.stdlib(NAME, VERBS) "
           "loads a rule.",
};
