/* The environment of a playbook: an allow-list.  What is not named here does not exist.
 *
 * Names are reached through empty tables whose metatables cannot be had: reading finds the frozen
 * table behind, an unknown name is an error that says what was meant, writing is an error.  So a
 * misspelt verb never reads as nil, and no script changes what another file sees.
 */
#include "kl.h"

#include <string.h>

static const char env_key;

kp_err *kl_unknown_name(const char *name, bool call, const char *const *names)
{
    const char *near = kp_did_you_mean(name, names);
    kp_err *e = kp_err_new(KP_PLAYBOOK, "kplay doc lists the verbs; declare variables with local",
                           near ? "unknown %s `%.60s`; did you mean `%s`?" : "unknown %s `%.60s`",
                           call ? "verb" : "name", name, near);
    return near ? kp_err_next(e, "write `%s`", near) : e;
}

static const char *key_text(lua_State *L, int i)
{
    return lua_type(L, i) == LUA_TSTRING ? lua_tostring(L, i) : luaL_typename(L, i);
}

/* An unknown name of the environment was read: [-2, +0] */
static int unknown_name(lua_State *L)
{
    char place[KL_PLACE];
    const char *name = key_text(L, 2);

    kl_place(L, place);
    kl_box *box = kl_box_new(L);
    box->err = kl_unknown_name(name, false, kl_of(L)->names);
    if (*place)
        box->err = kp_err_at(box->err, "%s", place);
    return lua_error(L);
}

/* An unknown member of a library was read; upvalues: the library's name, its table. */
static int unknown_member(lua_State *L)
{
    const char *names[80];
    size_t n = 0;
    const char *name = key_text(L, 2), *label = lua_tostring(L, lua_upvalueindex(1));

    for (lua_pushnil(L); lua_next(L, lua_upvalueindex(2)) && n + 1 < KP_COUNT(names); lua_pop(L, 1))
        names[n++] = lua_tostring(L, -2);
    names[n] = NULL;
    const char *near = kp_did_you_mean(name, names);
    if (near)
        return kl_throw(L, "kplay has a part of Lua's library",
                        "unknown `%s.%.60s`; did you mean `%s.%s`?", label, name, label, near);
    return kl_throw(L, "kplay has a part of Lua's library", "unknown `%s.%.60s`", label, name);
}

static int no_write_name(lua_State *L)
{
    return kl_throw(L, "declare it with local", "`%.60s` is not a local variable", key_text(L, 2));
}

static int no_write_member(lua_State *L)
{
    return kl_throw(L, "use a table of your own", "`%s` cannot be changed",
                    lua_tostring(L, lua_upvalueindex(1)));
}

/* [-1, +1] the table on top, frozen; label NULL: it is the environment. */
static void freeze(lua_State *L, const char *label)
{
    int hidden = lua_gettop(L);

    luaL_checkstack(L, 8, "the environment");
    lua_createtable(L, 0, 2); /* of the hidden table */
    if (label) {
        lua_pushstring(L, label);
        lua_pushvalue(L, hidden);
        lua_pushcclosure(L, unknown_member, 2);
    } else {
        lua_pushcfunction(L, unknown_name);
    }
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, hidden);

    lua_newtable(L); /* the proxy */
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, hidden);
    lua_setfield(L, -2, "__index");
    if (label) {
        lua_pushstring(L, label);
        lua_pushcclosure(L, no_write_member, 1);
    } else {
        lua_pushcfunction(L, no_write_name);
    }
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, hidden);
}

/* Lua's own function behind one that first charges for the length of its text or list. */
static int guarded_text(lua_State *L)
{
    size_t n = 0;
    if (lua_type(L, 1) == LUA_TSTRING)
        n = lua_rawlen(L, 1);
    kl_charge(L, 1 + (int64_t)(n / 16));
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int guarded_list(lua_State *L)
{
    kl_charge(L, 1 + kl_plain_list(L, 1) / 4);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

static int unpack(lua_State *L)
{
    lua_Integer n = kl_plain_list(L, 1);
    lua_Integer i = luaL_optinteger(L, 2, 1), j = luaL_optinteger(L, 3, n);

    if (i > j)
        return 0;
    if (i < -KL_TABLE_LIMIT || j > 2 * KL_TABLE_LIMIT || j - i >= KL_UNPACK_LIMIT)
        return kl_throw(L, "use a loop", "table.unpack of more than %d values", KL_UNPACK_LIMIT);
    luaL_checkstack(L, (int)(j - i) + 1, "table.unpack");
    for (lua_Integer k = i; k <= j; k++)
        lua_rawgeti(L, 1, k);
    return (int)(j - i) + 1;
}

/* [-0, +0] copies the named members of the library at `from` to the one at `to`, behind `guard`. */
static void copy(lua_State *L, int from, int to, const char *const *names, lua_CFunction guard)
{
    for (; *names; names++) {
        lua_getfield(L, from, *names);
        if (guard)
            lua_pushcclosure(L, guard, 1);
        lua_setfield(L, to, *names);
    }
}

/* Each library is opened into a table of Lua's own that no script sees. */
static int open_library(lua_State *L, lua_CFunction open)
{
    lua_pushcfunction(L, open);
    lua_call(L, 0, 1);
    return lua_gettop(L);
}

static void open_string(lua_State *L, int env)
{
    static const char *const plain[] = { "byte",    "char", "len",   "lower",
                                         "reverse", "sub",  "upper", NULL };
    int lib = open_library(L, luaopen_string);

    lua_newtable(L);
    copy(L, lib, lib + 1, plain, guarded_text);
    luaL_setfuncs(L, kl_text_functions, 0);
    luaL_setfuncs(L, kl_match_functions, 0);
    lua_pushliteral(L, ""); /* methods of texts find the same table */
    lua_getmetatable(L, -1);
    lua_pushvalue(L, lib + 1);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    freeze(L, "string");
    lua_setfield(L, env, "string");
    lua_settop(L, lib - 1);
}

static void open_table(lua_State *L, int env)
{
    static const char *const lists[] = { "concat", "insert", "remove", NULL };
    static const char *const plain[] = { "pack", NULL };
    static const luaL_Reg own[] = { { "sort", kl_lua_sort }, { "unpack", unpack }, { NULL, NULL } };
    int lib = open_library(L, luaopen_table);

    lua_newtable(L);
    copy(L, lib, lib + 1, lists, guarded_list);
    copy(L, lib, lib + 1, plain, NULL);
    luaL_setfuncs(L, own, 0);
    freeze(L, "table");
    lua_setfield(L, env, "table");
    lua_settop(L, lib - 1);
}

static void open_math(lua_State *L, int env)
{
    static const char *const plain[] = {
        "abs",  "acos", "asin", "atan", "ceil",       "cos",  "deg",        "exp",  "floor",
        "fmod", "huge", "log",  "max",  "maxinteger", "min",  "mininteger", "modf", "pi",
        "rad",  "sin",  "sqrt", "tan",  "tointeger",  "type", "ult",        NULL
    };
    static const luaL_Reg own[] = { { "random", kl_lua_random }, { NULL, NULL } };
    int lib = open_library(L, luaopen_math);

    lua_newtable(L);
    copy(L, lib, lib + 1, plain, NULL);
    luaL_setfuncs(L, own, 0);
    freeze(L, "math");
    lua_setfield(L, env, "math");
    lua_settop(L, lib - 1);
}

static void open_utf8(lua_State *L, int env)
{
    static const char *const texts[] = { "char", "codepoint", "codes", "len", "offset", NULL };
    static const char *const plain[] = { "charpattern", NULL };
    int lib = open_library(L, luaopen_utf8);

    lua_newtable(L);
    copy(L, lib, lib + 1, texts, guarded_text);
    copy(L, lib, lib + 1, plain, NULL);
    freeze(L, "utf8");
    lua_setfield(L, env, "utf8");
    lua_settop(L, lib - 1);
}

/* Keeps the names for "did you mean" and the scan; the table on top has them. */
static void remember_names(lua_State *L)
{
    kp_script *s = kl_of(L);
    size_t n = 0;

    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        n++;
    s->names = KP_NEW_ARRAY(s->a, n + 1, const char *);
    n = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        s->names[n++] = kp_strdup(s->a, lua_tostring(L, -2));
}

KL_RAISES void kl_env_open(lua_State *L)
{
    static const char *const plain[] = { "assert",   "error", "ipairs", "select",
                                         "tonumber", "type",  NULL };
    static const luaL_Reg own[] = {
        { "next", kl_lua_next },         { "pairs", kl_lua_pairs },     { "pcall", kl_lua_pcall },
        { "tostring", kl_lua_tostring }, { "require", kl_lua_require }, { NULL, NULL },
    };

    lua_pushcfunction(L, luaopen_base); /* fills the state's global table, which no script sees */
    lua_call(L, 0, 0);
    lua_pushglobaltable(L);
    int lib = lua_gettop(L), env = lib + 1;
    lua_newtable(L);
    copy(L, lib, env, plain, NULL);
    luaL_setfuncs(L, own, 0);
    lua_pushliteral(L, LUA_VERSION);
    lua_setfield(L, env, "_VERSION");
    open_string(L, env);
    open_table(L, env);
    open_math(L, env);
    open_utf8(L, env);
    kl_verbs(L);
    remember_names(L);
    freeze(L, NULL);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &env_key);
    lua_settop(L, lib - 1);
}

KL_RAISES void kl_env_push(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &env_key);
}
