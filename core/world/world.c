/* The table of the requests, and several of them in one round. */
#include "world/world.h"

#include <stddef.h>

#define FIELD(holds_, at_, needs_)                                                                 \
    {                                                                                              \
        KP_HOLDS_##holds_, offsetof(kp_request, at_), needs_                                       \
    }
#define OP_ID FIELD(TEXT, op.id, "an op id") /* of what acts once */

static const kp_req_field by_op[] = { OP_ID, { 0 } };
static const kp_req_field config[] = { FIELD(TEXT, config.resource, "a resource"),
                                       FIELD(VALUE, config.names, NULL),
                                       FIELD(VALUE, config.keys, NULL),
                                       { 0 } };
static const kp_req_field lag[] = { FIELD(VALUE, lag.groups, NULL), { 0 } };
static const kp_req_field host[] = { FIELD(VALUE, host.dirs, NULL), { 0 } };
static const kp_req_field znode[] = { FIELD(TEXT, znode.path, "a path"), { 0 } };
static const kp_req_field release[] = { FIELD(TEXT, release.version, "a version"), { 0 } };
static const kp_req_field proof[] = { FIELD(TEXT, proof.version, "a version"),
                                      FIELD(VALUE, proof.classes, NULL),
                                      { 0 } };
static const kp_req_field fence[] = { FIELD(TEXT, fence.over, NULL),
                                      FIELD(TEXT, fence.who, NULL),
                                      { 0 } };
static const kp_req_field to_release[] = { OP_ID, FIELD(TEXT, link.version, "a version"), { 0 } };
static const kp_req_field file[] = {
    OP_ID, FIELD(TEXT, file.expect, NULL), FIELD(SPAN, file.bytes, "bytes"), { 0 }
};
static const kp_req_field job[] = { OP_ID, FIELD(VALUE, job.argv, "a command"), { 0 } };
static const kp_req_field elect[] = { FIELD(VALUE, elect.partitions, NULL), { 0 } };
static const kp_req_field alter[] = { FIELD(TEXT, alter.resource, "a resource"),
                                      FIELD(TEXT, alter.name, NULL),
                                      FIELD(VALUE, alter.edits, NULL),
                                      { 0 } };

static const kp_req_kind kinds[KP_REQS] = {
    [KP_Q_VIEW] = { .name = "view", .whom = KP_OF_ANY },
    [KP_Q_NODE] = { .name = "node", .whom = KP_OF_ANY },
    [KP_Q_QUORUM] = { .name = "quorum", .whom = KP_OF_ANY },
    [KP_Q_CONFIG] = { .name = "config", .whom = KP_OF_ANY, .fields = config },
    [KP_Q_LOG_DIRS] = { .name = "log_dirs", .whom = KP_OF_NODE },
    [KP_Q_REASSIGNMENTS] = { .name = "reassignments", .whom = KP_OF_ANY },
    [KP_Q_REGISTERED] = { .name = "registered", .whom = KP_OF_ANY },
    [KP_Q_CONTROLLERS] = { .name = "controllers", .whom = KP_OF_ANY },
    [KP_Q_GROUPS] = { .name = "groups", .whom = KP_OF_ANY },
    [KP_Q_LAG] = { .name = "lag", .whom = KP_OF_ANY, .fields = lag },
    [KP_Q_HOST] = { .name = "host", .whom = KP_OF_HOST, .fields = host },
    [KP_Q_FILE] = { .name = "file", .whom = KP_OF_HOST },
    [KP_Q_ZNODE] = { .name = "znode", .whom = KP_OF_ANY, .fields = znode },
    [KP_Q_GRANTS] = { .name = "grants", .whom = KP_OF_HOST },
    [KP_Q_PROOF] = { .name = "proof", .whom = KP_OF_HOST, .within = KP_MINUTE, .fields = proof },
    [KP_Q_RELEASE] = { .name = "release",
                       .whom = KP_OF_HOST,
                       .within = 2 * KP_MINUTE,
                       .fields = release },
    [KP_Q_CLIENTS] = { .name = "clients", .whom = KP_OF_HOST, .within = KP_MINUTE },
    [KP_A_FENCE] = { .name = "fence", .whom = KP_OF_HOST, .acts = true, .fields = fence },
    [KP_A_UNFENCE] = { .name = "unfence", .whom = KP_OF_HOST, .acts = true, .fields = fence },
    [KP_A_STOP] = { .name = "stop", .whom = KP_OF_HOST, .acts = true, .fields = by_op },
    [KP_A_START] = { .name = "start", .whom = KP_OF_HOST, .acts = true, .fields = by_op },
    [KP_A_LINK] = { .name = "link", .whom = KP_OF_HOST, .acts = true, .fields = to_release },
    [KP_A_FILE] = { .name = "write_file", .whom = KP_OF_HOST, .acts = true, .fields = file },
    [KP_A_JOB] = { .name = "job", .whom = KP_OF_HOST, .acts = true, .fields = job },
    [KP_Q_JOB] = { .name = "job_state", .whom = KP_OF_HOST, .fields = by_op },
    [KP_A_ELECT] = { .name = "elect", .whom = KP_OF_ANY, .acts = true, .fields = elect },
    [KP_A_CONFIG] = { .name = "alter_config", .whom = KP_OF_ANY, .acts = true, .fields = alter },
    [KP_A_UNREGISTER] = { .name = "unregister", .whom = KP_OF_ANY, .acts = true },
};

const kp_req_kind *kp_req_of(kp_req q)
{
    static const kp_req_kind none = { .name = "?" };
    return q < KP_REQS && kinds[q].name ? &kinds[q] : &none;
}

kp_ms kp_request_within(const kp_request *q)
{
    kp_ms usual = kp_req_of(q->kind)->within;
    return q->within > 0 ? q->within : usual ? usual : 10 * KP_SECOND;
}

static bool is_there(const kp_request *q, const kp_req_field *f)
{
    const void *at = (const char *)q + f->offset;
    switch (f->holds) {
    case KP_HOLDS_TEXT:
        return *(const char *const *)at && **(const char *const *)at;
    case KP_HOLDS_SPAN:
        return ((const kp_span *)at)->p != NULL;
    case KP_HOLDS_VALUE:
        break;
    }
    return kp_len(*(const kp_value *const *)at) > 0;
}

kp_err *kp_request_check(const kp_request *q)
{
    const kp_req_kind *k = kp_req_of(q->kind);
    for (const kp_req_field *f = k->fields; f && f->offset; f++)
        if (f->needs && !is_there(q, f))
            return kp_err_new(KP_INTERNAL, "this is a fault of kplay: please report it",
                              "%s was asked without %s", k->name, f->needs);
    return NULL;
}

static void keep(kp_arena *a, void *at, kp_held holds)
{
    switch (holds) {
    case KP_HOLDS_TEXT:
        *(const char **)at = kp_strdup(a, *(const char **)at);
        break;
    case KP_HOLDS_SPAN:
        if (((kp_span *)at)->p)
            ((kp_span *)at)->p = kp_strndup(a, ((kp_span *)at)->p, ((kp_span *)at)->n);
        break;
    case KP_HOLDS_VALUE:
        *(const kp_value **)at = kp_value_copy(a, *(const kp_value **)at);
        break;
    }
}

kp_request kp_request_keep(kp_arena *a, const kp_request *q)
{
    kp_request to = *q;
    to.op.id = kp_strdup(a, q->op.id);
    to.op.holder = kp_strdup(a, q->op.holder);
    for (const kp_req_field *f = kp_req_of(q->kind)->fields; f && f->offset; f++)
        keep(a, (char *)&to + f->offset, f->holds);
    return to;
}

void kp_world_stray(kp_world *w, kp_reply *reply)
{
    if (w->stray)
        w->stray(w->stray_ud, reply);
    else
        kp_err_drop(reply->err);
}

void kp_world_ask_all(kp_world *w, kp_arena *a, const kp_request *q, size_t n,
                      kp_reply *ret_replies)
{
    uint64_t *ticket = KP_NEW_ARRAY(a, n + 1, uint64_t);
    size_t left = n;
    kp_ms longest = 0;

    for (size_t i = 0; i < n; i++) {
        kp_ms within = kp_request_within(&q[i]);
        if (within > longest)
            longest = within;
        ret_replies[i] = (kp_reply) { 0 };
        ticket[i] = kp_send(w, a, &q[i]);
    }
    /* The world answers every request within its limit; the margin only catches a world that does
     * not. */
    kp_ms until = kp_mono(w) + longest + KP_MINUTE;
    while (left > 0) {
        kp_reply *reply = kp_wait(w, until);
        if (!reply) {
            if (kp_mono(w) < until)
                continue; /* a signal: what is asked is answered soon, and the caller looks for
                             signals */
            for (size_t i = 0; i < n; i++)
                if (ticket[i]) {
                    kp_cancel(w, ticket[i]);
                    ret_replies[i].err = kp_err_new(KP_INTERNAL, "report this",
                                                    "a request got no answer");
                }
            return;
        }
        size_t i = 0;
        while (i < n && ticket[i] != reply->ticket)
            i++;
        if (i == n) {
            kp_world_stray(w, reply);
            continue;
        }
        ret_replies[i] = *reply;
        ticket[i] = 0;
        left--;
    }
}
