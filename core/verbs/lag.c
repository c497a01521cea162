/* lag: how far consumer groups are behind the ends of what they read, and what has changed of it.
 *
 * Lag is what Kafka's own kafka-consumer-groups says it is: log end offset less committed offset.
 * Partitions a group has not committed, and ends that no leader tells, are counted and not guessed.
 * A playbook gets totals and the worst partitions; all of it can be kept in the run (`save`), and a
 * later question told against that (`against`): of the same run, or of another one by a file.
 */
#include "verbs/inner.h"

#include <stdlib.h>
#include <string.h>

enum { WORST_MOST = 1000, NAME_MOST = 60 };

typedef struct lag_args {
    const kp_value *groups;
    int64_t worst, tolerance;
    const char *save, *against, *file;
} lag_args;
static const kp_arg lag_arg[] = {
    KP_ARG_AS(lag_args, groups, "list", "string[]", "nil", "group ids; all when left out"),
    KP_ARG(lag_args, worst, "int", "10", "so many partitions are listed, the most behind first"),
    KP_ARG(lag_args, save, "text", "nil", "keep all of it in the run, under this name"),
    KP_ARG(lag_args, against, "text", "nil", "tell what has changed since that name was saved"),
    KP_ARG(lag_args, tolerance, "int", "0", "of `against`: so many records more are no change"),
    KP_ARG(lag_args, file, "text", "nil",
           "write what is saved to this file as well, or read what it is told against from it: the "
           "value of an argument of type path"),
};

typedef struct partition_lag {
    const char *group, *topic;
    int64_t partition, committed, end, lag, was; /* was: before, of `against`; -1: not known */
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
                                .end = kp_as_int(kp_at(flat, k + 2), -1),
                                .was = -1 };
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
        kp_list_add(&list,
                    kp_map(a, "group", kp_text(a, p->group), "topic", kp_text(a, p->topic),
                           "partition", kp_int(a, p->partition), "committed",
                           kp_int(a, p->committed), "end_offset", kp_int(a, p->end), "lag",
                           kp_int(a, p->lag), "was", p->was >= 0 ? kp_int(a, p->was) : NULL, NULL));
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

/* One group then and now, and what has become of it. */
typedef struct changed {
    const char *id;
    const kp_value *was, *is;
    int64_t lag, partitions, unknown; /* as the answer has them */
} changed;

/* By how much more its partitions are behind; those that are, among the worst. */
static void more_behind(tally *t, changed *g, int64_t tolerance)
{
    const kp_value *topics = kp_get(g->is, "topics");
    for (size_t i = 0; i < kp_len(topics); i++) {
        const kp_value *flat = topics->u.items[i],
                       *before = kp_get(kp_get(g->was, "topics"), topics->keys[i]);
        for (size_t k = 0; 3 * k + 2 < kp_len(flat); k++) {
            int64_t partition = kp_as_int(kp_at(flat, 3 * k), -1);
            int64_t now = lag_in(flat, k, partition), then = lag_in(before, k, partition);
            int64_t more = now - (then < 0 ? 0 : then);
            if (now < 0 || more <= tolerance)
                continue;
            g->lag += more;
            g->partitions++;
            keep(t, &(partition_lag) { .group = g->id,
                                       .topic = topics->keys[i],
                                       .partition = partition,
                                       .committed = kp_as_int(kp_at(flat, 3 * k + 1), -1),
                                       .end = kp_as_int(kp_at(flat, 3 * k + 2), -1),
                                       .lag = more,
                                       .was = then });
        }
    }
}

/* Partitions whose lag was known, and is not any more: nothing says that they are well. */
static void not_known(kp_builder *lost, size_t most, changed *g)
{
    const kp_value *topics = kp_get(g->was, "topics");
    for (size_t i = 0; g->is && i < kp_len(topics); i++) {
        const kp_value *before = topics->u.items[i],
                       *flat = kp_get(kp_get(g->is, "topics"), topics->keys[i]);
        for (size_t k = 0; 3 * k + 2 < kp_len(before); k++) {
            int64_t partition = kp_as_int(kp_at(before, 3 * k), -1);
            if (lag_in(before, k, partition) < 0 || lag_in(flat, k, partition) >= 0)
                continue;
            g->unknown++;
            if (lost->n < most)
                kp_list_add(lost, kp_map(lost->a, "group", kp_text(lost->a, g->id), "topic",
                                         kp_text(lost->a, topics->keys[i]), "partition",
                                         kp_int(lost->a, partition), NULL));
        }
    }
}

static int worse_first(const void *x, const void *y)
{
    const changed *a = x, *b = y;
    int d = (a->lag < b->lag) - (a->lag > b->lag);
    return d ? d : strcmp(a->id, b->id);
}

static const kp_value *changed_values(kp_arena *a, const changed *g, size_t n)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; i < n; i++)
        kp_list_add(
            &list, kp_map(a, "group", kp_text(a, g[i].id), "type", kp_get(g[i].is, "type"), "state",
                          kp_get(g[i].is, "state"), "protocol", kp_get(g[i].is, "protocol"), "lag",
                          kp_int(a, g[i].lag), "partitions", kp_int(a, g[i].partitions), "unknown",
                          kp_int(a, g[i].unknown), "problem", kp_get(g[i].is, "problem"), NULL));
    return kp_list_end(&list);
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

/* What was kept of the groups that are asked about. */
static const kp_value *only_named(kp_arena *a, const kp_value *all, const kp_value *groups)
{
    kp_builder some = kp_map_begin(a);
    for (size_t i = 0; i < kp_len(groups); i++) {
        const char *id = kp_as_text(kp_at(groups, i), "");
        kp_map_add(&some, id, kp_get(all, id));
    }
    return kp_map_end(&some);
}

static kp_err *changes(kp_step *s, const lag_args *x, const kp_value *is, const kp_value **ret_v)
{
    const kp_value *was;
    KP_TRY(kp_baseline_get(s, x->against, x->file, &was));
    if (x->groups)
        was = only_named(s->a, was, x->groups);
    tally t = { .worst = KP_NEW_ARRAY(s->a, (size_t)x->worst + 1, partition_lag),
                .most = (size_t)x->worst };
    kp_builder lost = kp_list_begin(s->a);
    changed *all = KP_NEW_ARRAY(s->a, kp_len(is) + 1, changed);
    size_t n = 0;
    for (size_t i = 0; i < kp_len(is); i++) {
        changed g = { .id = is->keys[i], .was = kp_get(was, is->keys[i]), .is = is->u.items[i] };
        more_behind(&t, &g, x->tolerance);
        not_known(&lost, (size_t)x->worst, &g);
        if (g.partitions || g.unknown)
            all[n++] = g;
    }
    if (n)
        qsort(all, n, sizeof *all, worse_first);
    *ret_v = kp_map(s->a, "groups", changed_values(s->a, all, n), "worst", worst_values(s->a, &t),
                    "lost", kp_list_end(&lost), "vanished", only_in(s->a, was, is), "appeared",
                    only_in(s->a, is, was), NULL);
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
    if (x->file && !x->save == !x->against)
        return kp_err_new(KP_PLAYBOOK, "lag{ save = \"before\", file = args.baseline }",
                          "lag: argument `file` is for one of `save` and `against`");
    if (x->tolerance < 0)
        return kp_err_new(KP_PLAYBOOK, "lag{ tolerance = 100 }",
                          "lag: argument `tolerance` is 0 or more");
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
    return x->save ? kp_baseline_keep(s, x->save, x->file, all) : NULL;
}

static const kp_answer_field lag_answer[] = {
    { "groups",
      "{ group: string, type: string?, state: string?, protocol: string?, lag: integer, "
      "partitions: integer, unknown: integer, problem: string? }[]",
      "by id; lag: of all its partitions; unknown: those without a commit, or whose end nobody "
      "tells; problem: why its offsets are not told; of `against` the groups that are worse, the "
      "worst first: by how much more, in how many partitions, and in how many its lag is no longer "
      "known" },
    { "worst",
      "{ group: string, topic: string, partition: integer, committed: integer, end_offset: "
      "integer, lag: integer, was: integer? }[]",
      "the partitions that are most behind, over all groups; of `against` those that are more "
      "behind than they were, lag is by how much, and was their lag then" },
    { "lost", "{ group: string, topic: string, partition: integer }[]?",
      "of `against`: partitions whose lag was known then and is not now, at most as many as "
      "`worst` "
      "says" },
    { "vanished", "string[]?", "of `against`: groups that are gone" },
    { "appeared", "string[]?", "of `against`: groups that are new" },
};

const kp_op kp_op_lag = {
    .name = "lag",
    .since = 1,
    .rev = 3,
    .cls = KP_OP_READ,
    .doc = "How far consumer groups are behind: log end offset less committed offset.\n"
           "Totals for each group, and the partitions that are most behind.  Before a group has "
           "ever committed there are none.\n"
           "All of it is kept in the run with save = NAME; against = NAME tells what has changed "
           "since.\nWith file = PATH another run can do the latter: the file says whose it is, and "
           "is refused when it\nis another cluster's, or not whole.",
    .result = "kplay.lag",
    KP_ANSWERS(lag_answer),
    .example = "lag{ groups = { \"billing\" } }.groups[1].lag",
    KP_TAKES(lag_arg, lag_args),
    .refuse = lag_refuse,
    .read = lag_read,
};
