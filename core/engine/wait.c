/* Waits: for a verb's probe, for a predicate of the playbook, for a time.
 *
 * A wait has two limits.  `stall`: no progress for this long; it starts again with each session.
 * `limit`: absolute, journaled once.  Its done record holds only the satisfying evaluation's reads;
 * a resumed run evaluates the predicate once against those.  Passing a limit fails the step and
 * says what was waited for.
 */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_DEFAULT (24 * KP_HOUR)
#define STALL_DEFAULT (15 * KP_MINUTE)

typedef struct waiting {
    const kp_op *op;
    const char *path;
    const kp_value *canonical;
    kp_ms stall, until; /* until: UTC */
    kp_ms begun, moved;
    int64_t progress, polls;
    kp_builder curve;
} waiting;

static kp_err *begin(kp_run *r, waiting *w, kp_ms limit, const kp_call_record *old)
{
    kp_arena *a = r->call;

    w->begun = w->moved = kp_mono(r->w);
    w->curve = kp_list_begin(a);
    if (old && !old->reopened) {
        w->until = kp_get_int(old->first->body, "until", kp_now(r->w) + limit);
        return NULL;
    }
    w->until = kp_now(r->w) + limit;
    return kp_record_add(r, KP_K_WAIT,
                         kp_map(a, "i", kp_text(a, w->path), "fn", kp_text(a, w->op->name), "a",
                                w->canonical, "stall", kp_int(a, w->stall), "until",
                                kp_int(a, w->until), "eta", kp_eta_of(r, w->op), NULL));
}

static kp_err *end(kp_run *r, waiting *w, kp_err *err, const kp_value *result,
                   const kp_value *reads)
{
    kp_arena *a = r->call;
    kp_ms took = kp_mono(r->w) - w->begun;

    kp_err *bad = kp_record_add(
        r, KP_K_DONE,
        kp_map(a, "i", kp_text(a, w->path), "fn", kp_text(a, w->op->name), "ok", kp_bool(!err), "r",
               result, "err", kp_err_value(a, err), "reads", reads, "polls", kp_int(a, w->polls),
               "curve", kp_list_end(&w->curve), "ms", kp_int(a, took), NULL));
    if (!err)
        kp_eta_learn(r, w->op, took);
    kp_tell(r, (kp_event) { .kind = KP_E_DONE,
                            .verb = w->op->name,
                            .path = w->path,
                            .took = took,
                            .value = result,
                            .err = err });
    if (bad) {
        kp_err_drop(err);
        return bad;
    }
    return err;
}

/* NULL: wait on.  Otherwise why not.  `moved`: there was progress, to w->progress. */
static kp_err *passed(kp_run *r, waiting *w, bool moved, const char *say, const char *next)
{
    kp_ms now = kp_mono(r->w);

    if (moved) {
        w->moved = now;
        if (w->curve.n < 32)
            kp_list_add(&w->curve,
                        kp_ints(r->call, (int[]) { (int)(now - w->begun), (int)w->progress }, 2));
    }
    const char *sep = say && *say ? ": " : "";
    if (now - w->moved > w->stall)
        return kp_err_new(KP_FAILED, next ? next : "find out what holds it up; then: kplay resume",
                          "%s: no progress for %s%s%s", w->op->name,
                          kp_duration_text(r->call, w->stall, false), sep, say ? say : "");
    if (kp_now(r->w) > w->until)
        return kp_err_new(
            KP_FAILED,
            next ? next
                 : "give it a longer limit, or find out what holds it up; then: kplay resume",
            "%s: not within its limit of %s%s%s", w->op->name,
            kp_duration_text(r->call, now - w->begun, false), sep, say ? say : "");
    return NULL;
}

static kp_ms arg_ms(const kp_op *op, const void *args, const char *name, kp_ms otherwise)
{
    for (size_t i = 0; i < op->n_args; i++)
        if (kp_streq(op->args[i].name, name)) {
            kp_ms d = *(const kp_ms *)((const char *)args + op->args[i].offset);
            return d > 0 ? d : otherwise;
        }
    return otherwise;
}

/* The wait has ended in an earlier session, as its record says. */
static kp_err *ended_before(kp_step *s, const kp_value *done, const kp_value **ret_v)
{
    kp_err *e = kp_err_from_value(kp_get(done, "err"));
    kp_tell(s->r, (kp_event) { .kind = KP_E_DONE,
                               .verb = s->op->name,
                               .path = s->path,
                               .took = kp_get_int(done, "ms", 0),
                               .value = kp_get(done, "r"),
                               .err = e,
                               .replayed = true });
    if (e)
        return e;
    s->result = kp_get(done, "r");
    *ret_v = s->result ? s->result : kp_nil();
    if (s->op->after)
        s->op->after(s, s->args);
    return NULL;
}

/* NULL: it may still become so. */
static kp_err *gives_up(kp_step *s, waiting *w, kp_verdict v)
{
    kp_err *e;
    if (v == KP_DID_FAIL)
        e = kp_err_new(KP_FAILED,
                       s->next ? s->next : "look at the node; when it is well: kplay resume",
                       "%s: %s", s->op->name, s->why ? s->why : "it cannot become so");
    else
        e = passed(s->r, w, kp_nearer(s->progress, &w->progress), s->say, s->next);
    return e && s->detail ? kp_err_detail(e, "%s", s->detail) : e;
}

static kp_err *until_so(kp_step *s, waiting *w, const kp_value **ret_v)
{
    kp_run *r = s->r;
    for (;;) {
        kp_arena_reset(r->eval);
        s->a = r->eval;
        s->say = s->why = s->next = s->detail = NULL;
        s->progress = s->left = 0;
        r->seen->pace.cost_us = 0;
        kp_verdict v = s->op->probe(s, s->args);
        if (r->over) /* the hosts are another run's by now */
            return kp_err_copy(r->over);
        w->polls++;
        if (v == KP_SO) {
            const kp_value *result = kp_value_copy(r->call, s->result ? s->result : kp_nil());
            KP_TRY(end(r, w, NULL, result, NULL));
            s->a = r->call;
            s->result = result;
            if (s->op->after)
                s->op->after(s, s->args);
            *ret_v = result;
            return NULL;
        }
        kp_err *e = gives_up(s, w, v);
        if (e)
            return end(r, w, e, NULL, NULL);
        kp_tell(r, (kp_event) { .kind = KP_E_PROGRESS,
                                .verb = s->op->name,
                                .path = s->path,
                                .text = s->say ? s->say : "",
                                .took = kp_mono(r->w) - w->begun,
                                .value = s->left > 0
                                             ? kp_map(s->a, "left", kp_int(s->a, s->left), NULL)
                                             : NULL });
        KP_TRY(kp_pause(r, kp_pace_pause(&r->seen->pace, KP_POLL_SHARE)));
    }
}

kp_err *kp_wait_verb(kp_run *r, const kp_op *op, void *args, const kp_value *canonical,
                     const char *path, const kp_call_record *old, const kp_value **ret_v)
{
    kp_step s = {
        .r = r,
        .op = op,
        .seen = r->seen,
        .a = r->call,
        .path = path,
        .args = args,
        .canonical = canonical,
    };

    if (old && !old->reopened && old->done)
        return ended_before(&s, old->done->body, ret_v);
    waiting w = { .op = op,
                  .path = path,
                  .canonical = canonical,
                  .stall = arg_ms(op, args, "stall", STALL_DEFAULT) };
    KP_TRY(begin(r, &w, arg_ms(op, args, "limit", LIMIT_DEFAULT), old));
    kp_tell(r,
            (kp_event) { .kind = KP_E_BEGIN, .verb = op->name, .path = path, .value = canonical });
    return until_so(&s, &w, ret_v);
}

/* ---- wait_until ---- */

/* One evaluation of the predicate, its reads collected. */
static kp_err *evaluate(kp_run *r, kp_predicate fn, void *ud, bool *ret_true, const char **ret_say)
{
    kp_arena_reset(r->eval);
    r->predicate.reads = kp_list_begin(r->eval);
    r->predicate.at = 0;
    r->predicate.on = true;
    kp_err *e = fn(ud, ret_true, ret_say);
    r->predicate.on = false;
    return e;
}

/* Of what a predicate was told: any change of it is progress, but for the time. */
static int64_t digest(const kp_value *reads)
{
    KP_AUTO_BUF text = KP_BUF_INIT(KP_JSON_LIMIT);
    for (size_t i = 0; i < kp_len(reads); i++)
        if (!kp_streq(kp_get_text(kp_at(reads, i), "fn", ""), "now"))
            kp_json_write(&text, kp_at(reads, i));
    uint64_t d = 1469598103934665603u;
    for (size_t i = 0; i < text.n; i++)
        d = (d ^ (unsigned char)text.p[i]) * 1099511628211u;
    return (int64_t)d;
}

/* The options stand behind the function, which the script host has taken. */
static kp_err *decode_options(kp_run *r, const kp_value *options, kp_until_args **ret_args,
                              const kp_value **ret_canonical)
{
    kp_builder given = kp_list_begin(r->call);
    void *args;
    kp_list_add(&given, kp_nil());
    kp_list_add(&given, kp_is(options, KP_MAP) ? options : kp_nil());
    KP_TRY(
        kp_args_decode(r, r->call, &kp_op_wait_until, kp_list_end(&given), &args, ret_canonical));
    *ret_args = args;
    return NULL;
}

/* It was true in an earlier session: it must be so with the same answers. */
static kp_err *true_again(kp_run *r, const kp_value *done, kp_predicate fn, void *ud,
                          const char *at, const kp_value **ret_v)
{
    bool is_true = false;
    const char *say = "";
    kp_err *e = kp_err_from_value(kp_get(done, "err"));
    if (e)
        return e;
    r->predicate.stored = kp_get(done, "reads");
    if (!r->predicate.stored)
        r->predicate.stored = kp_map(r->call, NULL);
    e = evaluate(r, fn, ud, &is_true, &say);
    r->predicate.stored = NULL;
    if (e)
        return e;
    if (!is_true) {
        r->replay.diverged = true;
        return kp_run_end(
            r, kp_err_new(KP_REFUSED, "resume with the playbook as it was",
                          "%s: the predicate was true and is not with the same answers", at));
    }
    *ret_v = kp_bool(true);
    return NULL;
}

static kp_err *until_true(kp_run *r, waiting *w, kp_predicate fn, void *ud, const char *at,
                          kp_ms every, const kp_value **ret_v)
{
    for (;;) {
        bool is_true = false;
        const char *say = "";
        r->seen->pace.cost_us = 0;
        kp_err *e = evaluate(r, fn, ud, &is_true, &say);
        w->polls++;
        if (e && kp_err_ends_run(e))
            return kp_run_end(r, e);
        const kp_value *reads = kp_list_end(&r->predicate.reads);
        if (e && !e->retriable)
            return end(r, w, e, NULL, kp_value_copy(r->call, reads));
        if (!e && is_true) {
            KP_TRY(end(r, w, NULL, NULL, kp_value_copy(r->call, reads)));
            *ret_v = kp_bool(true);
            return NULL;
        }
        kp_err_drop(e);
        int64_t told = digest(reads), before = w->progress;
        w->progress = told;
        char *said = kp_strdup(r->eval, say && *say ? say : at);
        e = passed(r, w, told != before, said, NULL);
        if (e)
            return end(r, w, kp_err_at(e, "%s", at), NULL, NULL);
        kp_tell(r, (kp_event) { .kind = KP_E_PROGRESS,
                                .verb = "wait_until",
                                .path = w->path,
                                .text = said,
                                .took = kp_mono(r->w) - w->begun });
        kp_ms pause = kp_pace_pause(&r->seen->pace, KP_POLL_SHARE);
        KP_TRY(kp_pause(r, every > pause ? every : pause));
    }
}

kp_err *kp_run_wait_until(kp_run *r, const kp_value *options, kp_predicate fn, void *ud,
                          const char *at, const kp_value **ret_v)
{
    const kp_op *op = &kp_op_wait_until;
    const kp_call_record *old;
    kp_until_args *l;
    const kp_value *canonical;

    if (r->over)
        return kp_err_copy(r->over);
    kp_arena_reset(r->call);
    if (r->predicate.on || kp_streq(kp_only_asks(r), "check"))
        return kp_err_at(kp_err_new(KP_PLAYBOOK, "wait in run", "wait_until inside %s",
                                    r->predicate.on ? "wait_until" : "check, which never waits"),
                         "%s", at);
    kp_err *e = decode_options(r, options, &l, &canonical);
    if (e)
        return kp_err_at(e, "%s", at);
    waiting w = { .op = op, .path = kp_path_next(r), .canonical = canonical, .stall = l->stall };
    snprintf(r->last_path, sizeof r->last_path, "%s", w.path);
    e = kp_replay_take(r, w.path, op, canonical, at, &old);
    if (e)
        return kp_run_end(r, e);
    if (old && !old->reopened && old->done)
        return true_again(r, old->done->body, fn, ud, at, ret_v);
    if (r->replay.shadow)
        return kp_shadow_end(r);
    KP_TRY(begin(r, &w, l->limit, old));
    kp_tell(r, (kp_event) { .kind = KP_E_BEGIN, .verb = "wait_until", .path = w.path, .text = at });
    return until_true(r, &w, fn, ud, at, l->every, ret_v);
}

kp_err *kp_wait_sleep(kp_step *s, kp_ms d)
{
    kp_run *r = s->r;
    const kp_call_record *old = r->replay.now;
    waiting w = { .op = s->op, .path = s->path, .canonical = s->canonical, .stall = d };

    if (old && old->done)
        return NULL;
    KP_TRY(begin(r, &w, d, old));
    kp_ms left;
    while ((left = w.until - kp_now(r->w)) > 0) {
        kp_arena_reset(r->eval);
        kp_tell(r, (kp_event) { .kind = KP_E_PROGRESS,
                                .verb = "sleep",
                                .path = s->path,
                                .text = kp_printf(r->eval, "%s left",
                                                  kp_duration_text(r->eval, left, false)) });
        KP_TRY(kp_pause(r, left < KP_SECOND ? left : KP_SECOND));
    }
    return end(r, &w, NULL, NULL, NULL);
}
