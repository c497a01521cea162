/* A run's directory: made whole or not at all, opened by one process, repaired; and what is left of
 * it when kplay is killed, or the power cut, at every single call to the disk. */
#include "with_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/inside.h"

typedef struct fixture {
    char *dir;
    fault *f;
    kp_disk disk;
    kp_arena *a;
} fixture;

static int set_up(void **state)
{
    fixture *x = calloc(1, sizeof *x);
    x->dir = dir_new();
    x->f = fault_new();
    x->disk = fault_disk(x->f);
    x->a = kp_arena_new("test", (size_t)256 << 20);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    fixture *x = *state;
    kp_arena_free(x->a);
    fault_free(x->f);
    dir_free(x->dir);
    free(x);
    return 0;
}

static void restart(fixture *x)
{
    dir_free(x->dir);
    x->dir = dir_new();
    fault_reset(x->f);
    kp_arena_reset(x->a);
}

static const char *in(fixture *x, const char *name)
{
    return kp_printf(x->a, "%s/%s", x->dir, name);
}

static int count(const char *dir)
{
    int n = 0;
    DIR *list = opendir(dir);
    while (list && readdir(list))
        n++;
    if (list)
        closedir(list);
    return n - 2;
}

/* ---- make ---- */

static void made_whole(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    const char *runs = in(x, "state/kplay/orders-prod");
    OK(sample_create(x->a, &x->disk, runs, "1122-7f3a", &j));
    assert_string_equal(kp_journal_run(j), "1122-7f3a");
    assert_string_equal(kp_journal_dir(j), in(x, "state/kplay/orders-prod/1122-7f3a"));
    assert_int_equal(kp_journal_n(j), 1);
    assert_int_equal(count(runs), 1);
    assert_int_equal(count(kp_journal_dir(j)), 5);
    struct stat st;
    assert_int_equal(stat(kp_printf(x->a, "%s/reserve", kp_journal_dir(j)), &st), 0);
    assert_int_equal(st.st_size, 64 * 1024);
    assert_true(st.st_blocks * 512 >= 64 * 1024);
    const kp_value *body = kp_journal_at(j, 1)->body;
    assert_int_equal(kp_get_int(body, "fmt", 0), 1);
    assert_string_equal(kp_get_text(body, "run", ""), "1122-7f3a");
    assert_int_equal(kp_len(kp_get(body, "sources")), 2);
    kp_journal_free(j);
    ERROR(sample_create(x->a, &x->disk, runs, "1122-7f3a", &j), KP_REFUSED, "already");
}

static void names(void **state)
{
    static const struct {
        const char *name;
        bool good;
    } rows[] = {
        { "1122-7f3a", true }, { "a", true },      { "a.b_C-9", true }, { "a.tmpx", true },
        { "", false },         { ".a", false },    { "..", false },     { "a/b", false },
        { "a.tmp", false },    { "a b", false },   { "a\n", false },    { "gr\xc3\xb6n", false },
    };
    fixture *x = *state;
    kp_journal *j;
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_int_equal(kp_run_name_ok(rows[i].name), rows[i].good);
    char name[KP_RUN_NAME_LIMIT + 2];
    memset(name, 'a', sizeof name);
    name[KP_RUN_NAME_LIMIT + 1] = '\0';
    assert_false(kp_run_name_ok(name));
    name[KP_RUN_NAME_LIMIT] = '\0';
    assert_true(kp_run_name_ok(name));
    ERROR(sample_create(x->a, &x->disk, x->dir, "../x", &j), KP_USAGE, "../x");
    ERROR(kp_journal_open(x->a, &x->disk, x->dir, "../x", &j), KP_USAGE, "../x");
    assert_int_equal(x->f->calls, 0);
}

static void no_such_run(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    ERROR(kp_journal_open(x->a, &x->disk, x->dir, "s", &j), KP_USAGE, "no run s");
    ERROR(kp_journal_open(x->a, &x->disk, in(x, "absent"), "s", &j), KP_USAGE, "no run s");
    assert_int_equal(count(x->dir), 0);
}

static void too_long_to_start(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    char *text = kp_alloc(x->a, KP_SOURCE_LIMIT + 2);
    memset(text, 'm', KP_SOURCE_LIMIT + 1);
    const kp_source source = { "big.lua", text, KP_SOURCE_LIMIT + 1 };
    ERROR(kp_journal_create(x->a, &x->disk, x->dir, "s", sample_time, NULL, &source, 1, &j),
          KP_PLAYBOOK, "big.lua");
    const kp_value *body = kp_map(x->a, "m", kp_bytes(x->a, text, KP_RECORD_LIMIT), NULL);
    ERROR(kp_journal_create(x->a, &x->disk, x->dir, "s", sample_time, body, NULL, 0, &j),
          KP_PLAYBOOK, "open record");
    assert_int_equal(count(x->dir), 0);
}

/* Whatever has no room while a run is made: there is no run and nothing half made. */
static void no_room_to_make(void **state)
{
    static const act acts[] = { ACT_OPEN, ACT_WRITE, ACT_RENAME };
    fixture *x = *state;
    kp_log_set_level(KP_LOG_ERROR);
    for (size_t i = 0; i < KP_COUNT(acts); i++) {
        int refused = 0;
        for (int nth = 1;; nth++) {
            kp_journal *j;
            x->f->on = acts[i];
            x->f->nth = nth;
            x->f->times = 1;
            x->f->err = ENOSPC;
            kp_err *err = sample_create(x->a, &x->disk, x->dir, "s", &j);
            bool fault_met = x->f->after_fault > 0;
            if (!err) { /* no fault, or a run without a reserve */
                assert_int_equal(kp_journal_n(j), 1);
                kp_journal_free(j);
                OK(kp_journal_open(x->a, &kp_disk_real, x->dir, "s", &j));
                kp_journal_free(j);
            } else {
                ERROR(err, KP_CONFIG, x->dir);
                assert_int_equal(count(x->dir), 0);
                refused++;
            }
            restart(x);
            if (!fault_met)
                break;
        }
        assert_true(refused >= 3);
    }
    kp_log_set_level(KP_LOG_WARN);
}

static void failed_rename(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    x->f->on = ACT_RENAME;
    x->f->nth = 3; /* two sources, then the directory */
    x->f->times = 1;
    x->f->err = EACCES;
    ERROR(sample_create(x->a, &x->disk, x->dir, "s", &j), KP_CONFIG, "cannot be renamed");
    assert_int_equal(count(x->dir), 0);
    fault_reset(x->f);
    OK(sample_create(x->a, &x->disk, x->dir, "s", &j));
    kp_journal_free(j);
}

static void create_it(void *ud)
{
    fixture *x = ud;
    kp_journal *j;
    kp_err_drop(sample_create(x->a, &x->disk, x->dir, "s", &j));
}

static void failing_sync_while_made(void **state)
{
    fixture *x = *state;
    int ended = 0;
    for (int nth = 1;; nth++) {
        x->f->on = ACT_SYNC;
        x->f->nth = nth;
        x->f->times = 1;
        x->f->err = EIO;
        int status = in_child(create_it, x);
        bool fault_met = x->f->after_fault > 0;
        if (fault_met) {
            assert_true(exited(status, 1));
            assert_int_equal(x->f->after_fault, 1);
            ended++;
        }
        restart(x);
        if (!fault_met)
            break;
    }
    assert_true(ended >= 7); /* two sources, their folder, reserve, journal, .tmp, runs */
}

/* ---- what a killed kplay left ---- */

static void leftovers(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    struct { const char *name; bool lock, old, stays; const char *strange; } rows[] = {
        { "dead.tmp", true, false, false, NULL },
        { "young.tmp", false, false, true, NULL },
        { "old.tmp", false, true, false, NULL },
        { "alive.tmp", true, true, true, NULL },
        { "strange.tmp", true, true, true, "photo.jpg" },
        { "s.tmp", false, false, false, NULL }, /* the name that is made now */
    };
    int alive = -1;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *dir = in(x, rows[i].name);
        assert_int_equal(mkdir(dir, 0700), 0);
        if (rows[i].lock)
            file_write(kp_printf(x->a, "%s/lock", dir), "", 0);
        if (rows[i].strange)
            file_write(kp_printf(x->a, "%s/%s", dir, rows[i].strange), "x", 1);
        if (strcmp(rows[i].name, "dead.tmp") == 0) {
            assert_int_equal(mkdir(kp_printf(x->a, "%s/sources", dir), 0700), 0);
            assert_int_equal(mkdir(kp_printf(x->a, "%s/blobs", dir), 0700), 0);
            const char *sha = kp_sha256_hex(x->a, "x", 1);
            file_write(kp_printf(x->a, "%s/sources/%s", dir, sha), "x", 1);
            file_write(kp_printf(x->a, "%s/sources/%s.tmp", dir, sha), "x", 1);
            file_write(kp_printf(x->a, "%s/journal.jsonl", dir), "{\"n\":", 5);
            file_write(kp_printf(x->a, "%s/reserve", dir), "", 0);
        }
        if (strcmp(rows[i].name, "alive.tmp") == 0)
            OK(kp_lock_take(kp_printf(x->a, "%s/lock", dir), "", "run alive", &alive));
        const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
        if (rows[i].old)
            assert_int_equal(utimensat(AT_FDCWD, dir, times, 0), 0);
    }
    file_write(in(x, "file.tmp"), "x", 1);
    OK(sample_create(x->a, &kp_disk_real, x->dir, "s", &j));
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        if (file_exists(in(x, rows[i].name)) != rows[i].stays)
            fail_msg("%s", rows[i].name);
    assert_true(file_exists(in(x, "strange.tmp/photo.jpg")));
    assert_true(file_exists(in(x, "file.tmp")));
    kp_lock_drop(alive);
    kp_journal_free(j);
}

static void made_twice_at_once(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    int fd;
    assert_int_equal(mkdir(in(x, "s.tmp"), 0700), 0);
    OK(kp_lock_take(in(x, "s.tmp/lock"), "", "run s", &fd));
    ERROR(sample_create(x->a, &x->disk, x->dir, "s", &j), KP_REFUSED, "makes this run");
    assert_true(file_exists(in(x, "s.tmp/lock")));
    kp_lock_drop(fd);
}

/* ---- torn tails ---- */

/* A closed run "s" of n records with `tail` behind them. */
static void make_torn(fixture *x, int64_t n, const char *tail)
{
    kp_journal *j;
    OK(sample_create(x->a, &x->disk, x->dir, "s", &j));
    for (int64_t i = 2; i <= n; i++)
        OK(sample_append(j, i));
    kp_journal_free(j);
    fault_reset(x->f);
    FILE *file = fopen(in(x, "s/journal.jsonl"), "a");
    assert_non_null(file);
    fputs(tail, file);
    fclose(file);
}

static bool holds(fixture *x, const char *name, const char *text)
{
    size_t n;
    char *p = file_read(in(x, name), &n);
    bool yes = p && n == strlen(text) && memcmp(p, text, n) == 0;
    free(p);
    return yes;
}

static void torn_tail_is_saved_and_cut(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    make_torn(x, 4, "{\"n\":5,\"t\":\"20");
    for (int again = 0; again < 2; again++) {
        OK(kp_journal_open(x->a, &x->disk, x->dir, "s", &j));
        assert_int_equal(kp_journal_n(j), 4);
        assert_non_null(kp_journal_at(j, 4));
        kp_journal_free(j);
        assert_true(holds(x, "s/torn.0", "{\"n\":5,\"t\":\"20"));
        assert_false(file_exists(in(x, "s/torn.1")));
    }
    FILE *file = fopen(in(x, "s/journal.jsonl"), "a");
    fputs("another", file);
    fclose(file);
    OK(kp_journal_open(x->a, &x->disk, x->dir, "s", &j));
    OK(sample_append(j, 5));
    kp_journal_free(j);
    assert_true(holds(x, "s/torn.1", "another"));
    OK(kp_journal_open(x->a, &x->disk, x->dir, "s", &j));
    assert_int_equal(kp_journal_n(j), 5);
    for (int64_t n = 1; n <= 5; n++)
        sample_compare(kp_journal_at(j, n), n);
    kp_journal_free(j);
}

static void looked_at_only(void **state)
{
    fixture *x = *state;
    kp_journal *j, *held;
    size_t n, m;
    make_torn(x, 4, "{\"n\":5,\"t\":\"20");
    char *before = file_read(in(x, "s/journal.jsonl"), &n);
    int files = count(in(x, "s"));
    OK(kp_journal_look(x->a, x->dir, "s", &j));
    assert_int_equal(kp_journal_n(j), 4);
    assert_non_null(kp_journal_at(j, 4));
    ERROR(kp_journal_append(j, KP_K_NOTE, sample_time, kp_map(x->a, NULL)), KP_INTERNAL,
          "only looked at");
    char *after = file_read(in(x, "s/journal.jsonl"), &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    assert_int_equal(count(in(x, "s")), files);
    kp_journal_free(j);
    free(before);
    free(after);
    /* Beside the process that works on it, and of nothing. */
    OK(kp_journal_open(x->a, &x->disk, x->dir, "s", &held));
    OK(kp_journal_look(x->a, x->dir, "s", &j));
    kp_journal_free(j);
    kp_journal_free(held);
    ERROR(kp_journal_look(x->a, x->dir, "none", &j), KP_USAGE, "there is no run none here");
}

static void torn_tail_without_room_to_save_it(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    make_torn(x, 4, "torn");
    x->f->on = ACT_WRITE;
    x->f->nth = x->f->times = 1;
    x->f->err = ENOSPC;
    ERROR(kp_journal_open(x->a, &x->disk, x->dir, "s", &j), KP_PAUSED, "No space left");
    assert_false(file_exists(in(x, "s/torn.0")));
    fault_reset(x->f);
    OK(kp_journal_open(x->a, &x->disk, x->dir, "s", &j));
    assert_true(holds(x, "s/torn.0", "torn"));
    kp_journal_free(j);
}

static void torn_first_record(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    make_torn(x, 1, "");
    file_write(in(x, "s/journal.jsonl"), "{\"n\":1,", 7);
    for (int again = 0; again < 2; again++) {
        ERROR(kp_journal_open(x->a, &x->disk, x->dir, "s", &j), KP_REFUSED, "never started");
        assert_true(holds(x, "s/torn.0", "{\"n\":1,"));
    }
}

static void damaged_run(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    size_t n;
    make_torn(x, 6, "");
    char *p = file_read(in(x, "s/journal.jsonl"), &n);
    char *third = strstr(p, "{\"n\":3");
    third[20] ^= 1;
    file_write(in(x, "s/journal.jsonl"), p, n);
    ERROR(kp_journal_open(x->a, &x->disk, x->dir, "s", &j), KP_REFUSED, "journal.jsonl:3");
    size_t now;
    char *q = file_read(in(x, "s/journal.jsonl"), &now); /* not touched */
    assert_int_equal(now, n);
    assert_memory_equal(p, q, n);
    assert_int_equal(x->f->of[ACT_WRITE] + x->f->of[ACT_TRUNCATE], 0);
    free(p);
    free(q);
}

static void copied_run(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    make_torn(x, 3, "");
    assert_int_equal(rename(in(x, "s"), in(x, "t")), 0);
    ERROR(kp_journal_open(x->a, &x->disk, x->dir, "t", &j), KP_REFUSED, "of run s");
}

/* ---- killed at every call ---- */

enum { STEPS = 7, LONG_RESULT = 70000 };

static const kp_value *long_result(kp_arena *a)
{
    char *p = kp_alloc(a, LONG_RESULT);
    memset(p, 'r', LONG_RESULT);
    return kp_map(a, "r", kp_bytes(a, p, LONG_RESULT), NULL);
}

/* Records 2 to STEPS; the last has a blob. */
static kp_err *go_on(fixture *x, kp_journal *j)
{
    while (kp_journal_n(j) < STEPS) {
        int64_t n = kp_journal_n(j) + 1;
        if (n < STEPS)
            KP_TRY(sample_append(j, n));
        else
            KP_TRY(kp_journal_append(j, KP_K_READ, sample_time + n, long_result(x->a)));
        x->f->acked = (int)n;
    }
    return NULL;
}

static void whole_life(void *ud)
{
    fixture *x = ud;
    kp_journal *j;
    kp_err *err = sample_create(x->a, &x->disk, x->dir, "s", &j);
    if (!err) {
        x->f->acked = 1;
        err = go_on(x, j);
    }
    _exit(err ? 2 : 0);
}

static void second_life(void *ud)
{
    fixture *x = ud;
    kp_journal *j;
    kp_err *err = kp_journal_open(x->a, &x->disk, x->dir, "s", &j);
    if (!err)
        err = go_on(x, j);
    _exit(err ? 2 : 0);
}

/* What was acknowledged is there, equal; nothing else but perhaps the next record; it goes on. */
static void survived(fixture *x, int call, moment when, bool cut)
{
    kp_journal *j;
    int acked = x->f->acked;
    fault_reset(x->f);
    kp_err *err = kp_journal_open(x->a, &x->disk, x->dir, "s", &j);
    if (err && acked == 0) { /* it was never told to exist: make it anew */
        ERROR(err, KP_USAGE, "no run");
        OK(sample_create(x->a, &x->disk, x->dir, "s", &j));
        assert_int_equal(count(x->dir), 1);
    } else if (err) {
        print_error("killed at call %d (%d), power cut %d, %d acknowledged\n", call, (int)when, cut,
                    acked);
        OK(err);
    }
    int64_t n = kp_journal_n(j);
    if (n < acked || n > acked + 1)
        fail_msg("killed at call %d (%d), power cut %d: %lld records, %d acknowledged", call,
                 (int)when, cut, (long long)n, acked);
    for (int64_t i = 1; i <= n && i < STEPS; i++)
        sample_compare(kp_journal_at(j, i), i);
    if (n == STEPS)
        assert_true(kp_value_equal(kp_journal_at(j, n)->body, long_result(x->a)));
    OK(go_on(x, j));
    kp_journal_free(j);
    OK(kp_journal_open(x->a, &x->disk, x->dir, "s", &j));
    assert_int_equal(kp_journal_n(j), STEPS);
    kp_journal_free(j);
}

/* prepare makes what life finds; both lives are cut short at each of their calls. */
static int sweep(fixture *x, void (*prepare)(fixture *x), void (*life)(void *ud),
                 void (*check)(fixture *x))
{
    if (prepare)
        prepare(x);
    fault_reset(x->f);
    assert_true(exited(in_child(life, x), 0));
    int calls = x->f->calls;
    for (int call = 1; call <= calls; call++) {
        for (int variant = 0; variant < 2 * MOMENTS; variant++) {
            moment when = (moment)(variant / 2);
            bool cut = variant % 2;
            restart(x);
            if (prepare)
                prepare(x);
            fault_reset(x->f);
            x->f->kill_at = call;
            x->f->when = when;
            assert_true(killed(in_child(life, x)));
            if (cut)
                power_cut(x->f);
            if (check)
                check(x);
            survived(x, call, when, cut);
        }
    }
    return calls;
}

static void killed_at_every_call_of_a_new_run(void **state)
{
    int calls = sweep(*state, NULL, whole_life, NULL);
    assert_in_range(calls, 30, 100);
}

static void append_fourth(void *ud)
{
    kp_err_drop(sample_append(ud, 4));
}

/* A last record that only the memory of the machine had is on disk before it is acted upon. */
static void what_was_read_is_on_disk(void **state)
{
    fixture *x = *state;
    kp_journal *j;
    OK(sample_create(x->a, &x->disk, x->dir, "s", &j));
    OK(sample_append(j, 2));
    OK(sample_append(j, 3));
    x->f->kill_at = x->f->calls + 1;
    x->f->when = AFTER;
    assert_true(killed(in_child(append_fourth, j)));
    kp_journal_free(j);
    x->f->kill_at = 0;
    OK(kp_journal_open(x->a, &x->disk, x->dir, "s", &j));
    assert_int_equal(kp_journal_n(j), 4);
    kp_journal_free(j);
    power_cut(x->f);
    OK(kp_journal_open(x->a, &x->disk, x->dir, "s", &j));
    assert_int_equal(kp_journal_n(j), 4);
    kp_journal_free(j);
}

#define TAIL "{\"n\":4,\"t\":\"2026-11"

static void three_and_a_torn(fixture *x)
{
    make_torn(x, 3, TAIL);
}

/* Of a journal that was cut, the tail is in a file of its own. */
static void nothing_is_cut_unsaved(fixture *x)
{
    if (x->f->acked == 0)
        x->f->acked = 3;
    size_t n;
    char *p = file_read(in(x, "s/journal.jsonl"), &n);
    bool there = n >= strlen(TAIL) && strcmp(p + n - strlen(TAIL), TAIL) == 0;
    free(p);
    assert_true(there || holds(x, "s/torn.0", TAIL));
}

static void killed_at_every_call_of_a_resumed_run(void **state)
{
    int calls = sweep(*state, three_and_a_torn, second_life, nothing_is_cut_unsaved);
    assert_in_range(calls, 15, 60);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(made_whole),
        T(names),
        T(no_such_run),
        T(too_long_to_start),
        T(no_room_to_make),
        T(failed_rename),
        T(failing_sync_while_made),
        T(leftovers),
        T(made_twice_at_once),
        T(torn_tail_is_saved_and_cut),
        T(looked_at_only),
        T(torn_tail_without_room_to_save_it),
        T(torn_first_record),
        T(damaged_run),
        T(copied_run),
        T(what_was_read_is_on_disk),
        T(killed_at_every_call_of_a_new_run),
        T(killed_at_every_call_of_a_resumed_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
