package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// startMosquitto runs a broker of its own with the given configuration, to which listeners belong,
// and waits until it listens at network and address. The test is skipped if mosquitto is missing.
func startMosquitto(t testing.TB, network, address, config string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto" // not in everybody's PATH
		if _, err := os.Stat(program); err != nil {
			t.Skip("mosquitto is not installed")
		}
	}
	if os.Geteuid() == 0 {
		config = "user root\n" + config // or it could not use the test's files
	}
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(file, []byte("allow_anonymous true\n"+config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", file)
	if testing.Verbose() {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	deadline := time.Now().Add(10 * time.Second)
	for {
		nc, err := net.Dial(network, address)
		if err == nil {
			nc.Close()
			return cmd
		}
		if time.Now().After(deadline) {
			t.Fatalf("mosquitto does not listen: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// freePort returns a TCP port of the loopback interface on which nothing listens.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// tcpMosquitto runs a broker with a TCP listener and returns its URL.
func tcpMosquitto(t testing.TB, config string) string {
	t.Helper()
	port := freePort(t)
	startMosquitto(t, "tcp", "127.0.0.1:"+port, fmt.Sprintf("listener %s 127.0.0.1\n%s", port, config))
	return "mqtt://127.0.0.1:" + port
}

// A tester is a client under test with what it received and reported.
type tester struct {
	*Client
	received chan *Message
	events   chan Event
	ended    chan error
}

// start runs a client. Its handler keeps copies of the messages; Config.Handler, if set, decides
// after that.
func start(t testing.TB, cfg Config) *tester {
	t.Helper()
	k := &tester{received: make(chan *Message, 10_000), events: make(chan Event, 10_000), ended: make(chan error, 1)}
	decide := cfg.Handler
	cfg.Handler = func(ctx context.Context, m *Message) error {
		if decide != nil {
			if err := decide(ctx, m); err != nil {
				return err
			}
		}
		k.received <- m.clone()
		return nil
	}
	if testing.Verbose() {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("client", cfg.ClientID)
	}
	cfg.OnEvent = func(e Event) { k.events <- e }
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	k.Client = c
	ctx, cancel := context.WithCancel(context.Background())
	go func() { k.ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-c.ended
	})
	return k
}

// testTimeout is how long a test waits for what must come.
const testTimeout = 5 * time.Minute

// await returns the next event of the given kind.
func (k *tester) await(t testing.TB, kind EventKind) Event {
	t.Helper()
	timeout := time.After(testTimeout)
	for {
		select {
		case e := <-k.events:
			if e.Kind == kind {
				return e
			}
		case <-timeout:
			t.Fatalf("no event %q", kind)
		}
	}
}

// message returns the next received message.
func (k *tester) message(t testing.TB) *Message {
	t.Helper()
	select {
	case m := <-k.received:
		return m
	case <-time.After(testTimeout):
		t.Fatal("no message")
		return nil
	}
}

func (k *tester) publish(t testing.TB, m *Message) PublishResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	a, err := k.Publish(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func disconnect(withWill bool) Disconnect {
	if withWill {
		return Disconnect{Code: packet.DisconnectWithWill}
	}
	return Disconnect{}
}

func (k *tester) close(t testing.TB, withWill bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	if err := k.Close(ctx, disconnect(withWill)); err != nil {
		t.Fatal(err)
	}
	if err := <-k.ended; err != nil {
		t.Fatal(err)
	}
}
