# Both stops by other means begin so. After it, pid is the one to stop.
find_process
if [ "$want" != 0 ] && ! alive "$want" "$want_start"; then
    [ "$pid" = 0 ] || refuse "process $want is gone and $pid runs in its place"
    say did already; exit 0
elif [ "$want" = 0 ] && [ "$pid" = 0 ]; then
    say did already; exit 0
fi
[ -z "$pids" ] || refuse "several processes run $config: $pids"
[ "$want" = 0 ] || [ "$want" = "$pid" ] ||
    refuse "process $want does not run $config"
