/* transport.c: PLAINTEXT, the socket's own bytes. */
#include "kafka/transport.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t plain_read(kp_transport *t, void *p, size_t n)
{
    return recv(t->fd, p, n, 0);
}

static ssize_t plain_write(kp_transport *t, const void *p, size_t n)
{
    return send(t->fd, p, n, MSG_NOSIGNAL);
}

static void plain_close(kp_transport *t)
{
    close(t->fd);
    free(t);
}

kp_transport *kp_transport_plain(int fd)
{
    kp_transport *t = kp_malloc(sizeof(*t));
    *t = (kp_transport){ plain_read, plain_write, plain_close, fd };
    return t;
}
