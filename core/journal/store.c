/* store: texts that a journal names by their SHA-256, each in a file of that name beside it.
 *
 * Two folders: blobs/ has results that are too long for a line, sources/ every playbook, module and
 * stdlib file that a run has loaded, as it was when it was loaded.  A name is its own checksum, so
 * nothing here is ever overwritten, equal texts are kept once, and a text that was changed is found
 * when it is read.  A text is on disk before the record that names it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "journal/inside.h"

kp_err *kp_store_put(const kp_journal *j, const char *folder, const char *sha, const void *p,
                     size_t n)
{
    const char *path = kp_printf(j->scratch, "%s/%s/%s", j->dir, folder, sha);
    if (access(path, F_OK) == 0)
        return NULL;
    const char *tmp = kp_printf(j->scratch, "%s.tmp", path);
    KP_TRY(kp_disk_file(j->d, tmp, O_WRONLY | O_CREAT | O_TRUNC, p, n));
    return kp_disk_rename(j->d, tmp, path);
}

kp_err *kp_store_get(kp_arena *a, const kp_journal *j, const char *folder, const char *sha,
                     char **ret_text, size_t *ret_n)
{
    const char *path = kp_printf(a, "%s/%s/%s", j->dir, folder, sha);
    static const char next[] = "put back a copy of this file; the journal names it";
    KP_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return kp_err_at(kp_err_new(KP_REFUSED, next, "cannot be opened: %s", strerror(errno)),
                         "%s", path);
    KP_AUTO_BUF text = KP_BUF_INIT(KP_BLOB_LIMIT > KP_SOURCE_LIMIT ? KP_BLOB_LIMIT
                                                                   : KP_SOURCE_LIMIT);
    KP_TRY(kp_disk_read(fd, path, &text));
    if (!kp_streq(kp_sha256_hex(a, kp_buf_text(&text), text.n), sha))
        return kp_err_at(kp_err_new(KP_REFUSED, next, "it was changed after it was written"), "%s",
                         path);
    *ret_text = kp_strndup(a, kp_buf_text(&text), text.n);
    *ret_n = text.n;
    return NULL;
}

/* In memory: the text itself, copied, once. */
static void keep(kp_journal *j, const char *sha, const kp_source *source)
{
    for (const kp_kept *k = j->kept; k; k = k->next)
        if (kp_streq(k->sha, sha))
            return;
    kp_kept *k = KP_NEW(j->a, kp_kept);
    *k = (kp_kept){ kp_strdup(j->a, sha), kp_strndup(j->a, source->text, source->n), source->n,
                    j->kept };
    j->kept = k;
}

kp_err *kp_store_sources(kp_arena *a, kp_journal *j, const kp_source *sources, size_t n_sources,
                         const kp_value **ret_map)
{
    kp_arena_reset(j->scratch);
    kp_builder map = kp_map_begin(a);
    for (size_t i = 0; i < n_sources; i++) {
        const kp_source *source = &sources[i];
        if (source->n > KP_SOURCE_LIMIT)
            return kp_err_at(kp_err_new(KP_PLAYBOOK, "divide it into modules",
                                        "longer than %u bytes", KP_SOURCE_LIMIT),
                             "%s", source->name);
        const char *sha = kp_sha256_hex(a, source->text, source->n);
        if (j->d)
            KP_TRY(kp_store_put(j, KP_SOURCES, sha, source->text, source->n));
        else
            keep(j, sha, source);
        kp_map_add(&map, source->name, kp_text(a, sha));
    }
    if (j->d)
        KP_TRY(kp_disk_sync_dir(j->d, kp_printf(j->scratch, "%s/" KP_SOURCES, j->dir)));
    *ret_map = kp_map_end(&map);
    return NULL;
}

kp_err *kp_journal_keep(kp_arena *a, kp_journal *j, const kp_source *sources, size_t n_sources,
                        const kp_value **ret_sources)
{
    return kp_store_sources(a, j, sources, n_sources, ret_sources);
}

const kp_value *kp_journal_sources(const kp_journal *j)
{
    return j->sources;
}

kp_err *kp_journal_source(kp_arena *a, const kp_journal *j, const char *name,
                          const char **ret_text, size_t *ret_n)
{
    const char *sha = kp_get_text(j->sources, name, NULL);
    char *text = NULL;
    size_t n = 0;
    if (sha && j->d) {
        KP_TRY(kp_store_get(a, j, KP_SOURCES, sha, &text, &n));
        *ret_text = text;
        *ret_n = n;
        return NULL;
    }
    const kp_kept *k = j->kept;
    while (k && !kp_streq(k->sha, sha))
        k = k->next;
    *ret_text = k ? k->text : NULL;
    *ret_n = k ? k->n : 0;
    return NULL;
}
