/* act_cluster.c: the actions on the cluster: leader elections, dynamic configurations,
 * registrations.
 *
 * What they answer is that the request was taken, or why not; what became of it is seen by looking
 * again.
 */
#include "live/inner.h"

#include <stdlib.h>
#include <string.h>

/* What was answered is certain, unless it may pass or the node did not know itself. */
static kp_err *said(kp_task *t, int listener, int code, const char *message)
{
    kp_err *e = kp_answer_err(t, listener, code, message);
    kp_kafka_code c = kp_kafka_code_of(code);
    bool known = code > 0 && !kp_streq(c.name, "UNKNOWN");
    return known && !c.retriable ? kp_err_certain(e) : e;
}

/* ---- elections (ElectLeaders, KIP-460) ---- */

typedef struct place {
    const char *topic;
    int32_t partition;
} place;

static int by_topic(const void *x, const void *y)
{
    const place *a = x, *b = y;
    int d = strcmp(a->topic, b->topic);
    return d ? d : (a->partition > b->partition) - (a->partition < b->partition);
}

/* {topic, partition}, ... as the wire has it: partitions by topic. */
static kp_err *elect_topics(kp_task *t, kp_elect_leaders_request *request)
{
    size_t n = kp_len(t->q.elect.partitions);
    place *places = KP_NEW_ARRAY(t->own, n + 1, place);
    for (size_t i = 0; i < n; i++) {
        const kp_value *one = kp_at(t->q.elect.partitions, i);
        int64_t partition = kp_get_int(one, "partition", -1);
        places[i].topic = kp_get_text(one, "topic", NULL);
        if (!places[i].topic || partition < 0 || partition > INT32_MAX)
            return kp_err_new(KP_PLAYBOOK, "write { topic = \"orders\", partition = 0 }",
                              "item %zu of the partitions names no partition", i + 1);
        places[i].partition = (int32_t)partition;
    }
    qsort(places, n, sizeof *places, by_topic);
    kp_elect_topic *topics = KP_NEW_ARRAY(t->own, n + 1, kp_elect_topic);
    int32_t *partitions = KP_NEW_ARRAY(t->own, n + 1, int32_t), n_topics = 0;
    for (size_t i = 0; i < n; i++) {
        partitions[i] = places[i].partition;
        if (i == 0 || strcmp(places[i].topic, places[i - 1].topic) != 0)
            topics[n_topics++] = (kp_elect_topic) { places[i].topic, { partitions + i, 0 } };
        topics[n_topics - 1].partitions.n++;
    }
    request->topic_partitions.v = topics;
    request->topic_partitions.n = n_topics;
    return NULL;
}

static int elect_code(const void *response)
{
    const kp_elect_leaders_response *r = response;
    if (r->error_code)
        return r->error_code;
    /* v0 has no code of its own: a broker that is not the controller says so of each partition. */
    for (int32_t i = 0; i < r->replica_election_results.n; i++) {
        const kp_elect_result *one = &r->replica_election_results.v[i];
        if (one->partition_result.n > 0)
            return one->partition_result.v[0].error_code == KP_NOT_CONTROLLER ? KP_NOT_CONTROLLER
                                                                              : 0;
    }
    return 0;
}

static void on_elected(kp_task *t, int listener, kp_err *e, const void *response)
{
    if (!e && elect_code(response))
        e = said(t, listener, elect_code(response), NULL);
    if (e)
        kp_task_fail(t, e);
    else
        kp_task_done(t, listener, NULL);
}

void kp_live_act_elect(kp_task *t)
{
    kp_elect_leaders_request *request = KP_NEW(t->own, kp_elect_leaders_request);
    request->election_type = KP_ELECTION_PREFERRED;
    request->timeout_ms = kp_task_time_left(t);
    request->topic_partitions.n = KP_NULL_LIST;
    kp_err *e = t->q.elect.partitions ? elect_topics(t, request) : NULL;
    if (e)
        kp_task_fail(t, kp_err_certain(e));
    else
        kp_task_controller_call(t, KP_ELECT_LEADERS, request, elect_code, on_elected);
}

/* ---- configurations (IncrementalAlterConfigs, KIP-339) ---- */

static void on_altered(kp_task *t, int listener, kp_err *e, const void *response)
{
    const kp_incremental_alter_configs_response *r = response;
    for (int32_t i = 0; !e && i < r->responses.n; i++)
        if (r->responses.v[i].error_code)
            e = said(t, listener, r->responses.v[i].error_code, r->responses.v[i].error_message);
    if (e)
        kp_task_fail(t, e);
    else
        kp_task_done(t, listener, NULL);
}

static kp_err *edits_of(kp_task *t, kp_alter_configs_resource *to)
{
    size_t n = kp_len(t->q.alter.edits);
    kp_alterable_config *v = KP_NEW_ARRAY(t->own, n + 1, kp_alterable_config);
    for (size_t i = 0; i < n; i++) {
        const kp_value *edit = t->q.alter.edits->u.items[i];
        bool text = kp_is(edit, KP_BYTES), drop = kp_is(edit, KP_BOOL) && !edit->u.b;
        if (!text && !drop)
            return kp_err_new(KP_PLAYBOOK, "write the value as text; false deletes",
                              "the value of %s is neither text nor false",
                              t->q.alter.edits->keys[i]);
        v[i] = (kp_alterable_config) { .name = t->q.alter.edits->keys[i],
                                       .config_operation = text ? KP_ALTER_SET : KP_ALTER_DELETE,
                                       .value = text ? edit->u.s : NULL };
    }
    to->configs.v = v;
    to->configs.n = (int32_t)n;
    return NULL;
}

void kp_live_act_config(kp_task *t)
{
    kp_config_target to;
    kp_alter_configs_resource *one = KP_NEW(t->own, kp_alter_configs_resource);
    kp_err *e = kp_config_target_of(t, t->q.alter.resource, t->q.alter.name, &to);
    if (!e && to.type == KP_RESOURCE_TOPIC && !*to.name)
        e = kp_err_new(KP_INTERNAL, "this is a fault of kplay: please report it",
                       "the configuration of no topic is meant");
    if (!e)
        e = edits_of(t, one);
    if (e) {
        kp_task_fail(t, kp_err_certain(e));
        return;
    }
    one->resource_type = to.type;
    one->resource_name = to.name;
    kp_incremental_alter_configs_request *request = KP_NEW(t->own,
                                                           kp_incremental_alter_configs_request);
    request->resources.v = one;
    request->resources.n = 1;
    kp_task_call_or_any(t, to.node, KP_INCREMENTAL_ALTER_CONFIGS, request, on_altered);
}

/* ---- registrations (UnregisterBroker, KIP-631; a broker passes it on to the controller) ---- */

static void on_unregistered(kp_task *t, int listener, kp_err *e, const void *response)
{
    const kp_unregister_broker_response *r = response;
    if (!e && r->error_code)
        e = said(t, listener, r->error_code, r->error_message);
    if (e)
        kp_task_fail(t, e);
    else
        kp_task_done(t, listener, NULL);
}

void kp_live_act_unregister(kp_task *t)
{
    kp_unregister_broker_request *request = KP_NEW(t->own, kp_unregister_broker_request);
    request->broker_id = t->q.unregister.broker;
    kp_task_call_or_any(t, t->node, KP_UNREGISTER_BROKER, request, on_unregistered);
}
