#!/bin/bash
# foreign.sh COMMAND...: runs the command as root of a user namespace that has a binfmt_misc of its own (Linux 6.7), so that programs
# for arm64 and 32-bit ARM run by qemu-user-static although the machine has none registered, and nothing of the machine changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkfifo "$work/made" "$work/mapped"

# The maps are written from outside: inside there is no right to.
WORK=$work unshare --user --mount --pid --fork --kill-child --mount-proc --propagation private bash -c '
	set -e
	echo >"$WORK/made"
	read -r _ <"$WORK/mapped"
	mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
	# NAME CLASS MACHINE: an ELF file of that class (2 is 64 bit) and machine, little endian, executable or shared.
	register() {
		printf "%s" ":$1:M::\x7fELF\x0$2\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x$3\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/$1-static:F" \
			>/proc/sys/fs/binfmt_misc/register
	}
	register qemu-aarch64 2 b7
	register qemu-arm 1 28
	exec "$@"' foreign "$@" &
outside=$!
read -r _ <"$work/made"
inside=$(pgrep -P $outside | head -1)
echo '0 0 65536' >"/proc/$inside/uid_map"
echo '0 0 65536' >"/proc/$inside/gid_map"
echo >"$work/mapped"
wait $outside
