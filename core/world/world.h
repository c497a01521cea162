/* world: the requests.
 *
 * A world carries out requests and holds the clock; it decides nothing.  There are two: live (real
 * brokers and hosts) and sim (a model on a virtual clock).  Everything above this header - verbs,
 * probes, waits, the guard, playbooks - is written once and runs unchanged in both.
 *
 * `send` never blocks and never fails: a failure is a reply.  `wait` is the one place where kplay
 * blocks.  Every request is answered exactly once, at the latest when its `within` is over.  The
 * answer to an action says that it was handed over (or was not), never that it had its effect:
 * effects are seen by asking again.  A no can be believed: an error with `certain` says that
 * nothing was done by this action, and nothing will be.
 */
#ifndef KP_WORLD_H
#define KP_WORLD_H

#include "cluster/cluster.h"

#define KP_ANY_NODE (-1) /* kp_request.node: any live broker (or controller) that answers */

typedef enum kp_req {
    /* ---- questions.  They change nothing, whoever asks however often. ---- */

    KP_Q_VIEW,
    /* view: Metadata from `node` -> reply.view.
     * with_config: min_isr and flags read afresh for every topic (else as last read).
     * follow/seen: only topics in which `follow` is out of sync in the view `seen` need be asked
     * for; the reply may then have whole = false and counts over those topics only.  `seen` is the
     * caller's and is looked at by send alone. */

    KP_Q_NODE,
    /* What `node` says of itself (ApiVersions, KIP-584; DescribeCluster where it serves it) -> map
     *   {release = "3.9", mode = "zookeeper"|"kraft"|"controller"|"hybrid", metadata_version =
     * finalized level or nil, metadata_version_max, metadata_version_min (supported by the binary,
     * KRaft), features = {name -> finalized level}, supported = {name ->
     * {min, max}}, zk_migration_ready, cluster_id, controller (as it says;
     * see kp_view.controller)} */

    KP_Q_QUORUM,
    /* DescribeQuorum of the leader, found by asking the controllers -> map
     *   {leader, epoch, high_watermark, voters = [{id, end_offset, behind (records), caught_up_ms
     * (before the leader's own clock; -1 never), fetched_ms}], observers = [ids]};  leader = -1: no
     * leader.  KP_CLUSTER in ZooKeeper mode. */

    KP_Q_CONFIG,
    /* config: DescribeConfigs.  resource = "broker" (one id, asked of that very broker; NULL:
     * `node`) or "topic"; names = list of text, NULL for every topic; keys = list of text, NULL =
     * all -> map name -> {key -> {value, source, default}} */

    KP_Q_LOG_DIRS,
    /* DescribeLogDirs of `node` -> list of {path, error (text or nil), total, usable (bytes, -1
     * unknown), size, replicas, behind (sum of offset lags), catching_up (replicas with a lag)} */

    KP_Q_REASSIGNMENTS, /* -> list of {topic, partition, replicas, adding, removing} */

    KP_Q_REGISTERED,
    /* Brokers that the controllers know in KRaft, alive or fenced (DescribeCluster v2, KIP-1073)
     * -> list of {id, fenced, host, port, rack}; nil where nobody tells who is fenced: before 4.0
     * and in ZooKeeper mode */

    KP_Q_CONTROLLERS,
    /* Controllers that the active one knows by their registration, whether they live or not
     * (DescribeCluster v1 of a controller with EndpointType 2, KIP-919, 3.7 and newer;
     * ControllerRegistrationsPublisher) -> list of {id, host, port}; nil where there are no
     * registrations: before 3.7, below metadata.version 3.7-IV0, and in ZooKeeper mode */

    KP_Q_GROUPS,
    /* ListGroups of every live broker -> list of {group, state, type = "classic"|"consumer"|
     * "share"|"streams", protocol, coordinator (a broker's id)}, ascending.  One broker that does
     * not answer fails it: a group that is missing looks like one that does not exist. */

    KP_Q_LAG,
    /* lag: groups = list of text, NULL all -> map group -> {state, type, protocol, problem (why its
     * offsets are not told, one line, or nil), topics = map topic -> [partition, committed offset,
     * log end offset, partition, ...]}; an offset of -1: not known.  Groups that do not exist are
     * left out. */

    KP_Q_HOST,
    /* host: what the host of `node` shows, read without changing anything -> map
     *   boot_id, pid (0: no process), start_time
     *   process = {config, node_id, cluster_id, roles = "broker"|"controller"|"broker,controller",
     *     mode = "zookeeper"|"kraft", overrides = map key -> text, cwd, problems, releases, java,
     *     listening} of the RUNNING process; nil when none.  releases: those of the main jars of
     *     its class path (kafka_2.1x-, kafka-clients-), distinct, in Java's order: the first runs.
     *     java: the path of its java binary.  listening: TCP ports, list of int
     *   config = {node_id, cluster_id, roles, mode, problems, path_inside_release} of the file the
     *     inventory names.  path_inside_release: the release directory that this file really lies
     *     in (a switch of `current` would swap it); nil: in none
     *   problems: list of {key, what, next, stops}; see cluster/server_config.h
     *   running_release, link (target of `current`), link_release, releases = [staged]
     *   releases_partial = map staged release -> what is missing in it ("kafka_2.13-3.9.1.jar")
     *   releases_other = list of {name, version}: unpacked releases beside the staged ones whose
     *     name is not layout.release's (another Scala build, say)
     *   dirs (log dirs), dirs_by = "file"|"open locks"|"question", clean_dirs (of them with
     *     .kafka_cleanshutdown), log_dirs = list of their paths
     *   config_sha256, log_size (bytes; pass it as `since` later), log_turned (`since` is beyond
     *     the log's end: it was read from its start), signs = {errors = [lines], mis_pinned,
     *     duplicate_registration, started, advanced = where in the log it last said that a start
     *     gets on} (from `since` on)
     *   pids: all of them, when several run the file; script: what runs is a shell, the start
     *     script and not the node yet
     *   service = {manager = "systemd"|"command", state, restarts; of a unit stop_timeout (ms
     *     until it is killed; -1: never), send_sigkill, kill_mode, ...}, free (bytes, smallest
     *     log dir)
     *   fence = {epoch (0: never raised), holder (the run that may act; nil: nobody), last (the run
     *     that gave the host back, when nobody holds it), by (who raised it or gave it back), since
     *     (UTC; nil: not known)}
     *   agents = list of text, configuration agents among the host's processes ("puppet"): only
     *     when the question has `agents`, and only those that the user who looks can see
     * since: offset in the log file that `signs` begin at; -1: do not read the log.  dirs: log dirs
     * (list of text) as an earlier answer told them, to look at instead of those of the file or
     * process, for what a process that is gone has left; NULL: find out.  agents: look at the
     * command line of every process of the host, some 5 ms of its CPU for each 100 of them. */

    KP_Q_FILE, /* the node's server.properties (layout.config) -> {path, bytes, sha256} */

    KP_Q_ZNODE, /* znode: path -> {path, data, version, ephemeral} or nil when it does not exist */

    KP_Q_GRANTS, /* every act this run may ask of the host, proved without doing it -> list of text:
                    what is not allowed */

    KP_Q_PROOF,
    /* proof: what the staged release `version` itself says of the node's server.properties: its own
     * `kafka.tools.StorageTool info` builds KafkaConfig of the file, with the jars of that release
     * and the Java the node uses.  Nothing is changed, the log dirs are only looked at; it takes
     * about 3 s of one CPU of the host -> map
     *   {ran (KafkaConfig took or refused the file), kind = "config"|"java"|"incomplete"|"missing"
     * and problem (one line, in the words of Kafka or Java): why a process of that release would
     * not start; both nil when none is known, why (one line): not ran, and that says nothing about
     * the node, java ("17.0.12"; nil: no Java was found), java_major, java_path, file_sha256 (of
     * the file that was proved; the running process's --override words are proved with it),
     * release_dir, classes_missing = list of text, those of `classes` that are in no jar and no
     * directory which a process of that release would load, class_path_known (false: no process
     * runs, or a part of its class path cannot be read: what is missing may be there), jvm_tried
     * (the running process's options were tried, by java_path OPTIONS -version: false when it runs
     * on that very Java, which takes them, or when none runs), jvm_refused = list of text, Java's
     * own words for each option that it does not start with, jvm_why (one line; nil: none): why it
     * is not known whether it does, log4j (the log4j 1 configuration, of the process's
     * -Dlog4j.configuration; nil: none)}
     * kind: "config" KafkaConfig refuses the file; "java" the release needs a newer Java;
     * "incomplete" a class or jar of Kafka's own is missing; "missing" no such release is there.
     * Not seen by it: unknown keys (they are legal), classes that are only loaded later
     * (authorizers), data on disk; nor what only the service has (a config provider's secrets,
     * plugins, when no process runs whose class path could be read): not ran then, and why says
     * it.  StorageTool is in every release from 2.8 on, in both modes.
     * classes: list of {class, path}, classes to look for by name in the directory of each jar;
     * path (text or nil): a class path of its own that it is loaded from as well.  No JVM is
     * started for it.  Of the options those are not tried that do something outside of the JVM or
     * take its memory: agents, system properties, logs, paths, recordings, sizes of the heap. */

    KP_Q_RELEASE,
    /* release: what the staged release `version` on the host of `node` is, by its own programs (its
     * ConfigDef; version-mapping, KIP-1022); no file of the node is read, no connection made.  It
     * takes up to 10 s of one CPU of the host -> map
     *   {built = "2026-10-06" (by its jar), release_dir, metadata_version_min and
     * metadata_version_max (nil before 4.0, whose programs do not tell), features = map name ->
     * highest level, keys and topic_keys = lists of the configuration names that it knows (public
     * ones; nil: it does not tell), why (one line, nil: all that its release can tell is told)} */

    KP_Q_CLIENTS,
    /* Who is connected to the broker that runs on the host of `node`, by what that broker's own
     * metrics count; nothing is changed but that its JVM keeps its local management agent (see
     * kp_host_clients).  About 1 s of one CPU of the host, before 3.5 about 3 s -> map
     *   {problem = why nothing is known of it (one line); the rest is then absent,
     *   release (of the jars that the process has open; "7.6.0-ccs"),
     *   connections = list of {name, version (as the client tells them, KIP-511; "unknown" both: it
     *     is older, or tells none), listener, connections, brokers_too (it is a listener that
     *     brokers use among themselves)}, ascending, without the listeners of KRaft's controllers,
     *   deprecated = list of {request, version, name, client_version, count (since the broker
     *     started)}: requests that 4.0 no longer takes (KIP-896), without those only brokers send;
     *     nil where they are not counted (before 3.7),
     *   unknown_to = [a broker's id, connections, ...], unknown, java: what this process itself
     *     has open to brokers, itself among them: as "unknown", by whom it leads to, or where that
     *     is not told; and as apache-kafka-java of its release}
     * A broker's own connections are in `connections` of those it talks to.  What they are called
     * there, as seen on 2.8.2, 3.9.1 and 4.4.0: replica fetchers (BrokerBlockingSender) and
     * ZooKeeper mode's controller (ControllerChannelManager) send no ApiVersions and are "unknown",
     * transaction markers too before 4.2.1; the others are apache-kafka-java of its release. */

    /* ---- actions on a host.  op.id is the claim: one op id acts at most once.  op.epoch must
       equal the host's. ---- */

    KP_A_FENCE,   /* fence: raise the host's fencing epoch to op.epoch for op.holder, a run; refused
                     when it is not higher and not ours, and when another run than `over` (NULL:
                     none) holds the host.  who: the person, "ops@bastion1"; NULL: not known */
    KP_A_UNFENCE, /* fence: give the host back: nobody holds it, at that same epoch; refused when
                     op.holder does not hold it at op.epoch */
    KP_A_STOP,    /* stop: ask the node's process to stop (SIGTERM or the service manager), never
                     SIGKILL; refused when another process than pid and start_time (of KP_Q_HOST)
                     runs in its place.  pid 0: whatever runs */
    KP_A_START,   /* start the node's service */
    KP_A_LINK,    /* link: point layout.current at the staged release `version` */
    KP_A_FILE,    /* file: replace server.properties by `bytes`, if its sha256 still is `expect` */
    KP_A_JOB,     /* job: run argv (list of text) on the host as a detached job */
    KP_Q_JOB,     /* a question: op.id -> {state = "none"|"running"|"done"|"stale", rc, output} of
                     what acted with that op id */

    /* ---- actions on the cluster ---- */

    KP_A_ELECT,  /* elect: preferred leader election; partitions = list of {topic, partition}, NULL:
                    all */
    KP_A_CONFIG, /* alter: IncrementalAlterConfigs of one resource = "broker" (name: its id; "": the
                    default of all brokers; NULL: `node`) or "topic"; edits = map key -> text, false
                    deletes */
    KP_A_UNREGISTER, /* unregister: the controllers forget a broker in KRaft (UnregisterBroker,
                        KIP-631); no matter whether it is alive.  Started again, it registers */
    KP_REQS
} kp_req;

typedef struct kp_span {
    const char *p;
    size_t n;
} kp_span;

/* A request: an envelope, and what its kind needs. */
typedef struct kp_request {
    kp_req kind;
    int node;     /* id, or KP_ANY_NODE where the kind allows it */
    kp_ms within; /* answered at the latest after this; 0: as the kind has it */
    struct {
        const char *id;
        int64_t epoch;
        const char *holder;
    } op; /* of actions, and of KP_Q_JOB: id */
    union {
        struct {
            bool with_config;
            kp_maybe_id follow;
            const kp_view *seen;
        } view;
        struct {
            const char *resource;
            const kp_value *names, *keys;
        } config;
        struct {
            const kp_value *groups;
        } lag;
        struct {
            int64_t since;
            const kp_value *dirs;
            bool agents;
        } host;
        struct {
            const char *path;
        } znode;
        struct {
            const char *version;
            const kp_value *classes;
        } proof;
        struct {
            const char *version;
        } release, link;
        struct {
            const char *over, *who;
        } fence;
        struct {
            int64_t pid, start_time;
        } stop;
        struct {
            const char *expect;
            kp_span bytes;
        } file;
        struct {
            const kp_value *argv;
        } job;
        struct {
            const kp_value *partitions;
        } elect;
        struct {
            const char *resource, *name;
            const kp_value *edits;
        } alter;
        struct {
            int broker;
        } unregister;
    };
} kp_request;

/* ---- what a kind is: a line of the enum, its struct in the union, a row of the table in world.c,
 * and its line in each of the two worlds ---- */

typedef enum kp_whom {
    KP_OF_ANY,  /* the cluster, by whichever node answers, or by the one that is named */
    KP_OF_NODE, /* one node, by its own listener */
    KP_OF_HOST, /* one node's host */
} kp_whom;

typedef enum kp_held { KP_HOLDS_TEXT, KP_HOLDS_SPAN, KP_HOLDS_VALUE } kp_held;

typedef struct kp_req_field {
    kp_held holds;
    size_t offset;     /* in kp_request; 0: the list ends */
    const char *needs; /* "a version": it cannot be left out, nor be empty; NULL: it can */
} kp_req_field;

typedef struct kp_req_kind {
    const char *name; /* "view", "node", "stop", ... */
    kp_whom whom;
    bool acts;                  /* changes something; else a question, asked however often */
    kp_ms within;               /* answered by then when the request does not say; 0: 10 s */
    const kp_req_field *fields; /* what it points to, to be kept with it; NULL: nothing */
} kp_req_kind;

const kp_req_kind *kp_req_of(kp_req q);

static inline const char *kp_req_name(kp_req q)
{
    return kp_req_of(q)->name;
}
static inline bool kp_req_is_question(kp_req q)
{
    return !kp_req_of(q)->acts;
}
static inline bool kp_req_is_of_host(kp_req q)
{
    return kp_req_of(q)->whom == KP_OF_HOST;
}
kp_ms kp_request_within(const kp_request *q); /* its own limit, or its kind's */

/* What cannot be left out is there; else KP_INTERNAL, "link was asked without a version". */
kp_err *kp_request_check(const kp_request *q) KP_MUST_USE;
/* A copy that lasts as long as `a`, but for view.seen. */
kp_request kp_request_keep(kp_arena *a, const kp_request *q);

typedef struct kp_reply {
    uint64_t ticket; /* what send returned */
    kp_req kind;
    int node;              /* who answered */
    kp_err *err;           /* NULL: `value` or `view` is the answer.  Owned by the receiver */
    const kp_value *value; /* in the arena given to send */
    const kp_view *view; /* live: in that arena.  sim: its own arrays, valid until the next wait */
    int64_t took_us;     /* from send to answer */
} kp_reply;

typedef struct kp_world kp_world;
typedef struct kp_world_class {
    const char *name; /* "live" or "sim" */
    uint64_t (*send)(kp_world *w, kp_arena *a, const kp_request *q);
    /* The next reply, in the arena of its request.  NULL: monotonic time `until` was reached, or a
     * signal came. */
    kp_reply *(*wait)(kp_world *w, kp_ms until);
    void (*cancel)(kp_world *w, uint64_t ticket); /* its reply, if it still comes, is dropped */
    kp_ms (*now)(kp_world *w);                    /* UTC; virtual in sim */
    kp_ms (*mono)(kp_world *w);                   /* for deadlines; never goes back */
    int (*interrupts)(kp_world *w); /* Ctrl-C, SIGTERM, SIGHUP received so far */
    /* The other wait, for a person: until `fd` can be read (true) or one more interrupt came
     * (false).  A virtual clock stands still meanwhile. */
    bool (*readable)(kp_world *w, int fd);
    void (*done)(kp_world *w);
} kp_world_class;

struct kp_world {
    const kp_world_class *c;
    int64_t n_requests; /* sent so far, for the report */
    /* Who is told of answers to requests that nobody waits for (kp_world_stray), and owns their
     * errors then; NULL: they are dropped. */
    void (*stray)(void *ud, kp_reply *reply);
    void *stray_ud;
};

static inline uint64_t kp_send(kp_world *w, kp_arena *a, const kp_request *q)
{
    w->n_requests++;
    return w->c->send(w, a, q);
}
/* Sends all and waits for all; replies in the order of the questions, each with its own err (owned
 * by the caller).  Answers to other requests that come meanwhile are strays. */
void kp_world_ask_all(kp_world *w, kp_arena *a, const kp_request *q, size_t n,
                      kp_reply *ret_replies);
/* An answer that came while another is awaited. */
void kp_world_stray(kp_world *w, kp_reply *reply);

static inline kp_reply *kp_wait(kp_world *w, kp_ms until)
{
    return w->c->wait(w, until);
}
static inline void kp_cancel(kp_world *w, uint64_t ticket)
{
    w->c->cancel(w, ticket);
}
static inline bool kp_readable(kp_world *w, int fd)
{
    return w->c->readable(w, fd);
}
static inline kp_ms kp_now(kp_world *w)
{
    return w->c->now(w);
}
static inline kp_ms kp_mono(kp_world *w)
{
    return w->c->mono(w);
}
static inline int kp_interrupts(kp_world *w)
{
    return w->c->interrupts(w);
}

#endif
