/* What verbs remember: the struct, the record and the struct again are the same. */
#include "engine/run.h"
#include "verbs/verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* Every field of a verb's struct filled, each with another value. */
static void fill(kp_arena *a, const kp_op *op, char *pre)
{
    for (size_t i = 0; i < op->n_keeps; i++) {
        char *field = pre + op->keeps[i].offset;
        int64_t n = (int64_t)i + 1;
        if (op->keeps[i].type == KP_KEEP_INT)
            *(int64_t *)(void *)field = n;
        else if (op->keeps[i].type == KP_KEEP_TEXT)
            *(const char **)(void *)field = kp_printf(a, "text %zu", i);
        else
            *(const kp_value **)(void *)field = kp_map(a, "n", kp_int(a, n), NULL);
    }
}

static void test_every_verb_reads_what_it_remembered(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("test", 1 << 20);
    size_t tried = 0;
    (void)state;

    for (size_t i = 0; kp_verbs[i]; i++) {
        const kp_op *op = kp_verbs[i];
        if ((op->before != NULL) != (op->n_keeps > 0))
            fail_msg("%s: what it remembers has no fields, or fields and no `before`", op->name);
        if (op->n_keeps == 0)
            continue;
        char *pre = kp_alloc(a, op->pre_size);
        fill(a, op, pre);
        const kp_value *v = kp_pre_value(a, op, pre);
        if (v->n != op->n_keeps)
            fail_msg("%s: %u fields of %zu are on record", op->name, v->n, op->n_keeps);
        const void *again = kp_pre_of(a, op, v);
        if (!kp_value_equal(v, kp_pre_value(a, op, again)))
            fail_msg("%s: reads %s", op->name, kp_json_text(a, kp_pre_value(a, op, again)));
        tried++;
    }
    assert_true(tried > 8);
}

static void test_what_is_absent_is_left_out(void **state)
{
    KP_AUTO_ARENA a = kp_arena_new("test", 1 << 20);
    const kp_op *op = kp_op_named(kp_verbs, "stop_broker");
    (void)state;

    char *nothing = kp_alloc(a, op->pre_size);
    assert_string_equal(kp_json_text(a, kp_pre_value(a, op, nothing)), "{\"leaders\":0}");
    assert_null(kp_pre_of(a, op, NULL));
    /* A record of a kplay that did not know a field: its zero. */
    const void *old = kp_pre_of(a, op, kp_map(a, NULL));
    assert_string_equal(kp_json_text(a, kp_pre_value(a, op, old)), "{\"leaders\":0}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_verb_reads_what_it_remembered),
        cmocka_unit_test(test_what_is_absent_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
