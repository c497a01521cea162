/* Stop and start: asking, once and politely.
 *
 * With systemd the service manager does the work, so all that is sent is the request
 * (`--no-block`): nothing is left on the channel that could be cut.  By command, the command is a
 * detached job under the op id's claim.  Without a stop command the one process gets one SIGTERM,
 * after its start time and its command line have been compared.  Nothing here ever sends SIGKILL,
 * and nothing waits for the effect: whether the broker is gone or up is for whoever looks next.
 *
 * The process to be stopped is named by pid and start time, as it was when the caller proved that
 * it may be stopped.  If it is gone and another one runs, somebody restarted it meanwhile, and
 * the proof does not hold for that one.
 */
#include "host/inner.h"

/* Commands run as the service user; where there is none, as the owner of Kafka's files. */
static kp_host_as command_user(const kp_host *h)
{
    return *h->spec.become_service ? KP_AS_LOGIN : KP_AS_FILES;
}

static void begin(kp_script *s, const kp_host *h, const kp_host_op *op, kp_host_as as)
{
    kp_script_layout(s, h);
    kp_script_op(s, h, op);
    kp_script_become(s, h, as);
    kp_script_add(s, kp_sh_lock);
    kp_script_add(s, kp_sh_claim);
}

static void set_want(kp_script *s, int64_t pid, int64_t start_time)
{
    kp_script_set_int(s, "want", pid);
    kp_script_set_int(s, "want_start", start_time);
}

kp_ticket kp_host_stop(kp_host *h, kp_arena *a, const kp_host_op *op, int64_t pid,
                       int64_t start_time, kp_host_fn fn, void *ud)
{
    const kp_host_service *service = &h->spec.service;
    kp_script s = KP_SCRIPT_INIT;
    kp_host_as as = service->unit ? KP_AS_LOGIN : command_user(h);
    if (service->unit) {
        begin(&s, h, op, as);
        set_want(&s, pid, start_time);
        kp_script_add(&s, kp_sh_stop_unit);
    } else if (kp_len(service->stop)) {
        const char *check = kp_printf(a, "want=%" PRId64 " want_start=%" PRId64 "\n%s", pid,
                                      start_time, kp_sh_stop_check);
        kp_launch l = { .label = "stop command", .check = check, .run = "stop_command" };
        kp_script_launch(&s, h, op, as, &l);
    } else {
        begin(&s, h, op, as);
        set_want(&s, pid, start_time);
        kp_script_process(&s, h);
        kp_script_set(&s, "check", kp_sh_stop_check);
        kp_script_add(&s, kp_sh_stop_signal);
    }
    kp_script_run run = { .as = as, .deadline = op->deadline, .decode = kp_decode_texts };
    return kp_script_go(h, a, &s, &run, fn, ud);
}

kp_ticket kp_host_start(kp_host *h, kp_arena *a, const kp_host_op *op, kp_host_fn fn, void *ud)
{
    const kp_host_service *service = &h->spec.service;
    kp_script s = KP_SCRIPT_INIT;
    kp_host_as as = service->unit ? KP_AS_LOGIN : command_user(h);
    if (service->unit) {
        begin(&s, h, op, as);
        kp_script_add(&s, kp_sh_start_unit);
    } else if (kp_len(service->start)) {
        kp_launch l = { .label = "start command",
                        .check = kp_sh_start_check,
                        .run = "start_command" };
        kp_script_launch(&s, h, op, as, &l);
    } else {
        s.wrong = kp_err_new(KP_CONFIG, "set service.unit, or service.start",
                             "kplay is not told how to start Kafka here");
    }
    kp_script_run run = { .as = as, .deadline = op->deadline, .decode = kp_decode_texts };
    return kp_script_go(h, a, &s, &run, fn, ud);
}
