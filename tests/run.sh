#!/bin/sh
# The test command: sets up what it needs, then runs everything.
#
#   tests/run.sh          all but what takes long
#   tests/run.sh --long   that too: the 10,000-partition bench, long fuzzing, repeats
#   tests/run.sh --quick  without real Kafka (while developing)
#
# Real Kafka is fetched once, outside the build tree (KPLAY_LAB_CACHE).  Nothing it starts is left running.
set -eu
cd "$(dirname "$0")/.."

long= quick=
for arg in "$@"; do
    case "$arg" in
    --long) long=1 ;;
    --quick) quick=1 ;;
    *) echo "run.sh: unknown option $arg; it takes --long or --quick" >&2; exit 2 ;;
    esac
done

[ -z "$long" ] || export KPLAY_LONG=1 # the command line's crash sweep at every record

begun=$(date +%s)
part() { printf '\n=== %s (%s s)\n' "$1" "$(($(date +%s) - begun))"; }

part "packages"
examples/deps.sh test

part "build: gcc with ASan and UBSan, gcc release, clang"
cmake --preset asan >/dev/null && cmake --build --preset asan
cmake --preset release >/dev/null && cmake --build --preset release
cmake --preset clang -DKPLAY_TESTS=OFF >/dev/null && cmake --build --preset clang

part "house"
python3 tests/house/house_test.py . build/release

part "unit tests under ASan and UBSan"
ctest --test-dir build/asan --output-on-failure -j2 -L unit

part "specs: stdlib and playbooks on the simulator"
build/asan/kplay test tests/spec

part "command line, crash sweep, golden output"
python3 tests/cli/cli_test.py build/asan/kplay

part "real Java: how it reads a properties file"
python3 tests/proof/properties/proof.py --dump build/asan/tests/proof_dump_config ${long:+--long}

part "benches"
tests/bench/run.sh build/release

part "fuzzing"
tests/fuzz/run.sh ${long:+--long}

if [ -z "$quick" ]; then
    part "real Kafka"
    python3 tests/lab/scenarios.py --kplay build/release/kplay --load build/release/tests/lab/lab_load ${long:+--long}
    [ -z "$long" ] || python3 tests/lab/scenarios.py --kplay build/release/kplay --load build/release/tests/lab/lab_load --busy 4

    part "bench: urp() beside Kafka's own tool"
    python3 tests/bench/urp/urp.py --kplay build/release/kplay ${long:+--long}
fi

part "all passed"
