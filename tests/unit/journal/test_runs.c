/* The list of runs: every state, the order, and what is left out. */
#include "with_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
    char *dir;
    kp_arena *a;
} fixture;

static int set_up(void **state)
{
    fixture *x = calloc(1, sizeof *x);
    x->dir = dir_new();
    x->a = kp_arena_new("test", 64u << 20);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    fixture *x = *state;
    kp_arena_free(x->a);
    dir_free(x->dir);
    free(x);
    return 0;
}

static const char *in(fixture *x, const char *name)
{
    return kp_printf(x->a, "%s/%s", x->dir, name);
}

static kp_run_info find(fixture *x, const char *run)
{
    kp_run_info *list;
    size_t n;
    OK(kp_runs_list(x->a, x->dir, &list, &n));
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].run, run) == 0)
            return list[i];
    fail_msg("%s is not listed", run);
    return list[0];
}

/* A record, and the key that matters with it. */
typedef struct rec {
    kp_kind kind;
    const char *key, *text; /* "class": of its err */
} rec;

static const kp_value *body_of(fixture *x, const rec *r)
{
    if (!r->key)
        return NULL;
    const kp_value *text = kp_text(x->a, r->text);
    return strcmp(r->key, "class") == 0
               ? kp_map(x->a, "err", kp_map(x->a, "class", text, NULL), NULL)
               : kp_map(x->a, r->key, text, NULL);
}

static kp_journal *make(fixture *x, const char *run, const rec *records)
{
    kp_journal *j;
    OK(sample_create(x->a, &kp_disk_real, x->dir, run, &j));
    for (int i = 0; records[i].kind != KP_K_OPEN; i++)
        OK(kp_journal_append(j, records[i].kind, sample_time + 100 + i, body_of(x, &records[i])));
    return j;
}

/* ---- */

static void states(void **state)
{
    static const struct {
        const char *state;
        bool finished;
        rec records[5]; /* after the open record, up to one of kind open */
    } rows[] = {
        { "interrupted", false, { { 0 } } },
        { "interrupted", false, { { KP_K_SESSION, 0, 0 } } },
        { "interrupted", false, { { KP_K_SESSION, 0, 0 }, { KP_K_INTENT, 0, 0 } } },
        { "paused", false, { { KP_K_SESSION, 0, 0 }, { KP_K_PAUSE, "why", "ask" } } },
        { "paused", false, { { KP_K_PAUSE, 0, 0 }, { KP_K_NOTE, 0, 0 }, { KP_K_NOTE, 0, 0 } } },
        { "refused", false, { { KP_K_PAUSE, "state", "refused" } } },
        { "interrupted", false, { { KP_K_PAUSE, 0, 0 }, { KP_K_SESSION, 0, 0 } } },
        { "failed", false, { { KP_K_ERROR, "class", "failed" } } },
        { "failed", false, { { KP_K_ERROR, 0, 0 } } },
        { "refused", false, { { KP_K_ERROR, "class", "refused" } } },
        { "refused", false, { { KP_K_ERROR, "class", "safety" } } },
        { "interrupted", false, { { KP_K_ERROR, 0, 0 }, { KP_K_READ, 0, 0 } } },
        { "done", true, { { KP_K_CLOSE, 0, 0 } } },
        { "done", true, { { KP_K_CLOSE, "state", "done" }, { KP_K_NOTE, 0, 0 } } },
        { "superseded", true, { { KP_K_PAUSE, 0, 0 }, { KP_K_CLOSE, "state", "superseded" } } },
        { "failed", true, { { KP_K_CLOSE, "state", "failed" } } },
    };
    fixture *x = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *run = kp_printf(x->a, "r%zu", i);
        kp_journal *j = make(x, run, rows[i].records);
        int64_t n = kp_journal_n(j);
        if (!rows[i].finished) {
            kp_run_info info = find(x, run);
            assert_string_equal(info.state, "open");
            assert_int_equal(info.pid, getpid());
            assert_false(info.finished);
        }
        kp_journal_free(j);
        kp_run_info info = find(x, run);
        if (strcmp(info.state, rows[i].state) != 0)
            fail_msg("row %zu is %s", i, info.state);
        assert_int_equal(info.finished, rows[i].finished);
        assert_int_equal(info.pid, 0);
        assert_int_equal(info.records, n);
        assert_string_equal(info.playbook, "rolling");
        assert_string_equal(info.cluster, "orders-prod");
        assert_int_equal(info.opened, sample_time + 1);
        assert_int_equal(info.last, n == 1 ? sample_time + 1 : sample_time + 98 + n);
    }
}

static void append_bytes(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void torn_and_damaged(void **state)
{
    static const rec paused[] = { { KP_K_SESSION, 0, 0 }, { KP_K_PAUSE, 0, 0 }, { 0 } };
    static const rec closed[] = { { KP_K_SESSION, 0, 0 }, { KP_K_CLOSE, 0, 0 }, { 0 } };
    fixture *x = *state;
    kp_journal_free(make(x, "torn", paused));
    append_bytes(in(x, "torn/journal.jsonl"), "{\"n\":4");
    kp_run_info info = find(x, "torn");
    assert_string_equal(info.state, "interrupted");
    assert_int_equal(info.records, 3);

    kp_journal_free(make(x, "torn-closed", closed));
    append_bytes(in(x, "torn-closed/journal.jsonl"), "x");
    info = find(x, "torn-closed");
    assert_string_equal(info.state, "done");
    assert_true(info.finished);

    kp_journal_free(make(x, "damaged", closed));
    size_t n;
    char *p = file_read(in(x, "damaged/journal.jsonl"), &n);
    *strstr(p, "session") = 'S';
    file_write(in(x, "damaged/journal.jsonl"), p, n);
    free(p);
    info = find(x, "damaged");
    assert_string_equal(info.state, "damaged");
    assert_false(info.finished); /* nobody may take its word for it */
    assert_string_equal(info.playbook, "rolling");
    assert_int_equal(info.opened, sample_time + 1);

    kp_journal_free(make(x, "ruined", closed));
    file_write(in(x, "ruined/journal.jsonl"), "x\ny\n", 4);
    info = find(x, "ruined");
    assert_string_equal(info.state, "damaged");
    assert_string_equal(info.playbook, "");
    assert_int_equal(info.records, 0);

    kp_journal_free(make(x, "empty", closed));
    file_write(in(x, "empty/journal.jsonl"), "", 0);
    assert_string_equal(find(x, "empty").state, "not begun");
}

static void order_and_omissions(void **state)
{
    static const struct { const char *run; kp_ms opened; } rows[] = {
        { "b", 5000 }, { "a", 9000 }, { "c", 9000 }, { "d", 1000 },
    };
    fixture *x = *state;
    kp_run_info *list = NULL;
    size_t n = 99;
    OK(kp_runs_list(x->a, in(x, "absent"), &list, &n));
    assert_int_equal(n, 0);
    OK(kp_runs_list(x->a, x->dir, &list, &n));
    assert_int_equal(n, 0);
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_journal *j;
        OK(kp_journal_create(x->a, &kp_disk_real, x->dir, rows[i].run, rows[i].opened, NULL, NULL,
                             0, &j));
        kp_journal_free(j);
    }
    assert_int_equal(mkdir(in(x, "half.tmp"), 0700), 0);
    file_write(in(x, "half.tmp/journal.jsonl"), "x", 1);
    assert_int_equal(mkdir(in(x, ".hidden"), 0700), 0);
    file_write(in(x, ".hidden/journal.jsonl"), "x", 1);
    assert_int_equal(mkdir(in(x, "no-run"), 0700), 0);
    file_write(in(x, "file"), "x", 1);
    OK(kp_runs_list(x->a, x->dir, &list, &n));
    assert_int_equal(n, 4);
    const char *expected[] = { "c", "a", "b", "d" };
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(list[i].run, expected[i]);
    assert_string_equal(list[0].playbook, "");
    n = 99;
    ERROR(kp_runs_list(x->a, in(x, "file"), &list, &n), KP_CONFIG, "cannot be opened");
    assert_int_equal(n, 99);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = { T(states), T(torn_and_damaged), T(order_and_omissions) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
