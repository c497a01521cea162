/* The rows before a start, before a switch of release, and before what cannot be undone.
 *
 * The one that bites hardest: in ZooKeeper mode a newer binary without a pinned
 * inter.broker.protocol.version speaks its newest protocol at its first start; beside older brokers
 * it registers, answers and never rejoins an ISR, and elected controller it splits the control
 * plane.
 */
#include "guard/guard.h"

#include "cluster/release.h"
#include "cluster/server_config.h"

#define IBP "inter.broker.protocol.version"

/* ---- the release and the file ---- */

/* The release a node will run: the one that is to come, else its link's.  False: not known, which
 * the row `staged` finds. */
static bool binary_of(const kp_facts *f, const kp_node_facts *one, const char **ret_text,
                      kp_version *ret_binary)
{
    const char *linked = kp_facts_who(f, one).linked;
    *ret_text = f->version ? f->version : linked ? linked : "";
    return kp_version_parse(*ret_text, ret_binary);
}

static kp_finding not_staged(kp_arena *a, const kp_node *node, const char *version,
                             const char *lacks)
{
    const char *as = kp_printf(a, "below %s as %s", node->layout.releases, node->layout.release);
    if (*lacks)
        return (kp_finding) { .node = kp_somebody(node->id),
                              .text = kp_printf(
                                  a, "release %s on %s is only half unpacked: %s is missing",
                                  version, node->host, lacks),
                              .next = kp_printf(a, "unpack it again, whole, %s", as) };
    return (kp_finding) { .node = kp_somebody(node->id),
                          .text = kp_printf(a, "release %s is not staged on %s", version,
                                            node->host),
                          .next = kp_printf(a, "unpack it %s", as) };
}

void kp_judge_staged(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = f->a;

    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_node *node = one->node;
        const char *release;
        kp_version binary;
        const char *lacks = f->version ? kp_release_lacks(one->host.v, f->version) : NULL;
        if (kp_judge_silent_host(f, one, fs))
            continue;
        if (lacks)
            kp_find_add(fs, not_staged(a, node, f->version, lacks));
        else if (!binary_of(f, one, &release, &binary))
            kp_find_add(fs, (kp_finding) { .node = kp_somebody(node->id),
                                           .text = kp_printf(
                                               a, "%s on %s leads to no Kafka release",
                                               node->layout.current, node->host),
                                           .next = "point the link at a staged release" });
    }
}

/* What the node's properties mean; NULL: they are not to be had, which the row `config-unchanged`
 * finds. */
static const kp_server_config *file_of(const kp_facts *f, const kp_node_facts *one)
{
    const kp_value *bytes = kp_get(one->file.v, "bytes");
    if (!one->file.v)
        return NULL;
    return kp_server_config_read(
        f->a, &(kp_config_source) { .text = kp_as_text(bytes, ""), .n = bytes ? bytes->n : 0 });
}

/* What is to be judged of a node's file and release; false: another row finds why not. */
static bool starting(kp_facts *f, const kp_node_facts *one, const kp_server_config **ret_file,
                     const char **ret_release, kp_version *ret_binary)
{
    *ret_file = file_of(f, one);
    return *ret_file && !(f->version && kp_release_lacks(one->host.v, f->version)) &&
           binary_of(f, one, ret_release, ret_binary);
}

void kp_judge_unchanged(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = f->a;

    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const kp_node *node = one->node;
        const kp_known *known = kp_known_node(f->seen, node->id);
        if (!one->file.v)
            kp_find_add(fs, (kp_finding) { .node = kp_somebody(node->id),
                                           .text = kp_printf(a, "%s on %s cannot be read",
                                                             node->layout.config, node->host),
                                           .detail = kp_printf(a, "  %s\n", one->file.why) });
        else if (known && known->written_sha &&
                 !kp_streq(known->written_sha, kp_get_text(one->file.v, "sha256", "")))
            kp_find_add(
                fs, (kp_finding) {
                        .node = kp_somebody(node->id),
                        .text = kp_printf(a, "%s on %s was changed by someone after kplay's edit",
                                          node->layout.config, node->host),
                        .next = "find out who changes it (a configuration agent?), put it right, "
                                "then: kplay resume" });
    }
}

void kp_judge_needs_kraft(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const char *release;
        kp_version binary;
        const kp_server_config *file;
        if (starting(f, one, &file, &release, &binary) && binary.major >= 4 &&
            !file->kraft)
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(c->nodes[i]),
                                .text = kp_printf(
                                    f->a,
                                    "release %s has no ZooKeeper mode and %s is configured for it",
                                    release, kp_node_word(f->a, f->seen->inv, c->nodes[i])),
                                .next = "migrate the cluster to KRaft on 3.9 first" });
    }
}

/* ---- ZooKeeper mode: the protocol it would speak ---- */

/* The lowest effective protocol version of the running brokers but the node itself.  -1: nobody
 * says. */
static int lowest_ibp(kp_facts *f, int but, const char **ret_text, int *ret_of)
{
    int lowest = -1;

    kp_facts_need(f, KP_F_IBP);
    for (size_t i = 0; i < f->n_nodes; i++) {
        int id = f->nodes[i].node->id;
        const kp_value *own = kp_get(f->nodes[i].ibp.v, kp_printf(f->a, "%d", id));
        const char *said = kp_get_text(kp_get(own, IBP), "value", "");
        int level = kp_ibp_level(said);
        if (id == but || level < 0 || (lowest >= 0 && level >= lowest))
            continue;
        lowest = level;
        *ret_text = said;
        *ret_of = id;
    }
    return lowest;
}

/* Whether every other broker answers and runs a binary that knows the level: then raising it broker
 * by broker is how Kafka's upgrade ends (upgrade.html: "update inter.broker.protocol.version, and
 * restart the brokers one by one"). */
static bool all_know(kp_facts *f, int but, int level)
{
    kp_facts_need(f, KP_F_SAID);
    for (size_t i = 0; i < f->n_nodes; i++) {
        const kp_node *node = f->nodes[i].node;
        kp_version runs;
        if (kp_node_is(node, KP_BROKER) && node->id != but &&
            !(kp_version_parse(kp_get_text(f->nodes[i].said.v, "release", ""), &runs) &&
              kp_release_ibp_level(runs) >= level))
            return false;
    }
    return true;
}

/* The level a ZooKeeper-mode node would speak: of its file, else its binary's newest. */
typedef struct speaks {
    const kp_node *node;
    kp_version binary;
    uint32_t times;  /* the key is set in the file */
    const char *set; /* NULL: it is not */
    int level;       /* -1: no version kplay knows */
} speaks;

/* False: not in ZooKeeper mode, or a switch, which the pin comes after.  Ahead of everything: what
 * the file says already; where it says nothing the playbook pins it. */
static bool speaks_of(kp_facts *f, int id, speaks *ret)
{
    const kp_node_facts *one = kp_facts_of(f, id);
    const char *release;
    kp_version binary;
    const kp_server_config *file;

    if ((f->version && !f->ahead) || !starting(f, one, &file, &release, &binary) ||
        binary.major >= 4 || file->kraft)
        return false;
    if (f->version && file->ibp_set == 0)
        return false;
    *ret = (speaks) { .node = one->node,
                      .binary = binary,
                      .times = file->ibp_set,
                      .set = file->ibp,
                      .level = file->ibp ? kp_ibp_level(file->ibp) : kp_release_ibp_level(binary) };
    return true;
}

static const char *pin_next(kp_facts *f, const speaks *s, const char *level)
{
    return kp_printf(f->a, "pin it: set_ibp(%d, \"%s\") before the switch, or by hand in %s",
                     s->node->id, level, s->node->layout.config);
}

void kp_judge_ibp_known(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        speaks s;
        if (!speaks_of(f, c->nodes[i], &s) || s.times > 1)
            continue;
        const char *lowest = "?";
        int of;
        if (s.level < 0) {
            lowest_ibp(f, s.node->id, &lowest, &of);
            kp_find_add(fs, (kp_finding) { .node = kp_somebody(c->nodes[i]),
                                           .text = kp_printf(
                                               f->a, "%s=%s is no protocol version kplay knows",
                                               IBP, s.set ? s.set : "(unset)"),
                                           .next = pin_next(f, &s, lowest) });
        } else if (s.level > kp_release_ibp_level(s.binary)) {
            kp_find_add(fs,
                        (kp_finding) { .node = kp_somebody(c->nodes[i]),
                                       .text = kp_printf(
                                           f->a, "release %d.%d does not know %s=%s",
                                           s.binary.major, s.binary.minor, IBP, s.set),
                                       .next = "set one it knows, or stage a newer release" });
        }
    }
}

void kp_judge_pinned(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_arena *a = f->a;

    for (size_t i = 0; i < c->n; i++) {
        speaks s;
        const char *lowest_text = "?";
        int of = 0;
        if (!speaks_of(f, c->nodes[i], &s))
            continue;
        int lowest = lowest_ibp(f, s.node->id, &lowest_text, &of);
        kp_maybe_id who = kp_somebody(c->nodes[i]);
        if (s.times > 1)
            kp_find_add(fs, (kp_finding) { .node = who,
                                           .text = kp_printf(a, "%s is set %u times in %s", IBP,
                                                             s.times, s.node->layout.config),
                                           .next = "leave one of them" });
        else if (s.level < 0 || s.level > kp_release_ibp_level(s.binary))
            continue; /* supports-ibp finds it */
        else if (lowest < 0 && f->n_nodes > 1)
            kp_find_add(fs, (kp_finding) {
                                .node = who,
                                .text = "no running broker says which " IBP " it speaks",
                                .next = "allow kplay to describe broker configurations" });
        else if (lowest >= 0 && s.level > lowest &&
                 !(s.set && all_know(f, s.node->id, s.level)))
            kp_find_add(
                fs, (kp_finding) {
                        .node = who,
                        .text = s.set ? kp_printf(a, "%s=%s in the file is above broker %d's %s",
                                                  IBP, s.set, of, lowest_text)
                                      : kp_printf(a,
                                                  "%s is not set and release %d.%d would speak its "
                                                  "newest, above broker %d's %s",
                                                  IBP, s.binary.major, s.binary.minor, of,
                                                  lowest_text),
                        .next = pin_next(f, &s, lowest_text) });
    }
}

/* ---- KRaft: the finalised level ---- */

typedef struct levels {
    const char *release;
    kp_version binary;
    int64_t min, max;
    bool told; /* false: a release without features, whose registration the controllers judge */
} levels;

/* Of a line that is in no table, what the staged release says of itself.  False: it is found. */
static bool levels_of(kp_facts *f, int node, levels *l, kp_findings *fs)
{
    int min, max;
    const char *why;

    l->told = kp_release_metadata_levels(l->binary, &min, &max);
    l->min = l->told ? min : 0;
    l->max = l->told ? max : 0;
    if (l->told || kp_release_is_known(l->binary))
        return true;
    const kp_value *v = kp_facts_release(f, node, l->release, &why);
    l->min = kp_get_int(v, "metadata_version_min", -1);
    l->max = kp_get_int(v, "metadata_version_max", -1);
    l->told = l->min >= 0 && l->max >= 0;
    if (!l->told)
        kp_find_add(fs,
                    (kp_finding) {
                        .node = kp_somebody(node),
                        .text = kp_printf(f->a,
                                          "release %s is not known here, and does not say which "
                                          "metadata.version it runs with: %s",
                                          l->release, why ? why : "it names no lowest one"),
                        .next = "see why its bin/kafka-storage.sh version-mapping does not run on "
                                "that host, or take a release of kplay that knows it" });
    return l->told;
}

static void level_fits(kp_facts *f, int node, levels *l, kp_findings *fs)
{
    kp_arena *a = f->a;
    int64_t level = kp_get_int(f->features.v, "metadata_version", -1);
    const char *word = kp_node_word(a, f->seen->inv, node);

    if (level < 0 || !levels_of(f, node, l, fs) || !l->told)
        return;
    if (level < l->min)
        kp_find_add(
            fs,
            (kp_finding) { .node = kp_somebody(node),
                           .text = kp_printf(a,
                                             "the cluster's metadata.version is level %" PRId64
                                             ", release %d.%d needs at least %" PRId64 " on %s",
                                             level, l->binary.major, l->binary.minor, l->min, word),
                           .next = "raise metadata.version first (kafka-features upgrade)" });
    if (level > l->max)
        kp_find_add(
            fs,
            (kp_finding) { .node = kp_somebody(node),
                           .text = kp_printf(a,
                                             "the cluster's metadata.version is level %" PRId64
                                             ", release %d.%d knows only up to %" PRId64
                                             ": %s could not register",
                                             level, l->binary.major, l->binary.minor, l->max, word),
                           .next = "use a release that supports the cluster's metadata.version" });
}

static bool is_only_broker(const kp_facts *f, int node)
{
    for (size_t i = 0; i < f->n_nodes; i++)
        if (kp_node_is(f->nodes[i].node, KP_BROKER) && f->nodes[i].node->id != node)
            return false;
    return true;
}

void kp_judge_features(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        const char *release;
        kp_version binary;
        const kp_server_config *file;
        if (!starting(f, one, &file, &release, &binary) || !file->kraft)
            continue;
        kp_facts_need(f, KP_F_FEATURES);
        if (!f->features.v && is_only_broker(f, c->nodes[i]))
            f->features.v = f->seen->met; /* nobody is left to ask; it said so when the run began */
        if (f->features.v)
            level_fits(f, c->nodes[i], &(levels) { .release = release, .binary = binary }, fs);
        else
            kp_find_add(fs,
                        (kp_finding) { .text = "no node says which metadata.version is finalised",
                                       .detail = kp_printf(f->a, "  %s\n", f->features.why),
                                       .heals = true,
                                       .measure = 1 });
    }
}

/* ---- what cannot be undone ---- */

void kp_judge_all_upgraded(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    kp_version need;

    if (!f->version || !kp_version_parse(f->version, &need)) {
        kp_find_add(fs, (kp_finding) { .text = "it is not known which release it needs" });
        return;
    }
    for (size_t i = 0; i < f->n_nodes; i++) {
        kp_version runs;
        int id = f->nodes[i].node->id;
        const char *release = kp_get_text(f->nodes[i].said.v, "release", "");
        if (!kp_version_parse(release, &runs) || kp_version_line_cmp(runs, need) < 0)
            kp_find_add(fs, (kp_finding) {
                                .node = kp_somebody(id),
                                .text = kp_printf(f->a, "%s runs %s, it takes %d.%d",
                                                  kp_node_word(f->a, f->seen->inv, id),
                                                  *release ? release : "an unknown release",
                                                  need.major, need.minor),
                                .next = "upgrade every node first" });
    }
    /* A registration nobody answers for blocks features and hides an old binary. */
    if (!f->view)
        kp_find_add(fs, (kp_finding) { .text = f->view_why });
    kp_judge_unlisted(f, c, fs);
}

/* A registration that is left over holds metadata.version down to what its node knew, and a raise
 * is refused for it (FeatureControlManager.reasonNotSupported: brokers, and controllers from
 * 3.7-IV0 on). */
static void not_told(kp_facts *f, const char *what, const char *why, kp_findings *fs)
{
    kp_find_add(
        fs,
        (kp_finding) { .warns = f->ahead, .text = what, .detail = kp_printf(f->a, "  %s\n", why) });
}

static void ghost_brokers(kp_facts *f, kp_findings *fs)
{
    const kp_value *all = f->registered.v;

    if (f->ahead && kp_is(all, KP_NIL) && !f->registered.why)
        return;
    if (!kp_is(all, KP_LIST))
        not_told(f, "who is registered is not known",
                 f->registered.why ? f->registered.why
                                   : "brokers before 4.0 do not tell who is fenced",
                 fs);
    for (size_t i = 0; i < kp_len(all); i++) {
        const kp_value *one = kp_at(all, i);
        int id = (int)kp_get_int(one, "id", -1);
        if (!kp_get_bool(one, "fenced", false) || kp_inventory_node(f->seen->inv, id))
            continue;
        kp_find_add(fs, (kp_finding) {
                            .node = kp_somebody(id),
                            .warns = f->ahead,
                            .text = kp_printf(f->a,
                                              "broker %d (%s:%d) is registered, is down and is not "
                                              "in the cluster file: metadata.version cannot be "
                                              "raised past what it knew",
                                              id, kp_get_text(one, "host", "?"),
                                              (int)kp_get_int(one, "port", 0)),
                            .next = kp_printf(f->a,
                                              "add it to the cluster file; or, when it is gone "
                                              "for good, in a playbook: unregister_broker(%d)",
                                              id) });
    }
}

/* Whether it has followed the leader lately.  The leader forgets observers that have not fetched
 * for 5 minutes (LeaderState.OBSERVER_SESSION_TIMEOUT_MS), and voters never. */
static bool follows(const kp_value *quorum, int id)
{
    enum { LATELY = 60000 }; /* ms; a fetch takes half a second at most */
    const kp_value *voters = kp_get(quorum, "voters");

    for (size_t i = 0; i < kp_len(voters); i++)
        if (kp_get_int(kp_at(voters, i), "id", -1) == id) {
            int64_t ago = kp_get_int(kp_at(voters, i), "fetched_ms", -1);
            return ago >= 0 && ago < LATELY;
        }
    return kp_list_has_int(kp_get(quorum, "observers"), id);
}

static void ghost_controllers(kp_facts *f, kp_findings *fs)
{
    const kp_value *all = f->controllers.v;
    /* Without a leader, or with one that is in no cluster file, nobody tells. */
    bool told = kp_get_int(f->quorum.v, "leader", -1) >= 0;

    if (f->controllers.why)
        not_told(f, "which controllers are registered is not known", f->controllers.why, fs);
    for (size_t i = 0; i < kp_len(all); i++) {
        const kp_value *one = kp_at(all, i);
        int id = (int)kp_get_int(one, "id", -1);
        if (kp_inventory_node(f->seen->inv, id) || (told && follows(f->quorum.v, id)))
            continue;
        kp_find_add(
            fs,
            (kp_finding) {
                .node = kp_somebody(id),
                .warns = f->ahead,
                .text = kp_printf(f->a,
                                  "controller %d (%s:%d) is registered, %s and is not in the "
                                  "cluster file: metadata.version cannot be raised past what it "
                                  "knew",
                                  id, kp_get_text(one, "host", "?"),
                                  (int)kp_get_int(one, "port", 0),
                                  told ? "does not follow the quorum"
                                       : "may be down (nobody tells who follows the quorum)"),
                .next = "add it to the cluster file; or, when it is gone for good: kafka-cluster "
                        "unregister-controller (metadata.version 4.4-IV2 and newer), below that a "
                        "stand-in of its id on the new release (docs/after-an-upgrade.md)" });
    }
}

void kp_judge_ghosts(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    (void)c;
    if (f->seen->zookeeper)
        return;
    ghost_brokers(f, fs);
    ghost_controllers(f, fs);
}
