/* kplay: the command line's entry.  The commands are in cmd_*.c. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Where one of them is closed the next file that is opened would take its place, and what is told
 * would be written into that: a journal, a simulated cluster. */
static void open_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
            _exit(1);
}

int main(int argc, char **argv)
{
    open_standard_files();
    return kp_cli_main(argc, argv);
}
