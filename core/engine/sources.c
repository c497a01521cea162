/* The texts a run goes by: its playbook and what that requires, as they are found now and as the
 * journal kept them when the run began.
 */
#include "engine/run.h"

#include <string.h>

static char *key_of(kp_arena *a, kp_find what, const char *name)
{
    return what == KP_FIND_STDLIB ? kp_printf(a, "stdlib/%s.lua", name)
           : what == KP_FIND_TEAM ? kp_printf(a, "team/%s.lua", name)
                                  : kp_strdup(a, name);
}

/* As it is now.  A path is tried from where the run began as well. */
static kp_err *find_now(kp_run *r, kp_arena *a, kp_find what, const char *name,
                        const char **ret_path, const char **ret_text, size_t *ret_n)
{
    const char *dir = r->j ? kp_get_text(kp_journal_at(r->j, 1)->body, "dir", NULL) : NULL;

    *ret_text = NULL;
    if (!r->spec->find)
        return NULL;
    KP_TRY(r->spec->find(r->spec->find_ud, a, what, name, ret_path, ret_text, ret_n));
    if (*ret_text || what != KP_FIND_PLAYBOOK || !dir || *name == '/' || !strchr(name, '/'))
        return NULL;
    return r->spec->find(r->spec->find_ud, a, what, kp_printf(a, "%s/%s", dir, name), ret_path,
                         ret_text, ret_n);
}

static kp_err *keep(kp_run *r, const kp_source *sources, size_t n)
{
    const kp_value *kept;

    KP_TRY(kp_journal_keep(r->a, r->j, sources, n, &kept));
    return kp_record_add(r, KP_K_CHANGE,
                         kp_map(r->a, "who", kp_text(r->a, r->spec->who), "sources", kept, NULL));
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
    return keep(r, &(kp_source) { .name = key, .text = *ret_text, .n = *ret_n }, 1);
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

/* The playbook or a module was edited since: refused with the first difference, unless accepted -
 * and then only after the whole journal has been replayed against it without any world. */
kp_err *kp_sources_changed(kp_run *r, bool *ret_changed)
{
    const kp_value *sources = kp_journal_sources(r->j);

    *ret_changed = false;
    for (uint32_t i = 0; i < kp_len(sources); i++) {
        const char *name = sources->keys[i], *path = name, *text = NULL, *was = NULL;
        size_t n, n_was;
        kp_find what = kp_starts_with(name, "stdlib/") ? KP_FIND_STDLIB
                       : kp_starts_with(name, "team/") ? KP_FIND_TEAM
                                                       : KP_FIND_PLAYBOOK;
        const char *bare = name;
        if (what != KP_FIND_PLAYBOOK) { /* FOLDER/NAME.lua */
            bare = strchr(name, '/') + 1;
            bare = kp_strndup(r->a, bare, strlen(bare) - strlen(".lua"));
        }
        KP_TRY(find_now(r, r->a, what, bare, &path, &text, &n));
        KP_TRY(kp_journal_source(r->a, r->j, name, &was, &n_was));
        if (text && was && n == n_was && memcmp(text, was, n) == 0)
            continue;
        *ret_changed = true;
        if (!text || !r->spec->accept_changed_playbook)
            return refuse(r, name, path, was, text);
    }
    return NULL;
}

kp_err *kp_sources_keep(kp_run *r)
{
    const kp_source *sources;
    size_t n = kp_script_host_table.sources(r->script, &sources);

    return keep(r, sources, n);
}
