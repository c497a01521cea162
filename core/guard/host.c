/* The rows about a node's host: what its next start loads, with which options and settings, and who
 * else may act there.
 *
 * All of them are for a person, before the first stop: a process that is gone shows neither its
 * class path nor its options, and a file that an edit of this run has changed differs from what
 * runs because it was meant to.
 */
#include "guard/guard.h"

#include "cluster/release.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *word_of(const kp_facts *f, int id)
{
    return kp_node_word(f->a, f->seen->inv, id);
}

static bool is_at_least(const char *release, int major, int minor)
{
    kp_version v;
    return release && kp_version_parse(release, &v) &&
           (v.major > major || (v.major == major && v.minor >= minor));
}

/* The release that the next start takes: the one that is to come, else its link's. */
static const char *next_release(const kp_facts *f, const kp_node_facts *one)
{
    return f->version ? f->version : kp_facts_who(f, one).linked;
}

/* ---- classes ---- */

/* The keys that name a class, "a and b". */
static const char *keys_naming(kp_arena *a, const kp_value *classes, const char *name)
{
    KP_AUTO_BUF b = KP_BUF_INIT(8 << 10);
    for (size_t i = 0; i < kp_len(classes); i++)
        if (kp_streq(kp_get_text(kp_at(classes, i), "class", ""), name))
            kp_buf_fmt(&b, "%s%s", b.n ? " and " : "", kp_get_text(kp_at(classes, i), "key", ""));
    return kp_strdup(a, kp_buf_text(&b));
}

static void class_is_missing(kp_facts *f, const kp_node_facts *one, const kp_value *classes,
                             const char *name, kp_findings *fs)
{
    kp_arena *a = f->a;
    bool known = kp_get_bool(one->proof.v, "class_path_known", false);
    const char *dir = kp_get_text(one->proof.v, "release_dir", f->version);

    kp_find_add(
        fs, (kp_finding) {
                .node = kp_somebody(one->node->id),
                .warns = !known,
                .text = kp_printf(
                    a, "release %s does not have the class %s, which %s of %s names%s", f->version,
                    name, keys_naming(a, classes, name), word_of(f, one->node->id),
                    known ? "" : ", and what else is on its class path is not known"),
                .next = kp_printf(a,
                                  "on %s put its jar into %s/libs, or into a directory that the "
                                  "service's CLASSPATH names; or take the class out of %s",
                                  one->node->host, dir, one->node->layout.config) });
}

/* One that the row `proof` names is not found twice. */
void kp_judge_plugins(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_server_config *file = kp_facts_config(f, one);
        const kp_value *classes = file ? kp_server_config_classes(f->a, file) : NULL;
        const kp_value *missing = kp_get(one->proof.v, "classes_missing");
        const char *problem = kp_get_text(one->proof.v, "problem", "");

        for (size_t k = 0; k < kp_len(missing); k++) {
            const char *name = kp_as_text(kp_at(missing, k), "");
            if (!strstr(problem, name))
                class_is_missing(f, one, classes, name, fs);
        }
        for (size_t k = 0; f->version && k < kp_len(classes); k++) {
            const kp_value *class = kp_at(classes, k);
            const char *name = kp_get_text(class, "class", ""),
                       *key = kp_get_text(class, "key", "");
            if (kp_is_class_name(name))
                continue;
            kp_find_add(
                fs, (kp_finding) {
                        .node = kp_somebody(c->nodes[i]),
                        .warns = true,
                        .text = kp_printf(f->a, "%s of %s names no class that could be looked for",
                                          key, word_of(f, c->nodes[i])),
                        .next = "write the name of the class itself into the file, or see "
                                "to it that the release has it" });
        }
    }
}

/* ---- options of the JVM ---- */

void kp_judge_jvm_flags(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_value *refused = kp_get(one->proof.v, "jvm_refused");
        const char *why = kp_get_text(one->proof.v, "jvm_why", NULL);
        const char *java = kp_get_text(one->proof.v, "java_path", "Java");

        for (size_t k = 0; k < kp_len(refused); k++)
            kp_find_add(
                fs, (kp_finding) { .node = kp_somebody(c->nodes[i]),
                                   .text = kp_printf(f->a,
                                                     "the Java of the next start of %s, %s, "
                                                     "refuses an option that it runs with: %s",
                                                     word_of(f, c->nodes[i]), java,
                                                     kp_as_text(kp_at(refused, k), "")),
                                   .next = "take it out of what its service gives Java "
                                           "(KAFKA_JVM_PERFORMANCE_OPTS, KAFKA_OPTS), restart the "
                                           "node with that, and run this again" });
        if (why)
            kp_find_add(
                fs, (kp_finding) { .node = kp_somebody(c->nodes[i]),
                                   .warns = true,
                                   .text = kp_printf(f->a,
                                                     "whether %s takes the options of %s is not "
                                                     "known: %s",
                                                     java, word_of(f, c->nodes[i]), why),
                                   .next = kp_printf(f->a, "try them on %s: %s OPTIONS -version",
                                                     one->node->host, java) });
    }
}

/* Kafka 4.0 logs by log4j 2 (KIP-653).  What kafka-server-start.sh gives by itself lies beside the
 * script, and the one of 4.x gives its own. */
void kp_judge_log4j(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const char *file = kp_get_text(one->proof.v, "log4j", "");

        if (!*file || !is_at_least(f->version, 4, 0) ||
            kp_ends_with(file, "/bin/../config/log4j.properties"))
            continue;
        kp_find_add(fs,
                    (kp_finding) {
                        .node = kp_somebody(c->nodes[i]),
                        .warns = true,
                        .text = kp_printf(f->a,
                                          "the service of %s names a log4j 1 configuration, %s: "
                                          "release %s logs by log4j 2, which may not "
                                          "read it",
                                          word_of(f, c->nodes[i]), file, f->version),
                        .next = "write a log4j2.yaml for it and name it in the service with the "
                                "new release: KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=FILE" });
    }
}

/* ---- the service manager ---- */

/* A controlled stop waits so long for the controllers in KRaft (BrokerServer.shutdown: 5 min); in
 * ZooKeeper mode controlled.shutdown.max.retries, 3, times controller.socket.timeout.ms, 30 s, and
 * controlled.shutdown.retry.backoff.ms, 5 s.  Then the logs are closed. */
#define STOP_KRAFT (5 * KP_MINUTE)
#define STOP_ZOOKEEPER (3 * 35 * KP_SECOND)
#define CLOSING (30 * KP_SECOND)

void kp_judge_stop_limit(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_value *service = kp_get(one->host.v, "service");
        kp_ms limit = kp_get_int(service, "stop_timeout", 0); /* a unit always says it */
        kp_ms takes = (f->seen->zookeeper ? STOP_ZOOKEEPER : STOP_KRAFT) + CLOSING;
        bool kills = !kp_streq(kp_get_text(service, "send_sigkill", "yes"), "no");

        if (!kp_node_is(one->node, KP_BROKER) ||
            !kp_streq(kp_get_text(service, "manager", ""), "systemd") || !kills || limit < 0 ||
            limit >= takes)
            continue;
        kp_find_add(
            fs, (kp_finding) {
                    .node = kp_somebody(c->nodes[i]),
                    .warns = true,
                    .text = kp_printf(f->a,
                                      "systemd kills %s when it has not stopped after %s; a "
                                      "controlled stop may take %s",
                                      word_of(f, c->nodes[i]), kp_duration_text(f->a, limit, false),
                                      kp_duration_text(f->a, takes, false)),
                    .next = kp_printf(f->a, "on %s: systemctl edit %s, [Service] TimeoutStopSec=%d",
                                      one->node->host,
                                      one->node->service.unit ? one->node->service.unit : "kafka",
                                      (int)(takes / KP_SECOND)) });
    }
}

void kp_judge_config_agent(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_value *agents = kp_get(one->host.v, "agents");

        for (size_t k = 0; k < kp_len(agents); k++)
            kp_find_add(
                fs,
                (kp_finding) { .node = kp_somebody(c->nodes[i]),
                               .warns = true,
                               .text = kp_printf(f->a,
                                                 "%s runs on %s, the host of %s: it may change the "
                                                 "file, or restart the node, between an edit and "
                                                 "its start",
                                                 kp_as_text(kp_at(agents, k), "an agent"),
                                                 one->node->host, word_of(f, c->nodes[i])),
                               .next = "disable it there for the time of the roll, or see to it "
                                       "that it leaves Kafka alone" });
    }
}

/* ---- the file against what runs ---- */

static bool same_number(const char *x, const char *y)
{
    char *x_end, *y_end;
    double a = strtod(x, &x_end), b = strtod(y, &y_end);
    return x_end != x && y_end != y && !*x_end && !*y_end && a == b;
}

static bool is_flag(const char *text)
{
    return strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0;
}

/* DescribeConfigs tells a value as ConfigDef.convertToString writes what was parsed: lists without
 * blanks at the commas, numbers and flags in their usual form. */
static bool same_value(kp_arena *a, const char *file, const char *runs)
{
    char *packed = kp_strdup(a, file), *to = packed;

    for (const char *p = file; *p; p++) {
        bool at_comma = *p == ' ' && (p[strspn(p, " ")] == ',' || (to > packed && to[-1] == ','));
        if (!at_comma)
            *to++ = *p;
    }
    *to = '\0';
    return kp_streq(packed, runs) || kp_streq(file, runs) || same_number(file, runs) ||
           (is_flag(file) && strcasecmp(file, runs) == 0);
}

/* ConfigEntry.ConfigSource: a value of the file, or of the release's own; those of the cluster's
 * metadata stay whatever the file says. */
enum { SOURCE_FILE = 4, SOURCE_DEFAULT = 5 };
enum { DRIFT_NAMED = 3 }; /* keys in the one line; its detail has all */

static void drift_of(kp_facts *f, const kp_node_facts *one, const kp_server_config *file,
                     kp_findings *fs)
{
    KP_AUTO_BUF keys = KP_BUF_INIT(64 << 10);
    KP_AUTO_BUF lines = KP_BUF_INIT(256 << 10);
    const kp_value *runs = kp_get(one->running.v, kp_printf(f->a, "%d", one->node->id));
    size_t n = 0;

    for (uint32_t i = 0; i < kp_len(runs); i++) {
        const char *key = runs->keys[i], *value = kp_get_text(kp_get(runs, key), "value", NULL);
        const char *own = kp_server_config_text(f->a, file, key);
        int64_t source = kp_get_int(kp_get(runs, key), "source", 0);
        if (!value || !own || strstr(own, "${") || same_value(f->a, own, value) ||
            (source != SOURCE_FILE && source != SOURCE_DEFAULT))
            continue;
        if (n++ < DRIFT_NAMED)
            kp_buf_fmt(&keys, "%s%s", n > 1 ? ", " : "", key);
        kp_buf_fmt(&lines, "  %s: runs with %s, the file says %s\n", key,
                   kp_printable(f->a, value, strlen(value)), kp_printable(f->a, own, strlen(own)));
    }
    if (n == 0)
        return;
    if (n > DRIFT_NAMED)
        kp_buf_fmt(&keys, " and %zu more", n - DRIFT_NAMED);
    kp_find_add(
        fs,
        (kp_finding) { .node = kp_somebody(one->node->id),
                       .warns = true,
                       .text = kp_printf(f->a,
                                         "%s does not run with what its file says of %s: its next "
                                         "start takes the file's",
                                         word_of(f, one->node->id), kp_buf_text(&keys)),
                       .detail = kp_strdup(f->a, kp_buf_text(&lines)),
                       .next = kp_printf(f->a,
                                         "correct %s on %s; or, when it is meant, restart the node "
                                         "before the upgrade, so that each change is seen alone",
                                         one->node->layout.config, one->node->host) });
}

/* Lines that were taken out of the file are not seen: only the keys that it has are asked for. */
void kp_judge_drift(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_server_config *file = kp_facts_config(f, one);
        const kp_known *known = kp_known_node(f->seen, c->nodes[i]);
        const char *sha = kp_get_text(one->file.v, "sha256", "");

        if (!kp_facts_who(f, one).pid)
            continue; /* it is down, and nothing runs with anything */
        if (file && one->running.v && !(known && kp_streq(known->written_sha, sha)))
            drift_of(f, one, file, fs);
        else if (file && one->running.asked && !one->running.v)
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(c->nodes[i]),
                                .warns = true,
                                .text = kp_printf(f->a,
                                                  "whether %s runs with what its file says is not "
                                                  "known: it does not tell its configuration",
                                                  word_of(f, c->nodes[i])),
                                .detail = kp_printf(f->a, "  %s\n", one->running.why),
                                .next = "allow kplay to describe broker configurations" });
    }
}

/* ---- what the file says ---- */

#define JWKS "sasl.oauthbearer.jwks.endpoint.url"

/* Of an OAUTHBEARER key: that of the listener, else that of all. */
static bool is_set(kp_arena *a, const kp_server_config *c, const char *prefix, const char *what)
{
    const char *own = kp_server_config_text(a, c, kp_printf(a, "%s%s", prefix, what));
    const char *all = kp_server_config_text(a, c, what);
    return (own && *own) || (!own && all && *all);
}

static bool is_allowed(kp_arena *a, const kp_server_config *c, const char *prefix, const char *what)
{
    const char *key = kp_printf(a, "%ssasl.oauthbearer.allow.unverified.%s", prefix, what);
    const char *all = kp_printf(a, "sasl.oauthbearer.allow.unverified.%s", what);
    const char *text = kp_server_config_text(a, c, key);
    text = text ? text : kp_server_config_text(a, c, all);
    return text && strcasecmp(text, "true") == 0;
}

/* Kafka 4.4 does not start with keys to verify tokens by and nothing to hold their audience and
 * issuer against. */
void kp_judge_jwks(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    static const char *const claims[] = { "audience", "issuer" };

    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_server_config *file = kp_facts_config(f, one);
        const char *release = next_release(f, one);
        for (uint32_t k = 0; file && is_at_least(release, 4, 4) && k < kp_len(file->values); k++) {
            const char *key = file->values->keys[k];
            const char *url = kp_server_config_text(f->a, file, key);
            if (!kp_ends_with(key, JWKS) || !*url)
                continue;
            const char *prefix = kp_strndup(f->a, key, strlen(key) - strlen(JWKS));
            for (size_t m = 0; m < KP_COUNT(claims); m++) {
                const char *wants = kp_printf(f->a, "sasl.oauthbearer.expected.%s", claims[m]);
                if (is_set(f->a, file, prefix, wants) || is_allowed(f->a, file, prefix, claims[m]))
                    continue;
                kp_find_add(
                    fs, (kp_finding) {
                            .node = kp_somebody(c->nodes[i]),
                            .text = kp_printf(f->a,
                                              "%s has %s without %s%s: release %s does not "
                                              "start with that",
                                              word_of(f, c->nodes[i]), key, prefix, wants, release),
                            .next = kp_printf(f->a, "set %s%s in %s to what your tokens say",
                                              prefix, wants, one->node->layout.config) });
            }
        }
    }
}

#define MIN_ISR "min.insync.replicas"

/* What min.insync.replicas is by the file of a node of 4.0 or newer; NULL: not to be had. */
static const char *min_isr_of(const kp_facts *f, const kp_node_facts *one)
{
    const kp_server_config *file = kp_facts_config(f, one);
    if (!file || !file->kraft || !is_at_least(next_release(f, one), 4, 0))
        return NULL;
    const char *text = kp_server_config_text(f->a, file, MIN_ISR);
    return text && *text ? text : "1";
}

/* The first node of a role whose file is looked at and says another value than `but` (NULL: any).
 */
static const kp_node_facts *first_with(const kp_facts *f, kp_role role, const char *but,
                                       const char **ret_value)
{
    for (size_t i = 0; i < f->n_nodes; i++) {
        if (!kp_node_is(f->nodes[i].node, role))
            continue;
        *ret_value = min_isr_of(f, &f->nodes[i]);
        if (*ret_value && !(but && kp_streq(*ret_value, but)))
            return &f->nodes[i];
    }
    return NULL;
}

/* Eligible leader replicas (KIP-966, 4.0): when they are enabled the active controller writes its
 * own static value as the default of the cluster, whatever the brokers' files say. */
void kp_judge_min_isr_unlike(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    const char *of_broker = NULL, *other = NULL;
    const kp_node_facts *broker = first_with(f, KP_BROKER, NULL, &of_broker);
    const kp_node_facts *controller = broker ? first_with(f, KP_CONTROLLER, of_broker, &other)
                                             : NULL;

    (void)c;
    if (!controller)
        return;
    kp_find_add(fs, (kp_finding) {
                        .node = kp_somebody(controller->node->id),
                        .warns = true,
                        .text = kp_printf(f->a,
                                          MIN_ISR " is %s in the file of %s and %s in that of %s: "
                                                  "eligible leader replicas take the active "
                                                  "controller's as the cluster's",
                                          of_broker, word_of(f, broker->node->id), other,
                                          word_of(f, controller->node->id)),
                        .next = "set it alike in the files of brokers and controllers before "
                                "eligible.leader.replicas.version is raised" });
}
