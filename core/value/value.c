/* kp_value: immutable trees, built in an arena.
 *
 * A value never changes, so trees may share parts and nothing is copied unless it has to outlive
 * its arena.  Maps are two parallel arrays in key order: that is compact, makes a lookup a binary
 * search, and gives every map one order in which it is walked, compared and written.
 */
#include "value/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_LIMIT = 1 << 28 }; /* items of a list, pairs of a map: far beyond any arena's limit */

static const kp_value nil_value = { .type = KP_NIL };
static const kp_value false_value = { .type = KP_BOOL, .u.b = false };
static const kp_value true_value = { .type = KP_BOOL, .u.b = true };

/* ---- build: scalars ---- */

const kp_value *kp_nil(void)
{
    return &nil_value;
}

const kp_value *kp_bool(bool b)
{
    return b ? &true_value : &false_value;
}

const kp_value *kp_int(kp_arena *a, int64_t i)
{
    kp_value *v = KP_NEW(a, kp_value);
    v->type = KP_INT;
    v->u.i = i;
    return v;
}

const kp_value *kp_double(kp_arena *a, double d)
{
    kp_value *v = KP_NEW(a, kp_value);
    v->type = KP_DOUBLE;
    v->u.d = d;
    return v;
}

const kp_value *kp_bytes(kp_arena *a, const void *p, size_t n)
{
    if (n >= UINT32_MAX)
        kp_die("a string of %zu bytes is longer than a value can hold", n);
    kp_value *v = kp_alloc(a, sizeof *v + n + 1);
    char *s = (char *)(v + 1);
    if (n)
        memcpy(s, p, n);
    v->type = KP_BYTES;
    v->n = (uint32_t)n;
    v->u.s = s;
    return v;
}

const kp_value *kp_text(kp_arena *a, const char *s)
{
    return s ? kp_bytes(a, s, strlen(s)) : &nil_value;
}

const kp_value *kp_textf(kp_arena *a, const char *fmt, ...)
{
    char small[256];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0)
        kp_die("a text could not be formatted: %s", fmt);
    const kp_value *ret;
    if ((size_t)n < sizeof small) {
        ret = kp_bytes(a, small, (size_t)n);
    } else {
        kp_value *v = kp_alloc(a, sizeof *v + (size_t)n + 1);
        char *s = (char *)(v + 1);
        vsnprintf(s, (size_t)n + 1, fmt, again);
        *v = (kp_value){ .type = KP_BYTES, .n = (uint32_t)n, .u.s = s };
        ret = v;
    }
    va_end(again);
    return ret;
}

/* ---- build: lists and maps ---- */

/* A list or map with room for n items (and keys) behind it. */
static kp_value *with_items(kp_arena *a, kp_type type, uint32_t n)
{
    size_t columns = type == KP_MAP ? 2 : 1;
    kp_value *v = kp_alloc(a, sizeof *v + columns * n * sizeof(void *));
    const kp_value **items = (const kp_value **)(v + 1);
    v->type = type;
    v->n = n;
    v->u.items = items;
    if (type == KP_MAP)
        v->keys = (const char *const *)(items + n);
    return v;
}

/* The arrays of a value that is still being built. */
static const kp_value **items_of(kp_value *v)
{
    return (const kp_value **)(v + 1);
}

static const char **keys_of(kp_value *map)
{
    return (const char **)(items_of(map) + map->n);
}

static void grow(kp_builder *b, bool keys)
{
    if (b->n >= ITEM_LIMIT)
        kp_die("a list or map has more than %d items", ITEM_LIMIT);
    uint32_t cap = b->cap ? b->cap * 2 : 8;
    const kp_value **v = KP_NEW_ARRAY(b->a, cap, const kp_value *);
    if (b->n)
        memcpy(v, b->v, b->n * sizeof *v);
    if (keys) {
        const char **k = KP_NEW_ARRAY(b->a, cap, const char *);
        if (b->n)
            memcpy(k, b->k, b->n * sizeof *k);
        b->k = k;
    }
    b->v = v;
    b->cap = cap;
}

kp_builder kp_list_begin(kp_arena *a)
{
    return (kp_builder){ .a = a };
}

void kp_list_add(kp_builder *b, const kp_value *v)
{
    if (b->n == b->cap)
        grow(b, false);
    b->v[b->n++] = v ? v : &nil_value;
}

const kp_value *kp_list_end(kp_builder *b)
{
    kp_value *list = with_items(b->a, KP_LIST, b->n);
    if (b->n)
        memcpy(items_of(list), b->v, b->n * sizeof *b->v);
    return list;
}

kp_builder kp_map_begin(kp_arena *a)
{
    return (kp_builder){ .a = a };
}

static void map_add(kp_builder *b, const char *key, const kp_value *v)
{
    if (b->n == b->cap)
        grow(b, true);
    b->k[b->n] = key;
    b->v[b->n++] = v ? v : &nil_value;
}

void kp_map_add(kp_builder *b, const char *key, const kp_value *v)
{
    map_add(b, kp_strdup(b->a, key), v);
}

typedef struct pair {
    const char *key;
    const kp_value *v;
    uint32_t age;
} pair;

static int compare_pairs(const void *x, const void *y)
{
    const pair *a = x, *b = y;
    int order = strcmp(a->key, b->key);
    return order ? order : a->age < b->age ? -1 : 1;
}

static void sort_pairs(kp_builder *b)
{
    pair *pairs = KP_NEW_ARRAY(b->a, b->n, pair);
    for (uint32_t i = 0; i < b->n; i++)
        pairs[i] = (pair){ b->k[i], b->v[i], i };
    qsort(pairs, b->n, sizeof *pairs, compare_pairs);
    for (uint32_t i = 0; i < b->n; i++) {
        b->k[i] = pairs[i].key;
        b->v[i] = pairs[i].v;
    }
}

/* Brings the builder's pairs into key order, stably. */
static void put_in_order(kp_builder *b)
{
    enum { FEW = 24 };
    for (uint32_t i = 1; i < b->n; i++) {
        if (strcmp(b->k[i - 1], b->k[i]) <= 0)
            continue;
        if (b->n > FEW) {
            sort_pairs(b);
            return;
        }
        const char *key = b->k[i];
        const kp_value *v = b->v[i];
        uint32_t to = i;
        do {
            b->k[to] = b->k[to - 1];
            b->v[to] = b->v[to - 1];
            to--;
        } while (to > 0 && strcmp(b->k[to - 1], key) > 0);
        b->k[to] = key;
        b->v[to] = v;
    }
}

const kp_value *kp_map_end(kp_builder *b)
{
    put_in_order(b);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        bool last_of_key = i + 1 == b->n || strcmp(b->k[i], b->k[i + 1]) != 0;
        if (!last_of_key || b->v[i]->type == KP_NIL)
            continue;
        b->k[n] = b->k[i];
        b->v[n] = b->v[i];
        n++;
    }
    b->n = n;
    kp_value *map = with_items(b->a, KP_MAP, n);
    if (n) {
        memcpy(items_of(map), b->v, n * sizeof *b->v);
        memcpy(keys_of(map), b->k, n * sizeof *b->k);
    }
    return map;
}

const kp_value *kp_map(kp_arena *a, ...)
{
    enum { FEW = 16 };
    const kp_value *values[FEW];
    const char *keys[FEW];
    /* The first pairs need no arena; growing copies them there. */
    kp_builder b = { .a = a, .v = values, .k = keys, .cap = FEW };
    va_list ap;
    va_start(ap, a);
    for (const char *key; (key = va_arg(ap, const char *));) {
        const kp_value *v = va_arg(ap, const kp_value *);
        if (v && v->type != KP_NIL)
            kp_map_add(&b, key, v);
    }
    va_end(ap);
    return kp_map_end(&b);
}

const kp_value *kp_ints(kp_arena *a, const int *v, size_t n)
{
    if (n > ITEM_LIMIT)
        kp_die("a list or map has more than %d items", ITEM_LIMIT);
    kp_value *list = with_items(a, KP_LIST, (uint32_t)n);
    kp_value *ints = KP_NEW_ARRAY(a, n, kp_value);
    for (size_t i = 0; i < n; i++) {
        ints[i] = (kp_value){ .type = KP_INT, .u.i = v[i] };
        items_of(list)[i] = &ints[i];
    }
    return list;
}

const kp_value *kp_value_copy(kp_arena *a, const kp_value *v)
{
    if (!v)
        return NULL;
    switch (v->type) {
    case KP_NIL:
        return &nil_value;
    case KP_BOOL:
        return kp_bool(v->u.b);
    case KP_INT:
    case KP_DOUBLE:
        return kp_memdup(a, v, sizeof *v);
    case KP_BYTES:
        return kp_bytes(a, v->u.s, v->n);
    case KP_LIST:
    case KP_MAP:
        break;
    }
    kp_value *copy = with_items(a, v->type, v->n);
    for (uint32_t i = 0; i < v->n; i++) {
        items_of(copy)[i] = kp_value_copy(a, v->u.items[i]);
        if (v->type == KP_MAP)
            keys_of(copy)[i] = kp_strdup(a, v->keys[i]);
    }
    return copy;
}

/* ---- borrow ---- */

/* Where key is, or where it would have to stand; *ret_found says which. */
static uint32_t position(const kp_value *map, const char *key, bool *ret_found)
{
    uint32_t low = 0, high = map->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = strcmp(map->keys[mid], key);
        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *ret_found = false;
    return low;
}

const kp_value *kp_map_with(kp_arena *a, const kp_value *map, const char *key, const kp_value *v)
{
    static const kp_value empty = { .type = KP_MAP };
    if (!kp_is(map, KP_MAP))
        map = &empty;
    bool found, keep = v && v->type != KP_NIL;
    uint32_t at = position(map, key, &found);
    if (!found && !keep && map != &empty)
        return map;
    uint32_t rest = at + (found ? 1 : 0), after = map->n - rest;
    kp_value *with = with_items(a, KP_MAP, at + (keep ? 1 : 0) + after);
    for (uint32_t i = 0; i < at; i++) {
        items_of(with)[i] = map->u.items[i];
        keys_of(with)[i] = map->keys[i];
    }
    uint32_t to = at;
    if (keep) {
        items_of(with)[to] = v;
        keys_of(with)[to++] = found ? map->keys[at] : kp_strdup(a, key);
    }
    for (uint32_t i = 0; i < after; i++) {
        items_of(with)[to + i] = map->u.items[rest + i];
        keys_of(with)[to + i] = map->keys[rest + i];
    }
    return with;
}

bool kp_is(const kp_value *v, kp_type type)
{
    return v ? v->type == type : type == KP_NIL;
}

const kp_value *kp_get(const kp_value *map, const char *key)
{
    if (!kp_is(map, KP_MAP))
        return NULL;
    bool found;
    uint32_t at = position(map, key, &found);
    return found ? map->u.items[at] : NULL;
}

const kp_value *kp_at(const kp_value *list, size_t i)
{
    return kp_is(list, KP_LIST) && i < list->n ? list->u.items[i] : NULL;
}

size_t kp_len(const kp_value *list_or_map)
{
    return kp_is(list_or_map, KP_LIST) || kp_is(list_or_map, KP_MAP) ? list_or_map->n : 0;
}

int64_t kp_as_int(const kp_value *v, int64_t otherwise)
{
    return kp_is(v, KP_INT) ? v->u.i : otherwise;
}

const char *kp_as_text(const kp_value *v, const char *otherwise)
{
    return kp_is(v, KP_BYTES) ? v->u.s : otherwise;
}

int64_t kp_get_int(const kp_value *map, const char *key, int64_t otherwise)
{
    return kp_as_int(kp_get(map, key), otherwise);
}

bool kp_get_bool(const kp_value *map, const char *key, bool otherwise)
{
    const kp_value *v = kp_get(map, key);
    return kp_is(v, KP_BOOL) ? v->u.b : otherwise;
}

const char *kp_get_text(const kp_value *map, const char *key, const char *otherwise)
{
    return kp_as_text(kp_get(map, key), otherwise);
}

bool kp_list_has_text(const kp_value *list, const char *text)
{
    for (size_t i = 0; i < kp_len(list); i++)
        if (kp_streq(kp_as_text(kp_at(list, i), NULL), text))
            return true;
    return false;
}

bool kp_list_has_int(const kp_value *list, int64_t i)
{
    for (size_t at = 0; kp_is(list, KP_LIST) && at < list->n; at++)
        if (kp_is(list->u.items[at], KP_INT) && list->u.items[at]->u.i == i)
            return true;
    return false;
}

/* ---- compare ---- */

static bool doubles_equal(double x, double y)
{
    if (x != x || y != y)
        return x != x && y != y;
    return memcmp(&x, &y, sizeof x) == 0;
}

bool kp_value_equal(const kp_value *a, const kp_value *b)
{
    a = a ? a : &nil_value;
    b = b ? b : &nil_value;
    if (a == b)
        return true;
    if (a->type != b->type || a->n != b->n)
        return false;
    switch (a->type) {
    case KP_NIL:
        return true;
    case KP_BOOL:
        return a->u.b == b->u.b;
    case KP_INT:
        return a->u.i == b->u.i;
    case KP_DOUBLE:
        return doubles_equal(a->u.d, b->u.d);
    case KP_BYTES:
        return memcmp(a->u.s, b->u.s, a->n) == 0;
    case KP_LIST:
    case KP_MAP:
        break;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->type == KP_MAP && strcmp(a->keys[i], b->keys[i]) != 0)
            return false;
        if (!kp_value_equal(a->u.items[i], b->u.items[i]))
            return false;
    }
    return true;
}

const char *kp_type_name(kp_type t)
{
    static const char *const names[] = {
        "nil", "boolean", "integer", "number", "string", "list", "map",
    };
    return names[t];
}
