/* The rows of the guard about the cluster as it is used: how each is brought about, and what it
 * finds then. */
#ifndef KP_TEST_WITH_CLUSTER_ROWS_H
#define KP_TEST_WITH_CLUSTER_ROWS_H

#include "engine/with_twist.h"

typedef struct cluster_row {
    const char *row, *who, *says; /* who: NULL: nobody */
    const char *spec, *args;      /* of findings */
    twist t;
} cluster_row;
extern const cluster_row cluster_rows[];
extern const size_t n_cluster_rows;

#endif
