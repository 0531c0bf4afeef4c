#!/bin/bash
# image.sh ROOT PACKAGE NEXT IMAGE BROKER: makes the disk of the machine: ROOT with PACKAGE installed, and with both packages in
# /root/packages for upgrades. The gateway's broker is BROKER.
set -euo pipefail
root=$1 package=$2 next=$3 image=$4 broker=$5

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -a "$root/." "$work"
mkdir -p "$work/root/packages"
cp "$package" "$work/root/packages/1.deb"
cp "$next" "$work/root/packages/2.deb"
chroot "$work" dpkg -i /root/packages/1.deb >&2

mkdir -p "$work/etc/fieldgate/conf.d"
cat >"$work/etc/fieldgate/fieldgate.toml" <<EOF
[gateway]
id = "gw"
trust_clock = true
confirm_within = "1m"
[mqtt]
urls = ["$broker"]
reconnect_max = "2s"
$(for name in a b c d e; do printf '[[sensor]]\nname = "%s"\ndriver = "sim"\nevery = "100ms"\n' $name; done)
EOF

# Commands come over the second serial line; there is a network card with a fixed address.
cat >"$work/etc/systemd/system/commands.service" <<'EOF'
[Unit]
After=dev-ttyS1.device
[Service]
ExecStart=/bin/sh -c 'stty -echo; PS1= exec sh'
StandardInput=tty
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
Restart=always
[Install]
WantedBy=multi-user.target
EOF
cat >"$work/etc/systemd/system/card.service" <<'EOF'
[Unit]
DefaultDependencies=no
Before=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0'
[Install]
WantedBy=multi-user.target
EOF
for unit in commands card; do
	ln -sf ../$unit.service "$work/etc/systemd/system/multi-user.target.wants/$unit.service"
done
rm -f "$image"
mke2fs -q -F -t ext4 -b 4096 -d "$work" "$image" 1200M
