# open_files: of `ls -l` on /proc/PID/cwd, exe and fd: where the process is, Kafka's jars and locked
# directories that it has open, in the order in which they were opened; then, of the `tables` of
# /proc/net, the ports it listens on.
{
    at = index($0, " -> ")
    if (!at) next
    of = substr($0, 1, at - 1); sub(/^.* /, "", of)
    path = substr($0, at + 4)
}
of ~ /\/cwd$/ { print "process.cwd " path; next }
{ sub(/ \(deleted\)$/, "", path) }
of ~ /\/exe$/ { if (path ~ /\/java$/) print "process.java " path; next }
path ~ /^socket:\[[0-9]+\]$/ { mine[substr(path, 9, length(path) - 9)]; next }
path ~ /^\/.*\/(kafka_2\.|kafka-clients-)[^\/]*\.jar$/ {
    sub(/^.*\//, "", path)
    open[of + 0] = "open.jar " path
}
sub(/\/\.lock$/, "", path) { open[of + 0] = "open.lock " path }
of + 0 > last { last = of + 0 }
END {
    for (fd = 0; fd <= last; fd++) if (fd in open) print open[fd]
    n = split(tables, table, " ")
    for (i = 1; i <= n; i++)
        while ((getline <table[i]) > 0)
            if ($4 == "0A" && ($10 in mine)) {
                n_parts = split($2, part, ":")
                print "process.port " part[n_parts]
            }
}
