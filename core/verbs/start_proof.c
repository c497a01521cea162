/* What a start has brought, by what its host shows: the life of its process, how far it has got,
 * and whether the broker that the others list is that very process.
 *
 * A supervisor starts a process that dies again, for ever, and each life writes its log anew: so
 * deaths are counted, and what counts as progress are the lines that only a start that gets on
 * writes, never the growth of the log.  Another process may run as this node elsewhere (the cluster
 * file names a spare host): it is listed, and this one's registration is refused for as long as it
 * lives.  So a start is believed by the log's own word, or by the port that the process listens on.
 */
#include "verbs/inner.h"

#include <stdlib.h>
#include <string.h>

#define DEATHS_MOST 2
#define DUPLICATE_MOST (45 * KP_SECOND) /* old sessions last 9 s; Kafka itself gives up at 60 s */
#define LOG_SILENT (30 * KP_SECOND)     /* its level may hide the line that it has started */

/* ---- its life ---- */

static bool same_process(const kp_life *l, const kp_value *state)
{
    return kp_get_int(state, "pid", 0) == l->pid &&
           kp_get_int(state, "start_time", 0) == l->start_time;
}

/* It may have a child that runs the same file and is told first: a wrapper and its java. */
static bool still_there(const kp_life *l, const kp_value *state)
{
    const kp_value *pids = kp_get(state, "pids");
    for (size_t i = 0; i < kp_len(pids); i++)
        if (kp_as_int(kp_at(pids, i), 0) == l->pid)
            return true;
    return same_process(l, state);
}

void kp_life_look(kp_life *l, const kp_value *state, int64_t restarts_before)
{
    bool script = kp_get_bool(state, "script", false); /* of the start, not the node yet */

    if (l->pid != 0 && !still_there(l, state)) {
        l->deaths++;
        l->pid = 0;
    }
    if (l->pid == 0 && !script) {
        l->pid = kp_get_int(state, "pid", 0);
        l->start_time = kp_get_int(state, "start_time", 0);
    }
    /* A manager begins to count anew when it is asked for a start, sooner or later. */
    int64_t counted = kp_get_int(kp_get(state, "service"), "restarts", -1);
    if (counted < 0)
        return;
    if (!l->counts || counted < l->restarts_least)
        l->restarts_least = l->counts || restarts_before < 0 || counted < restarts_before
                                ? counted
                                : restarts_before;
    l->counts = true;
    l->restarts = counted - l->restarts_least;
}

int64_t kp_life_deaths(const kp_life *l)
{
    return l->restarts > l->deaths ? l->restarts : l->deaths;
}

char *kp_log_lines(kp_arena *a, const kp_value *signs)
{
    const kp_value *errors = kp_get(signs, "errors");
    KP_AUTO_BUF b = KP_BUF_INIT(8192);
    size_t n = kp_len(errors);
    for (size_t i = n > 6 ? n - 6 : 0; i < n; i++) {
        const char *line = kp_as_text(kp_at(errors, i), "");
        kp_buf_fmt(&b, "  log  %.200s\n", kp_printable(a, line, strlen(line)));
    }
    return kp_strdup(a, kp_buf_text(&b));
}

char *kp_read_its_log(kp_step *s, const char *then)
{
    const kp_node *node = kp_inventory_node(s->seen->inv, s->node.id);
    if (!node)
        return kp_printf(s->a, "read its log; %s", then);
    return kp_printf(s->a, "read %s on %s; %s", *node->layout.log ? node->layout.log : "its log",
                     node->host, then);
}

bool kp_dies_again(kp_step *s, const kp_life *l, const kp_value *state)
{
    int64_t deaths = kp_life_deaths(l);

    if (deaths < DEATHS_MOST)
        return false;
    s->why = kp_printf(s->a,
                       "its process has died %" PRId64
                       " times since it was started, and something starts it again",
                       deaths);
    s->next = kp_read_its_log(
        s, "stop what starts it again (its service), mend it, then: kplay resume");
    s->detail = kp_log_lines(s->a, kp_get(state, "signs"));
    return true;
}

/* ---- how far it has got ---- */

void kp_start_progress(kp_step *s, const kp_value *state, bool listed)
{
    kp_life *l = &s->life;
    int64_t at = kp_get_int(kp_get(state, "signs"), "advanced", 0);

    if (at < l->log_at) /* the log was turned */
        l->log_before += l->log_at;
    l->log_at = at;
    s->progress = (l->log_before + at) * 4 + (l->pid != 0) +
                  kp_get_bool(kp_get(state, "signs"), "started", false) + listed;
}

/* ---- whether it is the one ---- */

/* 0: not known */
static int64_t port_of(const kp_node *node)
{
    const char *address = kp_node_is(node, KP_BROKER) ? node->kafka : node->controller;
    const char *colon = strrchr(address, ':');
    return colon ? strtol(colon + 1, NULL, 10) : 0;
}

static bool listens(const kp_value *ports, int64_t port)
{
    for (size_t i = 0; i < kp_len(ports); i++)
        if (kp_as_int(kp_at(ports, i), 0) == port)
            return true;
    return false;
}

bool kp_start_is_second(kp_step *s, const kp_value *state, bool gone)
{
    const kp_value *signs = kp_get(state, "signs");
    kp_life *l = &s->life;
    kp_ms now = kp_mono(s->seen->w);

    if (!kp_get_bool(signs, "duplicate_registration", false) ||
        kp_get_bool(signs, "started", false)) {
        l->duplicate_since = 0;
        return false;
    }
    s->say = "waiting for its old session to end (broker.session.timeout.ms, 9 s): "
             "DUPLICATE_BROKER_REGISTRATION";
    if (l->duplicate_since == 0)
        l->duplicate_since = now;
    if (!gone && now - l->duplicate_since < DUPLICATE_MOST)
        return true;
    s->why = kp_printf(s->a,
                       "another process is registered as %s and goes on: its own registration is "
                       "refused (DUPLICATE_BROKER_REGISTRATION)",
                       kp_node_word(s->a, s->seen->inv, s->node.id));
    s->next = "find the host on which it runs (does the cluster file name the right one?), then: "
              "kplay resume";
    s->detail = kp_log_lines(s->a, signs);
    return true;
}

bool kp_start_is_proved(kp_step *s, const kp_node *node, const kp_value *state)
{
    const kp_value *signs = kp_get(state, "signs"),
                   *ports = kp_get(kp_get(state, "process"), "listening"), *after;
    kp_ms now = kp_mono(s->seen->w);
    int64_t port = port_of(node);

    if (s->life.listed_since == 0)
        s->life.listed_since = now;
    if (!kp_get_bool(signs, "started", false)) {
        bool told = signs && !kp_get_bool(state, "log_turned", false);
        if (ports && port && !listens(ports, port)) {
            s->say = kp_printf(
                s->a, "the others list it, and its process does not listen on port %" PRId64, port);
            return false;
        }
        if (told && now - s->life.listed_since < LOG_SILENT) {
            s->say = "the others list it; its log does not say yet that it has started";
            return false;
        }
    }
    /* The list was asked for after the look at the host: it is still the same process. */
    kp_err *e = kp_ask_host(s, s->node.id, -1, &after);
    if (e) {
        s->blind = true;
        s->say = kp_printf(s->a, "the host does not answer: %s", e->what);
        kp_err_drop(e);
        return false;
    }
    kp_life_look(&s->life, after, -1);
    if (s->life.pid != 0 && s->life.pid == kp_get_int(state, "pid", 0) &&
        s->life.start_time == kp_get_int(state, "start_time", 0))
        return true;
    s->life.listed_since = 0;
    s->say = "its process was replaced by another while it was looked at";
    return false;
}
