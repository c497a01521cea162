/* The screen: one line per node, nothing of the replay twice, one JSON object per line. */
#include "report/with_stdout.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report/closing.h"

const kp_script_host kp_script_host_table = { .release = "none" };

typedef struct telling {
    kp_arena *a;
    const kp_screen_spec *spec;
    void (*tell)(kp_arena *a, kp_sink s);
} telling;

static void tell_it(void *ud)
{
    telling *t = ud;
    kp_sink sink = kp_screen(t->a, t->spec);
    t->tell(t->a, sink);
    kp_screen_done(sink);
}

#define STAMP "1970-01-01T00:00:00Z  "

/* Without the time that each plain line begins with. */
static char *printed(kp_arena *a, const kp_screen_spec *spec, void (*tell)(kp_arena *a, kp_sink s))
{
    char *text = written_to(a, STDOUT_FILENO, tell_it, &(telling) { a, spec, tell }), *to = text;
    if (spec->terminal || spec->json)
        return text;
    for (const char *from = text; *from;) {
        assert_true(strlen(from) > strlen(STAMP) && kp_starts_with(from, "1970-01-01T00:"));
        assert_memory_equal(from + strlen(STAMP) - 3, "Z  ", 3);
        from += strlen(STAMP);
        size_t n = strcspn(from, "\n") + 1;
        memmove(to, from, n);
        to += n;
        from += n;
    }
    *to = 0;
    return text;
}

static void event(kp_sink s, kp_event e)
{
    s.event(s.ud, &e);
}

static void two_brokers(kp_arena *a, kp_sink s)
{
    event(s, (kp_event) { .kind = KP_E_STEP, .text = "broker 1", .t = 1000 });
    event(s, (kp_event) {
                 .kind = KP_E_DONE, .verb = "stop_broker", .node = kp_somebody(1), .took = 2600, .t = 4000 });
    event(s, (kp_event) {
                 .kind = KP_E_DONE, .verb = "start_broker", .node = kp_somebody(1), .took = 21000, .t = 9000 });
    event(s, (kp_event) { .kind = KP_E_STEP, .text = "broker 2", .t = 61000 });
    event(s, (kp_event) { .kind = KP_E_NOTE,
                          .node = kp_somebody(2),
                          .text = "broker 2  skipped: already on 3.9.1",
                          .t = 61000 });
    event(s, (kp_event) {
                 .kind = KP_E_CLOSED,
                 .t = 62000,
                 .value = kp_map(a, "state", kp_text(a, "done"), "records", kp_int(a, 9), NULL) });
}

static void a_node_is_one_line(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_screen_spec spec = { .simulated = true };
    (void)state;
    char *text = printed(a, &spec, two_brokers);
    assert_non_null(strstr(text, "sim    broker 1"));
    assert_non_null(strstr(text, "stop 2.6"));
    assert_non_null(strstr(text, "start 21 s"));
    assert_non_null(strstr(text, "already on 3.9.1"));
    int lines = 0;
    for (char *p = text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 3);
    /* Every line of a simulated run says so. */
    for (char *p = text; *p; p = strchr(p, '\n') + 1)
        assert_true(kp_starts_with(p, "sim"));
}

static void replayed(kp_arena *a, kp_sink s)
{
    event(s, (kp_event) { .kind = KP_E_RESUMED,
                          .t = 5000,
                          .value = kp_map(a, "run", kp_text(a, "r"), "records", kp_int(a, 7), "at",
                                          kp_int(a, 2000), "ended", kp_text(a, "intent"), NULL) });
    event(s, (kp_event) { .kind = KP_E_STEP, .text = "broker 1", .replayed = true });
    event(s, (kp_event) { .kind = KP_E_DONE, .verb = "stop_broker", .node = kp_somebody(1), .replayed = true });
    event(s, (kp_event) { .kind = KP_E_STEP, .text = "broker 2", .t = 6000 });
}

static void what_was_told_before_is_only_counted(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_screen_spec spec = { 0 };
    (void)state;
    char *text = printed(a, &spec, replayed);
    assert_non_null(strstr(text, "ended without a word 3 s ago: 7 records"));
    assert_non_null(strstr(text, "replayed  2 answers"));
    assert_null(strstr(text, "stop"));
}

static void json_is_one_object_a_line(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_screen_spec spec = { .json = true, .simulated = true };
    const kp_value *v;
    int n = 0;
    (void)state;
    char *text = printed(a, &spec, two_brokers);
    for (char *p = text; *p; n++) {
        char *end = strchr(p, '\n');
        assert_null(kp_json_read(a, p, (size_t)(end - p), &v));
        assert_true(kp_get_bool(v, "simulated", false));
        p = end + 1;
    }
    assert_int_equal(n, 6);
}

/* ---- how a run begins ---- */

static const kp_value *json(kp_arena *a, const char *text)
{
    const kp_value *v;
    char *copy = kp_strdup(a, text);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    assert_null(kp_json_read(a, copy, strlen(copy), &v));
    return v;
}

static const char *opening;
static void opens(kp_arena *a, kp_sink s)
{
    event(s, (kp_event) { .kind = KP_E_OPENED, .value = json(a, opening) });
}

static void the_first_lines_say_what_where_and_with_which_powers(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_screen_spec spec = { 0 };
    (void)state;
    opening = "{'cluster':'lab','brokers':3,'controllers':1,'mode':'KRaft','release':'3.7',"
              "'partitions':1204,'run':'1124-c21e','effects':['broker.restart','config.file'],"
              "'playbook':'rolling.lua','args':{'to':'3.9.1','settle':'45m','skip':[],"
              "'only':[1,2],'pause':'1h'},'origin':{'to':'--to','settle':'kplay.yaml:31:20',"
              "'only':'--only','pause':'default'}}";
    assert_string_equal(printed(a, &spec, opens),
                        "lab  3 brokers, 1 controller, KRaft 3.7, 1,204 partitions -> 3.9.1   "
                        "run 1124-c21e\n"
                        "may do    broker.restart  config.file\n"
                        "playbook  rolling.lua; only [1,2]; settle 45m from kplay.yaml:31:20; "
                        "to 3.9.1\n");
    opening = "{'cluster':'lab','brokers':1,'mode':'ZooKeeper','release':'3.4','run':'r',"
              "'effects':[],'playbook':'preflight.lua'}";
    assert_string_equal(printed(a, &spec, opens),
                        "lab  1 broker, ZooKeeper 3.4, 0 partitions   run r\n"
                        "may do    nothing: it only asks\n"
                        "playbook  preflight.lua\n");
}

static void resumes(kp_arena *a, kp_sink s)
{
    event(s, (kp_event) { .kind = KP_E_RESUMED, .t = 9000, .value = json(a, opening) });
    event(s, (kp_event) { .kind = KP_E_DOUBT,
                          .verb = "stop_broker",
                          .node = kp_somebody(1),
                          .value = json(a, "{'saw':{'pid':8971},'so':'not yet'}") });
}

static void a_resumed_run_says_how_it_ended_and_what_was_in_doubt(void **state)
{
    static const struct {
        const char *ended, *says;
    } rows[] = { { "pause", "r   paused 4 s ago: 7 records, chain whole\n" },
                 { "error", "r   failed 4 s ago: 7 records, chain whole\n" },
                 { "intent", "r   ended without a word 4 s ago: 7 records, chain whole\n" } };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_screen_spec spec = { 0 };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        opening = kp_printf(a, "{'run':'r','at':5000,'records':7,'ended':'%s'}", rows[i].ended);
        char *text = printed(a, &spec, resumes);
        assert_says(text, rows[i].says);
        assert_says(text, "\nin doubt  stop_broker(1)  saw {\"pid\":8971} -> not yet\n");
    }
}

/* ---- a step's line ---- */

static void works(kp_arena *a, kp_sink s)
{
    kp_err *failure = kp_err_new(KP_FAILED, "n", "w");
    event(s, (kp_event) { .kind = KP_E_STEP, .text = "stage", .t = 0 });
    for (int node = 1; node <= 3; node++)
        event(s, (kp_event) { .kind = KP_E_DONE, .verb = "stage_release", .node = kp_somebody(node), .t = 400 });
    event(s, (kp_event) { .kind = KP_E_STEP, .text = "broker 1", .t = 500 });
    event(s, (kp_event) { .kind = KP_E_DONE, .verb = "stop_broker", .took = 3610, .err = failure });
    kp_err_drop(failure);
    event(s, (kp_event) { .kind = KP_E_DONE,
                          .verb = "stop_broker",
                          .took = 0,
                          .value = json(a, "{'already':true}") });
    event(s, (kp_event) { .kind = KP_E_DONE, .verb = "sleep", .took = 9000 });
    event(s, (kp_event) { .kind = KP_E_DONE, .verb = "run_command", .took = 1200 });
    event(s, (kp_event) { .kind = KP_E_DONE,
                          .verb = "elect_preferred",
                          .took = 510,
                          .value = json(a, "{'moved':8}") });
    event(s, (kp_event) { .kind = KP_E_WARN, .text = "a warning" });
    event(s, (kp_event) { .kind = KP_E_CLOSED, .t = 8500, .value = json(a, "{'state':'done'}") });
}

static void a_line_tells_what_was_done_and_how_long_it_took(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_screen_spec spec = { 0 };
    (void)state;
    char *text = printed(a, &spec, works);
    assert_says(text, "  stage                         0.50 s   staged on 3 hosts\n");
    assert_says(text, "\nwarning   a warning\n");
    assert_says(text, "\n  broker 1                      8.00 s   stop (already), run_command "
                      "1.20 s, election 0.51 s (8 leaders)\ndone   ");
}

static void soaks(kp_arena *a, kp_sink s)
{
    event(s, (kp_event) { .kind = KP_E_DONE, .verb = "stop_broker", .took = 1000, .t = 500 });
    event(s, (kp_event) { .kind = KP_E_STEP, .text = "soak", .t = 1000 });
    event(s, (kp_event) { .kind = KP_E_DONE, .verb = "sleep", .took = 900000, .t = 901000 });
    event(s, (kp_event) { .kind = KP_E_STEP, .text = "nothing", .t = 901000 });
    event(s, (kp_event) { .kind = KP_E_CLOSED, .t = 901000, .value = json(a, "{'state':'done'}") });
}

static void a_step_in_which_nothing_was_done_but_waiting_is_told(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_screen_spec spec = { 0 };
    (void)state;
    char *text = printed(a, &spec, soaks);
    assert_says(text, "  (no step)                     1.00 s   stop 1.00 s\n"
                      "  soak                          15 min   waited\ndone");
}

/* ---- waiting ---- */

static void waits(kp_arena *a, kp_sink s)
{
    event(s, (kp_event) {
                 .kind = KP_E_STEP, .text = "broker 1", .value = json(a, "{'at':3,'of':6}") });
    event(s, (kp_event) { .kind = KP_E_STEP,
                          .text = "broker 2",
                          .value = json(a, "{'at':4,'of':6}"),
                          .t = 180000 });
    event(s, (kp_event) { .kind = KP_E_BEGIN, .verb = "wait_in_sync", .node = kp_somebody(2) });
    event(s, (kp_event) { .kind = KP_E_PROGRESS,
                          .verb = "wait_in_sync",
                          .text = "broker 2: 14 left",
                          .took = 31000,
                          .t = 240000,
                          .value = json(a, "{'eta':{'p50':40000}}") });
    event(s, (kp_event) { .kind = KP_E_PROGRESS, .text = "too soon to draw again", .took = 31010 });
    event(s, (kp_event) { .kind = KP_E_HELD, .text = "orders-0 is under min ISR" });
    event(s, (kp_event) { .kind = KP_E_HELD, .text = "orders-0 is still under min ISR" });
}

static void a_person_sees_what_is_waited_for_on_a_line_that_goes_away(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_screen_spec spec = { .terminal = true };
    (void)state;
    char *text = printed(a, &spec, waits);
    assert_says(text,
                "\r\033[K> broker 2  broker 2: 14 left  31 s so far, about 9 s left; node 4 of "
                "6, ");
    assert_null(strstr(text, "too soon"));
    /* It is wiped before the next line that stays, and what holds the run is said once. */
    assert_says(text, "\r\033[K  waiting   orders-0 is under min ISR\n");
    assert_null(strstr(text, "still"));
}

static void elsewhere_no_line_goes_away(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    kp_screen_spec spec = { 0 };
    (void)state;
    assert_string_equal(printed(a, &spec, waits), "  broker 1                       3 min   asked\n"
                                                  "  waiting   orders-0 is under min ISR\n");
    spec.json = true;
    char *text = printed(a, &spec, waits);
    assert_null(strstr(text, "progress"));
    assert_says(text, "\"event\":\"held\"");
}

/* ---- the last words ---- */

static void fails(void *ud)
{
    kp_err *e = kp_err_new(KP_SAFETY, "wait", "orders-0 is under min ISR");
    e = kp_err_detail(kp_err_at(e, "broker 2"), "  a line\n");
    kp_screen_error(e, *(bool *)ud);
    kp_err_drop(e);
}

static void an_error_is_words_on_stderr_or_an_object_on_stdout(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    bool as_json = false;
    (void)state;
    assert_string_equal(written_to(a, STDERR_FILENO, fails, &as_json),
                        "kplay: broker 2: orders-0 is under min ISR\n    a line\nnext  wait\n");
    as_json = true;
    assert_string_equal(
        written_to(a, STDOUT_FILENO, fails, &as_json),
        "{\"error\":{\"class\":\"safety\",\"detail\":\"  a line\\n\",\"next\":\"wait\",\"what\":"
        "\"orders-0 is under min ISR\",\"where\":\"broker 2\"},\"exit\":3}\n");
}

static void medians(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    const kp_value *v;
    const char *text = "[{\"x\":5},{\"y\":1},{\"x\":1},{\"x\":9}]";
    (void)state;
    assert_null(kp_json_read(a, text, strlen(text), &v));
    assert_int_equal(kp_median(a, v, "x"), 5);
    assert_int_equal(kp_median(a, v, "z"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_is_one_line),
        cmocka_unit_test(what_was_told_before_is_only_counted),
        cmocka_unit_test(json_is_one_object_a_line),
        cmocka_unit_test(the_first_lines_say_what_where_and_with_which_powers),
        cmocka_unit_test(a_resumed_run_says_how_it_ended_and_what_was_in_doubt),
        cmocka_unit_test(a_line_tells_what_was_done_and_how_long_it_took),
        cmocka_unit_test(a_step_in_which_nothing_was_done_but_waiting_is_told),
        cmocka_unit_test(a_person_sees_what_is_waited_for_on_a_line_that_goes_away),
        cmocka_unit_test(elsewhere_no_line_goes_away),
        cmocka_unit_test(an_error_is_words_on_stderr_or_an_object_on_stdout),
        cmocka_unit_test(medians),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
