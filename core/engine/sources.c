/* The texts a run goes by: its playbook and what that requires, as they are found now and as the
 * journal kept them when the run began.
 */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

static kp_err *find_stored(void *ud, kp_arena *a, kp_find what, const char *name,
                           const char **ret_path, const char **ret_text, size_t *ret_n)
{
    const kp_run *r = ud;
    const char *key = what == KP_FIND_STDLIB ? kp_printf(a, "stdlib/%s.lua", name)
                      : what == KP_FIND_TEAM ? kp_printf(a, "team/%s.lua", name)
                                             : name;
    *ret_path = key;
    return kp_journal_source(a, r->j, key, ret_text, ret_n);
}

void kp_run_find_stored(kp_run *r)
{
    r->find = find_stored;
    r->find_ud = r;
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

/* The playbook or a module was edited since: refused with the first difference, unless accepted -
 * and then only after the whole journal has been replayed against it without any world. */
kp_err *kp_sources_changed(kp_run *r, bool *ret_changed)
{
    const kp_value *sources = kp_get(kp_journal_at(r->j, 1)->body, "sources");

    *ret_changed = false;
    for (uint32_t i = 0; sources && i < sources->n; i++) {
        const char *name = sources->keys[i], *path, *text = NULL, *was = NULL;
        size_t n, n_was;
        char bare[256];
        kp_find what = kp_starts_with(name, "stdlib/") ? KP_FIND_STDLIB
                       : kp_starts_with(name, "team/") ? KP_FIND_TEAM
                                                       : KP_FIND_PLAYBOOK;
        const char *tail = what == KP_FIND_PLAYBOOK ? name : strchr(name, '/') + 1;
        snprintf(bare, sizeof bare, "%.*s",
                 what == KP_FIND_PLAYBOOK ? (int)strlen(tail) : (int)(strlen(tail) - 4), tail);
        KP_TRY(r->spec->find(r->spec->find_ud, r->a, what, bare, &path, &text, &n));
        KP_TRY(kp_journal_source(r->a, r->j, name, &was, &n_was));
        if (text && was && n == n_was && memcmp(text, was, n) == 0)
            continue;
        *ret_changed = true;
        if (r->spec->accept_changed_playbook || !text)
            continue;
        kp_err *e = kp_err_new(KP_REFUSED, "undo the edit", "%s was changed since the run began",
                               name);
        e = kp_err_at(e, "%s", path);
        e = kp_err_detail(e, "%s", first_difference(r->a, was ? was : "", text));
        return kp_err_next(e,
                           "undo the edit   |   kplay resume %s --accept-changed-playbook (replays "
                           "every answer against it first)",
                           r->id);
    }
    return NULL;
}

kp_err *kp_sources_keep(kp_run *r)
{
    const kp_source *sources;
    const kp_value *kept;
    size_t n = kp_script_host_table.sources(r->script, &sources);

    KP_TRY(kp_journal_keep(r->a, r->j, sources, n, &kept));
    return kp_record_add(r, KP_K_CHANGE,
                         kp_map(r->a, "who", kp_text(r->a, r->spec->who), "sources", kept, NULL));
}
