/* kplay cluster show|check: the cluster as the file says, and as it answers.  Changes nothing. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "live/live.h"

static const kp_option options[] = {
    { "to", 0, "RELEASE", "of check: judge what would stand in the way of that release" },
    { "sudoers", 0, NULL, "of check: print what sudo must allow on each host, and contact none" },
    KP_OPT_CLUSTER,         KP_OPT_DEMO, KP_OPT_MODE, KP_OPT_RUNS, KP_OPT_JSON, KP_OPT_HELP,
    { NULL, 0, NULL, NULL }
};

static const char *role_word(const kp_node *n)
{
    return n->roles == (KP_BROKER | KP_CONTROLLER) ? "combined"
           : n->roles == KP_BROKER                 ? "broker"
                                                   : "controller";
}

static void show(kp_arena *a, const kp_inventory *inv, bool json)
{
    for (uint32_t i = 0; i < inv->n_nodes; i++) {
        const kp_node *n = &inv->nodes[i];
        const char *listener = *n->kafka ? n->kafka : n->controller;
        if (json)
            puts(kp_json_text(
                a, kp_map(a, "id", kp_int(a, n->id), "role", kp_text(a, role_word(n)), "host",
                          kp_text(a, n->host), "rack", *n->rack ? kp_text(a, n->rack) : NULL,
                          "kafka", kp_text(a, listener), "config", kp_text(a, n->layout.config),
                          "current", kp_text(a, n->layout.current), NULL)));
        else
            kp_out_line("%-10s %-6d %-18s %-22s %s", role_word(n), n->id, n->host, listener,
                        n->layout.config);
    }
}

/* What is asked of each node, in this order. */
enum { SAID, HOST, GRANTS, QUESTIONS };

static kp_reply *ask_nodes(kp_arena *a, kp_open_cluster *c)
{
    const kp_inventory *inv = c->inventory;
    size_t n = QUESTIONS * (size_t)inv->n_nodes;
    kp_request *q = KP_NEW_ARRAY(a, n + 1, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(a, n + 1, kp_reply);

    for (size_t i = 0; i < inv->n_nodes; i++) {
        int id = inv->nodes[i].id;
        kp_request *of = &q[QUESTIONS * i];
        of[SAID] = (kp_request) { .kind = KP_Q_NODE, .node = id, .within = 5 * KP_SECOND };
        of[HOST] = (kp_request) {
            .kind = KP_Q_HOST, .node = id, .host.since = -1, .within = 20 * KP_SECOND
        };
        of[GRANTS] = (kp_request) { .kind = KP_Q_GRANTS, .node = id, .within = 20 * KP_SECOND };
    }
    kp_world_ask_all(c->world, a, q, n, reply);
    return reply;
}

/* Adds what is not as it should be; the class of the last of it, or 0.  *cluster_id: as the nodes
 * before it answer. */
static kp_class find_wrong(kp_arena *a, const kp_node *node, const kp_reply *reply,
                           const char **cluster_id, kp_buf *wrong)
{
    const char *id = kp_get_text(reply[SAID].value, "cluster_id", "");
    const kp_value *denied = reply[GRANTS].value;
    kp_class worst = 0;

    for (int k = 0; k < QUESTIONS; k++) {
        const kp_err *e = reply[k].err;
        if (!e)
            continue;
        worst = e->cls;
        kp_buf_fmt(wrong, "  %s%s%s\n  next  %s\n", e->where, *e->where ? ": " : "",
                   kp_printable(a, e->what, strlen(e->what)), kp_hint(a, e->next));
    }
    int64_t process = kp_get_int(kp_get(reply[HOST].value, "process"), "node_id", node->id);
    if (process != node->id) {
        worst = KP_SAFETY;
        kp_buf_fmt(wrong,
                   "  the process there is node %" PRId64 ", the cluster file says %d (%s)\n",
                   process, node->id, node->where);
    }
    for (size_t k = 0; k < kp_len(denied); k++) {
        worst = KP_HOST;
        kp_buf_fmt(wrong, "  not allowed: %s\n", kp_as_text(kp_at(denied, k), "?"));
    }
    if (*id && *cluster_id && !kp_streq(id, *cluster_id)) {
        worst = KP_SAFETY;
        kp_buf_fmt(wrong, "  it answers as cluster %s, the others as %s\n", id, *cluster_id);
    }
    if (*id)
        *cluster_id = id;
    return worst;
}

static void print_node(kp_arena *a, const kp_node *node, const kp_reply *reply, const kp_buf *wrong,
                       bool json)
{
    const kp_value *said = reply[SAID].value, *host = reply[HOST].value;

    if (json) {
        puts(kp_json_text(a, kp_map(a, "id", kp_int(a, node->id), "node", said, "host", host,
                                    "findings", wrong->n ? kp_text(a, kp_buf_text(wrong)) : NULL,
                                    NULL)));
        return;
    }
    kp_out_line("%-10s %-6d %-18s %-12s pid %-8" PRId64 " runs %-8s link %-8s %s", role_word(node),
                node->id, node->host,
                reply[SAID].err ? "no answer" : kp_get_text(said, "mode", "?"),
                kp_get_int(host, "pid", 0), kp_get_text(host, "running_release", "-"),
                kp_get_text(host, "link_release", "-"), wrong->n ? "" : "well");
    kp_out_lines(kp_buf_text(wrong));
}

/* One line a node: what its listener says, what its host says, and what the SSH user may not do.
 * Returns the worst class. */
static kp_class check(kp_arena *a, kp_open_cluster *c, bool json)
{
    kp_reply *all = ask_nodes(a, c);
    kp_class worst = 0;
    const char *cluster_id = NULL;

    for (size_t i = 0; i < c->inventory->n_nodes; i++) {
        const kp_node *node = &c->inventory->nodes[i];
        kp_reply *reply = &all[QUESTIONS * i];
        KP_AUTO_BUF wrong = KP_BUF_INIT(16 * 1024);
        kp_class found = find_wrong(a, node, reply, &cluster_id, &wrong);

        worst = found ? found : worst;
        print_node(a, node, reply, &wrong, json);
        for (int k = 0; k < QUESTIONS; k++)
            kp_err_drop(reply[k].err);
    }
    return worst;
}

/* What the guard's rows find of every node, as a run would before its first action. */
static kp_class rows(kp_arena *a, kp_open_cluster *c, const char *to, bool json)
{
    kp_run_spec spec = { .verbs = kp_verbs,
                         .world = c->world,
                         .simulated = c->simulated,
                         .inventory = c->inventory,
                         .who = kp_whoami(a) };
    const kp_value *found;
    kp_class worst = 0;
    kp_err *e = kp_run_findings(a, &spec, NULL, to, &found);

    if (e) { /* no broker, or a host, does not answer: said of each of them already */
        worst = e->cls;
        kp_err_drop(e);
        return worst;
    }
    for (size_t i = 0; i < kp_len(found); i++) {
        const kp_value *f = kp_at(found, i);
        bool refuses = kp_streq(kp_get_text(f, "severity", ""), "refuse");
        const char *who = kp_get_text(f, "who", ""), *text = kp_get_text(f, "text", "");
        worst = refuses ? KP_SAFETY : worst ? worst : KP_WARNED;
        if (json)
            puts(kp_json_text(a, kp_map(a, "finding", f, NULL)));
        if (json)
            continue;
        kp_out_line("%-9s %s%s%s", refuses ? "refused" : "warning", strstr(text, who) ? "" : who,
                    strstr(text, who) ? "" : ": ", text);
        kp_out_lines(kp_get_text(f, "detail", ""));
        kp_out_line("next      %s", kp_hint(a, kp_get_text(f, "next", "")));
    }
    return worst;
}

static int cluster_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json");
    const char *what = line->word[0];
    kp_open_cluster c = { 0 };

    bool resets = kp_streq(what, "reset");
    kp_err *e = kp_cluster_open(a, line, resets ? KP_TO_FIND : KP_TO_LOOK, &c);
    if (!e && resets)
        e = kp_cluster_reset(a, &c);
    if (e || resets) {
        if (!e && json)
            puts(kp_json_text(a, kp_map(a, "reset", kp_bool(true), NULL)));
        else if (!e)
            kp_out_line("the next run finds a fresh simulated cluster");
        kp_cluster_close(&c);
        return kp_cli_fail(e, json);
    }
    kp_class worst = 0;
    if (kp_flag(line, "sudoers")) {
        const char *lines = c.simulated ? "" : kp_live_sudoers(a, c.world);
        fputs(*lines ? lines : "no node of this cluster is reached by sudo\n", stdout);
    } else if (kp_streq(what, "show"))
        show(a, c.inventory, json);
    else
        worst = check(a, &c, json);
    if (kp_streq(what, "check") && !kp_flag(line, "sudoers")) {
        kp_class found = rows(a, &c, kp_opt(line, "to"), json);
        worst = worst ? worst : found;
    }
    kp_cluster_close(&c);
    if (worst == KP_WARNED)
        return kp_cli_fail(kp_err_new(worst, "read what it warns of",
                                      "kplay may work on the cluster, with warnings"),
                           json);
    if (worst)
        return kp_cli_fail(
            kp_err_new(worst, "mend what is listed above, then check again",
                       "the cluster is not as the file says, or does not let kplay work"),
            json);
    return 0;
}

static const char *const actions[] = { "show", "check", "reset", NULL };

const kp_command kp_cmd_cluster = {
    .name = "cluster",
    .usage = "cluster show|check|reset [options]",
    .options = options,
    .actions = actions,
    .most_words = 1,
    .main = cluster_main,
    .doc = "Show the cluster file's nodes, or check that each answers, is who it should be, and "
           "lets kplay work.\n\n"
           "A simulated cluster stays as runs left it; reset makes the next run begin on a fresh "
           "one.",
};
