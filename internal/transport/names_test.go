package transport

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
)

// A nameServer answers every name with 127.0.0.1, unless it is away.
type nameServer struct {
	conn  net.PacketConn
	mute  atomic.Bool // it does not answer
	wrong atomic.Bool // it answers that it cannot
	asked atomic.Int32
}

func newNameServer(t *testing.T) (*nameServer, *net.Resolver) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &nameServer{conn: conn}
	go s.serve()
	return s, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (s *nameServer) serve() {
	b := make([]byte, 4096)
	for {
		n, from, err := s.conn.ReadFrom(b)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if s.asked.Add(1); s.mute.Load() || m.Unpack(b[:n]) != nil {
			continue
		}
		m.Response, m.Additionals = true, nil
		if s.wrong.Load() {
			m.RCode = dnsmessage.RCodeServerFailure
		} else if m.Questions[0].Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
		if answer, err := m.Pack(); err == nil {
			_, _ = s.conn.WriteTo(answer, from)
		}
	}
}

// memory is a Store.
type memory struct {
	values map[string][]byte
	err    error
}

func (m *memory) Get(_ context.Context, bucket, key string) ([]byte, error) {
	return m.values[bucket+"/"+key], m.err
}

func (m *memory) PutSoon(bucket, key string, value []byte) { m.values[bucket+"/"+key] = value }

func listen(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func try(t *testing.T, d *Dialer, broker string) error {
	t.Helper()
	u, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	nc, err := d.Dial(ctx, u, nil)
	if err == nil {
		nc.Close()
	}
	return err
}

// TestLastAddress: the last address of a name outlives a resolver that is away, also over a
// restart.
func TestLastAddress(t *testing.T) {
	server, resolver := newNameServer(t)
	broker := "mqtt://broker.test:" + listen(t)
	store := &memory{values: map[string][]byte{}}
	var log bytes.Buffer
	cfg := Config{MQTT: config.MQTT{URLs: []string{broker}, Proxy: config.NoProxy}, Store: store, Resolver: resolver, Log: slog.New(slog.NewTextHandler(&log, nil))}

	server.wrong.Store(true)
	if err := try(t, New(cfg), broker); err == nil || !strings.Contains(err.Error(), "lookup broker.test") {
		t.Errorf("a name that was never known: %v", err)
	}
	server.wrong.Store(false)
	d := New(cfg)
	if err := try(t, d, broker); err != nil {
		t.Fatal(err)
	}
	if got := string(store.values["dns/addresses"]); got != `{"broker.test":["127.0.0.1"]}` {
		t.Errorf("stored %s", got)
	}
	server.wrong.Store(true)
	for range 3 {
		if err := try(t, d, broker); err != nil {
			t.Error(err)
		}
	}
	if err := try(t, New(cfg), broker); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	server.wrong.Store(false)
	for range 2 {
		if err := try(t, d, broker); err != nil {
			t.Error(err)
		}
	}
	if got := log.String(); strings.Count(got, "cannot be looked up") != 2 || strings.Count(got, "again") != 1 { // two dialers
		t.Errorf("log:\n%s", got)
	}
	unknown := "mqtt://other.test:1"
	server.wrong.Store(true)
	if err := try(t, d, unknown); err == nil {
		t.Error("a name that is not configured")
	}
}

// TestMuteResolver: one that does not answer leaves time for the last address.
func TestMuteResolver(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a resolver may")
	}
	server, resolver := newNameServer(t)
	broker := "mqtt://broker.test:" + listen(t)
	d := New(Config{MQTT: config.MQTT{URLs: []string{broker}, Proxy: config.NoProxy}, Resolver: resolver})
	if err := try(t, d, broker); err != nil {
		t.Fatal(err)
	}
	server.mute.Store(true)
	begin := time.Now()
	if err := try(t, d, broker); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took < lookupTime/2 || took > 2*lookupTime {
		t.Errorf("it took %v", took)
	}
}

// TestStoredAddresses: what a store has is taken as far as it can be used, and what a store that
// cannot be read has is not overwritten.
func TestStoredAddresses(t *testing.T) {
	server, resolver := newNameServer(t)
	server.wrong.Store(true)
	broker := "mqtt://broker.test:" + listen(t)
	for text, good := range map[string]bool{
		`{"broker.test":["127.0.0.1"],"gone.test":["127.0.0.2"]}`: true,
		`{"broker.test":["evil.test","127.0.0.1"]}`:               true,
		`{"broker.test":["127.0.0.99","127.0.0.1"]}`:              true, // the second one answers
		`{"broker.test":[]}`:                                      false,
		`{"broker.test":"127.0.0.1"}`:                             false,
		`garbage`:                                                 false,
		``:                                                        false,
	} {
		store := &memory{values: map[string][]byte{"dns/addresses": []byte(text)}}
		d := New(Config{MQTT: config.MQTT{URLs: []string{broker}, Proxy: config.NoProxy}, Store: store, Resolver: resolver})
		if err := try(t, d, broker); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
		if strings.Contains(string(store.values["dns/addresses"]), "gone.test") && d.names.known["gone.test"] != nil {
			t.Error("a host that is not configured is kept")
		}
	}
	server.wrong.Store(false)
	store := &memory{values: map[string][]byte{"dns/addresses": []byte("old")}, err: errors.New("the disk")}
	d := New(Config{MQTT: config.MQTT{URLs: []string{broker}, Proxy: config.NoProxy}, Store: store, Resolver: resolver})
	if err := try(t, d, broker); err != nil || string(store.values["dns/addresses"]) != "old" {
		t.Errorf("%v, stored %s", err, store.values["dns/addresses"])
	}
}

// TestAddressesOutliveARestart keeps them in a real store.
func TestAddressesOutliveARestart(t *testing.T) {
	server, resolver := newNameServer(t)
	broker := "mqtt://broker.test:" + listen(t)
	file := filepath.Join(t.TempDir(), "queue.db")
	for range 2 {
		store, err := buffer.Open(t.Context(), file, buffer.Options{MaxBytes: 8 << 20, Machine: "m", KernelBoot: "k"})
		if err != nil {
			t.Fatal(err)
		}
		d := New(Config{MQTT: config.MQTT{URLs: []string{broker}, Proxy: config.NoProxy}, Store: store, Resolver: resolver})
		if err := try(t, d, broker); err != nil {
			t.Error(err)
		}
		if err := store.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := try(t, New(Config{MQTT: d.cfg.MQTT, Store: store, Resolver: resolver}), broker); (err == nil) == server.wrong.Load() {
			t.Errorf("with a closed store: %v", err)
		}
		server.wrong.Store(true) // from the second round on
	}
}
