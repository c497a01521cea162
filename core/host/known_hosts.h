/* Whom a host has to be: the known_hosts files, read and matched as OpenSSH does. */
#ifndef KP_HOST_KNOWN_HOSTS_H
#define KP_HOST_KNOWN_HOSTS_H

#include "base/base.h"

enum { KP_KNOWN_HOSTS_LIMIT = 16 << 20 }; /* bytes of one file */

typedef struct kp_known_key {
    const char *type;     /* "ssh-ed25519" */
    const uint8_t *blob;  /* as it travels */
    size_t n;
    bool revoked;
    bool authority;       /* @cert-authority: signs keys, is none */
    bool without_port;    /* found under the bare name although the port is not 22 */
    const char *file;
    int line;
} kp_known_key;

typedef struct kp_known_keys {
    size_t n;
    const kp_known_key *keys; /* those whose pattern fits the host */
} kp_known_keys;

typedef enum kp_known {
    KP_KNOWN,         /* this very key is written down */
    KP_KNOWN_NOT,     /* nothing is written down for this host */
    KP_KNOWN_OTHER,   /* other keys are: it changed, or someone else answers */
    KP_KNOWN_REVOKED, /* this key is marked @revoked */
} kp_known;

/* The keys of a host in a known_hosts text, added to `known`.  Lines that cannot be read are
 * skipped, as OpenSSH does; a wrong line must not hide the right ones after it. */
void kp_known_hosts_read(kp_arena *a, const char *file, const char *text, size_t n,
                         const char *host, int port, kp_known_keys *known);

kp_known kp_known_hosts_check(const kp_known_keys *known, const uint8_t *blob, size_t n,
                              const kp_known_key **ret_key);

/* The key types to ask the server for, comma separated and best first, so that it shows the key we
 * can check; NULL when nothing usable is written down (sk- keys and certificates are not). */
char *kp_known_hosts_types(kp_arena *a, const kp_known_keys *known);

/* "SHA256:..." as ssh-keygen prints it. */
char *kp_known_hosts_fingerprint(kp_arena *a, const uint8_t *blob, size_t n);

/* The type a key's blob names; "" when it is none. */
char *kp_known_hosts_blob_type(kp_arena *a, const uint8_t *blob, size_t n);

#endif
