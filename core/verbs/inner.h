/* What the verbs' files share: each defines its verbs as const structs, verbs.c lists them. */
#ifndef KP_VERBS_INNER_H
#define KP_VERBS_INNER_H

#include "verbs/verbs.h"

extern const kp_op kp_op_brokers, kp_op_broker, kp_op_controllers, kp_op_controller, kp_op_quorum,
    kp_op_urp, kp_op_offline, kp_op_under_min_isr, kp_op_at_min_isr, kp_op_partitions, kp_op_risk,
    kp_op_reassignments, kp_op_log_dirs, kp_op_groups, kp_op_cluster;            /* cluster.c */
extern const kp_op kp_op_lag;                                                    /* lag.c */
extern const kp_op kp_op_clients;                                                /* clients.c */
extern const kp_op kp_op_findings;                                               /* findings.c */
extern const kp_op kp_op_version, kp_op_api_versions, kp_op_features, kp_op_config, kp_op_disk,
    kp_op_properties, kp_op_identity, kp_op_releases, kp_op_release_info, kp_op_ibp; /* node.c */
extern const kp_op kp_op_stop_broker, kp_op_start_broker, kp_op_stop_controller,
    kp_op_start_controller;                                                 /* service.c */
extern const kp_op kp_op_stage_release, kp_op_switch_release;               /* release.c */
extern const kp_op kp_op_set_properties, kp_op_set_ibp, kp_op_alter_config; /* config.c */
extern const kp_op kp_op_elect_preferred;                                   /* leader.c */
extern const kp_op kp_op_unregister_broker;                                 /* registration.c */
extern const kp_op kp_op_wait_in_sync;                                      /* sync.c */

/* ---- start_proof.c: what a start has brought, for start_* and wait_in_sync ---- */
/* Takes in one KP_Q_HOST answer.  restarts_before: service.restarts when the start was asked for,
 * -1 when that is not known. */
void kp_life_look(kp_life *l, const kp_value *state, int64_t restarts_before);
int64_t kp_life_deaths(const kp_life *l); /* seen, or counted by the service manager */
/* It has died too often: why, next and detail are set. */
bool kp_dies_again(kp_step *s, const kp_life *l, const kp_value *state);
char *kp_log_lines(kp_arena *a, const kp_value *signs); /* the newest errors, as detail */
/* "read /var/log/kafka/server.log on kafka1", of the step's node, and what is to be done then. */
char *kp_read_its_log(kp_step *s, const char *then);
void kp_start_progress(kp_step *s, const kp_value *state, bool listed);
/* Another process is registered as this node: `say` is set, and `why` when that has lasted longer
 * than an old session does, or this one has gone for it. */
bool kp_start_is_second(kp_step *s, const kp_value *state, bool gone);
/* The others list the node; whether it is the process that `state` shows.  False: `say` is set. */
bool kp_start_is_proved(kp_step *s, const kp_node *node, const kp_value *state);

/* ---- look.c: what several verbs look at ---- */
/* KP_Q_HOST of a node; since < 0: without the log.  KP_REFUSED when the host is another run's by
 * now. */
kp_err *kp_ask_host(kp_step *s, int node, int64_t since, const kp_value **ret_state) KP_MUST_USE;
/* The same when the process of `was` (what kp_host_remember kept) may be gone: the log dirs are
 * those that it had. */
kp_err *kp_ask_host_left(kp_step *s, int node, const kp_value *was,
                         const kp_value **ret_state) KP_MUST_USE;
/* The part of a state that is worth remembering in an intent. */
const kp_value *kp_host_remember(kp_arena *a, const kp_value *state);

/* One broker's view without needing agreement; NULL when `node` does not answer. */
const kp_view *kp_one_view(kp_step *s, int node, kp_maybe_id follow);
/* The same of the first broker but `node` that answers; one that died meanwhile is passed over.
 * NULL: none of them answers; *ret_alone: there is no other. */
const kp_view *kp_others_view(kp_step *s, kp_maybe_id node, kp_maybe_id follow, bool *ret_alone);
#define KP_OTHERS_MOST 8 /* asked before nobody is taken to answer */

#endif
