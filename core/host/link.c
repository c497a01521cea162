/* The release switch: one atomic rename of a symbolic link.
 *
 * Everything slow (fetching, unpacking, checking sums) was done before, into a directory of the
 * release's own.  What is left is to point layout.current at it.  `ln -sfn` removes the old link
 * first and leaves a moment without any; a new link renamed over the old one does not.
 */
#include "host/inner.h"

static const char switch_link[] =
    "target=$releases/$before$version$after\n"
    "lock\n"
    "[ -d \"$target/libs\" ] || refuse \"$target/libs is not there: the release is not staged\"\n"
    "if [ -e \"$current\" ] && [ ! -L \"$current\" ]; then\n"
    "    refuse \"$current is no symbolic link\"\n"
    "fi\n"
    "was=$(readlink \"$current\")\n"
    "if [ \"$current/\" -ef \"$target/\" ]; then\n"
    "    say did already\n"
    "    say was \"$was\"\n"
    "    exit 0\n"
    "fi\n"
    "new=$current.kplay-$opname\n"
    "rm -f \"$new\"\n"
    "ln -s \"$target\" \"$new\" || fail \"$new can not be made\"\n"
    "act link \"$version\"\n"
    "if ! mv -T \"$new\" \"$current\"; then\n"
    "    rm -f \"$new\"\n"
    "    fail \"$current can not be replaced\"\n"
    "fi\n"
    "durable \"$(dirname \"$current\")\"\n"
    "say did done\n"
    "say was \"$was\"\n";

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
    kp_script_add(&s, switch_link);
    kp_script_run run = {
        .as = KP_AS_FILES,
        .deadline = op->deadline,
        .decode = kp_decode_texts,
    };
    return kp_script_go(h, a, &s, &run, fn, ud);
}
