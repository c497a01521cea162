/* Faults: what goes wrong, by name, when, and until when.
 *
 * A fault is planned (it has a trigger), acts, and is over.  Its timer is its moment, then its end.
 * Triggers that count look at counters of the block, so that a plan survives the process.
 */
#include "sim/spec.h"

#include <stdlib.h>
#include <string.h>

/* Whom a fault strikes: the `kind` of its word. */
typedef enum victim { OF_NODE, OF_BROKER, OF_RACK, OF_NOBODY } victim;

const kp_spec_word kp_sim_fault_words[KP_SIM_F_NAMES + 1] = {
    [KP_SIM_F_CRASH] = { "crash", "the process of a node is killed; nobody's hand.  Needs a node",
                         OF_NODE },
    [KP_SIM_F_UNCLEAN_STOP] = { "unclean_stop",
                                "the next stop of a node ends by a kill: its leaders have moved, "
                                "its logs are not closed.  Needs a node",
                                OF_NODE },
    [KP_SIM_F_SLOW_DISK] = { "slow_disk",
                             "catch-up, start and log recovery of a node take 10 times as long.  "
                             "Needs a node",
                             OF_NODE },
    [KP_SIM_F_RACK_LOSS] = { "rack_loss",
                             "every node of a rack is killed, and its hosts do not answer.  Needs "
                             "a rack",
                             OF_RACK },
    [KP_SIM_F_LOST_SSH] = { "lost_ssh",
                            "requests to the host of a node fail; one that triggers it still acts. "
                            " "
                            "Needs a node",
                            OF_NODE },
    [KP_SIM_F_CONTROLLER_FAILOVER] = { "controller_failover",
                                       "another controller becomes the active one.  Needs neither "
                                       "node nor rack",
                                       OF_NOBODY },
    [KP_SIM_F_STALE_METADATA] = { "stale_metadata",
                                  "a node goes on answering with the metadata it has now.  Needs a "
                                  "node",
                                  OF_NODE },
    [KP_SIM_F_CONFIG_BREAKS_START] = { "config_breaks_start",
                                       "a node does not start with the file and release that it "
                                       "has at its next start.  Needs a node",
                                       OF_NODE },
    [KP_SIM_F_DOES_NOT_STOP] = { "does_not_stop",
                                 "the process of a node stays when it is asked to stop.  Needs a "
                                 "node",
                                 OF_NODE },
    [KP_SIM_F_DOES_NOT_REJOIN] = { "does_not_rejoin",
                                   "a broker starts and never gets back into an ISR.  Needs a "
                                   "node, "
                                   "a broker",
                                   OF_BROKER },
    [KP_SIM_F_CRASH_LOOP] = { "crash_loop",
                              "the process of a node dies in start-up, and its supervisor starts "
                              "it again, until it is stopped or the fault ends.  Needs a node",
                              OF_NODE },
    [KP_SIM_F_REGISTERED_ELSEWHERE] = { "registered_elsewhere",
                                        "KRaft: another process registers as a broker while it is "
                                        "down, and stays: the others list it, and the broker's own "
                                        "registration is refused.  Needs a node, a broker",
                                        OF_BROKER },
    [KP_SIM_F_STARTS_OLD_RELEASE] = { "starts_old_release",
                                      "the start script of a node names the release it last ran, "
                                      "whatever the link says.  Needs a node",
                                      OF_NODE },
    [KP_SIM_F_JAVA_EXCHANGED] = { "java_exchanged",
                                  "the Java of a node is exchanged for one that refuses an option "
                                  "of its process: it does not start again until the fault ends, "
                                  "when someone has taken the option out.  Needs a node",
                                  OF_NODE },
    [KP_SIM_F_LOG4J1] = { "log4j1",
                          "the service of a node gives it a log4j 1 configuration of its own.  "
                          "Needs a node",
                          OF_NODE },
    [KP_SIM_F_SHORT_STOP_LIMIT] = { "short_stop_limit",
                                    "the service manager would kill a node that has not stopped "
                                    "after 90 s.  Needs a node",
                                    OF_NODE },
    [KP_SIM_F_CONFIG_AGENT] = { "config_agent",
                                "a configuration agent, puppet, runs on the host of a node.  Needs "
                                "a node",
                                OF_NODE },
    [KP_SIM_F_DEAD_LOG_DIR] = { "dead_log_dir",
                                "a broker has one log dir more, with no replica in it, and that is "
                                "offline.  Needs a node, a broker",
                                OF_BROKER },
    [KP_SIM_F_FULL_DISK] = { "full_disk",
                             "what else is on the disk of a broker's log dir has filled it but for "
                             "1 %.  Needs a node, a broker",
                             OF_BROKER },
    [KP_SIM_F_NO_JDK] = { "no_jdk",
                          "the Java of a node comes without jcmd: who is connected to that broker "
                          "is not known.  Needs a node",
                          OF_NODE },
    { .word = NULL },
};

/* ---- stale metadata: a view of its own, beside the block ---- */

void kp_sim_freeze_as(kp_sim *sim, int32_t node, const kp_sim_frozen *as)
{
    const kp_sim_header *h = sim->h;
    kp_sim_frozen *f = sim->frozen[node];
    size_t parts = h->n_parts + 1, brokers = h->n_brokers + 1,
           words = kp_sim_bit_words(h->n_reps);

    if (!f) {
        f = sim->frozen[node] = kp_malloc(sizeof *f);
        f->isr = kp_malloc(words * sizeof *f->isr);
        f->leader = kp_malloc(parts * sizeof *f->leader);
        f->epoch = kp_malloc(parts * sizeof *f->epoch);
        f->out = kp_malloc(brokers * sizeof *f->out);
        f->leads = kp_malloc(brokers * sizeof *f->leads);
        f->brokers = kp_malloc(brokers * sizeof *f->brokers);
    }
    memcpy(f->isr, as->isr, words * sizeof *f->isr);
    memcpy(f->leader, as->leader, h->n_parts * sizeof *f->leader);
    memcpy(f->epoch, as->epoch, h->n_parts * sizeof *f->epoch);
    memcpy(f->out, as->out, h->n_brokers * sizeof *f->out);
    memcpy(f->leads, as->leads, h->n_brokers * sizeof *f->leads);
    /* host and rack point into the block: this sim's own */
    for (uint32_t i = 0; i < h->n_brokers; i++) {
        const kp_sim_node *n = &sim->node[sim->broker[i]];
        f->brokers[i] = as->brokers[i];
        f->brokers[i].host = as->brokers[i].alive ? kp_sim_string(sim, n->host) : "";
        f->brokers[i].rack = kp_sim_string(sim, n->rack);
    }
    f->counts = as->counts;
    f->digest = as->digest;
    f->controller = as->controller;
}

void kp_sim_freeze(kp_sim *sim, int32_t node)
{
    const kp_sim_frozen now = {
        .isr = sim->isr,
        .leader = sim->leader,
        .epoch = sim->epoch,
        .out = sim->out,
        .leads = sim->leads,
        .brokers = sim->view_broker,
        .counts = sim->h->counts,
        .digest = sim->h->digest,
        .controller = sim->node[node].controller_seen,
    };

    kp_sim_freeze_as(sim, node, &now);
}

void kp_sim_thaw(kp_sim *sim, int32_t node)
{
    kp_sim_frozen *f = sim->frozen[node];

    if (!f)
        return;
    free(f->isr);
    free(f->leader);
    free(f->epoch);
    free(f->out);
    free(f->leads);
    free(f->brokers);
    free(f);
    sim->frozen[node] = NULL;
}

/* ---- begin and end ---- */

static uint32_t trouble_of(uint8_t name)
{
    switch (name) {
    case KP_SIM_F_UNCLEAN_STOP:
        return KP_SIM_UNCLEAN_NEXT;
    case KP_SIM_F_SLOW_DISK:
        return KP_SIM_SLOW;
    case KP_SIM_F_LOST_SSH:
        return KP_SIM_NO_SSH;
    case KP_SIM_F_STALE_METADATA:
        return KP_SIM_STALE;
    case KP_SIM_F_CONFIG_BREAKS_START:
        return KP_SIM_BAD_CONFIG;
    case KP_SIM_F_DOES_NOT_STOP:
        return KP_SIM_NO_STOP;
    case KP_SIM_F_DOES_NOT_REJOIN:
        return KP_SIM_NO_REJOIN;
    case KP_SIM_F_CRASH_LOOP:
        return KP_SIM_LOOPING;
    case KP_SIM_F_REGISTERED_ELSEWHERE:
        return KP_SIM_ELSEWHERE;
    case KP_SIM_F_STARTS_OLD_RELEASE:
        return KP_SIM_OLD_RELEASE;
    case KP_SIM_F_JAVA_EXCHANGED:
        return KP_SIM_OTHER_JAVA;
    case KP_SIM_F_LOG4J1:
        return KP_SIM_LOG4J1;
    case KP_SIM_F_SHORT_STOP_LIMIT:
        return KP_SIM_SHORT_STOP;
    case KP_SIM_F_CONFIG_AGENT:
        return KP_SIM_AGENT;
    case KP_SIM_F_DEAD_LOG_DIR:
        return KP_SIM_DEAD_DIR;
    case KP_SIM_F_FULL_DISK:
        return KP_SIM_FULL;
    case KP_SIM_F_NO_JDK:
        return KP_SIM_NO_JDK;
    default:
        return 0;
    }
}

static void node_fault(kp_sim *sim, uint8_t name, int32_t node, bool begins)
{
    kp_sim_node *n = &sim->node[node];
    uint32_t trouble = trouble_of(name);

    if (name == KP_SIM_F_SLOW_DISK && n->phase == KP_SIM_RUNNING)
        kp_sim_catch_up_speed(sim, node);
    if (begins)
        n->troubles |= trouble;
    else
        n->troubles &= ~trouble;

    switch ((kp_sim_fault_name)name) {
    case KP_SIM_F_CRASH:
    case KP_SIM_F_RACK_LOSS:
        if (begins) {
            kp_sim_node_kill(sim, node);
        } else if (!kp_sim_has_process(n) && n->service_failed) {
            n->restarts++;
            kp_sim_node_start(sim, node);
        }
        break;
    case KP_SIM_F_SLOW_DISK:
        if (n->phase == KP_SIM_RUNNING)
            kp_sim_catch_up_speed(sim, node);
        break;
    case KP_SIM_F_STALE_METADATA:
        if (begins)
            kp_sim_freeze(sim, node);
        else
            kp_sim_thaw(sim, node);
        break;
    case KP_SIM_F_CONFIG_BREAKS_START:
        n->bad_set = false;
        break;
    case KP_SIM_F_DOES_NOT_STOP:
        if (!begins && n->stop_asked_at != 0)
            kp_sim_node_stop(sim, node);
        break;
    case KP_SIM_F_DOES_NOT_REJOIN:
        if (n->phase == KP_SIM_RUNNING && kp_sim_is_broker(n))
            kp_sim_catch_up_start(sim, node);
        break;
    case KP_SIM_F_REGISTERED_ELSEWHERE:
        if (kp_sim_has_process(n))
            break;
        n->listed = begins;
        kp_sim_node_shown(sim, node);
        break;
    default:
        break;
    }
}

static void rack_fault(kp_sim *sim, const kp_sim_fault_plan *f, bool begins)
{
    for (uint32_t i = 0; i < sim->h->n_nodes; i++) {
        kp_sim_node *n = &sim->node[i];
        if (strcmp(kp_sim_string(sim, n->rack), kp_sim_string(sim, f->rack)) != 0)
            continue;
        if (begins)
            n->troubles |= KP_SIM_UNREACHABLE;
        else
            n->troubles &= ~(uint32_t)KP_SIM_UNREACHABLE;
        node_fault(sim, f->name, (int32_t)i, begins);
    }
}

static void turn(kp_sim *sim, const kp_sim_fault_plan *f, bool begins)
{
    if (f->name == KP_SIM_F_RACK_LOSS)
        rack_fault(sim, f, begins);
    else if (f->name != KP_SIM_F_CONTROLLER_FAILOVER)
        node_fault(sim, f->name, f->node, begins);
    else if (begins)
        kp_sim_controller_failover(sim);
}

static void begin(kp_sim *sim, uint32_t fault)
{
    kp_sim_fault_plan *f = &sim->fault[fault];

    turn(sim, f, true);
    f->state = f->lasts == KP_SIM_NEVER ? KP_SIM_OVER : KP_SIM_ACTING;
    kp_sim_timer_set(sim, kp_sim_timer_fault(sim, fault),
                     f->lasts == KP_SIM_NEVER ? KP_SIM_NEVER : sim->h->now + f->lasts);
}

void kp_sim_fault_due(kp_sim *sim, uint32_t fault)
{
    kp_sim_fault_plan *f = &sim->fault[fault];

    if (f->state == KP_SIM_PLANNED) {
        begin(sim, fault);
    } else if (f->state == KP_SIM_ACTING) {
        turn(sim, f, false);
        f->state = KP_SIM_OVER;
    }
}

bool kp_sim_faults_count(kp_sim *sim, kp_sim_when when, int32_t node, uint64_t count)
{
    bool cut = false;

    for (uint32_t i = 0; i < sim->h->n_faults; i++) {
        kp_sim_fault_plan *f = &sim->fault[i];
        if (f->state != KP_SIM_PLANNED || f->when != when || f->count != count ||
            (when != KP_SIM_ON_REQUEST && f->node != node))
            continue;
        begin(sim, i);
        cut = cut || (f->name == KP_SIM_F_LOST_SSH && when != KP_SIM_ON_REQUEST);
    }
    return cut;
}

/* ---- the plan ---- */

static kp_err *parse_name(const kp_spec *s, uint8_t *ret_name)
{
    int name = -1;

    KP_TRY(kp_spec_word_of(s, "fault", &name));
    if (name < 0)
        return kp_spec_wrong(s, "fault", "name the fault, as in {fault: crash, node: 2}",
                             "a fault has no name");
    *ret_name = (uint8_t)name;
    return NULL;
}

static kp_err *find_rack(const kp_sim *sim, const kp_spec *s, const char *rack, uint32_t *ret_rack)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < sim->h->n_nodes && found == 0; i++)
        if (strcmp(kp_sim_string(sim, sim->node[i].rack), rack) == 0)
            found = sim->node[i].rack;
    if (found == 0 || rack[0] == '\0')
        return kp_spec_wrong(s, "rack", "give the rack of a simulated node",
                             "no node is in rack %s", rack);
    *ret_rack = found;
    return NULL;
}

/* Whom it strikes: a node, a rack or nobody, as its name demands. */
static kp_err *parse_victim(const kp_sim *sim, const kp_spec *s, kp_sim_fault_plan *f)
{
    const kp_spec_word *name = &kp_sim_fault_words[f->name];
    bool of_rack = name->kind == OF_RACK;
    const char *rack = NULL;
    int64_t node = -1;

    KP_TRY(kp_spec_int(s, "node", &node));
    KP_TRY(kp_spec_text(s, "rack", &rack));
    f->node = node < 0 ? KP_SIM_NO_NODE : kp_sim_node_find(sim, (int)node);
    if (node >= 0 && f->node == KP_SIM_NO_NODE)
        return kp_spec_wrong(s, "node", "give the id of a simulated node", "there is no node %d",
                             (int)node);
    if (!of_rack && name->kind != OF_NOBODY && f->node == KP_SIM_NO_NODE)
        return kp_spec_wrong(s, "node", "add node: ID", "the fault %s needs a node", name->word);
    if (of_rack != (rack != NULL))
        return kp_spec_wrong(s, "rack", "give a rack to rack_loss, and to no other fault",
                             "the fault %s %s", name->word,
                             of_rack ? "needs a rack" : "has no rack");
    if (rack)
        KP_TRY(find_rack(sim, s, rack, &f->rack));
    if (name->kind == OF_BROKER && !kp_sim_is_broker(&sim->node[f->node]))
        return kp_spec_wrong(s, "node", "give the id of a broker", "node %d is no broker",
                             (int)node);
    return NULL;
}

/* When: after a time, which may be none, or at a count of something. */
static kp_err *parse_moment(const kp_spec *s, kp_sim_fault_plan *f)
{
    static const struct {
        const char *key;
        uint8_t when;
    } counting[] = {
        { "stop", KP_SIM_ON_STOP },
        { "start", KP_SIM_ON_START },
        { "requests", KP_SIM_ON_REQUEST },
    };
    kp_ms at = -1;

    KP_TRY(kp_spec_duration(s, "at", &at));
    f->when = KP_SIM_AT;
    f->count = at < 0 ? 0 : (uint64_t)(at * KP_SIM_MS);
    int triggers = at >= 0;
    for (size_t i = 0; i < KP_COUNT(counting); i++) {
        int64_t n = 0;
        KP_TRY(kp_spec_int(s, counting[i].key, &n));
        if (n == 0)
            continue;
        triggers++;
        f->when = counting[i].when;
        f->count = (uint64_t)n;
    }
    if (f->when == KP_SIM_ON_START && (f->name == KP_SIM_F_CRASH || f->name == KP_SIM_F_RACK_LOSS))
        f->when = KP_SIM_AFTER_START;
    if (triggers > 1)
        return kp_spec_wrong(s, "at", "keep one of at, stop, start, requests",
                             "a fault has one moment");
    if (f->when != KP_SIM_AT && f->when != KP_SIM_ON_REQUEST && f->node == KP_SIM_NO_NODE)
        return kp_spec_wrong(s, "node", "add node: ID, whose requests are counted",
                             "this moment needs a node");
    return NULL;
}

static kp_err *parse(const kp_sim *sim, const kp_spec *s, kp_sim_fault_plan *f)
{
    kp_ms lasts = -1;

    KP_TRY(kp_spec_keys(s));
    KP_TRY(parse_name(s, &f->name));
    KP_TRY(parse_victim(sim, s, f));
    KP_TRY(kp_spec_duration(s, "lasts", &lasts));
    f->lasts = lasts < 0 ? KP_SIM_NEVER : lasts * KP_SIM_MS;
    return parse_moment(s, f);
}

kp_err *kp_sim_fault_plan_add(kp_sim *sim, const kp_spec *s)
{
    kp_sim_fault_plan f = { .state = KP_SIM_PLANNED };

    KP_TRY(parse(sim, s, &f));
    /* A place that is free, or whose fault is over. */
    uint32_t i = 0;
    while (i < sim->h->n_faults && sim->fault[i].state != KP_SIM_OVER)
        i++;
    if (i == KP_SIM_MAX_FAULTS)
        return kp_spec_wrong(s, "fault", "plan fewer faults", "more than %u faults",
                             KP_SIM_MAX_FAULTS);

    kp_us in = KP_SIM_NEVER;
    if (f.when == KP_SIM_AT)
        in = (kp_us)f.count;
    else if (f.when == KP_SIM_ON_STOP)
        f.count += sim->node[f.node].asked_stop;
    else if (f.when != KP_SIM_ON_REQUEST)
        f.count += sim->node[f.node].asked_start;
    else
        f.count += sim->h->n_requests;
    sim->fault[i] = f;
    if (i == sim->h->n_faults)
        sim->h->n_faults++;
    if (in == 0)
        begin(sim, i);
    else if (in != KP_SIM_NEVER)
        kp_sim_timer_set(sim, kp_sim_timer_fault(sim, i), sim->h->now + in);
    return NULL;
}

kp_err *kp_sim_fault(kp_sim *sim, const kp_value *fault)
{
    KP_AUTO_ARENA a = kp_arena_new("a simulated fault", (size_t)1 << 20);
    const kp_spec s = { .a = a, .v = fault, .where = "fault", .level = &kp_sim_fault_level };

    kp_err *e = kp_sim_fault_plan_add(sim, &s);
    kp_sim_settle(sim);
    kp_sim_commit(sim);
    return e;
}
