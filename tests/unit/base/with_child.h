/* Runs a function in a child process, for what ends the process or writes to stderr. */
#ifndef WITH_CHILD_H
#define WITH_CHILD_H

#include "base/base.h"

/* The exit code of the child (0 when fn returns, -1 when a signal killed it); what it wrote to
 * stderr, cut to fit, in err_text. */
int run_in_child(void (*fn)(void), char *err_text, size_t size);

#endif
