/* What a function prints, on standard output or standard error. */
#ifndef WITH_STDOUT_H
#define WITH_STDOUT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"

/* The text that fn(ud) wrote to `fd`, which meanwhile is a file. */
char *written_to(kp_arena *a, int fd, void (*fn)(void *ud), void *ud);

#define assert_says(text, part)                                                                    \
    do {                                                                                           \
        if (!strstr(text, part))                                                                   \
            print_error("\"%s\" is not in:\n%s", part, text);                                      \
        assert_non_null(strstr(text, part));                                                       \
    } while (0)

#endif
