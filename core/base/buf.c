/* Growable bytes, for text and for wire messages.
 *
 * The limit is part of the buffer, so that no input can make one grow without end.  Bytes that do
 * not fit are dropped and remembered as `overflow`: what is in the buffer is then a true prefix of
 * what was added, and stays one, because nothing is added any more until it is cleared.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many of `n` bytes fit; there is room for them and a NUL when it returns. */
static size_t reserve(kp_buf *b, size_t n)
{
    if (b->overflow)
        return 0;
    if (n > b->limit - b->n) {
        b->overflow = true;
        n = b->limit - b->n;
    }
    if (b->n + n >= b->cap) {
        size_t cap = b->cap * 2 > 64 ? b->cap * 2 : 64;
        if (cap < b->n + n + 1)
            cap = b->n + n + 1;
        if (cap > b->limit)
            cap = b->limit + 1;
        b->p = kp_realloc(b->p, cap);
        b->cap = cap;
    }
    return n;
}

void kp_buf_add(kp_buf *b, const void *p, size_t n)
{
    n = reserve(b, n);
    if (n == 0)
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void kp_buf_str(kp_buf *b, const char *s)
{
    kp_buf_add(b, s, strlen(s));
}

void kp_buf_chr(kp_buf *b, char c)
{
    if (reserve(b, 1) == 0)
        return;
    b->p[b->n++] = c;
    b->p[b->n] = '\0';
}

void kp_buf_fmt(kp_buf *b, const char *fmt, ...)
{
    char small[256];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0)
        kp_die("a text could not be formatted: %s", fmt);
    if ((size_t)n < sizeof small) {
        kp_buf_add(b, small, (size_t)n);
    } else if (!b->overflow) {
        char *large = kp_malloc((size_t)n + 1);
        vsnprintf(large, (size_t)n + 1, fmt, again);
        kp_buf_add(b, large, (size_t)n);
        free(large);
    }
    va_end(again);
}

void kp_buf_cut(kp_buf *b, size_t n)
{
    if (n >= b->n) {
        n = b->n;
        b->n = 0;
    } else {
        b->n -= n;
        memmove(b->p, b->p + n, b->n);
    }
    if (b->p)
        b->p[b->n] = '\0';
}

void kp_buf_clear(kp_buf *b)
{
    b->n = 0;
    b->overflow = false;
    if (b->p)
        b->p[0] = '\0';
}

void kp_buf_done(kp_buf *b)
{
    free(b->p);
    *b = KP_BUF_INIT(b->limit);
}

const char *kp_buf_text(const kp_buf *b)
{
    return b->n ? b->p : "";
}
