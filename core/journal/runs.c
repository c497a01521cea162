/* runs: what runs there are and how each stands, read from their journals alone.
 *
 * The state of a run is what its last record says, unless a process has it open.  A run whose last
 * record says nothing about an end was interrupted: kplay was killed, or the machine went down.  A
 * damaged one is listed too: it may be unfinished, and who lists runs to see whether a cluster is
 * free must not be told that it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/inside.h"

#define READ_LIMIT ((size_t)2 << 30) /* memory for one journal while it is read */

const char *kp_journal_word_after(const kp_record *last)
{
    const char *via = kp_get_text(last->body, "via", "");
    if (last->kind == KP_K_ASK && kp_streq(via, "approve"))
        return "approved";
    bool settles = last->kind == KP_K_DONE || last->kind == KP_K_ERROR;
    return settles && kp_streq(via, "person") ? "settled" : NULL;
}

/* What the end of a journal says.  Notes say nothing; a torn record says that more was to come. */
static const char *state_of(const kp_journal_check *check)
{
    int64_t i = check->records - 1;
    while (i > 0 && check->rec[i].kind == KP_K_NOTE)
        i--;
    if (i < 0 || check->torn)
        return "interrupted";
    const kp_value *body = check->rec[i].body;
    const char *cls = kp_get_text(kp_get(body, "err"), "class", "");
    const char *word = kp_journal_word_after(&check->rec[i]);
    if (word)
        return word;
    switch (check->rec[i].kind) {
    case KP_K_PAUSE:
        return kp_get_text(body, "state", "paused");
    case KP_K_ERROR:
        return kp_streq(cls, "refused") || kp_streq(cls, "safety") ? "refused" : "failed";
    default:
        return "interrupted";
    }
}

static const kp_record *close_record(const kp_journal_check *check)
{
    for (int64_t i = check->records - 1; i >= 0; i--)
        if (check->rec[i].kind == KP_K_CLOSE)
            return &check->rec[i];
    return NULL;
}

/* A journal that is refused: what its first line says, when that is whole. */
static void read_first(kp_arena *a, const char *path, kp_journal_check *ret_check)
{
    KP_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *p = kp_alloc(a, KP_RECORD_LIMIT);
    ssize_t n = fd < 0 ? 0 : pread(fd, p, KP_RECORD_LIMIT, 0);
    char *newline = n > 0 ? memchr(p, '\n', (size_t)n) : NULL;
    if (newline)
        kp_err_drop(kp_journal_scan_bytes(a, path, p, (size_t)(newline - p) + 1, ret_check));
}

static kp_run_info read_run(kp_arena *a, const char *runs, const char *run)
{
    KP_AUTO_ARENA tmp = kp_arena_new("the journal of a run", READ_LIMIT);
    const char *path = kp_printf(tmp, "%s/%s/journal.jsonl", runs, run);
    kp_run_info info = { .run = kp_strdup(a, run), .state = "damaged" };
    kp_journal_check check = { 0 };
    kp_holder holder;
    kp_err *err = kp_journal_scan(tmp, path, &check);
    if (err)
        read_first(tmp, path, &check);
    else
        info.state = kp_strdup(a, state_of(&check));
    const kp_record *end = err ? NULL : close_record(&check);
    bool never_began = !err && check.records == 0; /* nothing is done before the first record */
    kp_err_drop(err);
    if (end) {
        info.finished = true;
        info.state = kp_strdup(a, kp_get_text(end->body, "state", "done"));
    } else if (kp_lock_held(kp_printf(tmp, "%s/%s/lock", runs, run), &holder)) {
        info.state = "open";
        info.pid = holder.pid;
    } else if (never_began) {
        info.state = "not begun";
        info.finished = true;
    }
    const kp_value *open_body = check.records ? check.rec[0].body : NULL;
    info.playbook = kp_strdup(a, kp_get_text(open_body, "playbook", ""));
    info.cluster = kp_strdup(a, kp_get_text(open_body, "cluster", ""));
    info.records = check.records;
    if (check.records) {
        info.opened = check.rec[0].t;
        info.last = check.rec[check.records - 1].t;
    }
    return info;
}

static int newest_first(const void *pa, const void *pb)
{
    const kp_run_info *a = pa, *b = pb;
    if (a->opened != b->opened)
        return a->opened < b->opened ? 1 : -1;
    return strcmp(b->run, a->run);
}

kp_err *kp_runs_list(kp_arena *a, const char *runs, kp_run_info **ret_runs, size_t *ret_n)
{
    DIR *dir = opendir(runs);
    if (!dir && errno != ENOENT)
        return kp_err_at(kp_err_new(KP_CONFIG, "see that this user may read there",
                                    "cannot be opened: %s", strerror(errno)),
                         "%s", runs);
    size_t n = 0, cap = 0;
    kp_run_info *list = NULL;
    for (struct dirent *e; dir && n < KP_RUNS_LIMIT && (e = readdir(dir));) {
        KP_AUTO_ARENA tmp = kp_arena_new("the name of a run", 64u * 1024);
        if (!kp_run_name_ok(e->d_name) ||
            access(kp_printf(tmp, "%s/%s/journal.jsonl", runs, e->d_name), F_OK) != 0)
            continue;
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            list = kp_realloc(list, cap * sizeof *list);
        }
        list[n++] = read_run(a, runs, e->d_name);
    }
    if (dir)
        closedir(dir);
    if (n)
        qsort(list, n, sizeof *list, newest_first);
    *ret_runs = kp_memdup(a, list, n * sizeof *list);
    *ret_n = n;
    free(list);
    return NULL;
}

size_t kp_runs_newest(kp_arena *a, const char *runs, size_t most, const char ***ret_names)
{
    const char **names = KP_NEW_ARRAY(a, most + 1, const char *);
    struct timespec *written = KP_NEW_ARRAY(a, most + 1, struct timespec);
    DIR *dir = opendir(runs);
    size_t n = 0, seen = 0;
    for (struct dirent *e; dir && seen < KP_RUNS_LIMIT && (e = readdir(dir)); seen++) {
        KP_AUTO_ARENA tmp = kp_arena_new("the name of a run", 64u * 1024);
        struct stat st;
        if (!kp_run_name_ok(e->d_name) ||
            stat(kp_printf(tmp, "%s/%s/journal.jsonl", runs, e->d_name), &st) != 0)
            continue;
        size_t at = n; /* kept sorted: one place is free behind the last */
        for (; at > 0 && (written[at - 1].tv_sec < st.st_mtim.tv_sec ||
                          (written[at - 1].tv_sec == st.st_mtim.tv_sec &&
                           written[at - 1].tv_nsec < st.st_mtim.tv_nsec));
             at--) {
            names[at] = names[at - 1];
            written[at] = written[at - 1];
        }
        names[at] = kp_strdup(a, e->d_name);
        written[at] = st.st_mtim;
        n += n < most;
    }
    if (dir)
        closedir(dir);
    *ret_names = names;
    return n;
}
