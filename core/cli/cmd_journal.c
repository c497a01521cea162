/* kplay journal verify|show, kplay runs: what runs left behind. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const kp_option options[] = { KP_OPT_CLUSTER, KP_OPT_DEMO, KP_OPT_RUNS,
                                     KP_OPT_JSON,    KP_OPT_HELP, { NULL, 0, NULL, NULL } };

/* Where runs are kept: the journal is read without touching any cluster. */
static kp_err *runs_dir(kp_arena *a, const kp_line *line, const char **ret_runs)
{
    kp_open_cluster c = { 0 };
    if (kp_opt(line, "runs")) {
        *ret_runs = kp_opt(line, "runs");
        return NULL;
    }
    KP_TRY(kp_cluster_open(a, line, KP_TO_FIND, &c));
    *ret_runs = c.runs;
    kp_cluster_close(&c);
    return NULL;
}

static void show(kp_arena *a, const kp_record *rec, bool json)
{
    const kp_value *b = rec->body;
    if (json) {
        const kp_value *v = kp_map_with(a,
                                        kp_map_with(a, kp_map_with(a, b, "n", kp_int(a, rec->n)),
                                                    "t", kp_text(a, kp_time_text(a, rec->t))),
                                        "k", kp_text(a, kp_kind_name(rec->kind)));
        puts(kp_json_text(a, v));
        return;
    }
    const char *time = kp_time_text(a, rec->t);
    KP_AUTO_BUF line = KP_BUF_INIT(1 << 20);
    kp_buf_fmt(&line, "%5" PRId64 "  %.8s  %-7s %-18s %s", rec->n, time + 11,
               kp_kind_name(rec->kind), kp_get_text(b, "i", ""), kp_get_text(b, "fn", ""));
    if (rec->kind == KP_K_OPEN)
        kp_buf_fmt(&line, "%s %s on cluster %s, by %s, kplay %s", kp_get_text(b, "playbook", "?"),
                   kp_json_text(a, kp_get(b, "args")), kp_get_text(b, "cluster", "?"),
                   kp_get_text(b, "who", "?"), kp_get_text(b, "kplay", "?"));
    if (rec->kind == KP_K_SESSION)
        kp_buf_fmt(&line, "by %s%s%s%s%s", kp_get_text(b, "who", "?"),
                   kp_get(b, "after") ? ", goes on after: " : "", kp_get_text(b, "after", ""),
                   kp_get(b, "ep") ? ", takes the hosts with epoch " : "",
                   kp_get(b, "ep") ? kp_printf(a, "%" PRId64, kp_get_int(b, "ep", 0)) : "");
    if (kp_len(kp_get(b, "a")))
        kp_buf_fmt(&line, " %s", kp_json_text(a, kp_get(b, "a")));
    if (rec->kind == KP_K_DONE)
        kp_buf_fmt(&line, "  %s, %s%s%s", kp_get_bool(b, "ok", false) ? "ok" : "failed",
                   kp_duration_text(a, kp_get_int(b, "ms", 0), true),
                   kp_get(b, "via") ? ", by " : "", kp_get_text(b, "via", ""));
    if (rec->kind == KP_K_INTENT)
        kp_buf_fmt(&line, "  as %s", kp_get_text(b, "id", "?"));
    if (rec->kind == KP_K_DOUBT)
        kp_buf_fmt(&line, "  %s: %s", kp_get_text(b, "id", "?"), kp_get_text(b, "so", "?"));
    if (kp_get(b, "err"))
        kp_buf_fmt(&line, "  %s", kp_get_text(kp_get(b, "err"), "what", ""));
    if (kp_get(b, "r")) {
        char *r = kp_json_text(a, kp_get(b, "r"));
        kp_buf_fmt(&line, "  = %.80s%s", r, strlen(r) > 80 ? "..." : "");
    }
    if (kp_get(b, "m"))
        kp_buf_fmt(&line, "  %s", kp_get_text(b, "m", ""));
    if (kp_get(b, "state"))
        kp_buf_fmt(&line, "  %s", kp_get_text(b, "state", ""));
    kp_out_line("%s", kp_buf_text(&line));
}

static void tell_whole(kp_arena *a, const char *name, const kp_journal_check *c, bool json)
{
    if (json)
        puts(kp_json_text(a, kp_map(a, "records", kp_int(a, c->records), "head",
                                    kp_text(a, c->head), "torn", kp_bool(c->torn), "files",
                                    c->files < 0 ? NULL : kp_int(a, c->files), NULL)));
    else
        kp_out_line("%s: %" PRId64 " records, chain whole, %s%s, last link %s", name, c->records,
                    c->files < 0 ? "what it names is not beside it"
                                 : kp_printf(a, "%" PRId64 " files beside it whole", c->files),
                    c->torn ? ", a torn last line is saved aside at the next resume" : "", c->head);
}

/* `path` is <runs>/<run>/journal.jsonl, or the directory above it. */
static kp_err *replay(kp_arena *a, const char *path, bool json)
{
    const kp_value *rep;
    char *dir = kp_strdup(a, path);
    if (kp_ends_with(dir, "/journal.jsonl"))
        dir[strlen(dir) - strlen("/journal.jsonl")] = 0;
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = 0;
    kp_journal *j;
    KP_TRY(kp_journal_look(a, slash ? dir : ".", slash ? slash + 1 : dir, &j));
    KP_TRY(kp_run_replay(a, kp_verbs, j, &rep));
    int64_t calls = kp_get_int(rep, "calls", 0);
    if (json)
        puts(kp_json_text(a, rep));
    else
        kp_out_line("%s: %s, %" PRId64 " records: replayed %" PRId64 " of %" PRId64
                    " calls, all equal; it ends there: %s",
                    kp_get_text(rep, "run", ""), kp_get_text(rep, "playbook", ""),
                    kp_get_int(rep, "records", 0), calls, calls, kp_get_text(rep, "ended", ""));
    return NULL;
}

static int journal_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json");
    const char *runs, *what = line->word[0];
    kp_journal_check check;

    if (line->n_words < 2)
        return kp_cli_fail(kp_err_new(KP_USAGE, kp_printf(a, "kplay journal %s RUN", what),
                                      "journal %s needs a run or a file", what),
                           json);
    const char *path = line->word[1];
    if (!strchr(path, '/')) {
        kp_err *e = runs_dir(a, line, &runs);
        if (e)
            return kp_cli_fail(e, json);
        path = kp_printf(a, "%s/%s/journal.jsonl", runs, line->word[1]);
        if (access(path, F_OK) != 0)
            return kp_cli_fail(
                kp_err_at(kp_err_new(KP_USAGE, "kplay runs lists those that are there",
                                     "there is no run %s here", line->word[1]),
                          "%s", runs),
                json);
    }
    if (kp_streq(what, "replay"))
        return kp_cli_fail(replay(a, path, json), json);
    bool verify = kp_streq(what, "verify");
    kp_err *e = verify ? kp_journal_verify(a, path, &check) : kp_journal_scan(a, path, &check);
    if (e)
        return kp_cli_fail(e, json);
    if (verify)
        tell_whole(a, line->word[1], &check, json);
    for (int64_t i = 0; i < check.records && !verify; i++)
        show(a, &check.rec[i], json);
    return 0;
}

static const char *const journal_actions[] = { "verify", "show", "replay", NULL };

const kp_command kp_cmd_journal = {
    .name = "journal",
    .usage = "journal verify|show|replay [options] RUN|FILE",
    .options = options,
    .actions = journal_actions,
    .most_words = 2,
    .main = journal_main,
    .doc = "Verify a run's journal, record by record, show it, or replay it.\n\n"
           "replay needs no cluster: the playbook as the journal kept it must ask, call by call, "
           "what it asked then,\nor the revision is named that this kplay does not replay.",
};

static int runs_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json");
    const char *runs;
    kp_run_info *info;
    size_t n;

    kp_err *e = runs_dir(a, line, &runs);
    if (!e)
        e = kp_runs_list(a, runs, &info, &n);
    if (e)
        return kp_cli_fail(e, json);
    if (!json && n == 0)
        kp_out_line("no runs in %s", runs);
    else if (!json)
        kp_out_line("%-12s %-20s %-12s %-16s  %s", "RUN", "PLAYBOOK", "STATE", "BEGUN", "RECORDS");
    for (size_t i = 0; i < n; i++) {
        if (json)
            puts(kp_json_text(a, kp_map(a, "run", kp_text(a, info[i].run), "playbook",
                                        kp_text(a, info[i].playbook), "state",
                                        kp_text(a, info[i].state), "opened",
                                        kp_text(a, kp_time_text(a, info[i].opened)), "last",
                                        kp_text(a, kp_time_text(a, info[i].last)), "records",
                                        kp_int(a, info[i].records), "finished",
                                        kp_bool(info[i].finished), NULL)));
        else
            kp_out_line("%-12s %-20s %-12s %-16.16s  %7" PRId64 "%s", info[i].run, info[i].playbook,
                        info[i].state, info[i].opened ? kp_time_text(a, info[i].opened) : "-",
                        info[i].records, info[i].finished ? "" : "   (unfinished)");
    }
    return 0;
}

const kp_command kp_cmd_runs = {
    .name = "runs",
    .usage = "runs [options]",
    .options = options,
    .main = runs_main,
    .doc = "List this cluster's runs, newest first.",
};
