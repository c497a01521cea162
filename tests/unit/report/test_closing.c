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
} closing;

static void print(void *ud)
{
    closing *c = ud;
    kp_closing_lines(c->a, &c->e, &c->spec, c->prefix);
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
    const char *report = "{'state':'done','took_ms':120000,'stops':[{},{},{}]}";
    char *text = lines(a, report, NULL, true);
    assert_says(text, "\nsim  verdict   go: 3 stops, about 2 min\n");
    assert_says(text, "\nsim  assumed   the order of things is exact, times are estimates");
    for (char *p = text; *p; p = strchr(p, '\n') + 1)
        assert_true(kp_starts_with(p, "sim  "));
    assert_null(strstr(lines(a, report, NULL, false), "verdict"));
}

static void warnings_stand_beside_the_go(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    assert_says(lines(a, "{'state':'done','warnings':['w']}", NULL, true),
                "verdict   go, with 1 warning\n");
    assert_says(lines(a, "{'state':'done','warnings':['w','x']}", NULL, true),
                "verdict   go, with 2 warnings\n");
}

static void a_rehearsal_that_failed_says_no_go(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    char *text = lines(a, "{'state':'failed','warnings':['w']}", an_error(KP_FAILED), true);
    assert_says(text, "verdict   no-go\n");
    assert_null(strstr(text, "verdict   go"));
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
        cmocka_unit_test(a_rehearsal_that_failed_says_no_go),
        cmocka_unit_test(every_question_that_was_answered_for_a_person_is_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
