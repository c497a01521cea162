/* Secrets: fetched from where the cluster file says they are, when they are needed.
 *
 * They are kept out of the file, the journal and every message: an error here tells which secret
 * could not be had and why, never what was read.  A command is started without a shell, with no
 * input, and reading its output blocks; it is one of the few calls of kplay that do, and ends after
 * COMMAND_SECONDS at the latest because the command then gets SIGALRM.
 */
#include "cluster/inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECRET_LIMIT = 64 * 1024, COMMAND_SECONDS = 60, WHAT_LIMIT = 1024 };

KP_PRINTF(3, 4)
static kp_err *failure(const char *where, const char *next, const char *fmt, ...)
{
    char what[WHAT_LIMIT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return kp_err_at(kp_err_new(KP_CONFIG, next, "no secret: %s", what), "%s", where);
}

/* The secret in s: one line break at its end is not part of it. */
static kp_err *accept(kp_arena *a, const char *s, size_t n, const char *where, const char *source,
                      const char **ret_text)
{
    if (n > 0 && s[n - 1] == '\n')
        n -= n > 1 && s[n - 2] == '\r' ? 2 : 1;
    if (n == 0)
        return failure(where, "put the secret there", "%s is empty", source);
    if (memchr(s, '\0', n))
        return failure(where, "store it as text", "%s holds a NUL byte", source);
    *ret_text = kp_strndup(a, s, n);
    return NULL;
}

static kp_err *from_file(kp_arena *a, const char *path, const char *where, const char **ret_text)
{
    char *text;
    size_t n;
    kp_err *e = kp_file_read(a, path, SECRET_LIMIT, &text, &n);
    if (e)
        return kp_err_because(failure(where, "make the file readable for you, or correct its path",
                                      "its file cannot be read"),
                              e);
    return accept(a, text, n, where, path, ret_text);
}

static kp_err *from_env(kp_arena *a, const char *name, const char *where, const char **ret_text)
{
    const char *s = getenv(name);
    if (!s)
        return failure(where, kp_printf(a, "export %s before you start kplay", name),
                       "the environment has no %s", name);
    return accept(a, s, strlen(s), where, name, ret_text);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd))) int

/* In the child: only calls that are safe between fork and exec. */
KP_NORETURN static void become_command(char *const *argv, int out)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    static const int signals[] = { SIGINT, SIGTERM, SIGPIPE, SIGALRM };
    for (size_t i = 0; i < KP_COUNT(signals); i++)
        signal(signals[i], SIG_DFL);
    alarm(COMMAND_SECONDS);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
        execvp(argv[0], argv);
    _exit(127);
}

/* Everything the command prints, at most SECRET_LIMIT bytes, and how it ended. */
static kp_err *run_command(char *const *argv, const char *where, kp_buf *out, int *ret_status)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return failure(where, "close other programs and try again", "no pipe: %s", strerror(errno));
    AUTO_FD from = ends[0];
    AUTO_FD to = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        return failure(where, "close other programs and try again", "no process: %s",
                       strerror(errno));
    if (pid == 0)
        become_command(argv, to);
    close_fd(&to);
    to = -1;
    char chunk[4096];
    for (ssize_t n = 1; n != 0 && !out->overflow;) {
        n = read(from, chunk, sizeof chunk);
        if (n > 0)
            kp_buf_add(out, chunk, (size_t)n);
        else if (n < 0 && errno != EINTR)
            break;
    }
    explicit_bzero(chunk, sizeof chunk);
    close_fd(&from);
    from = -1;
    while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
        ;
    return NULL;
}

static kp_err *from_command(kp_arena *a, const kp_value *words, const char *where,
                            const char **ret_text)
{
    char **argv = KP_NEW_ARRAY(a, kp_len(words) + 1, char *);
    for (size_t i = 0; i < kp_len(words); i++)
        argv[i] = kp_strdup(a, kp_as_text(kp_at(words, i), ""));
    if (!argv[0])
        return failure(where, "write command: [\"/usr/bin/x\", \"y\"]", "empty command");
    KP_AUTO_BUF out = KP_BUF_INIT(SECRET_LIMIT);
    int status = 0;
    KP_TRY(run_command(argv, where, &out, &status));
    const char *next = kp_printf(a, "run it by hand: %s ...", argv[0]);
    if (out.overflow)
        return failure(where, next, "%s prints more than %s", argv[0],
                       kp_bytes_text(a, SECRET_LIMIT));
    if (WIFSIGNALED(status))
        return failure(where, next, "%s ended by signal %d%s", argv[0], WTERMSIG(status),
                       WTERMSIG(status) == SIGALRM ? ", it took too long" : "");
    if (WEXITSTATUS(status) == 127)
        return failure(where, "check the command's path", "%s cannot be started", argv[0]);
    if (WEXITSTATUS(status) != 0)
        return failure(where, next, "%s ended with status %d", argv[0], WEXITSTATUS(status));
    kp_err *e = accept(a, kp_buf_text(&out), out.n, where,
                       kp_printf(a, "the output of %s", argv[0]), ret_text);
    if (out.p)
        explicit_bzero(out.p, out.n);
    return e;
}

kp_err *kp_secret_resolve(kp_arena *a, const kp_value *v, const char *where, const char **ret_text)
{
    const char *plain = kp_as_text(v, NULL);
    if (plain) {
        *ret_text = kp_strdup(a, plain);
        return NULL;
    }
    const char *file = kp_get_text(v, "file", NULL), *env = kp_get_text(v, "env", NULL);
    const kp_value *command = kp_get(v, "command");
    if (file)
        return from_file(a, file, where, ret_text);
    if (env)
        return from_env(a, env, where, ret_text);
    if (kp_is(command, KP_LIST))
        return from_command(a, command, where, ret_text);
    return failure(where, "write { file: /path }, { env: NAME } or { command: [...] }",
                   "a secret must be text or have one of file, env and command");
}
