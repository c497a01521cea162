/* Small text helpers: one spelling for each thing people read.
 *
 * Times, spans, counts and sizes look the same in the status line, the report and every message,
 * because all of them are written here.  Here too are the few things that nearly every room needs
 * of a byte string: whether it is UTF-8, how it looks on a terminal, its digest, and the whole of a
 * small file.
 */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool kp_streq(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool kp_starts_with(const char *s, const char *prefix)
{
    return s && prefix && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool kp_ends_with(const char *s, const char *suffix)
{
    if (!s || !suffix)
        return false;
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

/* ---- typing slips ---- */

enum { WORD_LIMIT = 64 }; /* longer words are not compared */

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap of neighbours) that turn a into b, each at most WORD_LIMIT
 * bytes long. */
static int distance(const char *a, size_t n, const char *b, size_t m)
{
    int rows[3][WORD_LIMIT + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= m; j++)
        above[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int same = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = min3(above[j] + 1, row[j - 1] + 1, above[j - 1] + same);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        int *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[m];
}

const char *kp_did_you_mean(const char *word, const char *const *names)
{
    size_t n = word ? strlen(word) : 0;
    if (n == 0 || n > WORD_LIMIT)
        return NULL;
    int best = (int)(n / 3) + 1 < 3 ? (int)(n / 3) + 1 : 3;
    const char *nearest = NULL;
    for (; *names; names++) {
        size_t m = strlen(*names);
        if (m > WORD_LIMIT)
            continue;
        int d = distance(word, n, *names, m);
        bool shares_something = (size_t)d < (n > m ? n : m);
        if (shares_something &&
            (d < best || (d == best && (!nearest || strcmp(*names, nearest) < 0)))) {
            best = d;
            nearest = *names;
        }
    }
    return nearest;
}

/* ---- times, spans, counts, sizes ---- */

char *kp_time_text(kp_arena *a, kp_ms utc)
{
    bool before_second = utc % 1000 < 0;
    int ms = (int)(utc % 1000) + (before_second ? 1000 : 0);
    time_t s = (time_t)(utc / 1000 - before_second);
    struct tm t;
    if (utc == KP_NEVER || !gmtime_r(&s, &t))
        return kp_strdup(a, "never");
    return kp_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, ms);
}

static char *two_units(kp_arena *a, const char *sign, int64_t n, int64_t per, const char *large,
                       const char *small)
{
    if (n < per)
        return kp_printf(a, "%s%" PRId64 " %s", sign, n, small);
    if (n % per == 0)
        return kp_printf(a, "%s%" PRId64 " %s", sign, n / per, large);
    return kp_printf(a, "%s%" PRId64 " %s %" PRId64 " %s", sign, n / per, large, n % per, small);
}

/* Divides and rounds to the nearest; n is not negative. */
static int64_t nearest(int64_t n, int64_t by)
{
    return n / by + (n % by >= by - n % by ? 1 : 0);
}

char *kp_duration_text(kp_arena *a, kp_ms d, bool fine)
{
    if (d == KP_NEVER)
        return kp_strdup(a, "no limit");
    const char *sign = d < 0 ? "-" : "";
    d = d >= 0 ? d : d == INT64_MIN ? INT64_MAX : -d;
    int64_t hundredths = nearest(d, 10);
    if (fine && hundredths < 1000)
        return kp_printf(a, "%s%d.%02d s", sign, (int)hundredths / 100, (int)hundredths % 100);
    int64_t seconds = nearest(d, KP_SECOND), minutes = nearest(d, KP_MINUTE);
    if (seconds < 3600)
        return two_units(a, sign, seconds, 60, "min", "s");
    if (minutes < 24 * 60)
        return two_units(a, sign, minutes, 60, "h", "min");
    return two_units(a, sign, nearest(d, KP_HOUR), 24, "d", "h");
}

char *kp_count_text(kp_arena *a, int64_t n)
{
    char digits[24], out[32];
    int len = 0, at = sizeof out - 1;
    uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do {
        digits[len++] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    out[at] = '\0';
    for (int i = 0; i < len; i++) {
        if (i > 0 && i % 3 == 0)
            out[--at] = ',';
        out[--at] = digits[i];
    }
    if (n < 0)
        out[--at] = '-';
    return kp_strdup(a, out + at);
}

char *kp_bytes_text(kp_arena *a, int64_t n)
{
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
    const char *sign = n < 0 ? "-" : "";
    n = n >= 0 ? n : n == INT64_MIN ? INT64_MAX : -n;
    if (n < 1000)
        return kp_printf(a, "%s%d %s", sign, (int)n, n == 1 ? "byte" : "bytes");
    int64_t unit = 1000;
    for (size_t i = 0;; i++, unit *= 1000) {
        int64_t tenths = nearest(n, unit / 10);
        if (tenths < 100)
            return kp_printf(a, "%s%d.%d %s", sign, (int)tenths / 10, (int)tenths % 10, units[i]);
        if (nearest(n, unit) < 1000 || i + 1 == KP_COUNT(units))
            return kp_printf(a, "%s%d %s", sign, (int)nearest(n, unit), units[i]);
    }
}

/* ---- bytes ---- */

/* Well-formed as the Unicode standard has it (table 3-7): no overlong forms, no surrogates, nothing
 * above U+10FFFF. */
size_t kp_utf8_len(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
        return 0;
    unsigned low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* U+0080 to U+009F are control characters too: a terminal may take U+009B for ESC [. */
static bool is_control(const char *s)
{
    unsigned char c = (unsigned char)s[0];
    return c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

void kp_buf_printable(kp_buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = kp_utf8_len(s + i, n - i);
        if (len > 0 && !is_control(s + i)) {
            kp_buf_add(b, s + i, len);
            i += len;
            continue;
        }
        for (size_t end = i + (len ? len : 1); i < end; i++)
            kp_buf_fmt(b, "\\x%02x", (unsigned)(unsigned char)s[i]);
    }
}

char *kp_printable(kp_arena *a, const char *s, size_t n)
{
    KP_AUTO_BUF b = KP_BUF_INIT(n * 4);
    kp_buf_printable(&b, s, n);
    return kp_strndup(a, kp_buf_text(&b), b.n);
}

char *kp_sha256_hex(kp_arena *a, const void *p, size_t n)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(p, n, md, &len, EVP_sha256(), NULL) != 1)
        kp_die("SHA-256 is not available in this build of OpenSSL");
    char *hex = kp_alloc(a, (size_t)len * 2 + 1);
    for (unsigned i = 0; i < len; i++) {
        hex[2 * i] = "0123456789abcdef"[md[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[md[i] & 15];
    }
    return hex;
}

/* ---- a whole file ---- */

static kp_err *file_error(const char *path, int error)
{
    const char *next = "look at the file and its disk, then try again";
    if (error == ENOENT || error == ENOTDIR)
        next = "check the path; it is taken from the directory kplay was started in";
    else if (error == EACCES || error == EPERM)
        next = "let this user read the file and enter its directories";
    const char *what = error == ENOENT ? "no such file" : strerror(error);
    return kp_err_at(kp_err_new(KP_CONFIG, next, "%s", what), "%s", path);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

kp_err *kp_file_read(kp_arena *a, const char *path, size_t limit, char **ret_text, size_t *ret_n)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
    __attribute__((cleanup(close_fd))) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return file_error(path, errno);
    if (!S_ISREG(st.st_mode))
        return kp_err_at(kp_err_new(KP_CONFIG, "give the path of a regular file",
                                    "is not a file but %s",
                                    S_ISDIR(st.st_mode) ? "a directory" : "something special"),
                         "%s", path);
    KP_AUTO_BUF b = KP_BUF_INIT(limit);
    char chunk[16 * 1024];
    while (!b.overflow) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return file_error(path, errno);
        if (n > 0)
            kp_buf_add(&b, chunk, (size_t)n);
    }
    if (b.overflow)
        return kp_err_at(kp_err_new(KP_CONFIG, "check that this is the file you meant",
                                    "is larger than %s, the most that is read of such a file",
                                    kp_bytes_text(a, (int64_t)limit)),
                         "%s", path);
    *ret_text = kp_strndup(a, kp_buf_text(&b), b.n);
    if (ret_n)
        *ret_n = b.n;
    return NULL;
}
