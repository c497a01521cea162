/* properties.c: one set of names, librdkafka's, for both ways to the cluster.
 *
 * librdkafka itself is the judge of names and values: each is set on a scratch configuration, which
 * starts nothing.  Texts of secrets never reach an error message.
 */
#include "kafka/properties.h"

#include <string.h>
#include <strings.h>

static const char *const next_fix = "correct the name or the value in the kafka: section";

static bool is_ours(const char *name)
{
    return kp_streq(name, "bootstrap.controllers");
}

static bool is_secret(const char *name)
{
    return strstr(name, "password") || strstr(name, "pem") || strstr(name, "secret") ||
           strstr(name, "oauthbearer");
}

static kp_err *check_one(rd_kafka_conf_t *scratch, const char *name, const kp_value *v)
{
    char why[256];
    if (!kp_is(v, KP_BYTES))
        return kp_err_new(KP_CONFIG, "write the value as text, in quotes",
                          "%s must be a text, not a %s", name, kp_type_name(v->type));
    if (is_ours(name))
        return NULL;
    if (kp_streq(name, "group.id"))
        return kp_err_new(KP_CONFIG, "remove it: kplay looks at groups and belongs to none",
                          "group.id cannot be set");
    if (rd_kafka_conf_set(scratch, name, v->u.s, why, sizeof(why)) != RD_KAFKA_CONF_OK)
        return kp_err_new(KP_CONFIG, next_fix, "%s: %s", name,
                          is_secret(name) ? "librdkafka does not take this property" : why);
    if (kp_streq(name, "security.protocol") && strcasecmp(v->u.s, "PLAINTEXT") != 0)
        return kp_err_new(KP_CONFIG, "give kplay a PLAINTEXT listener, or leave this property out",
                          "security.protocol %s: this release speaks PLAINTEXT only", v->u.s);
    return NULL;
}

kp_err *kp_properties_check(const kp_value *properties)
{
    rd_kafka_conf_t *scratch = rd_kafka_conf_new();
    kp_err *e = NULL;
    for (size_t i = 0; !e && i < kp_len(properties); i++)
        e = check_one(scratch, properties->keys[i], properties->u.items[i]);
    rd_kafka_conf_destroy(scratch);
    return e;
}

void kp_properties_apply(const kp_value *properties, rd_kafka_conf_t *conf)
{
    char why[256];
    for (size_t i = 0; i < kp_len(properties); i++) {
        const char *name = properties->keys[i], *value = properties->u.items[i]->u.s;
        if (!is_ours(name) &&
            rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
            kp_die("librdkafka took %s once and not twice", name);
    }
}
