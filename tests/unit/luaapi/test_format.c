/* string.format and string.rep: as Lua's own where both speak, without addresses, and bounded. */
#include "luaapi/with_engine.h"

#include <string.h>

typedef struct row {
    const char *lua, *expected;
} row;

/* Lua's own string.format in a state of its own; NULL when it raises. */
static char *stock(kp_arena *a, const char *arguments)
{
    lua_State *L = luaL_newstate();
    char *text = NULL;

    luaL_openlibs(L);
    char *chunk = kp_printf(a, "return string.format(%s)", arguments);
    if (luaL_loadbufferx(L, chunk, strlen(chunk), "=t", "t") == LUA_OK &&
        lua_pcall(L, 0, 1, 0) == LUA_OK)
        text = kp_strdup(a, lua_tostring(L, -1));
    lua_close(L);
    return text;
}

/* Every letter with every mix of flags, width and precision, over telling values. */
static void formats_as_lua_does(void **state)
{
    static const char letters[] = "dioxXeEfgGaAcsq";
    static const char *const flags[] = { "", "-", "+", " ", "#", "0", "-+", "+0" };
    static const char *const sizes[] = { "", "5", "12", ".3", "8.2", ".0" };
    static const char *const whole[] = { "0", "42", "-7", "255", "math.maxinteger", "3.0" };
    static const char *const broken[] = { "0.5", "-2.25", "1e100", "1/0", "3", "1e-7" };
    static const char *const texts[] = { "''", "'abc'", "'a longer text'" };
    int compared = 0;

    for (const char *l = letters; *l; l++)
        for (size_t f = 0; f < KP_COUNT(flags); f++)
            for (size_t z = 0; z < KP_COUNT(sizes); z++) {
                bool is_text = strchr("sq", *l) != NULL;
                const char *const *values = is_text ? texts : strchr("dioxXc", *l) ? whole : broken;
                KP_AUTO_ARENA a = kp_arena_new("round", (size_t)16 << 20);
                for (size_t v = 0; v < (is_text ? 3u : 6u); v++) {
                    char *arguments = kp_printf(a, "'<%%%s%s%c>', %s", flags[f], sizes[z], *l,
                                                values[v]);
                    char *expected = stock(a, arguments);
                    if (!expected || (*l == 'c' && v != 1 && v != 3))
                        continue; /* kplay may read what Lua refuses; a zero ends a text here */
                    char *got = outcome(a, kp_printf(a, "say(string.format(%s))", arguments));
                    if (!kp_streq(got, expected))
                        fail_msg("string.format(%s) is %s, Lua says %s", arguments, got, expected);
                    compared++;
                    (void)state;
                }
            }
    assert_true(compared > 1000);
}

static void no_address_is_shown(void **state)
{
    static const row rows[] = {
        { "tostring({})", "table" },
        { "tostring(run)", "function" },
        { "tostring(say)", "function" },
        { "('%s %s'):format({}, string)", "table table" },
        { "('%10s|'):format({})", "     table|" },
        { "tostring(0/0)", "nan" },
        { "tostring(-(0/0))", "nan" },
        { "('%f %g'):format(0/0, -(0/0))", "nan nan" },
        { "tostring(1/0)", "inf" },
        { "tostring(2^53)", "9.007199254741e+15" },
        { "tostring(-0.0)", "-0.0" },
        { "tostring(nil)", "nil" },
        { "('%q'):format('a\\n\"\\0')", "\"a\\|\\\"\\000\"" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, kp_printf(*state, "say(%s)", rows[i].lua)),
                            rows[i].expected);
}

static void limits_and_mistakes(void **state)
{
    static const row rows[] = {
        { "('%p'):format({})", "string.format: unknown conversion %p" },
        { "('%y'):format(1)", "string.format: unknown conversion %y" },
        { "('%s %s'):format(1)", "bad argument #2 to 'format' (no value)" },
        { "('%s'):rep(600):format(('x'):rep(2000))", "bad argument #2 to 'format' (no value)" },
        { "('%'):format()", "string.format: the text ends in a %" },
        { "('%100d'):format(1)", "string.format: a width of more than two digits" },
        { "('%.100f'):format(1)", "string.format: a width of more than two digits" },
        { "('x'):rep(1 << 30)", "string.rep of more than 8 MB" },
        { "('x'):rep(1, ('y'):rep(9 << 20))", "string.rep of more than 8 MB" },
        { "('x'):rep(math.maxinteger)", "string.rep of more than 8 MB" },
        { "local s = ('x'):rep(1 << 20) return ('%s%s%s%s%s%s%s%s%s'):format(s, s, s, s, s, s, s, "
          "s, s)",
          "string.format of more than 8 MB" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        char *got = outcome(*state, rows[i].lua);
        assert_string_equal(got, kp_printf(*state, "t.lua:1: %s", rows[i].expected));
    }
    assert_string_equal(outcome(*state, "say(#('x'):rep(8 << 20))"), "8388608");
    assert_string_equal(
        outcome(*state,
                "say(('ab'):rep(3, '-') .. ('x'):rep(0) .. ('x'):rep(-1) .. (''):rep(1 << 40))"),
        "ab-ab-ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(formats_as_lua_does),
        STAGE_TEST(no_address_is_shown),
        STAGE_TEST(limits_and_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
