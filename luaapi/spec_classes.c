/* The options that a spec gives, and the results that it gets: rows that are checked and told. */
#include "spec.h"

#include <stdio.h>
#include <string.h>

#include "kl.h"

typedef struct field {
    const char *name, *type, *doc; /* a type that ends with ?: it may be absent */
    const char *const *words;      /* the texts it can be, ends with NULL; its type says the rest */
} field;

typedef struct class
{
    const char *name;
    const field *fields; /* ends with a name that is NULL */
} class;

static const class *class_named(const char *name); /* of the tables at the end */

/* ---- options: what their rows say, and nothing else ---- */

static bool is_optional(const field *f)
{
    return kp_ends_with(f->type, "?");
}

static bool is_list(const field *f)
{
    return kp_ends_with(f->type, "[]") || kp_ends_with(f->type, "[]?");
}

/* at: its place in a list; 0: it is in none. */
static void check_word(lua_State *L, const field *f, int i, lua_Integer at)
{
    const char *word = lua_type(L, i) == LUA_TSTRING ? lua_tostring(L, i) : luaL_typename(L, i);
    luaL_Buffer b;

    for (size_t k = 0; lua_type(L, i) == LUA_TSTRING && f->words[k]; k++)
        if (kp_streq(f->words[k], word))
            return;
    const char *name = at ? lua_pushfstring(L, "%s[%d]", f->name, (int)at) : f->name;
    const char *near = kp_did_you_mean(word, f->words);
    luaL_buffinit(L, &b);
    for (size_t k = 0; f->words[k]; k++) {
        luaL_addstring(&b, k ? ", " : "");
        luaL_addstring(&b, f->words[k]);
    }
    luaL_pushresult(&b);
    kl_spec_mistake(L,
                    near ? "%s cannot be \"%s\"; did you mean \"%s\"?"
                         : "%s cannot be \"%s\" (it is one of %s)",
                    name, word, near ? near : lua_tostring(L, -1));
}

static void check_fields(lua_State *L, int i, const class *c);

/* An item of a list of tables, which have a class. */
static void check_item(lua_State *L, const field *f, int i, lua_Integer at)
{
    char type[64];

    snprintf(type, sizeof type, "%.*s", (int)strcspn(f->type, "["), f->type);
    if (!lua_istable(L, i))
        kl_spec_mistake(L, "%s[%d] takes table, not %s", f->name, (int)at, luaL_typename(L, i));
    if (class_named(type))
        check_fields(L, i, class_named(type));
}

static void check_list(lua_State *L, const field *f, int i)
{
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1))
        n++;
    for (lua_Integer k = 1; k <= n; k++) {
        if (lua_rawgeti(L, i, k) == LUA_TNIL)
            kl_spec_mistake(L, "%s is a list: it has no item %d and %d in all", f->name, (int)k,
                            (int)n);
        if (f->words)
            check_word(L, f, lua_gettop(L), k);
        else
            check_item(L, f, lua_gettop(L), k);
        lua_pop(L, 1);
    }
}

static void check_field(lua_State *L, const field *f, int i)
{
    static const char *const plain[] = { "integer", "string", "boolean" };
    char type[64];

    snprintf(type, sizeof type, "%.*s", (int)strcspn(f->type, "?"), f->type);
    const class *inner = class_named(type);
    const char *want = "table", *got = lua_isinteger(L, i) ? "integer" : luaL_typename(L, i);
    if (f->words && !is_list(f)) {
        check_word(L, f, i, 0);
        return;
    }
    for (size_t k = 0; k < KP_COUNT(plain); k++)
        if (kp_streq(type, plain[k]))
            want = plain[k];
    if (!kp_streq(want, got))
        kl_spec_mistake(L, "%s takes %s, not %s", f->name, want, got);
    if (kp_streq(want, "integer") && lua_tointeger(L, i) < 1)
        kl_spec_mistake(L, "%s takes an integer from 1", f->name);
    if (inner)
        check_fields(L, i, inner);
    else if (is_list(f))
        check_list(L, f, i);
}

static int unknown(lua_State *L, const class *c, const char *key)
{
    const char *names[32];
    size_t n = 0;
    luaL_Buffer b;

    for (const field *f = c->fields; f->name && n + 1 < KP_COUNT(names); f++)
        names[n++] = f->name;
    names[n] = NULL;
    const char *near = kp_did_you_mean(key, names);
    if (near)
        return kl_spec_mistake(L, "%s has no \"%s\"; did you mean \"%s\"?", c->name, key, near);
    luaL_buffinit(L, &b);
    for (size_t k = 0; k < n; k++) {
        luaL_addstring(&b, k ? ", " : "");
        luaL_addstring(&b, names[k]);
    }
    luaL_pushresult(&b);
    return kl_spec_mistake(L, "%s has no \"%s\" (it has %s)", c->name, key, lua_tostring(L, -1));
}

static void check_fields(lua_State *L, int i, const class *c)
{
    int top = lua_gettop(L);
    luaL_checkstack(L, 10, "options");
    for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            kl_spec_mistake(L, "%s has names, and no item %s", c->name,
                            luaL_tolstring(L, -2, NULL));
        const char *key = lua_tostring(L, -2);
        const field *f = c->fields;
        while (f->name && !kp_streq(f->name, key))
            f++;
        if (!f->name)
            unknown(L, c, key);
        check_field(L, f, lua_gettop(L));
    }
    for (const field *f = c->fields; f->name; f++) {
        if (!is_optional(f) && lua_getfield(L, i, f->name) == LUA_TNIL)
            kl_spec_mistake(L, "%s needs \"%s\"", c->name, f->name);
        lua_settop(L, top);
    }
}

/* The table at i, checked against the rows of kplay.run_options; nil is an empty one. */
const kp_value *kl_spec_options(lua_State *L, int i, kp_arena *a)
{
    if (lua_isnoneornil(L, i))
        return kp_map(a, NULL);
    luaL_checktype(L, i, LUA_TTABLE);
    check_fields(L, i, class_named("kplay.run_options"));
    return kl_spec_value(L, i, a, 0);
}

/* ---- the tables ---- */

#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static const field options_fields[] = {
    { "answers", "[]?",
      "to what this session asks, one by one and in order: a confirm, what is irreversible, a node "
      "that failed (back_out is its yes, stop its no)",
      kp_answer_words },
    { "answer", "?", "to every question that `answers` has none for; default yes",
      kp_answer_words },
    { "start", "?", "to \"Go on?\", before the first action; default yes", kp_answer_words },
    { "policy", "kplay.policy?", "the cluster file's `policy:`", NULL },
    { "forced", "kplay.forced?", "a row of the guard that is overridden, as by --force", NULL },
    { "killed_at", "integer?",
      "the process dies right after this record of the journal; a run that ends before just ends",
      NULL },
    { "supersede", "boolean?", "of sim:run: closes the unfinished run for good first", NULL },
    END,
};
static const field policy_fields[] = {
    { "guard", "?", "default strict", kp_guard_levels },
    { "on_failure", "?", "of a node; default stop", kp_on_failures },
    { "accept", "kplay.accept[]?", "topics and partitions that may be unavailable", NULL },
    END,
};
static const field accept_fields[] = {
    { "topic", "string?", "a topic's whole name", NULL },
    { "partition", "string?", "or a partition: \"orders-3\"", NULL },
    { "until", "string?", "the last day this holds, UTC", NULL },
    { "why", "string?", "the reason", NULL },
    END,
};
static const field forced_fields[] = {
    { "guard", "string", "the row's name (kplay doc guard)", NULL },
    { "reason", "string?", "why", NULL },
    END,
};
static const field result_fields[] = {
    { "ok", "boolean", "it ended well", NULL },
    { "exit", "integer", "the command line's exit code; 137 when it was killed", NULL },
    { "state", "string?",
      "\"done\", \"paused\", \"failed\", \"refused\" or \"killed\"; nil: no run began", NULL },
    { "error", "kplay.error?", "why it did not end well", NULL },
    { "questions", "kplay.question[]", "what was asked, in order", NULL },
    { "events", "kplay.event[]", "what the screen would tell, in order", NULL },
    { "report", "table?",
      "what the end of a run reports: run, records, stops, warnings, overrides, took_ms ...",
      NULL },
    { "oracle", "kplay.oracle", "as sim:oracle() says it now", NULL },
    END,
};
static const field error_fields[] = {
    { "class", "string", "\"refused\", \"safety\", \"failed\", \"paused\", \"usage\" ...", NULL },
    { "what", "string", "one line", NULL },
    { "next", "string", "what a person can do", NULL },
    { "where", "string", "\"mine.lua:12:3\", a node; \"\"", NULL },
    { "detail", "string", "more lines; \"\"", NULL },
    END,
};
static const field question_fields[] = {
    { "kind", "string", "\"start\", \"confirm\", \"failure\" or \"irreversible\"", NULL },
    { "text", "string", "what was asked", NULL },
    { "details", "string?", "what was shown with it", NULL },
    { "answer", "string", "the word that answered it", NULL },
    END,
};
static const field event_fields[] = {
    { "event", "string",
      "as --json names it: \"step\", \"begin\", \"done\", \"warn\", \"doubt\", \"held\" ...",
      NULL },
    { "verb", "string?", "the verb", NULL },
    { "node", "integer?", "the node's id", NULL },
    { "step", "string?", "the open step", NULL },
    { "text", "string?", "what it says", NULL },
    { "failed", "boolean?", "it ended with an error", NULL },
    { "about", "table?", "of a warning: what it is about, a finding", NULL },
    END,
};
static const field counts_fields[] = {
    { "stops", "integer", "of its service", NULL },
    { "starts", "integer", "of its service", NULL },
    { "links", "integer", "switches of the release", NULL },
    { "files", "integer", "files written", NULL },
    { "jobs", "integer", "jobs begun, such as staging", NULL },
    { "fences", "integer", "fences raised", NULL },
    { "repeated", "integer", "requests that had acted before", NULL },
    { "refused", "integer", "requests of a run that holds the host no more", NULL },
    END,
};
static const field act_fields[] = {
    { "at", "integer", "when, UTC in milliseconds", NULL },
    { "act", "string", "\"stop\", \"start\", \"link\" ...", NULL },
    { "node", "integer?", "on which node", NULL },
    { "op", "string", "a digest of the action's id", NULL },
    { "epoch", "integer", "of the run's fence", NULL },
    { "leaders_moved", "integer?", "of a broker's stop", NULL },
    { "peak_urp", "integer?", "of a broker's stop: the most partitions under-replicated", NULL },
    { "peak_at_min_isr", "integer?", "of a broker's stop: the most at min.insync.replicas", NULL },
    { "rejoined", "integer?", "of a broker's stop: when it was back in sync", NULL },
    END,
};
static const field oracle_fields[] = {
    { "violations", "integer", "of all rules", NULL },
    { "first", "string[]", "the first ones, in words", NULL },
    END,
};

static const class classes[] = {
    { "kplay.run_options", options_fields }, { "kplay.policy", policy_fields },
    { "kplay.accept", accept_fields },       { "kplay.forced", forced_fields },
    { "kplay.result", result_fields },       { "kplay.error", error_fields },
    { "kplay.question", question_fields },   { "kplay.event", event_fields },
    { "kplay.counts", counts_fields },       { "kplay.act", act_fields },
    { "kplay.oracle", oracle_fields },       END,
};

static const class *class_named(const char *name)
{
    const class *c = classes;
    while (c->name && !kp_streq(c->name, name))
        c++;
    return c->name ? c : NULL;
}

/* ---- the tables, told ---- */

/* ("yes"|"no"), and what the row says of it: []? */
static const kp_value *type_of(kp_arena *a, const field *f)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4096);
    if (!f->words)
        return kp_text(a, f->type);
    for (size_t i = 0; f->words[i]; i++)
        kp_buf_fmt(&b, "%s\"%s\"", i ? "|" : "", f->words[i]);
    return kp_textf(a, "(%s)%s", kp_buf_text(&b), f->type);
}

static const kp_value *class_value(kp_arena *a, const class *c)
{
    kp_builder fields = kp_list_begin(a);
    for (const field *f = c->fields; f->name; f++)
        kp_list_add(&fields, kp_map(a, "name", kp_text(a, f->name), "type", type_of(a, f), "doc",
                                    kp_text(a, f->doc), NULL));
    return kp_map(a, "class", kp_text(a, c->name), "fields", kp_list_end(&fields), NULL);
}

void kl_spec_add_classes(kp_arena *a, kp_builder *list)
{
    for (const class *c = classes; c->name; c++)
        kp_list_add(list, class_value(a, c));
}
