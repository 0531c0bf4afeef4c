package buffer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reading returns a body of about 150 bytes as a gateway makes them.
func reading(i int) []byte {
	return fmt.Appendf(nil, `{"ts":"2026-11-20T15:%02d:%02d.%03dZ","fields":{"temperature":%.2f,"humidity":%.1f,"pressure":%d,"voltage":%.3f},"quality":"good","n":%d}`,
		i/60%60, i%60, i*7%1000, 20+float64(i*31%400)/100, 45+float64(i*17%90)/10, 101000+i*13%500, 3.2+float64(i*11%100)/1000, i)
}

func BenchmarkAppend(b *testing.B) {
	for _, loss := range []time.Duration{0, time.Second} {
		b.Run(fmt.Sprint("max_loss ", loss), func(b *testing.B) {
			s := newStore(b, Options{MaxLoss: loss})
			body := reading(1)
			b.ReportAllocs()
			before := s.Stats().WrittenBytes
			for i := 0; b.Loop(); i++ {
				if _, err := s.Append(context.Background(), Readings, "sensor-1", time.Duration(i), body); err != nil {
					b.Fatal(err)
				}
			}
			s.Flush(context.Background())
			b.ReportMetric(float64(s.Stats().WrittenBytes-before)/float64(b.N), "written-B/op")
		})
	}
}

// BenchmarkOnline takes and acknowledges each reading before its commit.
func BenchmarkOnline(b *testing.B) {
	s := newStore(b, Options{MaxLoss: time.Second})
	body := reading(1)
	b.ReportAllocs()
	before := s.Stats().WrittenBytes
	for b.Loop() {
		if _, err := s.Append(context.Background(), Readings, "sensor-1", 0, body); err != nil {
			b.Fatal(err)
		}
		s.Ack(s.Take(LiveLane, 10, 1<<20))
	}
	s.Flush(context.Background())
	b.ReportMetric(float64(s.Stats().WrittenBytes-before)/float64(b.N), "written-B/op")
}

// BenchmarkSegments stores segments of n readings, as an offline gateway does.
func BenchmarkSegments(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n, " readings"), func(b *testing.B) {
			s := newStore(b, Options{MaxLoss: time.Hour})
			before := s.Stats().WrittenBytes
			i := 0
			for b.Loop() {
				for range n {
					if _, err := s.Append(context.Background(), Readings, fmt.Sprint("sensor-", i%16), 0, reading(i)); err != nil {
						b.Fatal(err)
					}
					i++
				}
				if err := s.Flush(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(s.Stats().WrittenBytes-before)/float64(i), "written-B/reading")
		})
	}
}

// BenchmarkDrain stores a million readings, opens the store again and delivers them in batches.
func BenchmarkDrain(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "queue.db")
		s := openAt(b, path, Options{MaxLoss: time.Second})
		start := time.Now()
		for i := range n {
			if _, err := s.Append(context.Background(), Readings, fmt.Sprint("sensor-", i%16), 0, reading(i)); err != nil {
				b.Fatal(err)
			}
		}
		closeStore(b, s)
		b.ReportMetric(n/time.Since(start).Seconds(), "stored/s")
		written := s.Stats().WrittenBytes
		start = time.Now()
		s = openAt(b, path, Options{MaxLoss: time.Second})
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "open-ms")
		start = time.Now()
		for total := 0; total < n; {
			r := s.Take(BacklogLane, 200, 64<<10)
			total += len(r)
			s.Ack(r)
		}
		if err := s.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(n/time.Since(start).Seconds(), "drained/s")
		b.ReportMetric(float64(written)/n, "stored-B/reading")
		b.ReportMetric(float64(s.Stats().WrittenBytes)/n, "drained-B/reading")
		b.ReportMetric(residentMiB(), "rss-MiB")
		b.ReportMetric(float64(fileSize(path))/(1<<20), "file-MiB")
		closeStore(b, s)
	}
}

func residentMiB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return 0
}
