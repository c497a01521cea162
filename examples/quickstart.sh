#!/bin/sh
# From a bare Debian 12 to a simulated Kafka upgrade on the screen: packages, build, demo.
set -eu
cd "$(dirname "$0")/.."

examples/deps.sh build
cmake --preset program >/dev/null
cmake --build --preset program

echo
echo '$ kplay run --demo rolling.lua --to 3.9.1'
exec build/release/kplay run --demo rolling.lua --to 3.9.1 --yes "$@"
