/* Several questions in one round, on a world that answers in any order, or not at all; and the names
 * of the requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "world/world.h"

#define MOST 8

/* Answers what was sent last first; a question to node `mute` never. */
typedef struct fake {
    kp_world w;
    kp_reply reply[MOST + 1];
    size_t n;
    uint64_t ticket, cancelled;
    int mute, signals;
    kp_ms mono;
    kp_reply given;
} fake;

static uint64_t fake_send(kp_world *w, kp_arena *a, const kp_request *q)
{
    fake *f = (fake *)w;
    uint64_t ticket = ++f->ticket;
    if (q->node == f->mute)
        return ticket;
    assert_true(f->n < MOST);
    f->reply[f->n++] = (kp_reply) { .ticket = ticket,
                                    .kind = q->kind,
                                    .node = q->node,
                                    .value = kp_int(a, q->node * 10),
                                    .err = q->node == 5 ? kp_err_new(KP_HOST, "wait", "it is away")
                                                        : NULL };
    return ticket;
}
static kp_reply *fake_wait(kp_world *w, kp_ms until)
{
    fake *f = (fake *)w;
    if (f->signals > 0) { /* NULL before its time */
        f->signals--;
        return NULL;
    }
    if (f->n == 0) {
        f->mono = until;
        return NULL;
    }
    f->mono += 3;
    f->given = f->reply[--f->n];
    return &f->given;
}
static void fake_cancel(kp_world *w, uint64_t ticket)
{
    ((fake *)w)->cancelled = ticket;
}
static kp_ms fake_mono(kp_world *w)
{
    return ((fake *)w)->mono;
}
static const kp_world_class fake_class = {
    .name = "fake", .send = fake_send, .wait = fake_wait, .cancel = fake_cancel, .mono = fake_mono
};

static void replies_stand_in_the_order_of_the_questions(void **state)
{
    fake f = { .w = { .c = &fake_class }, .signals = 2 };
    kp_reply reply[4];
    kp_request q[4] = { { .kind = KP_Q_NODE, .node = 1 },
                        { .kind = KP_Q_HOST, .node = 2 },
                        { .kind = KP_Q_NODE, .node = 5 },
                        { .kind = KP_Q_VIEW, .node = 3 } };
    KP_AUTO_ARENA a = kp_arena_new("ask", 1 << 20);
    (void)state;
    kp_world_ask_all(&f.w, a, q, 4, reply);
    assert_int_equal(f.w.n_requests, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(reply[i].node, q[i].node);
        assert_int_equal(reply[i].kind, q[i].kind);
        assert_int_equal(kp_as_int(reply[i].value, 0), q[i].node * 10);
        assert_int_equal(reply[i].err != NULL, q[i].node == 5); /* each has its own error */
        kp_err_drop(reply[i].err);
    }
}

static void answers_to_others_are_dropped(void **state)
{
    fake f = { .w = { .c = &fake_class } };
    kp_reply reply;
    KP_AUTO_ARENA a = kp_arena_new("ask", 1 << 20);
    kp_request mine = { .kind = KP_Q_NODE, .node = 1 }, other = { .kind = KP_A_STOP, .node = 5 };
    (void)state;
    kp_world_ask_all(&f.w, a, &mine, 0, &reply); /* none: no waiting */
    assert_int_equal(f.mono, 0);
    /* The stray one is answered with an error, which is freed with it. */
    kp_world_ask_all(&f.w, a, &mine, 1, &reply);
    assert_null(reply.err);
    (void)kp_send(&f.w, a, &mine);
    (void)kp_send(&f.w, a, &other);
    kp_world_ask_all(&f.w, a, &mine, 1, &reply);
    assert_int_equal(reply.ticket, 4);
    assert_int_equal(f.n, 2); /* its own came first; the others are left for whoever waits */
    f.reply[f.n++] = (kp_reply) { .ticket = 99, .err = kp_err_new(KP_HOST, "-", "late") };
    kp_reply swap = f.reply[0];
    f.reply[0] = f.reply[2];
    f.reply[2] = swap;
    f.mute = 7;
    mine.node = 7;
    mine.within = 20;
    kp_world_ask_all(&f.w, a, &mine, 1, &reply); /* takes the three, finds none to be its own */
    assert_int_equal(f.n, 0);
    assert_non_null(reply.err);
    kp_err_drop(reply.err);
}

static void a_world_that_does_not_answer_is_an_error(void **state)
{
    fake f = { .w = { .c = &fake_class }, .mute = 2 };
    kp_reply reply[2];
    kp_request q[2] = { { .kind = KP_Q_NODE, .node = 2, .within = 5 * KP_SECOND },
                        { .kind = KP_Q_NODE, .node = 1 } };
    KP_AUTO_ARENA a = kp_arena_new("ask", 1 << 20);
    (void)state;
    kp_world_ask_all(&f.w, a, q, 2, reply);
    assert_non_null(reply[0].err);
    assert_int_equal(reply[0].err->cls, KP_INTERNAL);
    assert_int_equal(f.cancelled, 1);
    assert_null(reply[1].err);
    assert_int_equal(kp_as_int(reply[1].value, 0), 10);
    /* The longest limit (10 s is the default) and a margin of a minute. */
    assert_int_equal(f.mono, 70 * KP_SECOND);
    kp_err_drop(reply[0].err);
}

/* Every pointer that the table names, of every kind. */
static void what_a_request_points_to_is_kept(void **state)
{
    (void)state;
    for (int i = 0; i < KP_REQS; i++) {
        const kp_req_kind *k = kp_req_of((kp_req)i);
        kp_arena *asker = kp_arena_new("asker", 1 << 20);
        KP_AUTO_ARENA a = kp_arena_new("kept", 1 << 20);
        kp_request q = { .kind = (kp_req)i,
                         .op = { .id = kp_strdup(asker, "text"),
                                 .holder = kp_strdup(asker, "run") } };
        for (const kp_req_field *f = k->fields; f && f->offset; f++) {
            void *at = (char *)&q + f->offset;
            if (f->holds == KP_HOLDS_TEXT)
                *(const char **)at = kp_strdup(asker, "text");
            else if (f->holds == KP_HOLDS_SPAN)
                *(kp_span *)at = (kp_span) { kp_strndup(asker, "a\0b", 3), 3 };
            else
                *(const kp_value **)at = kp_map(asker, "x", kp_text(asker, "y"), NULL);
        }
        assert_null(kp_request_check(&q));
        kp_request kept = kp_request_keep(a, &q);
        kp_arena_free(asker);
        assert_string_equal(kept.op.id, "text");
        assert_string_equal(kept.op.holder, "run");
        for (const kp_req_field *f = k->fields; f && f->offset; f++) {
            const void *at = (const char *)&kept + f->offset;
            const void *was = (const char *)&q + f->offset;
            assert_ptr_not_equal(*(void *const *)at, *(void *const *)was);
            if (f->holds == KP_HOLDS_TEXT)
                assert_string_equal(*(const char *const *)at, "text");
            else if (f->holds == KP_HOLDS_SPAN)
                assert_memory_equal(((const kp_span *)at)->p, "a\0b", 4);
            else
                assert_string_equal(kp_get_text(*(const kp_value *const *)at, "x", ""), "y");
        }
    }
}

static void what_can_not_be_left_out_is_told(void **state)
{
    static const struct {
        kp_request q;
        const char *lacks;
    } rows[] = {
        { { .kind = KP_A_STOP }, "stop was asked without an op id" },
        { { .kind = KP_Q_JOB }, "job_state was asked without an op id" },
        { { .kind = KP_A_LINK, .op.id = "x" }, "link was asked without a version" },
        { { .kind = KP_A_LINK, .op.id = "x", .link.version = "" },
          "link was asked without a version" },
        { { .kind = KP_A_FILE, .op.id = "x" }, "write_file was asked without bytes" },
        { { .kind = KP_A_JOB, .op.id = "x" }, "job was asked without a command" },
        { { .kind = KP_Q_CONFIG }, "config was asked without a resource" },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_err *e = kp_request_check(&rows[i].q);
        assert_non_null(e);
        assert_string_equal(e->what, rows[i].lacks);
        kp_err_drop(e);
    }
}

static void every_request_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < KP_REQS; i++) {
        assert_string_not_equal(kp_req_name((kp_req)i), "?");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(kp_req_name((kp_req)i), kp_req_name((kp_req)k));
    }
    assert_string_equal(kp_req_name(KP_REQS), "?");
    assert_true(kp_req_is_question(KP_Q_JOB));
    assert_true(kp_req_is_question(KP_Q_GRANTS));
    assert_true(kp_req_is_question(KP_Q_PROOF));
    assert_false(kp_req_is_question(KP_A_FENCE));
    assert_false(kp_req_is_question(KP_A_CONFIG));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_stand_in_the_order_of_the_questions),
        cmocka_unit_test(answers_to_others_are_dropped),
        cmocka_unit_test(a_world_that_does_not_answer_is_an_error),
        cmocka_unit_test(what_a_request_points_to_is_kept),
        cmocka_unit_test(what_can_not_be_left_out_is_told),
        cmocka_unit_test(every_request_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
