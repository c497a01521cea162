/* The release switch: one atomic rename of a symbolic link.
 *
 * Everything slow (fetching, unpacking, checking sums) was done before, into a directory of the
 * release's own.  What is left is to point layout.current at it.  `ln -sfn` removes the old link
 * first and leaves a moment without any; a new link renamed over the old one does not.
 */
#include "host/inner.h"

kp_ticket kp_host_link(kp_host *h, kp_arena *a, const kp_host_op *op, const char *version,
                       kp_host_fn fn, void *ud)
{
    kp_script s = KP_SCRIPT_INIT;
    kp_version parsed;
    if (!kp_version_parse(version, &parsed))
        s.wrong = kp_err_new(KP_INTERNAL, "report it, with the command line",
                             "no such version: %s", version);
    kp_script_layout(&s, h);
    kp_script_op(&s, h, op);
    kp_script_set(&s, "version", version);
    kp_script_become(&s, h, KP_AS_FILES);
    kp_script_add(&s, kp_sh_lock);
    kp_script_add(&s, kp_sh_link);
    kp_script_run run = {
        .as = KP_AS_FILES,
        .deadline = op->deadline,
        .decode = kp_decode_texts,
    };
    return kp_script_go(h, a, &s, &run, fn, ud);
}
