/* A script's state: how much memory and work it may use, and how it is stopped.
 *
 * A kill is a flag, not an error: a script's pcall could swallow an error.  Once `kill` is set, or
 * the run is over, the hook raises again every thousand instructions, every function of this room
 * that charges work raises, and the script's own pcall passes it on.  Memory is counted by the
 * allocator; a request beyond the limit is refused once, so that Lua collects its garbage, and the
 * same request refused again is the kill.
 */
#include "kl.h"

#include <stdlib.h>
#include <string.h>

#define HOOK_EVERY 1000

static const char kill_mark = 0; /* its address is what a kill raises: it needs no memory */

static void *allocate(void *ud, void *p, size_t osize, size_t nsize)
{
    kp_script *s = ud;

    if (!p)
        osize = 0; /* then it is the kind of object */
    if (nsize == 0) {
        s->used -= osize;
        free(p);
        return NULL;
    }
    if (nsize > osize && s->used + (nsize - osize) > KL_MEMORY_LIMIT) {
        if (s->refused == nsize)
            s->kill = KL_KILL_MEMORY;
        s->refused = nsize;
        return NULL;
    }
    void *q = realloc(p, nsize);
    if (!q)
        return NULL;
    if (nsize > osize)
        s->refused = 0;
    s->used = s->used - osize + nsize;
    return q;
}

bool kl_doomed(const kp_script *s)
{
    return s->kill != KL_ALIVE || (s->r && kp_run_is_over(s->r));
}

KL_RAISES int kl_kill_now(lua_State *L, kl_kill why)
{
    kp_script *s = kl_of(L);

    if (s->kill == KL_ALIVE)
        s->kill = why;
    if (!*s->killed_at) {
        kl_place(L, s->killed_at);
        kl_place_from(L, s->killed_from);
    }
    lua_pushlightuserdata(L, (void *)(uintptr_t)&kill_mark);
    return lua_error(L);
}

/* A run that is over has no kill of its own: its error is the engine's. */
static void stop(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)&kill_mark);
    lua_error(L);
}

KL_RAISES void kl_charge(lua_State *L, int64_t work)
{
    kp_script *s = kl_of(L);

    s->work += work;
    if (s->kill != KL_ALIVE)
        kl_kill_now(L, s->kill);
    if (s->work > KL_WORK_LIMIT)
        kl_kill_now(L, KL_KILL_WORK);
    if (kl_watch_rang())
        kl_kill_now(L, KL_KILL_TIME);
    if (kl_doomed(s))
        stop(L);
}

static void hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    kl_charge(L, HOOK_EVERY);
}

void kl_burst(kp_script *s)
{
    s->work = 0;
    s->match_steps = 0;
}

static kp_err *kill_error(kp_script *s)
{
    kp_err *e = NULL;

    switch (s->kill) {
    case KL_ALIVE:
        return NULL;
    case KL_KILL_WORK:
        e = kp_err_new(KP_PLAYBOOK, "look for a loop without an end",
                       "the playbook computes without calling a verb");
        break;
    case KL_KILL_TIME:
        e = kp_err_new(KP_PLAYBOOK, "look for a loop over large texts",
                       "the playbook computes for too long without calling a verb");
        break;
    case KL_KILL_MEMORY:
        e = kp_err_new(KP_PLAYBOOK, "keep less in tables and texts",
                       "the playbook needs more than %d MB of memory",
                       (int)(KL_MEMORY_LIMIT >> 20));
        break;
    case KL_KILL_MATCH:
        e = kp_err_new(KP_PLAYBOOK, "use fewer * and - in the pattern, or a shorter text",
                       "the playbook's pattern takes too long to match");
        break;
    }
    if (*s->killed_at)
        e = kp_err_at(e, "%s", s->killed_at);
    return kl_err_from(s, e, s->killed_from);
}

kp_err *kl_take_error(kp_script *s)
{
    lua_State *L = s->L;
    kl_box *box = kl_box_at(L, -1);

    if (s->kill != KL_ALIVE)
        return kill_error(s);
    if (box && box->err) {
        kp_err *e = box->err;
        box->err = NULL;
        return e;
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        size_t n;
        const char *text = lua_tolstring(L, -1, &n);
        return kl_err_of_text(s, text, n);
    }
    if (s->r && kp_run_is_over(s->r)) {
        const kp_err *over = kp_run_over(s->r);
        return kp_err_at(kp_err_new(over->cls, over->next, "%s", over->what), "%s", over->where);
    }
    return kp_err_new(KP_PLAYBOOK, "raise a text: error(\"...\"), or call fail(\"...\")",
                      "the playbook raised a %s value", luaL_typename(L, -1));
}

int kl_pcall(lua_State *L, int n_args, int n_results)
{
    int handler = lua_gettop(L) - n_args;

    lua_pushcfunction(L, kl_raised);
    lua_insert(L, handler);
    int status = lua_pcall(L, n_args, n_results, handler);
    lua_remove(L, handler);
    return status;
}

kp_err *kl_protect(kp_script *s, lua_CFunction fn, void *ud)
{
    lua_State *L = s->L;
    int top = lua_gettop(L);

    if (!lua_checkstack(L, 20))
        return kp_err_new(KP_PLAYBOOK, "call fewer functions inside each other",
                          "the playbook's stack is too deep");
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, ud);
    int status = kl_pcall(L, 1, 0);
    kp_err *e = status == LUA_OK ? NULL : kl_take_error(s);
    lua_settop(L, top);
    return e;
}

/* pcall(f, ...): [-n, +m].  What was raised as a text is given as an error object as well, so that
 * err.what can be read of any error. */
KL_RAISES int kl_lua_pcall(lua_State *L)
{
    kp_script *s = kl_of(L);

    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = kl_pcall(L, lua_gettop(L) - 2, LUA_MULTRET);
    if (kl_doomed(s)) {
        if (status == LUA_OK)
            lua_pushlightuserdata(L, (void *)(uintptr_t)&kill_mark);
        return lua_error(L);
    }
    if (status == LUA_OK)
        return lua_gettop(L);
    if (lua_type(L, -1) == LUA_TSTRING) {
        size_t n;
        const char *text = lua_tolstring(L, -1, &n);
        kl_charge(L, 1 + (int64_t)(n / 16));
        kl_box *box = kl_box_new_for(L, n < KL_VALUE_LIMIT ? n : KL_VALUE_LIMIT);
        box->err = kl_err_of_text(s, text, n);
    }
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

static int open_all(lua_State *L)
{
    kl_error_open(L);
    kl_env_open(L);
    return 0;
}

static int panic(lua_State *L)
{
    (void)L;
    kp_die("the script state raised an error outside of any protected call");
}

kp_err *kl_state_open(kp_script *s)
{
    s->L = lua_newstate(allocate, s);
    if (!s->L)
        kp_die("out of memory");
    lua_atpanic(s->L, panic);
    *(kp_script **)lua_getextraspace(s->L) = s;
    lua_gc(s->L, LUA_GCINC, 110, 0, 0);
    KP_TRY(kl_protect(s, open_all, NULL));
    lua_sethook(s->L, hook, LUA_MASKCOUNT, HOOK_EVERY);
    return NULL;
}

void kl_state_close(kp_script *s)
{
    kl_watch_end(s);
    if (s->L)
        lua_close(s->L);
    s->L = NULL;
}
