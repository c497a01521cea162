/* Hosts: what a node's host shows of its process, release, file, log and fence.
 *
 * Every process is found, whatever its brokers say: this is the side of a node that is seen over
 * SSH.
 */
#include "sim/oracle.h"

#include <string.h>

/* What a job that has ended staged is there from then on. */
void kp_sim_staging_settle(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    if (n->staging_until == 0 || sim->h->now < n->staging_until)
        return;
    n->staged |= n->staging;
    n->staging = 0;
    n->staging_until = 0;
}

/* The list of releases of a mask; most hosts have the same. */
static const kp_value *staged_list(kp_sim *sim, kp_arena *a, uint64_t mask)
{
    size_t i = 0;

    while (i < KP_COUNT(sim->staged) && sim->staged[i].list && sim->staged[i].mask != mask)
        i++;
    if (i < KP_COUNT(sim->staged) && sim->staged[i].list)
        return sim->staged[i].list;
    kp_arena *to = i < KP_COUNT(sim->staged) ? sim->own : a;
    kp_builder b = kp_list_begin(to);
    for (uint32_t r = 0; r < sim->h->n_releases; r++)
        if (mask >> r & 1)
            kp_list_add(&b, kp_text(to, sim->h->release[r]));
    const kp_value *list = kp_list_end(&b);
    if (to == sim->own) {
        sim->staged[i].mask = mask;
        sim->staged[i].list = list;
    }
    return list;
}

static const char *roles_text(unsigned roles)
{
    return roles == (KP_BROKER | KP_CONTROLLER) ? "broker,controller"
           : roles == KP_CONTROLLER             ? "controller"
                                                : "broker";
}

const kp_sim_file *kp_sim_file_of(kp_sim *sim, int32_t node)
{
    const kp_sim_node *n = &sim->node[node];
    const kp_sim_text *t = kp_sim_node_text(n);
    kp_sim_file *f = &sim->file[node];

    if (f->gen == n->text_gen + 1)
        return f;
    kp_arena_reset(sim->scratch);
    const kp_server_config *c = kp_server_config_read(
        sim->scratch, &(kp_config_source) { .text = sim->pool + t->off, .n = t->n });
    kp_builder dir = kp_list_begin(sim->scratch);
    if (kp_len(c->log_dirs))
        kp_list_add(&dir, kp_at(c->log_dirs, 0));
    *f = (kp_sim_file) {
        .has_id = c->has_id,
        .kraft = c->kraft,
        .roles = c->roles,
        .node_id = c->node_id,
        .problems = kp_value_copy(sim->own, kp_config_problems_value(sim->scratch, c)),
        .log_dirs = kp_value_copy(sim->own, kp_list_end(&dir)),
    };
    memcpy(f->sha256, kp_sha256_hex(sim->scratch, sim->pool + t->off, t->n), sizeof f->sha256);
    f->gen = n->text_gen + 1;
    return f;
}

static const kp_value *signs_of(const kp_sim *sim, kp_arena *a, const kp_sim_node *n, int64_t since)
{
    kp_builder errors = kp_list_begin(a), b = kp_map_begin(a);
    uint32_t first = n->n_signs > KP_SIM_SIGNS ? n->n_signs - KP_SIM_SIGNS : 0;

    for (uint32_t i = first; i < n->n_signs; i++) {
        const kp_sim_sign *s = &n->sign[i % KP_SIM_SIGNS];
        if (s->at <= since)
            continue;
        if (kp_sim_line_is_error(s->line))
            kp_list_add(&errors, kp_text(a, kp_sim_line_text(a, sim, n, s)));
        if (s->line == KP_SIM_LINE_STARTED)
            kp_map_add(&b, "started", kp_bool(true));
        else if (s->line == KP_SIM_LINE_DUPLICATE)
            kp_map_add(&b, "duplicate_registration", kp_bool(true));
        else if (s->line == KP_SIM_LINE_FETCH)
            kp_map_add(&b, "mis_pinned", kp_bool(true));
        else if (s->line == KP_SIM_LINE_RECOVERY)
            kp_map_add(&b, "recovering", kp_bool(true));
        else if (s->line == KP_SIM_LINE_UNCLEAN)
            kp_map_add(&b, "stop_timed_out", kp_bool(true));
    }
    kp_map_add(&b, "errors", kp_list_end(&errors));
    if (n->phase == KP_SIM_BOOTING || n->phase == KP_SIM_RUNNING)
        kp_map_add(&b, "advanced", kp_int(a, kp_sim_log_size(sim, n)));
    return kp_map_end(&b);
}

#define CONTROLLER_PORT 9093

/* A broker takes connections when it serves, in ZooKeeper mode as soon as it registers. */
static const kp_value *ports_of(const kp_sim *sim, kp_arena *a, const kp_sim_node *n)
{
    kp_builder b = kp_list_begin(a);
    bool serves = n->phase == KP_SIM_RUNNING ||
                  (n->phase == KP_SIM_JOINING && sim->h->mode == KP_SIM_ZOOKEEPER);
    if (serves && kp_sim_is_broker(n))
        kp_list_add(&b, kp_int(a, n->port));
    if (n->voter > 0)
        kp_list_add(&b, kp_int(a, CONTROLLER_PORT));
    return kp_list_end(&b);
}

static const char *service_state(const kp_sim_node *n)
{
    switch ((kp_sim_phase)n->phase) {
    case KP_SIM_OFF:
        return n->again ? "activating" : n->service_failed ? "failed" : "inactive";
    case KP_SIM_STOPPING:
        return "deactivating";
    default:
        return n->stop_asked_at != 0 ? "deactivating" : "active";
    }
}

/* It was started with the file as it is, and with nothing on its command line. */
static const kp_value *process_value(kp_sim *sim, kp_arena *a, const kp_sim_node *n,
                                     const kp_sim_file *file)
{
    bool kraft = sim->h->mode != KP_SIM_ZOOKEEPER;
    kp_builder releases = kp_list_begin(a);
    kp_list_add(&releases, kp_text(a, sim->h->release[n->running]));
    return kp_map(a, "config", kp_text(a, kp_sim_string(sim, n->config)), "node_id",
                  kp_int(a, n->id), "cluster_id", kp_text(a, sim->h->cluster_id), "roles",
                  kp_text(a, roles_text(n->roles)), "mode",
                  kp_text(a, kraft ? "kraft" : "zookeeper"), "problems", file->problems,
                  "releases", kp_list_end(&releases), "java", kp_text(a, "/usr/bin/java"),
                  "listening", ports_of(sim, a, n), NULL);
}

#define SYSTEMD_STOP_LIMIT (90 * KP_SECOND) /* DefaultTimeoutStopSec */

static const kp_value *service_value(kp_arena *a, const kp_sim_node *n)
{
    bool brief = n->troubles & KP_SIM_SHORT_STOP;
    return kp_map(a, "manager", kp_text(a, "systemd"), "state", kp_text(a, service_state(n)),
                  "restarts", kp_int(a, n->restarts), "stop_timeout",
                  kp_int(a, brief ? SYSTEMD_STOP_LIMIT : -1), "send_sigkill", kp_text(a, "yes"),
                  "kill_mode", kp_text(a, "control-group"), NULL);
}

static const kp_value *agents_of(kp_arena *a, const kp_sim_node *n)
{
    kp_builder b = kp_list_begin(a);
    if (n->troubles & KP_SIM_AGENT)
        kp_list_add(&b, kp_text(a, "puppet"));
    return kp_list_end(&b);
}

static const kp_value *host_state(kp_sim *sim, kp_arena *a, int32_t node, const kp_request *q)
{
    const kp_sim_node *n = &sim->node[node];
    const kp_sim_file *file = kp_sim_file_of(sim, node);
    bool up = kp_sim_has_process(n);
    uint64_t boot = kp_sim_mix(sim->h->seed ^ (uint64_t)n->id << 20);
    const kp_value *process = NULL;

    if (up)
        process = process_value(sim, a, n, file);
    kp_builder b = kp_map_begin(a);
    kp_map_add(&b, "boot_id",
               kp_textf(a, "%08x-%04x-4000-8000-%012x", (unsigned)(boot >> 32),
                        (unsigned)(boot >> 16 & 0xffff), (unsigned)(boot & 0xffff)));
    kp_map_add(&b, "pid", kp_int(a, up ? n->pid : 0));
    kp_map_add(&b, "start_time", up ? kp_int(a, n->started_at / (10 * KP_SIM_MS)) : NULL);
    kp_map_add(&b, "process", process);
    kp_map_add(&b, "config",
               kp_map(a, "node_id", file->has_id ? kp_int(a, file->node_id) : NULL, "cluster_id",
                      kp_text(a, sim->h->cluster_id), "roles", kp_text(a, roles_text(file->roles)),
                      "mode", kp_text(a, file->kraft ? "kraft" : "zookeeper"), "problems",
                      file->problems, NULL));
    kp_map_add(&b, "running_release", up ? kp_text(a, sim->h->release[n->running]) : NULL);
    kp_map_add(&b, "link",
               kp_textf(a, "%s/kafka_2.13-%s", kp_sim_string(sim, n->releases_dir),
                        sim->h->release[n->link]));
    kp_map_add(&b, "link_release", kp_text(a, sim->h->release[n->link]));
    kp_map_add(&b, "releases", staged_list(sim, a, n->staged));
    kp_map_add(&b, "dirs", kp_int(a, 1));
    kp_map_add(&b, "dirs_by", kp_text(a, kp_len(q->host.dirs) ? "question" : "file"));
    kp_map_add(&b, "log_dirs", file->log_dirs);
    kp_map_add(&b, "clean_dirs", kp_int(a, n->clean));
    kp_map_add(&b, "config_sha256", kp_text(a, file->sha256));
    kp_map_add(&b, "log_size", kp_int(a, kp_sim_log_size(sim, n)));
    kp_map_add(&b, "signs", q->host.since >= 0 ? signs_of(sim, a, n, q->host.since) : NULL);
    kp_map_add(&b, "service", service_value(a, n));
    kp_map_add(&b, "agents", q->host.agents ? agents_of(a, n) : NULL);
    kp_map_add(&b, "fence",
               kp_map(a, "epoch", kp_int(a, n->fence), "holder",
                      *n->holder ? kp_text(a, n->holder) : NULL, "last",
                      *n->last ? kp_text(a, n->last) : NULL, "by",
                      *n->fence_by ? kp_text(a, n->fence_by) : NULL, "since",
                      n->fence ? kp_int(a, kp_sim_utc(sim, n->fence_at)) : NULL, NULL));
    kp_map_add(&b, "free", kp_int(a, kp_sim_free(n)));
    return kp_map_end(&b);
}

static const kp_value *job_state(const kp_sim *sim, kp_arena *a, const kp_sim_claim *claim)
{
    if (!claim)
        return kp_map(a, "state", kp_text(a, "none"), NULL);
    if (sim->h->now < claim->ends)
        return kp_map(a, "state", kp_text(a, "running"), NULL);
    return kp_map(a, "state", kp_text(a, "done"), "rc", kp_int(a, 0), "output", kp_text(a, ""),
                  NULL);
}

/* What the host says of the node's next start, beside what the release says of its file. */
static const kp_value *with_start(kp_arena *a, const kp_sim_node *n, const kp_value *classes,
                                  const kp_value *v)
{
    kp_builder missing = kp_list_begin(a), refused = kp_list_begin(a);
    bool other_java = n->troubles & KP_SIM_OTHER_JAVA, up = kp_sim_has_process(n);

    for (size_t i = 0; i < kp_len(classes); i++)
        if (kp_starts_with(kp_get_text(kp_at(classes, i), "class", ""), KP_SIM_MISSING))
            kp_list_add(&missing, kp_get(kp_at(classes, i), "class"));
    if (up && other_java)
        kp_list_add(&refused, kp_text(a, "Unrecognized VM option 'UseConcMarkSweepGC'"));
    v = kp_map_with(a, v, "classes_missing", kp_len(classes) ? kp_list_end(&missing) : NULL);
    v = kp_map_with(a, v, "class_path_known", kp_len(classes) ? kp_bool(up) : NULL);
    v = kp_map_with(a, v, "jvm_tried", kp_bool(up && other_java));
    v = kp_map_with(a, v, "jvm_refused", kp_list_end(&refused));
    return up && n->troubles & KP_SIM_LOG4J1
               ? kp_map_with(a, v, "log4j", kp_text(a, "file:/etc/kafka/log4j.properties"))
               : v;
}

/* What is said of a file by a release: the last line of the process it would not start. */
static const kp_value *proof(kp_sim *sim, kp_arena *a, const kp_request *q, int32_t node)
{
    kp_sim_node as = sim->node[node];
    uint32_t r = 0;
    const char *problem = NULL, *kind = NULL, *fatal = "fatal exception: ";

    while (r < sim->h->n_releases && !kp_streq(sim->h->release[r], q->proof.version))
        r++;
    char *dir = kp_printf(a, "%s/kafka_2.13-%s", kp_sim_string(sim, as.releases_dir),
                          q->proof.version);
    if (r == sim->h->n_releases || !(as.staged >> r & 1)) {
        kind = "missing";
        problem = kp_printf(a, "there is no release in %s", dir);
    } else {
        as.running = (uint8_t)r;
        kp_sim_refusal why = kp_sim_file_refusal(sim, &as);
        const kp_sim_sign sign = { .line = why.line, .arg = why.arg };
        if (why.line) {
            kind = why.line == KP_SIM_LINE_JAVA ? "java" : "config";
            problem = kp_sim_line_text(a, sim, &as, &sign);
            const char *words = strstr(problem, fatal);
            problem = words ? words + strlen(fatal) : problem;
        }
    }
    bool ran = !kind || kp_streq(kind, "config");
    const kp_value *v = kp_map(
        a, "ran", kp_bool(ran), "kind", kp_text(a, kind), "problem", kp_text(a, problem), "java",
        kp_textf(a, "%u.0.12", kp_sim_java(&as)), "java_major", kp_int(a, kp_sim_java(&as)),
        "java_path", kp_text(a, "/usr/bin/java"), "file_sha256",
        kp_text(a, kp_sim_file_of(sim, node)->sha256), "release_dir", kp_text(a, dir), NULL);
    return with_start(a, &as, q->proof.classes, v);
}

/* Every key that a node's file has, but those that are gone from the release. */
static const kp_value *keys_known(kp_sim *sim, kp_arena *a, const kp_sim_release_facts *f)
{
    kp_builder known = kp_map_begin(a), keys = kp_list_begin(a);
    for (uint32_t i = 0; i < sim->h->n_nodes; i++) {
        const kp_sim_text *t = kp_sim_node_text(&sim->node[i]);
        const kp_value *file = kp_properties_parse(a, sim->pool + t->off, t->n);
        for (uint32_t k = 0; k < file->n; k++)
            if (kp_sim_knows_key(f, file->keys[k]))
                kp_map_add(&known, file->keys[k], kp_bool(true));
    }
    const kp_value *all = kp_map_end(&known);
    for (uint32_t i = 0; i < all->n; i++)
        kp_list_add(&keys, kp_text(a, all->keys[i]));
    return kp_list_end(&keys);
}

static const kp_value *release_told(kp_sim *sim, kp_arena *a, const kp_request *q, int32_t node)
{
    const kp_sim_node *n = &sim->node[node];
    const char *version = q->release.version;
    const kp_sim_release_facts *f = kp_sim_facts(version);
    uint32_t r = 0;

    while (r < sim->h->n_releases && !kp_streq(sim->h->release[r], version))
        r++;
    char *dir = kp_printf(a, "%s/kafka_2.13-%s", kp_sim_string(sim, n->releases_dir), version);
    if (!f || r == sim->h->n_releases || !(n->staged >> r & 1))
        return kp_map(a, "release_dir", kp_text(a, dir), "why",
                      kp_textf(a, "there is no release in %s", dir), NULL);
    bool tells = f->major >= 4;
    return kp_map(a, "release_dir", kp_text(a, dir), "metadata_version_min",
                  tells ? kp_int(a, f->metadata_min) : NULL, "metadata_version_max",
                  tells ? kp_int(a, f->metadata_max) : NULL, "features",
                  tells ? kp_map(a, "metadata.version", kp_int(a, f->metadata_max), NULL) : NULL,
                  "keys", keys_known(sim, a, f), NULL);
}

kp_err *kp_sim_answer_host(kp_sim *sim, const kp_sim_call *c, const kp_value **ret_v)
{
    kp_arena *a = c->a;
    const kp_sim_node *n = &sim->node[c->node];
    const kp_sim_text *t = kp_sim_node_text(n);
    kp_builder none;

    kp_sim_staging_settle(sim, c->node);
    switch (c->q.kind) {
    case KP_Q_FILE:
        *ret_v = kp_map(a, "path", kp_text(a, kp_sim_string(sim, n->config)), "bytes",
                        kp_bytes(a, sim->pool + t->off, t->n), "sha256",
                        kp_text(a, kp_sim_file_of(sim, c->node)->sha256), NULL);
        return NULL;
    case KP_Q_GRANTS:
        none = kp_list_begin(a);
        *ret_v = kp_list_end(&none);
        return NULL;
    case KP_Q_PROOF:
        *ret_v = proof(sim, a, &c->q, c->node);
        return NULL;
    case KP_Q_RELEASE:
        *ret_v = release_told(sim, a, &c->q, c->node);
        return NULL;
    case KP_Q_CLIENTS:
        *ret_v = kp_sim_answer_clients(sim, a, c->node);
        return NULL;
    case KP_Q_JOB:
        *ret_v = job_state(sim, a, kp_sim_claim_find(sim, c->node, c->q.op.id));
        return NULL;
    default:
        *ret_v = host_state(sim, a, c->node, &c->q);
        return NULL;
    }
}
