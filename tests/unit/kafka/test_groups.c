/* Consumer groups through the real librdkafka, against a fake broker in the same loop. */
#include "with_fake_broker.h"

#include "kafka/kafka.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    LONG = 20000,
    OFFSET_FETCH = 9,
    FIND_COORDINATOR = 10,
    DESCRIBE_GROUPS = 15,
    LIST_GROUPS = 16
};

typedef struct outcome {
    bool done;
    int times;
    kp_err *err;
    const void *response;
} outcome;

typedef struct scene {
    kp_loop *l;
    fake_broker *f;
    kp_kafka *k;
    kp_arena *a;
    int list_error; /* code of the ListGroups answer */
} scene;

static void note(void *ud, kp_err *err, const void *response)
{
    outcome *o = ud;
    o->times++;
    o->done = true;
    o->err = err;
    o->response = response;
}

/* One broker, number 1, which is this one. */
static const void *say_metadata(void *ud KP_UNUSED, fake_broker *f,
                                const fake_request *rq KP_UNUSED, kp_arena *a)
{
    kp_metadata_response *r = KP_NEW(a, kp_metadata_response);
    kp_metadata_broker *b = KP_NEW(a, kp_metadata_broker);
    *b = (kp_metadata_broker){ 1, "127.0.0.1", f->port, NULL };
    r->brokers.v = b;
    r->brokers.n = 1;
    r->controller_id = 1;
    r->cluster_authorized_operations = INT32_MIN;
    return r;
}

static void say_list(const scene *s, kp_buf *b)
{
    fake_put(b, 2, s->list_error);
    fake_put(b, 4, s->list_error ? 0 : 2);
    if (s->list_error)
        return;
    fake_put_string(b, "billing");
    fake_put_string(b, "consumer");
    fake_put_string(b, "audit");
    fake_put_string(b, "consumer");
}

static void put_group(kp_buf *b, int error, const char *id, const char *state, int members)
{
    fake_put(b, 2, error);
    fake_put_string(b, id);
    fake_put_string(b, state);
    fake_put_string(b, error ? "" : "consumer");
    fake_put_string(b, members ? "range" : "");
    fake_put(b, 4, members);
    for (int i = 0; i < members; i++) {
        fake_put_string(b, "member");
        fake_put_string(b, "client");
        fake_put_string(b, "/127.0.0.1");
        fake_put(b, 4, 0); /* no metadata */
        fake_put(b, 4, 0); /* no assignment */
    }
}

/* The first group asked for: librdkafka describes each group of a call in a request of its own. */
static void say_describe(const unsigned char *request, kp_buf *b)
{
    char id[32] = { 0 };
    memcpy(id, request + 6, (size_t)request[5] % sizeof(id));
    fake_put(b, 4, 1);
    if (kp_streq(id, "billing"))
        put_group(b, 0, id, "Stable", 2);
    else if (kp_streq(id, "audit"))
        put_group(b, 0, id, "Empty", 0);
    else
        put_group(b, 30, id, "", 0);
}

static void say_offsets(kp_buf *b)
{
    fake_put(b, 4, 2);
    fake_put_string(b, "t");
    fake_put(b, 4, 2);
    fake_put(b, 4, 1), fake_put(b, 8, 42), fake_put_string(b, ""), fake_put(b, 2, 0);
    fake_put(b, 4, 0), fake_put(b, 8, -1), fake_put_string(b, ""), fake_put(b, 2, 0);
    fake_put_string(b, "a");
    fake_put(b, 4, 1);
    fake_put(b, 4, 7), fake_put(b, 8, 1ll << 40), fake_put_string(b, ""), fake_put(b, 2, 0);
    fake_put(b, 2, 0);
}

static void say_raw(void *ud, fake_broker *f, const fake_request *rq, kp_buf *b)
{
    const scene *s = ud;
    switch (rq->api) {
    case LIST_GROUPS:
        say_list(s, b);
        break;
    case DESCRIBE_GROUPS:
        say_describe(rq->body, b);
        break;
    case OFFSET_FETCH:
        say_offsets(b);
        break;
    case FIND_COORDINATOR:
        fake_put(b, 2, 0);
        fake_put(b, 4, 1);
        fake_put_string(b, "127.0.0.1");
        fake_put(b, 4, f->port);
        break;
    default:
        kp_die("the fake broker was asked for API %d", rq->api);
    }
}

static int set_up(void **state)
{
    scene *s = kp_malloc(sizeof(*s));
    memset(s, 0, sizeof(*s));
    s->l = kp_loop_new();
    s->a = kp_arena_new("test", 1 << 20);
    s->f = fake_start(s->l, 0);
    s->f->answer = say_metadata;
    s->f->raw = say_raw;
    s->f->ud = s;
    fake_range(s->f, KP_METADATA, 4, 4); /* plain versions, as `raw` speaks */
    fake_range(s->f, OFFSET_FETCH, 2, 2);
    fake_range(s->f, FIND_COORDINATOR, 0, 0);
    fake_range(s->f, DESCRIBE_GROUPS, 0, 0);
    fake_range(s->f, LIST_GROUPS, 0, 0);
    kp_err *e = kp_kafka_new(
        s->l, kp_map(s->a, "bootstrap.servers", kp_text(s->a, s->f->address), NULL), NULL, &s->k);
    assert_null(e);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene *s = *state;
    kp_kafka_free(s->k);
    fake_stop(s->f);
    kp_arena_free(s->a);
    kp_loop_free(s->l);
    free(s);
    return 0;
}

static const void *good(scene *s, outcome *o)
{
    assert_false(o->done); /* never from inside the call */
    assert_true(fake_wait(s->l, &o->done, LONG));
    if (o->err)
        fail_msg("%s", o->err->what);
    assert_int_equal(o->times, 1);
    return o->response;
}

static void bad(scene *s, outcome *o, kp_class cls, bool retriable)
{
    assert_false(o->done);
    assert_true(fake_wait(s->l, &o->done, LONG));
    assert_non_null(o->err);
    assert_null(o->response);
    if (o->err->cls != cls || o->err->retriable != retriable)
        fail_msg("class %d, retriable %d: %s", o->err->cls, o->err->retriable, o->err->what);
    assert_int_equal(o->times, 1);
    kp_err_drop(o->err);
}

static int threads(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void test_no_threads_until_asked(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    int before = threads();
    assert_int_equal(kp_kafka_node(s->k, 1, s->f->address) != NULL, 0);
    fake_turn(s->l, 5);
    assert_int_equal(threads(), before);
    kp_kafka_groups_list(s->k, s->a, kp_mono_now() + LONG, note, &o);
    assert_true(threads() > before);
    good(s, &o);
    kp_kafka_free(s->k);
    s->k = NULL;
    assert_int_equal(threads(), before);
}

static void test_list(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    kp_kafka_groups_list(s->k, s->a, kp_mono_now() + LONG, note, &o);
    const kp_group_list *l = good(s, &o);
    assert_int_equal(l->n, 2);
    assert_int_equal(l->n_problems, 0);
    assert_string_equal(l->v[0].id, "billing");
    assert_string_equal(l->v[1].id, "audit");
    assert_int_equal(l->v[0].members, -1);
}

static void test_success_that_hides_a_failure(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    s->list_error = 31; /* every broker refuses: librdkafka says success */
    kp_kafka_groups_list(s->k, s->a, kp_mono_now() + LONG, note, &o);
    bad(s, &o, KP_CLUSTER, false);
}

static void test_describe(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    const char *const ids[] = { "billing", "audit", "secret" };
    kp_kafka_groups_describe(s->k, ids, 3, s->a, kp_mono_now() + LONG, note, &o);
    const kp_group_list *l = good(s, &o);
    assert_int_equal(l->n, 3);
    for (size_t i = 0; i < l->n; i++) {
        const kp_group *g = &l->v[i];
        assert_string_equal(g->id, ids[i]);
        if (i < 2) {
            assert_null(g->problem);
            assert_string_equal(g->state, i ? "Empty" : "Stable");
            assert_int_equal(g->members, i ? 0 : 2);
            assert_int_equal(g->coordinator, 1);
        } else {
            assert_non_null(strstr(g->problem, "GROUP_AUTHORIZATION_FAILED"));
        }
    }
}

static void test_offsets(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    kp_kafka_group_offsets(s->k, "billing", s->a, kp_mono_now() + LONG, note, &o);
    const kp_group_offsets *l = good(s, &o);
    assert_int_equal(l->n, 3);
    assert_string_equal(l->v[0].topic, "a");
    assert_int_equal(l->v[0].offset, 1ll << 40);
    assert_string_equal(l->v[1].topic, "t");
    assert_int_equal(l->v[1].partition, 0);
    assert_int_equal(l->v[1].offset, -1);
    assert_int_equal(l->v[2].offset, 42);
    assert_null(l->v[2].problem);
}

static void test_several_at_once(void **state)
{
    scene *s = *state;
    outcome o[6] = { 0 };
    for (int i = 0; i < 6; i++) {
        if (i % 2)
            kp_kafka_group_offsets(s->k, "billing", s->a, kp_mono_now() + LONG, note, &o[i]);
        else
            kp_kafka_groups_list(s->k, s->a, kp_mono_now() + LONG, note, &o[i]);
    }
    for (int i = 0; i < 6; i++) {
        assert_true(fake_wait(s->l, &o[i].done, LONG));
        assert_null(o[i].err);
        assert_int_equal(o[i].times, 1);
    }
}

static void test_deadline(void **state)
{
    scene *s = *state;
    outcome o = { 0 }, late = { 0 };
    s->f->mute_but_versions = true;
    kp_ms before = kp_mono_now();
    kp_kafka_groups_list(s->k, s->a, before + 200, note, &o);
    bad(s, &o, KP_CLUSTER, true);
    assert_true(kp_mono_now() - before >=
                190); /* librdkafka's clock may be first, by its rounding */
    s->f->mute_but_versions = false;
    kp_kafka_groups_list(s->k, s->a, kp_mono_now() + LONG, note, &late);
    good(s, &late);
    assert_int_equal(o.times, 1);
}

static void test_no_broker(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    kp_kafka *alone;
    assert_null(kp_kafka_new(
        s->l, kp_map(s->a, "bootstrap.servers", kp_text(s->a, "127.0.0.1:1"), NULL), NULL, &alone));
    kp_kafka_groups_list(alone, s->a, kp_mono_now() + 300, note, &o);
    bad(s, &o, KP_CLUSTER, true);
    kp_kafka_free(alone);
}

static void test_no_bootstrap_servers(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    kp_kafka *none;
    assert_null(kp_kafka_new(s->l, NULL, NULL, &none));
    kp_kafka_groups_list(none, s->a, kp_mono_now() + LONG, note, &o);
    bad(s, &o, KP_CONFIG, false);
    kp_kafka_free(none);
}

static void test_cancel_and_free(void **state)
{
    scene *s = *state;
    outcome cancelled = { 0 }, open = { 0 }, o = { 0 };
    uint64_t t = kp_kafka_groups_list(s->k, s->a, kp_mono_now() + LONG, note, &cancelled);
    kp_kafka_cancel(s->k, t);
    kp_kafka_cancel(s->k, t);
    kp_kafka_groups_list(s->k, s->a, kp_mono_now() + LONG, note, &o);
    good(s, &o);
    s->f->mute_but_versions = true;
    kp_kafka_groups_list(s->k, s->a, kp_mono_now() + LONG, note, &open);
    fake_turn(s->l, 20);
    kp_kafka_free(s->k);
    s->k = NULL;
    fake_turn(s->l, 20);
    assert_int_equal(cancelled.times + open.times, 0);
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(test_no_threads_until_asked),
        IN_SCENE(test_list),
        IN_SCENE(test_success_that_hides_a_failure),
        IN_SCENE(test_describe),
        IN_SCENE(test_offsets),
        IN_SCENE(test_several_at_once),
        IN_SCENE(test_deadline),
        IN_SCENE(test_no_broker),
        IN_SCENE(test_no_bootstrap_servers),
        IN_SCENE(test_cancel_and_free),
    };
    return cmocka_run_group_tests_name("kafka/groups", tests, NULL, NULL);
}
