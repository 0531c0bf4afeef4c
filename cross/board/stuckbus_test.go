package board

import (
	"strings"
	"testing"
	"time"
)

// Without these two drivers, of what QEMU does not have, the kernels start.
const blacklist = "initcall_blacklist=bcm2835_pm_driver_init,bcm2835_power_driver_init"

// TestStuckBusOfAPiZero and the one after it run the gateway on emulated Raspberry Pis. QEMU does
// not have their I2C controller, so that the kernel's driver for it waits for each transfer in
// vain, as on a bus whose lines are held low. The board's own sensor is to be read as if nothing
// were.
func TestStuckBusOfAPiZero(t *testing.T) {
	dir := needs(t)
	// The kernel sets the system timer of this board, which interrupts when its count equals a
	// register, to the count plus 15 µs or more. If the host holds QEMU up for longer between
	// reading and writing, the moment has passed; the next is a turn of the count away, 71 minutes,
	// and until then the kernel has no time. With icount the machine's time goes by instructions,
	// 16 ns each, while idle by the host's clock.
	stuckBus(boot(t, spec{
		qemu:   []string{"qemu-system-arm", "-M", "raspi0", "-icount", "shift=4", "-serial", "chardev:console"},
		kernel: "armel", dtb: "bcm2835-rpi-zero.dtb",
		params:  []string{"console=ttyAMA0", blacklist},
		modules: []string{"i2c-dev", "i2c-bcm2835"},
		files:   []string{gateway(dir, "armv6"), "guest/stuckbus.toml"},
	}))
}

func TestStuckBusOfAPi3(t *testing.T) {
	dir := needs(t)
	stuckBus(boot(t, spec{
		qemu:   []string{"qemu-system-aarch64", "-M", "raspi3b", "-serial", "null", "-serial", "chardev:console"},
		kernel: "arm64", dtb: "broadcom/bcm2837-rpi-3-b.dtb",
		params:  []string{"console=ttyS1,115200", blacklist},
		modules: []string{"i2c-dev", "i2c-bcm2835"},
		files:   []string{gateway(dir, "arm64"), "guest/stuckbus.toml"},
	}))
}

func stuckBus(m *machine) {
	begin := time.Now()
	m.run(20*time.Second, `tr '\0' '\n' </proc/device-tree/model; echo; echo /dev/i2c-*`)
	m.t.Log(strings.Join(m.all(`^(Raspberry Pi|/dev/i2c)`), ", "))
	m.send("fieldgate run -c /etc/stuckbus.toml &")
	for range 2 {
		said, at := m.await(time.Minute, `sensor changed state"? sensor=(hall|roof) .*state=(\S+) .*err="(.*)"$`)
		m.t.Logf("%s is %s after %v: %s", said[1], said[2], round(at.Sub(begin)), said[3])
	}
	m.send("fieldgate tail -c /etc/stuckbus.toml &")
	const reading, readings = ` board #(\d+) .* uptime=([\d.]+) s$`, 20
	first := m.expect(30*time.Second, reading)
	last, longest := first, 0.0
	for range readings - 1 {
		before := float(last[2])
		last = m.expect(30*time.Second, reading)
		longest = max(longest, float(last[2])-before)
	}
	took := float(last[2]) - float(first[2])
	m.t.Logf("the board's own sensor: %d readings, one a second, in %.1f s, at most %.1f s apart", readings, took, longest)
	if took > readings+5 {
		m.t.Error("the board's own sensor waits for the bus")
	}
	hangs := m.all(`I2C bus hangs`)
	m.t.Logf("about the bus: %q", hangs)
	if len(hangs) != 1 {
		m.t.Errorf("want it said once that the bus hangs, got %d lines", len(hangs))
	}
	// all at once: tail goes on printing
	m.send(`status=$(fieldgate status -c /etc/stuckbus.toml); echo "$status"`)
	for _, sensor := range []string{`board +ok`, `hall +missing +1s +0`, `roof +missing +1s +0`} {
		m.t.Log(m.expect(30*time.Second, `^`+sensor+` .*`)[0])
	}
	m.send(`echo "kernel: $(dmesg | grep -c 'i2c transfer timed out') transfers timed out"`)
	m.t.Log(m.expect(30*time.Second, `^kernel: [1-9]\d* transfers timed out$`)[0])
	m.t.Logf("in %v", since(begin))
}
