package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/doctor"
)

// hostile is what a device or broker may send to the reader: a title, a cleared screen, 8-bit and
// 16-bit forms of C1, a turned text.
const hostile = "\x1b]0;owned\x07\x1b[2J\r\x9b2J\u009b31m\u202eabc\x7f\b"

func clean(t *testing.T, text string) {
	t.Helper()
	for i, c := range text {
		if c != '\n' && c != '\t' && (c < 0x20 || c >= 0x7f && c < 0xa0 || c == 0x202e || c == 0xfffd) {
			t.Errorf("%q at %d of %q", c, i, text)
		}
	}
	if !strings.Contains(text, "abc") {
		t.Errorf("the text itself is gone: %q", text)
	}
}

func TestTextFromOutsideDoesNothingToATerminal(t *testing.T) {
	for name, print := range map[string]func(w *plainWriter) error{
		"tail": func(w *plainWriter) error {
			printEntry(w, contract.Telemetry{Sensor: "s" + hostile, Readings: []contract.Reading{{Measured: contract.Measured{
				Fields: map[string]any{"f": hostile, "g": nil}, Units: map[string]string{"f": hostile}, Bad: map[string]string{"g": hostile}}}}})
			return nil
		},
		"status": func(w *plainWriter) error {
			s := contract.LocalStatus{Gateway: hostile, Broker: hostile, Problem: []string{hostile}, Shadow: contract.Reported{Rejected: map[string]string{hostile: hostile}}}
			s.Health.Reasons, s.Health.Link.Error = []string{hostile}, hostile
			s.Health.Sensors = map[string]contract.SensorHealth{"s": {State: hostile, Error: hostile, Bad: map[string]string{hostile: hostile}}}
			return printStatus(w, s)
		},
		"doctor": func(w *plainWriter) error {
			return printChecks(w, []doctor.Check{{Subject: hostile, Level: doctor.Fail, Detail: hostile, Remedy: hostile}})
		},
		"queue": func(w *plainWriter) error {
			return printQueue(w, contract.QueueStats{Sensors: map[string]contract.SensorQueue{hostile: {}}})
		},
		"json": func(w *plainWriter) error {
			if err := writeJSON(w, []string{hostile}); err != nil {
				return err
			}
			var back []string
			return json.Unmarshal(w.out.(*bytes.Buffer).Bytes(), &back)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := print(&plainWriter{out: &out}); err != nil {
				t.Fatal(err)
			}
			clean(t, out.String())
		})
	}
	// However the text is cut, and in errors.
	var out bytes.Buffer
	w := &plainWriter{out: &out}
	for i := range []byte(hostile + "ü€") {
		if n, err := w.Write([]byte(hostile + "ü€")[i : i+1]); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	clean(t, out.String())
	if !strings.HasSuffix(out.String(), "ü€") {
		t.Errorf("got %q", out.String())
	}
	out.Reset()
	complain(&plainWriter{out: &out}, &cobra.Command{Use: "x"}, errors.New(hostile))
	clean(t, out.String())
}

func TestTextFromOutsideBeginsNoLineOfItsOwn(t *testing.T) {
	var out bytes.Buffer
	printEntry(&plainWriter{out: &out}, contract.Telemetry{Sensor: "s", Readings: []contract.Reading{{Measured: contract.Measured{
		Fields: map[string]any{"f": "1\n12:00:00.000  boiler #1  temperature=20"}}}}})
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines: %s", n, out.String())
	}
}

// Every command prints to a plainWriter.
func TestCommandsPrintPlain(t *testing.T) {
	root := newRoot()
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		if _, ok := c.OutOrStdout().(*plainWriter); !ok {
			t.Errorf("%s prints to %T", c.CommandPath(), c.OutOrStdout())
		}
		if _, ok := c.ErrOrStderr().(*plainWriter); !ok {
			t.Errorf("%s complains to %T", c.CommandPath(), c.ErrOrStderr())
		}
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look(root)
}
