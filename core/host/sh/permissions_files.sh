# As the user who reads and writes Kafka's files.
me=$(id -un)
own='the user of ssh.become.files, or the SSH user, must be the one Kafka runs as'
# writable ACT WHAT DIRECTORY
writable() {
    [ -w "$3" ] && [ -x "$3" ] || bad "$1" "$me may not write $2, $3" "$own"
}
for tool in awk cat chmod chgrp cp cut date dirname find flock grep head ln mktemp mv \
    readlink sed setsid sha256sum stat sync tail tee timeout tr; do
    command -v "$tool" >/dev/null 2>&1 || bad tools "$tool is missing" "install it"
done
if mv -T "/nonexistent/$$" "/nonexistent/$$.b" 2>&1 | grep -qi option; then
    bad tools 'mv has no -T' 'install coreutils'
fi
if [ -n "$config" ]; then
    real=$(readlink -f "$config" || printf '%s' "$config")
    if [ ! -f "$real" ]; then
        bad config "$config is not there" 'set layout.config'
    elif [ ! -r "$real" ]; then
        bad config "$me may not read $real" "$own"
    else
        owner=$(stat -c %U "$real")
        if [ "$owner" != "$me" ] && [ "$(id -u)" != 0 ]; then
            bad config "$real belongs to $owner: written by $me it would change hands" \
                'give the file to that user, or become its owner'
        fi
        printf '%s' "$dirs" | while read -r kind d; do
            [ ! -d "$d" ] || { [ -r "$d" ] && [ -x "$d" ]; } ||
                bad state "$me may not look into the log directory $d" "$own"
            [ ! -e "$d/meta.properties" ] || [ -r "$d/meta.properties" ] ||
                bad state "$me may not read $d/meta.properties" "$own"
        done
    fi
    writable config 'the directory of the properties file' "$(dirname "$real")"
fi
if [ -n "$releases" ]; then
    if [ -d "$releases" ]; then
        writable release 'the directory of releases' "$releases"
    else
        bad release "$releases is not there" 'make it, or set layout.releases'
    fi
fi
if [ -n "$current" ]; then
    writable link "the directory of layout.current" "$(dirname "$current")"
    if [ -e "$current" ] && [ ! -L "$current" ]; then
        bad link "$current is no symbolic link" 'link it into layout.releases'
    fi
fi
if [ -n "$base" ]; then
    writable state "kplay's own directory" "$(nearest "$base")"
    for d in "$base"/*/; do
        [ ! -d "$d" ] || writable state "kplay's own directory" "$d"
    done
fi
if [ -n "$log" ] && [ -e "$log" ] && [ ! -r "$log" ]; then
    bad log "$me may not read $log" "$own"
fi
if [ -n "$signals" ]; then
    find_process
    [ "$pid" = 0 ] || kill -0 "$pid" 2>/dev/null ||
        bad stop "$me may not signal process $pid" "$own"
fi
if [ -n "$detaches" ]; then
    ! grep -qs '^KillUserProcesses=\(yes\|true\|1\)' /etc/systemd/logind.conf \
        /etc/systemd/logind.conf.d/*.conf ||
        bad start 'logind ends what a login leaves running (KillUserProcesses=yes)' \
            'run Kafka as a systemd unit, or loginctl enable-linger for this user'
fi
