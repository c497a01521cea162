/* Source texts beside the journal: kept once, found by name, never taken for what they are not. */
#include "with_disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "journal/inside.h"

static const kp_source first[] = {
    { "rolling.lua", "return 1\n", 9 },
    { "gate", "-- same\n", 8 },
    { "order", "-- same\n", 8 },
    { "empty", "", 0 },
    { "bytes", "a\0b", 3 },
};
static const kp_source second[] = {
    { "rolling.lua", "return 2\n", 9 },
    { "new", "-- new\n", 7 },
};

static kp_err *create(kp_arena *a, const kp_disk *d, const char *dir, kp_journal **ret_j)
{
    return kp_journal_create(a, d, dir, "s", sample_time, NULL, first, KP_COUNT(first), ret_j);
}

static void has(const kp_journal *j, const char *name, const char *text, size_t n)
{
    KP_AUTO_ARENA a = kp_arena_new("test", 4u << 20);
    const char *got = "?";
    size_t got_n = 99;
    OK(kp_journal_source(a, j, name, &got, &got_n));
    if (!text) {
        assert_null(got);
        return;
    }
    assert_non_null(got);
    assert_int_equal(got_n, n);
    assert_memory_equal(got, text, n);
    assert_int_equal(got[n], 0);
}

static void has_first(const kp_journal *j)
{
    for (size_t i = 0; i < KP_COUNT(first); i++)
        has(j, first[i].name, first[i].text, first[i].n);
    has(j, "new", NULL, 0);
}

static void has_second(const kp_journal *j)
{
    has(j, "rolling.lua", "return 2\n", 9);
    has(j, "new", "-- new\n", 7);
    has(j, "gate", "-- same\n", 8);
}

/* The same in memory, in a new run, and in one that was opened again. */
static void change(kp_journal *j)
{
    KP_AUTO_ARENA a = kp_arena_new("test", 4u << 20);
    const kp_value *map = NULL;
    has_first(j);
    OK(kp_journal_keep(a, j, second, KP_COUNT(second), &map));
    has_first(j); /* until the record is there */
    OK(kp_journal_append(j, KP_K_NOTE, sample_time, kp_map(a, "sources", map, NULL)));
    has_first(j); /* only change records change */
    OK(kp_journal_append(j, KP_K_CHANGE, sample_time, kp_map(a, "sources", map, NULL)));
    has_second(j);
}

static void kept_by_name(void **state)
{
    (void)state;
    char *dir = dir_new();
    KP_AUTO_ARENA a = kp_arena_new("test", 4u << 20);
    kp_journal *j = kp_journal_memory(a, sample_time, NULL, first, KP_COUNT(first));
    change(j);
    kp_journal_free(j);
    OK(create(a, &kp_disk_real, dir, &j));
    kp_journal_free(j);
    OK(kp_journal_open(a, &kp_disk_real, dir, "s", &j));
    change(j);
    kp_journal_free(j);
    OK(kp_journal_open(a, &kp_disk_real, dir, "s", &j));
    has_second(j);
    kp_journal_free(j);
    dir_free(dir);
}

static void changed_or_gone(void **state)
{
    (void)state;
    char *dir = dir_new(), path[PATH_SIZE];
    KP_AUTO_ARENA a = kp_arena_new("test", 4u << 20);
    kp_journal *j;
    const char *text = NULL;
    size_t n = 0;
    OK(create(a, &kp_disk_real, dir, &j));
    snprintf(path, sizeof path, "%s/s/sources/%s", dir, kp_sha256_hex(a, "return 1\n", 9));
    file_write(path, "return 3\n", 9);
    ERROR(kp_journal_source(a, j, "rolling.lua", &text, &n), KP_REFUSED, "changed after");
    remove(path);
    ERROR(kp_journal_source(a, j, "rolling.lua", &text, &n), KP_REFUSED, "cannot be opened");
    assert_null(text);
    has(j, "gate", "-- same\n", 8);
    kp_journal_free(j);
    dir_free(dir);
}

static void errors_change_nothing(void **state)
{
    static const struct {
        act on;
        int err;
        kp_class cls;
    } rows[] = {
        { ACT_OPEN, ENOSPC, KP_PAUSED },   { ACT_OPEN, EACCES, KP_CONFIG },
        { ACT_WRITE, ENOSPC, KP_PAUSED },  { ACT_WRITE, 0, KP_PAUSED },
        { ACT_RENAME, ENOSPC, KP_PAUSED }, { ACT_RENAME, EACCES, KP_CONFIG },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        char *dir = dir_new();
        fault *f = fault_new();
        kp_disk disk = fault_disk(f);
        KP_AUTO_ARENA a = kp_arena_new("test", 4u << 20);
        kp_journal *j;
        const kp_value *map = NULL;
        OK(create(a, &disk, dir, &j));
        fault_reset(f);
        f->on = rows[i].on;
        f->nth = f->times = 1;
        f->err = rows[i].err;
        f->cut = 3;
        ERROR(kp_journal_keep(a, j, second, KP_COUNT(second), &map), rows[i].cls, "sources/");
        assert_null(map);
        OK(kp_journal_keep(a, j, second, KP_COUNT(second), &map)); /* again, now with room */
        OK(kp_journal_append(j, KP_K_CHANGE, sample_time, kp_map(a, "sources", map, NULL)));
        has_second(j);
        kp_journal_free(j);
        fault_free(f);
        dir_free(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_by_name),
        cmocka_unit_test(changed_or_gone),
        cmocka_unit_test(errors_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
