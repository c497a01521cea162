/* The words of verbs: names, grants, verdicts. */
#include "engine/run.h"

const kp_op *kp_op_named(const kp_op *const *verbs, const char *name)
{
    for (size_t i = 0; verbs[i]; i++)
        if (kp_streq(verbs[i]->name, name))
            return verbs[i];
    return NULL;
}

static const char *const grant_names[] = {
    "broker.restart", "controller.restart", "release.stage",
    "release.switch", "config.file",        "config.dynamic",
    "leader.elect",   "broker.unregister",  NULL,
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
