package record_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bme280"
	"github.com/fieldgate/fieldgate/drivers/bme280/bme280test"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/line"
	"github.com/fieldgate/fieldgate/drivers/mhz19"
	"github.com/fieldgate/fieldgate/drivers/record"
)

// session records a driver for a time and returns the file.
func session(t *testing.T, spec drivers.Spec, buses drivers.Buses, change func(options any), length time.Duration) string {
	t.Helper()
	var text []byte
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), length)
		defer cancel()
		options := spec.Options()
		if change != nil {
			change(options)
		}
		r, err := record.Session(ctx, spec, buses, "bus", options, time.Second, 3*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = json.MarshalIndent(r, "", " "); err != nil {
			t.Fatal(err)
		}
	})
	file := filepath.Join(t.TempDir(), "recording.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, file string) (r record.Recording) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestI2C(t *testing.T) {
	chip := bme280test.NewBME280()
	file := session(t, bme280.Spec, drivertest.OnI2C(0x76, chip), func(o any) { o.(*bme280.Options).Oversampling = 4 }, 3500*time.Millisecond)
	r := read(t, file)
	if len(r.Readings) != 4 || len(r.Operations) != 7+4*3+1 || r.Readings[3].Values[0].Value != 25.08 || r.Readings[3].At < 3 {
		t.Errorf("got %d readings, %d operations: %+v", len(r.Readings), len(r.Operations), r.Readings)
	}
	drivertest.Replay(t, bme280.Spec, file)
}

func TestI2CFaults(t *testing.T) {
	t.Run("no answer at all", func(t *testing.T) {
		file := session(t, bme280.Spec, drivertest.OnI2C(0x77, bme280test.NewBME280()), nil, time.Second)
		r := read(t, file)
		if len(r.Readings) != 1 || !strings.Contains(r.Readings[0].Error, "set address = 0x77") || r.Operations[0].Fault.Errno != "ENXIO" {
			t.Errorf("got %+v", r)
		}
		drivertest.Replay(t, bme280.Spec, file)
	})
	t.Run("one in the middle", func(t *testing.T) {
		buses := drivertest.OnI2C(0x76, bme280test.NewBME280())
		buses.FailAt(10, &os.SyscallError{Syscall: "I2C_RDWR", Err: syscall.EIO})
		file := session(t, bme280.Spec, buses, nil, 3500*time.Millisecond)
		if r := read(t, file); !strings.Contains(fmt.Sprint(r.Readings), "I2C_RDWR") {
			t.Errorf("want the fault in the readings, got %+v", r.Readings)
		}
		drivertest.Replay(t, bme280.Spec, file)
	})
}

func TestSerial(t *testing.T) {
	t.Run("a device that speaks by itself", func(t *testing.T) {
		says := func(n int) string { return fmt.Sprintf("%d;%d\n", n, 2*n) }
		file := session(t, line.Spec, late{func() *drivertest.Buses {
			return drivertest.OnSerial(drivertest.Device{Says: says, Every: 300 * time.Millisecond})
		}}, func(o any) { o.(*line.Options).Columns, o.(*line.Options).Separator = []string{"a", "b"}, ";" }, 4*time.Second)
		if r := read(t, file); len(r.Readings) < 3 {
			t.Errorf("got %+v", r)
		}
		drivertest.Replay(t, line.Spec, file)
	})
	t.Run("a device that is asked", func(t *testing.T) {
		answer := "\xff\x86\x02\x60\x47\x00\x00\x00\xd1"
		file := session(t, mhz19.Spec, late{func() *drivertest.Buses {
			return drivertest.OnSerial(drivertest.Device{Answers: func([]byte) string { return answer }, Delay: 20 * time.Millisecond})
		}}, nil, 3*time.Second)
		drivertest.Replay(t, mhz19.Spec, file)
	})
}

// late makes its bus within the bubble of the test, whose clock it has.
type late struct{ make func() *drivertest.Buses }

func (l late) Port(ctx context.Context, name string, mode drivers.SerialMode) (drivers.Port, error) {
	return l.make().Port(ctx, name, mode)
}

func (l late) I2C(string) (i2c.Bus, error) { return nil, errors.ErrUnsupported }
