/* Which command a line asks for. */
#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static const kp_command cmd_help;

const kp_command *const kp_commands[] = {
    &kp_cmd_run,     &kp_cmd_resume, &kp_cmd_status,  &kp_cmd_approve,   &kp_cmd_settle,
    &kp_cmd_check,   &kp_cmd_test,   &kp_cmd_cluster, &kp_cmd_playbooks, &kp_cmd_doc,
    &kp_cmd_journal, &kp_cmd_runs,   &kp_cmd_path,    &cmd_help,         NULL,
};

static void overview(kp_arena *a, bool json)
{
    kp_builder all = kp_list_begin(a);
    for (size_t i = 0; json && kp_commands[i]; i++)
        kp_list_add(&all, kp_map(a, "name", kp_text(a, kp_commands[i]->name), "doc",
                                 kp_text(a, kp_commands[i]->doc), NULL));
    if (json) {
        puts(kp_json_text(a, kp_map(a, "commands", kp_list_end(&all), NULL)));
        return;
    }
    puts("kplay runs Lua playbooks against Apache Kafka clusters: upgrades and restarts, "
         "journaled, guarded, rehearsed.\n");
    for (size_t i = 0; kp_commands[i]; i++)
        printf("  kplay %-10s %.*s\n", kp_commands[i]->name,
               (int)strcspn(kp_commands[i]->doc, "\n"), kp_commands[i]->doc);
    puts("\ntry it with no Kafka at all:  kplay run --demo rolling.lua --to 3.9.1");
    puts("more about one of them:       kplay help COMMAND");
}

static kp_err *command_named(const char *name, const kp_command **ret_c)
{
    const char *names[32];
    size_t n = 0;
    for (; kp_commands[n]; n++) {
        names[n] = kp_commands[n]->name;
        *ret_c = kp_commands[n];
        if (kp_streq(name, names[n]))
            return NULL;
    }
    names[n] = NULL;
    const char *near = kp_did_you_mean(name, names);
    return kp_err_new(KP_USAGE, "kplay --help lists them", "unknown command `%s`%s%s%s", name,
                      near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}

static int help_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json");
    const kp_command *c;
    if (line->n_words == 0) {
        overview(a, json);
        return 0;
    }
    kp_err *e = command_named(line->word[0], &c);
    if (e)
        return kp_cli_fail(e, json);
    kp_command_help(a, c, json);
    return 0;
}

static const kp_option help_options[] = { KP_OPT_JSON, KP_OPT_HELP, { 0 } };
static const kp_command cmd_help = {
    .name = "help",
    .usage = "help [COMMAND]",
    .doc = "Tell what the commands are, or what one of them takes.",
    .options = help_options,
    .most_words = 1,
    .main = help_main,
};

static void version(kp_arena *a, bool json)
{
    const char *lua = kp_script_host_table.release;
    if (json)
        puts(kp_json_text(
            a, kp_map(a, "kplay", kp_text(a, KPLAY_VERSION), "lua", kp_text(a, lua), NULL)));
    else
        printf("kplay %s, %s\n", KPLAY_VERSION, lua);
}

/* Of a line that may not be readable. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && !kp_streq(argv[i], "--"); i++)
        if (kp_streq(argv[i], "--json"))
            return true;
    return false;
}

static int run_command(kp_arena *a, const kp_command *c, int argc, char **argv, bool json)
{
    kp_line line;
    kp_err *e = kp_line_read(a, c, argc - 2, argv + 2, &line);
    if (e)
        return kp_cli_fail(e, json);
    kp_hint_line(a, &line, argc, argv);
    bool of_playbook = c == &kp_cmd_run && line.n_words > 0; /* shows its arguments */
    if (kp_flag(&line, "help") && !of_playbook) {
        kp_command_help(a, c, json);
        return 0;
    }
    return c->main(a, &line);
}

/* What was said must have arrived: a full disk is no success. */
static int arrived(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr,
            "kplay: what it says could not be written: %s\n"
            "next  look at where its output goes; `kplay runs` tells how a run ended\n",
            strerror(errno));
    return code ? code : 1;
}

static int carry_out(int argc, char **argv)
{
    KP_AUTO_ARENA a = kp_arena_new("command", (size_t)2 << 30);
    bool json = asks_for_json(argc, argv);
    const char *word = argc > 1 ? argv[1] : NULL;
    const kp_command *c;

    if (!word || kp_streq(word, "--help") || kp_streq(word, "-h")) {
        overview(a, json);
        return word ? 0 : 2;
    }
    if (kp_streq(word, "--version")) {
        version(a, json);
        return 0;
    }
    kp_err *e = command_named(word, &c);
    return e ? kp_cli_fail(e, json) : run_command(a, c, argc, argv, json);
}

int kp_cli_main(int argc, char **argv)
{
    setlocale(LC_ALL, "C");
    return arrived(carry_out(argc, argv));
}
