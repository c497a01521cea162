# As the SSH user.
printf '%s\n' "$inner" | files /bin/sh -c 'eval "$(cat)"' kplay ||
    bad files "$(id -un) may not run /bin/sh by: $files_prefix" "$sudoers"
