# One claim per op id (job.c).  Needs claim, start_of() and files().
put() { files tee "$claim/$1.new" >/dev/null && files sync "$claim/$1.new" &&
    files mv -T "$claim/$1.new" "$claim/$1"; }
# claim_begin: returns to the one who may act; for all others the script ends.
claim_begin() {
    if ! files mkdir "$claim" 2>/dev/null; then
        [ -d "$claim" ] || fail "$claim cannot be made"
        say did attached
        exit 0
    fi
    boot=$(cat /proc/sys/kernel/random/boot_id)
    printf '%s %s %s\n' "$boot" "$$" "$(start_of $$)" | put who ||
        fail "$claim cannot be written"
}
claim_end() { printf '%s\n' "$1" | put rc; }
