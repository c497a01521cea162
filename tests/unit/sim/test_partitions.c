/* Leaders, ISRs and counts: what a stop, a return, an election and a configuration make of them.
 *
 * The structure a rehearsal shows must be Kafka's: the first in-sync replica in assignment order
 * takes over, the stopped broker leaves every ISR, a return moves nobody.
 */
#include "sim/with_sim.h"

#include <stdlib.h>
#include <string.h>

#define THREE "{'brokers':3,'controllers':3,'topics':[{'name':'t','partitions':30}]}"

static int leader_of(const kp_view *v, uint32_t p)
{
    return kp_view_leader_id(v, p);
}

/* The three-line model that real clusters followed in 1,800 of 1,800 partition states. */
static void expect_after_stop(const kp_view *v, uint32_t p, uint64_t isr, uint32_t leader,
                              int gone)
{
    uint64_t want_isr = 0;
    uint32_t want_leader = KP_VIEW_NO_LEADER;

    for (uint32_t s = 0; s < kp_view_rf(v, p); s++)
        if ((isr >> s & 1) && kp_view_replica_id(v, p, s) != gone)
            want_isr |= (uint64_t)1 << s;
    if (kp_view_replica_id(v, p, leader) != gone)
        want_leader = leader;
    for (uint32_t s = 0; s < kp_view_rf(v, p) && want_leader == KP_VIEW_NO_LEADER; s++)
        if (want_isr >> s & 1)
            want_leader = s;
    assert_int_equal(kp_view_isr_bits(v, p, 0), want_isr);
    assert_int_equal(v->leader[p], want_leader);
}

static void follows_the_model(const char *spec)
{
    cluster c = cluster_of(spec);
    uint64_t isr[512];
    uint16_t leader[512];

    for (int round = 0; round < 3; round++)
        for (int id = 1; id <= 3; id++) {
            const kp_view *v = view_of(&c, KP_ANY_NODE);
            assert_true(v->n_parts <= 512);
            for (uint32_t p = 0; p < v->n_parts; p++)
                isr[p] = kp_view_isr_bits(v, p, 0);
            memcpy(leader, v->leader, v->n_parts * sizeof *leader);
            stop(&c, id);
            assert_true(until_off(&c, id, KP_MINUTE) >= 0);
            v = view_of(&c, id % 3 + 1);
            for (uint32_t p = 0; p < v->n_parts; p++)
                expect_after_stop(v, p, isr[p], leader[p], id);
            memcpy(leader, v->leader, v->n_parts * sizeof *leader);
            start(&c, id);
            assert_true(until_in_sync(&c, id, KP_HOUR) >= 0);
            v = view_of(&c, id % 3 + 1);
            for (uint32_t p = 0; p < v->n_parts; p++) {
                assert_int_equal(kp_view_isr_bits(v, p, 0), 7);
                assert_int_equal(v->leader[p], leader[p]); /* a return moves nobody */
            }
            view_of(&c, id);
        }
    assert_int_equal(view_of(&c, 1)->leads[2], 0); /* who was restarted last leads nothing */
    cluster_close(&c);
}

static void a_stop_moves_leaders_to_the_first_in_sync_replica(void **state)
{
    (void)state;
    follows_the_model(THREE);
    follows_the_model(
        "{'mode':'zookeeper','topics':[{'name':'a','partitions':7},{'name':'b','count':9}]}");
    follows_the_model("{'mode':'combined','racks':['x','y','z'],'topics':[{'name':'c'}]}");
}

static void counts_are_those_of_the_partitions(void **state)
{
    cluster c = cluster_of(
        "{'brokers':4,'topics':[{'name':'a','partitions':20},{'name':'b','rf':2},"
        "{'name':'c','rf':3,'min_isr':3}]}");
    (void)state;
    stop(&c, 2);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    const kp_view *v = view_of(&c, 1);
    kp_view_counts n = { .partitions = v->n_parts };
    for (uint32_t p = 0; p < v->n_parts; p++) {
        n.urp += kp_view_isr_size(v, p) < kp_view_rf(v, p);
        n.offline += v->leader[p] == KP_VIEW_NO_LEADER;
        n.under_min_isr += kp_view_isr_size(v, p) < v->min_isr[p];
        n.at_min_isr += kp_view_isr_size(v, p) == v->min_isr[p];
        n.unpreferred += v->leader[p] != 0 && v->leader[p] != KP_VIEW_NO_LEADER;
    }
    assert_memory_equal(&n, &v->counts, sizeof n);
    assert_true(n.urp > 0 && n.under_min_isr > 0 && n.at_min_isr > 0 && n.unpreferred > 0);
    assert_int_equal(v->out_of_sync[1], v->by_broker_first[2] - v->by_broker_first[1]);
    assert_int_equal(v->leads[1], 0);
    cluster_close(&c);
}

static void the_only_in_sync_replica_stays_and_the_partition_is_offline(void **state)
{
    static const char *const modes[] = { "kraft", "zookeeper" };

    (void)state;
    for (size_t m = 0; m < KP_COUNT(modes); m++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
        cluster c = cluster_of(kp_printf(
            a, "{'mode':'%s','topics':[{'name':'one','partitions':6,'rf':1}]}", modes[m]));
        stop(&c, 1);
        assert_true(until_off(&c, 1, KP_MINUTE) >= 0);
        const kp_view *v = view_of(&c, 2);
        uint32_t offline = 0;
        for (uint32_t p = 0; p < v->n_parts; p++) {
            offline += v->leader[p] == KP_VIEW_NO_LEADER;
            assert_int_equal(kp_view_isr_bits(v, p, 0), 1);
        }
        assert_int_equal(offline, 2);
        assert_int_equal(v->counts.offline, 2);
        start(&c, 1);
        assert_true(until_listed(&c, 1, true, KP_MINUTE) >= 0);
        assert_int_equal(view_of(&c, 2)->counts.offline, 0); /* it leads again at once */
        cluster_close(&c);
    }
}

static void unclean_election_takes_anybody_who_is_there(void **state)
{
    cluster c = cluster_of("{'topics':[{'name':'u','partitions':9,'rf':2,'unclean':true}]}");
    (void)state;
    /* one after the other: the last in-sync replica of some partitions goes while the other is
     * away */
    stop(&c, 1);
    assert_true(until_off(&c, 1, KP_MINUTE) >= 0);
    fault(&c, "{'fault':'does_not_rejoin','node':1}");
    start(&c, 1);
    assert_true(until_listed(&c, 1, true, KP_MINUTE) >= 0);
    stop(&c, 2);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    const kp_view *v = view_of(&c, 1);
    uint32_t lost = 0;
    for (uint32_t p = 0; p < v->n_parts; p++) {
        int r0 = v->brokers[v->rep[v->first_rep[p]]].id,
            r1 = v->brokers[v->rep[v->first_rep[p] + 1]].id;
        if (r0 + r1 == 3) { /* on 1 and 2: 1 was out of sync and leads now */
            assert_int_equal(leader_of(v, p), 1);
            assert_int_equal(kp_view_isr_size(v, p), 1);
            lost++;
        }
    }
    assert_true(lost > 0);
    assert_int_equal(v->counts.offline, 0);
    cluster_close(&c);
}

static void preferred_election_gives_leaders_back(void **state)
{
    cluster c = cluster_of(THREE);
    const kp_view *v;
    (void)state;
    restart(&c, 1);
    v = view_of(&c, 2);
    uint32_t moved = v->counts.unpreferred, one = 0;
    assert_int_equal(moved, 10);
    while (v->leader[one] == 0)
        one++;
    told(&c, (kp_request) { .kind = KP_A_ELECT,
                            .node = KP_ANY_NODE,
                            .elect.partitions = value_of(
                                c.a, kp_printf(c.a, "[{'topic':'t','partition':%u}]", one)) });
    v = view_of(&c, 2);
    assert_int_equal(v->counts.unpreferred, moved - 1);
    assert_int_equal(v->leader[one], 0);
    told(&c, (kp_request) { .kind = KP_A_ELECT, .node = KP_ANY_NODE });
    v = view_of(&c, 2);
    assert_int_equal(v->counts.unpreferred, 0);
    assert_int_equal(v->leads[0], 10);
    cluster_close(&c);
}

static void a_preferred_leader_out_of_sync_is_not_elected(void **state)
{
    cluster c = cluster_of(THREE);
    (void)state;
    fault(&c, "{'fault':'does_not_rejoin','node':1}");
    stop(&c, 1);
    assert_true(until_off(&c, 1, KP_MINUTE) >= 0);
    start(&c, 1);
    assert_true(until_listed(&c, 1, true, KP_MINUTE) >= 0);
    told(&c, (kp_request) { .kind = KP_A_ELECT, .node = KP_ANY_NODE });
    assert_int_equal(view_of(&c, 2)->counts.unpreferred, 10);
    cluster_close(&c);
}

static void auto_leader_rebalance_moves_leaders_back_within_300_s(void **state)
{
    static const struct {
        const char *mode;
        bool on;
    } rows[] = {
        { "kraft", true },
        { "kraft", false },
        { "zookeeper", true },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
        cluster c = cluster_of(kp_printf(a,
                                         "{'mode':'%s','topics':[{'name':'t','partitions':30}],"
                                         "'auto_leader_rebalance':%s}",
                                         rows[i].mode, rows[i].on ? "true" : "false"));
        restart(&c, 2);
        assert_int_equal(view_of(&c, 1)->counts.unpreferred, 10);
        pass(&c, 300 * KP_SECOND);
        assert_int_equal(view_of(&c, 1)->counts.unpreferred, rows[i].on ? 0 : 10);
        cluster_close(&c);
    }
}

static void raising_min_isr_recounts(void **state)
{
    cluster c = cluster_of(THREE);
    (void)state;
    assert_int_equal(view_of(&c, 1)->counts.at_min_isr, 0);
    told(&c, (kp_request) { .kind = KP_A_CONFIG,
                            .node = KP_ANY_NODE,
                            .alter = { .resource = "topic",
                                       .name = "t",
                                       .edits = value_of(c.a, "{'min.insync.replicas':'3'}") } });
    assert_int_equal(view_of(&c, 1)->counts.at_min_isr, 30);
    sound(kp_sim_audit(c.sim));
    told(&c, (kp_request) { .kind = KP_A_CONFIG,
                            .node = KP_ANY_NODE,
                            .alter = { .resource = "topic",
                                       .name = "t",
                                       .edits = value_of(c.a, "{'min.insync.replicas':false}") } });
    assert_int_equal(view_of(&c, 1)->min_isr[0], 1);
    cluster_close(&c);
}

static void leader_epochs_rise_with_each_change_of_leader(void **state)
{
    cluster c = cluster_of(THREE);
    int32_t before[30];
    (void)state;
    memcpy(before, view_of(&c, 1)->leader_epoch, sizeof before);
    restart(&c, 1);
    const kp_view *v = view_of(&c, 2);
    for (uint32_t p = 0; p < v->n_parts; p++)
        assert_int_equal(v->leader_epoch[p], before[p] + (v->leader[p] != 0));
    cluster_close(&c);
}

static void racks_hold_one_replica_each(void **state)
{
    cluster c = cluster_of(
        "{'brokers':9,'racks':['a','b','c'],'topics':[{'name':'t','partitions':90}]}");
    const kp_view *v = view_of(&c, 1);
    uint32_t leads = v->leads[0];
    (void)state;
    for (uint32_t p = 0; p < v->n_parts; p++) {
        unsigned racks = 0;
        for (uint32_t s = 0; s < 3; s++)
            racks |= 1u << (v->brokers[v->rep[v->first_rep[p] + s]].rack[0] - 'a');
        assert_int_equal(racks, 7);
    }
    for (uint32_t b = 0; b < v->n_brokers; b++)
        assert_int_equal(v->leads[b], leads);
    cluster_close(&c);
}

/* Anything may happen in any order; the counts still are those of the partitions, and equal ISRs
 * and leaders give equal digests. */
static void random_walks_pass_the_audit(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 12; seed++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
        cluster c = cluster_of(
            kp_printf(a,
                      "{'brokers':11,'mode':'%s','seed':%u,'topics':[{'name':'t','partitions':60},"
                      "{'name':'u','rf':2,'unclean':true},{'name':'v','rf':1},"
                      "{'name':'w','rf':11,'unclean':true},{'name':'x','rf':10}]}",
                      seed % 3 == 0   ? "zookeeper"
                      : seed % 3 == 1 ? "kraft"
                                      : "combined",
                      seed));
        unsigned x = seed * 2654435761u;
        uint64_t first = view_of(&c, KP_ANY_NODE)->digest;
        for (int i = 0; i < 120; i++) {
            x = x * 1664525u + 1013904223u;
            int node = 1 + (int)(x >> 16) % 11;
            switch (x >> 24 & 7) {
            case 0:
            case 1:
                stop(&c, node);
                break;
            case 2:
            case 3:
            case 4:
                start(&c, node);
                break;
            case 5:
                fault(&c, kp_printf(a, "{'fault':'crash','node':%d}", node));
                break;
            case 6:
                fault(&c, kp_printf(a, "{'fault':'slow_disk','node':%d,'lasts':'20s'}", node));
                break;
            default: {
                kp_reply *r = ask(&c, (kp_request) { .kind = KP_A_ELECT, .node = KP_ANY_NODE });
                kp_err_drop(r->err);
                break;
            }
            }
            pass(&c, (x >> 8) % 9000);
            sound(kp_sim_audit(c.sim));
        }
        for (int round = 0; round < 6; round++)
            for (int id = 1; id <= 11; id++) {
                start(&c, id);
                pass(&c, 20 * KP_SECOND);
            }
        pass(&c, KP_HOUR);
        told(&c, (kp_request) { .kind = KP_A_ELECT, .node = KP_ANY_NODE });
        const kp_view *v = view_of(&c, KP_ANY_NODE);
        assert_int_equal(v->counts.urp, 0);
        assert_int_equal(v->counts.unpreferred, 0);
        assert_true(v->digest == first);
        cluster_close(&c);
    }
}

/* One partition on every broker, more of them than a byte or a word has bits. */
static void a_topic_on_every_broker_lives(void **state)
{
    static const int sizes[] = { 9, 64, 70 };

    (void)state;
    for (size_t i = 0; i < KP_COUNT(sizes); i++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
        int n = sizes[i];
        cluster c = cluster_of(kp_printf(a,
                                         "{'brokers':%d,'topics':[{'name':'wide','partitions':%d,"
                                         "'rf':%d,'min_isr':%d},{'name':'x','min_isr':1}]}",
                                         n, n, n, n - 1));
        const kp_view *v = view_of(&c, KP_ANY_NODE);
        const kp_view_topic *t = kp_view_topic_named(v, "wide");
        assert_int_equal(v->counts.urp + v->counts.at_min_isr, 0);
        assert_int_equal(kp_view_rf(v, t->first), n);
        assert_int_equal(kp_view_isr_size(v, t->first), n);
        for (int id = n - 1; id <= n; id++) {
            int other = id == n ? 1 : n;
            stop(&c, id);
            assert_true(until_off(&c, id, KP_MINUTE) >= 0);
            v = view_of(&c, other);
            assert_int_equal(v->counts.at_min_isr, n);
            for (uint32_t p = t->first; p < t->first + t->n; p++) {
                uint32_t k = kp_view_replica_on(v, p, (uint32_t)kp_view_slot(v, id));
                assert_false(kp_view_in_sync(v, p, k));
                assert_int_equal(kp_view_isr_size(v, p), n - 1);
                assert_true(kp_view_leader_id(v, p) >= 0 && kp_view_leader_id(v, p) != id);
            }
            start(&c, id);
            assert_true(until_in_sync(&c, id, KP_HOUR) >= 0);
            assert_int_equal(view_of(&c, other)->counts.urp, 0);
        }
        cluster_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_moves_leaders_to_the_first_in_sync_replica),
        cmocka_unit_test(counts_are_those_of_the_partitions),
        cmocka_unit_test(the_only_in_sync_replica_stays_and_the_partition_is_offline),
        cmocka_unit_test(unclean_election_takes_anybody_who_is_there),
        cmocka_unit_test(preferred_election_gives_leaders_back),
        cmocka_unit_test(a_preferred_leader_out_of_sync_is_not_elected),
        cmocka_unit_test(auto_leader_rebalance_moves_leaders_back_within_300_s),
        cmocka_unit_test(raising_min_isr_recounts),
        cmocka_unit_test(leader_epochs_rise_with_each_change_of_leader),
        cmocka_unit_test(racks_hold_one_replica_each),
        cmocka_unit_test(random_walks_pass_the_audit),
        cmocka_unit_test(a_topic_on_every_broker_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
