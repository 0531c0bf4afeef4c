# In the virtual machine: an I2C bus whose modules are loaded after the service has started.
P=/payload
fail=0
until_() { local n=$1; shift; for _ in $(seq $((n*2))); do "$@" >/dev/null 2>&1 && return 0; sleep 0.5; done; return 1; }
ok() { local what=$1; shift; if "$@"; then echo "ok    $what"; else echo "FAIL  $what"; fieldgate status | grep -A1 '^climate'; fail=1; fi; }
says() { fieldgate status | grep -A1 '^climate' | grep -q "$1"; }
load() { while read -r m; do if [ "$m" = i2c-stub.ko ]; then insmod $P/$m chip_addr=0x76; else insmod $P/$m; fi; done <$P/modules; }

install -m 755 $P/fieldgate /usr/bin/
install -D -m 755 $P/start /usr/lib/fieldgate/start
install -m 644 $P/fieldgate.service /etc/systemd/system/
groupadd --system i2c
useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin --groups i2c fieldgate
echo 'SUBSYSTEM=="i2c-dev", GROUP="i2c", MODE="0660"' >/etc/udev/rules.d/60-fieldgate.rules
mkdir -p /etc/fieldgate
cat >/etc/fieldgate/fieldgate.toml <<'C'
[gateway]
id = "gw-test"
trust_clock = true
[mqtt]
urls = ["mqtt://127.0.0.1:1"]
[[sensor]]
name = "climate"
driver = "bme280"
bus = "/dev/i2c-0"
every = "2s"
C
systemctl daemon-reload
ok 'it starts without the bus' systemctl start fieldgate
ok 'the bus is missing' until_ 30 says 'does not exist'
load
# The driver is let in and finds that the stub speaks SMBus only.
ok 'the bus is allowed when it comes' until_ 40 says 'SMBus commands only'

# With the class by its name, which systemd looks up when the service starts.
systemctl stop fieldgate
rmmod i2c_dev i2c_stub
mkdir -p /run/systemd/system/fieldgate.service.d
printf '[Service]\nDeviceAllow=\nDeviceAllow=char-i2c rw\n' >/run/systemd/system/fieldgate.service.d/name.conf
systemctl daemon-reload
systemctl start fieldgate
ok 'the bus is missing again' until_ 30 says 'does not exist'
load
ok 'by its name it would not be' until_ 40 says 'unit does not allow this device'
[ $fail = 0 ] && echo 'ALL OK'
