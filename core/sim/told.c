/* What a simulated cluster tells about itself: its nodes as an inventory, what was done to it, and
 * figures.
 */
#include "sim/oracle.h"

#include <string.h>

/* ---- the inventory ---- */

static kp_node node_of(kp_arena *a, const kp_sim *sim, const kp_sim_node *n)
{
    const char *host = kp_strdup(a, kp_sim_string(sim, n->host));
    const char *releases = kp_strdup(a, kp_sim_string(sim, n->releases_dir));

    return (kp_node) {
        .id = n->id,
        .roles = n->roles,
        .host = host,
        .rack = kp_strdup(a, kp_sim_string(sim, n->rack)),
        .kafka = kp_sim_is_broker(n) ? kp_printf(a, "%s:%u", host, n->port) : "",
        .controller = kp_sim_is_voter(n) ? kp_printf(a, "%s:9093", host) : "",
        .ssh = { .transport = "ssh",
                 .user = "ops",
                 .identity = "",
                 .known_hosts = "",
                 .port = 22,
                 .become_service = "",
                 .become_files = "" },
        .service = { .systemd = true, .unit = "kafka" },
        .layout = { .current = kp_strdup(a, kp_sim_string(sim, n->current)),
                    .releases = releases,
                    .release = "kafka_2.13-{version}",
                    .config = kp_strdup(a, kp_sim_string(sim, n->config)),
                    .log = "/var/log/kafka/server.log",
                    .state = kp_printf(a, "%s/.kplay", releases) },
        .where = "simulated",
    };
}

const kp_inventory *kp_sim_inventory(kp_arena *a, const kp_sim *sim, const kp_inventory *policy)
{
    const kp_sim_header *h = sim->h;
    kp_inventory *inv = KP_NEW(a, kp_inventory);
    kp_node *nodes = KP_NEW_ARRAY(a, h->n_nodes, kp_node);
    kp_builder none = kp_list_begin(a);
    uint32_t n = 0;

    for (uint32_t i = 0; i < h->n_nodes; i++)
        if (!sim->node[i].unmanaged)
            nodes[n++] = node_of(a, sim, &sim->node[i]);
    if (policy)
        *inv = *policy;
    else
        *inv = (kp_inventory) { .path = "simulated",
                                .cluster = "demo",
                                .kafka = kp_map(a, NULL),
                                .free_space = KP_FREE_SPACE,
                                .accept = kp_list_end(&none),
                                .playbooks = kp_map(a, NULL),
                                .runs = "",
                                .where = kp_map(a, NULL) };
    inv->n_nodes = n;
    inv->nodes = nodes;
    inv->n_zookeepers = 0;
    inv->zookeepers = NULL;
    return inv;
}

/* ---- what was done ---- */

void kp_sim_keep_leaders(kp_sim *sim)
{
    sim->keep_leaders = (uint64_t)sim->h->n_brokers * sim->h->n_parts <= KP_SIM_MAX_KEPT;
}

static const kp_value *led_after(kp_arena *a, const kp_sim *sim, uint32_t act)
{
    const kp_sim_led *led = sim->led;
    kp_builder topics = kp_map_begin(a);

    while (led && led->act != act)
        led = led->next;
    if (!led)
        return NULL;
    for (uint32_t t = 0; t < sim->h->n_topics; t++) {
        const kp_sim_topic *topic = &sim->topic[t];
        kp_builder ids = kp_list_begin(a);
        for (uint32_t p = topic->first; p < topic->first + topic->n; p++)
            kp_list_add(&ids, kp_int(a, led->leader[p]));
        kp_map_add(&topics, kp_strdup(a, kp_sim_string(sim, topic->name)), kp_list_end(&ids));
    }
    return kp_map_end(&topics);
}

const kp_value *kp_sim_acts(kp_arena *a, const kp_sim *sim)
{
    kp_builder all = kp_list_begin(a);

    for (uint32_t i = 0; i < sim->h->n_acts; i++) {
        const kp_sim_act *t = &sim->act[i];
        kp_builder b = kp_map_begin(a);
        kp_map_add(&b, "at", kp_int(a, kp_sim_utc(sim, t->at)));
        kp_map_add(&b, "act", kp_text(a, kp_req_name((kp_req)t->kind)));
        kp_map_add(&b, "node", t->node == KP_SIM_NO_NODE ? NULL : kp_int(a, sim->node[t->node].id));
        kp_map_add(&b, "op", kp_textf(a, "%016" PRIx64, t->op));
        kp_map_add(&b, "epoch", kp_int(a, t->epoch));
        if (t->broker_stop) {
            kp_map_add(&b, "leaders_moved", kp_int(a, t->leaders_moved));
            kp_map_add(&b, "peak_urp", kp_int(a, t->peak_urp));
            kp_map_add(&b, "peak_at_min_isr", kp_int(a, t->peak_at_min));
            kp_map_add(&b, "rejoined",
                       t->rejoined ? kp_int(a, kp_sim_utc(sim, t->rejoined)) : NULL);
            kp_map_add(&b, "leaders", led_after(a, sim, i));
        }
        kp_list_add(&all, kp_map_end(&b));
    }
    return kp_list_end(&all);
}

const kp_value *kp_sim_host_counts(kp_arena *a, const kp_sim *sim, int node)
{
    int32_t i = kp_sim_node_find(sim, node);

    if (i == KP_SIM_NO_NODE)
        return kp_nil();
    const kp_sim_node *n = &sim->node[i];
    return kp_map(a, "stops", kp_int(a, n->n_stop), "starts", kp_int(a, n->n_start), "links",
                  kp_int(a, n->n_link), "files", kp_int(a, n->n_file), "jobs", kp_int(a, n->n_job),
                  "fences", kp_int(a, n->n_fence), "repeated", kp_int(a, n->n_repeated), "refused",
                  kp_int(a, n->n_refused), NULL);
}

bool kp_sim_op_acted(const kp_sim *sim, int node, const char *op_id)
{
    int32_t i = kp_sim_node_find(sim, node);

    return i != KP_SIM_NO_NODE && kp_sim_claim_find(sim, i, op_id) != NULL;
}

/* ---- figures ---- */

static void add(uint64_t *h, int64_t x)
{
    *h = kp_sim_mix(*h ^ (uint64_t)x);
}

/* A point in time as it lies from now; what is past or never counts as one thing each. */
static void add_time(uint64_t *h, const kp_sim *sim, kp_us t)
{
    add(h, t == KP_SIM_NEVER ? -1 : t <= sim->h->now ? 0 : t - sim->h->now);
}

static void add_node(uint64_t *h, const kp_sim *sim, const kp_sim_node *n)
{
    const kp_sim_text *t = kp_sim_node_text(n);
    const int64_t fields[] = {
        n->phase,
        n->step,
        n->listed,
        n->in_shutdown,
        n->clean,
        n->again,
        n->mis_pinned,
        n->voter,
        n->down_by,
        n->link,
        n->running,
        n->troubles,
        (int64_t)n->staged,
        n->ibp,
        n->ibp_pinned,
        n->fence,
        n->bad_set,
        n->controller_seen,
        n->stop_asked_at != 0,
        (int64_t)(n->level / 1000),
        (int64_t)(n->span * 1000),
    };

    for (size_t i = 0; i < KP_COUNT(fields); i++)
        add(h, fields[i]);
    add(h, n->behind_since == KP_SIM_NEVER ? -1 : sim->h->now - n->behind_since);
    add_time(h, sim, n->cache_until);
    add_time(h, sim, n->level_at);
    for (uint32_t i = 0; i < t->n; i++)
        *h = (*h ^ (unsigned char)sim->pool[t->off + i]) * 0x100000001b3u;
    for (const char *c = n->holder; *c; c++)
        add(h, *c);
    for (const char *c = n->last; *c; c++)
        add(h, *c);
}

static uint64_t whole_digest(const kp_sim *sim)
{
    const kp_sim_header *head = sim->h;
    uint64_t h = head->digest;

    add(&h, head->leader);
    add(&h, head->leader_epoch);
    add(&h, (int64_t)head->rng);
    add(&h, head->metadata_version);
    for (uint32_t i = 0; i < head->n_nodes; i++)
        add_node(&h, sim, &sim->node[i]);
    for (uint32_t i = 0; i < sim->n_timers; i++)
        add_time(&h, sim, sim->due[i]);
    for (uint32_t i = 0; i < head->n_faults; i++) {
        add(&h, sim->fault[i].state);
        add(&h, sim->fault[i].name);
        add(&h, sim->fault[i].node);
    }
    for (uint32_t i = 0; i < KP_SIM_CONFIGS; i++) {
        if (!sim->config[i].used)
            continue;
        add(&h, sim->config[i].target);
        for (const char *c = sim->config[i].key; *c; c++)
            add(&h, *c);
        for (const char *c = sim->config[i].value; *c; c++)
            add(&h, *c);
    }
    return h;
}

kp_sim_stats kp_sim_stats_of(const kp_sim *sim)
{
    const kp_sim_header *h = sim->h;

    return (kp_sim_stats) { .changes = h->n_changes,
                            .events = h->n_events,
                            .requests = h->n_requests,
                            .trace = h->trace,
                            .digest = whole_digest(sim),
                            .isr_digest = h->isr_digest,
                            .bytes = h->size };
}
