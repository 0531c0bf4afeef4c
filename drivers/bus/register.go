package bus

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
)

// RegisterI2C enters this machine's I2C buses in periph's registry, as "/dev/i2c-1", "I2C1" and 1,
// so that code that opens buses by i2creg.Open gets those of this Host, which are shared with its
// drivers and safe, in the place of periph's own: two ways to one bus would talk in between each
// other's transfers. What it opens it may close: the bus stays open for the others. Buses that are
// registered already are an error; the others are entered all the same. Close takes them out again.
func (h *Host) RegisterI2C() error { return h.register(I2CBuses()) }

func (h *Host) register(names []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var failed []string
	for _, name := range names {
		number, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(name), "i2c-"))
		if err != nil {
			number = -1
		}
		alias := "I2C" + strconv.Itoa(number)
		if err := i2creg.Register(name, []string{alias}, number, func() (i2c.BusCloser, error) { return h.borrow(name) }); err != nil {
			failed = append(failed, err.Error())
			continue
		}
		h.registered = append(h.registered, name)
	}
	if len(failed) > 0 {
		return fmt.Errorf("registering I2C buses: %s", strings.Join(failed, "; "))
	}
	return nil
}

func (h *Host) borrow(name string) (i2c.BusCloser, error) {
	b, err := h.I2C(name)
	if err != nil {
		return nil, err
	}
	return borrowed{b}, nil
}

// A borrowed bus is one that somebody else closes.
type borrowed struct{ i2c.Bus }

func (borrowed) Close() error { return nil }
