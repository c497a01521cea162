/* A disk that fails, tears, fills up and loses power, and what every test of a journal needs.
 *
 * The fault disk counts the calls that go through a kp_disk table and, at a chosen one, fails or
 * kills the process.  It also remembers what a power cut may take away: bytes that were not synced,
 * names and renames whose directory was not.  The memory of it is shared with forked children, so
 * that the parent can cut the power of a child that was killed.
 */
#ifndef KP_TEST_WITH_DISK_H
#define KP_TEST_WITH_DISK_H

#include "journal/journal.h"

typedef enum act { ACT_OPEN, ACT_WRITE, ACT_SYNC, ACT_RENAME, ACT_TRUNCATE, ACT_UNLINK, ACTS } act;
typedef enum moment { BEFORE, MIDDLE, AFTER, MOMENTS } moment; /* MIDDLE: of a write */

enum { PATH_SIZE = 512, FILES = 64, DESCRIPTORS = 256 };

typedef struct fault_file {
    char path[PATH_SIZE];
    int64_t size, synced; /* bytes in the file; of them on disk */
    bool named;           /* its name is on disk */
} fault_file;

typedef struct fault_move { char from[PATH_SIZE], to[PATH_SIZE]; } fault_move;

/* All of it in memory that is shared with children. */
typedef struct fault {
    act on;           /* fail the calls of this kind ... */
    int nth;          /* ... from this one on, 1 being the next; 0 for never */
    int times;        /* ... so often */
    int err;          /* ... with this errno, or 0 for a short write of `cut` bytes */
    int64_t cut;
    bool full;        /* besides, the first write takes `cut` bytes and has no room for more */
    int kill_at;      /* kill the process at this call, of any kind; 0 for never */
    moment when;

    int calls, of[ACTS];
    int after_fault;  /* calls that came after the first failure */
    int acked;        /* kept by the test: records the caller was told of */
    fault_file file[FILES];
    fault_move move[FILES]; /* renames that are not on disk yet */
    int files, moves;
    int by_fd[DESCRIPTORS]; /* 1 + index into file, 0 for none */
    char dir_of_fd[DESCRIPTORS][PATH_SIZE];
} fault;

fault *fault_new(void);
void fault_free(fault *f);
void fault_reset(fault *f); /* no fault, nothing counted, nothing remembered */
kp_disk fault_disk(fault *f);

/* Everything that was not synced goes. */
void power_cut(const fault *f);

/* A directory of its own under $TMPDIR or /tmp, and its end. */
char *dir_new(void);
void dir_free(char *dir);

char *file_read(const char *path, size_t *ret_n); /* malloc'd, NUL behind; NULL when not there */
void file_write(const char *path, const void *p, size_t n);
bool file_exists(const char *path);

/* Fail the test with the error's text; each drops the error. */
#define OK(expr) ok_((expr), __FILE__, __LINE__)
#define ERROR(expr, cls, part) error_((expr), (cls), (part), __FILE__, __LINE__)
void ok_(kp_err *err, const char *file, int line);
void error_(kp_err *err, kp_class cls, const char *part, const char *file, int line);

/* Runs fn in a child that has no stderr.  The wait status. */
int in_child(void (*fn)(void *ud), void *ud);
bool exited(int status, int code);
bool killed(int status);

/* A run of twelve records of all kinds, and record i of it (1-based) for others to compare. */
enum { SAMPLE = 12 };
extern const kp_ms sample_time;
kp_kind sample_kind(int64_t n);
const kp_value *sample_body(kp_arena *a, int64_t n); /* NULL where a record has none */
kp_err *sample_append(kp_journal *j, int64_t n);
kp_err *sample_create(kp_arena *a, const kp_disk *d, const char *runs, const char *run,
                      kp_journal **ret_j);
void sample_compare(const kp_record *rec, int64_t n); /* fails the test */

#endif
