/* journal: the durable record of a run, and the directory it lives in.
 *
 * One JSON object a line, one write(2) and one fdatasync(2) a record, a SHA-256 chain over the raw
 * bytes.  Nothing is appended before the previous record is on disk, so a crash can damage the
 * last line only; format and validity conditions are at the top of journal.c.
 *
 * A run directory:
 *   <runs>/<run>/{journal.jsonl, lock, blobs/<sha256>, sources/<sha256>, reserve, torn.<n>}
 * It is built as <run>.tmp, synced, renamed, and its parent synced, before the first effect.
 * One writer, guarded by an OFD lock; readers need no lock.
 *
 * Bodies belong to the caller, but for these keys, to which this room gives a meaning:
 *   n t k h blob     of any record: reserved, a body must not have them
 *   r                of any record: the result; goes to a blob when the line would be too long
 *   fmt run sources  of `open`: added here (format, run name, name -> sha256 of each source)
 *   playbook cluster of `open`: names that kp_runs_list shows
 *   sources          of `change`: the map that kp_journal_keep returned; replaces texts by name,
 *                   or all of them when `whole` is true
 *   class            of `error`: kp_class_name(); "refused" and "safety" list as refused
 *   via              "approve" of `ask`, "person" of `done` and `error`: a word given while no
 *                    process had the run; it lists as approved, as settled
 *   state            of `close`: what kp_runs_list says of a closed run; "done" when left out
 */
#ifndef KP_JOURNAL_H
#define KP_JOURNAL_H

#include "value/value.h"

#define KP_RECORD_LIMIT (64u * 1024)  /* bytes of one line, newline included */
#define KP_BLOB_LIMIT KP_JSON_LIMIT   /* bytes of one result kept beside the journal */
#define KP_SOURCE_LIMIT (1u << 20)    /* bytes of one source text */
#define KP_JOURNAL_LIMIT (64u << 20)  /* bytes of one journal */
#define KP_RUN_NAME_LIMIT 100         /* bytes of a run name: letters, digits, '-', '_', '.' */
#define KP_RUNS_LIMIT 100000          /* runs in one list */

typedef enum kp_kind {
    KP_K_OPEN, KP_K_SESSION, KP_K_READ, KP_K_ASK, KP_K_INTENT, KP_K_WAIT, KP_K_NOTE, KP_K_DONE,
    KP_K_DOUBT, KP_K_CHANGE, KP_K_PAUSE, KP_K_ERROR, KP_K_CLOSE, KP_KINDS
} kp_kind;
const char *kp_kind_name(kp_kind k);

typedef struct kp_record {
    int64_t n;            /* 1, 2, 3, ... */
    kp_ms t;              /* UTC (world time of the run) */
    kp_kind kind;
    const kp_value *body; /* every other key: i call path, fn verb, a args, r result, ... */
} kp_record;

/* The disk as the journal sees it: six calls behind one table, so that tests can stand in a disk
 * that fails, tears and fills up.  Return values and errno as the system calls of the same name. */
typedef struct kp_disk {
    int (*open)(void *ud, const char *path, int flags, int mode);
    int64_t (*write)(void *ud, int fd, const void *p, size_t n);
    int (*sync)(void *ud, int fd); /* fdatasync; fsync for a directory */
    int (*rename)(void *ud, const char *from, const char *to);
    int (*truncate)(void *ud, int fd, int64_t size);
    int (*unlink)(void *ud, const char *path);
    void *ud;
} kp_disk;
extern const kp_disk kp_disk_real;

/* A person's file, outside of any run: whole, or as it was.  Written beside itself as
 * PATH.kplay-tmp, synced, renamed, its directory synced.  KP_CONFIG: it cannot be made there.
 * KP_PAUSED: no room. */
kp_err *kp_disk_replace(const kp_disk *d, const char *path, const void *p, size_t n) KP_MUST_USE;

typedef struct kp_journal kp_journal;

/* ---- a run's directory ---- */

/* A playbook, module or stdlib file that was loaded, by the name it was loaded under. */
typedef struct kp_source { const char *name, *text; size_t n; } kp_source;

/* Makes <runs>/<run> with its lock held and its `open` record written and synced; directories
 * above are made when missing, what a killed kplay left half made is removed.  Errors leave no run
 * behind: KP_USAGE (name, KPLAY_CRASH), KP_REFUSED (the run exists), KP_PLAYBOOK (a source or the
 * open record is too long), KP_CONFIG (the directory cannot be made, has no room, or is on a file
 * system that does not keep a journal's promises: NFS, CIFS, FUSE, unless KPLAY_RUNS_ANY_FS=1). */
kp_err *kp_journal_create(kp_arena *a, const kp_disk *d, const char *runs, const char *run,
                          kp_ms now, const kp_value *open_body, const kp_source *sources,
                          size_t n_sources, kp_journal **ret_j) KP_MUST_USE;

/* Takes the lock (KP_REFUSED with the holder named when another process has it), reads and
 * verifies everything, repairs a torn tail (saved as torn.<n>, n counting from 0).  The records
 * live in `a`.  KP_USAGE: no such run.  KP_REFUSED: damaged, or it never started. */
kp_err *kp_journal_open(kp_arena *a, const kp_disk *d, const char *runs, const char *run,
                        kp_journal **ret_j) KP_MUST_USE;

/* A journal in memory: no directory, no lock, no sync; same bytes and chain.  For rehearsals,
 * checks and benches.  The run's name is `run` of open_body.  An open record that is too long ends
 * the process. */
kp_journal *kp_journal_memory(kp_arena *a, kp_ms now, const kp_value *open_body,
                              const kp_source *sources, size_t n_sources);

/* Of a journal in memory: right after record n it is as if the process had been killed, so nothing
 * is taken any more and whoever appends gets KP_PAUSED, with record n itself already; 0: as if
 * another process had opened it since. */
void kp_journal_kill_after(kp_journal *j, int64_t n);
bool kp_journal_killed(const kp_journal *j);

void kp_journal_free(kp_journal *j); /* releases the lock; takes NULL; before its arena goes */

/* Appends one record and does not return before it is on disk.
 *   KP_PAUSED:   its file was removed, or somebody else wrote into it: nothing is written.  Or the
 *                disk is full or the write was short: the journal is back at its last whole
 *                record, a pause record was written from the reserve if that was possible; nothing
 *                more can be appended by this process.
 *   KP_PLAYBOOK: too long.  A line longer than KP_RECORD_LIMIT gives its longest value to a blob
 *                when that is enough; beyond that, beyond KP_BLOB_LIMIT, and in a journal near
 *                KP_JOURNAL_LIMIT the answer is "ask for less", and nothing is written.
 *   KP_CONFIG:   the file of a blob cannot be made; nothing is written.
 *   KP_INTERNAL: the body is no map or has a reserved key.
 * A failed sync or EIO ends the process at once with exit 1: what is on disk is not known, so
 * nothing may follow. */
kp_err *kp_journal_append(kp_journal *j, kp_kind kind, kp_ms now, const kp_value *body) KP_MUST_USE;

const char *kp_journal_run(const kp_journal *j);  /* run name */
const char *kp_journal_dir(const kp_journal *j);  /* directory, NULL in memory */
int64_t kp_journal_n(const kp_journal *j);        /* records so far */
const char *kp_journal_head(const kp_journal *j); /* 32 hex digits: the chain's newest link */

/* A readable record, from 1 on, result blobs resolved; NULL for any other.  Readable are: all of a
 * memory journal, those found by kp_journal_open, and the open record of a new run. */
const kp_record *kp_journal_at(const kp_journal *j, int64_t n);

/* The sources that are stored: a map, name -> sha256. */
const kp_value *kp_journal_sources(const kp_journal *j);
/* The stored text of a source by the name it was loaded under; NULL when absent.  KP_REFUSED when
 * the stored text is gone or was changed. */
kp_err *kp_journal_source(kp_arena *a, const kp_journal *j, const char *name,
                          const char **ret_text, size_t *ret_n) KP_MUST_USE;

/* Stores the texts of an accepted change, synced, and returns what `sources` of its `change`
 * record must be; they count once that record is appended.  Errors change nothing: KP_PLAYBOOK (one
 * is too long), KP_PAUSED (no room), KP_CONFIG (a file cannot be made). */
kp_err *kp_journal_keep(kp_arena *a, kp_journal *j, const kp_source *sources, size_t n_sources,
                        const kp_value **ret_sources) KP_MUST_USE;

/* ---- without writing ---- */

/* Reads and verifies a run that may be anybody's: takes no lock and changes nothing; a torn last
 * line stays where it is and is none of the records.  What was read is readable, its results and
 * sources too; nothing can be appended.  Errors as kp_journal_open's, but for the lock. */
kp_err *kp_journal_look(kp_arena *a, const char *runs, const char *run,
                        kp_journal **ret_j) KP_MUST_USE;

typedef struct kp_journal_check {
    int64_t records;
    const char *head;
    bool torn;             /* the last line is torn; the records before it are whole */
    int64_t torn_bytes;
    const kp_record *rec;  /* all records; results in blobs are not resolved: key blob, no key r */
    int64_t files;         /* kp_journal_verify: blobs and sources that are as they are named; -1:
                              no folder of sources is beside it */
} kp_journal_check;
/* KP_REFUSED with file:line when a line that is not the last is bad, or the last in a way that no
 * torn write leaves behind. */
kp_err *kp_journal_scan(kp_arena *a, const char *path, kp_journal_check *ret_check) KP_MUST_USE;
kp_err *kp_journal_scan_bytes(kp_arena *a, const char *name, const char *p, size_t n,
                              kp_journal_check *ret_check) KP_MUST_USE;

/* The scan, and every blob and source that the journal names, where it lies in its run's directory.
 * KP_REFUSED: as kp_journal_scan, no record is in it, a file is gone or was changed. */
kp_err *kp_journal_verify(kp_arena *a, const char *path, kp_journal_check *ret_check) KP_MUST_USE;

/* What a person has done to the run since its last session, when this is its last record:
 * "approved", "settled", or NULL. */
const char *kp_journal_word_after(const kp_record *last);

typedef struct kp_run_info {
    const char *run;
    const char *playbook, *cluster; /* "" when not known */
    kp_ms opened, last;
    const char *state; /* "done", "paused", "approved", "settled", "failed", "refused",
                          "superseded",
                          "interrupted" (ended without a word), "open" (locked by pid),
                          "not begun" (its first record is not whole: nothing was done),
                          "damaged" (kp_journal_scan refuses it; only the open record was read) */
    int pid;           /* of the holder when open; 0 when not known */
    int64_t records;
    bool finished;     /* closed for good */
} kp_run_info;
/* Newest first; directories that are no runs are left out.  A directory that is not there has no
 * runs. */
kp_err *kp_runs_list(kp_arena *a, const char *runs, kp_run_info **ret_runs,
                     size_t *ret_n) KP_MUST_USE;

/* Names of the runs whose journals were written to last, newest first, at most so many; no journal
 * is read.  Gives their number. */
size_t kp_runs_newest(kp_arena *a, const char *runs, size_t most, const char ***ret_names);

/* The lock of a cluster: one process acts on a cluster at a time (OFD lock on
 * <runs>/.cluster-<id>.lock, other bytes of the id than those of a run name as %XX).  `holder` says
 * who, for the refusal of others.  KP_REFUSED names the holder.  The descriptor is close-on-exec
 * and lives until the process ends or kp_lock_drop. */
kp_err *kp_cluster_lock(const char *runs, const char *cluster_id, const char *holder,
                        int *ret_fd) KP_MUST_USE;
void kp_lock_drop(int fd);

/* Test hook, compiled in always: KPLAY_CRASH="record:N" kills this process (SIGKILL) right after
 * record N is on disk (record 1: when the run directory is); "torn:N" in the middle of writing it.
 * Crash sweeps use it.  Journals in memory ignore it. */

#endif
