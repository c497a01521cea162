/* kplay doc: verbs, guard rows, editor stubs - all from the tables the engine runs by. */
#include "cli/cli.h"

#include <stdio.h>

static const kp_option options[] = {
    { "stubs", 0, NULL, "LuaCATS stubs for editors" },
    { "baseline", 0, NULL, "the API in one text, as the tests compare it" },
    KP_OPT_JSON,
    KP_OPT_HELP,
    { NULL, 0, NULL, NULL },
};

static int doc_json(kp_arena *a, const kp_line *line)
{
    const kp_value *list = NULL;
    kp_err *e = kp_flag(line, "stubs") || kp_flag(line, "baseline")
                    ? kp_err_new(KP_USAGE, "leave --json out",
                                 "the stubs and the baseline are texts of their own form")
                    : kp_doc_values(a, line->n_words ? line->word[0] : NULL, &list);
    for (size_t i = 0; !e && i < kp_len(list); i++)
        puts(kp_json_text(a, kp_at(list, i)));
    return kp_cli_fail(e, true);
}

static int doc_main(kp_arena *a, const kp_line *line)
{
    if (kp_flag(line, "json"))
        return doc_json(a, line);
    if (kp_flag(line, "stubs")) {
        fputs(kp_doc_stubs(a), stdout);
    } else if (kp_flag(line, "baseline")) {
        fputs(kp_doc_baseline(a), stdout);
    } else if (line->n_words == 0) {
        fputs(kp_doc_verbs(a), stdout);
        puts("\nkplay doc VERB tells more of one; kplay doc guard lists what the guard looks at,\n"
             "kplay doc effects what a playbook may be allowed, kplay doc playbook what it has.");
    } else if (kp_streq(line->word[0], "guard")) {
        fputs(kp_doc_guard(a), stdout);
    } else if (kp_streq(line->word[0], "effects")) {
        fputs(kp_doc_effects(a), stdout);
    } else if (kp_streq(line->word[0], "playbook")) {
        fputs(kp_doc_playbook(a), stdout);
    } else {
        char *text;
        kp_err *e = kp_doc_verb(a, line->word[0], &text);
        if (e)
            return kp_cli_fail(e, false);
        fputs(text, stdout);
    }
    return 0;
}

const kp_command kp_cmd_doc = {
    .name = "doc",
    .usage = "doc [VERB|guard|effects|playbook]",
    .options = options,
    .most_words = 1,
    .main = doc_main,
    .doc = "Show the verbs, one verb, the guard's rows, the effects, or what a playbook has.",
};
