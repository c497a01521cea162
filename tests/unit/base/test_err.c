/* Errors: texts, successors, causes, and the table of exit codes. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_exit_codes(void **state)
{
    (void)state;
    static const struct {
        kp_class cls;
        const char *name;
        int code;
    } rows[] = {
        { KP_INTERNAL, "internal", 1 }, { KP_USAGE, "usage", 2 },
        { KP_CONFIG, "config", 2 },     { KP_PLAYBOOK, "playbook", 2 },
        { KP_REFUSED, "refused", 3 },   { KP_SAFETY, "safety", 3 },
        { KP_WARNED, "warned", 5 },     { KP_FAILED, "failed", 4 },
        { KP_CLUSTER, "cluster", 6 },   { KP_HOST, "host", 6 },
        { KP_PAUSED, "paused", 75 },    { KP_DETACHED, "detached", 76 },
    };
    assert_int_equal(kp_err_exit_code(NULL), 0);
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        kp_err *e = kp_err_new(rows[i].cls, "n", "w");
        assert_int_equal(kp_err_exit_code(e), rows[i].code);
        assert_string_equal(kp_class_name(e->cls), rows[i].name);
        kp_class cls;
        assert_true(kp_class_parse(rows[i].name, &cls));
        assert_int_equal(cls, rows[i].cls);
        kp_err_drop(e);
    }
    kp_class untouched = KP_HOST;
    assert_false(kp_class_parse("Usage", &untouched));
    assert_false(kp_class_parse("", &untouched));
    assert_false(kp_class_parse(NULL, &untouched));
    assert_int_equal(untouched, KP_HOST);
}

static void test_new(void **state)
{
    (void)state;
    kp_err *e = kp_err_new(KP_CLUSTER, "check the network", "broker %d does not answer", 3);
    assert_string_equal(e->what, "broker 3 does not answer");
    assert_string_equal(e->next, "check the network");
    assert_string_equal(e->where, "");
    assert_string_equal(e->detail, "");
    assert_null(e->cause);
    assert_false(e->retriable);
    kp_err_drop(e);
    kp_err_drop(NULL);

    kp_err *silent = kp_err_new(KP_CLUSTER, "", "x");
    assert_true(strlen(silent->next) > 0);
    kp_err_drop(silent);
}

static void test_successors(void **state)
{
    (void)state;
    kp_err *e = kp_err_new(KP_HOST, "look at it", "stop failed");
    e = kp_err_at(e, "broker %d", 3);
    e = kp_err_at(e, "%s on %s", e->where, "host3"); /* the old text may be an argument */
    assert_string_equal(e->where, "broker 3 on host3");
    assert_string_equal(e->what, "stop failed");
    e = kp_err_detail(e, "first line");
    e = kp_err_detail(e, "second\nthird\n");
    assert_string_equal(e->detail, "first line\nsecond\nthird\n");
    e = kp_err_next(e, "kplay health --node %d", 3);
    assert_string_equal(e->next, "kplay health --node 3");
    e = kp_err_class(kp_err_retriable(e), KP_FAILED);
    e = kp_err_at(e, "elsewhere");
    assert_true(e->retriable);
    assert_int_equal(e->cls, KP_FAILED);
    assert_string_equal(e->next, "kplay health --node 3");
    kp_err_drop(e);
}

static void test_null_stays_null(void **state)
{
    (void)state;
    assert_null(kp_err_at(NULL, "x"));
    assert_null(kp_err_detail(NULL, "x"));
    assert_null(kp_err_next(NULL, "x"));
    assert_null(kp_err_retriable(NULL));
    assert_null(kp_err_class(NULL, KP_HOST));
    assert_null(kp_err_because(NULL, NULL));
    kp_err *cause = kp_err_new(KP_HOST, "n", "w");
    assert_ptr_equal(kp_err_because(NULL, cause), cause);
    kp_err_drop(cause);
}

static void test_text(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("test", 1 << 20);
    kp_err *e = kp_err_new(KP_SAFETY, "kplay resume", "2 partitions would fall short");
    assert_string_equal(kp_err_text(a, e),
                        "kplay: 2 partitions would fall short\nnext  kplay resume");
    e = kp_err_at(e, "broker 3");
    e = kp_err_detail(e, "payments-7    in sync 3,5\n\npayments-8    in sync 3\n");
    e = kp_err_because(e, kp_err_at(kp_err_new(KP_HOST, "-", "left the ISR 40 s ago"), "broker 5"));
    e = kp_err_because(e, kp_err_new(KP_HOST, "-", "its disk is slow"));
    e = kp_err_from(e, "mine.lua:%d", 7);
    e = kp_err_next(e, "wait, then\nkplay resume\n");
    assert_string_equal(kp_err_text(a, e), "kplay: broker 3: 2 partitions would fall short\n"
                                           "  payments-7    in sync 3,5\n"
                                           "\n"
                                           "  payments-8    in sync 3\n"
                                           "why   broker 5: left the ISR 40 s ago\n"
                                           "why   its disk is slow\n"
                                           "next  wait, then\n"
                                           "      kplay resume");
    e = kp_err_class(e, KP_PLAYBOOK);
    assert_non_null(strstr(kp_err_text(a, e), "3\nfrom  mine.lua:7\nwhy   broker 5"));
    kp_err_drop(e);
}

static void test_text_is_safe_for_a_terminal(void **state)
{
    (void)state;
    KP_AUTO_ARENA a = kp_arena_new("test", 1 << 20);
    kp_err *e = kp_err_new(KP_HOST, "n\x1b", "said \x1b[2J\nagain");
    e = kp_err_at(e, "h\x07");
    e = kp_err_detail(e, "d\r\n");
    e = kp_err_because(e, kp_err_new(KP_HOST, "-", "\xff"));
    assert_string_equal(kp_err_text(a, e), "kplay: h\\x07: said \\x1b[2J\\x0aagain\n"
                                           "  d\\x0d\n"
                                           "why   \\xff\n"
                                           "next  n\\x1b");
    kp_err_drop(e);
}

static kp_err *fail_if(bool fail, int *calls)
{
    ++*calls;
    return fail ? kp_err_new(KP_HOST, "n", "call %d", *calls) : NULL;
}

static kp_err *three_calls(int failing, int *calls)
{
    KP_TRY(fail_if(failing == 1, calls));
    if (failing != 4)
        KP_TRY(fail_if(failing == 2, calls));
    else
        return NULL;
    return fail_if(failing == 3, calls);
}

static void test_try(void **state)
{
    (void)state;
    static const struct {
        int failing, calls;
        const char *what;
    } rows[] = {
        { 0, 3, NULL }, { 1, 1, "call 1" }, { 2, 2, "call 2" }, { 3, 3, "call 3" }, { 4, 1, NULL },
    };
    for (size_t i = 0; i < KP_COUNT(rows); i++) {
        int calls = 0;
        kp_err *e = three_calls(rows[i].failing, &calls);
        assert_int_equal(calls, rows[i].calls);
        assert_true(kp_streq(e ? e->what : NULL, rows[i].what));
        kp_err_drop(e);
    }
}

static kp_err *whole_error(void)
{
    kp_err *e = kp_err_new(KP_FAILED, "do this", "100%% of it failed");
    e = kp_err_from(kp_err_at(e, "broker %d", 2), "mine.lua:%d", 7);
    e = kp_err_retriable(kp_err_detail(e, "  line %%d\n"));
    return kp_err_because(e, kp_err_because(kp_err_new(KP_HOST, "n", "the cause"),
                                            kp_err_new(KP_CLUSTER, "m", "its cause")));
}

static void a_copy_says_the_same_and_lives_alone(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 1 << 20);
    (void)state;
    kp_err *e = whole_error(), *copy = kp_err_copy(e);
    char *text = kp_err_text(a, e);
    kp_err_drop(e);
    assert_string_equal(kp_err_text(a, copy), text);
    assert_int_equal(copy->cls, KP_FAILED);
    assert_true(copy->retriable);
    assert_int_equal(copy->cause->cls, KP_HOST);
    assert_false(copy->cause->retriable);
    assert_string_equal(copy->cause->cause->what, "its cause");
    kp_err_drop(copy);
    assert_null(kp_err_copy(NULL));
}

static void a_long_text_is_cut_once_and_says_so(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("t", 4 << 20);
    char *text = kp_alloc(a, 200001);
    (void)state;
    for (int i = 0; i < 200000; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[200000] = 0;
    kp_err *e = kp_err_new(KP_FAILED, text, "x%s", text);
    e = kp_err_detail(kp_err_at(e, "%s", text), "%s", text);
    assert_in_range(strlen(e->what), 4000, 4200);
    assert_in_range(strlen(e->where), 1000, 1100);
    assert_in_range(strlen(e->detail), 16000, 16500);
    assert_non_null(strstr(e->what, "\xc3\xa9 [... 195906 more bytes]"));
    kp_err *copy = kp_err_copy(e), *again = kp_err_new(KP_FAILED, "n", "%s", copy->what);
    assert_string_equal(again->what, e->what);
    assert_string_equal(copy->detail, e->detail);
    copy = kp_err_detail(copy, "%s", "what comes behind the cut is left out with it");
    assert_string_equal(copy->detail, e->detail);
    kp_err_drop(again);
    kp_err_drop(copy);
    kp_err_drop(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_successors),
        cmocka_unit_test(test_null_stays_null),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_is_safe_for_a_terminal),
        cmocka_unit_test(test_try),
        cmocka_unit_test(a_copy_says_the_same_and_lives_alone),
        cmocka_unit_test(a_long_text_is_cut_once_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
