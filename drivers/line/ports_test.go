package line

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

func newHost(t *testing.T) *bus.Host {
	t.Helper()
	host := bus.New(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = host.Close() })
	return host
}

// readPort opens a driver on a bus of this machine and reads n times, or until an error.
func readPort(t *testing.T, name string, n int, within time.Duration, change func(*Options)) (got []string, err error) {
	t.Helper()
	o := Spec.Options().(*Options)
	change(o)
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	d, err := Spec.Open(t.Context(), newHost(t), name, o)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for range n {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		values, err := d.Read(ctx)
		cancel()
		if err != nil {
			return got, err
		}
		got = append(got, strings.TrimPrefix(fmt.Sprintf("%#v", values), "[]drivers.Value"))
	}
	return got, nil
}

// What people put behind exec: is read from the first line on, each run for itself.
func TestPrograms(t *testing.T) {
	number := func(o *Options) { o.Pattern = `^(?P<t>[0-9.]+)$` }
	inJSON := func(o *Options) {
		o.Format, o.Fields = "json", map[string]Field{"t": {Path: "sensor.temp"}, "n": {Path: "values[0]", Type: "int"}}
	}
	for _, test := range []struct {
		name   string
		script string
		change func(*Options)
		n      int
		want   string
		err    string
	}{
		{"vcgencmd", `echo "temp=48.3'C"`, func(o *Options) { o.Pattern = `temp=(?P<t>[0-9.]+)` }, 1, "{t=48.3(float)}", ""},
		{"no line end", "printf 21.5", number, 2, "{t=21.5(float)};{t=21.5(float)}", ""},
		{"a program that runs on", `echo '{"sensor":{"temp":21.5},"values":[1,null]}'; exec sleep 1000`, inJSON, 1, "{n=1(int), t=21.5(float)}", ""},
		{"several lines", "printf 'T=1\nH=2\nend'", func(o *Options) { o.Pattern, o.RecordEnd = `T=(?P<t>.)\nH=(?P<h>.)`, "end" }, 1, "{t=1(float), h=2(float)}", ""},
		{"it is asked", "while read x; do echo got $x; done", func(o *Options) { o.Pattern, o.Send = `got (?P<t>.*)`, "5\n" }, 2, "{t=5(float)};{t=5(float)}", ""},
		{"it keeps its lines", "echo 'no radio' >&2; exec sleep 1000", number, 1, "",
			`nothing came from the program (to its standard error: "no radio"), which runs: does it print at all, and at once (python3 -u, print(…, flush=True), stdbuf -oL)?`},
		{"it does not answer", "exec sleep 1000", func(o *Options) { number(o); o.Send = "?" }, 1, "",
			`nothing came in answer to "?": does send end as the device wants it (often with \r or \r\n)? Otherwise: nothing came from the program, which runs`},
		{"a novel", "yes | tr -d '\n'", number, 1, "", "bytes came but no line end (CR or LF) within 4096 bytes; the first are \"yyyyyyyy\": set line_end"},
		{"binary", `while :; do printf "\377\200\001\376\n\201\300\n"; done`, func(o *Options) { o.Columns = []string{"t"} }, 1, "", "bytes came but no text; the first are"},
		{"it ends at once", "exit 0", number, 1, "", "it printed nothing to its standard output and ended with 0"},
		{"it fails", "echo 'no module named foo' >&2; exit 1", number, 1, "", `exit status 1: it says "no module named foo"`},
		{"cut off in a line", "printf 21.; exit 1", number, 1, "", "exit status 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "program")
			if err := os.WriteFile(file, []byte(test.script+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			within := 20 * time.Second
			if test.err != "" {
				within = time.Second
			}
			// The shell's argument: a program that another test starts meanwhile inherits the
			// file while it is written, and Linux runs no file that is open for writing.
			got, err := readPort(t, "exec:/bin/sh "+file, test.n, within, test.change)
			if strings.Join(got, ";") != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("want %s and %q\n got %s and %v", test.want, test.err, strings.Join(got, ";"), err)
			}
		})
	}
}

// A runner is the port of a program.
type runner struct {
	drivers.Port
	runs int
}

func (r *runner) Runs() int { return r.runs }

// The rest of one run of a program, which nobody reads, is not the beginning of the next.
func TestRuns(t *testing.T) {
	for _, record := range []string{"", "^"} {
		o := Spec.Options().(*Options)
		o.Pattern, o.RecordEnd = `^(?P<t>\d+)$`, record
		port := &runner{runs: 1}
		d, err := Open(t.Context(), port, *o)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"8\n9", "7\n"} {
			if !d.take([]byte(text)) || d.values[0].Float() != float64(text[0]-'0') {
				t.Errorf("%q: got %#v", text, d.values)
			}
			port.runs++
		}
	}
}

// A service that prints lines to whoever connects, over TCP and on a socket of this machine.
func TestConnections(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": socket} {
		for _, test := range []struct{ says, want, err string }{
			{"2}\n" + rtl433 + "\n", "{t=21.5(float)}", ""},
			{"", "", "nothing came on the connection, which is open: "},
			{"\x00\xfe\x80\x9f\xe0\x80\x00\xfc", "", "8 bytes came but no text; the first are 00 fe"},
			{"HTTP/1.1 400 Bad Request\r\n\r\n", "", `bytes came but no whole line`},
		} {
			listener, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if _, err := conn.Write([]byte(test.says)); err == nil {
					_, _ = conn.Read(make([]byte, 1)) // until the other end hangs up
				}
			}()
			name := listener.Addr().String()
			if network == "unix" {
				name = "unix:" + socket
			}
			got, err := readPort(t, name, 1, time.Second, func(o *Options) {
				o.Format, o.Fields = "json", map[string]Field{"t": {Path: "temperature_C"}}
			})
			if strings.Join(got, ";") != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s, %q: want %s and %q\n got %s and %v", network, test.says, test.want, test.err, got, err)
			}
			_ = listener.Close()
		}
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
