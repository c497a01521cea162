/* Arenas: zeroed and aligned memory, reset, limits, and what passing a limit does. */
#include "base/base.h"
#include "with_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 4000, 8192, 70000, 3 << 20, 24 };

static bool all_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static void test_zeroed_aligned_apart(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("test", 64 << 20);
    for (int round = 0; round < 3; round++) {
        char *got[KP_COUNT(sizes) * 8];
        size_t total = 0;
        for (size_t i = 0; i < KP_COUNT(got); i++) {
            size_t n = sizes[i % KP_COUNT(sizes)];
            got[i] = kp_alloc(a, n);
            assert_non_null(got[i]);
            assert_int_equal((uintptr_t)got[i] % _Alignof(max_align_t), 0);
            assert_true(all_zero(got[i], n));
            memset(got[i], (int)i + 1, n);
            total += n;
        }
        for (size_t i = 0; i < KP_COUNT(got); i++)
            for (size_t k = 0; k < sizes[i % KP_COUNT(sizes)]; k += 997)
                assert_int_equal((unsigned char)got[i][k], (i + 1) & 255);
        assert_int_equal(kp_arena_used(a), total);
        kp_arena_reset(a);
        assert_int_equal(kp_arena_used(a), 0);
    }
}

static void test_reset_keeps_the_first_block(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("test", 1 << 20);
    void *first = kp_alloc(a, 8);
    kp_alloc(a, 500000);
    kp_arena_reset(a);
    assert_ptr_equal(kp_alloc(a, 8), first);
}

static void test_copies(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("test", 1 << 20);
    assert_null(kp_strdup(a, NULL));
    assert_string_equal(kp_strdup(a, ""), "");
    assert_string_equal(kp_strdup(a, "broker"), "broker");
    assert_string_equal(kp_strndup(a, "broker", 3), "bro");
    assert_memory_equal(kp_strndup(a, "a\0b", 3), "a\0b", 4);
    assert_memory_equal(kp_memdup(a, "a\0b", 3), "a\0b", 3);
    assert_non_null(kp_memdup(a, NULL, 0));
}

static void test_printf(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("test", 1 << 20);
    assert_string_equal(kp_printf(a, "%s-%d", "orders", 7), "orders-7");
    for (int width = 253; width < 260; width++) {
        char *s = kp_printf(a, "%*d", width, 5);
        assert_int_equal(strlen(s), width);
        assert_int_equal(s[width - 1], '5');
    }
}

static void pass_the_limit(void)
{
    kp_arena *a = kp_arena_new("the step", 1000);
    kp_alloc(a, 600);
    kp_alloc(a, 401);
}

static void pass_the_limit_of_an_array(void)
{
    kp_alloc_array(kp_arena_new("the step", SIZE_MAX), SIZE_MAX / 4, 5);
}

static void reach_the_limit(void)
{
    kp_arena *a = kp_arena_new("the step", 1000);
    kp_alloc(a, 600);
    kp_alloc(a, 400);
    kp_arena_reset(a);
    kp_alloc(a, 1000);
    kp_arena_free(a);
}

static void exhaust(void)
{
    kp_realloc(NULL, SIZE_MAX / 4);
}

static void test_limits_end_the_process(void **state)
{
    (void)state;
    char text[4096];
    assert_int_equal(run_in_child(reach_the_limit, text, sizeof text), 0);
    assert_int_equal(run_in_child(pass_the_limit, text, sizeof text), 1);
    assert_true(kp_starts_with(text, "kplay: memory for the step passed its limit of 1000 bytes"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_int_equal(run_in_child(pass_the_limit_of_an_array, text, sizeof text), 1);
    assert_true(kp_starts_with(text, "kplay: memory for the step passed its limit"));
    assert_int_equal(run_in_child(exhaust, text, sizeof text), 1);
    /* The sanitizer's malloc ends the process by itself. */
    assert_true(kp_starts_with(text, "kplay: out of memory") || strstr(text, "AddressSanitizer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_aligned_apart),
        cmocka_unit_test(test_reset_keeps_the_first_block),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_limits_end_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
