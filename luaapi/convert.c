/* Values across the boundary.  A table with the keys 1 to n is a list, one with text keys a map,
 * and an empty one a list; anything else has no value that could be kept in a journal and is
 * refused. Tables are read raw: no code of the script runs in here.
 */
#include "kl.h"

#include <stdlib.h>
#include <string.h>

typedef struct reading {
    lua_State *L;
    kp_arena *a;
    size_t *used;
    const char *what;
} reading;

static void spend(const reading *c, size_t bytes)
{
    *c->used += bytes;
    if (*c->used > KL_VALUE_LIMIT)
        kl_throw(c->L, "give it less", "%s: more than %d MB of arguments", c->what,
                 (int)(KL_VALUE_LIMIT >> 20));
}

static const kp_value *any(const reading *c, int i, int depth);

static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Whatever order the table has them in: an error in one of its values must be the same error when a
 * run is replayed.  They live as long as the table. */
static const char **sorted_keys(const reading *c, int i, size_t n)
{
    lua_State *L = c->L;
    const char **keys = KP_NEW_ARRAY(c->a, n, const char *);
    size_t at = 0;

    for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
        size_t len;
        keys[at] = lua_tolstring(L, -2, &len);
        if (memchr(keys[at++], 0, len))
            kl_throw(L, "use another key", "%s: a key with a zero byte", c->what);
        spend(c, len);
    }
    qsort(keys, n, sizeof *keys, by_name);
    return keys;
}

static const kp_value *table(const reading *c, int i, int depth)
{
    lua_State *L = c->L;
    lua_Integer n = (lua_Integer)lua_rawlen(L, i), items = 0, fields = 0;
    int odd = LUA_TNONE; /* type of a key that is no name and no place in a list */

    if (lua_getmetatable(L, i))
        kl_throw(L, "give it a table of your own", "%s: this table cannot be given to a verb",
                 c->what);
    if (depth >= KL_VALUE_DEPTH)
        kl_throw(L, "give it a flatter table", "%s: tables more than %d deep inside each other",
                 c->what, KL_VALUE_DEPTH);
    luaL_checkstack(L, 8, "tables inside each other");
    for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
        spend(c, 64);
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= n)
            items++;
        else if (lua_type(L, -2) == LUA_TSTRING)
            fields++;
        else if (odd == LUA_TNONE || lua_type(L, -2) < odd)
            odd = lua_type(L, -2);
    }
    if (odd != LUA_TNONE)
        kl_throw(L, "use the keys 1, 2, 3 ..., or names",
                 "%s: a table with a hole, or a key that is a %s", c->what, lua_typename(L, odd));
    if (fields > 0 && (items > 0 || n > 0))
        kl_throw(L, "use the keys 1, 2, 3 ..., or names", "%s: a table that is a list and a map",
                 c->what);
    if (fields == 0 && items != n)
        kl_throw(L, "leave no holes", "%s: a list with a hole", c->what);
    if (fields > 0) {
        kp_builder b = kp_map_begin(c->a);
        const char **keys = sorted_keys(c, i, (size_t)fields);
        for (lua_Integer k = 0; k < fields; k++) {
            lua_pushstring(L, keys[k]);
            lua_rawget(L, i);
            kp_map_add(&b, keys[k], any(c, lua_gettop(L), depth + 1));
            lua_pop(L, 1);
        }
        return kp_map_end(&b);
    }
    kp_builder b = kp_list_begin(c->a);
    for (lua_Integer k = 1; k <= n; k++) {
        lua_rawgeti(L, i, k);
        kp_list_add(&b, any(c, lua_gettop(L), depth + 1));
        lua_pop(L, 1);
    }
    return kp_list_end(&b);
}

static const kp_value *any(const reading *c, int i, int depth)
{
    lua_State *L = c->L;
    const kp_value *v;
    const char *p;
    size_t n;

    spend(c, 64);
    switch (lua_type(L, i)) {
    case LUA_TNIL:
        return kp_nil();
    case LUA_TBOOLEAN:
        return kp_bool(lua_toboolean(L, i));
    case LUA_TNUMBER:
        return lua_isinteger(L, i) ? kp_int(c->a, lua_tointeger(L, i))
                                   : kp_double(c->a, lua_tonumber(L, i));
    case LUA_TSTRING:
        p = lua_tolstring(L, i, &n);
        spend(c, n);
        return kp_bytes(c->a, p, n);
    case LUA_TTABLE:
        return table(c, i, depth);
    case LUA_TUSERDATA:
        p = kl_tostring(L, i, &n);
        spend(c, n);
        v = kp_bytes(c->a, p, n);
        lua_pop(L, 1);
        return v;
    default:
        kl_throw(L, "kplay doc VERB shows its arguments", "%s: a %s cannot be given to a verb",
                 c->what, luaL_typename(L, i));
    }
}

KL_RAISES const kp_value *kl_to_value(lua_State *L, int i, kp_arena *a, size_t *used,
                                      const char *what)
{
    return any(&(reading) { .L = L, .a = a, .used = used, .what = what }, lua_absindex(L, i), 0);
}

KL_RAISES void kl_push_value(lua_State *L, const kp_value *v)
{
    luaL_checkstack(L, 6, "values inside each other");
    switch (v ? v->type : KP_NIL) {
    case KP_NIL:
        lua_pushnil(L);
        break;
    case KP_BOOL:
        lua_pushboolean(L, v->u.b);
        break;
    case KP_INT:
        lua_pushinteger(L, v->u.i);
        break;
    case KP_DOUBLE:
        lua_pushnumber(L, v->u.d);
        break;
    case KP_BYTES:
        lua_pushlstring(L, v->u.s, v->n);
        break;
    case KP_LIST:
        lua_createtable(L, v->n <= KL_TABLE_LIMIT ? (int)v->n : 0, 0);
        for (uint32_t i = 0; i < v->n; i++) {
            kl_push_value(L, v->u.items[i]);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case KP_MAP:
        lua_createtable(L, 0, v->n <= KL_TABLE_LIMIT ? (int)v->n : 0);
        for (uint32_t i = 0; i < v->n; i++) {
            lua_pushstring(L, v->keys[i]);
            kl_push_value(L, v->u.items[i]);
            lua_rawset(L, -3);
        }
        break;
    }
}
