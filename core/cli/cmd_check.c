/* kplay check FILE: is a playbook sound, before any cluster sees it?
 *
 * It is compiled, its header is checked, and it runs on simulated clusters: on one like that of the
 * cluster file, with the arguments that file gives it; without a cluster file on the demos -
 * ZooKeeper, KRaft, combined.  An effect that it uses and does not declare is refused there as it
 * would be on a real cluster; one it declares and never uses is said.
 */
#include "cli/cli.h"

#include <string.h>

static const kp_option options[] = {
    KP_OPT_CLUSTER, KP_OPT_JSON, KP_OPT_HELP, { NULL, 0, NULL, NULL }
};

/* What came of one simulated cluster.  Stopped: the playbook's own refusal there, or anything else
 * that is no fault of its text. */
typedef enum outcome { RAN, STOPPED, FAULTY, NOT_TRIED } outcome;
static const char *const outcomes[] = { "ran", "stopped", "fault", "not tried" };

typedef struct trial {
    const char *mode;
    outcome outcome;
    const char *why;         /* not tried */
    kp_err *err;             /* stopped, faulty */
    const kp_value *effects; /* used */
    const kp_value *down;    /* nodes that it stopped and did not start, in words */
    kp_sim *sim;             /* while it runs */
    kp_ms until;             /* of the simulated clock */
    bool cut;
} trial;

/* Whoever waits longer than this on a cluster where all is well waits for ever. */
#define LONGEST (7 * 24 * KP_HOUR)

static void watch(void *ud, const kp_event *e)
{
    trial *t = ud;
    if (e->t <= t->until)
        return;
    t->cut = true;
    kp_sim_interrupt(t->sim);
}

typedef struct checked {
    kp_arena *a;
    const char *playbook; /* as it was typed */
    kp_files files;
    const kp_inventory *inv; /* of the cluster file; NULL: there is none */
    const kp_value *given;
    const kp_header *header;
    trial trial[3];
    size_t n;
} checked;

/* ---- a simulated cluster like the one that the cluster file describes ---- */

static const char *mode_of(const kp_inventory *inv)
{
    const char *mode = "zookeeper";
    if (inv->simulate)
        return kp_get_text(inv->simulate, "mode", "kraft");
    for (uint32_t i = 0; i < inv->n_nodes; i++) {
        if (inv->nodes[i].roles == (KP_BROKER | KP_CONTROLLER))
            return "combined";
        if (kp_node_is(&inv->nodes[i], KP_CONTROLLER))
            mode = "kraft";
    }
    return mode;
}

/* Twelve partitions in turn over the brokers, on three of them where there are as many. */
static const kp_value *some_topic(kp_arena *a, const kp_inventory *inv)
{
    enum { PARTITIONS = 12, COPIES = 3 };
    kp_builder all = kp_list_begin(a), partitions = kp_list_begin(a);
    for (uint32_t i = 0; i < inv->n_nodes; i++)
        if (kp_node_is(&inv->nodes[i], KP_BROKER))
            kp_list_add(&all, kp_int(a, inv->nodes[i].id));
    const kp_value *brokers = kp_list_end(&all);
    size_t n = kp_len(brokers), rf = n < COPIES ? n : COPIES;
    for (size_t p = 0; p < PARTITIONS && n > 0; p++) {
        kp_builder on = kp_list_begin(a), one = kp_list_begin(a);
        for (size_t k = 0; k < rf; k++)
            kp_list_add(&on, kp_at(brokers, (p + k) % n));
        const kp_value *replicas = kp_list_end(&on);
        kp_list_add(&one, replicas);
        kp_list_add(&one, replicas);
        kp_list_add(&one, kp_at(replicas, 0));
        kp_list_add(&partitions, kp_list_end(&one));
    }
    return kp_map(a, "name", kp_text(a, "orders"), "min_isr", kp_int(a, rf < COPIES ? 1 : 2),
                  "partitions", kp_list_end(&partitions), NULL);
}

static kp_err *like_the_file(kp_arena *a, const kp_inventory *inv, const char *mode,
                             kp_sim **ret_sim)
{
    kp_builder brokers = kp_list_begin(a), controllers = kp_list_begin(a),
               topics = kp_list_begin(a);

    if (inv->simulate)
        return kp_cluster_described(a, inv, ret_sim);
    for (uint32_t i = 0; i < inv->n_nodes; i++) {
        const kp_node *n = &inv->nodes[i];
        kp_list_add(kp_node_is(n, KP_BROKER) ? &brokers : &controllers,
                    kp_map(a, "id", kp_int(a, n->id), "host", kp_text(a, n->host), "rack",
                           *n->rack ? kp_text(a, n->rack) : NULL, "release",
                           kp_text(a, kp_streq(mode, "zookeeper") ? "3.4.1" : "3.7.2"), "voter",
                           kp_bool(kp_node_is(n, KP_CONTROLLER)), NULL));
    }
    kp_list_add(&topics, some_topic(a, inv));
    return kp_sim_from_snapshot(
        a,
        kp_map(a, "mode", kp_text(a, mode), "brokers", kp_list_end(&brokers), "controllers",
               kp_list_end(&controllers), "topics", kp_list_end(&topics), NULL),
        ret_sim);
}

/* ---- one trial ---- */

/* A value for an argument nobody gave: a release that may follow the simulated one, where a version
 * is asked for. */
static const kp_value *arguments(const checked *c, const char *mode)
{
    const kp_header *h = c->header;
    const kp_value *args = c->given, *team = c->inv ? kp_team_args(c->a, h, c->inv) : NULL;
    for (size_t i = 0; i < h->n_args; i++)
        if (kp_streq(h->args[i].name, "to") && kp_streq(h->args[i].type, "version") &&
            !kp_get(args, "to") && !kp_get(team, "to"))
            args = kp_map_with(c->a, args, "to",
                               kp_text(c->a, kp_streq(mode, "zookeeper") ? "3.5.2" : "3.9.1"));
    return args;
}

/* In combined nodes a broker's restart is a controller's: a playbook for the one alone is for other
 * clusters. */
static bool is_for(const checked *c, const char *mode)
{
    unsigned both = KP_G_BROKER_RESTART | KP_G_CONTROLLER_RESTART,
             declared = c->header->effects & both;
    return c->inv || !kp_streq(mode, "combined") || declared == 0 || declared == both;
}

static kp_err *run_on(checked *c, trial *t, kp_sim *sim)
{
    const kp_value *report = NULL;
    kp_run_spec spec = { .verbs = kp_verbs,
                         .world = kp_sim_world(sim),
                         .simulated = true,
                         .inventory = kp_sim_inventory(c->a, sim, c->inv),
                         .playbook = c->playbook,
                         .find = kp_files_find,
                         .find_ud = &c->files,
                         .given.value = arguments(c, t->mode),
                         .who = "check",
                         .assume_yes = true,
                         .sink = { .event = watch, .ud = t } };
    t->sim = sim;
    t->until = kp_now(spec.world) + LONGEST;
    kp_err *e = kp_run_first(c->a, &spec, &report);
    t->effects = kp_get(report, "used_effects");
    t->down = kp_get(report, "down");
    if (!t->cut)
        return e;
    kp_err_drop(e);
    return kp_err_new(KP_PLAYBOOK, "let its loops end",
                      "it has not come to an end after %s of the "
                      "simulated cluster's time",
                      kp_duration_text(c->a, LONGEST, false));
}

static void try_on(checked *c, const char *mode)
{
    trial *t = &c->trial[c->n++];
    kp_sim *sim = NULL;

    *t = (trial) { .mode = mode };
    if (!is_for(c, mode)) {
        t->outcome = NOT_TRIED;
        t->why = "there a broker's restart is a controller's, and it declares one of them";
        return;
    }
    t->err = c->inv ? like_the_file(c->a, c->inv, mode, &sim) : kp_sim_demo(c->a, mode, &sim);
    if (!t->err)
        t->err = run_on(c, t, sim);
    if (sim)
        kp_sim_close(sim);
    if (!t->err)
        return;
    bool fault = t->err->cls == KP_USAGE || t->err->cls == KP_PLAYBOOK ||
                 t->err->cls == KP_CONFIG || t->err->cls == KP_INTERNAL;
    t->outcome = fault ? FAULTY : STOPPED;
}

/* ---- what is said of it ---- */

static bool is_used(const checked *c, const char *effect)
{
    for (size_t i = 0; i < c->n; i++)
        if (kp_list_has_text(c->trial[i].effects, effect))
            return true;
    return false;
}

/* Declared and used nowhere: known only when each of the demos was seen to the end. */
static const kp_value *unused(const checked *c)
{
    kp_builder list = kp_list_begin(c->a);
    bool known = c->inv == NULL;
    for (size_t i = 0; i < c->n; i++)
        known = known && (c->trial[i].outcome == RAN || c->trial[i].outcome == NOT_TRIED);
    for (size_t i = 0; known && kp_grant_names()[i]; i++) {
        const char *name = kp_grant_names()[i];
        kp_grant one;
        if (kp_grant_parse(name, &one) && (c->header->effects & one) && !is_used(c, name))
            kp_list_add(&list, kp_text(c->a, name));
    }
    return kp_list_end(&list);
}

/* The modes it came to its end on. */
static const kp_value *ran_on(const checked *c)
{
    kp_builder list = kp_list_begin(c->a);
    for (size_t i = 0; i < c->n; i++)
        if (c->trial[i].outcome == RAN)
            kp_list_add(&list, kp_text(c->a, c->trial[i].mode));
    return kp_list_end(&list);
}

static const kp_value *error_value(kp_arena *a, const kp_err *e)
{
    return kp_map_with(a, kp_err_value(a, e), "next", kp_text(a, kp_hint(a, e->next)));
}

static void tell_trial(const checked *c, const trial *t, bool json)
{
    if (json)
        kp_out_line("%s", kp_json_text(c->a, kp_map(c->a, "playbook", kp_text(c->a, c->playbook),
                                                    "cluster", kp_text(c->a, t->mode), "outcome",
                                                    kp_text(c->a, outcomes[t->outcome]), "why",
                                                    t->why ? kp_text(c->a, t->why) : NULL, "error",
                                                    t->err ? error_value(c->a, t->err) : NULL,
                                                    "effects", t->effects, "down",
                                                    kp_len(t->down) ? t->down : NULL, NULL)));
    else if (t->outcome == RAN)
        kp_out_line("%-10s ran to its end", t->mode);
    else if (t->outcome != FAULTY) /* a fault is shown by itself, with its place */
        kp_out_line("%-10s %s: %s", t->mode, outcomes[t->outcome], t->err ? t->err->what : t->why);
}

/* Meant, where a host is to be worked on; else forgotten. */
static void warn_down(const checked *c, bool json)
{
    for (size_t i = 0; !json && i < c->n; i++)
        for (size_t k = 0; k < kp_len(c->trial[i].down); k++)
            kp_out_line("warning    on %s it leaves %s stopped", c->trial[i].mode,
                        kp_as_text(kp_at(c->trial[i].down, k), ""));
}

/* The last word: sound is what ran to its end wherever it was tried. */
static kp_err *verdict(checked *c, bool json)
{
    const kp_value *ran = ran_on(c), *left = unused(c);
    size_t tried = 0;
    KP_AUTO_BUF on = KP_BUF_INIT(256);

    for (size_t i = 0; i < c->n; i++)
        tried += c->trial[i].outcome != NOT_TRIED;
    bool sound = kp_len(ran) == tried;
    if (json)
        kp_out_line("%s", kp_json_text(c->a, kp_map(c->a, "playbook", kp_text(c->a, c->playbook),
                                                    "sound", kp_bool(sound), "ran", ran,
                                                    "unused_effects", left, NULL)));
    for (size_t i = 0; i < c->n; i++)
        if (c->trial[i].outcome == FAULTY) {
            kp_err *e = c->trial[i].err;
            c->trial[i].err = NULL;
            return e;
        }
    if (kp_len(ran) == 0 && c->inv)
        return kp_err_detail(
            kp_err_next(kp_err_new(KP_REFUSED, "mend it",
                                   "%s was stopped on a simulated cluster like yours: what comes "
                                   "after that is not checked",
                                   c->playbook),
                        "%s", c->trial[0].err->next),
            c->inv->simulate
                ? "%s"
                : "%s  its one topic, orders, is made up: 12 partitions, on three brokers "
                  "where there are as many\n",
            c->trial[0].err->detail);
    if (kp_len(ran) == 0)
        return kp_err_new(KP_REFUSED,
                          "describe a cluster that it can run on in a file (README, The cluster "
                          "file), and check it there: -c FILE",
                          "%s was stopped wherever it was tried: what comes after that is not "
                          "checked",
                          c->playbook);
    for (size_t i = 0; i < kp_len(ran); i++)
        kp_buf_fmt(&on, "%s%s", i ? ", " : "", kp_as_text(kp_at(ran, i), ""));
    warn_down(c, json);
    for (size_t i = 0; !json && i < kp_len(left); i++)
        kp_out_line("warning    effect \"%s\" is declared and used on none of the simulated "
                    "clusters",
                    kp_as_text(kp_at(left, i), ""));
    if (!json && sound)
        kp_out_line("%s is sound", c->playbook);
    else if (!json)
        kp_out_line("%s is sound on %s; where it stopped, what comes after that is not checked",
                    c->playbook, kp_buf_text(&on));
    return NULL;
}

static kp_err *prepare(kp_arena *a, const kp_line *line, checked *c)
{
    kp_open_cluster cluster;
    *c = (checked) { .a = a, .given = line->extra };
    if (line->n_words == 0)
        return kp_err_new(KP_USAGE, "kplay check playbooks/rolling.lua", "check needs a playbook");
    c->playbook = line->word[0];
    if (kp_cluster_file(line)) {
        KP_TRY(kp_cluster_open(a, line, KP_TO_FIND, &cluster));
        c->inv = cluster.inventory;
        c->files = cluster.files;
    } else {
        KP_TRY(kp_files_init(a, NULL, &c->files));
    }
    return kp_files_known(a, &c->files, c->playbook);
}

static kp_err *all_given(const checked *c)
{
    const kp_value *team = c->inv ? kp_team_args(c->a, c->header, c->inv) : NULL;
    for (size_t i = 0; i < c->header->n_args; i++) {
        const kp_script_arg *arg = &c->header->args[i];
        if (!arg->required || kp_get(c->given, arg->name) || kp_get(team, arg->name))
            continue;
        kp_err *e = kp_err_new(KP_USAGE, "-",
                               "%s can be read; to be tried it "
                               "needs --%s: %s",
                               c->playbook, arg->name, arg->doc);
        return kp_err_next(e, "kplay check %s --%s VALUE", c->playbook, arg->name);
    }
    return NULL;
}

static int check_main(kp_arena *a, const kp_line *line)
{
    static const char *const modes[] = { "kraft", "zookeeper", "combined" };
    bool json = kp_flag(line, "json");
    kp_script *script;
    checked c;

    kp_err *e = prepare(a, line, &c);
    if (!e)
        e = kp_script_host_table.load(a, c.playbook, kp_verbs, kp_files_find, &c.files, &script);
    if (e)
        return kp_cli_fail(e, json);
    c.header = kp_script_host_table.header(script);
    e = all_given(&c);
    if (!e && c.inv)
        try_on(&c, mode_of(c.inv));
    for (size_t i = 0; !e && !c.inv && i < KP_COUNT(modes); i++)
        try_on(&c, modes[i]);
    for (size_t i = 0; i < c.n; i++)
        tell_trial(&c, &c.trial[i], json);
    if (!e)
        e = verdict(&c, json);
    for (size_t i = 0; i < c.n; i++)
        kp_err_drop(c.trial[i].err);
    kp_script_host_table.free(script);
    return e ? kp_cli_fail(e, json) : 0;
}

const kp_command kp_cmd_check = {
    .name = "check",
    .usage = "check [options] PLAYBOOK [--ARG VALUE ...]",
    .options = options,
    .takes_extra = true,
    .most_words = 1,
    .main = check_main,
    .doc = "Check a playbook: syntax, header, verbs, and its effects on simulated clusters.\n\n"
           "With a cluster file it runs on a simulated cluster of the same nodes and mode, with "
           "the\narguments that the file gives it; without one on a demo of each mode.",
};
