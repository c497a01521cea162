/* What each release line supports: metadata.version levels (MetadataVersion of that release) and
 * inter.broker.protocol.version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cluster/release.h"

static kp_version version(const char *text)
{
    kp_version v;
    assert_true(kp_version_parse(text, &v));
    return v;
}

static void metadata_levels(void **state)
{
    static const struct {
        const char *release;
        int min, max; /* 0: none */
    } rows[] = {
        { "2.8.2", 0, 0 },  { "3.2.3", 0, 0 },  { "3.3.0", 1, 7 },  { "3.3.2", 1, 7 },
        { "3.4.1", 1, 8 },  { "3.5.2", 1, 11 }, { "3.6.2", 1, 14 }, { "3.7.2", 1, 19 },
        { "3.8.1", 1, 20 }, { "3.9.1", 1, 21 }, { "4.0.0", 7, 25 }, { "4.1.0", 7, 27 },
        { "4.2.2", 7, 29 }, { "4.3.1", 7, 30 }, { "4.4.0", 7, 33 }, { "4.9.0", 0, 0 },
        { "5.0.0", 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        int min = -5, max = -6;
        bool known = kp_release_metadata_levels(version(rows[i].release), &min, &max);
        assert_int_equal(known, rows[i].max != 0);
        assert_int_equal(min, known ? rows[i].min : -5); /* untouched otherwise */
        assert_int_equal(max, known ? rows[i].max : -6);
    }
}

/* A short string is the newest -IVn of its line; so is a release of it. */
static void protocol_levels(void **state)
{
    static const struct {
        const char *text, *same;
    } rows[] = {
        { "2.0", "2.0-IV1" },   { "2.1", "2.1-IV2" },   { "2.4", "2.4-IV1" }, { "2.5", "2.5-IV0" },
        { "2.7", "2.7-IV2" },   { "2.8", "2.8-IV1" },   { "3.0", "3.0-IV1" }, { "3.3", "3.3-IV3" },
        { "3.4", "3.4-IV0" },   { "3.5", "3.5-IV2" },   { "3.6", "3.6-IV2" }, { "3.7", "3.7-IV4" },
        { "3.9.1", "3.9-IV0" }, { "3.5.1", "3.5-IV2" }, { "4.0", "4.0-IV3" },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        int level = kp_ibp_level(rows[i].text);
        assert_true(level > 0);
        assert_int_equal(level, kp_ibp_level(rows[i].same));
        assert_int_equal(level, kp_release_ibp_level(version(rows[i].text)));
    }
}

static void they_grow_with_the_protocol(void **state)
{
    static const char *const rising[] = { "2.0-IV0", "2.0-IV1", "2.1",     "2.8-IV0", "2.8",
                                          "3.0-IV0", "3.0-IV1", "3.3-IV0", "3.3-IV2", "3.3",
                                          "3.4",     "3.5-IV0", "3.5",     "3.9",     "4.0-IV0",
                                          "4.0",     "4.1" };
    (void)state;
    for (size_t i = 1; i < KP_COUNT(rising); i++)
        assert_true(kp_ibp_level(rising[i - 1]) < kp_ibp_level(rising[i]));
}

static void what_is_none(void **state)
{
    static const char *const none[] = {
        "",          "IV1",      "-IV1",    "3",
        "three",     "3.5-IV",   "3.5-IVx", "3.5-IV2x",
        "3.5-IV100", "3.5-IV-1", "9.9",     "3.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(none); i++) {
        if (kp_ibp_level(none[i]) != -1)
            print_error("\"%s\" is taken for %d\n", none[i], kp_ibp_level(none[i]));
        assert_int_equal(kp_ibp_level(none[i]), -1);
    }
    assert_int_equal(kp_release_ibp_level(version("9.9.0")), -1);
}

static void the_oldest_java(void **state)
{
    static const struct {
        const char *release;
        int java;
    } rows[] = {
        { "2.8.2", 8 },  { "3.0.0", 8 },  { "3.7.2", 8 }, { "3.9.1", 8 },
        { "4.0.0", 17 }, { "4.3.1", 17 }, { "9.9.0", 0 },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_int_equal(kp_release_java(version(rows[i].release)), rows[i].java);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_levels),
        cmocka_unit_test(protocol_levels),
        cmocka_unit_test(they_grow_with_the_protocol),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(the_oldest_java),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
