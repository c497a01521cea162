/* stop_broker, start_broker, stop_controller, start_controller.
 *
 * Stopped is proven, not believed: that very process (pid and start time) is gone,
 * .kafka_cleanshutdown is in every log dir (LogManager writes it last), and the others no longer
 * list the broker.  Started is believed when the process is there, the others list it, and it is
 * that very process which they list (start_proof.c); the exit status of a start command says
 * nothing.
 */
#include "verbs/inner.h"

#include <stdio.h>
#include <string.h>

#define GONE_FOR (2 * KP_SECOND)

typedef struct service_args {
    kp_nodes nodes;
} service_args;

static const kp_arg broker_arg[] = {
    KP_ARG(service_args, nodes, "brokers", NULL, "a broker's id, or a list of ids"),
};
static const kp_arg controller_arg[] = {
    KP_ARG(service_args, nodes, "controllers", NULL, "a controller's id, or a list of ids"),
};

/* What they remember: the host as it was; of a stop also what the guard judged. */
typedef struct service_pre {
    const kp_value *host;
    const kp_value *behind; /* partitions, by kp_view_behind_keys; NULL: none */
    int64_t leaders;
} service_pre;
static const kp_keep stop_keep[] = {
    KP_KEEP(service_pre, host, KP_KEEP_VALUE),
    KP_KEEP(service_pre, behind, KP_KEEP_VALUE),
    KP_KEEP(service_pre, leaders, KP_KEEP_INT),
};
static const kp_keep start_keep[] = { KP_KEEP(service_pre, host, KP_KEEP_VALUE) };

/* The host as it was; NULL when that is not known. */
static const kp_value *host_before(const kp_step *s)
{
    const service_pre *pre = s->pre;
    return pre ? pre->host : NULL;
}

static const kp_node *node_of(const kp_step *s)
{
    return kp_inventory_node(s->seen->inv, s->node.id);
}

static kp_grant restart_grants(const kp_inventory *inv, const void *args)
{
    const service_args *a = args;
    unsigned grants = 0;
    for (size_t i = 0; i < a->nodes.n; i++) {
        const kp_node *n = kp_inventory_node(inv, a->nodes.id[i]);
        grants |= kp_node_is(n, KP_BROKER) ? KP_G_BROKER_RESTART : 0;
        grants |= kp_node_is(n, KP_CONTROLLER) ? KP_G_CONTROLLER_RESTART : 0;
    }
    return (kp_grant)grants;
}

/* ---- stop ---- */

static kp_err *stop_before(kp_step *s, const void *args, void *pre)
{
    const kp_value *state;
    const kp_view *v = NULL;
    (void)args;

    KP_TRY(kp_ask_host(s, s->node.id, -1, &state));
    const kp_value *behind = NULL;
    int64_t leaders = 0;
    if (kp_node_is(node_of(s), KP_BROKER) && kp_get_int(state, "pid", 0) != 0) {
        KP_TRY(kp_fresh_view(s->seen, KP_NOBODY, true, &v)); /* the guard's, next */
        behind = kp_view_behind_keys(s->a, v, s->node.id);
        int slot = kp_view_slot(v, s->node.id);
        leaders = slot >= 0 ? v->leads[slot] : 0;
    }
    s->host = state;
    *(service_pre *)pre = (service_pre) { .host = kp_host_remember(s->a, state),
                                          .behind = kp_len(behind) ? behind : NULL,
                                          .leaders = leaders };
    return NULL;
}

static kp_err *stop_ask(kp_step *s, const void *args)
{
    const kp_value *was = host_before(s);
    kp_request q = { .kind = KP_A_STOP,
                     .node = s->node.id,
                     .within = KP_MINUTE,
                     .stop = { .pid = kp_get_int(was, "pid", 0),
                               .start_time = kp_get_int(was, "start_time", 0) } };
    (void)args;
    kp_count_stop(s);
    kp_send_only(s, &q);
    return NULL;
}

typedef enum claim { CLAIM_UNKNOWN, CLAIM_NONE, CLAIM_RUNNING, CLAIM_DONE } claim;

/* What a command that failed has said, for a person: its exit status decides nothing.  NULL: it did
 * not fail. */
static const char *complaint(kp_step *s, const kp_value *job)
{
    int64_t rc = kp_get_int(job, "rc", 0);
    const kp_value *out = kp_get(job, "output");
    if (rc == 0)
        return NULL;
    size_t n = kp_is(out, KP_BYTES) ? out->n : 0, from;
    while (n > 0 && (unsigned char)out->u.s[n - 1] <= ' ')
        n--;
    for (from = n; from > 0 && out->u.s[from - 1] != '\n' && n - from < 300;)
        from--;
    return kp_printf(s->a, "its command ended with exit code %" PRId64 "%s%s", rc, n ? ": " : "",
                     n ? kp_printable(s->a, out->u.s + from, n - from) : "");
}

/* How far the host is with this op id.  A command leaves a claim; a service manager says what it is
 * doing.  Unknown: it was asked and did not say. */
static claim claimed(kp_step *s, const kp_value *state, const char **ret_complaint)
{
    *ret_complaint = NULL;
    const char *doing = kp_get_text(kp_get(state, "service"), "state", "");
    if (kp_streq(doing, "deactivating") || kp_streq(doing, "activating"))
        return CLAIM_RUNNING;
    kp_request q = { .kind = KP_Q_JOB, .node = s->node.id, .op.id = s->op_id };
    const kp_value *job;
    kp_err *e = kp_ask_value(s->seen, s->a, &q, &job);
    if (e) {
        kp_err_drop(e);
        return CLAIM_UNKNOWN;
    }
    *ret_complaint = complaint(s, job);
    const char *so = kp_get_text(job, "state", "none");
    return kp_streq(so, "none") ? CLAIM_NONE : kp_streq(so, "running") ? CLAIM_RUNNING : CLAIM_DONE;
}

/* A host that does not answer: an action under way stays under way, and a person is asked in the
 * end. */
static kp_verdict silent(kp_step *s, kp_err *e)
{
    s->blind = true;
    s->say = kp_printf(s->a, "the host does not answer: %s", e->what);
    kp_err_drop(e);
    return KP_UNDER_WAY;
}

static bool lists(const kp_view *v, int node)
{
    int slot = kp_view_slot(v, node);
    return slot >= 0 && v->brokers[slot].alive;
}

/* The very process that was to stop is still there: not asked yet, or on its way. */
static kp_verdict still_there(kp_step *s, const kp_value *state)
{
    const char *words;
    claim how = claimed(s, state, &words);
    if (how == CLAIM_NONE)
        return KP_NOT_YET;
    s->blind = how == CLAIM_UNKNOWN;
    s->say = s->blind ? "its host does not say whether it is being stopped"
             : words  ? kp_printf(s->a, "its process is still there, and %s", words)
                      : "shutting down";
    return KP_UNDER_WAY;
}

static kp_verdict another_runs(kp_step *s, int64_t was_pid, int64_t pid)
{
    s->why = kp_printf(s->a,
                       "process %" PRId64 " is gone, and process %" PRId64
                       " runs instead: something else started it",
                       was_pid, pid);
    s->next = "find out what restarts it (the service manager? another tool?), then: kplay resume";
    return KP_DID_FAIL;
}

static kp_verdict unclean(kp_step *s, int64_t dirs, int64_t clean)
{
    s->why = kp_printf(s->a,
                       "its process ended without a clean shutdown: clean marks in %" PRId64
                       " of %" PRId64 " log dirs",
                       clean, dirs);
    s->next = "find out what ended it; kplay resume goes on with its start (it will recover its "
              "logs)";
    return KP_DID_FAIL;
}

/* No process, and clean marks: stopped when its manager and the others say so, too. */
static kp_verdict gone(kp_step *s, const kp_value *state, bool broker)
{
    const service_pre *pre = s->pre;
    bool alone = true;
    if (kp_streq(kp_get_text(kp_get(state, "service"), "state", ""), "deactivating")) {
        s->say = "its process is gone; the service manager is not done with it";
        return KP_UNDER_WAY;
    }
    const kp_view *v = broker ? kp_others_view(s, s->node, KP_NOBODY, &alone) : NULL;
    if (!alone && (!v || lists(v, s->node.id))) {
        s->say = v ? "its process is gone; the others still list it"
                   : "its process is gone; no other broker answers";
        return KP_UNDER_WAY;
    }
    s->result = kp_map(s->a, "clean", broker ? kp_bool(true) : NULL, "leaders",
                       kp_int(s->a, pre->leaders), NULL);
    return KP_SO;
}

static kp_verdict stop_probe(kp_step *s, const void *args)
{
    const kp_value *was = host_before(s), *state;
    int64_t was_pid = kp_get_int(was, "pid", 0);
    (void)args;

    if (!s->pre)
        return KP_NOT_YET;
    if (was_pid == 0) {
        s->result = kp_map(s->a, "already", kp_bool(true), NULL);
        return KP_SO;
    }
    if (!s->intended)
        return KP_NOT_YET; /* `before` has just seen it run */
    kp_err *e = kp_ask_host_left(s, s->node.id, was, &state);
    if (e)
        return silent(s, e);
    int64_t pid = kp_get_int(state, "pid", 0), dirs = kp_get_int(state, "dirs", 0),
            clean = kp_get_int(state, "clean_dirs", 0);
    bool same = pid == was_pid &&
                kp_get_int(state, "start_time", 0) == kp_get_int(was, "start_time", 0);
    bool rebooted = !kp_streq(kp_get_text(state, "boot_id", ""), kp_get_text(was, "boot_id", ""));
    bool broker = kp_node_is(node_of(s), KP_BROKER);
    s->saw = kp_map(s->a, "pid", kp_int(s->a, pid), "clean_dirs", kp_int(s->a, clean), "dirs",
                    kp_int(s->a, dirs), NULL);

    if (same && !rebooted)
        return still_there(s, state);
    if (pid != 0)
        return another_runs(s, was_pid, pid);
    if (broker && (dirs == 0 || clean < dirs))
        return unclean(s, dirs, clean);
    return gone(s, state, broker);
}

static void stop_after(kp_step *s, const void *args)
{
    kp_known *k = kp_known_node(s->seen, s->node.id);
    const service_pre *pre = s->pre;
    const kp_value *behind = pre ? pre->behind : NULL;
    (void)args;
    if (k)
        k->stopped = true;
    /* One that was stopped already is behind everywhere for that reason: no excuse, and nothing to
     * remember. */
    if (k && !kp_get_bool(s->result, "already", false))
        k->excused = behind ? kp_value_copy(s->seen->a, behind) : NULL;
}

/* ---- start ---- */

static kp_err *start_before(kp_step *s, const void *args, void *pre)
{
    const kp_value *state;
    (void)args;
    KP_TRY(kp_ask_host(s, s->node.id, -1, &state));
    s->host = state;
    ((service_pre *)pre)->host = kp_host_remember(s->a, state);
    return NULL;
}

static kp_err *start_ask(kp_step *s, const void *args)
{
    kp_known *k = kp_known_node(s->seen, s->node.id);
    (void)args;

    if (k)
        k->restarted = kp_mono(s->seen->w);
    if (kp_node_is(node_of(s), KP_BROKER))
        s->seen->last_started = s->node;
    kp_request q = { .kind = KP_A_START, .node = s->node.id, .within = KP_MINUTE };
    kp_send_only(s, &q);
    return NULL;
}

/* Listed by another broker; for a controller: answers, and the quorum sees it fetch. */
static bool listed(kp_step *s, const kp_node *node)
{
    if (kp_node_is(node, KP_BROKER)) {
        bool alone;
        const kp_view *v = kp_others_view(s, s->node, KP_NOBODY, &alone);
        if (alone)
            v = kp_one_view(s, s->node.id, KP_NOBODY);
        return v && lists(v, s->node.id);
    }
    kp_request q[2] = { { .kind = KP_Q_NODE, .node = s->node.id, .within = 2 * KP_SECOND },
                        { .kind = KP_Q_QUORUM, .node = KP_ANY_NODE, .within = 5 * KP_SECOND } };
    kp_reply reply[2];
    kp_ask_all(s->seen, s->a, q, 2, reply);
    bool there = !reply[0].err && !reply[1].err && kp_get_int(reply[1].value, "leader", -1) >= 0;
    kp_err_drop(reply[0].err);
    kp_err_drop(reply[1].err);
    return there;
}

/* No process: not begun, under way, or come and gone. */
static kp_verdict none_runs(kp_step *s, const kp_value *state)
{
    const char *words = NULL;
    claim how = s->intended ? claimed(s, state, &words) : CLAIM_NONE;
    kp_ms now = kp_mono(s->seen->w);

    if (how == CLAIM_DONE && s->gone_since == 0)
        s->gone_since = now;
    /* The start command has ended and for a while there is no process: it came and went. */
    bool went = how == CLAIM_DONE && now - s->gone_since >= GONE_FOR;
    bool gave_up = how == CLAIM_NONE && s->asked &&
                   kp_streq(kp_get_text(kp_get(state, "service"), "state", ""), "failed");
    if (went || gave_up) {
        s->why = !went ? "the service manager gave up starting it"
                 : words
                     ? kp_printf(s->a, "it was started and its process is gone again; %s", words)
                     : "it was started and its process is gone again";
        s->next = kp_read_its_log(s, "when it is mended: kplay resume");
        s->detail = kp_log_lines(s->a, kp_get(state, "signs"));
        kp_start_is_second(s, state, true);
        return KP_DID_FAIL;
    }
    if (how == CLAIM_NONE)
        return KP_NOT_YET;
    s->blind = how == CLAIM_UNKNOWN;
    s->say = s->blind                   ? "its host does not say whether it is being started"
             : kp_life_deaths(&s->life) ? "its process has died; perhaps it is started again"
                                        : "its process is not there yet";
    return KP_UNDER_WAY;
}

static kp_verdict start_probe(kp_step *s, const void *args)
{
    const kp_node *node = node_of(s);
    const kp_value *was = host_before(s), *state;
    (void)args;

    if (!s->pre)
        return KP_NOT_YET;
    kp_err *e = kp_ask_host(s, s->node.id, kp_get_int(was, "log_size", 0), &state);
    if (e)
        return silent(s, e);
    int64_t pid = kp_get_int(state, "pid", 0);
    const kp_value *signs = kp_get(state, "signs");
    s->saw = kp_map(s->a, "pid", kp_int(s->a, pid), "start_time", kp_get(state, "start_time"),
                    "log_size", kp_get(state, "log_size"), NULL);
    kp_life_look(&s->life, state, kp_get_int(was, "restarts", -1));
    kp_start_progress(s, state, false);

    if (kp_get_bool(signs, "mis_pinned", false)) {
        s->why = "it speaks a newer inter-broker protocol than the others: its fetches are refused "
                 "(inter.broker.protocol.version is not pinned)";
        s->next = "stop it, pin inter.broker.protocol.version in its file, start it again";
        s->detail = kp_log_lines(s->a, signs);
        return KP_DID_FAIL;
    }
    if (kp_dies_again(s, &s->life, state))
        return KP_DID_FAIL;
    if (pid == 0)
        return none_runs(s, state);
    s->gone_since = 0;
    if (kp_start_is_second(s, state, false))
        return s->why ? KP_DID_FAIL : KP_UNDER_WAY;
    bool already = kp_get_int(was, "pid", 0) == pid &&
                   kp_get_int(was, "start_time", 0) == kp_get_int(state, "start_time", 0);
    if (!listed(s, node)) {
        s->life.listed_since = 0;
        s->say = kp_life_deaths(&s->life) ? "its process has died once and runs again; the others "
                                            "do not list it yet"
                                          : "its process is there; the others do not list it yet";
        return KP_UNDER_WAY;
    }
    kp_start_progress(s, state, true);
    if (!already && !kp_start_is_proved(s, node, state))
        return KP_UNDER_WAY;
    s->result = kp_map(s->a, "release", kp_get(state, "running_release"), "releases",
                       kp_get(kp_get(state, "process"), "releases"), "already",
                       already ? kp_bool(true) : NULL, NULL);
    return KP_SO;
}

static void start_after(kp_step *s, const void *args)
{
    kp_known *k = kp_known_node(s->seen, s->node.id);
    (void)args;
    if (k)
        k->stopped = false;
    if (k)
        k->log_from = kp_get_int(host_before(s), "log_size", -1);
    if (k && s->life.pid != 0)
        k->life = s->life;
    else if (k) /* of an earlier session */
        k->life = (kp_life) { .pid = kp_get_int(s->saw, "pid", 0),
                              .start_time = kp_get_int(s->saw, "start_time", 0) };
    if (k && !kp_get_bool(s->result, "already", false))
        k->restarted = kp_mono(s->seen->w);
    if (kp_node_is(node_of(s), KP_BROKER))
        s->seen->last_started = s->node;
}

static const kp_answer_field stopped_answer[] = {
    { "clean", "boolean?", "a broker: clean marks were in every log dir" },
    { "leaders", "integer?", "how many partitions it led before" },
    { "already", "boolean?", "it was down before" },
};
const kp_op kp_op_stop_broker = {
    .name = "stop_broker",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_ONCE,
    .grant = KP_G_BROKER_RESTART,
    .marks = KP_DISRUPTIVE,
    .doing = "stopping",
    .p50 = 6 * KP_SECOND,
    .p95 = 2 * KP_MINUTE,
    .doc = "Stops a broker by controlled shutdown and proves that it stopped cleanly.\n"
           "The guard judges the set first.  Proof: the process is gone, clean marks in every log "
           "dir, the others no longer\n"
           "list it.  Stopping a stopped broker succeeds and says so.  Never kills.",
    .result = "kplay.stopped",
    KP_ANSWERS(stopped_answer),
    .example = "stop_broker(2)",
    .landing = 20 * KP_SECOND,
    .stall = 6 * KP_MINUTE,
    .fan_out = "nodes",
    KP_TAKES(broker_arg, service_args),
    KP_KEEPS(stop_keep, service_pre),
    .grant_of = restart_grants,
    .before = stop_before,
    .ask = stop_ask,
    .probe = stop_probe,
    .after = stop_after,
};
static const kp_answer_field started_answer[] = {
    { "release", "string?", "what its process runs" },
    { "releases", "string[]?", "all of Kafka in its class path: more than one is a fault" },
    { "already", "boolean?", "it was up before" },
};
const kp_op kp_op_start_broker = {
    .name = "start_broker",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_ONCE,
    .grant = KP_G_BROKER_RESTART,
    .doing = "starting",
    .starts = true,
    .p50 = 12 * KP_SECOND,
    .p95 = 2 * KP_MINUTE,
    .doc = "Starts a broker's service and waits until the other brokers list it.\n"
           "The guard first looks whether the binary supports what the cluster speaks.",
    .result = "kplay.started",
    KP_ANSWERS(started_answer),
    .example = "start_broker(2)",
    .landing = 20 * KP_SECOND,
    .stall = 10 * KP_MINUTE,
    .fan_out = "nodes",
    KP_TAKES(broker_arg, service_args),
    KP_KEEPS(start_keep, service_pre),
    .grant_of = restart_grants,
    .before = start_before,
    .ask = start_ask,
    .probe = start_probe,
    .after = start_after,
};
const kp_op kp_op_stop_controller = {
    .name = "stop_controller",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_ONCE,
    .grant = KP_G_CONTROLLER_RESTART,
    .marks = KP_DISRUPTIVE,
    .doing = "stopping",
    .p50 = 2 * KP_SECOND,
    .p95 = 15 * KP_SECOND,
    .doc = "Stops a KRaft controller.  Without it a caught-up majority of the quorum must remain.",
    .result = "kplay.stopped",
    KP_ANSWERS(stopped_answer),
    .example = "stop_controller(3001)",
    .landing = 20 * KP_SECOND,
    .stall = 2 * KP_MINUTE,
    .fan_out = "nodes",
    KP_TAKES(controller_arg, service_args),
    KP_KEEPS(stop_keep, service_pre),
    .grant_of = restart_grants,
    .before = stop_before,
    .ask = stop_ask,
    .probe = stop_probe,
    .after = stop_after,
};
const kp_op kp_op_start_controller = {
    .name = "start_controller",
    .since = 1,
    .rev = 1,
    .cls = KP_OP_ONCE,
    .grant = KP_G_CONTROLLER_RESTART,
    .doing = "starting",
    .starts = true,
    .p50 = 8 * KP_SECOND,
    .p95 = KP_MINUTE,
    .doc = "Starts a KRaft controller's service and waits until it answers and the quorum has a "
           "leader.",
    .result = "kplay.started",
    KP_ANSWERS(started_answer),
    .example = "start_controller(3001)",
    .landing = 20 * KP_SECOND,
    .stall = 3 * KP_MINUTE,
    .fan_out = "nodes",
    KP_TAKES(controller_arg, service_args),
    KP_KEEPS(start_keep, service_pre),
    .grant_of = restart_grants,
    .before = start_before,
    .ask = start_ask,
    .probe = start_probe,
    .after = start_after,
};
