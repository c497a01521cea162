/* The rules of oracle.h, checked in the size of the partition per change of one, and in the size of
 * a broker per stop of one.
 */
#include "sim/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t kp_sim_oracle_bytes(uint32_t nodes)
{
    return sizeof(kp_sim_oracle_state) + nodes * sizeof(kp_sim_judged);
}

void kp_sim_oracle_init(kp_sim *sim)
{
    kp_sim_oracle_state *o = sim->oracle;

    o->last_started = o->looked[0] = o->looked[1] = KP_SIM_NO_NODE;
}

static void violated(kp_sim *sim, int rule, const char *fmt, ...) KP_PRINTF(3, 4);
static void violated(kp_sim *sim, int rule, const char *fmt, ...)
{
    kp_sim_oracle_state *o = sim->oracle;

    if (o->allowed >> rule & 1)
        return;
    o->count[0]++;
    o->count[rule]++;
    if (o->n_texts >= KP_SIM_ORACLE_TEXTS)
        return;
    char *text = o->text[o->n_texts++];
    int n = snprintf(text, sizeof o->text[0], "K%d at %.1f s: ", rule, (double)sim->h->now / 1e6);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text + n, sizeof o->text[0] - (size_t)n, fmt, ap);
    va_end(ap);
}

static void set(bool *flag, uint32_t *count, bool to)
{
    if (*flag == to)
        return;
    *flag = to;
    *count += to ? 1 : UINT32_MAX;
}

static int id_of(const kp_sim *sim, int32_t node)
{
    return sim->node[node].id;
}

static bool accepted(const kp_sim *sim, uint32_t p)
{
    return sim->topic[kp_sim_topic_of(sim, p)].accepted;
}

static const char *topic_name(const kp_sim *sim, uint32_t p, uint32_t *ret_index)
{
    const kp_sim_topic *t = &sim->topic[kp_sim_topic_of(sim, p)];

    *ret_index = p - t->first;
    return kp_sim_string(sim, t->name);
}

/* K1: partitions of `node` that another broker, down by our hand, holds as well. */
static void judge_together(kp_sim *sim, int32_t node)
{
    const kp_sim_oracle_state *o = sim->oracle;
    uint32_t slot = sim->node[node].slot, found = 0, where = 0, index;
    int32_t other = KP_SIM_NO_NODE;

    if (o->n_down - o->node[node].down == 0)
        return;
    for (uint32_t i = sim->by_first[slot]; i < sim->by_first[slot + 1]; i++) {
        uint32_t p = sim->by_broker[i];
        for (uint32_t r = sim->first_rep[p]; r < sim->first_rep[p + 1]; r++) {
            int32_t m = sim->broker[sim->rep[r]];
            if (m == node || !o->node[m].down || accepted(sim, p))
                continue;
            if (found++ == 0) {
                where = p;
                other = m;
            }
            break;
        }
    }
    if (found == 0)
        return;
    const char *name = topic_name(sim, where, &index);
    violated(sim, 1,
             "stop of broker %d while %d is down by our hand: %u partitions on both, %s-%u first",
             id_of(sim, node), id_of(sim, other), found, name, index);
}

/* K6 */
static void judge_voters(kp_sim *sim, int32_t node)
{
    const kp_sim_oracle_state *o = sim->oracle;
    uint32_t well = 0;

    for (uint32_t i = 0; i < sim->h->n_nodes; i++) {
        if ((int32_t)i == node || !kp_sim_is_voter(&sim->node[i]))
            continue;
        if (o->node[i].voter_away)
            violated(sim, 6, "stop of controller %d while %d, stopped before, is not caught up",
                     id_of(sim, node), id_of(sim, (int32_t)i));
        well += sim->node[i].voter == 2;
    }
    if (well <= sim->h->n_voters / 2)
        violated(sim, 6, "stop of controller %d leaves %u of %u voters caught up", id_of(sim, node),
                 well, sim->h->n_voters);
}

/* K7 */
static void judge_last(kp_sim *sim, int32_t node)
{
    const kp_sim_oracle_state *o = sim->oracle;
    bool zookeeper = sim->h->mode == KP_SIM_ZOOKEEPER;

    if (sim->h->leader != node)
        return;
    for (uint32_t i = 0; i < sim->h->n_nodes; i++) {
        const kp_sim_node *n = &sim->node[i];
        if ((int32_t)i == node || (zookeeper ? !kp_sim_is_broker(n) : !kp_sim_is_voter(n)) ||
            !kp_sim_has_process(n) || n->unmanaged)
            continue;
        if (o->node[i].stops > o->node[node].stops)
            continue;
        violated(sim, 7, "stop of the active controller %d before %d", id_of(sim, node), n->id);
        return;
    }
}

/* K8, and the first half of K9: other nodes that are not back yet. */
static void judge_unfinished(kp_sim *sim, int32_t node)
{
    const kp_sim_oracle_state *o = sim->oracle;
    bool broker = kp_sim_is_broker(&sim->node[node]);

    for (uint32_t i = 0; i < sim->h->n_nodes && o->n_unclean + o->n_rejoining > 0; i++) {
        if ((int32_t)i == node)
            continue;
        if (o->node[i].unclean)
            violated(sim, 8,
                     "stop of %d although the stop of %d ended unclean and it is not back in sync",
                     id_of(sim, node), id_of(sim, (int32_t)i));
        if (o->node[i].rejoining && broker)
            violated(sim, 9, "stop of broker %d while %d, just started, is not in sync",
                     id_of(sim, node), id_of(sim, (int32_t)i));
    }
}

/* K9, second half. */
static void judge_looked(kp_sim *sim, int32_t node)
{
    const kp_sim_oracle_state *o = sim->oracle;
    uint32_t answering = 0;

    if (!o->restarted || o->last_started == node || o->n_rejoining > 0)
        return;
    for (uint32_t b = 0; b < sim->h->n_brokers; b++)
        answering += sim->node[sim->broker[b]].phase == KP_SIM_RUNNING;
    int seen = (o->looked[0] != KP_SIM_NO_NODE) + (o->looked[1] != KP_SIM_NO_NODE);
    if (seen < 2 && answering >= 2)
        violated(sim, 9, "stop of broker %d, but since %d was in sync only %d node%s looked at",
                 id_of(sim, node), id_of(sim, o->last_started), seen,
                 seen == 1 ? " was" : "s were");
}

void kp_sim_oracle_stop(kp_sim *sim, int32_t node)
{
    kp_sim_oracle_state *o = sim->oracle;
    kp_sim_judged *j = &o->node[node];

    judge_last(sim, node);
    judge_unfinished(sim, node);
    if (kp_sim_is_broker(&sim->node[node])) {
        judge_together(sim, node);
        judge_looked(sim, node);
    }
    if (kp_sim_is_voter(&sim->node[node])) {
        judge_voters(sim, node);
        j->voter_away = true;
    }
    j->stops++;
    set(&j->rejoining, &o->n_rejoining, false);
    set(&j->down, &o->n_down, true);
}

void kp_sim_oracle_start(kp_sim *sim, int32_t node)
{
    kp_sim_oracle_state *o = sim->oracle;
    const kp_sim_node *n = &sim->node[node];
    const kp_sim_release_facts *f = kp_sim_facts_at(sim, n->link);
    const char *release = sim->h->release[n->link];

    if (sim->h->mode != KP_SIM_ZOOKEEPER) {
        if (f->metadata_max < sim->h->metadata_version)
            violated(sim, 5, "start of %d with %s, which is older than metadata.version %d", n->id,
                     release, sim->h->metadata_version);
    } else {
        int32_t level = kp_sim_ibp_at_start(sim, node), newest = kp_sim_ibp_newest(f),
                lowest = INT32_MAX;
        for (uint32_t i = 0; i < sim->h->n_nodes; i++)
            if ((int32_t)i != node && sim->node[i].phase == KP_SIM_RUNNING &&
                sim->node[i].ibp < lowest)
                lowest = sim->node[i].ibp;
        if (level > newest || (lowest != INT32_MAX && lowest > newest))
            violated(sim, 5, "start of %d with %s, which is older than the protocol in use", n->id,
                     release);
        for (uint32_t i = 0; i < sim->h->n_nodes && level > n->ibp && level <= newest; i++) {
            const kp_sim_node *m = &sim->node[i];
            if ((int32_t)i == node || (m->unmanaged && !kp_sim_has_process(m)))
                continue;
            if (!kp_sim_has_process(m))
                violated(sim, 4, "start of %d raises its protocol to %d.%d while %d is down", n->id,
                         level / 10000, level / 100 % 100, m->id);
            else if (kp_sim_ibp_newest(kp_sim_facts_at(sim, m->running)) < level)
                violated(sim, 4, "start of %d raises its protocol to %d.%d while %d runs %s", n->id,
                         level / 10000, level / 100 % 100, m->id, sim->h->release[m->running]);
        }
    }
    if (kp_sim_is_broker(n)) {
        o->restarted = true;
        o->last_started = node;
        set(&o->node[node].rejoining, &o->n_rejoining, true);
    }
}

/* A fault took one of p's replicas, other than the stopping node's, after the stop was asked
 * for. */
static bool excused(const kp_sim *sim, uint32_t p)
{
    const kp_sim_node *cause = &sim->node[sim->h->cause_node];

    for (uint32_t s = 0; s < kp_sim_rf(sim, p); s++) {
        int32_t m = sim->broker[sim->rep[sim->first_rep[p] + s]];
        bool there = kp_sim_in_sync(sim, p, s) && sim->node[m].listed &&
                     kp_sim_has_process(&sim->node[m]);
        if (m != sim->h->cause_node && !there && sim->node[m].fault_at > cause->stop_landed_at)
            return true;
    }
    return false;
}

void kp_sim_oracle_partition(kp_sim *sim, uint32_t p, uint32_t was_in_sync, uint32_t was_leader)
{
    if (sim->h->cause != KP_SIM_OURS)
        return;
    uint32_t n = 0, min = sim->min_isr[p];
    for (uint32_t s = 0; s < kp_sim_rf(sim, p); s++)
        n += kp_sim_in_sync(sim, p, s);
    bool below = n < was_in_sync && n < min;
    bool offline = sim->leader[p] == KP_VIEW_NO_LEADER && was_leader != KP_VIEW_NO_LEADER;

    if ((!below && !offline) || accepted(sim, p) || excused(sim, p))
        return;
    uint32_t index;
    const char *name = topic_name(sim, p, &index);
    if (below)
        violated(sim, 2, "stop of broker %d leaves %s-%u with %u in sync, min is %u",
                 id_of(sim, sim->h->cause_node), name, index, n, min);
    if (offline)
        violated(sim, 3, "stop of broker %d leaves %s-%u without a leader",
                 id_of(sim, sim->h->cause_node), name, index);
}

void kp_sim_oracle_exit(kp_sim *sim, int32_t node, bool clean)
{
    if (!clean)
        set(&sim->oracle->node[node].unclean, &sim->oracle->n_unclean, true);
}

void kp_sim_oracle_up(kp_sim *sim, int32_t node)
{
    kp_sim_oracle_state *o = sim->oracle;

    set(&o->node[node].down, &o->n_down, false);
    if (!kp_sim_is_broker(&sim->node[node]))
        set(&o->node[node].unclean, &o->n_unclean, false);
}

void kp_sim_oracle_synced(kp_sim *sim, int32_t node)
{
    kp_sim_oracle_state *o = sim->oracle;

    set(&o->node[node].unclean, &o->n_unclean, false);
    if (!o->node[node].rejoining)
        return;
    set(&o->node[node].rejoining, &o->n_rejoining, false);
    o->looked[0] = o->looked[1] = KP_SIM_NO_NODE;
}

void kp_sim_oracle_voter(kp_sim *sim, int32_t node)
{
    sim->oracle->node[node].voter_away = false;
}

void kp_sim_oracle_saw(kp_sim *sim, int32_t node)
{
    kp_sim_oracle_state *o = sim->oracle;

    if (o->n_rejoining > 0)
        return;
    if (o->looked[0] == KP_SIM_NO_NODE)
        o->looked[0] = node;
    else if (o->looked[0] != node && o->looked[1] == KP_SIM_NO_NODE)
        o->looked[1] = node;
}

bool kp_sim_oracle_allow(kp_sim *sim, const char *topic_or_rule)
{
    const char *s = topic_or_rule;

    bool rule = s[0] == 'K' && s[1] >= '1' && s[1] <= '9' && s[2] == '\0';
    int32_t topic = rule ? -1 : kp_sim_topic_named(sim, s);

    if (rule)
        sim->oracle->allowed |= 1u << (s[1] - '0');
    else if (topic >= 0)
        sim->topic[topic].accepted = true;
    kp_sim_commit(sim);
    return rule || topic >= 0;
}

const kp_value *kp_sim_oracle(kp_arena *a, const kp_sim *sim)
{
    const kp_sim_oracle_state *o = sim->oracle;
    kp_builder first = kp_list_begin(a), all = kp_map_begin(a);

    for (uint32_t i = 0; i < o->n_texts; i++)
        kp_list_add(&first, kp_text(a, o->text[i]));
    kp_map_add(&all, "violations", kp_int(a, (int64_t)o->count[0]));
    kp_map_add(&all, "first", kp_list_end(&first));
    for (int k = 1; k <= KP_SIM_RULES; k++)
        kp_map_add(&all, kp_printf(a, "K%d", k), kp_int(a, (int64_t)o->count[k]));
    return kp_map_end(&all);
}
