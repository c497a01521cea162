/* The last lines of a run: how it ended, what it cost, what a rehearsal says of the real run. */
#include "report/with_stdout.h"

#include <string.h>
#include <unistd.h>

#include "report/closing.h"

const kp_script_host kp_script_host_table = { .release = "none" };

typedef struct closing {
    kp_arena *a;
    kp_event e;
    kp_screen_spec spec;
    const char *prefix;
    const kp_value *acts;
} closing;

static const kp_node nodes[] = { { .id = 1, .roles = KP_BROKER },
                                 { .id = 2, .roles = KP_BROKER },
                                 { .id = 3001, .roles = KP_CONTROLLER } };
static const kp_inventory inventory = { .path = "t", .cluster = "t", .n_nodes = 3, .nodes = nodes };

/* 'from': the names of earlier runs, of which 'before' stops were. */
static kp_estimate estimate_of(const kp_value *report)
{
    return (kp_estimate) { .took = kp_get_int(report, "took_ms", 0),
                           .runs = kp_get(report, "from"),
                           .stops = (size_t)kp_get_int(report, "before", 0),
                           .in_part = kp_get_bool(report, "in_part", false) };
}

static void print(void *ud)
{
    closing *c = ud;
    kp_closing_lines(c->a, &c->e, &c->spec, c->prefix);
    if (c->spec.rehearsal)
        kp_verdict_lines(c->a, &(kp_rehearsed) { .report = c->e.value,
                                                 .acts = c->acts,
                                                 .err = c->e.err,
                                                 .estimate = estimate_of(c->e.value),
                                                 .inventory = &inventory,
                                                 .prefix = c->prefix });
}

/* The lines of a run that ended with this report (JSON with ' for ") and error (may be NULL). */
static char *lines(kp_arena *a, const char *report, kp_err *err, bool rehearsal)
{
    closing c = { .a = a,
                  .e = { .kind = KP_E_CLOSED, .err = err },
                  .spec = { .rehearsal = rehearsal },
                  .prefix = rehearsal ? "sim  " : "" };
    char *json = kp_strdup(a, report);
    for (char *p = json; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    kp_err *e = kp_json_read(a, json, strlen(json), &c.e.value);
    assert_null(e);
    c.acts = kp_get(c.e.value, "acts");
    char *text = written_to(a, STDOUT_FILENO, print, &c);
    kp_err_drop(err);
    return text;
}

static kp_err *an_error(kp_class cls)
{
    return kp_err_new(cls, "next", "what");
}

static void the_cost_of_a_run_is_one_line(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    assert_string_equal(lines(a,
                              "{'state':'done','took_ms':64000,'stops':[{'node':1},{'node':2}],"
                              "'records':160,'requests':344}",
                              NULL, false),
                        "done   1 min 4 s, 2 stops, 160 records, 344 requests\n");
    assert_string_equal(
        lines(a, "{'state':'done','took_ms':3000,'stops':[{'node':1}]}", NULL, false),
        "done   3 s, 1 stop, 0 records, 0 requests\n");
}

static void idle_time_is_the_median_between_nodes(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    char *text = lines(
        a,
        "{'state':'done','stops':[{'node':1},{'idle_ms':900,'idle_polls':9,'idle_requests':90},"
        "{'idle_ms':1730,'idle_polls':2,'idle_requests':13},"
        "{'idle_ms':5000,'idle_polls':1,'idle_requests':5}]}",
        NULL, false);
    assert_says(text, "\nidle      1.73 s between a node confirmed in sync and the next stop "
                      "(median), 2 polls, 13 requests\n");
    assert_says(lines(a, "{'state':'done','stops':[{'idle_ms':0}]}", NULL, false),
                "\nidle      0.00 s between");
    assert_null(strstr(lines(a, "{'state':'done','stops':[{'node':1}]}", NULL, false), "idle"));
}

static void what_was_forced_is_told_with_its_reason(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    char *text = lines(a,
                       "{'state':'done','overrides':[{'guard':'min-isr','reason':'known',"
                       "'was':'orders-3 has 1 of 2'}]}",
                       NULL, false);
    assert_says(text, "\noverride  min-isr: known (orders-3 has 1 of 2)\n");
}

static void a_run_that_stopped_names_its_last_link(void **state)
{
    static const char *const stopped[] = { "paused", "refused", "failed" };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(stopped); i++) {
        const char *report = kp_printf(a, "{'state':'%s','run':'1124-c21e','head':'%s'}",
                                       stopped[i], "0123456789abcdef0123456789abcdef");
        assert_says(lines(a, report, an_error(KP_FAILED), false),
                    "\nstopped   run 1124-c21e; the journal's last link is 01234567\n");
        assert_null(strstr(lines(a, report, NULL, false), "stopped"));
        assert_null(strstr(lines(a, report, an_error(KP_FAILED), true), "stopped"));
    }
    assert_null(strstr(lines(a, "{'state':'closed'}", an_error(KP_FAILED), false), "stopped"));
}

/* ---- rehearsals ---- */

static void a_rehearsal_that_went_well_says_go(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    const char *report = "{'state':'done','took_ms':120000,'stops':[{},{},{}],'acts':["
                         "{'act':'fence','node':1},{'act':'stop','node':3001},{'act':'stop',"
                         "'node':1,'leaders_moved':9,'peak_urp':40,'peak_at_min_isr':12},{'act':"
                         "'stop','node':2,'leaders_moved':1,'peak_urp':2,'peak_at_min_isr':0}]}";
    char *text = lines(a, report, NULL, true);
    assert_says(text, "\nsim  verdict   go: 3 stops, about 2 min   the simulator's own estimate\n"
                      "sim  order     controller 3001, broker 1, broker 2\n"
                      "sim  stop      broker 1: 9 leaders move; at most 40 partitions "
                      "under-replicated, 12 at min.insync.replicas\n"
                      "sim  stop      broker 2: 1 leader moves; at most 2 partitions "
                      "under-replicated, 0 at min.insync.replicas\n");
    assert_says(text, "\nsim  assumed   the order of things is exact, times are estimates");
    for (char *p = text; *p; p = strchr(p, '\n') + 1)
        assert_true(kp_starts_with(p, "sim  "));
    assert_null(strstr(lines(a, report, NULL, false), "verdict"));
}

static void warnings_stand_beside_the_go(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    assert_says(
        lines(a, "{'state':'done','warnings':['w']}", NULL, true),
        "verdict   go, with 1 warning: 0 stops, about 0 s   the simulator's own estimate\n");
    assert_says(
        lines(a, "{'state':'done','warnings':['w','x']}", NULL, true),
        "verdict   go, with 2 warnings: 0 stops, about 0 s   the simulator's own estimate\n");
}

static void a_time_that_earlier_runs_tell_names_them(void **state)
{
    static const struct {
        const char *known, *says;
    } rows[] = {
        { "'from':['1124-c21e'],'before':1", "from 1 stop of run 1124-c21e\n" },
        { "'from':['1124-c21e','1120-aaaa'],'before':7",
          "from 7 stops of runs 1124-c21e and 1120-aaaa\n" },
        { "'from':['1-a','2-b','3-c'],'before':7,'in_part':true",
          "from 7 stops of runs 1-a, 2-b and 3-c, the rest the simulator's own estimate\n" },
    };
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_says(lines(a, kp_printf(a, "{'state':'done','took_ms':840000,%s}", rows[i].known),
                          NULL, true),
                    kp_printf(a, "about 14 min   %s", rows[i].says));
}

static void a_rehearsal_that_failed_says_no_go(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    char *text = lines(a, "{'state':'failed','warnings':['w']}", an_error(KP_FAILED), true);
    assert_says(text, "verdict   no-go\n");
    assert_null(strstr(text, "verdict   go"));
}

static void of_many_stops_the_worst_are_shown(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    KP_AUTO_BUF b = KP_BUF_INIT(64 << 10);
    (void)state;
    for (int i = 0; i < 40; i++)
        kp_buf_fmt(&b, "%s{'act':'stop','node':2,'leaders_moved':1,'peak_at_min_isr':%d}",
                   i ? "," : "", i == 7 || i == 30 ? 90 : 5);
    char *text = lines(a, kp_printf(a, "{'state':'done','acts':[%s]}", kp_buf_text(&b)), NULL,
                       true);
    int shown = 0;
    for (char *p = text; (p = strstr(p, "sim  stop      broker")) != NULL; p++)
        shown++;
    assert_int_equal(shown, 2);
    assert_says(text, "\nsim  stop      38 more, none of them worse; --json tells each\n");
}

static void what_is_irreversible_is_told(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    assert_says(lines(a, "{'state':'done','irreversible':['set_ibp{} is irreversible. Do it?']}",
                      NULL, true),
                "\nsim  no way back: set_ibp{} is irreversible. Do it?\n");
}

static void every_question_that_was_answered_for_a_person_is_listed(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    char *text = lines(a, "{'state':'done','assumed':['finalize 3.9?','stop the last?']}", NULL,
                       true);
    assert_says(text, "\nsim  assumed   yes to: finalize 3.9?\nsim  assumed   yes to: stop the "
                      "last?\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cost_of_a_run_is_one_line),
        cmocka_unit_test(idle_time_is_the_median_between_nodes),
        cmocka_unit_test(what_was_forced_is_told_with_its_reason),
        cmocka_unit_test(a_run_that_stopped_names_its_last_link),
        cmocka_unit_test(a_rehearsal_that_went_well_says_go),
        cmocka_unit_test(warnings_stand_beside_the_go),
        cmocka_unit_test(a_time_that_earlier_runs_tell_names_them),
        cmocka_unit_test(a_rehearsal_that_failed_says_no_go),
        cmocka_unit_test(of_many_stops_the_worst_are_shown),
        cmocka_unit_test(what_is_irreversible_is_told),
        cmocka_unit_test(every_question_that_was_answered_for_a_person_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
