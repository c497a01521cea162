# options: of a command line (a word each line), the options of its JVM that can be tried by another
# one without any effect: not the agents, properties, logs, recordings, paths, and what depends on
# the size of the heap.  Nor what kafka-run-class.sh chooses by the version of Java: the log of the
# collector, which it gives to one before 9 in these words.
BEGIN {
    n_own = split("-verbose:gc -XX:+PrintGCDetails -XX:+PrintGCDateStamps -XX:+PrintGCTimeStamps" \
        " -XX:+UseGCLogFileRotation -XX:NumberOfGCLogFiles=10 -XX:GCLogFileSize=100M", own, " ")
    heap = "(Initial|Min|Max|SoftMax)?(Heap|RAM|New)(Size|Percentage|Fraction)?|G1HeapRegionSize"
    files = "Flags|VMOptionsFile|SharedArchiveFile|OnError|OnOutOfMemoryError|StartFlightRecording"
    files = files "|FlightRecorderOptions"
}
NR == 1 { next }
$0 == "kafka.Kafka" { exit }
value == "skip" { value = ""; next }
value == "take" { value = ""; word[++n] = $0; next }
/^(-cp|-classpath|--class-path|-p|--module-path|--upgrade-module-path|--patch-module)$/ {
    value = "skip"
    next
}
/^--(module-path|upgrade-module-path|patch-module|class-path)=/ { next }
/^--(add-(opens|exports|reads|modules)|limit-modules|enable-native-access)$/ { value = "take" }
/^--/ || /^-(server|client|d32|d64|noverify|verbose:.*)$/ { word[++n] = $0; next }
/^-Djava\.security\.manager/ { word[++n] = $0; next }
/^-X(m[snx]|log|boot|run|debug|show|diag|internalversion)/ { next }
/^-XX:[^=]*=.*\// || /^-XX:\+(AlwaysPreTouch|UseLargePages)/ { next }
/^-XX:/ {
    name = $0
    sub(/^-XX:[+-]?/, "", name)
    sub(/=.*/, "", name)
    if (name ~ ("^(" heap "|" files ")$")) next
}
/^-X/ { word[++n] = $0 }
END {
    for (i = 1; i <= n; i++) {
        for (k = 1; k <= n_own && word[i + k - 1] == own[k]; k++) ;
        if (k > n_own) i += n_own - 1
        else print word[i]
    }
}
