package mqtt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A dyingStore is a FileStore whose machine dies at one call of Record, before or after the disk
// has what it was given. From then on nothing gets through, so that the client writes nothing more
// either.
type dyingStore struct {
	MessageStore
	left  int
	after bool
}

var errDied = errors.New("the machine died")

func (s *dyingStore) Record(ctx context.Context, changes []MessageChange) error {
	s.left--
	if s.left > 0 {
		return s.MessageStore.Record(ctx, changes)
	}
	if s.left == 0 && s.after {
		_ = s.MessageStore.Record(ctx, changes)
	}
	return errDied
}

// TestMessagesSurviveRestart ends a client at each of its first records, begins another one on what
// is on the disk, and looks at what a subscriber got from both: what was sent arrives, QoS 2 once,
// in its order, and under the same identifier with DUP if it was on the wire.
//
// [MQTT-4.4.0-1] [MQTT-4.3.3-6]
func TestMessagesSurviveRestart(t *testing.T) {
	const count = 40
	for at := 1; at <= 24; at++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d after=%v", at, after), func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					b := mqtttest.New(mqtttest.Behavior{Properties: puts(func(p *packet.Properties) { p.ReceiveMaximum = 5 }, packet.PropReceiveMaximum)})
					defer b.Close()
					watcher := start(t, Config{
						URLs: []string{"mqtt://test"}, Dial: b.Dial, ClientID: "watcher", Subscriptions: []Subscription{{Filter: "m/#", QoS: 2}},
					})
					watcher.await(t, Connected)
					cfg := connectTo(b)
					cfg.Session = &dyingStore{FileStore(dir), at, after}
					first := start(t, cfg)
					for i := range count {
						m := &Message{Topic: fmt.Sprintf("m/%d", i%2+1), Payload: []byte(strconv.Itoa(i)), QoS: QoS(i%2 + 1)}
						if err := first.Send(m, nil); err != nil {
							t.Fatal(err)
						}
					}
					synctest.Wait()
					first.close(t, false)
					sent := b.Published()

					cfg.Session = FileStore(dir)
					stored, err := cfg.Session.(MessageStore).Messages(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					second := start(t, cfg)
					second.await(t, Connected)
					synctest.Wait()
					if s := second.Stats(); s.Queued != 0 || s.Acked != uint64(len(stored)) {
						t.Errorf("%d stored, but %+v", len(stored), s)
					}
					for _, p := range b.Published()[len(sent):] {
						same := slices.ContainsFunc(sent, func(q mqtttest.Publication) bool {
							return q.ID == p.ID && string(q.Payload) == string(p.Payload)
						})
						if !p.Dup || len(sent) > 0 && !same && !after {
							t.Errorf("%s repeated under %d with DUP %v", p.Payload, p.ID, p.Dup)
						}
					}
					checkArrived(t, watcher, sent)
					second.close(t, false)
					watcher.close(t, false)
					if left, err := FileStore(dir).Messages(t.Context()); err != nil || len(left) != 0 {
						t.Errorf("%d messages are left in the store, %v", len(left), err)
					}
				})
			})
		}
	}
}

// checkArrived checks that what was sent reached the subscriber in its order, with QoS 2 once.
func checkArrived(t *testing.T, watcher *tester, sent []mqtttest.Publication) {
	t.Helper()
	arrived := make(map[int]int)
	order := map[QoS][]int{}
	for len(watcher.received) > 0 {
		m := watcher.message(t)
		i, _ := strconv.Atoi(string(m.Payload))
		if arrived[i]++; arrived[i] == 1 {
			order[QoS(i%2+1)] = append(order[QoS(i%2+1)], i)
		}
	}
	for _, p := range sent {
		if i, _ := strconv.Atoi(string(p.Payload)); arrived[i] == 0 {
			t.Errorf("message %d was sent and did not arrive", i)
		}
	}
	for i, n := range arrived {
		if i%2 == 1 && n > 1 {
			t.Errorf("message %d with QoS 2 arrived %d times", i, n)
		}
	}
	for qos, list := range order {
		if !slices.IsSorted(list) {
			t.Errorf("QoS %d arrived in the order %v", qos, list)
		}
	}
}

// TestMessagesOfLostSession checks that what an earlier process sent is published again if the
// broker has lost the session, and forgotten if the client begins a new one.
func TestMessagesOfLostSession(t *testing.T) {
	for _, v := range []struct {
		name  string
		clean bool
		want  []string
	}{
		{"lost", false, []string{"1 DUP false", "2 DUP false"}},
		{"clean start", true, nil},
	} {
		t.Run(v.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{NoPuback: true})
				defer b.Close()
				cfg := connectTo(b)
				cfg.Session = FileStore(dir)
				first := start(t, cfg)
				for i := range 2 {
					if err := first.Send(&Message{Topic: "m", Payload: []byte(strconv.Itoa(i + 1)), QoS: QoS(i + 1), Expiry: new(time.Hour)}, nil); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				first.close(t, false)
				before := len(b.Published())
				b.Behave(func(h *mqtttest.Behavior) { h.NoPuback, h.LoseSession = false, true })
				cfg.Session, cfg.CleanStart = FileStore(dir), v.clean
				second := start(t, cfg)
				second.await(t, Connected)
				if err := second.Send(&Message{Topic: "new", QoS: 1}, nil); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				var got []string
				for _, p := range b.Published()[before:] {
					if p.Topic == "m" {
						got = append(got, fmt.Sprintf("%s DUP %v", p.Payload, p.Dup))
						if p.Properties.MessageExpiry != 3600 {
							t.Errorf("expiry %d", p.Properties.MessageExpiry)
						}
					}
				}
				wantList(t, "published", got, v.want...)
				second.close(t, false)
				if left, err := FileStore(dir).Messages(t.Context()); err != nil || len(left) != 0 {
					t.Errorf("%d messages are left in the store, %v", len(left), err)
				}
			})
		})
	}
}

// TestFileMessages cuts the journal at every length: what is found is a prefix of what was
// recorded, and recording goes on behind it.
func TestFileMessages(t *testing.T) {
	ctx := context.Background()
	changes := []MessageChange{
		{1, MessageSent, []byte("one")}, {2, MessageSent, []byte("two")}, {1, MessageReleased, nil}, {3, MessageSent, nil},
		{2, MessageDone, nil}, {1, MessageSent, []byte("one again")}, {3, MessageDone, nil},
	}
	whole := FileStore(t.TempDir())
	var want [][]StoredMessage // after so many changes
	for i := range len(changes) + 1 {
		list, err := whole.Messages(ctx)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, list)
		if i < len(changes) {
			if err := whole.Record(ctx, changes[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantLast := []StoredMessage{{Serial: 1, Publish: []byte("one again")}}
	if !reflect.DeepEqual(want[len(changes)], wantLast) || len(want[3]) != 2 || !want[3][1].Released {
		t.Fatalf("%+v", want)
	}
	file, err := os.ReadFile(whole.(*fileStore).messagesPath())
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(file) + 1 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "messages"), file[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		found := 0
		for rest := file[:n]; ; found++ {
			_, size := decodeChange(rest)
			if size == 0 {
				break
			}
			rest = rest[size:]
		}
		s := FileStore(dir)
		got, err := s.Messages(ctx)
		if err != nil || !reflect.DeepEqual(got, want[found]) {
			t.Fatalf("%d of %d bytes: got %+v, %v, want %+v", n, len(file), got, err, want[found])
		}
		if err := s.Record(ctx, []MessageChange{{9, MessageSent, []byte("nine")}}); err != nil {
			t.Fatal(err)
		}
		got, err = FileStore(dir).Messages(ctx)
		if err != nil || len(got) != len(want[found])+1 || string(got[len(got)-1].Publish) != "nine" {
			t.Fatalf("%d of %d bytes, one message more: %+v, %v", n, len(file), got, err)
		}
	}
}

// TestFileMessagesStaySmall checks that the journal does not grow with the messages that went
// through it, and that what is in flight outlasts that it is rewritten.
func TestFileMessagesStaySmall(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := FileStore(dir)
	if _, err := s.Messages(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(ctx, []MessageChange{{1, MessageSent, []byte("stays")}, {1, MessageReleased, nil}}); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(200) {
		if err := s.Record(ctx, []MessageChange{{i + 2, MessageSent, make([]byte, 10_000)}, {i + 2, MessageDone, nil}}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "messages"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > compactAbove+20_000 {
		t.Errorf("%d bytes", info.Size())
	}
	got, err := FileStore(dir).Messages(ctx)
	if want := []StoredMessage{{1, []byte("stays"), true}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestCompactionFails checks that what is durable is recorded, whether or not the file can be
// rewritten, and that it is once it can.
func TestCompactionFails(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	obstacle := filepath.Join(dir, "messages.new")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	s := FileStore(dir)
	record := func(changes ...MessageChange) {
		t.Helper()
		if err := s.Record(ctx, changes); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "messages"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	record(MessageChange{1, MessageSent, []byte("stays")})
	serial := uint64(1)
	fill := func(until int64) {
		for size() <= until {
			serial++
			record(MessageChange{serial, MessageSent, make([]byte, 10_000)}, MessageChange{serial, MessageDone, nil})
		}
	}
	fill(compactAbove)
	failed := size()
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	fill(2*failed - 20_000) // it is not tried again so early
	record(MessageChange{serial + 1, MessageSent, make([]byte, 30_000)}, MessageChange{serial + 1, MessageDone, nil})
	if size() > 1000 {
		t.Errorf("%d bytes, where %d were too many", size(), 2*failed)
	}
	record(MessageChange{serial + 2, MessageSent, []byte("last")})
	got, err := FileStore(dir).Messages(ctx)
	if want := []StoredMessage{{1, []byte("stays"), false}, {serial + 2, []byte("last"), false}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// A failingStore is a FileStore that records nothing while it is broken.
type failingStore struct {
	MessageStore
	broken atomic.Bool
	calls  atomic.Int64
	most   atomic.Int64 // changes at once
}

func (s *failingStore) Record(ctx context.Context, changes []MessageChange) error {
	s.calls.Add(1)
	s.most.Store(max(s.most.Load(), int64(len(changes))))
	if s.broken.Load() {
		return errDied
	}
	return s.MessageStore.Record(ctx, changes)
}

// TestStoreKeepsFailing checks that what the store does not take does not pile up, though every
// connection has a new session in which everything is sent again; and that nothing is lost by that.
func TestStoreKeepsFailing(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{LoseSession: true})
		defer b.Close()
		store := &failingStore{MessageStore: FileStore(dir)}
		store.broken.Store(true)
		cfg := connectTo(b)
		cfg.Session = store
		c := start(t, cfg)
		const count = 5
		for i := range count {
			if err := c.Send(&Message{Topic: "m", Payload: []byte(strconv.Itoa(i)), QoS: QoS(i%2 + 1)}, nil); err != nil {
				t.Fatal(err)
			}
		}
		for store.calls.Load() < 30 {
			time.Sleep(time.Second)
		}
		if store.most.Load() > 2*count {
			t.Errorf("%d changes are recorded at once for %d messages", store.most.Load(), count)
		}
		store.broken.Store(false)
		for c.Stats().Acked < count {
			time.Sleep(time.Second)
		}
		c.close(t, false)
		if left, err := FileStore(dir).Messages(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("%d messages are left in the store, %v", len(left), err)
		}
	})
}

// TestNewest checks that a store that records the newest changes has the same content as one that
// records all of them.
func TestNewest(t *testing.T) {
	sent := func(serial uint64, text string) MessageChange {
		return MessageChange{serial, MessageSent, []byte(text)}
	}
	step := func(serial uint64, step MessageStep) MessageChange { return MessageChange{Serial: serial, Step: step} }
	for _, v := range []struct{ all, want []MessageChange }{
		{nil, nil},
		{[]MessageChange{sent(1, "a"), sent(2, "b"), sent(1, "c")}, []MessageChange{sent(2, "b"), sent(1, "c")}},
		{
			[]MessageChange{sent(1, "a"), sent(1, "b"), step(1, MessageReleased), sent(2, "c"), step(1, MessageReleased)},
			[]MessageChange{sent(1, "b"), sent(2, "c"), step(1, MessageReleased)},
		},
		{[]MessageChange{step(1, MessageReleased), sent(1, "again")}, []MessageChange{sent(1, "again")}},
		{[]MessageChange{sent(1, "a"), step(1, MessageReleased), sent(2, "b"), step(1, MessageDone)}, []MessageChange{sent(2, "b"), step(1, MessageDone)}},
	} {
		if got := newest(v.all); !reflect.DeepEqual(got, v.want) {
			t.Errorf("of %+v: got %+v, want %+v", v.all, got, v.want)
		}
	}
}
