/* Golden bytes: messages written by hand from Kafka's published schemas, and what they must mean.
 *
 * Each row is read, compared field by field with the struct, and written again to the same bytes.
 */
#include "with_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MV "11 'metadata.version'" /* a compact string of 16 bytes */
#define NO_ID "00000000000000000000000000000000"
#define ID_A "0123456789abcdef0123456789abcdef"

static const kp_uuid id_a = { { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45,
                                0x67, 0x89, 0xab, 0xcd, 0xef } };

/* One row: read `hex`, expect `message`, write it again. */
static void golden(int key, int response, int version, const char *hex, const void *message)
{
    KP_AUTO_ARENA a = kp_arena_new("golden", 1 << 20);
    KP_AUTO_BUF bytes = KP_BUF_INIT(1 << 16), again = KP_BUF_INIT(1 << 16);
    const kp_api *api = kp_api_find(key);
    const kp_schema *s = wire_side(api, response);
    void *got = NULL;
    size_t left = 99;
    wire_hex(&bytes, hex);
    kp_err *e = kp_wire_decode(a, s, version, version >= api->flexible, bytes.p, bytes.n, &got,
                               &left);
    if (e)
        fail_msg("%s v%d: %s", api->name, version, e->what);
    assert_int_equal(left, 0);
    if (!wire_equal(s, got, message))
        fail_msg("%s v%d: another message was read", api->name, version);
    e = kp_wire_encode(&again, s, version, version >= api->flexible, message);
    if (e)
        fail_msg("%s v%d: %s", api->name, version, e->what);
    assert_int_equal(again.n, bytes.n);
    assert_memory_equal(again.p, bytes.p, bytes.n);
}

static void test_api_versions(void **state KP_UNUSED)
{
    const kp_api_range ranges[] = { { 3, 0, 12 }, { 18, 0, 4 } };
    const kp_supported_feature supported[] = { { "metadata.version", 1, 21 } };
    const kp_finalized_feature finalized[] = { { "metadata.version", 20, 20 } };
    kp_api_versions_response v0 = { .api_keys = { ranges, 2 }, .finalized_features_epoch = -1 };
    golden(KP_API_VERSIONS, 1, 0, "0000 00000002 0003 0000 000c 0012 0000 0004", &v0);
    golden(KP_API_VERSIONS, 1, 1, "0000 00000002 0003 0000 000c 0012 0000 0004 00000000", &v0);
    golden(KP_API_VERSIONS, 1, 3, "0000 03 0003 0000 000c 00 0012 0000 0004 00 00000000 00", &v0);
    kp_api_versions_response v3 = {
        .api_keys = { ranges, 2 },
        .throttle_time_ms = 5,
        .supported_features = { supported, 1 },
        .finalized_features_epoch = 7,
        .finalized_features = { finalized, 1 },
        .zk_migration_ready = true,
    };
    golden(KP_API_VERSIONS, 1, 3,
           "0000 03 0003 0000 000c 00 0012 0000 0004 00 00000005 04"
           "00 17 02" MV "0001 0015 00"
           "01 08 0000000000000007"
           "02 17 02" MV "0014 0014 00"
           "03 01 01",
           &v3);
    kp_api_versions_response old = { .error_code = 35,
                                     .api_keys = { &ranges[1], 1 },
                                     .finalized_features_epoch = -1 };
    golden(KP_API_VERSIONS, 1, 0, "0023 00000001 0012 0000 0004", &old);
}

static void test_metadata(void **state KP_UNUSED)
{
    const int32_t replicas[] = { 1, 2, 3 }, isr[] = { 1, 3 }, offline[] = { 2 };
    const kp_metadata_broker brokers[] = { { 1, "b1", 9092, "a" }, { 3, "b3", 9094, NULL } };
    const kp_metadata_partition partitions[] = {
        { 0, 0, 1, 9, { replicas, 3 }, { isr, 2 }, { offline, 1 } },
        { 5, 1, -1, 4, { replicas, 3 }, { NULL, 0 }, { NULL, 0 } },
    };
    const kp_metadata_topic topics[] = {
        { 0, "t", id_a, false, { partitions, 2 }, INT32_MIN },
        { 3, NULL, id_a, true, { NULL, 0 }, 264 },
    };
    kp_metadata_response v12 = { 0, { brokers, 2 }, "c1", 3, { topics, 2 }, INT32_MIN };
    golden(KP_METADATA, 1, 12,
           "00000000"
           "03 00000001 03'b1' 00002384 02'a' 00  00000003 03'b3' 00002386 00 00"
           "03'c1' 00000003"
           "03"
           "0000 02't' " ID_A " 00 03"
           "  0000 00000000 00000001 00000009 04 00000001 00000002 00000003 03 00000001 00000003"
           "  02 00000002 00"
           "  0005 00000001 ffffffff 00000004 04 00000001 00000002 00000003 01 01 00"
           "80000000 00"
           "0003 00 " ID_A " 01 01 00000108 00"
           "00",
           &v12);

    const kp_metadata_partition plain[] = {
        { 0, 0, 1, -1, { replicas, 3 }, { isr, 2 }, { NULL, 0 } },
    };
    const kp_metadata_topic named[] = { { 0, "t", { { 0 } }, false, { plain, 1 }, INT32_MIN } };
    kp_metadata_response v4 = { 0, { brokers, 2 }, NULL, 3, { named, 1 }, INT32_MIN };
    golden(KP_METADATA, 1, 4,
           "00000000"
           "00000002 00000001 0002'b1' 00002384 0001'a' 00000003 0002'b3' 00002386 ffff"
           "ffff 00000003"
           "00000001 0000 0001't' 00"
           "00000001 0000 00000000 00000001"
           "  00000003 00000001 00000002 00000003 00000002 00000001 00000003",
           &v4);

    const kp_metadata_request_topic by_id[] = { { id_a, NULL }, { { { 0 } }, "t" } };
    kp_metadata_request some = { .topics = { by_id, 2 } },
                        all = { .topics = { NULL, KP_NULL_LIST } };
    golden(KP_METADATA, 0, 12, "03 " ID_A " 00 00 " NO_ID " 02't' 00 00 00 00", &some);
    golden(KP_METADATA, 0, 12, "00 00 00 00", &all);
    golden(KP_METADATA, 0, 8, "ffffffff 00 00 00", &all);
}

static void test_describe_quorum(void **state KP_UNUSED)
{
    const kp_quorum_replica voters[] = {
        { 1, { { 0 } }, 100, -1, 1700000000000 },
        { 2, { { 0 } }, 98, 1699999999990, 1699999999980 },
    };
    const kp_quorum_replica observers[] = { { 9, { { 0 } }, 97, -1, -1 } };
    const kp_quorum_partition partition[] = {
        { 0, 0, NULL, 1, 7, 99, { voters, 2 }, { observers, 1 } },
    };
    const kp_quorum_topic topic[] = { { "__cluster_metadata", { partition, 1 } } };
    kp_describe_quorum_response v1 = { 0, NULL, { topic, 1 }, { NULL, 0 } };
    golden(KP_DESCRIBE_QUORUM, 1, 1,
           "0000 02 13'__cluster_metadata' 02"
           "00000000 0000 00000001 00000007 0000000000000063"
           "03 00000001 0000000000000064 ffffffffffffffff 0000018bcfe56800 00"
           "   00000002 0000000000000062 0000018bcfe567f6 0000018bcfe567ec 00"
           "02 00000009 0000000000000061 ffffffffffffffff ffffffffffffffff 00"
           "00 00 00",
           &v1);

    const kp_quorum_listener listener[] = { { "CONTROLLER", "c1", 65535 } };
    const kp_quorum_node node[] = { { 1, { listener, 1 } } };
    const kp_quorum_replica with_dir[] = { { 1, id_a, 100, -1, -1 } };
    const kp_quorum_partition p2[] = { { 0, 0, NULL, 1, 7, 99, { with_dir, 1 }, { NULL, 0 } } };
    const kp_quorum_topic t2[] = { { "__cluster_metadata", { p2, 1 } } };
    kp_describe_quorum_response v2 = { 0, NULL, { t2, 1 }, { node, 1 } };
    golden(KP_DESCRIBE_QUORUM, 1, 2,
           "0000 00 02 13'__cluster_metadata' 02"
           "00000000 0000 00 00000001 00000007 0000000000000063"
           "02 00000001 " ID_A " 0000000000000064 ffffffffffffffff ffffffffffffffff 00 01 00"
           "00"
           "02 00000001 02 0b'CONTROLLER' 03'c1' ffff 00 00 00",
           &v2);

    const kp_quorum_request_partition asked[] = { { 0 } };
    const kp_quorum_request_topic asked_topic[] = { { "__cluster_metadata", { asked, 1 } } };
    kp_describe_quorum_request request = { { asked_topic, 1 } };
    golden(KP_DESCRIBE_QUORUM, 0, 1, "02 13'__cluster_metadata' 02 00000000 00 00 00", &request);
}

static void test_describe_configs(void **state KP_UNUSED)
{
    const kp_config_synonym synonyms[] = {
        { "min.insync.replicas", "2", KP_SOURCE_TOPIC },
        { "min.insync.replicas", NULL, KP_SOURCE_DEFAULT },
    };
    const kp_config_entry configs[] = {
        { "min.insync.replicas",
          "2",
          false,
          KP_SOURCE_TOPIC,
          false,
          { synonyms, 2 },
          3,
          "how many" },
        { "ssl.key.password", NULL, true, KP_SOURCE_STATIC_BROKER, true, { NULL, 0 }, 9, NULL },
    };
    const kp_describe_configs_result results[] = {
        { 0, NULL, KP_RESOURCE_TOPIC, "t", { configs, 2 } }
    };
    kp_describe_configs_response v4 = { 0, { results, 1 } };
    golden(KP_DESCRIBE_CONFIGS, 1, 4,
           "00000000 02 0000 00 02 02't' 03"
           "14'min.insync.replicas' 02'2' 00 01 00"
           "  03 14'min.insync.replicas' 02'2' 01 00 14'min.insync.replicas' 00 05 00"
           "  03 09'how many' 00"
           "11'ssl.key.password' 00 01 04 01 01 09 00 00"
           "00 00",
           &v4);

    const kp_config_entry plain[] = { { "k", "v", false, 1, false, { NULL, 0 }, 0, NULL } };
    const kp_describe_configs_result one[] = { { 0, NULL, KP_RESOURCE_BROKER, "1", { plain, 1 } } };
    kp_describe_configs_response v1 = { 0, { one, 1 } };
    golden(KP_DESCRIBE_CONFIGS, 1, 1,
           "00000000 00000001 0000 ffff 04 0001'1' 00000001 0001'k' 0001'v' 00 01 00 00000000",
           &v1);

    const char *const keys[] = { "a", "b" };
    const kp_describe_configs_resource resources[] = {
        { KP_RESOURCE_BROKER, "1", { NULL, KP_NULL_LIST } },
        { KP_RESOURCE_TOPIC, "t", { keys, 2 } },
    };
    kp_describe_configs_request request = { { resources, 2 }, true, false };
    golden(KP_DESCRIBE_CONFIGS, 0, 4, "03 04 02'1' 00 00 02 02't' 03 02'a' 02'b' 00 01 00 00",
           &request);
    golden(KP_DESCRIBE_CONFIGS, 0, 1,
           "00000002 04 0001'1' ffffffff 02 0001't' 00000002 0001'a' 0001'b' 01", &request);
}

static void test_describe_cluster(void **state KP_UNUSED)
{
    const kp_describe_cluster_broker brokers[] = { { 1, "h", 9092, NULL, false },
                                                   { 2, "h", 9093, "r", true } };
    kp_describe_cluster_response v2 = { 0,   0, NULL,           KP_ENDPOINT_BROKERS,
                                        "c", 2, { brokers, 2 }, INT32_MIN };
    golden(KP_DESCRIBE_CLUSTER, 1, 2,
           "00000000 0000 00 01 02'c' 00000002"
           "03 00000001 02'h' 00002384 00 00 00 00000002 02'h' 00002385 02'r' 01 00"
           "80000000 00",
           &v2);
    kp_describe_cluster_request request = { false, KP_ENDPOINT_CONTROLLERS, true };
    golden(KP_DESCRIBE_CLUSTER, 0, 2, "00 02 01 00", &request);
}

static void test_log_dirs(void **state KP_UNUSED)
{
    const kp_log_dir_partition partitions[] = { { 0, 1000, 5, false }, { 1, 2000, -1, true } };
    const kp_log_dir_topic topics[] = { { "t", { partitions, 2 } } };
    const kp_log_dir dirs[] = { { 0, "/d", { topics, 1 }, 10, 9 } },
                     old[] = { { 56, "/d", { NULL, 0 }, -1, -1 } };
    kp_describe_log_dirs_response v4 = { 0, 31, { dirs, 1 } }, v1 = { 0, 0, { old, 1 } };
    golden(KP_DESCRIBE_LOG_DIRS, 1, 4,
           "00000000 001f 02 0000 03'/d' 02 02't' 03"
           "00000000 00000000000003e8 0000000000000005 00 00"
           "00000001 00000000000007d0 ffffffffffffffff 01 00"
           "00 000000000000000a 0000000000000009 00 00",
           &v4);
    golden(KP_DESCRIBE_LOG_DIRS, 1, 1, "00000000 00000001 0038 0002'/d' 00000000", &v1);
}

static void test_writes(void **state KP_UNUSED)
{
    const int32_t partitions[] = { 0, 4 };
    const kp_elect_topic topics[] = { { "t", { partitions, 2 } } };
    kp_elect_leaders_request some = { KP_ELECTION_PREFERRED, { topics, 1 }, 30000 };
    kp_elect_leaders_request all = { KP_ELECTION_PREFERRED, { NULL, KP_NULL_LIST }, 30000 };
    golden(KP_ELECT_LEADERS, 0, 2, "00 02 02't' 03 00000000 00000004 00 00007530 00", &some);
    golden(KP_ELECT_LEADERS, 0, 2, "00 00 00007530 00", &all);
    golden(KP_ELECT_LEADERS, 0, 0, "00000001 0001't' 00000002 00000000 00000004 00007530", &some);

    const kp_elect_partition_result partition_results[] = { { 4, 84, "not needed" } };
    const kp_elect_result results[] = { { "t", { partition_results, 1 } } };
    kp_elect_leaders_response elected = { 0, 0, { results, 1 } };
    golden(KP_ELECT_LEADERS, 1, 0,
           "00000000 00000001 0001't' 00000001 00000004 0054 000a'not needed'", &elected);

    const kp_alterable_config configs[] = { { "k", KP_ALTER_SET, "v" },
                                            { "l", KP_ALTER_DELETE, NULL } };
    const kp_alter_configs_resource resources[] = { { KP_RESOURCE_BROKER, "", { configs, 2 } } };
    kp_incremental_alter_configs_request alter = { { resources, 1 }, true };
    golden(KP_INCREMENTAL_ALTER_CONFIGS, 0, 1,
           "02 04 01 03 02'k' 00 02'v' 00 02'l' 01 00 00 00 01 00", &alter);
    golden(KP_INCREMENTAL_ALTER_CONFIGS, 0, 0,
           "00000001 04 0000 00000002 0001'k' 00 0001'v' 0001'l' 01 ffff 01", &alter);
    const kp_alter_configs_result altered[] = { { 40, "bad", KP_RESOURCE_BROKER, "1" } };
    kp_incremental_alter_configs_response alter_response = { 0, { altered, 1 } };
    golden(KP_INCREMENTAL_ALTER_CONFIGS, 1, 1, "00000000 02 0028 04'bad' 04 02'1' 00 00",
           &alter_response);

    kp_unregister_broker_request unregister = { 9 };
    golden(KP_UNREGISTER_BROKER, 0, 0, "00000009 00", &unregister);
    kp_unregister_broker_response unregistered = { 0, 102, NULL };
    golden(KP_UNREGISTER_BROKER, 1, 0, "00000000 0066 00 00", &unregistered);
}

static void test_groups_and_offsets(void **state KP_UNUSED)
{
    kp_list_groups_request all = { { NULL, 0 }, { NULL, 0 } };
    golden(KP_LIST_GROUPS, 0, 4, "01 00", &all);
    golden(KP_LIST_GROUPS, 0, 5, "01 01 00", &all);
    kp_listed_group listed[] = { { "g1", "consumer", "Stable", "classic" } };
    kp_list_groups_response groups = { 0, 0, { listed, 1 } };
    golden(KP_LIST_GROUPS, 1, 5,
           "00000000 0000 02 03'g1' 09'consumer' 07'Stable' 08'classic' 00 00", &groups);

    kp_offset_fetch_request one = { .group_id = "g1", .topics = { NULL, KP_NULL_LIST } };
    golden(KP_OFFSET_FETCH, 0, 7, "03'g1' 00 00 00", &one);
    kp_offset_fetch_group of[] = { { "g1", { NULL, KP_NULL_LIST } } };
    kp_offset_fetch_request many = { .group_id = "", .groups = { of, 1 } };
    golden(KP_OFFSET_FETCH, 0, 8, "02 03'g1' 00 00 00 00", &many);
#define FETCHED "02 02't' 02 00000003 000000000000002a ffffffff 01 0000 00 00"
    kp_fetched_partition partition[] = { { 3, 42, -1, "", 0 } };
    kp_fetched_topic topic[] = { { "t", { partition, 1 } } };
    kp_offset_fetch_response v7 = { .topics = { topic, 1 } };
    golden(KP_OFFSET_FETCH, 1, 7, "00000000 " FETCHED " 0000 00", &v7);
    kp_fetched_group group[] = { { "g1", { topic, 1 }, 0 } };
    kp_offset_fetch_response v8 = { .groups = { group, 1 } };
    golden(KP_OFFSET_FETCH, 1, 8, "00000000 02 03'g1' " FETCHED " 0000 00 00", &v8);
#undef FETCHED

    kp_list_offsets_partition asked[] = { { 3, 5, KP_OFFSET_LATEST } };
    kp_list_offsets_topic asked_topic[] = { { "t", { asked, 1 } } };
    kp_list_offsets_request ends = { KP_REPLICA_NONE, 0, { asked_topic, 1 } };
    golden(KP_LIST_OFFSETS, 0, 6,
           "ffffffff 00 02 02't' 02 00000003 00000005 ffffffffffffffff 00 00 00", &ends);
    golden(KP_LIST_OFFSETS, 0, 4,
           "ffffffff 00 00000001 0001't' 00000001 00000003 00000005 ffffffffffffffff", &ends);
    kp_listed_partition end[] = { { 3, 0, -1, 100, 5 } };
    kp_listed_topic end_topic[] = { { "t", { end, 1 } } };
    kp_list_offsets_response told = { 0, { end_topic, 1 } };
    golden(KP_LIST_OFFSETS, 1, 6,
           "00000000 02 02't' 02 00000003 0000 ffffffffffffffff 0000000000000064 00000005 00 00 00",
           &told);
}

static void test_reassignments(void **state KP_UNUSED)
{
    const int32_t replicas[] = { 2, 3, 1 }, adding[] = { 2 }, removing[] = { 1 };
    const kp_reassigning_partition partitions[] = {
        { 0, { replicas, 3 }, { adding, 1 }, { removing, 1 } }
    };
    const kp_reassigning_topic topics[] = { { "t", { partitions, 1 } } };
    kp_list_partition_reassignments_response response = { 0, 0, NULL, { topics, 1 } };
    golden(KP_LIST_PARTITION_REASSIGNMENTS, 1, 0,
           "00000000 0000 00 02 02't' 02 00000000 04 00000002 00000003 00000001 02 00000002 02 "
           "00000001"
           "00 00 00",
           &response);
    kp_list_partition_reassignments_request all = { 5000, { NULL, KP_NULL_LIST } };
    golden(KP_LIST_PARTITION_REASSIGNMENTS, 0, 0, "00001388 00 00", &all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_api_versions),     cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_describe_quorum),  cmocka_unit_test(test_describe_configs),
        cmocka_unit_test(test_describe_cluster), cmocka_unit_test(test_log_dirs),
        cmocka_unit_test(test_writes),           cmocka_unit_test(test_groups_and_offsets),
        cmocka_unit_test(test_reassignments),
    };
    return cmocka_run_group_tests_name("kafka/messages", tests, NULL, NULL);
}
