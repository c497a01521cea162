/* Brokers that answer about views only, on a clock of their own: each as a test wants, from a moment
 * on. */
#ifndef WITH_BROKERS_H
#define WITH_BROKERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "facts/facts.h"

#define ANSWER_MS 2 /* of each answer */
#define PARTS 2     /* of each topic */

/* What a broker answers from a moment on. */
typedef struct look {
    kp_ms from;
    bool silent;   /* an error, when the question's time is over */
    int in_sync;   /* of three replicas of each partition */
    int epoch;     /* of each leader; -1: it does not know */
    int min_isr;   /* as it has heard */
    bool unclean;  /* too */
    int topics;    /* 1 or 2; 0 is 1 */
    int parts;     /* of each topic; 0 is PARTS */
    uint8_t again; /* makes the second topic another one of that name */
} look;

typedef struct brokers_world {
    kp_world w;
    kp_ms now;
    look look[4][3]; /* by broker id, in the order of time; in_sync = 0 and not silent: no more */
    struct {
        kp_reply reply;
        kp_ms at;
        kp_arena *a;
        bool with_config;
    } open[16];
    size_t n_open;
    uint64_t tickets;
    int asked[1024]; /* who, in order */
    size_t n_asked;
    kp_ms interrupted_at; /* Ctrl-C twice; 0: never */
    kp_reply last;
} brokers_world;
extern brokers_world the_brokers;

/* Brokers 1, 2 and 3 agree: everything in sync, epoch 5; broker 3 is listed as not alive. */
void brokers_begin(void);

#endif
