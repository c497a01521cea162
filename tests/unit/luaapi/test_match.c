/* Patterns: what kplay's own matcher answers is what Lua's answers, over thousands of made-up
 * patterns and texts; only the words of its errors and its budget are its own.
 */
#include "luaapi/with_engine.h"

#include <string.h>

enum { ROUNDS = 20000 };

static const char stock_key;

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static size_t make(uint32_t *x, const char *const *parts, size_t n_parts, int most, char *out)
{
    size_t n = 0;
    for (int k = (int)(next_random(x) % (unsigned)(most + 1)); k > 0; k--) {
        const char *part = parts[next_random(x) % n_parts];
        memcpy(out + n, part, strlen(part));
        n += strlen(part);
    }
    out[n] = '\0';
    return n;
}

static size_t make_pattern(uint32_t *x, char *out)
{
    static const char *const parts[] = {
        "a",      "b",  "c",    ".",    "%a",    "%d",     "%s",    "%w",    "%W",
        "%x",     "%p", "[ab]", "[^a]", "[a-c]", "[%d.]",  "[]]",   "[^]b]", "[a-]",
        "[%a-c]", "*",  "+",    "-",    "?",     "(",      ")",     "()",    "(a*)",
        "(.-)",   "%1", "%2",   "%b()", "%bab",  "%f[%w]", "^",     "$",     "%%",
        "%.",     "1",  " ",    "[",    "%",     "%f",     "(%w+)", "%b",
    };
    return make(x, parts, KP_COUNT(parts), 6, out);
}

static size_t make_text(uint32_t *x, char *out)
{
    static const char *const parts[] = { "a", "b", "c", "ab", "ba", "1", ".",
                                         " ", "(", ")", "]",  "-",  "%", "abc" };
    return make(x, parts, KP_COUNT(parts), 10, out);
}

/* What a function answers as one text: "nil", "2,3,a", or "error". */
static void answers(lua_State *L, int first, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = first; i <= lua_gettop(L) && n < size; i++) {
        size_t len;
        const char *p = luaL_tolstring(L, i, &len);
        n += (size_t)snprintf(out + n, size - n, "%s%s:%.*s", i > first ? "," : "",
                              luaL_typename(L, i), (int)len, p);
        lua_pop(L, 1);
    }
    if (lua_gettop(L) < first)
        snprintf(out, size, "nothing");
}

typedef struct job {
    int which; /* 0: kplay's, 1: Lua's own */
    const char *function, *text, *pattern, *replacement;
    lua_Integer init;
    char out[2048];
} job;

static int collect(lua_State *L)
{
    static const char gather[] =
        "local s, p, init, gmatch = ...\nlocal out = ''\n"
        "for a, b, c in gmatch(s, p, init) do\n"
        "  out = out .. tostring(a) .. '/' .. tostring(b) .. '/' .. tostring(c) .. ';'\n"
        "end\nreturn out";
    job *j = lua_touserdata(L, 1);

    if (kp_streq(j->function, "gmatch")) {
        if (luaL_loadbufferx(L, gather, sizeof gather - 1, "=gather", "t") != LUA_OK)
            return lua_error(L);
        lua_rawgetp(L, LUA_REGISTRYINDEX, &stock_key); /* tostring and the rest for `gather` */
        lua_setupvalue(L, -2, 1);
        lua_pushstring(L, j->text);
        lua_pushstring(L, j->pattern);
        lua_pushinteger(L, j->init);
        if (j->which) {
            lua_rawgetp(L, LUA_REGISTRYINDEX, &stock_key);
            lua_getfield(L, -1, "string");
        } else {
            kl_env_push(L);
            lua_getfield(L, -1, "string");
        }
        lua_getfield(L, -1, "gmatch");
        lua_replace(L, -3);
        lua_pop(L, 1);
        lua_call(L, 4, 1);
        answers(L, 2, j->out, sizeof j->out);
        return 0;
    }
    if (j->which)
        lua_rawgetp(L, LUA_REGISTRYINDEX, &stock_key);
    else
        kl_env_push(L);
    lua_getfield(L, -1, "string");
    lua_getfield(L, -1, j->function);
    lua_replace(L, 2);
    lua_settop(L, 2);
    lua_pushstring(L, j->text);
    lua_pushstring(L, j->pattern);
    if (kp_streq(j->function, "gsub"))
        lua_pushstring(L, j->replacement);
    else
        lua_pushinteger(L, j->init);
    lua_call(L, 3, LUA_MULTRET);
    answers(L, 2, j->out, sizeof j->out);
    return 0;
}

/* Lua's own libraries, in the same state, where no script sees them. */
static int open_stock(lua_State *L)
{
    lua_newtable(L);
    luaL_requiref(L, "_G", luaopen_base, 0);
    lua_getfield(L, -1, "tostring");
    lua_setfield(L, -3, "tostring");
    lua_pop(L, 1);
    lua_pushcfunction(L, luaopen_string);
    lua_call(L, 0, 1);
    lua_setfield(L, -2, "string");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &stock_key);
    return 0;
}

static void try(stage *t, job *j, int which)
{
    j->which = which;
    t->r.s->match_steps = 0;
    kp_err *e = kl_protect(t->r.s, collect, j);
    if (e)
        snprintf(j->out, sizeof j->out, "error");
    kp_err_drop(e);
}

static void answers_as_lua_does(void **state)
{
    static const char *const functions[] = { "find", "match", "gmatch", "gsub" };
    static const char *const replacements[] = { "x", "<%0>", "%1", "%2%1", "%%", "", "%" };
    const test_file files[] = { { KP_FIND_PLAYBOOK, "t.lua", wrap(*state, "") }, { 0 } };
    char text[128], pattern[128];
    uint32_t x = 20261124;
    int errors = 0, matches = 0;
    stage t;

    stage_open(&t, files);
    assert_null(stage_load(&t, "t.lua"));
    assert_null(kl_protect(t.r.s, open_stock, NULL));
    for (int round = 0; round < ROUNDS; round++) {
        job own = { .text = text, .pattern = pattern }, lua;
        make_text(&x, text);
        make_pattern(&x, pattern);
        own.function = functions[next_random(&x) % KP_COUNT(functions)];
        own.replacement = replacements[next_random(&x) % KP_COUNT(replacements)];
        own.init = (lua_Integer)(next_random(&x) % 9) - 4;
        if (own.init == 0 || next_random(&x) % 2)
            own.init = 1;
        lua = own;
        try(&t, &own, 0);
        try(&t, &lua, 1);
        if (!kp_streq(own.out, lua.out))
            fail_msg("%s('%s', '%s', %lld '%s'): %s, Lua says %s", own.function, text, pattern,
                     (long long)own.init, own.replacement, own.out, lua.out);
        errors += kp_streq(own.out, "error");
        matches += !kp_streq(own.out, "error") && !kp_streq(own.out, "nil:nil");
    }
    /* The made-up patterns are worth something: many match, many are malformed. */
    assert_true(errors > ROUNDS / 20);
    assert_true(matches > ROUNDS / 4);
    stage_close(&t);
}

/* The cases a random walk meets rarely. */
static void particular_cases(void **state)
{
    static const struct {
        const char *lua, *expected;
    } rows[] = {
        { "('a\\0b'):find('\\0')", "2|2" },
        { "('a.b'):find('.', 1, true)", "2|2" },
        { "('abc'):find('', 10)", "nil" },
        { "('abc'):find('', 4)", "4|3" },
        { "('abc'):find('b', -2)", "2|2" },
        { "('hello'):gsub('', '-')", "-h-e-l-l-o-|6" },
        { "('hello'):gsub('l', { l = 'L' })", "heLLo|2" },
        { "('hello'):gsub('l', { l = false })", "hello|2" },
        { "('hello'):gsub('(h)(e)', function(a, b) return b .. a end)", "ehllo|1" },
        { "('abc'):gsub('%w', '%0%0', 2)", "aabbc|2" },
        { "('abc'):gsub('b', 7)", "a7c|1" },
        { "('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "key|value" },
        { "('THE (quick) fox'):find('%((%a+)%)')", "5|11|quick" },
        { "('3.9.1'):match('^(%d+)%.(%d+)')", "3|9" },
        { "('x'):rep(300):match('.-' .. ('x'):rep(100) .. '$'):len()", "300" },
        { "#('a\\0b'):match('[\\0]b')", "2" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, kp_printf(*state,
                                                      "local t = table.pack(%s)\n"
                                                      "for i = 1, t.n do say(tostring(t[i])) end",
                                                      rows[i].lua)),
                            rows[i].expected);
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *lua, *expected;
    } rows[] = {
        { "('a'):find('[a')", "malformed pattern (a [ without its ])" },
        { "('a'):find('%')", "malformed pattern (it ends with %)" },
        { "('a'):find('(a')", "malformed pattern (a ( without its ))" },
        { "('a'):match('a)')", "malformed pattern (a ) without its ()" },
        { "('a'):find('%1')", "malformed pattern (a %1 without its capture)" },
        { "('a'):find('%f')", "malformed pattern (%f takes a [set])" },
        { "('a'):find('%b')", "malformed pattern (%b takes two characters)" },
        { "('a'):gsub('a', '%')", "string.gsub: a % without 0 to 9 in the replacement" },
        { "('a'):gsub('a', '%2')", "there is no capture %2" },
        { "('a'):gsub('a', function() return {} end)", "string.gsub: the replacement is a table" },
        { "('a'):gsub('a', true)", "string.gsub: the replacement is a boolean" },
        { "('a'):rep(300):find(('a?'):rep(300) .. 'b')", "the pattern is too complex" },
        { "('a'):find(('()'):rep(33))", "the pattern has more than 32 captures" },
        { "('a'):rep(1 << 20):gsub('a', ('b'):rep(100))", "string.gsub of more than 8 MB" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, rows[i].lua),
                            kp_printf(*state, "t.lua:1: %s", rows[i].expected));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(answers_as_lua_does),
        STAGE_TEST(particular_cases),
        STAGE_TEST(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
