/* An SSH session's parts that have files of their own: who it is that answers and who we are. */
#ifndef KP_HOST_SSH_H
#define KP_HOST_SSH_H

#include "host/inner.h"
#include "host/known_hosts.h"

#include <libssh2.h>

typedef struct kp_ssh_auth {
    const char *key_type; /* of the identity file, "" when it cannot be told */
    LIBSSH2_AGENT *agent;
    struct libssh2_agent_publickey *identity; /* the agent's own, being tried */
    int tried, skipped;
} kp_ssh_auth;

/* Reads the identity file or asks the agent what it holds. */
kp_err *kp_ssh_auth_begin(kp_ssh_auth *auth, LIBSSH2_SESSION *s, const kp_host *h);
/* To be called until *ret_done; must be called again when the socket is ready. */
kp_err *kp_ssh_auth_step(kp_ssh_auth *auth, LIBSSH2_SESSION *s, const kp_host *h, bool *ret_done);
void kp_ssh_auth_end(kp_ssh_auth *auth);

/* The keys written down for a host. */
kp_err *kp_ssh_known_read(kp_arena *a, const kp_host *h, kp_known_keys *known);
/* Algorithms to offer: nothing that is broken, and only host key types that can be checked. */
kp_err *kp_ssh_offer(kp_arena *a, LIBSSH2_SESSION *s, const kp_host *h,
                     const kp_known_keys *known);
kp_err *kp_ssh_check_host_key(kp_arena *a, LIBSSH2_SESSION *s, const kp_host *h,
                              const kp_known_keys *known);
/* What a failed handshake means, in words. */
kp_err *kp_ssh_handshake_error(kp_arena *a, LIBSSH2_SESSION *s, const kp_host *h, int rc,
                               const kp_known_keys *known);

#endif
