/* See with_live.h. */
#include "with_live.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *site_path(site *s, int node, const char *name)
{
    return kp_printf(s->a, "%s/%d/%s", s->dir, node, name);
}

const char *site_write(site *s, int node, const char *name, const char *text)
{
    const char *path = site_path(s, node, name);
    char *dir = kp_strdup(s->a, path);
    for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(dir, 0755);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

char *site_read(site *s, int node, const char *name)
{
    char *text;
    kp_err *e = kp_file_read(s->a, site_path(s, node, name), 1 << 20, &text, NULL);
    if (!e)
        return text;
    kp_err_drop(e);
    return kp_strdup(s->a, "");
}

/* A socket on loopback; one that listens takes connections into its backlog and never answers. */
static int bound(bool listens, uint16_t *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) ||
        getsockname(fd, (struct sockaddr *)&at, &size) || (listens && listen(fd, 64)))
        fail_msg("no socket");
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void add_node(site *s, kp_buf *b, int id, const char *address)
{
    kp_buf_fmt(b,
               "  - id: %d\n    host: localhost\n    kafka: \"%s\"\n"
               "    service: { manager: command, start: [ /bin/sh, \"%s/%d/start\" ] }\n"
               "    layout: { current: \"%s/%d/current\", releases: \"%s/%d/releases\", "
               "config: \"%s/%d/server.properties\", log: \"%s/%d/server.log\" }\n",
               id, address, s->dir, id, s->dir, id, s->dir, id, s->dir, id, s->dir, id);
}

/* Every listener is another loopback address with one port that is bound and does not listen. */
static const char *cluster_file(site *s, int brokers, int controllers, int first_controller,
                                uint16_t port)
{
    KP_AUTO_BUF b = KP_BUF_INIT(1 << 20);
    kp_buf_str(&b, "cluster: test\nkafka: { bootstrap.servers: \"127.0.0.1:1\" }\n"
                   "ssh: { transport: local }\nbrokers:\n");
    for (int i = 1; i <= brokers; i++)
        add_node(s, &b, i, kp_printf(s->a, "127.0.1.%d:%u", i, port));
    if (controllers)
        kp_buf_str(&b, "controllers:\n");
    for (int i = 0; i < controllers; i++)
        add_node(s, &b, first_controller + i, kp_printf(s->a, "127.0.2.%d:%u", i + 1, port));
    return kp_strdup(s->a, kp_buf_text(&b));
}

static site *site_make(int brokers, int controllers, int first_controller)
{
    char dir[] = "/tmp/kplay-live-XXXXXX";
    kp_arena *a = kp_arena_new("test", 512 << 20);
    site *s = KP_NEW(a, site);
    uint16_t closed, deaf;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!mkdtemp(dir))
        fail_msg("no directory");
    *s = (site) { .a = a, .dir = kp_strdup(a, dir), .deaf = bound(true, &deaf) };
    s->deaf_address = kp_printf(a, "127.0.0.1:%u", deaf);
    int fd = bound(false, &closed);
    const char *text = cluster_file(s, brokers, controllers, first_controller, closed);
    close(fd);
    kp_err *e = kp_inventory_parse(a, "kplay.yaml", text, strlen(text), &s->inv);
    if (!e)
        e = kp_live_world(a, s->inv, &s->w);
    if (e)
        fail_msg("%s", kp_err_text(a, e));
    s->lv = (kp_live *)s->w;
    return s;
}

site *site_new(int brokers, int controllers)
{
    return site_make(brokers, controllers, 3001);
}

site *site_new_combined(int nodes)
{
    return site_make(nodes, nodes, 1);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    remove(path);
    return 0;
}

void site_end(site *s)
{
    if (s->w)
        s->w->c->done(s->w);
    close(s->deaf);
    nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    kp_arena_free(s->a);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

void site_at(site *s, int listener, const char *address)
{
    kp_err *e = kp_kafka_node(s->lv->k, listener, address);
    if (e)
        fail_msg("%s", kp_err_text(s->a, e));
}

void site_deaf(site *s, int listener)
{
    site_at(s, listener, s->deaf_address);
}

void site_quiet(site *s, kp_ms d)
{
    kp_ms until = kp_mono(s->w) + d;
    while (kp_mono(s->w) < until) {
        kp_reply *r = kp_wait(s->w, until);
        if (r)
            fail_msg("a reply to %s that nobody waits for", kp_req_name(r->kind));
    }
}

kp_reply site_ask(site *s, kp_request q)
{
    uint64_t ticket = kp_send(s->w, s->a, &q);
    kp_reply *r = NULL;
    kp_ms until = kp_mono(s->w) + 30 * KP_SECOND;
    while (!r && kp_mono(s->w) < until)
        r = kp_wait(s->w, until);
    assert_non_null(r);
    kp_reply copy = *r;
    assert_int_equal(copy.ticket, ticket);
    assert_int_equal(copy.kind, q.kind);
    assert_true(copy.took_us >= 0);
    assert_false(copy.err && (copy.value || copy.view));
    assert_true(TAILQ_EMPTY(&s->lv->answered) && TAILQ_EMPTY(&s->lv->open));
    return copy;
}

static void demand(site *s, const kp_reply *r)
{
    if (r->err)
        fail_msg("%s: %s", kp_req_name(r->kind), kp_err_text(s->a, r->err));
}

const kp_value *site_value(site *s, kp_request q)
{
    kp_reply r = site_ask(s, q);
    demand(s, &r);
    return r.value;
}

const kp_view *site_view(site *s, kp_request q)
{
    kp_reply r = site_ask(s, q);
    demand(s, &r);
    assert_non_null(r.view);
    return r.view;
}

bool site_fails(site *s, kp_request q, kp_class cls, const char *part)
{
    kp_reply r = site_ask(s, q);
    assert_non_null(r.err);
    const char *text = kp_err_text(s->a, r.err);
    if (r.err->cls != cls || !strstr(text, part))
        fail_msg("%s: wanted %s \"%s\", got %s:\n%s", kp_req_name(q.kind), kp_class_name(cls), part,
                 kp_class_name(r.err->cls), text);
    assert_true(strlen(r.err->next) > 10);
    bool retriable = r.err->retriable;
    kp_err_drop(r.err);
    return retriable;
}

const kp_value *json(site *s, const char *text)
{
    const kp_value *v;
    kp_err *e = kp_json_read(s->a, text, strlen(text), &v);
    if (e)
        fail_msg("%s", kp_err_text(s->a, e));
    return v;
}
