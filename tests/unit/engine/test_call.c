/* One call of a verb: who may make it, what it is named by, and playbooks inside playbooks. */
#include "engine/with_script.h"

#include <stdio.h>
#include <string.h>

#include "engine/run.h"

#define SMALL "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[]}"
#define EFFECTS (KP_G_BROKER_RESTART | KP_G_CONFIG_FILE)

/* Runs `fn` as that part of a playbook with some effects; the run's error. */
static kp_err *played(kp_part part, test_part fn)
{
    static test_script script;
    bench b = { 0 };
    script = (test_script) { .effects = EFFECTS };
    script.part[part] = fn;
    the_script = &script;
    bench_open(&b, SMALL, NULL);
    kp_err *e = bench_run(&b, NULL);
    bench_close(&b);
    return e;
}
/* ---- who may make it ---- */

static kp_err *elects(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "elect_preferred", "[]", NULL);
}
static void an_effect_that_is_not_declared_is_refused(void **state)
{
    (void)state;
    fails(played(KP_PART_RUN, elects), KP_PLAYBOOK,
          "elect_preferred needs the effect \"leader.elect\", which the playbook does not declare");
}

static kp_err *stops(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "stop_broker", "[2]", NULL);
}
static kp_err *sleeps(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "sleep", "[\"1s\"]", NULL);
}
static kp_err *asks_and_tells(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "broker", "[2]", NULL));
    return call(r, "log", "[\"seen\"]", NULL);
}
static void check_and_verify_only_ask(void **state)
{
    (void)state;
    fails(played(KP_PART_CHECK, stops), KP_PLAYBOOK, "stop_broker in check, which may only ask");
    fails(played(KP_PART_CHECK, sleeps), KP_PLAYBOOK, "sleep in check, which may only ask");
    fails(played(KP_PART_VERIFY, stops), KP_PLAYBOOK, "stop_broker in verify, which may only ask");
    well(played(KP_PART_CHECK, asks_and_tells));
    well(played(KP_PART_VERIFY, asks_and_tells));
    well(played(KP_PART_RUN, asks_and_tells));
}

static kp_err *calls_play(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "play", "[\"preflight.lua\"]", NULL);
}
static void verbs_of_the_script_host_are_not_the_engines(void **state)
{
    (void)state;
    fails(played(KP_PART_RUN, calls_play), KP_INTERNAL, "play is the script host's");
}

/* ---- what is over is over ---- */

static kp_err *catches_the_end(kp_run *r, const kp_value *args)
{
    (void)args;
    kp_err_drop(kp_run_end(r, kp_err_new(KP_SAFETY, "n", "it is over")));
    fails(call(r, "stop_broker", "[2]", NULL), KP_SAFETY, "it is over");
    return NULL;
}
static void nothing_is_called_once_the_run_is_over(void **state)
{
    (void)state;
    fails(played(KP_PART_RUN, catches_the_end), KP_SAFETY, "it is over");
}

static kp_err *never_ends(kp_run *r, const kp_value *args)
{
    (void)args;
    r->n_called = 2000000 - 1;
    well(call(r, "broker", "[2]", NULL));
    return call(r, "broker", "[2]", NULL);
}
static void a_loop_without_an_end_is_ended(void **state)
{
    (void)state;
    fails(played(KP_PART_RUN, never_ends), KP_PLAYBOOK,
          "the playbook has called verbs 2000000 times");
}

/* ---- playbooks inside playbooks ---- */

static const kp_script_arg inner_args[] = {
    { .name = "to", .type = "version", .doc = "the release", .required = true },
};
static const kp_header inner = { .name = "inner.lua",
                                 .effects = KP_G_BROKER_RESTART,
                                 .n_args = 1,
                                 .args = inner_args },
                       greedy = { .name = "greedy.lua", .effects = KP_G_LEADER_ELECT },
                       modest = { .name = "modest.lua" };

/* {to = "3.9.1"}, and with a text that is no release. */
static const char *const to_key[] = { "to" };
static const kp_value right_text = { .type = KP_BYTES, .n = 5, .u.s = "3.9.1" },
                      wrong_text = { .type = KP_BYTES, .n = 3, .u.s = "new" };
static const kp_value *const right_items[] = { &right_text }, *const wrong_items[] = {
    &wrong_text
};
static const kp_value right = { .type = KP_MAP, .n = 1, .u.items = right_items, .keys = to_key },
                      wrong = { .type = KP_MAP, .n = 1, .u.items = wrong_items, .keys = to_key };

static kp_err *nests(kp_run *r, const kp_value *args)
{
    const kp_value *got = NULL;
    (void)args;
    TEST_TRY(call(r, "step", "[\"one\"]", NULL));
    TEST_TRY(call(r, "broker", "[2]", NULL));
    assert_string_equal(r->last_path, "one.1");
    TEST_TRY(kp_run_enter(r, &inner, &right, &got));
    assert_string_equal(kp_get_text(got, "to", ""), "3.9.1");
    TEST_TRY(call(r, "broker", "[2]", NULL));
    assert_string_equal(r->last_path, "one.2:1");
    TEST_TRY(call(r, "step", "[\"in\"]", NULL));
    TEST_TRY(call(r, "broker", "[2]", NULL));
    assert_string_equal(r->last_path, "one.2:in.1");
    TEST_TRY(kp_run_enter(r, &modest, NULL, &got));
    TEST_TRY(call(r, "broker", "[2]", NULL));
    assert_string_equal(r->last_path, "one.2:in.2:1");
    /* It has the powers it declares, not its caller's. */
    fails(call(r, "stop_broker", "[2]", NULL), KP_PLAYBOOK, "needs the effect \"broker.restart\"");
    kp_run_leave(r);
    TEST_TRY(call(r, "broker", "[2]", NULL));
    assert_string_equal(r->last_path, "one.2:in.3");
    kp_run_leave(r);
    TEST_TRY(call(r, "broker", "[2]", NULL));
    assert_string_equal(r->last_path, "one.3");
    kp_run_leave(r); /* the outermost one stays */
    TEST_TRY(call(r, "broker", "[2]", NULL));
    assert_string_equal(r->last_path, "one.4");
    return NULL;
}
static void a_played_playbook_is_one_call_of_its_caller(void **state)
{
    (void)state;
    well(played(KP_PART_RUN, nests));
}

static kp_err *never(void *ud, bool *ret_true, const char **ret_say)
{
    (void)ud;
    (void)ret_say;
    *ret_true = false;
    return NULL;
}
static kp_err *plays_parts(kp_run *r, const kp_value *args)
{
    static const kp_part asking[] = { KP_PART_CHECK, KP_PART_VERIFY };
    static const char *const said[] = { "stop_broker in check, which may only ask",
                                        "stop_broker in verify, which may only ask" };
    const kp_value *got = NULL;
    (void)args;
    TEST_TRY(kp_run_enter(r, &inner, &right, &got));
    assert_int_equal(kp_run_part_now(r), KP_PART_RUN);
    for (size_t i = 0; i < KP_COUNT(asking); i++) {
        kp_run_part_begins(r, asking[i]);
        fails(call(r, "stop_broker", "[2]", NULL), KP_PLAYBOOK, said[i]);
        TEST_TRY(call(r, "broker", "[2]", NULL));
        /* And what it plays itself. */
        TEST_TRY(kp_run_enter(r, &modest, NULL, &got));
        kp_run_part_begins(r, KP_PART_RUN);
        fails(call(r, "stop_broker", "[2]", NULL), KP_PLAYBOOK, said[i]);
        kp_run_leave(r);
    }
    kp_run_part_begins(r, KP_PART_CHECK);
    fails(kp_run_wait_until(r, NULL, never, NULL, "test.lua:1", &got), KP_PLAYBOOK,
          "wait_until inside check, which never waits");
    kp_run_leave(r);
    return call(r, "stop_broker", "[2]", NULL);
}
static void the_parts_of_a_played_playbook_hold_to_their_rules(void **state)
{
    (void)state;
    well(played(KP_PART_RUN, plays_parts));
}

static kp_err *enters_wrongly(kp_run *r, const kp_value *args)
{
    const kp_value *got;
    (void)args;
    fails(kp_run_enter(r, &greedy, NULL, &got), KP_PLAYBOOK,
          "play(\"greedy.lua\") may do \"leader.elect\", which its caller does not declare");
    fails(kp_run_enter(r, &inner, NULL, &got), KP_USAGE, "inner.lua needs --to");
    fails(kp_run_enter(r, &inner, &wrong, &got), KP_USAGE, "to takes a release");
    /* None of them counts. */
    TEST_TRY(call(r, "broker", "[2]", NULL));
    assert_string_equal(r->last_path, "1");
    return NULL;
}
static void a_playbook_that_may_not_be_played_leaves_no_trace(void **state)
{
    (void)state;
    well(played(KP_PART_RUN, enters_wrongly));
}

static kp_err *enters_for_ever(kp_run *r, const kp_value *args)
{
    const kp_value *got;
    (void)args;
    for (int depth = 1; depth < KP_SCOPES; depth++)
        well(kp_run_enter(r, &modest, NULL, &got));
    return kp_run_enter(r, &modest, NULL, &got);
}
static void playbooks_that_play_themselves_end(void **state)
{
    (void)state;
    fails(played(KP_PART_RUN, enters_for_ever), KP_PLAYBOOK,
          "play: more than 8 playbooks inside each other");
}

/* ---- names ---- */

/* "broker#2" is what the second step "broker" is called; one path is one action. */
static kp_err *takes_anothers_name(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "step", "[\"broker#2\"]", NULL);
}
static kp_err *takes_the_engines_name(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "step", "[\"@limits\"]", NULL);
}
/* Its calls would be left out of the replay, and done twice. */
static void a_step_can_not_take_a_name_of_the_engines_records(void **state)
{
    (void)state;
    fails(played(KP_PART_RUN, takes_the_engines_name), KP_PLAYBOOK, "\"@limits\" is no name");
}

static void a_step_can_not_take_the_name_of_a_repeated_one(void **state)
{
    (void)state;
    fails(played(KP_PART_RUN, takes_anothers_name), KP_PLAYBOOK, "\"broker#2\" is no name");
}

static void every_effect_is_read_as_it_is_written(void **state)
{
    kp_grant one;
    size_t n = 0;
    (void)state;
    for (const char *const *name = kp_grant_names(); *name; name++, n++) {
        assert_true(kp_grant_parse(*name, &one));
        assert_string_equal(kp_grant_name(one), *name);
    }
    assert_int_equal(n, 8);
    assert_true(kp_grant_parse("leader.elect", &one));
    assert_int_equal(one, KP_G_LEADER_ELECT);
    assert_false(kp_grant_parse("broker", &one));
    assert_null(kp_grant_name(KP_G_NONE));
    assert_null(kp_grant_name((kp_grant)(KP_G_BROKER_RESTART | KP_G_LEADER_ELECT)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_effect_that_is_not_declared_is_refused),
        cmocka_unit_test(check_and_verify_only_ask),
        cmocka_unit_test(verbs_of_the_script_host_are_not_the_engines),
        cmocka_unit_test(nothing_is_called_once_the_run_is_over),
        cmocka_unit_test(a_loop_without_an_end_is_ended),
        cmocka_unit_test(a_played_playbook_is_one_call_of_its_caller),
        cmocka_unit_test(the_parts_of_a_played_playbook_hold_to_their_rules),
        cmocka_unit_test(a_playbook_that_may_not_be_played_leaves_no_trace),
        cmocka_unit_test(playbooks_that_play_themselves_end),
        cmocka_unit_test(a_step_can_not_take_a_name_of_the_engines_records),
        cmocka_unit_test(a_step_can_not_take_the_name_of_a_repeated_one),
        cmocka_unit_test(every_effect_is_read_as_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
