/* JSON: how values stand in the journal and in every output for machines.
 *
 * The writer is our own because the text has to be canonical: a journal record of the same answer
 * must be the same bytes, today and in a resumed run by another build.  The reader is jansson,
 * which alone among the common libraries keeps int64 exact and can be made to refuse duplicate
 * keys, behind a check of the nesting.  value.h lists how the few values that JSON has no word for
 * are written; a '$' in front of a key marks them, and a key that begins with one by itself gets
 * another.
 *
 * Numbers are formatted in the C locale: nothing in kplay calls setlocale.
 */
#include "value/value.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_KEY "$b64"
#define KEY_PREFIX "$b64:"
#define NUMBER_KEY "$num"

/* ---- base64, RFC 4648 section 4, padded ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void write_base64(kp_buf *out, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        unsigned bits = (unsigned)p[i] << 16;
        bits |= left > 1 ? (unsigned)p[i + 1] << 8 : 0;
        bits |= left > 2 ? (unsigned)p[i + 2] : 0;
        char four[4] = { base64_digits[bits >> 18], base64_digits[bits >> 12 & 63], '=', '=' };
        if (left > 1)
            four[2] = base64_digits[bits >> 6 & 63];
        if (left > 2)
            four[3] = base64_digits[bits & 63];
        kp_buf_add(out, four, sizeof four);
    }
}

/* False unless s is exactly what write_base64 writes. */
static bool read_base64(kp_arena *a, const char *s, size_t n, char **ret_bytes, size_t *ret_n)
{
    if (n % 4 != 0)
        return false;
    char *bytes = kp_alloc(a, n / 4 * 3 + 1);
    size_t to = 0;
    for (size_t i = 0; i < n; i += 4) {
        unsigned bits = 0;
        size_t digits = 4;
        if (i + 4 == n && s[i + 3] == '=')
            digits = s[i + 2] == '=' ? 2 : 3;
        for (size_t k = 0; k < 4; k++) {
            const char *digit = k < digits && s[i + k] ? strchr(base64_digits, s[i + k]) : NULL;
            if (k < digits && !digit)
                return false;
            bits = bits << 6 | (digit ? (unsigned)(digit - base64_digits) : 0);
        }
        if ((digits == 2 && bits & 0xffff) || (digits == 3 && bits & 0xff))
            return false;
        bytes[to++] = (char)(bits >> 16 & 255);
        if (digits > 2)
            bytes[to++] = (char)(bits >> 8 & 255);
        if (digits > 3)
            bytes[to++] = (char)(bits & 255);
    }
    bytes[to] = '\0';
    *ret_bytes = bytes;
    *ret_n = to;
    return true;
}

/* ---- write ---- */

static bool is_utf8(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        if ((unsigned char)s[i] < 0x80) {
            i++;
            continue;
        }
        size_t len = kp_utf8_len(s + i, n - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* The inside of a JSON string; s is UTF-8. */
static void write_escaped(kp_buf *out, const char *s, size_t n)
{
    size_t plain = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        kp_buf_add(out, s + plain, i - plain);
        plain = i + 1;
        const char *at = c ? strchr("\"\"\\\\\nn\tt\rr\bb\ff", c) : NULL;
        char two[2] = { '\\', at ? at[1] : 'u' };
        kp_buf_add(out, two, 2);
        if (!at) {
            char four[4] = { '0', '0', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15] };
            kp_buf_add(out, four, 4);
        }
    }
    kp_buf_add(out, s + plain, n - plain);
}

static void write_key(kp_buf *out, const char *key)
{
    size_t n = strlen(key);
    kp_buf_chr(out, '"');
    if (!is_utf8(key, n)) {
        kp_buf_str(out, KEY_PREFIX);
        write_base64(out, key, n);
    } else {
        if (key[0] == '$')
            kp_buf_chr(out, '$');
        write_escaped(out, key, n);
    }
    kp_buf_add(out, "\":", 2);
}

static void write_int(kp_buf *out, int64_t i)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    do {
        digits[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (i < 0)
        digits[--at] = '-';
    kp_buf_add(out, digits + at, sizeof digits - at);
}

/* The first of 15, 16 and 17 digits that reads back as the same double. */
static void write_double(kp_buf *out, double d)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    kp_buf_str(out, text);
    if (!strpbrk(text, ".e"))
        kp_buf_add(out, ".0", 2);
}

/* Whether JSON needs brackets for v. */
static bool is_nested(const kp_value *v)
{
    switch (v ? v->type : KP_NIL) {
    case KP_LIST:
    case KP_MAP:
        return true;
    case KP_DOUBLE:
        return !isfinite(v->u.d);
    case KP_BYTES:
        return !is_utf8(v->u.s, v->n);
    default:
        return false;
    }
}

static void write_value(kp_buf *out, const kp_value *v, int depth);

static void write_inside(kp_buf *out, const kp_value *v, int depth)
{
    for (uint32_t i = 0; i < v->n && !out->overflow; i++) {
        if (i > 0)
            kp_buf_chr(out, ',');
        if (v->type == KP_MAP)
            write_key(out, v->keys[i]);
        write_value(out, v->u.items[i], depth + 1);
    }
}

/* `depth` lists and maps are around v. */
static void write_value(kp_buf *out, const kp_value *v, int depth)
{
    if (depth >= KP_VALUE_DEPTH && is_nested(v)) {
        out->overflow = true;
        return;
    }
    switch (v ? v->type : KP_NIL) {
    case KP_NIL:
        kp_buf_add(out, "null", 4);
        return;
    case KP_BOOL:
        kp_buf_str(out, v->u.b ? "true" : "false");
        return;
    case KP_INT:
        write_int(out, v->u.i);
        return;
    case KP_DOUBLE:
        if (isfinite(v->u.d))
            write_double(out, v->u.d);
        else
            kp_buf_fmt(out, "{\"" NUMBER_KEY "\":\"%s\"}",
                       isnan(v->u.d) ? "nan" : v->u.d > 0 ? "inf" : "-inf");
        return;
    case KP_BYTES:
        if (is_utf8(v->u.s, v->n)) {
            kp_buf_chr(out, '"');
            write_escaped(out, v->u.s, v->n);
            kp_buf_chr(out, '"');
        } else {
            kp_buf_str(out, "{\"" BYTES_KEY "\":\"");
            write_base64(out, v->u.s, v->n);
            kp_buf_add(out, "\"}", 2);
        }
        return;
    case KP_LIST:
    case KP_MAP:
        break;
    }
    kp_buf_chr(out, v->type == KP_MAP ? '{' : '[');
    write_inside(out, v, depth);
    kp_buf_chr(out, v->type == KP_MAP ? '}' : ']');
}

void kp_json_write(kp_buf *out, const kp_value *v)
{
    write_value(out, v, 0);
}

char *kp_json_text(kp_arena *a, const kp_value *v)
{
    KP_AUTO_BUF out = KP_BUF_INIT(KP_JSON_LIMIT);
    write_value(&out, v, 0);
    if (out.overflow)
        kp_die("a value has more than %u bytes as JSON, or more than %d levels; it begins %.60s",
               KP_JSON_LIMIT, KP_VALUE_DEPTH, kp_buf_text(&out));
    return kp_strndup(a, kp_buf_text(&out), out.n);
}

/* ---- read ---- */

/* NULL unless brackets open more than KP_VALUE_DEPTH levels; looks at strings and brackets only. */
static kp_err *check_depth(const char *p, size_t n)
{
    int depth = 0, line = 1;
    size_t line_start = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == '\n') {
            line++;
            line_start = i + 1;
        } else if (in_string && c == '\\') {
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == ']' || c == '}')) {
            depth--;
        } else if (!in_string && (c == '[' || c == '{') && ++depth > KP_VALUE_DEPTH) {
            return kp_err_at(kp_err_new(KP_CONFIG, "write it with fewer levels",
                                        "lists and maps are nested more than %d deep",
                                        KP_VALUE_DEPTH),
                             "%d:%zu", line, i - line_start + 1);
        }
    }
    return NULL;
}

/* jansson keeps no places, so the message quotes what is wrong. */
static kp_err *bad_mark(const char *what, const char *text)
{
    return kp_err_new(KP_CONFIG, "do not write keys that begin with $ by hand",
                      "\"%.80s\" is not %s", text, what);
}

/* The value of a one-pair object that stands for a scalar; *ret_v stays as it is when this one does
 * not. */
static kp_err *read_marked(kp_arena *a, json_t *object, const kp_value **ret_v)
{
    if (json_object_size(object) != 1)
        return NULL;
    void *pair = json_object_iter(object);
    const char *key = json_object_iter_key(pair);
    json_t *inside = json_object_iter_value(pair);
    if (kp_streq(key, BYTES_KEY)) {
        const char *text = json_is_string(inside) ? json_string_value(inside) : "";
        char *bytes;
        size_t n;
        if (!json_is_string(inside) ||
            !read_base64(a, text, json_string_length(inside), &bytes, &n))
            return bad_mark("bytes in base64", text);
        *ret_v = kp_bytes(a, bytes, n);
    } else if (kp_streq(key, NUMBER_KEY)) {
        const char *text = json_is_string(inside) ? json_string_value(inside) : "";
        if (kp_streq(text, "nan"))
            *ret_v = kp_double(a, (double)NAN);
        else if (kp_streq(text, "inf") || kp_streq(text, "-inf"))
            *ret_v = kp_double(a, text[0] == '-' ? -HUGE_VAL : HUGE_VAL);
        else
            return bad_mark("one of nan, inf, -inf", text);
    }
    return NULL;
}

static kp_err *read_key(kp_arena *a, const char *key, const char **ret_key)
{
    if (kp_starts_with(key, KEY_PREFIX)) {
        const char *text = key + strlen(KEY_PREFIX);
        char *bytes;
        size_t n;
        if (!read_base64(a, text, strlen(text), &bytes, &n) || memchr(bytes, 0, n))
            return bad_mark("a key in base64", text);
        *ret_key = bytes;
    } else {
        *ret_key = kp_starts_with(key, "$$") ? key + 1 : key;
    }
    return NULL;
}

static kp_err *read_value(kp_arena *a, json_t *j, const kp_value **ret_v);

static kp_err *read_object(kp_arena *a, json_t *object, const kp_value **ret_v)
{
    const kp_value *marked = NULL;
    KP_TRY(read_marked(a, object, &marked));
    if (marked) {
        *ret_v = marked;
        return NULL;
    }
    kp_builder b = kp_map_begin(a);
    size_t left_out = 0;
    for (void *pair = json_object_iter(object); pair; pair = json_object_iter_next(object, pair)) {
        const char *key = NULL;
        const kp_value *v = NULL;
        KP_TRY(read_key(a, json_object_iter_key(pair), &key));
        KP_TRY(read_value(a, json_object_iter_value(pair), &v));
        kp_map_add(&b, key, v);
        left_out += kp_is(v, KP_NIL) ? 1 : 0;
    }
    const kp_value *map = kp_map_end(&b);
    if (map->n + left_out != json_object_size(object))
        return bad_mark("the only key of its name here", "$...");
    *ret_v = map;
    return NULL;
}

static kp_err *read_array(kp_arena *a, json_t *array, const kp_value **ret_v)
{
    kp_builder b = kp_list_begin(a);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const kp_value *v = NULL;
        KP_TRY(read_value(a, json_array_get(array, i), &v));
        kp_list_add(&b, v);
    }
    *ret_v = kp_list_end(&b);
    return NULL;
}

static kp_err *read_value(kp_arena *a, json_t *j, const kp_value **ret_v)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return read_object(a, j, ret_v);
    case JSON_ARRAY:
        return read_array(a, j, ret_v);
    case JSON_STRING:
        *ret_v = kp_bytes(a, json_string_value(j), json_string_length(j));
        return NULL;
    case JSON_INTEGER:
        *ret_v = kp_int(a, json_integer_value(j));
        return NULL;
    case JSON_REAL:
        *ret_v = kp_double(a, json_real_value(j));
        return NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret_v = kp_bool(json_is_true(j));
        return NULL;
    case JSON_NULL:
        break;
    }
    *ret_v = kp_nil();
    return NULL;
}

static void let_go(json_t **j)
{
    json_decref(*j);
}

kp_err *kp_json_read(kp_arena *a, const char *p, size_t n, const kp_value **ret_v)
{
    if (n > KP_JSON_LIMIT)
        return kp_err_at(kp_err_new(KP_CONFIG, "make it smaller",
                                    "this JSON text is longer than %u bytes", KP_JSON_LIMIT),
                         "1:1");
    KP_TRY(check_depth(p, n));
    const size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_error_t error;
    __attribute__((cleanup(let_go))) json_t *j = json_loadb(n ? p : "", n, flags, &error);
    if (!j)
        return kp_err_at(kp_err_new(KP_CONFIG, "correct the JSON text at that place",
                                    "not JSON: %s", error.text),
                         "%d:%d", error.line, error.column > 0 ? error.column : 1);
    return read_value(a, j, ret_v);
}
