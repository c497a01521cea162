/* transport: the bytes below a connection, as a table of functions.
 *
 * The connection reads and writes through it and knows no sockets' reads and writes itself, so that
 * TLS can stand where plain TCP stands now.  A transport starts on a connected, non-blocking
 * socket; a handshake, where there is one, happens inside the first reads and writes.
 */
#ifndef KP_KAFKA_TRANSPORT_H
#define KP_KAFKA_TRANSPORT_H

#include "base/base.h"

#include <sys/types.h>

typedef struct kp_transport kp_transport;
struct kp_transport {
    /* As read(2) and write(2): bytes moved, 0 at the end of the stream (read), -1 with errno;
     * EAGAIN means later.  A write to a closed connection is -1 with EPIPE, never a signal. */
    ssize_t (*read)(kp_transport *t, void *p, size_t n);
    ssize_t (*write)(kp_transport *t, const void *p, size_t n);
    void (*close)(kp_transport *t); /* closes the socket and frees t */
    int fd;
};

/* PLAINTEXT over fd, which it takes over. */
kp_transport *kp_transport_plain(int fd);

#endif
