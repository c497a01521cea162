/* kplay playbooks: which there are, what they do, and whose they are. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>

static const kp_option options[] = {
    KP_OPT_CLUSTER, KP_OPT_JSON, KP_OPT_HELP, { NULL, 0, NULL, NULL }
};

static void list(kp_arena *a, kp_files *f, const char *dir, const char *whose, bool json)
{
    const char *const *names = kp_files_in(a, dir);

    for (size_t i = 0; names[i]; i++) {
        kp_script *s;
        const char *path = kp_printf(a, "%s/%s", dir, names[i]);
        kp_err *e = kp_script_host_table.load(a, path, kp_verbs, kp_files_find, f, &s);
        const char *summary = e ? e->what : kp_script_host_table.header(s)->summary;
        if (json)
            puts(kp_json_text(a, kp_map(a, "playbook", kp_text(a, names[i]), "whose",
                                        kp_text(a, whose), e ? "error" : "summary",
                                        kp_text(a, summary), NULL)));
        else
            kp_out_line("%-20s %-8s %s%s", names[i], whose, e ? "does not load: " : "", summary);
        if (!e)
            kp_script_host_table.free(s);
        kp_err_drop(e);
    }
}

static int playbooks_main(kp_arena *a, const kp_line *line)
{
    kp_files f;
    const char *file = kp_opt(line, "cluster");
    kp_err *e = kp_files_init(a, file ? file : getenv("KPLAY_CLUSTER"), &f);
    if (e)
        return kp_cli_fail(e, kp_flag(line, "json"));
    char *team = kp_printf(a, "%s/playbooks", f.team),
         *shipped = kp_printf(a, "%s/playbooks", f.shipped);
    char real_team[4096], real_shipped[4096];
    bool same = realpath(team, real_team) && realpath(shipped, real_shipped) &&
                kp_streq(real_team, real_shipped);
    if (!same)
        list(a, &f, team, "yours", kp_flag(line, "json"));
    list(a, &f, shipped, "shipped", kp_flag(line, "json"));
    return 0;
}

const kp_command kp_cmd_playbooks = {
    .name = "playbooks",
    .usage = "playbooks [options]",
    .options = options,
    .main = playbooks_main,
    .doc = "List the playbooks: yours (playbooks/ beside the cluster file) and the shipped ones.",
};
