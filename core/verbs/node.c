/* Questions about one node: its release, features, configuration, host. */
#include "verbs/inner.h"

#include <stdio.h>
#include <string.h>

typedef struct node_args {
    int id;
} node_args;
static const kp_arg node_arg[] = { KP_ARG(node_args, id, "node", NULL, "a node's id") };

static kp_err *ask_node(kp_step *s, int id, const kp_value **ret_v)
{
    kp_request q = { .kind = KP_Q_NODE, .node = id, .within = 5 * KP_SECOND };
    kp_err *e = kp_ask_value(s->seen, s->a, &q, ret_v);
    return e && !*e->where ? kp_err_at(e, "%s", kp_node_word(s->a, s->seen->inv, id)) : e;
}

static kp_err *version_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const node_args *a = args;
    const kp_value *state = NULL, *said;

    /* The patch level is not visible on the wire: it is the running process' jar.  The wire knows
     * the line. */
    kp_err *e = kp_ask_host(s, a->id, -1, &state);
    if (!e && kp_get_int(state, "pid", 0) && kp_get(state, "running_release")) {
        *ret_v = kp_get(state, "running_release");
        return NULL;
    }
    if (!e && kp_get_int(state, "pid", 0) == 0) {
        *ret_v = kp_nil();
        return NULL;
    }
    kp_err_drop(e);
    KP_TRY(ask_node(s, a->id, &said));
    *ret_v = kp_get(said, "release") ? kp_get(said, "release") : kp_nil();
    return NULL;
}

static kp_err *api_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    return ask_node(s, ((const node_args *)args)->id, ret_v);
}

static kp_err *identity_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const node_args *a = args;
    const kp_value *state = NULL;
    KP_TRY(kp_ask_host(s, a->id, -1, &state));
    *ret_v = kp_map(s->a, "pid", kp_get(state, "pid"), "process", kp_get(state, "process"),
                    "config", kp_get(state, "config"), "host",
                    kp_text(s->a, kp_inventory_node(s->seen->inv, a->id)->host), "held",
                    kp_get(kp_get(state, "fence"), "holder"), NULL);
    return NULL;
}

static kp_err *disk_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const kp_value *state = NULL;
    KP_TRY(kp_ask_host(s, ((const node_args *)args)->id, -1, &state));
    *ret_v = kp_map(s->a, "free", kp_get(state, "free"), "dirs", kp_get(state, "dirs"), NULL);
    return NULL;
}

/* By the file that its process runs on; one that runs nothing: by the file it would start with. */
static const kp_value *file_mode(const kp_value *state)
{
    const kp_value *runs = kp_get(kp_get(state, "process"), "mode");
    return runs ? runs : kp_get(kp_get(state, "config"), "mode");
}

static kp_err *releases_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const kp_value *state = NULL;
    KP_TRY(kp_ask_host(s, ((const node_args *)args)->id, -1, &state));
    const kp_value *all = kp_get(state, "releases");
    kp_builder whole = kp_list_begin(s->a);
    for (size_t i = 0; i < kp_len(all); i++)
        if (!kp_release_lacks(state, kp_as_text(kp_at(all, i), "")))
            kp_list_add(&whole, kp_at(all, i));
    *ret_v = kp_map(s->a, "running", kp_get(state, "running_release"), "current",
                    kp_get(state, "link_release"), "staged", kp_list_end(&whole), "partial",
                    kp_get(state, "releases_partial"), "jars",
                    kp_get(kp_get(state, "process"), "releases"), "mode", file_mode(state), NULL);
    return NULL;
}

static kp_err *properties_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    kp_request q = { .kind = KP_Q_FILE, .node = ((const node_args *)args)->id };
    const kp_value *file;
    KP_TRY(kp_ask_value(s->seen, s->a, &q, &file));
    const kp_value *bytes = kp_get(file, "bytes");
    const kp_value *all = kp_properties_parse(s->a, kp_as_text(bytes, ""), bytes ? bytes->n : 0);
    /* Secrets never enter the journal. */
    kp_builder b = kp_map_begin(s->a);
    for (uint32_t i = 0; i < all->n; i++) {
        const char *k = all->keys[i];
        kp_map_add(&b, k, kp_config_key_is_secret(k) ? kp_text(s->a, "(secret)") : all->u.items[i]);
    }
    *ret_v = kp_map_end(&b);
    return NULL;
}

static kp_err *ibp_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const node_args *a = args;
    kp_builder keys = kp_list_begin(s->a);
    kp_list_add(&keys, kp_text(s->a, "inter.broker.protocol.version"));
    kp_request q = { .kind = KP_Q_CONFIG,
                     .node = a->id,
                     .config = { .resource = "broker", .keys = kp_list_end(&keys) },
                     .within = 5 * KP_SECOND };
    const kp_value *all;
    KP_TRY(kp_ask_value(s->seen, s->a, &q, &all));
    char id[16];
    snprintf(id, sizeof id, "%d", a->id);
    const kp_value *v = kp_get(kp_get(kp_get(all, id), "inter.broker.protocol.version"), "value");
    *ret_v = v ? v : kp_nil();
    return NULL;
}

typedef struct release_args {
    int id;
    const char *version;
} release_args;
static const kp_arg release_arg[] = {
    KP_ARG(release_args, id, "node", NULL, "on whose host it is staged"),
    KP_ARG(release_args, version, "version", NULL, "a Kafka release, like \"4.4.0\""),
};

static kp_err *release_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const release_args *x = args;
    kp_request q = { .kind = KP_Q_RELEASE, .node = x->id, .release.version = x->version };
    return kp_ask_value(s->seen, s->a, &q, ret_v);
}

typedef struct features_args {
    kp_nodes nodes;
} features_args;
static const kp_arg features_arg[] = {
    KP_ARG(features_args, nodes, "nodes", "nil",
           "a node's id, or a list of ids, that are asked what their binaries know"),
};

/* Unlike the finalised levels, nobody knows it of another. */
static const kp_value *supported_by(kp_step *s, const kp_nodes *nodes)
{
    kp_request *q = KP_NEW_ARRAY(s->a, nodes->n + 1, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(s->a, nodes->n + 1, kp_reply);
    kp_builder list = kp_list_begin(s->a);

    for (size_t i = 0; i < nodes->n; i++)
        q[i] = (kp_request) { .kind = KP_Q_NODE, .node = nodes->id[i], .within = 5 * KP_SECOND };
    kp_ask_all(s->seen, s->a, q, nodes->n, reply);
    for (size_t i = 0; i < nodes->n; i++) {
        const kp_err *e = reply[i].err;
        kp_list_add(&list, kp_map(s->a, "node", kp_int(s->a, nodes->id[i]), "supported",
                                  e ? NULL : kp_get(reply[i].value, "supported"), "features",
                                  e ? NULL : kp_get(reply[i].value, "features"), "problem",
                                  e ? kp_text(s->a, e->what) : NULL, NULL));
        kp_err_drop(reply[i].err);
    }
    return kp_list_end(&list);
}

static kp_err *features_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const features_args *x = args;
    const kp_value *said;
    KP_TRY(ask_node(s, KP_ANY_NODE, &said));
    *ret_v = kp_map(s->a, "metadata_version", kp_get(said, "metadata_version"), "features",
                    kp_get(said, "features"), "nodes",
                    x->nodes.id ? supported_by(s, &x->nodes) : NULL, NULL);
    return NULL;
}

typedef struct config_args {
    const char *topic;
    kp_maybe_id broker;
    const kp_value *keys;
} config_args;
static const kp_arg config_arg[] = {
    KP_ARG(config_args, topic, "text", "nil", "a topic's name"),
    KP_ARG(config_args, broker, "broker", "nil", "or a broker's id: that very broker is asked"),
    KP_ARG_AS(config_args, keys, "list", "string[]", "nil",
              "configuration names; all when left out"),
};

static kp_err *config_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const config_args *a = args;
    const kp_value *all;
    char id[16];
    kp_request q = { .kind = KP_Q_CONFIG,
                     .node = a->topic ? KP_ANY_NODE : a->broker.id,
                     .config = { .resource = a->topic ? "topic" : "broker", .keys = a->keys } };

    if (!a->topic && !a->broker.is)
        return kp_err_new(KP_PLAYBOOK, "config{ topic = \"orders\" } or config{ broker = 1 }",
                          "config needs a topic or a broker");
    if (a->topic) {
        kp_builder b = kp_list_begin(s->a);
        kp_list_add(&b, kp_text(s->a, a->topic));
        q.config.names = kp_list_end(&b);
    }
    KP_TRY(kp_ask_value(s->seen, s->a, &q, &all));
    snprintf(id, sizeof id, "%d", a->broker.id);
    const kp_value *one = kp_get(all, a->topic ? a->topic : id);
    kp_builder b = kp_map_begin(s->a);
    for (uint32_t i = 0; one && i < one->n; i++)
        kp_map_add(&b, one->keys[i], kp_get(one->u.items[i], "value"));
    *ret_v = kp_map_end(&b);
    return NULL;
}

const kp_op kp_op_version = {
    .name = "version",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc =
        "The release a node runs, with its patch level: from the jar of the running process; nil "
        "when it is down.",
    .result = "string?",
    .example = "version(2)",
    KP_TAKES(node_arg, node_args),
    .read = version_read,
};
static const kp_answer_field api_versions_answer[] = {
    { "mode", "\"zookeeper\"|\"kraft\"|\"controller\"|\"hybrid\"", "what it is" },
    { "release", "string?", "the line, \"3.9\"; nil: its answer fits none that is known" },
    { "cluster_id", "string?", "its cluster's id" },
    { "controller", "integer?", "the controller's id as it says" },
    { "metadata_version", "integer?", "the finalised level" },
    { "metadata_version_min", "integer?", "the lowest its binary supports" },
    { "metadata_version_max", "integer?", "the highest its binary supports" },
    { "features", "table<string, integer>?", "finalised features and their levels" },
    { "supported", "table<string, { min: integer, max: integer }>?", "what its binary knows" },
    { "zk_migration_ready", "boolean?", "it is ready for the migration" },
};
const kp_op kp_op_api_versions = {
    .name = "api_versions",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "What a node says of itself over the wire (ApiVersions).",
    .result = "kplay.api_versions",
    KP_ANSWERS(api_versions_answer),
    .example = "api_versions(2).mode",
    KP_TAKES(node_arg, node_args),
    .read = api_read,
};
static const kp_answer_field identity_answer[] = {
    { "pid", "integer", "0: no process runs" },
    { "host", "string", "as the cluster file has it" },
    { "process", "{ node_id: integer?, cluster_id: string?, roles: string?, mode: string? }?",
      "what its process was started with; nil: none runs" },
    { "config", "{ node_id: integer?, cluster_id: string?, roles: string?, mode: string? }?",
      "what the file says that the cluster file names" },
    { "held", "string?", "the run that may act on its host; nil: none" },
};
const kp_op kp_op_identity = {
    .name = "identity",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "Which process, host, node id and cluster id answer for a node.",
    .result = "kplay.identity",
    KP_ANSWERS(identity_answer),
    .example = "identity(2).process.node_id",
    KP_TAKES(node_arg, node_args),
    .read = identity_read,
};
static const kp_answer_field disk_answer[] = {
    { "free", "integer", "bytes, of the fullest log dir" },
    { "dirs", "integer", "how many log dirs" },
};
const kp_op kp_op_disk = {
    .name = "disk",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "Free bytes of a node's fullest log dir, and how many log dirs it has.",
    .result = "kplay.disk",
    KP_ANSWERS(disk_answer),
    .example = "disk(2).free",
    KP_TAKES(node_arg, node_args),
    .read = disk_read,
};
static const kp_answer_field releases_answer[] = {
    { "running", "string?", "what its process runs; nil: it is down" },
    { "current", "string?", "what layout.current points to" },
    { "staged", "string[]", "whole releases on its host" },
    { "partial", "table<string, string>?", "staged in part: release = what is missing" },
    { "jars", "string[]?", "of the process's class path: more than one is a fault" },
    { "mode", "\"zookeeper\"|\"kraft\"|nil", "by the file that its process runs on" },
};
const kp_op kp_op_releases = {
    .name = "releases",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc =
        "The release a node runs, the one its link names, those staged on its host, and the mode "
        "its file gives it (zookeeper or kraft).",
    .result = "kplay.releases",
    KP_ANSWERS(releases_answer),
    .example = "releases(2).staged",
    KP_TAKES(node_arg, node_args),
    .read = releases_read,
};
static const kp_answer_field release_answer[] = {
    { "built", "string?", "the day its jar was built, \"2026-10-06\"" },
    { "release_dir", "string", "where it is staged" },
    { "metadata_version_min", "integer?", "lowest level it runs with; nil before 4.0" },
    { "metadata_version_max", "integer?", "highest" },
    { "features", "table<string, integer>?", "the highest level of each feature it knows" },
    { "keys", "string[]?", "the keys of server.properties it knows; nil: it does not tell" },
    { "topic_keys", "string[]?", "the keys of a topic's configuration" },
    { "why", "string?", "why something is not told" },
};
const kp_op kp_op_release_info = {
    .name = "release_info",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc =
        "What a staged release says of itself, by its own programs, offline: about 5 s of Java on "
        "the node's host.",
    .result = "kplay.release_info",
    KP_ANSWERS(release_answer),
    .example = "release_info(2, \"4.4.0\").metadata_version_max",
    KP_TAKES(release_arg, release_args),
    .read = release_read,
};
const kp_op kp_op_properties = {
    .name = "properties",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "A node's server.properties; secrets are blanked.",
    .result = "table<string, string>",
    .example = "properties(2)[\"log.dirs\"]",
    KP_TAKES(node_arg, node_args),
    .read = properties_read,
};
const kp_op kp_op_ibp = {
    .name = "ibp",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "The inter.broker.protocol.version a broker effectively speaks (DescribeConfigs of that "
           "broker).",
    .result = "string?",
    .example = "ibp(2)",
    KP_TAKES(node_arg, node_args),
    .read = ibp_read,
};
static const kp_answer_field features_answer[] = {
    { "metadata_version", "integer?", "the finalised level; nil in ZooKeeper mode" },
    { "features", "table<string, integer>?", "finalised features and their levels" },
    { "nodes",
      "{ node: integer, supported: table<string, { min: integer, max: integer }>?, features: "
      "table<string, integer>?, problem: string? }[]?",
      "of the nodes that are asked: every feature that each names, whether kplay knows it "
      "or not, and the levels it goes by; problem: why one does not say" },
};
const kp_op kp_op_features = {
    .name = "features",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "The finalised features of a KRaft cluster, metadata.version first; and what nodes "
           "support.",
    .result = "kplay.features",
    KP_ANSWERS(features_answer),
    .example = "features{ nodes = controllers() }.nodes[1].supported[\"metadata.version\"].max",
    KP_TAKES(features_arg, features_args),
    .read = features_read
};
const kp_op kp_op_config = {
    .name = "config",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "Effective configuration of a topic or a broker (DescribeConfigs).",
    .result = "table<string, string>",
    .example = "config{ topic = \"orders\" }[\"retention.ms\"]",
    KP_TAKES(config_arg, config_args),
    .read = config_read,
};
