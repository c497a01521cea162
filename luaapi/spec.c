/* Specs: busted, inside kplay, over simulated clusters.
 *
 * A spec file is ordinary Lua with busted's libraries, in a Lua state of its own that no playbook
 * ever sees.  It gets one module, `kplay`:
 *
 *   local sim = kplay.simulate { brokers = 3, topics = {...} }      a simulated cluster (sim.h)
 *   local r   = sim:run("rolling.lua", { to = "3.9.1" }, { answers = { "yes", "no" } })
 *   r.ok, r.exit, r.state, r.error.what, r.questions, r.events, r.report, r.oracle.violations
 *   r = sim:resume { answers = { "yes" } }                          as `kplay resume` does
 *   sim:fault { fault = "crash", node = 2, stop = 1 }
 *   sim:counts(2).stops    sim:acts()    sim:oracle()
 *   local skew = kplay.stdlib("skew", { version = function(id) return "3.4.1" end, ... })
 *
 * What it has stands in the tables of spec_api.c (functions) and spec_classes.c (options and
 * results).  A mistake in a spec is a plain Lua error that begins with the spec's line.
 */
#include "spec.h"

#include <string.h>

#include "kl.h"

#define SPEC_ARENA ((size_t)256 << 20)
#define DEPTH 24

static const char host_key = 'h', exit_key = 'x';

const kp_spec_host *kl_spec_host(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key);
    const kp_spec_host *h = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return h;
}

/* ---- mistakes in a spec ---- */

/* [-0, +1] "spec/a_spec.lua:12: ", of the innermost Lua function. */
static void push_place(lua_State *L)
{
    lua_Debug at;
    for (int level = 1; lua_getstack(L, level, &at); level++) {
        lua_getinfo(L, "Sl", &at);
        if (at.currentline > 0) {
            lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

int kl_spec_mistake(lua_State *L, const char *fmt, ...)
{
    va_list args;
    push_place(L);
    va_start(args, fmt);
    lua_pushvfstring(L, fmt, args);
    va_end(args);
    lua_concat(L, 2);
    return lua_error(L);
}

int kl_spec_raise(lua_State *L, kp_err *e)
{
    push_place(L);
    lua_pushfstring(L, "%s%s%s (%s)", e->where, *e->where ? ": " : "", e->what, e->next);
    lua_concat(L, 2);
    kp_err_drop(e);
    return lua_error(L);
}

/* ---- values: a spec is trusted, so its errors are plain Lua errors ---- */

const kp_value *kl_spec_value(lua_State *L, int i, kp_arena *a, int depth)
{
    size_t n;
    i = lua_absindex(L, i);
    luaL_checkstack(L, 8, "spec value");
    if (depth > DEPTH)
        kl_spec_mistake(L, "a table is more than %d deep", DEPTH);
    switch (lua_type(L, i)) {
    case LUA_TBOOLEAN:
        return kp_bool(lua_toboolean(L, i));
    case LUA_TNUMBER:
        return lua_isinteger(L, i) ? kp_int(a, lua_tointeger(L, i))
                                   : kp_double(a, lua_tonumber(L, i));
    case LUA_TSTRING: {
        const char *s = lua_tolstring(L, i, &n);
        return kp_bytes(a, s, n);
    }
    case LUA_TTABLE: {
        kp_builder b;
        if (lua_rawlen(L, i) > 0) {
            lua_Integer n_keys = 0;
            for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1))
                n_keys++;
            if (n_keys != (lua_Integer)lua_rawlen(L, i))
                kl_spec_mistake(L, "a table is a list or has names, not both");
            b = kp_list_begin(a);
            for (lua_Integer k = 1; k <= (lua_Integer)lua_rawlen(L, i); k++) {
                lua_rawgeti(L, i, k);
                kp_list_add(&b, kl_spec_value(L, -1, a, depth + 1));
                lua_pop(L, 1);
            }
            return kp_list_end(&b);
        }
        b = kp_map_begin(a);
        lua_pushnil(L);
        while (lua_next(L, i)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                kl_spec_mistake(L, "a table with names has a key that is none");
            kp_map_add(&b, lua_tostring(L, -2), kl_spec_value(L, -1, a, depth + 1));
            lua_pop(L, 1);
        }
        return kp_map_end(&b);
    }
    case LUA_TNIL:
    case LUA_TNONE:
        return kp_nil();
    default:
        kl_spec_mistake(L, "a %s is no value for a cluster or a playbook", luaL_typename(L, i));
        return kp_nil();
    }
}

/* An arena owned by the Lua stack, so that a raised error frees it. */
static int arena_gc(lua_State *L)
{
    kp_arena **a = lua_touserdata(L, 1);
    kp_arena_free(*a);
    *a = NULL;
    return 0;
}

kp_arena *kl_spec_arena(lua_State *L)
{
    kp_arena **a = lua_newuserdatauv(L, sizeof *a, 0);
    *a = NULL;
    if (luaL_newmetatable(L, "kplay.arena")) {
        lua_pushcfunction(L, arena_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    *a = kp_arena_new("spec", SPEC_ARENA);
    return *a;
}

/* ---- busted in this process ---- */

static const char busted_chunk[] = "require('busted.runner')({ standalone = false })";

/* os.exit of the spec state: busted's way to end.  Raises a text of its own, so that kplay ends in
 * its own way; a spec that calls it is inside busted's protected calls, and is told. */
#define LEAVES "os.exit: a spec cannot end kplay test; fail with error() or assert"
static int leave(lua_State *L)
{
    int code = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) ? 0 : 1) : (int)luaL_optinteger(L, 1, 0);
    lua_pushinteger(L, code);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &exit_key);
    lua_pushliteral(L, LEAVES);
    return lua_error(L);
}

static int busted(lua_State *L)
{
    luaL_openlibs(L);
    luaL_requiref(L, "kplay", kl_spec_open, 0);
    lua_pop(L, 1);
    lua_getglobal(L, "os");
    lua_pushcfunction(L, leave);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
    if (luaL_loadbufferx(L, busted_chunk, sizeof busted_chunk - 1, "@kplay-test", "t") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static bool is_leave(lua_State *L)
{
    return lua_type(L, -1) == LUA_TSTRING && kp_streq(lua_tostring(L, -1), LEAVES);
}

int kl_specs(const kp_spec_host *host, int argc, char **argv)
{
    lua_State *L = luaL_newstate();
    int code = 1;

    if (!L)
        kp_die("out of memory");
    lua_pushlightuserdata(L, (void *)(uintptr_t)host);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_key);
    lua_createtable(L, argc, 1);
    lua_pushliteral(L, "kplay test");
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
    lua_pushcfunction(L, busted);
    if (lua_pcall(L, 0, 0, 0) == LUA_OK) {
        code = 0;
    } else if (is_leave(L)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &exit_key);
        code = (int)lua_tointeger(L, -1);
    } else {
        const char *what = lua_tostring(L, -1);
        kp_log(KP_LOG_ERROR, "specs: %s", what ? what : "an error that is no text");
    }
    lua_close(L);
    return code;
}
