/* The cluster file, read into an inventory.
 *
 * Tables (keys.h) say what may stand where; this file says what has to hold between the fields:
 * settings for all nodes and a node's own, brokers and controllers that are one process, nodes that
 * would be steered by one and the same file or unit, what a real cluster needs and a simulated one
 * does not.  Everything a later step would trip over on a host is refused here, with the line that
 * set it, before anything is contacted.
 */
#include "cluster/inventory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cluster/client.h"
#include "cluster/keys.h"

static size_t position_in(const char *const *choices, const char *s)
{
    size_t i = 0;
    while (choices[i + 1] && strcmp(choices[i], s) != 0)
        i++;
    return i;
}

static kp_err *missing(const kp_reading *in, const char *path, const char *key, const char *next)
{
    return kp_reading_error(in, path, next, "%s has no `%s`", *path ? path : "the file", key);
}

/* ---- what holds for all nodes, and what a node changes ---- */

typedef struct settings {
    kp_ssh ssh;
    kp_service_level service;
    kp_layout layout;
} settings;

/* A key that only the other service manager takes. */
static kp_err *check_manager(const kp_reading *in, const char *path, const kp_value *map,
                             const kp_service_level *s)
{
    bool systemd = strcmp(s->manager, "systemd") == 0;
    for (size_t i = 0; i < kp_len(map); i++) {
        const char *key = map->keys[i];
        bool for_systemd = strcmp(key, "unit") == 0;
        if (strcmp(key, "manager") == 0 || for_systemd == systemd)
            continue;
        const char *wanted = for_systemd ? "systemd" : "command";
        return kp_reading_error(in, kp_reading_path(in, path, key),
                                kp_printf(in->a, "write manager: %s, or take %s out", wanted, key),
                                "`%s.%s` is for manager: %s, but the manager is %s", path, key,
                                wanted, s->manager);
    }
    return NULL;
}

/* Reads ssh, service and layout as they stand in one place of the file over what held before. */
static kp_err *read_settings(const kp_reading *in, const char *path, const kp_value *ssh,
                             const kp_value *service, const kp_value *layout, settings *s)
{
    const char *ssh_path = kp_reading_path(in, path, "ssh"),
               *service_path = kp_reading_path(in, path, "service");
    kp_ssh_level level = { .ssh = s->ssh };
    KP_TRY(kp_level_read(in, &kp_ssh_table, ssh_path, ssh, &level));
    KP_TRY(kp_level_read(in, &kp_become_table, kp_reading_path(in, ssh_path, "become"),
                         level.become, &level.ssh));
    s->ssh = level.ssh;
    KP_TRY(kp_level_read(in, &kp_service_table, service_path, service, &s->service));
    KP_TRY(check_manager(in, service_path, service, &s->service));
    return kp_level_read(in, &kp_layout_table, kp_reading_path(in, path, "layout"), layout,
                         &s->layout);
}

static settings default_settings(const kp_reading *in)
{
    settings s = { 0 };
    kp_ssh_level ssh = { 0 };
    kp_level_defaults(in, &kp_ssh_table, &ssh);
    kp_level_defaults(in, &kp_become_table, &ssh.ssh);
    s.ssh = ssh.ssh;
    kp_level_defaults(in, &kp_service_table, &s.service);
    kp_level_defaults(in, &kp_layout_table, &s.layout);
    return s;
}

/* ---- nodes ---- */

/* One entry of brokers or controllers. */
typedef struct entry {
    kp_node_level node;
    kp_role role;
    const char *path;
    const kp_value *map;
} entry;

static kp_err *read_entries(const kp_reading *in, const char *list_name, const kp_value *list,
                            kp_role role, entry *entries)
{
    for (size_t i = 0; i < kp_len(list); i++) {
        entry *e = &entries[i];
        *e = (entry){ .role = role,
                      .path = kp_printf(in->a, "%s[%zu]", list_name, i),
                      .map = kp_at(list, i) };
        if (!kp_is(e->map, KP_MAP))
            return kp_reading_error(in, e->path, "write { id: 1, host: NAME, ... }",
                                    "`%s` must be a map", e->path);
        kp_level_defaults(in, &kp_node_table, &e->node);
        KP_TRY(kp_level_read(in, &kp_node_table, e->path, e->map, &e->node));
        if (!kp_get(e->map, "id"))
            return missing(in, e->path, "id", "give its broker.id or node.id");
    }
    return NULL;
}

static int compare_entries(const void *x, const void *y)
{
    const entry *a = x, *b = y;
    if (a->node.id != b->node.id)
        return a->node.id < b->node.id ? -1 : 1;
    return (int)a->role - (int)b->role;
}

/* The two entries of a combined node must not say two things about one process. */
static kp_err *check_same(const kp_reading *in, const char *b_path, const kp_value *b,
                          const char *c_path, const kp_value *c)
{
    if (kp_is(b, KP_MAP) && kp_is(c, KP_MAP)) {
        for (size_t i = 0; i < kp_len(c); i++) {
            const char *key = c->keys[i];
            const kp_value *other = kp_get(b, key);
            if (other)
                KP_TRY(check_same(in, kp_reading_path(in, b_path, key), other,
                                  kp_reading_path(in, c_path, key), c->u.items[i]));
        }
        return NULL;
    }
    if (kp_value_equal(b, c))
        return NULL;
    return kp_reading_error(
        in, c_path, "a node with both roles is one process: keep one of the two",
        "`%s` differs from `%s` (%s)", c_path, b_path, kp_reading_where(in, b_path));
}

static kp_err *check_pair(const kp_reading *in, const entry *b, const entry *c)
{
    if (b->role == c->role)
        return kp_reading_error(in, c->path, "give every node its own id",
                                "id %d is given twice; first at %s", c->node.id,
                                kp_reading_where(in, b->path));
    if (strcasecmp(b->node.host, c->node.host) != 0)
        return kp_reading_error(in, c->path, "give the controller its own id, or the broker's host",
                                "id %d is a broker on %s and a controller on %s", c->node.id,
                                b->node.host, c->node.host);
    static const char *const shared[] = { "rack", "ssh", "service", "layout" };
    for (size_t i = 0; i < KP_COUNT(shared); i++) {
        const kp_value *theirs = kp_get(b->map, shared[i]), *ours = kp_get(c->map, shared[i]);
        if (theirs && ours)
            KP_TRY(check_same(in, kp_reading_path(in, b->path, shared[i]), theirs,
                              kp_reading_path(in, c->path, shared[i]), ours));
    }
    return NULL;
}

static kp_err *apply_entry(const kp_reading *in, const entry *e, settings *s, kp_node *node)
{
    KP_TRY(read_settings(in, e->path, e->node.ssh, e->node.service, e->node.layout, s));
    node->roles |= (unsigned)e->role;
    if (*e->node.rack)
        node->rack = e->node.rack;
    if (e->role == KP_BROKER)
        node->kafka = e->node.kafka;
    else
        node->controller = e->node.kafka;
    return NULL;
}

/* The n entries (one, or a broker's and a controller's) of one node. */
static kp_err *make_node(const kp_reading *in, const entry *e, size_t n, const settings *all,
                         kp_node *node)
{
    settings s = *all;
    *node = (kp_node){
        .id = e->node.id, .host = e->node.host, .rack = "", .kafka = "", .controller = ""
    };
    node->where = kp_reading_where(in, e->path);
    for (size_t i = 0; i < n; i++)
        KP_TRY(apply_entry(in, &e[i], &s, node));
    node->ssh = s.ssh;
    node->layout = s.layout;
    if (!*node->layout.state && *node->layout.releases)
        node->layout.state = kp_printf(in->a, "%s/.kplay", node->layout.releases);
    node->service = (kp_service){
        .systemd = strcmp(s.service.manager, "systemd") == 0,
        .unit = s.service.unit,
        .start = s.service.start,
        .stop = s.service.stop,
        .status = s.service.status,
    };
    return NULL;
}

static const char *name_of(const kp_reading *in, const kp_node *node)
{
    const char *role = node->roles == KP_BROKER       ? "broker"
                       : node->roles == KP_CONTROLLER ? "controller"
                                                      : "node";
    return kp_printf(in->a, "%s %d", role, node->id);
}

/* What a node of a real cluster cannot do without. */
static kp_err *check_complete(const kp_reading *in, const kp_node *node)
{
    bool systemd = node->service.systemd, ssh = strcmp(node->ssh.transport, "local") != 0;
    const struct {
        bool lacks;
        const char *key, *next;
    } needs[] = {
        { !*node->host, "host", "give the host kplay logs in to" },
        { kp_node_is(node, KP_BROKER) && !*node->kafka, "kafka",
          "give the listener of this broker that kplay can reach, host:port" },
        { kp_node_is(node, KP_CONTROLLER) && !*node->controller, "kafka",
          "give this controller's listener, host:port" },
        { ssh && !*node->ssh.user, "ssh.user",
          "give ssh: { user: NAME } for all nodes or for this one" },
        { ssh && !*node->ssh.known_hosts, "ssh.known_hosts",
          "give ssh: { known_hosts: /path }; HOME is not set" },
        { systemd && !*node->service.unit, "service.unit",
          "give service: { unit: NAME } for all nodes or for this one" },
        { !systemd && !node->service.start, "service.start",
          "give service: { manager: command, start: [...] }" },
        { !*node->layout.current, "layout.current",
          "give layout: { current: /path }, the link that names the release in use" },
        { !*node->layout.releases, "layout.releases",
          "give layout: { releases: /path }, the directory of the staged releases" },
        { !*node->layout.config, "layout.config",
          "give layout: { config: /path }, the node's server.properties" },
    };
    for (size_t i = 0; i < KP_COUNT(needs); i++)
        if (needs[i].lacks)
            return kp_err_at(kp_err_new(KP_CONFIG, needs[i].next, "%s has no `%s`",
                                        name_of(in, node), needs[i].key),
                             "%s", node->where);
    return NULL;
}

/* Things that only one node may have: a text, and who claims it where. */
typedef struct claim {
    const char *thing, *who, *where;
    size_t order;
} claim;

typedef struct claims {
    claim *all;
    size_t n;
} claims;

static void add_claim(claims *c, const char *thing, const char *who, const char *where)
{
    c->all[c->n] = (claim){ thing, who, where, c->n };
    c->n++;
}

static int compare_claims(const void *x, const void *y)
{
    const claim *a = x, *b = y;
    int order = strcmp(a->thing, b->thing);
    return order ? order : a->order < b->order ? -1 : 1;
}

static kp_err *check_claims(const claims *c, const char *what, const char *next)
{
    if (c->n > 1)
        qsort(c->all, c->n, sizeof *c->all, compare_claims);
    for (size_t i = 1; i < c->n; i++) {
        const claim *a = &c->all[i - 1], *b = &c->all[i];
        if (strcmp(a->thing, b->thing) == 0)
            return kp_err_at(kp_err_new(KP_CONFIG, next, "%s and %s have the same %s: %s", a->who,
                                        b->who, what, b->thing),
                             "%s", b->where);
    }
    return NULL;
}

/* Host names do not differ by case. */
static const char *lower(const kp_reading *in, const char *s)
{
    char *low = kp_strdup(in->a, s);
    for (char *c = low; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return low;
}

/* Two nodes behind one file, unit or listener: what is meant for one would hit the other. */
static kp_err *check_distinct(const kp_reading *in, const kp_node *nodes, size_t n)
{
    claims files = { KP_NEW_ARRAY(in->a, n, claim), 0 };
    claims units = { KP_NEW_ARRAY(in->a, n, claim), 0 };
    claims listeners = { KP_NEW_ARRAY(in->a, 2 * n, claim), 0 };
    for (size_t i = 0; i < n; i++) {
        const kp_node *d = &nodes[i];
        const char *who = name_of(in, d), *host = lower(in, d->host);
        const char *config = d->layout.config, *unit = d->service.unit;
        if (*host && *config)
            add_claim(&files, kp_printf(in->a, "%s on %s", config, host), who, d->where);
        if (*host && d->service.systemd && *unit)
            add_claim(&units, kp_printf(in->a, "%s on %s", unit, host), who, d->where);
        if (*d->kafka)
            add_claim(&listeners, lower(in, d->kafka), who, d->where);
        if (*d->controller)
            add_claim(&listeners, lower(in, d->controller), who, d->where);
    }
    KP_TRY(check_claims(&files, "config file",
                        "correct the host, or give each its own layout: { config: /path }"));
    KP_TRY(check_claims(&units, "systemd unit",
                        "correct the host, or give each its own service: { unit: NAME }"));
    return check_claims(&listeners, "listener", "give each the address at which only it answers");
}

static kp_err *read_nodes(const kp_reading *in, const kp_top_level *t, kp_inventory *inv)
{
    size_t n_brokers = kp_len(t->brokers), n_controllers = kp_len(t->controllers),
           n = n_brokers + n_controllers;
    settings all = default_settings(in);
    entry *entries = KP_NEW_ARRAY(in->a, n, entry);
    kp_node *nodes = KP_NEW_ARRAY(in->a, n, kp_node);
    KP_TRY(read_settings(in, "", t->ssh, t->service, t->layout, &all));
    KP_TRY(read_entries(in, "brokers", t->brokers, KP_BROKER, entries));
    KP_TRY(read_entries(in, "controllers", t->controllers, KP_CONTROLLER, entries + n_brokers));
    if (n > 1)
        qsort(entries, n, sizeof *entries, compare_entries);
    for (size_t i = 0; i < n;) {
        size_t same = i + 1;
        for (; same < n && entries[same].node.id == entries[i].node.id; same++)
            KP_TRY(check_pair(in, &entries[same - 1], &entries[same]));
        kp_node *node = &nodes[inv->n_nodes++];
        KP_TRY(make_node(in, &entries[i], same - i, &all, node));
        if (!t->simulate)
            KP_TRY(check_complete(in, node));
        i = same;
    }
    inv->nodes = nodes;
    return check_distinct(in, nodes, inv->n_nodes);
}

static kp_err *read_zookeepers(const kp_reading *in, const kp_value *list, kp_inventory *inv)
{
    kp_zookeeper *z = KP_NEW_ARRAY(in->a, kp_len(list), kp_zookeeper);
    claims addresses = { KP_NEW_ARRAY(in->a, kp_len(list), claim), 0 };
    for (size_t i = 0; i < kp_len(list); i++) {
        const char *path = kp_printf(in->a, "zookeeper[%zu]", i);
        if (!kp_is(kp_at(list, i), KP_MAP))
            return kp_reading_error(in, path, "write { host: NAME, connect: \"NAME:2181\" }",
                                    "`%s` must be a map", path);
        kp_level_defaults(in, &kp_zookeeper_table, &z[i]);
        KP_TRY(kp_level_read(in, &kp_zookeeper_table, path, kp_at(list, i), &z[i]));
        if (!*z[i].host)
            return missing(in, path, "host", "give the server's host");
        if (!*z[i].connect)
            z[i].connect = kp_printf(in->a, strchr(z[i].host, ':') ? "[%s]:2181" : "%s:2181",
                                     z[i].host);
        add_claim(&addresses, lower(in, z[i].connect), path, kp_reading_where(in, path));
    }
    inv->n_zookeepers = (uint32_t)kp_len(list);
    inv->zookeepers = z;
    return check_claims(&addresses, "address", "give every ZooKeeper server once");
}

/* ---- policy and playbooks ---- */

static kp_err *check_accept(const kp_reading *in, const char *path, const kp_value *map)
{
    kp_accept_level a = { 0 };
    if (!kp_is(map, KP_MAP))
        return kp_reading_error(in, path, "write { topic: NAME, why: REASON }",
                                "`%s` must be a map", path);
    KP_TRY(kp_level_read(in, &kp_accept_table, path, map, &a));
    if (!a.topic == !a.partition)
        return kp_reading_error(in, path,
                                "write { topic: NAME, why: REASON } or "
                                "{ partition: NAME-NUMBER, until: YYYY-MM-DD, why: REASON }",
                                "`%s` must have one of topic and partition", path);
    if (!a.why || strspn(a.why, " ") == strlen(a.why))
        return missing(in, path, "why", "say why this may be unavailable; the report shows it");
    if (a.partition && !a.until)
        return missing(in, path, "until", "a partition is accepted for a time: until: YYYY-MM-DD");
    return NULL;
}

static kp_err *read_policy(const kp_reading *in, const kp_value *map, kp_inventory *inv)
{
    kp_policy_level p = { 0 };
    kp_level_defaults(in, &kp_policy_table, &p);
    KP_TRY(kp_level_read(in, &kp_policy_table, "policy", map, &p));
    for (size_t i = 0; i < kp_len(p.accept); i++)
        KP_TRY(check_accept(in, kp_printf(in->a, "policy.accept[%zu]", i), kp_at(p.accept, i)));
    inv->guard = (kp_guard_level)position_in(kp_guard_levels, p.guard);
    inv->on_failure = (kp_on_failure)position_in(kp_on_failures, p.on_failure);
    inv->free_space = p.free_space;
    kp_builder none = kp_list_begin(in->a);
    inv->accept = p.accept ? p.accept : kp_list_end(&none);
    return NULL;
}

static kp_err *check_playbooks(const kp_reading *in, const kp_value *playbooks)
{
    for (size_t i = 0; i < kp_len(playbooks); i++) {
        const char *path = kp_reading_path(in, "playbooks", playbooks->keys[i]);
        if (!kp_is(playbooks->u.items[i], KP_MAP))
            return kp_reading_error(in, path, "write { ARGUMENT: VALUE, ... }",
                                    "`%s` must be a map of arguments", path);
    }
    return NULL;
}

/* ---- the file ---- */

const char *kp_inventory_where(kp_arena *a, const kp_inventory *inv, const char *path)
{
    return kp_reading_where(&(kp_reading) { .a = a, .file = inv->path, .where = inv->where }, path);
}

const char *kp_state_dir(kp_arena *a, const char *cluster)
{
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (xdg && *xdg == '/')
        return kp_printf(a, "%s/kplay/%s", xdg, cluster);
    return home && *home ? kp_printf(a, "%s/.local/state/kplay/%s", home, cluster) : NULL;
}

static kp_err *read_runs(const kp_reading *in, const char *runs, kp_inventory *inv)
{
    inv->runs = runs && *runs ? runs : kp_state_dir(in->a, inv->cluster);
    return inv->runs
               ? NULL
               : missing(in, "", "runs", "give the directory where runs are kept; HOME is not set");
}

static kp_err *check_top(const kp_reading *in, const kp_top_level *t)
{
    if (!t->cluster)
        return missing(in, "", "cluster", "give the cluster a name: cluster: orders-prod");
    if (t->simulate)
        return NULL;
    if (!t->kafka)
        return missing(in, "", "kafka",
                       "say how to connect: kafka: { bootstrap.servers: \"broker1:9092\" }");
    if (!kp_get(t->kafka, "bootstrap.servers"))
        return missing(in, "kafka", "bootstrap.servers",
                       "give one or more brokers: \"broker1:9092,broker2:9092\"");
    if (kp_len(t->brokers) == 0)
        return kp_reading_error(
            in, "brokers", "list every broker: { id: 1, host: broker1, kafka: \"broker1:9092\" }",
            "the file lists no brokers");
    return NULL;
}

kp_err *kp_inventory_parse(kp_arena *a, const char *path, const char *text, size_t n,
                           const kp_inventory **ret_inv)
{
    const kp_value *tree;
    kp_reading in = { .a = a, .file = path };
    KP_TRY(kp_yaml_read(a, path, text, n, &tree, &in.where));
    if (!kp_is(tree, KP_MAP))
        return kp_reading_error(&in, "", "begin with cluster: NAME",
                                "a cluster file is a map of keys, not %s",
                                kp_is(tree, KP_LIST) ? "a list" : "one text");
    kp_top_level t = { 0 };
    KP_TRY(kp_level_read(&in, &kp_top_table, "", tree, &t));
    KP_TRY(check_top(&in, &t));
    kp_inventory *inv = KP_NEW(a, kp_inventory);
    inv->path = kp_strdup(a, path);
    inv->cluster = t.cluster;
    inv->where = in.where;
    inv->simulate = t.simulate;
    KP_TRY(kp_client_read(&in, t.kafka, &inv->kafka));
    KP_TRY(read_nodes(&in, &t, inv));
    KP_TRY(read_zookeepers(&in, t.zookeeper, inv));
    KP_TRY(read_policy(&in, t.policy, inv));
    KP_TRY(check_playbooks(&in, t.playbooks));
    inv->playbooks = t.playbooks ? t.playbooks : kp_map(a, NULL);
    KP_TRY(read_runs(&in, t.runs, inv));
    *ret_inv = inv;
    return NULL;
}

kp_err *kp_inventory_load(kp_arena *a, const char *path, const kp_inventory **ret_inv)
{
    char *text;
    size_t n;
    KP_TRY(kp_file_read(a, path, KP_INVENTORY_LIMIT, &text, &n));
    return kp_inventory_parse(a, path, text, n, ret_inv);
}

const kp_node *kp_inventory_node(const kp_inventory *inv, int id)
{
    size_t low = 0, high = inv->n_nodes;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (inv->nodes[mid].id == id)
            return &inv->nodes[mid];
        if (inv->nodes[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const char *kp_node_word(kp_arena *a, const kp_inventory *inv, int id)
{
    const kp_node *n = kp_inventory_node(inv, id);
    const char *word = !n                          ? "node"
                       : n->roles == KP_BROKER     ? "broker"
                       : n->roles == KP_CONTROLLER ? "controller"
                                                   : "node";
    return kp_printf(a, "%s %d", word, id);
}

/* ---- digest ---- */

enum { DIGEST_TEXT_LIMIT = 16u << 20 }; /* a cluster file is 1 MiB at most */

static void add_text(kp_buf *b, const char *s)
{
    kp_buf_fmt(b, "%zu:%s,", s ? strlen(s) : 0, s ? s : "");
}

static void add_argv(kp_buf *b, const kp_value *argv)
{
    kp_buf_fmt(b, "[%zu]", kp_len(argv));
    for (size_t i = 0; i < kp_len(argv); i++)
        add_text(b, kp_as_text(kp_at(argv, i), ""));
}

/* ssh and openssh reach the same hosts: a run that one of them cannot go on with is resumed by the
 * other. */
static void add_node(kp_buf *b, const kp_node *node)
{
    bool ssh = strcmp(node->ssh.transport, "local") != 0;
    kp_buf_fmt(b, "%d,%u,%d,%d,", node->id, node->roles, node->ssh.port,
               node->service.systemd ? 1 : 0);
    const char *texts[] = {
        node->host,          node->kafka,          node->controller,      ssh ? "ssh" : "local",
        node->service.unit,  node->layout.current, node->layout.releases, node->layout.release,
        node->layout.config, node->layout.state,
    };
    for (size_t i = 0; i < KP_COUNT(texts); i++)
        add_text(b, texts[i]);
    add_argv(b, node->service.start);
    add_argv(b, node->service.stop);
    add_argv(b, node->service.status);
}

char *kp_inventory_digest(kp_arena *a, const kp_inventory *inv)
{
    KP_AUTO_BUF all = KP_BUF_INIT(DIGEST_TEXT_LIMIT);
    KP_AUTO_BUF one = KP_BUF_INIT(DIGEST_TEXT_LIMIT);
    add_text(&all, inv->cluster);
    for (uint32_t i = 0; i < inv->n_nodes; i++) {
        kp_buf_clear(&one);
        add_node(&one, &inv->nodes[i]);
        kp_buf_str(&all, kp_sha256_hex(a, kp_buf_text(&one), one.n));
    }
    kp_buf_clear(&one);
    for (uint32_t i = 0; i < inv->n_zookeepers; i++) {
        add_text(&one, inv->zookeepers[i].host);
        add_text(&one, inv->zookeepers[i].connect);
    }
    if (inv->simulate)
        kp_json_write(&one, inv->simulate);
    kp_buf_str(&all, kp_sha256_hex(a, kp_buf_text(&one), one.n));
    if (all.overflow || one.overflow)
        kp_die("the digest of %s needs more than %d bytes (a bug in kplay)", inv->path,
               DIGEST_TEXT_LIMIT);
    return kp_sha256_hex(a, kp_buf_text(&all), all.n);
}
