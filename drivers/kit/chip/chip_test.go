package chip

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/chip/chiptest"
)

// A memory is a chip with 256 registers of a byte.
type memory struct {
	registers chiptest.Registers
	bytes     [256]byte
}

func (m *memory) Transfer(w, r []byte) error {
	return m.registers.Transfer(w, r,
		func(reg byte, b []byte) bool { return copy(m.bytes[reg:], b) == len(b) },
		func(reg byte, b []byte) { copy(b, m.bytes[reg:]) })
}

func TestRegisters(t *testing.T) {
	bus, err := drivertest.OnI2C(0x40, &memory{}).I2C("")
	if err != nil {
		t.Fatal(err)
	}
	c := New(bus, 0x40)
	if err := errors.Join(c.Write(0x10, 0x12), c.Write16(0x11, 0x3456)); err != nil {
		t.Fatal(err)
	}
	one, err1 := c.Read8(0x10)
	two, err2 := c.Read16(0x10)
	little, err3 := c.Read16LE(0x11)
	if err := errors.Join(err1, err2, err3); err != nil || one != 0x12 || two != 0x1234 || little != 0x5634 {
		t.Errorf("got %#x, %#x, %#x, %v", one, two, little, err)
	}
	if allocs := testing.AllocsPerRun(100, func() { two, err = c.Read16(0x10) }); allocs > 0 || err != nil {
		t.Errorf("a transfer allocates %v times", allocs)
	}
	absent := New(bus, 0x41)
	if _, err := absent.Read16(0); !NoAnswer(err) {
		t.Errorf("want no answer, got %v", err)
	}
}

func TestReadConstant(t *testing.T) {
	buses := drivertest.OnI2C(0x40, &memory{bytes: [256]byte{7: 1, 8: 2}})
	bus, err := buses.I2C("")
	if err != nil {
		t.Fatal(err)
	}
	c, got := New(bus, 0x40), make([]byte, 2)
	if err := c.ReadConstant(7, got); err != nil || got[0] != 1 || got[1] != 2 {
		t.Errorf("got % x, %v", got, err)
	}
	for disturbed := range 2 {
		buses.Garble(func(n int, said []byte) []byte {
			if n == disturbed {
				said[1] ^= 0x80
			}
			return said
		})
		if err := c.ReadConstant(7, got); err == nil || !strings.Contains(err.Error(), "01 82") {
			t.Errorf("transfer %d disturbed: want both readings told, got %v", disturbed, err)
		}
	}
}

func TestExplainAbsent(t *testing.T) {
	tests := []struct {
		name    string
		present []uint16
		err     error
		want    string
	}{
		{"nobody", nil, syscall.ENXIO, "no such device or address"},
		{"one other", []uint16{0x49}, syscall.ENXIO, "; a device answers at 0x49: if that is it (pin A0), set address = 0x49"},
		{"several", []uint16{0x49, 0x4b}, syscall.ENXIO, "; devices answer at 0x49, 0x4b: if one is it (pin A0), set address to that"},
		{"itself only", []uint16{0x48}, syscall.EIO, "input/output error"},
		{"bus is gone", []uint16{0x49}, os.ErrClosed, "file already closed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			buses := drivertest.OnI2C(0x10, &memory{})
			for _, a := range test.present {
				buses.Attach(a, &memory{})
			}
			bus, err := buses.I2C("")
			if err != nil {
				t.Fatal(err)
			}
			got := New(bus, 0x48).ExplainAbsent(test.err, "pin A0", Addresses(0x48, 0x4b)...)
			if !errors.Is(got, test.err) || !strings.HasSuffix(got.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, got)
			}
		})
	}
}

func TestCheckAddress(t *testing.T) {
	tests := []struct {
		name    string
		address int
		can     []int
		want    string
	}{
		{"good", 0x77, []int{0x76, 0x77}, ""},
		{"decimal", 77, []int{0x76, 0x77}, "option address: 0x4d; want 0x76 or 0x77; addresses are hexadecimal: write 0x77"},
		{"three", 0x43, []int{0x44, 0x45, 0x46}, "option address: 0x43; want 0x44, 0x45 or 0x46"},
		{"range", 0x50, Addresses(0x48, 0x4f), "option address: 0x50; want 0x48 to 0x4f"},
		{"negative", -1, []int{0x10}, "option address: -0x1; want 0x10"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := CheckAddress(test.address, test.can...)
			if got := fmt.Sprint(err); test.want == "" && err != nil || test.want != "" && got != test.want {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

func TestWaitReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, count := time.Now(), 0
		wait := func(ctx context.Context, after int) error {
			begin, count = time.Now(), 0
			return WaitReady(ctx, 20*time.Millisecond, func() (bool, error) { count++; return count > after, nil })
		}
		if err := wait(t.Context(), 0); err != nil || time.Since(begin) != 20*time.Millisecond {
			t.Errorf("ready at once: %v after %v", err, time.Since(begin))
		}
		if err := wait(t.Context(), 9); err != nil || time.Since(begin) != 29*time.Millisecond {
			t.Errorf("ready 9 ms late: %v after %v", err, time.Since(begin))
		}
		if err := wait(t.Context(), 10); err == nil || !strings.Contains(err.Error(), "still busy 9 ms after") {
			t.Errorf("never ready: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := wait(ctx, 0); !errors.Is(err, context.DeadlineExceeded) || count > 0 {
			t.Errorf("context ends: %v, %d looks", err, count)
		}
		fault := errors.New("fault")
		if err := WaitReady(t.Context(), 0, func() (bool, error) { return false, fault }); !errors.Is(err, fault) {
			t.Errorf("want the error of the look, got %v", err)
		}
	})
}
