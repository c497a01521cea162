/* The strict YAML reader: the part of YAML in which a file means what it looks like.
 *
 * libyaml's event API cuts the text into events; this file builds the tree and refuses what people
 * trip over: keys given twice, aliases, tags, several documents, values that silently go on over
 * the next line, keys without a value, NUL bytes.  Every scalar stays text, because only the reader
 * of a field knows whether `010`, `yes` or `3.9` is a number, a word or a version.
 *
 * Events arrive one by one, so the limits below end the work at the event that passes them; that
 * matters because libyaml's time grows with the square of the flow depth.  Messages never quote a
 * value: a file that is wrong may still hold a password.
 */
#include "cluster/inventory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    DEPTH_LIMIT = KP_VALUE_DEPTH,
    NODE_LIMIT = 100000, /* maps, lists and scalars together */
    KEY_LIMIT = 256,
    PATH_LIMIT = 512, /* of "path.to[2].key" */
    WHAT_LIMIT = 1024,
};

#define EMPTY_NEXT "write something in it, or check that this is the file you meant"

typedef struct place {
    size_t line, column; /* 0-based, columns in characters */
} place;

typedef struct key_at {
    const char *key;
    place at;
} key_at;

/* A map or list that is being read. */
typedef struct frame {
    bool is_map;
    size_t path_n; /* the length of its own path */
    kp_builder values;
    const char *key; /* map: the key whose value comes next; NULL: a key comes next */
    key_at *keys;    /* map: all keys so far, for the search for duplicates at its end */
    size_t n_keys, cap_keys;
} frame;

typedef struct reader {
    kp_arena *a;
    const char *file;
    const char *text;
    size_t n;
    char path[PATH_LIMIT + 1];
    size_t path_n;
    frame stack[DEPTH_LIMIT];
    size_t depth;
    size_t n_nodes;
    int n_documents;
    const kp_value *root;
    kp_builder where;
} reader;

static place place_of(yaml_mark_t m)
{
    return (place){ m.line, m.column };
}

KP_PRINTF(4, 5)
static kp_err *at(const reader *r, place p, const char *next, const char *fmt, ...)
{
    char what[WHAT_LIMIT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return kp_err_at(kp_err_new(KP_CONFIG, next, "%s", what), "%s:%zu:%zu", r->file, p.line + 1,
                     p.column + 1);
}

/* ---- what libyaml says, in words that help ---- */

/* CR, LF and CR LF end a line. */
static bool ends_line(const reader *r, size_t i)
{
    return r->text[i] == '\n' || (r->text[i] == '\r' && (i + 1 == r->n || r->text[i + 1] != '\n'));
}

/* The start of the line that holds byte `offset`, and its number. */
static size_t line_start(const reader *r, size_t offset, size_t *ret_line)
{
    size_t start = 0, line = 0;
    for (size_t i = 0; i < offset; i++) {
        if (ends_line(r, i)) {
            start = i + 1;
            line++;
        }
    }
    *ret_line = line;
    return start;
}

static place place_of_offset(const reader *r, size_t offset)
{
    place p = { 0, 0 };
    for (size_t i = line_start(r, offset, &p.line); i < offset; p.column++) {
        size_t n = kp_utf8_len(r->text + i, offset - i);
        i += n ? n : 1;
    }
    return p;
}

/* The byte that stands at a place; 0 behind the end. */
static char byte_at(const reader *r, place p)
{
    size_t i = 0;
    for (size_t line = 0; line < p.line && i < r->n; i++)
        line += ends_line(r, i) ? 1 : 0;
    for (size_t column = 0; column < p.column && i < r->n; column++) {
        size_t n = kp_utf8_len(r->text + i, r->n - i);
        i += n ? n : 1;
    }
    return i < r->n ? r->text[i] : '\0';
}

/* libyaml 0.2.5's problems that are typical slips.  `problem` is a part of its text. */
static const struct {
    const char *problem, *what, *next;
} slips[] = {
    { "mapping values are not allowed", "a `:` that is not expected here",
      "put a value that holds `: ` in quotes, and check the indentation here and above" },
    { "could not find expected ':'",
      "this line is neither `key: value` nor a part of the value above",
      "write `key: value`, with a blank after the colon, and check the indentation" },
    { "block sequence entries are not allowed", "a `- ` that is not expected here",
      "begin each `- ` on a line of its own, under the key of the list" },
    { "did not find expected key", "this line does not fit the lines above it",
      "give all keys of one map the same indentation, and close every quote above" },
    { "did not find expected '-' indicator", "this line does not fit the list above it",
      "begin each item of the list with `- `, all with the same indentation" },
    { "did not find expected ',' or '}'", "a `,` or `}` is missing before this",
      "put a comma between the pairs of { }, close it, and quote values with , { } [ ]" },
    { "did not find expected ',' or ']'", "a `,` or `]` is missing before this",
      "put a comma between the items of [ ], close it, and quote values with , { } [ ]" },
    { "did not find expected node content", "a value is missing before this",
      "write the value, or take the comma or key without one out" },
    { "found unknown escape character", "a `\\` with a letter that means nothing in \"...\"",
      "use '...' quotes, in which `\\` is an ordinary character, or write `\\\\`" },
    { "hexdecimal number", "a `\\x` or `\\u` in \"...\" without its hexadecimal digits",
      "use '...' quotes, in which `\\` is an ordinary character" },
    { "invalid Unicode character escape", "a `\\u` in \"...\" that is no character",
      "write the character itself" },
    { "found character that cannot start", "a value cannot begin with this character",
      "put the value in quotes" },
    { "control characters are not allowed", "a control character",
      "remove it; if it is meant, write \"\\x..\"" },
    { "UTF-8", "the file is not UTF-8", "save it as UTF-8" },
    { "invalid Unicode character", "the file is not UTF-8", "save it as UTF-8" },
    { "alphabetic or numeric character",
      "`*` and `&` begin an alias or anchor, which are not allowed", "put the value in quotes" },
    { "undefined tag handle", "tags (`!...`) are not allowed",
      "remove the tag; a value that begins with ! needs quotes" },
    { "ing a tag", "tags (`!...`) are not allowed",
      "remove the tag; a value that begins with ! needs quotes" },
    { "did not find expected <document start>", "something stands outside the document",
      "keep one document, without `...` and `%`, its keys all indented the same" },
};

static kp_err *syntax_error(const reader *r, const yaml_parser_t *p)
{
    const char *problem = p->problem ? p->problem : "it cannot be read";
    place where = place_of(p->problem_mark), context = place_of(p->context_mark);
    if (p->error == YAML_READER_ERROR)
        where = place_of_offset(r, p->problem_offset < r->n ? p->problem_offset : r->n);
    if (byte_at(r, where) == '\t' || strstr(problem, "tab character"))
        return at(r, where, "indent with blanks: in your editor, replace tabs by blanks",
                  "a tab in the indentation; YAML takes only blanks there");
    bool in_quotes = p->context && strstr(p->context, "quoted scalar");
    if (in_quotes && strstr(problem, "end of stream"))
        return at(r, context, "close the quote on this line",
                  "the quote that begins here is not closed");
    for (size_t i = 0; i < KP_COUNT(slips); i++) {
        bool fits = strstr(problem, slips[i].problem) ||
                    (p->context && strstr(p->context, slips[i].problem));
        if (fits)
            return at(r, where, slips[i].next, "%s", slips[i].what);
    }
    return at(r, where, "correct this line", "not YAML: %s", problem);
}

/* ---- the tree ---- */

static kp_err *path_push(reader *r, place p, const char *key, size_t index)
{
    int n;
    size_t room = sizeof r->path - r->path_n;
    if (key)
        n = snprintf(r->path + r->path_n, room, "%s%s", r->path_n ? "." : "", key);
    else
        n = snprintf(r->path + r->path_n, room, "[%zu]", index);
    if (n < 0 || (size_t)n >= room)
        return at(r, p, "use shorter keys or nest less",
                  "the keys that lead here are longer than %d bytes together", PATH_LIMIT);
    r->path_n += (size_t)n;
    return NULL;
}

static void path_cut(reader *r, size_t n)
{
    r->path_n = n;
    r->path[n] = '\0';
}

static frame *top(reader *r)
{
    return r->depth ? &r->stack[r->depth - 1] : NULL;
}

/* A value begins at p: it gets its path, and its place is noted.  A map's value stands where its
 * key does. */
static kp_err *value_begins(reader *r, place p)
{
    frame *f = top(r);
    if (f && f->is_map)
        p = f->keys[f->n_keys - 1].at;
    if (++r->n_nodes > NODE_LIMIT)
        return at(r, p, "make the file smaller", "more than %d values", NODE_LIMIT);
    if (f)
        KP_TRY(path_push(r, p, f->is_map ? f->key : NULL, f->values.n));
    kp_map_add(&r->where, r->path, kp_textf(r->a, "%s:%zu:%zu", r->file, p.line + 1, p.column + 1));
    return NULL;
}

static void value_ends(reader *r, const kp_value *v)
{
    frame *f = top(r);
    if (!f) {
        r->root = v;
        return;
    }
    if (f->is_map)
        kp_map_add(&f->values, f->key, v);
    else
        kp_list_add(&f->values, v);
    f->key = NULL;
    path_cut(r, f->path_n);
}

static bool key_comes(reader *r)
{
    frame *f = top(r);
    return f && f->is_map && !f->key;
}

static kp_err *take_key(reader *r, place p, const char *s, size_t n, bool plain)
{
    frame *f = top(r);
    if (n == 0)
        return at(r, p, "write `key: value`", "a key is missing before this");
    if (n > KEY_LIMIT)
        return at(r, p, "use a shorter key", "a key longer than %d bytes", KEY_LIMIT);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return at(r, p, "write the key as one line of text",
                      "a key with a line break or control character");
    if (plain && n == 2 && memcmp(s, "<<", 2) == 0)
        return at(r, p, "write the keys out", "merge keys (`<<`) are not allowed");
    if (f->n_keys == f->cap_keys) {
        size_t cap = f->cap_keys ? f->cap_keys * 2 : 8;
        key_at *keys = KP_NEW_ARRAY(r->a, cap, key_at);
        if (f->n_keys)
            memcpy(keys, f->keys, f->n_keys * sizeof *keys);
        f->keys = keys;
        f->cap_keys = cap;
    }
    f->key = kp_strndup(r->a, s, n);
    f->keys[f->n_keys++] = (key_at){ f->key, p };
    return NULL;
}

static int compare_places(place a, place b)
{
    if (a.line != b.line)
        return a.line < b.line ? -1 : 1;
    return a.column < b.column ? -1 : a.column > b.column;
}

static int compare_keys(const void *x, const void *y)
{
    const key_at *a = x, *b = y;
    int order = strcmp(a->key, b->key);
    return order ? order : compare_places(a->at, b->at);
}

/* Of keys given twice, the second one that stands first in the file is reported. */
static kp_err *check_duplicates(const reader *r, const frame *f)
{
    const key_at *first = NULL, *second = NULL;
    if (f->n_keys > 1)
        qsort(f->keys, f->n_keys, sizeof *f->keys, compare_keys);
    for (size_t i = 1; i < f->n_keys; i++) {
        const key_at *before = &f->keys[i - 1], *k = &f->keys[i];
        if (strcmp(before->key, k->key) == 0 &&
            (!second || compare_places(k->at, second->at) < 0)) {
            first = before;
            second = k;
        }
    }
    if (!second)
        return NULL;
    return at(r, second->at, "keep one of the two", "`%s` is given twice; first at line %zu:%zu",
              second->key, first->at.line + 1, first->at.column + 1);
}

/* ---- the events ---- */

static kp_err *check_properties(const reader *r, place p, const yaml_char_t *anchor,
                                const yaml_char_t *tag)
{
    if (anchor)
        return at(r, p, "write the value out; a value that begins with & needs quotes",
                  "anchors (`&...`) are not allowed");
    if (tag)
        return at(r, p, "remove the tag; a value that begins with ! needs quotes",
                  "tags (`!...`) are not allowed");
    return NULL;
}

static kp_err *no_value(const reader *r, place p, const char *key)
{
    if (!key)
        return at(r, p, "write a value, or \"\" for an empty one", "an item without a value");
    const char *colon = strchr(key, ':');
    if (colon && colon[1])
        return at(r, p, "put a blank after the colon",
                  "`%.*s:...` is read as one key without a value", (int)(colon - key), key);
    return at(r, p, "write a value, \"\" for an empty one, or take the key out",
              "`%s` has no value", key);
}

static kp_err *take_scalar(reader *r, const yaml_event_t *e)
{
    place p = place_of(e->start_mark);
    const char *s = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    KP_TRY(check_properties(r, p, e->data.scalar.anchor, e->data.scalar.tag));
    if (memchr(s, '\0', n))
        return at(r, p, "remove the \\0", "a text with a NUL byte");
    if (plain && e->end_mark.line != e->start_mark.line)
        return at(r, p,
                  "put it in quotes if it is one text; else a comma, `- ` or `key:` is missing",
                  "this value goes on over the next line");
    if (key_comes(r))
        return take_key(r, p, s, n, plain);
    frame *f = top(r);
    const char *key = f && f->is_map ? f->key : NULL;
    if (key)
        p = f->keys[f->n_keys - 1].at;
    if (plain && n == 0)
        return f ? no_value(r, p, key) : at(r, p, EMPTY_NEXT, "the file is empty");
    static const char *const nulls[] = { "~", "null", "Null", "NULL" };
    for (size_t i = 0; plain && i < KP_COUNT(nulls); i++)
        if (strcmp(s, nulls[i]) == 0)
            return at(r, p, "take the key out, or put the word in quotes",
                      "`%s` means \"no value\" in YAML", nulls[i]);
    KP_TRY(value_begins(r, p));
    value_ends(r, kp_bytes(r->a, s, n));
    return NULL;
}

static kp_err *take_start(reader *r, const yaml_event_t *e)
{
    place p = place_of(e->start_mark);
    bool is_map = e->type == YAML_MAPPING_START_EVENT;
    if (is_map)
        KP_TRY(check_properties(r, p, e->data.mapping_start.anchor, e->data.mapping_start.tag));
    else
        KP_TRY(check_properties(r, p, e->data.sequence_start.anchor, e->data.sequence_start.tag));
    if (key_comes(r))
        return at(r, p, "put a text that holds { } [ ] in quotes", "a map or list cannot be a key");
    if (r->depth == DEPTH_LIMIT)
        return at(r, p, "nest less", "maps and lists are nested more than %d deep", DEPTH_LIMIT);
    KP_TRY(value_begins(r, p));
    r->stack[r->depth++] = (frame){
        .is_map = is_map,
        .path_n = r->path_n,
        .values = is_map ? kp_map_begin(r->a) : kp_list_begin(r->a),
    };
    return NULL;
}

static kp_err *take_end(reader *r)
{
    frame *f = top(r);
    if (f->is_map)
        KP_TRY(check_duplicates(r, f));
    const kp_value *v = f->is_map ? kp_map_end(&f->values) : kp_list_end(&f->values);
    r->depth--;
    value_ends(r, v);
    return NULL;
}

static kp_err *take(reader *r, const yaml_event_t *e)
{
    place p = place_of(e->start_mark);
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->n_documents++ > 0)
            return at(r, p, "keep one document: remove the `---` between them",
                      "a second document begins here");
        return NULL;
    case YAML_ALIAS_EVENT:
        return at(r, p, "write the value out; a value that begins with * needs quotes",
                  "aliases (`*...`) are not allowed");
    case YAML_SCALAR_EVENT:
        return take_scalar(r, e);
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return take_start(r, e);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return take_end(r);
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_NO_EVENT:
        return NULL;
    }
    return NULL;
}

static kp_err *read_all(reader *r, yaml_parser_t *p)
{
    for (bool ended = false; !ended;) {
        yaml_event_t e;
        if (!yaml_parser_parse(p, &e))
            return syntax_error(r, p);
        kp_err *err = take(r, &e);
        ended = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
        KP_TRY(err);
    }
    if (!r->root)
        return at(r, (place){ 0, 0 }, EMPTY_NEXT, "the file is empty");
    return NULL;
}

kp_err *kp_yaml_read(kp_arena *a, const char *path, const char *text, size_t n,
                     const kp_value **ret_v, const kp_value **ret_where)
{
    if (n > KP_INVENTORY_LIMIT)
        return kp_err_at(kp_err_new(KP_CONFIG, "check that this is the file you meant",
                                    "is larger than %s", kp_bytes_text(a, KP_INVENTORY_LIMIT)),
                         "%s", path);
    bool marked = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    reader *r = KP_NEW(a, reader);
    *r = (reader){
        .a = a,
        .file = path,
        .text = marked ? text + 3 : text,
        .n = marked ? n - 3 : n,
        .where = kp_map_begin(a),
    };
    yaml_parser_t p;
    if (!yaml_parser_initialize(&p))
        kp_die("out of memory while reading %s", path);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)r->text, r->n);
    kp_err *err = read_all(r, &p);
    yaml_parser_delete(&p);
    KP_TRY(err);
    *ret_v = r->root;
    *ret_where = kp_map_end(&r->where);
    return NULL;
}
