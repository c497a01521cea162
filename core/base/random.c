/* getrandom(2): it does not fail for eight bytes once the kernel is up. */
#include "base/random.h"

#include <sys/random.h>

uint64_t kp_random_u64(void)
{
    uint64_t v;
    if (getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v)
        kp_die("the kernel gives no random numbers");
    return v;
}
