/* Values across the boundary: what a verb is given, what it answers, what is refused and how. */
#include "luaapi/with_engine.h"

#include <string.h>

typedef struct row {
    const char *lua, *expected;
} row;

static void what_a_verb_is_given(void **state)
{
    static const row rows[] = {
        { "", "[]" },
        { "1, 2.0, \"a\", true", "[1,2.0,\"a\",true]" },
        { "nil", "[]" },
        { "nil, 1", "[null,1]" },
        { "{}", "[[]]" },
        { "{ 1, 2 }, { a = 1, b = { c = {} } }", "[[1,2],{\"a\":1,\"b\":{\"c\":[]}}]" },
        { "{ [1] = \"x\", [2] = \"y\" }", "[[\"x\",\"y\"]]" },
        { "math.maxinteger, math.mininteger", "[9223372036854775807,-9223372036854775808]" },
        { "-0.0, 0/0, 1/0", "[-0.0,{\"$num\":\"nan\"},{\"$num\":\"inf\"}]" },
        { "7 // 2, 7 / 2, 4 / 2", "[3,3.5,2.0]" },
        { "\"\\255\"", "[{\"$b64\":\"/w==\"}]" },
        { "\"a\\0b\"", "[\"a\\u0000b\"]" },
        { "select(2, pcall(error, \"bad\"))", "[\"bad\"]" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, kp_printf(*state, "say(given(%s))", rows[i].lua)),
                            rows[i].expected);
}

/* Every value comes back as it was: of the same type, integers exact. */
static void what_a_verb_answers(void **state)
{
    static const row rows[] = {
        { "echo(1)", "integer" },
        { "echo(1.0)", "float" },
        { "echo(math.mininteger) == math.mininteger and 1", "integer" },
        { "#echo({ 1, 2, { 3 } })[3]", "integer" },
        { "echo({ a = { b = 7 } }).a.b", "integer" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, kp_printf(*state, "say(math.type(%s))", rows[i].lua)),
                            rows[i].expected);
    assert_string_equal(outcome(*state, "say(tostring(echo()))"), "nil");
    assert_string_equal(outcome(*state, "say(#echo('a\\0b'))"), "3");
    assert_string_equal(outcome(*state, "local t = echo({}) t[1] = 2 say(t[1])"), "2");
}

static void what_is_refused(void **state)
{
    static const row rows[] = {
        { "echo({ 1, 2, x = 3 })", "echo: a table that is a list and a map" },
        { "echo({ [2] = 1 })", "echo: a table with a hole, or a key that is a number" },
        { "echo({ [0] = 1 })", "echo: a table with a hole, or a key that is a number" },
        { "echo({ [1.5] = 1 })", "echo: a table with a hole, or a key that is a number" },
        { "echo({ [true] = 1 })", "echo: a table with a hole, or a key that is a boolean" },
        { "echo(function() end)", "echo: a function cannot be given to a verb" },
        { "echo({ a = { print_ = echo } })", "echo: a function cannot be given to a verb" },
        { "echo({ ['a\\0b'] = 1 })", "echo: a key with a zero byte" },
        { "echo(string)", "echo: this table cannot be given to a verb" },
        { "local t = {} t.t = t echo(t)", "echo: tables more than 24 deep inside each other" },
        { "local t = {} for i = 1, 100 do t = { t } end echo(t)",
          "echo: tables more than 24 deep inside each other" },
        { "local t = { 1 } for i = 1, 22 do t = { t, t } end echo(t)",
          "echo: more than 2 MB of arguments" },
        { "local s = ('x'):rep(1 << 20) echo({ s, s, s })", "echo: more than 2 MB of arguments" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, rows[i].lua),
                            kp_printf(*state, "t.lua:1: %s", rows[i].expected));
}

/* Twenty-four levels go through, and a refusal can be caught. */
static void the_limits_themselves_are_allowed(void **state)
{
    assert_string_equal(outcome(*state, "local t = 1 for i = 1, 24 do t = { t } end "
                                        "t = echo(t) for i = 1, 24 do t = t[1] end say(t)"),
                        "1");
    assert_string_equal(outcome(*state, "local ok, e = pcall(echo, run) say(ok) say(e.what)"),
                        "false|echo: a function cannot be given to a verb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(what_a_verb_is_given),
        STAGE_TEST(what_a_verb_answers),
        STAGE_TEST(what_is_refused),
        STAGE_TEST(the_limits_themselves_are_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
