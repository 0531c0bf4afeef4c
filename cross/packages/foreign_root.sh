#!/bin/bash
# foreign_root.sh SUITE ARCH ROOT: a Debian of another architecture in which dpkg works, made once. Its packages are only unpacked,
# and called installed, since emulation would take minutes for their scripts: dpkg, systemd's tools and a shell need none of them.
set -euo pipefail
suite=$1 arch=$2 root=$3

[ -e "$root/.complete" ] && exit 0
rm -rf "$root" "$root.new"
mkdir -p "$(dirname "$root")"
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1 || true)
include=dpkg,tar,coreutils,dash,bash,perl-base,sed,grep,findutils,gzip,base-files,base-passwd,libc-bin,debianutils,init-system-helpers,diffutils,passwd,util-linux,systemd
mmdebstrap --quiet --mode=root --variant=extract --architectures="$arch" --include="$include" --skip=cleanup/apt/cache,essential/unlink \
	--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr "$suite" "$root.new" "${mirror:-http://deb.debian.org/debian}" >/dev/null 2>&1

cp "$root.new/usr/share/base-passwd/passwd.master" "$root.new/etc/passwd"
cp "$root.new/usr/share/base-passwd/group.master" "$root.new/etc/group"
for deb in "$root.new"/var/cache/apt/archives/*.deb; do
	dpkg-deb -f "$deb" | sed '1aStatus: install ok installed'
	echo
	name=$(dpkg-deb -f "$deb" Package)
	if [ "$(dpkg-deb -f "$deb" Multi-Arch)" = same ]; then name+=:$arch; fi
	dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's,^\.,,; s,/$,,; 1s,^$,/.,' >"$root.new/var/lib/dpkg/info/$name.list"
done >"$root.new/var/lib/dpkg/status"
rm "$root.new"/var/cache/apt/archives/*.deb
touch "$root.new/.complete"
mv "$root.new" "$root"
