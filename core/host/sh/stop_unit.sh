# Asks systemd for a stop of the process that was judged.
lock
active=$(systemctl show -p ActiveState "$unit" | sed -n 's/^ActiveState=//p')
case $active in
'') fail "systemctl shows no state of $unit" ;;
inactive | failed | deactivating) say did already; exit 0 ;;
esac
if [ "$want" != 0 ] && ! alive "$want" "$want_start"; then
    refuse "process $want is gone and $unit is $active: another one may run"
fi
act stop "$unit"
service systemctl stop --no-block "$unit" 9<&- >&2 || fail "systemctl stop $unit"
say did asked
