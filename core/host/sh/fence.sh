# What raising the fence and giving it back have in common: under the lock, the present line of the
# file, in held and holder; put: another one.
umask 002
fenced() {
    say fenced "$held $holder"
    exit 97
}
held=0 holder=-
look() {
    hold -x
    [ -e "$state/epoch" ] || return 0
    [ -r "$state/epoch" ] || fail "$state/epoch cannot be read"
    read -r held holder <"$state/epoch" || :
    case $held in
    '' | *[!0-9]*) fail "$state/epoch cannot be understood" ;;
    esac
    [ -n "$holder" ] || fail "$state/epoch cannot be understood"
}
put() {
    new=$state/epoch.new
    printf '%s %s\n%s %s\n' "$epoch" "$1" "$(date +%s)" "$who" >"$new" &&
        durable "$new" &&
        mv -T "$new" "$state/epoch" &&
        durable "$state" || fail "$state/epoch cannot be written"
}
told() {
    say epoch "$epoch"
    say holder "$1"
    say was_epoch "$held"
    say was_holder "$holder"
}
