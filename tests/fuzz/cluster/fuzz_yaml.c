/* Any bytes as a cluster file: a tree or an error that says where and what to do, never more.
 *
 * The reader runs alone and as a part of kp_inventory_parse.  What is accepted has to keep the
 * promises of the headers: no deeper than 32, a place for every node, the same digest when read
 * again.
 */
#include "cluster/cluster.h"

#include <stdlib.h>
#include <string.h>

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_error(kp_err *e)
{
    check(e->cls == KP_CONFIG && *e->where && *e->what && *e->next);
    kp_err_drop(e);
}

/* Every node of the tree has a place. */
static void check_places(kp_arena *a, const kp_value *v, const kp_value *where, const char *path,
                         int depth)
{
    check(depth <= KP_VALUE_DEPTH);
    check(kp_get_text(where, path, NULL) != NULL);
    for (uint32_t i = 0; i < kp_len(v); i++) {
        const char *below = kp_is(v, KP_LIST) ? kp_printf(a, "%s[%u]", path, i)
                            : *path           ? kp_printf(a, "%s.%s", path, v->keys[i])
                                              : v->keys[i];
        check_places(a, v->u.items[i], where, below, depth + (kp_len(v->u.items[i]) > 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    KP_AUTO_ARENA a = kp_arena_new("a fuzzed file", 512u << 20);
    const kp_value *v = NULL, *where = NULL;
    const kp_inventory *inv = NULL, *again = NULL;
    char *text = kp_strndup(a, (const char *)data, n);
    setenv("HOME", "/home/x", 1);
    kp_err *e = kp_yaml_read(a, "f.yaml", text, n, &v, &where);
    if (e)
        check_error(e);
    else
        check_places(a, v, where, "", 1);
    e = kp_inventory_parse(a, "f.yaml", text, n, &inv);
    if (e) {
        check(inv == NULL);
        check_error(e);
        return 0;
    }
    check(v != NULL);
    check(kp_inventory_parse(a, "f.yaml", text, n, &again) == NULL);
    check(strcmp(kp_inventory_digest(a, inv), kp_inventory_digest(a, again)) == 0);
    for (uint32_t i = 1; i < inv->n_nodes; i++)
        check(inv->nodes[i - 1].id < inv->nodes[i].id);
    return 0;
}
