/* properties: the kafka: section of a cluster file, checked and read. */
#ifndef KP_KAFKA_PROPERTIES_H
#define KP_KAFKA_PROPERTIES_H

#include "kafka/kafka.h"

#include <librdkafka/rdkafka.h>

/* See kp_kafka_new. */
kp_err *kp_properties_check(const kp_value *properties) KP_MUST_USE;

/* Set them, checked before, on a librdkafka configuration, leaving out what is kplay's own. */
void kp_properties_apply(const kp_value *properties, rd_kafka_conf_t *conf);

#endif
