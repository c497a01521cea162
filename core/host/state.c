/* The state of a node's host: what the look (sh/look.sh) says, read.
 *
 * It looks at the process that runs, not at what should be running: the properties file is the one
 * on its command line, the release is that of the jars it was started with (a link may already
 * point elsewhere), its identity is its start time in the host's present boot.  What the layout
 * says is reported beside it, and comparing the two is for the guard.
 *
 * Where the log directories are is known when the file has been read, here, by the one reader.  A
 * look takes along those that the last one found; when the file says others, it looks once more.
 * So the first question about a host takes two round trips and every later one takes one, and all
 * of an answer was true within the same tenth of a second.
 */
#include "host/inner.h"

#include "cluster/properties.h"
#include "cluster/server_config.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 20, LOOKS_MAX = 3 };

/* ---- reading the answer ---- */

/* A properties file on its way: its lines as they come. */
typedef struct sent_file {
    const char *sha256;
    kp_buf lines;
} sent_file;

typedef struct reader {
    kp_arena *a;
    kp_builder top, process, config, service, signs;
    kp_builder dirs, dir, releases, lines, pids;
    kp_builder overrides, locks, meta_ids, paths, jars, open_jars, ports, partial, other, agents;
    sent_file process_file, config_file, meta;
    bool in_dir, has_process, has_signs, saw_agents, wildcard;
    const char *dir_path;
    bool dir_log, dir_clean, dir_may_be_metadata;
    int n_dirs, n_clean;
    int64_t dir_free, free; /* -1: unknown */
    const char *last_release, *config_path, *cwd;
    int64_t epoch, held_since; /* of the fence; seconds */
    const char *holder, *held_by;
} reader;

static void add_int(reader *r, kp_builder *b, const char *key, const char *text)
{
    int64_t i;
    if (kp_said_int(text, &i))
        kp_map_add(b, key, kp_int(r->a, i));
}

static void add_text(reader *r, kp_builder *b, const char *key, const char *text)
{
    if (*text)
        kp_map_add(b, key, kp_text(r->a, text));
}

static void add_line(sent_file *f, const char *line)
{
    kp_buf_str(&f->lines, line);
    kp_buf_chr(&f->lines, '\n');
}

/* Who a log directory says that it belongs to: meta.properties, node.id since version 1. */
static void read_meta(reader *r)
{
    const kp_value *said = kp_properties_parse(r->a, kp_buf_text(&r->meta.lines), r->meta.lines.n);
    const char *cluster = kp_get_text(said, "cluster.id", NULL);
    const char *id = kp_get_text(said, "node.id", kp_get_text(said, "broker.id", ""));
    int64_t node;
    kp_map_add(&r->dir, "cluster_id", kp_text(r->a, cluster));
    if (kp_said_int(id, &node)) {
        kp_map_add(&r->dir, "node_id", kp_int(r->a, node));
        kp_list_add(&r->meta_ids, kp_int(r->a, node));
    }
}

static void dir_end(reader *r)
{
    if (!r->in_dir)
        return;
    r->in_dir = false;
    kp_map_add(&r->dir, "clean", kp_bool(r->dir_clean));
    kp_map_add(&r->dir, "kind", kp_text(r->a, r->dir_log ? "log" : "metadata"));
    read_meta(r);
    kp_list_add(&r->dirs, kp_map_end(&r->dir));
    if (!r->dir_log)
        return;
    kp_list_add(&r->paths, kp_text(r->a, r->dir_path));
    r->n_dirs++;
    r->n_clean += r->dir_clean;
    if (r->dir_free >= 0 && (r->free < 0 || r->dir_free < r->free))
        r->free = r->dir_free;
}

static void dir_begin(reader *r, const char *path)
{
    dir_end(r);
    r->in_dir = true;
    r->dir_log = r->dir_clean = false;
    r->dir_free = -1;
    r->dir_path = path;
    kp_buf_clear(&r->meta.lines);
    r->dir = kp_map_begin(r->a);
    add_text(r, &r->dir, "path", path);
    kp_map_add(&r->dir, "found", kp_bool(false));
}

/* What holds no logs although the process locks it is the directory of the metadata log; the kind
 * "lock" is of those whose kind no file tells. */
static void dir_fact(reader *r, const char *key, const char *value)
{
    if (!r->in_dir)
        return;
    if (kp_streq(key, "found")) {
        kp_map_add(&r->dir, "found", kp_bool(true));
    } else if (kp_streq(key, "clean")) {
        r->dir_clean = true;
    } else if (kp_streq(key, "metadata_only")) {
        r->dir_log = r->dir_log && !r->dir_may_be_metadata;
    } else if (kp_streq(key, "free")) {
        if (kp_said_int(value, &r->dir_free))
            kp_map_add(&r->dir, "free", kp_int(r->a, r->dir_free));
    } else if (kp_streq(key, "kind")) {
        r->dir_log = !kp_streq(value, "metadata");
        r->dir_may_be_metadata = kp_streq(value, "lock");
    } else if (kp_streq(key, "meta")) {
        add_line(&r->meta, value);
    }
}

/* systemd's time spans: "1min 30s", "500ms", "infinity".  -1: none or not understood. */
static int64_t read_time_span(const char *text)
{
    static const struct {
        const char *unit;
        int64_t us;
    } units[] = {
        { "us", 1 },           { "ms", 1000 },         { "s", 1000000 },
        { "min", 60000000 },   { "h", 3600000000 },    { "d", 86400000000 },
        { "w", 604800000000 },
    };
    int64_t us = 0;
    const char *p = text;
    if (!*p || kp_streq(p, "infinity"))
        return -1;
    while (*p) {
        int64_t whole = 0, part = 0, scale = 1;
        for (; *p >= '0' && *p <= '9' && whole < 1000000000; p++)
            whole = whole * 10 + (*p - '0');
        if (*p == '.')
            for (p++; *p >= '0' && *p <= '9'; p++)
                if (scale < 1000000) {
                    part = part * 10 + (*p - '0');
                    scale *= 10;
                }
        size_t n = strcspn(p, " "), i = 0;
        while (i < KP_COUNT(units) &&
               (strlen(units[i].unit) != n || memcmp(units[i].unit, p, n) != 0))
            i++;
        if (i == KP_COUNT(units) || whole > INT64_MAX / 2 / units[i].us)
            return -1;
        us += whole * units[i].us + part * units[i].us / scale;
        p += n + strspn(p + n, " ");
    }
    return us / 1000;
}

static void unit_fact(reader *r, const char *key, const char *value)
{
    static const struct {
        const char *key, *name;
        bool is_int;
    } facts[] = {
        { "ActiveState", "state", false },
        { "SubState", "sub", false },
        { "LoadState", "loaded", false },
        { "MainPID", "main_pid", true },
        { "InvocationID", "invocation_id", false },
        { "NRestarts", "restarts", true },
        { "Result", "result", false },
        { "Restart", "restart", false },
        { "KillMode", "kill_mode", false },
        { "SendSIGKILL", "send_sigkill", false },
    };
    if (kp_streq(key, "TimeoutStopUSec"))
        kp_map_add(&r->service, "stop_timeout", kp_int(r->a, read_time_span(value)));
    for (size_t i = 0; i < KP_COUNT(facts); i++) {
        if (!kp_streq(facts[i].key, key))
            continue;
        if (facts[i].is_int)
            add_int(r, &r->service, facts[i].name, value);
        else
            add_text(r, &r->service, facts[i].name, value);
    }
}

/* "NAME PLACE" */
static void add_sign(reader *r, const char *text)
{
    size_t n = strcspn(text, " ");
    int64_t place = 0;
    for (const kp_host_sign *sign = kp_host_signs; sign->name; sign++)
        if (strlen(sign->name) == n && memcmp(sign->name, text, n) == 0)
            kp_map_add(&r->signs, sign->name,
                       sign->placed && text[n] && kp_said_int(text + n + 1, &place)
                           ? kp_int(r->a, place)
                           : kp_bool(true));
}

static void top_fact(reader *r, const char *key, const char *value)
{
    static const char *const ints[] = { "pid", "start_time", "log_size", NULL };
    static const char *const texts[] = { "boot_id", "link", "link_release", NULL };
    for (size_t i = 0; ints[i]; i++)
        if (kp_streq(key, ints[i]))
            add_int(r, &r->top, key, value);
    for (size_t i = 0; texts[i]; i++)
        if (kp_streq(key, texts[i]))
            add_text(r, &r->top, key, value);
    if (kp_streq(key, "log_turned") || kp_streq(key, "script"))
        kp_map_add(&r->top, key, kp_bool(true));
    else if (kp_streq(key, "signs"))
        r->has_signs = true;
    else if (kp_streq(key, "agents"))
        r->saw_agents = true;
    else if (kp_streq(key, "sign"))
        add_sign(r, value);
    else if (kp_streq(key, "line"))
        kp_list_add(&r->lines, kp_text(r->a, value));
}

/* "VERSION WORDS" */
static void add_release(reader *r, kp_builder *b, const char *value, bool is_map)
{
    const char *blank = strchr(value, ' ');
    if (!blank)
        return;
    const char *version = kp_strndup(r->a, value, (size_t)(blank - value));
    if (is_map)
        kp_map_add(b, version, kp_text(r->a, blank + 1));
    else
        kp_list_add(b, kp_map(r->a, "name", kp_text(r->a, blank + 1), "version",
                              kp_text(r->a, version), NULL));
}

static void list_fact(reader *r, const char *key, const char *value)
{
    int64_t pid;
    if (kp_streq(key, "release") && !kp_streq(r->last_release, value)) {
        r->last_release = value;
        kp_list_add(&r->releases, kp_text(r->a, value));
    } else if (kp_streq(key, "pids") && kp_said_int(value, &pid)) {
        kp_list_add(&r->pids, kp_int(r->a, pid));
    } else if (kp_streq(key, "dir")) {
        dir_begin(r, value);
    } else if (kp_streq(key, "other")) {
        add_release(r, &r->other, value, false);
    } else if (kp_streq(key, "agent") && !kp_list_has_text(kp_list_end(&r->agents), value)) {
        kp_list_add(&r->agents, kp_text(r->a, value));
    } else if (kp_streq(key, "partial")) {
        add_release(r, &r->partial, value, true);
    }
}

/* One port of both IP versions is one. */
static void add_port(reader *r, long port)
{
    if (!kp_list_has_int(kp_list_end(&r->ports), port))
        kp_list_add(&r->ports, kp_int(r->a, port));
}

static void process_fact(reader *r, const char *key, const char *value)
{
    r->has_process = true;
    if (kp_streq(key, "override"))
        kp_list_add(&r->overrides, kp_text(r->a, value));
    else if (kp_streq(key, "jar"))
        kp_list_add(&r->jars, kp_text(r->a, value));
    else if (kp_streq(key, "line"))
        add_line(&r->process_file, value);
    else if (kp_streq(key, "sha256"))
        r->process_file.sha256 = value;
    else if (kp_streq(key, "port"))
        add_port(r, strtol(value, NULL, 16));
    else if (kp_streq(key, "wildcard"))
        r->wildcard = true;
    else if (!kp_streq(key, "same"))
        add_text(r, &r->process, key, value);
    if (kp_streq(key, "cwd") && *value)
        r->cwd = value;
}

static void config_fact(reader *r, const char *key, const char *value)
{
    if (kp_streq(key, "line"))
        add_line(&r->config_file, value);
    else if (kp_streq(key, "sha256"))
        r->config_file.sha256 = value;
    else if (kp_streq(key, "real"))
        r->config_path = value;
}

static void fact(reader *r, const char *key, const char *value)
{
    const char *dot = strchr(key, '.');
    if (!dot) {
        top_fact(r, key, value);
        list_fact(r, key, value);
        return;
    }
    const char *name = dot + 1;
    if (kp_starts_with(key, "process.")) {
        process_fact(r, name, value);
    } else if (kp_starts_with(key, "config.")) {
        config_fact(r, name, value);
    } else if (kp_streq(key, "open.jar")) {
        kp_list_add(&r->open_jars, kp_text(r->a, value));
    } else if (kp_streq(key, "open.lock")) {
        kp_list_add(&r->locks, kp_text(r->a, value));
    } else if (kp_starts_with(key, "dir.")) {
        dir_fact(r, name, value);
    } else if (kp_starts_with(key, "unit.")) {
        unit_fact(r, name, value);
    } else if (kp_streq(key, "status.rc")) {
        add_int(r, &r->service, "rc", value);
    } else if (kp_streq(key, "status.said")) {
        add_text(r, &r->service, "said", value);
    } else if (kp_streq(key, "fence.epoch")) {
        kp_said_int(value, &r->epoch);
    } else if (kp_streq(key, "fence.holder")) {
        r->holder = value;
    } else if (kp_streq(key, "fence.since")) {
        kp_said_int(value, &r->held_since);
    } else if (kp_streq(key, "fence.by")) {
        r->held_by = value;
    }
}

/* As fence.c writes it: a holder that begins with "-" is nobody, and whoever it was last. */
static const kp_value *fence_value(const reader *r)
{
    kp_arena *a = r->a;
    bool nobody = kp_starts_with(r->holder, "-");
    const char *last = kp_starts_with(r->holder, "- ") ? r->holder + 2 : "";
    return kp_map(a, "epoch", kp_int(a, r->epoch), "holder",
                  *r->holder && !nobody ? kp_text(a, r->holder) : NULL, "last",
                  *last ? kp_text(a, last) : NULL, "by",
                  *r->held_by ? kp_text(a, r->held_by) : NULL, "since",
                  r->held_since ? kp_int(a, r->held_since * 1000) : NULL, NULL);
}

/* ---- the release of jars ---- */

/* The release that a jar's name bears, when it is one of the two that bear it. */
static const char *release_of_jar(kp_arena *a, const char *name, bool *ret_main)
{
    static const char *const beside[] = { "-sources", "-javadoc", "-scaladoc", "-test", "-tests" };
    *ret_main = kp_starts_with(name, "kafka_2.");
    const char *p = name + strlen(*ret_main ? "kafka_2." : "kafka-clients");
    if ((!*ret_main && !kp_starts_with(name, "kafka-clients")) || !kp_ends_with(name, ".jar"))
        return NULL;
    if (*ret_main)
        p += strspn(p, "0123456789");
    if (p[0] != '-' || p[1] < '0' || p[1] > '9')
        return NULL;
    const char *release = kp_strndup(a, p + 1, strlen(p + 1) - strlen(".jar"));
    for (size_t i = 0; i < KP_COUNT(beside); i++)
        if (kp_ends_with(release, beside[i]))
            return NULL;
    return release;
}

/* The distinct releases of jars, in their order; *ret_first is that of the first main jar, else of
 * the first of all. */
static const kp_value *releases_of(kp_arena *a, const kp_value *jars, const char **ret_first)
{
    kp_builder all = kp_list_begin(a);
    bool by_main = false;
    *ret_first = NULL;
    for (size_t i = 0; i < kp_len(jars); i++) {
        bool is_main;
        const char *release = release_of_jar(a, kp_as_text(kp_at(jars, i), ""), &is_main);
        if (!release)
            continue;
        if (!kp_list_has_text(kp_list_end(&all), release))
            kp_list_add(&all, kp_text(a, release));
        if (!*ret_first || (is_main && !by_main))
            *ret_first = release;
        by_main = by_main || is_main;
    }
    return kp_list_end(&all);
}

/* A class path by wildcard is that of today, and the process may have been started with another:
 * then the open files tell.  Else the class path tells the order, in which the first one runs. */
static void add_releases(reader *r)
{
    const char *by_path, *by_files;
    const kp_value *path = releases_of(r->a, kp_list_end(&r->jars), &by_path);
    const kp_value *files = releases_of(r->a, kp_list_end(&r->open_jars), &by_files);
    bool open = by_files && (r->wildcard || !by_path || !kp_list_has_text(files, by_path));
    const char *runs = open ? by_files : by_path;
    kp_map_add(&r->top, "running_release", kp_text(r->a, runs));
    kp_map_add(&r->top, "running_release_by",
               kp_text(r->a, !runs ? NULL : by_files ? "open files" : "class path"));
    if (runs)
        kp_map_add(&r->process, "releases", open ? files : path);
}

/* ---- what the files mean ---- */

/* The running process's cluster is that of its log dirs; nothing, when they do not agree. */
static const char *cluster_of_dirs(const kp_value *dirs)
{
    const char *cluster = NULL;
    for (size_t i = 0; i < kp_len(dirs); i++) {
        const char *here = kp_get_text(kp_at(dirs, i), "cluster_id", NULL);
        if (cluster && here && !kp_streq(cluster, here))
            return NULL;
        cluster = cluster ? cluster : here;
    }
    return cluster;
}

/* The bytes of a file that was named by its digest: sent now, or known from an earlier look.  The
 * line break that the script adds is not part of them. */
static bool file_bytes(kp_host *h, reader *r, sent_file *f, const char **ret_p, size_t *ret_n)
{
    if (!f->sha256)
        return false;
    for (size_t i = 0; i < KP_COUNT(h->known); i++)
        if (f->lines.n == 0 && kp_streq(h->known[i].sha256, f->sha256)) {
            *ret_p = kp_strndup(r->a, kp_buf_text(&h->known[i].bytes), h->known[i].bytes.n);
            *ret_n = h->known[i].bytes.n;
            return true;
        }
    *ret_n = f->lines.n ? f->lines.n - 1 : 0;
    *ret_p = kp_strndup(r->a, kp_buf_text(&f->lines), *ret_n);
    bool whole = kp_streq(kp_sha256_hex(r->a, *ret_p, *ret_n), f->sha256);
    kp_known_file *k = &h->known[h->next_known];
    if (whole) { /* not one that was changed while it was read */
        memcpy(k->sha256, f->sha256, sizeof k->sha256);
        kp_buf_clear(&k->bytes);
        kp_buf_add(&k->bytes, *ret_p, *ret_n);
        h->next_known = (h->next_known + 1) % KP_COUNT(h->known);
    }
    return true;
}

static void add_meaning(reader *r, kp_builder *b, const kp_server_config *c)
{
    kp_map_add(b, "node_id", c->has_id ? kp_int(r->a, c->node_id) : NULL);
    kp_map_add(b, "roles", kp_text(r->a, kp_server_config_roles(c)));
    kp_map_add(b, "mode", kp_text(r->a, kp_server_config_mode(c)));
    kp_map_add(b, "problems", kp_config_problems_value(r->a, c));
}

static const kp_value *override_map(reader *r, const kp_value *words)
{
    kp_builder b = kp_map_begin(r->a);
    for (size_t i = 0; i < kp_len(words); i++) {
        const char *word = kp_as_text(kp_at(words, i), "");
        size_t n = strcspn(word, "=");
        const char *key = kp_strndup(r->a, word, n);
        if (*key)
            kp_map_add(&b, key, kp_text(r->a, kp_config_key_is_secret(key) ? "(secret)"
                                              : word[n]                    ? word + n + 1
                                                                           : ""));
    }
    return kp_map_end(&b);
}

/* The release directory that the file really lies in, so that a switch would swap the file. */
static const char *release_around(const kp_host *h, const reader *r, const kp_said *s)
{
    const char *link = kp_said_get(s, "link_real"), *all = kp_said_get(s, "releases_real");
    if (!r->config_path)
        return NULL;
    if (link && *link && kp_starts_with(r->config_path, kp_printf(r->a, "%s/", link)))
        return link;
    const char *below = all && *all ? kp_printf(r->a, "%s/", all) : NULL;
    if (!below || !kp_starts_with(r->config_path, below))
        return NULL;
    const char *name = r->config_path + strlen(below), *end = strchr(name, '/');
    const char *dir = end ? kp_strndup(r->a, name, (size_t)(end - name)) : NULL;
    bool named = dir && kp_starts_with(dir, h->release_before) &&
                 kp_ends_with(dir, h->release_after);
    return named ? kp_printf(r->a, "%s%s", below, dir) : NULL;
}

/* "KIND PATH" of every directory that should be looked at. */
static const char *dirs_wanted(reader *r, const kp_server_config *c, const char **ret_by)
{
    KP_AUTO_BUF b = KP_BUF_INIT(1 << 20);
    const kp_value *locks = kp_list_end(&r->locks);
    bool by_locks = !c->dirs_known && kp_len(locks) > 0;
    const kp_value *paths = by_locks ? locks : c->log_dirs;
    *ret_by = by_locks ? "open locks" : "file";
    for (size_t i = 0; i < kp_len(paths); i++) {
        const char *path = kp_as_text(kp_at(paths, i), "");
        bool is_metadata = by_locks && kp_streq(path, c->metadata_dir);
        if (!is_metadata)
            kp_buf_fmt(&b, "%s %s\n", by_locks && !c->metadata_known ? "lock" : "log", path);
    }
    if (c->metadata_dir && (by_locks || !kp_list_has_text(paths, c->metadata_dir)))
        kp_buf_fmt(&b, "metadata %s\n", c->metadata_dir);
    return kp_strdup(r->a, kp_buf_text(&b));
}

/* Reads the two files; says in "look" which directories should have been looked at. */
static void finish_files(kp_host *h, reader *r, const kp_said *s, const kp_value *dirs)
{
    const kp_value *cluster = kp_text(r->a, cluster_of_dirs(dirs));
    const kp_value *overrides = kp_list_end(&r->overrides), *ids = kp_list_end(&r->meta_ids);
    bool same = kp_said_get(s, "process.same") != NULL, ours = same || !r->has_process;
    kp_config_source file = { .meta_ids = ours ? ids : NULL, .cwd = r->cwd };
    kp_config_source runs = { .overrides = overrides, .meta_ids = ids, .cwd = r->cwd };
    bool has_file = file_bytes(h, r, &r->config_file, &file.text, &file.n);
    bool has_runs = file_bytes(h, r, &r->process_file, &runs.text, &runs.n);
    if (same) {
        has_runs = has_file;
        runs.text = file.text;
        runs.n = file.n;
    }
    const kp_server_config *of_file = has_file ? kp_server_config_read(r->a, &file) : NULL;
    const kp_server_config *of_runs = has_runs ? kp_server_config_read(r->a, &runs) : NULL;
    if (of_file) {
        /* The log dirs are those of the process's file, which may be another. */
        kp_map_add(&r->config, "cluster_id", ours ? cluster : NULL);
        kp_map_add(&r->config, "path_inside_release", kp_text(r->a, release_around(h, r, s)));
        add_meaning(r, &r->config, of_file);
        kp_map_add(&r->top, "config", kp_map_end(&r->config));
        kp_map_add(&r->top, "config_sha256", kp_text(r->a, r->config_file.sha256));
    }
    if (r->has_process) {
        kp_map_add(&r->process, "overrides",
                   kp_len(overrides) ? override_map(r, overrides) : NULL);
        kp_map_add(&r->process, "listening", kp_list_end(&r->ports));
        add_releases(r);
        if (of_runs) {
            kp_map_add(&r->process, "cluster_id", cluster);
            add_meaning(r, &r->process, of_runs);
        }
        kp_map_add(&r->top, "process", kp_map_end(&r->process));
    }
    const char *by = "file";
    const kp_server_config *c = of_runs ? of_runs : of_file;
    kp_map_add(&r->top, "look", kp_text(r->a, c ? dirs_wanted(r, c, &by) : ""));
    kp_map_add(&r->top, "dirs_by", kp_text(r->a, by));
}

static void finish_service(reader *r, const kp_host *h, bool runs)
{
    const kp_host_service *service = &h->spec.service;
    kp_map_add(&r->service, "manager", kp_text(r->a, service->unit ? "systemd" : "command"));
    if (!service->unit)
        kp_map_add(&r->service, "state", kp_text(r->a, runs ? "active" : "inactive"));
    kp_map_add(&r->top, "service", kp_map_end(&r->service));
}

static reader *reader_new(kp_arena *a)
{
    reader *r = KP_NEW(a, reader);
    *r = (reader){ .a = a, .free = -1, .holder = "", .held_by = "" };
    kp_builder *maps[] = { &r->top, &r->process, &r->config, &r->service, &r->signs, &r->partial };
    kp_builder *lists[] = { &r->dirs,  &r->releases, &r->overrides, &r->lines, &r->pids,
                            &r->locks, &r->meta_ids, &r->paths,     &r->jars,  &r->open_jars,
                            &r->ports, &r->other,    &r->agents };
    sent_file *files[] = { &r->process_file, &r->config_file, &r->meta };
    for (size_t i = 0; i < KP_COUNT(maps); i++)
        *maps[i] = kp_map_begin(a);
    for (size_t i = 0; i < KP_COUNT(lists); i++)
        *lists[i] = kp_list_begin(a);
    for (size_t i = 0; i < KP_COUNT(files); i++)
        files[i]->lines = KP_BUF_INIT(KP_HOST_FILE_LIMIT + 2);
    return r;
}

static kp_err *decode(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    int64_t pid = 0;
    if (!kp_said_int(kp_said_get(s, "pid"), &pid))
        return kp_err_retriable(kp_err_new(KP_HOST, "run `kplay cluster check`",
                                           "the host's state could not be read"));
    reader *r = reader_new(a);
    for (size_t i = 0; i < s->n; i++)
        fact(r, s->keys[i], s->values[i]);
    dir_end(r);

    const kp_value *dirs = kp_list_end(&r->dirs);
    finish_files(h, r, s, dirs);
    finish_service(r, h, pid != 0);
    kp_map_add(&r->top, "log_dirs", dirs);
    kp_map_add(&r->top, "log_paths", kp_list_end(&r->paths));
    kp_map_add(&r->top, "dirs", kp_int(a, r->n_dirs));
    kp_map_add(&r->top, "clean_dirs", kp_int(a, r->n_clean));
    kp_map_add(&r->top, "free", r->free >= 0 ? kp_int(a, r->free) : NULL);
    kp_map_add(&r->top, "releases", kp_list_end(&r->releases));
    kp_map_add(&r->top, "releases_partial", kp_map_end(&r->partial));
    kp_map_add(&r->top, "releases_other", kp_list_end(&r->other));
    const kp_value *pids = kp_list_end(&r->pids);
    kp_map_add(&r->top, "pids", kp_len(pids) ? pids : NULL);
    kp_map_add(&r->top, "agents", r->saw_agents ? kp_list_end(&r->agents) : NULL);
    kp_map_add(&r->top, "fence", fence_value(r));
    if (r->has_signs) {
        kp_map_add(&r->signs, "errors", kp_list_end(&r->lines));
        kp_map_add(&r->top, "signs", kp_map_end(&r->signs));
    }
    kp_buf_done(&r->process_file.lines);
    kp_buf_done(&r->config_file.lines);
    kp_buf_done(&r->meta.lines);
    *ret_v = kp_map_end(&r->top);
    return NULL;
}

/* ---- asking ---- */

typedef struct looking {
    kp_host *h;
    kp_arena *a;
    kp_host_question q;
    const char *dirs; /* lines "KIND PATH": what is looked at this time */
    int looks;
    kp_ticket ticket;
    kp_host_fn fn;
    void *ud;
} looking;

static void look(looking *l);

static void on_look(void *ud, kp_err *err, const kp_value *v)
{
    looking *l = ud;
    const char *wanted = kp_get_text(v, "look", "");
    if (!err && kp_len(l->q.dirs)) {
        v = kp_map_with(l->a, v, "dirs_by", kp_text(l->a, "question"));
    } else if (!err) {
        kp_buf_clear(&l->h->dirs);
        kp_buf_str(&l->h->dirs, wanted);
        l->h->looked = true;
        if (!kp_streq(wanted, l->dirs) && l->looks < LOOKS_MAX) {
            l->dirs = kp_strdup(l->a, wanted);
            look(l);
            return;
        }
    }
    l->fn(l->ud, err, err ? NULL : kp_map_with(l->a, v, "look", kp_nil()));
}

static void look(looking *l)
{
    kp_host *h = l->h;
    kp_script s = KP_SCRIPT_INIT;
    KP_AUTO_BUF signs = KP_BUF_INIT(16 << 10);
    for (const kp_host_sign *sign = kp_host_signs; sign->name; sign++)
        kp_buf_fmt(&signs, "%s%s %s\n", sign->trouble ? "! " : "", sign->name, sign->pattern);
    kp_script_layout(&s, h);
    if (l->q.cluster)
        kp_script_cluster(&s, h, l->q.cluster);
    else
        kp_script_set(&s, "state", "");
    kp_script_set_int(&s, "since", l->q.log_since < 0 ? -1 : l->q.log_since);
    kp_script_set_int(&s, "lines", LINES_MAX);
    kp_script_set(&s, "signs", kp_buf_text(&signs));
    kp_script_set(&s, "dirs", l->dirs);
    kp_script_set(&s, "agents", l->q.agents ? "yes" : "");
    kp_script_set(&s, "known", kp_printf(l->a, "%s %s", h->known[0].sha256, h->known[1].sha256));
    kp_script_become(&s, h, KP_AS_FILES);
    kp_script_process(&s, h);
    kp_script_set(&s, "awk_open_files", kp_awk_open_files);
    kp_script_set(&s, "awk_signs", kp_awk_signs);
    kp_script_add(&s, kp_sh_look_functions);
    kp_script_add(&s, kp_sh_look);
    kp_script_run run = { .as = KP_AS_FILES, .deadline = l->q.deadline, .decode = decode };
    l->looks++;
    kp_ticket t = kp_script_go(h, l->a, &s, &run, on_look, l);
    if (l->ticket)
        kp_exec_rename(h, t, l->ticket); /* who asked knows the first one, and may cancel it */
    else
        l->ticket = t;
}

kp_ticket kp_host_state(kp_host *h, kp_arena *a, const kp_host_question *q, kp_host_fn fn,
                        void *ud)
{
    looking *l = KP_NEW(a, looking);
    *l = (looking) { .h = h, .a = a, .q = *q, .fn = fn, .ud = ud };
    KP_AUTO_BUF dirs = KP_BUF_INIT(1 << 20);
    for (size_t i = 0; i < kp_len(q->dirs); i++)
        kp_buf_fmt(&dirs, "log %s\n", kp_as_text(kp_at(q->dirs, i), ""));
    l->dirs = kp_strdup(a, kp_len(q->dirs) ? kp_buf_text(&dirs) : kp_buf_text(&h->dirs));
    look(l);
    return l->ticket;
}
