#!/bin/sh
# Benches that need no Kafka: counts and CPU seconds, never wall time.
#   tests/bench/run.sh BUILD_DIR
set -eu
build=$1
"$build"/tests/bench_sim
