/* What the guard finds before a start, before a switch of release and before what cannot be undone,
 * from whatever nodes and hosts answer. */
#include "guard/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a world that answers from a table ---- */

typedef struct told {
    kp_req kind;
    int node;         /* 0: whichever */
    const char *json; /* with ' for "; NULL: an error */
} told;

static struct {
    kp_world w;
    kp_arena *a;
    const told *t;
    size_t n;
    int stranger; /* a registered broker that is not in the cluster file; 0: none */
    kp_ms now;
    const char *met; /* what the first broker said when the run began; NULL: nothing */
    kp_reply open[16], last;
    size_t n_open;
} here;

static const kp_value *json(const char *text)
{
    const kp_value *v;
    char *copy = kp_strdup(here.a, text);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    kp_err *e = kp_json_read(here.a, copy, strlen(copy), &v);
    assert_null(e);
    return v;
}

static const kp_view *brokers_view(int node)
{
    kp_view_broker brokers[] = { { .id = 1, .alive = true, .host = "b1" },
                                 { .id = 2, .alive = true, .host = "b2" },
                                 { .id = 9, .alive = here.stranger == 9, .host = "b9" } };
    kp_view_in in = {
        .node = node, .whole = true, .cluster_id = "c", .n_brokers = 3, .brokers = brokers
    };
    const kp_view *v;
    assert_null(kp_view_build(here.a, &in, &v));
    return v;
}

static uint64_t on_send(kp_world *w, kp_arena *a, const kp_request *q)
{
    const told *t = NULL;
    static uint64_t tickets;
    (void)w;
    (void)a;
    for (size_t i = 0; i < here.n && !t; i++)
        if (here.t[i].kind == q->kind && (here.t[i].node == 0 || here.t[i].node == q->node))
            t = &here.t[i];
    assert_true(here.n_open < KP_COUNT(here.open));
    kp_reply *r = &here.open[here.n_open++];
    *r = (kp_reply) { .ticket = ++tickets, .kind = q->kind, .node = q->node };
    if (t && t->json && q->kind == KP_Q_RELEASE) /* by release */
        r->value = kp_get(json(t->json), q->release.version);
    else if (t && t->json)
        r->value = json(t->json);
    else if (q->kind == KP_Q_PROOF && !t)
        r->value = json("{'ran':true}");
    else if ((q->kind == KP_Q_REGISTERED || q->kind == KP_Q_CONTROLLERS) && !t)
        r->value = json("[]");
    else if (q->kind == KP_Q_VIEW && !t)
        r->view = brokers_view(q->node);
    else
        r->err = kp_err_new(KP_CLUSTER, "look at it", "no answer within 5 s");
    return r->ticket;
}
static kp_reply *on_wait(kp_world *w, kp_ms until)
{
    (void)w;
    if (here.n_open == 0) {
        here.now = until;
        return NULL;
    }
    here.last = here.open[--here.n_open];
    return &here.last;
}
static kp_ms on_now(kp_world *w)
{
    (void)w;
    return here.now;
}
static int on_interrupts(kp_world *w)
{
    (void)w;
    return 0;
}
static const kp_world_class answering = { .name = "sim",
                                          .send = on_send,
                                          .wait = on_wait,
                                          .now = on_now,
                                          .mono = on_now,
                                          .interrupts = on_interrupts };

#define LAYOUT                                                                                     \
    {                                                                                              \
        .current = "/k/current", .releases = "/k", .release = "kafka-{version}",                   \
        .config = "/k/s.properties"                                                                \
    }
static const kp_node nodes[] = {
    { .id = 1, .roles = KP_BROKER, .host = "h1", .layout = LAYOUT },
    { .id = 2, .roles = KP_BROKER, .host = "h2", .layout = LAYOUT },
    { .id = 3, .roles = KP_BROKER, .host = "h3", .layout = LAYOUT },
};
static const kp_inventory three = { .n_nodes = 3, .nodes = nodes };
static const kp_inventory both = { .n_nodes = 2, .nodes = nodes };
static const kp_inventory alone = { .n_nodes = 1, .nodes = nodes };

static kp_err *pauses(void *ud, kp_ms d)
{
    kp_ms until = kp_mono(&here.w) + d;
    (void)ud;
    while (kp_mono(&here.w) < until)
        assert_null(kp_wait(&here.w, until));
    return NULL;
}

/* Every finding as "row: text", one line each. */
static const char *lines(const kp_findings *fs)
{
    static char text[2048];
    *text = 0;
    for (size_t i = 0; i < fs->n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s: %s\n", fs->f[i].row,
                 fs->f[i].text);
    return text;
}

static kp_seen *look(const told *t, size_t n, const kp_inventory *inv)
{
    here.w = (kp_world) { .c = &answering };
    here.a = kp_arena_new("guard", 1 << 22);
    here.t = t;
    here.n = n;
    here.n_open = 0;
    here.now = 1000;
    kp_seen *o = kp_seen_new(here.a, here.a, &here.w, inv);
    o->met = here.met ? json(here.met) : NULL;
    o->pause = pauses;
    return o;
}

/* Before a start (version NULL), a switch to it, or what takes it. */
static const char *found(kp_guard_when when, const told *t, size_t n, const kp_inventory *inv,
                         const char *state, const char *version, const char *written)
{
    static const int node[] = { 1 };
    kp_seen *o = look(t, n, inv);
    const kp_value *states[] = { state ? json(state) : NULL };
    kp_guard_case c = { .nodes = node, .n = 1, .state = states, .version = version };
    kp_known_node(o, 1)->written_sha = written;
    kp_findings fs = { .a = here.a };
    kp_guard_judge(o, when, &c, &fs);
    const char *text = lines(&fs);
    kp_seen_done(o);
    kp_arena_free(here.a);
    return text;
}

/* By one row, before the first node is touched. */
static const char *found_ahead(const char *row, const told *t, size_t n, const char *version)
{
    static const int node[] = { 1 };
    kp_seen *o = look(t, n, &alone);
    kp_findings fs = { .a = here.a };
    kp_builder rows = kp_list_begin(here.a);
    kp_list_add(&rows, kp_text(here.a, row));
    assert_null(kp_guard_ahead(o, here.a, node, 1, version, kp_list_end(&rows), &fs));
    const char *text = lines(&fs);
    kp_seen_done(o);
    kp_arena_free(here.a);
    return text;
}

typedef struct start_row {
    const char *properties, *link, *to; /* of its file; the link's release; NULL: a start */
    told others[2];                     /* what broker 2 and the cluster say */
    const char *finds;
} start_row;

#define SPEAKS(ibp)                                                                                \
    {                                                                                              \
        KP_Q_CONFIG, 2, "{'2':{'inter.broker.protocol.version':{'value':'" ibp "'}}}"              \
    }
#define SILENT                                                                                     \
    {                                                                                              \
        KP_Q_CONFIG, 2, NULL                                                                       \
    }
#define LEVEL(n)                                                                                   \
    {                                                                                              \
        KP_Q_NODE, 0, "{'metadata_version':" n "}"                                                 \
    }

#define SAYS(release, min, max)                                                                    \
    {                                                                                              \
        KP_Q_RELEASE, 1,                                                                           \
            "{'" release "':{'metadata_version_min':" min ",'metadata_version_max':" max "}}"      \
    }

static void found_before_start(const start_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char file[256], state[256];
        snprintf(file, sizeof file, "{'bytes':'%s','sha256':'now'}", rows[i].properties);
        snprintf(state, sizeof state, "{'link_release':'%s','releases':['3.4.1','3.9.1','4.0.0']}",
                 rows[i].link);
        told t[] = { { KP_Q_FILE, 1, file }, rows[i].others[0], rows[i].others[1] };
        const char *text = found(KP_BEFORE_START, t, 3, &both, state, rows[i].to, NULL);
        assert_string_equal(text, rows[i].finds);
    }
}

/* ---- ZooKeeper: the protocol a broker would speak ---- */

#define PIN(v) "inter.broker.protocol.version=" v "\\n"

static void a_broker_must_not_speak_newer_than_the_others(void **state)
{
    static const start_row rows[] = {
        { PIN("3.3"), "3.4.1", NULL, { SPEAKS("3.3-IV3") }, "" },
        { PIN("3.2"), "3.4.1", NULL, { SPEAKS("3.3-IV3") }, "" },
        { "", "3.4.1", NULL, { SPEAKS("3.4-IV0") }, "" },
        { "", /* what it spoke itself is no matter */
          "3.4.1",
          NULL,
          { SPEAKS("3.4-IV0"),
            { KP_Q_CONFIG, 1, "{'1':{'inter.broker.protocol.version':{'value':'3.3'}}}" } },
          "" },
        { PIN("3.4"),
          "3.4.1",
          NULL,
          { SPEAKS("3.3-IV3") },
          "ibp-pinned: inter.broker.protocol.version=3.4 in the file is above broker 2's "
          "3.3-IV3\n" },
        { "",
          "3.4.1",
          NULL,
          { SPEAKS("3.3-IV3") },
          "ibp-pinned: inter.broker.protocol.version is not set and release 3.4 would speak its "
          "newest, above broker 2's 3.3-IV3\n" },
    };
    (void)state;
    found_before_start(rows, KP_COUNT(rows));
}

/* That is how Kafka's upgrade ends: the protocol is raised broker by broker. */
static void a_pin_that_every_other_binary_knows_may_be_above_the_others(void **state)
{
    static const start_row rows[] = {
        { PIN("3.4"),
          "3.4.1",
          NULL,
          { SPEAKS("3.3-IV3"), { KP_Q_NODE, 2, "{'release':'3.4'}" } },
          "" },
        { PIN("3.4"),
          "3.4.1",
          NULL,
          { SPEAKS("3.3-IV3"), { KP_Q_NODE, 2, "{'release':'3.3'}" } },
          "ibp-pinned: inter.broker.protocol.version=3.4 in the file is above broker 2's "
          "3.3-IV3\n" },
        /* Not pinned, nobody has meant it. */
        { "",
          "3.4.1",
          NULL,
          { SPEAKS("3.3-IV3"), { KP_Q_NODE, 2, "{'release':'3.4'}" } },
          "ibp-pinned: inter.broker.protocol.version is not set and release 3.4 would speak its "
          "newest, above broker 2's 3.3-IV3\n" },
    };
    (void)state;
    found_before_start(rows, KP_COUNT(rows));
}

static void what_is_not_known_of_the_protocol_is_a_finding(void **state)
{
    static const start_row rows[] = {
        { PIN("3.3"),
          "3.4.1",
          NULL,
          { SILENT },
          "ibp-pinned: no running broker says which inter.broker.protocol.version it speaks\n" },
        { PIN("3.3"),
          "3.4.1",
          NULL,
          { SPEAKS("new") },
          "ibp-pinned: no running broker says which inter.broker.protocol.version it speaks\n" },
        { PIN("3.3") PIN("3.3"),
          "3.4.1",
          NULL,
          { SPEAKS("3.3") },
          "ibp-pinned: inter.broker.protocol.version is set 2 times in /k/s.properties\n" },
        { PIN("soon"),
          "3.4.1",
          NULL,
          { SPEAKS("3.3") },
          "supports-ibp: inter.broker.protocol.version=soon is no protocol version kplay knows\n" },
        { "",
          "2.9.0",
          NULL,
          { SPEAKS("2.8") },
          "supports-ibp: inter.broker.protocol.version=(unset) is no protocol version kplay "
          "knows\n" },
        { PIN("3.5"),
          "3.4.1",
          NULL,
          { SPEAKS("3.5") },
          "supports-ibp: release 3.4 does not know inter.broker.protocol.version=3.5\n" },
    };
    (void)state;
    found_before_start(rows, KP_COUNT(rows));
}

static void a_cluster_of_one_broker_has_nobody_to_compare_with(void **state)
{
    static const told t[] = { { KP_Q_FILE, 1, "{'bytes':'','sha256':'now'}" } };
    (void)state;
    assert_string_equal(
        found(KP_BEFORE_START, t, 1, &alone, "{'link_release':'3.4.1'}", NULL, NULL), "");
}

static void of_several_brokers_the_oldest_decides(void **state)
{
    static const told t[] = {
        { KP_Q_FILE, 1, "{'bytes':'','sha256':'now'}" },
        SPEAKS("3.4-IV0"),
        { KP_Q_CONFIG, 3, "{'3':{'inter.broker.protocol.version':{'value':'3.2'}}}" },
    };
    (void)state;
    assert_string_equal(
        found(KP_BEFORE_START, t, 3, &three, "{'link_release':'3.4.1'}", NULL, NULL),
        "ibp-pinned: inter.broker.protocol.version is not set and release 3.4 would speak its "
        "newest, above broker 3's 3.2\n");
}

static void a_switch_is_not_judged_by_the_pin_that_comes_before_the_start(void **state)
{
    static const start_row rows[] = {
        { "", "3.4.1", "3.9.1", { SPEAKS("3.4") }, "" },
        { "",
          "3.9.1",
          "4.0.0",
          { SPEAKS("3.9") },
          "needs-kraft: release 4.0.0 has no ZooKeeper mode and broker 1 is configured for it\n" },
    };
    (void)state;
    found_before_start(rows, KP_COUNT(rows));
}

/* ---- KRaft: the finalised level ---- */

#define ROLES "process.roles=broker\\n"

/* While it is down nobody is left to ask. */
static void the_only_broker_is_judged_by_what_it_said_before(void **state)
{
    static const told t[] = { { KP_Q_FILE, 1, "{'bytes':'" ROLES "','sha256':'now'}" },
                              { KP_Q_NODE, 0, NULL } };
    (void)state;
    here.met = "{'metadata_version':19}";
    assert_string_equal(
        found(KP_BEFORE_START, t, 2, &alone, "{'link_release':'3.9.1'}", NULL, NULL), "");
    assert_string_equal(
        found(KP_BEFORE_START, t, 2, &alone, "{'link_release':'3.6.1'}", NULL, NULL),
        "supports-features: the cluster's metadata.version is level 19, release 3.6 knows only up "
        "to 14: broker 1 could not register\n");
    assert_string_equal(
        found(KP_BEFORE_START, t, 2, &both, "{'link_release':'3.9.1'}", NULL, NULL),
        "supports-features: no node says which metadata.version is finalised\n");
    here.met = NULL;
}

static void a_release_must_know_the_finalised_level(void **state)
{
    static const start_row rows[] = {
        { ROLES, "3.9.1", NULL, { LEVEL("21") }, "" },
        { ROLES, "4.0.0", NULL, { LEVEL("7") }, "" },
        { ROLES,
          "3.4.1",
          NULL,
          { LEVEL("9") },
          "supports-features: the cluster's metadata.version is level 9, release 3.4 knows only up "
          "to 8: broker 1 could not register\n" },
        { ROLES,
          "3.9.1",
          "4.0.0",
          { LEVEL("6") },
          "supports-features: the cluster's metadata.version is level 6, release 4.0 needs at "
          "least 7 on broker 1\n" },
        /* Without features: the controllers judge. */
        { ROLES, "3.9.1", NULL, { { KP_Q_NODE, 0, "{}" } }, "" },
        /* In no table: by what it says of itself. */
        { ROLES, "9.0.0", NULL, { LEVEL("99"), SAYS("9.0.0", "90", "99") }, "" },
        { ROLES,
          "9.0.0",
          NULL,
          { LEVEL("89"), SAYS("9.0.0", "90", "99") },
          "supports-features: the cluster's metadata.version is level 89, release 9.0 needs at "
          "least 90 on broker 1\n" },
        { ROLES,
          "9.0.0",
          NULL,
          { LEVEL("100"), SAYS("9.0.0", "90", "99") },
          "supports-features: the cluster's metadata.version is level 100, release 9.0 knows only "
          "up to 99: broker 1 could not register\n" },
        { ROLES,
          "9.0.0",
          NULL,
          { LEVEL("99"), { KP_Q_RELEASE, 1, "{'9.0.0':{'why':'no Java was found'}}" } },
          "supports-features: release 9.0.0 is not known here, and does not say which "
          "metadata.version it runs with: no Java was found\n" },
        { ROLES,
          "9.0.0",
          NULL,
          { LEVEL("99"), { KP_Q_RELEASE, 1, NULL } },
          "supports-features: release 9.0.0 is not known here, and does not say which "
          "metadata.version it runs with: no answer within 5 s\n" },
        { ROLES,
          "3.9.1",
          NULL,
          { { KP_Q_NODE, 0, NULL } },
          "supports-features: no node says which metadata.version is finalised\n" },
    };
    (void)state;
    found_before_start(rows, KP_COUNT(rows));
}

/* ---- the keys of the file ---- */

static void keys_that_a_release_no_longer_knows_are_found(void **state)
{
    static const char file[] = "{'bytes':'# a comment\\nnode.id=1\\nbroker.id=1\\n\\n"
                               "log.message.format.version=3.9\\nacme.url=x\\nnum.io.thread=8\\n"
                               "listener.name.in.scram.max.reauth.ms=1\\n'}",
                      host[] = "{'pid':7,'running_release':'3.9.1','releases':['3.9.1','4.9.0']}",
                      both_say[] = "{'3.9.1':{'keys':['node.id','broker.id','max.reauth.ms',"
                                   "'log.message.format.version','num.io.threads']},"
                                   "'4.9.0':{'keys':['node.id','num.io.threads']}}",
                      one_says[] = "{'3.9.1':{'why':'it is in a hurry'},'4.9.0':{'keys':['a']}}";
    const told t[] = { { KP_Q_FILE, 1, file },
                       { KP_Q_HOST, 1, host },
                       { KP_Q_RELEASE, 1, both_say } },
               u[] = { t[0], t[1], { KP_Q_RELEASE, 1, one_says } },
               v[] = { t[0], t[1], { KP_Q_RELEASE, 1, NULL } },
               w[] = { t[0], { KP_Q_HOST, 1, "{'pid':7,'running_release':'3.9.1'}" } };
    (void)state;
    assert_string_equal(
        found_ahead("config-keys", t, 3, "4.9.0"),
        "config-keys: /k/s.properties:3 on h1: 4.9.0 does not know broker.id, 3.9.1 does\n"
        "config-keys: /k/s.properties:5 on h1: 4.9.0 does not know log.message.format.version, "
        "3.9.1 does\n"
        "config-keys: /k/s.properties:7 on h1: no release knows num.io.thread\n"
        "config-keys: /k/s.properties:8 on h1: 4.9.0 does not know "
        "listener.name.in.scram.max.reauth.ms, 3.9.1 does\n");
    assert_string_equal(found_ahead("config-keys", t, 3, "3.9.1"), "");
    assert_string_equal(found_ahead("config-keys", t, 3, NULL), "");
    assert_string_equal(
        found_ahead("config-keys", u, 3, "4.9.0"),
        "config-keys: which keys 3.9.1 and 4.9.0 know is not known: it is in a hurry\n");
    assert_string_equal(
        found_ahead("config-keys", v, 3, "4.9.0"),
        "config-keys: which keys 3.9.1 and 4.9.0 know is not known: no answer within 5 s\n");
    assert_string_equal(found_ahead("config-keys", w, 2, "4.9.0"), ""); /* it is not staged */
}

/* ---- the host ---- */

static void a_release_must_be_there(void **state)
{
    static const start_row rows[] = {
        { ROLES, "3.9.1", "3.9.2", { LEVEL("7") }, "staged: release 3.9.2 is not staged on h1\n" },
        { ROLES, "", NULL, { LEVEL("7") }, "staged: /k/current on h1 leads to no Kafka release\n" },
        { ROLES,
          "latest",
          NULL,
          { LEVEL("7") },
          "staged: /k/current on h1 leads to no Kafka release\n" },
    };
    (void)state;
    found_before_start(rows, KP_COUNT(rows));
}

/* Not that the release is missing there: that is not known. */
static void a_host_that_does_not_answer_is_said_to_be_that(void **state)
{
    static const told quiet[] = { { KP_Q_HOST, 1, NULL },
                                  { KP_Q_FILE, 1,
                                    "{'bytes':'process.roles=broker\\n','sha256':'now'}" },
                                  LEVEL("7") };
    (void)state;
    assert_string_equal(found(KP_BEFORE_START, quiet, 3, &both, NULL, "3.9.1", NULL),
                        "staged: the host of broker 1 does not answer\n");
}

static void a_file_that_is_not_as_kplay_left_it_is_a_finding(void **state)
{
    static const told kept[] = { { KP_Q_FILE, 1,
                                   "{'bytes':'process.roles=broker\\n','sha256':'now'}" },
                                 LEVEL("21") },
                      gone[] = { { KP_Q_FILE, 1, NULL } };
    const char *link = "{'link_release':'3.9.1'}";
    (void)state;
    assert_string_equal(found(KP_BEFORE_START, kept, 2, &both, link, NULL, "now"), "");
    assert_string_equal(found(KP_BEFORE_START, kept, 2, &both, link, NULL, "then"),
                        "config-unchanged: /k/s.properties on h1 was changed by someone after "
                        "kplay's edit\n");
    assert_string_equal(found(KP_BEFORE_START, gone, 1, &both, link, NULL, NULL),
                        "config-unchanged: /k/s.properties on h1 cannot be read\n");
}

/* ---- what cannot be undone ---- */

#define RUNS(node, release)                                                                        \
    {                                                                                              \
        KP_Q_NODE, node, "{'release':'" release "'}"                                               \
    }

#define GHOST(id, is)                                                                              \
    "ghosts: controller " id " (c" id ":1) is registered, " is                                     \
    " and is not in the cluster file: metadata.version cannot be raised past what it knew\n"
/* 7 is an observer, 3 a voter; 4 has not fetched for long, 5 never, 6 is neither. */
#define CONTROLLERS                                                                                \
    "[{'id':1,'host':'c1','port':1},{'id':3,'host':'c3','port':1},{'id':4,'host':'c4','port':1},"  \
    "{'id':5,'host':'c5','port':1},{'id':6,'host':'c6','port':1},{'id':7,'host':'c7','port':1}]"
#define QUORUM                                                                                     \
    {                                                                                              \
        KP_Q_QUORUM, 0,                                                                            \
            "{'leader':3,'observers':[7],'voters':[{'id':3,'fetched_ms':0},"                       \
            "{'id':4,'fetched_ms':60000},{'id':5,'fetched_ms':-1}]}"                               \
    }

static void every_node_must_run_what_it_takes(void **state)
{
    static const struct {
        const char *version;
        told t[4];
        size_t n;
        int stranger;
        const char *finds;
    } rows[] = {
        { "3.9", { RUNS(1, "3.9"), RUNS(2, "4.0") }, 2, 0, "" },
        { "3.9.1", { RUNS(1, "3.9"), RUNS(2, "3.9") }, 2, 0, "" },
        { "3.9",
          { RUNS(1, "3.9"), RUNS(2, "3.8") },
          2,
          0,
          "all-upgraded: broker 2 runs 3.8, it takes 3.9\n" },
        { "3.9",
          { RUNS(1, "3.9"), { KP_Q_NODE, 2, NULL } },
          2,
          0,
          "all-upgraded: broker 2 runs an unknown release, it takes 3.9\n" },
        { "3.9",
          { RUNS(1, "3.9"), { KP_Q_NODE, 2, "{}" } },
          2,
          0,
          "all-upgraded: broker 2 runs an unknown release, it takes 3.9\n" },
        { NULL,
          { RUNS(1, "3.9"), RUNS(2, "3.9") },
          2,
          0,
          "all-upgraded: it is not known which release it needs\n" },
        { "3.9",
          { RUNS(1, "3.9"), RUNS(2, "3.9") },
          2,
          9,
          "all-upgraded: broker 9 at b9:0 is live and not in the cluster file\n" },
        { "3.9",
          { RUNS(1, "3.9"), RUNS(2, "3.9"), { KP_Q_VIEW, 0, NULL } },
          3,
          0,
          "all-upgraded: the state of the partitions is unknown: no broker answers\n" },
        { "3.9",
          { RUNS(1, "3.9"), RUNS(2, "3.9"), { KP_Q_REGISTERED, 0, NULL } },
          3,
          0,
          "ghosts: who is registered is not known\n" },
        { "3.9",
          { RUNS(1, "3.9"), RUNS(2, "3.9"), { KP_Q_REGISTERED, 0, "null" } },
          3,
          0,
          "ghosts: who is registered is not known\n" },
        { "3.9",
          { RUNS(1, "3.9"),
            RUNS(2, "3.9"),
            { KP_Q_REGISTERED, 0,
              "[{'id':1,'fenced':true},{'id':8,'fenced':true,'host':'b8','port':9092}]" } },
          3,
          0,
          "ghosts: broker 8 (b8:9092) is registered, is down and is not in the cluster file: "
          "metadata.version cannot be raised past what it knew\n" },
        { "3.9",
          { RUNS(1, "3.9"), RUNS(2, "3.9"), { KP_Q_CONTROLLERS, 0, NULL } },
          3,
          0,
          "ghosts: which controllers are registered is not known\n" },
        { "3.9", { RUNS(1, "3.9"), RUNS(2, "3.9"), { KP_Q_CONTROLLERS, 0, "null" } }, 3, 0, "" },
        { "3.9",
          { RUNS(1, "3.9"), RUNS(2, "3.9"), { KP_Q_CONTROLLERS, 0, CONTROLLERS }, QUORUM },
          4,
          0,
          GHOST("4", "does not follow the quorum") GHOST("5", "does not follow the quorum")
              GHOST("6", "does not follow the quorum") },
        { "3.9",
          { RUNS(1, "3.9"),
            RUNS(2, "3.9"),
            { KP_Q_CONTROLLERS, 0, "[{'id':4,'host':'c4','port':1}]" } },
          3,
          0,
          GHOST("4", "may be down (nobody tells who follows the quorum)") },
        { "3.9",
          { RUNS(1, "3.9"),
            RUNS(2, "3.9"),
            { KP_Q_CONTROLLERS, 0, "[{'id':4,'host':'c4','port':1}]" },
            { KP_Q_QUORUM, 0, "{'leader':-1,'voters':[],'observers':[]}" } },
          4,
          0,
          GHOST("4", "may be down (nobody tells who follows the quorum)") },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        here.stranger = rows[i].stranger;
        assert_string_equal(
            found(KP_BEFORE_IRREVERSIBLE, rows[i].t, rows[i].n, &both, "{}", rows[i].version, NULL),
            rows[i].finds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_must_not_speak_newer_than_the_others),
        cmocka_unit_test(a_pin_that_every_other_binary_knows_may_be_above_the_others),
        cmocka_unit_test(what_is_not_known_of_the_protocol_is_a_finding),
        cmocka_unit_test(a_cluster_of_one_broker_has_nobody_to_compare_with),
        cmocka_unit_test(of_several_brokers_the_oldest_decides),
        cmocka_unit_test(a_switch_is_not_judged_by_the_pin_that_comes_before_the_start),
        cmocka_unit_test(a_release_must_know_the_finalised_level),
        cmocka_unit_test(the_only_broker_is_judged_by_what_it_said_before),
        cmocka_unit_test(keys_that_a_release_no_longer_knows_are_found),
        cmocka_unit_test(a_release_must_be_there),
        cmocka_unit_test(a_host_that_does_not_answer_is_said_to_be_that),
        cmocka_unit_test(a_file_that_is_not_as_kplay_left_it_is_a_finding),
        cmocka_unit_test(every_node_must_run_what_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
