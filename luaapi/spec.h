/* The specs' side of the script host's table. */
#ifndef KL_SPEC_H
#define KL_SPEC_H

#include "engine/engine.h"

int kl_specs(const kp_spec_host *host, int argc, char **argv);
const kp_value *kl_spec_keys(kp_arena *a);

#endif
