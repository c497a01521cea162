/* Arenas: memory that is given back all at once.
 *
 * An arena is a list of blocks; an allocation moves a mark forward in the newest block, so it costs
 * a few instructions and is never freed by itself.  Each thing in kplay lives as long as a step, a
 * run or a view, and whoever ends that lifetime resets or frees the arena.  In a build with
 * AddressSanitizer everything in a block that was not handed out is poisoned, with a gap behind
 * each allocation: an overrun, or a use after a reset, is reported as it would be for malloc.
 *
 * Out of memory, and an arena past its limit, are not errors that callers handle: the process ends
 * with exit code 1, and the journal makes resuming safe.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON 1
#endif
#endif

#ifdef POISON
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#define GAP ((size_t)ALIGN)
#else
#define HIDE(p, n) ((void)0)
#define SHOW(p, n) ((void)0)
#define GAP ((size_t)0)
#endif

enum {
    ALIGN = 16,              /* suits every type */
    FIRST_BLOCK = 8 * 1024,  /* allocated with the arena, kept by a reset */
    LARGEST_BLOCK = 1 << 20, /* blocks double up to this; larger allocations have their own */
};

typedef struct block {
    struct block *next; /* older */
    size_t size, used;  /* bytes of data */
    _Alignas(ALIGN) char data[];
} block;

struct kp_arena {
    const char *name;
    size_t limit, used;
    block *newest; /* the list ends with `first` */
    block first;
};

_Static_assert(sizeof(block) % ALIGN == 0, "data is aligned");
_Static_assert(sizeof(kp_arena) % ALIGN == 0, "data of the first block is aligned");

void kp_die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fflush(stdout);
    fputs("kplay: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    fflush(stderr);
    _exit(1);
}

void *kp_malloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        kp_die("out of memory (%zu bytes); free some and resume the run", size);
    return p;
}

void *kp_realloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);
    if (!q)
        kp_die("out of memory (%zu bytes); free some and resume the run", size);
    return q;
}

kp_arena *kp_arena_new(const char *name, size_t limit)
{
    kp_arena *a = kp_malloc(sizeof *a + FIRST_BLOCK);
    a->name = name;
    a->limit = limit;
    a->used = 0;
    a->newest = &a->first;
    a->first = (block){ .next = NULL, .size = FIRST_BLOCK, .used = 0 };
    HIDE(a->first.data, FIRST_BLOCK);
    return a;
}

void kp_arena_reset(kp_arena *a)
{
    while (a->newest != &a->first) {
        block *b = a->newest;
        a->newest = b->next;
        SHOW(b->data, b->size);
        free(b);
    }
    a->first.used = 0;
    a->used = 0;
    HIDE(a->first.data, a->first.size);
}

void kp_arena_free(kp_arena *a)
{
    if (!a)
        return;
    kp_arena_reset(a);
    SHOW(a->first.data, a->first.size);
    free(a);
}

size_t kp_arena_used(const kp_arena *a)
{
    return a->used;
}

/* A block with room for `size` bytes.  One made for a large allocation alone goes behind the
 * newest, whose rest stays in use. */
static block *block_for(kp_arena *a, size_t size)
{
    size_t next = a->newest->size < LARGEST_BLOCK ? a->newest->size * 2 : LARGEST_BLOCK;
    bool alone = size > next / 2;
    size_t bytes = alone ? size : next;
    block *b = kp_malloc(sizeof *b + bytes);
    b->size = bytes;
    b->used = 0;
    HIDE(b->data, bytes);
    if (alone && a->newest != &a->first) {
        b->next = a->newest->next;
        a->newest->next = b;
    } else {
        b->next = a->newest;
        a->newest = b;
    }
    return b;
}

static KP_NORETURN void past_limit(const kp_arena *a)
{
    kp_die("memory for %s passed its limit of %zu bytes (a bug in kplay, or a cluster far larger "
           "than it was made for)",
           a->name, a->limit);
}

void *kp_alloc(kp_arena *a, size_t size)
{
    if (size > a->limit || a->limit - size < a->used)
        past_limit(a);
    size_t step = (size + GAP + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    block *b = a->newest;
    if (b->size - b->used < step)
        b = block_for(a, step);
    char *p = b->data + b->used;
    b->used += step;
    a->used += size;
    SHOW(p, size);
    memset(p, 0, size);
    return p;
}

void *kp_alloc_array(kp_arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        past_limit(a);
    return kp_alloc(a, bytes);
}

char *kp_strdup(kp_arena *a, const char *s)
{
    return s ? kp_strndup(a, s, strlen(s)) : NULL;
}

char *kp_strndup(kp_arena *a, const char *s, size_t n)
{
    char *p = kp_alloc(a, n + 1);
    if (n)
        memcpy(p, s, n);
    return p;
}

void *kp_memdup(kp_arena *a, const void *p, size_t n)
{
    void *q = kp_alloc(a, n);
    if (n)
        memcpy(q, p, n);
    return q;
}

char *kp_printf(kp_arena *a, const char *fmt, ...)
{
    char small[256];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0)
        kp_die("a text could not be formatted: %s", fmt);
    char *p = kp_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof small)
        memcpy(p, small, (size_t)n);
    else
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}
