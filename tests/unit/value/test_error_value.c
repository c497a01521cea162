/* Errors as values: what crosses the journal, and what another kplay wrote. */
#include "value/value.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void an_error_in_the_journal_has_only_what_it_says(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    kp_err *e = kp_err_new(KP_CLUSTER, "wait", "no answer");
    assert_string_equal(kp_json_text(a, kp_err_value(a, e)),
                        "{\"class\":\"cluster\",\"next\":\"wait\",\"what\":\"no answer\"}");
    kp_err_drop(e);
    assert_null(kp_err_value(a, NULL));
}

static void an_error_comes_back_from_the_journal(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    kp_err *e = kp_err_at(kp_err_new(KP_FAILED, "mend it", "100%% of it"), "stdlib/node.lua:4");
    e = kp_err_retriable(kp_err_detail(kp_err_from(e, "mine.lua:7"), "line\n"));
    e = kp_err_because(e, kp_err_new(KP_HOST, "n", "no answer"));
    kp_err *again = kp_err_from_value(kp_err_value(a, e));
    assert_string_equal(kp_err_text(a, again), kp_err_text(a, e));
    assert_string_equal(again->from, "mine.lua:7");
    assert_true(again->retriable);
    kp_err_drop(e);
    kp_err_drop(again);
}

static void an_error_of_another_kplay_is_still_an_error(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    const kp_value *of_later = kp_map(a, "class", kp_text(a, "weather"), NULL);
    kp_err *e = kp_err_from_value(of_later);
    assert_non_null(e);
    assert_int_equal(e->cls, KP_INTERNAL);
    assert_string_equal(e->what, "an error");
    assert_string_equal(e->next, "look at the journal");
    kp_err_drop(e);
    assert_null(kp_err_from_value(kp_text(a, "no map")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_in_the_journal_has_only_what_it_says),
        cmocka_unit_test(an_error_comes_back_from_the_journal),
        cmocka_unit_test(an_error_of_another_kplay_is_still_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
