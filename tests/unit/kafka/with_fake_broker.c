/* with_fake_broker.c: see the header. */
#include "with_fake_broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void fake_put(kp_buf *b, int width, int64_t v)
{
    while (width--)
        kp_buf_chr(b, (char)((uint64_t)v >> (8 * width)));
}

void fake_put_string(kp_buf *b, const char *s)
{
    fake_put(b, 2, (int64_t)strlen(s));
    kp_buf_str(b, s);
}

static void hang_up(fake_peer *p)
{
    if (p->fd < 0)
        return;
    kp_watch_remove(p->watch);
    close(p->fd);
    p->fd = -1;
    kp_buf_done(&p->in);
    kp_buf_done(&p->f->held[p - p->f->peers]);
}

/* What the socket does not take at once waits with what is held. */
static void send_all(fake_peer *p, const char *bytes, size_t n)
{
    ssize_t got = send(p->fd, bytes, n, MSG_NOSIGNAL);
    size_t sent = got > 0 ? (size_t)got : 0;
    kp_buf_add(&p->f->held[p - p->f->peers], bytes + sent, n - sent);
}

static void flush(fake_peer *p)
{
    kp_buf *held = &p->f->held[p - p->f->peers];
    ssize_t got = held->n && !p->f->hold ? send(p->fd, held->p, held->n, MSG_NOSIGNAL) : 0;
    if (got > 0)
        kp_buf_cut(held, (size_t)got);
    kp_watch_events(p->watch, held->n && !p->f->hold ? POLLIN | POLLOUT : POLLIN);
}

static void deliver(fake_peer *p, const kp_buf *frame)
{
    if (p->f->hold || p->f->held[p - p->f->peers].n)
        kp_buf_add(&p->f->held[p - p->f->peers], frame->p, frame->n);
    else
        send_all(p, frame->p, frame->n);
    flush(p);
}

void fake_release(fake_broker *f)
{
    f->hold = false;
    for (int i = 0; i < FAKE_PEERS; i++)
        if (f->peers[i].fd >= 0)
            flush(&f->peers[i]);
}

static void must(kp_err *e)
{
    if (e)
        kp_die("fake broker: %s", e->what);
}

static void answer_versions(fake_peer *p, int version, int32_t correlation)
{
    fake_broker *f = p->f;
    const kp_api *api = kp_api_find(KP_API_VERSIONS);
    KP_AUTO_BUF frame = KP_BUF_INIT(1 << 20);
    kp_api_versions_response r = f->versions;
    fake_put(&frame, 4, 0);
    fake_put(&frame, 4, correlation);
    if (version > f->versions_max) {
        kp_api_range own = { KP_API_VERSIONS, 0, (int16_t)f->versions_max };
        version = 0;
        r = (kp_api_versions_response){ .error_code = 35, .finalized_features_epoch = -1 };
        r.api_keys.v = &own;
        r.api_keys.n = f->versions_hidden ? 0 : 1;
        must(kp_wire_encode(&frame, api->response, 0, false, &r));
    } else {
        must(kp_wire_encode(&frame, api->response, version, version >= api->flexible, &r));
    }
    for (int i = 0; i < f->surplus; i++)
        kp_buf_chr(&frame, 0);
    uint32_t size = htonl((uint32_t)frame.n - 4);
    memcpy(frame.p, &size, 4);
    deliver(p, &frame);
}

static void answer(fake_peer *p, const kp_api *api, const fake_request *rq, int32_t correlation)
{
    fake_broker *f = p->f;
    KP_AUTO_ARENA a = kp_arena_new("fake broker", 64 << 20);
    KP_AUTO_BUF frame = KP_BUF_INIT(KP_FRAME_LIMIT);
    fake_put(&frame, 4, 0);
    fake_put(&frame, 4, correlation + f->correlation_off);
    if (api) {
        const void *response = f->answer(f->ud, f, rq, a);
        bool flexible = rq->version >= api->flexible;
        if (!response)
            return;
        if (flexible)
            fake_put(&frame, 1, 0);
        must(kp_wire_encode(&frame, api->response, rq->version, flexible, response));
    } else {
        f->raw(f->ud, f, rq, &frame);
    }
    for (int i = 0; i < f->surplus; i++)
        kp_buf_chr(&frame, 0);
    uint32_t size = htonl((uint32_t)frame.n - 4);
    memcpy(frame.p, &size, 4);
    if (f->cut) {
        send_all(p, frame.p, (size_t)f->cut);
        f->cut = 0;
        hang_up(p);
        return;
    }
    deliver(p, &frame);
}

/* One request: header, body by the tables, answer. */
static void take_request(fake_peer *p, const unsigned char *b, size_t n)
{
    fake_broker *f = p->f;
    KP_AUTO_ARENA a = kp_arena_new("fake request", 64 << 20);
    fake_request rq = { .api = b[0] << 8 | b[1], .version = b[2] << 8 | b[3] };
    int32_t correlation = (int32_t)kp_frame_size(b + 4);
    size_t id_n = (size_t)(b[8] << 8 | b[9]);
    id_n = id_n == 0xffff ? 0 : id_n;
    const kp_api *api = kp_api_find(rq.api);
    rq.client_id = kp_strndup(a, (const char *)b + 10, id_n);
    size_t body = 10 + id_n;
    rq.body = b + body;
    if (rq.api == KP_API_VERSIONS) {
        if (!f->mute)
            answer_versions(p, rq.version, correlation);
        return;
    }
    if (api) {
        size_t rest;
        void *message;
        bool flexible = rq.version >= api->flexible;
        body += flexible ? 1 : 0; /* no header tags */
        must(kp_wire_decode(a, api->request, rq.version, flexible, b + body, n - body, &message,
                            &rest));
        rq.message = message;
    }
    snprintf(f->client_id, sizeof(f->client_id), "%s", rq.client_id);
    f->requests++;
    f->last_version = rq.version;
    if (!f->mute && !f->mute_but_versions)
        answer(p, api, &rq, correlation);
}

static void on_peer(void *ud, int fd, short revents)
{
    fake_peer *p = ud;
    char chunk[65536];
    if (revents & POLLOUT)
        flush(p);
    ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        hang_up(p);
        return;
    }
    kp_buf_add(&p->in, chunk, (size_t)n);
    while (p->fd >= 0 && p->in.n >= 4 && p->in.n >= 4 + (size_t)kp_frame_size(p->in.p)) {
        size_t size = kp_frame_size(p->in.p);
        take_request(p, (const unsigned char *)p->in.p + 4, size);
        if (p->fd >= 0)
            kp_buf_cut(&p->in, 4 + size);
    }
}

static void on_listener(void *ud, int fd, short revents KP_UNUSED)
{
    fake_broker *f = ud;
    int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer < 0)
        return;
    f->connections++;
    for (int i = 0; i < FAKE_PEERS; i++) {
        fake_peer *p = &f->peers[i];
        if (p->fd >= 0)
            continue;
        *p = (fake_peer){ .f = f, .fd = peer, .in = KP_BUF_INIT(KP_FRAME_LIMIT) };
        f->held[i] = KP_BUF_INIT(KP_FRAME_LIMIT);
        p->watch = kp_watch_add(f->l, peer, POLLIN, on_peer, p);
        if (f->greeting)
            send_all(p, f->greeting, f->greeting_n);
        return;
    }
    close(peer);
}

fake_broker *fake_start(kp_loop *l, uint16_t port)
{
    fake_broker *f = calloc(1, sizeof(*f));
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    socklen_t size = sizeof(at);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->l = l;
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(f->fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
    if (bind(f->fd, (struct sockaddr *)&at, size) || listen(f->fd, 16) ||
        getsockname(f->fd, (struct sockaddr *)&at, &size))
        kp_die("fake broker: %s", strerror(errno));
    f->port = ntohs(at.sin_port);
    snprintf(f->address, sizeof(f->address), "127.0.0.1:%d", f->port);
    f->watch = kp_watch_add(l, f->fd, POLLIN, on_listener, f);
    for (int i = 0; i < FAKE_PEERS; i++)
        f->peers[i].fd = -1;
    f->versions.finalized_features_epoch = -1;
    f->versions.api_keys.v = f->ranges;
    f->versions_max = kp_api_find(KP_API_VERSIONS)->max;
    for (size_t i = 0; i < kp_apis_n; i++)
        fake_range(f, kp_apis[i].key, kp_apis[i].min, kp_apis[i].max);
    return f;
}

void fake_hang_up(fake_broker *f)
{
    for (int i = 0; i < FAKE_PEERS; i++)
        hang_up(&f->peers[i]);
}

void fake_stop(fake_broker *f)
{
    fake_hang_up(f);
    kp_watch_remove(f->watch);
    close(f->fd);
    free(f);
}

void fake_range(fake_broker *f, int api, int min, int max)
{
    int32_t i = 0;
    while (i < f->versions.api_keys.n && f->ranges[i].api_key != api)
        i++;
    if (min > max) {
        f->ranges[i] = f->ranges[--f->versions.api_keys.n];
        return;
    }
    f->ranges[i] = (kp_api_range){ (int16_t)api, (int16_t)min, (int16_t)max };
    if (i == f->versions.api_keys.n)
        f->versions.api_keys.n++;
}

bool fake_wait(kp_loop *l, const bool *done, kp_ms limit)
{
    kp_ms until = kp_mono_now() + limit;
    while (!*done && kp_mono_now() < until)
        kp_loop_turn(l, until);
    return *done;
}

void fake_turn(kp_loop *l, kp_ms time)
{
    bool never = false;
    fake_wait(l, &never, time);
}
