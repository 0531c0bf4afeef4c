package nmea

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// sentence adds the dollar sign, the checksum and the line end.
func sentence(text string) string {
	sum := byte(0)
	for i := range len(text) {
		sum ^= text[i]
	}
	return fmt.Sprintf("$%s*%02X\r\n", text, sum)
}

func said(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		b.WriteString(sentence(text))
	}
	return b.String()
}

// moment is what a receiver says in the n-th second.
func moment(n int) string {
	t := fmt.Sprintf("1200%02d.00", n%60)
	return said("GNRMC,"+t+",A,4630.0000,N,00733.0000,E,1.944,084.4,201126,,,D",
		"GNVTG,084.4,T,,M,1.944,N,3.600,K,D",
		"GNGGA,"+t+",4630.0000,N,00733.0000,E,2,11,0.92,1345.5,M,47.0,M,,0000",
		"GNGSA,A,3,01,02,03,,,,,,,,,,1.8,0.92,1.5",
		"GPGSV,1,1,01,01,40,083,46")
}

func TestDriver(t *testing.T) {
	drivertest.Suite{
		Spec: Spec,
		New: func() *drivertest.Buses {
			return drivertest.OnSerial(drivertest.Device{Every: time.Second, Says: moment})
		},
		Checked: true,
	}.Run(t)
}

func show(values []drivers.Value) string {
	var words []string
	for _, v := range values {
		words = append(words, fmt.Sprintf("%#v", v))
	}
	return strings.Join(words, " ")
}

// device opens a receiver that says one text a second, then nothing.
func device(t *testing.T, says ...string) drivers.Driver {
	t.Helper()
	buses := drivertest.OnSerial(drivertest.Device{Every: time.Second, Says: func(n int) string {
		if n < len(says) {
			return says[n]
		}
		return ""
	}})
	o := Spec.Options().(*Options)
	o.Fields = []string{"latitude", "longitude", "altitude", "speed", "course", "satellites", "hdop", "fix", "time"}
	d, err := Spec.Open(t.Context(), buses, "port", o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	good = "latitude=46.5(float) longitude=7.55(float) altitude=1345.5(float) speed=1.00008(float) course=84.4(float) " +
		"satellites=11(int) hdop=0.92(float) fix=dgnss(string) time=2026-11-20T12:00:00.000Z(string)"
	noFix = "latitude=bad(no fix) longitude=bad(no fix) altitude=bad(no fix) speed=bad(no fix) course=bad(no fix) "
)

func TestEpochs(t *testing.T) {
	ubx := "\xb5\x62\x01\x07\x5c\x00$GNRMC,\x00\x01*\xff$"
	tests := []struct {
		name string
		says string
		want string
	}{
		{"whole", moment(0), good},
		{"binary messages between", ubx + strings.ReplaceAll(moment(0), "\r\n", "\r\n"+ubx), good},
		{"torn at the beginning", "00733.0000,E,1.944*00\r\n" + moment(0), good},
		{"a wrong checksum", strings.Replace(moment(0), "$GNGGA", "$GNGGB", 1),
			"latitude=46.5(float) longitude=7.55(float) altitude=bad(not measured) speed=1.00008(float) course=84.4(float) " +
				"satellites=bad(not measured) hdop=0.92(float) fix=dgnss(string) time=2026-11-20T12:00:00.000Z(string)"},
		{"void", said("GPRMC,120000.00,V,,,,,,,201126,,,N", "GPGGA,120000.00,,,,,0,00,99.99,,,,,,"),
			noFix + "satellites=0(int) hdop=99.99(float) fix=none(string) time=bad(not measured)"},
		{"void with an old position", said("GPRMC,120000,V,4630.0000,N,00733.0000,E,0.0,0.0,201126,,"),
			noFix + "satellites=bad(not measured) hdop=bad(not measured) fix=none(string) time=bad(not measured)"},
		{"not even the time", said("GPRMC,,V,,,,,,,,,,N", "GPGGA,,,,,,0,00,99.99,,,,,,"),
			noFix + "satellites=0(int) hdop=99.99(float) fix=none(string) time=bad(not measured)"},
		{"south and west, no course at rest", said("GLRMC,235959.90,A,3352.1280,S,15112.5580,W,0.0,,311226,,,A"),
			"latitude=-33.8688(float) longitude=-151.2093(float) altitude=bad(not measured) speed=0(float) course=bad(not measured) " +
				"satellites=bad(not measured) hdop=bad(not measured) fix=gnss(string) time=2026-12-31T23:59:59.900Z(string)"},
		{"two dimensions", said("GPGGA,120000.00,4630.0000,N,00733.0000,E,1,03,4.1,1345.5,M,47.0,M,,", "GPGSA,A,2,01,02,03,,,,,,,,,,4.2,4.1,1.0"),
			"latitude=46.5(float) longitude=7.55(float) altitude=bad(2d fix) speed=bad(not measured) course=bad(not measured) " +
				"satellites=3(int) hdop=4.1(float) fix=gnss(string) time=bad(not measured)"},
		{"GNS of several systems, ZDA", said("GNZDA,120000.00,20,11,2026,00,00", "GNGNS,120000.00,4630.0000,N,00733.0000,E,NR,14,0.7,1345.5,47.0,,", "GLGSA,A,1,,,,,,,,,,,,,,,"),
			"latitude=46.5(float) longitude=7.55(float) altitude=1345.5(float) speed=bad(not measured) course=bad(not measured) " +
				"satellites=14(int) hdop=0.7(float) fix=rtk(string) time=2026-11-20T12:00:00.000Z(string)"},
		{"GLL and VTG", said("BDGLL,4630.0000,N,00733.0000,E,120000.00,A,A", "BDVTG,90.0,T,,M,10.0,N,18.5,K,A"),
			"latitude=46.5(float) longitude=7.55(float) altitude=bad(not measured) speed=5.144(float) course=90(float) " +
				"satellites=bad(not measured) hdop=bad(not measured) fix=gnss(string) time=bad(not measured)"},
		{"angles in decimal", said("GPRMC,120000,A,4807.0380,N,01131.0000,E,0.0,0.0,201126,,"),
			"latitude=48.1173(float) longitude=11.5166667(float) altitude=bad(not measured) speed=0(float) course=0(float) " +
				"satellites=bad(not measured) hdop=bad(not measured) fix=gnss(string) time=2026-11-20T12:00:00.000Z(string)"},
		{"impossible latitude", said("GPRMC,120000,A,9930.0000,N,00733.0000,E,0.0,0.0,201126,,", "GPGLL,4630.0000,N,00733.0000,E,120000,A"),
			"latitude=46.5(float) longitude=7.55(float) altitude=bad(not measured) speed=bad(not measured) course=bad(not measured) " +
				"satellites=bad(not measured) hdop=bad(not measured) fix=gnss(string) time=bad(not measured)"},
		{"the next has begun", moment(0) + said("GNRMC,120001.00,A,4640.0000,N,00733.0000,E,1.944,084.4,201126,,,A"), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				values, err := device(t, test.says).Read(t.Context())
				if err != nil || test.want != "" && show(values) != test.want {
					t.Errorf("want %s\n got %s, %v", test.want, show(values), err)
				}
			})
		})
	}
}

// A receiver has a date long before it knows it: that of its own clock, of its maker, or of 1024
// weeks ago.
func TestDates(t *testing.T) {
	rmc := func(status, time, date string) string {
		return said("GPRMC," + time + "," + status + ",4630.0000,N,00733.0000,E,0.0,0.0," + date + ",,")
	}
	zda := func(date string) string {
		return said("GPZDA,120000.00,"+date+",00,00", "GPGGA,120000.00,4630.0000,N,00733.0000,E,1,05,1.0,1.0,M,47.0,M,,")
	}
	const bad = "time=bad(not measured)"
	tests := []struct{ name, says, want string }{
		{"before the first fix", rmc("V", "000012.123", "060180"), bad},
		{"the clock of the receiver, without a fix", rmc("V", "120000", "281126"), bad},
		{"the beginning of GPS, with a fix", rmc("A", "120000", "060180"), bad},
		{"the rollover of 1999", rmc("A", "120000", "220899"), bad},
		{"1024 weeks ago", rmc("A", "120000", "140407"), bad},
		{"the last day before this driver", rmc("A", "235959", "311225"), bad},
		{"its first day", rmc("A", "000000", "010126"), "time=2026-01-01T00:00:00.000Z(string)"},
		{"the last year that two digits can say", rmc("A", "120000", "311279"), "time=2079-12-31T12:00:00.000Z(string)"},
		{"no date", rmc("A", "120000", ""), bad},
		{"a date of zeros", rmc("A", "120000", "000000"), bad},
		{"30 February", rmc("A", "120000", "300227"), bad},
		{"29 February of a leap year", rmc("A", "120000", "290228"), "time=2028-02-29T12:00:00.000Z(string)"},
		{"month 13", rmc("A", "120000", "011327"), bad},
		{"hour 24", rmc("A", "240000", "281126"), bad},
		{"minute 60", rmc("A", "126000", "281126"), bad},
		{"second 60 at noon", rmc("A", "120060", "281126"), bad},
		{"a leap second", rmc("A", "235960", "311226"), "time=2026-12-31T23:59:60.000Z(string)"},
		{"ZDA", zda("28,11,2026"), "time=2026-11-28T12:00:00.000Z(string)"},
		{"ZDA of 1980", zda("06,01,1980"), bad},
		{"ZDA of a year with five digits", zda("28,11,20260"), bad},
		{"ZDA of zeros", zda("00,00,0000"), bad},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				values, err := device(t, test.says).Read(t.Context())
				if err != nil || show(values[8:]) != test.want {
					t.Errorf("want %s, got %s, %v", test.want, show(values), err)
				}
			})
		})
	}
}

// All that has arrived is looked through, and the newest epoch is whole without waiting for the
// next.
func TestNewestOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := device(t, moment(57), moment(58), moment(0))
		time.Sleep(3500 * time.Millisecond)
		begin := time.Now()
		values, err := d.Read(t.Context())
		if err != nil || show(values) != good || time.Since(begin) > 0 {
			t.Errorf("want %s at once\n got %s, %v after %v", good, show(values), err, time.Since(begin))
		}
	})
}

// The receiver pauses between the sentences of an epoch: from the second one on, the driver knows
// what belongs to it.
func TestPauseWithinAnEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var says []string
		for n := range 10 {
			says = append(says, strings.SplitAfterN(moment(n), "\r\n", 3)...)
		}
		d := device(t, says...) // a third of the epoch each second
		for n := range 6 {
			values, err := d.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if v := values[2]; n > 1 && v.Kind() != drivers.KindFloat {
				t.Errorf("epoch %d is not whole: %s", n, show(values))
			}
		}
	})
}

func TestNothingToRead(t *testing.T) {
	tests := []struct {
		name string
		says string
		want string
	}{
		{"silence", "", "nmea: nothing came: is the device powered"},
		{"garbage", "\x00\xfe\x80$\xff\x01\x02\x03\x04", "nmea: 9 bytes came but no valid sentence (or the receiver is in its binary mode); the first are 00 fe 80 24 ff 01 02 03: " +
			"the baud rate is probably not the device's (configured: 9600 8N1)"},
		{"other sentences", said("GPGSV,1,1,01,01,40,083,46", "GPTXT,01,01,02,ANTSTATUS=OK"), `nmea: no RMC, GGA, GNS or GLL came, but "$GPGSV,1,1,01,01,40,083,46": have the receiver send one of these`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err := device(t, test.says).Read(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("want %s, got %v", test.want, err)
				}
			})
		})
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"baud", func(o *Options) { o.Baud = 0 }, "option baud: 0"},
		{"no fields", func(o *Options) { o.Fields = []string{} }, "option fields: it is empty"},
		{"unknown field", func(o *Options) { o.Fields = []string{"lat"} }, `option fields: "lat" is none of latitude, longitude`},
		{"field twice", func(o *Options) { o.Fields = []string{"fix", "fix"} }, `"fix" is there twice`},
		{"OK", func(o *Options) { o.Fields = []string{"time", "latitude"} }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Spec.Options().(*Options)
			test.change(o)
			err := o.Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

// Whatever comes, a sentence is printable, begins with a dollar sign and had its checksum in the
// bytes.
func FuzzFramer(f *testing.F) {
	f.Add([]byte(moment(0)))
	f.Add([]byte("$$GPRMC*4B$*00*\x00" + strings.Repeat("x", 300)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var fr framer
		for i, c := range data {
			text, ok := fr.put(c)
			if !ok {
				continue
			}
			if want := strings.TrimSpace(sentence(text[1:])); !strings.EqualFold(want, string(data[i+1-len(want):i+1])) {
				t.Fatalf("%q out of %q", text, data[:i+1])
			}
			var e epoch
			if e.read(text) {
				var all epoch
				all.merge(&e)
				for _, m := range new(Options).measures() {
					m.value(&all, m.Name)
				}
			}
		}
	})
}
