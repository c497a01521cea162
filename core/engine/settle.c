/* settle: a person's word about an action in doubt, given from another process. */
#include "engine/run.h"

#include <string.h>

/* The clock here is the machine's: the run's world is not running. */
kp_err *kp_run_settle(kp_arena *a, const char *runs, const char *run, const char *op_id, bool done,
                      const char *reason, const char *who)
{
    kp_journal *j;
    const kp_record *intent = NULL, *outcome = NULL;
    kp_err *e = NULL;

    KP_TRY(kp_paused_run(a, runs, run, &j));
    for (int64_t n = 1; n <= kp_journal_n(j); n++) {
        const kp_record *rec = kp_journal_at(j, n);
        if (!kp_streq(kp_get_text(rec->body, "id", NULL), op_id))
            continue;
        if (rec->kind == KP_K_INTENT)
            intent = rec;
        if (rec->kind == KP_K_DONE)
            outcome = rec;
    }
    if (!intent)
        e = kp_err_new(KP_USAGE, "kplay journal show RUN lists the op ids",
                       "run %s has no action %s", run, op_id);
    else if (outcome)
        e = kp_err_new(KP_REFUSED, "nothing is to be settled", "%s has an outcome already", op_id);
    if (!e) {
        kp_value body = *kp_map(a, "i", kp_get(intent->body, "i"), "fn", kp_get(intent->body, "fn"),
                                "id", kp_text(a, op_id), "node", kp_get(intent->body, "node"), "ok",
                                kp_bool(done), "via", kp_text(a, "person"), "by", kp_text(a, who),
                                "reason", kp_text(a, reason), NULL);
        const kp_value *rec = &body;
        if (done) /* its answer is not known: a map, as those of verbs are, that can be read */
            rec = kp_map_with(a, rec, "r", kp_map(a, "settled", kp_bool(true), NULL));
        if (!done) /* not done: it is tried again, as another attempt */
            rec = kp_map_with(a, rec, "err",
                              kp_map(a, "class", kp_text(a, "failed"), "what",
                                     kp_textf(a, "settled as not done: %s", reason), "next",
                                     kp_text(a, "kplay resume"), NULL));
        e = kp_journal_append(j, KP_K_DONE, kp_wall_now(), rec);
        if (!e && !done)
            e = kp_journal_append(
                j, KP_K_ERROR, kp_wall_now(),
                kp_map(a, "i", kp_get(intent->body, "i"), "via", kp_text(a, "person"), NULL));
    }
    kp_journal_free(j);
    return e;
}
