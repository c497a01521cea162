/* Clients of a description, as a broker's metrics would tell them. */
#include "sim/with_sim.h"

#include <string.h>

static const kp_value *clients(cluster *c, int node)
{
    return told(c, (kp_request) { .kind = KP_Q_CLIENTS, .node = node });
}

static void tells(cluster *c, const kp_value *v, const char *key, const char *json)
{
    assert_string_equal(kp_json_text(c->a, kp_get(v, key)),
                        kp_json_text(c->a, value_of(c->a, json)));
}

#define OWN(n)                                                                                     \
    "{'brokers_too':true,'connections':" #n ",'listener':'PLAINTEXT','name':'unknown',"            \
    "'version':'unknown'}"

static void without_clients_brokers_have_each_other(void **state)
{
    cluster c = cluster_of("{'release':'3.9.1'}");
    (void)state;
    const kp_value *v = clients(&c, 2);
    tells(&c, v, "connections", "[" OWN(2) "]");
    tells(&c, v, "unknown_to", "[1,1,3,1]");
    tells(&c, v, "deprecated", "[]");
    assert_string_equal(kp_get_text(v, "release", ""), "3.9.1");
    tells(&c, clients(&c, 3001), "connections", "[]"); /* a controller: none but KRaft's own */
    cluster_close(&c);
}

static void who_is_connected_where(void **state)
{
    cluster c = cluster_of("{'release':'3.9.1','clients':["
                           "{'name':'librdkafka','version':'2.3.0','connections':4},"
                           "{'name':'librdkafka','version':'2.3.0','connections':3,'node':2},"
                           "{'node':2,'listener':'OUTSIDE'},{'node':2}]}");
    (void)state;
#define LIB(n)                                                                                     \
    "{'brokers_too':true,'connections':" #n ",'listener':'PLAINTEXT','name':'librdkafka',"         \
    "'version':'2.3.0'}"
    tells(&c, clients(&c, 1), "connections", "[" LIB(4) "," OWN(2) "]");
    tells(&c, clients(&c, 2), "connections",
          "[" LIB(7) ",{'brokers_too':false,'connections':1,'listener':'OUTSIDE','name':'unknown',"
                     "'version':'unknown'}," OWN(3) "]");
    cluster_close(&c);
}

/* Counted since the broker started, and no more when the client is gone. */
static void what_4_0_no_longer_takes(void **state)
{
    cluster c = cluster_of(
        "{'release':'3.7.2','topics':[{'name':'t'}],'clients':[{'node':1,'until':'1m',"
        "'requests':['Produce 2','FetchConsumer 3']}]}");
    (void)state;
    const kp_value *first = kp_get(clients(&c, 1), "deprecated");
    assert_int_equal(kp_len(first), 2);
    assert_string_equal(kp_get_text(kp_at(first, 0), "request", ""), "FetchConsumer");
    assert_int_equal(kp_get_int(kp_at(first, 0), "version", -1), 3);
    assert_string_equal(kp_get_text(kp_at(first, 1), "name", ""), "unknown");
    tells(&c, clients(&c, 2), "deprecated", "[]");
    pass(&c, 2 * KP_MINUTE);
    const kp_value *later = kp_get(clients(&c, 1), "deprecated");
    assert_int_equal(kp_get_int(kp_at(later, 0), "count", 0), 61);
    tells(&c, clients(&c, 1), "connections", "[" OWN(2) "]");
    restart(&c, 1);
    tells(&c, clients(&c, 1), "deprecated", "[]");
    cluster_close(&c);
}

static void what_is_not_told(void **state)
{
    cluster c = cluster_of("{'release':'3.6.2','clients':[{'requests':['Produce 2']}],"
                           "'faults':[{'fault':'no_jdk','node':2,'lasts':'1m'}]}");
    (void)state;
    assert_null(kp_get(clients(&c, 1), "deprecated")); /* before 3.7 */
    assert_non_null(strstr(kp_get_text(clients(&c, 2), "problem", ""), "no jcmd"));
    assert_null(kp_get(clients(&c, 2), "connections"));
    pass(&c, KP_MINUTE);
    assert_null(kp_get(clients(&c, 2), "problem"));
    stop(&c, 2);
    assert_true(until_off(&c, 2, KP_MINUTE) >= 0);
    assert_string_equal(kp_get_text(clients(&c, 2), "problem", ""), "no process of this node runs");
    tells(&c, clients(&c, 1), "unknown_to", "[3,1]");
    cluster_close(&c);
}

static void wrong_clients_are_said(void **state)
{
    static const struct {
        const char *key, *at, *says;
    } rows[] = {
        { "'node':9", ".node", "there is no broker 9" },
        { "'node':3001", ".node", "there is no broker 3001" },
        { "'connections':0", ".connections", "not between" },
        { "'requests':['Produce']", ".requests", "`Produce` is no name of a request" },
        { "'requests':['Produce 2x']", ".requests", "no name of a request" },
        { "'requests':['Pro,duce 2']", ".requests", "no name of a request" },
        { "'nmae':'x'", ".nmae", "did you mean `name`" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_sim *sim = NULL;
        const char *spec = kp_printf(a, "{'clients':[{},{%s}]}", rows[i].key);
        kp_err *e = kp_sim_from_spec(a, value_of(a, spec), &sim);
        assert_non_null(e);
        assert_true(kp_ends_with(e->where, kp_printf(a, "clients[1]%s", rows[i].at)));
        if (!strstr(e->what, rows[i].says))
            fail_msg("%s: %s", rows[i].key, e->what);
        kp_err_drop(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_clients_brokers_have_each_other),
        cmocka_unit_test(who_is_connected_where),
        cmocka_unit_test(what_4_0_no_longer_takes),
        cmocka_unit_test(what_is_not_told),
        cmocka_unit_test(wrong_clients_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
