# How far a claim is, and what its command said from byte `since` on.
# ---- asking after one ----
finished() { [ -r "$claim/rc" ] && read -r rc <"$claim/rc"; }
judge() {
    finished && return
    if [ ! -r "$claim/who" ]; then
        # Made this moment, or its maker died: under the lock it is one or the other.
        hold -s
        finished && return
        [ -r "$claim/who" ] || { job=stale; return; }
    fi
    read -r boot pid start <"$claim/who"
    if [ "$boot" != "$(cat /proc/sys/kernel/random/boot_id)" ]; then
        job=stale
    elif alive "$pid" "$start"; then
        job=running
    else
        # It may have ended between the two looks.
        finished || job=stale
    fi
}
job='done' rc=''
[ -d "$claim" ] || job=none
[ "$job" = none ] || judge
say state "$job"
[ "$job" != 'done' ] || say rc "$rc"
if [ -r "$claim/out" ]; then
    say size "$(stat -c %s "$claim/out")"
    echo
    tail -c +$((since + 1)) "$claim/out" | head -c "$limit"
fi
