/* Errors: one heap block each, with its texts behind the struct.
 *
 * An error is changed rarely and read once, so every change builds a new block and frees the old
 * one; that keeps a single size, a single free and no dangling text.  The class alone decides the
 * exit code, in the table below: nothing else in kplay chooses one.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_LIMIT = 64 * 1024 }; /* of the buffers here */
/* Of each text, so that an error fits into a record and on a screen.  What is beyond is left out,
 * and that is said; a text that was cut once is not cut again, which is what the slack is for. */
enum { WHERE_MOST = 1024, WHAT_MOST = 4096, NEXT_MOST = 4096, DETAIL_MOST = 16 * 1024, SLACK = 64 };

#define CUT_END " more bytes]"

static const struct {
    kp_class cls;
    const char *name;
    int exit_code;
} classes[] = {
    { KP_INTERNAL, "internal", 1 }, { KP_USAGE, "usage", 2 },     { KP_CONFIG, "config", 2 },
    { KP_PLAYBOOK, "playbook", 2 }, { KP_REFUSED, "refused", 3 }, { KP_SAFETY, "safety", 3 },
    { KP_WARNED, "warned", 5 },     { KP_FAILED, "failed", 4 },   { KP_CLUSTER, "cluster", 6 },
    { KP_HOST, "host", 6 },         { KP_PAUSED, "paused", 75 },  { KP_DETACHED, "detached", 76 },
};

const char *kp_class_name(kp_class cls)
{
    for (size_t i = 0; i < KP_COUNT(classes); i++)
        if (classes[i].cls == cls)
            return classes[i].name;
    return "internal";
}

bool kp_class_parse(const char *name, kp_class *ret_cls)
{
    for (size_t i = 0; name && i < KP_COUNT(classes); i++) {
        if (kp_streq(classes[i].name, name)) {
            *ret_cls = classes[i].cls;
            return true;
        }
    }
    return false;
}

int kp_err_exit_code(const kp_err *e)
{
    if (!e)
        return 0;
    for (size_t i = 0; i < KP_COUNT(classes); i++)
        if (classes[i].cls == e->cls)
            return classes[i].exit_code;
    return 1;
}

static const char *put(char **at, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = *at;
    memcpy(p, s, n);
    *at += n;
    return p;
}

/* A new block with the facts and texts of `from`, which may point anywhere. */
static kp_err *build(const kp_err *from)
{
    size_t n = strlen(from->where) + strlen(from->from) + strlen(from->what) + strlen(from->next) +
               strlen(from->detail) + 5;
    kp_err *e = kp_malloc(sizeof *e + n);
    char *at = (char *)(e + 1);
    *e = *from;
    e->where = put(&at, from->where);
    e->from = put(&at, from->from);
    e->what = put(&at, from->what);
    e->next = put(&at, from->next);
    e->detail = put(&at, from->detail);
    return e;
}

/* The successor of e, whose own block is freed; its causes went over. */
static kp_err *replace(kp_err *e, const kp_err *from)
{
    kp_err *successor = build(from);
    free(e);
    return successor;
}

static void add_cut(kp_buf *b, size_t most, const char *text, size_t n)
{
    size_t room = b->n < most ? most - b->n : 0;
    if (b->n + n <= most + SLACK) {
        kp_buf_add(b, text, n);
        return;
    }
    while (room > 0 && ((unsigned char)text[room] & 0xc0) == 0x80) /* not inside a character */
        room--;
    kp_buf_add(b, text, room);
    kp_buf_fmt(b, " [... %zu" CUT_END, n - room);
}

static void format(kp_buf *b, size_t most, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *text = kp_malloc((size_t)(n > 0 ? n : 0) + 1);
    text[0] = '\0';
    if (n > 0)
        vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    add_cut(b, most, text, strlen(text));
    free(text);
}

kp_err *kp_err_new(kp_class cls, const char *next, const char *fmt, ...)
{
    KP_AUTO_BUF what = KP_BUF_INIT(TEXT_LIMIT);
    va_list ap;
    va_start(ap, fmt);
    format(&what, WHAT_MOST, fmt, ap);
    va_end(ap);
    if (!next || !*next)
        next = "report this as a bug in kplay: the message does not say what to do";
    kp_err from = { .cls = cls, .where = "", .from = "", .next = next, .detail = "" };
    from.what = kp_buf_text(&what);
    return build(&from);
}

kp_err *kp_err_at(kp_err *e, const char *fmt, ...)
{
    if (!e)
        return NULL;
    KP_AUTO_BUF where = KP_BUF_INIT(TEXT_LIMIT);
    va_list ap;
    va_start(ap, fmt);
    format(&where, WHERE_MOST, fmt, ap);
    va_end(ap);
    kp_err from = *e;
    from.where = kp_buf_text(&where);
    return replace(e, &from);
}

kp_err *kp_err_from(kp_err *e, const char *fmt, ...)
{
    if (!e)
        return NULL;
    KP_AUTO_BUF text = KP_BUF_INIT(TEXT_LIMIT);
    va_list ap;
    va_start(ap, fmt);
    format(&text, WHERE_MOST, fmt, ap);
    va_end(ap);
    kp_err from = *e;
    from.from = kp_buf_text(&text);
    return replace(e, &from);
}

kp_err *kp_err_detail(kp_err *e, const char *fmt, ...)
{
    if (!e || kp_ends_with(e->detail, CUT_END "\n"))
        return e;
    KP_AUTO_BUF detail = KP_BUF_INIT(TEXT_LIMIT);
    kp_buf_str(&detail, e->detail);
    va_list ap;
    va_start(ap, fmt);
    format(&detail, DETAIL_MOST, fmt, ap);
    va_end(ap);
    if (detail.n && detail.p[detail.n - 1] != '\n')
        kp_buf_chr(&detail, '\n');
    kp_err from = *e;
    from.detail = kp_buf_text(&detail);
    return replace(e, &from);
}

kp_err *kp_err_next(kp_err *e, const char *fmt, ...)
{
    if (!e)
        return NULL;
    KP_AUTO_BUF next = KP_BUF_INIT(TEXT_LIMIT);
    va_list ap;
    va_start(ap, fmt);
    format(&next, NEXT_MOST, fmt, ap);
    va_end(ap);
    kp_err from = *e;
    if (next.n)
        from.next = kp_buf_text(&next);
    return replace(e, &from);
}

kp_err *kp_err_because(kp_err *e, kp_err *cause)
{
    if (!e)
        return cause;
    kp_err *last = e;
    while (last->cause)
        last = last->cause;
    last->cause = cause;
    return e;
}

kp_err *kp_err_retriable(kp_err *e)
{
    if (e)
        e->retriable = true;
    return e;
}

kp_err *kp_err_certain(kp_err *e)
{
    if (e)
        e->certain = true;
    return e;
}

kp_err *kp_err_class(kp_err *e, kp_class cls)
{
    if (e)
        e->cls = cls;
    return e;
}

kp_err *kp_err_copy(const kp_err *e)
{
    if (!e)
        return NULL;
    kp_err *c = kp_err_new(e->cls, e->next, "%s", e->what);
    if (*e->where)
        c = kp_err_at(c, "%s", e->where);
    if (*e->from)
        c = kp_err_from(c, "%s", e->from);
    if (*e->detail)
        c = kp_err_detail(c, "%s", e->detail);
    c->retriable = e->retriable;
    c->certain = e->certain;
    return kp_err_because(c, kp_err_copy(e->cause));
}

void kp_err_drop(kp_err *e)
{
    while (e) {
        kp_err *cause = e->cause;
        free(e);
        e = cause;
    }
}

static void add_place_and_what(kp_buf *b, const kp_err *e)
{
    if (*e->where) {
        kp_buf_printable(b, e->where, strlen(e->where));
        kp_buf_str(b, ": ");
    }
    kp_buf_printable(b, e->what, strlen(e->what));
}

/* The lines of `text`, each after `indent` and before a newline. */
static void add_lines(kp_buf *b, const char *indent, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        kp_buf_str(b, n ? indent : "");
        kp_buf_printable(b, text, n);
        kp_buf_chr(b, '\n');
        text += n + (text[n] == '\n');
    }
}

char *kp_err_text(kp_arena *a, const kp_err *e)
{
    KP_AUTO_BUF b = KP_BUF_INIT(16 * TEXT_LIMIT);
    kp_buf_str(&b, "kplay: ");
    add_place_and_what(&b, e);
    kp_buf_chr(&b, '\n');
    add_lines(&b, "  ", e->detail);
    if (*e->from && e->cls == KP_PLAYBOOK) {
        kp_buf_str(&b, "from  ");
        kp_buf_printable(&b, e->from, strlen(e->from));
        kp_buf_chr(&b, '\n');
    }
    for (const kp_err *cause = e->cause; cause; cause = cause->cause) {
        kp_buf_str(&b, "why   ");
        add_place_and_what(&b, cause);
        kp_buf_chr(&b, '\n');
    }
    const char *rest = e->next + strcspn(e->next, "\n");
    kp_buf_str(&b, "next  ");
    kp_buf_printable(&b, e->next, (size_t)(rest - e->next));
    kp_buf_chr(&b, '\n');
    if (*rest)
        add_lines(&b, "      ", rest + 1);
    return kp_strndup(a, kp_buf_text(&b), b.n - 1);
}
