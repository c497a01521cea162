/* lock: one process at a time works on a run, and one on a cluster.
 *
 * Open file description locks (F_OFD_SETLK, Linux 3.15): they end with the last descriptor of this
 * very open, so a crash, a SIGKILL and a power cut leave nothing stale; and closing another
 * descriptor of the same file does not drop them, as it does classic record locks.  Descriptors are
 * close-on-exec: an ssh child that outlives kplay holds nothing.
 *
 * The text in the file is for people only: it lets a refusal say who.  It is believed when its
 * process (pid and start time, on this boot) is alive, for the lock says that somebody is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/inside.h"

enum { TEXT_LIMIT = 512, BOOT_LIMIT = 40 };

/* The first bytes of a small file; "" when it cannot be read. */
static void slurp(const char *path, char *out, size_t size)
{
    KP_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
}

static void boot_id(char out[BOOT_LIMIT])
{
    slurp("/proc/sys/kernel/random/boot_id", out, BOOT_LIMIT);
    out[strcspn(out, "\n")] = '\0';
}

/* Start time of a process in clock ticks since boot, 0 when there is none: field 22 of
 * /proc/<pid>/stat, counted behind the command name, which may hold anything. */
static unsigned long long start_time(int pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    slurp(path, text, sizeof text);
    const char *p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}

static struct flock whole_file(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static void read_holder(const char *path, kp_holder *ret_holder)
{
    char text[TEXT_LIMIT], boot[BOOT_LIMIT], here[BOOT_LIMIT];
    unsigned long long start = 0;
    kp_holder h = { 0 };
    slurp(path, text, sizeof text);
    boot_id(here);
    int got = sscanf(text, "pid %9d boot %39s start %19llu since %31s by %127[^\n]", &h.pid, boot,
                     &start, h.since, h.who);
    for (char *p = h.who; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    if (got < 4 || strcmp(boot, here) != 0 || start == 0 || start_time(h.pid) != start)
        h = (kp_holder){ 0 };
    *ret_holder = h;
}

bool kp_lock_held(const char *path, kp_holder *ret_holder)
{
    KP_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    struct flock lock = whole_file();
    if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return false;
    read_holder(path, ret_holder);
    return true;
}

/* Fails in silence: a full disk must not keep a run from being opened. */
static void write_holder(int fd, const char *who)
{
    char boot[BOOT_LIMIT];
    boot_id(boot);
    KP_AUTO_ARENA a = kp_arena_new("lock text", 64u * 1024);
    const char *text = kp_printf(a, "pid %d boot %s start %llu since %s by %.*s\n", (int)getpid(),
                                 boot, start_time((int)getpid()), kp_time_text(a, kp_wall_now()),
                                 KP_HOLDER_LIMIT - 1, who);
    if (pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text) &&
        ftruncate(fd, (off_t)strlen(text)) != 0)
        kp_log(KP_LOG_DEBUG, "lock text not cut: %s", strerror(errno));
}

/* `what` is the thing as the refusal names it ("run 1122-7f3a"), `who` is what others will read. */
kp_err *kp_lock_take(const char *path, const char *who, const char *what, int *ret_fd)
{
    KP_AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may write there",
                                    "cannot be opened: %s", strerror(errno)),
                         "%s", path);
    struct flock lock = whole_file();
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
        write_holder(fd, who);
        *ret_fd = fd;
        fd = -1;
        return NULL;
    }
    if (errno != EAGAIN && errno != EACCES)
        return kp_err_at(kp_err_new(KP_CONFIG, "name a directory on a local disk as `runs:` in the "
                                    "cluster file", "cannot be locked: %s", strerror(errno)),
                         "%s", path);
    kp_holder h;
    read_holder(path, &h);
    if (h.pid == 0)
        return kp_err_new(KP_REFUSED, "find the kplay that is running on this machine and end it",
                          "%s is open in another process", what);
    return kp_err_new(KP_REFUSED, "wait until it ends, or pause it there with Ctrl-C",
                      "%s is open in process %d on this machine since %s%s%s", what, h.pid,
                      h.since, *h.who ? ": " : "", h.who);
}

kp_err *kp_cluster_lock(const char *runs, const char *cluster_id, const char *holder, int *ret_fd)
{
    enum { ID_LIMIT = 80 }; /* three bytes each must fit a file name of 255 */
    if (!*cluster_id || strlen(cluster_id) > ID_LIMIT)
        return kp_err_new(KP_CONFIG, "see what the cluster answers as its id",
                          "a cluster id of 1 to %d bytes was expected: \"%s\"", ID_LIMIT,
                          cluster_id);
    KP_AUTO_BUF path = KP_BUF_INIT(16u * 1024);
    kp_buf_fmt(&path, "%s/.cluster-", runs);
    for (const char *p = cluster_id; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '-' || *p == '_' || *p == '.';
        kp_buf_fmt(&path, plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    kp_buf_str(&path, ".lock");
    KP_TRY(kp_disk_make_dirs(&kp_disk_real, runs));
    KP_TRY(kp_disk_fit(runs));
    KP_AUTO_ARENA a = kp_arena_new("cluster lock", 64u * 1024);
    return kp_lock_take(kp_buf_text(&path), holder, kp_printf(a, "cluster %s", cluster_id), ret_fd);
}

void kp_lock_drop(int fd)
{
    if (fd >= 0)
        close(fd);
}
