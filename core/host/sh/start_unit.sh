# Asks systemd for a start.  Nothing is left on the channel that could be cut.
lock
active=$(systemctl show -p ActiveState "$unit" | sed -n 's/^ActiveState=//p')
case $active in
'') fail "systemctl shows no state of $unit" ;;
active | activating | reloading) say did already; exit 0 ;;
deactivating) refuse "$unit is still stopping" ;;
esac
act start "$unit"
service systemctl start --no-block "$unit" 9<&- >&2 || fail "systemctl start $unit"
say did asked
