# arguments: what a command line (a word each line) says of a node: `script yes` of a start script,
# which bears the words of its java; `file`, `override` and `class_path` (Java takes the last).
NR == 1 {
    shell = $0
    sub(/^.*\//, "", shell)
    if (shell ~ /^(sh|bash|dash|ash|ksh|zsh)$/) print "script yes"
}
seen && before ~ /^--?override$/ { print "override " $0; before = ""; next }
seen && sub(/^--?override=/, "") { print "override " $0; before = ""; next }
seen && !file && !/^-/ { file = $0 }
seen { before = $0; next }
before ~ /^(-cp|-classpath|--class-path)$/ { path = $0 }
sub(/^(--class-path=|-Djava\.class\.path=)/, "") { path = $0 }
{ seen = $0 == "kafka.Kafka"; before = $0 }
END { print "file " file; print "class_path " path }
