/* Durations as people write them: "10m", "1h30m".
 *
 * Always with a unit, because a bare number has been read as seconds by one person and as
 * milliseconds by the next; never with a sign, a space or a fraction.
 */
#include "value/value.h"

#include <string.h>

#define LONGEST (366 * 24 * KP_HOUR)

static const struct {
    const char *name;
    kp_ms size;
} units[] = {
    { "d", 24 * KP_HOUR }, { "h", KP_HOUR }, { "m", KP_MINUTE }, { "s", KP_SECOND }, { "ms", 1 },
};

static kp_err *not_a_duration(const char *s)
{
    return kp_err_new(KP_CONFIG,
                      "write a number and a unit (ms, s, m, h, d): 250ms, 5s, 10m, 2h, 1d or 1h30m",
                      "\"%s\" is not a duration", s);
}

kp_err *kp_duration_parse(const char *s, kp_ms *ret_d)
{
    kp_ms total = 0;
    size_t unit = 0; /* the largest that may still come */
    const char *p = s;
    if (!*p)
        return not_a_duration(s);
    while (*p) {
        size_t digits = strspn(p, "0123456789");
        if (digits == 0)
            return not_a_duration(s);
        int64_t n = 0;
        for (; digits > 0; digits--, p++)
            if (n <= LONGEST)
                n = n * 10 + (*p - '0');
        size_t letters = strcspn(p, "0123456789");
        while (unit < KP_COUNT(units) &&
               (strlen(units[unit].name) != letters || memcmp(units[unit].name, p, letters) != 0))
            unit++;
        if (unit == KP_COUNT(units))
            return not_a_duration(s);
        if (n > (LONGEST - total) / units[unit].size)
            return kp_err_new(KP_CONFIG, "give at most 366d", "\"%s\" is longer than 366 days", s);
        total += n * units[unit++].size;
        p += letters;
    }
    *ret_d = total;
    return NULL;
}
