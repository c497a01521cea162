/* An engine in C for the script host's tests: a handful of verbs whose calls are written down.
 *
 * It defines every engine symbol that luaapi/ needs, so the real engine is not linked.  Its verbs:
 *   say(text)       writes a line            echo(v)      answers v, as it came over the boundary
 *   given(...)      answers them as JSON     number()     counts: 0, 1, 2, ...
 *   act(...)        an action, needs broker.restart       boom{...}    fails as it is told
 *   over()          ends the run with an error            nearly()     uses up most of the budgets
 *   wait_until, play                                                                             */
#ifndef WITH_ENGINE_H
#define WITH_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/engine.h"
#include "luaapi/kl.h"

typedef struct test_file {
    kp_find what;
    const char *name, *text;
} test_file;

/* What the script host knows as a run. */
struct kp_run {
    kp_arena *a, *call;
    kp_script *s;
    const test_file *files; /* ends with a NULL name */
    kp_buf said;            /* by the script, one line each */
    kp_buf calls;           /* "echo at x.lua:1", one line each */
    kp_err *over;
    uint64_t seed;
    int64_t number;
    unsigned granted[8];
    kp_part part[8];
    int depth;
};

typedef struct stage {
    kp_arena *a;
    kp_run r;
} stage;

void stage_open(stage *t, const test_file *files);
void stage_close(stage *t);
kp_err *stage_load(stage *t, const char *name);
kp_err *stage_call(stage *t, kp_part part);

/* A playbook whose run is `body`; lines count as in the body, the first one begins at column 26. */
char *wrap(kp_arena *a, const char *body);

/* Loads and runs `body` on a fresh stage.  What it said, lines joined by '|'; then, when it failed,
 * "WHERE: WHAT".  The text lives as long as `a`. */
char *outcome(kp_arena *a, const char *body);
char *outcome_of(kp_arena *a, const test_file *files); /* of t.lua among them */

/* A test's own arena, as its *state. */
int stage_arena(void **state);
int stage_arena_done(void **state);
#define STAGE_TEST(f) cmocka_unit_test_setup_teardown(f, stage_arena, stage_arena_done)

/* "WHERE: WHAT" of the error, which is dropped; "" for none. */
char *error_line(kp_arena *a, kp_err *e);

#endif
