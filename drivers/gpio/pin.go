package gpio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/warthog618/go-gpiocdev/uapi"

	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/drivers/kit/devfile"
)

// consumer is what the kernel shows others of who has a pin.
const consumer = "fieldgate"

// A pin is one that was asked for.
type pin struct {
	kernel kernel
	title  string
	fd     int // -1 once closed
}

// take asks for a pin with flags and attributes.
func take(ctx context.Context, k kernel, driver, chip, line string, flags uapi.LineFlagV2, attributes ...uapi.LineAttribute) (*pin, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	title := fmt.Sprintf("%s: pin %s", driver, line)
	file, offset, err := find(k, chip, line)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", title, err)
	}
	fd, err := k.open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", title, explain(k, file, err))
	}
	r := uapi.LineRequest{Lines: 1, EventBufferSize: bufferSize}
	r.Offsets[0] = uint32(offset)
	copy(r.Consumer[:], consumer)
	r.Config.Flags = flags
	for _, a := range attributes {
		r.Config.AddAttribute(uapi.LineConfigAttribute{Attr: a, Mask: 1})
	}
	if err := k.request(fd, &r); err != nil {
		err = refused(k, fd, offset, flags, err)
		return nil, errors.Join(fmt.Errorf("%s: %w", title, err), k.close(fd))
	}
	p := &pin{kernel: k, title: title, fd: int(r.Fd)}
	if err := k.close(fd); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// find returns the chip's device file and the pin's number on it.
func find(k kernel, chip, line string) (file string, offset int, err error) {
	want, numbered := number(line)
	var present []string
	for _, f := range k.chips() {
		info, names, err := look(k, f)
		if err != nil {
			return "", 0, explain(k, f, err)
		}
		label := uapi.BytesToString(info.Label[:])
		present = append(present, fmt.Sprintf("%s (%s, %d pins)", filepath.Base(f), label, info.Lines))
		if chip != "" && chip != label && chip != filepath.Base(f) && chip != f {
			continue
		}
		for i, name := range names {
			if numbered && i == want || !numbered && name == line {
				return f, i, nil
			}
		}
		if chip != "" {
			return "", 0, fmt.Errorf("chip %s has no such pin: it has %d (gpioinfo of the Debian package gpiod lists them): %w", chip, info.Lines, fs.ErrNotExist)
		}
	}
	switch {
	case len(present) == 0:
		return "", 0, fmt.Errorf("there is no GPIO chip (/dev/gpiochip*) here: %w", fs.ErrNotExist)
	case chip != "":
		return "", 0, fmt.Errorf("there is no chip %s. Present: %s: %w", chip, strings.Join(present, ", "), fs.ErrNotExist)
	}
	return "", 0, fmt.Errorf("no chip has a pin of that name (gpioinfo of the Debian package gpiod lists them). Present: %s: %w", strings.Join(present, ", "), fs.ErrNotExist)
}

// look returns what a chip is and the names of its pins.
func look(k kernel, file string) (info uapi.ChipInfo, names []string, err error) {
	fd, err := k.open(file)
	if err != nil {
		return info, nil, err
	}
	info, err = k.chipInfo(fd)
	for i := range int(info.Lines) {
		if err != nil {
			break
		}
		var line uapi.LineInfoV2
		if line, err = k.lineInfo(fd, i); err == nil {
			names = append(names, uapi.BytesToString(line.Name[:]))
		}
	}
	return info, names, errors.Join(err, k.close(fd))
}

// explain adds to an error of opening or looking at a chip what the operator can do.
func explain(k kernel, file string, err error) error {
	if errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("%s: this needs Linux 5.10 or later: %w", file, err)
	}
	return devfile.Explain("GPIO chip", file, file, err, "the board has another", k.chips())
}

// refused says why the kernel did not give a pin away.
func refused(k kernel, chip, offset int, flags uapi.LineFlagV2, err error) error {
	switch {
	case errors.Is(err, syscall.EBUSY):
		by := "the kernel or another program"
		if info, e := k.lineInfo(chip, offset); e == nil {
			if c := uapi.BytesToString(info.Consumer[:]); c != "" {
				by = c
			}
		}
		return fmt.Errorf("it is in use by %s: choose another, or remove what uses it (1-Wire, SPI or I2C: %s): %w", by, board.Here().Overlay(), err)
	case errors.Is(err, syscall.ENXIO) && flags&uapi.LineFlagV2EdgeMask != 0, errors.Is(err, syscall.ENODEV) && flags&uapi.LineFlagV2EdgeMask != 0:
		return fmt.Errorf("its chip cannot report edges: use a pin of the board itself, or edges = \"none\": %w", err)
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOTTY), errors.Is(err, syscall.EOPNOTSUPP):
		return fmt.Errorf("its chip cannot do what the options ask for (bias, drive), or Linux is older than 5.10: %w", err)
	}
	return err
}

// number returns the number that a line is named by.
func number(line string) (int, bool) {
	n, err := strconv.ParseUint(line, 10, 16)
	return int(n), err == nil
}

// level returns whether the pin is active.
func (p *pin) level() (bool, error) {
	v := uapi.LineValues{Mask: 1}
	if err := p.kernel.get(p.fd, &v); err != nil {
		return false, p.failed(err)
	}
	return v.Get(0) != 0, nil
}

// set makes the pin active or not.
func (p *pin) set(active bool) error {
	if err := p.kernel.set(p.fd, uapi.LineValues{Mask: 1, Bits: bits(active)}); err != nil {
		return p.failed(err)
	}
	return nil
}

func bits(active bool) uapi.LineBitmap {
	if active {
		return 1
	}
	return 0
}

// failed returns an error with the pin's name; one that means that the chip has gone (a USB
// adapter) is os.ErrClosed.
func (p *pin) failed(err error) error {
	if errors.Is(err, syscall.ENODEV) {
		return fmt.Errorf("%s: its chip has gone: %w: %w", p.title, os.ErrClosed, err)
	}
	return fmt.Errorf("%s: %w", p.title, err)
}

// close gives the pin back. A second call does nothing.
func (p *pin) close() error {
	if p.fd < 0 {
		return nil
	}
	fd := p.fd
	p.fd = -1
	return p.kernel.close(fd)
}

// A Chip is a GPIO chip of this machine.
type Chip struct {
	File  string `json:"file"`
	Label string `json:"label"`
	Lines int    `json:"lines"`
}

// Chips returns the GPIO chips of this machine that may be looked at.
func Chips() []Chip {
	var all []Chip
	for _, file := range (linux{}).chips() {
		if info, _, err := look(linux{}, file); err == nil {
			all = append(all, Chip{file, uapi.BytesToString(info.Label[:]), int(info.Lines)})
		}
	}
	return all
}
