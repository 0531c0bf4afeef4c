#!/bin/bash
# life.sh: the life of the package on a Debian with systemd, from installation to purge, with a real broker. Runs as root inside of
# the container; /payload has old.deb and new.deb, the same program with two versions.
set -u
export DEBIAN_FRONTEND=noninteractive
cd /tmp

failed=0
now() { # in hundredths of a second
	local up
	read -r up _ </proc/uptime
	echo "${up/./}"
}
seconds() { printf '%d.%02d' $((($(now) - $1) / 100)) $((($(now) - $1) % 100)); } # since then
say() { printf '[%6s] %s\n' "$(seconds "$began")" "$*"; }
ok() { # WHAT COMMAND...: the command must succeed
	local what=$1
	shift
	if "$@" >out 2>&1; then say "ok    $what"; else say "FAIL  $what: $*"; tail -5 out; failed=1; fi
}
refused() { # WHAT TEXT COMMAND...: the command must fail and say the text
	local what=$1 text=$2
	shift 2
	if "$@" >out 2>&1; then say "FAIL  $what: it was accepted"; failed=1; return; fi
	if grep -q -- "$text" out; then say "ok    $what: $(grep -m1 -- "$text" out)"; else say "FAIL  $what: it does not say '$text'"; tail -5 out; failed=1; fi
}
within() { # SECONDS COMMAND...: the command succeeds in time
	local tries=$(($1 * 10))
	shift
	for _ in $(seq "$tries"); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
	return 1
}
shown() { systemctl show -P "$1" fieldgate; }
status_says() { shown StatusText | grep -q -- "$1"; }
field() { fieldgate status --json | tr ',{}' '\n' | sed -n "s/^ *\"$1\": *\"\?\([^\"]*\)\"\?\$/\1/p" | head -1; }
waiting() { echo $(($(field live) + $(field backlog))); }
drained() { [ "$(field backlog)" = 0 ]; }
installed() { dpkg-query -W -f '${Status} ${Version}' fieldgate; }
is() { [ "$1" = "$2" ] || { echo "it is $1, not $2"; return 1; }; }
is_active() { systemctl is-active -q fieldgate; }
same_process() { is "$(shown MainPID)" "$pid" && is_active; }
subscribe() { mosquitto_sub -V 5 -q 1 -c -i receiver -x 99999 -t 'fieldgate/#' -F %j >>received.jsonl & subscriber=$!; }
began=$(now)

say '-- bad packages, on a machine without fieldgate'
head -c 2000000 /payload/old.deb >cut.deb
refused 'a package that was cut' 'unexpected end of file\|cannot access archive\|not a Debian format\|lzma error\|is truncated' dpkg -i cut.deb
dpkg-deb -R /payload/old.deb tree && sed -i 's/^Architecture: .*/Architecture: arm/' tree/DEBIAN/control && dpkg-deb -Znone -b tree arm.deb >out
refused 'a package for another machine' 'does not match system' dpkg -i arm.deb
dpkg --purge --force-all fieldgate >out 2>&1
rm -rf tree arm.deb

say '-- installation with a wrong configuration'
mkdir -p /etc/fieldgate/conf.d
echo nonsense >/etc/fieldgate/conf.d/10-wrong.toml
ok 'apt installs it' apt-get install -y /payload/old.deb
mv out apt
ok 'it says that the service did not start' grep 'the service did not start; see' apt
ok 'the unit says where the mistake is' sh -c 'systemctl status fieldgate --no-pager | grep -q 10-wrong.toml:1'
rm /etc/fieldgate/conf.d/10-wrong.toml
ok 'with the mistake mended it starts' systemctl start fieldgate
ok 'purge' apt-get purge -y fieldgate
ok 'nothing is left' sh -c '! ls -d /var/lib/fieldgate /run/fieldgate /etc/fieldgate 2>/dev/null'

say '-- installation'
cat >/etc/mosquitto/conf.d/test.conf <<'C'
max_queued_messages 0
C
systemctl start mosquitto
subscribe
first=$(now)
ok 'apt installs it' apt-get install -y /payload/old.deb
mv out apt
ok 'it names what comes next' grep 'sudo fieldgate init' apt
ok 'the service is active' is_active
ok 'it is enabled' systemctl is-enabled -q fieldgate
ok 'user and groups' sh -c 'for g in i2c gpio dialout; do id -nG fieldgate | grep -qw $g || exit 1; done'
ok 'its directory is its own' sh -c '[ "$(stat -c %U:%a /var/lib/fieldgate)" = fieldgate:750 ]'
ok 'it says that there is no broker yet' within 10 status_says 'no broker yet: set mqtt.urls in /etc/fieldgate/fieldgate.toml'
ok 'readings are kept' within 20 sh -c 'fieldgate status | grep -qE "^queue +[1-9]"'
sed -i 's,^urls = \[\] ,urls = ["mqtt://127.0.0.1"] ,' /etc/fieldgate/fieldgate.toml
printf '[gateway]\nid = "gw"\ntrust_clock = true\n' >/etc/fieldgate/conf.d/10-test.toml
ok 'reload takes the broker' systemctl reload fieldgate
ok 'the subscriber has a reading' within 20 grep -q '/telemetry/board' received.jsonl
say "from an empty system to the first reading at a subscriber: $(seconds "$first") s"

say '-- service'
for i in 1 2 3 4 5 6 7 8; do printf '[[sensor]]\nname = "sim%d"\ndriver = "sim"\nevery = "10ms"\n' $i; done >/etc/fieldgate/conf.d/20-load.toml
mkdir -p /run/systemd/system/fieldgate.service.d
printf '[Service]\nWatchdogSec=6\nRestartSec=1\n' >/run/systemd/system/fieldgate.service.d/test.conf
systemctl daemon-reload
ok 'restart with more sensors' systemctl restart fieldgate
ok 'online' within 20 status_says '^online'
pid=$(shown MainPID)
ok 'reload' systemctl reload fieldgate
ok 'the process is the same' same_process
echo nonsense >/etc/fieldgate/conf.d/30-wrong.toml
refused 'reload of a wrong configuration' 'failed' systemctl reload fieldgate
rm /etc/fieldgate/conf.d/30-wrong.toml
ok 'the process is the same' same_process
before=$(shown NRestarts)
kill -STOP "$pid"
restarted() { [ "$(shown NRestarts)" -gt "$before" ] && is_active; }
ok 'a process that hangs is restarted by the watchdog' within 30 restarted

say '-- upgrade with a queue'
systemctl stop mosquitto
within 20 sh -c 'fieldgate status | grep -q "^link *offline"'
enough() { [ "$(waiting)" -ge 5000 ]; }
ok 'a queue of 5,000 readings' within 40 enough
pid=$(shown MainPID) store=$(field store) before=$(waiting)
head -c 2000000 /payload/new.deb >cut.deb
refused 'an upgrade that was cut' 'unexpected end of file\|cannot access archive\|lzma error\|is truncated' dpkg -i cut.deb
ok 'the old program runs on' same_process
mkdir -p small && mount -t tmpfs -o size=9m tmpfs small && mkdir small/{upper,work} && mount -t overlay -o lowerdir=/usr/bin,upperdir=small/upper,workdir=small/work overlay /usr/bin
refused 'an upgrade on a full disk' 'No space left on device' dpkg -i /payload/new.deb
umount -l /usr/bin && umount -l small
ok 'the old program runs on' same_process
ok 'the old version is installed' is "$(installed)" "install ok installed $OLD"
mount --bind /usr /usr && mount -o remount,bind,ro /usr
refused 'an upgrade on a read-only root' 'fieldgate: /usr is read-only' dpkg -i /payload/new.deb
umount -l /usr
ok 'the old program runs on' same_process
ok 'the old version is installed' is "$(installed)" "install ok installed $OLD"
ln -f /usr/bin/fieldgate /usr/lib/fieldgate/former # as a power cut after the first step leaves it
dpkg -i /payload/new.deb >first 2>&1 &
first=$!
locked() { grep -q POSIX.*WRITE.*"$(stat -c %i /var/lib/dpkg/lock-frontend)" /proc/locks; }
within 5 locked && kill -STOP $first
refused 'a second upgrade at the same time' 'frontend lock was locked by' dpkg -i /payload/new.deb
kill -CONT $first
ok 'the first upgrade' wait $first
ok 'the service is active' is_active
ok 'the new version runs' sh -c "fieldgate status | grep -q 'fieldgate $NEW_PROGRAM'"
ok 'it is another process' sh -c "[ $(shown MainPID) != $pid ]"
ok 'the configuration is kept' grep -q 'mqtt://127.0.0.1' /etc/fieldgate/fieldgate.toml
ok 'the store is kept' is "$(field store)" "$store"
say "waiting before the upgrade $before, after it $(waiting)"
ok 'the queue is kept' sh -c "[ $(waiting) -ge $before ]"
kill $subscriber
systemctl start mosquitto
subscribe
confirmed() { [ -f /var/lib/fieldgate/confirmed ] && is "$(head -n 1 /var/lib/fieldgate/confirmed)" "$(stat -c %i.%s.%Y /usr/bin/fieldgate)"; }
ok 'the new program is confirmed' within 20 confirmed
ok 'online again' within 60 status_says '^online'
ok 'the queue is drained' within 60 drained

say '-- upgrade to a program that does not work'
# 2 is what Go's runtime exits with if a program crashes before its main function.
dpkg-deb -R /payload/new.deb tree && printf '#!/bin/sh\nexit 2\n' >tree/usr/bin/fieldgate && sed -i 's/^Version: .*/Version: 9-1/' tree/DEBIAN/control && dpkg-deb -Znone -b tree bad.deb >out
ok 'apt installs it' apt-get install -y ./bad.deb
ok 'the former program runs again' within 30 is_active
ok 'it says so' within 20 sh -c '/usr/lib/fieldgate/former status | grep -q "the installed program was taken back"'
ok 'the subscriber heard why' within 10 sh -c "grep '/events/update' received.jsonl | grep -q 'started 3 times'"
rm /var/lib/fieldgate/confirmed && mkfifo /var/lib/fieldgate/confirmed && chown fieldgate /var/lib/fieldgate/confirmed
ok 'a pipe of the service does not hold the next version' timeout 60 apt-get install -y --allow-downgrades /payload/new.deb
ok 'it is confirmed' within 30 confirmed
rm -rf tree bad.deb

rm /etc/fieldgate/fieldgate.toml
ok 'without its file a restart takes the last good configuration' systemctl restart fieldgate
ok 'and it says so' within 10 sh -c 'fieldgate status | grep -q "last good"'

say '-- removal'
cp /usr/bin/fieldgate .
ok 'remove' apt-get remove -y fieldgate
ok 'it is stopped' sh -c '! systemctl is-active -q fieldgate'
ok 'the subscriber heard the end' within 10 sh -c "grep '\"offline' received.jsonl"
kill $subscriber
ok 'nothing was lost' ./fieldgate verify received.jsonl
tail -1 out
ok 'the queue stays' test -e /var/lib/fieldgate/queue.db
ok 'the configuration stays' test -e /etc/fieldgate/conf.d/20-load.toml
ok 'installed again' apt-get install -y -o Dpkg::Options::=--force-confmiss /payload/new.deb
ok 'the service is active' is_active
ok 'the store is the same' is "$(field store)" "$store"
ok 'the upgrade to an older version' apt-get install -y --allow-downgrades /payload/old.deb
ok 'the service is active' is_active
ok 'purge' apt-get purge -y fieldgate
ok 'nothing is left' sh -c '! ls -d /var/lib/fieldgate /run/fieldgate /etc/fieldgate /etc/systemd/system/multi-user.target.wants/fieldgate.service /usr/bin/fieldgate 2>/dev/null'

say '-- other ways'
ok 'apt installs it into an image, where systemd does not run' unshare -m sh -c 'mount -t tmpfs none /run/systemd && apt-get install -y /payload/new.deb'
ok 'it is enabled' systemctl is-enabled -q fieldgate
ok 'it is not started' sh -c '! systemctl is-active -q fieldgate'
ok 'purge' apt-get purge -y fieldgate
tar -xzf /payload/fieldgate.tar.gz
cd fieldgate
ok 'the commands of INSTALL in the tarball' sh -c "$(sed -n 's/^    //p' INSTALL)"
ok 'the service is active' is_active
ok 'user and groups' sh -c 'for g in i2c gpio dialout; do id -nG fieldgate | grep -qw $g || exit 1; done'

if [ $failed = 0 ]; then say 'all good'; else say FAILED; fi
exit $failed
