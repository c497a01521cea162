/* rundir: a run's directory comes to exist whole or not at all, and is opened only by one process
 * that has read every byte of its journal.
 *
 * Making: everything is built in <run>.tmp and synced, then renamed, then the directory above is
 * synced.  A kplay that dies anywhere before that leaves a .tmp behind, which the next one removes;
 * since no effect happens before kp_journal_create returns, nothing is lost with it.
 *
 * Opening: lock, sync, read, verify, repair.  The sync comes first because a kplay that was killed
 * may have left a last line that is in memory only: what is read here is acted upon, so it must be
 * on disk.  Then clean pages are given up, so that what is read is the disk's and not a page that
 * an earlier failed sync left behind as clean.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal/inside.h"

enum {
    TORN_LIMIT = 1000,    /* saved tails of one run */
    HALF_MADE_S = 60,     /* a .tmp without a lock file is left alone for so long */
};

bool kp_run_name_ok(const char *run)
{
    size_t n = strlen(run);
    if (n == 0 || n > KP_RUN_NAME_LIMIT || run[0] == '.' || kp_ends_with(run, ".tmp"))
        return false;
    return strspn(run, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static kp_err *check_name(const char *run)
{
    if (kp_run_name_ok(run))
        return NULL;
    return kp_err_new(KP_USAGE, "letters, digits, '-', '_' and '.' make a run's name",
                      "\"%.100s\" is not the name of a run", run);
}

/* ---- what a killed kplay left half made ---- */

static bool is_ours(const char *name)
{
    static const char *const ours[] = { ".", "..", "lock", "journal.jsonl", "reserve", KP_BLOBS,
                                        KP_SOURCES };
    for (size_t i = 0; i < KP_COUNT(ours); i++)
        if (kp_streq(ours[i], name))
            return true;
    return false;
}

static bool only_ours(const char *dir)
{
    DIR *list = opendir(dir);
    bool yes = list != NULL;
    for (struct dirent *e; yes && (e = readdir(list));)
        yes = is_ours(e->d_name);
    if (list)
        closedir(list);
    return yes;
}

static void remove_texts(const kp_disk *d, kp_arena *a, const char *folder)
{
    DIR *list = opendir(folder);
    for (struct dirent *e; list && (e = readdir(list));)
        if (strspn(e->d_name, "0123456789abcdef") == 64)
            d->unlink(d->ud, kp_printf(a, "%s/%s", folder, e->d_name));
    if (list)
        closedir(list);
    rmdir(folder);
}

/* Errors are of no consequence: what stays is not a run and is tried again next time. */
static void remove_half_made(const kp_disk *d, kp_arena *a, const char *tmp)
{
    static const char *const files[] = { "journal.jsonl", "reserve", "lock" };
    if (!only_ours(tmp))
        return;
    remove_texts(d, a, kp_printf(a, "%s/" KP_BLOBS, tmp));
    remove_texts(d, a, kp_printf(a, "%s/" KP_SOURCES, tmp));
    for (size_t i = 0; i < KP_COUNT(files); i++)
        d->unlink(d->ud, kp_printf(a, "%s/%s", tmp, files[i]));
    rmdir(tmp);
}

/* Removes <runs>/<name> unless a living kplay is making it.  One without a lock file may be at its
 * very beginning; it has HALF_MADE_S to get on, unless the name is `mine`. */
static void remove_dead(const kp_disk *d, kp_arena *a, const char *tmp, bool mine)
{
    const char *lock = kp_printf(a, "%s/lock", tmp);
    struct stat st;
    int fd = -1;
    if (access(lock, F_OK) == 0) {
        kp_err *err = kp_lock_take(lock, "", "", &fd);
        kp_err_drop(err);
        if (err)
            return;
    } else if (stat(tmp, &st) != 0 || (!mine && time(NULL) - st.st_mtime < HALF_MADE_S)) {
        return;
    }
    remove_half_made(d, a, tmp);
    kp_lock_drop(fd);
}

static void remove_all_dead(const kp_disk *d, const char *runs, const char *mine)
{
    KP_AUTO_ARENA a = kp_arena_new("names of half-made runs", (size_t)64 << 20);
    DIR *list = opendir(runs);
    for (struct dirent *e; list && (e = readdir(list));)
        if (e->d_name[0] != '.' && kp_ends_with(e->d_name, ".tmp"))
            remove_dead(d, a, kp_printf(a, "%s/%s", runs, e->d_name), kp_streq(e->d_name, mine));
    if (list)
        closedir(list);
}

/* ---- make ---- */

/* 64 KiB that are given back when the disk is full.  A run can do without. */
static void make_reserve(const kp_journal *j)
{
    const char *path = kp_printf(j->scratch, "%s/reserve", j->dir);
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size >= KP_RESERVE_BYTES)
        return;
    KP_AUTO_FD fd = j->d->open(j->d->ud, path, O_WRONLY | O_CREAT, 0666);
    int why = fd < 0 ? errno : posix_fallocate(fd, 0, KP_RESERVE_BYTES);
    if (why == 0) {
        kp_disk_sync(j->d, fd, path);
        return;
    }
    if (fd >= 0)
        j->d->unlink(j->d->ud, path);
    kp_log(KP_LOG_WARN, "%s: no reserve for a full disk: %s", path, strerror(why));
}

static kp_err *make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0)
        return NULL;
    if (errno == EEXIST)
        return kp_err_at(kp_err_new(KP_REFUSED, "choose another name for the run",
                                    "another process makes this run just now"),
                         "%s", path);
    return kp_err_at(kp_err_new(KP_CONFIG, "name another directory as `runs:` in the cluster file",
                                "cannot be made: %s", strerror(errno)),
                     "%s", path);
}

static kp_err *open_journal(kp_journal *j, int flags)
{
    j->fd = j->d->open(j->d->ud, j->path, O_WRONLY | O_APPEND | flags, 0666);
    if (j->fd >= 0)
        return NULL;
    return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may write there",
                                "cannot be opened: %s", strerror(errno)),
                     "%s", j->path);
}

static kp_err *fill(kp_journal *j, kp_ms now, const kp_value *body, const kp_source *sources,
                    size_t n_sources)
{
    const kp_value *map = NULL;
    KP_TRY(kp_lock_take(kp_printf(j->a, "%s/lock", j->dir), "", kp_printf(j->a, "run %s", j->run),
                        &j->lock_fd));
    KP_TRY(make_folder(kp_printf(j->a, "%s/" KP_BLOBS, j->dir)));
    KP_TRY(make_folder(kp_printf(j->a, "%s/" KP_SOURCES, j->dir)));
    KP_TRY(kp_store_sources(j->a, j, sources, n_sources, &map));
    make_reserve(j);
    KP_TRY(open_journal(j, O_CREAT | O_EXCL));
    KP_TRY(kp_journal_append(j, KP_K_OPEN, now, kp_journal_open_body(j, body, map)));
    return kp_disk_sync_dir(j->d, j->dir);
}

/* The directory above is opened first: once there is a run, only a failed sync may stand between
 * it and success, and that ends the process. */
static kp_err *publish(kp_journal *j, const char *runs, const char *dir)
{
    KP_AUTO_FD above = j->d->open(j->d->ud, runs, O_RDONLY | O_DIRECTORY, 0);
    if (above < 0)
        return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may read there",
                                    "cannot be opened: %s", strerror(errno)),
                         "%s", runs);
    KP_TRY(kp_disk_rename(j->d, j->dir, dir));
    kp_journal_moved(j, dir);
    kp_disk_sync(j->d, above, runs);
    return NULL;
}

kp_err *kp_journal_create(kp_arena *a, const kp_disk *d, const char *runs, const char *run,
                          kp_ms now, const kp_value *open_body, const kp_source *sources,
                          size_t n_sources, kp_journal **ret_j)
{
    KP_TRY(check_name(run));
    KP_TRY(kp_disk_make_dirs(d, runs));
    KP_TRY(kp_disk_fit(runs));
    const char *dir = kp_printf(a, "%s/%s", runs, run), *tmp = kp_printf(a, "%s.tmp", dir);
    remove_all_dead(d, runs, tmp + strlen(runs) + 1);
    if (access(dir, F_OK) == 0)
        return kp_err_new(KP_REFUSED, "go on with it by kplay resume, or choose another name",
                          "there is a run %s already", run);
    kp_journal *j = kp_journal_new(a, d, run, tmp);
    kp_err *err = kp_journal_crash_hook(j);
    if (!err)
        err = make_folder(tmp);
    if (err) {
        kp_journal_free(j);
        return err;
    }
    err = fill(j, now, open_body, sources, n_sources);
    if (!err)
        err = publish(j, runs, dir);
    if (!err) {
        kp_journal_crash(j->crash_after, 1);
        *ret_j = j;
        return NULL;
    }
    remove_half_made(d, a, tmp);
    kp_journal_free(j);
    if (err->cls == KP_PAUSED)
        err = kp_err_next(kp_err_class(err, KP_CONFIG), "make room on that disk, or name another "
                          "directory as `runs:` in the cluster file");
    return err;
}

/* ---- open ---- */

static kp_err *read_journal(kp_journal *j, kp_buf *ret_bytes)
{
    kp_disk_sync(j->d, j->fd, j->path);
    KP_AUTO_FD fd = open(j->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may read there",
                                    "cannot be opened: %s", strerror(errno)),
                         "%s", j->path);
    int why = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (why != 0)
        kp_log(KP_LOG_DEBUG, "%s: read from memory: %s", j->path, strerror(why));
    return kp_disk_read(fd, j->path, ret_bytes);
}

/* Under the first free name; the tail is cut off only once this is on disk. */
static kp_err *save_torn(const kp_journal *j, const char *p, size_t n)
{
    for (int i = 0; i < TORN_LIMIT; i++) {
        const char *path = kp_printf(j->scratch, "%s/torn.%d", j->dir, i);
        if (access(path, F_OK) == 0)
            continue;
        kp_err *err = kp_disk_file(j->d, path, O_WRONLY | O_CREAT | O_EXCL, p, n);
        if (!err)
            return kp_disk_sync_dir(j->d, j->dir);
        return kp_err_next(err, "make room in %s, then: kplay resume %s", j->dir, j->run);
    }
    return kp_err_at(kp_err_new(KP_REFUSED, "see why this run is interrupted again and again; then "
                                "remove its torn.* files", "%d torn records are kept here already",
                                TORN_LIMIT),
                     "%s", j->dir);
}

static void read_link(const char *text, unsigned char ret_link[KP_LINK_BYTES])
{
    for (int i = 0; i < KP_LINK_TEXT; i += 2) {
        unsigned hi = (unsigned)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
        unsigned lo = (unsigned)(text[i + 1] <= '9' ? text[i + 1] - '0' : text[i + 1] - 'a' + 10);
        ret_link[i / 2] = (unsigned char)(hi << 4 | lo);
    }
}

/* The record with its value in place of the name of its blob. */
static kp_err *resolve(const kp_journal *j, const kp_record *rec, const kp_record **ret_rec)
{
    const char *sha = kp_get_text(rec->body, "blob", NULL);
    *ret_rec = rec;
    if (!sha)
        return NULL;
    KP_AUTO_ARENA scratch = kp_arena_new("a result beside a journal", (size_t)2 * KP_BLOB_LIMIT);
    char *text;
    size_t n;
    const kp_value *r = NULL;
    KP_TRY(kp_store_get(scratch, j, KP_BLOBS, sha, &text, &n));
    kp_err *err = kp_json_read(j->a, text, n, &r);
    if (err)
        return kp_err_class(kp_err_at(err, "%s/" KP_BLOBS "/%s", j->dir, sha), KP_REFUSED);
    kp_record *with = KP_NEW(j->a, kp_record);
    *with = *rec;
    const kp_value *rest = kp_map_with(j->a, rec->body, "blob", NULL);
    with->body = kp_map_with(j->a, kp_map_with(j->a, rest, "blob_of", NULL),
                             kp_get_text(rec->body, "blob_of", "r"), r);
    *ret_rec = with;
    return NULL;
}

static kp_err *adopt(kp_journal *j, const kp_journal_check *check, size_t bytes)
{
    if (check->records == 0)
        return kp_err_at(kp_err_new(KP_REFUSED, "nothing was done by it: start anew with kplay run",
                                    "run %s never started: its first record is not whole", j->run),
                         "%s", j->path);
    const char *name = kp_get_text(check->rec[0].body, "run", "");
    if (!kp_streq(name, j->run))
        return kp_err_at(kp_err_new(KP_REFUSED, "give the directory its own name back; a copy of a "
                                    "run cannot go on beside it", "this is the journal of run %s",
                                    name),
                         "%s", j->path);
    for (int64_t i = 0; i < check->records; i++) {
        const kp_record *rec;
        KP_TRY(resolve(j, &check->rec[i], &rec));
        kp_journal_learn(j, rec);
    }
    j->n = check->records;
    j->size = (int64_t)bytes - check->torn_bytes;
    read_link(check->head, j->chain.link);
    kp_chain_text(j->chain.link, j->head);
    return NULL;
}

static kp_err *is_there(const kp_journal *j)
{
    if (access(j->path, F_OK) == 0)
        return NULL;
    return kp_err_at(kp_err_new(KP_USAGE, "kplay runs lists those that are there",
                                "there is no run %s here", j->run),
                     "%s", j->dir);
}

static kp_err *enter(kp_journal *j)
{
    KP_TRY(is_there(j));
    KP_TRY(kp_disk_fit(j->dir));
    KP_TRY(kp_journal_crash_hook(j));
    KP_TRY(kp_lock_take(kp_printf(j->a, "%s/lock", j->dir), "", kp_printf(j->a, "run %s", j->run),
                        &j->lock_fd));
    KP_TRY(open_journal(j, 0));
    KP_AUTO_BUF bytes = KP_BUF_INIT(KP_JOURNAL_LIMIT);
    kp_journal_check check;
    KP_TRY(read_journal(j, &bytes));
    KP_TRY(kp_journal_scan_bytes(j->a, j->path, kp_buf_text(&bytes), bytes.n, &check));
    if (check.torn) {
        size_t good = bytes.n - (size_t)check.torn_bytes;
        KP_TRY(save_torn(j, bytes.p + good, (size_t)check.torn_bytes));
        kp_disk_cut(j->d, j->fd, j->path, (int64_t)good);
    }
    KP_TRY(adopt(j, &check, bytes.n));
    make_reserve(j);
    return NULL;
}

kp_err *kp_journal_open(kp_arena *a, const kp_disk *d, const char *runs, const char *run,
                        kp_journal **ret_j)
{
    KP_TRY(check_name(run));
    kp_journal *j = kp_journal_new(a, d, run, kp_printf(a, "%s/%s", runs, run));
    kp_err *err = enter(j);
    if (err) {
        kp_journal_free(j);
        return err;
    }
    *ret_j = j;
    return NULL;
}

static kp_err *look(kp_journal *j)
{
    KP_TRY(is_there(j));
    KP_AUTO_FD fd = open(j->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may read there",
                                    "cannot be opened: %s", strerror(errno)),
                         "%s", j->path);
    KP_AUTO_BUF bytes = KP_BUF_INIT(KP_JOURNAL_LIMIT);
    kp_journal_check check;
    KP_TRY(kp_disk_read(fd, j->path, &bytes));
    KP_TRY(kp_journal_scan_bytes(j->a, j->path, kp_buf_text(&bytes), bytes.n, &check));
    return adopt(j, &check, bytes.n);
}

kp_err *kp_journal_look(kp_arena *a, const char *runs, const char *run, kp_journal **ret_j)
{
    KP_TRY(check_name(run));
    kp_journal *j = kp_journal_new(a, &kp_disk_real, run, kp_printf(a, "%s/%s", runs, run));
    kp_err *err = look(j);
    if (err) {
        kp_journal_free(j);
        return err;
    }
    *ret_j = j;
    return NULL;
}

static kp_err *count_file(const kp_journal *j, const char *folder, const char *sha,
                          int64_t *ret_files)
{
    KP_AUTO_ARENA scratch = kp_arena_new("a file beside a journal", (size_t)2 * KP_BLOB_LIMIT);
    char *text;
    size_t n;
    KP_TRY(kp_store_get(scratch, j, folder, sha, &text, &n));
    ++*ret_files;
    return NULL;
}

static kp_err *count_files(const kp_journal *j, const kp_journal_check *check, int64_t *ret_files)
{
    kp_builder seen = kp_map_begin(j->a); /* by their names, so that each is read once */
    for (int64_t i = 0; i < check->records; i++) {
        const kp_record *rec = &check->rec[i];
        const char *blob = kp_get_text(rec->body, "blob", NULL);
        bool has_sources = rec->kind == KP_K_OPEN || rec->kind == KP_K_CHANGE;
        const kp_value *sources = has_sources ? kp_get(rec->body, "sources") : NULL;
        if (blob)
            kp_map_add(&seen, blob, kp_text(j->a, KP_BLOBS));
        for (size_t k = 0; kp_is(sources, KP_MAP) && k < sources->n; k++)
            kp_map_add(&seen, kp_as_text(sources->u.items[k], ""), kp_text(j->a, KP_SOURCES));
    }
    const kp_value *files = kp_map_end(&seen);
    for (size_t k = 0; k < files->n; k++)
        KP_TRY(count_file(j, kp_as_text(files->u.items[k], ""), files->keys[k], ret_files));
    return NULL;
}

kp_err *kp_journal_verify(kp_arena *a, const char *path, kp_journal_check *ret_check)
{
    KP_TRY(kp_journal_scan(a, path, ret_check));
    if (ret_check->records == 0)
        return kp_err_at(
            kp_err_new(KP_REFUSED, "kplay runs lists those that are there", "no record is in it"),
            "%s", path);
    const char *slash = strrchr(path, '/');
    const char *dir = slash ? kp_strndup(a, path, (size_t)(slash - path) + 1) : ".";
    if (access(kp_printf(a, "%s/" KP_SOURCES, dir), F_OK) < 0) {
        ret_check->files = -1;
        return NULL;
    }
    kp_journal *j = kp_journal_new(a, &kp_disk_real, "", dir);
    kp_err *err = count_files(j, ret_check, &ret_check->files);
    kp_journal_free(j);
    return err;
}
