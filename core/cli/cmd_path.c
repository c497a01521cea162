/* kplay path FROM TO: the ways from one release to another.
 *
 * What is told is playbooks/path.lua's, which a team may eject; it asks no cluster.  Here its
 * arguments are put together - the keys of a server.properties, the number of nodes of the cluster
 * file - and its lines printed.
 */
#include "cli/cli.h"

#include "cluster/properties.h"

#include <stdio.h>
#include <string.h>

static const kp_option options[] = {
    { "rules", 0, "RULES", "which release may follow which: conservative (default) or documented" },
    { "config", 0, "FILE", "a server.properties: what a step drops of it is told" },
    { "via", 0, "RELEASE", "a stop that is wanted, whatever the rules say of it" },
    { "reason", 0, "TEXT", "why, for --via, when it opens an advisory" },
    { "each", 0, "DURATION", "about how long one node takes (default 5m)" },
    KP_OPT_CLUSTER,
    KP_OPT_JSON,
    KP_OPT_HELP,
    { NULL, 0, NULL, NULL }
};

/* What the playbook logs. */
typedef struct heard {
    kp_arena *a;
    bool json;
    kp_builder lines;
} heard;

static void hear(void *ud, const kp_event *e)
{
    heard *h = ud;
    if (e->kind != KP_E_NOTE)
        return;
    if (h->json)
        kp_list_add(&h->lines, kp_text(h->a, e->text));
    else
        kp_out_line("%s", e->text);
}

/* The names that a file sets; their values are nobody's business here. */
static kp_err *keys_of(kp_arena *a, const char *path, const kp_value **ret_keys)
{
    char *text;
    size_t n;
    kp_err *e = kp_file_read(a, path, KP_PROPERTIES_LIMIT, &text, &n);
    if (e)
        return kp_err_class(e, KP_USAGE);
    const kp_value *all = kp_properties_parse(a, text, n);
    kp_builder keys = kp_list_begin(a);
    for (uint32_t i = 0; i < all->n; i++)
        kp_list_add(&keys, kp_text(a, all->keys[i]));
    *ret_keys = kp_list_end(&keys);
    return NULL;
}

static kp_err *arguments(kp_arena *a, const kp_line *line, const kp_inventory *inv,
                         const kp_value **ret_args)
{
    const kp_value *keys = NULL;
    const char *config = kp_opt(line, "config");

    if (line->n_words != 2)
        return kp_err_new(KP_USAGE, "kplay path 3.9.2 4.4.0",
                          "path needs two releases: the one that runs, and the one wanted");
    if (config)
        KP_TRY(keys_of(a, config, &keys));
    *ret_args = kp_map(a, "from", kp_text(a, line->word[0]), "to", kp_text(a, line->word[1]),
                       "rules", kp_get(line->set, "rules"), "via", kp_get(line->set, "via"), "why",
                       kp_get(line->set, "reason"), "each", kp_get(line->set, "each"), "keys", keys,
                       "nodes", inv && inv->n_nodes ? kp_int(a, inv->n_nodes) : NULL, NULL);
    return NULL;
}

/* A playbook is run by the engine, and the engine needs a cluster: it is asked nothing. */
static kp_err *tell(kp_arena *a, const kp_files *files, const kp_inventory *team,
                    const kp_value *args, heard *h)
{
    kp_sim *sim;
    KP_TRY(kp_sim_demo(a, "kraft", &sim));
    kp_run_spec spec = { .verbs = kp_verbs,
                         .world = kp_sim_world(sim),
                         .simulated = true,
                         .inventory = kp_sim_inventory(a, sim, team),
                         .playbook = "path.lua",
                         .find = kp_files_find,
                         .find_ud = (void *)(uintptr_t)files,
                         .given.value = args,
                         .who = kp_whoami(a),
                         .assume_yes = true,
                         .sink = { .event = hear, .ud = h } };
    kp_err *e = kp_run_first(a, &spec, NULL);
    kp_sim_close(sim);
    return e;
}

static int path_main(kp_arena *a, const kp_line *line)
{
    bool json = kp_flag(line, "json");
    heard h = { .a = a, .json = json, .lines = kp_list_begin(a) };
    const char *file = kp_cluster_file(line);
    const kp_inventory *inv = NULL;
    const kp_value *args = NULL;
    kp_files files;

    kp_err *e = file ? kp_inventory_load(a, file, &inv) : NULL;
    if (!e)
        e = kp_files_init(a, file, &files);
    if (!e)
        e = arguments(a, line, inv, &args);
    if (!e)
        e = tell(a, &files, inv, args, &h);
    if (!e && json)
        puts(kp_json_text(a, kp_map_with(a, args, "lines", kp_list_end(&h.lines))));
    return kp_cli_fail(e, json);
}

const kp_command kp_cmd_path = {
    .name = "path",
    .usage = "path [options] FROM TO",
    .options = options,
    .most_words = 2,
    .main = path_main,
    .doc = "Show the ways from one release to another: steps, what each fixes, opens and drops.\n\n"
           "No cluster is asked.  With a cluster file it is told about how long each way takes on "
           "so\nmany nodes.  The rules say which step may be taken; of what they leave, the way "
           "that opens\nfewest advisories comes first, then the one on which fewest stay open, "
           "then the shortest.",
};
