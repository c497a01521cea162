/* keys: the levels of the cluster file and what is stored of each.  Room-internal. */
#ifndef KP_CLUSTER_KEYS_H
#define KP_CLUSTER_KEYS_H

#include "cluster/inventory.h"
#include "cluster/schema.h"

typedef struct kp_top_level {
    const char *cluster, *runs;
    const kp_value *kafka, *ssh, *service, *layout, *policy, *playbooks, *simulate;
    const kp_value *brokers, *controllers, *zookeeper;
} kp_top_level;

typedef struct kp_ssh_level {
    kp_ssh ssh;
    const kp_value *become;
} kp_ssh_level;

typedef struct kp_service_level {
    const char *manager, *unit;
    const kp_value *start, *stop, *status;
} kp_service_level;

typedef struct kp_node_level {
    int id;
    const char *host, *rack, *kafka;
    const kp_value *ssh, *service, *layout;
} kp_node_level;

typedef struct kp_policy_level {
    const char *guard, *on_failure;
    int free_space;
    const kp_value *accept;
} kp_policy_level;

typedef struct kp_accept_level {
    const char *topic, *partition, *until, *why;
} kp_accept_level;

extern const kp_level kp_top_table;       /* kp_top_level */
extern const kp_level kp_ssh_table;       /* kp_ssh_level */
extern const kp_level kp_become_table;    /* kp_ssh */
extern const kp_level kp_service_table;   /* kp_service_level */
extern const kp_level kp_layout_table;    /* kp_layout */
extern const kp_level kp_node_table;      /* kp_node_level; a broker's and a controller's */
extern const kp_level kp_zookeeper_table; /* kp_zookeeper */
extern const kp_level kp_policy_table;    /* kp_policy_level */
extern const kp_level kp_accept_table;    /* kp_accept_level */

#endif
