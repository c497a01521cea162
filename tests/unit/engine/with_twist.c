/* See with_twist.h. */
#include "engine/with_twist.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_MOST 4096

static struct {
    kp_world w;
    kp_world *below;
    kp_arena *a;
    const twist *t;
    size_t n;
    int spared;
    bool on;
    struct {
        uint64_t ticket;
        const twist *t;
    } open[OPEN_MOST];
    size_t n_open;
    kp_request last[KP_REQS];
} here;

static uint64_t twisted_send(kp_world *w, kp_arena *a, const kp_request *q)
{
    (void)w;
    kp_request sent = *q;
    here.last[q->kind] = kp_request_keep(here.a, q);
    size_t first = here.n_open;
    for (size_t i = 0; here.on && i < here.n; i++)
        if (here.t[i].kind == q->kind && (here.t[i].node == 0 || here.t[i].node == q->node) &&
            here.spared-- <= 0) {
            assert_true(here.n_open < OPEN_MOST);
            here.open[here.n_open++].t = &here.t[i];
            if (!kp_req_is_question(q->kind) && !kp_streq(here.t[i].key, "no, but done"))
                sent.kind = KP_Q_JOB; /* something harmless, for its answer's sake */
        }
    uint64_t ticket = kp_send(here.below, a, &sent);
    for (size_t i = first; i < here.n_open; i++)
        here.open[i].ticket = ticket;
    return ticket;
}

/* The view with another min.insync.replicas or unclean election of every partition. */
static const kp_view *bent_view(const kp_view *from, const char *key, const char *json)
{
    kp_view *v = kp_memdup(here.a, from, sizeof *from);
    static const kp_view_bad_topic bad = { "secret", 29, "TOPIC_AUTHORIZATION_FAILED" };
    if (kp_streq(key, "empty")) {
        v->n_topics = v->n_parts = 0;
        return v;
    }
    if (kp_streq(key, "bad")) {
        v->n_bad = 1;
        v->bad = &bad;
        return v;
    }
    uint16_t *min_isr = KP_NEW_ARRAY(here.a, from->n_parts, uint16_t);
    uint8_t *flags = KP_NEW_ARRAY(here.a, from->n_parts, uint8_t);
    for (uint32_t p = 0; p < from->n_parts; p++) {
        min_isr[p] = (uint16_t)atoi(json);
        flags[p] = (uint8_t)atoi(json);
    }
    if (kp_streq(key, "leader")) { /* 255: none of them has one */
        void *none = kp_alloc(here.a, from->n_parts * sizeof *from->leader);
        memset(none, atoi(json), from->n_parts * sizeof *from->leader);
        v->leader = none;
        v->counts.offline = from->n_parts;
    } else if (kp_streq(key, "min_isr"))
        v->min_isr = min_isr;
    else
        v->flags = flags;
    return v;
}

static void bend(kp_reply *reply, const twist *t)
{
    const kp_value *v;

    if (!kp_req_is_question(t->kind)) {
        kp_err_drop(reply->err);
        reply->err = kp_err_new(KP_HOST, "look at the host", "%s", t->json);
        if (!kp_streq(t->key, "lost"))
            reply->err = kp_err_certain(reply->err);
        return;
    }
    if (!t->json) {
        kp_err_drop(reply->err);
        reply->err = kp_err_new(KP_CLUSTER, "look at it", "no answer within 5 s");
        return;
    }
    if (reply->err)
        return;
    if (t->kind == KP_Q_VIEW) {
        reply->view = bent_view(reply->view, t->key, t->json);
        return;
    }
    kp_err *e = kp_json_read(here.a, t->json, strlen(t->json), &v);
    assert_null(e);
    reply->value = t->key ? kp_map_with(here.a, reply->value, t->key, v) : v;
}

static kp_reply *twisted_wait(kp_world *w, kp_ms until)
{
    (void)w;
    kp_reply *reply = kp_wait(here.below, until);
    for (size_t i = 0; reply && i < here.n_open;) {
        if (here.open[i].ticket != reply->ticket) {
            i++;
            continue;
        }
        bend(reply, here.open[i].t);
        here.open[i] = here.open[--here.n_open];
    }
    return reply;
}
static void twisted_cancel(kp_world *w, uint64_t ticket)
{
    (void)w;
    kp_cancel(here.below, ticket);
}
static kp_ms twisted_now(kp_world *w)
{
    (void)w;
    return kp_now(here.below);
}
static kp_ms twisted_mono(kp_world *w)
{
    (void)w;
    return kp_mono(here.below);
}
static int twisted_interrupts(kp_world *w)
{
    (void)w;
    return kp_interrupts(here.below);
}
static void twisted_done(kp_world *w)
{
    (void)w;
}

static const kp_world_class twisted = { .name = "sim",
                                        .send = twisted_send,
                                        .wait = twisted_wait,
                                        .cancel = twisted_cancel,
                                        .now = twisted_now,
                                        .mono = twisted_mono,
                                        .interrupts = twisted_interrupts,
                                        .done = twisted_done };

kp_request twist_last(kp_req kind)
{
    return here.last[kind];
}

void twist_into(bench *b, const twist *t, size_t n)
{
    here.w = (kp_world) { .c = &twisted };
    here.below = b->spec.world;
    here.a = b->a;
    here.t = t;
    here.n = n;
    here.spared = 0;
    here.on = false;
    here.n_open = 0;
    b->spec.world = &here.w;
}

void twist_after(int n)
{
    here.spared = n;
}

void twist_on(bool on)
{
    here.on = on;
}
