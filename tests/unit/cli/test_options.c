/* Command lines: flags, values, a playbook's own arguments, and what is said of wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/cli.h"

/* The commands are not run here: the script host has nothing in it. */
const kp_script_host kp_script_host_table = { .release = "none" };

static const kp_option options[] = { { "cluster", 'c', "FILE", "d" },
                                     { "yes", 'y', NULL, "d" },
                                     { NULL, 0, NULL, NULL } };
static const kp_command strict = {
    .name = "strict", .usage = "strict", .doc = "d", .options = options
};
static const kp_command loose = { .name = "loose",
                                  .usage = "loose",
                                  .doc = "d",
                                  .options = options,
                                  .takes_extra = true,
                                  .most_words = 2 };

static kp_err *read_line(kp_arena *a, const kp_command *c, const char *text, kp_line *ret_line)
{
    char *copy = kp_strdup(a, text), *save = NULL;
    char **argv = KP_NEW_ARRAY(a, 32, char *);
    int argc = 0;
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    return kp_line_read(a, c, argc, argv, ret_line);
}

static void lines_are_read(void **state)
{
    static const struct {
        const char *text, *set, *extra, *words;
    } rows[] = {
        { "a b", "{}", "{}", "a b" },
        { "-c f a", "{\"cluster\":\"f\"}", "{}", "a" },
        { "--cluster=f -y", "{\"cluster\":\"f\",\"yes\":true}", "{}", "" },
        { "a --to 3.9.1 --yes", "{\"yes\":true}", "{\"to\":\"3.9.1\"}", "a" },
        { "a --to=3.9.1", "{}", "{\"to\":\"3.9.1\"}", "a" },
        { "a --flag --to 3", "{}", "{\"flag\":true,\"to\":\"3\"}", "a" },
        { "a --skip 1 --skip=2", "{}", "{\"skip\":[\"1\",\"2\"]}", "a" },
        { "-- --to", "{}", "{}", "--to" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_line line;
        assert_null(read_line(a, &loose, rows[i].text, &line));
        assert_string_equal(kp_json_text(a, line.set), rows[i].set);
        assert_string_equal(kp_json_text(a, line.extra), rows[i].extra);
        KP_AUTO_BUF words = KP_BUF_INIT(1024);
        for (size_t k = 0; k < line.n_words; k++)
            kp_buf_fmt(&words, "%s%s", k ? " " : "", line.word[k]);
        assert_string_equal(kp_buf_text(&words), rows[i].words);
    }
}

static void wrong_lines_are_said(void **state)
{
    static const struct {
        const char *text, *what;
    } rows[] = {
        { "--clustr f", "unknown option --clustr; did you mean --cluster?" },
        { "--to 3", "unknown option --to" },
        { "-x", "unknown option -x" },
        { "--cluster", "--cluster needs a value (FILE)" },
        { "--yes=no", "--yes takes no value" },
        { "-c f --cluster g", "--cluster is given twice" },
        { "a", "strict: \"a\" is one word too many" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_line line;
        kp_err *e = read_line(a, &strict, rows[i].text, &line);
        assert_non_null(e);
        assert_int_equal(e->cls, KP_USAGE);
        assert_non_null(strstr(e->what, rows[i].what));
        kp_err_drop(e);
    }
}

static void every_command_has_help_and_a_json_where_a_machine_reads(void **state)
{
    (void)state;
    for (size_t i = 0; kp_commands[i]; i++) {
        const kp_command *c = kp_commands[i];
        bool help = false;
        for (const kp_option *o = c->options; o->name; o++)
            help = help || kp_streq(o->name, "help");
        assert_true(help);
        assert_true(kp_starts_with(c->usage, c->name));
        assert_non_null(c->main);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(wrong_lines_are_said),
        cmocka_unit_test(every_command_has_help_and_a_json_where_a_machine_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
