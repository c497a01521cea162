/* Clients: the key `clients` of a description, and what a broker's metrics say of them.
 *
 * They only stand there: they move nothing, and are counted as a real broker counts them, beside
 * the connections that brokers have among themselves (a fetcher to each other broker, "unknown").
 */
#include "sim/spec.h"

#include <stdlib.h>
#include <string.h>

enum { CLIENTS_MOST = 10000 };
#define LISTENER "PLAINTEXT" /* that brokers use among themselves */

/* ---- the key ---- */

/* "FetchConsumer 3": a name of letters, and a version. */
static bool is_request(const char *text)
{
    size_t n = 0;
    while ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= 'A' && text[n] <= 'Z'))
        n++;
    const char *version = text + n + 1;
    return n > 0 && text[n] == ' ' && *version && strlen(version) < 4 &&
           strspn(version, "0123456789") == strlen(version);
}

static kp_err *read_requests(const kp_spec *s, const char **ret_text)
{
    const kp_value *list;
    KP_AUTO_BUF all = KP_BUF_INIT(64 << 10);

    KP_TRY(kp_spec_list(s, "requests", &list));
    for (size_t i = 0; i < kp_len(list); i++) {
        const char *one = kp_as_text(kp_at(list, i), "");
        if (!is_request(one))
            return kp_spec_wrong(s, "requests", "write it like: [ FetchConsumer 3 ]",
                                 "`%.60s` is no name of a request and its version", one);
        kp_buf_fmt(&all, "%s%s", i ? "," : "", one);
    }
    *ret_text = kp_strdup(s->a, kp_buf_text(&all));
    return NULL;
}

static bool is_broker(const kp_plan *p, int64_t id)
{
    for (uint32_t i = 0; i < p->n_nodes; i++)
        if (p->nodes[i].id == id && (p->nodes[i].roles & KP_BROKER))
            return true;
    return false;
}

static kp_err *read_client(const kp_plan *p, const kp_spec *s, kp_plan_client *ret)
{
    *ret = (kp_plan_client) { .node = -1, .until = -1 };
    KP_TRY(kp_spec_keys(s));
    KP_TRY(kp_spec_text(s, "name", &ret->name));
    KP_TRY(kp_spec_text(s, "version", &ret->version));
    KP_TRY(kp_spec_text(s, "listener", &ret->listener));
    KP_TRY(kp_spec_int(s, "node", &ret->node));
    KP_TRY(kp_spec_int(s, "connections", &ret->connections));
    KP_TRY(read_requests(s, &ret->requests));
    KP_TRY(kp_spec_duration(s, "until", &ret->until));
    if (ret->node >= 0 && !is_broker(p, ret->node))
        return kp_spec_wrong(s, "node", "give the id of a broker", "there is no broker %" PRId64,
                             ret->node);
    return NULL;
}

kp_err *kp_sim_clients_read(const kp_plan *p, kp_plan_client **ret_v, size_t *ret_n)
{
    const kp_value *list;

    KP_TRY(kp_spec_list(p->spec, "clients", &list));
    if (kp_len(list) > CLIENTS_MOST)
        return kp_spec_wrong(p->spec, "clients", "describe fewer", "more than %d clients",
                             CLIENTS_MOST);
    *ret_n = kp_len(list);
    *ret_v = KP_NEW_ARRAY(p->a, *ret_n + 1, kp_plan_client);
    for (size_t i = 0; i < *ret_n; i++) {
        const kp_spec one = kp_spec_item(p->spec, "clients", i);
        KP_TRY(read_client(p, &one, &(*ret_v)[i]));
    }
    return NULL;
}

/* ---- what a broker says of them ---- */

/* One row of its metrics: all connections of one software on one listener, or its requests of one
 * kind and version. */
typedef struct row {
    const char *name, *version, *what; /* a listener, or a request and its version */
    int64_t n;
} row;

static int by_name(const void *x, const void *y)
{
    const row *a = x, *b = y;
    int order = strcmp(a->name, b->name);
    order = order ? order : strcmp(a->version, b->version);
    return order ? order : strcmp(a->what, b->what);
}

static int by_request(const void *x, const void *y)
{
    const row *a = x, *b = y;
    int order = strcmp(a->what, b->what);
    return order ? order : by_name(x, y);
}

/* In order, each once; returns how many are left. */
static size_t merge(row *v, size_t n, int (*order)(const void *, const void *))
{
    size_t left = 0;
    if (n > 1)
        qsort(v, n, sizeof *v, order);
    for (size_t i = 0; i < n; i++)
        if (left > 0 && order(&v[left - 1], &v[i]) == 0)
            v[left - 1].n += v[i].n;
        else
            v[left++] = v[i];
    return left;
}

static bool is_at(const kp_sim_client *c, const kp_sim_node *n)
{
    return kp_sim_is_broker(n) && (c->node < 0 || c->node == n->id);
}

static row row_of(const kp_sim *sim, const kp_sim_client *c, const char *what, int64_t n)
{
    return (row) { .name = kp_sim_string(sim, c->name),
                   .version = kp_sim_string(sim, c->version),
                   .what = what,
                   .n = n };
}

static const kp_value *connections(const kp_sim *sim, kp_arena *a, const kp_sim_node *n,
                                   int64_t fetchers)
{
    row *v = KP_NEW_ARRAY(a, (size_t)sim->h->n_clients + 1, row);
    kp_builder list = kp_list_begin(a);
    size_t rows = 0;

    if (fetchers > 0)
        v[rows++] = (row) { "unknown", "unknown", LISTENER, fetchers };
    for (uint32_t i = 0; i < sim->h->n_clients; i++) {
        const kp_sim_client *c = &sim->client[i];
        if (is_at(c, n) && c->until > sim->h->now)
            v[rows++] = row_of(sim, c, kp_sim_string(sim, c->listener), c->connections);
    }
    rows = merge(v, rows, by_name);
    for (size_t i = 0; i < rows; i++)
        kp_list_add(&list,
                    kp_map(a, "name", kp_text(a, v[i].name), "version", kp_text(a, v[i].version),
                           "listener", kp_text(a, v[i].what), "connections", kp_int(a, v[i].n),
                           "brokers_too", kp_bool(kp_streq(v[i].what, LISTENER)), NULL));
    return kp_list_end(&list);
}

/* Each request once a second, for as long as broker and client were there. */
static size_t add_requests(const kp_sim *sim, const kp_sim_node *n, const kp_sim_client *c,
                           kp_arena *a, row *v)
{
    kp_us first = n->started_at > KP_SIM_SECOND ? n->started_at : KP_SIM_SECOND;
    kp_us last = c->until < sim->h->now ? c->until : sim->h->now;
    size_t rows = 0;

    if (last < first || !is_at(c, n))
        return 0;
    for (const char *p = kp_sim_string(sim, c->requests); *p; p += *p == ',') {
        size_t one = strcspn(p, ",");
        v[rows++] = row_of(sim, c, kp_strndup(a, p, one), 1 + (last - first) / KP_SIM_SECOND);
        p += one;
    }
    return rows;
}

static const kp_value *deprecated(const kp_sim *sim, kp_arena *a, const kp_sim_node *n)
{
    kp_builder list = kp_list_begin(a);
    size_t most = 0, rows = 0;

    for (uint32_t i = 0; i < sim->h->n_clients; i++)
        for (const char *p = kp_sim_string(sim, sim->client[i].requests); p; p = strchr(p, ',')) {
            p += *p == ',';
            most++;
        }
    row *v = KP_NEW_ARRAY(a, most + 1, row);
    for (uint32_t i = 0; i < sim->h->n_clients; i++)
        rows += add_requests(sim, n, &sim->client[i], a, v + rows);
    rows = merge(v, rows, by_request);
    for (size_t i = 0; i < rows; i++) {
        size_t name = strcspn(v[i].what, " ");
        kp_list_add(&list, kp_map(a, "request", kp_bytes(a, v[i].what, name), "version",
                                  kp_int(a, strtol(v[i].what + name, NULL, 10)), "name",
                                  kp_text(a, v[i].name), "client_version", kp_text(a, v[i].version),
                                  "count", kp_int(a, v[i].n), NULL));
    }
    return kp_list_end(&list);
}

static const kp_value *problem(kp_arena *a, const char *text)
{
    return kp_map(a, "problem", kp_text(a, text), NULL);
}

const kp_value *kp_sim_answer_clients(const kp_sim *sim, kp_arena *a, int32_t node)
{
    const kp_sim_node *n = &sim->node[node];
    const kp_sim_release_facts *f = kp_sim_facts_at(sim, n->running);
    bool counts = f->major > 3 || (f->major == 3 && f->minor >= 7);
    kp_builder fetched = kp_list_begin(a);
    int64_t fetchers = 0;

    if (!kp_sim_has_process(n))
        return problem(a, "no process of this node runs");
    if (n->troubles & KP_SIM_NO_JDK)
        return problem(a, "there is no jcmd beside /usr/bin/java: its Java is no JDK");
    for (uint32_t i = 0; i < sim->h->n_brokers && kp_sim_is_broker(n); i++) {
        const kp_sim_node *other = &sim->node[sim->broker[i]];
        if (other == n || !kp_sim_has_process(other))
            continue;
        fetchers++;
        kp_list_add(&fetched, kp_int(a, other->id));
        kp_list_add(&fetched, kp_int(a, 1));
    }
    return kp_map(a, "release", kp_text(a, sim->h->release[n->running]), "connections",
                  connections(sim, a, n, fetchers), "deprecated",
                  counts ? deprecated(sim, a, n) : NULL, "unknown_to", kp_list_end(&fetched),
                  "unknown", kp_int(a, 0), "java", kp_int(a, 0), NULL);
}
