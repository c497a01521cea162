/* Replay: the journal of earlier sessions, answering the calls of this one.
 *
 * The script runs again from the top.  Its n-th call must be the journal's n-th call - same path,
 * same verb, same arguments - and gets the journaled answer.  A call whose action has an intent and
 * no outcome is in doubt: it goes through the step loop, which begins with the verb's probe.
 *
 * What ended a session was mended meanwhile, so the next one looks again: answers given since the
 * last action are asked anew, and an action or wait that failed last is tried as a new attempt.
 * Checks and verification always ask the cluster as it is.
 */
#include "engine/run.h"

#include <string.h>

static kp_call_record *call_for(kp_run *r, const char *path, size_t *cap)
{
    /* A fan-out's children are "path/NODE"; their call is "path".  Records of one call follow each
     * other. */
    const char *slash = strrchr(path, '/');
    const char *base = slash ? kp_strndup(r->a, path, (size_t)(slash - path)) : path;

    for (int64_t i = r->replay.n; i-- > 0 && i >= r->replay.n - 1;)
        if (kp_streq(r->replay.calls[i].path, base))
            return &r->replay.calls[i];
    if ((size_t)r->replay.n == *cap) {
        size_t bigger = *cap ? *cap * 2 : 256;
        kp_call_record *more = KP_NEW_ARRAY(r->a, bigger, kp_call_record);
        if (r->replay.n)
            memcpy(more, r->replay.calls, (size_t)r->replay.n * sizeof *more);
        r->replay.calls = more;
        *cap = bigger;
    }
    kp_call_record *c = &r->replay.calls[r->replay.n++];
    *c = (kp_call_record) { .path = base };
    return c;
}

static kp_child_record *child_for(kp_run *r, kp_call_record *c, const char *path)
{
    for (uint32_t i = 0; i < c->n_children; i++)
        if (kp_streq(c->child[i].path, path))
            return &c->child[i];
    if (c->n_children == c->cap_children) {
        uint32_t bigger = c->cap_children ? c->cap_children * 2 : 2;
        kp_child_record *more = KP_NEW_ARRAY(r->a, bigger, kp_child_record);
        if (c->n_children)
            memcpy(more, c->child, c->n_children * sizeof *more);
        c->child = more;
        c->cap_children = bigger;
    }
    kp_child_record *k = &c->child[c->n_children++];
    *k = (kp_child_record) { .path = path };
    return k;
}

static bool failed(const kp_record *done)
{
    return done && !kp_get_bool(done->body, "ok", false);
}

/* An answer or a note: nothing was done, and no person was asked. */
static bool only_told(const kp_call_record *c)
{
    return c->first->kind == KP_K_READ ||
           (c->first->kind == KP_K_NOTE && !kp_streq(c->fn, "baseline_save"));
}

/* It failed in a way that nothing catches, so that ended the run. */
static bool ended_it(const kp_record *done)
{
    kp_class cls;
    const kp_value *err = failed(done) ? kp_get(done->body, "err") : NULL;
    return err && kp_class_parse(kp_get_text(err, "class", ""), &cls) && cls == KP_REFUSED;
}

/* retry: what failed last is tried as a new attempt; else only what was refused. */
static void look_again(kp_run *r, bool retry)
{
    while (r->replay.n > 0 && only_told(&r->replay.calls[r->replay.n - 1]))
        r->replay.n--;
    if (r->replay.n == 0)
        return;
    kp_call_record *c = &r->replay.calls[r->replay.n - 1];
    c->reopened = retry && failed(c->done);
    for (uint32_t i = 0; i < c->n_children; i++)
        c->child[i].retry = retry ? failed(c->child[i].done) : ended_it(c->child[i].done);
}

int kp_replay_acted(const kp_journal *j)
{
    int n = 0;
    for (int64_t i = 1; i <= kp_journal_n(j); i++) {
        const kp_record *rec = kp_journal_at(j, i);
        if (rec && rec->kind == KP_K_INTENT)
            n++;
        else if (rec && rec->kind == KP_K_DONE &&
                 kp_streq(kp_get_text(rec->body, "via", ""), "refused"))
            n--;
    }
    return n;
}

const char *kp_part_prefix(kp_part part)
{
    return part == KP_PART_CHECK ? KP_OF_CHECK : part == KP_PART_VERIFY ? KP_OF_VERIFY : "";
}

static bool is_of(const char *path, kp_part part)
{
    if (part == KP_PART_RUN)
        return *path != KP_OWN_MARK;
    return kp_starts_with(path, kp_part_prefix(part));
}

/* What ended a session of the run: what comes next looks again. */
static void index_end(kp_run *r, const kp_record *rec)
{
    if (rec->kind == KP_K_ERROR)
        look_again(r, true);
    else if (kp_streq(kp_get_text(rec->body, "state", ""), "refused"))
        look_again(r, false);
}

static void index_one(kp_run *r, kp_call_record *c, const char *path, const kp_record *rec)
{
    if (!c->first) {
        c->first = rec;
        c->fn = kp_get_text(rec->body, "fn", "");
        c->args = kp_get(rec->body, "a");
    }
    switch (rec->kind) {
    case KP_K_INTENT: {
        kp_child_record *k = child_for(r, c, path);
        k->attempt = (int)kp_get_int(rec->body, "try", 1);
        k->intent = rec;
        k->done = NULL;
        k->retry = false;
        break;
    }
    case KP_K_DONE:
        if (c->first->kind == KP_K_WAIT) {
            c->done = rec;
            c->reopened = false;
        } else {
            kp_child_record *k = child_for(r, c, path);
            k->done = rec;
            k->retry = false;
        }
        break;
    case KP_K_WAIT: /* a reopened wait begins again */
        c->first = rec;
        c->done = NULL;
        c->reopened = false;
        break;
    case KP_K_READ:
    case KP_K_ASK:
    case KP_K_NOTE:
        c->first = rec;
        break;
    default:
        break;
    }
}

void kp_replay_index(kp_run *r, kp_part part)
{
    size_t cap = 0;
    int64_t n = kp_journal_n(r->j);
    bool anew = true;

    r->replay.calls = NULL;
    r->replay.n = r->replay.at = 0;
    for (int64_t i = 1; i <= n; i++) {
        const kp_record *rec = kp_journal_at(r->j, i);
        const char *path = kp_get_text(rec->body, "i", NULL);
        /* Another kplay has begun: it asks check and verify from their beginning. */
        if (rec->kind == KP_K_SESSION && !kp_get(rec->body, "ep") && part != KP_PART_RUN)
            anew = true;
        if (!path)
            continue;
        if (rec->kind == KP_K_ERROR || rec->kind == KP_K_PAUSE) {
            if (part == KP_PART_RUN)
                index_end(r, rec);
            continue;
        }
        if (rec->kind == KP_K_DOUBT || !is_of(path, part))
            continue;
        if (anew)
            r->replay.n = 0;
        anew = false;
        index_one(r, call_for(r, path, &cap), path, rec);
    }
}

bool kp_replay_settled(const kp_call_record *c)
{
    if (c->first->kind == KP_K_WAIT)
        return c->done != NULL && !c->reopened;
    for (uint32_t i = 0; i < c->n_children; i++)
        if (!c->child[i].done || c->child[i].retry)
            return false;
    return true;
}

bool kp_replay_over(const kp_run *r)
{
    return r->replay.at >= r->replay.n;
}

kp_err *kp_replay_take(kp_run *r, const char *path, const kp_op *op, const kp_value *canonical,
                       const char *at, const kp_call_record **ret_call)
{
    *ret_call = NULL;
    if (kp_replay_over(r))
        return NULL;
    const kp_call_record *c = &r->replay.calls[r->replay.at];
    if (kp_streq(c->path, path) && kp_streq(c->fn, op->name) &&
        kp_value_equal(c->args, canonical)) {
        r->replay.at++;
        r->replay.answered++;
        *ret_call = c;
        return NULL;
    }
    r->replay.diverged = true;
    kp_err *e = kp_err_new(
        KP_REFUSED, "resume with the playbook as it was, or look at what changed",
        "the playbook does not ask what it asked before (record %" PRId64 ")", c->first->n);
    e = kp_err_at(e, "%s", at);
    return kp_err_detail(e, "  journal   %s  %s%s\n  playbook  %s  %s%s\n", c->path, c->fn,
                         c->args ? kp_json_text(r->call, c->args) : "", path, op->name,
                         kp_json_text(r->call, canonical));
}
