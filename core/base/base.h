/* base: what every room stands on.
 *
 * Errors, arenas, growable bytes, the log, the loop and small string helpers.  Nothing here knows
 * Kafka, Lua or a run.  Everything is for one thread: kplay has no threads of its own.
 *
 * Two promises hold everywhere in kplay:
 *   - A function that can fail returns `kp_err *`; NULL is success.  Its outputs are named ret_x,
 *     come last, and are untouched on failure.
 *   - A function that builds takes the arena first, and what it returns lives as long as the arena.
 *     Out of memory, and an arena past its limit, end the process with exit code 1: the journal
 *     makes that safe.
 */
#ifndef KP_BASE_H
#define KP_BASE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_MUST_USE __attribute__((warn_unused_result))
#define KP_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define KP_NORETURN __attribute__((noreturn))
#define KP_UNUSED __attribute__((unused))
#define KP_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Milliseconds: a duration, or a point in time (UTC since 1970, or monotonic, as the name says). */
typedef int64_t kp_ms;
#define KP_SECOND ((kp_ms)1000)
#define KP_MINUTE (60 * KP_SECOND)
#define KP_HOUR (60 * KP_MINUTE)
#define KP_NEVER INT64_MAX

/* A node's id, or nobody's.  0 is an id like any other, so no id stands for "none": whoever may be
 * absent is one of these, and all zero is absent. */
typedef struct kp_maybe_id {
    bool is;
    int id; /* when `is` */
} kp_maybe_id;
#define KP_NOBODY ((kp_maybe_id) { 0 })
static inline kp_maybe_id kp_somebody(int id)
{
    return (kp_maybe_id) { .is = true, .id = id };
}
static inline bool kp_is_node(kp_maybe_id who, int id)
{
    return who.is && who.id == id;
}

/* Named here so that every header compiles alone. */
typedef struct kp_arena kp_arena;
typedef struct kp_buf kp_buf;
typedef struct kp_err kp_err;

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/text.h"

#endif
