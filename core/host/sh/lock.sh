# lock: returns while descriptor 9 holds the lock and the epoch is ours; else the script ends. act
# WORDS: the line in acts.log. Needs state, epoch, op and files().
hold() {
    exec 9<"$state/lock"
    flock "$@" -w 10 9 || exit 98
}
lock() {
    if [ ! -r "$state/lock" ] || [ ! -r "$state/epoch" ]; then
        say fenced '0 nobody'
        exit 97
    fi
    hold -x
    read -r held holder <"$state/epoch" || :
    if [ "$held" != "$epoch" ] || [ "${holder#-}" != "$holder" ]; then
        say fenced "$held $holder"
        exit 97
    fi
}
act() {
    printf '%s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$op" "$*" |
        files tee -a "$state/acts.log" >/dev/null ||
        fail "$state/acts.log cannot be written"
}
