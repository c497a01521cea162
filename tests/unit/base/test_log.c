/* The log: which levels are written, how a line begins, and that it cannot move the cursor. */
#include "base/base.h"
#include "with_child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define E "kplay: error: e\n"
#define W "kplay: warning: w\n"
#define D "kplay: debug: d\n"

static const struct row {
    int set; /* -1: as it is at the start */
    const char *env;
    const char *lines;
} rows[] = {
    { -1, NULL, E W },
    { KP_LOG_ERROR, NULL, E },
    { KP_LOG_DEBUG, NULL, E W D },
    { -1, "debug", E W D },
    { KP_LOG_DEBUG, "error", E W D },
    { KP_LOG_ERROR, "warn", E W },
    { -1, "loud", E W },
    { -1, "", E W },
};

static const struct row *current;

static void write_all_levels(void)
{
    if (current->env)
        setenv("KPLAY_LOG", current->env, 1);
    else
        unsetenv("KPLAY_LOG");
    if (current->set >= 0)
        kp_log_set_level((kp_log_level)current->set);
    kp_log(KP_LOG_ERROR, "e");
    kp_log(KP_LOG_WARN, "%s", "w");
    kp_log(KP_LOG_DEBUG, "%c", 'd');
}

static void test_levels(void **state)
{
    (void)state;
    char text[4096];
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        current = &rows[i];
        assert_int_equal(run_in_child(write_all_levels, text, sizeof text), 0);
        assert_string_equal(text, rows[i].lines);
    }
}

static void write_control_bytes(void)
{
    kp_log(KP_LOG_WARN, "%s", "a\x1b[31m\nb\t\xc3\xa9\xff");
}

static void write_a_long_line(void)
{
    kp_log(KP_LOG_WARN, "%10000d", 1);
}

static void test_lines_are_safe_and_short(void **state)
{
    (void)state;
    char text[32768];
    assert_int_equal(run_in_child(write_control_bytes, text, sizeof text), 0);
    assert_string_equal(text, "kplay: warning: a\\x1b[31m\\x0ab\\x09\xc3\xa9\\xff\n");
    assert_int_equal(run_in_child(write_a_long_line, text, sizeof text), 0);
    assert_int_equal(strlen(text), strlen("kplay: warning: ") + 4095 + 1);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_lines_are_safe_and_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
