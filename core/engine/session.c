/* Sessions: a run from its first line to its last.
 *
 * First run:   load the playbook, meet the cluster, lock it, make the run directory, check, ask
 *              "go on?", run, verify, close.
 * Resumed run: open the journal, meet the same cluster again (drift is refused), replay, go on.
 * Whatever happens, the journal's last record says why nothing follows it.
 *
 * The OPENED event's value: {cluster, run, playbook, path, effects = [..], args = {..}, origin =
 * {..}, brokers, controllers, mode, releases = {id -> release}, partitions, simulated, who}
 */
#include "engine/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

static const kp_value *summary(kp_run *r, const kp_value *args, const kp_value *origin)
{
    kp_arena *a = r->a;
    int brokers = 0, controllers = 0;

    for (uint32_t i = 0; i < r->inv->n_nodes; i++) {
        brokers += kp_node_is(&r->inv->nodes[i], KP_BROKER);
        controllers += kp_node_is(&r->inv->nodes[i], KP_CONTROLLER);
    }
    return kp_map(a, "cluster", kp_text(a, r->inv->cluster), "run", kp_text(a, r->id), "playbook",
                  kp_text(a, r->header->name), "effects", kp_effects_value(a, r->header->effects),
                  "args", args, "origin", origin, "brokers", kp_int(a, brokers), "controllers",
                  kp_int(a, controllers), "mode",
                  kp_text(a, r->seen->zookeeper ? "ZooKeeper" : "KRaft"), "release",
                  kp_get(r->seen->met, "release"), "partitions", kp_int(a, r->n_parts), "simulated",
                  kp_bool(r->spec->simulated), "who", kp_text(a, r->spec->who), NULL);
}

/* ---- parts ---- */

static kp_err *go_on(kp_run *r)
{
    bool yes;

    if (!r->header->effects)
        return NULL;
    return kp_people_ask(
        r,
        &(kp_asking) {
            .kind = KP_ASK_START, .text = "Go on?", .path = KP_ASK_OF_START, .fn = "start" },
        &yes);
}

/* Exit codes 2 and 6 say that nothing was changed.  Once this run has asked for an action, in
 * whatever session, that is not so: the error is a step's that failed, and the run goes on when its
 * cause is mended. */
static kp_err *true_class(const kp_run *r, kp_err *e)
{
    int code = kp_err_exit_code(e);

    if (!r->acted || (code != 2 && code != 6))
        return e;
    if (e->cls == KP_PLAYBOOK)
        e = kp_err_next(e, "mend the playbook, then: kplay resume %s --accept-changed-playbook",
                        r->id);
    else if (!strstr(e->next, "kplay resume"))
        e = kp_err_next(e, "%s; then: kplay resume %s", e->next, r->id);
    return kp_err_class(e, KP_FAILED);
}

/* The last record of a session, and the event that goes with it.  Gives back what the caller
 * returns. */
static kp_err *finish(kp_run *r, kp_err *e, bool in_check, const kp_value **ret_report)
{
    kp_arena *a = r->a;
    kp_err *bad = NULL;
    const char *path = r->last_path;
    bool close = false;

    e = true_class(r, e);

    if (r->j) {
        /* One that only asks and has its answer is over, whatever the answer is. */
        bool asks_only = r->header && !r->header->effects && e && e->cls == KP_REFUSED;
        close = !e || in_check || r->closing || asks_only || e->cls == KP_USAGE;
        if (close)
            kp_fence_give_back(r);
        if (close)
            bad = kp_journal_append(r->j, KP_K_CLOSE, kp_now(r->w),
                                    kp_map(a, "state",
                                           kp_text(a, in_check && e ? "refused" : kp_state_of(e)),
                                           "err", kp_err_value(a, e), NULL));
        else if (e->cls == KP_PAUSED || e->cls == KP_DETACHED || e->cls == KP_SAFETY ||
                 e->cls == KP_REFUSED)
            bad = kp_journal_append(
                r->j, KP_K_PAUSE, kp_now(r->w),
                kp_map(a, "i", kp_text(a, path), "state", kp_text(a, kp_state_of(e)), "question",
                       r->people.question, "ask", r->people.ask, "err", kp_err_value(a, e), NULL));
        else
            bad = kp_journal_append(
                r->j, KP_K_ERROR, kp_now(r->w),
                kp_map(a, "i", kp_text(a, path), "err", kp_err_value(a, e), NULL));
    }
    const kp_value *rep = kp_run_report(r, e, close && !bad);
    kp_tell(r, (kp_event) { .kind = KP_E_CLOSED,
                            .value = rep,
                            .err = e,
                            .took = kp_mono(r->w) - r->tally.began });
    if (ret_report)
        *ret_report = kp_value_copy(r->a, rep);
    if (bad && !e)
        return bad;
    kp_err_drop(bad);
    return e;
}

static kp_err *carry_out(kp_run *r, const kp_value *args, const kp_value **ret_report)
{
    kp_err *e = kp_run_part(r, KP_PART_RUN, args);
    if (!e)
        e = kp_run_part(r, KP_PART_VERIFY, args);
    return finish(r, e, false, ret_report);
}

/* ---- first ---- */

/* "1124-7f3a": month, day and four hex digits: short enough to type, unique among a cluster's runs.
 */
static void name_run(kp_run *r)
{
    r->seed = kp_random_u64();
    if (r->spec->simulated && !r->spec->runs)
        r->seed = 42 + (r->spec->kept ? r->spec->kept->begun : 0); /* the same every time */
    char *date = kp_time_text(r->a, kp_now(r->w));
    r->suffix = kp_printf(r->a, "%04x", (unsigned)(r->seed & 0xffff));
    r->id = kp_printf(r->a, "%.2s%.2s-%s", date + 5, date + 8, r->suffix);
}

/* Runs in memory are one process's. */
static kp_err *lock(kp_run *r)
{
    if (!r->spec->runs)
        return NULL;
    return kp_cluster_lock(r->spec->runs, r->seen->cluster_id,
                           kp_printf(r->a, "run %s by %s", r->id, r->spec->who), &r->lock_fd);
}

static kp_err *in_the_way(const char *run, const char *playbook, const char *state)
{
    kp_err *e = kp_err_new(KP_REFUSED, "go on with it",
                           "run %s of %s is unfinished (%s): no other acts on this cluster", run,
                           playbook, state);
    return kp_err_next(e, "kplay resume %s   |   close it for good: --supersede %s", run, run);
}

static kp_err *supersede(kp_run *r, kp_journal *old)
{
    KP_TRY(kp_journal_append(old, KP_K_CLOSE, kp_now(r->w),
                             kp_map(r->a, "state", kp_text(r->a, "superseded"), "who",
                                    kp_text(r->a, r->spec->who), NULL)));
    kp_fence_give_back_of(r, old);
    return NULL;
}

/* Of runs in memory: as clear_way. */
static kp_err *clear_way_kept(kp_run *r, bool close)
{
    kp_kept *kept = r->spec->kept;
    for (size_t i = kept ? kept->n : 0; i-- > 0;) {
        kp_journal *old = kept->unfinished[i];
        const kp_record *last = kp_journal_at(old, kp_journal_n(old));
        const char *state = last->kind == KP_K_ERROR   ? "failed"
                            : last->kind == KP_K_PAUSE ? kp_get_text(last->body, "state", "paused")
                                                       : "interrupted";
        if (kp_replay_acted(old) && !kp_streq(r->spec->supersede, kp_journal_run(old)))
            return in_the_way(kp_journal_run(old),
                              kp_get_text(kp_journal_at(old, 1)->body, "playbook", ""), state);
        if (!close)
            continue;
        KP_TRY(supersede(r, old));
        kp_kept_drop(kept, i);
    }
    return NULL;
}

/* One run at a time acts on a cluster.  Unfinished ones that may be closed (they have done nothing,
 * or --supersede names them) are, when this run has passed its check: `close`. */
static kp_err *clear_way(kp_run *r, bool close)
{
    kp_run_info *info;
    size_t n;

    if (!r->spec->runs)
        return clear_way_kept(r, close);
    KP_TRY(kp_runs_list(r->a, r->spec->runs, &info, &n));
    bool found = close || !r->spec->supersede;
    for (size_t i = 0; i < n; i++)
        found = found || (!info[i].finished && kp_streq(info[i].run, r->spec->supersede));
    if (!found)
        return kp_err_new(KP_USAGE, "kplay runs lists them", "--supersede: no run %s is unfinished",
                          r->spec->supersede);
    for (size_t i = 0; i < n; i++) {
        if (info[i].finished || kp_streq(info[i].run, r->id))
            continue;
        bool named = r->spec->supersede && kp_streq(r->spec->supersede, info[i].run);
        kp_journal *old;
        if (!named && kp_streq(info[i].state, "open"))
            return kp_err_new(KP_REFUSED, "wait for it, or end it with Ctrl-C in its terminal",
                              "run %s is at work on this cluster (process %d)", info[i].run,
                              info[i].pid);
        KP_TRY(kp_journal_open(r->a, &kp_disk_real, r->spec->runs, info[i].run, &old));
        kp_err *e = NULL;
        if (kp_replay_acted(old) && !named)
            e = in_the_way(info[i].run, info[i].playbook, info[i].state);
        else if (close)
            e = supersede(r, old);
        kp_journal_free(old);
        KP_TRY(e);
    }
    return NULL;
}

static kp_err *is_alone(kp_run *r, bool *ret_alone)
{
    kp_run_info *info;
    size_t n;

    *ret_alone = !r->spec->kept || r->spec->kept->n == 0;
    if (!r->spec->runs)
        return NULL;
    KP_TRY(kp_runs_list(r->a, r->spec->runs, &info, &n));
    for (size_t i = 0; i < n; i++)
        *ret_alone = *ret_alone && info[i].finished;
    return NULL;
}

/* One that only asks can do without. */
static kp_err *take(kp_run *r)
{
    kp_err *e = r->spec->taken ? r->spec->taken(r->spec->taken_ud) : NULL;
    if (r->header->effects)
        return e;
    kp_err_drop(e);
    return NULL;
}

/* Others' unfinished runs are out of the way, and the cluster is this one's. */
static kp_err *take_place(kp_run *r)
{
    KP_TRY(clear_way(r, true));
    KP_TRY(take(r));
    return kp_record_add(
        r, KP_K_NOTE,
        kp_map(r->a, "i", kp_text(r->a, KP_NOTE_TAKEN), "m", kp_text(r->a, "taken"), NULL));
}

static kp_err *create(kp_run *r, const kp_value *args, const kp_value *origin, bool alone)
{
    kp_arena *a = r->a;
    const kp_source *sources;
    size_t n = kp_script_host_table.sources(r->script, &sources);
    const kp_value *open = kp_map(
        a, "kplay", kp_text(a, KPLAY_VERSION), "host", kp_int(a, kp_script_host_table.rev),
        "cluster", kp_text(a, r->inv->cluster), "cluster_id", kp_text(a, r->seen->cluster_id),
        "mode", kp_text(a, r->seen->zookeeper ? "ZooKeeper" : "KRaft"), "dir",
        kp_text(a, kp_working_directory(a)), "beside", alone ? NULL : kp_bool(true), "inventory",
        kp_text(a, kp_inventory_digest(a, r->inv)), "playbook", kp_text(a, r->spec->playbook),
        "args", args, "origin", origin, "effects", kp_effects_value(a, r->header->effects), "seed",
        kp_textf(a, "%016" PRIx64, r->seed), "simulated", kp_bool(r->spec->simulated), "who",
        kp_text(a, r->spec->who), NULL);
    if (!r->spec->runs) {
        open = kp_map_with(a, open, "run", kp_text(a, r->id));
        r->j = kp_journal_memory(a, kp_now(r->w), open, sources, n);
        kp_kept_began(r);
        return NULL;
    }
    return kp_journal_create(a, &kp_disk_real, r->spec->runs, r->id, kp_now(r->w), open, sources, n,
                             &r->j);
}

static kp_err *first(kp_run *r, const kp_value **ret_report)
{
    const kp_value *args, *origin;
    bool alone;

    KP_TRY(kp_run_load(r));
    if (r->spec->supersede && !r->header->effects)
        return kp_err_new(KP_USAGE, "leave --supersede out",
                          "%s only asks: it takes no run's place", r->header->name);
    KP_TRY(kp_run_args(r->a, r->header, r->inv, &r->spec->given, &args, &origin));
    args = kp_paths_whole(r->a, r->header, r->inv, args, origin);
    kp_paths_allow(r, args);
    kp_tell(r, (kp_event) { .kind = KP_E_PHASE, .text = "looking at the cluster" });
    KP_TRY(kp_meet(r));
    name_run(r);
    if (r->header->effects) { /* one that only asks may do so beside any other */
        KP_TRY(lock(r));
        KP_TRY(clear_way(r, false));
    }
    KP_TRY(is_alone(r, &alone));
    if (alone)
        KP_TRY(take(r));
    KP_TRY(create(r, args, origin, alone));
    r->keeps = true;
    KP_TRY(kp_meet_baseline(r));
    kp_tell(r, (kp_event) { .kind = KP_E_OPENED, .value = summary(r, args, origin) });

    kp_err *e = kp_run_part(r, KP_PART_CHECK, args);
    if (!e)
        e = kp_record_add(
            r, KP_K_NOTE,
            kp_map(r->a, "i", kp_text(r->a, KP_NOTE_CHECKED), "m", kp_text(r->a, "passed"), NULL));
    if (!e)
        e = go_on(r);
    if (!e && !alone && r->header->effects)
        e = take_place(r);
    if (e)
        return finish(r, e, true, ret_report);
    return carry_out(r, args, ret_report);
}

kp_err *kp_run_first(kp_arena *a, const kp_run_spec *spec, const kp_value **ret_report)
{
    kp_run *r = kp_run_new(a, spec);
    kp_err *e = first(r, ret_report);
    kp_run_done(r);
    return e;
}

/* ---- resumed ---- */

/* The playbook as the run began with it; or, when a person accepts an edit, as it is now, if it
 * still asks all that the journal has. */
static kp_err *load_again(kp_run *r, const kp_value *args, bool *ret_edited)
{
    bool changed;

    KP_TRY(kp_sources_changed(r, &changed));
    *ret_edited = changed && r->spec->accept_changed_playbook;
    if (*ret_edited)
        KP_TRY(kp_shadow_replay(r, args));
    else
        r->stored = true;
    KP_TRY(kp_run_load(r));
    kp_replay_index(r, KP_PART_RUN);
    return NULL;
}

static void tell_resumed(kp_run *r, const kp_record *last, const kp_value *args)
{
    const char *word = kp_journal_word_after(last); /* NULL: nobody's */
    kp_arena *a = r->a;

    kp_tell(r, (kp_event) { .kind = KP_E_RESUMED,
                            .value = kp_map(a, "run", kp_text(a, r->id), "cluster",
                                            kp_text(a, r->inv->cluster), "records",
                                            kp_int(a, kp_journal_n(r->j) - 1), "ended",
                                            kp_text(a, word ? word : kp_kind_name(last->kind)),
                                            "at", kp_int(a, last->t), "playbook",
                                            kp_text(a, r->spec->playbook), "args", args, NULL) });
}

/* Began beside unfinished ones, which it was to take the place of. */
static bool was_beside(const kp_run *r)
{
    return kp_get_bool(kp_journal_at(r->j, 1)->body, "beside", false);
}

/* A run whose check had not passed yet, or that had not taken the place of others, has done
 * nothing: it checks from the beginning. */
static bool had_begun(const kp_run *r)
{
    for (int64_t i = 1; i <= kp_journal_n(r->j); i++) {
        const kp_record *rec = kp_journal_at(r->j, i);
        const char *path = rec ? kp_get_text(rec->body, "i", "") : "";
        if (was_beside(r) ? kp_streq(path, KP_NOTE_TAKEN)
                          : rec && rec->kind == KP_K_ASK && kp_streq(path, KP_ASK_OF_START))
            return true;
    }
    return false;
}

static kp_err *resume(kp_run *r, kp_journal *j, const kp_value **ret_report)
{
    const kp_value *open = kp_journal_at(j, 1)->body;
    const kp_record *last = kp_journal_at(j, kp_journal_n(j));
    const kp_value *args = kp_get(open, "args") ? kp_get(open, "args") : kp_map(r->a, NULL);
    kp_run_spec *spec = kp_memdup(r->a, r->spec, sizeof *r->spec);
    bool edited;

    spec->playbook = kp_get_text(open, "playbook", "");
    r->spec = spec;
    kp_run_of_journal(r, j);
    if (last->kind == KP_K_CLOSE)
        return kp_err_new(
            KP_REFUSED, kp_printf(r->a, "begin a new one: kplay run %s", spec->playbook),
            "run %s is finished (%s)", r->id, kp_get_text(last->body, "state", "done"));
    KP_TRY(load_again(r, args, &edited));
    kp_paths_allow(r, args);
    KP_TRY(kp_meet_again(r));
    KP_TRY(lock(r));
    KP_TRY(kp_meet_baseline(r));
    if (edited)
        KP_TRY(kp_sources_keep(r));
    KP_TRY(kp_record_add(r, KP_K_SESSION,
                         kp_map(r->a, "pid", kp_int(r->a, getpid()), "who",
                                kp_text(r->a, r->spec->who), "after",
                                kp_text(r->a, kp_kind_name(last->kind)), NULL)));
    r->keeps = true;
    tell_resumed(r, last, args);
    if (r->header->effects && !had_begun(r)) {
        kp_err *e = kp_run_part(r, KP_PART_CHECK, args);
        if (!e)
            e = go_on(r);
        if (!e && was_beside(r))
            e = take_place(r);
        if (e)
            return finish(r, e, true, ret_report);
    }
    return carry_out(r, args, ret_report);
}

kp_err *kp_run_resume(kp_arena *a, const kp_run_spec *spec, kp_journal *j,
                      const kp_value **ret_report)
{
    kp_run *r = kp_run_new(a, spec);
    kp_err *e = true_class(r, resume(r, j, ret_report));
    kp_run_done(r);
    return e;
}
