/* A run: made, given its playbook, and carried out part by part. */
#include "engine/run.h"

#include <stdlib.h>
#include <string.h>

#define CALL_ARENA ((size_t)512 << 20)
#define EVAL_ARENA ((size_t)256 << 20)

static kp_err *pauses(void *ud, kp_ms d)
{
    return kp_pause(ud, d);
}

kp_run *kp_run_new(kp_arena *a, const kp_run_spec *spec)
{
    kp_run *r = KP_NEW(a, kp_run);

    r->spec = spec;
    r->a = a;
    r->call = kp_arena_new("call", CALL_ARENA);
    r->eval = kp_arena_new("evaluation", EVAL_ARENA);
    r->w = spec->world;
    r->inv = spec->inventory;
    r->seen = kp_seen_new(a, r->call, r->w, r->inv);
    r->seen->simulated = spec->simulated;
    r->seen->pause = pauses;
    r->seen->ud = r;
    r->tally.began = kp_mono(r->w);
    r->signals.seen = kp_interrupts(r->w); /* what comes from now on is for this run */
    r->tally.confirmed_at = -1;
    r->tally.stops = kp_list_begin(a);
    r->tally.assumed = kp_list_begin(a);
    r->tally.irreversible = kp_list_begin(a);
    r->tally.warnings = kp_list_begin(a);
    r->tally.overridden = kp_list_begin(a);
    r->tally.accepted = kp_list_begin(a);
    return r;
}

void kp_run_done(kp_run *r)
{
    if (r->script)
        kp_script_host_table.free(r->script);
    kp_kept_put(r);
    kp_err_drop(r->over);
    kp_arena_free(r->call);
    kp_arena_free(r->eval);
    kp_seen_done(r->seen);
    if (r->lock_fd > 0)
        kp_lock_drop(r->lock_fd);
}

void kp_run_of_journal(kp_run *r, kp_journal *j)
{
    const kp_value *open = kp_journal_at(j, 1)->body;
    const char *dash;

    r->j = j;
    r->id = kp_journal_run(j);
    dash = strrchr(r->id, '-');
    r->suffix = dash ? dash + 1 : r->id;
    r->seed = strtoull(kp_get_text(open, "seed", "0"), NULL, 16);
    r->acted = kp_replay_acted(j);
    r->seen->zookeeper = kp_streq(kp_get_text(open, "mode", ""), "ZooKeeper");
    r->seen->cluster_id = kp_get_text(open, "cluster_id", "");
}

static void scope_reset(kp_run *r, kp_part part)
{
    r->depth = 0;
    r->scope[0] = (kp_scope) {
        .part = part, .prefix = kp_part_prefix(part), .step = "", .granted = r->header->effects
    };
}

kp_err *kp_run_load(kp_run *r)
{
    void *ud;
    kp_find_fn find = kp_run_find(r, &ud);

    KP_TRY(
        kp_script_host_table.load(r->a, r->spec->playbook, r->spec->verbs, find, ud, &r->script));
    r->header = kp_script_host_table.header(r->script);
    scope_reset(r, KP_PART_RUN);
    return NULL;
}

kp_err *kp_run_part(kp_run *r, kp_part p, const kp_value *args)
{
    if (!r->header->has[p])
        return NULL;
    scope_reset(r, p);
    if (p != KP_PART_RUN)
        kp_tell(r, (kp_event) { .kind = KP_E_PHASE,
                                .text = p == KP_PART_CHECK ? "checking" : "verifying" });
    kp_err *e = kp_script_host_table.call(r->script, r, p, args);
    if (e && r->over && e->cls != r->over->cls) {
        kp_err_drop(e);
        e = kp_err_copy(r->over);
    }
    /* An error that ends the run cannot be caught. */
    if (!e && r->over)
        e = kp_err_copy(r->over);
    return e;
}
