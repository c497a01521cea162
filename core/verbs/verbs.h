/* verbs: the verbs that playbooks have, a file for each noun, and their documentation.
 *
 * A verb is a const struct (engine/op.h) beside its functions; a new one touches its noun's file
 * and its line in the array.  A verb sees the step that it is called in and what is known of the
 * cluster (kp_step, kp_seen); the run it never sees.  The engine is given the array with each run,
 * as it is given its world.
 */
#ifndef KP_VERBS_H
#define KP_VERBS_H

#include "engine/engine.h"

extern const kp_op *const kp_verbs[]; /* ends with NULL */

/* ---- documentation, by walking the array ---- */
char *kp_doc_verbs(kp_arena *a); /* the list, one line each */
kp_err *kp_doc_verb(kp_arena *a, const char *name, char **ret_text) KP_MUST_USE;
char *kp_doc_stubs(kp_arena *a);    /* LuaCATS for editors */
char *kp_doc_effects(kp_arena *a);  /* which effect allows which verbs */
char *kp_doc_baseline(kp_arena *a); /* the API in one golden text */
char *kp_doc_guard(kp_arena *a);    /* the guard's rows */
/* The same for programs: one map each of the verbs (topic NULL), of "guard" or "effects", or of the
 * verb of that name. */
kp_err *kp_doc_values(kp_arena *a, const char *topic, const kp_value **ret_list) KP_MUST_USE;

#endif
