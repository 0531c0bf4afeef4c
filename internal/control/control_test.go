package control_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
)

// gateway answers what a test wants.
type gateway struct {
	control.Queue
	control.Hub
	reload error
}

func (*gateway) Status() contract.LocalStatus { return contract.LocalStatus{Gateway: "gw", PID: 42} }
func (g *gateway) Reload() error              { return g.reload }

func serve(t *testing.T, g served) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "control.sock")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- control.Serve(ctx, l, g, g, slog.New(slog.DiscardHandler)) }()
	for range 200 {
		if _, err := control.NewClient(path).Status(ctx); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return path, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestAsk(t *testing.T) {
	g := &gateway{reload: errors.New("the configuration is wrong")}
	path, stop := serve(t, g)
	c := control.NewClient(path)
	if s, err := c.Status(t.Context()); err != nil || s.PID != 42 {
		t.Errorf("status: %+v, %v", s, err)
	}
	if err := c.Reload(t.Context()); err == nil || err.Error() != "the configuration is wrong" {
		t.Errorf("reload: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// A follower sees what is published, and learns that the gateway has ended.
	got := make(chan contract.Telemetry, 1)
	ended := make(chan error, 1)
	go func() { ended <- c.Tail(t.Context(), func(e contract.Telemetry) { got <- e }) }()
	for range 500 {
		if g.Watched() {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	g.Publish(contract.Telemetry{Sensor: "a", Readings: []contract.Reading{{Seq: 7}}})
	if e := <-got; e.Sensor != "a" || e.Readings[0].Seq != 7 {
		t.Errorf("got %+v", e)
	}
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("tail ended with %v", err)
	}
}

func TestListenLeavesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path); err == nil || !strings.Contains(err.Error(), "is not a socket: move it away, or set control.socket") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "x" {
		t.Errorf("the file: %q, %v", b, err)
	}
}

func TestSocketIsTakenFromTheDeadAlone(t *testing.T) {
	g := &gateway{}
	path, stop := serve(t, g)
	if _, err := control.Listen(path); err == nil || !strings.Contains(err.Error(), "another fieldgate answers") {
		t.Errorf("a second gateway: %v", err)
	}
	stop()
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close() // as a crash leaves it
	if _, err := control.NewClient(path).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "is it running?") {
		t.Errorf("nobody answers: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- control.Serve(ctx, l, g, g, slog.New(slog.DiscardHandler)) }()
	for range 500 {
		if _, err = control.NewClient(path).Status(ctx); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		t.Errorf("the dead one's socket was not replaced: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSlowWatcherMissesAndDelaysNobody(t *testing.T) {
	var h control.Hub
	ctx, cancel := context.WithCancel(t.Context())
	release, done := make(chan struct{}), make(chan error, 1)
	seen := 0
	go func() {
		done <- h.Tail(ctx, func(contract.Telemetry) error { seen++; <-release; return nil })
	}()
	for !h.Watched() {
		time.Sleep(time.Millisecond)
	}
	for i := range 10000 {
		// must not block
		h.Publish(contract.Telemetry{Readings: []contract.Reading{{Seq: uint64(i)}}})
	}
	close(release)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if seen > 300 {
		t.Errorf("%d readings were kept for a slow watcher", seen)
	}
}

// served is all that the socket answers for.
type served interface {
	control.Gateway
	control.Queue
}

// endingGateway ends the server with a reload, as a gateway does that starts over.
type endingGateway struct {
	gateway
	end context.CancelFunc
}

func (g *endingGateway) Reload() error {
	g.end()
	time.Sleep(5 * time.Millisecond) // the server notices before the answer is written
	return nil
}

// TestReloadIsAnswered: the answer to a reload arrives although the gateway ends with it.
func TestReloadIsAnswered(t *testing.T) {
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		path := filepath.Join(t.TempDir(), "control.sock")
		l, err := control.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			done <- control.Serve(ctx, l, &endingGateway{end: cancel}, new(endingGateway), slog.New(slog.DiscardHandler))
		}()
		if err := control.NewClient(path).Reload(t.Context()); err != nil {
			t.Errorf("reload: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
