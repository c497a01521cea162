/* server.properties: what java.util.Properties.load reads, and edits that touch nothing else.
 *
 * The scanner below does what Properties.LineReader and load0 do, character by character, because
 * the traps are in the details: a line may go on over the next one, a comment may not, blanks in
 * front of a continuation vanish, `a b` is the key a.  It keeps for every character of a logical
 * line where in the file it stands.  That is what makes an edit small: the bytes of a value are
 * replaced, everything else is copied as it was.
 *
 * Java reads the file as ISO 8859-1, whatever it was written in: each byte beyond ASCII is one
 * character, given here in UTF-8.  They are written as \uXXXX, which means the same to everybody.
 */
#include "cluster/properties.h"

#include <stdlib.h>
#include <string.h>

/* One logical line, and where it stands in the file. */
typedef struct line {
    size_t start; /* of the natural line with its first character */
    size_t eol,
        end;        /* where the line break that ends it begins, and what follows; the file's end */
    bool open;      /* ended by the file's end right behind a '\': what is appended would join it */
    bool separated; /* by '=' or ':', not by blanks or nothing */
    size_t key_end; /* behind the key */
    size_t value_at; /* where the value's bytes begin, or would */
} line;

typedef struct scanner {
    const char *text;
    size_t n, at;
    kp_buf chars;      /* the logical line, still escaped */
    kp_buf places;     /* size_t each: where chars[i] stands */
    kp_buf key, value; /* unescaped, UTF-8 */
    bool bad_escape;   /* a \u without four hex digits is in one of them */
} scanner;

static scanner scanner_of(const char *text, size_t n)
{
    return (scanner) {
        .text = text,
        .n = n,
        .chars = KP_BUF_INIT(n),
        .places = KP_BUF_INIT(n * sizeof(size_t)),
        .key = KP_BUF_INIT(2 * n),
        .value = KP_BUF_INIT(2 * n),
    };
}

static void scanner_done(scanner *s)
{
    kp_buf_done(&s->chars);
    kp_buf_done(&s->places);
    kp_buf_done(&s->key);
    kp_buf_done(&s->value);
}
#define AUTO_SCANNER __attribute__((cleanup(scanner_done))) scanner

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

static size_t break_size(const scanner *s, size_t at)
{
    return s->text[at] == '\r' && at + 1 < s->n && s->text[at + 1] == '\n' ? 2 : 1;
}

/* Where character i of the logical line stands; for i = its length, behind the last one. */
static size_t place_of(const scanner *s, size_t i)
{
    size_t place;
    bool behind = i == s->chars.n;
    memcpy(&place, s->places.p + (behind ? i - 1 : i) * sizeof place, sizeof place);
    return behind ? place + 1 : place;
}

static void drop_last(scanner *s)
{
    s->chars.p[--s->chars.n] = '\0';
    s->places.n -= sizeof(size_t);
}

/* ---- Properties.LineReader.readLine ---- */

static void skip_blanks(scanner *s)
{
    while (s->at < s->n && is_blank(s->text[s->at]))
        s->at++;
}

/* Past blanks, empty lines and comments; returns where the natural line that is reached begins. */
static size_t skip_to_line(scanner *s)
{
    size_t start = s->at;
    for (skip_blanks(s); s->at < s->n; skip_blanks(s)) {
        char c = s->text[s->at];
        if (is_break(c)) {
            start = ++s->at;
        } else if (c == '#' || c == '!') {
            while (s->at < s->n && !is_break(s->text[s->at]))
                s->at++;
        } else {
            break;
        }
    }
    return start;
}

/* What is left of the natural line, up to its break; returns whether a '\' continues it. */
static bool take_natural(scanner *s)
{
    bool backslash = false;
    for (; s->at < s->n && !is_break(s->text[s->at]); s->at++) {
        kp_buf_chr(&s->chars, s->text[s->at]);
        kp_buf_add(&s->places, &s->at, sizeof s->at);
        backslash = s->text[s->at] == '\\' && !backslash;
    }
    return backslash;
}

/* The next logical line that is neither blank nor a comment, in s->chars; false at the end.  A '\'
 * alone at the end is no line here; Java makes an empty key of it, which no broker looks at. */
static bool next_chars(scanner *s, line *l)
{
    bool continued;
    kp_buf_clear(&s->chars);
    kp_buf_clear(&s->places);
    *l = (line) { .start = s->at };
    do {
        if (s->chars.n == 0) /* a comment is one behind a '\' alone, too */
            l->start = skip_to_line(s);
        else
            skip_blanks(s);
        continued = take_natural(s);
        l->eol = s->at;
        if (s->at < s->n)
            s->at += break_size(s, s->at);
        l->end = s->at;
        if (continued)
            drop_last(s);
        l->open = continued && s->at == s->n;
    } while (continued && !l->open);
    return s->chars.n > 0;
}

/* ---- Properties.loadConvert ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The UTF-16 unit of the \uXXXX at p, or -1. */
static int32_t unit_at(const char *p, size_t n)
{
    int32_t unit = 0;
    if (n < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static void add_utf8(kp_buf *b, uint32_t c)
{
    if (c < 0x80) {
        kp_buf_chr(b, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char first[] = { 0, 0xc0, 0xe0, 0xf0 };
    kp_buf_chr(b, (char)(first[more] | c >> (6 * more)));
    while (more-- > 0)
        kp_buf_chr(b, (char)(0x80 | (c >> (6 * more) & 0x3f)));
}

/* Adds the character of the \uXXXX at p, or of two that are a surrogate pair; returns their length.
 */
static size_t add_unicode(kp_buf *b, const char *p, size_t n)
{
    int32_t high = unit_at(p, n), low = n >= 12 ? unit_at(p + 6, n - 6) : -1;
    bool is_pair = high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
    if (is_pair) {
        add_utf8(b, 0x10000u + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
        return 12;
    }
    add_utf8(b, high >= 0xd800 && high < 0xe000 ? 0xfffdu : (uint32_t)high);
    return 6;
}

/* Java refuses a file with a malformed \u; here it is read as a u, so that the rest can be seen.
 * False for such a text. */
static bool unescape(kp_buf *b, const char *p, size_t n)
{
    static const char from[] = "tnrf", to[] = "\t\n\r\f";
    bool good = true;
    kp_buf_clear(b);
    for (size_t i = 0; i < n;) {
        if (p[i] != '\\' || i + 1 == n) {
            add_utf8(b, (unsigned char)p[i++]);
        } else if (unit_at(p + i, n - i) >= 0) {
            i += add_unicode(b, p + i, n - i);
        } else {
            const char *special = p[i + 1] ? strchr(from, p[i + 1]) : NULL;
            good = good && p[i + 1] != 'u';
            add_utf8(b, (unsigned char)(special ? to[special - from] : p[i + 1]));
            i += 2;
        }
    }
    return good;
}

/* ---- Properties.load0 ---- */

static bool next_line(scanner *s, line *l)
{
    if (!next_chars(s, l))
        return false;
    const char *c = kp_buf_text(&s->chars);
    size_t n = s->chars.n, key_n = 0;
    for (bool backslash = false; key_n < n; key_n++) {
        bool ends_key = c[key_n] == '=' || c[key_n] == ':' || is_blank(c[key_n]);
        if (ends_key && !backslash)
            break;
        backslash = c[key_n] == '\\' && !backslash;
    }
    size_t value = key_n;
    for (; value < n; value++) {
        bool separator = c[value] == '=' || c[value] == ':';
        if (!is_blank(c[value]) && (!separator || l->separated))
            break;
        l->separated |= separator;
    }
    l->key_end = place_of(s, key_n);
    l->value_at = place_of(s, value);
    bool good = unescape(&s->key, c, key_n);
    s->bad_escape = !unescape(&s->value, c + value, n - value) || !good;
    return true;
}

/* ---- read ---- */

static size_t line_number(const char *text, size_t offset)
{
    size_t number = 1;
    for (size_t i = 0; i < offset; i++)
        number += text[i] == '\n';
    return number;
}

/* A key with a NUL is none that a broker looks at, and no text. */
static bool key_is_text(const scanner *s)
{
    return strlen(kp_buf_text(&s->key)) == s->key.n;
}

static bool has_high_byte(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] >= 0x80)
            return true;
    return false;
}

kp_property *kp_properties_lines(kp_arena *a, const char *text, size_t n, size_t *ret_n)
{
    AUTO_SCANNER s = scanner_of(text, n);
    KP_AUTO_BUF all = KP_BUF_INIT((n + 1) * sizeof(kp_property));
    size_t line_at = 0, number = 1;
    for (line l; next_line(&s, &l);) {
        number += line_number(text + line_at, l.start - line_at) - 1;
        line_at = l.start;
        kp_property one = {
            .key = kp_strdup(a, kp_buf_text(&s.key)),
            .value = kp_bytes(a, kp_buf_text(&s.value), s.value.n),
            .line = number,
            .bad_escape = s.bad_escape,
            .high_bytes = has_high_byte(kp_buf_text(&s.chars), s.chars.n),
        };
        if (key_is_text(&s))
            kp_buf_add(&all, &one, sizeof one);
    }
    *ret_n = all.n / sizeof(kp_property);
    kp_property *ret = KP_NEW_ARRAY(a, *ret_n + 1, kp_property);
    memcpy(ret, kp_buf_text(&all), all.n);
    return ret;
}

const kp_value *kp_properties_parse(kp_arena *a, const char *text, size_t n)
{
    AUTO_SCANNER s = scanner_of(text, n);
    kp_builder map = kp_map_begin(a);
    for (line l; next_line(&s, &l);)
        if (key_is_text(&s))
            kp_map_add(&map, kp_buf_text(&s.key),
                       kp_bytes(a, kp_buf_text(&s.value), s.value.n));
    return kp_map_end(&map);
}

static bool key_is(const scanner *s, const char *key)
{
    return strlen(key) == s->key.n && memcmp(kp_buf_text(&s->key), key, s->key.n) == 0;
}

uint32_t kp_properties_count(const char *text, size_t n, const char *key)
{
    AUTO_SCANNER s = scanner_of(text, n);
    uint32_t count = 0;
    for (line l; next_line(&s, &l);)
        count += key_is(&s, key);
    return count;
}

/* ---- write ---- */

/* As \uXXXX, twice for a character beyond the first 65,536; n bytes at p are one character. */
static void write_unicode(kp_buf *b, const char *p, size_t n)
{
    static const unsigned char first_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t c = (unsigned char)p[0] & first_bits[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3f);
    if (c < 0x10000)
        kp_buf_fmt(b, "\\u%04x", c);
    else
        kp_buf_fmt(b, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
}

static void write_escaped(kp_buf *b, const char *p, size_t n, bool is_key)
{
    for (size_t i = 0, size = 1; i < n; i += size) {
        unsigned char c = (unsigned char)p[i];
        bool blank = is_blank(p[i]) && (is_key || i == 0);
        bool special = is_key && (c == '=' || c == ':' || (i == 0 && (c == '#' || c == '!')));
        size = 1;
        if (c == '\\' || special || (blank && c == ' ')) {
            kp_buf_chr(b, '\\');
            kp_buf_chr(b, p[i]);
        } else if (c == '\n' || c == '\r' || c == '\f' || (blank && c == '\t')) {
            kp_buf_str(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\f' ? "\\f" : "\\t");
        } else if ((c < 0x20 && c != '\t') || c >= 0x7f) {
            size = kp_utf8_len(p + i, n - i);
            write_unicode(b, p + i, size);
        } else {
            kp_buf_chr(b, p[i]);
        }
    }
}

/* The file's own line break: that of its first line. */
static const char *break_of(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_break(text[i]))
            return text[i] == '\n' ? "\n" : i + 1 < n && text[i + 1] == '\n' ? "\r\n" : "\r";
    return "\n";
}

static bool is_utf8(const char *p, size_t n)
{
    for (size_t i = 0, size; i < n; i += size) {
        size = kp_utf8_len(p + i, n - i);
        if (size == 0)
            return false;
    }
    return true;
}

static kp_err *check_edits(const kp_value *edits)
{
    for (size_t i = 0; i < kp_len(edits); i++) {
        const kp_value *v = edits->u.items[i];
        bool removes = kp_is(v, KP_BOOL) && !v->u.b;
        if (!removes && !kp_is(v, KP_BYTES))
            return kp_err_new(KP_CONFIG, "give the value as text, or false to remove the key",
                              "%s cannot be set to a %s", edits->keys[i], kp_type_name(v->type));
        if (!is_utf8(edits->keys[i], strlen(edits->keys[i])) ||
            (!removes && !is_utf8(v->u.s, v->n)))
            return kp_err_new(KP_CONFIG, "give key and value in UTF-8",
                              "%s cannot be set: that is no text", edits->keys[i]);
    }
    return NULL;
}

/* Which edit is about the scanner's line; kp_len(edits) for none. */
static size_t edit_of(const scanner *s, const kp_value *edits)
{
    size_t i = 0;
    while (i < kp_len(edits) && !key_is(s, edits->keys[i]))
        i++;
    return i;
}

/* One line with the value v; NULL keeps it, false removes it.  Says whether it would swallow a line
 * that follows. */
static bool write_line(kp_buf *out, const scanner *s, const line *l, const kp_value *v)
{
    bool equal = kp_is(v, KP_BYTES) && v->n == s->value.n &&
                 memcmp(v->u.s, kp_buf_text(&s->value), v->n) == 0;
    if (!v || equal) {
        kp_buf_add(out, s->text + l->start, l->end - l->start);
        return l->open;
    }
    if (!kp_is(v, KP_BYTES))
        return false;
    size_t kept = l->separated ? l->value_at : l->key_end;
    /* An emptied value leaves nothing behind a continuation: that would go on in the next line. */
    bool rejoin = l->separated && v->n == 0 && is_break(s->text[kept - 1]);
    if (rejoin)
        kept = l->key_end;
    kp_buf_add(out, s->text + l->start, kept - l->start);
    if (!l->separated || rejoin)
        kp_buf_chr(out, '=');
    write_escaped(out, v->u.s, v->n, false);
    kp_buf_add(out, s->text + l->eol, l->end - l->eol);
    return false;
}

/* The keys that no line sets, each on its own; `open`: the last line would swallow the next one. */
static void write_new(kp_buf *out, const kp_value *edits, const size_t *first_line, const char *eol,
                      bool open)
{
    for (size_t i = 0; i < kp_len(edits); i++) {
        const kp_value *v = edits->u.items[i];
        if (first_line[i] || !kp_is(v, KP_BYTES))
            continue;
        if (out->n > 0 && !is_break(out->p[out->n - 1]))
            kp_buf_str(out, eol);
        if (open && out->p[out->n - 1] == '\r' && *eol == '\n')
            kp_buf_str(out, eol); /* the other half of \r\n, and no break of its own */
        if (open)
            kp_buf_str(out, eol);
        open = false;
        write_escaped(out, edits->keys[i], strlen(edits->keys[i]), true);
        kp_buf_chr(out, '=');
        write_escaped(out, v->u.s, v->n, false);
        kp_buf_str(out, eol);
    }
}

kp_err *kp_properties_edit(kp_arena *a, const char *text, size_t n, const kp_value *edits,
                           char **ret_text, size_t *ret_n)
{
    static const char too_long[] = "check that this is a server.properties";
    KP_TRY(check_edits(edits));
    if (n > KP_PROPERTIES_LIMIT)
        return kp_err_new(KP_CONFIG, too_long, "the file is larger than %s",
                          kp_bytes_text(a, KP_PROPERTIES_LIMIT));
    AUTO_SCANNER s = scanner_of(text, n);
    KP_AUTO_BUF out = KP_BUF_INIT(KP_PROPERTIES_LIMIT);
    size_t *first_line = KP_NEW_ARRAY(a, kp_len(edits) + 1,
                                      size_t); /* of each edit's key; 0 none */
    size_t copied = 0;
    bool open = false;
    for (line l; next_line(&s, &l);) {
        size_t i = edit_of(&s, edits);
        const kp_value *v = i < kp_len(edits) ? edits->u.items[i] : NULL;
        if (v && first_line[i])
            return kp_err_new(KP_CONFIG, "remove the line that is not meant; the last one counts",
                              "%s is set twice, in lines %zu and %zu", edits->keys[i],
                              first_line[i], line_number(text, l.start));
        if (v)
            first_line[i] = line_number(text, l.start);
        kp_buf_add(&out, text + copied, l.start - copied);
        open = write_line(&out, &s, &l, v);
        copied = l.end;
    }
    kp_buf_add(&out, text + copied, n - copied);
    write_new(&out, edits, first_line, break_of(text, n), open);
    if (out.overflow)
        return kp_err_new(KP_CONFIG, too_long, "the file would be larger than %s",
                          kp_bytes_text(a, KP_PROPERTIES_LIMIT));
    *ret_text = kp_strndup(a, kp_buf_text(&out), out.n);
    *ret_n = out.n;
    return NULL;
}
