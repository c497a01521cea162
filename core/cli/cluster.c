/* Which cluster: the file, or a simulated one; and its world.
 *
 * A simulated cluster that runs change lives in a file of its own beside them, so that kplay can be
 * killed and the cluster goes on existing.  A rehearsal's copy lives in memory.
 */
#include "cli/cli.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live/live.h"

char *kp_whoami(kp_arena *a)
{
    char host[256] = "localhost";
    struct passwd *pw = getpwuid(getuid());
    gethostname(host, sizeof host - 1);
    return kp_printf(a, "%s@%s", pw ? pw->pw_name : "unknown", host);
}

static kp_err *make_dirs(const char *path)
{
    char buf[4096];
    if (strlen(path) >= sizeof buf)
        return kp_err_new(KP_CONFIG, "use a shorter path", "%s is too long", path);
    memcpy(buf, path, strlen(path) + 1);
    for (char *p = buf + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char was = *p;
        *p = 0;
        if (mkdir(buf, 0700) != 0 && errno != EEXIST)
            return kp_err_new(KP_CONFIG,
                              "choose another place: runs in the cluster file, or --runs DIR",
                              "the directory %s cannot be made: %s", buf, strerror(errno));
        *p = was;
        if (!was)
            return NULL;
    }
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static const char *described(kp_arena *a, const kp_open_cluster *c)
{
    return kp_printf(a, "%s.made-of", c->image);
}

static kp_err *nothing_here(void)
{
    kp_err *e = kp_err_new(
        KP_CONFIG, "try a simulated one",
        "no cluster here: no kplay.yaml in this directory, no -c FILE, no KPLAY_CLUSTER");
    return kp_err_next(e,
                       "try it on a simulated one:  kplay run --demo rolling.lua --to 3.9.1   |   "
                       "describe yours in kplay.yaml (README, The cluster file)");
}

/* What it was made of, beside its image: whoever changes the description is told to reset it. */
static kp_err *same_description(kp_arena *a, const char *beside, const char *description)
{
    char *kept;
    size_t n;
    kp_err *e = exists(beside) ? kp_file_read(a, beside, 1 << 16, &kept, &n) : NULL;
    if (e || !exists(beside) || kp_streq(kept, description))
        return e;
    return kp_err_new(KP_CONFIG, "kplay cluster reset",
                      "the simulated cluster here was made from another description");
}

kp_err *kp_cluster_described(kp_arena *a, const kp_inventory *inv, kp_sim **ret_sim)
{
    /* The simulator knows keys by their path; the file knows where that stands. */
    kp_err *e = kp_sim_from_spec(a, inv->simulate, ret_sim);
    return e ? kp_err_at(e, "%s", kp_inventory_where(a, inv, e->where)) : NULL;
}

/* In <runs>/cluster.sim: as runs left it, until somebody resets it. */
static kp_err *open_sim(kp_arena *a, const kp_line *line, kp_purpose what_for, const kp_value *spec,
                        kp_open_cluster *c)
{
    const char *mode = kp_opt(line, "mode");
    bool there = exists(c->image);

    c->simulated = true;
    c->description = spec ? kp_sha256_hex(a, kp_json_text(a, spec), strlen(kp_json_text(a, spec)))
                          : kp_printf(a, "demo %s", mode ? mode : "kraft");
    if (!there && what_for == KP_TO_GO_ON)
        return kp_err_new(KP_USAGE, "begin one: kplay run rolling.lua --to 3.9.1",
                          "there is no simulated cluster to go on with");
    if (there && what_for != KP_TO_GO_ON && (spec || mode)) {
        kp_err *e = same_description(a, described(a, c), c->description);
        if (e && spec)
            e = kp_err_at(e, "%s", kp_inventory_where(a, c->inventory, "simulate"));
        KP_TRY(e);
    }
    if (!there && spec)
        KP_TRY(kp_cluster_described(a, c->inventory, &c->sim));
    else if (!there)
        KP_TRY(kp_sim_demo(a, mode ? mode : "kraft", &c->sim));
    else if (what_for == KP_TO_GO_ON)
        KP_TRY(kp_sim_open_file(c->image, &c->sim));
    else
        KP_TRY(kp_sim_look(c->image, &c->sim));
    c->begins = what_for == KP_TO_BEGIN;
    kp_sim_catch_signals(c->sim);
    c->world = kp_sim_world(c->sim);
    return NULL;
}

kp_err *kp_cluster_taken(void *cluster)
{
    kp_open_cluster *c = cluster;
    if (!c->begins)
        return NULL;
    c->begins = false;
    KP_AUTO_ARENA a = kp_arena_new("description", 1 << 16);
    KP_TRY(kp_sim_keep(c->sim, c->image));
    if (exists(described(a, c)))
        return NULL;
    const char *path = described(a, c);
    FILE *f = fopen(path, "we");
    bool written = f && fputs(c->description, f) >= 0;
    written = f && fclose(f) == 0 && written;
    return written ? NULL
                   : kp_err_new(KP_CONFIG, "see why it cannot be written", "%s: %s", path,
                                strerror(errno));
}

kp_err *kp_cluster_reset(kp_arena *a, const kp_open_cluster *c)
{
    kp_run_info *info;
    size_t n;
    if (!c->image)
        return kp_err_new(KP_USAGE, "only what `simulate:` or --demo made can be reset",
                          "cluster %s is no simulated one", c->inventory->cluster);
    KP_TRY(kp_runs_list(a, c->runs, &info, &n));
    for (size_t i = 0; i < n; i++)
        if (!info[i].finished) {
            kp_err *e = kp_err_new(KP_REFUSED, "end it first", "run %s on it is unfinished",
                                   info[i].run);
            return kp_err_next(e,
                               "kplay resume %s   |   close it for good: kplay run PLAYBOOK "
                               "--supersede %s",
                               info[i].run, info[i].run);
        }
    const char *files[] = { c->image, described(a, c) };
    for (size_t i = 0; i < KP_COUNT(files); i++)
        if (unlink(files[i]) != 0 && errno != ENOENT)
            return kp_err_new(KP_CONFIG, "remove it by hand", "%s cannot be removed: %s", files[i],
                              strerror(errno));
    return NULL;
}

/* Arguments for a playbook that there is not are a slip of its name. */
static kp_err *check_playbooks(kp_arena *a, const kp_open_cluster *c)
{
    const kp_value *all = c->inventory->playbooks;
    for (uint32_t i = 0; i < kp_len(all); i++) {
        kp_err *e = kp_files_known(a, &c->files, all->keys[i]);
        if (e)
            return kp_err_class(
                kp_err_at(e, "%s",
                          kp_inventory_where(a, c->inventory,
                                             kp_printf(a, "playbooks.%s", all->keys[i]))),
                KP_CONFIG);
    }
    return NULL;
}

static kp_err *open_demo(kp_arena *a, const kp_line *line, kp_purpose what_for, kp_open_cluster *c)
{
    c->runs = kp_opt(line, "runs") ? kp_opt(line, "runs") : kp_state_dir(a, "demo");
    if (!c->runs)
        return kp_err_new(KP_USAGE, "--runs DIR says where",
                          "HOME is not set: where are runs kept?");
    c->image = kp_printf(a, "%s/cluster.sim", c->runs);
    KP_TRY(kp_files_init(a, NULL, &c->files));
    if (what_for == KP_TO_FIND)
        return NULL;
    KP_TRY(make_dirs(c->runs));
    KP_TRY(open_sim(a, line, what_for, NULL, c));
    c->inventory = kp_sim_inventory(a, c->sim, NULL);
    return NULL;
}

const char *kp_cluster_file(const kp_line *line)
{
    const char *file = kp_opt(line, "cluster");
    if (file)
        return file;
    file = getenv("KPLAY_CLUSTER");
    if (file && *file)
        return file;
    return exists("kplay.yaml") ? "kplay.yaml" : NULL;
}

kp_err *kp_cluster_open(kp_arena *a, const kp_line *line, kp_purpose what_for,
                        kp_open_cluster *ret_c)
{
    kp_open_cluster *c = ret_c;
    const char *file = kp_cluster_file(line);

    *c = (kp_open_cluster) { 0 };
    if (kp_flag(line, "demo"))
        return open_demo(a, line, what_for, c);
    if (!file)
        return nothing_here();

    KP_TRY(kp_inventory_load(a, file, &c->inventory));
    c->runs = kp_opt(line, "runs") ? kp_opt(line, "runs") : c->inventory->runs;
    KP_TRY(kp_files_init(a, file, &c->files));
    KP_TRY(check_playbooks(a, c));
    if (c->inventory->simulate && c->inventory->n_nodes > 0)
        return kp_err_at(kp_err_new(KP_CONFIG, "remove one of the two",
                                    "nodes beside `simulate`: the cluster is a real one or a "
                                    "simulated one"),
                         "%s", c->inventory->nodes[0].where);
    if (c->inventory->simulate)
        c->image = kp_printf(a, "%s/cluster.sim", c->runs);
    if (what_for == KP_TO_FIND)
        return NULL;
    kp_err *e = make_dirs(c->runs);
    if (e && !kp_opt(line, "runs") && kp_get(c->inventory->where, "runs"))
        e = kp_err_at(e, "%s", kp_inventory_where(a, c->inventory, "runs"));
    KP_TRY(e);
    if (c->inventory->simulate) {
        KP_TRY(open_sim(a, line, what_for, c->inventory->simulate, c));
        c->inventory = kp_sim_inventory(a, c->sim, c->inventory);
        return NULL;
    }
    return kp_live_world(a, c->inventory, &c->world);
}

void kp_cluster_close(kp_open_cluster *c)
{
    if (c->world)
        c->world->c->done(c->world);
    c->world = NULL;
    c->sim = NULL;
}
