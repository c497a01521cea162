/* ask_cluster.c: log dirs, reassignments, registrations, consumer groups and their offsets.
 *
 * Reassignments are the controller's business (kp_task_controller_call).  Groups are asked through
 * librdkafka, which finds their coordinators; a list that some broker could not add to is an error,
 * because a group that is missing looks like one that does not exist.
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

/* True as well when it has no open connection that says it: then its error stands. */
static bool tells_who_is_fenced(const kp_task *t, int listener)
{
    const kp_api_versions_response *r = kp_kafka_api_versions(t->lv->k, listener);
    for (int32_t i = 0; r && i < r->api_keys.n; i++)
        if (r->api_keys.v[i].api_key == KP_DESCRIBE_CLUSTER)
            return r->api_keys.v[i].max_version >= 2;
    return !r;
}

static void on_registered(kp_task *t, int listener, kp_err *e, const void *response)
{
    const kp_describe_cluster_response *r = response;
    if (e && !tells_who_is_fenced(t, listener)) {
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

/* ---- consumer groups ---- */

static void on_groups(kp_task *t, int tag, kp_err *e, const void *response)
{
    const kp_group_list *groups = response;
    if (!e && groups->n_problems)
        e = kp_err_retriable(kp_err_new(KP_CLUSTER, "ask again when every broker answers",
                                        "the list of consumer groups is not whole: %s",
                                        groups->problems[0]));
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    kp_builder list = kp_list_begin(t->a);
    for (size_t i = 0; i < groups->n; i++)
        kp_list_add(&list, kp_map(t->a, "group", kp_text(t->a, groups->v[i].id), "state",
                                  kp_text(t->a, groups->v[i].state), NULL));
    kp_task_done(t, tag, kp_list_end(&list));
}

void kp_live_ask_groups(kp_task *t)
{
    kp_leg *leg = kp_task_leg(t, KP_ANY_NODE, on_groups);
    leg->kafka = kp_kafka_groups_list(t->lv->k, t->own, t->deadline, kp_leg_on_kafka, leg);
}

typedef struct lag_ask {
    kp_builder result;
    size_t legs; /* groups that have not been told yet */
} lag_ask;

static kp_err *take_offsets(kp_task *t, const char *group, const kp_group_offsets *offsets)
{
    lag_ask *ask = t->state;
    kp_builder b = kp_map_begin(t->a);
    for (size_t i = 0; i < offsets->n; i++) {
        const kp_group_offset *o = &offsets->v[i];
        const char *key = kp_printf(t->own, "%s:%d", o->topic, o->partition);
        if (o->problem)
            return kp_err_at(
                kp_err_new(KP_CLUSTER, "ask again", "group %s, %s: %s", group, key, o->problem),
                "consumer group %s", group);
        if (o->offset >= 0)
            kp_map_add(&b, key, kp_int(t->a, o->offset));
    }
    kp_map_add(&ask->result, group, kp_map_end(&b));
    return NULL;
}

static void on_offsets(kp_task *t, int tag, kp_err *e, const void *response)
{
    lag_ask *ask = t->state;
    const char *group = kp_as_text(kp_at(t->q.lag.groups, (size_t)tag), "");
    if (!e)
        e = take_offsets(t, group, response);
    else
        e = kp_err_at(e, "consumer group %s", group);
    if (e)
        kp_task_fail(t, e);
    else if (--ask->legs == 0)
        kp_task_done(t, KP_ANY_NODE, kp_map_end(&ask->result));
}

void kp_live_ask_lag(kp_task *t)
{
    lag_ask *ask = KP_NEW(t->own, lag_ask);
    *ask = (lag_ask) { .result = kp_map_begin(t->a), .legs = kp_len(t->q.lag.groups) };
    t->state = ask;
    if (!ask->legs) {
        kp_task_done(t, KP_ANY_NODE, kp_map_end(&ask->result));
        return;
    }
    for (size_t i = 0; i < kp_len(t->q.lag.groups); i++) {
        kp_leg *leg = kp_task_leg(t, (int)i, on_offsets);
        leg->kafka = kp_kafka_group_offsets(t->lv->k, kp_as_text(kp_at(t->q.lag.groups, i), ""),
                                            t->own, t->deadline, kp_leg_on_kafka, leg);
    }
}
