/* The client against a fake broker: one end for every call, the right one, at the right time. */
#include "with_fake_broker.h"

#include "kafka/kafka.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NODE = 3, LONG = 20000 };

/* The resolver of this binary: the names below, and 127.0.0.1.  Nobody listens on 127.0.0.2 and .3.
 */
int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict result)
{
    static const char *const names[][3] = {
        { "127.0.0.1", "127.0.0.1", NULL },
        { "first-is-deaf", "127.0.0.2", "127.0.0.1" },
        { "both-are-deaf", "127.0.0.2", "127.0.0.3" },
    };
    for (size_t i = 0; i < KP_COUNT(names); i++) {
        if (strcmp(names[i][0], name) != 0)
            continue;
        for (int k = 2; k > 0; k--) {
            if (!names[i][k])
                continue;
            struct addrinfo *a = calloc(1, sizeof(*a) + sizeof(struct sockaddr_in));
            struct sockaddr_in *in = (struct sockaddr_in *)(a + 1);
            in->sin_family = AF_INET;
            in->sin_port = htons((uint16_t)strtoul(service, NULL, 10));
            inet_pton(AF_INET, names[i][k], &in->sin_addr);
            *a = (struct addrinfo){ .ai_family = AF_INET,
                                     .ai_socktype = hints->ai_socktype,
                                     .ai_addr = (struct sockaddr *)in,
                                     .ai_addrlen = sizeof(*in),
                                     .ai_next = k == 1 && names[i][2] ? *result : NULL };
            *result = a;
        }
        return 0;
    }
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *a)
{
    while (a) {
        struct addrinfo *next = a->ai_next;
        free(a);
        a = next;
    }
}

/* What became of a call. */
typedef struct outcome {
    bool done;
    int times;
    kp_err *err;
    const void *response;
    int *order; /* counts calls ended, over several outcomes */
    int place;
} outcome;

typedef struct scene {
    kp_loop *l;
    fake_broker *f;
    kp_kafka *k;
    kp_arena *a;
} scene;

static void must(kp_err *e)
{
    if (e)
        fail_msg("%s", e->what);
}

static void note(void *ud, kp_err *err, const void *response)
{
    outcome *o = ud;
    o->times++;
    o->done = true;
    o->err = err;
    o->response = response;
    if (o->order)
        o->place = ++*o->order;
}

/* Metadata with one topic named after the first topic asked for; controller_id is the broker's
 * request count. */
static const void *say_metadata(void *ud KP_UNUSED, fake_broker *f, const fake_request *rq,
                                kp_arena *a)
{
    const kp_metadata_request *q = rq->message;
    kp_metadata_topic *t = KP_NEW(a, kp_metadata_topic);
    kp_metadata_response *r = KP_NEW(a, kp_metadata_response);
    t->name = q->topics.n > 0 ? kp_strdup(a, q->topics.v[0].name) : "all";
    t->topic_authorized_operations = INT32_MIN;
    r->cluster_authorized_operations = INT32_MIN;
    r->cluster_id = "c1";
    r->controller_id = f->requests;
    r->topics.v = t;
    r->topics.n = 1;
    return r;
}

static int set_up(void **state)
{
    scene *s = kp_malloc(sizeof(*s));
    s->l = kp_loop_new();
    s->f = fake_start(s->l, 0);
    s->f->answer = say_metadata;
    s->a = kp_arena_new("test", 64 << 20);
    must(kp_kafka_new(s->l, NULL, NULL, &s->k));
    must(kp_kafka_node(s->k, NODE, s->f->address));
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene *s = *state;
    kp_kafka_free(s->k);
    if (s->f)
        fake_stop(s->f);
    kp_arena_free(s->a);
    kp_loop_free(s->l);
    free(s);
    return 0;
}

static uint64_t ask(scene *s, const char *topic, kp_ms time, outcome *o)
{
    kp_metadata_request_topic t = { .name = topic };
    kp_metadata_request q = { .topics = { &t, 1 } };
    return kp_kafka_call(s->k, NODE, KP_METADATA, &q, s->a, kp_mono_now() + time, note, o);
}

static void wait_for(scene *s, outcome *o)
{
    assert_true(fake_wait(s->l, &o->done, LONG));
    assert_int_equal(o->times, 1);
    assert_true((o->err == NULL) != (o->response == NULL));
}

static const kp_metadata_response *good(scene *s, outcome *o)
{
    wait_for(s, o);
    if (o->err)
        fail_msg("%s", o->err->what);
    return o->response;
}

/* The call fails like this; the error is dropped. */
static void bad(scene *s, outcome *o, kp_link link, bool retriable, const char *says)
{
    wait_for(s, o);
    assert_non_null(o->err);
    if (!strstr(o->err->what, says))
        fail_msg("\"%s\" does not say \"%s\"", o->err->what, says);
    assert_int_equal(o->err->cls, KP_CLUSTER);
    assert_int_equal(o->err->retriable, retriable);
    assert_non_null(strstr(o->err->where, "node 3 at "));
    assert_non_null(strstr(o->err->where, s->f ? s->f->address : ""));
    assert_int_equal(kp_kafka_stat(s->k, NODE).link, link);
    kp_err_drop(o->err);
}

/* Ask and get it, to show that the node can be used again. */
static void works(scene *s)
{
    outcome o = { 0 };
    ask(s, "again", LONG, &o);
    assert_string_equal(good(s, &o)->topics.v[0].name, "again");
}

/* ---- answers ---- */

static void test_one_call(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    assert_int_equal(kp_kafka_stat(s->k, NODE).link, KP_LINK_UNTRIED);
    assert_int_equal(kp_kafka_stat(s->k, NODE).rtt_us, -1);
    assert_null(kp_kafka_api_versions(s->k, NODE));
    assert_int_not_equal(ask(s, "t", LONG, &o), 0);
    assert_false(o.done);
    const kp_metadata_response *r = good(s, &o);
    assert_string_equal(r->cluster_id, "c1");
    assert_string_equal(r->topics.v[0].name, "t");
    assert_int_equal(s->f->last_version, 12);
    assert_string_equal(s->f->client_id, "kplay/" KPLAY_VERSION);
    kp_node_stat stat = kp_kafka_stat(s->k, NODE);
    assert_int_equal(stat.link, KP_LINK_OK);
    assert_int_equal(stat.requests, 1);
    assert_true(stat.rtt_us >= 0 && stat.rtt_us < LONG * 1000);
    assert_int_equal(kp_kafka_api_versions(s->k, NODE)->api_keys.n, s->f->versions.api_keys.n);
    works(s);
    assert_int_equal(s->f->connections, 1);
}

static void test_request_is_copied(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    char name[] = "before";
    kp_metadata_request_topic t = { .name = name };
    kp_metadata_request q = { .topics = { &t, 1 } };
    kp_kafka_call(s->k, NODE, KP_METADATA, &q, s->a, kp_mono_now() + LONG, note, &o);
    memcpy(name, "after!", sizeof(name));
    t = (kp_metadata_request_topic){ 0 };
    q.topics.n = 0;
    assert_string_equal(good(s, &o)->topics.v[0].name, "before");
}

static void test_old_brokers_are_asked_in_their_versions(void **state)
{
    static const struct {
        int versions_max; /* of ApiVersions */
        bool hidden;
        int metadata_min, metadata_max, expected;
    } rows[] = {
        { 4, false, 0, 13, 12 }, { 3, false, 0, 11, 11 }, { 2, false, 0, 9, 9 },
        { 0, true, 0, 8, 8 },    { 0, false, 0, 4, 4 },
    };
    scene *s = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        outcome o = { 0 };
        s->f->versions_max = rows[i].versions_max;
        s->f->versions_hidden = rows[i].hidden;
        fake_range(s->f, KP_METADATA, rows[i].metadata_min, rows[i].metadata_max);
        fake_hang_up(s->f); /* what a node speaks is known per connection */
        fake_turn(s->l, 5);
        ask(s, "t", LONG, &o);
        good(s, &o);
        assert_int_equal(s->f->last_version, rows[i].expected);
    }
}

static void test_features_are_read(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    kp_supported_feature f = { "metadata.version", 7, 27 };
    kp_finalized_feature g = { "metadata.version", 25, 25 };
    s->f->versions.supported_features.v = &f;
    s->f->versions.supported_features.n = 1;
    s->f->versions.finalized_features.v = &g;
    s->f->versions.finalized_features.n = 1;
    s->f->versions.finalized_features_epoch = 9;
    kp_kafka_call(s->k, NODE, KP_API_VERSIONS, NULL, s->a, kp_mono_now() + LONG, note, &o);
    wait_for(s, &o);
    const kp_api_versions_response *r = o.response;
    assert_int_equal(r->supported_features.v[0].max_version, 27);
    assert_int_equal(kp_kafka_api_versions(s->k, NODE)->finalized_features.v[0].max_version_level,
                     25);
    /* Raised while connected: the connection's answer is old, a call's is fresh. */
    g.max_version_level = 27;
    outcome again = { 0 };
    kp_kafka_call(s->k, NODE, KP_API_VERSIONS, NULL, s->a, kp_mono_now() + LONG, note, &again);
    wait_for(s, &again);
    r = again.response;
    assert_int_equal(r->finalized_features.v[0].max_version_level, 27);
    assert_int_equal(kp_kafka_api_versions(s->k, NODE)->finalized_features.v[0].max_version_level,
                     25);
}

static void test_pipelined_answers(void **state)
{
    enum { CALLS = 8 };
    scene *s = *state;
    outcome o[CALLS] = { 0 };
    int order = 0;
    char name[2] = "a";
    works(s);
    s->f->hold = true;
    for (int i = 0; i < CALLS; i++, name[0]++) {
        o[i].order = &order;
        ask(s, name, LONG, &o[i]);
    }
    fake_turn(s->l, 50);
    assert_int_equal(s->f->requests, 1 + KP_KAFKA_IN_FLIGHT);
    fake_release(s->f);
    for (int i = 0; i < CALLS; i++) {
        const char expected[] = { (char)('a' + i), 0 };
        assert_string_equal(good(s, &o[i])->topics.v[0].name, expected);
        assert_int_equal(o[i].place, i + 1);
    }
    assert_int_equal(s->f->connections, 1);
}

static void test_bytes_left_over_are_tolerated(void **state)
{
    scene *s = *state;
    s->f->surplus = 3;
    works(s);
    works(s);
}

static const void *say_large(void *ud KP_UNUSED, fake_broker *f KP_UNUSED,
                             const fake_request *rq KP_UNUSED, kp_arena *a)
{
    enum { PARTITIONS = 50000 };
    static const int32_t nodes[] = { 1, 2, 3 };
    kp_metadata_response *r = KP_NEW(a, kp_metadata_response);
    kp_metadata_topic *t = KP_NEW(a, kp_metadata_topic);
    kp_metadata_partition *p = KP_NEW_ARRAY(a, PARTITIONS, kp_metadata_partition);
    for (int i = 0; i < PARTITIONS; i++)
        p[i] =
            (kp_metadata_partition){ 0, i, 1 + i % 3, i, { nodes, 3 }, { nodes, 2 }, { NULL, 0 } };
    *t = (kp_metadata_topic){ .name = "large", .partitions = { p, PARTITIONS } };
    r->topics.v = t;
    r->topics.n = 1;
    r->cluster_authorized_operations = INT32_MIN;
    return r;
}

static void test_large_answer(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    s->f->answer = say_large;
    ask(s, "large", LONG, &o);
    const kp_metadata_topic *t = &good(s, &o)->topics.v[0];
    assert_int_equal(t->partitions.n, 50000);
    assert_int_equal(t->partitions.v[49999].leader_epoch, 49999);
    assert_int_equal(t->partitions.v[49999].isr_nodes.n, 2);
}

/* ---- failures of the network ---- */

static void test_refused(void **state)
{
    scene *s = *state;
    outcome first = { 0 }, second = { 0 };
    uint16_t port = s->f->port;
    char address[32];
    memcpy(address, s->f->address, sizeof(address));
    fake_stop(s->f);
    s->f = NULL;
    ask(s, "t", LONG, &first);
    ask(s, "t", LONG, &second);
    assert_false(first.done);
    bad(s, &first, KP_LINK_REFUSED, true, "refused");
    bad(s, &second, KP_LINK_REFUSED, true, "refused");
    s->f = fake_start(s->l, port);
    s->f->answer = say_metadata;
    assert_string_equal(s->f->address, address);
    works(s); /* at once: no pause after a loss */
}

static void test_names(void **state)
{
    static const struct {
        const char *name, *says; /* NULL: it answers */
    } rows[] = {
        { "nobody", "the name nobody cannot be resolved" },
        { "both-are-deaf", "refused" },
        { "first-is-deaf", NULL },
    };
    scene *s = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        outcome o = { 0 };
        char address[64], where[80];
        snprintf(address, sizeof(address), "%s:%d", rows[i].name, s->f->port);
        snprintf(where, sizeof(where), "node 4 at %s", address);
        must(kp_kafka_node(s->k, 4, address));
        kp_kafka_call(s->k, 4, KP_API_VERSIONS, NULL, s->a, kp_mono_now() + LONG, note, &o);
        assert_false(o.done);
        wait_for(s, &o);
        assert_int_equal(kp_kafka_stat(s->k, 4).link, rows[i].says ? KP_LINK_REFUSED : KP_LINK_OK);
        if (!rows[i].says) {
            assert_null(o.err);
            continue;
        }
        assert_non_null(strstr(o.err->what, rows[i].says));
        assert_string_equal(o.err->where, where);
        assert_true(o.err->retriable);
        kp_err_drop(o.err);
    }
}

static void test_deadline(void **state)
{
    static const struct {
        bool mute, mute_but_versions;
        const char *says;
    } rows[] = {
        { true, false, "does not answer ApiVersions" },
        { false, true, "no answer until the deadline" },
    };
    scene *s = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        outcome o = { 0 };
        s->f->mute = rows[i].mute;
        s->f->mute_but_versions = rows[i].mute_but_versions;
        kp_ms before = kp_mono_now();
        ask(s, "t", 60, &o);
        bad(s, &o, KP_LINK_TIMED_OUT, true, rows[i].says);
        kp_ms took = kp_mono_now() - before;
        assert_true(took >= 60);
        s->f->mute = s->f->mute_but_versions = false;
        works(s);
    }
}

static void test_deadline_in_the_past(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    ask(s, "t", -1000, &o);
    assert_false(o.done);
    bad(s, &o, KP_LINK_TIMED_OUT, true, "timed out");
}

static void test_late_answer_is_dropped(void **state)
{
    scene *s = *state;
    outcome early = { 0 }, late = { 0 };
    works(s);
    s->f->hold = true;
    ask(s, "early", 40, &early);
    ask(s, "late", LONG, &late);
    bad(s, &early, KP_LINK_TIMED_OUT, true, "no answer");
    fake_release(s->f);
    assert_string_equal(good(s, &late)->topics.v[0].name, "late");
    assert_int_equal(s->f->connections, 1); /* another call was still waiting on it */
}

static void test_frozen_node_costs_one_connection(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    works(s);
    s->f->mute_but_versions = true;
    ask(s, "t", 40, &o);
    bad(s, &o, KP_LINK_TIMED_OUT, true, "no answer");
    s->f->mute_but_versions = false;
    works(s);
    assert_int_equal(s->f->connections, 2);
}

static void test_waiting_calls_move_to_a_new_connection(void **state)
{
    scene *s = *state;
    outcome stuck[KP_KAFKA_IN_FLIGHT] = { 0 }, waiting = { 0 };
    works(s);
    s->f->mute_but_versions = true;
    for (int i = 0; i < KP_KAFKA_IN_FLIGHT; i++)
        ask(s, "stuck", 40, &stuck[i]);
    ask(s, "waiting", LONG, &waiting);
    fake_turn(s->l, 10);
    s->f->mute_but_versions = false;
    for (int i = 0; i < KP_KAFKA_IN_FLIGHT; i++) {
        wait_for(s, &stuck[i]);
        assert_true(stuck[i].err->retriable);
        kp_err_drop(stuck[i].err);
    }
    assert_string_equal(good(s, &waiting)->topics.v[0].name, "waiting");
    assert_int_equal(s->f->connections, 2);
}

/* A port that accepts and says nothing: the attempt that ate one call's whole time is started anew
 * for the others. */
static void test_stuck_attempt_is_started_anew(void **state)
{
    scene *s = *state;
    outcome first = { 0 }, second = { 0 };
    s->f->mute = true;
    ask(s, "first", 1100, &first);
    ask(s, "second", LONG, &second);
    fake_turn(s->l, 100);
    s->f->mute = false;
    bad(s, &first, KP_LINK_TIMED_OUT, true, "does not answer ApiVersions");
    assert_string_equal(good(s, &second)->topics.v[0].name, "second");
    assert_int_equal(s->f->connections, 2);
}

static void test_closed(void **state)
{
    static const struct {
        int cut; /* bytes of the answer; 0: while it is held back */
        const char *says;
    } rows[] = { { 0, "closed the connection" }, { 2, "in the middle" }, { 11, "in the middle" } };
    scene *s = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        outcome first = { 0 }, second = { 0 };
        s->f->cut = rows[i].cut;
        s->f->hold = !rows[i].cut;
        ask(s, "t", LONG, &first);
        ask(s, "t", LONG, &second);
        if (!rows[i].cut) {
            fake_turn(s->l, 20);
            fake_hang_up(s->f);
            s->f->hold = false;
        }
        bad(s, &first, KP_LINK_CLOSED, true, rows[i].says);
        bad(s, &second, KP_LINK_CLOSED, true, rows[i].says);
        works(s);
    }
}

static void test_closed_while_idle(void **state)
{
    scene *s = *state;
    works(s);
    fake_hang_up(s->f);
    fake_turn(s->l, 5);
    assert_null(kp_kafka_api_versions(s->k, NODE));
    works(s);
    assert_int_equal(s->f->connections, 2);
}

/* ---- failures of the protocol ---- */

static void test_wrong_correlation_id(void **state)
{
    scene *s = *state;
    outcome first = { 0 }, second = { 0 };
    s->f->correlation_off = 1;
    ask(s, "t", LONG, &first);
    ask(s, "t", LONG, &second);
    bad(s, &first, KP_LINK_PROTOCOL, false, "correlation");
    bad(s, &second, KP_LINK_PROTOCOL, false, "correlation");
    s->f->correlation_off = 0;
    works(s);
    assert_int_equal(s->f->connections, 2);
}

static void test_what_answers_is_not_kafka(void **state)
{
    static const struct {
        const char *greeting;
        size_t n;
        const char *says;
    } rows[] = {
        { "HTTP/1.1 400 Bad Request\r\n", 26, "not Kafka" },
        { "\x15\x03\x03\x00\x02\x02\x46", 7, "TLS" },
        { "\x00\x00\x00\x03\x00\x00\x00", 7, "not Kafka" },
        { "\x7f\xff\xff\xff", 4, "not Kafka" },
        { "\x00\x00\x00\x06\x00\x00\x00\x63\x00\x00", 10, "correlation id 99" },
        { "\x00\x00\x00\x06\x00\x00\x00\x01\x00\x2a", 10, "early" },
    };
    scene *s = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        outcome o = { 0 };
        s->f->greeting = rows[i].greeting;
        s->f->greeting_n = rows[i].n;
        s->f->mute = true;
        ask(s, "t", LONG, &o);
        bad(s, &o, KP_LINK_PROTOCOL, false, rows[i].says);
    }
    s->f->greeting = NULL;
    s->f->mute = false;
    works(s);
}

static void test_versions_refused_twice(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    s->f->versions_max = -1; /* whatever is asked */
    ask(s, "t", LONG, &o);
    bad(s, &o, KP_LINK_PROTOCOL, false, "UNSUPPORTED_VERSION");
}

static void test_no_version_in_common(void **state)
{
    static const struct {
        int min, max;
        const char *says;
    } rows[] = {
        { 13, 14, "v13 to v14, kplay v4 to v12" },
        { 0, 3, "v0 to v3, kplay v4 to v12" },
        { 1, 0, "does not offer Metadata" }, /* a controller listener */
    };
    scene *s = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        outcome o = { 0 };
        fake_range(s->f, KP_METADATA, rows[i].min, rows[i].max);
        fake_hang_up(s->f);
        fake_turn(s->l, 5);
        ask(s, "t", LONG, &o);
        wait_for(s, &o);
        assert_int_equal(o.err->cls, KP_CLUSTER);
        assert_false(o.err->retriable);
        assert_non_null(strstr(o.err->what, rows[i].says));
        kp_err_drop(o.err);
    }
    assert_int_equal(s->f->requests, 0);
}

static void test_question_the_version_cannot_carry(void **state)
{
    scene *s = *state;
    outcome o = { 0 };
    kp_describe_cluster_request q = { .endpoint_type = KP_ENDPOINT_CONTROLLERS };
    fake_range(s->f, KP_DESCRIBE_CLUSTER, 0, 0);
    kp_kafka_call(s->k, NODE, KP_DESCRIBE_CLUSTER, &q, s->a, kp_mono_now() + LONG, note, &o);
    wait_for(s, &o);
    assert_non_null(strstr(o.err->what, "endpoint_type: this version cannot carry it"));
    assert_int_equal(s->f->requests, 0);
    kp_err_drop(o.err);
    works(s);
}

static void test_faults_of_the_caller(void **state)
{
    scene *s = *state;
    outcome unknown = { 0 }, no_request = { 0 };
    kp_metadata_request q = { 0 };
    kp_kafka_call(s->k, 99, KP_METADATA, &q, s->a, kp_mono_now() + LONG, note, &unknown);
    kp_kafka_call(s->k, NODE, KP_METADATA, NULL, s->a, kp_mono_now() + LONG, note, &no_request);
    assert_false(unknown.done || no_request.done);
    wait_for(s, &unknown);
    wait_for(s, &no_request);
    assert_int_equal(unknown.err->cls, KP_INTERNAL);
    assert_int_equal(no_request.err->cls, KP_INTERNAL);
    kp_err_drop(unknown.err);
    kp_err_drop(no_request.err);
}

/* ---- cancelling, nodes, life ---- */

static void test_cancel(void **state)
{
    scene *s = *state;
    outcome waiting = { 0 }, sent = { 0 }, failing = { 0 };
    uint64_t ticket = ask(s, "waiting", LONG, &waiting);
    kp_kafka_cancel(s->k, ticket);
    works(s);
    s->f->hold = true;
    ticket = ask(s, "sent", LONG, &sent);
    fake_turn(s->l, 20);
    kp_kafka_cancel(s->k, ticket);
    kp_kafka_cancel(s->k, ticket); /* twice is as good as once */
    fake_release(s->f);
    works(s);
    assert_int_equal(s->f->connections, 1);
    kp_metadata_request q = { 0 };
    ticket = kp_kafka_call(s->k, 99, KP_METADATA, &q, s->a, kp_mono_now() + LONG, note, &failing);
    kp_kafka_cancel(s->k, ticket);
    kp_kafka_cancel(s->k, 123456);
    works(s);
    assert_int_equal(waiting.times + sent.times + failing.times, 0);
}

/* Asks again from inside the callback until `left` is 0. */
typedef struct chain {
    scene *s;
    int left;
    bool done;
} chain;

static void ask_again(void *ud, kp_err *err, const void *response)
{
    chain *c = ud;
    kp_metadata_request q = { .topics = { NULL, KP_NULL_LIST } };
    assert_null(err);
    assert_non_null(response);
    c->done = --c->left == 0;
    if (!c->done)
        kp_kafka_call(c->s->k, NODE, KP_METADATA, &q, c->s->a, kp_mono_now() + LONG, ask_again, c);
}

static void test_call_from_a_callback(void **state)
{
    chain c = { *state, 20, false };
    kp_metadata_request q = { .topics = { NULL, KP_NULL_LIST } };
    kp_kafka_call(c.s->k, NODE, KP_METADATA, &q, c.s->a, kp_mono_now() + LONG, ask_again, &c);
    assert_true(fake_wait(c.s->l, &c.done, LONG));
    assert_int_equal(kp_kafka_stat(c.s->k, NODE).requests, 20);
}

/* Gives the node another address from inside the callback of its own answer. */
static void move_away(void *ud, kp_err *err, const void *response KP_UNUSED)
{
    chain *c = ud;
    assert_null(err);
    must(kp_kafka_node(c->s->k, NODE, "127.0.0.1:1"));
    c->done = true;
}

static void test_connection_given_up_inside_its_own_callback(void **state)
{
    chain c = { *state, 0, false };
    outcome behind = { 0 };
    kp_metadata_request q = { .topics = { NULL, KP_NULL_LIST } };
    c.s->f->hold = true;
    kp_kafka_call(c.s->k, NODE, KP_METADATA, &q, c.s->a, kp_mono_now() + LONG, move_away, &c);
    ask(c.s, "behind", LONG, &behind);
    fake_turn(c.s->l, 30); /* both answers lie ready, and come in one read */
    fake_release(c.s->f);
    assert_true(fake_wait(c.s->l, &c.done, LONG));
    wait_for(c.s, &behind);
    assert_non_null(strstr(behind.err->what, "another address"));
    kp_err_drop(behind.err);
}

static void test_same_address_keeps_the_connection(void **state)
{
    scene *s = *state;
    works(s);
    must(kp_kafka_node(s->k, NODE, s->f->address));
    works(s);
    assert_int_equal(s->f->connections, 1);
}

static void test_addresses(void **state)
{
    static const struct {
        const char *address;
        bool ok;
    } rows[] = {
        { "host:9092", true },    { "127.0.0.1:1", true }, { "[::1]:9092", true },
        { "host", false },        { "host:", false },      { ":9092", false },
        { "host:0", false },      { "host:65536", false }, { "host:9092x", false },
        { "host:-1", false },     { "::1:9092", false },   { "[]:9092", false },
        { "host:999999", false }, { "", false },
    };
    scene *s = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_err *e = kp_kafka_node(s->k, 50, rows[i].address);
        if ((e == NULL) != rows[i].ok)
            fail_msg("%s: %s", rows[i].address, e ? e->what : "accepted");
        assert_true(!e || e->cls == KP_CONFIG);
        kp_err_drop(e);
    }
}

static void test_node_limit(void **state)
{
    scene *s = *state;
    for (int i = 1; i < KP_KAFKA_NODES; i++)
        must(kp_kafka_node(s->k, 1000 + i, "host:9092"));
    kp_err *e = kp_kafka_node(s->k, 7, "host:9092");
    assert_non_null(e);
    kp_err_drop(e);
}

static void test_free_with_calls_open(void **state)
{
    scene *s = *state;
    outcome o[8] = { 0 };
    kp_metadata_request q = { 0 };
    works(s);
    s->f->mute_but_versions = true;
    for (int i = 0; i < 6; i++) /* five sent, one waiting */
        ask(s, "t", LONG, &o[i]);
    fake_turn(s->l, 10);
    kp_kafka_call(s->k, 99, KP_METADATA, &q, s->a, kp_mono_now() + LONG, note, &o[6]); /* failing */
    kp_kafka_cancel(s->k, ask(s, "t", LONG, &o[7]));
    kp_kafka_free(s->k);
    s->k = NULL;
    fake_turn(s->l, 20);
    for (int i = 0; i < 8; i++)
        assert_int_equal(o[i].times, 0);
}

static void test_link_names(void **state KP_UNUSED)
{
    assert_string_equal(kp_link_name(KP_LINK_REFUSED), "refused");
    assert_string_equal(kp_link_name(KP_LINK_PROTOCOL), "protocol error");
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(test_one_call),
        IN_SCENE(test_request_is_copied),
        IN_SCENE(test_old_brokers_are_asked_in_their_versions),
        IN_SCENE(test_features_are_read),
        IN_SCENE(test_pipelined_answers),
        IN_SCENE(test_bytes_left_over_are_tolerated),
        IN_SCENE(test_large_answer),
        IN_SCENE(test_refused),
        IN_SCENE(test_names),
        IN_SCENE(test_deadline),
        IN_SCENE(test_deadline_in_the_past),
        IN_SCENE(test_late_answer_is_dropped),
        IN_SCENE(test_frozen_node_costs_one_connection),
        IN_SCENE(test_waiting_calls_move_to_a_new_connection),
        IN_SCENE(test_stuck_attempt_is_started_anew),
        IN_SCENE(test_closed),
        IN_SCENE(test_closed_while_idle),
        IN_SCENE(test_wrong_correlation_id),
        IN_SCENE(test_what_answers_is_not_kafka),
        IN_SCENE(test_versions_refused_twice),
        IN_SCENE(test_no_version_in_common),
        IN_SCENE(test_question_the_version_cannot_carry),
        IN_SCENE(test_faults_of_the_caller),
        IN_SCENE(test_cancel),
        IN_SCENE(test_call_from_a_callback),
        IN_SCENE(test_connection_given_up_inside_its_own_callback),
        IN_SCENE(test_same_address_keeps_the_connection),
        IN_SCENE(test_addresses),
        IN_SCENE(test_node_limit),
        IN_SCENE(test_free_with_calls_open),
        cmocka_unit_test(test_link_names),
    };
    return cmocka_run_group_tests_name("kafka/client", tests, NULL, NULL);
}
