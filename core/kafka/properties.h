/* properties: the kafka: section of a cluster file, checked and read. */
#ifndef KP_KAFKA_PROPERTIES_H
#define KP_KAFKA_PROPERTIES_H

#include "kafka/kafka.h"

/* See kp_kafka_new. */
kp_err *kp_properties_check(const kp_value *properties, const kp_value *about) KP_MUST_USE;

#endif
