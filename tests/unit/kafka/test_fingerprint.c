/* The release line and the mode from ApiVersions answers, release by release.
 *
 * The rows are the highest stable versions of the schemas in each release's sources, for the
 * listener of that mode; hidden unstable versions are left out, as brokers do.
 */
#include "kafka/kafka.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const int16_t keys[] = { 1, 3, 4, 9, 10, 11, 16, 18, 24, 35, 36, 52, 55, 62, 63, 64 };

typedef struct answer {
    kp_node_mode mode;
    int major, minor;            /* 0.0: cannot be told */
    int level;                   /* highest metadata.version; -1: the node has no features */
    int16_t max[KP_COUNT(keys)]; /* -1: not offered */
} answer;

static const answer answers[] = {
    { KP_MODE_ZOOKEEPER, 2, 4, -1, { 11, 9, 4, 6, 3, 6, 3, 3, 1, 1, 1, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 2, 5, -1, { 11, 9, 4, 7, 3, 7, 3, 3, 1, 1, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 2, 6, -1, { 11, 9, 4, 7, 3, 7, 4, 3, 1, 2, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 2, 7, -1, { 12, 9, 4, 7, 3, 7, 4, 3, 2, 2, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 2, 8, -1, { 12, 11, 5, 7, 3, 7, 4, 3, 3, 2, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 0, -1, { 12, 11, 5, 8, 4, 7, 4, 3, 3, 2, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 1, -1, { 13, 12, 5, 8, 4, 7, 4, 3, 3, 2, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 2, -1, { 13, 12, 6, 8, 4, 9, 4, 3, 3, 3, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 3, -1, { 13, 12, 6, 8, 4, 9, 4, 3, 3, 4, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 4, -1, { 13, 12, 7, 8, 4, 9, 4, 3, 3, 4, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 5, -1, { 15, 12, 7, 8, 4, 9, 4, 3, 3, 4, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 6, -1, { 15, 12, 7, 8, 4, 9, 4, 3, 4, 4, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 7, -1, { 16, 12, 7, 9, 4, 9, 4, 3, 4, 4, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 8, -1, { 16, 12, 7, 9, 5, 9, 5, 3, 5, 4, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_ZOOKEEPER, 3, 9, -1, { 17, 12, 7, 9, 6, 9, 5, 4, 5, 4, 2, -1, -1, -1, -1, -1 } },
    { KP_MODE_KRAFT, 2, 8, -1, { 12, 11, -1, 7, 3, 7, 4, 3, -1, 2, 2, -1, 0, -1, -1, 0 } },
    { KP_MODE_KRAFT, 3, 0, -1, { 12, 11, -1, 8, 4, 7, 4, 3, 3, 2, 2, -1, 0, -1, -1, -1 } },
    { KP_MODE_KRAFT, 3, 1, -1, { 13, 12, -1, 8, 4, 7, 4, 3, 3, 2, 2, -1, 0, -1, -1, -1 } },
    { KP_MODE_KRAFT, 3, 2, -1, { 13, 12, -1, 8, 4, 9, 4, 3, 3, 3, 2, -1, 0, -1, -1, -1 } },
    { KP_MODE_KRAFT, 3, 3, 7, { 13, 12, -1, 8, 4, 9, 4, 3, 3, 4, 2, -1, 1, -1, -1, 0 } },
    { KP_MODE_KRAFT, 3, 4, 8, { 13, 12, -1, 8, 4, 9, 4, 3, 3, 4, 2, -1, 1, -1, -1, 0 } },
    { KP_MODE_KRAFT, 3, 5, 11, { 15, 12, -1, 8, 4, 9, 4, 3, 3, 4, 2, -1, 1, -1, -1, 0 } },
    { KP_MODE_KRAFT, 3, 6, 14, { 15, 12, -1, 8, 4, 9, 4, 3, 4, 4, 2, -1, 1, -1, -1, 0 } },
    { KP_MODE_KRAFT, 3, 7, 19, { 16, 12, -1, 9, 4, 9, 4, 3, 4, 4, 2, -1, 1, -1, -1, 0 } },
    { KP_MODE_KRAFT, 3, 8, 20, { 16, 12, -1, 9, 5, 9, 5, 3, 5, 4, 2, -1, 1, -1, -1, 0 } },
    { KP_MODE_KRAFT, 3, 9, 21, { 17, 12, -1, 9, 6, 9, 5, 4, 5, 4, 2, -1, 2, -1, -1, 0 } },
    { KP_MODE_KRAFT, 4, 0, 25, { 17, 13, -1, 9, 6, 9, 5, 4, 5, 4, 2, -1, 2, -1, -1, 0 } },
    { KP_MODE_KRAFT, 4, 1, 27, { 18, 13, -1, 9, 6, 9, 5, 4, 5, 4, 2, -1, 2, -1, -1, 0 } },
    { KP_MODE_KRAFT, 4, 2, 29, { 18, 13, -1, 10, 6, 9, 5, 4, 5, 4, 2, -1, 2, -1, -1, 0 } },
    { KP_MODE_KRAFT, 4, 3, 30, { 18, 13, -1, 10, 6, 9, 5, 4, 5, 5, 2, -1, 2, -1, -1, 0 } },
    { KP_MODE_KRAFT, 4, 4, 33, { 18, 13, -1, 10, 6, 9, 5, 5, 5, 5, 2, -1, 2, -1, -1, 0 } },
    { KP_MODE_CONTROLLER, 0, 0, -1, { 12, 11, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 0, 0, 0, 0 } },
    { KP_MODE_CONTROLLER, 0, 0, -1, { 12, -1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 0, 0, 0, 0 } },
    { KP_MODE_CONTROLLER, 0, 0, -1, { 13, -1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 0, 0, 0, 0 } },
    { KP_MODE_CONTROLLER, 0, 0, -1, { 13, -1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 0, 0, 0, 0 } },
    { KP_MODE_CONTROLLER, 3, 3, 7, { 13, -1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 1, 0, 0, 0 } },
    { KP_MODE_CONTROLLER, 3, 4, 8, { 13, -1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 1, 1, 0, 0 } },
    { KP_MODE_CONTROLLER, 3, 5, 11, { 15, -1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 1, 1, 0, 0 } },
    { KP_MODE_CONTROLLER, 3, 6, 14, { 15, -1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 1, 1, 0, 0 } },
    { KP_MODE_CONTROLLER, 3, 7, 19, { 16, -1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 1, 3, 1, 0 } },
    { KP_MODE_CONTROLLER, 3, 8, 20, { 16, -1, -1, -1, -1, -1, -1, 3, -1, -1, 2, 0, 1, 3, 1, 0 } },
    { KP_MODE_CONTROLLER, 3, 9, 21, { 17, -1, -1, -1, -1, -1, -1, 4, -1, -1, 2, 1, 2, 4, 1, 0 } },
    { KP_MODE_CONTROLLER, 4, 0, 25, { 17, -1, -1, -1, -1, -1, -1, 4, -1, -1, 2, 2, 2, 4, 1, 0 } },
    { KP_MODE_CONTROLLER, 4, 1, 27, { 18, -1, -1, -1, -1, -1, -1, 4, -1, -1, 2, 2, 2, 4, 1, 0 } },
    { KP_MODE_CONTROLLER, 4, 2, 29, { 18, -1, -1, -1, -1, -1, -1, 4, -1, -1, 2, 2, 2, 4, 1, 0 } },
    { KP_MODE_CONTROLLER, 4, 3, 30, { 18, -1, -1, -1, -1, -1, -1, 4, -1, -1, 2, 2, 2, 4, 2, 0 } },
    { KP_MODE_CONTROLLER, 4, 4, 33, { 18, -1, -1, -1, -1, -1, -1, 5, -1, -1, 2, 2, 2, 4, 2, 0 } },
};

static kp_fingerprint fingerprint(const answer *a, bool migrating)
{
    kp_api_range ranges[KP_COUNT(keys)];
    kp_supported_feature features[] = { { "group.version", 0, 1 },
                                        { "metadata.version", 1, (int16_t)a->level } };
    kp_api_versions_response r = { .api_keys = { ranges, 0 }, .zk_migration_ready = migrating };
    for (size_t i = 0; i < KP_COUNT(keys); i++)
        if (a->max[i] >= 0)
            ranges[r.api_keys.n++] = (kp_api_range){ keys[i], 0, a->max[i] };
    if (a->level >= 0) {
        r.supported_features.v = features;
        r.supported_features.n = 2;
    }
    return kp_kafka_fingerprint(&r);
}

static void test_every_release(void **state KP_UNUSED)
{
    for (size_t i = 0; i < KP_COUNT(answers); i++) {
        const answer *a = &answers[i];
        kp_fingerprint f = fingerprint(a, false);
        if (f.mode != a->mode || f.line.major != a->major || f.line.minor != a->minor)
            fail_msg("%s %d.%d was taken for %s %d.%d", kp_node_mode_name(a->mode), a->major,
                     a->minor, kp_node_mode_name(f.mode), f.line.major, f.line.minor);
        assert_int_equal(f.line.patch, -1);
    }
}

static void test_migration_flag(void **state KP_UNUSED)
{
    for (size_t i = 0; i < KP_COUNT(answers); i++) {
        const answer *a = &answers[i];
        kp_fingerprint f = fingerprint(a, true);
        assert_int_equal(f.mode, a->mode == KP_MODE_ZOOKEEPER ? KP_MODE_HYBRID : a->mode);
        assert_int_equal(f.line.minor, a->minor);
    }
}

static void test_levels_between_and_beyond(void **state KP_UNUSED)
{
    static const struct {
        int level, major, minor;
    } rows[] = { { 1, 3, 3 }, { 12, 3, 6 }, { 22, 4, 0 }, { 31, 4, 4 }, { 34, 0, 0 } };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        answer a = answers[KP_COUNT(answers) - 1]; /* a controller */
        a.level = rows[i].level;
        kp_fingerprint f = fingerprint(&a, false);
        assert_int_equal(f.line.major, rows[i].major);
        assert_int_equal(f.line.minor, rows[i].minor);
    }
}

static void test_nothing_to_go_by(void **state KP_UNUSED)
{
    kp_fingerprint f = kp_kafka_fingerprint(&(kp_api_versions_response){ 0 });
    assert_int_equal(f.mode, KP_MODE_UNKNOWN);
    assert_int_equal(f.line.major, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_release),
        cmocka_unit_test(test_migration_flag),
        cmocka_unit_test(test_levels_between_and_beyond),
        cmocka_unit_test(test_nothing_to_go_by),
    };
    return cmocka_run_group_tests_name("kafka/fingerprint", tests, NULL, NULL);
}
