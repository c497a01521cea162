/* The table a playbook returns: every field known, every one that is needed there, each of its
 * type. What is wrong is shown at its place in the file.
 */
#include "kl.h"

#include <stdlib.h>
#include <string.h>

/* One field of the table, or of an argument's; its type as LuaCATS writes it. */
typedef struct field {
    const char *name, *type;
    bool needed;
    const char *doc, *example;
} field;

static const field fields[] = {
    { "api", "integer", true, "the API level it is written for", "api = 1" },
    { "summary", "string", true, "what it is for, one line",
      "summary = \"Restart every broker.\"" },
    { "effects", "kplay.effect[]", true,
      "what it may do (kplay doc effects), {} when it only asks; anything else is refused",
      "effects = { \"leader.elect\" }" },
    { "args", "table<string, kplay.argument>", false,
      "what --NAME VALUE, or the cluster file, may give it",
      "args = { settle = { \"duration\", default = \"30m\", doc = \"how long to wait\" } }" },
    { "check", "fun(args: table)", false, "questions only: may the run start?",
      "check = function(args) if urp() > 0 then fail(\"under-replicated\") end end" },
    { "run", "fun(args: table)", true, "the procedure",
      "run = function(args) elect_preferred() end" },
    { "verify", "fun(args: table)", false, "questions only: what must hold when `run` has returned",
      "verify = function(args) if offline() > 0 then fail(\"offline\") end end" },
};
static const field arg_fields[] = {
    { "[1]", "kplay.argument_type", true, "what it takes, in front and without a name",
      "{ \"version\" }" },
    { "default", "kplay.value", false, "what it is when nobody gives it; left out: nil",
      "{ \"version\", default = \"3.9.1\" }" },
    { "doc", "string", false, "what it is, for --help: one line",
      "{ \"version\", doc = \"the release to install\" }" },
    { "required", "boolean", false, "a run without it is refused; it has no default then",
      "{ \"int\", required = true }" },
};
static const field *const named_arg_fields = arg_fields + 1;

static const char *const *names_of(kp_arena *a, const field *f, size_t n)
{
    const char **names = KP_NEW_ARRAY(a, n + 1, const char *);
    for (size_t i = 0; i < n; i++)
        names[i] = f[i].name;
    return names;
}

static bool among(const char *name, const char *const *names)
{
    while (*names && !kp_streq(*names, name))
        names++;
    return *names != NULL;
}

/* Raises a new error at the field `field` of the file. */
#define BAD(L, file, field, next, ...)                                                             \
    kl_raise((L), kl_err_at_field(kp_err_new(KP_PLAYBOOK, (next), __VA_ARGS__), (file), (field)))

static void known_fields(lua_State *L, const kl_file *file, int table, const field *known, size_t n,
                         const char *whose)
{
    const char *first = NULL; /* by name: a table has no order of its own */
    const char *const *names = names_of(kl_of(L)->a, known, n);

    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_isinteger(L, -2) && known == named_arg_fields && lua_tointeger(L, -2) == 1)
            continue;
        if (lua_type(L, -2) != LUA_TSTRING)
            BAD(L, file, "", "name every field", "%s: a field without a name", whose);
        const char *name = lua_tostring(L, -2);
        if (!among(name, names) && (!first || strcmp(name, first) < 0))
            first = name;
    }
    if (!first)
        return;
    const char *near = kp_did_you_mean(first, names);
    if (near)
        BAD(L, file, first, "kplay doc playbook shows what a playbook has",
            "%s: unknown field `%.60s`; did you mean `%s`?", whose, first, near);
    BAD(L, file, first, "kplay doc playbook shows what a playbook has", "%s: unknown field `%.60s`",
        whose, first);
}

static const char *text_field(lua_State *L, int table, const char *name)
{
    const char *text = NULL;

    lua_pushstring(L, name);
    if (lua_rawget(L, table) == LUA_TSTRING)
        text = kp_strdup(kl_of(L)->a, lua_tostring(L, -1));
    lua_pop(L, 1);
    return text;
}

static int type_of(lua_State *L, int table, const char *name)
{
    lua_pushstring(L, name);
    int type = lua_rawget(L, table);
    lua_pop(L, 1);
    return type;
}

KL_RAISES unsigned kl_header_effects(lua_State *L, const kl_file *file, int table)
{
    unsigned effects = 0;
    kp_grant one;

    lua_pushliteral(L, "effects");
    int type = lua_rawget(L, table), list = lua_gettop(L);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return 0;
    }
    if (type != LUA_TTABLE)
        BAD(L, file, "effects", "effects = { \"broker.restart\" }, or {}",
            "effects is a list of names");
    for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1)) {
        if (!lua_isinteger(L, -2) || lua_type(L, -1) != LUA_TSTRING)
            BAD(L, file, "effects", "effects = { \"broker.restart\" }, or {}",
                "effects is a list of names");
        const char *name = lua_tostring(L, -1);
        if (!kp_grant_parse(name, &one)) {
            const char *near = kp_did_you_mean(name, kp_grant_names());
            kp_err *e = kp_err_new(KP_PLAYBOOK, "kplay doc effects lists them",
                                   near ? "unknown effect \"%.60s\"; did you mean \"%s\"?"
                                        : "unknown effect \"%.60s\"",
                                   name, near);
            kl_raise(L, kl_err_at_text(e, file, name));
        }
        effects |= (unsigned)one;
    }
    lua_settop(L, list - 1);
    return effects;
}

/* Is the default of the argument's type?  nil is. */
static bool fits(const char *type, const kp_value *v)
{
    bool list = kp_ends_with(type, "[]");

    if (!v || v->type == KP_NIL)
        return true;
    if (list) {
        for (size_t i = 0; i < kp_len(v); i++)
            if (!kp_is(kp_at(v, i), KP_INT))
                return false;
        return v->type == KP_LIST;
    }
    if (kp_streq(type, "bool"))
        return v->type == KP_BOOL;
    if (kp_streq(type, "int") || kp_streq(type, "node") || kp_streq(type, "broker"))
        return v->type == KP_INT;
    if (v->type != KP_BYTES)
        return false;
    if (kp_streq(type, "duration")) {
        kp_ms d;
        kp_err *e = kp_duration_parse(v->u.s, &d);
        kp_err_drop(e);
        return !e;
    }
    kp_version version;
    return !kp_streq(type, "version") || kp_version_parse(v->u.s, &version);
}

static const char *known_types(kp_arena *a)
{
    KP_AUTO_BUF b = KP_BUF_INIT(1024);
    for (size_t i = 0; kp_arg_types[i].name; i++)
        kp_buf_fmt(&b, "%s%s", i ? ", " : "types: ", kp_arg_types[i].name);
    return kp_strdup(a, kp_buf_text(&b));
}

/* One argument, { "duration", default = "30m", doc = "..." }, on top: [-0, +0] */
static void read_arg(lua_State *L, const kl_file *file, kp_script_arg *arg)
{
    kp_script *s = kl_of(L);
    int table = lua_gettop(L);
    size_t used = 0;

    if (!lua_istable(L, table))
        BAD(L, file, arg->name, "write { \"text\", default = ..., doc = \"...\" }",
            "argument `%.60s` is declared by a table", arg->name);
    known_fields(L, file, table, named_arg_fields, KP_COUNT(arg_fields) - 1, arg->name);
    lua_rawgeti(L, table, 1);
    const char *type = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (!kp_arg_type_named(type))
        BAD(L, file, arg->name, known_types(s->a), "argument `%.60s`: unknown type \"%.60s\"",
            arg->name, type);
    arg->type = kp_strdup(s->a, type);
    arg->doc = text_field(L, table, "doc");
    if (!arg->doc)
        arg->doc = "";
    lua_pushliteral(L, "required");
    lua_rawget(L, table);
    arg->required = lua_toboolean(L, -1);
    lua_pushliteral(L, "default");
    if (lua_rawget(L, table) != LUA_TNIL) {
        arg->otherwise = kl_to_value(L, -1, s->a, &used, arg->name);
        if (!fits(type, arg->otherwise))
            BAD(L, file, arg->name, "give the default as its type is written",
                "argument `%.60s`: the default is no %s", arg->name, type);
        if (kp_streq(type, "path"))
            BAD(L, file, arg->name, "leave the default out: whoever runs it names the file",
                "argument `%.60s`: a path has no default", arg->name);
        if (arg->required)
            BAD(L, file, arg->name, "leave one of them out",
                "argument `%.60s` is required and has a default", arg->name);
    }
    lua_settop(L, table);
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const kp_script_arg *)x)->name, ((const kp_script_arg *)y)->name);
}

static bool is_name(const char *s)
{
    for (const char *p = s; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9' && p > s) && *p != '_')
            return false;
    return *s != 0;
}

static void read_args(lua_State *L, const kl_file *file, int table, kp_header *h)
{
    kp_script *s = kl_of(L);
    size_t n = 0;

    lua_pushliteral(L, "args");
    if (lua_rawget(L, table) == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    int list = lua_gettop(L);
    if (!lua_istable(L, list))
        BAD(L, file, "args", "args = { to = { \"version\", doc = \"...\" } }",
            "args is a table of arguments");
    for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1))
        n++;
    kp_script_arg *args = KP_NEW_ARRAY(s->a, n + 1, kp_script_arg);
    n = 0;
    for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !is_name(lua_tostring(L, -2)))
            BAD(L, file, "args", "use lower case, digits and _",
                "args: an argument without a plain name");
        args[n++].name = kp_strdup(s->a, lua_tostring(L, -2));
    }
    if (n > 0)
        qsort(args, n, sizeof *args, by_name);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, args[i].name);
        lua_rawget(L, list);
        read_arg(L, file, &args[i]);
        lua_settop(L, list);
    }
    h->args = args;
    h->n_args = n;
    lua_settop(L, list - 1);
}

KL_RAISES void kl_header_read(lua_State *L, const kl_file *file, kp_header *h)
{
    static const char *const parts[] = { "check", "run", "verify" };
    kp_script *s = kl_of(L);
    int table = lua_gettop(L);

    luaL_checkstack(L, 12, "the header");
    if (!lua_istable(L, table) || lua_getmetatable(L, table))
        BAD(L, file, "",
            "end it with: return { api = 1, summary = ..., run = function(args) ... end }",
            "a playbook returns a table");
    known_fields(L, file, table, fields, KP_COUNT(fields), "playbook");
    lua_pushliteral(L, "api");
    if (lua_rawget(L, table) == LUA_TNIL)
        BAD(L, file, "", "add api = 1", "the playbook does not say which api it needs");
    lua_Integer api = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    if (api < 1)
        BAD(L, file, "api", "write api = 1", "api is a whole number");
    if (api > KP_API)
        BAD(L, file, "api", "install a newer kplay", "the playbook needs api %d, this kplay has %d",
            (int)(api < 1000000 ? api : 1000000), KP_API);
    lua_pop(L, 1);
    h->api = (int)api;
    h->summary = text_field(L, table, "summary");
    if (!h->summary || !*h->summary)
        BAD(L, file, "summary", "add summary = \"...\"", "the playbook has no summary");
    if (type_of(L, table, "effects") == LUA_TNIL)
        BAD(L, file, "", "add effects = {}, or what it may do",
            "the playbook does not say its effects");
    h->effects = kl_header_effects(L, file, table);
    read_args(L, file, table, h);
    for (size_t i = 0; i < KP_COUNT(parts); i++) {
        int type = type_of(L, table, parts[i]);
        if (type != LUA_TNIL && type != LUA_TFUNCTION)
            BAD(L, file, parts[i], "write function(args) ... end", "%s is a function", parts[i]);
        h->has[i] = type == LUA_TFUNCTION;
    }
    if (!h->has[KP_PART_RUN])
        BAD(L, file, "", "add run = function(args) ... end", "the playbook has no `run`");
    h->comment = kl_first_comment(s->a, file->text, file->n);
}

/* ---- the same as documentation ---- */

static const kp_value *level_of(kp_arena *a, const char *level, const char *doc, const field *f,
                                size_t n)
{
    kp_builder keys = kp_list_begin(a);
    for (size_t i = 0; i < n; i++)
        kp_list_add(&keys, kp_map(a, "key", kp_text(a, f[i].name), "type", kp_text(a, f[i].type),
                                  "needed", f[i].needed ? kp_bool(true) : NULL, "doc",
                                  kp_text(a, f[i].doc), "example", kp_text(a, f[i].example), NULL));
    return kp_map(a, "level", kp_text(a, level), "doc", kp_text(a, doc), "keys", kp_list_end(&keys),
                  NULL);
}

static const kp_value *types(kp_arena *a)
{
    kp_builder keys = kp_list_begin(a);
    for (const kp_arg_type *t = kp_arg_types; t->name; t++)
        kp_list_add(&keys, kp_map(a, "key", kp_text(a, t->name), "type", kp_text(a, t->in_lua),
                                  "doc", kp_text(a, t->takes), "example",
                                  kp_textf(a, "--NAME %s", t->example), NULL));
    return kp_map(a, "level", kp_text(a, "types"), "doc", kp_text(a, "what an argument takes"),
                  "keys", kp_list_end(&keys), NULL);
}

const kp_value *kl_header_keys(kp_arena *a)
{
    kp_builder levels = kp_list_begin(a);
    kp_list_add(&levels, level_of(a, "",
                                  "One file that returns one table; the comment it begins "
                                  "with is its description.",
                                  fields, KP_COUNT(fields)));
    kp_list_add(&levels,
                level_of(a, "args.NAME", "one argument", arg_fields, KP_COUNT(arg_fields)));
    kp_list_add(&levels, types(a));
    return kp_list_end(&levels);
}
