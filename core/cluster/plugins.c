/* The classes that a properties file names: what a process of it loads beside Kafka's own code.
 *
 * By the names of the keys alone, with listener.name.* before them where Kafka takes that.  A key
 * whose value may also be a short name of Kafka's own (group.consumer.assignors: uniform) counts
 * when there is a package in it.  Sources: the keys of type CLASS, and of type LIST whose doc
 * speaks of classes, in the ConfigDef of kafka_2.13 and kafka-clients 2.8 to 4.4; KIP-297
 * (config.providers), KIP-405 (class paths of their own).
 */
#include "cluster/server_config.h"

#include <string.h>

typedef struct plugin_key {
    const char *key;
    bool many;        /* a list, split at commas */
    const char *path; /* the key of a class path of its own; NULL: none */
} plugin_key;

static const plugin_key plugin_keys[] = {
    { .key = "authorizer.class.name" },
    { .key = "principal.builder.class" },
    { .key = "client.quota.callback.class" },
    { .key = "create.topic.policy.class.name" },
    { .key = "alter.config.policy.class.name" },
    { .key = "replica.selector.class" },
    { .key = "metric.reporters", .many = true },
    { .key = "kafka.metrics.reporters", .many = true },
    { .key = "security.providers", .many = true },
    { .key = "group.consumer.assignors", .many = true },
    { .key = "group.share.assignors", .many = true },
    { .key = "ssl.engine.factory.class" },
    { .key = "sasl.login.class" },
    { .key = "sasl.login.callback.handler.class" },
    { .key = "sasl.client.callback.handler.class" },
    { .key = "sasl.server.callback.handler.class" },
    { .key = "sasl.oauthbearer.jwt.retriever.class" },
    { .key = "sasl.oauthbearer.jwt.validator.class" },
    { .key = "remote.log.storage.manager.class.name",
      .path = "remote.log.storage.manager.class.path" },
    { .key = "remote.log.metadata.manager.class.name",
      .path = "remote.log.metadata.manager.class.path" },
};

#define PROVIDERS "config.providers"
#define REMOTE "remote.log."
#define REMOTE_ON "remote.log.storage.system.enable"

/* A class of the JDK is in no jar. */
static bool is_of_java(const char *name)
{
    return kp_starts_with(name, "java.") || kp_starts_with(name, "javax.") ||
           kp_starts_with(name, "jdk.") || kp_starts_with(name, "sun.");
}

bool kp_is_class_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.");
    return n > 0 && !name[n] && *name != '.' && name[n - 1] != '.' && !strstr(name, "..");
}

static void add_one(kp_builder *b, const char *key, const char *name, const char *path)
{
    kp_arena *a = b->a;
    if (!*name || is_of_java(name))
        return;
    kp_list_add(b, kp_map(a, "key", kp_text(a, key), "class", kp_text(a, name), "path",
                          path && *path ? kp_text(a, path) : NULL, NULL));
}

static void add_listed(kp_builder *b, const char *key, const char *text)
{
    for (const char *p = text; *p;) {
        p += strspn(p, " \t");
        size_t n = strcspn(p, ","), end = n;
        while (end > 0 && (p[end - 1] == ' ' || p[end - 1] == '\t'))
            end--;
        const char *name = kp_strndup(b->a, p, end);
        if (strchr(name, '.') || strstr(name, "${"))
            add_one(b, key, name, NULL);
        p += n + (p[n] == ',');
    }
}

static const plugin_key *plugin_of(const char *key)
{
    for (size_t i = 0; i < KP_COUNT(plugin_keys); i++) {
        const char *name = plugin_keys[i].key;
        size_t n = strlen(key), len = strlen(name);
        bool prefixed = kp_starts_with(key, "listener.name.") && n > len &&
                        kp_ends_with(key, name) && key[n - len - 1] == '.';
        if (prefixed || kp_streq(key, name))
            return &plugin_keys[i];
    }
    return NULL;
}

/* Of each provider that is named: the others' classes are not loaded. */
static void add_providers(kp_builder *b, const kp_server_config *c)
{
    const char *names = kp_server_config_text(b->a, c, PROVIDERS);
    for (const char *p = names ? names : ""; *p;) {
        size_t n = strcspn(p, ", \t");
        const char *key = kp_printf(b->a, PROVIDERS ".%s.class", kp_strndup(b->a, p, n));
        const char *name = n ? kp_server_config_text(b->a, c, key) : NULL;
        if (name)
            add_one(b, key, name, NULL);
        p += n;
        p += strspn(p, ", \t");
    }
}

const kp_value *kp_server_config_classes(kp_arena *a, const kp_server_config *c)
{
    kp_builder b = kp_list_begin(a);
    bool remote = kp_streq(kp_server_config_text(a, c, REMOTE_ON), "true");

    for (uint32_t i = 0; i < kp_len(c->values); i++) {
        const char *key = c->values->keys[i];
        const plugin_key *plugin = plugin_of(key);
        if (!plugin || (kp_starts_with(key, REMOTE) && !remote))
            continue;
        const char *text = kp_server_config_text(a, c, key);
        if (plugin->many)
            add_listed(&b, key, text);
        else
            add_one(&b, key, text, plugin->path ? kp_server_config_text(a, c, plugin->path) : NULL);
    }
    add_providers(&b, c);
    return kp_list_end(&b);
}
