/* From a description, a demo or a snapshot to the plan of a simulated cluster.
 *
 * A plan is checked: every error of a description is found here or, for what names nodes and topics
 * (accept, faults), right after the cluster was built and before anything was kept.
 */
#include "sim/spec.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_AT INT64_C(1767603600000) /* 2026-01-05 09:00 UTC, a Monday */

/* Where Kafka is on a host that says nothing else. */
#define CONFIG "/etc/kafka/server.properties"
#define CURRENT "/opt/kafka/current"
#define RELEASES "/opt/kafka/releases"
#define LOG_DIR "/var/lib/kafka"

/* The index of a release, added when it is new; KP_CONFIG when the simulator does not know it. */
static kp_err *plan_release(kp_plan *p, const char *key, const char *release, uint8_t *ret_i)
{
    kp_version v;

    for (uint32_t i = 0; i < p->n_releases; i++)
        if (strcmp(p->release[i], release) == 0) {
            *ret_i = (uint8_t)i;
            return NULL;
        }
    if (!kp_version_parse(release, &v) || v.patch < 0 || strlen(release) > 22)
        return kp_spec_wrong(p->spec, key, "write a release with its patch, like \"3.7.2\"",
                             "`%.40s` is not a Kafka release", release);
    if (!kp_sim_facts(release))
        return kp_spec_wrong(p->spec, key, "use a release from 2.0 to 4.3",
                             "the simulator does not know release %s", release);
    if (p->n_releases == KP_SIM_MAX_RELEASES)
        return kp_spec_wrong(p->spec, key, "name fewer releases", "more than %u releases",
                             KP_SIM_MAX_RELEASES);
    p->release[p->n_releases] = release;
    *ret_i = (uint8_t)p->n_releases++;
    return NULL;
}

static kp_err *plan_staged(kp_plan *p, const kp_spec *s, bool strict, uint64_t *ret_mask)
{
    const kp_value *list;
    uint64_t mask = 0;
    uint8_t i;

    KP_TRY(kp_spec_list(s, "staged", &list));
    if (!kp_get(s->v, "staged")) {
        for (size_t k = 0; kp_sim_known_releases[k]; k++) {
            KP_TRY(plan_release(p, "staged", kp_sim_known_releases[k], &i));
            mask |= UINT64_C(1) << i;
        }
    }
    for (size_t k = 0; k < kp_len(list); k++) {
        const char *release = kp_at(list, k)->u.s;
        if (!strict && !kp_sim_facts(release)) /* a host may hold anything */
            continue;
        KP_TRY(plan_release(p, "staged", release, &i));
        mask |= UINT64_C(1) << i;
    }
    *ret_mask = mask;
    return NULL;
}

static kp_err *plan_begin(kp_plan *p, const kp_spec *s)
{
    int mode = 0;
    int64_t seed = 0;

    *p = (kp_plan) { .a = s->a, .spec = s, .at = DEFAULT_AT, .controller = -1 };
    KP_TRY(kp_spec_word_of(s, "mode", &mode));
    p->mode = (kp_sim_mode)mode;
    KP_TRY(kp_spec_int(s, "seed", &seed));
    p->seed = (uint64_t)seed;
    return NULL;
}

/* The finalized metadata.version: as given, else the newest that `release` knows. */
static kp_err *metadata_version(kp_plan *p, const char *release)
{
    const kp_sim_release_facts *f = kp_sim_facts(release);
    const char *text = NULL;

    KP_TRY(kp_spec_text(p->spec, "metadata_version", &text));
    if (p->mode == KP_SIM_ZOOKEEPER) {
        if (text)
            return kp_spec_wrong(p->spec, "metadata_version", "leave it out, or say mode: kraft",
                                 "there is no metadata.version in ZooKeeper mode");
        return NULL;
    }
    p->metadata_version = text ? kp_sim_metadata_level(text) : f->metadata_max;
    if (p->metadata_version < 0)
        return kp_spec_wrong(p->spec, "metadata_version", "write a level, like \"3.7-IV4\" or 19",
                             "`%.40s` is no metadata.version", text);
    if (p->metadata_version < f->metadata_min || p->metadata_version > f->metadata_max)
        return kp_spec_wrong(p->spec, "metadata_version",
                             "choose a level that the release supports",
                             "release %s supports metadata.version %d to %d, not %d", release,
                             f->metadata_min, f->metadata_max, p->metadata_version);
    return NULL;
}

static kp_err *release_fits_mode(const kp_plan *p, const kp_spec *s, const char *release)
{
    const kp_sim_release_facts *f = kp_sim_facts(release);

    if (p->mode == KP_SIM_ZOOKEEPER && !f->zookeeper)
        return kp_spec_wrong(s, "release", "use a release before 4.0, or mode: kraft",
                             "release %s has no ZooKeeper mode", release);
    if (p->mode != KP_SIM_ZOOKEEPER && f->metadata_max == 0)
        return kp_spec_wrong(s, "release", "use release 3.3 or newer, or mode: zookeeper",
                             "KRaft of release %s is a preview that the simulator does not know",
                             release);
    return NULL;
}

static kp_err *java_of(const kp_spec *s, uint8_t *ret_java)
{
    int64_t java = 0; /* not said */

    KP_TRY(kp_spec_int(s, "java", &java));
    *ret_java = (uint8_t)java;
    return NULL;
}

/* ---- a description ---- */

static kp_err *name_topics(kp_plan *p, const kp_spec *s, const kp_plan_topic *like, int64_t count)
{
    int width = snprintf(NULL, 0, "%" PRId64, count);

    if (p->n_topics + count > KP_SIM_MAX_TOPICS)
        return kp_spec_wrong(s, "count", "describe fewer topics", "more than %u topics",
                             KP_SIM_MAX_TOPICS);
    if (p->n_topics + (uint32_t)count > p->cap_topics) {
        uint32_t cap = 2 * (p->n_topics + (uint32_t)count);
        kp_plan_topic *more = KP_NEW_ARRAY(p->a, cap, kp_plan_topic);
        if (p->n_topics > 0)
            memcpy(more, p->topics, p->n_topics * sizeof *more);
        p->topics = more;
        p->cap_topics = cap;
    }
    for (int64_t i = 1; i <= count; i++) {
        kp_plan_topic *t = &p->topics[p->n_topics++];
        *t = *like;
        if (count > 1)
            t->name = kp_printf(p->a, "%s-%0*" PRId64, like->name, width, i);
    }
    return NULL;
}

static kp_err *describe_topic(kp_plan *p, const kp_spec *s, uint32_t brokers)
{
    kp_plan_topic t = { .where = s->where };
    int64_t count = 0, n = 0, rf = brokers < 3 ? brokers : 3;

    KP_TRY(kp_spec_keys(s));
    KP_TRY(kp_spec_text(s, "name", &t.name));
    if (!t.name || *t.name == '\0' || strlen(t.name) > 200)
        return kp_spec_wrong(s, "name", "give the topic a name of at most 200 bytes",
                             "a topic has no name");
    KP_TRY(kp_spec_int(s, "count", &count));
    KP_TRY(kp_spec_int(s, "partitions", &n));
    KP_TRY(kp_spec_int(s, "rf", &rf));
    if (rf > brokers)
        return kp_spec_wrong(s, "rf", "lower rf, or simulate more brokers",
                             "%d replicas do not fit on %u broker%s", (int)rf, brokers,
                             brokers == 1 ? "" : "s");
    int64_t min_isr = rf < 3 ? 1 : 2, size = 1000000 * n, rate = 10000 * n;
    KP_TRY(kp_spec_int(s, "min_isr", &min_isr));
    if (min_isr > rf) /* Kafka takes it, and then no acks=all producer can write */
        return kp_spec_wrong(s, "min_isr", "lower min_isr, or raise rf",
                             "min_isr %d is more than the %d replica%s there are", (int)min_isr,
                             (int)rf, rf == 1 ? "" : "s");
    KP_TRY(kp_spec_bytes(s, "size", &size));
    KP_TRY(kp_spec_bytes(s, "rate", &rate));
    KP_TRY(kp_spec_bool(s, "unclean", &t.unclean));
    KP_TRY(kp_spec_bool(s, "internal", &t.internal));
    t.n = (uint32_t)n;
    t.rf = (uint32_t)rf;
    t.min_isr = (uint32_t)min_isr;
    t.size = (double)size;
    t.rate = (double)rate;
    return name_topics(p, s, &t, count);
}

static kp_err *describe_nodes(kp_plan *p, int64_t brokers, int64_t controllers, int64_t first_id)
{
    const kp_spec *s = p->spec;
    const kp_value *racks;
    const char *release = p->mode == KP_SIM_ZOOKEEPER ? "3.4.1" : "3.7.2", *ibp = NULL;
    uint8_t r, java;
    uint64_t staged;
    bool separate = p->mode == KP_SIM_KRAFT;
    int first_controller = first_id + brokers <= 3000 ? 3001 : 100001;

    KP_TRY(kp_spec_text(s, "release", &release));
    KP_TRY(plan_release(p, "release", release, &r));
    KP_TRY(release_fits_mode(p, s, release));
    KP_TRY(metadata_version(p, release));
    KP_TRY(plan_staged(p, s, true, &staged));
    KP_TRY(kp_spec_text(s, "ibp", &ibp));
    if (ibp && p->mode != KP_SIM_ZOOKEEPER)
        return kp_spec_wrong(s, "ibp", "use metadata_version, or mode: zookeeper",
                             "KRaft ignores inter.broker.protocol.version");
    if (ibp && (kp_sim_ibp_level(ibp) < 0 ||
                kp_sim_ibp_level(ibp) > kp_sim_ibp_newest(kp_sim_facts(release))))
        return kp_spec_wrong(s, "ibp",
                             "write a version that the release speaks, like \"3.4\" or \"3.5-IV2\"",
                             "release %s does not speak protocol `%.40s`", release, ibp);
    KP_TRY(kp_spec_list(s, "racks", &racks));
    KP_TRY(java_of(s, &java));

    p->n_nodes = (uint32_t)(brokers + (separate ? controllers : 0));
    p->nodes = KP_NEW_ARRAY(p->a, p->n_nodes, kp_plan_node);
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        kp_plan_node *n = &p->nodes[i];
        bool controller = i >= (uint32_t)brokers;
        uint32_t k = controller ? i - (uint32_t)brokers : i;
        *n = (kp_plan_node) {
            .release = r, .link = r, .staged = staged | UINT64_C(1) << r, .java = java, .ibp = ibp,
            .alive = true
        };
        n->id = (int)k + (controller ? first_controller : (int)first_id);
        n->roles = controller ? KP_CONTROLLER : KP_BROKER;
        if (p->mode == KP_SIM_COMBINED && k < controllers)
            n->roles |= KP_CONTROLLER;
        n->host = kp_printf(p->a, "%s%d", controller ? "controller" : "broker", n->id);
        n->rack = kp_len(racks) > 0 ? kp_at(racks, k % kp_len(racks))->u.s : "";
        n->config = CONFIG;
        n->current = CURRENT;
        n->releases_dir = RELEASES;
        n->log_dir = LOG_DIR;
    }
    return NULL;
}

/* As the first broker, but for what makes them ghosts. */
static kp_err *describe_ghosts(kp_plan *p)
{
    const kp_spec *s = p->spec;
    const kp_value *ids;

    KP_TRY(kp_spec_list(s, "ghosts", &ids));
    if (kp_len(ids) == 0)
        return NULL;
    if (p->mode == KP_SIM_ZOOKEEPER)
        return kp_spec_wrong(s, "ghosts", "leave it out, or say mode: kraft",
                             "in ZooKeeper mode a registration ends with its broker");
    kp_plan_node *nodes = KP_NEW_ARRAY(p->a, p->n_nodes + kp_len(ids), kp_plan_node);
    memcpy(nodes, p->nodes, p->n_nodes * sizeof *nodes);
    p->nodes = nodes;
    for (size_t i = 0; i < kp_len(ids); i++) {
        int64_t id = kp_as_int(kp_at(ids, i), -1);
        bool taken = id < 0 || id > INT32_MAX;
        for (uint32_t k = 0; k < p->n_nodes && !taken; k++)
            taken = nodes[k].id == id;
        if (taken)
            return kp_spec_wrong(s, "ghosts", "give ids that no other node has",
                                 "item %zu is not the id of a node of its own", i + 1);
        kp_plan_node *n = &nodes[p->n_nodes++];
        *n = nodes[0];
        n->id = (int)id;
        n->roles = KP_BROKER;
        n->host = kp_printf(p->a, "broker%d", n->id);
        n->alive = false;
        n->unmanaged = true;
    }
    return NULL;
}

static kp_err *describe(kp_plan *p, const kp_spec *s)
{
    int64_t brokers = 0, first_id = 0;
    const kp_value *topics;

    KP_TRY(kp_spec_keys(s));
    KP_TRY(plan_begin(p, s));
    KP_TRY(kp_spec_int(s, "brokers", &brokers));
    int64_t most = p->mode == KP_SIM_COMBINED && brokers < 63 ? brokers : 63;
    int64_t controllers = most < 3 ? most : 3;
    KP_TRY(kp_spec_int_to(s, "controllers", most, &controllers));
    KP_TRY(kp_spec_int(s, "first_id", &first_id));
    KP_TRY(describe_nodes(p, brokers, controllers, first_id));
    KP_TRY(describe_ghosts(p));
    KP_TRY(kp_spec_list(s, "topics", &topics));
    for (size_t i = 0; i < kp_len(topics); i++) {
        const kp_spec t = kp_spec_item(s, "topics", i);
        KP_TRY(describe_topic(p, &t, (uint32_t)brokers));
    }
    return NULL;
}

kp_err *kp_sim_from_spec(kp_arena *a, const kp_value *simulate, kp_sim **ret_sim)
{
    const kp_spec s = {
        .a = a, .v = simulate, .where = "simulate", .level = &kp_sim_description_level
    };
    kp_plan p;

    KP_TRY(describe(&p, &s));
    return kp_sim_build(&p, ret_sim);
}

kp_err *kp_sim_demo(kp_arena *a, const char *mode, kp_sim **ret_sim)
{
    static const struct {
        const char *name;
        int n;
        int64_t size, rate;
        bool internal;
    } topics[] = {
        { "__consumer_offsets", 50, INT64_C(400000000), 200000, true },
        { "audit", 6, INT64_C(2000000000), 100000, false },
        { "clicks", 48, INT64_C(60000000000), 6000000, false },
        { "orders", 24, INT64_C(20000000000), 2000000, false },
        { "payments", 12, INT64_C(8000000000), 800000, false },
    };
    kp_builder list = kp_list_begin(a), racks = kp_list_begin(a), groups = kp_list_begin(a);

    for (size_t i = 0; i < KP_COUNT(topics); i++)
        kp_list_add(&list, kp_map(a, "name", kp_text(a, topics[i].name), "partitions",
                                  kp_int(a, topics[i].n), "size", kp_int(a, topics[i].size), "rate",
                                  kp_int(a, topics[i].rate), "internal",
                                  kp_bool(topics[i].internal), NULL));
    static const char *const rack[] = { "a", "b", "c" };
    for (size_t i = 0; i < KP_COUNT(rack); i++)
        kp_list_add(&racks, kp_text(a, rack[i]));
    kp_list_add(&groups, kp_text(a, "billing"));
    kp_list_add(&groups, kp_text(a, "shipping"));
    return kp_sim_from_spec(a,
                            kp_map(a, "mode", kp_text(a, mode), "topics", kp_list_end(&list),
                                   "racks", kp_list_end(&racks), "groups", kp_list_end(&groups),
                                   NULL),
                            ret_sim);
}

/* ---- a snapshot ---- */

static const kp_spec_key seen_node_keys[] = {
    { .name = "id", .type = KP_SPEC_INT, .max = INT32_MAX },
    { .name = "host", .type = KP_SPEC_TEXT },
    { .name = "rack", .type = KP_SPEC_TEXT, .otherwise = "" },
    { .name = "release", .type = KP_SPEC_TEXT },
    { .name = "link_release", .type = KP_SPEC_TEXT },
    { .name = "staged", .type = KP_SPEC_TEXTS },
    { .name = "ibp", .type = KP_SPEC_TEXT },
    { .name = "alive", .type = KP_SPEC_BOOL, .otherwise = "true" },
    { .name = "properties", .type = KP_SPEC_TEXT },
    { .name = "config", .type = KP_SPEC_TEXT, .otherwise = CONFIG },
    { .name = "current", .type = KP_SPEC_TEXT, .otherwise = CURRENT },
    { .name = "releases_dir", .type = KP_SPEC_TEXT, .otherwise = RELEASES },
    { .name = "log_dir", .type = KP_SPEC_TEXT, .otherwise = LOG_DIR },
    { .name = "voter", .type = KP_SPEC_BOOL, .otherwise = "true" },
    { .name = "java", .type = KP_SPEC_INT, .min = 8, .max = 99 },
    { .name = "managed", .type = KP_SPEC_BOOL, .otherwise = "true" },
    { .name = "registered", .type = KP_SPEC_BOOL, .otherwise = "true" },
};
static const kp_spec_level seen_node_level = { .keys = seen_node_keys,
                                               .n = KP_COUNT(seen_node_keys) };

static const kp_spec_key seen_topic_keys[] = {
    { .name = "name", .type = KP_SPEC_TEXT },
    { .name = "id", .type = KP_SPEC_TEXT },
    { .name = "internal", .type = KP_SPEC_BOOL, .otherwise = "false" },
    { .name = "min_isr", .type = KP_SPEC_INT, .max = KP_VIEW_MIN_ISR_CAP, .otherwise = "1" },
    { .name = "unclean", .type = KP_SPEC_BOOL, .otherwise = "false" },
    { .name = "size", .type = KP_SPEC_BYTES },
    { .name = "rate", .type = KP_SPEC_BYTES },
    { .name = "partitions", .type = KP_SPEC_LIST },
};
static const kp_spec_level seen_topic_level = { .keys = seen_topic_keys,
                                                .n = KP_COUNT(seen_topic_keys) };

static const kp_spec_key snapshot_keys[] = {
    { .name = "cluster_id", .type = KP_SPEC_TEXT },
    { .name = "at", .type = KP_SPEC_INT, .max = INT64_C(1) << 45 },
    { .name = "controller", .type = KP_SPEC_INT, .min = -1, .max = INT32_MAX },
    { .name = "brokers", .type = KP_SPEC_MAPS, .below = &seen_node_level },
    { .name = "controllers", .type = KP_SPEC_MAPS, .below = &seen_node_level },
    { .name = "topics", .type = KP_SPEC_MAPS, .below = &seen_topic_level },
    { .name = "reassignments", .type = KP_SPEC_LIST },
};
static const kp_spec_level snapshot_level = { .keys = snapshot_keys,
                                              .n = KP_COUNT(snapshot_keys),
                                              .shared = &kp_sim_description_level };

static unsigned roles_of(const kp_plan *p, const kp_spec *s, bool broker, bool voter)
{
    if (p->mode == KP_SIM_ZOOKEEPER)
        return KP_BROKER;
    if (!broker)
        return KP_CONTROLLER;
    if (p->mode == KP_SIM_KRAFT || !voter)
        return KP_BROKER;
    /* Its own file says it best. */
    const kp_value *text = kp_get(s->v, "properties");
    const kp_value *keys = text ? kp_properties_parse(s->a, text->u.s, text->n) : NULL;
    const char *roles = kp_get_text(keys, "process.roles", NULL);
    return roles && !strstr(roles, "controller") ? KP_BROKER : KP_BROKER | KP_CONTROLLER;
}

static kp_err *seen_node(kp_plan *p, const kp_spec *s, bool broker, kp_plan_node *n)
{
    int64_t id = -1;
    const char *release = NULL;
    bool voter = false, managed = false, registered = false;

    KP_TRY(kp_spec_keys(s));
    KP_TRY(kp_spec_int(s, "id", &id));
    if (id < 0)
        return kp_spec_wrong(s, "id", "give the node's id", "a node has no id");
    *n = (kp_plan_node) { .id = (int)id, .host = kp_printf(p->a, "node%d", (int)id) };
    KP_TRY(kp_spec_text(s, "host", &n->host));
    KP_TRY(kp_spec_text(s, "rack", &n->rack));
    KP_TRY(kp_spec_text(s, "release", &release));
    const char *link = release;
    KP_TRY(kp_spec_text(s, "link_release", &link));
    if (!release)
        return kp_spec_wrong(s, "release", "find out which release it runs",
                             "node %d has no release", n->id);
    KP_TRY(release_fits_mode(p, s, release));
    KP_TRY(plan_release(p, "release", release, &n->release));
    KP_TRY(plan_release(p, "link_release", link, &n->link));
    KP_TRY(plan_staged(p, s, false, &n->staged));
    n->staged |= UINT64_C(1) << n->link | UINT64_C(1) << n->release;
    KP_TRY(java_of(s, &n->java));
    KP_TRY(kp_spec_text(s, "ibp", &n->ibp));
    KP_TRY(kp_spec_bool(s, "alive", &n->alive));
    KP_TRY(kp_spec_bool(s, "voter", &voter));
    KP_TRY(kp_spec_bool(s, "managed", &managed));
    n->unmanaged = !managed;
    KP_TRY(kp_spec_bool(s, "registered", &registered));
    n->unregistered = !registered && !n->alive;
    KP_TRY(kp_spec_text(s, "config", &n->config));
    KP_TRY(kp_spec_text(s, "current", &n->current));
    KP_TRY(kp_spec_text(s, "releases_dir", &n->releases_dir));
    KP_TRY(kp_spec_text(s, "log_dir", &n->log_dir));
    const kp_value *text = kp_get(s->v, "properties");
    if (text && text->type != KP_BYTES)
        return kp_spec_wrong(s, "properties", "give the file's text", "a text is needed here");
    n->text = text ? text->u.s : NULL;
    n->n_text = text ? text->n : 0;
    n->roles = roles_of(p, s, broker, voter);
    return NULL;
}

static bool hex_id(const char *text, uint8_t *id)
{
    static const char digit[] = "0123456789abcdef";

    if (strlen(text) != 32)
        return false;
    for (int i = 0; i < 32; i++) {
        const char *d = strchr(digit, text[i]);
        if (!d)
            return false;
        id[i / 2] = (uint8_t)(id[i / 2] << 4 | (d - digit));
    }
    return true;
}

static kp_err *seen_topic(kp_plan *p, const kp_spec *s)
{
    kp_plan_topic t = { .where = s->where };
    int64_t min_isr = 0;
    const char *id = NULL;

    KP_TRY(kp_spec_keys(s));
    KP_TRY(kp_spec_text(s, "name", &t.name));
    if (!t.name || strlen(t.name) > 249)
        return kp_spec_wrong(s, "name", "give the topic its name", "a topic has no name");
    KP_TRY(kp_spec_list(s, "partitions", &t.partitions));
    t.n = (uint32_t)kp_len(t.partitions);
    KP_TRY(kp_spec_int(s, "min_isr", &min_isr));
    KP_TRY(kp_spec_bool(s, "internal", &t.internal));
    KP_TRY(kp_spec_bool(s, "unclean", &t.unclean));
    int64_t size = 1000000 * (int64_t)t.n, rate = 10000 * (int64_t)t.n;
    KP_TRY(kp_spec_bytes(s, "size", &size));
    KP_TRY(kp_spec_bytes(s, "rate", &rate));
    KP_TRY(kp_spec_text(s, "id", &id));
    t.has_id = id != NULL;
    if (id && !hex_id(id, t.id))
        return kp_spec_wrong(s, "id", "write 32 hex digits", "`%.40s` is no topic id", id);
    t.min_isr = (uint32_t)min_isr;
    t.size = (double)size;
    t.rate = (double)rate;
    return name_topics(p, s, &t, 1);
}

static kp_err *seen(kp_plan *p, const kp_spec *s)
{
    const kp_value *brokers, *controllers, *topics;
    const char *oldest = NULL;

    KP_TRY(kp_spec_keys(s));
    KP_TRY(plan_begin(p, s));
    KP_TRY(kp_spec_text(s, "cluster_id", &p->cluster_id));
    KP_TRY(kp_spec_int(s, "at", &p->at));
    KP_TRY(kp_spec_int(s, "controller", &p->controller));
    KP_TRY(kp_spec_list(s, "brokers", &brokers));
    KP_TRY(kp_spec_list(s, "controllers", &controllers));
    KP_TRY(kp_spec_list(s, "topics", &topics));
    KP_TRY(kp_spec_list(s, "reassignments", &p->moves));
    if (kp_len(brokers) == 0 || kp_len(brokers) + kp_len(controllers) > KP_SIM_MAX_NODES)
        return kp_spec_wrong(s, "brokers", "give 1 to 4096 nodes",
                             "a snapshot of %zu brokers and %zu controllers", kp_len(brokers),
                             kp_len(controllers));
    p->nodes = KP_NEW_ARRAY(p->a, kp_len(brokers) + kp_len(controllers), kp_plan_node);
    for (size_t i = 0; i < kp_len(brokers) + kp_len(controllers); i++) {
        bool broker = i < kp_len(brokers);
        const kp_spec one = kp_spec_item(s, broker ? "brokers" : "controllers",
                                         broker ? i : i - kp_len(brokers));
        kp_plan_node *n = &p->nodes[p->n_nodes++];
        kp_version a, b;
        KP_TRY(seen_node(p, &one, broker, n));
        if (!oldest || (kp_version_parse(p->release[n->release], &a) &&
                        kp_version_parse(oldest, &b) && kp_version_cmp(a, b) < 0))
            oldest = p->release[n->release];
    }
    KP_TRY(metadata_version(p, oldest));
    for (size_t i = 0; i < kp_len(topics); i++) {
        const kp_spec one = kp_spec_item(s, "topics", i);
        KP_TRY(seen_topic(p, &one));
    }
    return NULL;
}

kp_err *kp_sim_from_snapshot(kp_arena *a, const kp_value *snapshot, kp_sim **ret_sim)
{
    const kp_spec s = { .a = a, .v = snapshot, .where = "snapshot", .level = &snapshot_level };
    kp_plan p;

    KP_TRY(seen(&p, &s));
    return kp_sim_build(&p, ret_sim);
}
