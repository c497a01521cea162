/* scan: says whether bytes are a journal, by the conditions at the top of journal.c.
 *
 * One decision matters here: a bad line is either a torn write, which nobody was ever told had
 * happened and which may be cut off, or damage, after which no record behind it can be believed.
 * Cutting off too much would lose records that were acted upon, so in doubt it is damage.  Only the
 * last line can be torn, since no record is written before the one ahead of it is on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "journal/inside.h"

enum {
    NUMBER_LIMIT = 18,      /* digits */
    SHORTEST_LINE = 80,     /* bytes; a whole record is always longer */
    KIND_LIMIT = 16,
};

typedef struct scan {
    kp_arena *a;
    const char *name;
    kp_chain chain;
    kp_buf body;     /* one body as a JSON text of its own */
    kp_record *rec;
    int64_t n;       /* good records */
} scan;

typedef struct line {
    const char *p;
    size_t n;        /* without its newline */
    bool ended;      /* by a newline */
    size_t to_end;   /* bytes from p to the end of the file */
} line;

/* The parts before the body.  `rest` points behind them. */
typedef struct head {
    int64_t n;
    const char *time;
    char kind[KIND_LIMIT];
    const char *rest;
} head;

static bool skip(const char **p, const char *end, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(end - *p) < n || memcmp(*p, text, n) != 0)
        return false;
    *p += n;
    return true;
}

/* Condition 3, the first half; and 5 but for the value. */
static bool read_head(const char *p, const char *end, head *ret_head)
{
    head h = { 0 };
    if (!skip(&p, end, "{\"n\":"))
        return false;
    const char *digits = p;
    for (; p < end && *p >= '0' && *p <= '9' && p - digits < NUMBER_LIMIT; p++)
        h.n = 10 * h.n + (*p - '0');
    if (p == digits || *digits == '0' || !skip(&p, end, ",\"t\":\"") || end - p < KP_TIME_TEXT)
        return false;
    h.time = p;
    p += KP_TIME_TEXT;
    if (!skip(&p, end, "\",\"k\":\""))
        return false;
    size_t n = 0;
    for (; p < end && *p >= 'a' && *p <= 'z' && n + 1 < sizeof h.kind; p++)
        h.kind[n++] = *p;
    if (n == 0 || !skip(&p, end, "\"") || (p < end && *p != ','))
        return false;
    h.rest = p;
    *ret_head = h;
    return true;
}

/* Condition 3, the second half.  The link as text, or NULL. */
static const char *tail_link(const char *p, size_t n)
{
    if (n < KP_LINE_TAIL)
        return NULL;
    const char *tail = p + n - KP_LINE_TAIL, *link = tail + 6;
    if (memcmp(tail, ",\"h\":\"", 6) != 0 || memcmp(link + KP_LINK_TEXT, "\"}", 2) != 0)
        return NULL;
    for (int i = 0; i < KP_LINK_TEXT; i++)
        if (!(link[i] >= '0' && link[i] <= '9') && !(link[i] >= 'a' && link[i] <= 'f'))
            return NULL;
    return link;
}

static bool same_link(const unsigned char link[KP_LINK_BYTES], const char *text)
{
    char mine[KP_LINK_TEXT + 1];
    kp_chain_text(link, mine);
    return memcmp(mine, text, KP_LINK_TEXT) == 0;
}

/* Condition 6.  A day that its month does not have is no time. */
static bool read_time(const char *p, kp_ms *ret_t)
{
    static const char shape[KP_TIME_TEXT + 1] = "0000-00-00T00:00:00.000Z";
    int part[8] = { 0 };
    size_t at = 0;
    for (int i = 0; i < KP_TIME_TEXT; i++) {
        if (shape[i] != '0' ? p[i] != shape[i] : p[i] < '0' || p[i] > '9')
            return false;
        if (shape[i] == '0')
            part[at] = 10 * part[at] + (p[i] - '0');
        else
            at++;
    }
    struct tm tm = {
        .tm_year = part[0] - 1900, .tm_mon = part[1] - 1, .tm_mday = part[2],
        .tm_hour = part[3],        .tm_min = part[4],     .tm_sec = part[5],
    };
    struct tm as_read = tm;
    time_t s = timegm(&tm);
    if (tm.tm_mon != as_read.tm_mon || tm.tm_mday != as_read.tm_mday ||
        tm.tm_hour != as_read.tm_hour || tm.tm_min != as_read.tm_min || tm.tm_sec != as_read.tm_sec)
        return false;
    *ret_t = (kp_ms)s * KP_SECOND + part[6];
    return true;
}

static bool is_sha256(const char *text)
{
    return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* Condition 8: `,members` from p to end, as the map {members}. */
static bool read_body(scan *s, const char *p, const char *end, const kp_value **ret_body)
{
    if (p + 1 == end)
        return false;
    kp_buf_clear(&s->body);
    kp_buf_chr(&s->body, '{');
    if (p < end)
        kp_buf_add(&s->body, p + 1, (size_t)(end - p - 1));
    kp_buf_chr(&s->body, '}');
    const kp_value *body = NULL;
    kp_err *err = kp_json_read(s->a, s->body.p, s->body.n, &body);
    if (err) {
        kp_err_drop(err);
        return false;
    }
    if (!kp_is(body, KP_MAP) || kp_get(body, "n") || kp_get(body, "t") || kp_get(body, "k") ||
        kp_get(body, "h"))
        return false;
    *ret_body = body;
    return true;
}

static bool read_kind(const char *name, kp_kind *ret_kind)
{
    for (int k = 0; k < KP_KINDS; k++) {
        if (kp_streq(kp_kind_name((kp_kind)k), name)) {
            *ret_kind = (kp_kind)k;
            return true;
        }
    }
    return false;
}

/* Conditions 5 to 10 of a line whose link is right; NULL, or what is wrong with it. */
static const char *read_record(scan *s, const line *l, kp_record *ret_rec)
{
    const char *end = l->p + l->n - KP_LINE_TAIL;
    head h;
    kp_record rec = { .n = s->n + 1 };
    if (!read_head(l->p, end, &h))
        return "its first keys are not n, t and k";
    if (h.n != rec.n)
        return "its number is not the next";
    if (!read_time(h.time, &rec.t))
        return "its time is no time";
    if (!read_kind(h.kind, &rec.kind))
        return "its kind is not known to this kplay";
    if ((rec.kind == KP_K_OPEN) != (rec.n == 1))
        return "an open record stands first and nowhere else";
    if (!read_body(s, h.rest, end, &rec.body))
        return "it is not one JSON object with unique keys";
    if (rec.kind == KP_K_OPEN && kp_get_int(rec.body, "fmt", 0) != KP_JOURNAL_FORMAT)
        return "its format is not known to this kplay";
    if (kp_get(rec.body, "blob") && (kp_get(rec.body, kp_get_text(rec.body, "blob_of", "r")) ||
                                     !is_sha256(kp_get_text(rec.body, "blob", NULL))))
        return "its key blob does not name a value";
    *ret_rec = rec;
    return NULL;
}

/* Whether a whole record stands at the beginning and more follows than the one byte that a torn
 * newline may have become: then the newline behind it was on disk once. */
static bool goes_on(const scan *s, const line *l)
{
    EVP_MD_CTX *spare = EVP_MD_CTX_new();
    bool found = false;
    const char *from = l->p, *end = l->p + l->n;
    kp_chain_begin(&s->chain);
    while (!found && spare && end - from >= KP_LINE_TAIL) {
        const char *at = memmem(from, (size_t)(end - from), ",\"h\":\"", 6);
        if (!at)
            break;
        size_t whole = (size_t)(at - l->p) + KP_LINE_TAIL;
        kp_chain_feed(&s->chain, from, (size_t)(at - from));
        from = at;
        if (whole <= l->n && whole + 1 < l->to_end && tail_link(l->p, whole)) {
            unsigned char link[KP_LINK_BYTES];
            kp_chain_peek(&s->chain, spare, link);
            found = same_link(link, at + 6);
        }
        kp_chain_feed(&s->chain, from, 1);
        from++;
    }
    EVP_MD_CTX_free(spare);
    return found;
}

/* Of a line without a right link: whether a torn write can have left it. */
static bool is_torn(const scan *s, const line *l)
{
    bool last = l->n + (l->ended ? 1 : 0) == l->to_end;
    head h;
    if (!last || l->to_end > KP_RECORD_LIMIT || goes_on(s, l))
        return false;
    bool whole = l->ended && tail_link(l->p, l->n) &&
                 read_head(l->p, l->p + l->n - KP_LINE_TAIL, &h);
    return !whole || h.n == s->n + 1;
}

static kp_err *damaged(const scan *s, const char *what, const char *next)
{
    return kp_err_at(kp_err_new(KP_REFUSED, next, "the journal is damaged in this line: %s", what),
                     "%s:%" PRId64, s->name, s->n + 1);
}

/* Takes one line; *ret_torn when it is to be cut off. */
static kp_err *take(scan *s, const line *l, bool *ret_torn)
{
    const char *text = l->ended ? tail_link(l->p, l->n) : NULL;
    unsigned char link[KP_LINK_BYTES];
    if (text && l->n < KP_RECORD_LIMIT) {
        kp_chain_next(&s->chain, l->p, l->n - KP_LINE_TAIL, link);
        if (same_link(link, text)) {
            const char *what = read_record(s, l, &s->rec[s->n]);
            if (what)
                return damaged(s, what, "use the kplay that wrote it");
            memcpy(s->chain.link, link, sizeof link);
            s->n++;
            return NULL;
        }
    }
    if (!is_torn(s, l))
        return damaged(s, "it, or the line before it, was changed, moved or removed after it was "
                       "written", "put back a copy, or close this run for good with --supersede; "
                       "what the run did is then to be checked by hand");
    *ret_torn = true;
    return NULL;
}

static kp_err *scan_lines(scan *s, const char *p, size_t n, kp_journal_check *ret_check)
{
    const char *end = p + n;
    bool torn = false;
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        line l = { .p = p, .n = (size_t)((newline ? newline : end) - p), .ended = newline != NULL,
                   .to_end = (size_t)(end - p) };
        KP_TRY(take(s, &l, &torn));
        if (torn)
            break;
        p = newline + 1;
    }
    char head_text[KP_LINK_TEXT + 1];
    kp_chain_text(s->chain.link, head_text);
    *ret_check = (kp_journal_check){
        .records = s->n,
        .head = kp_strdup(s->a, head_text),
        .torn = torn,
        .torn_bytes = end - p,
        .rec = s->rec,
    };
    return NULL;
}

kp_err *kp_journal_scan_bytes(kp_arena *a, const char *name, const char *p, size_t n,
                              kp_journal_check *ret_check)
{
    if (n > KP_JOURNAL_LIMIT)
        return kp_err_at(kp_err_new(KP_REFUSED, "this is no journal that kplay wrote",
                                    "longer than %u bytes", KP_JOURNAL_LIMIT),
                         "%s", name);
    scan s = { .a = a, .name = name, .body = KP_BUF_INIT(KP_RECORD_LIMIT) };
    s.rec = KP_NEW_ARRAY(a, n / SHORTEST_LINE + 1, kp_record);
    kp_chain_init(&s.chain);
    kp_err *err = scan_lines(&s, n ? p : "", n, ret_check);
    kp_chain_done(&s.chain);
    kp_buf_done(&s.body);
    return err;
}

kp_err *kp_journal_scan(kp_arena *a, const char *path, kp_journal_check *ret_check)
{
    KP_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return kp_err_at(kp_err_new(KP_USAGE, "name the journal.jsonl of a run",
                                    "cannot be opened: %s", strerror(errno)),
                         "%s", path);
    KP_AUTO_BUF bytes = KP_BUF_INIT(KP_JOURNAL_LIMIT);
    KP_TRY(kp_disk_read(fd, path, &bytes));
    return kp_journal_scan_bytes(a, path, kp_buf_text(&bytes), bytes.n, ret_check);
}
