/* Options: one table a command prints its help and reads its line. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const kp_option *find(const kp_command *c, const char *name, size_t n)
{
    for (const kp_option *o = c->options; o->name; o++)
        if (strlen(o->name) == n && strncmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

const char *const *kp_option_names(kp_arena *a, const kp_command *c)
{
    size_t n = 0;
    while (c->options[n].name)
        n++;
    const char **names = KP_NEW_ARRAY(a, n + 1, const char *);
    for (size_t i = 0; i < n; i++)
        names[i] = c->options[i].name;
    return names;
}

static kp_err *unknown(kp_arena *a, const kp_command *c, const char *word)
{
    const char *near = kp_did_you_mean(word + strspn(word, "-"), kp_option_names(a, c));
    kp_err *e = kp_err_new(KP_USAGE, "see its options", "%s: unknown option %s%s%s%s", c->name,
                           word, near ? "; did you mean --" : "", near ? near : "",
                           near ? "?" : "");
    return kp_err_next(e, "kplay %s --help", c->name);
}

/* The reading of one line. */
typedef struct reading {
    kp_arena *a;
    const kp_command *c;
    int argc, at; /* the argument that is read next */
    char **argv;
    kp_builder set;
    const char **word, **extra; /* extra: the names, as they came, and ... */
    const kp_value **given;     /* ... what was given */
    size_t n_words, n_extra;
} reading;

static const kp_option *by_letter(const kp_command *c, char letter)
{
    for (const kp_option *o = c->options; o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

static kp_err *set_option(reading *r, const kp_option *o, const char *value)
{
    if (!o->value) {
        if (value)
            return kp_err_new(KP_USAGE, "leave the value out", "--%s takes no value", o->name);
        kp_map_add(&r->set, o->name, kp_bool(true));
        return NULL;
    }
    if (!value && r->at >= r->argc)
        return kp_err_new(KP_USAGE, "give it", "--%s needs a value (%s)", o->name, o->value);
    if (!value)
        value = r->argv[r->at++];
    if (kp_get(kp_map_end(&r->set), o->name))
        return kp_err_new(KP_USAGE, "give it once", "--%s is given twice", o->name);
    kp_map_add(&r->set, o->name, kp_text(r->a, value));
    return NULL;
}

/* A playbook's argument; whether it takes a value is for the playbook to say. */
static void add_extra(reading *r, const char *name, const char *value)
{
    bool bare = !value && (r->at >= r->argc || kp_starts_with(r->argv[r->at], "--"));
    if (!value && !bare)
        value = r->argv[r->at++];
    r->extra[r->n_extra] = name;
    r->given[r->n_extra++] = bare ? kp_bool(true) : kp_text(r->a, value);
}

static kp_err *read_option(reading *r, const char *arg)
{
    const char *name = arg + 2, *equals = arg[1] == '-' ? strchr(name, '=') : NULL;
    size_t len = equals ? (size_t)(equals - name) : strlen(arg) - 2;
    const kp_option *o = arg[1] == '-' ? find(r->c, name, len)
                         : !arg[2]     ? by_letter(r->c, arg[1])
                                       : NULL;
    if (o)
        return set_option(r, o, equals ? equals + 1 : NULL);
    if (!r->c->takes_extra || arg[1] != '-')
        return unknown(r->a, r->c, arg);
    add_extra(r, kp_strndup(r->a, name, len), equals ? equals + 1 : NULL);
    return NULL;
}

static const kp_value *extra_map(const reading *r)
{
    kp_builder all = kp_map_begin(r->a);
    for (size_t i = 0; i < r->n_extra; i++) {
        kp_builder list = kp_list_begin(r->a);
        size_t first = i;
        for (size_t k = 0; k < r->n_extra; k++)
            if (kp_streq(r->extra[k], r->extra[i])) {
                kp_list_add(&list, r->given[k]);
                first = k < first ? k : first;
            }
        const kp_value *them = kp_list_end(&list);
        if (first == i)
            kp_map_add(&all, r->extra[i], them->n == 1 ? kp_at(them, 0) : them);
    }
    return kp_map_end(&all);
}

/* "show or check", "verify, show or replay" */
static const char *listed(kp_arena *a, const char *const *names)
{
    KP_AUTO_BUF b = KP_BUF_INIT(1024);
    for (size_t i = 0; names[i]; i++)
        kp_buf_fmt(&b, "%s%s", i == 0 ? "" : names[i + 1] ? ", " : " or ", names[i]);
    return kp_strdup(a, kp_buf_text(&b));
}

static kp_err *check_words(const reading *r)
{
    const kp_command *c = r->c;
    const char *first = r->n_words ? r->word[0] : NULL;
    bool known = !c->actions;
    for (size_t i = 0; !known && first && c->actions[i]; i++)
        known = kp_streq(c->actions[i], first);
    if (!known) {
        const char *near = first ? kp_did_you_mean(first, c->actions) : NULL;
        kp_err *e = kp_err_new(KP_USAGE, "see its usage", "%s takes %s%s%s%s%s%s%s", c->name,
                               listed(r->a, c->actions), first ? ", got \"" : "",
                               first ? first : "", first ? "\"" : "", near ? "; did you mean " : "",
                               near ? near : "", near ? "?" : "");
        return kp_err_next(e, "kplay help %s", c->name);
    }
    if (r->n_words <= c->most_words)
        return NULL;
    kp_err *e = kp_err_new(KP_USAGE, "see its usage", "%s: \"%s\" is one word too many", c->name,
                           r->word[c->most_words]);
    return kp_err_next(e, "kplay help %s", c->name);
}

kp_err *kp_line_read(kp_arena *a, const kp_command *c, int argc, char **argv, kp_line *ret_line)
{
    size_t n = (size_t)argc + 1;
    reading r = { .a = a,
                  .c = c,
                  .argc = argc,
                  .argv = argv,
                  .set = kp_map_begin(a),
                  .word = KP_NEW_ARRAY(a, n, const char *),
                  .extra = KP_NEW_ARRAY(a, n, const char *),
                  .given = KP_NEW_ARRAY(a, n, const kp_value *) };
    bool only_words = false;

    while (r.at < argc) {
        const char *arg = argv[r.at++];
        if (only_words || arg[0] != '-' || !arg[1])
            r.word[r.n_words++] = arg;
        else if (kp_streq(arg, "--"))
            only_words = true;
        else
            KP_TRY(read_option(&r, arg));
    }
    *ret_line = (kp_line) {
        .set = kp_map_end(&r.set), .extra = extra_map(&r), .word = r.word, .n_words = r.n_words
    };
    return kp_flag(ret_line, "help") ? NULL : check_words(&r);
}

static const kp_value *as_value(kp_arena *a, const kp_command *c)
{
    kp_builder options = kp_list_begin(a);
    for (const kp_option *o = c->options; o->name; o++)
        kp_list_add(&options, kp_map(a, "name", kp_text(a, o->name), "letter",
                                     o->letter ? kp_text(a, kp_printf(a, "%c", o->letter)) : NULL,
                                     "value", o->value ? kp_text(a, o->value) : NULL, "doc",
                                     kp_text(a, o->doc), NULL));
    return kp_map(a, "usage", kp_text(a, kp_printf(a, "kplay %s", c->usage)), "doc",
                  kp_text(a, c->doc), "options", kp_list_end(&options), NULL);
}

void kp_command_help(kp_arena *a, const kp_command *c, bool json)
{
    if (json) {
        puts(kp_json_text(a, as_value(a, c)));
        return;
    }
    printf("kplay %s\n\n%s\n\n", c->usage, c->doc);
    for (const kp_option *o = c->options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : " ",
                 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        printf("  %-28s %s\n", left, o->doc);
    }
}
