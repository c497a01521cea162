/* The texts a run goes by: its playbook and what that requires, as they are found now and as the
 * journal kept them when the run began.
 */
#include "engine/run.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

static char *key_of(kp_arena *a, kp_find what, const char *name)
{
    return what == KP_FIND_STDLIB ? kp_printf(a, "stdlib/%s.lua", name)
           : what == KP_FIND_TEAM ? kp_printf(a, "team/%s.lua", name)
                                  : kp_strdup(a, name);
}

/* Where the run began, when that is not here; NULL. */
static const char *began_in(const kp_run *r)
{
    char here[PATH_MAX];
    const char *dir = r->j ? kp_get_text(kp_journal_at(r->j, 1)->body, "dir", NULL) : NULL;
    return dir && !(getcwd(here, sizeof here) && kp_streq(here, dir)) ? dir : NULL;
}

/* As it is now.  A path is one from where the run began. */
static kp_err *find_now(kp_run *r, kp_arena *a, kp_find what, const char *name,
                        const char **ret_path, const char **ret_text, size_t *ret_n)
{
    bool path = what == KP_FIND_PLAYBOOK && *name != '/' && strchr(name, '/');
    const char *dir = path ? began_in(r) : NULL;

    *ret_text = NULL;
    if (!r->spec->find)
        return NULL;
    if (dir)
        KP_TRY(r->spec->find(r->spec->find_ud, a, what, kp_printf(a, "%s/%s", dir, name), ret_path,
                             ret_text, ret_n));
    if (*ret_text)
        return NULL;
    return r->spec->find(r->spec->find_ud, a, what, name, ret_path, ret_text, ret_n);
}

/* whole: these are all, and take the place of what was kept. */
static kp_err *keep(kp_run *r, const kp_source *sources, size_t n, bool whole)
{
    const kp_value *kept;

    KP_TRY(kp_journal_keep(r->a, r->j, sources, n, &kept));
    return kp_record_add(r, KP_K_CHANGE,
                         kp_map(r->a, "who", kp_text(r->a, r->spec->who), "sources", kept, "whole",
                                whole ? kp_bool(true) : NULL, NULL));
}

/* What is loaded while the run is at work is in its journal before the first of its lines runs. */
static kp_err *find(void *ud, kp_arena *a, kp_find what, const char *name, const char **ret_path,
                    const char **ret_text, size_t *ret_n)
{
    kp_run *r = ud;
    char *key = key_of(a, what, name);

    *ret_text = NULL;
    if (r->stored)
        KP_TRY(kp_journal_source(a, r->j, key, ret_text, ret_n));
    if (*ret_text) {
        *ret_path = key;
        return NULL;
    }
    KP_TRY(find_now(r, a, what, name, ret_path, ret_text, ret_n));
    if (!*ret_text || !r->keeps)
        return NULL;
    return keep(r, &(kp_source) { .name = key, .text = *ret_text, .n = *ret_n }, 1, false);
}

kp_find_fn kp_run_find(kp_run *r, void **ret_ud)
{
    *ret_ud = r;
    return find;
}

static char *first_difference(kp_arena *a, const char *old, const char *now)
{
    int line = 1;
    while (*old && *old == *now) {
        line += *old == '\n';
        old++;
        now++;
    }
    while (line > 1 && old[-1] != '\n') {
        old--;
        now--;
    }
    return kp_printf(a, "  line %d was  %.*s\n  line %d is   %.*s\n", line, (int)strcspn(old, "\n"),
                     old, line, (int)strcspn(now, "\n"), now);
}

static kp_err *refuse(kp_run *r, const char *name, const char *path, const char *was,
                      const char *text)
{
    kp_err *e = kp_err_new(KP_REFUSED, "undo it", "%s was %s since the run began", name,
                           text ? "changed" : "deleted");
    const char *sha = kp_get_text(kp_journal_sources(r->j), name, "");

    if (!text)
        return kp_err_next(e, "put it back (its text is %s/sources/%s), then: kplay resume %s",
                           kp_journal_dir(r->j), sha, r->id);
    e = kp_err_at(e, "%s", path);
    e = kp_err_detail(e, "%s", first_difference(r->a, was ? was : "", text));
    return kp_err_next(e,
                       "undo the edit   |   kplay resume %s --accept-changed-playbook (replays "
                       "every answer against it first)",
                       r->id);
}

/* A key as the name it was asked by: "stdlib/NAME.lua" and "team/NAME.lua" are modules'. */
static kp_find what_of(kp_arena *a, const char *key, const char **ret_name)
{
    static const struct {
        const char *folder;
        kp_find what;
    } rows[] = { { "stdlib/", KP_FIND_STDLIB }, { "team/", KP_FIND_TEAM } };
    size_t n = strlen(key), tail = strlen(".lua");

    *ret_name = key;
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        size_t head = strlen(rows[i].folder);
        if (!kp_starts_with(key, rows[i].folder) || !kp_ends_with(key, ".lua") || n <= head + tail)
            continue;
        *ret_name = kp_strndup(a, key + head, n - head - tail);
        return rows[i].what;
    }
    return KP_FIND_PLAYBOOK;
}

/* The playbook or a module was edited since: refused with the first difference, unless accepted -
 * and then only after the whole journal has been replayed against it without any world. */
kp_err *kp_sources_changed(kp_run *r, bool *ret_changed)
{
    const kp_value *sources = kp_journal_sources(r->j);

    *ret_changed = false;
    for (uint32_t i = 0; i < kp_len(sources); i++) {
        const char *name = sources->keys[i], *path = name, *text = NULL, *was = NULL;
        size_t n, n_was;
        const char *bare;
        kp_find what = what_of(r->a, name, &bare);
        KP_TRY(find_now(r, r->a, what, bare, &path, &text, &n));
        if (!text && what != KP_FIND_PLAYBOOK) /* a path may look like a module's key */
            KP_TRY(find_now(r, r->a, KP_FIND_PLAYBOOK, name, &path, &text, &n));
        KP_TRY(kp_journal_source(r->a, r->j, name, &was, &n_was));
        if (text && was && n == n_was && memcmp(text, was, n) == 0)
            continue;
        *ret_changed = true;
        if (!r->spec->accept_changed_playbook)
            return refuse(r, name, path, was, text);
    }
    return NULL;
}

kp_err *kp_sources_keep(kp_run *r)
{
    const kp_source *sources;
    size_t n = kp_script_host_table.sources(r->script, &sources);

    return keep(r, sources, n, true);
}
