/* The environment: exactly the names of the golden list are reachable, and none of them can be
 * changed.
 */
#include "luaapi/with_engine.h"

#include <stdlib.h>
#include <string.h>

/* Everything a script can reach, but for the verbs.  A difference here is a decision, not a slip.
 */
static const char golden[] =
    "_VERSION assert error ipairs math.abs math.acos math.asin math.atan math.ceil math.cos "
    "math.deg math.exp math.floor math.fmod math.huge math.log math.max math.maxinteger math.min "
    "math.mininteger math.modf math.pi math.rad math.random math.sin math.sqrt math.tan "
    "math.tointeger math.type math.ult next pairs pcall require select string.byte string.char "
    "string.find string.format string.gmatch string.gsub string.len string.lower string.match "
    "string.rep string.reverse string.sub string.upper table.concat table.insert table.pack "
    "table.remove table.sort table.unpack tonumber tostring type utf8.char utf8.charpattern "
    "utf8.codepoint utf8.codes utf8.len utf8.offset";

typedef struct listing {
    kp_arena *a;
    const char *name[200];
    size_t n;
} listing;

/* The table behind a frozen one: what its metatable's __index is. */
static void push_hidden(lua_State *L)
{
    assert_true(lua_getmetatable(L, -1));
    lua_pushliteral(L, "__index");
    lua_rawget(L, -2);
    lua_replace(L, -3);
    lua_pop(L, 1);
    assert_true(lua_istable(L, -1));
}

static void list_table(lua_State *L, listing *l, const char *prefix)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const char *name = kp_printf(l->a, "%s%s", prefix, lua_tostring(L, -2));
        if (lua_istable(L, -1)) {
            lua_pushvalue(L, -1);
            assert_false(lua_next(L, (lua_pushnil(L), -2))); /* the proxy itself is empty */
            push_hidden(L);
            list_table(L, l, kp_printf(l->a, "%s.", name));
            lua_pop(L, 1);
        } else {
            l->name[l->n++] = name;
        }
    }
}

static int list_env(lua_State *L)
{
    listing *l = lua_touserdata(L, 1);

    kl_env_push(L);
    push_hidden(L);
    list_table(L, l, "");
    return 0;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void the_golden_list(void **state)
{
    const test_file files[] = { { KP_FIND_PLAYBOOK, "t.lua", wrap(*state, "") }, { 0 } };
    listing l = { .a = *state };
    stage t;

    stage_open(&t, files);
    assert_null(stage_load(&t, "t.lua"));
    assert_null(kl_protect(t.r.s, list_env, &l));
    qsort(l.name, l.n, sizeof *l.name, by_name);
    KP_AUTO_BUF all = KP_BUF_INIT(8192);
    for (size_t i = 0; i < l.n; i++) {
        bool verb = false;
        for (size_t k = 0; t.r.s->verbs[k]; k++)
            verb = verb || kp_streq(t.r.s->verbs[k]->name, l.name[i]);
        if (!verb)
            kp_buf_fmt(&all, "%s%s", all.n ? " " : "", l.name[i]);
    }
    assert_string_equal(kp_buf_text(&all), golden);
    stage_close(&t);
}

/* Texts have no other methods than string has; no metatable can be had. */
static void methods_of_texts_are_the_same_functions(void **state)
{
    assert_string_equal(outcome(*state, "say((''):rep(3) == '' and ('').rep == string.rep)"),
                        "true");
    assert_string_equal(
        outcome(*state, "say(('x').find == string.find and ('x').sub == string.sub)"), "true");
    assert_string_equal(outcome(*state, "local s = 'x' s:dump()"),
                        "t.lua:1: unknown `string.dump`");
}

static void nothing_can_be_changed(void **state)
{
    static const struct {
        const char *lua, *expected;
    } rows[] = {
        { "_ENV.say = 1", "`say` is not a local variable" },
        { "_ENV.mine = 1", "`mine` is not a local variable" },
        { "string.format = 1", "`string` cannot be changed" },
        { "table.mine = 1", "`table` cannot be changed" },
        { "table.insert(string, 1)", "this table is not a list" },
        { "table.sort(_ENV)", "this table is not a list" },
        { "local s = 'x' s.y = 1", NULL },
        { "local x = _ENV.zzzzzzzz", "unknown name `zzzzzzzz`" },
        { "local x = _ENV.sey", "unknown name `sey`; did you mean `say`?" },
        { "local x = string.formt", "unknown `string.formt`; did you mean `string.format`?" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        char *got = outcome(*state, rows[i].lua);
        if (rows[i].expected)
            assert_string_equal(got, kp_printf(*state, "t.lua:1: %s", rows[i].expected));
        else
            assert_true(kp_starts_with(got, "t.lua:1: "));
    }
    assert_string_equal(outcome(*state, "local n = 0 for k in pairs(_ENV) do n = n + 1 end "
                                        "for k in pairs(string) do n = n + 1 end say(n)"),
                        "0");
}

/* A file's own _ENV is its own affair: other files and the next part see nothing of it. */
static void an_own_env_stays_local(void **state)
{
    static const test_file files[] = {
        { KP_FIND_PLAYBOOK, "t.lua",
          "local m = require 'm'\nreturn { api = 1, summary = 't', effects = {}, run = function()\n"
          "  local log = say\n  do local _ENV = { x = 1 } log(x) end\n  m() say('after') end }" },
        { KP_FIND_STDLIB, "m", "return function() say(type(pairs)) end" },
        { 0 },
    };
    assert_string_equal(outcome_of(*state, files), "1|function|after");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(the_golden_list),
        STAGE_TEST(methods_of_texts_are_the_same_functions),
        STAGE_TEST(nothing_can_be_changed),
        STAGE_TEST(an_own_env_stays_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
