/* wait_until and play: the two verbs that need a function of the script. */
#include "luaapi/with_engine.h"

#include <string.h>

typedef struct row {
    const char *lua, *expected;
} row;

static void waits_until_it_is_so(void **state)
{
    static const row rows[] = {
        { "say(wait_until(function() return number() == 2 end))", "true" },
        { "wait_until(function() local n = number() return n == 1, 'n is ' .. n end, {}) "
          "say(number())",
          "waits: n is 0|waits: n is 1|2" },
        { "wait_until(function() return false end, { limit = '5m' })", "not within 5m" },
        { "wait_until(function() end)", "not within ten looks" },
        { "say(select('#', wait_until(function() return true, 1, 2 end)))", "1" },
        /* a lost answer is not yet an answer */
        { "wait_until(function() if number() < 2 then boom({ retriable = true }) end return true "
          "end) "
          "say(number())",
          "3" },
        { "wait_until(function() boom({ what = 'gone' }) end)", "gone" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, rows[i].lua), rows[i].expected);
}

static void its_function_keeps_nothing(void **state)
{
    static const row rows[] = {
        { "local n = 0 wait_until(function() n = n + 1 return n > 2 end)",
          "t.lua:1: wait_until: its function changes `n`" },
        { "local n = 0 local function bump() n = n + 1 return n > 2 end "
          "wait_until(function() return bump() end)",
          "t.lua:1: wait_until: its function changes `n`" },
        { "local a = 'x' local function f() a = a .. 'x' return true end wait_until(f)",
          "t.lua:1: wait_until: its function changes `a`" },
        { "local t = {} wait_until(function() t = {} return true end)",
          "t.lua:1: wait_until: its function changes `t`" },
        { "local seen wait_until(function() seen = number() return seen == 2 end)",
          "t.lua:1: wait_until: its function changes `seen`" },
        /* its own variables, and the same value again, are no change */
        { "local n = 1 wait_until(function() n = 1 local x = 0 x = x + 1 return number() == n end) "
          "say(n)",
          "1" },
        { "local function f(k) if k == 0 then return true end return f(k - 1) end "
          "say(wait_until(function() return f(3) end))",
          "true" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, rows[i].lua), rows[i].expected);
}

static void what_it_refuses(void **state)
{
    static const row rows[] = {
        { "wait_until()", "t.lua:1: wait_until takes a function" },
        { "wait_until(number() == 0)", "t.lua:1: wait_until takes a function" },
        { "wait_until(number)",
          "t.lua:1: wait_until: its function answers true or false, not a number" },
        { "wait_until(function() return number() end)",
          "t.lua:1: wait_until: its function answers true or false, not a number" },
        { "wait_until(function() return true end, '5m')",
          "t.lua:1: wait_until takes its options as names" },
        { "wait_until(function() return true end, { 1 })",
          "t.lua:1: wait_until takes its options as names" },
        { "wait_until(function() play('x.lua') return true end)",
          "t.lua:1: play inside wait_until" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, rows[i].lua), rows[i].expected);
}

/* A resumed run looks once where the first one looked often: what follows must not depend on it. */
static void random_goes_on_where_it_was(void **state)
{
    static const char body[] = "wait_until(function() math.random(100) return number() >= %d end)\n"
                               "say(math.random(1000000))";
    char *once = outcome(*state, kp_printf(*state, body, 0));
    char *often = outcome(*state, kp_printf(*state, body, 7));
    assert_string_equal(once, often);
    assert_string_not_equal(once, outcome(*state, "math.random(100) say(math.random(1000000))"));
}

/* ---- play ---- */

#define PLAYED(effects, parts)                                                                     \
    "return { api = 1, summary = 'played', effects = {" effects "}, " parts " }"

static void plays_all_parts(void **state)
{
    const test_file files[] = {
        { KP_FIND_PLAYBOOK, "t.lua",
          wrap(*state, "say('before') play('p.lua', { to = 3 }) say('after')") },
        { KP_FIND_PLAYBOOK, "p.lua",
          PLAYED("", "check = function(a) say('check ' .. a.to) end,"
                     "run = function(a) say('run') end, verify = function(a) say('verify') end") },
        { 0 },
    };
    assert_string_equal(outcome_of(*state, files), "before|check 3|run|verify|after");
}

static void the_engine_is_told_which_part_is_played(void **state)
{
    static const row rows[] = {
        { PLAYED("'broker.restart'", "check = function() act() end, run = function() end"),
          "p.lua:1: act in part 0" },
        { PLAYED("'broker.restart'", "verify = function() act() end, run = function() end"),
          "p.lua:1: act in part 2" },
        { PLAYED("'broker.restart'", "check = function() number() end, run = function() act() end"),
          "end" },
        { PLAYED("'controller.restart'", "run = function() end"),
          "t.lua:1: p.lua may do more than its caller" },
        { PLAYED("", "run = function() act() end"),
          "p.lua:1: act needs the effect \"broker.restart\"" },
        { PLAYED("", "run = function() pcall(function() error('x') end) end"), "end" },
        { "return 1", "p.lua: a playbook returns a table" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const test_file files[] = {
            { KP_FIND_PLAYBOOK, "t.lua", wrap(*state, "play('p.lua') say('end')") },
            { KP_FIND_PLAYBOOK, "p.lua", rows[i].lua },
            { 0 },
        };
        assert_string_equal(outcome_of(*state, files), rows[i].expected);
    }
}

/* After a played playbook failed and was caught, its caller is the caller again. */
static void a_failure_leaves_the_played_playbook(void **state)
{
    const test_file files[] = {
        { KP_FIND_PLAYBOOK, "t.lua",
          wrap(*state, "local ok, e = pcall(play, 'p.lua') say(e.what) act() say('acted')") },
        { KP_FIND_PLAYBOOK, "p.lua",
          PLAYED("", "check = function() error('no') end, run = function() end") },
        { 0 },
    };
    assert_string_equal(outcome_of(*state, files), "no|acted");
    assert_string_equal(outcome(*state, "play('nowhere.lua')"),
                        "t.lua:1: there is no playbook \"nowhere.lua\"");
    assert_string_equal(outcome(*state, "play('t.lua', 3)"),
                        "t.lua:1: play takes arguments by name");
    assert_string_equal(outcome(*state, "play('t.lua')"),
                        "t.lua:1: too many playbooks inside each other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(waits_until_it_is_so),
        STAGE_TEST(its_function_keeps_nothing),
        STAGE_TEST(what_it_refuses),
        STAGE_TEST(random_goes_on_where_it_was),
        STAGE_TEST(plays_all_parts),
        STAGE_TEST(the_engine_is_told_which_part_is_played),
        STAGE_TEST(a_failure_leaves_the_played_playbook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
