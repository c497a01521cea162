/* fingerprint.c: the release line and the mode of a node, from its ApiVersions answer alone.
 *
 * Mode first, because the tables differ.  LeaderAndIsr (4), StopReplica (5) and UpdateMetadata (6)
 * are offered by brokers in ZooKeeper mode only; ControlledShutdown (7) also by old controllers, so
 * it proves nothing.  Vote (52), BrokerRegistration (62) and BrokerHeartbeat (63) are on controller
 * listeners only, DescribeQuorum (55) or UnregisterBroker (64) on those and on KRaft brokers.  A
 * ZooKeeper-mode broker that says zk_migration_ready has the migration flag (3.4 to 3.9).
 *
 * Line: a KRaft node from 3.3 on says its highest metadata.version, which is one to one with the
 * line (cluster/release.h; above the newest row: a line that is not known).  A broker in ZooKeeper
 * mode has no features; there the highest versions of single APIs decide (generated schemas of 2.0
 * to 3.9, checked against each other).  The rules use only APIs that a broker answers itself:
 * forwarded ones show the active controller's range, not the broker's.
 */
#include "kafka/kafka.h"

#include "cluster/release.h"

typedef struct range_rule {
    int16_t api_key, at_least; /* the first rule whose highest version is reached decides */
    int8_t major, minor;
} range_rule;

static const range_rule by_range[] = {
    { 18, 4, 3, 9 },                                   /* ApiVersions */
    { 16, 5, 3, 8 },                                   /* ListGroups */
    { 1, 16, 3, 7 },                                   /* Fetch */
    { 24, 4, 3, 6 },                                   /* AddPartitionsToTxn */
    { 1, 15, 3, 5 }, { 4, 7, 3, 4 },                   /* LeaderAndIsr */
    { 35, 4, 3, 3 },                                   /* DescribeLogDirs */
    { 11, 9, 3, 2 },                                   /* JoinGroup */
    { 1, 13, 3, 1 }, { 10, 4, 3, 0 },                  /* FindCoordinator */
    { 3, 11, 2, 8 },                                   /* Metadata */
    { 1, 12, 2, 7 }, { 16, 4, 2, 6 }, { 9, 7, 2, 5 },  /* OffsetFetch */
    { 18, 3, 2, 4 }, { 1, 11, 2, 3 }, { 36, 1, 2, 2 }, /* SaslAuthenticate */
    { 1, 10, 2, 1 }, { 1, 8, 2, 0 },
};

static int max_of(const kp_api_versions_response *r, int key)
{
    for (int32_t i = 0; i < r->api_keys.n; i++)
        if (r->api_keys.v[i].api_key == key)
            return r->api_keys.v[i].max_version;
    return -1;
}

static kp_node_mode mode_of(const kp_api_versions_response *r)
{
    if (max_of(r, 4) >= 0)
        return r->zk_migration_ready ? KP_MODE_HYBRID : KP_MODE_ZOOKEEPER;
    if (max_of(r, 52) >= 0 || max_of(r, 62) >= 0 || max_of(r, 63) >= 0)
        return KP_MODE_CONTROLLER;
    if (max_of(r, 55) >= 0 || max_of(r, 64) >= 0)
        return KP_MODE_KRAFT;
    return KP_MODE_UNKNOWN;
}

static const kp_version unknown_line = { 0, 0, -1 };

static kp_version line_by_level(const kp_api_versions_response *r)
{
    for (int32_t i = 0; i < r->supported_features.n; i++) {
        const kp_supported_feature *f = &r->supported_features.v[i];
        if (!kp_streq(f->name, "metadata.version"))
            continue;
        for (const kp_release_line *l = kp_release_lines; l->major; l++)
            if (f->max_version <= l->level_max)
                return (kp_version) { l->major, l->minor, -1 };
    }
    return unknown_line;
}

static kp_version line_by_range(const kp_api_versions_response *r)
{
    for (size_t i = 0; i < KP_COUNT(by_range); i++)
        if (max_of(r, by_range[i].api_key) >= by_range[i].at_least)
            return (kp_version){ by_range[i].major, by_range[i].minor, -1 };
    return unknown_line;
}

kp_fingerprint kp_kafka_fingerprint(const kp_api_versions_response *r)
{
    kp_fingerprint f = { mode_of(r), unknown_line };
    if (f.mode == KP_MODE_ZOOKEEPER || f.mode == KP_MODE_HYBRID) {
        f.line = line_by_range(r);
    } else if (f.mode != KP_MODE_UNKNOWN) {
        f.line = line_by_level(r);
        /* KRaft brokers before 3.3 have no metadata.version; the rules up to 3.2 hold for them too.
         */
        kp_version v = line_by_range(r);
        if (!f.line.major && f.mode == KP_MODE_KRAFT && r->supported_features.n == 0 &&
            kp_version_line_cmp(v, (kp_version){ 3, 2, -1 }) <= 0)
            f.line = v;
    }
    return f;
}

const char *kp_node_mode_name(kp_node_mode mode)
{
    static const char *const names[] = {
        [KP_MODE_UNKNOWN] = "unknown",       [KP_MODE_ZOOKEEPER] = "zookeeper",
        [KP_MODE_HYBRID] = "hybrid",         [KP_MODE_KRAFT] = "kraft",
        [KP_MODE_CONTROLLER] = "controller",
    };
    return names[mode];
}
