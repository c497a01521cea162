/* The log: the one writer of stderr that is not the report.  Levels error < warn < debug;
 * control bytes are escaped; KPLAY_LOG=debug in the environment raises the level. */
#ifndef KP_BASE_LOG_H
#define KP_BASE_LOG_H

#include "base/base.h"

typedef enum kp_log_level { KP_LOG_ERROR, KP_LOG_WARN, KP_LOG_DEBUG } kp_log_level;

void kp_log_set_level(kp_log_level level); /* default KP_LOG_WARN */
void kp_log(kp_log_level level, const char *fmt, ...) KP_PRINTF(2, 3);

#endif
