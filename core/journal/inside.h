/* inside: what the files of this room share.  No other room includes it.
 *
 *   disk.c     the real disk, and the one way anything is put on a disk: whole and synced, or
 *              "no room", or the end of the process
 *   lock.c     OFD locks that can say who holds them
 *   store.c    texts under their own SHA-256 beside the journal: results and sources
 *   journal.c  the format; one record: made, chained, appended
 *   scan.c     the verifier
 *   rundir.c   a run's directory: made, opened, repaired
 *   runs.c     the list of runs
 */
#ifndef KP_JOURNAL_INSIDE_H
#define KP_JOURNAL_INSIDE_H

#include <openssl/evp.h>

#include "journal/journal.h"

#define KP_JOURNAL_FORMAT 1
#define KP_LINK_BYTES 16                  /* of SHA-256, kept of each link */
#define KP_LINK_TEXT (2 * KP_LINK_BYTES)
#define KP_LINE_TAIL (6 + KP_LINK_TEXT + 2) /* ,"h":" + link + "}  */
#define KP_TIME_TEXT 24                   /* 2026-11-22T05:00:00.012Z */
#define KP_RESERVE_BYTES (64 * 1024)      /* room for the last records on a full disk */

/* A file descriptor that is closed with the block it is declared in. */
void kp_fd_auto_(int *fd);
#define KP_AUTO_FD __attribute__((cleanup(kp_fd_auto_))) int

/* ---- disk.c ---- */

/* Writes all and syncs.  True: it is on disk.  False: there was no room, errno says how; what was
 * written of it may lie behind the old end of the file.  Anything worse ends the process; `path`
 * is for its last words. */
bool kp_disk_put(const kp_disk *d, int fd, const char *path, const void *p, size_t n);

/* A whole new file by open(2) flags, put and synced; no part of it stays when there is no room.
 * KP_PAUSED: no room.  KP_CONFIG: it cannot be opened. */
kp_err *kp_disk_file(const kp_disk *d, const char *path, int flags, const void *p, size_t n);

void kp_disk_sync(const kp_disk *d, int fd, const char *path); /* or ends the process */
void kp_disk_cut(const kp_disk *d, int fd, const char *path, int64_t size); /* the same */
kp_err *kp_disk_rename(const kp_disk *d, const char *from, const char *to); /* as kp_disk_file */
kp_err *kp_disk_sync_dir(const kp_disk *d, const char *dir);  /* the names in it are on disk */
kp_err *kp_disk_make_dirs(const kp_disk *d, const char *dir); /* with those above it, synced */

/* A whole file, as long as the buffer may be.  KP_REFUSED naming the byte where reading failed. */
kp_err *kp_disk_read(int fd, const char *path, kp_buf *out);

/* The name of the file system of this statfs(2) type when it does not keep what a journal needs
 * (a sync that means the disk, locks that mean this machine), otherwise NULL. */
const char *kp_disk_unfit(uint64_t statfs_type);
kp_err *kp_disk_fit(const char *dir);

/* ---- lock.c ---- */

#define KP_HOLDER_LIMIT 128

/* What the holder of a lock wrote into its file.  Only for people: the lock is the kernel's. */
typedef struct kp_holder {
    int pid;           /* 0 when the text does not fit a process that lives here and now */
    char since[32];
    char who[KP_HOLDER_LIMIT];
} kp_holder;

kp_err *kp_lock_take(const char *path, const char *who, const char *what, int *ret_fd);
bool kp_lock_held(const char *path, kp_holder *ret_holder); /* without taking it */

/* ---- journal.c ---- */

typedef struct kp_chain {
    EVP_MD_CTX *md;
    unsigned char link[KP_LINK_BYTES]; /* the newest; zero before record 1 */
} kp_chain;
void kp_chain_init(kp_chain *c);
void kp_chain_done(kp_chain *c);
void kp_chain_next(const kp_chain *c, const char *p, size_t n,
                   unsigned char ret_link[KP_LINK_BYTES]);
void kp_chain_text(const unsigned char link[KP_LINK_BYTES], char ret_text[KP_LINK_TEXT + 1]);

/* Hashing in pieces: begin, feed, and the link as it would be if the bytes ended here. */
void kp_chain_begin(const kp_chain *c);
void kp_chain_feed(const kp_chain *c, const char *p, size_t n);
void kp_chain_peek(const kp_chain *c, EVP_MD_CTX *spare, unsigned char ret_link[KP_LINK_BYTES]);

typedef struct kp_kept { /* a source text of a memory journal */
    const char *sha, *text;
    size_t n;
    struct kp_kept *next;
} kp_kept;

struct kp_journal {
    kp_arena *a;          /* the caller's: records, names */
    kp_arena *scratch;    /* of one append */
    const kp_disk *d;     /* NULL in memory */
    const char *run;
    const char *dir;      /* NULL in memory; <run>.tmp until the rename */
    const char *path;     /* of journal.jsonl */
    int fd, lock_fd;      /* -1 in memory */
    int64_t n;
    int64_t size;         /* bytes of whole, synced lines */
    kp_chain chain;
    char head[KP_LINK_TEXT + 1];
    kp_buf line;
    const kp_record **rec;
    int64_t readable, rec_cap;
    const kp_value *sources; /* map: name -> sha256 */
    kp_kept *kept;        /* in memory only */
    const char *lost;     /* how the file was lost; NULL: it is there */
    bool stopped;         /* the disk was full: no more appends */
    int64_t crash_after, crash_in; /* KPLAY_CRASH: record numbers, 0 for none */
    int64_t killed_after; /* in memory only: nothing is taken after that record; 0: all is */
};

/* Everything but the file; `run` and `dir` are copied, `dir` is NULL in memory. */
kp_journal *kp_journal_new(kp_arena *a, const kp_disk *d, const char *run, const char *dir);
void kp_journal_moved(kp_journal *j, const char *dir); /* after a rename */
void kp_journal_learn(kp_journal *j, const kp_record *rec); /* readable from now on */
kp_err *kp_journal_crash_hook(kp_journal *j);
void kp_journal_crash(int64_t asked, int64_t n);
/* `body` with the keys that an open record has from this room. */
const kp_value *kp_journal_open_body(const kp_journal *j, const kp_value *body,
                                     const kp_value *sources);

/* ---- store.c ---- */

#define KP_BLOBS "blobs"
#define KP_SOURCES "sources"
/* Under its name only when whole and synced; its name is on disk after a kp_disk_sync_dir. */
kp_err *kp_store_put(const kp_journal *j, const char *folder, const char *sha, const void *p,
                     size_t n);
/* KP_REFUSED when it is gone or is not what its name says. */
kp_err *kp_store_get(kp_arena *a, const kp_journal *j, const char *folder, const char *sha,
                     char **ret_text, size_t *ret_n);
/* Stores the texts; the map of `sources`.  The folder is synced. */
kp_err *kp_store_sources(kp_arena *a, kp_journal *j, const kp_source *sources, size_t n_sources,
                         const kp_value **ret_map);

/* ---- rundir.c ---- */
bool kp_run_name_ok(const char *run);

#endif
