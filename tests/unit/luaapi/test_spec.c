/* What specs can say, told as values: whole rows, types that name what there is, and the words that
 * the engine takes.
 */
#include "luaapi/with_engine.h"

#include <string.h>

static const kp_value *keys(kp_arena *a)
{
    return kp_script_host_table.spec_keys(a);
}

static const kp_value *row(const kp_value *list, const char *by, const char *name)
{
    for (size_t i = 0; i < kp_len(list); i++)
        if (kp_streq(kp_get_text(kp_at(list, i), by, NULL), name))
            return kp_at(list, i);
    return NULL;
}

static void assert_texts(const kp_value *map, const char *const *names)
{
    for (; *names; names++)
        if (!*kp_get_text(map, *names, ""))
            fail_msg("%s has no %s", kp_get_text(map, "name", "?"), *names);
}

static void every_row_is_whole(void **state)
{
    static const char *const function[] = { "name", "doc", "example", NULL }, *const field[] = {
        "name", "type", "doc", NULL
    };
    KP_AUTO_ARENA a = kp_arena_new("keys", 1u << 20);
    const kp_value *list = keys(a);
    (void)state;
    assert_true(kp_len(list) > 10);
    for (size_t i = 0; i < kp_len(list); i++) {
        const kp_value *one = kp_at(list, i);
        bool class = kp_get(one, "class") != NULL;
        const kp_value *rows = kp_get(one, class ? "fields" : "params");
        assert_true(kp_is(rows, KP_LIST));
        if (!class)
            assert_texts(one, function);
        for (size_t k = 0; k < kp_len(rows); k++)
            assert_texts(kp_at(rows, k), field);
    }
}

/* "kplay.x", "kplay.x?", "kplay.x[]": a class of the list, or the simulated cluster itself. */
static void assert_known(kp_arena *a, const kp_value *list, const char *type)
{
    if (!type || !kp_starts_with(type, "kplay.") || kp_streq(type, "kplay.sim"))
        return;
    const char *name = kp_strndup(a, type, strcspn(type, "?["));
    if (!row(list, "class", name))
        fail_msg("%s is no class", name);
}

static void every_class_that_is_named_is_there(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("keys", 1u << 20);
    const kp_value *list = keys(a);
    (void)state;
    for (size_t i = 0; i < kp_len(list); i++) {
        const kp_value *one = kp_at(list, i), *rows = kp_get(one, "params");
        rows = rows ? rows : kp_get(one, "fields");
        assert_known(a, list, kp_get_text(one, "returns", NULL));
        for (size_t k = 0; k < kp_len(rows); k++)
            assert_known(a, list, kp_get_text(kp_at(rows, k), "type", NULL));
    }
}

static void choices_are_types(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("keys", 1u << 20);
    const kp_value *options = kp_get(row(keys(a), "class", "kplay.run_options"), "fields"),
                   *policy = kp_get(row(keys(a), "class", "kplay.policy"), "fields");
    (void)state;
    assert_string_equal(kp_get_text(row(policy, "name", "guard"), "type", ""),
                        "(\"strict\"|\"healthy\"|\"available\")?");
    assert_string_equal(kp_get_text(row(options, "name", "answers"), "type", ""),
                        "(\"yes\"|\"no\"|\"nobody\"|\"interrupt\"|\"back_out\"|\"stop\")[]?");
}

static void words_answer_their_questions(void **state)
{
    kp_answer answer;
    (void)state;
    for (size_t i = 0; kp_answer_words[i]; i++)
        assert_true(kp_answer_of(kp_answer_words[i], KP_ASK_FAILURE, &answer));
    assert_true(kp_answer_of("back_out", KP_ASK_FAILURE, &answer));
    assert_int_equal(answer, KP_ANSWER_YES);
    assert_true(kp_answer_of("stop", KP_ASK_FAILURE, &answer));
    assert_int_equal(answer, KP_ANSWER_NO);
    assert_true(kp_answer_of("interrupt", KP_ASK_START, &answer));
    assert_int_equal(answer, KP_ANSWER_LEFT);
    assert_false(kp_answer_of("back_out", KP_ASK_CONFIRM, &answer));
    assert_false(kp_answer_of("maybe", KP_ASK_FAILURE, &answer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(every_class_that_is_named_is_there),
        cmocka_unit_test(choices_are_types),
        cmocka_unit_test(words_answer_their_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
