/* A person's word from another process: which runs take it, and what it leaves in the journal. */
#include "engine/with_script.h"

#include <string.h>

#define SMALL "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[]}"

static kp_err *asks(kp_run *r, const kp_value *args)
{
    (void)args;
    return call(r, "confirm", "[\"Further?\"]", NULL);
}
static const test_script asking = { .part = { NULL, asks } };

/* A run that waits for an answer. */
static char *waiting(bench *b)
{
    the_script = &asking;
    make_runs(b);
    bench_open(b, SMALL, NULL);
    b->answer = KP_ANSWER_NOBODY;
    fails(bench_run(b, NULL), KP_PAUSED, "nobody is here to answer: Further?");
    return bench_only_run(b);
}
static void an_answer_says_who_gave_it(void **state)
{
    bench b = { 0 };
    kp_journal *j;
    (void)state;
    char *run = waiting(&b);
    well(bench_approve(&b, run, "boss@desk"));
    well(kp_journal_open(b.a, &kp_disk_real, b.runs, run, &j));
    const kp_record *last = kp_journal_at(j, kp_journal_n(j));
    assert_int_equal(last->kind, KP_K_ASK);
    assert_string_equal(kp_journal_word_after(last), "approved");
    assert_string_equal(kp_json_text(b.a, kp_get(last->body, "a")), "{\"text\":\"Further?\"}");
    assert_string_equal(kp_get_text(last->body, "fn", ""), "confirm");
    assert_string_equal(kp_get_text(last->body, "i", ""), "1");
    assert_string_equal(kp_get_text(kp_get(last->body, "r"), "by", ""), "boss@desk");
    assert_true(kp_get_bool(kp_get(last->body, "r"), "yes", false));
    kp_journal_free(j);
    well(bench_resume(&b, run, NULL));
    bench_over(&b);
}

static void a_finished_run_takes_no_word_any_more(void **state)
{
    bench b = { 0 };
    (void)state;
    char *run = waiting(&b);
    b.answer = KP_ANSWER_YES;
    well(bench_resume(&b, run, NULL));
    fails(bench_approve(&b, run, "me"), KP_REFUSED, "is finished");
    fails(kp_run_settle(b.a, b.runs, run, "x.1~1", true, "seen", "me"), KP_REFUSED, "is finished");
    /* And the journal is let go of. */
    fails(bench_resume(&b, run, NULL), KP_REFUSED, "is finished (done)");
    bench_over(&b);
}

static void a_run_that_is_not_there_is_said(void **state)
{
    bench b = { 0 };
    (void)state;
    waiting(&b);
    fails(bench_approve(&b, "none", "me"), KP_USAGE, "none");
    fails(kp_run_settle(b.a, b.runs, "none", "x.1~1", true, "seen", "me"), KP_USAGE, "none");
    bench_over(&b);
}

static void a_run_at_work_is_not_spoken_to(void **state)
{
    bench b = { 0 };
    kp_journal *j;
    (void)state;
    char *run = waiting(&b);
    well(kp_journal_open(b.a, &kp_disk_real, b.runs, run, &j)); /* as the one at work has it */
    fails(bench_approve(&b, run, "me"), KP_REFUSED, "");
    kp_journal_free(j);
    well(bench_approve(&b, run, "me"));
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_says_who_gave_it),
        cmocka_unit_test(a_finished_run_takes_no_word_any_more),
        cmocka_unit_test(a_run_that_is_not_there_is_said),
        cmocka_unit_test(a_run_at_work_is_not_spoken_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
