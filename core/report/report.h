/* report: what a run says, on the screen and at its end.
 *
 * screen.c   the events of a run as lines: one per node, past lines never change, one live line on
 *            a terminal, plain lines with their time elsewhere; or one JSON object per event
 * closing.c  the run's report: what was done, idle times, warnings, what to do next
 * verdict.c  what a rehearsal says of the real run
 * asking.c   a question to the person at the terminal
 *
 * A simulated run's lines begin with "sim".
 */
#ifndef KP_REPORT_H
#define KP_REPORT_H

#include "engine/engine.h"

typedef struct kp_screen_spec {
    bool json;     /* one JSON object per line on stdout */
    bool terminal; /* a person looks: a live line; else every line has its time */
    bool simulated;
    bool yes;       /* --yes: start and asks are answered yes */
    bool rehearsal; /* --dry-run: its verdict comes later (verdict.c) */
    kp_world *world; /* waits for what a person types; NULL: nobody is asked */
    const char *who;
    /* A text with the commands in it completed; `about`: the run's summary or report, or NULL.
     * NULL: texts stay as they are. */
    char *(*hint)(kp_arena *a, const kp_value *about, const char *text);
} kp_screen_spec;

/* The sink to give to a run; lives in `a`. */
kp_sink kp_screen(kp_arena *a, const kp_screen_spec *spec);
void kp_screen_done(kp_sink sink);

/* ---- out.c: the one place that prints for a person ---- */
typedef enum kp_style { KP_PLAIN, KP_GOOD, KP_BAD, KP_CARE } kp_style;
void kp_out_line(const char *fmt, ...) KP_PRINTF(1, 2); /* one line, whatever is in it */
void kp_out_styled(kp_style style, const char *fmt, ...) KP_PRINTF(2, 3);
/* One for each of its lines: of a text that kplay has put together. */
void kp_out_lines(const char *text);
/* Lines from now on begin with this time (UTC); KP_NEVER: they do not.  For logs. */
void kp_out_stamp(kp_ms t);
/* Whether a terminal on this descriptor obeys: it is one, and TERM is not "dumb". */
bool kp_out_obeys(int fd);
/* Whether to use colour there: it obeys, and NO_COLOR is empty or not set (no-color.org). */
bool kp_out_colours(int fd);
/* Its columns now; 80 when it does not say. */
size_t kp_out_columns(void);
/* The bytes of the first `columns` characters of a UTF-8 text; each is taken for one column. */
size_t kp_out_cut(const char *text, size_t columns);

/* ---- verdict.c ---- */
/* How long the real run would take. */
typedef struct kp_estimate {
    kp_ms took;
    const kp_value *runs; /* names of earlier runs that it is from; none: it is the simulator's */
    size_t stops;         /* how many they did */
    bool in_part;         /* something of it is the simulator's */
} kp_estimate;

typedef struct kp_rehearsed {
    const kp_value *report; /* of the run on the copy */
    const kp_value *acts;   /* what it did there, as kp_sim_acts gives it */
    const kp_err *err;      /* why it would not go; NULL */
    kp_estimate estimate;
    const kp_inventory *inventory;
    const char *prefix;
} kp_rehearsed;
void kp_verdict_lines(kp_arena *a, const kp_rehearsed *r);

/* An error as the last words on stderr (or one JSON object on stdout). */
void kp_screen_error(const kp_err *e, bool json);

#endif
