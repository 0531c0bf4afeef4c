package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/sensirion"
	"github.com/fieldgate/fieldgate/drivers/scd4x"
	"github.com/fieldgate/fieldgate/drivers/scd4x/scd4xtest"
	"github.com/fieldgate/fieldgate/drivers/sht3x"
	"github.com/fieldgate/fieldgate/drivers/sht3x/sht3xtest"
	"github.com/fieldgate/fieldgate/drivers/sht4x"
	"github.com/fieldgate/fieldgate/drivers/sht4x/sht4xtest"
)

// A fault is a case of something going wrong.
type fault struct {
	name string
	run  func(*bench) (string, error)
}

// faults returns the cases in their order: the later ones leave the adapter unplugged.
func faults() []fault {
	third, fourth, air := sht3xtest.New(), sht4xtest.New(), scd4xtest.New()
	return []fault{
		{"absent address", (*bench).absent},
		{"wrong chip", (*bench).wrongChip},
		{"busy chip", (*bench).busy},
		{"wrong checksum sht3x", func(b *bench) (string, error) { return b.disturb(sht3x.Spec, 0x44, third, &third.Disturbed) }},
		{"wrong checksum sht4x", func(b *bench) (string, error) { return b.disturb(sht4x.Spec, 0x44, fourth, &fourth.Disturbed) }},
		{"wrong checksum scd4x", func(b *bench) (string, error) { return b.disturb(scd4x.Spec, 0x62, air, &air.Disturbed) }},
		{"hanging adapter", (*bench).hang},
		{"unplugged", (*bench).unplug},
		{"unplugged while hanging", (*bench).unplugHanging},
		{"periph's registry", (*bench).registry},
	}
}

// find returns a device by the name of its driver.
func find(name string) device {
	for _, d := range devices() {
		if d.spec.Name == name {
			return d
		}
	}
	panic("there is no device " + name)
}

// says returns the text of an error that has to be of a kind and to contain something.
func says(err, kind error, contains string) (string, error) {
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), contains) {
		return "", fmt.Errorf("want %q with %q, got: %v", kind, contains, err)
	}
	return err.Error(), nil
}

func (b *bench) absent() (string, error) {
	d := find("bme280")
	b.put(0x77, d.chip)
	_, err := b.open(d.spec)
	return says(err, syscall.ENXIO, "a device answers at 0x77")
}

func (b *bench) wrongChip() (string, error) {
	b.put(0x76, find("bme680").chip)
	_, err := b.open(find("bme280").spec)
	if err == nil || !strings.Contains(err.Error(), "0x61") {
		return "", fmt.Errorf("want the id that came, got: %v", err)
	}
	return err.Error(), nil
}

// busy reads from an SHT3x before it has measured, which the driver would not, and when it has.
func (b *bench) busy() (string, error) {
	b.put(0x44, sht3xtest.New())
	bus, err := b.host.I2C(b.name)
	if err != nil {
		return "", err
	}
	if err := bus.Tx(0x44, []byte{0x24, 0x00}, nil); err != nil {
		return "", err
	}
	var answer [6]byte
	seen, err := says(bus.Tx(0x44, nil, answer[:]), syscall.ENXIO, "no answer")
	if err != nil {
		return "", err
	}
	time.Sleep(20 * time.Millisecond)
	if err := bus.Tx(0x44, nil, answer[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s; 20 ms later % x", seen, answer), nil
}

// disturb has a chip send wrong checksums for a while.
func (b *bench) disturb(spec drivers.Spec, address uint16, c chip, disturbed *bool) (string, error) {
	b.put(address, c)
	driver, err := b.open(spec)
	if err != nil {
		return "", err
	}
	defer driver.Close()
	b.adapter.change(func() { *disturbed = true })
	_, err = readOnce(driver)
	b.adapter.change(func() { *disturbed = false })
	seen, err := says(err, sensirion.ErrCRC, "")
	if err != nil {
		return "", err
	}
	values, err := readOnce(driver)
	if err != nil {
		return "", fmt.Errorf("after the disturbance: %w", err)
	}
	return fmt.Sprintf("%s; then %s", seen, text(values)), driver.Close()
}

// hang lets the adapter answer nothing for longer than the kernel waits for it.
func (b *bench) hang() (string, error) {
	d := find("sht3x")
	b.put(d.address, d.chip)
	driver, err := b.open(d.spec)
	if err != nil {
		return "", err
	}
	defer driver.Close()
	const long = 2500 * time.Millisecond
	b.adapter.change(func() { b.adapter.hang = long })
	begin := time.Now()
	_, err = readOnce(driver)
	took := time.Since(begin)
	if err == nil || errors.Is(err, os.ErrClosed) || took < time.Second || took > 2*long {
		return "", fmt.Errorf("want an error in about %v, the bus not lost, got %v in %v", long, err, took)
	}
	values, again := readOnce(driver)
	if again == nil {
		again = right(values, d.want)
	}
	if again != nil {
		return "", fmt.Errorf("after %v: %w", err, again)
	}
	return fmt.Sprintf("%v in %v; then %s", err, took.Round(time.Millisecond), text(values)), driver.Close()
}

// lose reads until the bus is lost and says so, and returns how long that took since a moment.
func lose(driver drivers.Driver, since time.Time) (string, error) {
	others := 0
	for time.Since(since) < 10*time.Second {
		_, err := readOnce(driver)
		if errors.Is(err, os.ErrClosed) {
			return fmt.Sprintf("%v, after %v and %d other errors", err, time.Since(since).Round(100*time.Microsecond), others), nil
		}
		if err == nil {
			return "", errors.New("a reading succeeded without an adapter")
		}
		others++
		time.Sleep(10 * time.Millisecond)
	}
	return "", errors.New("the bus is not taken for lost after 10 s")
}

// unplug unplugs the adapter, plugs it in again and opens the driver again.
func (b *bench) unplug() (string, error) {
	d := find("bme280")
	b.put(d.address, d.chip)
	driver, err := b.open(d.spec)
	if err != nil {
		return "", err
	}
	before := b.name
	begin := time.Now()
	if err := b.plug.pull(); err != nil {
		return "", err
	}
	lost, err := lose(driver, begin)
	_ = driver.Close() // it has nothing to switch off any more
	if err != nil {
		return "", err
	}
	if err := b.gone(); err != nil {
		return "", err
	}
	if _, err := b.open(d.spec); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("want that the bus does not exist, got: %v", err)
	}
	back, err := b.reopen(d)
	if err == nil && b.name != before {
		err = fmt.Errorf("the bus was %s and is %s", before, b.name)
	}
	return lost + "; " + back, err
}

// unplugHanging unplugs the adapter while a transfer waits for it.
func (b *bench) unplugHanging() (string, error) {
	d := find("bme280")
	b.put(d.address, d.chip)
	driver, err := b.open(d.spec)
	if err != nil {
		return "", err
	}
	b.adapter.change(func() { b.adapter.hang = time.Second })
	pulled := make(chan error, 1)
	pull := time.Now().Add(200 * time.Millisecond)
	time.AfterFunc(time.Until(pull), func() { pulled <- b.plug.pull() })
	lost, err := lose(driver, pull)
	_ = driver.Close()
	if err := errors.Join(err, <-pulled); err != nil {
		return "", err
	}
	back, err := b.reopen(d)
	return lost + "; " + back, err
}

// gone waits until the kernel has removed the device file.
func (b *bench) gone() error {
	for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(b.name); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return fmt.Errorf("%s is still there", b.name)
}

// reopen plugs the adapter in and reads a device that was on it before.
func (b *bench) reopen(d device) (string, error) {
	begin := time.Now()
	if _, err := b.plugIn(); err != nil {
		return "", err
	}
	driver, err := b.open(d.spec)
	if err != nil {
		return "", err
	}
	defer driver.Close()
	values, err := readOnce(driver)
	if err == nil {
		err = right(values, d.want)
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("plugged in again: %s at %s after %v", text(values), b.name, time.Since(begin).Round(time.Millisecond)), driver.Close()
}
