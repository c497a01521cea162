#!/bin/sh
# unaware.sh SOURCE OUT: a kplay that was not told about the newest lines of releases: OUT/share/kplay is
# its stdlib and playbooks, OUT/release_lines.c the engine's table, both without the rows of 4.3 and 4.4.
set -eu
rm -rf "$2/share"
mkdir -p "$2/share/kplay"
cp -R "$1/stdlib" "$1/playbooks" "$2/share/kplay/"
sed '/^ *{ line = "4\.[34]"/d' "$1/stdlib/versions.lua" >"$2/share/kplay/stdlib/versions.lua"
[ $(($(wc -l <"$1/stdlib/versions.lua") - $(wc -l <"$2/share/kplay/stdlib/versions.lua"))) = 2 ]
sh "$1/core/cluster/lines.sh" "$2/release_lines.c" "$2/share/kplay/stdlib/versions.lua"
