/* stage_release, switch_release: which release a host has, and which one its link names. */
#include "verbs/inner.h"

typedef struct release_args {
    kp_nodes nodes;
    const char *version;
} release_args;
static const kp_arg release_arg[] = {
    KP_ARG(release_args, nodes, "nodes", NULL, "a node's id, or a list of ids"),
    KP_ARG(release_args, version, "version", NULL, "a Kafka release, like \"3.9.1\""),
};

typedef struct release_pre {
    const kp_value *host;
} release_pre;
static const kp_keep release_keep[] = { KP_KEEP(release_pre, host, KP_KEEP_VALUE) };

static const char *version_of(const void *args)
{
    return ((const release_args *)args)->version;
}

static kp_err *before(kp_step *s, const void *args, void *pre)
{
    const kp_value *state;
    (void)args;
    KP_TRY(kp_ask_host(s, s->node.id, -1, &state));
    ((release_pre *)pre)->host = kp_host_remember(s->a, state);
    return NULL;
}

/* Staging is the team's: kplay proves that the release is on every host before the first stop. */
static kp_verdict stage_probe(kp_step *s, const void *args)
{
    const release_args *a = args;
    const release_pre *was = s->pre;
    const kp_node *node = kp_inventory_node(s->seen->inv, s->node.id);

    const char *lacks = kp_release_lacks(was ? was->host : NULL, a->version);
    if (!lacks) {
        s->result = kp_bool(true);
        return KP_SO;
    }
    s->why = *lacks ? kp_printf(s->a, "release %s on %s is only half unpacked: %s is missing",
                                a->version, node->host, lacks)
                    : kp_printf(s->a, "release %s is not staged on %s", a->version, node->host);
    s->next = kp_printf(s->a, "unpack it%s below %s as %s on every host, then run it again",
                        *lacks ? " again, whole," : "", node->layout.releases,
                        node->layout.release);
    return KP_DID_FAIL;
}

static kp_err *no_ask(kp_step *s, const void *args)
{
    (void)s;
    (void)args;
    return NULL;
}

static kp_err *switch_ask(kp_step *s, const void *args)
{
    const release_args *a = args;
    kp_request q = { .kind = KP_A_LINK, .node = s->node.id, .link.version = a->version };
    kp_send_only(s, &q);
    return NULL;
}

static kp_verdict switch_probe(kp_step *s, const void *args)
{
    const release_args *a = args;
    const release_pre *was = s->pre;
    const kp_value *state;
    kp_err *e = kp_ask_host(s, s->node.id, -1, &state);

    if (e) {
        s->blind = true;
        s->say = kp_printf(s->a, "the host does not answer: %s", e->what);
        kp_err_drop(e);
        return KP_UNDER_WAY;
    }
    const char *now = kp_get_text(state, "link_release", "");
    s->saw = kp_map(s->a, "link_release", kp_text(s->a, now), NULL);
    if (kp_streq(now, a->version)) {
        s->result = kp_map(s->a, "from", was ? kp_get(was->host, "link_release") : NULL, NULL);
        return KP_SO;
    }
    if (kp_get_int(state, "pid", 0) != 0 && !s->intended) {
        s->why = "it is running: a release is switched while the node is down";
        s->next = "stop it first";
        return KP_DID_FAIL;
    }
    return KP_NOT_YET;
}

const kp_op kp_op_stage_release = {
    .name = "stage_release",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_WANT,
    .grant = KP_G_RELEASE_STAGE,
    .doc = "Proves that a release is staged on the nodes' hosts: its directory is there and has "
           "its jars.",
    .result = "true",
    .example = "stage_release(brokers(), \"3.9.1\")",
    .landing = KP_SECOND,
    .fan_out = "nodes",
    KP_TAKES(release_arg, release_args),
    KP_KEEPS(release_keep, release_pre),
    .before = before,
    .ask = no_ask,
    .probe = stage_probe,
};

static const kp_answer_field switched_answer[] = {
    { "from", "string?", "the release that the link named before" },
};
const kp_op kp_op_switch_release = {
    .name = "switch_release",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_WANT,
    .grant = KP_G_RELEASE_SWITCH,
    .doing = "switching the release of",
    .starts = true,
    .p50 = KP_SECOND,
    .p95 = 10 * KP_SECOND,
    .doc = "Points a stopped node's release link at a staged release, atomically.\n"
           "The guard first looks whether the release can run with what the cluster speaks.",
    .result = "kplay.switched",
    KP_ANSWERS(switched_answer),
    .example = "switch_release(2, \"3.9.1\")",
    .landing = 20 * KP_SECOND,
    .stall = 2 * KP_MINUTE,
    .fan_out = "nodes",
    KP_TAKES(release_arg, release_args),
    KP_KEEPS(release_keep, release_pre),
    .version_of = version_of,
    .before = before,
    .ask = switch_ask,
    .probe = switch_probe,
};
