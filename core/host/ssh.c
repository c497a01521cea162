/* SSH by libssh2: one session per host, kept open, its commands each on a channel of their own.
 *
 * Nothing in here waits.  The library is used in non-blocking mode only: every call may answer
 * "again", and is then repeated when the loop says that the socket is ready.  Two of its habits
 * shape this file.
 *
 * A call that could not send all of its packet must be the very next one to send, with the same
 * bytes, or the session is broken.  So the channel that was stuck is remembered and is the only one
 * that moves until the rest is out, and what is written is copied to a buffer of the channel, so
 * that it outlives a command that is given up.
 *
 * One read of the socket may bring data for any channel, and the socket will not become ready for
 * it a second time.  So all channels are turned until none of them moves and nothing has come.  And
 * a channel that waits for the reply to its request takes the reply to another channel's for an
 * error.  So one channel at a time is opened and given its command.
 *
 * A session that broke while idle is noticed by the next command; as nothing of that command had
 * been sent, it may start once more on a new session.  A command whose line had been handed over
 * is never sent again: it is "unknown".
 *
 * Dead peers are noticed by TCP (keepalive probes, and a limit on unacknowledged data) and by
 * SSH messages from our own timer, as the library's own clock has a grain of a second.
 */
#include "host/ssh.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_LIMIT (10 * KP_SECOND) /* for TCP, all addresses together */
#define LOGIN_LIMIT (20 * KP_SECOND)   /* from there until commands can be run */
#define KEEPALIVE_EVERY (15 * KP_SECOND)
#define UNACKED_LIMIT (45 * KP_SECOND) /* data on its way this long: the peer is gone */

enum {
    CHUNK = 32 << 10,
    READ_SIZE = 16 << 10,
    READS_IN_A_ROW = 64,
    LINK_LIMIT = 48 << 20, /* two known_hosts files and what is made of them */
};

enum channel_state { CHANNEL_NEW, OPENING, STARTING, RUNNING, CLOSING, FREEING };
enum channel_op { OP_WRITE, OP_OUT, OP_ERR };

typedef struct channel {
    struct channel *next;
    kp_exec *x; /* NULL: given up, or answered */
    LIBSSH2_CHANNEL *c;
    enum channel_state state;
    enum channel_op op;
    char *line; /* the library keeps pointing at it */
    char *chunk;
    size_t chunk_n, chunk_at;
    bool eof_sent;
} channel;

enum link_state { CONNECTING, HANDSHAKE, AUTH, READY };

typedef struct ssh_link {
    kp_host *h;
    kp_arena *a; /* until READY */
    enum link_state state;
    int fd; /* -1 between two addresses */
    struct addrinfo *addrs, *addr;
    int connect_errno;
    LIBSSH2_SESSION *s;
    kp_known_keys known;
    kp_ssh_auth auth;
    kp_watch *watch;
    kp_timer *limit, *keepalive, *soon;
    channel *channels;
    channel *opening; /* and being given its command: one at a time */
    channel *stuck;
    bool came;                  /* bytes, in this turn */
    kp_ms heard_at, gave_up_at; /* when bytes came last, and when a command was given up */
    bool refused; /* the server would not open one */
} ssh_link;

enum step { STEP_MOVED, STEP_WAITS, STEP_STUCK, STEP_LOST };

static void pump(ssh_link *l);
static void on_event(void *ud, int fd, short revents);

/* ---- ending ---- */

static void channel_free(channel *c)
{
    free(c->line);
    free(c->chunk);
    free(c);
}

static void link_free(ssh_link *l)
{
    kp_watch_remove(l->watch);
    kp_timer_remove(l->limit);
    kp_timer_remove(l->keepalive);
    kp_timer_remove(l->soon);
    while (l->channels) {
        channel *c = l->channels;
        l->channels = c->next;
        channel_free(c);
    }
    kp_ssh_auth_end(&l->auth);
    /* With the socket shut down first, freeing does not wait for the peer. */
    if (l->fd >= 0)
        shutdown(l->fd, SHUT_RDWR);
    if (l->s) {
        for (int i = 0; i < 100 && libssh2_session_free(l->s) == LIBSSH2_ERROR_EAGAIN; i++)
            ;
        libssh2_exit();
    }
    if (l->fd >= 0)
        close(l->fd);
    if (l->addrs)
        freeaddrinfo(l->addrs);
    kp_arena_free(l->a);
    free(l);
}

/* The session is gone.  Takes `why` over; `l` is gone when it returns. */
static void lose(ssh_link *l, kp_err *why)
{
    l->h->link = NULL;
    for (channel *c = l->channels; c; c = c->next) {
        kp_exec *x = c->x;
        c->x = NULL;
        if (!x)
            continue;
        if (x->may_have_run)
            kp_exec_lost(x, kp_err_copy(why));
        else if (l->state == READY && !x->again)
            kp_exec_again(x);
        else
            kp_exec_failed(x, kp_err_copy(why));
    }
    kp_err_drop(why);
    link_free(l);
}

static kp_err *retriable(const ssh_link *l, kp_err *e)
{
    return kp_err_retriable(kp_err_at(e, "%s", l->h->spec.name));
}

static kp_err *session_error(const ssh_link *l)
{
    if (l->refused)
        return retriable(l, kp_err_new(KP_HOST, "look at MaxSessions and at the host's sshd log",
                                       "the host lets us in but opens no session"));
    char *text = NULL;
    int rc = libssh2_session_last_error(l->s, &text, NULL, 0);
    return retriable(l, kp_err_new(KP_HOST, "see whether the host, its network and its sshd are up",
                                   "the SSH session ended (libssh2 %d: %s)", rc,
                                   text ? text : "no reason given"));
}

/* ---- channels ---- */

static enum step again(const ssh_link *l)
{
    int directions = libssh2_session_block_directions(l->s);
    return directions & LIBSSH2_SESSION_BLOCK_OUTBOUND ? STEP_STUCK : STEP_WAITS;
}

static void channel_remove(ssh_link *l, channel *c)
{
    channel **p = &l->channels;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    channel_free(c);
}

static size_t count_running(const ssh_link *l)
{
    size_t n = 0;
    for (const channel *c = l->channels; c; c = c->next)
        n += c->x && c->state >= STARTING;
    return n;
}

/* Every command on it was given up, and not a byte has come since: what answers may hang. */
static bool is_hung(const ssh_link *l)
{
    for (const channel *c = l->channels; c; c = c->next)
        if (c->x)
            return false;
    return l->channels && l->heard_at < l->gave_up_at;
}

/* The server opens no further channel: go on with as many as there are.  When none is at work,
 * commands that were given up still hold the server's sessions, and only a new login helps. */
static enum step open_refused(ssh_link *l, channel *c)
{
    size_t running = count_running(l);
    if (running == 0) {
        l->refused = true;
        return STEP_LOST;
    }
    kp_exec *x = c->x;
    channel_remove(l, c);
    l->h->slots = running;
    if (x)
        kp_exec_again(x);
    return STEP_MOVED;
}

static enum step step_open(ssh_link *l, channel *c)
{
    if (l->opening && l->opening != c)
        return STEP_WAITS;
    l->opening = c;
    c->state = OPENING;
    c->c = libssh2_channel_open_session(l->s);
    int rc = c->c ? 0 : libssh2_session_last_errno(l->s);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return again(l);
    if (rc && rc != LIBSSH2_ERROR_CHANNEL_FAILURE)
        return STEP_LOST;
    if (rc || !c->x)
        l->opening = NULL;
    if (rc)
        return open_refused(l, c);
    c->state = c->x ? STARTING : FREEING;
    return STEP_MOVED;
}

static enum step step_start(ssh_link *l, channel *c)
{
    if (c->x)
        c->x->may_have_run = true;
    int rc = libssh2_channel_process_startup(c->c, "exec", 4, c->line, (unsigned)strlen(c->line));
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return again(l);
    l->opening = NULL;
    if (rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED) {
        kp_exec *x = c->x;
        c->x = NULL;
        c->state = FREEING;
        if (x)
            kp_exec_failed(x, kp_err_at(kp_err_new(KP_HOST,
                                                   "this user's account must allow commands, not "
                                                   "only transfers or forwarding",
                                                   "the host runs no commands for this user"),
                                        "%s", l->h->spec.name));
        return STEP_MOVED;
    }
    if (rc)
        return STEP_LOST;
    c->state = RUNNING;
    c->chunk = kp_malloc(CHUNK);
    return STEP_MOVED;
}

static enum step feed(ssh_link *l, channel *c)
{
    enum step done = STEP_WAITS;
    for (;;) {
        if (c->chunk_at == c->chunk_n) {
            const char *p;
            size_t n = c->x ? kp_exec_pending(c->x, &p) : 0;
            if (n == 0)
                break;
            c->chunk_n = n < CHUNK ? n : CHUNK;
            c->chunk_at = 0;
            memcpy(c->chunk, p, c->chunk_n);
            c->x->sent += c->chunk_n;
        }
        ssize_t n = libssh2_channel_write(c->c, c->chunk + c->chunk_at, c->chunk_n - c->chunk_at);
        if (n == LIBSSH2_ERROR_EAGAIN && again(l) == STEP_STUCK)
            return STEP_STUCK;
        if (n == LIBSSH2_ERROR_EAGAIN || n == LIBSSH2_ERROR_CHANNEL_CLOSED || n == 0)
            return done;
        if (n < 0)
            return STEP_LOST;
        c->chunk_at += (size_t)n;
        done = STEP_MOVED;
    }
    if (!c->eof_sent) {
        int rc = libssh2_channel_send_eof(c->c);
        if (rc == LIBSSH2_ERROR_EAGAIN)
            return STEP_STUCK;
        if (rc)
            return STEP_LOST;
        c->eof_sent = true;
        done = STEP_MOVED;
    }
    return done;
}

static enum step drain(ssh_link *l, channel *c, int stream)
{
    char bytes[READ_SIZE];
    enum step done = STEP_WAITS;
    for (int i = 0; i < READS_IN_A_ROW; i++) {
        ssize_t n = libssh2_channel_read_ex(c->c, stream == 1 ? 0 : SSH_EXTENDED_DATA_STDERR, bytes,
                                            sizeof bytes);
        if (n == LIBSSH2_ERROR_EAGAIN && again(l) == STEP_STUCK)
            return STEP_STUCK;
        if (n == LIBSSH2_ERROR_EAGAIN || n == 0)
            break;
        if (n < 0)
            return STEP_LOST;
        if (c->x)
            kp_exec_heard(c->x, stream, bytes, (size_t)n);
        done = STEP_MOVED;
    }
    return done;
}

/* Write, read, read; resumed at the one that was stuck. */
static enum step step_run(ssh_link *l, channel *c)
{
    bool moved = false;
    if (!c->x && l->stuck != c) {
        c->state = FREEING;
        return STEP_MOVED;
    }
    do {
        enum step r = STEP_WAITS;
        if (c->op != OP_WRITE)
            r = drain(l, c, c->op == OP_OUT ? 1 : 2);
        else if (!libssh2_channel_eof(c->c))
            r = feed(l, c);
        if (r == STEP_STUCK || r == STEP_LOST)
            return r;
        moved |= r == STEP_MOVED;
        c->op = c->op == OP_WRITE ? OP_OUT : c->op == OP_OUT ? OP_ERR : OP_WRITE;
    } while (c->op != OP_WRITE);
    if (libssh2_channel_eof(c->c)) {
        c->state = CLOSING;
        moved = true;
    }
    return moved ? STEP_MOVED : STEP_WAITS;
}

/* The exit status comes before the channel's close, so it is read after that. */
static enum step step_close(ssh_link *l, channel *c)
{
    int rc = libssh2_channel_wait_closed(c->c);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return again(l);
    if (rc)
        return STEP_LOST;
    char *signal = NULL;
    size_t signal_n = 0;
    libssh2_channel_get_exit_signal(c->c, &signal, &signal_n, NULL, NULL, NULL, NULL);
    kp_exec *x = c->x;
    c->x = NULL;
    c->state = FREEING;
    if (x)
        kp_exec_ended(x, libssh2_channel_get_exit_status(c->c), signal);
    if (signal)
        libssh2_free(l->s, signal);
    return STEP_MOVED;
}

static enum step step_free(ssh_link *l, channel *c)
{
    int rc = libssh2_channel_free(c->c);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return again(l);
    if (rc)
        return STEP_LOST;
    channel_remove(l, c);
    return STEP_MOVED;
}

static enum step step(ssh_link *l, channel *c)
{
    switch (c->state) {
    case CHANNEL_NEW:
    case OPENING:
        return step_open(l, c);
    case STARTING:
        return step_start(l, c);
    case RUNNING:
        return step_run(l, c);
    case CLOSING:
        return step_close(l, c);
    case FREEING:
        return step_free(l, c);
    }
    return STEP_LOST;
}

/* Turns every channel once, the stuck one first and alone until it is free. */
static enum step pump_once(ssh_link *l)
{
    if (l->stuck) {
        enum step r = step(l, l->stuck);
        if (r == STEP_STUCK || r == STEP_LOST)
            return r;
        l->stuck = NULL;
    }
    enum step all = STEP_WAITS;
    for (channel *c = l->channels, *next; c; c = next) {
        next = c->next;
        enum step r = step(l, c);
        if (r == STEP_STUCK)
            l->stuck = c;
        if (r == STEP_STUCK || r == STEP_LOST)
            return r;
        if (r == STEP_MOVED)
            all = STEP_MOVED;
    }
    return all;
}

static void pump(ssh_link *l)
{
    enum step r;
    do {
        l->came = false;
        r = pump_once(l);
    } while (r == STEP_MOVED || (r == STEP_WAITS && l->came));
    if (r == STEP_LOST) {
        lose(l, session_error(l));
        return;
    }
    kp_watch_events(l->watch, r == STEP_STUCK ? POLLOUT : POLLIN);
}

/* ---- coming up ---- */

static void on_keepalive(void *ud)
{
    ssh_link *l = ud;
    int next;
    l->keepalive = NULL;
    int rc = l->stuck ? 0 : libssh2_keepalive_send(l->s, &next);
    if (rc && rc != LIBSSH2_ERROR_EAGAIN) {
        lose(l, session_error(l));
        return;
    }
    l->keepalive = kp_timer_add(l->h->hs->l, kp_mono_now() + KEEPALIVE_EVERY, on_keepalive, l);
}

static void ready(ssh_link *l)
{
    l->state = READY;
    kp_timer_remove(l->limit);
    l->limit = NULL;
    kp_ssh_auth_end(&l->auth);
    l->known = (kp_known_keys){ .n = 0 };
    kp_arena_free(l->a);
    l->a = NULL;
    /* The library sends when its interval is over; 2 s is its least, so our timer decides. */
    libssh2_keepalive_config(l->s, 0, 2);
    l->keepalive = kp_timer_add(l->h->hs->l, kp_mono_now() + KEEPALIVE_EVERY, on_keepalive, l);
    pump(l);
}

static void wait_as_told(ssh_link *l)
{
    int directions = libssh2_session_block_directions(l->s);
    short events = 0;
    if (directions & LIBSSH2_SESSION_BLOCK_INBOUND)
        events |= POLLIN;
    if (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND)
        events |= POLLOUT;
    kp_watch_events(l->watch, events ? events : POLLIN);
}

static kp_err *log_in(ssh_link *l, bool *ret_done)
{
    if (l->state == HANDSHAKE) {
        int rc = libssh2_session_handshake(l->s, l->fd);
        if (rc == LIBSSH2_ERROR_EAGAIN)
            return NULL;
        if (rc)
            return kp_ssh_handshake_error(l->a, l->s, l->h, rc, &l->known);
        KP_TRY(kp_ssh_check_host_key(l->a, l->s, l->h, &l->known));
        KP_TRY(kp_ssh_auth_begin(&l->auth, l->s, l->h));
        l->state = AUTH;
    }
    return kp_ssh_auth_step(&l->auth, l->s, l->h, ret_done);
}

static void go_on_logging_in(ssh_link *l)
{
    bool done = false;
    kp_err *e = log_in(l, &done);
    if (e)
        lose(l, e);
    else if (done)
        ready(l);
    else
        wait_as_told(l);
}

/* Delayed acknowledgements and sshd's Nagle cost 40 ms a channel; the kernel drops the wish for
 * quick ones again and again, so it is repeated with every read. */
static ssize_t receive(libssh2_socket_t fd, void *buffer, size_t length, int flags,
                       void **abstract)
{
    ssh_link *l = *abstract;
    int on = 1;
    ssize_t n = recv(fd, buffer, length, flags);
    int saved = errno;
    if (n > 0) {
        l->came = true;
        l->heard_at = kp_mono_now();
    }
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    if (n < 0)
        return saved == EINTR || saved == EWOULDBLOCK ? -EAGAIN : -saved;
    return n;
}

static void set_socket(int fd)
{
    int on = 1, idle = (int)(KEEPALIVE_EVERY / KP_SECOND), count = 3;
    unsigned unacked = (unsigned)UNACKED_LIMIT;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof unacked);
}

static void on_limit(void *ud)
{
    ssh_link *l = ud;
    l->limit = NULL;
    const char *phase = l->state == CONNECTING ? "no TCP connection"
                        : l->state == HANDSHAKE ? "connected, but no SSH server answered"
                                                : "connected, but the login did not end";
    lose(l, retriable(l, kp_err_new(KP_HOST, "see whether the host is up and a firewall lets us in",
                                    "timed out: %s (%s port %d)", phase, l->h->spec.address,
                                    l->h->spec.port)));
}

static void set_limit(ssh_link *l, kp_ms limit)
{
    kp_timer_remove(l->limit);
    l->limit = kp_timer_add(l->h->hs->l, kp_mono_now() + limit, on_limit, l);
}

static kp_err *session_begin(ssh_link *l)
{
    if (libssh2_init(0) != 0)
        return kp_err_new(KP_INTERNAL, "look at the installed libssh2", "libssh2 does not start");
    l->s = libssh2_session_init_ex(NULL, NULL, NULL, l);
    if (!l->s) {
        libssh2_exit();
        return kp_err_new(KP_INTERNAL, "free some memory", "libssh2 makes no session");
    }
    libssh2_session_set_blocking(l->s, 0);
    libssh2_session_callback_set(l->s, LIBSSH2_CALLBACK_RECV, (void *)receive);
    return kp_ssh_offer(l->a, l->s, l->h, &l->known);
}

static void connect_next(ssh_link *l)
{
    while (l->addr) {
        const struct addrinfo *ai = l->addr;
        l->addr = ai->ai_next;
        l->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (l->fd < 0) {
            l->connect_errno = errno;
            continue;
        }
        set_socket(l->fd);
        if (connect(l->fd, ai->ai_addr, ai->ai_addrlen) == 0 || errno == EINPROGRESS) {
            l->watch = kp_watch_add(l->h->hs->l, l->fd, POLLOUT, on_event, l);
            return;
        }
        l->connect_errno = errno;
        close(l->fd);
        l->fd = -1;
    }
    lose(l, retriable(l, kp_err_new(KP_HOST, "see whether the host is up and its sshd listens",
                                    "unreachable: %s port %d: %s", l->h->spec.address,
                                    l->h->spec.port, strerror(l->connect_errno))));
}

static void connected(ssh_link *l)
{
    int problem = 0;
    socklen_t n = sizeof problem;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &problem, &n) < 0)
        problem = errno;
    if (problem) {
        l->connect_errno = problem;
        kp_watch_remove(l->watch);
        l->watch = NULL;
        close(l->fd);
        l->fd = -1;
        connect_next(l);
        return;
    }
    kp_err *e = session_begin(l);
    if (e) {
        lose(l, e);
        return;
    }
    l->state = HANDSHAKE;
    set_limit(l, LOGIN_LIMIT);
    go_on_logging_in(l);
}

/* Nothing is running.  Either the peer hung up, or it sent something that the next command will
 * read past (there is no call that reads without a channel). */
static void idle_event(ssh_link *l)
{
    char byte;
    ssize_t n = recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        l->h->link = NULL;
        link_free(l);
    } else if (n > 0) {
        kp_watch_events(l->watch, 0);
    }
}

static void on_event(void *ud, int fd, short revents)
{
    ssh_link *l = ud;
    (void)fd;
    (void)revents;
    if (l->state == CONNECTING)
        connected(l);
    else if (l->state != READY)
        go_on_logging_in(l);
    else if (l->channels)
        pump(l);
    else
        idle_event(l);
}

static kp_err *resolve(ssh_link *l)
{
    const kp_host_spec *s = &l->h->spec;
    struct addrinfo want = { .ai_socktype = SOCK_STREAM };
    char port[8];
    snprintf(port, sizeof port, "%d", s->port);
    int rc = getaddrinfo(s->address, port, &want, &l->addrs);
    if (rc == 0) {
        l->addr = l->addrs;
        return NULL;
    }
    l->addrs = NULL;
    kp_err *e = kp_err_new(KP_HOST, "see whether the name is right and the name service answers",
                           "unreachable: no address for %s: %s", s->address, gai_strerror(rc));
    return rc == EAI_AGAIN ? retriable(l, e) : kp_err_at(e, "%s", s->name);
}

static void link_begin(ssh_link *l)
{
    kp_err *e = kp_ssh_known_read(l->a, l->h, &l->known);
    if (!e)
        e = resolve(l);
    if (e) {
        lose(l, e);
        return;
    }
    set_limit(l, CONNECT_LIMIT);
    connect_next(l);
}

/* ---- the transport ---- */

static void on_soon(void *ud)
{
    ssh_link *l = ud;
    l->soon = NULL;
    if (l->state == READY && l->channels)
        pump(l);
}

static void ssh_start(kp_exec *x)
{
    kp_host *h = x->h;
    ssh_link *l = h->link;
    if (l && is_hung(l)) {
        h->link = NULL;
        link_free(l);
        l = NULL;
    }
    bool begin = !l;
    if (begin) {
        l = kp_malloc(sizeof *l);
        *l = (ssh_link){ .h = h, .fd = -1, .a = kp_arena_new("ssh session", LINK_LIMIT) };
        h->link = l;
        h->slots = KP_HOST_CHANNELS;
    }
    channel *c = kp_malloc(sizeof *c);
    *c = (channel){ .x = x };
    size_t n = strlen(x->line) + 1;
    c->line = kp_malloc(n);
    memcpy(c->line, x->line, n);
    channel **end = &l->channels;
    while (*end)
        end = &(*end)->next;
    *end = c;
    x->at = c;
    if (begin)
        link_begin(l);
    else if (l->state == READY && !l->soon)
        l->soon = kp_timer_add(h->hs->l, kp_mono_now(), on_soon, l);
}

static void ssh_abandon(kp_exec *x)
{
    ssh_link *l = x->h->link;
    channel *c = x->at;
    x->at = NULL;
    c->x = NULL;
    l->gave_up_at = kp_mono_now();
    if (c->state == CHANNEL_NEW)
        channel_remove(l, c);
    else if (!l->soon)
        l->soon = kp_timer_add(l->h->hs->l, kp_mono_now(), on_soon, l);
}

static void ssh_close(kp_host *h)
{
    ssh_link *l = h->link;
    if (!l)
        return;
    h->link = NULL;
    if (l->state == READY && !l->stuck)
        libssh2_session_disconnect(l->s, "done");
    link_free(l);
}

const kp_transport kp_transport_ssh = {
    .name = "ssh",
    .start = ssh_start,
    .abandon = ssh_abandon,
    .close = ssh_close,
};
