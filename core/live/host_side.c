/* host_side.c: the questions and actions on hosts, in the words of world.h.
 *
 * kplay's directory on a host is named by the cluster's id, so nearly everything here needs that id
 * first.  It is that of the first node that told it in this process.  When no node has, the brokers
 * are asked, and when none answers (the whole cluster is down), the host's own log dirs are
 * believed.
 */
#include "live/inner.h"

#include <string.h>

#define ASK_BROKERS (2 * KP_SECOND)

typedef void (*with_cluster)(kp_task *t, const char *cluster);

typedef struct cluster_ask {
    with_cluster fn;
} cluster_ask;

/* ---- the cluster's id ---- */

static const char *cluster_of_state(const kp_value *state)
{
    const char *running = kp_get_text(kp_get(state, "process"), "cluster_id", NULL);
    return running ? running : kp_get_text(kp_get(state, "config"), "cluster_id", NULL);
}

static void on_own_state(kp_task *t, kp_err *e, const kp_value *v)
{
    const cluster_ask *ask = t->state;
    const char *cluster = e ? NULL : cluster_of_state(v);
    if (!e && !cluster && t->q.kind != KP_Q_HOST)
        e = kp_err_at(kp_err_new(KP_CLUSTER, "start a broker, or format this node's log dirs",
                                 "no broker answers and no log dir here tells the cluster's id"),
                      "%s", kp_host_name(t->node->host));
    if (e)
        kp_task_fail(t, e);
    else
        ask->fn(t, cluster);
}

static void ask_state(kp_task *t, kp_host_question q, kp_host_leg_fn fn)
{
    kp_leg *leg = kp_task_host_leg(t, fn);
    q.deadline = t->deadline;
    leg->host = kp_host_state(t->node->host, t->own, &q, kp_leg_on_host, leg);
}

static void on_brokers(kp_task *t, int listener, kp_err *e, const void *response)
{
    const cluster_ask *ask = t->state;
    const kp_metadata_response *m = response;
    (void)listener;
    if (!e)
        kp_live_learn(t->lv, m->cluster_id, m->controller_id);
    kp_err_drop(e);
    if (*t->lv->cluster_id)
        ask->fn(t, t->lv->cluster_id);
    else
        ask_state(t, (kp_host_question) { .log_since = -1 }, on_own_state);
}

static void for_cluster(kp_task *t, with_cluster fn)
{
    if (*t->lv->cluster_id) {
        fn(t, t->lv->cluster_id);
        return;
    }
    cluster_ask *ask = KP_NEW(t->own, cluster_ask);
    ask->fn = fn;
    t->state = ask;
    kp_ms deadline = t->deadline, soon = kp_mono_now() + ASK_BROKERS;
    size_t n;
    int *listeners = kp_live_listeners(t->lv, t->own, -1, false, &n);
    t->deadline = soon < deadline ? soon : deadline;
    kp_task_any(t, listeners, n, KP_METADATA, &kp_no_topics, on_brokers);
    t->deadline = deadline;
}

/* ---- questions ---- */

/* Ends the task with v, from another arena. */
static void done_with(kp_task *t, const kp_value *v)
{
    kp_task_done(t, kp_main_listener(t->node->node), kp_value_copy(t->a, v));
}

static const kp_value *pick(kp_arena *a, const kp_value *map, const char *const *keys)
{
    if (!map)
        return NULL;
    kp_builder b = kp_map_begin(a);
    for (; *keys; keys++)
        kp_map_add(&b, *keys, kp_get(map, *keys));
    return kp_map_end(&b);
}

/* The state as world.h has it: what both worlds know. */
static const kp_value *state_value(kp_arena *a, const kp_value *state)
{
    static const char *const keys[] = { "boot_id",
                                        "pid",
                                        "start_time",
                                        "process",
                                        "config",
                                        "running_release",
                                        "link",
                                        "link_release",
                                        "releases",
                                        "dirs",
                                        "clean_dirs",
                                        "config_sha256",
                                        "log_size",
                                        "log_turned",
                                        "signs",
                                        "service",
                                        "fence",
                                        "free",
                                        "pids",
                                        "script",
                                        "dirs_by",
                                        "releases_partial",
                                        "releases_other",
                                        "agents",
                                        NULL };
    static const char *const process[] = { "config",   "node_id",   "cluster_id", "roles",
                                           "mode",     "overrides", "cwd",        "problems",
                                           "releases", "java",      "listening",  NULL };
    static const char *const config[] = { "node_id",  "cluster_id",          "roles", "mode",
                                          "problems", "path_inside_release", NULL };
    const kp_value *v = pick(a, state, keys);
    v = kp_map_with(a, v, "log_dirs", kp_get(state, "log_paths"));
    v = kp_map_with(a, v, "process", pick(a, kp_get(state, "process"), process));
    return kp_map_with(a, v, "config", pick(a, kp_get(state, "config"), config));
}

static void on_state(kp_task *t, kp_err *e, const kp_value *v)
{
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    done_with(t, state_value(t->own, v));
}

static void state_of(kp_task *t, const char *cluster)
{
    ask_state(t,
              (kp_host_question) { .cluster = cluster,
                                   .log_since = t->q.host.since,
                                   .dirs = t->q.host.dirs,
                                   .agents = t->q.host.agents },
              on_state);
}

void kp_live_ask_host(kp_task *t)
{
    for_cluster(t, state_of);
}

static void on_file(kp_task *t, kp_err *e, const kp_value *v)
{
    static const char *const keys[] = { "path", "bytes", "sha256", NULL };
    if (!e && !kp_get_bool(v, "found", false))
        e = kp_err_at(kp_err_new(KP_HOST, "correct layout.config in the cluster file",
                                 "there is no file %s", t->node->node->layout.config),
                      "%s", kp_host_name(t->node->host));
    if (e)
        kp_task_fail(t, e);
    else
        done_with(t, pick(t->own, v, keys));
}

void kp_live_ask_file(kp_task *t)
{
    kp_leg *leg = kp_task_host_leg(t, on_file);
    leg->host = kp_host_file_read(t->node->host, t->own, t->node->node->layout.config, t->deadline,
                                  kp_leg_on_host, leg);
}

static void on_grants(kp_task *t, kp_err *e, const kp_value *v)
{
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    kp_builder list = kp_list_begin(t->own);
    for (size_t i = 0; i < kp_len(v); i++) {
        const kp_value *one = kp_at(v, i);
        kp_list_add(&list, kp_textf(t->own, "%s: %s", kp_get_text(one, "act", "act"),
                                    kp_get_text(one, "what", "not allowed")));
    }
    done_with(t, kp_list_end(&list));
}

void kp_live_ask_grants(kp_task *t)
{
    kp_leg *leg = kp_task_host_leg(t, on_grants);
    leg->host = kp_host_permissions(t->node->host, t->own, t->deadline, kp_leg_on_host, leg);
}

/* The room's answer is the request's. */
static void on_told(kp_task *t, kp_err *e, const kp_value *v)
{
    if (e)
        kp_task_fail(t, e);
    else
        done_with(t, v);
}

void kp_live_ask_proof(kp_task *t)
{
    kp_leg *leg = kp_task_host_leg(t, on_told);
    kp_host_proving q = { .version = t->q.proof.version,
                          .classes = t->q.proof.classes,
                          .deadline = t->deadline };
    leg->host = kp_host_proof(t->node->host, t->own, &q, kp_leg_on_host, leg);
}

void kp_live_ask_release(kp_task *t)
{
    kp_leg *leg = kp_task_host_leg(t, on_told);
    leg->host = kp_host_release_info(t->node->host, t->own, t->q.release.version, t->deadline,
                                     kp_leg_on_host, leg);
}

void kp_live_ask_clients(kp_task *t)
{
    kp_leg *leg = kp_task_host_leg(t, on_told);
    leg->host = kp_host_clients(t->node->host, t->own, t->deadline, kp_leg_on_host, leg);
}

static kp_host_op op_of(const kp_task *t, const char *cluster)
{
    return (kp_host_op) {
        .id = t->q.op.id, .cluster = cluster, .epoch = t->q.op.epoch, .deadline = t->deadline
    };
}

static void on_job_state(kp_task *t, kp_err *e, const kp_value *v)
{
    static const char *const keys[] = { "state", "rc", "output", NULL };
    if (e)
        kp_task_fail(t, e);
    else
        done_with(t, pick(t->own, v, keys));
}

static void job_state_of(kp_task *t, const char *cluster)
{
    kp_leg *leg = kp_task_host_leg(t, on_job_state);
    kp_host_op op = op_of(t, cluster);
    leg->host = kp_host_job_poll(t->node->host, t->own, &op, 0, kp_leg_on_host, leg);
}

void kp_live_ask_job(kp_task *t)
{
    for_cluster(t, job_state_of);
}

/* ---- actions ---- */

static void on_acted(kp_task *t, kp_err *e, const kp_value *v)
{
    (void)v;
    if (e)
        kp_task_fail(t, e);
    else
        kp_task_done(t, kp_main_listener(t->node->node), NULL);
}

static kp_host_claim claim_of(const kp_task *t, const char *cluster)
{
    return (kp_host_claim) { .cluster = cluster,
                             .epoch = t->q.op.epoch,
                             .holder = t->q.op.holder,
                             .over = t->q.fence.over,
                             .who = t->q.fence.who,
                             .deadline = t->deadline };
}

static void fence(kp_task *t, const char *cluster)
{
    kp_leg *leg = kp_task_host_leg(t, on_acted);
    kp_host_claim claim = claim_of(t, cluster);
    leg->host = kp_host_fence(t->node->host, t->own, &claim, kp_leg_on_host, leg);
}

static void unfence(kp_task *t, const char *cluster)
{
    kp_leg *leg = kp_task_host_leg(t, on_acted);
    kp_host_claim claim = claim_of(t, cluster);
    leg->host = kp_host_unfence(t->node->host, t->own, &claim, kp_leg_on_host, leg);
}

static void stop(kp_task *t, const char *cluster)
{
    kp_leg *leg = kp_task_host_leg(t, on_acted);
    kp_host_op op = op_of(t, cluster);
    leg->host = kp_host_stop(t->node->host, t->own, &op, t->q.stop.pid, t->q.stop.start_time,
                             kp_leg_on_host, leg);
}

static void start(kp_task *t, const char *cluster)
{
    kp_leg *leg = kp_task_host_leg(t, on_acted);
    kp_host_op op = op_of(t, cluster);
    leg->host = kp_host_start(t->node->host, t->own, &op, kp_leg_on_host, leg);
}

static void link_release(kp_task *t, const char *cluster)
{
    kp_leg *leg = kp_task_host_leg(t, on_acted);
    kp_host_op op = op_of(t, cluster);
    leg->host = kp_host_link(t->node->host, t->own, &op, t->q.link.version, kp_leg_on_host, leg);
}

static void write_file(kp_task *t, const char *cluster)
{
    kp_leg *leg = kp_task_host_leg(t, on_acted);
    kp_host_op op = op_of(t, cluster);
    kp_host_file f = { .path = t->node->node->layout.config,
                       .bytes = t->q.file.bytes.p,
                       .n = t->q.file.bytes.n,
                       .expect = t->q.file.expect };
    leg->host = kp_host_file_write(t->node->host, t->own, &op, &f, kp_leg_on_host, leg);
}

static void job(kp_task *t, const char *cluster)
{
    kp_leg *leg = kp_task_host_leg(t, on_acted);
    kp_host_op op = op_of(t, cluster);
    KP_AUTO_BUF script = KP_BUF_INIT(KP_HOST_SCRIPT_LIMIT);
    for (size_t i = 0; i < kp_len(t->q.job.argv); i++)
        kp_buf_fmt(&script, "%s%s", i ? " " : "",
                   kp_host_quote(t->own, kp_as_text(kp_at(t->q.job.argv, i), "")));
    leg->host = kp_host_job(t->node->host, t->own, &op, "exec", kp_buf_text(&script),
                            kp_leg_on_host, leg);
}

void kp_live_act_fence(kp_task *t)
{
    for_cluster(t, fence);
}

void kp_live_act_unfence(kp_task *t)
{
    for_cluster(t, unfence);
}

void kp_live_act_stop(kp_task *t)
{
    for_cluster(t, stop);
}

void kp_live_act_start(kp_task *t)
{
    for_cluster(t, start);
}

void kp_live_act_link(kp_task *t)
{
    for_cluster(t, link_release);
}

void kp_live_act_file(kp_task *t)
{
    for_cluster(t, write_file);
}

void kp_live_act_job(kp_task *t)
{
    for_cluster(t, job);
}
