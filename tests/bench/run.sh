#!/bin/sh
# Benches that need no Kafka: counts, and ratios in one run; no time is a pass mark.
#   tests/bench/run.sh BUILD_DIR
set -eu
build=$1
"$build"/tests/bench_sim
