/* ask_cluster.c: log dirs, reassignments, registrations.
 *
 * Reassignments are the controller's business (kp_task_controller_call).
 */
#include "live/inner.h"

/* ---- log dirs ---- */

static const kp_value *dir_value(kp_arena *a, const kp_log_dir *dir)
{
    int64_t size = 0, behind = 0, replicas = 0, catching_up = 0;
    for (int32_t i = 0; i < dir->topics.n; i++)
        for (int32_t k = 0; k < dir->topics.v[i].partitions.n; k++) {
            const kp_log_dir_partition *p = &dir->topics.v[i].partitions.v[k];
            size += p->partition_size;
            if (p->is_future_key) /* moving here from another dir: no replica of its own yet */
                continue;
            replicas++;
            behind += p->offset_lag > 0 ? p->offset_lag : 0;
            catching_up += p->offset_lag > 0;
        }
    return kp_map(a, "path", kp_text(a, dir->log_dir), "error",
                  dir->error_code ? kp_text(a, kp_kafka_code_of(dir->error_code).name) : NULL,
                  "total", kp_int(a, dir->total_bytes), "usable", kp_int(a, dir->usable_bytes),
                  "size", kp_int(a, size), "replicas", kp_int(a, replicas), "behind",
                  kp_int(a, behind), "catching_up", kp_int(a, catching_up), NULL);
}

static void on_log_dirs(kp_task *t, int listener, kp_err *e, const void *response)
{
    const kp_describe_log_dirs_response *r = response;
    if (!e && r->error_code)
        e = kp_answer_err(t, listener, r->error_code, NULL);
    if (!e && r->results.n == 0) /* before 3.0 (v3) this is how a refusal looks */
        e = kp_answer_err(t, listener, KP_NOT_ALLOWED_ON_CLUSTER, NULL);
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    kp_builder dirs = kp_list_begin(t->a);
    for (int32_t i = 0; i < r->results.n; i++)
        kp_list_add(&dirs, dir_value(t->a, &r->results.v[i]));
    kp_task_done(t, listener, kp_list_end(&dirs));
}

void kp_live_ask_log_dirs(kp_task *t)
{
    static const kp_describe_log_dirs_request request = { .topics = { NULL, KP_NULL_LIST } };
    if (kp_node_is(t->node->node, KP_BROKER))
        kp_task_call(t, t->q.node, KP_DESCRIBE_LOG_DIRS, &request, on_log_dirs);
    else
        kp_task_fail(t, kp_err_new(KP_CLUSTER, "ask a broker",
                                   "controller %d does not list log dirs", t->q.node));
}

/* ---- reassignments ---- */

static const kp_value *ids(kp_arena *a, const kp_int32s *list)
{
    kp_builder b = kp_list_begin(a);
    for (int32_t i = 0; i < list->n; i++)
        kp_list_add(&b, kp_int(a, list->v[i]));
    return kp_list_end(&b);
}

static int reassignments_code(const void *response)
{
    return ((const kp_list_partition_reassignments_response *)response)->error_code;
}

static void on_reassignments(kp_task *t, int listener, kp_err *e, const void *response)
{
    const kp_list_partition_reassignments_response *r = response;
    if (!e && r->error_code)
        e = kp_answer_err(t, listener, r->error_code, r->error_message);
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    kp_arena *a = t->a;
    kp_builder list = kp_list_begin(a);
    for (int32_t i = 0; i < r->topics.n; i++)
        for (int32_t k = 0; k < r->topics.v[i].partitions.n; k++) {
            const kp_reassigning_partition *p = &r->topics.v[i].partitions.v[k];
            kp_list_add(&list, kp_map(a, "topic", kp_text(a, r->topics.v[i].name), "partition",
                                      kp_int(a, p->partition_index), "replicas",
                                      ids(a, &p->replicas), "adding", ids(a, &p->adding_replicas),
                                      "removing", ids(a, &p->removing_replicas), NULL));
        }
    kp_task_done(t, listener, kp_list_end(&list));
}

void kp_live_ask_reassignments(kp_task *t)
{
    kp_list_partition_reassignments_request *request = KP_NEW(
        t->own, kp_list_partition_reassignments_request);
    request->timeout_ms = kp_task_time_left(t);
    request->topics.n = KP_NULL_LIST;
    kp_task_controller_call(t, KP_LIST_PARTITION_REASSIGNMENTS, request, reassignments_code,
                            on_reassignments);
}

/* ---- registrations ---- */

enum { TELLS_CONTROLLERS = 1, TELLS_FENCED = 2 }; /* versions of DescribeCluster */

/* True as well when it has no open connection that says it: then its error stands. */
static bool offers(const kp_task *t, int listener, int version)
{
    const kp_api_versions_response *r = kp_kafka_api_versions(t->lv->k, listener);
    for (int32_t i = 0; r && i < r->api_keys.n; i++)
        if (r->api_keys.v[i].api_key == KP_DESCRIBE_CLUSTER)
            return r->api_keys.v[i].max_version >= version;
    return !r;
}

static void on_registered(kp_task *t, int listener, kp_err *e, const void *response)
{
    const kp_describe_cluster_response *r = response;
    if (e && !offers(t, listener, TELLS_FENCED)) {
        kp_err_drop(e);
        kp_task_done(t, listener, kp_nil());
        return;
    }
    if (!e && r->error_code)
        e = kp_answer_err(t, listener, r->error_code, r->error_message);
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    kp_builder list = kp_list_begin(t->a);
    for (int32_t i = 0; i < r->brokers.n; i++) {
        const kp_describe_cluster_broker *b = &r->brokers.v[i];
        kp_list_add(&list, kp_map(t->a, "id", kp_int(t->a, b->broker_id), "fenced",
                                  kp_bool(b->is_fenced), "host", kp_text(t->a, b->host), "port",
                                  kp_int(t->a, b->port), "rack", kp_text(t->a, b->rack), NULL));
    }
    kp_task_done(t, listener, kp_list_end(&list));
}

void kp_live_ask_registered(kp_task *t)
{
    static const kp_describe_cluster_request request = { .endpoint_type = KP_ENDPOINT_BROKERS,
                                                         .include_fenced_brokers = true };
    kp_task_call_or_any(t, t->node, KP_DESCRIBE_CLUSTER, &request, on_registered);
}

/* Below metadata.version 3.7-IV0 controllers do not register, and the answer is this code, "Direct-
 * to-controller communication is not supported with the current MetadataVersion". */
enum { UNSUPPORTED_VERSION = 35 };

static void on_controllers(kp_task *t, int listener, kp_err *e, const void *response)
{
    const kp_describe_cluster_response *r = response;
    if (e ? !offers(t, listener, TELLS_CONTROLLERS) : r->error_code == UNSUPPORTED_VERSION) {
        kp_err_drop(e);
        kp_task_done(t, listener, kp_nil());
        return;
    }
    if (!e && r->error_code)
        e = kp_answer_err(t, listener, r->error_code, r->error_message);
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    kp_builder list = kp_list_begin(t->a);
    for (int32_t i = 0; i < r->brokers.n; i++)
        kp_list_add(&list, kp_map(t->a, "id", kp_int(t->a, r->brokers.v[i].broker_id), "host",
                                  kp_text(t->a, r->brokers.v[i].host), "port",
                                  kp_int(t->a, r->brokers.v[i].port), NULL));
    kp_task_done(t, listener, kp_list_end(&list));
}

void kp_live_ask_controllers(kp_task *t)
{
    static const kp_describe_cluster_request request = { .endpoint_type = KP_ENDPOINT_CONTROLLERS };
    const kp_inventory *inv = t->lv->inv;
    int *listeners = KP_NEW_ARRAY(t->own, inv->n_nodes + 1, int);
    size_t n = 0;

    for (uint32_t i = 0; i < inv->n_nodes; i++)
        if (kp_node_is(&inv->nodes[i], KP_CONTROLLER))
            listeners[n++] = kp_controller_listener(inv->nodes[i].id);
    if (n == 0)
        kp_task_done(t, KP_ANY_NODE, kp_nil());
    else
        kp_task_any(t, listeners, n, KP_DESCRIBE_CLUSTER, &request, on_controllers);
}
