package inspect

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/bucket"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// noon is when the tests' board was powered up.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// fixed is a clock that knows one boot of the kernel.
type fixed string

func (f fixed) Time(kernelBoot string, up time.Duration) (time.Time, bool) {
	if kernelBoot != string(f) {
		return time.Time{}, false
	}
	return noon.Add(up), true
}

// rig is a queue on a real store.
type rig struct {
	*View
	t     *testing.T
	store *buffer.Store
}

// newRig opens a store in a boot of the kernel whose time the clock knows.
func newRig(t *testing.T) *rig {
	t.Helper()
	return openRig(t, filepath.Join(t.TempDir(), "q.db"), buffer.Options{KernelBoot: "k"})
}

func openRig(t *testing.T, path string, o buffer.Options) *rig {
	t.Helper()
	o.Machine, o.Log = "m", slog.New(slog.DiscardHandler)
	store, err := buffer.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	// a second time, if the test has closed it
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	return &rig{New("gw", store, fixed("k")), t, store}
}

func (r *rig) append(kind buffer.Kind, stream string, up time.Duration, body []byte) {
	r.t.Helper()
	if _, err := r.store.Append(r.t.Context(), kind, stream, up, body); err != nil {
		r.t.Fatal(err)
	}
}

// measure appends a reading of the temperature.
func (r *rig) measure(sensor string, up time.Duration, value float64) {
	r.t.Helper()
	r.append(buffer.Readings, sensor, up, reading.Append(nil, []drivers.Value{drivers.Float("temperature", value)}))
}

// malform appends a reading that no version of this program has made.
func (r *rig) malform(sensor string) {
	r.t.Helper()
	r.append(buffer.Readings, sensor, 0, []byte{0xff, 0xff, 0xff, 0xff, 0x7f, 'x'})
}

// refuse makes everything that waits dead letters.
func (r *rig) refuse(reason string) {
	r.t.Helper()
	for _, lane := range []buffer.Lane{buffer.EventLane, buffer.LiveLane} {
		for {
			records := r.store.Take(lane, 1, 1<<20)
			if len(records) == 0 {
				break
			}
			if err := r.store.Refuse(r.t.Context(), records, reason); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

func (r *rig) stats() contract.QueueStats {
	r.t.Helper()
	s, err := r.QueueStats(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// export returns the documents, with the random run as RUN.
func (r *rig) export() []string {
	r.t.Helper()
	lines := []string{}
	if err := r.Export(r.t.Context(), func(line []byte) error {
		lines = append(lines, strings.ReplaceAll(string(line), r.store.Run(), "RUN"))
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	return lines
}

// dead returns the dead letters as text, each on a line, read one by one, and their ids.
func (r *rig) dead() (lines []string, ids []int64) {
	r.t.Helper()
	for after := int64(0); ; {
		letters, err := r.DeadLetters(r.t.Context(), after, 1)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(letters) == 0 {
			return lines, ids
		}
		if len(letters) > 1 || letters[0].ID <= after {
			r.t.Fatalf("asked for one after %d: got %+v", after, letters)
		}
		d := letters[0]
		after = d.ID
		ids = append(ids, d.ID)
		lines = append(lines, fmt.Sprintf("%s: %s", d.Reason, strings.ReplaceAll(string(d.Document), r.store.Run(), "RUN")))
	}
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("want\n  %s\ngot\n  %s", strings.Join(want, "\n  "), strings.Join(got, "\n  "))
	}
}

// document is what the cloud would get of one reading.
func document(sensor, moment, values string) string {
	return fmt.Sprintf(`{"v":1,"gateway":"gw","run":"RUN","sensor":%q,"readings":[{%s,"fields":%s}]}`, sensor, moment, values)
}

func TestExport(t *testing.T) {
	for _, tt := range []struct {
		name string
		fill func(r *rig)
		want []string
	}{
		{"nothing", func(*rig) {}, nil},
		{"of several sensors in their order, one document each", func(r *rig) {
			r.measure("hall", time.Second, 21.5)
			r.measure("roof", 2*time.Second, -4)
			r.measure("hall", 3*time.Second, 21.75)
		}, []string{
			document("hall", `"seq":1,"ts":"2026-11-20T12:00:01.000Z"`, `{"temperature":21.5}`),
			document("roof", `"seq":1,"ts":"2026-11-20T12:00:02.000Z"`, `{"temperature":-4}`),
			document("hall", `"seq":2,"ts":"2026-11-20T12:00:03.000Z"`, `{"temperature":21.75}`),
		}},
		{"with those in flight", func(r *rig) {
			r.measure("hall", time.Second, 21.5)
			r.store.Take(buffer.LiveLane, 1, 1<<20)
		}, []string{document("hall", `"seq":1,"ts":"2026-11-20T12:00:01.000Z"`, `{"temperature":21.5}`)}},
		{"not those that were delivered", func(r *rig) {
			r.measure("hall", time.Second, 21.5)
			r.store.Ack(r.store.Take(buffer.LiveLane, 1, 1<<20))
			r.measure("hall", 2*time.Second, 22)
		}, []string{document("hall", `"seq":2,"ts":"2026-11-20T12:00:02.000Z"`, `{"temperature":22}`)}},
		{"no events, which are not readings", func(r *rig) { r.append(buffer.Events, "events", 0, []byte("{}")) }, nil},
		{"a field that could not be measured", func(r *rig) {
			r.append(buffer.Readings, "hall", time.Second, reading.Append(nil, []drivers.Value{drivers.Int("n", 7), drivers.Bad("humidity", "crc")}))
		}, []string{strings.TrimSuffix(document("hall", `"seq":1,"ts":"2026-11-20T12:00:01.000Z"`, `{"n":7,"humidity":null}`), "}]}") + `,"bad":{"humidity":"crc"}}]}`}},
		{"what cannot be rendered keeps nothing else back", func(r *rig) {
			r.malform("hall")
			r.append(buffer.Readings, "hall", 0, nil)
			r.measure("hall", time.Second, 21.5)
		}, []string{document("hall", `"seq":3,"ts":"2026-11-20T12:00:01.000Z"`, `{"temperature":21.5}`)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			tt.fill(r)
			before := r.stats()
			same(t, r.export(), tt.want)
			if after := r.stats(); after.Readings != before.Readings || after.InFlight != before.InFlight {
				t.Errorf("looking took something away: %+v, and then %+v", before, after)
			}
		})
	}
}

// What an earlier run left keeps the run and the gateway's id of then; it has no time if the clock
// does not know its kernel boot.
func TestExportOfSeveralRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	r := openRig(t, path, buffer.Options{KernelBoot: "k", Gateway: "gw-before"})
	first := r.store.Run()
	r.measure("hall", time.Second, 21.5)
	if err := r.store.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r = openRig(t, path, buffer.Options{KernelBoot: "later", Gateway: "gw"})
	r.measure("hall", 2500*time.Millisecond, 22)
	same(t, r.export(), []string{
		strings.NewReplacer("RUN", first, `"gw"`, `"gw-before"`).Replace(document("hall", `"seq":1,"ts":"2026-11-20T12:00:01.000Z"`, `{"temperature":21.5}`)),
		document("hall", `"seq":1,"ts":null,"up":2.500`, `{"temperature":22}`),
	})
	if s := r.stats().Sensors["hall"]; s.Readings != 2 || s.OldestRun != first || s.OldestSeq != 1 || !s.Oldest.Equal(noon.Add(time.Second)) {
		t.Errorf("stats: %+v", s)
	}
}

// A bucket of thinned readings has both of its ends.
func TestExportOfBuckets(t *testing.T) {
	r := openRig(t, filepath.Join(t.TempDir(), "q.db"), buffer.Options{KernelBoot: "k", MaxLoss: time.Hour, MaxBytes: buffer.MinMaxBytes, WhenFull: buffer.Thin, Thin: bucket.Thin})
	noise := rand.NewChaCha8([32]byte{}) // which compresses to half at most
	for i := range 20000 {
		text := make([]byte, 256)
		_, _ = noise.Read(text) // never fails
		body := reading.Append(nil, []drivers.Value{drivers.Float("temperature", float64(i%40)), drivers.String("note", hex.EncodeToString(text))})
		r.append(buffer.Readings, "hall", time.Duration(i)*time.Second, body)
		if r.store.Stats().Thinned > 0 {
			break
		}
	}
	lines := r.export()
	if r.store.Stats().Thinned == 0 || len(lines) == 0 {
		t.Fatalf("the test did not do its work: %+v", r.store.Stats())
	}
	for _, want := range []string{`"seq":1,`, `"seq_to":`, `"ts":"2026-11-20T12:00:00.000Z"`, `"ts_to":"2026-11-20T12:00:`, `"mean":`} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("want %s in %s", want, lines[0])
		}
	}
}

// The receiver of the lines ends the export by an error, and a caller that has gone by its context.
func TestExportEndsEarly(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.measure("hall", time.Duration(i)*time.Second, 1)
	}
	full := errors.New("no space left on device")
	calls := 0
	if err := r.Export(t.Context(), func([]byte) error { calls++; return full }); !errors.Is(err, full) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Export(ctx, func([]byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("want that it was cancelled, got %v", err)
	}
}

func TestStats(t *testing.T) {
	r := newRig(t)
	if s := r.stats(); s.Readings+s.Events+s.InFlight+s.Dead+s.Losses != 0 || s.Sensors == nil || len(s.Sensors) != 0 || s.MaxBytes != buffer.DefaultMaxBytes {
		t.Errorf("of an empty store: %+v", s)
	}
	r.measure("hall", time.Second, 21.5)
	r.store.Ack(r.store.Take(buffer.LiveLane, 1, 1<<20))
	r.measure("hall", 2*time.Second, 22)
	r.measure("hall", 3*time.Second, 22)
	r.store.Split() // what waits now is backlog
	r.measure("roof", 4*time.Second, -4)
	r.malform("cellar")
	r.append(buffer.Events, "events", 0, []byte("{}"))
	if taken := r.store.Take(buffer.EventLane, 1, 1<<20); len(taken) != 1 {
		t.Fatalf("took %d events", len(taken))
	}
	s := r.stats()
	if s.Readings != 4 || s.Events != 1 || s.InFlight != 1 || s.Dead != 0 || s.Bytes <= 0 || s.Bytes > s.MaxBytes || len(s.Sensors) != 3 {
		t.Errorf("got %+v", s)
	}
	size := int64(len(reading.Append(nil, []drivers.Value{drivers.Float("temperature", 22)})))
	for name, want := range map[string]contract.SensorQueue{
		"hall":   {Readings: 2, Bytes: 2 * size, OldestRun: r.store.Run(), OldestSeq: 2},
		"roof":   {Readings: 1, Bytes: size, OldestRun: r.store.Run(), OldestSeq: 1},
		"cellar": {Readings: 1, Bytes: 6, OldestRun: r.store.Run(), OldestSeq: 1},
	} {
		got := s.Sensors[name]
		got.Oldest.Time = time.Time{}
		if got != want {
			t.Errorf("%s: want %+v, got %+v", name, want, got)
		}
	}
	if got := s.Sensors["hall"].Oldest; !got.Equal(noon.Add(2 * time.Second)) {
		t.Errorf("the oldest of hall is of %v", got)
	}
}

// A store that has been closed under the queue makes every call fail.
func TestClosedStore(t *testing.T) {
	r := newRig(t)
	r.measure("hall", time.Second, 21.5)
	if err := r.store.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, stats := r.QueueStats(t.Context())
	_, dead := r.DeadLetters(t.Context(), 0, 1)
	_, retry := r.RetryDead(t.Context(), contract.DeadChoice{All: true})
	_, drop := r.DropDead(t.Context(), contract.DeadChoice{IDs: []int64{1}})
	export := r.Export(t.Context(), func([]byte) error { return nil })
	for name, err := range map[string]error{"stats": stats, "dead letters": dead, "retry": retry, "drop": drop, "export": export} {
		if !errors.Is(err, buffer.ErrClosed) {
			t.Errorf("%s: want %v, got %v", name, buffer.ErrClosed, err)
		}
	}
}
