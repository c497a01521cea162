/* Reading a description key by key (see spec.h). */
#include "sim/spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

kp_err *kp_spec_wrong(const kp_spec *s, const char *key, const char *next, const char *fmt, ...)
{
    char what[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    kp_err *e = kp_err_new(KP_CONFIG, next, "%s", what);
    return key ? kp_err_at(e, "%s.%s", s->where, key) : kp_err_at(e, "%s", s->where);
}

static bool is_nil(const kp_value *v)
{
    return !v || v->type == KP_NIL;
}

/* ---- the table ---- */

static const kp_spec_key *row_of(const kp_spec_level *level, const char *key)
{
    if (!level)
        return NULL;
    if (level->any)
        return &level->keys[0];
    for (size_t i = 0; i < level->n; i++)
        if (strcmp(level->keys[i].name, key) == 0)
            return &level->keys[i];
    const kp_spec_key *row = row_of(level->shared, key);
    return row && row->common ? row : NULL;
}

#define ONE(type) (1u << (type))
#define LISTS (ONE(KP_SPEC_TEXTS) | ONE(KP_SPEC_IDS) | ONE(KP_SPEC_LIST) | ONE(KP_SPEC_MAPS))

static const kp_spec_key *row_for(const kp_spec *s, const char *key, unsigned types)
{
    const kp_spec_key *row = row_of(s->level, key);

    if (!row || !(types & ONE(row->type)))
        kp_die("%s.%s is read, and %s (a bug in kplay)", s->where, key,
               row ? "is of another type" : "no table has it");
    return row;
}

/* The value of a key: as given, else its default, which `room` then holds; NULL without one. */
static const kp_value *value_of(const kp_spec *s, const kp_spec_key *row, const char *key,
                                kp_value *room)
{
    const kp_value *v = kp_get(s->v, key);

    if (!is_nil(v))
        return v;
    if (!row->otherwise)
        return NULL;
    *room = (kp_value) { .type = KP_BYTES,
                         .n = (uint32_t)strlen(row->otherwise),
                         .u.s = row->otherwise };
    return room;
}

/* A word that is none of `names`, which ends with NULL. */
static kp_err *unknown(const kp_spec *s, const char *key, const char *word,
                       const char *const *names)
{
    const char *near = kp_did_you_mean(word, names);
    KP_AUTO_BUF all = KP_BUF_INIT(4096);

    for (size_t i = 0; names[i]; i++)
        kp_buf_fmt(&all, "%s%s", i > 0 ? ", " : "", names[i]);
    kp_err *e = near ? kp_spec_wrong(s, key, "correct the word",
                                     "unknown word `%s`; did you mean `%s`?", word, near)
                     : kp_spec_wrong(s, key, "use one of the known words", "unknown word `%s`",
                                     word);
    return kp_err_detail(e, "  known: %s\n", kp_buf_text(&all));
}

static kp_err *unknown_key(const kp_spec *s, const char *key)
{
    const kp_spec_level *l = s->level, *more = l->shared;
    const char **names = KP_NEW_ARRAY(s->a, l->n + (more ? more->n : 0) + 1, const char *);
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++)
        names[n++] = l->keys[i].name;
    for (size_t i = 0; more && i < more->n; i++)
        if (more->keys[i].common)
            names[n++] = more->keys[i].name;
    return unknown(s, key, key, names);
}

kp_err *kp_spec_keys(const kp_spec *s)
{
    if (is_nil(s->v))
        return NULL;
    if (s->v->type != KP_MAP)
        return kp_spec_wrong(s, NULL, "write a map: { key: value, ... }",
                             "a map is needed here, not a %s", kp_type_name(s->v->type));
    for (uint32_t i = 0; i < s->v->n; i++)
        if (!row_of(s->level, s->v->keys[i]))
            return unknown_key(s, s->v->keys[i]);
    return NULL;
}

/* ---- types ---- */

static const char *const type_texts[] = {
    [KP_SPEC_TEXT] = "a text",
    [KP_SPEC_WORD] = "a text",
    [KP_SPEC_INT] = "a whole number",
    [KP_SPEC_BOOL] = "true or false",
    [KP_SPEC_BYTES] = "a number of bytes, like 10GB or 500kB",
    [KP_SPEC_DURATION] = "a duration, like 250ms, 30s or 10m",
    [KP_SPEC_TEXTS] = "a list of texts",
    [KP_SPEC_IDS] = "a list of ids",
    [KP_SPEC_LIST] = "a list",
    [KP_SPEC_MAPS] = "a list of maps",
    [KP_SPEC_MAP] = "a map",
};

const char *kp_spec_type_text(kp_arena *a, const kp_spec_key *key)
{
    const char *text = type_texts[key->type];

    if (key->type == KP_SPEC_INT && key->max >= INT32_MAX)
        return kp_printf(a, "%s, %" PRId64 " or more", text, key->min);
    if (key->type == KP_SPEC_INT)
        return kp_printf(a, "%s from %" PRId64 " to %" PRId64, text, key->min, key->max);
    if (key->type == KP_SPEC_WORD) {
        text = kp_printf(a, "one of %s", key->words[0].word);
        for (size_t i = 1; key->words[i].word; i++)
            text = kp_printf(a, "%s, %s", text, key->words[i].word);
    }
    return text;
}

static kp_err *wrong_as(const kp_spec *s, const char *key, const kp_value *v, const char *want)
{
    KP_AUTO_ARENA a = kp_arena_new("a wrong value", (size_t)1 << 20);

    if (v->type == KP_BYTES)
        return kp_spec_wrong(s, key, kp_printf(a, "write %s", want), "`%.60s` is not %s", v->u.s,
                             want);
    return kp_spec_wrong(s, key, kp_printf(a, "write %s", want), "a %s is not %s",
                         kp_type_name(v->type), want);
}

static kp_err *wrong_type(const kp_spec *s, const char *key, const kp_value *v,
                          const kp_spec_key *row)
{
    return wrong_as(s, key, v, type_texts[row->type]);
}

/* ---- the readers ---- */

static kp_err *read_text(const kp_spec *s, const char *key, const kp_spec_key *row,
                         const char **ret_text)
{
    kp_value room;
    const kp_value *v = value_of(s, row, key, &room);

    if (!v)
        return NULL;
    if (v->type == KP_BYTES && strlen(v->u.s) == v->n)
        *ret_text = v->u.s;
    else if (v->type == KP_INT)
        *ret_text = kp_printf(s->a, "%" PRId64, v->u.i);
    else if (v->type == KP_DOUBLE) /* an unquoted 3.7 */
        *ret_text = kp_json_text(s->a, v);
    else
        return wrong_type(s, key, v, row);
    return NULL;
}

kp_err *kp_spec_text(const kp_spec *s, const char *key, const char **ret_text)
{
    return read_text(s, key, row_for(s, key, ONE(KP_SPEC_TEXT)), ret_text);
}

kp_err *kp_spec_word_of(const kp_spec *s, const char *key, int *ret_index)
{
    const kp_spec_key *row = row_for(s, key, ONE(KP_SPEC_WORD));
    const char *word = NULL;
    size_t n = 0;

    KP_TRY(read_text(s, key, row, &word));
    if (!word)
        return NULL;
    for (; row->words[n].word; n++)
        if (strcmp(row->words[n].word, word) == 0) {
            *ret_index = (int)n;
            return NULL;
        }
    const char **names = KP_NEW_ARRAY(s->a, n + 1, const char *);
    for (size_t i = 0; i < n; i++)
        names[i] = row->words[i].word;
    return unknown(s, key, word, names);
}

/* Digits at the start of `t`; NULL when there are none or too many. */
static const char *digits(const char *t, int64_t *ret_i)
{
    int64_t n = 0;
    const char *p = t;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (p - t >= 18)
            return NULL;
        n = n * 10 + (*p - '0');
    }
    *ret_i = n;
    return p > t ? p : NULL;
}

/* A whole number, with or without a minus. */
static bool whole(const kp_value *v, int64_t *ret_i)
{
    if (v->type == KP_INT) {
        *ret_i = v->u.i;
        return true;
    }
    if (v->type != KP_BYTES)
        return false;
    bool minus = v->u.s[0] == '-';
    const char *end = digits(v->u.s + minus, ret_i);
    if (minus && end)
        *ret_i = -*ret_i;
    return end && *end == '\0';
}

kp_err *kp_spec_int_to(const kp_spec *s, const char *key, int64_t max, int64_t *ret_i)
{
    const kp_spec_key *row = row_for(s, key, ONE(KP_SPEC_INT));
    kp_value room;
    const kp_value *v = value_of(s, row, key, &room);
    int64_t i;

    if (!v)
        return NULL;
    if (!whole(v, &i))
        return wrong_type(s, key, v, row);
    if (i < row->min || i > max)
        return kp_spec_wrong(s, key, "choose another number",
                             "%" PRId64 " is not between %" PRId64 " and %" PRId64, i, row->min,
                             max);
    *ret_i = i;
    return NULL;
}

kp_err *kp_spec_int(const kp_spec *s, const char *key, int64_t *ret_i)
{
    return kp_spec_int_to(s, key, row_for(s, key, ONE(KP_SPEC_INT))->max, ret_i);
}

kp_err *kp_spec_bool(const kp_spec *s, const char *key, bool *ret_b)
{
    const kp_spec_key *row = row_for(s, key, ONE(KP_SPEC_BOOL));
    kp_value room;
    const kp_value *v = value_of(s, row, key, &room);

    if (!v)
        return NULL;
    if (v->type == KP_BOOL)
        *ret_b = v->u.b;
    else if (v->type == KP_BYTES && (kp_streq(v->u.s, "true") || kp_streq(v->u.s, "false")))
        *ret_b = kp_streq(v->u.s, "true");
    else
        return wrong_type(s, key, v, row);
    return NULL;
}

kp_err *kp_spec_bytes(const kp_spec *s, const char *key, int64_t *ret_n)
{
    static const struct {
        const char *unit;
        int64_t by;
    } units[] = {
        { "", 1 },         { "B", 1 },           { "kB", 1000 },
        { "MB", 1000000 }, { "GB", 1000000000 }, { "TB", 1000000000000 },
    };
    const kp_spec_key *row = row_for(s, key, ONE(KP_SPEC_BYTES));
    kp_value room;
    const kp_value *v = value_of(s, row, key, &room);
    int64_t n;

    if (!v)
        return NULL;
    if (v->type == KP_INT && v->u.i >= 0 && v->u.i <= INT64_C(1000000000000000)) {
        *ret_n = v->u.i;
        return NULL;
    }
    const char *end = v->type == KP_BYTES ? digits(v->u.s, &n) : NULL;
    while (end && *end == ' ')
        end++;
    for (size_t i = 0; end && i < KP_COUNT(units); i++) {
        size_t len = strlen(units[i].unit);
        if (strncmp(end, units[i].unit, len) != 0 ||
            (end[len] != '\0' && strcmp(end + len, "/s") != 0))
            continue;
        if (n > INT64_C(1000000000000000) / units[i].by)
            break;
        *ret_n = n * units[i].by;
        return NULL;
    }
    return wrong_type(s, key, v, row);
}

kp_err *kp_spec_duration(const kp_spec *s, const char *key, kp_ms *ret_d)
{
    const kp_spec_key *row = row_for(s, key, ONE(KP_SPEC_DURATION));
    kp_value room;
    const kp_value *v = value_of(s, row, key, &room);

    if (!v)
        return NULL;
    kp_err *e = v->type == KP_BYTES ? kp_duration_parse(v->u.s, ret_d) : NULL;
    if (v->type == KP_BYTES && !e)
        return NULL;
    kp_err_drop(e);
    return wrong_type(s, key, v, row);
}

/* Ids that are given as text become ints; what is no number is left to its reader. */
static const kp_value *ids_of(const kp_spec *s, const kp_value *list)
{
    kp_builder b = kp_list_begin(s->a);
    int64_t id;

    for (size_t i = 0; i < kp_len(list); i++)
        kp_list_add(&b, whole(kp_at(list, i), &id) ? kp_int(s->a, id) : kp_at(list, i));
    return kp_list_end(&b);
}

kp_err *kp_spec_list(const kp_spec *s, const char *key, const kp_value **ret_list)
{
    static const kp_value empty = { .type = KP_LIST };
    const kp_spec_key *row = row_for(s, key, LISTS);
    const kp_value *v = kp_get(s->v, key);

    *ret_list = &empty;
    if (is_nil(v) || (v->type == KP_MAP && v->n == 0)) /* an empty Lua table is a map */
        return NULL;
    if (v->type != KP_LIST)
        return wrong_as(s, key, v, "a list: [ ... ]");
    for (size_t i = 0; row->type == KP_SPEC_TEXTS && i < kp_len(v); i++)
        if (!kp_is(kp_at(v, i), KP_BYTES))
            return wrong_type(s, key, v, row);
    *ret_list = row->type == KP_SPEC_IDS ? ids_of(s, v) : v;
    return NULL;
}

kp_spec kp_spec_of(const kp_spec *s, const char *key)
{
    return (kp_spec) { .a = s->a,
                       .v = kp_get(s->v, key),
                       .where = kp_printf(s->a, "%s.%s", s->where, key),
                       .level = row_for(s, key, ONE(KP_SPEC_MAP))->below };
}

kp_spec kp_spec_item(const kp_spec *s, const char *key, size_t i)
{
    return (kp_spec) { .a = s->a,
                       .v = kp_at(kp_get(s->v, key), i),
                       .where = kp_printf(s->a, "%s.%s[%zu]", s->where, key, i),
                       .level = row_for(s, key, ONE(KP_SPEC_MAPS))->below };
}
