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

static kp_err *unknown(kp_arena *a, const kp_command *c, const char *word)
{
    const char **names = KP_NEW_ARRAY(a, 64, const char *);
    size_t n = 0;
    for (const kp_option *o = c->options; o->name && n < 63; o++)
        names[n++] = kp_printf(a, "--%s", o->name);
    const char *near = kp_did_you_mean(word, names);
    kp_err *e = kp_err_new(KP_USAGE, "see its options", "%s: unknown option %s%s%s%s", c->name,
                           word, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return kp_err_next(e, "kplay %s --help", c->name);
}

kp_err *kp_line_read(kp_arena *a, const kp_command *c, int argc, char **argv, kp_line *ret_line)
{
    kp_builder set = kp_map_begin(a), extra = kp_map_begin(a);
    const char **word = KP_NEW_ARRAY(a, (size_t)argc + 1, const char *);
    size_t n = 0;
    bool only_words = false;

    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (only_words || arg[0] != '-' || !arg[1]) {
            word[n++] = arg;
            continue;
        }
        if (kp_streq(arg, "--")) {
            only_words = true;
            continue;
        }
        const kp_option *o = NULL;
        const char *value = NULL, *name = arg + 2;
        size_t len = 0;
        if (arg[1] == '-') {
            const char *equals = strchr(name, '=');
            len = equals ? (size_t)(equals - name) : strlen(name);
            value = equals ? equals + 1 : NULL;
            o = find(c, name, len);
        } else if (!arg[2]) {
            for (const kp_option *k = c->options; k->name; k++)
                if (k->letter == arg[1])
                    o = k;
        }
        if (!o && !(c->takes_extra && arg[1] == '-'))
            return unknown(a, c, arg);
        if (o && !o->value) {
            if (value)
                return kp_err_new(KP_USAGE, "leave the value out", "--%s takes no value", o->name);
            kp_map_add(&set, o->name, kp_bool(true));
            continue;
        }
        if (!value) {
            bool missing = i + 1 >= argc || (!o && kp_starts_with(argv[i + 1], "--"));
            if (missing && !o) { /* a playbook's argument without a value is a flag */
                kp_map_add(&extra, kp_strndup(a, name, len), kp_text(a, "true"));
                continue;
            }
            if (missing)
                return kp_err_new(KP_USAGE, "give it", "--%s needs a value (%s)", o->name,
                                  o->value);
            value = argv[++i];
        }
        if (o)
            kp_map_add(&set, o->name, kp_text(a, value));
        else
            kp_map_add(&extra, kp_strndup(a, name, len), kp_text(a, value));
    }
    *ret_line = (kp_line) {
        .set = kp_map_end(&set), .extra = kp_map_end(&extra), .word = word, .n_words = n
    };
    return NULL;
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
