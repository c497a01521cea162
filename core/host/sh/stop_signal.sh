# One SIGTERM, under a claim.
umask 002
lock
if [ -d "$claim" ]; then say did attached; exit 0; fi
eval "$check"
is_kafka "$pid" || refuse "process $pid is no Kafka"
claim_begin
act stop "pid $pid"
service kill -TERM "$pid" >&2 && rc=0 || rc=$?
claim_end "$rc"
[ "$rc" = 0 ] || fail "process $pid may not be signalled"
say did asked
