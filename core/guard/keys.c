/* The row that looks at the keys of server.properties: what the release that is to come does not
 * know, although the one that runs does.
 *
 * Both are asked for their ConfigDef, so that it holds for releases in no table.  A broker takes
 * keys that it does not know for a plugin's and ignores them without a word (KafkaConfig has no
 * logUnused), so that what they did ends with the first start.
 */
#include "guard/guard.h"

#include "cluster/properties.h"

#include <string.h>

enum { NAMES_MOST = 4000 };

/* Where a key's meaning went (upgrade notes of 3.0 and 4.0; KIP-1232 for broker.id). */
static const struct renamed {
    const char *was, *is;
} renamed[] = {
    { "broker.id", "node.id" },
    { "delegation.token.master.key", "delegation.token.secret.key" },
    { "metrics.jmx.blacklist", "metrics.jmx.exclude" },
    { "metrics.jmx.whitelist", "metrics.jmx.include" },
    { "log.message.timestamp.difference.max.ms",
      "log.message.timestamp.before.max.ms and .after.max.ms" },
    { "port", "listeners" },
    { "host.name", "listeners" },
    { "advertised.port", "advertised.listeners" },
    { "advertised.host.name", "advertised.listeners" },
};

/* "sasl.jaas.config" of "listener.name.internal.scram-sha-256.sasl.jaas.config": any tail may be
 * the name (DynamicBrokerConfig, ListenerName.configPrefix). */
static bool is_known(const kp_value *names, const char *key)
{
    if (kp_list_has_text(names, key))
        return true;
    if (!kp_starts_with(key, "listener.name."))
        return false;
    const char *tail = strchr(key + strlen("listener.name."), '.');
    for (int i = 0; tail && i < 2; i++, tail = strchr(tail + 1, '.'))
        if (kp_list_has_text(names, tail + 1))
            return true;
    return false;
}

static const char *new_name(const char *key)
{
    for (size_t i = 0; i < KP_COUNT(renamed); i++)
        if (kp_streq(renamed[i].was, key))
            return renamed[i].is;
    return NULL;
}

/* A name of the release that a key unknown to both may have been meant for. */
static const char *near(kp_arena *a, const kp_value *names, const char *key)
{
    size_t n = kp_len(names) < NAMES_MOST ? kp_len(names) : NAMES_MOST;
    const char **all = KP_NEW_ARRAY(a, n + 1, const char *);
    for (size_t i = 0; i < n; i++)
        all[i] = kp_as_text(kp_at(names, i), "");
    return kp_did_you_mean(key, all);
}

typedef struct looking {
    kp_facts *f;
    const kp_node *node;
    const char *runs;           /* its release */
    const kp_value *now, *then; /* the keys of that and of the one that is to come */
    kp_findings *fs;
} looking;

static void look_at(const looking *l, const kp_property *p)
{
    kp_facts *f = l->f;
    if (is_known(l->then, p->key))
        return;
    bool drops = is_known(l->now, p->key);
    const char *is = drops ? new_name(p->key) : near(f->a, l->then, p->key);
    if (!drops && !is)
        return; /* a plugin's own, for all that is known here */
    kp_find_add(l->fs,
                (kp_finding) {
                    .node = kp_somebody(l->node->id),
                    .warns = true,
                    .text = drops
                                ? kp_printf(f->a, "%s:%zu on %s: %s does not know %s, %s does",
                                            l->node->layout.config, p->line, l->node->host,
                                            f->version, p->key, l->runs)
                                : kp_printf(f->a, "%s:%zu on %s: no release knows %s",
                                            l->node->layout.config, p->line, l->node->host, p->key),
                    .next = is ? kp_printf(f->a,
                                           drops ? "it is %s there; take the old one out "
                                                   "when every node runs %s"
                                                 : "did you mean %s?",
                                           is, f->version)
                               : kp_printf(f->a,
                                           "it will be ignored: take it out when every node runs "
                                           "%s",
                                           f->version) });
}

void kp_judge_config_keys(kp_facts *f, const kp_guard_case *c, kp_findings *fs)
{
    for (size_t i = 0; f->version && f->ahead && i < c->n; i++) {
        const kp_node_facts *one = kp_facts_of(f, c->nodes[i]);
        kp_who who = kp_facts_who(f, one);
        const char *runs = who.jars ? who.jars : who.linked, *why = NULL;
        const kp_value *bytes = kp_get(one->file.v, "bytes");
        if (!bytes || !runs || kp_streq(runs, f->version) ||
            kp_release_lacks(one->host.v, f->version) || kp_release_lacks(one->host.v, runs))
            continue; /* other rows say what is missing */
        looking l = {
            .f = f,
            .node = one->node,
            .runs = runs,
            .then = kp_get(kp_facts_release(f, c->nodes[i], f->version, &why), "keys"),
            .fs = fs,
        };
        if (l.then)
            l.now = kp_get(kp_facts_release(f, c->nodes[i], runs, &why), "keys");
        if (!l.then || !l.now) {
            kp_find_add(
                fs,
                (kp_finding) { .warns = true,
                               .text = kp_printf(f->a, "which keys %s and %s know is not known: %s",
                                                 runs, f->version, why ? why : "they do not tell"),
                               .next = "compare server.properties with the release's notes" });
            continue;
        }
        size_t n;
        const kp_property *p = kp_properties_lines(f->a, kp_as_text(bytes, ""), bytes->n, &n);
        for (size_t k = 0; k < n; k++)
            look_at(&l, &p[k]);
    }
}
