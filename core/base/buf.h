/* Growable bytes.  Every buffer names its limit when it is made; passing it is remembered as
 * `overflow` (further bytes are dropped), so that the writer checks once, at the end. */
#ifndef KP_BASE_BUF_H
#define KP_BASE_BUF_H

#include "base/base.h"

typedef struct kp_buf {
    char *p;       /* always NUL-terminated once anything was added; NULL before */
    size_t n;      /* bytes, without the NUL */
    size_t cap;
    size_t limit;
    bool overflow;
} kp_buf;

#define KP_BUF_INIT(limit_) ((kp_buf){ .limit = (limit_) })

void kp_buf_add(kp_buf *b, const void *p, size_t n);
void kp_buf_str(kp_buf *b, const char *s);
void kp_buf_chr(kp_buf *b, char c);
void kp_buf_fmt(kp_buf *b, const char *fmt, ...) KP_PRINTF(2, 3);
void kp_buf_cut(kp_buf *b, size_t n);        /* drop the first n bytes */
void kp_buf_clear(kp_buf *b);                /* empty, memory kept */
void kp_buf_done(kp_buf *b);                 /* memory freed, usable again */
const char *kp_buf_text(const kp_buf *b);    /* "" when empty */

static inline void kp_buf_auto_(kp_buf *b) { kp_buf_done(b); }
#define KP_AUTO_BUF __attribute__((cleanup(kp_buf_auto_))) kp_buf

#endif
