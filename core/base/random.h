/* Random numbers from the kernel, for names and seeds; nothing that must be replayed comes from
 * here. */
#ifndef KP_BASE_RANDOM_H
#define KP_BASE_RANDOM_H

#include "base/base.h"

uint64_t kp_random_u64(void);

#endif
