/* server.properties: what Java reads, and edits that leave the rest of the file alone. */
#include "cluster/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static kp_arena *arena(void)
{
    return kp_arena_new("a properties test", 256u << 20);
}

static void reads_what_java_reads(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } rows[] = {
        { "", "{}" },
        { "a=1", "{\"a\":\"1\"}" },
        { "a=1\nb=2\n", "{\"a\":\"1\",\"b\":\"2\"}" },
        { "a=1\r\nb=2\r\n", "{\"a\":\"1\",\"b\":\"2\"}" },
        { "a=1\rb=2\r", "{\"a\":\"1\",\"b\":\"2\"}" },
        { "# c\n! d\n  # e\na=1", "{\"a\":\"1\"}" },
        { "# c \\\na=1", "{\"a\":\"1\"}" }, /* a comment does not go on */
        { "a = 1 ", "{\"a\":\"1 \"}" },     /* blanks behind the value belong to it */
        { " \t\f a\t=\f1", "{\"a\":\"1\"}" },
        { "a:1", "{\"a\":\"1\"}" },
        { "a 1", "{\"a\":\"1\"}" },
        { "a", "{\"a\":\"\"}" },
        { "a=", "{\"a\":\"\"}" },
        { "a = = 1", "{\"a\":\"= 1\"}" },
        { "a : = 1", "{\"a\":\"= 1\"}" },
        { "a  = 1", "{\"a\":\"1\"}" },
        { "=1", "{\"\":\"1\"}" },
        { "a=1\na=2", "{\"a\":\"2\"}" }, /* the last one counts */
        { "a=1,\\\n   2,\\\n\t3\nb=4", "{\"a\":\"1,2,3\",\"b\":\"4\"}" },
        { "a=1,\\\r\n   2\r\nb=4", "{\"a\":\"1,2\",\"b\":\"4\"}" },
        { "a=1\\\n# not a comment\nb=4", "{\"a\":\"1# not a comment\",\"b\":\"4\"}" },
        { "a=1\\\\\nb=4",
          "{\"a\":\"1\\\\\",\"b\":\"4\"}" }, /* an escaped backslash does not go on */
        { "a=1\\\n\nb=4", "{\"a\":\"1\",\"b\":\"4\"}" },
        { "a=1\\", "{\"a\":\"1\"}" },
        { "a=1\\\n", "{\"a\":\"1\"}" },
        { "a=1\\\n   ", "{\"a\":\"1\"}" },
        { "\\\na=1", "{\"a\":\"1\"}" },
        { "\\\n# a\nb=1", "{\"b\":\"1\"}" },
        { "a\\=b=1", "{\"a=b\":\"1\"}" },
        { "a\\ b\\:c 1", "{\"a b:c\":\"1\"}" },
        { "a=\\t\\n\\r\\f\\q\\\\", "{\"a\":\"\\t\\n\\r\\fq\\\\\"}" },
        { "a=\\ 1", "{\"a\":\" 1\"}" },
        { "a=\\u0041\\u00e9\\u20ac", "{\"a\":\"A\xc3\xa9\xe2\x82\xac\"}" },
        { "a=\\ud83d\\ude00", "{\"a\":\"\xf0\x9f\x98\x80\"}" },
        { "a=\\ud83dx", "{\"a\":\"\xef\xbf\xbdx\"}" },
        { "a=\\u12", "{\"a\":\"u12\"}" },
        { "\\u0061=1", "{\"a\":\"1\"}" },
        { "a=\xe9", "{\"a\":\"\xc3\xa9\"}" },
        { "a=\xc3\xa9", "{\"a\":\"\xc3\x83\xc2\xa9\"}" }, /* ISO 8859-1, whoever wrote it */
        { "listeners=PLAINTEXT://:9092,CONTROLLER://:9093",
          "{\"listeners\":\"PLAINTEXT://:9092,CONTROLLER://:9093\"}" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = arena();
        const kp_value *v = kp_properties_parse(a, rows[i].text, strlen(rows[i].text));
        if (strcmp(kp_json_text(a, v), rows[i].json) != 0)
            fail_msg("for\n%s\nexpected %s\ngot      %s", rows[i].text, rows[i].json,
                     kp_json_text(a, v));
    }
}

static void keys_with_nul_are_left_out(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    assert_string_equal(kp_json_text(a, kp_properties_parse(a, "a\0b=1\nc=\0\nd\\u0000=1", 20)),
                        "{\"c\":\"\\u0000\"}");
    assert_int_equal(kp_properties_count("a\0b=1", 5, "a"), 0);
}

static void counts(void **state)
{
    (void)state;
    static const char text[] = "a=1\n#a=2\n a : 3\n\\u0061 4\nb=a=5\naa=6\nx=\\\na=7\n";
    assert_int_equal(kp_properties_count(text, sizeof text - 1, "a"), 3);
    assert_int_equal(kp_properties_count(text, sizeof text - 1, "aa"), 1);
    assert_int_equal(kp_properties_count(text, sizeof text - 1, "c"), 0);
    assert_int_equal(kp_properties_count("", 0, "a"), 0);
}

/* Edits as "k=v" words ended by NULL; "k" alone removes k. */
static const kp_value *edits_of(kp_arena *a, const char *const *words)
{
    kp_builder b = kp_map_begin(a);
    for (; *words; words++) {
        const char *is = strchr(*words, '=');
        if (is)
            kp_map_add(&b, kp_strndup(a, *words, (size_t)(is - *words)), kp_text(a, is + 1));
        else
            kp_map_add(&b, *words, kp_bool(false));
    }
    return kp_map_end(&b);
}

static void edits_only_what_it_must(void **state)
{
    (void)state;
    static const struct {
        const char *before, *edits[4], *after;
    } rows[] = {
        { "a=1\nb=2\n", { "a=3" }, "a=3\nb=2\n" },
        { "a=1\nb=2\n", { "b=3" }, "a=1\nb=3\n" },
        { "a=1\nb=2\n", { "a" }, "b=2\n" },
        { "a=1\nb=2\n", { "b" }, "a=1\n" },
        { "a=1\nb=2", { "b" }, "a=1\n" },
        { "a=1\nb=2\n", { "c" }, "a=1\nb=2\n" },
        { "a=1\nb=2\n", { "c=3" }, "a=1\nb=2\nc=3\n" },
        { "a=1\nb=2\n", { "a=1", "b=2" }, "a=1\nb=2\n" },
        { "a=1\n", { "d=4", "b=2", "a" }, "b=2\nd=4\n" },
        { "", { "a=1" }, "a=1\n" },
        /* an emptied value on a continued last line does not swallow the new one */
        { "x=\\\n7", { "x=", "c=3" }, "x=\nc=3\n" },
        { "x =\\\r7\ny=1\n", { "x=" }, "x=\ny=1\n" },
        { "\n\n", { "a=1" }, "\n\na=1\n" },
        /* spelling, order, comments and blank lines stay */
        { "# top\n\n  a \t: 1   # no comment\n!end\n", { "a=2" }, "# top\n\n  a \t: 2\n!end\n" },
        { "a   1\n", { "a=2" }, "a=2\n" },
        { "a\nb=1\n", { "a=2" }, "a=2\nb=1\n" },
        { "a=\nb=1\n", { "a=2" }, "a=2\nb=1\n" },
        { "a=  \nb=1\n", { "a=2" }, "a=  2\nb=1\n" },
        { "\\u0061=1\n", { "a=2" }, "\\u0061=2\n" },
        { "#a=1\n", { "a=2" }, "#a=1\na=2\n" },
        /* equal after reading: the bytes stay */
        { "a=\\u0031,\\\n  2\n", { "a=1,2" }, "a=\\u0031,\\\n  2\n" },
        /* lines that go on */
        { "a=1,\\\n  2\nb=3\n", { "a=4" }, "a=4\nb=3\n" },
        { "a=1,\\\n  2\nb=3\n", { "a" }, "b=3\n" },
        { "a=\\\n  2\nb=3\n", { "a=4" }, "a=\\\n  4\nb=3\n" },
        { "a\\\n  b=2\n", { "ab=4" }, "a\\\n  b=4\n" },
        { "a=1\\\n\nb=3\n", { "a=4" }, "a=4\nb=3\n" },
        { "x=\\\na=1\na=2\n", { "a=4" }, "x=\\\na=1\na=4\n" },
        /* carriage returns */
        { "a=1\r\nb=2\r\n", { "a=3", "c=4" }, "a=3\r\nb=2\r\nc=4\r\n" },
        { "a=1,\\\r\n 2\r\nb=2\r\n", { "a=3" }, "a=3\r\nb=2\r\n" },
        { "a=1\rb=2\r", { "a=3" }, "a=3\rb=2\r" },
        /* no line break at the end */
        { "a=1\nb=2", { "b=3" }, "a=1\nb=3" },
        { "a=1\nb=2", { "a=3" }, "a=3\nb=2" },
        { "a=1\nb=2", { "c=3" }, "a=1\nb=2\nc=3\n" },
        { "a=1\r\nb=2", { "c=3" }, "a=1\r\nb=2\r\nc=3\r\n" },
        { "# c", { "a=1" }, "# c\na=1\n" },
        { "a=1\rb=2\r", { "c=3" }, "a=1\rb=2\rc=3\r" },
        { "a=1\nb=2\\\r", { "c=3" }, "a=1\nb=2\\\r\n\nc=3\n" },
        /* a last line that would swallow the next one */
        { "b=2\\", { "c=3" }, "b=2\\\n\nc=3\n" },
        { "b=2\\\n", { "c=3" }, "b=2\\\n\nc=3\n" },
        { "b=2\\\n  ", { "c=3" }, "b=2\\\n  \nc=3\n" },
        { "b=2\\", { "b=4", "c=3" }, "b=4\nc=3\n" },
        { "b=2\\\n", { "b=4", "c=3" }, "b=4\nc=3\n" },
        { "a=1\nb=2\\", { "b", "c=3" }, "a=1\nc=3\n" },
        { "# c\\", { "c=3" }, "# c\\\nc=3\n" },
        { "b=2\\\\", { "c=3" }, "b=2\\\\\nc=3\n" },
        /* escapes */
        { "a=1\n", { "a= x" }, "a=\\ x\n" },
        { "a=1\n", { "a=\tx\ty" }, "a=\\tx\ty\n" },
        { "a=1\n", { "a=\\x\\" }, "a=\\\\x\\\\\n" },
        { "a=1\n", { "a=x\ny\r" }, "a=x\\ny\\r\n" },
        { "a=1\n", { "a=\xc3\xa9\xf0\x9f\x98\x80" }, "a=\\u00e9\\ud83d\\ude00\n" },
        { "a 1\n", { "a== :" }, "a== :\n" },
        { "a=1\n", { "a=" }, "a=\n" },
        { "", { "# a:b\t=x#!=:" }, "\\#\\ a\\:b\\t=x#!=:\n" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = arena();
        char *text = NULL;
        size_t n = 0;
        kp_err *e = kp_properties_edit(a, rows[i].before, strlen(rows[i].before),
                                       edits_of(a, rows[i].edits), &text, &n);
        if (e)
            fail_msg("for\n%s\n%s", rows[i].before, kp_err_text(a, e));
        if (strcmp(text, rows[i].after) != 0)
            fail_msg("for\n%s\nexpected\n%s\ngot\n%s", rows[i].before, rows[i].after, text);
        assert_int_equal(n, strlen(rows[i].after));
    }
}

static void check_refusal(const char *text, size_t n, const kp_value *edits, const char *what)
{
    KP_AUTO_ARENA a = arena();
    char *ret = NULL;
    size_t ret_n = 77;
    kp_err *e = kp_properties_edit(a, text, n, edits, &ret, &ret_n);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_CONFIG);
    assert_string_equal(e->what, what);
    assert_null(ret);
    assert_int_equal(ret_n, 77);
    kp_err_drop(e);
}

static void refuses(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_value *set = kp_map(a, "a", kp_text(a, "9"), NULL);
    check_refusal("b=1\na=1\nc=1\n\\u0061=2\n", 24, set, "a is set twice, in lines 2 and 4");
    check_refusal("a=1\na=1\n", 8, kp_map(a, "a", kp_bool(false), NULL),
                  "a is set twice, in lines 1 and 2");
    check_refusal("", 0, kp_map(a, "a", kp_bool(true), NULL), "a cannot be set to a boolean");
    check_refusal("", 0, kp_map(a, "a", kp_int(a, 3), NULL), "a cannot be set to a integer");
    check_refusal("", 0, kp_map(a, "a", kp_text(a, "\xff"), NULL),
                  "a cannot be set: that is no text");
    char *large = kp_alloc(a, KP_PROPERTIES_LIMIT + 2);
    memset(large, '#', KP_PROPERTIES_LIMIT + 1);
    check_refusal(large, KP_PROPERTIES_LIMIT + 1, set, "the file is larger than 1.0 MB");
    check_refusal(large, KP_PROPERTIES_LIMIT, set, "the file would be larger than 1.0 MB");
    char *text;
    size_t n;
    assert_null(kp_properties_edit(a, large, KP_PROPERTIES_LIMIT - 5, set, &text, &n));
    assert_int_equal(n, KP_PROPERTIES_LIMIT);
    assert_null(kp_properties_edit(a, "b=1\nb=2\n", 8, set, &text,
                                   &n)); /* b twice is nobody's business here */
    assert_string_equal(text, "b=1\nb=2\na=9\n");
}

/* ---- properties of edits, on random files ---- */

static uint64_t seed;

static uint32_t below(uint32_t n) /* xorshift64* */
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)((seed * 0x2545f4914f6cdd1du) >> 33) % n;
}

static const char *pick(const char *const *from, size_t n)
{
    return from[below((uint32_t)n)];
}
#define PICK(array) pick(array, KP_COUNT(array))

/* A file in pieces: a logical line, a comment or a blank line each, with its line break. */
typedef struct piece {
    size_t at, n;
    int key; /* which of "k0" .. "k9"; -1 for none */
} piece;

enum { MAX_PIECES = 12 };

/* s with each \n as the file's own break and each % as the digit of a key. */
static void add(kp_buf *b, const char *s, const char *eol, int key)
{
    for (; *s; s++) {
        if (*s == '\n')
            kp_buf_str(b, eol);
        else
            kp_buf_chr(b, *s == '%' ? (char)('0' + key) : *s);
    }
}

static size_t random_file(kp_buf *b, piece *pieces)
{
    static const char *const spellings[] = { "k%", "  k%", "\\u006b%", "\\k%", "k\\\n   %" };
    static const char *const separators[] = { "=",  " = ", ":",       " : ",
                                              "\t", " ",   "=\\\n  ", " \\\n = " };
    static const char *const values[] = { "",      "1", "a b",   "1,\\\n  2", "\\u0041", "x\\\\",
                                          "\\ y ", "=", "a=b:c", "\\\n\n",    "\xe9" };
    static const char *const others[] = { "", "   ", "# comment", "  ! k1=2", "#k1=\\", "\t\f" };
    static const char *const breaks[] = { "\n", "\r\n", "\r" };
    const char *eol = PICK(breaks);
    bool used[10] = { false };
    size_t n = below(MAX_PIECES + 1);
    for (size_t i = 0; i < n; i++) {
        int key = (int)below(10);
        pieces[i] = (piece){ .at = b->n, .key = -1 };
        if (used[key] || below(4) == 0) {
            add(b, PICK(others), eol, 0);
        } else {
            add(b, PICK(spellings), eol, key);
            add(b, PICK(separators), eol, key);
            add(b, PICK(values), eol, key);
            used[key] = true;
            pieces[i].key = key;
        }
        if (i + 1 < n || below(2))
            kp_buf_str(b, eol);
        pieces[i].n = b->n - pieces[i].at;
    }
    return n;
}

static const kp_value *random_value(kp_arena *a)
{
    static const char *const values[] = { "",       "1",    " lead",
                                          "trail ", "a\\b", "x\ny",
                                          "\t",     "=:#!", "\xc3\xa9\xe2\x82\xac",
                                          "\xc3\xbf", "1,2" };
    return below(4) ? kp_text(a, PICK(values)) : kp_bool(false);
}

/* The value of what is read, with the edit applied. */
static const kp_value *applied(kp_arena *a, const kp_value *read, const char *key,
                               const kp_value *v)
{
    return kp_map_with(a, read, key, kp_is(v, KP_BYTES) ? v : NULL);
}

static void check_edit(kp_arena *a, const kp_buf *file, const piece *pieces, size_t n)
{
    char key[] = { 'k', (char)('0' + below(10)), 0 };
    const kp_value *v = random_value(a),
                   *before = kp_properties_parse(a, kp_buf_text(file), file->n);
    char *text;
    size_t text_n, prefix = file->n, suffix = 0;
    kp_err *e = kp_properties_edit(a, kp_buf_text(file), file->n, kp_map(a, key, v, NULL), &text,
                                   &text_n);
    assert_null(e);
    assert_true(kp_value_equal(kp_properties_parse(a, text, text_n), applied(a, before, key, v)));
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].key == key[1] - '0') {
            prefix = pieces[i].at;
            suffix = file->n - pieces[i].at - pieces[i].n;
        }
    }
    assert_true(text_n >= prefix + suffix);
    assert_memory_equal(text, kp_buf_text(file), prefix);
    assert_memory_equal(text + text_n - suffix, kp_buf_text(file) + file->n - suffix, suffix);
    bool no_change = kp_value_equal(before, applied(a, before, key, v));
    if (no_change) {
        assert_int_equal(text_n, file->n);
        assert_memory_equal(text, kp_buf_text(file), file->n);
    }
}

static void an_edit_changes_its_key_and_nothing_else(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5000; i++) {
        KP_AUTO_ARENA a = arena();
        KP_AUTO_BUF file = KP_BUF_INIT(1u << 16);
        piece pieces[MAX_PIECES];
        seed = 0x9e3779b97f4a7c15u + i;
        size_t n = random_file(&file, pieces);
        check_edit(a, &file, pieces, n);
    }
}

static void several_edits_are_one_after_the_other(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2000; i++) {
        KP_AUTO_ARENA a = arena();
        KP_AUTO_BUF file = KP_BUF_INIT(1u << 16);
        piece pieces[MAX_PIECES];
        seed = 77 + i * 0x9e3779b97f4a7c15u;
        random_file(&file, pieces);
        const kp_value *one = random_value(a), *two = random_value(a);
        char *together, *first, *second;
        size_t together_n, first_n, second_n;
        assert_null(kp_properties_edit(a, kp_buf_text(&file), file.n,
                                       kp_map(a, "k3", one, "k7", two, NULL), &together,
                                       &together_n));
        assert_null(kp_properties_edit(a, kp_buf_text(&file), file.n, kp_map(a, "k3", one, NULL),
                                       &first, &first_n));
        assert_null(
            kp_properties_edit(a, first, first_n, kp_map(a, "k7", two, NULL), &second, &second_n));
        bool lost_its_breaks = !memchr(first, '\n', first_n) && !memchr(first, '\r', first_n);
        if (lost_its_breaks && file.n > 0) {
            assert_true(kp_value_equal(kp_properties_parse(a, together, together_n),
                                       kp_properties_parse(a, second, second_n)));
            continue;
        }
        assert_int_equal(together_n, second_n);
        assert_memory_equal(together, second, second_n);
    }
}

static void random_bytes_are_edited_too(void **state)
{
    (void)state;
    static const char alphabet[] = "kk01=: \t\f\\\\\\#!\r\n\nu0041\xe9";
    uint32_t edited = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        KP_AUTO_ARENA a = arena();
        char file[24], *text;
        size_t n = 0, text_n;
        seed = 1 + i * 0x9e3779b97f4a7c15u;
        for (size_t want = below(sizeof file); n < want; n++)
            file[n] = alphabet[below(sizeof alphabet - 1)];
        const kp_value *before = kp_properties_parse(a, file, n), *v = random_value(a);
        kp_err *e = kp_properties_edit(a, file, n, kp_map(a, "k", v, NULL), &text, &text_n);
        assert_int_equal(e != NULL, kp_properties_count(file, n, "k") > 1);
        if (!e) {
            edited += before->n != kp_properties_parse(a, text, text_n)->n;
            if (!kp_value_equal(kp_properties_parse(a, text, text_n), applied(a, before, "k", v)))
                fail_msg("seed %u: %s", i, kp_printable(a, file, n));
        }
        kp_err_drop(e);
    }
    assert_in_range(edited, 1000, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_java_reads),
        cmocka_unit_test(keys_with_nul_are_left_out),
        cmocka_unit_test(counts),
        cmocka_unit_test(edits_only_what_it_must),
        cmocka_unit_test(refuses),
        cmocka_unit_test(an_edit_changes_its_key_and_nothing_else),
        cmocka_unit_test(several_edits_are_one_after_the_other),
        cmocka_unit_test(random_bytes_are_edited_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
