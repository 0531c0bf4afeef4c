package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c/i2creg"
)

// registry opens the bus by periph's registry, as code that does not know of ours does: by each of
// its names, before and after the adapter was unplugged.
func (b *bench) registry() (string, error) {
	d := find("bme280")
	b.put(d.address, d.chip)
	if err := b.host.RegisterI2C(); err != nil {
		return "", err
	}
	number := strings.TrimPrefix(filepath.Base(b.name), "i2c-")
	names := []string{b.name, "I2C" + number, number}
	identify := func(name string) (id [1]byte, err error) {
		bus, err := i2creg.Open(name)
		if err != nil {
			return id, err
		}
		return id, errors.Join(bus.Tx(d.address, []byte{0xd0}, id[:]), bus.Close())
	}
	all := func() error {
		for _, name := range names {
			if id, err := identify(name); err != nil || id[0] != 0x60 {
				return fmt.Errorf("%s: chip % x, %v", name, id, err)
			}
		}
		return nil
	}
	if err := all(); err != nil {
		return "", err
	}
	if err := errors.Join(b.plug.pull(), b.gone()); err != nil {
		return "", err
	}
	for _, want := range []error{os.ErrClosed, fs.ErrNotExist} { // the first use finds out
		if _, err := identify(b.name); !errors.Is(err, want) {
			return "", fmt.Errorf("unplugged: want %q, got: %v", want, err)
		}
	}
	begin := time.Now()
	if _, err := b.reopen(d); err != nil { // and reads it by our own way
		return "", err
	}
	if err := all(); err != nil {
		return "", fmt.Errorf("plugged in again: %w", err)
	}
	return fmt.Sprintf("a BME280 answers on %s, and %v after it was plugged in again", strings.Join(names, ", "), time.Since(begin).Round(time.Millisecond)), nil
}
