/* A world whose answers are bent: what no simulated fault makes a node say.
 *
 * It stands before a bench's world and passes everything on; the answers to the questions a twist
 * names are changed, from the moment twist_on is called. */
#ifndef WITH_TWIST_H
#define WITH_TWIST_H

#include "engine/with_script.h"

typedef struct twist {
    kp_req kind;
    int node; /* 0: whichever */
    const char
        *key; /* the key to replace (of a view: "min_isr", "flags", "leader", "bad", "empty"); NULL:
                 the whole answer */
    const char *json; /* by this; NULL: the question fails.  Of an action: what is said, in plain
                         text, by key "no" (and it is not done), "no, but done" or "lost" (it never
                         arrives) */
} twist;

void twist_into(bench *b, const twist *t, size_t n); /* before bench_run; off at first */
void twist_on(bool on);
void twist_after(int n); /* the first n questions that would be bent are answered truly */
kp_request twist_last(kp_req kind); /* the last of that kind that was sent through it */

#endif
