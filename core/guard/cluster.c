/* The rows about the cluster as it is used: its disks, throttles, topics and quorum, and who else
 * works on it.  They are looked at ahead of a run, when there is time to mend what they find.
 */
#include "guard/guard.h"

#include "cluster/release.h"
#include "cluster/risk.h"

#define SHOWN 20 /* lines of evidence; the counts are whole */

/* ---- log dirs ---- */

/* What a broker says of its log dirs; NULL: it did not, and that is said, unless it answers
 * nothing at all, which is another row's (node-down). */
static const kp_value *dirs_of(kp_facts *f, const kp_node_facts *one, kp_findings *fs)
{
    if (one->dirs.v || !kp_node_is(one->node, KP_BROKER) || (one->said.asked && !one->said.v))
        return one->dirs.v;
    kp_find_add(
        fs, (kp_finding) {
                .node = kp_somebody(one->node->id),
                .text = kp_printf(f->a, "the log dirs of broker %d are not told", one->node->id),
                .detail = kp_printf(f->a, "  %s\n", one->dirs.why),
                .next = "allow kplay to describe log dirs (Describe on the cluster)" });
    return NULL;
}

/* DescribeLogDirs gives KAFKA_STORAGE_ERROR (56) for a dir that failed (ReplicaManager.
 * describeLogDirs).  The replicas in it are gone until it is mended, and it gets no mark of a clean
 * stop. */
void kp_judge_log_dir_error(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_value *dirs = dirs_of(f, one, fs);
        for (size_t k = 0; k < kp_len(dirs); k++) {
            const char *error = kp_get_text(kp_at(dirs, k), "error", NULL);
            if (error)
                kp_find_add(
                    fs, (kp_finding) {
                            .node = kp_somebody(c->nodes[i]),
                            .text = kp_printf(f->a, "log dir %s of broker %d is offline (%s)",
                                              kp_get_text(kp_at(dirs, k), "path", "?"), c->nodes[i],
                                              error),
                            .next = kp_printf(f->a,
                                              "mend its disk, or take the dir out of log.dirs, and "
                                              "restart broker %d by hand",
                                              c->nodes[i]) });
        }
    }
}

/* Free and whole bytes of the disk that a log dir is on.  Brokers tell them from 3.3 on (KIP-827);
 * before, the host tells what is free on the fullest of them, and the disk is taken to be as large
 * as that and the broker's logs together: no larger disk has less of it free. */
typedef struct space {
    const char *path;
    int64_t free, total; /* -1: not known */
} space;

static space told_of(const kp_value *dir)
{
    return (space) { .path = kp_get_text(dir, "path", "?"),
                     .free = kp_get_int(dir, "usable", -1),
                     .total = kp_get_int(dir, "total", -1) };
}

static space seen_on(const kp_node_facts *one, const kp_value *dirs)
{
    int64_t free = kp_get_int(one->host.v, "free", -1), size = 0;
    for (size_t i = 0; i < kp_len(dirs); i++)
        size += kp_get_int(kp_at(dirs, i), "size", 0);
    return (space) { .path = kp_get_text(kp_at(dirs, 0), "path", "?"),
                     .free = free,
                     .total = free < 0 ? -1 : free + size };
}

static bool is_short(const space *s, int percent)
{
    return (double)s->free < (double)s->total * percent / 100;
}

static void judge_space(kp_facts *f, int node, const space *s, kp_findings *fs)
{
    kp_arena *a = f->a;
    int percent = f->seen->inv->free_space;

    if (s->free < 0 || s->total < 0)
        kp_find_add(
            fs, (kp_finding) { .node = kp_somebody(node),
                               .warns = true,
                               .text = kp_printf(a,
                                                 "how much is free in log dir %s of broker %d is "
                                                 "not known",
                                                 s->path, node),
                               .next = kp_printf(a, "look at it: df %s", s->path) });
    else if (is_short(s, percent))
        kp_find_add(
            fs, (kp_finding) {
                    .node = kp_somebody(node),
                    .warns = true,
                    .text = kp_printf(a,
                                      "log dir %s of broker %d: %.1f of %.1f GiB free, less than "
                                      "%d %%",
                                      s->path, node, (double)s->free / (1 << 30),
                                      (double)s->total / (1 << 30), percent),
                    .next = "free some of it, or shorten the retention of its largest topics: a "
                            "full log dir ends the broker   |   policy.free_space in the cluster "
                            "file" });
}

void kp_judge_free_space(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n && f->seen->inv->free_space > 0; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_value *dirs = one->dirs.v; /* not told: the row log-dir-error says it */
        bool told = true;
        for (size_t k = 0; k < kp_len(dirs); k++) {
            space s = told_of(kp_at(dirs, k));
            if (kp_get(kp_at(dirs, k), "error"))
                continue;
            told = told && s.total >= 0;
            if (s.total >= 0)
                judge_space(f, c->nodes[i], &s, fs);
        }
        if (!told) {
            space s = seen_on(one, dirs);
            judge_space(f, c->nodes[i], &s, fs);
        }
    }
}

/* ---- what brokers and topics are configured with ---- */

/* ConfigEntry.ConfigSource: what somebody has set, on the topic or on brokers by AlterConfigs. */
enum { SET_ON_TOPIC = 1, SET_ON_BROKER = 2, SET_ON_BROKERS = 3 };

/* The value of a key that is set on a topic; NULL: it is not. */
static const char *set_on_topic(const kp_value *keys, const char *key)
{
    const kp_value *entry = kp_get(keys, key);
    return kp_get_int(entry, "source", 0) == SET_ON_TOPIC ? kp_get_text(entry, "value", "") : NULL;
}

static const kp_value *keys_of(const kp_facts *f, const kp_node_facts *one)
{
    return kp_get(one->keys.v, kp_printf(f->a, "%d", one->node->id));
}

/* A list of lines, of which the first are shown. */
typedef struct evidence {
    kp_buf b;
    size_t n;
} evidence;
#define EVIDENCE                                                                                   \
    {                                                                                              \
        .b = KP_BUF_INIT(64 * 1024)                                                                \
    }

static void add_line(evidence *e, const char *line)
{
    if (e->n++ < SHOWN)
        kp_buf_fmt(&e->b, "  %.300s\n", line);
}

static const char *lines_of(kp_arena *a, evidence *e)
{
    if (e->n > SHOWN)
        kp_buf_fmt(&e->b, "  and %zu more\n", e->n - SHOWN);
    const char *text = kp_strdup(a, kp_buf_text(&e->b));
    kp_buf_done(&e->b);
    return text;
}

/* Whose configuration is not known, though they answer; of the topics: any. */
static void unknown_keys(const kp_facts *f, evidence *e)
{
    for (size_t i = 0; i < f->n_nodes; i++) {
        const kp_node_facts *one = &f->nodes[i];
        if (one->keys.asked && !one->keys.v && !(one->said.asked && !one->said.v))
            add_line(e, kp_printf(f->a, "broker %d: %s", one->node->id, one->keys.why));
    }
    if (!f->topic_keys.v)
        add_line(e, kp_printf(f->a, "topics: %s", f->topic_keys.why));
}

static const char may_describe[] = "allow kplay to describe the configurations of brokers "
                                   "(DescribeConfigs on the cluster) and of topics";

/* Something of it is not known: that is said, as `text` has it. */
static void say_unknown(kp_facts *f, const char *text, kp_findings *fs)
{
    evidence e = EVIDENCE;

    unknown_keys(f, &e);
    bool some = e.n > 0;
    const char *lines = lines_of(f->a, &e);
    if (some)
        kp_find_add(fs, (kp_finding) {
                            .warns = true, .text = text, .detail = lines, .next = may_describe });
}

/* ---- throttles ---- */

/* kafka-reassign-partitions --throttle sets four keys and its --verify takes them away (KIP-73): a
 * rate on brokers, and on topics the replicas it holds for.  Nobody who forgot --verify sees them,
 * and a replica that is in the list catches up at that rate after a restart. */
static size_t throttled_brokers(const kp_facts *f, evidence *e)
{
    static const char *const key[] = { KP_KEY_LEADER_RATE, KP_KEY_FOLLOWER_RATE };
    size_t n = 0;

    for (size_t i = 0; i < f->n_nodes; i++) {
        bool set = false;
        for (size_t k = 0; k < KP_COUNT(key); k++) {
            const kp_value *entry = kp_get(keys_of(f, &f->nodes[i]), key[k]);
            int64_t source = kp_get_int(entry, "source", 0);
            if (source != SET_ON_BROKER && source != SET_ON_BROKERS)
                continue;
            set = true;
            add_line(e, kp_printf(f->a, "broker %d  %s=%s", f->nodes[i].node->id, key[k],
                                  kp_get_text(entry, "value", "?")));
        }
        n += set;
    }
    return n;
}

static size_t throttled_topics(const kp_facts *f, evidence *e)
{
    static const char *const key[] = { KP_KEY_LEADER_REPLICAS, KP_KEY_FOLLOWER_REPLICAS };
    const kp_value *topics = f->topic_keys.v;
    size_t n = 0;

    for (uint32_t i = 0; i < kp_len(topics); i++) {
        bool set = false;
        for (size_t k = 0; k < KP_COUNT(key); k++) {
            const char *value = set_on_topic(topics->u.items[i], key[k]);
            if (!value || !*value)
                continue;
            set = true;
            add_line(e, kp_printf(f->a, "topic %s  %s=%.60s", topics->keys[i], key[k], value));
        }
        n += set;
    }
    return n;
}

void kp_judge_throttle(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = f->a;
    evidence e = EVIDENCE;
    (void)c;

    say_unknown(f, "whether a replication throttle is left over is not known", fs);
    size_t brokers = throttled_brokers(f, &e), topics = throttled_topics(f, &e);
    const char *lines = lines_of(a, &e);
    if (kp_len(f->moves.v) > 0 || brokers + topics == 0)
        return; /* one that is in use, which the row reassignment finds */
    kp_find_add(
        fs,
        (kp_finding) {
            .warns = true,
            .text = kp_printf(a,
                              "a replication throttle is set on %zu broker%s and %zu topic%s, "
                              "and nothing is being reassigned: %s",
                              brokers, kp_plural(brokers), topics, kp_plural(topics),
                              brokers && topics ? "catching up after a restart is slowed by it"
                                                : "it is left over"),
            .detail = lines,
            .next = "take it away: kafka-reassign-partitions --verify with the plan it was for, "
                    "else kafka-configs --alter --delete-config, or in a playbook: "
                    "alter_config" });
}

/* ---- overrides that 4.0 does not know ---- */

/* 4.0 removed both (KIP-724, upgrade notes of 4.0.0).  A topic that still has one cannot be altered
 * there: LogConfig.validateNames is run over what is set already, too ("Unknown topic config
 * name", ControllerConfigurationValidator). */
static const char *const gone_in_4[] = { KP_KEY_FORMAT, KP_KEY_DIFFERENCE };

void kp_judge_topic_overrides(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = f->a;
    const kp_value *topics = f->topic_keys.v;
    const char *first = NULL, *key = NULL;
    kp_version to;
    evidence e = EVIDENCE;
    (void)c;

    if (!f->version || !kp_version_parse(f->version, &to) || to.major < 4)
        return;
    if (!topics)
        kp_find_add(
            fs, (kp_finding) { .text = kp_printf(a,
                                                 "whether a topic has an override that %s does not "
                                                 "know is not known",
                                                 f->version),
                               .detail = kp_printf(a, "  %s\n", f->topic_keys.why),
                               .next = may_describe });
    for (uint32_t i = 0; i < kp_len(topics); i++)
        for (size_t k = 0; k < KP_COUNT(gone_in_4); k++) {
            const char *value = set_on_topic(topics->u.items[i], gone_in_4[k]);
            if (!value)
                continue;
            key = first ? key : gone_in_4[k];
            first = first ? first : topics->keys[i];
            add_line(&e, kp_printf(a, "topic %s  %s=%s", topics->keys[i], gone_in_4[k], value));
        }
    size_t n = e.n;
    const char *lines = lines_of(a, &e);
    if (n > 0)
        kp_find_add(
            fs, (kp_finding) {
                    .text = kp_printf(a,
                                      "%zu override%s of topics %s unknown to %s: such a topic's "
                                      "configuration cannot be altered any more there",
                                      n, kp_plural(n), n == 1 ? "is" : "are", f->version),
                    .detail = lines,
                    .next = kp_printf(a,
                                      "delete each: kafka-configs --alter --entity-type topics "
                                      "--entity-name %s --delete-config %s   |   in a playbook: "
                                      "alter_config{ topic = \"%s\", set = { [\"%s\"] = false } }",
                                      first, key, first, key) });
}

/* ---- topics ---- */

/* Kafka's own, which clients do not work without: GroupMetadataManager and
 * TransactionStateManager, and from 4.1 on ShareCoordinator (Topic.java). */
static const char *const internal_topics[] = { "__consumer_offsets", "__transaction_state",
                                               "__share_group_state" };
#define REPLICAS 3 /* offsets.topic.replication.factor and its like: Kafka's own default */

static bool is_named(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (kp_streq(name, names[i]))
            return true;
    return false;
}

static uint32_t fewest_replicas(const kp_view *v, const kp_view_topic *t)
{
    uint32_t fewest = UINT32_MAX;
    for (uint32_t p = t->first; p < t->first + t->n; p++)
        if (kp_view_rf(v, p) < fewest)
            fewest = kp_view_rf(v, p);
    return fewest;
}

void kp_judge_internal_topics(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    const kp_view *v = f->view;
    uint32_t alive = 0;
    (void)c;

    for (uint32_t i = 0; v && i < v->n_brokers; i++)
        alive += v->brokers[i].alive;
    for (uint32_t i = 0; v && alive >= REPLICAS && i < v->n_topics; i++) {
        const kp_view_topic *t = &v->topics[i];
        uint32_t rf = fewest_replicas(v, t);
        if (!is_named(t->name, internal_topics, KP_COUNT(internal_topics)) || rf >= REPLICAS ||
            kp_view_topic_accepted(v, t->name, f->seen->inv->accept))
            continue;
        kp_find_add(
            fs,
            (kp_finding) {
                .warns = true,
                .text = kp_printf(f->a,
                                  "%s has %u replica%s, and there are %u brokers: clients that "
                                  "need it stand still when they are down",
                                  t->name, rf, kp_plural(rf), alive),
                .next = kp_printf(f->a,
                                  "give it %d replicas with kafka-reassign-partitions   |   accept "
                                  "it by name: policy.accept in the cluster file",
                                  REPLICAS) });
    }
}

/* Cruise Control's own: the metrics reporter's topic in every broker it watches
 * (CruiseControlMetricsReporterConfig), and what it samples (KafkaSampleStore). */
static const char *const cruise_control_topics[] = {
    "__CruiseControlMetrics",
    "__KafkaCruiseControlPartitionMetricSamples",
    "__KafkaCruiseControlModelTrainingSamples",
};

void kp_judge_cruise_control(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    const kp_view *v = f->view;
    (void)c;

    for (uint32_t i = 0; v && i < v->n_topics; i++) {
        const char *name = v->topics[i].name;
        if (!is_named(name, cruise_control_topics, KP_COUNT(cruise_control_topics)) ||
            kp_view_topic_accepted(v, name, f->seen->inv->accept))
            continue;
        kp_find_add(fs,
                    (kp_finding) {
                        .warns = true,
                        .text = kp_printf(f->a,
                                          "topic %s is Cruise Control's: its self-healing may move "
                                          "replicas while nodes are down",
                                          name),
                        .next = "switch its self-healing off and let it begin nothing meanwhile"
                                "   |   accept the topic by name when that is done: policy.accept "
                                "in the cluster file" });
    }
}

/* Where a topic's older data is not on its brokers, a start needs the plugin that reaches it
 * (KIP-405). */
void kp_judge_tiered_storage(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    const kp_value *topics = f->topic_keys.v;
    evidence e = EVIDENCE;
    (void)c;

    say_unknown(f, "whether tiered storage is in use is not known", fs);
    for (size_t i = 0; i < f->n_nodes; i++) {
        const kp_value *entry = kp_get(keys_of(f, &f->nodes[i]), KP_KEY_REMOTE_BROKER);
        if (kp_streq(kp_get_text(entry, "value", ""), "true"))
            add_line(&e, kp_printf(f->a, "broker %d  %s=true", f->nodes[i].node->id,
                                   KP_KEY_REMOTE_BROKER));
    }
    for (uint32_t i = 0; i < kp_len(topics); i++)
        if (kp_streq(set_on_topic(topics->u.items[i], KP_KEY_REMOTE_TOPIC), "true"))
            add_line(&e,
                     kp_printf(f->a, "topic %s  %s=true", topics->keys[i], KP_KEY_REMOTE_TOPIC));
    bool some = e.n > 0;
    const char *lines = lines_of(f->a, &e);
    if (some)
        kp_find_add(fs, (kp_finding) {
                            .warns = true,
                            .text = "tiered storage is in use: a broker does not start without its "
                                    "plugin",
                            .detail = lines,
                            .next = "see that the plugin works with the release that is to come "
                                    "and is in the brokers' class path, on one broker first: "
                                    "--only ID" });
}

/* ---- the quorum ---- */

void kp_judge_small_quorum(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    size_t n = kp_len(kp_get(f->quorum.v, "voters"));
    (void)c;

    if (n == 0 || n >= 3) /* none, or no answer, which is the row `quorum`'s */
        return;
    kp_find_add(fs, (kp_finding) {
                        .warns = true,
                        .text = kp_printf(f->a,
                                          "the quorum has %zu voter%s: without %s the cluster has "
                                          "no controller",
                                          n, kp_plural(n), n == 1 ? "it" : "either of them"),
                        .next = "add controllers until there are three (kafka-metadata-quorum "
                                "add-controller, 3.9 and newer, kraft.version 1)" });
}
