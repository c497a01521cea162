# Replaces a file if it still is the one that was read (file.c).  Needs path, expect, sum, lock().
path=$(readlink -f "$path") || fail "the directory of $path is not there"
new=$(dirname "$path")/.$(basename "$path").kplay-$opname.$$
backup=$path.kplay-$opname
sum_of() { if [ -e "$1" ]; then sha256sum <"$1" | cut -c1-64; fi; }
trap 'rm -f "$new" "$backup.new"' EXIT
# A link that is cut: PIPE, at the next word.
trap 'exit 95' HUP INT PIPE TERM
umask 027
cat >"$new" || fail "$new cannot be written"
[ "$(sum_of "$new")" = "$sum" ] || fail "$new did not arrive whole"
if [ -e "$path" ]; then
    for change in chown chgrp; do
        "$change" --reference="$path" "$new" 2>/dev/null && break
    done
    chmod --reference="$path" "$new" || fail "$new cannot be given the mode of $path"
else
    chmod 640 "$new"
fi
durable "$new"
lock
now=$(sum_of "$path")
did=already
if [ "$now" != "$sum" ]; then
    [ "$now" = "$expect" ] || refuse "$path is not the file that was read"
    if [ -n "$now" ] && [ ! -e "$backup" ]; then
        cp -p "$path" "$backup.new" && durable "$backup.new" &&
            mv -T "$backup.new" "$backup" || fail "$backup cannot be written"
    fi
    act file "$path"
    mv -T "$new" "$path" || fail "$path cannot be replaced"
    durable "$(dirname "$path")"
    did='done'
fi
say did "$did"
say path "$path"
say sha256 "$sum"
[ ! -e "$backup" ] || say backup "$backup"
