/* What can be written, key by key: made from the tables that read it.
 *
 * A topic is a list of levels, {level, doc, keys}; a key is {key, type, default, doc, example,
 * words, needed}, as kp_sim_keys and its like tell them.  That of specs is a list of functions and
 * classes.
 */
#include "cli/cli.h"

#include <string.h>

#define TEXT_LIMIT (256u * 1024)
#define WIDTH 100
#define COLUMN 21 /* where the text beside a key begins */

typedef struct topic {
    const char *name;
    const char *head;  /* what it is about */
    const char *is;    /* between a key and its example; NULL: that is a whole line */
    const char *after; /* where more is told */
    const kp_value *(*levels)(kp_arena *a);
} topic;

static const kp_value *playbook_levels(kp_arena *a)
{
    return kp_script_host_table.keys(a);
}

/* Functions {name, params, returns, doc, example}, and classes {class, fields}. */
static const kp_value *spec_levels(kp_arena *a)
{
    return kp_script_host_table.spec_keys(a);
}

static const topic topics[] = {
    { "playbook",
      "A playbook: one file that returns one table; the comment it begins with is its description.",
      NULL,
      "Verbs: kplay doc.  Modules: require \"gate\" is a shipped one (kplay doc gate), require "
      "\"team.night\" is\nteam/night.lua beside the cluster file.  kplay check PLAYBOOK tries it.",
      playbook_levels },
    { "spec",
      "A spec: busted in spec/NAME_spec.lua, run by kplay test on simulated clusters; local kplay "
      "= require \"kplay\".",
      NULL,
      "What kplay.simulate takes: kplay doc simulate.  An answer that is no word of these is told, "
      "at the spec's line.",
      spec_levels },
    { "cluster-file",
      "The cluster file: kplay.yaml in the working directory, -c FILE, or KPLAY_CLUSTER.", ": ",
      "What stands below simulate: kplay doc simulate.", kp_inventory_keys },
    { "simulate",
      "A simulated cluster: `simulate` in a cluster file, kplay.simulate{...} in a spec.", ": ",
      "In a spec a fault is planned by sim:fault{...}, with the keys of simulate.faults[].",
      kp_sim_keys },
};

static const topic *topic_named(const char *name)
{
    for (size_t i = 0; i < KP_COUNT(topics); i++)
        if (kp_streq(topics[i].name, name))
            return &topics[i];
    return NULL;
}

const char *const *kp_topic_names(void)
{
    static const char *names[KP_COUNT(topics) + 1];
    for (size_t i = 0; i < KP_COUNT(topics); i++)
        names[i] = topics[i].name;
    return names;
}

/* The text behind an indent, its later lines as far in. */
static void wrapped(kp_buf *b, int indent, const char *text)
{
    size_t at = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (at > 0 && at + 1 + n > (size_t)(WIDTH - indent)) {
            kp_buf_fmt(b, "\n%*s", indent, "");
            at = 0;
        }
        kp_buf_fmt(b, "%s%.*s", at ? " " : "", (int)n, text);
        at += n + (at > 0);
        text += n + strspn(text + n, " ");
    }
    kp_buf_chr(b, '\n');
}

static void word_lines(kp_buf *b, const kp_value *words)
{
    for (size_t i = 0; i < kp_len(words); i++) {
        kp_buf_fmt(b, "%*s  %-20s ", COLUMN, "", kp_get_text(kp_at(words, i), "word", ""));
        wrapped(b, COLUMN + 2 + 20 + 1, kp_get_text(kp_at(words, i), "doc", ""));
    }
}

static void key_lines(kp_buf *b, const topic *t, const kp_value *key)
{
    const char *name = kp_get_text(key, "key", ""), *otherwise = kp_get_text(key, "default", NULL);
    const kp_value *words = kp_get(key, "words");

    kp_buf_fmt(b, "  %-*s %s%s%s%s\n%*s", COLUMN - 3, name,
               words ? "one of these" : kp_get_text(key, "type", ""),
               kp_get_bool(key, "needed", false) ? "; needed" : "", otherwise ? "; default " : "",
               otherwise ? otherwise : "", COLUMN, "");
    wrapped(b, COLUMN, kp_get_text(key, "doc", ""));
    word_lines(b, words);
    kp_buf_fmt(b, "%*sas in  %s%s%s\n", COLUMN, "", t->is ? name : "", t->is ? t->is : "",
               kp_get_text(key, "example", ""));
}

static void level_lines(kp_buf *b, const topic *t, const kp_value *level)
{
    const kp_value *keys = kp_get(level, "keys");
    const char *path = kp_get_text(level, "level", "");

    if (*path) {
        kp_buf_fmt(b, "\n%-*s ", COLUMN - 1, path);
        wrapped(b, COLUMN, kp_get_text(level, "doc", ""));
    } else {
        kp_buf_chr(b, '\n');
    }
    for (size_t i = 0; i < kp_len(keys); i++)
        key_lines(b, t, kp_at(keys, i));
}

/* Parameters of a function, or fields of a class. */
static void row_lines(kp_buf *b, const kp_value *rows)
{
    for (size_t i = 0; i < kp_len(rows); i++) {
        const kp_value *row = kp_at(rows, i);
        kp_buf_fmt(b, "  %-*s %s%s\n%*s", COLUMN - 3, kp_get_text(row, "name", ""),
                   kp_get_text(row, "type", ""), kp_get_bool(row, "optional", false) ? "?" : "",
                   COLUMN, "");
        wrapped(b, COLUMN, kp_get_text(row, "doc", ""));
    }
}

static void indented(kp_buf *b, int by, const char *text)
{
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        kp_buf_fmt(b, "%*s%.*s\n", by, "", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

static void function_lines(kp_buf *b, const kp_value *f)
{
    const kp_value *params = kp_get(f, "params");
    const char *returns = kp_get_text(f, "returns", NULL);

    kp_buf_fmt(b, "\n%s(", kp_get_text(f, "name", ""));
    for (size_t i = 0; i < kp_len(params); i++)
        kp_buf_fmt(b, "%s%s%s", i ? ", " : "", kp_get_text(kp_at(params, i), "name", ""),
                   kp_get_bool(kp_at(params, i), "optional", false) ? "?" : "");
    kp_buf_fmt(b, ")%s%s\n", returns ? "  answers " : "", returns ? returns : "");
    indented(b, 2, kp_get_text(f, "doc", ""));
    row_lines(b, params);
    kp_buf_str(b, "  as in\n");
    indented(b, 6, kp_get_text(f, "example", ""));
}

char *kp_topic_text(kp_arena *a, const char *name)
{
    const topic *t = topic_named(name);
    KP_AUTO_BUF b = KP_BUF_INIT(TEXT_LIMIT);

    if (!t)
        return NULL;
    const kp_value *levels = t->levels(a);
    kp_buf_fmt(&b, "%s\n", t->head);
    for (size_t i = 0; i < kp_len(levels); i++) {
        const kp_value *one = kp_at(levels, i);
        if (kp_get(one, "keys")) {
            level_lines(&b, t, one);
        } else if (kp_get(one, "fields")) {
            kp_buf_fmt(&b, "\n%s\n", kp_get_text(one, "class", ""));
            row_lines(&b, kp_get(one, "fields"));
        } else {
            function_lines(&b, one);
        }
    }
    kp_buf_fmt(&b, "\n%s\n", t->after);
    return kp_strdup(a, kp_buf_text(&b));
}

const kp_value *kp_topic_levels(kp_arena *a, const char *name)
{
    const topic *t = topic_named(name);
    return t ? t->levels(a) : NULL;
}
