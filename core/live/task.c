/* task.c: a request under way, from its copy to its one answer.
 *
 * A task keeps everything it needs in an arena of its own: the request (the caller of an action
 * does not wait, and its memory may be gone), the raw answers of brokers, half-built results.  Only
 * the finished result is built in the caller's arena.  Those arenas are lent again and again.
 *
 * Time: the task's timer is the promise of world.h that every request is answered in time.  Legs
 * are given a little less, because a node's or host's own words ("timed out: no answer until the
 * deadline") say more than the task's.
 */
#include "live/inner.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WITHIN_MOST KP_HOUR
#define HEDGE ((kp_ms)300) /* an answer that takes longer is looked for at another node as well */
#define OWN_LIMIT ((size_t)1 << 30) /* a Metadata frame of 100 MB, decoded, and the view's input */

const kp_metadata_request kp_no_topics = { .allow_auto_topic_creation = false };

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- life ---- */

static kp_arena *arena_lend(kp_live *lv)
{
    return lv->n_spare ? lv->spare[--lv->n_spare] : kp_arena_new("request", OWN_LIMIT);
}

static void arena_give_back(kp_live *lv, kp_arena *a)
{
    kp_arena_reset(a);
    if (lv->n_spare < KP_SPARE_ARENAS)
        lv->spare[lv->n_spare++] = a;
    else
        kp_arena_free(a);
}

static void on_time(void *ud)
{
    kp_task *t = ud;
    t->timer = NULL;
    kp_err *e = kp_err_new(kp_req_is_of_host(t->q.kind) ? KP_HOST : KP_CLUSTER,
                           "see whether it is busy, frozen or cut off; it can be asked again",
                           "%s: timed out: no answer in time", kp_req_name(t->q.kind));
    kp_task_fail(t, kp_err_retriable(e));
}

kp_task *kp_task_new(kp_live *lv, kp_arena *a, const kp_request *q)
{
    kp_arena *own = arena_lend(lv);
    kp_ms within = kp_request_within(q), now = kp_mono_now();
    within = within < WITHIN_MOST ? within : WITHIN_MOST;
    kp_ms margin = within / 10 < 50 ? within / 10 : 50;
    kp_task *t = kp_malloc(sizeof *t);
    *t = (kp_task) {
        .lv = lv,
        .a = kp_req_is_question(q->kind) ? a : NULL,
        .own = own,
        .q = kp_request_keep(own, q),
        .deadline = now + within - margin,
        .sent_us = now_us(),
        .reply = { .ticket = ++lv->last_ticket, .kind = q->kind, .node = q->node },
    };
    LIST_INIT(&t->legs);
    t->timer = kp_timer_add(lv->l, now + within, on_time, t);
    TAILQ_INSERT_TAIL(&lv->open, t, link);
    lv->n_tasks++;
    return t;
}

struct kp_any {
    const int *listeners;
    size_t n, next;
    size_t open; /* legs */
    kp_ms deadline;
    kp_api_key api;
    const void *request;
    kp_leg_fn fn;
    kp_timer *hedge;
};

static void drop_legs(kp_task *t, bool only_any)
{
    kp_leg *leg, *next;
    for (leg = LIST_FIRST(&t->legs); leg; leg = next) {
        next = LIST_NEXT(leg, link);
        if (only_any && !leg->of_any)
            continue;
        LIST_REMOVE(leg, link);
        if (leg->kafka)
            kp_kafka_cancel(t->lv->k, leg->kafka);
        if (leg->host)
            kp_host_cancel(t->lv->hs, leg->host);
    }
    if (t->any)
        kp_timer_remove(t->any->hedge);
    t->any = NULL;
}

static void drop_all(kp_task *t)
{
    drop_legs(t, false);
    kp_timer_remove(t->later);
    t->later = NULL;
    kp_timer_remove(t->timer);
    t->timer = NULL;
}

void kp_task_free(kp_task *t)
{
    kp_live *lv = t->lv;
    drop_all(t);
    kp_err_drop(t->last);
    kp_err_drop(t->kept);
    kp_err_drop(t->reply.err);
    arena_give_back(lv, t->own);
    TAILQ_REMOVE(t->answered ? &lv->answered : &lv->open, t, link);
    lv->n_tasks--;
    free(t);
}

static void end(kp_task *t)
{
    kp_live *lv = t->lv;
    drop_all(t);
    t->answered = true;
    t->reply.took_us = now_us() - t->sent_us;
    TAILQ_REMOVE(&lv->open, t, link);
    TAILQ_INSERT_TAIL(&lv->answered, t, link);
}

void kp_task_done(kp_task *t, int listener, const kp_value *value)
{
    t->reply.node = kp_listener_node(listener);
    t->reply.value = t->a ? value : NULL;
    end(t);
}

void kp_task_view(kp_task *t, int listener, const kp_view *view)
{
    t->reply.node = kp_listener_node(listener);
    t->reply.view = view;
    end(t);
}

void kp_task_fail(kp_task *t, kp_err *e)
{
    t->reply.err = e;
    end(t);
}

kp_err *kp_answer_err(kp_task *t, int listener, int code, const char *message)
{
    return kp_err_at(kp_kafka_code_err(code, message), "%s",
                     kp_listener_place(t->lv, t->own, listener));
}

/* ---- legs ---- */

kp_leg *kp_task_leg(kp_task *t, int tag, kp_leg_fn fn)
{
    kp_leg *leg = KP_NEW(t->own, kp_leg);
    *leg = (kp_leg) { .t = t, .tag = tag, .fn = fn };
    LIST_INSERT_HEAD(&t->legs, leg, link);
    return leg;
}

kp_leg *kp_task_host_leg(kp_task *t, kp_host_leg_fn fn)
{
    kp_leg *leg = kp_task_leg(t, 0, NULL);
    leg->host_fn = fn;
    return leg;
}

/* A connection that was closed while nobody looked (by a restart, or by connections.max.idle.ms,
 * while a person was asked something) is found out by the next question on it, which is no reason
 * to fail it.  What is asked of nodes can be asked twice. */
static bool try_again(kp_leg *leg, const kp_err *e)
{
    kp_task *t = leg->t;
    if (!e || !leg->is_node || leg->again ||
        kp_kafka_stat(t->lv->k, leg->tag).link != KP_LINK_CLOSED)
        return false;
    leg->again = true;
    leg->kafka = kp_kafka_call(t->lv->k, leg->tag, leg->api, leg->request, t->own, leg->deadline,
                               kp_leg_on_kafka, leg);
    return true;
}

void kp_leg_on_kafka(void *ud, kp_err *e, const void *response)
{
    kp_leg *leg = ud;
    kp_task *t = leg->t;
    if (try_again(leg, e)) {
        kp_err_drop(e);
        return;
    }
    LIST_REMOVE(leg, link);
    t->lv->stats.round_trips += !e;
    if (e && leg->is_node)
        e = kp_err_at(e, "%s", kp_listener_place(t->lv, t->own, leg->tag));
    leg->fn(t, leg->tag, e, response);
}

void kp_leg_on_host(void *ud, kp_err *e, const kp_value *v)
{
    kp_leg *leg = ud;
    kp_task *t = leg->t;
    LIST_REMOVE(leg, link);
    t->lv->stats.commands += !e;
    leg->host_fn(t, e, v);
}

static kp_leg *call(kp_task *t, int listener, kp_api_key api, const void *request, kp_ms deadline,
                    kp_leg_fn fn)
{
    kp_leg *leg = kp_task_leg(t, listener, fn);
    leg->is_node = true;
    leg->api = api;
    leg->request = request;
    leg->deadline = deadline;
    leg->kafka = kp_kafka_call(t->lv->k, listener, api, request, t->own, deadline, kp_leg_on_kafka,
                               leg);
    return leg;
}

void kp_task_call(kp_task *t, int listener, kp_api_key api, const void *request, kp_leg_fn fn)
{
    call(t, listener, api, request, t->deadline, fn);
}

/* ---- one of several ---- */

static void any_answer(kp_task *t, int listener, kp_err *e, const void *response);
static void any_hedge(void *ud);

static void any_next(kp_task *t)
{
    kp_any *any = t->any;
    any->open++;
    kp_leg *leg = call(t, any->listeners[any->next++], any->api, any->request, any->deadline,
                       any_answer);
    leg->of_any = true;
    kp_timer_remove(any->hedge);
    any->hedge = NULL;
    if (any->next < any->n && kp_req_is_question(t->q.kind))
        any->hedge = kp_timer_add(t->lv->l, kp_mono_now() + HEDGE, any_hedge, t);
}

static void any_hedge(void *ud)
{
    kp_task *t = ud;
    t->any->hedge = NULL;
    any_next(t);
}

static void any_answer(kp_task *t, int listener, kp_err *e, const void *response)
{
    kp_any *any = t->any;
    any->open--;
    if (e) {
        kp_err_drop(t->last);
        t->last = e;
        if (any->next < any->n) {
            any_next(t);
            return;
        }
        if (any->open)
            return;
    }
    kp_leg_fn fn = any->fn;
    drop_legs(t, true);
    if (!e)
        kp_err_drop(t->last);
    t->last = NULL;
    fn(t, listener, e, response);
}

void kp_task_any(kp_task *t, const int *listeners, size_t n, kp_api_key api, const void *request,
                 kp_leg_fn fn)
{
    if (n == 0) {
        kp_task_fail(t, kp_err_new(KP_CLUSTER, "list the brokers in the cluster file",
                                   "there is no node to ask"));
        return;
    }
    t->any = KP_NEW(t->own, kp_any);
    *t->any = (kp_any) { .listeners = listeners,
                         .n = n,
                         .deadline = t->deadline,
                         .api = api,
                         .request = request,
                         .fn = fn };
    any_next(t);
}

void kp_task_call_or_any(kp_task *t, const kp_live_node *n, kp_api_key api, const void *request,
                         kp_leg_fn fn)
{
    if (n) {
        kp_task_call(t, kp_main_listener(n->node), api, request, fn);
        return;
    }
    size_t count;
    int *listeners = kp_live_listeners(t->lv, t->own, -1, false, &count);
    kp_task_any(t, listeners, count, api, request, fn);
}

int32_t kp_task_time_left(const kp_task *t)
{
    kp_ms left = t->deadline - kp_mono_now();
    return left > 1 ? (int32_t)left : 1;
}

/* ---- the controller ---- */

typedef struct to_controller {
    kp_api_key api;
    const void *request;
    int (*code)(const void *response);
    kp_leg_fn fn;
} to_controller;

static void on_who(kp_task *t, int listener, kp_err *e, const void *response)
{
    const kp_metadata_response *m = response;
    to_controller *c = t->state;
    if (e) {
        kp_task_fail(t, e);
        return;
    }
    kp_live_learn(t->lv, m->cluster_id, m->controller_id);
    const kp_live_node *n = kp_live_node_of(t->lv, m->controller_id);
    if (!n || !kp_node_is(n->node, KP_BROKER)) {
        e = kp_answer_err(t, listener, KP_NOT_CONTROLLER, NULL);
        if (m->controller_id >= 0)
            e = kp_err_next(e, "add broker %d, the controller, to the cluster file",
                            m->controller_id);
        kp_task_fail(t, e);
        return;
    }
    kp_task_call(t, n->node->id, c->api, c->request, c->fn);
}

static void on_maybe_controller(kp_task *t, int listener, kp_err *e, const void *response)
{
    to_controller *c = t->state;
    if (!e && c->code(response) == KP_NOT_CONTROLLER)
        kp_task_call(t, listener, KP_METADATA, &kp_no_topics, on_who);
    else
        c->fn(t, listener, e, response);
}

void kp_task_controller_call(kp_task *t, kp_api_key api, const void *request,
                             int (*code)(const void *response), kp_leg_fn fn)
{
    to_controller *c = KP_NEW(t->own, to_controller);
    *c = (to_controller) { .api = api, .request = request, .code = code, .fn = fn };
    t->state = c;
    size_t n;
    int *listeners = kp_live_listeners(t->lv, t->own, t->lv->controller, false, &n);
    kp_task_any(t, listeners, n, api, request, on_maybe_controller);
}
