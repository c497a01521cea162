/* From a plan to a simulated cluster: strings, nodes, topics, placement, then everything
 * derived. */
#include "sim/spec.h"

#include "cluster/server_config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STRINGS_LIMIT ((size_t)64 << 20)
#define POOL_SLACK ((size_t)4 << 20)
#define NOTICED (30 * KP_SIM_SECOND) /* every session has ended */
#define AWAY_AT_FIRST                                                                              \
    (60 * KP_SIM_SECOND) /* what is out of sync in a snapshot has been for a minute */

/* ---- strings ---- */

/* Offset of a text in the strings; the last few are found again. */
static uint32_t intern(kp_buf *b, const char *text)
{
    if (*text == '\0')
        return 0; /* the strings begin with an empty one */
    uint32_t at = (uint32_t)b->n;
    kp_buf_add(b, text, strlen(text) + 1);
    return at;
}

typedef struct shared {
    const char *text;
    uint32_t at;
} shared;

static uint32_t intern_shared(kp_buf *b, shared *last, const char *text)
{
    if (!last->text || strcmp(last->text, text) != 0)
        *last = (shared) { text, intern(b, text) };
    return last->at;
}

/* ---- made-up files ---- */

#define RESERVED_MOST                                                                              \
    1000 /* reserved.broker.max.id by default: greater ids are for generated ones */

static char *properties(kp_arena *a, const kp_plan *p, const kp_plan_node *n)
{
    bool broker = (n->roles & KP_BROKER) != 0, voter = (n->roles & KP_CONTROLLER) != 0;
    KP_AUTO_BUF b = KP_BUF_INIT((size_t)64 << 10);

    kp_buf_fmt(&b, "# server.properties of node %d of a simulated cluster\n", n->id);
    if (p->mode == KP_SIM_ZOOKEEPER) {
        kp_buf_fmt(&b, "broker.id=%d\nlisteners=PLAINTEXT://%s:9092\n", n->id, n->host);
        kp_buf_str(&b, "zookeeper.connect=zookeeper1:2181,zookeeper2:2181,zookeeper3:2181\n");
        if (n->id > RESERVED_MOST)
            kp_buf_fmt(&b, "reserved.broker.max.id=%d\n", n->id);
        if (n->ibp)
            kp_buf_fmt(&b, "inter.broker.protocol.version=%s\n", n->ibp);
    } else {
        kp_buf_fmt(&b, "process.roles=%s%s%s\nnode.id=%d\n", broker ? "broker" : "",
                   broker && voter ? "," : "", voter ? "controller" : "", n->id);
        kp_buf_str(&b, "controller.quorum.voters=");
        const char *comma = "";
        for (uint32_t i = 0; i < p->n_nodes; i++)
            if (p->nodes[i].roles & KP_CONTROLLER) {
                kp_buf_fmt(&b, "%s%d@%s:9093", comma, p->nodes[i].id, p->nodes[i].host);
                comma = ",";
            }
        kp_buf_fmt(&b, "\nlisteners=%s%s%s%s%s%s\n", broker ? "PLAINTEXT://" : "",
                   broker ? n->host : "", broker ? ":9092" : "",
                   voter ? (broker ? ",CONTROLLER://" : "CONTROLLER://") : "", voter ? n->host : "",
                   voter ? ":9093" : "");
        kp_buf_str(&b, "controller.listener.names=CONTROLLER\n");
    }
    kp_buf_fmt(&b, "log.dirs=%s\n", n->log_dir);
    if (broker && *n->rack)
        kp_buf_fmt(&b, "broker.rack=%s\n", n->rack);
    return kp_strdup(a, kp_buf_text(&b));
}

/* ---- placement ---- */

static void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= (uint64_t)1 << (i % 64);
}

/* Brokers that topics are placed on, by slot; those that nobody manages are gone. */
typedef struct places {
    uint16_t *order;
    uint32_t n, n_racks;
} places;

/* As Kafka places: a start that moves on with each partition, followers shifted further each time
 * round (AdminUtils.assignReplicasToBrokers), skipping racks that have a replica already while
 * there are others. */
static void place_topic(kp_sim *sim, const places *on, const kp_plan_topic *t, uint32_t p,
                        uint32_t topic)
{
    const uint16_t *order = on->order;
    uint32_t n = on->n, start = (uint32_t)(kp_sim_mix(sim->h->seed ^ topic) % n);

    for (uint32_t i = 0; i < t->n; i++, p++) {
        uint16_t *r = sim->rep + sim->first_rep[p];
        uint32_t from = (start + i) % n, shift = n > 1 ? (start + i / n) % (n - 1) : 0;
        r[0] = order[from];
        uint32_t got = 1;
        for (uint32_t k = 0; got < t->rf; k++) {
            uint16_t b = order[(from + 1 + (shift + k) % (n > 1 ? n - 1 : 1)) % n];
            bool taken = false;
            for (uint32_t j = 0; j < got; j++) {
                bool same_rack = sim->node[sim->broker[b]].rack ==
                                 sim->node[sim->broker[r[j]]].rack;
                taken = taken || r[j] == b || (same_rack && got < on->n_racks && k < n - 1);
            }
            if (!taken)
                r[got++] = b;
        }
        sim->first_rep[p + 1] = sim->first_rep[p] + t->rf;
        for (uint32_t k = sim->first_rep[p]; k < sim->first_rep[p + 1]; k++)
            set_bit(sim->isr, k);
        sim->leader[p] = 0;
    }
}

/* Broker slots such that neighbours are in different racks, as far as they go. */
static places rack_order(kp_arena *a, const kp_sim *sim)
{
    uint32_t n = sim->h->n_brokers, n_racks = 0, done = 0, left_out = 0;
    uint16_t *order = KP_NEW_ARRAY(a, n, uint16_t);
    uint32_t *rack = KP_NEW_ARRAY(a, n, uint32_t), *turn = KP_NEW_ARRAY(a, n, uint32_t);
    uint32_t *count = KP_NEW_ARRAY(a, n, uint32_t);

    /* The turn of a broker is how many of its rack come before it. */
    for (uint32_t b = 0; b < n; b++) {
        uint32_t of = sim->node[sim->broker[b]].rack, k = 0;
        if (sim->node[sim->broker[b]].unmanaged) {
            turn[b] = UINT32_MAX;
            left_out++;
            continue;
        }
        while (k < n_racks && rack[k] != of)
            k++;
        if (k == n_racks)
            rack[n_racks++] = of;
        turn[b] = count[k]++;
    }
    for (uint32_t t = 0; done < n - left_out; t++)
        for (uint32_t b = 0; b < n; b++)
            if (turn[b] == t)
                order[done++] = (uint16_t)b;
    return (places) { order, done, n_racks };
}

static kp_err *slot_of(const kp_sim *sim, const kp_spec *s, const kp_value *v, uint16_t *ret_slot)
{
    int64_t id = kp_as_int(v, -1);
    int32_t node = id < 0 || id > INT32_MAX ? KP_SIM_NO_NODE : kp_sim_node_find(sim, (int)id);

    if (node == KP_SIM_NO_NODE || sim->node[node].slot == KP_SIM_NO_SLOT)
        return kp_spec_wrong(s, "partitions", "list every broker that has a replica",
                             "a replica is on %" PRId64 ", which is no broker of the snapshot", id);
    *ret_slot = sim->node[node].slot;
    return NULL;
}

/* A topic as it was seen: [[replicas], [isr], leader] per partition. */
static kp_err *copy_topic(kp_sim *sim, const kp_spec *s, const kp_plan_topic *t, uint32_t p)
{
    for (size_t i = 0; i < t->n; i++, p++) {
        const kp_value *one = kp_at(t->partitions, i), *replicas = kp_at(one, 0),
                       *isr = kp_at(one, 1);
        uint16_t *r = sim->rep + sim->first_rep[p], slot = KP_SIM_NO_SLOT;
        uint32_t rf = (uint32_t)kp_len(replicas), leader = KP_VIEW_NO_LEADER;
        int64_t leader_id = kp_as_int(kp_at(one, 2), -1);
        for (uint32_t k = 0; k < rf; k++) {
            KP_TRY(slot_of(sim, s, kp_at(replicas, k), &r[k]));
            for (uint32_t j = 0; j < k; j++)
                if (r[j] == r[k])
                    return kp_spec_wrong(s, "partitions", "list each replica once",
                                         "broker %d is twice among the replicas of one partition",
                                         sim->node[sim->broker[r[k]]].id);
        }
        for (uint32_t k = 0; k < kp_len(isr); k++) {
            KP_TRY(slot_of(sim, s, kp_at(isr, k), &slot));
            for (uint32_t j = 0; j < rf; j++)
                if (r[j] == slot)
                    set_bit(sim->isr, sim->first_rep[p] + j);
        }
        for (uint32_t k = 0; leader_id >= 0 && k < rf; k++)
            if (sim->node[sim->broker[r[k]]].id == leader_id)
                leader = k;
        if (leader != KP_VIEW_NO_LEADER)
            set_bit(sim->isr, sim->first_rep[p] + leader);
        sim->first_rep[p + 1] = sim->first_rep[p] + rf;
        sim->leader[p] = (uint16_t)leader;
    }
    return NULL;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const kp_plan_topic *)x)->name, ((const kp_plan_topic *)y)->name);
}

static int by_id(const void *x, const void *y)
{
    int a = ((const kp_plan_node *)x)->id, b = ((const kp_plan_node *)y)->id;

    return a < b ? -1 : a > b;
}

static kp_err *count_plan(kp_plan *p, kp_sim_sizes *z)
{
    uint64_t parts = 0, reps = 0;

    for (uint32_t i = 0; i < p->n_topics; i++) {
        const kp_plan_topic *t = &p->topics[i];
        if (i > 0 && strcmp(t->name, p->topics[i - 1].name) == 0)
            return kp_spec_wrong(p->spec, "topics", "give each topic a name of its own",
                                 "topic %s is there twice", t->name);
        parts += t->n;
        reps += (uint64_t)t->n * t->rf;
        for (size_t k = 0; t->partitions && k < t->n; k++) {
            size_t rf = kp_len(kp_at(kp_at(t->partitions, k), 0));
            if (rf == 0)
                return kp_spec_wrong(p->spec, "topics", "give it at least one replica",
                                     "%s-%zu has %zu replicas", t->name, k, rf);
            reps += rf;
        }
    }
    if (parts > KP_SIM_MAX_PARTITIONS)
        return kp_spec_wrong(p->spec, "topics", "describe fewer partitions",
                             "more than %u partitions", KP_SIM_MAX_PARTITIONS);
    if (reps > KP_SIM_MAX_REPLICAS)
        return kp_spec_wrong(p->spec, "topics", "describe fewer replicas",
                             "more than %u replicas", KP_SIM_MAX_REPLICAS);
    z->nodes = p->n_nodes;
    z->topics = p->n_topics;
    z->parts = (uint32_t)parts;
    z->reps = (uint32_t)reps;
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        if (i > 0 && p->nodes[i].id == p->nodes[i - 1].id)
            return kp_spec_wrong(p->spec, "brokers", "give each node an id of its own",
                                 "node %d is there twice", p->nodes[i].id);
        z->brokers += (p->nodes[i].roles & KP_BROKER) != 0;
        if (!p->nodes[i].text) {
            p->nodes[i].text = properties(p->a, p, &p->nodes[i]);
            p->nodes[i].n_text = strlen(p->nodes[i].text);
        }
        z->pool += 3 * kp_sim_pool_need(p->nodes[i].n_text);
    }
    z->pool += POOL_SLACK;
    return NULL;
}

/* ---- the common keys ---- */

typedef struct commons {
    kp_sim_timing timing;
    bool auto_rebalance;
    const kp_value *groups, *stalled, *ghosts, *breaking, *accept, *allow, *faults;
    kp_plan_client *client;
    size_t n_clients;
    uint32_t n_breaking;
} commons;

static kp_err *read_commons(const kp_plan *p, commons *c)
{
    const kp_spec *s = p->spec, t = kp_spec_of(s, "timing"), b = kp_spec_of(s, "breaking");
    kp_ms boot = 0, boot_per = 0, stop_per = p->mode == KP_SIM_ZOOKEEPER ? 1000 : 8000;
    int64_t recovery = 0, link = 0;

    KP_TRY(kp_spec_keys(&t));
    KP_TRY(kp_spec_duration(&t, "boot", &boot));
    KP_TRY(kp_spec_duration(&t, "boot_per_1000", &boot_per));
    KP_TRY(kp_spec_duration(&t, "stop_per_1000", &stop_per));
    KP_TRY(kp_spec_bytes(&t, "recovery", &recovery));
    KP_TRY(kp_spec_bytes(&t, "link", &link));
    c->timing = (kp_sim_timing) { .boot = (boot > 0 ? boot : 1) * KP_SIM_MS,
                                  .boot_per_1000 = boot_per * KP_SIM_MS,
                                  .stop_per_1000 = stop_per * KP_SIM_MS,
                                  .recovery = recovery > 0 ? (double)recovery : 1,
                                  .link = link > 0 ? (double)link : 1 };
    KP_TRY(kp_spec_bool(s, "auto_leader_rebalance", &c->auto_rebalance));
    KP_TRY(kp_spec_list(s, "groups", &c->groups));
    KP_TRY(kp_spec_list(s, "stalled", &c->stalled));
    KP_TRY(kp_spec_list(s, "ghost_controllers", &c->ghosts));
    KP_TRY(kp_sim_clients_read(p, &c->client, &c->n_clients));
    KP_TRY(kp_spec_list(s, "accept", &c->accept));
    KP_TRY(kp_spec_list(s, "allow", &c->allow));
    KP_TRY(kp_spec_list(s, "faults", &c->faults));
    KP_TRY(kp_spec_keys(&b));
    c->breaking = b.v;
    for (uint32_t i = 0; i < kp_len(b.v); i++) {
        const kp_value *list;
        KP_TRY(kp_spec_list(&b, b.v->keys[i], &list));
        c->n_breaking += (uint32_t)kp_len(list);
    }
    return NULL;
}

/* Their texts, by their offset in the strings. */
typedef struct common_texts {
    kp_sim_group *group;
    uint32_t n_groups, n_breaking;
    kp_sim_breaking *breaking;
    kp_sim_client *client;
} common_texts;

static common_texts intern_commons(const kp_plan *p, const commons *c, kp_buf *strings)
{
    common_texts t = { .group = KP_NEW_ARRAY(p->a, kp_len(c->groups) + kp_len(c->stalled) + 1,
                                             kp_sim_group),
                       .breaking = KP_NEW_ARRAY(p->a, c->n_breaking + 1, kp_sim_breaking),
                       .client = KP_NEW_ARRAY(p->a, c->n_clients + 1, kp_sim_client) };

    for (size_t i = 0; i < kp_len(c->groups); i++)
        t.group[t.n_groups++] = (kp_sim_group) { intern(strings, kp_at(c->groups, i)->u.s), 0 };
    for (size_t i = 0; i < kp_len(c->stalled); i++)
        t.group[t.n_groups++] = (kp_sim_group) { intern(strings, kp_at(c->stalled, i)->u.s), 1 };
    for (size_t i = 0; i < c->n_clients; i++) {
        const kp_plan_client *from = &c->client[i];
        t.client[i] = (kp_sim_client) { .name = intern(strings, from->name),
                                        .version = intern(strings, from->version),
                                        .listener = intern(strings, from->listener),
                                        .requests = intern(strings, from->requests),
                                        .node = (int32_t)from->node,
                                        .connections = (uint32_t)from->connections,
                                        .until = from->until < 0
                                                     ? KP_SIM_NEVER
                                                     : KP_SIM_SECOND + from->until * KP_SIM_MS };
    }
    for (uint32_t i = 0; c->breaking && i < kp_len(c->breaking); i++)
        for (size_t k = 0; k < kp_len(c->breaking->u.items[i]); k++)
            t.breaking[t.n_breaking++] =
                (kp_sim_breaking) { intern(strings, c->breaking->keys[i]),
                                    intern(strings, kp_at(c->breaking->u.items[i], k)->u.s) };
    return t;
}

/* ---- the block ---- */

/* What the names of nodes and topics add to the strings at most: the block is made with room for
 * them, and they are interned into its nodes and topics after that. */
static kp_err *measure_names(const kp_plan *p, size_t *strings)
{
    size_t n = *strings;

    for (uint32_t i = 0; i < p->n_nodes; i++)
        n += strlen(p->nodes[i].host) + strlen(p->nodes[i].rack) + strlen(p->nodes[i].config) +
             strlen(p->nodes[i].current) + strlen(p->nodes[i].releases_dir) +
             strlen(p->nodes[i].log_dir) + 6;
    for (uint32_t i = 0; i < p->n_topics; i++)
        n += strlen(p->topics[i].name) + 1;
    if (n > STRINGS_LIMIT)
        return kp_spec_wrong(p->spec, "topics", "use fewer or shorter names",
                             "the names take more than %zu bytes", STRINGS_LIMIT);
    *strings = n;
    return NULL;
}

static void fill_node(kp_sim *sim, const kp_plan *p, uint32_t i, kp_buf *strings, shared *paths)
{
    const kp_plan_node *from = &p->nodes[i];
    kp_sim_node *n = &sim->node[i];
    const char *ibp;

    n->id = from->id;
    n->roles = (uint8_t)from->roles;
    n->unmanaged = from->unmanaged;
    n->unregistered = from->unregistered;
    n->slot = KP_SIM_NO_SLOT;
    n->link = from->link;
    n->running = from->release;
    n->staged = from->staged;
    n->java = from->java;
    n->host = intern(strings, from->host);
    n->rack = 0;
    for (uint32_t k = 0; k < i && n->rack == 0; k++) /* equal racks have equal offsets */
        if (strcmp(p->nodes[k].rack, from->rack) == 0)
            n->rack = sim->node[k].rack;
    if (n->rack == 0)
        n->rack = intern(strings, from->rack);
    n->config = intern_shared(strings, &paths[0], from->config);
    n->current = intern_shared(strings, &paths[1], from->current);
    n->releases_dir = intern_shared(strings, &paths[2], from->releases_dir);
    n->log_dir = intern_shared(strings, &paths[3], from->log_dir);
    n->port = 9092;
    n->behind_since = KP_SIM_NEVER;
    n->controller_seen = -1;
    n->log_at = 1000000;
    n->clean = true;

    const kp_server_config *file = kp_server_config_read(
        p->a, &(kp_config_source) { .text = from->text, .n = from->n_text });
    ibp = file->ibp ? file->ibp : from->ibp;
    n->ibp = kp_sim_ibp_level(ibp);
    n->ibp_pinned = n->ibp >= 0;
    if (n->ibp < 0)
        n->ibp = kp_sim_ibp_newest(kp_sim_facts(p->release[from->release]));
    if (!from->alive)
        return;
    n->phase = KP_SIM_RUNNING;
    n->clean = false;
    n->pid = 1000 + 7 * (int32_t)i;
    n->started_at = KP_SIM_SECOND / 2;
    n->listed = (from->roles & KP_BROKER) != 0;
    n->voter = from->roles & KP_CONTROLLER ? 2 : 0;
}

static void fill_topic(kp_sim *sim, const kp_plan_topic *from, uint32_t i, uint32_t first,
                       kp_buf *strings)
{
    kp_sim_topic *t = &sim->topic[i];

    *t = (kp_sim_topic) { .name = intern(strings, from->name),
                          .first = first,
                          .n = from->n,
                          .internal = from->internal };
    if (from->n > 0) {
        t->rate = from->rate / from->n;
        t->size = from->size / from->n;
    }
    uint64_t id[2] = { kp_sim_mix(sim->h->seed ^ ((uint64_t)i << 32)), 0 };
    id[1] = kp_sim_mix(id[0]);
    if (from->has_id)
        memcpy(t->id, from->id, sizeof t->id);
    else if (!sim->h->no_topic_ids)
        memcpy(t->id, id, sizeof t->id);
    for (uint32_t k = 0; k < from->n; k++) {
        uint32_t p = first + k;
        sim->min_isr[p] = (uint16_t)from->min_isr;
        sim->flags[p] = from->unclean ? KP_PART_UNCLEAN : 0;
        /* partitions of a topic are never written to evenly: half to one and a half of the mean */
        sim->rate[p] = (float)(t->rate *
                               (0.5 + (double)(kp_sim_mix(sim->h->seed + p) % 1000) / 1000));
    }
}

static kp_err *fill_moves(kp_sim *sim, const kp_plan *p)
{
    for (size_t i = 0; i < kp_len(p->moves); i++) {
        const kp_value *m = kp_at(p->moves, i), *adding = kp_get(m, "adding"),
                       *removing = kp_get(m, "removing");
        int32_t t = kp_sim_topic_named(sim, kp_get_text(m, "topic", ""));
        int64_t k = kp_get_int(m, "partition", -1);
        if (t < 0 || k < 0 || k >= (int64_t)sim->topic[t].n)
            return kp_spec_wrong(p->spec, "reassignments", "name a partition of the snapshot",
                                 "reassignment %zu is of no partition there", i);
        kp_sim_move *to = &sim->move[i];
        to->p = sim->topic[t].first + (uint32_t)k;
        for (uint32_t r = sim->first_rep[to->p]; r < sim->first_rep[to->p + 1]; r++) {
            int id = sim->node[sim->broker[sim->rep[r]]].id;
            if (kp_list_has_int(adding, id))
                set_bit(sim->adding, r);
            if (kp_list_has_int(removing, id))
                set_bit(sim->removing, r);
        }
    }
    return NULL;
}

static void make_cluster_id(const kp_plan *p, char *id, size_t size)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    if (p->cluster_id) {
        size_t n = strlen(p->cluster_id);
        memcpy(id, p->cluster_id, n < size ? n : size - 1);
        return;
    }
    for (int i = 0; i < 22; i++)
        id[i] = set[kp_sim_mix(p->seed * 22 + (uint64_t)i) % 64];
}

static void fill_header(kp_sim_header *h, const kp_plan *p)
{
    h->mode = (uint8_t)p->mode;
    h->now = KP_SIM_SECOND;
    h->epoch_ms = p->at - 1000;
    h->seed = p->seed;
    h->rng = kp_sim_mix(p->seed);
    h->metadata_version = p->metadata_version;
    h->next_pid = 30000;
    h->n_releases = p->n_releases;
    for (uint32_t i = 0; i < p->n_releases; i++)
        memcpy(h->release[i], p->release[i], strlen(p->release[i]) + 1);
    make_cluster_id(p, h->cluster_id, sizeof h->cluster_id);
}

static kp_err *fill_ghost_controllers(kp_sim_header *h, const kp_plan *p, const commons *c)
{
    size_t n = kp_len(c->ghosts);

    if (n > 0 && p->mode == KP_SIM_ZOOKEEPER)
        return kp_spec_wrong(p->spec, "ghost_controllers", "leave it out, or say mode: kraft",
                             "in ZooKeeper mode no controller registers");
    if (n > KP_SIM_GHOST_CONTROLLERS)
        return kp_spec_wrong(p->spec, "ghost_controllers", "name fewer", "more than %u ids",
                             KP_SIM_GHOST_CONTROLLERS);
    for (size_t i = 0; i < n; i++) {
        int64_t id = kp_as_int(kp_at(c->ghosts, i), -1);
        bool taken = id < 0 || id > INT32_MAX;
        for (uint32_t k = 0; k < p->n_nodes && !taken; k++)
            taken = p->nodes[k].id == id;
        if (taken)
            return kp_spec_wrong(p->spec, "ghost_controllers", "give ids that no node has",
                                 "item %zu is not the id of a node of its own", i + 1);
        h->ghost_controller[h->n_ghost_controllers++] = (int32_t)id;
    }
    return NULL;
}

/* Nodes and topics, their names into the strings. */
static void fill_named(kp_sim *sim, const kp_plan *p, kp_buf *strings)
{
    kp_sim_header *h = sim->h;
    shared paths[4] = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };

    for (uint32_t i = 0; i < p->n_nodes; i++) {
        fill_node(sim, p, i, strings, paths);
        h->no_topic_ids = h->no_topic_ids || sim->node[i].ibp < 20800; /* topic ids came with 2.8 */
    }
    for (uint32_t i = 0, first = 0; i < p->n_topics; first += p->topics[i].n, i++)
        fill_topic(sim, &p->topics[i], i, first, strings);
}

static void lead(kp_sim *sim, const kp_plan *p)
{
    kp_sim_header *h = sim->h;

    h->leader = h->last_leader = KP_SIM_NO_NODE;
    for (uint32_t i = 0; i < h->n_nodes; i++) {
        const kp_sim_node *n = &sim->node[i];
        bool may = n->phase == KP_SIM_RUNNING &&
                   (h->mode == KP_SIM_ZOOKEEPER ? kp_sim_is_broker(n) : kp_sim_is_voter(n));
        h->n_voters += h->mode != KP_SIM_ZOOKEEPER && kp_sim_is_voter(n);
        if (may && (h->leader == KP_SIM_NO_NODE || n->id == p->controller))
            h->leader = (int32_t)i;
    }
    h->last_leader = h->leader;
    h->leader_epoch = 1;
    h->leader_since = h->offset_at = h->now;
    h->offset = 10000;
    for (uint32_t i = 0; i < h->n_nodes; i++) {
        sim->node[i].voter_offset = h->offset;
        sim->node[i].controller_seen = h->mode == KP_SIM_ZOOKEEPER && h->leader != KP_SIM_NO_NODE
                                           ? sim->node[h->leader].id
                                           : -1;
    }
}

static kp_err *fill(kp_sim *sim, const kp_plan *p, const commons *c, const kp_buf *strings,
                    const common_texts *texts)
{
    kp_sim_header *h = sim->h;
    uint32_t at = 0;

    memcpy(sim->strings, strings->p, strings->n);
    for (uint32_t i = 0; i < h->n_nodes; i++)
        if (!kp_sim_text_set(sim, &sim->node[i], p->nodes[i].text, p->nodes[i].n_text))
            return kp_spec_wrong(p->spec, NULL, "use shorter files",
                                 "the files of the nodes are too large");
    for (uint32_t i = 0; i < h->n_nodes; i++)
        sim->node[i].text_gen = 0;
    if (h->n_groups > 0)
        memcpy(sim->group, texts->group, h->n_groups * sizeof *texts->group);
    if (h->n_clients > 0)
        memcpy(sim->client, texts->client, h->n_clients * sizeof *texts->client);
    if (h->n_breaking > 0)
        memcpy(sim->breaking, texts->breaking, h->n_breaking * sizeof *texts->breaking);
    for (uint32_t i = 0; i < h->n_nodes; i++)
        if (sim->node[i].roles & KP_BROKER) {
            sim->node[i].slot = (uint16_t)at;
            sim->broker[at++] = (uint16_t)i;
        }
    const places on = rack_order(p->a, sim);
    for (uint32_t i = 0; i < h->n_topics; i++) {
        const kp_plan_topic *t = &p->topics[i];
        if (!t->partitions) {
            place_topic(sim, &on, t, sim->topic[i].first, i);
            continue;
        }
        const kp_spec s = { .a = p->a, .where = t->where };
        KP_TRY(copy_topic(sim, &s, t, sim->topic[i].first));
    }
    kp_sim_place(sim);
    KP_TRY(fill_moves(sim, p));
    lead(sim, p);
    h->timing = c->timing;
    h->auto_rebalance = c->auto_rebalance;
    return NULL;
}

/* A loss without a moment or an end: the cluster has noticed it long ago. */
static bool is_past(const kp_value *fault)
{
    static const char *const moments[] = { "at", "stop", "start", "requests", "lasts" };
    const char *name = kp_get_text(fault, "fault", "");

    for (size_t i = 0; i < KP_COUNT(moments); i++)
        if (kp_get(fault, moments[i]))
            return false;
    return kp_streq(name, "crash") || kp_streq(name, "rack_loss");
}

/* The cluster begins to live: what is out of sync catches up, timers run. */
static kp_err *animate(kp_sim *sim, const kp_plan *p, const commons *c)
{
    kp_sim_oracle_init(sim);
    for (size_t i = 0; i < kp_len(c->accept); i++)
        if (kp_at(c->accept, i)->u.s[0] == 'K' ||
            !kp_sim_oracle_allow(sim, kp_at(c->accept, i)->u.s))
            return kp_spec_wrong(p->spec, "accept", "name topics of this cluster",
                                 "there is no topic %.100s", kp_at(c->accept, i)->u.s);
    for (size_t i = 0; i < kp_len(c->allow); i++) {
        const char *rule = kp_at(c->allow, i)->u.s;
        if (rule[0] != 'K' || strlen(rule) != 2 || !kp_sim_oracle_allow(sim, rule))
            return kp_spec_wrong(p->spec, "allow", "name rules: K1 to K9", "there is no rule %.20s",
                                 rule);
    }
    for (uint32_t i = 0; i < sim->h->n_brokers; i++) {
        int32_t node = sim->broker[i];
        if (sim->out[i] == 0)
            continue;
        sim->node[node].behind_since = sim->h->now - AWAY_AT_FIRST;
        kp_sim_catch_up_start(sim, node);
    }
    kp_sim_pins_check(sim);
    if (sim->h->auto_rebalance)
        kp_sim_timer_set(sim, kp_sim_timer_global(sim, KP_SIM_T_REBALANCE),
                         sim->h->now + 300 * KP_SIM_SECOND);
    bool past = false;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < kp_len(c->faults); i++) {
            const kp_spec f = kp_spec_item(p->spec, "faults", i);
            if (is_past(f.v) != (pass == 0))
                continue;
            KP_TRY(kp_sim_fault_plan_add(sim, &f));
            past = true;
        }
        if (pass == 0 && past) {
            kp_sim_advance(sim, sim->h->now + NOTICED);
            sim->h->epoch_ms -= NOTICED / KP_SIM_MS;
        }
    }
    kp_sim_settle(sim);
    return NULL;
}

kp_err *kp_sim_build(kp_plan *p, kp_sim **ret_sim)
{
    kp_sim_sizes z = { 0 };
    commons c = { .n_breaking = 0 };
    KP_AUTO_BUF strings = KP_BUF_INIT(STRINGS_LIMIT);

    KP_TRY(read_commons(p, &c));
    if (p->n_topics > 1)
        qsort(p->topics, p->n_topics, sizeof *p->topics, by_name);
    qsort(p->nodes, p->n_nodes, sizeof *p->nodes, by_id);
    KP_TRY(count_plan(p, &z));

    kp_buf_chr(&strings, '\0');
    const common_texts texts = intern_commons(p, &c, &strings);
    z.strings = strings.n;
    KP_TRY(measure_names(p, &z.strings));
    z.moves = (uint32_t)kp_len(p->moves);
    z.breaking = texts.n_breaking;
    z.groups = texts.n_groups;
    z.clients = (uint32_t)c.n_clients;

    kp_sim *sim = kp_sim_block_new(&z);
    fill_header(sim->h, p);
    fill_named(sim, p, &strings);
    kp_err *e = fill_ghost_controllers(sim->h, p, &c);
    if (!e)
        e = fill(sim, p, &c, &strings, &texts);
    if (!e) {
        kp_sim_block_ready(sim);
        e = animate(sim, p, &c);
    }
    if (e) {
        kp_sim_close(sim);
        return e;
    }
    *ret_sim = sim;
    return NULL;
}
