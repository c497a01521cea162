/* Any bytes as a playbook: loaded with a header that can be believed, or refused in one line with a
 * place and what to do.  Its top level runs in the sandbox, with its limits of memory and work. */
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

typedef struct file {
    const char *text;
    size_t n;
} file;

static const kp_op *const verbs[] = { &kp_op_step, &kp_op_log,        &kp_op_confirm,
                                      &kp_op_now,  &kp_op_wait_until, &kp_op_play,    NULL };

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The playbook itself, and whatever it requires: the same bytes under every name. */
static kp_err *find(void *ud, kp_arena *a, kp_find what, const char *name, const char **ret_path,
                    const char **ret_text, size_t *ret_n)
{
    const file *f = ud;

    *ret_path = kp_printf(a, "%s/%s", what == KP_FIND_STDLIB ? "stdlib" : "here", name);
    *ret_text = f->text;
    *ret_n = f->n;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    KP_AUTO_ARENA a = kp_arena_new("a fuzzed playbook", (size_t)512 << 20);
    file f = { kp_strndup(a, (const char *)data, n), n };
    kp_script *s = NULL;

    kp_err *e = kp_script_host_table.load(a, "fuzzed.lua", verbs, find, &f, &s);
    if (e) {
        check(*e->what && *e->next);
        check(e->cls == KP_PLAYBOOK || e->cls == KP_USAGE);
        kp_err_drop(e);
        return 0;
    }
    const kp_header *h = kp_script_host_table.header(s);
    check(h->has[KP_PART_RUN] && h->summary && *h->summary);
    for (unsigned bit = 1; bit; bit <<= 1)
        check(!(h->effects & bit) || kp_grant_name((kp_grant)bit));
    kp_script_host_table.free(s);
    return 0;
}
