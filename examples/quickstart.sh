#!/bin/sh
# From a bare Debian 12 to a simulated Kafka upgrade on the screen: packages, build, demo.
set -eu
cd "$(dirname "$0")/.."

echo "quickstart: installs the Debian packages that are missing, builds kplay in build/release, and upgrades"
echo "a simulated cluster with it; that cluster and its runs are kept in build/quickstart"
examples/deps.sh build
cmake --preset program >/dev/null
cmake --build --preset program

echo
rm -rf build/quickstart
echo '$ kplay run --demo rolling.lua --to 3.9.1'
exec build/release/kplay run --demo --runs build/quickstart rolling.lua --to 3.9.1 --yes "$@"
