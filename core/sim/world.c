/* The world: requests under way, on the virtual clock.
 *
 * A question is answered when its time has come, from the truth of that moment.  An action lands
 * first, which is when it acts, and is answered a little later.  Requests under way live in the
 * process: when it ends, what has not landed never does.  What a request costs in time is what it
 * costs on small real clusters: half a millisecond and 1.2 us per partition for Metadata, 40 ms for
 * a command over SSH.
 */
#include "sim/oracle.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CALLS 65536u
#define HOST_LANDS (25 * KP_SIM_MS)
#define HOST_TAKES (40 * KP_SIM_MS)
#define LANDS (2 * KP_SIM_MS)
#define PROOF_TAKES (2700 * KP_SIM_MS)
#define CLIENTS_TAKE (900 * KP_SIM_MS)
#define PAUSE_MOST KP_SECOND         /* of real time, for one wait of a paced simulation */
#define LOST_SSH (5 * KP_SIM_SECOND) /* until a lost connection is given up */

static kp_sim *sim_of(kp_world *w)
{
    return (kp_sim *)(void *)w;
}

/* ---- requests under way, by due and ticket ---- */

static kp_sim_call *call_at(const kp_sim *sim, size_t i)
{
    return sim->calls.item[i].of;
}

static void push(kp_sim *sim, kp_sim_call *c)
{
    if (sim->calls.n == MAX_CALLS)
        kp_die("more than %u requests under way in the simulated world", MAX_CALLS);
    c->at = KP_HEAP_OUT;
    kp_heap_add(&sim->calls, (kp_due) { .due = c->due, .order = c->ticket, .of = c, .at = &c->at });
}

void kp_sim_calls_drop(kp_sim *sim)
{
    for (size_t i = 0; i < sim->calls.n; i++)
        kp_err_drop(call_at(sim, i)->err);
    kp_heap_done(&sim->calls);
}

/* ---- who answers ---- */

typedef enum reach { ANSWERS, REFUSES, SILENT, LOST } reach;

static reach broker_answers(const kp_sim *sim, const kp_sim_node *n)
{
    if (n->troubles & KP_SIM_UNREACHABLE)
        return SILENT;
    if (n->phase == KP_SIM_RUNNING || (n->phase == KP_SIM_STOPPING && n->listed))
        return ANSWERS;
    /* in ZooKeeper mode the port is open before anything is answered */
    return n->phase == KP_SIM_JOINING && sim->h->mode == KP_SIM_ZOOKEEPER ? SILENT : REFUSES;
}

static reach node_answers(const kp_sim *sim, int32_t node)
{
    const kp_sim_node *n = &sim->node[node];

    if (kp_sim_is_broker(n))
        return broker_answers(sim, n);
    return n->troubles & KP_SIM_UNREACHABLE ? SILENT : n->voter > 0 ? ANSWERS : REFUSES;
}

static reach host_answers(const kp_sim_node *n)
{
    return n->troubles & KP_SIM_UNREACHABLE ? SILENT : n->troubles & KP_SIM_NO_SSH ? LOST : ANSWERS;
}

/* Whoever answers when anybody may: brokers in turn; when no broker does, and before them of what
 * is the controllers', controllers.  Registrations of controllers they alone tell. */
static int32_t anybody(kp_sim *sim, kp_req kind)
{
    uint32_t n = sim->h->n_nodes;
    bool theirs = kind == KP_Q_QUORUM || kind == KP_Q_CONTROLLERS,
         alone = kind == KP_Q_CONTROLLERS && sim->h->mode != KP_SIM_ZOOKEEPER;

    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < n; i++) {
            uint32_t k = (sim->h->any_node + i) % n;
            bool broker = kp_sim_is_broker(&sim->node[k]);
            bool fits = theirs ? kp_sim_is_voter(&sim->node[k]) == (pass == 0)
                               : broker == (pass == 0);
            if (!fits || (alone && pass > 0) || node_answers(sim, (int32_t)k) != ANSWERS ||
                (!broker && !theirs && kind != KP_Q_NODE))
                continue;
            sim->h->any_node = k + 1;
            return (int32_t)k;
        }
    return KP_SIM_NO_NODE;
}

static kp_err *at_node(const kp_sim *sim, int32_t node, kp_err *e)
{
    const kp_sim_node *n = &sim->node[node];

    return kp_err_retriable(
        kp_err_at(e, "%s %d", kp_sim_is_broker(n) ? "broker" : "controller", n->id));
}

static kp_err *no_answer(const kp_sim *sim, const kp_sim_call *c, reach why)
{
    bool host = kp_req_is_of_host(c->q.kind);

    if (c->node == KP_SIM_NO_NODE)
        return kp_err_retriable(kp_err_new(KP_CLUSTER, "start a broker", "no node answers"));
    const char *name = kp_sim_string(sim, sim->node[c->node].host);
    if (why == LOST)
        return at_node(sim, c->node,
                       kp_err_new(KP_HOST, "see whether the host can be reached by ssh",
                                  "the connection to %s was lost", name));
    if (why == SILENT)
        return at_node(sim, c->node,
                       kp_err_new(host ? KP_HOST : KP_CLUSTER, "see whether the host is up",
                                  "%s did not answer in time", name));
    return at_node(
        sim, c->node,
        kp_err_new(KP_CLUSTER, "see whether its process is up", "connection to %s refused", name));
}

/* ---- how long it takes ---- */

static kp_us takes(const kp_sim *sim, const kp_request *q, int32_t node)
{
    const kp_sim_header *h = sim->h;
    double parts = h->n_parts;

    switch (q->kind) {
    case KP_Q_VIEW:
        if (q->view.follow.is &&
            q->view.seen) { /* topics that still hold an out-of-sync partition of that node */
            int32_t followed = kp_sim_node_find(sim, q->view.follow.id);
            double asked = followed != KP_SIM_NO_NODE && sim->node[followed].slot != KP_SIM_NO_SLOT
                               ? 10.0 * sim->out[sim->node[followed].slot]
                               : 0;
            parts = asked < parts ? asked : parts;
        }
        return 500 + (kp_us)(1.2 * parts);
    case KP_Q_CONFIG:
        return 3 * KP_SIM_MS + (kp_us)(q->config.names ? 0 : 20 * h->n_topics);
    case KP_Q_LOG_DIRS:
        return 2 * KP_SIM_MS + (node != KP_SIM_NO_NODE && sim->node[node].slot != KP_SIM_NO_SLOT
                                    ? (kp_us)(sim->by_first[sim->node[node].slot + 1] -
                                              sim->by_first[sim->node[node].slot]) *
                                          2
                                    : 0);
    case KP_Q_ZNODE:
        return 900 * KP_SIM_MS; /* the release's own shell */
    case KP_Q_PROOF:
    case KP_Q_RELEASE:
        return PROOF_TAKES;
    case KP_Q_CLIENTS:
        return CLIENTS_TAKE;
    case KP_A_ELECT:
        return 10 * KP_SIM_MS + 10 * (kp_us)h->counts.unpreferred;
    default:
        return kp_req_is_of_host(q->kind)    ? HOST_TAKES
               : kp_req_is_question(q->kind) ? LANDS
                                             : 10 * KP_SIM_MS;
    }
}

static kp_us within(const kp_sim_call *c)
{
    return kp_request_within(&c->q) * KP_SIM_MS;
}

/* ---- send ---- */

/* A broker's configuration is asked of that very broker. */
static int32_t asked_node(const kp_sim *sim, const kp_request *q)
{
    if (q->kind == KP_Q_CONFIG && kp_streq(q->config.resource, "broker")) {
        const char *name = kp_as_text(kp_at(q->config.names, 0), "");
        if (*name)
            return kp_sim_node_find(sim, (int)strtol(name, NULL, 10));
    }
    return q->node == KP_ANY_NODE ? KP_SIM_NO_NODE : kp_sim_node_find(sim, q->node);
}

static uint64_t world_send(kp_world *w, kp_arena *a, const kp_request *q)
{
    kp_sim *sim = sim_of(w);
    kp_sim_call *c = KP_NEW(a, kp_sim_call);

    *c = (kp_sim_call) { .ticket = ++sim->ticket,
                         .sent = sim->h->now,
                         .a = a,
                         .node = asked_node(sim, q),
                         .q = kp_request_keep(a, q) };
    kp_us takes_us = takes(sim, q, c->node);
    if (q->kind == KP_Q_VIEW)
        c->q.view.seen = NULL;
    c->due = c->sent + takes_us;
    if (!kp_req_is_question(q->kind))
        c->due = c->sent + (kp_req_is_of_host(q->kind) ? HOST_LANDS : LANDS);
    push(sim, c);
    kp_sim_faults_count(sim, KP_SIM_ON_REQUEST, KP_SIM_NO_NODE, ++sim->h->n_requests);
    kp_sim_settle(sim);
    kp_sim_commit(sim);
    return c->ticket;
}

/* ---- answers ---- */

static bool known_node(const kp_sim_call *c)
{
    bool any = c->q.node == KP_ANY_NODE && !kp_req_is_of_host(c->q.kind);

    return c->node != KP_SIM_NO_NODE || any;
}

/* Who answers c now; sets its node when anybody may. */
static reach reach_of(kp_sim *sim, kp_sim_call *c)
{
    if (kp_req_is_of_host(c->q.kind))
        return host_answers(&sim->node[c->node]);
    if (c->q.kind == KP_Q_ZNODE)
        return ANSWERS;
    if (c->node == KP_SIM_NO_NODE || c->q.kind == KP_A_ELECT || c->q.kind == KP_Q_QUORUM) {
        c->node = anybody(sim, c->q.kind);
        return c->node == KP_SIM_NO_NODE ? REFUSES : ANSWERS;
    }
    return node_answers(sim, c->node);
}

static kp_reply *reply_of(kp_sim *sim, kp_sim_call *c, kp_err *e, const kp_value *value,
                          const kp_view *view)
{
    kp_reply *r = KP_NEW(c->a, kp_reply);

    *r = (kp_reply) { .ticket = c->ticket,
                      .kind = c->q.kind,
                      .err = e,
                      .value = e ? NULL : value,
                      .view = e ? NULL : view,
                      .took_us = sim->h->now - c->sent,
                      .node = c->node == KP_SIM_NO_NODE ? c->q.node : sim->node[c->node].id };
    return r;
}

static void later(kp_sim *sim, kp_sim_call *c, kp_us due)
{
    c->due = due > sim->h->now ? due : sim->h->now;
    push(sim, c);
}

/* The time of c has come: its reply, or NULL when it is due once more. */
static kp_reply *arrive(kp_sim *sim, kp_sim_call *c)
{
    const kp_value *value = NULL;

    if (!known_node(c))
        return reply_of(sim, c,
                        kp_err_new(KP_CONFIG, "give the id of a simulated node",
                                   "there is no node %d", c->q.node),
                        NULL, NULL);
    kp_err *lacks = kp_request_check(&c->q);
    if (lacks)
        return reply_of(sim, c, lacks, NULL, NULL);
    if (c->unanswered)
        return reply_of(sim, c, no_answer(sim, c, SILENT), NULL, NULL);
    if (c->landed)
        return reply_of(sim, c, c->err, NULL, NULL);
    reach r = reach_of(sim, c);
    if (r == SILENT) {
        c->unanswered = true;
        later(sim, c, c->sent + within(c));
        return NULL;
    }
    kp_us give_up = c->sent + (within(c) < LOST_SSH ? within(c) : LOST_SSH);
    if (r == LOST && sim->h->now < give_up) {
        later(sim, c, give_up);
        return NULL;
    }
    if (r != ANSWERS)
        return reply_of(sim, c, no_answer(sim, c, r), NULL, NULL);
    if (!kp_req_is_question(c->q.kind)) {
        c->err = kp_sim_perform(sim, c);
        c->landed = true;
        later(sim, c, c->sent + takes(sim, &c->q, c->node));
        return NULL;
    }
    if (c->q.kind == KP_Q_VIEW) {
        if (!kp_sim_is_broker(&sim->node[c->node]))
            return reply_of(sim, c,
                            kp_err_new(KP_CLUSTER, "ask a broker",
                                       "controller %d has no metadata of topics",
                                       sim->node[c->node].id),
                            NULL, NULL);
        kp_sim_oracle_saw(sim, c->node);
        return reply_of(sim, c, NULL, NULL, kp_sim_view(sim, c->a, c->node));
    }
    kp_err *e = kp_req_is_of_host(c->q.kind) ? kp_sim_answer_host(sim, c, &value)
                                             : kp_sim_answer(sim, c, &value);
    return reply_of(sim, c, e, value, NULL);
}

static int count_interrupts(kp_sim *sim)
{
    if (!sim->loop)
        return sim->interrupts;
    kp_loop_turn(sim->loop, 0);
    return sim->interrupts + kp_loop_signals(sim->loop);
}

static bool interrupted(kp_sim *sim)
{
    int n = count_interrupts(sim);

    if (n == sim->interrupts_told)
        return false;
    sim->interrupts_told = n;
    return true;
}

/* With a pace real time passes, too, so that a person can watch; a signal ends it early. */
static void advance(kp_sim *sim, kp_us to)
{
    if (sim->pace && sim->loop && to > sim->h->now) {
        kp_ms real = (to - sim->h->now) / KP_SIM_MS / sim->pace;
        kp_ms until = kp_mono_now() + (real < PAUSE_MOST ? real : PAUSE_MOST);
        int n = kp_loop_signals(sim->loop);
        while (kp_mono_now() < until && kp_loop_signals(sim->loop) == n)
            kp_loop_turn(sim->loop, until);
    }
    kp_sim_advance(sim, to);
}

static kp_reply *world_wait(kp_world *w, kp_ms until)
{
    kp_sim *sim = sim_of(w);
    kp_us limit = until >= KP_SIM_NEVER / KP_SIM_MS ? KP_SIM_NEVER : until * KP_SIM_MS;
    kp_reply *reply = NULL;

    if (interrupted(sim))
        return NULL;
    while (!reply) {
        if (sim->pace && interrupted(sim))
            break;
        kp_us due = sim->calls.n > 0 ? sim->calls.item[0].due : KP_SIM_NEVER;
        if (due > limit || due == KP_SIM_NEVER) {
            if (limit != KP_SIM_NEVER) /* nothing under way and no limit: nothing would ever come */
                advance(sim, limit);
            break;
        }
        advance(sim, due);
        reply = arrive(sim, kp_heap_take_first(&sim->calls).of);
    }
    kp_sim_commit(sim);
    return reply;
}

static void world_cancel(kp_world *w, uint64_t ticket)
{
    kp_sim *sim = sim_of(w);

    for (size_t i = 0; i < sim->calls.n; i++) {
        kp_sim_call *c = call_at(sim, i);
        if (c->ticket != ticket)
            continue;
        kp_heap_remove(&sim->calls, i);
        /* An action cannot be taken back: it lands, and nobody hears of it. */
        if (!kp_req_is_question(c->q.kind) && !c->landed && known_node(c)) {
            kp_err *lacks = kp_request_check(&c->q);
            if (!lacks && reach_of(sim, c) == ANSWERS)
                c->err = kp_sim_perform(sim, c);
            kp_err_drop(lacks);
            kp_sim_commit(sim);
        }
        kp_err_drop(c->err);
        return;
    }
}

static kp_ms world_now(kp_world *w)
{
    return kp_sim_utc(sim_of(w), sim_of(w)->h->now);
}

static kp_ms world_mono(kp_world *w)
{
    return sim_of(w)->h->now / KP_SIM_MS;
}

static int world_interrupts(kp_world *w)
{
    return count_interrupts(sim_of(w));
}

static bool world_readable(kp_world *w, int fd)
{
    kp_sim *sim = sim_of(w);

    if (!sim->loop)
        sim->loop = kp_loop_new();
    return kp_loop_readable(sim->loop, fd);
}

static void world_done(kp_world *w)
{
    kp_sim_close(sim_of(w));
}

const kp_world_class kp_sim_world_class = {
    .name = "sim",
    .send = world_send,
    .wait = world_wait,
    .cancel = world_cancel,
    .now = world_now,
    .mono = world_mono,
    .interrupts = world_interrupts,
    .readable = world_readable,
    .done = world_done,
};

kp_world *kp_sim_world(kp_sim *sim)
{
    return &sim->world;
}

void kp_sim_catch_signals(kp_sim *sim)
{
    if (!sim->loop)
        sim->loop = kp_loop_new();
    kp_loop_catch_signals(sim->loop);
}

void kp_sim_pace(kp_sim *sim, int pace)
{
    sim->pace = pace;
}

void kp_sim_interrupt(kp_sim *sim)
{
    sim->interrupts++;
}
