package line

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// station is a device that writes a line every 300 ms.
func station() *drivertest.Buses {
	return drivertest.OnSerial(drivertest.Device{
		Every: 300 * time.Millisecond,
		Says:  func(n int) string { return fmt.Sprintf("%d.5,%d,on\r\n", n, 40+n%10) },
	})
}

// steady is a station that measures always the same.
func steady() *drivertest.Buses {
	return drivertest.OnSerial(drivertest.Device{Every: 300 * time.Millisecond, Says: func(int) string { return "21.5,40,on\r\n" }})
}

func columns(o *Options) {
	o.Columns = []string{"temperature", "humidity", "heater"}
	o.Fields = map[string]Field{"temperature": {Unit: "Cel"}, "humidity": {Type: "int", Unit: "%RH"}, "heater": {Type: "bool"}}
}

func TestDriver(t *testing.T) {
	t.Run("columns", drivertest.Suite{Spec: Spec, New: steady, Options: func(o any) { columns(o.(*Options)) }}.Run)
	t.Run("every line", drivertest.Suite{Spec: Spec, New: steady, Options: func(o any) { columns(o.(*Options)); o.(*Options).EveryLine = true }}.Run)
	t.Run("pattern", drivertest.Suite{Spec: Spec, New: steady, Options: func(o any) {
		o.(*Options).Pattern = `^(?P<temperature>[0-9.]+),(?P<humidity>\d+)`
	}}.Run)
}

// device opens a driver on a device that says its parts one by one, 100 ms apart, and then nothing.
func device(t *testing.T, change func(*Options), says ...string) drivers.Driver {
	t.Helper()
	o := Spec.Options().(*Options)
	change(o)
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	buses := drivertest.OnSerial(drivertest.Device{Every: 100 * time.Millisecond, Says: func(n int) string {
		if n < len(says) {
			return says[n]
		}
		return ""
	}})
	d, err := Spec.Open(t.Context(), buses, "port", o)
	if err != nil {
		t.Fatal(err)
	}
	return d
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

func TestLines(t *testing.T) {
	one := func(o *Options) { o.Columns = []string{"a"} }
	two := func(o *Options) { o.Columns = []string{"a", "b"} }
	typed := func(kind string) func(*Options) {
		return func(o *Options) {
			o.Columns, o.Separator = []string{"a", "", "b"}, ";"
			o.Fields = map[string]Field{"a": {Type: kind}}
		}
	}
	long := strings.Repeat("9", 300)
	tests := []struct {
		name   string
		change func(*Options)
		says   []string
		want   string
		err    string
	}{
		{"silence", one, nil, "", "nothing came: is the device powered"},
		{"garbage", one, []string{"\x00\xfe\x80\x9f\xe0", "\x80\x00\xfc\xf8"}, "", "9 bytes came but no text; the first are 00 fe 80 9f e0 80 00 fc: the baud rate is probably not the device's (configured: 9600 8N1)"},
		{"other text", two, []string{"\n", "hello \x1b[31mworld\n"}, "", `no line fits columns; the last one was "hello [31mworld"`},
		{"no line end", one, []string{long, long}, "", "600 bytes came but no whole line of at most 256 bytes in UTF-8; the first are 39 39"},
		{"line too long", one, []string{"\n", long, "1\n2\n"}, "{a=2(float)}", "nothing came"},
		{"line too long, whole", one, []string{"\n", long + "\n", "1\n"}, "{a=1(float)}", "nothing came"},
		{"invalid UTF-8", one, []string{"\n", "1\n", "\xff\xfe\n", "3\n"}, "{a=1(float)};{a=3(float)}", "nothing came"},
		{"first part dropped", one, []string{"7", "7\n", "1\n"}, "{a=1(float)}", "nothing came"},
		{"line in parts", two, []string{"\n", "1", "2,3", "4", "\n"}, "{a=12(float), b=34(float)}", "nothing came"},
		{"CR", one, []string{"\r1\r", "2\r"}, "{a=1(float)};{a=2(float)}", "nothing came"},
		{"CRLF", one, []string{"\r\n1\r\n", "2\r\n"}, "{a=1(float)};{a=2(float)}", "nothing came"},
		{"CRLF torn", one, []string{"\r\n1\r", "\n2\r", "\n"}, "{a=1(float)};{a=2(float)}", "nothing came"},
		{"newest of several", one, []string{"\n1\n2\nthree\n"}, "{a=2(float)}", "nothing came"},
		{"every line", func(o *Options) { one(o); o.EveryLine = true }, []string{"\n1\n2\nthree\n4\n"}, "{a=1(float)};{a=2(float)};{a=4(float)}", "nothing came"},
		{"wrong number of columns", two, []string{"\n1\n", "1,2,3\n", "1,2\n"}, "{a=1(float), b=2(float)}", "nothing came"},
		{"header line", two, []string{"\nhot,cold\n", "1,2\n"}, "{a=1(float), b=2(float)}", "nothing came"},
		{"some fields bad", two, []string{"\n1, \n", "x,2\n", "nan,3\n", "inf,4\n", "1e999,5\n"},
			"{a=1(float), b=bad(not measured)};{a=bad(format), b=2(float)};{a=bad(not measured), b=3(float)};{a=bad(range), b=4(float)};{a=bad(range), b=5(float)}", "nothing came"},
		{"int", typed("int"), []string{"\n-7;x;1\n", "7.5;x;1\n", "99999999999999999999;x;1\n"}, "{a=-7(int), b=1(float)};{a=bad(format), b=1(float)};{a=bad(range), b=1(float)}", "nothing came"},
		{"bool", typed("bool"), []string{"\nON;;1\n", "no;;1\n", "maybe;;1\n"}, "{a=true(bool), b=1(float)};{a=false(bool), b=1(float)};{a=bad(format), b=1(float)}", "nothing came"},
		{"string", typed("string"), []string{"\n grün ;;1\n", "gr\xfcn;;2\n"}, "{a=grün(string), b=1(float)}", "7 bytes came but no whole line of at most 256 bytes in UTF-8; the first are 67 72 fc"},
		{"pattern", func(o *Options) { o.Pattern = `T=(?P<t>\S+)( H=(?P<h>\S+))?` }, []string{"\n[12] T=21.5 H=40 ok\n", "boot\n", "T=22\n"},
			"{t=21.5(float), h=40(float)};{t=22(float), h=bad(not measured)}", "nothing came"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := readAll(t, device(t, test.change, test.says...))
				if strings.Join(got, ";") != test.want {
					t.Errorf("want %s\n got %s", test.want, strings.Join(got, ";"))
				}
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), test.err) {
					t.Errorf("want the deadline and %q, got %v", test.err, err)
				}
			})
		})
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
				d, err := Spec.Open(t.Context(), station(), "port", func() any { o := Spec.Options().(*Options); columns(o); return o }())
				if err != nil {
					t.Fatal(err)
				}
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

// The bytes that a splitter holds are bounded, whatever comes.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("1\r\n2\n\n\xff\n3"), uint8(3))
	f.Add([]byte("\n"+strings.Repeat("x", 3000)+"\n1\n"), uint8(200))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		s := newSplitter(16)
		size := len(s.buf)
		for len(data) > 0 {
			room := s.room()
			if len(room) == 0 {
				t.Fatal("no room")
			}
			n := copy(room[:min(len(room), int(chunk)+1)], data)
			data = data[n:]
			s.put(n)
			for line, ok := s.next(); ok; line, ok = s.next() {
				if line == "" || len(line) > 16 || strings.ContainsAny(line, "\r\n") {
					t.Fatalf("line %q", line)
				}
			}
		}
		if len(s.buf) != size {
			t.Fatalf("the buffer grew to %d", len(s.buf))
		}
	})
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"neither", func(o *Options) {}, "option pattern: set it or columns"},
		{"both", func(o *Options) { o.Pattern, o.Columns = "(?P<a>.)", []string{"a"} }, "option columns: set either"},
		{"broken pattern", func(o *Options) { o.Pattern = "(?P<a>[" }, "option pattern: error parsing regexp"},
		{"pattern without names", func(o *Options) { o.Pattern = "([0-9]+)" }, "option pattern: it names no field"},
		{"columns without names", func(o *Options) { o.Columns = []string{"", ""} }, "option columns: it names no field"},
		{"bad name", func(o *Options) { o.Columns = []string{"Temp"} }, `option columns: "Temp" is not a lower-case name`},
		{"same name twice", func(o *Options) { o.Pattern = "(?P<a>.)(?P<a>.)" }, `option pattern: "a" is there twice`},
		{"same column twice", func(o *Options) { o.Columns = []string{"a", "", "a"} }, `"a" is there twice`},
		{"unknown field", func(o *Options) { columns(o); o.Fields["temp"] = Field{} }, "option fields.temp: columns does not name it"},
		{"unknown type", func(o *Options) { columns(o); o.Fields["heater"] = Field{Type: "double"} }, `option fields.heater.type: "double"`},
		{"no separator", func(o *Options) { columns(o); o.Separator = "" }, "option separator"},
		{"baud", func(o *Options) { columns(o); o.Baud = 0 }, "option baud: 0;"},
		{"data bits", func(o *Options) { columns(o); o.DataBits = 9 }, "option data_bits: 9;"},
		{"parity", func(o *Options) { columns(o); o.Parity = "mark" }, `option parity: "mark"`},
		{"stop bits", func(o *Options) { columns(o); o.StopBits = 0 }, "option stop_bits: 0;"},
		{"max line", func(o *Options) { columns(o); o.MaxLine = 0 }, "option max_line: 0 bytes"},
		{"OK", columns, ""},
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

// On a real terminal line: reading, unplugging, and the port given back by Close.
func TestPty(t *testing.T) {
	master, name := drivertest.Pty(t)
	host := bus.New(slog.New(slog.DiscardHandler))
	defer host.Close()
	o := Spec.Options().(*Options)
	columns(o)
	open := func() drivers.Driver {
		t.Helper()
		d, err := Spec.Open(t.Context(), host, name, o)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if err := open().Close(); err != nil {
		t.Fatal(err)
	}
	d := open() // the port is free again
	if _, err := Spec.Open(t.Context(), host, name, o); err == nil {
		t.Error("want the port refused to a second sensor")
	}
	if _, err := master.Write([]byte("5,on\r\n21.5,48,off\r\n")); err != nil {
		t.Fatal(err)
	}
	values, err := d.Read(t.Context())
	if got := fmt.Sprintf("%#v, %v", values, err); got != "[]drivers.Value{temperature=21.5(float), humidity=48(int), heater=false(bool)}, <nil>" {
		t.Errorf("got %s", got)
	}
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed after unplugging, got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
