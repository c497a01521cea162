/* Baselines: what a question has found, kept whole in the run for a later question.
 *
 * It may be far too large for a playbook's memory, so a playbook knows it by its name alone.  It
 * stands in the run's journal, under the engine's own mark; large ones are files of the run then,
 * named by their sha256, as every large answer is (journal.h).  The newest of a name counts: a
 * question that a crash cut off from its answer is asked again, and keeps again.
 *
 * One that was written to a person's file, or read from it (baseline_file.c), says so with the
 * file's sha256.  What was read is kept as well, so the file is read once: whatever becomes of it,
 * the run goes on, and is replayed, with what it read.
 */
#include "engine/run.h"

#include <string.h>

typedef struct kept {
    const char *name, *file, *sha; /* file NULL: it is in the run alone */
    bool wrote;                    /* the file; else read it */
    const kp_value *v;
} kept;

static const kp_value *kept_value(kp_arena *a, const kept *k)
{
    return kp_map(a, "i", kp_text(a, KP_NOTE_KEPT), "name", kp_text(a, k->name), "file",
                  kp_text(a, k->file), "sha256", kp_text(a, k->sha), "did",
                  k->file ? kp_text(a, k->wrote ? "wrote" : "read") : NULL, "r", k->v, NULL);
}

static kp_err *keep(kp_step *s, const kept *k)
{
    kp_run *r = s->r;
    const kp_value *one = kept_value(s->a, k);
    KP_TRY(kp_record_add(r, KP_K_NOTE, one));
    r->kept = kp_map_with(r->a, r->kept ? r->kept : kp_map(r->a, NULL), kp_strdup(r->a, k->name),
                          kp_value_copy(r->a, one));
    return NULL;
}

static kp_err *check_once(const kp_step *s)
{
    return s->r->predicate.on ? kp_err_new(KP_PLAYBOOK, "keep it before the wait",
                                           "a baseline is kept inside wait_until")
                              : NULL;
}

kp_err *kp_baseline_keep(kp_step *s, const char *name, const char *file, const kp_value *v)
{
    kept k = { .name = name, .file = file, .wrote = true, .v = v };
    KP_TRY(check_once(s));
    if (file)
        KP_TRY(kp_baseline_file_write(s, file, v, &k.sha));
    return keep(s, &k);
}

/* Of a record that an earlier session wrote; NULL: it is none, or of this one. */
static const char *name_of(const kp_record *rec)
{
    if (!rec || rec->kind != KP_K_NOTE || !kp_streq(kp_get_text(rec->body, "i", ""), KP_NOTE_KEPT))
        return NULL;
    return kp_get_text(rec->body, "name", NULL);
}

/* What is in one, when it is the one that is asked for: of a file, that file's. */
static const kp_value *found_in(const kp_value *one, const char *file)
{
    return !file || kp_streq(kp_get_text(one, "file", NULL), file) ? kp_get(one, "r") : NULL;
}

static const kp_value *newest(const kp_run *r, const char *name, const char *file)
{
    const kp_value *v = found_in(kp_get(r->kept, name), file);
    for (int64_t i = kp_journal_n(r->j); !v && i > 0; i--) {
        const kp_record *rec = kp_journal_at(r->j, i);
        if (kp_streq(name_of(rec), name))
            v = found_in(rec->body, file);
    }
    return v;
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

static kp_err *from_file(kp_step *s, const char *name, const char *file, const kp_value **ret_v)
{
    kept k = { .name = name, .file = file };
    KP_TRY(check_once(s));
    KP_TRY(kp_baseline_file_read(s, file, &k.v, &k.sha));
    KP_TRY(keep(s, &k));
    *ret_v = k.v;
    return NULL;
}

kp_err *kp_baseline_get(kp_step *s, const char *name, const char *file, const kp_value **ret_v)
{
    const kp_value *v = newest(s->r, name, file);
    if (v) {
        *ret_v = v;
        return NULL;
    }
    if (file)
        return from_file(s, name, file, ret_v);
    const char *near = kp_did_you_mean(name, names(s->r, s->a));
    return kp_err_new(KP_PLAYBOOK, "keep one first: save = NAME",
                      "no baseline \"%.60s\" was kept in this run%s%s%s", name,
                      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}
