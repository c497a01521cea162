/* Risk: the arithmetic before a stop, against a naive recount of the answer. */
#include "with_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static kp_arena *arena(void)
{
    return kp_arena_new("a risk test", 256u << 20);
}

/* One partition on brokers 1 to 3 of which 3 may be down, and what risk says of it. */
typedef struct row {
    const char *name;
    uint32_t rf, isr; /* replicas are 1 .. rf; isr is a mask, bit i: broker i + 1 */
    int min;
    bool unclean, third_down;
    uint32_t gone; /* mask of the nodes asked about */
    const char *
        lists; /* the lists it is in: o(ffline) b(elow min) u(nclean) ?(unknown) s(ingle) t(ight) */
    uint32_t urp, at_min;
} row;

static const row rows[] = {
    { "three in sync, min 2", 3, 7, 2, false, false, 1, "", 1, 1 },
    { "three in sync, min 2, two go", 3, 7, 2, false, false, 3, "b", 1, 0 },
    { "three in sync, min 2, all go", 3, 7, 2, false, false, 7, "ob", 1, 0 },
    { "three in sync, min 3", 3, 7, 3, false, false, 1, "bt", 1, 0 },
    { "two in sync, min 2", 3, 3, 2, false, false, 1, "b", 1, 0 },
    { "two in sync, min 2, the other goes", 3, 3, 2, false, false, 4, "", 1, 1 },
    { "two in sync, min 1", 3, 3, 1, false, false, 1, "", 1, 1 },
    { "one in sync, min 1", 3, 1, 1, false, false, 1, "ob", 1, 0 },
    { "one in sync, min 1, another goes", 3, 1, 1, false, false, 2, "", 1, 1 },
    { "under min already, one out of sync goes", 3, 1, 2, false, false, 4, "b", 1, 0 },
    { "nothing in sync, min 1, one out of sync goes", 3, 0, 1, false, false, 4, "b", 1, 0 },
    { "one replica, min 1", 1, 1, 1, false, false, 1, "obst", 1, 0 },
    { "one replica, elsewhere", 1, 1, 1, false, false, 2, "", 0, 1 },
    { "min not known", 3, 7, 0, false, false, 1, "?", 1, 0 },
    { "min not known, out of sync", 3, 3, 0, false, false, 4, "?", 1, 0 },
    { "min not known, last one", 3, 1, 0, false, false, 1, "o?", 1, 0 },
    { "unclean election allowed", 3, 7, 2, true, false, 1, "u", 1, 1 },
    { "unclean election allowed, out of sync", 3, 3, 1, true, false, 4, "", 1, 0 },
    { "the rest is on a broker that is down", 3, 5, 1, false, true, 1, "ob", 1, 1 },
    { "enough on live brokers", 3, 7, 1, false, true, 1, "", 1, 0 },
    { "enough in the ISR, not on live brokers", 3, 7, 2, false, true, 1, "b", 1, 1 },
    { "the broker that is down goes", 3, 3, 2, false, true, 4, "", 1, 1 },
    { "nobody goes", 3, 3, 2, false, false, 0, "", 1, 1 },
};

static char *lists_of(kp_arena *a, const kp_risk *r)
{
    const struct {
        const kp_risk_list *list;
        char letter;
    } all[] = { { &r->offline, 'o' },     { &r->below_min, 'b' }, { &r->unclean, 'u' },
                { &r->unknown_min, '?' }, { &r->single, 's' },    { &r->tight, 't' } };
    char *s = kp_alloc(a, 8), *at = s;
    for (size_t i = 0; i < KP_COUNT(all); i++)
        if (all[i].list->n)
            *at++ = all[i].letter;
    return s;
}

static void one_partition(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = arena();
        const row *r = &rows[i];
        int32_t replicas[] = { 1, 2, 3 }, isr[3];
        int nodes[3];
        uint32_t n_isr = 0, n = 0;
        for (uint32_t k = 0; k < 3; k++) {
            if (r->isr >> k & 1)
                isr[n_isr++] = (int32_t)k + 1;
            if (r->gone >> k & 1)
                nodes[n++] = (int)k + 1;
        }
        kp_view_partition_in p = { .leader = n_isr ? isr[0] : -1,
                                   .n_replicas = r->rf,
                                   .n_isr = n_isr,
                                   .replicas = replicas,
                                   .isr = isr,
                                   .min_isr = r->min,
                                   .unclean = r->unclean };
        kp_view_topic_in t = { .name = "t", .n = 1, .parts = &p };
        kp_view_broker b[] = { { .id = 1, .alive = true },
                               { .id = 2, .alive = true },
                               { .id = 3, .alive = !r->third_down } };
        const kp_view *v = built(
            a, &(kp_view_in){ .n_brokers = 3, .brokers = b, .n_topics = 1, .topics = &t });
        kp_risk risk;
        kp_risk_of(v, nodes, n, NULL, &risk);
        if (strcmp(lists_of(a, &risk), r->lists) != 0 || risk.urp_after != r->urp ||
            risk.at_min_after != r->at_min)
            fail_msg("%s: lists %s, urp %u, at min %u", r->name, lists_of(a, &risk), risk.urp_after,
                     risk.at_min_after);
        assert_int_equal(risk.leaders, n_isr && r->gone >> (isr[0] - 1) & 1);
        assert_int_equal(risk.replicas, (r->gone & ((1u << r->rf) - 1)) != 0);
    }
}

/* ---- random clusters ---- */

static void list_add(kp_risk_list *l, uint32_t p)
{
    if (l->n < KP_RISK_LIST)
        l->p[l->n] = p;
    l->n++;
}

/* Everything again, by walking all partitions of the answer. */
static kp_risk naive_risk(kp_arena *a, const kp_view_in *in, const int *nodes, uint32_t n)
{
    kp_risk r = { 0 };
    const kp_view_topic_in **sorted = by_name(a, in);
    uint32_t p = 0;
    for (uint32_t t = 0; t < in->n_topics; t++) {
        for (uint32_t k = 0; k < sorted[t]->n; k++, p++) {
            const kp_view_partition_in *q = &sorted[t]->parts[k];
            uint32_t min = (uint32_t)q->min_isr, has = 0, loses = 0, left = 0, left_alive = 0;
            for (uint32_t i = 0; i < q->n_replicas; i++)
                has += is_among(nodes, n, q->replicas[i]);
            for (uint32_t i = 0; i < q->n_isr; i++) {
                bool goes = is_among(nodes, n, q->isr[i]);
                loses += goes;
                left += !goes;
                left_alive += !goes && is_alive(in, q->isr[i]);
            }
            r.urp_after += left < q->n_replicas;
            r.at_min_after += min > 0 && left == min;
            if (has == 0)
                continue;
            r.replicas++;
            r.leaders += is_among(nodes, n, q->leader);
            bool offline = loses > 0 && left_alive == 0;
            bool below = (loses > 0 && left_alive < min) || (loses == 0 && q->n_isr < min);
            if (offline)
                list_add(&r.offline, p);
            if (offline && q->n_replicas == 1)
                list_add(&r.single, p);
            if (below)
                list_add(&r.below_min, p);
            if (below && q->n_replicas <= min)
                list_add(&r.tight, p);
            if (loses > 0 && q->unclean)
                list_add(&r.unclean, p);
            if (min == 0)
                list_add(&r.unknown_min, p);
        }
    }
    return r;
}

static void random_risks_are_those_of_a_recount(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 1000; seed++) {
        KP_AUTO_ARENA a = arena();
        random_seed(seed);
        const kp_view_in *in = random_cluster(a);
        const kp_view *v = built(a, in);
        for (uint32_t round = 0; round < 5; round++) {
            int nodes[6];
            uint32_t n = round ? random_below(7) : 1;
            for (uint32_t i = 0; i < n; i++) /* now and then twice the same, or one nobody knows */
                nodes[i] = v->n_brokers && random_below(8)
                               ? v->brokers[random_below(v->n_brokers)].id
                               : 999999;
            kp_risk risk, expected = naive_risk(a, in, nodes, n);
            kp_risk_of(v, nodes, n, NULL, &risk);
            if (memcmp(&risk, &expected, sizeof risk) != 0)
                fail_msg("seed %u: %s, but %s", seed, kp_json_text(a, kp_risk_value(a, v, &risk)),
                         kp_json_text(a, kp_risk_value(a, v, &expected)));
        }
    }
}

static void counts_after_are_those_of_the_cluster_after(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 1000; seed++) {
        KP_AUTO_ARENA a = arena();
        random_seed(seed);
        kp_view_in *in = shuffled(a, random_cluster(a));
        const kp_view *v = built(a, in);
        if (v->n_brokers == 0)
            continue;
        int node = v->brokers[random_below(v->n_brokers)].id;
        kp_risk risk;
        kp_risk_of(v, &node, 1, NULL, &risk);
        for (uint32_t t = 0; t < in->n_topics; t++) {
            for (uint32_t k = 0; k < in->topics[t].n; k++) {
                kp_view_partition_in *p =
                    (kp_view_partition_in *)(uintptr_t)&in->topics[t].parts[k];
                int32_t *isr = KP_NEW_ARRAY(a, p->n_isr, int32_t);
                uint32_t left = 0;
                for (uint32_t i = 0; i < p->n_isr; i++)
                    if (p->isr[i] != node)
                        isr[left++] = p->isr[i];
                p->isr = isr;
                p->n_isr = left;
            }
        }
        const kp_view *after = built(a, in);
        assert_int_equal(risk.urp_after, after->counts.urp);
        assert_int_equal(risk.at_min_after, after->counts.at_min_isr);
    }
}

/* ---- many partitions, several nodes ---- */

static void lists_are_the_first_ones_in_order(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    enum { N = 300 };
    kp_view_partition_in *parts = KP_NEW_ARRAY(a, N, kp_view_partition_in);
    static const int32_t owners[] = { 1, 2, 3 };
    for (uint32_t p = 0; p < N; p++)
        parts[p] = (kp_view_partition_in){ .index = (int32_t)p,
                                           .leader = owners[p * 7 % 3],
                                           .n_replicas = 1,
                                           .n_isr = 1,
                                           .replicas = &owners[p * 7 % 3],
                                           .isr = &owners[p * 7 % 3],
                                           .min_isr = 1 };
    kp_view_topic_in t = { .name = "t", .n = N, .parts = parts };
    const kp_view *v = built(a, &(kp_view_in){ .n_topics = 1, .topics = &t });
    kp_risk risk;
    kp_risk_of(v, (const int[]){ 3, 1 }, 2, NULL, &risk);
    assert_int_equal(risk.offline.n, 200);
    assert_int_equal(risk.single.n, 200);
    uint32_t at = 0;
    for (uint32_t p = 0; p < N && at < KP_RISK_LIST; p++)
        if (owners[p * 7 % 3] != 2)
            assert_int_equal(risk.offline.p[at++], p);
    assert_int_equal(at, KP_RISK_LIST);
    const kp_value *value = kp_risk_value(a, v, &risk);
    assert_int_equal(kp_get_int(value, "offline", 0), 200);
    assert_int_equal(kp_get_int(value, "below_min_isr", 0), 200);
    assert_int_equal(kp_get_int(value, "at_min_isr", -1), 100);
    assert_int_equal(kp_get_int(value, "under_replicated", 0), 200);
    assert_int_equal(kp_get_int(value, "leaders", 0), 200);
    assert_int_equal(kp_get_int(value, "unclean", -1), 0);
    assert_int_equal(kp_len(kp_get(value, "partitions")), KP_RISK_LIST);
    assert_int_equal(kp_get_int(kp_at(kp_get(value, "partitions"), 1), "partition", 0),
                     risk.offline.p[1]);
}

static void value_joins_offline_and_below_min(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    static const int32_t ids[] = { 1, 2, 3 };
    kp_view_partition_in parts[] = {
        { .index = 0,
          .leader = 1,
          .n_replicas = 3,
          .n_isr = 2,
          .replicas = ids,
          .isr = ids,
          .min_isr = 2 }, /* below min */
        { .index = 1,
          .leader = 1,
          .n_replicas = 3,
          .n_isr = 3,
          .replicas = ids,
          .isr = ids,
          .min_isr = 2 }, /* safe */
        { .index = 2,
          .leader = 1,
          .n_replicas = 1,
          .n_isr = 1,
          .replicas = ids,
          .isr = ids }, /* offline */
        { .index = 3,
          .leader = 1,
          .n_replicas = 1,
          .n_isr = 1,
          .replicas = ids,
          .isr = ids,
          .min_isr = 1 }, /* both */
    };
    kp_view_topic_in t = { .name = "t", .n = 4, .parts = parts };
    kp_view_broker b[] = { { .id = 1, .alive = true },
                           { .id = 2, .alive = true },
                           { .id = 3, .alive = true } };
    const kp_view *v = built(
        a, &(kp_view_in){ .n_brokers = 3, .brokers = b, .n_topics = 1, .topics = &t });
    kp_risk risk;
    kp_risk_of(v, (const int[]){ 1 }, 1, NULL, &risk);
    const kp_value *list = kp_get(kp_risk_value(a, v, &risk), "partitions");
    assert_int_equal(kp_len(list), 3);
    assert_int_equal(kp_get_int(kp_at(list, 0), "partition", -1), 0);
    assert_int_equal(kp_get_int(kp_at(list, 1), "partition", -1), 2);
    assert_int_equal(kp_get_int(kp_at(list, 2), "partition", -1), 3);
}

/* ---- accepted by name ---- */

static const kp_value *accept_entry(kp_arena *a, const char *key, const char *name,
                                    const char *until)
{
    kp_builder list = kp_list_begin(a);
    kp_list_add(&list, kp_map(a, "topic", kp_text(a, "nobody"), "why", kp_text(a, "x"), NULL));
    kp_list_add(&list, kp_map(a, key, kp_text(a, name), "until", kp_text(a, until), "why",
                              kp_text(a, "x"), NULL));
    return kp_list_end(&list);
}

static void accepted_partitions_are_in_no_list(void **state)
{
    (void)state;
    static const struct {
        const char *key, *name, *until;
        kp_ms now;
        bool first, second; /* payments-1 and payments-1-1 */
    } cases[] = {
        { "topic", "payments", NULL, 0, true, false },
        { "topic", "payments-1", NULL, 0, false, true },
        { "topic", "payment", NULL, 0, false, false },
        { "topic", "payments-", NULL, 0, false, false },
        { "partition", "payments-1", NULL, 0, true, false },
        { "partition", "payments-1-1", NULL, 0, false, true },
        { "partition", "payments-11", NULL, 0, false, false },
        { "partition", "payments-0", NULL, 0, false, false },
        { "partition", "payments_1", NULL, 0, false, false },
        { "partition", "payments", NULL, 0, false, false },
        { "partition", "payments-99999999999999999999", NULL, 0, false, false },
        { "topic", "payments", "2026-11-22", 1795391999999, true,
          false }, /* 2026-11-22T23:59:59.999Z */
        { "topic", "payments", "2026-11-22", 1795392000000, false, false }, /* a moment later */
        { "topic", "payments", "2028-02-29", 1835481600000 - 1, true, false },
        { "topic", "payments", "2028-02-29", 1835481600000, false, false },
        { "topic", "payments", "1970-01-01", 86399999, true, false },
        { "topic", "payments", "1970-01-01", 86400000, false, false },
    };
    static const int32_t ids[] = { 1 };
    kp_view_partition_in parts[] = {
        { .index = 0,
          .leader = 1,
          .n_replicas = 1,
          .n_isr = 1,
          .replicas = ids,
          .isr = ids,
          .min_isr = 0 },
        { .index = 1,
          .leader = 1,
          .n_replicas = 1,
          .n_isr = 1,
          .replicas = ids,
          .isr = ids,
          .min_isr = 1,
          .unclean = true },
    };
    kp_view_topic_in t[] = { { .name = "payments", .n = 2, .parts = parts },
                             { .name = "payments-1", .n = 2, .parts = parts } };
    for (size_t i = 0; i < KP_COUNT(cases); i++) {
        KP_AUTO_ARENA a = arena();
        const kp_value *accepted = accept_entry(a, cases[i].key, cases[i].name, cases[i].until);
        const kp_view *v = built(a,
                                 &(kp_view_in){ .at = cases[i].now, .n_topics = 2, .topics = t });
        if (kp_view_accepted(v, 1, accepted) != cases[i].first ||
            kp_view_accepted(v, 3, accepted) != cases[i].second)
            fail_msg("%s %s %s", cases[i].key, cases[i].name, cases[i].until ? cases[i].until : "");
        assert_false(kp_view_accepted(v, 1, NULL));
        uint32_t zeros = (uint32_t)kp_view_accepted(v, 0, accepted) +
                         (uint32_t)kp_view_accepted(v, 2, accepted);
        uint32_t ones = (uint32_t)cases[i].first + (uint32_t)cases[i].second;
        kp_risk risk;
        kp_risk_of(v, (const int[]){ 1 }, 1, accepted, &risk);
        assert_int_equal(risk.offline.n, 4 - zeros - ones);
        assert_int_equal(risk.single.n, 4 - zeros - ones);
        assert_int_equal(risk.below_min.n, 2 - ones);
        assert_int_equal(risk.tight.n, 2 - ones);
        assert_int_equal(risk.unclean.n, 2 - ones);
        assert_int_equal(risk.unknown_min.n, 2 - zeros);
        assert_int_equal(risk.replicas, 4); /* counts are whole */
        assert_int_equal(risk.urp_after, 4);
    }
}

/* The ninth replica counts as the first one does. */
static void every_replica_of_a_wide_partition_counts(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    int32_t ids[100];
    kp_view_broker brokers[100];
    for (int32_t i = 0; i < 100; i++) {
        ids[i] = i;
        brokers[i] = (kp_view_broker){ .id = i, .alive = true };
    }
    for (uint32_t n = 9; n <= 100; n++) {
        kp_view_partition_in p = { .leader = (int32_t)n - 1,
                                   .n_replicas = n,
                                   .n_isr = n,
                                   .replicas = ids,
                                   .isr = ids,
                                   .min_isr = (int)n - 1,
                                   .unclean = true };
        kp_view_topic_in t = { .name = "t", .n = 1, .parts = &p };
        const kp_view *v = built(
            a, &(kp_view_in){ .n_brokers = n, .brokers = brokers, .n_topics = 1, .topics = &t });
        kp_risk risk;
        kp_risk_of(v, (const int[]){ (int)n - 1 }, 1, NULL, &risk);
        assert_int_equal(risk.replicas, 1);
        assert_int_equal(risk.leaders, 1);
        assert_int_equal(risk.urp_after, 1);
        assert_int_equal(risk.at_min_after, 1);
        assert_int_equal(risk.below_min.n, 0);
        assert_int_equal(risk.unclean.n, 1);
        kp_risk_of(v, (const int[]){ (int)n - 1, (int)n - 2 }, 2, NULL, &risk);
        assert_int_equal(risk.replicas, 1);
        assert_int_equal(risk.below_min.n, 1);
        assert_int_equal(risk.offline.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_partition),
        cmocka_unit_test(random_risks_are_those_of_a_recount),
        cmocka_unit_test(counts_after_are_those_of_the_cluster_after),
        cmocka_unit_test(lists_are_the_first_ones_in_order),
        cmocka_unit_test(value_joins_offline_and_below_min),
        cmocka_unit_test(accepted_partitions_are_in_no_list),
        cmocka_unit_test(every_replica_of_a_wide_partition_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
