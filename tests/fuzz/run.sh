#!/bin/sh
# Runs every fuzzer for a while from its corpus; what a fuzzer finds stays in build/fuzz/findings.
#   tests/fuzz/run.sh          20 s each, two at a time
#   tests/fuzz/run.sh --long   180 s each
set -eu
cd "$(dirname "$0")/../.."

seconds=20
[ "${1:-}" = --long ] && seconds=180

cmake --preset fuzz >/dev/null
targets=$(find tests/fuzz -name 'fuzz_*.c' | sed 's|.*/||; s|\.c$||')
# shellcheck disable=SC2086
cmake --build --preset fuzz --target $targets
mkdir -p build/fuzz/findings

# fuzz SOURCE: one of them; says how far it came.
fuzz() {
    name=$(basename "$1" .c)
    room=$(basename "$(dirname "$1")")
    work=build/fuzz/corpus/$name
    mkdir -p "$work"
    seeds=
    for dir in "tests/fuzz/$room/corpus/$name" "tests/fuzz/$room/corpus"; do
        [ -d "$dir" ] && { seeds=$dir; break; }
    done
    [ "$name" != fuzz_playbook ] || seeds="$seeds playbooks"
    log=build/fuzz/$name.log
    # shellcheck disable=SC2086
    build/fuzz/tests/"$name" -max_total_time=$seconds -rss_limit_mb=2048 -timeout=600 \
        -artifact_prefix=build/fuzz/findings/ "$work" $seeds >"$log" 2>&1 &
    # shellcheck disable=SC2064 # this one, not the next
    trap "kill $! 2>/dev/null" TERM
    if ! wait $!; then
        tail -40 "$log"
        echo "fuzz: $name found something; it is in build/fuzz/findings"
        return 1
    fi
    echo "fuzz: $name, $(grep -o 'Done [0-9]* runs' "$log" || echo 'ended')"
}

# Two at a time, and none is left when it ends.
trap 'kill $before $now 2>/dev/null || :' EXIT
trap 'exit 130' INT TERM
before='' now=''
for source in tests/fuzz/*/fuzz_*.c; do
    fuzz "$source" &
    now=$!
    [ -z "$before" ] || wait "$before"
    before=$now
done
wait "$before"
