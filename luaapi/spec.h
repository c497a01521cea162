/* The specs' side of the script host's table, and what its files share.
 *
 *   spec.c          busted in this process; mistakes, values
 *   spec_api.c      kplay.* and sim:*
 *   spec_classes.c  what options take and results have
 */
#ifndef KL_SPEC_H
#define KL_SPEC_H

#include <lua.h>

#include "engine/engine.h"

int kl_specs(const kp_spec_host *host, int argc, char **argv);
const kp_value *kl_spec_keys(kp_arena *a);

/* ---- spec.c ---- */
const kp_spec_host *kl_spec_host(lua_State *L);
/* A plain Lua error that begins with the spec's line. */
int kl_spec_mistake(lua_State *L, const char *fmt, ...) KP_PRINTF(2, 3);
int kl_spec_raise(lua_State *L, kp_err *e); /* takes the error over */
/* The value at i; what no cluster and no playbook takes is a mistake. */
const kp_value *kl_spec_value(lua_State *L, int i, kp_arena *a, int depth);
kp_arena *kl_spec_arena(lua_State *L); /* [-0, +1] freed when Lua drops it */

/* ---- spec_api.c ---- */
int kl_spec_open(lua_State *L); /* [-0, +1] the module */

/* ---- spec_classes.c ---- */
/* The table at i, checked against the rows of kplay.run_options; nil is an empty one. */
const kp_value *kl_spec_options(lua_State *L, int i, kp_arena *a);
void kl_spec_add_classes(kp_arena *a, kp_builder *list);

#endif
