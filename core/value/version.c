/* Versions: "3.9.1" is a release, "3.9" a release line, and both may have a tail after '-'.
 *
 * The tail (a release candidate, a vendor's mark, the level in "3.9-IV0") is not part of any rule
 * about what may follow what, so its letters are checked and it is ignored.  kplay knows
 * Kafka from 2.8, so the four numbers of releases before 1.0 are refused like any other garbage.
 */
#include "value/value.h"

#include <string.h>

enum { DIGITS_LIMIT = 4 }; /* of one number */

static const char digits[] = "0123456789";
static const char letters[] = "-.+_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static bool number(const char **p, int *ret_n)
{
    size_t len = strspn(*p, digits);
    if (len == 0 || len > DIGITS_LIMIT || (len > 1 && **p == '0'))
        return false;
    int n = 0;
    for (; len > 0; len--, (*p)++)
        n = n * 10 + (**p - '0');
    *ret_n = n;
    return true;
}

bool kp_version_parse(const char *s, kp_version *ret_v)
{
    kp_version v = { 0, 0, -1 };
    if (!s || !number(&s, &v.major) || *s++ != '.' || !number(&s, &v.minor))
        return false;
    if (*s == '.') {
        s++;
        if (!number(&s, &v.patch))
            return false;
    }
    if (*s == '-') {
        size_t tail = strspn(s, letters);
        if (tail == 1)
            return false;
        s += tail;
    }
    if (*s)
        return false;
    *ret_v = v;
    return true;
}

int kp_version_line_cmp(kp_version a, kp_version b)
{
    if (a.major != b.major)
        return a.major < b.major ? -1 : 1;
    return (a.minor > b.minor) - (a.minor < b.minor);
}

int kp_version_cmp(kp_version a, kp_version b)
{
    int line = kp_version_line_cmp(a, b);
    int x = a.patch < 0 ? 0 : a.patch, y = b.patch < 0 ? 0 : b.patch;
    return line ? line : (x > y) - (x < y);
}
