/* The guard before an action: what no edit of a playbook removes.
 *
 * Before anything disruptive, before a start or a switch of release, and before anything
 * irreversible the guard's rows are judged on what the cluster and the hosts say now.  Unknown is
 * unhealthy.  A row that is not met refuses with its reason and what to do; when its cause heals by
 * itself (an ISR being rejoined) and the run has already begun, it is waited for as long as there
 * is progress.  An override (--force ROW --reason TEXT) is journaled; hard rows take none.
 */
#include "engine/run.h"

#define HEAL_STALL (2 * KP_MINUTE)
#define ALSO_SHOWN 20
#define ROUND_LIMIT (512 << 20) /* of the facts of one round: a view of a million partitions */

/* The reason of the override that covers a finding; NULL: none does. */
static const char *covered(const kp_run *r, const kp_finding *f)
{
    for (size_t i = 0; i < r->spec->n_overrides; i++)
        if (!f->hard && kp_streq(r->spec->overrides[i].guard, f->row))
            return r->spec->overrides[i].reason;
    return NULL;
}

/* Whether a person has overridden the row.  It is told, and journaled with its reason, once in
 * `told`, which has a bit for each override. */
static kp_err *forced(kp_run *r, const kp_about *what, const kp_finding *f, uint64_t *told,
                      bool *ret_so)
{
    for (size_t i = 0; i < r->spec->n_overrides; i++) {
        const kp_override *o = &r->spec->overrides[i];
        if (f->hard || !kp_streq(o->guard, f->row))
            continue;
        if (!what->beforehand && !(*told & (UINT64_C(1) << (i & 63)))) {
            *told |= UINT64_C(1) << (i & 63);
            const kp_value *note = kp_map(r->a, "guard", kp_text(r->a, f->row), "reason",
                                          kp_text(r->a, o->reason), "was", kp_text(r->a, f->text),
                                          NULL);
            KP_TRY(kp_record_add(r, KP_K_NOTE,
                                 kp_map(r->call, "m", kp_text(r->call, "overridden"), "before",
                                        kp_text(r->call, what->doing), "override", note, NULL)));
            kp_list_add(&r->tally.overridden, note);
            kp_tell(r, (kp_event) { .kind = KP_E_WARN,
                                    .text = kp_printf(r->call, "overridden (%s): %s; reason: %s",
                                                      f->row, f->text, o->reason) });
        }
        *ret_so = true;
        return NULL;
    }
    *ret_so = false;
    return NULL;
}

/* What is accepted is lost all the same: told at each stop, journaled and reported. */
static kp_err *tell_accepted(kp_run *r, kp_facts *f, const kp_about *what)
{
    const char *loss = kp_accepted_loss(f, &what->c);

    if (!loss)
        return NULL;
    const kp_value *note = kp_map(r->a, "before", kp_text(r->a, what->doing), "accepted",
                                  kp_text(r->a, loss), NULL);
    kp_list_add(&r->tally.accepted, note);
    kp_tell(r, (kp_event) { .kind = KP_E_WARN,
                            .text = kp_printf(r->call, "accepted, %s: %s", what->doing, loss) });
    return kp_record_add(r, KP_K_NOTE,
                         kp_map(r->call, "m", kp_text(r->call, "accepted"), "before",
                                kp_text(r->call, what->doing), "accepted", kp_text(r->call, loss),
                                NULL));
}

static kp_err *refusal(const char *doing, const kp_findings *fs)
{
    const kp_finding *f = &fs->f[0];
    KP_AUTO_BUF detail = KP_BUF_INIT(128 * 1024);

    kp_buf_str(&detail, f->detail);
    for (size_t i = 1; i < fs->n && i <= ALSO_SHOWN; i++)
        kp_buf_fmt(&detail, "also  %s\n%s", fs->f[i].text, fs->f[i].detail);
    if (fs->n > ALSO_SHOWN + 1)
        kp_buf_fmt(&detail, "and %zu more\n", fs->n - ALSO_SHOWN - 1);
    kp_buf_fmt(&detail, "guard %s%s\n", f->row, f->hard ? " (takes no override)" : "");
    kp_err *e = kp_err_new(KP_SAFETY, f->next, "refused before %s: %s", doing, f->text);
    return kp_err_detail(e, "%s", kp_buf_text(&detail));
}

/* No host runs another node than the inventory says, and for none that runs nothing somebody
 * answers elsewhere; *ret_idle: some run nothing. */
static void judge_hosts(kp_run *r, const kp_reply *state, bool again, kp_findings *fs,
                        bool *ret_idle)
{
    kp_facts *f = kp_facts_begin(r->seen, r->call, NULL, 0, NULL);

    *ret_idle = false;
    for (uint32_t i = 0; i < r->inv->n_nodes; i++) {
        f->nodes[i].in_scope = kp_get_int(state[i].value, "pid", 0) == 0;
        if (!f->nodes[i].in_scope || !again)
            kp_facts_host(f, r->inv->nodes[i].id, state[i].value);
        *ret_idle = *ret_idle || f->nodes[i].in_scope;
    }
    if (*ret_idle) /* somebody else may answer for it */
        kp_facts_need(f, KP_F_SAID | (again ? KP_F_HOST : 0));
    for (uint32_t i = 0; i < r->inv->n_nodes; i++)
        kp_judge_process(f, &f->nodes[i], fs);
}

kp_err *kp_guard_hosts(kp_run *r, const kp_reply *state)
{
    kp_findings fs = { .a = r->call, .row = &kp_guard_rows[0] };
    bool idle;

    judge_hosts(r, state, false, &fs, &idle);
    if (fs.n > 0 && idle) { /* it may have come up between the two questions: both at once */
        fs.n = 0;
        judge_hosts(r, state, true, &fs, &idle);
    }
    if (fs.n == 0)
        return NULL;
    return kp_run_end(r, refusal("the first action", &fs));
}

kp_err *kp_guard(kp_run *r, kp_guard_when when, const kp_about *what, bool *ret_waited)
{
    int64_t measure = INT64_MAX;
    uint64_t told = 0;
    kp_ms moved = kp_mono(r->w);
    kp_guard_case c = what->c;

    for (;;) {
        KP_AUTO_ARENA a = kp_arena_new("guard", ROUND_LIMIT);
        r->seen->pace.cost_us = 0;
        kp_findings all = { .a = a }, fs = { .a = a };
        kp_facts *f = kp_guard_judge(r->seen, when, &c, &all);
        if (r->over)
            return kp_err_copy(r->over);

        bool heals = true;
        int64_t sum = 0;
        for (size_t i = 0; i < all.n; i++) {
            bool so;
            if (all.f[i].warns)
                continue;
            KP_TRY(forced(r, what, &all.f[i], &told, &so));
            if (so)
                continue;
            heals = heals && all.f[i].heals;
            sum += all.f[i].measure;
            all.f[fs.n++] = all.f[i];
        }
        fs.f = all.f; /* what is left of them, in their order */
        bool now = when == KP_BEFORE_DISRUPTIVE && !what->beforehand;
        if (fs.n == 0)
            return now ? tell_accepted(r, f, what) : NULL;
        if (sum < measure) {
            measure = sum;
            moved = kp_mono(r->w);
        }
        if (!heals || !r->acted || kp_mono(r->w) - moved > HEAL_STALL)
            return kp_run_end(r, refusal(what->doing, &fs));
        kp_tell(r, (kp_event) { .kind = KP_E_HELD,
                                .text = kp_printf(a, "before %s: %s", what->doing, fs.f[0].text),
                                .took = kp_mono(r->w) - moved });
        *ret_waited = true;
        c.state = NULL; /* what was just read is old from now on */
        kp_ms pause = kp_pace_pause(&r->seen->pace, KP_POLL_SHARE);
        KP_TRY(kp_pause(r, pause > 5 * KP_POLL_MS ? pause : 5 * KP_POLL_MS));
    }
}

/* ---- findings ---- */

static const kp_value *finding_value(kp_arena *a, const kp_run *r, const kp_finding *f)
{
    const char *reason = covered(r, f);
    return kp_map(a, "row", kp_text(a, f->row), "node", f->node.is ? kp_int(a, f->node.id) : NULL,
                  "who", f->node.is ? kp_text(a, kp_node_word(a, r->inv, f->node.id)) : NULL,
                  "text", kp_text(a, f->text), "detail", *f->detail ? kp_text(a, f->detail) : NULL,
                  "next", kp_text(a, f->next), "hard", f->hard ? kp_bool(true) : NULL, "severity",
                  kp_text(a, f->warns ? "warn" : "refuse"), "covered",
                  reason ? kp_text(a, reason) : NULL, NULL);
}

kp_err *kp_guard_list(kp_run *r, kp_arena *a, const kp_nodes *nodes, const char *version,
                      const kp_value *rows, const kp_value **ret_list)
{
    kp_findings fs = { .a = a };
    kp_builder b = kp_list_begin(a);
    kp_nodes all = { .n = r->inv->n_nodes };

    if (!nodes) {
        int *ids = KP_NEW_ARRAY(a, all.n + 1, int);
        for (size_t i = 0; i < all.n; i++)
            ids[i] = r->inv->nodes[i].id;
        all.id = ids;
        nodes = &all;
    }
    kp_err *e = kp_guard_ahead(r->seen, a, nodes->id, nodes->n, version, rows, &fs);
    if (r->over) { /* a person wants it to pause */
        kp_err_drop(e);
        return kp_err_copy(r->over);
    }
    if (e)
        return e;
    for (size_t i = 0; i < fs.n; i++)
        kp_list_add(&b, finding_value(a, r, &fs.f[i]));
    *ret_list = kp_list_end(&b);
    return NULL;
}
