/* groups.c: consumer groups, asked through librdkafka without ever waiting for it.
 *
 * One handle of the consumer kind without group.id (that kind never creates topics by asking), made
 * by the first call: a run that asks nothing about groups has no foreign threads.  Every request is
 * an admin request whose result comes to one queue.  librdkafka writes 8 bytes into an eventfd when
 * the queue turns from empty to not empty, and only then, so the loop's callback drains the queue
 * to the end.  The log goes through the same queue: no code of kplay runs on librdkafka's threads.
 *
 * Not used, because they block: rd_kafka_metadata, list_groups, query_watermark_offsets, committed.
 * rd_kafka_destroy waits for the threads (milliseconds; longer while a name is being resolved).
 *
 * A call is bounded twice: by librdkafka's request timeout and by a timer of the loop.  The one
 * that comes first ends it; the other finds it without an owner.  "Success" of a listing may hide
 * brokers that did not answer, so their errors are handed on beside the groups.
 */
#include "kafka/client.h"
#include "kafka/properties.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

enum { OPEN_LIMIT = 10000 }; /* group calls open at once */

typedef struct group_call group_call;
TAILQ_HEAD(group_calls, group_call);

struct group_call {
    TAILQ_ENTRY(group_call) link;
    kp_groups *g;
    uint64_t ticket;
    kp_arena *a;
    kp_timer *timer;
    kp_kafka_fn fn; /* NULL: over for its owner; librdkafka's result is still to come */
    void *ud;
    kp_err *err; /* it failed; the timer delivers */
    bool asked;  /* librdkafka holds a pointer to it until its result has come */
};

struct kp_groups {
    kp_loop *l;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    int event_fd;
    kp_watch *watch;
    struct group_calls calls;
    int n_calls;
};

static const char *const next_ask_again =
    "see whether the brokers in bootstrap.servers run and can be reached from here, and try again";

/* ---- ends ---- */

static void call_free(group_call *c)
{
    TAILQ_REMOVE(&c->g->calls, c, link);
    c->g->n_calls--;
    kp_timer_remove(c->timer);
    kp_err_drop(c->err);
    free(c);
}

/* The owner is done with it; the struct stays while librdkafka knows it. */
static void disown(group_call *c)
{
    kp_timer_remove(c->timer);
    c->timer = NULL;
    c->fn = NULL;
    c->a = NULL;
    if (!c->asked)
        call_free(c);
}

static void finish(group_call *c, kp_err *e, const void *response)
{
    kp_kafka_fn fn = c->fn;
    void *ud = c->ud;
    disown(c);
    fn(ud, e, response);
}

static void on_timer(void *ud)
{
    group_call *c = ud;
    kp_err *e = c->err;
    c->timer = NULL;
    c->err = NULL;
    if (!e)
        e = kp_err_retriable(kp_err_new(KP_CLUSTER, next_ask_again,
                                        "no answer about consumer groups until the deadline"));
    finish(c, e, NULL);
}

/* ---- results ---- */

static bool is_retriable(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
        return true;
    default:
        return code > 0 && kp_kafka_code_of((int)code).retriable;
    }
}

static kp_err *library_err(rd_kafka_resp_err_t code, const char *text)
{
    kp_err *e = kp_err_new(KP_CLUSTER, next_ask_again, "consumer groups: %s (%s)",
                           text ? text : rd_kafka_err2str(code), rd_kafka_err2name(code));
    return is_retriable(code) ? kp_err_retriable(e) : e;
}

/* Text of an error inside a result; NULL when there is none. */
static const char *problem(kp_arena *a, const rd_kafka_error_t *e)
{
    if (!e || !rd_kafka_error_code(e))
        return NULL;
    return kp_printf(a, "%s (%s)", rd_kafka_error_string(e), rd_kafka_error_name(e));
}

static kp_err *take_list(kp_arena *a, rd_kafka_event_t *ev, const void **ret_response)
{
    const rd_kafka_ListConsumerGroups_result_t *r = rd_kafka_event_ListConsumerGroups_result(ev);
    size_t n, n_errors;
    const rd_kafka_ConsumerGroupListing_t **v = rd_kafka_ListConsumerGroups_result_valid(r, &n);
    const rd_kafka_error_t **errors = rd_kafka_ListConsumerGroups_result_errors(r, &n_errors);
    if (!n && n_errors)
        return library_err(rd_kafka_error_code(errors[0]), rd_kafka_error_string(errors[0]));
    kp_group *groups = KP_NEW_ARRAY(a, n, kp_group);
    for (size_t i = 0; i < n; i++)
        groups[i] = (kp_group){
            .id = kp_strdup(a, rd_kafka_ConsumerGroupListing_group_id(v[i])),
            .state = rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupListing_state(v[i])),
            .coordinator = -1,
            .members = -1,
        };
    const char **problems = KP_NEW_ARRAY(a, n_errors, const char *);
    for (size_t i = 0; i < n_errors; i++)
        problems[i] = problem(a, errors[i]);
    kp_group_list *list = KP_NEW(a, kp_group_list);
    *list = (kp_group_list){ groups, n, problems, n_errors };
    *ret_response = list;
    return NULL;
}

static kp_err *take_describe(kp_arena *a, rd_kafka_event_t *ev, const void **ret_response)
{
    const rd_kafka_DescribeConsumerGroups_result_t *r =
        rd_kafka_event_DescribeConsumerGroups_result(ev);
    size_t n;
    const rd_kafka_ConsumerGroupDescription_t **v = rd_kafka_DescribeConsumerGroups_result_groups(
        r, &n);
    kp_group *groups = KP_NEW_ARRAY(a, n, kp_group);
    for (size_t i = 0; i < n; i++) {
        const rd_kafka_Node_t *coordinator = rd_kafka_ConsumerGroupDescription_coordinator(v[i]);
        groups[i] = (kp_group){
            .id = kp_strdup(a, rd_kafka_ConsumerGroupDescription_group_id(v[i])),
            .state = rd_kafka_consumer_group_state_name(
                rd_kafka_ConsumerGroupDescription_state(v[i])),
            .problem = problem(a, rd_kafka_ConsumerGroupDescription_error(v[i])),
            .coordinator = coordinator ? rd_kafka_Node_id(coordinator) : -1,
            .members = (int32_t)rd_kafka_ConsumerGroupDescription_member_count(v[i]),
        };
    }
    kp_group_list *list = KP_NEW(a, kp_group_list);
    *list = (kp_group_list){ groups, n, NULL, 0 };
    *ret_response = list;
    return NULL;
}

static int by_topic_and_partition(const void *a, const void *b)
{
    const kp_group_offset *x = a, *y = b;
    int d = strcmp(x->topic, y->topic);
    return d ? d : (x->partition > y->partition) - (x->partition < y->partition);
}

static kp_err *take_offsets(kp_arena *a, rd_kafka_event_t *ev, const void **ret_response)
{
    const rd_kafka_ListConsumerGroupOffsets_result_t *r =
        rd_kafka_event_ListConsumerGroupOffsets_result(ev);
    size_t n_groups;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        r, &n_groups);
    const rd_kafka_error_t *e = n_groups ? rd_kafka_group_result_error(groups[0]) : NULL;
    if (e && rd_kafka_error_code(e))
        return library_err(rd_kafka_error_code(e), rd_kafka_error_string(e));
    const rd_kafka_topic_partition_list_t *l = n_groups
                                                   ? rd_kafka_group_result_partitions(groups[0])
                                                   : NULL;
    size_t n = l ? (size_t)l->cnt : 0;
    kp_group_offset *v = KP_NEW_ARRAY(a, n, kp_group_offset);
    for (size_t i = 0; i < n; i++) {
        const rd_kafka_topic_partition_t *p = &l->elems[i];
        v[i] = (kp_group_offset){
            .topic = kp_strdup(a, p->topic),
            .partition = p->partition,
            .offset = p->offset < 0 ? -1 : p->offset,
            .problem = p->err ? kp_strdup(a, rd_kafka_err2str(p->err)) : NULL,
        };
    }
    if (n)
        qsort(v, n, sizeof(*v), by_topic_and_partition);
    kp_group_offsets *offsets = KP_NEW(a, kp_group_offsets);
    *offsets = (kp_group_offsets){ v, n };
    *ret_response = offsets;
    return NULL;
}

static void take_log(rd_kafka_event_t *ev)
{
    const char *facility, *text;
    int level;
    if (rd_kafka_event_log(ev, &facility, &text, &level) == 0)
        kp_log(KP_LOG_DEBUG, "librdkafka %s: %s", facility, text);
}

static void take_event(rd_kafka_event_t *ev)
{
    kp_err *(*take)(kp_arena *, rd_kafka_event_t *, const void **);
    switch (rd_kafka_event_type(ev)) {
    case RD_KAFKA_EVENT_LISTCONSUMERGROUPS_RESULT:
        take = take_list;
        break;
    case RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT:
        take = take_describe;
        break;
    case RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT:
        take = take_offsets;
        break;
    case RD_KAFKA_EVENT_LOG:
        take_log(ev);
        return;
    default:
        return;
    }
    group_call *c = rd_kafka_event_opaque(ev);
    c->asked = false;
    if (!c->fn) {
        call_free(c);
        return;
    }
    const void *response = NULL;
    kp_err *e = rd_kafka_event_error(ev)
                    ? library_err(rd_kafka_event_error(ev), rd_kafka_event_error_string(ev))
                    : take(c->a, ev, &response);
    finish(c, e, response);
}

static void on_queue(void *ud, int fd, short revents KP_UNUSED)
{
    kp_groups *g = ud;
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof(count));
    (void)got; /* a wake-up without events is harmless */
    rd_kafka_event_t *ev;
    while ((ev = rd_kafka_queue_poll(g->queue, 0))) {
        take_event(ev);
        rd_kafka_event_destroy(ev);
    }
}

/* ---- the handle ---- */

static kp_err *start(kp_groups *g, const kp_value *properties)
{
    char why[256];
    if (!kp_get(properties, "bootstrap.servers"))
        return kp_err_new(KP_CONFIG, "add bootstrap.servers to the kafka: section",
                          "consumer groups cannot be asked about without bootstrap.servers");
    rd_kafka_conf_t *conf = kp_properties_conf(properties);
    g->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    if (!g->rk) {
        rd_kafka_conf_destroy(conf);
        return kp_err_new(KP_CONFIG, "correct the kafka: section", "librdkafka does not start: %s",
                          why);
    }
    g->queue = rd_kafka_queue_new(g->rk);
    g->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (g->event_fd < 0)
        kp_die("no eventfd for librdkafka's queue");
    g->watch = kp_watch_add(g->l, g->event_fd, POLLIN, on_queue, g);
    rd_kafka_queue_io_event_enable(g->queue, g->event_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
    if (rd_kafka_set_log_queue(g->rk, g->queue))
        kp_die("librdkafka does not give its log away");
    return NULL;
}

void kp_groups_free(kp_groups *g)
{
    if (!g)
        return;
    if (g->rk) {
        rd_kafka_queue_io_event_enable(g->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(g->queue);
        rd_kafka_destroy_flags(g->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        kp_watch_remove(g->watch);
        close(g->event_fd);
    }
    group_call *c;
    while ((c = TAILQ_FIRST(&g->calls)))
        call_free(c);
    free(g);
}

bool kp_groups_cancel(kp_groups *g, uint64_t ticket)
{
    group_call *c;
    if (!g)
        return false;
    TAILQ_FOREACH(c, &g->calls, link) {
        if (c->ticket == ticket) {
            if (c->fn)
                disown(c);
            return true;
        }
    }
    return false;
}

/* ---- calls ---- */

static group_call *call_new(kp_kafka *k, kp_arena *a, kp_ms deadline, kp_kafka_fn fn, void *ud)
{
    kp_groups **g = kp_kafka_groups(k);
    if (!*g) {
        *g = kp_malloc(sizeof(**g));
        **g = (kp_groups){ .l = kp_kafka_loop(k) };
        TAILQ_INIT(&(*g)->calls);
    }
    group_call *c = kp_malloc(sizeof(*c));
    *c = (group_call){ .g = *g, .ticket = kp_kafka_next_ticket(k), .a = a, .fn = fn, .ud = ud };
    TAILQ_INSERT_TAIL(&(*g)->calls, c, link);
    if (++(*g)->n_calls > OPEN_LIMIT)
        c->err = kp_err_new(KP_INTERNAL,
                            "this is a fault of kplay: please report it with this message",
                            "more than %d questions about groups are open", OPEN_LIMIT);
    else if (!(*g)->rk)
        c->err = start(*g, kp_kafka_properties(k));
    c->asked = !c->err;
    c->timer = kp_timer_add((*g)->l, c->err ? 0 : deadline, on_timer, c);
    return c;
}

/* The options of a request for this call; freed by the caller. */
static rd_kafka_AdminOptions_t *options(const group_call *c, rd_kafka_admin_op_t op, kp_ms deadline)
{
    char why[256];
    kp_ms left = deadline - kp_mono_now();
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(c->g->rk, op);
    int timeout = left < 1 ? 1 : left > KP_HOUR ? (int)KP_HOUR : (int)left;
    if (rd_kafka_AdminOptions_set_request_timeout(o, timeout, why, sizeof(why)))
        kp_die("librdkafka does not take a timeout of %d ms: %s", timeout, why);
    rd_kafka_AdminOptions_set_opaque(o, (void *)(uintptr_t)c);
    return o;
}

uint64_t kp_kafka_groups_list(kp_kafka *k, kp_arena *a, kp_ms deadline, kp_kafka_fn fn, void *ud)
{
    group_call *c = call_new(k, a, deadline, fn, ud);
    if (c->asked) {
        rd_kafka_AdminOptions_t *o = options(c, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, deadline);
        rd_kafka_ListConsumerGroups(c->g->rk, o, c->g->queue);
        rd_kafka_AdminOptions_destroy(o);
    }
    return c->ticket;
}

uint64_t kp_kafka_groups_describe(kp_kafka *k, const char *const *ids, size_t n, kp_arena *a,
                                  kp_ms deadline, kp_kafka_fn fn, void *ud)
{
    group_call *c = call_new(k, a, deadline, fn, ud);
    if (c->asked) {
        rd_kafka_AdminOptions_t *o = options(c, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, deadline);
        rd_kafka_DescribeConsumerGroups(c->g->rk, (const char **)(uintptr_t)ids, n, o, c->g->queue);
        rd_kafka_AdminOptions_destroy(o);
    }
    return c->ticket;
}

uint64_t kp_kafka_group_offsets(kp_kafka *k, const char *id, kp_arena *a, kp_ms deadline,
                                kp_kafka_fn fn, void *ud)
{
    group_call *c = call_new(k, a, deadline, fn, ud);
    if (c->asked) {
        rd_kafka_AdminOptions_t *o = options(c, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
                                             deadline);
        rd_kafka_ListConsumerGroupOffsets_t *one = rd_kafka_ListConsumerGroupOffsets_new(id, NULL);
        rd_kafka_ListConsumerGroupOffsets(c->g->rk, &one, 1, o, c->g->queue);
        rd_kafka_ListConsumerGroupOffsets_destroy(one);
        rd_kafka_AdminOptions_destroy(o);
    }
    return c->ticket;
}
