/* The life of a node's process: start, registration, stop, death.
 *
 * What a start reads is what a real one reads: the release behind the link, and server.properties
 * as text.  Sources of the facts: KafkaServer and BrokerServer (order of startup),
 * BrokerLifecycleManager (registration, heartbeats every 2 s, controlled shutdown of at most 5
 * min), KafkaZkClient's CheckedEphemeral (a broker does not start beside the ephemeral node of its
 * old session), LogManager (.kafka_cleanshutdown), and the times seen on real clusters: KRaft stops
 * take 0.4 s and then a multiple of the heartbeat, sessions last 9 s (broker.session.timeout.ms) or
 * 18 s (zookeeper.session.timeout.ms), controllers before 4.0 fence a broker that stopped cleanly
 * at once.
 */
#include "sim/oracle.h"

#include "cluster/server_config.h"

#include <string.h>

#define HEARTBEAT (2 * KP_SIM_SECOND)
#define KRAFT_SESSION (9 * KP_SIM_SECOND)
#define ZOOKEEPER_SESSION (18 * KP_SIM_SECOND)
#define KRAFT_STOP_LIMIT (300 * KP_SIM_SECOND)
#define ZOOKEEPER_STOP_LIMIT (15 * KP_SIM_SECOND) /* controlled.shutdown.max.retries 3, every 5 s */
#define UNFLUSHED 600.0 /* seconds of writes that log recovery reads again */
#define SLOW 10
#define LOG_PER_MS 2 /* bytes of server.log */
#define SUPERVISED (300 * KP_SIM_MS)           /* until a supervisor starts a dead process again */
#define REGISTRATION_LIMIT (60 * KP_SIM_SECOND) /* initial.broker.registration.timeout.ms */

static bool is_zookeeper(const kp_sim *sim)
{
    return sim->h->mode == KP_SIM_ZOOKEEPER;
}

static void life(kp_sim *sim, int32_t node, kp_us in)
{
    kp_sim_timer_set(sim, kp_sim_timer_of(node, KP_SIM_T_LIFE),
                     in == KP_SIM_NEVER ? in : sim->h->now + in);
}

static bool session_open(const kp_sim *sim, int32_t node)
{
    return sim->due[kp_sim_timer_of(node, KP_SIM_T_SESSION)] != KP_SIM_NEVER;
}

int32_t kp_sim_node_find(const kp_sim *sim, int id)
{
    int32_t low = 0, high = (int32_t)sim->h->n_nodes - 1;

    while (low <= high) {
        int32_t mid = low + (high - low) / 2;
        if (sim->node[mid].id == id)
            return mid;
        if (sim->node[mid].id < id)
            low = mid + 1;
        else
            high = mid - 1;
    }
    return KP_SIM_NO_NODE;
}

void kp_sim_node_shown(kp_sim *sim, int32_t node)
{
    const kp_sim_node *n = &sim->node[node];

    if (n->slot == KP_SIM_NO_SLOT)
        return;
    sim->can_lead[n->slot] = n->listed && !n->in_shutdown;
    sim->view_broker[n->slot] = (kp_view_broker) {
        .id = n->id,
        .alive = n->listed,
        .host = n->listed ? kp_sim_string(sim, n->host) : "",
        .port = n->listed ? (int)n->port : 0,
        .rack = kp_sim_string(sim, n->rack),
    };
}

/* A process that boots or registers goes on writing its log. */
int64_t kp_sim_log_size(const kp_sim *sim, const kp_sim_node *n)
{
    return n->log_at + (n->log_from ? (sim->h->now - n->log_from) / KP_SIM_MS * LOG_PER_MS : 0);
}

static void log_grows(kp_sim *sim, kp_sim_node *n, bool grows)
{
    n->log_at = kp_sim_log_size(sim, n);
    n->log_from = grows ? sim->h->now : 0;
}

static void node_sign(kp_sim *sim, int32_t node, kp_sim_line line, int32_t arg)
{
    kp_sim_node *n = &sim->node[node];

    n->log_at = kp_sim_log_size(sim, n) + 200;
    n->log_from = n->log_from ? sim->h->now : 0;
    n->sign[n->n_signs++ % KP_SIM_SIGNS] =
        (kp_sim_sign) { .at = n->log_at, .line = line, .arg = arg };
}

/* ---- what a start reads ---- */

typedef const kp_server_config start_file;

static start_file *read_file(kp_sim *sim, const kp_sim_node *n)
{
    const kp_sim_text *t = kp_sim_node_text(n);

    kp_arena_reset(sim->scratch);
    return kp_server_config_read(sim->scratch,
                                 &(kp_config_source) { .text = sim->pool + t->off, .n = t->n });
}

int32_t kp_sim_ibp_at_start(kp_sim *sim, int32_t node)
{
    const kp_sim_node *n = &sim->node[node];
    start_file *f = read_file(sim, n);

    return f->ibp ? kp_sim_ibp_level(f->ibp) : kp_sim_ibp_newest(kp_sim_facts_at(sim, n->link));
}

typedef kp_sim_refusal refusal;

static refusal breaking_key(const kp_sim *sim, const kp_sim_node *n, const kp_value *keys)
{
    const char *release = sim->h->release[n->running];

    if (!kp_streq(kp_get_text(keys, "kplay.sim.breaks_start", "false"), "false"))
        return (refusal) { KP_SIM_LINE_CONFIG, -1 };
    for (uint32_t i = 0; i < sim->h->n_breaking; i++)
        if (kp_streq(kp_sim_string(sim, sim->breaking[i].release), release) &&
            kp_get(keys, kp_sim_string(sim, sim->breaking[i].key)))
            return (refusal) { KP_SIM_LINE_CONFIG, (int32_t)i };
    return (refusal) { 0, 0 };
}

static refusal judge_file(const kp_sim *sim, const kp_sim_node *n, start_file *f)
{
    const kp_sim_release_facts *facts = kp_sim_facts_at(sim, n->running);

    if ((int)kp_sim_java(n) < kp_sim_java_needed(facts))
        return (refusal) { KP_SIM_LINE_JAVA, kp_sim_java_needed(facts) };
    if (!f->kraft && !facts->zookeeper)
        return (refusal) { KP_SIM_LINE_ROLES, 0 };
    if (f->ibp && facts->zookeeper) {
        int32_t level = kp_sim_ibp_level(f->ibp);
        if (level < 0 || level > kp_sim_ibp_newest(facts))
            return (refusal) { KP_SIM_LINE_IBP, level };
    }
    if (n->troubles & KP_SIM_BAD_CONFIG &&
        (!n->bad_set || (n->bad_gen == n->text_gen && n->bad_link == n->running)))
        return (refusal) { KP_SIM_LINE_CONFIG, -2 };
    return breaking_key(sim, n, f->values);
}

kp_sim_refusal kp_sim_file_refusal(kp_sim *sim, const kp_sim_node *n)
{
    return judge_file(sim, n, read_file(sim, n));
}

static bool names_missing_class(const kp_sim *sim, start_file *f)
{
    const kp_value *all = kp_server_config_classes(sim->scratch, f);

    for (size_t i = 0; i < kp_len(all); i++)
        if (kp_starts_with(kp_get_text(kp_at(all, i), "class", ""), KP_SIM_MISSING))
            return true;
    return false;
}

/* Whether the process gets past reading its configuration; sets what it speaks. */
static refusal read_start(kp_sim *sim, kp_sim_node *n)
{
    const kp_sim_release_facts *facts = kp_sim_facts_at(sim, n->running);
    start_file *f = read_file(sim, n);

    if (n->troubles & KP_SIM_BAD_CONFIG && !n->bad_set) {
        n->bad_set = true;
        n->bad_gen = n->text_gen;
        n->bad_link = n->link;
    }
    refusal why = n->troubles & KP_SIM_OTHER_JAVA ? (refusal) { KP_SIM_LINE_OPTION, 0 }
                                                  : judge_file(sim, n, f);
    if (why.line)
        return why;
    n->ibp = f->ibp && facts->zookeeper ? kp_sim_ibp_level(f->ibp) : kp_sim_ibp_newest(facts);
    n->ibp_pinned = f->ibp != NULL;
    if (!f->generated && !(f->has_id && f->node_id == n->id)) /* a generated one is on its disks */
        return (refusal) { KP_SIM_LINE_NODE_ID, 0 };
    if (n->troubles & KP_SIM_LOOPING)
        return (refusal) { KP_SIM_LINE_CONFIG, -2 };
    if (names_missing_class(sim, f))
        return (refusal) { KP_SIM_LINE_CLASS, 0 };
    return (refusal) { 0, 0 };
}

/* KRaft: whether the binary supports the finalized metadata.version. */
static refusal read_features(const kp_sim *sim, const kp_sim_node *n)
{
    const kp_sim_release_facts *facts = kp_sim_facts_at(sim, n->running);

    if (is_zookeeper(sim))
        return (refusal) { 0, 0 };
    if (facts->metadata_max < sim->h->metadata_version)
        return (refusal) { KP_SIM_LINE_METADATA_OLD, 0 };
    if (facts->metadata_min > sim->h->metadata_version)
        return (refusal) { KP_SIM_LINE_METADATA_NEW, 0 };
    return (refusal) { 0, 0 };
}

static void fail(kp_sim *sim, int32_t node, refusal why, kp_us in)
{
    sim->node[node].phase = KP_SIM_FAILING;
    node_sign(sim, node, why.line, why.arg);
    life(sim, node, in);
}

static void launch(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];
    const kp_sim_timing *t = &sim->h->timing;

    n->pid = sim->h->next_pid;
    sim->h->next_pid += 7;
    if (!(n->troubles & KP_SIM_OLD_RELEASE))
        n->running = n->link;
    n->started_at = sim->h->now;
    n->stop_asked_at = 0;
    n->again = false;
    n->step = 0;
    n->log_at += 20000;
    kp_sim_text_started(sim, n);
    refusal why = read_start(sim, n);
    if (why.line) {
        n->again = (n->troubles & KP_SIM_LOOPING) != 0;
        fail(sim, node, why, kp_sim_between(sim, 1500 * KP_SIM_MS, 2500 * KP_SIM_MS));
        return;
    }
    uint32_t replicas = kp_sim_is_broker(n) ? sim->by_first[n->slot + 1] - sim->by_first[n->slot]
                                            : 0;
    double us = (double)kp_sim_between(sim, t->boot * 9 / 10, t->boot * 12 / 10);
    us += (double)t->boot_per_1000 * replicas / 1000;
    if (!n->clean && kp_sim_is_broker(n)) {
        double bytes = n->inflow * UNFLUSHED < n->boot_bytes ? n->inflow * UNFLUSHED
                                                             : n->boot_bytes;
        node_sign(sim, node, KP_SIM_LINE_RECOVERY, 0);
        us += bytes / t->recovery * 1e6;
    }
    if (n->troubles & KP_SIM_SLOW)
        us *= SLOW;
    n->phase = KP_SIM_BOOTING;
    log_grows(sim, n, true);
    life(sim, node, us < 1e13 ? (kp_us)us : (kp_us)1e13);
}

void kp_sim_node_start(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    n->service_failed = false;
    if (n->phase == KP_SIM_STOPPING)
        n->again = true;
    else if (n->phase == KP_SIM_OFF)
        launch(sim, node);
}

/* ---- registration ---- */

static void running(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    n->phase = KP_SIM_RUNNING;
    n->down_by = KP_SIM_NOBODY;
    log_grows(sim, n, false);
    node_sign(sim, node, KP_SIM_LINE_STARTED, 0);
    life(sim, node, KP_SIM_NEVER);
    if (!kp_sim_is_broker(n)) {
        kp_sim_oracle_up(sim, node);
        return;
    }
    n->listed = true;
    n->unregistered = false;
    n->in_shutdown = false;
    kp_sim_node_shown(sim, node);
    /* its metadata cache fills after it has begun to answer; in KRaft nearly at once */
    n->cache_until = sim->h->now + (is_zookeeper(sim) ? 1200 : 300) * KP_SIM_MS;
    int32_t controller = is_zookeeper(sim) ? sim->h->leader : KP_SIM_NO_NODE;
    n->controller_seen = controller == KP_SIM_NO_NODE ? -1 : sim->node[controller].id;
    kp_sim_oracle_up(sim, node);
    if (kp_sim_controller_works(sim))
        kp_sim_broker_returns(sim, node);
    kp_sim_pins_check(sim);
    if (is_zookeeper(sim) && sim->h->leader == KP_SIM_NO_NODE)
        kp_sim_timer_set(sim, kp_sim_timer_global(sim, KP_SIM_T_ELECT),
                         sim->h->now + 150 * KP_SIM_MS);
    kp_sim_catch_up_start(sim, node);
}

static void join(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    if (n->step == 1) {
        running(sim, node);
        return;
    }
    if (is_zookeeper(sim)) {
        if (session_open(sim, node)) {
            fail(sim, node, (refusal) { KP_SIM_LINE_EXISTS, 0 }, 500 * KP_SIM_MS);
            return;
        }
        n->step = 1;
        life(sim, node, 200 * KP_SIM_MS);
        return;
    }
    if (!kp_sim_controller_works(sim)) {
        life(sim, node, 500 * KP_SIM_MS);
        return;
    }
    if (n->troubles & KP_SIM_ELSEWHERE) {
        refusal why = { KP_SIM_LINE_DUPLICATE, 0 };
        if (sim->h->now - n->started_at > REGISTRATION_LIMIT) {
            fail(sim, node, why, 500 * KP_SIM_MS);
        } else {
            node_sign(sim, node, why.line, why.arg);
            life(sim, node, 2 * KP_SIM_SECOND);
        }
        return;
    }
    if (session_open(
            sim,
            node)) { /* DUPLICATE_BROKER_REGISTRATION until the old incarnation's session ends */
        kp_us end = sim->due[kp_sim_timer_of(node, KP_SIM_T_SESSION)];
        node_sign(sim, node, KP_SIM_LINE_DUPLICATE, 0);
        life(sim, node, end - sim->h->now + kp_sim_between(sim, 100 * KP_SIM_MS, 1500 * KP_SIM_MS));
        return;
    }
    refusal why = read_features(sim, n);
    if (why.line) {
        fail(sim, node, why, 500 * KP_SIM_MS);
        return;
    }
    n->step = 1;
    life(sim, node, kp_sim_between(sim, 300 * KP_SIM_MS, 700 * KP_SIM_MS));
}

static void booted(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    n->clean = false; /* the marks are removed when the logs are loaded */
    if (kp_sim_is_voter(n)) {
        refusal why = read_features(sim, n);
        if (why.line) {
            fail(sim, node, why, 500 * KP_SIM_MS);
            return;
        }
        kp_sim_voter_up(sim, node);
    }
    if (!kp_sim_is_broker(n)) {
        running(sim, node);
        return;
    }
    n->phase = KP_SIM_JOINING;
    n->step = 0;
    join(sim, node);
}

/* A broker whose protocol is newer than the oldest running binary fetches with versions that
 * leaders on that binary refuse; it never gets back into an ISR until either changes. */
void kp_sim_pins_check(kp_sim *sim)
{
    int32_t lowest = INT32_MAX;
    bool changed = false;

    if (!is_zookeeper(sim))
        return;
    for (uint32_t i = 0; i < sim->h->n_nodes; i++) {
        const kp_sim_node *n = &sim->node[i];
        int32_t newest = n->phase == KP_SIM_RUNNING
                             ? kp_sim_ibp_newest(kp_sim_facts_at(sim, n->running))
                             : INT32_MAX;
        if (newest < lowest)
            lowest = newest;
    }
    for (uint32_t i = 0; i < sim->h->n_nodes; i++) {
        kp_sim_node *n = &sim->node[i];
        bool mis = n->phase == KP_SIM_RUNNING && n->ibp > lowest;
        if (n->mis_pinned == mis)
            continue;
        n->mis_pinned = mis;
        changed = true;
        if (mis)
            node_sign(sim, (int32_t)i, KP_SIM_LINE_FETCH, 0);
        kp_sim_catch_up_start(sim, (int32_t)i);
    }
    if (changed)
        kp_sim_controller_told(sim);
}

/* ---- stop ---- */

static void begin_stop(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];
    bool was_running = n->phase == KP_SIM_RUNNING;

    n->step = n->phase == KP_SIM_BOOTING ? 2 : 1;
    n->phase = KP_SIM_STOPPING;
    kp_sim_catch_up_stop(sim, node);
    if (!was_running) {
        life(sim, node, 300 * KP_SIM_MS);
    } else if (!kp_sim_is_broker(n)) {
        life(sim, node, kp_sim_between(sim, 100 * KP_SIM_MS, 700 * KP_SIM_MS));
    } else {
        n->step = 0;
        n->stop_tries_until = sim->h->now +
                              (is_zookeeper(sim) ? ZOOKEEPER_STOP_LIMIT : KRAFT_STOP_LIMIT);
        life(sim, node,
             is_zookeeper(sim) ? kp_sim_between(sim, 100 * KP_SIM_MS, 200 * KP_SIM_MS)
                               : kp_sim_between(sim, 300 * KP_SIM_MS, 500 * KP_SIM_MS));
    }
}

void kp_sim_node_stop(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    if (n->phase == KP_SIM_OFF || n->phase == KP_SIM_FAILING)
        n->again = false; /* its supervisor starts it no more */
    if (n->phase == KP_SIM_OFF || n->phase == KP_SIM_STOPPING || n->phase == KP_SIM_FAILING)
        return;
    n->again = false;
    if (n->stop_asked_at == 0)
        n->stop_asked_at = sim->h->now;
    if (!(n->troubles & KP_SIM_NO_STOP))
        begin_stop(sim, node);
}

static kp_sim_left leave(kp_sim *sim, int32_t node, bool keep_last)
{
    kp_sim_node *n = &sim->node[node];

    if (sim->out[n->slot] < sim->by_first[n->slot + 1] - sim->by_first[n->slot])
        n->behind_since = sim->h->now;
    sim->h->cause = n->down_by;
    sim->h->cause_node = node;
    kp_sim_left left = kp_sim_broker_leaves(sim, node, keep_last);
    sim->h->cause = KP_SIM_NOBODY;
    if (n->open_act > 0 && n->down_by == KP_SIM_OURS)
        sim->act[n->open_act - 1].leaders_moved += left.moved;
    return left;
}

static void leaders_leave(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];
    bool zookeeper = is_zookeeper(sim);

    if (!kp_sim_controller_works(sim)) {
        if (sim->h->now < n->stop_tries_until) {
            life(sim, node, zookeeper ? 5 * KP_SIM_SECOND : HEARTBEAT);
            return;
        }
        node_sign(sim, node, KP_SIM_LINE_UNCLEAN, 0);
        n->step = 1;
        life(sim, node, 500 * KP_SIM_MS);
        return;
    }
    n->in_shutdown = true;
    kp_sim_node_shown(sim, node);
    kp_sim_left left = leave(sim, node, zookeeper);
    kp_us work = sim->h->timing.stop_per_1000 * left.moved / 1000;
    kp_us in = kp_sim_between(sim, 100 * KP_SIM_MS, 300 * KP_SIM_MS);
    if (zookeeper)
        in += work + (left.stuck > 0 ? ZOOKEEPER_STOP_LIMIT : 0);
    else
        in += HEARTBEAT * (1 + work / HEARTBEAT + (kp_sim_random(sim) % 4 == 0));
    n->step = 1;
    life(sim, node, in);
}

static void gone(kp_sim *sim, int32_t node, bool clean)
{
    kp_sim_node *n = &sim->node[node];

    n->phase = KP_SIM_OFF;
    n->pid = 0;
    n->stop_asked_at = 0;
    log_grows(sim, n, false);
    kp_sim_catch_up_stop(sim, node);
    life(sim, node, KP_SIM_NEVER);
    if (n->voter > 0)
        kp_sim_voter_down(sim, node, clean);
}

/* The cluster learns that a broker is not there: its session has ended. */
static void unlisted(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    n->listed = false;
    n->in_shutdown = false;
    kp_sim_node_shown(sim, node);
    leave(sim, node, false);
    kp_sim_pins_check(sim);
}

static kp_us session(const kp_sim *sim)
{
    return is_zookeeper(sim) ? ZOOKEEPER_SESSION : KRAFT_SESSION;
}

static bool fences_at_once(const kp_sim *sim)
{
    int32_t leader = sim->h->leader;

    return is_zookeeper(sim) || leader == KP_SIM_NO_NODE ||
           kp_sim_facts_at(sim, sim->node[leader].running)->major < 4;
}

static void exited(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];
    bool killed = (n->troubles & KP_SIM_UNCLEAN_NEXT) != 0, was_listed = n->listed,
         again = n->again;
    bool at_once = fences_at_once(sim) && kp_sim_controller_works(sim);

    if (!killed) {
        n->clean = n->clean || n->step == 1; /* stopped while booting: the marks are as they were */
        node_sign(sim, node, KP_SIM_LINE_STOPPED, 0);
    }
    n->troubles &= ~(uint32_t)KP_SIM_UNCLEAN_NEXT;
    gone(sim, node, !killed);
    if (n->down_by == KP_SIM_OURS)
        kp_sim_oracle_exit(sim, node, !killed);
    if (was_listed) {
        uint32_t timer = kp_sim_timer_of(node, KP_SIM_T_SESSION);
        if (!killed && sim->h->leader == node && is_zookeeper(sim))
            kp_sim_controller_gone(sim, node, 150 * KP_SIM_MS);
        if (killed || !at_once)
            kp_sim_timer_set(sim, timer,
                             sim->h->now + session(sim) - kp_sim_between(sim, 0, 500 * KP_SIM_MS));
        else
            unlisted(sim, node);
    }
    if (again)
        launch(sim, node);
}

void kp_sim_node_kill(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    if (n->phase == KP_SIM_OFF)
        return;
    n->fault_at = sim->h->now;
    if (n->down_by != KP_SIM_OURS)
        n->down_by = KP_SIM_FAULT;
    n->clean = n->clean && n->phase == KP_SIM_FAILING;
    n->service_failed = true;
    n->again = false;
    gone(sim, node, false);
    if (n->listed) /* the last heartbeat was up to one interval ago */
        kp_sim_timer_set(sim, kp_sim_timer_of(node, KP_SIM_T_SESSION),
                         sim->h->now + session(sim) - kp_sim_between(sim, 0, HEARTBEAT));
}

void kp_sim_session_due(kp_sim *sim, int32_t node)
{
    if (is_zookeeper(sim) && sim->h->leader == node && !kp_sim_has_process(&sim->node[node]))
        kp_sim_controller_gone(sim, node, 150 * KP_SIM_MS);
    if (!kp_sim_controller_works(sim)) {
        kp_sim_timer_set(sim, kp_sim_timer_of(node, KP_SIM_T_SESSION),
                         sim->h->now + 500 * KP_SIM_MS);
        return;
    }
    unlisted(sim, node);
}

void kp_sim_node_due(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];

    switch ((kp_sim_phase)n->phase) {
    case KP_SIM_BOOTING:
        booted(sim, node);
        break;
    case KP_SIM_JOINING:
        join(sim, node);
        break;
    case KP_SIM_STOPPING:
        if (n->step == 0)
            leaders_leave(sim, node);
        else
            exited(sim, node);
        break;
    case KP_SIM_FAILING:
        n->service_failed = !n->again;
        gone(sim, node, false);
        if (n->again)
            life(sim, node, SUPERVISED);
        break;
    case KP_SIM_OFF:
        if (!n->again)
            break;
        n->restarts++;
        launch(sim, node);
        break;
    case KP_SIM_RUNNING:
        break;
    }
}

/* ---- what a stop cost, until its broker is back ---- */

void kp_sim_peaks(kp_sim *sim)
{
    kp_sim_header *h = sim->h;

    for (uint32_t i = 0; i < h->n_open; i++) {
        kp_sim_act *act = &sim->act[h->open_act[i]];
        if (h->counts.urp > act->peak_urp)
            act->peak_urp = h->counts.urp;
        if (h->counts.at_min_isr > act->peak_at_min)
            act->peak_at_min = h->counts.at_min_isr;
    }
}

static void keep_leaders(kp_sim *sim, uint32_t act)
{
    uint32_t n = sim->h->n_parts;
    kp_sim_led *led = KP_NEW(sim->own, kp_sim_led);

    *led = (kp_sim_led) {
        .next = sim->led, .act = act, .leader = KP_NEW_ARRAY(sim->own, n, int32_t)
    };
    for (uint32_t p = 0; p < n; p++) {
        const uint16_t *r = sim->rep + sim->first_rep[p];
        uint32_t slot = sim->leader[p];
        led->leader[p] = slot == KP_VIEW_NO_LEADER ? -1 : sim->node[sim->broker[r[slot]]].id;
    }
    sim->led = led;
}

void kp_sim_rejoined(kp_sim *sim, int32_t node)
{
    kp_sim_node *n = &sim->node[node];
    kp_sim_header *h = sim->h;

    if (n->phase != KP_SIM_RUNNING || !n->listed || n->stop_asked_at != 0 ||
        sim->out[n->slot] > n->out_before)
        return;
    kp_sim_oracle_synced(sim, node);
    if (n->open_act == 0)
        return;
    uint32_t act = n->open_act - 1;
    sim->act[act].rejoined = h->now;
    if (sim->keep_leaders)
        keep_leaders(sim, act);
    n->open_act = 0;
    for (uint32_t i = 0; i < h->n_open; i++)
        if (h->open_act[i] == act) {
            h->open_act[i] = h->open_act[--h->n_open];
            break;
        }
}
