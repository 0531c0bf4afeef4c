package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// How FuzzClient runs the client: bits of its first argument, and above them the size of the pieces
// in which the bytes come.
const (
	fuzzBeforeConnack = 1 << iota // the bytes come instead of a CONNACK
	fuzzManualAck
	fuzzAuthentication
	fuzzNotTaken // the handler refuses everything
	fuzzPiece    = iota
)

// fuzzLimits are the memory that a connection may cost: so much whatever comes, so much for a byte
// that came, and one packet that was announced and may not come. The smallest PUBLISH, of 6 bytes,
// becomes a Message and what belongs to it, of about 500.
const (
	fuzzMemory        = 256 << 10
	fuzzMemoryPerByte = 128
	fuzzPacketSize    = 64 << 10
)

// FuzzClient gives bytes to a client that has messages of both kinds, a subscription and a request
// in flight. There must be no panic, no hang (synctest finds a deadlock, and Run must end in
// bounded time), no memory beyond fuzzLimits, and every message must be settled.
func FuzzClient(f *testing.F) {
	f.Add(byte(0), []byte{})
	f.Add(byte(fuzzBeforeConnack), []byte{0x20, 3, 0, 0, 0})
	f.Add(byte(fuzzBeforeConnack), []byte{0x20, 2, 0, 1})
	f.Add(byte(fuzzBeforeConnack), []byte{0x20, 24, 0, 0, 21, 0x21, 0, 2, 0x24, 1, 0x25, 0, 0x27, 0, 0, 0, 64, 0x28, 0, 0x29, 0, 0x2a, 0, 0x12, 0, 1})
	f.Add(byte(fuzzBeforeConnack|fuzzAuthentication), []byte{0xf0, 6, 0x18, 4, 0x15, 0, 1, 'm', 0x20, 7, 0, 0, 4, 0x15, 0, 1, 'm'})
	f.Add(byte(fuzzAuthentication), []byte{0xf0, 6, 0x18, 4, 0x15, 0, 1, 'm', 0xf0, 6, 0, 4, 0x15, 0, 1, 'm'})
	f.Add(byte(0), []byte{0xe0, 9, 0x9d, 7, 0x1c, 0, 4, 'h', ':', '1', '2'}) // server reference
	for how := range byte(1 << (fuzzPiece + 2)) {
		f.Add(how, []byte{
			0x90, 4, 0, 1, 0, 1, // SUBACK
			0x40, 2, 0, 2, // PUBACK
			0x50, 2, 0, 3, 0x70, 2, 0, 3, // PUBREC, PUBCOMP
			0xd0, 0, // PINGRESP
			0x32, 8, 0, 1, 'a', 0, 7, 0, 'h', 'i', // PUBLISH QoS 1
			0x34, 6, 0, 1, 'a', 0, 8, 0, 0x62, 2, 0, 8, // QoS 2, PUBREL
			0x30, 7, 0, 1, 'a', 3, 0x23, 0, 1, 0x30, 6, 0, 0, 3, 0x23, 0, 1, // topic alias
		})
	}
	f.Add(byte(0), []byte{0x32, 0xff, 0xff, 1, 0, 1, 'a', 0, 1, 0}) // announces much
	f.Add(byte(0), (&packet.Publish{QoS: 1, ID: 1, Topic: "a", Payload: make([]byte, 20_000)}).Append(nil))
	f.Add(byte(0), []byte{0x32, 0xff, 0xff, 0xff, 0x7f, 0, 1})
	f.Fuzz(func(t *testing.T, how byte, in []byte) {
		synctest.Test(t, func(t *testing.T) { fuzzClient(t, how, in) })
	})
}

func fuzzClient(t *testing.T, how byte, in []byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)

	ours, theirs := net.Pipe()
	pipes := make(chan net.Conn, 1)
	pipes <- theirs
	cfg := Config{
		URLs: []string{"mqtt://fuzz"}, ClientID: "c", ReceiveMaximum: 4, MaximumPacketSize: fuzzPacketSize, TopicAliasMaximum: 2,
		ManualAck: how&fuzzManualAck != 0, Redirect: func(_, _ *url.URL) bool { return true },
		Handler: func(_ context.Context, m *Message) error {
			if how&fuzzNotTaken != 0 {
				return errors.New("not taken")
			}
			return m.Ack()
		},
		Dial: func(ctx context.Context, _ *url.URL, _ *tls.Config) (net.Conn, error) {
			select {
			case nc := <-pipes:
				return nc, nil
			default:
				return nil, errors.New("no second connection")
			}
		},
	}
	if how&fuzzAuthentication != 0 {
		cfg.Authenticator = echoAuthenticator{}
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	settled := 0
	for qos := AtMostOnce; qos <= ExactlyOnce; qos++ {
		if err := c.Send(&Message{Topic: "t", QoS: qos}, func(PublishResult, error) { settled++ }); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, _ = c.Subscribe(ctx, Subscription{Filter: "a", QoS: 2}) }()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	go func() { _, _ = io.Copy(io.Discard, ours) }()
	if how&fuzzBeforeConnack == 0 {
		answer := packet.Connack{}
		if cfg.Authenticator != nil {
			answer.Properties = packet.Properties{Present: packet.Props(packet.PropAuthenticationMethod), AuthenticationMethod: "m"}
		}
		_, _ = ours.Write(answer.Append(nil))
		synctest.Wait()
		if cfg.Authenticator != nil {
			go func() { _ = c.Reauthenticate(ctx) }()
			synctest.Wait()
		}
	}
	piece := int(how>>fuzzPiece) * 3
	for rest := in; len(rest) > 0; {
		n := len(rest)
		if piece > 0 {
			n = min(n, piece)
		}
		if _, err := ours.Write(rest[:n]); err != nil {
			break // the client has left
		}
		rest = rest[n:]
	}
	synctest.Wait()
	ours.Close()
	began := time.Now()
	cancel()
	<-ended
	if d := time.Since(began); d > closeTimeout+writeTimeout {
		t.Errorf("Run ended after %v", d)
	}
	if settled != 3 {
		t.Errorf("%d of 3 messages were settled", settled)
	}
	synctest.Wait()
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(fuzzMemory+fuzzMemoryPerByte*len(in)+fuzzPacketSize); got > limit {
		t.Errorf("%d bytes of memory for %d that came, at most %d", got, len(in), limit)
	}
}

// An echoAuthenticator answers with what came.
type echoAuthenticator struct{}

func (echoAuthenticator) Method() string                        { return "m" }
func (echoAuthenticator) Start(context.Context) ([]byte, error) { return nil, nil }
func (echoAuthenticator) Continue(_ context.Context, data []byte) ([]byte, error) {
	return data, nil
}
func (echoAuthenticator) Done(context.Context, []byte) error { return nil }
