/* Fencing: only one run acts on the hosts of a cluster.
 *
 * A run holds the hosts from before its first action until it has ended, whether a process works
 * on it or not: in between it may have stopped what only it will start again.  So the guard judges
 * first, and what it refuses raises nothing; then the hosts' holders are looked at, and a host that
 * another run holds is not taken.  It may be taken
 *
 *   - from ourselves: a resumed run raises the epoch over its own earlier sessions;
 *   - from a run of these runs that is closed: it ended without giving the hosts back;
 *   - from the run that a person names, with a reason, because it is gone for good; journaled.
 *
 * What was seen before the fence was up does not count (step.c remembers, looks and judges again):
 * until then another run could act.  A run that has ended gives the hosts back, one that pauses or
 * fails keeps them.  A run whose hosts were taken does nothing more: hosts refuse its actions, and
 * it ends as soon as it sees their new epoch, also when they were given back since.
 */
#include "engine/run.h"

#include <string.h>
#include <unistd.h>

#define LOOK_WITHIN (20 * KP_SECOND)
#define GIVE_BACK_WITHIN (5 * KP_SECOND) /* an end is not held up by a host that is gone */
#define NODES_NAMED 12

/* A run that stands in the way, and on which hosts. */
typedef struct holding {
    const char *run, *by;
    kp_ms since;
    bool taken; /* from this run, which had raised the epoch and has not ended */
    bool gone;  /* it has given back what it had taken */
    size_t n;
    kp_buf nodes;
} holding;

typedef struct holdings {
    holding *h;
    size_t n;
    const char **over; /* by node of the inventory: from whom it would be taken; NULL: nobody */
} holdings;

/* The newest epoch a journal has: written down before it is raised, so none is newer on a host. */
static int64_t epoch_of(const kp_journal *j)
{
    int64_t epoch = 0;
    for (int64_t i = 1; i <= kp_journal_n(j); i++) {
        const kp_record *rec = kp_journal_at(j, i);
        if (rec && rec->kind == KP_K_SESSION && kp_get_int(rec->body, "ep", 0) > epoch)
            epoch = kp_get_int(rec->body, "ep", 0);
    }
    return epoch;
}

static int64_t own_epoch(const kp_run *r)
{
    return r->fence.epoch ? r->fence.epoch : epoch_of(r->j);
}

/* ---- who holds the hosts ---- */

/* The run that a host's fence speaks of, when it is another one and is in the way. */
static bool in_the_way(const kp_run *r, const kp_value *fence, int64_t own, holding *ret_h)
{
    const char *holder = kp_get_text(fence, "holder", NULL);
    const char *run = holder ? holder : kp_get_text(fence, "last", NULL);
    bool raised = own > 0 && kp_get_int(fence, "epoch", 0) > own;

    *ret_h = (holding) { .run = run,
                         .by = kp_get_text(fence, "by", NULL),
                         .since = kp_get_int(fence, "since", 0),
                         .taken = raised,
                         .gone = !holder };
    return run && !kp_streq(run, r->id) && (holder || raised);
}

static void hold(kp_run *r, holdings *hs, const holding *h, int node)
{
    size_t i = 0;
    while (i < hs->n && !kp_streq(hs->h[i].run, h->run))
        i++;
    holding *to = &hs->h[i];
    if (i == hs->n) {
        *to = *h;
        to->nodes = (kp_buf)KP_BUF_INIT(4096);
        hs->n++;
    }
    to->taken = to->taken || h->taken;
    to->gone = to->gone && h->gone;
    if (to->n++ < NODES_NAMED)
        kp_buf_fmt(&to->nodes, "%s%s", to->n > 1 ? ", " : "", kp_node_word(r->call, r->inv, node));
}

static holdings look_at(kp_run *r, const kp_reply *state)
{
    size_t n = r->inv->n_nodes;
    holdings hs = { .h = KP_NEW_ARRAY(r->call, n + 1, holding),
                    .over = KP_NEW_ARRAY(r->call, n + 1, const char *) };
    int64_t own = own_epoch(r);
    holding h;

    for (size_t i = 0; i < n; i++)
        if (in_the_way(r, kp_get(state[i].value, "fence"), own, &h)) {
            hs.over[i] = h.run;
            hold(r, &hs, &h, r->inv->nodes[i].id);
        }
    return hs;
}

/* "by ops@bastion1, since 2026-11-28T02:10:37.000Z"; as much of it as is known. */
static const char *by_and_since(kp_run *r, const holding *h)
{
    const char *since = h->since ? kp_time_text(r->call, h->since) : NULL;
    return kp_printf(r->call, "%s%s%s%s", h->by ? ", by " : "", h->by ? h->by : "",
                     since ? ", since " : "", since ? since : "");
}

static const char *how_many(kp_run *r, size_t n)
{
    size_t all = r->inv->n_nodes;
    return n == all ? kp_printf(r->call, "all %zu hosts", all)
                    : kp_printf(r->call, "%zu of %zu hosts", n, all);
}

/* "run 1124-c21e holds all 6 hosts, by ops@bastion2, since ..." */
static const char *holding_text(kp_run *r, const holding *h)
{
    return kp_printf(r->call, "run %s %s %s%s%s", h->run,
                     h->gone    ? "had taken over"
                     : h->taken ? "has taken over"
                                : "holds",
                     how_many(r, h->n), h->gone ? ", and has given them back" : "",
                     by_and_since(r, h));
}

/* ---- whether they may be taken ---- */

/* Names in `list` ("1124-c21e", or several with commas between). */
static bool names(const char *list, const char *run)
{
    size_t n = strlen(run);
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && strncmp(p, run, n) == 0)
            return true;
    return false;
}

static bool closed_here(kp_run *r, const char *run)
{
    kp_run_info *info;
    size_t n;
    kp_err *e = r->spec->runs ? kp_runs_list(r->call, r->spec->runs, &info, &n) : NULL;

    if (e || !r->spec->runs) {
        kp_err_drop(e);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (kp_streq(info[i].run, run))
            return info[i].finished;
    return false;
}

static kp_err *refuse(kp_run *r, const holdings *hs, const bool *may)
{
    const holding *first = NULL;
    KP_AUTO_BUF detail = KP_BUF_INIT(64 * 1024), runs = KP_BUF_INIT(4096);

    for (size_t i = 0; i < hs->n; i++) {
        const holding *h = &hs->h[i];
        kp_buf_fmt(&runs, "%s%s", runs.n ? "," : "", h->run); /* those already named as well */
        if (may[i])
            continue;
        if (first)
            kp_buf_fmt(&detail, "also  %s\n", holding_text(r, h));
        first = first ? first : h;
        kp_buf_fmt(&detail, "  run %s: %s", h->run, kp_buf_text(&h->nodes));
        if (h->n > NODES_NAMED)
            kp_buf_fmt(&detail, " and %zu more", h->n - NODES_NAMED);
        kp_buf_str(&detail, "\n");
    }
    kp_err *e = kp_err_new(KP_REFUSED, "wait", "fenced: %s", holding_text(r, first));
    e = kp_err_detail(e, "%s", kp_buf_text(&detail));
    const char *take = kp_printf(r->call, "kplay resume %s --take-over %s --reason TEXT", r->id,
                                 kp_buf_text(&runs));
    if (first->taken)
        return kp_err_next(e,
                           "leave the cluster to run %s and close this one: --supersede %s with "
                           "the next run   |   go on with this one all the same: %s",
                           first->run, r->id, take);
    return kp_err_next(e, "when it has ended: kplay resume %s   |   when it is gone for good: %s",
                       r->id, take);
}

/* A person's word that a run is gone for good: on record before anything is taken from it. */
static kp_err *taken_by_word(kp_run *r, const holding *h)
{
    const char *reason = r->spec->take_over_reason ? r->spec->take_over_reason : "";
    const char *was = kp_strdup(r->a, holding_text(r, h));

    KP_TRY(
        kp_record_add(r, KP_K_NOTE,
                      kp_map(r->call, "i", kp_text(r->call, KP_NOTE_TAKE_OVER), "m",
                             kp_text(r->call, "the hosts are taken over"), "r",
                             kp_map(r->call, "run", kp_text(r->call, h->run), "reason",
                                    kp_text(r->call, reason), "who", kp_text(r->call, r->spec->who),
                                    "by", h->by ? kp_text(r->call, h->by) : NULL, "since",
                                    h->since ? kp_int(r->call, h->since) : NULL, "hosts",
                                    kp_int(r->call, (int64_t)h->n), "nodes",
                                    kp_text(r->call, kp_buf_text(&h->nodes)), NULL),
                             NULL)));
    kp_list_add(&r->tally.overridden,
                kp_map(r->a, "guard", kp_text(r->a, "fence"), "reason", kp_text(r->a, reason),
                       "was", kp_text(r->a, was), NULL));
    kp_tell(r,
            (kp_event) { .kind = KP_E_WARN,
                         .text = kp_printf(r->call, "taken over: %s; reason: %s", was, reason) });
    return NULL;
}

static kp_err *may_take(kp_run *r, const holding *h, bool *ret_may)
{
    *ret_may = true;
    if (names(r->spec->take_over, h->run))
        return NULL; /* put on record when nothing else is in the way */
    if (r->spec->assume_yes) {
        kp_list_add(&r->tally.assumed,
                    kp_textf(r->a, "take the hosts over: %s", holding_text(r, h)));
        return NULL;
    }
    *ret_may = !h->taken && closed_here(r, h->run);
    if (*ret_may)
        kp_tell(r,
                (kp_event) { .kind = KP_E_NOTE,
                             .text = kp_printf(r->call, "%s; it has ended, so they are taken over",
                                               holding_text(r, h)) });
    return NULL;
}

/* Whether this run has taken over from that one before: a resumed run is often started with the
 * words of the last time. */
static bool was_taken(const kp_run *r, const char *run, size_t n)
{
    for (int64_t i = 1; i <= kp_journal_n(r->j); i++) {
        const kp_record *rec = kp_journal_at(r->j, i);
        if (!rec || rec->kind != KP_K_NOTE ||
            !kp_streq(kp_get_text(rec->body, "i", ""), KP_NOTE_TAKE_OVER))
            continue;
        const char *from = kp_get_text(kp_get(rec->body, "r"), "run", "");
        if (strlen(from) == n && strncmp(from, run, n) == 0)
            return true;
    }
    return false;
}

/* A run that is named and holds nothing is a mistake: the person thinks of another one. */
static kp_err *named_in_vain(kp_run *r, const holdings *hs)
{
    for (const char *p = r->spec->take_over; p && *p; p += strcspn(p, ","), p += *p == ',') {
        size_t n = strcspn(p, ",");
        bool found = was_taken(r, p, n);
        for (size_t i = 0; i < hs->n && !found; i++)
            found = strlen(hs->h[i].run) == n && strncmp(hs->h[i].run, p, n) == 0;
        if (found)
            continue;
        kp_err *e = kp_err_new(KP_REFUSED, "wait", "--take-over %.*s: it holds no host here; %s",
                               (int)n, p, hs->n ? holding_text(r, &hs->h[0]) : "nobody does");
        return hs->n ? kp_err_next(e, "kplay resume %s --take-over %s --reason TEXT", r->id,
                                   hs->h[0].run)
                     : kp_err_next(e, "leave --take-over out: kplay resume %s", r->id);
    }
    return NULL;
}

static kp_err *judge(kp_run *r, const holdings *hs)
{
    bool *may = KP_NEW_ARRAY(r->call, hs->n + 1, bool), all = true;

    KP_TRY(named_in_vain(r, hs));
    for (size_t i = 0; i < hs->n; i++) {
        KP_TRY(may_take(r, &hs->h[i], &may[i]));
        all = all && may[i];
    }
    if (!all)
        return refuse(r, hs, may);
    for (size_t i = 0; i < hs->n; i++)
        if (names(r->spec->take_over, hs->h[i].run))
            KP_TRY(taken_by_word(r, &hs->h[i]));
    return NULL;
}

/* ---- raising it ---- */

/* All at once; the first that failed, with its node. */
static kp_err *ask_hosts(kp_run *r, const kp_request *q, kp_reply *reply, size_t n)
{
    kp_err *first = NULL;
    kp_ask_all(r->seen, r->call, q, n, reply);
    for (size_t i = 0; i < n; i++) {
        if (!reply[i].err)
            continue;
        if (first)
            kp_err_drop(reply[i].err);
        else
            first = kp_err_at(reply[i].err, "%s", kp_node_word(r->call, r->inv, q[i].node));
    }
    return first;
}

static kp_err *allowed(kp_run *r, kp_request *q, kp_reply *reply, size_t n)
{
    for (size_t i = 0; i < n; i++)
        q[i].kind = KP_Q_GRANTS;
    KP_TRY(ask_hosts(r, q, reply, n));
    for (size_t i = 0; i < n; i++)
        if (kp_len(reply[i].value) > 0) {
            kp_err *e = kp_err_new(
                KP_HOST, "give the SSH user that right; kplay cluster check shows every host",
                "%s is not allowed to %s", r->inv->nodes[i].ssh.user,
                kp_as_text(kp_at(reply[i].value, 0), "act"));
            return kp_err_at(e, "%s", kp_node_word(r->call, r->inv, r->inv->nodes[i].id));
        }
    return NULL;
}

static kp_request back(const kp_run *r, int node, const char *run, int64_t epoch)
{
    return (kp_request) { .kind = KP_A_UNFENCE,
                          .node = node,
                          .op.epoch = epoch,
                          .op.holder = run,
                          .fence.who = r->spec->who,
                          .within = GIVE_BACK_WITHIN };
}

/* Another run may come between looking and raising: then hosts refuse, and what was taken just now
 * is given back, so that the two do not hold half a cluster each. */
static kp_err *raise_all(kp_run *r, kp_request *q, kp_reply *reply, const holdings *hs,
                         const bool *ours)
{
    size_t n = r->inv->n_nodes, m = 0;

    for (size_t i = 0; i < n; i++)
        q[i] = (kp_request) { .kind = KP_A_FENCE,
                              .node = r->inv->nodes[i].id,
                              .within = LOOK_WITHIN,
                              .op.epoch = r->fence.epoch,
                              .op.holder = r->id,
                              .fence = { .over = hs->over[i], .who = r->spec->who } };
    kp_err *e = ask_hosts(r, q, reply, n);
    if (!e)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!reply[i].err && !ours[i])
            q[m++] = back(r, r->inv->nodes[i].id, r->id, r->fence.epoch);
    kp_err_drop(ask_hosts(r, q, reply, m)); /* the refusal is what is told */
    return e;
}

static kp_err *fence(kp_run *r)
{
    size_t n = r->inv->n_nodes;
    kp_request *q = KP_NEW_ARRAY(r->call, n + 1, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(r->call, n + 1, kp_reply);
    bool *ours = KP_NEW_ARRAY(r->call, n + 1, bool);
    int64_t highest = own_epoch(r);

    for (size_t i = 0; i < n; i++)
        q[i] = (kp_request) {
            .kind = KP_Q_HOST, .node = r->inv->nodes[i].id, .host.since = -1, .within = LOOK_WITHIN
        };
    KP_TRY(ask_hosts(r, q, reply, n));
    KP_TRY(kp_guard_hosts(r, reply));
    for (size_t i = 0; i < n; i++) {
        const kp_value *seen = kp_get(reply[i].value, "fence");
        int64_t epoch = kp_get_int(seen, "epoch", 0);
        highest = epoch > highest ? epoch : highest;
        ours[i] = kp_streq(kp_get_text(seen, "holder", ""), r->id);
    }
    holdings hs = look_at(r, reply);
    kp_err *e = judge(r, &hs);
    for (size_t i = 0; i < hs.n; i++)
        kp_buf_done(&hs.h[i].nodes);
    KP_TRY(e);
    KP_TRY(allowed(r, q, reply, n));
    r->fence.epoch = highest + 1;
    KP_TRY(kp_record_add(r, KP_K_SESSION,
                         kp_map(r->call, "ep", kp_int(r->call, r->fence.epoch), "pid",
                                kp_int(r->call, getpid()), "who", kp_text(r->call, r->spec->who),
                                NULL)));
    KP_TRY(raise_all(r, q, reply, &hs, ours));
    r->fence.raised = true;
    return NULL;
}

kp_err *kp_fence(kp_run *r)
{
    if (r->fence.raised)
        return NULL;
    kp_err *e = fence(r);
    return e ? kp_run_end(r, e) : NULL;
}

kp_err *kp_fence_holds(kp_run *r, const kp_value *state)
{
    const kp_value *fence = kp_get(state, "fence");
    holding h;

    if (!r->fence.raised || !fence || !in_the_way(r, fence, r->fence.epoch, &h))
        return NULL;
    kp_err *e = kp_err_new(KP_REFUSED, "wait", "fenced: run %s has taken the hosts over%s%s", h.run,
                           h.gone ? " and given them back" : "", by_and_since(r, &h));
    e = kp_err_next(e,
                    "leave the cluster to run %s and close this one: --supersede %s with the next "
                    "run   |   go on with this one all the same: kplay resume %s --take-over %s "
                    "--reason TEXT",
                    h.run, r->id, r->id, h.run);
    return kp_run_end(r, e);
}

/* ---- giving it back ---- */

static void give_back(kp_run *r, const char *run, int64_t epoch)
{
    size_t n = r->inv->n_nodes, left = 0;
    kp_request *q = KP_NEW_ARRAY(r->call, n + 1, kp_request);
    kp_reply *reply = KP_NEW_ARRAY(r->call, n + 1, kp_reply);
    const char *why = NULL;

    for (size_t i = 0; i < n; i++)
        q[i] = back(r, r->inv->nodes[i].id, run, epoch);
    kp_ask_all(r->seen, r->call, q, n, reply);
    for (size_t i = 0; i < n; i++) {
        if (!reply[i].err)
            continue;
        if (left++ == 0)
            why = kp_printf(r->call, "%s: %s", kp_node_word(r->call, r->inv, q[i].node),
                            reply[i].err->what);
        kp_err_drop(reply[i].err);
    }
    if (!left)
        return;
    const char *text = kp_printf(r->a,
                                 "run %s has ended, but %s could not be given back (%s); a run "
                                 "from another place needs --take-over %s there",
                                 run, how_many(r, left), why, run);
    kp_list_add(&r->tally.warnings, kp_text(r->a, text));
    kp_tell(r, (kp_event) { .kind = KP_E_WARN, .text = text });
}

void kp_fence_give_back(kp_run *r)
{
    int64_t epoch = own_epoch(r);
    if (epoch)
        give_back(r, r->id, epoch);
}

void kp_fence_give_back_of(kp_run *r, const kp_journal *closed)
{
    int64_t epoch = epoch_of(closed);
    if (epoch)
        give_back(r, kp_journal_run(closed), epoch);
}
