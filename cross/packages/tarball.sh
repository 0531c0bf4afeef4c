#!/bin/bash
# tarball.sh BINARY NAME DIR: DIR/NAME.tar.gz with the program and what belongs to it, the same bytes at every build.
set -euo pipefail
binary=$1 name=$2 dir=$3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
top=$work/$name
mkdir -p "$top"/{man,completion,docs}
install -m 755 "$binary" "$top/fieldgate"
install -m 755 systemd/start "$top/start"
install -m 644 systemd/fieldgate.service cross/packages/files/{fieldgate.toml,sysusers.conf,tmpfiles.conf,udev.rules,modules-load.conf} LICENSE CHANGELOG.md README.md "$top"
install -m 644 cross/packages/INSTALL "$top/INSTALL"
install -m 644 dist/share/man/*.gz "$top/man"
for shell in bash zsh fish; do install -m 644 "dist/share/completion.$shell" "$top/completion/$shell"; done
gzip -dc dist/share/THIRD-PARTY-NOTICES.gz >"$top/THIRD-PARTY-NOTICES"
cp -r docs/* "$top/docs"
chmod -R u=rwX,go=rX "$top"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu -cf - "$name" | gzip -9n >"$dir/$name.tar.gz"
