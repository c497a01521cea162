/* The screen: a run's events as lines.
 *
 * A node's line grows while it is worked on and is printed once, when the node is done: stop,
 * switch, start and sync times on one line.  On a terminal the live line below says what is waited
 * for, since when and about how long; it is redrawn at most four times a second and never kept.
 */
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/asking.h"
#include "report/closing.h"

#define TOLD_AGAIN 30000 /* ms: in plain lines */
#define REDRAW 250       /* ms, of this machine's clock: a person's eye, not the world's time */

typedef struct screen {
    kp_screen_spec spec;
    kp_arena *line_a; /* one event's */
    char step[128];
    kp_buf done;    /* "stop 9 s, start 21 s" of the open step */
    bool waits;     /* a wait is being told */
    bool held;      /* the guard's waiting was said */
    int staged;     /* hosts proved so far in this step */
    bool step_open; /* something of the step was done, its line is not printed yet */
    bool skipped;   /* its node is left alone, which was told */
    bool slept;     /* it waited for something, or for time to pass */
    bool live;      /* a live line is on the screen */
    bool replaying;
    int64_t replayed;
    kp_ms drawn;
    kp_ms step_began;
    int64_t at, of;    /* the open step: the 4th of 6 nodes; 0: it is not one of several */
    int64_t first_at;  /* the first of them that this process has seen begin, ... */
    kp_ms first_began; /* ... and when */
    char *held_text;   /* of the last KP_E_HELD that was told as JSON */
} screen;

static const char *prefix(const screen *s)
{
    return s->spec.simulated ? "sim  " : "";
}

static void clear_live(screen *s)
{
    if (s->live)
        fputs("\r\033[K", stdout);
    s->live = false;
}

static void say_as(screen *s, kp_style style, const char *text)
{
    clear_live(s);
    kp_out_styled(style, "%s%s", prefix(s), text);
    fflush(stdout);
}

static void say(screen *s, const char *text)
{
    say_as(s, KP_PLAIN, text);
}

/* ---- the open step's line ---- */

static const char *short_verb(const char *verb)
{
    static const struct {
        const char *verb, *word;
    } words[] = {
        { "stop_broker", "stop" },      { "stop_controller", "stop" },
        { "start_broker", "start" },    { "start_controller", "start" },
        { "wait_in_sync", "in sync" },  { "switch_release", "switch" },
        { "set_ibp", "pin" },           { "elect_preferred", "election" },
        { "set_properties", "config" },
    };
    for (size_t i = 0; i < KP_COUNT(words); i++)
        if (kp_streq(words[i].verb, verb))
            return words[i].word;
    return verb;
}

/* A step in which time passed is told although nothing was done: a soak is what it is for. */
static void end_step(screen *s, kp_ms now)
{
    kp_ms took = now - s->step_began;
    if (s->step_open || (*s->step && !s->skipped && took >= KP_SECOND)) {
        char *line = kp_printf(s->line_a, "  %-26s %9s   %s", *s->step ? s->step : "(no step)",
                               kp_duration_text(s->line_a, took, true),
                               s->step_open ? kp_buf_text(&s->done)
                               : s->slept   ? "waited"
                                            : "asked");
        say(s, line);
    }
    kp_buf_clear(&s->done);
    s->staged = 0;
    s->step_open = s->skipped = s->slept = false;
}

static void add_done(screen *s, const kp_event *e)
{
    const char *word = short_verb(e->verb);
    if (kp_streq(e->verb, "wait_until") || kp_streq(e->verb, "sleep")) {
        s->slept = true;
        return;
    }
    if (kp_streq(e->verb, "stage_release")) { /* one word for all hosts */
        s->staged++;
        kp_buf_clear(&s->done);
        kp_buf_fmt(&s->done, "staged on %d host%s", s->staged, s->staged == 1 ? "" : "s");
        s->step_open = true;
        return;
    }
    kp_buf_fmt(&s->done, "%s%s", s->done.n ? ", " : "", word);
    if (kp_get_bool(e->value, "already", false))
        kp_buf_str(&s->done, " (already)");
    else if (e->took >= 0)
        kp_buf_fmt(&s->done, " %s", kp_duration_text(s->line_a, e->took, true));
    if (kp_get(e->value, "moved"))
        kp_buf_fmt(&s->done, " (%" PRId64 " leaders)", kp_get_int(e->value, "moved", 0));
    s->step_open = true;
}

/* ---- the live line ---- */

/* Within the terminal's width as it is now: a line that wraps could not be drawn over. */
static void draw(screen *s, const char *text)
{
    static const char pause[] = "   ^C pauses here, nothing is lost";
    const char *line = kp_printable(s->line_a, text, strlen(text));
    size_t columns = kp_out_columns(), most = columns > 1 ? columns - 1 : 1;
    const char *whole = kp_printf(s->line_a, "%s%s", line, pause);
    if (!whole[kp_out_cut(whole, most)])
        line = whole;
    fputs("\r\033[K", stdout);
    fwrite(line, 1, kp_out_cut(line, most), stdout);
    fflush(stdout);
    s->live = true;
}

/* "; node 4 of 6, about 9 min left": by how long those before it took.  left: of the action. */
static const char *in_all(screen *s, kp_ms now, kp_ms left)
{
    kp_arena *a = s->line_a;
    int64_t done = s->at - s->first_at;
    if (s->of <= 1)
        return "";
    if (done <= 0)
        return kp_printf(a, "; node %" PRId64 " of %" PRId64, s->at, s->of);
    kp_ms each = (s->step_began - s->first_began) / done, of_this = each - (now - s->step_began);
    of_this = of_this > left ? of_this : left;
    kp_ms all = (s->of - s->at) * each + (of_this > 0 ? of_this : 0);
    return kp_printf(a, "; node %" PRId64 " of %" PRId64 ", about %s left", s->at, s->of,
                     kp_duration_text(a, all, false));
}

static void live(screen *s, const kp_event *e)
{
    kp_ms now = kp_mono_now();
    if (s->drawn == 0 || !s->waits)
        s->drawn = s->spec.terminal ? s->drawn : now;
    s->waits = true;
    if (now - s->drawn < (s->spec.terminal ? REDRAW : TOLD_AGAIN))
        return;
    s->drawn = now;
    kp_arena *a = s->line_a;
    if (!s->spec.terminal) { /* a long wait is told now and then */
        say(s, kp_printf(a, "  %s%s%s, %s so far", s->step, *s->step ? ": " : "",
                         e->text && *e->text ? e->text
                         : e->verb           ? short_verb(e->verb)
                                             : "waiting",
                         kp_duration_text(a, e->took, false)));
        return;
    }
    int64_t eta = kp_get_int(kp_get(e->value, "eta"), "p50", -1);
    const char *about = "";
    if (eta > e->took)
        about = kp_printf(a, ", about %s left", kp_duration_text(a, eta - e->took, false));
    draw(s, kp_printf(a, "> %s%s%s %s  %s so far%s%s", prefix(s), s->step, *s->step ? " " : "",
                      e->text && *e->text ? e->text
                      : e->verb           ? short_verb(e->verb)
                                          : "",
                      kp_duration_text(a, e->took, false), about, in_all(s, e->t, eta - e->took)));
}

/* ---- opening lines ---- */

static void opened(screen *s, const kp_value *v)
{
    kp_arena *a = s->line_a;
    int64_t controllers = kp_get_int(v, "controllers", 0);
    KP_AUTO_BUF b = KP_BUF_INIT(4096);

    kp_buf_fmt(&b, "%s  %" PRId64 " broker%s", kp_get_text(v, "cluster", "?"),
               kp_get_int(v, "brokers", 0), kp_get_int(v, "brokers", 0) == 1 ? "" : "s");
    if (controllers)
        kp_buf_fmt(&b, ", %" PRId64 " controller%s", controllers, controllers == 1 ? "" : "s");
    kp_buf_fmt(&b, ", %s %s, %s partitions", kp_get_text(v, "mode", "?"),
               kp_get_text(v, "release", "?"), kp_count_text(a, kp_get_int(v, "partitions", 0)));
    const char *to = kp_get_text(kp_get(v, "args"), "to", NULL);
    if (to)
        kp_buf_fmt(&b, " -> %s", to);
    kp_buf_fmt(&b, "   run %s", kp_get_text(v, "run", "?"));
    say(s, kp_buf_text(&b));

    kp_buf_clear(&b);
    const kp_value *effects = kp_get(v, "effects");
    for (size_t i = 0; i < kp_len(effects); i++)
        kp_buf_fmt(&b, "%s%s", i ? "  " : "may do    ", kp_as_text(kp_at(effects, i), "?"));
    say(s, b.n ? kp_buf_text(&b) : "may do    nothing: it only asks");

    kp_buf_clear(&b);
    kp_buf_fmt(&b, "playbook  %s", kp_get_text(v, "playbook", "?"));
    const kp_value *args = kp_get(v, "args"), *origin = kp_get(v, "origin");
    for (uint32_t i = 0; i < kp_len(args); i++) {
        const kp_value *one = args->u.items[i];
        const char *from = kp_get_text(origin, args->keys[i], "");
        if ((one->type == KP_LIST && one->n == 0) || kp_streq(from, "default"))
            continue;
        kp_buf_fmt(&b, "; %s %s", args->keys[i],
                   one->type == KP_BYTES ? one->u.s : kp_json_text(a, one));
        if (!kp_starts_with(from, "--"))
            kp_buf_fmt(&b, " from %s", from);
    }
    say(s, kp_buf_text(&b));
}

static void resumed(screen *s, const kp_value *v, kp_ms now)
{
    kp_arena *a = s->line_a;
    kp_ms ago = now - kp_get_int(v, "at", now);
    const char *ended = kp_get_text(v, "ended", "");
    const char *how = kp_streq(ended, "pause")   ? "paused"
                      : kp_streq(ended, "error") ? "failed"
                      : kp_streq(ended, "approved") || kp_streq(ended, "settled") ? ended
                                                 : "ended without a word";
    say(s,
        kp_printf(a, "%s   %s %s ago: %" PRId64 " records, chain whole", kp_get_text(v, "run", "?"),
                  how, kp_duration_text(a, ago < 0 ? 0 : ago, false), kp_get_int(v, "records", 0)));
    s->replaying = true;
}

/* ---- events ---- */

static const char *hinted(screen *s, const kp_value *about, const char *text)
{
    return s->spec.hint ? s->spec.hint(s->line_a, about, text) : text;
}

/* With its next step completed, and its exit code. */
static const kp_value *ended(screen *s, const kp_err *e)
{
    kp_arena *a = s->line_a;
    const kp_value *v = kp_map_with(a, kp_err_value(a, e), "next",
                                    kp_text(a, hinted(s, NULL, e->next)));
    return kp_map_with(a, v, "exit", kp_int(a, kp_err_exit_code(e)));
}

static void as_json(screen *s, const kp_event *e)
{
    if (e->kind == KP_E_PROGRESS || e->kind == KP_E_PHASE ||
        (e->kind == KP_E_HELD && kp_streq(e->text, s->held_text)))
        return;
    if (e->kind == KP_E_HELD || e->kind == KP_E_BEGIN) {
        free(s->held_text);
        s->held_text = e->kind == KP_E_HELD ? strdup(e->text) : NULL;
    }
    kp_arena *a = s->line_a;
    const kp_value *v = kp_map(
        a, "event", kp_text(a, kp_event_name(e->kind)), "t", kp_text(a, kp_time_text(a, e->t)),
        "path", e->path && *e->path ? kp_text(a, e->path) : NULL, "step",
        e->step && *e->step ? kp_text(a, e->step) : NULL, "verb", kp_text(a, e->verb), "text",
        kp_text(a, e->text), "node", e->node.is ? kp_int(a, e->node.id) : NULL, "took_ms",
        e->kind == KP_E_DONE ? kp_int(a, e->took) : NULL, "value", e->value, "error",
        e->err ? ended(s, e->err) : NULL, "replayed", e->replayed ? kp_bool(true) : NULL,
        "simulated", s->spec.simulated ? kp_bool(true) : NULL, NULL);
    puts(kp_json_text(a, v));
    fflush(stdout);
}

static void open_step(screen *s, const kp_event *e)
{
    snprintf(s->step, sizeof s->step, "%s", e->text);
    s->step_began = e->t;
    s->at = kp_get_int(e->value, "at", 0);
    s->of = kp_get_int(e->value, "of", 0);
}

static void end_replay(screen *s)
{
    if (!s->replaying)
        return;
    s->replaying = false;
    if (s->replayed)
        say(s, kp_printf(s->line_a, "replayed  %" PRId64 " answers, all equal", s->replayed));
}

static void begin_step(screen *s, const kp_event *e)
{
    end_replay(s);
    end_step(s, e->t);
    open_step(s, e);
    if (s->of && !s->first_at) {
        s->first_at = s->at;
        s->first_began = e->t;
    }
}

/* What is replayed is counted, not told again; the step it reaches is the open one. */
static void add_replayed(screen *s, const kp_event *e)
{
    s->replayed++;
    if (e->kind == KP_E_STEP)
        open_step(s, e);
    kp_buf_clear(&s->done);
    s->step_began = e->t;
}

static void note(screen *s, const kp_event *e)
{
    end_replay(s);
    if (s->step_open)
        end_step(s, e->t);
    s->skipped = s->skipped || e->node.is;
    say(s, kp_printf(s->line_a, "  %s", e->text));
}

static void doubt(screen *s, const kp_event *e)
{
    const kp_value *saw = kp_get(e->value, "saw");

    clear_live(s);
    say(s, kp_printf(s->line_a, "in doubt  %s(%s)%s%s -> %s", e->verb,
                     e->node.is ? kp_printf(s->line_a, "%d", e->node.id) : "",
                     e->value ? "  saw " : "",
                     e->value ? kp_json_text(s->line_a, saw ? saw : kp_nil()) : "",
                     kp_get_text(e->value, "so", "?")));
}

static void held(screen *s, const kp_event *e)
{
    if (!s->held)
        say_as(s, KP_CARE, kp_printf(s->line_a, "  waiting   %s", e->text));
    s->held = true;
    live(s, e);
}

/* A finding that refuses is told as one. */
static void warn(screen *s, const kp_event *e)
{
    bool refuses = kp_streq(kp_get_text(e->value, "severity", ""), "refuse") &&
                   !kp_get(e->value, "covered");

    say_as(s, refuses ? KP_BAD : KP_CARE,
           kp_printf(s->line_a, "%-9s %s", refuses ? "refused" : "warning", e->text));
}

static void tell(screen *s, const kp_event *e)
{
    switch (e->kind) {
    case KP_E_OPENED:
        opened(s, e->value);
        break;
    case KP_E_RESUMED:
        resumed(s, e->value, e->t);
        break;
    case KP_E_STEP:
        begin_step(s, e);
        break;
    case KP_E_BEGIN:
        end_replay(s);
        s->held = s->waits = false;
        break;
    case KP_E_PROGRESS:
        live(s, e);
        break;
    case KP_E_DONE:
        end_replay(s);
        if (!e->err)
            add_done(s, e);
        break;
    case KP_E_NOTE:
        note(s, e);
        break;
    case KP_E_WARN:
        warn(s, e);
        break;
    case KP_E_DOUBT:
        doubt(s, e);
        break;
    case KP_E_HELD:
        held(s, e);
        break;
    case KP_E_PHASE:
        end_step(s, e->t);
        *s->step = 0;
        if (s->spec.terminal)
            draw(s, kp_printf(s->line_a, "> %s%s ...", prefix(s), e->text));
        break;
    case KP_E_CLOSED:
        end_step(s, e->t);
        clear_live(s);
        kp_closing_lines(s->line_a, e, &s->spec, prefix(s));
        break;
    }
}

static void on_event(void *ud, const kp_event *e)
{
    screen *s = ud;

    kp_arena_reset(s->line_a);
    kp_out_stamp(s->spec.terminal || s->spec.json ? KP_NEVER : e->t);
    if (e->kind == KP_E_OPENED || e->kind == KP_E_RESUMED || e->kind == KP_E_CLOSED)
        (void)hinted(s, e->value, ""); /* which run it is, and whether it can be resumed */
    if (e->kind == KP_E_OPENED)
        s->step_began = e->t; /* of what a playbook does before its first step */
    if (s->spec.json)
        as_json(s, e);
    else if (e->replayed)
        add_replayed(s, e);
    else
        tell(s, e);
}

/* --yes starts a run and answers what a playbook asks; what to do with a node that failed, and what
 * cannot be taken back, needs somebody here. */
static kp_answer on_ask(void *ud, const kp_question *q, const char **ret_by)
{
    screen *s = ud;

    *ret_by = s->spec.who;
    if (s->spec.yes && (q->kind == KP_ASK_START || q->kind == KP_ASK_CONFIRM))
        return KP_ANSWER_YES;
    if (!s->spec.world || s->spec.json)
        return KP_ANSWER_NOBODY;
    clear_live(s);
    return kp_terminal_ask(s->spec.world, prefix(s), q);
}

kp_sink kp_screen(kp_arena *a, const kp_screen_spec *spec)
{
    screen *s = KP_NEW(a, screen);
    s->spec = *spec;
    s->line_a = kp_arena_new("screen", (size_t)64 << 20);
    s->done = KP_BUF_INIT(4096);
    return (kp_sink) { .event = on_event, .ask = on_ask, .ud = s };
}

void kp_screen_done(kp_sink sink)
{
    screen *s = sink.ud;
    kp_out_stamp(KP_NEVER);
    free(s->held_text);
    kp_arena_free(s->line_a);
    kp_buf_done(&s->done);
}

void kp_screen_error(const kp_err *e, bool json)
{
    KP_AUTO_ARENA a = kp_arena_new("error", (size_t)4 << 20);
    fflush(stdout);
    if (json) {
        const kp_value *v = kp_map(a, "error", kp_err_value(a, e), "exit",
                                   kp_int(a, kp_err_exit_code(e)), NULL);
        puts(kp_json_text(a, v));
        return;
    }
    const char *text = kp_err_text(a, e);
    bool colours = kp_out_colours(STDERR_FILENO);
    int first = (int)strcspn(text, "\n");
    fprintf(stderr, "%s%.*s%s%s\n", colours ? "\033[31m" : "", first, text,
            colours ? "\033[0m" : "", text + first);
}
