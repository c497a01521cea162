/* One call of a verb, from the script host: decode, allow, replay, do.
 *
 * A call's path is the names of the enclosing steps and its number within the innermost one:
 * "broker 2.1".  Paths are what a resumed run is matched by, so a step's name used twice in one
 * scope gets "#2", and nothing else may change them.
 */
#include "engine/run.h"

#include <stdio.h>
#include <string.h>

char *kp_path_next(kp_run *r)
{
    kp_scope *sc = &r->scope[r->depth];
    sc->calls++;
    return kp_printf(r->call, "%s%s%s%d", sc->prefix, sc->step, *sc->step ? "." : "", sc->calls);
}

static kp_err *grant_check(kp_run *r, const kp_op *op, unsigned need, const char *at)
{
    unsigned missing = need & ~r->scope[r->depth].granted;
    for (unsigned bit = 1; missing && bit; bit <<= 1)
        if (missing & bit) {
            const char *name = kp_grant_name((kp_grant)bit);
            kp_err *e = kp_err_new(
                KP_PLAYBOOK, "add it to the playbook's effects, if it is meant to do that",
                "%s needs the effect \"%s\", which the playbook does not declare", op->name, name);
            return kp_err_at(e, "%s", at);
        }
    r->used |= need;
    return NULL;
}

const char *kp_only_asks(const kp_run *r)
{
    for (int i = r->depth; i >= 0; i--)
        if (r->scope[i].part == KP_PART_CHECK || r->scope[i].part == KP_PART_VERIFY)
            return r->scope[i].part == KP_PART_CHECK ? "check" : "verify";
    return NULL;
}

static kp_err *allowed(kp_run *r, const kp_op *op, const void *args, const char *at)
{
    bool asks = op->cls == KP_OP_READ;

    if (r->predicate.on && !asks)
        return kp_err_at(kp_err_new(KP_PLAYBOOK, "a predicate may only ask; act outside of it",
                                    "%s inside wait_until", op->name),
                         "%s", at);
    const char *part = kp_only_asks(r);
    if (part && !asks && (op->cls != KP_OP_FLOW || op->pauses))
        return kp_err_at(kp_err_new(KP_PLAYBOOK, "move it to run", "%s in %s, which may only ask",
                                    op->name, part),
                         "%s", at);
    unsigned need = (unsigned)op->grant | (op->grant_of ? (unsigned)op->grant_of(r->inv, args) : 0);
    KP_TRY(grant_check(r, op, need, at));
    if (op->refuse) {
        kp_err *e = op->refuse(args);
        if (e)
            return *e->where ? e : kp_err_at(e, "%s", at);
    }
    return NULL;
}

/* A question inside wait_until: its answer is kept with the evaluation, and comes from there on
 * replay. */
static kp_err *predicate_read(kp_run *r, const kp_op *op, kp_step *s, const void *args,
                              const kp_value *canonical, const kp_value **ret_v)
{
    if (r->predicate.stored) {
        const kp_value *one = kp_at(r->predicate.stored, r->predicate.at++);
        if (!one || !kp_streq(kp_get_text(one, "fn", ""), op->name) ||
            !kp_value_equal(kp_get(one, "a"), canonical)) {
            r->replay.diverged = true;
            return kp_run_end(r, kp_err_new(KP_REFUSED, "resume with the playbook as it was",
                                            "the predicate does not ask what it asked before (%s)",
                                            op->name));
        }
        const kp_value *v = kp_get(one, "r");
        *ret_v = v ? v : kp_nil();
        return kp_err_from_value(kp_get(one, "err"));
    }
    kp_err *e = op->read(s, args, ret_v);
    if (e && kp_err_ends_run(e))
        return e;
    kp_list_add(&r->predicate.reads, kp_map(r->eval, "fn", kp_text(r->eval, op->name), "a",
                                            kp_value_copy(r->eval, canonical), "r",
                                            e ? NULL : kp_value_copy(r->eval, *ret_v), "err",
                                            kp_err_value(r->eval, e), NULL));
    return e;
}

static kp_err *read_call(kp_run *r, const kp_op *op, kp_step *s, const void *args,
                         const kp_value *canonical, const kp_call_record *old,
                         const kp_value **ret_v)
{
    if (old) {
        const kp_value *v = kp_get(old->first->body, "r");
        kp_err *e = kp_err_from_value(kp_get(old->first->body, "err"));
        if (e)
            return e;
        *ret_v = v ? v : kp_nil();
        return NULL;
    }
    const kp_value *v = kp_nil();
    kp_err *e = op->read(s, args, &v);
    if (e && kp_err_ends_run(e))
        return e;
    kp_err *bad = kp_record_add(r, KP_K_READ,
                                kp_map(r->call, "i", kp_text(r->call, s->path), "fn",
                                       kp_text(r->call, op->name), "a", canonical, "r",
                                       e ? NULL : v, "err", kp_err_value(r->call, e), NULL));
    if (bad) {
        kp_err_drop(e);
        return bad;
    }
    if (e)
        return e;
    *ret_v = v;
    return NULL;
}

/* Before a new action: a person's Ctrl-C is heard here, and a limit on calls keeps a runaway script
 * from filling a disk. */
#define CALLS_LIMIT 2000000

kp_err *kp_run_call(kp_run *r, const kp_op *op, const kp_value *given, const char *at,
                    const kp_value **ret_v)
{
    void *args;
    const kp_value *canonical;
    const kp_call_record *old = NULL;

    if (r->over)
        return kp_err_copy(r->over);
    if (!r->predicate.on)
        kp_arena_reset(r->call);
    kp_arena *a = r->predicate.on ? r->eval : r->call;

    kp_err *e = kp_args_decode(r, a, op, given, &args, &canonical);
    if (e)
        return *e->where ? e : kp_err_at(e, "%s", at);
    KP_TRY(allowed(r, op, args, at));

    kp_step s = {
        .r = r, .op = op, .seen = r->seen, .a = a, .path = "", .args = args, .canonical = canonical
    };
    *ret_v = kp_nil();
    if (r->predicate.on)
        return predicate_read(r, op, &s, args, canonical, ret_v);
    if (op->cls == KP_OP_FLOW && op->unrecorded)
        return op->read(&s, args, ret_v);

    if (++r->n_called > CALLS_LIMIT)
        return kp_run_end(r, kp_err_new(KP_PLAYBOOK, "look for a loop without an end",
                                        "the playbook has called verbs %d times", CALLS_LIMIT));
    s.path = kp_path_next(r);
    snprintf(r->last_path, sizeof r->last_path, "%s", s.path);
    e = kp_replay_take(r, s.path, op, canonical, at, &old);
    if (e)
        return kp_run_end(r, e);
    bool settled = old && kp_replay_settled(old);
    if (r->replay.shadow && !settled)
        return kp_shadow_end(r);
    if (!settled)
        KP_TRY(kp_check_interrupt(r));
    r->replay.now = old;
    switch (op->cls) {
    case KP_OP_READ:
        e = read_call(r, op, &s, args, canonical, old, ret_v);
        break;
    case KP_OP_FLOW:
        e = op->read(&s, args, ret_v);
        break;
    case KP_OP_WAIT:
        e = kp_wait_verb(r, op, args, canonical, s.path, old, ret_v);
        break;
    case KP_OP_SCRIPT:
        e = kp_err_new(KP_INTERNAL, "report this", "%s is the script host's", op->name);
        break;
    default:
        e = kp_step_run(r, op, args, canonical, s.path, old, ret_v);
        break;
    }
    r->replay.now = NULL;
    if (e && kp_err_ends_run(e) && !r->over)
        e = kp_run_end(r, e);
    return e;
}

/* ---- nested playbooks ---- */

kp_err *kp_run_enter(kp_run *r, const kp_header *h, const kp_value *given,
                     const kp_value **ret_args)
{
    const kp_value *origin;

    if (r->depth + 1 >= KP_SCOPES)
        return kp_err_new(KP_PLAYBOOK, "play fewer levels",
                          "play: more than %d playbooks inside each other", KP_SCOPES);
    kp_scope *up = &r->scope[r->depth];
    unsigned missing = h->effects & ~up->granted;
    for (unsigned bit = 1; missing && bit; bit <<= 1)
        if (missing & bit)
            return kp_err_new(KP_PLAYBOOK, "declare it in the caller's effects",
                              "play(\"%s\") may do \"%s\", which its caller does not declare",
                              h->name, kp_grant_name((kp_grant)bit));
    KP_TRY(kp_run_args(r->a, h, r->inv, &(kp_given_args) { .value = given }, ret_args, &origin));
    /* A played playbook is one call of its caller: its path begins with the caller's. */
    up->calls++;
    char *prefix = kp_printf(r->a, "%s%s%s%d:", up->prefix, up->step, *up->step ? "." : "",
                             up->calls);
    r->depth++;
    r->scope[r->depth] =
        (kp_scope) { .part = up->part, .prefix = prefix, .step = "", .granted = h->effects };
    return NULL;
}

kp_part kp_run_part_now(const kp_run *r)
{
    return r->scope[r->depth].part;
}

void kp_run_part_begins(kp_run *r, kp_part part)
{
    r->scope[r->depth].part = part;
}

void kp_run_leave(kp_run *r)
{
    if (r->depth > 0)
        r->depth--;
}
