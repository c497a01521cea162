/* Small text helpers shared by every room: one spelling for each thing people read. */
#ifndef KP_BASE_TEXT_H
#define KP_BASE_TEXT_H

#include "base/base.h"

bool kp_streq(const char *a, const char *b); /* NULL equals only NULL */
bool kp_starts_with(const char *s, const char *prefix);
bool kp_ends_with(const char *s, const char *suffix);

/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to be a typing
 * slip.  `names` ends with NULL. */
const char *kp_did_you_mean(const char *word, const char *const *names);

/* "2026-11-22T05:00:00.012Z" from UTC milliseconds; "never" for KP_NEVER. */
char *kp_time_text(kp_arena *a, kp_ms utc);

/* "31 s", "1 min 52 s", "2 h 3 min", "1 d 4 h", rounded; "0.41 s" below ten seconds when `fine`;
 * "no limit" for KP_NEVER. */
char *kp_duration_text(kp_arena *a, kp_ms d, bool fine);

/* "1,204" */
char *kp_count_text(kp_arena *a, int64_t n);

/* "1.2 GB", "830 MB", "12 kB", "7 bytes" (powers of 1000) */
char *kp_bytes_text(kp_arena *a, int64_t n);

/* Bytes safe for a terminal: control characters and invalid UTF-8 become \xNN, byte by byte.  The
 * second form adds them to a buffer. */
char *kp_printable(kp_arena *a, const char *s, size_t n);
void kp_buf_printable(kp_buf *b, const char *s, size_t n);

/* The length (1 to 4) of the well-formed UTF-8 character at s, of which n bytes may be read; 0 when
 * there is none. */
size_t kp_utf8_len(const char *s, size_t n);

/* Lower-case hex of SHA-256. */
char *kp_sha256_hex(kp_arena *a, const void *p, size_t n);

/* A whole regular file, at most `limit` bytes, NUL added; ret_n may be NULL.  Errors: KP_CONFIG
 * class with the path as `where`. */
kp_err *kp_file_read(kp_arena *a, const char *path, size_t limit, char **ret_text,
                     size_t *ret_n) KP_MUST_USE;

#endif
