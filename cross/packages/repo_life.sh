#!/bin/bash
# repo_life.sh: what a user does with the apt repository. Runs in the container; /payload has the repositories old and both, and
# spoiled, in which the list of packages was changed after signing.
set -eu
export DEBIAN_FRONTEND=noninteractive
use() {
	echo "deb [signed-by=/payload/both/fieldgate.asc] file:/payload/$1 stable main" >/etc/apt/sources.list.d/fieldgate.list
	rm -f /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list
	apt-get update -o APT::Update::Error-Mode=any >/tmp/out 2>&1
}
runs() {
	dpkg-query -W -f '${Version}' fieldgate | grep -qx "$1" || { echo "FAIL  $2: $(dpkg-query -W fieldgate)"; exit 1; }
	systemctl is-active -q fieldgate || { echo "FAIL  $2: the service is not active"; exit 1; }
	echo "ok    $2"
}
if use spoiled; then echo 'FAIL  a list that was changed after signing was accepted'; exit 1; fi
echo "ok    a list that was changed after signing is refused: $(grep -m1 -iE 'mismatch|unexpected size' /tmp/out)"
use old
apt-get install -y fieldgate >/tmp/out 2>&1
runs 0.1.0-1 'apt install fieldgate'
use both
apt-mark hold fieldgate >/dev/null
apt-get upgrade -y >/tmp/out 2>&1
runs 0.1.0-1 'a version on hold stays'
apt-mark unhold fieldgate >/dev/null
apt-get upgrade -y >/tmp/out 2>&1
runs 0.2.0-1 'apt upgrade'
apt-get install -y --allow-downgrades fieldgate=0.1.0-1 >/tmp/out 2>&1
runs 0.1.0-1 'back to the version before'
