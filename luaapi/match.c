/* Lua's patterns, with a budget: find, match, gmatch and gsub as the manual describes them,
 * counting every step, because a short pattern can take longer than the age of the universe.
 *
 * The matcher walks pattern and text side by side and comes back to a choice (how many repeats,
 * where a capture begins) when the rest does not fit.
 */
#include "kl.h"

#include <ctype.h>
#include <string.h>

#define CAPTURES 32
#define NESTING 200 /* choices inside each other */

enum { OPEN = -1, POSITION = -2 }; /* instead of a capture's length */

typedef struct capture {
    const char *at;
    ptrdiff_t n;
} capture;

typedef struct matcher {
    lua_State *L;
    kp_script *script;
    const char *text, *text_end, *pattern_end;
    int n_captures, nesting;
    capture captures[CAPTURES];
} matcher;

static const char *rest(matcher *m, const char *s, const char *p);

/* `steps`: bytes of text or pattern that were looked at, so that a long [set] is not one step. */
static void tick(matcher *m, ptrdiff_t steps)
{
    m->script->match_steps += steps;
    if (m->script->match_steps > KL_MATCH_LIMIT)
        kl_kill_now(m->L, KL_KILL_MATCH);
}

KL_RAISES static int malformed(lua_State *L, const char *why)
{
    return kl_throw(L, "the pattern is as in Lua's manual, 6.4.1", "malformed pattern (%s)", why);
}

/* ---- one character ---- */

static bool in_class(int c, int class)
{
    bool yes;

    switch (tolower(class)) {
    case 'a':
        yes = isalpha(c) != 0;
        break;
    case 'c':
        yes = iscntrl(c) != 0;
        break;
    case 'd':
        yes = isdigit(c) != 0;
        break;
    case 'g':
        yes = isgraph(c) != 0;
        break;
    case 'l':
        yes = islower(c) != 0;
        break;
    case 'p':
        yes = ispunct(c) != 0;
        break;
    case 's':
        yes = isspace(c) != 0;
        break;
    case 'u':
        yes = isupper(c) != 0;
        break;
    case 'w':
        yes = isalnum(c) != 0;
        break;
    case 'x':
        yes = isxdigit(c) != 0;
        break;
    default:
        return class == c;
    }
    return isupper(class) ? !yes : yes;
}

/* The end of the item that begins at p: "a", "%d", "[^x-z]". */
static const char *item_end(matcher *m, const char *p)
{
    if (*p == '%') {
        if (p + 1 == m->pattern_end)
            malformed(m->L, "it ends with %");
        return p + 2;
    }
    if (*p != '[')
        return p + 1;
    p++;
    if (p < m->pattern_end && *p == '^')
        p++;
    for (bool first = true; first || p >= m->pattern_end || *p != ']'; first = false) {
        if (p >= m->pattern_end || (*p == '%' && p + 1 >= m->pattern_end))
            malformed(m->L, "a [ without its ]");
        p += *p == '%' ? 2 : 1;
    }
    return p + 1;
}

/* Is c in the set from p, its [, to last, its ]? */
static bool in_set(int c, const char *p, const char *last)
{
    bool wanted = true;

    if (*++p == '^') {
        wanted = false;
        p++;
    }
    while (p < last) {
        if (*p == '%') {
            if (in_class(c, (unsigned char)p[1]))
                return wanted;
            p += 2;
        } else if (p + 2 < last && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return wanted;
            p += 3;
        } else if ((unsigned char)*p++ == c) {
            return wanted;
        }
    }
    return !wanted;
}

static bool fits(matcher *m, const char *s, const char *p, const char *end)
{
    tick(m, end - p);
    if (s >= m->text_end)
        return false;
    int c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case '%':
        return in_class(c, (unsigned char)p[1]);
    case '[':
        return in_set(c, p, end - 1);
    default:
        return (unsigned char)*p == c;
    }
}

/* ---- what needs a choice ---- */

static const char *deeper(matcher *m, const char *s, const char *p)
{
    if (m->nesting >= NESTING)
        kl_throw(m->L, "write a simpler pattern", "the pattern is too complex");
    m->nesting++;
    const char *end = rest(m, s, p);
    m->nesting--;
    return end;
}

/* As many as there are, then fewer. */
static const char *most(matcher *m, const char *s, const char *p, const char *end, ptrdiff_t least)
{
    ptrdiff_t n = 0;

    while (fits(m, s + n, p, end))
        n++;
    for (; n >= least; n--) {
        const char *e = deeper(m, s + n, end + 1);
        if (e)
            return e;
    }
    return NULL;
}

static const char *fewest(matcher *m, const char *s, const char *p, const char *end)
{
    for (;; s++) {
        const char *e = deeper(m, s, end + 1);
        if (e || !fits(m, s, p, end))
            return e;
    }
}

static const char *begin_capture(matcher *m, const char *s, const char *p, ptrdiff_t n)
{
    if (m->n_captures == CAPTURES)
        kl_throw(m->L, "use fewer ( )", "the pattern has more than %d captures", CAPTURES);
    m->captures[m->n_captures++] = (capture) { .at = s, .n = n };
    const char *e = deeper(m, s, p);
    if (!e)
        m->n_captures--;
    return e;
}

static const char *end_capture(matcher *m, const char *s, const char *p)
{
    int i = m->n_captures - 1;

    while (i >= 0 && m->captures[i].n != OPEN)
        i--;
    if (i < 0)
        malformed(m->L, "a ) without its (");
    m->captures[i].n = s - m->captures[i].at;
    const char *e = deeper(m, s, p);
    if (!e)
        m->captures[i].n = OPEN;
    return e;
}

/* %bxy: from an x to its y; NULL when there is none. */
static const char *balanced(matcher *m, const char *s, const char *p)
{
    int depth = 1;

    if (m->pattern_end - p < 2)
        malformed(m->L, "%b takes two characters");
    if (s >= m->text_end || *s != p[0])
        return NULL;
    for (s++; s < m->text_end; s++) {
        tick(m, 1);
        if (*s == p[1]) {
            if (--depth == 0)
                return s + 1;
        } else if (*s == p[0]) {
            depth++;
        }
    }
    return NULL;
}

/* %1: the text of an earlier capture again. */
static const char *again(matcher *m, const char *s, char digit)
{
    int i = digit - '1';

    if (i < 0 || i >= m->n_captures || m->captures[i].n == OPEN)
        malformed(m->L, "a %1 without its capture");
    if (m->captures[i].n == POSITION)
        return NULL; /* a position is no text */
    size_t n = (size_t)m->captures[i].n;
    m->script->match_steps += (int64_t)(n / 16);
    if ((size_t)(m->text_end - s) < n || memcmp(s, m->captures[i].at, n) != 0)
        return NULL;
    return s + n;
}

/* %f[set]: here the text enters the set. */
static bool frontier(matcher *m, const char *s, const char *p, const char *end)
{
    int before = s == m->text ? 0 : (unsigned char)s[-1];
    int now = s < m->text_end ? (unsigned char)*s : 0;

    tick(m, end - p);
    return !in_set(before, p, end - 1) && in_set(now, p, end - 1);
}

/* Where the match of the pattern from p with the text from s ends; NULL: there is none. */
static const char *rest(matcher *m, const char *s, const char *p)
{
    while (p < m->pattern_end) {
        tick(m, 1);
        if (*p == '(') {
            bool here = p + 1 < m->pattern_end && p[1] == ')';
            return begin_capture(m, s, here ? p + 2 : p + 1, here ? POSITION : OPEN);
        }
        if (*p == ')')
            return end_capture(m, s, p + 1);
        if (*p == '$' && p + 1 == m->pattern_end)
            return s == m->text_end ? s : NULL;
        if (*p == '%' && p + 1 < m->pattern_end && (p[1] == 'b' || isdigit((unsigned char)p[1]))) {
            s = p[1] == 'b' ? balanced(m, s, p + 2) : again(m, s, p[1]);
            if (!s)
                return NULL;
            p += p[1] == 'b' ? 4 : 2;
            continue;
        }
        if (*p == '%' && p + 1 < m->pattern_end && p[1] == 'f') {
            p += 2;
            if (p >= m->pattern_end || *p != '[')
                malformed(m->L, "%f takes a [set]");
            const char *set_end = item_end(m, p);
            if (!frontier(m, s, p, set_end))
                return NULL;
            p = set_end;
            continue;
        }
        const char *end = item_end(m, p);
        tick(m, end - p);
        switch (end < m->pattern_end ? *end : 0) {
        case '*':
            return most(m, s, p, end, 0);
        case '+':
            return most(m, s, p, end, 1);
        case '-':
            return fewest(m, s, p, end);
        case '?': {
            const char *e = fits(m, s, p, end) ? deeper(m, s + 1, end + 1) : NULL;
            if (e)
                return e;
            p = end + 1;
            continue;
        }
        default:
            if (!fits(m, s, p, end))
                return NULL;
            s++;
            p = end;
        }
    }
    return s;
}

static const char *match_at(matcher *m, const char *s, const char *p)
{
    tick(m, 1); /* the empty pattern has no items */
    m->n_captures = 0;
    m->nesting = 0;
    return rest(m, s, p);
}

/* ---- captures as values ---- */

/* Capture i; the whole match when the pattern has none: [-0, +1] */
static void push_capture(matcher *m, int i, const char *s, const char *e)
{
    lua_State *L = m->L;

    if (i >= m->n_captures) {
        if (i != 0)
            kl_throw(L, "count its ( )", "there is no capture %%%d", i + 1);
        lua_pushlstring(L, s, (size_t)(e - s));
        return;
    }
    const capture *c = &m->captures[i];
    if (c->n == OPEN)
        malformed(L, "a ( without its )");
    if (c->n == POSITION)
        lua_pushinteger(L, c->at - m->text + 1);
    else
        lua_pushlstring(L, c->at, (size_t)c->n);
}

/* [-0, +n] all of them; the whole match counts as one when there are none and `whole`. */
static int push_captures(matcher *m, const char *s, const char *e, bool whole)
{
    int n = m->n_captures == 0 && whole ? 1 : m->n_captures;

    luaL_checkstack(m->L, n + 2, "captures");
    for (int i = 0; i < n; i++)
        push_capture(m, i, s, e);
    return n;
}

static matcher begin(lua_State *L, const char *s, size_t n, const char *p, size_t n_p)
{
    return (matcher) {
        .L = L, .script = kl_of(L), .text = s, .text_end = s + n, .pattern_end = p + n_p
    };
}

/* Where a search begins, 0-based; beyond the end: n + 1. */
static size_t start_of(lua_Integer init, size_t n)
{
    if (init > 0)
        return (lua_Unsigned)init - 1 > n ? n + 1 : (size_t)init - 1;
    if (init == 0 || (lua_Unsigned)0 - (lua_Unsigned)init > n)
        return 0;
    return n - (size_t)((lua_Unsigned)0 - (lua_Unsigned)init);
}

/* ---- the four functions ---- */

static int search(lua_State *L, bool find)
{
    size_t n, n_p;
    const char *s = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &n_p);
    size_t init = start_of(luaL_optinteger(L, 3, 1), n);

    kl_charge(L, 1);
    if (init > n) {
        lua_pushnil(L);
        return 1;
    }
    bool plain = true;
    for (size_t i = 0; i < n_p && plain; i++)
        plain = p[i] == 0 || !strchr("^$*+?.([%-", p[i]);
    if (find && (lua_toboolean(L, 4) || plain)) {
        kl_charge(L, (int64_t)((n - init + n_p) / 16));
        const char *at = memmem(s + init, n - init, p, n_p);
        if (!at) {
            lua_pushnil(L);
            return 1;
        }
        lua_pushinteger(L, at - s + 1);
        lua_pushinteger(L, at - s + (ptrdiff_t)n_p);
        return 2;
    }
    matcher m = begin(L, s, n, p, n_p);
    bool anchored = n_p > 0 && *p == '^';
    for (const char *from = s + init; from <= m.text_end; from++) {
        const char *e = match_at(&m, from, p + anchored);
        if (e && find) {
            lua_pushinteger(L, from - s + 1);
            lua_pushinteger(L, e - s);
            return 2 + push_captures(&m, from, e, false);
        }
        if (e)
            return push_captures(&m, from, e, true);
        if (anchored)
            break;
    }
    lua_pushnil(L);
    return 1;
}

/* string.find(s, pattern [, init [, plain]]): [-n, +m] */
static int find(lua_State *L)
{
    return search(L, true);
}

/* string.match(s, pattern [, init]): [-n, +m] */
static int match(lua_State *L)
{
    return search(L, false);
}

/* upvalues: text, pattern, where to go on, where the last match ended (-1: none yet) */
static int gmatch_next(lua_State *L)
{
    size_t n, n_p;
    const char *s = lua_tolstring(L, lua_upvalueindex(1), &n);
    const char *p = lua_tolstring(L, lua_upvalueindex(2), &n_p);
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(3)),
                last = lua_tointeger(L, lua_upvalueindex(4));
    matcher m = begin(L, s, n, p, n_p);

    kl_charge(L, 1);
    for (; at <= (lua_Integer)n; at++) {
        const char *e = match_at(&m, s + at, p);
        if (!e || e - s == last)
            continue;
        lua_pushinteger(L, e - s);
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(&m, s + at, e, true);
    }
    lua_pushinteger(L, (lua_Integer)n + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

/* string.gmatch(s, pattern [, init]): [-n, +1] */
static int gmatch(lua_State *L)
{
    size_t n;

    luaL_checklstring(L, 1, &n);
    luaL_checkstring(L, 2);
    size_t init = start_of(luaL_optinteger(L, 3, 1), n);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)init);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* What replaces a match, by a text with %0 to %9: [-0, +0] */
static void add_template(matcher *m, luaL_Buffer *b, const char *s, const char *e)
{
    size_t n;
    const char *r = lua_tolstring(m->L, 3, &n);

    kl_charge(m->L, 1 + (int64_t)(n / 4)); /* what it adds may be nothing */
    for (size_t i = 0; i < n; i++) {
        if (r[i] != '%') {
            luaL_addchar(b, r[i]);
            continue;
        }
        char c = ++i < n ? r[i] : 0;
        if (c == '%') {
            luaL_addchar(b, '%');
        } else if (c == '0') {
            luaL_addlstring(b, s, (size_t)(e - s));
        } else if (c >= '1' && c <= '9') {
            push_capture(m, c - '1', s, e);
            luaL_tolstring(m->L, -1, NULL);
            lua_remove(m->L, -2);
            luaL_addvalue(b);
        } else {
            kl_throw(m->L, "write %% for a percent sign",
                     "string.gsub: a %% without 0 to 9 in the replacement");
        }
    }
}

/* Adds what replaces the match; false or nil of a table or a function keeps it. */
static void add_replacement(matcher *m, luaL_Buffer *b, const char *s, const char *e)
{
    lua_State *L = m->L;

    switch (lua_type(L, 3)) {
    case LUA_TTABLE:
        push_capture(m, 0, s, e);
        lua_rawget(L, 3);
        break;
    case LUA_TFUNCTION:
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, s, e, true), 1);
        break;
    default:
        add_template(m, b, s, e);
        return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(e - s));
    } else if (lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER) {
        luaL_addvalue(b);
    } else {
        kl_throw(L, "give a text", "string.gsub: the replacement is a %s", luaL_typename(L, -1));
    }
}

/* string.gsub(s, pattern, replacement [, n]): [-n, +2] */
static int gsub(lua_State *L)
{
    size_t n, n_p;
    const char *s = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &n_p), *last = NULL;
    int type = lua_type(L, 3);
    lua_Integer limit = luaL_optinteger(L, 4, (lua_Integer)n + 1), done = 0;
    luaL_Buffer b;

    kl_charge(L, 1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TTABLE && type != LUA_TFUNCTION)
        return kl_throw(L, "give a text, a table or a function",
                        "string.gsub: the replacement is a %s", luaL_typename(L, 3));
    if (type == LUA_TNUMBER)
        lua_tolstring(L, 3, NULL);
    lua_settop(L, 3);
    bool anchored = n_p > 0 && *p == '^';
    matcher m = begin(L, s, n, p, n_p);
    luaL_buffinit(L, &b);
    while (done < limit) {
        const char *e = match_at(&m, s, p + anchored);
        if (e && e != last) {
            done++;
            add_replacement(&m, &b, s, e);
            s = last = e;
        } else if (s < m.text_end) {
            luaL_addchar(&b, *s++);
        } else {
            break;
        }
        if (luaL_bufflen(&b) > KL_TEXT_LIMIT)
            return kl_throw(L, "make a shorter text", "string.gsub of more than %d MB",
                            (int)(KL_TEXT_LIMIT >> 20));
        if (anchored)
            break;
    }
    luaL_addlstring(&b, s, (size_t)(m.text_end - s));
    luaL_pushresult(&b);
    lua_pushinteger(L, done);
    return 2;
}

const luaL_Reg kl_match_functions[] = {
    { "find", find }, { "match", match }, { "gmatch", gmatch }, { "gsub", gsub }, { NULL, NULL },
};
