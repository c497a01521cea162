/* kplay doc: verbs, modules, the guard's rows, what can be written in a playbook, a cluster file, a
 * spec; editor stubs - all from the tables that the engine runs by. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const kp_option options[] = {
    KP_OPT_CLUSTER,
    { "stubs", 0, NULL, "LuaCATS stubs for editors" },
    { "baseline", 0, NULL, "the API in one text, as the tests compare it" },
    KP_OPT_JSON,
    KP_OPT_HELP,
    { NULL, 0, NULL, NULL },
};

/* The modules that come with kplay, by name; ends with NULL. */
static const char *const *modules(kp_arena *a, const kp_files *f)
{
    const char *const *files = kp_files_in(a, kp_printf(a, "%s/stdlib", f->shipped));
    size_t n = 0;
    while (files[n])
        n++;
    const char **names = KP_NEW_ARRAY(a, n + 1, const char *);
    for (size_t i = 0; i < n; i++)
        names[i] = kp_strndup(a, files[i], strlen(files[i]) - strlen(".lua"));
    return names;
}

static void add_names(kp_buf *b, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        kp_buf_fmt(b, "  %s", names[i]);
}

static void all_of_it(kp_arena *a, const kp_files *f)
{
    KP_AUTO_BUF b = KP_BUF_INIT(64u * 1024);

    kp_buf_fmt(&b,
               "%s\nkplay doc VERB tells more of one.  Its first arguments go by place, the others "
               "by name in a last\ntable: wait_in_sync(2, { stall = \"10m\" }), partitions{ "
               "offline = true }.\n\ntopics   guard  effects",
               kp_doc_verbs(a));
    add_names(&b, kp_topic_names());
    kp_buf_str(&b, "\nmodules");
    add_names(&b, modules(a, f));
    kp_buf_chr(&b, '\n');
    fputs(kp_buf_text(&b), stdout);
}

/* A word that names nothing: of all that there is, what may be meant? */
static kp_err *unknown(kp_arena *a, const kp_files *f, const char *word)
{
    const char *const *lists[] = { kp_topic_names(), modules(a, f) };
    const char **names = KP_NEW_ARRAY(a, 512, const char *);
    size_t n = 0;

    names[n++] = "guard";
    names[n++] = "effects";
    for (size_t i = 0; kp_verbs[i]; i++)
        names[n++] = kp_verbs[i]->name;
    for (size_t l = 0; l < KP_COUNT(lists); l++)
        for (size_t i = 0; lists[l][i] && n < 511; i++)
            names[n++] = lists[l][i];
    const char *near = kp_did_you_mean(word, names);
    return kp_err_new(KP_USAGE, "kplay doc lists all that there is",
                      "no verb, module or topic `%.60s`%s%s%s", word,
                      near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}

static kp_err *tell(kp_arena *a, const kp_files *f, const char *word)
{
    const kp_value *module;
    char *text = kp_topic_text(a, word);

    if (!text && kp_streq(word, "guard"))
        text = kp_doc_guard(a);
    if (!text && kp_streq(word, "effects"))
        text = kp_doc_effects(a);
    if (!text && kp_op_named(kp_verbs, word))
        KP_TRY(kp_doc_verb(a, word, &text));
    if (!text) {
        KP_TRY(kp_module_read(a, f, word, &module));
        text = module ? kp_module_text(a, module) : NULL;
    }
    if (!text)
        return unknown(a, f, word);
    fputs(text, stdout);
    return NULL;
}

static kp_err *tell_json(kp_arena *a, const kp_line *line, const kp_files *f)
{
    const char *word = line->n_words ? line->word[0] : NULL;
    const kp_value *list = word ? kp_topic_levels(a, word) : NULL, *module = NULL;
    bool verb = !word || kp_streq(word, "guard") || kp_streq(word, "effects") ||
                kp_op_named(kp_verbs, word);

    if (kp_flag(line, "stubs") || kp_flag(line, "baseline"))
        return kp_err_new(KP_USAGE, "leave --json out",
                          "the stubs and the baseline are texts of their own form");
    if (!list && verb)
        KP_TRY(kp_doc_values(a, word, &list));
    if (!list)
        KP_TRY(kp_module_read(a, f, word, &module));
    if (module)
        puts(kp_json_text(a, module));
    else if (!list)
        return unknown(a, f, word);
    for (size_t i = 0; i < kp_len(list); i++)
        puts(kp_json_text(a, kp_at(list, i)));
    return NULL;
}

static void stubs(kp_arena *a, const kp_files *f)
{
    printf(
        "---@meta kplay\n"
        "-- kplay for editors (LuaCATS): verbs, and what a playbook and a spec have.  The shipped "
        "modules\n-- say their types themselves: let the editor's workspace.library name this file "
        "and\n-- %s/stdlib.  Made by: kplay doc --stubs\n\n%s",
        f->shipped, kp_doc_stubs(a));
}

static int doc_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json");
    kp_files files;
    kp_err *e = kp_files_init(a, kp_cluster_file(line), &files);

    if (!e && json)
        e = tell_json(a, line, &files);
    else if (!e && kp_flag(line, "stubs"))
        stubs(a, &files);
    else if (!e && kp_flag(line, "baseline"))
        fputs(kp_doc_baseline(a), stdout);
    else if (!e && line->n_words == 0)
        all_of_it(a, &files);
    else if (!e)
        e = tell(a, &files, line->word[0]);
    return kp_cli_fail(e, json);
}

const kp_command kp_cmd_doc = {
    .name = "doc",
    .usage = "doc [VERB|MODULE|TOPIC]",
    .options = options,
    .most_words = 1,
    .main = doc_main,
    .doc = "Show the verbs, one verb, a module, or a topic.\n\n"
           "Topics: guard (its rows), effects, playbook, spec, cluster-file, simulate - every key "
           "with its\ntype, default and an example.  Modules: gate, node, order ...; team.NAME is "
           "team/NAME.lua.",
};
