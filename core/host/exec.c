/* A command: one run of a script on a host, from waiting to an answer that can be believed.
 *
 * SSH cannot be asked whether a command succeeded: a command killed by a signal, a session that
 * was cut and a channel closed without a status all leave exit status 0 behind.  A login shell may
 * print before, and a forced command instead of, what was asked for.  So the script is wrapped:
 *
 *     {
 *     print KPLAY-BEGIN:<nonce>, on stdout and on stderr
 *     ( eval '<the script>' )
 *     print KPLAY-RC:<nonce>:<its exit code>
 *     }
 *
 * and the answer is what stands between the two lines.  It is believed only if the last line is
 * there, is the last thing said, and the channel ended in an orderly way without a signal.  All
 * else is "unknown".  The nonce is new for every run.
 *
 * The login shell is given one short line that any shell understands,
 *
 *     exec <become> /bin/sh -c 'eval "$(head -c <n>)"' kplay
 *
 * and the script follows on stdin, as the first n bytes; what follows those is the script's own
 * stdin.  The braces make it one command: a script cut short in transit is a syntax error and no
 * part of it runs.
 *
 * Answers are delivered from a timer of the loop, never from inside a transport or a call, so a
 * kp_host_fn may ask and cancel whatever it likes.
 */
#include "host/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BEGIN_MARK "\nKPLAY-BEGIN:"
#define RC_MARK "\nKPLAY-RC:"

/* The markers and the login's noise come on top of the limits of an answer. */
enum { NOISE_LIMIT = 64 << 10 };

static void make_nonce(char *nonce)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[NONCE_BYTES];
    ssize_t n;
    do
        n = getrandom(bytes, sizeof bytes, 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof bytes)
        kp_die("no random bytes from the kernel: %s", strerror(errno));
    for (size_t i = 0; i < NONCE_BYTES; i++) {
        nonce[2 * i] = hex[bytes[i] >> 4];
        nonce[2 * i + 1] = hex[bytes[i] & 15];
    }
    nonce[NONCE_BYTES * 2] = '\0';
}

static void wrap(kp_buf *b, const char *nonce, const char *script)
{
    kp_buf_fmt(b, "{\nprintf '\\nKPLAY-BEGIN:%s\\n'\nprintf '\\nKPLAY-BEGIN:%s\\n' >&2\n(\neval ",
               nonce, nonce);
    kp_quote(b, script);
    kp_buf_fmt(b, "\n)\nprintf '\\nKPLAY-RC:%s:%%s\\n' \"$?\"\n}\n", nonce);
}

static char *login_line(const kp_host *h, kp_host_as as, size_t n)
{
    KP_AUTO_BUF b = KP_BUF_INIT(KP_HOST_SCRIPT_LIMIT);
    kp_buf_str(&b, "exec ");
    if (as == KP_AS_FILES)
        kp_quote_words(&b, h->spec.become_files);
    kp_buf_fmt(&b, "/bin/sh -c 'eval \"$(head -c %zu)\"' kplay", n);
    char *line = kp_malloc(b.n + 1);
    memcpy(line, b.p, b.n + 1);
    return line;
}

/* ---- judging ---- */

static const char *find(const char *p, size_t n, const char *what, size_t what_n)
{
    return n ? memmem(p, n, what, what_n) : NULL;
}

/* The bytes after the line that opens the answer; NULL when it is not there. */
static const char *after_begin(const kp_exec *x, const kp_buf *b)
{
    char mark[sizeof BEGIN_MARK + sizeof x->nonce + 1];
    size_t n = 0;
    memcpy(mark, BEGIN_MARK, sizeof BEGIN_MARK - 1);
    n += sizeof BEGIN_MARK - 1;
    memcpy(mark + n, x->nonce, sizeof x->nonce - 1);
    n += sizeof x->nonce - 1;
    mark[n++] = '\n';
    const char *p = find(b->p, b->n, mark, n);
    return p ? p + n : NULL;
}

/* Whether the bytes end with the trailer; then where the answer ends, and the exit code. */
static bool read_trailer(const kp_exec *x, const char *p, size_t n, size_t *ret_n, int *ret_rc)
{
    char mark[sizeof RC_MARK + sizeof x->nonce + 1];
    size_t mark_n = 0;
    memcpy(mark, RC_MARK, sizeof RC_MARK - 1);
    mark_n += sizeof RC_MARK - 1;
    memcpy(mark + mark_n, x->nonce, sizeof x->nonce - 1);
    mark_n += sizeof x->nonce - 1;
    mark[mark_n++] = ':';

    size_t digits = 0;
    if (n == 0 || p[n - 1] != '\n')
        return false;
    while (digits < 3 && digits + 1 < n && p[n - 2 - digits] >= '0' && p[n - 2 - digits] <= '9')
        digits++;
    if (digits == 0 || n < mark_n + digits + 1)
        return false;
    size_t end = n - 1 - digits - mark_n;
    if (memcmp(p + end, mark, mark_n) != 0)
        return false;
    int rc = 0;
    for (size_t i = end + mark_n; i < n - 1; i++)
        rc = rc * 10 + (p[i] - '0');
    *ret_n = end;
    *ret_rc = rc;
    return true;
}

static kp_err *unknown(const kp_exec *x, const char *why)
{
    kp_err *e = kp_err_new(KP_HOST,
                           "look at the host before anything is asked of it again; when this "
                           "repeats, look at its network and its sshd",
                           "unknown: %s", why);
    return kp_err_retriable(kp_err_at(e, "%s", x->h->spec.name));
}

/* What was said before the script began, as far as a person can use it: the last line. */
static char *noise(const kp_exec *x)
{
    const kp_buf *b = x->err.n ? &x->err : &x->out;
    size_t end = b->n;
    while (end > 0 && strchr(" \t\r\n", b->p[end - 1]))
        end--;
    size_t begin = end;
    while (begin > 0 && b->p[begin - 1] != '\n' && end - begin < 300)
        begin--;
    return kp_printable(x->a, b->n ? b->p + begin : "", end - begin);
}

/* The script never began, and something else spoke in its place. */
static kp_err *not_begun(const kp_exec *x, int status)
{
    const char *said = noise(x);
    if (strstr(said, "sudo: "))
        return kp_err_at(
            kp_err_new(KP_HOST, "kplay cluster check --sudoers prints what sudo must allow",
                       "not allowed: %s", said),
            "%s", x->h->spec.name);
    kp_err *e = kp_err_new(KP_HOST,
                           "run `true` on it by hand as this user: a shell must come up",
                           "no shell came up (exit %d)%s%s", status, *said ? ": " : "", said);
    return kp_err_at(e, "%s", x->h->spec.name);
}

static kp_err *judge(kp_exec *x, int status, const char *signal)
{
    const char *p = after_begin(x, &x->out);
    if (signal)
        return unknown(x, kp_printf(x->a, "the command was ended by signal %s", signal));
    if (!p && status != 0)
        return not_begun(x, status);
    if (!p)
        return unknown(x, "the channel was closed before the script began");
    if (x->out.overflow)
        return kp_err_at(kp_err_new(KP_HOST, "ask for less at once",
                                    "the answer is longer than %u bytes", KP_HOST_OUT_LIMIT),
                         "%s", x->h->spec.name);
    size_t n = x->out.n - (size_t)(p - x->out.p), out_n;
    int rc;
    if (!read_trailer(x, p, n, &out_n, &rc))
        return unknown(x, "the channel was closed before the script ended");

    const char *err = after_begin(x, &x->err);
    size_t err_n = err ? x->err.n - (size_t)(err - x->err.p) : 0;
    if (err_n > KP_HOST_ERR_LIMIT)
        err_n = KP_HOST_ERR_LIMIT;
    x->answer = kp_map(x->a, "rc", kp_int(x->a, rc), "out", kp_bytes(x->a, p, out_n), "err",
                       kp_bytes(x->a, err ? err : "", err_n), NULL);
    return NULL;
}

/* ---- the life of a command ---- */

static void exec_free(kp_exec *x)
{
    kp_timer_remove(x->timer);
    kp_err_drop(x->failure);
    kp_buf_done(&x->head);
    kp_buf_done(&x->out);
    kp_buf_done(&x->err);
    free(x->line);
    free(x);
}

static bool list_remove(kp_exec **list, const kp_exec *x)
{
    for (; *list; list = &(*list)->next)
        if (*list == x) {
            *list = x->next;
            return true;
        }
    return false;
}

static void deliver(void *ud)
{
    kp_hosts *hs = ud;
    hs->deliver = NULL;
    hs->delivering = true;
    while (hs->finished) {
        kp_exec *x = hs->finished;
        hs->finished = x->next;
        if (!hs->finished)
            hs->finished_end = &hs->finished;
        kp_err *e = x->failure;
        x->failure = NULL;
        if (x->fn)
            x->fn(x->ud, e, x->answer);
        else
            kp_err_drop(e);
        exec_free(x);
    }
    hs->delivering = false;
}

static void turn(void *ud)
{
    kp_host *h = ud;
    h->turn = NULL;
    while (h->waiting && h->n_running < h->slots) {
        kp_exec *x = h->waiting;
        h->waiting = x->next;
        h->n_waiting--;
        x->next = h->running;
        h->running = x;
        h->n_running++;
        h->transport->start(x);
    }
}

/* Starts what waits, from the loop. */
static void turn_soon(kp_host *h)
{
    if (!h->turn && h->waiting && h->n_running < h->slots)
        h->turn = kp_timer_add(h->hs->l, kp_mono_now(), turn, h);
}

static void finish(kp_exec *x, kp_err *failure)
{
    kp_hosts *hs = x->h->hs;
    if (list_remove(&x->h->running, x))
        x->h->n_running--;
    else if (list_remove(&x->h->waiting, x))
        x->h->n_waiting--;
    kp_timer_remove(x->timer);
    x->timer = NULL;
    x->failure = failure;
    x->next = NULL;
    *hs->finished_end = x;
    hs->finished_end = &x->next;
    if (!hs->deliver && !hs->delivering)
        hs->deliver = kp_timer_add(hs->l, kp_mono_now(), deliver, hs);
    turn_soon(x->h);
}

static void on_deadline(void *ud)
{
    kp_exec *x = ud;
    x->timer = NULL;
    kp_err *e;
    if (x->may_have_run) {
        e = unknown(x, "no answer in time");
    } else {
        e = kp_err_new(KP_HOST, "see whether the host and its sshd answer, then run kplay resume",
                       "timed out before a command could be given to it");
        e = kp_err_retriable(kp_err_at(e, "%s", x->h->spec.name));
    }
    if (x->at)
        x->h->transport->abandon(x);
    finish(x, e);
}

size_t kp_exec_pending(const kp_exec *x, const char **ret_p)
{
    if (x->sent < x->head.n) {
        *ret_p = x->head.p + x->sent;
        return x->head.n - x->sent;
    }
    size_t at = x->sent - x->head.n;
    *ret_p = x->input_n ? x->input + at : "";
    return x->input_n - at;
}

void kp_exec_heard(kp_exec *x, int stream, const char *p, size_t n)
{
    kp_buf_add(stream == 1 ? &x->out : &x->err, p, n);
}

void kp_exec_ended(kp_exec *x, int status, const char *signal)
{
    x->at = NULL;
    finish(x, judge(x, status, signal));
}

void kp_exec_lost(kp_exec *x, kp_err *why)
{
    x->at = NULL;
    finish(x, kp_err_because(unknown(x, "the link was lost while a command ran"), why));
}

void kp_exec_failed(kp_exec *x, kp_err *e)
{
    x->at = NULL;
    finish(x, e);
}

void kp_exec_again(kp_exec *x)
{
    kp_host *h = x->h;
    x->at = NULL;
    x->again = true;
    list_remove(&h->running, x);
    h->n_running--;
    x->next = h->waiting;
    h->waiting = x;
    h->n_waiting++;
    turn_soon(h);
}

static kp_exec *exec_new(kp_host *h, kp_arena *a, kp_host_fn fn, void *ud)
{
    kp_exec *x = kp_malloc(sizeof *x);
    *x = (kp_exec){
        .h = h,
        .ticket = ++h->hs->last,
        .a = a,
        .fn = fn,
        .ud = ud,
        .head = KP_BUF_INIT(5 * KP_HOST_SCRIPT_LIMIT), /* quoting makes ' four times as long */
        .out = KP_BUF_INIT(KP_HOST_OUT_LIMIT + NOISE_LIMIT),
        .err = KP_BUF_INIT(KP_HOST_ERR_LIMIT + NOISE_LIMIT),
    };
    return x;
}

kp_ticket kp_exec_wrong(kp_host *h, kp_arena *a, kp_err *e, kp_host_fn fn, void *ud)
{
    kp_exec *x = exec_new(h, a, fn, ud);
    e = kp_err_certain(e); /* it was not sent */
    finish(x, *e->where ? e : kp_err_at(e, "%s", h->spec.name));
    return x->ticket;
}

kp_ticket kp_host_exec(kp_host *h, kp_arena *a, const kp_host_command *c, kp_host_fn fn, void *ud)
{
    if (strlen(c->script) > KP_HOST_SCRIPT_LIMIT)
        return kp_exec_wrong(h, a,
                             kp_err_new(KP_INTERNAL, "report it, with the command line",
                                        "a script is longer than %u bytes", KP_HOST_SCRIPT_LIMIT),
                             fn, ud);
    if (h->n_waiting >= KP_HOST_WAITING)
        return kp_exec_wrong(h, a,
                             kp_err_new(KP_HOST, "wait for the answers that are due",
                                        "more than %d commands wait for it", KP_HOST_WAITING),
                             fn, ud);
    kp_exec *x = exec_new(h, a, fn, ud);
    make_nonce(x->nonce);
    wrap(&x->head, x->nonce, c->script);
    x->line = login_line(h, c->as, x->head.n);
    x->input = c->input;
    x->input_n = c->input_n;
    kp_exec **end = &h->waiting;
    while (*end)
        end = &(*end)->next;
    *end = x;
    h->n_waiting++;
    if (c->deadline != KP_NEVER)
        x->timer = kp_timer_add(h->hs->l, c->deadline, on_deadline, x);
    turn_soon(h);
    return x->ticket;
}

void kp_exec_rename(kp_host *h, kp_ticket from, kp_ticket to)
{
    kp_exec *lists[] = { h->waiting, h->running, h->hs->finished };
    for (size_t i = 0; i < KP_COUNT(lists); i++)
        for (kp_exec *x = lists[i]; x; x = x->next)
            if (x->ticket == from)
                x->ticket = to;
}

void kp_host_cancel(kp_hosts *hs, kp_ticket t)
{
    for (kp_exec *x = hs->finished; x; x = x->next)
        if (x->ticket == t)
            x->fn = NULL;
    for (kp_host *h = hs->first; h; h = h->next) {
        kp_exec *found = NULL;
        for (kp_exec *x = h->running; x; x = x->next)
            if (x->ticket == t)
                found = x;
        for (kp_exec *x = h->waiting; x; x = x->next)
            if (x->ticket == t)
                found = x;
        if (!found)
            continue;
        if (found->at)
            h->transport->abandon(found);
        if (list_remove(&h->running, found))
            h->n_running--;
        else if (list_remove(&h->waiting, found))
            h->n_waiting--;
        exec_free(found);
        turn_soon(h);
        return;
    }
}

static void drop_list(kp_exec **list)
{
    while (*list) {
        kp_exec *x = *list;
        *list = x->next;
        if (x->at)
            x->h->transport->abandon(x);
        exec_free(x);
    }
}

void kp_exec_drop_all(kp_hosts *hs)
{
    kp_timer_remove(hs->deliver);
    hs->deliver = NULL;
    for (kp_host *h = hs->first; h; h = h->next) {
        kp_timer_remove(h->turn);
        h->turn = NULL;
        drop_list(&h->running);
        drop_list(&h->waiting);
        h->n_running = h->n_waiting = 0;
    }
    drop_list(&hs->finished);
}
