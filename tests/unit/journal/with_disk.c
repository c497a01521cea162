#include "with_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what a power cut may take ---- */

static void parent_of(const char *path, char out[PATH_SIZE])
{
    const char *slash = strrchr(path, '/');
    snprintf(out, PATH_SIZE, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
}

static int find(const fault *f, const char *path)
{
    for (int i = 0; i < f->files; i++)
        if (strcmp(f->file[i].path, path) == 0)
            return i;
    return -1;
}

static void saw_open(fault *f, const char *path, int fd, int flags, bool existed)
{
    assert_true(fd < DESCRIPTORS);
    f->by_fd[fd] = 0;
    f->dir_of_fd[fd][0] = '\0';
    if (flags & O_DIRECTORY) {
        snprintf(f->dir_of_fd[fd], PATH_SIZE, "%s", path);
        return;
    }
    int i = find(f, path);
    if (i < 0) {
        struct stat st = { 0 };
        assert_true(f->files < FILES);
        i = f->files++;
        fault_file *file = &f->file[i];
        snprintf(file->path, PATH_SIZE, "%s", path);
        file->named = existed;
        if (existed && fstat(fd, &st) == 0)
            file->size = file->synced = st.st_size;
    }
    if (flags & O_TRUNC)
        f->file[i].size = f->file[i].synced = 0;
    f->by_fd[fd] = i + 1;
}

static void saw_sync(fault *f, int fd)
{
    const char *dir = f->dir_of_fd[fd];
    if (f->by_fd[fd])
        f->file[f->by_fd[fd] - 1].synced = f->file[f->by_fd[fd] - 1].size;
    if (!*dir)
        return;
    char parent[PATH_SIZE];
    for (int i = 0; i < f->files; i++) {
        parent_of(f->file[i].path, parent);
        if (strcmp(parent, dir) == 0)
            f->file[i].named = true;
    }
    int kept = 0;
    for (int i = 0; i < f->moves; i++) {
        parent_of(f->move[i].to, parent);
        if (strcmp(parent, dir) != 0)
            f->move[kept++] = f->move[i];
    }
    f->moves = kept;
}

static void saw_rename(fault *f, const char *from, const char *to)
{
    size_t n = strlen(from);
    bool folder = true;
    for (int i = 0; i < f->files; i++) {
        char *path = f->file[i].path, rest[PATH_SIZE];
        if (strncmp(path, from, n) != 0 || (path[n] != '\0' && path[n] != '/'))
            continue;
        if (path[n] == '\0')
            folder = false;
        snprintf(rest, sizeof rest, "%s", path + n);
        snprintf(path, PATH_SIZE, "%s%.200s", to, rest);
        if (!folder)
            f->file[i].named = false;
    }
    if (!folder)
        return;
    assert_true(f->moves < FILES);
    snprintf(f->move[f->moves].from, PATH_SIZE, "%s", from);
    snprintf(f->move[f->moves++].to, PATH_SIZE, "%s", to);
}

void power_cut(const fault *f)
{
    for (int i = 0; i < f->files; i++) {
        const fault_file *file = &f->file[i];
        if (!file->named)
            unlink(file->path);
        else if (file_exists(file->path) && file->synced < file->size)
            assert_int_equal(truncate(file->path, file->synced), 0);
    }
    for (int i = f->moves - 1; i >= 0; i--)
        assert_int_equal(rename(f->move[i].to, f->move[i].from), 0);
}

/* ---- the table ---- */

/* True when this call is to fail; it has then set errno, or errno is 0 for a short write. */
static bool enter(fault *f, act on)
{
    f->calls++;
    f->of[on]++;
    if (f->kill_at == f->calls && f->when == BEFORE)
        kill(getpid(), SIGKILL);
    if (f->after_fault)
        f->after_fault++;
    if (!f->nth || on != f->on || f->of[on] < f->nth || f->of[on] >= f->nth + f->times)
        return false;
    if (!f->after_fault)
        f->after_fault = 1;
    errno = f->err;
    return true;
}

static void leave(const fault *f)
{
    if (f->kill_at == f->calls && f->when != BEFORE)
        kill(getpid(), SIGKILL);
}

static int fault_open(void *ud, const char *path, int flags, int mode)
{
    fault *f = ud;
    if (enter(f, ACT_OPEN))
        return -1;
    bool existed = file_exists(path);
    int fd = kp_disk_real.open(NULL, path, flags, mode);
    if (fd >= 0)
        saw_open(f, path, fd, flags, existed);
    leave(f);
    return fd;
}

static int64_t fault_write(void *ud, int fd, const void *p, size_t n)
{
    fault *f = ud;
    bool fails = enter(f, ACT_WRITE), full = f->full && f->of[ACT_WRITE] == 1;
    size_t some = fails || full ? (size_t)f->cut : n;
    if (f->kill_at == f->calls && f->when == MIDDLE)
        some = n / 2;
    int why = errno;
    int64_t done = some ? write(fd, p, some) : 0;
    if (done > 0 && f->by_fd[fd])
        f->file[f->by_fd[fd] - 1].size += done;
    leave(f);
    if (fails && why) {
        errno = why;
        return -1;
    }
    return done;
}

static int fault_sync(void *ud, int fd)
{
    fault *f = ud;
    if (enter(f, ACT_SYNC))
        return -1;
    saw_sync(f, fd); /* what the real disk does is of no concern: /tmp outlives the test */
    leave(f);
    return 0;
}

static int fault_rename(void *ud, const char *from, const char *to)
{
    fault *f = ud;
    if (enter(f, ACT_RENAME))
        return -1;
    int rc = rename(from, to);
    if (rc == 0)
        saw_rename(f, from, to);
    leave(f);
    return rc;
}

static int fault_truncate(void *ud, int fd, int64_t size)
{
    fault *f = ud;
    if (enter(f, ACT_TRUNCATE))
        return -1;
    int rc = ftruncate(fd, size);
    if (rc == 0 && f->by_fd[fd]) {
        fault_file *file = &f->file[f->by_fd[fd] - 1];
        file->size = size;
        if (file->synced > size)
            file->synced = size;
    }
    leave(f);
    return rc;
}

static int fault_unlink(void *ud, const char *path)
{
    fault *f = ud;
    if (enter(f, ACT_UNLINK))
        return -1;
    int rc = unlink(path), i = find(f, path);
    if (rc == 0 && i >= 0)
        f->file[i] = (fault_file){ .path = "", .named = true };
    leave(f);
    return rc;
}

fault *fault_new(void)
{
    fault *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(f != MAP_FAILED);
    return f;
}

void fault_free(fault *f)
{
    munmap(f, sizeof *f);
}

void fault_reset(fault *f)
{
    memset(f, 0, sizeof *f);
}

kp_disk fault_disk(fault *f)
{
    return (kp_disk){ fault_open,     fault_write,  fault_sync, fault_rename,
                      fault_truncate, fault_unlink, f };
}

/* ---- files ---- */

char *dir_new(void)
{
    const char *tmp = getenv("TMPDIR");
    char *path = NULL;
    assert_true(asprintf(&path, "%s/kplay-journal-XXXXXX", tmp && *tmp ? tmp : "/tmp") > 0);
    assert_non_null(mkdtemp(path));
    return path;
}

static void empty(const char *dir)
{
    DIR *list = opendir(dir);
    assert_non_null(list);
    for (struct dirent *e; (e = readdir(list));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char *path = NULL;
        struct stat st;
        assert_true(asprintf(&path, "%s/%s", dir, e->d_name) > 0);
        assert_int_equal(lstat(path, &st), 0);
        if (S_ISDIR(st.st_mode))
            empty(path);
        assert_int_equal(S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path), 0);
        free(path);
    }
    closedir(list);
}

void dir_free(char *dir)
{
    empty(dir);
    assert_int_equal(rmdir(dir), 0);
    free(dir);
}

char *file_read(const char *path, size_t *ret_n)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    struct stat st;
    assert_int_equal(fstat(fileno(file), &st), 0);
    char *p = malloc((size_t)st.st_size + 1);
    assert_non_null(p);
    *ret_n = fread(p, 1, (size_t)st.st_size, file);
    p[*ret_n] = '\0';
    fclose(file);
    return p;
}

void file_write(const char *path, const void *p, size_t n)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(p, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- errors and children ---- */

void ok_(kp_err *err, const char *file, int line)
{
    if (!err)
        return;
    KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
    print_error("%s\n", kp_err_text(a, err));
    kp_err_drop(err);
    _fail(file, line);
}

void error_(kp_err *err, kp_class cls, const char *part, const char *file, int line)
{
    if (!err) {
        print_error("no error, expected: %s\n", part);
        _fail(file, line);
    }
    KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
    const char *text = kp_err_text(a, err);
    bool as_expected = err->cls == cls && strstr(text, part) && *err->next;
    if (!as_expected)
        print_error("%s\nclass %s, expected: %s, %s\n", text, kp_class_name(err->cls),
                    kp_class_name(cls), part);
    kp_err_drop(err);
    if (!as_expected)
        _fail(file, line);
}

int in_child(void (*fn)(void *ud), void *ud)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        fn(ud);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

bool exited(int status, int code)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

bool killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* ---- the sample ---- */

const kp_ms sample_time = 1795323600012; /* 2026-11-22T05:00:00.012Z */

kp_kind sample_kind(int64_t n)
{
    static const kp_kind kinds[SAMPLE] = {
        KP_K_OPEN, KP_K_SESSION, KP_K_READ,  KP_K_ASK,    KP_K_INTENT, KP_K_NOTE,
        KP_K_DONE, KP_K_WAIT,    KP_K_DOUBT, KP_K_CHANGE, KP_K_ERROR,  KP_K_PAUSE,
    };
    return kinds[(n - 1) % SAMPLE];
}

const kp_value *sample_body(kp_arena *a, int64_t n)
{
    const int brokers[] = { 1, 2, 3 };
    switch (sample_kind(n)) {
    case KP_K_OPEN:
        return kp_map(a, "playbook", kp_text(a, "rolling"), "cluster", kp_text(a, "orders-prod"),
                      "args", kp_map(a, "to", kp_text(a, "3.9.1"), NULL), NULL);
    case KP_K_READ:
        return kp_map(a, "i", kp_text(a, "1"), "fn", kp_text(a, "urp"), "r", kp_int(a, 212), NULL);
    case KP_K_INTENT: /* a nested h like a link, quotes, a newline, bytes not UTF-8 */
        return kp_map(a, "i", kp_text(a, "broker/2:1"), "a", kp_ints(a, brokers, 3), "pre",
                      kp_map(a, "g", kp_bool(true), "h",
                             kp_text(a, "0123456789abcdef0123456789abcdef"), NULL),
                      "m", kp_bytes(a, "\xff\n\"\\", 4), NULL);
    case KP_K_NOTE:
        return NULL;
    default:
        return kp_map(a, "number", kp_int(a, n), "m", kp_text(a, "größer"), NULL);
    }
}

kp_err *sample_append(kp_journal *j, int64_t n)
{
    KP_AUTO_ARENA a = kp_arena_new("sample", 1u << 20);
    return kp_journal_append(j, sample_kind(n), sample_time + n, sample_body(a, n));
}

kp_err *sample_create(kp_arena *a, const kp_disk *d, const char *runs, const char *run,
                      kp_journal **ret_j)
{
    static const kp_source sources[] = {
        { "rolling.lua", "return { api = 1 }\n", 19 },
        { "gate", "-- a module\n", 12 },
    };
    return kp_journal_create(a, d, runs, run, sample_time + 1, sample_body(a, 1), sources,
                             KP_COUNT(sources), ret_j);
}

void sample_compare(const kp_record *rec, int64_t n)
{
    KP_AUTO_ARENA a = kp_arena_new("sample", 1u << 20);
    assert_non_null(rec);
    assert_int_equal(rec->n, n);
    assert_int_equal(rec->t, sample_time + n);
    assert_int_equal(rec->kind, sample_kind(n));
    const kp_value *expected = sample_body(a, n), *got = rec->body;
    if (rec->kind == KP_K_OPEN)
        for (const char *const *key = (const char *const[]){ "fmt", "run", "sources", NULL }; *key;
             key++)
            got = kp_map_with(a, got, *key, NULL);
    if (!kp_value_equal(got, expected ? expected : kp_map(a, NULL)))
        fail_msg("record %lld is %s", (long long)n, kp_json_text(a, rec->body));
}
