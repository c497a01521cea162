/* What a rehearsal says of the real run: in which order, what each stop costs, from where there is
 * no way back, and what it could not know.
 */
#include "report/report.h"

#include <string.h>

enum { STOPS_SHOWN = 12 }; /* of more than these only the worst */

typedef struct stops {
    const kp_value **stop; /* acts of stops, in order */
    size_t n;
    int64_t worst; /* the highest count of partitions at min.insync.replicas at one of them */
} stops;

static stops stops_of(kp_arena *a, const kp_value *acts)
{
    stops s = { .stop = KP_NEW_ARRAY(a, kp_len(acts) + 1, const kp_value *) };
    for (size_t i = 0; i < kp_len(acts); i++) {
        const kp_value *act = kp_at(acts, i);
        int64_t at_min = kp_get_int(act, "peak_at_min_isr", 0);
        if (!kp_streq(kp_get_text(act, "act", ""), "stop"))
            continue;
        s.stop[s.n++] = act;
        s.worst = at_min > s.worst ? at_min : s.worst;
    }
    return s;
}

static const char *node_of(kp_arena *a, const kp_rehearsed *r, const kp_value *stop)
{
    return kp_node_word(a, r->inventory, (int)kp_get_int(stop, "node", -1));
}

static void order(kp_arena *a, const kp_rehearsed *r, const stops *s)
{
    KP_AUTO_BUF b = KP_BUF_INIT(256 << 10);
    for (size_t i = 0; i < s->n; i++)
        kp_buf_fmt(&b, "%s%s", i ? ", " : "", node_of(a, r, s->stop[i]));
    if (s->n > 1)
        kp_out_line("%sorder     %s", r->prefix, kp_buf_text(&b));
}

static void costs(kp_arena *a, const kp_rehearsed *r, const stops *s)
{
    size_t left_out = 0;
    for (size_t i = 0; i < s->n; i++) {
        const kp_value *stop = s->stop[i];
        int64_t at_min = kp_get_int(stop, "peak_at_min_isr", 0),
                moved = kp_get_int(stop, "leaders_moved", 0);
        if (!kp_get(stop, "leaders_moved")) /* a controller */
            continue;
        if (s->n > STOPS_SHOWN && (at_min < s->worst || s->worst == 0)) {
            left_out++;
            continue;
        }
        kp_out_line("%sstop      %s: %" PRId64 " leader%s move%s; at most %" PRId64
                    " partitions under-replicated, %" PRId64 " at min.insync.replicas",
                    r->prefix, node_of(a, r, stop), moved, moved == 1 ? "" : "s",
                    moved == 1 ? "s" : "", kp_get_int(stop, "peak_urp", 0), at_min);
    }
    if (left_out)
        kp_out_line("%sstop      %zu more, none of them worse; --json tells each", r->prefix,
                    left_out);
}

/* "from 12 stops of runs 1124-c21e and 1120-aaaa" */
static const char *origin(kp_arena *a, const kp_estimate *e)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4096);
    size_t n = kp_len(e->runs);
    if (n == 0)
        return "the simulator's own estimate";
    kp_buf_fmt(&b, "from %zu stop%s of run%s", e->stops, e->stops == 1 ? "" : "s",
               n == 1 ? "" : "s");
    for (size_t i = 0; i < n; i++)
        kp_buf_fmt(&b, "%s%s",
                   i == 0      ? " "
                   : i + 1 < n ? ", "
                               : " and ",
                   kp_as_text(kp_at(e->runs, i), "?"));
    if (e->in_part)
        kp_buf_str(&b, ", the rest the simulator's own estimate");
    return kp_strdup(a, kp_buf_text(&b));
}

static void go_or_not(kp_arena *a, const kp_rehearsed *r, const stops *s)
{
    size_t warnings = kp_len(kp_get(r->report, "warnings"));
    if (r->err) {
        kp_out_styled(KP_BAD, "%sverdict   no-go", r->prefix);
        return;
    }
    kp_out_styled(
        warnings ? KP_CARE : KP_GOOD, "%sverdict   go%s: %zu stop%s, about %s   %s", r->prefix,
        warnings ? kp_printf(a, ", with %zu warning%s", warnings, warnings == 1 ? "" : "s") : "",
        s->n, s->n == 1 ? "" : "s", kp_duration_text(a, r->estimate.took, false),
        origin(a, &r->estimate));
}

void kp_verdict_lines(kp_arena *a, const kp_rehearsed *r)
{
    const kp_value *assumed = kp_get(r->report, "assumed"),
                   *irreversible = kp_get(r->report, "irreversible");
    stops s = stops_of(a, r->acts);

    go_or_not(a, r, &s);
    order(a, r, &s);
    costs(a, r, &s);
    for (size_t i = 0; i < kp_len(irreversible); i++)
        kp_out_styled(KP_CARE, "%sno way back: %s", r->prefix,
                      kp_as_text(kp_at(irreversible, i), "?"));
    for (size_t i = 0; i < kp_len(assumed); i++)
        kp_out_line("%sassumed   yes to: %s", r->prefix, kp_as_text(kp_at(assumed, i), "?"));
    kp_out_line("%sassumed   the order of things is exact, times are estimates; log recovery after "
                "an unclean stop, client retries and garbage collection are not known",
                r->prefix);
}
