/* A cluster as one process knows it: made, found in, ended. */
#include "facts/facts.h"

#define VIEW_ARENA ((size_t)1 << 30)

kp_seen *kp_seen_new(kp_arena *a, kp_arena *scratch, kp_world *w, const kp_inventory *inv)
{
    kp_seen *o = KP_NEW(a, kp_seen);

    o->w = w;
    o->inv = inv;
    o->a = a;
    o->scratch = scratch;
    o->view_a[0] = kp_arena_new("view", VIEW_ARENA);
    o->view_a[1] = kp_arena_new("view", VIEW_ARENA);
    o->n_known = inv->n_nodes;
    o->known = KP_NEW_ARRAY(a, o->n_known + 1, kp_known);
    for (size_t i = 0; i < o->n_known; i++)
        o->known[i].id = inv->nodes[i].id;
    return o;
}

void kp_seen_done(kp_seen *o)
{
    kp_arena_free(o->view_a[0]);
    kp_arena_free(o->view_a[1]);
}

kp_known *kp_known_node(kp_seen *o, int id)
{
    for (size_t i = 0; i < o->n_known; i++)
        if (o->known[i].id == id)
            return &o->known[i];
    return NULL;
}

const char *kp_release_lacks(const kp_value *state, const char *version)
{
    const kp_value *list = kp_get(state, "releases");
    const char *missing = kp_get_text(kp_get(state, "releases_partial"), version, NULL);
    for (size_t i = 0; !missing && i < kp_len(list); i++)
        if (kp_streq(kp_as_text(kp_at(list, i), ""), version))
            return NULL;
    return missing ? missing : "";
}
