# Points layout.current at a release (link.c).
target=$releases/$before$version$after
lock
[ -d "$target/libs" ] || refuse "$target/libs is not there: the release is not staged"
if [ -e "$current" ] && [ ! -L "$current" ]; then
    refuse "$current is no symbolic link"
fi
was=$(readlink "$current")
if [ "$current/" -ef "$target/" ]; then
    say did already
    say was "$was"
    exit 0
fi
new=$current.kplay-$opname
rm -f "$new"
ln -s "$target" "$new" || fail "$new cannot be made"
act link "$version"
if ! mv -T "$new" "$current"; then
    rm -f "$new"
    fail "$current cannot be replaced"
fi
durable "$(dirname "$current")"
say did 'done'
say was "$was"
