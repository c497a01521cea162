/* What must answer the same in every process, or a resumed run would go another way: the order of
 * pairs, texts without addresses, and random numbers from the run's seed.
 */
#include "kl.h"

#include <math.h>
#include <string.h>

/* ---- pairs ---- */

/* upvalues: the table, its keys (nil: they are 1 to n), n, the next one's number */
static int pairs_next(lua_State *L)
{
    lua_Integer n = lua_tointeger(L, lua_upvalueindex(3));
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(4));

    lua_settop(L, 0);
    for (; i <= n; i++) {
        if (lua_isnil(L, lua_upvalueindex(2)))
            lua_pushinteger(L, i);
        else
            lua_rawgeti(L, lua_upvalueindex(2), i);
        lua_pushvalue(L, 1);
        lua_rawget(L, lua_upvalueindex(1));
        if (!lua_isnil(L, 2)) {
            lua_pushinteger(L, i + 1);
            lua_copy(L, 3, lua_upvalueindex(4));
            lua_settop(L, 2);
            return 2;
        }
        lua_settop(L, 0); /* removed meanwhile */
    }
    lua_pushnil(L);
    return 1;
}

/* [-0, +1] the keys of the table at 1 in their order, nil when they are 1 to n; n is answered. */
static lua_Integer sorted_keys(lua_State *L)
{
    lua_Integer n = 0, in_list = 0, length = (lua_Integer)lua_rawlen(L, 1);

    luaL_checktype(L, 1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        int type = lua_type(L, -2);
        if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
            kl_throw(L, "use texts or numbers as keys", "a key of type %s has no order",
                     luaL_typename(L, -2));
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= length)
            in_list++;
        n++;
    }
    kl_charge(L, n / 4);
    lua_pushnil(L);
    if (in_list == n)
        return length;
    lua_pop(L, 1);
    lua_createtable(L, n < KL_TABLE_LIMIT ? (int)n : 0, 0);
    n = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_rawseti(L, -4, ++n);
    }
    kl_sort(L, lua_gettop(L), n, 0);
    return n;
}

/* pairs(t): [-1, +3] by kind of key (boolean, number, text), then by key. */
KL_RAISES int kl_lua_pairs(lua_State *L)
{
    lua_settop(L, 1);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer n = sorted_keys(L);
    lua_pushvalue(L, 1);
    lua_insert(L, 2);
    lua_pushinteger(L, n);
    lua_pushinteger(L, 1);
    lua_pushcclosure(L, pairs_next, 4);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* next(t): [-1, +2] the first key of pairs and its value; nil when the table is empty. */
KL_RAISES int kl_lua_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!lua_isnoneornil(L, 2))
        return kl_throw(L, "use pairs",
                        "next(t, key) is not offered; next(t) tells whether t is empty");
    lua_settop(L, 1);
    lua_Integer n = sorted_keys(L);
    if (n == 0) {
        lua_pushnil(L);
        return 1;
    }
    if (lua_isnil(L, 2))
        lua_pushinteger(L, 1);
    else
        lua_rawgeti(L, 2, 1);
    lua_pushvalue(L, -1);
    lua_rawget(L, 1);
    return 2;
}

/* ---- texts ---- */

KL_RAISES const char *kl_tostring(lua_State *L, int i, size_t *ret_n)
{
    size_t ignored;

    if (!ret_n)
        ret_n = &ignored;
    i = lua_absindex(L, i);
    switch (lua_type(L, i)) {
    case LUA_TNUMBER:
        if (!lua_isinteger(L, i) && isnan(lua_tonumber(L, i))) {
            lua_pushliteral(L, "nan");
            break;
        }
        lua_pushvalue(L, i);
        lua_tolstring(L, -1, NULL);
        break;
    case LUA_TSTRING:
        lua_pushvalue(L, i);
        break;
    case LUA_TNIL:
        lua_pushliteral(L, "nil");
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, i) ? "true" : "false");
        break;
    default:
        if (kl_box_at(L, i))
            luaL_tolstring(L, i, NULL);
        else
            lua_pushstring(L, luaL_typename(L, i));
        break;
    }
    return lua_tolstring(L, -1, ret_n);
}

KL_RAISES int kl_lua_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    kl_tostring(L, 1, NULL);
    return 1;
}

/* ---- random: xoshiro256**, by Blackman and Vigna (public domain), seeded by splitmix64 ---- */

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t draw(uint64_t *x)
{
    uint64_t result = rotate(x[1] * 5, 7) * 9, t = x[1] << 17;

    x[2] ^= x[0];
    x[3] ^= x[1];
    x[1] ^= x[2];
    x[0] ^= x[3];
    x[2] ^= t;
    x[3] = rotate(x[3], 45);
    return result;
}

void kl_random_seed(kp_script *s, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        s->random[i] = z ^ (z >> 31);
    }
}

/* math.random(), (n), (m, n): [-n, +1] */
KL_RAISES int kl_lua_random(lua_State *L)
{
    kp_script *s = kl_of(L);
    lua_Integer low = 1, high = 0;

    switch (lua_gettop(L)) {
    case 0:
        lua_pushnumber(L, (lua_Number)(draw(s->random) >> 11) * 0x1.0p-53);
        return 1;
    case 1:
        high = luaL_checkinteger(L, 1);
        break;
    case 2:
        low = luaL_checkinteger(L, 1);
        high = luaL_checkinteger(L, 2);
        break;
    default:
        return kl_throw(L, "math.random(m, n)", "math.random takes at most two numbers");
    }
    luaL_argcheck(L, low <= high, lua_gettop(L), "interval is empty");
    uint64_t range = (uint64_t)high - (uint64_t)low, mask = range, x;
    for (int k = 1; k < 64; k *= 2)
        mask |= mask >> k;
    do
        x = draw(s->random) & mask;
    while (x > range);
    lua_pushinteger(L, (lua_Integer)(x + (uint64_t)low));
    return 1;
}
