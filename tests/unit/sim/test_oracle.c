/* The oracle: each rule is made to fire by a driver that misbehaves, and stays silent for one
 * that does not. */
#include "sim/with_sim.h"

#include <stdio.h>
#include <string.h>

#define KRAFT "{'topics':[{'name':'t','partitions':30}]}"
#define ZOOKEEPER "{'mode':'zookeeper','release':'3.4.1','topics':[{'name':'t','partitions':30}]}"

/* Exactly these rules, as "K1 K2"; others have not fired. */
static void fired(cluster *c, const char *rules)
{
    const kp_value *o = kp_sim_oracle(c->a, c->sim);
    char key[16], all[64] = "";

    for (int k = 1; k <= 9; k++) {
        snprintf(key, sizeof key, "K%d", k);
        if (kp_get_int(o, key, 0) > 0)
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", *all ? " " : "", key);
    }
    if (strcmp(all, rules) != 0)
        print_error("%s\n", kp_json_text(c->a, kp_get(o, "first")));
    assert_string_equal(all, rules);
    assert_int_equal(kp_get_int(o, "violations", -1) == 0, *rules == '\0');
    assert_int_equal(kp_len(kp_get(o, "first")) == 0, *rules == '\0');
}

static void down(cluster *c, int id)
{
    stop(c, id);
    assert_true(until_off(c, id, KP_MINUTE) >= 0);
}

static void a_careful_roll_violates_nothing(void **state)
{
    static const struct {
        const char *spec;
        int order[7];
    } rows[] = {
        { KRAFT, { 3002, 3003, 3001, 1, 2, 3 } },
        { ZOOKEEPER, { 2, 3, 1 } },
        { "{'mode':'combined','topics':[{'name':'t'}]}", { 2, 3, 1 } },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        cluster c = cluster_of(rows[i].spec);
        for (int round = 0; round < 2; round++) {
            for (int k = 0; rows[i].order[k]; k++) {
                int id = rows[i].order[k];
                /* in the second round the active controller is another one: leave controllers
                 * out */
                if (round == 1 && (id > 3000 || i > 0))
                    continue;
                restart(&c, id);
                if (i == 2)
                    assert_true(until_caught_up(&c, id, KP_MINUTE) >= 0);
            }
        }
        fired(&c, "");
        cluster_close(&c);
    }
}

static void k1_two_brokers_of_a_partition_down(void **state)
{
    cluster c = cluster_of("{'brokers':5,'topics':[{'name':'t','partitions':30,'min_isr':1}]}");
    (void)state;
    down(&c, 1);
    down(&c, 2);
    fired(&c, "K1");
    cluster_close(&c);
}

static void k1_not_for_brokers_that_share_nothing(void **state)
{
    cluster c = cluster_of(
        "{'brokers':2,'topics':[{'name':'t','partitions':4,'rf':1}],'accept':['t']}");
    (void)state;
    down(&c, 1);
    down(&c, 2);
    fired(&c, "");
    cluster_close(&c);
}

static void k2_below_min_isr(void **state)
{
    cluster c = cluster_of("{'topics':[{'name':'tight','min_isr':3}]}");
    (void)state;
    down(&c, 1);
    fired(&c, "K2");
    cluster_close(&c);
    c = cluster_of("{'topics':[{'name':'tight','min_isr':3}],'accept':['tight']}");
    down(&c, 1);
    fired(&c, "");
    cluster_close(&c);
    c = cluster_of("{'brokers':9,'topics':[{'name':'on all','rf':9,'min_isr':9}]}");
    down(&c, 9);
    fired(&c, "K2");
    cluster_close(&c);
    c = cluster_of("{'brokers':9,'topics':[{'name':'on all','rf':9,'min_isr':8}]}");
    down(&c, 9);
    fired(&c, "");
    cluster_close(&c);
}

static void k2_beside_a_broker_that_a_fault_took_before(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'crash','node':2}");
    pass(&c, 20 * KP_SECOND);
    down(&c, 1);
    fired(&c, "K2");
    cluster_close(&c);
}

static void k2_excuses_what_a_fault_does_afterwards(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    down(&c, 1);
    fault(&c, "{'fault':'crash','node':2}");
    pass(&c, 20 * KP_SECOND);
    assert_true(view_of(&c, 3)->counts.under_min_isr > 0);
    fired(&c, ""); /* not by our hand */
    cluster_close(&c);
    /* the same while the stop is under way */
    c = cluster_of(KRAFT);
    fault(&c, "{'fault':'does_not_stop','node':1,'stop':1,'lasts':'60s'}");
    stop(&c, 1);
    fault(&c, "{'fault':'crash','node':2}");
    assert_true(until_off(&c, 1, 2 * KP_MINUTE) >= 0);
    assert_true(view_of(&c, 3)->counts.under_min_isr > 0);
    fired(&c, "");
    cluster_close(&c);
}

static void k3_offline(void **state)
{
    static const char *const modes[] = { "kraft", "zookeeper" };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(modes); i++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
        cluster c = cluster_of(
            kp_printf(a, "{'mode':'%s','topics':[{'name':'one','rf':1}]}", modes[i]));
        down(&c, 2);
        fired(&c, "K3");
        assert_int_equal(violations(&c, "K3"), 4);
        cluster_close(&c);
    }
}

static void k4_a_protocol_raised_beside_an_old_binary(void **state)
{
    cluster c = cluster_of(ZOOKEEPER);
    (void)state;
    down(&c, 2);
    switch_to(&c, 2, "3.5.2"); /* not pinned: it speaks 3.5 */
    start(&c, 2);
    fired(&c, "K4");
    cluster_close(&c);
}

static void k4_a_protocol_raised_while_a_broker_is_down(void **state)
{
    cluster c = cluster_of("{'mode':'zookeeper','release':'3.9.1','ibp':'3.4','brokers':4,"
                           "'topics':[{'name':'t','partitions':1,'rf':1}],'accept':['t']}");
    (void)state;
    down(&c, 3);
    down(&c, 2);
    edit_file(&c, 2, "{'inter.broker.protocol.version':'3.9'}");
    start(&c, 2);
    fired(&c, "K4");
    cluster_close(&c);
}

static void k4_not_when_all_know_it(void **state)
{
    cluster c = cluster_of(
        "{'mode':'zookeeper','release':'3.9.1','ibp':'3.4','topics':[{'name':'t'}]}");
    (void)state;
    edit_file(&c, 2, "{'inter.broker.protocol.version':'3.9'}");
    restart(&c, 2);
    fired(&c, "");
    cluster_close(&c);
}

static void k5_a_binary_older_than_what_is_finalized(void **state)
{
    cluster c = cluster_of(KRAFT), z = cluster_of(ZOOKEEPER);
    (void)state;
    down(&c, 2);
    switch_to(&c, 2, "3.6.2"); /* knows up to 14; 19 is finalized */
    start(&c, 2);
    fired(&c, "K5");
    cluster_close(&c);
    down(&z, 2);
    switch_to(&z, 2, "3.3.2"); /* the others speak 3.4 */
    start(&z, 2);
    fired(&z, "K5");
    cluster_close(&z);
}

static void k6_a_second_voter_before_the_first_is_caught_up(void **state)
{
    cluster c = cluster_of("{'controllers':5,'topics':[{'name':'t'}]}");
    (void)state;
    down(&c, 3002);
    start(&c, 3002);
    assert_true(kp_get_int(host_of(&c, 3002), "pid", 0) > 0);
    stop(&c, 3003);
    fired(&c, "K6");
    cluster_close(&c);
}

static void k6_no_majority_left(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'crash','node':3003}");
    pass(&c, 20 * KP_SECOND);
    stop(&c, 3002);
    fired(&c, "K6");
    cluster_close(&c);
}

static void k7_the_active_controller_before_the_others(void **state)
{
    cluster c = cluster_of(KRAFT), z = cluster_of(ZOOKEEPER);
    (void)state;
    restart(&c, 3002);
    stop(&c, 3001);
    fired(&c, "K7");
    cluster_close(&c);
    stop(&z, 1);
    fired(&z, "K7");
    cluster_close(&z);
}

static void k8_going_on_after_an_unclean_stop(void **state)
{
    cluster c = cluster_of(KRAFT);
    (void)state;
    fault(&c, "{'fault':'unclean_stop','node':3002,'stop':1}");
    down(&c, 3002);
    stop(&c, 1);
    fired(&c, "K8");
    cluster_close(&c);
    /* once it is back, going on is nobody's business here */
    c = cluster_of(KRAFT);
    fault(&c, "{'fault':'unclean_stop','node':2,'stop':1}");
    restart(&c, 2);
    restart(&c, 3);
    fired(&c, "");
    cluster_close(&c);
}

static void k9_before_the_last_one_is_in_sync(void **state)
{
    cluster c = cluster_of("{'brokers':6,'topics':[{'name':'t','partitions':1,'min_isr':1}]}");
    (void)state;
    /* brokers that share nothing with the one restarted, so that only K9 sees it */
    const kp_view *v = view_of(&c, 1);
    int with = v->brokers[v->rep[0]].id, without = 0;
    for (int id = 1; id <= 6; id++)
        if (id != v->brokers[v->rep[0]].id && id != v->brokers[v->rep[1]].id &&
            id != v->brokers[v->rep[2]].id)
            without = id;
    fault(&c, kp_printf(c.a, "{'fault':'does_not_rejoin','node':%d}", with));
    down(&c, with);
    start(&c, with);
    assert_true(until_listed(&c, with, true, KP_MINUTE) >= 0);
    stop(&c, without);
    fired(&c, "K9");
    cluster_close(&c);
}

static void k9_without_looking_twice_from_two_nodes(void **state)
{
    static const struct {
        int looks[4];
        const char *rules;
    } rows[] = {
        { { 0 }, "K9" },
        { { 3, 0 }, "K9" },
        { { 3, 3, 3, 0 }, "K9" },
        { { 3, 2, 0 }, "" },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        cluster c = cluster_of(KRAFT);
        stop(&c, 1);
        assert_true(until_off(&c, 1, KP_MINUTE) >= 0);
        start(&c, 1);
        pass(&c, 30 * KP_SECOND); /* in sync long since; nobody has looked */
        for (int k = 0; rows[i].looks[k]; k++)
            view_of(&c, rows[i].looks[k]);
        stop(&c, 2);
        fired(&c, rows[i].rules);
        cluster_close(&c);
    }
}

static void rules_and_topics_can_be_left_out(void **state)
{
    cluster c = cluster_of("{'topics':[{'name':'t','min_isr':3}],'allow':['K7','K2']}");
    (void)state;
    down(&c, 1);
    stop(&c, 3001);
    fired(&c, "");
    assert_true(kp_sim_oracle_allow(c.sim, "t"));
    assert_true(kp_sim_oracle_allow(c.sim, "K6"));
    assert_false(kp_sim_oracle_allow(c.sim, "K0"));
    assert_false(kp_sim_oracle_allow(c.sim, "no.such.topic"));
    cluster_close(&c);
}

static void texts_are_those_of_the_first_ones(void **state)
{
    cluster c = cluster_of("{'topics':[{'name':'one','partitions':300,'rf':1}]}");
    (void)state;
    down(&c, 2);
    const kp_value *o = kp_sim_oracle(c.a, c.sim), *first = kp_get(o, "first");
    assert_int_equal(kp_get_int(o, "K3", 0), 100);
    assert_int_equal(kp_len(first), 16);
    const char *text = kp_as_text(kp_at(first, 0), "");
    assert_non_null(strstr(text, "K3 at "));
    assert_non_null(strstr(text, "stop of broker 2 leaves one-"));
    cluster_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_careful_roll_violates_nothing),
        cmocka_unit_test(k1_two_brokers_of_a_partition_down),
        cmocka_unit_test(k1_not_for_brokers_that_share_nothing),
        cmocka_unit_test(k2_below_min_isr),
        cmocka_unit_test(k2_beside_a_broker_that_a_fault_took_before),
        cmocka_unit_test(k2_excuses_what_a_fault_does_afterwards),
        cmocka_unit_test(k3_offline),
        cmocka_unit_test(k4_a_protocol_raised_beside_an_old_binary),
        cmocka_unit_test(k4_a_protocol_raised_while_a_broker_is_down),
        cmocka_unit_test(k4_not_when_all_know_it),
        cmocka_unit_test(k5_a_binary_older_than_what_is_finalized),
        cmocka_unit_test(k6_a_second_voter_before_the_first_is_caught_up),
        cmocka_unit_test(k6_no_majority_left),
        cmocka_unit_test(k7_the_active_controller_before_the_others),
        cmocka_unit_test(k8_going_on_after_an_unclean_stop),
        cmocka_unit_test(k9_before_the_last_one_is_in_sync),
        cmocka_unit_test(k9_without_looking_twice_from_two_nodes),
        cmocka_unit_test(rules_and_topics_can_be_left_out),
        cmocka_unit_test(texts_are_those_of_the_first_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
