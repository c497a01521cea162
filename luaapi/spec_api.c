/* What a spec can say: kplay.* and the methods of a simulated cluster.
 *
 * One table has them: it registers them, and kl_spec_keys tells it to whoever documents it.
 */
#include "spec.h"

#include <string.h>

#include "kl.h"

typedef struct spec_sim {
    void *sim;
} spec_sim;

typedef struct param {
    const char *name, *type; /* type: as LuaCATS writes it */
    bool optional;
    const char *doc;
} param;

typedef struct function {
    const char *name; /* "kplay.simulate", "sim:run" */
    lua_CFunction fn;
    const param *params; /* ends with a name that is NULL */
    const char *returns; /* a type; NULL: nothing */
    const char *doc;
    const char *example; /* runs as it is; it has `kplay`, and `sim`, a cluster of its own */
} function;

/* ---- kplay.simulate and what it gives ---- */

static int simulate(lua_State *L)
{
    const kp_spec_host *h = kl_spec_host(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    spec_sim *s = lua_newuserdatauv(L, sizeof *s, 0);
    s->sim = NULL;
    luaL_setmetatable(L, "kplay.sim");
    kp_arena *a = kl_spec_arena(L);
    kp_err *e = h->simulate(h->ud, a, kl_spec_value(L, 1, a, 0), &s->sim);
    if (e)
        return kl_spec_raise(L, e);
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
    const kp_spec_host *h = kl_spec_host(L);
    if (s->sim)
        h->close(h->ud, s->sim);
    s->sim = NULL;
    return 0;
}

static int run_request(lua_State *L, spec_sim *s, kp_arena *a, const kp_value *request)
{
    const kp_spec_host *h = kl_spec_host(L);
    const kp_value *result = NULL;
    kp_err *e = h->run(h->ud, a, s->sim, request, &result);
    if (e)
        return kl_spec_raise(L, e);
    kl_push_value(L, result);
    return 1;
}

static int sim_run(lua_State *L)
{
    spec_sim *s = check_sim(L);
    const char *name = luaL_checkstring(L, 2);

    lua_settop(L, 4);
    kp_arena *a = kl_spec_arena(L);
    const kp_value *request = kp_map_with(a, kl_spec_options(L, 4, a), "playbook",
                                          kp_text(a, name));
    if (!lua_isnil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        if (lua_rawlen(L, 3) > 0)
            kl_spec_mistake(L, "a playbook's arguments have names: { to = \"3.9.1\" }");
        request = kp_map_with(a, request, "args", kl_spec_value(L, 3, a, 0));
    }
    return run_request(L, s, a, request);
}

static int sim_resume(lua_State *L)
{
    spec_sim *s = check_sim(L);

    lua_settop(L, 2);
    kp_arena *a = kl_spec_arena(L);
    const kp_value *options = kl_spec_options(L, 2, a);
    if (kp_get(options, "supersede"))
        kl_spec_mistake(L, "supersede is of sim:run: a run that is gone on with closes no other");
    const kp_value *request = kp_map_with(a, options, "resume", kp_bool(true));
    return run_request(L, s, a, request);
}

static int sim_ask(lua_State *L, const char *what)
{
    const kp_spec_host *h = kl_spec_host(L);
    spec_sim *s = check_sim(L);
    const kp_value *v = NULL;

    lua_settop(L, 2);
    kp_arena *a = kl_spec_arena(L);
    kp_err *e = h->ask(h->ud, a, s->sim, what, kl_spec_value(L, 2, a, 0), &v);
    if (e)
        return kl_spec_raise(L, e);
    kl_push_value(L, v);
    return 1;
}

static int sim_fault(lua_State *L)
{
    return sim_ask(L, "fault");
}
static int sim_counts(lua_State *L)
{
    lua_Integer node = luaL_checkinteger(L, 2);
    luaL_argcheck(L, node >= 0 && node <= INT32_MAX, 2, "a node's id");
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

/* ---- modules: kplay.stdlib, kplay.team, and require in them ---- */

static const char loading_mark = 'l';

/* [-0, +1] the module's function, with its environment still to be given. */
static void push_chunk(lua_State *L, const char *module)
{
    const kp_spec_host *h = kl_spec_host(L);
    bool team = kp_starts_with(module, "team.");
    const char *name = team ? module + 5 : module, *path = NULL, *text = NULL;
    size_t n = 0;

    if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_-")])
        kl_spec_mistake(
            L, "\"%s\" is no name of a module: those are like \"gate\", or \"team.night\"", module);
    kp_arena *a = kl_spec_arena(L);
    kp_err *e = h->find(h->find_ud, a, team ? KP_FIND_TEAM : KP_FIND_STDLIB, name, &path, &text,
                        &n);
    if (e)
        kl_spec_raise(L, e);
    if (!text)
        kl_spec_mistake(L, "there is no module \"%s\": %s is not there (%s)", module, path,
                        team ? "team modules are in team/, beside the cluster file"
                             : "the stdlib is the shipped one; yours are team.NAME");
    if (luaL_loadbufferx(L, text, n, lua_pushfstring(L, "@%s", path), "t") != LUA_OK)
        lua_error(L);
    lua_replace(L, -3); /* the arena, which the text was in */
    lua_pop(L, 1);
}

/* require, in a module: upvalues are what is loaded and the environment of all. */
static int module_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    if (lua_getfield(L, lua_upvalueindex(1), name) != LUA_TNIL) {
        if (lua_touserdata(L, -1) == &loading_mark)
            kl_spec_mistake(L, "module \"%s\" requires itself", name);
        return 1;
    }
    push_chunk(L, name);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_setupvalue(L, -2, 1);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&loading_mark);
    lua_setfield(L, lua_upvalueindex(1), name);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1))
        kl_spec_mistake(L, "module \"%s\" returns nothing", name);
    lua_pushvalue(L, -1);
    lua_setfield(L, lua_upvalueindex(1), name);
    return 1;
}

/* 1: a name, 2: verbs.  Each call has modules of its own: they keep what their verbs gave them. */
static int load_module(lua_State *L, const char *prefix)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 2);
    if (!lua_isnil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_newtable(L); /* what is loaded */
    lua_newtable(L); /* the environment: the verbs, then Lua's own */
    lua_newtable(L);
    lua_pushglobaltable(L);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, 4);
    for (lua_pushnil(L); lua_istable(L, 2) && lua_next(L, 2);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, 4);
    }
    lua_settop(L, 4);
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 4);
    lua_pushcclosure(L, module_require, 2);
    lua_pushvalue(L, -1);
    lua_setfield(L, 4, "require");
    lua_pushfstring(L, "%s%s", prefix, lua_tostring(L, 1));
    lua_call(L, 1, 1);
    return 1;
}

static int load_stdlib(lua_State *L)
{
    return load_module(L, "");
}
static int load_team(lua_State *L)
{
    return load_module(L, "team.");
}

/* ---- the tables ---- */

#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static const param nothing[] = { END };
static const param simulate_params[] = {
    { "description", "table", false,
      "what `simulate:` of a cluster file takes: mode, brokers, controllers, release, topics, "
      "faults ..." },
    END,
};
static const param module_params[] = {
    { "name", "string", false, "the module's name, without its folder" },
    { "verbs", "table<string, function>", true, "the functions that are its verbs" },
    END,
};
static const param run_params[] = {
    { "playbook", "string", false, "a name, as `kplay run` takes it" },
    { "args", "table<string, any>", true, "its arguments" },
    { "options", "kplay.run_options", true, "who answers what, and what happens to the run" },
    END,
};
static const param resume_params[] = {
    { "options", "kplay.run_options", true, "the policy is the run's own unless it is given anew" },
    END,
};
static const param fault_params[] = {
    { "fault", "table", false,
      "{ fault = NAME, node = ID, and at, stop, start or requests: when; lasts: how long }" },
    END,
};
static const param node_params[] = { { "node", "integer", false, "its id" }, END };

static const function functions[] = {
    { "kplay.simulate", simulate, simulate_params, "kplay.sim",
      "Makes a simulated cluster, in memory, with a clock of its own.",
      "local sim = kplay.simulate { brokers = 4, topics = { { name = \"orders\", rf = 3 } } }\n"
      "assert.truthy(sim:run(\"rolling.lua\", { to = \"3.9.1\" }).ok)" },
    { "kplay.stdlib", load_stdlib, module_params, "table",
      "Loads a module of the stdlib, with functions of the spec as its verbs: no cluster is "
      "needed.",
      "local versions = kplay.stdlib(\"versions\")\n"
      "assert.equal(-1, versions.compare(\"3.9.1\", \"3.10.0\"))" },
    { "kplay.team", load_team, module_params, "table",
      "Loads team/NAME.lua, which lies beside the cluster file, with functions of the spec as its "
      "verbs.\nWhat it requires is found as in a playbook, and has the same verbs.",
      "local function now() return \"2026-11-22T05:00:00.000Z\" end\n"
      "local night = kplay.team(\"night\", { now = now })\n"
      "assert.truthy(night.is_night())" },
    { "sim:run", sim_run, run_params, "kplay.result",
      "Runs a playbook on the cluster, as `kplay run` does.  One that acts is refused while "
      "another\n"
      "that has acted is unfinished.",
      "local options = { policy = { guard = \"healthy\" }, answers = { \"yes\" } }\n"
      "local r = sim:run(\"rolling.lua\", { to = \"3.9.1\" }, options)\n"
      "assert.truthy(r.ok, r.error and r.error.what)\n"
      "assert.equal(0, r.oracle.violations)" },
    { "sim:resume", sim_resume, resume_params, "kplay.result",
      "Goes on with the newest unfinished run on the cluster, as `kplay resume` does: after a "
      "pause,\n"
      "a refusal, a failure, or when it was killed.",
      "assert.equal(\"killed\", sim:run(\"rolling.lua\", nil, { killed_at = 20 }).state)\n"
      "assert.equal(\"done\", sim:resume().state)" },
    { "sim:fault", sim_fault, fault_params, NULL, "Plans a fault: something breaks, now or later.",
      "sim:fault { fault = \"unclean_stop\", node = 2, stop = 1 }\n"
      "assert.equal(\"failed\", sim:run(\"rolling.lua\").state)" },
    { "sim:counts", sim_counts, node_params, "kplay.counts",
      "What has acted on the node's host; nil when there is no such node.",
      "sim:run(\"rolling.lua\", { only = \"2\" })\nassert.equal(1, sim:counts(2).stops)" },
    { "sim:acts", sim_acts, nothing, "kplay.act[]", "Every request that has acted, in order.",
      "sim:run(\"preflight.lua\", { to = \"3.9.1\" })\nassert.same({}, sim:acts())" },
    { "sim:oracle", sim_oracle, nothing, "kplay.oracle",
      "What the simulator, which knows the truth, says of all that was done.",
      "sim:run(\"rolling.lua\")\nassert.equal(0, sim:oracle().violations)" },
    { "sim:close", sim_close, nothing, NULL,
      "Frees the cluster; otherwise Lua does when nothing names it any more.", "sim:close()" },
    END,
};

/* ---- the table, told and registered ---- */

static const kp_value *function_value(kp_arena *a, const function *f)
{
    kp_builder params = kp_list_begin(a);
    for (const param *p = f->params; p->name; p++)
        kp_list_add(&params,
                    kp_map(a, "name", kp_text(a, p->name), "type", kp_text(a, p->type), "optional",
                           kp_bool(p->optional), "doc", kp_text(a, p->doc), NULL));
    return kp_map(a, "name", kp_text(a, f->name), "params", kp_list_end(&params), "returns",
                  kp_text(a, f->returns), "doc", kp_text(a, f->doc), "example",
                  kp_text(a, f->example), NULL);
}

const kp_value *kl_spec_keys(kp_arena *a)
{
    kp_builder list = kp_list_begin(a);
    for (const function *f = functions; f->name; f++)
        kp_list_add(&list, function_value(a, f));
    kl_spec_add_classes(a, &list);
    return kp_list_end(&list);
}

/* [-0, +0] those whose names begin with the prefix, into the table on top. */
static void add_functions(lua_State *L, const char *prefix)
{
    for (const function *f = functions; f->name; f++)
        if (kp_starts_with(f->name, prefix)) {
            lua_pushcfunction(L, f->fn);
            lua_setfield(L, -2, f->name + strlen(prefix));
        }
}

int kl_spec_open(lua_State *L)
{
    luaL_newmetatable(L, "kplay.sim");
    lua_pushcfunction(L, sim_close);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    add_functions(L, "sim:");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_newtable(L);
    add_functions(L, "kplay.");
    return 1;
}
