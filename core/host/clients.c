/* The clients of a broker, as its own metrics count them.
 *
 * A broker counts its connections by the name and version that a client tells in ApiVersions
 * (KIP-511, 2.4): MBean kafka.server:type=socket-server-metrics, attribute `connections`, for each
 * listener and network processor.  From 3.7 on it counts requests in versions that 4.0 no longer
 * takes, by client (KIP-896): kafka.network:type=RequestMetrics,name=DeprecatedRequestsPerSec.
 * They are read without a port that others could use: jcmd asks the JVM for its local agent
 * (ManagementAgent.start_local), and the JmxTool of the jars that the process has open reads it
 * (kafka.tools.JmxTool, org.apache.kafka.tools.JmxTool from 3.5 on).  That agent cannot be stopped
 * again - ManagementAgent.stop is for the remote one - and stays, idle, until the process ends.
 *
 * Brokers and controllers talk to each other on the same listeners, and what they open is not told
 * apart there: a replica fetcher sends no ApiVersions and is "unknown".  But whoever opens them
 * counts them too (attribute `connection-count` of its own channels), and so each host tells those
 * as well (KP_Q_CLIENTS in world.h).
 */
#include "host/inner.h"

#include "cluster/properties.h"

#include <string.h>

enum { OUTPUT_LIMIT = 1 << 20, LINES_MOST = 20000 };
#define LIMIT_DEFAULT (40 * KP_SECOND) /* when the question has no deadline */
#define MARGIN (4 * KP_SECOND)         /* it is ended before nobody listens any more */

/* ---- lines of the tool: DOMAIN:key=value,key=value:ATTRIBUTE=NUMBER ---- */

typedef struct bean {
    kp_arena *a;
    const char *keys; /* "type=...,listener=..." */
    const char *attribute;
    int64_t number;
} bean;

static bool read_bean(kp_arena *a, const char *line, size_t n, bean *ret)
{
    char *text = kp_strndup(a, line, n), *keys = strchr(text, ':'), *last = strrchr(text, ':');
    char *number = last ? strchr(last, '=') : NULL;
    if (!keys || last == keys || !number)
        return false;
    *last = '\0';
    *number++ = '\0';
    number[strcspn(number, ".\r")] = '\0'; /* "2.0" */
    *ret = (bean) { .a = a, .keys = keys + 1, .attribute = last + 1 };
    return kp_said_int(number, &ret->number);
}

/* The value of a key, without the quotes of an ObjectName; NULL when it has none. */
static const char *key_of(const bean *b, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = b->keys; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (strncmp(p, name, n) == 0 && p[n] == '=') {
            size_t m = strcspn(p + n + 1, ",");
            const char *value = kp_printable(b->a, p + n + 1, m);
            return *value == '"' ? kp_strndup(b->a, value + 1, strlen(value + 1) - 1) : value;
        }
    }
    return NULL;
}

/* ---- rows that are added up: over network processors, and over fetchers ---- */

typedef struct row {
    const char *key[4];
    int64_t n;
} row;

typedef struct rows {
    kp_arena *a;
    row *v;
    size_t n, cap;
} rows;

static int row_order(const row *x, const row *y)
{
    for (size_t i = 0; i < KP_COUNT(x->key); i++) {
        int order = strcmp(x->key[i], y->key[i]);
        if (order)
            return order;
    }
    return 0;
}

/* In its place, or added to the one that is there. */
static void add(rows *t, row r)
{
    size_t i = t->n;
    for (size_t k = 0; k < KP_COUNT(r.key); k++)
        r.key[k] = r.key[k] ? r.key[k] : "";
    while (i > 0 && row_order(&t->v[i - 1], &r) > 0)
        i--;
    if (i > 0 && row_order(&t->v[i - 1], &r) == 0) {
        t->v[i - 1].n += r.n;
        return;
    }
    if (t->n == t->cap) {
        row *more = KP_NEW_ARRAY(t->a, t->cap ? 2 * t->cap : 64, row);
        if (t->n > 0)
            memcpy(more, t->v, t->n * sizeof *more);
        t->cap = t->cap ? 2 * t->cap : 64;
        t->v = more;
    }
    memmove(&t->v[i + 1], &t->v[i], (t->n - i) * sizeof *t->v);
    t->v[i] = r;
    t->n++;
}

/* ---- the node's listeners ---- */

typedef struct listeners {
    const char *controllers;             /* controller.listener.names; "" */
    const char *between, *control_plane; /* of brokers; NULL: not known */
    bool kraft;
} listeners;

static bool names(const char *list, const char *one)
{
    size_t n = strlen(one);
    for (const char *p = list; *p; p += strcspn(p, ",")) {
        p += strspn(p, ", \t");
        if (strncmp(p, one, n) == 0 && strchr(", \t", p[n]))
            return true;
    }
    return false;
}

static listeners read_listeners(kp_arena *a, const kp_said *s)
{
    KP_AUTO_BUF lines = KP_BUF_INIT(KP_HOST_FILE_LIMIT);
    for (size_t i = 0; i < s->n; i++)
        if (kp_streq(s->keys[i], "line")) {
            kp_buf_str(&lines, s->values[i]);
            kp_buf_chr(&lines, '\n');
        }
    const kp_value *file = kp_properties_parse(a, kp_buf_text(&lines), lines.n);
    const char *protocol = kp_get_text(file, "security.inter.broker.protocol", "PLAINTEXT");
    listeners l = { .controllers = kp_get_text(file, "controller.listener.names", ""),
                    .between = kp_get_text(file, "inter.broker.listener.name", protocol),
                    .control_plane = kp_get_text(file, "control.plane.listener.name", NULL),
                    .kraft = kp_get(file, "process.roles") != NULL };
    if (strchr(l.between, '$')) /* a config provider's */
        l.between = NULL;
    return l;
}

/* ---- what they tell ---- */

typedef struct told {
    rows connections, deprecated, channels;
    bool counts; /* connections, in whatever names: it is a broker that tells */
} told;

/* What only brokers send, whatever name it came by; and the sum of FetchConsumer and
 * FetchFollower. */
static bool is_between_brokers(const char *request)
{
    static const char *const own[] = { "Fetch",       "FetchFollower",      "LeaderAndIsr",
                                       "StopReplica", "UpdateMetadata",     "AlterPartition",
                                       "AlterIsr",    "ControlledShutdown", "WriteTxnMarkers" };
    for (size_t i = 0; i < KP_COUNT(own); i++)
        if (kp_streq(request, own[i]))
            return true;
    return false;
}

/* A channel that this node opens to brokers, and how it introduces itself there (KP_Q_CLIENTS):
 * NULL when it leads to controllers, who in KRaft have listeners of their own. */
static const char *named_as(const bean *b, const char *type, const listeners *l, bool old_markers)
{
    if (kp_streq(type, "replica-fetcher-metrics") || kp_streq(type, "controller-channel-metrics"))
        return "unknown";
    if (kp_streq(type, "txn-marker-channel-metrics"))
        return old_markers ? "unknown" : "java";
    if (kp_streq(type, "raft-channel-metrics") || (l->kraft && key_of(b, "BrokerId")))
        return NULL;
    return "java";
}

static void take(told *t, const bean *b, const listeners *l, bool old_markers)
{
    const char *type = key_of(b, "type"), *name = key_of(b, "clientSoftwareName");
    const char *version = key_of(b, "clientSoftwareVersion");
    if (!type)
        return;
    if (kp_streq(type, "RequestMetrics")) {
        const char *request = key_of(b, "request");
        if (request && b->number > 0 && !is_between_brokers(request))
            add(&t->deprecated,
                (row) { { request, key_of(b, "version"), name, version }, b->number });
    } else if (kp_streq(type, "socket-server-metrics")) {
        const char *listener = key_of(b, "listener");
        t->counts = true;
        if (name && listener && b->number > 0 && kp_streq(b->attribute, "connections") &&
            !names(l->controllers, listener))
            add(&t->connections, (row) { { name, version, listener }, b->number });
    } else if (kp_streq(b->attribute, "connection-count") && b->number > 0) {
        const char *as = named_as(b, type, l, old_markers);
        if (as)
            add(&t->channels, (row) { { as, key_of(b, "broker-id") }, b->number });
    }
}

static told read_told(kp_arena *a, const kp_said *s, const listeners *l, bool old_markers)
{
    told t = { .connections.a = a, .deprecated.a = a, .channels.a = a };
    const char *end = s->rest + s->rest_n;
    size_t lines = 0;
    for (const char *p = s->rest; p < end && lines < LINES_MOST; lines++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        bean b;
        if (read_bean(a, p, (size_t)((nl ? nl : end) - p), &b))
            take(&t, &b, l, old_markers);
        p = nl ? nl + 1 : end;
    }
    return t;
}

/* ---- the answer ---- */

static const kp_value *connections_value(kp_arena *a, const rows *t, const listeners *l)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; i < t->n; i++) {
        const char *const *key = t->v[i].key;
        bool shared = !l->between || kp_streq(key[2], l->between) ||
                      (l->control_plane && kp_streq(key[2], l->control_plane));
        kp_list_add(&list, kp_map(a, "name", kp_text(a, key[0]), "version", kp_text(a, key[1]),
                                  "listener", kp_text(a, key[2]), "connections",
                                  kp_int(a, t->v[i].n), "brokers_too", kp_bool(shared), NULL));
    }
    return kp_list_end(&list);
}

static const kp_value *deprecated_value(kp_arena *a, const rows *t)
{
    kp_builder list = kp_list_begin(a);
    for (size_t i = 0; i < t->n; i++) {
        const char *const *key = t->v[i].key;
        int64_t version = -1;
        if (kp_said_int(key[1], &version))
            kp_list_add(&list,
                        kp_map(a, "request", kp_text(a, key[0]), "version", kp_int(a, version),
                               "name", kp_text(a, key[2]), "client_version", kp_text(a, key[3]),
                               "count", kp_int(a, t->v[i].n), NULL));
    }
    return kp_list_end(&list);
}

/* Of `name`, those to whom it is told (by = true: flat pairs), or all others added up. */
static const kp_value *channels_value(kp_arena *a, const rows *t, const char *name, bool by)
{
    kp_builder list = kp_list_begin(a);
    int64_t others = 0;
    for (size_t i = 0; i < t->n; i++) {
        int64_t to;
        bool known = kp_said_int(t->v[i].key[1], &to);
        if (!kp_streq(t->v[i].key[0], name))
            continue;
        if (by && known) {
            kp_list_add(&list, kp_int(a, to));
            kp_list_add(&list, kp_int(a, t->v[i].n));
        }
        others += by || (known && kp_streq(name, "unknown")) ? 0 : t->v[i].n;
    }
    return by ? kp_list_end(&list) : kp_int(a, others);
}

/* An Apache release: a vendor's numbers ("7.6.0-ccs") are others. */
static bool is_apache(const char *release, kp_version *ret_v)
{
    return !strchr(release, '-') && kp_version_parse(release, ret_v);
}

/* DeprecatedRequestsPerSec came with 3.7 (KIP-896). */
static bool counts_deprecated(const char *release)
{
    kp_version v;
    return is_apache(release, &v) && (v.major > 3 || (v.major == 3 && v.minor >= 7));
}

/* Before 4.2.1 (KAFKA-20322) the channel for transaction markers sends no ApiVersions. */
static bool markers_are_unknown(const char *release)
{
    kp_version v;
    if (!is_apache(release, &v))
        return false;
    return v.major < 4 || (v.major == 4 && (v.minor < 2 || (v.minor == 2 && v.patch < 1)));
}

static kp_err *decode(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    (void)h;
    const char *problem = kp_said_get(s, "problem"), *release = kp_said_get(s, "release");
    if (!problem) {
        release = release ? release : "";
        listeners l = read_listeners(a, s);
        told t = read_told(a, s, &l, markers_are_unknown(release));
        if (t.counts) {
            bool counted = counts_deprecated(release) || t.deprecated.n > 0;
            *ret_v = kp_map(a, "release", kp_text(a, release), "connections",
                            connections_value(a, &t.connections, &l), "deprecated",
                            counted ? deprecated_value(a, &t.deprecated) : NULL, "unknown_to",
                            channels_value(a, &t.channels, "unknown", true), "unknown",
                            channels_value(a, &t.channels, "unknown", false), "java",
                            channels_value(a, &t.channels, "java", false), NULL);
            return NULL;
        }
        problem = kp_printf(a, "release %s tells no connections by client", release);
    }
    *ret_v = kp_map(a, "problem", kp_text(a, kp_printable(a, problem, strlen(problem))), NULL);
    return NULL;
}

kp_ticket kp_host_clients(kp_host *h, kp_arena *a, kp_ms deadline, kp_host_fn fn, void *ud)
{
    kp_script s = KP_SCRIPT_INIT;
    kp_ms limit = deadline == KP_NEVER ? LIMIT_DEFAULT : deadline - kp_mono_now() - MARGIN;
    kp_script_set_int(&s, "limit", limit > KP_SECOND ? limit / KP_SECOND : 1);
    kp_script_set_int(&s, "most", OUTPUT_LIMIT);
    kp_script_set(&s, "keys",
                  "controller\\.listener\\.names|inter\\.broker\\.listener\\.name|"
                  "control\\.plane\\.listener\\.name|"
                  "security\\.inter\\.broker\\.protocol|process\\.roles");
    kp_script_become(&s, h, KP_AS_FILES);
    kp_script_process(&s, h);
    kp_script_add(&s, kp_sh_look_functions);
    kp_script_add(&s, kp_sh_clients);
    kp_script_run run = { .as = KP_AS_FILES, .deadline = deadline, .decode = decode };
    return kp_script_go(h, a, &s, &run, fn, ud);
}
