/* See with_host.h.  A fake broker is a shell that sleeps as long as its properties file exists. */
#include "with_host.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLEEPER "n=0; while [ -e \"$0\" ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done"

const char *place_path(place *p, const char *name)
{
    return kp_printf(p->a, "%s/%s", p->dir, name);
}

static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
}

const char *place_write(place *p, const char *name, const char *fmt, ...)
{
    const char *path = place_path(p, name);
    make_parents(kp_strdup(p->a, path));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    assert_int_equal(fclose(f), 0);
    return path;
}

char *place_read(place *p, const char *name)
{
    char *text;
    size_t n;
    kp_err *e = kp_file_read(p->a, place_path(p, name), 1 << 20, &text, &n);
    if (!e)
        return text;
    kp_err_drop(e);
    return kp_strdup(p->a, "");
}

bool place_has(place *p, const char *name)
{
    return access(place_path(p, name), F_OK) == 0;
}

int place_setup(void **state)
{
    static char dir[64];
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* what outlives its parent is ours to reap */
    snprintf(dir, sizeof dir, "/tmp/kplay-host-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    kp_arena *a = kp_arena_new("test", 256 << 20);
    place *p = KP_NEW(a, place);
    *p = (place){ .a = a, .l = kp_loop_new(), .dir = kp_strdup(a, dir) };
    kp_loop_catch_signals(p->l);
    p->hs = kp_hosts_new(p->l);
    p->config = place_write(p, "etc/server.properties",
                            "broker.id=1\nlog.dirs=%s/data1, %s/data2\n", p->dir, p->dir);
    p->spec = (kp_host_spec){
        .name = "broker 1",
        .node_id = 1,
        .address = "localhost",
        .transport = "local",
        .layout = {
            .current = place_path(p, "current"),
            .releases = place_path(p, "releases"),
            .config = p->config,
            .log = place_path(p, "log/server.log"),
        },
    };
    *state = p;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    remove(path);
    return 0;
}

int place_teardown(void **state)
{
    place *p = *state;
    kp_hosts_free(p->hs);
    kp_loop_free(p->l);
    nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    kp_arena_free(p->a);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    return 0;
}

kp_host *place_host(place *p)
{
    kp_host *h;
    kp_err *e = kp_host_new(p->hs, &p->spec, &h);
    if (e)
        fail_msg("%s", kp_err_text(p->a, e));
    return h;
}

void place_answer(void *ud, kp_err *err, const kp_value *v)
{
    answer *r = ud;
    r->calls++;
    r->err = err;
    r->v = v;
}

kp_ms place_soon(void)
{
    return kp_mono_now() + 60 * KP_SECOND;
}

void place_wait(place *p, answer *r)
{
    kp_ms end = kp_mono_now() + 30 * KP_SECOND;
    while (r->calls == 0 && kp_mono_now() < end)
        kp_loop_turn(p->l, end);
    assert_int_equal(r->calls, 1);
}

void place_turn_for(place *p, kp_ms d)
{
    for (kp_ms end = kp_mono_now() + d; kp_mono_now() < end;)
        kp_loop_turn(p->l, end);
}

const kp_value *place_ok(place *p, answer *r)
{
    place_wait(p, r);
    if (r->err)
        fail_msg("%s", kp_err_text(p->a, r->err));
    assert_non_null(r->v);
    return r->v;
}

void place_fails(place *p, answer *r, kp_class cls, const char *part)
{
    place_wait(p, r);
    assert_null(r->v);
    assert_non_null(r->err);
    const char *text = kp_err_text(p->a, r->err);
    if (r->err->cls != cls || !strstr(text, part))
        fail_msg("wanted %s \"%s\", got %s:\n%s", kp_class_name(cls), part,
                 kp_class_name(r->err->cls), text);
    assert_true(strlen(r->err->next) > 10);
    kp_err_drop(r->err);
    r->err = NULL;
}

const char *place_sh(place *p, kp_host *h, const char *script)
{
    answer r = { 0 };
    kp_host_command c = { .script = script, .deadline = place_soon() };
    kp_host_exec(h, p->a, &c, place_answer, &r);
    return kp_get_text(place_ok(p, &r), "out", "");
}

const kp_value *place_state(place *p, kp_host *h, const char *cluster, int64_t log_since)
{
    answer r = { 0 };
    kp_host_question q = {
        .cluster = cluster,
        .log_since = log_since,
        .deadline = place_soon(),
    };
    kp_host_state(h, p->a, &q, place_answer, &r);
    return place_ok(p, &r);
}

void place_fence(place *p, kp_host *h, const char *cluster, int64_t epoch, const char *holder)
{
    answer r = { 0 };
    kp_host_claim c = {
        .cluster = cluster,
        .epoch = epoch,
        .holder = holder,
        .deadline = place_soon(),
    };
    kp_host_fence(h, p->a, &c, place_answer, &r);
    place_ok(p, &r);
}

int place_broker(place *p, const char *release, const char *config)
{
    const char *jar = place_path(p, kp_printf(p->a, "r/libs/kafka-clients-%s.jar", release));
    return place_broker_with(jar, config, NULL);
}

enum { WORDS_MOST = 64 };

/* A process whose command line is that of the sleeper, then these words. */
static int start_words(const char *config, const char *const *words)
{
    const char *argv[WORDS_MOST] = { "java", "-c", SLEEPER, config };
    size_t given = 4;
    for (; *words; words++) {
        assert_true(given < WORDS_MOST - 1);
        argv[given++] = *words;
    }
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        execv("/bin/sh", (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_true(pid > 0);
    /* Until the exec is done it still looks like this test. */
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    for (int i = 0; i < 200; i++) {
        char text[2000] = "";
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
        if (f)
            fclose(f);
        if (memmem(text, n, "kafka.Kafka", 11))
            break;
        usleep(10000);
    }
    return pid;
}

int place_broker_with(const char *class_path, const char *config, const char *override)
{
    const char *words[] = {
        "-cp", class_path, "kafka.Kafka", config, override ? "--override" : NULL, override, NULL
    };
    return start_words(config, words);
}

int place_broker_jvm(const char *const *options, const char *config)
{
    const char *words[WORDS_MOST] = { NULL };
    size_t n = 0;
    for (; options[n]; n++) {
        assert_true(n < WORDS_MOST - 8);
        words[n] = options[n];
    }
    words[n++] = "kafka.Kafka";
    words[n] = config;
    return start_words(config, words);
}

bool place_alive(int pid)
{
    char path[64], text[300] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] && end[2] != 'Z';
}

void place_gone(place *p, int pid)
{
    for (int i = 0; i < 500 && place_alive(pid); i++)
        place_turn_for(p, 10);
    assert_false(place_alive(pid));
}

int place_count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}
