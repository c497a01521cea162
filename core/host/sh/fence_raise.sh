# Takes the host; the number never goes back.
mkdir -p "$state/op" || fail "$state cannot be made"
[ -e "$state/lock" ] || : >>"$state/lock" || fail "$state cannot be written"
look
[ "$epoch" -ge "$held" ] || fenced
[ "$epoch" -gt "$held" ] || [ "$me" = "$holder" ] || fenced
case $holder in
"$me" | "$over" | -*) ;;
*) fenced ;;
esac
[ "$epoch" -eq "$held" ] || put "$me"
told "$me"
