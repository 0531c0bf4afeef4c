package bus

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Ten sensors on a bus whose SCL is held low: it is told once, and costs one blocking transfer per
// back-off, not one per sensor.
func TestI2CHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, b := newFake(t)
		var log strings.Builder
		b.log = slog.New(slog.NewTextHandler(&log, nil))
		f.errno = syscall.ETIMEDOUT
		begin := time.Now()
		var tried []time.Duration
		for time.Since(begin) < 2*time.Minute {
			for addr := range uint16(10) {
				before := len(f.messages)
				err := b.Tx(0x40+addr, []byte{1}, nil)
				if !errors.Is(err, syscall.ETIMEDOUT) || !strings.Contains(err.Error(), "power-cycle") {
					t.Fatalf("want the timeout and the remedy, got %v", err)
				}
				if len(f.messages) > before {
					tried = append(tried, time.Since(begin).Round(time.Second))
				} else if !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "the next try is in") {
					t.Fatalf("want the bus left alone, got %v", err)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got, want := len(tried), 3+7; got != want { // at 1, 3, 7, 15, 31, 61, 91 s
			t.Errorf("want %d transfers in two minutes, got %d: %v", want, got, tried)
		}
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "I2C bus hangs") {
			t.Errorf("want one line of log, got\n%s", log.String())
		}
		f.errno = 0
		time.Sleep(maxHangWait)
		for range 2 {
			if err := b.Tx(0x40, []byte{1}, nil); err != nil {
				t.Error(err)
			}
		}
		if strings.Count(log.String(), "\n") != 2 || !strings.Contains(log.String(), "I2C bus answers again") {
			t.Errorf("want one more line of log, got\n%s", log.String())
		}
		if b.isLost() {
			t.Error("the bus counts as lost")
		}
	})
}

// Adapters that time out if no device answers (i.MX) do not make a bus hang, as long as somebody
// else has answered.
func TestI2CAbsentDeviceIsNoHang(t *testing.T) {
	f, b := newFake(t)
	if err := b.Tx(0x40, []byte{1}, nil); err != nil {
		t.Fatal(err)
	}
	f.errno = syscall.ETIMEDOUT
	for range 20 {
		if err := b.Tx(0x50, []byte{1}, nil); errors.Is(err, os.ErrClosed) || !errors.Is(err, syscall.ETIMEDOUT) {
			t.Fatalf("want a plain timeout, got %v", err)
		}
	}
	if err := b.Tx(0x40, []byte{1}, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want a hang when the one that has answered times out too, got %v", err)
	}
}
