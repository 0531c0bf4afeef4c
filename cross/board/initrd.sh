#!/bin/bash
# initrd.sh OUT KERNEL_DIR INIT MODULE... -- FILE...: an initramfs of busybox, the modules with what they need, the files under /bin
# (configurations under /etc), and INIT as /init.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod and modprobe
out=$1 kernel=$(realpath "$2") init=$3
shift 3
version=$(ls "$kernel/lib/modules")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root"/{bin,sbin,dev,proc,sys,tmp,etc,run,root,"lib/modules/$version"}
cp "$kernel/bin/busybox" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
while [ "$1" != -- ]; do
	modprobe -S "$version" -d "$kernel" --show-depends "$1" | awk '$1 == "insmod" {print $2}' | while read -r file; do
		file=$(realpath "$file")
		to=$root/${file#"$kernel"/}
		mkdir -p "$(dirname "$to")"
		cp -n "$file" "$to"
	done
	shift
done
shift
cp "$kernel/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$version/"
depmod -b "$root" "$version"
for file in "$@"; do
	case $file in
	*.toml) cp "$file" "$root/etc/" ;;
	*) cp "$file" "$root/bin/" ;;
	esac
done
install -m 755 "$init" "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$out"
