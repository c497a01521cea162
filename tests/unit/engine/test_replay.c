/* A resumed playbook that asks something else than it asked: refused before anything acts, both
 * sides shown. */
#include "engine/with_script.h"

#include <string.h>

static const char *first_step, *verb = "stop_broker", *args_json = "[2]";

static kp_err *play(kp_run *r, const kp_value *args)
{
    (void)args;
    if (first_step)
        TEST_TRY(call(r, "step", first_step, NULL));
    TEST_TRY(call(r, verb, args_json, NULL));
    return call(r, "fail", "[\"enough\"]", NULL);
}

static void a_divergence_is_refused(void **state)
{
    static const test_script script = { .part = { NULL, play }, .effects = KP_G_BROKER_RESTART };
    static const struct {
        const char *step, *verb, *args, *journal, *playbook;
    } rows[] = {
        { "[\"one\"]", "stop_broker", "[2]", "journal   1  stop_broker",
          "playbook  one.1  stop_broker" },
        { NULL, "start_broker", "[2]", "journal   1  stop_broker", "playbook  1  start_broker" },
        { NULL, "stop_broker", "[3]", "stop_broker{\"nodes\":2}", "stop_broker{\"nodes\":3}" },
    };
    bench b = { 0 };
    (void)state;
    the_script = &script;
    make_runs(&b);
    bench_open(&b, "{\"brokers\":3,\"release\":\"3.7.2\",\"topics\":[]}", NULL);
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    assert_string_equal(e->what, "enough");
    kp_err_drop(e);
    char *run = bench_only_run(&b);
    size_t acts = kp_len(kp_sim_acts(b.a, b.sim));
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        first_step = rows[i].step;
        verb = rows[i].verb;
        args_json = rows[i].args;
        e = bench_resume(&b, run, NULL);
        assert_non_null(e);
        assert_int_equal(e->cls, KP_REFUSED);
        assert_non_null(strstr(e->what, "does not ask what it asked before (record "));
        if (!strstr(e->detail, rows[i].journal) || !strstr(e->detail, rows[i].playbook))
            print_error("%s", e->detail);
        assert_non_null(strstr(e->detail, rows[i].journal));
        assert_non_null(strstr(e->detail, rows[i].playbook));
        assert_string_equal(e->where, "test.lua:1");
        kp_err_drop(e);
        assert_int_equal(kp_len(kp_sim_acts(b.a, b.sim)), acts);
    }
    bench_close(&b);
    remove_runs(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_divergence_is_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
