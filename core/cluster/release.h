/* Release facts the guard needs: what a binary supports.  Policy (what may follow what) is Lua's.
 *
 * metadata.version levels: org.apache.kafka.server.common.MetadataVersion of each release (min 1 in
 * 3.3-3.9, 7 = 3.3-IV3 from 4.0 on).  inter.broker.protocol.version: a short string means the
 * newest production -IVn of its line (MetadataVersion.fromVersionString, kafka.api.ApiVersion
 * before 3.3).
 */
#ifndef KP_CLUSTER_RELEASE_H
#define KP_CLUSTER_RELEASE_H

#include "value/value.h"

/* One release line.  The rows are those of stdlib/versions.lua, where they can be read and added
 * to; core/cluster/lines.sh makes this table of them.  Ascending; ends with major 0. */
typedef struct kp_release_line {
    int major, minor;
    int iv;                   /* of its newest protocol: "2.8-IV1" */
    int level_min, level_max; /* metadata.version; 0: no KRaft release with features */
    int java;
} kp_release_line;
extern const kp_release_line kp_release_lines[];

bool kp_release_is_known(kp_version v); /* its line is in the table */

/* Lowest and highest finalised metadata.version a binary of that line can run with.  False: not a
 * KRaft release, or newer than this table. */
bool kp_release_metadata_levels(kp_version v, int *ret_min, int *ret_max);

/* "2.8", "3.5-IV2", "3.9.1" -> a number that grows with the protocol; -1: not one. */
int kp_ibp_level(const char *ibp);

/* The level an unpinned binary of that line speaks; -1 unknown. */
int kp_release_ibp_level(kp_version v);

/* The oldest major version of Java that starts a broker or controller of that line; 0: a line newer
 * than this table.  (The jars' class file version: 52, Java 8, up to 3.9; 61, Java 17, from 4.0 on,
 * KIP-1013.) */
int kp_release_java(kp_version v);

#endif
