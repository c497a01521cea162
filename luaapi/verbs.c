/* Verbs: one trampoline for all of the engine's, and the two that need a function of the script:
 * wait_until and play.
 */
#include "kl.h"

#include <string.h>

#define CALL_ARENA ((size_t)64 << 20)
#define CALL_WORK 100 /* what a call costs at least, in instructions */

/* Verbs act for a run; none is there while a file is loaded. */
static void allowed(lua_State *L, const char *name)
{
    kp_script *s = kl_of(L);

    if (s->loading > 0 || !s->r)
        kl_throw(L, "call it in check, run or verify",
                 "%s: no verb may be called while a file is loaded", name);
}

/* A box on top of the stack, with an arena for arguments. */
static kl_box *open_call(lua_State *L, const char *name)
{
    allowed(L, name);
    luaL_checkstack(L, 10, name);
    kl_box *box = kl_box_new(L);
    box->a = kp_arena_new("a call's arguments", CALL_ARENA);
    return box;
}

static int raise_box(lua_State *L, kl_box *box, const char *at)
{
    if (box->err->cls == KP_PLAYBOOK && !*box->err->where && *at)
        box->err = kp_err_at(box->err, "%s", at);
    kp_arena_free(box->a);
    box->a = NULL;
    return lua_error(L);
}

/* Any verb but wait_until and play: [-n, +1]; upvalue: its kp_op */
static int verb(lua_State *L)
{
    const kp_op *op = lua_touserdata(L, lua_upvalueindex(1));
    kp_script *s = kl_of(L);
    int n = lua_gettop(L);
    size_t used = 0;
    char at[KL_PLACE];
    const kp_value *result = NULL;

    kl_charge(L, CALL_WORK);
    while (n > 0 && lua_isnil(L, n))
        n--;
    kl_box *box = open_call(L, op->name);
    kp_builder b = kp_list_begin(box->a);
    for (int i = 1; i <= n; i++)
        kp_list_add(&b, kl_to_value(L, i, box->a, &used, op->name));
    const kp_value *given = kp_list_end(&b);
    kl_charge(L, (int64_t)(used / 16));
    kl_place(L, at);

    kl_watch_off(s);
    box->err = kp_run_call(s->r, op, given, at, &result);
    kl_watch_on(s);

    if (box->err)
        return raise_box(L, box, at);
    /* Only what the engine counts begins a new burst: a loop around the rest comes to its end. */
    if (s->predicates == 0 && !op->unrecorded)
        kl_burst(s);
    kl_push_value(L, result);
    kl_box_done(box);
    return 1;
}

/* ---- wait_until(fn, options) ---- */

typedef struct waiting {
    kp_script *s;
    int top; /* of the stack, below what the last evaluation answered */
} waiting;

/* The function at 1, called once and held to its rules: [-1, +2] true or false, and a text or nil.
 */
static int evaluate(lua_State *L)
{
    kl_pure_remember(L, 1);
    lua_pushvalue(L, 1);
    lua_call(L, 0, 2);
    kl_pure_compare(L, 2);
    if (!lua_isboolean(L, 3) && !lua_isnil(L, 3))
        return kl_throw(L, "compare: return urp() == 0",
                        "wait_until: its function answers true or false, not a %s",
                        luaL_typename(L, 3));
    return 2;
}

/* One evaluation.  Its answers stay on the stack until the next one: the text is read meanwhile.
 * Random numbers go on where they were, however often this happens. */
static kp_err *predicate(void *ud, bool *ret_true, const char **ret_say)
{
    waiting *w = ud;
    lua_State *L = w->s->L;
    uint64_t random[4];

    lua_settop(L, w->top);
    if (!lua_checkstack(L, 10))
        return kp_err_new(KP_PLAYBOOK, "call fewer functions inside each other",
                          "the playbook's stack is too deep");
    lua_pushcfunction(L, evaluate);
    lua_pushvalue(L, 1);
    kl_burst(w->s);
    memcpy(random, w->s->random, sizeof random);
    w->s->predicates++;
    kl_watch_on(w->s);
    int status = kl_pcall(L, 1, 2);
    kl_watch_off(w->s);
    w->s->predicates--;
    memcpy(w->s->random, random, sizeof random);
    if (status != LUA_OK || kl_doomed(w->s)) {
        kp_err *e = kl_take_error(w->s);
        lua_settop(L, w->top);
        return e;
    }
    *ret_true = lua_toboolean(L, -2);
    *ret_say = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    return NULL;
}

static int wait_until(lua_State *L)
{
    kp_script *s = kl_of(L);
    size_t used = 0;
    char at[KL_PLACE];
    const kp_value *result = NULL;

    kl_charge(L, 1);
    if (lua_type(L, 1) != LUA_TFUNCTION)
        return kl_throw(L, "wait_until(function() return urp() == 0 end, { stall = \"10m\" })",
                        "wait_until takes a function");
    lua_settop(L, 2);
    kl_box *box = open_call(L, "wait_until");
    const kp_value *options = kl_to_value(L, 2, box->a, &used, "wait_until");
    if (!lua_isnil(L, 2) && options->type == KP_LIST && options->n == 0)
        options = kp_map(box->a, NULL);
    else if (options->type != KP_MAP && options->type != KP_NIL)
        return kl_throw(L, "wait_until(fn, { stall = \"10m\" })",
                        "wait_until takes its options as names");
    kl_place(L, at);
    waiting w = { .s = s, .top = lua_gettop(L) };

    kl_watch_off(s);
    box->err = kp_run_wait_until(s->r, options, predicate, &w, at, &result);
    kl_watch_on(s);

    lua_settop(L, w.top);
    if (box->err)
        return raise_box(L, box, at);
    kl_burst(s);
    kl_push_value(L, result);
    kl_box_done(box);
    return 1;
}

/* ---- play(name, args) ---- */

/* 1: the playbook's table, 2: args as light userdata */
static int play_parts(lua_State *L)
{
    const kp_value *args = lua_touserdata(L, 2);
    kp_run *r = kl_of(L)->r;
    kp_part now = kp_run_part_now(r);

    if (now == KP_PART_CHECK || now == KP_PART_VERIFY) {
        kl_playbook_part(L, 1, now, args);
        return 0;
    }
    for (kp_part part = KP_PART_CHECK; part <= KP_PART_VERIFY; part++) {
        kp_run_part_begins(r, part);
        kl_playbook_part(L, 1, part, args);
    }
    return 0;
}

static int play(lua_State *L)
{
    kp_script *s = kl_of(L);
    size_t used = 0;
    char at[KL_PLACE];
    const char *name = luaL_checkstring(L, 1);
    const kp_value *args = NULL;
    const kl_file *file;

    kl_charge(L, 1);
    lua_settop(L, 2);
    kl_place(L, at);
    if (s->predicates > 0)
        return kl_throw(L, "play it in run", "play inside wait_until");
    kl_box *box = open_call(L, "play");
    const kp_value *given = kl_to_value(L, 2, box->a, &used, "play");
    if (given->type == KP_LIST && given->n == 0)
        given = kp_map(box->a, NULL);
    else if (given->type != KP_MAP && given->type != KP_NIL)
        return kl_throw(L, "play(\"preflight.lua\", { to = args.to })",
                        "play takes arguments by name");
    box->err = kl_file_get(s, KP_FIND_PLAYBOOK, name, &file);
    if (!box->err && !file)
        box->err = kp_err_new(KP_PLAYBOOK, "kplay playbooks lists them",
                              "there is no playbook \"%.80s\"", name);
    if (box->err)
        return raise_box(L, box, at);
    kp_header *h = KP_NEW(s->a, kp_header);
    kl_playbook_open(L, file, h);

    box->err = kp_run_enter(s->r, h, given, &args);

    if (box->err) {
        lua_pop(L, 1); /* the box is on top again */
        return raise_box(L, box, at);
    }
    lua_pushcfunction(L, play_parts);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, (void *)(uintptr_t)args);
    int status = kl_pcall(L, 2, 0);

    kp_run_leave(s->r);

    if (status != LUA_OK)
        return lua_error(L);
    kl_box_done(box);
    return 0;
}

KL_RAISES void kl_verbs(lua_State *L)
{
    const kp_script *s = kl_of(L);
    for (size_t i = 0; s->verbs[i]; i++) {
        const kp_op *op = s->verbs[i];
        if (kp_streq(op->name, "wait_until")) {
            lua_pushcfunction(L, wait_until);
        } else if (kp_streq(op->name, "play")) {
            lua_pushcfunction(L, play);
        } else {
            lua_pushlightuserdata(L, (void *)(uintptr_t)op);
            lua_pushcclosure(L, verb, 1);
        }
        lua_setfield(L, -2, op->name);
    }
}
