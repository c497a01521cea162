/* Playbooks: finding files, running their top level, calling their parts; the script host's table.
 *
 * Every part begins with a fresh top level of the playbook and of its modules, so that a resumed
 * run, which does not run `check` again, meets the same variables as the first one did.
 */
#include "kl.h"
#include "spec.h"

#include <string.h>

static const char modules_key, loading_mark, failed_mark;

/* ---- files ---- */

static kp_err *too_many(void)
{
    return kp_err_new(KP_PLAYBOOK, "use fewer modules", "more than %d files in one run", KL_FILES);
}

kp_err *kl_file_get(kp_script *s, kp_find what, const char *name, const kl_file **ret_file)
{
    const char *path = name, *text = NULL;
    size_t n = 0;
    void *ud = s->find_ud;
    kp_find_fn find = s->r ? kp_run_find(s->r, &ud) : s->find;

    for (size_t i = 0; i < s->n_files; i++)
        if (s->files[i].what == what && kp_streq(s->files[i].asked, name)) {
            *ret_file = &s->files[i];
            return NULL;
        }
    KP_TRY(find(ud, s->a, what, name, &path, &text, &n));
    if (!text) {
        *ret_file = NULL;
        return NULL;
    }
    if (n > KP_SCRIPT_LIMIT)
        return kp_err_at(kp_err_new(KP_PLAYBOOK, "move a part of it into a module",
                                    "the file is longer than %u KiB", KP_SCRIPT_LIMIT / 1024),
                         "%s", path);
    if (n > 0 && *text == LUA_SIGNATURE[0])
        return kp_err_at(
            kp_err_new(KP_PLAYBOOK, "give the source", "this is compiled Lua, not a playbook"),
            "%s", path);
    if (s->n_files == KL_FILES)
        return too_many();
    kl_file *f = &s->files[s->n_files];
    *f = (kl_file) { .what = what,
                     .asked = kp_strdup(s->a, name),
                     .path = kp_strdup(s->a, path),
                     .chunk = kp_printf(s->a, "@%s", path),
                     .text = kp_strndup(s->a, text, n),
                     .n = n };
    s->sources[s->n_files++] = (kp_source) {
        .name = what == KP_FIND_STDLIB ? kp_printf(s->a, "stdlib/%s.lua", name)
                : what == KP_FIND_TEAM ? kp_printf(s->a, "team/%s.lua", name)
                                       : f->asked,
        .text = f->text,
        .n = n,
    };
    *ret_file = f;
    return NULL;
}

KL_RAISES void kl_file_run(lua_State *L, const kl_file *file)
{
    kp_script *s = kl_of(L);

    luaL_checkstack(L, 10, "files inside each other");
    kl_box *box = kl_box_new(L);
    if (luaL_loadbufferx(L, file->text, file->n, file->chunk, "t") != LUA_OK) {
        if (s->kill != KL_ALIVE)
            lua_error(L);
        box->err = kl_syntax_error(file, lua_tostring(L, -1));
        lua_pop(L, 1);
        lua_error(L);
    }
    kl_file *own = &s->files[file - s->files];
    if (!own->scanned)
        box->err = kl_scan(file, s->names);
    if (box->err) {
        lua_pop(L, 1);
        lua_error(L);
    }
    own->scanned = true;
    lua_remove(L, -2);
    kl_env_push(L);
    if (!lua_setupvalue(L, -2, 1))
        lua_pop(L, 1);
    s->loading++;
    int status = kl_pcall(L, 0, 1);
    s->loading--;
    if (status != LUA_OK)
        lua_error(L);
}

/* ---- require ---- */

static void name_of(lua_State *L, const char *asked, kp_find *ret_what, const char **ret_name)
{
    bool team = kp_starts_with(asked, "team.");
    const char *name = team ? asked + 5 : asked;

    for (const char *p = name; *p || p == name; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9') &&
            *p != '_' && *p != '-')
            kl_throw(L,
                     "require \"gate\" is of the stdlib, require \"team.night\" is team/night.lua",
                     "require takes the name of a module, not \"%.60s\"", asked);
    *ret_what = team ? KP_FIND_TEAM : KP_FIND_STDLIB;
    *ret_name = name;
}

/* A module's effects must be among the playbook's once its header was read. */
static void check_effects(lua_State *L, const kl_file *file)
{
    kp_script *s = kl_of(L);

    if (file->what != KP_FIND_TEAM || !lua_istable(L, -1))
        return;
    unsigned effects = kl_header_effects(L, file, lua_gettop(L));
    for (unsigned bit = 1; bit && s->r; bit <<= 1)
        if ((effects & ~s->header.effects & bit) && kp_grant_name((kp_grant)bit))
            kl_throw(L, "declare it in the playbook's effects",
                     "module %s may do \"%s\", which the playbook does not declare", file->path,
                     kp_grant_name((kp_grant)bit));
}

/* 1: a kl_file as light userdata; answers the module's value. */
static int run_module(lua_State *L)
{
    const kl_file *file = lua_touserdata(L, 1);

    kl_file_run(L, file);
    if (lua_isnil(L, -1))
        return kl_throw(L, "end it with: return M", "module %s returns nothing", file->path);
    check_effects(L, file);
    return 1;
}

/* require(name): [-1, +1]  A module that failed is not run again: its first error says why. */
KL_RAISES int kl_lua_require(lua_State *L)
{
    kp_script *s = kl_of(L);
    kp_find what;
    const char *name;
    const kl_file *file;

    kl_charge(L, 1);
    lua_settop(L, 1);
    name_of(L, luaL_checkstring(L, 1), &what, &name);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &modules_key);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 2) != LUA_TNIL) {
        if (lua_touserdata(L, -1) == &loading_mark)
            return kl_throw(L, "move what both need into a third module",
                            "module \"%.60s\" requires itself", lua_tostring(L, 1));
        if (lua_touserdata(L, -1) == &failed_mark)
            return kl_throw(L, "mend what its first error says",
                            "module \"%.60s\" could not be loaded", lua_tostring(L, 1));
        return 1;
    }
    lua_settop(L, 2);
    kl_box *box = kl_box_new(L);
    box->err = kl_file_get(s, what, name, &file);
    if (!box->err && !file)
        box->err = kp_err_new(
            KP_PLAYBOOK,
            what == KP_FIND_TEAM
                ? "team modules are in team/, beside the cluster file"
                : "kplay doc lists the shipped ones; yours are team.NAME, beside the cluster file",
            "there is no module \"%.60s\"", lua_tostring(L, 1));
    if (box->err) {
        char place[KL_PLACE];
        kl_place(L, place);
        if (!*box->err->where && *place)
            box->err = kp_err_at(box->err, "%s", place);
        lua_error(L);
    }
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&loading_mark);
    lua_rawset(L, 2);
    lua_pushcfunction(L, run_module);
    lua_pushlightuserdata(L, (void *)(uintptr_t)file);
    bool failed = kl_pcall(L, 1, 1) != LUA_OK;
    lua_pushvalue(L, 1);
    if (failed)
        lua_pushlightuserdata(L, (void *)(uintptr_t)&failed_mark);
    else
        lua_pushvalue(L, -2);
    lua_rawset(L, 2);
    return failed ? lua_error(L) : 1;
}

/* ---- playbooks ---- */

static const char *const part_names[] = { "check", "run", "verify" };

KL_RAISES void kl_playbook_open(lua_State *L, const kl_file *file, kp_header *h)
{
    kl_file_run(L, file);
    h->name = file->asked;
    kl_header_read(L, file, h);
}

KL_RAISES void kl_playbook_part(lua_State *L, int table, kp_part part, const kp_value *args)
{
    lua_pushstring(L, part_names[part]);
    lua_rawget(L, table);
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    kl_push_value(L, args);
    lua_call(L, 1, 0);
}

/* A fresh table of modules: [-0, +0] */
static void forget_modules(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &modules_key);
}

static int load_main(lua_State *L)
{
    kp_script *s = kl_of(L);

    forget_modules(L);
    kl_playbook_open(L, s->main, &s->header);
    /* The effects of team modules that it names join its own. */
    lua_rawgetp(L, LUA_REGISTRYINDEX, &modules_key);
    int modules = lua_gettop(L);
    for (size_t i = 0; i < s->n_files; i++)
        if (s->files[i].what == KP_FIND_TEAM) {
            lua_pushfstring(L, "team.%s", s->files[i].asked);
            if (lua_rawget(L, modules) == LUA_TTABLE)
                s->header.effects |= kl_header_effects(L, &s->files[i], lua_gettop(L));
            lua_settop(L, modules);
        }
    return 0;
}

static kp_err *script_load(kp_arena *a, const char *name, const kp_op *const *verbs,
                           kp_find_fn find, void *ud, kp_script **ret_s)
{
    kp_script *s = KP_NEW(a, kp_script);

    *s = (kp_script) { .a = a, .verbs = verbs, .find = find, .find_ud = ud };
    kl_random_seed(s, 1);
    kp_err *e = kl_file_get(s, KP_FIND_PLAYBOOK, name, &s->main);
    if (!e && !s->main)
        e = kp_err_new(KP_USAGE, "kplay playbooks lists them", "there is no playbook \"%.200s\"",
                       name);
    if (!e)
        e = kl_state_open(s);
    kl_watch_on(s);
    if (!e)
        e = kl_protect(s, load_main, NULL);
    kl_watch_off(s);
    if (e) {
        kl_state_close(s);
        return e;
    }
    *ret_s = s;
    return NULL;
}

static const kp_header *script_header(kp_script *s)
{
    return &s->header;
}

static size_t script_sources(kp_script *s, const kp_source **ret_sources)
{
    *ret_sources = s->sources;
    return s->n_files;
}

static int call_part(lua_State *L)
{
    kp_script *s = kl_of(L);
    const kp_value *args = lua_touserdata(L, 1);
    kp_header *h = KP_NEW(s->a, kp_header);

    forget_modules(L);
    kl_playbook_open(L, s->main, h);
    kl_playbook_part(L, lua_gettop(L), s->part, args);
    return 0;
}

static kp_err *script_call(kp_script *s, kp_run *r, kp_part part, const kp_value *args)
{
    s->r = r;
    s->part = part;
    kl_random_seed(s, kp_run_seed(r) + (uint64_t)part);
    kl_burst(s);
    kl_watch_on(s);
    kp_err *e = kl_protect(s, call_part, (void *)(uintptr_t)args);
    kl_watch_off(s);
    return e;
}

static void script_free(kp_script *s)
{
    if (s)
        kl_state_close(s);
}

const kp_script_host kp_script_host_table = {
    .load = script_load,
    .header = script_header,
    .sources = script_sources,
    .call = script_call,
    .free = script_free,
    .keys = kl_header_keys,
    .specs = kl_specs,
    .spec_keys = kl_spec_keys,
    .release = LUA_RELEASE,
    .rev = KL_REV,
};
