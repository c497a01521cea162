/* Two tables of what releases support are kept apart on purpose: the guard concludes from one
 * (cluster/release.h), the simulator behaves by the other.  They must say the same. */
#include "sim/with_sim.h"

#include "cluster/release.h"
#include "sim/state.h"

#include <string.h>

static void both_tables_say_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; kp_sim_known_releases[i]; i++) {
        const char *release = kp_sim_known_releases[i];
        const kp_sim_release_facts *f = kp_sim_facts(release);
        kp_version v;
        int min = 0, max = 0;
        assert_non_null(f);
        assert_true(kp_version_parse(release, &v));
        bool kraft = kp_release_metadata_levels(v, &min, &max);
        if (f->metadata_max != (kraft ? max : 0) || f->metadata_min != (kraft ? min : 0))
            print_error("%s: %d to %d here, %d to %d there\n", release, f->metadata_min,
                        f->metadata_max, min, max);
        assert_int_equal(f->metadata_max, kraft ? max : 0);
        assert_int_equal(f->metadata_min, kraft ? min : 0);
        assert_int_equal(f->zookeeper, v.major < 4);
    }
}

static void protocol_levels_are_in_the_same_order(void **state)
{
    static const char *const names[] = { "2.4", "2.7-IV2", "2.8",     "2.8-IV1", "3.0-IV1",
                                         "3.4", "3.5-IV1", "3.5-IV2", "3.5",     "3.7-IV0",
                                         "3.7", "3.9",     "3.9-IV0" };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(names); i++)
        for (size_t k = 0; k < KP_COUNT(names); k++) {
            int here = kp_sim_ibp_level(names[i]) - kp_sim_ibp_level(names[k]);
            int there = kp_ibp_level(names[i]) - kp_ibp_level(names[k]);
            if ((here > 0) != (there > 0) || (here < 0) != (there < 0))
                print_error("%s and %s\n", names[i], names[k]);
            assert_int_equal(here > 0, there > 0);
            assert_int_equal(here < 0, there < 0);
        }
}

static void levels_have_names(void **state)
{
    static const struct {
        const char *name;
        int32_t level;
    } metadata[] = {
        { "3.3", 7 },      { "3.3-IV0", 4 }, { "3.7-IV2", 17 }, { "3.7", 19 }, { "3.9", 21 },
        { "4.0-IV3", 25 }, { "4.3", 30 },    { "19", 19 },      { "3.2", -1 }, { "3.7-IV5", -1 },
        { "x", -1 },       { "0", -1 },      { "9999", -1 },
    };
    static const char *const none[] = { "",       "3",       "3.x",      "9.9", "3.5-IV3",
                                        "3.5-IV", "3.5-IVx", "3.5-IV22", "IV1" };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(metadata); i++)
        assert_int_equal(kp_sim_metadata_level(metadata[i].name), metadata[i].level);
    for (size_t i = 0; i < KP_COUNT(none); i++)
        assert_int_equal(kp_sim_ibp_level(none[i]), -1);
    assert_string_equal(kp_sim_ibp_name(a, kp_sim_ibp_level("3.5")), "3.5-IV2");
    assert_string_equal(kp_sim_ibp_name(a, kp_sim_ibp_level("2.8")), "2.8-IV1");
    assert_null(kp_sim_facts("1.1.1"));
    assert_null(kp_sim_facts("nonsense"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_tables_say_the_same),
        cmocka_unit_test(protocol_levels_are_in_the_same_order),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
