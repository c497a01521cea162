/* The screen: one line per node, nothing of the replay twice, one JSON object per line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/closing.h"

const kp_script_host kp_script_host_table = { .release = "none" };

/* What `tell` printed, with stdout in a file meanwhile. */
static char *printed(kp_arena *a, const kp_screen_spec *spec, void (*tell)(kp_arena *a, kp_sink s))
{
    char path[] = "/tmp/kplay-screen-XXXXXX";
    int file = mkstemp(path), saved = dup(STDOUT_FILENO);
    char *text;
    size_t n;
    assert_true(file >= 0 && saved >= 0);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    kp_sink sink = kp_screen(a, spec);
    tell(a, sink);
    kp_screen_done(sink);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(file);
    assert_null(kp_file_read(a, path, 1 << 20, &text, &n));
    unlink(path);
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
                 .kind = KP_E_DONE, .verb = "stop_broker", .node = 1, .took = 2600, .t = 4000 });
    event(s, (kp_event) {
                 .kind = KP_E_DONE, .verb = "start_broker", .node = 1, .took = 21000, .t = 9000 });
    event(s, (kp_event) { .kind = KP_E_STEP, .text = "broker 2", .t = 61000 });
    event(s, (kp_event) {
                 .kind = KP_E_NOTE, .text = "broker 2  skipped: already on 3.9.1", .t = 61000 });
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
    event(s, (kp_event) { .kind = KP_E_DONE, .verb = "stop_broker", .node = 1, .replayed = true });
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
        cmocka_unit_test(medians),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
