/* What must be the same in every process: table.sort, pairs and next, random numbers. */
#include "luaapi/with_engine.h"

#include <stdlib.h>
#include <string.h>

typedef struct row {
    const char *lua, *expected;
} row;

static void sorts(void **state)
{
    static const row rows[] = {
        { "{}", "[]" },
        { "{ 1 }", "[1]" },
        { "{ 3, 1, 2 }", "[1,2,3]" },
        { "{ 2.5, 1, -1, 10 }", "[-1,1,2.5,10]" },
        { "{ 'b', 'a', 'B', '', 'aa', '\\255' }",
          "[\"\",\"B\",\"a\",\"aa\",\"b\",{\"$b64\":\"/w==\"}]" },
        { "{ 'a\\0b', 'a', 'a\\0a' }", "[\"a\",\"a\\u0000a\",\"a\\u0000b\"]" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(
            outcome(*state, kp_printf(*state, "local t = %s table.sort(t) say(t)", rows[i].lua)),
            rows[i].expected);
}

/* Against a plain insertion sort, which is stable, for every length up to 70 and with many ties. */
static void sorts_stably(void **state)
{
    static const char body[] =
        "local x = 7\n"
        "local function draw(n) x = (x * 1103515245 + 12345) % 2147483648 return x // 65536 % n "
        "end\n"
        "for n = 0, 70 do\n"
        "  local own, plain = {}, {}\n"
        "  for i = 1, n do own[i] = { key = draw(6), was = i } plain[i] = own[i] end\n"
        "  table.sort(own, function(a, b) return a.key < b.key end)\n"
        "  for i = 2, n do\n"
        "    local v, k = plain[i], i - 1\n"
        "    while k > 0 and v.key < plain[k].key do plain[k + 1] = plain[k] k = k - 1 end\n"
        "    plain[k + 1] = v\n"
        "  end\n"
        "  for i = 1, n do if own[i] ~= plain[i] then say(n) end end\n"
        "end";
    assert_string_equal(outcome(*state, body), "");
}

static void what_sort_refuses(void **state)
{
    static const row rows[] = {
        { "table.sort({ 1, 'a' })", "attempt to compare string with number" },
        { "table.sort({ {}, {} })", "attempt to compare two table values" },
        { "table.sort({ 2, 1 }, say)", "table.sort takes a function of Lua" },
        { "table.sort(string)", "this table is not a list" },
        { "table.sort(1)", NULL },
        { "table.sort({ 2, 1 }, function() error('no', 0) end)", "no" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        char *got = outcome(*state, rows[i].lua);
        assert_non_null(strstr(got, rows[i].expected ? rows[i].expected : "table expected"));
    }
    /* A function that contradicts itself gives some order of the same items, and no error. */
    assert_string_equal(outcome(*state,
                                "local t = { 5, 1, 4, 2, 3 }\n"
                                "table.sort(t, function() return true end) table.sort(t) say(t)"),
                        "[1,2,3,4,5]");
}

static void pairs_has_an_order(void **state)
{
    static const row rows[] = {
        { "{ b = 1, a = 2, [10] = 3, [2] = 4, [1.5] = 5, [true] = 6, [false] = 7 }",
          "false true 1.5 2 10 a b " },
        { "{ 'x', 'y', 'z' }", "1 2 3 " },
        { "{ 'x', nil, 'z' }", "1 3 " },
        { "{ 'x', k = 1 }", "1 k " },
        { "{ [-1] = 1, [0] = 1, [math.mininteger] = 1, [2^53] = 1, [-1/0] = 1 }",
          "-inf -9223372036854775808 -1 0 9007199254740992 " },
        { "{}", "" },
    };

    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(
            outcome(*state, kp_printf(*state,
                                      "local out = ''\nfor k, v in pairs(%s) do out = out .. "
                                      "tostring(k) .. ' ' end say(out)",
                                      rows[i].lua)),
            rows[i].expected);
    assert_string_equal(outcome(*state, "for k in pairs({ [{}] = 1 }) do end"),
                        "t.lua:1: a key of type table has no order");
    assert_string_equal(outcome(*state, "for k in pairs({ [say] = 1 }) do end"),
                        "t.lua:1: a key of type function has no order");
}

/* The keys are those of the beginning: what is removed meanwhile is skipped, what is added not
 * seen. */
static void pairs_of_a_table_that_changes(void **state)
{
    assert_string_equal(outcome(*state, "local t, out = { a = 1, b = 2, c = 3 }, ''\n"
                                        "for k, v in pairs(t) do out = out .. k .. v "
                                        "t.b = nil t.d = 4 t.c = 5 end say(out)"),
                        "a1c5");
}

static void next_tells_whether_a_table_is_empty(void **state)
{
    static const row rows[] = {
        { "tostring(next({}))", "nil" },
        { "(next({ b = 1, a = 2 }))", "a" },
        { "select(2, next({ 7, 8 }))", "7" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, kp_printf(*state, "say(%s)", rows[i].lua)),
                            rows[i].expected);
    assert_string_equal(outcome(*state, "next({ 1 }, 1)"),
                        "t.lua:1: next(t, key) is not offered; next(t) tells whether t is empty");
}

/* xoshiro256** as published: seeded by splitmix64 of the seed. */
static void random_numbers_come_from_the_run(void **state)
{
    const test_file files[] = {
        { KP_FIND_PLAYBOOK, "t.lua",
          wrap(*state, "say(math.random(1000)) say(math.random(-5, 5)) say(math.random() < 1)") },
        { 0 }
    };
    char *seen[3];

    for (int i = 0; i < 3; i++) {
        stage t;
        stage_open(&t, files);
        t.r.seed = i == 2 ? 43 : 42;
        assert_null(stage_load(&t, "t.lua"));
        assert_null(stage_call(&t, KP_PART_RUN));
        seen[i] = kp_strdup(*state, kp_buf_text(&t.r.said));
        kp_buf_clear(&t.r.said);
        assert_null(stage_call(&t, KP_PART_RUN)); /* a part begins at the seed again */
        assert_string_equal(kp_buf_text(&t.r.said), seen[i]);
        stage_close(&t);
    }
    assert_string_equal(seen[0], seen[1]);
    assert_string_not_equal(seen[0], seen[2]);
}

static void random_stays_in_its_interval(void **state)
{
    static const row rows[] = {
        { "math.random(3, 3)", "true" },
        { "(function() for i = 1, 1000 do local r = math.random(7) if r < 1 or r > 7 then return r "
          "end end end)() or 3",
          "true" },
        { "(function() local seen = {} for i = 1, 1000 do seen[math.random(5)] = true end return "
          "#seen == 5 and 3 end)()",
          "true" },
        { "math.type(math.random(math.mininteger, math.maxinteger)) == 'integer' and 3", "true" },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++)
        assert_string_equal(outcome(*state, kp_printf(*state, "say((%s) == 3)", rows[i].lua)),
                            rows[i].expected);
    assert_non_null(strstr(outcome(*state, "math.random(2, 1)"), "interval is empty"));
    assert_non_null(strstr(outcome(*state, "math.random(1, 2, 3)"), "at most two"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(sorts),
        STAGE_TEST(sorts_stably),
        STAGE_TEST(what_sort_refuses),
        STAGE_TEST(pairs_has_an_order),
        STAGE_TEST(pairs_of_a_table_that_changes),
        STAGE_TEST(next_tells_whether_a_table_is_empty),
        STAGE_TEST(random_numbers_come_from_the_run),
        STAGE_TEST(random_stays_in_its_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
