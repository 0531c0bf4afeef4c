package board

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// TestSensorsOnARealBus runs the gateway on an ast2600 board with chips on its I2C bus, some of
// them ours and some the kernel's, and reads its telemetry on this machine, while the temperatures
// are changed from outside and the bus's adapter is taken away for a while.
func TestSensorsOnARealBus(t *testing.T) {
	dir := needs(t)
	begin := time.Now()
	broker := newBroker(t)
	const bus0, bus1 = "bus=aspeed.i2c.bus.0", "bus=aspeed.i2c.bus.1"
	m := boot(t, spec{
		qemu: []string{
			"qemu-system-arm", "-M", "ast2600-evb", "-serial", "chardev:console", "-nic", "user",
			"-device", "tmp105,id=ours,address=0x48," + bus0, "-device", "tmp105,id=kernels,address=0x49," + bus0,
			"-device", "emc1413,id=corner,address=0x38," + bus0,
			"-device", "dps310,address=0x77," + bus0, "-device", "dps310,address=0x77," + bus1,
		},
		kernel: "armhf", dtb: "aspeed-ast2600-evb.dtb",
		// The name of a variable is for init; 10.0.2.2 is this machine's loopback.
		params:  []string{"console=ttyS4,115200", fmt.Sprintf("BROKER=10.0.2.2:%d", broker.port)},
		modules: []string{"i2c-dev", "i2c-aspeed", "lm75", "emc1403", "dps310", "mdio-aspeed", "realtek", "ftgmac100"},
		files:   []string{gateway(dir, "armv7"), filepath.Join(dir, "bin/i2cstress"), "guest/ast2600.toml"},
	})
	m.send("i2cstress -for 20s")
	stress := m.expect(time.Minute, `^STRESS .*, (\d+) bad$`)
	t.Log(stress[0])
	if bad := m.all(`^BAD`); stress[1] != "0" {
		t.Errorf("bad transfers: %q", bad)
	}

	m.run(10*time.Second, "ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up")
	const newDevice = "/sys/bus/i2c/devices/i2c-%d/new_device"
	kernels := fmt.Sprintf("echo tmp105 0x49 >"+newDevice+"; echo emc1413 0x38 >"+newDevice, 0, 0)
	m.run(10*time.Second, kernels)
	m.run(10*time.Second, fmt.Sprintf("echo dps310 0x77 >"+newDevice, 1))
	m.send("fieldgate run -c /etc/ast2600.toml & gateway=$!")

	for i, milli := range []int{23563, -10250, 85000, 124938, -55000, 21000} {
		celsius := float64(milli) / 1000
		// Of this chip the kernel knows whole degrees above 0 only.
		corner := max(milli, -milli) / 1000
		m.qmp.set("ours", "temperature", milli)
		m.qmp.set("kernels", "temperature", milli)
		m.qmp.set("corner", "temperature0", corner*1000)
		set := time.Now()
		within := 15 * time.Second
		if i == 0 {
			within = time.Minute // the gateway starts
		}
		// Both chips are to count in sixteenths of a degree; QEMU's round down.
		ours := broker.value(within, set, "ours", "temperature", celsius, 0.001)
		hwmon := broker.value(within, set, "kernels", "temperature", celsius, 0.001)
		emc := broker.value(within, set, "corner", "temperature", float64(corner), 0.13)
		t.Logf("set to %.3f °C, seen in telemetry: driver tmp105 after %v, hwmon tmp105 after %v, hwmon emc1413 (%d °C) after %v",
			celsius, ours, hwmon, corner, emc)
	}
	t.Logf("DPS310 by our driver and by the kernel's: %s, %s",
		broker.compare("air", "kernels-air", "pressure", 0.001), broker.compare("air", "kernels-air", "temperature", 0.01))
	rebind(m, broker, kernels)

	m.send("kill $gateway; wait $gateway")
	if end := m.expect(20*time.Second, `^## (\d+)$`)[1]; end != "0" {
		t.Errorf("the gateway ended with %s", end)
	}
	broker.until(10*time.Second, "offline", func() bool { _, state := broker.of("", time.Now()); return state == "offline" })
	t.Logf("readings without a hole: %v", broker.complete())
	t.Logf("in %v", since(begin))
}

// rebind takes the adapter away and gives it back, and the kernel's chips with it.
func rebind(m *machine, b *broker, kernels string) {
	const adapter = "echo 1e78a080.i2c-bus >/sys/bus/platform/drivers/aspeed-i2c-bus/"
	taken := time.Now()
	m.send(adapter + "unbind")
	for _, sensor := range []string{"kernels", "ours"} {
		said, at := m.await(time.Minute, `sensor changed state"? sensor=`+sensor+` .*state=(failing|missing) .*err="(.*)"$`)
		m.t.Logf("adapter taken away: %s %s after %v: %s", sensor, said[1], round(at.Sub(taken)), said[2])
	}
	m.run(time.Minute, "until [ ! -e /dev/i2c-0 ]; do sleep 0.1; done")
	back := time.Now()
	m.run(time.Minute, adapter+"bind; "+kernels)
	m.qmp.set("ours", "temperature", 30500)
	m.qmp.set("kernels", "temperature", 31500)
	m.t.Logf("adapter back %v after it was taken away: driver tmp105 reads again after %v, hwmon after %v", round(back.Sub(taken)),
		b.value(2*time.Minute, back, "ours", "temperature", 30.5, 0.001), b.value(2*time.Minute, back, "kernels", "temperature", 31.5, 0.001))
}
