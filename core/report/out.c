/* What a person reads on stdout, line by line: control bytes are shown, never obeyed.  Texts come
 * from playbooks, brokers and hosts; none of them may move the cursor, or end a line and begin one
 * in kplay's name. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "report/report.h"

#define LINE_LIMIT ((size_t)1 << 20)

static kp_ms stamp = KP_NEVER;

static const char *const on[] = { "", "\033[32m", "\033[31m", "\033[33m" }; /* by kp_style */

static void put(kp_style style, const char *text, size_t n)
{
    KP_AUTO_ARENA a = kp_arena_new("a line", 1 << 16);
    KP_AUTO_BUF b = KP_BUF_INIT(4 * LINE_LIMIT);
    bool colours = style != KP_PLAIN && kp_out_colours(STDOUT_FILENO);
    if (stamp != KP_NEVER)
        kp_buf_fmt(&b, "%.19sZ  ", kp_time_text(a, stamp));
    kp_buf_str(&b, colours ? on[style] : "");
    kp_buf_printable(&b, text, n);
    kp_buf_str(&b, colours ? "\033[0m" : "");
    kp_buf_chr(&b, '\n');
    fwrite(kp_buf_text(&b), 1, b.n, stdout);
}

static void line(kp_style style, const char *fmt, va_list ap)
{
    KP_AUTO_ARENA a = kp_arena_new("a line", 8 * LINE_LIMIT);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *text = kp_alloc(a, (size_t)(n > 0 ? n : 0) + 1);
    text[0] = '\0';
    vsnprintf(text, (size_t)(n > 0 ? n : 0) + 1, fmt, again);
    va_end(again);
    put(style, text, strlen(text));
}

void kp_out_line(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line(KP_PLAIN, fmt, ap);
    va_end(ap);
}

void kp_out_styled(kp_style style, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line(style, fmt, ap);
    va_end(ap);
}

void kp_out_lines(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        put(KP_PLAIN, text, n);
        text += n + (text[n] == '\n');
    }
}

void kp_out_stamp(kp_ms t)
{
    stamp = t;
}

bool kp_out_obeys(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && !kp_streq(term, "dumb");
}

bool kp_out_colours(int fd)
{
    const char *no = getenv("NO_COLOR");
    return kp_out_obeys(fd) && !(no && *no);
}

size_t kp_out_columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

size_t kp_out_cut(const char *text, size_t columns)
{
    size_t n = 0;
    for (; text[n]; n++) {
        bool begins = ((unsigned char)text[n] & 0xc0) != 0x80; /* a character's first byte */
        if (begins && columns-- == 0)
            break;
    }
    return n;
}
