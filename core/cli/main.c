/* kplay: the command line's entry.  The commands are in cmd_*.c. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return kp_cli_main(argc, argv);
}
