/* Baselines: what a question has found, kept whole in the run for a later question.
 *
 * It may be far too large for a playbook's memory, so a playbook knows it by its name alone.  It
 * stands in the run's journal, under the engine's own mark; large ones are files of the run then,
 * named by their sha256, as every large answer is (journal.h).  The newest of a name counts: a
 * question that a crash cut off from its answer is asked again, and keeps again.
 */
#include "engine/run.h"

#include <string.h>

#define PATH "@baseline"

kp_err *kp_baseline_keep(kp_run *r, kp_arena *a, const char *name, const kp_value *v)
{
    if (r->predicate.on)
        return kp_err_new(KP_PLAYBOOK, "keep it before the wait",
                          "a baseline is kept inside wait_until");
    KP_TRY(kp_record_add(r, KP_K_NOTE,
                         kp_map(a, "i", kp_text(a, PATH), "name", kp_text(a, name), "r", v, NULL)));
    r->kept = kp_map_with(r->a, r->kept ? r->kept : kp_map(r->a, NULL), kp_strdup(r->a, name),
                          kp_value_copy(r->a, v));
    return NULL;
}

/* Of a record that an earlier session wrote; NULL: it is none, or of this one. */
static const char *name_of(const kp_record *rec)
{
    if (!rec || rec->kind != KP_K_NOTE || !kp_streq(kp_get_text(rec->body, "i", ""), PATH))
        return NULL;
    return kp_get_text(rec->body, "name", NULL);
}

/* The names there are, for whoever mistyped one; ends with NULL. */
static const char *const *names(const kp_run *r, kp_arena *a)
{
    int64_t n = kp_journal_n(r->j);
    const char **all = KP_NEW_ARRAY(a, (size_t)n + kp_len(r->kept) + 1, const char *);
    size_t found = 0;
    for (size_t i = 0; i < kp_len(r->kept); i++)
        all[found++] = r->kept->keys[i];
    for (int64_t i = 1; i <= n; i++) {
        const char *name = name_of(kp_journal_at(r->j, i));
        if (name)
            all[found++] = name;
    }
    return all;
}

kp_err *kp_baseline_get(kp_run *r, kp_arena *a, const char *name, const kp_value **ret_v)
{
    *ret_v = kp_get(r->kept, name);
    for (int64_t i = kp_journal_n(r->j); !*ret_v && i > 0; i--) {
        const kp_record *rec = kp_journal_at(r->j, i);
        if (kp_streq(name_of(rec), name))
            *ret_v = kp_get(rec->body, "r");
    }
    if (*ret_v)
        return NULL;
    const char *near = kp_did_you_mean(name, names(r, a));
    return kp_err_new(KP_PLAYBOOK, "keep one first: save = NAME",
                      "no baseline \"%.60s\" was kept in this run%s%s%s", name,
                      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}
