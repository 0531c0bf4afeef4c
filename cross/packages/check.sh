#!/bin/bash
# check.sh DIR: what must be true of the packages in DIR.
set -euo pipefail
cd "$1"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad() {
	echo "$1: $2" >&2
	exit 1
}

# dpkg of a board takes its own architecture only, and both kinds of 32-bit ARM call themselves armhf.
for deb in *.deb; do
	arch=$(dpkg-deb -f "$deb" Architecture)
	case $arch in
	amd64) machine=X86-64 ;;
	arm64) machine=AArch64 ;;
	riscv64) machine=RISC-V ;;
	armhf | armel) machine=ARM ;;
	*) bad "$deb" "dpkg knows no board of architecture $arch" ;;
	esac
	dpkg-deb --fsys-tarfile "$deb" | tar -xO ./usr/bin/fieldgate >"$work/fieldgate"
	readelf -h "$work/fieldgate" | grep "Machine: .*$machine\$" >/dev/null || bad "$deb" "the program inside is not for $machine"
	if [ "$machine" = ARM ]; then
		readelf -A "$work/fieldgate" | grep 'Tag_CPU_arch: v6$' >/dev/null || bad "$deb" 'the program inside does not run on an ARMv6'
	fi
	dpkg --validate-version "$(dpkg-deb -f "$deb" Version)"
done
as=
if [ "$(id -u)" = 0 ]; then as=--allow-root; fi
lintian $as --fail-on error,warning ./*.deb
for tarball in *.tar.gz; do
	tar -tzf "$tarball" | grep '/INSTALL$' >/dev/null || bad "$tarball" 'there is no INSTALL inside'
done
sha256sum --quiet -c SHA256SUMS
echo "$(ls -- *.deb | wc -l) .deb, $(ls -- *.rpm | wc -l) .rpm, $(ls -- *.tar.gz | wc -l) tarballs: all good"
