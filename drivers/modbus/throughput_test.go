package modbus_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// Ten meters of 20 registers on a line of 9600 baud, each of which thinks before it answers.
const (
	meterCount = 10
	think      = 10 * time.Millisecond
	startUp    = 8 * time.Second
	request    = 8                     // bytes
	response   = 3 + 2*20 + 2          // bytes
	every      = 10 * time.Millisecond // more often than the line can
)

func meterOptions(unit int) *modbus.RTU {
	o := modbus.SpecRTU.Options().(*modbus.RTU)
	o.UnitID = unit
	for i := range 10 {
		o.Registers = append(o.Registers, modbus.Register{Field: fmt.Sprintf("f%d", i), Table: "input", Address: 2 * i, Type: "float32"})
	}
	return o
}

// exchangeTime is what a reading needs of the line at least: its bytes, the silence before it, and
// the device.
func exchangeTime() time.Duration {
	perByte := modbus.SpecRTU.SerialMode(meterOptions(1)).PerByte()
	return (request+response)*perByte + perByte*7/2 + think
}

// meterLine has all meters but the dead one.
func meterLine(dead int) *modbustest.Line {
	l := &modbustest.Line{Units: map[byte]*modbustest.Unit{}}
	for unit := 1; unit <= meterCount; unit++ {
		if unit != dead {
			l.Units[byte(unit)] = modbustest.NewUnit().Input(0, 0x4366, 0x4000, 0x4366, 0x4000, 0x4366, 0x4000, 0x4366, 0x4000, 0x4366, 0x4000,
				0x4366, 0x4000, 0x4366, 0x4000, 0x4366, 0x4000, 0x4366, 0x4000, 0x4366, 0x4000)
		}
	}
	return l
}

// sampleMeters lets the program's own samplers read all meters for a time, and returns how many
// readings each made after the start: sensors that have not been read yet wait for those that have.
func sampleMeters(t testing.TB, buses drivers.Buses, port string, length time.Duration) (reads [meterCount + 1]int) {
	lock := sampling.NewBusLock()
	start := time.Now()
	up := func() time.Duration { return time.Since(start) }
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var running sync.WaitGroup
	for unit := 1; unit <= meterCount; unit++ {
		s := sampling.New(sampling.Config{
			Name: fmt.Sprint(unit), Bus: port, Settings: sampling.Settings{Every: every, Enabled: true},
			Open: func(ctx context.Context) (drivers.Driver, error) {
				return modbus.SpecRTU.Open(ctx, buses, port, meterOptions(unit))
			},
		}, sampling.Deps{
			Sink: func(_ context.Context, _ string, at time.Duration, _ []drivers.Value) error {
				mu.Lock()
				defer mu.Unlock()
				if at >= startUp && at < startUp+length {
					reads[unit]++
				}
				return nil
			},
			Up: up, Wall: time.Now, BusLock: lock,
		})
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	timer := time.NewTimer(startUp + length)
	<-timer.C
	cancel()
	running.Wait()
	return reads
}

// TestModbusLine: in time that only the line takes, ten meters are read as fast as the line can;
// with one of them dead the others are read as often as before at least.
func TestModbusLine(t *testing.T) {
	const length = time.Minute
	limit := int(length / exchangeTime())
	sample := func(dead int) (reads [meterCount + 1]int) {
		synctest.Test(t, func(t *testing.T) {
			perByte := modbus.SpecRTU.SerialMode(meterOptions(1)).PerByte()
			l := meterLine(dead)
			buses := drivertest.OnSerial(drivertest.Device{
				Answers: func(q []byte) string { a, _ := l.Hears(q); return string(a) },
				Delay:   request*perByte + think,
			})
			buses.PerByte(perByte)
			reads = sampleMeters(t, buses, "line", length)
		})
		return reads
	}
	sum := func(reads [meterCount + 1]int) (n int) {
		for _, r := range reads {
			n += r
		}
		return n
	}
	all := sample(0)
	if got := sum(all); 10*got < 9*limit {
		t.Errorf("%d readings in %v, want 0.9 of %d", got, length, limit)
	}
	const dead = 4
	nine := sample(dead)
	for unit := 1; unit <= meterCount; unit++ {
		if unit != dead && nine[unit] < all[unit] {
			t.Errorf("meter %d: %d readings while meter %d is dead, %d while it is not", unit, nine[unit], dead, all[unit])
		}
	}
	t.Logf("limit %d, all %d, one dead %d: %v and %v", limit, sum(all), sum(nine), all, nine)
}

// BenchmarkModbusLine is the same in real time, through a port of the kernel.
func BenchmarkModbusLine(b *testing.B) {
	for _, dead := range []int{0, 4} {
		name := "all"
		if dead != 0 {
			name = "one dead"
		}
		b.Run(name, func(b *testing.B) {
			const length = 20 * time.Second
			n := 0
			for b.Loop() {
				device, port := drivertest.Pty(b)
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					serveTimed(meterLine(dead), device)
				}()
				for _, r := range sampleMeters(b, newHost(b), port, length) {
					n += r
				}
				device.Close()
				<-ended
			}
			perSecond := float64(n) / float64(b.N) / length.Seconds()
			b.ReportMetric(perSecond, "readings/s")
			b.ReportMetric(perSecond*exchangeTime().Seconds(), "of_limit")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// serveTimed answers on a pseudo-terminal, which takes no time for a byte, as a line does that
// needs one.
func serveTimed(l *modbustest.Line, device *os.File) {
	perByte := modbus.SpecRTU.SerialMode(meterOptions(1)).PerByte()
	buf := make([]byte, 512)
	for {
		n, err := device.Read(buf)
		if err != nil {
			return
		}
		at := time.Now().Add(request*perByte + think)
		answer, _ := l.Hears(buf[:n])
		for i := range answer {
			at = at.Add(perByte)
			time.Sleep(time.Until(at))
			if _, err := device.Write(answer[i : i+1]); err != nil {
				return
			}
		}
	}
}
