# signs: of a log that begins at byte `at`: where each of SIGNS (lines "[! ]NAME PATTERN") was seen
# last, and the last `keep` lines that speak of trouble.
BEGIN {
    n = split(ENVIRON["SIGNS"], line, "\n")
    for (i = 1; i < n; i++) {
        trouble[i] = sub(/^! /, "", line[i])
        cut = index(line[i], " ")
        name[i] = substr(line[i], 1, cut - 1); text[i] = substr(line[i], cut + 1)
    }
}
{
    at += length($0) + 1
    hit = /ERROR|FATAL|Exception/
    for (i = 1; i < n; i++) if ($0 ~ text[i]) {
        seen[name[i]] = at
        hit = hit || trouble[i]
    }
    if (hit) last[hits++ % keep] = substr($0, 1, 500)
}
END {
    for (i in seen) print "sign " i " " seen[i]
    for (i = hits > keep ? hits - keep : 0; i < hits; i++)
        print "line " last[i % keep]
}
