/* known_hosts: the only thing that stands between kplay and stopping somebody else's broker.
 *
 * The library's own reader gives up a whole file at one garbage line, ignores @revoked, knows no
 * wildcards, and reports a changed key when the server merely shows a key of another type than the
 * one written down.  So the file is read here, by the rules of sshd(8), "SSH_KNOWN_HOSTS FILE
 * FORMAT":
 *
 *   line      [@revoked | @cert-authority] names type base64 [comment]
 *   names     patterns with * and ?, comma separated, ! excludes; compared in lower case
 *   port      a port other than 22 is written [name]:port.  A line with the bare name also vouches
 *             for other ports, but never against them (ssh: "matching key w/out port")
 *   hashed    |1|base64 salt|base64 HMAC-SHA1 of the name under that salt
 *
 * Certificates of hosts are not checked; an @cert-authority line is kept only to be able to say
 * so.
 */
#include "host/known_hosts.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

enum { NAME_LIMIT = 300, KEYS_LIMIT = 1000, FIELD_LIMIT = 64 << 10 };

typedef struct field {
    const char *p;
    size_t n;
} field;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static field next_field(const char **p, const char *end)
{
    while (*p < end && is_blank(**p))
        (*p)++;
    field f = { .p = *p };
    while (*p < end && !is_blank(**p))
        (*p)++;
    f.n = (size_t)(*p - f.p);
    return f;
}

static bool field_is(field f, const char *text)
{
    return f.n == strlen(text) && memcmp(f.p, text, f.n) == 0;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict base64; NULL when it is not. */
static uint8_t *base64_decode(kp_arena *a, field f, size_t *ret_n)
{
    if (f.n == 0 || f.n % 4 != 0 || f.n > FIELD_LIMIT)
        return NULL;
    uint8_t *out = kp_alloc(a, f.n / 4 * 3 + 1);
    size_t n = 0, pad = f.p[f.n - 1] != '=' ? 0 : f.p[f.n - 2] != '=' ? 1 : 2;
    for (size_t i = 0; i < f.n; i += 4) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            int digit = i + k >= f.n - pad ? 0 : base64_digit(f.p[i + k]);
            if (digit < 0)
                return NULL;
            bits = bits << 6 | (uint32_t)digit;
        }
        out[n++] = (uint8_t)(bits >> 16);
        out[n++] = (uint8_t)(bits >> 8);
        out[n++] = (uint8_t)bits;
    }
    *ret_n = n - pad;
    return out;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* * and ? as in ssh; iterative, so that no pattern takes exponential time. */
static bool wild(const char *p, const char *p_end, const char *name)
{
    const char *star = NULL, *mark = NULL;
    while (*name) {
        if (p < p_end && *p == '*') {
            star = ++p;
            mark = name;
        } else if (p < p_end && (*p == '?' || lower(*p) == *name)) {
            p++;
            name++;
        } else if (star) {
            p = star;
            name = ++mark;
        } else {
            return false;
        }
    }
    while (p < p_end && *p == '*')
        p++;
    return p == p_end;
}

static bool hashed_matches(kp_arena *a, field names, const char *name)
{
    const char *p = names.p + 3, *end = names.p + names.n;
    const char *bar = memchr(p, '|', (size_t)(end - p));
    if (!bar)
        return false;
    size_t salt_n, hash_n;
    uint8_t *salt = base64_decode(a, (field){ p, (size_t)(bar - p) }, &salt_n);
    uint8_t *hash = base64_decode(a, (field){ bar + 1, (size_t)(end - bar - 1) }, &hash_n);
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_n;
    if (!salt || !hash ||
        !HMAC(EVP_sha1(), salt, (int)salt_n, (const uint8_t *)name, strlen(name), mac, &mac_n))
        return false;
    return mac_n == hash_n && memcmp(mac, hash, hash_n) == 0;
}

static bool names_match(kp_arena *a, field names, const char *name)
{
    if (names.n > 3 && memcmp(names.p, "|1|", 3) == 0)
        return hashed_matches(a, names, name);
    bool found = false;
    for (const char *p = names.p, *end = names.p + names.n; p <= end;) {
        const char *comma = p < end ? memchr(p, ',', (size_t)(end - p)) : NULL;
        const char *stop = comma ? comma : end;
        bool not = p < stop && *p == '!';
        if (wild(p + not, stop, name)) {
            if (not)
                return false;
            found = true;
        }
        p = stop + 1;
    }
    return found;
}

static void read_line(kp_arena *a, const char *p, const char *end, const char *const names[2],
                      kp_known_key *ret_key)
{
    kp_known_key key = { .type = NULL };
    field f = next_field(&p, end);
    if (field_is(f, "@revoked") || field_is(f, "@cert-authority")) {
        key.revoked = f.p[1] == 'r';
        key.authority = !key.revoked;
        f = next_field(&p, end);
    }
    if (f.n == 0 || *f.p == '#' || *f.p == '@')
        return;
    bool fits = names_match(a, f, names[0]);
    if (!fits && names[1] && names_match(a, f, names[1]))
        fits = key.without_port = true;
    field type = next_field(&p, end), blob = next_field(&p, end);
    if (!fits || type.n == 0 || type.n > 100)
        return;
    key.blob = base64_decode(a, blob, &key.n);
    key.type = kp_strndup(a, type.p, type.n);
    /* The type is in the blob as well; a line where they differ was edited by hand. */
    if (key.blob && kp_streq(key.type, kp_known_hosts_blob_type(a, key.blob, key.n)))
        *ret_key = key;
}

void kp_known_hosts_read(kp_arena *a, const char *file, const char *text, size_t n,
                         const char *host, int port, kp_known_keys *known)
{
    char bare[NAME_LIMIT];
    size_t host_n = 0;
    for (; host[host_n] && host_n < sizeof bare - 1; host_n++)
        bare[host_n] = lower(host[host_n]);
    bare[host_n] = '\0';
    bool plain_port = port == 22;
    const char *names[2] = { bare, NULL };
    if (!plain_port) {
        names[0] = kp_printf(a, "[%s]:%d", bare, port);
        names[1] = bare;
    }

    kp_known_key *keys = KP_NEW_ARRAY(a, KEYS_LIMIT, kp_known_key);
    size_t count = known->n;
    if (count)
        memcpy(keys, known->keys, count * sizeof *keys);
    int line = 0;
    for (const char *p = text, *end = text + n; p < end && count < KEYS_LIMIT;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const char *stop = nl ? nl : end;
        line++;
        read_line(a, p, stop, names, &keys[count]);
        if (keys[count].type) {
            keys[count].file = file;
            keys[count].line = line;
            count++;
        }
        p = stop + 1;
    }
    known->keys = keys;
    known->n = count;
}

kp_known kp_known_hosts_check(const kp_known_keys *known, const uint8_t *blob, size_t n,
                              const kp_known_key **ret_key)
{
    const kp_known_key *same = NULL, *other = NULL;
    for (size_t i = 0; i < known->n; i++) {
        const kp_known_key *k = &known->keys[i];
        bool equal = k->n == n && memcmp(k->blob, blob, n) == 0;
        if (equal && k->revoked) {
            *ret_key = k;
            return KP_KNOWN_REVOKED;
        }
        if (k->revoked || k->authority)
            continue;
        if (equal && !same)
            same = k;
        else if (!equal && !k->without_port && !other)
            other = k;
    }
    *ret_key = same ? same : other;
    return same ? KP_KNOWN : other ? KP_KNOWN_OTHER : KP_KNOWN_NOT;
}

/* A key type, and the algorithms a server may name when it shows such a key; best first. */
static const struct {
    const char *type, *algorithms;
} key_types[] = {
    { "ssh-ed25519", "ssh-ed25519" },
    { "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256" },
    { "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384" },
    { "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521" },
    { "ssh-rsa", "rsa-sha2-512,rsa-sha2-256,ssh-rsa" },
};

char *kp_known_hosts_types(kp_arena *a, const kp_known_keys *known)
{
    KP_AUTO_BUF b = KP_BUF_INIT(1024);
    for (size_t t = 0; t < KP_COUNT(key_types); t++)
        for (size_t i = 0; i < known->n; i++) {
            const kp_known_key *k = &known->keys[i];
            if (k->revoked || k->authority || !kp_streq(k->type, key_types[t].type))
                continue;
            if (b.n)
                kp_buf_chr(&b, ',');
            kp_buf_str(&b, key_types[t].algorithms);
            break;
        }
    return b.n ? kp_strdup(a, b.p) : NULL;
}

char *kp_known_hosts_fingerprint(kp_arena *a, const uint8_t *blob, size_t n)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    unsigned char text[4 * SHA256_DIGEST_LENGTH / 3 + 5];
    SHA256(blob, n, digest);
    int len = EVP_EncodeBlock(text, digest, sizeof digest);
    while (len > 0 && text[len - 1] == '=')
        len--;
    return kp_printf(a, "SHA256:%.*s", len, (const char *)text);
}

char *kp_known_hosts_blob_type(kp_arena *a, const uint8_t *blob, size_t n)
{
    if (n < 4)
        return kp_strdup(a, "");
    size_t len = (size_t)blob[0] << 24 | (size_t)blob[1] << 16 | (size_t)blob[2] << 8 | blob[3];
    if (len > n - 4 || len > 100)
        return kp_strdup(a, "");
    return kp_strndup(a, (const char *)blob + 4, len);
}
