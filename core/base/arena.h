/* Arenas: memory by lifetime.  Three are used by a run: step, run and view. */
#ifndef KP_BASE_ARENA_H
#define KP_BASE_ARENA_H

#include "base/base.h"

typedef struct kp_arena kp_arena;

/* `name` (a literal) and `limit` in bytes are for the message when the limit is passed. */
kp_arena *kp_arena_new(const char *name, size_t limit);
void kp_arena_reset(kp_arena *a); /* everything in it is gone; its first block is kept */
void kp_arena_free(kp_arena *a);  /* takes NULL */
size_t kp_arena_used(const kp_arena *a);

/* Never NULL; zeroed; aligned for any type.  The array checks n * size. */
void *kp_alloc(kp_arena *a, size_t size);
void *kp_alloc_array(kp_arena *a, size_t n, size_t size);

char *kp_strdup(kp_arena *a, const char *s);            /* NULL stays NULL */
char *kp_strndup(kp_arena *a, const char *s, size_t n); /* n bytes as they are, and a NUL */
void *kp_memdup(kp_arena *a, const void *p, size_t n);
char *kp_printf(kp_arena *a, const char *fmt, ...) KP_PRINTF(2, 3);

#define KP_NEW(a, type) ((type *)kp_alloc((a), sizeof(type)))
#define KP_NEW_ARRAY(a, n, type) ((type *)kp_alloc_array((a), (n), sizeof(type)))

/* An arena that ends with the block it is declared in. */
static inline void kp_arena_auto_(kp_arena **a) { kp_arena_free(*a); }
#define KP_AUTO_ARENA __attribute__((cleanup(kp_arena_auto_))) kp_arena *

/* Plain heap for the few things that end earlier than any arena (sockets' buffers, sessions).
 * Never NULL.  Only base and the two worlds (with the rooms below them) may use these. */
void *kp_malloc(size_t size);
void *kp_realloc(void *p, size_t size);

/* Ends the process with exit code 1 and one line on stderr. */
void kp_die(const char *fmt, ...) KP_PRINTF(1, 2) KP_NORETURN;

#endif
