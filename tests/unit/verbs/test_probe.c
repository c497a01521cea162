/* The probe of every action verb in its worlds: not asked, under way, so, failed, and the third
 * states that are none of these - a host that is silent, a process that somebody else started, a
 * file that somebody else changed.  What a resumed run does hangs on these answers. */
#include "engine/with_twist.h"

#include <stdio.h>
#include <string.h>

#include "engine/run.h"

#define EVERYTHING                                                                                 \
    (KP_G_BROKER_RESTART | KP_G_CONTROLLER_RESTART | KP_G_RELEASE_SWITCH | KP_G_RELEASE_STAGE |    \
     KP_G_CONFIG_FILE | KP_G_CONFIG_DYNAMIC | KP_G_LEADER_ELECT | KP_G_BROKER_UNREGISTER)
#define KRAFT                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\",\"staged\":[\"3.7.2\",\"3.9.1\"],"     \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"
#define ZK                                                                                         \
    "{\"mode\":\"zookeeper\",\"brokers\":3,\"release\":\"3.4.1\",\"ibp\":\"3.4\",\"topics\":[]}"
/* clang-format off */
#define SILENT(kind) { { kind, 0, NULL, NULL } }
#define NO_VIEW(node) { KP_Q_VIEW, node, NULL, NULL }
#define NO_VIEWS { NO_VIEW(1), NO_VIEW(2), NO_VIEW(3) }

/* clang-format on */

typedef struct world {
    const char *verb, *args;
    const char *name;      /* of the world */
    const char *before[3]; /* verbs called first, as "verb [args]" */
    const char *fault;     /* of the simulated cluster, from the beginning */
    bool asked;            /* the action is asked for */
    const char *then;      /* time that passes after it */
    const char *again;     /* the probe has looked; time passes, and it looks once more */
    twist t[3];            /* what the nodes say at the probe, instead of the truth */
    int truly;             /* but so many of the questions that these are about get the truth */
    const char *pre;       /* what an earlier session remembered, instead */
    kp_verdict verdict;
    const char *says; /* in why, say or the result */
    const char *spec; /* NULL: KRAFT */
} world;

/* clang-format off */
#define STOPPED { "stop_broker [2]" }
#define STOPPED_3003 { "stop_controller [3003]" }
#define ROLLED { "stop_broker [2]", "start_broker [2]", "wait_in_sync [2]" }
#define IO_9 "[2,{\"num.io.threads\":\"9\"}]"
#define MIN_1 "[{\"topic\":\"t\",\"set\":{\"min.insync.replicas\":\"1\"}}]"
#define PID(text) { KP_Q_HOST, 2, "pid", text }
#define SERVICE(state) { KP_Q_HOST, 2, "service", "{\"state\":\"" state "\"}" }
#define CLEAN(text) { KP_Q_HOST, 2, "clean_dirs", text }
#define GHOST_9 "{\"release\":\"4.0.1\",\"topics\":[],\"ghosts\":[9]}"

static const world worlds[] = {
    { "unregister_broker", "[9]", "not asked", .spec = GHOST_9, .verdict = KP_NOT_YET },
    { "unregister_broker", "[9]", "so", .spec = GHOST_9, .asked = true, .then = "1s",
      .verdict = KP_SO },
    { "unregister_broker", "[9]", "so before it was asked for", .spec = GHOST_9,
      .before = { "unregister_broker [9]" }, .verdict = KP_SO, .says = "\"already\":true" },
    { "unregister_broker", "[9]", "nobody says who is registered", .spec = GHOST_9, .asked = true,
      .t = SILENT(KP_Q_REGISTERED), .verdict = KP_UNDER_WAY, .says = "is not known" },
    { "stop_broker", "[2]", "not asked", .verdict = KP_NOT_YET },
    { "stop_broker", "[2]", "under way", .asked = true, .verdict = KP_UNDER_WAY,
      .says = "shutting down" },
    { "stop_broker", "[2]", "gone, and still listed", .asked = true,
      .t = { PID("0"), CLEAN("1"), SERVICE("inactive") },
      .verdict = KP_UNDER_WAY, .says = "the others still list it" },
    { "stop_broker", "[2]", "gone, and systemd is not done with it", .asked = true, .then = "1m",
      .t = { SERVICE("deactivating") }, .verdict = KP_UNDER_WAY,
      .says = "the service manager is not done with it" },
    { "stop_broker", "[2]", "so", .asked = true, .then = "1m", .verdict = KP_SO,
      .says = "\"clean\":true" },
    { "stop_broker", "[2]", "so before it was asked for", .before = STOPPED, .verdict = KP_SO,
      .says = "\"already\":true" },
    { "stop_broker", "[2]", "failed: not clean", .asked = true, .t = { PID("0"), CLEAN("0") },
      .verdict = KP_DID_FAIL, .says = "without a clean shutdown: clean marks in 0 of 1 log dirs" },
    { "stop_broker", "[2]", "another process", .asked = true, .t = { PID("99999") },
      .verdict = KP_DID_FAIL, .says = "something else started it" },
    { "stop_broker", "[2]", "the same pid after a reboot", .asked = true,
      .t = { { KP_Q_HOST, 2, "boot_id", "\"another\"" } },
      .verdict = KP_DID_FAIL, .says = "something else started it" },
    { "stop_broker", "[2]", "a silent host", .asked = true, .t = SILENT(KP_Q_HOST),
      .verdict = KP_UNDER_WAY, .says = "the host does not answer" },
    { "stop_broker", "[2]", "no other broker answers", .asked = true, .then = "1m",
      .t = NO_VIEWS, .verdict = KP_UNDER_WAY, .says = "no other broker answers" },
    { "stop_broker", "[2]", "asked for, and the host has no trace of it", .asked = true,
      .fault = "{\"fault\":\"does_not_stop\",\"node\":2,\"stop\":1}",
      .t = { { KP_Q_JOB, 2, "state", "\"none\"" },
             { KP_Q_HOST, 2, "service", "{\"state\":\"active\"}" } },
      .verdict = KP_NOT_YET },

    { "start_broker", "[2]", "not asked", .before = STOPPED, .verdict = KP_NOT_YET },
    { "start_broker", "[2]", "under way: no process yet", .before = STOPPED, .asked = true,
      .t = { PID("0") }, .verdict = KP_UNDER_WAY, .says = "its process is not there yet" },
    { "start_broker", "[2]", "under way: not listed", .before = STOPPED, .asked = true,
      .verdict = KP_UNDER_WAY, .says = "the others do not list it yet" },
    { "start_broker", "[2]", "so", .before = STOPPED, .asked = true, .then = "2m",
      .verdict = KP_SO, .says = "\"release\":\"3.7.2\"" },
    { "start_broker", "[2]", "so, with two releases in its class path", .before = STOPPED,
      .asked = true, .then = "2m",
      .t = { { KP_Q_HOST, 2, "process", "{\"releases\":[\"3.7.2\",\"3.9.1\"],"
                                        "\"listening\":[9092]}" } },
      .verdict = KP_SO, .says = "\"releases\":[\"3.7.2\",\"3.9.1\"]" },
    { "start_broker", "[2]", "so before it was asked for", .verdict = KP_SO,
      .says = "\"already\":true" },
    { "start_broker", "[2]", "failed: came and went", .before = STOPPED, .asked = true,
      .fault = "{\"fault\":\"config_breaks_start\",\"node\":2}", .then = "1m", .again = "3s",
      .verdict = KP_DID_FAIL, .says = "its process is gone again" },
    { "start_broker", "[2]", "gone for a moment only", .before = STOPPED, .asked = true,
      .fault = "{\"fault\":\"config_breaks_start\",\"node\":2}", .then = "1m", .again = "1s",
      .verdict = KP_UNDER_WAY },
    { "start_broker", "[2]", "failed: the service manager gave up", .before = STOPPED,
      .asked = true,
      .t = { PID("0"), { KP_Q_HOST, 2, "service", "{\"state\":\"failed\"}" },
             { KP_Q_JOB, 2, "state", "\"none\"" } },
      .verdict = KP_DID_FAIL, .says = "the service manager gave up" },
    { "start_broker", "[2]", "its fetches are refused", .before = STOPPED, .asked = true,
      .t = { { KP_Q_HOST, 2, "signs", "{\"mis_pinned\":true}" } },
      .verdict = KP_DID_FAIL, .says = "inter.broker.protocol.version is not pinned" },
    { "start_broker", "[2]", "its old session has not ended", .before = STOPPED, .asked = true,
      .t = { { KP_Q_HOST, 2, "signs", "{\"duplicate_registration\":true}" } },
      .verdict = KP_UNDER_WAY, .says = "its old session" },
    { "start_broker", "[2]", "another runs as it, and this one has gone for it",
      .before = STOPPED, .asked = true,
      .t = { PID("0"), SERVICE("failed"),
             { KP_Q_HOST, 2, "signs", "{\"duplicate_registration\":true}" } },
      .again = "3s", .verdict = KP_DID_FAIL, .says = "another process is registered as broker 2" },
    { "start_broker", "[2]", "its manager has started it twice more", .before = STOPPED,
      .asked = true,
      .t = { { KP_Q_HOST, 2, "service", "{\"state\":\"active\",\"restarts\":2}" } },
      .verdict = KP_DID_FAIL, .says = "its process has died 2 times" },
    { "start_broker", "[2]", "listed, and its log does not say so", .before = STOPPED,
      .asked = true, .then = "2m", .t = { { KP_Q_HOST, 2, "signs", "{}" } },
      .verdict = KP_UNDER_WAY, .says = "its log does not say yet that it has started" },
    { "start_broker", "[2]", "so, though its log never says so", .before = STOPPED,
      .asked = true, .then = "2m", .again = "31s", .t = { { KP_Q_HOST, 2, "signs", "{}" } },
      .verdict = KP_SO },
    { "start_broker", "[2]", "listed, and it does not listen", .before = STOPPED,
      .asked = true, .then = "2m", .again = "31s",
      .t = { { KP_Q_HOST, 2, "signs", "null" }, { KP_Q_HOST, 2, "process", "{\"listening\":[1]}" } },
      .verdict = KP_UNDER_WAY, .says = "its process does not listen on port 9092" },
    { "start_broker", "[2]", "so: it listens", .before = STOPPED, .asked = true, .then = "2m",
      .t = { { KP_Q_HOST, 2, "signs", "null" },
             { KP_Q_HOST, 2, "process", "{\"listening\":[9,9092]}" } },
      .verdict = KP_SO },
    { "start_broker", "[2]", "replaced while it was looked at", .before = STOPPED, .asked = true,
      .then = "2m", .t = { { KP_Q_HOST, 2, "pid", "999" }, { KP_Q_HOST, 2, "pids", "[999]" } },
      .truly = 2, .verdict = KP_UNDER_WAY, .says = "replaced by another while it was looked at" },
    { "start_broker", "[2]", "so: no log is told, nor ports", .before = STOPPED, .asked = true,
      .then = "2m", .t = { { KP_Q_HOST, 2, "signs", "null" }, { KP_Q_HOST, 2, "process", "{}" } },
      .verdict = KP_SO },
    { "start_broker", "[2]", "a silent host", .before = STOPPED, .asked = true,
      .t = SILENT(KP_Q_HOST), .verdict = KP_UNDER_WAY, .says = "the host does not answer" },

    { "stop_controller", "[3003]", "not asked", .verdict = KP_NOT_YET },
    { "stop_controller", "[3003]", "under way", .asked = true, .verdict = KP_UNDER_WAY,
      .says = "shutting down" },
    { "stop_controller", "[3003]", "so", .asked = true, .then = "1m", .verdict = KP_SO },
    { "stop_controller", "[3003]", "so before it was asked for", .before = STOPPED_3003,
      .verdict = KP_SO, .says = "\"already\":true" },
    { "stop_controller", "[3003]", "another process", .asked = true,
      .t = { { KP_Q_HOST, 3003, "pid", "99999" } }, .verdict = KP_DID_FAIL,
      .says = "something else started it" },
    { "stop_controller", "[3003]", "a silent host", .asked = true, .t = SILENT(KP_Q_HOST),
      .verdict = KP_UNDER_WAY, .says = "the host does not answer" },

    { "start_controller", "[3003]", "not asked", .before = STOPPED_3003, .verdict = KP_NOT_YET },
    { "start_controller", "[3003]", "under way", .before = STOPPED_3003, .asked = true,
      .verdict = KP_UNDER_WAY },
    { "start_controller", "[3003]", "so", .before = STOPPED_3003, .asked = true, .then = "1m",
      .verdict = KP_SO, .says = "\"release\":\"3.7.2\"" },
    { "start_controller", "[3003]", "failed: came and went", .before = STOPPED_3003, .asked = true,
      .fault = "{\"fault\":\"config_breaks_start\",\"node\":3003}", .then = "1m", .again = "3s",
      .verdict = KP_DID_FAIL, .says = "its process is gone again" },
    { "start_controller", "[3003]", "the quorum has no leader", .before = STOPPED_3003,
      .asked = true, .then = "1m", .t = { { KP_Q_QUORUM, 0, "leader", "-1" } },
      .verdict = KP_UNDER_WAY },
    { "start_controller", "[3003]", "a silent host", .before = STOPPED_3003, .asked = true,
      .t = SILENT(KP_Q_HOST), .verdict = KP_UNDER_WAY, .says = "the host does not answer" },

    /* it proves and changes nothing: so or failed */
    { "stage_release", "[2,\"3.9.1\"]", "so", .verdict = KP_SO },
    { "stage_release", "[2,\"3.8.1\"]", "failed", .verdict = KP_DID_FAIL,
      .says = "release 3.8.1 is not staged on" },
    { "stage_release", "[2,\"3.9.1\"]", "failed: half unpacked",
      .pre = "{\"host\":{\"releases\":[\"3.9.1\"],"
             "\"releases_partial\":{\"3.9.1\":\"kafka_2.13-3.9.1.jar\"}}}",
      .verdict = KP_DID_FAIL, .says = "half unpacked: kafka_2.13-3.9.1.jar is missing" },

    { "switch_release", "[2,\"3.9.1\"]", "not asked", .before = STOPPED, .verdict = KP_NOT_YET },
    { "switch_release", "[2,\"3.9.1\"]", "under way: a silent host", .before = STOPPED,
      .asked = true, .t = SILENT(KP_Q_HOST), .verdict = KP_UNDER_WAY,
      .says = "the host does not answer" },
    { "switch_release", "[2,\"3.9.1\"]", "so", .before = STOPPED, .asked = true, .then = "1s",
      .verdict = KP_SO, .says = "\"from\":\"3.7.2\"" },
    { "switch_release", "[2,\"3.9.1\"]", "failed: it runs", .verdict = KP_DID_FAIL,
      .says = "it is running" },
    { "switch_release", "[2,\"3.9.1\"]", "a third release", .before = STOPPED, .asked = true,
      .t = { { KP_Q_HOST, 2, "link_release", "\"3.8.1\"" } }, .verdict = KP_NOT_YET },

    { "set_properties", IO_9, "not asked", .verdict = KP_NOT_YET },
    { "set_properties", IO_9, "under way: a silent host", .asked = true, .t = SILENT(KP_Q_FILE),
      .verdict = KP_UNDER_WAY, .says = "the host does not answer" },
    { "set_properties", IO_9, "so", .asked = true, .then = "1s", .verdict = KP_SO,
      .says = "\"sha256\":" },
    { "set_properties", IO_9, "so before it was asked for", .before = { "set_properties " IO_9 },
      .verdict = KP_SO, .says = "\"already\":true" },
    { "set_properties", IO_9, "somebody else's file", .asked = true,
      .t = { { KP_Q_FILE, 2, "sha256", "\"beef\"" } }, .verdict = KP_DID_FAIL,
      .says = "was changed by someone else meanwhile" },

    { "set_ibp", "[2,\"3.3\"]", "not asked", .verdict = KP_NOT_YET, .spec = ZK },
    { "set_ibp", "[2,\"3.3\"]", "under way: a silent host", .asked = true, .t = SILENT(KP_Q_FILE),
      .verdict = KP_UNDER_WAY, .says = "the host does not answer", .spec = ZK },
    { "set_ibp", "[2,\"3.3\"]", "so", .asked = true, .then = "1s", .verdict = KP_SO,
      .says = "\"was\":{\"inter.broker.protocol.version\":\"3.4\"}", .spec = ZK },
    { "set_ibp", "[2,\"3.4\"]", "so before it was asked for", .verdict = KP_SO,
      .says = "\"already\":true", .spec = ZK },
    { "set_ibp", "[2,\"3.3\"]", "somebody else's file", .asked = true,
      .t = { { KP_Q_FILE, 2, "sha256", "\"beef\"" } }, .verdict = KP_DID_FAIL,
      .says = "was changed by someone else meanwhile", .spec = ZK },

    { "alter_config", MIN_1, "not asked", .verdict = KP_NOT_YET },
    { "alter_config", MIN_1, "under way: nobody answers", .asked = true, .t = SILENT(KP_Q_CONFIG),
      .verdict = KP_UNDER_WAY, .says = "no answer" },
    { "alter_config", MIN_1, "so", .asked = true, .then = "1s", .verdict = KP_SO,
      .says = "\"was\":" },
    { "alter_config", MIN_1, "a third value", .asked = true, .then = "1s",
      .t = { { KP_Q_CONFIG, 0, "t", "{\"min.insync.replicas\":{\"value\":\"3\",\"source\":1}}" } },
      .verdict = KP_NOT_YET },

    { "elect_preferred", "[]", "not asked", .before = ROLLED, .verdict = KP_NOT_YET },
    { "elect_preferred", "[]", "under way: some have moved", .before = ROLLED, .asked = true,
      .pre = "{\"movable\":99}", .verdict = KP_UNDER_WAY, .says = "leaders still to move" },
    { "elect_preferred", "[]", "under way: nobody answers", .before = ROLLED, .asked = true,
      .t = NO_VIEWS, .verdict = KP_UNDER_WAY, .says = "no broker answers" },
    { "elect_preferred", "[]", "so", .before = ROLLED, .asked = true, .then = "1m",
      .verdict = KP_SO, .says = "\"moved\":" },
    { "elect_preferred", "[]", "so before it was asked for", .verdict = KP_SO,
      .says = "\"moved\":0" },
};
/* clang-format on */

static const world *now;

static kp_err *call_line(kp_run *r, const char *line)
{
    char verb[64];
    const char *args = strchr(line, ' ');
    snprintf(verb, sizeof verb, "%.*s", (int)(args - line), line);
    return call(r, verb, args + 1, NULL);
}

static kp_err *pass(kp_run *r, const char *time)
{
    return call(r, "sleep", kp_printf(r->a, "[\"%s\"]", time), NULL);
}

static kp_err *json(kp_run *r, const char *text, const kp_value **ret_v)
{
    return kp_json_read(r->a, text, strlen(text), ret_v);
}

static bool said(kp_run *r, const kp_step *s, const char *what)
{
    const char *result = s->result ? kp_json_text(r->a, s->result) : "";
    return (s->why && strstr(s->why, what)) || (s->say && strstr(s->say, what)) ||
           strstr(result, what);
}

static kp_err *probe(kp_run *r, const kp_value *unused)
{
    const kp_op *op = kp_op_named(kp_verbs, now->verb);
    const kp_value *given, *canonical;
    void *args;
    (void)unused;

    TEST_TRY(kp_fence(r));
    for (size_t i = 0; i < KP_COUNT(now->before) && now->before[i]; i++)
        TEST_TRY(call_line(r, now->before[i]));
    TEST_TRY(json(r, now->args, &given));
    TEST_TRY(kp_args_decode(r, r->a, op, given, &args, &canonical));

    kp_step s = {
        .r = r, .op = op, .seen = r->seen, .a = r->a, .path = "probe.1", .op_id = "t.probe.1~1"
    };
    s.args = args;
    s.canonical = canonical;
    s.node = op->fan_out ? kp_somebody(((const kp_nodes *)args)->id[0]) : KP_NOBODY;
    void *pre = kp_alloc(r->a, op->pre_size + 1);
    TEST_TRY(op->before(&s, args, pre));
    s.pre = pre;
    if (now->pre) {
        const kp_value *other;
        TEST_TRY(json(r, now->pre, &other));
        s.pre = kp_pre_of(r->a, op, other);
    }
    if (now->asked) {
        s.intended = s.asked = true;
        s.asked_at = kp_mono(r->w);
        TEST_TRY(op->ask(&s, args));
    }
    if (now->then)
        TEST_TRY(pass(r, now->then));
    twist_after(now->truly);
    twist_on(true);
    kp_verdict v = op->probe(&s, args);
    if (now->again) {
        twist_on(false);
        TEST_TRY(pass(r, now->again));
        twist_on(true);
        v = op->probe(&s, args);
    }
    twist_on(false);
    kp_sent_forget(r);
    bool right = v == now->verdict && (!now->says || said(r, &s, now->says));
    if (!right)
        print_error("%s, %s: %s, not %s: %s%s%s\n", now->verb, now->name, kp_verdict_name(v),
                    kp_verdict_name(now->verdict), s.why ? s.why : "", s.say ? s.say : "",
                    s.result ? kp_json_text(r->a, s.result) : "");
    assert_true(right);
    assert_true(v != KP_DID_FAIL || (s.next && *s.next)); /* what to do is said with it */
    return NULL;
}

static void every_probe_in_its_worlds(void **state)
{
    static const test_script script = { .part = { NULL, probe }, .effects = EVERYTHING };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(worlds); i++) {
        bench b = { 0 };
        const kp_value *fault;
        now = &worlds[i];
        the_script = &script;
        bench_open(&b, now->spec ? now->spec : KRAFT, NULL);
        if (now->fault) {
            assert_null(kp_json_read(b.a, now->fault, strlen(now->fault), &fault));
            assert_null(kp_sim_fault(b.sim, fault));
        }
        size_t n = 0;
        while (n < KP_COUNT(now->t) && (now->t[n].key || now->t[n].kind || now->t[n].node))
            n++;
        twist_into(&b, now->t, n);
        kp_err *e = bench_run(&b, NULL);
        if (e)
            print_error("%s, %s: %s\n", now->verb, now->name, e->what);
        assert_null(e);
        bench_close(&b);
    }
}

/* A verb that acts and is not in the table above is a verb whose crash nobody has looked at. */
static void no_action_is_left_out(void **state)
{
    (void)state;
    for (size_t i = 0; kp_verbs[i]; i++) {
        bool acts = kp_verbs[i]->ask != NULL, seen = false;
        for (size_t k = 0; k < KP_COUNT(worlds); k++)
            seen = seen || kp_streq(worlds[k].verb, kp_verbs[i]->name);
        if (acts && !seen)
            print_error("%s is not tried\n", kp_verbs[i]->name);
        assert_true(seen || !acts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_probe_in_its_worlds),
        cmocka_unit_test(no_action_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
