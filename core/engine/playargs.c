/* A playbook's own arguments: declared in its header, given on the command line, in the cluster
 * file, or by default - in that order - each checked against its type, each with where it came
 * from.
 */
#include "engine/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kp_err *bad(const kp_script_arg *arg, const char *origin, const char *takes, const char *got)
{
    bool cli = kp_starts_with(origin, "--");
    kp_err *e = kp_err_new(cli ? KP_USAGE : KP_CONFIG, "-",
                           "%s takes %s, got \"%s\"", arg->name, takes, got);
    return kp_err_at(e, "%s", origin);
}

static kp_err *one_id(const kp_inventory *inv, const kp_script_arg *arg, const char *origin,
                      const char *s, int64_t *ret_id)
{
    char *end;
    errno = 0;
    long long id = strtoll(s, &end, 10);
    if (errno || end == s || *end)
        return bad(arg, origin, "a node's id", s);
    const kp_node *n = id >= 0 && id <= INT32_MAX ? kp_inventory_node(inv, (int)id) : NULL;
    if (!n || (kp_starts_with(arg->type, "broker") && !kp_node_is(n, KP_BROKER)))
        return bad(arg, origin, "the id of a node in the cluster file", s);
    *ret_id = id;
    return NULL;
}

static kp_err *many_ids(kp_arena *a, const kp_inventory *inv, const kp_script_arg *arg,
                        const char *origin, const kp_value *v, const char *s,
                        const kp_value **ret_ids)
{
    kp_builder ids = kp_list_begin(a);
    int64_t id;

    if (v->type == KP_LIST) {
        for (size_t i = 0; i < kp_len(v); i++) {
            const kp_value *item = kp_at(v, i);
            const char *text = item->type == KP_INT ? kp_printf(a, "%" PRId64, item->u.i)
                                                    : kp_as_text(item, "?");
            KP_TRY(one_id(inv, arg, origin, text, &id));
            kp_list_add(&ids, kp_int(a, id));
        }
    } else {
        char *copy = kp_strdup(a, s), *save = NULL;
        for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
            KP_TRY(one_id(inv, arg, origin, word, &id));
            kp_list_add(&ids, kp_int(a, id));
        }
    }
    *ret_ids = kp_list_end(&ids);
    return NULL;
}

/* Each of these: the value `v`, or its text `s`, as its type; NULL: it is none. */

static const kp_value *as_int(kp_arena *a, const kp_value *v, const char *s)
{
    char *end;

    if (v->type == KP_INT)
        return kp_int(a, v->u.i);
    errno = 0;
    long long i = strtoll(s, &end, 10);
    return errno || end == s || *end ? NULL : kp_int(a, i);
}

static const kp_value *as_bool(kp_arena *a, const kp_value *v, const char *s)
{
    (void)a;
    if (kp_streq(s, "true") || kp_streq(s, "yes") || (v->type == KP_BOOL && v->u.b))
        return kp_bool(true);
    bool no = kp_streq(s, "false") || kp_streq(s, "no") || (v->type == KP_BOOL && !v->u.b);
    return no ? kp_bool(false) : NULL;
}

static const kp_value *as_version(kp_arena *a, const kp_value *v, const char *s)
{
    kp_version version;

    return v->type == KP_BYTES && kp_version_parse(s, &version) ? kp_text(a, s) : NULL;
}

static const kp_value *as_duration(kp_arena *a, const kp_value *v, const char *s)
{
    kp_ms d;
    kp_err *e = kp_duration_parse(s, &d);
    const kp_value *text = e ? NULL : kp_text(a, s);

    (void)v;
    kp_err_drop(e);
    return text;
}

static const kp_value *as_text(kp_arena *a, const kp_value *v, const char *s)
{
    return v->type == KP_BYTES ? kp_text(a, s) : NULL;
}

/* Text becomes what the type says; a value of the right kind passes. */
static kp_err *convert(kp_arena *a, const kp_inventory *inv, const kp_script_arg *arg,
                       const char *origin, const kp_value *v, const kp_value **ret_v)
{
    static const struct {
        const char *type, *takes;
        const kp_value *(*as)(kp_arena *a, const kp_value *v, const char *s);
    } types[] = {
        { "int", "a whole number", as_int },
        { "bool", "true or false", as_bool },
        { "version", "a release like 3.9.1", as_version },
        { "duration", "a duration like 90s, 30m or 2h", as_duration },
        { NULL, "a text", as_text }, /* text, module */
    };
    const char *t = arg->type;
    char got[64];

    if (v->type == KP_INT)
        snprintf(got, sizeof got, "%" PRId64, v->u.i);
    else
        snprintf(got, sizeof got, "%.60s", v->type == KP_BYTES ? v->u.s : kp_type_name(v->type));
    const char *s = v->type == KP_BYTES ? v->u.s : got;

    if (kp_streq(t, "node[]") || kp_streq(t, "broker[]"))
        return many_ids(a, inv, arg, origin, v, s, ret_v);
    if (kp_streq(t, "node") || kp_streq(t, "broker")) {
        int64_t id;
        KP_TRY(one_id(inv, arg, origin, s, &id));
        *ret_v = kp_int(a, id);
        return NULL;
    }
    size_t i = 0;
    while (types[i].type && !kp_streq(types[i].type, t))
        i++;
    const kp_value *converted = types[i].as(a, v, s);
    if (!converted)
        return bad(arg, origin, types[i].takes, s);
    *ret_v = converted;
    return NULL;
}

static const kp_script_arg *declared(const kp_header *h, const char *name)
{
    for (size_t i = 0; i < h->n_args; i++)
        if (kp_streq(h->args[i].name, name))
            return &h->args[i];
    return NULL;
}

static kp_err *unknown(kp_arena *a, const kp_header *h, kp_class cls, const char *where,
                       const char *name)
{
    const char **names = KP_NEW_ARRAY(a, h->n_args + 1, const char *);
    for (size_t i = 0; i < h->n_args; i++)
        names[i] = h->args[i].name;
    const char *near = kp_did_you_mean(name, names);
    kp_err *e = kp_err_new(cls, kp_printf(a, "kplay run %s --help shows its arguments", h->name),
                           "%s has no argument `%s`%s%s%s", h->name, name,
                           near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
    return *where ? kp_err_at(e, "%s", where) : e;
}

kp_err *kp_run_args(kp_arena *a, const kp_header *h, const kp_inventory *inv, const kp_value *given,
                    const kp_value **ret_args, const kp_value **ret_origin)
{
    kp_builder args = kp_map_begin(a), origin = kp_map_begin(a);
    size_t stem = kp_ends_with(h->name, ".lua") ? strlen(h->name) - 4 : strlen(h->name);
    const char *slash = strrchr(h->name, '/');
    const char *base = slash ? slash + 1 : h->name;
    char *key = kp_strndup(a, base, stem - (size_t)(base - h->name));
    const kp_value *team = kp_get(inv->playbooks, key);

    for (uint32_t i = 0; given && given->type == KP_MAP && i < given->n; i++)
        if (!declared(h, given->keys[i]))
            return unknown(a, h, KP_USAGE, "", given->keys[i]);
    for (uint32_t i = 0; team && i < team->n; i++)
        if (!declared(h, team->keys[i]))
            return unknown(a, h, KP_CONFIG,
                           kp_get_text(inv->where,
                                       kp_printf(a, "playbooks.%s.%s", key, team->keys[i]),
                                       inv->path),
                           team->keys[i]);

    for (size_t i = 0; i < h->n_args; i++) {
        const kp_script_arg *arg = &h->args[i];
        const kp_value *v = kp_get(given, arg->name), *out = NULL;
        const char *from;
        if (v) {
            from = kp_printf(a, "--%s", arg->name);
        } else if ((v = kp_get(team, arg->name)) != NULL) {
            from = kp_get_text(inv->where, kp_printf(a, "playbooks.%s.%s", key, arg->name),
                               inv->path);
        } else if (arg->otherwise && arg->otherwise->type != KP_NIL) {
            v = arg->otherwise;
            from = "default";
        } else if (arg->required) {
            kp_err *e = kp_err_new(KP_USAGE, "give it", "%s needs --%s: %s", h->name, arg->name,
                                   arg->doc);
            return kp_err_next(e, "kplay run %s --%s VALUE", h->name, arg->name);
        } else {
            continue;
        }
        kp_err *e = convert(a, inv, arg, from, v, &out);
        if (e)
            return kp_err_next(e, "kplay run %s --help shows its arguments", h->name);
        kp_map_add(&args, arg->name, out);
        kp_map_add(&origin, arg->name, kp_text(a, from));
    }
    *ret_args = kp_map_end(&args);
    *ret_origin = kp_map_end(&origin);
    return NULL;
}
