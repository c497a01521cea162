# In every script: words for the answer, and what processes and disks need.
# LC_ALL=C is for the tools' output; a job gets the login's own language back (job.c), because a JVM
# takes its default encoding from it.
kp_lang=${LC_ALL-}; LC_ALL=C; export LC_ALL
own_language() { if [ -n "$kp_lang" ]; then LC_ALL=$kp_lang; else unset LC_ALL; fi; }
PATH=$PATH:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
say() { printf '%s %s\n' "$1" "$2"; }
refuse() { say refused "$1"; exit 96; }
fail() { say failed "$1"; exit 95; }
# start_of PID: its start in jiffies since boot; nothing when it is gone or a zombie.
start_of() {
    stat=
    { while IFS= read -r line; do stat=$line; done <"/proc/$1/stat"; } 2>/dev/null
    set -- ${stat##*) }
    case ${1-} in '' | Z | X) ;; *) echo "${20}" ;; esac
}
alive() { [ -n "$2" ] && [ "$(start_of "$1")" = "$2" ]; }
# durable PATH...: on disk when it returns; sync takes paths since coreutils 8.24.
durable() { sync "$@" 2>/dev/null || sync; }
