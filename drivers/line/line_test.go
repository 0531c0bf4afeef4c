package line

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

// station is a device that writes a line every 300 ms.
func station() *drivertest.Buses {
	return drivertest.OnSerial(drivertest.Device{
		Every: 300 * time.Millisecond,
		Says:  func(n int) string { return fmt.Sprintf("%d.5,%d,on\r\n", n, 40+n%10) },
	})
}

// steady is a device that says always the same.
func steady(says string) func() *drivertest.Buses {
	return func() *drivertest.Buses {
		return drivertest.OnSerial(drivertest.Device{Every: 300 * time.Millisecond, Says: func(int) string { return says }})
	}
}

// asked is a device that says something when it is asked.
func asked(says string) func() *drivertest.Buses {
	return func() *drivertest.Buses {
		return drivertest.OnSerial(drivertest.Device{Delay: 20 * time.Millisecond, Answers: func([]byte) string { return says }})
	}
}

func columns(o *Options) {
	o.Columns = []string{"temperature", "humidity", "heater"}
	o.Fields = map[string]Field{"temperature": {Unit: "Cel"}, "humidity": {Type: "int", Unit: "%RH"}, "heater": {Type: "bool"}}
}

func TestDriver(t *testing.T) {
	const station = "21.5,40,on\r\n"
	for _, test := range []struct {
		name   string
		device func() *drivertest.Buses
		change func(*Options)
	}{
		{"columns", steady(station), columns},
		{"every line", steady(station), func(o *Options) { columns(o); o.EveryLine = true }},
		{"pattern", steady(station), func(o *Options) { o.Pattern = `^(?P<temperature>[0-9.]+),(?P<humidity>\d+)` }},
		{"decimal comma", steady("\x02- 1.021,5;40\x03\r\n"), func(o *Options) {
			o.Columns, o.Separator, o.Decimal = []string{"a", "b"}, ";", ","
		}},
		{"latin-1", steady("21.5 \xb0C\r"), func(o *Options) {
			o.Pattern, o.Encoding, o.LineEnd = `(?P<t>\S+) °C`, "latin-1", "\r"
		}},
		{"record", steady("T=21.5\r\nH=40\r\n----\r\n"), func(o *Options) {
			o.Pattern, o.RecordEnd = `^T=(?P<t>.*)\nH=(?P<h>.*)\n`, "^----"
		}},
		{"JSON", steady(`{"model":"X","temperature_C":21.5,"values":[1,2]}` + "\n"), func(o *Options) {
			o.Format, o.Match = "json", map[string]Word{"model": "X"}
			o.Fields = map[string]Field{"temperature": {Path: "temperature_C"}, "second": {Path: "values[1]", Type: "int"}}
		}},
		{"asked", asked("S S    12.50 g\r\n"), func(o *Options) {
			o.Pattern, o.Send = `^S S +(?P<weight>\S+) g`, "S\r\n"
		}},
	} {
		t.Run(test.name, drivertest.Suite{Spec: Spec, New: test.device, Options: func(o any) { test.change(o.(*Options)) }}.Run)
	}
}

// open opens a driver on a device.
func open(t *testing.T, buses drivers.Buses, change func(*Options)) drivers.Driver {
	t.Helper()
	o := Spec.Options().(*Options)
	change(o)
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	d, err := Spec.Open(t.Context(), buses, "port", o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// device opens a driver on a device that says its parts one by one, 100 ms apart, and then nothing.
func device(t *testing.T, change func(*Options), says ...string) drivers.Driver {
	t.Helper()
	return open(t, drivertest.OnSerial(drivertest.Device{Every: 100 * time.Millisecond, Says: func(n int) string {
		if n < len(says) {
			return says[n]
		}
		return ""
	}}), change)
}

// readAll reads until an error comes and returns all as text.
func readAll(t *testing.T, d drivers.Driver) (got []string, err error) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		values, err := d.Read(ctx)
		cancel()
		if err != nil {
			return got, err
		}
		got = append(got, strings.TrimPrefix(fmt.Sprintf("%#v", values), "[]drivers.Value"))
	}
}

// A saying is what a device says, and what is read of it until nothing comes.
type saying struct {
	name   string
	change func(*Options)
	says   []string
	want   string
	err    string
}

func (s saying) run(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := readAll(t, device(t, s.change, s.says...))
		if strings.Join(got, ";") != s.want {
			t.Errorf("want %s\n got %s", s.want, strings.Join(got, ";"))
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), s.err) {
			t.Errorf("want the deadline and %q, got %v", s.err, err)
		}
	})
}

func one(o *Options) { o.Columns, o.MaxLine = []string{"a"}, 256 }

func two(o *Options) { o.Columns, o.MaxLine = []string{"a", "b"}, 256 }

func TestLines(t *testing.T) {
	typed := func(kind string) func(*Options) {
		return func(o *Options) {
			o.Columns, o.Separator = []string{"a", "", "b"}, ";"
			o.Fields = map[string]Field{"a": {Type: kind}}
		}
	}
	ends := func(end string) func(*Options) { return func(o *Options) { one(o); o.LineEnd = end } }
	long := strings.Repeat("9", 300)
	for _, test := range []saying{
		{"line too long", one, []string{"\n", long, "1\n2\n"}, "{a=2(float)}", "nothing came"},
		{"line too long, whole", one, []string{"\n", long + "\n", "1\n"}, "{a=1(float)}", "nothing came"},
		{"noise between lines", one, []string{"\n", "1\n", "\xff\xfe\n", "3\n"}, "{a=1(float)};{a=3(float)}", "nothing came"},
		{"a digit in noise", one, []string{"\n\xf8\x80\xfc\x00\x9f\xe0\x80\x00\xfc\n9\n\xf8\x80\xfc\x00\x9f\xe0\x80\x00\xfc\n", "1\n", "2\n", "3\n"}, "{a=3(float)}", "nothing came"},
		{"first part dropped", one, []string{"7", "7\n", "1\n"}, "{a=1(float)}", "nothing came"},
		{"line in parts", two, []string{"\n", "1", "2,3", "4", "\n"}, "{a=12(float), b=34(float)}", "nothing came"},
		{"CR", one, []string{"\r1\r", "2\r"}, "{a=1(float)};{a=2(float)}", "nothing came"},
		{"CRLF", one, []string{"\r\n1\r\n", "2\r\n"}, "{a=1(float)};{a=2(float)}", "nothing came"},
		{"CRLF torn", one, []string{"\r\n1\r", "\n2\r", "\n"}, "{a=1(float)};{a=2(float)}", "nothing came"},
		{"other line end", ends(";"), []string{"5;1;", "2;"}, "{a=1(float)};{a=2(float)}", "nothing came"},
		{"ETX", ends("\x03"), []string{"\x02 5\x03", "\x021.5\x03"}, "{a=1.5(float)}", "nothing came"},
		{"line end of two characters, torn", ends("\r\n"), []string{"\r", "\n1\r", "\n2", "\r\n"}, "{a=1(float)};{a=2(float)}", "nothing came"},
		{"newest of several", one, []string{"\n1\n2\nthree\n"}, "{a=2(float)}", "nothing came"},
		{"every line", func(o *Options) { one(o); o.EveryLine = true }, []string{"\n1\n2\nthree\n4\n"}, "{a=1(float)};{a=2(float)};{a=4(float)}", "nothing came"},
		{"wrong number of columns", two, []string{"\n1\n", "1,2,3\n", "1,2\n"}, "{a=1(float), b=2(float)}", "nothing came"},
		{"header line", two, []string{"\nhot,cold\n", "1,2\n"}, "{a=1(float), b=2(float)}", "nothing came"},
		{"controls around a line", two, []string{"\n\x02 1,2 \x03\n", "\x00\x00\x113,4\x13\n", "\x1e5,\x116\x04\n"},
			"{a=1(float), b=2(float)};{a=3(float), b=4(float)};{a=5(float), b=6(float)}", "nothing came"},
		{"a tab is not trimmed", func(o *Options) { two(o); o.Separator = "\t" }, []string{"\n\t2\n", "1\t\r\n"},
			"{a=bad(not measured), b=2(float)};{a=1(float), b=bad(not measured)}", "nothing came"},
		{"some fields bad", two, []string{"\n1, \n", "x,2\n", "nan,3\n", "inf,4\n", "1e999,5\n"},
			"{a=1(float), b=bad(not measured)};{a=bad(format), b=2(float)};{a=bad(not measured), b=3(float)};{a=bad(range), b=4(float)};{a=bad(range), b=5(float)}", "nothing came"},
		{"invalid", func(o *Options) {
			two(o)
			o.Invalid = []Word{"-999", "----"}
			o.Fields = map[string]Field{"b": {Invalid: []Word{"0"}}}
		}, []string{"\n-999.0,1\n", "----,2\n", "3,0.0\n", "0,4\n"},
			"{a=bad(not measured), b=1(float)};{a=bad(not measured), b=2(float)};{a=3(float), b=bad(not measured)};{a=0(float), b=4(float)}", "nothing came"},
		{"int", typed("int"), []string{"\n-7;x;1\n", "7.5;x;1\n", "5.0;x;1\n", "99999999999999999999;x;1\n"}, "{a=-7(int), b=1(float)};{a=bad(format), b=1(float)};{a=5(int), b=1(float)};{a=bad(range), b=1(float)}", "nothing came"},
		{"bool", typed("bool"), []string{"\nON;;1\n", "no;;1\n", "maybe;;1\n"}, "{a=true(bool), b=1(float)};{a=false(bool), b=1(float)};{a=bad(format), b=1(float)}", "nothing came"},
		{"string", typed("string"), []string{"\n grün ;;1\n", "gr\xfcn;;2\n"}, "{a=grün(string), b=1(float)};{a=gr\ufffdn(string), b=2(float)}", "nothing came"},
		{"latin-1", func(o *Options) { typed("string")(o); o.Encoding = "latin-1" }, []string{"\ngr\xfcn;;2\n"}, "{a=grün(string), b=2(float)}", "nothing came"},
		{"pattern", func(o *Options) { o.Pattern = `T=(?P<t>\S+)( H=(?P<h>\S+))?` }, []string{"\n[12] T=21.5 H=40 ok\n", "boot\n", "T=22\n"},
			"{t=21.5(float), h=40(float)};{t=22(float), h=bad(not measured)}", "nothing came"},
		{"pattern with ° in Latin-1", func(o *Options) { o.Pattern, o.Encoding = `(?P<t>\S+)°C`, "latin-1" }, []string{"\n21.5\xb0C\n"}, "{t=21.5(float)}", "nothing came"},
		{"one bad byte", func(o *Options) { o.Pattern = `(?P<t>[0-9.]+).C` }, []string{"\n21.5\xb0C\n"}, "{t=21.5(float)}", "nothing came"},
	} {
		t.Run(test.name, test.run)
	}
}

func TestRecords(t *testing.T) {
	record := func(end string) func(*Options) {
		return func(o *Options) { o.Pattern, o.RecordEnd, o.MaxLine = `(?s)T=(?P<t>\d+)\n.*H=(?P<h>\d+)`, end, 64 }
	}
	const dashes = "T=1\r\nnote\r\nH=2\r\n----\r\n"
	for _, test := range []saying{
		{"dashes", record("^----"), []string{"9\r\n----\r\n" + dashes}, "{t=1(float), h=2(float)}", "nothing came"},
		{"torn", record("^----"), []string{"\n----\r\nT=1\r", "\nH=2", "\r\n--", "--\r\n"}, "{t=1(float), h=2(float)}", "nothing came"},
		{"empty line", record("^$"), []string{"x\r\n\r\nT=1\r\nH=2\r\n\r\n", "\r\n"}, "{t=1(float), h=2(float)}", "nothing came"},
		{"empty line, torn", record("^$"), []string{"\n\n", "T=1\r", "\nH=2\r", "\n\r", "\n"}, "{t=1(float), h=2(float)}", "nothing came"},
		{"last value", record("^H="), []string{"\nH=9\nT=1\nH=2\n"}, "{t=1(float), h=2(float)}", "nothing came"},
		{"controls around lines", record("^!"), []string{"\n!\n\x02T=1\nH=2\n!\x03\n"}, "{t=1(float), h=2(float)}", "nothing came"},
		{"rest of a record", record("^----"), []string{"\n" + dashes}, "", "only the rest of one"},
		{"too long", record("^----"), []string{"\n----\n" + strings.Repeat("novel\n", 30) + "----\n" + dashes}, "{t=1(float), h=2(float)}", "nothing came"},
		{"newest", record("^----"), []string{"\n----\n" + dashes + "T=3\nH=4\n----\nT=5\n"}, "{t=3(float), h=4(float)}", ""},
		{"JSON on several lines", func(o *Options) {
			o.Format, o.RecordEnd, o.Fields = "json", "^}", map[string]Field{"t": {}}
		}, []string{"\n}\n{\n  \"t\": 5\n}\n"}, "{t=5(float)}", "nothing came"},
	} {
		t.Run(test.name, test.run)
	}
}

// A device that is read more seldom than it speaks must not be read from the past: what has arrived
// last counts, and where so much has that Linux may not have kept the last of it, what comes next.
func TestNewestOfABacklog(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration
		want  float64
		waits bool
	}{
		{"kept", time.Minute, 199.5, false},
		{"too much to be kept", 10 * time.Minute, 2000.5, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t, station(), columns)
				time.Sleep(test.after + 100*time.Millisecond)
				begin := time.Now()
				values, err := d.Read(t.Context())
				if err != nil || values[0].Float() != test.want || (time.Since(begin) > 0) != test.waits {
					t.Errorf("want %v, got %#v, %v after %v", test.want, values, err, time.Since(begin))
				}
			})
		})
	}
}

// The common forms cost what they always did: the text of a line, and its words.
func TestAllocations(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Options)
		line   string
		most   float64
	}{
		{"columns", columns, "21.5,40,1\r\n", 2},
		{"pattern", func(o *Options) { o.Pattern = `^T=(?P<temperature>\S+) H=(?P<humidity>\S+) door=(?P<door_open>[01])` }, "T=21.5 H=40 door=1\r\n", 3},
		{"JSON", func(o *Options) {
			o.Format, o.Match = "json", map[string]Word{"model": "X", "id": "12"}
			o.Fields = map[string]Field{"temperature": {Path: "temperature_C"}, "deep": {Path: "a.values[1]", Type: "int"}}
		}, `{"time":"2026-11-28 23:00:00","model":"X","id":12,"temperature_C":21.5,"a":{"values":[1,2]}}` + "\n", 1},
	} {
		o := Spec.Options().(*Options)
		test.change(o)
		d, err := Open(t.Context(), nil, *o)
		if err != nil {
			t.Fatal(err)
		}
		line := []byte(test.line)
		d.take([]byte("\n"))
		d.take(line)
		d.take(line)
		got := test.most + 1
		for range 100 { // the least counts: the race detector makes pools forget at random
			got = min(got, testing.AllocsPerRun(1, func() { d.take(line) }))
		}
		if got > test.most {
			t.Errorf("%s: %v allocations a line, want %v", test.name, got, test.most)
		}
	}
}
