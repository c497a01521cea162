/* unregister_broker: the controllers forget a broker that is gone for good (KRaft).
 *
 * A registration that is left over holds metadata.version down and stands for a broker in every
 * list.  What must not be forgotten is refused here, whatever the playbook says: a broker of the
 * cluster file, one that is alive, and one that alone has the newest records of a partition.
 */
#include "verbs/inner.h"

typedef struct unregister_args {
    int64_t id;
} unregister_args;
typedef struct unregister_pre {
    const kp_value *was; /* NULL: not registered */
} unregister_pre;
static const kp_keep unregister_keep[] = { KP_KEEP(unregister_pre, was, KP_KEEP_VALUE) };

static const kp_arg unregister_arg[] = {
    KP_ARG(unregister_args, id, "int", NULL, "the id of a broker that is in no cluster file"),
};

static kp_err *refuse(const void *args)
{
    const unregister_args *a = args;
    return a->id >= 0 && a->id <= INT32_MAX ? NULL
                                            : kp_err_new(KP_PLAYBOOK, "give the id of a broker",
                                                         "%" PRId64 " is no broker's id", a->id);
}

/* Its registration; *ret_one is NULL when there is none. */
static kp_err *look(kp_step *s, int64_t id, const kp_value **ret_one)
{
    kp_request q = { .kind = KP_Q_REGISTERED, .node = KP_ANY_NODE };
    const kp_value *all;

    *ret_one = NULL;
    KP_TRY(kp_ask_value(s->seen, s->a, &q, &all));
    if (!kp_is(all, KP_LIST))
        return kp_err_new(KP_CLUSTER, "by hand: kafka-cluster unregister --id",
                          "brokers before 4.0, and in ZooKeeper mode, do not tell who is "
                          "registered");
    for (size_t i = 0; i < kp_len(all); i++)
        if (kp_get_int(kp_at(all, i), "id", -1) == id)
            *ret_one = kp_at(all, i);
    return NULL;
}

/* Partitions whose ISR is this broker alone. */
static uint32_t only_with(const kp_view *v, int id, uint32_t *ret_first)
{
    int slot = kp_view_slot(v, id);
    uint32_t n = 0;

    for (uint32_t i = slot < 0 ? 0 : v->by_broker_first[slot];
         slot >= 0 && i < v->by_broker_first[slot + 1]; i++) {
        uint32_t p = v->by_broker[i], k = kp_view_replica_on(v, p, (uint32_t)slot);
        if (kp_view_in_sync(v, p, k) && kp_view_isr_size(v, p) == 1 && n++ == 0)
            *ret_first = p;
    }
    return n;
}

static kp_err *before(kp_step *s, const void *args, void *pre)
{
    int id = (int)((const unregister_args *)args)->id;
    const kp_node *ours = kp_inventory_node(s->seen->inv, id);
    const kp_value *one;
    const kp_view *v;
    uint32_t first = 0;

    if (ours)
        return kp_err_new(KP_SAFETY, "take it out of the cluster file first",
                          "broker %d is in the cluster file (%s)", id, ours->where);
    KP_TRY(look(s, id, &one));
    if (one && !kp_get_bool(one, "fenced", false))
        return kp_err_new(KP_SAFETY, "stop it for good first", "broker %d at %s:%d is alive", id,
                          kp_get_text(one, "host", "?"), (int)kp_get_int(one, "port", 0));
    KP_TRY(kp_fresh_view(s->seen, KP_NOBODY, false, &v));
    uint32_t n = only_with(v, id, &first);
    if (n > 0)
        return kp_err_new(KP_SAFETY, "bring it back, or delete what only it has",
                          "broker %d alone has the newest records of %u partition%s (%s)", id, n,
                          n == 1 ? "" : "s", kp_view_name(s->a, v, first));
    ((unregister_pre *)pre)->was = one;
    return NULL;
}

static kp_err *ask(kp_step *s, const void *args)
{
    kp_request q = { .kind = KP_A_UNREGISTER,
                     .node = KP_ANY_NODE,
                     .unregister.broker = (int)((const unregister_args *)args)->id };
    kp_send_only(s, &q);
    return NULL;
}

static kp_verdict probe(kp_step *s, const void *args)
{
    const unregister_pre *pre = s->pre;
    const kp_value *one;
    kp_err *e = look(s, ((const unregister_args *)args)->id, &one);

    if (e) {
        s->blind = true;
        s->say = kp_printf(s->a, "who is registered is not known: %s", e->what);
        kp_err_drop(e);
        return s->asked ? KP_UNDER_WAY : KP_NOT_YET;
    }
    s->saw = kp_map(s->a, "is", one, NULL);
    if (one)
        return KP_NOT_YET;
    s->result = kp_map(s->a, "already", pre && pre->was ? NULL : kp_bool(true), NULL);
    return KP_SO;
}

static const kp_answer_field unregistered_answer[] = {
    { "already", "boolean?", "it was not registered" },
};
const kp_op kp_op_unregister_broker = {
    .name = "unregister_broker",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_WANT,
    .grant = KP_G_BROKER_UNREGISTER,
    .doing = "unregistering",
    .p50 = KP_SECOND,
    .p95 = 10 * KP_SECOND,
    .landing = 20 * KP_SECOND,
    .stall = KP_MINUTE,
    .doc = "Makes the controllers forget a broker that is gone for good (KRaft, 4.0 and later).\n"
           "Refused for a broker of the cluster file, for one that is alive, and for one that "
           "alone has the newest records\n"
           "of a partition.  Started again, it registers again.",
    .result = "kplay.unregistered",
    KP_ANSWERS(unregistered_answer),
    .example = "unregister_broker(9)",
    KP_TAKES(unregister_arg, unregister_args),
    KP_KEEPS(unregister_keep, unregister_pre),
    .refuse = refuse,
    .before = before,
    .ask = ask,
    .probe = probe,
};
