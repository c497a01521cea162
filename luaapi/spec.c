/* Specs: busted, inside kplay, over simulated clusters.
 *
 * A spec file is ordinary Lua with busted's libraries, in a Lua state of its own that no playbook
 * ever sees.  It gets one module, `kplay`:
 *
 *   local sim = kplay.simulate { brokers = 3, topics = {...} }     a simulated cluster
 * (core/sim/sim.h) local r   = sim:run("rolling.lua", { to = "3.9.1" }, { policy = {...}, answer =
 * "no" }) r.ok, r.exit, r.state, r.error.what, r.events, r.report, r.oracle.violations sim:fault {
 * fault = "crash", node = 2, stop = 1 } sim:counts(2).stops    sim:acts()    sim:oracle() local
 * skew = kplay.stdlib("skew", { version = function(id) return "3.4.1" end, ... })
 *
 * kplay.stdlib loads a stdlib module with the given functions as its verbs: for rules, without a
 * cluster.
 */
#include "spec.h"

#include "kl.h"

#define SPEC_ARENA ((size_t)256 << 20)
#define DEPTH 24

typedef struct spec_sim {
    void *sim;
} spec_sim;

static const char host_key = 'h', exit_key = 'x';

static const kp_spec_host *host_of(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key);
    const kp_spec_host *h = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return h;
}

/* ---- values: a spec is trusted, so its errors are plain Lua errors ---- */

static const kp_value *to_value(lua_State *L, int i, kp_arena *a, int depth)
{
    size_t n;
    i = lua_absindex(L, i);
    luaL_checkstack(L, 8, "spec value");
    if (depth > DEPTH)
        luaL_error(L, "a table is more than %d deep", DEPTH);
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
            b = kp_list_begin(a);
            for (lua_Integer k = 1; k <= (lua_Integer)lua_rawlen(L, i); k++) {
                lua_rawgeti(L, i, k);
                kp_list_add(&b, to_value(L, -1, a, depth + 1));
                lua_pop(L, 1);
            }
            return kp_list_end(&b);
        }
        b = kp_map_begin(a);
        lua_pushnil(L);
        while (lua_next(L, i)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "a table with names has a key that is none");
            kp_map_add(&b, lua_tostring(L, -2), to_value(L, -1, a, depth + 1));
            lua_pop(L, 1);
        }
        return kp_map_end(&b);
    }
    default:
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

static kp_arena *own_arena(lua_State *L)
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

static int raise(lua_State *L, kp_err *e)
{
    lua_pushfstring(L, "%s%s%s", e->where, *e->where ? ": " : "", e->what);
    kp_err_drop(e);
    return lua_error(L);
}

/* ---- kplay.simulate and what it gives ---- */

static int simulate(lua_State *L)
{
    const kp_spec_host *h = host_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    spec_sim *s = lua_newuserdatauv(L, sizeof *s, 0);
    s->sim = NULL;
    luaL_setmetatable(L, "kplay.sim");
    kp_arena *a = own_arena(L);
    kp_err *e = h->simulate(h->ud, a, to_value(L, 1, a, 0), &s->sim);
    if (e)
        return raise(L, e);
    lua_pop(L, 1);
    return 1;
}

static spec_sim *check_sim(lua_State *L)
{
    spec_sim *s = luaL_checkudata(L, 1, "kplay.sim");
    luaL_argcheck(L, s->sim != NULL, 1, "the simulated cluster is closed");
    return s;
}

static int sim_close(lua_State *L)
{
    spec_sim *s = luaL_checkudata(L, 1, "kplay.sim");
    const kp_spec_host *h = host_of(L);
    if (s->sim)
        h->close(h->ud, s->sim);
    s->sim = NULL;
    return 0;
}

static int sim_run(lua_State *L)
{
    const kp_spec_host *h = host_of(L);
    spec_sim *s = check_sim(L);
    const char *name = luaL_checkstring(L, 2);
    const kp_value *result;

    lua_settop(L, 4);
    kp_arena *a = own_arena(L);
    const kp_value *request = lua_istable(L, 4) ? to_value(L, 4, a, 0) : kp_map(a, NULL);
    if (!kp_is(request, KP_MAP))
        request = kp_map(a, NULL);
    request = kp_map_with(a, request, "playbook", kp_text(a, name));
    if (lua_istable(L, 3))
        request = kp_map_with(a, request, "args", to_value(L, 3, a, 0));
    kp_err *e = h->run(h->ud, a, s->sim, request, &result);
    if (e)
        return raise(L, e);
    kl_push_value(L, result);
    return 1;
}

static int sim_ask(lua_State *L, const char *what)
{
    const kp_spec_host *h = host_of(L);
    spec_sim *s = check_sim(L);
    const kp_value *v = NULL;

    lua_settop(L, 2);
    kp_arena *a = own_arena(L);
    kp_err *e = h->ask(h->ud, a, s->sim, what, to_value(L, 2, a, 0), &v);
    if (e)
        return raise(L, e);
    kl_push_value(L, v);
    return 1;
}

static int sim_fault(lua_State *L)
{
    return sim_ask(L, "fault");
}
static int sim_counts(lua_State *L)
{
    return sim_ask(L, "counts");
}
static int sim_acts(lua_State *L)
{
    return sim_ask(L, "acts");
}
static int sim_oracle(lua_State *L)
{
    return sim_ask(L, "oracle");
}

/* ---- kplay.stdlib ---- */

static int find_stdlib(lua_State *L)
{
    const kp_spec_host *h = host_of(L);
    const char *name = luaL_checkstring(L, 1), *path, *text = NULL;
    size_t n;
    kp_arena *a = own_arena(L);
    kp_err *e = h->find(h->find_ud, a, KP_FIND_STDLIB, name, &path, &text, &n);
    if (e)
        return raise(L, e);
    if (!text)
        return luaL_error(L, "stdlib has no module \"%s\"", name);
    lua_pushlstring(L, text, n);
    lua_pushstring(L, path);
    return 2;
}

static const char stdlib_chunk[] =
    "local find = ...\n"
    "return function(name, verbs)\n"
    "  local loaded, env = {}, setmetatable({}, { __index = _G })\n"
    "  for k, v in pairs(verbs or {}) do env[k] = v end\n"
    "  function env.require(module)\n"
    "    if loaded[module] == nil then\n"
    "      local text, path = find(module)\n"
    "      loaded[module] = assert(load(text, '@' .. path, 't', env))()\n"
    "    end\n"
    "    return loaded[module]\n"
    "  end\n"
    "  return env.require(name)\n"
    "end\n";

static int open_module(lua_State *L)
{
    static const luaL_Reg functions[] = { { "simulate", simulate }, { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "run", sim_run },   { "fault", sim_fault },   { "counts", sim_counts },
        { "acts", sim_acts }, { "oracle", sim_oracle }, { "close", sim_close },
        { NULL, NULL }
    };

    luaL_newmetatable(L, "kplay.sim");
    lua_pushcfunction(L, sim_close);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    if (luaL_loadbufferx(L, stdlib_chunk, sizeof stdlib_chunk - 1, "=stdlib", "t") != LUA_OK)
        return lua_error(L);
    lua_pushcfunction(L, find_stdlib);
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "stdlib");
    return 1;
}

/* ---- busted in this process ---- */

static const char busted_chunk[] = "require('busted.runner')({ standalone = false })";

/* os.exit of the spec state: busted's way to end.  Raises a private value, so that kplay ends in
 * its own way. */
static int leave(lua_State *L)
{
    int code = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) ? 0 : 1) : (int)luaL_optinteger(L, 1, 0);
    lua_pushinteger(L, code);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &exit_key);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&exit_key);
    return lua_error(L);
}

static int busted(lua_State *L)
{
    luaL_openlibs(L);
    luaL_requiref(L, "kplay", open_module, 0);
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
    } else if (lua_touserdata(L, -1) == &exit_key) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &exit_key);
        code = (int)lua_tointeger(L, -1);
    } else {
        const char *what = lua_tostring(L, -1);
        kp_log(KP_LOG_ERROR, "specs: %s", what ? what : "an error that is no text");
    }
    lua_close(L);
    return code;
}
