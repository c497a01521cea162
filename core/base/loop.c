/* The loop: the only poll() of the program, and so the only place where it sleeps.
 *
 * Watches stand in two parallel arrays (the second is what poll reads); timers stand in a min-heap
 * by deadline and, among equals, by age.  One turn polls once, then runs the watches that are
 * ready, then the timers that are due.  Callbacks may add and remove anything: what is added is
 * first looked at in the next turn, what is removed is not called any more, and its memory is
 * freed when no loop over it is running.
 *
 * SIGINT, SIGTERM and SIGHUP arrive as bytes in a pipe that poll watches as well, so a signal that
 * comes just before the poll is not lost.
 */
#include "base/base.h"
#include "base/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    WATCH_LIMIT = 1 << 16,
    TIMER_LIMIT = 1 << 20,
};

struct kp_watch {
    kp_loop *l;
    kp_watch_fn fn; /* NULL: removed while the loop was calling */
    void *ud;
    int fd;
    short events;
    size_t at; /* index in both arrays */
};

struct kp_timer {
    kp_loop *l;
    kp_timer_fn fn; /* NULL: removed while it was due */
    void *ud;
    size_t pos;      /* in the heap; KP_HEAP_OUT when due */
    kp_timer *after; /* the next one that is due */
};

struct kp_loop {
    kp_watch **watches; /* slot 0 has no watch: it is the signal pipe's */
    struct pollfd *fds;
    size_t n, cap;
    bool turning, removed;

    kp_heap timers; /* by time and age */
    uint64_t born;
    kp_timer *due; /* taken from the heap, still to be called */

    int pipe[2]; /* -1 until signals are caught */
    int signals;
    struct sigaction before[5]; /* of `caught` */
};

static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ };

static volatile sig_atomic_t signal_fd = -1;

#define FROZEN (2 * KP_SECOND) /* poll is never that late by itself */
static kp_ms frozen; /* all that time */

kp_ms kp_mono_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (kp_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000 - frozen;
}

kp_ms kp_wall_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (kp_ms)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- watches ---- */

static void watch_slot_grow(kp_loop *l)
{
    if (l->n < l->cap)
        return;
    if (l->n >= WATCH_LIMIT)
        kp_die("more than %d descriptors are watched at once", WATCH_LIMIT);
    l->cap = l->cap ? l->cap * 2 : 16;
    l->watches = kp_realloc(l->watches, l->cap * sizeof(kp_watch *));
    l->fds = kp_realloc(l->fds, l->cap * sizeof(struct pollfd));
}

kp_loop *kp_loop_new(void)
{
    kp_loop *l = kp_malloc(sizeof *l);
    *l = (kp_loop){ .pipe = { -1, -1 } };
    watch_slot_grow(l);
    l->watches[0] = NULL;
    l->fds[0] = (struct pollfd){ .fd = -1, .events = POLLIN };
    l->n = 1;
    return l;
}

kp_watch *kp_watch_add(kp_loop *l, int fd, short events, kp_watch_fn fn, void *ud)
{
    watch_slot_grow(l);
    kp_watch *w = kp_malloc(sizeof *w);
    *w = (kp_watch){ .l = l, .fn = fn, .ud = ud, .fd = fd, .at = l->n };
    l->watches[l->n] = w;
    l->fds[l->n] = (struct pollfd){ .fd = -1 };
    l->n++;
    kp_watch_events(w, events);
    return w;
}

void kp_watch_events(kp_watch *w, short events)
{
    struct pollfd *p = &w->l->fds[w->at];
    w->events = events;
    p->events = events;
    p->fd = events ? w->fd : -1;
}

static void watch_take_out(kp_loop *l, size_t i)
{
    free(l->watches[i]);
    l->n--;
    if (i < l->n) {
        l->watches[i] = l->watches[l->n];
        l->fds[i] = l->fds[l->n];
        l->watches[i]->at = i;
    }
}

void kp_watch_remove(kp_watch *w)
{
    if (!w)
        return;
    kp_loop *l = w->l;
    if (!l->turning) {
        watch_take_out(l, w->at);
        return;
    }
    w->fn = NULL;
    w->events = 0;
    l->fds[w->at].fd = -1;
    l->removed = true;
}

/* ---- timers ---- */

kp_timer *kp_timer_add(kp_loop *l, kp_ms at, kp_timer_fn fn, void *ud)
{
    if (l->timers.n >= TIMER_LIMIT)
        kp_die("more than %d timers are set at once", TIMER_LIMIT);
    kp_timer *t = kp_malloc(sizeof *t);
    *t = (kp_timer) { .l = l, .fn = fn, .ud = ud, .pos = KP_HEAP_OUT };
    kp_heap_add(&l->timers, (kp_due) { .due = at, .order = l->born++, .of = t, .at = &t->pos });
    return t;
}

void kp_timer_remove(kp_timer *t)
{
    if (!t)
        return;
    if (t->pos == KP_HEAP_OUT) {
        t->fn = NULL;
        return;
    }
    kp_heap_remove(&t->l->timers, t->pos);
    free(t);
}

/* ---- a turn ---- */

static void run_watches(kp_loop *l)
{
    size_t n = l->n;
    for (size_t i = 1; i < n; i++) {
        kp_watch *w = l->watches[i];
        short wanted = (short)(w->events | POLLERR | POLLHUP | POLLNVAL);
        short revents = l->fds[i].revents & wanted;
        if (w->fn && w->events && revents)
            w->fn(w->ud, w->fd, revents);
    }
}

static kp_ms next_timer(const kp_loop *l)
{
    return l->timers.n > 0 ? l->timers.item[0].due : INT64_MAX;
}

/* Takes every due timer out of the heap first: timers set by callbacks wait for the next turn. */
static void run_timers(kp_loop *l, kp_ms now)
{
    kp_timer **end = &l->due;
    while (next_timer(l) <= now) {
        kp_timer *t = kp_heap_take_first(&l->timers).of;
        t->after = NULL;
        *end = t;
        end = &t->after;
    }
    while (l->due) {
        kp_timer *t = l->due;
        kp_timer_fn fn = t->fn;
        void *ud = t->ud;
        l->due = t->after;
        free(t);
        if (fn)
            fn(ud);
    }
}

static void drain_signals(kp_loop *l)
{
    char bytes[64];
    ssize_t n;
    while ((n = read(l->pipe[0], bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR))
        l->signals += n > 0 ? (int)n : 0;
}

/* For poll: milliseconds, -1 for ever. */
static int timeout_until(kp_ms end, kp_ms now)
{
    if (end == KP_NEVER)
        return -1;
    if (end <= now)
        return 0;
    return end - now < INT_MAX ? (int)(end - now) : INT_MAX;
}

void kp_loop_turn(kp_loop *l, kp_ms until)
{
    if (l->turning)
        kp_die("kp_loop_turn was called by a callback of the loop (a bug in kplay)");
    for (;;) {
        kp_ms end = next_timer(l) < until ? next_timer(l) : until;
        kp_ms now = kp_mono_now(), before = now;
        int ready = poll(l->fds, (nfds_t)l->n, timeout_until(end, now));
        if (ready < 0 && errno != EINTR && errno != EAGAIN)
            kp_die("poll failed: %s", strerror(errno));
        now = kp_mono_now();
        if (end != KP_NEVER && now > (end > before ? end : before) + FROZEN) {
            frozen += now - before;
            now = before;
        }
        bool timer_due = next_timer(l) <= now;
        if (ready <= 0 && !timer_due && now < until)
            continue;

        l->turning = true;
        if (ready > 0 && l->fds[0].revents)
            drain_signals(l);
        if (ready > 0)
            run_watches(l);
        if (timer_due)
            run_timers(l, now);
        l->turning = false;
        for (size_t i = l->n; l->removed && i-- > 1;)
            if (!l->watches[i]->fn)
                watch_take_out(l, i);
        l->removed = false;
        return;
    }
}

static void note_ready(void *ud, int fd, short revents)
{
    (void)fd;
    (void)revents;
    *(bool *)ud = true;
}

bool kp_loop_readable(kp_loop *l, int fd)
{
    bool ready = false;
    int signals = l->signals;
    kp_watch *w = kp_watch_add(l, fd, POLLIN, note_ready, &ready);
    while (!ready && l->signals == signals)
        kp_loop_turn(l, KP_NEVER);
    kp_watch_remove(w);
    return ready;
}

/* ---- signals ---- */

static void on_signal(int sig)
{
    (void)sig;
    int saved = errno;
    ssize_t n = write((int)signal_fd, "", 1); /* a full pipe has enough bytes to end the wait */
    (void)n;
    errno = saved;
}

void kp_loop_catch_signals(kp_loop *l)
{
    if (l->pipe[0] >= 0)
        return;
    if (pipe2(l->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        kp_die("no pipe for signals: %s", strerror(errno));
    l->fds[0].fd = l->pipe[0];
    signal_fd = l->pipe[1];
    for (size_t i = 0; i < KP_COUNT(caught); i++) {
        struct sigaction act = { .sa_flags = SA_RESTART };
        bool error = caught[i] == SIGPIPE || caught[i] == SIGXFSZ; /* of the write that raises it */
        act.sa_handler = error ? SIG_IGN : on_signal;
        sigemptyset(&act.sa_mask);
        sigaction(caught[i], NULL, &l->before[i]);
        bool nohup = caught[i] == SIGHUP && l->before[i].sa_handler == SIG_IGN;
        if (!nohup) /* under nohup(1) the end of the terminal is to be no concern of ours */
            sigaction(caught[i], &act, NULL);
    }
}

int kp_loop_signals(const kp_loop *l)
{
    return l->signals;
}

void kp_loop_free(kp_loop *l)
{
    if (!l)
        return;
    if (l->pipe[0] >= 0) {
        for (size_t i = 0; i < KP_COUNT(caught); i++)
            sigaction(caught[i], &l->before[i], NULL);
        signal_fd = -1;
        close(l->pipe[0]);
        close(l->pipe[1]);
    }
    for (size_t i = 1; i < l->n; i++)
        free(l->watches[i]);
    for (size_t i = 0; i < l->timers.n; i++)
        free(l->timers.item[i].of);
    free(l->watches);
    free(l->fds);
    kp_heap_done(&l->timers);
    free(l);
}
