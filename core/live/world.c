/* world.c: the live world: what is sent goes to the file that carries it out, what is answered
 * waits in a queue, and wait turns the loop until there is something in it.
 *
 * One loop carries everything: sockets to nodes, sessions to hosts, timers
 * and signals.  kp_loop_turn is the only blocking call.
 */
#include "live/inner.h"

#include <stdlib.h>

enum { CONFIGS_LIMIT = 256 << 20 }; /* what is remembered of topics, twice */

static void no_znode(kp_task *t)
{
    kp_task_fail(t, kp_err_new(KP_CLUSTER, "read it with the release's own bin/zookeeper-shell.sh",
                               "ZooKeeper is not read in this release of kplay"));
}

static void (*const carry_out[KP_REQS])(kp_task *t) = {
    [KP_Q_VIEW] = kp_live_ask_view,
    [KP_Q_NODE] = kp_live_ask_node,
    [KP_Q_QUORUM] = kp_live_ask_quorum,
    [KP_Q_CONFIG] = kp_live_ask_config,
    [KP_Q_LOG_DIRS] = kp_live_ask_log_dirs,
    [KP_Q_REASSIGNMENTS] = kp_live_ask_reassignments,
    [KP_Q_REGISTERED] = kp_live_ask_registered,
    [KP_Q_CONTROLLERS] = kp_live_ask_controllers,
    [KP_Q_GROUPS] = kp_live_ask_groups,
    [KP_Q_LAG] = kp_live_ask_lag,
    [KP_Q_HOST] = kp_live_ask_host,
    [KP_Q_FILE] = kp_live_ask_file,
    [KP_Q_ZNODE] = no_znode,
    [KP_Q_GRANTS] = kp_live_ask_grants,
    [KP_Q_PROOF] = kp_live_ask_proof,
    [KP_Q_RELEASE] = kp_live_ask_release,
    [KP_Q_CLIENTS] = kp_live_ask_clients,
    [KP_A_FENCE] = kp_live_act_fence,
    [KP_A_UNFENCE] = kp_live_act_unfence,
    [KP_A_STOP] = kp_live_act_stop,
    [KP_A_START] = kp_live_act_start,
    [KP_A_LINK] = kp_live_act_link,
    [KP_A_FILE] = kp_live_act_file,
    [KP_A_JOB] = kp_live_act_job,
    [KP_Q_JOB] = kp_live_ask_job,
    [KP_A_ELECT] = kp_live_act_elect,
    [KP_A_CONFIG] = kp_live_act_config,
    [KP_A_UNREGISTER] = kp_live_act_unregister,
};

/* ---- nodes and listeners ---- */

kp_live_node *kp_live_node_of(kp_live *lv, int id)
{
    const kp_node *n = kp_inventory_node(lv->inv, id);
    return n ? &lv->nodes[n - lv->inv->nodes] : NULL;
}

int kp_main_listener(const kp_node *n)
{
    return kp_node_is(n, KP_BROKER) ? n->id : kp_controller_listener(n->id);
}

const char *kp_listener_place(kp_live *lv, kp_arena *a, int listener)
{
    const kp_node *n = kp_inventory_node(lv->inv, kp_listener_node(listener));
    if (listener < 0)
        return kp_printf(a, "controller %d at %s", n->id, n->controller);
    return kp_printf(a, "broker %d at %s", n->id, n->kafka);
}

static int trust(const kp_live *lv, int listener)
{
    switch (kp_kafka_stat(lv->k, listener).link) {
    case KP_LINK_OK:
        return 0;
    case KP_LINK_UNTRIED:
        return 1;
    default:
        return 2;
    }
}

int *kp_live_listeners(kp_live *lv, kp_arena *a, int first, bool controllers, size_t *ret_n)
{
    const kp_inventory *inv = lv->inv;
    int *v = KP_NEW_ARRAY(a, 2 * (size_t)inv->n_nodes + 1, int);
    const kp_live_node *known = first >= 0 ? kp_live_node_of(lv, first) : NULL;
    bool has_first = known && kp_node_is(known->node, KP_BROKER) && trust(lv, first) < 2;
    size_t n = 0;
    if (has_first)
        v[n++] = first;
    for (int pass = 0; pass < (controllers ? 6 : 3); pass++) {
        kp_role role = pass < 3 ? KP_BROKER : KP_CONTROLLER;
        for (uint32_t i = 0; i < inv->n_nodes; i++) {
            const kp_node *node = &inv->nodes[i];
            int listener = role == KP_BROKER ? node->id : kp_controller_listener(node->id);
            if (kp_node_is(node, role) && trust(lv, listener) == pass % 3 &&
                !(has_first && listener == first))
                v[n++] = listener;
        }
    }
    *ret_n = n;
    return v;
}

void kp_live_learn(kp_live *lv, const char *cluster_id, int controller)
{
    if (!*lv->cluster_id && cluster_id && *cluster_id)
        lv->cluster_id = kp_strdup(lv->a, cluster_id);
    if (controller >= 0)
        lv->controller = controller;
}

/* ---- the class ---- */

static void start(kp_task *t)
{
    kp_live *lv = t->lv;
    if (lv->n_tasks > KP_LIVE_REQUESTS) {
        kp_task_fail(t, kp_err_new(KP_INTERNAL, "this is a fault of kplay: please report it",
                                   "more than %d requests are under way", KP_LIVE_REQUESTS));
        return;
    }
    if (t->q.node != KP_ANY_NODE)
        t->node = kp_live_node_of(lv, t->q.node);
    if (!t->node && t->q.node != KP_ANY_NODE) {
        kp_task_fail(t, kp_err_new(KP_CONFIG, "add it to the cluster file",
                                   "node %d is not in the cluster file", t->q.node));
        return;
    }
    if (!t->node && kp_req_of(t->q.kind)->whom != KP_OF_ANY) {
        kp_task_fail(t, kp_err_new(KP_INTERNAL, "this is a fault of kplay: please report it",
                                   "%s was asked of no node", kp_req_name(t->q.kind)));
        return;
    }
    kp_err *e = kp_request_check(&t->q);
    if (e)
        kp_task_fail(t, e);
    else
        carry_out[t->q.kind](t);
}

static uint64_t live_send(kp_world *w, kp_arena *a, const kp_request *q)
{
    kp_live *lv = (kp_live *)w;
    if (q->kind >= KP_REQS)
        kp_die("request %d does not exist (a bug in kplay)", (int)q->kind);
    lv->stats.asked[q->kind]++;
    kp_task *t = kp_task_new(lv, a, q);
    uint64_t ticket = t->reply.ticket;
    start(t);
    if (q->kind == KP_Q_VIEW)
        t->q.view.seen = NULL;
    return ticket;
}

static kp_reply *take(kp_live *lv)
{
    kp_task *t;
    while ((t = TAILQ_FIRST(&lv->answered))) {
        kp_reply *r = NULL;
        if (!t->unwanted) {
            r = t->a ? KP_NEW(t->a, kp_reply) : &lv->acted;
            *r = t->reply;
            t->reply.err = NULL;
        }
        kp_task_free(t);
        if (r)
            return r;
    }
    return NULL;
}

static kp_reply *live_wait(kp_world *w, kp_ms until)
{
    kp_live *lv = (kp_live *)w;
    kp_reply *r = take(lv);
    int signals = kp_loop_signals(lv->l);
    while (!r) {
        kp_loop_turn(lv->l, until);
        r = take(lv);
        if (kp_loop_signals(lv->l) > signals || kp_mono_now() >= until)
            break;
    }
    return r;
}

/* A question is given up; an action goes on, because cutting it off would leave it half done. */
static void live_cancel(kp_world *w, uint64_t ticket)
{
    kp_live *lv = (kp_live *)w;
    kp_task *t;
    TAILQ_FOREACH(t, &lv->answered, link)
    if (t->reply.ticket == ticket) {
        kp_task_free(t);
        return;
    }
    TAILQ_FOREACH(t, &lv->open, link)
    if (t->reply.ticket == ticket) {
        if (t->a)
            kp_task_free(t);
        else
            t->unwanted = true;
        return;
    }
}

static kp_ms live_now(kp_world *w)
{
    (void)w;
    return kp_wall_now();
}

static kp_ms live_mono(kp_world *w)
{
    (void)w;
    return kp_mono_now();
}

static int live_interrupts(kp_world *w)
{
    return kp_loop_signals(((kp_live *)w)->l);
}

static bool live_readable(kp_world *w, int fd)
{
    return kp_loop_readable(((kp_live *)w)->l, fd);
}

static void live_done(kp_world *w)
{
    kp_live *lv = (kp_live *)w;
    kp_task *t;
    while ((t = TAILQ_FIRST(&lv->open)) || (t = TAILQ_FIRST(&lv->answered)))
        kp_task_free(t);
    kp_kafka_free(lv->k);
    kp_hosts_free(lv->hs);
    kp_loop_free(lv->l);
    while (lv->n_spare)
        kp_arena_free(lv->spare[--lv->n_spare]);
    for (size_t i = 0; i < KP_COUNT(lv->configs.a); i++)
        kp_arena_free(lv->configs.a[i]);
    *lv = (kp_live) { 0 };
}

static const kp_world_class live_class = {
    .name = "live",
    .send = live_send,
    .wait = live_wait,
    .cancel = live_cancel,
    .now = live_now,
    .mono = live_mono,
    .interrupts = live_interrupts,
    .readable = live_readable,
    .done = live_done,
};

char *kp_live_sudoers(kp_arena *a, const kp_world *w)
{
    const kp_live *lv = (const kp_live *)w;
    KP_AUTO_BUF b = KP_BUF_INIT(8u << 20);
    for (uint32_t i = 0; i < lv->inv->n_nodes; i++) {
        const char *lines = kp_host_sudoers(a, lv->nodes[i].host);
        if (*lines)
            kp_buf_fmt(&b, "# %s\n%s", lv->inv->nodes[i].host, lines);
    }
    return kp_strdup(a, kp_buf_text(&b));
}

kp_live_stats kp_live_stats_of(const kp_world *w)
{
    return ((const kp_live *)w)->stats;
}

/* ---- making it ---- */

/* about: see kp_kafka_new. */
static kp_err *resolve_properties(kp_arena *a, const kp_inventory *inv, const kp_value **ret_v,
                                  const kp_value **ret_about)
{
    kp_builder b = kp_map_begin(a), about = kp_map_begin(a);
    for (size_t i = 0; i < kp_len(inv->kafka); i++) {
        const char *name = inv->kafka->keys[i], *text;
        const kp_value *v = inv->kafka->u.items[i];
        const char *where = kp_inventory_where(a, inv, kp_printf(a, "kafka.%s", name));
        kp_map_add(
            &about, name,
            kp_map(a, "where", kp_text(a, where), "secret", kp_bool(kp_is(v, KP_MAP)), NULL));
        if (kp_is(v, KP_MAP)) {
            KP_TRY(kp_secret_resolve(a, v, where, &text));
            v = kp_text(a, text);
        }
        kp_map_add(&b, name, v);
    }
    *ret_v = kp_map_end(&b);
    *ret_about = kp_map_end(&about);
    return NULL;
}

static kp_err *add_host(kp_live *lv, const kp_node *n, kp_host **ret_host)
{
    bool systemd = n->service.systemd;
    kp_host_spec spec = {
        .name = n->host,
        .node_id = n->id,
        .address = n->host,
        .port = n->ssh.port,
        .user = n->ssh.user,
        .identity = n->ssh.identity,
        .known_hosts = n->ssh.known_hosts,
        .transport = n->ssh.transport,
        .become_service = n->ssh.become_service,
        .become_files = n->ssh.become_files,
        .service = { .unit = systemd ? n->service.unit : NULL,
                     .start = systemd ? NULL : n->service.start,
                     .stop = systemd ? NULL : n->service.stop,
                     .status = systemd ? NULL : n->service.status },
        .layout = { .current = n->layout.current,
                    .releases = n->layout.releases,
                    .release = n->layout.release,
                    .config = n->layout.config,
                    .log = n->layout.log,
                    .state = n->layout.state },
    };
    return kp_host_new(lv->hs, &spec, ret_host);
}

static kp_err *add_node(kp_live *lv, const kp_node *n, kp_live_node *ret_node)
{
    *ret_node = (kp_live_node) { .node = n };
    if (kp_node_is(n, KP_BROKER))
        KP_TRY(kp_kafka_node(lv->k, n->id, n->kafka));
    if (kp_node_is(n, KP_CONTROLLER))
        KP_TRY(kp_kafka_node(lv->k, kp_controller_listener(n->id), n->controller));
    return add_host(lv, n, &ret_node->host);
}

static kp_err *add_all(kp_live *lv, const kp_value *properties, const kp_value *about)
{
    KP_TRY(kp_kafka_new(lv->l, properties, about, &lv->k));
    lv->hs = kp_hosts_new(lv->l);
    for (uint32_t i = 0; i < lv->inv->n_nodes; i++) {
        const kp_node *n = &lv->inv->nodes[i];
        kp_err *e = add_node(lv, n, &lv->nodes[i]);
        if (e)
            return kp_err_at(e, "%s", n->where);
    }
    return NULL;
}

kp_err *kp_live_world(kp_arena *a, const kp_inventory *inv, kp_world **ret_w)
{
    const kp_value *properties, *about;
    KP_TRY(resolve_properties(a, inv, &properties, &about));
    kp_live *lv = KP_NEW(a, kp_live);
    *lv = (kp_live) {
        .w = { .c = &live_class },
        .inv = inv,
        .a = a,
        .l = kp_loop_new(),
        .nodes = KP_NEW_ARRAY(a, (size_t)inv->n_nodes + 1, kp_live_node),
        .cluster_id = "",
        .controller = -1,
        .configs = { .a = { kp_arena_new("topic configs", CONFIGS_LIMIT),
                            kp_arena_new("topic configs", CONFIGS_LIMIT) } },
    };
    TAILQ_INIT(&lv->open);
    TAILQ_INIT(&lv->answered);
    kp_err *e = add_all(lv, properties, about);
    if (e) {
        live_done(&lv->w);
        return e;
    }
    kp_loop_catch_signals(lv->l);
    *ret_w = &lv->w;
    return NULL;
}
