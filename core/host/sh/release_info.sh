# Asks a staged release what it is (release_info.c).
dir=$releases/$before$version$after
say release_dir "$dir"
[ -d "$dir/libs" ] || unknown "there is no release in $dir"
jar=$(find "$dir/libs/" -name 'kafka_2.1*.jar' -size +0 -print 2>/dev/null | head -n 1)
[ -n "$jar" ] || unknown "there is no kafka_2.1*.jar in $dir/libs"
# The date of a zip's first entry: two bytes, 7 bits year, 4 month, 5 day (APPNOTE 4.4.6).
set -- $(od -An -v -tu1 -j12 -N2 "$jar" 2>/dev/null)
[ $# != 2 ] || say built "$(printf '%04d-%02d-%02d' $(($2 / 2 + 1980)) \
    $(($2 % 2 * 8 + $1 / 32)) $(($1 % 32)))"
find_process
find_java || unknown 'no Java was found'
umask 077
scratch=$(mktemp -d) || unknown 'no directory can be made for its output'
trap 'rm -rf "$scratch"' EXIT
trap 'exit 95' HUP INT PIPE TERM
# run MAIN ARGUMENT...: into the file out; 0 when it ended well
run() {
    (
        cd "$scratch" || exit
        unset JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH
        exec timeout -k 2 "$limit" "$java" -Xmx128m -Xshare:auto -XX:+IgnoreUnrecognizedVMOptions \
            -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Dlog4j.configuration=file:/dev/null \
            -Dlog4j2.level=OFF -Dlog4j2.statusLoggerLevel=OFF -cp "$dir/libs/*" "$@"
    ) </dev/null >"$scratch/out" 2>&1
}
# keys_of ANCHOR NAME: what a ConfigDef lists as HTML; 1 when it lists nothing
keys_of() {
    sed -n "s/.*<a id=\"$1_\([^\"]*\)\".*/$2 \1/p" "$scratch/out" >"$scratch/keys"
    [ -s "$scratch/keys" ] && cat "$scratch/keys"
}
# silent WHAT: the first reason counts
silent() {
    [ -z "$why" ] || return 0
    why=$(grep -v '^[[:space:]]*at ' "$scratch/out" | tail -n 1 | cut -c1-300)
    why="it does not tell its $1: ${why:-it said nothing in time}"
}
why=''
run kafka.server.KafkaConfig && keys_of brokerconfigs key || silent 'configuration keys'
{ run org.apache.kafka.storage.internals.log.LogConfig && keys_of topicconfigs topic_key; } ||
    { run kafka.log.LogConfig && keys_of topicconfigs topic_key; } || silent 'topic keys'
if [ -n "$has_mapping" ]; then
    run kafka.tools.StorageTool version-mapping && grep -q '^metadata\.version=' "$scratch/out" ||
        silent 'features'
    sed -n 's/^\([a-z.]*\.version\)=\([0-9][0-9]*\).*/feature \1 \2/p' "$scratch/out"
    # Asked for one that is none, it names those there are: the first is the lowest.
    run kafka.tools.StorageTool version-mapping --release-version none
    lowest=$(sed -n 's/.* are: \([0-9][0-9A-Z.-]*\).*/\1/p' "$scratch/out" | head -n 1)
    if [ -n "$lowest" ] && run kafka.tools.StorageTool version-mapping --release-version "$lowest"
    then
        sed -n 's/^metadata\.version=\([0-9][0-9]*\).*/floor \1/p' "$scratch/out"
    fi
fi
[ -z "$why" ] || say why "$why"
