/* What was seen is looked at again: after the guard has waited, after a crash, after a person's word;
 * and a run that can go on is never stuck. */
#include "engine/with_twist.h"

#include <stdio.h>
#include <string.h>

#include "engine/run.h"

#define KRAFT                                                                                      \
    "{\"brokers\":3,\"controllers\":3,\"release\":\"3.7.2\","                                      \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"
#define ZOOKEEPER                                                                                  \
    "{\"mode\":\"zookeeper\",\"brokers\":3,\"release\":\"3.4.1\","                                 \
    "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}"
/* Catching up takes a while. */
#define LARGE                                                                                      \
    "{\"brokers\":4,\"controllers\":3,\"release\":\"3.7.2\",\"topics\":[{\"name\":\"t\","          \
    "\"partitions\":6,\"size\":\"400GB\",\"rate\":\"20MB\"}]}"

/* ---- a run that is a list of calls ---- */

static struct {
    const char *const *calls; /* "verb [args]", in order */
    int bent_from;            /* the call from which answers are bent; -1: none */
    kp_event_kind kind;       /* at the first such event ... */
    const char *verb;         /* (of this verb, unless NULL) */
    int signals;              /* ... so many signals come */
    int held;                 /* the guard's waiting that bent answers outlast; counted down */
    kp_sim *sim;
    void (*tell)(void *ud, const kp_event *e);
} plan;

static void on_event(void *ud, const kp_event *e)
{
    plan.tell(ud, e);
    if (e->kind == plan.kind && !e->replayed && (!plan.verb || kp_streq(e->verb, plan.verb)))
        for (; plan.signals > 0; plan.signals--)
            kp_sim_interrupt(plan.sim);
    if (e->kind == KP_E_HELD && --plan.held == 0)
        twist_on(false);
}

static kp_err *goes(kp_run *r, const kp_value *args)
{
    (void)args;
    for (int i = 0; plan.calls[i]; i++) {
        char verb[64];
        const char *blank = strchr(plan.calls[i], ' ');
        snprintf(verb, sizeof verb, "%.*s", (int)(blank - plan.calls[i]), plan.calls[i]);
        if (i == plan.bent_from)
            twist_on(true);
        TEST_TRY(call(r, verb, blank + 1, NULL));
    }
    return NULL;
}

static void begin(bench *b, const char *cluster, test_part part, const twist *t, size_t n)
{
    static test_script script = { .effects = 0xff };
    script.part[KP_PART_RUN] = part;
    the_script = &script;
    make_runs(b);
    bench_open(b, cluster, NULL);
    memset(&plan, 0, sizeof plan);
    plan.bent_from = -1;
    plan.sim = b->sim;
    plan.tell = b->spec.sink.event;
    b->spec.sink.event = on_event;
    if (n)
        twist_into(b, t, n);
}

/* ---- what a person did meanwhile ---- */

static kp_reply ask(bench *b, kp_request q)
{
    kp_reply reply;
    kp_world_ask_all(b->spec.world, b->a, &q, 1, &reply);
    assert_null(reply.err);
    return reply;
}

/* A person writes the pin into broker 1's file, as the guard advises. */
static void pin_by_hand(bench *b)
{
    const kp_value *file = ask(b, (kp_request) { .kind = KP_Q_FILE, .node = 1 }).value;
    const kp_value *host =
        ask(b, (kp_request) { .kind = KP_Q_HOST, .node = 1, .host.since = -1 }).value;
    const char *to = kp_printf(b->a, "# pinned by hand\n%s\ninter.broker.protocol.version=3.4\n",
                               kp_get_text(file, "bytes", ""));
    ask(b, (kp_request) { .kind = KP_A_FILE,
                          .node = 1,
                          .op.id = "by-hand",
                          .op.epoch = kp_get_int(kp_get(host, "fence"), "epoch", 0),
                          .op.holder = kp_get_text(kp_get(host, "fence"), "holder", ""),
                          .file = { .expect = kp_get_text(file, "sha256", ""),
                                    .bytes = { to, strlen(to) } } });
}

/* The second attempt finds it so, and what the first one meant to write binds nobody. */
static void what_was_put_right_by_hand_is_gone_on_with(void **state)
{
    static const twist no = { KP_A_FILE, 1, "no", "/etc/kafka cannot be written" };
    static const char *const calls[] = { "set_ibp [1,\"3.4\"]", "stop_broker [1]",
                                         "switch_release [1,\"3.5.2\"]", "start_broker [1]", NULL };
    bench b = { 0 };
    (void)state;
    begin(&b, ZOOKEEPER, goes, &no, 1);
    plan.calls = calls;
    plan.bent_from = 0;
    fails(bench_run(&b, NULL), KP_HOST, "/etc/kafka cannot be written");
    plan.bent_from = -1;
    twist_on(false);
    pin_by_hand(&b);
    plan.kind = KP_E_BEGIN;
    plan.verb = "stop_broker";
    plan.signals = 1;
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_PAUSED, "broker 1 is down");
    well(bench_resume(&b, bench_only_run(&b), NULL));
    bench_over(&b);
}

/* ---- secrets ---- */

static kp_err *sets_a_secret(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(call(r, "set_properties", "[1,{\"acme.password\":\"${vault:acme}\"}]", NULL));
    TEST_TRY(call(r, "set_properties", "[1,{\"acme.password\":false}]", &v));
    assert_string_equal(kp_get_text(kp_get(v, "was"), "acme.password", ""), "(secret)");
    return NULL;
}

/* What a host's file had is read to be told, and a secret is not. */
static void an_old_secret_is_not_told(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, KRAFT, sets_a_secret, NULL, 0);
    well(bench_run(&b, NULL));
    bench_over(&b);
}

/* ---- signals ---- */

/* What an earlier session asked for, and this one has not, is nothing to wait for. */
static void a_doubt_that_is_to_be_asked_again_pauses_at_once(void **state)
{
    static const twist lost = { KP_A_STOP, 2, "lost", "reset" };
    static const char *const calls[] = { "stop_broker [2]", "start_broker [2]", NULL };
    bench b = { 0 };
    (void)state;
    begin(&b, KRAFT, goes, &lost, 1);
    plan.calls = calls;
    plan.bent_from = 0;
    plan.kind = KP_E_BEGIN;
    plan.verb = "stop_broker";
    plan.signals = 3;
    fails(bench_run(&b, NULL), KP_DETACHED, "stop_broker of broker 2");
    plan.bent_from = -1;
    twist_on(false);
    plan.kind = KP_E_DOUBT;
    plan.verb = NULL;
    plan.signals = 1;
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_PAUSED, "paused by a person");
    well(bench_resume(&b, bench_only_run(&b), NULL));
    bench_over(&b);
}

/* One that comes while a resumed run still meets its cluster is for that run. */
static void a_signal_before_the_run_goes_on_is_heard(void **state)
{
    static const char *const calls[] = { "stop_broker [2]", "start_broker [2]", "stop_broker [3]",
                                         NULL };
    bench b = { 0 };
    (void)state;
    begin(&b, KRAFT, goes, NULL, 0);
    plan.calls = calls;
    plan.kind = KP_E_BEGIN;
    plan.verb = "start_broker";
    plan.signals = 1;
    fails(bench_run(&b, NULL), KP_PAUSED, "paused by a person");
    plan.kind = KP_E_RESUMED;
    plan.verb = NULL;
    plan.signals = 1;
    fails(bench_resume(&b, bench_only_run(&b), NULL), KP_PAUSED, "paused by a person");
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 3), "stops", -1), 0);
    bench_over(&b);
}

/* ---- while a person thinks ---- */

static kp_answer while_asked(void *ud, const kp_question *q, const char **ret_by)
{
    (void)ud;
    *ret_by = "tester";
    twist_on(q->kind == KP_ASK_IRREVERSIBLE); /* somebody puts broker 3 back meanwhile */
    return KP_ANSWER_YES;
}

static void what_can_not_be_taken_back_is_judged_after_the_answer(void **state)
{
    static const twist put_back = { KP_Q_NODE, 3, "release", "\"3.4\"" };
    static const char *const calls[] = { "set_ibp [1,\"3.5\"]", NULL };
    bench b = { 0 };
    (void)state;
    begin(&b,
          "{\"mode\":\"zookeeper\",\"brokers\":3,\"release\":\"3.5.2\",\"ibp\":\"3.4\","
          "\"topics\":[{\"name\":\"t\",\"partitions\":6}]}",
          goes, &put_back, 1);
    plan.calls = calls;
    b.spec.sink.ask = while_asked;
    fails(bench_run(&b, NULL), KP_SAFETY, "broker 3 runs 3.4, it takes 3.5");
    assert_int_equal(kp_get_int(kp_sim_host_counts(b.a, b.sim, 1), "files", -1), 0);
    bench_over(&b);
}

/* ---- while the guard waits ---- */

static kp_err *stops_after_a_wait(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "start_broker", "[2]", NULL)); /* it is behind now */
    twist_on(true);
    TEST_TRY(call(r, "stop_broker", "[2]", NULL)); /* waits for broker 4; 2 has caught up by then */
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    TEST_TRY(call(r, "wait_in_sync", "[2]", NULL));
    TEST_TRY(call(r, "urp", "[]", &v));
    assert_int_equal(kp_as_int(v, -1), 0);
    return NULL;
}

static const twist silent = { KP_Q_NODE, 4, NULL, NULL };

/* Replicas that were behind before the wait, and in sync at the stop, must be back. */
static void what_was_behind_before_the_guard_waited_excuses_nothing(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, LARGE, stops_after_a_wait, &silent, 1);
    plan.held = 80;
    well(bench_run(&b, NULL));
    assert_true(plan.held <= 0);
    bench_over(&b);
}

static kp_err *stops_with_a_small_arena(kp_run *r, const kp_value *args)
{
    (void)args;
    TEST_TRY(call(r, "stop_broker", "[1]", NULL));
    TEST_TRY(call(r, "start_broker", "[1]", NULL));
    twist_on(true);
    TEST_TRY(call(r, "stop_broker", "[2]", NULL));
    assert_in_range(kp_arena_used(r->call), 0, 1 << 20);
    return NULL;
}

/* 100 rounds of questions must not stay in the call's memory: a wait may take hours. */
static void a_wait_of_the_guard_takes_no_memory(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(&b, LARGE, stops_with_a_small_arena, &silent, 1);
    plan.held = 100;
    well(bench_run(&b, NULL));
    bench_over(&b);
}

static kp_err *starts_with_a_small_arena(kp_run *r, const kp_value *args)
{
    (void)args;
    kp_err_drop(call(r, "stop_broker", "[2]", NULL));
    TEST_TRY(call(r, "start_broker", "[2]", NULL));
    assert_in_range(kp_arena_used(r->call), 0, 1 << 20);
    return NULL;
}

static void a_start_of_hours_takes_no_memory(void **state)
{
    bench b = { 0 };
    (void)state;
    begin(
        &b,
        "{\"brokers\":4,\"controllers\":3,\"release\":\"3.7.2\",\"timing\":{\"recovery\":\"2MB\"},"
        "\"topics\":[{\"name\":\"t\",\"partitions\":6,\"size\":\"400GB\",\"rate\":\"1MB\"}],"
        "\"faults\":[{\"fault\":\"unclean_stop\",\"node\":2,\"stop\":1}]}",
        starts_with_a_small_arena, NULL, 0);
    well(bench_run(&b, NULL));
    bench_over(&b);
}

/* ---- what nobody says ---- */

static kp_err *no_view(void *ud, bool *ret_true, const char **ret_say)
{
    const kp_value *v;
    (void)ret_say;
    TEST_TRY(call(ud, "findings", "[{\"nodes\":[],\"rows\":[\"under-replicated\"]}]", &v));
    *ret_true = kp_len(v) == 0;
    return NULL;
}

static kp_err *waits_for_nothing_behind(kp_run *r, const kp_value *args)
{
    const kp_value *v;
    (void)args;
    twist_on(true);
    return kp_run_wait_until(r, NULL, no_view, r, "test.lua:1", &v);
}

/* Where no view is to be had, a row about views finds that, and not nothing. */
static void no_view_is_a_finding_of_every_row_about_it(void **state)
{
    static const twist none = { KP_Q_VIEW, 0, NULL, NULL };
    bench b = { 0 };
    (void)state;
    begin(&b, KRAFT, waits_for_nothing_behind, &none, 1);
    fails(bench_run(&b, NULL), KP_FAILED, "no progress for");
    bench_over(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_right_by_hand_is_gone_on_with),
        cmocka_unit_test(an_old_secret_is_not_told),
        cmocka_unit_test(a_doubt_that_is_to_be_asked_again_pauses_at_once),
        cmocka_unit_test(a_signal_before_the_run_goes_on_is_heard),
        cmocka_unit_test(what_can_not_be_taken_back_is_judged_after_the_answer),
        cmocka_unit_test(what_was_behind_before_the_guard_waited_excuses_nothing),
        cmocka_unit_test(a_wait_of_the_guard_takes_no_memory),
        cmocka_unit_test(a_start_of_hours_takes_no_memory),
        cmocka_unit_test(no_view_is_a_finding_of_every_row_about_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
