/* Questions to people: what a word is for and how long, what is asked again, what a person who
 * leaves has said; and that what was changed is never called unchanged. */
#include "engine/with_script.h"

#include <stdio.h>
#include <string.h>

#define SMALL "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[]}"
#define ZK_352                                                                                     \
    "{\"mode\":\"zookeeper\",\"brokers\":3,\"release\":\"3.5.2\",\"ibp\":\"3.4\",\"topics\":[],"   \
    "\"allow\":[\"K7\"]}"

/* ---- who is asked, and what they say ---- */

static kp_answer says[4]; /* by kp_asked */
static int asked[4];
static kp_question last_asked;
static kp_arena *kept;

static kp_answer ask(void *ud, const kp_question *q, const char **ret_by)
{
    (void)ud;
    *ret_by = "tester";
    asked[q->kind]++;
    last_asked = *q;
    last_asked.text = kp_strdup(kept, q->text);
    last_asked.details = kp_strdup(kept, q->details);
    last_asked.phrase = kp_strdup(kept, q->phrase);
    return says[q->kind];
}

static void open_people(bench *b, const test_script *script, const char *spec)
{
    the_script = script;
    make_runs(b);
    bench_open(b, spec, NULL);
    b->spec.sink.ask = ask;
    kept = b->a;
    memset(asked, 0, sizeof asked);
    for (int i = 0; i < 4; i++)
        says[i] = KP_ANSWER_NOBODY;
    says[KP_ASK_START] = KP_ANSWER_YES;
}

static void pass(bench *b, kp_ms d)
{
    kp_ms until = kp_mono(b->spec.world) + d;
    while (kp_mono(b->spec.world) < until) {
        kp_reply *stray = kp_wait(b->spec.world, until);
        if (stray)
            kp_err_drop(stray->err);
    }
}

static int64_t count_of(bench *b, const char *what)
{
    return kp_get_int(kp_sim_host_counts(b->a, b->sim, 2), what, -1);
}

/* The newest record of that kind. */
static const kp_value *newest(bench *b, kp_kind kind)
{
    kp_journal *j;
    const kp_value *body = NULL;
    well(kp_journal_open(b->a, &kp_disk_real, b->runs, bench_only_run(b), &j));
    for (int64_t i = kp_journal_n(j); i > 0 && !body; i--)
        if (kp_journal_at(j, i)->kind == kind)
            body = kp_value_copy(b->a, kp_journal_at(j, i)->body);
    kp_journal_free(j);
    return body;
}

/* ---- scripts ---- */

static kp_err *stop_ask_start(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "confirm", "[\"Start it?\"]", NULL));
    return call(r, "start_broker", "[2]", NULL);
}
static kp_err *ask_twice(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "confirm", "[\"One?\"]", NULL));
    return call(r, "confirm", "[\"Two?\"]", NULL);
}
static kp_err *raise_all(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "set_ibp", "[[1,2,3],\"3.5\"]", NULL);
}
static const char *decided;
static kp_err *what_to_do(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "on_failure",
                  "[{\"text\":\"broker 2: gone\",\"detail\":\"  log  ERROR why\\n\"}]", &v));
    decided = kp_streq(kp_as_text(v, ""), "back_out") ? "back_out" : "stop";
    return call(r, "start_broker", "[2]", NULL);
}
static const test_script confirming = { .part = { NULL, stop_ask_start },
                                        .effects = KP_G_BROKER_RESTART },
                         twice = { .part = { NULL, ask_twice }, .effects = KP_G_BROKER_RESTART },
                         raising = { .part = { NULL, raise_all }, .effects = KP_G_CONFIG_FILE },
                         deciding = { .part = { NULL, what_to_do },
                                      .effects = KP_G_BROKER_RESTART };

/* ---- a word ---- */

static kp_err *approve(bench *b, const char *shown, kp_ms now)
{
    return kp_run_approve(
        b->a, b->runs, bench_only_run(b),
        &(kp_word) { .who = "boss@desk", .reason = "seen", .shown = shown, .now = now });
}

static void a_word_is_for_what_was_shown(void **state)
{
    bench b = { 0 };
    kp_waiting one, two;
    (void)state;
    open_people(&b, &twice, SMALL);
    kp_ms now = kp_now(b.spec.world);
    fails(bench_run(&b, NULL), KP_PAUSED, "nobody is here to answer: One?");
    well(kp_run_waiting(b.a, b.runs, bench_only_run(&b), &one));
    assert_string_equal(one.question.text, "One?");
    assert_string_equal(one.playbook, "test.lua");
    well(approve(&b, one.question.shown, now));
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_PAUSED, "Two?");
    /* Shown before the run went on to the next question: not a yes to that one. */
    fails(approve(&b, one.question.shown, now), KP_REFUSED, "another question than the one");
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_PAUSED, "nobody is here to answer: Two?");
    well(kp_run_waiting(b.a, b.runs, bench_only_run(&b), &two));
    well(approve(&b, two.question.shown, now));
    assert_string_equal(kp_get_text(kp_get(newest(&b, KP_K_ASK), "r"), "reason", ""), "seen");
    well(bench_resume(&b, bench_only_run(&b), NULL));
    bench_over(&b);
}

static void a_word_after_a_day_is_not_taken(void **state)
{
    bench b = { 0 };
    kp_waiting waits;
    (void)state;
    open_people(&b, &confirming, SMALL);
    fails(bench_run(&b, NULL), KP_PAUSED, "Start it?");
    well(kp_run_waiting(b.a, b.runs, bench_only_run(&b), &waits));
    fails(approve(&b, waits.question.shown, waits.asked + 24 * KP_HOUR + 1), KP_REFUSED,
          "a yes to it is taken for 1 d");
    well(approve(&b, waits.question.shown, waits.asked + 24 * KP_HOUR));
    bench_over(&b);
}

static void a_word_that_nothing_was_done_on_ages(void **state)
{
    static const struct {
        const test_script *script;
        const char *spec, *what;
    } rows[] = { { &confirming, SMALL, "Start it?" }, { &raising, ZK_352, "is irreversible" } };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        bench b = { 0 };
        open_people(&b, rows[i].script, rows[i].spec);
        fails(bench_run(&b, NULL), KP_PAUSED, rows[i].what);
        well(bench_approve(&b, bench_only_run(&b), "boss@desk"));
        pass(&b, 25 * KP_HOUR);
        fails(bench_resume(&b, bench_only_run(&b), NULL), KP_PAUSED, rows[i].what);
        well(bench_approve(&b, bench_only_run(&b), "boss@desk"));
        well(bench_resume(&b, bench_only_run(&b), NULL));
        bench_over(&b);
    }
}

static void a_word_that_was_acted_upon_does_not_age(void **state)
{
    bench b = { 0 };
    (void)state;
    open_people(&b, &confirming, SMALL);
    fails(bench_run(&b, NULL), KP_PAUSED, "Start it?");
    well(bench_approve(&b, bench_only_run(&b), "boss@desk"));
    const kp_value *fault;
    static const char breaks[] = "{\"fault\":\"config_breaks_start\",\"node\":2}";
    well(kp_json_read(b.a, breaks, strlen(breaks), &fault));
    well(kp_sim_fault(b.sim, fault));
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_FAILED, "start_broker");
    pass(&b, 100 * KP_HOUR);
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_FAILED, "start_broker");
    assert_int_equal(asked[KP_ASK_CONFIRM], 1);
    bench_over(&b);
}

static void a_word_of_an_older_kplay_holds(void **state)
{
    bench b = { 0 };
    kp_journal *j;
    (void)state;
    open_people(&b, &raising, ZK_352);
    fails(bench_run(&b, NULL), KP_PAUSED, "is irreversible. Do it?");
    char *run = bench_only_run(&b);
    const kp_value *pause = newest(&b, KP_K_PAUSE);
    well(kp_journal_open(b.a, &kp_disk_real, b.runs, run, &j));
    const kp_value *yes = kp_map(b.a, "yes", kp_bool(true), "by", kp_text(b.a, "old"), NULL);
    well(kp_journal_append(j, KP_K_ASK, kp_now(b.spec.world),
                           kp_map(b.a, "i", kp_get(pause, "i"), "fn", kp_text(b.a, "confirm"), "a",
                                  kp_get(pause, "question"), "r", yes, NULL)));
    kp_journal_free(j);
    pass(&b, 100 * KP_HOUR);
    well(bench_resume(&b, run, NULL));
    assert_int_equal(asked[KP_ASK_IRREVERSIBLE], 1);
    bench_over(&b);
}

/* ---- what is shown ---- */

static void what_can_not_be_taken_back_is_said_by_name(void **state)
{
    bench b = { 0 };
    (void)state;
    open_people(&b, &raising, ZK_352);
    says[KP_ASK_IRREVERSIBLE] = KP_ANSWER_YES;
    well(bench_run(&b, NULL));
    assert_int_equal(asked[KP_ASK_IRREVERSIBLE], 1); /* once for the call, not for each node */
    assert_string_equal(last_asked.phrase, b.spec.inventory->cluster);
    assert_string_equal(kp_get_text(newest(&b, KP_K_ASK), "kind", ""), "irreversible");
    assert_string_equal(kp_get_text(kp_get(newest(&b, KP_K_ASK), "r"), "by", ""), "tester");
    bench_over(&b);
}

static void a_failure_is_asked_about_with_its_reason(void **state)
{
    bench b = { 0 };
    (void)state;
    open_people(&b, &deciding, SMALL);
    says[KP_ASK_FAILURE] = KP_ANSWER_NO;
    well(bench_run(&b, NULL));
    assert_string_equal(decided, "stop");
    assert_string_equal(last_asked.details, "  log  ERROR why\n");
    assert_non_null(strstr(last_asked.text, "broker 2: gone"));
    assert_string_equal(last_asked.phrase, "");
    const kp_value *no = newest(&b, KP_K_ASK);
    assert_string_equal(kp_get_text(no, "kind", ""), "failure");
    assert_false(kp_get_bool(kp_get(no, "r"), "yes", true));
    bench_over(&b);
}

/* ---- leaving ---- */

static void who_leaves_at_the_start_starts_nothing(void **state)
{
    bench b = { 0 };
    const kp_value *report;
    (void)state;
    open_people(&b, &confirming, SMALL);
    says[KP_ASK_START] = KP_ANSWER_LEFT;
    fails(bench_run(&b, &report), KP_REFUSED, "not started: interrupted at the question");
    assert_true(kp_get_bool(report, "closed", false));
    assert_int_equal(count_of(&b, "stops"), 0);
    bench_over(&b);
}

static void who_leaves_a_question_pauses_and_may_answer_later(void **state)
{
    bench b = { 0 };
    const kp_value *report;
    (void)state;
    open_people(&b, &confirming, SMALL);
    says[KP_ASK_CONFIRM] = KP_ANSWER_LEFT;
    fails(bench_run(&b, &report), KP_PAUSED, "interrupted at the question: Start it?");
    assert_false(kp_get_bool(report, "closed", true));
    assert_int_equal(kp_len(kp_get(report, "down")), 1);
    well(bench_approve(&b, bench_only_run(&b), "boss@desk"));
    well(bench_resume(&b, bench_only_run(&b), NULL));
    assert_int_equal(asked[KP_ASK_CONFIRM], 1);
    bench_over(&b);
}

static void who_leaves_a_failed_node_may_say_later_what_becomes_of_it(void **state)
{
    bench b = { 0 };
    (void)state;
    open_people(&b, &deciding, SMALL);
    says[KP_ASK_FAILURE] = KP_ANSWER_LEFT;
    fails(bench_run(&b, NULL), KP_PAUSED, "interrupted at the question: broker 2: gone");
    well(bench_approve(&b, bench_only_run(&b), "boss@desk"));
    well(bench_resume(&b, bench_only_run(&b), NULL));
    assert_string_equal(decided, "back_out");
    assert_int_equal(asked[KP_ASK_FAILURE], 1);
    bench_over(&b);
}

/* ---- exit codes 2 and 6 say that nothing was changed ---- */

static kp_class raised;
static bool acts, in_verify;
static kp_err *raise_it(const char *next)
{
    return kp_err_new(raised, next, "it went wrong");
}
static kp_err *act_and_raise(kp_run *r, const kp_value *args)
{
    (void)args;
    if (acts)
        TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    return in_verify ? NULL : raise_it("mend that");
}
static kp_err *raise_in_verify(kp_run *r, const kp_value *args)
{
    (void)r;
    (void)args;
    return raise_it("mend that");
}
static const test_script wrong = { .part = { NULL, act_and_raise, raise_in_verify },
                                   .effects = KP_G_BROKER_RESTART };

static void what_was_changed_is_never_called_unchanged(void **state)
{
    static const kp_class classes[] = { KP_USAGE, KP_CONFIG, KP_PLAYBOOK, KP_CLUSTER, KP_HOST };
    (void)state;
    for (size_t i = 0; i < 3 * KP_COUNT(classes); i++) {
        bench b = { 0 };
        raised = classes[i / 3];
        acts = i % 3 > 0;
        in_verify = i % 3 == 2;
        open_people(&b, &wrong, SMALL);
        kp_err *e = bench_run(&b, NULL);
        assert_non_null(e);
        if (acts) /* and it says how to go on, by name */
            assert_non_null(strstr(e->next, kp_printf(b.a, "kplay resume %s", bench_only_run(&b))));
        fails(e, acts ? KP_FAILED : raised, "it went wrong");
        /* In a later session nothing is done any more, and still the run has changed something. */
        if (acts)
            fails(bench_resume(&b, bench_only_run(&b), NULL), KP_FAILED, "it went wrong");
        bench_over(&b);
    }
}

static kp_err *find_nothing(void *ud, kp_arena *a, kp_find what, const char *name,
                            const char **ret_path, const char **ret_text, size_t *ret_n)
{
    (void)ud;
    (void)a;
    (void)what;
    (void)name;
    (void)ret_path;
    (void)ret_text;
    (void)ret_n;
    return kp_err_new(KP_CONFIG, "mend it", "the playbook cannot be read");
}

static void a_session_that_does_not_come_to_work_knows_what_was_changed(void **state)
{
    bench b = { 0 };
    (void)state;
    open_people(&b, &confirming, SMALL);
    fails(bench_run(&b, NULL), KP_PAUSED, "Start it?");
    b.spec.find = find_nothing;
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_FAILED, "the playbook cannot be read");
    bench_over(&b);
}

/* ---- reasons survive ---- */

static kp_err *start_both(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[1]", NULL));
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    return call(r, "start_broker", "[[1,2]]", NULL);
}

static void what_fails_on_several_nodes_keeps_each_ones_reason(void **state)
{
    static const test_script script = { .part = { NULL, start_both },
                                        .effects = KP_G_BROKER_RESTART };
    static const kp_override both = { .guard = "node-down", .reason = "a test" };
    bench b = { 0 };
    (void)state;
    open_people(&b, &script, SMALL);
    b.spec.overrides = &both;
    b.spec.n_overrides = 1;
    for (int node = 1; node <= 2; node++) {
        const kp_value *v;
        char *json = kp_printf(b.a, "{\"fault\":\"config_breaks_start\",\"node\":%d}", node);
        well(kp_json_read(b.a, json, strlen(json), &v));
        well(kp_sim_fault(b.sim, v));
    }
    kp_err *e = bench_run(&b, NULL);
    assert_non_null(e);
    const char *one = strstr(e->detail, "fatal exception");
    if (!one)
        print_error("%s\n%s", e->what, e->detail);
    assert_non_null(one);
    assert_non_null(strstr(one + 1, "fatal exception"));
    fails(e, KP_FAILED, "start_broker failed on 2 of 2 nodes");
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_for_what_was_shown),
        cmocka_unit_test(a_word_after_a_day_is_not_taken),
        cmocka_unit_test(a_word_that_nothing_was_done_on_ages),
        cmocka_unit_test(a_word_that_was_acted_upon_does_not_age),
        cmocka_unit_test(a_word_of_an_older_kplay_holds),
        cmocka_unit_test(what_can_not_be_taken_back_is_said_by_name),
        cmocka_unit_test(a_failure_is_asked_about_with_its_reason),
        cmocka_unit_test(who_leaves_at_the_start_starts_nothing),
        cmocka_unit_test(who_leaves_a_question_pauses_and_may_answer_later),
        cmocka_unit_test(who_leaves_a_failed_node_may_say_later_what_becomes_of_it),
        cmocka_unit_test(what_was_changed_is_never_called_unchanged),
        cmocka_unit_test(what_fails_on_several_nodes_keeps_each_ones_reason),
        cmocka_unit_test(a_session_that_does_not_come_to_work_knows_what_was_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
