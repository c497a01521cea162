/* Random clusters for the tests of views and of risk. */
#ifndef KP_TEST_WITH_VIEW_H
#define KP_TEST_WITH_VIEW_H

#include "cluster/cluster.h"

/* Random numbers below n; the sequence is decided by the seed. */
void random_seed(uint64_t seed);
uint32_t random_below(uint32_t n);

/* A cluster of up to 200 brokers and 40 partitions, some on every broker, in no particular order:
 * brokers that are down, owners that are not listed, partitions without leader or with an empty ISR, unknown min.insync.replicas. */
kp_view_in *random_cluster(kp_arena *a);

/* The same cluster with topics, brokers, replicas and ISRs in another order. */
kp_view_in *shuffled(kp_arena *a, const kp_view_in *in);

/* Built, or the test fails. */
const kp_view *built(kp_arena *a, const kp_view_in *in);

/* Is id among the n ids? */
bool is_among(const int32_t *ids, uint32_t n, int32_t id);

/* Is the broker listed as alive? */
bool is_alive(const kp_view_in *in, int32_t id);

/* The topics of an answer by name. */
const kp_view_topic_in **by_name(kp_arena *a, const kp_view_in *in);

#endif
