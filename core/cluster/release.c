/* What follows from a release line's row. */
#include "cluster/release.h"

#include <stdlib.h>
#include <string.h>

static const kp_release_line *line_of(kp_version v)
{
    for (const kp_release_line *l = kp_release_lines; l->major; l++)
        if (l->major == v.major && l->minor == v.minor)
            return l;
    return NULL;
}

bool kp_release_is_known(kp_version v)
{
    return line_of(v) != NULL;
}

bool kp_release_metadata_levels(kp_version v, int *ret_min, int *ret_max)
{
    const kp_release_line *l = line_of(v);
    if (!l || !l->level_max)
        return false;
    *ret_min = l->level_min;
    *ret_max = l->level_max;
    return true;
}

int kp_release_ibp_level(kp_version v)
{
    const kp_release_line *l = line_of(v);
    return l ? (l->major * 100 + l->minor) * 100 + l->iv : -1;
}

int kp_ibp_level(const char *ibp)
{
    kp_version v;
    char bare[32];
    const char *iv = strstr(ibp, "-IV");
    size_t n = iv ? (size_t)(iv - ibp) : strlen(ibp);

    if (n == 0 || n >= sizeof bare)
        return -1;
    memcpy(bare, ibp, n);
    bare[n] = 0;
    if (!kp_version_parse(bare, &v))
        return -1;
    if (!iv)
        return kp_release_ibp_level(v);
    char *end;
    long number = strtol(iv + 3, &end, 10);
    if (end == iv + 3 || *end || number < 0 || number > 99)
        return -1;
    return (v.major * 100 + v.minor) * 100 + (int)number;
}

int kp_release_java(kp_version v)
{
    const kp_release_line *l = line_of(v);
    return l ? l->java : 0;
}
