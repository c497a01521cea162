/* Arguments of verbs: from the values a playbook gave to the verb's own C struct.
 *
 * Positional values come first; a last map gives arguments by name.  What is wrong is said with the
 * verb, the argument, what was given and what it takes.  The canonical form (by name, defaults left
 * out) is what the journal keeps and what a resumed run must ask again, value for value.
 */
#include "engine/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kp_err *see_doc(const kp_op *op, kp_err *e)
{
    return kp_err_next(e, "kplay doc %s shows its arguments", op->name);
}

static kp_err *wrong(const kp_op *op, const kp_arg *arg, const kp_value *v, const char *takes)
{
    char got[64];
    if (kp_is(v, KP_BYTES))
        snprintf(got, sizeof got, "\"%.40s\"", v->u.s);
    else if (kp_is(v, KP_INT))
        snprintf(got, sizeof got, "%" PRId64, v->u.i);
    else
        snprintf(got, sizeof got, "a %s", v ? kp_type_name(v->type) : "nil");
    return see_doc(op, kp_err_new(KP_PLAYBOOK, "", "%s: argument `%s` takes %s, got %s", op->name,
                                  arg->name, takes, got));
}

static kp_err *check_node(kp_run *r, const kp_op *op, const kp_arg *arg, int64_t id, unsigned roles)
{
    const kp_node *node = id >= 0 && id <= INT32_MAX ? kp_inventory_node(r->inv, (int)id) : NULL;
    const char *word = roles == KP_BROKER       ? "broker"
                       : roles == KP_CONTROLLER ? "controller"
                                                : "node";
    if (node && (node->roles & roles))
        return NULL;
    KP_AUTO_BUF ids = KP_BUF_INIT(400);
    for (uint32_t i = 0; i < r->inv->n_nodes; i++)
        if (r->inv->nodes[i].roles & roles)
            kp_buf_fmt(&ids, "%s%d", ids.n ? ", " : "", r->inv->nodes[i].id);
    kp_err *e = kp_err_new(KP_PLAYBOOK, "kplay doc VERB shows its arguments",
                           "%s: argument `%s`: there is no %s %" PRId64, op->name, arg->name, word,
                           id);
    return kp_err_next(e, "the cluster file has %s %s", word, kp_buf_text(&ids));
}

static unsigned roles_of(const char *type)
{
    if (kp_starts_with(type, "broker"))
        return KP_BROKER;
    if (kp_starts_with(type, "controller"))
        return KP_CONTROLLER;
    return KP_BROKER | KP_CONTROLLER;
}

static int by_id(const void *x, const void *y)
{
    int a = *(const int *)x, b = *(const int *)y;
    return (a > b) - (a < b);
}

static kp_err *decode_nodes(kp_run *r, kp_arena *a, const kp_op *op, const kp_arg *arg,
                            const kp_value *v, kp_nodes *ret_n)
{
    unsigned roles = roles_of(arg->type);
    if (kp_is(v, KP_INT)) {
        KP_TRY(check_node(r, op, arg, v->u.i, roles));
        int *id = KP_NEW(a, int);
        *id = (int)v->u.i;
        *ret_n = (kp_nodes) { .id = id, .n = 1 };
        return NULL;
    }
    if (!kp_is(v, KP_LIST))
        return wrong(op, arg, v, "a node's id or a list of ids");
    int *id = KP_NEW_ARRAY(a, kp_len(v) + 1, int);
    size_t n = 0;
    for (size_t i = 0; i < kp_len(v); i++) {
        const kp_value *one = kp_at(v, i);
        if (!kp_is(one, KP_INT))
            return wrong(op, arg, one, "ids in its list");
        KP_TRY(check_node(r, op, arg, one->u.i, roles));
        id[n++] = (int)one->u.i;
    }
    qsort(id, n, sizeof *id, by_id);
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (m == 0 || id[m - 1] != id[i])
            id[m++] = id[i];
    *ret_n = (kp_nodes) { .id = id, .n = m, .list = true };
    return NULL;
}

static kp_err *decode_one(kp_run *r, kp_arena *a, const kp_op *op, const kp_arg *arg,
                          const kp_value *v, char *out)
{
    void *field = out + arg->offset;
    const char *t = arg->type;

    if (kp_streq(t, "int")) {
        if (!kp_is(v, KP_INT))
            return wrong(op, arg, v, "a whole number");
        *(int64_t *)field = v->u.i;
    } else if (kp_streq(t, "bool")) {
        if (!kp_is(v, KP_BOOL))
            return wrong(op, arg, v, "true or false");
        *(bool *)field = v->u.b;
    } else if (kp_streq(t, "text")) {
        if (!kp_is(v, KP_BYTES) || memchr(v->u.s, 0, v->n))
            return wrong(op, arg, v, "a text");
        *(const char **)field = kp_strdup(a, v->u.s);
    } else if (kp_streq(t, "version")) {
        kp_version version;
        if (!kp_is(v, KP_BYTES) || !kp_version_parse(v->u.s, &version))
            return wrong(op, arg, v, "a version as text, like \"3.9.1\"");
        *(const char **)field = kp_strdup(a, v->u.s);
    } else if (kp_streq(t, "duration")) {
        kp_ms d;
        kp_err *e = kp_is(v, KP_BYTES) ? kp_duration_parse(v->u.s, &d)
                                       : wrong(op, arg, v, "a duration as text, like \"10m\"");
        if (e && kp_is(v, KP_BYTES)) {
            kp_err_drop(e);
            e = wrong(op, arg, v, "a duration as text, like \"10m\"");
        }
        KP_TRY(e);
        *(kp_ms *)field = d;
    } else if (kp_streq(t, "node") || kp_streq(t, "broker") || kp_streq(t, "controller")) {
        if (!kp_is(v, KP_INT))
            return wrong(op, arg, v, "a node's id");
        KP_TRY(check_node(r, op, arg, v->u.i, roles_of(t)));
        if (arg->otherwise)
            *(kp_maybe_id *)field = kp_somebody((int)v->u.i);
        else
            *(int *)field = (int)v->u.i;
    } else if (kp_streq(t, "nodes") || kp_streq(t, "brokers") || kp_streq(t, "controllers")) {
        KP_TRY(decode_nodes(r, a, op, arg, v, field));
    } else if (kp_streq(t, "list")) {
        if (!kp_is(v, KP_LIST))
            return wrong(op, arg, v, "a list");
        *(const kp_value **)field = kp_value_copy(a, v);
    } else if (kp_streq(t, "map")) {
        if (!kp_is(v, KP_MAP) && !(kp_is(v, KP_LIST) && kp_len(v) == 0))
            return wrong(op, arg, v, "a table of named values");
        *(const kp_value **)field = kp_is(v, KP_MAP) ? kp_value_copy(a, v) : kp_map(a, NULL);
    } else {
        *(const kp_value **)field = kp_value_copy(a, v);
    }
    return NULL;
}

/* A default is text in the verb's table: read as the type it stands for. */
static const kp_value *default_of(kp_arena *a, const kp_arg *arg)
{
    const char *s = arg->otherwise, *t = arg->type;
    if (kp_streq(s, "nil"))
        return NULL;
    if (kp_streq(t, "int"))
        return kp_int(a, strtoll(s, NULL, 10));
    if (kp_streq(t, "bool"))
        return kp_bool(kp_streq(s, "true"));
    if (kp_streq(t, "list") || kp_streq(t, "nodes") || kp_streq(t, "brokers") ||
        kp_streq(t, "controllers")) {
        kp_builder b = kp_list_begin(a);
        return kp_list_end(&b);
    }
    if (kp_streq(t, "map"))
        return kp_map(a, NULL);
    return kp_text(a, s);
}

static bool takes_table(const char *type)
{
    static const char *const types[] = { "list", "map", "any", "nodes", "brokers", "controllers" };
    for (size_t i = 0; i < KP_COUNT(types); i++)
        if (kp_streq(types[i], type))
            return true;
    return false;
}

/* What was given, sorted: the first `n` by their places, the others by their names. */
typedef struct given_args {
    const kp_value *list, *named;
    size_t n;
} given_args;

static given_args sort_given(const kp_op *op, const kp_value *list)
{
    given_args g = { .list = list, .n = kp_len(list) };
    const kp_value *last = g.n ? kp_at(list, g.n - 1) : NULL;
    const char *type = g.n && g.n <= op->n_args ? op->args[g.n - 1].type : NULL;

    /* An empty table says neither list nor map: where no list is taken, it names no argument. */
    if (type && kp_is(last, KP_LIST) && kp_len(last) == 0 && !takes_table(type)) {
        g.n--;
        last = g.n ? kp_at(list, g.n - 1) : NULL;
        type = g.n ? op->args[g.n - 1].type : NULL;
    }
    /* A last map gives arguments by name, unless the argument in its place takes a map itself. */
    bool takes_map = type && (kp_streq(type, "map") || kp_streq(type, "any"));
    if (kp_is(last, KP_MAP) && !takes_map) {
        g.named = last;
        g.n--;
    }
    return g;
}

static bool is_function(const kp_arg *arg)
{
    return kp_streq(arg->type, "function");
}

static kp_err *check_names(kp_arena *a, const kp_op *op, const kp_value *named)
{
    const char **known = KP_NEW_ARRAY(a, op->n_args + 1, const char *);
    size_t n = 0;
    for (size_t k = 0; k < op->n_args; k++)
        if (!is_function(&op->args[k]))
            known[n++] = op->args[k].name;
    for (uint32_t i = 0; named && i < named->n; i++) {
        size_t k = 0;
        while (k < n && !kp_streq(known[k], named->keys[i]))
            k++;
        if (k < n)
            continue;
        const char *near = kp_did_you_mean(named->keys[i], known);
        return see_doc(op, kp_err_new(KP_PLAYBOOK, "", "%s has no argument `%s`%s%s%s", op->name,
                                      named->keys[i], near ? "; did you mean `" : "",
                                      near ? near : "", near ? "`?" : ""));
    }
    return NULL;
}

/* *ret_v: what was given for argument i; NULL: nothing, and it has a default. */
static kp_err *pick(const kp_op *op, size_t i, const given_args *g, const kp_value **ret_v)
{
    const kp_arg *arg = &op->args[i];
    const kp_value *v = i < g->n ? kp_at(g->list, i) : NULL;
    const kp_value *by_name = kp_get(g->named, arg->name);
    if (v && v->type == KP_NIL)
        v = NULL;
    if (v && by_name)
        return kp_err_new(KP_PLAYBOOK, "give it once", "%s: argument `%s` is given twice", op->name,
                          arg->name);
    if (!v)
        v = by_name && by_name->type != KP_NIL ? by_name : NULL;
    if (!v && !arg->otherwise)
        return see_doc(op, kp_err_new(KP_PLAYBOOK, "", "%s: argument `%s` is missing (%s)",
                                      op->name, arg->name, arg->doc));
    *ret_v = v;
    return NULL;
}

kp_err *kp_args_decode(kp_run *r, kp_arena *a, const kp_op *op, const kp_value *given,
                       void **ret_args, const kp_value **ret_canonical)
{
    given_args g = sort_given(op, given);
    if (g.n > op->n_args)
        return see_doc(op, kp_err_new(KP_PLAYBOOK, "", "%s takes %zu argument%s, got %zu", op->name,
                                      op->n_args, op->n_args == 1 ? "" : "s", g.n));
    KP_TRY(check_names(a, op, g.named));

    char *out = kp_alloc(a, op->args_size ? op->args_size : 1);
    kp_builder canonical = kp_map_begin(a);
    for (size_t i = 0; i < op->n_args; i++) {
        const kp_arg *arg = &op->args[i];
        const kp_value *v = NULL;
        if (is_function(arg))
            continue;
        KP_TRY(pick(op, i, &g, &v));
        if (v)
            kp_map_add(&canonical, arg->name, kp_value_copy(a, v));
        else
            v = default_of(a, arg);
        if (v)
            KP_TRY(decode_one(r, a, op, arg, v, out));
    }
    *ret_args = out;
    *ret_canonical = kp_map_end(&canonical);
    return NULL;
}
