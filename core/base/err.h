/* Errors: what went wrong, where, and what to do next.
 *
 * An error has one owner, who returns it, wraps it, prints it or drops it.  It is one heap block
 * with its texts inside; kp_err_drop frees it and its causes and takes NULL.
 */
#ifndef KP_BASE_ERR_H
#define KP_BASE_ERR_H

#include "base/base.h"

/* The class decides the exit code (kp_err_exit_code), by one table. */
typedef enum kp_class {
    KP_INTERNAL = 1, /* a bug in kplay                                        exit 1  */
    KP_USAGE,        /* wrong command line                                    exit 2  */
    KP_CONFIG,       /* wrong cluster file                                    exit 2  */
    KP_PLAYBOOK,     /* wrong playbook                                        exit 2  */
    KP_REFUSED,      /* a check or a person said no; the run may be resumed   exit 3  */
    KP_SAFETY,       /* the guard said no; the run may be resumed             exit 3  */
    KP_WARNED,       /* what only looks ended well, and warned                exit 5  */
    KP_FAILED,       /* a step failed; a node may need a person               exit 4  */
    KP_CLUSTER,      /* the cluster does not answer or does not allow it      exit 6  */
    KP_HOST,         /* a host does not answer or does not allow it           exit 6  */
    KP_PAUSED,       /* paused by a person, an ask or a full disk             exit 75 */
    KP_DETACHED,     /* a person left while an action was under way           exit 76 */
} kp_class;

typedef struct kp_err {
    kp_class cls;
    bool retriable;      /* set where the fact is known, never guessed above */
    bool certain;        /* of an action, too: nothing was done by it, and nothing will be */
    const char *where;   /* "file:line:col", a node, a topic-partition; "" when there is no place */
    const char *from;    /* "file:line" of the playbook that led there, when `where`, or whatever
                            raised it, is in the stdlib; "" else */
    const char *what;    /* one line, no full stop */
    const char *next;    /* what the reader can do; never empty */
    const char *detail;  /* more lines (a caret, a diff, a list), each ended by \n; "" for none */
    struct kp_err *cause;
} kp_err;

/* A new error.  `next` says what to do and is not optional. */
kp_err *kp_err_new(kp_class cls, const char *next, const char *fmt, ...) KP_PRINTF(3, 4);

/* Texts are cut, and say by how much, at 4 KiB (what, next), 1 KiB (where, from) and 16 KiB
 * (detail): an error fits on a screen and into a record. */

/* The same error with a place, where it was called from, more lines, a cause (taken over), a mark,
 * another class, another next.  Each returns its first argument's successor: e = kp_err_at(e, ...).
 * NULL stays NULL, but kp_err_because(NULL, cause) is the cause; a second cause goes behind the
 * first. */
kp_err *kp_err_at(kp_err *e, const char *fmt, ...) KP_PRINTF(2, 3);
kp_err *kp_err_from(kp_err *e, const char *fmt, ...) KP_PRINTF(2, 3);
kp_err *kp_err_detail(kp_err *e, const char *fmt, ...) KP_PRINTF(2, 3);
kp_err *kp_err_because(kp_err *e, kp_err *cause);
kp_err *kp_err_retriable(kp_err *e);
kp_err *kp_err_certain(kp_err *e);
kp_err *kp_err_class(kp_err *e, kp_class cls);
kp_err *kp_err_next(kp_err *e, const char *fmt, ...) KP_PRINTF(2, 3);

kp_err *kp_err_copy(const kp_err *e); /* NULL stays NULL */
void kp_err_drop(kp_err *e);

const char *kp_class_name(kp_class cls);             /* "usage", "config", ... */
bool kp_class_parse(const char *name, kp_class *ret_cls);
int kp_err_exit_code(const kp_err *e);               /* 0 for NULL */

/* The whole error as people read it, control bytes escaped, without a trailing newline:
 *   kplay: WHERE: WHAT
 *     detail lines
 *   from  FROM           (of a mistake in a script: who wrote the playbook looks there)
 *   why   CAUSE          (one line per cause)
 *   next  NEXT                                                                                   */
char *kp_err_text(kp_arena *a, const kp_err *e);

#define KP_TRY(expr)                        \
    do {                                    \
        kp_err *kp_try_error_ = (expr);     \
        if (kp_try_error_)                  \
            return kp_try_error_;           \
    } while (0)

#endif
