/* client.c: nodes, calls and their ends.
 *
 * A call waits at its node until the connection is ready and fewer than five requests are under
 * way, is sent, and ends in one of two places: with the answer, when its frame comes, or with an
 * error, from its timer.  Every failure goes through the timer: it is written into the call and the
 * timer set to now.  So no callback is ever made from inside kp_kafka_call, nor from inside the
 * handling of another call's failure.
 *
 * Kafka answers the requests of one connection in order.  A request whose call timed out or was
 * cancelled therefore keeps its place among those sent, without an owner, until its answer has come
 * and is dropped.  When only such requests are left after a time-out, the connection is given up:
 * behind a frozen node or a dead line it would hold up all further calls.
 */
#include "kafka/kafka.h"

#include "kafka/codec.h"
#include "kafka/conn.h"
#include "kafka/properties.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

enum {
    PROPERTIES_MEMORY = 4 << 20,
    PATIENCE = 1000, /* ms: an older attempt to connect that costs a call its time is given up */
};

typedef struct node node;
typedef struct call call;
TAILQ_HEAD(calls, call);

struct call {
    TAILQ_ENTRY(call) open; /* in kp_kafka.open, unless fn is NULL */
    TAILQ_ENTRY(call) link; /* in node.waiting or node.sent */
    struct calls *list;     /* which of the two, or NULL */
    kp_kafka *k;
    node *node; /* NULL: the node was not known */
    uint64_t ticket;
    const kp_api *api;
    const void *request;
    kp_arena *a;
    kp_timer *timer;
    kp_kafka_fn fn; /* NULL: timed out or cancelled after it was sent */
    void *ud;
    kp_err *err; /* it failed; the timer delivers */
    int version;
    int32_t correlation;
    int64_t sent_us;
};

struct node {
    kp_kafka *k;
    int id;
    char *address, *host, *port;
    kp_conn *conn; /* NULL: none */
    kp_ms opened;  /* when conn was started */
    struct calls waiting, sent;
    int n_waiting, n_sent;
    kp_node_stat stat;
};

struct kp_kafka {
    kp_loop *l;
    kp_arena *memory;
    const kp_value *properties;
    const char *client_id;
    int family;
    node *nodes[KP_KAFKA_NODES];
    size_t n_nodes;
    struct calls open;
    uint64_t last_ticket;
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- the lists a call is in ---- */

static int *list_count(call *c)
{
    return c->list == &c->node->sent ? &c->node->n_sent : &c->node->n_waiting;
}

static void list_put(call *c, struct calls *list)
{
    c->list = list;
    TAILQ_INSERT_TAIL(list, c, link);
    ++*list_count(c);
}

static void list_take(call *c)
{
    if (!c->list)
        return;
    TAILQ_REMOVE(c->list, c, link);
    --*list_count(c);
    c->list = NULL;
}

/* The call has no owner from now on: nobody is called back, and its arena is not touched. */
static void disown(call *c)
{
    TAILQ_REMOVE(&c->k->open, c, open);
    kp_timer_remove(c->timer);
    c->timer = NULL;
    kp_err_drop(c->err);
    c->err = NULL;
    c->fn = NULL;
    c->a = NULL;
}

/* ---- ends ---- */

static kp_err *at_node(const node *n, kp_err *e)
{
    return kp_err_at(e, "node %d at %s", n->id, n->address);
}

static kp_err *link_err(const call *c, kp_link link, const char *why)
{
    static const char *const next[] = {
        [KP_LINK_REFUSED] = "see whether the node runs and this address can be reached from here",
        [KP_LINK_TIMED_OUT] =
            "see whether the node is busy, frozen or cut off; it can be asked again",
        [KP_LINK_CLOSED] = "the node may be stopping or starting: ask again in a moment",
        [KP_LINK_PROTOCOL] = "check that this address is a PLAINTEXT listener of Kafka",
    };
    kp_err *e = kp_err_new(KP_CLUSTER, next[link], "%s: %s: %s", c->api->name, kp_link_name(link),
                           why);
    e = at_node(c->node, e);
    return link == KP_LINK_PROTOCOL ? e : kp_err_retriable(e);
}

/* The call is over; what is left of it is its callback. */
static void finish(call *c, const void *response)
{
    kp_kafka_fn fn = c->fn;
    void *ud = c->ud;
    kp_err *err = c->err;
    c->err = NULL;
    list_take(c);
    disown(c);
    free(c);
    fn(ud, err, response);
}

static void on_timer(void *ud);

static void fail_later(call *c, kp_err *e)
{
    list_take(c);
    c->err = e;
    kp_timer_remove(c->timer);
    c->timer = kp_timer_add(c->k->l, 0, on_timer, c);
}

/* Give the connection up; every call on it fails, but those that only wait when `spare` is set. */
static void drop_conn(node *n, kp_link link, const char *why, bool spare_waiting)
{
    kp_conn_close(n->conn);
    n->conn = NULL;
    call *c;
    while ((c = TAILQ_FIRST(&n->sent)) || (!spare_waiting && (c = TAILQ_FIRST(&n->waiting)))) {
        if (c->fn) {
            fail_later(c, link_err(c, link, why));
        } else {
            list_take(c);
            free(c);
        }
    }
}

/* ---- from waiting to sent ---- */

static kp_err *choose_version(const call *c, int *ret_version)
{
    const kp_api_versions_response *r = kp_conn_versions(c->node->conn);
    for (int32_t i = 0; i < r->api_keys.n; i++) {
        const kp_api_range *theirs = &r->api_keys.v[i];
        if (theirs->api_key != c->api->key)
            continue;
        int version = theirs->max_version < c->api->max ? theirs->max_version : c->api->max;
        if (version >= theirs->min_version && version >= c->api->min) {
            *ret_version = version;
            return NULL;
        }
        return kp_err_new(KP_CLUSTER, "use a release of kplay and one of Kafka that overlap",
                          "it speaks %s v%d to v%d, kplay v%d to v%d", c->api->name,
                          theirs->min_version, theirs->max_version, c->api->min, c->api->max);
    }
    return kp_err_new(KP_CLUSTER, "ask another kind of node, or a newer one",
                      "it does not offer %s", c->api->name);
}

static kp_err *send_call(call *c)
{
    node *n = c->node;
    const void *request = c->request ? c->request : &kp_conn_software;
    KP_TRY(choose_version(c, &c->version));
    c->sent_us = now_us();
    KP_TRY(kp_conn_send(n->conn, c->api, c->version, request, &c->correlation));
    n->stat.requests++;
    list_take(c);
    list_put(c, &n->sent);
    return NULL;
}

static void send_waiting(node *n)
{
    call *c;
    while (n->conn && kp_conn_ready(n->conn) && n->n_sent < KP_KAFKA_IN_FLIGHT &&
           (c = TAILQ_FIRST(&n->waiting))) {
        kp_err *e = send_call(c);
        if (e)
            fail_later(c, at_node(n, e));
    }
}

/* ---- what the connection tells ---- */

static void on_ready(void *ud)
{
    send_waiting(ud);
}

static void on_lost(void *ud, kp_link link, const char *why)
{
    node *n = ud;
    n->stat.link = link;
    drop_conn(n, link, why, false);
}

static void on_frame(void *ud, const void *p, size_t size)
{
    node *n = ud;
    call *c = TAILQ_FIRST(&n->sent);
    int32_t correlation;
    if (!c || !kp_frame_correlation(p, size, &correlation) || correlation != c->correlation) {
        on_lost(n, KP_LINK_PROTOCOL, "an answer belongs to no question (wrong correlation id)");
        return;
    }
    n->stat.rtt_us = now_us() - c->sent_us;
    n->stat.link = KP_LINK_OK;
    if (!c->fn) {
        list_take(c);
        free(c);
        send_waiting(n);
        return;
    }
    const void *response;
    kp_err *e = kp_frame_response(c->a, c->api, c->version, c->correlation, p, size, &response);
    if (e) {
        n->stat.link = KP_LINK_PROTOCOL;
        fail_later(c, at_node(n, e));
        drop_conn(n, KP_LINK_CLOSED, "kplay closed the connection after an answer it cannot read",
                  false);
        return;
    }
    list_take(c);
    send_waiting(n);
    finish(c, response);
}

static void open_conn(node *n)
{
    KP_AUTO_BUF why = KP_BUF_INIT(512);
    kp_conn_owner owner = { n, on_ready, on_frame, on_lost };
    n->opened = kp_mono_now();
    n->conn = kp_conn_open(n->k->l, n->host, n->port, n->k->family, n->k->client_id, owner, &why);
    if (!n->conn)
        on_lost(n, KP_LINK_REFUSED, kp_buf_text(&why));
}

/* ---- time ---- */

static bool only_disowned(const node *n)
{
    call *c;
    TAILQ_FOREACH(c, &n->sent, link) {
        if (c->fn)
            return false;
    }
    return true;
}

/* A call has run out of time: is its connection still worth waiting for? */
static void judge_conn(node *n)
{
    if (!n->conn)
        return;
    bool stuck = kp_conn_ready(n->conn)
                     ? n->n_sent > 0 && only_disowned(n)
                     : !n->n_waiting || kp_mono_now() - n->opened >= PATIENCE;
    if (!stuck)
        return;
    drop_conn(n, KP_LINK_CLOSED, "", true);
    if (n->n_waiting)
        open_conn(n);
}

static void on_timer(void *ud)
{
    call *c = ud;
    c->timer = NULL;
    if (c->err) {
        finish(c, NULL);
        return;
    }
    node *n = c->node;
    const char *why = "no answer until the deadline";
    if (n->conn && !kp_conn_ready(n->conn))
        why = kp_conn_state(n->conn);
    kp_kafka_fn fn = c->fn;
    void *fn_ud = c->ud;
    kp_err *e = link_err(c, KP_LINK_TIMED_OUT, why);
    n->stat.link = KP_LINK_TIMED_OUT;
    disown(c);
    if (c->list == &n->waiting) {
        list_take(c);
        free(c);
    }
    judge_conn(n);
    fn(fn_ud, e, NULL);
}

/* ---- nodes ---- */

static node *find_node(const kp_kafka *k, int id)
{
    for (size_t i = 0; i < k->n_nodes; i++)
        if (k->nodes[i]->id == id)
            return k->nodes[i];
    return NULL;
}

/* "host:port" and "[v6]:port" into two texts on the heap. */
static kp_err *split_address(const char *address, char **ret_host, char **ret_port)
{
    const char *colon = strrchr(address, ':');
    const char *host = address, *end = colon;
    if (colon && *host == '[' && colon > host + 1 && colon[-1] == ']') {
        host++;
        end--;
    } else if (colon && memchr(host, ':', (size_t)(colon - host))) {
        colon = NULL; /* a bare IPv6 address: which colon ends it cannot be told */
    }
    unsigned long port = 0;
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    if (digits && digits <= 5 && !colon[1 + digits])
        port = strtoul(colon + 1, NULL, 10);
    if (!port || port > UINT16_MAX || host == end)
        return kp_err_new(KP_CONFIG, "write host:port, or [address]:port for IPv6",
                          "\"%s\" is not an address of a listener", address);
    *ret_host = strndup(host, (size_t)(end - host));
    *ret_port = strdup(colon + 1);
    if (!*ret_host || !*ret_port)
        kp_die("out of memory");
    return NULL;
}

static void forget_address(node *n)
{
    free(n->address);
    free(n->host);
    free(n->port);
}

kp_err *kp_kafka_node(kp_kafka *k, int id, const char *address)
{
    node *n = find_node(k, id);
    if (n && kp_streq(n->address, address))
        return NULL;
    char *host = NULL, *port = NULL;
    KP_TRY(split_address(address, &host, &port));
    if (n) {
        drop_conn(n, KP_LINK_CLOSED, "the node has another address now", false);
        forget_address(n);
    } else {
        if (k->n_nodes == KP_KAFKA_NODES) {
            free(host);
            free(port);
            return kp_err_new(KP_CONFIG, "split the cluster file", "more than %d nodes",
                              KP_KAFKA_NODES);
        }
        n = kp_malloc(sizeof(*n));
        *n = (node){ .k = k, .id = id, .stat = { KP_LINK_UNTRIED, -1, 0 } };
        TAILQ_INIT(&n->waiting);
        TAILQ_INIT(&n->sent);
        k->nodes[k->n_nodes++] = n;
    }
    n->host = host;
    n->port = port;
    n->address = strdup(address);
    if (!n->address)
        kp_die("out of memory");
    return NULL;
}

kp_node_stat kp_kafka_stat(const kp_kafka *k, int node_id)
{
    const node *n = find_node(k, node_id);
    return n ? n->stat : (kp_node_stat){ KP_LINK_UNTRIED, -1, 0 };
}

const kp_api_versions_response *kp_kafka_api_versions(const kp_kafka *k, int node_id)
{
    const node *n = find_node(k, node_id);
    return n && n->conn ? kp_conn_versions(n->conn) : NULL;
}

const char *kp_link_name(kp_link link)
{
    static const char *const names[] = {
        [KP_LINK_UNTRIED] = "untried", [KP_LINK_OK] = "ok",
        [KP_LINK_REFUSED] = "refused", [KP_LINK_TIMED_OUT] = "timed out",
        [KP_LINK_CLOSED] = "closed",   [KP_LINK_PROTOCOL] = "protocol error",
    };
    return names[link];
}

/* ---- calls ---- */

static kp_err *why_not(const node *n, int node_id, const kp_api *api, int key, const void *request)
{
    static const char *const next = "this is a fault of kplay: please report it with this message";
    if (!n)
        return kp_err_new(KP_INTERNAL, next, "node %d was asked before it was made known", node_id);
    if (!api || (!request && key != KP_API_VERSIONS))
        return kp_err_new(KP_INTERNAL, next, "no request for API %d", key);
    if (n->n_waiting >= KP_KAFKA_WAITING)
        return at_node(n,
                       kp_err_new(KP_INTERNAL, next, "more than %d calls wait", KP_KAFKA_WAITING));
    return NULL;
}

uint64_t kp_kafka_call(kp_kafka *k, int node_id, kp_api_key key, const void *request, kp_arena *a,
                       kp_ms deadline, kp_kafka_fn fn, void *ud)
{
    node *n = find_node(k, node_id);
    const kp_api *api = kp_api_find((int)key);
    call *c = kp_malloc(sizeof(*c));
    *c = (call) {
        .k = k,
        .node = n,
        .ticket = ++k->last_ticket,
        .api = api,
        .a = a,
        .fn = fn,
        .ud = ud,
    };
    uint64_t ticket = c->ticket;
    TAILQ_INSERT_TAIL(&k->open, c, open);
    kp_err *e = why_not(n, node_id, api, (int)key, request);
    if (e) {
        fail_later(c, e);
        return ticket;
    }
    c->request = request ? kp_wire_copy(a, api->request, request) : NULL;
    c->timer = kp_timer_add(k->l, deadline, on_timer, c);
    list_put(c, &n->waiting);
    if (!n->conn)
        open_conn(n);
    else
        send_waiting(n);
    return ticket;
}

void kp_kafka_cancel(kp_kafka *k, uint64_t ticket)
{
    call *c;
    TAILQ_FOREACH(c, &k->open, open) {
        if (c->ticket == ticket)
            break;
    }
    if (!c)
        return;
    disown(c);
    if (!c->node || c->list != &c->node->sent) {
        list_take(c);
        free(c);
    }
}

/* ---- life ---- */

kp_err *kp_kafka_new(kp_loop *l, const kp_value *properties, const kp_value *about,
                     kp_kafka **ret_k)
{
    KP_TRY(kp_properties_check(properties, about));
    kp_kafka *k = kp_malloc(sizeof(*k));
    memset(k, 0, sizeof(*k));
    k->l = l;
    k->memory = kp_arena_new("kafka properties", PROPERTIES_MEMORY);
    k->properties = properties ? kp_value_copy(k->memory, properties) : NULL;
    k->client_id = kp_get_text(k->properties, "client.id", "kplay/" KPLAY_VERSION);
    const char *family = kp_get_text(k->properties, "broker.address.family", "any");
    k->family = !strcasecmp(family, "v4")   ? AF_INET
                : !strcasecmp(family, "v6") ? AF_INET6
                                            : AF_UNSPEC;
    TAILQ_INIT(&k->open);
    *ret_k = k;
    return NULL;
}

void kp_kafka_free(kp_kafka *k)
{
    if (!k)
        return;
    call *c;
    while ((c = TAILQ_FIRST(&k->open))) {
        disown(c);
        if (!c->list)
            free(c);
    }
    for (size_t i = 0; i < k->n_nodes; i++) {
        node *n = k->nodes[i];
        drop_conn(n, KP_LINK_CLOSED, "", false);
        forget_address(n);
        free(n);
    }
    kp_arena_free(k->memory);
    free(k);
}
