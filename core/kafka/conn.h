/* conn: one connection to one node, from the name to frames.
 *
 * Opening resolves the name, connects without blocking (one address after the other), and asks
 * ApiVersions: a connection is ready when it knows what the node speaks.  What a node speaks is
 * kept per connection, because an upgrade changes it.  From then on whole frames go out and come
 * in; the owner matches answers with questions.
 *
 * The owner hears exactly one of: lost, any number of frames after one ready, or nothing at all
 * after kp_conn_close.  Callbacks come from the loop only; each may close the connection.
 */
#ifndef KP_KAFKA_CONN_H
#define KP_KAFKA_CONN_H

#include "kafka/codec.h"
#include "kafka/kafka.h"

typedef struct kp_conn kp_conn;

typedef struct kp_conn_owner {
    void *ud;
    void (*ready)(void *ud);
    void (*frame)(void *ud, const void *p, size_t n); /* an answer without its size */
    /* The connection is unusable, and the owner must close it here.  `why` is a few words. */
    void (*lost)(void *ud, kp_link link, const char *why);
} kp_conn_owner;

/* Start to connect.  family is AF_UNSPEC, AF_INET or AF_INET6; host, port and client_id are copied.
 * Blocks in getaddrinfo when host is a name.  When not even a first attempt could be made the
 * result is NULL, with the reason added to `why`. */
kp_conn *kp_conn_open(kp_loop *l, const char *host, const char *port, int family,
                      const char *client_id, kp_conn_owner owner, kp_buf *why);
void kp_conn_close(kp_conn *c); /* takes NULL */

bool kp_conn_ready(const kp_conn *c);
/* "connecting", "connected, but it does not answer ApiVersions", for messages about time. */
const char *kp_conn_state(const kp_conn *c);
const kp_api_versions_response *kp_conn_versions(const kp_conn *c); /* NULL until ready */

/* Send a request, now or as soon as the socket takes it.  Only when ready. */
kp_err *kp_conn_send(kp_conn *c, const kp_api *api, int version, const void *request,
                     int32_t *ret_correlation) KP_MUST_USE;

extern const kp_api_versions_request kp_conn_software; /* what kplay says of itself (KIP-511) */

#endif
