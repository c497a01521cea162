/* A playbook's own arguments: declared in its header, given on the command line, in the cluster
 * file, or by default - in that order - each checked against its type, each with where it came
 * from.
 */
#include "engine/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

    for (size_t i = 0; i < (v->type == KP_LIST ? kp_len(v) : 1); i++) {
        const kp_value *item = v->type == KP_LIST ? kp_at(v, i) : NULL;
        char *text = !item                  ? kp_strdup(a, s)
                     : item->type == KP_INT ? kp_printf(a, "%" PRId64, item->u.i)
                                            : kp_strdup(a, kp_as_text(item, "?"));
        char *save = NULL;
        for (char *word = strtok_r(text, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
            KP_TRY(one_id(inv, arg, origin, word, &id));
            if (!kp_list_has_int(kp_list_end(&ids), id))
                kp_list_add(&ids, kp_int(a, id));
        }
    }
    *ret_ids = kp_list_end(&ids);
    return NULL;
}

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

/* A list of texts, or one text with commas. */
static const kp_value *as_texts(kp_arena *a, const kp_value *v, const char *s)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; v->type == KP_LIST && i < kp_len(v); i++) {
        if (kp_at(v, i)->type != KP_BYTES)
            return NULL;
        kp_list_add(&list, kp_at(v, i));
    }
    for (const char *p = s; v->type == KP_BYTES && *p;
         p += strcspn(p, ",") + (strchr(p, ',') != NULL))
        if (*p != ',')
            kp_list_add(&list, kp_text(a, kp_strndup(a, p, strcspn(p, ","))));
    return v->type == KP_LIST || v->type == KP_BYTES ? kp_list_end(&list) : NULL;
}

static const kp_value *as_path(kp_arena *a, const kp_value *v, const char *s)
{
    return v->type == KP_BYTES && *s && strlen(s) == v->n && v->n < PATH_MAX ? kp_text(a, s) : NULL;
}

const kp_arg_type kp_arg_types[] = {
    { "version", "a release like 3.9.1", "string", "3.9.1", as_version },
    { "duration", "a duration like 90s, 30m or 2h", "string", "45m", as_duration },
    { "text", "a text", "string", "conservative", as_text },
    { "int", "a whole number", "integer", "3", as_int },
    { "bool", "true or false", "boolean", "true", as_bool },
    { "node", "a node's id", "integer", "3001", NULL },
    { "broker", "a broker's id", "integer", "2", NULL },
    { "node[]", "ids of nodes, like 1,2", "integer[]", "1,2", NULL },
    { "broker[]", "ids of brokers, like 1,2", "integer[]", "1,2", NULL },
    { "text[]", "texts, like one,two", "string[]", "one,two", as_texts },
    { "module", "a text", "string", "team.night", as_text },
    { "path", "the path of a file", "string", "before.json", as_path },
    { NULL, NULL, NULL, NULL, NULL },
};

const kp_arg_type *kp_arg_type_named(const char *name)
{
    const kp_arg_type *t = kp_arg_types;
    while (t->name && !kp_streq(t->name, name))
        t++;
    return t->name ? t : NULL;
}

/* What only the command line can get wrong: a name without a value, or given again. */
static kp_err *check_given(const kp_script_arg *arg, const char *origin, const kp_value *v)
{
    bool cli = kp_starts_with(origin, "--"), many = kp_ends_with(arg->type, "[]");
    bool bare = v->type == KP_BOOL && !kp_streq(arg->type, "bool");
    for (size_t i = 0; i < kp_len(v) && v->type == KP_LIST; i++)
        bare = bare || kp_at(v, i)->type == KP_BOOL;
    if (!cli || (!bare && (many || v->type != KP_LIST || kp_len(v) < 2)))
        return NULL;
    kp_err *e =
        bare
            ? kp_err_new(KP_USAGE, "-", "it needs a value: %s", kp_arg_type_named(arg->type)->takes)
            : kp_err_new(KP_USAGE, "-", "it is given %zu times, and takes one value", kp_len(v));
    return kp_err_at(e, "%s", origin);
}

/* Text becomes what the type says; a value of the right kind passes. */
static kp_err *convert(kp_arena *a, const kp_inventory *inv, const kp_script_arg *arg,
                       const char *origin, const kp_value *v, const kp_value **ret_v)
{
    const kp_arg_type *type = kp_arg_type_named(arg->type);
    const char *t = arg->type;
    char got[64];

    KP_TRY(check_given(arg, origin, v));

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
    const kp_value *converted = type->as(a, v, s);
    if (!converted)
        return bad(arg, origin, type->takes, s);
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

/* `also`: what the command line takes besides; ends with NULL, or NULL. */
static kp_err *unknown(kp_arena *a, const kp_header *h, const char *const *also, kp_class cls,
                       const char *where, const char *name)
{
    size_t n = 0, n_also = 0;
    while (also && also[n_also])
        n_also++;
    const char **names = KP_NEW_ARRAY(a, h->n_args + n_also + 1, const char *);
    for (size_t i = 0; i < h->n_args; i++)
        names[n++] = h->args[i].name;
    for (size_t i = 0; i < n_also; i++)
        names[n++] = also[i];
    const char *near = kp_did_you_mean(name, names);
    kp_err *e = kp_err_new(cls, kp_printf(a, "kplay run %s --help shows its arguments", h->name),
                           "%s has no argument `%s`%s%s%s", h->name, name,
                           near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
    return *where ? kp_err_at(e, "%s", where) : e;
}

/* "rolling" of playbooks/rolling.lua. */
static const char *key_of(kp_arena *a, const kp_header *h)
{
    size_t stem = kp_ends_with(h->name, ".lua") ? strlen(h->name) - 4 : strlen(h->name);
    const char *slash = strrchr(h->name, '/');
    const char *base = slash ? slash + 1 : h->name;
    return kp_strndup(a, base, stem - (size_t)(base - h->name));
}

const kp_value *kp_team_args(kp_arena *a, const kp_header *h, const kp_inventory *inv)
{
    return kp_get(inv->playbooks, key_of(a, h));
}

kp_err *kp_run_args(kp_arena *a, const kp_header *h, const kp_inventory *inv,
                    const kp_given_args *from_line, const kp_value **ret_args,
                    const kp_value **ret_origin)
{
    const kp_value *given = from_line->value;
    kp_err *missing = NULL;
    kp_builder args = kp_map_begin(a), origin = kp_map_begin(a);
    const char *key = key_of(a, h);
    const kp_value *team = kp_team_args(a, h, inv);

    for (uint32_t i = 0; given && given->type == KP_MAP && i < given->n; i++)
        if (!declared(h, given->keys[i]))
            return unknown(a, h, from_line->also, KP_USAGE, "", given->keys[i]);
    for (uint32_t i = 0; team && i < team->n; i++)
        if (!declared(h, team->keys[i]))
            return unknown(a, h, NULL, KP_CONFIG,
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
        } else if (arg->required && !missing) {
            missing = kp_err_new(KP_USAGE, "give it", "%s needs --%s: %s", h->name, arg->name,
                                 arg->doc);
            missing = kp_err_next(missing, "kplay run %s --%s VALUE", h->name, arg->name);
            continue;
        } else {
            continue;
        }
        kp_err *e = convert(a, inv, arg, from, v, &out);
        if (e) {
            kp_err_drop(missing);
            return kp_err_next(e, "kplay run %s --help shows its arguments", h->name);
        }
        kp_map_add(&args, arg->name, out);
        kp_map_add(&origin, arg->name, kp_text(a, from));
    }
    *ret_args = kp_map_end(&args);
    *ret_origin = kp_map_end(&origin);
    return missing;
}

/* ---- paths: files that a person has named, which a verb may then read or write ---- */

char *kp_working_directory(kp_arena *a)
{
    char path[PATH_MAX];
    return getcwd(path, sizeof path) ? kp_strdup(a, path) : NULL;
}

/* Of `file`, for what stands in it; "" for one in the working directory. */
static const char *beside(kp_arena *a, const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    return slash ? kp_printf(a, "%.*s%s", (int)(slash + 1 - file), file, path) : path;
}

static const char *whole(kp_arena *a, const char *path)
{
    const char *home = getenv("HOME"), *here = kp_working_directory(a);
    if (kp_starts_with(path, "~/") && home && *home == '/')
        return kp_printf(a, "%s%s", home, path + 1);
    return *path == '/' || !here ? path : kp_printf(a, "%s/%s", here, path);
}

const kp_value *kp_paths_whole(kp_arena *a, const kp_header *h, const kp_inventory *inv,
                               const kp_value *args, const kp_value *origin)
{
    for (size_t i = 0; i < h->n_args; i++) {
        const char *name = h->args[i].name, *path = kp_get_text(args, name, NULL);
        if (!path || !kp_streq(h->args[i].type, "path"))
            continue;
        bool of_line = kp_starts_with(kp_get_text(origin, name, ""), "--");
        if (!of_line && *path != '/' && *path != '~')
            path = beside(a, inv->path, path);
        args = kp_map_with(a, args, name, kp_text(a, whole(a, path)));
    }
    return args;
}

void kp_paths_allow(kp_run *r, const kp_value *args)
{
    kp_builder list = kp_list_begin(r->a);
    for (size_t i = 0; i < r->header->n_args; i++) {
        const kp_value *path = kp_get(args, r->header->args[i].name);
        if (path && kp_streq(r->header->args[i].type, "path"))
            kp_list_add(&list, path);
    }
    r->paths = kp_list_end(&list);
}
