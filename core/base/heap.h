/* What is due, in order: a binary heap of things that are kept elsewhere.
 *
 * Order is by `due`, then by `order`; a caller gives each thing another `order` (its age, number or
 * ticket), so that equal times have one sequence.  Units of `due` are the caller's.  One that says
 * `at` is told its place there with every change, and can be moved or removed by it; KP_HEAP_OUT
 * when it is out of the heap, which is what `at` holds before it is added.  Memory is the heap's
 * own, until kp_heap_done; it does not shrink.  One thread.
 */
#ifndef KP_BASE_HEAP_H
#define KP_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define KP_HEAP_OUT SIZE_MAX

typedef struct kp_due {
    int64_t due;
    uint64_t order;
    void *of;   /* the caller's */
    size_t *at; /* NULL: it is not told, and only leaves by kp_heap_take_first */
} kp_due;

typedef struct kp_heap {
    kp_due *item; /* item[0] is due first */
    size_t n, cap;
} kp_heap;

void kp_heap_add(kp_heap *h, kp_due one); /* or moves it, when it is in the heap */
void kp_heap_remove(kp_heap *h, size_t at);
kp_due kp_heap_take_first(kp_heap *h); /* there is one */
void kp_heap_done(kp_heap *h);         /* empty, and usable again */

#endif
