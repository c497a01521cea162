/* The verbs, in the order the documentation lists them, and the grants. */
#include "engine/ops.h"

const kp_op *const kp_ops[] = {
    /* questions about the cluster */
    &kp_op_cluster,
    &kp_op_brokers,
    &kp_op_broker,
    &kp_op_controllers,
    &kp_op_controller,
    &kp_op_quorum,
    &kp_op_urp,
    &kp_op_offline,
    &kp_op_under_min_isr,
    &kp_op_at_min_isr,
    &kp_op_partitions,
    &kp_op_risk,
    &kp_op_reassignments,
    &kp_op_log_dirs,
    &kp_op_groups,
    &kp_op_lag,
    &kp_op_features,
    &kp_op_config,
    &kp_op_findings,
    /* questions about a node */
    &kp_op_version,
    &kp_op_releases,
    &kp_op_ibp,
    &kp_op_api_versions,
    &kp_op_identity,
    &kp_op_properties,
    &kp_op_disk,
    &kp_op_now,
    /* actions */
    &kp_op_stop_broker,
    &kp_op_start_broker,
    &kp_op_stop_controller,
    &kp_op_start_controller,
    &kp_op_stage_release,
    &kp_op_switch_release,
    &kp_op_set_properties,
    &kp_op_set_ibp,
    &kp_op_alter_config,
    &kp_op_elect_preferred,
    /* flow */
    &kp_op_step,
    &kp_op_wait_in_sync,
    &kp_op_wait_until,
    &kp_op_play,
    &kp_op_sleep,
    &kp_op_confirm,
    &kp_op_log,
    &kp_op_warn,
    &kp_op_skip,
    &kp_op_fail,
    &kp_op_on_failure,
    &kp_op_baseline_save,
    &kp_op_baseline_load,
    NULL,
};

const kp_op *kp_op_named(const char *name)
{
    for (size_t i = 0; kp_ops[i]; i++)
        if (kp_streq(kp_ops[i]->name, name))
            return kp_ops[i];
    return NULL;
}

static const char *const grant_names[] = {
    "broker.restart", "controller.restart", "release.stage",
    "release.switch", "config.file",        "config.dynamic",
    "leader.elect",   "host.exec",          NULL,
};

const char *const *kp_grant_names(void)
{
    return grant_names;
}

const char *kp_grant_name(kp_grant one)
{
    for (size_t i = 0; grant_names[i]; i++)
        if ((unsigned)one == 1u << i)
            return grant_names[i];
    return NULL;
}

bool kp_grant_parse(const char *name, kp_grant *ret_one)
{
    for (size_t i = 0; grant_names[i]; i++)
        if (kp_streq(grant_names[i], name)) {
            *ret_one = (kp_grant)(1u << i);
            return true;
        }
    return false;
}

const char *kp_verdict_name(kp_verdict v)
{
    static const char *const names[] = { "not yet", "under way", "so", "failed", "unknown" };
    return names[v];
}

const char *kp_doing_word(const kp_op *op)
{
    static const struct {
        const char *verb, *word;
    } words[] = {
        { "stop_broker", "stopping" },
        { "stop_controller", "stopping" },
        { "start_broker", "starting" },
        { "start_controller", "starting" },
        { "switch_release", "switching the release of" },
        { "set_ibp", "raising the protocol version of" },
        { "set_properties", "changing the configuration of" },
    };
    for (size_t i = 0; i < KP_COUNT(words); i++)
        if (kp_streq(words[i].verb, op->name))
            return words[i].word;
    return op->name;
}
