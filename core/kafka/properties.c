/* properties.c: one set of names, librdkafka's, for both ways to the cluster.
 *
 * librdkafka itself is the judge of names and values: each is set on a scratch configuration, and a
 * client is made of all of them but the addresses, which starts and contacts nobody.  What is
 * refused has the place of its key.  Texts of secrets never reach an error message.
 */
#include "kafka/properties.h"

#include <librdkafka/rdkafka.h>

#include <string.h>
#include <strings.h>

enum { WHY = 512, NAMES = 400 };

/* What suits a tool that watches brokers go and come; the user's properties come after these. */
static const char *const suits[][2] = {
    { "client.id", "kplay/" KPLAY_VERSION },
    { "enable.sparse.connections", "false" },
    { "reconnect.backoff.ms", "20" },
    { "reconnect.backoff.max.ms", "80" },
    { "socket.connection.setup.timeout.ms", "1000" },
    { "socket.timeout.ms", "3000" },
    { "socket.keepalive.enable", "true" },
    { "socket.nagle.disable", "true" },
    { "topic.metadata.refresh.interval.ms", "1000" },
    { "metadata.max.age.ms", "3000" },
    { "topic.metadata.refresh.sparse", "true" },
    { "log.connection.close", "false" },
    { "api.version.fallback.ms", "0" },
};

/* What kplay relies on. */
static const char *const fixed[][2] = {
    { "allow.auto.create.topics", "false" },
    { "log.queue", "true" },
};

static const struct {
    const char *name, *next;
} not_theirs[] = {
    { "allow.auto.create.topics", "remove it: looking at topics must not make any" },
    { "group.id", "remove it: kplay looks at groups and belongs to none" },
    { "log.queue", "remove it: kplay reads librdkafka's log" },
    { "metadata.broker.list", "write bootstrap.servers" },
    { "test.mock.num.brokers", "remove it: librdkafka would ask brokers that it makes up" },
};

static bool is_ours(const char *name)
{
    return kp_streq(name, "bootstrap.controllers");
}

static bool is_secret(const char *name, const kp_value *about)
{
    return strstr(name, "password") || strstr(name, "pem") || strstr(name, "secret") ||
           strstr(name, "oauthbearer") || kp_get_bool(kp_get(about, name), "secret", false);
}

/* ---- names and values, one by one ---- */

static kp_err *unknown(const rd_kafka_conf_t *scratch, const char *name)
{
    const char *names[NAMES + 1];
    size_t n, known = 0;
    const char **all = rd_kafka_conf_dump((rd_kafka_conf_t *)(uintptr_t)scratch, &n);
    for (size_t i = 0; i + 1 < n && known < NAMES; i += 2)
        if (!strchr(all[i], '_')) /* what only a program can set */
            names[known++] = all[i];
    names[known] = NULL;
    const char *near = kp_did_you_mean(name, names);
    kp_err *e = kp_err_new(KP_CONFIG, "use librdkafka's property names, such as security.protocol",
                           near ? "unknown key `%s` in kafka; did you mean `%s`?"
                                : "unknown key `%s` in kafka",
                           name, near);
    if (near)
        e = kp_err_next(e, "write %s", near);
    rd_kafka_conf_dump_free(all, n);
    return e;
}

static kp_err *check_one(rd_kafka_conf_t *scratch, const char *name, const kp_value *v,
                         const kp_value *about)
{
    char why[WHY];
    if (!kp_is(v, KP_BYTES))
        return kp_err_new(KP_CONFIG, "write the value as text, in quotes",
                          "%s must be a text, not a %s", name, kp_type_name(v->type));
    if (is_ours(name))
        return NULL;
    for (size_t i = 0; i < KP_COUNT(not_theirs); i++)
        if (kp_streq(name, not_theirs[i].name))
            return kp_err_new(KP_CONFIG, not_theirs[i].next, "%s cannot be set", name);
    rd_kafka_conf_res_t res = rd_kafka_conf_set(scratch, name, v->u.s, why, sizeof(why));
    if (res == RD_KAFKA_CONF_UNKNOWN)
        return unknown(scratch, name);
    if (res != RD_KAFKA_CONF_OK)
        return kp_err_new(KP_CONFIG, "correct the value, or leave this property out", "%s: %s",
                          name,
                          is_secret(name, about) ? "librdkafka does not take its value" : why);
    if (kp_streq(name, "security.protocol") && strcasecmp(v->u.s, "PLAINTEXT") != 0)
        return kp_err_new(KP_CONFIG, "give kplay a PLAINTEXT listener, or leave this property out",
                          "security.protocol %s: this release speaks PLAINTEXT only", v->u.s);
    return NULL;
}

/* ---- all together ---- */

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[WHY];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        kp_die("librdkafka does not take %s", name);
}

/* addresses: with the brokers to begin with; without: a property that is left out, or NULL. */
static rd_kafka_conf_t *conf_of(const kp_value *properties, const char *without)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < KP_COUNT(suits); i++)
        set(conf, suits[i][0], suits[i][1]);
    for (size_t i = 0; i < kp_len(properties); i++) {
        const char *name = properties->keys[i];
        bool address = kp_streq(name, "bootstrap.servers");
        if (!is_ours(name) && !address && !(without && kp_streq(name, without)))
            set(conf, name, properties->u.items[i]->u.s);
    }
    for (size_t i = 0; i < KP_COUNT(fixed); i++)
        set(conf, fixed[i][0], fixed[i][1]);
    return conf;
}

static bool starts(const kp_value *properties, const char *without, char why[WHY])
{
    rd_kafka_conf_t *conf = conf_of(properties, without);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, WHY);
    if (rk)
        rd_kafka_destroy(rk);
    else
        rd_kafka_conf_destroy(conf);
    return rk != NULL;
}

/* The property is to blame without which it starts.  When there is none, it is not the file. */
static kp_err *check_all(const kp_value *properties, const kp_value *about, const char **ret_name)
{
    char why[WHY], ignored[WHY];
    if (starts(properties, NULL, why))
        return NULL;
    for (size_t i = 0; i < kp_len(properties); i++) {
        const char *name = properties->keys[i];
        if (!starts(properties, name, ignored))
            continue;
        *ret_name = name;
        return kp_err_new(KP_CONFIG, "correct the value, or leave this property out",
                          is_secret(name, about) ? "librdkafka does not start with %s"
                                                 : "librdkafka does not start with %s: %s",
                          name, why);
    }
    return NULL;
}

kp_err *kp_properties_check(const kp_value *properties, const kp_value *about)
{
    rd_kafka_conf_t *scratch = rd_kafka_conf_new();
    const char *name = "";
    kp_err *e = NULL;
    for (size_t i = 0; !e && i < kp_len(properties); i++) {
        name = properties->keys[i];
        e = check_one(scratch, name, properties->u.items[i], about);
    }
    rd_kafka_conf_destroy(scratch);
    if (!e && kp_len(properties) > 0)
        e = check_all(properties, about, &name);
    const char *where = kp_get_text(kp_get(about, name), "where", NULL);
    return where ? kp_err_at(e, "%s", where) : e;
}
