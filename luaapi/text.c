/* Texts: string.format and string.rep, with limits and without addresses. */
#include "kl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SPEC 32 /* bytes of one "%-10.3f" */

/* One conversion, "%-5d" say: its flags, width and precision, at most two digits each, into spec.
 * Answers its letter. */
static char read_spec(lua_State *L, const char **ret_p, const char *end, char spec[SPEC])
{
    const char *p = *ret_p;
    size_t n = 0;

    spec[n++] = '%';
    while (p < end && strchr("-+ #0", *p) && *p && n < 7)
        spec[n++] = *p++;
    for (int part = 0; part < 2; part++) {
        for (int digits = 0; p < end && *p >= '0' && *p <= '9'; digits++) {
            if (digits == 2)
                kl_throw(L, "use at most 99", "string.format: a width of more than two digits");
            spec[n++] = *p++;
        }
        if (part == 0 && p < end && *p == '.')
            spec[n++] = *p++;
        else
            break;
    }
    if (p >= end)
        kl_throw(L, "write %% for a percent sign", "string.format: the text ends in a %%");
    spec[n] = 0;
    *ret_p = p + 1;
    return *p;
}

static void add_letter(char spec[SPEC], const char *letters)
{
    size_t n = strlen(spec);
    snprintf(spec + n, SPEC - n, "%s", letters);
}

static void add_quoted(lua_State *L, luaL_Buffer *b, int arg)
{
    size_t n;
    const char *p;

    if (lua_type(L, arg) != LUA_TSTRING) {
        if (lua_type(L, arg) == LUA_TNUMBER || lua_type(L, arg) == LUA_TBOOLEAN ||
            lua_isnil(L, arg)) {
            kl_tostring(L, arg, NULL);
            luaL_addvalue(b);
            return;
        }
        luaL_argerror(L, arg, "value has no literal form");
    }
    p = lua_tolstring(L, arg, &n);
    luaL_addchar(b, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '"' || c == '\\' || c == '\n') {
            luaL_addchar(b, '\\');
            luaL_addchar(b, (char)c);
        } else if (c < 32 || c == 127) {
            char code[8];
            snprintf(code, sizeof code, "\\%03d", c);
            luaL_addstring(b, code);
        } else {
            luaL_addchar(b, (char)c);
        }
    }
    luaL_addchar(b, '"');
}

static void add_text(lua_State *L, luaL_Buffer *b, int arg, char spec[SPEC])
{
    size_t n;

    luaL_checkany(L, arg);
    const char *p = kl_tostring(L, arg, &n);
    if (!spec[1]) {
        luaL_addvalue(b);
        return;
    }
    luaL_argcheck(L, !memchr(p, 0, n), arg, "string contains zeros");
    if (!strchr(spec, '.') && n >= 100) {
        luaL_addvalue(b);
        return;
    }
    char out[256];
    add_letter(spec, "s");
    snprintf(out, sizeof out, spec, p);
    lua_pop(L, 1);
    luaL_addstring(b, out);
}

static void add_number(lua_State *L, luaL_Buffer *b, int arg, char spec[SPEC], char letter)
{
    char out[512], letters[] = { letter, 0 };

    switch (letter) {
    case 'd':
    case 'i':
    case 'x':
    case 'X':
    case 'o':
        add_letter(spec, "ll");
        add_letter(spec, letters);
        snprintf(out, sizeof out, spec, (long long)luaL_checkinteger(L, arg));
        break;
    default: {
        lua_Number x = luaL_checknumber(L, arg);
        add_letter(spec, letters);
        snprintf(out, sizeof out, spec, isnan(x) ? (lua_Number)NAN : x);
    }
    }
    luaL_addstring(b, out);
}

static void add_char(lua_State *L, luaL_Buffer *b, int arg, char spec[SPEC])
{
    char one[128];

    add_letter(spec, "c");
    int len = snprintf(one, sizeof one, spec, (int)luaL_checkinteger(L, arg));
    luaL_addlstring(b, one, (size_t)len);
}

static void add_value(lua_State *L, luaL_Buffer *b, int arg, char spec[SPEC], char letter)
{
    if (letter == 'c')
        add_char(L, b, arg, spec);
    else if (letter == 'q')
        add_quoted(L, b, arg);
    else if (letter == 's')
        add_text(L, b, arg, spec);
    else if (letter && strchr("dixXoaAeEfFgG", letter))
        add_number(L, b, arg, spec, letter);
    else
        kl_throw(L, "%s, %d, %f, %g, %x and %q are the usual ones",
                 "string.format: unknown conversion %%%c", letter);
}

/* string.format(text, ...): [-n, +1] as Lua's, but %s never shows an address and %p is not there.
 */
static int format(lua_State *L)
{
    size_t n, made = 0;
    const char *p = luaL_checklstring(L, 1, &n), *end = p + n;
    int arg = 1, given = lua_gettop(L);
    luaL_Buffer b;

    kl_charge(L, 1 + (int64_t)(n / 16));
    luaL_buffinit(L, &b);
    while (p < end) {
        if (*p != '%') {
            luaL_addchar(&b, *p++);
            continue;
        }
        if (++p < end && *p == '%') {
            luaL_addchar(&b, *p++);
            continue;
        }
        char spec[SPEC];
        char letter = read_spec(L, &p, end, spec);
        if (++arg > given) /* beyond them lies the buffer */
            luaL_argerror(L, arg, "no value");
        add_value(L, &b, arg, spec, letter);
        kl_charge(L, 1 + (int64_t)((luaL_bufflen(&b) - made) / 16));
        made = luaL_bufflen(&b);
        if (made > KL_TEXT_LIMIT)
            return kl_throw(L, "make a shorter text", "string.format of more than %d MB",
                            (int)(KL_TEXT_LIMIT >> 20));
    }
    luaL_pushresult(&b);
    return 1;
}

/* string.rep(text, n [, between]): [-n, +1] */
static int rep(lua_State *L)
{
    size_t n, m;
    const char *p = luaL_checklstring(L, 1, &n);
    lua_Integer times = luaL_checkinteger(L, 2);
    const char *q = luaL_optlstring(L, 3, "", &m);
    luaL_Buffer b;

    if (times <= 0 || n + m == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((lua_Unsigned)times > KL_TEXT_LIMIT / (n + m))
        return kl_throw(L, "make a shorter text", "string.rep of more than %d MB",
                        (int)(KL_TEXT_LIMIT >> 20));
    kl_charge(L, 1 + times);
    luaL_buffinit(L, &b);
    for (lua_Integer i = 0; i < times; i++) {
        if (i > 0)
            luaL_addlstring(&b, q, m);
        luaL_addlstring(&b, p, n);
    }
    luaL_pushresult(&b);
    return 1;
}

const luaL_Reg kl_text_functions[] = { { "format", format }, { "rep", rep }, { NULL, NULL } };
