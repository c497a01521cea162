/* One row a release line: its newest IBP and its metadata.version range. */
#include "cluster/release.h"

#include <stdlib.h>
#include <string.h>

static const struct line {
    int major, minor;
    int iv;                   /* newest -IVn of the line */
    int level_min, level_max; /* metadata.version; 0: no KRaft release with features */
} lines[] = {
    { 2, 0, 1, 0, 0 },  { 2, 1, 2, 0, 0 },  { 2, 2, 1, 0, 0 },  { 2, 3, 1, 0, 0 },
    { 2, 4, 1, 0, 0 },  { 2, 5, 0, 0, 0 },  { 2, 6, 0, 0, 0 },  { 2, 7, 2, 0, 0 },
    { 2, 8, 1, 0, 0 },  { 3, 0, 1, 0, 0 },  { 3, 1, 0, 0, 0 },  { 3, 2, 0, 0, 0 },
    { 3, 3, 3, 1, 7 },  { 3, 4, 0, 1, 8 },  { 3, 5, 2, 1, 11 }, { 3, 6, 2, 1, 14 },
    { 3, 7, 4, 1, 19 }, { 3, 8, 0, 1, 20 }, { 3, 9, 0, 1, 21 }, { 4, 0, 3, 7, 25 },
    { 4, 1, 1, 7, 27 }, { 4, 2, 1, 7, 29 }, { 4, 3, 0, 7, 30 },
};

static const struct line *line_of(kp_version v)
{
    for (size_t i = 0; i < KP_COUNT(lines); i++)
        if (lines[i].major == v.major && lines[i].minor == v.minor)
            return &lines[i];
    return NULL;
}

bool kp_release_metadata_levels(kp_version v, int *ret_min, int *ret_max)
{
    const struct line *l = line_of(v);
    if (!l || !l->level_max)
        return false;
    *ret_min = l->level_min;
    *ret_max = l->level_max;
    return true;
}

int kp_release_ibp_level(kp_version v)
{
    const struct line *l = line_of(v);
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
    return !line_of(v) ? 0 : v.major >= 4 ? 17 : 8;
}
