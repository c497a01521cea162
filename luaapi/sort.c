/* Sorting: a stable merge, so that equal items keep their order and every process gives the same
 * list (Lua's own picks its pivot by the clock).
 */
#include "kl.h"

#include <string.h>

KL_RAISES lua_Integer kl_plain_list(lua_State *L, int i)
{
    luaL_checktype(L, i, LUA_TTABLE);
    if (lua_getmetatable(L, i))
        kl_throw(L, "use a table of your own", "this table is not a list");
    lua_Unsigned n = lua_rawlen(L, i);
    if (n > KL_TABLE_LIMIT)
        kl_throw(L, "use a shorter list", "a list of more than %d items", KL_TABLE_LIMIT);
    return (lua_Integer)n;
}

static int rank(int type)
{
    return type == LUA_TBOOLEAN ? 0 : type == LUA_TNUMBER ? 1 : 2;
}

/* Is the value at a before the one at b?  Kinds first: this order needs no function. */
static bool by_kind(lua_State *L, int a, int b)
{
    int x = rank(lua_type(L, a)), y = rank(lua_type(L, b));

    if (x != y)
        return x < y;
    if (x == 0)
        return lua_toboolean(L, a) < lua_toboolean(L, b);
    if (x == 1)
        return lua_compare(L, a, b, LUA_OPLT);
    size_t n, m;
    const char *p = lua_tolstring(L, a, &n), *q = lua_tolstring(L, b, &m);
    int c = memcmp(p, q, n < m ? n : m);
    return c ? c < 0 : n < m;
}

/* fn < 0: Lua's <, which raises for what cannot be compared; texts by bytes. */
static bool before(lua_State *L, int a, int b, int fn)
{
    kl_charge(L, 4);
    if (fn > 0) {
        lua_pushvalue(L, fn);
        lua_pushvalue(L, a);
        lua_pushvalue(L, b);
        lua_call(L, 2, 1);
        bool yes = lua_toboolean(L, -1);
        lua_pop(L, 1);
        return yes;
    }
    if (fn == 0 || (lua_type(L, a) == LUA_TSTRING && lua_type(L, b) == LUA_TSTRING))
        return by_kind(L, a, b);
    return lua_compare(L, a, b, LUA_OPLT);
}

static void merge(lua_State *L, int from, int to, lua_Integer low, lua_Integer middle,
                  lua_Integer high, int fn)
{
    lua_Integer i = low, j = middle;

    for (lua_Integer k = low; k < high; k++) {
        bool right = i >= middle;
        if (!right && j < high) {
            lua_rawgeti(L, from, j);
            lua_rawgeti(L, from, i);
            int top = lua_gettop(L);
            right = before(L, top - 1, top, fn);
            lua_pop(L, 2);
        }
        lua_rawgeti(L, from, right ? j++ : i++);
        lua_rawseti(L, to, k);
    }
}

KL_RAISES void kl_sort(lua_State *L, int list, lua_Integer n, int fn)
{
    int from = list, to;

    luaL_checkstack(L, 12, "sorting");
    lua_createtable(L, (int)n, 0);
    int spare = to = lua_gettop(L);
    for (lua_Integer width = 1; width < n; width *= 2) {
        for (lua_Integer low = 1; low <= n; low += 2 * width) {
            lua_Integer middle = low + width < n + 1 ? low + width : n + 1;
            lua_Integer high = low + 2 * width < n + 1 ? low + 2 * width : n + 1;
            merge(L, from, to, low, middle, high, fn);
        }
        int swap = from;
        from = to;
        to = swap;
    }
    if (from != list) {
        kl_charge(L, n / 4);
        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, from, i);
            lua_rawseti(L, list, i);
        }
    }
    lua_remove(L, spare);
}

/* table.sort(list [, before]): [-n, +0] */
KL_RAISES int kl_lua_sort(lua_State *L)
{
    lua_Integer n = kl_plain_list(L, 1);

    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TFUNCTION);
        if (lua_iscfunction(L, 2))
            return kl_throw(L, "write function(a, b) return ... end",
                            "table.sort takes a function of Lua");
    }
    kl_sort(L, 1, n, lua_isnil(L, 2) ? -1 : 2);
    return 0;
}
