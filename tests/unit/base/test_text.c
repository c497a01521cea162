/* Text helpers: one table per helper, and files that can and cannot be read. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static kp_arena *a;

static int set_up(void **state)
{
    (void)state;
    a = kp_arena_new("test", 16 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kp_arena_free(a);
    return 0;
}

static void test_compare(void **state)
{
    (void)state;
    assert_true(kp_streq("a", "a"));
    assert_false(kp_streq("a", "b"));
    assert_true(kp_streq(NULL, NULL));
    assert_false(kp_streq(NULL, ""));
    assert_false(kp_streq("", NULL));
    assert_true(kp_starts_with("rolling.lua", "rolling"));
    assert_true(kp_starts_with("x", ""));
    assert_false(kp_starts_with("roll", "rolling"));
    assert_false(kp_starts_with(NULL, ""));
    assert_true(kp_ends_with("rolling.lua", ".lua"));
    assert_true(kp_ends_with(".lua", ".lua"));
    assert_false(kp_ends_with("lua", ".lua"));
    assert_false(kp_ends_with(NULL, ".lua"));
}

static void test_did_you_mean(void **state)
{
    (void)state;
    static const char *const verbs[] = { "stop_broker", "start_broker", "stop_controller",
                                         "urp",         "risk",         "elect_preferred",
                                         "id",          "a",            NULL };
    static const char *const none[] = { NULL };
    static const struct {
        const char *word, *meant;
    } rows[] = {
        { "stop_brokr", "stop_broker" },
        { "sotp_broker", "stop_broker" },
        { "stop_broker", "stop_broker" },
        { "start_brokers", "start_broker" },
        { "upr", "urp" },
        { "urps", "urp" },
        { "elect_prefered", "elect_preferred" },
        { "elcet_perferrde", "elect_preferred" },
        { "elcet_perferrdex", NULL },
        { "format_storage", NULL },
        { "rixx", "risk" },
        { "rxxx", NULL },
        { "xyz", NULL },
        { "i", "id" },
        { "b", NULL },
        { "", NULL },
        { NULL, NULL },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const char *meant = kp_did_you_mean(rows[i].word, verbs);
        if (!kp_streq(meant, rows[i].meant))
            fail_msg("%s: got %s", rows[i].word, meant ? meant : "nothing");
    }
    assert_null(kp_did_you_mean("urp", none));
    char long_word[200];
    memset(long_word, 'u', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_null(kp_did_you_mean(long_word, verbs));
    assert_null(kp_did_you_mean("urp", (const char *const[]){ long_word, NULL }));
    long_word[64] = '\0'; /* the longest that is compared */
    const char *one_less = long_word + 1;
    const char *const names[] = { long_word, NULL };
    assert_ptr_equal(kp_did_you_mean(one_less, names), long_word);
}

static void test_time(void **state)
{
    (void)state;
    static const struct {
        kp_ms utc;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1795323600012, "2026-11-22T05:00:00.012Z" },
        { 951868799999, "2000-02-29T23:59:59.999Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1000, "1969-12-31T23:59:59.000Z" },
        { KP_NEVER, "never" },
        { -62135596800000, "0001-01-01T00:00:00.000Z" },
        { INT64_MIN, "-292275055-05-16T16:47:04.192Z" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(kp_time_text(a, rows[i].utc), rows[i].text);
}

static void test_duration(void **state)
{
    (void)state;
    static const struct {
        kp_ms d;
        bool fine;
        const char *text;
    } rows[] = {
        { 0, false, "0 s" },
        { 0, true, "0.00 s" },
        { 410, true, "0.41 s" },
        { 410, false, "0 s" },
        { 500, false, "1 s" },
        { 9994, true, "9.99 s" },
        { 9995, true, "10 s" },
        { 31000, true, "31 s" },
        { 31499, false, "31 s" },
        { 59499, false, "59 s" },
        { 59500, false, "1 min" },
        { 112000, false, "1 min 52 s" },
        { 3599499, false, "59 min 59 s" },
        { 3599500, false, "1 h" },
        { 2 * KP_HOUR + 3 * KP_MINUTE, false, "2 h 3 min" },
        { 24 * KP_HOUR - 31 * KP_SECOND, false, "23 h 59 min" },
        { 24 * KP_HOUR - 30 * KP_SECOND, false, "1 d" },
        { 28 * KP_HOUR, false, "1 d 4 h" },
        { -31000, false, "-31 s" },
        { KP_NEVER, false, "no limit" },
        { KP_NEVER - 1, false, "106751991167 d 7 h" },
        { INT64_MIN, false, "-106751991167 d 7 h" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(kp_duration_text(a, rows[i].d, rows[i].fine), rows[i].text);
}

static void test_counts_and_bytes(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        const char *count, *bytes;
    } rows[] = {
        { 0, "0", "0 bytes" },
        { 1, "1", "1 byte" },
        { 7, "7", "7 bytes" },
        { 999, "999", "999 bytes" },
        { 1000, "1,000", "1.0 kB" },
        { 1204, "1,204", "1.2 kB" },
        { 9949, "9,949", "9.9 kB" },
        { 9950, "9,950", "10 kB" },
        { 12345, "12,345", "12 kB" },
        { 999499, "999,499", "999 kB" },
        { 999500, "999,500", "1.0 MB" },
        { 830000000, "830,000,000", "830 MB" },
        { 1234567890, "1,234,567,890", "1.2 GB" },
        { -1204, "-1,204", "-1.2 kB" },
        { INT64_MAX, "9,223,372,036,854,775,807", "9.2 EB" },
        { INT64_MIN, "-9,223,372,036,854,775,808", "-9.2 EB" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        assert_string_equal(kp_count_text(a, rows[i].n), rows[i].count);
        assert_string_equal(kp_bytes_text(a, rows[i].n), rows[i].bytes);
    }
}

/* UTF-8 by its definition: decode, then ask whether the number needs that many bytes. */
static size_t utf8_len_by_definition(const unsigned char *p, size_t n)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = p[0] < 0x80 ? 1 : 0;
    len = p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : len;
    if (len == 0 || len > n)
        return 0;
    uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    bool surrogate = c >= 0xd800 && c < 0xe000;
    return len > 1 && (c < smallest[len] || c > 0x10ffff || surrogate) ? 0 : len;
}

static void test_utf8(void **state)
{
    (void)state;
    static const unsigned char third[] = { 0x00, 0x7f, 0x80, 0xa0, 0xbf, 0xc0, 0xff };
    unsigned char s[4];
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            for (size_t i = 0; i < KP_COUNT(third) * KP_COUNT(third); i++) {
                s[0] = (unsigned char)first;
                s[1] = (unsigned char)second;
                s[2] = third[i / KP_COUNT(third)];
                s[3] = third[i % KP_COUNT(third)];
                for (size_t n = 1; n <= 4; n++)
                    if (kp_utf8_len((const char *)s, n) != utf8_len_by_definition(s, n))
                        fail_msg("%02x %02x %02x %02x of %zu", s[0], s[1], s[2], s[3], n);
            }
        }
    }
    assert_int_equal(kp_utf8_len("", 0), 0);
}

static void test_printable(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t n;
        const char *text;
    } rows[] = {
        { "", 0, "" },
        { "orders-7 \\x", 11, "orders-7 \\x" },
        { "a\0b", 3, "a\\x00b" },
        { "\x1b[0m\x7f", 5, "\\x1b[0m\\x7f" },
        { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
        { "\xc2\x9b[31m", 6, "\\xc2\\x9b[31m" },
        { "\xc2\xa0", 2, "\xc2\xa0" },
        { "\xc3", 1, "\\xc3" },
        { "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" },
        { "\xc0\xaf", 2, "\\xc0\\xaf" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(kp_printable(a, rows[i].s, rows[i].n), rows[i].text);
}

static void test_sha256(void **state)
{
    (void)state;
    /* FIPS 180-2, appendix B. */
    assert_string_equal(kp_sha256_hex(a, "", 0),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(kp_sha256_hex(a, "abc", 3),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    char *million = kp_alloc(a, 1000000);
    memset(million, 'a', 1000000);
    assert_string_equal(kp_sha256_hex(a, million, 1000000),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static char directory[64];

static const char *path_of(const char *name)
{
    return kp_printf(a, "%s/%s", directory, name);
}

static void write_file(const char *path, const char *p, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void assert_unreadable(const char *path, size_t limit, const char *what_begins)
{
    char *text = NULL;
    size_t n = 77;
    kp_err *e = kp_file_read(a, path, limit, &text, &n);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_CONFIG);
    assert_string_equal(e->where, path);
    if (!kp_starts_with(e->what, what_begins))
        fail_msg("%s: %s", path, e->what);
    assert_true(strlen(e->next) > 10);
    assert_null(text);
    assert_int_equal(n, 77);
    kp_err_drop(e);
}

static void test_file_read(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/kplay-test-text-XXXXXX");
    assert_non_null(mkdtemp(directory));
    const char *path = path_of("file");
    char *big = kp_alloc(a, 100000);
    for (size_t i = 0; i < 100000; i++)
        big[i] = (char)(i * 31);

    static const size_t lengths[] = { 0, 1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 100000 };
    for (size_t i = 0; i < KP_COUNT(lengths); i++) {
        write_file(path, big, lengths[i]);
        char *text;
        size_t n;
        assert_null(kp_file_read(a, path, lengths[i], &text, &n));
        assert_int_equal(n, lengths[i]);
        assert_memory_equal(text, big, n);
        assert_int_equal(text[n], 0);
        assert_null(kp_file_read(a, path, 1 << 20, &text, NULL));
        if (lengths[i] > 0)
            assert_unreadable(path, lengths[i] - 1, "is larger than ");
    }

    char *text;
    size_t n;
    assert_null(kp_file_read(a, "/proc/self/stat", 1 << 16, &text, &n)); /* says its size is 0 */
    assert_true(n > 0);

    assert_unreadable(path_of("missing"), 10, "no such file");
    assert_unreadable(path_of("file/below"), 10, "Not a directory");
    assert_unreadable(directory, 10, "is not a file but a directory");
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_unreadable(path_of("fifo"), 10, "is not a file but something special");
    assert_int_equal(chmod(path, 0), 0);
    if (geteuid() != 0)
        assert_unreadable(path, 1 << 20, "Permission denied");

    assert_int_equal(unlink(path_of("fifo")), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_did_you_mean),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_counts_and_bytes),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_printable),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_file_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
