/* The run's report in words: state, records, idle time between nodes, warnings, assumptions. */
#include "report/closing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

int64_t kp_median(kp_arena *a, const kp_value *list, const char *key)
{
    size_t n = 0;
    int64_t *v = KP_NEW_ARRAY(a, kp_len(list) + 1, int64_t);
    for (size_t i = 0; i < kp_len(list); i++)
        if (kp_get(kp_at(list, i), key))
            v[n++] = kp_get_int(kp_at(list, i), key, 0);
    if (n == 0)
        return -1;
    qsort(v, n, sizeof *v, ascending);
    return v[n / 2];
}

void kp_closing_lines(kp_arena *a, const kp_event *e, const kp_screen_spec *spec,
                      const char *prefix)
{
    const kp_value *v = e->value, *stops = kp_get(v, "stops");
    const char *state = kp_get_text(v, "state", "?");

    int64_t before = kp_get_int(v, "stops_before", 0), all = before + (int64_t)kp_len(stops);
    kp_out_styled(kp_streq(state, "done") ? KP_GOOD : KP_BAD,
                  "%s%s   %s, %" PRId64 " stop%s%s, %" PRId64 " records, %" PRId64 " requests",
                  prefix, state, kp_duration_text(a, kp_get_int(v, "took_ms", 0), false), all,
                  all == 1 ? "" : "s",
                  before ? kp_printf(a, " (%" PRId64 " in earlier sessions)", before) : "",
                  kp_get_int(v, "records", 0), kp_get_int(v, "requests", 0));
    int64_t idle = kp_median(a, stops, "idle_ms");
    if (idle >= 0)
        kp_out_line(
            "%sidle      %s between a node confirmed in sync and the next stop (median), %" PRId64
            " polls, %" PRId64 " requests",
            prefix, kp_duration_text(a, idle, true), kp_median(a, stops, "idle_polls"),
            kp_median(a, stops, "idle_requests"));
    const kp_value *down = kp_get(v, "down");
    const char *go_on = spec->hint ? spec->hint(a, NULL, "kplay resume") : "kplay resume";
    for (size_t i = 0; i < kp_len(down); i++)
        kp_out_styled(KP_BAD, "%sdown      %s: this run stopped it and has not started it%s",
                      prefix, kp_as_text(kp_at(down, i), "?"),
                      kp_streq(state, "done") ? "" : kp_printf(a, "; %s goes on there", go_on));
    const kp_value *overrides = kp_get(v, "overrides");
    for (size_t i = 0; i < kp_len(overrides); i++)
        kp_out_line("%soverride  %s: %s (%s)", prefix,
                    kp_get_text(kp_at(overrides, i), "guard", "?"),
                    kp_get_text(kp_at(overrides, i), "reason", "?"),
                    kp_get_text(kp_at(overrides, i), "was", "?"));
    const kp_value *accepted = kp_get(v, "accepted");
    for (size_t i = 0; i < kp_len(accepted); i++)
        kp_out_line("%saccepted  %s: %s", prefix, kp_get_text(kp_at(accepted, i), "before", "?"),
                    kp_get_text(kp_at(accepted, i), "accepted", "?"));
    if (!spec->rehearsal && kp_get(v, "journal"))
        kp_out_line("%sjournal   %s", prefix, kp_get_text(v, "journal", ""));
    if (e->err && !spec->rehearsal &&
        (kp_streq(state, "paused") || kp_streq(state, "refused") || kp_streq(state, "failed")))
        kp_out_line("%sstopped   run %s; the journal's last link is %.8s", prefix,
                    kp_get_text(v, "run", "?"), kp_get_text(v, "head", "?"));
    fflush(stdout);
}
