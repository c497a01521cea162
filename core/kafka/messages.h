/* messages: the requests and answers that kplay exchanges with brokers and controllers itself.
 *
 * The structs are declared in messages.def, once, together with their wire schema; this file turns
 * the rows into C structs, messages.c turns the same rows into tables for the codec.
 *
 *   key  API                        versions flexible source (org.apache.kafka.common.message)
 *     2  ListOffsets                4-6      6        ListOffsetsRequest; KIP-79, KIP-320 (v4)
 *     3  Metadata                   4-12     9        MetadataRequest; KIP-430, KIP-516 (topic ids)
 *     9  OffsetFetch                7-8      6        OffsetFetchRequest; KIP-447 (v7),
 *                                                   KIP-709 (v8: many groups)
 *    16  ListGroups                 4-5      3        ListGroupsRequest; KIP-518 (v4: states),
 *                                                   KIP-848 (v5: types)
 *    18  ApiVersions                0-4      3        ApiVersionsRequest; KIP-35, KIP-511, KIP-584
 *                                                   (features), KIP-866 (ZkMigrationReady)
 *    32  DescribeConfigs            1-4      4        DescribeConfigsRequest; KIP-133, KIP-226 (v1)
 *    35  DescribeLogDirs            1-4      2        DescribeLogDirsRequest; KIP-113, KIP-827 (v4)
 *    43  ElectLeaders               0-2      2        ElectLeadersRequest; KIP-183, KIP-460
 *    44  IncrementalAlterConfigs    0-1      1        IncrementalAlterConfigsRequest; KIP-339
 *    46  ListPartitionReassignments 0        0        ListPartitionReassignmentsRequest; KIP-455
 *    55  DescribeQuorum             0-2      0        DescribeQuorumRequest; KIP-595, KIP-836 (v1),
 *                                                   KIP-853 (v2)
 *    60  DescribeCluster            0-2      0        DescribeClusterRequest; KIP-700,
 *                                                   KIP-919 (v1), KIP-1073 (v2)
 *    64  UnregisterBroker           0        0        UnregisterBrokerRequest; KIP-631
 * The schemas are those of 2.8.0, 3.5.2, 3.9.1 and 4.1.1: where several releases carry the same
 * version of an API, they agree.
 *
 * A struct is zeroed by whoever makes it.  In a list n is the number of elements and -1 is null,
 * which is not the same as empty: null topics mean all, empty topics mean none.  In an answer, a
 * field that the version does not carry has the fallback of its row: 0, "", an empty list, NULL
 * when it may be null.
 */
#ifndef KP_KAFKA_MESSAGES_H
#define KP_KAFKA_MESSAGES_H

#include "base/base.h"

#define KP_NULL_LIST (-1) /* n of a list that is null */

typedef enum kp_api_key {
    KP_LIST_OFFSETS = 2,
    KP_METADATA = 3,
    KP_OFFSET_FETCH = 9,
    KP_LIST_GROUPS = 16,
    KP_API_VERSIONS = 18,
    KP_DESCRIBE_CONFIGS = 32,
    KP_DESCRIBE_LOG_DIRS = 35,
    KP_ELECT_LEADERS = 43,
    KP_INCREMENTAL_ALTER_CONFIGS = 44,
    KP_LIST_PARTITION_REASSIGNMENTS = 46,
    KP_DESCRIBE_QUORUM = 55,
    KP_DESCRIBE_CLUSTER = 60,
    KP_UNREGISTER_BROKER = 64,
} kp_api_key;

/* Values of fields (KIP-919, ConfigResource.Type, ElectionType, AlterConfigOp.OpType,
 * ConfigSource). */
enum { KP_OFFSET_LATEST = -1, KP_REPLICA_NONE = -1 }; /* ListOffsetsRequest */
enum { KP_ENDPOINT_BROKERS = 1, KP_ENDPOINT_CONTROLLERS = 2 };
enum { KP_RESOURCE_TOPIC = 2, KP_RESOURCE_BROKER = 4 };
enum { KP_ELECTION_PREFERRED = 0, KP_ELECTION_UNCLEAN = 1 };
enum { KP_ALTER_SET = 0, KP_ALTER_DELETE = 1 };
enum {
    KP_SOURCE_TOPIC = 1,
    KP_SOURCE_STATIC_BROKER = 4,
    KP_SOURCE_DEFAULT = 5,
};

typedef struct kp_uuid {
    uint8_t b[16];
} kp_uuid;

typedef struct kp_int32s {
    const int32_t *v;
    int32_t n;
} kp_int32s;

typedef struct kp_strings {
    const char *const *v;
    int32_t n;
} kp_strings;

#define KP_C_BOOL bool
#define KP_C_INT8 int8_t
#define KP_C_INT16 int16_t
#define KP_C_UINT16 uint16_t
#define KP_C_INT32 int32_t
#define KP_C_INT64 int64_t
#define KP_C_UUID kp_uuid
#define KP_C_STRING const char *

#define BEGIN(type) typedef struct type {
#define FIELD(type, kind, field, from, ...) KP_C_##kind field;
#define INT32S(type, field, from, ...) kp_int32s field;
#define STRINGS(type, field, from, ...) kp_strings field;
#define LIST(type, element, field, from, ...)                                                      \
    struct {                                                                                       \
        const element *v;                                                                          \
        int32_t n;                                                                                 \
    } field;
#define END(type)                                                                                  \
    }                                                                                              \
    type;
#include "kafka/messages.def"
#undef BEGIN
#undef FIELD
#undef INT32S
#undef STRINGS
#undef LIST
#undef END

#endif
