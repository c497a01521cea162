/* ZooKeeper or KRaft is what a node is, not what a run is: in a migration both are there at once. */
#include "engine/with_twist.h"

#define ZOOKEEPER                                                                                  \
    "{\"mode\":\"zookeeper\",\"brokers\":3,\"release\":\"3.4.1\","                                 \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"
#define KRAFT                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\","                                      \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"

static kp_err *pins(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(call(r, "releases", "[2]", &v));
    assert_string_equal(kp_get_text(v, "mode", ""), "zookeeper");
    return call(r, "set_ibp", "[2,\"3.4\"]", NULL);
}

static kp_err *pins_kraft(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(call(r, "releases", "[2]", &v));
    assert_string_equal(kp_get_text(v, "mode", ""), "kraft");
    return call(r, "set_ibp", "[2,\"3.4\"]", NULL);
}

static void begin(bench *b, const char *cluster, test_part part)
{
    static test_script script = { .effects = 0xff };
    script.part[KP_PART_RUN] = part;
    the_script = &script;
    make_runs(b);
    bench_open(b, cluster, NULL);
}

static int64_t files(bench *b)
{
    return kp_get_int(kp_sim_host_counts(b->a, b->sim, 2), "files", 0);
}

/* The broker that is met first runs in KRaft mode by now, this one does not. */
static void a_broker_is_pinned_by_its_own_mode(void **state)
{
    static const twist migrated = { KP_Q_NODE, 1, "mode", "\"kraft\"" };
    bench b = { 0 };
    (void)state;
    begin(&b, ZOOKEEPER, pins);
    twist_into(&b, &migrated, 1);
    twist_on(true);
    well(bench_run(&b, NULL));
    assert_int_equal(files(&b), 1);
    bench_over(&b);
}

static void what_kraft_ignores_is_not_written(void **state)
{
    static const twist behind = { KP_Q_NODE, 1, "mode", "\"zookeeper\"" };
    bench b = { 0 };
    (void)state;
    begin(&b, KRAFT, pins_kraft);
    twist_into(&b, &behind, 1);
    twist_on(true);
    fails(bench_run(&b, NULL), KP_PLAYBOOK, "inter.broker.protocol.version is ignored in KRaft");
    assert_int_equal(files(&b), 0);
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_is_pinned_by_its_own_mode),
        cmocka_unit_test(what_kraft_ignores_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
