# Asks the staged release whether it would take the file (proof.c).
dir=$releases/$before$version$after
say release_dir "$dir"
[ -d "$dir/libs" ] || wrong missing "there is no release in $dir"
for jar in kafka_2.1 kafka-clients-; do
    [ -n "$(find "$dir/libs/" -name "$jar*.jar" -print 2>/dev/null | head -n 1)" ] ||
        wrong incomplete "there is no $jar*.jar in $dir/libs"
done
[ -n "$(find "$dir/libs/" -name '*.jar' -size +0 -print 2>/dev/null | head -n 1)" ] ||
    unknown "every jar in $dir/libs is empty"
for jar in "$dir/libs/"*.jar; do
    [ -r "$jar" ] || wrong incomplete "$(id -un) may not read $jar"
    ! is_cut "$jar" || wrong incomplete "${jar##*/} in $dir/libs is cut short"
done
[ -r "$config" ] || unknown "$config cannot be read"
say file_sha256 "$(sha256sum <"$config" | cut -c1-64)"
find_process
umask 077
scratch=$(mktemp -d) || unknown 'no directory can be made for its output'
trap 'rm -rf "$scratch"' EXIT
trap 'exit 95' HUP INT PIPE TERM
list='' other=''
if [ "$pid" != 0 ]; then
    list=$(arguments "$pid" | sed -n 's/^class_path //p' | tr ':' '\n')
    [ -z "$list" ] || say class_path yes
    other=$(other_jars "$list")
    args_of "$pid" | sed -n 's/^-Dlog4j\.configuration=/log4j /p' | tail -n 1 # which Java takes
fi
[ -z "$classes" ] || look_for_classes
find_java || unknown 'no Java was found'
say java_path "$java"
[ -z "$guessed" ] || say guessed yes
[ "$pid" = 0 ] || [ "/proc/$pid/exe" -ef "$java" ] || try_options
[ -n "$has_tool" ] || unknown "release $version has no StorageTool to ask"
file=$config class_path="$dir/libs/*"
if [ "$pid" != 0 ]; then
    other=$(printf '%s' "$other" | tr '\n' ':')
    class_path=$class_path${other:+:${other%:}}
    overrides=
    [ ! "$(config_of "$pid")" -ef "$config" ] ||
        overrides=$(arguments "$pid" | sed -n 's/^override //p')
    if [ -n "$overrides" ]; then
        file=$scratch/server.properties
        {
            cat "$config"; printf '\n\n'
            printf '%s\n' "$overrides" | sed 's/\\/&&/g'
        } >"$file" || unknown 'the file and its overrides cannot be written'
    fi
fi
(
    alone || exit
    exec timeout -k 2 "$limit" "$java" -showversion -Xmx128m -Xshare:auto \
        -XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
        -Dlog4j.configuration=file:/dev/null -Dlog4j2.level=OFF \
        -Dlog4j2.statusLoggerLevel=OFF -cp "$class_path" \
        kafka.tools.StorageTool info -c "$file"
) </dev/null >"$scratch/out" 2>&1
say rc "$?"
# bytes of the file that are read for its providers
file_limit=1048576
! grep -qF '${' "$scratch/out" ||
    { head -c "$file_limit" "$file"; echo; } | sed 's/^/line /'
echo
head -c "$most" "$scratch/out"
