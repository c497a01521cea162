/* Random clusters for the tests of views and of risk. */
#include "with_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed_now;

void random_seed(uint64_t seed)
{
    seed_now = (seed + 1) * 0x9e3779b97f4a7c15u;
}

uint32_t random_below(uint32_t n) /* xorshift64* */
{
    seed_now ^= seed_now >> 12;
    seed_now ^= seed_now << 25;
    seed_now ^= seed_now >> 27;
    return (uint32_t)((seed_now * 0x2545f4914f6cdd1du) >> 33) % n;
}

static void shuffle(int32_t *v, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        uint32_t k = random_below(i);
        int32_t x = v[i - 1];
        v[i - 1] = v[k];
        v[k] = x;
    }
}

static kp_view_partition_in random_partition(kp_arena *a, int32_t index, const int32_t *ids,
                                             uint32_t n_ids)
{
    int32_t *mixed = kp_memdup(a, ids, n_ids * sizeof *ids), *isr;
    uint32_t rf = 1 + random_below(random_below(4) && n_ids > 4 ? 4 : n_ids), n_isr = 0;
    shuffle(mixed, n_ids);
    isr = KP_NEW_ARRAY(a, rf, int32_t);
    for (uint32_t i = 0; i < rf; i++)
        if (random_below(4))
            isr[n_isr++] = mixed[i];
    shuffle(isr, n_isr);
    return (kp_view_partition_in){
        .index = index,
        .leader = n_isr && random_below(8) ? isr[random_below(n_isr)] : -1,
        .leader_epoch = random_below(3) ? (int32_t)random_below(100) : -1,
        .n_replicas = rf,
        .n_isr = n_isr,
        .replicas = mixed,
        .isr = isr,
        .min_isr = (int)random_below(4),
        .unclean = random_below(6) == 0,
    };
}

kp_view_in *random_cluster(kp_arena *a)
{
    kp_view_in *in = KP_NEW(a, kp_view_in);
    uint32_t n_ids = 1 + random_below(random_below(6) ? 12 : 200), step = 1 + random_below(1000);
    int32_t *ids = KP_NEW_ARRAY(a, n_ids, int32_t);
    kp_view_broker *brokers = KP_NEW_ARRAY(a, n_ids, kp_view_broker);
    bool have_topic_ids = random_below(4) != 0;
    for (uint32_t i = 0; i < n_ids; i++)
        ids[i] = (int32_t)(i * step);
    shuffle(ids, n_ids);
    for (uint32_t i = 0; i < n_ids; i++) {
        if (random_below(8) == 0)
            continue; /* an owner that the answer does not list */
        brokers[in->n_brokers++] = (kp_view_broker){
            .id = ids[i],
            .alive = random_below(6) != 0,
            .host = kp_printf(a, "host%d", ids[i]),
            .port = 9092,
            .rack = random_below(2) ? "r1" : NULL,
        };
    }
    kp_view_topic_in *topics = KP_NEW_ARRAY(a, 10, kp_view_topic_in);
    in->n_topics = random_below(10);
    for (uint32_t t = 0; t < in->n_topics; t++) {
        static const char *const names[] = {
            "orders", "a",          "b-1",      "b",  "__consumer_offsets",
            "z.z",    "payments-7", "payments", "aa", "_x"
        };
        uint32_t n = random_below(5);
        kp_view_partition_in *parts = KP_NEW_ARRAY(a, n, kp_view_partition_in);
        for (uint32_t p = 0; p < n; p++)
            parts[p] = random_partition(a, (int32_t)p, ids, n_ids);
        topics[t] = (kp_view_topic_in){
            .name = names[t], .internal = names[t][0] == '_', .n = n, .parts = parts
        };
        for (size_t i = 0; have_topic_ids && i < 16; i++)
            topics[t].id[i] = (uint8_t)(1 + random_below(255));
    }
    in->node = 1;
    in->at = 1000;
    in->whole = true;
    in->cluster_id = "abc";
    in->controller = -1;
    in->brokers = brokers;
    in->topics = topics;
    return in;
}

kp_view_in *shuffled(kp_arena *a, const kp_view_in *in)
{
    kp_view_in *out = kp_memdup(a, in, sizeof *in);
    kp_view_topic_in *topics = kp_memdup(a, in->topics, in->n_topics * sizeof *topics);
    kp_view_broker *brokers = kp_memdup(a, in->brokers, in->n_brokers * sizeof *brokers);
    for (uint32_t i = in->n_topics; i > 1; i--) {
        uint32_t k = random_below(i);
        kp_view_topic_in t = topics[i - 1];
        topics[i - 1] = topics[k];
        topics[k] = t;
    }
    for (uint32_t i = in->n_brokers; i > 1; i--) {
        uint32_t k = random_below(i);
        kp_view_broker b = brokers[i - 1];
        brokers[i - 1] = brokers[k];
        brokers[k] = b;
    }
    for (uint32_t t = 0; t < in->n_topics; t++) {
        kp_view_partition_in *parts = kp_memdup(a, topics[t].parts, topics[t].n * sizeof *parts);
        for (uint32_t p = 0; p < topics[t].n; p++) {
            int32_t *replicas = kp_memdup(a, parts[p].replicas,
                                          parts[p].n_replicas * sizeof *replicas);
            int32_t *isr = kp_memdup(a, parts[p].isr, parts[p].n_isr * sizeof *isr);
            shuffle(replicas, parts[p].n_replicas);
            shuffle(isr, parts[p].n_isr);
            parts[p].replicas = replicas;
            parts[p].isr = isr;
        }
        topics[t].parts = parts;
    }
    out->topics = topics;
    out->brokers = brokers;
    return out;
}

const kp_view *built(kp_arena *a, const kp_view_in *in)
{
    const kp_view *v = NULL;
    kp_err *e = kp_view_build(a, in, &v);
    if (e)
        fail_msg("%s", kp_err_text(a, e));
    return v;
}

bool is_among(const int32_t *ids, uint32_t n, int32_t id)
{
    for (uint32_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

bool is_alive(const kp_view_in *in, int32_t id)
{
    for (uint32_t i = 0; i < in->n_brokers; i++)
        if (in->brokers[i].id == id && in->brokers[i].alive)
            return true;
    return false;
}

static int compare_names(const void *x, const void *y)
{
    const kp_view_topic_in *const *a = x, *const *b = y;
    return strcmp((*a)->name, (*b)->name);
}

const kp_view_topic_in **by_name(kp_arena *a, const kp_view_in *in)
{
    const kp_view_topic_in **sorted = KP_NEW_ARRAY(a, in->n_topics + 1, const kp_view_topic_in *);
    for (uint32_t t = 0; t < in->n_topics; t++)
        sorted[t] = &in->topics[t];
    qsort(sorted, in->n_topics, sizeof *sorted, compare_names);
    return sorted;
}
