/* Which command a line asks for. */
#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

const kp_command *const kp_commands[] = {
    &kp_cmd_run,   &kp_cmd_resume,  &kp_cmd_approve, &kp_cmd_settle,
    &kp_cmd_check, &kp_cmd_test,    &kp_cmd_cluster, &kp_cmd_playbooks,
    &kp_cmd_doc,   &kp_cmd_journal, &kp_cmd_runs,    NULL,
};

static void overview(void)
{
    puts("kplay runs Lua playbooks against Apache Kafka clusters: upgrades and restarts, "
         "journaled, guarded, rehearsed.\n");
    for (size_t i = 0; kp_commands[i]; i++)
        printf("  kplay %-10s %.*s\n", kp_commands[i]->name,
               (int)strcspn(kp_commands[i]->doc, "\n"), kp_commands[i]->doc);
    puts("\ntry it with no Kafka at all:  kplay run --demo rolling.lua --to 3.9.1");
    puts("more about one of them:       kplay COMMAND --help");
}

/* Of a line that may not be readable. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && !kp_streq(argv[i], "--"); i++)
        if (kp_streq(argv[i], "--json"))
            return true;
    return false;
}

int kp_cli_main(int argc, char **argv)
{
    setlocale(LC_ALL, "C");
    if (argc < 2 || kp_streq(argv[1], "--help") || kp_streq(argv[1], "-h") ||
        kp_streq(argv[1], "help")) {
        overview();
        return argc < 2 ? 2 : 0;
    }
    if (kp_streq(argv[1], "--version")) {
        printf("kplay %s, %s\n", KPLAY_VERSION, kp_script_host_table.release);
        return 0;
    }
    KP_AUTO_ARENA a = kp_arena_new("command", (size_t)2 << 30);
    bool json = asks_for_json(argc, argv);
    const char *names[32];
    size_t n = 0;
    for (; kp_commands[n]; n++) {
        names[n] = kp_commands[n]->name;
        if (!kp_streq(argv[1], kp_commands[n]->name))
            continue;
        kp_line line;
        kp_err *e = kp_line_read(a, kp_commands[n], argc - 2, argv + 2, &line);
        if (e)
            return kp_cli_fail(e, json);
        kp_hint_line(a, &line, argc, argv);
        bool of_playbook = kp_streq(argv[1], "run") && line.n_words > 0; /* shows its arguments */
        if (kp_flag(&line, "help") && !of_playbook) {
            kp_command_help(a, kp_commands[n], json);
            return 0;
        }
        return kp_commands[n]->main(a, &line);
    }
    names[n] = NULL;
    const char *near = kp_did_you_mean(argv[1], names);
    return kp_cli_fail(kp_err_new(KP_USAGE, "kplay --help lists them", "unknown command `%s`%s%s%s",
                                  argv[1], near ? "; did you mean `" : "", near ? near : "",
                                  near ? "`?" : ""),
                       json);
}
