# Which process is the node (process.c).  Needs unit, config, has_status and status_command().
args_of() { { tr '\0' '\n' <"/proc/$1/cmdline"; } 2>/dev/null; }
is_kafka() { args_of "$1" | grep -qx 'kafka\.Kafka'; }
# arguments PID: what its command line says, a line each (arguments.awk)
arguments() { args_of "$1" | awk "$awk_arguments"; }
config_of() {
    file=$(arguments "$1" | sed -n 's/^file //p')
    case $file in
    '' | /*) ;;
    *) dir=$(readlink "/proc/$1/cwd" 2>/dev/null) && file=$dir/$file ;;
    esac
    printf '%s\n' "$file"
}
# below_unit PID: it, or the Kafka process it is the only ancestor of
below_unit() {
    below=$1
    for depth in 1 2 3 4; do
        ! is_kafka "$below" || { echo "$below"; return; }
        set -- "$1" $(cat "/proc/$below/task/$below/children" 2>/dev/null)
        [ $# -eq 2 ] || break
        below=$2
    done
    echo "$1"
}
by_command_line() {
    for p in $(grep -lF kafka.Kafka /proc/[0-9]*/cmdline 2>/dev/null); do
        p=${p#/proc/} p=${p%/cmdline}
        file=$(config_of "$p")
        [ -n "$file" ] || continue
        [ "$file" = "$config" ] || [ "$file" -ef "$config" ] || continue
        echo "$p"
    done
}
# only_java PID...: while a start script runs, it bears the same words as its java
only_java() {
    for p in "$@"; do
        comm=
        { read -r comm <"/proc/$p/comm"; } 2>/dev/null
        [ "$comm" != java ] || echo "$p"
    done
}
# find_process sets pid (0: none), start (jiffies), and pids when more than one process runs the
# file; with a status command also status_said and status_rc.
find_process() {
    pid=0 start='' pids=''
    if [ -n "$unit" ]; then
        pid=$(systemctl show -p MainPID "$unit" 2>/dev/null | sed -n 's/^MainPID=//p')
        [ -n "$pid" ] || fail "systemctl does not say whether $unit runs"
        [ "$pid" = 0 ] || pid=$(below_unit "$pid")
    elif [ -n "$has_status" ]; then
        status_said=$(status_command </dev/null 2>/dev/null) && status_rc=0 || status_rc=$?
        pid=$(printf '%s\n' "$status_said" |
            sed -n '/^[[:space:]]*[0-9][0-9]*[[:space:]]*$/{s/[^0-9]//g;p;q;}')
    fi
    [ "${pid:-0}" = 0 ] || start=$(start_of "$pid")
    [ -z "$start" ] || return 0
    # One that its manager does not know of runs all the same: it was started by hand, or the status
    # command failed.
    set -- $(by_command_line)
    if [ $# -gt 1 ]; then
        pids=$(only_java "$@")
        [ -z "$pids" ] || set -- $pids
    fi
    pids=
    [ $# -le 1 ] || pids="$*"
    pid=${1:-0}
    [ "$pid" = 0 ] || start=$(start_of "$pid")
    [ -n "$start" ] || pid=0
}
