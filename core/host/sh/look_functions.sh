# What the look is made of.  Limits: bytes of a properties file, of meta.properties.
file_limit=1048576 meta_limit=65536
# release_in DIR: sets release, what its jars name; kafka_2.1x before kafka-clients.
nl='
'
release_in() {
    release=
    for jar in "$1"/kafka-clients-[0-9]*.jar "$1"/kafka_2.[0-9]*-[0-9]*.jar; do
        case $jar in
        *-sources.jar | *-javadoc.jar | *-scaladoc.jar | *-tests.jar | *-test.jar)
            continue
            ;;
        esac
        [ -e "$jar" ] || continue
        jar=${jar##*/} jar=${jar#kafka-clients-} jar=${jar#kafka_2.*-}
        case $jar in [0-9]*) release=${jar%.jar} ;; esac
    done
}
there() { [ -e "$1" ]; }
# place_of DIR: its path without symbolic links; in a subshell.
place_of() { { cd -P "$1/" 2>/dev/null && pwd -P; } || readlink -f "$1"; }
# send NAME FILE: its digest; its lines too, unless that digest is known.
send() {
    sum=$(sha256sum <"$2") sum=${sum%% *}
    say "$1.sha256" "$sum"
    case " $known " in *" $sum "*) return ;; esac
    { head -c "$file_limit" "$2"; echo; } | sed "s/^/$1.line /"
}
# dir KIND PATH: one log directory. A relative one is below nobody knows what.
dir() {
    say dir "$2"
    say dir.kind "$1"
    case $2 in /*) ;; *) return ;; esac
    [ -d "$2" ] || return
    say dir.found yes
    [ ! -e "$2/.kafka_cleanshutdown" ] || say dir.clean yes
    [ -e "$2/recovery-point-offset-checkpoint" ] ||
        [ ! -d "$2/__cluster_metadata-0" ] || say dir.metadata_only yes
    set -- "$2" $(stat -f -c '%a %S' "$2")
    [ $# -ne 3 ] || say dir.free $(($2 * $3))
    [ ! -r "$1/meta.properties" ] ||
        { head -c "$meta_limit" "$1/meta.properties"; echo; } | sed 's/^/dir.meta /'
}
# class_path PATH: Kafka's jars in it, wildcards in the order Java sees the files.
class_path() {
    set -f
    IFS=:
    for one in $1; do
        case $one in '' | /*) ;; *) one=$cwd/$one ;; esac
        case $one in
        */'*')
            say process.wildcard yes
            # shellcheck disable=SC2010 # a glob would sort them
            ls -U "${one%?}" 2>/dev/null |
                grep -E '^(kafka_2\.|kafka-clients-).*\.jar$' | sed 's/^/process.jar /'
            ;;
        *.jar)
            one=${one##*/}
            case $one in kafka_2.* | kafka-clients-*) say process.jar "$one" ;; esac
            ;;
        esac
    done
    unset IFS
    set +f
}
# config_agents: by their program, or the script that an interpreter runs: one of the first words of
# a command line.
config_agents() {
    say agents yes
    for p in $(grep -lF -e puppet -e chef-client -e cinc-client -e salt-minion -e cf-execd \
        -e cf-agent -e ansible-pull -e unattended-upgrade /proc/[0-9]*/cmdline 2>/dev/null); do
        { tr '\0' '\n' <"$p" | head -n 4; } 2>/dev/null | {
            read -r word
            agent "${word%% *}"
            while read -r word; do [ ! -f "$word" ] || [ ! -x "$word" ] || agent "$word"; done
        }
    done
}
agent() {
    case ${1##*/} in
    puppet | chef-client | cinc-client | salt-minion | cf-execd | cf-agent | ansible-pull | \
        unattended-upgrade | unattended-upgrade-shutdown) say agent "${1##*/}" ;;
    esac
}
# open_files: where the process is, and what it has open, in the order in which it was opened; then
# the ports it listens on.
open_files() {
    ls -l "/proc/$pid/cwd" "/proc/$pid/exe" "/proc/$pid/fd" 2>/dev/null |
        awk -v tables="/proc/$pid/net/tcp /proc/$pid/net/tcp6" "$awk_open_files"
}
