/* Long commands: started at most once, whatever happens to the link that starts them.
 *
 * A command that takes minutes (unpacking, formatting, a start script) outlives links, and a link
 * that broke while it was launched says nothing about whether it was.  So it is named before it is
 * sent (the op id), and the name is claimed on the host by `mkdir`, which succeeds once:
 *
 *     <state>/<cluster id>/op/<op id>/who    boot id, pid and start time of the one who runs it
 *                                    /out    stdout and stderr
 *                                    /rc     exit code, written aside, synced, renamed
 *
 * The claim is made by the command's own process, after it was detached: where there is a claim,
 * it has started, and a launch that was cut anywhere can be repeated without harm.  A claim with
 * rc is over.  One without rc is running, if the process in `who` is there and the host has not
 * rebooted.  Else it is stale: nobody knows how far it came, and it is never started again under
 * the same name.
 *
 * The detached process is in a session of its own, its three descriptors are files, and it gives
 * up the lock before the command runs.  The launcher waits until it has reported, which it does
 * from a subshell: a launcher that died must not take it down by SIGPIPE.
 */
#include "host/inner.h"

enum { OUTPUT_LIMIT = 64 << 10 };

void kp_script_launch(kp_script *s, const kp_host *h, const kp_host_op *op, kp_host_as as,
                      const kp_launch *l)
{
    kp_script x = KP_SCRIPT_INIT;
    kp_script_add(&x, "{\n"); /* cut short, it is a syntax error, not half a command */
    kp_script_add(&x, kp_sh_basics);
    kp_script_layout(&x, h);
    kp_script_op(&x, h, op);
    kp_script_become(&x, h, as);
    kp_script_command(&x, h, "start_command", "service", h->spec.service.start);
    kp_script_command(&x, h, "stop_command", "service", h->spec.service.stop);
    kp_script_process(&x, h);
    kp_script_add(&x, kp_sh_lock);
    kp_script_add(&x, kp_sh_claim);
    kp_script_set(&x, "label", l->label);
    kp_script_set(&x, "check", l->check);
    kp_script_set(&x, "run", l->run);
    kp_script_add(&x, kp_sh_job_detached);
    kp_script_add(&x, "}\n");
    if (x.text.overflow && !s->wrong)
        s->wrong = kp_err_new(KP_INTERNAL, "report it, with the command line",
                              "a script is too long");
    if (x.wrong && !s->wrong)
        s->wrong = x.wrong;
    else
        kp_err_drop(x.wrong);
    kp_script_set(s, "detached", kp_buf_text(&x.text));
    kp_script_add(s, kp_sh_job_launch);
    kp_buf_done(&x.text);
}

kp_ticket kp_host_job(kp_host *h, kp_arena *a, const kp_host_op *op, const char *label,
                      const char *script, kp_host_fn fn, void *ud)
{
    kp_script s = KP_SCRIPT_INIT;
    kp_launch l = { .label = kp_printf(a, "job %s", label), .check = "", .run = script };
    kp_script_launch(&s, h, op, KP_AS_FILES, &l);
    kp_script_run run = {
        .as = KP_AS_FILES,
        .deadline = op->deadline,
        .decode = kp_decode_texts,
    };
    return kp_script_go(h, a, &s, &run, fn, ud);
}

/* ---- asking after one ---- */

static kp_err *decode_poll(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    (void)h;
    int64_t rc = 0, size = 0;
    bool has_rc = kp_said_int(kp_said_get(s, "rc"), &rc);
    kp_said_int(kp_said_get(s, "size"), &size);
    *ret_v = kp_map(a, "state", kp_text(a, kp_said_get(s, "state")), "rc",
                    has_rc ? kp_int(a, rc) : NULL, "output", kp_bytes(a, s->rest, s->rest_n),
                    "output_size", kp_int(a, size), NULL);
    return NULL;
}

kp_ticket kp_host_job_poll(kp_host *h, kp_arena *a, const kp_host_op *op, int64_t since,
                           kp_host_fn fn, void *ud)
{
    kp_script s = KP_SCRIPT_INIT;
    kp_script_op(&s, h, op);
    kp_script_set_int(&s, "since", since < 0 ? 0 : since);
    kp_script_set_int(&s, "limit", OUTPUT_LIMIT);
    kp_script_add(&s, kp_sh_lock);
    kp_script_add(&s, kp_sh_job_poll);
    kp_script_run run = { .as = KP_AS_FILES, .deadline = op->deadline, .decode = decode_poll };
    return kp_script_go(h, a, &s, &run, fn, ud);
}
