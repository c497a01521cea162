/* Names nobody declared, found before anything runs: a misspelt verb in a branch that is rarely
 * taken must not be met in the middle of a roll.
 *
 * A name counts as declared when the file declares it anywhere (local, parameter, loop variable):
 * nothing correct is refused, and what slips through is an error when it is reached.  A file that
 * gives itself another _ENV is not looked at.
 */
#include "kl.h"

#include <string.h>

typedef struct scan {
    const kl_file *file;
    const kl_token *t;
    size_t n;
    const char **declared;
    size_t n_declared;
    kp_arena *a;
} scan;

static bool is(const scan *c, size_t i, const char *what)
{
    return i < c->n && kl_token_is(c->file->text, &c->t[i], what) && c->t[i].kind != KL_T_TEXT;
}

static bool is_name(const scan *c, size_t i)
{
    return i < c->n && c->t[i].kind == KL_T_NAME;
}

static void declare(scan *c, size_t i)
{
    c->declared[c->n_declared++] = kp_strndup(c->a, c->file->text + c->t[i].at, c->t[i].n);
}

/* Names and commas from i on, attributes between: "a, b <const>, ..." */
static void declare_list(scan *c, size_t i)
{
    while (is_name(c, i)) {
        declare(c, i++);
        if (is(c, i, "<") && is_name(c, i + 1) && is(c, i + 2, ">"))
            i += 3;
        if (!is(c, i, ","))
            return;
        i++;
    }
}

static void declarations(scan *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (is(c, i, "local") && is(c, i + 1, "function") && is_name(c, i + 2))
            declare(c, i + 2);
        else if (is(c, i, "local") || is(c, i, "for"))
            declare_list(c, i + 1);
        if (is(c, i, "function")) {
            size_t k = i + 1;
            while (is_name(c, k) || is(c, k, ".") || is(c, k, ":"))
                k++;
            if (is(c, k, "("))
                declare_list(c, k + 1);
        }
    }
}

static bool known(const scan *c, const char *name, const char *const *names)
{
    if (kp_streq(name, "_ENV") || kp_streq(name, "self"))
        return true;
    for (size_t i = 0; names[i]; i++)
        if (kp_streq(names[i], name))
            return true;
    for (size_t i = 0; i < c->n_declared; i++)
        if (kp_streq(c->declared[i], name))
            return true;
    return false;
}

/* A field, a label, an attribute: no variable.  `in_table`: the innermost bracket is a table's. */
static bool is_variable(const scan *c, size_t i, bool in_table)
{
    if (i > 0 &&
        (is(c, i - 1, ".") || is(c, i - 1, ":") || is(c, i - 1, "goto") || is(c, i - 1, "::")))
        return false;
    if (i > 1 && is(c, i - 1, "<") && is(c, i + 1, ">") && is_name(c, i - 2) &&
        (kl_token_is(c->file->text, &c->t[i], "const") ||
         kl_token_is(c->file->text, &c->t[i], "close")))
        return false;
    return !(in_table && is(c, i + 1, "=") &&
             (is(c, i - 1, "{") || is(c, i - 1, ",") || is(c, i - 1, ";")));
}

static bool is_call(const scan *c, size_t i)
{
    return is(c, i + 1, "(") || is(c, i + 1, "{") ||
           (i + 1 < c->n && c->t[i + 1].kind == KL_T_TEXT);
}

static kp_err *uses(scan *c, const char *const *names)
{
    char *open = KP_NEW_ARRAY(c->a, c->n + 1, char); /* '{', or another opener; a stack */
    size_t depth = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (is(c, i, "{") || is(c, i, "(") || is(c, i, "["))
            open[depth++] = c->file->text[c->t[i].at];
        else if (is(c, i, "function") || is(c, i, "if") || is(c, i, "do") || is(c, i, "repeat"))
            open[depth++] = 'b';
        else if (depth > 0 && (is(c, i, "}") || is(c, i, ")") || is(c, i, "]") || is(c, i, "end") ||
                               is(c, i, "until")))
            depth--;
        if (!is_name(c, i) || !is_variable(c, i, depth > 0 && open[depth - 1] == '{'))
            continue;
        const char *name = kp_strndup(c->a, c->file->text + c->t[i].at, c->t[i].n);
        if (!known(c, name, names))
            return kl_err_at_token(kl_unknown_name(name, is_call(c, i), names), c->file, &c->t[i]);
    }
    return NULL;
}

kp_err *kl_scan(const kl_file *file, const char *const *names)
{
    KP_AUTO_ARENA a = kp_arena_new("a file's tokens", KL_TOKENS_ARENA);
    scan c = { .file = file, .a = a };
    kl_token *t;

    c.n = kl_tokens(a, file->text, file->n, &t);
    c.t = t;
    for (size_t i = 0; i < c.n; i++) /* an environment of its own: its names are its own too */
        if (is_name(&c, i) && kl_token_is(file->text, &c.t[i], "_ENV") && !is(&c, i + 1, ".") &&
            !is(&c, i + 1, "["))
            return NULL;
    c.declared = KP_NEW_ARRAY(a, c.n + 1, const char *);
    declarations(&c);
    return uses(&c, names);
}
