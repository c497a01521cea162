/* What the live world makes of the answers of brokers and controllers, and whom it asks: on nodes
 * that say what a test wants.  The same requests are asked of real Kafka by the lab. */
#include "with_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/with_fake_broker.h"

/* A fake node: an answer per API, and what it was asked. */
typedef struct actor actor;
typedef const void *(*act_fn)(actor *x, const fake_request *rq, kp_arena *a);

typedef struct actor {
    fake_broker *f;
    act_fn metadata, other;
    int asked[128];   /* by API key */
    char topics[256]; /* named in the last Metadata or DescribeConfigs request: "a,b,"; "*" all */
    int mode;         /* of the test */
} actor;

static void note_topics(actor *x, const fake_request *rq)
{
    KP_AUTO_BUF b = KP_BUF_INIT(sizeof x->topics - 1);
    if (rq->api == KP_METADATA) {
        const kp_metadata_request *m = rq->message;
        if (m->topics.n < 0)
            kp_buf_str(&b, "*");
        for (int32_t i = 0; i < m->topics.n; i++)
            kp_buf_fmt(&b, "%s,", m->topics.v[i].name);
    } else if (rq->api == KP_DESCRIBE_CONFIGS) {
        const kp_describe_configs_request *m = rq->message;
        for (int32_t i = 0; i < m->resources.n; i++)
            kp_buf_fmt(&b, "%s,", m->resources.v[i].resource_name);
    } else {
        return;
    }
    memcpy(x->topics, kp_buf_text(&b), b.n + 1);
}

static const void *on_request(void *ud, fake_broker *f, const fake_request *rq, kp_arena *a)
{
    actor *x = ud;
    (void)f;
    x->asked[rq->api]++;
    note_topics(x, rq);
    return rq->api == KP_METADATA ? x->metadata(x, rq, a) : x->other(x, rq, a);
}

static const void *nothing(actor *x, const fake_request *rq, kp_arena *a)
{
    (void)x;
    (void)a;
    fail_msg("API %d was asked", rq->api);
    return NULL;
}

static actor *play(site *s, int listener, act_fn metadata, act_fn other)
{
    actor *x = KP_NEW(s->a, actor);
    *x = (actor) { .metadata = metadata ? metadata : nothing, .other = other ? other : nothing };
    x->f = fake_start(s->lv->l, 0);
    x->f->answer = on_request;
    x->f->ud = x;
    site_at(s, listener, x->f->address);
    return x;
}

static void leave(actor *x)
{
    fake_stop(x->f);
}

static kp_request ask(kp_req kind, int node)
{
    return (kp_request) { .kind = kind, .node = node, .within = 20 * KP_SECOND };
}

/* ---- Metadata: brokers 1 and 2 live, 3 is not; topics b (2 partitions) and a (1), in this order
 * ---- */

enum { A_IS_ANOTHER = 1, A_IS_GONE, B_IS_FORBIDDEN, IN_SYNC, LEADER_IS_ELSEWHERE };

static const int32_t ids[] = { 1, 2, 3 };

static kp_metadata_partition partition(int32_t index, int32_t leader, int32_t replicas, int32_t isr)
{
    return (kp_metadata_partition) { .partition_index = index,
                                     .leader_id = leader,
                                     .leader_epoch = 5 + index,
                                     .replica_nodes = { ids, replicas },
                                     .isr_nodes = { ids, isr } };
}

static bool wanted(const kp_metadata_request *m, const char *topic)
{
    for (int32_t i = 0; i < m->topics.n; i++)
        if (kp_streq(m->topics.v[i].name, topic))
            return true;
    return m->topics.n < 0;
}

static const void *metadata(actor *x, const fake_request *rq, kp_arena *a)
{
    const kp_metadata_request *m = rq->message;
    kp_metadata_response *r = KP_NEW(a, kp_metadata_response);
    kp_metadata_broker *brokers = KP_NEW_ARRAY(a, 2, kp_metadata_broker);
    kp_metadata_topic *topics = KP_NEW_ARRAY(a, 2, kp_metadata_topic);
    kp_metadata_partition *b = KP_NEW_ARRAY(a, 2, kp_metadata_partition),
                          *one = KP_NEW_ARRAY(a, 1, kp_metadata_partition);
    assert_false(m->allow_auto_topic_creation);
    brokers[0] = (kp_metadata_broker) { 2, "b2", 9092, "east" };
    brokers[1] = (kp_metadata_broker) { 1, "b1", 9092, NULL };
    int32_t isr = x->mode == IN_SYNC ? 3 : 2, n = 0;
    b[0] = partition(1, 2, 3, isr);
    b[1] = partition(0, -1, 3, isr);
    b[1].error_code = x->mode == LEADER_IS_ELSEWHERE ? 72 : 5;
    one[0] = partition(0, 1, 2, 2);
    if (wanted(m, "b"))
        topics[n++] = (kp_metadata_topic) { .name = "b",
                                            .error_code = x->mode == B_IS_FORBIDDEN ? 29 : 0,
                                            .topic_id = { { 2 } },
                                            .partitions = { b, 2 } };
    if (wanted(m, "a"))
        topics[n++] = (kp_metadata_topic) {
            .name = "a",
            .error_code = x->mode == A_IS_GONE ? 3 : 0,
            .topic_id = { { x->mode == A_IS_ANOTHER ? 9 : 1 } },
            .partitions = { one, x->mode == A_IS_GONE ? 0 : 1 },
        };
    *r = (kp_metadata_response) { .brokers = { brokers, 2 },
                                  .cluster_id = "cluster-1",
                                  .controller_id = 2,
                                  .cluster_authorized_operations = INT32_MIN,
                                  .topics = { topics, n } };
    return r;
}

static const void *topic_configs(actor *x, const fake_request *rq, kp_arena *a)
{
    const kp_describe_configs_request *m = rq->message;
    kp_describe_configs_response *r = KP_NEW(a, kp_describe_configs_response);
    kp_describe_configs_result *v = KP_NEW_ARRAY(a, (size_t)m->resources.n,
                                                 kp_describe_configs_result);
    static const kp_config_entry entries[] = {
        { .name = "unclean.leader.election.enable", .value = "true", .config_source = 1 },
        { .name = "min.insync.replicas", .value = "2", .config_source = 1 },
    };
    (void)x;
    assert_int_equal(rq->api, KP_DESCRIBE_CONFIGS);
    for (int32_t i = 0; i < m->resources.n; i++) {
        const kp_describe_configs_resource *q = &m->resources.v[i];
        assert_int_equal(q->resource_type, KP_RESOURCE_TOPIC);
        assert_int_equal(q->configuration_keys.n, 2);
        bool known = kp_streq(q->resource_name, "b");
        v[i] = (kp_describe_configs_result) { .error_code = known ? 0 : 29,
                                              .resource_type = q->resource_type,
                                              .resource_name = q->resource_name,
                                              .configs = { entries, known ? 2 : 0 } };
    }
    r->results.v = v;
    r->results.n = m->resources.n;
    return r;
}

static void test_a_view_is_what_one_broker_says(void **state)
{
    (void)state;
    site *s = site_new(3, 0);
    actor *x = play(s, 1, metadata, topic_configs);
    const kp_view *v = site_view(s, ask(KP_Q_VIEW, 1));
    assert_int_equal(v->node, 1);
    assert_true(v->whole);
    assert_string_equal(v->cluster_id, "cluster-1");
    assert_int_equal(v->controller, 2);
    assert_true(llabs(v->at - kp_now(s->w)) < KP_MINUTE);
    assert_int_equal(v->n_brokers, 3);
    assert_true(v->brokers[0].alive && v->brokers[1].alive && !v->brokers[2].alive);
    assert_string_equal(v->brokers[1].rack, "east");
    assert_string_equal(v->brokers[0].rack, "");
    assert_int_equal(v->n_topics, 2);
    assert_string_equal(v->topics[0].name, "a");
    assert_int_equal(v->topics[1].id[0], 2);
    assert_int_equal(v->n_parts, 3);
    /* b's partitions came as 1, 0. */
    assert_int_equal(kp_view_leader_id(v, v->topics[1].first), -1);
    assert_int_equal(kp_view_leader_id(v, v->topics[1].first + 1), 2);
    assert_int_equal(v->leader_epoch[v->topics[1].first + 1], 6);
    assert_int_equal(v->counts.urp, 2);
    assert_int_equal(v->counts.offline, 1);
    assert_int_equal(v->out_of_sync[kp_view_slot(v, 3)], 2);
    assert_int_equal(v->min_isr[0] + v->min_isr[1] + v->min_isr[2], 0);
    assert_int_equal(x->asked[KP_DESCRIBE_CONFIGS], 0);
    assert_string_equal(x->topics, "*");
    assert_int_equal(kp_live_stats_of(s->w).round_trips, 1);
    leave(x);
    site_end(s);
}

static void test_topic_configs_are_remembered_by_id(void **state)
{
    (void)state;
    site *s = site_new(3, 0);
    actor *x = play(s, 1, metadata, topic_configs), *y = play(s, 2, metadata, nothing);
    kp_request q = ask(KP_Q_VIEW, 1);
    q.view.with_config = true;
    const kp_view *v = site_view(s, q);
    assert_string_equal(x->topics, "a,b,");
    assert_int_equal(v->min_isr[0], 0); /* a may not be described: not known */
    assert_int_equal(v->min_isr[1], 2);
    assert_int_equal(v->flags[0], 0);
    assert_int_equal(v->flags[2], KP_PART_UNCLEAN);
    assert_int_equal(v->counts.at_min_isr, 2);
    /* Another broker's view takes them over. */
    v = site_view(s, ask(KP_Q_VIEW, 2));
    assert_int_equal(v->min_isr[1], 2);
    assert_int_equal(y->asked[KP_METADATA], 1);
    leave(x);
    leave(y);
    site_end(s);

    /* A topic deleted and made again is another one. */
    static const kp_topic_config known[] = { { "a", { 1 }, 2, true }, { "b", { 2 }, 3, false } };
    kp_topic_configs c = { .a = { kp_arena_new("t", 1 << 20), kp_arena_new("t", 1 << 20) } };
    uint8_t one[16] = { 1 }, two[16] = { 2 };
    assert_null(kp_topic_configs_get(&c, "a", one));
    kp_topic_configs_put(&c, known, 2);
    assert_int_equal(kp_topic_configs_get(&c, "a", one)->min_isr, 2);
    assert_null(kp_topic_configs_get(&c, "a", two));
    kp_topic_configs_put(&c, known + 1, 1);
    assert_null(kp_topic_configs_get(&c, "a", one));
    assert_int_equal(kp_topic_configs_get(&c, "b", two)->min_isr, 3);
    kp_arena_free(c.a[0]);
    kp_arena_free(c.a[1]);
}

static void test_following_asks_for_less(void **state)
{
    (void)state;
    site *s = site_new(3, 0);
    actor *x = play(s, 1, metadata, topic_configs);
    kp_request q = ask(KP_Q_VIEW, 1);
    q.view.seen = site_view(s, ask(KP_Q_VIEW, 1));
    static const struct {
        kp_maybe_id follow;
        bool with_config, whole;
        const char *topics;
    } rows[] = {
        { { true, 3 }, false, false, "b," }, /* out of sync in b alone */
        { { true, 3 }, true, true, "a,b," }, /* configurations are read of every topic */
        { { true, 1 }, false, true, "*" },   /* in sync everywhere */
        { { false, 0 }, false, true, "*" },   { { true, 77 }, false, true, "*" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        q.view.follow = rows[i].follow;
        q.view.with_config = rows[i].with_config;
        const kp_view *v = site_view(s, q);
        assert_int_equal(v->whole, rows[i].whole);
        assert_string_equal(x->topics, rows[i].topics);
        assert_int_equal(v->n_topics, rows[i].whole ? 2 : 1);
    }
    x->mode = IN_SYNC;
    q.view.follow = kp_somebody(3);
    q.view.with_config = false;
    assert_int_equal(site_view(s, q)->out_of_sync[2], 0);
    /* One that is deleted meanwhile is left out; one that may not be seen is not taken for that. */
    x->mode = A_IS_GONE;
    assert_int_equal(site_view(s, ask(KP_Q_VIEW, 1))->n_topics, 1);
    x->mode = B_IS_FORBIDDEN;
    const kp_view *v = site_view(s, q);
    assert_int_equal(v->n_topics, 0);
    assert_int_equal(kp_view_behind(v, 3, NULL, NULL, 0), 1);
    leave(x);
    site_end(s);
}

static void test_one_topic_error_is_not_the_end_of_the_view(void **state)
{
    (void)state;
    site *s = site_new(3, 0);
    actor *x = play(s, 1, metadata, topic_configs);
    x->mode = B_IS_FORBIDDEN;
    kp_request q = ask(KP_Q_VIEW, 1);
    q.view.with_config = true;
    const kp_view *v = site_view(s, q);
    assert_int_equal(v->n_topics, 1);
    assert_string_equal(v->topics[0].name, "a");
    assert_int_equal(v->n_bad, 1);
    assert_string_equal(v->bad[0].name, "b");
    assert_int_equal(v->bad[0].code, 29);
    assert_string_equal(v->bad[0].error, "TOPIC_AUTHORIZATION_FAILED");
    leave(x);
    site_end(s);
}

static void test_a_leader_without_our_listener_is_flagged(void **state)
{
    (void)state;
    site *s = site_new(3, 0);
    actor *x = play(s, 1, metadata, topic_configs);
    const kp_view *v = site_view(s, ask(KP_Q_VIEW, 1));
    for (uint32_t p = 0; p < v->n_parts; p++)
        assert_false(v->flags[p] & KP_PART_NO_LISTENER);
    x->mode = LEADER_IS_ELSEWHERE;
    v = site_view(s, ask(KP_Q_VIEW, 1));
    for (uint32_t p = 0; p < v->n_parts; p++)
        assert_int_equal((v->flags[p] & KP_PART_NO_LISTENER) != 0, p == v->topics[1].first);
    leave(x);
    site_end(s);
}

/* ---- whom any node is ---- */

static void test_any_goes_on_to_the_next(void **state)
{
    (void)state;
    site *s = site_new(3, 0);
    site_deaf(s, 1); /* 2 refuses */
    actor *x = play(s, 3, metadata, nothing);
    kp_reply r = site_ask(s, ask(KP_Q_VIEW, KP_ANY_NODE));
    assert_null(r.err);
    assert_int_equal(r.node, 3);
    assert_int_equal(r.view->node, 3);
    assert_true(r.took_us < 10 * 1000 * 1000);
    /* Once one has answered it is asked first. */
    r = site_ask(s, ask(KP_Q_VIEW, KP_ANY_NODE));
    assert_int_equal(r.node, 3);
    assert_true(r.took_us < 250 * 1000);
    leave(x);
    r = site_ask(s, (kp_request) { .kind = KP_Q_VIEW, .node = KP_ANY_NODE, .within = 500 });
    assert_non_null(r.err);
    kp_err_drop(r.err);
    site_end(s);
}

static void test_a_dead_connection_is_no_answer(void **state)
{
    (void)state;
    site *s = site_new(1, 0);
    actor *x = play(s, 1, metadata, nothing);
    site_view(s, ask(KP_Q_VIEW, 1));
    fake_hang_up(x->f); /* and nobody looks before the next question */
    site_view(s, ask(KP_Q_VIEW, 1));
    assert_int_equal(x->f->connections, 2);
    x->f->cut = 3;
    site_view(s, ask(KP_Q_VIEW, 1)); /* once more, not for ever */
    assert_int_equal(x->asked[KP_METADATA], 4);
    leave(x);
    site_end(s);
}

/* ---- nodes ---- */

static const void *describe_cluster(actor *x, const fake_request *rq, kp_arena *a)
{
    const kp_describe_cluster_request *m = rq->message;
    kp_describe_cluster_response *r = KP_NEW(a, kp_describe_cluster_response);
    (void)x;
    assert_int_equal(rq->api, KP_DESCRIBE_CLUSTER);
    assert_int_equal(m->endpoint_type, KP_ENDPOINT_CONTROLLERS);
    *r = (kp_describe_cluster_response) { .endpoint_type = KP_ENDPOINT_CONTROLLERS,
                                          .cluster_id = "cluster-1",
                                          .controller_id = 3002 };
    return r;
}

static void test_what_a_node_says_of_itself(void **state)
{
    (void)state;
    site *s = site_new(2, 2);
    static const kp_supported_feature can[] = { { "metadata.version", 1, 19 } };
    static const kp_finalized_feature is[] = { { "metadata.version", 17, 1 } };
    actor *x = play(s, 1, metadata, nothing), *c = play(s, -2 - 3001, NULL, describe_cluster);
    x->f->versions.supported_features.v = c->f->versions.supported_features.v = can;
    x->f->versions.supported_features.n = c->f->versions.supported_features.n = 1;
    x->f->versions.finalized_features.v = is;
    x->f->versions.finalized_features.n = 1;
    assert_json(s, site_value(s, ask(KP_Q_NODE, 1)),
                "{\"cluster_id\":\"cluster-1\",\"controller\":2,\"features\":"
                "{\"metadata.version\":17},\"metadata_version\":17,\"metadata_version_max\":19,"
                "\"metadata_version_min\":1,\"mode\":\"kraft\",\"release\":\"3.7\",\"supported\":{"
                "\"metadata.version\":{\"max\":19,\"min\":1}},"
                "\"zk_migration_ready\":false}");
    /* Finalized features change under an open connection. */
    static const kp_finalized_feature later[] = { { "metadata.version", 19, 1 } };
    x->f->versions.finalized_features.v = later;
    assert_int_equal(kp_get_int(site_value(s, ask(KP_Q_NODE, 1)), "metadata_version", 0), 19);
    assert_int_equal(x->f->connections, 1);

    fake_range(c->f, 52, 0, 0);
    assert_json(s, site_value(s, ask(KP_Q_NODE, 3001)),
                "{\"cluster_id\":\"cluster-1\",\"controller\":3002,\"features\":{},"
                "\"metadata_version_max\":19,\"metadata_version_min\":1,\"mode\":\"controller\","
                "\"release\":\"3.7\",\"supported\":{\"metadata.version\":{\"max\":19,\"min\":1}},"
                "\"zk_migration_ready\":false}");
    /* Controllers before 3.7 do not tell the cluster. */
    fake_range(c->f, KP_DESCRIBE_CLUSTER, 1, 0);
    fake_hang_up(c->f);
    const kp_value *old = site_value(s, ask(KP_Q_NODE, 3001));
    assert_null(kp_get(old, "cluster_id"));
    assert_string_equal(kp_get_text(old, "mode", ""), "controller");

    kp_reply r = site_ask(s, ask(KP_Q_NODE, KP_ANY_NODE));
    assert_int_equal(r.node, 1);
    leave(x);
    r = site_ask(s, ask(KP_Q_NODE, KP_ANY_NODE));
    assert_int_equal(r.node, 3001);

    fake_range(c->f, 52, 1, 0);
    fake_range(c->f, KP_DESCRIBE_QUORUM, 1, 0);
    fake_range(c->f, KP_UNREGISTER_BROKER, 1, 0);
    fake_hang_up(c->f);
    site_fails(s, ask(KP_Q_NODE, 3001), KP_CLUSTER, "no Kafka that kplay knows");
    leave(c);
    site_end(s);
}

/* ---- quorum ---- */

enum { LEADS = 1, FOLLOWS, FAILS, OLD_LEVEL };

static const void *quorum(actor *x, const fake_request *rq, kp_arena *a)
{
    static const kp_quorum_replica voters[] = {
        { .replica_id = 3001,
          .log_end_offset = 90,
          .last_fetch_timestamp = 900,
          .last_caught_up_timestamp = 850 },
        { .replica_id = 3002,
          .log_end_offset = 100,
          .last_fetch_timestamp = -1,
          .last_caught_up_timestamp = 1000 },
        { .replica_id = 3003,
          .log_end_offset = -1,
          .last_fetch_timestamp = -1,
          .last_caught_up_timestamp = -1 },
    };
    static const kp_quorum_replica observers[] = { { .replica_id = 1, .log_end_offset = 99 } };
    const kp_describe_quorum_request *m = rq->message;
    kp_describe_quorum_response *r = KP_NEW(a, kp_describe_quorum_response);
    kp_quorum_topic *t = KP_NEW(a, kp_quorum_topic);
    kp_quorum_partition *p = KP_NEW(a, kp_quorum_partition);
    assert_int_equal(rq->api, KP_DESCRIBE_QUORUM);
    assert_string_equal(m->topics.v[0].topic_name, "__cluster_metadata");
    *p = (kp_quorum_partition) { .error_code = 6, .leader_id = -1 };
    if (x->mode == LEADS)
        *p = (kp_quorum_partition) { .leader_id = 3002,
                                     .leader_epoch = 7,
                                     .high_watermark = 99,
                                     .current_voters = { voters, 3 },
                                     .observers = { observers, 1 } };
    *t = (kp_quorum_topic) { "__cluster_metadata", { p, 1 } };
    r->topics.v = t;
    r->topics.n = 1;
    r->error_code = x->mode == FAILS ? 31 : 0;
    return r;
}

#define NO_LEADER                                                                                  \
    "{\"epoch\":-1,\"high_watermark\":-1,\"leader\":-1,\"observers\":[],\"voters\":[]}"
#define LEADER_3002                                                                                \
    "{\"epoch\":7,\"high_watermark\":99,\"leader\":3002,\"observers\":[1],\"voters\":["            \
    "{\"behind\":10,\"caught_up_ms\":150,\"end_offset\":90,\"fetched_ms\":100,\"id\":3001},"       \
    "{\"behind\":0,\"caught_up_ms\":0,\"end_offset\":100,\"fetched_ms\":0,\"id\":3002},"           \
    "{\"behind\":100,\"caught_up_ms\":-1,\"end_offset\":-1,\"fetched_ms\":-1,\"id\":3003}]}"

/* What each controller does (0: refuses, -1: is silent) and broker 1, and what comes of it. */
static void test_the_quorum_is_its_leaders(void **state)
{
    (void)state;
    static const struct {
        int controller[3], broker;
        const char *says, *error;
    } rows[] = {
        { { FOLLOWS, LEADS, FOLLOWS }, 0, LEADER_3002, NULL },
        { { -1, LEADS, 0 }, 0, LEADER_3002, NULL },
        { { FOLLOWS, FOLLOWS, FOLLOWS }, LEADS, NO_LEADER, NULL }, /* brokers need not be asked */
        { { FOLLOWS, 0, FOLLOWS }, LEADS, LEADER_3002, NULL },     /* cut off from here only */
        { { FOLLOWS, -1, FOLLOWS }, LEADS, LEADER_3002, NULL },
        { { FOLLOWS, 0, FOLLOWS }, 0, NO_LEADER, NULL },
        { { FOLLOWS, -1, FOLLOWS }, 0, NO_LEADER, NULL },
        { { 0, 0, 0 }, LEADS, LEADER_3002, NULL },
        { { -1, -1, -1 }, LEADS, LEADER_3002, NULL },
        { { 0, 0, 0 }, 0, NULL, "refused" },
        { { 0, 0, 0 }, FOLLOWS, NULL, "NOT_LEADER_OR_FOLLOWER" },
        { { FAILS, FAILS, FAILS }, FAILS, NULL, "CLUSTER_AUTHORIZATION_FAILED" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        site *s = site_new(1, 3);
        actor *x[4] = { NULL };
        for (int k = 0; k < 4; k++) {
            int does = k < 3 ? rows[i].controller[k] : rows[i].broker;
            int listener = k < 3 ? kp_controller_listener(3001 + k) : 1;
            if (does > 0) {
                x[k] = play(s, listener, NULL, quorum);
                x[k]->mode = does;
            } else if (does < 0) {
                site_deaf(s, listener);
            }
        }
        if (rows[i].says)
            assert_json(s, site_value(s, ask(KP_Q_QUORUM, KP_ANY_NODE)), rows[i].says);
        else
            site_fails(s, ask(KP_Q_QUORUM, KP_ANY_NODE), KP_CLUSTER, rows[i].error);
        for (int k = 0; k < 4; k++)
            if (x[k])
                leave(x[k]);
        site_end(s);
    }
}

static void test_zookeeper_has_no_quorum(void **state)
{
    (void)state;
    site *s = site_new(1, 0);
    actor *x = play(s, 1, metadata, nothing);
    fake_range(x->f, KP_DESCRIBE_QUORUM, 1, 0);
    assert_false(site_fails(s, ask(KP_Q_QUORUM, KP_ANY_NODE), KP_CLUSTER, "ZooKeeper mode"));
    leave(x);
    site_end(s);
}

static void test_a_combined_node_has_two_listeners(void **state)
{
    (void)state;
    site *s = site_new_combined(1);
    actor *b = play(s, 1, metadata, nothing), *c = play(s, kp_controller_listener(1), NULL, quorum);
    c->mode = LEADS;
    kp_reply r = site_ask(s, ask(KP_Q_QUORUM, KP_ANY_NODE));
    assert_null(r.err);
    assert_int_equal(r.node, 1);
    site_view(s, ask(KP_Q_VIEW, 1));
    assert_int_equal(b->asked[KP_METADATA], 1);
    assert_int_equal(c->asked[KP_DESCRIBE_QUORUM], 1);
    leave(b);
    leave(c);
    site_end(s);
}

/* ---- what the controller alone answers ---- */

static const void *controllers_business(actor *x, const fake_request *rq, kp_arena *a)
{
    static const int32_t two[] = { 4, 5 };
    int16_t code = x->mode == LEADS ? 0 : 41;
    if (rq->api == KP_LIST_PARTITION_REASSIGNMENTS) {
        const kp_list_partition_reassignments_request *m = rq->message;
        assert_int_equal(m->topics.n, KP_NULL_LIST);
        assert_true(m->timeout_ms > 0);
        kp_list_partition_reassignments_response *r = KP_NEW(
            a, kp_list_partition_reassignments_response);
        kp_reassigning_topic *t = KP_NEW(a, kp_reassigning_topic);
        kp_reassigning_partition *p = KP_NEW(a, kp_reassigning_partition);
        *p = (kp_reassigning_partition) { 3, { ids, 3 }, { two, 1 }, { two, 2 } };
        *t = (kp_reassigning_topic) { "a", { p, 1 } };
        r->error_code = code;
        r->topics.v = t;
        r->topics.n = code ? 0 : 1;
        return r;
    }
    assert_int_equal(rq->api, KP_ELECT_LEADERS);
    const kp_elect_leaders_request *m = rq->message;
    kp_elect_leaders_response *r = KP_NEW(a, kp_elect_leaders_response);
    kp_elect_result *t = KP_NEW(a, kp_elect_result);
    kp_elect_partition_result *p = KP_NEW(a, kp_elect_partition_result);
    assert_int_equal(m->election_type, KP_ELECTION_PREFERRED);
    assert_int_equal(m->topic_partitions.n, 2);
    assert_string_equal(m->topic_partitions.v[0].topic, "a");
    assert_int_equal(m->topic_partitions.v[0].partitions.n, 2);
    assert_int_equal(m->topic_partitions.v[0].partitions.v[1], 4);
    assert_string_equal(m->topic_partitions.v[1].topic, "b");
    *p = (kp_elect_partition_result) { 0, code ? code : 84, NULL };
    *t = (kp_elect_result) { "a", { p, 1 } };
    r->error_code = rq->version ? code : 0;
    r->replica_election_results.v = t;
    r->replica_election_results.n = 1;
    return r;
}

static void test_the_controller_is_found(void **state)
{
    (void)state;
    static const kp_req kinds[] = { KP_Q_REASSIGNMENTS, KP_A_ELECT };
    for (size_t i = 0; i < KP_COUNT(kinds) * 2; i++) {
        site *s = site_new(2, 0);
        actor *x = play(s, 1, metadata, controllers_business);
        actor *y = play(s, 2, metadata, controllers_business);
        y->mode = LEADS;
        bool oldest = i >= KP_COUNT(kinds);
        if (oldest) {
            fake_range(x->f, KP_ELECT_LEADERS, 0, 0);
            fake_range(y->f, KP_ELECT_LEADERS, 0, 0);
        }
        kp_request q = ask(kinds[i % KP_COUNT(kinds)], KP_ANY_NODE);
        if (q.kind == KP_A_ELECT)
            q.elect.partitions = json(
                s, "[{\"topic\":\"b\",\"partition\":1},{\"topic\":\"a\",\"partition\":4},"
                   "{\"topic\":\"a\",\"partition\":0}]");
        kp_reply r = site_ask(s, q);
        if (r.err)
            fail_msg("%s", kp_err_text(s->a, r.err));
        assert_int_equal(r.node, 2);
        if (q.kind == KP_Q_REASSIGNMENTS)
            assert_json(s, r.value,
                        "[{\"adding\":[4],\"partition\":3,\"removing\":[4,5],\"replicas\":[1,2,3],"
                        "\"topic\":\"a\"}]");
        else
            assert_null(r.value);
        /* From then on it is asked first. */
        int before = x->asked[KP_LIST_PARTITION_REASSIGNMENTS] + x->asked[KP_ELECT_LEADERS];
        r = site_ask(s, q);
        assert_null(r.err);
        assert_int_equal(x->asked[KP_LIST_PARTITION_REASSIGNMENTS] + x->asked[KP_ELECT_LEADERS],
                         before);
        y->mode = FOLLOWS;
        assert_true(site_fails(s, q, KP_CLUSTER, "NOT_CONTROLLER"));
        leave(x);
        leave(y);
        site_end(s);
    }
}

/* An action that a broker took and did not answer is not given to a second one. */
static void test_actions_are_not_hedged(void **state)
{
    (void)state;
    site *s = site_new(2, 0);
    site_deaf(s, 1);
    actor *x = play(s, 2, metadata, controllers_business);
    x->mode = LEADS;
    kp_request q = ask(KP_A_ELECT, KP_ANY_NODE);
    q.within = 900;
    assert_true(site_fails(s, q, KP_CLUSTER, "timed out"));
    assert_int_equal(x->asked[KP_ELECT_LEADERS], 0);
    leave(x);
    site_end(s);
}

/* ---- configurations and log dirs ---- */

static const void *configs(actor *x, const fake_request *rq, kp_arena *a)
{
    static const kp_config_synonym synonyms[] = { { "x", "3.5", 4 }, { "x", "3.7-IV4", 5 } };
    static const kp_config_entry entries[] = {
        { .name = "x", .value = "3.5", .config_source = 4, .synonyms = { synonyms, 2 } },
        { .name = "y", .value = "7", .config_source = 5 },
        { .name = "password", .value = NULL, .config_source = 4, .is_sensitive = true },
    };
    if (rq->api == KP_INCREMENTAL_ALTER_CONFIGS) {
        const kp_incremental_alter_configs_request *m = rq->message;
        kp_incremental_alter_configs_response *r = KP_NEW(a, kp_incremental_alter_configs_response);
        kp_alter_configs_result *one = KP_NEW(a, kp_alter_configs_result);
        assert_int_equal(m->resources.n, 1);
        const kp_alter_configs_resource *q = m->resources.v;
        assert_false(m->validate_only);
        assert_int_equal(q->configs.n, 2);
        assert_int_equal(q->configs.v[0].config_operation, KP_ALTER_DELETE);
        assert_string_equal(q->configs.v[1].value, "1");
        snprintf(x->topics, sizeof x->topics, "%d:%s", q->resource_type, q->resource_name);
        *one = (kp_alter_configs_result) { x->mode == FAILS ? 40 : 0, "no such key", 2, "a" };
        r->responses.v = one;
        r->responses.n = 1;
        return r;
    }
    assert_int_equal(rq->api, KP_DESCRIBE_CONFIGS);
    const kp_describe_configs_request *m = rq->message;
    kp_describe_configs_response *r = KP_NEW(a, kp_describe_configs_response);
    kp_describe_configs_result *v = KP_NEW_ARRAY(a, (size_t)m->resources.n,
                                                 kp_describe_configs_result);
    assert_true(m->include_synonyms);
    for (int32_t i = 0; i < m->resources.n; i++)
        v[i] = (kp_describe_configs_result) {
            .error_code = x->mode == FAILS ? 3 : 0,
            .resource_type = m->resources.v[i].resource_type,
            .resource_name = m->resources.v[i].resource_name,
            .configs = { entries, m->resources.v[i].configuration_keys.n < 0 ? 3 : 1 },
        };
    r->results.v = v;
    r->results.n = m->resources.n;
    return r;
}

static void test_configurations(void **state)
{
    (void)state;
    site *s = site_new(2, 0);
    actor *x = play(s, 1, metadata, configs), *y = play(s, 2, metadata, configs);
    kp_request q = ask(KP_Q_CONFIG, 2);
    q.config.resource = "broker";
    q.config.keys = json(s, "[\"x\"]");
    assert_json(s, site_value(s, q),
                "{\"2\":{\"x\":{\"default\":\"3.7-IV4\",\"source\":4,\"value\":\"3.5\"}}}");
    q.config.keys = NULL;
    q.node = KP_ANY_NODE;
    q.config.names = json(s, "[\"2\"]"); /* asked of that very broker */
    assert_json(s, site_value(s, q),
                "{\"2\":{\"password\":{\"source\":4},\"x\":{\"default\":\"3.7-IV4\",\"source\":4,"
                "\"value\":\"3.5\"},\"y\":{\"default\":\"7\",\"source\":5,\"value\":\"7\"}}}");
    assert_int_equal(x->asked[KP_DESCRIBE_CONFIGS], 0);
    q.config.names = json(s, "[\"\"]");
    assert_non_null(kp_get(site_value(s, q), ""));

    q.config.resource = "topic";
    q.config.names = NULL;
    q.config.keys = json(s, "[\"x\"]");
    assert_int_equal(kp_len(site_value(s, q)), 2); /* a and b */
    x->mode = y->mode = FAILS;                     /* deleted between the two questions */
    assert_int_equal(kp_len(site_value(s, q)), 0);
    q.config.names = json(s, "[\"a\"]");
    site_fails(s, q, KP_CLUSTER, "UNKNOWN_TOPIC_OR_PARTITION (3): topic a");
    leave(x);
    leave(y);
    site_end(s);
}

static void test_configurations_are_changed(void **state)
{
    (void)state;
    site *s = site_new(2, 0);
    actor *x = play(s, 1, metadata, configs), *y = play(s, 2, metadata, configs);
    static const struct {
        const char *resource, *name, *at_1, *at_2;
    } rows[] = {
        { "topic", "a", "2:a", "" },
        { "broker", "2", "", "4:2" },
        { "broker", "", "4:", "" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_request q = ask(KP_A_CONFIG, KP_ANY_NODE);
        q.alter.resource = rows[i].resource;
        q.alter.name = rows[i].name;
        q.alter.edits = json(s, "{\"gone\":false,\"set\":\"1\"}");
        x->topics[0] = y->topics[0] = '\0';
        /* Brokers are asked in the order of the file as long as none of them answered. */
        if (i == 2)
            site_view(s, ask(KP_Q_VIEW, 1));
        x->topics[0] = '\0';
        assert_null(site_value(s, q));
        assert_string_equal(x->topics, rows[i].at_1);
        assert_string_equal(y->topics, rows[i].at_2);
    }
    x->mode = FAILS;
    kp_request q = ask(KP_A_CONFIG, 1);
    q.alter.resource = "topic";
    q.alter.name = "a";
    q.alter.edits = json(s, "{\"gone\":false,\"set\":\"1\"}");
    assert_false(site_fails(s, q, KP_CLUSTER, "INVALID_CONFIG (40): no such key"));
    leave(x);
    leave(y);
    site_end(s);
}

static const void *log_dirs(actor *x, const fake_request *rq, kp_arena *a)
{
    static const kp_log_dir_partition parts[] = {
        { 0, 100, 7, false }, { 1, 200, 0, false }, { 2, 50, -1, false }, { 3, 1000, 9, true }
    };
    static const kp_log_dir_topic topics[] = { { "a", { parts, 4 } } };
    static const kp_log_dir dirs[] = {
        { 0, "/data/1", { topics, 1 }, 5000, 4000 },
        { 56, "/data/2", { NULL, 0 }, -1, -1 },
    };
    const kp_describe_log_dirs_request *m = rq->message;
    kp_describe_log_dirs_response *r = KP_NEW(a, kp_describe_log_dirs_response);
    assert_int_equal(rq->api, KP_DESCRIBE_LOG_DIRS);
    assert_int_equal(m->topics.n, KP_NULL_LIST);
    r->results.v = dirs;
    r->results.n = x->mode == FAILS ? 0 : 2;
    return r;
}

static void test_log_dirs(void **state)
{
    (void)state;
    site *s = site_new(1, 0);
    actor *x = play(s, 1, metadata, log_dirs);
    assert_json(
        s, site_value(s, ask(KP_Q_LOG_DIRS, 1)),
        "[{\"behind\":7,\"catching_up\":1,\"path\":\"/data/1\",\"replicas\":3,\"size\":1350,"
        "\"total\":5000,\"usable\":4000},{\"behind\":0,\"catching_up\":0,\"error\":"
        "\"KAFKA_STORAGE_ERROR\",\"path\":\"/data/2\",\"replicas\":0,\"size\":0,\"total\":-1,"
        "\"usable\":-1}]");
    x->mode = FAILS; /* how a broker before 3.0 refuses */
    site_fails(s, ask(KP_Q_LOG_DIRS, 1), KP_CLUSTER, "CLUSTER_AUTHORIZATION_FAILED");
    leave(x);
    site_end(s);
}

static const void *registrations(actor *x, const fake_request *rq, kp_arena *a)
{
    static const kp_describe_cluster_broker brokers[] = { { 1, "b1", 9092, "a", false },
                                                          { 9, "b9", 9092, NULL, true } };
    if (rq->api == KP_UNREGISTER_BROKER) {
        const kp_unregister_broker_request *m = rq->message;
        kp_unregister_broker_response *r = KP_NEW(a, kp_unregister_broker_response);
        assert_int_equal(m->broker_id, 9);
        r->error_code = x->mode == FAILS ? 102 : 0;
        return r;
    }
    const kp_describe_cluster_request *m = rq->message;
    kp_describe_cluster_response *r = KP_NEW(a, kp_describe_cluster_response);
    assert_int_equal(rq->api, KP_DESCRIBE_CLUSTER);
    assert_int_equal(m->endpoint_type, KP_ENDPOINT_BROKERS);
    assert_true(m->include_fenced_brokers);
    r->error_code = x->mode == FAILS ? 31 : 0;
    r->cluster_id = "cluster-1";
    r->brokers.v = brokers;
    r->brokers.n = x->mode == FAILS ? 0 : 2;
    return r;
}

static void test_who_is_registered(void **state)
{
    (void)state;
    site *s = site_new(1, 0);
    actor *x = play(s, 1, metadata, registrations);
    assert_json(s, site_value(s, ask(KP_Q_REGISTERED, KP_ANY_NODE)),
                "[{\"fenced\":false,\"host\":\"b1\",\"id\":1,\"port\":9092,\"rack\":\"a\"},"
                "{\"fenced\":true,\"host\":\"b9\",\"id\":9,\"port\":9092}]");
    x->mode = FAILS;
    site_fails(s, ask(KP_Q_REGISTERED, KP_ANY_NODE), KP_CLUSTER, "CLUSTER_AUTHORIZATION_FAILED");
    leave(x);
    site_end(s);
    static const int newest[] = { 1, 0, -1 }; /* 3.7 to 3.9, 2.8 to 3.6, before */
    for (size_t i = 0; i < KP_COUNT(newest); i++) {
        s = site_new(1, 0);
        x = play(s, 1, metadata, nothing);
        fake_range(x->f, KP_DESCRIBE_CLUSTER, newest[i] < 0, newest[i] < 0 ? 0 : newest[i]);
        assert_json(s, site_value(s, ask(KP_Q_REGISTERED, KP_ANY_NODE)), "null");
        leave(x);
        site_end(s);
    }
}

static const void *controllers(actor *x, const fake_request *rq, kp_arena *a)
{
    static const kp_describe_cluster_broker both[] = { { 3001, "c1", 9093, NULL, false },
                                                       { 3009, "c9", 9093, NULL, false } };
    const kp_describe_cluster_request *m = rq->message;
    kp_describe_cluster_response *r = KP_NEW(a, kp_describe_cluster_response);
    assert_int_equal(rq->api, KP_DESCRIBE_CLUSTER);
    assert_int_equal(m->endpoint_type, KP_ENDPOINT_CONTROLLERS);
    r->error_code = x->mode == FAILS ? 31 : x->mode == OLD_LEVEL ? 35 : 0;
    r->endpoint_type = KP_ENDPOINT_CONTROLLERS;
    r->cluster_id = "cluster-1";
    r->brokers.v = both;
    r->brokers.n = r->error_code ? 0 : 2;
    return r;
}

/* Of controllers alone; below metadata.version 3.7-IV0 none is, and before 3.7 nobody tells. */
static void test_which_controllers_are_registered(void **state)
{
    (void)state;
    site *s = site_new(1, 1);
    actor *x = play(s, kp_controller_listener(3001), NULL, controllers);
    assert_json(s, site_value(s, ask(KP_Q_CONTROLLERS, KP_ANY_NODE)),
                "[{\"host\":\"c1\",\"id\":3001,\"port\":9093},"
                "{\"host\":\"c9\",\"id\":3009,\"port\":9093}]");
    x->mode = OLD_LEVEL;
    assert_json(s, site_value(s, ask(KP_Q_CONTROLLERS, KP_ANY_NODE)), "null");
    x->mode = FAILS;
    site_fails(s, ask(KP_Q_CONTROLLERS, KP_ANY_NODE), KP_CLUSTER, "CLUSTER_AUTHORIZATION_FAILED");
    leave(x);
    site_end(s);
    s = site_new(1, 1);
    x = play(s, kp_controller_listener(3001), NULL, NULL);
    fake_range(x->f, KP_DESCRIBE_CLUSTER, 0, 0);
    assert_json(s, site_value(s, ask(KP_Q_CONTROLLERS, KP_ANY_NODE)), "null");
    leave(x);
    site_end(s);
    s = site_new(1, 0);
    assert_json(s, site_value(s, ask(KP_Q_CONTROLLERS, KP_ANY_NODE)), "null");
    site_end(s);
}

static void test_a_registration_is_given_up(void **state)
{
    (void)state;
    site *s = site_new(1, 0);
    actor *x = play(s, 1, metadata, registrations);
    kp_request q = ask(KP_A_UNREGISTER, KP_ANY_NODE);
    q.unregister.broker = 9;
    assert_null(site_value(s, q));
    x->mode = FAILS;
    kp_reply r = site_ask(s, q);
    assert_non_null(r.err);
    assert_non_null(strstr(r.err->what, "BROKER_ID_NOT_REGISTERED (102)"));
    assert_true(r.err->certain);
    kp_err_drop(r.err);
    leave(x);
    site_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_view_is_what_one_broker_says),
        cmocka_unit_test(test_topic_configs_are_remembered_by_id),
        cmocka_unit_test(test_following_asks_for_less),
        cmocka_unit_test(test_one_topic_error_is_not_the_end_of_the_view),
        cmocka_unit_test(test_a_leader_without_our_listener_is_flagged),
        cmocka_unit_test(test_any_goes_on_to_the_next),
        cmocka_unit_test(test_a_dead_connection_is_no_answer),
        cmocka_unit_test(test_what_a_node_says_of_itself),
        cmocka_unit_test(test_the_quorum_is_its_leaders),
        cmocka_unit_test(test_zookeeper_has_no_quorum),
        cmocka_unit_test(test_a_combined_node_has_two_listeners),
        cmocka_unit_test(test_the_controller_is_found),
        cmocka_unit_test(test_actions_are_not_hedged),
        cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_configurations_are_changed),
        cmocka_unit_test(test_log_dirs),
        cmocka_unit_test(test_who_is_registered),
        cmocka_unit_test(test_which_controllers_are_registered),
        cmocka_unit_test(test_a_registration_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
