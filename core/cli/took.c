/* How long a rehearsed run would take, by how long its calls took in earlier runs of the cluster.
 *
 * The simulator knows the order of things and guesses their times.  Journals of finished runs know
 * how long a stop, a start, a wait took here: the median of each verb, brokers and controllers
 * apart, takes the place of what the simulator gave each such call of the rehearsal.  Journals are
 * only read, without a lock, a few of them, the newest first; one that is damaged is passed over.
 * What a later session looked up, or found done, says nothing about how long it takes.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOKED_MOST = 20, /* journals that are opened */
    RUNS_MOST = 5,    /* that are taken */
    KINDS_MOST = 32,
    READ_LIMIT = 1 << 30, /* memory for one journal while it is read */
};

/* Calls of one verb on nodes of one kind. */
typedef struct kind {
    const char *verb;
    unsigned roles;
    kp_ms *ms; /* in earlier runs */
    size_t n, cap;
} kind;

struct kp_took {
    kp_arena *a;
    const kp_inventory *inv;
    kind kinds[KINDS_MOST];
    size_t n_kinds;
    kp_builder runs;
    size_t n_runs, stops;

    /* the rehearsal */
    kp_sink to;      /* who else is told */
    const kind *now; /* of the call under way; NULL: none that counts */
    const char *now_path;
    kp_ms now_took;
    kp_ms more;          /* than in the rehearsal, so far; may be negative */
    bool known, unknown; /* calls that earlier runs knew of, and did not */
};

static bool counts(const char *verb)
{
    static const char *const verbs[] = { "stop_broker",      "stop_controller", "start_broker",
                                         "start_controller", "wait_in_sync",    "switch_release",
                                         "stage_release" };
    for (size_t i = 0; verb && i < KP_COUNT(verbs); i++)
        if (kp_streq(verbs[i], verb))
            return true;
    return false;
}

/* NULL: it does not count. */
static kind *kind_of(kp_took *t, const char *verb, int id)
{
    const kp_node *node = kp_inventory_node(t->inv, id);
    unsigned roles = node ? node->roles : 0;
    if (!counts(verb))
        return NULL;
    for (size_t i = 0; i < t->n_kinds; i++)
        if (t->kinds[i].roles == roles && kp_streq(t->kinds[i].verb, verb))
            return &t->kinds[i];
    if (t->n_kinds == KINDS_MOST)
        return NULL;
    t->kinds[t->n_kinds] = (kind) { .verb = kp_strdup(t->a, verb), .roles = roles };
    return &t->kinds[t->n_kinds++];
}

/* Of a wait's arguments: a node of those it is for. */
static int node_of(const kp_value *args)
{
    const kp_value *nodes = kp_get(args, "nodes");
    return (int)kp_as_int(kp_is(nodes, KP_LIST) ? kp_at(nodes, 0) : nodes, -1);
}

/* ---- earlier runs ---- */

static void add_ms(kp_took *t, kind *k, kp_ms ms)
{
    if (k->n == k->cap) {
        size_t cap = k->cap ? 2 * k->cap : 64;
        kp_ms *more = KP_NEW_ARRAY(t->a, cap, kp_ms);
        if (k->n)
            memcpy(more, k->ms, k->n * sizeof *more);
        k->ms = more;
        k->cap = cap;
    }
    k->ms[k->n++] = ms;
}

/* Finished, by what it did itself, on this kind of world. */
static bool is_whole(const kp_took *t, const kp_journal_check *j, bool simulated)
{
    const kp_record *last = j->records ? &j->rec[j->records - 1] : NULL;
    const kp_value *open = last ? j->rec[0].body : NULL;
    return last && last->kind == KP_K_CLOSE &&
           kp_streq(kp_get_text(last->body, "state", "done"), "done") &&
           kp_streq(kp_get_text(open, "cluster", ""), t->inv->cluster) &&
           kp_get_bool(open, "simulated", false) == simulated;
}

/* How many stops it tells the time of. */
static size_t read_records(kp_took *t, const kp_journal_check *j)
{
    size_t stops = 0;
    int waits_for = -1; /* of the wait under way; -1: none that this session began */
    for (int64_t i = 0; i < j->records; i++) {
        const kp_value *body = j->rec[i].body;
        const char *verb = kp_get_text(body, "fn", "");
        bool waits = kp_streq(verb, "wait_in_sync");
        if (j->rec[i].kind == KP_K_WAIT)
            waits_for = node_of(kp_get(body, "a"));
        if (j->rec[i].kind == KP_K_SESSION && kp_get(body, "after"))
            waits_for = -1;
        if (j->rec[i].kind != KP_K_DONE || !kp_get_bool(body, "ok", false))
            continue;
        int id = waits ? waits_for : (int)kp_get_int(body, "node", -1);
        bool timed = waits ? id >= 0 : kp_streq(kp_get_text(body, "via", ""), "ask");
        kind *k = timed ? kind_of(t, verb, id) : NULL;
        if (k)
            add_ms(t, k, kp_get_int(body, "ms", 0));
        stops += k && kp_starts_with(verb, "stop_");
    }
    return stops;
}

static void read_runs(kp_took *t, const char *runs, bool simulated)
{
    const char **names;
    size_t n = kp_runs_newest(t->a, runs, LOOKED_MOST, &names);
    for (size_t i = 0; i < n && t->n_runs < RUNS_MOST; i++) {
        KP_AUTO_ARENA tmp = kp_arena_new("the journal of a run", READ_LIMIT);
        kp_journal_check j = { 0 };
        kp_err *damaged = kp_journal_scan(
            tmp, kp_printf(tmp, "%s/%s/journal.jsonl", runs, names[i]), &j);
        size_t stops = !damaged && is_whole(t, &j, simulated) ? read_records(t, &j) : 0;
        kp_err_drop(damaged);
        if (!stops)
            continue;
        t->n_runs++;
        t->stops += stops;
        kp_list_add(&t->runs, kp_text(t->a, names[i]));
    }
}

static int ascending(const void *x, const void *y)
{
    kp_ms a = *(const kp_ms *)x, b = *(const kp_ms *)y;
    return (a > b) - (a < b);
}

kp_took *kp_took_before(kp_arena *a, const kp_inventory *inv, const char *runs, bool simulated)
{
    kp_took *t = KP_NEW(a, kp_took);
    *t = (kp_took) { .a = a, .inv = inv, .runs = kp_list_begin(a) };
    read_runs(t, runs, simulated);
    for (size_t i = 0; i < t->n_kinds; i++)
        if (t->kinds[i].n)
            qsort(t->kinds[i].ms, t->kinds[i].n, sizeof t->kinds[i].ms[0], ascending);
    return t;
}

/* ---- the rehearsal ---- */

/* The nodes of a list are worked on together: the call takes as long as the last of them. */
static void end_call(kp_took *t)
{
    const kind *k = t->now;
    t->now = NULL;
    if (k && k->n) {
        t->known = true;
        t->more += k->ms[k->n / 2] - t->now_took;
    } else if (k) {
        t->unknown = true;
    }
}

static void on_event(void *ud, const kp_event *e)
{
    kp_took *t = ud;
    bool waits = kp_streq(e->verb, "wait_in_sync");
    const char *path = e->path ? e->path : "";
    size_t n = strcspn(path, "/"); /* of a node of a list: the call's */
    bool same = t->now && strlen(t->now_path) == n && strncmp(t->now_path, path, n) == 0;

    if (e->kind == KP_E_BEGIN && !same) {
        end_call(t);
        t->now = kind_of(t, e->verb, waits ? node_of(e->value) : e->node.is ? e->node.id : -1);
        t->now_path = kp_strndup(t->a, path, n);
        t->now_took = 0;
    } else if (e->kind == KP_E_DONE && same && e->took > t->now_took) {
        t->now_took = e->took;
    } else if (e->kind == KP_E_CLOSED) {
        end_call(t);
    }
    t->to.event(t->to.ud, e);
}

static kp_answer on_ask(void *ud, const kp_question *q, const char **ret_by)
{
    const kp_took *t = ud;
    return t->to.ask(t->to.ud, q, ret_by);
}

kp_sink kp_took_sink(kp_took *t, kp_sink to)
{
    t->to = to;
    return (kp_sink) { .event = on_event, .ask = on_ask, .ud = t };
}

kp_estimate kp_took_estimate(kp_took *t, kp_ms rehearsed)
{
    kp_builder none = kp_list_begin(t->a);
    if (!t->known)
        return (kp_estimate) { .took = rehearsed, .runs = kp_list_end(&none) };
    kp_ms took = rehearsed + t->more;
    return (kp_estimate) { .took = took > 0 ? took : 0,
                           .runs = kp_list_end(&t->runs),
                           .stops = t->stops,
                           .in_part = t->unknown };
}
