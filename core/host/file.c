/* Files of a host: read whole, and replaced whole if they are still the ones that were read.
 *
 * Somebody else (Puppet, Ansible, a colleague) may write the same file, so a write names the
 * sha256 of what it replaces and is refused when the file is another by now.  The bytes travel
 * first, into a temporary file beside the target, and their own sha256 is checked there: only
 * then is the lock taken, and under it there is nothing left but comparing, a copy for the backup
 * and a rename.  A link cut at any point leaves the old file or the new one.
 */
#include "host/inner.h"

#include <string.h>

/* The sum is taken before the bytes are read; a file that changed between is read again by the
 * caller, who is told so. */
static kp_err *decode_read(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    (void)h;
    const char *sum = kp_said_get(s, "sha256");
    const char *path = kp_said_get(s, "path");
    int64_t seconds = 0;
    if (!sum) {
        *ret_v = kp_map(a, "path", kp_text(a, path), "found", kp_bool(false), NULL);
        return NULL;
    }
    if (!kp_streq(sum, kp_sha256_hex(a, s->rest, s->rest_n)))
        return kp_err_retriable(kp_err_new(KP_HOST, "read it again", "%s changed while it was read",
                                           path));
    kp_said_int(kp_said_get(s, "modified"), &seconds);
    *ret_v = kp_map(a, "path", kp_text(a, path), "found", kp_bool(true), "sha256", kp_text(a, sum),
                    "bytes", kp_bytes(a, s->rest, s->rest_n), "mode",
                    kp_text(a, kp_said_get(s, "mode")), "modified", kp_int(a, seconds * KP_SECOND),
                    NULL);
    return NULL;
}

kp_ticket kp_host_file_read(kp_host *h, kp_arena *a, const char *path, kp_ms deadline,
                            kp_host_fn fn, void *ud)
{
    kp_script s = KP_SCRIPT_INIT;
    kp_script_set(&s, "path", path);
    kp_script_set_int(&s, "limit", KP_HOST_FILE_LIMIT);
    kp_script_add(&s, kp_sh_file_read);
    kp_script_run run = { .as = KP_AS_FILES, .deadline = deadline, .decode = decode_read };
    return kp_script_go(h, a, &s, &run, fn, ud);
}

kp_ticket kp_host_file_write(kp_host *h, kp_arena *a, const kp_host_op *op, const kp_host_file *f,
                             kp_host_fn fn, void *ud)
{
    kp_script s = KP_SCRIPT_INIT;
    kp_script_op(&s, h, op);
    kp_script_set(&s, "path", f->path);
    kp_script_set(&s, "expect", f->expect);
    kp_script_set(&s, "sum", kp_sha256_hex(a, f->bytes, f->n));
    kp_script_become(&s, h, KP_AS_FILES);
    kp_script_add(&s, kp_sh_lock);
    kp_script_add(&s, kp_sh_file_write);
    kp_script_run run = {
        .as = KP_AS_FILES,
        .deadline = op->deadline,
        .input = f->bytes,
        .input_n = f->n,
        .decode = kp_decode_texts,
    };
    return kp_script_go(h, a, &s, &run, fn, ud);
}
