# As the SSH user, with systemd.
case $(systemctl show -p LoadState "$unit" 2>/dev/null) in
LoadState=loaded) ;;
'') bad service 'systemctl does not answer' 'set service.manager: command' ;;
*) bad service "there is no unit $unit" 'set service.unit' ;;
esac
for verb in stop start; do
    may systemctl "$verb" --no-block "$unit" ||
        bad "$verb" "$(id -un) may not systemctl $verb --no-block $unit" "$sudoers"
done
near=$(nearest "$base")
[ -x "$near" ] ||
    bad state "$(id -un) may not look into $near" 'let this user read it'
for lock in "$base"/*/lock; do
    [ ! -e "$lock" ] || [ -r "$lock" ] ||
        bad state "$(id -un) may not read $lock" 'let this user read it'
done
