/* The verbs' documentation, editor stubs, API baseline and the guard's rows: all made by walking
 * arrays. */
#include "verbs/verbs.h"

#include "guard/guard.h"

#include <stdlib.h>
#include <string.h>

#define DOC_LIMIT (256u * 1024)
#define TYPE_WIDTH 10 /* a wider type has its line */

static const char *group_of(const kp_op *op)
{
    switch (op->cls) {
    case KP_OP_READ:
        return "questions";
    case KP_OP_WANT:
    case KP_OP_ONCE:
        return "actions";
    default:
        return "flow";
    }
}

static const char *const classes[] = { "read", "want", "once", "wait", "flow", "script" };

char *kp_doc_verbs(kp_arena *a)
{
    static const char *const groups[] = { "questions", "actions", "flow" };
    KP_AUTO_BUF b = KP_BUF_INIT(DOC_LIMIT);

    for (size_t g = 0; g < KP_COUNT(groups); g++) {
        kp_buf_fmt(&b, "%s%s\n", g ? "\n" : "", groups[g]);
        for (size_t i = 0; kp_verbs[i]; i++)
            if (kp_streq(group_of(kp_verbs[i]), groups[g]))
                kp_buf_fmt(&b, "  %-18s %.*s\n", kp_verbs[i]->name,
                           (int)strcspn(kp_verbs[i]->doc, "\n"), kp_verbs[i]->doc);
    }
    return kp_strdup(a, kp_buf_text(&b));
}

static void effects_line(kp_buf *b, const kp_op *op)
{
    if (op->grant)
        kp_buf_fmt(b, "effect    %s%s%s\n", kp_grant_name(op->grant),
                   op->grant_of ? " (by the node's role)" : "",
                   op->marks & KP_DISRUPTIVE ? "; disruptive: the guard judges it first"
                   : op->marks_of            ? "; irreversible for some arguments"
                                             : "");
}

static void answers_lines(kp_buf *b, const kp_op *op)
{
    kp_buf_fmt(b, "answers   %s\n", op->result);
    for (size_t i = 0; i < op->n_fields; i++) {
        const kp_answer_field *f = &op->fields[i];
        bool wide = strlen(f->type) > TYPE_WIDTH;
        kp_buf_fmt(b, "  %-18s %-*s%s%s\n", f->name, TYPE_WIDTH, f->type,
                   wide ? "\n                                " : " ", f->doc);
    }
    if (op->fan_out && op->n_fields)
        kp_buf_str(b, "          given a list of ids: one of these for each, by the id as text\n");
}

static kp_err *unknown_verb(const char *name)
{
    const char *names[128];
    size_t n = 0;
    while (kp_verbs[n] && n < KP_COUNT(names) - 1) {
        names[n] = kp_verbs[n]->name;
        n++;
    }
    names[n] = NULL;
    const char *near = kp_did_you_mean(name, names);
    return kp_err_new(KP_USAGE, "kplay doc lists the verbs", "unknown verb `%s`%s%s%s", name,
                      near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}

kp_err *kp_doc_verb(kp_arena *a, const char *name, char **ret_text)
{
    const kp_op *op = kp_op_named(kp_verbs, name);
    KP_AUTO_BUF b = KP_BUF_INIT(DOC_LIMIT);

    if (!op)
        return unknown_verb(name);
    kp_buf_fmt(&b, "%s(", op->name);
    for (size_t i = 0; i < op->n_args; i++)
        kp_buf_fmt(&b, "%s%s%s", i ? ", " : "", op->args[i].name, op->args[i].otherwise ? "?" : "");
    kp_buf_fmt(&b, ")   %s, since api %d\n\n%s\n\n", group_of(op), op->since, op->doc);
    for (size_t i = 0; i < op->n_args; i++) {
        const kp_arg *arg = &op->args[i];
        kp_buf_fmt(&b, "  %-18s %-10s %s", arg->name, arg->type, arg->doc);
        if (arg->otherwise && !kp_streq(arg->otherwise, "nil"))
            kp_buf_fmt(&b, " (default %s)", arg->otherwise);
        else if (arg->otherwise)
            kp_buf_str(&b, " (optional)");
        kp_buf_chr(&b, '\n');
    }
    if (op->n_args)
        kp_buf_chr(&b, '\n');
    answers_lines(&b, op);
    effects_line(&b, op);
    if (op->landing)
        kp_buf_fmt(&b, "landing   no effect within %s is a failure\n",
                   kp_duration_text(a, op->landing, false));
    if (op->stall)
        kp_buf_fmt(&b, "stall     no progress for %s is a failure\n",
                   kp_duration_text(a, op->stall, false));
    kp_buf_fmt(&b, "example   %s\n", op->example);
    *ret_text = kp_strdup(a, kp_buf_text(&b));
    return NULL;
}

char *kp_doc_baseline(kp_arena *a)
{
    KP_AUTO_BUF b = KP_BUF_INIT(DOC_LIMIT);

    kp_buf_fmt(&b, "api %d\n", KP_API);
    for (size_t i = 0; kp_verbs[i]; i++) {
        const kp_op *op = kp_verbs[i];
        kp_buf_fmt(&b, "%s since=%d rev=%d class=%s grant=%s marks=%u", op->name, op->since,
                   op->rev, classes[op->cls], op->grant ? kp_grant_name(op->grant) : "none",
                   op->marks);
        for (size_t k = 0; k < op->n_args; k++)
            kp_buf_fmt(&b, " %s:%s=%s", op->args[k].name, op->args[k].type,
                       op->args[k].otherwise ? op->args[k].otherwise : "required");
        kp_buf_fmt(&b, " -> %s\n", op->result);
    }
    for (const char *const *name = kp_grant_names(); *name; name++)
        kp_buf_fmt(&b, "effect %s\n", *name);
    return kp_strdup(a, kp_buf_text(&b));
}

char *kp_doc_effects(kp_arena *a)
{
    KP_AUTO_BUF b = KP_BUF_INIT(DOC_LIMIT);

    kp_buf_str(&b, "effects = { ... } of a playbook: what it may do; anything else is refused\n");
    for (size_t i = 0; kp_grant_names()[i]; i++) {
        const char *name = kp_grant_names()[i];
        KP_AUTO_BUF verbs = KP_BUF_INIT(4096);
        for (size_t k = 0; kp_verbs[k]; k++)
            if (kp_streq(kp_grant_name(kp_verbs[k]->grant), name))
                kp_buf_fmt(&verbs, "  %s", kp_verbs[k]->name);
        if (verbs.n)
            kp_buf_fmt(&b, "  %-20s%s\n", name, kp_buf_text(&verbs));
    }
    kp_buf_str(&b, "A combined node is a controller too: restarting it takes both.\n");
    return kp_strdup(a, kp_buf_text(&b));
}

/* By the bits of kp_guard_when. */
static const char *const when[] = { "before anything disruptive (a stop)",
                                    "before a start or a switch of release",
                                    "before anything irreversible",
                                    "ahead of a run: by preflight, a roll's check, cluster check" };

char *kp_doc_guard(kp_arena *a)
{
    KP_AUTO_BUF b = KP_BUF_INIT(DOC_LIMIT);

    for (size_t w = 0; w < KP_COUNT(when); w++) {
        kp_buf_fmt(&b, "%s%s\n", w ? "\n" : "", when[w]);
        for (const kp_guard_row *row = kp_guard_rows; row->name; row++)
            if (row->when & 1u << w)
                kp_buf_fmt(&b, "  %-18s %s%s\n", row->name, row->doc, row->hard ? "  (hard)" : "");
    }
    kp_buf_str(&b, "\nA row that is not hard can be overridden for one run: --force ROW --reason "
                   "TEXT; it is journaled and reported.\n");
    return kp_strdup(a, kp_buf_text(&b));
}

/* ---- the same as values, for programs ---- */

static const kp_value *duration(kp_arena *a, kp_ms ms)
{
    return ms ? kp_text(a, kp_duration_text(a, ms, false)) : NULL;
}

static const kp_value *verb_value(kp_arena *a, const kp_op *op)
{
    kp_builder args = kp_list_begin(a);
    for (size_t i = 0; i < op->n_args; i++) {
        const kp_arg *arg = &op->args[i];
        bool optional = kp_streq(arg->otherwise, "nil");
        kp_list_add(&args,
                    kp_map(a, "name", kp_text(a, arg->name), "type", kp_text(a, arg->type), "doc",
                           kp_text(a, arg->doc), "required", kp_bool(!arg->otherwise), "default",
                           arg->otherwise && !optional ? kp_text(a, arg->otherwise) : NULL, NULL));
    }
    kp_builder fields = kp_list_begin(a);
    for (size_t i = 0; i < op->n_fields; i++)
        kp_list_add(&fields, kp_map(a, "name", kp_text(a, op->fields[i].name), "type",
                                    kp_text(a, op->fields[i].type), "doc",
                                    kp_text(a, op->fields[i].doc), NULL));
    return kp_map(a, "verb", kp_text(a, op->name), "group", kp_text(a, group_of(op)), "class",
                  kp_text(a, classes[op->cls]), "since", kp_int(a, op->since), "doc",
                  kp_text(a, op->doc), "args", kp_list_end(&args), "answers",
                  kp_text(a, op->result), "fields", op->n_fields ? kp_list_end(&fields) : NULL,
                  "effect", op->grant ? kp_text(a, kp_grant_name(op->grant)) : NULL, "disruptive",
                  kp_bool(op->marks & KP_DISRUPTIVE), "landing", duration(a, op->landing), "stall",
                  duration(a, op->stall), "example", kp_text(a, op->example), NULL);
}

static const kp_value *verb_values(kp_arena *a)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; kp_verbs[i]; i++)
        kp_list_add(&list, verb_value(a, kp_verbs[i]));
    return kp_list_end(&list);
}

static const kp_value *effect_values(kp_arena *a)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; kp_grant_names()[i]; i++) {
        kp_builder verbs = kp_list_begin(a);
        for (size_t k = 0; kp_verbs[k]; k++)
            if (kp_streq(kp_grant_name(kp_verbs[k]->grant), kp_grant_names()[i]))
                kp_list_add(&verbs, kp_text(a, kp_verbs[k]->name));
        kp_list_add(&list, kp_map(a, "effect", kp_text(a, kp_grant_names()[i]), "verbs",
                                  kp_list_end(&verbs), NULL));
    }
    return kp_list_end(&list);
}

static const kp_value *row_values(kp_arena *a)
{
    kp_builder list = kp_list_begin(a);
    for (const kp_guard_row *row = kp_guard_rows; row->name; row++) {
        kp_builder at = kp_list_begin(a);
        for (size_t w = 0; w < KP_COUNT(when); w++)
            if (row->when & 1u << w)
                kp_list_add(&at, kp_text(a, when[w]));
        kp_list_add(&list, kp_map(a, "row", kp_text(a, row->name), "doc", kp_text(a, row->doc),
                                  "hard", kp_bool(row->hard), "when", kp_list_end(&at), NULL));
    }
    return kp_list_end(&list);
}

static const kp_value *alone(kp_arena *a, const kp_value *v)
{
    kp_builder list = kp_list_begin(a);
    kp_list_add(&list, v);
    return kp_list_end(&list);
}

kp_err *kp_doc_values(kp_arena *a, const char *topic, const kp_value **ret_list)
{
    const kp_op *op;

    if (!topic) {
        *ret_list = verb_values(a);
    } else if (kp_streq(topic, "guard")) {
        *ret_list = row_values(a);
    } else if (kp_streq(topic, "effects")) {
        *ret_list = effect_values(a);
    } else {
        op = kp_op_named(kp_verbs, topic);
        if (!op)
            return unknown_verb(topic);
        *ret_list = alone(a, verb_value(a, op));
    }
    return NULL;
}
