/* The verifier: what is torn, what is damaged, and that nothing damaged is ever taken for whole.
 * The journals it reads are written by journal.c; links are computed here a second time. */
#include "with_disk.h"

#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
    char *p;             /* the sample journal */
    size_t n;
    size_t at[SAMPLE + 1]; /* where each line begins, and the end */
} fixture;

static int set_up(void **state)
{
    fixture *x = calloc(1, sizeof *x);
    char *dir = dir_new(), path[PATH_SIZE];
    KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
    kp_journal *j;
    OK(sample_create(a, &kp_disk_real, dir, "s", &j));
    for (int64_t n = 2; n <= SAMPLE; n++)
        OK(sample_append(j, n));
    kp_journal_free(j);
    snprintf(path, sizeof path, "%s/s/journal.jsonl", dir);
    x->p = file_read(path, &x->n);
    size_t lines = 0;
    for (size_t i = 0; i < x->n; i++)
        if (x->p[i] == '\n')
            x->at[++lines] = i + 1;
    assert_int_equal(lines, SAMPLE);
    assert_int_equal(x->at[SAMPLE], x->n);
    dir_free(dir);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    fixture *x = *state;
    free(x->p);
    free(x);
    return 0;
}

/* True: accepted.  False: refused, as an error of class KP_REFUSED that names a line. */
static bool scan(kp_arena *a, const char *p, size_t n, kp_journal_check *ret_check)
{
    *ret_check = (kp_journal_check){ .records = -1 };
    kp_err *err = kp_journal_scan_bytes(a, "j", p, n, ret_check);
    if (!err)
        return true;
    assert_int_equal(err->cls, KP_REFUSED);
    assert_int_equal(ret_check->records, -1);
    kp_err_drop(err);
    return false;
}

static int line_of(const fixture *x, size_t byte)
{
    int line = 1;
    while (x->at[line] <= byte)
        line++;
    return line;
}

/* ---- */

static void reads_what_was_written(void **state)
{
    fixture *x = *state;
    KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
    kp_journal_check c;
    assert_true(scan(a, x->p, x->n, &c));
    assert_int_equal(c.records, SAMPLE);
    assert_false(c.torn);
    assert_int_equal(c.torn_bytes, 0);
    for (int64_t n = 1; n <= SAMPLE; n++)
        sample_compare(&c.rec[n - 1], n);
}

/* Conditions 3 and 4 as journal.c words them, by another SHA-256 than its own. */
static void links_are_as_documented(void **state)
{
    fixture *x = *state;
    unsigned char in[16 + 4096] = { 0 }, md[SHA256_DIGEST_LENGTH];
    for (int i = 0; i < SAMPLE; i++) {
        const char *line = x->p + x->at[i];
        size_t n = x->at[i + 1] - x->at[i] - 1, before = n - 40;
        char tail[64] = ",\"h\":\"", start[64];
        memcpy(in + 16, line, before);
        SHA256(in, 16 + before, md);
        memcpy(in, md, 16);
        for (int k = 0; k < 16; k++)
            snprintf(tail + 6 + 2 * k, 3, "%02x", md[k]);
        memcpy(tail + 38, "\"}", 3);
        assert_memory_equal(line + before, tail, 40);
        snprintf(start, sizeof start, "{\"n\":%d,\"t\":\"2026-11-22T05:00:00.%03dZ\",\"k\":\"%s\"",
                 i + 1, 12 + i + 1, kp_kind_name(sample_kind(i + 1)));
        assert_memory_equal(line, start, strlen(start));
    }
}

/* Every length of the file: the whole lines are good, the rest is torn. */
static void every_truncation(void **state)
{
    fixture *x = *state;
    for (size_t n = 0; n <= x->n; n++) {
        KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
        char *copy = malloc(n + 1); /* its end is guarded by the sanitizer */
        memcpy(copy, x->p, n);
        copy = realloc(copy, n ? n : 1);
        int whole = n == x->n ? SAMPLE : line_of(x, n) - 1;
        kp_journal_check c;
        assert_true(scan(a, copy, n, &c));
        assert_int_equal(c.records, whole);
        assert_int_equal(c.torn_bytes, n - x->at[whole]);
        assert_int_equal(c.torn, c.torn_bytes > 0);
        for (int i = 1; i <= whole; i++)
            sample_compare(&c.rec[i - 1], i);
        free(copy);
    }
}

/* Every bit: damage before the last line is refused, in that line or (a lost newline) as that line;
 * in the last line it is torn, unless it made two lines of one or another number. */
static void every_bit_flip(void **state)
{
    fixture *x = *state;
    int refused_in_last = 0;
    for (size_t bit = 0; bit < 8 * x->n; bit++) {
        KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
        size_t byte = bit / 8;
        bool last = byte >= x->at[SAMPLE - 1], number = last && byte < x->at[SAMPLE - 1] + 7;
        kp_journal_check c;
        x->p[byte] = (char)(x->p[byte] ^ (1 << bit % 8));
        bool accepted = scan(a, x->p, x->n, &c), newline = x->p[byte] == '\n';
        x->p[byte] = (char)(x->p[byte] ^ (1 << bit % 8));
        if (!last && accepted)
            fail_msg("bit %zu in line %d accepted with %lld records", bit, line_of(x, byte),
                     (long long)c.records);
        if (last && !accepted && !newline && !number)
            fail_msg("bit %zu in the last line refused", bit);
        refused_in_last += last && !accepted;
        if (accepted) {
            assert_true(c.torn);
            assert_int_equal(c.records, SAMPLE - 1);
            assert_int_equal(c.torn_bytes, x->n - x->at[SAMPLE - 1]);
        }
    }
    assert_true(refused_in_last < 16);
}

static void tail(const fixture *x, const char *more, size_t n, bool torn)
{
    KP_AUTO_ARENA a = kp_arena_new("test", 4u << 20);
    char *p = malloc(x->n + n);
    memcpy(p, x->p, x->n);
    if (n)
        memcpy(p + x->n, more, n);
    kp_journal_check c;
    bool accepted = scan(a, p, x->n + n, &c);
    assert_int_equal(accepted, torn);
    if (accepted) {
        assert_int_equal(c.records, SAMPLE);
        assert_int_equal(c.torn_bytes, n);
    }
    free(p);
}

static void zero_and_garbage_tails(void **state)
{
    fixture *x = *state;
    char *more = calloc(1, KP_RECORD_LIMIT + 1);
    for (size_t n = 1; n < 600; n++)
        tail(x, more, n, true);
    tail(x, more, KP_RECORD_LIMIT, true);
    tail(x, more, KP_RECORD_LIMIT + 1, false); /* no one record can leave that */
    unsigned seed = 7;
    for (size_t n = 1; n < 600; n++) {
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1103515245u + 12345u;
            more[i] = (char)(seed >> 16);
            more[i] = more[i] == '\n' ? 'x' : more[i];
        }
        tail(x, more, n, true);
        more[n - 1] = '\n';
        tail(x, more, n, true); /* one bad line that ends */
        if (n < 2)
            continue;
        more[n / 2 - 1] = '\n';
        more[n - 1] = 'x';
        tail(x, more, n, false); /* a bad line that is not the last */
    }
    free(more);
}

/* A whole last record whose newline did not make it, then what a file may hold behind it. */
static void last_newline(void **state)
{
    static const struct {
        const char *behind;
        size_t n;
        bool torn;
    } rows[] = {
        { "", 0, true },
        { "\0", 1, true },
        { "x", 1, true },
        { "\0\0", 2, false }, /* more than the write had: the newline was there once */
        { "xy", 2, false },
        { "x\n", 2, false },
    };
    fixture *x = *state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
        char *p = malloc(x->n + 8);
        memcpy(p, x->p, x->n - 1);
        memcpy(p + x->n - 1, rows[i].behind, rows[i].n);
        kp_journal_check c;
        assert_int_equal(scan(a, p, x->n - 1 + rows[i].n, &c), rows[i].torn);
        assert_int_equal(c.records, rows[i].torn ? SAMPLE - 1 : -1);
        free(p);
    }
}

/* ---- lines dropped, doubled, swapped ---- */

/* The journal of these lines (1-based, 0 ends); the line that a refusal names, 0 if accepted. */
static int surgery(const fixture *x, const int *lines)
{
    KP_AUTO_BUF b = KP_BUF_INIT(1u << 20);
    KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
    for (; *lines; lines++)
        kp_buf_add(&b, x->p + x->at[*lines - 1], x->at[*lines] - x->at[*lines - 1]);
    kp_journal_check c;
    kp_err *err = kp_journal_scan_bytes(a, "j", b.p, b.n, &c);
    if (!err)
        return 0;
    int line = 0;
    assert_int_equal(err->cls, KP_REFUSED);
    assert_int_equal(sscanf(err->where, "j:%d", &line), 1);
    kp_err_drop(err);
    return line;
}

static void line_surgery(void **state)
{
    fixture *x = *state;
    for (int i = 1; i <= SAMPLE; i++) {
        int dropped[SAMPLE + 2] = { 0 }, doubled[SAMPLE + 2] = { 0 }, swapped[SAMPLE + 2] = { 0 };
        int d = 0, e = 0;
        for (int k = 1; k <= SAMPLE; k++) {
            if (k != i)
                dropped[d++] = k;
            doubled[e++] = k;
            if (k == i)
                doubled[e++] = k;
            swapped[k - 1] = k == i ? k + 1 : k == i + 1 ? k - 1 : k;
        }
        /* The last line cut off is what a chain cannot show. */
        assert_int_equal(surgery(x, dropped), i == SAMPLE ? 0 : i);
        assert_int_equal(surgery(x, doubled), i + 1);
        if (i < SAMPLE)
            assert_int_equal(surgery(x, swapped), i);
    }
}

/* ---- lines with a right link that break another condition ---- */

/* Appends `text` and its link, as a forger or another kplay would. */
static void forge(kp_buf *b, unsigned char link[16], const char *text)
{
    unsigned char in[16 + 70000], md[SHA256_DIGEST_LENGTH];
    size_t n = strlen(text);
    assert_true(n <= 70000);
    memcpy(in, link, 16);
    memcpy(in + 16, text, n);
    SHA256(in, 16 + n, md);
    memcpy(link, md, 16);
    kp_buf_str(b, text);
    kp_buf_str(b, ",\"h\":\"");
    for (int k = 0; k < 16; k++)
        kp_buf_fmt(b, "%02x", md[k]);
    kp_buf_str(b, "\"}\n");
}

#define T "\"2026-11-22T05:00:00.012Z\""
#define OPEN "{\"n\":1,\"t\":" T ",\"k\":\"open\",\"fmt\":1"

static void other_conditions(void **state)
{
    static const struct {
        const char *first, *second; /* NULL second: one line only */
        int bad;                    /* the line that is refused, 0 for none */
        const char *why;
    } rows[] = {
        { OPEN, NULL, 0, "" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"note\"", 0, "" },
        { OPEN, "{\"n\":2,\"t\":\"1999-12-31T23:59:59.999Z\",\"k\":\"note\"", 0, "" },
        { OPEN, "{\"n\":2,\"t\":\"2024-02-29T00:00:00.000Z\",\"k\":\"note\",\"a\":[1]", 0, "" },
        { OPEN, "{\"n\":3,\"t\":" T ",\"k\":\"note\"", 2, "number" },
        { OPEN, "{\"n\":02,\"t\":" T ",\"k\":\"note\"", 2, "first keys" },
        { OPEN, "{\"n\":-2,\"t\":" T ",\"k\":\"note\"", 2, "first keys" },
        { OPEN, "{\"n\":2.0,\"t\":" T ",\"k\":\"note\"", 2, "first keys" },
        { OPEN, "{\"n\":1000000000000000002,\"t\":" T ",\"k\":\"note\"", 2, "first keys" },
        { OPEN, "{ \"n\":2,\"t\":" T ",\"k\":\"note\"", 2, "first keys" },
        { OPEN, "{\"t\":" T ",\"n\":2,\"k\":\"note\"", 2, "first keys" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"note\" ,\"a\":1", 2, "first keys" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"\"", 2, "first keys" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"abcdefghijklmnopqrstuvwxyz\"", 2, "first keys" },
        { OPEN, "{\"n\":2,\"t\":\"2026-02-29T00:00:00.000Z\",\"k\":\"note\"", 2, "time" },
        { OPEN, "{\"n\":2,\"t\":\"2026-11-22T24:00:00.000Z\",\"k\":\"note\"", 2, "time" },
        { OPEN, "{\"n\":2,\"t\":\"2026-11-22 05:00:00.012Z\",\"k\":\"note\"", 2, "time" },
        { OPEN, "{\"n\":2,\"t\":\"2026-11-22T05:00:00.0x2Z\",\"k\":\"note\"", 2, "time" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"hint\"", 2, "kind" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"open\",\"fmt\":1", 2, "open" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"note\",\"a\":1,\"a\":1", 2, "JSON" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"note\",\"n\":1", 2, "JSON" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"note\",\"h\":1", 2, "JSON" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"note\",", 2, "JSON" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"note\",\"a\":1},{\"b\":2", 2, "JSON" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"note\",\"a\":\xff", 2, "JSON" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"note\",\"a\":[1", 2, "JSON" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"read\",\"blob\":\"beef\"", 2, "blob" },
        { OPEN, "{\"n\":2,\"t\":" T ",\"k\":\"read\",\"blob\":7", 2, "blob" },
        { OPEN,
          "{\"n\":2,\"t\":" T ",\"k\":\"read\",\"blob\":"
          "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
          0, "" },
        { OPEN,
          "{\"n\":2,\"t\":" T ",\"k\":\"read\",\"r\":1,\"blob\":"
          "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
          2, "blob" },
        { "{\"n\":1,\"t\":" T ",\"k\":\"note\"", NULL, 1, "open" },
        { "{\"n\":1,\"t\":" T ",\"k\":\"open\"", NULL, 1, "format" },
        { "{\"n\":1,\"t\":" T ",\"k\":\"open\",\"fmt\":2", NULL, 1, "format" },
        { "{\"n\":2,\"t\":" T ",\"k\":\"open\",\"fmt\":1", NULL, 1, "number" },
    };
    (void)state;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
        KP_AUTO_BUF b = KP_BUF_INIT(1u << 20);
        unsigned char link[16] = { 0 };
        forge(&b, link, rows[i].first);
        if (rows[i].second)
            forge(&b, link, rows[i].second);
        kp_journal_check c;
        kp_err *err = kp_journal_scan_bytes(a, "j", b.p, b.n, &c);
        if (!rows[i].bad) {
            OK(err);
            assert_int_equal(c.records, rows[i].second ? 2 : 1);
            continue;
        }
        char where[16];
        snprintf(where, sizeof where, "j:%d:", rows[i].bad);
        if (err && !strstr(err->what, rows[i].why))
            fail_msg("row %zu: %s", i, err->what);
        ERROR(err, KP_REFUSED, where);
    }
}

/* A line may be 65,536 bytes long, newline included. */
static void longest_line(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        KP_AUTO_ARENA a = kp_arena_new("test", 4u << 20);
        KP_AUTO_BUF b = KP_BUF_INIT(1u << 20);
        KP_AUTO_BUF text = KP_BUF_INIT(1u << 20);
        unsigned char link[16] = { 0 };
        forge(&b, link, OPEN);
        kp_buf_str(&text, "{\"n\":2,\"t\":" T ",\"k\":\"note\",\"m\":\"");
        while (text.n < KP_RECORD_LIMIT - 40 - 2 + over)
            kp_buf_chr(&text, 'm');
        kp_buf_chr(&text, '"');
        size_t before = b.n;
        forge(&b, link, text.p);
        assert_int_equal(b.n - before, KP_RECORD_LIMIT + over);
        kp_journal_check c;
        assert_int_equal(scan(a, b.p, b.n, &c), over == 0);
    }
}

static void reads_a_file(void **state)
{
    fixture *x = *state;
    char *dir = dir_new(), path[PATH_SIZE];
    KP_AUTO_ARENA a = kp_arena_new("test", 1u << 20);
    kp_journal_check c;
    snprintf(path, sizeof path, "%s/x", dir);
    ERROR(kp_journal_scan(a, path, &c), KP_USAGE, "cannot be opened");
    file_write(path, x->p, x->n - 5);
    OK(kp_journal_scan(a, path, &c));
    assert_int_equal(c.records, SAMPLE - 1);
    assert_true(c.torn);
    x->p[x->at[3] + 40] ^= 1;
    file_write(path, x->p, x->n);
    x->p[x->at[3] + 40] ^= 1;
    ERROR(kp_journal_scan(a, path, &c), KP_REFUSED, "x:4");
    ERROR(kp_journal_scan(a, dir, &c), KP_REFUSED, "cannot be read at byte 0");
    dir_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written), cmocka_unit_test(links_are_as_documented),
        cmocka_unit_test(every_truncation),       cmocka_unit_test(every_bit_flip),
        cmocka_unit_test(zero_and_garbage_tails), cmocka_unit_test(last_newline),
        cmocka_unit_test(line_surgery),           cmocka_unit_test(other_conditions),
        cmocka_unit_test(longest_line),           cmocka_unit_test(reads_a_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
