/* The lowest layer: the real disk, directories made and synced, file systems that are not fit. */
#include "with_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal/inside.h"

static void unfit_file_systems(void **state)
{
    static const struct {
        uint64_t type;
        const char *name;
    } rows[] = {
        { 0x6969, "NFS" },          { 0xff534d42, "CIFS" }, { 0xfe534d42, "SMB" },
        { 0x517b, "SMB" },          { 0x65735546, "FUSE" }, { 0xffffffffff534d42, "CIFS" },
        { 0xef53, NULL /* ext4 */ }, { 0x58465342, NULL /* XFS */ },
        { 0x9123683e, NULL /* Btrfs */ }, { 0x01021994, NULL /* tmpfs */ },
        { 0x794c7630, NULL /* overlay */ },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_true(kp_streq(kp_disk_unfit(rows[i].type), rows[i].name));
}

/* Every directory made is synced in the one above, which is made and synced first. */
static void directories(void **state)
{
    (void)state;
    char *dir = dir_new();
    fault *f = fault_new();
    kp_disk disk = fault_disk(f);
    KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
    static const struct {
        const char *path;
        int syncs; /* one for each that was not there */
    } rows[] = { { "", 0 }, { "a", 1 }, { "a/b/c", 2 }, { "a/b/c", 0 }, { "d//e/", 2 } };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *path = kp_printf(a, "%s/%s", dir, rows[i].path);
        struct stat st;
        fault_reset(f);
        OK(kp_disk_make_dirs(&disk, path));
        assert_int_equal(f->of[ACT_SYNC], rows[i].syncs);
        assert_int_equal(stat(path, &st), 0);
        assert_true(S_ISDIR(st.st_mode));
    }
    file_write(kp_printf(a, "%s/file", dir), "x", 1);
    ERROR(kp_disk_make_dirs(&disk, kp_printf(a, "%s/file", dir)), KP_CONFIG, "cannot be made");
    ERROR(kp_disk_make_dirs(&disk, kp_printf(a, "%s/file/a", dir)), KP_CONFIG, "cannot be made");
    ERROR(kp_disk_make_dirs(&disk, ""), KP_CONFIG, "cannot be made");
    fault_free(f);
    dir_free(dir);
}

static void the_real_disk(void **state)
{
    (void)state;
    char *dir = dir_new();
    KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
    const kp_disk *d = &kp_disk_real;
    const char *path = kp_printf(a, "%s/x", dir), *other = kp_printf(a, "%s/y", dir);
    OK(kp_disk_file(d, path, O_WRONLY | O_CREAT | O_EXCL, "abc", 3));
    ERROR(kp_disk_file(d, path, O_WRONLY | O_CREAT | O_EXCL, "abc", 3), KP_CONFIG, "File exists");
    int fd = d->open(d->ud, path, O_WRONLY | O_APPEND, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(kp_disk_put(d, fd, path, "def", 3));
    kp_disk_cut(d, fd, path, 4);
    close(fd);
    OK(kp_disk_rename(d, path, other));
    ERROR(kp_disk_rename(d, path, other), KP_CONFIG, "cannot be renamed");
    OK(kp_disk_sync_dir(d, dir));
    ERROR(kp_disk_sync_dir(d, path), KP_CONFIG, "cannot be opened");
    size_t n;
    char *p = file_read(other, &n);
    assert_int_equal(n, 4);
    assert_memory_equal(p, "abcd", 4);
    free(p);
    for (size_t limit = 3; limit < 6; limit++) {
        KP_AUTO_BUF b = KP_BUF_INIT(limit);
        KP_AUTO_FD in = open(other, O_RDONLY | O_CLOEXEC);
        kp_err *err = kp_disk_read(in, other, &b);
        if (limit < 4)
            ERROR(err, KP_REFUSED, "longer than 3 bytes");
        else
            OK(err);
    }
    assert_int_equal(d->unlink(d->ud, other), 0);
    OK(kp_disk_fit(dir));
    ERROR(kp_disk_fit(other), KP_CONFIG, "cannot be looked at");
    dir_free(dir);
}

/* /dev/full has no room, whatever one asks of it. */
static void a_really_full_device(void **state)
{
    (void)state;
    KP_AUTO_FD fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_false(kp_disk_put(&kp_disk_real, fd, "/dev/full", "abc", 3));
    assert_int_equal(errno, ENOSPC);
}

typedef struct replaced {
    fault *f;
    const char *path;
} replaced;

static void replace_it(void *ud)
{
    const replaced *x = ud;
    kp_disk d = fault_disk(x->f);
    kp_err *e = kp_disk_replace(&d, x->path, "new", 3);
    exit(e ? 9 : 0);
}

/* Killed at any call, and the power cut: it is the old one or the new one, and once that was said, the
 * new one. */
static void a_replaced_file_is_whole_or_as_it_was(void **state)
{
    char *dir = dir_new();
    fault *f = fault_new();
    KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
    replaced x = { f, kp_printf(a, "%s/x", dir) };
    bool done = false;
    int tried = 0;
    (void)state;
    for (int call = 1; !done; call++)
        for (moment when = BEFORE; when < MOMENTS; when++) {
            size_t n;
            file_write(x.path, "old", 3);
            fault_reset(f);
            f->kill_at = call;
            f->when = when;
            done = exited(in_child(replace_it, &x), 0);
            power_cut(f);
            char *p = file_read(x.path, &n);
            /* Not there: the rename was taken back, and this disk forgets what it had replaced. */
            assert_true(p ? strcmp(p, "new") == 0 || (!done && strcmp(p, "old") == 0) : !done);
            free(p);
            tried++;
        }
    assert_true(tried > 12);
    fault_reset(f);
    kp_disk d = fault_disk(f);
    ERROR(kp_disk_replace(&d, dir, "new", 3), KP_CONFIG, "cannot be renamed");
    ERROR(kp_disk_replace(&d, kp_printf(a, "%s/none/x", dir), "new", 3), KP_CONFIG,
          "cannot be made");
    f->on = ACT_WRITE;
    f->nth = f->of[ACT_WRITE] + 1;
    f->times = 1;
    f->err = ENOSPC;
    ERROR(kp_disk_replace(&d, x.path, "other", 5), KP_PAUSED, "no room");
    assert_false(file_exists(kp_printf(a, "%s.kplay-tmp", x.path)));
    fault_free(f);
    dir_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unfit_file_systems),
        cmocka_unit_test(directories),
        cmocka_unit_test(the_real_disk),
        cmocka_unit_test(a_really_full_device),
        cmocka_unit_test(a_replaced_file_is_whole_or_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
