/* What the step loop makes of each verdict of a probe, by a verb of the test's own. */
#include "engine/with_script.h"

#include <stdio.h>
#include <string.h>

#define SMALL "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[]}"

static void check(kp_err *e)
{
    if (e)
        print_error("%s\n", e->what);
    assert_null(e);
}

/* ---- a verb whose probe says what a test wants ---- */

typedef struct odd_args {
    kp_nodes nodes;
} odd_args;
static const kp_arg odd_arg[] = { KP_ARG(odd_args, nodes, "nodes", NULL, "d") };
static kp_verdict odd_says[4]; /* by node, once it was asked for */
static int odd_asked[4];
static kp_sim *odd_sim;
static bool odd_already;           /* so before anything was asked for */
static const kp_value *odd_answer; /* of the verb */
static kp_arena *odd_arena;
static bool odd_leaves; /* a person does, right after it was asked for */

static kp_err *odd_ask(kp_step *s, const void *args)
{
    (void)args;
    odd_asked[s->node.id]++;
    if (odd_leaves) {
        kp_sim_interrupt(odd_sim);
        kp_sim_interrupt(odd_sim);
    }
    return NULL;
}
static kp_verdict odd_probe(kp_step *s, const void *args)
{
    (void)args;
    s->why = kp_printf(s->a, "node %d is odd", s->node.id);
    s->result = kp_int(s->a, s->node.id);
    return s->intended || odd_already ? odd_says[s->node.id] : KP_NOT_YET;
}
static kp_op odd = { .name = "be_odd",
                     .since = 1,
                     .rev = 1,
                     .cls = KP_OP_WANT,
                     .grant = KP_G_LEADER_ELECT,
                     .doc = "d",
                     .result = "r",
                     .example = "e",
                     .landing = 2 * KP_SECOND,
                     .stall = 5 * KP_SECOND,
                     .fan_out = "nodes",
                     .args = odd_arg,
                     .n_args = 1,
                     .args_size = sizeof(odd_args),
                     .ask = odd_ask,
                     .probe = odd_probe };
static size_t n_odd;

static kp_err *be_odd(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    KP_AUTO_ARENA a = kp_arena_new("given", 1 << 16);
    static const int three[] = { 1, 2, 3 };
    const kp_value *ids = n_odd > 1 ? kp_ints(a, three, n_odd) : kp_int(a, 1);
    kp_builder given = kp_list_begin(a);
    (void)args;
    kp_list_add(&given, ids);
    TEST_TRY(kp_run_call(r, &odd, kp_list_end(&given), "test.lua:1", &v));
    odd_answer = kp_value_copy(odd_arena, v);
    return NULL;
}

/* A run of it over the first n nodes; the error. */
static kp_err *odd_run(bench *b, size_t n, kp_verdict one, kp_verdict two, kp_verdict last)
{
    static const test_script script = { .part = { NULL, be_odd }, .effects = KP_G_LEADER_ELECT };
    the_script = &script;
    n_odd = n;
    odd_says[1] = one;
    odd_says[2] = two;
    odd_says[3] = last;
    memset(odd_asked, 0, sizeof odd_asked);
    make_runs(b);
    bench_open(b, SMALL, NULL);
    odd_sim = b->sim;
    odd_arena = b->a;
    return bench_run(b, NULL);
}
static void odd_end(bench *b)
{
    odd.rev = 1;
    odd_leaves = odd_already = false;
    bench_close(b);
    remove_runs(b);
}

static void what_fails_on_several_nodes_is_told_node_by_node(void **state)
{
    bench b = { 0 };
    (void)state;
    kp_err *e = odd_run(&b, 3, KP_DID_FAIL, KP_SO, KP_NOT_YET);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_FAILED);
    assert_string_equal(e->what, "be_odd failed on 2 of 3 nodes");
    assert_string_equal(e->detail,
                        "  broker 1  be_odd: node 1 is odd\n"
                        "  broker 3  be_odd: it was asked for and had no effect within 2 s\n");
    for (int node = 1; node <= 3; node++)
        assert_int_equal(odd_asked[node], 1);
    kp_err_drop(e);
    odd_end(&b);
}

static void what_fails_on_one_node_is_said_of_it(void **state)
{
    bench b = { 0 };
    (void)state;
    kp_err *e = odd_run(&b, 1, KP_UNDER_WAY, KP_SO, KP_SO);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_FAILED);
    assert_non_null(strstr(e->what, "be_odd: no progress for 5 s"));
    assert_string_equal(e->where, "broker 1");
    kp_err_drop(e);
    odd_end(&b);
}

static void what_the_probe_can_not_tell_is_put_to_a_person(void **state)
{
    bench b = { 0 };
    (void)state;
    kp_err *e = odd_run(&b, 1, KP_UNKNOWN, KP_SO, KP_SO);
    char *run = bench_only_run(&b);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_REFUSED);
    assert_string_equal(e->what, "1: be_odd: it is not known whether it was done: node 1 is odd");
    /* The command that settles it is there to be copied. */
    const char *settle = strstr(e->next, "kplay settle ");
    assert_non_null(settle);
    char op_id[128];
    assert_int_equal(sscanf(settle, "kplay settle %*s %127s --done|--not-done", op_id), 1);
    kp_err_drop(e);
    check(kp_run_settle(b.a, b.runs, run, op_id, true, "looked", "me@here"));
    check(bench_resume(&b, run, NULL));
    assert_int_equal(odd_asked[1], 1);
    odd_end(&b);
}

static void what_another_revision_began_is_not_gone_on_with(void **state)
{
    bench b = { 0 };
    (void)state;
    odd_leaves = true; /* right after it was asked for */
    kp_err *e = odd_run(&b, 1, KP_UNDER_WAY, KP_SO, KP_SO);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_DETACHED);
    kp_err_drop(e);
    odd_leaves = false;
    odd_says[1] = KP_SO;
    odd.rev = 2;
    e = bench_resume(&b, bench_only_run(&b), NULL);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_REFUSED);
    assert_non_null(strstr(e->what, "is in doubt and this kplay has another revision of it"));
    kp_err_drop(e);
    odd.rev = 1;
    check(bench_resume(&b, bench_only_run(&b), NULL));
    assert_int_equal(odd_asked[1], 1);
    odd_end(&b);
}

static void of_a_list_each_node_answers_for_itself(void **state)
{
    bench b = { 0 };
    (void)state;
    check(odd_run(&b, 3, KP_SO, KP_SO, KP_SO));
    assert_string_equal(kp_json_text(b.a, odd_answer), "{\"1\":1,\"2\":2,\"3\":3}");
    odd_end(&b);
    check(odd_run(&b, 1, KP_SO, KP_SO, KP_SO));
    assert_string_equal(kp_json_text(b.a, odd_answer), "1");
    odd_end(&b);
}

static void what_is_so_already_is_not_asked_for(void **state)
{
    bench b = { 0 };
    (void)state;
    odd_already = true;
    check(odd_run(&b, 3, KP_SO, KP_SO, KP_SO));
    for (int node = 1; node <= 3; node++)
        assert_int_equal(odd_asked[node], 0);
    odd_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fails_on_several_nodes_is_told_node_by_node),
        cmocka_unit_test(what_fails_on_one_node_is_said_of_it),
        cmocka_unit_test(what_the_probe_can_not_tell_is_put_to_a_person),
        cmocka_unit_test(what_another_revision_began_is_not_gone_on_with),
        cmocka_unit_test(what_is_so_already_is_not_asked_for),
        cmocka_unit_test(of_a_list_each_node_answers_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
