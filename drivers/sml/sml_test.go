package sml

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// recorded returns what a real meter sent, from the collection libsml-testing.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// meter returns one that sends a text every second.
func meter(text string) *drivertest.Buses {
	return drivertest.OnSerial(drivertest.Device{Every: time.Second, Says: func(int) string { return text }})
}

func TestDriver(t *testing.T) {
	frame := string(recorded(t, "EMH_eHZ361L5R"))
	drivertest.Suite{
		Spec: Spec, Options: func(o any) { o.(*Options).Fields = []string{"energy_export_1", "power"} },
		New: func() *drivertest.Buses { return meter(frame) }, Checked: true,
	}.Run(t)
}

// feed returns what a new driver makes of bytes: the fields of the newest frame, "" for none.
func feed(b []byte) string {
	d := &Dev{}
	if !d.take(b) {
		return ""
	}
	var words []string
	for _, m := range measures() {
		if v := m.value(d.newest); v.Reason() != "not present" {
			words = append(words, strings.TrimSuffix(fmt.Sprintf("%#v", v), "(float)"))
		}
	}
	return strings.Join(words, " ")
}

// The DZG sends 356.24 W as -299.12: see doc.go.
func TestMeters(t *testing.T) {
	for name, want := range map[string]string{
		"EMH_eHZ361L5R":               "energy_export_1=110340.3151",
		"EMH-ED300L_delivery":         "energy_import=17243.6756 power=126.5 energy_import_1=17243.6756 energy_import_2=0",
		"EasyMeter_Q3A_A1064V1009":    "energy_import=2941.6471626 energy_export=110.0731603 power=687.86 power_l1=458.29 voltage_l1=232.2 power_l2=32.4 voltage_l2=230.5 power_l3=197.16 voltage_l3=232",
		"HOLLEY_DTZ541-BDBA_with_PIN": "energy_import=2355.9291 power=374",
		"ISKRA_MT175_eHZ":             "energy_import=22462.4145 power=169 energy_import_1=22462.4145 energy_import_2=0 power_l1=118 power_l2=22 power_l3=28",
		"DZG_DVS-7412.2_jmberg":       "energy_import=5430.1577 energy_export=26244.5726 power=-299.12",
	} {
		if got := feed(recorded(t, name)); got != want {
			t.Errorf("%s: want %s\n got %s", name, want, got)
		}
	}
}

// Cut anywhere or with any bit changed, a frame is not taken, or says the same.
func TestGarbledAnywhere(t *testing.T) {
	frame := recorded(t, "EMH_eHZ361L5R")
	want := feed(frame)
	for i := range frame {
		if got := feed(frame[:i]); got != "" {
			t.Errorf("cut before byte %d: got %s", i, got)
		}
		if got := feed(slices.Concat(frame[:i], frame)); got != want {
			t.Errorf("whole after one cut before byte %d: got %s", i, got)
		}
		if got := feed(frame[i:]); i > 0 && got != "" {
			t.Errorf("from byte %d on: got %s", i, got)
		}
		for bit := range 8 {
			flipped := bytes.Clone(frame)
			flipped[i] ^= 1 << bit
			if got := feed(flipped); got != "" && got != want {
				t.Errorf("bit %d of byte %d flipped: got %s", bit, i, got)
			}
		}
	}
}

// framed returns a body as a frame.
func framed(body []byte) []byte {
	fill := (4 - len(body)%4) % 4
	b := append([]byte(start), bytes.ReplaceAll(body, []byte(escape), []byte(escape+escape))...)
	b = append(append(b, make([]byte, fill)...), escape+"\x1a"...)
	b = append(b, byte(fill))
	c := crc(b)
	return append(b, byte(c), byte(c>>8))
}

// Bodies whose checksum is right and that are nonsense.
func TestOddBodies(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{
		"lists in lists":                        {strings.Repeat("\x71", 1000), "it has more than 8 lists in each other"},
		"a list of 65535":                       {"\xff\x8f\x8f\x0f\x00", "it ends within an element"},
		"an element that is longer than a body": {"\x72\x0f\x01", "it ends within an element"},
		"lengths without an end":                {strings.Repeat("\xff", 100), "it ends within an element"},
		"a length of less than its own byte":    {"\x80\x00\x01", "it ends within an element"},
		"numbers":                               {"\x62\x01\x52\xff\x00", "it is no answer with a list of values"},
		"an escape":                             {"\x08\x00\x00\x00\x1b\x1b\x1b\x1b", "it is no answer with a list of values"},
	} {
		d := &Dev{}
		if d.take(framed([]byte(test.body))) || d.strange == nil || !strings.Contains(d.strange.Error(), test.want) {
			t.Errorf("%s: want %q, got %v, %d damaged", name, test.want, d.strange, d.framer.damaged)
		}
	}
}

// A frame is bounded.
func TestEndless(t *testing.T) {
	d := &Dev{}
	d.take(append([]byte(start), make([]byte, 100_000)...))
	if cap(d.framer.raw) > 4*maxFrame || cap(d.framer.body) > 4*maxFrame {
		t.Errorf("%d and %d bytes are kept of an endless frame", cap(d.framer.raw), cap(d.framer.body))
	}
	if !d.take(recorded(t, "EMH_eHZ361L5R")) {
		t.Error("the frame after an endless one is not read")
	}
}

func TestNothingToRead(t *testing.T) {
	frame := recorded(t, "EMH_eHZ361L5R")
	frame[40] ^= 1
	for name, test := range map[string]struct{ text, want string }{
		"silence":          {"", "sml: nothing came: is the head on the meter's upper infrared window"},
		"wrong baud rate":  {"\x00\xfe", "sml: 18 bytes came but no whole frame; the first are 00 fe 00 fe 00 fe 00 fe: the baud rate is probably not the device's (configured: 9600 8N1)"},
		"a wrong checksum": {string(frame), "9 times the checksum was wrong: does the head sit straight"},
		"no values":        {string(framed([]byte("\x62\x01\x00\x00"))), "sml: a frame came without values: it is no answer with a list of values"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, err := Spec.Open(t.Context(), meter(test.text), "port", Spec.Options())
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 9500*time.Millisecond)
				defer cancel()
				_, err = d.Read(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("want %q, got %v", test.want, err)
				}
			})
		})
	}
}

func TestCheck(t *testing.T) {
	for want, o := range map[string]Options{
		"option baud: 0 bits per second; want 300 to 921600": {},
		`option fields: "watt" is none of energy_import`:     {Baud: 9600, Fields: []string{"watt"}},
		`option fields: "power" is there twice`:              {Baud: 9600, Fields: []string{"power", "power"}},
		"option fields: it is empty; leave it out, or name":  {Baud: 9600, Fields: []string{}},
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("\x76\x01\x01\x01\x72\x63\x07\x01\x75\x01\x01\x01\x01\x71\x76\x07\x01\x00\x01\x08\x00\xff\x01\x01\x62\x1e\x52\xff\x59\x00\x00\x00\x00\x00\x00\x00\x07"))
	f.Fuzz(func(t *testing.T, body []byte) {
		feed(framed(body))
		feed(body)
	})
}
