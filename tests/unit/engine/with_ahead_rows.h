/* The rows of the guard ahead of a run, while every node still runs: how each is brought about, and
 * what it finds then. */
#ifndef KP_TEST_WITH_AHEAD_ROWS_H
#define KP_TEST_WITH_AHEAD_ROWS_H

#include "engine/with_twist.h"

typedef struct ahead_row {
    const char *row, *who, *says; /* who: NULL: nobody */
    const char *spec, *args;      /* of findings */
    twist t;
} ahead_row;
extern const ahead_row ahead_rows[];
extern const size_t n_ahead_rows;

#endif
