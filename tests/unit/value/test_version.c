/* Versions: what is read, what is refused, and the two orders. */
#include "value/value.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        kp_version v;
    } rows[] = {
        { "3.9.1", { 3, 9, 1 } },
        { "3.9", { 3, 9, -1 } },
        { "3.9.1-rc0", { 3, 9, 1 } },
        { "7.5.0-ccs", { 7, 5, 0 } },
        { "3.9-IV0", { 3, 9, -1 } },
        { "0.0.0", { 0, 0, 0 } },
        { "2.8.2", { 2, 8, 2 } },
        { "10.20.30", { 10, 20, 30 } },
        { "4.1.0-SNAPSHOT", { 4, 1, 0 } },
        { "7.5.0-1.ccs_2+b", { 7, 5, 0 } },
        { "9999.9999.9999", { 9999, 9999, 9999 } },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_version v;
        if (!kp_version_parse(rows[i].s, &v))
            fail_msg("was refused: %s", rows[i].s);
        assert_int_equal(v.major, rows[i].v.major);
        assert_int_equal(v.minor, rows[i].v.minor);
        assert_int_equal(v.patch, rows[i].v.patch);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        NULL,      "",       "3",        "3.",       ".9",       "3.9.",          "3..1",
        "3.9.1.2", "v3.9.1", "3.9.x",    "3.9.1 ",   " 3.9.1",   "3.9.1-",        "3.9-",
        "-3.9",    "3.-9",   "03.9",     "3.09",     "3.9.01",   "3.9.1rc0",      "3,9",
        "3.9.1-a b", "10000.1", "3.9.1-\n", "3.9.1+b", "0.10.2.1", "3.99999999999",
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_version v = { 1, 2, 3 };
        if (kp_version_parse(rows[i], &v))
            fail_msg("was read: %s", rows[i]);
        assert_int_equal(v.major * 100 + v.minor * 10 + v.patch, 123);
    }
}

static kp_version version(const char *s)
{
    kp_version v = { 0, 0, 0 };
    assert_true(kp_version_parse(s, &v));
    return v;
}

static void test_order(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int order, line_order;
    } rows[] = {
        { "3.9.1", "3.9.1", 0, 0 },  { "3.9.0", "3.9.1", -1, 0 },  { "3.9", "3.9.0", 0, 0 },
        { "3.9", "3.9.1", -1, 0 },   { "3.10.0", "3.9.9", 1, 1 },  { "2.8.2", "3.0.0", -1, -1 },
        { "4.0", "3.9.9", 1, 1 },    { "3.9.1-rc0", "3.9.1", 0, 0 },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_version a = version(rows[i].a), b = version(rows[i].b);
        assert_int_equal(kp_version_cmp(a, b), rows[i].order);
        assert_int_equal(kp_version_cmp(b, a), -rows[i].order);
        assert_int_equal(kp_version_line_cmp(a, b), rows[i].line_order);
        assert_int_equal(kp_version_line_cmp(b, a), -rows[i].line_order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
