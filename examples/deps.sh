#!/bin/sh
# Installs the Debian packages kplay needs; nothing is changed when they are all there.
#   examples/deps.sh build   what it takes to build and run kplay
#   examples/deps.sh test    what the test command needs on top: test libraries, clang, Java, Maven and pip, an SSH server
set -eu

build="cmake ninja-build gcc g++ pkg-config liblua5.4-dev librdkafka-dev libssh2-1-dev libyaml-dev libjansson-dev libssl-dev"
test="$build clang libclang-rt-14-dev libcmocka-dev lua-busted lua5.4 openssh-server openssh-client python3 python3-pip default-jdk-headless maven procps shellcheck"

case "${1:-build}" in
build) want=$build ;;
test) want=$test ;;
*) echo "deps.sh: unknown set '$1'; say build or test" >&2; exit 2 ;;
esac

missing=
for p in $want; do
    case "$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || true)" in
    *" installed") ;;
    *)
        # A machine may have Java, Maven, a compiler or a build tool from elsewhere.
        case "$p" in
        default-jdk-headless) command -v javac >/dev/null 2>&1 && continue ;;
        python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
        maven) command -v mvn >/dev/null 2>&1 && continue ;;
        esac
        missing="$missing $p" ;;
    esac
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q >/dev/null
# Started services are not wanted: the lab runs its own sshd, on loopback, as its own processes.
# shellcheck disable=SC2086
$sudo env RUNLEVEL=1 apt-get install -y -q --no-install-recommends $missing >/dev/null
