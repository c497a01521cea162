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
# alone: in a subshell, before a Java: nothing of a login's is around it.
alone() {
    cd "$scratch" || return
    unset JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH
}
# ---- classes, looked for by name ----
unread() { say class_path_unread "$1" >&3; }
# places: of a class path, an entry a line, its jars and directories
places() {
    while IFS= read -r one; do
        case $one in
        */'*')
            [ -r "${one%?}" ] || [ ! -e "${one%?}" ] || unread "${one%?}"
            for jar in "${one%?}"*.[jJ][aA][rR]; do printf '%s\n' "$jar"; done
            ;;
        /*) printf '%s\n' "$one" ;;
        ?*) unread "$one" ;;
        esac
    done | while IFS= read -r one; do
        [ -e "$one" ] || continue
        if [ -r "$one" ]; then printf '%s\n' "$one"; else unread "$one"; fi
    done
}
# in_places NAMES: of classes as paths, a line each, those that the places on stdin have.  A jar's
# directory holds each name as it is, behind a byte that no name has; an entry for newer Javas is
# below META-INF/versions.
in_places() {
    any=$(printf '%s\n' "$1" | sed 's/[.$]/\\&/g' | tr '\n' '|')
    while IFS= read -r one; do
        if [ -d "$one" ]; then
            printf '%s\n' "$1" | while IFS= read -r name; do
                [ ! -f "$one/$name" ] || printf '%s\n' "$name"
            done
        else
            grep -aohE "(^|[^A-Za-z0-9_\$/.-])(META-INF/versions/[0-9]+/)?(${any%|})" "$one" |
                tr -c 'A-Za-z0-9_$/.\n-' '\n' | sed 's,^META-INF/versions/[0-9]*/,,'
        fi
    done
}
# look_for_classes: `classes` has lines "NAME PATH"; the path may be absent.
look_for_classes() {
    exec 3>&1
    names=$(printf '%s' "$classes" | sed 's/ .*//' | tr . / | sed 's/$/.class/')
    found=$(printf '%s\n' "$dir/libs/*" "$other" | places | in_places "$names")
    printf '%s\n' "$list" | while IFS= read -r one; do
        case $one in '' | /*) ;; *) unread "$one" ;; esac
    done
    printf '%s' "$classes" | while read -r name own; do
        path=$(printf '%s' "$name" | tr . /).class
        {
            printf '%s\n' "$found"
            [ -z "$own" ] || printf '%s\n' "$own" | tr ':' '\n' | places | in_places "$path"
        } | grep -qxF -e "$path" || say class_missing "$name"
    done
    exec 3>&-
    say classes yes
}
# ---- the options of the running process ----
# java_starts WORDS...: whether it does with them; sets said.
java_starts() {
    said=$( (alone && exec timeout -k 2 10 "$java" "$@" -Xmx256m -XX:-UsePerfData -version) \
        </dev/null 2>&1)
}
# refusal: of what Java said, the line that is about an option.
refusal() {
    printf '%s\n' "$said" | grep -E -e '^(Unrecognized|Improperly specified|Unexpected)' \
        -e '^(Missing \+/-|Conflicting|Multiple garbage collectors)' \
        -e '^(Error: VM option|java\.lang\.Error: )' -e 'not supported' | head -n 1
}
# try_options: Java names one that it does not start with, and is tried again without that one.
tries_limit=20
try_options() {
    options=$(args_of "$pid" | awk "$awk_options") tries=0
    while [ -n "$options" ] && [ $((tries += 1)) -le "$tries_limit" ]; do
        printf '%s\n' "$options" >"$scratch/options" || return
        set --
        while IFS= read -r word; do set -- "$@" "$word"; done <"$scratch/options"
        ! java_starts "$@" || break
        why=$(refusal)
        if [ -z "$why" ]; then
            say jvm_why "$(printf '%s\n' "$said" | head -n 1)"
            return
        fi
        say jvm_refused "$why"
        name=$(printf '%s\n' "$why" | sed -n "s/^Unrecognized VM option '\(.*\)'.*/-XX:\1/p
            s/^Unrecognized option: //p")
        on=$(printf '%s' "$name" | sed 's/^-XX:/&+/') off=$(printf '%s' "$name" | sed 's/^-XX:/&-/')
        [ -n "$name" ] || break
        fewer=$(grep -vxF -e "$name" -e "$on" -e "$off" "$scratch/options")
        [ "$fewer" != "$options" ] || break
        options=$fewer
    done
    say jvm_tried yes
}
