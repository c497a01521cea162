/* Random numbers from the kernel: no two are the same, and every bit is sometimes set and sometimes
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"

static void they_differ_and_use_every_bit(void **state)
{
    enum { N = 256 };
    uint64_t x[N], all_or = 0, all_and = UINT64_MAX;
    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = kp_random_u64();
        all_or |= x[i];
        all_and &= x[i];
        for (int k = 0; k < i; k++)
            assert_true(x[k] != x[i]);
    }
    assert_true(all_or == UINT64_MAX);
    assert_true(all_and == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(they_differ_and_use_every_bit) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
