/* A view: built once from an answer, then only read.
 *
 * Building walks the replicas three times: to learn which brokers there are, to fill the arrays,
 * and to sort each broker's replicas into its own row.  Nothing is allocated per partition and
 * nothing is searched by text, so that a million partitions cost a fraction of a second.
 *
 * The digest is a sum over partitions of a mixed hash, each over topic, index, leader and the SET
 * of in-sync brokers.  A sum does not depend on order: two nodes that answer the same in another
 * order give the same digest.
 */
#include "cluster/view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_BROKERS = 65534,
    MAX_PARTS = 1 << 28,
    KEY_LIMIT = 300,     /* a topic name has at most 249 bytes, a partition number ten */
};

static kp_err *odd_answer(const char *fmt, ...) KP_PRINTF(1, 2);
static kp_err *odd_answer(const char *fmt, ...)
{
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return kp_err_retriable(kp_err_new(KP_CLUSTER, "ask again, or another node", "%s", what));
}

/* ---- broker ids to slots ---- */

/* An open table from ids to slots; at most half full. */
typedef struct id_table {
    kp_arena *a;
    uint32_t cap, n; /* cap is a power of two */
    struct cell {
        int id;
        uint32_t slot_plus_1; /* 0: free */
    } * cells;
} id_table;

static uint32_t spread(int id)
{
    uint32_t x = (uint32_t)id * 0x9e3779b1u;
    return x ^ x >> 15;
}

static struct cell *cell_of(const id_table *t, int id)
{
    uint32_t i = spread(id) & (t->cap - 1);
    while (t->cells[i].slot_plus_1 && t->cells[i].id != id)
        i = (i + 1) & (t->cap - 1);
    return &t->cells[i];
}

static void table_grow(id_table *t)
{
    id_table old = *t;
    t->cap = old.cap ? old.cap * 2 : 64;
    t->cells = KP_NEW_ARRAY(t->a, t->cap, struct cell);
    for (uint32_t i = 0; i < old.cap; i++)
        if (old.cells[i].slot_plus_1)
            *cell_of(t, old.cells[i].id) = old.cells[i];
}

/* Adds an id that is not there yet. */
static void table_add(id_table *t, int id)
{
    if (t->cap < 2 * (t->n + 1))
        table_grow(t);
    struct cell *c = cell_of(t, id);
    if (!c->slot_plus_1)
        *c = (struct cell) { id, ++t->n };
}

/* 0xffff for an id that is not there: no broker has that slot. */
static uint16_t slot_of(const id_table *t, int id)
{
    return (uint16_t)(cell_of(t, id)->slot_plus_1 - 1);
}

static int compare_brokers(const void *x, const void *y)
{
    int a = ((const kp_view_broker *)x)->id, b = ((const kp_view_broker *)y)->id;
    return a < b ? -1 : a > b;
}

/* All brokers of the answer, and the owners of replicas it does not list. */
static kp_err *collect_brokers(kp_arena *a, const kp_view_in *in, id_table *t, kp_view *v)
{
    for (uint32_t i = 0; i < in->n_brokers; i++)
        table_add(t, in->brokers[i].id);
    for (uint32_t i = 0; i < in->n_topics; i++)
        for (uint32_t k = 0; k < in->topics[i].n; k++)
            for (uint32_t r = 0; r < in->topics[i].parts[k].n_replicas; r++)
                table_add(t, in->topics[i].parts[k].replicas[r]);
    if (t->n > MAX_BROKERS)
        return odd_answer("more than %d brokers", MAX_BROKERS);
    kp_view_broker *brokers = KP_NEW_ARRAY(a, t->n, kp_view_broker);
    for (uint32_t i = 0; i < t->cap; i++)
        if (t->cells[i].slot_plus_1)
            brokers[t->cells[i].slot_plus_1 - 1] =
                (kp_view_broker) { .id = t->cells[i].id, .host = "", .rack = "" };
    for (uint32_t i = 0; i < in->n_brokers; i++) {
        const kp_view_broker *from = &in->brokers[i];
        kp_view_broker *to = &brokers[slot_of(t, from->id)];
        if (to->alive)
            continue;
        to->alive = from->alive;
        to->host = from->alive && from->host ? kp_strdup(a, from->host) : "";
        to->port = from->alive ? from->port : 0;
        to->rack = from->rack && *from->rack ? kp_strdup(a, from->rack) : to->rack;
    }
    if (t->n > 1)
        qsort(brokers, t->n, sizeof *brokers, compare_brokers);
    for (uint32_t i = 0; i < t->n; i++)
        cell_of(t, brokers[i].id)->slot_plus_1 = i + 1;
    v->n_brokers = t->n;
    v->brokers = brokers;
    return NULL;
}

/* ---- topics and partitions ---- */

static bool has_id(const uint8_t *id)
{
    static const uint8_t zero[16];
    return memcmp(id, zero, sizeof zero) != 0;
}

static int compare_topics(const void *x, const void *y)
{
    const kp_view_topic_in *const *a = x, *const *b = y;
    return strcmp((*a)->name, (*b)->name);
}

/* The answer's topics by name. */
static kp_err *sort_topics(kp_arena *a, const kp_view_in *in, const kp_view_topic_in ***ret_sorted)
{
    const kp_view_topic_in **sorted = KP_NEW_ARRAY(a, in->n_topics, const kp_view_topic_in *);
    for (uint32_t i = 0; i < in->n_topics; i++)
        sorted[i] = &in->topics[i];
    if (in->n_topics > 1)
        qsort(sorted, in->n_topics, sizeof *sorted, compare_topics);
    for (uint32_t i = 1; i < in->n_topics; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            return odd_answer("the answer has topic %s twice", sorted[i]->name);
    *ret_sorted = sorted;
    return NULL;
}

static kp_err *check_partition(const kp_view_topic_in *t, uint32_t k)
{
    const kp_view_partition_in *p = &t->parts[k];
    if (p->index != (int32_t)k)
        return odd_answer("topic %s has no partition %u in the answer", t->name, k);
    for (uint32_t i = 0; i < p->n_replicas; i++)
        if (p->replicas[i] < 0)
            return odd_answer("%s-%u has a replica on broker %d", t->name, k, p->replicas[i]);
    return NULL;
}

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t topic_hash(const kp_view_topic *t)
{
    const uint8_t *p = has_id(t->id) ? t->id : (const uint8_t *)t->name;
    size_t n = has_id(t->id) ? sizeof t->id : strlen(t->name);
    uint64_t h = n;
    for (size_t i = 0; i < n; i++)
        h = mix(h ^ p[i]);
    return h;
}

/* The arrays of a view that is being filled. */
typedef struct filling {
    kp_view *v;
    const id_table *ids;
    uint32_t *first_rep;
    uint16_t *rep, *leader, *min_isr;
    uint64_t *isr;
    uint8_t *flags;
    int32_t *leader_epoch;
    bool epochs_known;
    uint32_t *rep_of; /* per slot: where its last replica is in rep, plus 1 */
} filling;

/* Which replica of p is on broker `id`: the `guess`-th more often than not; NO_LEADER when none. */
static uint16_t replica_index(const filling *f, uint32_t p, const kp_view_partition_in *in,
                              int32_t id, uint32_t guess)
{
    if (guess < in->n_replicas && in->replicas[guess] == id)
        return (uint16_t)guess;
    uint16_t slot = slot_of(f->ids, id);
    uint32_t at = f->first_rep[p] + 1; /* what is in rep_of from an earlier partition is below */
    return slot < f->v->n_brokers && f->rep_of[slot] >= at ? (uint16_t)(f->rep_of[slot] - at)
                                                           : KP_VIEW_NO_LEADER;
}

/* False: a broker is twice among the replicas. */
static bool fill_replicas(filling *f, uint32_t p, const kp_view_partition_in *in, int *ret_twice)
{
    uint32_t at = f->first_rep[p];
    f->first_rep[p + 1] = at + in->n_replicas;
    for (uint32_t i = 0; i < in->n_replicas; i++) {
        uint16_t slot = slot_of(f->ids, in->replicas[i]);
        if (f->rep_of[slot] > at) {
            *ret_twice = in->replicas[i];
            return false;
        }
        f->rep[at + i] = slot;
        f->rep_of[slot] = at + i + 1;
    }
    return true;
}

static void fill_state(filling *f, uint32_t p, const kp_view_partition_in *in, uint64_t topic)
{
    uint64_t in_sync = 0;
    unsigned flags = (in->unclean ? KP_PART_UNCLEAN : 0u) |
                     (in->no_listener ? KP_PART_NO_LISTENER : 0u);
    for (uint32_t i = 0; i < in->n_isr; i++) {
        uint16_t r = replica_index(f, p, in, in->isr[i], i);
        uint32_t at = f->first_rep[p] + r;
        if (r == KP_VIEW_NO_LEADER)
            flags |= KP_PART_OUTSIDE;
        if (r == KP_VIEW_NO_LEADER || f->isr[at / 64] >> (at % 64) & 1)
            continue;
        f->isr[at / 64] |= (uint64_t)1 << (at % 64);
        in_sync += mix(1 + (uint64_t)(uint32_t)in->isr[i]);
    }
    f->leader[p] = replica_index(f, p, in, in->leader, 0);
    f->min_isr[p] = (uint16_t)(in->min_isr < 0                     ? 0
                               : in->min_isr > KP_VIEW_MIN_ISR_CAP ? KP_VIEW_MIN_ISR_CAP
                                                                   : in->min_isr);
    if (in->leader >= 0 && f->leader[p] == KP_VIEW_NO_LEADER)
        flags |= KP_PART_OUTSIDE;
    f->flags[p] = (uint8_t)flags;
    f->leader_epoch[p] = in->leader_epoch;
    f->epochs_known |= in->leader_epoch >= 0;
    uint32_t leader_id = f->leader[p] == KP_VIEW_NO_LEADER ? UINT32_MAX : (uint32_t)in->leader;
    f->v->digest += mix(topic ^ mix((uint64_t)(uint32_t)in->index << 32 | leader_id) ^
                        mix(in_sync));
}

static kp_err *fill_topics(kp_arena *a, const kp_view_topic_in *const *sorted, uint32_t n,
                           filling *f)
{
    kp_view_topic *topics = KP_NEW_ARRAY(a, n, kp_view_topic);
    uint32_t p = 0;
    for (uint32_t i = 0; i < n; i++) {
        kp_view_topic *t = &topics[i];
        *t = (kp_view_topic) { .name = kp_strdup(a, sorted[i]->name),
                               .first = p,
                               .n = sorted[i]->n,
                               .internal = sorted[i]->internal };
        memcpy(t->id, sorted[i]->id, sizeof t->id);
        uint64_t hash = topic_hash(t);
        for (uint32_t k = 0; k < t->n; k++, p++) {
            int twice;
            KP_TRY(check_partition(sorted[i], k));
            if (!fill_replicas(f, p, &sorted[i]->parts[k], &twice))
                return odd_answer("%s-%u has broker %d twice among its replicas", t->name, k,
                                  twice);
            fill_state(f, p, &sorted[i]->parts[k], hash);
        }
    }
    f->v->n_topics = n;
    f->v->topics = topics;
    return NULL;
}

static int compare_bad(const void *x, const void *y)
{
    return strcmp(((const kp_view_bad_topic *)x)->name, ((const kp_view_bad_topic *)y)->name);
}

static void keep_bad(kp_arena *a, const kp_view_in *in, kp_view *v)
{
    kp_view_bad_topic *bad = KP_NEW_ARRAY(a, in->n_bad, kp_view_bad_topic);
    for (uint32_t i = 0; i < in->n_bad; i++) {
        bad[i] = (kp_view_bad_topic) { .name = kp_strdup(a, in->bad[i].name),
                                       .code = in->bad[i].code,
                                       .error = kp_strdup(a, in->bad[i].error) };
        const kp_view_topic named = { .name = bad[i].name };
        v->digest += mix(topic_hash(&named) ^ mix((uint64_t)(uint32_t)bad[i].code));
    }
    if (in->n_bad > 1)
        qsort(bad, in->n_bad, sizeof *bad, compare_bad);
    v->n_bad = in->n_bad;
    v->bad = bad;
}

/* ---- counts, and the rows by broker ---- */

static void count_partition(kp_view_counts *c, uint32_t rf, uint32_t in_sync, uint32_t min_isr,
                            uint32_t leader)
{
    c->partitions++;
    c->urp += in_sync < rf;
    c->offline += leader == KP_VIEW_NO_LEADER;
    c->under_min_isr += in_sync < min_isr;
    c->at_min_isr += min_isr > 0 && in_sync == min_isr;
    c->unpreferred += leader != 0 && leader != KP_VIEW_NO_LEADER;
}

static void sort_by_broker(kp_arena *a, kp_view *v)
{
    uint32_t n_reps = v->first_rep[v->n_parts];
    uint32_t *first = KP_NEW_ARRAY(a, v->n_brokers + 1, uint32_t);
    uint32_t *next = KP_NEW_ARRAY(a, v->n_brokers, uint32_t);
    uint32_t *by_broker = KP_NEW_ARRAY(a, n_reps, uint32_t);
    uint32_t *out_of_sync = KP_NEW_ARRAY(a, v->n_brokers, uint32_t);
    uint32_t *leads = KP_NEW_ARRAY(a, v->n_brokers, uint32_t);
    for (uint32_t i = 0; i < n_reps; i++)
        first[v->rep[i] + 1]++;
    for (uint32_t i = 0; i < v->n_brokers; i++) {
        first[i + 1] += first[i];
        next[i] = first[i];
    }
    for (uint32_t p = 0; p < v->n_parts; p++) {
        uint32_t at = v->first_rep[p], rf = v->first_rep[p + 1] - at;
        for (uint32_t r = 0; r < rf; r++) {
            uint16_t slot = v->rep[at + r];
            by_broker[next[slot]++] = p;
            out_of_sync[slot] += !kp_view_in_sync(v, p, r);
            leads[slot] += v->leader[p] == r;
        }
        count_partition(&v->counts, rf, kp_view_isr_size(v, p), v->min_isr[p], v->leader[p]);
    }
    v->by_broker_first = first;
    v->by_broker = by_broker;
    v->out_of_sync = out_of_sync;
    v->leads = leads;
}

kp_err *kp_view_build(kp_arena *a, const kp_view_in *in, const kp_view **ret_v)
{
    const kp_view_topic_in **sorted = NULL;
    id_table ids = { .a = a };
    kp_view *v = KP_NEW(a, kp_view);
    uint64_t n_parts = 0, n_reps = 0;
    v->node = in->node;
    v->at = in->at;
    v->whole = in->whole;
    v->cluster_id = in->cluster_id ? kp_strdup(a, in->cluster_id) : "";
    v->controller = in->controller;
    for (uint32_t i = 0; i < in->n_topics; i++) {
        n_parts += in->topics[i].n;
        for (uint32_t k = 0; k < in->topics[i].n; k++)
            n_reps += in->topics[i].parts[k].n_replicas;
    }
    if (n_parts > MAX_PARTS || n_reps > UINT32_MAX)
        return odd_answer("more than %d partitions", MAX_PARTS);
    table_grow(&ids);
    KP_TRY(sort_topics(a, in, &sorted));
    KP_TRY(collect_brokers(a, in, &ids, v));
    v->n_parts = (uint32_t)n_parts;
    filling f = {
        .v = v,
        .ids = &ids,
        .first_rep = KP_NEW_ARRAY(a, n_parts + 1, uint32_t),
        .rep = KP_NEW_ARRAY(a, n_reps, uint16_t),
        .isr = KP_NEW_ARRAY(a, n_reps / 64 + 2, uint64_t),
        .leader = KP_NEW_ARRAY(a, n_parts, uint16_t),
        .min_isr = KP_NEW_ARRAY(a, n_parts, uint16_t),
        .flags = KP_NEW_ARRAY(a, n_parts, uint8_t),
        .leader_epoch = KP_NEW_ARRAY(a, n_parts, int32_t),
        .rep_of = KP_NEW_ARRAY(a, v->n_brokers, uint32_t),
    };
    KP_TRY(fill_topics(a, sorted, in->n_topics, &f));
    keep_bad(a, in, v);
    v->first_rep = f.first_rep;
    v->rep = f.rep;
    v->isr = f.isr;
    v->leader = f.leader;
    v->min_isr = f.min_isr;
    v->flags = f.flags;
    v->leader_epoch = f.epochs_known ? f.leader_epoch : NULL;
    sort_by_broker(a, v);
    *ret_v = v;
    return NULL;
}

/* ---- two answers as one ---- */

const kp_view *kp_view_stricter(kp_arena *a, const kp_view *x, const kp_view *y)
{
    uint32_t n = x->n_parts;
    if (n != y->n_parts || n == 0 ||
        (memcmp(x->min_isr, y->min_isr, n * sizeof *x->min_isr) == 0 &&
         memcmp(x->flags, y->flags, n) == 0))
        return x;
    kp_view *v = KP_NEW(a, kp_view);
    uint16_t *min_isr = KP_NEW_ARRAY(a, n, uint16_t);
    uint8_t *flags = KP_NEW_ARRAY(a, n, uint8_t);
    *v = *x;
    v->min_isr = min_isr;
    v->flags = flags;
    v->counts = (kp_view_counts) { 0 };
    for (uint32_t p = 0; p < n; p++) {
        uint16_t one = x->min_isr[p], other = y->min_isr[p];
        min_isr[p] = one == 0 || other == 0 ? 0 : one > other ? one : other;
        flags[p] = x->flags[p] | y->flags[p];
        count_partition(&v->counts, kp_view_rf(v, p), kp_view_isr_size(v, p), min_isr[p],
                        v->leader[p]);
    }
    return v;
}

/* ---- ask ---- */

int kp_view_slot(const kp_view *v, int broker_id)
{
    uint32_t low = 0, high = v->n_brokers;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (v->brokers[mid].id == broker_id)
            return (int)mid;
        if (v->brokers[mid].id < broker_id)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

const kp_view_topic *kp_view_topic_of(const kp_view *v, uint32_t p)
{
    uint32_t low = 0, high = v->n_topics; /* the last topic with first <= p: it is not empty */
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (v->topics[mid].first <= p)
            low = mid;
        else
            high = mid;
    }
    return &v->topics[low];
}

const kp_view_topic *kp_view_topic_named(const kp_view *v, const char *name)
{
    uint32_t low = 0, high = v->n_topics;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = strcmp(v->topics[mid].name, name);
        if (order == 0)
            return &v->topics[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

char *kp_view_name(kp_arena *a, const kp_view *v, uint32_t p)
{
    const kp_view_topic *t = kp_view_topic_of(v, p);
    return kp_printf(a, "%s-%u", t->name, p - t->first);
}

int kp_view_leader_id(const kp_view *v, uint32_t p)
{
    return v->leader[p] == KP_VIEW_NO_LEADER ? -1 : kp_view_replica_id(v, p, v->leader[p]);
}

const kp_value *kp_view_partition_value(kp_arena *a, const kp_view *v, uint32_t p)
{
    const kp_view_topic *t = kp_view_topic_of(v, p);
    uint32_t rf = kp_view_rf(v, p), n_isr = 0;
    int *replicas = KP_NEW_ARRAY(a, rf, int), *isr = KP_NEW_ARRAY(a, rf, int);
    for (uint32_t i = 0; i < rf; i++) {
        replicas[i] = kp_view_replica_id(v, p, i);
        if (kp_view_in_sync(v, p, i))
            isr[n_isr++] = replicas[i];
    }
    return kp_map(a, "topic", kp_text(a, t->name), "partition", kp_int(a, p - t->first), "leader",
                  kp_int(a, kp_view_leader_id(v, p)), "replicas", kp_ints(a, replicas, rf), "isr",
                  kp_ints(a, isr, n_isr), "min_isr",
                  v->min_isr[p] ? kp_int(a, v->min_isr[p]) : NULL, NULL);
}

/* ---- what is behind ---- */

/* "TOPICID-or-name:partition"; the id as Kafka writes it, URL-safe base64 without padding. */
static void partition_key(const kp_view *v, uint32_t p, char key[KEY_LIMIT])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const kp_view_topic *t = kp_view_topic_of(v, p);
    char id[23] = "";
    if (has_id(t->id)) {
        for (size_t i = 0; i < 22; i++) {
            size_t bit = i * 6, byte = bit / 8;
            unsigned two = (unsigned)t->id[byte] << 8 | (byte < 15 ? t->id[byte + 1] : 0u);
            id[i] = digits[two >> (10 - bit % 8) & 63];
        }
    }
    snprintf(key, KEY_LIMIT, "%s:%u", has_id(t->id) ? id : t->name, p - t->first);
}

/* The line of an ascending list that begins with the n bytes of `start`; NULL when none does. */
static const char *line_of(const kp_value *list, const char *start, size_t n)
{
    size_t low = 0, high = kp_len(list);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const char *line = kp_as_text(kp_at(list, mid), "");
        int order = strncmp(line, start, n);
        if (order == 0)
            return line;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static bool is_excused(const kp_value *excused, const char *key)
{
    return line_of(excused, key, strlen(key) + 1) != NULL;
}

static void bad_key(const kp_view_bad_topic *t, char key[KEY_LIMIT])
{
    snprintf(key, KEY_LIMIT, "%s:?", t->name);
}

static uint32_t replicas_behind(const kp_view *v, uint32_t slot, const kp_value *excused,
                                uint32_t *ret_parts, uint32_t max)
{
    uint32_t n = 0;
    if (v->out_of_sync[slot] == 0)
        return 0;
    for (uint32_t i = v->by_broker_first[slot]; i < v->by_broker_first[slot + 1]; i++) {
        uint32_t p = v->by_broker[i];
        char key[KEY_LIMIT];
        if (kp_view_in_sync(v, p, kp_view_replica_on(v, p, slot)))
            continue;
        if (kp_len(excused) > 0) {
            partition_key(v, p, key);
            if (is_excused(excused, key))
                continue;
        }
        if (ret_parts && n < max)
            ret_parts[n] = p;
        n++;
    }
    return n;
}

uint32_t kp_view_behind(const kp_view *v, int broker_id, const kp_value *excused,
                        uint32_t *ret_parts, uint32_t max)
{
    int slot = kp_view_slot(v, broker_id);
    if (slot < 0)
        return 0;
    uint32_t n = replicas_behind(v, (uint32_t)slot, excused, ret_parts, max);
    for (uint32_t i = 0; i < v->n_bad; i++) {
        char key[KEY_LIMIT];
        bad_key(&v->bad[i], key);
        if (is_excused(excused, key))
            continue;
        if (ret_parts && n < max)
            ret_parts[n] = UINT32_MAX;
        n++;
    }
    return n;
}

static int compare_keys(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

const kp_value *kp_view_behind_keys(kp_arena *a, const kp_view *v, int broker_id)
{
    kp_builder list = kp_list_begin(a);
    int slot = kp_view_slot(v, broker_id);
    uint32_t n = slot < 0 ? 0 : v->out_of_sync[slot], at = 0;
    uint32_t *parts = KP_NEW_ARRAY(a, n, uint32_t);
    char **keys = KP_NEW_ARRAY(a, n + v->n_bad, char *), key[KEY_LIMIT];
    if (n > 0)
        n = replicas_behind(v, (uint32_t)slot, NULL, parts, n);
    for (; at < n; at++) {
        partition_key(v, parts[at], key);
        keys[at] = kp_strdup(a, key);
    }
    for (uint32_t i = 0; i < v->n_bad; i++) {
        bad_key(&v->bad[i], key);
        keys[n++] = kp_strdup(a, key);
    }
    if (n > 1)
        qsort(keys, n, sizeof *keys, compare_keys);
    for (at = 0; at < n; at++)
        kp_list_add(&list, kp_text(a, keys[at]));
    return kp_list_end(&list);
}

const kp_value *kp_view_short_list(kp_arena *a, const kp_view *v)
{
    kp_builder list = kp_list_begin(a);
    char **lines = KP_NEW_ARRAY(a, v->counts.urp + 1, char *);
    size_t n = 0;

    for (uint32_t p = 0; p < v->n_parts && n < v->counts.urp; p++) {
        char key[KEY_LIMIT];
        if (kp_view_isr_size(v, p) >= kp_view_rf(v, p))
            continue;
        partition_key(v, p, key);
        lines[n++] = kp_printf(a, "%s %u", key, kp_view_isr_size(v, p));
    }
    if (n > 1)
        qsort(lines, n, sizeof *lines, compare_keys);
    for (size_t i = 0; i < n; i++)
        kp_list_add(&list, kp_text(a, lines[i]));
    return kp_list_end(&list);
}

uint32_t kp_view_short_of(const kp_view *v, uint32_t p, const kp_value *list)
{
    char key[KEY_LIMIT + 1];

    if (kp_len(list) == 0)
        return UINT32_MAX;
    partition_key(v, p, key);
    size_t n = strlen(key);
    memcpy(key + n++, " ", 2);
    const char *line = line_of(list, key, n);
    return line ? (uint32_t)strtoul(line + n, NULL, 10) : UINT32_MAX;
}

/* ---- where two views differ ---- */

/* Is broker `id` in sync on p?  It is its `guess`-th replica more often than not. */
static bool holds_in_sync(const kp_view *v, uint32_t p, int id, uint32_t guess)
{
    if (guess < kp_view_rf(v, p) && kp_view_replica_id(v, p, guess) == id)
        return kp_view_in_sync(v, p, guess);
    int slot = kp_view_slot(v, id);
    uint32_t k = slot < 0 ? kp_view_rf(v, p) : kp_view_replica_on(v, p, (uint32_t)slot);
    return k < kp_view_rf(v, p) && kp_view_in_sync(v, p, k);
}

static bool same_partition(const kp_view *a, uint32_t pa, const kp_view *b, uint32_t pb)
{
    if (kp_view_leader_id(a, pa) != kp_view_leader_id(b, pb) ||
        kp_view_isr_size(a, pa) != kp_view_isr_size(b, pb))
        return false;
    for (uint32_t i = 0; i < kp_view_rf(a, pa); i++)
        if (kp_view_in_sync(a, pa, i) && !holds_in_sync(b, pb, kp_view_replica_id(a, pa, i), i))
            return false;
    return true;
}

/* Differences found so far; the first `max` that are partitions of b are listed. */
typedef struct differences {
    uint32_t n, listed, max;
    uint32_t *parts;
} differences;

static void add_difference(differences *d, uint32_t p)
{
    d->n++;
    if (d->parts && p != UINT32_MAX && d->listed < d->max)
        d->parts[d->listed++] = p;
}

static void compare_topic(const kp_view *a, const kp_view_topic *ta, const kp_view *b,
                          const kp_view_topic *tb, differences *d)
{
    bool both_have_ids = has_id(ta->id) && has_id(tb->id);
    if (both_have_ids && memcmp(ta->id, tb->id, sizeof ta->id) != 0) {
        add_difference(d, UINT32_MAX);
        add_difference(d, tb->n ? tb->first : UINT32_MAX);
        return;
    }
    uint32_t common = ta->n < tb->n ? ta->n : tb->n;
    for (uint32_t k = 0; k < common; k++)
        if (!same_partition(a, ta->first + k, b, tb->first + k))
            add_difference(d, tb->first + k);
    for (uint32_t k = common; k < ta->n; k++)
        add_difference(d, UINT32_MAX);
    for (uint32_t k = common; k < tb->n; k++)
        add_difference(d, tb->first + k);
}

static void compare_bad_topics(const kp_view *a, const kp_view *b, differences *d)
{
    for (uint32_t i = 0, k = 0; i < a->n_bad || k < b->n_bad;) {
        int order = i == a->n_bad   ? 1
                    : k == b->n_bad ? -1
                                    : strcmp(a->bad[i].name, b->bad[k].name);
        if (order == 0 ? a->bad[i].code != b->bad[k].code : order < 0 ? b->whole : a->whole)
            add_difference(d, UINT32_MAX);
        i += order <= 0;
        k += order >= 0;
    }
}

uint32_t kp_view_differ(const kp_view *a, const kp_view *b, uint32_t *ret_parts, uint32_t max)
{
    differences d = { .parts = ret_parts, .max = max };
    compare_bad_topics(a, b, &d);
    for (uint32_t i = 0, k = 0; i < a->n_topics || k < b->n_topics;) {
        const kp_view_topic *ta = i < a->n_topics ? &a->topics[i] : NULL;
        const kp_view_topic *tb = k < b->n_topics ? &b->topics[k] : NULL;
        int order = !ta ? 1 : !tb ? -1 : strcmp(ta->name, tb->name);
        if (order == 0)
            compare_topic(a, ta, b, tb, &d);
        else if (order < 0 && b->whole)
            add_difference(&d, UINT32_MAX);
        else if (order > 0 && a->whole)
            add_difference(&d, tb->n ? tb->first : UINT32_MAX);
        i += order <= 0;
        k += order >= 0;
    }
    for (uint32_t i = d.listed; ret_parts && i < max; i++)
        ret_parts[i] = UINT32_MAX;
    return d.n;
}
