/* Questions about the cluster.  Counts are counts; partitions{...} is the list. */
#include "verbs/inner.h"

#include <string.h>

/* A question's view: fresh from two brokers inside a step, as the guard's is. */
static kp_err *view_of(kp_step *s, const kp_view **ret_v)
{
    return kp_fresh_view(s->seen, KP_NOBODY, false, ret_v);
}

static const kp_value *ids(kp_step *s, kp_role role)
{
    kp_builder b = kp_list_begin(s->a);
    for (uint32_t i = 0; i < s->seen->inv->n_nodes; i++)
        if (kp_node_is(&s->seen->inv->nodes[i], role))
            kp_list_add(&b, kp_int(s->a, s->seen->inv->nodes[i].id));
    return kp_list_end(&b);
}

static kp_err *brokers_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    (void)args;
    *ret_v = ids(s, KP_BROKER);
    return NULL;
}

static kp_err *controllers_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    (void)args;
    *ret_v = ids(s, KP_CONTROLLER);
    return NULL;
}

static kp_err *cluster_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    (void)args;
    *ret_v = kp_map(s->a, "guard", kp_text(s->a, kp_guard_levels[s->seen->inv->guard]), "id",
                    kp_text(s->a, s->seen->cluster_id), "name",
                    kp_text(s->a, s->seen->inv->cluster), "mode",
                    kp_text(s->a, s->seen->zookeeper ? "zookeeper" : "kraft"), "simulated",
                    kp_bool(s->seen->simulated), NULL);
    return NULL;
}

typedef struct broker_args {
    int id;
} broker_args;
static const kp_arg broker_arg[] = { KP_ARG(broker_args, id, "node", NULL, "a node's id") };

/* Partitions whose first replica it has, and those of them that another one leads, or nobody. */
static void count_preferred(const kp_view *v, uint32_t slot, int64_t *ret_n, int64_t *ret_elsewhere)
{
    for (uint32_t i = v->by_broker_first[slot]; i < v->by_broker_first[slot + 1]; i++) {
        uint32_t p = v->by_broker[i];
        if (v->rep[v->first_rep[p]] != slot)
            continue;
        ++*ret_n;
        *ret_elsewhere += v->leader[p] != 0;
    }
}

static kp_err *broker_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const broker_args *a = args;
    const kp_node *n = kp_inventory_node(s->seen->inv, a->id);
    bool broker = kp_node_is(n, KP_BROKER);
    const kp_view *v;
    int64_t leads = 0, replicas = 0, behind = 0, preferred = 0, elsewhere = 0;
    bool up = false;

    if (broker) {
        KP_TRY(view_of(s, &v));
        int slot = kp_view_slot(v, a->id);
        if (slot >= 0) {
            up = v->brokers[slot].alive;
            leads = v->leads[slot];
            replicas = v->by_broker_first[slot + 1] - v->by_broker_first[slot];
            behind = v->out_of_sync[slot];
            count_preferred(v, (uint32_t)slot, &preferred, &elsewhere);
        }
    }
    *ret_v = kp_map(s->a, "id", kp_int(s->a, a->id), "host", kp_text(s->a, n->host), "rack",
                    *n->rack ? kp_text(s->a, n->rack) : NULL, "up", kp_bool(up), "leads",
                    kp_int(s->a, leads), "replicas", kp_int(s->a, replicas), "out_of_sync",
                    kp_int(s->a, behind), "preferred", broker ? kp_int(s->a, preferred) : NULL,
                    "elsewhere", broker ? kp_int(s->a, elsewhere) : NULL, "combined",
                    kp_bool(n->roles == (KP_BROKER | KP_CONTROLLER)), NULL);
    return NULL;
}

static kp_err *quorum_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    kp_request q = { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE };
    (void)args;
    return kp_ask_value(s->seen, s->a, &q, ret_v);
}

static kp_err *controller_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    (void)args;
    if (!s->seen->zookeeper) {
        /* Never from a broker's Metadata: in KRaft that is an arbitrary live broker. */
        const kp_value *quorum;
        KP_TRY(quorum_read(s, args, &quorum));
        int64_t leader = kp_get_int(quorum, "leader", -1);
        *ret_v = leader >= 0 ? kp_int(s->a, leader) : kp_nil();
        return NULL;
    }
    const kp_view *v;
    KP_TRY(view_of(s, &v));
    *ret_v = v->controller >= 0 ? kp_int(s->a, v->controller) : kp_nil();
    return NULL;
}

static kp_err *urp_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const kp_view *v;
    (void)args;
    KP_TRY(view_of(s, &v));
    *ret_v = kp_int(s->a, v->counts.urp);
    return NULL;
}

static kp_err *offline_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const kp_view *v;
    (void)args;
    KP_TRY(view_of(s, &v));
    *ret_v = kp_int(s->a, v->counts.offline);
    return NULL;
}

/* These two need min.insync.replicas, read afresh. */
static kp_err *min_count(kp_step *s, bool under, const kp_value **ret_v)
{
    const kp_view *v;
    KP_TRY(kp_fresh_view(s->seen, KP_NOBODY, true, &v));
    *ret_v = kp_int(s->a, under ? v->counts.under_min_isr : v->counts.at_min_isr);
    return NULL;
}
static kp_err *under_min_isr_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    (void)args;
    return min_count(s, true, ret_v);
}
static kp_err *at_min_isr_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    (void)args;
    return min_count(s, false, ret_v);
}

typedef struct partitions_args {
    bool under_replicated, offline, under_min_isr, at_min_isr;
    kp_maybe_id broker;
    const char *topic;
    int64_t limit;
} partitions_args;
static const kp_arg partitions_arg[] = {
    KP_ARG(partitions_args, under_replicated, "bool", "false",
           "only those with a replica out of sync"),
    KP_ARG(partitions_args, offline, "bool", "false", "only those without a leader"),
    KP_ARG(partitions_args, under_min_isr, "bool", "false", "only those below min.insync.replicas"),
    KP_ARG(partitions_args, at_min_isr, "bool", "false", "only those at min.insync.replicas"),
    KP_ARG(partitions_args, broker, "broker", "nil", "only those with a replica on that broker"),
    KP_ARG(partitions_args, topic, "text", "nil", "only those of that topic"),
    KP_ARG(partitions_args, limit, "int", "100", "at most so many"),
};

static kp_err *partitions_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const partitions_args *a = args;
    const kp_view *v;
    kp_builder b = kp_list_begin(s->a);

    KP_TRY(kp_fresh_view(s->seen, KP_NOBODY, a->under_min_isr || a->at_min_isr, &v));
    const kp_view_topic *t = a->topic ? kp_view_topic_named(v, a->topic) : NULL;
    if (a->topic && !t) {
        *ret_v = kp_list_end(&b);
        return NULL;
    }
    int slot = a->broker.is ? kp_view_slot(v, a->broker.id) : -1;
    uint32_t first = t ? t->first : 0, end = t ? t->first + t->n : v->n_parts;
    for (uint32_t p = first; p < end && b.n < (uint64_t)a->limit; p++) {
        uint32_t isr = kp_view_isr_size(v, p);
        bool holds = !a->broker.is;
        for (uint32_t k = 0; a->broker.is && k < kp_view_rf(v, p); k++)
            holds = holds || v->rep[v->first_rep[p] + k] == slot;
        if (!holds || (a->under_replicated && isr >= kp_view_rf(v, p)) ||
            (a->offline && v->leader[p] != KP_VIEW_NO_LEADER) ||
            (a->under_min_isr && isr >= v->min_isr[p]) || (a->at_min_isr && isr != v->min_isr[p]))
            continue;
        kp_list_add(&b, kp_view_partition_value(s->a, v, p));
    }
    *ret_v = kp_list_end(&b);
    return NULL;
}

typedef struct risk_args {
    kp_nodes ids;
} risk_args;
static const kp_arg risk_arg[] = { KP_ARG(risk_args, ids, "brokers", NULL,
                                          "a broker's id, or a list of ids") };

static kp_err *risk_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const risk_args *a = args;
    const kp_view *v;
    kp_risk risk;
    KP_TRY(kp_fresh_view(s->seen, KP_NOBODY, true, &v));
    kp_risk_of(v, a->ids.id, a->ids.n, s->seen->inv->accept, &risk);
    *ret_v = kp_risk_value(s->a, v, &risk);
    return NULL;
}

static kp_err *reassignments_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    kp_request q = { .kind = KP_Q_REASSIGNMENTS, .node = KP_ANY_NODE };
    (void)args;
    return kp_ask_value(s->seen, s->a, &q, ret_v);
}

static kp_err *groups_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    kp_request q = { .kind = KP_Q_GROUPS, .node = KP_ANY_NODE };
    (void)args;
    return kp_ask_value(s->seen, s->a, &q, ret_v);
}

static kp_err *log_dirs_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    kp_request q = { .kind = KP_Q_LOG_DIRS, .node = ((const broker_args *)args)->id };
    return kp_ask_value(s->seen, s->a, &q, ret_v);
}

const kp_op kp_op_brokers = {
    .name = "brokers",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "The ids of the brokers in the cluster file.",
    .result = "integer[]",
    .example = "for _, id in ipairs(brokers()) do ... end",
    .read = brokers_read,
};
const kp_op kp_op_controllers = {
    .name = "controllers",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "The ids of the KRaft controllers in the cluster file.",
    .result = "integer[]",
    .example = "#controllers()",
    .read = controllers_read,
};
static const kp_answer_field cluster_answer[] = {
    { "id", "string", "Kafka's cluster id" },
    { "name", "string", "its name in the cluster file" },
    { "mode", "\"zookeeper\"|\"kraft\"", "how its brokers keep metadata" },
    { "guard", "\"strict\"|\"healthy\"|\"available\"", "policy.guard" },
    { "simulated", "boolean", "a simulated cluster, or a rehearsal's copy" },
};
const kp_op kp_op_cluster = {
    .name = "cluster",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "The cluster: id, name, mode (\"zookeeper\" or \"kraft\"), the guard's level, and "
           "whether it is simulated.",
    .result = "kplay.cluster",
    KP_ANSWERS(cluster_answer),
    .example = "cluster().mode",
    .read = cluster_read,
};
static const kp_answer_field broker_answer[] = {
    { "id", "integer", "the node's id" },
    { "host", "string", "as the cluster file has it" },
    { "rack", "string?", "as the cluster file has it" },
    { "up", "boolean", "the other brokers list it" },
    { "leads", "integer", "partitions it leads" },
    { "replicas", "integer", "replicas it holds" },
    { "out_of_sync", "integer", "of them those not in sync" },
    { "preferred", "integer?", "partitions whose preferred leader it is; nil: it is no broker" },
    { "elsewhere", "integer?", "of them those that another broker leads, or nobody" },
    { "combined", "boolean", "it is a controller as well" },
};
const kp_op kp_op_broker = {
    .name = "broker",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "One node: host, rack, whether the others list it, what it leads and holds.",
    .result = "kplay.broker",
    KP_ANSWERS(broker_answer),
    .example = "broker(2).up",
    KP_TAKES(broker_arg, broker_args),
    .read = broker_read,
};
const kp_op kp_op_controller = {
    .name = "controller",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "The active controller: in KRaft the quorum's leader, in ZooKeeper mode the controller "
           "broker; nil when there is none.",
    .result = "integer?",
    .example = "controller()",
    .read = controller_read,
};
static const kp_answer_field quorum_answer[] = {
    { "leader", "integer", "the active controller's id; -1: none" },
    { "epoch", "integer", "the leader's epoch" },
    { "high_watermark", "integer", "offset that a majority has" },
    { "voters",
      "{ id: integer, end_offset: integer, behind: integer, caught_up_ms: integer, fetched_ms: "
      "integer }[]",
      "behind: records; caught_up_ms: before the leader's clock, -1: never" },
    { "observers", "integer[]", "ids of the brokers that follow" },
};
const kp_op kp_op_quorum = {
    .name = "quorum",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "The controller quorum as its leader sees it (DescribeQuorum).",
    .result = "kplay.quorum",
    KP_ANSWERS(quorum_answer),
    .example = "quorum().leader",
    .read = quorum_read,
};
const kp_op kp_op_urp = {
    .name = "urp",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "How many partitions are under-replicated: |ISR| < |replicas|.",
    .result = "integer",
    .example = "urp() == 0",
    .read = urp_read,
};
const kp_op kp_op_offline = {
    .name = "offline",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "How many partitions have no leader.",
    .result = "integer",
    .example = "offline() == 0",
    .read = offline_read,
};
const kp_op kp_op_under_min_isr = {
    .name = "under_min_isr",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "How many partitions are below min.insync.replicas.",
    .result = "integer",
    .example = "under_min_isr() == 0",
    .read = under_min_isr_read,
};
const kp_op kp_op_at_min_isr = {
    .name = "at_min_isr",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc =
        "How many partitions are at min.insync.replicas: one more lost and they refuse acks=all.",
    .result = "integer",
    .example = "at_min_isr()",
    .read = at_min_isr_read,
};
static const kp_answer_field partition_answer[] = {
    { "topic", "string", "its topic" },
    { "partition", "integer", "its number in the topic" },
    { "leader", "integer", "the leader's id; -1: none" },
    { "replicas", "integer[]", "ids, the preferred leader first" },
    { "isr", "integer[]", "ids of the replicas that are in sync" },
    { "min_isr", "integer?", "min.insync.replicas, where the question read it" },
};
const kp_op kp_op_partitions = {
    .name = "partitions",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "A list of partitions, narrowed by what is asked for.",
    .result = "kplay.partition[]",
    KP_ANSWERS(partition_answer),
    .example = "partitions{ under_replicated = true }",
    KP_TAKES(partitions_arg, partitions_args),
    .read = partitions_read,
};
static const kp_answer_field risk_answer[] = {
    { "offline", "integer", "partitions that would have no leader" },
    { "below_min_isr", "integer", "... fall below min.insync.replicas" },
    { "at_min_isr", "integer", "... be at it" },
    { "under_replicated", "integer", "... be under-replicated" },
    { "unclean", "integer", "... elect a replica that lacks records" },
    { "leaders", "integer", "partitions these brokers lead now" },
    { "partitions", "kplay.partition[]", "the first of those that would be offline or below" },
};
const kp_op kp_op_risk = {
    .name = "risk",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "What would remain without those brokers.",
    .result = "kplay.risk",
    KP_ANSWERS(risk_answer),
    .example = "risk(2).offline",
    KP_TAKES(risk_arg, risk_args),
    .read = risk_read,
};
static const kp_answer_field reassignment_answer[] = {
    { "topic", "string", "its topic" },
    { "partition", "integer", "its number" },
    { "replicas", "integer[]", "ids, old and new" },
    { "adding", "integer[]", "ids of those that come" },
    { "removing", "integer[]", "ids of those that go" },
};
const kp_op kp_op_reassignments = {
    .name = "reassignments",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "Partition reassignments that are running.",
    .result = "kplay.reassignment[]",
    KP_ANSWERS(reassignment_answer),
    .example = "#reassignments()",
    .read = reassignments_read,
};
static const kp_answer_field group_answer[] = {
    { "group", "string", "its id" },
    { "state", "string", "as Kafka names it: Stable, Empty ..." },
    { "type", "string", "classic, consumer, share or streams" },
    { "protocol", "string?", "consumer, connect ..." },
    { "coordinator", "integer", "the broker that has it" },
};
const kp_op kp_op_groups = {
    .name = "groups",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "Consumer groups and their states.",
    .result = "kplay.group[]",
    KP_ANSWERS(group_answer),
    .example = "#groups()",
    .read = groups_read,
};
static const kp_answer_field log_dir_answer[] = {
    { "path", "string", "on its host" },
    { "error", "string?", "Kafka's error of it; nil: it is well" },
    { "total", "integer", "bytes of its volume; -1: not told" },
    { "usable", "integer", "bytes left; -1: not told" },
    { "size", "integer", "bytes of its replicas" },
    { "replicas", "integer", "how many it holds" },
    { "behind", "integer", "records its replicas lack, together" },
    { "catching_up", "integer", "replicas that lack some" },
};
const kp_op kp_op_log_dirs = {
    .name = "log_dirs",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_READ,
    .doc = "A broker's log dirs: errors, sizes, how far its replicas are behind.",
    .result = "kplay.log_dir[]",
    KP_ANSWERS(log_dir_answer),
    .example = "log_dirs(2)[1].error",
    KP_TAKES(broker_arg, broker_args),
    .read = log_dirs_read,
};
