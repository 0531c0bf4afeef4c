package lm75

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
	"github.com/fieldgate/fieldgate/drivers/lm75/lm75test"
)

func TestDriver(t *testing.T) {
	for _, spec := range []drivers.Spec{Spec, SpecLM75B, SpecTMP102, SpecTMP105, SpecTMP1075} {
		t.Run(spec.Name, drivertest.Suite{
			Spec: spec,
			New:  func() *drivertest.Buses { return drivertest.OnI2C(0x48, lm75test.New(spec.Name)) },
		}.Run)
	}
}

// The tables of the temperature in the data sheets of LM75, LM75B and TMP102.
func TestDataFormat(t *testing.T) {
	tests := []struct {
		variant variant
		word    uint16
		want    float64
	}{
		{lm75(), 0x0FA << 7, 125},
		{lm75(), 0x032 << 7, 25},
		{lm75(), 0x001 << 7, 0.5},
		{lm75(), 0x000 << 7, 0},
		{lm75(), 0x1FF << 7, -0.5},
		{lm75(), 0x1CE << 7, -25},
		{lm75(), 0x192 << 7, -55},
		{lm75(), 0x032<<7 | 0x7F, 25}, // bits that do not count
		{lm75b(), 0x3F8 << 5, 127},
		{lm75b(), 0x3F7 << 5, 126.875},
		{lm75b(), 0x3E8 << 5, 125},
		{lm75b(), 0x0C8 << 5, 25},
		{lm75b(), 0x001 << 5, 0.125},
		{lm75b(), 0x7FF << 5, -0.125},
		{lm75b(), 0x738 << 5, -25},
		{lm75b(), 0x648 << 5, -55},
		{tmp102(), 0x7FF << 4, 127.9375},
		{tmp102(), 0x640 << 4, 100},
		{tmp102(), 0x500 << 4, 80},
		{tmp102(), 0x4B0 << 4, 75},
		{tmp102(), 0x320 << 4, 50},
		{tmp102(), 0x190 << 4, 25},
		{tmp102(), 0x004 << 4, 0.25},
		{tmp102(), 0xFFC << 4, -0.25},
		{tmp102(), 0xE70 << 4, -25},
		{tmp102(), 0xC90 << 4, -55},
	}
	for _, test := range tests {
		v := test.variant
		want := drivers.Float("temperature", test.want)
		if test.want > v.high {
			want = drivers.Bad("temperature", "range")
		}
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{{Addr: 0x48, W: []byte{0}, R: []byte{byte(test.word >> 8), byte(test.word)}}}}
		if v.oneShot {
			bus.Ops = append([]i2ctest.IO{{Addr: 0x48, W: []byte{1, v.sleep | start}}}, bus.Ops...)
			bus.Ops = append(bus.Ops, i2ctest.IO{Addr: 0x48, W: []byte{1}, R: []byte{v.sleep}})
		}
		v.takes = 0
		d := &Dev{variant: v, fields: v.fields(nil), chip: chip.New(bus, 0x48)}
		values, err := d.Read(t.Context())
		if err != nil || values[0] != want {
			t.Errorf("%s: %04x: want %v °C, got %#v, %v", v.name, test.word, test.want, values, err)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := lm75test.New("tmp105")
		d, err := SpecTMP105.Open(t.Context(), drivertest.OnI2C(0x48, model), "bus", SpecTMP105.Options())
		if err != nil {
			t.Fatal(err)
		}
		read := func(want float64) {
			t.Helper()
			if values, err := d.Read(t.Context()); err != nil || values[0].Float() != want {
				t.Errorf("want %v °C, got %#v, %v", want, values, err)
			}
		}
		model.Temperature = -10.25
		read(-10.25) // not the -10.5 of 9 bits
		model.LosePower()
		read(-10.25)
		time.AfterFunc(50*time.Millisecond, model.LosePower) // in the middle of the measurement
		if values, err := d.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "lost its power") {
			t.Errorf("power lost: got %#v, %v", values, err)
		}
		model.Temperature = 127.937
		read(127.875)
	})
}

// An id or a configuration that the chip cannot have is an error, and nothing is written.
func TestWrongChip(t *testing.T) {
	tests := []struct {
		name, driver string
		ops          []i2ctest.IO
		want         string
	}{
		{"ADS1115 as TMP102", "tmp102", []i2ctest.IO{{Addr: 0x48, W: []byte{1}, R: []byte{0x85, 0x83}}}, "reads 0x8583"},
		{"ADS1115 as LM75", "lm75", []i2ctest.IO{{Addr: 0x48, W: []byte{1}, R: []byte{0x85, 0x83}}}, "such as an ADS1115?"},
		{"TMP1075N", "tmp1075", []i2ctest.IO{{Addr: 0x48, W: []byte{1}, R: []byte{0, 0xFF}}, {Addr: 0x48, W: []byte{0x0F}, R: []byte{0, 0}}}, `driver = "tmp105"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bus := &i2ctest.Playback{DontPanic: true, Ops: test.ops}
			for _, v := range []variant{lm75(), tmp102(), tmp1075()} {
				if v.name != test.driver {
					continue
				}
				if _, err := v.open(t.Context(), bus, Options{Address: 0x48}); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("want %q, got %v", test.want, err)
				}
			}
			if err := bus.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
