/* What counts as an answer: typed after the question was there, a whole word, by a person who
 * stays. */
#include "report/with_stdout.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/asking.h"
#include "report/report.h"

const kp_script_host kp_script_host_table = { .release = "none" };

#define TYPED_MOST 4

/* A terminal, the person at its other end, and the world that waits for what is typed. */
typedef struct desk {
    kp_world world;
    kp_arena *a;
    int person, in;
    const char *typed[TYPED_MOST]; /* one by one, each when it is waited for; NULL: a signal */
    size_t n, at;
    kp_screen_spec spec;
    kp_question q;
    kp_answer answer;
    const char *by;
} desk;

static bool types(kp_world *w, int fd)
{
    desk *d = (desk *)w;
    assert_int_equal(fd, STDIN_FILENO);
    const char *typed = d->at < d->n ? d->typed[d->at++] : NULL;
    if (!typed)
        return false;
    assert_int_equal(write(d->person, typed, strlen(typed)), strlen(typed));
    return true;
}
static const kp_world_class desk_class = { .name = "desk", .readable = types };

static desk *open_desk(kp_arena *a)
{
    desk *d = KP_NEW(a, desk);
    *d = (desk) { .world = { .c = &desk_class }, .a = a };
    d->person = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(d->person >= 0 && grantpt(d->person) == 0 && unlockpt(d->person) == 0);
    d->in = open(ptsname(d->person), O_RDWR | O_NOCTTY);
    assert_true(d->in >= 0);
    d->spec = (kp_screen_spec) { .world = &d->world, .who = "ops@here" };
    d->q = (kp_question) {
        .kind = KP_ASK_CONFIRM, .text = "finalize 3.9?", .details = "", .risk = "", .phrase = ""
    };
    return d;
}
static void close_desk(desk *d)
{
    close(d->in);
    close(d->person);
}

static void put_it(void *ud)
{
    desk *d = ud;
    kp_sink sink = kp_screen(d->a, &d->spec);
    d->answer = sink.ask(sink.ud, &d->q, &d->by);
    kp_screen_done(sink);
}

/* What the screen says with standard input read from `in`. */
static char *asked_from(desk *d, int in)
{
    int saved = dup(STDIN_FILENO);
    dup2(in, STDIN_FILENO);
    char *text = written_to(d->a, STDOUT_FILENO, put_it, d);
    dup2(saved, STDIN_FILENO);
    close(saved);
    return text;
}
static char *asked(desk *d, const char *first, const char *second)
{
    d->typed[0] = first;
    d->typed[1] = second;
    d->n = second ? 2 : 1;
    d->at = 0;
    return asked_from(d, d->in);
}

static void without_a_person_nobody_answers_but_yes(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    desk *d = open_desk(a);
    int in = open("/dev/null", O_RDONLY);
    (void)state;
    assert_string_equal(asked_from(d, in), "");
    assert_int_equal(d->answer, KP_ANSWER_NOBODY);
    d->spec.yes = true;
    asked_from(d, in);
    assert_int_equal(d->answer, KP_ANSWER_YES);
    assert_string_equal(d->by, "ops@here");
    d->spec = (kp_screen_spec) { .world = &d->world, .who = "ops@here", .json = true };
    assert_string_equal(asked(d, "y\n", NULL), "");
    assert_int_equal(d->answer, KP_ANSWER_NOBODY);
    close(in);
    close_desk(d);
}

static void yes_beforehand_does_not_cover_what_can_not_be_taken_back(void **state)
{
    static const struct {
        kp_asked kind;
        kp_answer answer;
    } rows[] = { { KP_ASK_START, KP_ANSWER_YES },
                 { KP_ASK_CONFIRM, KP_ANSWER_YES },
                 { KP_ASK_FAILURE, KP_ANSWER_NOBODY },
                 { KP_ASK_IRREVERSIBLE, KP_ANSWER_NOBODY } };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    desk *d = open_desk(a);
    int in = open("/dev/null", O_RDONLY);
    (void)state;
    d->spec.yes = true;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        d->q.kind = rows[i].kind;
        asked_from(d, in);
        assert_int_equal(d->answer, rows[i].answer);
    }
    close(in);
    close_desk(d);
}

static void only_a_whole_word_is_an_answer(void **state)
{
    static const struct {
        const char *typed;
        kp_answer answer;
    } rows[] = { { "y\n", KP_ANSWER_YES }, { "Y\n", KP_ANSWER_YES }, { "Yes\n", KP_ANSWER_YES },
                 { "n\n", KP_ANSWER_NO },  { "NO\n", KP_ANSWER_NO }, { "\n", KP_ANSWER_NO } };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    desk *d = open_desk(a);
    (void)state;
    d->spec.simulated = true;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        assert_string_equal(asked(d, rows[i].typed, NULL), "sim  finalize 3.9? [y/N] ");
        assert_int_equal(d->answer, rows[i].answer);
    }
    static const char *const none[] = { "yikes\n", "yesterday\n", " y\n", "ok\n", "y y\n", "ye\n" };
    for (size_t i = 0; i < KP_COUNT(none); i++) {
        char *said = asked(d, none[i], "y\n"); /* asked again, once */
        assert_int_equal(d->answer, KP_ANSWER_YES);
        assert_non_null(strstr(said, "is no answer\nsim  [y/N] "));
        said = asked(d, none[i], none[i]);
        assert_int_equal(d->answer, KP_ANSWER_NO);
        assert_non_null(strstr(said, "is no answer: that is taken as no\n"));
    }
    close_desk(d);
}

static void what_was_typed_before_the_question_answers_nothing(void **state)
{
    static const char *const before[] = { "y\n", "y\ny\n", "yes\nno\n", "y" };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    desk *d = open_desk(a);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(before); i++) {
        assert_int_equal(write(d->person, before[i], strlen(before[i])), strlen(before[i]));
        asked(d, "n\n", NULL);
        assert_int_equal(d->answer, KP_ANSWER_NO);
    }
    /* Nor do lines behind the one that was no answer. */
    asked(d, "what?\ny\ny\n", "n\n");
    assert_int_equal(d->answer, KP_ANSWER_NO);
    close_desk(d);
}

static void the_riskiest_is_said_with_a_whole_phrase(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    desk *d = open_desk(a);
    (void)state;
    d->q.kind = KP_ASK_IRREVERSIBLE;
    d->q.phrase = "orders-prod";
    d->q.risk = "nothing brings it back";
    d->q.details = "  broker 1  3.4\n";
    assert_string_equal(asked(d, "orders-prod\n", NULL),
                        "    broker 1  3.4\nmeans     nothing brings it back\nfinalize 3.9?\n"
                        "type orders-prod to say yes: ");
    assert_int_equal(d->answer, KP_ANSWER_YES);
    static const char *const none[] = { "y\n", "yes\n", "orders\n", "Orders-Prod\n", "n\n", "\n" };
    for (size_t i = 0; i < KP_COUNT(none); i++) {
        asked(d, none[i], none[i]);
        assert_int_equal(d->answer, KP_ANSWER_NO);
    }
    close_desk(d);
}

static void who_leaves_has_not_answered(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    desk *d = open_desk(a);
    (void)state;
    asked(d, NULL, NULL); /* a signal */
    assert_int_equal(d->answer, KP_ANSWER_LEFT);
    asked(d, "\x04", NULL); /* the end of input */
    assert_int_equal(d->answer, KP_ANSWER_LEFT);
    asked(d, "hm\n", NULL);
    assert_int_equal(d->answer, KP_ANSWER_LEFT);
    close_desk(d);
}

static void no_control_byte_of_a_question_reaches_the_terminal(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    desk *d = open_desk(a);
    (void)state;
    d->q.text = "go\x1b[2J on?";
    d->q.details = "one\rtwo\n";
    char *said = asked(d, "\x1b[A\n", "n\n");
    assert_null(strchr(said, '\x1b'));
    assert_null(strchr(said, '\r'));
    close_desk(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_person_nobody_answers_but_yes),
        cmocka_unit_test(yes_beforehand_does_not_cover_what_can_not_be_taken_back),
        cmocka_unit_test(only_a_whole_word_is_an_answer),
        cmocka_unit_test(what_was_typed_before_the_question_answers_nothing),
        cmocka_unit_test(the_riskiest_is_said_with_a_whole_phrase),
        cmocka_unit_test(who_leaves_has_not_answered),
        cmocka_unit_test(no_control_byte_of_a_question_reaches_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
