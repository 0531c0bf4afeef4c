package host

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

func absent() drivers.Value    { return drivers.Bad("", "not present") }
func malformed() drivers.Value { return drivers.Bad("", "format") }

// known returns a text that does not change.
func known(text string) drivers.Value {
	if text == "" {
		return absent()
	}
	return drivers.String("", text)
}

// read returns what a file below the root says, without the white space around it, until the next
// read. It is false where the file cannot be read; more than fits the buffer is cut off.
func (d *Dev) read(name string) ([]byte, bool) {
	f, err := os.Open(filepath.Join("/", d.o.root, name))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	n, err := io.ReadFull(f, d.buf[:])
	if n == 0 || err != nil && err != io.ErrUnexpectedEOF {
		return nil, false
	}
	return bytes.TrimSpace(d.buf[:n]), true
}

// first returns the number that begins a file, of those that cannot be negative: /proc/loadavg and
// /proc/uptime.
func (d *Dev) first(name string) drivers.Value {
	text, ok := d.read(name)
	if !ok {
		return absent()
	}
	word, _, _ := strings.Cut(string(text), " ")
	v, err := strconv.ParseFloat(word, 64)
	switch {
	case err != nil:
		return malformed()
	case v < 0:
		return drivers.Bad("", "range")
	}
	return drivers.Float("", v)
}

func (d *Dev) load() drivers.Value   { return d.first("proc/loadavg") }
func (d *Dev) uptime() drivers.Value { return d.first("proc/uptime") }

// throttled returns the firmware's word, which the driver raspberrypi-firmware shows in hexadecimal
// without prefix.
func (d *Dev) throttled() drivers.Value {
	text, ok := d.read("sys/devices/platform/soc/soc:firmware/get_throttled")
	if !ok {
		return absent()
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0x"), 16, 32)
	if err != nil {
		return malformed()
	}
	return drivers.Int("", int64(v))
}

// A memory is what /proc/meminfo says, in bytes.
type memory struct {
	total, available int64
	present          bool
}

func (d *Dev) readMemory() {
	d.memory = memory{}
	text, ok := d.read("proc/meminfo")
	if !ok {
		return
	}
	found := 0
	for line := range bytes.Lines(text) {
		var into *int64
		switch {
		case bytes.HasPrefix(line, []byte("MemTotal:")):
			into = &d.memory.total
		case bytes.HasPrefix(line, []byte("MemAvailable:")):
			into = &d.memory.available
		default:
			continue
		}
		words := bytes.Fields(line)
		if len(words) < 2 {
			continue
		}
		if kib, err := strconv.ParseUint(string(words[1]), 10, 43); err == nil { // 8 PiB
			*into = int64(kib) * 1024
			found++
		}
	}
	d.memory.present = found == 2 && d.memory.available <= d.memory.total
}

func (d *Dev) memoryUsed() drivers.Value {
	if !d.memory.present {
		return absent()
	}
	return drivers.Int("", d.memory.total-d.memory.available)
}

func (d *Dev) memoryAvailable() drivers.Value {
	if !d.memory.present {
		return absent()
	}
	return drivers.Int("", d.memory.available)
}

// diskUsed counts the blocks reserved for root as free, as df does.
func (d *Dev) diskUsed() drivers.Value {
	if d.diskErr != nil {
		return absent()
	}
	return drivers.Int("", int64(d.disk.Blocks-d.disk.Bfree)*int64(d.disk.Bsize))
}

func (d *Dev) diskFree() drivers.Value {
	if d.diskErr != nil {
		return absent()
	}
	return drivers.Int("", int64(d.disk.Bavail)*int64(d.disk.Bsize))
}
