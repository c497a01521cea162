/* kplay run, resume, approve, settle: a run's life from the command line. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard/guard.h"
#include "report/asking.h"

#define RUN_OPTIONS                                                                                \
    KP_OPT_CLUSTER, KP_OPT_DEMO,                                                                   \
        { "yes", 'y', NULL, "start, and answer confirm, without a person" },                       \
        { "force", 0, "GUARD",                                                                     \
          "override one row of the guard (kplay doc guard lists them); needs --reason" },          \
        { "take-over", 0, "RUN",                                                                   \
          "take the hosts over from that run, which is gone for good; needs --reason" },           \
        { "reason", 0, "TEXT", "why, for --force and --take-over; journaled and reported" },       \
        { "pace", 0, "N",                                                                          \
          "of a simulated cluster: N of its seconds in one of yours (0: no wait; --demo on a "     \
          "terminal: 5)" },                                                                        \
        KP_OPT_RUNS, KP_OPT_JSON, KP_OPT_HELP

static const kp_option run_options[] = {
    { "dry-run", 0, NULL,
      "run it on a simulated copy, judge its nodes on the cluster itself; nothing is changed" },
    { "supersede", 0, "RUN", "close that unfinished run for good first" },
    KP_OPT_MODE,
    RUN_OPTIONS,
    { NULL, 0, NULL, NULL },
};

static const kp_option resume_options[] = {
    { "accept-changed-playbook", 0, NULL,
      "go on with the edited playbook, after replaying every answer against it" },
    { "accept-new-kplay", 0, NULL, "go on with another kplay than the run began with" },
    RUN_OPTIONS,
    { NULL, 0, NULL, NULL },
};

static kp_err *overrides(kp_arena *a, const kp_line *line, kp_run_spec *spec)
{
    const char *guard = kp_opt(line, "force"), *reason = kp_opt(line, "reason");
    const char *run = kp_opt(line, "take-over");
    if (!guard && !run)
        return reason ? kp_err_new(KP_USAGE, "name the guard: --force GUARD",
                                   "--reason without --force or --take-over")
                      : NULL;
    if (!reason || strlen(reason) < 4)
        return kp_err_new(KP_USAGE, "say why, in a few words: --reason TEXT",
                          reason  ? "that is no reason: \"%s\""
                          : guard ? "--force needs a reason"
                                  : "--take-over needs a reason",
                          reason);
    spec->take_over = run;
    spec->take_over_reason = reason;
    if (!guard)
        return NULL;
    const kp_guard_row *row = kp_guard_row_named(guard);
    if (!row)
        return kp_err_new(KP_USAGE, "kplay doc guard lists them", "the guard has no row \"%s\"",
                          guard);
    if (row->hard)
        return kp_err_new(KP_USAGE, "mend its cause: nothing overrides it",
                          "the guard's row %s takes no override", guard);
    kp_override *o = KP_NEW(a, kp_override);
    *o = (kp_override) { .guard = guard, .reason = reason };
    spec->overrides = o;
    spec->n_overrides = 1;
    return NULL;
}

/* The demo on a terminal takes its time, so that a person can watch. */
static kp_err *set_pace(const kp_line *line, const kp_open_cluster *c)
{
    const char *given = kp_opt(line, "pace");
    bool watched = kp_flag(line, "demo") && kp_out_obeys(STDOUT_FILENO) && !kp_flag(line, "json") &&
                   !kp_flag(line, "dry-run");
    char *end = NULL;
    long pace = given ? strtol(given, &end, 10) : watched ? 5 : 0;
    if (given && (end == given || *end || pace < 0 || pace > 1000))
        return kp_err_new(KP_USAGE, "give a number, like --pace 5",
                          "--pace takes a number of seconds from 0 to 1000, got \"%s\"", given);
    if (given && !c->sim)
        return kp_err_new(KP_USAGE, "leave it out", "--pace is for simulated clusters");
    if (c->sim)
        kp_sim_pace(c->sim, (int)pace);
    return NULL;
}

/* What somebody may do next who has just seen the demo. */
static void try_next(kp_arena *a)
{
    static const char *const commands[][2] = {
        { "kplay status", "where it stands now" },
        { "kplay journal show RUN", "what was done, record by record" },
        { "kplay run validate.lua --release 3.9.1", "prove the end state" },
        { "kplay run --dry-run rolling.lua", "rehearse a restart of every node" },
        { "kplay doc", "what a playbook can say" },
    };
    puts("\ntry next");
    for (size_t i = 0; i < KP_COUNT(commands); i++)
        kp_out_line("  %-52s %s", kp_hint(a, commands[i][0]), commands[i][1]);
}

static void fill(kp_arena *a, const kp_line *line, kp_open_cluster *c, kp_run_spec *spec)
{
    bool dry = kp_flag(line, "dry-run");
    *spec = (kp_run_spec) { .verbs = kp_verbs,
                            .world = c->world,
                            .simulated = c->simulated,
                            .inventory = c->inventory,
                            .runs = c->runs,
                            .find = kp_files_find,
                            .find_ud = &c->files,
                            .who = kp_whoami(a) };
    kp_screen_spec screen = { .json = kp_flag(line, "json"),
                              .terminal = kp_out_obeys(STDOUT_FILENO) && !kp_flag(line, "json"),
                              .simulated = c->simulated || dry,
                              .yes = kp_flag(line, "yes") || dry,
                              .rehearsal = dry,
                              .world = dry ? NULL : c->world,
                              .hint = kp_hint_of,
                              .who = spec->who };
    spec->sink = kp_screen(a, &screen);
}

/* What a playbook says of itself, and where each value would come from. */
static void help_text(kp_arena *a, const kp_header *h, const kp_value *args, const kp_value *origin)
{
    KP_AUTO_BUF b = KP_BUF_INIT(64 << 10);

    kp_out_line("kplay run %s%s", h->name, h->n_args ? " [--ARG VALUE ...]" : "");
    puts("");
    kp_out_line("%s", h->summary);
    if (*h->comment)
        puts("");
    kp_out_lines(h->comment);
    for (unsigned bit = 1; bit; bit <<= 1)
        if (h->effects & bit)
            kp_buf_fmt(&b, "%s%s", b.n ? "  " : "", kp_grant_name((kp_grant)bit));
    puts("");
    kp_out_line("may do    %s", b.n ? kp_buf_text(&b) : "nothing: it only asks");
    if (h->n_args)
        puts("");
    for (size_t i = 0; i < h->n_args; i++) {
        const kp_script_arg *arg = &h->args[i];
        const kp_value *v = kp_get(args, arg->name);
        kp_buf_clear(&b);
        kp_buf_fmt(&b, "--%s %s", arg->name, arg->type);
        const char *value = v               ? kp_printf(a, "  [%s, %s]",
                                          v->type == KP_BYTES ? v->u.s : kp_json_text(a, v),
                                                        kp_get_text(origin, arg->name, ""))
                            : arg->required ? "  (required)"
                                            : "";
        kp_out_line("  %-24s %s%s", kp_buf_text(&b), arg->doc, value);
    }
}

static kp_err *help(kp_arena *a, const kp_line *line, const char *name)
{
    kp_open_cluster c;
    kp_script *script;
    const kp_value *args = NULL, *origin = NULL;
    static const kp_inventory nobody = { .path = "", .cluster = "" };

    kp_err *none = kp_cluster_open(a, line, KP_TO_LOOK, &c);
    bool with = none == NULL;
    if (none) {
        kp_err_drop(none);
        KP_TRY(kp_files_init(a, NULL, &c.files));
    }
    kp_err *e = kp_script_host_table.load(a, name, kp_verbs, kp_files_find, &c.files, &script);
    if (!e) {
        const kp_header *h = kp_script_host_table.header(script);
        kp_given_args given = { .value = line->extra };
        kp_err *incomplete = kp_run_args(a, h, with ? c.inventory : &nobody, &given, &args,
                                         &origin);
        kp_err_drop(incomplete); /* a required argument may be missing here */
        help_text(a, h, args, origin);
        kp_script_host_table.free(script);
    }
    if (with)
        kp_cluster_close(&c);
    return e;
}

/* A simulated cluster has a past: what it did since then. */
static const kp_value *acts_since(kp_arena *a, const kp_sim *sim, kp_ms begun)
{
    kp_builder since = kp_list_begin(a);
    const kp_value *all = kp_sim_acts(a, sim);
    for (size_t i = 0; i < kp_len(all); i++)
        if (kp_get_int(kp_at(all, i), "at", 0) >= begun)
            kp_list_add(&since, kp_at(all, i));
    return kp_list_end(&since);
}

/* On a simulated copy, and what that cannot show judged on the cluster itself. */
static kp_err *rehearse(kp_arena *a, const kp_open_cluster *c, kp_run_spec *spec, bool json,
                        const kp_value **ret_report)
{
    const kp_value *report = NULL;
    kp_sim *copy = c->sim ? kp_sim_copy(c->sim) : NULL;
    if (!copy)
        KP_TRY(kp_cluster_rehearsal(a, c, &copy));
    spec->inventory = kp_sim_inventory(a, copy, c->inventory);
    spec->world = kp_sim_world(copy);
    kp_sim_catch_signals(copy);
    spec->simulated = true;
    spec->runs = NULL;
    spec->assume_yes = true;
    kp_sim_keep_leaders(copy);
    kp_ms begun = kp_now(spec->world);
    kp_took *took = kp_took_before(a, spec->inventory, c->runs, c->simulated);
    kp_sink screen = spec->sink;
    spec->sink = kp_took_sink(took, screen);
    kp_err *e = kp_run_first(a, spec, &report);
    spec->sink = screen;
    if (!e && !c->sim)
        e = kp_cluster_judge(a, c, spec, copy, &report);
    kp_rehearsed r = { .report = report,
                       .acts = acts_since(a, copy, begun),
                       .err = e,
                       .estimate = kp_took_estimate(took, kp_get_int(report, "took_ms", 0)),
                       .inventory = spec->inventory,
                       .prefix = "sim  " };
    if (json)
        puts(kp_json_text(a,
                          kp_map(a, "event", kp_text(a, "rehearsed"), "acts", r.acts, "took_ms",
                                 kp_int(a, r.estimate.took), "took_from", r.estimate.runs, NULL)));
    else if (report)
        kp_verdict_lines(a, &r);
    *ret_report = report;
    kp_sim_close(copy);
    return e;
}

static int run_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json"), dry = kp_flag(line, "dry-run");
    kp_open_cluster c = { 0 };
    kp_run_spec spec = { 0 };

    if (line->n_words == 0)
        return kp_cli_fail(
            kp_err_new(KP_USAGE, "kplay run rolling.lua --to 3.9.1; kplay playbooks lists them",
                       "run needs a playbook"),
            json);
    if (kp_flag(line, "help"))
        return kp_cli_fail(help(a, line, line->word[0]), json);
    kp_err *e = kp_cluster_open(a, line, dry ? KP_TO_LOOK : KP_TO_BEGIN, &c);
    if (!e)
        e = kp_files_known(a, &c.files, line->word[0]);
    if (!e) {
        fill(a, line, &c, &spec);
        e = overrides(a, line, &spec);
    }
    if (!e)
        e = set_pace(line, &c);
    spec.playbook = line->word[0];
    spec.given = (kp_given_args) { .value = line->extra, .also = kp_option_names(a, &kp_cmd_run) };
    spec.supersede = kp_opt(line, "supersede");
    spec.taken = kp_cluster_taken;
    spec.taken_ud = &c;
    const kp_value *report = NULL;
    if (!e)
        e = dry ? rehearse(a, &c, &spec, json, &report) : kp_run_first(a, &spec, &report);
    if (!e)
        e = kp_report_warned(report);
    if (spec.sink.ud)
        kp_screen_done(spec.sink);
    if (!e && !json && !dry && kp_flag(line, "demo") && kp_out_obeys(STDOUT_FILENO))
        try_next(a);
    kp_cluster_close(&c);
    return kp_cli_fail(e, json);
}

/* The run a command is about: the one named, or the only unfinished one. */
static kp_err *which_run(kp_arena *a, const kp_line *line, const char *runs, const char **ret_run)
{
    kp_run_info *info;
    size_t n, open = 0, newest = 0;

    if (line->n_words > 0) {
        *ret_run = line->word[0];
        return NULL;
    }
    KP_TRY(kp_runs_list(a, runs, &info, &n));
    for (size_t i = n; i-- > 0;)
        if (!info[i].finished) {
            open++;
            newest = i;
        }
    if (open == 0)
        return kp_err_new(KP_USAGE, "kplay run PLAYBOOK begins one",
                          "no run is unfinished here (%s)", runs);
    if (open > 1)
        return kp_err_new(KP_USAGE, "name it; kplay runs lists them", "%zu runs are unfinished",
                          open);
    *ret_run = info[newest].run;
    return NULL;
}

static int resume_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json");
    kp_open_cluster c = { 0 };
    kp_run_spec spec = { 0 };
    const kp_value *report = NULL;
    const char *run;
    kp_journal *j = NULL;

    kp_err *e = kp_cluster_open(a, line, KP_TO_GO_ON, &c);
    if (!e)
        e = which_run(a, line, c.runs, &run);
    if (!e) {
        kp_hint_run(run, true);
        fill(a, line, &c, &spec);
        e = overrides(a, line, &spec);
        if (!e)
            e = set_pace(line, &c);
        spec.accept_changed_playbook = kp_flag(line, "accept-changed-playbook");
        spec.accept_new_kplay = kp_flag(line, "accept-new-kplay");
        if (!e)
            e = kp_journal_open(a, &kp_disk_real, c.runs, run, &j);
        if (!e) {
            kp_hint_again(a, kp_journal_at(j, 1)->body);
            e = kp_run_resume(a, &spec, j, &report);
        }
    }
    if (!e)
        e = kp_report_warned(report);
    if (spec.sink.ud)
        kp_screen_done(spec.sink);
    if (!e && !json && kp_flag(line, "demo") && kp_out_obeys(STDOUT_FILENO))
        try_next(a);
    kp_cluster_close(&c);
    return kp_cli_fail(e, json);
}

const kp_command kp_cmd_run = {
    .name = "run",
    .usage = "run [options] PLAYBOOK [--ARG VALUE ...]",
    .options = run_options,
    .takes_extra = true,
    .most_words = 1,
    .main = run_main,
    .doc = "Run a playbook: check, ask, run, verify; every step journaled.\n\n"
           "kplay run PLAYBOOK --help shows the playbook's own arguments, what it may do, and "
           "where each value comes from.",
};
const kp_command kp_cmd_resume = {
    .name = "resume",
    .usage = "resume [options] [RUN]",
    .options = resume_options,
    .most_words = 1,
    .main = resume_main,
    .doc = "Go on with an unfinished run: after a pause, a refusal, a failure, a crash.\n\n"
           "What is in doubt is settled by looking; what was answered is replayed; nothing is done "
           "twice.\nThe yes the run began with holds; --yes is for what its playbook still asks.",
};

/* ---- approve, settle ---- */

static const kp_option approve_options[] = {
    { "yes", 'y', NULL, "say yes without a person at the terminal; the run must be named" },
    { "reason", 0, "TEXT", "why; journaled" },
    KP_OPT_CLUSTER,
    KP_OPT_DEMO,
    KP_OPT_RUNS,
    KP_OPT_JSON,
    KP_OPT_HELP,
    { NULL, 0, NULL, NULL },
};

/* The question is shown again before a yes is taken: whoever answers may not have seen it. */
static kp_err *take_yes(kp_arena *a, const kp_line *line, const kp_open_cluster *c, const char *run,
                        const kp_waiting *waits)
{
    bool json = kp_flag(line, "json"), yes = kp_flag(line, "yes");
    const kp_question *q = &waits->question;
    kp_ms ago = kp_now(c->world) - waits->asked;
    kp_answer answer = yes ? KP_ANSWER_YES : KP_ANSWER_NOBODY;

    if (yes && line->n_words == 0)
        return kp_err_new(KP_USAGE, kp_printf(a, "kplay approve %s --yes", run),
                          "--yes names the run it is for");
    if (!json)
        kp_out_line("run %s of %s waits for an answer, asked %s ago", run, waits->playbook,
                    kp_duration_text(a, ago < 0 ? 0 : ago, false));
    if (!json && (yes || !isatty(STDIN_FILENO)))
        kp_question_lines(q);
    if (!yes && !json)
        answer = kp_terminal_ask(c->world, "", q);
    if (answer == KP_ANSWER_YES)
        return NULL;
    if (answer == KP_ANSWER_NOBODY)
        return kp_err_new(KP_USAGE, kp_printf(a, "kplay approve %s --yes --reason TEXT", run),
                          "nobody is here to say yes");
    return kp_err_new(KP_REFUSED, kp_printf(a, "kplay approve %s, when it is a yes", run),
                      "not approved: %s",
                      answer == KP_ANSWER_NO ? "the answer was no" : "interrupted at the question");
}

static int approve_main(kp_arena *a, const kp_line *line)
{
    kp_open_cluster c = { 0 };
    const char *run;
    kp_waiting waits;
    bool json = kp_flag(line, "json");

    kp_err *e = kp_cluster_open(a, line, KP_TO_LOOK, &c);
    if (!e)
        e = which_run(a, line, c.runs, &run);
    if (!e) {
        kp_hint_run(run, true);
        e = kp_run_waiting(a, c.runs, run, &waits);
    }
    if (!e)
        e = take_yes(a, line, &c, run, &waits);
    if (!e)
        e = kp_run_approve(a, c.runs, run,
                           &(kp_word) { .who = kp_whoami(a),
                                        .reason = kp_opt(line, "reason"),
                                        .shown = waits.question.shown,
                                        .now = kp_now(c.world) });
    if (!e && json)
        puts(kp_json_text(a, kp_map(a, "approved", kp_text(a, run), "question",
                                    kp_text(a, waits.question.text), NULL)));
    else if (!e)
        kp_out_line("approved  run %s; go on with: %s", run, kp_hint(a, "kplay resume"));
    kp_cluster_close(&c);
    return kp_cli_fail(e, json);
}

const kp_command kp_cmd_approve = {
    .name = "approve",
    .usage = "approve [options] [RUN]",
    .options = approve_options,
    .most_words = 1,
    .main = approve_main,
    .doc = "Say yes to the question a paused run waits with; then kplay resume.\n\n"
           "The question is shown again; a yes to it is taken for a day.",
};

static const kp_option settle_options[] = {
    { "done", 0, NULL, "it was done" },
    { "not-done", 0, NULL, "it was not done: the run tries it again" },
    { "reason", 0, "TEXT", "how you know; journaled" },
    KP_OPT_CLUSTER,
    KP_OPT_DEMO,
    KP_OPT_RUNS,
    KP_OPT_JSON,
    KP_OPT_HELP,
    { NULL, 0, NULL, NULL },
};

static int settle_main(kp_arena *a, const kp_line *line)
{
    kp_open_cluster c = { 0 };
    bool done = kp_flag(line, "done"), not_done = kp_flag(line, "not-done");
    bool json = kp_flag(line, "json");
    const char *reason = kp_opt(line, "reason");
    kp_err *e = NULL;

    if (line->n_words != 2 || done == not_done || !reason)
        e = kp_err_new(KP_USAGE, "kplay settle RUN OP --done|--not-done --reason TEXT",
                       "settle needs a run, an op id, --done or --not-done, and --reason");
    if (!e)
        e = kp_cluster_open(a, line, KP_TO_FIND, &c);
    if (line->n_words > 0)
        kp_hint_run(line->word[0], true);
    if (!e)
        e = kp_run_settle(a, c.runs, line->word[0], line->word[1], done, reason, kp_whoami(a));
    if (!e && json)
        puts(kp_json_text(a, kp_map(a, "settled", kp_text(a, line->word[1]), "run",
                                    kp_text(a, line->word[0]), "done", kp_bool(done), NULL)));
    else if (!e)
        kp_out_line("settled   %s as %s; go on with: %s", line->word[1], done ? "done" : "not done",
                    kp_hint(a, "kplay resume"));
    kp_cluster_close(&c);
    return kp_cli_fail(e, json);
}

const kp_command kp_cmd_settle = {
    .name = "settle",
    .usage = "settle [options] RUN OP --done|--not-done --reason TEXT",
    .options = settle_options,
    .most_words = 2,
    .main = settle_main,
    .doc = "Tell a run whether an action in doubt was done, when no probe can tell.",
};
