/* The cluster file: who the nodes are, how they are reached, managed and laid out, and the team's
 * policy.
 *
 * Strict YAML: unknown keys, duplicate keys, aliases, tags, several documents and wrong types are
 * errors with file:line:column and what to write instead.  At most 1 MiB, 32 deep.  `service`,
 * `layout`, `ssh` given for all nodes are overridden key by key by a node's own.  Paths on this
 * machine (identity, known_hosts, runs, secrets' files, kafka's *.location) may begin with
 * ~/ and are otherwise relative to the cluster file's directory; paths on hosts are absolute.
 */
#ifndef KP_CLUSTER_INVENTORY_H
#define KP_CLUSTER_INVENTORY_H

#include "value/value.h"

#define KP_INVENTORY_LIMIT                                                                         \
    (1u << 20) /* bytes of a cluster file; read in at most 128 MiB of arena */

typedef enum kp_role {
    KP_BROKER = 1,
    KP_CONTROLLER = 2
} kp_role; /* a combined node has both bits */

typedef struct kp_service {
    bool systemd;     /* else: by commands */
    const char *unit; /* systemd */
    const kp_value
        *start; /* argv (lists of text), by command.  {current} {config} {log} {id} are replaced; */
    const kp_value *stop;   /* NULL: SIGTERM to exactly that process */
    const kp_value *status; /* NULL: found by its command line; else prints the pid or nothing */
} kp_service;

typedef struct kp_layout {
    const char *current;  /* the link that names the release in use */
    const char *releases; /* where releases are staged */
    const char *release;  /* a release's directory name; default "kafka_2.13-{version}" */
    const char *config;   /* server.properties */
    const char *log;      /* server.log, "" when not told */
    const char *state;    /* kplay's own directory on the host; default "<releases>/.kplay" */
} kp_layout;

typedef struct kp_ssh {
    const char *transport; /* "ssh" (default), "openssh" (the ssh program) or "local" */
    const char *user;
    const char *identity;    /* private key file, "" = agent; ~ is expanded */
    const char *known_hosts; /* default ~/.ssh/known_hosts */
    int port;
    const char *become_service; /* command prefix, "" = none */
    const char *become_files;
} kp_ssh;

typedef struct kp_node {
    int id;
    unsigned roles; /* KP_BROKER | KP_CONTROLLER */
    const char *host;
    const char *rack;  /* "" none */
    const char *kafka; /* broker listener "host:port" kplay can reach; "" for a pure controller */
    const char *controller; /* controller listener "host:port"; "" for a pure broker */
    kp_ssh ssh;
    kp_service service;
    kp_layout layout;
    const char *where; /* "kplay.yaml:12:5", for messages */
} kp_node;

typedef struct kp_zookeeper {
    const char *host, *connect;
} kp_zookeeper;

typedef enum kp_guard_level {
    KP_GUARD_STRICT,
    KP_GUARD_HEALTHY,
    KP_GUARD_AVAILABLE
} kp_guard_level;
extern const char *const kp_guard_levels[]; /* their names; ends with NULL */
typedef enum kp_on_failure {
    KP_ON_FAILURE_ASK,
    KP_ON_FAILURE_STOP,
    KP_ON_FAILURE_BACK_OUT
} kp_on_failure;
extern const char *const kp_on_failures[]; /* their names; ends with NULL */

#define KP_FREE_SPACE 5 /* percent */

typedef struct kp_inventory {
    const char *path;      /* of the file, as given */
    const char *cluster;   /* its name */
    const kp_value *kafka; /* librdkafka property names and bootstrap.controllers -> text; secrets
                              resolved on use */
    uint32_t n_nodes;      /* brokers and controllers, ascending by id; a combined node once */
    const kp_node *nodes;
    uint32_t n_zookeepers;
    const kp_zookeeper *zookeepers;
    kp_guard_level guard;     /* policy.guard, default strict */
    kp_on_failure on_failure; /* policy.on_failure, default ask */
    int free_space;           /* policy.free_space, percent; default KP_FREE_SPACE */
    const kp_value
        *accept; /* policy.accept: list of {topic|partition, why, until?}; [] when absent */
    const kp_value
        *playbooks; /* {rolling: {settle: "45m", hooks: "team.night", ...}}; {} when absent */
    const char *runs;         /* directory of the runs; default $XDG_STATE_HOME or ~/.local/state,
                                 kplay/<cluster> */
    const kp_value *simulate; /* the simulated cluster's description, or NULL for a real one */
    const kp_value *where; /* "playbooks.rolling.settle" -> "kplay.yaml:31:20": which line set it */
} kp_inventory;

kp_err *kp_inventory_load(kp_arena *a, const char *path, const kp_inventory **ret_inv) KP_MUST_USE;
kp_err *kp_inventory_parse(kp_arena *a, const char *path, const char *text, size_t n,
                           const kp_inventory **ret_inv) KP_MUST_USE;

/* What may stand in the file: a list of levels, {level = "policy.accept[]", doc, keys, also}, the
 * file itself first, as "".  A key is {key, type, default, doc, example, words}: what it takes, in
 * words; its default as it would stand in the file, or in words when it is computed, absent when
 * there is none; an example as it would stand behind "key: "; words = [{word, doc}] for those that
 * are known by name.  A level that has several places is told once, at the first; `also` lists the
 * others, and doc says them.  Of librdkafka's names in `kafka` those are told that a connection
 * depends on; the levels of `simulate` are the simulator's. */
const kp_value *kp_inventory_keys(kp_arena *a);

/* "kplay.yaml:31:20" of a path in the file, or of the nearest one above it that stands there. */
const char *kp_inventory_where(kp_arena *a, const kp_inventory *inv, const char *path);

/* Where a cluster's runs are kept unless its file says: below $XDG_STATE_HOME when that is absolute
 * (XDG Base Directory Specification), else ~/.local/state; NULL: there is no HOME. */
const char *kp_state_dir(kp_arena *a, const char *cluster);

const kp_node *kp_inventory_node(const kp_inventory *inv, int id); /* NULL when absent */
/* "broker 3", "controller 3001", "node 1" */
const char *kp_node_word(kp_arena *a, const kp_inventory *inv, int id);
static inline bool kp_node_is(const kp_node *n, kp_role role)
{
    return (n->roles & (unsigned)role) != 0;
}

/* A secret is given as a map with one of file, env or command (argv), or as plain text for what is
 * no secret. Resolved as late as possible and never journaled.  Keys that must not be plain text in
 * the file: sasl.password, sasl.oauthbearer.client.secret, ssl.key.password, ssl.key.pem,
 * ssl.keystore.password. Blocks while a command runs, at most about a minute. */
kp_err *kp_secret_resolve(kp_arena *a, const kp_value *v, const char *where,
                          const char **ret_text) KP_MUST_USE;

/* The strict YAML reader alone: a tree of maps, lists and text (scalars are resolved by whoever
 * reads them), and "path.to[2].key" -> "file:line:col" for every node: where the key stands, or the
 * item of a list; "" is the root. At most 100,000 nodes. */
kp_err *kp_yaml_read(kp_arena *a, const char *path, const char *text, size_t n,
                     const kp_value **ret_v, const kp_value **ret_where) KP_MUST_USE;

/* 64 hex digits over everything that says who is acted on: recorded in the journal, compared on
 * resume.  That is the nodes' ids, roles, hosts, listeners, services and layouts, the ZooKeeper
 * servers and a simulated cluster; not how they are reached (user, key, become, bootstrap), not
 * racks, policy, playbooks or comments. */
char *kp_inventory_digest(kp_arena *a, const kp_inventory *inv);

#endif
