/* ask_view.c: Metadata of one broker as a view, with what configurations say of its topics.
 *
 * Metadata v12 tells everything about partitions; min.insync.replicas and
 * unclean.leader.election.enable are effective values of the topic, as the broker that is asked
 * merges them (DescribeConfigs TOPIC), read in batches and by these two keys only.  They are
 * remembered by topic id, so that the views of a wait need not read them again.  A topic whose
 * configuration cannot be read has min_isr 0, which is "not known".
 *
 * A topic that the broker answers with an error is one bad topic of the view, not the end of it.
 *
 * A view that follows a broker names the topics in which that broker was out of sync, and gets an
 * answer that shrinks as the broker catches up.  A topic that was deleted since is left out.
 */
#include "live/inner.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 500 }; /* topics in one DescribeConfigs request */

typedef struct view_ask {
    int listener;
    kp_ms at;
    bool whole;
    const kp_metadata_response *m;
    const kp_metadata_topic **topics; /* ascending by name */
    size_t n;
    kp_view_bad_topic *bad;
    uint32_t n_bad;
    kp_topic_config *configs; /* beside topics */
    size_t batches;           /* still to be answered */
} view_ask;

static const char *const config_keys[] = { "min.insync.replicas",
                                           "unclean.leader.election.enable" };

/* ---- what was read before ---- */

static int by_config_name(const void *name, const void *config)
{
    return strcmp(name, ((const kp_topic_config *)config)->name);
}

const kp_topic_config *kp_topic_configs_get(const kp_topic_configs *c, const char *name,
                                            const uint8_t id[16])
{
    const kp_topic_config *one = c->n ? bsearch(name, c->v, c->n, sizeof *c->v, by_config_name)
                                      : NULL;
    return one && memcmp(one->id, id, 16) == 0 ? one : NULL;
}

void kp_topic_configs_put(kp_topic_configs *c, const kp_topic_config *v, size_t n)
{
    c->turn = !c->turn;
    kp_arena *a = c->a[c->turn];
    kp_arena_reset(a);
    kp_topic_config *copy = KP_NEW_ARRAY(a, n + 1, kp_topic_config);
    for (size_t i = 0; i < n; i++) {
        copy[i] = v[i];
        copy[i].name = kp_strdup(a, v[i].name);
    }
    c->v = copy;
    c->n = n;
}

typedef struct topic_names {
    const kp_metadata_request_topic *v;
    int32_t n;
} topic_names;

/* The topics that `node` is out of sync with in `seen`, in own; n is KP_NULL_LIST (all topics) when
 * there is none, or when all are meant. */
static topic_names topics_behind(kp_arena *own, const kp_view *seen, kp_maybe_id node)
{
    topic_names all = { NULL, KP_NULL_LIST };
    int slot = seen && node.is ? kp_view_slot(seen, node.id) : -1;
    if (slot < 0 || seen->out_of_sync[slot] == 0 || seen->n_bad > 0)
        return all;
    bool *behind = KP_NEW_ARRAY(own, seen->n_topics, bool);
    uint32_t n = 0;
    for (uint32_t i = seen->by_broker_first[slot]; i < seen->by_broker_first[slot + 1]; i++) {
        uint32_t p = seen->by_broker[i];
        if (kp_view_in_sync(seen, p, kp_view_replica_on(seen, p, (uint32_t)slot)))
            continue;
        size_t topic = (size_t)(kp_view_topic_of(seen, p) - seen->topics);
        n += !behind[topic];
        behind[topic] = true;
    }
    if (n == seen->n_topics && seen->whole)
        return all;
    kp_metadata_request_topic *v = KP_NEW_ARRAY(own, n, kp_metadata_request_topic);
    uint32_t k = 0;
    for (uint32_t i = 0; i < seen->n_topics; i++)
        if (behind[i])
            v[k++].name = kp_strdup(own, seen->topics[i].name);
    return (topic_names) { v, (int32_t)n };
}

/* ---- the view ---- */

static kp_view_topic_in topic_in(kp_task *t, const kp_metadata_topic *m, const kp_topic_config *c)
{
    kp_view_partition_in *parts = KP_NEW_ARRAY(t->own, (size_t)m->partitions.n + 1,
                                               kp_view_partition_in);
    for (int32_t i = 0; i < m->partitions.n; i++) {
        const kp_metadata_partition *p = &m->partitions.v[i];
        parts[i] = (kp_view_partition_in) {
            .index = p->partition_index,
            .leader = p->leader_id,
            .leader_epoch = p->leader_epoch,
            .n_replicas = (uint32_t)p->replica_nodes.n,
            .n_isr = (uint32_t)p->isr_nodes.n,
            .replicas = p->replica_nodes.v,
            .isr = p->isr_nodes.v,
            .min_isr = c ? c->min_isr : 0,
            .unclean = c && c->unclean,
            .no_listener = p->error_code == KP_LISTENER_NOT_FOUND,
        };
    }
    kp_view_topic_in in = {
        .name = m->name, .internal = m->is_internal, .n = (uint32_t)m->partitions.n, .parts = parts
    };
    memcpy(in.id, m->topic_id.b, sizeof in.id);
    return in;
}

static int by_index(const void *x, const void *y)
{
    const kp_view_partition_in *a = x, *b = y;
    return (a->index > b->index) - (a->index < b->index);
}

static bool is_live(const kp_metadata_response *m, int id)
{
    for (int32_t i = 0; i < m->brokers.n; i++)
        if (m->brokers.v[i].node_id == id)
            return true;
    return false;
}

static void brokers_in(kp_task *t, const kp_metadata_response *m, kp_view_in *in)
{
    const kp_inventory *inv = t->lv->inv;
    kp_view_broker *v = KP_NEW_ARRAY(t->own, (size_t)m->brokers.n + inv->n_nodes + 1,
                                     kp_view_broker);
    for (int32_t i = 0; i < m->brokers.n; i++) {
        const kp_metadata_broker *b = &m->brokers.v[i];
        v[in->n_brokers++] = (kp_view_broker) { .id = b->node_id,
                                                .alive = true,
                                                .host = b->host,
                                                .port = b->port,
                                                .rack = b->rack ? b->rack : "" };
    }
    for (uint32_t i = 0; i < inv->n_nodes; i++) {
        const kp_node *n = &inv->nodes[i];
        if (kp_node_is(n, KP_BROKER) && !is_live(m, n->id))
            v[in->n_brokers++] = (kp_view_broker) { .id = n->id, .host = "", .rack = n->rack };
    }
    in->brokers = v;
}

static void build(kp_task *t)
{
    const view_ask *ask = t->state;
    const kp_metadata_response *m = ask->m;
    kp_view_topic_in *topics = KP_NEW_ARRAY(t->own, ask->n + 1, kp_view_topic_in);
    for (size_t i = 0; i < ask->n; i++) {
        const kp_metadata_topic *one = ask->topics[i];
        const kp_topic_config *c = ask->configs ? &ask->configs[i]
                                                : kp_topic_configs_get(&t->lv->configs, one->name,
                                                                       one->topic_id.b);
        topics[i] = topic_in(t, one, c);
        qsort((void *)(uintptr_t)topics[i].parts, topics[i].n, sizeof *topics[i].parts, by_index);
    }
    kp_view_in in = {
        .node = kp_listener_node(ask->listener),
        .at = ask->at,
        .whole = ask->whole,
        .cluster_id = m->cluster_id ? m->cluster_id : "",
        .controller = m->controller_id,
        .n_topics = (uint32_t)ask->n,
        .topics = topics,
        .n_bad = ask->n_bad,
        .bad = ask->bad,
    };
    brokers_in(t, m, &in);
    const kp_view *v;
    kp_err *e = kp_view_build(t->a, &in, &v);
    if (e)
        kp_task_fail(
            t, *e->where ? e : kp_err_at(e, "%s", kp_listener_place(t->lv, t->own, ask->listener)));
    else
        kp_task_view(t, ask->listener, v);
}

/* ---- configurations ---- */

static int by_topic_name(const void *name, const void *topic)
{
    return strcmp(name, (*(const kp_metadata_topic *const *)topic)->name);
}

static void take_config(kp_topic_config *c, const kp_describe_configs_result *r)
{
    for (int32_t i = 0; i < r->configs.n; i++) {
        const kp_config_entry *entry = &r->configs.v[i];
        if (!entry->value)
            continue;
        if (kp_streq(entry->name, config_keys[0])) {
            unsigned long n = strtoul(entry->value, NULL, 10);
            c->min_isr = (uint16_t)(n < KP_VIEW_MIN_ISR_CAP ? n : KP_VIEW_MIN_ISR_CAP);
        } else if (kp_streq(entry->name, config_keys[1])) {
            c->unclean = kp_streq(entry->value, "true");
        }
    }
}

static void on_configs(kp_task *t, int listener, kp_err *e, const void *response)
{
    view_ask *ask = t->state;
    const kp_describe_configs_response *r = response;
    (void)listener;
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    for (int32_t i = 0; i < r->results.n; i++) {
        const kp_describe_configs_result *one = &r->results.v[i];
        const kp_metadata_topic **at = bsearch(one->resource_name, ask->topics, ask->n,
                                               sizeof(kp_metadata_topic *), by_topic_name);
        if (at && one->error_code == 0)
            take_config(&ask->configs[at - ask->topics], one);
    }
    if (--ask->batches)
        return;
    kp_topic_configs_put(&t->lv->configs, ask->configs, ask->n);
    build(t);
}

static void read_configs(kp_task *t)
{
    view_ask *ask = t->state;
    ask->configs = KP_NEW_ARRAY(t->own, ask->n + 1, kp_topic_config);
    for (size_t i = 0; i < ask->n; i++) {
        ask->configs[i].name = ask->topics[i]->name;
        memcpy(ask->configs[i].id, ask->topics[i]->topic_id.b, 16);
    }
    for (size_t first = 0; first < ask->n; first += BATCH) {
        size_t n = ask->n - first < BATCH ? ask->n - first : BATCH;
        kp_describe_configs_resource *v = KP_NEW_ARRAY(t->own, n, kp_describe_configs_resource);
        for (size_t i = 0; i < n; i++)
            v[i] = (kp_describe_configs_resource) {
                .resource_type = KP_RESOURCE_TOPIC,
                .resource_name = ask->topics[first + i]->name,
                .configuration_keys = { config_keys, KP_COUNT(config_keys) },
            };
        kp_describe_configs_request *request = KP_NEW(t->own, kp_describe_configs_request);
        request->resources.v = v;
        request->resources.n = (int32_t)n;
        ask->batches++;
        kp_task_call(t, ask->listener, KP_DESCRIBE_CONFIGS, request, on_configs);
    }
}

/* ---- partitions ---- */

static int by_name(const void *x, const void *y)
{
    const kp_metadata_topic *const *a = x, *const *b = y;
    return strcmp((*a)->name, (*b)->name);
}

/* Topics by name, without those that are gone.  Another error of a topic leaves its partitions
 * unknown: a bad topic. */
static void take_topics(kp_task *t, view_ask *ask)
{
    const kp_metadata_response *m = ask->m;
    ask->topics = KP_NEW_ARRAY(t->own, (size_t)m->topics.n + 1, const kp_metadata_topic *);
    ask->bad = KP_NEW_ARRAY(t->own, (size_t)m->topics.n + 1, kp_view_bad_topic);
    for (int32_t i = 0; i < m->topics.n; i++) {
        const kp_metadata_topic *one = &m->topics.v[i];
        bool gone = one->error_code == KP_UNKNOWN_TOPIC ||
                    one->error_code == KP_LEADER_NOT_AVAILABLE;
        if (one->error_code && !gone)
            ask->bad[ask->n_bad++] =
                (kp_view_bad_topic) { .name = one->name ? one->name : "?",
                                      .code = one->error_code,
                                      .error = kp_kafka_code_of(one->error_code).name };
        if (one->error_code == 0 && one->name)
            ask->topics[ask->n++] = one;
    }
    qsort(ask->topics, ask->n, sizeof(kp_metadata_topic *), by_name);
}

static void on_metadata(kp_task *t, int listener, kp_err *e, const void *response)
{
    view_ask *ask = t->state;
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    ask->m = response;
    ask->listener = listener;
    ask->at = kp_wall_now();
    kp_live_learn(t->lv, ask->m->cluster_id, ask->m->controller_id);
    take_topics(t, ask);
    if (t->q.view.with_config && ask->n)
        read_configs(t);
    else
        build(t);
}

void kp_live_ask_view(kp_task *t)
{
    view_ask *ask = KP_NEW(t->own, view_ask);
    topic_names topics = { NULL, KP_NULL_LIST };
    t->state = ask;
    if (!t->q.view.with_config)
        topics = topics_behind(t->own, t->q.view.seen, t->q.view.follow);
    ask->whole = topics.n == KP_NULL_LIST;
    kp_metadata_request *request = KP_NEW(t->own, kp_metadata_request);
    request->topics.v = topics.v;
    request->topics.n = topics.n;
    if (!t->node) {
        size_t n;
        int *listeners = kp_live_listeners(t->lv, t->own, -1, false, &n);
        kp_task_any(t, listeners, n, KP_METADATA, request, on_metadata);
    } else if (kp_node_is(t->node->node, KP_BROKER)) {
        kp_task_call(t, t->q.node, KP_METADATA, request, on_metadata);
    } else {
        kp_task_fail(t, kp_err_new(KP_CLUSTER, "ask a broker",
                                   "controller %d has no view of partitions", t->q.node));
    }
}
