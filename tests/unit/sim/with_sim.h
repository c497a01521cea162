/* Driving a simulated cluster directly through its world: what a run would ask, one request at a
 * time. */
#ifndef WITH_SIM_H
#define WITH_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/sim.h"

typedef struct cluster {
    kp_arena *a;
    kp_sim *sim;
    kp_world *w;
    int ops; /* op ids given so far */
} cluster;

/* `spec` is JSON with ' for ". */
cluster cluster_of(const char *spec);
cluster cluster_in_file(const char *spec, const char *path);
cluster cluster_from(kp_sim *sim);
void cluster_close(cluster *c); /* audits first */
const kp_value *value_of(kp_arena *a, const char *json);

void sound(kp_err *e); /* fails with its text */

/* One request and its reply, nothing else under way. */
kp_reply *ask(cluster *c, kp_request q);
const kp_value *told(cluster *c, kp_request q); /* the value; fails on an error */
kp_err *refused(cluster *c, kp_request q);      /* the error; fails when there is none */
const kp_view *view_of(cluster *c, int node);   /* KP_ANY_NODE too */
const kp_value *host_of(cluster *c, int node);

void stop(cluster *c, int node);
void start(cluster *c, int node);
void switch_to(cluster *c, int node, const char *release);
void edit_file(cluster *c, int node, const char *json_edits);
void fault(cluster *c, const char *json);

void pass(cluster *c, kp_ms d); /* time */
/* Poll every 100 ms until it is so; the time it took, or -1 after `limit`. */
kp_ms until_off(cluster *c, int node, kp_ms limit);
kp_ms until_listed(cluster *c, int node, bool listed, kp_ms limit);
kp_ms until_in_sync(cluster *c, int node, kp_ms limit);
kp_ms until_caught_up(cluster *c, int controller, kp_ms limit);
void restart(cluster *c, int node); /* stop, wait, start, wait until in sync, look twice */

int64_t violations(cluster *c, const char *rule);
bool log_says(cluster *c, int node, const char *text);

#endif
