/* messages.c: the wire schemas, made from the rows of messages.def, and the list of APIs. */
#include "kafka/messages.h"

#include "kafka/codec.h"

#define UNTIL(v) .until = (v)
#define NULLABLE(v) .nullable = true, .null_from = (v)
#define TAG(n_) .tagged = true, .tag = (n_)
#define FALLBACK(x) .fallback = (x)
#define IGNORABLE .ignorable = true

#define ROW(type_, field_, from_)                                                                  \
    .name = #field_, .offset = offsetof(type_, field_), .from = (from_)

#define BEGIN(type_) static const kp_field type_##_fields[] = {
#define FIELD(type_, kind_, field_, from_, ...)                                                    \
    { ROW(type_, field_, from_), .type = KP_WIRE_##kind_, __VA_ARGS__ },
#define INT32S(type_, field_, from_, ...)                                                          \
    { ROW(type_, field_, from_), .type = KP_WIRE_INT32, .list = true, __VA_ARGS__ },
#define STRINGS(type_, field_, from_, ...)                                                         \
    { ROW(type_, field_, from_), .type = KP_WIRE_STRING, .list = true, __VA_ARGS__ },
#define LIST(type_, element_, field_, from_, ...)                                                  \
    { ROW(type_, field_, from_), .type = KP_WIRE_STRUCT, .list = true, .sub = &element_##_schema,  \
      __VA_ARGS__ },
#define END(type_)                                                                                 \
    }                                                                                              \
    ;                                                                                              \
    static const kp_schema type_##_schema = { &#type_[3], sizeof(type_), type_##_fields,           \
                                              KP_COUNT(type_##_fields) };
#include "kafka/messages.def"

#define API(key_, name_, min_, max_, flexible_, type_)                                             \
    {                                                                                              \
        (key_), (min_), (max_), (flexible_), name_, &type_##_request_schema,                       \
            &type_##_response_schema                                                               \
    }

const kp_api kp_apis[] = {
    API(KP_LIST_OFFSETS, "ListOffsets", 4, 6, 6, kp_list_offsets),
    API(KP_METADATA, "Metadata", 4, 12, 9, kp_metadata),
    API(KP_OFFSET_FETCH, "OffsetFetch", 7, 8, 6, kp_offset_fetch),
    API(KP_LIST_GROUPS, "ListGroups", 4, 5, 3, kp_list_groups),
    API(KP_API_VERSIONS, "ApiVersions", 0, 4, 3, kp_api_versions),
    API(KP_DESCRIBE_CONFIGS, "DescribeConfigs", 1, 4, 4, kp_describe_configs),
    API(KP_DESCRIBE_LOG_DIRS, "DescribeLogDirs", 1, 4, 2, kp_describe_log_dirs),
    API(KP_ELECT_LEADERS, "ElectLeaders", 0, 2, 2, kp_elect_leaders),
    API(KP_INCREMENTAL_ALTER_CONFIGS, "IncrementalAlterConfigs", 0, 1, 1,
        kp_incremental_alter_configs),
    API(KP_LIST_PARTITION_REASSIGNMENTS, "ListPartitionReassignments", 0, 0, 0,
        kp_list_partition_reassignments),
    API(KP_DESCRIBE_QUORUM, "DescribeQuorum", 0, 2, 0, kp_describe_quorum),
    API(KP_DESCRIBE_CLUSTER, "DescribeCluster", 0, 2, 0, kp_describe_cluster),
    API(KP_UNREGISTER_BROKER, "UnregisterBroker", 0, 0, 0, kp_unregister_broker),
};
const size_t kp_apis_n = KP_COUNT(kp_apis);

const kp_api *kp_api_find(int key)
{
    for (size_t i = 0; i < KP_COUNT(kp_apis); i++)
        if (kp_apis[i].key == key)
            return &kp_apis[i];
    return NULL;
}
