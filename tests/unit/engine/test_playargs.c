/* A playbook's own arguments: what each type takes, from whom it comes, and what is said of a wrong
 * one. */
#include "engine/with_script.h"

#include "engine/run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const kp_node nodes[] = { { .id = 1, .roles = KP_BROKER },
                                 { .id = 2, .roles = KP_BROKER | KP_CONTROLLER },
                                 { .id = 3001, .roles = KP_CONTROLLER } };
static const kp_inventory inventory = { .path = "kplay.yaml", .n_nodes = 3, .nodes = nodes };

static const kp_value *json(kp_arena *a, const char *text)
{
    const kp_value *v;
    kp_err *e = kp_json_read(a, text, strlen(text), &v);
    assert_null(e);
    return v;
}

/* {"x": given} of that type, on the command line. */
static kp_err *one(kp_arena *a, const char *type, const char *given, const kp_value **ret_args)
{
    const kp_script_arg arg = { .name = "x", .type = type, .doc = "d" };
    const kp_header header = { .name = "p.lua", .n_args = 1, .args = &arg };
    const kp_value *origin;
    return kp_run_args(a, &header, &inventory,
                       &(kp_given_args) { .value = kp_map(a, "x", json(a, given), NULL) }, ret_args,
                       &origin);
}

static void what_a_type_takes_becomes_its_value(void **state)
{
    static const struct {
        const char *type, *given, *args;
    } rows[] = {
        { "int", "\"12\"", "{\"x\":12}" },
        { "int", "\"-3\"", "{\"x\":-3}" },
        { "int", "7", "{\"x\":7}" },
        { "int", "\"9223372036854775807\"", "{\"x\":9223372036854775807}" },
        { "bool", "\"true\"", "{\"x\":true}" },
        { "bool", "\"yes\"", "{\"x\":true}" },
        { "bool", "\"false\"", "{\"x\":false}" },
        { "bool", "\"no\"", "{\"x\":false}" },
        { "bool", "true", "{\"x\":true}" },
        { "bool", "false", "{\"x\":false}" },
        { "version", "\"3.9.1\"", "{\"x\":\"3.9.1\"}" },
        { "duration", "\"1h30m\"", "{\"x\":\"1h30m\"}" },
        { "text", "\"a b\"", "{\"x\":\"a b\"}" },
        { "module", "\"team.night\"", "{\"x\":\"team.night\"}" },
        { "path", "\"../a b.json\"", "{\"x\":\"../a b.json\"}" },
        { "node", "\"3001\"", "{\"x\":3001}" },
        { "node", "2", "{\"x\":2}" },
        { "broker", "\"2\"", "{\"x\":2}" }, /* a combined node is a broker */
        { "node[]", "\"3001, 1\"", "{\"x\":[3001,1]}" },
        { "node[]", "\"2\"", "{\"x\":[2]}" },
        { "node[]", "\"\"", "{\"x\":[]}" },
        { "node[]", "1", "{\"x\":[1]}" },
        { "node[]", "[2,\"3001\"]", "{\"x\":[2,3001]}" },
        { "node[]", "[]", "{\"x\":[]}" },
        { "broker[]", "\"1,2\"", "{\"x\":[1,2]}" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const kp_value *args;
        kp_err *e = one(a, rows[i].type, rows[i].given, &args);
        if (e)
            print_error("%s %s: %s\n", rows[i].type, rows[i].given, e->what);
        assert_null(e);
        assert_string_equal(kp_json_text(a, args), rows[i].args);
    }
}

static void what_a_type_does_not_take_is_said(void **state)
{
    static const struct {
        const char *type, *given, *what;
    } rows[] = {
        { "int", "\"12x\"", "x takes a whole number, got \"12x\"" },
        { "int", "\"\"", "x takes a whole number, got \"\"" },
        { "int", "\"1.5\"", "x takes a whole number, got \"1.5\"" },
        { "int", "\"9223372036854775808\"", "takes a whole number, got \"9223372036854775808\"" },
        { "int", "true", "it needs a value: a whole number" },
        { "version", "[\"3.9.1\",\"3.8.0\"]", "it is given 2 times, and takes one value" },
        { "bool", "\"maybe\"", "x takes true or false, got \"maybe\"" },
        { "bool", "1", "x takes true or false, got \"1\"" },
        { "bool", "[]", "x takes true or false, got \"list\"" },
        { "version", "39", "x takes a release like 3.9.1, got \"39\"" },
        { "version", "\"latest\"", "x takes a release like 3.9.1, got \"latest\"" },
        { "duration", "\"90\"", "x takes a duration like 90s, 30m or 2h, got \"90\"" },
        { "duration", "90", "x takes a duration like 90s, 30m or 2h, got \"90\"" },
        { "text", "3", "x takes a text, got \"3\"" },
        { "module", "{}", "x takes a text, got \"map\"" },
        { "path", "\"\"", "x takes the path of a file, got \"\"" },
        { "path", "\"a\\u0000b\"", "x takes the path of a file, got \"a\"" },
        { "path", "7", "x takes the path of a file, got \"7\"" },
        { "node", "\"b1\"", "x takes a node's id, got \"b1\"" },
        { "node", "\"99999999999999999999\"", "x takes a node's id, got" },
        { "node", "7", "x takes the id of a node in the cluster file, got \"7\"" },
        { "node", "\"4294967297\"", "the id of a node in the cluster file, got \"4294967297\"" },
        { "broker", "\"3001\"", "x takes the id of a node in the cluster file, got \"3001\"" },
        { "node[]", "\"1,b2\"", "x takes a node's id, got \"b2\"" },
        { "node[]", "[1,true]", "it needs a value: ids of nodes, like 1,2" },
        { "node[]", "[1,9]", "x takes the id of a node in the cluster file, got \"9\"" },
        { "broker[]", "\"1,3001\"", "the id of a node in the cluster file, got \"3001\"" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const kp_value *args = NULL;
        kp_err *e = one(a, rows[i].type, rows[i].given, &args);
        if (!e || !strstr(e->what, rows[i].what))
            print_error("%s %s: %s\n", rows[i].type, rows[i].given, e ? e->what : "taken");
        assert_non_null(e);
        assert_int_equal(e->cls, KP_USAGE);
        assert_string_equal(e->where, "--x");
        assert_non_null(strstr(e->what, rows[i].what));
        assert_null(args);
        kp_err_drop(e);
    }
}

/* ---- where they come from ---- */

static const kp_value of_hour = { .type = KP_BYTES, .n = 2, .u.s = "1h" };
static const kp_value nothing = { .type = KP_NIL };
static const kp_script_arg declared[] = {
    { .name = "pause", .type = "duration", .doc = "d", .otherwise = &of_hour },
    { .name = "skip", .type = "node[]", .doc = "d", .otherwise = &nothing },
    { .name = "to", .type = "version", .doc = "the release", .required = true },
};

static void the_line_wins_over_the_file_and_the_file_over_the_default(void **state)
{
    static const struct {
        const char *file, *line, *args, *from;
    } rows[] = {
        { "{}", "{'to':'3.9.1'}", "{'pause':'1h','to':'3.9.1'}",
          "{'pause':'default','to':'--to'}" },
        { "{'rolling':{'pause':'2h','to':'3.8.0'}}", "{'to':'3.9.1'}",
          "{'pause':'2h','to':'3.9.1'}", "{'pause':'kplay.yaml:9:5','to':'--to'}" },
        { "{'rolling':{'pause':'2h','to':'3.8.0'}}", "{'pause':'3h'}",
          "{'pause':'3h','to':'3.8.0'}", "{'pause':'--pause','to':'kplay.yaml'}" },
        { "{'other':{'pause':'2h'}}", "{'skip':'1','to':'3.9.1'}",
          "{'pause':'1h','skip':[1],'to':'3.9.1'}",
          "{'pause':'default','skip':'--skip','to':'--to'}" },
    };
    static const char *const names[] = { "rolling.lua", "ours/rolling.lua", "/etc/a.b/rolling.lua",
                                         "rolling" };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows) * KP_COUNT(names); i++) {
        const char *const text[] = { rows[i / 4].file, rows[i / 4].line, rows[i / 4].args,
                                     rows[i / 4].from };
        char *t[4];
        for (size_t k = 0; k < 4; k++) {
            t[k] = kp_strdup(a, text[k]);
            for (char *c = t[k]; *c; c++)
                *c = *c == '\'' ? '"' : *c;
        }
        const kp_header header = { .name = names[i % 4], .n_args = 3, .args = declared };
        kp_inventory inv = inventory;
        inv.playbooks = json(a, t[0]);
        inv.where = json(a, "{\"playbooks.rolling.pause\":\"kplay.yaml:9:5\"}");
        const kp_value *args, *origin;
        assert_null(kp_run_args(a, &header, &inv, &(kp_given_args) { .value = json(a, t[1]) },
                                &args, &origin));
        assert_string_equal(kp_json_text(a, args), t[2]);
        assert_string_equal(kp_json_text(a, origin), t[3]);
    }
}

/* Of the command line from where one is, of the cluster file from where that is. */
static void a_path_is_made_whole_when_the_run_begins(void **state)
{
    static const struct {
        const char *given, *origin, *whole;
    } rows[] = {
        { "/tmp/x", "--x", "/tmp/x" },  { "/tmp/x", "kplay.yaml:3:1", "/tmp/x" },
        { "~/x", "--x", "/home/me/x" }, { "~/x", "kplay.yaml:3:1", "/home/me/x" },
        { "d/x", "--x", "/usr/d/x" },   { "d/x", "kplay.yaml:3:1", "/etc/kplay/d/x" },
        { "~x", "--x", "/usr/~x" },
    };
    static const kp_script_arg x[] = { { .name = "t", .type = "text", .doc = "" },
                                       { .name = "x", .type = "path", .doc = "" } };
    const kp_header header = { .name = "p.lua", .n_args = 2, .args = x };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    char *here = kp_working_directory(a);
    kp_inventory inv = inventory;
    (void)state;
    inv.path = "/etc/kplay/kplay.yaml";
    assert_int_equal(chdir("/usr"), 0);
    setenv("HOME", "/home/me", 1);
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const kp_value *args = kp_paths_whole(
            a, &header, &inv,
            kp_map(a, "t", kp_text(a, "d/x"), "x", kp_text(a, rows[i].given), NULL),
            kp_map(a, "x", kp_text(a, rows[i].origin), NULL));
        assert_string_equal(kp_get_text(args, "x", ""), rows[i].whole);
        assert_string_equal(kp_get_text(args, "t", ""), "d/x");
    }
    inv.path = "kplay.yaml";
    const kp_value *args = kp_paths_whole(a, &header, &inv, kp_map(a, "x", kp_text(a, "d/x"), NULL),
                                          NULL);
    assert_string_equal(kp_get_text(args, "x", ""), "/usr/d/x");
    assert_int_equal(chdir(here), 0);
}

static void a_wrong_one_in_the_cluster_file_has_its_line(void **state)
{
    static const struct {
        const char *file, *what, *where;
    } rows[] = {
        { "{\"rolling\":{\"pause\":\"soon\"}}", "pause takes a duration", "kplay.yaml:9:5" },
        { "{\"rolling\":{\"to\":\"new\"}}", "to takes a release", "kplay.yaml" },
        { "{\"rolling\":{\"puase\":\"1h\"}}",
          "rolling.lua has no argument `puase`; did you mean `pause`?", "kplay.yaml:8:5" },
        { "{\"rolling\":{\"quite\":\"1h\"}}", "rolling.lua has no argument `quite`", "kplay.yaml" },
    };
    const kp_header header = { .name = "rolling.lua", .n_args = 3, .args = declared };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_inventory inv = inventory;
        const kp_value *args, *origin;
        inv.playbooks = json(a, rows[i].file);
        inv.where = json(a, "{\"playbooks.rolling.pause\":\"kplay.yaml:9:5\","
                            "\"playbooks.rolling.puase\":\"kplay.yaml:8:5\"}");
        kp_err *e = kp_run_args(a, &header, &inv, &(kp_given_args) { .value = NULL }, &args,
                                &origin);
        assert_non_null(e);
        assert_int_equal(e->cls, KP_CONFIG);
        assert_non_null(strstr(e->what, rows[i].what));
        assert_string_equal(e->where, rows[i].where);
        kp_err_drop(e);
    }
}

static void a_missing_one_says_how_to_give_it(void **state)
{
    const kp_header header = { .name = "rolling.lua", .n_args = 3, .args = declared };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    const kp_value *args, *origin;
    (void)state;
    kp_err *e = kp_run_args(a, &header, &inventory, &(kp_given_args) { .value = NULL }, &args,
                            &origin);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_USAGE);
    assert_string_equal(e->what, "rolling.lua needs --to: the release");
    assert_string_equal(e->next, "kplay run rolling.lua --to VALUE");
    kp_err_drop(e);
}

static void a_playbook_without_arguments_takes_none(void **state)
{
    const kp_header header = { .name = "p.lua" };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    const kp_value *args, *origin;
    (void)state;
    assert_null(
        kp_run_args(a, &header, &inventory, &(kp_given_args) { .value = NULL }, &args, &origin));
    assert_string_equal(kp_json_text(a, args), "{}");
    kp_err *e = kp_run_args(a, &header, &inventory,
                            &(kp_given_args) { .value = json(a, "{\"to\":\"3\"}") }, &args,
                            &origin);
    assert_non_null(e);
    assert_string_equal(e->what, "p.lua has no argument `to`");
    assert_string_equal(e->where, "");
    kp_err_drop(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_type_takes_becomes_its_value),
        cmocka_unit_test(what_a_type_does_not_take_is_said),
        cmocka_unit_test(the_line_wins_over_the_file_and_the_file_over_the_default),
        cmocka_unit_test(a_path_is_made_whole_when_the_run_begins),
        cmocka_unit_test(a_wrong_one_in_the_cluster_file_has_its_line),
        cmocka_unit_test(a_missing_one_says_how_to_give_it),
        cmocka_unit_test(a_playbook_without_arguments_takes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
