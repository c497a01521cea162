/* unregister_broker: a ghost is forgotten, and what is none is refused. */
#include "engine/with_twist.h"

#include <string.h>

#define GONE ",\"faults\":[{\"fault\":\"crash\",\"node\":3}]"
#define TOPIC(rf) ",\"topics\":[{\"name\":\"t\",\"partitions\":6,\"rf\":" rf ",\"min_isr\":1}]"
#define KRAFT "{\"brokers\":3,\"controllers\":3,\"release\":\"4.0.1\""

static kp_err *once(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "unregister_broker", "[3]", NULL);
}
static bool already[2];
static kp_err *twice(kp_run *r, const kp_value *args)
{
    (void)args;
    for (int i = 0; i < 2; i++) {
        const kp_value *v;
        TEST_TRY(call(r, "unregister_broker", "[3]", &v));
        already[i] = kp_get_bool(v, "already", false);
    }
    return NULL;
}

/* The cluster file has no broker 3. */
static kp_err *run(bench *b, const char *spec, test_part part, const twist *t)
{
    static test_script script = { .effects = KP_G_BROKER_UNREGISTER };
    script.part[KP_PART_RUN] = part;
    the_script = &script;
    make_runs(b);
    bench_open(b, spec, NULL);
    kp_inventory *inv = kp_memdup(b->a, b->spec.inventory, sizeof *b->spec.inventory);
    kp_node *nodes = KP_NEW_ARRAY(b->a, inv->n_nodes, kp_node);
    uint32_t n = 0;
    for (uint32_t i = 0; i < inv->n_nodes; i++)
        if (inv->nodes[i].id != 3)
            nodes[n++] = inv->nodes[i];
    inv->nodes = nodes;
    inv->n_nodes = n;
    b->spec.inventory = inv;
    twist_into(b, t, t ? 1 : 0);
    twist_on(true);
    return bench_run(b, NULL);
}

static int unregistered(bench *b)
{
    const kp_value *list = kp_sim_acts(b->a, b->sim);
    int n = 0;
    for (size_t i = 0; i < kp_len(list); i++)
        n += kp_streq(kp_get_text(kp_at(list, i), "act", ""), "unregister");
    return n;
}

static void a_ghost_is_forgotten_once(void **state)
{
    bench b = { 0 };
    (void)state;
    well(run(&b, KRAFT TOPIC("3") GONE "}", twice, NULL));
    assert_int_equal(unregistered(&b), 1);
    assert_true(!already[0] && already[1]);
    bench_over(&b);
}

static void what_is_no_ghost_is_refused(void **state)
{
    static const struct {
        const char *spec;
        kp_class cls;
        const char *says;
    } rows[] = {
        { KRAFT TOPIC("3") "}", KP_SAFETY, "broker 3 at broker3:9092 is alive" },
        { KRAFT TOPIC("1") GONE "}", KP_SAFETY, "broker 3 alone has the newest records of 2 " },
        { "{\"release\":\"3.9.1\"" TOPIC("3") GONE "}", KP_CLUSTER,
          "do not tell who is registered" },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        bench b = { 0 };
        fails(run(&b, rows[i].spec, once, NULL), rows[i].cls, rows[i].says);
        assert_int_equal(unregistered(&b), 0);
        bench_over(&b);
    }
}

static kp_err *of_the_file(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "unregister_broker", "[2]", NULL);
}

static void a_broker_of_the_cluster_file_is_refused(void **state)
{
    bench b = { 0 };
    (void)state;
    fails(run(&b, KRAFT TOPIC("3") GONE "}", of_the_file, NULL), KP_SAFETY,
          "broker 2 is in the cluster file");
    bench_over(&b);
}

static void a_no_is_told(void **state)
{
    static const twist no = { KP_A_UNREGISTER, 0, "no", "CLUSTER_AUTHORIZATION_FAILED" };
    bench b = { 0 };
    (void)state;
    fails(run(&b, KRAFT TOPIC("3") GONE "}", once, &no), KP_HOST, "CLUSTER_AUTHORIZATION_FAILED");
    assert_int_equal(unregistered(&b), 0);
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ghost_is_forgotten_once),
        cmocka_unit_test(what_is_no_ghost_is_refused),
        cmocka_unit_test(a_broker_of_the_cluster_file_is_refused),
        cmocka_unit_test(a_no_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
