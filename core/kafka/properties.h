/* properties: the kafka: section of a cluster file, checked and read. */
#ifndef KP_KAFKA_PROPERTIES_H
#define KP_KAFKA_PROPERTIES_H

#include "kafka/kafka.h"

#include <librdkafka/rdkafka.h>

/* See kp_kafka_new. */
kp_err *kp_properties_check(const kp_value *properties, const kp_value *about) KP_MUST_USE;

/* A configuration of librdkafka's with them, which were checked before, leaving out what is kplay's
 * own, and with what kplay sets itself. */
rd_kafka_conf_t *kp_properties_conf(const kp_value *properties);

#endif
