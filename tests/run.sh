#!/bin/sh
# The test command: sets up what it needs, then runs everything, or the parts that are named.
#
#   tests/run.sh               all but what takes long
#   tests/run.sh --long        that too: the 10,000-partition bench, long fuzzing, repeats
#   tests/run.sh --quick       without real Kafka (while developing)
#   tests/run.sh --part NAME   that part alone, with the builds it needs; may be given several times
#
# Real Kafka is fetched once, outside the build tree (KPLAY_LAB_CACHE).  Nothing it starts is left running.
set -eu
cd "$(dirname "$0")/.."

all="packages build house unit specs editor cli journals mutants proof benches fuzz lab urp"

usage() {
    echo "run.sh: $1; it takes --long, --quick and --part NAME" >&2
    echo "parts: $all" >&2
    exit 2
}

long='' quick='' parts=''
while [ $# -gt 0 ]; do
    case "$1" in
    --long) long=--long ;;
    --quick) quick=1 ;;
    --part)
        [ $# -gt 1 ] || usage "--part needs a name"
        case " $all " in *" $2 "*) ;; *) usage "no part \"$2\"" ;; esac
        parts="$parts $2"
        shift ;;
    *) usage "unknown option $1" ;;
    esac
    shift
done
case "$quick$parts" in 1*\ lab* | 1*\ urp*) usage "--quick leaves real Kafka out, and --part names it" ;; esac
[ -n "$parts" ] || parts=$all
[ -z "$long" ] || export KPLAY_LONG=1 # the command line's crash sweep at every record

begun=$(date +%s)
say() { printf '\n=== %s (%s s)\n' "$1" "$(($(date +%s) - begun))"; }

# Every preset says for itself whether it has tests: what a build directory was before does not matter.
built=
build() {
    for preset in "$@"; do
        case " $built " in *" $preset "*) continue ;; esac
        cmake --preset "$preset" >/dev/null
        cmake --build --preset "$preset"
        built="$built $preset"
    done
}

for part in $parts; do
    case "$part" in
    lab | urp) [ -z "$quick" ] || continue ;;
    esac
    case "$part" in
    packages)
        say "packages"
        examples/deps.sh test ;;
    build)
        say "build: gcc with ASan and UBSan, gcc release, clang"
        build asan release clang ;;
    house)
        say "house"
        build release
        python3 tests/house/house_test.py . build/release
        python3 tests/house/presets_test.py . ;;
    unit)
        say "unit tests under ASan and UBSan"
        build asan
        ctest --test-dir build/asan --output-on-failure -j2 -L unit ;;
    specs)
        say "specs: stdlib and playbooks on the simulator"
        build asan
        build/asan/kplay test tests/spec ;;
    editor)
        say "editor: playbooks, stdlib and specs, with the stubs"
        build asan
        python3 tests/editor/editor_test.py build/asan/kplay ;;
    cli)
        say "command line, crash sweep, golden output"
        build asan
        python3 tests/cli/cli_test.py build/asan/kplay ;;
    journals)
        say "journals: an archive of runs, replayed"
        build asan
        python3 tests/journals/journals_test.py build/asan/kplay ;;
    mutants)
        say "mutants: broken on purpose, each caught by its test"
        python3 tests/mutants/mutants.py build/mutants $long ;;
    proof)
        say "real Java: how it reads a properties file"
        build asan
        python3 tests/proof/properties/proof.py --dump build/asan/tests/proof_dump_config $long ;;
    benches)
        say "benches"
        build release
        tests/bench/run.sh build/release ;;
    fuzz)
        say "fuzzing"
        tests/fuzz/run.sh $long ;;
    lab)
        say "real Kafka"
        build release
        lab="python3 tests/lab/scenarios.py --kplay build/release/kplay --load build/release/tests/lab/lab_load"
        $lab $long
        [ -z "$long" ] || $lab --busy 4 ;;
    urp)
        say "bench: urp() beside Kafka's own tool"
        build release
        python3 tests/bench/urp/urp.py --kplay build/release/kplay $long ;;
    esac
done
say "all passed"
