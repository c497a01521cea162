/* Who is in charge: elections of the quorum, voters' lag, ZooKeeper mode's controller broker. */
#include "sim/with_sim.h"

#include <string.h>

#define KRAFT "{'topics':[{'name':'t','partitions':30}]}"
#define COMBINED                                                                                   \
    "{'mode':'combined','brokers':5,'controllers':3,'topics':[{'name':'t','partitions':30}]}"
#define ZOOKEEPER "{'mode':'zookeeper','topics':[{'name':'t','partitions':30}]}"

static const kp_value *quorum(cluster *c)
{
    return told(c, (kp_request) { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE });
}

static int64_t leader(cluster *c)
{
    return kp_get_int(quorum(c), "leader", -2);
}

static const kp_value *voter(cluster *c, int id)
{
    const kp_value *voters = kp_get(quorum(c), "voters");

    for (size_t i = 0; i < kp_len(voters); i++)
        if (kp_get_int(kp_at(voters, i), "id", 0) == id)
            return kp_at(voters, i);
    return NULL;
}

static kp_ms until_leader(cluster *c, int not, kp_ms limit)
{
    kp_ms from = kp_mono(c->w);

    while (leader(c) < 0 || leader(c) == not ) {
        if (kp_mono(c->w) - from > limit)
            return -1;
        pass(c, 50);
    }
    return kp_mono(c->w) - from;
}

static void the_quorum_describes_itself(void **state)
{
    cluster c = cluster_of(KRAFT);
    const kp_value *q = quorum(&c);
    (void)state;
    assert_int_equal(kp_get_int(q, "leader", 0), 3001);
    assert_int_equal(kp_len(kp_get(q, "voters")), 3);
    assert_int_equal(kp_len(kp_get(q, "observers")), 3);
    int64_t end = kp_get_int(q, "high_watermark", 0);
    pass(&c, 10 * KP_SECOND);
    assert_in_range(kp_get_int(quorum(&c), "high_watermark", 0) - end, 19,
                    22); /* two no-op records a second */
    for (int id = 3001; id <= 3003; id++) {
        assert_int_equal(kp_get_int(voter(&c, id), "behind", -1), 0);
        assert_in_range(kp_get_int(voter(&c, id), "caught_up_ms", -1), 0, 500);
    }
    const kp_value *said = told(&c, (kp_request) { .kind = KP_Q_NODE, .node = 3002 });
    assert_string_equal(kp_get_text(said, "mode", ""), "controller");
    assert_int_equal(kp_get_int(said, "controller", 0), 3001);
    assert_null(kp_get(said, "brokers"));
    cluster_close(&c);
}

static void a_leader_that_stops_resigns_first(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    int64_t epoch = kp_get_int(quorum(&c), "epoch", 0);
    stop(&c, 3001);
    assert_true(until_off(&c, 3001, KP_MINUTE) >= 0);
    assert_in_range(until_leader(&c, 3001, KP_MINUTE), 0, 600);
    assert_int_equal(leader(&c), 3002);
    assert_int_equal(kp_get_int(quorum(&c), "epoch", 0), epoch + 1);
    assert_int_equal(view_of(&c, 1)->counts.urp, 0); /* brokers do not mind */
    cluster_close(&c);
}

static void a_leader_that_dies_is_missed_after_the_fetch_timeout(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'crash','node':3001}");
    assert_int_equal(leader(&c), -1);
    assert_in_range(until_leader(&c, 3001, KP_MINUTE), 2000, 3500);
    cluster_close(&c);
}

static void without_a_majority_there_is_no_leader(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    stop(&c, 3002);
    stop(&c, 3003);
    pass(&c, 5 * KP_SECOND);
    const kp_value *q = quorum(&c);
    assert_int_equal(kp_get_int(q, "leader", 0), -1);
    int64_t end = kp_get_int(q, "high_watermark", 0);
    pass(&c, 10 * KP_SECOND);
    assert_int_equal(kp_get_int(quorum(&c), "high_watermark", 0), end); /* nothing is written */
    kp_err *e = refused(&c, (kp_request) { .kind = KP_A_ELECT, .node = KP_ANY_NODE });
    assert_true(e->retriable);
    kp_err_drop(e);
    /* A broker that stops now waits for a controller, and goes when there is one. */
    stop(&c, 1);
    assert_int_equal(until_off(&c, 1, KP_MINUTE), -1);
    start(&c, 3002);
    assert_true(until_leader(&c, -1, 20 * KP_SECOND) >= 0);
    assert_true(until_off(&c, 1, 10 * KP_SECOND) >= 0);
    assert_true(view_of(&c, 2)->counts.urp > 0);
    cluster_close(&c);
}

static void a_broker_gives_up_waiting_for_a_controller_after_5_minutes(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    stop(&c, 3002);
    stop(&c, 3003);
    pass(&c, 5 * KP_SECOND);
    stop(&c, 1);
    assert_in_range(until_off(&c, 1, 10 * KP_MINUTE), 295 * KP_SECOND, 310 * KP_SECOND);
    assert_true(log_says(&c, 1, "Timed out waiting for the controller"));
    const kp_view *v = view_of(&c, 2);
    assert_true(v->brokers[0].alive); /* nobody is there to notice */
    assert_int_equal(v->counts.urp, 0);
    start(&c, 3002);
    assert_true(until_listed(&c, 1, false, KP_MINUTE) >= 0);
    assert_true(view_of(&c, 2)->counts.urp > 0);
    cluster_close(&c);
}

static void a_voter_that_was_away_catches_up(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    stop(&c, 3002);
    assert_true(until_off(&c, 3002, KP_MINUTE) >= 0);
    pass(&c, 20 * KP_SECOND);
    const kp_value *v = voter(&c, 3002);
    assert_in_range(kp_get_int(v, "behind", -1), 38, 44); /* keeps its last offset */
    assert_in_range(kp_get_int(v, "caught_up_ms", -1), 19000, 22000);
    start(&c, 3002);
    assert_in_range(until_caught_up(&c, 3002, KP_MINUTE), 2500, 6000);
    assert_int_equal(kp_get_int(voter(&c, 3002), "behind", -1), 0);
    cluster_close(&c);
}

static void a_dead_voter_is_unknown_to_the_next_leader(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    stop(&c, 3001);
    assert_true(until_off(&c, 3001, KP_MINUTE) >= 0);
    assert_true(until_leader(&c, 3001, KP_MINUTE) >= 0);
    assert_int_equal(kp_get_int(voter(&c, 3001), "caught_up_ms", 0), -1);
    cluster_close(&c);
}

static void combined_nodes_are_both(void **state)
{
    cluster c = cluster_of(COMBINED);
    (void)state;
    assert_int_equal(kp_len(kp_get(quorum(&c), "voters")), 3);
    assert_int_equal(leader(&c), 1);
    const kp_value *h = host_of(&c, 1);
    assert_string_equal(kp_get_text(kp_get(h, "process"), "roles", ""), "broker,controller");
    assert_string_equal(kp_get_text(kp_get(h, "config"), "roles", ""), "broker,controller");
    assert_string_equal(kp_get_text(kp_get(host_of(&c, 5), "process"), "roles", ""), "broker");
    stop(&c, 1);
    assert_in_range(until_off(&c, 1, KP_MINUTE), 2000, 6000); /* the broker first */
    assert_true(until_leader(&c, 1, KP_MINUTE) >= 0);
    assert_true(view_of(&c, 2)->counts.urp > 0);
    start(&c, 1);
    assert_true(until_in_sync(&c, 1, KP_MINUTE) >= 0);
    assert_true(until_caught_up(&c, 1, KP_MINUTE) >= 0);
    cluster_close(&c);
}

/* ---- ZooKeeper mode ---- */

static int64_t znode_controller(cluster *c)
{
    const kp_value *z = told(
        c, (kp_request) { .kind = KP_Q_ZNODE, .node = KP_ANY_NODE, .znode.path = "/controller" });
    const char *at = strstr(kp_get_text(z, "data", ""), "\"brokerid\":");
    return at ? at[11] - '0' : -1;
}

static void the_controller_broker_is_named_by_all(void **state)
{
    cluster c = cluster_of(ZOOKEEPER);
    (void)state;
    for (int id = 1; id <= 3; id++)
        assert_int_equal(view_of(&c, id)->controller, 1);
    assert_int_equal(znode_controller(&c), 1);
    stop(&c, 1);
    assert_true(until_off(&c, 1, KP_MINUTE) >= 0);
    pass(&c, 500);
    assert_int_equal(view_of(&c, 2)->controller, 2);
    assert_int_equal(view_of(&c, 3)->controller, 2);
    assert_int_equal(znode_controller(&c), 2);
    const kp_value *said = told(&c, (kp_request) { .kind = KP_Q_NODE, .node = 3 });
    assert_int_equal(kp_get_int(said, "controller", -1), 2);
    assert_string_equal(kp_get_text(said, "mode", ""), "zookeeper");
    assert_null(kp_get(said, "metadata_version"));
    kp_err *e = refused(&c, (kp_request) { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE });
    assert_int_equal(e->cls, KP_CLUSTER);
    kp_err_drop(e);
    cluster_close(&c);
}

static void a_dead_controller_broker_is_missed_at_the_end_of_its_session(void **state)
{
    cluster c = cluster_of(ZOOKEEPER);
    (void)state;
    fault(&c, "{'fault':'crash','node':1}");
    pass(&c, 10 * KP_SECOND);
    assert_int_equal(view_of(&c, 2)->controller, 1);
    assert_int_equal(view_of(&c, 2)->counts.urp, 0);
    pass(&c, 10 * KP_SECOND);
    assert_int_equal(view_of(&c, 2)->controller, 2);
    assert_int_equal(view_of(&c, 2)->counts.urp, 30);
    assert_int_equal(view_of(&c, 2)->counts.offline, 0);
    cluster_close(&c);
}

static void a_mis_pinned_controller_is_heard_by_nobody(void **state)
{
    cluster c = cluster_of("{'mode':'zookeeper','release':'2.8.2','topics':[{'name':'t'}]}");
    (void)state;
    stop(&c, 2);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    switch_to(&c, 2, "3.9.1");
    start(&c, 2);
    assert_true(until_listed(&c, 2, true, KP_MINUTE) >= 0);
    fault(&c, "{'fault':'controller_failover'}");
    pass(&c, KP_SECOND);
    assert_int_equal(view_of(&c, 2)->controller, 2); /* b2 says 2, the others keep the old one */
    assert_int_equal(view_of(&c, 1)->controller, 1);
    assert_int_equal(view_of(&c, 3)->controller, 1);
    cluster_close(&c);
}

static void kraft_metadata_names_an_arbitrary_broker(void **state)
{
    cluster c = cluster_of(KRAFT);
    unsigned seen = 0;
    (void)state;
    for (int i = 0; i < 40; i++) {
        int id = view_of(&c, 1)->controller;
        assert_in_range(id, 1, 3);
        seen |= 1u << id;
        pass(&c, 37);
    }
    assert_true(__builtin_popcount(seen) > 1);
    kp_err *e = refused(
        &c, (kp_request) { .kind = KP_Q_ZNODE, .node = KP_ANY_NODE, .znode.path = "/controller" });
    assert_non_null(strstr(e->what, "no ZooKeeper"));
    kp_err_drop(e);
    cluster_close(&c);
}

static void znodes_say_what_zookeeper_knows(void **state)
{
    cluster c = cluster_of(ZOOKEEPER);
    static const struct {
        const char *path, *has;
    } rows[] = {
        { "/controller_epoch", "1" },
        { "/brokers/ids/2", "broker2" },
        { "/cluster/id", "\"version\":\"1\"" },
        { "/brokers/ids/9", NULL },
        { "/migration", NULL },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const kp_value *z = told(
            &c,
            (kp_request) { .kind = KP_Q_ZNODE, .node = KP_ANY_NODE, .znode.path = rows[i].path });
        if (!rows[i].has) {
            assert_int_equal(z->type, KP_NIL);
            continue;
        }
        assert_string_equal(kp_get_text(z, "path", ""), rows[i].path);
        assert_non_null(strstr(kp_get_text(z, "data", ""), rows[i].has));
    }
    cluster_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_quorum_describes_itself),
        cmocka_unit_test(a_leader_that_stops_resigns_first),
        cmocka_unit_test(a_leader_that_dies_is_missed_after_the_fetch_timeout),
        cmocka_unit_test(without_a_majority_there_is_no_leader),
        cmocka_unit_test(a_broker_gives_up_waiting_for_a_controller_after_5_minutes),
        cmocka_unit_test(a_voter_that_was_away_catches_up),
        cmocka_unit_test(a_dead_voter_is_unknown_to_the_next_leader),
        cmocka_unit_test(combined_nodes_are_both),
        cmocka_unit_test(the_controller_broker_is_named_by_all),
        cmocka_unit_test(a_dead_controller_broker_is_missed_at_the_end_of_its_session),
        cmocka_unit_test(a_mis_pinned_controller_is_heard_by_nobody),
        cmocka_unit_test(kraft_metadata_names_an_arbitrary_broker),
        cmocka_unit_test(znodes_say_what_zookeeper_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
