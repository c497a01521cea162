# Asks the running broker's own metrics who its clients are (clients.c).
# Nobody but the process's own user may see the address of its agent: it stands in a file, never on
# a command line, and no word of the tool that names it leaves the host.
unknown() { say problem "$1"; exit 0; }
end=$(($(date +%s) + limit))
# in_time COMMAND...: ended when the time is over, then its status is 124 or 137
in_time() {
    left=$((end - $(date +%s)))
    [ "$left" -gt 0 ] || return 124
    timeout -k 2 "$left" "$@"
}
is_late() { [ "$1" = 124 ] || [ "$1" = 137 ]; }
last_words() { grep -v 'service:jmx' "$1" | grep . | tail -n 1 | cut -c1-300; }
late="its process did not answer within $limit s"
find_process
[ "$pid" != 0 ] || unknown 'no process of this node runs'
owner=$(stat -c %U "/proc/$pid" 2>/dev/null)
[ "$(stat -c %u "/proc/$pid" 2>/dev/null)" = "$(id -u)" ] ||
    unknown "its process is of ${owner:-another user}; become.files has to be that user"
exe=$(readlink "/proc/$pid/exe" 2>/dev/null)
exe=${exe% (deleted)}
case $exe in */java) ;; *) unknown "its process is no Java: ${exe:-unreadable}" ;; esac
jcmd=${exe%java}jcmd
[ -x "$jcmd" ] || unknown "there is no jcmd beside $exe: its Java is no JDK"
[ -e "${exe%/bin/java}/lib/modules" ] || unknown "its Java ($exe) is older than 9"
# jcmd calls by SIGQUIT, which ends a process that does not catch it (java -Xrs): its bit is 4.
case $(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null) in
*[4567cdef]) ;;
*) unknown 'its process does not catch SIGQUIT, by which jcmd calls it (java -Xrs)' ;;
esac
# Of the jars that it has open: the link may name another release by now.
# shellcheck disable=SC2012 # the targets of links
libs=$(ls -l "/proc/$pid/fd" 2>/dev/null |
    sed -n 's,.* -> \(/.*\)/kafka-clients-[0-9][^/]*\.jar$,\1,p' | head -n 1)
[ -n "$libs" ] || unknown 'which jars its process has open cannot be seen'
release_in "$libs"
say release "$release"
{ cat "$(config_of "$pid")"; echo; arguments "$pid" | sed -n 's/^override //p'; } 2>/dev/null |
    grep -E "^[[:space:]]*($keys)[[:space:]]*[=: ]" | sed 's/^/line /'
umask 077
scratch=$(mktemp -d) || unknown 'no directory can be made for its output'
trap 'rm -rf "$scratch"' EXIT
trap 'exit 95' HUP INT PIPE TERM
cd "$scratch" || exit
unset JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH
agent() {
    in_time "$jcmd" -J-XX:TieredStopAtLevel=1 -J-XX:-UsePerfData "$pid" "ManagementAgent.$1" \
        </dev/null >said 2>&1
    rc=$?
    ! is_late "$rc" || unknown "$late"
    [ "$rc" = 0 ] || unknown "jcmd: $(last_words said)"
}
address() {
    awk '/^Connection Type *: */ { kind = $NF }
        /^URL *: */ && kind == "local" { print $NF; exit }' said
}
agent status
url=$(address)
if [ -z "$url" ]; then
    agent start_local
    agent status
    url=$(address)
fi
[ -n "$url" ] || unknown 'jcmd does not tell the address of the agent that it started'
# tool CLASS ARGUMENT...: what it prints into `out`
tool() {
    for word in -cp "$libs/*" -Xmx64m -Xshare:auto -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
        -Dlog4j.configuration=file:/dev/null -Dlog4j2.level=OFF -Dlog4j2.statusLoggerLevel=OFF \
        "$@" --jmx-url "$url" --one-time true --report-format properties \
        --attributes connections,connection-count,Count; do
        printf '%s\n' "$word" | sed 's/[\\"]/\\&/g; s/.*/"&"/'
    done >words
    in_time "$exe" @words </dev/null >out 2>err
    rc=$?
    ! is_late "$rc" || unknown "$late"
}
# Before 3.5 the tool takes no pattern (it ends with a NullPointerException) and tells every bean.
set --
for name in 'kafka.server:type=socket-server-metrics,*' 'kafka.server:BrokerId=*,*' \
    'kafka.server:type=replica-fetcher-metrics,*' 'kafka.server:type=*-channel-metrics,*' \
    'kafka.network:type=RequestMetrics,name=DeprecatedRequestsPerSec,*'; do
    set -- "$@" --object-name "$name"
done
tool org.apache.kafka.tools.JmxTool "$@"
if grep -q 'Could not find or load main class' err; then
    tool kafka.tools.JmxTool
fi
[ "$rc" = 0 ] || unknown "JmxTool: $(last_words err)"
grep -E 'type=socket-server-metrics,|:connection-count=|name=DeprecatedRequestsPerSec,' out |
    grep -v ':connections=0$' >told
[ -s told ] || unknown "JmxTool told nothing: $(last_words err)"
[ "$(wc -c <told)" -le "$most" ] || unknown "its metrics are more than $most bytes"
echo
cat told
