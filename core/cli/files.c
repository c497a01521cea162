/* Where files are found: playbooks of the team first, then the shipped ones; stdlib always the
 * shipped one; team modules always beside the cluster file.  No shadowing of stdlib, ever.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef KPLAY_SOURCE_DIR
#define KPLAY_SOURCE_DIR ""
#endif
#ifndef KPLAY_DATADIR
#define KPLAY_DATADIR "/usr/local/share/kplay"
#endif

enum { PLAYBOOKS_MOST = 256 };

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* From the build tree while it is there, from the prefix otherwise: ../share/kplay beside the
 * binary, then the configured prefix. */
static const char *shipped(kp_arena *a)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = 0;
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = 0;
        const char *beside = kp_printf(a, "%s/../share/kplay", self);
        if (is_dir(kp_printf(a, "%s/stdlib", beside)))
            return beside;
        /* The program is at the top of a build directory, benches one below. */
        bool built = is_file(kp_printf(a, "%s/CMakeCache.txt", self)) ||
                     is_file(kp_printf(a, "%s/../CMakeCache.txt", self));
        if (built && is_dir(KPLAY_SOURCE_DIR "/stdlib"))
            return KPLAY_SOURCE_DIR;
    }
    return KPLAY_DATADIR;
}

kp_err *kp_files_init(kp_arena *a, const char *cluster_file, kp_files *ret_files)
{
    const char *slash = cluster_file ? strrchr(cluster_file, '/') : NULL;
    ret_files->team = slash ? kp_strndup(a, cluster_file, (size_t)(slash - cluster_file)) : ".";
    ret_files->shipped = shipped(a);
    if (!is_dir(kp_printf(a, "%s/stdlib", ret_files->shipped)))
        return kp_err_new(KP_INTERNAL, "install kplay again (cmake --install)",
                          "kplay's stdlib is not at %s", ret_files->shipped);
    return NULL;
}

static kp_err *read_source(kp_arena *a, const char *path, const char **ret_path,
                           const char **ret_text, size_t *ret_n)
{
    char *text;
    /* The page after the limit is enough to say that a file is too long. */
    kp_err *e = kp_file_read(a, path, KP_SCRIPT_LIMIT + 1, &text, ret_n);
    if (e)
        return kp_err_class(e, KP_PLAYBOOK);
    *ret_path = kp_starts_with(path, "./") ? path + 2 : path;
    *ret_text = text;
    return NULL;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

const char *const *kp_files_in(kp_arena *a, const char *dir)
{
    const char **names = KP_NEW_ARRAY(a, PLAYBOOKS_MOST + 1, const char *);
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *entry; d && n < PLAYBOOKS_MOST && (entry = readdir(d)) != NULL;)
        if (kp_ends_with(entry->d_name, ".lua"))
            names[n++] = kp_strdup(a, entry->d_name);
    if (d)
        closedir(d);
    qsort(names, n, sizeof names[0], by_name);
    return names;
}

kp_err *kp_files_known(kp_arena *a, const kp_files *f, const char *playbook)
{
    const char *path, *text;
    size_t n;
    kp_err *e = kp_files_find((void *)(uintptr_t)f, a, KP_FIND_PLAYBOOK, playbook, &path, &text,
                              &n);
    if (e || text) {
        kp_err_drop(e); /* whoever loads it says so */
        return NULL;
    }
    const char *word = kp_ends_with(playbook, ".lua") ? playbook : kp_printf(a, "%s.lua", playbook);
    const char *near = kp_did_you_mean(word, kp_files_in(a, kp_printf(a, "%s/playbooks", f->team)));
    if (!near)
        near = kp_did_you_mean(word, kp_files_in(a, kp_printf(a, "%s/playbooks", f->shipped)));
    if (near && kp_streq(near, playbook)) /* a directory of that name */
        near = NULL;
    return kp_err_new(KP_USAGE, "kplay playbooks lists them",
                      "there is no playbook \"%.200s\"%s%s%s", playbook,
                      near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

kp_err *kp_files_find(void *ud, kp_arena *a, kp_find what, const char *name, const char **ret_path,
                      const char **ret_text, size_t *ret_n)
{
    const kp_files *f = ud;
    const char *path;

    *ret_text = NULL;
    *ret_path = name;
    *ret_n = 0;
    switch (what) {
    case KP_FIND_STDLIB:
        path = kp_printf(a, "%s/stdlib/%s.lua", f->shipped, name);
        *ret_path = kp_printf(a, "stdlib/%s.lua", name);
        if (!is_file(path))
            return NULL;
        {
            const char *shown = *ret_path;
            KP_TRY(read_source(a, path, ret_path, ret_text, ret_n));
            *ret_path = shown;
        }
        return NULL;
    case KP_FIND_TEAM:
        path = kp_printf(a, "%s/team/%s.lua", f->team, name);
        *ret_path = kp_starts_with(path, "./") ? path + 2 : path;
        return is_file(path) ? read_source(a, path, ret_path, ret_text, ret_n) : NULL;
    case KP_FIND_PLAYBOOK:
        break;
    }
    const char *file = kp_ends_with(name, ".lua") ? name : kp_printf(a, "%s.lua", name);
    if (strchr(file, '/'))
        return is_file(file) ? read_source(a, file, ret_path, ret_text, ret_n) : NULL;
    path = kp_printf(a, "%s/playbooks/%s", f->team, file);
    if (is_file(path))
        return read_source(a, path, ret_path, ret_text, ret_n);
    if (is_file(file))
        return read_source(a, file, ret_path, ret_text, ret_n);
    path = kp_printf(a, "%s/playbooks/%s", f->shipped, file);
    if (!is_file(path))
        return NULL;
    KP_TRY(read_source(a, path, ret_path, ret_text, ret_n));
    *ret_path = kp_printf(a, "playbooks/%s", file);
    return NULL;
}
