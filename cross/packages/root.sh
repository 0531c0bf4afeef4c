#!/bin/bash
# root.sh SUITE ARCH ROOT: makes a Debian with systemd and a broker, in which the package is tried. It is made once: ROOT is a
# cache, and no test changes it. MORE names more packages. A root that was not finished does not stay.
set -euo pipefail
suite=$1 arch=$2 root=$3

[ -e "$root/.complete" ] && exit 0
rm -rf "$root" "$root.new"
mkdir -p "$(dirname "$root")"

# The machine's own mirror, if it is a Debian.
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1 || true)

include=systemd,systemd-sysv,udev,dbus,kmod,mosquitto,mosquitto-clients${MORE:+,$MORE}
mmdebstrap --quiet --mode=root --variant=apt --architectures="$arch" --include="$include" "$suite" "$root.new" "${mirror:-http://deb.debian.org/debian}"

# What a test has no use for. There is no clock, no console and no kernel of its own in the container.
for unit in systemd-timesyncd.service getty@tty1.service console-getty.service apt-daily.timer apt-daily-upgrade.timer \
	dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service modprobe@configfs.service \
	modprobe@efi_pstore.service modprobe@fuse.service modprobe@drm.service dev-hugepages.mount dev-mqueue.mount \
	sys-kernel-debug.mount sys-kernel-tracing.mount systemd-binfmt.service proc-sys-fs-binfmt_misc.automount \
	systemd-journal-catalog-update.service systemd-hwdb-update.service; do
	ln -sf /dev/null "$root.new/etc/systemd/system/$unit"
done
rm -f "$root.new/etc/systemd/system/multi-user.target.wants/mosquitto.service" "$root.new/var/lib/dbus/machine-id"
: >"$root.new/etc/machine-id"
echo gateway >"$root.new/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 gateway\n' >"$root.new/etc/hosts"
touch "$root.new/.complete"
mv "$root.new" "$root"
