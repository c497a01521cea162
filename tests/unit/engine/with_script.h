/* A script host in C for the engine's tests: a playbook is a C function that calls verbs.
 *
 * The engine's one undefined symbol, kp_script_host_table, is defined in with_script.c; a test sets
 * `test_script` to what should run.  with_sim: the run's world is a simulated cluster. */
#ifndef WITH_SCRIPT_H
#define WITH_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/engine.h"
#include "sim/sim.h"
#include "verbs/verbs.h"

typedef kp_err *(*test_part)(kp_run *r, const kp_value *args);

typedef struct test_script {
    test_part part[3]; /* by kp_part; NULL: none */
    unsigned effects;
    const kp_script_arg *args;
    size_t n_args;
    const char *text; /* its "source", for edited-playbook tests; NULL: "one" */
} test_script;
extern const test_script *the_script;

/* Calls a verb with arguments given as JSON: call(r, "stop_broker", "[2]", &v). */
kp_err *call(kp_run *r, const char *verb, const char *json_args, const kp_value **ret_v);

#define TEST_TRY(expr)                                                                             \
    do {                                                                                           \
        kp_err *test_e_ = (expr);                                                                  \
        if (test_e_)                                                                               \
            return test_e_;                                                                        \
    } while (0)

typedef struct bench {
    kp_arena *a;
    kp_sim *sim;
    kp_run_spec spec;
    char runs[256];
    kp_buf said;      /* every event, one line each */
    kp_answer answer; /* to asks; default yes */
} bench;

/* A simulated cluster described in JSON ("{}": the default one), in memory, or in `image` when not NULL. */
void bench_open(bench *b, const char *json_spec, const char *image);
void bench_reopen(bench *b, const char *image); /* the cluster that is in the file */
void bench_close(bench *b);
kp_err *bench_run(bench *b, const kp_value **ret_report);
kp_err *bench_resume(bench *b, const char *run, const kp_value **ret_report);
/* Says yes to what the run waits with, as it is shown. */
kp_err *bench_approve(bench *b, const char *run, const char *who);
char *bench_only_run(bench *b); /* the name of the only run in b->runs */
void make_runs(bench *b);       /* a fresh directory for journals on disk */
void remove_runs(bench *b);

/* Closes the bench and removes its runs. */
void bench_over(bench *b);

/* No error; or this one, which is dropped. */
void well(kp_err *e);
void fails(kp_err *e, kp_class cls, const char *says);

/* Runs fn in a forked child and gives back its wait status. */
int in_child(void (*fn)(void *), void *ud);

#endif
