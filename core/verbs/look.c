/* What several verbs look at: a node's host, and the views that single brokers have. */
#include "verbs/inner.h"

static kp_err *ask_host(kp_step *s, const kp_request *q, const kp_value **ret_state)
{
    kp_err *e = kp_ask_value(s->seen, s->a, q, ret_state);
    if (e)
        return *e->where ? e : kp_err_at(e, "%s", kp_node_word(s->a, s->seen->inv, q->node));
    return kp_fence_holds(s->r, *ret_state);
}

kp_err *kp_ask_host(kp_step *s, int node, int64_t since, const kp_value **ret_state)
{
    kp_request q = {
        .kind = KP_Q_HOST, .node = node, .host.since = since, .within = 15 * KP_SECOND
    };
    return ask_host(s, &q, ret_state);
}

kp_err *kp_ask_host_left(kp_step *s, int node, const kp_value *was, const kp_value **ret_state)
{
    kp_request q = { .kind = KP_Q_HOST,
                     .node = node,
                     .host = { .since = -1, .dirs = kp_get(was, "log_dirs") },
                     .within = 15 * KP_SECOND };
    return ask_host(s, &q, ret_state);
}

const kp_value *kp_host_remember(kp_arena *a, const kp_value *state)
{
    static const char *const keys[] = { "boot_id",          "pid",      "start_time",
                                        "running_release",  "link",     "link_release",
                                        "releases",         "dirs",     "clean_dirs",
                                        "config_sha256",    "log_size", "log_dirs",
                                        "releases_partial", NULL };
    static const char *const of_process[] = { "config", "node_id", "cluster_id", "roles", NULL };
    kp_builder b = kp_map_begin(a), process = kp_map_begin(a);
    for (size_t i = 0; keys[i]; i++)
        kp_map_add(&b, keys[i], kp_get(state, keys[i]));
    kp_map_add(&b, "restarts", kp_get(kp_get(state, "service"), "restarts"));
    for (size_t i = 0; of_process[i]; i++)
        kp_map_add(&process, of_process[i], kp_get(kp_get(state, "process"), of_process[i]));
    kp_map_add(&b, "process", kp_get(state, "process") ? kp_map_end(&process) : NULL);
    return kp_map_end(&b);
}

const kp_view *kp_one_view(kp_step *s, int node, kp_maybe_id follow)
{
    kp_seen *o = s->seen;
    kp_arena *va = o->view_a[!o->view_turn];
    kp_request q = { .kind = KP_Q_VIEW,
                     .node = node,
                     .view = { .follow = o->view ? follow : KP_NOBODY, .seen = o->view },
                     .within = 3 * KP_SECOND };
    kp_reply reply;

    kp_arena_reset(va);
    o->polls++;
    kp_err *e = kp_ask(o, va, &q, &reply);
    if (e) {
        kp_err_drop(e);
        return NULL;
    }
    return reply.view;
}

const kp_view *kp_others_view(kp_step *s, kp_maybe_id node, kp_maybe_id follow, bool *ret_alone)
{
    int ids[KP_OTHERS_MOST];
    size_t n = kp_view_sources(s->seen, node, ids, KP_COUNT(ids));
    const kp_view *v = NULL;

    *ret_alone = n == 0;
    for (size_t i = 0; i < n && !v; i++)
        v = kp_one_view(s, ids[i], follow);
    return v;
}
