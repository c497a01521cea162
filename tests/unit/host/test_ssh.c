/* The SSH transport against a real sshd on loopback: commands, who we are, who it is, what a cut
 * link means, many hosts at once.
 *
 * The sshd is this test's own: its port, host keys, authorized_keys.  It is started with a
 * death signal and ended in teardown.  Sessions are cut by killing the session's own sshd. */
#include "with_host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOSTS = 10 };

typedef struct server {
    pid_t pid;
    int port;
} server;

static server sshd;

static void run(place *p, const char *fmt, ...) KP_PRINTF(2, 3);
static void run(place *p, const char *fmt, ...)
{
    char command[4000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(p->dir) == 0)
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    if (status)
        fail_msg("%s: %d", command, status);
}

static int listening_socket(int port, int *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    socklen_t n = sizeof at;
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 5), 0);
    getsockname(fd, (struct sockaddr *)&at, &n);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static int free_port(void)
{
    int port;
    close(listening_socket(0, &port));
    return port;
}

static bool answers(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return ok;
}

/* Starts an sshd with more lines of configuration. */
static void sshd_start(place *p, const char *more)
{
    KP_AUTO_BUF listen_on = KP_BUF_INIT(4096);
    for (int i = 1; i <= HOSTS; i++)
        kp_buf_fmt(&listen_on, "ListenAddress 127.0.0.%d\n", i);
    sshd.port = free_port();
    const char *config = place_write(p, "sshd_config",
                                     "Port %d\n%sAuthorizedKeysFile %s/authorized_keys\n"
                                     "UsePAM no\nStrictModes no\nPidFile none\nMaxStartups 100\n"
                                     "PasswordAuthentication no\n"
                                     "KbdInteractiveAuthentication no\n%s\n",
                                     sshd.port, kp_buf_text(&listen_on), p->dir, more);
    if (geteuid() == 0)
        mkdir("/run/sshd", 0755);
    sshd.pid = fork();
    if (sshd.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int log = open(place_path(p, "sshd.log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(log, 1);
        dup2(log, 2);
        execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-e", "-f", config, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200 && !answers(sshd.port); i++)
        place_turn_for(p, 20);
    if (!answers(sshd.port))
        fail_msg("no sshd: %s", place_read(p, "sshd.log"));
}

/* Calls fn for every process below one, depth first. */
static void below(int pid, void (*fn)(int pid))
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *f = fopen(path, "r");
    int kids[64], n = 0;
    while (f && n < 64 && fscanf(f, "%d", &kids[n]) == 1)
        n++;
    if (f)
        fclose(f);
    for (int i = 0; i < n; i++) {
        below(kids[i], fn);
        fn(kids[i]);
    }
}

static void signal_if_sshd(int pid, int sig)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    if (fscanf(f, "%31s", name) == 1 && strncmp(name, "sshd", 4) == 0)
        kill(pid, sig);
    fclose(f);
}

static void kill_if_sshd(int pid)
{
    signal_if_sshd(pid, SIGKILL);
}

static void freeze_if_sshd(int pid)
{
    signal_if_sshd(pid, SIGSTOP);
}

static void sshd_cut_sessions(void)
{
    below(sshd.pid, kill_if_sshd);
}

static void sshd_stop(void)
{
    if (sshd.pid <= 0)
        return;
    sshd_cut_sessions();
    kill(sshd.pid, SIGTERM);
    waitpid(sshd.pid, NULL, 0);
    sshd.pid = 0;
}

/* Keys are made once; each test has its own directory, so they are copied. */
static int setup(void **state)
{
    if (place_setup(state))
        return -1;
    place *p = *state;
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = { "host_ed25519", "id_ed25519", "id_other" };
        run(p, "ssh-keygen -q -t ed25519 -N '' -f %s", names[i]);
    }
    run(p, "ssh-keygen -q -t ecdsa -N '' -f host_ecdsa && cat id_ed25519.pub >authorized_keys");
    p->spec.transport = "ssh";
    p->spec.address = "127.0.0.1";
    p->spec.identity = place_path(p, "id_ed25519");
    p->spec.known_hosts = place_path(p, "known_hosts");
    return 0;
}

static int teardown(void **state)
{
    kp_hosts_free(((place *)*state)->hs);
    ((place *)*state)->hs = NULL;
    sshd_stop();
    return place_teardown(state);
}

/* An sshd with an ed25519 and an ecdsa host key, the first of them known. */
static void start_with(place *p, const char *more)
{
    sshd_start(p, kp_printf(p->a, "HostKey %s/host_ed25519\nHostKey %s/host_ecdsa\n%s", p->dir,
                            p->dir, more));
    p->spec.port = sshd.port;
    run(p, "echo \"[127.0.0.*]:%d $(cat host_ed25519.pub)\" >known_hosts", sshd.port);
}

static void start_usual(place *p)
{
    start_with(p, "");
}

static kp_ticket ask(place *p, kp_host *h, const char *script, answer *r)
{
    kp_host_command c = { .script = script, .deadline = place_soon() };
    return kp_host_exec(h, p->a, &c, place_answer, r);
}

static int count_logins(place *p)
{
    return place_count(place_read(p, "sshd.log"), "Accepted publickey");
}

static void test_commands(void **state)
{
    place *p = *state;
    start_usual(p);
    kp_host *h = place_host(p);
    assert_string_equal(place_sh(p, h, "echo one; echo two; echo three >&2"), "one\ntwo\n");
    answer r = { 0 };
    ask(p, h, "echo out; echo err >&2; exit 42", &r);
    const kp_value *v = place_ok(p, &r);
    assert_int_equal(kp_get_int(v, "rc", -1), 42);
    assert_string_equal(kp_get_text(v, "out", ""), "out\n");
    assert_string_equal(kp_get_text(v, "err", ""), "err\n");
    assert_string_equal(place_sh(p, h, "tty >/dev/null || echo no tty"), "no tty\n");
    assert_int_equal(count_logins(p), 1);
}

static void test_much_both_ways_on_four_channels(void **state)
{
    place *p = *state;
    start_usual(p);
    kp_host *h = place_host(p);
    size_t n = 4000000;
    char *bytes = kp_alloc(p->a, n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    answer r[6] = { { 0 } };
    kp_host_command c = {
        .script = "cat; head -c 2000000 /dev/zero >&2; exit 5",
        .input = bytes,
        .input_n = n,
        .deadline = place_soon(),
    };
    for (size_t i = 0; i < KP_COUNT(r); i++)
        kp_host_exec(h, p->a, &c, place_answer, &r[i]);
    for (size_t i = 0; i < KP_COUNT(r); i++) {
        place_ok(p, &r[i]);
        assert_int_equal(kp_get_int(r[i].v, "rc", -1), 5);
        assert_int_equal(kp_get(r[i].v, "out")->n, n);
        assert_memory_equal(kp_get(r[i].v, "out")->u.s, bytes, n);
        assert_int_equal(kp_get(r[i].v, "err")->n, KP_HOST_ERR_LIMIT);
    }
    assert_int_equal(count_logins(p), 1);
}

static void test_killed_command_is_unknown(void **state)
{
    place *p = *state;
    start_usual(p);
    kp_host *h = place_host(p);
    answer r = { 0 };
    ask(p, h, "kill -KILL $$", &r);
    place_fails(p, &r, KP_HOST, "unknown: the command was ended by signal KILL");
    assert_string_equal(place_sh(p, h, "echo next"), "next\n");
}

static void test_cut_in_mid_command(void **state)
{
    place *p = *state;
    start_usual(p);
    kp_host *h = place_host(p);
    answer r[3] = { { 0 } };
    for (size_t i = 0; i < KP_COUNT(r); i++)
        ask(p, h,
            kp_printf(p->a,
                      "cd %s; : >begun%zu; while [ -e begun%zu ] && [ ! -e go ]; do sleep 0.05; "
                      "done; : >ended%zu",
                      p->dir, i, i, i),
            &r[i]);
    for (int i = 0; i < 200; i++) {
        place_turn_for(p, 10);
        if (place_has(p, "begun0") && place_has(p, "begun1") && place_has(p, "begun2"))
            break;
    }
    sshd_cut_sessions();
    for (size_t i = 0; i < KP_COUNT(r); i++) {
        place_wait(p, &r[i]);
        assert_non_null(r[i].err);
        assert_true(r[i].err->retriable);
        assert_string_equal(r[i].err->what, "unknown: the link was lost while a command ran");
        kp_err_drop(r[i].err);
    }
    /* And truly unknown: the command goes on without us. */
    assert_false(place_has(p, "ended2"));
    place_write(p, "go", "\n");
    for (int i = 0; i < 200 && !place_has(p, "ended2"); i++)
        place_turn_for(p, 10);
    assert_true(place_has(p, "ended2"));
    assert_string_equal(place_sh(p, h, "echo again"), "again\n");
    assert_int_equal(count_logins(p), 2);
}

/* The session dies while nothing runs: the next command must not notice. */
static void test_cut_while_idle(void **state)
{
    place *p = *state;
    start_usual(p);
    kp_host *h = place_host(p);
    assert_string_equal(place_sh(p, h, "echo 1"), "1\n");
    sshd_cut_sessions();
    assert_string_equal(place_sh(p, h, "echo 2"), "2\n"); /* finds out by trying */
    sshd_cut_sessions();
    place_turn_for(p, 100); /* is told by the loop */
    assert_string_equal(place_sh(p, h, "echo 3"), "3\n");
    assert_int_equal(count_logins(p), 3);
}

/* An sshd that asks whether we are alive gets no answer while nothing runs, and hangs up: neither
 * may keep the loop busy, and the next command does not notice. */
static void test_idle_under_client_alive(void **state)
{
    place *p = *state;
    sshd_start(p, kp_printf(p->a,
                            "HostKey %s/host_ed25519\nClientAliveInterval 1\n"
                            "ClientAliveCountMax 1\n",
                            p->dir));
    p->spec.port = sshd.port;
    run(p, "echo \"[127.0.0.1]:%d $(cat host_ed25519.pub)\" >known_hosts", sshd.port);
    kp_host *h = place_host(p);
    assert_string_equal(place_sh(p, h, "echo 1"), "1\n");
    int turns = 0;
    for (kp_ms end = kp_mono_now() + 2500; kp_mono_now() < end; turns++)
        kp_loop_turn(p->l, end);
    assert_true(turns < 20);
    assert_string_equal(place_sh(p, h, "echo 2"), "2\n");
    /* While a command runs, its questions are answered. */
    assert_string_equal(place_sh(p, h, "sleep 2.5; echo 3"), "3\n");
}

static void test_deadline_and_cancel(void **state)
{
    place *p = *state;
    start_usual(p);
    kp_host *h = place_host(p);
    answer late = { 0 }, gone = { 0 }, fine = { 0 };
    place_sh(p, h, "true"); /* the login is over */
    kp_host_command c = { .script = "sleep 2; echo late", .deadline = kp_mono_now() + KP_SECOND };
    kp_host_exec(h, p->a, &c, place_answer, &late);
    kp_ticket t = ask(p, h, "sleep 1; echo gone", &gone);
    ask(p, h, "sleep 0.6; echo fine", &fine);
    place_turn_for(p, 200);
    kp_host_cancel(p->hs, t);
    place_fails(p, &late, KP_HOST, "unknown: no answer in time");
    assert_string_equal(kp_get_text(place_ok(p, &fine), "out", ""), "fine\n");
    assert_int_equal(gone.calls, 0);
    assert_int_equal(count_logins(p), 1);
}

/* Commands that hang and are given up must not use up the host for good. */
static void test_given_up_commands_free_the_host(void **state)
{
    place *p = *state;
    sshd_start(p, kp_printf(p->a, "HostKey %s/host_ed25519\nMaxSessions 4\n", p->dir));
    p->spec.port = sshd.port;
    run(p, "echo \"[127.0.0.1]:%d $(cat host_ed25519.pub)\" >known_hosts", sshd.port);
    kp_host *h = place_host(p);
    answer r[KP_HOST_CHANNELS] = { { 0 } };
    kp_ticket t[KP_HOST_CHANNELS];
    for (size_t i = 0; i < KP_COUNT(r); i++)
        t[i] = ask(p, h, kp_printf(p->a, ": >%s/hangs%zu; sleep 3", p->dir, i), &r[i]);
    for (size_t i = 0; i < KP_COUNT(r); i++) {
        for (int k = 0; k < 500 && !place_has(p, kp_printf(p->a, "hangs%zu", i)); k++)
            place_turn_for(p, 10);
        kp_host_cancel(p->hs, t[i]);
    }
    kp_ms begun = kp_mono_now();
    assert_string_equal(place_sh(p, h, "echo free"), "free\n");
    assert_true(kp_mono_now() - begun < 2 * KP_SECOND);
}

/* A reply to one channel's request, read by another that waits for its own, would end the session
 * ("Failed waiting for channel success"). */
static void test_one_command_is_begun_at_a_time(void **state)
{
    place *p = *state;
    start_with(p, "LogLevel DEBUG1\n");
    kp_host *h = place_host(p);
    answer r[KP_HOST_CHANNELS] = { { 0 } };
    place_sh(p, h, ":"); /* the login is over */
    for (size_t i = 0; i < KP_COUNT(r); i++)
        ask(p, h, "echo x", &r[i]);
    for (size_t i = 0; i < KP_COUNT(r); i++)
        assert_string_equal(kp_get_text(place_ok(p, &r[i]), "out", ""), "x\n");
    int opened = 0, begun = 0;
    for (const char *line = place_read(p, "sshd.log"); *line; line += strcspn(line, "\n") + 1) {
        const char *open = strstr(line, ": new "), *exec = strstr(line, " request exec ");
        size_t n = strcspn(line, "\n");
        opened += open && open < line + n;
        begun += exec && exec < line + n;
        assert_in_range(opened - begun, 0, 1);
    }
    assert_int_equal(begun, 1 + (int)KP_COUNT(r));
}

/* A session whose sshd hangs answers nothing; once commands were given up on it, the next one logs
 * in anew. */
static void test_frozen_session(void **state)
{
    place *p = *state;
    start_usual(p);
    kp_host *h = place_host(p);
    place_sh(p, h, ":");
    below(sshd.pid, freeze_if_sshd);
    answer r[KP_HOST_CHANNELS] = { { 0 } };
    kp_host_command c = { .script = "echo x", .deadline = kp_mono_now() + 200 };
    for (size_t i = 0; i < KP_COUNT(r); i++)
        kp_host_exec(h, p->a, &c, place_answer, &r[i]);
    for (size_t i = 0; i < KP_COUNT(r); i++) {
        place_wait(p, &r[i]);
        assert_non_null(r[i].err);
        assert_true(r[i].err->retriable);
        kp_err_drop(r[i].err);
    }
    c.deadline = kp_mono_now() + 10 * KP_SECOND;
    answer next = { 0 };
    kp_host_exec(h, p->a, &c, place_answer, &next);
    assert_string_equal(kp_get_text(place_ok(p, &next), "out", ""), "x\n");
    assert_int_equal(count_logins(p), 2);
}

static void test_no_sessions_at_all(void **state)
{
    place *p = *state;
    sshd_start(p, kp_printf(p->a, "HostKey %s/host_ed25519\nMaxSessions 0\n", p->dir));
    p->spec.port = sshd.port;
    run(p, "echo \"[127.0.0.1]:%d $(cat host_ed25519.pub)\" >known_hosts", sshd.port);
    answer r[2] = { { 0 } };
    kp_host *h = place_host(p);
    for (size_t i = 0; i < KP_COUNT(r); i++)
        ask(p, h, "echo x", &r[i]);
    for (size_t i = 0; i < KP_COUNT(r); i++)
        place_fails(p, &r[i], KP_HOST, "the host lets us in but opens no session");
}

static void test_fewer_sessions_than_channels(void **state)
{
    place *p = *state;
    sshd_start(p, kp_printf(p->a, "HostKey %s/host_ed25519\nMaxSessions 2\n", p->dir));
    p->spec.port = sshd.port;
    run(p, "echo \"[127.0.0.1]:%d $(cat host_ed25519.pub)\" >known_hosts", sshd.port);
    kp_host *h = place_host(p);
    answer r[9] = { { 0 } };
    for (size_t i = 0; i < KP_COUNT(r); i++)
        ask(p, h, "sleep 0.1; echo x", &r[i]);
    for (size_t i = 0; i < KP_COUNT(r); i++) {
        place_ok(p, &r[i]);
    }
    assert_int_equal(count_logins(p), 1);
}

static void test_wrong_key(void **state)
{
    place *p = *state;
    start_usual(p);
    p->spec.identity = place_path(p, "id_other");
    answer r = { 0 }, missing = { 0 }, user = { 0 }, rsa = { 0 }, locked = { 0 };
    ask(p, place_host(p), "echo x", &r);
    place_fails(p, &r, KP_HOST, "login refused");

    p->spec.identity = place_path(p, "id_absent");
    ask(p, place_host(p), "echo x", &missing);
    place_fails(p, &missing, KP_HOST, "the private key cannot be read");

    p->spec.identity = place_path(p, "id_ed25519");
    p->spec.user = "nobody-of-that-name";
    ask(p, place_host(p), "echo x", &user);
    place_fails(p, &user, KP_HOST, "login refused: nobody-of-that-name@127.0.0.1");

    p->spec.user = NULL;
    run(p, "ssh-keygen -q -t rsa -b 2048 -N '' -f id_rsa; cat id_rsa.pub >>authorized_keys");
    p->spec.identity = place_path(p, "id_rsa");
    ask(p, place_host(p), "echo x", &rsa);
    place_wait(p, &rsa);
    if (rsa.err) { /* before libssh2 1.11 */
        assert_non_null(strstr(rsa.err->what, "signs with RSA keys by SHA-1 only"));
        assert_non_null(strstr(rsa.err->next, "use an ed25519 or ecdsa key"));
        kp_err_drop(rsa.err);
    } else {
        assert_string_equal(kp_get_text(rsa.v, "out", ""), "x\n");
    }

    unsetenv("SSH_AUTH_SOCK");
    run(p, "ssh-keygen -q -t ed25519 -N secret -f id_locked");
    p->spec.identity = place_path(p, "id_locked");
    ask(p, place_host(p), "echo x", &locked);
    place_fails(p, &locked, KP_HOST, "has a pass phrase, and there is no SSH agent");
}

static void test_agent(void **state)
{
    place *p = *state;
    start_usual(p);
    p->spec.identity = "";
    answer none = { 0 }, r = { 0 };
    unsetenv("SSH_AUTH_SOCK");
    ask(p, place_host(p), "echo x", &none);
    place_fails(p, &none, KP_HOST, "there is no SSH agent");

    /* The usual key is behind an RSA key and one the server does not know. */
    run(p, "ssh-keygen -q -t rsa -b 2048 -N '' -f id_rsa");
    pid_t agent = fork();
    if (agent == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        execlp("ssh-agent", "ssh-agent", "-D", "-a", place_path(p, "agent"), (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200 && !place_has(p, "agent"); i++)
        place_turn_for(p, 20);
    setenv("SSH_AUTH_SOCK", place_path(p, "agent"), 1);
    run(p, "ssh-add -q id_rsa id_other id_ed25519");
    ask(p, place_host(p), "echo by agent", &r);
    place_wait(p, &r);
    unsetenv("SSH_AUTH_SOCK");
    kill(agent, SIGTERM);
    waitpid(agent, NULL, 0);
    assert_null(r.err);
    assert_string_equal(kp_get_text(r.v, "out", ""), "by agent\n");
}

static void test_unknown_host_key(void **state)
{
    place *p = *state;
    start_usual(p);
    answer r = { 0 }, absent = { 0 }, authority = { 0 };
    place_write(p, "known_hosts", "elsewhere ssh-ed25519 AAAA\n");
    ask(p, place_host(p), "echo x", &r);
    place_fails(p, &r, KP_HOST, "unknown host key: [127.0.0.1]");
    p->spec.known_hosts = place_path(p, "no_such_file");
    ask(p, place_host(p), "echo x", &absent);
    place_fails(p, &absent, KP_HOST, "make the file readable");
    p->spec.known_hosts = place_path(p, "known_hosts");
    run(p, "echo \"@cert-authority * $(cat host_ed25519.pub)\" >known_hosts");
    ask(p, place_host(p), "echo x", &authority);
    place_wait(p, &authority);
    const char *text = kp_err_text(p->a, authority.err);
    assert_non_null(strstr(text, "only an @cert-authority"));
    assert_non_null(strstr(text, kp_printf(p->a, "ssh-keyscan -p %d 127.0.0.1 >> %s", sshd.port,
                                           p->spec.known_hosts)));
    assert_non_null(strstr(text, "SHA256:"));
    kp_err_drop(authority.err);
    assert_int_equal(count_logins(p), 0);
}

static void test_changed_and_revoked_host_key(void **state)
{
    place *p = *state;
    start_usual(p);
    answer changed = { 0 }, revoked = { 0 }, other_type = { 0 };
    run(p, "echo \"[127.0.0.1]:%d $(cat id_other.pub)\" >known_hosts", sshd.port);
    ask(p, place_host(p), "echo x", &changed);
    place_fails(p, &changed, KP_HOST, "CHANGED host key");
    run(p, "echo \"[127.0.0.1]:%d $(cat host_ed25519.pub)\" >known_hosts; "
           "echo \"@revoked * $(cat host_ed25519.pub)\" >>known_hosts",
        sshd.port);
    ask(p, place_host(p), "echo x", &revoked);
    place_fails(p, &revoked, KP_HOST, "REVOKED host key");
    /* Known only by a type the server has no key of. */
    run(p, "ssh-keygen -q -t ecdsa -b 521 -N '' -f k521; "
           "echo \"[127.0.0.1]:%d $(cat k521.pub)\" >known_hosts",
        sshd.port);
    ask(p, place_host(p), "echo x", &other_type);
    place_fails(p, &other_type, KP_HOST, "no algorithm in common");
    assert_int_equal(count_logins(p), 0);
}

/* The library prefers ecdsa; a file with only the ed25519 key must still be enough, and vice
 * versa, hashed or not, behind garbage. */
static void test_each_type_is_enough(void **state)
{
    place *p = *state;
    start_usual(p);
    static const char *const keys[] = { "host_ed25519", "host_ecdsa" };
    for (size_t i = 0; i < KP_COUNT(keys); i++)
        for (int hashed = 0; hashed < 2; hashed++) {
            run(p, "echo garbage >known_hosts; echo \"[127.0.0.1]:%d $(cat %s.pub)\" >>known_hosts",
                sshd.port, keys[i]);
            if (hashed)
                run(p, "sed -i 1d known_hosts; ssh-keygen -q -H -f known_hosts >/dev/null 2>&1; "
                       "sed -i '1s/^/garbage\\n/' known_hosts");
            assert_string_equal(place_sh(p, place_host(p), "echo in"), "in\n");
        }
}

static void test_no_common_algorithm(void **state)
{
    place *p = *state;
    sshd_start(p, kp_printf(p->a, "HostKey %s/host_ed25519\nCiphers aes128-cbc\n", p->dir));
    p->spec.port = sshd.port;
    run(p, "echo \"[127.0.0.1]:%d $(cat host_ed25519.pub)\" >known_hosts", sshd.port);
    answer r = { 0 };
    ask(p, place_host(p), "echo x", &r);
    place_wait(p, &r);
    assert_non_null(r.err);
    assert_non_null(strstr(r.err->what, "no algorithm in common"));
    assert_non_null(strstr(r.err->detail, "OpenSSH"));
    assert_non_null(strstr(r.err->detail, "aes256-ctr"));
    assert_null(strstr(r.err->detail, "cbc"));
    kp_err_drop(r.err);
}

static void test_unreachable(void **state)
{
    place *p = *state;
    place_write(p, "known_hosts", "# none\n");
    answer closed = { 0 }, silent = { 0 }, name = { 0 }, http = { 0 };
    p->spec.port = free_port();
    ask(p, place_host(p), "echo x", &closed);
    place_fails(p, &closed, KP_HOST, "unreachable: 127.0.0.1");

    int port, fd = listening_socket(0, &port);
    p->spec.port = port;
    kp_host_command c = { .script = "echo x", .deadline = kp_mono_now() + 300 };
    kp_host_exec(place_host(p), p->a, &c, place_answer, &silent);
    place_wait(p, &silent);
    assert_true(silent.err->retriable);
    assert_non_null(strstr(silent.err->what, "timed out"));
    kp_err_drop(silent.err);

    kp_host *h = place_host(p);
    ask(p, h, "echo x", &http);
    for (int i = 0; i < 2; i++) { /* the first one is the silent test's */
        int peer = accept(fd, NULL, NULL);
        assert_true(write(peer, "HTTP/1.0 400 Bad\r\n\r\n", 20) == 20);
        place_turn_for(p, 50);
        close(peer);
    }
    place_fails(p, &http, KP_HOST, "127.0.0.1");
    close(fd);

    p->spec.address = "no-such-host.invalid";
    ask(p, place_host(p), "echo x", &name);
    place_fails(p, &name, KP_HOST, "unreachable: no address for no-such-host.invalid");
}

static void test_login_noise(void **state)
{
    place *p = *state;
    sshd_start(p, kp_printf(p->a,
                            "HostKey %s/host_ed25519\n"
                            "ForceCommand echo motd; echo noise >&2; "
                            "eval \"$SSH_ORIGINAL_COMMAND\"\n",
                            p->dir));
    p->spec.port = sshd.port;
    run(p, "echo \"[127.0.0.1]:%d $(cat host_ed25519.pub)\" >known_hosts", sshd.port);
    assert_string_equal(place_sh(p, place_host(p), "echo in"), "in\n");
}

static void test_forced_command(void **state)
{
    place *p = *state;
    sshd_start(p, kp_printf(p->a, "HostKey %s/host_ed25519\nForceCommand echo no\n", p->dir));
    p->spec.port = sshd.port;
    run(p, "echo \"[127.0.0.1]:%d $(cat host_ed25519.pub)\" >known_hosts", sshd.port);
    answer r = { 0 };
    ask(p, place_host(p), "echo in", &r);
    place_fails(p, &r, KP_HOST, "unknown: the channel was closed before the script began");
}

static void test_ten_hosts_at_once(void **state)
{
    place *p = *state;
    start_usual(p);
    answer r[HOSTS][3] = { { { 0 } } };
    kp_host *h[HOSTS];
    for (int i = 0; i < HOSTS; i++) {
        p->spec.address = kp_printf(p->a, "127.0.0.%d", i + 1);
        h[i] = place_host(p);
        for (int k = 0; k < 3; k++)
            ask(p, h[i], kp_printf(p->a, "echo %d.%d; echo $SSH_CONNECTION | cut -d' ' -f3", i, k),
                &r[i][k]);
    }
    for (int i = 0; i < HOSTS; i++)
        for (int k = 0; k < 3; k++) {
            place_ok(p, &r[i][k]);
            assert_string_equal(kp_get_text(r[i][k].v, "out", ""),
                                kp_printf(p->a, "%d.%d\n127.0.0.%d\n", i, k, i + 1));
        }
    assert_int_equal(count_logins(p), HOSTS);
}

/* The acts go over SSH as they do locally: a fenced write of a whole file, read back. */
static void test_acts_over_ssh(void **state)
{
    place *p = *state;
    start_usual(p);
    kp_host *h = place_host(p);
    place_fence(p, h, "clusterA", 1, "me");
    kp_host_op op = { .id = "1.x~1", .cluster = "clusterA", .epoch = 1, .deadline = place_soon() };
    size_t n = 500000;
    char *bytes = kp_alloc(p->a, n);
    memset(bytes, 0xe4, n);
    kp_host_file f = { .path = place_path(p, "upload"), .bytes = bytes, .n = n };
    answer w = { 0 }, back = { 0 };
    kp_host_file_write(h, p->a, &op, &f, place_answer, &w);
    assert_string_equal(kp_get_text(place_ok(p, &w), "did", ""), "done");
    kp_host_file_read(h, p->a, f.path, place_soon(), place_answer, &back);
    const kp_value *v = place_ok(p, &back);
    assert_int_equal(kp_get(v, "bytes")->n, n);
    assert_memory_equal(kp_get(v, "bytes")->u.s, bytes, n);
    assert_string_equal(kp_get_text(v, "mode", ""), "640");
}

static void test_the_ssh_program(void **state)
{
    place *p = *state;
    start_usual(p);
    p->spec.transport = "openssh";
    kp_host *h = place_host(p);
    assert_string_equal(place_sh(p, h, "echo by ssh; tty >/dev/null || echo no tty"),
                        "by ssh\nno tty\n");
    answer cut = { 0 }, wrong = { 0 }, changed = { 0 }, closed = { 0 };
    ask(p, h, kp_printf(p->a, ": >%s/begun; sleep 1", p->dir), &cut);
    for (int i = 0; i < 300 && !place_has(p, "begun"); i++)
        place_turn_for(p, 10);
    sshd_cut_sessions();
    place_fails(p, &cut, KP_HOST, "unknown");
    p->spec.identity = place_path(p, "id_other");
    ask(p, place_host(p), "echo x", &wrong);
    place_fails(p, &wrong, KP_HOST, "login refused");
    run(p, "echo \"[127.0.0.1]:%d $(cat id_other.pub)\" >known_hosts", sshd.port);
    ask(p, place_host(p), "echo x", &changed);
    place_fails(p, &changed, KP_HOST, "CHANGED host key");
    p->spec.port = free_port();
    ask(p, place_host(p), "echo x", &closed);
    place_fails(p, &closed, KP_HOST, "unreachable");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_commands),
        TEST(test_much_both_ways_on_four_channels),
        TEST(test_killed_command_is_unknown),
        TEST(test_cut_in_mid_command),
        TEST(test_cut_while_idle),
        TEST(test_idle_under_client_alive),
        TEST(test_deadline_and_cancel),
        TEST(test_given_up_commands_free_the_host),
        TEST(test_one_command_is_begun_at_a_time),
        TEST(test_frozen_session),
        TEST(test_no_sessions_at_all),
        TEST(test_fewer_sessions_than_channels),
        TEST(test_wrong_key),
        TEST(test_agent),
        TEST(test_unknown_host_key),
        TEST(test_changed_and_revoked_host_key),
        TEST(test_each_type_is_enough),
        TEST(test_no_common_algorithm),
        TEST(test_unreachable),
        TEST(test_login_noise),
        TEST(test_forced_command),
        TEST(test_ten_hosts_at_once),
        TEST(test_acts_over_ssh),
        TEST(test_the_ssh_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
