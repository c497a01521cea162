/* Errors across the boundary: nothing of them is lost, nothing leaks, and what ends the run cannot
 * be caught.
 */
#include "luaapi/with_engine.h"

#include <stdlib.h>
#include <string.h>

typedef struct row {
    const char *lua, *expected;
} row;

static void an_error_shows_its_fields(void **state)
{
    static const char body[] =
        "local ok, e = pcall(boom, { class = 'host', what = 'no answer', next = 'try it',\n"
        "  where = 'broker 3', detail = 'line', retriable = true })\n"
        "say(ok) say(e.class) say(e.what) say(e.next) say(e.where) say(e.detail)\n"
        "say(e.retriable) say(tostring(e)) say('is ' .. e) say(type(e))";

    assert_string_equal(outcome(*state, body),
                        "false|host|no answer|try it|broker 3|line||true|broker 3: no answer|"
                        "is broker 3: no answer|userdata");
}

static void an_error_of_a_text_shows_them_too(void **state)
{
    static const row rows[] = {
        { "error('bad')", "bad|t.lua:1|playbook|false" },
        { "error('bad', 0)", "bad||playbook|false" },
        { "local x = nil + 1",
          "attempt to perform arithmetic on a nil value|t.lua:1|playbook|false" },
        { "echo(run)", "echo: a function cannot be given to a verb|t.lua:1|playbook|false" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(
            outcome(*state, kp_printf(*state,
                                      "local ok, e = pcall(function() %s end)\n"
                                      "say(e.what) say(e.where) say(e.class) say(e.retriable)",
                                      rows[i].lua)),
            rows[i].expected);
    assert_string_equal(outcome(*state, "local ok, e = pcall(error, { 1 }) say(e[1])"), "1");
}

static void it_can_not_be_changed_or_misread(void **state)
{
    static const row rows[] = {
        { "local ok, e = pcall(boom) e.what = 'x'", "t.lua:1: an error cannot be changed" },
        { "local ok, e = pcall(boom) say(e.wat)", "t.lua:1: an error has no field `wat`" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, rows[i].lua), rows[i].expected);
}

/* What the engine raised arrives at the engine again: the same class, next, place and detail. */
static void an_error_comes_back_whole(void **state)
{
    static const char *const bodies[] = {
        "boom({ class = 'safety', what = 'w', next = 'n', where = 'h', detail = 'd', "
        "retriable = true })",
        "local ok, e = pcall(boom, { class = 'safety', what = 'w', next = 'n', where = 'h', "
        "detail = 'd', retriable = true })\nerror(e)",
        "local ok, e = pcall(pcall(function() end) and boom, { class = 'safety', what = 'w', "
        "next = 'n', where = 'h', detail = 'd', retriable = true }) error(e, 2)",
    };

    for (size_t i = 0; i < KP_COUNT(bodies); i++) {
        const test_file files[] = { { KP_FIND_PLAYBOOK, "t.lua", wrap(*state, bodies[i]) }, { 0 } };
        stage t;
        stage_open(&t, files);
        assert_null(stage_load(&t, "t.lua"));
        kp_err *e = stage_call(&t, KP_PART_RUN);
        assert_non_null(e);
        assert_int_equal(e->cls, KP_SAFETY);
        assert_string_equal(e->what, "w");
        assert_string_equal(e->next, "n");
        assert_string_equal(e->where, "h");
        assert_string_equal(e->detail, "d\n");
        assert_true(e->retriable);
        kp_err_drop(e);
        stage_close(&t);
    }
}

static void places(void **state)
{
    static const row rows[] = {
        { "\n\nerror('here')", "t.lua:3: here" },
        { "\nlocal x = args.a.b", "t.lua:2: attempt to index a nil value (field 'a')" },
        { "\nboom({ class = 'playbook', what = 'no such thing' })", "t.lua:2: no such thing" },
        { "\npcall(say, 'x')\nboom({ class = 'playbook' })", "x|t.lua:3: boom" },
        { "boom({ class = 'failed', what = 'stopped' })", "stopped" },
        { "error({})", "the playbook raised a table value" },
        { "error()", "the playbook raised a nil value" },
        { "error('at 10: 30')", "t.lua:1: at 10: 30" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, rows[i].lua), rows[i].expected);
}

/* Each verb is told where it was called: the line, also behind pcall and in a module. */
static void verbs_know_their_place(void **state)
{
    static const test_file files[] = {
        { KP_FIND_PLAYBOOK, "t.lua",
          "local gate = require 'gate'\n"
          "return { api = 1, summary = 't', effects = {}, run = function()\n"
          "  number()\n  pcall(number)\n  gate.ask()\n  local n = number() + number()\nend }" },
        { KP_FIND_STDLIB, "gate",
          "local gate = {}\nfunction gate.ask()\n  number()\nend\nreturn gate" },
        { 0 },
    };
    stage t;
    (void)state;

    stage_open(&t, files);
    assert_null(stage_load(&t, "t.lua"));
    assert_null(stage_call(&t, KP_PART_RUN));
    assert_string_equal(kp_buf_text(&t.r.calls),
                        "number at t.lua:3\nnumber at t.lua:4\nnumber at stdlib/gate.lua:3\n"
                        "number at t.lua:6\nnumber at t.lua:6\n");
    stage_close(&t);
}

/* What stops the stdlib, too, names the line that called it; a text that was raised before and
 * caught says nothing of the next. */
static void an_error_in_the_stdlib_names_who_called_it(void **state)
{
    static const struct {
        const char *lua, *where, *from;
    } rows[] = {
        { "gate.spin()", "stdlib/gate.lua:2", "t.lua:4" },
        { "gate.bad('x')", "stdlib/gate.lua:3", "t.lua:4" },
        { "gate.bare('x')", "", "t.lua:4" },
        { "pcall(gate.bare, 'x')\nerror('x', 0)", "", "" },
        { "gate.calls(function() error('x') end)", "t.lua:4", "" },
        { "gate.calls(function() gate.bad('x') end)", "stdlib/gate.lua:3", "t.lua:4" },
        { "gate.fails()", "h", "t.lua:4" },
        { "local ok, e = pcall(gate.fails)\nerror(e)", "h", "t.lua:4" },
        { "wait_until(function() gate.bad('x') end)", "stdlib/gate.lua:3", "t.lua:4" },
        { "return gate.bad('x')", "stdlib/gate.lua:3", "" }, /* a tail call leaves no line */
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *text = kp_printf(*state,
                                     "local gate = require 'gate'\n"
                                     "return { api = 1, summary = 't', effects = {},\n"
                                     "run = function()\n%s\nend }",
                                     rows[i].lua);
        const test_file files[] = {
            { KP_FIND_PLAYBOOK, "t.lua", text },
            { KP_FIND_STDLIB, "gate",
              "local gate = {}\n"
              "function gate.spin() while true do end end\n"
              "function gate.bad(x) error(x) end\n"
              "function gate.bare(x) error(x, 0) end\n"
              "function gate.calls(f) f() end\n"
              "function gate.fails() boom({ where = 'h' }) end\n"
              "return gate" },
            { 0 },
        };
        stage t;
        stage_open(&t, files);
        assert_null(stage_load(&t, "t.lua"));
        kp_err *e = stage_call(&t, KP_PART_RUN);
        assert_non_null(e);
        assert_string_equal(e->where, rows[i].where);
        assert_string_equal(e->from, rows[i].from);
        kp_err_drop(e);
        stage_close(&t);
    }
}

static void what_ends_the_run_can_not_be_caught(void **state)
{
    static const row rows[] = {
        { "pcall(over) say('still here')", "paused by a person" },
        { "pcall(function() pcall(over) say('a') end) say('b')", "paused by a person" },
        { "while true do pcall(over) end", "paused by a person" },
        { "pcall(table.sort, { 2, 1 }, function() over() end) say('a')", "paused by a person" },
        { "pcall(string.gsub, 'a', 'a', function() over() end) say('a')", "paused by a person" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, rows[i].lua), rows[i].expected);
}

/* ---- memory that fails, at each request in turn ---- */

typedef struct failing {
    lua_Alloc own;
    void *ud;
    int64_t left; /* requests that still succeed; then two in a row fail, as Lua asks twice */
    bool on;
} failing;

static void *allocate(void *ud, void *p, size_t osize, size_t nsize)
{
    failing *f = ud;
    bool more = nsize > (p ? osize : 0);

    if (f->on && more && --f->left < 0 && f->left >= -2)
        return NULL;
    return f->own(f->ud, p, osize, nsize);
}

/* The error is the playbook's or a verb's own, never a crash, and nothing leaks (the sanitizer says
 * so); afterwards the script can go on. */
static void memory_may_fail_anywhere(void **state)
{
    static const char *const bodies[] = {
        "echo({ 1, { a = 'b', c = { 1, 2, 3 } }, ('x'):rep(100) })",
        "pcall(boom, { what = 'w', detail = 'd' }) pcall(echo, { 1, x = 2 })",
        "boom({ what = 'w' })",
        "wait_until(function() return number() > 2, 'text' end, { limit = '5m' })",
        "play('other.lua', { a = 1 })",
        "for k, v in pairs({ b = 1, a = 2, [1] = 3 }) do given(k, v) end",
        "local t = { 3, 1, 2 } table.sort(t, function(x, y) return x < y end)",
        "say(('%5.1f %s %q'):format(1.5, {}, 'x') .. ('a-b'):gsub('%w', { a = 'c' }))",
        "local m = require 'm' m()",
    };
    int finished = 0;

    for (size_t i = 0; i < KP_COUNT(bodies); i++) {
        const test_file files[] = {
            { KP_FIND_PLAYBOOK, "t.lua", wrap(*state, bodies[i]) },
            { KP_FIND_PLAYBOOK, "other.lua", wrap(*state, "number()") },
            { KP_FIND_STDLIB, "m", "return function() return number() end" },
            { 0 },
        };
        bool through = false;
        for (int64_t n = 0; n < 4000 && !through; n++) {
            stage t;
            stage_open(&t, files);
            assert_null(stage_load(&t, "t.lua"));
            failing f = { .left = n, .on = true };
            f.own = lua_getallocf(t.r.s->L, &f.ud);
            lua_setallocf(t.r.s->L, allocate, &f);
            kp_err *e = stage_call(&t, KP_PART_RUN);
            through = f.left >= 0;
            if (through && i != 2)
                assert_null(e);
            kp_err_drop(e);
            f.on = false;
            lua_setallocf(t.r.s->L, f.own, f.ud);
            e = stage_call(&t, KP_PART_RUN);
            assert_true(i == 2 || !e);
            kp_err_drop(e);
            stage_close(&t);
        }
        finished += through;
    }
    assert_int_equal(finished, KP_COUNT(bodies));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(an_error_shows_its_fields),
        STAGE_TEST(an_error_of_a_text_shows_them_too),
        STAGE_TEST(it_can_not_be_changed_or_misread),
        STAGE_TEST(an_error_comes_back_whole),
        STAGE_TEST(places),
        STAGE_TEST(verbs_know_their_place),
        STAGE_TEST(an_error_in_the_stdlib_names_who_called_it),
        STAGE_TEST(what_ends_the_run_can_not_be_caught),
        STAGE_TEST(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
