# What every part of the permission proof says (permissions.c).
bad() { say act "$1"; say what "$2"; say next "$3"; }
# nearest PATH: it, or the nearest directory above that is there
nearest() {
    d=$1
    while [ ! -d "$d" ] && [ "$d" != / ]; do d=$(dirname "$d"); done
    printf '%s\n' "$d"
}
