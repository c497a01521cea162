/* conn.c: name, addresses, socket, ApiVersions, frames.
 *
 *     connecting --> asking ApiVersions --> ready       any of them --> lost; the owner closes
 *
 * ApiVersions is asked at kplay's highest version.  An older node answers error 35 in the layout of
 * v0 and, from 2.4 on (KIP-511), lists the versions it does speak: asked again at the best of them,
 * once.
 */
#include "kafka/conn.h"

#include "kafka/transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHUNK = 64 * 1024,         /* one read */
    PER_EVENT = 4 << 20,       /* bytes read before others get their turn */
    VERSIONS_MEMORY = 4 << 20, /* an ApiVersions answer */
    UNSUPPORTED_VERSION = 35,
};

typedef enum state { CONNECTING, ASKING_VERSIONS, READY } state;

struct kp_conn {
    kp_loop *l;
    kp_conn_owner owner;
    char *client_id;
    state state;
    struct addrinfo *addresses, *address; /* all, and the one tried last */
    kp_transport *t;                      /* NULL between two addresses */
    kp_watch *watch;
    kp_buf in, out;
    int32_t correlation;  /* of the last request */
    int versions_version; /* of the ApiVersions request under way */
    bool versions_asked_again;
    kp_arena *memory; /* of `versions` */
    const kp_api_versions_response *versions;
    bool busy; /* inside its own event: kp_conn_close leaves the freeing to it */
    bool closed;
};

const kp_api_versions_request kp_conn_software = { "kplay", KPLAY_VERSION };

static void drop_socket(kp_conn *c)
{
    kp_watch_remove(c->watch);
    c->watch = NULL;
    if (c->t)
        c->t->close(c->t);
    c->t = NULL;
}

static void conn_free(kp_conn *c)
{
    drop_socket(c);
    if (c->addresses)
        freeaddrinfo(c->addresses);
    kp_buf_done(&c->in);
    kp_buf_done(&c->out);
    kp_arena_free(c->memory);
    free(c->client_id);
    free(c);
}

void kp_conn_close(kp_conn *c)
{
    if (!c)
        return;
    if (c->busy) {
        drop_socket(c);
        c->closed = true;
    } else {
        conn_free(c);
    }
}

/* The last thing an event does; the owner closes the connection. */
static void lose(kp_conn *c, kp_link link, const char *why)
{
    c->owner.lost(c->owner.ud, link, why);
}

/* ---- sending ---- */

/* An error here is not lost: the socket reports it again to the next event. */
static void flush(kp_conn *c)
{
    while (c->out.n) {
        ssize_t n = c->t->write(c->t, c->out.p, c->out.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        kp_buf_cut(&c->out, (size_t)n);
    }
    kp_watch_events(c->watch, c->out.n ? POLLIN | POLLOUT : POLLIN);
}

static kp_err *send_request(kp_conn *c, const kp_api *api, int version, const void *request)
{
    int32_t correlation = c->correlation == INT32_MAX ? 1 : c->correlation + 1;
    KP_TRY(kp_frame_request(&c->out, api, version, correlation, c->client_id, request));
    c->correlation = correlation;
    flush(c);
    return NULL;
}

kp_err *kp_conn_send(kp_conn *c, const kp_api *api, int version, const void *request,
                     int32_t *ret_correlation)
{
    KP_TRY(send_request(c, api, version, request));
    *ret_correlation = c->correlation;
    return NULL;
}

/* ---- ApiVersions ---- */

static void ask_versions(kp_conn *c, int version)
{
    c->state = ASKING_VERSIONS;
    c->versions_version = version;
    kp_err *e = send_request(c, kp_api_find(KP_API_VERSIONS), version, &kp_conn_software);
    if (e)
        kp_die("ApiVersions cannot be written: %s", e->what);
}

/* The version to ask again with, after error 35. */
static int version_offered(const kp_api_versions_response *r)
{
    int max = kp_api_find(KP_API_VERSIONS)->max;
    for (int32_t i = 0; i < r->api_keys.n; i++) {
        const kp_api_range *range = &r->api_keys.v[i];
        if (range->api_key == KP_API_VERSIONS)
            return range->max_version < 0 ? 0 : range->max_version < max ? range->max_version : max;
    }
    return 0;
}

static void take_versions(kp_conn *c, const void *p, size_t n)
{
    const void *response;
    kp_err *e = kp_frame_response(c->memory, kp_api_find(KP_API_VERSIONS), c->versions_version,
                                  c->correlation, p, n, &response);
    if (e) {
        lose(c, KP_LINK_PROTOCOL, e->what);
        kp_err_drop(e);
        return;
    }
    const kp_api_versions_response *r = response;
    if (r->error_code == UNSUPPORTED_VERSION && !c->versions_asked_again) {
        int version = version_offered(r);
        kp_arena_reset(c->memory);
        c->versions_asked_again = true;
        ask_versions(c, version);
    } else if (r->error_code) {
        KP_AUTO_BUF why = KP_BUF_INIT(256);
        kp_buf_fmt(&why, "it answers ApiVersions with %s (%d)",
                   kp_kafka_code_of(r->error_code).name, r->error_code);
        lose(c, KP_LINK_PROTOCOL, kp_buf_text(&why));
    } else {
        c->versions = r;
        c->state = READY;
        c->owner.ready(c->owner.ud);
    }
}

/* ---- receiving ---- */

/* The next whole frame in c->in, or 0 bytes.  False when what came cannot be Kafka. */
static bool next_frame(kp_conn *c, size_t *ret_n)
{
    *ret_n = 0;
    if (c->in.n < 4)
        return true;
    uint32_t size = kp_frame_size(c->in.p);
    if (size < 4 || size > KP_FRAME_LIMIT) {
        bool tls = c->in.p[0] == 0x15 && c->in.p[1] == 0x03; /* a TLS alert record */
        lose(c, KP_LINK_PROTOCOL,
             tls ? "the listener speaks TLS, and this release of kplay speaks PLAINTEXT only"
                 : "what it sends is not Kafka's protocol");
        return false;
    }
    if (c->in.n >= 4 + (size_t)size)
        *ret_n = size;
    return true;
}

static void take_frames(kp_conn *c)
{
    size_t n;
    while (!c->closed && next_frame(c, &n) && n) {
        if (c->state == READY)
            c->owner.frame(c->owner.ud, c->in.p + 4, n);
        else
            take_versions(c, c->in.p + 4, n);
        kp_buf_cut(&c->in, 4 + n);
    }
    if (!c->in.n && c->in.cap > CHUNK)
        kp_buf_done(&c->in); /* a large answer does not keep its memory */
}

static const char *end_of_stream(const kp_conn *c)
{
    if (c->in.n)
        return "it closed the connection in the middle of an answer";
    if (c->state == ASKING_VERSIONS)
        return "it closed the connection without answering ApiVersions (a TLS listener does that)";
    return "it closed the connection";
}

static void receive(kp_conn *c)
{
    char chunk[CHUNK];
    for (size_t got = 0; got < PER_EVENT && !c->closed;) {
        ssize_t n = c->t->read(c->t, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            lose(c, KP_LINK_CLOSED, strerror(errno));
        else if (n == 0)
            lose(c, KP_LINK_CLOSED, end_of_stream(c));
        if (n <= 0)
            return;
        got += (size_t)n;
        kp_buf_add(&c->in, chunk, (size_t)n);
        take_frames(c);
    }
}

/* ---- connecting ---- */

static void on_event(void *ud, int fd, short revents);

/* Start with the next address that lets itself be started with: 0.  When none is left: the last
 * errno, which is `error` when there was none to try. */
static int connect_next(kp_conn *c, int error)
{
    for (;;) {
        c->address = c->address ? c->address->ai_next : c->addresses;
        if (!c->address)
            return error;
        const struct addrinfo *a = c->address;
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0) {
            error = errno;
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS) {
            c->t = kp_transport_plain(fd);
            c->watch = kp_watch_add(c->l, fd, POLLOUT, on_event, c);
            return 0;
        }
        error = errno;
        close(fd);
    }
}

static void connected(kp_conn *c)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(c->t->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error) {
        drop_socket(c);
        error = connect_next(c, error);
        if (error)
            lose(c, KP_LINK_REFUSED, strerror(error));
        return;
    }
    ask_versions(c, kp_api_find(KP_API_VERSIONS)->max);
}

static void on_event(void *ud, int fd KP_UNUSED, short revents KP_UNUSED)
{
    kp_conn *c = ud;
    c->busy = true;
    if (c->state == CONNECTING) {
        connected(c);
    } else {
        flush(c);
        receive(c);
    }
    c->busy = false;
    if (c->closed)
        conn_free(c);
}

kp_conn *kp_conn_open(kp_loop *l, const char *host, const char *port, int family,
                      const char *client_id, kp_conn_owner owner, kp_buf *why)
{
    struct addrinfo hints = { .ai_family = family,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV };
    struct addrinfo *addresses;
    int rc = getaddrinfo(host, port, &hints, &addresses);
    if (rc) {
        kp_buf_fmt(why, "the name %s cannot be resolved: %s", host,
                   rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
        return NULL;
    }
    kp_conn *c = kp_malloc(sizeof(*c));
    *c = (kp_conn){
        .l = l,
        .owner = owner,
        .client_id = strdup(client_id),
        .addresses = addresses,
        .in = KP_BUF_INIT(KP_FRAME_LIMIT + 4 + CHUNK),
        .out = KP_BUF_INIT((KP_FRAME_LIMIT + 4) * (size_t)KP_KAFKA_IN_FLIGHT),
        .memory = kp_arena_new("api versions", VERSIONS_MEMORY),
    };
    if (!c->client_id)
        kp_die("out of memory");
    int error = connect_next(c, EADDRNOTAVAIL);
    if (error) {
        kp_buf_str(why, strerror(error));
        conn_free(c);
        return NULL;
    }
    return c;
}

bool kp_conn_ready(const kp_conn *c)
{
    return c->state == READY;
}

const char *kp_conn_state(const kp_conn *c)
{
    return c->state == CONNECTING ? "no connection yet"
                                  : "connected, but it does not answer ApiVersions";
}

const kp_api_versions_response *kp_conn_versions(const kp_conn *c)
{
    return c->versions;
}
