# As whoever runs the start and stop commands.
may_run() {
    act=$1; shift
    command -v "$1" >/dev/null 2>&1 && may "$@" ||
        bad "$act" "$(id -un) may not run: $*" "$sudoers"
}
