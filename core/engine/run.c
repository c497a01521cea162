/* A run from its first line to its last.
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

#define RUN_ARENA ((size_t)512 << 20)
#define CALL_ARENA ((size_t)512 << 20)
#define EVAL_ARENA ((size_t)256 << 20)

/* ---- making and ending ---- */

static kp_err *pauses(void *ud, kp_ms d)
{
    return kp_pause(ud, d);
}

kp_run *kp_run_new(kp_arena *a, const kp_run_spec *spec)
{
    kp_run *r = KP_NEW(a, kp_run);

    r->spec = spec;
    r->find = spec->find;
    r->find_ud = spec->find_ud;
    r->a = a;
    r->call = kp_arena_new("call", CALL_ARENA);
    r->eval = kp_arena_new("evaluation", EVAL_ARENA);
    r->w = spec->world;
    r->inv = spec->inventory;
    r->seen = kp_seen_new(a, r->call, r->w, r->inv);
    r->seen->simulated = spec->simulated;
    r->seen->pause = pauses;
    r->seen->ud = r;
    r->began = kp_mono(r->w);
    r->interrupts_seen = kp_interrupts(r->w); /* what comes from now on is for this run */
    r->confirmed_at = -1;
    r->stops = kp_list_begin(a);
    r->assumed = kp_list_begin(a);
    r->warnings = kp_list_begin(a);
    r->overridden = kp_list_begin(a);
    r->accepted = kp_list_begin(a);
    return r;
}

void kp_run_done(kp_run *r)
{
    if (r->script)
        kp_script_host_table.free(r->script);
    kp_journal_free(r->j);
    kp_err_drop(r->over);
    kp_arena_free(r->call);
    kp_arena_free(r->eval);
    kp_seen_done(r->seen);
    if (r->lock_fd > 0)
        kp_lock_drop(r->lock_fd);
}

static void scope_reset(kp_run *r, const char *prefix)
{
    r->depth = 0;
    r->scope[0] = (kp_scope) { .prefix = prefix, .step = "", .granted = r->header->effects };
}

kp_err *kp_run_load(kp_run *r)
{
    KP_TRY(kp_script_host_table.load(r->a, r->spec->playbook, r->spec->verbs, r->find, r->find_ud,
                                     &r->script));
    r->header = kp_script_host_table.header(r->script);
    scope_reset(r, "");
    return NULL;
}

/* ---- meeting the cluster ---- */

/* Goes on where a run began when none of its brokers answers: the only one may be down by our
 * hand.  Whatever acts is preceded by its own look, and hosts prove whom they run. */
static bool meet_by_journal(kp_run *r, const kp_err *e)
{
    const kp_value *open = r->j ? kp_journal_at(r->j, 1)->body : NULL;
    const char *mode = kp_get_text(open, "mode", NULL);

    if (!mode || e->cls != KP_CLUSTER || r->n_calls == 0)
        return false;
    r->seen->zookeeper = kp_streq(mode, "ZooKeeper");
    r->seen->cluster_id = kp_get_text(open, "cluster_id", "");
    r->seen->met = kp_map(r->a, NULL);
    for (size_t i = 0; i < r->seen->n_known; i++)
        r->seen->known[i].down = true;
    return true;
}

static kp_err *meet(kp_run *r)
{
    int ids[16];
    size_t n = kp_view_sources(r->seen, KP_NOBODY, ids, KP_COUNT(ids));
    kp_err *last = NULL;
    kp_reply node = { 0 };

    for (size_t i = 0; i < n; i++) {
        kp_request q = { .kind = KP_Q_NODE, .node = ids[i], .within = 5 * KP_SECOND };
        kp_err *e = kp_ask(r->seen, r->a, &q, &node);
        if (!e) {
            kp_err_drop(last);
            last = NULL;
            break;
        }
        kp_err_drop(last);
        last = e;
    }
    if (last && meet_by_journal(r, last)) {
        kp_err_drop(last);
        return NULL;
    }
    if (last)
        return last;
    if (n == 0)
        return kp_err_new(KP_CONFIG, "list the brokers in the cluster file",
                          "the cluster file has no broker");
    const char *mode = kp_get_text(node.value, "mode", "kraft");
    r->seen->zookeeper = kp_streq(mode, "zookeeper") || kp_streq(mode, "hybrid");
    r->seen->cluster_id = kp_get_text(node.value, "cluster_id", "");
    r->seen->met = node.value;

    kp_request q = { .kind = KP_Q_VIEW, .node = node.node, .with_config = true };
    kp_reply view;
    kp_arena_reset(r->seen->view_a[0]);
    KP_TRY(kp_ask(r->seen, r->seen->view_a[0], &q, &view));
    r->seen->view = view.view;
    r->seen->view_turn = 0;
    if (!*r->seen->cluster_id)
        r->seen->cluster_id = kp_strdup(r->a, r->seen->view->cluster_id);
    return NULL;
}

#define BASELINE_MOST 20000u /* under-replicated partitions: what fits a record's blob */

/* The state a run began with is what "no worse than before" is measured by, in all its sessions:
 * the ISR sizes of what was under-replicated then. */
static kp_err *take_baseline(kp_run *r)
{
    const kp_view *v = r->seen->view;
    if (v) {
        r->n_parts = v->n_parts;
        kp_view_seen(r->seen, v);
    }
    for (int64_t i = 1; i <= kp_journal_n(r->j) && !r->seen->baseline; i++) {
        const kp_record *rec = kp_journal_at(r->j, i);
        if (rec && rec->kind == KP_K_NOTE && kp_streq(kp_get_text(rec->body, "i", ""), "@baseline"))
            r->seen->baseline = kp_value_copy(r->a, kp_get(rec->body, "r"));
    }
    /* Taken once, before anything was done; what it does not list was whole. */
    if (r->seen->baseline || r->acted || !v || !r->header->effects || v->counts.urp > BASELINE_MOST)
        return NULL;
    r->seen->baseline = kp_view_short_list(r->a, v);
    return kp_record_add(r, KP_K_NOTE,
                         kp_map(r->a, "i", kp_text(r->a, "@baseline"), "m",
                                kp_text(r->a, "under-replicated when the run began"), "r",
                                r->seen->baseline, NULL));
}

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

kp_err *kp_run_part(kp_run *r, kp_part p, const kp_value *args)
{
    if (!r->header->has[p])
        return NULL;
    r->part = p;
    scope_reset(r, kp_part_prefix(p));
    kp_err *e = kp_script_host_table.call(r->script, r, p, args);
    if (e && r->over && e->cls != r->over->cls) {
        kp_err_drop(e);
        e = kp_err_copy(r->over);
    }
    /* An error that ends the run can not be caught. */
    if (!e && r->over)
        e = kp_err_copy(r->over);
    return e;
}

static kp_err *go_on(kp_run *r)
{
    bool yes;

    if (!r->header->effects)
        return NULL;
    return kp_people_ask(
        r, &(kp_asking) { .kind = KP_ASK_START, .text = "Go on?", .path = "@start", .fn = "start" },
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
    const char *path = r->last_path ? r->last_path : "";
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
            bad = kp_journal_append(r->j, KP_K_PAUSE, kp_now(r->w),
                                    kp_map(a, "i", kp_text(a, path), "state",
                                           kp_text(a, kp_state_of(e)), "question", r->question,
                                           "ask", r->ask, "err", kp_err_value(a, e), NULL));
        else
            bad = kp_journal_append(
                r->j, KP_K_ERROR, kp_now(r->w),
                kp_map(a, "i", kp_text(a, path), "err", kp_err_value(a, e), NULL));
    }
    const kp_value *rep = kp_run_report(r, e, close && !bad);
    kp_tell(r, (kp_event) {
                   .kind = KP_E_CLOSED, .value = rep, .err = e, .took = kp_mono(r->w) - r->began });
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
        r->seed = 42; /* a rehearsal is the same every time */
    char *date = kp_time_text(r->a, kp_now(r->w));
    r->suffix = kp_printf(r->a, "%04x", (unsigned)(r->seed & 0xffff));
    r->id = kp_printf(r->a, "%.2s%.2s-%s", date + 5, date + 8, r->suffix);
}

/* One run at a time acts on a cluster.  Unfinished ones that may be closed (they have done nothing,
 * or --supersede names them) are, when this run has passed its check: `close`. */
static kp_err *clear_way(kp_run *r, bool close)
{
    kp_run_info *info;
    size_t n;

    KP_TRY(kp_runs_list(r->a, r->spec->runs, &info, &n));
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
        if (kp_replay_acted(old) && !named) {
            e = kp_err_new(KP_REFUSED, "go on with it",
                           "run %s of %s is unfinished (%s): no other acts on this cluster",
                           info[i].run, info[i].playbook, info[i].state);
            e = kp_err_next(e, "kplay resume %s   |   close it for good: --supersede %s",
                            info[i].run, info[i].run);
        } else if (close) {
            e = kp_journal_append(old, KP_K_CLOSE, kp_now(r->w),
                                  kp_map(r->a, "state", kp_text(r->a, "superseded"), "who",
                                         kp_text(r->a, r->spec->who), NULL));
            if (!e)
                kp_fence_give_back_of(r, old);
        }
        kp_journal_free(old);
        KP_TRY(e);
    }
    return NULL;
}

static kp_err *create(kp_run *r, const kp_value *args)
{
    kp_arena *a = r->a;
    const kp_source *sources;
    size_t n = kp_script_host_table.sources(r->script, &sources);
    const kp_value *open = kp_map(
        a, "kplay", kp_text(a, KPLAY_VERSION), "host", kp_int(a, kp_script_host_table.rev),
        "cluster", kp_text(a, r->inv->cluster), "cluster_id", kp_text(a, r->seen->cluster_id),
        "mode", kp_text(a, r->seen->zookeeper ? "ZooKeeper" : "KRaft"), "inventory",
        kp_text(a, kp_inventory_digest(a, r->inv)), "playbook", kp_text(a, r->spec->playbook),
        "args", args, "effects", kp_effects_value(a, r->header->effects), "seed",
        kp_textf(a, "%016" PRIx64, r->seed), "simulated", kp_bool(r->spec->simulated), "who",
        kp_text(a, r->spec->who), NULL);
    if (!r->spec->runs) {
        r->j = kp_journal_memory(a, kp_now(r->w), open, sources, n);
        return NULL;
    }
    return kp_journal_create(a, &kp_disk_real, r->spec->runs, r->id, kp_now(r->w), open, sources, n,
                             &r->j);
}

static kp_err *first(kp_run *r, const kp_value **ret_report)
{
    const kp_value *args, *origin;

    KP_TRY(kp_run_load(r));
    KP_TRY(kp_run_args(r->a, r->header, r->inv, r->spec->args, &args, &origin));
    KP_TRY(meet(r));
    name_run(r);
    if (r->spec->runs && r->header->effects) { /* one that only asks may do so beside any other */
        KP_TRY(kp_cluster_lock(r->spec->runs, r->seen->cluster_id,
                               kp_printf(r->a, "run %s by %s", r->id, r->spec->who), &r->lock_fd));
        KP_TRY(clear_way(r, false));
    }
    KP_TRY(create(r, args));
    KP_TRY(take_baseline(r));
    kp_tell(r, (kp_event) { .kind = KP_E_OPENED, .value = summary(r, args, origin) });

    kp_err *e = kp_run_part(r, KP_PART_CHECK, args);
    if (!e)
        e = kp_record_add(
            r, KP_K_NOTE,
            kp_map(r->a, "i", kp_text(r->a, "@check"), "m", kp_text(r->a, "passed"), NULL));
    if (!e)
        e = go_on(r);
    if (!e && r->spec->runs && r->header->effects)
        e = clear_way(r, true);
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

kp_err *kp_run_findings(kp_arena *a, const kp_run_spec *spec, const kp_value *nodes, const char *to,
                        const kp_value **ret_list)
{
    kp_run *r = kp_run_new(a, spec);
    kp_err *e = meet(r);
    int *ids = KP_NEW_ARRAY(a, kp_len(nodes) + 1, int);
    kp_nodes some = { .id = ids, .n = kp_len(nodes), .list = true };

    for (size_t i = 0; i < some.n; i++)
        ids[i] = (int)kp_as_int(kp_at(nodes, i), -1);
    if (!e)
        e = kp_guard_list(r, a, nodes ? &some : NULL, to, NULL, ret_list);
    kp_run_done(r);
    return e;
}

/* ---- resumed ---- */

static kp_err *find_stored(void *ud, kp_arena *a, kp_find what, const char *name,
                           const char **ret_path, const char **ret_text, size_t *ret_n)
{
    const kp_run *r = ud;
    const char *key = what == KP_FIND_STDLIB ? kp_printf(a, "stdlib/%s.lua", name)
                      : what == KP_FIND_TEAM ? kp_printf(a, "team/%s.lua", name)
                                             : name;
    *ret_path = key;
    return kp_journal_source(a, r->j, key, ret_text, ret_n);
}

void kp_run_find_stored(kp_run *r)
{
    r->find = find_stored;
    r->find_ud = r;
}

static char *first_difference(kp_arena *a, const char *old, const char *now)
{
    int line = 1;
    while (*old && *old == *now) {
        line += *old == '\n';
        old++;
        now++;
    }
    while (line > 1 && old[-1] != '\n') {
        old--;
        now--;
    }
    return kp_printf(a, "  line %d was  %.*s\n  line %d is   %.*s\n", line, (int)strcspn(old, "\n"),
                     old, line, (int)strcspn(now, "\n"), now);
}

/* The playbook or a module was edited since: refused with the first difference, unless accepted -
 * and then only after the whole journal has been replayed against it without any world. */
static kp_err *check_changed(kp_run *r, const kp_value *open, bool *ret_changed)
{
    const kp_value *sources = kp_get(open, "sources");

    *ret_changed = false;
    for (uint32_t i = 0; sources && i < sources->n; i++) {
        const char *name = sources->keys[i], *path, *text = NULL, *was = NULL;
        size_t n, n_was;
        char bare[256];
        kp_find what = kp_starts_with(name, "stdlib/") ? KP_FIND_STDLIB
                       : kp_starts_with(name, "team/") ? KP_FIND_TEAM
                                                       : KP_FIND_PLAYBOOK;
        const char *tail = what == KP_FIND_PLAYBOOK ? name : strchr(name, '/') + 1;
        snprintf(bare, sizeof bare, "%.*s",
                 what == KP_FIND_PLAYBOOK ? (int)strlen(tail) : (int)(strlen(tail) - 4), tail);
        KP_TRY(r->spec->find(r->spec->find_ud, r->a, what, bare, &path, &text, &n));
        KP_TRY(kp_journal_source(r->a, r->j, name, &was, &n_was));
        if (text && was && n == n_was && memcmp(text, was, n) == 0)
            continue;
        *ret_changed = true;
        if (r->spec->accept_changed_playbook || !text)
            continue;
        kp_err *e = kp_err_new(KP_REFUSED, "undo the edit", "%s was changed since the run began",
                               name);
        e = kp_err_at(e, "%s", path);
        e = kp_err_detail(e, "%s", first_difference(r->a, was ? was : "", text));
        return kp_err_next(e,
                           "undo the edit   |   kplay resume %s --accept-changed-playbook (replays "
                           "every answer against it first)",
                           r->id);
    }
    return NULL;
}

static kp_err *drift(kp_run *r, const kp_value *open)
{
    const char *was = kp_get_text(open, "cluster_id", "");
    if (!kp_streq(was, r->seen->cluster_id)) {
        kp_err *e = kp_err_new(KP_REFUSED, "point the cluster file at the cluster the run began on",
                               "the cluster is not the one this run began on");
        return kp_err_detail(e, "  began on  %s\n  this one  %s\n", was, r->seen->cluster_id);
    }
    if (!kp_streq(kp_get_text(open, "inventory", ""), kp_inventory_digest(r->a, r->inv)))
        return kp_err_new(
            KP_REFUSED, "undo the edit, or close the run and begin a new one: --supersede",
            "the cluster file names other nodes, hosts or paths than when the run began");
    if (!kp_streq(kp_get_text(open, "kplay", ""), KPLAY_VERSION) && !r->spec->accept_new_kplay)
        return kp_err_new(KP_REFUSED, "resume with that kplay, or: kplay resume --accept-new-kplay",
                          "the run was begun by kplay %s, this is %s",
                          kp_get_text(open, "kplay", "?"), KPLAY_VERSION);
    return NULL;
}

static kp_err *resume(kp_run *r, const char *run, const kp_value **ret_report)
{
    KP_TRY(kp_journal_open(r->a, &kp_disk_real, r->spec->runs, run, &r->j));
    const kp_value *open = kp_journal_at(r->j, 1)->body;
    const kp_record *last = kp_journal_at(r->j, kp_journal_n(r->j));
    const char *word = kp_journal_word_after(last); /* NULL: nobody's */
    kp_run_spec *spec = kp_memdup(r->a, r->spec, sizeof *r->spec);

    r->id = kp_strdup(r->a, run);
    r->acted = kp_replay_acted(r->j);
    r->spec = spec;
    spec->playbook = kp_get_text(open, "playbook", "");
    if (last->kind == KP_K_CLOSE)
        return kp_err_new(KP_REFUSED,
                          kp_printf(r->a, "begin a new one: kplay run %s", spec->playbook),
                          "run %s is finished (%s)", run, kp_get_text(last->body, "state", "done"));
    const char *dash = strrchr(run, '-');
    r->suffix = dash ? dash + 1 : run;
    r->seed = strtoull(kp_get_text(open, "seed", "0"), NULL, 16);

    bool changed;
    KP_TRY(check_changed(r, open, &changed));
    if (!(changed && spec->accept_changed_playbook))
        kp_run_find_stored(r);
    const kp_value *args = kp_get(open, "args");
    if (!args)
        args = kp_map(r->a, NULL);
    KP_TRY(kp_run_load(r));
    kp_replay_index(r, KP_PART_RUN);
    if (changed && spec->accept_changed_playbook) {
        KP_TRY(kp_shadow_replay(r, args));
        kp_script_host_table.free(r->script);
        r->script = NULL;
        kp_err_drop(r->over);
        r->over = NULL;
        r->shadow = false;
        r->cursor = r->replayed = 0;
        KP_TRY(kp_run_load(r));
    }
    KP_TRY(meet(r));
    KP_TRY(drift(r, open));
    KP_TRY(kp_cluster_lock(r->spec->runs, r->seen->cluster_id,
                           kp_printf(r->a, "run %s by %s", r->id, r->spec->who), &r->lock_fd));
    KP_TRY(take_baseline(r));
    if (changed && spec->accept_changed_playbook) {
        const kp_source *sources;
        const kp_value *kept;
        size_t n = kp_script_host_table.sources(r->script, &sources);
        KP_TRY(kp_journal_keep(r->a, r->j, sources, n, &kept));
        KP_TRY(
            kp_record_add(r, KP_K_CHANGE,
                          kp_map(r->a, "who", kp_text(r->a, r->spec->who), "sources", kept, NULL)));
    }
    KP_TRY(kp_record_add(r, KP_K_SESSION,
                         kp_map(r->a, "pid", kp_int(r->a, getpid()), "who",
                                kp_text(r->a, r->spec->who), "after",
                                kp_text(r->a, kp_kind_name(last->kind)), NULL)));
    kp_tell(r, (kp_event) { .kind = KP_E_RESUMED,
                            .value = kp_map(r->a, "run", kp_text(r->a, r->id), "cluster",
                                            kp_text(r->a, r->inv->cluster), "records",
                                            kp_int(r->a, kp_journal_n(r->j) - 1), "ended",
                                            kp_text(r->a, word ? word : kp_kind_name(last->kind)),
                                            "at", kp_int(r->a, last->t), "playbook",
                                            kp_text(r->a, spec->playbook), "args", args, NULL) });
    /* A run whose check had not passed yet has done nothing: it checks from the beginning. */
    bool passed = false;
    for (int64_t i = 1; i <= kp_journal_n(r->j) && !passed; i++) {
        const kp_record *rec = kp_journal_at(r->j, i);
        passed = rec && rec->kind == KP_K_ASK &&
                 kp_streq(kp_get_text(rec->body, "i", ""), "@start");
    }
    if (!passed && r->header->effects) {
        kp_err *e = kp_run_part(r, KP_PART_CHECK, args);
        if (!e)
            e = go_on(r);
        if (e)
            return finish(r, e, true, ret_report);
    }
    return carry_out(r, args, ret_report);
}

kp_err *kp_run_resume(kp_arena *a, const kp_run_spec *spec, const char *run,
                      const kp_value **ret_report)
{
    kp_run *r = kp_run_new(a, spec);
    kp_err *e = true_class(r, resume(r, run, ret_report));
    kp_run_done(r);
    return e;
}
