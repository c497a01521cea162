/* Reading one level of the cluster file by its table.
 *
 * Each kind of field has a shape: the words that say what is expected, and a function that turns
 * the file's text into what is stored, or says that it does not fit.  That is all there is to add
 * for a new kind.  Texts that end up in commands on hosts are narrow on purpose: a host name that
 * begins with '-' would be an option to ssh.
 */
#include "cluster/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kafka has one more; a controller's listener needs a number of its own (live/inner.h). */
#define ID_MOST (INT32_MAX - 1)

enum { HOST_LIMIT = 255, NAME_LIMIT = 64, TOPIC_LIMIT = 249, SHOWN = 60, WHAT_LIMIT = 2048 };

/* ---- places ---- */

const char *kp_reading_where(const kp_reading *in, const char *path)
{
    for (char *p = kp_strdup(in->a, path);;) {
        const char *where = kp_get_text(in->where, p, NULL);
        if (where || !*p)
            return where ? where : in->file;
        char *dot = strrchr(p, '.'), *bracket = strrchr(p, '[');
        char *cut = !dot || (bracket && bracket > dot) ? bracket : dot;
        *(cut ? cut : p) = '\0';
    }
}

kp_err *kp_reading_error(const kp_reading *in, const char *path, const char *next, const char *fmt,
                         ...)
{
    char what[WHAT_LIMIT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return kp_err_at(kp_err_new(KP_CONFIG, next, "%s", what), "%s", kp_reading_where(in, path));
}

const char *kp_reading_path(const kp_reading *in, const char *path, const char *key)
{
    return *path ? kp_printf(in->a, "%s.%s", path, key) : key;
}

/* ---- shapes ---- */

static bool is_line(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits and the characters of `more`; 1 to `limit` bytes. */
static bool consists_of(const char *s, size_t n, const char *more, size_t limit)
{
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(s[i]) && (!s[i] || !strchr(more, s[i])))
            return false;
    return n > 0 && n <= limit;
}

static bool is_host(const char *s, size_t n)
{
    return consists_of(s, n, ".-_:", HOST_LIMIT) && s[0] != '-' && s[0] != '.';
}

static bool is_word(const char *s)
{
    return *s && *s != '-' && is_line(s) && !strchr(s, ' ');
}

/* A decimal number without sign or leading zeros, at most `max`; -1 when it is none. */
static int64_t number(const char *s, size_t n, int64_t max)
{
    int64_t v = 0;
    if (n == 0 || (n > 1 && s[0] == '0'))
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = v * 10 + (s[i] - '0');
        if (v > max)
            return -1;
    }
    return v;
}

bool kp_address_is_valid(const char *s, size_t n)
{
    const char *colon = memrchr(s, ':', n);
    if (!colon)
        return false;
    size_t host = (size_t)(colon - s);
    if (number(colon + 1, n - host - 1, 65535) < 1)
        return false;
    bool bracketed = host > 2 && s[0] == '[' && s[host - 1] == ']';
    if (bracketed)
        return is_host(s + 1, host - 2);
    return is_host(s, host) && !memchr(s, ':', host);
}

/* Legal topic names: org.apache.kafka.common.internals.Topic. */
static bool is_topic(const char *s, size_t n)
{
    bool dots = (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.');
    return consists_of(s, n, "._-", TOPIC_LIMIT) && !dots;
}

static bool is_partition(const char *s)
{
    const char *dash = strrchr(s, '-');
    return dash && is_topic(s, (size_t)(dash - s)) &&
           number(dash + 1, strlen(dash + 1), INT32_MAX) >= 0;
}

static bool is_date(const char *s)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (strlen(s) != 10 || s[4] != '-' || s[7] != '-')
        return false;
    int at[] = { s[0] - '0', s[1] - '0', s[2] - '0', s[3] - '0',
                 s[5] - '0', s[6] - '0', s[8] - '0', s[9] - '0' };
    for (size_t i = 0; i < KP_COUNT(at); i++)
        if (at[i] < 0 || at[i] > 9)
            return false;
    int year = at[0] * 1000 + at[1] * 100 + at[2] * 10 + at[3];
    int month = at[4] * 10 + at[5], day = at[6] * 10 + at[7];
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (leap && month == 2 ? 1 : 0);
}

const char *kp_local_path(const kp_reading *in, const char *path)
{
    if (path[0] == '/')
        return path;
    if (path[0] == '~') {
        const char *home = getenv("HOME");
        if ((path[1] && path[1] != '/') || !home || home[0] != '/')
            return NULL;
        return kp_printf(in->a, "%s%s", home, path + 1);
    }
    const char *slash = strrchr(in->file, '/');
    return slash ? kp_printf(in->a, "%.*s%s", (int)(slash + 1 - in->file), in->file, path) : path;
}

/* An absolute path, without the slashes at its end; NULL when s is none, or the root directory. */
static const char *remote_path(const kp_reading *in, const char *s)
{
    size_t n = strlen(s);
    while (n > 0 && s[n - 1] == '/')
        n--;
    return s[0] == '/' && n > 0 && is_line(s) ? kp_strndup(in->a, s, n) : NULL;
}

static bool is_choice(const char *const *choices, const char *s)
{
    for (; *choices; choices++)
        if (strcmp(*choices, s) == 0)
            return true;
    return false;
}

/* What is stored for a text; NULL when it does not fit. */
static const char *text_of(const kp_reading *in, const kp_field *f, const char *s)
{
    size_t n = strlen(s);
    bool fits = false;
    switch (f->kind) {
    case KP_FIELD_TEXT:
        fits = is_line(s);
        break;
    case KP_FIELD_NAME:
        fits = consists_of(s, n, "._-", NAME_LIMIT) && s[0] != '.' && s[0] != '-';
        break;
    case KP_FIELD_WORD:
        fits = is_word(s);
        break;
    case KP_FIELD_HOST:
        fits = is_host(s, n);
        break;
    case KP_FIELD_ADDRESS:
        fits = kp_address_is_valid(s, n);
        break;
    case KP_FIELD_LOCAL:
        return n > 0 && is_line(s) ? kp_local_path(in, s) : NULL;
    case KP_FIELD_REMOTE:
        return remote_path(in, s);
    case KP_FIELD_RELEASE:
        fits = is_word(s) && s[0] != '.' && strstr(s, "{version}") && !strchr(s, '/');
        break;
    case KP_FIELD_CHOICE:
        fits = is_choice(f->choices, s);
        break;
    case KP_FIELD_TOPIC:
        fits = is_topic(s, n);
        break;
    case KP_FIELD_PART:
        fits = is_partition(s);
        break;
    case KP_FIELD_DATE:
        fits = is_date(s);
        break;
    case KP_FIELD_PORT:
    case KP_FIELD_ID:
    case KP_FIELD_PERCENT:
    case KP_FIELD_ARGV:
    case KP_FIELD_LIST:
    case KP_FIELD_MAP:
    case KP_FIELD_ADDRESSES:
    case KP_FIELD_SECRET:
        break;
    }
    return fits ? s : NULL;
}

static const char *expected(kp_arena *a, const kp_field *f)
{
    static const char *const shapes[] = {
        [KP_FIELD_TEXT] = "one line of text",
        [KP_FIELD_NAME] = "a name of letters, digits, . _ and - (at most 64)",
        [KP_FIELD_WORD] = "one word without blanks",
        [KP_FIELD_HOST] = "a host name or IP address",
        [KP_FIELD_ADDRESS] = "an address host:port",
        [KP_FIELD_LOCAL] = "a path on this machine; ~/ is your home directory",
        [KP_FIELD_REMOTE] = "an absolute path on the host",
        [KP_FIELD_RELEASE] = "a directory name with {version} in it",
        [KP_FIELD_TOPIC] = "the whole name of a topic",
        [KP_FIELD_PART] = "a partition, TOPIC-NUMBER",
        [KP_FIELD_DATE] = "a date, YYYY-MM-DD",
        [KP_FIELD_PORT] = "a number from 1 to 65535",
        [KP_FIELD_ID] = "a number from 0 to 2147483646",
        [KP_FIELD_PERCENT] = "a number from 0 to 100",
        [KP_FIELD_ARGV] = "a list of words, the command first: [\"/usr/bin/x\", \"y\"]",
        [KP_FIELD_LIST] = "a list",
        [KP_FIELD_MAP] = "a map",
        [KP_FIELD_ADDRESSES] = "addresses host:port, separated by commas",
        [KP_FIELD_SECRET] = "a secret, by one of file, env and command",
    };
    if (f->kind != KP_FIELD_CHOICE)
        return shapes[f->kind];
    const char *s = f->choices[0];
    for (size_t i = 1; f->choices[i]; i++)
        s = kp_printf(a, "%s%s%s", s, f->choices[i + 1] ? ", " : " or ", f->choices[i]);
    return s;
}

static bool is_argv(const kp_value *v)
{
    if (!kp_is(v, KP_LIST) || kp_len(v) == 0)
        return false;
    for (size_t i = 0; i < kp_len(v); i++)
        if (!kp_is(kp_at(v, i), KP_BYTES))
            return false;
    return *kp_as_text(kp_at(v, 0), "") != '\0';
}

/* ---- a level ---- */

/* Stores v, or returns false when it is not what the field takes. */
static bool store(const kp_reading *in, const kp_field *f, const kp_value *v, void *into)
{
    void *to = (char *)into + f->offset;
    const char *s = kp_as_text(v, NULL);
    int64_t i = -1;
    switch (f->kind) {
    case KP_FIELD_PORT:
        i = s ? number(s, v->n, 65535) : -1;
        if (i < 1)
            return false;
        *(int *)to = (int)i;
        return true;
    case KP_FIELD_ID:
    case KP_FIELD_PERCENT:
        i = s ? number(s, v->n, f->kind == KP_FIELD_ID ? ID_MOST : 100) : -1;
        if (i < 0)
            return false;
        *(int *)to = (int)i;
        return true;
    case KP_FIELD_ARGV:
    case KP_FIELD_LIST:
    case KP_FIELD_MAP:
        if (f->kind == KP_FIELD_ARGV ? !is_argv(v)
                                     : !kp_is(v, f->kind == KP_FIELD_LIST ? KP_LIST : KP_MAP))
            return false;
        *(const kp_value **)to = v;
        return true;
    default:
        s = s ? text_of(in, f, s) : NULL;
        if (s)
            *(const char **)to = s;
        return s != NULL;
    }
}

static bool is_stored_as_text(kp_field_kind kind)
{
    return kind < KP_FIELD_PORT;
}

void kp_level_defaults(const kp_reading *in, const kp_level *level, void *into)
{
    for (size_t i = 0; i < level->n; i++) {
        const kp_field *f = &level->fields[i];
        if (is_stored_as_text(f->kind))
            *(const char **)((char *)into + f->offset) = "";
        if (f->otherwise)
            (void)store(in, f, kp_text(in->a, f->otherwise), into);
    }
}

static const char *keys_of(const kp_reading *in, const kp_level *level)
{
    const char *s = level->fields[0].name;
    for (size_t i = 1; i < level->n; i++)
        s = kp_printf(in->a, "%s, %s", s, level->fields[i].name);
    return s;
}

static kp_err *unknown_key(const kp_reading *in, const kp_level *level, const char *path,
                           const char *key)
{
    const char **names = KP_NEW_ARRAY(in->a, level->n + 1, const char *);
    for (size_t i = 0; i < level->n; i++)
        names[i] = level->fields[i].name;
    const char *near = kp_did_you_mean(key, names);
    const char *keys = kp_printf(in->a, "the keys here are %s", keys_of(in, level));
    return kp_reading_error(in, kp_reading_path(in, path, key), keys, "unknown key `%s`%s%s%s%s%s",
                            key, *path ? " in " : "", path, near ? "; did you mean `" : "",
                            near ? near : "", near ? "`?" : "");
}

static const char *found(const kp_reading *in, const kp_value *v)
{
    if (kp_is(v, KP_LIST))
        return "a list";
    if (kp_is(v, KP_MAP))
        return "a map";
    const char *s = kp_as_text(v, "");
    if (!*s)
        return "\"\"";
    return kp_printf(in->a, "`%.*s%s`", SHOWN, s, strlen(s) > SHOWN ? "..." : "");
}

static const char *default_of(const kp_field *f)
{
    return f->otherwise ? f->otherwise : f->computed;
}

static kp_err *wrong_value(const kp_reading *in, const kp_field *f, const char *path,
                           const kp_value *v)
{
    const char *otherwise = default_of(f);
    const char *next = kp_printf(in->a, "%s is %s%s%s", f->name, f->doc,
                                 otherwise ? "; default " : "", otherwise ? otherwise : "");
    const char *const *choices = f->kind == KP_FIELD_CHOICE ? f->choices : NULL;
    const char *near = choices && kp_is(v, KP_BYTES) ? kp_did_you_mean(v->u.s, choices) : NULL;
    return kp_reading_error(in, path, next, "`%s` must be %s, not %s%s%s%s", path,
                            expected(in->a, f), found(in, v), near ? "; did you mean `" : "",
                            near ? near : "", near ? "`?" : "");
}

kp_err *kp_level_read(const kp_reading *in, const kp_level *level, const char *path,
                      const kp_value *map, void *into)
{
    for (size_t k = 0; k < kp_len(map); k++) {
        const kp_field *f = NULL;
        for (size_t i = 0; i < level->n && !f; i++)
            if (strcmp(level->fields[i].name, map->keys[k]) == 0)
                f = &level->fields[i];
        if (!f)
            return unknown_key(in, level, path, map->keys[k]);
        if (!store(in, f, map->u.items[k], into))
            return wrong_value(in, f, kp_reading_path(in, path, f->name), map->u.items[k]);
    }
    return NULL;
}

/* ---- what the levels are, for people ---- */

typedef struct told {
    const kp_level *level;
    const char *path, *doc;
    kp_builder also;
    struct told *next;
} told;

/* A level and those below it, each once: where else it stands is noted. */
static void collect(kp_arena *a, told **all, const kp_level *level, const char *path,
                    const char *doc)
{
    told **to = all;

    for (; *to; to = &(*to)->next)
        if ((*to)->level == level) {
            kp_list_add(&(*to)->also, kp_text(a, path));
            return;
        }
    *to = KP_NEW(a, told);
    **to = (told) { .level = level, .path = path, .doc = doc, .also = kp_list_begin(a) };
    for (size_t i = 0; i < level->n; i++) {
        const kp_field *f = &level->fields[i];
        if (f->below)
            collect(a, all, f->below,
                    kp_printf(a, "%s%s%s%s", path, *path ? "." : "", f->name,
                              f->kind == KP_FIELD_LIST ? "[]" : ""),
                    f->doc);
    }
}

static const kp_value *words_of(kp_arena *a, const kp_field *f)
{
    if (f->kind != KP_FIELD_CHOICE)
        return NULL;
    kp_builder words = kp_list_begin(a);
    for (size_t i = 0; f->choices[i]; i++)
        kp_list_add(&words, kp_map(a, "word", kp_text(a, f->choices[i]), "doc",
                                   kp_text(a, f->choice_docs[i]), NULL));
    return kp_list_end(&words);
}

static const kp_value *keys_told(kp_arena *a, const kp_level *level)
{
    kp_builder keys = kp_list_begin(a);
    for (size_t i = 0; i < level->n; i++) {
        const kp_field *f = &level->fields[i];
        bool maps = f->kind == KP_FIELD_LIST && f->below;
        kp_list_add(&keys, kp_map(a, "key", kp_text(a, f->name), "type",
                                  kp_text(a, maps ? "a list of maps" : expected(a, f)), "default",
                                  kp_text(a, default_of(f)), "doc", kp_text(a, f->doc), "example",
                                  kp_text(a, f->example), "words", words_of(a, f), NULL));
    }
    return kp_list_end(&keys);
}

static const kp_value *level_told(kp_arena *a, told *t)
{
    const kp_value *also = kp_list_end(&t->also);
    const char *doc = t->doc;
    for (size_t i = 0; i < kp_len(also); i++)
        doc = kp_printf(a, "%s%s%s", doc, i > 0 ? ", " : "; the same keys stand in ",
                        kp_as_text(kp_at(also, i), ""));
    return kp_map(a, "level", kp_text(a, t->path), "doc", kp_text(a, doc), "keys",
                  keys_told(a, t->level), "also", kp_len(also) > 0 ? also : NULL, NULL);
}

const kp_value *kp_level_keys(kp_arena *a, const kp_level *top, const char *doc)
{
    kp_builder levels = kp_list_begin(a);
    told *all = NULL;
    collect(a, &all, top, "", doc);
    for (told *t = all; t; t = t->next)
        kp_list_add(&levels, level_told(a, t));
    return kp_list_end(&levels);
}
