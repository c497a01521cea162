/* The fence: which run may act on this host, for this cluster.
 *
 * <state>/<cluster id>/epoch holds two lines:
 *
 *     EPOCH HOLDER        or, when the holder has given the host back:   EPOCH - HOLDER
 *     SECONDS WHO         since when (UTC, this host's clock) and by whom; for people only
 *
 * The first alone is what an older kplay wrote; its holder counts like any other.  A run takes a
 * host by writing a higher epoch; it does so on every host of its run before its first effect.
 * From then on an older kplay that wakes up (a laptop out of suspend, a bastion back on the
 * network) finds another number and does nothing.  A host that another run holds is not taken,
 * unless the request names that run: whether it may is judged above, and here it is made sure that
 * it was this holder that was judged.  A number is never used twice and never goes back, also not
 * when nobody holds the host.
 *
 * The comparison is for equality, not for order, and it is made under flock in the same script
 * that acts, so there is no moment between looking and acting.  A majority of hosts would not do:
 * the host outside it still obeys the old holder.
 *
 * The lock is an empty file of its own, because the epoch file is replaced by rename.  It is
 * opened for reading, so that a user who may not write Kafka's files can hold it as well.  Effects
 * run with the lock's descriptor closed: a broker started under it would hold it for ever.
 */
#include "host/inner.h"

#include <string.h>

enum { HOLDER_LIMIT = 200 };

static kp_err *decode(kp_host *h, kp_arena *a, const kp_said *s, const kp_value **ret_v)
{
    (void)h;
    int64_t epoch = 0, was = 0;
    kp_said_int(kp_said_get(s, "epoch"), &epoch);
    kp_said_int(kp_said_get(s, "was_epoch"), &was);
    *ret_v = kp_map(a, "epoch", kp_int(a, epoch), "holder", kp_text(a, kp_said_get(s, "holder")),
                    "was_epoch", kp_int(a, was), "was_holder",
                    kp_text(a, kp_said_get(s, "was_holder")), NULL);
    return NULL;
}

static bool is_line(const char *text)
{
    size_t n = text ? strlen(text) : 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] == 0x7f)
            return false;
    /* The shell's read drops blanks at both ends; a holder must read back as it was written. */
    return n > 0 && n <= HOLDER_LIMIT && text[0] != ' ' && text[n - 1] != ' ';
}

static kp_ticket claim(kp_host *h, kp_arena *a, const kp_host_claim *c, const char *script,
                       kp_host_fn fn, void *ud)
{
    kp_script s = KP_SCRIPT_INIT;
    if (c->epoch < 1 || !is_line(c->holder) || c->holder[0] == '-')
        s.wrong = kp_err_new(KP_INTERNAL, "report it, with the command line",
                             "no such epoch or holder: %" PRId64, c->epoch);
    kp_script_cluster(&s, h, c->cluster);
    kp_script_set_int(&s, "epoch", c->epoch);
    kp_script_set(&s, "me", c->holder);
    kp_script_set(&s, "over", c->over);
    kp_script_set(&s, "who", is_line(c->who) ? c->who : "");
    kp_script_add(&s, kp_sh_lock);
    kp_script_add(&s, kp_sh_fence);
    kp_script_add(&s, script);
    kp_script_run run = { .as = KP_AS_FILES, .deadline = c->deadline, .decode = decode };
    return kp_script_go(h, a, &s, &run, fn, ud);
}

kp_ticket kp_host_fence(kp_host *h, kp_arena *a, const kp_host_claim *c, kp_host_fn fn, void *ud)
{
    return claim(h, a, c, kp_sh_fence_raise, fn, ud);
}

kp_ticket kp_host_unfence(kp_host *h, kp_arena *a, const kp_host_claim *c, kp_host_fn fn, void *ud)
{
    return claim(h, a, c, kp_sh_fence_give_back, fn, ud);
}
