/* client: what the two halves of kp_kafka, the wire client and the groups, know of each other. */
#ifndef KP_KAFKA_CLIENT_H
#define KP_KAFKA_CLIENT_H

#include "kafka/kafka.h"

typedef struct kp_groups kp_groups;

/* groups.c: the librdkafka half.  All take NULL. */
void kp_groups_free(kp_groups *g);
bool kp_groups_cancel(kp_groups *g, uint64_t ticket); /* false: not one of its calls */

/* client.c: what groups.c needs of its owner. */
kp_loop *kp_kafka_loop(const kp_kafka *k);
const kp_value *kp_kafka_properties(const kp_kafka *k);
kp_groups **kp_kafka_groups(kp_kafka *k); /* NULL in there until the first call */
uint64_t kp_kafka_next_ticket(kp_kafka *k);

#endif
