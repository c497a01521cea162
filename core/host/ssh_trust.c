/* Who answers: host keys, the algorithms offered, and what a failed handshake means.
 *
 * The server picks which of its keys to show by what we offer.  So the types written down in
 * known_hosts are looked up first and only those are offered; a server that has several keys then
 * shows the one that can be checked.  A host nobody wrote down is connected to as well, but only
 * far enough to print its fingerprint, because that is what a person needs to compare.
 */
#include "host/ssh.h"

#include <stdlib.h>
#include <string.h>

#define GLOBAL_KNOWN_HOSTS "/etc/ssh/ssh_known_hosts"

/* What is offered, besides the host key types.  Left out: CBC modes, RC4, 3DES, MD5, SHA-1 and
 * the groups below 2048 bits.  Names the library does not have are skipped by it. */
static const struct {
    int method;
    const char *what, *names;
} offers[] = {
    { LIBSSH2_METHOD_KEX, "key exchange",
      "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
      "ecdh-sha2-nistp521,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"
      "diffie-hellman-group14-sha256,diffie-hellman-group-exchange-sha256" },
    { LIBSSH2_METHOD_CRYPT_CS, "cipher",
      "aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr" },
    { LIBSSH2_METHOD_CRYPT_SC, NULL,
      "aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr" },
    { LIBSSH2_METHOD_MAC_CS, "mac",
      "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512" },
    { LIBSSH2_METHOD_MAC_SC, NULL,
      "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512" },
    { LIBSSH2_METHOD_COMP_CS, NULL, "none" },
    { LIBSSH2_METHOD_COMP_SC, NULL, "none" },
};

/* "[name]:2222" as known_hosts and ssh-keyscan write it. */
static char *written_name(kp_arena *a, const kp_host *h)
{
    if (h->spec.port == 22)
        return kp_strdup(a, h->spec.address);
    return kp_printf(a, "[%s]:%d", h->spec.address, h->spec.port);
}

static char *file_to_write(kp_arena *a, const kp_host *h)
{
    return *h->spec.known_hosts ? kp_strdup(a, h->spec.known_hosts)
                                : kp_host_home(a, "~/.ssh/known_hosts");
}

kp_err *kp_ssh_known_read(kp_arena *a, const kp_host *h, kp_known_keys *known)
{
    const char *files[2] = { file_to_write(a, h), GLOBAL_KNOWN_HOSTS };
    size_t n_files = *h->spec.known_hosts ? 1 : 2;
    for (size_t i = 0; i < n_files; i++) {
        char *text;
        size_t n;
        kp_err *e = kp_file_read(a, files[i], KP_KNOWN_HOSTS_LIMIT, &text, &n);
        /* One that was named must be readable; the usual places may be empty. */
        if (e && *h->spec.known_hosts)
            return kp_err_next(kp_err_class(e, KP_HOST), "make the file readable, or name another "
                                                         "one as ssh.known_hosts");
        if (e)
            kp_err_drop(e);
        else
            kp_known_hosts_read(a, files[i], text, n, h->spec.address, h->spec.port, known);
    }
    return NULL;
}

/* Those of `names` that the library has, in our order.  It must not be given others: 1.10 drops
 * them by an overlapping memcpy. */
static char *supported(kp_arena *a, LIBSSH2_SESSION *s, int method, const char *names)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4096);
    const char **has = NULL;
    int n = libssh2_session_supported_algs(s, method, &has);
    while (*names) {
        size_t len = strcspn(names, ",");
        for (int i = 0; i < n; i++)
            if (strlen(has[i]) == len && memcmp(has[i], names, len) == 0) {
                if (b.n)
                    kp_buf_chr(&b, ',');
                kp_buf_add(&b, names, len);
                break;
            }
        names += len + (names[len] == ',');
    }
    if (n > 0)
        libssh2_free(s, has);
    return b.n ? kp_strdup(a, b.p) : NULL;
}

static bool offer(kp_arena *a, LIBSSH2_SESSION *s, int method, const char *names)
{
    const char *some = supported(a, s, method, names);
    return some && libssh2_session_method_pref(s, method, some) == 0;
}

kp_err *kp_ssh_offer(kp_arena *a, LIBSSH2_SESSION *s, const kp_host *h, const kp_known_keys *known)
{
    const char *types = kp_known_hosts_types(a, known);
    bool ok = !types || offer(a, s, LIBSSH2_METHOD_HOSTKEY, types);
    for (size_t i = 0; i < KP_COUNT(offers) && ok; i++)
        ok = offer(a, s, offers[i].method, offers[i].names);
    if (ok)
        return NULL;
    return kp_err_at(kp_err_new(KP_HOST, "write transport: openssh to use the ssh program instead",
                                "the installed libssh2 has none of the algorithms kplay allows"),
                     "%s", h->spec.name);
}

static kp_err *no_agreement(kp_arena *a, LIBSSH2_SESSION *s, const kp_host *h,
                            const kp_known_keys *known)
{
    const char *banner = libssh2_session_banner_get(s);
    const char *types = kp_known_hosts_types(a, known);
    KP_AUTO_BUF b = KP_BUF_INIT(16 << 10);
    kp_buf_fmt(&b, "%-13s %s\nlibssh2 %s can do, and kplay allows of it:\n", "server",
               banner ? kp_printable(a, banner, strlen(banner)) : "unknown", libssh2_version(0));
    for (size_t i = 0; i < KP_COUNT(offers); i++)
        if (offers[i].what)
            kp_buf_fmt(&b, "%-13s %s\n", offers[i].what,
                       supported(a, s, offers[i].method, offers[i].names));
    kp_buf_fmt(&b, "%-13s %s\n", "host key",
               types ? types : "any");
    kp_err *e = kp_err_new(KP_HOST, "write transport: openssh to use the ssh program instead",
                           "the host's sshd and libssh2 have no algorithm in common%s",
                           types ? " (offered as host key: only the types in known_hosts)" : "");
    if (types)
        e = kp_err_next(e, "see that the host still has a key of a type written down for it (%s); "
                           "or write transport: openssh to use the ssh program instead",
                        types);
    return kp_err_detail(kp_err_at(e, "%s", h->spec.name), "%s", kp_buf_text(&b));
}

kp_err *kp_ssh_handshake_error(kp_arena *a, LIBSSH2_SESSION *s, const kp_host *h, int rc,
                               const kp_known_keys *known)
{
    if (rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_METHOD_NOT_SUPPORTED)
        return no_agreement(a, s, h, known);
    char *text = NULL;
    libssh2_session_last_error(s, &text, NULL, 0);
    const char *what = rc == LIBSSH2_ERROR_BANNER_RECV ? "what answers is no SSH server"
                                                       : "the host ended the SSH handshake";
    kp_err *e = kp_err_new(KP_HOST,
                           "see that an sshd listens there, and that it is not refusing logins "
                           "(MaxStartups, fail2ban)",
                           "%s: %s port %d (libssh2 %d: %s)", what, h->spec.address, h->spec.port,
                           rc, text ? text : "no reason given");
    return kp_err_retriable(kp_err_at(e, "%s", h->spec.name));
}

/* ---- the host's key ---- */

static kp_err *unknown_key(kp_arena *a, const kp_host *h, const char *shown, bool authority)
{
    const char *file = file_to_write(a, h);
    kp_err *e = kp_err_new(
        KP_HOST, "-", "unknown host key: %s shows %s, and %s has no key for it%s",
        written_name(a, h), shown, file,
        authority ? " (only an @cert-authority, which libssh2 cannot check)" : "");
    const char *port = h->spec.port == 22 ? "" : kp_printf(a, "-p %d ", h->spec.port);
    return kp_err_next(e,
                       "compare that fingerprint with the host's own (on its console: ssh-keygen "
                       "-lf /etc/ssh/ssh_host_ed25519_key.pub), then: ssh-keyscan %s%s >> %s",
                       port, h->spec.address, file);
}

static kp_err *changed_key(kp_arena *a, const kp_host *h, const char *shown,
                           const kp_known_key *known)
{
    kp_err *e = kp_err_new(KP_HOST, "-",
                           "CHANGED host key: %s shows %s, but %s:%d has another one: the host was "
                           "installed anew, or somebody else answers for it",
                           written_name(a, h), shown, known->file, known->line);
    return kp_err_next(e,
                       "find out which of the two it is; only if it was installed anew: "
                       "ssh-keygen -R '%s' -f %s, and add its new key",
                       written_name(a, h), known->file);
}

kp_err *kp_ssh_check_host_key(kp_arena *a, LIBSSH2_SESSION *s, const kp_host *h,
                              const kp_known_keys *known)
{
    size_t n = 0;
    int type;
    const uint8_t *blob = (const uint8_t *)libssh2_session_hostkey(s, &n, &type);
    if (!blob)
        n = 0;
    const char *shown = kp_printf(a, "%s %s", kp_known_hosts_blob_type(a, blob, n),
                                  kp_known_hosts_fingerprint(a, blob, n));
    const kp_known_key *key = NULL;
    kp_err *e = NULL;
    bool authority = false;
    for (size_t i = 0; i < known->n; i++)
        authority |= known->keys[i].authority;
    switch (kp_known_hosts_check(known, blob, n, &key)) {
    case KP_KNOWN:
        return NULL;
    case KP_KNOWN_NOT:
        e = unknown_key(a, h, shown, authority);
        break;
    case KP_KNOWN_OTHER:
        e = changed_key(a, h, shown, key);
        break;
    case KP_KNOWN_REVOKED:
        e = kp_err_new(KP_HOST, "take this host out of use until its owner has given it a new key",
                       "REVOKED host key: %s shows %s, which %s:%d revokes", written_name(a, h),
                       shown, key->file, key->line);
        break;
    }
    return kp_err_at(e, "%s", h->spec.name);
}
