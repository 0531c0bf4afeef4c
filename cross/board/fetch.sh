#!/bin/bash
# fetch.sh DIR: Debian's kernels and busybox for the emulated boards, unpacked under DIR/<arch>. What is there is not fetched again.
#
# Each foreign architecture has a state of apt of its own, so that the machine's package system does not learn of it; the packages come from
# the machine's own sources and are checked as always.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # depmod
mkdir -p "$1"
top=$(cd "$1" && pwd)
cd "$top"

apt_for() { # ARCH COMMAND...: a command of apt for another architecture
	local arch=$1 root=$top/apt-$1
	shift
	mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
	touch "$root/status"
	"$@" -qq -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State="$root" -o Dir::State::status="$root/status" \
		-o Dir::State::lists="$root/lists" -o Dir::Cache="$root/cache" -o APT::Sandbox::User=root
}

fetch() { # ARCH KERNEL: the newest kernel of that flavour
	local arch=$1 flavour=$2 image
	[ -e "$arch/complete" ] && return
	rm -rf "$arch" "packages-$arch"
	mkdir -p "packages-$arch"
	apt_for "$arch" apt-get update || echo "fetch: the package lists of $arch are not all there; going on with what is" >&2
	image=$(apt_for "$arch" apt-cache depends "linux-image-$flavour" | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ {print $2; exit}')
	(cd "packages-$arch" && apt_for "$arch" apt-get download "$image" busybox-static)
	for package in "packages-$arch"/*.deb; do
		dpkg-deb -x "$package" "$arch"
	done
	rm -rf "packages-$arch" "apt-$arch"
	depmod -b "$arch" "$(ls "$arch/lib/modules")"
	touch "$arch/complete"
	echo "$arch: $image"
}

fetch armhf armmp
fetch arm64 arm64
fetch armel rpi
