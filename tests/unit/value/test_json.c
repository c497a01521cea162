/* JSON: the canonical text of every kind of value, that it is read back equal, and what is refused.
 */
#include "value/value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static kp_arena *a;

static int set_up(void **state)
{
    (void)state;
    a = kp_arena_new("test", 256 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kp_arena_free(a);
    return 0;
}

static const kp_value *must_read(const char *p, size_t n)
{
    const kp_value *v = NULL;
    kp_err *e = kp_json_read(a, p, n, &v);
    if (e)
        fail_msg("%s: %s: %.200s", e->where, e->what, p);
    return v;
}

/* The text of v, after proof that reading it gives v. */
static const char *text_of(const kp_value *v)
{
    char *text = kp_json_text(a, v);
    assert_true(kp_value_equal(must_read(text, strlen(text)), v));
    return text;
}

static void test_scalars(void **state)
{
    (void)state;
    static const struct {
        double d;
        const char *text;
    } doubles[] = {
        { 0.0, "0.0" },
        { -0.0, "-0.0" },
        { 1.0, "1.0" },
        { -1.5, "-1.5" },
        { 0.1, "0.1" },
        { 100.0, "100.0" },
        { 1e15, "1e+15" },
        { 1e20, "1e+20" },
        { 123456789012345680.0, "1.2345678901234568e+17" },
        { 1.0 / 3, "0.3333333333333333" },
        { 0.30000000000000004, "0.30000000000000004" },
        { 5e-324, "4.94065645841247e-324" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
    };
    for (size_t i = 0; i < KP_COUNT(doubles); i++)
        assert_string_equal(text_of(kp_double(a, doubles[i].d)), doubles[i].text);
    static const int64_t ints[] = {
        0, 7, -7, 10, INT64_MAX, INT64_MIN, (int64_t)1 << 53, ((int64_t)1 << 53) + 1,
    };
    for (size_t i = 0; i < KP_COUNT(ints); i++)
        assert_string_equal(text_of(kp_int(a, ints[i])), kp_printf(a, "%" PRId64, ints[i]));
    assert_string_equal(text_of(kp_nil()), "null");
    assert_string_equal(kp_json_text(a, NULL), "null");
    assert_string_equal(text_of(kp_bool(true)), "true");
    assert_string_equal(text_of(kp_bool(false)), "false");
    assert_string_equal(text_of(kp_double(a, (double)NAN)), "{\"$num\":\"nan\"}");
    assert_string_equal(text_of(kp_double(a, HUGE_VAL)), "{\"$num\":\"inf\"}");
    assert_string_equal(text_of(kp_double(a, -HUGE_VAL)), "{\"$num\":\"-inf\"}");
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t n;
        const char *text;
    } rows[] = {
        { "", 0, "\"\"" },
        { "orders-7", 8, "\"orders-7\"" },
        { "\"\\/", 3, "\"\\\"\\\\/\"" },
        { "\n\t\r\b\f", 5, "\"\\n\\t\\r\\b\\f\"" },
        { "a\0\x01\x1f\x7f", 5, "\"a\\u0000\\u0001\\u001f\x7f\"" },
        { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { "\xef\xbf\xbf\xef\xbb\xbf", 6, "\"\xef\xbf\xbf\xef\xbb\xbf\"" },
        { "\xff", 1, "{\"$b64\":\"/w==\"}" },
        { "\xff\xfe", 2, "{\"$b64\":\"//4=\"}" },
        { "a\xff\0", 3, "{\"$b64\":\"Yf8A\"}" },
        { "\xed\xa0\x80\x00", 4, "{\"$b64\":\"7aCAAA==\"}" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(text_of(kp_bytes(a, rows[i].s, rows[i].n)), rows[i].text);
}

static void test_lists_and_maps(void **state)
{
    (void)state;
    const int ids[] = { 3, 1, 2 };
    assert_string_equal(text_of(kp_ints(a, ids, 3)), "[3,1,2]");
    assert_string_equal(text_of(kp_ints(a, NULL, 0)), "[]");
    assert_string_equal(text_of(kp_map(a, NULL)), "{}");
    kp_builder b = kp_list_begin(a);
    kp_list_add(&b, NULL);
    kp_list_add(&b, kp_map(a, NULL));
    assert_string_equal(text_of(kp_list_end(&b)), "[null,{}]");
    const kp_value *map = kp_map(a, "z", kp_int(a, 1), "B", kp_ints(a, ids, 1), "a\"b",
                                 kp_text(a, "x"), NULL);
    assert_string_equal(text_of(map), "{\"B\":[3],\"a\\\"b\":\"x\",\"z\":1}");
}

/* Keys that look like the marks of value.h, and keys that are not UTF-8. */
static void test_marked_keys(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text;
    } rows[] = {
        { "$b64", "{\"$$b64\":\"/w==\"}" },
        { "$num", "{\"$$num\":\"/w==\"}" },
        { "$", "{\"$$\":\"/w==\"}" },
        { "$$b64", "{\"$$$b64\":\"/w==\"}" },
        { "$b64:/w==", "{\"$$b64:/w==\":\"/w==\"}" },
        { "\xff", "{\"$b64:/w==\":\"/w==\"}" },
        { "$\xff", "{\"$b64:JP8=\":\"/w==\"}" },
        { "a$", "{\"a$\":\"/w==\"}" },
        { "", "{\"\":\"/w==\"}" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const kp_value *map = kp_map(a, rows[i].key, kp_text(a, "/w=="), NULL);
        assert_string_equal(text_of(map), rows[i].text);
    }

    const kp_value *all = kp_map(a, NULL);
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        all = kp_map_with(a, all, rows[i].key, kp_int(a, (int64_t)i));
    assert_int_equal(kp_len(all), KP_COUNT(rows));
    text_of(all);

    static const char foreign[] = "{\"$ref\":{\"$b64\":\"/w==\",\"x\":1}}";
    const kp_value *v = must_read(foreign, strlen(foreign));
    assert_string_equal(kp_get_text(kp_get(v, "$ref"), "$b64", ""), "/w==");
    text_of(v);
}

static void test_read_spaces_and_escapes(void **state)
{
    (void)state;
    static const char text[] = " {\n \"b\" : [ 1 , -2.5e1, true ] ,\r\n"
                               "\t\"a\" : \"\\u00e9\\ud83d\\ude00\\/\", \"n\": null } ";
    const kp_value *v = must_read(text, strlen(text));
    assert_string_equal(text_of(v),
                        "{\"a\":\"\xc3\xa9\xf0\x9f\x98\x80/\",\"b\":[1,-25.0,true]}");
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where;
    } rows[] = {
        { "", "1:1" },
        { "  ", "1:2" },
        { "{", "1:1" },
        { "[1,]", "1:4" },
        { "[1 2]", "1:4" },
        { "{\"a\":1,\n \"a\":2}", "2:4" },
        { "[1] x", "1:5" },
        { "[\n\n  nul]", "3:5" },
        { "\"\xff\"", "1:1" },
        { "\"\xed\xa0\x80\"", "1:1" },
        { "\"\\ud800\"", NULL },
        { "{\"a\\u0000\":1}", NULL },
        { "9223372036854775808", "1:19" },
        { "-9223372036854775809", "1:20" },
        { "1e999", NULL },
        { "NaN", "1:3" },
        { "01", NULL },
        { "'a'", "1:1" },
        { "\"a\nb\"", NULL },
        { "[\"x\"", "1:4" },
        { "{\"$b64\":\"/w=\"}", "" },
        { "{\"$b64\":\"/x==\"}", "" },
        { "{\"$b64\":\"/w==/w==\"}", "" },
        { "{\"$b64\":\"=w==\"}", "" },
        { "{\"$b64\":\"/w=A\"}", "" },
        { "{\"$b64\":\"\\u0000\\u0000\\u0000\\u0000\"}", "" },
        { "{\"$b64\":7}", "" },
        { "{\"$num\":\"NaN\"}", "" },
        { "{\"$num\":1}", "" },
        { "{\"$b64:AA==\":1}", "" },
        { "{\"$b64:/w\":1}", "" },
        { "{\"$ref\":1,\"$$ref\":2}", "" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const kp_value *v = NULL;
        kp_err *e = kp_json_read(a, rows[i].text, strlen(rows[i].text), &v);
        if (!e)
            fail_msg("was read: %s", rows[i].text);
        if (rows[i].where ? !kp_streq(e->where, rows[i].where) : !strchr(e->where, ':'))
            fail_msg("%s: place %s: %s", rows[i].text, e->where, e->what);
        assert_null(v);
        assert_int_equal(e->cls, KP_CONFIG);
        assert_true(strlen(e->next) > 0);
        kp_err_drop(e);
    }
}

static const kp_value *nested(int levels, const kp_value *inside, bool maps)
{
    for (int i = 0; i < levels; i++) {
        kp_builder b = kp_list_begin(a);
        kp_list_add(&b, inside);
        inside = maps ? kp_map(a, "k", inside, NULL) : kp_list_end(&b);
    }
    return inside;
}

static void test_depth(void **state)
{
    (void)state;
    for (int maps = 0; maps < 2; maps++) {
        text_of(nested(KP_VALUE_DEPTH, kp_int(a, 1), maps));
        text_of(nested(KP_VALUE_DEPTH - 1, kp_bytes(a, "\xff", 1), maps));
        const kp_value *too_deep[] = {
            nested(KP_VALUE_DEPTH + 1, kp_int(a, 1), maps),
            nested(KP_VALUE_DEPTH, kp_bytes(a, "\xff", 1), maps),
            nested(KP_VALUE_DEPTH, kp_double(a, (double)NAN), maps),
        };
        for (size_t i = 0; i < KP_COUNT(too_deep); i++) {
            KP_AUTO_BUF b = KP_BUF_INIT(4096);
            kp_json_write(&b, too_deep[i]);
            assert_true(b.overflow);
        }
    }
    char text[200000];
    memset(text, '[', sizeof text);
    memcpy(text, "\"[[[[[\\\"[[\"", 11); /* brackets in strings do not count */
    const kp_value *v;
    kp_err *e = kp_json_read(a, text, sizeof text, &v);
    assert_non_null(e);
    assert_string_equal(e->where, "1:44");
    kp_err_drop(e);
    memcpy(text, "\n\n", 2);
    e = kp_json_read(a, text, sizeof text, &v);
    assert_true(kp_starts_with(e->where, "3:"));
    kp_err_drop(e);

    KP_AUTO_BUF wide = KP_BUF_INIT(4096);
    for (int i = 0; i < 500; i++)
        kp_buf_str(&wide, i ? ",[]" : "[[]");
    kp_buf_chr(&wide, ']');
    assert_int_equal(kp_len(must_read(wide.p, wide.n)), 500);
}

static void test_limits(void **state)
{
    (void)state;
    char *big = kp_alloc(a, KP_JSON_LIMIT + 1);
    memset(big, ' ', KP_JSON_LIMIT + 1);
    big[0] = '1';
    assert_int_equal(must_read(big, KP_JSON_LIMIT)->u.i, 1);
    const kp_value *v;
    kp_err *e = kp_json_read(a, big, KP_JSON_LIMIT + 1, &v);
    assert_non_null(e);
    kp_err_drop(e);

    const kp_value *list = must_read("[1,\"ab\",{\"k\":2.5}]", 18);
    for (size_t limit = 0; limit <= 18; limit++) {
        KP_AUTO_BUF b = KP_BUF_INIT(limit);
        kp_json_write(&b, list);
        assert_int_equal(b.overflow, limit < 18);
        assert_memory_equal(kp_buf_text(&b), "[1,\"ab\",{\"k\":2.5}]", b.n);
    }

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        fclose(stderr);
        kp_json_text(a, kp_bytes(a, big, KP_JSON_LIMIT));
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

/* ---- random trees and random damage ---- */

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static const kp_value *random_bytes(void)
{
    char s[12];
    size_t n = draw(sizeof s);
    for (size_t i = 0; i < n; i++)
        s[i] = (char)(draw(4) ? "ab$\"\\\n\xc3\xa9\xe2\x82\xac"[draw(11)] : (int)draw(256));
    return kp_bytes(a, s, n);
}

static uint64_t random_bits(void)
{
    return (uint64_t)draw(1 << 22) << 42 ^ (uint64_t)draw(1 << 22) << 21 ^ draw(1 << 22);
}

static const kp_value *random_double(void)
{
    uint64_t bits = random_bits();
    double d;
    memcpy(&d, &bits, sizeof d);
    return kp_double(a, draw(2) ? d : (double)draw(100000) / 1000);
}

static const kp_value *random_value(int depth)
{
    switch (draw(depth > 0 ? 8 : 5)) {
    case 0:
        return kp_nil();
    case 1:
        return kp_bool(draw(2));
    case 2:
        return kp_int(a, (int64_t)random_bits());
    case 3:
        return random_double();
    case 4:
        return random_bytes();
    case 5: {
        kp_builder b = kp_list_begin(a);
        for (uint32_t n = draw(6); n > 0; n--)
            kp_list_add(&b, random_value(depth - 1));
        return kp_list_end(&b);
    }
    default: {
        kp_builder b = kp_map_begin(a);
        for (uint32_t n = draw(6); n > 0; n--)
            kp_map_add(&b, random_bytes()->u.s, random_value(depth - 1));
        return kp_map_end(&b);
    }
    }
}

static void test_random_values_are_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        const kp_value *v = random_value(6);
        const char *text = text_of(v);
        assert_string_equal(kp_json_text(a, must_read(text, strlen(text))), text);
    }
}

/* Whatever the damage, the answer is an error or a value that is written and read again equal. */
static void test_damaged_texts(void **state)
{
    (void)state;
    int refused = 0;
    for (int i = 0; i < 3000; i++) {
        char *text = kp_json_text(a, random_value(4));
        size_t n = strlen(text);
        for (uint32_t hits = 1 + draw(3); hits > 0; hits--)
            text[draw((uint32_t)n)] = (char)(draw(2) ? "[]{}\",:\\01$"[draw(11)] : (int)draw(256));
        const kp_value *v = NULL;
        kp_err *e = kp_json_read(a, text, draw(4) ? n : draw((uint32_t)n + 1), &v);
        if (e) {
            assert_null(v);
            refused++;
            kp_err_drop(e);
        } else {
            text_of(v);
        }
    }
    assert_in_range(refused, 500, 2999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_lists_and_maps),
        cmocka_unit_test(test_marked_keys),
        cmocka_unit_test(test_read_spaces_and_escapes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_random_values_are_read_back),
        cmocka_unit_test(test_damaged_texts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
