/* Which cluster: the file, or a simulated one; and its world.
 *
 * A simulated cluster that runs change lives in a file of its own beside them, so that kplay can be
 * killed and the cluster goes on existing.  A rehearsal's copy lives in memory.
 */
#include "cli/cli.h"

#include <errno.h>
#include <pwd.h>
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

static kp_err *nothing_here(void)
{
    kp_err *e = kp_err_new(
        KP_CONFIG, "try a simulated one",
        "no cluster here: no kplay.yaml in this directory, no -c FILE, no KPLAY_CLUSTER");
    return kp_err_next(e,
                       "try it on a simulated one:  kplay run --demo rolling.lua --to 3.9.1   |   "
                       "describe yours in kplay.yaml (README, The cluster file)");
}

static bool unfinished(kp_arena *a, const char *runs)
{
    kp_run_info *info;
    size_t n;
    kp_err *e = kp_runs_list(a, runs, &info, &n);
    if (e) {
        kp_err_drop(e);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (!info[i].finished)
            return true;
    return false;
}

/* In <runs>/cluster.sim: kept while a run on it is unfinished. */
static kp_err *open_sim(kp_arena *a, const kp_line *line, kp_purpose what_for, const kp_value *spec,
                        kp_open_cluster *c)
{
    const char *image = kp_printf(a, "%s/cluster.sim", c->runs);
    bool there = exists(image), begins = what_for == KP_TO_BEGIN,
         anew = !there || (begins && (!unfinished(a, c->runs) || kp_opt(line, "supersede")));

    c->simulated = true;
    if (!there && what_for == KP_TO_GO_ON)
        return kp_err_new(KP_USAGE, "begin one: kplay run rolling.lua --to 3.9.1",
                          "there is no simulated cluster to go on with");
    if (anew && spec)
        KP_TRY(kp_sim_from_spec(a, spec, &c->sim));
    else if (anew)
        KP_TRY(kp_sim_demo(a, kp_opt(line, "mode") ? kp_opt(line, "mode") : "kraft", &c->sim));
    else if (what_for == KP_TO_GO_ON)
        KP_TRY(kp_sim_open_file(image, &c->sim));
    else
        KP_TRY(kp_sim_look(image, &c->sim));
    c->taken = begins ? image : NULL;
    kp_sim_catch_signals(c->sim);
    c->world = kp_sim_world(c->sim);
    return NULL;
}

kp_err *kp_cluster_taken(void *cluster)
{
    kp_open_cluster *c = cluster;
    const char *path = c->taken;
    c->taken = NULL;
    return path ? kp_sim_keep(c->sim, path) : NULL;
}

static kp_err *open_demo(kp_arena *a, const kp_line *line, kp_purpose what_for, kp_open_cluster *c)
{
    c->runs = kp_opt(line, "runs") ? kp_opt(line, "runs") : kp_state_dir(a, "demo");
    if (!c->runs)
        return kp_err_new(KP_USAGE, "--runs DIR says where",
                          "HOME is not set: where are runs kept?");
    KP_TRY(kp_files_init(a, NULL, &c->files));
    if (what_for == KP_TO_FIND)
        return NULL;
    KP_TRY(make_dirs(c->runs));
    KP_TRY(open_sim(a, line, what_for, NULL, c));
    c->inventory = kp_sim_inventory(a, c->sim, NULL);
    return NULL;
}

kp_err *kp_cluster_open(kp_arena *a, const kp_line *line, kp_purpose what_for,
                        kp_open_cluster *ret_c)
{
    kp_open_cluster *c = ret_c;
    const char *file = kp_opt(line, "cluster");

    *c = (kp_open_cluster) { 0 };
    if (kp_flag(line, "demo"))
        return open_demo(a, line, what_for, c);
    if (!file)
        file = getenv("KPLAY_CLUSTER");
    if (!file || !*file)
        file = exists("kplay.yaml") ? "kplay.yaml" : NULL;
    if (!file)
        return nothing_here();

    KP_TRY(kp_inventory_load(a, file, &c->inventory));
    c->runs = kp_opt(line, "runs") ? kp_opt(line, "runs") : c->inventory->runs;
    KP_TRY(kp_files_init(a, file, &c->files));
    if (what_for == KP_TO_FIND)
        return NULL;
    KP_TRY(make_dirs(c->runs));
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
