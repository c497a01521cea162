# The look at a host: says everything state.c reads, in one breath.
#
# It finds things and says them; it does not interpret.  Properties files travel as they are, line
# by line, and are not sent again while their digest is one that is known already: what they mean is
# for the one reader (cluster/server_config.h).  Where the log directories are follows from that
# reading, so it is told (`dirs`, lines "KIND PATH"), and looked at in the same breath.
read -r boot_id </proc/sys/kernel/random/boot_id
say boot_id "$boot_id"
find_process
say pid "$pid"
if [ "$pid" != 0 ]; then
    say start_time "$start"
    for p in $pids; do say pids "$p"; done
    files=$(open_files) cwd=
    [ -z "$files" ] || printf '%s\n' "$files"
    case $files in 'process.cwd '*) cwd=${files#process.cwd } cwd=${cwd%%"$nl"*} ;; esac
    file='' path=''
    set -f
    IFS=$nl
    for line in $(arguments "$pid"); do
        case $line in
        'file '*) file=${line#file } ;;
        'class_path '*) path=${line#class_path } ;;
        'override '*) say process.override "${line#override }" ;;
        'script yes') say script yes ;;
        esac
    done
    unset IFS
    set +f
    case $file in '' | /*) ;; *) file=${cwd:+$cwd/}$file ;; esac
    if [ -n "$file" ]; then
        say process.config "$file"
        if [ "$file" -ef "$config" ] && [ -r "$config" ]; then
            say process.same yes
        elif [ -r "$file" ]; then
            send process "$file"
        fi
    fi
    class_path "$path"
fi
if [ -r "$config" ]; then
    if [ -L "$config" ]; then
        say config.real "$(readlink -f "$config")"
    else
        say config.real "$(place_of "${config%/*}")/${config##*/}"
    fi
    send config "$config"
fi
if [ -n "$dirs" ]; then
    printf '%s' "$dirs" | while read -r kind path; do dir "$kind" "$path"; done
fi
if [ -n "$current" ]; then
    release_in "$current/libs"
    say link "$(readlink "$current")"
    say link_release "$release"
    [ ! -e "$current" ] || say link_real "$(place_of "$current")"
fi
if [ -n "$releases" ] && [ -d "$releases" ]; then
    say releases_real "$(place_of "$releases")"
    for d in "$releases"/*/; do
        d=${d%/}
        name=${d##*/}
        version=${name#"$before"}
        if [ "$name" = "$before${version%"$after"}$after" ]; then
            version=${version%"$after"}
            case $before in kafka_2.*) main=$before ;; *) main=kafka_2.13- ;; esac
            if there "$d"/libs/kafka-clients-[0-9]*.jar; then
                say release "$version"
            else
                say partial "$version kafka-clients-$version.jar"
            fi
            there "$d"/libs/kafka_2.[0-9]*-[0-9]*.jar ||
                say partial "$version $main$version.jar"
        else
            release_in "$d/libs"
            [ -z "$release" ] || say other "$release $name"
        fi
    done
fi
if [ -n "$unit" ]; then
    systemctl show -p LoadState -p ActiveState -p SubState -p MainPID -p InvocationID \
        -p NRestarts -p Result -p TimeoutStopUSec -p Restart -p KillMode \
        -p SendSIGKILL "$unit" \
        2>/dev/null | sed 's/^\([A-Za-z]*\)=/unit.\1 /'
elif [ -n "$has_status" ]; then
    say status.rc "$status_rc"
    say status.said "${status_said%%"$nl"*}"
fi
[ -z "$agents" ] || config_agents
if [ -n "$state" ] && [ -r "$state/epoch" ]; then
    { read -r held holder; read -r held_since held_by; } <"$state/epoch"
    say fence.epoch "$held"
    say fence.holder "$holder"
    say fence.since "$held_since"
    say fence.by "$held_by"
fi
# Reading more of a log than this to find evidence would hold the host's disk.
log_limit=8388608
if [ -n "$log" ] && [ -r "$log" ]; then
    log_size=$(stat -L -c %s "$log") || log_size=0
    say log_size "$log_size"
    if [ "$since" -ge 0 ]; then
        say signs yes
        if [ "$since" -gt "$log_size" ]; then say log_turned yes; since=0; fi
        [ $((log_size - since)) -le "$log_limit" ] || since=$((log_size - log_limit))
        tail -c +$((since + 1)) "$log" | head -c "$((log_size - since))" |
            SIGNS=$signs awk -v keep="$lines" -v at="$since" "$awk_signs"
    fi
fi
