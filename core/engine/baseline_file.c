/* Baseline files: what a question has found, for another run to compare with.
 *
 * A file is one JSON document, written whole or not at all (kp_disk_replace).  It is taken when
 *
 *   1. it is a regular file of at most KP_JSON_LIMIT bytes, and one JSON map;
 *   2. its `kplay` is the verb that asks, as "lag";
 *   3. its `format` is 1; a greater one is a newer kplay's;
 *   4. its `sha256` is that of the document without this key, as canonical JSON (value.h): it is
 *      whole, and nobody has edited it;
 *   5. its `cluster_id` is that of the run's cluster;
 *   6. its `found` is a map: what the verb's question was answered.
 *
 * `cluster`, `run` and `at` (UTC, ms) tell a person whose it is and how old.  What is there already
 * is replaced only when it would be taken: nothing else of a person's is ever lost.
 *
 * Which file: one that a person has named, as the value of an argument of type path of the playbook
 * that was begun (playargs.c).  A playbook has no file of its own choice.
 */
#include "engine/run.h"

#include <string.h>
#include <sys/stat.h>

enum { FORMAT = 1 };

static const char other_file[] = "name another file, or move this one away";

static kp_err *check_path(const kp_step *s, const char *path)
{
    if (kp_list_has_text(s->r->paths, path))
        return NULL;
    return kp_err_new(KP_PLAYBOOK,
                      "declare args = { baseline = { \"path\", doc = \"...\" } } and give "
                      "file = args.baseline",
                      "%s: `file` is no path that a person gave this run: \"%.200s\"", s->op->name,
                      path);
}

/* ---- what a file must be ---- */

static kp_err *none(const kp_step *s, const char *why)
{
    return kp_err_new(KP_CONFIG, "give a file that kplay wrote, as it wrote it",
                      "is no baseline of %s: %s", s->op->name, why);
}

static kp_err *check_head(const kp_step *s, const kp_value *doc)
{
    const kp_run *r = s->r;
    int64_t format = kp_get_int(doc, "format", 0);
    const char *of = kp_get_text(doc, "kplay", NULL), *id = kp_get_text(doc, "cluster_id", "");

    if (!of)
        return none(s, "it does not say that kplay wrote it");
    if (!kp_streq(of, s->op->name))
        return none(s, kp_printf(s->a, "it is one of %.60s", of));
    if (format > FORMAT)
        return kp_err_new(KP_CONFIG, "take the kplay that wrote it, or a newer one",
                          "is of format %" PRId64 ", and this kplay reads up to %d", format,
                          FORMAT);
    if (format != FORMAT)
        return none(s, "its format is not known");
    const char *sha = kp_get_text(doc, "sha256", ""),
               *text = kp_json_text(s->a, kp_map_with(s->a, doc, "sha256", NULL));
    if (!kp_streq(sha, kp_sha256_hex(s->a, text, strlen(text))))
        return none(s, "it is not as it was written (its sha256 is another one)");
    if (!kp_streq(id, r->seen->cluster_id))
        return kp_err_new(KP_CONFIG, "give a file of this cluster",
                          "is of cluster %.60s (%.60s), and this is %s (%s)",
                          kp_get_text(doc, "cluster", "?"), id, r->inv->cluster,
                          r->seen->cluster_id);
    return kp_is(kp_get(doc, "found"), KP_MAP) ? NULL : none(s, "nothing is in it");
}

static kp_err *read_document(const kp_step *s, const char *path, const kp_value **ret_doc,
                             const char **ret_sha)
{
    const kp_value *doc;
    char *text;
    size_t n;

    KP_TRY(kp_file_read(s->a, path, KP_JSON_LIMIT, &text, &n));
    kp_err *e = kp_json_read(s->a, text, n, &doc);
    if (e) {
        kp_err *torn = none(s, kp_printf(s->a, "%s at %s", e->what, e->where));
        kp_err_drop(e);
        return kp_err_at(torn, "%s", path);
    }
    e = check_head(s, doc);
    if (e)
        return kp_err_at(e, "%s", path);
    *ret_doc = doc;
    *ret_sha = kp_sha256_hex(s->a, text, n);
    return NULL;
}

kp_err *kp_baseline_file_read(const kp_step *s, const char *path, const kp_value **ret_v,
                              const char **ret_sha)
{
    const kp_value *doc;

    KP_TRY(check_path(s, path));
    KP_TRY(read_document(s, path, &doc, ret_sha));
    *ret_v = kp_get(doc, "found");
    return NULL;
}

/* ---- writing ---- */

/* Nothing is there, or a baseline that this one may take the place of. */
static kp_err *check_place(const kp_step *s, const char *path)
{
    const kp_value *doc;
    const char *sha;
    struct stat st;

    if (lstat(path, &st) != 0)
        return NULL; /* whatever keeps it from being made is told when it is */
    kp_err *e = read_document(s, path, &doc, &sha);
    if (!e)
        return NULL;
    kp_err *kept = kp_err_at(
        kp_err_new(KP_CONFIG, other_file, "is not overwritten: it %s", e->what), "%s", path);
    kp_err_drop(e);
    return kept;
}

static const kp_value *document(const kp_step *s, const kp_value *v)
{
    kp_run *r = s->r;
    const kp_value *doc = kp_map(
        s->a, "kplay", kp_text(s->a, s->op->name), "format", kp_int(s->a, FORMAT), "cluster_id",
        kp_text(s->a, r->seen->cluster_id), "cluster", kp_text(s->a, r->inv->cluster), "run",
        kp_text(s->a, r->id), "at", kp_int(s->a, kp_now(r->w)), "found", v, NULL);
    const char *text = kp_json_text(s->a, doc);
    return kp_map_with(s->a, doc, "sha256", kp_text(s->a, kp_sha256_hex(s->a, text, strlen(text))));
}

/* Of `found` as JSON, with room left for the head. */
static kp_err *check_size(const kp_step *s, const kp_value *v)
{
    enum { HEAD = 4096 };
    KP_AUTO_BUF b = KP_BUF_INIT(KP_JSON_LIMIT - HEAD);
    kp_json_write(&b, v);
    return b.overflow ? kp_err_new(KP_PLAYBOOK, "ask for less at a time: name groups",
                                   "%s: what was found is longer than a file of it may be (%u "
                                   "bytes)",
                                   s->op->name, KP_JSON_LIMIT - HEAD)
                      : NULL;
}

static void tell(const kp_step *s, const char *what, const char *path)
{
    kp_tell(s->r, (kp_event) { .kind = KP_E_NOTE, .text = kp_printf(s->a, "%s: %s", what, path) });
}

kp_err *kp_baseline_file_write(const kp_step *s, const char *path, const kp_value *v,
                               const char **ret_sha)
{
    KP_TRY(check_path(s, path));
    KP_TRY(check_place(s, path));
    KP_TRY(check_size(s, v));
    const char *text = kp_json_text(s->a, document(s, v));
    size_t n = strlen(text);
    *ret_sha = kp_sha256_hex(s->a, text, n);
    if (s->r->spec->assume_yes) {
        tell(s, "rehearsed, not written", path);
        return NULL;
    }
    KP_TRY(kp_disk_replace(&kp_disk_real, path, text, n));
    tell(s, "written", path);
    return NULL;
}
