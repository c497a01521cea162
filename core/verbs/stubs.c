/* The verbs for editors, as LuaCATS: arguments in each of the ways that a call takes them, answers
 * as classes.
 *
 * A call takes its first arguments by place and the others by name in a last table.  So a stub has
 * the required ones in front and one table of what is optional; that everything may also go by
 * place is an overload.
 */
#include "verbs/verbs.h"

#include <string.h>

#define STUBS_LIMIT (256u * 1024)

static const char *lua_type(const kp_arg *arg)
{
    static const struct {
        const char *ours, *lua;
    } types[] = {
        { "int", "integer" },
        { "bool", "boolean" },
        { "text", "string" },
        { "version", "string" },
        { "duration", "string" },
        { "node", "integer" },
        { "broker", "integer" },
        { "controller", "integer" },
        { "nodes", "integer|integer[]" },
        { "brokers", "integer|integer[]" },
        { "controllers", "integer|integer[]" },
    };
    if (arg->lua)
        return arg->lua;
    for (size_t i = 0; i < KP_COUNT(types); i++)
        if (kp_streq(types[i].ours, arg->type))
            return types[i].lua;
    kp_die("argument %s: the type %s has no name in Lua (a bug in kplay)", arg->name, arg->type);
}

static bool is_required(const kp_arg *arg)
{
    return arg->otherwise == NULL;
}

/* A table in its place is the argument itself: no other can be named in it. */
static bool takes_map(const kp_arg *arg)
{
    return kp_streq(arg->type, "map") || kp_streq(arg->type, "any");
}

/* How many arguments go by place: those in front of the first that can be left out, and that one
 * too where it is a table itself. */
static size_t in_front(const kp_op *op)
{
    size_t n = 0;
    while (n < op->n_args && is_required(&op->args[n]))
        n++;
    return n + (n < op->n_args && takes_map(&op->args[n]));
}

/* Of an argument over which the verb fans out, one of its two types. */
static const char *type_for(const kp_op *op, const kp_arg *arg, bool list)
{
    if (!op->fan_out || !kp_streq(op->fan_out, arg->name) || !op->n_fields)
        return lua_type(arg);
    return list ? "integer[]" : "integer";
}

static void doc_lines(kp_buf *b, const char *doc)
{
    for (const char *line = doc; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        kp_buf_fmt(b, "--- %.*s\n", (int)strcspn(line, "\n"), line);
}

static void one_class(kp_buf *b, const kp_op *op)
{
    kp_buf_fmt(b, "\n---@class (exact) %.*s\n", (int)strcspn(op->result, "[]?"), op->result);
    for (size_t i = 0; i < op->n_fields; i++) {
        const kp_answer_field *f = &op->fields[i];
        size_t n = strlen(f->type);
        bool maybe = n > 0 && f->type[n - 1] == '?';
        kp_buf_fmt(b, "---@field %s%s %.*s %s\n", f->name, maybe ? "?" : "",
                   (int)(maybe ? n - 1 : n), f->type, f->doc);
    }
}

static void answer_classes(kp_buf *b)
{
    for (size_t i = 0; kp_verbs[i]; i++) {
        bool told = kp_verbs[i]->n_fields == 0;
        for (size_t k = 0; k < i; k++)
            told = told || kp_verbs[k]->fields == kp_verbs[i]->fields;
        if (!told)
            one_class(b, kp_verbs[i]);
    }
}

static void options_class(kp_buf *b, const kp_op *op, size_t from)
{
    kp_buf_fmt(b, "\n---@class (exact) kplay.%s.options\n", op->name);
    for (size_t i = from; i < op->n_args; i++)
        kp_buf_fmt(b, "---@field %s%s %s %s\n", op->args[i].name,
                   is_required(&op->args[i]) ? "" : "?", lua_type(&op->args[i]), op->args[i].doc);
}

/* "(id: integer, stall?: string): kplay.stopped" */
static void signature(kp_buf *b, const kp_op *op, size_t n, bool list, bool options)
{
    for (size_t i = 0; i < n; i++)
        kp_buf_fmt(b, "%s%s%s: %s", i ? ", " : "", op->args[i].name,
                   is_required(&op->args[i]) ? "" : "?", type_for(op, &op->args[i], list));
    if (options)
        kp_buf_fmt(b, "%soptions?: kplay.%s.options", n ? ", " : "", op->name);
    kp_buf_chr(b, ')');
    if (list)
        kp_buf_fmt(b, ": table<string, %s>", op->result);
    else if (!kp_streq(op->result, "nil"))
        kp_buf_fmt(b, ": %s", op->result);
    kp_buf_chr(b, '\n');
}

static void overload(kp_buf *b, const kp_op *op, size_t n, bool list, bool options)
{
    kp_buf_str(b, "---@overload fun(");
    signature(b, op, n, list, options);
}

static void one_verb(kp_buf *b, const kp_op *op)
{
    size_t front = in_front(op), left = op->n_args - front;
    bool fans_out = op->fan_out && op->n_fields, must = false;

    for (size_t i = front; i < op->n_args; i++)
        must = must || is_required(&op->args[i]);
    if (left)
        options_class(b, op, front);
    kp_buf_chr(b, '\n');
    doc_lines(b, op->doc);
    for (size_t i = 0; i < front; i++)
        kp_buf_fmt(b, "---@param %s%s %s %s\n", op->args[i].name,
                   is_required(&op->args[i]) ? "" : "?", type_for(op, &op->args[i], false),
                   op->args[i].doc);
    if (left)
        kp_buf_fmt(b, "---@param options%s kplay.%s.options\n", must ? "" : "?", op->name);
    if (!kp_streq(op->result, "nil"))
        kp_buf_fmt(b, "---@return %s\n", op->result);
    if (fans_out)
        overload(b, op, front, true, left > 0);
    if (left && !must && op->cls != KP_OP_SCRIPT)
        overload(b, op, op->n_args, false, false);
    kp_buf_fmt(b, "function %s(", op->name);
    for (size_t i = 0; i < front; i++)
        kp_buf_fmt(b, "%s%s", i ? ", " : "", op->args[i].name);
    kp_buf_fmt(b, "%s%s) end\n", front && left ? ", " : "", left ? "options" : "");
}

/* A closed list of words. */
static void alias(kp_buf *b, const char *name, const char *word, bool last)
{
    kp_buf_fmt(b, "%s\"%s\"%s", name, word, last ? "\n" : "");
}

/* What a playbook's file returns. */
static void playbook_classes(kp_arena *a, kp_buf *b)
{
    static const char *const classes[] = { "kplay.playbook", "kplay.argument" };
    const kp_value *levels = kp_script_host_table.keys(a);

    for (size_t i = 0; kp_grant_names()[i]; i++)
        alias(b, i ? "|" : "\n---@alias kplay.effect ", kp_grant_names()[i],
              !kp_grant_names()[i + 1]);
    for (const kp_arg_type *t = kp_arg_types; t->name; t++)
        alias(b, t > kp_arg_types ? "|" : "---@alias kplay.argument_type ", t->name, !t[1].name);
    for (size_t i = 0; i < KP_COUNT(classes); i++) {
        const kp_value *keys = kp_get(kp_at(levels, i), "keys");
        kp_buf_fmt(b, "\n---@class (exact) %s\n", classes[i]);
        for (size_t k = 0; k < kp_len(keys); k++) {
            const kp_value *key = kp_at(keys, k);
            kp_buf_fmt(b, "---@field %s%s %s %s\n", kp_get_text(key, "key", ""),
                       kp_get_bool(key, "needed", false) ? "" : "?", kp_get_text(key, "type", ""),
                       kp_get_text(key, "doc", ""));
        }
    }
}

static void spec_class(kp_buf *b, const kp_value *class)
{
    const kp_value *fields = kp_get(class, "fields");
    kp_buf_fmt(b, "\n---@class (exact) %s\n", kp_get_text(class, "class", ""));
    for (size_t i = 0; i < kp_len(fields); i++) {
        const kp_value *f = kp_at(fields, i);
        const char *type = kp_get_text(f, "type", "");
        bool maybe = kp_ends_with(type, "?");
        kp_buf_fmt(b, "---@field %s%s %.*s %s\n", kp_get_text(f, "name", ""), maybe ? "?" : "",
                   (int)(strlen(type) - maybe), type, kp_get_text(f, "doc", ""));
    }
}

static void spec_function(kp_buf *b, const kp_value *f)
{
    const kp_value *params = kp_get(f, "params"), *returns = kp_get(f, "returns");
    kp_buf_chr(b, '\n');
    doc_lines(b, kp_get_text(f, "doc", ""));
    for (size_t i = 0; i < kp_len(params); i++) {
        const kp_value *p = kp_at(params, i);
        kp_buf_fmt(b, "---@param %s%s %s %s\n", kp_get_text(p, "name", ""),
                   kp_get_bool(p, "optional", false) ? "?" : "", kp_get_text(p, "type", ""),
                   kp_get_text(p, "doc", ""));
    }
    if (returns)
        kp_buf_fmt(b, "---@return %s\n", kp_as_text(returns, ""));
    kp_buf_fmt(b, "function %s(", kp_get_text(f, "name", ""));
    for (size_t i = 0; i < kp_len(params); i++)
        kp_buf_fmt(b, "%s%s", i ? ", " : "", kp_get_text(kp_at(params, i), "name", ""));
    kp_buf_str(b, ") end\n");
}

/* What `require "kplay"` gives in a spec: the file's own answer. */
static void spec_module(kp_arena *a, kp_buf *b)
{
    const kp_value *rows = kp_script_host_table.spec_keys(a);
    for (size_t i = 0; i < kp_len(rows); i++)
        if (kp_get(kp_at(rows, i), "class"))
            spec_class(b, kp_at(rows, i));
    kp_buf_str(b, "\n---@class kplay.sim a simulated cluster, in a spec\nlocal sim = {}\n"
                  "\nlocal kplay = {}\n");
    for (size_t i = 0; i < kp_len(rows); i++)
        if (!kp_get(kp_at(rows, i), "class"))
            spec_function(b, kp_at(rows, i));
    kp_buf_str(b, "\nreturn kplay\n");
}

char *kp_doc_stubs(kp_arena *a)
{
    KP_AUTO_BUF b = KP_BUF_INIT(STUBS_LIMIT);

    kp_buf_str(&b, "-- Any value that a verb takes or gives.\n"
                   "---@alias kplay.value boolean|number|string|table\n");
    playbook_classes(a, &b);
    answer_classes(&b);
    for (size_t i = 0; kp_verbs[i]; i++)
        one_verb(&b, kp_verbs[i]);
    kp_buf_str(&b, "\n--- As in Lua; what it catches is a kplay.error.\n---@param f function\n"
                   "---@return boolean, any ...\nfunction pcall(f, ...) end\n");
    spec_module(a, &b);
    return kp_strdup(a, kp_buf_text(&b));
}
