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

kp_err *kp_spec_unknown(const kp_spec *s, const char *key, const char *word,
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

static bool is_nil(const kp_value *v)
{
    return !v || v->type == KP_NIL;
}

kp_err *kp_spec_keys(const kp_spec *s, const char *const *keys)
{
    if (is_nil(s->v))
        return NULL;
    if (s->v->type != KP_MAP)
        return kp_spec_wrong(s, NULL, "write a map: { key: value, ... }",
                             "a map is needed here, not a %s", kp_type_name(s->v->type));
    for (uint32_t i = 0; i < s->v->n; i++) {
        size_t k = 0;
        while (keys[k] && strcmp(keys[k], s->v->keys[i]) != 0)
            k++;
        if (!keys[k])
            return kp_spec_unknown(s, s->v->keys[i], s->v->keys[i], keys);
    }
    return NULL;
}

static kp_err *wrong_type(const kp_spec *s, const char *key, const kp_value *v, const char *want)
{
    KP_AUTO_ARENA a = kp_arena_new("a wrong value", (size_t)1 << 20);

    if (v->type == KP_BYTES)
        return kp_spec_wrong(s, key, kp_printf(a, "write %s", want), "`%.60s` is not %s", v->u.s,
                             want);
    return kp_spec_wrong(s, key, kp_printf(a, "write %s", want), "a %s is not %s",
                         kp_type_name(v->type), want);
}

kp_err *kp_spec_text(const kp_spec *s, const char *key, const char *otherwise,
                     const char **ret_text)
{
    const kp_value *v = kp_get(s->v, key);

    if (is_nil(v))
        *ret_text = otherwise;
    else if (v->type == KP_BYTES && strlen(v->u.s) == v->n)
        *ret_text = v->u.s;
    else if (v->type == KP_INT)
        *ret_text = kp_printf(s->a, "%" PRId64, v->u.i);
    else if (v->type == KP_DOUBLE) /* an unquoted 3.7 */
        *ret_text = kp_json_text(s->a, v);
    else
        return wrong_type(s, key, v, "a text");
    return NULL;
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

kp_err *kp_spec_int(const kp_spec *s, const char *key, int64_t otherwise, int64_t min, int64_t max,
                    int64_t *ret_i)
{
    const kp_value *v = kp_get(s->v, key);
    int64_t i = 0;

    if (is_nil(v)) {
        *ret_i = otherwise;
        return NULL;
    }
    bool ok = v->type == KP_INT;
    if (ok) {
        i = v->u.i;
    } else if (v->type == KP_BYTES) {
        const char *end = digits(v->u.s + (v->u.s[0] == '-'), &i);
        ok = end && *end == '\0';
        if (v->u.s[0] == '-')
            i = -i;
    }
    if (!ok)
        return wrong_type(s, key, v, "a whole number");
    if (i < min || i > max)
        return kp_spec_wrong(s, key, "choose another number",
                             "%" PRId64 " is not between %" PRId64 " and %" PRId64, i, min, max);
    *ret_i = i;
    return NULL;
}

kp_err *kp_spec_bool(const kp_spec *s, const char *key, bool otherwise, bool *ret_b)
{
    const kp_value *v = kp_get(s->v, key);

    if (is_nil(v))
        *ret_b = otherwise;
    else if (v->type == KP_BOOL)
        *ret_b = v->u.b;
    else if (v->type == KP_BYTES && (kp_streq(v->u.s, "true") || kp_streq(v->u.s, "false")))
        *ret_b = kp_streq(v->u.s, "true");
    else
        return wrong_type(s, key, v, "true or false");
    return NULL;
}

kp_err *kp_spec_bytes(const kp_spec *s, const char *key, int64_t otherwise, int64_t *ret_n)
{
    static const struct {
        const char *unit;
        int64_t by;
    } units[] = {
        { "", 1 },         { "B", 1 },           { "kB", 1000 },
        { "MB", 1000000 }, { "GB", 1000000000 }, { "TB", 1000000000000 },
    };
    const kp_value *v = kp_get(s->v, key);
    int64_t n;

    if (is_nil(v)) {
        *ret_n = otherwise;
        return NULL;
    }
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
    return wrong_type(s, key, v, "a number of bytes, like 10GB or 500kB");
}

kp_err *kp_spec_duration(const kp_spec *s, const char *key, kp_ms otherwise, kp_ms *ret_d)
{
    const kp_value *v = kp_get(s->v, key);

    if (is_nil(v)) {
        *ret_d = otherwise;
        return NULL;
    }
    kp_err *e = v->type == KP_BYTES ? kp_duration_parse(v->u.s, ret_d) : NULL;
    if (v->type == KP_BYTES && !e)
        return NULL;
    kp_err_drop(e);
    return wrong_type(s, key, v, "a duration, like 250ms, 30s or 10m");
}

kp_err *kp_spec_list(const kp_spec *s, const char *key, bool texts, const kp_value **ret_list)
{
    static const kp_value empty = { .type = KP_LIST };
    const kp_value *v = kp_get(s->v, key);

    if (is_nil(v)) {
        *ret_list = &empty;
        return NULL;
    }
    /* An empty Lua table is a map. */
    if (v->type != KP_LIST && !(v->type == KP_MAP && v->n == 0))
        return wrong_type(s, key, v, "a list: [ ... ]");
    for (size_t i = 0; texts && i < kp_len(v); i++)
        if (!kp_is(kp_at(v, i), KP_BYTES))
            return wrong_type(s, key, v, "a list of texts");
    *ret_list = v->type == KP_LIST ? v : &empty;
    return NULL;
}

kp_spec kp_spec_of(const kp_spec *s, const char *key)
{
    return (kp_spec) { .a = s->a,
                       .v = kp_get(s->v, key),
                       .where = kp_printf(s->a, "%s.%s", s->where, key) };
}

kp_spec kp_spec_item(const kp_spec *s, const char *key, size_t i)
{
    return (kp_spec) { .a = s->a,
                       .v = kp_at(kp_get(s->v, key), i),
                       .where = kp_printf(s->a, "%s.%s[%zu]", s->where, key, i) };
}
