/* The codec: any message at any version survives the wire, and nothing else gets in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "with_wire.h"

enum { ROUNDS = 120, MEMORY = 64 << 20 };

/* Calls fn for each API, version and side. */
typedef void (*each_fn)(const kp_api *api, int response, int version, const kp_schema *s,
                        bool flexible);

static void each(each_fn fn)
{
    for (size_t i = 0; i < kp_apis_n; i++)
        for (int side = 0; side < 2; side++)
            for (int v = kp_apis[i].min; v <= kp_apis[i].max; v++)
                fn(&kp_apis[i], side, v, wire_side(&kp_apis[i], side), v >= kp_apis[i].flexible);
}

static void must(kp_err *e)
{
    if (e)
        fail_msg("%s", e->what);
}

static void *decode(kp_arena *a, const kp_schema *s, int version, bool flexible, const kp_buf *b,
                    size_t *ret_left)
{
    void *message = NULL;
    must(kp_wire_decode(a, s, version, flexible, b->p ? b->p : "", b->n, &message, ret_left));
    return message;
}

static void round_trip(const kp_api *api, int response, int version, const kp_schema *s,
                       bool flexible)
{
    wire_dice d = { 0x9e3779b97f4a7c15u + (uint64_t)(api->key * 100 + version * 2 + response) };
    for (int i = 0; i < ROUNDS; i++) {
        KP_AUTO_ARENA a = kp_arena_new("round trip", MEMORY);
        KP_AUTO_BUF b = KP_BUF_INIT(1 << 20);
        const void *m = wire_random(a, &d, s, version);
        must(kp_wire_encode(&b, s, version, flexible, m));
        size_t left;
        const void *again = decode(a, s, version, flexible, &b, &left);
        assert_int_equal(left, 0);
        assert_true(wire_equal(s, m, again));
    }
}

static void test_round_trip(void **state KP_UNUSED)
{
    each(round_trip);
}

static void truncations(const kp_api *api, int response, int version, const kp_schema *s,
                        bool flexible)
{
    wire_dice d = { 77 + (uint64_t)(api->key * 100 + version * 2 + response) };
    for (int i = 0; i < 4; i++) {
        KP_AUTO_ARENA a = kp_arena_new("truncations", MEMORY);
        KP_AUTO_BUF b = KP_BUF_INIT(1 << 20);
        must(kp_wire_encode(&b, s, version, flexible, wire_random(a, &d, s, version)));
        for (size_t n = 0; n < b.n; n++) {
            KP_AUTO_ARENA scratch = kp_arena_new("truncations", MEMORY);
            char *exact = malloc(n ? n : 1); /* so that reading beyond it is seen */
            void *message = NULL;
            size_t left = 12345;
            memcpy(exact, b.p, n);
            kp_err *e = kp_wire_decode(scratch, s, version, flexible, exact, n, &message, &left);
            assert_non_null(e);
            assert_int_equal(e->cls, KP_CLUSTER);
            assert_null(message);
            assert_int_equal(left, 12345);
            kp_err_drop(e);
            free(exact);
        }
    }
}

static void test_truncations_are_rejected(void **state KP_UNUSED)
{
    each(truncations);
}

static void copies(const kp_api *api, int response, int version, const kp_schema *s, bool flexible)
{
    KP_AUTO_ARENA a = kp_arena_new("copy", MEMORY);
    wire_dice d = { 5 + (uint64_t)(api->key * 100 + version * 2 + response + flexible) };
    kp_arena *first = kp_arena_new("first", MEMORY);
    const void *m = wire_random(first, &d, s, version);
    KP_AUTO_BUF before = KP_BUF_INIT(1 << 20), after = KP_BUF_INIT(1 << 20);
    must(kp_wire_encode(&before, s, version, flexible, m));
    const void *copy = kp_wire_copy(a, s, m);
    assert_true(wire_equal(s, m, copy));
    kp_arena_free(first); /* the copy stands alone */
    must(kp_wire_encode(&after, s, version, flexible, copy));
    assert_int_equal(before.n, after.n);
    assert_memory_equal(kp_buf_text(&before), kp_buf_text(&after), before.n);
}

static void test_copy_is_deep(void **state KP_UNUSED)
{
    each(copies);
}

static void test_schemas_are_well_formed(void **state KP_UNUSED)
{
    for (size_t i = 0; i < kp_apis_n; i++) {
        assert_ptr_equal(kp_api_find(kp_apis[i].key), &kp_apis[i]);
        assert_true(kp_apis[i].min <= kp_apis[i].max);
        for (int side = 0; side < 2; side++) {
            const kp_schema *s = wire_side(&kp_apis[i], side);
            int tag = -1;
            for (size_t k = 0; k < s->n; k++) {
                const kp_field *f = &s->fields[k];
                assert_true(f->from <= kp_apis[i].max); /* else it is never sent */
                if (!f->tagged)
                    continue;
                assert_true(f->tag > tag);
                assert_true(f->from >= kp_apis[i].flexible);
                tag = f->tag;
            }
        }
    }
    assert_null(kp_api_find(0));
}

/* ---- hostile bytes: ApiVersions response and friends, made by hand ---- */

typedef struct bad {
    const char *name;
    int api, response, version;
    const char *hex;
    const char *says; /* part of the message; NULL: it must be accepted */
} bad;

static const bad cases[] = {
    { "good v0", 18, 1, 0, "0000 00000001 0012 0000 0004", NULL },
    { "count beyond the bytes", 18, 1, 0, "0000 7fffffff 0012 0000 0004", "count" },
    { "count one too large", 18, 1, 0, "0000 00000002 0012 0000 0004", "count" },
    { "null list", 18, 1, 0, "0000 ffffffff", "null" },
    { "negative count", 18, 1, 0, "0000 fffffffe", "negative" },
    { "bytes left over", 18, 1, 0, "0000 00000000 00 00 00", NULL },
    { "compact null list", 18, 1, 3, "0000 00 00000000 00", "null" },
    { "good v3", 18, 1, 3, "0000 01 00000000 00", NULL },
    { "good v3 with an epoch", 18, 1, 3, "0000 01 00000000 01 01 08 0000000000000007", NULL },
    { "unknown tag", 18, 1, 3, "0000 01 00000000 01 63 03 aabbcc", NULL },
    { "known and unknown tags", 18, 1, 3, "0000 01 00000000 02 03 01 01 09 00", NULL },
    { "tag twice", 18, 1, 3, "0000 01 00000000 02 03 01 01 03 01 01", "order" },
    { "tags descending", 18, 1, 3, "0000 01 00000000 02 03 01 01 01 08 0000000000000007", "order" },
    { "tag shorter than its size", 18, 1, 3, "0000 01 00000000 01 03 02 0101", "shorter" },
    { "tag longer than its size", 18, 1, 3, "0000 01 00000000 01 01 04 0000000000000007", "early" },
    { "tag beyond the bytes", 18, 1, 3, "0000 01 00000000 01 63 7f aa", "longer" },
    { "varint of six bytes", 18, 1, 3, "0000 8080808080 01 00000000 00", "variable-length" },
    { "varint above 32 bits", 18, 1, 3, "0000 ffffffff1f 00000000 00", "variable-length" },
    { "count of 2^32 - 1", 18, 1, 3, "0000 ffffffff0f 00000000 00", "count" },
    { "null text", 18, 0, 3, "00 0161 00", "null" },
    { "empty texts", 18, 0, 3, "01 01 00", NULL },
    { "text with a NUL", 18, 0, 3, "04 'a' 00 'b' 01 00", "NUL" },
    { "text beyond the bytes", 18, 0, 3, "7f 'a' 01 00", "text" },
    { "plain text, length -2", 32, 0, 1, "00000001 02 fffe 00000000 00", "negative" },
    { "plain text, null", 32, 0, 1, "00000001 02 ffff 00000000 00", "null" },
    { "null topics are all topics", 3, 0, 4, "ffffffff 00", NULL },
    { "null keys are all keys", 32, 0, 4, "02 02 02 't' 00 00 00 00 00", NULL },
};

static void test_hostile_bytes(void **state KP_UNUSED)
{
    for (size_t i = 0; i < KP_COUNT(cases); i++) {
        const bad *c = &cases[i];
        KP_AUTO_ARENA a = kp_arena_new("hostile", MEMORY);
        KP_AUTO_BUF b = KP_BUF_INIT(4096);
        const kp_api *api = kp_api_find(c->api);
        void *message = NULL;
        size_t left;
        wire_hex(&b, c->hex);
        kp_err *e = kp_wire_decode(a, wire_side(api, c->response), c->version,
                                   c->version >= api->flexible, b.p, b.n, &message, &left);
        if (!c->says && e)
            fail_msg("%s: %s", c->name, e->what);
        if (c->says && (!e || !strstr(e->what, c->says)))
            fail_msg("%s: %s", c->name, e ? e->what : "accepted");
        kp_err_drop(e);
    }
}

static void test_message_names_the_field(void **state KP_UNUSED)
{
    KP_AUTO_ARENA a = kp_arena_new("path", MEMORY);
    KP_AUTO_BUF b = KP_BUF_INIT(4096);
    const kp_api *api = kp_api_find(KP_METADATA);
    void *message;
    size_t left;
    /* v12: no brokers, no cluster id, controller 1, two topics, the second with a null ISR in
     * partition 0 */
    wire_hex(
        &b,
        "00000000 01 00 00000001 03"
        "0000 02't' 00000000000000000000000000000000 00 01 80000000 00"
        "0000 02'u' 00000000000000000000000000000000 00 02 0000 00000000 00000001 00000000 01 00");
    for (int i = 0; i < 32; i++)
        kp_buf_chr(&b, 0);
    kp_err *e = kp_wire_decode(a, api->response, 12, true, b.p, b.n, &message, &left);
    assert_non_null(e);
    assert_non_null(strstr(e->what, "topics[1].partitions[0].isr_nodes: null"));
    kp_err_drop(e);
}

static void test_fields_beyond_the_version(void **state KP_UNUSED)
{
    KP_AUTO_BUF b = KP_BUF_INIT(4096);
    const struct {
        int api, version;
        const void *request;
        int cls; /* 0: it goes out */
    } rows[] = {
        { KP_DESCRIBE_CLUSTER, 0,
          &(kp_describe_cluster_request){ .endpoint_type = KP_ENDPOINT_BROKERS }, 0 },
        { KP_DESCRIBE_CLUSTER, 0,
          &(kp_describe_cluster_request){ .endpoint_type = KP_ENDPOINT_CONTROLLERS }, KP_CLUSTER },
        { KP_DESCRIBE_CLUSTER, 1,
          &(kp_describe_cluster_request){ .endpoint_type = KP_ENDPOINT_CONTROLLERS }, 0 },
        { KP_DESCRIBE_CLUSTER, 1,
          &(kp_describe_cluster_request){ .endpoint_type = KP_ENDPOINT_BROKERS,
                                           .include_fenced_brokers = true },
          KP_CLUSTER },
        { KP_ELECT_LEADERS, 0,
          &(kp_elect_leaders_request){ .topic_partitions = { .n = KP_NULL_LIST } }, 0 },
        { KP_ELECT_LEADERS, 0, &(kp_elect_leaders_request){ .election_type = KP_ELECTION_UNCLEAN },
          KP_CLUSTER },
        { KP_METADATA, 8,
          &(kp_metadata_request){ .topics = { &(kp_metadata_request_topic){ .name = NULL }, 1 } },
          KP_INTERNAL },
        { KP_METADATA, 12,
          &(kp_metadata_request){ .topics = { &(kp_metadata_request_topic){ .name = NULL }, 1 } },
          0 },
        { KP_DESCRIBE_CONFIGS, 2, &(kp_describe_configs_request){ .include_documentation = true },
          KP_CLUSTER },
        { KP_DESCRIBE_QUORUM, 0, &(kp_describe_quorum_request){ .topics = { .n = KP_NULL_LIST } },
          KP_INTERNAL },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const kp_api *api = kp_api_find(rows[i].api);
        kp_buf_clear(&b);
        kp_err *e = kp_wire_encode(&b, api->request, rows[i].version,
                                   rows[i].version >= api->flexible, rows[i].request);
        if ((e ? (int)e->cls : 0) != rows[i].cls)
            fail_msg("row %zu: %s", i, e ? e->what : "went out");
        kp_err_drop(e);
    }
}

static void test_text_longer_than_a_plain_version_carries(void **state KP_UNUSED)
{
    KP_AUTO_ARENA a = kp_arena_new("long", MEMORY);
    const kp_api *api = kp_api_find(KP_INCREMENTAL_ALTER_CONFIGS);
    char *text = kp_alloc(a, 40001);
    memset(text, 'x', 40000);
    kp_alterable_config config = { "k", KP_ALTER_SET, text };
    kp_alter_configs_resource resource = { KP_RESOURCE_TOPIC, "t", { &config, 1 } };
    kp_incremental_alter_configs_request request = { { &resource, 1 }, false };
    KP_AUTO_BUF plain = KP_BUF_INIT(1 << 20), compact = KP_BUF_INIT(1 << 20);
    kp_err *e = kp_wire_encode(&plain, api->request, 0, false, &request);
    assert_non_null(e);
    assert_non_null(strstr(e->what, "resources[0].configs[0].value"));
    kp_err_drop(e);
    must(kp_wire_encode(&compact, api->request, 1, true, &request));
    size_t left;
    kp_incremental_alter_configs_request *got = decode(a, api->request, 1, true, &compact, &left);
    assert_string_equal(got->resources.v[0].configs.v[0].value, text);
}

static void test_a_message_over_the_limit_is_an_error(void **state KP_UNUSED)
{
    KP_AUTO_BUF b = KP_BUF_INIT(3);
    kp_err *e = kp_wire_encode(&b, kp_api_find(KP_METADATA)->request, 4, false,
                               &(kp_metadata_request){ 0 });
    assert_non_null(e);
    kp_err_drop(e);
}

/* ---- frames ---- */

static void test_request_frames(void **state KP_UNUSED)
{
    const struct {
        int api, version;
        const void *request;
        const char *hex;
    } rows[] = {
        { KP_API_VERSIONS, 0, &(kp_api_versions_request){ 0 },
          "0000000f 0012 0000 00000007 0005'kplay'" },
        { KP_API_VERSIONS, 3, &(kp_api_versions_request){ "kplay", "0.1.0" },
          "0000001d 0012 0003 00000007 0005'kplay' 00 06'kplay' 06'0.1.0' 00" },
        { KP_METADATA, 4, &(kp_metadata_request){ .topics = { .n = KP_NULL_LIST } },
          "00000014 0003 0004 00000007 0005'kplay' ffffffff 00" },
        { KP_METADATA, 12, &(kp_metadata_request){ .topics = { .n = KP_NULL_LIST } },
          "00000014 0003 000c 00000007 0005'kplay' 00 00 00 00 00" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_BUF got = KP_BUF_INIT(4096), expected = KP_BUF_INIT(4096);
        must(kp_frame_request(&got, kp_api_find(rows[i].api), rows[i].version, 7, "kplay",
                              rows[i].request));
        wire_hex(&expected, rows[i].hex);
        assert_int_equal(got.n, expected.n);
        assert_memory_equal(got.p, expected.p, got.n);
        assert_int_equal(kp_frame_size(got.p), got.n - 4);
    }
}

static void test_failed_request_leaves_no_bytes(void **state KP_UNUSED)
{
    KP_AUTO_BUF out = KP_BUF_INIT(4096);
    kp_buf_str(&out, "before");
    kp_err *e = kp_frame_request(&out, kp_api_find(KP_DESCRIBE_CLUSTER), 0, 1, "kplay",
                                 &(kp_describe_cluster_request){ .endpoint_type = 2 });
    assert_non_null(e);
    assert_string_equal(kp_buf_text(&out), "before");
    kp_err_drop(e);
}

static void test_response_frames(void **state KP_UNUSED)
{
    static const struct {
        const char *name;
        int api, version;
        const char *hex, *says;
    } rows[] = {
        { "v0 header", KP_METADATA, 4, "00000007 00000000 00000000 ffff 00000001 00000000", NULL },
        { "v1 header with a tag", KP_DESCRIBE_CLUSTER, 0,
          "00000007 01 05 02 aabb 00000000 0000 00 02'c' 00000001 01 80000000 00", NULL },
        { "ApiVersions has no header tags", KP_API_VERSIONS, 3, "00000007 0000 01 00000000 00",
          NULL },
        { "error 35 is in v0", KP_API_VERSIONS, 4, "00000007 0023 00000001 0012 0000 0003", NULL },
        { "another question's answer", KP_METADATA, 4, "00000008 00000000",
          "correlation id 8, not 7" },
        { "too short for a header", KP_METADATA, 4, "0000", "shorter" },
        { "header tags cut", KP_METADATA, 12, "00000007", "early" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        KP_AUTO_ARENA a = kp_arena_new("frames", MEMORY);
        KP_AUTO_BUF b = KP_BUF_INIT(4096);
        const void *response = NULL;
        wire_hex(&b, rows[i].hex);
        kp_err *e = kp_frame_response(a, kp_api_find(rows[i].api), rows[i].version, 7, b.p, b.n,
                                      &response);
        if (!rows[i].says && (e || !response))
            fail_msg("%s: %s", rows[i].name, e ? e->what : "no answer");
        if (rows[i].says && (!e || !strstr(e->what, rows[i].says)))
            fail_msg("%s: %s", rows[i].name, e ? e->what : "accepted");
        kp_err_drop(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncations_are_rejected),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_schemas_are_well_formed),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_message_names_the_field),
        cmocka_unit_test(test_fields_beyond_the_version),
        cmocka_unit_test(test_text_longer_than_a_plain_version_carries),
        cmocka_unit_test(test_a_message_over_the_limit_is_an_error),
        cmocka_unit_test(test_request_frames),
        cmocka_unit_test(test_failed_request_leaves_no_bytes),
        cmocka_unit_test(test_response_frames),
    };
    return cmocka_run_group_tests_name("kafka/codec", tests, NULL, NULL);
}
