/* Loading a playbook: its header, its files, and what is said of wrong ones, word for word. */
#include "luaapi/with_engine.h"

#include <string.h>

typedef struct row {
    const char *text, *expected;
} row;

/* The whole error as people read it, without "kplay: ". */
static char *complaint(kp_arena *a, const char *text)
{
    const test_file files[] = { { KP_FIND_PLAYBOOK, "t.lua", text }, { 0 } };
    stage t;

    stage_open(&t, files);
    kp_err *e = stage_load(&t, "t.lua");
    char *said = e ? kp_err_text(a, e) + strlen("kplay: ") : kp_strdup(a, "loaded");
    if (e) {
        assert_int_equal(e->cls, KP_PLAYBOOK);
        assert_string_not_equal(e->next, "");
    }
    kp_err_drop(e);
    stage_close(&t);
    return said;
}

static void a_header_is_read(void **state)
{
    static const char text[] =
        "--- Restart every broker once.\n--\n-- Refuses on an unhealthy cluster.\n"
        "local x = 1\n-- not this one\n"
        "return { api = 1, summary = 'Restart.', effects = { 'controller.restart', "
        "'broker.restart' },\n"
        "  args = { to = { 'version', required = true, doc = 'release' }, skip = { 'broker[]', "
        "default = {} },\n"
        "    settle = { 'duration', default = '30m' }, n = { 'int', default = 3 } },\n"
        "  check = function() end, run = function() end }";
    const test_file files[] = { { KP_FIND_PLAYBOOK, "t.lua", text }, { 0 } };
    stage t;
    (void)state;

    stage_open(&t, files);
    assert_null(stage_load(&t, "t.lua"));
    const kp_header *h = kp_script_host_table.header(t.r.s);
    assert_string_equal(h->name, "t.lua");
    assert_int_equal(h->api, 1);
    assert_string_equal(h->summary, "Restart.");
    assert_string_equal(h->comment,
                        "Restart every broker once.\n\nRefuses on an unhealthy cluster.");
    assert_int_equal(h->effects, KP_G_BROKER_RESTART | KP_G_CONTROLLER_RESTART);
    assert_true(h->has[KP_PART_CHECK] && h->has[KP_PART_RUN]);
    assert_false(h->has[KP_PART_VERIFY]);
    assert_int_equal(h->n_args, 4);
    assert_string_equal(h->args[0].name, "n");
    assert_int_equal(kp_as_int(h->args[0].otherwise, 0), 3);
    assert_string_equal(h->args[1].name, "settle");
    assert_string_equal(kp_as_text(h->args[1].otherwise, ""), "30m");
    assert_string_equal(h->args[2].name, "skip");
    assert_true(kp_is(h->args[2].otherwise, KP_LIST));
    assert_string_equal(h->args[3].name, "to");
    assert_string_equal(h->args[3].type, "version");
    assert_string_equal(h->args[3].doc, "release");
    assert_true(h->args[3].required && !h->args[3].otherwise);
    stage_close(&t);
}

static void wrong_headers(void **state)
{
    static const row rows[] = {
        { "",
          "t.lua: a playbook returns a table\n"
          "next  end it with: return { api = 1, summary = ..., run = function(args) ... end }" },
        { "return {}", "t.lua: the playbook does not say which api it needs\nnext  add api = 1" },
        { "return { api = 1 }", "t.lua: the playbook has no summary\nnext  add summary = \"...\"" },
        { "return { api = 1, summary = 's' }", "t.lua: the playbook does not say its effects\nnext "
                                               " add effects = {}, or what it may do" },
        { "return { api = 1, summary = 's', effects = {} }",
          "t.lua: the playbook has no `run`\nnext  add run = function(args) ... end" },
        { "return { api = 1, sumary = 's', effects = {}, run = function() end }",
          "t.lua:1:19: playbook: unknown field `sumary`; did you mean `summary`?\n"
          "    1 | return { api = 1, sumary = 's', effects = {}, run = function() end }\n"
          "      |                   ^^^^^^\n"
          "next  kplay doc playbook shows what a playbook has" },
        { "return { api = 2, summary = 's', effects = {}, run = function() end }",
          "t.lua:1:10: the playbook needs api 2, this kplay has 1\n"
          "    1 | return { api = 2, summary = 's', effects = {}, run = function() end }\n"
          "      |          ^^^\n"
          "next  install a newer kplay" },
        { "return {\n  api = 1, summary = 's',\n  effects = { 'broker.restrt' },\n  run = "
          "function() end }",
          "t.lua:3:15: unknown effect \"broker.restrt\"; did you mean \"broker.restart\"?\n"
          "    3 |   effects = { 'broker.restrt' },\n"
          "      |               ^^^^^^^^^^^^^^^\n"
          "next  kplay doc effects lists them" },
        { "return { api = 1, summary = 's', effects = {}, run = 3 }",
          "t.lua:1:48: run is a function\n"
          "    1 | return { api = 1, summary = 's', effects = {}, run = 3 }\n"
          "      |                                                ^^^\n"
          "next  write function(args) ... end" },
        { "return { api = 1, summary = 's', effects = {}, run = function() end,\n  args = { to = { "
          "'versoin' } } }",
          "t.lua:2:12: argument `to`: unknown type \"versoin\"\n"
          "    2 |   args = { to = { 'versoin' } } }\n"
          "      |            ^^\n"
          "next  types: version, duration, text, int, bool, node, broker, node[], broker[], "
          "text[], module, path" },
        { "return { api = 1, summary = 's', effects = {}, run = function() end,\n"
          "  args = { t = { 'path', default = 'x' } } }",
          "t.lua:2:12: argument `t`: a path has no default\n"
          "    2 |   args = { t = { 'path', default = 'x' } } }\n"
          "      |            ^\n"
          "next  leave the default out: whoever runs it names the file" },
        { "return { api = 1, summary = 's', effects = {}, run = function() end,\n"
          "  args = { t = { 'duration', default = 5 } } }",
          "t.lua:2:12: argument `t`: the default is no duration\n"
          "    2 |   args = { t = { 'duration', default = 5 } } }\n"
          "      |            ^\n"
          "next  give the default as its type is written" },
        { "return { api = 1, summary = 's', effects = {}, run = function() end,\n"
          "  args = { t = { 'int', default = 5, required = true } } }",
          "t.lua:2:12: argument `t` is required and has a default\n"
          "    2 |   args = { t = { 'int', default = 5, required = true } } }\n"
          "      |            ^\n"
          "next  leave one of them out" },
        { "return { api = 1, summary = 's', effects = {}, run = function() end,\n  args = { ['a "
          "b'] = { 'int' } } }",
          "t.lua:2:3: args: an argument without a plain name\n"
          "    2 |   args = { ['a b'] = { 'int' } } }\n"
          "      |   ^^^^\n"
          "next  use lower case, digits and _" },
        { "return { api = 1, summary = 's', effects = {}, run = function() end,\n  args = { a = "
          "'int' } }",
          "t.lua:2:12: argument `a` is declared by a table\n"
          "    2 |   args = { a = 'int' } }\n"
          "      |            ^\n"
          "next  write { \"text\", default = ..., doc = \"...\" }" },
        { "return { api = 1, summary = 's', effects = {}, run = function() end,\n  args = { a = { "
          "'int', dock = '' } } }",
          "t.lua:2:25: a: unknown field `dock`; did you mean `doc`?\n"
          "    2 |   args = { a = { 'int', dock = '' } } }\n"
          "      |                         ^^^^\n"
          "next  kplay doc playbook shows what a playbook has" },
        { "return { api = '1', summary = 's', effects = {}, run = function() end }",
          "t.lua:1:10: api is a whole number\n"
          "    1 | return { api = '1', summary = 's', effects = {}, run = function() end }\n"
          "      |          ^^^\n"
          "next  write api = 1" },
        { "return { 1, api = 1, summary = 's', effects = {}, run = function() end }",
          "t.lua: playbook: a field without a name\nnext  name every field" },
        { "error('at the top')",
          "t.lua:1: at the top\nnext  mend the playbook, then run it again" },
        { "number()", "t.lua:1: number: no verb may be called while a file is loaded\nnext  call "
                      "it in check, run or verify" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(complaint(*state, rows[i].text), rows[i].expected);
}

/* Lua's compiler names a line; the caret shows the word. */
static void syntax_errors(void **state)
{
    static const row rows[] = {
        { "local x = = 3",
          "t.lua:1:11: unexpected symbol near '='\n    1 | local x = = 3\n      |           ^\n" },
        { "return {\n  api = 1\n  summary = 's'\n}",
          "t.lua:3:3: '}' expected (to close '{' at line 1) near 'summary'\n"
          "    3 |   summary = 's'\n      |   ^^^^^^^\n" },
        { "if x then\n", "t.lua:1:" },
        { "local s = 'abc\nreturn s", "t.lua:1:11: unfinished string near ''abc'\n    1 | local s "
                                      "= 'abc\n      |           ^^^^\n" },
        { "local a <cost> = 1", "t.lua:1:" },
        { "x = 3 $", "t.lua:1:7: unexpected symbol near '$'\n    1 | x = 3 $\n      |       ^\n" },
        { "\tlocal \xc3\xa4 = 1", "t.lua:1:" },
        { "goto nowhere", "t.lua:1:" },
        { "\x1bLua", "t.lua: this is compiled Lua, not a playbook\n" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        char *got = complaint(*state, rows[i].text);
        if (!kp_starts_with(got, rows[i].expected))
            assert_string_equal(got, rows[i].expected);
    }
    char *large = kp_alloc(*state, 70000);
    memset(large, ' ', 69999);
    assert_true(
        kp_starts_with(complaint(*state, large), "t.lua: the file is longer than 64 KiB\n"));
}

static void files_are_kept_by_name(void **state)
{
    static const test_file files[] = {
        { KP_FIND_PLAYBOOK, "t.lua",
          "local gate = require 'gate'\nlocal night = require 'team.night'\n"
          "return { api = 1, summary = 't', effects = {}, run = function()\n"
          "  say(gate.n) say(require('gate') == gate) play('p.lua') end }" },
        { KP_FIND_PLAYBOOK, "p.lua",
          "return { api = 1, summary = 'p', effects = {}, run = function() require 'gate' end }" },
        { KP_FIND_STDLIB, "gate", "return { n = 1 }" },
        { KP_FIND_TEAM, "night",
          "require 'gate' return { api = 1, effects = { 'broker.restart' } }" },
        { 0 },
    };
    static const char *const names[] = { "t.lua", "stdlib/gate.lua", "team/night.lua", "p.lua" };
    const kp_source *sources;
    stage t;
    (void)state;

    stage_open(&t, files);
    assert_null(stage_load(&t, "t.lua"));
    assert_int_equal(kp_script_host_table.header(t.r.s)->effects, KP_G_BROKER_RESTART);
    assert_int_equal(kp_script_host_table.sources(t.r.s, &sources), 3);
    assert_null(stage_call(&t, KP_PART_RUN));
    assert_string_equal(kp_buf_text(&t.r.said), "1\ntrue\n");
    assert_int_equal(kp_script_host_table.sources(t.r.s, &sources), 4);
    for (size_t i = 0; i < KP_COUNT(names); i++) {
        assert_string_equal(sources[i].name, names[i]);
        assert_int_equal(sources[i].n, strlen(sources[i].text));
    }
    assert_string_equal(sources[1].text, "return { n = 1 }");
    stage_close(&t);
}

static void what_require_refuses(void **state)
{
    static const struct {
        const char *body, *expected;
    } rows[] = {
        { "require 'nothing'", "t.lua:1: there is no module \"nothing\"" },
        { "require 'team.nothing'", "t.lua:1: there is no module \"team.nothing\"" },
        { "require 'os'", "t.lua:1: there is no module \"os\"" },
        { "require '../m'", "t.lua:1: require takes the name of a module, not \"../m\"" },
        { "require 'team.a.b'", "t.lua:1: require takes the name of a module, not \"team.a.b\"" },
        { "require ''", "t.lua:1: require takes the name of a module, not \"\"" },
        { "require 'one'", "stdlib/two.lua:1: module \"one\" requires itself" },
        { "require 'silent'", "t.lua:1: module stdlib/silent.lua returns nothing" },
        { "require 'broken'", "stdlib/broken.lua:1:10: <eof> expected near '}'" },
        { "require 'asks'",
          "stdlib/asks.lua:1: number: no verb may be called while a file is loaded" },
        { "pcall(require, 'asks') say(number())", "0" },
        { "pcall(require, 'broken') require 'broken'",
          "t.lua:1: module \"broken\" could not be loaded" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const test_file files[] = {
            { KP_FIND_PLAYBOOK, "t.lua", wrap(*state, rows[i].body) },
            { KP_FIND_STDLIB, "one", "return require 'two'" },
            { KP_FIND_STDLIB, "two", "return require 'one'" },
            { KP_FIND_STDLIB, "silent", "local x = 1" },
            { KP_FIND_STDLIB, "broken", "return {}}" },
            { KP_FIND_STDLIB, "asks", "return number()" },
            { 0 },
        };
        assert_string_equal(outcome_of(*state, files), rows[i].expected);
    }
}

/* `check` is not run again on resume: nothing it leaves behind may be there in `run`. */
static void each_part_begins_afresh(void **state)
{
    static const test_file files[] = {
        { KP_FIND_PLAYBOOK, "t.lua",
          "local m = require 'm'\nlocal seen\n"
          "return { api = 1, summary = 't', effects = {},\n"
          "  check = function() seen = 1 m.seen = 2 end,\n"
          "  run = function() say(tostring(seen)) say(tostring(m.seen)) end }" },
        { KP_FIND_STDLIB, "m", "return {}" },
        { 0 },
    };
    stage t;
    (void)state;

    stage_open(&t, files);
    assert_null(stage_load(&t, "t.lua"));
    assert_null(stage_call(&t, KP_PART_CHECK));
    assert_null(stage_call(&t, KP_PART_RUN));
    assert_null(stage_call(&t, KP_PART_VERIFY)); /* it has none */
    assert_string_equal(kp_buf_text(&t.r.said), "nil\nnil\n");
    stage_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_header_is_read),     STAGE_TEST(wrong_headers),
        STAGE_TEST(syntax_errors),        STAGE_TEST(files_are_kept_by_name),
        STAGE_TEST(what_require_refuses), STAGE_TEST(each_part_begins_afresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
