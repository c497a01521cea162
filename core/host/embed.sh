#!/bin/sh
# embed.sh OUT FILE...: writes the files as C into OUT.  NAME.sh becomes the text kp_sh_NAME,
# NAME.awk kp_awk_NAME.  Lines of comment stay at home: a host is sent what it runs.
set -eu
exec >"$1"
shift
for file in "$@"; do
    name=${file##*/}
    echo "extern const char kp_${name##*.}_${name%.*}[];"
    echo "const char kp_${name##*.}_${name%.*}[] ="
    sed -e '/^ *#/d' -e 's/[\\"]/\\&/g' -e 's/.*/    "&\\n"/' "$file"
    echo ";"
done
