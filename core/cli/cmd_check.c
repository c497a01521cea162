/* kplay check FILE: is a playbook sound, before any cluster sees it?
 *
 * It is compiled, its header is checked, and it runs on a fixed set of simulated clusters -
 * ZooKeeper, KRaft, combined - to see which effects it uses: one it uses and does not declare is
 * refused there as it would be on a real cluster; one it declares and never uses is said.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const kp_option options[] = {
    KP_OPT_CLUSTER, KP_OPT_JSON, KP_OPT_HELP, { NULL, 0, NULL, NULL }
};

static void quiet(void *ud, const kp_event *e)
{
    (void)ud;
    (void)e;
}

typedef struct outcome {
    const char *mode;
    kp_err *err;
    unsigned used;
} outcome;

/* A value for an argument nobody gave: a release that may follow the simulated one, where a version
 * is asked for. */
static const kp_value *arguments(kp_arena *a, const kp_header *h, const kp_value *given,
                                 const char *mode)
{
    const kp_value *args = given;
    for (size_t i = 0; i < h->n_args; i++)
        if (kp_streq(h->args[i].name, "to") && kp_streq(h->args[i].type, "version") &&
            !kp_get(given, "to"))
            args = kp_map_with(a, args, "to",
                               kp_text(a, kp_streq(mode, "zookeeper") ? "3.5.2" : "3.9.1"));
    return args;
}

static void try_on(kp_arena *a, const char *name, kp_files *f, const kp_value *given,
                   const kp_header *h, outcome *o)
{
    kp_sim *sim;
    const kp_value *report = NULL;

    o->err = kp_sim_demo(a, o->mode, &sim);
    if (o->err)
        return;
    kp_run_spec spec = { .verbs = kp_verbs,
                         .world = kp_sim_world(sim),
                         .simulated = true,
                         .inventory = kp_sim_inventory(a, sim, NULL),
                         .playbook = name,
                         .find = kp_files_find,
                         .find_ud = f,
                         .given.value = arguments(a, h, given, o->mode),
                         .who = "check",
                         .assume_yes = true,
                         .sink = { .event = quiet } };
    o->err = kp_run_first(a, &spec, &report);
    const kp_value *used = kp_get(report, "used_effects");
    for (size_t i = 0; i < kp_len(used); i++) {
        kp_grant g;
        if (kp_grant_parse(kp_as_text(kp_at(used, i), ""), &g))
            o->used |= (unsigned)g;
    }
    kp_sim_close(sim);
}

static int check_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json");
    const char *file = kp_opt(line, "cluster");
    kp_files f;
    kp_script *script;
    outcome o[] = { { .mode = "kraft" }, { .mode = "zookeeper" }, { .mode = "combined" } };
    unsigned used = 0;
    int code = 0;

    if (line->n_words == 0)
        return kp_cli_fail(
            kp_err_new(KP_USAGE, "kplay check playbooks/rolling.lua", "check needs a playbook"),
            json);
    kp_err *e = kp_files_init(a, file, &f);
    if (!e)
        e = kp_files_known(a, &f, line->word[0]);
    if (!e)
        e = kp_script_host_table.load(a, line->word[0], kp_verbs, kp_files_find, &f, &script);
    if (e)
        return kp_cli_fail(e, json);
    const kp_header *h = kp_script_host_table.header(script);
    for (size_t i = 0; i < KP_COUNT(o); i++) {
        try_on(a, line->word[0], &f, line->extra, h, &o[i]);
        used |= o[i].used;
        /* A refusal by the playbook's own check, or a question for a mode it is not for, is an
         * outcome, not a fault. */
        bool fault = o[i].err && (o[i].err->cls == KP_PLAYBOOK || o[i].err->cls == KP_INTERNAL ||
                                  o[i].err->cls == KP_USAGE);
        if (fault && code == 0) {
            code = kp_err_exit_code(o[i].err);
            kp_screen_error(o[i].err, json);
        }
        if (!json && !fault)
            kp_out_line("%-10s %s%s", o[i].mode, o[i].err ? "stopped: " : "ran to its end",
                        o[i].err ? o[i].err->what : "");
        kp_err_drop(o[i].err);
    }
    for (unsigned bit = 1; bit && code == 0; bit <<= 1)
        if ((h->effects & bit) && !(used & bit))
            printf(json ? "{\"unused_effect\":\"%s\"}\n"
                        : "warning   effect \"%s\" is declared and used on none of the simulated "
                          "clusters\n",
                   kp_grant_name((kp_grant)bit));
    if (code == 0 && !json)
        kp_out_line("%s is sound", h->name);
    kp_script_host_table.free(script);
    return code;
}

const kp_command kp_cmd_check = {
    .name = "check",
    .usage = "check [options] PLAYBOOK [--ARG VALUE ...]",
    .options = options,
    .takes_extra = true,
    .most_words = 1,
    .main = check_main,
    .doc = "Check a playbook: syntax, header, verbs, and its effects on simulated clusters.",
};
