/* What the rows about a node's host find, from facts that a test writes down. */
#include "guard/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LAYOUT                                                                                     \
    {                                                                                              \
        .config = "/k/s.properties"                                                                \
    }
static const kp_node nodes[] = {
    { .id = 1, .roles = KP_BROKER, .host = "h1", .layout = LAYOUT },
    { .id = 3, .roles = KP_CONTROLLER, .host = "h3", .layout = LAYOUT },
};
static const kp_inventory inventory = { .n_nodes = 2, .nodes = nodes };

/* What is known of broker 1, and of controller 3's file; JSON with ' for ". */
typedef struct known {
    const char *version, *file, *host, *proof, *running, *controller;
    bool zookeeper, edited;
    int whom; /* 0: broker 1 */
} known;

static kp_arena *here;

static const kp_value *json(const char *text)
{
    const kp_value *v;
    if (!text)
        return NULL;
    char *copy = kp_strdup(here, text);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    assert_null(kp_json_read(here, copy, strlen(copy), &v));
    return v;
}

static kp_fact file_fact(const char *text)
{
    if (!text)
        return (kp_fact) { .asked = true, .why = "no answer" };
    const kp_value *bytes = kp_text(here, text);
    return (kp_fact) { .asked = true,
                       .v = kp_map(here, "bytes", bytes, "sha256", kp_text(here, "now"), NULL) };
}

/* Every finding of a judge as "warns: TEXT" or "refuses: TEXT", a line each. */
static const char *found(kp_judge judge, known k)
{
    static char text[4096];
    const int node[] = { k.whom ? k.whom : 1 }, all[] = { 1, 3 };
    here = kp_arena_new("host rows", 1 << 22);
    kp_seen *o = kp_seen_new(here, here, NULL, &inventory);
    o->zookeeper = k.zookeeper;
    if (k.edited)
        kp_known_node(o, 1)->written_sha = "now";
    kp_facts *f = kp_facts_begin(o, here, all, 2, k.version);
    f->have = ~0u;
    f->ahead = true;
    for (int i = 0; i < 2; i++) {
        kp_node_facts *one = kp_facts_of(f, all[i]);
        one->file = file_fact(i ? k.controller : k.file);
        one->host = (kp_fact) { .asked = true, .v = json(k.host) };
        one->proof = (kp_fact) { .asked = true, .v = json(k.proof) };
        one->running = (kp_fact) { .asked = true, .v = json(k.running), .why = "no answer" };
    }
    kp_findings fs = { .a = here };
    judge(f, &(kp_guard_case) { .nodes = node, .n = 1, .version = k.version }, &fs);
    *text = 0;
    for (size_t i = 0; i < fs.n; i++) {
        assert_true(*fs.f[i].text && *fs.f[i].next);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s: %s\n%s",
                 fs.f[i].warns ? "warns" : "refuses", fs.f[i].text, fs.f[i].detail);
    }
    kp_seen_done(o);
    kp_arena_free(here);
    return text;
}

/* ---- classes ---- */

static void a_class_that_is_nowhere_refuses(void **state)
{
    (void)state;
    const char *file =
        "authorizer.class.name=com.acme.A\nmetric.reporters=com.acme.A, com.acme.B\n";
    const char *missing = "{'classes_missing':['com.acme.A'],'class_path_known':true}";
    assert_string_equal(
        found(kp_judge_plugins, (known) { .version = "4.0.1", .file = file, .proof = missing }),
        "refuses: release 4.0.1 does not have the class com.acme.A, which "
        "authorizer.class.name and metric.reporters of broker 1 names\n");
    assert_string_equal(
        found(kp_judge_plugins, (known) { .version = "4.0.1",
                                          .file = file,
                                          .proof = "{'classes_missing':['com.acme.B']}" }),
        "warns: release 4.0.1 does not have the class com.acme.B, which metric.reporters of "
        "broker 1 names, and what else is on its class path is not known\n");
    assert_string_equal(
        found(kp_judge_plugins,
              (known) { .version = "4.0.1", .file = file, .proof = "{'classes_missing':[]}" }),
        "");
    /* Kafka's own words are enough, and who is not asked has not said no. */
    assert_string_equal(
        found(kp_judge_plugins,
              (known) { .version = "4.0.1",
                        .file = file,
                        .proof = "{'classes_missing':['com.acme.A'],'class_path_known':true,"
                                 "'problem':'ClassNotFoundException: com.acme.A'}" }),
        "");
    assert_string_equal(found(kp_judge_plugins, (known) { .version = "4.0.1", .file = file }), "");
    assert_string_equal(found(kp_judge_plugins, (known) { .file = file }), "");
}

static void a_class_that_a_provider_names_is_not_known(void **state)
{
    (void)state;
    const char *file = "authorizer.class.name=${env:AUTHORIZER}\n";
    assert_string_equal(found(kp_judge_plugins, (known) { .version = "4.0.1", .file = file }),
                        "warns: authorizer.class.name of broker 1 names no class that could be "
                        "looked for\n");
    assert_string_equal(found(kp_judge_plugins, (known) { .file = file }), "");
}

/* ---- the JVM ---- */

static void each_option_that_java_refuses_is_found(void **state)
{
    (void)state;
    assert_string_equal(
        found(kp_judge_jvm_flags,
              (known) { .version = "4.0.1",
                        .proof = "{'java_path':'/j','jvm_refused':['no A','no B']}" }),
        "refuses: the Java of the next start of broker 1, /j, refuses an option that it runs with: "
        "no A\n"
        "refuses: the Java of the next start of broker 1, /j, refuses an option that it runs with: "
        "no B\n");
    assert_string_equal(
        found(kp_judge_jvm_flags,
              (known) { .version = "4.0.1", .proof = "{'java_path':'/j','jvm_why':'no memory'}" }),
        "warns: whether /j takes the options of broker 1 is not known: no memory\n");
    assert_string_equal(found(kp_judge_jvm_flags, (known) { .version = "4.0.1", .proof = "{}" }),
                        "");
}

static void log4j_1_warns_before_4(void **state)
{
    static const struct {
        const char *to, *file;
        bool finds;
    } rows[] = {
        { "4.0.1", "file:/etc/kafka/log4j.properties", true },
        { "4.4.0", "file:/etc/kafka/log4j.properties", true },
        { "3.9.1", "file:/etc/kafka/log4j.properties", false },
        /* the start script's own, which the one of 4.x replaces */
        { "4.0.1", "file:/opt/kafka/bin/../config/log4j.properties", false },
        { NULL, "file:/etc/kafka/log4j.properties", false },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        char proof[200];
        snprintf(proof, sizeof proof, "{'log4j':'%s'}", rows[i].file);
        const char *text = found(kp_judge_log4j, (known) { .version = rows[i].to, .proof = proof });
        assert_int_equal(kp_starts_with(text, "warns: the service of broker 1 names a log4j 1"),
                         rows[i].finds);
        assert_int_equal(*text != 0, rows[i].finds);
    }
    assert_string_equal(found(kp_judge_log4j, (known) { .version = "4.0.1", .proof = "{}" }), "");
}

/* ---- the service manager ---- */

static void a_limit_below_what_a_stop_may_take_warns(void **state)
{
    static const struct {
        const char *service;
        bool zookeeper, controller, finds;
    } rows[] = {
        { "'manager':'systemd','stop_timeout':90000", false, false, true },
        { "'manager':'systemd','stop_timeout':329999", false, false, true },
        { "'manager':'systemd','stop_timeout':330000", false, false, false },
        { "'manager':'systemd','stop_timeout':-1", false, false, false },
        { "'manager':'systemd','stop_timeout':90000,'send_sigkill':'no'", false, false, false },
        { "'manager':'systemd','stop_timeout':90000,'send_sigkill':'yes'", false, false, true },
        { "'manager':'systemd','stop_timeout':90000", true, false, true },
        { "'manager':'systemd','stop_timeout':180000", true, false, false },
        { "'manager':'systemd','stop_timeout':90000", false, true, false },
        { "'manager':'command','stop_timeout':90000", false, false, false },
        /* It always says; when it does not, nothing is known. */
        { "'manager':'systemd'", false, false, true },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        char host[200];
        snprintf(host, sizeof host, "{'service':{%s}}", rows[i].service);
        const char *text = found(kp_judge_stop_limit,
                                 (known) { .host = host,
                                           .zookeeper = rows[i].zookeeper,
                                           .whom = rows[i].controller ? 3 : 0 });
        if ((*text != 0) != rows[i].finds)
            fail_msg("%s: %s", rows[i].service, text);
    }
    assert_string_equal(
        found(kp_judge_stop_limit,
              (known) { .host = "{'service':{'manager':'systemd','stop_timeout':90000}}" }),
        "warns: systemd kills broker 1 when it has not stopped after 1 min 30 s; a controlled stop "
        "may take 5 min 30 s\n");
}

static void each_agent_is_told(void **state)
{
    (void)state;
    assert_int_equal(
        strncmp(found(kp_judge_config_agent, (known) { .host = "{'agents':['puppet']}" }),
                "warns: puppet runs on h1, the host of broker 1", 46),
        0);
    assert_string_equal(found(kp_judge_config_agent, (known) { .host = "{'agents':[]}" }), "");
}

/* ---- the file against what runs ---- */

static void what_the_next_start_would_change_warns(void **state)
{
    static const struct {
        const char *file, *value, *source;
        bool finds;
    } rows[] = {
        { "16", "8", "4", true },        { "8", "8", "4", false },
        { "16", "8", "5", true },  /* written since: it runs with the default */
        { "16", "8", "2", false }, /* of the cluster's metadata, and stays */
        { "16", "8", "3", false },       { "a, b ,c", "a,b,c", "4", false },
        { "a b", "ab", "4", true },      { "010", "10", "4", false },
        { "1.50", "1.5", "4", false },   { "10", "10s", "4", true },
        { "TRUE", "true", "4", false },  { "true", "false", "4", true },
        { "${env:N}", "8", "4", false }, { "", "", "4", false },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        char file[100], running[200];
        snprintf(file, sizeof file, "num.x=%s\nother=1\n", rows[i].file);
        snprintf(running, sizeof running, "{'1':{'num.x':{'value':'%s','source':%s}}}",
                 rows[i].value, rows[i].source);
        const char *text = found(kp_judge_drift,
                                 (known) { .file = file, .host = "{'pid':7}", .running = running });
        if ((*text != 0) != rows[i].finds)
            fail_msg("%s against %s: %s", rows[i].file, rows[i].value, text);
    }
}

static void a_drift_is_told_whole(void **state)
{
    const char *running = "{'1':{'a':{'value':'1','source':4},'b':{'value':'2','source':4},"
                          "'hidden':{'source':4}}}";
    (void)state;
    assert_string_equal(
        found(kp_judge_drift,
              (known) { .file = "a=3\nb=4\nhidden=5\n", .host = "{'pid':7}", .running = running }),
        "warns: broker 1 does not run with what its file says of a, b: its next start takes the "
        "file's\n  a: runs with 1, the file says 3\n  b: runs with 2, the file says 4\n");
    const char *five = "{'1':{'a':{'value':'1','source':4},'b':{'value':'1','source':4},"
                       "'c':{'value':'1','source':4},'d':{'value':'1','source':4},"
                       "'e':{'value':'1','source':4}}}";
    const char *text = found(
        kp_judge_drift,
        (known) { .file = "a=2\nb=2\nc=2\nd=2\ne=2\n", .host = "{'pid':7}", .running = five });
    assert_non_null(strstr(text, "says of a, b, c and 2 more: "));
    assert_non_null(strstr(text, "  e: runs with 1, the file says 2\n"));
    /* Its service gives the word again. */
    assert_string_equal(
        found(kp_judge_drift, (known) { .file = "a=3\nb=2\n",
                                        .running = running,
                                        .host = "{'pid':7,'process':{'overrides':{'a':'1'}}}" }),
        "");
    /* One that is down is another row's. */
    assert_string_equal(
        found(kp_judge_drift, (known) { .file = "a=3\n", .host = "{}", .running = running }), "");
    /* An edit of this run is meant. */
    assert_string_equal(
        found(kp_judge_drift,
              (known) { .file = "a=3\n", .host = "{'pid':7}", .running = running, .edited = true }),
        "");
    assert_string_equal(found(kp_judge_drift, (known) { .file = "a=3\n", .host = "{'pid':7}" }),
                        "warns: whether broker 1 runs with what its file says is not known: it "
                        "does not tell its configuration\n  no answer\n");
}

/* ---- what the file says ---- */

#define URL "sasl.oauthbearer.jwks.endpoint.url=https://k\n"
#define AUDIENCE "sasl.oauthbearer.expected.audience=a\n"
#define ISSUER "sasl.oauthbearer.expected.issuer=i\n"
#define OF_ONE "listener.name.in.oauthbearer."

static void keys_to_verify_tokens_want_something_to_hold_them_against(void **state)
{
    static const struct {
        const char *to, *file;
        int finds;
    } rows[] = {
        { "4.4.0", URL, 2 },
        { "4.3.1", URL, 0 },
        { "5.0.0", URL, 2 },
        { "4.4.0", URL AUDIENCE, 1 },
        { "4.4.0", URL AUDIENCE ISSUER, 0 },
        { "4.4.0", AUDIENCE, 0 },
        { "4.4.0", "sasl.oauthbearer.jwks.endpoint.url=\n", 0 },
        { "4.4.0", URL AUDIENCE "sasl.oauthbearer.expected.issuer=\n", 1 },
        { "4.4.0", OF_ONE URL, 2 },
        { "4.4.0", OF_ONE URL AUDIENCE ISSUER, 0 },
        { "4.4.0", OF_ONE URL OF_ONE AUDIENCE OF_ONE ISSUER, 0 },
        { "4.4.0", OF_ONE URL "listener.name.out.oauthbearer." AUDIENCE ISSUER, 1 },
        { "4.4.0", URL ISSUER "sasl.oauthbearer.allow.unverified.audience=true\n", 0 },
        { "4.4.0", URL ISSUER "sasl.oauthbearer.allow.unverified.audience=false\n", 1 },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *text = found(kp_judge_jwks,
                                 (known) { .version = rows[i].to, .file = rows[i].file });
        int n = 0;
        for (const char *p = text; (p = strstr(p, "refuses: ")); p++)
            n++;
        if (n != rows[i].finds)
            fail_msg("%s of %s: %s", rows[i].file, rows[i].to, text);
    }
    /* A restart takes the release that its link names. */
    assert_string_equal(
        found(kp_judge_jwks, (known) { .file = URL AUDIENCE, .host = "{'link_release':'4.4.0'}" }),
        "refuses: broker 1 has sasl.oauthbearer.jwks.endpoint.url without "
        "sasl.oauthbearer.expected.issuer: release 4.4.0 does not start with "
        "that\n");
}

#define BROKER "process.roles=broker\n"
#define CONTROLLER "process.roles=controller\n"
#define MIN(n) "min.insync.replicas=" n "\n"

static void min_isr_is_to_be_alike_from_4_on(void **state)
{
    static const struct {
        const char *to, *broker, *controller;
        bool finds;
    } rows[] = {
        { "4.0.1", BROKER MIN("2"), CONTROLLER, true },
        { "4.0.1", BROKER MIN("2"), CONTROLLER MIN("2"), false },
        { "4.0.1", BROKER, CONTROLLER MIN("2"), true },
        { "4.0.1", BROKER MIN("1"), CONTROLLER, false }, /* 1 is Kafka's own */
        { "3.9.1", BROKER MIN("2"), CONTROLLER, false },
        { "4.0.1", "", CONTROLLER MIN("2"), false }, /* ZooKeeper mode */
        { "4.0.1", BROKER MIN("2"), NULL, false },   /* not among those that are looked at */
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *text = found(kp_judge_min_isr_unlike,
                                 (known) { .version = rows[i].to,
                                           .file = rows[i].broker,
                                           .controller = rows[i].controller });
        if (kp_starts_with(text, "warns: min.insync.replicas is ") != rows[i].finds ||
            (*text != 0) != rows[i].finds)
            fail_msg("%zu: %s", i, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_that_is_nowhere_refuses),
        cmocka_unit_test(a_class_that_a_provider_names_is_not_known),
        cmocka_unit_test(each_option_that_java_refuses_is_found),
        cmocka_unit_test(log4j_1_warns_before_4),
        cmocka_unit_test(a_limit_below_what_a_stop_may_take_warns),
        cmocka_unit_test(each_agent_is_told),
        cmocka_unit_test(what_the_next_start_would_change_warns),
        cmocka_unit_test(a_drift_is_told_whole),
        cmocka_unit_test(keys_to_verify_tokens_want_something_to_hold_them_against),
        cmocka_unit_test(min_isr_is_to_be_alike_from_4_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
