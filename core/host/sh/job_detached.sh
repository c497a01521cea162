# What the detached process runs: claims, says so, then does it.  Needs check, label and run.
mask=$(umask)
umask 002
lock
if [ -d "$claim" ]; then say did attached; exit 0; fi
eval "$check"
claim_begin
act "$label"
(say did asked) 2>/dev/null
exec 9<&-
out=$claim/out
[ -w "$claim" ] || out=$(mktemp)
exec </dev/null >"$out" 2>&1
umask "$mask"
(own_language; eval "$run")
rc=$?
umask 002
if [ "$out" != "$claim/out" ]; then
    files tee "$claim/out" <"$out" >/dev/null
    rm -f "$out"
fi
claim_end "$rc"
