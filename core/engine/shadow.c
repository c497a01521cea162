/* Shadow: a run replayed from its journal, without asking the world anything.
 *
 * An edited playbook is accepted only after this; and a journal can be looked at by any later
 * kplay: does it still ask, call by call, what was asked then?  The nodes of such a replay are
 * those that the journal's calls name; its clock stands where the journal ends.
 */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

kp_err *kp_shadow_end(kp_run *r)
{
    r->replay.ended = true;
    return kp_run_end(r, kp_err_new(KP_INTERNAL, "go on", "end of the shadow replay"));
}

/* One part to the end of its calls.  *ret_own: the error that the playbook itself ended it with,
 * NULL when it returned or the journal ended first. */
static kp_err *replay_part(kp_run *r, kp_part part, const kp_value *args, kp_err **ret_own)
{
    *ret_own = NULL;
    r->replay.shadow = true;
    r->replay.ended = r->replay.diverged = false;
    kp_err *e = kp_run_part(r, part, args);
    kp_err_drop(r->over);
    r->over = NULL;
    if (r->replay.diverged)
        return e;
    if (!kp_replay_over(r)) {
        kp_err *short_of = kp_err_new(KP_REFUSED, "resume with the playbook as it was",
                                      "the playbook ends after %" PRId64 " of the %" PRId64
                                      " journaled calls",
                                      r->replay.at, r->replay.n);
        return kp_err_because(short_of, e);
    }
    if (!r->replay.ended)
        *ret_own = e;
    else
        kp_err_drop(e);
    return NULL;
}

/* ---- a world that is not there ---- */

typedef struct nowhere {
    kp_world w;
    kp_ms at;
    uint64_t sent, answered;
    kp_reply reply;
} nowhere;

static uint64_t no_send(kp_world *w, kp_arena *a, const kp_request *q)
{
    (void)a;
    (void)q;
    return ++((nowhere *)w)->sent;
}

static kp_reply *no_wait(kp_world *w, kp_ms until)
{
    nowhere *n = (nowhere *)w;
    if (n->answered == n->sent) {
        n->at = until > n->at ? until : n->at;
        return NULL;
    }
    n->reply = (kp_reply) { .ticket = ++n->answered };
    n->reply.err = kp_err_new(KP_INTERNAL, "report this", "a replay asked the cluster something");
    return &n->reply;
}

static void no_cancel(kp_world *w, uint64_t ticket)
{
    (void)w;
    (void)ticket;
}

static kp_ms no_now(kp_world *w)
{
    return ((const nowhere *)w)->at;
}

static int no_interrupts(kp_world *w)
{
    (void)w;
    return 0;
}

static void no_done(kp_world *w)
{
    (void)w;
}

static const kp_world_class nowhere_class = { .name = "none",
                                              .send = no_send,
                                              .wait = no_wait,
                                              .cancel = no_cancel,
                                              .now = no_now,
                                              .mono = no_now,
                                              .interrupts = no_interrupts,
                                              .done = no_done };

/* ---- the nodes that the journal names ---- */

typedef struct named {
    kp_arena *a;
    const kp_op *const *verbs;
    kp_node *node; /* in any order */
    uint32_t n, cap;
} named;

static void name_node(named *all, int64_t id, unsigned roles)
{
    for (uint32_t i = 0; i < all->n; i++)
        if (all->node[i].id == id) {
            all->node[i].roles |= roles;
            return;
        }
    if (all->n == all->cap) {
        uint32_t bigger = all->cap ? all->cap * 2 : 16;
        kp_node *more = KP_NEW_ARRAY(all->a, bigger, kp_node);
        if (all->n)
            memcpy(more, all->node, all->n * sizeof *more);
        all->node = more;
        all->cap = bigger;
    }
    all->node[all->n++] = (kp_node) { .id = (int)id,
                                      .roles = roles,
                                      .host = "",
                                      .rack = "",
                                      .kafka = "",
                                      .controller = "",
                                      .where = "" };
}

/* The ids among a call's arguments, with the role that each argument asks for. */
static void name_of_call(named *all, const kp_value *call)
{
    const kp_op *op = kp_op_named(all->verbs, kp_get_text(call, "fn", ""));
    for (size_t i = 0; op && i < op->n_args; i++) {
        const char *type = op->args[i].type;
        const kp_value *v = kp_get(kp_get(call, "a"), op->args[i].name);
        unsigned roles = kp_starts_with(type, "broker")       ? KP_BROKER
                         : kp_starts_with(type, "controller") ? KP_CONTROLLER
                                                              : 0;
        if (!roles && !kp_streq(type, "node") && !kp_streq(type, "nodes"))
            continue;
        if (kp_is(v, KP_INT))
            name_node(all, v->u.i, roles);
        for (size_t k = 0; kp_is(v, KP_LIST) && k < kp_len(v); k++)
            name_node(all, kp_as_int(kp_at(v, k), -1), roles);
    }
}

static int by_id(const void *x, const void *y)
{
    int a = ((const kp_node *)x)->id, b = ((const kp_node *)y)->id;
    return (a > b) - (a < b);
}

static const kp_inventory *nodes_of(kp_arena *a, const kp_op *const *verbs, const kp_journal *j)
{
    named all = { .a = a, .verbs = verbs };
    for (int64_t i = 1; i <= kp_journal_n(j); i++) {
        const kp_value *body = kp_journal_at(j, i)->body, *reads = kp_get(body, "reads");
        name_of_call(&all, body);
        for (size_t k = 0; kp_is(reads, KP_LIST) && k < kp_len(reads); k++)
            name_of_call(&all, kp_at(reads, k));
    }
    for (uint32_t i = 0; i < all.n; i++) /* asked for by no role: it may be either */
        if (!all.node[i].roles)
            all.node[i].roles = KP_BROKER | KP_CONTROLLER;
    if (all.n)
        qsort(all.node, all.n, sizeof *all.node, by_id);
    kp_inventory *inv = KP_NEW(a, kp_inventory);
    *inv = (kp_inventory) { .path = "",
                            .cluster = kp_get_text(kp_journal_at(j, 1)->body, "cluster", ""),
                            .kafka = kp_map(a, NULL),
                            .nodes = all.node,
                            .n_nodes = all.n,
                            .playbooks = kp_map(a, NULL) };
    return inv;
}

/* ---- a whole journal ---- */

static kp_err *other_revision(const char *whose, int64_t was, int is)
{
    return kp_err_new(KP_REFUSED, "replay it with the kplay that recorded it",
                      "was recorded by revision %" PRId64 " of %s, this kplay has revision %d", was,
                      whose, is);
}

/* Why a call may differ: another revision of its verb wrote it.  NULL: the same one. */
static kp_err *revision_of(const kp_run *r, const kp_call_record *c)
{
    const kp_op *op = kp_op_named(r->spec->verbs, c->fn);
    if (!op)
        return kp_err_new(KP_REFUSED, "replay it with the kplay that recorded it",
                          "this kplay has no verb %s", c->fn);
    for (uint32_t i = 0; i < c->n_children; i++) {
        const kp_record *intent = c->child[i].intent;
        int64_t was = intent ? kp_get_int(intent->body, "rev", 1) : op->rev;
        if (was != op->rev)
            return other_revision(op->name, was, op->rev);
    }
    return NULL;
}

/* An action in doubt is not attached to by another revision of its verb. */
static kp_err *check_doubts(const kp_run *r)
{
    for (int64_t i = 0; i < r->replay.n; i++)
        for (uint32_t k = 0; k < r->replay.calls[i].n_children; k++)
            if (!r->replay.calls[i].child[k].done)
                KP_TRY(revision_of(r, &r->replay.calls[i]));
    return NULL;
}

static const char *how_it_ended(const kp_record *last)
{
    switch (last->kind) {
    case KP_K_CLOSE:
        return kp_get_text(last->body, "state", "done");
    case KP_K_PAUSE:
        return kp_get_text(last->body, "state", "paused");
    case KP_K_ERROR:
        return "failed";
    default:
        return "interrupted";
    }
}

static kp_err *replay_all(kp_run *r, const kp_record *last, const kp_value *args, int64_t *ret_n)
{
    static const kp_part parts[] = { KP_PART_CHECK, KP_PART_RUN, KP_PART_VERIFY };
    bool done = last->kind == KP_K_CLOSE && kp_streq(how_it_ended(last), "done");

    for (size_t i = 0; i < KP_COUNT(parts); i++) {
        kp_err *own;
        kp_replay_index(r, parts[i]);
        kp_err *e = replay_part(r, parts[i], args, &own);
        if (e && r->replay.diverged && !kp_replay_over(r)) {
            kp_err *why = revision_of(r, &r->replay.calls[r->replay.at]);
            if (why)
                return kp_err_because(why, e);
        }
        KP_TRY(e);
        *ret_n += r->replay.n;
        KP_TRY(check_doubts(r));
        if (own && done)
            return kp_err_because(kp_err_new(KP_REFUSED, "look at what changed",
                                             "the run was done, and its replay ends with an error"),
                                  own);
        kp_err_drop(own);
    }
    return NULL;
}

static kp_err *replay(kp_run *r, const kp_value **ret_report)
{
    const kp_value *open = kp_journal_at(r->j, 1)->body, *args = kp_get(open, "args");
    const kp_record *last = kp_journal_at(r->j, kp_journal_n(r->j));
    int64_t host = kp_get_int(open, "host", 0), calls = 0;

    if (host != kp_script_host_table.rev)
        return other_revision("the script host", host, kp_script_host_table.rev);
    r->stored = r->replay.shadow = true;
    KP_TRY(kp_run_load(r));
    KP_TRY(replay_all(r, last, args ? args : kp_map(r->a, NULL), &calls));
    *ret_report = kp_map(r->a, "run", kp_text(r->a, r->id), "playbook",
                         kp_text(r->a, r->spec->playbook), "records",
                         kp_int(r->a, kp_journal_n(r->j)), "calls", kp_int(r->a, calls), "ended",
                         kp_text(r->a, how_it_ended(last)), NULL);
    return NULL;
}

static nowhere world_at_the_end_of(const kp_journal *j)
{
    return (nowhere) { .w.c = &nowhere_class, .at = kp_journal_at(j, kp_journal_n(j))->t };
}

kp_err *kp_run_replay(kp_arena *a, const kp_op *const *verbs, kp_journal *j,
                      const kp_value **ret_report)
{
    nowhere w = world_at_the_end_of(j);
    kp_run_spec spec = {
        .verbs = verbs,
        .world = &w.w,
        .inventory = nodes_of(a, verbs, j),
        .playbook = kp_get_text(kp_journal_at(j, 1)->body, "playbook", ""),
        .who = "",
    };
    kp_run *r = kp_run_new(a, &spec);
    kp_run_of_journal(r, j);
    kp_err *e = replay(r, ret_report);
    kp_run_done(r);
    return e;
}

kp_err *kp_shadow_replay(kp_run *r, const kp_value *args)
{
    nowhere w = world_at_the_end_of(r->j);
    kp_run_spec spec = *r->spec;
    kp_err *own = NULL;

    spec.world = &w.w;
    spec.sink = (kp_sink) { 0 };
    kp_run *other = kp_run_new(r->a, &spec);
    kp_run_of_journal(other, r->j);
    other->replay.shadow = true;
    kp_err *e = kp_run_load(other);
    if (!e) {
        kp_replay_index(other, KP_PART_RUN);
        e = replay_part(other, KP_PART_RUN, args, &own);
    }
    kp_err_drop(own);
    other->j = NULL; /* r's */
    kp_run_done(other);
    return e;
}
