/* A child process whose stderr is a pipe to the test. */
#include "with_child.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int run_in_child(void (*fn)(void), char *err_text, size_t size)
{
    int ends[2];
    if (pipe(ends) < 0)
        return -1;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        fn();
        _exit(0);
    }
    close(ends[1]);
    size_t n = 0;
    ssize_t got;
    while (n + 1 < size && (got = read(ends[0], err_text + n, size - 1 - n)) > 0)
        n += (size_t)got;
    err_text[n] = '\0';
    close(ends[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
