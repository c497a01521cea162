/* A binary heap that tells its items where they are. */
#include "base/heap.h"

#include "base/arena.h"

#include <stdlib.h>

static bool before(const kp_due *x, const kp_due *y)
{
    return x->due != y->due ? x->due < y->due : x->order < y->order;
}

static void put(kp_heap *h, size_t i, kp_due one)
{
    h->item[i] = one;
    if (one.at)
        *one.at = i;
}

/* Puts it at i or, past what is due later, nearer to the first. */
static void up(kp_heap *h, size_t i, kp_due one)
{
    for (; i > 0 && before(&one, &h->item[(i - 1) / 2]); i = (i - 1) / 2)
        put(h, i, h->item[(i - 1) / 2]);
    put(h, i, one);
}

static void down(kp_heap *h, size_t i, kp_due one)
{
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && before(&h->item[child + 1], &h->item[child]))
            child++;
        if (!before(&h->item[child], &one))
            break;
        put(h, i, h->item[child]);
    }
    put(h, i, one);
}

static void place(kp_heap *h, size_t i, kp_due one)
{
    if (i > 0 && before(&one, &h->item[(i - 1) / 2]))
        up(h, i, one);
    else
        down(h, i, one);
}

void kp_heap_add(kp_heap *h, kp_due one)
{
    if (one.at && *one.at != KP_HEAP_OUT) {
        place(h, *one.at, one);
        return;
    }
    if (h->n == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->item = kp_realloc(h->item, h->cap * sizeof *h->item);
    }
    h->n++;
    up(h, h->n - 1, one);
}

void kp_heap_remove(kp_heap *h, size_t at)
{
    kp_due last = h->item[--h->n];
    if (h->item[at].at)
        *h->item[at].at = KP_HEAP_OUT;
    if (at < h->n)
        place(h, at, last);
}

kp_due kp_heap_take_first(kp_heap *h)
{
    kp_due first = h->item[0];
    kp_heap_remove(h, 0);
    return first;
}

void kp_heap_done(kp_heap *h)
{
    free(h->item);
    *h = (kp_heap) { 0 };
}
