#!/bin/sh
# lines.sh OUT VERSIONS: the engine's table of releases (release.h), made of the rows of
# stdlib/versions.lua.  A row is a line that begins with `{ line =`; one that is not whole fails the
# build.
set -eu
exec >"$1"
echo '/* Made of stdlib/versions.lua by core/cluster/lines.sh. */'
echo '#include "cluster/release.h"'
echo 'const kp_release_line kp_release_lines[] = {'
awk '
function value(name,    at) {
    for (at = 1; at < NF; at++)
        if ($at == name && $(at + 1) == "=") {
            gsub(/[",]/, "", $(at + 2))
            return $(at + 2)
        }
    return ""
}
/^ *\{ line = / {
    split(value("line"), line, ".")
    iv = value("iv"); java = value("java"); floor = value("floor"); level = value("level")
    if (line[2] == "" || iv == "" || java == "" || (floor == "") != (level == "")) {
        print "versions.lua:" FNR ": a row lacks a field" >"/dev/stderr"
        exit 1
    }
    printf "    { %d, %d, %d, %d, %d, %d },\n", line[1], line[2], iv, floor, level, java
    rows++
}
END { if (!rows) exit 1 }
' "$2"
echo '    { 0, 0, 0, 0, 0, 0 },'
echo '};'
