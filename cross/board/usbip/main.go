package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bus"
)

func main() {
	if failed := run(); failed > 0 {
		fmt.Printf("DONE with %d failed\n", failed)
		os.Exit(1)
	}
	fmt.Println("DONE")
}

// run runs all cases and returns how many failed.
func run() (failed int) {
	b := &bench{adapter: &adapter{chips: map[uint16]chip{}}, host: bus.New(slog.New(slog.DiscardHandler))}
	one := func(name string, f func(*bench) (string, error)) {
		begin := time.Now()
		seen, err := f(b)
		took := time.Since(begin).Round(time.Millisecond)
		if err != nil {
			failed++
			fmt.Printf("CASE %s: FAILED: %v (%v)\n", name, err, took)
			return
		}
		fmt.Printf("CASE %s: ok: %s (%v)\n", name, seen, took)
	}
	one("plug in", (*bench).plugIn)
	for _, d := range devices() {
		one("read "+d.spec.Name, func(b *bench) (string, error) { return b.read(d) })
	}
	for _, c := range faults() {
		one(c.name, c.run)
	}
	if err := b.host.Close(); err != nil {
		fmt.Printf("CASE close: FAILED: %v\n", err)
		failed++
	}
	return failed
}

// A bench is the adapter, plugged in or not, and the way to it through the kernel.
type bench struct {
	adapter *adapter
	plug    *plug
	plugged int    // how often; each time into another socket
	name    string // the device file
	host    *bus.Host
}

// plugIn plugs the adapter in and waits for its device file.
func (b *bench) plugIn() (string, error) {
	p, err := plugIn(b.plugged, b.adapter.control)
	if err != nil {
		return "", fmt.Errorf("attach: %w", err)
	}
	b.plug, b.plugged = p, b.plugged+1
	begin := time.Now()
	for time.Since(begin) < 10*time.Second {
		names, _ := filepath.Glob("/sys/class/i2c-dev/i2c-*/name")
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil || !strings.HasPrefix(string(text), "i2c-tiny-usb") {
				continue
			}
			b.name = "/dev/" + filepath.Base(filepath.Dir(name))
			if _, err := os.Stat(b.name); err == nil {
				return fmt.Sprintf("%s is %s", b.name, strings.TrimSpace(string(text))), nil
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", errors.New("no device file after 10 s")
}

// put puts a chip alone on the bus.
func (b *bench) put(address uint16, c chip) {
	b.adapter.change(func() {
		clear(b.adapter.chips)
		b.adapter.chips[address] = c
	})
}

// open opens the driver of a device.
func (b *bench) open(spec drivers.Spec) (drivers.Driver, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	d, err := spec.Open(ctx, b.host, b.name, spec.Options())
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return d, nil
}

// readOnce reads with a deadline.
func readOnce(d drivers.Driver) ([]drivers.Value, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return d.Read(ctx)
}

// read puts a device on the bus and reads it twice, which must give what is expected of it.
func (b *bench) read(d device) (string, error) {
	b.put(d.address, d.chip)
	driver, err := b.open(d.spec)
	if err != nil {
		return "", err
	}
	defer driver.Close()
	var seen string
	for range 2 {
		b.adapter.messages()
		begin := time.Now()
		values, err := readOnce(driver)
		if err != nil {
			return "", err
		}
		took := time.Since(begin).Round(100 * time.Microsecond)
		if err := right(values, d.want); err != nil {
			return "", err
		}
		seen = fmt.Sprintf("%s, %d messages in %v", text(values), b.adapter.messages(), took)
	}
	return seen, driver.Close()
}

// right compares values with what is expected, to one part in a thousand.
func right(values []drivers.Value, want []float64) error {
	if len(values) != len(want) {
		return fmt.Errorf("want %v, got %s", want, text(values))
	}
	for i, v := range values {
		if v.Kind() != drivers.KindFloat && v.Kind() != drivers.KindInt || math.Abs(v.Float()-want[i]) > math.Abs(want[i])/1000 {
			return fmt.Errorf("want %v, got %s", want, text(values))
		}
	}
	return nil
}

func text(values []drivers.Value) string {
	var parts []string
	for _, v := range values {
		if v.Kind() == drivers.KindBad {
			parts = append(parts, v.Field+" bad: "+v.Reason())
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %v", v.Field, v.Any()))
	}
	return strings.Join(parts, ", ")
}
