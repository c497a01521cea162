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
 * Everything it has stands in the tables at the end of this file: they register it, they say which
 * keys its options take, and kl_spec_keys tells them to whoever documents it.  A mistake in a spec
 * is a plain Lua error that begins with the spec's line.
 */
#include "spec.h"

#include <stdio.h>
#include <string.h>

#include "kl.h"

#define SPEC_ARENA ((size_t)256 << 20)
#define DEPTH 24

typedef struct spec_sim {
    void *sim;
} spec_sim;

/* ---- what the tables at the end are made of ---- */

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

typedef struct field {
    const char *name, *type, *doc; /* a type that ends with ?: it may be absent */
    const char *const *words;      /* the texts it can be, ends with NULL; its type says the rest */
} field;

typedef struct class
{
    const char *name;
    const field *fields; /* ends with a name that is NULL */
} class;

static const class *class_named(const char *name); /* of the tables at the end */

static const char host_key = 'h', exit_key = 'x';

static const kp_spec_host *host_of(lua_State *L)
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

static int mistake(lua_State *L, const char *fmt, ...)
{
    va_list args;
    push_place(L);
    va_start(args, fmt);
    lua_pushvfstring(L, fmt, args);
    va_end(args);
    lua_concat(L, 2);
    return lua_error(L);
}

static int raise(lua_State *L, kp_err *e)
{
    push_place(L);
    lua_pushfstring(L, "%s%s%s (%s)", e->where, *e->where ? ": " : "", e->what, e->next);
    lua_concat(L, 2);
    kp_err_drop(e);
    return lua_error(L);
}

/* ---- values: a spec is trusted, so its errors are plain Lua errors ---- */

static const kp_value *to_value(lua_State *L, int i, kp_arena *a, int depth)
{
    size_t n;
    i = lua_absindex(L, i);
    luaL_checkstack(L, 8, "spec value");
    if (depth > DEPTH)
        mistake(L, "a table is more than %d deep", DEPTH);
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
                mistake(L, "a table is a list or has names, not both");
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
                mistake(L, "a table with names has a key that is none");
            kp_map_add(&b, lua_tostring(L, -2), to_value(L, -1, a, depth + 1));
            lua_pop(L, 1);
        }
        return kp_map_end(&b);
    }
    case LUA_TNIL:
    case LUA_TNONE:
        return kp_nil();
    default:
        mistake(L, "a %s is no value for a cluster or a playbook", luaL_typename(L, i));
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

/* ---- options: what their rows say, and nothing else ---- */

static bool is_optional(const field *f)
{
    return kp_ends_with(f->type, "?");
}

static bool is_list(const field *f)
{
    return kp_ends_with(f->type, "[]") || kp_ends_with(f->type, "[]?");
}

/* at: its place in a list; 0: it is in none. */
static void check_word(lua_State *L, const field *f, int i, lua_Integer at)
{
    const char *word = lua_type(L, i) == LUA_TSTRING ? lua_tostring(L, i) : luaL_typename(L, i);
    luaL_Buffer b;

    for (size_t k = 0; lua_type(L, i) == LUA_TSTRING && f->words[k]; k++)
        if (kp_streq(f->words[k], word))
            return;
    const char *name = at ? lua_pushfstring(L, "%s[%d]", f->name, (int)at) : f->name;
    const char *near = kp_did_you_mean(word, f->words);
    luaL_buffinit(L, &b);
    for (size_t k = 0; f->words[k]; k++) {
        luaL_addstring(&b, k ? ", " : "");
        luaL_addstring(&b, f->words[k]);
    }
    luaL_pushresult(&b);
    mistake(L,
            near ? "%s cannot be \"%s\"; did you mean \"%s\"?"
                 : "%s cannot be \"%s\" (it is one of %s)",
            name, word, near ? near : lua_tostring(L, -1));
}

static void check_fields(lua_State *L, int i, const class *c);

/* An item of a list of tables, which have a class. */
static void check_item(lua_State *L, const field *f, int i, lua_Integer at)
{
    char type[64];

    snprintf(type, sizeof type, "%.*s", (int)strcspn(f->type, "["), f->type);
    if (!lua_istable(L, i))
        mistake(L, "%s[%d] takes table, not %s", f->name, (int)at, luaL_typename(L, i));
    if (class_named(type))
        check_fields(L, i, class_named(type));
}

static void check_list(lua_State *L, const field *f, int i)
{
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1))
        n++;
    for (lua_Integer k = 1; k <= n; k++) {
        if (lua_rawgeti(L, i, k) == LUA_TNIL)
            mistake(L, "%s is a list: it has no item %d and %d in all", f->name, (int)k, (int)n);
        if (f->words)
            check_word(L, f, lua_gettop(L), k);
        else
            check_item(L, f, lua_gettop(L), k);
        lua_pop(L, 1);
    }
}

static void check_field(lua_State *L, const field *f, int i)
{
    static const char *const plain[] = { "integer", "string", "boolean" };
    char type[64];

    snprintf(type, sizeof type, "%.*s", (int)strcspn(f->type, "?"), f->type);
    const class *inner = class_named(type);
    const char *want = "table", *got = lua_isinteger(L, i) ? "integer" : luaL_typename(L, i);
    if (f->words && !is_list(f)) {
        check_word(L, f, i, 0);
        return;
    }
    for (size_t k = 0; k < KP_COUNT(plain); k++)
        if (kp_streq(type, plain[k]))
            want = plain[k];
    if (!kp_streq(want, got))
        mistake(L, "%s takes %s, not %s", f->name, want, got);
    if (kp_streq(want, "integer") && lua_tointeger(L, i) < 1)
        mistake(L, "%s takes an integer from 1", f->name);
    if (inner)
        check_fields(L, i, inner);
    else if (is_list(f))
        check_list(L, f, i);
}

static int unknown(lua_State *L, const class *c, const char *key)
{
    const char *names[32];
    size_t n = 0;
    luaL_Buffer b;

    for (const field *f = c->fields; f->name && n + 1 < KP_COUNT(names); f++)
        names[n++] = f->name;
    names[n] = NULL;
    const char *near = kp_did_you_mean(key, names);
    if (near)
        return mistake(L, "%s has no \"%s\"; did you mean \"%s\"?", c->name, key, near);
    luaL_buffinit(L, &b);
    for (size_t k = 0; k < n; k++) {
        luaL_addstring(&b, k ? ", " : "");
        luaL_addstring(&b, names[k]);
    }
    luaL_pushresult(&b);
    return mistake(L, "%s has no \"%s\" (it has %s)", c->name, key, lua_tostring(L, -1));
}

static void check_fields(lua_State *L, int i, const class *c)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, 10, "options");
    for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            mistake(L, "%s has names, and no item %s", c->name, luaL_tolstring(L, -2, NULL));
        const char *key = lua_tostring(L, -2);
        const field *f = c->fields;
        while (f->name && !kp_streq(f->name, key))
            f++;
        if (!f->name)
            unknown(L, c, key);
        check_field(L, f, lua_gettop(L));
    }
    for (const field *f = c->fields; f->name; f++) {
        if (!is_optional(f) && lua_getfield(L, i, f->name) == LUA_TNIL)
            mistake(L, "%s needs \"%s\"", c->name, f->name);
        lua_settop(L, top);
    }
}

/* The table at i, checked against the rows of kplay.run_options; nil is an empty one. */
static const kp_value *options_at(lua_State *L, int i, kp_arena *a)
{
    if (lua_isnoneornil(L, i))
        return kp_map(a, NULL);
    luaL_checktype(L, i, LUA_TTABLE);
    check_fields(L, i, class_named("kplay.run_options"));
    return to_value(L, i, a, 0);
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

static int run_request(lua_State *L, spec_sim *s, kp_arena *a, const kp_value *request)
{
    const kp_spec_host *h = host_of(L);
    const kp_value *result = NULL;
    kp_err *e = h->run(h->ud, a, s->sim, request, &result);
    if (e)
        return raise(L, e);
    kl_push_value(L, result);
    return 1;
}

static int sim_run(lua_State *L)
{
    spec_sim *s = check_sim(L);
    const char *name = luaL_checkstring(L, 2);

    lua_settop(L, 4);
    kp_arena *a = own_arena(L);
    const kp_value *request = kp_map_with(a, options_at(L, 4, a), "playbook", kp_text(a, name));
    if (!lua_isnil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        if (lua_rawlen(L, 3) > 0)
            mistake(L, "a playbook's arguments have names: { to = \"3.9.1\" }");
        request = kp_map_with(a, request, "args", to_value(L, 3, a, 0));
    }
    return run_request(L, s, a, request);
}

static int sim_resume(lua_State *L)
{
    spec_sim *s = check_sim(L);

    lua_settop(L, 2);
    kp_arena *a = own_arena(L);
    const kp_value *options = options_at(L, 2, a);
    if (kp_get(options, "supersede"))
        mistake(L, "supersede is of sim:run: a run that is gone on with closes no other");
    const kp_value *request = kp_map_with(a, options, "resume", kp_bool(true));
    return run_request(L, s, a, request);
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
    const kp_spec_host *h = host_of(L);
    bool team = kp_starts_with(module, "team.");
    const char *name = team ? module + 5 : module, *path = NULL, *text = NULL;
    size_t n = 0;

    if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_-")])
        mistake(L, "\"%s\" is no name of a module: those are like \"gate\", or \"team.night\"",
                module);
    kp_arena *a = own_arena(L);
    kp_err *e = h->find(h->find_ud, a, team ? KP_FIND_TEAM : KP_FIND_STDLIB, name, &path, &text,
                        &n);
    if (e)
        raise(L, e);
    if (!text)
        mistake(L, "there is no module \"%s\": %s is not there (%s)", module, path,
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
            mistake(L, "module \"%s\" requires itself", name);
        return 1;
    }
    push_chunk(L, name);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_setupvalue(L, -2, 1);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&loading_mark);
    lua_setfield(L, lua_upvalueindex(1), name);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1))
        mistake(L, "module \"%s\" returns nothing", name);
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

static const field options_fields[] = {
    { "answers", "[]?",
      "to what this session asks, one by one and in order: a confirm, what is irreversible, a node "
      "that failed (back_out is its yes, stop its no)",
      kp_answer_words },
    { "answer", "?", "to every question that `answers` has none for; default yes",
      kp_answer_words },
    { "start", "?", "to \"Go on?\", before the first action; default yes", kp_answer_words },
    { "policy", "kplay.policy?", "the cluster file's `policy:`", NULL },
    { "forced", "kplay.forced?", "a row of the guard that is overridden, as by --force", NULL },
    { "killed_at", "integer?",
      "the process dies right after this record of the journal; a run that ends before just ends",
      NULL },
    { "supersede", "boolean?", "of sim:run: closes the unfinished run for good first", NULL },
    END,
};
static const field policy_fields[] = {
    { "guard", "?", "default strict", kp_guard_levels },
    { "on_failure", "?", "of a node; default stop", kp_on_failures },
    { "accept", "kplay.accept[]?", "topics and partitions that may be unavailable", NULL },
    END,
};
static const field accept_fields[] = {
    { "topic", "string?", "a topic's whole name", NULL },
    { "partition", "string?", "or a partition: \"orders-3\"", NULL },
    { "until", "string?", "the last day this holds, UTC", NULL },
    { "why", "string?", "the reason", NULL },
    END,
};
static const field forced_fields[] = {
    { "guard", "string", "the row's name (kplay doc guard)", NULL },
    { "reason", "string?", "why", NULL },
    END,
};
static const field result_fields[] = {
    { "ok", "boolean", "it ended well", NULL },
    { "exit", "integer", "the command line's exit code; 137 when it was killed", NULL },
    { "state", "string?",
      "\"done\", \"paused\", \"failed\", \"refused\" or \"killed\"; nil: no run began", NULL },
    { "error", "kplay.error?", "why it did not end well", NULL },
    { "questions", "kplay.question[]", "what was asked, in order", NULL },
    { "events", "kplay.event[]", "what the screen would tell, in order", NULL },
    { "report", "table?",
      "what the end of a run reports: run, records, stops, warnings, overrides, took_ms ...",
      NULL },
    { "oracle", "kplay.oracle", "as sim:oracle() says it now", NULL },
    END,
};
static const field error_fields[] = {
    { "class", "string", "\"refused\", \"safety\", \"failed\", \"paused\", \"usage\" ...", NULL },
    { "what", "string", "one line", NULL },
    { "next", "string", "what a person can do", NULL },
    { "where", "string", "\"mine.lua:12:3\", a node; \"\"", NULL },
    { "detail", "string", "more lines; \"\"", NULL },
    END,
};
static const field question_fields[] = {
    { "kind", "string", "\"start\", \"confirm\", \"failure\" or \"irreversible\"", NULL },
    { "text", "string", "what was asked", NULL },
    { "details", "string?", "what was shown with it", NULL },
    { "answer", "string", "the word that answered it", NULL },
    END,
};
static const field event_fields[] = {
    { "event", "string",
      "as --json names it: \"step\", \"begin\", \"done\", \"warn\", \"doubt\", \"held\" ...",
      NULL },
    { "verb", "string?", "the verb", NULL },
    { "node", "integer?", "the node's id", NULL },
    { "step", "string?", "the open step", NULL },
    { "text", "string?", "what it says", NULL },
    { "failed", "boolean?", "it ended with an error", NULL },
    END,
};
static const field counts_fields[] = {
    { "stops", "integer", "of its service", NULL },
    { "starts", "integer", "of its service", NULL },
    { "links", "integer", "switches of the release", NULL },
    { "files", "integer", "files written", NULL },
    { "jobs", "integer", "jobs begun, such as staging", NULL },
    { "fences", "integer", "fences raised", NULL },
    { "repeated", "integer", "requests that had acted before", NULL },
    { "refused", "integer", "requests of a run that holds the host no more", NULL },
    END,
};
static const field act_fields[] = {
    { "at", "integer", "when, UTC in milliseconds", NULL },
    { "act", "string", "\"stop\", \"start\", \"link\" ...", NULL },
    { "node", "integer?", "on which node", NULL },
    { "op", "string", "a digest of the action's id", NULL },
    { "epoch", "integer", "of the run's fence", NULL },
    { "leaders_moved", "integer?", "of a broker's stop", NULL },
    { "peak_urp", "integer?", "of a broker's stop: the most partitions under-replicated", NULL },
    { "peak_at_min_isr", "integer?", "of a broker's stop: the most at min.insync.replicas", NULL },
    { "rejoined", "integer?", "of a broker's stop: when it was back in sync", NULL },
    END,
};
static const field oracle_fields[] = {
    { "violations", "integer", "of all rules", NULL },
    { "first", "string[]", "the first ones, in words", NULL },
    END,
};

static const class classes[] = {
    { "kplay.run_options", options_fields }, { "kplay.policy", policy_fields },
    { "kplay.accept", accept_fields },       { "kplay.forced", forced_fields },
    { "kplay.result", result_fields },       { "kplay.error", error_fields },
    { "kplay.question", question_fields },   { "kplay.event", event_fields },
    { "kplay.counts", counts_fields },       { "kplay.act", act_fields },
    { "kplay.oracle", oracle_fields },       END,
};

static const class *class_named(const char *name)
{
    const class *c = classes;
    while (c->name && !kp_streq(c->name, name))
        c++;
    return c->name ? c : NULL;
}

/* ---- the tables, told ---- */

/* ("yes"|"no"), and what the row says of it: []? */
static const kp_value *type_of(kp_arena *a, const field *f)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4096);
    if (!f->words)
        return kp_text(a, f->type);
    for (size_t i = 0; f->words[i]; i++)
        kp_buf_fmt(&b, "%s\"%s\"", i ? "|" : "", f->words[i]);
    return kp_textf(a, "(%s)%s", kp_buf_text(&b), f->type);
}

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

static const kp_value *class_value(kp_arena *a, const class *c)
{
    kp_builder fields = kp_list_begin(a);
    for (const field *f = c->fields; f->name; f++)
        kp_list_add(&fields, kp_map(a, "name", kp_text(a, f->name), "type", type_of(a, f), "doc",
                                    kp_text(a, f->doc), NULL));
    return kp_map(a, "class", kp_text(a, c->name), "fields", kp_list_end(&fields), NULL);
}

const kp_value *kl_spec_keys(kp_arena *a)
{
    kp_builder list = kp_list_begin(a);
    for (const function *f = functions; f->name; f++)
        kp_list_add(&list, function_value(a, f));
    for (const class *c = classes; c->name; c++)
        kp_list_add(&list, class_value(a, c));
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

static int open_module(lua_State *L)
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
