/* What a module's file says of its functions: the comment in front of each, and its LuaCATS lines.
 *
 * The shipped modules and a team's own are read alike.  A function that is told stands at the
 * line's beginning, as `function module.name(args)`, behind a comment of three dashes.
 */
#include "cli/cli.h"

#include <string.h>

#define COMMENT_LIMIT (64u * 1024)

typedef struct reading {
    kp_arena *a;
    kp_builder functions;
    kp_buf doc;                  /* of the comment that is being read */
    kp_builder params, returned; /* its LuaCATS lines */
    const char *about;           /* the first comment, the module's own; NULL: not read yet */
} reading;

static void begin_comment(reading *r)
{
    kp_buf_clear(&r->doc);
    r->params = kp_list_begin(r->a);
    r->returned = kp_list_begin(r->a);
}

/* "nodes integer[] which" -> {name, type, doc}; a type may have blanks inside brackets. */
static const kp_value *param_of(kp_arena *a, const char *p)
{
    size_t name = strcspn(p, " "), depth = 0, type = 0;
    const char *t = p + name + strspn(p + name, " ");
    for (; t[type] && (depth || t[type] != ' '); type++)
        depth += strchr("<{(", t[type]) ? 1 : depth && strchr(">})", t[type]) ? (size_t)-1 : 0;
    const char *doc = t + type + strspn(t + type, " ");
    return kp_map(a, "name", kp_text(a, kp_strndup(a, p, name)), "type",
                  kp_text(a, kp_strndup(a, t, type)), "doc", *doc ? kp_text(a, doc) : NULL, NULL);
}

static void comment_line(reading *r, const char *line)
{
    if (kp_starts_with(line, "---@param "))
        kp_list_add(&r->params, param_of(r->a, line + strlen("---@param ")));
    else if (kp_starts_with(line, "---@return "))
        kp_list_add(&r->returned, kp_text(r->a, line + strlen("---@return ")));
    else if (!kp_starts_with(line, "---@")) {
        const char *text = line + strspn(line, "-");
        kp_buf_fmt(&r->doc, "%s\n", *text == ' ' ? text + 1 : text);
    }
}

/* `function module.name(args)` of a module's table; what is local is nobody else's. */
static void function_line(reading *r, const char *line)
{
    const char *head = line + strlen("function "), *end = strchr(head, ')');
    if (!end || !r->doc.n || !memchr(head, '.', strcspn(head, "(")))
        return;
    kp_list_add(&r->functions,
                kp_map(r->a, "function",
                       kp_text(r->a, kp_strndup(r->a, head, (size_t)(end - head) + 1)), "doc",
                       kp_text(r->a, kp_buf_text(&r->doc)), "params", kp_list_end(&r->params),
                       "returns", kp_list_end(&r->returned), NULL));
}

/* What a terminal and JSON take, without a carriage return at its end. */
static const char *printable(kp_arena *a, const char *line)
{
    KP_AUTO_BUF b = KP_BUF_INIT(COMMENT_LIMIT);
    size_t n = strlen(line);
    kp_buf_printable(&b, line, n && line[n - 1] == '\r' ? n - 1 : n);
    return kp_strdup(a, kp_buf_text(&b));
}

static void read_lines(reading *r, char *text)
{
    bool in_comment = false;

    /* An empty line ends a comment: strsep gives it, strtok would not. */
    for (char *raw; (raw = strsep(&text, "\n")) != NULL;) {
        const char *line = printable(r->a, raw);
        bool comment = kp_starts_with(line, "--");
        if (comment && !in_comment)
            begin_comment(r);
        if (comment)
            comment_line(r, line);
        else if (kp_starts_with(line, "function "))
            function_line(r, line);
        if (!comment && in_comment && !r->about)
            r->about = kp_strdup(r->a, kp_buf_text(&r->doc));
        in_comment = comment;
        if (!comment)
            begin_comment(r);
    }
}

/* Of a file in its folder, and nothing else. */
static bool is_name(const char *s)
{
    return *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")];
}

kp_err *kp_module_read(kp_arena *a, const kp_files *f, const char *name,
                       const kp_value **ret_module)
{
    bool team = kp_starts_with(name, "team.");
    const char *path, *text, *file = team ? name + strlen("team.") : name;
    size_t n;

    *ret_module = NULL;
    if (!is_name(file))
        return NULL;
    KP_TRY(kp_files_find((void *)(uintptr_t)f, a, team ? KP_FIND_TEAM : KP_FIND_STDLIB, file, &path,
                         &text, &n));
    if (!text)
        return NULL;
    reading r = { .a = a, .functions = kp_list_begin(a), .doc = KP_BUF_INIT(COMMENT_LIMIT) };
    begin_comment(&r);
    read_lines(&r, kp_strndup(a, text, n));
    *ret_module = kp_map(a, "module", kp_text(a, name), "file", kp_text(a, path), "doc",
                         kp_text(a, r.about ? r.about : ""), "functions", kp_list_end(&r.functions),
                         NULL);
    kp_buf_done(&r.doc);
    return NULL;
}

char *kp_module_text(kp_arena *a, const kp_value *module)
{
    const kp_value *functions = kp_get(module, "functions");
    KP_AUTO_BUF b = KP_BUF_INIT(COMMENT_LIMIT);

    const char *name = kp_get_text(module, "module", ""), *dot = strrchr(name, '.');
    kp_buf_fmt(&b, "local %s = require \"%s\"   -- %s\n\n%s", dot ? dot + 1 : name, name,
               kp_get_text(module, "file", ""), kp_get_text(module, "doc", ""));
    for (size_t i = 0; i < kp_len(functions); i++) {
        const kp_value *f = kp_at(functions, i), *params = kp_get(f, "params"),
                       *returns = kp_get(f, "returns");
        kp_buf_fmt(&b, "\n%s\n", kp_get_text(f, "function", ""));
        for (const char *line = kp_get_text(f, "doc", ""); *line; line += strcspn(line, "\n") + 1)
            kp_buf_fmt(&b, "  %.*s\n", (int)strcspn(line, "\n"), line);
        for (size_t k = 0; k < kp_len(params); k++)
            kp_buf_fmt(&b, "    %-16s %-20s %s\n", kp_get_text(kp_at(params, k), "name", ""),
                       kp_get_text(kp_at(params, k), "type", ""),
                       kp_get_text(kp_at(params, k), "doc", ""));
        for (size_t k = 0; k < kp_len(returns); k++)
            kp_buf_fmt(&b, "    %-16s %s\n", k ? "" : "answers", kp_as_text(kp_at(returns, k), ""));
    }
    return kp_strdup(a, kp_buf_text(&b));
}
