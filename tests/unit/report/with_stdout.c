/* See with_stdout.h. */
#include "report/with_stdout.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *written_to(kp_arena *a, int fd, void (*fn)(void *ud), void *ud)
{
    char path[] = "/tmp/kplay-stdout-XXXXXX";
    int file = mkstemp(path), saved = dup(fd);
    char *text;
    size_t n;
    assert_true(file >= 0 && saved >= 0);
    fflush(NULL);
    dup2(file, fd);
    fn(ud);
    fflush(NULL);
    dup2(saved, fd);
    close(saved);
    close(file);
    kp_err *e = kp_file_read(a, path, 1 << 20, &text, &n);
    unlink(path);
    assert_null(e);
    return text;
}
