package p1

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

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// telegram returns one of a real meter, from the tests of dsmr_parser (MIT license).
func telegram(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// meter returns one that sends a text every second.
func meter(text string) *drivertest.Buses {
	return drivertest.OnSerial(drivertest.Device{Every: time.Second, Says: func(int) string { return text }})
}

func TestDriver(t *testing.T) {
	t.Run("p1", drivertest.Suite{
		Spec:    Spec,
		Options: func(o any) { o.(*Options).Fields = AllFields() },
		New:     func() *drivertest.Buses { return meter(telegram(t, "dsmr5-iskra-mt382")) },
		Checked: true,
	}.Run)
	t.Run("legacy", drivertest.Suite{
		Spec:    Spec,
		Options: func(o any) { *o.(*Options) = Options{Fields: AllFields(), Legacy: true} },
		New:     func() *drivertest.Buses { return meter(telegram(t, "dsmr3-iskra-mt382")) },
	}.Run)
}

// show returns the fields of a telegram that are present.
func show(o objects) string {
	var words []string
	for _, m := range measures() {
		if v := m.value(o, m.Field); v.Reason() != "not present" {
			words = append(words, strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%#v", v), "(float)"), "(string)"))
		}
	}
	return strings.Join(words, " ")
}

func TestTelegrams(t *testing.T) {
	tests := []struct {
		name   string
		legacy bool
		want   string
	}{
		{"dsmr2.2-iskra-mt382", true, "energy_import_1=1.001 energy_import_2=1.001 energy_export_1=1.001 energy_export_2=1.001 power_import=1010 power_export=0 tariff=1(int) gas=1.001 gas_time=bad(no zone)"},
		{"dsmr3-iskra-mt382", true, "energy_import_1=12345.678 energy_import_2=12345.678 energy_export_1=12345.678 energy_export_2=12345.678 power_import=1190 power_export=0 tariff=2(int) gas=1.001 gas_time=bad(no zone)"},
		{"dsmr4.2-kaifa", false, "energy_import_1=1581.123 energy_import_2=1435.706 energy_export_1=0 energy_export_2=0 power_import=2027 power_export=0 tariff=2(int) " +
			"current_l1=0 power_import_l1=170 power_export_l1=0 current_l2=6 power_import_l2=1247 power_export_l2=0 current_l3=2 power_import_l3=209 power_export_l3=0 " +
			"gas=981.443 gas_time=2016-11-29T20:00:00+01:00 time=2016-11-13T20:57:57+01:00"},
		{"dsmr5-iskra-mt382", false, "energy_import_1=4.426 energy_import_2=2.399 energy_export_1=2.444 energy_export_2=0 power_import=244 power_export=0 tariff=2(int) " +
			"voltage_l1=230 current_l1=0.48 power_import_l1=70 power_export_l1=0 voltage_l2=230 current_l2=0.44 power_import_l2=32 power_export_l2=0 voltage_l3=229 current_l3=0.86 power_import_l3=142 power_export_l3=0 " +
			"gas=0.107 gas_time=2017-01-02T16:10:05+01:00 time=2017-01-02T19:20:02+01:00"},
		{"dsmr5-iskra-m550", false, "energy_import_1=2130.115 energy_import_2=245.467 energy_export_1=0 energy_export_2=0 power_import=111 power_export=0 tariff=1(int) " +
			"voltage_l1=229.9 current_l1=0 power_import_l1=56 power_export_l1=0 voltage_l2=229.2 current_l2=0 power_import_l2=0 power_export_l2=0 voltage_l3=222.9 current_l3=1 power_import_l3=55 power_export_l3=0 " +
			"gas=246.138 gas_time=2020-04-26T22:30:01+02:00 time=2020-04-26T22:33:25+02:00"},
		{"warmtelink", false, "heat=2.4086e+11 heat_time=2026-02-15T20:05:23+01:00 time=2026-02-15T20:05:23+01:00"},
		{"fluvius", false, "energy_import_1=0.034 energy_import_2=15.758 energy_export_1=0 energy_export_2=0.011 power_import=0 power_export=0 tariff=1(int) " +
			"voltage_l1=234.7 current_l1=0 power_import_l1=0 power_export_l1=0 voltage_l2=234.7 current_l2=0 power_import_l2=0 power_export_l2=0 voltage_l3=234.7 current_l3=0 power_import_l3=0 power_export_l3=0 " +
			"gas=112.384 gas_time=2020-05-12T13:45:58+02:00 water=872.234 water_time=2020-05-12T13:45:58+02:00 time=2020-05-12T13:54:09+02:00"},
		{"sagemcom-eon", false, "energy_import=173.64 energy_import_1=47.719 energy_import_2=125.921 energy_export=627.177 energy_export_1=401.829 energy_export_2=225.348 power_import=0 power_export=2601 tariff=1(int) frequency=50 " +
			"voltage_l1=240.4 current_l1=3 voltage_l2=239.1 current_l2=4 voltage_l3=241.2 current_l3=3 time=2023-07-24T15:07:30+02:00"},
		{"sagemcom-t210", false, "energy_import=6545.766 energy_import_1=5017.12 energy_import_2=1528.646 energy_export=0.058 energy_export_1=0 energy_export_2=0.058 power_import=286 power_export=0 time=2022-10-06T15:50:14+02:00"},
		{"easymeter-q3d", true, "energy_import=52185.7825309 energy_export=19949.3221493 power_import=2124.86 power_import_l1=747.85 power_import_l2=737.28 power_import_l3=639.73"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{Legacy: test.legacy}
				d, err := Open(t.Context(), port(t, telegram(t, test.name)), o)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if _, err := d.Read(ctx); err != nil || show(d.newest) != test.want {
					t.Errorf("want %s\n got %s, %v", test.want, show(d.newest), err)
				}
			})
		})
	}
}

// port returns the port of a meter that sends a text every second.
func port(t *testing.T, text string) drivers.Port {
	t.Helper()
	p, err := meter(text).Port(t.Context(), "port", drivers.SerialMode{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// feed returns what a new driver makes of bytes: the fields of the newest telegram, "" for none.
func feed(legacy bool, text []byte) string {
	d := &Dev{o: Options{Legacy: legacy}}
	if !d.take(text) {
		return ""
	}
	return show(d.newest)
}

// Cut anywhere or with any byte changed, a telegram with a checksum is not taken, or says the same.
func TestGarbledAnywhere(t *testing.T) {
	text := []byte(telegram(t, "dsmr5-iskra-m550"))
	want := feed(false, text)
	for i := range text {
		if got := feed(false, text[:i]); got != "" && got != want {
			t.Errorf("cut before byte %d: got %s", i, got)
		}
		if got := feed(false, slices.Concat(text[:i], text)); got != want {
			t.Errorf("whole after one cut before byte %d: got %s", i, got)
		}
		if got := feed(false, text[i:]); i > 0 && got != "" {
			t.Errorf("from byte %d on: got %s", i, got)
		}
		for bit := range 8 {
			flipped := bytes.Clone(text)
			flipped[i] ^= 1 << bit
			if got := feed(false, flipped); got != "" && got != want {
				t.Errorf("bit %d of byte %d flipped: got %s", bit, i, got)
			}
		}
		for _, c := range []byte("\x00\xff/!()*\n9") {
			changed := bytes.Clone(text)
			changed[i] = c
			if got := feed(false, changed); got != "" && got != want {
				t.Errorf("%q instead of byte %d: got %s", c, i, got)
			}
		}
	}
}

// A telegram is bounded: a meter that never ends it needs no more memory than the longest.
func TestEndless(t *testing.T) {
	d := &Dev{}
	endless := append([]byte("/ISk5\r\n"), bytes.Repeat([]byte("0-0:96.13.0(30)\r\n"), 10000)...)
	if d.take(endless) || len(d.framer.buf) > maxTelegram || cap(d.framer.buf) > 4*maxTelegram {
		t.Errorf("%d bytes are kept of an endless telegram", cap(d.framer.buf))
	}
	if got := feed(false, append(endless, telegram(t, "dsmr5-iskra-m550")...)); got == "" {
		t.Error("the telegram after an endless one is not read")
	}
}

func TestNothingToRead(t *testing.T) {
	tests := []struct {
		name string
		text string
		want string
	}{
		{"silence", "", "p1: nothing came: does the cable give the request pin 5 V"},
		{"inverted", "\x9b\x00\xfe\xa5", "or the signal is inverted: use a cable for P1); the first are 9b 00 fe a5 9b 00 fe a5: the baud rate is probably not the device's (configured: 115200 8N1)"},
		{"without a checksum", "/X\r\n\r\n1-0:1.7.0(0001.01*kW)\r\n!\r\n", "p1: a telegram came, but it was without a checksum: if the meter is one of DSMR 2.2 or 3, set legacy = true"},
		{"a wrong checksum", "/X\r\n\r\n1-0:1.7.0(0001.01*kW)\r\n!1234\r\n", "p1: 9 telegrams came, but the checksum was wrong: is the cable too long"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
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

// What a telegram may say besides what is right.
func TestOddValues(t *testing.T) {
	for object, want := range map[string]string{
		"1-0:1.7.0(0x10*kW)":              "power_import=bad(format)",
		"1-0:1.7.0(inf*kW)":               "power_import=bad(format)",
		"1-0:1.7.0(1.0*hp)":               "power_import=bad(unit)",
		"1-0:1.7.0(1.0)":                  "power_import=bad(unit)",
		"1-0:1.7.0()":                     "power_import=bad(format)",
		"0-0:96.14.0(-1)":                 "tariff=bad(format)",
		"0-0:1.0.0(632525252525W)":        "time=bad(not measured)",
		"0-0:1.0.0(260329013000X)":        "time=bad(no zone)",
		"0-0:1.0.0()":                     "time=bad(no zone)",
		"0-1:24.1.0(003)":                 "gas=bad(not measured) gas_time=bad(not measured)",
		"0-1:24.1.0(003)\r\n0-1:24.2.1()": "gas=bad(not measured) gas_time=bad(not measured)",
		"(1)\r\n1-0:1.7.0(1.234*kW)":      "power_import=1234",
	} {
		if got := feed(true, []byte("/X\r\n\r\n"+object+"\r\n!\r\n")); got != want {
			t.Errorf("%s: want %s, got %s", object, want, got)
		}
	}
}

func TestCheck(t *testing.T) {
	for want, o := range map[string]Options{
		`option fields: "gaz" is none of energy_import`: {Fields: []string{"gaz"}},
		`option fields: "gas" is there twice`:           {Fields: []string{"gas", "gas"}},
		"option fields: it is empty":                    {Fields: []string{}},
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func FuzzTelegram(f *testing.F) {
	f.Add([]byte("/X\r\n\r\n0-1:24.1.0(3)\r\n0-1:24.3.0(1)(0)(6)(1)(0-1:24.2.1)(m3)\r\n(01.5)\r\n!\r\n"), true)
	f.Add([]byte("//!!\r\n(*)(\r\n)!\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, legacy bool) {
		feed(legacy, data)
	})
}
