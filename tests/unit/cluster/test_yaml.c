/* The strict YAML reader: what it makes of a file, and every refusal with its place. */
#include "cluster/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_NAME "kplay.yaml"

static kp_arena *arena(void)
{
    return kp_arena_new("a yaml test", 256u << 20);
}

static void reads_a_tree_of_text(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_value *v, *where;
    const char *text = "cluster: lab   # a comment\n"
                       "kafka: { bootstrap.servers: \"a:1,b:2\" }\n"
                       "brokers:\n"
                       "  - { id: 010, up: yes }\n"
                       "  -\n"
                       "    id: 2\n"
                       "    why: |\n"
                       "      two\n"
                       "      lines\n"
                       "empty: ''\n"
                       "\"quoted key\": '~'\n"
                       "list: [a, [b, 'c d'], {}]\n";
    assert_null(kp_yaml_read(a, FILE_NAME, text, strlen(text), &v, &where));
    assert_string_equal(
        kp_json_text(a, v),
        "{\"brokers\":[{\"id\":\"010\",\"up\":\"yes\"},"
        "{\"id\":\"2\",\"why\":\"two\\nlines\\n\"}],\"cluster\":\"lab\",\"empty\":\"\","
        "\"kafka\":{\"bootstrap.servers\":\"a:1,b:2\"},"
        "\"list\":[\"a\",[\"b\",\"c d\"],{}],\"quoted key\":\"~\"}");
    const struct {
        const char *path, *where;
    } rows[] = {
        { "", "kplay.yaml:1:1" },
        { "cluster", "kplay.yaml:1:1" },
        { "kafka", "kplay.yaml:2:1" },
        { "kafka.bootstrap.servers", "kplay.yaml:2:10" },
        { "brokers", "kplay.yaml:3:1" },
        { "brokers[0]", "kplay.yaml:4:5" },
        { "brokers[0].id", "kplay.yaml:4:7" },
        { "brokers[0].up", "kplay.yaml:4:16" },
        { "brokers[1]", "kplay.yaml:6:5" },
        { "brokers[1].id", "kplay.yaml:6:5" },
        { "brokers[1].why", "kplay.yaml:7:5" },
        { "empty", "kplay.yaml:10:1" },
        { "quoted key", "kplay.yaml:11:1" },
        { "list", "kplay.yaml:12:1" },
        { "list[0]", "kplay.yaml:12:8" },
        { "list[1]", "kplay.yaml:12:11" },
        { "list[1][0]", "kplay.yaml:12:12" },
        { "list[1][1]", "kplay.yaml:12:15" },
        { "list[2]", "kplay.yaml:12:23" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(kp_get_text(where, rows[i].path, "nowhere"), rows[i].where);
    assert_int_equal(kp_len(where), KP_COUNT(rows));
}

static void accepts(void **state)
{
    (void)state;
    const struct {
        const char *name, *text, *json;
    } rows[] = {
        { "byte order mark",
          "\xef\xbb\xbf"
          "a: 1",
          "{\"a\":\"1\"}" },
        { "carriage returns", "a: 1\r\nb: 2\r\n", "{\"a\":\"1\",\"b\":\"2\"}" },
        { "document start", "---\na: 1\n...\n", "{\"a\":\"1\"}" },
        { "quoted text over two lines", "a: \"x\n   y\"", "{\"a\":\"x y\"}" },
        { "folded text", "a: >-\n  x\n  y\n", "{\"a\":\"x y\"}" },
        { "a text", "hello", "\"hello\"" },
        { "a list", "- 1\n- 2\n", "[\"1\",\"2\"]" },
        { "characters beyond ASCII", "a: \xc3\xa9", "{\"a\":\"\xc3\xa9\"}" },
        { "words that other readers turn into booleans", "no: off", "{\"no\":\"off\"}" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = arena();
        const kp_value *v, *where;
        kp_err *e = kp_yaml_read(a, FILE_NAME, rows[i].text, strlen(rows[i].text), &v, &where);
        if (e)
            fail_msg("%s: %s", rows[i].name, kp_err_text(a, e));
        assert_string_equal(kp_json_text(a, v), rows[i].json);
    }
}

typedef struct refusal {
    const char *text;
    const char *where; /* behind the file's name */
    const char *what;
    const char *next; /* a part of it */
} refusal;

static const refusal refusals[] = {
    { "", "1:1", "the file is empty", "write something in it" },
    { "# only a comment\n", "1:1", "the file is empty", "write something in it" },
    { "---\n", "2:1", "the file is empty", "write something in it" },
    { "a: 1\nb: 2\na: 3\n", "3:1", "`a` is given twice; first at line 1:1", "keep one" },
    { "x: { b: 1, a: 1, a: 2, b: 2, a: 3 }", "1:18", "`a` is given twice; first at line 1:12",
      "keep one" },
    { "{ a: 1, b: 1, b: 2, a: 2 }", "1:15", "`b` is given twice; first at line 1:9", "keep one" },
    { "a: &x 1\n", "1:4", "anchors (`&...`) are not allowed", "needs quotes" },
    { "a: &x { b: 1 }\n", "1:4", "anchors (`&...`) are not allowed", "needs quotes" },
    { "a: &x [ b ]\n", "1:4", "anchors (`&...`) are not allowed", "needs quotes" },
    { "a: 1\nb: *x\n", "2:4", "aliases (`*...`) are not allowed", "write the value out" },
    { "a: !!int 1\n", "1:4", "tags (`!...`) are not allowed", "remove the tag" },
    { "a: !!python/object {}\n", "1:4", "tags (`!...`) are not allowed", "remove the tag" },
    { "a: !x [ 1 ]\n", "1:4", "tags (`!...`) are not allowed", "remove the tag" },
    { "a: !e!x 1\n", "1:4", "tags (`!...`) are not allowed", "remove the tag" },
    { "a: !<x 1\n", "1:7", "tags (`!...`) are not allowed", "remove the tag" },
    { "a: &\n", "1:5", "`*` and `&` begin an alias or anchor, which are not allowed", "in quotes" },
    { "<<: { a: 1 }\n", "1:1", "merge keys (`<<`) are not allowed", "write the keys out" },
    { "a: 1\n---\nb: 2\n", "2:1", "a second document begins here", "remove the `---`" },
    { "a: 1\n...\nb: 2\n", "3:1", "something stands outside the document", "keep one document" },
    { "a: \"x\\0y\"\n", "1:4", "a text with a NUL byte", "remove the \\0" },
    { "a: { b: 1,\n     \"x\\0\": 1 }\n", "2:6", "a text with a NUL byte", "remove the \\0" },
    { "a:\nb: 1\n", "1:1", "`a` has no value", "take the key out" },
    { "a: ~\n", "1:1", "`~` means \"no value\" in YAML", "put the word in quotes" },
    { "a: [1, null]\n", "1:8", "`null` means \"no value\" in YAML", "put the word in quotes" },
    { "a:\n  - 1\n  -\n", "3:4", "an item without a value", "\"\" for an empty one" },
    { "a: { id: 1, host:broker1 }\n", "1:13", "`host:...` is read as one key without a value",
      "a blank after the colon" },
    { "a: [1, 2\n  b, 3]\n", "1:8", "this value goes on over the next line", "a comma" },
    { "a: one\n  two\n", "1:4", "this value goes on over the next line", "in quotes" },
    { "? [1]\n: 2\n", "1:3", "a map or list cannot be a key", "in quotes" },
    { "{ [a]: 2 }\n", "1:3", "a map or list cannot be a key", "in quotes" },
    { "\"\": 2\n", "1:1", "a key is missing before this", "key: value" },
    { ": 2\n", "1:1", "this line does not fit the lines above it", "same indentation" },
    { "\"a\\nb\": 2\n", "1:1", "a key with a line break or control character", "one line" },
    /* libyaml's own */
    { "a:\n\tb: 1\n", "2:1", "a tab in the indentation; YAML takes only blanks there",
      "replace tabs" },
    { "a: 1\n\tb: 1\n", "2:1", "a tab in the indentation; YAML takes only blanks there",
      "replace tabs" },
    { "a:\n  - 1\n\t- 2\n", "3:1", "a tab in the indentation; YAML takes only blanks there",
      "replace tabs" },
    { "a: |\n\tb\n", "2:1", "a tab in the indentation; YAML takes only blanks there",
      "replace tabs" },
    { "a: b: c\n", "1:5", "a `:` that is not expected here", "in quotes" },
    { "a: 1\nb\nc: 2\n", "3:1", "this line is neither `key: value` nor a part of the value above",
      "a blank" },
    { "a: - 1\n", "1:4", "a `- ` that is not expected here", "on a line of its own" },
    { "a: 1\n b: 2\n", "1:4", "this value goes on over the next line", "`key:`" },
    { "a:\n  b: 1\n c: 2\n", "3:2", "this line does not fit the lines above it",
      "same indentation" },
    { "a:\n  - 1\n  b: 2\n", "3:3", "this line does not fit the list above it", "with `- `" },
    { "a: { b: 1 c: 2 }\n", "1:12", "a `,` or `}` is missing before this", "comma" },
    { "a: { b: 1\nc: 2\n", "1:9", "this value goes on over the next line", "a comma" },
    { "a: { b: 1,\nc: 2\n", "3:1", "a `,` or `}` is missing before this", "close it" },
    { "a: [ b, 'c' 'd' ]\n", "1:13", "a `,` or `]` is missing before this", "comma" },
    { "a: [ b\n", "2:1", "a `,` or `]` is missing before this", "close it" },
    { "a: [ b, , c ]\n", "1:9", "a value is missing before this", "comma" },
    { "a: \"b\nc: 2\n", "1:4", "the quote that begins here is not closed", "close the quote" },
    { "a: 1\nb: 'c\n", "2:4", "the quote that begins here is not closed", "close the quote" },
    { "a: \"\\q\"\n", "1:5", "a `\\` with a letter that means nothing in \"...\"", "'...'" },
    { "a: \"\\xzz\"\n", "1:7", "a `\\x` or `\\u` in \"...\" without its hexadecimal digits",
      "'...'" },
    { "a: \"\\ud83d\"\n", "1:7", "a `\\u` in \"...\" that is no character",
      "the character itself" },
    { "a: @b\n", "1:4", "a value cannot begin with this character", "in quotes" },
    { "a: `b`\n", "1:4", "a value cannot begin with this character", "in quotes" },
    { "a: %b\n", "1:4", "a value cannot begin with this character", "in quotes" },
    { "a: 1\nb: x\x01y\n", "2:5", "a control character", "remove it" },
    { "a: 1\nb: \xc3\xa9\xff\n", "2:5", "the file is not UTF-8", "UTF-8" },
    { "\xff\xfe"
      "a",
      "1:1", "the file is not UTF-8", "UTF-8" },
};

static void check_refusal(const char *text, size_t n, const refusal *r)
{
    KP_AUTO_ARENA a = arena();
    const kp_value *v = NULL, *where = NULL;
    kp_err *e = kp_yaml_read(a, FILE_NAME, text, n, &v, &where);
    if (!e)
        fail_msg("accepted: %s", r->text);
    const char *at = kp_printf(a, "%s:%s", FILE_NAME, r->where);
    if (strcmp(e->where, at) != 0 || strcmp(e->what, r->what) != 0 || !strstr(e->next, r->next))
        fail_msg("for\n%s\nexpected %s: %s\ngot      %s: %s\nnext     %s", r->text, at, r->what,
                 e->where, e->what, e->next);
    assert_int_equal(e->cls, KP_CONFIG);
    assert_null(v);
    assert_null(where);
    kp_err_drop(e);
}

static void refuses_with_the_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < KP_COUNT(refusals); i++)
        check_refusal(refusals[i].text, strlen(refusals[i].text), &refusals[i]);
}

static void refuses_nul_bytes(void **state)
{
    (void)state;
    check_refusal("a: 1\nb: \0\n", 10,
                  &(refusal){ "NUL", "2:4", "a control character", "remove it" });
}

/* A text of `n` times `s`, between `before` and `after`. */
static char *repeated(kp_arena *a, const char *before, const char *s, size_t n, const char *after)
{
    size_t size = strlen(s);
    char *text = kp_alloc(a, strlen(before) + n * size + strlen(after) + 1);
    memcpy(text, before, strlen(before));
    char *at = text + strlen(before);
    for (size_t i = 0; i < n; i++, at += size)
        memcpy(at, s, size);
    memcpy(at, after, strlen(after));
    return text;
}

static void nests_32_deep_and_no_deeper(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_value *v, *where;
    char *text = repeated(a, repeated(a, "", "[", 32, ""), "]", 32, "");
    assert_null(kp_yaml_read(a, FILE_NAME, text, strlen(text), &v, &where));
    assert_int_equal(strlen(kp_json_text(a, v)), 64);
    text = repeated(a, "", "[", 33, "");
    refusal deep = { "33 brackets", "1:33", "maps and lists are nested more than 32 deep",
                     "nest less" };
    check_refusal(text, strlen(text), &deep);
    text = repeated(a, "", "[", 500000, ""); /* minutes, were it not cut off at the 33rd */
    check_refusal(text, strlen(text), &deep);
    text = repeated(a, "{", "a: {", 32, "");
    deep.where = "1:129";
    check_refusal(text, strlen(text), &deep);
}

static void limits_sizes(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = arena();
    const kp_value *v, *where;
    char *key = repeated(a, "", "k", 256, ": 1\n");
    assert_null(kp_yaml_read(a, FILE_NAME, key, strlen(key), &v, &where));
    key = repeated(a, "", "k", 257, ": 1\n");
    check_refusal(key, strlen(key),
                  &(refusal){ "257", "1:1", "a key longer than 256 bytes", "shorter" });
    char *long_key = repeated(a, "", "k", 250, "");
    char *nested = kp_printf(a, "%s:\n %s:\n  %s: 1\n", long_key, long_key, long_key);
    check_refusal(nested, strlen(nested),
                  &(refusal){ "path", "3:3",
                              "the keys that lead here are longer than 512 bytes "
                              "together",
                              "shorter" });
    char *many = repeated(a, "[", "1,", 99999, "]");
    assert_null(kp_yaml_read(a, FILE_NAME, many, strlen(many), &v, &where));
    assert_int_equal(kp_len(v), 99999);
    many = repeated(a, "[", "1,\n", 100000, "]");
    check_refusal(many, strlen(many),
                  &(refusal){ "many", "100000:1", "more than 100000 values", "smaller" });
    char *large = repeated(a, "a: 1\n", "#", (1u << 20) - 5, "");
    assert_null(kp_yaml_read(a, FILE_NAME, large, strlen(large), &v, &where));
    large = repeated(a, "a: 1\n", "#", (1u << 20) - 4, "");
    kp_err *e = kp_yaml_read(a, FILE_NAME, large, strlen(large), &v, &where);
    assert_non_null(e);
    assert_string_equal(e->where, FILE_NAME);
    assert_string_equal(e->what, "is larger than 1.0 MB");
    kp_err_drop(e);
}

static void messages_hold_no_values(void **state)
{
    (void)state;
    const char *const texts[] = {
        "sasl.password: *hunter2\n",           "sasl.password: &hunter2\n",
        "sasl.password: \"hunter2\n",          "sasl.password: @hunter2\n",
        "{ sasl.password:hunter2 }",           "sasl.password: hunter2: x\n",
        "sasl.password: hunter2\n  hunter2\n", "sasl.password: !hunter2 x\n",
        "sasl.password: !hunter2! x\n",        "sasl.password: \"hunter2\\0\"\n",
    };
    for (size_t i = 0; i < KP_COUNT(texts); i++) {
        KP_AUTO_ARENA a = arena();
        const kp_value *v, *where;
        kp_err *e = kp_yaml_read(a, FILE_NAME, texts[i], strlen(texts[i]), &v, &where);
        assert_non_null(e);
        const char *text = kp_err_text(a, e);
        if (strstr(text, "hunter2"))
            fail_msg("%s", text);
        kp_err_drop(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_tree_of_text),        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses_with_the_place),      cmocka_unit_test(refuses_nul_bytes),
        cmocka_unit_test(nests_32_deep_and_no_deeper), cmocka_unit_test(limits_sizes),
        cmocka_unit_test(messages_hold_no_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
