/* The promises of world.h that need no Kafka: every request answered exactly once and in time,
 * whatever the nodes do; waiting, signals, cancelling. */
#include "with_live.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static kp_request plain(kp_req kind, int node)
{
    return (kp_request) { .kind = kind,
                          .node = node,
                          .within = 5 * KP_SECOND,
                          .op = { .id = "7f3a.x~1", .epoch = 1, .holder = "7f3a" } };
}

/* With all that its kind needs. */
static kp_request whole(site *s, kp_req kind, int node)
{
    kp_request q = plain(kind, node);
    switch ((int)kind) {
    case KP_Q_CONFIG:
        q.config.resource = "broker";
        break;
    case KP_Q_LAG:
        q.lag.groups = json(s, "[\"g\"]");
        break;
    case KP_Q_HOST:
        q.host.since = -1;
        break;
    case KP_Q_ZNODE:
        q.znode.path = "/controller";
        break;
    case KP_Q_PROOF:
        q.proof.version = "3.9.1";
        break;
    case KP_A_LINK:
        q.link.version = "3.9.1";
        break;
    case KP_A_FILE:
        q.file.bytes = (kp_span) { "a=b\n", 4 };
        break;
    case KP_A_JOB:
        q.job.argv = json(s, "[\"true\"]");
        break;
    case KP_A_CONFIG:
        q.alter.resource = "broker";
        q.alter.name = "1";
        q.alter.edits = json(s, "{\"a\":\"b\"}");
        break;
    }
    return q;
}

/* Nobody listens anywhere, nothing is on the hosts: each request is answered once, and fast, but
 * the groups, which librdkafka looks for until the time is over. */
static void test_every_request_is_answered_once(void **state)
{
    (void)state;
    site *s = site_new(2, 1);
    site_write(s, 1, "server.properties", "node.id=1\n");
    for (int kind = 0; kind < KP_REQS; kind++) {
        kp_request q = whole(s, (kp_req)kind, kind == KP_Q_ZNODE ? KP_ANY_NODE : 1);
        bool groups = kind == KP_Q_GROUPS || kind == KP_Q_LAG;
        q.within = groups ? 300 : 20 * KP_SECOND;
        kp_reply r = site_ask(s, q);
        bool no_cluster = kind != KP_Q_HOST && kind != KP_Q_FILE && kind != KP_Q_GRANTS &&
                          kind != KP_Q_PROOF && kind != KP_Q_CLIENTS;
        if (no_cluster != (r.err != NULL))
            fail_msg("%s: %s", kp_req_name(q.kind), r.err ? kp_err_text(s->a, r.err) : "no error");
        assert_true(r.took_us < (groups ? 2000 : 15000) * 1000);
        kp_err_drop(r.err);
    }
    site_quiet(s, 50);
    site_end(s);
}

static void test_refused_is_told_at_once(void **state)
{
    (void)state;
    site *s = site_new(1, 1);
    static const struct {
        kp_req kind;
        int node;
        const char *part;
    } rows[] = {
        { KP_Q_VIEW, 1, "broker 1 at 127.0.1.1:" },
        { KP_Q_NODE, 1, "broker 1 at 127.0.1.1:" },
        { KP_Q_NODE, 3001, "controller 3001 at 127.0.2.1:" },
        { KP_Q_LOG_DIRS, 1, "broker 1 at 127.0.1.1:" },
        { KP_Q_CONFIG, 1, "broker 1 at 127.0.1.1:" },
        { KP_Q_QUORUM, KP_ANY_NODE, "broker 1 at 127.0.1.1:" },
        { KP_Q_REASSIGNMENTS, KP_ANY_NODE, "refused" },
        { KP_A_ELECT, KP_ANY_NODE, "refused" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_ms begun = kp_mono(s->w);
        assert_true(site_fails(s, whole(s, rows[i].kind, rows[i].node), KP_CLUSTER, rows[i].part));
        assert_true(kp_mono(s->w) - begun < 3 * KP_SECOND);
    }
    site_end(s);
}

static void test_silence_ends_in_time(void **state)
{
    (void)state;
    site *s = site_new(2, 1);
    site_deaf(s, 1);
    site_deaf(s, 2);
    site_deaf(s, kp_controller_listener(3001));
    static const struct {
        kp_req kind;
        int node;
    } rows[] = {
        { KP_Q_VIEW, 1 },
        { KP_Q_VIEW, KP_ANY_NODE },
        { KP_Q_NODE, 3001 },
        { KP_Q_NODE, KP_ANY_NODE },
        { KP_Q_CONFIG, 1 },
        { KP_Q_REASSIGNMENTS, KP_ANY_NODE },
        { KP_A_ELECT, KP_ANY_NODE },
        { KP_Q_QUORUM, KP_ANY_NODE },
        { KP_Q_LOG_DIRS, 2 },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_request q = whole(s, rows[i].kind, rows[i].node);
        q.within = 400;
        kp_ms begun = kp_mono(s->w);
        assert_true(site_fails(s, q, KP_CLUSTER, "timed out"));
        kp_ms took = kp_mono(s->w) - begun;
        assert_in_range(took, 300, 2000);
    }
    site_quiet(s, 100);
    site_end(s);
}

/* All of them at once cost the time of one. */
static void test_all_are_under_way_at_once(void **state)
{
    (void)state;
    enum { N = 500 };
    site *s = site_new(3, 0);
    bool seen[N + 1] = { false };
    uint64_t first = 0;
    kp_ms begun = kp_mono(s->w);
    site_deaf(s, 1);
    for (int i = 0; i < N; i++) {
        kp_request q = plain(KP_Q_VIEW, 1 + i % 3);
        q.within = 300;
        uint64_t ticket = kp_send(s->w, s->a, &q);
        first = first ? first : ticket;
    }
    for (int i = 0; i < N; i++) {
        kp_reply *r = kp_wait(s->w, begun + 5 * KP_SECOND);
        assert_non_null(r);
        assert_true(r->ticket >= first && r->ticket < first + N);
        assert_false(seen[r->ticket - first]);
        seen[r->ticket - first] = true;
        assert_non_null(r->err);
        kp_err_drop(r->err);
    }
    assert_true(kp_mono(s->w) - begun < 2 * KP_SECOND);
    assert_int_equal(kp_live_stats_of(s->w).asked[KP_Q_VIEW], N);
    assert_int_equal(kp_live_stats_of(s->w).round_trips, 0);
    assert_int_equal(s->w->n_requests, N);
    site_quiet(s, 50);
    site_end(s);
}

static void test_what_can_not_be_asked(void **state)
{
    (void)state;
    site *s = site_new(1, 1);
    static const struct {
        kp_req kind;
        int node;
        kp_class cls;
        const char *part;
    } rows[] = {
        { KP_Q_VIEW, 7, KP_CONFIG, "node 7 is not in the cluster file" },
        { KP_A_STOP, 7, KP_CONFIG, "node 7 is not in the cluster file" },
        { KP_Q_VIEW, 3001, KP_CLUSTER, "controller 3001 has no view" },
        { KP_Q_LOG_DIRS, 3001, KP_CLUSTER, "controller 3001 does not list log dirs" },
        { KP_Q_HOST, KP_ANY_NODE, KP_INTERNAL, "host was asked of no node" },
        { KP_A_STOP, KP_ANY_NODE, KP_INTERNAL, "stop was asked of no node" },
        { KP_A_FILE, 1, KP_INTERNAL, "without bytes" },
        { KP_A_JOB, 1, KP_INTERNAL, "without a command" },
        { KP_A_LINK, 1, KP_INTERNAL, "without a version" },
        { KP_Q_CONFIG, 1, KP_INTERNAL, "without a resource" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_false(site_fails(s, plain(rows[i].kind, rows[i].node), rows[i].cls, rows[i].part));
    site_fails(s, whole(s, KP_Q_ZNODE, KP_ANY_NODE), KP_CLUSTER, "ZooKeeper is not read");
    site_fails(s, whole(s, KP_Q_CONFIG, KP_ANY_NODE), KP_CONFIG, "no known broker");
    kp_request q = plain(KP_Q_CONFIG, 1);
    q.config.resource = "user";
    site_fails(s, q, KP_INTERNAL, "nobody has configurations of a user");
    q = whole(s, KP_Q_CONFIG, KP_ANY_NODE);
    q.config.names = json(s, "[\"x1\"]");
    site_fails(s, q, KP_CONFIG, "no known broker");
    q = plain(KP_A_CONFIG, KP_ANY_NODE);
    q.alter.resource = "topic";
    site_fails(s, q, KP_INTERNAL, "no topic");
    q.alter.name = "orders";
    q.alter.edits = json(s, "{\"retention.ms\":12}");
    site_fails(s, q, KP_PLAYBOOK, "retention.ms is neither text nor false");
    q = plain(KP_A_ELECT, KP_ANY_NODE);
    q.elect.partitions = json(s, "[{\"topic\":\"a\",\"partition\":0},{\"topic\":\"a\"}]");
    site_fails(s, q, KP_PLAYBOOK, "item 2 of the partitions");
    assert_int_equal(kp_live_stats_of(s->w).round_trips, 0);
    site_end(s);
}

static void test_wait_ends_at_its_time(void **state)
{
    (void)state;
    site *s = site_new(1, 0);
    kp_ms begun = kp_mono(s->w);
    assert_null(kp_wait(s->w, begun - 1000));
    assert_true(kp_mono(s->w) - begun < KP_SECOND);
    begun = kp_mono(s->w);
    assert_null(kp_wait(s->w, begun + 100));
    assert_in_range(kp_mono(s->w) - begun, 100, 2000);
    site_end(s);
}

static void test_signals_end_a_wait(void **state)
{
    (void)state;
    site *s = site_new(1, 0);
    kp_ms begun = kp_mono(s->w);
    assert_int_equal(kp_interrupts(s->w), 0);
    raise(SIGINT);
    assert_null(kp_wait(s->w, begun + 5 * KP_SECOND));
    assert_int_equal(kp_interrupts(s->w), 1);
    raise(SIGTERM);
    assert_null(kp_wait(s->w, begun + 5 * KP_SECOND));
    assert_int_equal(kp_interrupts(s->w), 2);
    assert_true(kp_mono(s->w) - begun < KP_SECOND);
    /* What was asked meanwhile is still answered. */
    site_fails(s, plain(KP_Q_VIEW, 1), KP_CLUSTER, "refused");
    site_end(s);
}

static void test_cancelled_questions_are_silent(void **state)
{
    (void)state;
    site *s = site_new(2, 1);
    site_deaf(s, 1);
    site_deaf(s, 2);
    site_deaf(s, kp_controller_listener(3001));
    static const struct {
        kp_req kind;
        int node;
    } rows[] = { { KP_Q_VIEW, 1 }, { KP_Q_VIEW, KP_ANY_NODE },   { KP_Q_QUORUM, KP_ANY_NODE },
                 { KP_Q_HOST, 1 }, { KP_Q_GROUPS, KP_ANY_NODE }, { KP_Q_VIEW, 9 } };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_arena *a = kp_arena_new("asker", 1 << 20);
        kp_request q = plain(rows[i].kind, rows[i].node);
        uint64_t ticket = kp_send(s->w, a, &q);
        if (i % 2 && rows[i].node != 9)
            assert_null(kp_wait(s->w, kp_mono(s->w) + 20));
        kp_cancel(s->w, ticket);
        kp_cancel(s->w, ticket);
        kp_arena_free(a); /* nothing writes there any more */
    }
    kp_cancel(s->w, 12345);
    site_quiet(s, 700);
    assert_int_equal(s->lv->n_tasks, 0);
    site_end(s);
}

/* The engine sends an action and goes on; its arena may be gone when the answer comes. */
static void test_actions_outlive_their_asker(void **state)
{
    (void)state;
    site *s = site_new(1, 0);
    site_write(s, 1, "server.properties", "node.id=1\n");
    site_write(s, 1, "releases/.keep", "");
    kp_live_learn(s->lv, "cluster-1", -1);
    kp_request q = plain(KP_A_FENCE, 1);
    site_value(s, q);

    kp_arena *a = kp_arena_new("asker", 1 << 20);
    q = plain(KP_A_FILE, 1);
    char *bytes = kp_strdup(a, "node.id=1\n# new\n");
    q.file.bytes = (kp_span) { bytes, strlen(bytes) };
    q.op.id = kp_strdup(a, "7f3a.file~1");
    q.file.expect = kp_sha256_hex(a, "node.id=1\n", 10);
    uint64_t ticket = kp_send(s->w, a, &q);
    kp_arena_free(a);
    kp_reply *r = kp_wait(s->w, kp_mono(s->w) + 20 * KP_SECOND);
    assert_non_null(r);
    assert_int_equal(r->ticket, ticket);
    if (r->err)
        fail_msg("%s", kp_err_text(s->a, r->err));
    assert_null(r->value);
    assert_string_equal(site_read(s, 1, "server.properties"), "node.id=1\n# new\n");

    /* A cancelled one goes on as well; only its reply does not come. */
    a = kp_arena_new("asker", 1 << 20);
    q = plain(KP_A_FENCE, 1);
    q.op.epoch = 2;
    kp_cancel(s->w, kp_send(s->w, a, &q));
    kp_arena_free(a);
    kp_ms until = kp_mono(s->w) + 20 * KP_SECOND;
    while (s->lv->n_tasks && kp_mono(s->w) < until)
        assert_null(kp_wait(s->w, kp_mono(s->w) + 20));
    const kp_value *host = site_value(s, plain(KP_Q_HOST, 1));
    assert_int_equal(kp_get_int(kp_get(host, "fence"), "epoch", 0), 2);
    site_end(s);
}

static void test_the_end_takes_what_is_open(void **state)
{
    (void)state;
    site *s = site_new(2, 0);
    site_deaf(s, 1);
    static const kp_req kinds[] = { KP_Q_VIEW, KP_Q_HOST, KP_A_FENCE, KP_Q_GROUPS, KP_A_ELECT };
    for (size_t i = 0; i < KP_COUNT(kinds); i++) {
        kp_request q = plain(kinds[i], kinds[i] == KP_A_ELECT ? KP_ANY_NODE : 1);
        kp_send(s->w, s->a, &q);
    }
    assert_null(kp_wait(s->w, kp_mono(s->w) + 20));
    kp_request answered = plain(KP_Q_VIEW, 9);
    kp_send(s->w, s->a, &answered);
    site_end(s); /* AddressSanitizer sees what is left */
}

static void test_a_world_that_can_not_be(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("test", 16 << 20);
    static const struct {
        const char *kafka, *part;
    } rows[] = {
        { "security.protocol: SSL", "PLAINTEXT only" },
        { "sasl.password: { file: /nonexistent/secret }", "/nonexistent/secret" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *text = kp_printf(
            a,
            "cluster: test\nkafka: { bootstrap.servers: \"127.0.0.1:1\", %s }\n"
            "ssh: { transport: local }\nservice: { manager: command, start: [ \"true\" ] }\n"
            "layout: { current: /c, releases: /r, config: /s }\n"
            "brokers: [ { id: 1, host: localhost, kafka: \"127.0.0.1:1\" } ]\n",
            rows[i].kafka);
        const kp_inventory *inv;
        kp_world *w = NULL;
        assert_null(kp_inventory_parse(a, "kplay.yaml", text, strlen(text), &inv));
        kp_err *e = kp_live_world(a, inv, &w);
        assert_non_null(e);
        assert_null(w);
        assert_int_equal(e->cls, KP_CONFIG);
        if (!strstr(kp_err_text(a, e), rows[i].part))
            fail_msg("%s", kp_err_text(a, e));
        kp_err_drop(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_request_is_answered_once),
        cmocka_unit_test(test_refused_is_told_at_once),
        cmocka_unit_test(test_silence_ends_in_time),
        cmocka_unit_test(test_all_are_under_way_at_once),
        cmocka_unit_test(test_what_can_not_be_asked),
        cmocka_unit_test(test_wait_ends_at_its_time),
        cmocka_unit_test(test_signals_end_a_wait),
        cmocka_unit_test(test_cancelled_questions_are_silent),
        cmocka_unit_test(test_actions_outlive_their_asker),
        cmocka_unit_test(test_the_end_takes_what_is_open),
        cmocka_unit_test(test_a_world_that_can_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
