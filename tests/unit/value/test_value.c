/* Values: building, sharing, looking up, comparing; above all that maps are always in key order. */
#include "value/value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static kp_arena *a;

static int set_up(void **state)
{
    (void)state;
    a = kp_arena_new("test", 64 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kp_arena_free(a);
    return 0;
}

static void test_scalars(void **state)
{
    (void)state;
    assert_int_equal(kp_nil()->type, KP_NIL);
    assert_true(kp_bool(true)->u.b);
    assert_false(kp_bool(false)->u.b);
    assert_true(kp_int(a, INT64_MIN)->u.i == INT64_MIN);
    assert_true(kp_double(a, 0.1)->u.d == 0.1);
    assert_ptr_equal(kp_text(a, NULL), kp_nil());
    char source[] = "broker";
    const kp_value *v = kp_text(a, source);
    source[0] = 'x';
    assert_string_equal(v->u.s, "broker");
    assert_int_equal(v->n, 6);
    v = kp_bytes(a, "a\0b", 3);
    assert_int_equal(v->n, 3);
    assert_memory_equal(v->u.s, "a\0b", 4);
    assert_int_equal(kp_bytes(a, NULL, 0)->n, 0);
    for (int width = 253; width < 259; width++) {
        v = kp_textf(a, "%0*d", width, 7);
        assert_int_equal(v->n, width);
        assert_int_equal(strlen(v->u.s), width);
        assert_int_equal(v->u.s[width - 1], '7');
    }
}

static void test_list(void **state)
{
    (void)state;
    kp_builder b = kp_list_begin(a);
    const kp_value *none = kp_list_end(&b);
    for (int i = 0; i < 1000; i++)
        kp_list_add(&b, kp_int(a, i));
    const kp_value *list = kp_list_end(&b);
    kp_list_add(&b, NULL); /* the builder goes on without touching what it gave out */
    kp_list_add(&b, kp_nil());
    const kp_value *longer = kp_list_end(&b);
    assert_int_equal(kp_len(none), 0);
    assert_int_equal(kp_len(list), 1000);
    assert_int_equal(kp_len(longer), 1002);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(kp_as_int(kp_at(list, (size_t)i), -1), i);
    assert_null(kp_at(list, 1000));
    assert_int_equal(kp_at(longer, 1000)->type, KP_NIL);
    assert_int_equal(kp_at(longer, 1001)->type, KP_NIL);
}

static void assert_in_order(const kp_value *map)
{
    for (uint32_t i = 1; i < map->n; i++)
        assert_true(strcmp(map->keys[i - 1], map->keys[i]) < 0);
}

/* Pairs in random order with repeated keys and removals, against an array that does the same. */
static void test_map_builder(void **state)
{
    (void)state;
    enum { KEYS = 300 };
    uint32_t seed = 7;
    for (int adds = 0; adds < 900; adds += adds < 60 ? 1 : 120) {
        int64_t expected[KEYS];
        memset(expected, 0xff, sizeof expected); /* -1: not there */
        kp_builder b = kp_map_begin(a);
        for (int i = 0; i < adds; i++) {
            seed = seed * 1664525 + 1013904223;
            uint32_t k = (seed >> 8) % KEYS;
            bool remove = seed >> 29 == 0;
            char key[16];
            snprintf(key, sizeof key, "k%u", k);
            kp_map_add(&b, key, remove ? (i % 2 ? kp_nil() : NULL) : kp_int(a, i));
            memset(key, '!', sizeof key);
            expected[k] = remove ? -1 : i;
        }
        const kp_value *map = kp_map_end(&b);
        kp_map_add(&b, "k0", kp_int(a, 12345));
        assert_int_equal(kp_get_int(kp_map_end(&b), "k0", 0), 12345);

        assert_in_order(map);
        uint32_t there = 0;
        for (int k = 0; k < KEYS; k++) {
            assert_int_equal(kp_get_int(map, kp_printf(a, "k%d", k), -1), expected[k]);
            there += expected[k] >= 0;
        }
        assert_int_equal(map->n, there);
    }
}

static void test_map_of_pairs(void **state)
{
    (void)state;
    const kp_value *map = kp_map(a, "topic", kp_text(a, "orders"), "gone", NULL, "id", kp_int(a, 1),
                                 "none", kp_nil(), "id", kp_int(a, 2), "", kp_bool(true), NULL);
    assert_in_order(map);
    assert_int_equal(map->n, 3);
    assert_string_equal(map->keys[0], "");
    assert_int_equal(kp_get_int(map, "id", 0), 2);
    assert_string_equal(kp_get_text(map, "topic", "-"), "orders");
    assert_null(kp_get(map, "gone"));
    assert_null(kp_get(map, "none"));
    assert_true(kp_get_bool(map, "", false));
    assert_int_equal(kp_len(kp_map(a, NULL)), 0);

    const kp_value *one = kp_int(a, 1);
    const kp_value *many =
        kp_map(a, "t", one, "s", one, "r", one, "q", one, "p", one, "o", one, "n", one, "m", one,
               "l", one, "k", one, "j", one, "i", one, "h", one, "g", one, "f", one, "e", one, "d",
               one, "c", one, "b", one, "a", one, NULL);
    assert_int_equal(many->n, 20);
    assert_in_order(many);
}

static void test_keys_are_ordered_by_byte(void **state)
{
    (void)state;
    const kp_value *v = kp_bool(true);
    const kp_value *map =
        kp_map(a, "\xff", v, "b", v, "a", v, "B", v, "\xc3\xa9", v, "ab", v, NULL);
    static const char *const expected[] = { "B", "a", "ab", "b", "\xc3\xa9", "\xff" };
    for (size_t i = 0; i < KP_COUNT(expected); i++) {
        assert_string_equal(map->keys[i], expected[i]);
        assert_ptr_equal(kp_get(map, expected[i]), v);
    }
}

static void test_map_with(void **state)
{
    (void)state;
    const kp_value *map = kp_map(a, "b", kp_int(a, 2), "d", kp_int(a, 4), NULL);
    static const struct {
        const char *key;
        int value; /* 0: nil */
        const char *keys, *values;
    } rows[] = {
        { "a", 9, "abd", "924" }, { "c", 9, "bcd", "294" }, { "e", 9, "bde", "249" },
        { "b", 9, "bd", "94" },   { "d", 9, "bd", "29" },   { "b", 0, "d", "4" },
        { "d", 0, "b", "2" },     { "c", 0, "bd", "24" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        const kp_value *v = rows[i].value ? kp_int(a, rows[i].value) : kp_nil();
        const kp_value *with = kp_map_with(a, map, rows[i].key, v);
        assert_int_equal(with->n, strlen(rows[i].keys));
        for (uint32_t k = 0; k < with->n; k++) {
            assert_int_equal(with->keys[k][0], rows[i].keys[k]);
            assert_int_equal(with->u.items[k]->u.i, rows[i].values[k] - '0');
        }
        assert_int_equal(map->n, 2);
        assert_int_equal(kp_get_int(map, "b", 0), 2);
    }
    assert_int_equal(kp_get_int(kp_map_with(a, NULL, "x", kp_int(a, 1)), "x", 0), 1);
    assert_int_equal(kp_len(kp_map_with(a, kp_int(a, 3), "x", NULL)), 0);
    assert_int_equal(kp_map_with(a, NULL, "x", NULL)->type, KP_MAP);
}

static void test_copy_outlives_its_source(void **state)
{
    (void)state;
    kp_arena *short_lived = kp_arena_new("short", 1 << 20);
    const int isr[] = { 3, 1, 2 };
    const kp_value *v = kp_map(short_lived, "isr", kp_ints(short_lived, isr, 3), "name",
                               kp_bytes(short_lived, "a\0b", 3), "up", kp_bool(true), "lag",
                               kp_double(short_lived, 0.5), "inner",
                               kp_map(short_lived, "k", kp_text(short_lived, "v"), NULL), NULL);
    const kp_value *copy = kp_value_copy(a, v);
    assert_true(kp_value_equal(copy, v));
    kp_arena_free(short_lived);
    assert_int_equal(kp_as_int(kp_at(kp_get(copy, "isr"), 0), 0), 3);
    assert_string_equal(kp_get_text(kp_get(copy, "inner"), "k", ""), "v");
    assert_memory_equal(kp_get(copy, "name")->u.s, "a\0b", 4);
    assert_true(kp_get(copy, "lag")->u.d == 0.5);
    assert_in_order(copy);
    assert_null(kp_value_copy(a, NULL));
    assert_ptr_equal(kp_value_copy(a, kp_nil()), kp_nil());
}

static void test_getters_answer_the_default(void **state)
{
    (void)state;
    const kp_value *map = kp_map(a, "int", kp_int(a, 1), "text", kp_text(a, "t"), "yes",
                                 kp_bool(true), "real", kp_double(a, 1.0), NULL);
    const kp_value *not_maps[] = {
        NULL, kp_nil(), kp_int(a, 1), kp_text(a, "int"), kp_ints(a, NULL, 0),
    };
    for (size_t i = 0; i < KP_COUNT(not_maps); i++) {
        assert_null(kp_get(not_maps[i], "int"));
        assert_null(kp_at(not_maps[i], 0));
        assert_int_equal(kp_len(not_maps[i]), 0);
        assert_int_equal(kp_get_int(not_maps[i], "int", -7), -7);
        assert_false(kp_list_has_int(not_maps[i], 1));
    }
    assert_null(kp_at(map, 0));
    assert_false(kp_list_has_int(map, 1));
    assert_int_equal(kp_len(map), 4);
    assert_int_equal(kp_get_int(map, "text", -7), -7);
    assert_int_equal(kp_get_int(map, "real", -7), -7);
    assert_int_equal(kp_get_int(map, "int", -7), 1);
    assert_string_equal(kp_get_text(map, "int", "no"), "no");
    assert_null(kp_get_text(map, "absent", NULL));
    assert_string_equal(kp_as_text(kp_get(map, "text"), "no"), "t");
    assert_true(kp_get_bool(map, "int", true));
    assert_false(kp_get_bool(map, "int", false));
    assert_true(kp_get_bool(map, "yes", false));
    assert_true(kp_is(NULL, KP_NIL));
    assert_false(kp_is(NULL, KP_MAP));
    assert_true(kp_is(map, KP_MAP));
    const int ids[] = { 5, -1 };
    assert_true(kp_list_has_int(kp_ints(a, ids, 2), -1));
    assert_false(kp_list_has_int(kp_ints(a, ids, 2), 1));
}

static void test_equal(void **state)
{
    (void)state;
    const int one_two[] = { 1, 2 }, two_one[] = { 2, 1 };
    const kp_value *different[] = {
        kp_nil(),
        kp_bool(false),
        kp_bool(true),
        kp_int(a, 0),
        kp_int(a, 1),
        kp_double(a, 0.0),
        kp_double(a, -0.0),
        kp_double(a, 1.0),
        kp_double(a, (double)NAN),
        kp_text(a, ""),
        kp_text(a, "a"),
        kp_bytes(a, "a\0", 2),
        kp_bytes(a, "a\0b", 3),
        kp_ints(a, NULL, 0),
        kp_ints(a, one_two, 1),
        kp_ints(a, one_two, 2),
        kp_ints(a, two_one, 2),
        kp_map(a, NULL),
        kp_map(a, "a", kp_int(a, 1), NULL),
        kp_map(a, "b", kp_int(a, 1), NULL),
        kp_map(a, "a", kp_int(a, 2), NULL),
        kp_map(a, "a", kp_int(a, 1), "b", kp_int(a, 1), NULL),
    };
    for (size_t i = 0; i < KP_COUNT(different); i++)
        for (size_t k = 0; k < KP_COUNT(different); k++)
            if (kp_value_equal(different[i], kp_value_copy(a, different[k])) != (i == k))
                fail_msg("row %zu and row %zu", i, k);
    assert_true(kp_value_equal(NULL, kp_nil()));
    assert_true(kp_value_equal(NULL, NULL));
    assert_false(kp_value_equal(NULL, kp_bool(false)));
    assert_true(kp_value_equal(kp_map(a, "x", kp_int(a, 1), "y", kp_int(a, 2), NULL),
                               kp_map(a, "y", kp_int(a, 2), "x", kp_int(a, 1), NULL)));
}

static void test_type_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "nil", "boolean", "integer", "number", "string", "list", "map",
    };
    for (size_t i = 0; i < KP_COUNT(names); i++)
        assert_string_equal(kp_type_name((kp_type)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_map_builder),
        cmocka_unit_test(test_map_of_pairs),
        cmocka_unit_test(test_keys_are_ordered_by_byte),
        cmocka_unit_test(test_map_with),
        cmocka_unit_test(test_copy_outlives_its_source),
        cmocka_unit_test(test_getters_answer_the_default),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_type_names),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
