/* What the live world makes of consumer groups and their offsets, as the client tells them. */
#include "with_live.h"

#include <string.h>

/* A question under way whose answers the test gives instead of the network. */
typedef struct asked {
    site *s;
    kp_task *t;
} asked;

static asked begin(site *s, kp_req kind, const char *names)
{
    kp_request q = { .kind = kind,
                     .node = KP_ANY_NODE,
                     .within = 20 * KP_SECOND,
                     .lag.groups = names ? json(s, names) : NULL };
    asked x = { s, kp_task_new(s->lv, s->a, &q) };
    if (kind == KP_Q_GROUPS)
        kp_live_ask_groups(x.t);
    else
        kp_live_ask_lag(x.t);
    return x;
}

static void answer(asked *x, int tag, kp_err *e, const void *response)
{
    kp_leg *leg;
    LIST_FOREACH(leg, &x->t->legs, link)
    if (leg->tag == tag)
        break;
    assert_non_null(leg);
    kp_kafka_cancel(x->s->lv->k, leg->kafka);
    kp_leg_on_kafka(leg, e, response);
}

static kp_reply reply_of(asked *x)
{
    assert_true(x->t->answered);
    kp_reply *r = kp_wait(x->s->w, kp_mono(x->s->w) + KP_SECOND);
    assert_non_null(r);
    assert_int_equal(x->s->lv->n_tasks, 0);
    return *r;
}
static void said(asked *x, const char *text)
{
    kp_reply r = reply_of(x);
    if (r.err)
        fail_msg("%s", kp_err_text(x->s->a, r.err));
    assert_json(x->s, r.value, text);
}
static void failed(asked *x, const char *where, const char *what)
{
    kp_reply r = reply_of(x);
    assert_non_null(r.err);
    assert_int_equal(r.err->cls, KP_CLUSTER);
    assert_string_equal(r.err->where, where);
    assert_string_equal(r.err->what, what);
    kp_err_drop(r.err);
}

/* ---- groups ---- */

static void groups_are_told_with_their_state(void **state)
{
    static const kp_group groups[] = { { .id = "billing", .state = "Stable" },
                                       { .id = "audit", .state = "Empty" } };
    site *s = site_new(1, 0);
    (void)state;
    asked x = begin(s, KP_Q_GROUPS, NULL);
    answer(&x, KP_ANY_NODE, NULL, &(kp_group_list) { .v = groups, .n = 2 });
    said(&x, "[{\"group\":\"billing\",\"state\":\"Stable\"},"
             "{\"group\":\"audit\",\"state\":\"Empty\"}]");
    x = begin(s, KP_Q_GROUPS, NULL);
    answer(&x, KP_ANY_NODE, NULL, &(kp_group_list) { 0 });
    said(&x, "[]");
    site_end(s);
}

/* A group that is missing looks like one that does not exist. */
static void a_list_that_is_not_whole_is_no_answer(void **state)
{
    static const kp_group groups[] = { { .id = "billing", .state = "Stable" } };
    static const char *const problems[] = { "broker 2: timed out", "broker 3: timed out" };
    site *s = site_new(1, 0);
    (void)state;
    asked x = begin(s, KP_Q_GROUPS, NULL);
    answer(&x, KP_ANY_NODE, NULL,
           &(kp_group_list) { .v = groups, .n = 1, .problems = problems, .n_problems = 2 });
    assert_true(x.t->reply.err->retriable);
    failed(&x, "", "the list of consumer groups is not whole: broker 2: timed out");
    x = begin(s, KP_Q_GROUPS, NULL);
    answer(&x, KP_ANY_NODE, kp_err_new(KP_CLUSTER, "ask again", "no broker answers"), NULL);
    failed(&x, "", "no broker answers");
    site_end(s);
}

/* ---- offsets ---- */

static const kp_group_offset of_billing[] = { { "orders", 0, 120, NULL },
                                              { "orders", 1, -1, NULL }, /* nothing committed */
                                              { "payments", 0, 0, NULL } };
static const kp_group_offsets billing = { of_billing, 3 }, empty = { NULL, 0 };

static void offsets_are_told_when_every_group_has_answered(void **state)
{
    site *s = site_new(1, 0);
    (void)state;
    asked x = begin(s, KP_Q_LAG, "[\"billing\",\"audit\",\"idle\"]");
    answer(&x, 2, NULL, &empty);
    answer(&x, 0, NULL, &billing);
    assert_false(x.t->answered);
    answer(&x, 1, NULL, &billing);
    said(&x, "{\"audit\":{\"orders:0\":120,\"payments:0\":0},"
             "\"billing\":{\"orders:0\":120,\"payments:0\":0},\"idle\":{}}");
    site_end(s);
}

static void of_no_group_there_is_nothing_to_ask(void **state)
{
    site *s = site_new(1, 0);
    (void)state;
    asked x = begin(s, KP_Q_LAG, "[]");
    said(&x, "{}");
    x = begin(s, KP_Q_LAG, NULL);
    said(&x, "{}");
    site_end(s);
}

static void what_one_group_lacks_fails_the_question(void **state)
{
    static const kp_group_offset torn[] = { { "orders", 0, 120, NULL },
                                            { "orders", 1, -1, "UNKNOWN_TOPIC_OR_PARTITION" } };
    site *s = site_new(1, 0);
    (void)state;
    asked x = begin(s, KP_Q_LAG, "[\"audit\",\"billing\"]");
    answer(&x, 0, NULL, &billing);
    answer(&x, 1, NULL, &(kp_group_offsets) { torn, 2 });
    failed(&x, "consumer group billing", "group billing, orders:1: UNKNOWN_TOPIC_OR_PARTITION");
    /* The first failure ends it; the others are not waited for. */
    x = begin(s, KP_Q_LAG, "[\"audit\",\"billing\"]");
    answer(&x, 1, kp_err_new(KP_CLUSTER, "ask again", "no coordinator"), NULL);
    failed(&x, "consumer group billing", "no coordinator");
    site_quiet(s, 20);
    site_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_told_with_their_state),
        cmocka_unit_test(a_list_that_is_not_whole_is_no_answer),
        cmocka_unit_test(offsets_are_told_when_every_group_has_answered),
        cmocka_unit_test(of_no_group_there_is_nothing_to_ask),
        cmocka_unit_test(what_one_group_lacks_fails_the_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
