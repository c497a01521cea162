/* ask_node.c: what a node says of itself: release line, mode, features, and to which cluster it
 * belongs.
 *
 * ApiVersions is asked anew each time, because finalized features change under an open connection;
 * the versions themselves cannot, a process keeps its binary.  The cluster comes from the node's
 * other face: a broker's Metadata (without topics), a controller's DescribeCluster for controllers
 * (KIP-919, 3.7+; older controllers do not say).  Both are asked at once.
 */
#include "live/inner.h"

typedef struct node_ask {
    const kp_api_versions_response *versions;
    const char *cluster_id; /* NULL: not told */
    int controller;         /* -1: not told */
    int legs; /* not answered yet */
} node_ask;

static int64_t level_of(const kp_api_versions_response *r, const char *name)
{
    for (int32_t i = 0; i < r->finalized_features.n; i++)
        if (kp_streq(r->finalized_features.v[i].name, name))
            return r->finalized_features.v[i].max_version_level;
    return -1;
}

static const kp_supported_feature *supported(const kp_api_versions_response *r, const char *name)
{
    for (int32_t i = 0; i < r->supported_features.n; i++)
        if (kp_streq(r->supported_features.v[i].name, name))
            return &r->supported_features.v[i];
    return NULL;
}

/* Every feature it names, known here or not: name -> {min, max}. */
static const kp_value *all_supported(kp_arena *a, const kp_api_versions_response *r)
{
    kp_builder b = kp_map_begin(a);
    for (int32_t i = 0; i < r->supported_features.n; i++) {
        const kp_supported_feature *f = &r->supported_features.v[i];
        kp_map_add(
            &b, f->name,
            kp_map(a, "min", kp_int(a, f->min_version), "max", kp_int(a, f->max_version), NULL));
    }
    return kp_map_end(&b);
}

static void finish(kp_task *t, int listener)
{
    const node_ask *ask = t->state;
    const kp_api_versions_response *r = ask->versions;
    kp_fingerprint f = kp_kafka_fingerprint(r);
    kp_arena *a = t->a;
    if (f.mode == KP_MODE_UNKNOWN) {
        kp_err *e = kp_err_new(KP_CLUSTER, "check the address; a proxy in between hides the node",
                               "it answers like no Kafka that kplay knows");
        kp_task_fail(t, kp_err_at(e, "%s", kp_listener_place(t->lv, t->own, listener)));
        return;
    }
    kp_builder features = kp_map_begin(a);
    for (int32_t i = 0; i < r->finalized_features.n; i++)
        kp_map_add(&features, r->finalized_features.v[i].name,
                   kp_int(a, r->finalized_features.v[i].max_version_level));
    const char *name = "metadata.version";
    const kp_supported_feature *range = supported(r, name);
    int64_t level = level_of(r, name);
    const kp_value *v = kp_map(
        a, "release", f.line.major ? kp_textf(a, "%d.%d", f.line.major, f.line.minor) : NULL,
        "mode", kp_text(a, kp_node_mode_name(f.mode)), "metadata_version",
        level >= 0 ? kp_int(a, level) : NULL, "metadata_version_min",
        range ? kp_int(a, range->min_version) : NULL, "metadata_version_max",
        range ? kp_int(a, range->max_version) : NULL, "features", kp_map_end(&features),
        "supported", all_supported(a, r), "zk_migration_ready", kp_bool(r->zk_migration_ready),
        "cluster_id", kp_text(a, ask->cluster_id), "controller",
        ask->controller >= 0 ? kp_int(a, ask->controller) : NULL, NULL);
    kp_task_done(t, listener, v);
}

static void one_less(kp_task *t, int listener)
{
    node_ask *ask = t->state;
    if (--ask->legs == 0)
        finish(t, listener);
}

static void on_metadata(kp_task *t, int listener, kp_err *e, const void *response)
{
    node_ask *ask = t->state;
    const kp_metadata_response *m = response;
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    ask->cluster_id = m->cluster_id;
    ask->controller = m->controller_id;
    kp_live_learn(t->lv, m->cluster_id, m->controller_id);
    one_less(t, listener);
}

static void on_cluster(kp_task *t, int listener, kp_err *e, const void *response)
{
    node_ask *ask = t->state;
    const kp_describe_cluster_response *c = response;
    if (e && e->retriable) {
        kp_task_fail(t, e);
        return;
    }
    if (!e && c->error_code == 0) {
        ask->cluster_id = c->cluster_id;
        ask->controller = c->controller_id;
        kp_live_learn(t->lv, c->cluster_id, -1);
    }
    kp_err_drop(e);
    one_less(t, listener);
}

static void ask_cluster(kp_task *t, int listener)
{
    static const kp_describe_cluster_request controllers = { .endpoint_type =
                                                                 KP_ENDPOINT_CONTROLLERS };
    if (listener < 0)
        kp_task_call(t, listener, KP_DESCRIBE_CLUSTER, &controllers, on_cluster);
    else
        kp_task_call(t, listener, KP_METADATA, &kp_no_topics, on_metadata);
}

static void on_versions(kp_task *t, int listener, kp_err *e, const void *response)
{
    node_ask *ask = t->state;
    const kp_api_versions_response *r = response;
    if (!e && r->error_code)
        e = kp_answer_err(t, listener, r->error_code, NULL);
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    ask->versions = r;
    one_less(t, listener);
}

/* From whichever node answered. */
static void on_any_versions(kp_task *t, int listener, kp_err *e, const void *response)
{
    if (!e)
        ask_cluster(t, listener);
    on_versions(t, listener, e, response);
}

void kp_live_ask_node(kp_task *t)
{
    node_ask *ask = KP_NEW(t->own, node_ask);
    *ask = (node_ask) { .controller = -1, .legs = 2 };
    t->state = ask;
    if (t->node) {
        int listener = kp_main_listener(t->node->node);
        kp_task_call(t, listener, KP_API_VERSIONS, NULL, on_versions);
        ask_cluster(t, listener);
    } else {
        size_t n;
        int *listeners = kp_live_listeners(t->lv, t->own, t->lv->controller, true, &n);
        kp_task_any(t, listeners, n, KP_API_VERSIONS, NULL, on_any_versions);
    }
}
