#!/bin/bash
# container.sh ROOT PAYLOAD COMMAND...: starts systemd of the Debian in ROOT as a container, runs the command in it with PAYLOAD as
# /payload, and stops it. ROOT stays as it is: changes go to RAM. The container has its own processes, mounts and loopback network.
# container.sh --can says why this machine cannot do that, and fails.
set -euo pipefail

can() {
	[ "$(id -u)" = 0 ] || { echo 'it needs root'; return 1; }
	command -v systemd-nspawn >/dev/null || { echo 'systemd-nspawn is not installed (package systemd-container)'; return 1; }
	unshare -m true 2>/dev/null || { echo 'it needs CAP_SYS_ADMIN'; return 1; }
	[ "${#hierarchies[@]}" -gt 0 ] || { echo 'no cgroup hierarchy of systemd is mounted in /sys/fs/cgroup'; return 1; }
	mkdir "${hierarchies[0]}/fieldgate-$$" 2>/dev/null && rmdir "${hierarchies[0]}/fieldgate-$$" || { echo 'cgroups cannot be made here'; return 1; }
}

# cgroup2 alone, or beside the hierarchies of version 1.
hierarchies=()
for h in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
	if [ -e "$h/cgroup.procs" ]; then hierarchies+=("$h"); fi
done
if [ "$1" = --can ]; then
	can
	exit
fi
can >&2
root=$(realpath "$1") payload=$(realpath "$2")
shift 2

work=$(mktemp -d)
home=()
for h in "${hierarchies[@]}"; do home+=("$h$(sed -n "s,^[0-9]*:$(case $h in */systemd) echo name=systemd ;; esac):,,p" /proc/self/cgroup | head -1)"); done
outside= leader=
finish() {
	if [ -n "$leader" ]; then timeout 5 "${inside[@]}" systemctl poweroff --no-block 2>/dev/null || true; fi
	for _ in $(seq 50); do kill -0 "$outside" 2>/dev/null || break; sleep 0.1; done
	kill -KILL $outside $leader 2>/dev/null || true
	wait "$outside" 2>/dev/null || true
	# This shell leaves its cgroups before they are removed from the bottom.
	for i in "${!hierarchies[@]}"; do
		echo $$ >"${home[$i]}/cgroup.procs" 2>/dev/null || echo $$ >"${hierarchies[$i]}/cgroup.procs" || true
		find "${hierarchies[$i]}/fieldgate-$$" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
	rm -rf "$work"
}
trap finish EXIT

# systemd in the container gets cgroups of its own below these.
for h in "${hierarchies[@]}"; do
	mkdir "$h/fieldgate-$$"
	echo $$ >"$h/fieldgate-$$/cgroup.procs"
done
begin=$(date +%s.%N)
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn -q -D "$root" --volatile=overlay --register=no --keep-unit --private-network \
	--bind-ro="$payload:/payload" -b --console=read-only systemd.log_target=journal >"$work/console" 2>&1 </dev/null &
outside=$!
for _ in $(seq 300); do
	leader=$(pgrep -P "$outside" | head -1 || true)
	if [ -n "$leader" ] && [ -S "/proc/$leader/root/run/systemd/private" ]; then break; fi
	kill -0 "$outside" 2>/dev/null || break
	sleep 0.1
done
if [ -z "$leader" ] || [ ! -S "/proc/$leader/root/run/systemd/private" ]; then
	echo 'the container did not start:' >&2
	cat -v "$work/console" >&2
	exit 1
fi
inside=(nsenter -t "$leader" -m -u -i -n -p -C -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8)
"${inside[@]}" systemctl is-system-running --wait >"$work/state" || { echo "the container is $(cat "$work/state")" >&2; "${inside[@]}" systemctl --failed --no-pager >&2; exit 1; }
printf 'the container runs after %.1f s\n' "$(echo "$(date +%s.%N) - $begin" | bc)"
timeout "${LIMIT:-300}" "${inside[@]}" "$@"
