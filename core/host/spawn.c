/* Transports that are a process: this machine's shell, and the ssh program.
 *
 * `local` stands in for SSH where kplay runs on the host itself, and in the tests; it keeps SSH's
 * manners (own session, no terminal, a command that is given up goes on).  `openssh` runs ssh for
 * what libssh2 cannot do: jump hosts, certificates, Kerberos, RSA keys; the user's ssh_config
 * applies, except where it would weaken or prompt.  It costs a login for every command.
 *
 * A process is over when both of its outputs are closed and it has been reaped; its end is awaited
 * through a pidfd, so there is no signal handler and nothing to poll.  stdin is a socket, because a
 * write to it must not raise SIGPIPE.
 */
#include "host/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_SIZE = 16 << 10, READS_IN_A_ROW = 64, SSH_FAILED = 255 };

extern char **environ;

typedef struct proc {
    struct proc *next; /* in kp_host.link */
    kp_host *h;
    kp_exec *x; /* NULL: given up, only to be reaped */
    pid_t pid;
    int in, out, err, pidfd; /* -1: closed */
    kp_watch *in_watch, *out_watch, *err_watch, *pid_watch;
    int status;
    bool reaped;
} proc;

static void close_stream(int *fd, kp_watch **watch)
{
    kp_watch_remove(*watch);
    *watch = NULL;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void proc_free(proc *p)
{
    proc **list = (proc **)&p->h->link;
    while (*list != p)
        list = &(*list)->next;
    *list = p->next;
    close_stream(&p->in, &p->in_watch);
    close_stream(&p->out, &p->out_watch);
    close_stream(&p->err, &p->err_watch);
    close_stream(&p->pidfd, &p->pid_watch);
    free(p);
}

/* What ssh says before it has handed a command over.  Anything else it may say at its exit code
 * 255 can come in mid-command as well. */
static const struct {
    const char *said, *what, *next;
    bool retriable;
} ssh_words[] = {
    { "REMOTE HOST IDENTIFICATION HAS CHANGED", "CHANGED host key",
      "find out why: the host was installed anew, or somebody else answers for it", false },
    { "Host key verification failed", "unknown host key",
      "compare its fingerprint on the host's console, then add it by ssh-keyscan", false },
    { "Permission denied (", "login refused", "see that this user's key is allowed there", false },
    { "ssh: Could not resolve", "unreachable", "see whether the name is right", false },
    { "ssh: connect to host", "unreachable", "see whether the host is up and its sshd listens",
      true },
    { "kex_exchange_identification:", "unreachable", "see whether its sshd refuses logins", true },
};

/* The last line ssh wrote. */
static char *ssh_said(kp_arena *a, const kp_buf *err)
{
    size_t end = err->n;
    while (end > 0 && strchr("\r\n ", err->p[end - 1]))
        end--;
    size_t begin = end;
    while (begin > 0 && err->p[begin - 1] != '\n' && end - begin < 300)
        begin--;
    return kp_printable(a, err->n ? err->p + begin : "", end - begin);
}

/* ssh itself failed. */
static void ssh_failed(proc *p)
{
    kp_exec *x = p->x;
    KP_AUTO_ARENA a = kp_arena_new("ssh error", 64 << 10);
    const char *said = ssh_said(a, &x->err), *name = p->h->spec.name;
    for (size_t i = 0; i < KP_COUNT(ssh_words) && x->out.n == 0; i++) {
        if (!strstr(kp_buf_text(&x->err), ssh_words[i].said))
            continue;
        kp_err *e = kp_err_new(KP_HOST, ssh_words[i].next, "%s: %s", ssh_words[i].what, said);
        e = kp_err_at(e, "%s", name);
        kp_exec_failed(x, ssh_words[i].retriable ? kp_err_retriable(e) : e);
        return;
    }
    kp_exec_lost(x, kp_err_at(kp_err_new(KP_HOST, "see whether the host and its network are up",
                                         "ssh: %s", said),
                              "%s", name));
}

static void settle(proc *p)
{
    if (!p->reaped || p->out >= 0 || p->err >= 0)
        return;
    kp_exec *x = p->x;
    int status = WIFEXITED(p->status) ? WEXITSTATUS(p->status) : 128 + WTERMSIG(p->status);
    if (x && p->h->transport == &kp_transport_openssh && status == SSH_FAILED) {
        ssh_failed(p);
    } else if (x) {
        char name[24];
        snprintf(name, sizeof name, "%d", WTERMSIG(p->status));
        kp_exec_ended(x, status, WIFSIGNALED(p->status) ? name : NULL);
    }
    proc_free(p);
}

static void on_exit_of(void *ud, int fd, short revents)
{
    proc *p = ud;
    (void)fd;
    (void)revents;
    if (waitpid(p->pid, &p->status, WNOHANG) != p->pid)
        return;
    p->reaped = true;
    close_stream(&p->pidfd, &p->pid_watch);
    settle(p);
}

static void on_input(void *ud, int fd, short revents)
{
    proc *p = ud;
    (void)revents;
    const char *bytes;
    size_t n = kp_exec_pending(p->x, &bytes);
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (sent < 0)
            break; /* it reads no more; how it ends decides */
        p->x->sent += (size_t)sent;
        n = kp_exec_pending(p->x, &bytes);
    }
    close_stream(&p->in, &p->in_watch);
}

static void hear(proc *p, int stream)
{
    char bytes[READ_SIZE];
    int *fd = stream == 1 ? &p->out : &p->err;
    for (int i = 0; i < READS_IN_A_ROW; i++) {
        ssize_t n = read(*fd, bytes, sizeof bytes);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            close_stream(fd, stream == 1 ? &p->out_watch : &p->err_watch);
            settle(p);
            return;
        }
        kp_exec_heard(p->x, stream, bytes, (size_t)n);
    }
}

static void on_out(void *ud, int fd, short revents)
{
    (void)fd;
    (void)revents;
    hear(ud, 1);
}

static void on_err(void *ud, int fd, short revents)
{
    (void)fd;
    (void)revents;
    hear(ud, 2);
}

/* ---- starting ---- */

typedef struct pipes {
    int in[2], out[2], err[2]; /* [0] ours */
} pipes;

static bool open_pipes(pipes *s)
{
    int fds[2];
    *s = (pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->in) < 0)
        return false;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return false;
    s->out[0] = fds[0];
    s->out[1] = fds[1];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return false;
    s->err[0] = fds[0];
    s->err[1] = fds[1];
    /* Only our ends; the command's own must block. */
    return fcntl(s->out[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(s->err[0], F_SETFL, O_NONBLOCK) == 0;
}

static void close_ends(pipes *s, int end)
{
    int *fds[3] = { &s->in[end], &s->out[end], &s->err[end] };
    for (size_t i = 0; i < 3; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

static int spawn(const char *program, char *const argv[], const pipes *s, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&actions, s->in[1], 0);
    posix_spawn_file_actions_adddup2(&actions, s->out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, s->err[1], 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETSID);
    int rc = posix_spawnp(ret_pid, program, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return rc;
}

static void start(kp_exec *x, const char *program, char *const argv[])
{
    kp_host *h = x->h;
    pipes s;
    pid_t pid = 0;
    int pidfd = -1, rc = open_pipes(&s) ? spawn(program, argv, &s, &pid) : errno;
    close_ends(&s, 1);
    if (rc == 0)
        pidfd = pidfd_open(pid, 0);
    if (rc || pidfd < 0) {
        kp_err *e = kp_err_new(KP_HOST, "see whether it is installed, and the limits of this user",
                               "%s cannot be started here: %s", program, strerror(rc ? rc : errno));
        close_ends(&s, 0);
        kp_exec_failed(x, kp_err_retriable(kp_err_at(e, "%s", h->spec.name)));
        return;
    }
    proc *p = kp_malloc(sizeof *p);
    *p = (proc){ .h = h, .x = x, .pid = pid, .in = s.in[0], .out = s.out[0], .err = s.err[0] };
    p->pidfd = pidfd;
    p->next = h->link;
    h->link = p;
    x->at = p;
    x->may_have_run = true;
    p->in_watch = kp_watch_add(h->hs->l, p->in, POLLOUT, on_input, p);
    p->out_watch = kp_watch_add(h->hs->l, p->out, POLLIN, on_out, p);
    p->err_watch = kp_watch_add(h->hs->l, p->err, POLLIN, on_err, p);
    p->pid_watch = kp_watch_add(h->hs->l, p->pidfd, POLLIN, on_exit_of, p);
}

static void local_start(kp_exec *x)
{
    char *const argv[] = { (char *)"sh", (char *)"-c", x->line, NULL };
    start(x, "/bin/sh", argv);
}

static void openssh_start(kp_exec *x)
{
    const kp_host_spec *spec = &x->h->spec;
    KP_AUTO_ARENA a = kp_arena_new("ssh command", 1 << 20);
    /* Nothing asks, nothing is forwarded, no unknown host is taken, and a dead peer is noticed. */
    static const char *const options[] = {
        "-T",
        "-oBatchMode=yes",
        "-oStrictHostKeyChecking=yes",
        "-oForwardAgent=no",
        "-oForwardX11=no",
        "-oClearAllForwardings=yes",
        "-oConnectTimeout=10",
        "-oServerAliveInterval=15",
        "-oServerAliveCountMax=3",
    };
    const char *argv[KP_COUNT(options) + 12] = { "ssh" };
    size_t n = 1;
    for (size_t i = 0; i < KP_COUNT(options); i++)
        argv[n++] = options[i];
    if (*spec->known_hosts)
        argv[n++] = kp_printf(a, "-oUserKnownHostsFile=%s", spec->known_hosts);
    if (*spec->identity) {
        argv[n++] = "-i";
        argv[n++] = spec->identity;
    }
    if (spec->port != 22) {
        argv[n++] = "-p";
        argv[n++] = kp_printf(a, "%d", spec->port);
    }
    argv[n++] = "-l";
    argv[n++] = spec->user;
    argv[n++] = "--";
    argv[n++] = spec->address;
    argv[n++] = x->line;
    argv[n] = NULL;
    start(x, "ssh", (char *const *)argv);
}

/* It goes on, as over SSH; its outputs are closed, and it is reaped when it ends. */
static void abandon(kp_exec *x)
{
    proc *p = x->at;
    x->at = NULL;
    p->x = NULL;
    close_stream(&p->in, &p->in_watch);
    close_stream(&p->out, &p->out_watch);
    close_stream(&p->err, &p->err_watch);
    settle(p);
}

static void close_all(kp_host *h)
{
    while (h->link) {
        proc *p = h->link;
        if (!p->reaped)
            waitpid(p->pid, &p->status, WNOHANG);
        proc_free(p);
    }
}

const kp_transport kp_transport_local = {
    .name = "local",
    .start = local_start,
    .abandon = abandon,
    .close = close_all,
};

const kp_transport kp_transport_openssh = {
    .name = "openssh",
    .start = openssh_start,
    .abandon = abandon,
    .close = close_all,
};
