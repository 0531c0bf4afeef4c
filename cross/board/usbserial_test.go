package board

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// TestSerialAdapterUnplugged unplugs a USB serial adapter under the running gateway; it comes back
// under another name, since something else still holds the old one.
func TestSerialAdapterUnplugged(t *testing.T) {
	dir := needs(t)
	begin := time.Now()
	socket := t.TempDir() + "/line"
	m := boot(t, virt(dir, spec{
		qemu: []string{"-device", "qemu-xhci,id=xhci", "-chardev", "socket,id=line,server=on,wait=off,path=" + socket,
			"-device", "usb-serial,id=first,bus=xhci.0,chardev=line,serial=FT0001"},
		modules: []string{"xhci-pci", "usbserial", "ftdi_sio"},
		files:   []string{gateway(dir, "arm64"), "guest/usbserial.toml"},
	}))
	talk(t, socket)
	m.run(time.Minute, "fieldgate check -c /etc/usbserial.toml")
	m.send("fieldgate run -c /etc/usbserial.toml & until fieldgate tail -c /etc/usbserial.toml 2>/dev/null; do sleep 0.2; done &")
	const reading = ` scale #\d+  weight=(\d+)`
	m.expect(time.Minute, reading)
	t.Logf("first reading %v after the boot", since(m.booted))
	m.send("sleep 1000 </dev/ttyUSB0 & ls /dev/ttyUSB*")
	m.expect(10*time.Second, `/dev/ttyUSB0$`)

	for _, plug := range []struct {
		old, new string
		out      time.Duration // for how long it is unplugged
	}{{"first", "second", 0}, {"second", "third", 5 * time.Second}} {
		last := float(m.expect(time.Minute, reading)[1])
		pulled := time.Now()
		m.qmp.do("device_del", map[string]any{"id": plug.old})
		const changed = `sensor changed state"? sensor=scale .*state=`
		said, at := m.await(20*time.Second, changed+`(failing|missing) .*err="(.*)"$`)
		t.Logf("unplugged: %s after %v: %s", said[1], round(at.Sub(pulled)), said[2])
		if said[1] == "failing" { // the open port said so, before its name was looked up again
			said, at = m.await(20*time.Second, changed+`missing .*err="(.*)"$`)
			t.Logf("missing after %v: %s", round(at.Sub(pulled)), said[1])
		}

		time.Sleep(time.Until(pulled.Add(plug.out)))
		plugged := time.Now()
		m.qmp.do("device_add", map[string]any{"driver": "usb-serial", "bus": "xhci.0", "chardev": "line", "id": plug.new, "serial": "FT0001"})
		value, at := m.await(time.Minute, reading)
		if float(value[1]) <= last {
			t.Errorf("want values that go on after %v, got %s", last, value[1])
		}
		m.send("echo /dev/ttyUSB*")
		name := m.expect(10*time.Second, `^/dev/ttyUSB.*`)[0]
		t.Logf("plugged in again: a reading after %v, %v after the unplugging, from %s", round(at.Sub(plugged)), round(at.Sub(pulled)), name)
		if name == "/dev/ttyUSB0" {
			t.Error("want another name than before")
		}
	}
	t.Logf("in %v", since(begin))
}

// talk writes a line with the next number every 100 ms into the socket of a serial line until the
// test ends.
func talk(t *testing.T, socket string) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	end := make(chan struct{})
	wg.Go(func() {
		for n := 1000; ; n++ {
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
			}
			if _, err := fmt.Fprintf(conn, "%d\r\n", n); err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		close(end)
		_ = conn.Close()
		wg.Wait()
	})
}
