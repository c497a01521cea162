/* luaapi: the Lua side of the boundary, for its own files.  Others include luaapi.h or, through the
 * engine, kp_script_host_table.
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

#include "engine/engine.h"

#define KL_RAISES

#define KL_REV 1 /* raised when sorting, matching, formatting or random answers otherwise than before */

#define KL_TEXT_LIMIT ((size_t)8 << 20)    /* bytes of one string made by rep, format, concat or gsub */
#define KL_TABLE_LIMIT 1000000             /* items of a list given to a table function */
#define KL_UNPACK_LIMIT 8000               /* values of one table.unpack */
#define KL_VALUE_LIMIT ((size_t)2 << 20)   /* bytes of one call's arguments, 64 for every value counted */
#define KL_FILES 256                       /* files of one script: playbooks and modules */
#define KL_TRACE 8                         /* places of a failed call that are remembered */
#define KL_PLACE 96                        /* bytes of "file:line" */

/* What a script may use.  work and cpu_ms are for the time between two verbs, the rest for all of it. */
typedef struct kl_limits {
    size_t memory;       /* bytes of its lua_State */
    int64_t work;        /* VM instructions and what C functions charge */
    int64_t match_steps; /* of pattern matching; a predicate's evaluation may use a tenth and does not count */
    int cpu_ms;          /* last resort: a signal that the work counter did not see coming */
} kl_limits;
extern const kl_limits kl_limits_default;

typedef enum kl_kill { KL_ALIVE, KL_KILL_WORK, KL_KILL_CPU, KL_KILL_MEMORY, KL_KILL_MATCH } kl_kill;

/* A loaded file.  Everything is in the script's arena. */
typedef struct kl_file {
    kp_find what;
    const char *name;  /* "rolling.lua", "stdlib/gate.lua", "team/night.lua" */
    const char *path;  /* how messages name it */
    const char *chunk; /* "@path": the chunk's name for Lua */
    const char *text;
    size_t n;
} kl_file;

typedef struct kl_playbook {
    const kl_file *file;
    kp_header header;
} kl_playbook;

struct kp_script {
    kp_arena *a;
    lua_State *L;
    kl_limits limits;
    kp_run *r;                /* whose verbs are called; NULL: none yet */
    kp_part part;             /* of the innermost playbook under way */
    kp_find_fn find;          /* while no run is there */
    void *find_ud;
    kl_file files[KL_FILES];
    kp_source sources[KL_FILES];
    size_t n_files;
    kl_playbook main;
    const char *const *names; /* all names of the environment; ends with NULL */

    int loading;              /* files whose top level is being run: no verb may be called */
    bool in_predicate;
    kl_kill kill;             /* sticky: nothing of the script runs on */
    char killed_at[KL_PLACE];
    int64_t work;             /* since the last verb */
    int64_t match_steps;
    uint64_t random[4];
    bool seeded;

    size_t used;              /* bytes of the lua_State */
    size_t refused;           /* size of the request that was just refused: the collector is tried first */
    const void *box_meta;     /* identity of the boxes' metatable */
    char trace[KL_TRACE][KL_PLACE]; /* where the last error was raised, innermost first */
    int n_trace;
};

/* ---- state.c ---- */
/* A state with its environment, or why there is none.  `verbs` [-0, +0] fills the table on top with
 * the names of its verbs; NULL: the engine's. */
kp_err *kl_state_new(kp_arena *a, const kl_limits *limits, lua_CFunction verbs, void *verbs_ud,
                     kp_script **ret_s) KP_MUST_USE;
void kl_state_free(kp_script *s);                 /* takes NULL */
static inline kp_script *kl_of(lua_State *L) { return *(kp_script **)lua_getextraspace(L); }

/* ---- guard.c ---- */
void kl_guard_install(kp_script *s);
void kl_watch_on(kp_script *s);                   /* the script runs from now on; a new burst of work */
void kl_watch_off(kp_script *s);                  /* the engine does */
KL_RAISES void kl_charge(lua_State *L, int64_t work);
KL_RAISES void kl_kill_now(lua_State *L, kl_kill why);
bool kl_doomed(kp_script *s);                     /* killed, or its run is over: nothing may be caught */
kp_err *kl_kill_error(kp_script *s);
KL_RAISES int kl_lua_pcall(lua_State *L);         /* the script's pcall */
/* Calls fn(ud) as a C function in protected mode and makes what it raised a kp_err.  [-0, +0] */
kp_err *kl_protect(kp_script *s, lua_CFunction fn, void *ud) KP_MUST_USE;

/* ---- error.c ---- */
/* A userdata that owns what a call into the engine needs: its arena and its error.  It is what is
 * raised as well: a pcall sees fields class, what, next, where, detail and retriable. */
typedef struct kl_box {
    kp_arena *a;
    kp_err *err;
} kl_box;
void kl_error_open(lua_State *L);                 /* KL_RAISES: makes the metatable */
KL_RAISES kl_box *kl_box_new(lua_State *L);       /* [-0, +1] */
void kl_box_done(kl_box *box);                    /* frees both; harmless again */
kl_box *kl_box_at(lua_State *L, int i);           /* NULL when the value is no box */
/* Raises the box on top of the stack, whose err is set.  A playbook's error without a place gets the
 * innermost one of the script. */
KL_RAISES int kl_raise(lua_State *L, kl_box *box);
KL_RAISES int kl_throw(lua_State *L, kp_class cls, const char *next, const char *fmt, ...) KP_PRINTF(4, 5);
/* "file:line" of the innermost Lua function; "" when there is none. */
void kl_place(lua_State *L, char out[KL_PLACE]);
int kl_trace(lua_State *L);                       /* message handler: remembers places, allocates nothing */
kp_err *kl_take_error(kp_script *s, int status);  /* of the value on top, which stays */
const char *kl_error_text(kp_arena *a, const kl_box *box); /* "where: what" */

/* ---- convert.c ---- */
/* The value at i, built in the box's arena.  `what` names it in messages: "stop_broker: argument 1". */
KL_RAISES const kp_value *kl_to_value(lua_State *L, int i, kp_arena *a, size_t *used, const char *what);
KL_RAISES void kl_push_value(lua_State *L, const kp_value *v); /* [-0, +1] */

/* ---- env.c ---- */
KL_RAISES void kl_env_open(lua_State *L, lua_CFunction verbs, void *verbs_ud);
KL_RAISES void kl_env_push(lua_State *L);         /* [-0, +1] what every chunk has as _ENV */
KL_RAISES void kl_env_freeze(lua_State *L, const char *label); /* [-1, +1] table -> proxy of it */
/* "unknown verb `x`; did you mean `y`?" with its next. */
kp_err *kl_unknown_name(const char *name, size_t n, bool call, const char *const *names);

/* ---- det.c, sort.c, match.c, string.c: the functions that replace Lua's own ---- */
KL_RAISES int kl_lua_pairs(lua_State *L);
KL_RAISES int kl_lua_next(lua_State *L);
KL_RAISES int kl_lua_tostring(lua_State *L);
KL_RAISES int kl_lua_random(lua_State *L);
void kl_random_seed(kp_script *s, uint64_t seed);
KL_RAISES const char *kl_tostring(lua_State *L, int i, size_t *ret_n); /* [-0, +1] without addresses */
KL_RAISES int kl_lua_sort(lua_State *L);
KL_RAISES lua_Integer kl_plain_list(lua_State *L, int i); /* its length; raises for anything but a plain table */
extern const luaL_Reg kl_match_functions[];       /* find match gmatch gsub */
extern const luaL_Reg kl_string_functions[];      /* format rep, of the string table */
extern const luaL_Reg kl_table_functions[];

/* ---- verbs.c, flow.c ---- */
KL_RAISES int kl_verbs(lua_State *L);             /* the engine's verbs into the table on top */
KL_RAISES void kl_verb_allowed(lua_State *L, const char *name); /* not while a file is loaded, not without a run */
KL_RAISES int kl_lua_wait_until(lua_State *L);
KL_RAISES int kl_lua_play(lua_State *L);

/* ---- playbook.c, header.c, require.c ---- */
/* Finds a file once per script; later calls answer the same text.  NULL file: there is none. */
kp_err *kl_file_get(kp_script *s, kp_find what, const char *name, const kl_file **ret_file) KP_MUST_USE;
/* [-0, +1] the file's compiled chunk with the environment. */
KL_RAISES void kl_file_compile(lua_State *L, const kl_file *file);
/* [-0, +1] runs the file's top level, with no verbs, and gives its one value. */
KL_RAISES void kl_file_run(lua_State *L, const kl_file *file);
/* [-0, +1] the playbook's table; p->header is filled in when it was empty. */
KL_RAISES void kl_playbook_open(lua_State *L, kl_playbook *p);
/* [-1, +0] runs one part of the playbook on top with `args`, if it has it. */
KL_RAISES void kl_playbook_part(lua_State *L, kp_part part, const kp_value *args);
KL_RAISES void kl_header_read(lua_State *L, kl_playbook *p); /* of the table on top */
KL_RAISES unsigned kl_header_effects(lua_State *L, const kl_file *file); /* of the table on top */
KL_RAISES int kl_lua_require(lua_State *L);
KL_RAISES void kl_require_reset(lua_State *L);    /* forgets every module's value: they are run again */

/* ---- scan.c, syntax.c ---- */
typedef enum kl_kind { KL_T_NAME, KL_T_WORD, KL_T_TEXT, KL_T_NUMBER, KL_T_SIGN, KL_T_BAD } kl_kind;
typedef struct kl_token {
    uint8_t kind;
    uint32_t at, n;     /* offset and length */
    uint32_t line, col; /* from 1, in bytes */
} kl_token;
size_t kl_tokens(kp_arena *a, const char *text, size_t n, kl_token **ret_tokens);
bool kl_token_is(const char *text, const kl_token *t, const char *what);
/* Names that are read or written without being declared anywhere in the file or known. */
kp_err *kl_scan(const kl_file *file, const char *const *names) KP_MUST_USE;
/* The place of a table's field `name`, or of a string, in the file: "path:line:col" and a caret. */
kp_err *kl_err_at_field(kp_err *e, const kl_file *file, const char *name);
kp_err *kl_err_at_text(kp_err *e, const kl_file *file, const char *content);
kp_err *kl_err_at_token(kp_err *e, const kl_file *file, const kl_token *t);
kp_err *kl_err_line(kp_err *e, const kl_file *file, int line); /* shows the line, without a caret */
/* What Lua's compiler said of the file. */
kp_err *kl_syntax_error(const kl_file *file, const char *message);
const char *kl_first_comment(kp_arena *a, const char *text, size_t n);

#endif
