# Before a start by command.
find_process
if [ "$pid" != 0 ]; then say did already; exit 0; fi
