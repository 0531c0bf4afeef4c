#!/bin/bash
# foreign_life.sh ROOT DEB CPU: installs the package in the foreign Debian in ROOT by its own dpkg, and has the gateway take one reading
# to a broker outside, on the emulated processor CPU. Runs by foreign.sh. systemd does not run there: the gateway is started by hand.
set -euo pipefail
root=$1 deb=$2 cpu=$3

begin=$SECONDS
work=$(mktemp -d)
mount -t tmpfs tmpfs "$work"
mkdir "$work"/{upper,work,root,broker}
mount -t overlay -o userxattr,lowerdir="$root",upperdir="$work/upper",workdir="$work/work" overlay "$work/root"
mount --rbind /dev "$work/root/dev"
mount --rbind /proc "$work/root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$work/root/tmp"
mkdir "$work/root/broker"
chmod 755 "$work"
mount --bind "$work/broker" "$work/root/broker"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

printf 'user root\nlistener 0 %s/broker/socket\nallow_anonymous true\n' "$work" >"$work/conf"
mosquitto -c "$work/conf" >"$work/log" 2>&1 &
for _ in $(seq 50); do [ -S "$work/broker/socket" ] && break; sleep 0.1; done
chmod 666 "$work/broker/socket"

cp "$deb" "$work/root/tmp/package.deb"
chroot "$work/root" dpkg -i /tmp/package.deb
chroot "$work/root" dpkg-query -W -f '${Package} ${Version} ${Architecture}: ${Status}\n' fieldgate
chroot "$work/root" id fieldgate
sed -i 's,^urls = .*,urls = ["unix:///broker/socket"],; s,"10s","1s",' "$work/root/etc/fieldgate/fieldgate.toml"
printf '[gateway]\ntrust_clock = true\n' >"$work/root/etc/fieldgate/conf.d/test.toml"
install -d -o 0 -m 1777 "$work/root/state"
QEMU_CPU=$cpu chroot "$work/root" fieldgate version
# The launcher on a processor that the shell of this Debian is made for: that of armhf is ARMv7.
STATE_DIRECTORY=/state chroot --userspec=fieldgate "$work/root" /usr/lib/fieldgate/start version
QEMU_CPU=$cpu RUNTIME_DIRECTORY=/state STATE_DIRECTORY=/state chroot --userspec=fieldgate "$work/root" fieldgate run >"$work/gateway" 2>&1 &
gateway=$!
mosquitto_sub --unix "$work/broker/socket" -V 5 -W 60 -C 1 -t 'fieldgate/+/telemetry/board' || { cat "$work/gateway"; exit 1; }
kill $gateway
wait $gateway || { echo 'the gateway did not stop in order'; cat "$work/gateway"; exit 1; }
chroot "$work/root" dpkg --purge fieldgate
[ ! -e "$work/root/etc/fieldgate" ] || { echo 'purge left something'; exit 1; }
echo "test-install-foreign: $(basename "$deb") in $((SECONDS - begin)) s"
