/* lag: what is made of committed offsets and log ends, and what has changed of it. */
#include "engine/with_twist.h"

#include <string.h>

#define GROUP(id, topics)                                                                          \
    "\"" id "\":{\"state\":\"Stable\",\"type\":\"classic\",\"topics\":{" topics "}}"
#define BEFORE                                                                                     \
    "{" GROUP("billing", "\"orders\":[0,90,100,1,200,250],\"audit\":[0,7,7]") "," GROUP(           \
        "web", "\"clicks\":[0,1,5]") "}"

static twist bent = { KP_Q_LAG, 0, NULL, BEFORE };
static kp_arena *memory;    /* of the bench */
static const char *told[4]; /* what lag{} answered, as JSON */

/* Asks with these arguments; the answer is told[i]. */
static kp_err *ask(kp_run *r, int i, const char *args)
{
    const kp_value *v;
    TEST_TRY(call(r, "lag", args, &v));
    told[i] = kp_json_text(memory, v);
    return NULL;
}

static kp_err *run(bench *b, test_part part)
{
    static test_script script;
    script.part[KP_PART_RUN] = part;
    the_script = &script;
    make_runs(b);
    bench_open(b, "{\"groups\":[\"g\"]}", NULL);
    bent.json = BEFORE;
    memory = b->a;
    twist_into(b, &bent, 1);
    twist_on(true);
    return bench_run(b, NULL);
}

static kp_err *asks_for_all(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(ask(r, 0, "[{\"worst\":2}]"));
    return ask(r, 1, "[{\"worst\":0,\"groups\":[\"billing\",\"gone\"]}]");
}

static void lag_is_the_end_less_what_was_committed(void **state)
{
    bench b = { 0 };
    (void)state;
    well(run(&b, asks_for_all));
    assert_string_equal(
        told[0],
        "{\"groups\":[{\"group\":\"billing\",\"lag\":60,\"partitions\":3,\"state\":\"Stable\","
        "\"type\":\"classic\",\"unknown\":0},{\"group\":\"web\",\"lag\":4,\"partitions\":1,"
        "\"state\":\"Stable\",\"type\":\"classic\",\"unknown\":0}],\"worst\":["
        "{\"committed\":200,\"end_offset\":250,\"group\":\"billing\",\"lag\":50,\"partition\":1,"
        "\"topic\":\"orders\"},{\"committed\":90,\"end_offset\":100,\"group\":\"billing\",\"lag\":"
        "10,\"partition\":0,\"topic\":\"orders\"}]}");
    assert_non_null(strstr(told[1], "{\"group\":\"gone\",\"lag\":0,\"partitions\":0,\"problem\":"
                                    "\"there is no such group\",\"unknown\":0}],\"worst\":[]}"));
    bench_over(&b);
}

static kp_err *asks_of_what_is_not_known(kp_run *r, const kp_value *args)
{
    (void)args;
    bent.json = "{" GROUP("g", "\"t\":[0,-1,9,1,3,-1,2,12,9]") "}";
    return ask(r, 0, "[]");
}

/* Neither a commit nor an end is guessed; an end that lies behind the commit is no lag. */
static void what_is_not_known_is_counted(void **state)
{
    bench b = { 0 };
    (void)state;
    well(run(&b, asks_of_what_is_not_known));
    assert_non_null(strstr(told[0], "\"lag\":0,\"partitions\":3,\"state\":\"Stable\",\"type\":"
                                    "\"classic\",\"unknown\":2}"));
    bench_over(&b);
}

static kp_err *compares(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(ask(r, 0, "[{\"save\":\"before\"}]"));
    /* Partition 1 of orders is 40 more behind, 0 as far as it was, and stands elsewhere. */
    bent.json = "{" GROUP("billing", "\"audit\":[0,7,8],\"orders\":[1,210,300,0,95,105]") "," GROUP(
        "new", "") "}";
    TEST_TRY(ask(r, 1, "[{\"against\":\"before\"}]"));
    TEST_TRY(ask(r, 2, "[{\"against\":\"before\",\"tolerance\":1}]"));
    return ask(r, 3, "[{\"against\":\"before\",\"groups\":[\"web\"]}]");
}

static void only_what_has_changed_is_told_against_a_baseline(void **state)
{
    static const char orders[] = "{\"committed\":210,\"end_offset\":300,\"group\":\"billing\","
                                 "\"lag\":40,\"partition\":1,\"topic\":\"orders\",\"was\":50}",
                      group[] =
                          "{\"appeared\":[\"new\"],\"groups\":[{\"group\":\"billing\",\"lag\":"
                          "%d,\"partitions\":%d,\"state\":\"Stable\",\"type\":\"classic\","
                          "\"unknown\":0}],\"lost\":[],\"vanished\":[\"web\"],\"worst\":[%s%s]}";
    bench b = { 0 };
    (void)state;
    well(run(&b, compares));
    assert_string_equal(told[1],
                        kp_printf(b.a, group, 41, 2, orders,
                                  ",{\"committed\":7,\"end_offset\":8,\"group\":\"billing\","
                                  "\"lag\":1,\"partition\":0,\"topic\":\"audit\",\"was\":0}"));
    assert_string_equal(told[2], kp_printf(b.a, group, 40, 1, orders, ""));
    assert_non_null(strstr(told[3], "\"vanished\":[\"web\"]"));
    bench_over(&b);
}

/* Two groups: of the one a commit is gone, of the other an end, and a whole topic; what was not known
 * then is no loss, and what a group does not tell now is one. */
static kp_err *loses(kp_run *r, const kp_value *args)
{
    (void)args;
    bent.json = "{" GROUP("a", "\"t\":[0,1,2,1,-1,5]") "," GROUP(
        "b", "\"t\":[0,1,2,1,1,2],\"u\":[0,3,4]") "}";
    TEST_TRY(ask(r, 0, "[{\"save\":\"before\"}]"));
    bent.json = "{\"a\":{\"state\":\"Stable\",\"type\":\"classic\",\"problem\":\"no\",\"topics\":{}"
                "}," GROUP("b", "\"t\":[0,-1,2,1,1,-1]") "}";
    TEST_TRY(ask(r, 1, "[{\"against\":\"before\"}]"));
    return ask(r, 2, "[{\"against\":\"before\",\"worst\":1}]");
}

static void what_was_known_and_is_not_any_more_is_lost(void **state)
{
    bench b = { 0 };
    (void)state;
    well(run(&b, loses));
    assert_string_equal(
        told[1],
        "{\"appeared\":[],\"groups\":[{\"group\":\"a\",\"lag\":0,\"partitions\":0,\"problem\":"
        "\"no\","
        "\"state\":\"Stable\",\"type\":\"classic\",\"unknown\":1},{\"group\":\"b\",\"lag\":0,"
        "\"partitions\":0,\"state\":\"Stable\",\"type\":\"classic\",\"unknown\":3}],\"lost\":["
        "{\"group\":\"a\",\"partition\":0,\"topic\":\"t\"},"
        "{\"group\":\"b\",\"partition\":0,\"topic\":\"t\"},"
        "{\"group\":\"b\",\"partition\":1,\"topic\":\"t\"},"
        "{\"group\":\"b\",\"partition\":0,\"topic\":\"u\"}],\"vanished\":[],\"worst\":[]}");
    assert_non_null(
        strstr(told[2], "\"lost\":[{\"group\":\"a\",\"partition\":0,\"topic\":\"t\"}],"));
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lag_is_the_end_less_what_was_committed),
        cmocka_unit_test(what_is_not_known_is_counted),
        cmocka_unit_test(only_what_has_changed_is_told_against_a_baseline),
        cmocka_unit_test(what_was_known_and_is_not_any_more_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
