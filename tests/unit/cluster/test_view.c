/* Views: what is built from an answer, checked against a naive recount of the answer itself. */
#include "with_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static kp_arena *arena(void)
{
    return kp_arena_new("a view test", 1u << 30);
}

/* Partitions by hand: {replicas}, {isr}, leader, min. */
#define IDS(...) ((const int32_t[]){ __VA_ARGS__ })
#define PART(index_, leader_, min_, n_rep, reps, n_isr_, isr_)                                     \
    {                                                                                              \
        .index = (index_), .leader = (leader_), .leader_epoch = 5, .n_replicas = (n_rep),          \
        .n_isr = (n_isr_), .replicas = (reps), .isr = (isr_), .min_isr = (min_)                    \
    }

static const kp_view_partition_in orders[] = {
    PART(0, 1, 2, 3, IDS(1, 2, 3), 3, IDS(3, 1, 2)),
    PART(1, 3, 2, 3, IDS(2, 3, 1), 2, IDS(3, 1)),
    PART(2, -1, 2, 3, IDS(3, 1, 2), 0, IDS(0)),
};
static const kp_view_partition_in audit[] = { PART(0, 9, 1, 1, IDS(9), 1, IDS(9)) };
static const kp_view_topic_in hand_topics[] = {
    { .name = "orders",
      .id = { 0xff, 0xe0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 },
      .n = 3,
      .parts = orders },
    { .name = "empty" },
    { .name = "audit-raw", .internal = true, .n = 1, .parts = audit },
};
static const kp_view_broker hand_brokers[] = {
    { .id = 3, .alive = true, .host = "h3", .port = 9093, .rack = "r" },
    { .id = 1, .alive = false },
    { .id = 1, .alive = true, .host = "h1", .port = 9091 },
    { .id = 7, .alive = false, .host = "gone", .port = 1 },
    { .id = 2, .alive = true, .host = "h2", .port = 9092, .rack = "" },
    { .id = 2, .alive = false, .rack = "s" },
};
static const kp_view_in hand = {
    .node = 3,
    .at = 1234,
    .whole = true,
    .cluster_id = "cid",
    .controller = 2,
    .n_brokers = KP_COUNT(hand_brokers),
    .brokers = hand_brokers,
    .n_topics = KP_COUNT(hand_topics),
    .topics = hand_topics,
};

static void a_small_cluster(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_view *v = built(a, &hand);
    assert_int_equal(v->node, 3);
    assert_int_equal(v->at, 1234);
    assert_true(v->whole);
    assert_string_equal(v->cluster_id, "cid");
    assert_int_equal(v->controller, 2);
    static const int ids[] = { 1, 2, 3, 7, 9 };
    static const bool alive[] = { true, true, true, false, false };
    static const char *const hosts[] = { "h1", "h2", "h3", "", "" };
    assert_int_equal(v->n_brokers, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(v->brokers[i].id, ids[i]);
        assert_int_equal(v->brokers[i].alive, alive[i]);
        assert_string_equal(v->brokers[i].host, hosts[i]);
        assert_int_equal(kp_view_slot(v, ids[i]), i);
    }
    assert_string_equal(v->brokers[2].rack, "r");
    assert_string_equal(v->brokers[1].rack, "");
    assert_int_equal(v->brokers[2].port, 9093);
    assert_int_equal(kp_view_slot(v, 0), -1);
    assert_int_equal(kp_view_slot(v, 4), -1);
    assert_int_equal(kp_view_slot(v, 10), -1);

    assert_int_equal(v->n_topics, 3);
    assert_string_equal(v->topics[0].name, "audit-raw");
    assert_true(v->topics[0].internal);
    assert_string_equal(v->topics[2].name, "orders");
    assert_int_equal(v->topics[2].first, 1);
    assert_int_equal(v->topics[2].n, 3);
    assert_ptr_equal(kp_view_topic_named(v, "orders"), &v->topics[2]);
    assert_ptr_equal(kp_view_topic_named(v, "empty"), &v->topics[1]);
    assert_null(kp_view_topic_named(v, "order"));
    assert_ptr_equal(kp_view_topic_of(v, 0), &v->topics[0]);
    assert_ptr_equal(kp_view_topic_of(v, 1), &v->topics[2]);
    assert_ptr_equal(kp_view_topic_of(v, 3), &v->topics[2]);
    assert_string_equal(kp_view_name(a, v, 0), "audit-raw-0");
    assert_string_equal(kp_view_name(a, v, 3), "orders-2");

    assert_int_equal(v->counts.partitions, 4);
    assert_int_equal(v->counts.urp, 2);
    assert_int_equal(v->counts.offline, 1);
    assert_int_equal(v->counts.under_min_isr, 1);
    assert_int_equal(v->counts.at_min_isr, 2);
    assert_int_equal(v->counts.unpreferred, 1);
    assert_int_equal(kp_view_leader_id(v, 2), 3);
    assert_int_equal(kp_view_leader_id(v, 3), -1);
    assert_int_equal(v->leader_epoch[1], 5);
    assert_string_equal(
        kp_json_text(a, kp_view_partition_value(a, v, 2)),
        "{\"isr\":[3,1],\"leader\":3,\"min_isr\":2,\"partition\":1,\"replicas\":[2,3,1],"
        "\"topic\":\"orders\"}");
    assert_string_equal(
        kp_json_text(a, kp_view_partition_value(a, v, 3)),
        "{\"isr\":[],\"leader\":-1,\"min_isr\":2,\"partition\":2,\"replicas\":[3,1,2],"
        "\"topic\":\"orders\"}");
}

static void unknowns_are_left_out(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    kp_view_partition_in p = PART(0, 4, 0, 2, IDS(1, 2), 3, IDS(2, 4, 2)); /* 4 holds no replica */
    p.leader_epoch = -1;
    kp_view_topic_in t = { .name = "t", .n = 1, .parts = &p };
    const kp_view *v = built(a, &(kp_view_in){ .n_topics = 1, .topics = &t });
    assert_null(v->leader_epoch);
    assert_int_equal(v->leader[0], KP_VIEW_NO_LEADER);
    assert_int_equal(kp_view_isr_size(v, 0), 1);
    assert_int_equal(v->counts.offline, 1);
    assert_int_equal(v->counts.under_min_isr + v->counts.at_min_isr, 0);
    assert_string_equal(
        kp_json_text(a, kp_view_partition_value(a, v, 0)),
        "{\"isr\":[2],\"leader\":-1,\"partition\":0,\"replicas\":[1,2],\"topic\":\"t\"}");
    v = built(a, &(kp_view_in){ .node = 1 });
    assert_int_equal(v->n_brokers + v->n_topics + v->n_parts, 0);
    assert_string_equal(v->cluster_id, "");
    assert_int_equal(kp_view_behind(v, 1, NULL, NULL, 0), 0);
    assert_null(kp_view_topic_named(v, "t"));
}

static void check_failure(const kp_view_topic_in *topics, uint32_t n, const char *what)
{
    KP_AUTO_ARENA a = arena();
    const kp_view *v = NULL;
    kp_err *e = kp_view_build(a, &(kp_view_in){ .n_topics = n, .topics = topics }, &v);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_CLUSTER);
    assert_string_equal(e->what, what);
    assert_null(v);
    kp_err_drop(e);
}

static void refuses_what_it_can_not_hold(void **state)
{
    (void)state;
    const kp_view_partition_in twice[] = { PART(0, 1, 1, 3, IDS(1, 2, 1), 1, IDS(1)) };
    const kp_view_partition_in hole[] = { PART(0, 1, 1, 1, IDS(1), 1, IDS(1)),
                                          PART(2, 1, 1, 1, IDS(1), 1, IDS(1)) };
    const kp_view_partition_in negative[] = { PART(0, 1, 1, 2, IDS(1, -1), 1, IDS(1)) };
    check_failure(&(kp_view_topic_in){ .name = "t", .n = 1, .parts = twice }, 1,
                  "t-0 has broker 1 twice among its replicas");
    check_failure(&(kp_view_topic_in){ .name = "t", .n = 2, .parts = hole }, 1,
                  "topic t has no partition 1 in the answer");
    check_failure(&(kp_view_topic_in){ .name = "t", .n = 1, .parts = negative }, 1,
                  "t-0 has a replica on broker -1");
    check_failure((const kp_view_topic_in[]){ { .name = "t" }, { .name = "s" }, { .name = "t" } },
                  3, "the answer has topic t twice");
    KP_AUTO_ARENA a = arena();
    kp_view_broker *many = KP_NEW_ARRAY(a, 65535, kp_view_broker);
    for (int i = 0; i < 65535; i++)
        many[i].id = i * 3;
    const kp_view *v = NULL;
    kp_err *e = kp_view_build(a, &(kp_view_in){ .n_brokers = 65535, .brokers = many }, &v);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_CLUSTER);
    kp_err_drop(e);
    assert_null(kp_view_build(a, &(kp_view_in){ .n_brokers = 65534, .brokers = many }, &v));
    assert_int_equal(v->n_brokers, 65534);
    assert_int_equal(kp_view_slot(v, 3 * 40000), 40000);
}

/* ---- random clusters, recounted from the answer ---- */

static void check_counts(const kp_view_in *in, const kp_view *v)
{
    kp_view_counts c = { 0 };
    for (uint32_t t = 0; t < in->n_topics; t++) {
        for (uint32_t k = 0; k < in->topics[t].n; k++) {
            const kp_view_partition_in *p = &in->topics[t].parts[k];
            c.partitions++;
            c.urp += p->n_isr < p->n_replicas;
            c.offline += p->leader < 0;
            c.under_min_isr += p->min_isr > 0 && p->n_isr < (uint32_t)p->min_isr;
            c.at_min_isr += p->min_isr > 0 && p->n_isr == (uint32_t)p->min_isr;
            c.unpreferred += p->leader >= 0 && p->leader != p->replicas[0];
        }
    }
    assert_memory_equal(&c, &v->counts, sizeof c);
}

static void check_partition(const kp_view *v, uint32_t p, const kp_view_topic_in *t, uint32_t k)
{
    const kp_view_partition_in *in = &t->parts[k];
    assert_string_equal(kp_view_topic_of(v, p)->name, t->name);
    assert_int_equal(p - kp_view_topic_of(v, p)->first, k);
    assert_int_equal(kp_view_rf(v, p), in->n_replicas);
    assert_int_equal(kp_view_isr_size(v, p), in->n_isr);
    assert_int_equal(kp_view_leader_id(v, p), in->leader);
    assert_int_equal(v->min_isr[p], in->min_isr);
    assert_int_equal(v->flags[p] & KP_PART_UNCLEAN, in->unclean ? KP_PART_UNCLEAN : 0);
    if (v->leader_epoch)
        assert_int_equal(v->leader_epoch[p], in->leader_epoch);
    else
        assert_true(in->leader_epoch < 0);
    for (uint32_t i = 0; i < in->n_replicas; i++) {
        int id = kp_view_replica_id(v, p, i);
        bool in_sync = is_among(in->isr, in->n_isr, id);
        assert_int_equal(id, in->replicas[i]);
        assert_int_equal(kp_view_in_sync(v, p, i), in_sync);
        assert_int_equal(kp_view_isr_bits(v, p, i / 64) >> (i % 64) & 1, in_sync);
    }
}

static void check_broker(const kp_view_in *in, const kp_view *v, uint32_t slot)
{
    int id = v->brokers[slot].id;
    uint32_t replicas = 0, out = 0, leads = 0;
    for (uint32_t t = 0; t < in->n_topics; t++) {
        for (uint32_t k = 0; k < in->topics[t].n; k++) {
            const kp_view_partition_in *p = &in->topics[t].parts[k];
            bool has = is_among(p->replicas, p->n_replicas, id);
            replicas += has;
            out += has && !is_among(p->isr, p->n_isr, id);
            leads += p->leader == id;
        }
    }
    assert_int_equal(v->by_broker_first[slot + 1] - v->by_broker_first[slot], replicas);
    assert_int_equal(v->out_of_sync[slot], out);
    assert_int_equal(v->leads[slot], leads);
    assert_int_equal(kp_view_behind(v, id, NULL, NULL, 0), out);
    assert_int_equal(v->brokers[slot].alive, is_alive(in, id));
    for (uint32_t i = v->by_broker_first[slot]; i < v->by_broker_first[slot + 1]; i++) {
        uint32_t p = v->by_broker[i];
        assert_int_equal(kp_view_replica_id(v, p, kp_view_replica_on(v, p, slot)), id);
        if (i > v->by_broker_first[slot])
            assert_true(v->by_broker[i - 1] < p);
    }
}

static void random_views_are_what_was_answered(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 1000; seed++) {
        KP_AUTO_ARENA a = arena();
        random_seed(seed);
        const kp_view_in *in = random_cluster(a);
        const kp_view *v = built(a, in);
        const kp_view_topic_in **sorted = by_name(a, in);
        uint32_t p = 0;
        check_counts(in, v);
        for (uint32_t t = 0; t < in->n_topics; t++)
            for (uint32_t k = 0; k < sorted[t]->n; k++, p++)
                check_partition(v, p, sorted[t], k);
        assert_int_equal(v->n_parts, p);
        for (uint32_t i = 0; i < v->n_brokers; i++)
            check_broker(in, v, i);
        for (uint32_t i = 1; i < v->n_brokers; i++)
            assert_true(v->brokers[i - 1].id < v->brokers[i].id);
    }
}

static void order_changes_neither_digest_nor_difference(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 1000; seed++) {
        KP_AUTO_ARENA a = arena();
        random_seed(seed);
        const kp_view_in *in = random_cluster(a);
        const kp_view *v = built(a, in), *w = built(a, shuffled(a, in));
        assert_true(v->digest == w->digest);
        assert_int_equal(kp_view_differ(v, w, NULL, 0), 0);
    }
}

/* One change to a partition that has to show; false when this one does not apply. */
static bool change(kp_arena *a, kp_view_partition_in *p, uint32_t which)
{
    if (which == 0 && p->n_isr > 0) {
        p->n_isr--;
        return true;
    }
    if (which == 1 && p->n_isr < p->n_replicas) {
        int32_t *isr = KP_NEW_ARRAY(a, p->n_isr + 1, int32_t);
        memcpy(isr, p->isr, p->n_isr * sizeof *isr);
        for (uint32_t i = 0; i < p->n_replicas; i++)
            if (!is_among(p->isr, p->n_isr, p->replicas[i]))
                isr[p->n_isr] = p->replicas[i];
        p->isr = isr;
        p->n_isr++;
        return true;
    }
    if (which == 2 && p->leader >= 0) {
        p->leader = -1;
        return true;
    }
    if (which == 3 && p->n_isr > 1 && p->leader >= 0) {
        p->leader = p->isr[0] == p->leader ? p->isr[1] : p->isr[0];
        return true;
    }
    return false;
}

static void every_change_shows(void **state)
{
    (void)state;
    uint32_t changed = 0;
    for (uint32_t seed = 0; seed < 1000; seed++) {
        KP_AUTO_ARENA a = arena();
        random_seed(seed);
        const kp_view_in *in = random_cluster(a);
        kp_view_in *other = shuffled(a, in);
        if (other->n_topics == 0)
            continue;
        kp_view_topic_in *t =
            (kp_view_topic_in *)(uintptr_t)&other->topics[random_below(other->n_topics)];
        if (t->n == 0)
            continue;
        uint32_t k = random_below(t->n);
        if (!change(a, (kp_view_partition_in *)(uintptr_t)&t->parts[k], random_below(4)))
            continue;
        const kp_view *v = built(a, in), *w = built(a, other);
        uint32_t parts[3];
        assert_true(v->digest != w->digest);
        assert_int_equal(kp_view_differ(v, w, parts, 3), 1);
        assert_int_equal(parts[0], kp_view_topic_named(w, t->name)->first + k);
        assert_int_equal(parts[1], UINT32_MAX);
        assert_int_equal(parts[2], UINT32_MAX);
        changed++;
    }
    assert_in_range(changed, 300, 1000);
}

static void digests_look_at_ids_isrs_and_leaders_only(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    kp_view_partition_in p = PART(0, 1, 2, 2, IDS(1, 2), 2, IDS(1, 2));
    kp_view_topic_in t = { .name = "t", .id = { 1 }, .n = 1, .parts = &p };
    kp_view_in in = { .n_topics = 1, .topics = &t };
    uint64_t digest = built(a, &in)->digest;
    p.min_isr = 1;
    p.leader_epoch = 9;
    p.unclean = true;
    t.internal = true;
    t.name = "renamed";
    in.at = 5;
    in.node = 3;
    assert_true(built(a, &in)->digest == digest);
    p.isr = IDS(2, 1, 2); /* a set: what is said twice counts once */
    p.n_isr = 3;
    assert_true(built(a, &in)->digest == digest);
    t.id[0] = 2;
    assert_true(built(a, &in)->digest != digest);
    t.id[0] = 0; /* without an id the name counts */
    digest = built(a, &in)->digest;
    t.name = "t";
    assert_true(built(a, &in)->digest != digest);
}

static void of_two_answers_the_stricter_counts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        random_seed(seed);
        kp_arena *a = kp_arena_new("test", 64 << 20);
        kp_view_in *in = random_cluster(a);
        const kp_view *x = built(a, in);
        kp_view *y = kp_memdup(a, x, sizeof *x);
        uint16_t *min = kp_memdup(a, x->min_isr, x->n_parts * sizeof *min);
        uint8_t *flags = kp_memdup(a, x->flags, x->n_parts);
        y->min_isr = min;
        y->flags = flags;
        assert_ptr_equal(kp_view_stricter(a, x, y), x);
        for (uint32_t p = 0; p < x->n_parts; p++) {
            min[p] = (uint16_t)random_below(4);
            flags[p] = random_below(2) ? KP_PART_UNCLEAN : 0;
        }
        const kp_view *v = kp_view_stricter(a, x, y), *w = kp_view_stricter(a, y, x);
        uint32_t under = 0, at = 0;
        for (uint32_t p = 0; p < v->n_parts; p++) {
            uint32_t most = x->min_isr[p] > min[p] ? x->min_isr[p] : min[p];
            uint32_t want = x->min_isr[p] && min[p] ? most : 0;
            assert_int_equal(v->min_isr[p], want);
            assert_int_equal(w->min_isr[p], want);
            assert_int_equal(v->flags[p], x->flags[p] | flags[p]);
            under += kp_view_isr_size(v, p) < want;
            at += want > 0 && kp_view_isr_size(v, p) == want;
        }
        assert_int_equal(v->counts.under_min_isr, under);
        assert_int_equal(v->counts.at_min_isr, at);
        assert_int_equal(v->counts.urp, x->counts.urp);
        assert_int_equal(v->counts.offline, x->counts.offline);
        kp_arena_free(a);
    }
}

static void topics_of_one_view_only_differ(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_view_partition_in parts[] = { PART(0, 1, 1, 1, IDS(1), 1, IDS(1)),
                                           PART(1, 1, 1, 1, IDS(1), 1, IDS(1)) };
    kp_view_topic_in one[] = { { .name = "a", .id = { 1 }, .n = 2, .parts = parts },
                               { .name = "b", .id = { 2 }, .n = 1, .parts = parts } };
    kp_view_topic_in two[] = { { .name = "b", .id = { 2 }, .n = 2, .parts = parts },
                               { .name = "c", .id = { 3 }, .n = 2, .parts = parts } };
    kp_view_in in_one = { .n_topics = 2, .topics = one, .whole = true },
               in_two = { .n_topics = 2, .topics = two, .whole = true };
    uint32_t list[4];
    /* a; b-1; c */
    assert_int_equal(kp_view_differ(built(a, &in_one), built(a, &in_two), list, 4), 3);
    assert_int_equal(list[0], 1);
    assert_int_equal(list[1], 2);
    assert_int_equal(list[2], UINT32_MAX);
    assert_int_equal(kp_view_differ(built(a, &in_two), built(a, &in_one), list, 1), 3);
    assert_int_equal(list[0], 0);
    /* a view of some topics says nothing about the others */
    in_two.whole = false;
    assert_int_equal(kp_view_differ(built(a, &in_one), built(a, &in_two), list, 4), 2);
    assert_int_equal(kp_view_differ(built(a, &in_two), built(a, &in_one), list, 4), 2);
    /* deleted and made again: two topics */
    in_two = in_one;
    kp_view_topic_in again[] = { one[0], one[1] };
    again[1].id[0] = 9;
    in_two.topics = again;
    assert_int_equal(kp_view_differ(built(a, &in_one), built(a, &in_two), list, 4), 2);
    assert_int_equal(list[0], 2);
    assert_int_equal(list[1], UINT32_MAX);
}

static void what_was_behind_is_excused_by_topic_id(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_view *v = built(a, &hand);
    const kp_value *keys = kp_view_behind_keys(a, v, 2);
    assert_string_equal(kp_json_text(a, keys),
                        "[\"_-ABAgMEBQYHCAkKCwwNDg:1\",\"_-ABAgMEBQYHCAkKCwwNDg:2\"]");
    uint32_t parts[2] = { 77, 77 };
    assert_int_equal(kp_view_behind(v, 2, NULL, parts, 1), 2);
    assert_int_equal(parts[0], 2);
    assert_int_equal(parts[1], 77);
    assert_int_equal(kp_view_behind(v, 2, keys, parts, 2), 0);
    assert_int_equal(kp_view_behind(v, 1, keys, parts, 2), 0);
    assert_int_equal(kp_view_behind(v, 99, NULL, parts, 2), 0);
    kp_builder one = kp_list_begin(a);
    kp_list_add(&one, kp_at(keys, 1));
    assert_int_equal(kp_view_behind(v, 2, kp_list_end(&one), parts, 2), 1);
    assert_int_equal(parts[0], 2);
    kp_view_topic_in again[KP_COUNT(hand_topics)];
    memcpy(again, hand_topics, sizeof again);
    again[0].id[15] = 99;
    kp_view_in in = hand;
    in.topics = again;
    assert_int_equal(kp_view_behind(built(a, &in), 2, keys, parts, 2), 2);
    memset(again[0].id, 0, 16);
    assert_string_equal(kp_json_text(a, kp_view_behind_keys(a, built(a, &in), 2)),
                        "[\"orders:1\",\"orders:2\"]");
}

static void excuses_are_found_whatever_their_number(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 300; seed++) {
        KP_AUTO_ARENA a = arena();
        random_seed(seed);
        const kp_view *v = built(a, random_cluster(a));
        for (uint32_t i = 0; i < v->n_brokers; i++) {
            const kp_value *keys = kp_view_behind_keys(a, v, v->brokers[i].id);
            assert_int_equal(kp_len(keys), v->out_of_sync[i]);
            assert_int_equal(kp_view_behind(v, v->brokers[i].id, keys, NULL, 0), 0);
            kp_builder some = kp_list_begin(a);
            for (size_t k = 0; k < kp_len(keys); k += 2)
                kp_list_add(&some, kp_at(keys, k));
            assert_int_equal(kp_view_behind(v, v->brokers[i].id, kp_list_end(&some), NULL, 0),
                             kp_len(keys) / 2);
        }
    }
}

/* A cluster of equal topics, as the bench of the simulator has them. */
static kp_view_in *large_cluster(kp_arena *a, uint32_t n_brokers, uint32_t n_parts)
{
    enum { PER_TOPIC = 100, RF = 3 };
    kp_view_in *in = KP_NEW(a, kp_view_in);
    kp_view_broker *brokers = KP_NEW_ARRAY(a, n_brokers, kp_view_broker);
    kp_view_topic_in *topics = KP_NEW_ARRAY(a, n_parts / PER_TOPIC, kp_view_topic_in);
    kp_view_partition_in *parts = KP_NEW_ARRAY(a, n_parts, kp_view_partition_in);
    int32_t *ids = KP_NEW_ARRAY(a, (size_t)n_parts * RF, int32_t);
    for (uint32_t i = 0; i < n_brokers; i++)
        brokers[i] = (kp_view_broker){ .id = (int)i + 1, .alive = true, .host = "h", .port = 9092 };
    for (uint32_t p = 0; p < n_parts; p++) {
        int32_t *r = &ids[p * RF];
        for (uint32_t i = 0; i < RF; i++)
            r[i] = (int32_t)((p * 7 + i * (1 + p % 5)) % n_brokers) + 1;
        parts[p] = (kp_view_partition_in)PART((int32_t)(p % PER_TOPIC), r[0], 2, RF, r, RF, r);
    }
    for (uint32_t t = 0; t < n_parts / PER_TOPIC; t++)
        topics[t] = (kp_view_topic_in){ .name = kp_printf(a, "topic-%06u", t * 7919 % 1000000),
                                        .n = PER_TOPIC,
                                        .parts = parts + t * PER_TOPIC,
                                        .id = { (uint8_t)(t >> 8), (uint8_t)t, 1 } };
    *in = (kp_view_in){ .whole = true,
                        .n_brokers = n_brokers,
                        .brokers = brokers,
                        .n_topics = n_parts / PER_TOPIC,
                        .topics = topics };
    return in;
}

static void large_views_cost_in_proportion(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_view_in *small = large_cluster(a, 100, 10000), *large = large_cluster(a, 1000, 200000);
    size_t used = kp_arena_used(a);
    const kp_view *v = built(a, small);
    size_t for_small = kp_arena_used(a) - used;
    assert_int_equal(v->counts.at_min_isr + v->counts.urp, 0);
    used = kp_arena_used(a);
    v = built(a, large);
    size_t for_large = kp_arena_used(a) - used;
    assert_int_equal(v->n_parts, 200000);
    assert_in_range(for_small, 10000 * 20,
                    10000 * 45); /* bytes a partition at RF 3, topics and brokers included */
    assert_in_range(for_large, 200000 * 20, 200000 * 40);
}

/* ---- more replicas than a byte has bits ---- */

/* Brokers 1 .. n hold one partition; all but the `out`-th are in sync. */
static const kp_view *wide(kp_arena *a, uint32_t n, uint32_t out, int32_t leader, int min)
{
    int32_t *ids = KP_NEW_ARRAY(a, n, int32_t), *isr = KP_NEW_ARRAY(a, n, int32_t);
    uint32_t n_isr = 0;
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = (int32_t)i + 1;
        if (i != out)
            isr[n_isr++] = (int32_t)i + 1;
    }
    const kp_view_partition_in *parts =
        (const kp_view_partition_in[]){ PART(0, 1, 1, 1, IDS(1), 1, IDS(1)),
                                        PART(1, leader, min, n, ids, n_isr, isr),
                                        PART(2, 2, 1, 2, IDS(1, 2), 2, IDS(2, 1)) };
    return built(a, &(kp_view_in){
                        .n_topics = 1,
                        .topics = &(kp_view_topic_in){ .name = "t", .n = 3, .parts = parts } });
}

static void a_topic_on_every_broker_is_judged(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 9, 63, 64, 65, 128, 1000 };
    for (size_t i = 0; i < KP_COUNT(sizes); i++) {
        KP_AUTO_ARENA a = arena();
        uint32_t n = sizes[i], parts[2];
        const kp_view *v = wide(a, n, n - 2, (int32_t)n, 2);
        assert_int_equal(kp_view_rf(v, 1), n);
        assert_int_equal(kp_view_isr_size(v, 1), n - 1);
        assert_int_equal(kp_view_isr_size(v, 0), 1);
        assert_int_equal(kp_view_isr_size(v, 2), 2);
        assert_int_equal(kp_view_leader_id(v, 1), (int)n);
        for (uint32_t k = 0; k < n; k++)
            assert_int_equal(kp_view_in_sync(v, 1, k), k != n - 2);
        assert_int_equal(v->counts.urp, 1);
        assert_int_equal(v->counts.offline, 0);
        assert_int_equal(v->counts.unpreferred, 2);
        assert_int_equal(v->out_of_sync[n - 2], 1);
        assert_int_equal(v->leads[n - 1], 1);
        assert_int_equal(kp_view_behind(v, (int)n - 1, NULL, parts, 2), 1);
        assert_int_equal(parts[0], 1);
        assert_int_equal(kp_view_behind(v, (int)n, NULL, NULL, 0), 0);
        assert_string_equal(kp_json_text(a, kp_view_behind_keys(a, v, (int)n - 1)),
                            "[\"t:1\"]");
        assert_int_equal(kp_view_short_of(v, 1, kp_view_short_list(a, v)), n - 1);
        const kp_value *value = kp_view_partition_value(a, v, 1);
        assert_int_equal(kp_len(kp_get(value, "replicas")), n);
        assert_int_equal(kp_len(kp_get(value, "isr")), n - 1);
        const kp_view *w = wide(a, n, n - 3, (int32_t)n, 2);
        assert_int_equal(kp_view_differ(v, w, parts, 2), 1);
        assert_int_equal(parts[0], 1);
        assert_true(v->digest != w->digest);
        assert_int_equal(kp_view_differ(v, wide(a, n, n - 2, (int32_t)n, 2), NULL, 0), 0);
    }
}

static void min_isr_beyond_a_byte_is_kept(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    assert_int_equal(wide(a, 300, 7, 1, 299)->counts.at_min_isr, 2); /* t-0 is, too */
    const kp_view *v = wide(a, 300, 7, 1, 300);
    assert_int_equal(v->min_isr[1], 300);
    assert_int_equal(v->counts.under_min_isr, 1);
    v = wide(a, 300, 7, 1, INT32_MAX);
    assert_int_equal(v->min_isr[1], KP_VIEW_MIN_ISR_CAP);
    assert_int_equal(v->counts.under_min_isr, 1);
}

/* ---- what is odd is kept, not lost and not the end ---- */

static void one_bad_topic_is_one_finding(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    static const kp_view_bad_topic bad[] = { { "secret", 29, "TOPIC_AUTHORIZATION_FAILED" },
                                             { "a b", 17, "INVALID_TOPIC_EXCEPTION" } };
    kp_view_in in = hand;
    const kp_view *without = built(a, &in);
    in.n_bad = 2;
    in.bad = bad;
    const kp_view *v = built(a, &in);
    assert_int_equal(v->n_parts, 4);
    assert_int_equal(v->n_bad, 2);
    assert_string_equal(v->bad[0].name, "a b");
    assert_int_equal(v->bad[0].code, 17);
    assert_string_equal(v->bad[1].error, "TOPIC_AUTHORIZATION_FAILED");
    /* Brokers that answer otherwise disagree. */
    assert_int_equal(kp_view_differ(v, without, NULL, 0), 2);
    assert_true(v->digest != without->digest);
    kp_view_bad_topic other[] = { bad[1], bad[0] };
    in.bad = other;
    assert_int_equal(kp_view_differ(v, built(a, &in), NULL, 0), 0);
    assert_true(v->digest == built(a, &in)->digest);
    other[0].code = 29;
    assert_int_equal(kp_view_differ(v, built(a, &in), NULL, 0), 1);
    assert_true(v->digest != built(a, &in)->digest);
}

/* A broker may have replicas of a topic that nobody answers for. */
static void a_topic_that_turns_bad_is_not_in_sync(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    static const kp_view_bad_topic bad[] = { { "secret", 29, "TOPIC_AUTHORIZATION_FAILED" },
                                             { "new", 29, "TOPIC_AUTHORIZATION_FAILED" } };
    uint32_t parts[3] = { 0, 0, 0 };
    kp_view_in in = hand;
    const kp_view *before = built(a, &in);
    in.n_bad = 1;
    in.bad = bad;
    const kp_view *v = built(a, &in);
    assert_int_equal(kp_view_behind(v, 2, NULL, parts, 3),
                     kp_view_behind(before, 2, NULL, NULL, 0) + 1);
    const kp_value *excused = kp_view_behind_keys(a, before, 2);
    assert_int_equal(kp_view_behind(v, 2, excused, parts, 3), 1);
    assert_true(parts[0] == UINT32_MAX);
    /* What was bad before the stop is excused; what has turned bad since is not. */
    excused = kp_view_behind_keys(a, v, 2);
    assert_int_equal(kp_view_behind(v, 2, excused, NULL, 0), 0);
    in.n_bad = 2;
    assert_int_equal(kp_view_behind(built(a, &in), 2, excused, NULL, 0), 1);
}

static void a_leader_without_our_listener_is_told_from_no_leader(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    kp_view_partition_in parts[] = { PART(0, -1, 2, 3, IDS(1, 2, 3), 3, IDS(1, 2, 3)),
                                     PART(1, -1, 2, 3, IDS(2, 3, 1), 1, IDS(2)),
                                     PART(2, 3, 2, 3, IDS(3, 1, 2), 3, IDS(3, 1, 2)) };
    parts[0].no_listener = true;
    kp_view_topic_in t = { .name = "t", .n = 3, .parts = parts };
    const kp_view *v = built(a, &(kp_view_in){ .n_topics = 1, .topics = &t });
    assert_int_equal(v->counts.offline, 2);
    for (uint32_t p = 0; p < v->n_parts; p++) {
        assert_int_equal((v->flags[p] & KP_PART_NO_LISTENER) != 0, p == 0);
        assert_false(v->flags[p] & KP_PART_OUTSIDE);
    }
}

static void who_is_in_sync_and_no_replica_is_kept_as_a_fact(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_view_partition_in parts[] = {
        PART(0, 1, 2, 3, IDS(1, 2, 3), 4, IDS(1, 2, 3, 7)),
        PART(1, 7, 2, 3, IDS(2, 3, 1), 3, IDS(2, 3, 1)),
        PART(2, 3, 2, 3, IDS(3, 1, 2), 3, IDS(3, 1, 2)),
    };
    kp_view_topic_in t = { .name = "t", .n = 3, .parts = parts };
    const kp_view *v = built(a, &(kp_view_in){ .n_topics = 1, .topics = &t });
    for (uint32_t p = 0; p < v->n_parts; p++)
        assert_int_equal((v->flags[p] & KP_PART_OUTSIDE) != 0, p < 2);
    assert_int_equal(kp_view_isr_size(v, 0), 3);
    assert_int_equal(kp_view_leader_id(v, 1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_cluster),
        cmocka_unit_test(unknowns_are_left_out),
        cmocka_unit_test(refuses_what_it_can_not_hold),
        cmocka_unit_test(random_views_are_what_was_answered),
        cmocka_unit_test(order_changes_neither_digest_nor_difference),
        cmocka_unit_test(every_change_shows),
        cmocka_unit_test(digests_look_at_ids_isrs_and_leaders_only),
        cmocka_unit_test(of_two_answers_the_stricter_counts),
        cmocka_unit_test(topics_of_one_view_only_differ),
        cmocka_unit_test(what_was_behind_is_excused_by_topic_id),
        cmocka_unit_test(excuses_are_found_whatever_their_number),
        cmocka_unit_test(large_views_cost_in_proportion),
        cmocka_unit_test(a_topic_on_every_broker_is_judged),
        cmocka_unit_test(min_isr_beyond_a_byte_is_kept),
        cmocka_unit_test(one_bad_topic_is_one_finding),
        cmocka_unit_test(a_topic_that_turns_bad_is_not_in_sync),
        cmocka_unit_test(a_leader_without_our_listener_is_told_from_no_leader),
        cmocka_unit_test(who_is_in_sync_and_no_replica_is_kept_as_a_fact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
