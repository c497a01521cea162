/* Appending: what is on disk when it returns, what a full and what a failing disk do, the limits,
 * and the crash hook. */
#include "with_disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
    char *dir, path[PATH_SIZE], reserve[PATH_SIZE];
    fault *f;
    kp_disk disk;
    kp_arena *a;
    kp_journal *j; /* run "s" on the fault disk */
} fixture;

static int set_up(void **state)
{
    fixture *x = calloc(1, sizeof *x);
    x->dir = dir_new();
    x->f = fault_new();
    x->disk = fault_disk(x->f);
    x->a = kp_arena_new("test", (size_t)512 << 20);
    snprintf(x->path, sizeof x->path, "%s/s/journal.jsonl", x->dir);
    snprintf(x->reserve, sizeof x->reserve, "%s/s/reserve", x->dir);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    fixture *x = *state;
    kp_journal_free(x->j);
    kp_arena_free(x->a);
    fault_free(x->f);
    dir_free(x->dir);
    free(x);
    return 0;
}

/* A new run "s" with `records` records; nothing counted yet. */
static void start(fixture *x, int64_t records)
{
    OK(sample_create(x->a, &x->disk, x->dir, "s", &x->j));
    for (int64_t n = 2; n <= records; n++)
        OK(sample_append(x->j, n));
    fault_reset(x->f);
}

static void restart(fixture *x)
{
    kp_journal_free(x->j);
    x->j = NULL;
    char *dir = x->dir;
    dir_free(dir);
    x->dir = dir_new();
    snprintf(x->path, sizeof x->path, "%s/s/journal.jsonl", x->dir);
    snprintf(x->reserve, sizeof x->reserve, "%s/s/reserve", x->dir);
}

static void reopen(fixture *x)
{
    kp_journal_free(x->j);
    x->j = NULL;
    fault_reset(x->f);
    OK(kp_journal_open(x->a, &x->disk, x->dir, "s", &x->j));
}

/* A map with key `key` holding a text of n bytes. */
static const kp_value *long_text(kp_arena *a, const char *key, size_t n)
{
    char *p = kp_alloc(a, n + 1);
    memset(p, 'm', n);
    return kp_map(a, "i", kp_text(a, "1"), key, kp_bytes(a, p, n), NULL);
}

static kp_err *append(fixture *x, kp_kind kind, const kp_value *body)
{
    return kp_journal_append(x->j, kind, sample_time, body);
}

/* ---- */

static void memory_and_disk_agree(void **state)
{
    fixture *x = *state;
    start(x, 1);
    const kp_value *open_body = kp_map_with(x->a, sample_body(x->a, 1), "run", kp_text(x->a, "s"));
    const kp_source sources[] = { { "rolling.lua", "return { api = 1 }\n", 19 },
                                  { "gate", "-- a module\n", 12 } };
    kp_journal *m = kp_journal_memory(x->a, sample_time + 1, open_body, sources, 2);
    assert_string_equal(kp_journal_head(m), kp_journal_head(x->j));
    for (int64_t n = 2; n <= SAMPLE; n++) {
        OK(sample_append(x->j, n));
        OK(sample_append(m, n));
        assert_string_equal(kp_journal_head(m), kp_journal_head(x->j));
    }
    assert_int_equal(kp_journal_n(m), SAMPLE);
    assert_int_equal(kp_journal_n(x->j), SAMPLE);
    assert_string_equal(kp_journal_run(m), "s");
    assert_null(kp_journal_dir(m));
    for (int64_t n = 1; n <= SAMPLE; n++)
        sample_compare(kp_journal_at(m, n), n);
    assert_null(kp_journal_at(m, 0));
    assert_null(kp_journal_at(m, SAMPLE + 1));
    sample_compare(kp_journal_at(x->j, 1), 1);
    assert_null(kp_journal_at(x->j, 2));
    kp_journal_check c;
    OK(kp_journal_scan(x->a, x->path, &c));
    assert_string_equal(c.head, kp_journal_head(m));
    kp_journal_free(m);
}

static void one_write_and_one_sync_a_record(void **state)
{
    fixture *x = *state;
    start(x, 1);
    for (int64_t n = 2; n <= SAMPLE; n++) {
        fault_reset(x->f);
        OK(sample_append(x->j, n));
        assert_int_equal(x->f->calls, 2);
        assert_int_equal(x->f->of[ACT_WRITE], 1);
        assert_int_equal(x->f->of[ACT_SYNC], 1);
    }
}

static void goes_on_where_it_was(void **state)
{
    fixture *x = *state;
    start(x, 5);
    reopen(x);
    assert_int_equal(kp_journal_n(x->j), 5);
    assert_non_null(kp_journal_at(x->j, 5));
    for (int64_t n = 6; n <= SAMPLE; n++)
        OK(sample_append(x->j, n));
    assert_null(kp_journal_at(x->j, 6));
    reopen(x);
    for (int64_t n = 1; n <= SAMPLE; n++)
        sample_compare(kp_journal_at(x->j, n), n);
}

static void bodies_that_are_bugs(void **state)
{
    fixture *x = *state;
    start(x, 3);
    static const char *const reserved[] = { "n", "t", "k", "h", "blob" };
    for (size_t i = 0; i < KP_COUNT(reserved); i++)
        ERROR(append(x, KP_K_NOTE, kp_map(x->a, reserved[i], kp_int(x->a, 1), NULL)), KP_INTERNAL,
              reserved[i]);
    ERROR(append(x, KP_K_NOTE, kp_int(x->a, 1)), KP_INTERNAL, "map");
    ERROR(kp_journal_append(x->j, KP_K_NOTE, KP_NEVER, NULL), KP_INTERNAL, "time");
    assert_int_equal(x->f->calls, 0);
    OK(sample_append(x->j, 4));
}

/* ---- limits ---- */

static void long_lines(void **state)
{
    fixture *x = *state;
    start(x, 1);
    bool beside = false;
    for (size_t n = KP_RECORD_LIMIT - 200; n <= KP_RECORD_LIMIT && !beside; n++) {
        kp_journal_check c;
        OK(append(x, KP_K_NOTE, long_text(x->a, "m", n)));
        OK(kp_journal_scan(x->a, x->path, &c));
        beside = kp_get(c.rec[c.records - 1].body, "blob") != NULL;
        if (beside)
            assert_string_equal(kp_get_text(c.rec[c.records - 1].body, "blob_of", ""), "m");
    }
    assert_true(beside);
    size_t n;
    char *p = file_read(x->path, &n), *line = p;
    size_t longest = 0;
    for (char *newline; (newline = strchr(line, '\n')); line = newline + 1)
        longest = (size_t)(newline + 1 - line) > longest ? (size_t)(newline + 1 - line) : longest;
    assert_int_equal(longest, KP_RECORD_LIMIT);
    free(p);
    OK(sample_append(x->j, 2));
    reopen(x);
}

static void long_results_go_to_a_blob(void **state)
{
    fixture *x = *state;
    start(x, 1);
    const kp_value *body = long_text(x->a, "r", 100000);
    OK(append(x, KP_K_READ, body));
    OK(append(x, KP_K_READ, body)); /* the same result: the same blob */
    OK(append(x, KP_K_READ, long_text(x->a, "r", KP_BLOB_LIMIT - 2)));
    ERROR(append(x, KP_K_READ, long_text(x->a, "r", KP_BLOB_LIMIT - 1)), KP_PLAYBOOK, "too long");
    const kp_value *both = kp_map_with(x->a, body, "m", kp_get(body, "r"));
    ERROR(append(x, KP_K_READ, both), KP_PLAYBOOK, "too long");
    assert_int_equal(kp_journal_n(x->j), 4);

    kp_journal_check c; /* as it stands in the file */
    OK(kp_journal_scan(x->a, x->path, &c));
    const char *sha = kp_get_text(c.rec[1].body, "blob", "");
    assert_null(kp_get(c.rec[1].body, "r"));
    assert_string_equal(sha, kp_get_text(c.rec[2].body, "blob", ""));
    assert_string_not_equal(sha, kp_get_text(c.rec[3].body, "blob", ""));

    reopen(x); /* as it is read back */
    assert_true(kp_value_equal(kp_journal_at(x->j, 2)->body, body));
    assert_true(kp_value_equal(kp_journal_at(x->j, 3)->body, body));
    assert_int_equal(kp_get(kp_journal_at(x->j, 4)->body, "r")->n, KP_BLOB_LIMIT - 2);

    kp_journal *m = kp_journal_memory(x->a, sample_time, NULL, NULL, 0);
    OK(kp_journal_append(m, KP_K_READ, sample_time, body));
    assert_true(kp_value_equal(kp_journal_at(m, 2)->body, body));
    kp_journal_free(m);

    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/s/blobs/%s", x->dir, sha);
    kp_journal_free(x->j);
    x->j = NULL;
    file_write(path, "\"changed\"", 9);
    ERROR(kp_journal_open(x->a, &x->disk, x->dir, "s", &x->j), KP_REFUSED, "changed after");
    remove(path);
    ERROR(kp_journal_open(x->a, &x->disk, x->dir, "s", &x->j), KP_REFUSED, sha);
    assert_null(x->j);
}

static void a_blob_is_on_disk_before_its_record(void **state)
{
    fixture *x = *state;
    start(x, 1);
    const kp_value *body = long_text(x->a, "r", 100000);
    OK(append(x, KP_K_READ, body));
    power_cut(x->f);
    reopen(x);
    assert_true(kp_value_equal(kp_journal_at(x->j, 2)->body, body));
}

/* A journal near its end takes what ends things, nothing that begins any. */
static void full_journal(void **state)
{
    fixture *x = *state;
    x->j = kp_journal_memory(x->a, sample_time, NULL, NULL, 0);
    const kp_value *large = long_text(x->a, "m", KP_RECORD_LIMIT - 1000);
    kp_err *err = NULL;
    while (!err && kp_journal_n(x->j) < 2000)
        err = append(x, KP_K_NOTE, large);
    ERROR(err, KP_PLAYBOOK, "full");
    assert_in_range(kp_journal_n(x->j), 63u * 16, 63u * 16 + 20); /* 63 MiB of nearly 64 KiB each */
    static const kp_kind begins[] = { KP_K_READ, KP_K_ASK, KP_K_INTENT, KP_K_WAIT, KP_K_NOTE };
    static const kp_kind ends[] = { KP_K_SESSION, KP_K_DONE,  KP_K_DOUBT,
                                    KP_K_ERROR,   KP_K_PAUSE, KP_K_CLOSE };
    for (size_t i = 0; i < KP_COUNT(begins); i++)
        ERROR(append(x, begins[i], large), KP_PLAYBOOK, "full");
    for (size_t i = 0; i < KP_COUNT(ends); i++)
        OK(append(x, ends[i], large));
    kp_err *end = NULL;
    while (!end && kp_journal_n(x->j) < 2000)
        end = append(x, KP_K_DONE, large);
    ERROR(end, KP_PLAYBOOK, "full");
}

/* ---- no room ---- */

/* The journal has `whole` records as they were, then, if `paused`, a pause record, and no more. */
static void stands_at(fixture *x, int64_t whole, bool paused)
{
    kp_journal_check c;
    OK(kp_journal_scan(x->a, x->path, &c));
    assert_false(c.torn);
    assert_int_equal(c.records, whole + (paused ? 1 : 0));
    for (int64_t n = 1; n <= whole; n++)
        sample_compare(&c.rec[n - 1], n);
    if (paused) {
        assert_int_equal(c.rec[whole].kind, KP_K_PAUSE);
        assert_string_equal(kp_get_text(c.rec[whole].body, "why", ""), "the disk is full");
    }
    assert_int_equal(kp_journal_n(x->j), c.records);
    assert_string_equal(kp_journal_head(x->j), c.head);
}

static void refuses_more(fixture *x)
{
    int calls = x->f->calls;
    ERROR(sample_append(x->j, 2), KP_PAUSED, "full");
    ERROR(append(x, KP_K_PAUSE, NULL), KP_PAUSED, "full");
    assert_int_equal(x->f->calls, calls);
}

static void no_room_at_all(void **state)
{
    static const int errors[] = { ENOSPC, EDQUOT, EFBIG };
    fixture *x = *state;
    for (size_t i = 0; i < KP_COUNT(errors); i++) {
        start(x, 4);
        assert_true(file_exists(x->reserve));
        x->f->on = ACT_WRITE;
        x->f->nth = x->f->times = 1;
        x->f->err = errors[i];
        ERROR(sample_append(x->j, 5), KP_PAUSED, "full");
        stands_at(x, 4, true);
        assert_false(file_exists(x->reserve));
        refuses_more(x);
        reopen(x);
        assert_true(file_exists(x->reserve));
        OK(append(x, KP_K_SESSION, NULL));
        restart(x);
    }
}

static size_t line_length(fixture *x)
{
    size_t before, after;
    free(file_read(x->path, &before));
    OK(sample_append(x->j, kp_journal_n(x->j) + 1));
    free(file_read(x->path, &after));
    return after - before;
}

/* Every count of bytes that a write may have taken, with and without an errno behind it. */
static void every_short_write(void **state)
{
    fixture *x = *state;
    start(x, 4);
    size_t n = line_length(x);
    restart(x);
    for (size_t cut = 0; cut < n; cut++) {
        start(x, 4);
        x->f->on = ACT_WRITE;
        x->f->nth = x->f->times = 1;
        x->f->cut = (int64_t)cut;
        ERROR(sample_append(x->j, 5), KP_PAUSED, "full");
        stands_at(x, 4, true);
        refuses_more(x);
        restart(x);
    }
}

/* Nor is there room for the pause record: every count of bytes of it. */
static void no_room_for_the_pause_record(void **state)
{
    fixture *x = *state;
    for (int64_t cut = 0; cut < 100; cut++) {
        start(x, 4);
        x->f->on = ACT_WRITE;
        x->f->nth = 1;
        x->f->times = 2;
        x->f->cut = cut;
        x->f->err = cut % 2 ? ENOSPC : 0;
        ERROR(sample_append(x->j, 5), KP_PAUSED, "full");
        stands_at(x, 4, false);
        refuses_more(x);
        reopen(x);
        OK(sample_append(x->j, 5));
        restart(x);
    }
}

static void no_room_for_a_blob(void **state)
{
    static const act acts[] = { ACT_OPEN, ACT_WRITE, ACT_RENAME };
    fixture *x = *state;
    for (size_t i = 0; i < KP_COUNT(acts); i++) {
        start(x, 4);
        x->f->on = acts[i];
        x->f->nth = x->f->times = 1;
        x->f->err = ENOSPC;
        ERROR(append(x, KP_K_READ, long_text(x->a, "r", 100000)), KP_PAUSED, "full");
        stands_at(x, 4, true);
        refuses_more(x);
        reopen(x);
        OK(append(x, KP_K_READ, long_text(x->a, "r", 100000)));
        reopen(x);
        restart(x);
    }
}

/* What is wrong with one file is told, and the run may go on. */
static void a_blob_that_cannot_be_made(void **state)
{
    static const act acts[] = { ACT_OPEN, ACT_RENAME };
    fixture *x = *state;
    for (size_t i = 0; i < KP_COUNT(acts); i++) {
        start(x, 4);
        x->f->on = acts[i];
        x->f->nth = x->f->times = 1;
        x->f->err = EACCES;
        ERROR(append(x, KP_K_READ, long_text(x->a, "r", 100000)), KP_CONFIG, "blobs/");
        stands_at(x, 4, false);
        OK(sample_append(x->j, 5));
        restart(x);
    }
}

/* ---- a disk that fails ---- */

typedef struct failing {
    fixture *x;
    const kp_value *body;
} failing;

static void append_one(void *ud)
{
    failing *c = ud;
    kp_err_drop(append(c->x, KP_K_INTENT, c->body));
}

/* The process ends at once with 1, and its last call to the disk is the one that failed. */
static void failing_disk_ends_the_process(void **state)
{
    static const struct {
        act on;
        int nth, err;
        size_t blob; /* bytes of a result, 0 for a short record */
        bool full;   /* the first write had no room: cutting back is what fails */
    } rows[] = {
        { ACT_WRITE, 1, EIO, 0, false },        { ACT_WRITE, 1, EBADF, 0, false },
        { ACT_SYNC, 1, EIO, 0, false },         { ACT_SYNC, 1, ENOSPC, 0, false },
        { ACT_SYNC, 1, EDQUOT, 0, false },      { ACT_WRITE, 1, EIO, 100000, false },
        { ACT_WRITE, 2, EIO, 100000, false },   { ACT_SYNC, 1, EIO, 100000, false },
        { ACT_SYNC, 2, EIO, 100000, false },    { ACT_SYNC, 3, EIO, 100000, false },
        { ACT_OPEN, 1, EIO, 100000, false },    { ACT_RENAME, 1, EIO, 100000, false },
        { ACT_TRUNCATE, 1, EIO, 0, true },      { ACT_SYNC, 1, EIO, 0, true },
        { ACT_SYNC, 2, EIO, 0, true },          { ACT_WRITE, 2, EIO, 0, true },
        { ACT_SYNC, 3, EIO, 0, true },
    };
    fixture *x = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        start(x, 4);
        x->f->on = rows[i].on;
        x->f->nth = rows[i].nth;
        x->f->times = 1;
        x->f->err = rows[i].err;
        x->f->full = rows[i].full;
        x->f->cut = rows[i].full ? 9 : 0;
        failing c = { x, sample_body(x->a, 5) };
        if (rows[i].blob)
            c.body = long_text(x->a, "r", rows[i].blob);
        int status = in_child(append_one, &c);
        if (!exited(status, 1) || x->f->after_fault != 1)
            fail_msg("row %zu: status %d, %d calls after", i, status, x->f->after_fault - 1);
        restart(x);
    }
}

/* ---- KPLAY_CRASH ---- */

static void append_all(void *ud)
{
    fixture *x = ud;
    kp_journal *j;
    if (sample_create(x->a, &kp_disk_real, x->dir, "s", &j))
        _exit(2);
    for (int64_t n = 2; n <= SAMPLE; n++)
        if (sample_append(j, n))
            _exit(2);
}

static void crash_hook(void **state)
{
    fixture *x = *state;
    for (int64_t n = 1; n <= SAMPLE + 1; n++) {
        for (int torn = 0; torn < 2; torn++) {
            char text[32];
            snprintf(text, sizeof text, "%s:%d", torn ? "torn" : "record", (int)n);
            setenv("KPLAY_CRASH", text, 1);
            int status = in_child(append_all, x);
            unsetenv("KPLAY_CRASH");
            if (n > SAMPLE)
                assert_true(exited(status, 0));
            else
                assert_true(killed(status));
            int64_t whole = n > SAMPLE ? SAMPLE : torn ? n - 1 : n;
            if (whole == 0) {
                assert_false(file_exists(x->path));
            } else {
                kp_journal_check c;
                OK(kp_journal_scan(x->a, x->path, &c));
                assert_int_equal(c.records, whole);
                assert_int_equal(c.torn, torn && n <= SAMPLE);
                reopen(x);
                assert_int_equal(kp_journal_n(x->j), whole);
            }
            restart(x);
        }
    }
}

static void crash_hook_misspelt(void **state)
{
    static const char *const texts[] = { "record", "record:", "record:0", "record:x", "torn:3x",
                                         "rec:3" };
    fixture *x = *state;
    for (size_t i = 0; i < KP_COUNT(texts); i++) {
        setenv("KPLAY_CRASH", texts[i], 1);
        kp_err *err = sample_create(x->a, &x->disk, x->dir, "s", &x->j);
        unsetenv("KPLAY_CRASH");
        ERROR(err, KP_USAGE, texts[i]);
    }
    setenv("KPLAY_CRASH", "record:1", 1); /* journals in memory ignore it */
    kp_journal_free(kp_journal_memory(x->a, sample_time, NULL, NULL, 0));
    unsetenv("KPLAY_CRASH");
}

/* In memory a kill is an answer: from that record on nothing is taken, until it is opened again. */
static void killed_in_memory(void **state)
{
    fixture *x = *state;
    x->j = kp_journal_memory(x->a, sample_time, NULL, NULL, 0);
    kp_journal_kill_after(x->j, 3);
    OK(append(x, KP_K_NOTE, NULL));
    assert_false(kp_journal_killed(x->j));
    ERROR(append(x, KP_K_NOTE, NULL), KP_PAUSED, "killed after record 3");
    assert_true(kp_journal_killed(x->j));
    ERROR(append(x, KP_K_CLOSE, NULL), KP_PAUSED, "killed after record 3");
    assert_int_equal(kp_journal_n(x->j), 3);
    assert_int_equal(kp_journal_at(x->j, 3)->kind, KP_K_NOTE);
    kp_journal_kill_after(x->j, 0);
    OK(append(x, KP_K_CLOSE, NULL));
    assert_int_equal(kp_journal_n(x->j), 4);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(memory_and_disk_agree),
        T(one_write_and_one_sync_a_record),
        T(goes_on_where_it_was),
        T(bodies_that_are_bugs),
        T(long_lines),
        T(long_results_go_to_a_blob),
        T(a_blob_is_on_disk_before_its_record),
        T(full_journal),
        T(no_room_at_all),
        T(every_short_write),
        T(no_room_for_the_pause_record),
        T(no_room_for_a_blob),
        T(a_blob_that_cannot_be_made),
        T(failing_disk_ends_the_process),
        T(crash_hook),
        T(crash_hook_misspelt),
        T(killed_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
