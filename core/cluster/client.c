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

typedef struct secret_source {
    const char *file, *env;
    const kp_value *command;
} secret_source;

static const kp_field secret_fields[] = {
    { "file", KP_FIELD_LOCAL, offsetof(secret_source, file),
      .doc = "a file that holds the secret alone", .example = "/etc/kplay/sasl.password" },
    { "env", KP_FIELD_WORD, offsetof(secret_source, env),
      .doc = "an environment variable with the secret", .example = "KPLAY_SASL_PASSWORD" },
    { "command", KP_FIELD_ARGV, offsetof(secret_source, command),
      .doc = "a command that prints the secret", .example = "[ pass, kafka/sasl ]" },
};
static const kp_level secret_table = { secret_fields, KP_COUNT(secret_fields) };

static const char *const protocols[] = { "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL", NULL };
static const char *const protocol_docs[] = {
    "nothing is encrypted, nobody is asked who he is",
    "TLS",
    "SASL says who kplay is",
    "SASL says who kplay is, over TLS",
};

/* librdkafka CONFIGURATION.md, 2.0 to 2.12: what a connection is made of.  Nothing is stored: the
 * section stays a map. */
static const kp_field client_fields[] = {
    { "bootstrap.servers", KP_FIELD_ADDRESSES,
      .doc = "some of the brokers: by them the others are found",
      .example = "\"broker1:9092,broker2:9092\"" },
    { "bootstrap.controllers", KP_FIELD_ADDRESSES,
      .doc = "some of the KRaft controllers, for what only they answer",
      .example = "\"controller1:9093\"" },
    { "security.protocol", KP_FIELD_CHOICE, .choices = protocols, .choice_docs = protocol_docs,
      .computed = "PLAINTEXT",
      .doc = "the protocol of the listeners; this release of kplay speaks PLAINTEXT only",
      .example = "PLAINTEXT" },
    { "client.id", KP_FIELD_TEXT, .computed = "kplay/VERSION",
      .doc = "the name of this client in requests", .example = "kplay-ops" },
    { "client.rack", KP_FIELD_TEXT, .doc = "the rack kplay runs in", .example = "a" },
    { "broker.address.family", KP_FIELD_TEXT, .computed = "any",
      .doc = "which addresses are used: any, v4 or v6", .example = "v4" },
    { "broker.address.ttl", KP_FIELD_TEXT,
      .doc = "for how many milliseconds resolved addresses are kept", .example = "5000" },
    { "socket.timeout.ms", KP_FIELD_TEXT, .doc = "the time a request may take, in milliseconds",
      .example = "10000" },
    { "socket.connection.setup.timeout.ms", KP_FIELD_TEXT,
      .doc = "the time a connection may take to be made, in milliseconds", .example = "5000" },
    { "socket.keepalive.enable", KP_FIELD_TEXT,
      .doc = "whether TCP asks whether the other side is still there", .example = "\"true\"" },
    { "socket.nagle.disable", KP_FIELD_TEXT, .doc = "whether small requests are sent at once",
      .example = "\"true\"" },
    { "socket.max.fails", KP_FIELD_TEXT,
      .doc = "after how many failed requests a connection is closed", .example = "1" },
    { "socket.send.buffer.bytes", KP_FIELD_TEXT,
      .doc = "the size of a socket's send buffer; 0 the system's", .example = "131072" },
    { "socket.receive.buffer.bytes", KP_FIELD_TEXT,
      .doc = "the size of a socket's receive buffer; 0 the system's", .example = "131072" },
    { "socket.blocking.max.ms", KP_FIELD_TEXT, .doc = "without effect", .example = "1000" },
    { "sasl.mechanism", KP_FIELD_TEXT,
      .doc = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI or OAUTHBEARER",
      .example = "SCRAM-SHA-512" },
    { "sasl.mechanisms", KP_FIELD_TEXT, .doc = "the same as sasl.mechanism: one mechanism",
      .example = "SCRAM-SHA-512" },
    { "sasl.username", KP_FIELD_TEXT, .doc = "the user of PLAIN and SCRAM", .example = "kplay" },
    { "sasl.password", KP_FIELD_SECRET, .doc = "the password of PLAIN and SCRAM",
      .example = "{ file: /etc/kplay/sasl.password }", .below = &secret_table },
    { "sasl.kerberos.service.name", KP_FIELD_TEXT, .doc = "the name of the principal Kafka runs as",
      .example = "kafka" },
    { "sasl.kerberos.principal", KP_FIELD_TEXT, .doc = "kplay's own principal",
      .example = "kplay@EXAMPLE.ORG" },
    { "sasl.kerberos.keytab", KP_FIELD_LOCAL, .doc = "the keytab file of that principal",
      .example = "/etc/kplay/kplay.keytab" },
    { "sasl.kerberos.kinit.cmd", KP_FIELD_TEXT,
      .doc = "the command that gets a ticket or renews it", .example = "\"kinit -k kplay\"" },
    { "sasl.kerberos.min.time.before.relogin", KP_FIELD_TEXT,
      .doc = "how often the ticket is renewed at most, in milliseconds; 0 never",
      .example = "60000" },
    { "sasl.oauthbearer.method", KP_FIELD_TEXT,
      .doc = "default, or oidc: a token of an OpenID server", .example = "oidc" },
    { "sasl.oauthbearer.token.endpoint.url", KP_FIELD_TEXT, .doc = "oidc: where tokens are given",
      .example = "\"https://id.example.org/token\"" },
    { "sasl.oauthbearer.client.id", KP_FIELD_TEXT, .doc = "oidc: who asks for the token",
      .example = "kplay" },
    { "sasl.oauthbearer.client.secret", KP_FIELD_SECRET, .doc = "oidc: the secret of who asks",
      .example = "{ env: KPLAY_OAUTH_SECRET }", .below = &secret_table },
    { "sasl.oauthbearer.grant.type", KP_FIELD_TEXT, .doc = "oidc: how the token is asked for",
      .example = "client_credentials" },
    { "sasl.oauthbearer.scope", KP_FIELD_TEXT, .doc = "oidc: the access that is asked for",
      .example = "kafka" },
    { "sasl.oauthbearer.extensions", KP_FIELD_TEXT,
      .doc = "oidc: what the broker is told besides, NAME=VALUE, separated by commas",
      .example = "\"team=ops\"" },
    { "sasl.oauthbearer.config", KP_FIELD_TEXT, .doc = "default: what the unsecured token says",
      .example = "\"principal=kplay\"" },
    { "enable.sasl.oauthbearer.unsecure.jwt", KP_FIELD_TEXT,
      .doc = "default: allow unsecured tokens, for tests", .example = "\"true\"" },
    { "https.ca.location", KP_FIELD_LOCAL,
      .doc = "oidc: the PEM file of the authorities that sign the token server",
      .example = "/etc/kplay/ca.pem" },
    { "https.ca.pem", KP_FIELD_TEXT, .doc = "oidc: the same as text",
      .example = "\"-----BEGIN CERTIFICATE-----\"" },
    { "ssl.ca.location", KP_FIELD_LOCAL,
      .doc = "the PEM file of the authorities that sign the brokers, or probe: the system's",
      .example = "/etc/kplay/ca.pem" },
    { "ssl.ca.pem", KP_FIELD_TEXT, .doc = "the same as text",
      .example = "\"-----BEGIN CERTIFICATE-----\"" },
    { "ssl.ca.certificate.stores", KP_FIELD_TEXT, .doc = "Windows: the stores of the authorities",
      .example = "Root" },
    { "ssl.crl.location", KP_FIELD_LOCAL, .doc = "the file of revoked certificates",
      .example = "/etc/kplay/crl.pem" },
    { "ssl.certificate.location", KP_FIELD_LOCAL, .doc = "the PEM file of kplay's own certificate",
      .example = "/etc/kplay/kplay.pem" },
    { "ssl.certificate.pem", KP_FIELD_TEXT, .doc = "the same as text",
      .example = "\"-----BEGIN CERTIFICATE-----\"" },
    { "ssl.key.location", KP_FIELD_LOCAL, .doc = "the PEM file of that certificate's key",
      .example = "/etc/kplay/kplay.key" },
    { "ssl.key.pem", KP_FIELD_SECRET, .doc = "the same as text",
      .example = "{ file: /etc/kplay/kplay.key }", .below = &secret_table },
    { "ssl.key.password", KP_FIELD_SECRET, .doc = "the password of the key",
      .example = "{ command: [ pass, kafka/key ] }", .below = &secret_table },
    { "ssl.keystore.location", KP_FIELD_LOCAL, .doc = "a PKCS#12 file with certificate and key",
      .example = "/etc/kplay/kplay.p12" },
    { "ssl.keystore.password", KP_FIELD_SECRET, .doc = "the password of that file",
      .example = "{ file: /etc/kplay/p12.password }", .below = &secret_table },
    { "ssl.endpoint.identification.algorithm", KP_FIELD_TEXT,
      .doc = "https: the broker's certificate has to name its host; or none", .example = "https" },
    { "enable.ssl.certificate.verification", KP_FIELD_TEXT,
      .doc = "whether the brokers' certificates are checked", .example = "\"true\"" },
    { "ssl.cipher.suites", KP_FIELD_TEXT,
      .doc = "the allowed cipher suites, as OpenSSL writes them", .example = "HIGH" },
    { "ssl.curves.list", KP_FIELD_TEXT, .doc = "the allowed curves, as OpenSSL writes them",
      .example = "P-256" },
    { "ssl.sigalgs.list", KP_FIELD_TEXT,
      .doc = "the allowed signature algorithms, as OpenSSL writes them", .example = "RSA+SHA256" },
    { "ssl.providers", KP_FIELD_TEXT, .doc = "OpenSSL's providers, separated by commas",
      .example = "\"default,legacy\"" },
    { "ssl.engine.location", KP_FIELD_LOCAL, .doc = "the library of an OpenSSL engine",
      .example = "/usr/lib/engine.so" },
    { "ssl.engine.id", KP_FIELD_TEXT, .doc = "the name of that engine", .example = "dynamic" },
};
const kp_level kp_client_table = { client_fields, KP_COUNT(client_fields) };

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

/* NULL: none of a connection's. */
static const kp_field *field_of(const char *key)
{
    for (size_t i = 0; i < kp_client_table.n; i++)
        if (strcmp(client_fields[i].name, key) == 0)
            return &client_fields[i];
    return NULL;
}

static bool is_a(const char *key, kp_field_kind kind)
{
    const kp_field *f = field_of(key);
    return f && f->kind == kind;
}

static bool is_path(const char *key)
{
    return is_a(key, KP_FIELD_LOCAL) || kp_ends_with(key, ".location");
}

static const char *nearest(const char *key)
{
    const char *names[KP_COUNT(client_fields) + 1] = { NULL };
    for (size_t i = 0; i < KP_COUNT(client_fields); i++)
        names[i] = client_fields[i].name;
    return kp_did_you_mean(key, names);
}

static kp_err *check_name(const kp_reading *in, const char *path, const char *key)
{
    for (size_t i = 0; i < KP_COUNT(java_names); i++)
        if (strcmp(java_names[i].name, key) == 0)
            return kp_reading_error(in, path, java_names[i].next,
                                    "`%s` is a setting of Java clients", key);
    const char *near = field_of(key) ? NULL : nearest(key);
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
    for (size_t i = 0; protocols[i]; i++)
        if (strcasecmp(protocols[i], s) == 0)
            return NULL;
    return kp_reading_error(in, path, "it is the protocol of the listeners kplay connects to",
                            "`%s` must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", path);
}

static kp_err *check_text(const kp_reading *in, const char *path, const char *key, const char *s)
{
    if (is_a(key, KP_FIELD_SECRET))
        return kp_reading_error(in, path, SECRET_NEXT,
                                "`%s` is a secret and must not stand in the file", path);
    if (is_a(key, KP_FIELD_ADDRESSES))
        return check_addresses(in, path, s);
    if (is_a(key, KP_FIELD_CHOICE))
        return check_protocol(in, path, s);
    return NULL;
}

/* {file|env|command}, with the file's path resolved. */
static kp_err *read_secret(const kp_reading *in, const char *path, const kp_value *map,
                           const kp_value **ret_secret)
{
    secret_source s = { 0 };
    KP_TRY(kp_level_read(in, &secret_table, path, map, &s));
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
