/* A run over several sessions: questions, pauses, errors tried again, settling by a person, edited
 * playbooks, drift, and one unfinished run at a time. */
#include "engine/with_twist.h"

#include <stdio.h>
#include <string.h>

#define SMALL "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[]}"

static bool other_way; /* the edited playbook asks something else */

static kp_err *stop_and_ask(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    if (other_way)
        TEST_TRY(call(r, "warn", "[\"edited\"]", NULL));
    TEST_TRY(call(r, "confirm", "[\"Start it?\"]", NULL));
    return call(r, "start_broker", "[2]", NULL);
}
static kp_err *start_only(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "start_broker", "[2]", NULL);
}
static kp_err *stop_and_fail(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    return call(r, "fail", "[{\"what\":\"enough\",\"final\":true}]", NULL);
}

static const test_script
    asking = { .part = { NULL, stop_and_ask }, .effects = KP_G_BROKER_RESTART, .text = "a\nb\nc" },
    edited = { .part = { NULL, stop_and_ask }, .effects = KP_G_BROKER_RESTART, .text = "a\nB\nc" },
    starting = { .part = { NULL, start_only }, .effects = KP_G_BROKER_RESTART },
    failing = { .part = { NULL, stop_and_fail }, .effects = KP_G_BROKER_RESTART };

static kp_answer start_yes_then(void *ud, const kp_question *q, const char **ret_by)
{
    *ret_by = "tester";
    return q->kind == KP_ASK_START ? KP_ANSWER_YES : ((bench *)ud)->answer;
}

static int64_t count_of(bench *b, const char *what)
{
    return kp_get_int(kp_sim_host_counts(b->a, b->sim, 2), what, -1);
}

/* A run that has stopped broker 2 and pauses for an answer. */
static char *paused(bench *b, kp_answer answer, const char *says)
{
    the_script = &asking;
    other_way = false;
    make_runs(b);
    bench_open(b, SMALL, NULL);
    b->spec.sink.ask = start_yes_then;
    b->answer = answer;
    fails(bench_run(b, NULL), KP_PAUSED, says);
    assert_int_equal(count_of(b, "stops"), 1);
    assert_int_equal(count_of(b, "starts"), 0);
    return bench_only_run(b);
}
static void no_pauses_and_yes_goes_on(void **state)
{
    bench b = { 0 };
    (void)state;
    char *run = paused(&b, KP_ANSWER_NO, "the answer was no: Start it?");
    b.answer = KP_ANSWER_YES;
    well(bench_resume(&b, run, NULL));
    assert_int_equal(count_of(&b, "stops"), 1);
    assert_int_equal(count_of(&b, "starts"), 1);
    fails(bench_resume(&b, run, NULL), KP_REFUSED, "is finished (done)");
    bench_over(&b);
}

static void nobody_pauses_and_approve_answers(void **state)
{
    bench b = { 0 };
    (void)state;
    char *run = paused(&b, KP_ANSWER_NOBODY, "nobody is here to answer: Start it?");
    fails(bench_resume(&b, run, NULL), KP_PAUSED, "nobody is here"); /* still nobody */
    well(bench_approve(&b, run, "boss@desk"));
    fails(bench_approve(&b, run, "boss@desk"), KP_REFUSED, "does not wait");
    well(bench_resume(&b, run, NULL));
    assert_int_equal(count_of(&b, "starts"), 1);
    bench_over(&b);
}

static void no_at_the_start_does_nothing(void **state)
{
    bench b = { 0 };
    (void)state;
    the_script = &asking;
    bench_open(&b, SMALL, NULL);
    b.answer = KP_ANSWER_NO;
    fails(bench_run(&b, NULL), KP_REFUSED, "not started");
    b.answer = KP_ANSWER_NOBODY;
    fails(bench_run(&b, NULL), KP_USAGE, "nobody is here to say yes");
    assert_int_equal(count_of(&b, "stops"), 0);
    bench_close(&b);
}

static void one_unfinished_run_at_a_time(void **state)
{
    bench b = { 0 };
    (void)state;
    char *run = paused(&b, KP_ANSWER_NO, "the answer was no");
    the_script = &starting;
    fails(bench_run(&b, NULL), KP_REFUSED, "is unfinished (paused)");
    assert_int_equal(count_of(&b, "starts"), 0);
    b.spec.supersede = run;
    well(bench_run(&b, NULL));
    assert_int_equal(count_of(&b, "starts"), 1);
    fails(bench_resume(&b, run, NULL), KP_REFUSED, "is finished (superseded)");
    bench_over(&b);
}

static void an_edited_playbook(void **state)
{
    bench b = { 0 };
    (void)state;
    char *run = paused(&b, KP_ANSWER_NO, "the answer was no");
    b.answer = KP_ANSWER_YES;
    the_script = &edited;
    kp_err *e = bench_resume(&b, run, NULL);
    assert_non_null(e);
    assert_non_null(strstr(e->detail, "line 2 was  b\n  line 2 is   B\n"));
    fails(e, KP_REFUSED, "was changed since the run began");
    b.spec.accept_changed_playbook = true;
    well(bench_resume(&b, run, NULL));
    assert_int_equal(count_of(&b, "stops"), 1);
    assert_int_equal(count_of(&b, "starts"), 1);
    bench_over(&b);
}

/* It asks otherwise behind what is journaled: that is what editing is for.  Before it: refused. */
static kp_err *warn_first(kp_run *r, const kp_value *args)
{
    TEST_TRY(call(r, "warn", "[\"edited\"]", NULL));
    return stop_and_ask(r, args);
}
static void an_edit_that_asks_otherwise_is_refused(void **state)
{
    static const test_script bad = { .part = { NULL, warn_first },
                                     .effects = KP_G_BROKER_RESTART,
                                     .text = "a\nB\nc" };
    bench b = { 0 };
    (void)state;
    char *run = paused(&b, KP_ANSWER_NO, "the answer was no");
    b.answer = KP_ANSWER_YES;
    b.spec.accept_changed_playbook = true;
    the_script = &bad;
    fails(bench_resume(&b, run, NULL), KP_REFUSED, "does not ask what it asked before");
    assert_int_equal(count_of(&b, "starts"), 0);
    the_script = &edited;
    other_way = true;
    well(bench_resume(&b, run, NULL));
    assert_int_equal(count_of(&b, "starts"), 1);
    bench_over(&b);
}

static void drift_is_refused(void **state)
{
    static const twist other = { KP_Q_NODE, 0, "cluster_id", "\"other\"" };
    bench b = { 0 };
    (void)state;
    char *run = paused(&b, KP_ANSWER_NO, "the answer was no");
    b.answer = KP_ANSWER_YES;
    const kp_inventory *true_one = b.spec.inventory;
    kp_inventory *inv = kp_memdup(b.a, true_one, sizeof *true_one);
    kp_node *nodes = kp_memdup(b.a, inv->nodes, inv->n_nodes * sizeof *nodes);
    nodes[0].host = "elsewhere";
    inv->nodes = nodes;
    b.spec.inventory = inv;
    fails(bench_resume(&b, run, NULL), KP_REFUSED, "names other nodes, hosts or paths");
    b.spec.inventory = true_one;
    kp_world *w = b.spec.world;
    twist_into(&b, &other, 1);
    twist_on(true);
    fails(bench_resume(&b, run, NULL), KP_REFUSED, "is not the one this run began on");
    b.spec.world = w;
    assert_int_equal(count_of(&b, "starts"), 0);
    well(bench_resume(&b, run, NULL));
    bench_over(&b);
}

/* A run as another kplay would have left it: all the same but for who began it. */
static void another_kplay_goes_on_when_a_person_says_so(void **state)
{
    bench b = { 0 };
    kp_journal *j;
    kp_source source = { 0 };
    (void)state;
    char *run = paused(&b, KP_ANSWER_NO, "the answer was no");
    well(kp_journal_open(b.a, &kp_disk_real, b.runs, run, &j));
    const kp_value *open = kp_value_copy(b.a, kp_journal_at(j, 1)->body);
    assert_int_equal(kp_get(open, "sources")->n, 1);
    source.name = kp_get(open, "sources")->keys[0];
    well(kp_journal_source(b.a, j, source.name, &source.text, &source.n));
    kp_journal_free(j);
    open = kp_map_with(b.a, open, "kplay", kp_text(b.a, "0.0.9"));
    well(kp_journal_create(b.a, &kp_disk_real, b.runs, "1124-beef", kp_now(b.spec.world), open,
                           &source, 1, &j));
    kp_journal_free(j);
    fails(bench_resume(&b, "1124-beef", NULL), KP_REFUSED, "the run was begun by kplay 0.0.9");
    b.spec.accept_new_kplay = true;
    fails(bench_resume(&b, "1124-beef", NULL), KP_PAUSED, "the answer was no"); /* it went on */
    bench_over(&b);
}

static void final_fail_closes_the_run(void **state)
{
    bench b = { 0 };
    (void)state;
    the_script = &failing;
    make_runs(&b);
    bench_open(&b, SMALL, NULL);
    fails(bench_run(&b, NULL), KP_FAILED, "enough");
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_REFUSED, "is finished (failed)");
    bench_over(&b);
}

/* Intents of start_broker in the journal: op ids in order. */
static size_t start_ids(bench *b, const char *run, const char **ret_ids, size_t max)
{
    kp_journal *j;
    size_t n = 0;
    well(kp_journal_open(b->a, &kp_disk_real, b->runs, run, &j));
    for (int64_t i = 1; i <= kp_journal_n(j); i++) {
        const kp_record *rec = kp_journal_at(j, i);
        if (rec->kind == KP_K_INTENT && n < max &&
            strcmp(kp_get_text(rec->body, "fn", ""), "start_broker") == 0) {
            assert_int_equal(kp_get_int(rec->body, "try", 1), (int64_t)n + 1);
            ret_ids[n++] = kp_get_text(rec->body, "id", "");
        }
    }
    kp_journal_free(j);
    return n;
}

static void what_failed_is_tried_again_with_another_op_id(void **state)
{
    static const char crash[] = "{\"fault\":\"config_breaks_start\",\"node\":2,\"lasts\":\"1m\"}";
    bench b = { 0 };
    const kp_value *fault;
    const char *ids[4];
    (void)state;
    the_script = &asking;
    other_way = false;
    make_runs(&b);
    bench_open(&b, SMALL, NULL);
    well(kp_json_read(b.a, crash, strlen(crash), &fault));
    well(kp_sim_fault(b.sim, fault));
    fails(bench_run(&b, NULL), KP_FAILED, "its process is gone again");
    char *run = bench_only_run(&b);
    kp_ms until = kp_mono(b.spec.world) + 2 * KP_MINUTE;
    while (kp_mono(b.spec.world) < until)
        (void)kp_wait(b.spec.world, until);
    kp_err *e = bench_resume(&b, run, NULL);
    if (e) { /* the broken file is what it was until someone writes it anew */
        fails(e, KP_FAILED, "its process is gone again");
    }
    assert_int_equal(start_ids(&b, run, ids, 4), 2);
    assert_string_not_equal(ids[0], ids[1]);
    for (int i = 0; i < 2; i++)
        assert_true(kp_sim_op_acted(b.sim, 2, ids[i]));
    assert_int_equal(count_of(&b, "stops"), 1);
    assert_int_equal(count_of(&b, "repeated"), 0);
    bench_over(&b);
}

static void settle_refuses_what_is_not_open(void **state)
{
    bench b = { 0 };
    kp_journal *j;
    const char *id = NULL;
    (void)state;
    char *run = paused(&b, KP_ANSWER_NO, "the answer was no");
    well(kp_journal_open(b.a, &kp_disk_real, b.runs, run, &j));
    for (int64_t i = 1; i <= kp_journal_n(j); i++)
        if (kp_journal_at(j, i)->kind == KP_K_INTENT)
            id = kp_get_text(kp_journal_at(j, i)->body, "id", NULL);
    kp_journal_free(j);
    assert_non_null(id);
    fails(kp_run_settle(b.a, b.runs, run, "none.1~1", true, "seen", "me"), KP_USAGE,
          "has no action none.1~1");
    fails(kp_run_settle(b.a, b.runs, run, id, true, "seen", "me"), KP_REFUSED,
          "has an outcome already");
    bench_over(&b);
}

/* Left right after the stop was asked for: its intent is open, and it never landed on the host. */
static kp_sim *the_sim;
static void interrupt_twice(void *ud, const kp_event *e)
{
    (void)ud;
    if (e->kind == KP_E_BEGIN && e->verb && strcmp(e->verb, "stop_broker") == 0) {
        kp_sim_interrupt(the_sim);
        kp_sim_interrupt(the_sim);
    }
}

static void settled(bool done)
{
    bench b = { 0 };
    kp_journal *j;
    const char *id = NULL;
    char image[300];
    the_script = &asking;
    other_way = false;
    make_runs(&b);
    snprintf(image, sizeof image, "%s/cluster.sim", b.runs);
    bench_open(&b, SMALL, image);
    the_sim = b.sim;
    b.spec.sink.event = interrupt_twice;
    fails(bench_run(&b, NULL), KP_DETACHED, "detached");
    bench_close(&b);
    bench_reopen(&b, image);
    char *run = bench_only_run(&b);
    well(kp_journal_open(b.a, &kp_disk_real, b.runs, run, &j));
    for (int64_t i = 1; i <= kp_journal_n(j); i++) {
        assert_int_not_equal(kp_journal_at(j, i)->kind, KP_K_DONE);
        if (kp_journal_at(j, i)->kind == KP_K_INTENT)
            id = kp_get_text(kp_journal_at(j, i)->body, "id", NULL);
    }
    kp_journal_free(j);
    assert_non_null(id);
    well(kp_run_settle(b.a, b.runs, run, id, done, "looked at it", "me@here"));
    well(bench_resume(&b, run, NULL));
    /* A person's word is believed: done is not asked for again, not done is, once. */
    assert_int_equal(count_of(&b, "stops"), done ? 0 : 1);
    assert_int_equal(count_of(&b, "starts"), done ? 0 : 1);
    assert_int_equal(count_of(&b, "repeated"), 0);
    bench_over(&b);
}
static void settled_as_done(void **state)
{
    (void)state;
    settled(true);
}
static void settled_as_not_done(void **state)
{
    (void)state;
    settled(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_pauses_and_yes_goes_on),
        cmocka_unit_test(nobody_pauses_and_approve_answers),
        cmocka_unit_test(no_at_the_start_does_nothing),
        cmocka_unit_test(one_unfinished_run_at_a_time),
        cmocka_unit_test(an_edited_playbook),
        cmocka_unit_test(an_edit_that_asks_otherwise_is_refused),
        cmocka_unit_test(drift_is_refused),
        cmocka_unit_test(another_kplay_goes_on_when_a_person_says_so),
        cmocka_unit_test(final_fail_closes_the_run),
        cmocka_unit_test(what_failed_is_tried_again_with_another_op_id),
        cmocka_unit_test(settle_refuses_what_is_not_open),
        cmocka_unit_test(settled_as_done),
        cmocka_unit_test(settled_as_not_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
