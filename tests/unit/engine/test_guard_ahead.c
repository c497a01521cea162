/* The rows of the guard ahead of a run: each finds what it is there for, for every node before the
 * first is touched, and not what is like it. */
#include "engine/with_ahead_rows.h"

#include <string.h>

#include "engine/run.h"

#define KRAFT "\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\""
#define TOPIC(rf, min, more)                                                                       \
    ",\"topics\":[{\"name\":\"t\",\"partitions\":6,\"rf\":" rf ",\"min_isr\":" min more "}]"

/* ---- what is found ---- */

static const ahead_row *looked_for;

static kp_err *ask_ahead(kp_run *r, const kp_value *args)
{
    const kp_value *found;
    (void)args;
    twist_on(true);
    TEST_TRY(call(r, "findings", looked_for->args, &found));
    for (size_t i = 0; i < kp_len(found); i++) {
        const kp_value *one = kp_at(found, i);
        if (kp_streq(kp_get_text(one, "row", ""), looked_for->row) &&
            strstr(kp_get_text(one, "text", ""), looked_for->says) && kp_get(one, "next") &&
            kp_streq(kp_get_text(one, "who", "nobody"),
                     looked_for->who ? looked_for->who : "nobody"))
            return NULL;
    }
    print_error("%s: %s\n%s\n", looked_for->row, looked_for->says, kp_json_text(r->a, found));
    return kp_err_new(KP_FAILED, "look at it", "not found ahead");
}

static void each_row_finds_what_it_is_there_for(void **state)
{
    static const test_script script = { .part = { NULL, ask_ahead } };
    (void)state;
    for (size_t i = 0; i < n_ahead_rows; i++) {
        const ahead_row *row = &ahead_rows[i];
        bench b = { 0 };
        looked_for = row;
        the_script = &script;
        bench_open(&b, row->spec, NULL);
        twist_into(&b, &row->t, row->t.json || row->t.kind ? 1 : 0);
        assert_null(bench_run(&b, NULL));
        assert_int_equal(kp_len(kp_sim_acts(b.a, b.sim)), 0);
        bench_close(&b);
    }
}

/* ---- what is like it ---- */

#define THROTTLED "{\"leader.replication.throttled.rate\":{\"value\":\"1000\",\"source\":2}}"

static const struct none_row {
    const char *row; /* which finds nothing */
    twist t[2];
} none[] = {
    /* one that is in use */
    { "throttle",
      { { KP_Q_CONFIG, 2, "2", THROTTLED },
        { KP_Q_REASSIGNMENTS, 0, NULL, "[{\"topic\":\"t\",\"partition\":0}]" } } },
    /* a broker that answers nothing is another row's */
    { "throttle", { { KP_Q_CONFIG, 2, NULL, NULL }, { KP_Q_NODE, 2, NULL, NULL } } },
    { "log-dir-error", { { KP_Q_LOG_DIRS, 2, NULL, NULL }, { KP_Q_NODE, 2, NULL, NULL } } },
    /* what the release has of itself, or the file; set by nobody */
    { "throttle",
      { { KP_Q_CONFIG, 2, "2",
          "{\"leader.replication.throttled.rate\":{\"value\":\"9223372036854775807\","
          "\"source\":5}}" },
        { KP_Q_CONFIG, KP_ANY_NODE, "t",
          "{\"leader.replication.throttled.replicas\":{\"value\":\"\",\"source\":5}}" } } },
    { "topic-overrides",
      { { KP_Q_CONFIG, KP_ANY_NODE, "t",
          "{\"message.format.version\":{\"value\":\"3.0-IV1\",\"source\":5}}" } } },
    { "tiered-storage",
      { { KP_Q_CONFIG, KP_ANY_NODE, "t",
          "{\"remote.storage.enable\":{\"value\":\"false\",\"source\":1}}" },
        { KP_Q_CONFIG, 2, "2",
          "{\"remote.log.storage.system.enable\":{\"value\":\"false\",\"source\":5}}" } } },
};

static const struct none_row *looked_at;

static kp_err *ask_for_none(kp_run *r, const kp_value *args)
{
    const kp_value *found;
    (void)args;
    twist_on(true);
    TEST_TRY(call(r, "findings",
                  kp_printf(r->a, "[{\"to\":\"4.0.1\",\"rows\":[\"%s\"]}]", looked_at->row),
                  &found));
    if (kp_len(found))
        print_error("%s\n", kp_json_text(r->a, found));
    assert_int_equal(kp_len(found), 0);
    return NULL;
}

static void what_is_none_is_not_found(void **state)
{
    static const test_script script = { .part = { NULL, ask_for_none } };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(none); i++) {
        bench b = { 0 };
        looked_at = &none[i];
        the_script = &script;
        bench_open(&b, "{" KRAFT TOPIC("3", "2", "") "}", NULL);
        twist_into(&b, none[i].t, none[i].t[1].json || none[i].t[1].kind ? 2 : 1);
        assert_null(bench_run(&b, NULL));
        bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_finds_what_it_is_there_for),
        cmocka_unit_test(what_is_none_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
