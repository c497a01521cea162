/* What a person reads on stdout, line by line: control bytes are shown, never obeyed.  Texts come
 * from playbooks, brokers and hosts; none of them may move the cursor, or end a line and begin one
 * in kplay's name. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report/report.h"

#define LINE_LIMIT ((size_t)1 << 20)

static void put(const char *text, size_t n)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4 * LINE_LIMIT);
    kp_buf_printable(&b, text, n);
    kp_buf_chr(&b, '\n');
    fwrite(kp_buf_text(&b), 1, b.n, stdout);
}

void kp_out_line(const char *fmt, ...)
{
    KP_AUTO_ARENA a = kp_arena_new("a line", 8 * LINE_LIMIT);
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *text = kp_alloc(a, (size_t)(n > 0 ? n : 0) + 1);
    text[0] = '\0';
    vsnprintf(text, (size_t)(n > 0 ? n : 0) + 1, fmt, again);
    va_end(again);
    va_end(ap);
    put(text, strlen(text));
}

void kp_out_lines(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        put(text, n);
        text += n + (text[n] == '\n');
    }
}
