/* The heap: what is taken is in order, whatever was added, moved and removed before. */
#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { THINGS = 300, TURNS = 20000 };

typedef struct thing {
    int64_t due;
    size_t at;
} thing;

static uint64_t seed = 7;

static uint64_t chance(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 33;
}

/* The first of those in the heap, found by looking at all; THINGS when there is none. */
static size_t first_of(const thing *t)
{
    size_t first = THINGS;
    for (size_t i = 0; i < THINGS; i++)
        if (t[i].at != KP_HEAP_OUT && (first == THINGS || t[i].due < t[first].due))
            first = i;
    return first;
}

static void test_equal_to_looking_at_all(void **state)
{
    static thing t[THINGS];
    kp_heap h = { 0 };
    (void)state;

    for (size_t i = 0; i < THINGS; i++)
        t[i].at = KP_HEAP_OUT;
    for (int turn = 0; turn < TURNS; turn++) {
        size_t i = chance() % THINGS;
        switch (chance() % 4) {
        case 0:
        case 1: /* added or moved; few instants, so that many are equal */
            t[i].due = (int64_t)(chance() % 20) - 10;
            kp_heap_add(&h, (kp_due) { .due = t[i].due, .order = i, .of = &t[i], .at = &t[i].at });
            assert_int_not_equal(t[i].at, KP_HEAP_OUT);
            break;
        case 2:
            if (t[i].at != KP_HEAP_OUT)
                kp_heap_remove(&h, t[i].at);
            assert_true(t[i].at == KP_HEAP_OUT);
            break;
        default: {
            size_t first = first_of(t);
            if (first == THINGS) {
                assert_int_equal(h.n, 0);
                break;
            }
            kp_due one = kp_heap_take_first(&h);
            assert_ptr_equal(one.of, &t[first]);
            assert_true(t[first].at == KP_HEAP_OUT);
        }
        }
        for (size_t k = 0; k < h.n; k++)
            assert_true(*h.item[k].at == k);
    }
    kp_heap_done(&h);
    assert_int_equal(h.n, 0);
}

static void test_without_places(void **state)
{
    kp_heap h = { 0 };
    (void)state;

    for (uint64_t i = 0; i < 100; i++)
        kp_heap_add(&h, (kp_due) { .due = 5, .order = 99 - i });
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(kp_heap_take_first(&h).order, i);
    kp_heap_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_to_looking_at_all),
        cmocka_unit_test(test_without_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
