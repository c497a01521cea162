/* luaapi: the Lua side of the boundary, for its own files.  Others see only kp_script_host_table of
 * the engine.
 *
 * One kp_script is one sandboxed lua_State: a playbook, the modules it requires, the playbooks it
 * plays.  It computes; everything it wants to know or do is a verb, and a verb is one call of
 * kp_run_call.  Only kp_value and kp_err cross.  No file, socket, thread or clock is used here.
 *
 * Rules of this room:
 *   - A function marked KL_RAISES may longjmp.  It owns nothing that is not in a kl_box, an arena
 *     of the script, or Lua itself, and it has no cleanup attributes.
 *   - A verb has three phases, apart from each other: (1) make the box, convert the arguments;
 *     (2) call the engine, without any Lua API; (3) push the result, or raise the box.
 *   - Stack effects are written as in the Lua manual: [-popped, +pushed].
 *   - A loop in C charges the script for its work (kl_charge), so that one budget bounds both.
 */
#ifndef KL_H
#define KL_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <time.h>

#include "engine/engine.h"

#define KL_RAISES

#define KL_REV                                                                                     \
    1 /* raised when sorting, matching, formatting or random answer otherwise than before */

#define KL_MEMORY_LIMIT ((size_t)64 << 20) /* bytes of one lua_State */
#define KL_WORK_LIMIT                                                                              \
    ((int64_t)300000000) /* VM instructions, and what C charges, between two verbs */
#define KL_MATCH_LIMIT ((int64_t)50000000) /* steps of pattern matching, between two verbs */
#define KL_TEXT_LIMIT ((size_t)8 << 20)    /* bytes of one string made by rep, format or gsub */
#define KL_TABLE_LIMIT 1000000             /* items of a list given to a table function */
#define KL_UNPACK_LIMIT 8000               /* values of one table.unpack */
#define KL_VALUE_LIMIT ((size_t)2 << 20)   /* bytes of one call's arguments, 64 for every value */
#define KL_VALUE_DEPTH 24                  /* tables inside each other in them */
#define KL_FILES 256                       /* files of one script: playbooks and modules */
#define KL_PLACE 160                       /* bytes of "file:line" */
#define KL_FRAMES 100                      /* functions that are looked at for a place */

typedef enum kl_kill {
    KL_ALIVE,
    KL_KILL_WORK,
    KL_KILL_TIME,
    KL_KILL_MEMORY,
    KL_KILL_MATCH,
} kl_kill;

/* A loaded file.  Everything is in the script's arena. */
typedef struct kl_file {
    kp_find what;
    const char *asked; /* the name it was asked for: "rolling.lua", "gate", "night" */
    const char *path;  /* how messages name it */
    const char *chunk; /* "@path": the chunk's name for Lua */
    const char *text;
    size_t n;
    bool scanned; /* for unknown names */
} kl_file;

struct kp_script {
    kp_arena *a;
    lua_State *L;
    kp_run *r; /* whose verbs are called; NULL: none yet */
    kp_part part;
    const kp_op *const *verbs; /* ends with NULL */
    kp_find_fn find; /* while no run is there */
    void *find_ud;
    kl_file files[KL_FILES];
    kp_source
        sources[KL_FILES]; /* beside files: "rolling.lua", "stdlib/gate.lua", "team/night.lua" */
    size_t n_files;
    const kl_file *main;
    kp_header header;
    const char **names; /* all names of the environment; ends with NULL */

    int loading;    /* files whose top level is being run: no verb may be called */
    int predicates; /* wait_until's functions under way: at most one */
    kl_kill kill;   /* sticky: nothing of the script runs on */
    char killed_at[KL_PLACE], killed_from[KL_PLACE];
    const void *raised; /* the text that was raised last, and which playbook's line led there */
    char raised_from[KL_PLACE];
    int64_t work; /* since the last verb */
    int64_t match_steps;
    uint64_t random[4];

    size_t used;    /* bytes of the lua_State */
    size_t refused; /* size of the request that was just refused: Lua collects and asks again */

    timer_t timer; /* of processor time, see watch.c */
    bool watched;  /* it exists */
};

/* ---- state.c: the state, its memory, its work, and protected calls ---- */
kp_err *kl_state_open(kp_script *s) KP_MUST_USE;
void kl_state_close(kp_script *s); /* harmless again */
static inline kp_script *kl_of(lua_State *L)
{
    return *(kp_script **)lua_getextraspace(L);
}
void kl_burst(kp_script *s); /* a verb was called: the work counts from zero */
KL_RAISES void kl_charge(lua_State *L, int64_t work);
KL_RAISES int kl_kill_now(lua_State *L, kl_kill why);
bool kl_doomed(const kp_script *s); /* killed, or its run is over: nothing may be caught */
/* lua_pcall, but that errors keep from where they came: the one way a protected call is made. */
int kl_pcall(lua_State *L, int n_args, int n_results);
/* [-0, +0] calls fn with ud (a light userdata), protected; what it raised becomes a kp_err. */
kp_err *kl_protect(kp_script *s, lua_CFunction fn, void *ud) KP_MUST_USE;
/* Of the value on top, which stays: the error it stands for; a box gives its error away. */
kp_err *kl_take_error(kp_script *s);
KL_RAISES int kl_lua_pcall(lua_State *L); /* the script's pcall */

/* ---- watch.c: processor time, counted while the script runs and not while the engine does ---- */
void kl_watch_on(kp_script *s);
void kl_watch_off(kp_script *s);
void kl_watch_end(kp_script *s); /* harmless again */
bool kl_watch_rang(void);        /* since the last kl_watch_on */

/* ---- error.c ---- */
/* A userdata that owns what a call into the engine needs: its arena and its error.  It is what is
 * raised as well: a pcall sees fields class, what, next, where, detail and retriable. */
typedef struct kl_box {
    kp_arena *a;
    kp_err *err;
} kl_box;
KL_RAISES void kl_error_open(lua_State *L); /* [-0, +0] makes the metatable */
KL_RAISES kl_box *kl_box_new(lua_State *L); /* [-0, +1] */
/* [-0, +1] for an error with a text of so many bytes: they count as the script's memory, so that
 * errors that are kept come to the same limit as everything else. */
KL_RAISES kl_box *kl_box_new_for(lua_State *L, size_t bytes);
void kl_box_done(kl_box *box);          /* frees both; harmless again */
kl_box *kl_box_at(lua_State *L, int i); /* NULL when the value is no box */
/* Raises `e`, which it takes over. */
KL_RAISES int kl_raise(lua_State *L, kp_err *e) KP_NORETURN;
KL_RAISES int kl_throw(lua_State *L, const char *next, const char *fmt, ...)
    KP_PRINTF(3, 4) KP_NORETURN;
/* "file:line" of the innermost Lua function; "" when there is none. */
void kl_place(lua_State *L, char out[KL_PLACE]);
/* "file:line" of the nearest Lua function that is not the stdlib's, when the innermost one is; ""
 * else. */
void kl_place_from(lua_State *L, char out[KL_PLACE]);
/* The error with that place, unless it has one or the error is in a file of the team already. */
kp_err *kl_err_from(const kp_script *s, kp_err *e, const char *from);
/* A handler of lua_pcall: [-1, +1] the same value, which keeps from where it came. */
int kl_raised(lua_State *L);
/* "path:12: text", as Lua writes it -> an error of the playbook with its place. */
kp_err *kl_err_of_text(kp_script *s, const char *text, size_t n);

/* ---- convert.c ---- */
/* The value at i, built in `a`.  `what` names it in messages: "stop_broker". */
KL_RAISES const kp_value *kl_to_value(lua_State *L, int i, kp_arena *a, size_t *used,
                                      const char *what);
KL_RAISES void kl_push_value(lua_State *L, const kp_value *v); /* [-0, +1] */

/* ---- env.c ---- */
KL_RAISES void kl_env_open(lua_State *L); /* [-0, +0] */
KL_RAISES void kl_env_push(lua_State *L); /* [-0, +1] what every chunk has as _ENV */
/* "unknown verb `x`; did you mean `y`?" */
kp_err *kl_unknown_name(const char *name, bool call, const char *const *names);

/* ---- det.c, sort.c, text.c, match.c: functions that replace Lua's own ---- */
KL_RAISES int kl_lua_pairs(lua_State *L);
KL_RAISES int kl_lua_next(lua_State *L);
KL_RAISES int kl_lua_tostring(lua_State *L);
KL_RAISES int kl_lua_random(lua_State *L);
void kl_random_seed(kp_script *s, uint64_t seed);
KL_RAISES const char *kl_tostring(lua_State *L, int i, size_t *ret_n); /* [-0, +1] no addresses */
KL_RAISES int kl_lua_sort(lua_State *L);
/* Sorts the n items of the plain list at `list`, stable; `fn` is the index of a comparing function,
 * 0: by kind (boolean, number, string), then by value. */
KL_RAISES void kl_sort(lua_State *L, int list, lua_Integer n, int fn);
KL_RAISES lua_Integer kl_plain_list(lua_State *L, int i); /* its length; raises for another value */
extern const luaL_Reg kl_text_functions[];                /* format rep, of the string table */
extern const luaL_Reg kl_match_functions[];               /* find match gmatch gsub */

/* ---- verbs.c ---- */
KL_RAISES void kl_verbs(lua_State *L); /* [-0, +0] the script's verbs into the table on top */

/* ---- pure.c ---- */
/* [-0, +1] the variables from outside that the function at `fn`, and the functions it reaches
 * through them, have now. */
KL_RAISES void kl_pure_remember(lua_State *L, int fn);
/* Raises when one of the variables in the table at `seen` has another value now. */
KL_RAISES void kl_pure_compare(lua_State *L, int seen);

/* ---- playbook.c, header.c ---- */
/* Finds a file once per script; later calls answer the same text.  NULL file: there is none. */
kp_err *kl_file_get(kp_script *s, kp_find what, const char *name,
                    const kl_file **ret_file) KP_MUST_USE;
KL_RAISES void kl_file_run(lua_State *L, const kl_file *file); /* [-0, +1] its top level's value */
/* [-0, +1] the playbook's table, checked; `h` is filled in. */
KL_RAISES void kl_playbook_open(lua_State *L, const kl_file *file, kp_header *h);
/* [-0, +0] runs one part of the playbook at index `table`, if it has it. */
KL_RAISES void kl_playbook_part(lua_State *L, int table, kp_part part, const kp_value *args);
KL_RAISES void kl_header_read(lua_State *L, const kl_file *file, kp_header *h); /* of the top */
const kp_value *kl_header_keys(kp_arena *a); /* kp_script_host.keys */
KL_RAISES unsigned kl_header_effects(lua_State *L, const kl_file *file, int table);
KL_RAISES int kl_lua_require(lua_State *L);

/* ---- scan.c, syntax.c ---- */
typedef enum kl_kind { KL_T_NAME, KL_T_WORD, KL_T_TEXT, KL_T_NUMBER, KL_T_SIGN } kl_kind;
typedef struct kl_token {
    kl_kind kind;
    size_t at, n;  /* offset and length */
    int line, col; /* from 1, col in bytes */
} kl_token;
#define KL_TOKENS_ARENA ((size_t)16 << 20) /* for the tokens of one file, and its names */
size_t kl_tokens(kp_arena *a, const char *text, size_t n, kl_token **ret_tokens);
bool kl_token_is(const char *text, const kl_token *t, const char *what);
/* Names that are read or written without being declared anywhere in the file or known. */
kp_err *kl_scan(const kl_file *file, const char *const *names) KP_MUST_USE;
/* The place of a table's field `name`, or of a string, in the file: "path:line:col" and a caret.
 * Without such a token the place is the file. */
kp_err *kl_err_at_field(kp_err *e, const kl_file *file, const char *name);
kp_err *kl_err_at_text(kp_err *e, const kl_file *file, const char *content);
kp_err *kl_err_at_token(kp_err *e, const kl_file *file, const kl_token *t);
/* What Lua's compiler said of the file. */
kp_err *kl_syntax_error(const kl_file *file, const char *message);
const char *kl_first_comment(kp_arena *a, const char *text, size_t n);

#endif
