package ds18b20

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// good is what the kernel says of a chip at 21.3125 °C.
var good = said(0x55, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0b, 0x10)

// said returns w1_slave of a chip with this memory and the right checksum.
func said(b ...byte) string {
	c := crc(b)
	line := fmt.Sprintf("% x %02x", b, c)
	return fmt.Sprintf("%s : crc=%02x YES\n%s t=1000\n", line, c, line)
}

// bus returns the root of a machine with sensors, by their ids.
func machine(t *testing.T, sensors map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for id, text := range sensors {
		folder := filepath.Join(root, "sys/bus/w1/devices", id)
		if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "w1_slave"), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestDriver(t *testing.T) {
	root := machine(t, map[string]string{"28-0316a2795fff": good})
	drivertest.Suite{
		Spec: Spec, Options: func(o any) { o.(*Options).root = root },
		Files: []string{filepath.Join(root, "sys/bus/w1/devices/28-0316a2795fff/w1_slave")}, Checked: true,
	}.Run(t)
}

func TestRead(t *testing.T) {
	tests := []struct {
		name string
		text string
		want string
	}{
		// Data sheet, table 1.
		{"125 °C", said(0xd0, 0x07, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10), "temperature=125(float)"},
		{"25.0625 °C", said(0x91, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0f, 0x10), "temperature=25.0625(float)"},
		{"10.125 °C", said(0xa2, 0x00, 0x4b, 0x46, 0x7f, 0xff, 0x0e, 0x10), "temperature=10.125(float)"},
		{"0 °C", said(0x00, 0x00, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10), "temperature=0(float)"},
		{"-10.125 °C", said(0x5e, 0xff, 0x4b, 0x46, 0x7f, 0xff, 0x02, 0x10), "temperature=-10.125(float)"},
		{"-55 °C", said(0x90, 0xfc, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10), "temperature=-55(float)"},
		{"9 bits", said(0x97, 0x01, 0x4b, 0x46, 0x1f, 0xff, 0x0f, 0x10), "temperature=25(float)"},
		{"power-up", said(0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10), "85 °C is what the chip says before it has measured"},
		{"clone's power-up", said(0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0xff, 0x10), "85 °C is what the chip says before it has measured"},
		{"85 °C measured", said(0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10), "temperature=85(float)"},
		{"too little current", said(0xff, 0x07, 0x4b, 0x46, 0x7f, 0xff, 0x01, 0x10), "127.94 °C means that the chip had not enough current"},
		{"data held low", said(0, 0, 0, 0, 0, 0, 0, 0), "not that of a DS18B20"},
		{"nobody drives the line", strings.Replace(said(255, 255, 255, 255, 255, 255, 255, 255), "YES", "NO", 1), "wrong checksum"},
		{"kernel's NO, with the last good number", strings.Replace(good, "YES", "NO", 1), "wrong checksum"},
		{"checksum does not fit", strings.Replace(good, "55 01", "56 01", 1), "wrong checksum"},
		{"range", said(0x00, 0x08, 0x4b, 0x46, 0x7f, 0xff, 0x10, 0x10), "128 °C is not what the chip can measure"},
		{"cut off", "55 01 4b", "want 9 bytes"},
		{"empty", "", "want 9 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := &Options{root: machine(t, map[string]string{"28-000000000001": test.text})}
			if got := drivertest.Outcome(t, Spec, drivertest.None(), o); !strings.Contains(got, test.want) {
				t.Errorf("want %q, got %s", test.want, got)
			}
		})
	}
}

// The chips of other families, by examples of their data sheets and of what the kernel shows.
func TestRelatives(t *testing.T) {
	tests := []struct {
		name, id string
		text     string
		want     string
	}{
		{"DS18S20, 85 °C measured", "10-000000000001", said(0xaa, 0x00, 0x4b, 0x46, 0xff, 0xff, 0x0c, 0x10), "85 °C is what the chip says"},
		{"DS18S20, 25 °C", "10-000000000001", said(0x32, 0x00, 0x4b, 0x46, 0xff, 0xff, 0x0c, 0x10), "temperature=25(float)"},
		{"DS18S20, finer", "10-000000000001", said(0x32, 0x00, 0x4b, 0x46, 0xff, 0xff, 0x04, 0x10), "temperature=25.5(float)"},
		{"DS18S20, half a degree", "10-000000000001", said(0x33, 0x00, 0x4b, 0x46, 0xff, 0xff, 0x0c, 0x10), "temperature=25(float)"},
		{"DS18S20, -25 °C", "10-000000000001", said(0xce, 0xff, 0x4b, 0x46, 0xff, 0xff, 0x0c, 0x10), "temperature=-25(float)"},
		{"DS18S20, remainder out of range", "10-000000000001", said(0x32, 0x00, 0x4b, 0x46, 0xff, 0xff, 0x20, 0x10), "not that of a DS18S20"},
		{"DS18S20, data held low", "10-000000000001", said(0, 0, 0, 0, 0, 0, 0, 0), "not that of a DS18S20"},
		{"DS1822", "22-000000000001", said(0x91, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0f, 0x10), "temperature=25.0625(float)"},
		{"DS1825 with address 5", "3b-000000000001", said(0x91, 0x01, 0x4b, 0x46, 0x75, 0xff, 0x0f, 0x10), "temperature=25.0625(float)"},
		{"MAX31850, which has the family of a DS1825", "3b-000000000001", said(0x91, 0x01, 0x4b, 0x46, 0xf5, 0xff, 0x0f, 0x10), "not that of a DS1825"},
		{"DS28EA00", "42-000000000001", said(0x91, 0x01, 0x4b, 0x46, 0x7f, 0xff, 0x0f, 0x10), "temperature=25.0625(float)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := &Options{root: machine(t, map[string]string{test.id: test.text})}
			if got := drivertest.Outcome(t, Spec, drivertest.None(), o); !strings.Contains(got, test.want) {
				t.Errorf("want %q, got %s", test.want, got)
			}
		})
	}
}

// A clone that has really 85 °C is believed after a reading near it.
func TestHotClone(t *testing.T) {
	root := machine(t, map[string]string{"28-000000000001": said(0x40, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0xff, 0x10)}) // 84 °C
	d, err := Open(t.Context(), Options{root: root})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	bytes := said(0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0xff, 0x10)
	if err := os.WriteFile(filepath.Join(root, "sys/bus/w1/devices/28-000000000001/w1_slave"), []byte(bytes), 0o644); err != nil {
		t.Fatal(err)
	}
	if values, err := d.Read(t.Context()); err != nil || values[0].Float() != 85 {
		t.Errorf("want 85 °C, got %#v, %v", values, err)
	}
}

func TestChoice(t *testing.T) {
	two := map[string]string{"28-000000000001": good, "28-000000000002": good, "26-000000000003": good}
	tests := []struct {
		name, id string
		sensors  map[string]string
		want     string // the id, or part of the error
	}{
		{"the only one", "", map[string]string{"28-000000000001": good}, "28-000000000001 <nil>"},
		{"one of two", "28-000000000002", two, "28-000000000002 <nil>"},
		{"which of two", "", two, "there are 2 sensors: choose one with the option id. Present: 28-000000000001, 28-000000000002"},
		{"another", "28-000000000009", two, "no sensor 28-000000000009 answers: check the wires"},
		{"none", "", map[string]string{"w1_bus_master1": ""}, "no sensor answers: check the wires, and the 4.7 kΩ from data to 3.3 V. Present: none"},
		{"phantoms", "", map[string]string{"00-400000000000": "", "00-c00000000000": ""},
			"no sensor answers, but 00-400000000000, 00-c00000000000: that is noise: the pull-up resistor is missing, 4.7 kΩ from data to 3.3 V, or data is not connected"},
		{"a relative", "", map[string]string{"10-0008025fa1b2": good}, "10-0008025fa1b2 <nil>"},
		{"relatives of all families", "", map[string]string{"22-000000000001": good, "3b-000000000002": good, "42-000000000003": good},
			"there are 3 sensors: choose one with the option id. Present: 22-000000000001, 3b-000000000002, 42-000000000003"},
		{"something else", "", map[string]string{"29-00000014a1b2": "", "01-000000000005": ""},
			"01-000000000005, 29-00000014a1b2 is present, which is not a DS18B20 or one of its relatives (families 10, 22, 28, 3b, 42)"},
		{"something else and a phantom", "28-000000000009", map[string]string{"26-00000014a1b2": "", "00-800000000000": ""},
			"no sensor 28-000000000009 answers, but 00-800000000000: that is noise"},
		{"no bus", "", nil, "there is no 1-Wire bus: plug in an adapter"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			id, err := choose(machine(t, test.sensors), test.id)
			if got := fmt.Sprint(id, " ", err); !strings.Contains(got, test.want) {
				t.Errorf("want %q, got %s", test.want, got)
			}
		})
	}
}

func TestUnplugged(t *testing.T) {
	root := machine(t, map[string]string{"28-000000000001": good})
	d, err := Open(t.Context(), Options{root: root})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(root, "sys")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, so that it is looked for anew, got %v", err)
	}
}

func TestCheck(t *testing.T) {
	for id, good := range map[string]bool{"": true, "28-0316a2795fff": true, "28-0316A2795FFF": false, "10-0316a2795fff": true, "29-0316a2795fff": false, "../x": false} {
		if err := (&Options{ID: id}).Check(); (err == nil) != good {
			t.Errorf("%q: got %v", id, err)
		}
	}
}
