/* wait_until's function must not keep anything between two evaluations: how often it is called
 * depends on the time, and a resumed run calls it once.  Variables it shares with the code around
 * it are compared before and after; what a table holds is not looked at.
 */
#include "kl.h"

#define FUNCTIONS 64 /* reached through each other; further ones are not looked at */

/* The function at fn, unless it is in `seen` already: [-0, +0] */
static void remember(lua_State *L, int seen, int fn)
{
    lua_pushvalue(L, fn);
    bool known = lua_rawget(L, seen) != LUA_TNIL;
    lua_pop(L, 1);
    if (known || lua_iscfunction(L, fn) || lua_rawlen(L, seen) >= FUNCTIONS)
        return;

    lua_createtable(L, 0, 4); /* its variables by number */
    for (int i = 1; lua_getupvalue(L, fn, i); i++)
        lua_rawseti(L, -2, i);
    lua_pushvalue(L, fn);
    lua_pushvalue(L, -2);
    lua_rawset(L, seen);
    lua_pushvalue(L, fn);
    lua_rawseti(L, seen, (lua_Integer)lua_rawlen(L, seen) + 1); /* in the order of being found */
    lua_pop(L, 1);
}

KL_RAISES void kl_pure_remember(lua_State *L, int fn)
{
    fn = lua_absindex(L, fn);
    luaL_checkstack(L, 10, "wait_until");
    lua_newtable(L);
    int seen = lua_gettop(L);
    remember(L, seen, fn);
    for (lua_Integer k = 1; lua_rawgeti(L, seen, k) == LUA_TFUNCTION; k++) {
        int one = lua_gettop(L);
        for (int i = 1; lua_getupvalue(L, one, i); i++) {
            if (lua_isfunction(L, -1))
                remember(L, seen, lua_gettop(L));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* The two values on top.  A number that is none is not equal to itself. */
static bool same(lua_State *L)
{
    bool nan = lua_type(L, -1) == LUA_TNUMBER && !lua_rawequal(L, -1, -1);
    bool was = lua_type(L, -2) == LUA_TNUMBER && !lua_rawequal(L, -2, -2);
    return (nan && was) || lua_rawequal(L, -1, -2);
}

KL_RAISES void kl_pure_compare(lua_State *L, int seen)
{
    seen = lua_absindex(L, seen);
    luaL_checkstack(L, 10, "wait_until");
    for (lua_Integer k = 1; lua_rawgeti(L, seen, k) == LUA_TFUNCTION; k++) {
        int one = lua_gettop(L);
        lua_pushvalue(L, one);
        lua_rawget(L, seen);
        const char *name;
        for (int i = 1; (name = lua_getupvalue(L, one, i)) != NULL; i++) {
            lua_rawgeti(L, one + 1, i);
            if (!same(L))
                kl_throw(L, "keep it outside: its function may only ask and compare",
                         "wait_until: its function changes `%.60s`", name);
            lua_pop(L, 2);
        }
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}
