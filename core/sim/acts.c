/* Actions: requests that change a host or the cluster, once they have landed.
 *
 * On a host an action needs the host's fencing epoch and an op id, and one op id acts at most once:
 * its claim is written after its effect, so that a process killed between the two acts again on
 * something that is there already, rather than never.  Everything that acts is logged in order.
 */
#include "sim/oracle.h"

#include <stdlib.h>
#include <string.h>

#define JOB_TAKES (2 * KP_SIM_SECOND)

/* ---- claims ---- */

static void claim_key(const kp_sim *sim, int32_t node, const char *op_id, uint64_t *h1,
                      uint64_t *h2)
{
    uint64_t a = kp_sim_mix((uint64_t)(uint32_t)sim->node[node].id), b = ~a;

    for (const char *c = op_id; *c; c++) {
        a = kp_sim_mix(a ^ (unsigned char)*c);
        b = kp_sim_mix(b + (unsigned char)*c);
    }
    *h1 = a | 1; /* never both zero */
    *h2 = b;
}

/* The entry of a claim, or the free one where it would be; NULL: the table is full. */
static kp_sim_claim *claim_slot(const kp_sim *sim, uint64_t h1, uint64_t h2)
{
    uint32_t cap = 2 * sim->h->max_claims, i = (uint32_t)(h1 % cap);

    for (uint32_t tried = 0; tried < cap; tried++, i = i + 1 == cap ? 0 : i + 1) {
        kp_sim_claim *c = &sim->claim[i];
        if ((c->h1 == h1 && c->h2 == h2) || (c->h1 == 0 && c->h2 == 0))
            return c;
    }
    return NULL;
}

kp_sim_claim *kp_sim_claim_find(const kp_sim *sim, int32_t node, const char *op_id)
{
    uint64_t h1, h2;

    claim_key(sim, node, op_id, &h1, &h2);
    kp_sim_claim *c = claim_slot(sim, h1, h2);
    return c && c->h1 == h1 ? c : NULL;
}

static void claim(kp_sim *sim, int32_t node, const kp_request *q, kp_us ends)
{
    uint64_t h1, h2;

    claim_key(sim, node, q->op.id, &h1, &h2);
    kp_sim_claim *c = claim_slot(sim, h1, h2);
    if (!c)
        return;
    *c = (kp_sim_claim) { .h2 = h2, .ends = ends };
    c->h1 = h1;
    sim->h->n_claims++;
}

/* ---- the log of what acted ---- */

static void log_act(kp_sim *sim, int32_t node, const kp_request *q, bool broker_stop)
{
    kp_sim_header *h = sim->h;
    uint64_t op = 0, more;

    if (h->n_acts == h->max_acts)
        return;
    if (node != KP_SIM_NO_NODE && q->op.id)
        claim_key(sim, node, q->op.id, &op, &more);
    sim->act[h->n_acts] = (kp_sim_act) { .at = h->now,
                                         .op = op,
                                         .epoch = q->op.epoch,
                                         .node = node,
                                         .kind = (uint8_t)q->kind,
                                         .broker_stop = broker_stop };
    h->n_acts++;
    if (!broker_stop)
        return;
    kp_sim_node *n = &sim->node[node];
    if (h->n_open == KP_SIM_OPEN_ACTS || n->open_act != 0)
        return; /* stopped again before it was back: the first stop is the one that is followed */
    h->open_act[h->n_open++] = h->n_acts - 1;
    n->open_act = h->n_acts;
}

/* ---- on a host ---- */

/* As a host says it, whose words are in host/script.c. */
static kp_err *fenced(kp_sim_node *n)
{
    n->n_refused++;
    if (*n->holder) {
        kp_err *e = kp_err_new(KP_REFUSED, "wait", "fenced by %s at %" PRId64, n->holder, n->fence);
        return kp_err_next(e,
                           "only that run may act now; when it is gone for good: kplay resume "
                           "--take-over %s --reason TEXT",
                           n->holder);
    }
    if (n->fence == 0)
        return kp_err_new(KP_REFUSED, "kplay resume raises the fence before it acts",
                          "fenced: no kplay has taken this host over for this cluster");
    return kp_err_new(KP_REFUSED, "kplay resume raises the fence again before it acts",
                      "fenced: nobody holds this host since %s gave it back at %" PRId64, n->last,
                      n->fence);
}

static void put(char to[KP_SIM_HOLDER], const char *text)
{
    memset(to, 0, KP_SIM_HOLDER);
    memcpy(to, text, strnlen(text, KP_SIM_HOLDER - 1));
}

static kp_err *fence(kp_sim *sim, const kp_sim_call *c)
{
    kp_sim_node *n = &sim->node[c->node];
    const char *holder = c->q.op.holder ? c->q.op.holder : "";
    bool ours = kp_streq(holder, n->holder), named = kp_streq(c->q.fence.over, n->holder);

    if (c->q.op.epoch < n->fence || (c->q.op.epoch == n->fence && !ours) ||
        (*n->holder && !ours && !named))
        return fenced(n);
    if (strlen(holder) >= sizeof n->holder)
        return kp_err_new(KP_INTERNAL, "this is a fault of kplay: please report it",
                          "the holder's name is too long");
    if (c->q.op.epoch == n->fence)
        return NULL;
    put(n->holder, holder);
    put(n->last, "");
    put(n->fence_by, c->q.fence.who ? c->q.fence.who : "");
    n->fence_at = sim->h->now;
    n->fence = c->q.op.epoch;
    n->n_fence++;
    log_act(sim, c->node, &c->q, false);
    return NULL;
}

static kp_err *unfence(kp_sim *sim, const kp_sim_call *c)
{
    kp_sim_node *n = &sim->node[c->node];

    if (c->q.op.epoch == n->fence && !*n->holder && kp_streq(c->q.op.holder, n->last))
        return NULL;
    if (c->q.op.epoch != n->fence || !*n->holder || !kp_streq(c->q.op.holder, n->holder))
        return fenced(n);
    put(n->last, n->holder);
    put(n->holder, "");
    put(n->fence_by, c->q.fence.who ? c->q.fence.who : "");
    n->fence_at = sim->h->now;
    log_act(sim, c->node, &c->q, false);
    return NULL;
}

/* As a host says it, whose words are in host/service.c. */
static kp_err *is_meant(const kp_sim_node *n, const kp_sim_call *c)
{
    int64_t pid = c->q.stop.pid;

    if (pid == 0 || !kp_sim_has_process(n) || n->pid == pid)
        return NULL;
    return kp_err_new(KP_REFUSED, "look at the host again: it is not as it was",
                      "refused: process %" PRId64 " is gone and %" PRId64 " runs in its place", pid,
                      (int64_t)n->pid);
}

static void stop(kp_sim *sim, const kp_sim_call *c)
{
    kp_sim_node *n = &sim->node[c->node];
    bool acts = kp_sim_has_process(n) && n->phase != KP_SIM_STOPPING && n->phase != KP_SIM_FAILING;
    bool broker = kp_sim_is_broker(n);

    log_act(sim, c->node, &c->q, acts && broker);
    n->n_stop++;
    if (!acts) {
        kp_sim_node_stop(sim, c->node);
        return;
    }
    if (broker && n->open_act == sim->h->n_acts) /* not when its first stop is still followed */
        n->out_before = sim->out[n->slot];
    kp_sim_oracle_stop(sim, c->node);
    n->down_by = KP_SIM_OURS;
    n->stop_landed_at = sim->h->now;
    kp_sim_node_stop(sim, c->node);
}

static void start(kp_sim *sim, const kp_sim_call *c)
{
    kp_sim_node *n = &sim->node[c->node];

    log_act(sim, c->node, &c->q, false);
    n->n_start++;
    if (n->phase == KP_SIM_OFF || n->phase == KP_SIM_STOPPING)
        kp_sim_oracle_start(sim, c->node);
    kp_sim_node_start(sim, c->node);
}

static int release_index(const kp_sim *sim, const char *version)
{
    for (uint32_t i = 0; version && i < sim->h->n_releases; i++)
        if (strcmp(sim->h->release[i], version) == 0)
            return (int)i;
    return -1;
}

static kp_err *link_release(kp_sim *sim, const kp_sim_call *c)
{
    kp_sim_node *n = &sim->node[c->node];
    int r = release_index(sim, c->q.link.version);

    kp_sim_staging_settle(sim, c->node);
    if (r < 0 || !(n->staged >> r & 1))
        return kp_err_new(KP_HOST, "stage the release on every host first",
                          "release %s is not staged on %s", c->q.link.version,
                          kp_sim_string(sim, n->host));
    n->link = (uint8_t)r;
    n->n_link++;
    log_act(sim, c->node, &c->q, false);
    return NULL;
}

static kp_err *write_file(kp_sim *sim, const kp_sim_call *c)
{
    kp_sim_node *n = &sim->node[c->node];

    if (c->q.file.bytes.n > KP_PROPERTIES_LIMIT)
        return kp_err_new(KP_HOST, "write at most 1 MiB", "no file of that size is written");
    if (!kp_streq(c->q.file.expect, kp_sim_file_of(sim, c->node)->sha256))
        return kp_err_new(KP_REFUSED, "look at the host again: it is not as it was",
                          "refused: %s is not the file that was read",
                          kp_sim_string(sim, n->config));
    if (!kp_sim_text_set(sim, n, c->q.file.bytes.p, c->q.file.bytes.n))
        return kp_err_new(KP_HOST, "make room on the host", "no space left on the simulated host");
    n->n_file++;
    log_act(sim, c->node, &c->q, false);
    return NULL;
}

/* A job takes two seconds and succeeds.  One that names a release archive, kafka_2.13-3.9.1.tgz,
 * stages that release. */
static void job(kp_sim *sim, const kp_sim_call *c)
{
    kp_sim_node *n = &sim->node[c->node];

    kp_sim_staging_settle(sim, c->node);
    for (size_t i = 0; i < kp_len(c->q.job.argv); i++) {
        const char *arg = kp_as_text(kp_at(c->q.job.argv, i), ""), *name = strstr(arg, "kafka_2.1");
        if (!name || strlen(name) < 12)
            continue;
        for (uint32_t r = 0; r < sim->h->n_releases; r++) {
            size_t len = strlen(sim->h->release[r]);
            const char *at = name + strlen("kafka_2.13-");
            if (strncmp(at, sim->h->release[r], len) == 0 && (at[len] == '\0' || at[len] == '.'))
                n->staging |= UINT64_C(1) << r;
        }
    }
    n->staging_until = n->staging ? sim->h->now + JOB_TAKES : 0;
    n->n_job++;
    log_act(sim, c->node, &c->q, false);
}

/* What acts when, and whose faults wait for it. */
static kp_err *on_host(kp_sim *sim, const kp_sim_call *c, bool *ret_cut)
{
    kp_sim_node *n = &sim->node[c->node];

    *ret_cut = false;
    switch (c->q.kind) {
    case KP_A_STOP:
        KP_TRY(is_meant(n, c));
        *ret_cut = kp_sim_faults_count(sim, KP_SIM_ON_STOP, c->node, ++n->asked_stop);
        stop(sim, c);
        return NULL;
    case KP_A_START:
        *ret_cut = kp_sim_faults_count(sim, KP_SIM_ON_START, c->node, ++n->asked_start);
        start(sim, c);
        kp_sim_faults_count(sim, KP_SIM_AFTER_START, c->node, n->asked_start);
        return NULL;
    case KP_A_LINK:
        return link_release(sim, c);
    case KP_A_FILE:
        return write_file(sim, c);
    default:
        job(sim, c);
        return NULL;
    }
}

static kp_err *claimed(kp_sim *sim, const kp_sim_call *c)
{
    kp_sim_node *n = &sim->node[c->node];
    bool cut;

    if (c->q.op.epoch != n->fence || (n->fence && !*n->holder))
        return fenced(n);
    if (kp_sim_claim_find(sim, c->node, c->q.op.id)) {
        n->n_repeated++;
        return NULL;
    }
    if (sim->h->n_claims >= sim->h->max_claims)
        return kp_err_new(KP_HOST, "start a new simulated cluster",
                          "the simulated hosts keep no more than %u op ids", sim->h->max_claims);
    KP_TRY(on_host(sim, c, &cut));
    claim(sim, c->node, &c->q, sim->h->now + (c->q.kind == KP_A_JOB ? JOB_TAKES : 0));
    if (cut)
        return kp_err_retriable(kp_err_new(KP_HOST, "look at the host again",
                                           "the connection to %s was lost",
                                           kp_sim_string(sim, n->host)));
    return NULL;
}

/* ---- on the cluster ---- */

static kp_err *no_controller(void)
{
    return kp_err_retriable(
        kp_err_new(KP_CLUSTER, "wait until a controller is active", "no controller is active"));
}

static kp_err *elect(kp_sim *sim, const kp_sim_call *c)
{
    if (!kp_sim_controller_works(sim))
        return no_controller();
    for (size_t i = 0; i < kp_len(c->q.elect.partitions); i++) {
        const kp_value *one = kp_at(c->q.elect.partitions, i);
        int32_t t = kp_sim_topic_named(sim, kp_get_text(one, "topic", ""));
        int64_t k = kp_get_int(one, "partition", -1);
        if (t >= 0 && k >= 0 &&
            k < (int64_t)sim->topic[t].n) /* others fail for themselves, which nobody is told */
            kp_sim_elect_preferred(sim, sim->topic[t].first + (uint32_t)k);
    }
    if (!c->q.elect.partitions)
        kp_sim_elect_all(sim, false);
    log_act(sim, KP_SIM_NO_NODE, &c->q, false);
    return NULL;
}

static void apply_topic(kp_sim *sim, int32_t topic, const char *key, const char *value)
{
    const kp_sim_topic *t = &sim->topic[topic];

    for (uint32_t p = t->first; p < t->first + t->n; p++) {
        if (strcmp(key, "min.insync.replicas") == 0) {
            long n = value ? strtol(value, NULL, 10) : 1;
            n = n < 1 ? 1 : n > KP_VIEW_MIN_ISR_CAP ? KP_VIEW_MIN_ISR_CAP : n;
            kp_sim_partition_min(sim, p, (unsigned)n);
        } else if (strcmp(key, "unclean.leader.election.enable") == 0) {
            sim->flags[p] = (uint8_t)((sim->flags[p] & ~(unsigned)KP_PART_UNCLEAN) |
                                      (kp_streq(value, "true") ? KP_PART_UNCLEAN : 0u));
        }
    }
}

static kp_err *set_config(kp_sim *sim, uint8_t kind, int32_t target, const char *key,
                          const char *value)
{
    kp_sim_config *at = NULL, *room = NULL;

    for (uint32_t i = 0; i < KP_SIM_CONFIGS && !at; i++) {
        kp_sim_config *c = &sim->config[i];
        if (c->used == 0)
            room = room ? room : c;
        else if (c->used == kind && c->target == target && strcmp(c->key, key) == 0)
            at = c;
    }
    if (!value) {
        if (at)
            at->used = 0;
        return NULL;
    }
    at = at ? at : room;
    if (!at || strlen(key) >= sizeof at->key || strlen(value) >= sizeof at->value)
        return kp_err_new(KP_CLUSTER, "set fewer or shorter values",
                          "the simulator cannot keep %.60s", key);
    at->used = 0;
    at->target = target;
    memcpy(at->key, key, strlen(key) + 1);
    memcpy(at->value, value, strlen(value) + 1);
    at->used = kind;
    return NULL;
}

static kp_err *alter(kp_sim *sim, const kp_sim_call *c)
{
    const char *name = c->q.alter.name;
    bool topic = kp_streq(c->q.alter.resource, "topic");
    int32_t target = -1;

    if (!kp_sim_controller_works(sim))
        return no_controller();
    if (topic) {
        target = kp_sim_topic_named(sim, name ? name : "");
        if (target < 0)
            return kp_err_new(KP_CLUSTER, "check the topic's name", "there is no topic %s",
                              name ? name : "");
    } else if (!name || *name) {
        long id = name ? strtol(name, NULL, 10) : c->q.node;
        if (id < 0 || id > INT32_MAX || kp_sim_node_find(sim, (int)id) == KP_SIM_NO_NODE)
            return kp_err_new(KP_CONFIG, "give the id of a broker", "there is no broker %s",
                              name ? name : "");
        target = (int32_t)id;
    }
    for (uint32_t i = 0; i < kp_len(c->q.alter.edits); i++) {
        const kp_value *edit = c->q.alter.edits->u.items[i];
        const char *key = c->q.alter.edits->keys[i],
                   *value = edit->type == KP_BYTES ? edit->u.s : NULL;
        bool in_arrays = topic && (strcmp(key, "min.insync.replicas") == 0 ||
                                   strcmp(key, "unclean.leader.election.enable") == 0);
        if (in_arrays)
            apply_topic(sim, target, key, value);
        else
            KP_TRY(set_config(sim, topic ? 't' : 'b', target, key, value));
    }
    log_act(sim, KP_SIM_NO_NODE, &c->q, false);
    return NULL;
}

/* Of a broker that is fenced: what a live one does when it is forgotten is not modelled. */
static kp_err *unregister(kp_sim *sim, const kp_sim_call *c)
{
    int32_t node = kp_sim_node_find(sim, c->q.unregister.broker);
    kp_sim_node *n = node == KP_SIM_NO_NODE ? NULL : &sim->node[node];

    if (sim->h->mode == KP_SIM_ZOOKEEPER)
        return kp_err_new(KP_CLUSTER, "stop it: in ZooKeeper mode its registration ends with it",
                          "UNSUPPORTED_VERSION (35): brokers are not unregistered in this mode");
    if (!kp_sim_controller_works(sim))
        return no_controller();
    if (!n || !kp_sim_is_broker(n) || n->unregistered)
        return kp_err_new(KP_CLUSTER, "look at who is registered",
                          "BROKER_ID_NOT_REGISTERED (102): no broker of that id is registered");
    if (n->listed)
        return kp_err_new(KP_CLUSTER, "stop it first",
                          "the simulator unregisters no broker that is alive");
    n->unregistered = true;
    log_act(sim, KP_SIM_NO_NODE, &c->q, false);
    return NULL;
}

kp_err *kp_sim_perform(kp_sim *sim, const kp_sim_call *c)
{
    kp_err *e;

    switch (c->q.kind) {
    case KP_A_ELECT:
        e = elect(sim, c);
        break;
    case KP_A_CONFIG:
        e = alter(sim, c);
        break;
    case KP_A_UNREGISTER:
        e = unregister(sim, c);
        break;
    case KP_A_FENCE:
        e = fence(sim, c);
        break;
    case KP_A_UNFENCE:
        e = unfence(sim, c);
        break;
    default:
        e = claimed(sim, c);
        break;
    }
    kp_sim_settle(sim);
    return e && !e->retriable ? kp_err_certain(e) : e; /* what may pass is a lost connection */
}
