/* disk: the real disk, and the one way anything of a run is put on a disk.
 *
 * There are three outcomes and no fourth: it is whole and synced; there was no room, which a person
 * can mend; or the process ends.  After a failed fsync Linux marks the pages clean, so that the
 * next fsync reports success with the data lost; and after a failed write nobody knows what is
 * there.  The only sound answer is to stop at once, never to try again, and to read everything anew
 * at the next start.
 *
 * What blocks here: write, fsync, fdatasync and their kin, for as long as the disk takes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "journal/inside.h"

static int real_open(void *ud, const char *path, int flags, int mode)
{
    (void)ud;
    return open(path, flags | O_CLOEXEC, mode);
}

static int64_t real_write(void *ud, int fd, const void *p, size_t n)
{
    (void)ud;
    return write(fd, p, n);
}

static int real_sync(void *ud, int fd)
{
    (void)ud;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -1;
    return S_ISDIR(st.st_mode) ? fsync(fd) : fdatasync(fd);
}

static int real_rename(void *ud, const char *from, const char *to)
{
    (void)ud;
    return rename(from, to);
}

static int real_truncate(void *ud, int fd, int64_t size)
{
    (void)ud;
    return ftruncate(fd, size);
}

static int real_unlink(void *ud, const char *path)
{
    (void)ud;
    return unlink(path);
}

const kp_disk kp_disk_real = {
    .open = real_open,
    .write = real_write,
    .sync = real_sync,
    .rename = real_rename,
    .truncate = real_truncate,
    .unlink = real_unlink,
};

void kp_fd_auto_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static KP_NORETURN void end(const char *act, const char *path)
{
    kp_die("cannot %s %s: %s; what is on that disk is not known, so nothing more is done; "
           "when the disk is well again, the run can be resumed",
           act, path, strerror(errno));
}

void kp_disk_sync(const kp_disk *d, int fd, const char *path)
{
    if (d->sync(d->ud, fd) != 0)
        end("sync", path);
}

bool kp_disk_put(const kp_disk *d, int fd, const char *path, const void *p, size_t n)
{
    int64_t done;
    do {
        done = d->write(d->ud, fd, p, n);
    } while (done < 0 && errno == EINTR); /* a write that was interrupted wrote nothing */
    if (done < 0 && errno != ENOSPC && errno != EDQUOT && errno != EFBIG)
        end("write", path);
    if (done < 0)
        return false;
    if ((size_t)done < n) {
        errno = ENOSPC;
        return false;
    }
    kp_disk_sync(d, fd, path);
    return true;
}

void kp_disk_cut(const kp_disk *d, int fd, const char *path, int64_t size)
{
    if (d->truncate(d->ud, fd, size) != 0)
        end("cut", path);
    kp_disk_sync(d, fd, path);
}

static kp_err *no_room(const char *path)
{
    return kp_err_at(kp_err_new(KP_PAUSED, "make room on that disk", "no room: %s",
                                strerror(errno)),
                     "%s", path);
}

kp_err *kp_disk_file(const kp_disk *d, const char *path, int flags, const void *p, size_t n)
{
    KP_AUTO_FD fd = d->open(d->ud, path, flags, 0666);
    if (fd < 0 && errno == EIO)
        end("make", path);
    if (fd < 0 && (errno == ENOSPC || errno == EDQUOT))
        return no_room(path);
    if (fd < 0)
        return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may write there",
                                    "cannot be made: %s", strerror(errno)),
                         "%s", path);
    if (kp_disk_put(d, fd, path, p, n))
        return NULL;
    kp_err *err = no_room(path);
    d->unlink(d->ud, path);
    return err;
}

kp_err *kp_disk_rename(const kp_disk *d, const char *from, const char *to)
{
    if (d->rename(d->ud, from, to) == 0)
        return NULL;
    if (errno == EIO)
        end("rename", from);
    if (errno == ENOSPC || errno == EDQUOT)
        return no_room(from);
    return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may write there, and that nothing "
                                "has the new name", "cannot be renamed: %s", strerror(errno)),
                     "%s", from);
}

kp_err *kp_disk_sync_dir(const kp_disk *d, const char *dir)
{
    KP_AUTO_FD fd = d->open(d->ud, dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may read there",
                                    "cannot be opened: %s", strerror(errno)),
                         "%s", dir);
    kp_disk_sync(d, fd, dir);
    return NULL;
}

kp_err *kp_disk_replace(const kp_disk *d, const char *path, const void *p, size_t n)
{
    KP_AUTO_ARENA a = kp_arena_new("a file's names", 64u * 1024);
    const char *tmp = kp_printf(a, "%s.kplay-tmp", path), *slash = strrchr(path, '/');
    const char *dir = !slash          ? "."
                      : slash == path ? "/"
                                      : kp_strndup(a, path, (size_t)(slash - path));

    KP_TRY(kp_disk_file(d, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, p, n));
    kp_err *e = kp_disk_rename(d, tmp, path);
    if (e) {
        d->unlink(d->ud, tmp);
        return e;
    }
    return kp_disk_sync_dir(d, dir);
}

/* One directory; its name is on disk in the one above before this returns. */
static kp_err *make_dir(const kp_disk *d, kp_arena *a, const char *dir)
{
    if (mkdir(dir, 0777) != 0) {
        int why = errno;
        struct stat st;
        if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
            return NULL;
        return kp_err_at(kp_err_new(KP_CONFIG, "name another directory as `runs:` in the cluster "
                                    "file, or make this one", "cannot be made: %s", strerror(why)),
                         "%s", dir);
    }
    const char *slash = strrchr(dir, '/');
    if (!slash)
        return kp_disk_sync_dir(d, ".");
    return kp_disk_sync_dir(d, slash == dir ? "/" : kp_strndup(a, dir, (size_t)(slash - dir)));
}

kp_err *kp_disk_make_dirs(const kp_disk *d, const char *dir)
{
    struct stat st;
    if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
        return NULL;
    KP_AUTO_ARENA a = kp_arena_new("directory names", 1u << 20);
    const char *from = *dir == '/' ? dir + 1 : dir;
    for (const char *slash = strchr(from, '/'); slash; slash = strchr(slash + 1, '/'))
        if (slash[-1] != '/')
            KP_TRY(make_dir(d, a, kp_strndup(a, dir, (size_t)(slash - dir))));
    return make_dir(d, a, dir);
}

kp_err *kp_disk_read(int fd, const char *path, kp_buf *out)
{
    char part[16 * 1024];
    for (;;) {
        ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return kp_err_at(kp_err_new(KP_REFUSED, "the disk is failing; copy what can be read to "
                                        "another one", "cannot be read at byte %zu: %s", out->n,
                                        strerror(errno)),
                             "%s", path);
        if (n == 0)
            return NULL;
        kp_buf_add(out, part, (size_t)n);
        if (out->overflow)
            return kp_err_at(kp_err_new(KP_REFUSED, "this is no file that kplay wrote",
                                        "longer than %zu bytes", out->limit),
                             "%s", path);
    }
}

/* Types from statfs(2), the section on f_type. */
static const struct {
    uint64_t type;
    const char *name;
} unfit[] = {
    { 0x6969, "NFS" },
    { 0x517b, "SMB" },
    { 0xff534d42, "CIFS" },
    { 0xfe534d42, "SMB" },
    { 0x65735546, "FUSE" },
};

const char *kp_disk_unfit(uint64_t statfs_type)
{
    for (size_t i = 0; i < KP_COUNT(unfit); i++)
        if (unfit[i].type == (statfs_type & 0xffffffff))
            return unfit[i].name;
    return NULL;
}

kp_err *kp_disk_fit(const char *dir)
{
    struct statfs fs;
    if (statfs(dir, &fs) != 0)
        return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may read there",
                                    "cannot be looked at: %s", strerror(errno)),
                         "%s", dir);
    const char *name = kp_disk_unfit((uint64_t)fs.f_type);
    const char *any = getenv("KPLAY_RUNS_ANY_FS");
    if (!name || kp_streq(any, "1"))
        return NULL;
    return kp_err_at(kp_err_new(KP_CONFIG, "name a directory on a local disk as `runs:` in the "
                                "cluster file (KPLAY_RUNS_ANY_FS=1 takes the risk)",
                                "is on %s, which does not promise that what was synced stays and "
                                "that a lock holds", name),
                     "%s", dir);
}
