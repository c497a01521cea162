/* elect_preferred: leadership back to the first replica of each partition.
 *
 * It moves leaders to the preferred replica, never away from a broker: its place is after the last
 * restart, in sync, once - not during catch-up.
 */
#include "verbs/inner.h"

typedef struct elect_args {
    const kp_value *partitions;
} elect_args;
static const kp_arg elect_arg[] = {
    KP_ARG_AS(elect_args, partitions, "list", "{ topic: string, partition: integer }[]", "nil",
              "a list of {topic, partition}; all when left out"),
};

typedef struct elect_pre {
    int64_t movable;
} elect_pre;
static const kp_keep elect_keep[] = { KP_KEEP(elect_pre, movable, KP_KEEP_INT) };

static bool wanted(const kp_view *v, uint32_t p, const kp_value *list)
{
    if (!list)
        return true;
    const kp_view_topic *t = kp_view_topic_of(v, p);
    for (size_t i = 0; i < kp_len(list); i++)
        if (kp_streq(kp_get_text(kp_at(list, i), "topic", ""), t->name) &&
            kp_get_int(kp_at(list, i), "partition", -1) == (int64_t)(p - t->first))
            return true;
    return false;
}

/* Partitions that would move: not led by their first replica, which is in sync and alive. */
static uint32_t movable(const kp_view *v, const kp_value *list)
{
    uint32_t n = 0;
    if (v->counts.unpreferred == 0)
        return 0;
    for (uint32_t p = 0; p < v->n_parts; p++)
        if (v->leader[p] != 0 && kp_view_in_sync(v, p, 0) &&
            v->brokers[v->rep[v->first_rep[p]]].alive && wanted(v, p, list))
            n++;
    return n;
}

static kp_err *before(kp_step *s, const void *args, void *pre)
{
    const kp_view *v;
    KP_TRY(kp_fresh_view(s->seen, KP_NOBODY, false, &v));
    ((elect_pre *)pre)->movable = movable(v, ((const elect_args *)args)->partitions);
    return NULL;
}

static kp_err *ask(kp_step *s, const void *args)
{
    kp_request q = { .kind = KP_A_ELECT,
                     .node = KP_ANY_NODE,
                     .elect.partitions = ((const elect_args *)args)->partitions,
                     .within = KP_MINUTE };
    kp_send_only(s, &q);
    return NULL;
}

static kp_verdict probe(kp_step *s, const void *args)
{
    const elect_pre *pre = s->pre;
    bool alone;
    const kp_view *v = kp_others_view(s, KP_NOBODY, KP_NOBODY, &alone);
    if (!v) {
        s->blind = true;
        s->say = "no broker answers";
        return s->asked ? KP_UNDER_WAY : KP_NOT_YET;
    }
    uint32_t left = movable(v, ((const elect_args *)args)->partitions);
    s->saw = kp_map(s->a, "left", kp_int(s->a, left), NULL);
    if (left == 0) {
        s->result = kp_map(s->a, "moved", kp_int(s->a, pre ? pre->movable : 0), NULL);
        return KP_SO;
    }
    int64_t were = pre ? pre->movable : left;
    s->progress = -(int64_t)left;
    s->say = kp_printf(s->a, "%u of %" PRId64 " leaders still to move", left, were);
    return s->asked && left < (uint64_t)were ? KP_UNDER_WAY : KP_NOT_YET;
}

static const kp_answer_field elected_answer[] = {
    { "moved", "integer", "partitions that were not led by their first replica" },
};
const kp_op kp_op_elect_preferred = {
    .name = "elect_preferred",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_WANT,
    .grant = KP_G_LEADER_ELECT,
    .p50 = 2 * KP_SECOND,
    .p95 = 30 * KP_SECOND,
    .doc = "Gives each partition's leadership back to its preferred (first) replica, where that "
           "one is in sync.",
    .result = "kplay.elected",
    KP_ANSWERS(elected_answer),
    .example = "elect_preferred()",
    .landing = KP_MINUTE,
    .stall = 2 * KP_MINUTE,
    KP_TAKES(elect_arg, elect_args),
    KP_KEEPS(elect_keep, elect_pre),
    .before = before,
    .ask = ask,
    .probe = probe,
};
