/* What Kafka releases are, as far as a simulated cluster needs to know.
 *
 * Kept apart from cluster/release.c on purpose: the guard concludes from that table and the
 * simulator behaves by this one, so that a wrong row is seen; a test compares them.  Sources:
 * MetadataVersion.java and ApiVersion.scala of the releases (newest inter.broker.protocol.version
 * and metadata.version levels), the SupportedFeatures that real binaries answer in ApiVersions, and
 * the upgrade notes. A metadata.version level of a line is the level of its IV0 plus the IV number.
 */
#include "sim/state.h"

#include <string.h>

/* 3.0 to 3.2 run KRaft without the metadata.version feature (a preview): ZooKeeper mode only
 * here. */
static const kp_sim_release_facts lines[] = {
    { 2, 0, 1, 0, 0, true },   { 2, 1, 2, 0, 0, true },   { 2, 2, 1, 0, 0, true },
    { 2, 3, 1, 0, 0, true },   { 2, 4, 1, 0, 0, true },   { 2, 5, 0, 0, 0, true },
    { 2, 6, 0, 0, 0, true },   { 2, 7, 2, 0, 0, true },   { 2, 8, 1, 0, 0, true },
    { 3, 0, 1, 0, 0, true },   { 3, 1, 0, 0, 0, true },   { 3, 2, 0, 0, 0, true },
    { 3, 3, 3, 1, 7, true },   { 3, 4, 0, 1, 8, true },   { 3, 5, 2, 1, 11, true },
    { 3, 6, 2, 1, 14, true },  { 3, 7, 4, 1, 19, true },  { 3, 8, 0, 1, 20, true },
    { 3, 9, 0, 1, 21, true },  { 4, 0, 3, 7, 25, false }, { 4, 1, 1, 7, 27, false },
    { 4, 2, 1, 7, 29, false }, { 4, 3, 0, 7, 30, false }, { 4, 4, 2, 7, 33, false },
};

const char *const kp_sim_known_releases[] = {
    "2.4.1", "2.5.1", "2.6.3", "2.7.2", "2.8.0", "2.8.1", "2.8.2", "3.0.0", "3.0.1", "3.0.2",
    "3.1.0", "3.1.1", "3.1.2", "3.2.0", "3.2.1", "3.2.3", "3.3.1", "3.3.2", "3.4.0", "3.4.1",
    "3.5.0", "3.5.1", "3.5.2", "3.6.0", "3.6.1", "3.6.2", "3.7.0", "3.7.1", "3.7.2", "3.8.0",
    "3.8.1", "3.9.0", "3.9.1", "3.9.2", "4.0.0", "4.0.1", "4.0.2", "4.1.0", "4.1.1", "4.1.2",
    "4.2.0", "4.2.1", "4.2.2", "4.3.0", "4.3.1", "4.4.0", NULL,
};

static const kp_sim_release_facts *line_of(int major, int minor)
{
    for (size_t i = 0; i < KP_COUNT(lines); i++)
        if (lines[i].major == major && lines[i].minor == minor)
            return &lines[i];
    return NULL;
}

const kp_sim_release_facts *kp_sim_facts(const char *release)
{
    kp_version v;

    return kp_version_parse(release, &v) ? line_of(v.major, v.minor) : NULL;
}

/* Keys that are gone from a line on (upgrade notes of 3.0 and 4.0), whole or by their beginning. */
static const struct gone {
    const char *key;
    int major, minor;
} gone[] = {
    { "port", 3, 0 },
    { "host.name", 3, 0 },
    { "advertised.port", 3, 0 },
    { "advertised.host.name", 3, 0 },
    { "inter.broker.protocol.version", 4, 0 },
    { "log.message.format.version", 4, 0 },
    { "zookeeper.*", 4, 0 },
    { "password.encoder.*", 4, 0 },
    { "broker.id.generation.enable", 4, 0 },
    { "control.plane.listener.name", 4, 0 },
    { "controlled.shutdown.max.retries", 4, 0 },
    { "leader.imbalance.per.broker.percentage", 4, 0 },
    { "delegation.token.master.key", 4, 0 },
};

bool kp_sim_knows_key(const kp_sim_release_facts *f, const char *key)
{
    for (size_t i = 0; i < KP_COUNT(gone); i++) {
        size_t n = strlen(gone[i].key);
        bool same = gone[i].key[n - 1] == '*' ? strncmp(key, gone[i].key, n - 1) == 0
                                              : kp_streq(key, gone[i].key);
        if (same && f->major * 100 + f->minor >= gone[i].major * 100 + gone[i].minor)
            return false;
    }
    return true;
}

/* A level is major, minor and IV in decimal places: 3.7-IV4 is 30704. */
static int32_t level_of(int major, int minor, int iv)
{
    return (int32_t)(major * 10000 + minor * 100 + iv);
}

/* "3.7-IV4" into its line and IV; -1 as IV when none is given.  False: not such a text. */
static bool parse_level(const char *text, kp_version *ret_line, int *ret_iv)
{
    char head[16];
    const char *dash = strstr(text, "-IV");
    size_t n = dash ? (size_t)(dash - text) : strlen(text);

    if (n == 0 || n >= sizeof head)
        return false;
    memcpy(head, text, n);
    head[n] = '\0';
    if (strchr(head, '-') || !kp_version_parse(head, ret_line))
        return false;
    *ret_iv = -1;
    if (dash) {
        const char *digit = dash + 3;
        if (digit[0] < '0' || digit[0] > '9' || digit[1] != '\0')
            return false;
        *ret_iv = digit[0] - '0';
    }
    return true;
}

int32_t kp_sim_ibp_level(const char *text)
{
    kp_version v;
    int iv;

    if (!text || !parse_level(text, &v, &iv))
        return -1;
    const kp_sim_release_facts *f = line_of(v.major, v.minor);
    if (!f || iv > f->iv)
        return -1;
    return level_of(v.major, v.minor, iv < 0 ? f->iv : iv);
}

int32_t kp_sim_ibp_newest(const kp_sim_release_facts *f)
{
    return level_of(f->major, f->minor, f->iv);
}

char *kp_sim_ibp_name(kp_arena *a, int32_t level)
{
    return kp_printf(a, "%d.%d-IV%d", level / 10000, level / 100 % 100, level % 100);
}

int32_t kp_sim_metadata_level(const char *text)
{
    kp_version v;
    int iv;

    if (text[0] >= '1' && text[0] <= '9' && strspn(text, "0123456789") == strlen(text) &&
        strlen(text) <= 3) {
        int32_t n = 0;
        for (const char *c = text; *c; c++)
            n = n * 10 + (*c - '0');
        return n;
    }
    if (!parse_level(text, &v, &iv))
        return -1;
    const kp_sim_release_facts *f = line_of(v.major, v.minor);
    if (!f || f->metadata_max == 0 || iv > f->iv)
        return -1;
    return iv < 0 ? f->metadata_max : f->metadata_max - f->iv + iv;
}
