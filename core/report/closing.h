/* The last lines of a run: how it ended, what it cost, what to do next. */
#ifndef KP_REPORT_CLOSING_H
#define KP_REPORT_CLOSING_H

#include "report/report.h"

void kp_closing_lines(kp_arena *a, const kp_event *e, const kp_screen_spec *spec,
                      const char *prefix);

/* Median of a list of ints; -1 of an empty one. */
int64_t kp_median(kp_arena *a, const kp_value *list, const char *key);

#endif
