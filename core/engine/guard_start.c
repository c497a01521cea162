/* The guard before a start, before a switch of release, and before what can not be undone.
 *
 * The one that bites hardest: in ZooKeeper mode a newer binary without a pinned
 * inter.broker.protocol.version speaks its newest protocol at its first start; beside older brokers
 * it registers, answers and never rejoins an ISR, and elected controller it splits the control
 * plane.
 */
#include "engine/run.h"

#include <stdio.h>

#include "cluster/release.h"

/* The lowest effective IBP of the running brokers but the node itself: DescribeConfigs, asked of
 * each.  -1: nobody says. */
static int lowest_ibp(kp_run *r, int but, const char **ret_text, int *ret_of)
{
    kp_arena *a = r->call;
    size_t n = 0;
    kp_request *q = KP_NEW_ARRAY(a, r->inv->n_nodes + 1, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(a, r->inv->n_nodes + 1, kp_reply);
    kp_builder keys = kp_list_begin(a);
    kp_list_add(&keys, kp_text(a, "inter.broker.protocol.version"));
    const kp_value *wanted = kp_list_end(&keys);
    int lowest = -1;

    for (uint32_t i = 0; i < r->inv->n_nodes; i++)
        if (kp_node_is(&r->inv->nodes[i], KP_BROKER) && r->inv->nodes[i].id != but)
            q[n++] = (kp_request) { .kind = KP_Q_CONFIG,
                                    .node = r->inv->nodes[i].id,
                                    .resource = "broker",
                                    .keys = wanted,
                                    .within = 5 * KP_SECOND };
    kp_ask_all(r, a, q, n, reply);
    for (size_t i = 0; i < n; i++) {
        if (reply[i].err) {
            kp_err_drop(reply[i].err);
            continue;
        }
        char id[16];
        snprintf(id, sizeof id, "%d", q[i].node);
        const char *text = kp_get_text(
            kp_get(kp_get(reply[i].value, id), "inter.broker.protocol.version"), "value", "");
        int level = kp_ibp_level(text);
        if (level >= 0 && (lowest < 0 || level < lowest)) {
            lowest = level;
            *ret_text = kp_strdup(a, text);
            *ret_of = q[i].node;
        }
    }
    return lowest;
}

/* Whether every other broker answers and runs a binary that knows the level: then raising it broker
 * by broker is how Kafka's upgrade ends (upgrade.html: "update inter.broker.protocol.version, and
 * restart the brokers one by one"). */
static bool all_know(kp_run *r, int but, int level)
{
    kp_arena *a = r->call;
    size_t n = 0;
    kp_request *q = KP_NEW_ARRAY(a, r->inv->n_nodes + 1, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(a, r->inv->n_nodes + 1, kp_reply);
    bool all = true;

    for (uint32_t i = 0; i < r->inv->n_nodes; i++)
        if (kp_node_is(&r->inv->nodes[i], KP_BROKER) && r->inv->nodes[i].id != but)
            q[n++] = (kp_request) { .kind = KP_Q_NODE,
                                    .node = r->inv->nodes[i].id,
                                    .within = 5 * KP_SECOND };
    kp_ask_all(r, a, q, n, reply);
    for (size_t i = 0; i < n; i++) {
        kp_version runs;
        all = all && !reply[i].err &&
              kp_version_parse(kp_get_text(reply[i].value, "release", ""), &runs) &&
              kp_release_ibp_level(runs) >= level;
        kp_err_drop(reply[i].err);
    }
    return all;
}

static void pinned(kp_run *r, const kp_node *node, kp_version binary, const char *text, size_t n,
                   kp_findings *fs)
{
    kp_arena *a = r->call;
    const char *key = "inter.broker.protocol.version", *lowest_text = "?";
    int of = 0, lowest = lowest_ibp(r, node->id, &lowest_text, &of);
    uint32_t times = kp_properties_count(text, n, key);
    const char *set = kp_get_text(kp_properties_parse(a, text, n), key, NULL);
    const char *next = kp_printf(a,
                                 "pin it: set_ibp(%d, \"%s\") before the switch, or by hand in %s",
                                 node->id, lowest_text, node->layout.config);

    if (times > 1) {
        kp_find_add(fs, (kp_finding) { .row = "ibp-pinned",
                                       .text = kp_printf(a, "%s is set %u times in %s", key, times,
                                                         node->layout.config),
                                       .next = "leave one of them" });
        return;
    }
    int own = set ? kp_ibp_level(set) : kp_release_ibp_level(binary);
    if (own < 0)
        kp_find_add(fs,
                    (kp_finding) { .row = "supports-ibp",
                                   .text = kp_printf(a, "%s=%s is no protocol version kplay knows",
                                                     key, set ? set : "(unset)"),
                                   .next = next });
    else if (own > kp_release_ibp_level(binary))
        kp_find_add(fs, (kp_finding) { .row = "supports-ibp",
                                       .text = kp_printf(a, "release %d.%d does not know %s=%s",
                                                         binary.major, binary.minor, key, set),
                                       .next = "set one it knows, or stage a newer release" });
    else if (lowest < 0 && r->inv->n_nodes > 1)
        kp_find_add(
            fs, (kp_finding) {
                    .row = "ibp-pinned",
                    .text = "no running broker says which inter.broker.protocol.version it speaks",
                    .next = "allow kplay to describe broker configurations" });
    else if (lowest >= 0 && own > lowest && !(set && all_know(r, node->id, own)))
        kp_find_add(fs,
                    (kp_finding) {
                        .row = "ibp-pinned",
                        .text = set ? kp_printf(a, "%s=%s in the file is above broker %d's %s", key,
                                                set, of, lowest_text)
                                    : kp_printf(a,
                                                "%s is not set and release %d.%d would speak its "
                                                "newest, above broker %d's %s",
                                                key, binary.major, binary.minor, of, lowest_text),
                        .next = next });
}

static bool is_staged(const kp_value *state, const char *version)
{
    const kp_value *list = kp_get(state, "releases");
    for (size_t i = 0; i < kp_len(list); i++)
        if (kp_streq(kp_as_text(kp_at(list, i), ""), version))
            return true;
    return false;
}

static void features(kp_run *r, const char *word, kp_version binary, kp_findings *fs)
{
    kp_arena *a = r->call;
    int min, max;
    kp_request q = { .kind = KP_Q_NODE, .node = KP_ANY_NODE, .within = 5 * KP_SECOND };
    const kp_value *said;
    kp_err *e = kp_ask_value(r, a, &q, &said);

    if (e) {
        kp_find_add(fs, (kp_finding) { .row = "supports-features",
                                       .text = "no node says which metadata.version is finalised",
                                       .detail = kp_printf(a, "  %s\n", e->what),
                                       .heals = true,
                                       .measure = 1 });
        kp_err_drop(e);
        return;
    }
    int64_t level = kp_get_int(said, "metadata_version", -1);
    if (level < 0 || !kp_release_metadata_levels(binary, &min, &max))
        return; /* a release without features, or newer than the table: the controllers judge its
                   registration */
    if (level < min)
        kp_find_add(
            fs, (kp_finding) { .row = "supports-features",
                               .text = kp_printf(a,
                                                 "the cluster's metadata.version is level %" PRId64
                                                 ", release %d.%d needs at least %d on %s",
                                                 level, binary.major, binary.minor, min, word),
                               .next = "raise metadata.version first (kafka-features upgrade)" });
    if (level > max)
        kp_find_add(
            fs, (kp_finding) {
                    .row = "supports-features",
                    .text = kp_printf(a,
                                      "the cluster's metadata.version is level %" PRId64
                                      ", release %d.%d knows only up to %d: %s could not register",
                                      level, binary.major, binary.minor, max, word),
                    .next = "use a release that supports the cluster's metadata.version" });
}

void kp_guard_start(kp_run *r, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = r->call;

    for (size_t i = 0; i < c->n; i++) {
        const kp_node *node = kp_inventory_node(r->inv, c->nodes[i]);
        const kp_value *state = c->state[i];
        const char *word = kp_node_word(a, r, node->id);
        const char *release = c->version ? c->version : kp_get_text(state, "link_release", "");
        kp_version binary;

        if (c->version && !is_staged(state, c->version)) {
            kp_find_add(fs, (kp_finding) { .row = "staged",
                                           .text = kp_printf(a, "release %s is not staged on %s",
                                                             c->version, node->host),
                                           .next = kp_printf(a, "unpack it below %s as %s",
                                                             node->layout.releases,
                                                             node->layout.release) });
            continue;
        }
        if (!kp_version_parse(release, &binary)) {
            kp_find_add(fs,
                        (kp_finding) { .row = "staged",
                                       .text = kp_printf(a, "%s on %s leads to no Kafka release",
                                                         node->layout.current, node->host),
                                       .next = "point the link at a staged release" });
            continue;
        }
        kp_request q = { .kind = KP_Q_FILE, .node = node->id };
        const kp_value *file;
        kp_err *e = kp_ask_value(r, a, &q, &file);
        if (e) {
            kp_find_add(fs, (kp_finding) { .row = "config-unchanged",
                                           .text = kp_printf(a, "%s on %s can not be read",
                                                             node->layout.config, node->host),
                                           .detail = kp_printf(a, "  %s\n", e->what) });
            kp_err_drop(e);
            continue;
        }
        const kp_value *bytes = kp_get(file, "bytes");
        const char *text = kp_as_text(bytes, "");
        size_t n = bytes ? bytes->n : 0;
        const kp_known *known = kp_known_node(r, node->id);

        if (known && known->written_sha &&
            !kp_streq(known->written_sha, kp_get_text(file, "sha256", "")))
            kp_find_add(
                fs, (kp_finding) {
                        .row = "config-unchanged",
                        .text = kp_printf(a, "%s on %s was changed by someone after kplay's edit",
                                          node->layout.config, node->host),
                        .next = "find out who changes it (a configuration agent?), put it right, "
                                "then: kplay resume" });
        bool kraft = kp_get(kp_properties_parse(a, text, n), "process.roles") != NULL;
        if (!kraft && binary.major >= 4)
            kp_find_add(fs,
                        (kp_finding) {
                            .row = "needs-kraft",
                            .text = kp_printf(
                                a, "release %s has no ZooKeeper mode and %s is configured for it",
                                release, word),
                            .next = "migrate the cluster to KRaft on 3.9 first" });
        else if (!kraft && !c->version)
            pinned(r, node, binary, text, n, fs);
        else if (kraft)
            features(r, word, binary, fs);
    }
}

void kp_guard_irreversible(kp_run *r, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = r->call;
    kp_version need;

    if (!c->version || !kp_version_parse(c->version, &need)) {
        kp_find_add(fs, (kp_finding) { .row = "all-upgraded",
                                       .text = "it is not known which release it needs" });
        return;
    }
    size_t n = r->inv->n_nodes;
    kp_request *q = KP_NEW_ARRAY(a, n + 1, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(a, n + 1, kp_reply);
    for (size_t i = 0; i < n; i++)
        q[i] = (kp_request) { .kind = KP_Q_NODE,
                              .node = r->inv->nodes[i].id,
                              .within = 5 * KP_SECOND };
    kp_ask_all(r, a, q, n, reply);
    for (size_t i = 0; i < n; i++) {
        kp_version runs;
        const char *release = reply[i].err ? "" : kp_get_text(reply[i].value, "release", "");
        if (!kp_version_parse(release, &runs) || kp_version_line_cmp(runs, need) < 0)
            kp_find_add(fs,
                        (kp_finding) { .row = "all-upgraded",
                                       .text = kp_printf(a, "%s runs %s, it takes %d.%d",
                                                         kp_node_word(a, r, q[i].node),
                                                         *release ? release : "an unknown release",
                                                         need.major, need.minor),
                                       .next = "upgrade every node first" });
        kp_err_drop(reply[i].err);
    }
    /* A registration nobody answers for blocks features and hides an old binary. */
    const kp_view *v;
    kp_err *e = kp_fresh_view(r, KP_NOBODY, false, &v);
    if (e) {
        kp_find_add(fs, (kp_finding) { .row = "all-upgraded", .text = kp_strdup(a, e->what) });
        kp_err_drop(e);
        return;
    }
    for (uint32_t i = 0; i < v->n_brokers; i++)
        if (v->brokers[i].alive && !kp_inventory_node(r->inv, v->brokers[i].id))
            kp_find_add(
                fs, (kp_finding) {
                        .row = "all-upgraded",
                        .text = kp_printf(a, "broker %d is registered and not in the cluster file",
                                          v->brokers[i].id),
                        .next = "add it to the cluster file" });
}
