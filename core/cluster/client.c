/* The `kafka:` section: librdkafka's property names, plus bootstrap.controllers.
 *
 * The same names serve both of kplay's clients.  librdkafka judges its hundred settings itself when
 * it is given them; here is checked what would otherwise be found out late or never: misspelled
 * names of the settings a connection depends on, Java's names for them, addresses, and secrets that
 * stand in the file as plain text.  Settings given as text are never quoted in messages.
 */
#include "cluster/client.h"

#include <string.h>
#include <strings.h>

/* librdkafka CONFIGURATION.md, 2.0 to 2.12: what a connection is made of. */
static const char *const connection_names[] = {
    "bootstrap.controllers",
    "bootstrap.servers",
    "broker.address.family",
    "broker.address.ttl",
    "client.id",
    "client.rack",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "enable.ssl.certificate.verification",
    "https.ca.location",
    "https.ca.pem",
    "sasl.kerberos.keytab",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.principal",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.grant.type",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.blocking.max.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.max.fails",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.ca.certificate.stores",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.id",
    "ssl.engine.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.providers",
    "ssl.sigalgs.list",
    NULL,
};

static const char *const secret_names[] = {
    "sasl.oauthbearer.client.secret",
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    NULL,
};

/* Names of Java clients that people copy from a client.properties. */
static const struct {
    const char *name, *next;
} java_names[] = {
    { "sasl.jaas.config", "give sasl.username and sasl.password; the password as { file: ... }" },
    { "ssl.keystore.type", "take it out: a keystore is PKCS#12 here, or ssl.certificate.location "
                           "with ssl.key.location" },
    { "ssl.protocol", "take it out: the newest TLS version both sides know is used" },
    { "ssl.truststore.location",
      "give ssl.ca.location, a PEM file; "
      "keytool -exportcert -rfc -keystore TRUSTSTORE -alias CA writes one" },
    { "ssl.truststore.password", "give ssl.ca.location, a PEM file, which needs no password" },
    { "ssl.truststore.type", "give ssl.ca.location, a PEM file" },
};

#define SECRET_NEXT "write { file: /path }, { env: NAME } or { command: [...] }"

static bool is_in(const char *const *names, const char *s)
{
    for (; *names; names++)
        if (strcmp(*names, s) == 0)
            return true;
    return false;
}

static bool is_path(const char *key)
{
    return kp_ends_with(key, ".location") || strcmp(key, "sasl.kerberos.keytab") == 0;
}

static kp_err *check_name(const kp_reading *in, const char *path, const char *key)
{
    for (size_t i = 0; i < KP_COUNT(java_names); i++)
        if (strcmp(java_names[i].name, key) == 0)
            return kp_reading_error(in, path, java_names[i].next,
                                    "`%s` is a setting of Java clients", key);
    const char *near = is_in(connection_names, key) ? NULL : kp_did_you_mean(key, connection_names);
    if (near)
        return kp_reading_error(in, path, kp_printf(in->a, "write %s", near),
                                "unknown key `%s` in kafka; did you mean `%s`?", key, near);
    if (strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._") != strlen(key))
        return kp_reading_error(in, path,
                                "use librdkafka's property names, such as security.protocol",
                                "unknown key `%s` in kafka", key);
    return NULL;
}

/* "host:port,host:port": the first one that is wrong is an error. */
static kp_err *check_addresses(const kp_reading *in, const char *path, const char *s)
{
    for (;;) {
        size_t n = strcspn(s, ",");
        const char *first = s + strspn(s, " "), *last = s + n;
        while (last > first && last[-1] == ' ')
            last--;
        if (first >= last || !kp_address_is_valid(first, (size_t)(last - first)))
            return kp_reading_error(in, path,
                                    "write \"broker1:9092,broker2:9092\", no PLAINTEXT:// in front",
                                    "`%s` must be host:port, separated by commas", path);
        if (!s[n])
            return NULL;
        s += n + 1;
    }
}

static kp_err *check_protocol(const kp_reading *in, const char *path, const char *s)
{
    static const char *const protocols[] = { "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL" };
    for (size_t i = 0; i < KP_COUNT(protocols); i++)
        if (strcasecmp(protocols[i], s) == 0)
            return NULL;
    return kp_reading_error(in, path, "it is the protocol of the listeners kplay connects to",
                            "`%s` must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", path);
}

static kp_err *check_text(const kp_reading *in, const char *path, const char *key, const char *s)
{
    if (is_in(secret_names, key))
        return kp_reading_error(in, path, SECRET_NEXT,
                                "`%s` is a secret and must not stand in the file", path);
    if (strcmp(key, "bootstrap.servers") == 0 || strcmp(key, "bootstrap.controllers") == 0)
        return check_addresses(in, path, s);
    if (strcmp(key, "security.protocol") == 0)
        return check_protocol(in, path, s);
    return NULL;
}

typedef struct secret_source {
    const char *file, *env;
    const kp_value *command;
} secret_source;

static const kp_field secret_fields[] = {
    { "file", KP_FIELD_LOCAL, offsetof(secret_source, file), NULL, NULL,
      "a file that holds the secret alone" },
    { "env", KP_FIELD_WORD, offsetof(secret_source, env), NULL, NULL,
      "an environment variable with the secret" },
    { "command", KP_FIELD_ARGV, offsetof(secret_source, command), NULL, NULL,
      "a command that prints the secret" },
};
static const kp_level secret_level = { secret_fields, KP_COUNT(secret_fields) };

/* {file|env|command}, with the file's path resolved. */
static kp_err *read_secret(const kp_reading *in, const char *path, const kp_value *map,
                           const kp_value **ret_secret)
{
    secret_source s = { 0 };
    KP_TRY(kp_level_read(in, &secret_level, path, map, &s));
    if (kp_len(map) != 1)
        return kp_reading_error(in, path, SECRET_NEXT,
                                "`%s` must have one of file, env and command", path);
    *ret_secret = s.file ? kp_map(in->a, "file", kp_text(in->a, s.file), NULL) : map;
    return NULL;
}

kp_err *kp_client_read(const kp_reading *in, const kp_value *section, const kp_value **ret_section)
{
    kp_builder b = kp_map_begin(in->a);
    for (size_t i = 0; i < kp_len(section); i++) {
        const char *key = section->keys[i], *path = kp_reading_path(in, "kafka", key);
        const kp_value *v = section->u.items[i];
        const char *s = kp_as_text(v, NULL);
        KP_TRY(check_name(in, path, key));
        if (kp_is(v, KP_LIST))
            return kp_reading_error(in, path, "write one text: \"a,b\"",
                                    "`%s` must be text, not a list", path);
        if (s)
            KP_TRY(check_text(in, path, key, s));
        else
            KP_TRY(read_secret(in, path, v, &v));
        if (s && is_path(key) && strcmp(s, "probe") != 0) {
            const char *resolved = *s ? kp_local_path(in, s) : NULL;
            if (!resolved)
                return kp_reading_error(in, path, "write an absolute path, or ~/...",
                                        "`%s` must be a path on this machine", path);
            v = kp_text(in->a, resolved);
        }
        kp_map_add(&b, key, v);
    }
    *ret_section = kp_map_end(&b);
    return NULL;
}
