/* ask_config.c: DescribeConfigs of brokers and topics.
 *
 * A broker's configuration is read from, and changed at, that very broker ("Unexpected broker id");
 * the name "" is the default of all brokers and any of them knows it.  Topics are asked of any
 * broker.  The value is the effective one; `source` is Kafka's number for where it comes from
 * (ConfigEntry.ConfigSource: 1 topic, 2 broker, 3 default of all brokers, 4 server.properties, 5
 * the release's own default); `default` is what that release does when nothing is set (the synonym
 * with source 5), so that the default of inter.broker.protocol.version shows the binary.
 */
#include "live/inner.h"

#include <stdlib.h>

enum { BATCH = 500 }; /* topics in one request */

static const char report[] = "this is a fault of kplay: please report it";

typedef struct config_ask {
    int8_t type;
    kp_strings keys;
    bool named; /* an unknown name is an error, not a topic deleted meanwhile */
    size_t batches;
    kp_builder result;
} config_ask;

/* A list of text as the wire takes it; NULL is null. */
static kp_strings strings(kp_arena *a, const kp_value *list)
{
    if (!list)
        return (kp_strings) { NULL, KP_NULL_LIST };
    const char **v = KP_NEW_ARRAY(a, kp_len(list) + 1, const char *);
    for (size_t i = 0; i < kp_len(list); i++)
        v[i] = kp_as_text(kp_at(list, i), "");
    return (kp_strings) { v, (int32_t)kp_len(list) };
}

static const kp_value *entry_value(kp_arena *a, const kp_config_entry *e)
{
    const char *fallback = e->config_source == KP_SOURCE_DEFAULT ? e->value : NULL;
    for (int32_t i = 0; i < e->synonyms.n; i++)
        if (e->synonyms.v[i].source == KP_SOURCE_DEFAULT)
            fallback = e->synonyms.v[i].value;
    return kp_map(a, "value", kp_text(a, e->value), "source", kp_int(a, e->config_source),
                  "default", kp_text(a, fallback), NULL);
}

static kp_err *take_results(kp_task *t, int listener, const kp_describe_configs_response *r)
{
    config_ask *ask = t->state;
    for (int32_t i = 0; i < r->results.n; i++) {
        const kp_describe_configs_result *one = &r->results.v[i];
        if (one->error_code == KP_UNKNOWN_TOPIC && !ask->named)
            continue;
        if (one->error_code) {
            const char *why = one->error_message && *one->error_message
                                  ? one->error_message
                                  : kp_kafka_code_of(one->error_code).text;
            return kp_answer_err(
                t, listener, one->error_code,
                kp_printf(t->own, "%s %s: %s", t->q.config.resource, one->resource_name, why));
        }
        kp_builder entries = kp_map_begin(t->a);
        for (int32_t k = 0; k < one->configs.n; k++)
            kp_map_add(&entries, one->configs.v[k].name, entry_value(t->a, &one->configs.v[k]));
        kp_map_add(&ask->result, one->resource_name, kp_map_end(&entries));
    }
    return NULL;
}

static void on_configs(kp_task *t, int listener, kp_err *e, const void *response)
{
    config_ask *ask = t->state;
    if (!e)
        e = take_results(t, listener, response);
    if (e)
        kp_task_fail(t, e);
    else if (--ask->batches == 0)
        kp_task_done(t, listener, kp_map_end(&ask->result));
}

static const kp_describe_configs_request *request_of(kp_task *t, const char *const *names, size_t n)
{
    const config_ask *ask = t->state;
    kp_describe_configs_request *request = KP_NEW(t->own, kp_describe_configs_request);
    kp_describe_configs_resource *v = KP_NEW_ARRAY(t->own, n + 1, kp_describe_configs_resource);
    for (size_t i = 0; i < n; i++)
        v[i] = (kp_describe_configs_resource) { .resource_type = ask->type,
                                                .resource_name = names[i],
                                                .configuration_keys = ask->keys };
    request->resources.v = v;
    request->resources.n = (int32_t)n;
    request->include_synonyms = true;
    return request;
}

/* All topics, of the broker that told their names. */
static void on_topics(kp_task *t, int listener, kp_err *e, const void *response)
{
    config_ask *ask = t->state;
    const kp_metadata_response *m = response;
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    const char **names = KP_NEW_ARRAY(t->own, (size_t)m->topics.n + 1, const char *);
    size_t n = 0;
    for (int32_t i = 0; i < m->topics.n; i++)
        if (m->topics.v[i].error_code == 0 && m->topics.v[i].name)
            names[n++] = m->topics.v[i].name;
    if (n == 0) {
        kp_task_done(t, listener, kp_map_end(&ask->result));
        return;
    }
    ask->batches = (n + BATCH - 1) / BATCH;
    for (size_t first = 0; first < n; first += BATCH) {
        size_t some = n - first < BATCH ? n - first : BATCH;
        kp_task_call(t, listener, KP_DESCRIBE_CONFIGS, request_of(t, names + first, some),
                     on_configs);
    }
}

/* Which broker's: by name, else the node asked. */
static kp_err *broker_of(kp_task *t, const char *name, kp_config_target *to)
{
    const kp_live_node *n = t->node;
    if (name && !*name) {
        to->name = "";
        to->node = NULL;
        return NULL;
    }
    if (name) {
        char *end;
        long id = strtol(name, &end, 10);
        n = *end || id < 0 || id > INT32_MAX ? NULL : kp_live_node_of(t->lv, (int)id);
    }
    if (!n)
        return kp_err_new(KP_CONFIG, "give the id of a broker of the cluster file",
                          "the configuration of no known broker is meant");
    to->name = kp_printf(t->own, "%d", n->node->id);
    to->node = n;
    return NULL;
}

kp_err *kp_config_target_of(kp_task *t, const char *resource, const char *name,
                            kp_config_target *ret_to)
{
    bool broker = kp_streq(resource, "broker");
    *ret_to =
        (kp_config_target) { .type = KP_RESOURCE_TOPIC, .name = name ? name : "", .node = t->node };
    if (!broker && !kp_streq(resource, "topic"))
        return kp_err_new(KP_INTERNAL, report, "nobody has configurations of a %s", resource);
    if (!broker)
        return NULL;
    ret_to->type = KP_RESOURCE_BROKER;
    return broker_of(t, name, ret_to);
}

/* As many as fit one request. */
static kp_err *named_target(kp_task *t, kp_config_target *ret_to)
{
    const char *resource = t->q.config.resource;
    size_t n = kp_len(t->q.config.names);
    if (n > (kp_streq(resource, "broker") ? 1 : BATCH))
        return kp_err_new(KP_INTERNAL, report, "%zu configurations at once", n);
    return kp_config_target_of(t, resource, kp_as_text(kp_at(t->q.config.names, 0), NULL), ret_to);
}

void kp_live_ask_config(kp_task *t)
{
    config_ask *ask = KP_NEW(t->own, config_ask);
    kp_config_target to;
    kp_err *e = named_target(t, &to);
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    *ask = (config_ask) { .type = to.type,
                          .keys = strings(t->own, t->q.config.keys),
                          .named = true,
                          .batches = 1,
                          .result = kp_map_begin(t->a) };
    t->state = ask;
    if (to.type == KP_RESOURCE_TOPIC && !t->q.config.names) {
        kp_metadata_request *topics = KP_NEW(t->own, kp_metadata_request);
        topics->topics.n = KP_NULL_LIST;
        ask->named = false;
        kp_task_call_or_any(t, to.node, KP_METADATA, topics, on_topics);
        return;
    }
    kp_strings names = to.type == KP_RESOURCE_TOPIC
                           ? strings(t->own, t->q.config.names)
                           : (kp_strings) { kp_memdup(t->own, &to.name, sizeof to.name), 1 };
    kp_task_call_or_any(t, to.node, KP_DESCRIBE_CONFIGS, request_of(t, names.v, (size_t)names.n),
                        on_configs);
}
