/* ask_quorum.c: the controller quorum, as its leader sees it.
 *
 * Only the leader answers DescribeQuorum; the others say NOT_LEADER_OR_FOLLOWER.  So all
 * controllers are asked at once and the leader's answer ends it: one round trip, whoever leads by
 * now.  DescribeCluster for controllers would name the leader too, but only from 3.7 on, and then
 * it would still have to be asked.  When none of those that can be reached leads and another one
 * cannot be, a broker is asked, which forwards the question to the leader it knows.  When all say
 * that they do not lead there is no leader, and that is the answer.
 *
 * How far a voter is behind in time is the leader's clock alone: the leader's own "last caught up",
 * which is the moment of the answer, less the voter's.  Offsets say nothing of a voter that died:
 * it keeps its last one.  Version 0 (KRaft before 3.3, which was not for production) has no
 * timestamps: caught_up_ms is -1 for all.
 */
#include "live/inner.h"

#define PATIENCE ((kp_ms)500)          /* with controllers that do not answer */
#define THROUGH_BROKER (2 * KP_SECOND) /* a broker waits for a leader as long as it is let */

typedef struct quorum_ask {
    int legs;       /* controllers that have not answered yet */
    int not_leader; /* those that said they do not lead */
    int silent;     /* those that could not be asked */
    bool brokers;   /* brokers were asked; t->kept is what came of it */
} quorum_ask;

static const kp_quorum_request_partition partition_0 = { 0 };
static const kp_quorum_request_topic metadata_topic = { "__cluster_metadata", { &partition_0, 1 } };
static const kp_describe_quorum_request request = { { &metadata_topic, 1 } };

static const kp_quorum_replica *replica_of(const kp_quorum_partition *p, int id)
{
    for (int32_t i = 0; i < p->current_voters.n; i++)
        if (p->current_voters.v[i].replica_id == id)
            return &p->current_voters.v[i];
    return NULL;
}

static int64_t before(int64_t now, int64_t then)
{
    if (now < 0 || then < 0)
        return -1;
    return now > then ? now - then : 0;
}

static const kp_value *voter_value(kp_arena *a, const kp_quorum_replica *r,
                                   const kp_quorum_replica *leader)
{
    bool leads = leader && r->replica_id == leader->replica_id;
    int64_t now = leader ? leader->last_caught_up_timestamp : -1;
    int64_t end = leader ? leader->log_end_offset : 0;
    int64_t own_end = r->log_end_offset > 0 ? r->log_end_offset : 0; /* -1: never heard of */
    int64_t behind = end > own_end ? end - own_end : 0;
    return kp_map(a, "id", kp_int(a, r->replica_id), "end_offset", kp_int(a, r->log_end_offset),
                  "behind", kp_int(a, behind), "caught_up_ms",
                  kp_int(a, before(now, r->last_caught_up_timestamp)), "fetched_ms",
                  kp_int(a, leads ? before(now, now) : before(now, r->last_fetch_timestamp)), NULL);
}

static const kp_value *quorum_value(kp_arena *a, const kp_quorum_partition *p)
{
    kp_builder voters = kp_list_begin(a), observers = kp_list_begin(a);
    for (int32_t i = 0; p && i < p->current_voters.n; i++)
        kp_list_add(&voters, voter_value(a, &p->current_voters.v[i], replica_of(p, p->leader_id)));
    for (int32_t i = 0; p && i < p->observers.n; i++)
        kp_list_add(&observers, kp_int(a, p->observers.v[i].replica_id));
    return kp_map(a, "leader", kp_int(a, p ? p->leader_id : -1), "epoch",
                  kp_int(a, p ? p->leader_epoch : -1), "high_watermark",
                  kp_int(a, p ? p->high_watermark : -1), "voters", kp_list_end(&voters),
                  "observers", kp_list_end(&observers), NULL);
}

/* The partition of an answer, or the error in it. */
static kp_err *open_answer(kp_task *t, int listener, const kp_describe_quorum_response *r,
                           const kp_quorum_partition **ret_p)
{
    if (r->error_code)
        return kp_answer_err(t, listener, r->error_code, r->error_message);
    if (r->topics.n < 1 || r->topics.v[0].partitions.n < 1)
        return kp_answer_err(t, listener, -1, "an answer without the quorum");
    const kp_quorum_partition *p = &r->topics.v[0].partitions.v[0];
    if (p->error_code)
        return kp_answer_err(t, listener, p->error_code, p->error_message);
    *ret_p = p;
    return NULL;
}

static bool says_not_leader(const kp_describe_quorum_response *r)
{
    return r->error_code == 0 && r->topics.n > 0 && r->topics.v[0].partitions.n > 0 &&
           r->topics.v[0].partitions.v[0].error_code == KP_NOT_LEADER_OR_FOLLOWER;
}

static kp_err *no_quorum(kp_err *cause)
{
    kp_err *e = kp_err_new(KP_CLUSTER,
                           "when the cluster has KRaft controllers, list them in the cluster file",
                           "a cluster in ZooKeeper mode has no controller quorum");
    return kp_err_because(e, cause);
}

static void ask_brokers(kp_task *t);

/* After an answer that is not the leader's: is there anything left to hope for? */
static void settle(kp_task *t)
{
    quorum_ask *ask = t->state;
    bool all_said_no = !ask->legs && !ask->silent && ask->not_leader;
    if (!all_said_no && !ask->brokers) {
        if (!ask->legs)
            ask_brokers(t);
        return;
    }
    if (!all_said_no && (!t->kept || (ask->legs && !ask->not_leader)))
        return;
    if (ask->not_leader) {
        kp_task_done(t, KP_ANY_NODE, quorum_value(t->a, NULL));
    } else {
        kp_err *e = t->kept;
        t->kept = NULL;
        kp_task_fail(t, e);
    }
}

static void on_broker(kp_task *t, int listener, kp_err *e, const void *response)
{
    quorum_ask *ask = t->state;
    const kp_quorum_partition *p = NULL;
    bool not_offered = e && !e->retriable;
    if (!e)
        e = open_answer(t, listener, response, &p);
    if (!e) {
        kp_task_done(t, listener, quorum_value(t->a, p));
        return;
    }
    t->kept = not_offered && !ask->silent && !ask->legs ? no_quorum(e) : e;
    settle(t);
}

static void ask_brokers(kp_task *t)
{
    quorum_ask *ask = t->state;
    size_t n;
    int *listeners = kp_live_listeners(t->lv, t->own, -1, false, &n);
    kp_ms deadline = t->deadline, soon = kp_mono_now() + THROUGH_BROKER;
    ask->brokers = true;
    if (ask->not_leader && soon < deadline)
        t->deadline = soon;
    kp_task_any(t, listeners, n, KP_DESCRIBE_QUORUM, &request, on_broker);
    t->deadline = deadline;
}

/* One that does not answer, or cannot be reached from here, may lead all the same, and brokers
 * know it. */
static void on_patience(void *ud)
{
    kp_task *t = ud;
    t->later = NULL;
    if (!((quorum_ask *)t->state)->brokers)
        ask_brokers(t);
}

static void on_controller(kp_task *t, int listener, kp_err *e, const void *response)
{
    quorum_ask *ask = t->state;
    const kp_quorum_partition *p = NULL;
    ask->legs--;
    ask->silent += e != NULL;
    if (!e) {
        ask->not_leader += says_not_leader(response);
        e = open_answer(t, listener, response, &p);
    }
    if (!e) {
        kp_task_done(t, listener, quorum_value(t->a, p));
        return;
    }
    kp_err_drop(e);
    settle(t);
}

void kp_live_ask_quorum(kp_task *t)
{
    quorum_ask *ask = KP_NEW(t->own, quorum_ask);
    const kp_inventory *inv = t->lv->inv;
    t->state = ask;
    for (uint32_t i = 0; i < inv->n_nodes; i++)
        if (kp_node_is(&inv->nodes[i], KP_CONTROLLER)) {
            ask->legs++;
            kp_task_call(t, kp_controller_listener(inv->nodes[i].id), KP_DESCRIBE_QUORUM, &request,
                         on_controller);
        }
    if (ask->legs)
        t->later = kp_timer_add(t->lv->l, kp_mono_now() + PATIENCE, on_patience, t);
    else
        ask_brokers(t);
}
