/* Descriptions, demos and snapshots: what they make, and what is said of wrong ones. */
#include "sim/with_sim.h"

#include <string.h>

static void defaults_are_a_small_kraft_cluster(void **state)
{
    cluster c = cluster_of("{}");
    (void)state;
    const kp_inventory *inv = kp_sim_inventory(c.a, c.sim, NULL);
    assert_int_equal(inv->n_nodes, 6);
    static const int ids[] = { 1, 2, 3, 3001, 3002, 3003 };
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(inv->nodes[i].id, ids[i]);
        assert_int_equal(inv->nodes[i].roles, i < 3 ? KP_BROKER : KP_CONTROLLER);
    }
    assert_string_equal(kp_inventory_node(inv, 2)->kafka, "broker2:9092");
    assert_string_equal(kp_inventory_node(inv, 2)->controller, "");
    assert_string_equal(kp_inventory_node(inv, 3002)->controller, "controller3002:9093");
    assert_string_equal(kp_inventory_node(inv, 2)->layout.config,
                        kp_get_text(kp_get(host_of(&c, 2), "process"), "config", ""));
    assert_int_equal(strlen(kp_inventory_digest(c.a, inv)), 64);
    assert_int_equal(view_of(&c, 1)->n_parts, 0);
    cluster_close(&c);
}

static void demos_are_sound(void **state)
{
    static const struct {
        const char *mode, *release;
        uint32_t nodes;
    } rows[] = {
        { "kraft", "3.7.2", 6 },
        { "combined", "3.7.2", 3 },
        { "zookeeper", "3.4.1", 3 },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
    kp_sim *sim;
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        sound(kp_sim_demo(a, rows[i].mode, &sim));
        cluster c = cluster_from(sim);
        const kp_view *v = view_of(&c, 1);
        assert_int_equal(v->n_topics, 5);
        assert_int_equal(v->n_parts, 140);
        assert_true(v->topics[0].internal);
        assert_int_equal(v->counts.urp + v->counts.offline + v->counts.at_min_isr, 0);
        for (uint32_t t = 1; t < v->n_topics; t++)
            assert_true(strcmp(v->topics[t - 1].name, v->topics[t].name) < 0);
        assert_int_equal(kp_sim_inventory(a, sim, NULL)->n_nodes, rows[i].nodes);
        assert_string_equal(kp_get_text(host_of(&c, 1), "running_release", ""), rows[i].release);
        assert_true(kp_len(kp_get(host_of(&c, 1), "releases")) > 40);
        for (int id = 1; id <= 3; id++)
            restart(&c, id);
        cluster_close(&c);
    }
    kp_err *e = kp_sim_demo(a, "craft", &sim);
    assert_non_null(strstr(e->what, "did you mean `kraft`"));
    kp_err_drop(e);
}

/* A cluster file gives scalars as text. */
static void numbers_may_be_text(void **state)
{
    cluster c = cluster_of(
        "{'brokers':'4','controllers':'1','release':'3.9.1','metadata_version':'3.8','seed':'7',"
        "'auto_leader_rebalance':'true','topics':[{'name':'t','partitions':'8','rf':'2',"
        "'min_isr':'2','size':'10GB','rate':'2MB/s','unclean':'false'}]}");
    (void)state;
    const kp_view *v = view_of(&c, 1);
    assert_int_equal(v->n_parts, 8);
    assert_int_equal(v->counts.at_min_isr, 8);
    assert_int_equal(v->flags[0], 0);
    const kp_value *said = told(&c, (kp_request) { .kind = KP_Q_NODE, .node = 1 });
    assert_int_equal(kp_get_int(said, "metadata_version", 0), 20);
    const kp_value *log_dir = kp_at(told(&c, (kp_request) { .kind = KP_Q_LOG_DIRS, .node = 1 }), 0);
    assert_int_equal(kp_get_int(log_dir, "size", 0), 5000000000);
    cluster_close(&c);
}

static void counted_topics_have_names_in_order(void **state)
{
    cluster c = cluster_of(
        "{'topics':[{'name':'z','partitions':1},{'name':'many','count':120,'partitions':2}]}");
    (void)state;
    const kp_view *v = view_of(&c, 1);
    assert_int_equal(v->n_topics, 121);
    assert_string_equal(v->topics[0].name, "many-001");
    assert_string_equal(v->topics[119].name, "many-120");
    assert_string_equal(v->topics[120].name, "z");
    assert_int_equal(v->topics[119].first, 238);
    assert_true(memcmp(v->topics[0].id, v->topics[1].id, 16) != 0);
    cluster_close(&c);
}

static void wrong_descriptions_are_said(void **state)
{
    static const struct {
        const char *json, *where, *says;
    } rows[] = {
        { "[]", "simulate", "a map is needed" },
        { "{'broker':3}", "simulate.broker", "did you mean `brokers`" },
        { "{'brokers':0}", "simulate.brokers", "not between 1 and" },
        { "{'brokers':'three'}", "simulate.brokers", "not a whole number" },
        { "{'brokers':true}", "simulate.brokers", "not a whole number" },
        { "{'mode':'zoo'}", "simulate.mode", "unknown word `zoo`" },
        { "{'mode':'kraftt'}", "simulate.mode", "did you mean `kraft`" },
        { "{'mode':'zookeeper','metadata_version':'3.7'}", "simulate.metadata_version",
          "no metadata.version" },
        { "{'mode':'zookeeper','release':'4.0.1'}", "simulate.release", "no ZooKeeper mode" },
        { "{'release':'3.2.3'}", "simulate.release", "preview" },
        { "{'release':'3.7'}", "simulate.release", "not a Kafka release" },
        { "{'release':'5.1.0'}", "simulate.release", "does not know release 5.1.0" },
        { "{'ibp':'3.7'}", "simulate.ibp", "KRaft ignores" },
        { "{'mode':'zookeeper','ibp':'3.9'}", "simulate.ibp", "does not speak protocol `3.9`" },
        { "{'metadata_version':'3.9'}", "simulate.metadata_version",
          "supports metadata.version 1 to 19, not 21" },
        { "{'metadata_version':'x'}", "simulate.metadata_version", "no metadata.version" },
        { "{'staged':['9.9.9']}", "simulate.staged", "does not know release 9.9.9" },
        { "{'staged':'3.9.1'}", "simulate.staged", "not a list" },
        { "{'staged':[{}]}", "simulate.staged", "a list of texts" },
        { "{'topics':[{'name':'a'},{'nam':'b'}]}", "simulate.topics[1].nam",
          "did you mean `name`" },
        { "{'topics':[{}]}", "simulate.topics[0].name", "no name" },
        { "{'topics':[{'name':'a','rf':4}]}", "simulate.topics[0].rf",
          "4 replicas do not fit on 3 brokers" },
        { "{'mode':'zookeeper','ghosts':[9]}", "simulate.ghosts", "ends with its broker" },
        { "{'ghosts':[9,2]}", "simulate.ghosts", "item 2 is not the id of a node of its own" },
        { "{'ghosts':['x']}", "simulate.ghosts", "item 1 is not the id" },
        { "{'mode':'zookeeper','ghost_controllers':[9]}", "simulate.ghost_controllers",
          "no controller registers" },
        { "{'ghost_controllers':[9,3001]}", "simulate.ghost_controllers",
          "item 2 is not the id of a node of its own" },
        { "{'stalled':'h'}", "simulate.stalled", "not a list" },
        { "{'topics':[{'name':'a','rf':9}]}", "simulate.topics[0].rf",
          "9 replicas do not fit on 3 brokers" },
        { "{'topics':[{'name':'a','size':'10 apples'}]}", "simulate.topics[0].size",
          "number of bytes" },
        { "{'topics':[{'name':'a','unclean':'maybe'}]}", "simulate.topics[0].unclean",
          "not true or false" },
        { "{'topics':[{'name':'a'},{'name':'a'}]}", "simulate.topics", "topic a is there twice" },
        { "{'topics':[{'name':'a','count':60000,'partitions':1000}]}", "simulate.topics",
          "more than 8388608 partitions" },
        { "{'timing':{'bot':'3s'}}", "simulate.timing.bot", "did you mean `boot`" },
        { "{'timing':{'boot':'fast'}}", "simulate.timing.boot", "not a duration" },
        { "{'accept':['nope']}", "simulate.accept", "no topic nope" },
        { "{'allow':['K10']}", "simulate.allow", "no rule K10" },
        { "{'faults':[{'fault':'crash','node':1},{'fault':'crash'}]}", "simulate.faults[1].node",
          "needs a node" },
        { "{'breaking':{'3.9.1':'x'}}", "simulate.breaking.3.9.1", "not a list" },
        { "{'breaking':['x']}", "simulate.breaking", "a map is needed here, not a list" },
        { "{'groups':'g'}", "simulate.groups", "not a list" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 256 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_sim *sim = NULL;
        kp_err *e = kp_sim_from_spec(a, value_of(a, rows[i].json), &sim);
        if (!e || !strstr(e->what, rows[i].says) || strcmp(e->where, rows[i].where) != 0)
            print_error("%s: %s: %s\n", rows[i].json, e ? e->where : "", e ? e->what : "no error");
        assert_non_null(e);
        assert_null(sim);
        assert_int_equal(e->cls, KP_CONFIG);
        assert_non_null(strstr(e->what, rows[i].says));
        assert_string_equal(e->where, rows[i].where);
        assert_true(*e->next != '\0');
        kp_err_drop(e);
    }
}

/* ---- snapshots ---- */

#define SNAPSHOT                                                                                   \
    "{'cluster_id':'abcdefghijklmnopqrstuv','mode':'kraft','at':1700000000000,'metadata_version':" \
    "20,"                                                                                          \
    "'controller':902,'brokers':["                                                                 \
    "{'id':7,'host':'h7','rack':'r1','release':'3.8.1','link_release':'3.9.1','staged':['3.8.1','" \
    "3.9.1','junk'],"                                                                              \
    "'config':'/c/7.properties','current':'/o/current','releases_dir':'/o/"                        \
    "r','properties':'node.id=7\\n"                                                                \
    "process.roles=broker\\n'},"                                                                   \
    "{'id':9,'host':'h9','release':'3.8.1','alive':false},{'id':8,'host':'h8','release':'3.8.1'}]" \
    ","                                                                                            \
    "'controllers':[{'id':901,'host':'c1','release':'3.9.1'},{'id':902,'host':'c2','release':'3."  \
    "9.1'}],"                                                                                      \
    "'topics':[{'name':'b','min_isr':1,'unclean':true,'partitions':[[[7,8],[8],8]]},"              \
    "{'name':'a','id':'00112233445566778899aabbccddeeff','min_isr':2,"                             \
    "'partitions':[[[9,8,7],[8,7],8],[[9],[9],-1],[[7,8,9],[7,8],7]]}],"                           \
    "'reassignments':[{'topic':'a','partition':2,'adding':[9],'removing':[7]}],'seed':3}"

static void a_snapshot_is_the_cluster_it_was_taken_from(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
    kp_sim *sim;
    (void)state;
    sound(kp_sim_from_snapshot(a, value_of(a, SNAPSHOT), &sim));
    cluster c = cluster_from(sim);
    assert_int_equal(kp_now(c.w), 1700000000000);
    const kp_view *v = view_of(&c, 8);
    assert_string_equal(v->cluster_id, "abcdefghijklmnopqrstuv");
    assert_int_equal(v->n_brokers, 3);
    assert_int_equal(v->brokers[0].id, 7);
    assert_true(v->brokers[1].alive);
    assert_false(v->brokers[2].alive);
    assert_string_equal(v->brokers[0].rack, "r1");
    assert_string_equal(v->topics[0].name, "a");
    assert_int_equal(v->topics[0].id[15], 0xff);
    assert_int_equal(v->n_parts, 4);
    assert_int_equal(kp_view_leader_id(v, 0), 8);
    assert_int_equal(kp_view_isr_bits(v, 0, 0), 6);
    assert_int_equal(kp_view_leader_id(v, 1), -1);
    assert_int_equal(kp_view_isr_bits(v, 1, 0), 1);
    assert_int_equal(v->min_isr[0], 2);
    assert_int_equal(v->min_isr[3], 1);
    assert_int_equal(v->flags[3], KP_PART_UNCLEAN);
    assert_int_equal(v->counts.urp, 3);
    assert_int_equal(v->counts.offline, 1);
    const kp_value *h = host_of(&c, 7);
    assert_string_equal(kp_get_text(h, "running_release", ""), "3.8.1");
    assert_string_equal(kp_get_text(h, "link_release", ""), "3.9.1");
    assert_string_equal(kp_get_text(h, "link", ""), "/o/r/kafka_2.13-3.9.1");
    assert_int_equal(kp_len(kp_get(h, "releases")), 2);
    const kp_value *f = told(&c, (kp_request) { .kind = KP_Q_FILE, .node = 7 });
    assert_string_equal(kp_get_text(f, "path", ""), "/c/7.properties");
    assert_string_equal(kp_get_text(f, "bytes", ""), "node.id=7\nprocess.roles=broker\n");
    assert_int_equal(kp_get_int(host_of(&c, 9), "pid", -1), 0);
    assert_int_equal(kp_get_int(host_of(&c, 9), "clean_dirs", -1), 1);
    assert_int_equal(kp_get_int(told(&c, (kp_request) { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE }),
                                "leader", 0),
                     902);
    const kp_value *moves = told(&c,
                                 (kp_request) { .kind = KP_Q_REASSIGNMENTS, .node = KP_ANY_NODE });
    assert_int_equal(kp_len(moves), 1);
    assert_string_equal(
        kp_json_text(a, kp_at(moves, 0)),
        "{\"adding\":[9],\"partition\":2,\"removing\":[7],\"replicas\":[7,8,9],\"topic\":\"a\"}");
    const kp_inventory *inv = kp_sim_inventory(a, sim, NULL);
    assert_int_equal(inv->n_nodes, 5);
    assert_string_equal(kp_inventory_node(inv, 7)->layout.current, "/o/current");

    /* It lives: what is behind catches up; the broker that was down comes back. */
    pass(&c, 10 * KP_SECOND);
    assert_int_equal(view_of(&c, 8)->counts.urp, 2);
    start(&c, 9);
    pass(&c, 30 * KP_SECOND);
    v = view_of(&c, 8);
    assert_int_equal(v->counts.offline, 0);
    assert_int_equal(v->counts.urp, 1); /* the reassignment is still under way */
    cluster_close(&c);
}

/* The snapshot that a view gives of a simulated cluster makes one whose view is equal. */
/* As KafkaConfig reads them: blanks behind a value are none of it, and an id may be generated. */
static void files_of_a_snapshot_mean_what_kafka_reads(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
    kp_sim *sim;
    (void)state;
    sound(kp_sim_from_snapshot(
        a,
        value_of(a, "{'mode':'zookeeper','controller':2,'topics':[],'brokers':["
                    "{'id':1,'host':'h1','release':'3.4.1','properties':"
                    "'broker.id=1 \\ninter.broker.protocol.version=3.3  \\n'},"
                    "{'id':2,'host':'h2','release':'3.4.1','properties':'process.roles=\\n'}]}"),
        &sim));
    cluster c = cluster_from(sim);
    for (int node = 1; node <= 2; node++) {
        stop(&c, node);
        assert_true(until_off(&c, node, KP_MINUTE) >= 0);
        start(&c, node);
        assert_true(until_listed(&c, node, true, KP_MINUTE) >= 0);
    }
    const kp_value *config = told(
        &c, (kp_request) { .kind = KP_Q_CONFIG, .node = 1, .config.resource = "broker" });
    const kp_value *ibp = kp_get(kp_get(config, "1"), "inter.broker.protocol.version");
    assert_string_equal(kp_get_text(ibp, "value", ""), "3.3");
    cluster_close(&c);
}

static void a_snapshot_of_a_view_comes_back(void **state)
{
    cluster c = cluster_of(
        "{'brokers':12,'topics':[{'name':'t','partitions':20},{'name':'u','rf':2},"
        "{'name':'w','rf':12}]}");
    (void)state;
    stop(&c, 2);
    until_off(&c, 2, KP_MINUTE);
    const kp_view *v = view_of(&c, 1);
    kp_builder topics = kp_list_begin(c.a), brokers = kp_list_begin(c.a);
    for (uint32_t t = 0; t < v->n_topics; t++) {
        kp_builder parts = kp_list_begin(c.a);
        for (uint32_t p = v->topics[t].first; p < v->topics[t].first + v->topics[t].n; p++) {
            const kp_value *one = kp_view_partition_value(c.a, v, p);
            kp_builder b = kp_list_begin(c.a);
            kp_list_add(&b, kp_get(one, "replicas"));
            kp_list_add(&b, kp_get(one, "isr"));
            kp_list_add(&b, kp_get(one, "leader"));
            kp_list_add(&parts, kp_list_end(&b));
        }
        kp_list_add(&topics, kp_map(c.a, "name", kp_text(c.a, v->topics[t].name), "min_isr",
                                    kp_int(c.a, v->min_isr[v->topics[t].first]), "partitions",
                                    kp_list_end(&parts), NULL));
    }
    for (uint32_t b = 0; b < v->n_brokers; b++)
        kp_list_add(&brokers,
                    kp_map(c.a, "id", kp_int(c.a, v->brokers[b].id), "release",
                           kp_text(c.a, "3.7.2"), "alive", kp_bool(v->brokers[b].alive), NULL));
    kp_sim *sim;
    sound(kp_sim_from_snapshot(c.a,
                               kp_map(c.a, "topics", kp_list_end(&topics), "brokers",
                                      kp_list_end(&brokers), "controllers",
                                      value_of(c.a, "[{'id':3001,'release':'3.7.2'}]"), NULL),
                               &sim));
    cluster d = cluster_from(sim);
    const kp_view *w = view_of(&d, 1);
    for (uint32_t t = 0; t < v->n_topics; t++) /* ids are made up anew */
        assert_string_equal(w->topics[t].name, v->topics[t].name);
    assert_memory_equal(&w->counts, &v->counts, sizeof w->counts);
    for (uint32_t p = 0; p < v->n_parts; p++)
        assert_int_equal(kp_view_isr_bits(w, p, 0), kp_view_isr_bits(v, p, 0));
    assert_memory_equal(w->leader, v->leader, v->n_parts * sizeof *v->leader);
    assert_memory_equal(w->rep, v->rep, v->first_rep[v->n_parts] * sizeof *v->rep);
    assert_memory_equal(w->leads, v->leads, v->n_brokers * sizeof *v->leads);
    cluster_close(&d);
    cluster_close(&c);
}

static void combined_nodes_say_in_their_files_who_votes(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
    kp_sim *sim;
    (void)state;
    sound(kp_sim_from_snapshot(
        a,
        value_of(a, "{'mode':'combined','brokers':[{'id':1,'release':'3.9.1'},"
                    "{'id':2,'release':'3.9.1','properties':'node.id=2\\nprocess.roles=broker'},"
                    "{'id':3,'release':'3.9.1','voter':false}]}"),
        &sim));
    const kp_inventory *inv = kp_sim_inventory(a, sim, NULL);
    assert_int_equal(inv->nodes[0].roles, KP_BROKER | KP_CONTROLLER);
    assert_int_equal(inv->nodes[1].roles, KP_BROKER);
    assert_int_equal(inv->nodes[2].roles, KP_BROKER);
    kp_sim_close(sim);
}

static void wrong_snapshots_are_said(void **state)
{
    static const struct {
        const char *json, *where, *says;
    } rows[] = {
        { "{}", "snapshot.brokers", "a snapshot of 0 brokers" },
        { "{'brokers':[{'release':'3.7.2'}]}", "snapshot.brokers[0].id", "no id" },
        { "{'brokers':[{'id':1}]}", "snapshot.brokers[0].release", "has no release" },
        { "{'brokers':[{'id':1,'release':'3.7.2'},{'id':1,'release':'3.7.2'}]}", "snapshot.brokers",
          "there twice" },
        { "{'brokers':[{'id':1,'release':'3.7.2','hosts':'h'}]}", "snapshot.brokers[0].hosts",
          "did you mean `host`" },
        { "{'brokers':[{'id':1,'release':'3.7.2'}],'topics':[{'name':'t','partitions':[[[2],[2],2]]"
          "}]}",
          "snapshot.topics[0].partitions", "a replica is on 2" },
        { "{'brokers':[{'id':1,'release':'3.7.2'}],'topics':[{'name':'t','partitions':[[[],[],-1]]}"
          "]}",
          "snapshot.topics", "t-0 has 0 replicas" },
        { "{'brokers':[{'id':1,'release':'3.7.2'}],'topics':[{'name':'t','id':'xyz'}]}",
          "snapshot.topics[0].id", "no topic id" },
        { "{'brokers':[{'id':1,'release':'3.7.2'}],'reassignments':[{'topic':'t','partition':0}]}",
          "snapshot.reassignments", "of no partition" },
        { "{'brokers':[{'id':1,'release':'3.7.2'}],'metadata_version':25}",
          "snapshot.metadata_version", "not 25" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 64 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_sim *sim;
        kp_err *e = kp_sim_from_snapshot(a, value_of(a, rows[i].json), &sim);
        if (!e || !strstr(e->what, rows[i].says) || strcmp(e->where, rows[i].where) != 0)
            print_error("%s: %s: %s\n", rows[i].json, e ? e->where : "", e ? e->what : "no error");
        assert_non_null(e);
        assert_string_equal(e->where, rows[i].where);
        assert_non_null(strstr(e->what, rows[i].says));
        kp_err_drop(e);
    }
}

static void policy_of_the_cluster_file_is_kept(void **state)
{
    static const char text[] =
        "cluster: demo\nsimulate: { brokers: 3, topics: [ { name: t, rf: 2 } ] }\n"
        "policy: { guard: healthy, accept: [ { topic: t, why: test } ] }\n";
    KP_AUTO_ARENA a = kp_arena_new("t", 256 << 20);
    const kp_inventory *file;
    kp_sim *sim;
    (void)state;
    sound(kp_inventory_parse(a, "kplay.yaml", text, strlen(text), &file));
    sound(kp_sim_from_spec(a, file->simulate, &sim));
    const kp_inventory *inv = kp_sim_inventory(a, sim, file);
    assert_int_equal(inv->n_nodes, 6);
    assert_string_equal(inv->cluster, "demo");
    assert_int_equal(inv->guard, KP_GUARD_HEALTHY);
    assert_int_equal(kp_len(inv->accept), 1);
    kp_sim_close(sim);
}

/* A broker that is in no cluster file: one that left long ago, and one that lives. */
static void brokers_in_no_file_are_there_and_not_ours(void **state)
{
    static const char *const modes[] = { "kraft", "zookeeper", "combined" };

    (void)state;
    for (size_t i = 0; i < KP_COUNT(modes); i++) {
        KP_AUTO_ARENA a = kp_arena_new("t", 8 << 20);
        kp_sim *sim;
        sound(kp_sim_from_snapshot(
            a,
            value_of(a,
                     kp_printf(a,
                               "{'mode':'%s','controller':%s,'brokers':["
                               "{'id':1,'release':'3.8.1'},{'id':2,'release':'3.8.1'},"
                               "{'id':3,'release':'3.8.1'},"
                               "{'id':4,'release':'3.8.1','alive':false,'managed':false,"
                               "'voter':false},"
                               "{'id':5,'release':'3.8.1','managed':false,'voter':false}],"
                               "'topics':[{'name':'t','min_isr':1,'partitions':"
                               "[[[1,4],[1],1],[[2,3,5],[2,3,5],2],[[4],[4],-1]]}]}",
                               modes[i],
                               i > 0 ? "1" : "3001,'controllers':[{'id':3001,'release':'3.8.1'}]")),
            &sim));
        cluster c = cluster_from(sim);
        const kp_view *v = view_of(&c, 2);
        assert_int_equal(v->n_brokers, 5);
        assert_false(v->brokers[3].alive);
        assert_true(v->brokers[4].alive);
        assert_int_equal(v->counts.urp, 1);
        assert_int_equal(v->counts.offline, 1);
        const kp_inventory *inv = kp_sim_inventory(a, sim, NULL);
        assert_int_equal(inv->n_nodes, i > 0 ? 3 : 4); /* and the controller */
        assert_null(kp_inventory_node(inv, 4));
        assert_null(kp_inventory_node(inv, 5));
        /* The active controller comes last of ours. */
        restart(&c, 2);
        restart(&c, 3);
        restart(&c, 1);
        assert_int_equal(violations(&c, "K7"), 0);
        cluster_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_a_small_kraft_cluster),
        cmocka_unit_test(demos_are_sound),
        cmocka_unit_test(numbers_may_be_text),
        cmocka_unit_test(counted_topics_have_names_in_order),
        cmocka_unit_test(wrong_descriptions_are_said),
        cmocka_unit_test(a_snapshot_is_the_cluster_it_was_taken_from),
        cmocka_unit_test(files_of_a_snapshot_mean_what_kafka_reads),
        cmocka_unit_test(a_snapshot_of_a_view_comes_back),
        cmocka_unit_test(brokers_in_no_file_are_there_and_not_ours),
        cmocka_unit_test(combined_nodes_say_in_their_files_who_votes),
        cmocka_unit_test(wrong_snapshots_are_said),
        cmocka_unit_test(policy_of_the_cluster_file_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
