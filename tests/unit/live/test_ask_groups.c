/* Consumer groups and their lag, of two brokers that say what a test wants: what is made of their
 * answers, and how many requests it takes.  The same is asked of real Kafka by the lab. */
#include "with_live.h"

#include <string.h>

#include "kafka/with_fake_broker.h"

enum { LISTING_FAILS = 1, FORBIDDEN, NOT_LEADER, STRANGER, NO_GROUPS, MANY_GROUPS };

enum { MANY = 450 }; /* groups of each broker */

typedef struct scene scene;
typedef struct actor {
    scene *c;
    fake_broker *f;
    int id;
} actor;

/* Broker 1 has `audit` and `billing`, broker 2 `shared`, a share group, and `web`. */
struct scene {
    site *s;
    actor x[2];
    int mode;
    int asked[128]; /* by API key */
    int fetched;    /* groups that the last OffsetFetch named */
    int most;       /* that any of them named */
};

/* "g1-000" ... of broker 1. */
static const kp_listed_group *many_groups(const actor *x, kp_arena *a)
{
    kp_listed_group *v = KP_NEW_ARRAY(a, MANY, kp_listed_group);
    for (int i = 0; i < MANY; i++)
        v[i] = (kp_listed_group) { kp_printf(a, "g%d-%03d", x->id, i), "consumer", "Empty", "" };
    return v;
}

static const void *list_groups(const actor *x, kp_arena *a, int version)
{
    kp_list_groups_response *r = KP_NEW(a, kp_list_groups_response);
    if (x->c->mode == MANY_GROUPS) {
        r->groups.v = many_groups(x, a);
        r->groups.n = MANY;
    }
    if (x->c->mode == MANY_GROUPS || x->c->mode == NO_GROUPS)
        return r;
    kp_listed_group *v = KP_NEW_ARRAY(a, 2, kp_listed_group);
    const char *classic = version >= 5 ? "classic" : "", *share = version >= 5 ? "share" : "";

    if (x->id == 1) {
        v[0] = (kp_listed_group) { "billing", "consumer", "Stable", classic };
        v[1] = (kp_listed_group) { "audit", "consumer", "Empty", classic };
    } else {
        v[0] = (kp_listed_group) { "web", "", "Dead", classic };
        v[1] = (kp_listed_group) { "shared", "share", "Stable", share };
    }
    r->groups.v = v;
    r->groups.n = 2;
    if (x->c->mode == LISTING_FAILS && x->id == 2)
        *r = (kp_list_groups_response) { .error_code = 14 };
    return r;
}

static const kp_fetched_topic *committed(kp_arena *a, const char *topic, int64_t p0, int64_t p1)
{
    kp_fetched_partition *v = KP_NEW_ARRAY(a, 2, kp_fetched_partition);
    kp_fetched_topic *t = KP_NEW(a, kp_fetched_topic);
    v[0] = (kp_fetched_partition) { 0, p0, -1, "", 0 };
    v[1] = (kp_fetched_partition) { 1, p1, -1, "", 0 };
    *t = (kp_fetched_topic) { topic, { v, 2 } };
    return t;
}

static void fetch(const actor *x, kp_arena *a, const char *group, kp_fetched_group *ret_g)
{
    *ret_g = (kp_fetched_group) { .group_id = group };
    if (kp_streq(group, "billing") || x->c->mode == MANY_GROUPS)
        ret_g->topics.v = committed(a, "orders", 90, 200);
    else if (kp_streq(group, "audit"))
        ret_g->topics.v = committed(a, "gone", 1, 2);
    ret_g->topics.n = ret_g->topics.v ? 1 : 0;
    if (x->c->mode == FORBIDDEN && kp_streq(group, "billing"))
        *ret_g = (kp_fetched_group) { .group_id = group, .error_code = 30 };
}

static const void *fetch_offsets(const actor *x, const fake_request *rq, kp_arena *a)
{
    const kp_offset_fetch_request *m = rq->message;
    kp_offset_fetch_response *r = KP_NEW(a, kp_offset_fetch_response);
    int32_t n = rq->version >= 8 ? m->groups.n : 1;
    kp_fetched_group *v = KP_NEW_ARRAY(a, (size_t)n, kp_fetched_group);

    for (int32_t i = 0; i < n; i++)
        fetch(x, a, rq->version >= 8 ? m->groups.v[i].group_id : m->group_id, &v[i]);
    x->c->fetched = n;
    x->c->most = n > x->c->most ? n : x->c->most;
    if (rq->version >= 8) {
        r->groups.v = v;
        r->groups.n = n;
    } else {
        r->topics.v = v[0].topics.v;
        r->topics.n = v[0].topics.n;
        r->error_code = v[0].error_code;
    }
    return r;
}

/* `orders` ends at 100 (led by 1) and 250 (led by 2). */
static const void *list_offsets(const actor *x, const fake_request *rq, kp_arena *a)
{
    const kp_list_offsets_request *m = rq->message;
    kp_list_offsets_response *r = KP_NEW(a, kp_list_offsets_response);
    kp_listed_topic *t = KP_NEW(a, kp_listed_topic);
    kp_listed_partition *p = KP_NEW(a, kp_listed_partition);

    assert_int_equal(m->topics.n, 1);
    assert_string_equal(m->topics.v[0].name, "orders");
    assert_int_equal(m->topics.v[0].partitions.n, 1);
    assert_int_equal(m->topics.v[0].partitions.v[0].partition_index, x->id - 1);
    *p = (kp_listed_partition) { x->id - 1, 0, -1, x->id == 1 ? 100 : 250, 5 };
    if (x->c->mode == NOT_LEADER && x->id == 2)
        p->error_code = 6;
    *t = (kp_listed_topic) { "orders", { p, 1 } };
    r->topics.v = t;
    r->topics.n = 1;
    return r;
}

static const void *metadata(const actor *x, const fake_request *rq, kp_arena *a)
{
    static const int32_t both[] = { 1, 2 };
    const kp_metadata_request *m = rq->message;
    kp_metadata_response *r = KP_NEW(a, kp_metadata_response);
    kp_metadata_broker *b = KP_NEW_ARRAY(a, 3, kp_metadata_broker);
    kp_metadata_topic *t = KP_NEW_ARRAY(a, (size_t)m->topics.n + 1, kp_metadata_topic);
    kp_metadata_partition *p = KP_NEW_ARRAY(a, 2, kp_metadata_partition);

    for (int i = 0; i < 3; i++)
        b[i] = (kp_metadata_broker) { i + 1, "b", 9092, NULL };
    r->cluster_authorized_operations = INT32_MIN;
    r->brokers.v = b;
    r->brokers.n = x->c->mode == STRANGER ? 3 : 2;
    for (int32_t i = 0; i < m->topics.n; i++) {
        bool there = kp_streq(m->topics.v[i].name, "orders");
        t[i] = (kp_metadata_topic) { .name = m->topics.v[i].name, .error_code = there ? 0 : 3 };
        for (int k = 0; k < 2; k++)
            p[k] =
                (kp_metadata_partition) { 0, k, k + 1, 5, { both, 2 }, { both, 2 }, { NULL, 0 } };
        if (there) {
            t[i].partitions.v = p;
            t[i].partitions.n = 2;
        }
    }
    r->topics.v = t;
    r->topics.n = m->topics.n;
    return r;
}

static const void *on_request(void *ud, fake_broker *f, const fake_request *rq, kp_arena *a)
{
    actor *x = ud;
    (void)f;
    x->c->asked[rq->api]++;
    switch (rq->api) {
    case KP_METADATA:
        return metadata(x, rq, a);
    case KP_LIST_GROUPS:
        return list_groups(x, a, rq->version);
    case KP_OFFSET_FETCH:
        return fetch_offsets(x, rq, a);
    case KP_LIST_OFFSETS:
        return list_offsets(x, rq, a);
    default:
        fail_msg("API %d was asked", rq->api);
        return NULL;
    }
}

static void begin(scene *c, int mode)
{
    *c = (scene) { .s = site_new(2, 0), .mode = mode };
    for (int i = 0; i < 2; i++) {
        c->x[i] = (actor) { .c = c, .id = i + 1, .f = fake_start(c->s->lv->l, 0) };
        c->x[i].f->answer = on_request;
        c->x[i].f->ud = &c->x[i];
        site_at(c->s, i + 1, c->x[i].f->address);
    }
}

static void end(scene *c)
{
    for (int i = 0; i < 2; i++)
        fake_stop(c->x[i].f);
    site_end(c->s);
}

static kp_request ask(scene *c, kp_req kind, const char *groups)
{
    return (kp_request) { .kind = kind,
                          .node = KP_ANY_NODE,
                          .within = 20 * KP_SECOND,
                          .lag.groups = groups ? json(c->s, groups) : NULL };
}

/* ---- groups ---- */

static void groups_are_those_of_every_broker(void **state)
{
    scene c;
    (void)state;
    begin(&c, 0);
    assert_json(c.s, site_value(c.s, ask(&c, KP_Q_GROUPS, NULL)),
                "[{\"coordinator\":1,\"group\":\"audit\",\"protocol\":\"consumer\",\"state\":"
                "\"Empty\",\"type\":\"classic\"},"
                "{\"coordinator\":1,\"group\":\"billing\",\"protocol\":\"consumer\",\"state\":"
                "\"Stable\",\"type\":\"classic\"},"
                "{\"coordinator\":2,\"group\":\"shared\",\"protocol\":\"share\",\"state\":"
                "\"Stable\",\"type\":\"share\"},"
                "{\"coordinator\":2,\"group\":\"web\",\"state\":\"Dead\",\"type\":\"classic\"}]");
    assert_int_equal(c.asked[KP_METADATA], 1);
    assert_int_equal(c.asked[KP_LIST_GROUPS], 2);
    end(&c);
}

/* A group that is missing looks like one that does not exist. */
static void a_list_that_is_not_whole_is_no_answer(void **state)
{
    scene c;
    (void)state;
    begin(&c, LISTING_FAILS);
    assert_true(site_fails(c.s, ask(&c, KP_Q_GROUPS, NULL), KP_CLUSTER,
                           "the list of consumer groups is not whole"));
    assert_true(site_fails(c.s, ask(&c, KP_Q_LAG, NULL), KP_CLUSTER,
                           "the list of consumer groups is not whole"));
    assert_int_equal(c.asked[KP_OFFSET_FETCH], 0);
    end(&c);
    begin(&c, STRANGER);
    assert_true(site_fails(c.s, ask(&c, KP_Q_GROUPS, NULL), KP_CLUSTER,
                           "the list of consumer groups is not whole"));
    end(&c);
}

/* ---- lag ---- */

#define AUDIT                                                                                      \
    "\"audit\":{\"protocol\":\"consumer\",\"state\":\"Empty\",\"topics\":{\"gone\":[0,1,-1,1,2,"   \
    "-1]},\"type\":\"classic\"}"
#define BILLING                                                                                    \
    "\"billing\":{\"protocol\":\"consumer\",\"state\":\"Stable\",\"topics\":{\"orders\":[0,90,"    \
    "100,1,200,250]},\"type\":\"classic\"}"
#define SHARED                                                                                     \
    "\"shared\":{\"problem\":\"a share group commits no offsets\",\"protocol\":\"share\","         \
    "\"state\":\"Stable\",\"topics\":{},\"type\":\"share\"}"
#define WEB "\"web\":{\"state\":\"Dead\",\"topics\":{},\"type\":\"classic\"}"

static void lag_is_what_was_committed_beside_the_ends(void **state)
{
    scene c;
    (void)state;
    begin(&c, 0);
    assert_json(c.s, site_value(c.s, ask(&c, KP_Q_LAG, NULL)),
                "{" AUDIT "," BILLING "," SHARED "," WEB "}");
    /* Brokers, leaders; a list, and the groups' offsets, of each broker; the ends of each leader. */
    assert_int_equal(c.asked[KP_METADATA], 2);
    assert_int_equal(c.asked[KP_LIST_GROUPS], 2);
    assert_int_equal(c.asked[KP_OFFSET_FETCH], 2);
    assert_int_equal(c.asked[KP_LIST_OFFSETS], 2);
    end(&c);
}

/* Before __consumer_offsets exists nobody coordinates anything: nobody is asked for offsets. */
static void without_groups_there_is_an_empty_answer_at_once(void **state)
{
    scene c;
    (void)state;
    begin(&c, NO_GROUPS);
    kp_ms before = kp_mono_now();
    assert_json(c.s, site_value(c.s, ask(&c, KP_Q_LAG, NULL)), "{}");
    assert_json(c.s, site_value(c.s, ask(&c, KP_Q_GROUPS, NULL)), "[]");
    assert_true(kp_mono_now() - before < 10 * KP_SECOND);
    assert_int_equal(c.asked[KP_METADATA], 2); /* who the brokers are, of each question */
    assert_int_equal(c.asked[KP_LIST_GROUPS], 4);
    assert_int_equal(c.asked[KP_OFFSET_FETCH] + c.asked[KP_LIST_OFFSETS], 0);
    end(&c);
}

/* 900 groups of two coordinators: 200 at once, and the ends once for all of them. */
static void many_groups_take_few_requests(void **state)
{
    scene c;
    (void)state;
    begin(&c, MANY_GROUPS);
    const kp_value *all = site_value(c.s, ask(&c, KP_Q_LAG, NULL));
    assert_int_equal(kp_len(all), 2 * MANY);
    assert_json(c.s, kp_get(kp_get(all, "g2-449"), "topics"), "{\"orders\":[0,90,100,1,200,250]}");
    assert_int_equal(c.asked[KP_METADATA], 2);
    assert_int_equal(c.asked[KP_LIST_GROUPS], 2);
    assert_int_equal(c.asked[KP_OFFSET_FETCH], 6);
    assert_int_equal(c.most, 200);
    assert_int_equal(c.asked[KP_LIST_OFFSETS], 2);
    end(&c);
}

static void only_the_groups_that_are_named_are_asked_about(void **state)
{
    scene c;
    (void)state;
    begin(&c, 0);
    assert_json(c.s, site_value(c.s, ask(&c, KP_Q_LAG, "[\"billing\",\"nobody\"]")),
                "{" BILLING "}");
    assert_int_equal(c.asked[KP_OFFSET_FETCH], 1);
    assert_int_equal(c.fetched, 1);
    assert_json(c.s, site_value(c.s, ask(&c, KP_Q_LAG, "[]")), "{}");
    end(&c);
}

static void an_old_coordinator_is_asked_group_by_group(void **state)
{
    scene c;
    (void)state;
    begin(&c, 0);
    for (int i = 0; i < 2; i++) {
        fake_range(c.x[i].f, KP_OFFSET_FETCH, 0, 7);
        fake_range(c.x[i].f, KP_LIST_GROUPS, 0, 4);
    }
    assert_json(c.s, site_value(c.s, ask(&c, KP_Q_LAG, "[\"audit\",\"billing\"]")),
                "{" AUDIT "," BILLING "}");
    assert_int_equal(c.asked[KP_OFFSET_FETCH], 2);
    end(&c);
}

static void what_one_group_does_not_tell_is_said_of_it(void **state)
{
    scene c;
    (void)state;
    begin(&c, FORBIDDEN);
    assert_json(c.s, site_value(c.s, ask(&c, KP_Q_LAG, "[\"audit\",\"billing\"]")),
                "{" AUDIT ",\"billing\":{\"problem\":\"it may not be described (Describe on the "
                "group)\",\"protocol\":\"consumer\",\"state\":\"Stable\",\"topics\":{},\"type\":"
                "\"classic\"}}");
    end(&c);
}

static void a_leader_that_has_just_moved_has_to_be_asked_again(void **state)
{
    scene c;
    (void)state;
    begin(&c, NOT_LEADER);
    assert_true(site_fails(c.s, ask(&c, KP_Q_LAG, NULL), KP_CLUSTER, "NOT_LEADER_OR_FOLLOWER"));
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_those_of_every_broker),
        cmocka_unit_test(a_list_that_is_not_whole_is_no_answer),
        cmocka_unit_test(lag_is_what_was_committed_beside_the_ends),
        cmocka_unit_test(without_groups_there_is_an_empty_answer_at_once),
        cmocka_unit_test(many_groups_take_few_requests),
        cmocka_unit_test(only_the_groups_that_are_named_are_asked_about),
        cmocka_unit_test(an_old_coordinator_is_asked_group_by_group),
        cmocka_unit_test(what_one_group_does_not_tell_is_said_of_it),
        cmocka_unit_test(a_leader_that_has_just_moved_has_to_be_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
