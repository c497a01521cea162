/* cluster: what a Kafka cluster is to kplay, without any connection.
 *
 * inventory.h  the cluster file: who the nodes are and how they are reached and managed
 * view.h       one picture of brokers, partitions and ISRs, with its counts
 * risk.h       what a picture would look like without some nodes
 * properties.h server.properties: read a key, edit keeping comments and order
 * server_config.h what such a file means to the broker that reads it
 */
#ifndef KP_CLUSTER_H
#define KP_CLUSTER_H

#include "cluster/inventory.h"
#include "cluster/properties.h"
#include "cluster/risk.h"
#include "cluster/server_config.h"
#include "cluster/view.h"

#endif
