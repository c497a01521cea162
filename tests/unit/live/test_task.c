/* A request under way: it ends in time even when nobody works on it, it keeps what its asker may
 * lose, and it finds the controller or says why it cannot. */
#include "with_live.h"

#include <string.h>

#include "kafka/with_fake_broker.h"

static kp_task *begin(site *s, kp_req kind, kp_ms within)
{
    kp_request q = { .kind = kind, .node = 1, .within = within };
    return kp_task_new(s->lv, s->a, &q);
}

static kp_reply reply_of(site *s)
{
    kp_reply *r = kp_wait(s->w, kp_mono(s->w) + 20 * KP_SECOND);
    assert_non_null(r);
    assert_int_equal(s->lv->n_tasks, 0);
    return *r;
}

/* ---- time ---- */

static void what_nobody_works_on_ends_in_time(void **state)
{
    static const struct {
        kp_req kind;
        kp_class cls;
    } rows[] = { { KP_Q_VIEW, KP_CLUSTER },   { KP_Q_LAG, KP_CLUSTER }, { KP_A_ELECT, KP_CLUSTER },
                 { KP_A_CONFIG, KP_CLUSTER }, { KP_Q_HOST, KP_HOST },   { KP_A_STOP, KP_HOST },
                 { KP_Q_JOB, KP_HOST } };
    site *s = site_new(1, 0);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_ms begun = kp_mono(s->w);
        uint64_t ticket = begin(s, rows[i].kind, 20)->reply.ticket;
        kp_reply r = reply_of(s);
        assert_int_equal(r.ticket, ticket);
        assert_int_equal(r.kind, rows[i].kind);
        assert_int_equal(r.node, 1);
        assert_non_null(r.err);
        assert_int_equal(r.err->cls, rows[i].cls);
        assert_true(r.err->retriable);
        assert_string_equal(r.err->what, kp_printf(s->a, "%s: timed out: no answer in time",
                                                   kp_req_name(rows[i].kind)));
        /* Not before its time; the deadline is in whole milliseconds of a clock that has begun one. */
        assert_true(kp_mono(s->w) - begun >= 20);
        assert_true(r.took_us > 19000);
        kp_err_drop(r.err);
    }
    site_end(s);
}

static void legs_have_a_little_less_time_than_their_request(void **state)
{
    static const struct {
        kp_ms within, leg;
    } rows[] = { { 100, 90 },
                 { 5 * KP_SECOND, 5 * KP_SECOND - 50 },
                 { 0, 10 * KP_SECOND - 50 },
                 { 10 * KP_HOUR, KP_HOUR - 50 },
                 { KP_NEVER, KP_HOUR - 50 } };
    site *s = site_new(1, 0);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_ms before = kp_mono_now();
        kp_task *t = begin(s, KP_Q_VIEW, rows[i].within);
        assert_in_range(t->deadline - before, rows[i].leg, rows[i].leg + 1000);
        assert_in_range(kp_task_time_left(t), 1, rows[i].leg);
        t->deadline = before - 1; /* never less than 1: to Kafka 0 means not to wait */
        assert_int_equal(kp_task_time_left(t), 1);
        kp_task_free(t);
    }
    site_end(s);
}

/* ---- memory ---- */

static void the_request_is_copied_whole(void **state)
{
    site *s = site_new(1, 0);
    kp_arena *a = kp_arena_new("asker", 1 << 20);
    (void)state;
    kp_request q = {
        .kind = KP_A_FILE,
        .node = 1,
        .op = { .id = kp_strdup(a, "7f3a.x~1"), .epoch = 9, .holder = kp_strdup(a, "7f3a") },
        .file = { .expect = kp_strdup(a, "e3b0"), .bytes = { kp_strndup(a, "a\0b", 3), 3 } }
    };
    kp_task *t = kp_task_new(s->lv, a, &q);
    kp_arena_free(a);
    assert_string_equal(t->q.op.id, "7f3a.x~1");
    assert_string_equal(t->q.op.holder, "7f3a");
    assert_int_equal(t->q.op.epoch, 9);
    assert_string_equal(t->q.file.expect, "e3b0");
    assert_memory_equal(t->q.file.bytes.p, "a\0b", 3);
    kp_task_done(t, 1, json(s, "[]"));
    assert_null(reply_of(s).value); /* an action's asker may be gone */
    site_end(s);
}

static void memory_is_lent_again_and_not_hoarded(void **state)
{
    kp_task *t[KP_SPARE_ARENAS + 4];
    site *s = site_new(1, 0);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(t); i++)
        t[i] = begin(s, KP_Q_VIEW, 0);
    for (size_t i = 0; i < KP_COUNT(t); i++)
        kp_task_free(t[i]);
    assert_int_equal(s->lv->n_spare, KP_SPARE_ARENAS);
    t[0] = begin(s, KP_Q_VIEW, 0);
    assert_int_equal(s->lv->n_spare, KP_SPARE_ARENAS - 1);
    kp_task_free(t[0]);
    assert_int_equal(s->lv->n_spare, KP_SPARE_ARENAS);
    site_end(s);
}

/* ---- whom to ask ---- */

static void unheard(kp_task *t, int listener, kp_err *e, const void *response)
{
    (void)t;
    (void)listener;
    (void)response;
    kp_err_drop(e);
    fail_msg("nobody was asked");
}

static void without_nodes_it_is_said_at_once(void **state)
{
    site *s = site_new(1, 0);
    (void)state;
    kp_task_any(begin(s, KP_Q_VIEW, 0), NULL, 0, KP_METADATA, &kp_no_topics, unheard);
    kp_reply r = reply_of(s);
    assert_non_null(r.err);
    assert_int_equal(r.err->cls, KP_CLUSTER);
    assert_string_equal(r.err->what, "there is no node to ask");
    kp_err_drop(r.err);
    site_end(s);
}

/* A broker that is not the controller, and who it says is. */
static int says, asked;
static bool hangs_up;
static const void *follower(void *ud, fake_broker *f, const fake_request *rq, kp_arena *a)
{
    (void)ud;
    asked++;
    if (rq->api == KP_METADATA) {
        kp_metadata_response *m = KP_NEW(a, kp_metadata_response);
        *m = (kp_metadata_response) { .cluster_id = "c",
                                      .controller_id = says,
                                      .cluster_authorized_operations = INT32_MIN };
        if (hangs_up)
            f->cut = 6;
        return m;
    }
    kp_list_partition_reassignments_response *r = KP_NEW(a,
                                                         kp_list_partition_reassignments_response);
    r->error_code = KP_NOT_CONTROLLER;
    return r;
}

static void a_controller_that_can_not_be_asked_is_named(void **state)
{
    static const struct {
        int says;
        const char *next;
    } rows[] = {
        { -1, NULL },
        { 7, "add broker 7, the controller, to the cluster file" },
        { 3001, "add broker 3001, the controller, to the cluster file" },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        site *s = site_new(1, 1);
        fake_broker *f = fake_start(s->lv->l, 0);
        f->answer = follower;
        site_at(s, 1, f->address);
        says = rows[i].says;
        hangs_up = false;
        kp_reply r = site_ask(s, (kp_request) { .kind = KP_Q_REASSIGNMENTS, .node = KP_ANY_NODE });
        assert_non_null(r.err);
        assert_int_equal(r.err->cls, KP_CLUSTER);
        assert_non_null(strstr(r.err->what, "NOT_CONTROLLER"));
        assert_true(kp_starts_with(r.err->where, "broker 1 at 127.0.1.1:"));
        if (rows[i].next)
            assert_string_equal(r.err->next, rows[i].next);
        kp_err_drop(r.err);
        fake_stop(f);
        site_end(s);
    }
}

static void a_broker_that_is_lost_while_it_names_the_controller(void **state)
{
    site *s = site_new(1, 0);
    fake_broker *f = fake_start(s->lv->l, 0);
    (void)state;
    f->answer = follower;
    site_at(s, 1, f->address);
    says = 1;
    hangs_up = true;
    asked = 0;
    assert_true(site_fails(
        s,
        (kp_request) { .kind = KP_Q_REASSIGNMENTS, .node = KP_ANY_NODE, .within = 5 * KP_SECOND },
        KP_CLUSTER, "broker 1 at 127.0.1.1:"));
    assert_int_equal(asked, 3); /* the controller's business, who it is, and once more */
    fake_stop(f);
    site_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_works_on_ends_in_time),
        cmocka_unit_test(legs_have_a_little_less_time_than_their_request),
        cmocka_unit_test(the_request_is_copied_whole),
        cmocka_unit_test(memory_is_lent_again_and_not_hoarded),
        cmocka_unit_test(without_nodes_it_is_said_at_once),
        cmocka_unit_test(a_controller_that_can_not_be_asked_is_named),
        cmocka_unit_test(a_broker_that_is_lost_while_it_names_the_controller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
