#!/bin/bash
# initrd.sh KERNEL OUT: makes an initial file system that mounts the disk and starts its systemd. KERNEL is an unpacked kernel
# package.
set -euo pipefail
kernel=$1 out=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,dev,proc,sys,root,modules}
cp "$(command -v busybox)" "$work/bin/busybox"
version=$(ls "$kernel/lib/modules")
n=10
for m in $(modprobe -d "$kernel" -S "$version" --show-depends -a virtio_pci virtio_blk virtio_net | awk '/^insmod/ && !seen[$2]++ {print $2}'); do
	cp "$m" "$work/modules/$n-${m##*/}"
	n=$((n + 1))
done
cat >"$work/init" <<'EOF'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
for m in /modules/*; do /bin/busybox insmod $m; done
n=0
while [ ! -e /dev/vda ] && [ $n -lt 100 ]; do /bin/busybox sleep 0.1; n=$((n + 1)); done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount --move /dev /root/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /lib/systemd/systemd
EOF
chmod 0755 "$work/init"
(cd "$work" && find . | cpio --quiet -o -H newc) >"$out.part"
mv "$out.part" "$out"
