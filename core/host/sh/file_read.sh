# A file, whole, with its digest.  Needs path and limit.
path=$(readlink -f "$path") || exit 0
say path "$path"
[ -e "$path" ] || exit 0
[ -f "$path" ] && [ -r "$path" ] || fail "$path cannot be read"
set -- $(stat -c '%s %a %Y' "$path")
[ "$1" -le "$limit" ] || fail "$path has $1 bytes, more than are read at once"
say mode "$2"
say modified "$3"
say sha256 "$(sha256sum <"$path" | cut -c1-64)"
echo
cat "$path"
