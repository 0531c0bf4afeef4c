#!/bin/bash
# run.sh PROGRAM UNIT: boots a Debian in QEMU in which a bus comes after the service has started, and checks that the unit
# allows it: a container has no modules and no /dev/i2c. Needs root, mmdebstrap, qemu-system-x86, busybox-static, cpio, kmod and
# e2fsprogs; takes two minutes, and two more the first time. What it downloads stays in bin/vm.
set -euo pipefail
program=$(realpath "$1") unit=$(realpath "$2") here=$(dirname "$(realpath "$0")")
work=$(realpath .)/bin/vm
mkdir -p "$work"
cd "$work"

if [ ! -e root/.complete ]; then
	rm -rf root
	mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1 || true)
	mmdebstrap --quiet --mode=root --variant=apt --include=systemd,systemd-sysv,udev,kmod bookworm root "${mirror:-http://deb.debian.org/debian}"
	cp "$here/vm.service" root/etc/systemd/system/
	mkdir -p root/etc/systemd/system/graphical.target.wants
	ln -s ../vm.service root/etc/systemd/system/graphical.target.wants/
	ln -sf /dev/null root/etc/systemd/system/serial-getty@ttyS0.service
	touch root/.complete
fi
if [ ! -e kernel/boot ]; then
	rm -rf kernel && mkdir kernel
	package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p' | head -1)
	(cd kernel && apt-get download -q "$package" && dpkg-deb -x ./*.deb . && rm ./*.deb)
	depmod -b kernel "$(ls kernel/lib/modules)"
fi
release=$(ls kernel/lib/modules)
modules() { for m in "$@"; do modprobe -S "$release" -d kernel --show-depends "$m" | sed -n 's/^insmod \([^ ]*\).*/\1/p'; done | awk '!seen[$0]++'; }

# An initrd that loads what the disk needs and switches to it.
rm -rf initrd && mkdir -p initrd/{bin,dev,proc,sys,root,modules}
cp "$(command -v busybox)" initrd/bin/
modules virtio_pci virtio_blk ext4 | while read -r m; do cp "$m" initrd/modules/; basename "$m" >>initrd/modules/list; done
cp "$here/init" initrd/init
chmod +x initrd/init
(cd initrd && find . | cpio -o -H newc --quiet) | gzip -1 >initrd.gz

# A second disk with what is tested.
rm -rf payload && mkdir payload
cp "$program" payload/fieldgate
cp "$unit" payload/fieldgate.service
cp "$here/test.sh" "$here/../start" payload/
modules i2c-stub i2c-dev | while read -r m; do cp "$m" payload/; basename "$m" >>payload/modules; done
rm -f root.img payload.img
mke2fs -qF -t ext4 -d root root.img 900M
mke2fs -qF -t ext4 -d payload payload.img 128M

timeout 400 qemu-system-x86_64 -M q35 -cpu max -accel tcg,thread=multi -smp 2 -m 512 -nographic -no-reboot -nic none \
	-kernel kernel/boot/vmlinuz-* -initrd initrd.gz \
	-append 'console=ttyS0 panic=-1 quiet systemd.show_status=0 mitigations=off no_timer_check' \
	-drive file=root.img,if=virtio,format=raw,snapshot=on -drive file=payload.img,if=virtio,format=raw,readonly=on </dev/null | tr -d '\r' | tee console
grep -q '^ALL OK$' console
