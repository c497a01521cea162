/* lag: how far consumer groups are behind the ends of what they read, and what has changed of it.
 *
 * Lag is what Kafka's own kafka-consumer-groups says it is: log end offset less committed offset.
 * Partitions a group has not committed, and ends that no leader tells, are counted and not guessed.
 * A playbook gets totals and the worst partitions; all of it can be kept in the run (`save`), and a
 * later question told against that (`against`).
 */
#include "verbs/inner.h"

#include <string.h>

enum { WORST_MOST = 1000, NAME_MOST = 60 };

typedef struct lag_args {
    const kp_value *groups;
    int64_t worst, tolerance;
    const char *save, *against;
} lag_args;
static const kp_arg lag_arg[] = {
    KP_ARG_AS(lag_args, groups, "list", "string[]", "nil", "group ids; all when left out"),
    KP_ARG(lag_args, worst, "int", "10", "so many partitions are listed, the most behind first"),
    KP_ARG(lag_args, save, "text", "nil", "keep all of it in the run, under this name"),
    KP_ARG(lag_args, against, "text", "nil", "tell what has changed since that name was saved"),
    KP_ARG(lag_args, tolerance, "int", "0", "of `against`: so many records more are no change"),
};

typedef struct partition_lag {
    const char *group, *topic;
    int64_t partition, committed, end, lag;
} partition_lag;

typedef struct tally {
    partition_lag *worst; /* descending; at most `most` */
    size_t n, most;
} tally;

/* In its place among the worst, when it is one of them. */
static void keep(tally *t, const partition_lag *p)
{
    size_t i = t->n;
    while (i > 0 && t->worst[i - 1].lag < p->lag)
        i--;
    if (i >= t->most)
        return;
    size_t after = t->n - i;
    if (t->n == t->most)
        after--;
    else
        t->n++;
    memmove(&t->worst[i + 1], &t->worst[i], after * sizeof *t->worst);
    t->worst[i] = *p;
}

static const kp_value *group_value(kp_arena *a, const char *id, const kp_value *g, tally *t)
{
    const kp_value *topics = kp_get(g, "topics");
    int64_t lag = 0, partitions = 0, unknown = 0;

    for (size_t i = 0; i < kp_len(topics); i++) {
        const kp_value *flat = topics->u.items[i];
        for (size_t k = 0; k + 2 < kp_len(flat); k += 3) {
            partition_lag p = { .group = id,
                                .topic = topics->keys[i],
                                .partition = kp_as_int(kp_at(flat, k), -1),
                                .committed = kp_as_int(kp_at(flat, k + 1), -1),
                                .end = kp_as_int(kp_at(flat, k + 2), -1) };
            partitions++;
            if (p.committed < 0 || p.end < 0) {
                unknown++;
                continue;
            }
            p.lag = p.end > p.committed ? p.end - p.committed : 0;
            lag += p.lag;
            keep(t, &p);
        }
    }
    return kp_map(a, "group", kp_text(a, id), "type", kp_get(g, "type"), "state",
                  kp_get(g, "state"), "protocol", kp_get(g, "protocol"), "lag", kp_int(a, lag),
                  "partitions", kp_int(a, partitions), "unknown", kp_int(a, unknown), "problem",
                  kp_get(g, "problem"), NULL);
}

static const kp_value *worst_values(kp_arena *a, const tally *t)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; i < t->n; i++) {
        const partition_lag *p = &t->worst[i];
        kp_list_add(&list, kp_map(a, "group", kp_text(a, p->group), "topic", kp_text(a, p->topic),
                                  "partition", kp_int(a, p->partition), "committed",
                                  kp_int(a, p->committed), "end_offset", kp_int(a, p->end), "lag",
                                  kp_int(a, p->lag), NULL));
    }
    return kp_list_end(&list);
}

/* ---- against what was ---- */

/* The lag of one partition in a flat list; -1 when it is not known there. */
static int64_t lag_in(const kp_value *flat, size_t hint, int64_t partition)
{
    size_t n = kp_len(flat) / 3;
    for (size_t i = 0; i < n; i++) {
        size_t k = 3 * ((hint + i) % n); /* mostly in the same place */
        if (kp_as_int(kp_at(flat, k), -1) != partition)
            continue;
        int64_t committed = kp_as_int(kp_at(flat, k + 1), -1),
                end = kp_as_int(kp_at(flat, k + 2), -1);
        return committed < 0 || end < 0 ? -1 : end > committed ? end - committed : 0;
    }
    return -1;
}

/* By how much more the partitions of one group are behind; those that are, among the worst. */
static void more_behind(tally *t, const char *id, const kp_value *was, const kp_value *is,
                        int64_t tolerance)
{
    const kp_value *topics = kp_get(is, "topics");
    for (size_t i = 0; i < kp_len(topics); i++) {
        const kp_value *flat = topics->u.items[i],
                       *before = kp_get(kp_get(was, "topics"), topics->keys[i]);
        for (size_t k = 0; 3 * k + 2 < kp_len(flat); k++) {
            int64_t partition = kp_as_int(kp_at(flat, 3 * k), -1);
            int64_t now = lag_in(flat, k, partition), then = lag_in(before, k, partition);
            if (now < 0 || now - (then < 0 ? 0 : then) <= tolerance)
                continue;
            keep(t, &(partition_lag) { .group = id,
                                       .topic = topics->keys[i],
                                       .partition = partition,
                                       .committed = kp_as_int(kp_at(flat, 3 * k + 1), -1),
                                       .end = kp_as_int(kp_at(flat, 3 * k + 2), -1),
                                       .lag = now - (then < 0 ? 0 : then) });
        }
    }
}

/* The keys of `of` that `without` does not have. */
static const kp_value *only_in(kp_arena *a, const kp_value *of, const kp_value *without)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; i < kp_len(of); i++)
        if (!kp_get(without, of->keys[i]))
            kp_list_add(&list, kp_text(a, of->keys[i]));
    return kp_list_end(&list);
}

static kp_err *changes(kp_step *s, const lag_args *x, const kp_value *is, const kp_value **ret_v)
{
    const kp_value *was;
    KP_TRY(kp_baseline_get(s->r, s->a, x->against, &was));
    tally t = { .worst = KP_NEW_ARRAY(s->a, (size_t)x->worst + 1, partition_lag),
                .most = (size_t)x->worst };
    for (size_t i = 0; i < kp_len(is); i++)
        more_behind(&t, is->keys[i], kp_get(was, is->keys[i]), is->u.items[i], x->tolerance);
    kp_builder none = kp_list_begin(s->a);
    *ret_v = kp_map(s->a, "groups", kp_list_end(&none), "worst", worst_values(s->a, &t), "vanished",
                    only_in(s->a, was, is), "appeared", only_in(s->a, is, was), NULL);
    return NULL;
}

/* ---- the verb ---- */

static kp_err *lag_refuse(const void *args)
{
    const lag_args *x = args;
    if (x->worst < 0 || x->worst > WORST_MOST)
        return kp_err_new(KP_PLAYBOOK, "lag{ worst = 10 }", "lag: argument `worst` is from 0 to %d",
                          WORST_MOST);
    if (x->save && (!*x->save || strlen(x->save) > NAME_MOST))
        return kp_err_new(KP_PLAYBOOK, "lag{ save = \"before\" }",
                          "lag: argument `save` is a name of 1 to %d bytes", NAME_MOST);
    return NULL;
}

static const kp_value *totals(kp_step *s, const lag_args *x, const kp_value *all)
{
    kp_builder groups = kp_list_begin(s->a);
    tally t = { .worst = KP_NEW_ARRAY(s->a, (size_t)x->worst + 1, partition_lag),
                .most = (size_t)x->worst };
    for (size_t i = 0; i < kp_len(all); i++)
        kp_list_add(&groups, group_value(s->a, all->keys[i], all->u.items[i], &t));
    for (size_t i = 0; i < kp_len(x->groups); i++) {
        const char *id = kp_as_text(kp_at(x->groups, i), "");
        if (!kp_get(all, id))
            kp_list_add(&groups, kp_map(s->a, "group", kp_text(s->a, id), "lag", kp_int(s->a, 0),
                                        "partitions", kp_int(s->a, 0), "unknown", kp_int(s->a, 0),
                                        "problem", kp_text(s->a, "there is no such group"), NULL));
    }
    return kp_map(s->a, "groups", kp_list_end(&groups), "worst", worst_values(s->a, &t), NULL);
}

static kp_err *lag_read(kp_step *s, const void *args, const kp_value **ret_v)
{
    const lag_args *x = args;
    kp_request q = { .kind = KP_Q_LAG, .node = KP_ANY_NODE, .lag.groups = x->groups };
    const kp_value *all;

    KP_TRY(kp_ask_value(s->seen, s->a, &q, &all));
    if (x->against)
        KP_TRY(changes(s, x, all, ret_v));
    else
        *ret_v = totals(s, x, all);
    return x->save ? kp_baseline_keep(s->r, s->a, x->save, all) : NULL;
}

static const kp_answer_field lag_answer[] = {
    { "groups",
      "{ group: string, type: string?, state: string?, protocol: string?, lag: integer, "
      "partitions: integer, unknown: integer, problem: string? }[]",
      "by id; lag: of all its partitions; unknown: those without a commit, or whose end nobody "
      "tells; "
      "problem: why its offsets are not told" },
    { "worst",
      "{ group: string, topic: string, partition: integer, committed: integer, end_offset: "
      "integer, "
      "lag: integer }[]",
      "the partitions that are most behind, over all groups; of `against` those that are more "
      "behind than they were, and lag is by how much" },
    { "vanished", "string[]?", "of `against`: groups that are gone" },
    { "appeared", "string[]?", "of `against`: groups that are new" },
};

const kp_op kp_op_lag = {
    .name = "lag",
    .since = 1,
    .rev = 2,
    .cls = KP_OP_READ,
    .doc = "How far consumer groups are behind: log end offset less committed offset.\n"
           "Totals for each group, and the partitions that are most behind.  Before a group has "
           "ever committed there are none.\n"
           "All of it is kept in the run with save = NAME; against = NAME tells what has changed "
           "since.",
    .result = "kplay.lag",
    KP_ANSWERS(lag_answer),
    .example = "lag{ groups = { \"billing\" } }.groups[1].lag",
    KP_TAKES(lag_arg, lag_args),
    .refuse = lag_refuse,
    .read = lag_read,
};
