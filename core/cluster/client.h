/* client: the `kafka:` section of the cluster file, how kplay connects.  Room-internal. */
#ifndef KP_CLUSTER_CLIENT_H
#define KP_CLUSTER_CLIENT_H

#include "cluster/schema.h"

/* The names a connection depends on.  Others of librdkafka's are taken as well. */
extern const kp_level kp_client_table;

/* Checks the section and returns it with ~/ and relative paths resolved.  Values are text, or a map
 * that says where a secret is (see kp_secret_resolve). */
kp_err *kp_client_read(const kp_reading *in, const kp_value *section,
                       const kp_value **ret_section) KP_MUST_USE;

#endif
