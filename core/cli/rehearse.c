/* The plan snapshot: a simulated copy of the live cluster, for --dry-run.
 *
 * Everything is asked and nothing is changed: views, configurations, each node's host and file.
 * What is not known is left to the simulator's defaults and said by the rehearsal's assumptions.
 * When the copy's run has gone well, the guard's rows are judged on the cluster itself, for what
 * that run did.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const kp_value *topics_of(kp_arena *a, const kp_view *v)
{
    kp_builder topics = kp_list_begin(a);

    for (uint32_t t = 0; t < v->n_topics; t++) {
        const kp_view_topic *topic = &v->topics[t];
        kp_builder parts = kp_list_begin(a);
        KP_AUTO_BUF id = KP_BUF_INIT(64);
        bool unclean = false;
        int min_isr = 1;
        for (int i = 0; i < 16; i++)
            kp_buf_fmt(&id, "%02x", topic->id[i]);
        for (uint32_t p = topic->first; p < topic->first + topic->n; p++) {
            kp_builder replicas = kp_list_begin(a), isr = kp_list_begin(a), one = kp_list_begin(a);
            for (uint32_t k = 0; k < kp_view_rf(v, p); k++) {
                const kp_value *broker = kp_int(a, kp_view_replica_id(v, p, k));
                kp_list_add(&replicas, broker);
                if (kp_view_in_sync(v, p, k))
                    kp_list_add(&isr, broker);
            }
            kp_list_add(&one, kp_list_end(&replicas));
            kp_list_add(&one, kp_list_end(&isr));
            kp_list_add(&one, kp_int(a, kp_view_leader_id(v, p)));
            kp_list_add(&parts, kp_list_end(&one));
            min_isr = v->min_isr[p] ? v->min_isr[p] : 1;
            unclean = unclean || (v->flags[p] & KP_PART_UNCLEAN);
        }
        kp_list_add(&topics,
                    kp_map(a, "name", kp_text(a, topic->name), "id", kp_text(a, kp_buf_text(&id)),
                           "internal", kp_bool(topic->internal), "min_isr", kp_int(a, min_isr),
                           "unclean", kp_bool(unclean), "partitions", kp_list_end(&parts), NULL));
    }
    return kp_list_end(&topics);
}

static const kp_value *registration(const kp_value *registered, int id)
{
    for (size_t i = 0; i < kp_len(registered); i++)
        if (kp_get_int(kp_at(registered, i), "id", -1) == id)
            return kp_at(registered, i);
    return NULL;
}

/* Those that no partition names. */
static void add_ghosts(kp_arena *a, const kp_inventory *inv, const kp_view *v,
                       const kp_value *registered, const kp_value *release, kp_builder *brokers)
{
    for (size_t i = 0; i < kp_len(registered); i++) {
        const kp_value *one = kp_at(registered, i);
        int id = (int)kp_get_int(one, "id", -1);
        if (!kp_inventory_node(inv, id) && kp_view_slot(v, id) < 0)
            kp_list_add(brokers, kp_map(a, "id", kp_get(one, "id"), "host", kp_get(one, "host"),
                                        "rack", kp_get(one, "rack"), "release", release, "alive",
                                        kp_bool(!kp_get_bool(one, "fenced", true)), "managed",
                                        kp_bool(false), "voter", kp_bool(false), NULL));
    }
}

/* Brokers that are in no cluster file: up when they are listed, else down since whenever.  Which
 * release they run is not known; the others' is taken.  registered: nil where nobody tells. */
static void add_unmanaged(kp_arena *a, const kp_inventory *inv, const kp_view *v,
                          const kp_value *registered, const kp_value *release, kp_builder *brokers)
{
    bool told = kp_is(registered, KP_LIST);
    for (uint32_t i = 0; i < v->n_brokers; i++) {
        const kp_view_broker *b = &v->brokers[i];
        if (kp_inventory_node(inv, b->id))
            continue;
        kp_list_add(brokers,
                    kp_map(a, "id", kp_int(a, b->id), "host", *b->host ? kp_text(a, b->host) : NULL,
                           "rack", *b->rack ? kp_text(a, b->rack) : NULL, "release", release,
                           "alive", kp_bool(b->alive), "managed", kp_bool(false), "voter",
                           kp_bool(false), "registered",
                           kp_bool(!told || registration(registered, b->id)), NULL));
    }
    add_ghosts(a, inv, v, registered, release, brokers);
}

/* ---- what is asked of the cluster ---- */

static kp_err *first_error(kp_reply *reply, size_t n, const kp_request *q)
{
    kp_err *first = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!reply[i].err)
            continue;
        if (!first) {
            first = reply[i].err;
            if (!*first->where)
                first = kp_err_at(first, "node %d", q[i].node);
        } else {
            kp_err_drop(reply[i].err);
        }
    }
    return first;
}

/* One node's answers; `said`, its listener's, is NULL for a node that is down. */
typedef struct told {
    const kp_value *host, *file, *said;
} told;

static kp_err *ask_nodes(kp_arena *a, const kp_open_cluster *live, told **ret_told)
{
    const kp_inventory *inv = live->inventory;
    size_t n = inv->n_nodes;
    kp_request *q = KP_NEW_ARRAY(a, 3 * n + 1, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(a, 3 * n + 1, kp_reply);
    told *nodes = KP_NEW_ARRAY(a, n + 1, told);

    for (size_t i = 0; i < n; i++) {
        int id = inv->nodes[i].id;
        q[3 * i] = (kp_request) {
            .kind = KP_Q_HOST, .node = id, .host.since = -1, .within = 20 * KP_SECOND
        };
        q[3 * i + 1] = (kp_request) { .kind = KP_Q_FILE, .node = id, .within = 20 * KP_SECOND };
        q[3 * i + 2] = (kp_request) { .kind = KP_Q_NODE, .node = id };
    }
    kp_world_ask_all(live->world, a, q, 3 * n, reply);
    /* A node that is down answers for nothing; its host still does. */
    for (size_t i = 0; i < n; i++)
        if (reply[3 * i + 2].err) {
            kp_err_drop(reply[3 * i + 2].err);
            reply[3 * i + 2] = (kp_reply) { 0 };
        }
    KP_TRY(first_error(reply, 3 * n, q));
    for (size_t i = 0; i < n; i++)
        nodes[i] = (told) { reply[3 * i].value, reply[3 * i + 1].value, reply[3 * i + 2].value };
    *ret_told = nodes;
    return NULL;
}

/* What the first broker that is up says; NULL: none is. */
static const kp_value *first_broker_said(const kp_inventory *inv, const told *nodes)
{
    for (size_t i = 0; i < inv->n_nodes; i++)
        if (nodes[i].said && kp_node_is(&inv->nodes[i], KP_BROKER))
            return nodes[i].said;
    return NULL;
}

/* The cluster's answers, from any node. */
typedef struct whole {
    bool zookeeper;
    const kp_view *view;
    const kp_value *moves, *registered, *controller;
    const kp_value *ghosts; /* ids of registered controllers that are in no cluster file */
} whole;

static const kp_value *ghost_controllers(kp_arena *a, const kp_inventory *inv, const kp_view *v,
                                         const kp_value *registered)
{
    kp_builder ids = kp_list_begin(a);
    for (size_t i = 0; i < kp_len(registered); i++) {
        const kp_value *id = kp_get(kp_at(registered, i), "id");
        int node = (int)kp_as_int(id, -1);
        if (!kp_inventory_node(inv, node) && kp_view_slot(v, node) < 0)
            kp_list_add(&ids, id);
    }
    return kp_list_end(&ids);
}

static kp_err *ask_whole(kp_arena *a, const kp_open_cluster *live, const char *mode,
                         whole *ret_whole)
{
    bool zookeeper = kp_streq(mode, "zookeeper") || kp_streq(mode, "hybrid");
    kp_request q[] = { { .kind = KP_Q_VIEW, .node = KP_ANY_NODE, .view.with_config = true },
                       { .kind = KP_Q_REASSIGNMENTS, .node = KP_ANY_NODE },
                       { .kind = KP_Q_REGISTERED, .node = KP_ANY_NODE },
                       { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE },
                       { .kind = KP_Q_CONTROLLERS, .node = KP_ANY_NODE } };
    kp_reply got[KP_COUNT(q)];
    size_t n = zookeeper ? 3 : KP_COUNT(q); /* no quorum to ask about */

    kp_world_ask_all(live->world, a, q, n, got);
    KP_TRY(first_error(got, n, q));
    *ret_whole = (whole) { .zookeeper = zookeeper,
                           .view = got[0].view,
                           .moves = got[1].value,
                           .registered = got[2].value,
                           .controller = zookeeper ? kp_int(a, got[0].view->controller)
                                                   : kp_get(got[3].value, "leader"),
                           .ghosts = zookeeper ? NULL
                                               : ghost_controllers(a, live->inventory, got[0].view,
                                                                   got[4].value) };
    return NULL;
}

/* ---- the copy ---- */

static const kp_value *release_of(const kp_value *host)
{
    const kp_value *running = kp_get(host, "running_release");

    return kp_get_int(host, "pid", 0) && running ? running : kp_get(host, "link_release");
}

static const kp_value *node_of(kp_arena *a, const kp_node *node, const told *t)
{
    const kp_layout *at = &node->layout;

    return kp_map(a, "id", kp_int(a, node->id), "host", kp_text(a, node->host), "rack",
                  *node->rack ? kp_text(a, node->rack) : NULL, "release", release_of(t->host),
                  "link_release", kp_get(t->host, "link_release"), "staged",
                  kp_get(t->host, "releases"), "alive", kp_bool(kp_get_int(t->host, "pid", 0) != 0),
                  "properties", kp_get(t->file, "bytes"), "config", kp_text(a, at->config),
                  "current", kp_text(a, at->current), "releases_dir", kp_text(a, at->releases),
                  NULL);
}

static const kp_value *snapshot_of(kp_arena *a, const kp_open_cluster *live, const told *nodes,
                                   const whole *all)
{
    const kp_inventory *inv = live->inventory;
    kp_builder brokers = kp_list_begin(a), controllers = kp_list_begin(a);
    const kp_value *of_others = NULL;
    bool combined = false;

    for (size_t i = 0; i < inv->n_nodes; i++) {
        const kp_node *node = &inv->nodes[i];
        combined = combined || node->roles == (KP_BROKER | KP_CONTROLLER);
        kp_list_add(kp_node_is(node, KP_BROKER) ? &brokers : &controllers,
                    node_of(a, node, &nodes[i]));
        of_others = of_others ? of_others : release_of(nodes[i].host);
    }
    add_unmanaged(a, inv, all->view, all->registered, of_others, &brokers);
    return kp_map(a, "cluster_id", kp_text(a, all->view->cluster_id), "mode",
                  kp_text(a, all->zookeeper ? "zookeeper"
                             : combined     ? "combined"
                                            : "kraft"),
                  "at", kp_int(a, kp_now(live->world)), "metadata_version",
                  kp_get(first_broker_said(inv, nodes), "metadata_version"), "controller",
                  all->controller, "brokers", kp_list_end(&brokers), "controllers",
                  kp_list_end(&controllers), "topics", topics_of(a, all->view), "reassignments",
                  all->moves, "ghost_controllers", all->ghosts, NULL);
}

kp_err *kp_cluster_rehearsal(kp_arena *a, const kp_open_cluster *live, kp_sim **ret_sim)
{
    told *nodes;
    whole all;

    KP_TRY(ask_nodes(a, live, &nodes));
    const char *mode = kp_get_text(first_broker_said(live->inventory, nodes), "mode", "");
    KP_TRY(ask_whole(a, live, mode, &all));
    return kp_sim_from_snapshot(a, snapshot_of(a, live, nodes, &all), ret_sim);
}

/* ---- what a copy cannot show ---- */

/* The nodes that the copy's run acted on, and the release it linked there. */
static kp_err *touched(kp_arena *a, kp_sim *copy, const kp_value **ret_nodes, const char **ret_to)
{
    const kp_value *acts = kp_sim_acts(a, copy);
    kp_builder nodes = kp_list_begin(a);

    *ret_to = NULL;
    for (size_t i = 0; i < kp_len(acts); i++) {
        const kp_value *one = kp_at(acts, i);
        const char *act = kp_get_text(one, "act", "");
        int64_t node = kp_get_int(one, "node", -1);
        bool links = kp_streq(act, "link");
        if (links && !*ret_to) {
            kp_request q = { .kind = KP_Q_HOST, .node = (int)node, .host.since = -1 };
            kp_reply reply;
            kp_world_ask_all(kp_sim_world(copy), a, &q, 1, &reply);
            if (reply.err)
                return reply.err;
            *ret_to = kp_get_text(reply.value, "link_release", NULL);
        }
        if (kp_streq(act, "stop"))
            kp_list_add(&nodes, kp_get(one, "node"));
    }
    *ret_nodes = kp_list_end(&nodes);
    return NULL;
}

/* Whether the copy's run has warned of it. */
static bool was_told(const kp_value *warnings, const kp_value *finding)
{
    for (size_t i = 0; i < kp_len(warnings); i++)
        if (strstr(kp_as_text(kp_at(warnings, i), ""), kp_get_text(finding, "text", "?")))
            return true;
    return false;
}

/* Those of the cluster itself beside the copy's; *io_report has all of them then. */
static void tell_warnings(kp_arena *a, const kp_run_spec *rehearsed, const kp_value *found,
                          const kp_value **io_report)
{
    const kp_value *before = kp_get(*io_report, "warnings");
    kp_builder all = kp_list_begin(a);

    for (size_t i = 0; i < kp_len(before); i++)
        kp_list_add(&all, kp_at(before, i));
    for (size_t i = 0; i < kp_len(found); i++) {
        const kp_value *f = kp_at(found, i);
        const char *text = kp_get_text(f, "text", "");
        if (!kp_streq(kp_get_text(f, "severity", ""), "warn") || was_told(before, f))
            continue;
        kp_list_add(&all, kp_text(a, text));
        rehearsed->sink.event(rehearsed->sink.ud,
                              &(kp_event) { .kind = KP_E_WARN,
                                            .t = kp_now(rehearsed->world),
                                            .step = "",
                                            .text = kp_printf(a, "the cluster itself: %s", text),
                                            .value = f });
    }
    const kp_value *warnings = kp_list_end(&all);
    *io_report = kp_map_with(a, *io_report, "warnings", warnings);
    *io_report = kp_map_with(a, *io_report, "warned", kp_bool(kp_len(warnings) > 0));
}

kp_err *kp_cluster_judge(kp_arena *a, const kp_open_cluster *live, const kp_run_spec *rehearsed,
                         kp_sim *copy, const kp_value **io_report)
{
    kp_run_spec spec = { .verbs = kp_verbs,
                         .world = live->world,
                         .inventory = live->inventory,
                         .who = rehearsed->who,
                         .overrides = rehearsed->overrides,
                         .n_overrides = rehearsed->n_overrides };
    const kp_value *nodes, *found, *first = NULL;
    const char *to;
    KP_AUTO_BUF also = KP_BUF_INIT(64 << 10);

    KP_TRY(touched(a, copy, &nodes, &to));
    if (kp_len(nodes) == 0)
        return NULL;
    KP_TRY(kp_run_findings(a, &spec, nodes, to, &found));
    for (size_t i = 0; i < kp_len(found); i++) {
        const kp_value *f = kp_at(found, i);
        if (!kp_streq(kp_get_text(f, "severity", ""), "refuse") || kp_get(f, "covered"))
            continue;
        if (first)
            kp_buf_fmt(&also, "also  %s\n", kp_get_text(f, "text", ""));
        first = first ? first : f;
    }
    if (!first) {
        tell_warnings(a, rehearsed, found, io_report);
        return NULL;
    }
    kp_err *e = kp_err_new(KP_SAFETY, kp_get_text(first, "next", "mend it"),
                           "the copy goes well, the cluster itself would be refused: %s",
                           kp_get_text(first, "text", ""));
    return kp_err_detail(e, "%s%s", kp_get_text(first, "detail", ""), kp_buf_text(&also));
}
