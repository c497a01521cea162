/* kplay status: where the cluster and its unfinished run stand, and what to type. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const kp_option options[] = { KP_OPT_CLUSTER, KP_OPT_DEMO, KP_OPT_RUNS,
                                     KP_OPT_JSON,    KP_OPT_HELP, { NULL, 0, NULL, NULL } };

typedef struct status {
    kp_arena *a;
    const kp_inventory *inv;
    const kp_value *down;   /* words of the nodes that do not answer */
    const kp_view *view;    /* NULL: no broker answers */
    const kp_run_info *run; /* the unfinished one; else the newest; NULL: there is none */
    const kp_record *last;  /* its last record; NULL */
    const kp_value *open;   /* what its journal begins with; NULL */
} status;

/* ---- the cluster ---- */

static void ask_cluster(status *s, kp_world *w)
{
    size_t n = s->inv->n_nodes;
    kp_request *q = KP_NEW_ARRAY(s->a, n + 1, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(s->a, n + 1, kp_reply);
    kp_builder down = kp_list_begin(s->a);

    for (size_t i = 0; i < n; i++)
        q[i] = (kp_request) { .kind = KP_Q_NODE,
                              .node = s->inv->nodes[i].id,
                              .within = 5 * KP_SECOND };
    q[n] = (kp_request) {
        .kind = KP_Q_VIEW, .node = KP_ANY_NODE, .view.with_config = true, .within = 10 * KP_SECOND
    };
    kp_world_ask_all(w, s->a, q, n + 1, reply);
    for (size_t i = 0; i < n; i++)
        if (reply[i].err)
            kp_list_add(&down, kp_text(s->a, kp_node_word(s->a, s->inv, s->inv->nodes[i].id)));
    for (size_t i = 0; i <= n; i++)
        kp_err_drop(reply[i].err);
    s->down = kp_list_end(&down);
    s->view = reply[n].view;
}

/* ---- its run ---- */

static kp_err *find_run(status *s, const char *runs)
{
    kp_run_info *info;
    kp_journal_check check;
    size_t n;

    KP_TRY(kp_runs_list(s->a, runs, &info, &n));
    for (size_t i = 0; i < n && !s->run; i++)
        if (!info[i].finished)
            s->run = &info[i];
    for (size_t i = 0; i < n && !s->run; i++)
        if (info[i].records > 0)
            s->run = &info[i];
    if (!s->run)
        return NULL;
    const char *path = kp_printf(s->a, "%s/%s/journal.jsonl", runs, s->run->run);
    kp_err *e = kp_journal_scan(s->a, path, &check);
    if (!e && check.records > 0) {
        s->last = &check.rec[check.records - 1];
        s->open = check.rec[0].body;
    }
    kp_err_drop(e); /* damaged: its state says so */
    return NULL;
}

static bool asks(const status *s)
{
    return s->last && s->last->kind == KP_K_PAUSE && kp_get(s->last->body, "question");
}

/* Why it stands still, in the words of its last record; "" when that says nothing. */
static const char *why(const status *s)
{
    const kp_value *body = s->last ? s->last->body : NULL;
    return asks(s)
               ? kp_printf(s->a, "it asks: %s", kp_get_text(kp_get(body, "question"), "text", "?"))
               : kp_get_text(kp_get(body, "err"), "what", "");
}

/* Closed for good by a step that failed: a person has to look. */
static bool gave_up(const status *s)
{
    return s->run && s->run->finished && kp_streq(s->run->state, "failed");
}

static const char *next(const status *s)
{
    const char *state = s->run ? s->run->state : "";
    if (gave_up(s))
        return kp_get_text(s->last ? kp_get(s->last->body, "err") : NULL, "next", "");
    if (!s->run || s->run->finished)
        return kp_len(s->down) || !s->view ? "kplay cluster check says more" : "";
    if (kp_streq(state, "open"))
        return "wait for it, or end it with Ctrl-C in its terminal";
    if (kp_streq(state, "damaged"))
        return kp_printf(s->a, "kplay journal verify %s says where it is damaged", s->run->run);
    return kp_printf(s->a,
                     "%skplay resume %s   |   close it for good: kplay run PLAYBOOK "
                     "--supersede %s",
                     asks(s) ? kp_printf(s->a, "kplay approve %s, then ", s->run->run) : "",
                     s->run->run, s->run->run);
}

static const char *told(const status *s)
{
    return !s->run->finished || gave_up(s) ? why(s) : "";
}

/* ---- telling ---- */

static void print(const status *s, kp_ms now)
{
    kp_arena *a = s->a;
    const kp_view_counts *c = s->view ? &s->view->counts : NULL;
    const kp_run_info *run = s->run;
    KP_AUTO_BUF down = KP_BUF_INIT(64 << 10);

    for (size_t i = 0; i < kp_len(s->down); i++)
        kp_buf_fmt(&down, "%s%s", i ? ", " : "", kp_as_text(kp_at(s->down, i), "?"));
    kp_out_line("cluster     %s", s->inv->cluster);
    if (kp_len(s->down) == 0)
        kp_out_line("nodes       all %u answer", s->inv->n_nodes);
    else
        kp_out_line("nodes       %zu of %u answer; down or silent: %s",
                    s->inv->n_nodes - kp_len(s->down), s->inv->n_nodes, kp_buf_text(&down));
    if (c)
        kp_out_line("partitions  %s: %u offline, %u under-replicated, %u below "
                    "min.insync.replicas",
                    kp_count_text(a, c->partitions), c->offline, c->urp, c->under_min_isr);
    else
        kp_out_line("partitions  not known: no broker answers");
    if (!run)
        kp_out_line("run         there was none");
    else
        kp_out_line("run         %s of %s, %s%s%s%s", run->run, run->playbook, run->state,
                    run->finished ? kp_printf(a, " %s ago",
                                              kp_duration_text(
                                                  a, now > run->last ? now - run->last : 0, false))
                                  : "",
                    *told(s) ? ": " : "", told(s));
    if (*next(s))
        kp_out_line("next        %s", kp_hint(a, next(s)));
}

static void print_json(const status *s)
{
    kp_arena *a = s->a;
    const kp_view_counts *c = s->view ? &s->view->counts : NULL;
    const kp_run_info *run = s->run;
    puts(kp_json_text(
        a,
        kp_map(a, "cluster", kp_text(a, s->inv->cluster), "nodes", kp_int(a, s->inv->n_nodes),
               "down", s->down, "partitions",
               c ? kp_map(a, "all", kp_int(a, c->partitions), "offline", kp_int(a, c->offline),
                          "under_replicated", kp_int(a, c->urp), "under_min_isr",
                          kp_int(a, c->under_min_isr), NULL)
                 : NULL,
               "run",
               run ? kp_map(a, "run", kp_text(a, run->run), "playbook", kp_text(a, run->playbook),
                            "state", kp_text(a, run->state), "finished", kp_bool(run->finished),
                            "why", *why(s) ? kp_text(a, why(s)) : NULL, NULL)
                   : NULL,
               "next", *next(s) ? kp_text(a, kp_hint(a, next(s))) : NULL, NULL)));
}

static int status_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json");
    kp_open_cluster c = { 0 };
    kp_err *e = kp_cluster_open(a, line, KP_TO_LOOK, &c);
    status s = { .a = a, .inv = c.inventory };

    if (!e)
        e = find_run(&s, c.runs);
    if (!e) {
        if (s.run)
            kp_hint_run(s.run->run, !s.run->finished);
        kp_hint_again(a, s.open);
        ask_cluster(&s, c.world);
        if (json)
            print_json(&s);
        else
            print(&s, kp_now(c.world));
    }
    kp_cluster_close(&c);
    return kp_cli_fail(e, json);
}

const kp_command kp_cmd_status = {
    .name = "status",
    .usage = "status [options]",
    .options = options,
    .main = status_main,
    .doc =
        "Tell where the cluster and its unfinished run stand, what is down, and what to type.\n\n"
        "Asks each node once and changes nothing; it works beside a run.",
};
