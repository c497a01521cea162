/* Buffers: growth, the limit, and that what is kept is always a prefix of what was added. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_grows_and_ends_with_nul(void **state)
{
    (void)state;
    KP_AUTO_BUF b = KP_BUF_INIT(1 << 20);
    assert_null(b.p);
    assert_string_equal(kp_buf_text(&b), "");
    for (int i = 0; i < 10000; i++) {
        switch (i % 4) {
        case 0:
            kp_buf_chr(&b, 'a');
            break;
        case 1:
            kp_buf_str(&b, "bcd");
            break;
        case 2:
            kp_buf_add(&b, "\0e", 2);
            break;
        default:
            kp_buf_fmt(&b, "%d", 7);
        }
        assert_int_equal(b.p[b.n], 0);
        assert_true(b.n < b.cap);
    }
    assert_int_equal(b.n, 10000 / 4 * 7);
    assert_false(b.overflow);
    for (size_t i = 0; i < b.n; i += 7)
        assert_memory_equal(b.p + i, "abcd\0e7", 7);
    kp_buf_add(&b, NULL, 0);
    assert_int_equal(b.n, 10000 / 4 * 7);
}

static void test_limit(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 300; limit += 13) {
        KP_AUTO_BUF b = KP_BUF_INIT(limit);
        for (int i = 0; i < 10; i++)
            kp_buf_fmt(&b, "%030d", i);
        assert_int_equal(b.overflow, limit < 300);
        assert_int_equal(b.n, limit);
        assert_true(b.cap <= limit + 1);
        for (size_t i = 0; i < limit; i++)
            assert_int_equal(b.p[i], i % 30 == 29 ? '0' + (int)(i / 30) : '0');
        kp_buf_clear(&b);
        assert_false(b.overflow);
        assert_string_equal(kp_buf_text(&b), "");
    }
    KP_AUTO_BUF exact = KP_BUF_INIT(3);
    kp_buf_str(&exact, "abc");
    assert_false(exact.overflow);
    kp_buf_chr(&exact, 'd');
    assert_true(exact.overflow);
    assert_string_equal(exact.p, "abc");
}

static void test_nothing_is_added_after_an_overflow(void **state)
{
    (void)state;
    KP_AUTO_BUF b = KP_BUF_INIT(5);
    kp_buf_str(&b, "abcdefgh");
    kp_buf_cut(&b, 3);
    kp_buf_str(&b, "x");
    kp_buf_fmt(&b, "%300d", 1);
    assert_string_equal(kp_buf_text(&b), "de");
}

static void test_long_format(void **state)
{
    (void)state;
    KP_AUTO_BUF b = KP_BUF_INIT(2000);
    for (int width = 254; width < 259; width++) {
        kp_buf_clear(&b);
        kp_buf_fmt(&b, "%-*d|", width, 1);
        assert_int_equal(b.n, width + 1);
        assert_int_equal(b.p[width], '|');
    }
}

static void test_cut(void **state)
{
    (void)state;
    KP_AUTO_BUF b = KP_BUF_INIT(100);
    kp_buf_cut(&b, 5);
    assert_int_equal(b.n, 0);
    kp_buf_str(&b, "frame1frame2");
    kp_buf_cut(&b, 0);
    assert_string_equal(b.p, "frame1frame2");
    kp_buf_cut(&b, 6);
    assert_string_equal(b.p, "frame2");
    assert_int_equal(b.n, 6);
    kp_buf_cut(&b, 7);
    assert_string_equal(kp_buf_text(&b), "");
    assert_int_equal(b.p[0], 0);
}

static void test_done_can_be_used_again(void **state)
{
    (void)state;
    kp_buf b = KP_BUF_INIT(10);
    kp_buf_str(&b, "0123456789x");
    kp_buf_done(&b);
    assert_null(b.p);
    kp_buf_str(&b, "0123456789");
    assert_false(b.overflow);
    assert_int_equal(b.n, 10);
    kp_buf_done(&b);
    kp_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_ends_with_nul),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_nothing_is_added_after_an_overflow),
        cmocka_unit_test(test_long_format),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_done_can_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
