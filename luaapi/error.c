/* Errors across the boundary: a kp_err becomes a userdata that a script can look at and raise
 * again, and whatever a script raised becomes a kp_err.
 *
 * The box is made before the call whose error it may hold: from then on there is an owner, and a
 * raised Lua error at any point leaks nothing.
 */
#include "kl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BOX_WEIGHT 512 /* bytes of an error with short texts */

static const char meta_key;

void kl_box_done(kl_box *box)
{
    kp_err_drop(box->err);
    kp_arena_free(box->a);
    box->err = NULL;
    box->a = NULL;
}

KL_RAISES kl_box *kl_box_new(lua_State *L)
{
    return kl_box_new_for(L, 0);
}

KL_RAISES kl_box *kl_box_new_for(lua_State *L, size_t bytes)
{
    kl_box *box = lua_newuserdatauv(L, sizeof *box + BOX_WEIGHT + bytes, 0);

    *box = (kl_box) { 0 };
    lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
    lua_setmetatable(L, -2);
    return box;
}

kl_box *kl_box_at(lua_State *L, int i)
{
    if (lua_type(L, i) != LUA_TUSERDATA || !lua_getmetatable(L, i))
        return NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? lua_touserdata(L, i) : NULL;
}

static int box_gc(lua_State *L)
{
    kl_box_done(lua_touserdata(L, 1));
    return 0;
}

/* err.what and the other fields; [-2, +1] */
static int box_index(lua_State *L)
{
    kl_box *box = kl_box_at(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    const kp_err *e = box ? box->err : NULL;

    if (!e)
        lua_pushnil(L);
    else if (kp_streq(key, "class"))
        lua_pushstring(L, kp_class_name(e->cls));
    else if (kp_streq(key, "what"))
        lua_pushstring(L, e->what);
    else if (kp_streq(key, "next"))
        lua_pushstring(L, e->next);
    else if (kp_streq(key, "where"))
        lua_pushstring(L, e->where);
    else if (kp_streq(key, "detail"))
        lua_pushstring(L, e->detail);
    else if (kp_streq(key, "retriable"))
        lua_pushboolean(L, e->retriable);
    else
        return kl_throw(L, "it has class, what, next, where, detail and retriable",
                        "an error has no field `%s`", key);
    return 1;
}

static int box_newindex(lua_State *L)
{
    return kl_throw(L, "make a new one: fail(\"...\", { next = \"...\" })",
                    "an error cannot be changed");
}

/* "where: what"; [-0, +1] */
static void push_text(lua_State *L, const kl_box *box)
{
    if (!box->err)
        lua_pushliteral(L, "error");
    else if (*box->err->where)
        lua_pushfstring(L, "%s: %s", box->err->where, box->err->what);
    else
        lua_pushstring(L, box->err->what);
}

static int box_tostring(lua_State *L)
{
    const kl_box *box = kl_box_at(L, 1);

    if (!box)
        return kl_throw(L, "use tostring", "this is no error");
    push_text(L, box);
    return 1;
}

/* "text: " .. err, and the other way round; [-2, +1] */
static int box_concat(lua_State *L)
{
    for (int i = 1; i <= 2; i++) {
        const kl_box *box = kl_box_at(L, i);
        if (box)
            push_text(L, box);
        else if (lua_type(L, i) == LUA_TSTRING || lua_type(L, i) == LUA_TNUMBER)
            lua_pushvalue(L, i);
        else
            return kl_throw(L, "use tostring", "attempt to concatenate a %s value",
                            luaL_typename(L, i));
    }
    lua_concat(L, 2);
    return 1;
}

KL_RAISES void kl_error_open(lua_State *L)
{
    static const luaL_Reg meta[] = {
        { "__gc", box_gc },
        { "__index", box_index },
        { "__newindex", box_newindex },
        { "__tostring", box_tostring },
        { "__concat", box_concat },
        { NULL, NULL },
    };

    lua_newtable(L);
    luaL_setfuncs(L, meta, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
}

void kl_place(lua_State *L, char out[KL_PLACE])
{
    lua_Debug ar;

    out[0] = 0;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && *ar.source == '@') {
            snprintf(out, KL_PLACE, "%.*s:%d", KL_PLACE - 16, ar.source + 1, ar.currentline);
            return;
        }
    }
}

static bool is_stdlib(const kp_script *s, const char *chunk)
{
    for (size_t i = 0; i < s->n_files; i++)
        if (s->files[i].what == KP_FIND_STDLIB && kp_streq(s->files[i].chunk, chunk))
            return true;
    return false;
}

void kl_place_from(lua_State *L, char out[KL_PLACE])
{
    lua_Debug ar;
    bool inside = false; /* the functions so far are the stdlib's */

    out[0] = 0;
    for (int level = 0; level < KL_FRAMES && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline <= 0 || *ar.source != '@')
            continue;
        if (!is_stdlib(kl_of(L), ar.source)) {
            if (inside)
                snprintf(out, KL_PLACE, "%.*s:%d", KL_PLACE - 16, ar.source + 1, ar.currentline);
            return;
        }
        inside = true;
    }
}

/* Whether a place is a line of a playbook or of a module of the team. */
static bool is_own(const kp_script *s, const char *where)
{
    for (size_t i = 0; i < s->n_files; i++) {
        size_t n = strlen(s->files[i].path);
        if (s->files[i].what != KP_FIND_STDLIB && strncmp(s->files[i].path, where, n) == 0 &&
            where[n] == ':')
            return true;
    }
    return false;
}

/* A pause is nobody's mistake: it has no line to look at. */
kp_err *kl_err_from(const kp_script *s, kp_err *e, const char *from)
{
    if (!e || !*from || *e->from || e->cls == KP_PAUSED || e->cls == KP_DETACHED ||
        is_own(s, e->where))
        return e;
    return kp_err_from(e, "%s", from);
}

/* Without memory of Lua's: also where that has ended.  A text is known again by its address, which
 * it keeps while protected calls pass it on. */
int kl_raised(lua_State *L)
{
    kp_script *s = kl_of(L);
    kl_box *box = kl_box_at(L, 1);
    const char *text = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : NULL;

    if (box && box->err) {
        char from[KL_PLACE];
        kl_place_from(L, from);
        box->err = kl_err_from(s, box->err, from);
    } else if (text && text != s->raised) {
        kl_place_from(L, s->raised_from);
        s->raised = text;
    }
    return 1;
}

KL_RAISES int kl_raise(lua_State *L, kp_err *e)
{
    /* The error has no owner while the box is made: should that raise, memory is gone anyway and
     * the script is killed. */
    kl_box *box = kl_box_new(L);
    box->err = e;
    lua_error(L);
    __builtin_unreachable();
}

KL_RAISES int kl_throw(lua_State *L, const char *next, const char *fmt, ...)
{
    char text[512], place[KL_PLACE];
    va_list ap;

    kl_box *box = kl_box_new(L);
    kl_place(L, place);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    box->err = kp_err_new(KP_PLAYBOOK, next, "%s", text);
    if (*place)
        box->err = kp_err_at(box->err, "%s", place);
    lua_error(L);
    __builtin_unreachable();
}

/* Lua shortens long paths to "...tail": the file with that tail is meant. */
static const char *whole_path(const kp_script *s, const char *path, size_t n)
{
    if (n <= 3 || memcmp(path, "...", 3) != 0)
        return NULL;
    for (size_t i = 0; i < s->n_files; i++) {
        size_t m = strlen(s->files[i].path);
        if (m >= n - 3 && memcmp(s->files[i].path + m - (n - 3), path + 3, n - 3) == 0)
            return s->files[i].path;
    }
    return NULL;
}

static kp_err *err_of_text(const kp_script *s, const char *text, size_t n)
{
    static const char next[] = "mend the playbook, then run it again";

    for (size_t i = 0; i < n; i++) {
        size_t digits = 0;
        if (text[i] != ':')
            continue;
        while (i + 1 + digits < n && text[i + 1 + digits] >= '0' && text[i + 1 + digits] <= '9')
            digits++;
        size_t end = i + 1 + digits;
        if (digits == 0 || end + 1 >= n || text[end] != ':' || text[end + 1] != ' ')
            continue;
        const char *whole = whole_path(s, text, i);
        int length = (int)(whole ? strlen(whole) : i);
        kp_err *e = kp_err_new(KP_PLAYBOOK, next, "%.*s", (int)(n - end - 2), text + end + 2);
        return kp_err_at(e, "%.*s:%.*s", length, whole ? whole : text, (int)digits, text + i + 1);
    }
    return kp_err_new(KP_PLAYBOOK, next, "%.*s", (int)n, text);
}

kp_err *kl_err_of_text(kp_script *s, const char *text, size_t n)
{
    kp_err *e = err_of_text(s, text, n);

    if (s->raised == text)
        e = kl_err_from(s, e, s->raised_from);
    s->raised = NULL;
    return e;
}
