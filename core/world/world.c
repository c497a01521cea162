/* The requests by name, and several of them in one round. */
#include "world/world.h"

static const char *const names[KP_REQS] = {
    [KP_Q_VIEW] = "view",     [KP_Q_NODE] = "node",         [KP_Q_QUORUM] = "quorum",
    [KP_Q_CONFIG] = "config", [KP_Q_LOG_DIRS] = "log_dirs", [KP_Q_REASSIGNMENTS] = "reassignments",
    [KP_Q_GROUPS] = "groups", [KP_Q_LAG] = "lag",           [KP_Q_HOST] = "host",
    [KP_Q_FILE] = "file",     [KP_Q_ZNODE] = "znode",       [KP_Q_GRANTS] = "grants",
    [KP_Q_PROOF] = "proof",   [KP_A_FENCE] = "fence",       [KP_A_STOP] = "stop",
    [KP_A_START] = "start",   [KP_A_LINK] = "link",         [KP_A_FILE] = "write_file",
    [KP_A_JOB] = "job",       [KP_Q_JOB] = "job_state",     [KP_A_ELECT] = "elect",
    [KP_A_CONFIG] = "alter_config",
    [KP_A_UNFENCE] = "unfence",
};

const char *kp_req_name(kp_req q)
{
    return q < KP_REQS && names[q] ? names[q] : "?";
}

kp_ms kp_req_within(kp_req q)
{
    return q == KP_Q_PROOF ? KP_MINUTE : 10 * KP_SECOND;
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
        kp_ms within = q[i].within > 0 ? q[i].within : kp_req_within(q[i].kind);
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
