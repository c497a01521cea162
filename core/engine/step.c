/* The step loop: how every action is done, in a first run exactly as after a crash.
 *
 *     remember
 *     loop:  probe
 *            so or failed   -> done record, return
 *            unknown        -> put it to a human
 *            not yet, not asked by this process, and nothing older can still land
 *                           -> guard, intent record, ask under the op id
 *                              (a session's first: guard, fence, and from "remember" again)
 *            wait
 *
 * A step is done when its probe says so; no answer to a request is believed, but for a no that is
 * certain: when it is not so then, the step has failed.  A verb that takes a list of nodes has one
 * child per node, each with its own intent and done; the guard judges them together, they are asked
 * together, and the call returns when all have settled.
 */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

typedef struct child {
    kp_step s;
    bool *named; /* of the call: one record has its arguments already */
    int attempt;
    bool open;  /* its intent is on disk */
    bool doubt; /* the intent is an earlier session's */
    bool settled;
    bool wants; /* is to be asked in this turn */
    kp_err *err;
    const kp_value *result;
    kp_ms begun, moved;
    int64_t progress;
} child;

#define OP_PATH_MOST 120

/* "7f3a0c41be95.broker-2.1~1": names a claim on a host, whatever ran there before, so no two
 * actions may have the same one.  48 bits of the run's seed; of the path a space becomes "-", and
 * what is no letter, digit or dot its hex digits; a long one is cut and told apart by its digest.
 */
static char *op_id(kp_run *r, const char *path, int attempt)
{
    KP_AUTO_BUF b = KP_BUF_INIT(1024);
    for (const char *p = path; *p; p++) {
        if (*p == ' ')
            kp_buf_chr(&b, '-');
        else if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.", *p))
            kp_buf_chr(&b, *p);
        else
            kp_buf_fmt(&b, "_%02x", (unsigned char)*p);
    }
    const char *text = kp_buf_text(&b);
    if (b.n > OP_PATH_MOST || b.overflow)
        text = kp_printf(r->call, "%.*s_%.16s", OP_PATH_MOST - 20, text,
                         kp_sha256_hex(r->call, path, strlen(path)));
    return kp_printf(r->call, "%s%08x.%s~%d", r->suffix, (unsigned)(r->seed >> 16), text, attempt);
}

/* The call's arguments, in the first record of the call only: a list of a thousand nodes is
 * written once. */
static const kp_value *once(child *c)
{
    if (*c->named)
        return NULL;
    *c->named = true;
    return c->s.canonical;
}

static const kp_value *node_value(const child *c)
{
    return c->s.node.is ? kp_int(c->s.a, c->s.node.id) : NULL;
}

static const kp_value *remembered(const child *c)
{
    return c->s.pre ? kp_pre_value(c->s.a, c->s.op, c->s.pre) : NULL;
}

static kp_err *intend(kp_run *r, child *c)
{
    kp_arena *a = r->call;
    KP_TRY(kp_record_add(r, KP_K_INTENT,
                         kp_map(a, "i", kp_text(a, c->s.path), "fn", kp_text(a, c->s.op->name), "a",
                                once(c), "id", kp_text(a, c->s.op_id), "node", node_value(c), "pre",
                                remembered(c), "rev", kp_int(a, c->s.op->rev), "try",
                                c->attempt > 1 ? kp_int(a, c->attempt) : NULL, "ep",
                                r->fence.epoch ? kp_int(a, r->fence.epoch) : NULL, "eta",
                                kp_eta_of(r, c->s.op), NULL)));
    c->open = true;
    kp_hold_acted(r);
    return NULL;
}

static kp_err *finish(kp_run *r, child *c, kp_verdict v, const char *via)
{
    kp_arena *a = r->call;
    kp_ms took = kp_mono(r->w) - c->begun;

    if (v == KP_DID_FAIL && !c->err) {
        c->err = kp_err_new(
            KP_FAILED, c->s.next ? c->s.next : "look at the node; when it is well: kplay resume",
            "%s: %s", c->s.op->name, c->s.why ? c->s.why : "it failed");
        if (c->s.node.is)
            c->err = kp_err_at(c->err, "%s", kp_node_word(a, r->inv, c->s.node.id));
        if (c->s.detail && *c->s.detail)
            c->err = kp_err_detail(c->err, "%s", c->s.detail);
    } else if (v == KP_SO) {
        c->result = c->s.result ? kp_value_copy(a, c->s.result) : kp_nil();
    }
    KP_TRY(kp_record_add(r, KP_K_DONE,
                         kp_map(a, "i", kp_text(a, c->s.path), "fn", kp_text(a, c->s.op->name),
                                "id", c->open ? kp_text(a, c->s.op_id) : NULL, "node",
                                node_value(c), "pre", c->open ? NULL : remembered(c), "a", once(c),
                                "ok", kp_bool(v == KP_SO), "r", c->result, "err",
                                kp_err_value(a, c->err), "via", kp_text(a, via), "saw",
                                c->open ? c->s.saw : NULL, "ms", kp_int(a, took), NULL)));
    c->settled = true;
    r->tally.stops_before += v == KP_SO && c->open && !c->s.asked &&
                             (c->s.op->marks & KP_DISRUPTIVE); /* an earlier session's doubt */
    if (v == KP_SO && c->s.op->after)
        c->s.op->after(&c->s, c->s.args);
    kp_eta_learn(r, c->s.op, took);
    kp_tell(r, (kp_event) { .kind = KP_E_DONE,
                            .verb = c->s.op->name,
                            .node = c->s.node,
                            .took = took,
                            .value = c->result,
                            .err = c->err,
                            .path = c->s.path });
    return NULL;
}

/* It could not be looked at or asked for.  What a playbook may catch is on record: a resumed run
 * must hear the same. */
static kp_err *give_up(kp_run *r, child *c, kp_err *e)
{
    if (!e || kp_err_ends_run(e))
        return e;
    c->err = e;
    return finish(r, c, KP_DID_FAIL, "unable");
}

/* What the journal already has of this child. */
static kp_err *recall(kp_run *r, child *c, const kp_child_record *k)
{
    if (!k || !(k->intent || k->done))
        return NULL;
    const kp_value *body = k->done ? k->done->body : k->intent->body;
    /* An attempt that found it so already has no intent, and remembered for itself. */
    const kp_value *pre = kp_get(body, "pre");
    if (!pre && k->intent)
        pre = kp_get(k->intent->body, "pre");
    c->attempt = k->attempt ? k->attempt : 1;
    if (k->intent)
        kp_hold_acted(r);
    if (k->done && (kp_get_bool(body, "ok", false) || !k->retry)) {
        c->s.pre = kp_pre_of(r->call, c->s.op, pre);
        c->settled = true;
        c->result = kp_get(body, "r");
        c->s.saw = kp_get(body, "saw");
        r->tally.stops_before += k->intent && (c->s.op->marks & KP_DISRUPTIVE) &&
                                 kp_get_bool(body, "ok", false);
        c->err = kp_err_from_value(kp_get(body, "err"));
        if (!c->err && c->s.op->after)
            c->s.op->after(&c->s, c->s.args);
        kp_tell(r, (kp_event) { .kind = KP_E_DONE,
                                .verb = c->s.op->name,
                                .node = c->s.node,
                                .value = c->result,
                                .err = c->err,
                                .took = kp_get_int(body, "ms", 0),
                                .path = c->s.path,
                                .replayed = true });
        return NULL;
    }
    if (k->done) { /* it failed and ended the last session: another attempt, from the beginning */
        c->attempt++;
        return NULL;
    }
    if (kp_get_int(k->intent->body, "rev", 1) != c->s.op->rev)
        return kp_err_new(
            KP_REFUSED, "resume it with the kplay that began it, or settle it: kplay settle RUN OP",
            "%s of %s is in doubt and this kplay has another revision of it", c->s.op->name,
            c->s.path);
    c->s.pre = kp_pre_of(r->call, c->s.op, pre);
    c->open = c->doubt = true;
    return NULL;
}

static kp_err *put_to_human(kp_run *r, child *c)
{
    kp_err *e = kp_err_new(KP_REFUSED,
                           "find out, then:", "%s: %s: it is not known whether it was done: %s",
                           c->s.path, c->s.op->name, c->s.why ? c->s.why : "the probe cannot tell");
    e = kp_err_next(e, "%s   |   kplay settle %s %s --done|--not-done --reason TEXT",
                    c->s.next ? c->s.next : "look at the node", r->id, c->s.op_id);
    return kp_run_end(r, e);
}

/* What an older session asked of a host cannot land any more once this one has raised the hosts'
 * fence; and to want a state twice is harmless. */
static bool fenced_off(kp_run *r, const kp_op *op)
{
    const unsigned on_host = KP_G_BROKER_RESTART | KP_G_CONTROLLER_RESTART | KP_G_RELEASE_STAGE |
                             KP_G_RELEASE_SWITCH | KP_G_CONFIG_FILE;
    return op->cls == KP_OP_WANT || (r->fence.raised && ((unsigned)op->grant & on_host));
}

bool kp_nearer(int64_t progress, int64_t *best)
{
    if (progress == 0 || (*best != 0 && progress <= *best))
        return false;
    *best = progress;
    return true;
}

/* Who was asked said no, and it is not so: in its own words, at once. */
static kp_err *refused(kp_run *r, child *c, const kp_err *no)
{
    r->acted--;
    c->err = kp_err_copy(no);
    if (c->s.node.is)
        c->err = kp_err_at(c->err, "%s", kp_node_word(r->call, r->inv, c->s.node.id));
    return finish(r, c, KP_DID_FAIL, "refused");
}

/* What an earlier session intended: how it is found, on record before anything follows from it. */
static kp_err *tell_doubt(kp_run *r, child *c, kp_verdict v)
{
    kp_arena *a = r->call;
    const kp_value *id = kp_text(a, c->s.op_id), *so = kp_text(a, kp_verdict_name(v));
    const char *on = c->s.node.is ? kp_printf(a, "%d", c->s.node.id) : "";

    c->doubt = false;
    KP_TRY(kp_record_add(
        r, KP_K_DOUBT,
        kp_map(a, "i", kp_text(a, c->s.path), "id", id, "so", so, "saw", c->s.saw, NULL)));
    kp_tell(r, (kp_event) { .kind = KP_E_DOUBT,
                            .verb = c->s.op->name,
                            .node = c->s.node,
                            .path = c->s.path,
                            .text = kp_printf(a, "%s(%s): an earlier session intended it: %s",
                                              c->s.op->name, on, kp_verdict_name(v)),
                            .value = kp_map(a, "id", id, "so", so, "saw", c->s.saw, NULL) });
    return NULL;
}

/* Not so, and nothing under way: refused, too late, or to be asked for (again). */
static kp_err *not_yet(kp_run *r, child *c, const kp_err *no)
{
    const kp_op *op = c->s.op;
    kp_ms waited = kp_mono(r->w) - c->s.asked_at;
    if (no && no->certain)
        return refused(r, c, no);
    if (c->s.asked && waited > op->landing) {
        c->s.why = kp_printf(r->call, "it was asked for and had no effect within %s%s%s",
                             kp_duration_text(r->call, op->landing, false), no ? ": " : "",
                             no ? no->what : "");
        return finish(r, c, KP_DID_FAIL, "ask");
    }
    c->wants = !c->s.asked && (!c->open || fenced_off(r, op) || waited >= op->landing);
    return NULL;
}

/* Its patience begins anew with every progress. */
static kp_err *under_way(kp_run *r, child *c)
{
    const kp_op *op = c->s.op;
    kp_ms now = kp_mono(r->w);
    if (kp_nearer(c->s.progress, &c->progress) || c->moved == 0)
        c->moved = now;
    if (!op->stall || now - c->moved <= op->stall)
        return NULL;
    if (c->s.blind && c->open) {
        c->s.why = c->s.say;
        c->s.next = "when it answers, kplay resume looks again";
        return put_to_human(r, c);
    }
    c->s.why = kp_printf(r->call, "no progress for %s%s%s",
                         kp_duration_text(r->call, op->stall, false), c->s.say ? ": " : "",
                         c->s.say ? c->s.say : "");
    return finish(r, c, KP_DID_FAIL, "ask");
}

/* One look at one child. */
static kp_err *look(kp_run *r, child *c)
{
    const kp_op *op = c->s.op;
    c->s.intended = c->open;
    c->s.blind = false;
    const kp_err *no = c->s.sent.no; /* known before it is looked */
    c->s.a = r->eval;
    kp_verdict v = op->probe(&c->s, c->s.args);
    c->s.a = r->call;
    if (r->over) /* the hosts are another run's by now */
        return kp_err_copy(r->over);

    c->wants = false;
    if (c->doubt)
        KP_TRY(tell_doubt(r, c, v));
    switch (v) {
    case KP_SO:
        return finish(r, c, v, !c->open ? "already" : c->s.asked ? "ask" : "probe");
    case KP_DID_FAIL:
        return finish(r, c, v, c->s.asked ? "ask" : "probe");
    case KP_UNKNOWN:
        return put_to_human(r, c);
    case KP_NOT_YET:
        return not_yet(r, c, no);
    case KP_UNDER_WAY:
        return under_way(r, c);
    }
    return NULL;
}

/* What cannot be taken back is asked of a person, once for the whole call, and the answer is
 * journaled before the intent. */
static kp_err *word_for(kp_run *r, const kp_op *op, const child *c)
{
    kp_arena *a = r->call;
    char *text = kp_printf(a, "%s%s is irreversible. Do it?", op->name,
                           kp_json_text(a, c->s.canonical));
    bool yes;

    return kp_people_ask(r,
                         &(kp_asking) { .kind = KP_ASK_IRREVERSIBLE,
                                        .text = text,
                                        .path = kp_printf(a, KP_ASK_OF_WORD "%.*s",
                                                          (int)strcspn(c->s.path, "/"), c->s.path),
                                        .fn = op->name,
                                        .args = kp_map(a, "text", kp_text(a, text), NULL) },
                         &yes);
}

/* *ret_waited: it was put right, or a person was asked, while the guard waited. */
static kp_err *guard(kp_run *r, const kp_op *op, const void *args, child *c, size_t n,
                     bool beforehand, bool *ret_waited)
{
    unsigned marks = op->marks | (op->marks_of ? op->marks_of(r->seen, r->call, args) : 0);
    if (!(marks & (KP_DISRUPTIVE | KP_IRREVERSIBLE)) && !op->starts)
        return NULL;

    int *nodes = KP_NEW_ARRAY(r->call, n + 1, int);
    const kp_value **state = KP_NEW_ARRAY(r->call, n + 1, const kp_value *);
    int *gone = KP_NEW_ARRAY(r->call, n + 1, int);
    size_t m = 0, n_gone = 0;
    for (size_t i = 0; i < n; i++)
        if (c[i].wants && c[i].s.node.is) {
            nodes[m] = c[i].s.node.id;
            state[m++] = c[i].s.host;
        } else if (c[i].s.node.is && !c[i].err) {
            gone[n_gone++] = c[i].s.node.id;
        }
    kp_about what = {
        .beforehand = beforehand,
        .c = { .nodes = nodes, .n = m, .state = state, .gone = gone, .n_gone = n_gone },
    };
    what.doing = m == 1 ? kp_printf(r->call, "%s %s", op->doing ? op->doing : op->name,
                                    kp_node_word(r->call, r->inv, nodes[0]))
                        : kp_printf(r->call, "%s %zu nodes", op->doing ? op->doing : op->name, m);
    if (m == 0)
        what.doing = op->name;
    if (op->version_of)
        what.c.version = op->version_of(args);
    if (marks & KP_DISRUPTIVE)
        KP_TRY(kp_guard(r, KP_BEFORE_DISRUPTIVE, &what, ret_waited));
    if (op->starts)
        KP_TRY(kp_guard(r, KP_BEFORE_START, &what, ret_waited));
    if (marks & KP_IRREVERSIBLE) {
        KP_TRY(kp_guard(r, KP_BEFORE_IRREVERSIBLE, &what, ret_waited));
        const char *word = r->people.word;
        if (!beforehand)
            KP_TRY(word_for(r, op, &c[0]));
        *ret_waited = *ret_waited || r->people.word != word;
    }
    return NULL;
}

static void tell_progress(kp_run *r, const child *c, size_t n)
{
    size_t left = 0;
    const child *shown = NULL;
    for (size_t i = 0; i < n; i++)
        if (!c[i].settled) {
            left++;
            if (!shown)
                shown = &c[i];
        }
    if (shown)
        kp_tell(r, (kp_event) { .kind = KP_E_PROGRESS,
                                .verb = shown->s.op->name,
                                .node = shown->s.node,
                                .took = kp_mono(r->w) - shown->begun,
                                .text = shown->s.say ? shown->s.say : "",
                                .value = kp_map(r->eval, "left", kp_int(r->eval, (int64_t)left),
                                                "of", kp_int(r->eval, (int64_t)n), "eta",
                                                kp_eta_of(r, shown->s.op), NULL) });
}

/* What was asked for, by this process or so lately by another that it may still land, and has not
 * settled: "start_broker of broker 2", "... 3 nodes". */
static const char *under_way_now(kp_run *r, const kp_op *op, const child *c, size_t n)
{
    size_t open = 0;
    const child *one = NULL;
    for (size_t i = 0; i < n; i++)
        if (c[i].open && !c[i].settled && (c[i].s.asked || !c[i].wants)) {
            open++;
            one = &c[i];
        }
    if (open == 0)
        return NULL;
    if (open > 1)
        return kp_printf(r->eval, "%s of %zu nodes", op->name, open);
    return one->s.node.is ? kp_printf(r->eval, "%s of %s", op->name,
                                      kp_node_word(r->eval, r->inv, one->s.node.id))
                          : op->name;
}

static void set_under_way(kp_run *r, const kp_op *op, const child *c, size_t n)
{
    const char *now = under_way_now(r, op, c, n);
    if (!now || !kp_streq(now, r->signals.under_way))
        r->signals.under_way = kp_strdup(r->call, now); /* it is told in a later round, too */
}

static kp_err *remember(kp_run *r, const kp_op *op, const void *args, child *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (c[i].settled || c[i].open || !op->before)
            continue;
        void *pre = kp_alloc(r->call, op->pre_size);
        kp_err *e = op->before(&c[i].s, args, pre);
        if (!e)
            c[i].s.pre = pre;
        KP_TRY(give_up(r, &c[i], e));
    }
    return NULL;
}

static kp_err *settle_all(kp_run *r, const kp_op *op, const void *args, child *c, size_t n)
{
    KP_TRY(remember(r, op, args, c, n));
    for (size_t i = 0; i < n; i++)
        if (c[i].doubt)
            KP_TRY(kp_fence(r));
    for (;;) {
        size_t wants = 0, left = 0;
        kp_arena_reset(r->eval);
        r->seen->pace.cost_us = 0;
        for (size_t i = 0; i < n; i++)
            if (!c[i].settled) {
                KP_TRY(look(r, &c[i]));
                wants += !c[i].settled && c[i].wants;
            }
        set_under_way(r, op, c, n);
        if (wants > 0 && !r->signals.under_way)
            KP_TRY(kp_check_interrupt(r));
        bool begins = wants > 0 && kp_urged(r) < KP_FINISH_ACTION; /* else nothing more is begun */
        bool waited = false;
        if (begins && !r->fence.raised) {
            /* What is refused takes the hosts from nobody; and until they are ours another run may
             * act on them, so nothing seen before that counts. */
            KP_TRY(guard(r, op, args, c, n, true, &waited));
            KP_TRY(kp_fence(r));
            KP_TRY(remember(r, op, args, c, n));
            continue;
        }
        if (begins)
            KP_TRY(guard(r, op, args, c, n, false, &waited));
        if (begins && waited) { /* and time has passed since it was looked */
            KP_TRY(remember(r, op, args, c, n));
            continue;
        }
        if (begins) {
            for (size_t i = 0; i < n; i++) {
                if (c[i].settled || !c[i].wants)
                    continue;
                if (!c[i].open)
                    KP_TRY(intend(r, &c[i]));
                kp_tell(r, (kp_event) { .kind = KP_E_BEGIN,
                                        .verb = op->name,
                                        .node = c[i].s.node,
                                        .path = c[i].s.path });
                c[i].s.asked = true;
                c[i].s.asked_at = c[i].begun = kp_mono(r->w);
                KP_TRY(give_up(r, &c[i], op->ask(&c[i].s, args)));
            }
        }
        for (size_t i = 0; i < n; i++)
            left += !c[i].settled;
        if (left == 0)
            return NULL;
        set_under_way(r, op, c, n);
        tell_progress(r, c, n);
        KP_TRY(kp_pause(r, wants > 0 ? KP_POLL_MS / 4
                                     : kp_pace_pause(&r->seen->pace, KP_POLL_SHARE_ACTING)));
    }
}

/* One error that lists every node that failed. */
static kp_err *join_errors(kp_run *r, const kp_op *op, child *c, size_t n)
{
    size_t failed = 0;
    child *first = NULL;
    KP_AUTO_BUF lines = KP_BUF_INIT(64 * 1024);
    for (size_t i = 0; i < n; i++) {
        if (!c[i].err)
            continue;
        if (!first)
            first = &c[i];
        failed++;
        kp_buf_fmt(&lines, "  %s  %s\n%s", kp_node_word(r->call, r->inv, c[i].s.node.id),
                   c[i].err->what, c[i].err->detail);
    }
    if (failed == 0)
        return NULL;
    if (n == 1) {
        kp_err *e = first->err;
        first->err = NULL;
        return e;
    }
    kp_err *e = kp_err_new(first->err->cls, first->err->next, "%s failed on %zu of %zu nodes",
                           op->name, failed, n);
    e = kp_err_detail(e, "%s", kp_buf_text(&lines));
    return e;
}

kp_err *kp_step_run(kp_run *r, const kp_op *op, void *args, const kp_value *canonical,
                    const char *path, const kp_call_record *old, const kp_value **ret_v)
{
    const kp_nodes *nodes = NULL; /* NULL: it acts on the cluster, by one child of nobody's */

    for (size_t i = 0; i < op->n_args; i++)
        if (op->fan_out && kp_streq(op->args[i].name, op->fan_out))
            nodes = (const kp_nodes *)((char *)args + op->args[i].offset);

    size_t n = nodes ? nodes->n : 1;
    bool list = nodes && nodes->list;
    child *c = KP_NEW_ARRAY(r->call, n + 1, child);
    bool named = old != NULL;
    for (size_t i = 0; i < n; i++) {
        const char *p = list ? kp_printf(r->call, "%s/%d", path, nodes->id[i]) : path;
        c[i].s = (kp_step) { .r = r,
                             .op = op,
                             .seen = r->seen,
                             .a = r->call,
                             .path = p,
                             .node = nodes ? kp_somebody(nodes->id[i]) : KP_NOBODY,
                             .args = args,
                             .canonical = canonical };
        c[i].attempt = 1;
        c[i].named = &named;
        c[i].begun = c[i].s.asked_at = kp_mono(r->w);
        for (uint32_t k = 0; old && k < old->n_children; k++)
            if (kp_streq(old->child[k].path, p))
                KP_TRY(recall(r, &c[i], &old->child[k]));
        c[i].s.op_id = op_id(r, p, c[i].attempt);
    }

    kp_err *e = settle_all(r, op, args, c, n);
    kp_sent_forget(r);
    r->signals.under_way = NULL;
    if (!e)
        e = join_errors(r, op, c, n);
    for (size_t i = 0; i < n; i++)
        kp_err_drop(c[i].err);
    if (e)
        return e;
    kp_builder by_node = kp_map_begin(r->call);
    for (size_t i = 0; list && i < n; i++)
        kp_map_add(&by_node, kp_printf(r->call, "%d", nodes->id[i]), c[i].result);
    *ret_v = list ? kp_map_end(&by_node) : c[0].result;
    return NULL;
}
