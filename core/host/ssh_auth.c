/* Who we are: a private key file, or the agent.  Nothing else: no passwords, no prompts.
 *
 * The library of Debian 12 (1.10) signs with an RSA key by SHA-1 only, which OpenSSH refuses since
 * 8.8, and reports that with the very number it has for a wrong key.  So the key is looked at when
 * it was refused, and the refusal is explained.  An agent's RSA keys are skipped under that
 * library: each would cost one of the few attempts a server allows (MaxAuthTries).
 *
 * Deriving the key of an encrypted file takes a tenth of a second and needs a pass phrase from
 * somewhere; such a key belongs in the agent, which is where it is then looked for.
 */
#include "host/ssh.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_FILE_LIMIT = 64 << 10,
    AGENT_TRIES = 5,            /* sshd's MaxAuthTries is 6 */
    RSA_SHA2_SINCE = 0x010b00,  /* libssh2 1.11.0 */
};

#define OPENSSH_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define OPENSSH_MAGIC "openssh-key-v1"

static bool has_rsa_sha2(void)
{
    return libssh2_version(RSA_SHA2_SINCE) != NULL;
}

static kp_err *at_host(const kp_host *h, kp_err *e)
{
    return kp_err_at(e, "%s", h->spec.name);
}

/* ---- looking at a key file ---- */

typedef struct key_facts {
    const char *type; /* a literal: "ssh-rsa", or "" */
    bool encrypted;
} key_facts;

static bool take_string(const uint8_t **p, size_t *n, const uint8_t **ret_s, size_t *ret_n)
{
    if (*n < 4)
        return false;
    size_t len = (size_t)(*p)[0] << 24 | (size_t)(*p)[1] << 16 | (size_t)(*p)[2] << 8 | (*p)[3];
    if (len > *n - 4)
        return false;
    *ret_s = *p + 4;
    *ret_n = len;
    *p += 4 + len;
    *n -= 4 + len;
    return true;
}

static bool string_is(const uint8_t *s, size_t n, const char *text)
{
    return n == strlen(text) && memcmp(s, text, n) == 0;
}

/* The OpenSSH format (PROTOCOL.key): magic, cipher, kdf, its options, number of keys, first public
 * key. */
static void look_at_openssh(kp_arena *a, const char *text, key_facts *facts)
{
    const char *body = strstr(text, OPENSSH_BEGIN);
    const char *end = body ? strstr(body, "-----END") : NULL;
    if (!end)
        return;
    body += strlen(OPENSSH_BEGIN);
    unsigned char *clean = kp_alloc(a, (size_t)(end - body) + 1);
    int clean_n = 0;
    for (; body < end; body++)
        if (!strchr(" \t\r\n", *body))
            clean[clean_n++] = (unsigned char)*body;
    uint8_t *bytes = kp_alloc(a, (size_t)clean_n + 4);
    int decoded = EVP_DecodeBlock(bytes, clean, clean_n);
    if (decoded < (int)sizeof OPENSSH_MAGIC || memcmp(bytes, OPENSSH_MAGIC, sizeof OPENSSH_MAGIC))
        return;
    const uint8_t *p = bytes + sizeof OPENSSH_MAGIC, *s;
    size_t n = (size_t)decoded - sizeof OPENSSH_MAGIC, s_n;
    if (!take_string(&p, &n, &s, &s_n))
        return;
    facts->encrypted = !string_is(s, s_n, "none");
    if (!take_string(&p, &n, &s, &s_n) || !take_string(&p, &n, &s, &s_n) || n < 4)
        return;
    p += 4;
    n -= 4;
    const uint8_t *blob;
    size_t blob_n;
    if (!take_string(&p, &n, &blob, &blob_n) || !take_string(&blob, &blob_n, &s, &s_n))
        return;
    if (string_is(s, s_n, "ssh-rsa"))
        facts->type = "ssh-rsa";
    else if (string_is(s, s_n, "ssh-ed25519"))
        facts->type = "ssh-ed25519";
}

static kp_err *look_at_key(const kp_host *h, key_facts *facts)
{
    KP_AUTO_ARENA a = kp_arena_new("key file", 4 * KEY_FILE_LIMIT + (64 << 10));
    char *text;
    size_t n;
    kp_err *e = kp_file_read(a, h->spec.identity, KEY_FILE_LIMIT, &text, &n);
    if (e)
        return at_host(h, kp_err_because(kp_err_new(KP_HOST, "name the private key as ssh.identity",
                                                    "the private key cannot be read"),
                                         e));
    facts->type = "";
    facts->encrypted = strstr(text, "ENCRYPTED") != NULL;
    if (strstr(text, "BEGIN RSA PRIVATE KEY"))
        facts->type = "ssh-rsa";
    look_at_openssh(a, text, facts);
    return NULL;
}

/* ---- refusals ---- */

static const char *rsa_reason(kp_arena *a)
{
    return kp_printf(a,
                     "libssh2 %s signs with RSA keys by SHA-1 only, and OpenSSH refuses that since "
                     "8.8",
                     libssh2_version(0));
}

static kp_err *refused(const kp_ssh_auth *auth, const kp_host *h, const char *with)
{
    KP_AUTO_ARENA a = kp_arena_new("refusal", 16 << 10);
    const kp_host_spec *s = &h->spec;
    bool rsa = kp_streq(auth->key_type, "ssh-rsa") && !has_rsa_sha2();
    kp_err *e = kp_err_new(KP_HOST, "-", "login refused: %s@%s port %d, with %s%s%s", s->user,
                           s->address, s->port, with, rsa ? ": " : "", rsa ? rsa_reason(a) : "");
    if (rsa)
        e = kp_err_next(e, "use an ed25519 or ecdsa key, or write transport: openssh");
    else
        e = kp_err_next(e,
                        "see that the user exists there and that its ~/.ssh/authorized_keys has "
                        "the public key (sshd's log on the host says why)");
    return at_host(h, e);
}

static kp_err *failed(LIBSSH2_SESSION *s, const kp_host *h, int rc)
{
    char *text = NULL;
    libssh2_session_last_error(s, &text, NULL, 0);
    kp_err *e = kp_err_new(KP_HOST, "see whether the host, its network and its sshd are up",
                           "the login did not end (libssh2 %d: %s)", rc,
                           text ? text : "no reason given");
    return kp_err_retriable(at_host(h, e));
}

/* ---- the agent ---- */

static kp_err *agent_begin(kp_ssh_auth *auth, LIBSSH2_SESSION *s, const kp_host *h,
                           const char *why_agent)
{
    const char *next = "start ssh-agent and ssh-add the key, or name an unencrypted private key as "
                       "ssh.identity";
    if (!getenv("SSH_AUTH_SOCK"))
        return at_host(h, kp_err_new(KP_HOST, next, "%s, and there is no SSH agent", why_agent));
    auth->agent = libssh2_agent_init(s);
    if (!auth->agent || libssh2_agent_connect(auth->agent) ||
        libssh2_agent_list_identities(auth->agent))
        return at_host(h, kp_err_new(KP_HOST, next, "%s, and the SSH agent does not answer",
                                     why_agent));
    return NULL;
}

static bool is_rsa(const struct libssh2_agent_publickey *k)
{
    static const char head[] = "\0\0\0\7ssh-rsa";
    return k->blob_len > sizeof head - 1 && memcmp(k->blob, head, sizeof head - 1) == 0;
}

/* The next of the agent's keys that is worth an attempt; NULL when there is none. */
static void agent_next(kp_ssh_auth *auth)
{
    struct libssh2_agent_publickey *next;
    while (libssh2_agent_get_identity(auth->agent, &next, auth->identity) == 0) {
        auth->identity = next;
        if (!is_rsa(next) || has_rsa_sha2())
            return;
        auth->skipped++;
    }
    auth->identity = NULL;
}

static kp_err *agent_step(kp_ssh_auth *auth, LIBSSH2_SESSION *s, const kp_host *h, bool *ret_done)
{
    if (!auth->identity)
        agent_next(auth);
    while (auth->identity && auth->tried < AGENT_TRIES) {
        int rc = libssh2_agent_userauth(auth->agent, h->spec.user, auth->identity);
        if (rc == LIBSSH2_ERROR_EAGAIN)
            return NULL;
        if (rc == 0) {
            *ret_done = true;
            return NULL;
        }
        if (rc != LIBSSH2_ERROR_AUTHENTICATION_FAILED && rc != LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
            return failed(s, h, rc);
        auth->tried++;
        agent_next(auth);
    }
    if (auth->tried == 0 && auth->skipped)
        auth->key_type = "ssh-rsa";
    KP_AUTO_ARENA a = kp_arena_new("agent", 4096);
    return refused(auth, h, kp_printf(a, "%d keys of the SSH agent", auth->tried + auth->skipped));
}

/* ---- both ---- */

kp_err *kp_ssh_auth_begin(kp_ssh_auth *auth, LIBSSH2_SESSION *s, const kp_host *h)
{
    *auth = (kp_ssh_auth){ .key_type = "" };
    if (!*h->spec.identity)
        return agent_begin(auth, s, h, "no ssh.identity is named");
    key_facts facts = { .type = "" };
    KP_TRY(look_at_key(h, &facts));
    auth->key_type = facts.type;
    if (facts.encrypted)
        return agent_begin(auth, s, h, "the private key has a pass phrase");
    return NULL;
}

kp_err *kp_ssh_auth_step(kp_ssh_auth *auth, LIBSSH2_SESSION *s, const kp_host *h, bool *ret_done)
{
    if (auth->agent)
        return agent_step(auth, s, h, ret_done);
    const char *user = h->spec.user, *identity = h->spec.identity;
    int rc = libssh2_userauth_publickey_fromfile_ex(s, user, (unsigned)strlen(user), NULL, identity,
                                                    NULL);
    switch (rc) {
    case 0:
        *ret_done = true;
        return NULL;
    case LIBSSH2_ERROR_EAGAIN:
        return NULL;
    case LIBSSH2_ERROR_AUTHENTICATION_FAILED:
    case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
        return refused(auth, h, identity);
    case LIBSSH2_ERROR_FILE:
    case LIBSSH2_ERROR_METHOD_NONE:
        return at_host(h, kp_err_new(KP_HOST, "use an ed25519 or ecdsa key, or transport: openssh",
                                     "libssh2 %s cannot use the private key %s", libssh2_version(0),
                                     identity));
    default:
        return failed(s, h, rc);
    }
}

void kp_ssh_auth_end(kp_ssh_auth *auth)
{
    if (!auth->agent)
        return;
    libssh2_agent_disconnect(auth->agent);
    libssh2_agent_free(auth->agent);
    auth->agent = NULL;
    auth->identity = NULL;
}
