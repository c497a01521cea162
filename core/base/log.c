/* The log: lines on stderr for what is neither the report nor an error that ends the command.
 *
 * A line is one write(2), so that lines of several processes do not mix, and its control bytes are
 * escaped, so that nothing a broker or a host says can move the cursor.  The level is the higher
 * of the one that was set and the one in KPLAY_LOG.
 */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_LIMIT = 4096 }; /* bytes of a line, before it is escaped; the rest is dropped */

static const struct {
    const char *name, *prefix;
} levels[] = {
    [KP_LOG_ERROR] = { "error", "kplay: error: " },
    [KP_LOG_WARN] = { "warn", "kplay: warning: " },
    [KP_LOG_DEBUG] = { "debug", "kplay: debug: " },
};

static kp_log_level level_set = KP_LOG_WARN;

void kp_log_set_level(kp_log_level level)
{
    level_set = level;
}

static bool wanted(kp_log_level level)
{
    if (level <= level_set)
        return true;
    const char *name = getenv("KPLAY_LOG");
    for (size_t i = 0; name && i < KP_COUNT(levels); i++)
        if (kp_streq(levels[i].name, name))
            return (size_t)level <= i;
    return false;
}

void kp_log(kp_log_level level, const char *fmt, ...)
{
    if (!wanted(level))
        return;
    char line[LINE_LIMIT];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    KP_AUTO_BUF out = KP_BUF_INIT(5 * LINE_LIMIT);
    kp_buf_str(&out, levels[level].prefix);
    kp_buf_printable(&out, line, strnlen(line, sizeof line));
    kp_buf_chr(&out, '\n');
    for (size_t done = 0; done < out.n;) {
        ssize_t w = write(STDERR_FILENO, out.p + done, out.n - done);
        if (w < 0 && errno != EINTR)
            return;
        done += w > 0 ? (size_t)w : 0;
    }
}
