#!/bin/sh
# Makes the initial file system of the machine of package powertest: initrd.sh <output> <test binary> <fieldgate> <configuration> <unpacked kernel package>
set -eu
out=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/proc" "$dir/sys" "$dir/dev" "$dir/run" "$dir/tmp" "$dir/etc" "$dir/data" "$dir/modules"
cp "$2" "$dir/init"
cp "$3" "$dir/fieldgate"
cp "$4" "$dir/fieldgate.toml"
n=10
version=$(ls "$5/lib/modules")
for m in $(modprobe -d "$5" -S "$version" --show-depends -a virtio_pci virtio_blk | awk '/^insmod/ && !seen[$2]++ {print $2}'); do
	cp "$m" "$dir/modules/$n-${m##*/}"
	n=$((n + 1))
done
chmod 0755 "$dir/init" "$dir/fieldgate"
(cd "$dir" && find . | cpio --quiet -o -H newc) >"$out.part"
mv "$out.part" "$out"
