/* Durations: what is read, and what is refused. */
#include "value/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        kp_ms d;
    } rows[] = {
        { "250ms", 250 },
        { "5s", 5000 },
        { "10m", 10 * KP_MINUTE },
        { "2h", 2 * KP_HOUR },
        { "1d", 24 * KP_HOUR },
        { "1h30m", 90 * KP_MINUTE },
        { "90m", 90 * KP_MINUTE },
        { "1d2h3m4s5ms", 26 * KP_HOUR + 3 * KP_MINUTE + 4005 },
        { "1d5ms", 24 * KP_HOUR + 5 },
        { "0s", 0 },
        { "0ms", 0 },
        { "007s", 7000 },
        { "1500ms", 1500 },
        { "24h", 24 * KP_HOUR },
        { "366d", 366 * 24 * KP_HOUR },
        { "365d24h", 366 * 24 * KP_HOUR },
        { "31622400000ms", 366 * 24 * KP_HOUR },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_ms d = -1;
        assert_null(kp_duration_parse(rows[i].s, &d));
        assert_int_equal(d, rows[i].d);
    }
}

static void assert_refused(const char *s, const char *says)
{
    kp_ms d = 77;
    kp_err *e = kp_duration_parse(s, &d);
    if (!e)
        fail_msg("was read: %s", s);
    if (!strstr(e->what, says))
        fail_msg("%s: %s", s, e->what);
    assert_int_equal(d, 77);
    assert_int_equal(e->cls, KP_CONFIG);
    kp_err_drop(e);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "",     "10",   "m",   "10 m",  " 10m",  "10m ", "-10m", "+10m", "1.5h",
        "10M",  "10min", "10sec", "1h1h", "30m1h", "1h30", "5sm",  "1w",   "1h\n",
    };
    static const char *const too_long[] = {
        "367d", "366d1ms", "8785h", "31622400001ms", "99999999999999999999d",
    };
    for (size_t i = 0; i < KP_COUNT(garbage); i++)
        assert_refused(garbage[i], "is not a duration");
    for (size_t i = 0; i < KP_COUNT(too_long); i++)
        assert_refused(too_long[i], "is longer than 366 days");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
