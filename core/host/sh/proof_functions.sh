# Which Java the next start takes, and what is on its class path beside its release.
# bytes of the file that are read for its providers
# environment_of PID NAME
environment_of() {
    tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | sed -n "s/^$2=//p"
}
unit_java_home() {
    systemctl show -p Environment -p EnvironmentFiles "$unit" 2>/dev/null |
        while read -r line; do
        case $line in
        Environment=*) printf '%s\n' "${line#Environment=}" | tr ' ' '\n' ;;
        EnvironmentFiles=*)
            line=${line#EnvironmentFiles=}
            cat "${line% (ignore_errors=*}" 2>/dev/null ;;
        esac
    done | tr -d '"' | tr -d "'" | sed -n 's/^[[:space:]]*JAVA_HOME=//p' | tail -n 1
}
is_java() { [ -f "$1" ] && [ -x "$1" ] && java=$1; }
# java_on PATH: sets java to the first of it
java_on() {
    rest=$1:
    while [ -n "$rest" ]; do
        ! is_java "${rest%%:*}/java" || return 0
        rest=${rest#*:}
    done
    return 1
}
# find_java sets java, and guessed when nothing of the service says so.
find_java() {
    java='' guessed=''
    home=
    [ -z "$unit" ] || home=$(unit_java_home)
    [ -z "$home" ] || ! is_java "$home/bin/java" || return 0
    if [ "$pid" != 0 ]; then
        word=$(args_of "$pid" | head -n 1)
        case $word in
        */java) ! is_java "$word" || return 0 ;;
        java) ! java_on "$(environment_of "$pid" PATH)" || return 0 ;;
        esac
        exe=$(readlink "/proc/$pid/exe" 2>/dev/null)
        case $exe in */java) ! is_java "$exe" || return 0 ;; esac
    fi
    guessed=yes
    java_on "$PATH"
}
# other_jars LIST: of a class path, what is not of a release; one a line.
other_jars() {
    list=$1 mine=$(readlink -f "$releases") now=$(readlink -f "$current")
    printf '%s\n' "$list" | sed -n 's,/[^/]*$,,p' | sort -u | while read -r d; do
        real=$(readlink -f "$d")
        case $real/ in
        "${mine:-?}/$before"[0-9]*"$after"/* | "${now:-?}"/* | [!/]*) continue ;;
        esac
        ! ls "$d"/kafka_2.1*.jar >/dev/null 2>&1 || continue
        printf '%s\n' "$list" | awk -v d="$d" 'index($0, d "/") == 1 &&
            !index(substr($0, length(d) + 2), "/")'
    done
}
wrong() { say kind "$1"; say problem "$2"; exit 0; }
unknown() { say why "$1"; exit 0; }
# is_cut JAR: a zip ends with its directory's end, and a comment of at most 64 KiB.
zip_end=$(printf 'PK\005\006')
is_cut() { ! tail -c 65557 "$1" | grep -aqF "$zip_end"; }
