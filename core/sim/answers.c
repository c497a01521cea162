/* Questions: what nodes and hosts say, in the shapes of world.h.
 *
 * A question is answered from the truth at the moment of its answer, with three exceptions that
 * real clusters have too: a broker that has just started answers from an empty metadata cache, a
 * node with stale metadata from the past, and in ZooKeeper mode each broker names the controller it
 * knows.
 */
#include "sim/oracle.h"

#include "cluster/server_config.h"

#include <stdio.h>
#include <string.h>

#define RECORD_BYTES 1000.0 /* of a record, where bytes are told as offsets */

/* DescribeConfigs, ConfigSource */
enum {
    SOURCE_TOPIC = 1,
    SOURCE_BROKER = 2,
    SOURCE_ALL_BROKERS = 3,
    SOURCE_FILE = 4,
    SOURCE_DEFAULT = 5
};

/* ---- the view ---- */

const kp_view *kp_sim_view(kp_sim *sim, kp_arena *a, int32_t node)
{
    const kp_sim_header *h = sim->h;
    const kp_sim_node *n = &sim->node[node];
    const kp_sim_frozen *f = sim->frozen[node];
    kp_view *v = KP_NEW(a, kp_view);

    *v = (kp_view) {
        .node = n->id,
        .at = kp_sim_utc(sim, h->now),
        .whole = true,
        .cluster_id = h->cluster_id,
        .controller = n->controller_seen,
        .digest = h->digest,
        .n_brokers = h->n_brokers,
        .brokers = sim->view_broker,
        .n_topics = h->n_topics,
        .topics = sim->view_topic,
        .n_parts = h->n_parts,
        .first_rep = sim->first_rep,
        .rep = sim->rep,
        .isr = sim->isr,
        .leader = sim->leader,
        .min_isr = sim->min_isr,
        .flags = sim->flags,
        .leader_epoch = sim->epoch,
        .by_broker_first = sim->by_first,
        .by_broker = sim->by_broker,
        .out_of_sync = sim->out,
        .leads = sim->leads,
        .counts = h->counts,
    };
    if (f) {
        v->isr = f->isr;
        v->leader = f->leader;
        v->leader_epoch = f->epoch;
        v->out_of_sync = f->out;
        v->leads = f->leads;
        v->brokers = f->brokers;
        v->counts = f->counts;
        v->digest = f->digest;
        v->controller = f->controller;
    } else if (h->now < n->cache_until) {
        v->n_topics = v->n_parts = 0;
        v->first_rep = v->by_broker_first = v->out_of_sync = v->leads = sim->zeros;
        v->counts = (kp_view_counts) { 0 };
        v->digest = 0;
    }
    if (h->mode !=
        KP_SIM_ZOOKEEPER) { /* an arbitrary live broker: KRaftMetadataCache.getControllerId */
        uint32_t from = (uint32_t)(kp_sim_mix((uint64_t)h->now) % h->n_brokers);
        v->controller = -1;
        for (uint32_t i = 0; i < h->n_brokers && v->controller < 0; i++) {
            const kp_view_broker *b = &v->brokers[(from + i) % h->n_brokers];
            v->controller = b->alive ? b->id : -1;
        }
    }
    return v;
}

/* ---- a node of itself ---- */

static const char *mode_of(const kp_sim *sim, const kp_sim_node *n)
{
    if (sim->h->mode == KP_SIM_ZOOKEEPER)
        return "zookeeper";
    return kp_sim_is_broker(n) ? "kraft" : "controller";
}

static const kp_value *answer_node(kp_sim *sim, kp_arena *a, int32_t node)
{
    const kp_sim_node *n = &sim->node[node];
    const kp_sim_release_facts *f = kp_sim_facts_at(sim, n->running);
    bool kraft = sim->h->mode != KP_SIM_ZOOKEEPER;
    int controller = n->controller_seen;

    if (kraft && kp_sim_is_broker(n))
        controller = kp_sim_view(sim, a, node)->controller;
    else if (kraft)
        controller = sim->h->leader == KP_SIM_NO_NODE ? -1 : sim->node[sim->h->leader].id;
    kp_builder features = kp_map_begin(a);
    kp_builder supported = kp_map_begin(a);
    if (kraft) {
        kp_map_add(&features, "metadata.version", kp_int(a, sim->h->metadata_version));
        kp_map_add(
            &supported, "metadata.version",
            kp_map(a, "min", kp_int(a, f->metadata_min), "max", kp_int(a, f->metadata_max), NULL));
    }
    return kp_map(a, "release", kp_textf(a, "%d.%d", f->major, f->minor), "mode",
                  kp_text(a, mode_of(sim, n)), "metadata_version",
                  kraft ? kp_int(a, sim->h->metadata_version) : NULL, "metadata_version_min",
                  kraft ? kp_int(a, f->metadata_min) : NULL, "metadata_version_max",
                  kraft ? kp_int(a, f->metadata_max) : NULL, "features", kp_map_end(&features),
                  "supported", kp_map_end(&supported), "zk_migration_ready", kp_bool(false),
                  "cluster_id", kp_text(a, sim->h->cluster_id), "controller",
                  controller >= 0 ? kp_int(a, controller) : NULL, NULL);
}

static const kp_value *answer_quorum(const kp_sim *sim, kp_arena *a)
{
    const kp_sim_header *h = sim->h;
    int64_t end = kp_sim_log_end(sim);
    kp_builder voters = kp_list_begin(a), observers = kp_list_begin(a);

    for (uint32_t i = 0; i < h->n_nodes; i++) {
        const kp_sim_node *n = &sim->node[i];
        if (!kp_sim_is_voter(n)) {
            if (n->phase == KP_SIM_RUNNING)
                kp_list_add(&observers, kp_int(a, n->id));
            continue;
        }
        /* followers fetch every half second; one that was never there since this leader began is
         * unknown to it */
        kp_us ago = (int32_t)i == h->leader ? 0
                                            : (kp_us)(kp_sim_mix((uint64_t)h->now + i) % 400000);
        int64_t at = end, caught = ago / KP_SIM_MS, fetched = caught;
        if (n->voter == 0) {
            at = n->voter_offset;
            caught = fetched = n->voter_since < h->leader_since
                                   ? -1
                                   : (h->now - n->voter_since) / KP_SIM_MS;
        } else if (n->voter == 1) {
            at = n->voter_offset;
            caught = -1;
        }
        kp_list_add(&voters, kp_map(a, "id", kp_int(a, n->id), "end_offset", kp_int(a, at),
                                    "behind", kp_int(a, end - at), "caught_up_ms",
                                    kp_int(a, caught), "fetched_ms", kp_int(a, fetched), NULL));
    }
    return kp_map(a, "leader",
                  kp_int(a, h->leader == KP_SIM_NO_NODE ? -1 : sim->node[h->leader].id), "epoch",
                  kp_int(a, h->leader_epoch), "high_watermark", kp_int(a, end), "voters",
                  kp_list_end(&voters), "observers", kp_list_end(&observers), NULL);
}

/* ---- configurations ---- */

static const kp_value *config_entry(kp_arena *a, const char *value, int source,
                                    const char *otherwise)
{
    return kp_map(a, "value", kp_text(a, value), "source", kp_int(a, source), "default",
                  kp_text(a, otherwise), NULL);
}

static bool wanted(const kp_value *keys, const char *key)
{
    if (!keys)
        return true;
    for (size_t i = 0; i < kp_len(keys); i++)
        if (kp_streq(kp_as_text(kp_at(keys, i), ""), key))
            return true;
    return false;
}

static void add_dynamic(const kp_sim *sim, kp_arena *a, kp_builder *b, const kp_value *keys,
                        uint8_t kind, int32_t target, int source)
{
    for (uint32_t i = 0; i < KP_SIM_CONFIGS; i++) {
        const kp_sim_config *c = &sim->config[i];
        if (c->used == kind && c->target == target && wanted(keys, c->key))
            kp_map_add(b, c->key, config_entry(a, c->value, source, NULL));
    }
}

static const kp_value *broker_config(kp_sim *sim, kp_arena *a, const kp_sim_node *n,
                                     const kp_value *keys)
{
    static const struct {
        const char *key, *value;
    } defaults[] = {
        { "auto.leader.rebalance.enable", "true" },
        { "controlled.shutdown.enable", "true" },
        { "min.insync.replicas", "1" },
        { "unclean.leader.election.enable", "false" },
    };
    static const char ibp[] = "inter.broker.protocol.version";
    const kp_sim_release_facts *f = kp_sim_facts_at(sim, n->running);
    const kp_sim_text *t = kp_sim_text_read(n);
    const kp_server_config *c = kp_server_config_read(
        a, &(kp_config_source) { .text = sim->pool + t->off, .n = t->n });
    const kp_value *file = c->values;
    kp_builder b = kp_map_begin(a);

    for (size_t i = 0; i < KP_COUNT(defaults); i++) {
        const char *value = defaults[i].value;
        bool told = i == 0 && !sim->h->auto_rebalance;
        if (wanted(keys, defaults[i].key))
            kp_map_add(&b, defaults[i].key,
                       config_entry(a, told ? "false" : value, told ? SOURCE_FILE : SOURCE_DEFAULT,
                                    value));
    }
    for (uint32_t i = 0; i < kp_len(file); i++)
        if (wanted(keys, file->keys[i]) && strcmp(file->keys[i], ibp) != 0) {
            bool secret = kp_config_key_is_secret(file->keys[i]); /* DescribeConfigs hides them */
            const char *value = secret ? NULL : kp_server_config_text(a, c, file->keys[i]);
            kp_map_add(&b, file->keys[i], config_entry(a, value, SOURCE_FILE, NULL));
        }
    if (f->zookeeper && wanted(keys, ibp)) {
        /* What the process speaks, as the file that it read spells it. */
        const char *spelt = c->ibp,
                   *newest = kp_sim_ibp_name(a, kp_sim_ibp_newest(f));
        const char *value = n->ibp_pinned && spelt && kp_sim_ibp_level(spelt) == n->ibp
                                ? spelt
                                : kp_sim_ibp_name(a, n->ibp);
        kp_map_add(&b, ibp,
                   config_entry(a, value, n->ibp_pinned ? SOURCE_FILE : SOURCE_DEFAULT, newest));
    }
    add_dynamic(sim, a, &b, keys, 'b', -1, SOURCE_ALL_BROKERS);
    add_dynamic(sim, a, &b, keys, 'b', n->id, SOURCE_BROKER);
    return kp_map_end(&b);
}

static const kp_value *topic_config(const kp_sim *sim, kp_arena *a, uint32_t topic,
                                    const kp_value *keys)
{
    const kp_sim_topic *t = &sim->topic[topic];
    kp_builder b = kp_map_begin(a);

    if (wanted(keys, "min.insync.replicas") && t->n > 0) {
        int min = sim->min_isr[t->first];
        kp_map_add(&b, "min.insync.replicas",
                   config_entry(a, kp_printf(a, "%d", min),
                                min == 1 ? SOURCE_DEFAULT : SOURCE_TOPIC, "1"));
    }
    if (wanted(keys, "unclean.leader.election.enable") && t->n > 0) {
        bool unclean = (sim->flags[t->first] & KP_PART_UNCLEAN) != 0;
        kp_map_add(&b, "unclean.leader.election.enable",
                   config_entry(a, unclean ? "true" : "false",
                                unclean ? SOURCE_TOPIC : SOURCE_DEFAULT, "false"));
    }
    add_dynamic(sim, a, &b, keys, 't', (int32_t)topic, SOURCE_TOPIC);
    return kp_map_end(&b);
}

static kp_err *answer_config(kp_sim *sim, const kp_sim_call *c, int32_t node,
                             const kp_value **ret_v)
{
    kp_arena *a = c->a;
    kp_builder b = kp_map_begin(a);

    if (kp_streq(c->q.config.resource, "broker")) {
        const kp_sim_node *n = &sim->node[node];
        if (!kp_sim_is_broker(n))
            return kp_err_new(KP_CONFIG, "give the id of a broker", "node %d is no broker", n->id);
        kp_map_add(&b, kp_printf(a, "%d", n->id), broker_config(sim, a, n, c->q.config.keys));
    } else if (c->q.config.names) {
        for (size_t i = 0; i < kp_len(c->q.config.names); i++) {
            const char *name = kp_as_text(kp_at(c->q.config.names, i), "");
            int32_t topic = kp_sim_topic_named(sim, name);
            if (topic < 0)
                return kp_err_new(KP_CLUSTER, "check the topic's name", "there is no topic %s",
                                  name);
            kp_map_add(&b, name, topic_config(sim, a, (uint32_t)topic, c->q.config.keys));
        }
    } else {
        for (uint32_t i = 0; i < sim->h->n_topics; i++)
            kp_map_add(&b, kp_sim_string(sim, sim->topic[i].name),
                       topic_config(sim, a, i, c->q.config.keys));
    }
    *ret_v = kp_map_end(&b);
    return NULL;
}

/* ---- the cluster ---- */

int64_t kp_sim_free(const kp_sim_node *node)
{
    return node->troubles & KP_SIM_FULL ? KP_SIM_DISK_BYTES / 100
                                        : KP_SIM_DISK_BYTES - (int64_t)node->boot_bytes;
}

/* Brokers tell of the disk from 3.3 on (DescribeLogDirs v4, KIP-827). */
static const kp_value *answer_log_dirs(const kp_sim *sim, kp_arena *a, int32_t node)
{
    const kp_sim_node *n = &sim->node[node];
    const kp_sim_release_facts *r = kp_sim_facts_at(sim, n->running);
    bool tells = r->major > 3 || (r->major == 3 && r->minor >= 3);
    const char *path = kp_sim_string(sim, n->log_dir);
    uint32_t out = sim->out[n->slot];
    kp_builder b = kp_list_begin(a);

    kp_list_add(&b, kp_map(a, "path", kp_text(a, path), "total",
                           kp_int(a, tells ? KP_SIM_DISK_BYTES : -1), "usable",
                           kp_int(a, tells ? kp_sim_free(n) : -1), "size",
                           kp_int(a, (int64_t)n->boot_bytes), "replicas",
                           kp_int(a, sim->by_first[n->slot + 1] - sim->by_first[n->slot]), "behind",
                           kp_int(a, (int64_t)(kp_sim_bytes_behind(sim, node) / RECORD_BYTES)),
                           "catching_up", kp_int(a, out), NULL));
    if (n->troubles & KP_SIM_DEAD_DIR)
        kp_list_add(&b, kp_map(a, "path", kp_textf(a, "%s-2", path), "error",
                               kp_text(a, "KAFKA_STORAGE_ERROR"), "total", kp_int(a, -1), "usable",
                               kp_int(a, -1), "size", kp_int(a, 0), "replicas", kp_int(a, 0),
                               "behind", kp_int(a, 0), "catching_up", kp_int(a, 0), NULL));
    return kp_list_end(&b);
}

/* The replicas of p that have their bit; all of them without bits. */
static const kp_value *ids_of(const kp_sim *sim, kp_arena *a, uint32_t p, const uint64_t *bits)
{
    kp_builder b = kp_list_begin(a);

    for (uint32_t i = sim->first_rep[p]; i < sim->first_rep[p + 1]; i++)
        if (!bits || kp_sim_bit(bits, i))
            kp_list_add(&b, kp_int(a, sim->node[sim->broker[sim->rep[i]]].id));
    return kp_list_end(&b);
}

static const kp_value *answer_reassignments(const kp_sim *sim, kp_arena *a)
{
    kp_builder b = kp_list_begin(a);

    for (uint32_t i = 0; i < sim->h->n_moves; i++) {
        const kp_sim_move *m = &sim->move[i];
        const kp_sim_topic *t = &sim->topic[kp_sim_topic_of(sim, m->p)];
        kp_list_add(&b, kp_map(a, "topic", kp_text(a, kp_sim_string(sim, t->name)), "partition",
                               kp_int(a, m->p - t->first), "replicas", ids_of(sim, a, m->p, NULL),
                               "adding", ids_of(sim, a, m->p, sim->adding), "removing",
                               ids_of(sim, a, m->p, sim->removing), NULL));
    }
    return kp_list_end(&b);
}

/* Brokers tell who is fenced from 4.0 on, which has no ZooKeeper mode. */
static const kp_value *answer_registered(const kp_sim *sim, kp_arena *a, int32_t node)
{
    kp_builder b = kp_list_begin(a);
    kp_version v;

    if (!kp_version_parse(sim->h->release[sim->node[node].running], &v) || v.major < 4)
        return kp_nil();
    for (uint32_t i = 0; i < sim->h->n_brokers; i++) {
        const kp_sim_node *n = &sim->node[sim->broker[i]];
        const char *rack = kp_sim_string(sim, n->rack);
        if (!n->unregistered)
            kp_list_add(&b,
                        kp_map(a, "id", kp_int(a, n->id), "fenced", kp_bool(!n->listed), "host",
                               kp_text(a, kp_sim_string(sim, n->host)), "port", kp_int(a, n->port),
                               "rack", *rack ? kp_text(a, rack) : NULL, NULL));
    }
    return kp_list_end(&b);
}

/* Controllers register from 3.7 and metadata.version 3.7-IV0 (15) on. */
static const kp_value *answer_controllers(const kp_sim *sim, kp_arena *a)
{
    enum { REGISTRATIONS = 15, PORT = 9093 };
    const kp_sim_header *h = sim->h;
    kp_builder b = kp_list_begin(a);

    if (h->mode == KP_SIM_ZOOKEEPER || h->metadata_version < REGISTRATIONS)
        return kp_nil();
    for (uint32_t i = 0; i < h->n_nodes; i++)
        if (kp_sim_is_voter(&sim->node[i]))
            kp_list_add(&b, kp_map(a, "id", kp_int(a, sim->node[i].id), "host",
                                   kp_text(a, kp_sim_string(sim, sim->node[i].host)), "port",
                                   kp_int(a, PORT), NULL));
    for (uint32_t i = 0; i < h->n_ghost_controllers; i++)
        kp_list_add(&b, kp_map(a, "id", kp_int(a, h->ghost_controller[i]), "host",
                               kp_textf(a, "controller%d", h->ghost_controller[i]), "port",
                               kp_int(a, PORT), NULL));
    return kp_list_end(&b);
}

static int coordinator(const kp_sim *sim, uint32_t group)
{
    return sim->node[sim->broker[group % sim->h->n_brokers]].id;
}

static const kp_value *answer_groups(const kp_sim *sim, kp_arena *a)
{
    kp_builder b = kp_list_begin(a);

    for (uint32_t i = 0; i < sim->h->n_groups; i++)
        kp_list_add(&b, kp_map(a, "group", kp_text(a, kp_sim_string(sim, sim->group[i].name)),
                               "state", kp_text(a, "Stable"), "type", kp_text(a, "classic"),
                               "protocol", kp_text(a, "consumer"), "coordinator",
                               kp_int(a, coordinator(sim, i)), NULL));
    return kp_list_end(&b);
}

static int64_t end_of(const kp_sim *sim, uint32_t p, kp_us at)
{
    return (int64_t)((double)sim->rate[p] * (double)at / 1e6 / RECORD_BYTES);
}

/* Partition, committed, end ... of a topic that its group keeps up with, or read when the cluster
 * began and never since. */
static const kp_value *offsets_of(const kp_sim *sim, kp_arena *a, const kp_sim_topic *t,
                                  bool stalled)
{
    kp_builder flat = kp_list_begin(a);
    for (uint32_t k = 0; k < t->n; k++) {
        kp_list_add(&flat, kp_int(a, k));
        kp_list_add(&flat,
                    kp_int(a, end_of(sim, t->first + k, stalled ? KP_SIM_SECOND : sim->h->now)));
        kp_list_add(&flat, kp_int(a, end_of(sim, t->first + k, sim->h->now)));
    }
    return kp_list_end(&flat);
}

/* Group i reads topic i. */
static const kp_value *answer_lag(const kp_sim *sim, const kp_sim_call *c)
{
    kp_arena *a = c->a;
    kp_builder all = kp_map_begin(a);

    for (uint32_t i = 0; i < sim->h->n_groups && sim->h->n_topics > 0; i++) {
        const char *group = kp_sim_string(sim, sim->group[i].name);
        if (c->q.lag.groups && !wanted(c->q.lag.groups, group))
            continue;
        const kp_sim_topic *t = &sim->topic[i % sim->h->n_topics];
        const kp_value *topics = kp_map(a, kp_sim_string(sim, t->name),
                                        offsets_of(sim, a, t, sim->group[i].stalled), NULL);
        kp_map_add(&all, group,
                   kp_map(a, "state", kp_text(a, "Stable"), "type", kp_text(a, "classic"),
                          "protocol", kp_text(a, "consumer"), "topics", topics, NULL));
    }
    return kp_map_end(&all);
}

static kp_err *answer_znode(const kp_sim *sim, const kp_sim_call *c, const kp_value **ret_v)
{
    const kp_sim_header *h = sim->h;
    const char *path = c->q.znode.path, *data = NULL;
    bool ephemeral = false;
    char id[32];

    if (h->mode != KP_SIM_ZOOKEEPER)
        return kp_err_new(KP_CLUSTER, "ask the controllers instead",
                          "there is no ZooKeeper in this cluster");
    if (strcmp(path, "/controller") == 0 && h->leader != KP_SIM_NO_NODE) {
        data = kp_printf(c->a, "{\"version\":2,\"brokerid\":%d,\"timestamp\":\"%" PRId64 "\"}",
                         sim->node[h->leader].id, kp_sim_utc(sim, h->leader_since));
        ephemeral = true;
    } else if (strcmp(path, "/controller_epoch") == 0) {
        data = kp_printf(c->a, "%" PRId64, h->leader_epoch);
    } else if (strcmp(path, "/cluster/id") == 0) {
        data = kp_printf(c->a, "{\"version\":\"1\",\"id\":\"%s\"}", h->cluster_id);
    }
    for (uint32_t i = 0; !data && i < h->n_brokers; i++) {
        const kp_sim_node *n = &sim->node[sim->broker[i]];
        snprintf(id, sizeof id, "/brokers/ids/%d", n->id);
        if (n->listed && strcmp(path, id) == 0) {
            data = kp_printf(c->a, "{\"host\":\"%s\",\"port\":%u,\"version\":5}",
                             kp_sim_string(sim, n->host), n->port);
            ephemeral = true;
        }
    }
    *ret_v = !data ? kp_nil()
                   : kp_map(c->a, "path", kp_text(c->a, path), "data", kp_text(c->a, data),
                            "version", kp_int(c->a, (int64_t)h->leader_epoch), "ephemeral",
                            kp_bool(ephemeral), NULL);
    return NULL;
}

kp_err *kp_sim_answer(kp_sim *sim, const kp_sim_call *c, const kp_value **ret_v)
{
    switch (c->q.kind) {
    case KP_Q_NODE:
        *ret_v = answer_node(sim, c->a, c->node);
        return NULL;
    case KP_Q_QUORUM:
        if (sim->h->mode == KP_SIM_ZOOKEEPER)
            return kp_err_new(KP_CLUSTER, "ask for controller() instead",
                              "there is no controller quorum in ZooKeeper mode");
        *ret_v = answer_quorum(sim, c->a);
        return NULL;
    case KP_Q_CONFIG:
        return answer_config(sim, c, c->node, ret_v);
    case KP_Q_LOG_DIRS:
        if (!kp_sim_is_broker(&sim->node[c->node]))
            return kp_err_new(KP_CLUSTER, "ask a broker", "controller %d does not list log dirs",
                              sim->node[c->node].id);
        *ret_v = answer_log_dirs(sim, c->a, c->node);
        return NULL;
    case KP_Q_REASSIGNMENTS:
        *ret_v = answer_reassignments(sim, c->a);
        return NULL;
    case KP_Q_REGISTERED:
        *ret_v = answer_registered(sim, c->a, c->node);
        return NULL;
    case KP_Q_CONTROLLERS:
        *ret_v = answer_controllers(sim, c->a);
        return NULL;
    case KP_Q_GROUPS:
        *ret_v = answer_groups(sim, c->a);
        return NULL;
    case KP_Q_LAG:
        *ret_v = answer_lag(sim, c);
        return NULL;
    case KP_Q_ZNODE:
        return answer_znode(sim, c, ret_v);
    default:
        return kp_err_new(KP_INTERNAL, "this is a fault of kplay: please report it",
                          "nobody answers a %s", kp_req_name(c->q.kind));
    }
}
