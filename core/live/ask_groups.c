/* Consumer groups: who they are, what they have committed, and how far that is from the ends.
 *
 * A group is listed by its coordinator, so every live broker is asked (ListGroups), and whoever
 * listed it knows its offsets (OffsetFetch, many groups a request from 3.0 on).  Where those
 * partitions end their leaders know (one ListOffsets each; who leads, one Metadata says).  A broker
 * that coordinates nothing answers at once, also before __consumer_offsets exists.
 *
 * One broker that does not answer is one whose groups are missing, and a group that is missing
 * looks like one that does not exist: then there is no answer.
 */
#include "live/inner.h"

#include <stdlib.h>
#include <string.h>

enum {
    GROUPS_AT_ONCE = 200, /* in one OffsetFetch: 100 partitions each are about 1 MB of answer */
    GROUP_AUTHORIZATION_FAILED = 30,
};

typedef struct group {
    const char *id, *state, *type, *protocol;
    const char *problem; /* why its offsets are not told; NULL */
    int listener;        /* its coordinator's */
    const kp_fetched_topic *topics;
    int32_t n_topics;
} group;

/* A partition that some group has committed. */
typedef struct committed {
    const char *topic;
    int32_t partition;
    int leader;  /* -1: none, or it cannot be asked */
    int64_t end; /* -1: not known */
} committed;

typedef struct groups_ask {
    group *v; /* ascending by id once all are listed */
    size_t n, cap;
    size_t left;      /* answers that are still to come */
    committed *parts; /* ascending */
    size_t n_parts;
    int listener; /* who answered last */
} groups_ask;

static kp_err *not_whole(kp_err *because)
{
    kp_err *e = kp_err_new(KP_CLUSTER, "ask again when every broker answers",
                           "the list of consumer groups is not whole");
    return kp_err_retriable(kp_err_because(e, because));
}

/* ---- the groups ---- */

static void add_group(kp_task *t, groups_ask *ask, int listener, const kp_listed_group *g)
{
    if (ask->n == ask->cap) {
        ask->cap = ask->cap ? 2 * ask->cap : 64;
        group *more = KP_NEW_ARRAY(t->own, ask->cap, group);
        if (ask->n)
            memcpy(more, ask->v, ask->n * sizeof *more);
        ask->v = more;
    }
    ask->v[ask->n++] = (group) { .id = g->group_id,
                                 .state = g->group_state,
                                 .type = *g->group_type ? g->group_type : "classic",
                                 .protocol = g->protocol_type,
                                 .listener = listener };
}

static int by_id(const void *x, const void *y)
{
    return strcmp(((const group *)x)->id, ((const group *)y)->id);
}

static group *find_group(const groups_ask *ask, const char *id)
{
    group key = { .id = id };
    return ask->n ? bsearch(&key, ask->v, ask->n, sizeof key, by_id) : NULL;
}

static void fetch_offsets(kp_task *t);

static void all_listed(kp_task *t)
{
    groups_ask *ask = t->state;
    if (ask->n)
        qsort(ask->v, ask->n, sizeof *ask->v, by_id);
    if (t->q.kind == KP_Q_LAG) {
        fetch_offsets(t);
        return;
    }
    kp_builder list = kp_list_begin(t->a);
    for (size_t i = 0; i < ask->n; i++) {
        const group *g = &ask->v[i];
        kp_list_add(&list,
                    kp_map(t->a, "group", kp_text(t->a, g->id), "state", kp_text(t->a, g->state),
                           "type", kp_text(t->a, g->type), "protocol",
                           *g->protocol ? kp_text(t->a, g->protocol) : NULL, "coordinator",
                           kp_int(t->a, kp_listener_node(g->listener)), NULL));
    }
    kp_task_done(t, ask->listener, kp_list_end(&list));
}

static void on_listed(kp_task *t, int listener, kp_err *e, const void *response)
{
    groups_ask *ask = t->state;
    const kp_list_groups_response *r = response;
    if (!e && r->error_code)
        e = kp_answer_err(t, listener, r->error_code, NULL);
    if (e) {
        kp_task_fail(t, not_whole(e));
        return;
    }
    ask->listener = listener;
    for (int32_t i = 0; i < r->groups.n; i++)
        add_group(t, ask, listener, &r->groups.v[i]);
    if (--ask->left == 0)
        all_listed(t);
}

static void on_brokers(kp_task *t, int listener, kp_err *e, const void *response)
{
    static const kp_list_groups_request all = { 0 };
    groups_ask *ask = t->state;
    const kp_metadata_response *m = response;

    for (int32_t i = 0; !e && i < m->brokers.n; i++)
        if (!kp_live_node_of(t->lv, m->brokers.v[i].node_id))
            e = not_whole(kp_err_new(KP_CLUSTER, "-", "broker %d is in no cluster file",
                                     m->brokers.v[i].node_id));
    if (!e && m->brokers.n == 0)
        e = kp_err_new(KP_CLUSTER, "ask again", "node %d knows no broker", listener);
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    ask->left = (size_t)m->brokers.n;
    for (int32_t i = 0; i < m->brokers.n; i++)
        kp_task_call(t, m->brokers.v[i].node_id, KP_LIST_GROUPS, &all, on_listed);
}

void kp_live_ask_groups(kp_task *t)
{
    t->state = KP_NEW(t->own, groups_ask);
    *(groups_ask *)t->state = (groups_ask) { 0 };
    kp_task_call_or_any(t, t->node, KP_METADATA, &kp_no_topics, on_brokers);
}

/* ---- what they have committed ---- */

static bool is_wanted(const kp_task *t, const group *g)
{
    return !t->q.lag.groups || kp_list_has_text(t->q.lag.groups, g->id);
}

/* Share groups keep another kind of offsets. */
static bool has_offsets(group *g)
{
    if (kp_streq(g->type, "share"))
        g->problem = "a share group commits no offsets";
    return !g->problem;
}

static bool takes_many(const kp_task *t, int listener)
{
    const kp_api_versions_response *r = kp_kafka_api_versions(t->lv->k, listener);
    for (int32_t i = 0; r && i < r->api_keys.n; i++)
        if (r->api_keys.v[i].api_key == KP_OFFSET_FETCH)
            return r->api_keys.v[i].max_version >= 8;
    return false;
}

static void find_ends(kp_task *t);

/* Whatever the code says of one group: what is said of it, or an error of the whole question. */
static kp_err *take_group(kp_task *t, int listener, group *g, int code,
                          const kp_fetched_topic *topics, int32_t n)
{
    if (code == GROUP_AUTHORIZATION_FAILED)
        g->problem = "it may not be described (Describe on the group)";
    else if (code)
        return kp_err_at(kp_answer_err(t, listener, code, NULL), "consumer group %s", g->id);
    g->topics = topics;
    g->n_topics = n;
    return NULL;
}

static void on_offsets(kp_task *t, int tag, kp_err *e, const void *response)
{
    groups_ask *ask = t->state;
    const kp_offset_fetch_response *r = response;
    int listener = ask->v[tag].listener;
    if (!e && r->groups.n == 0)
        e = take_group(t, listener, &ask->v[tag], r->error_code, r->topics.v, r->topics.n);
    for (int32_t i = 0; !e && i < r->groups.n; i++) {
        group *g = find_group(ask, r->groups.v[i].group_id);
        if (g)
            e = take_group(t, listener, g, r->groups.v[i].error_code, r->groups.v[i].topics.v,
                           r->groups.v[i].topics.n);
    }
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    if (--ask->left == 0)
        find_ends(t);
}

/* One request for the group at `first` and, where the coordinator takes many, for those behind it
 * that it has as well. */
static void fetch_some(kp_task *t, bool *done, size_t first)
{
    groups_ask *ask = t->state;
    int listener = ask->v[first].listener;
    size_t most = takes_many(t, listener) ? GROUPS_AT_ONCE : 1;
    kp_offset_fetch_group *v = KP_NEW_ARRAY(t->own, most, kp_offset_fetch_group);
    int32_t n = 0;

    for (size_t i = first; i < ask->n && (size_t)n < most; i++)
        if (!done[i] && ask->v[i].listener == listener) {
            done[i] = true;
            v[n++] = (kp_offset_fetch_group) { ask->v[i].id, { NULL, KP_NULL_LIST } };
        }
    kp_offset_fetch_request *request = KP_NEW(t->own, kp_offset_fetch_request);
    *request = (kp_offset_fetch_request) { .group_id = ask->v[first].id,
                                           .topics.n = KP_NULL_LIST,
                                           .groups = { v, n } };
    ask->left++;
    kp_leg *leg = kp_task_leg(t, (int)first, on_offsets);
    leg->kafka = kp_kafka_call(t->lv->k, listener, KP_OFFSET_FETCH, request, t->own, t->deadline,
                               kp_leg_on_kafka, leg);
}

static void fetch_offsets(kp_task *t)
{
    groups_ask *ask = t->state;
    bool *done = KP_NEW_ARRAY(t->own, ask->n + 1, bool);

    ask->left = 0;
    for (size_t i = 0; i < ask->n; i++)
        done[i] = !is_wanted(t, &ask->v[i]) || !has_offsets(&ask->v[i]);
    for (size_t i = 0; i < ask->n; i++)
        if (!done[i])
            fetch_some(t, done, i);
    if (ask->left == 0)
        find_ends(t);
}

/* ---- where the partitions end ---- */

static int by_partition(const void *x, const void *y)
{
    const committed *a = x, *b = y;
    int d = strcmp(a->topic, b->topic);
    return d ? d : (a->partition > b->partition) - (a->partition < b->partition);
}

static committed *find_part(const groups_ask *ask, const char *topic, int32_t partition)
{
    committed key = { .topic = topic, .partition = partition };
    return ask->n_parts ? bsearch(&key, ask->parts, ask->n_parts, sizeof key, by_partition) : NULL;
}

/* Each once, whatever number of groups has committed it. */
static void collect_parts(kp_task *t)
{
    groups_ask *ask = t->state;
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < ask->n; i++)
        for (int32_t k = 0; k < ask->v[i].n_topics; k++)
            n += (size_t)ask->v[i].topics[k].partitions.n;
    ask->parts = KP_NEW_ARRAY(t->own, n + 1, committed);
    n = 0;
    for (size_t i = 0; i < ask->n; i++)
        for (int32_t k = 0; k < ask->v[i].n_topics; k++)
            for (int32_t p = 0; p < ask->v[i].topics[k].partitions.n; p++)
                ask->parts[n++] = (committed) { ask->v[i].topics[k].name,
                                                ask->v[i].topics[k].partitions.v[p].partition_index,
                                                -1, -1 };
    if (n)
        qsort(ask->parts, n, sizeof *ask->parts, by_partition);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || by_partition(&ask->parts[kept - 1], &ask->parts[i]) != 0)
            ask->parts[kept++] = ask->parts[i];
    ask->n_parts = kept;
}

static const kp_value *offsets_of(kp_task *t, const group *g)
{
    groups_ask *ask = t->state;
    kp_builder topics = kp_map_begin(t->a);

    for (int32_t k = 0; k < g->n_topics; k++) {
        const kp_fetched_topic *topic = &g->topics[k];
        kp_builder flat = kp_list_begin(t->a);
        for (int32_t p = 0; p < topic->partitions.n; p++) {
            const kp_fetched_partition *one = &topic->partitions.v[p];
            const committed *c = find_part(ask, topic->name, one->partition_index);
            kp_list_add(&flat, kp_int(t->a, one->partition_index));
            kp_list_add(&flat, kp_int(t->a, one->error_code ? -1 : one->committed_offset));
            kp_list_add(&flat, kp_int(t->a, c ? c->end : -1));
        }
        kp_map_add(&topics, topic->name, kp_list_end(&flat));
    }
    return kp_map_end(&topics);
}

static void tell(kp_task *t)
{
    groups_ask *ask = t->state;
    kp_builder all = kp_map_begin(t->a);

    for (size_t i = 0; i < ask->n; i++) {
        const group *g = &ask->v[i];
        if (is_wanted(t, g))
            kp_map_add(&all, g->id,
                       kp_map(t->a, "state", kp_text(t->a, g->state), "type",
                              kp_text(t->a, g->type), "protocol",
                              *g->protocol ? kp_text(t->a, g->protocol) : NULL, "problem",
                              g->problem ? kp_text(t->a, g->problem) : NULL, "topics",
                              offsets_of(t, g), NULL));
    }
    kp_task_done(t, ask->listener, kp_map_end(&all));
}

static void on_ends(kp_task *t, int listener, kp_err *e, const void *response)
{
    groups_ask *ask = t->state;
    const kp_list_offsets_response *r = response;

    for (int32_t i = 0; !e && i < r->topics.n; i++)
        for (int32_t k = 0; !e && k < r->topics.v[i].partitions.n; k++) {
            const kp_listed_partition *p = &r->topics.v[i].partitions.v[k];
            committed *c = find_part(ask, r->topics.v[i].name, p->partition_index);
            if (p->error_code && p->error_code != KP_UNKNOWN_TOPIC)
                e = kp_err_at(kp_answer_err(t, listener, p->error_code, NULL), "%s-%d",
                              r->topics.v[i].name, p->partition_index);
            else if (c && !p->error_code)
                c->end = p->offset;
        }
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    if (--ask->left == 0)
        tell(t);
}

/* What this leader is asked for: its partitions, by topic. */
static const kp_list_offsets_request *ends_of(kp_task *t, int leader)
{
    groups_ask *ask = t->state;
    size_t n = 0;
    for (size_t i = 0; i < ask->n_parts; i++)
        n += ask->parts[i].leader == leader;
    kp_list_offsets_partition *parts = KP_NEW_ARRAY(t->own, n + 1, kp_list_offsets_partition);
    kp_list_offsets_topic *topics = KP_NEW_ARRAY(t->own, n + 1, kp_list_offsets_topic);
    int32_t at = 0, n_topics = 0;
    for (size_t i = 0; i < ask->n_parts; i++) {
        const committed *c = &ask->parts[i];
        if (c->leader != leader)
            continue;
        if (n_topics == 0 || strcmp(topics[n_topics - 1].name, c->topic) != 0)
            topics[n_topics++] = (kp_list_offsets_topic) { c->topic, { &parts[at], 0 } };
        parts[at++] = (kp_list_offsets_partition) { c->partition, -1, KP_OFFSET_LATEST };
        topics[n_topics - 1].partitions.n++;
    }
    kp_list_offsets_request *request = KP_NEW(t->own, kp_list_offsets_request);
    *request = (kp_list_offsets_request) { KP_REPLICA_NONE, 0, { topics, n_topics } };
    return request;
}

static void on_leaders(kp_task *t, int listener, kp_err *e, const void *response)
{
    groups_ask *ask = t->state;
    const kp_metadata_response *m = response;

    (void)listener;
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    for (int32_t i = 0; i < m->topics.n; i++)
        for (int32_t k = 0; k < m->topics.v[i].partitions.n; k++) {
            const kp_metadata_partition *p = &m->topics.v[i].partitions.v[k];
            committed *c = find_part(ask, m->topics.v[i].name, p->partition_index);
            if (c && kp_live_node_of(t->lv, p->leader_id))
                c->leader = p->leader_id;
        }
    ask->left = 0;
    for (uint32_t i = 0; i < t->lv->inv->n_nodes; i++) {
        int id = t->lv->inv->nodes[i].id;
        const kp_list_offsets_request *request = ends_of(t, id);
        if (request->topics.n == 0)
            continue;
        ask->left++;
        kp_task_call(t, id, KP_LIST_OFFSETS, request, on_ends);
    }
    if (ask->left == 0)
        tell(t);
}

static void find_ends(kp_task *t)
{
    groups_ask *ask = t->state;
    int32_t n = 0;

    collect_parts(t);
    if (ask->n_parts == 0) {
        tell(t);
        return;
    }
    kp_metadata_request_topic *topics = KP_NEW_ARRAY(t->own, ask->n_parts,
                                                     kp_metadata_request_topic);
    for (size_t i = 0; i < ask->n_parts; i++)
        if (n == 0 || strcmp(topics[n - 1].name, ask->parts[i].topic) != 0)
            topics[n++].name = ask->parts[i].topic;
    kp_metadata_request *request = KP_NEW(t->own, kp_metadata_request);
    *request = (kp_metadata_request) { .topics = { topics, n } };
    kp_task_call_or_any(t, t->node, KP_METADATA, request, on_leaders);
}

void kp_live_ask_lag(kp_task *t)
{
    if (t->q.lag.groups && kp_len(t->q.lag.groups) == 0) {
        kp_task_done(t, KP_ANY_NODE, kp_map(t->a, NULL));
        return;
    }
    kp_live_ask_groups(t);
}
