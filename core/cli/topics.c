/* What can be written, key by key, and what a module has: made from the tables and files that are
 * read.
 *
 * A topic is a list of levels, {level, doc, keys}; a key is {key, type, default, doc, example,
 * words, needed}, as kp_sim_keys and its like tell them.
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

static const topic topics[] = {
    { "playbook",
      "A playbook: one file that returns one table; the comment it begins with is its description.",
      NULL,
      "Verbs: kplay doc.  Modules: require \"gate\" is a shipped one (kplay doc gate), require "
      "\"team.night\" is\nteam/night.lua beside the cluster file.  kplay check PLAYBOOK tries it.",
      playbook_levels },
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

char *kp_topic_text(kp_arena *a, const char *name)
{
    const topic *t = topic_named(name);
    KP_AUTO_BUF b = KP_BUF_INIT(TEXT_LIMIT);

    if (!t)
        return NULL;
    const kp_value *levels = t->levels(a);
    kp_buf_fmt(&b, "%s\n", t->head);
    for (size_t i = 0; i < kp_len(levels); i++) {
        const kp_value *level = kp_at(levels, i), *keys = kp_get(level, "keys");
        const char *path = kp_get_text(level, "level", "");
        if (*path) {
            kp_buf_fmt(&b, "\n%-*s ", COLUMN - 1, path);
            wrapped(&b, COLUMN, kp_get_text(level, "doc", ""));
        } else {
            kp_buf_chr(&b, '\n');
        }
        for (size_t k = 0; k < kp_len(keys); k++)
            key_lines(&b, t, kp_at(keys, k));
    }
    kp_buf_fmt(&b, "\n%s\n", t->after);
    return kp_strdup(a, kp_buf_text(&b));
}

const kp_value *kp_topic_levels(kp_arena *a, const char *name)
{
    const topic *t = topic_named(name);
    return t ? t->levels(a) : NULL;
}
