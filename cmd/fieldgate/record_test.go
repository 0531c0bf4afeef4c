package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/record"
)

// record opens its file before it measures, and overwrites none.
func TestRecordFile(t *testing.T) {
	device, port := drivertest.Pty(t)
	defer device.Close()
	sensor := func(name, port string) string {
		return "[[sensor]]\nname = \"" + name + "\"\ndriver = \"line\"\nbus = \"" + port + "\"\nevery = \"100ms\"\n[sensor.options]\ncolumns = [\"a\"]\n"
	}
	g := newGateway(t, "mqtt://127.0.0.1:1", sensor("silent", port)+sensor("missing", "/dev/ttyUSB99"))
	began := time.Now()
	out, code := g.command("record", "silent", "--for", "1m", "--output", g.path("nowhere/recording.json"), "-c", g.path("fieldgate.toml"))
	if code == exitDone || !strings.Contains(out, "no such file or directory") || time.Since(began) > 30*time.Second {
		t.Errorf("after %v: exit code %d, %s", time.Since(began), code, out)
	}
	file := g.path("recording.json")
	if err := os.WriteFile(file, []byte("an earlier one"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code = g.command("record", "missing", "--for", "1s", "--output", file, "-c", g.path("fieldgate.toml"))
	if code == exitDone || !strings.Contains(out, "file exists") {
		t.Errorf("exit code %d, %s", code, out)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "an earlier one" {
		t.Errorf("%s, %v", text, err)
	}
}

// A device or a pipe may be written to, and is never removed.
func TestWriteToAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		text, err := os.ReadFile(pipe)
		got <- fmt.Sprint(string(text), err)
	}()
	hello := func(out io.Writer) error { _, err := io.WriteString(out, "hello "); return err }
	if err := writeFile(pipe, nil, hello); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "hello <nil>" {
		t.Errorf("got %q", text)
	}
	if err := writeFile("/dev/full", nil, hello); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("want it full, got %v", err)
	}
	for _, file := range []string{pipe, "/dev/full"} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	if err := writeFile(filepath.Dir(pipe), nil, hello); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("want a folder refused, got %v", err)
	}
}

// A recording that reached its limit says so.
func TestRecordCut(t *testing.T) {
	r := &record.Recording{Operations: make([]record.Operation, 3), Readings: []record.Reading{{}, {Error: "no answer"}}}
	var out strings.Builder
	printRecording(&out, r, "/dev/i2c-1")
	if want := "2 readings, 1 of them failed, 3 operations on /dev/i2c-1\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
	out.Reset()
	r.Cut = true
	printRecording(&out, r, "/dev/i2c-1")
	if !strings.HasPrefix(out.String(), "ended early: a recording has 50000 operations at most\n2 readings") {
		t.Errorf("got %q", out.String())
	}
}
