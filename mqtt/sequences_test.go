package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A sequenceGroup is a group of byte sequences that a broker may send, in the form of Eclipse
// Mosquitto's client test data.
type sequenceGroup struct {
	Group   string
	Command string
	sequenceOptions
	GroupMsgs []sequenceStep `json:"group_msgs"`
	Tests     []struct {
		Name string
		sequenceOptions
		Msgs []sequenceStep
	}
}

type sequenceOptions struct {
	Connect          *bool
	Connack          *bool
	ExpectDisconnect *bool `json:"expect_disconnect"`
}

type sequenceStep struct{ Type, Payload string }

// disputed are the sequences whose expectation the standard does not share, with the reason.
var disputed = map[string]string{
	// 3.3.4 says so in words: if several subscriptions with the same identifier match, the PUBLISH
	// carries it several times.
	"v5.0   PUBLISH ALLOWED PROPERTIES/2*subscription-identifier=1 (variable byte integer)": "3.3.4: identical subscription identifiers are allowed",
	// A code from 0x80 on refuses one message: mosquitto itself answers with codes that the table
	// does not have.
	"v5.0   PUBREC invalid/50 len=4 rc=unknown": "an unknown code is a refusal, not the end of the connection",
	// The limit is 1 byte. The PUBACK that proves that the client is still there has 4.
	"v5.0   CONNACK ALLOWED PROPERTIES VALID/20 with maximum-packet-size (four byte integer)": "[MQTT-3.2.2-15]: the PUBACK exceeds the limit",
}

// TestSequences plays the sequences of the file that MQTT_SEQUENCES names, as a broker.
func TestSequences(t *testing.T) {
	file := os.Getenv("MQTT_SEQUENCES")
	if file == "" {
		t.Skip("MQTT_SEQUENCES is not set")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var groups []sequenceGroup
	if err := json.Unmarshal(data, &groups); err != nil {
		t.Fatal(err)
	}
	total, passed := 0, 0
	for _, g := range groups {
		for _, s := range g.Tests {
			total++
			name := g.Group + "/" + s.Name
			expect := choose(s.sequenceOptions, g.sequenceOptions)
			err := playSequence(t, g.Command, expect, append(g.GroupMsgs[:len(g.GroupMsgs):len(g.GroupMsgs)], s.Msgs...))
			why, known := disputed[name]
			switch {
			case err == nil:
				passed++
				if known {
					t.Errorf("%s passes, although it is listed as disputed", name)
				}
			case known:
				t.Logf("%s: %v: %s", name, err, why)
			default:
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	t.Logf("%d of %d sequences", passed, total)
}

func choose(test, group sequenceOptions) sequenceOptions {
	yes := true
	pick := func(a, b *bool) *bool {
		if a != nil {
			return a
		}
		if b != nil {
			return b
		}
		return &yes
	}
	return sequenceOptions{
		pick(test.Connect, group.Connect), pick(test.Connack, group.Connack), pick(test.ExpectDisconnect, group.ExpectDisconnect),
	}
}

// playSequence runs one test and returns what was not as expected.
func playSequence(t *testing.T, command string, expect sequenceOptions, steps []sequenceStep) error {
	ours, theirs := net.Pipe()
	defer ours.Close()
	if err := ours.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	conns := make(chan net.Conn, 1)
	conns <- theirs
	c, err := New(Config{
		URLs: []string{"mqtt://runner"}, ClientID: "fuzzish", CleanStart: true, ReceiveMaximum: 20, SessionExpiry: NoSession,
		Dial: func(ctx context.Context, _ *url.URL, _ *tls.Config) (net.Conn, error) {
			select {
			case nc := <-conns:
				return nc, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	defer func() {
		cancel()
		<-ended
	}()

	switch command {
	case "publish-1", "publish-2":
		if err := c.Send(&Message{Topic: "test/publish", Payload: []byte("message"), QoS: QoS(command[8] - '0')}, nil); err != nil {
			return err
		}
	case "unsubscribe":
		go func() { _, _ = c.Unsubscribe(ctx, []string{"test/subscribe"}) }()
	}

	// A pipe holds nothing: whoever does not read blocks the other. So everything is read at once.
	received := make(chan []byte, 100)
	go func() {
		defer close(received)
		for {
			p, err := readWhole(ours)
			if err != nil {
				return
			}
			received <- p
		}
	}()
	if *expect.Connect {
		if p := <-received; len(p) == 0 || p[0] != 0x10 {
			return fmt.Errorf("want CONNECT, got % x", p)
		}
		if *expect.Connack {
			if _, err := ours.Write([]byte{0x20, 6, 0, 0, 3, 0x21, 0, 20}); err != nil {
				return err
			}
		}
	}
	for _, s := range steps {
		b, err := sequenceBytes(s.Payload)
		if err != nil {
			return err
		}
		if s.Type == "send" {
			// The client may have left already, or leave before it read everything.
			if _, err := ours.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				return err
			}
			continue
		}
		if got := <-received; !sameForSequence(b, got) {
			return fmt.Errorf("want % x, got % x", b, got)
		}
	}
	alive := packet.Publish{QoS: 1, ID: 65535, Topic: "alive check"}
	_, _ = ours.Write(alive.Append(nil)) // fails if the client has left
	connected := false
	for p := range received {
		if bytes.Equal(p, []byte{0x40, 2, 0xff, 0xff}) {
			connected = true
			break
		}
	}
	if connected == *expect.ExpectDisconnect {
		return fmt.Errorf("connected %v, want %v", connected, !connected)
	}
	return nil
}

// readWhole reads one packet.
func readWhole(r io.Reader) ([]byte, error) {
	var b []byte
	for {
		var one [1]byte
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return nil, err
		}
		b = append(b, one[0])
		h, size, err := packet.DecodeHeader(b)
		if err != nil {
			return nil, err
		}
		if size > 0 {
			body := make([]byte, h.Length)
			_, err := io.ReadFull(r, body)
			return append(b, body...), err
		}
	}
}

// sameForSequence compares what the standard fixes: of PUBLISH and UNSUBSCRIBE all but the
// properties; an unknown PUBREC may be answered with 0x92.
func sameForSequence(want, got []byte) bool {
	if bytes.Equal(want, got) {
		return true
	}
	if len(want) == 0 || len(got) == 0 || want[0] != got[0] {
		return false
	}
	switch packet.Type(want[0] >> 4) {
	case packet.PUBREL:
		return len(got) == 5 && bytes.Equal(want[2:4], got[2:4]) && got[4] == byte(packet.PacketIdentifierNotFound)
	case packet.PUBLISH, packet.UNSUBSCRIBE:
		return essence(want) == essence(got)
	}
	return false
}

func essence(b []byte) string {
	h, size, err := packet.DecodeHeader(b)
	if err != nil {
		return err.Error()
	}
	p, err := packet.Decode(h, b[size:])
	switch p := p.(type) {
	case *packet.Publish:
		return fmt.Sprintf("%d %v %v %d %q %q", p.QoS, p.Dup, p.Retain, p.ID, p.Topic, p.Payload)
	case *packet.Unsubscribe:
		return fmt.Sprintf("%d %q", p.ID, p.Filters)
	}
	return err.Error()
}

// sequenceBytes translates the payload language of the file.
func sequenceBytes(s string) ([]byte, error) {
	var b []byte
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if s[0] == '\'' {
			text, rest, ok := strings.Cut(s[1:], "'")
			if !ok {
				return nil, fmt.Errorf("no closing quote in %q", s)
			}
			b, s = append(b, text...), rest
			continue
		}
		token, rest, _ := strings.Cut(s, " ")
		s = rest
		kind := token[0]
		if !strings.ContainsRune("rvsHmkiL", rune(kind)) {
			raw, err := hex.DecodeString(token)
			if err != nil {
				return nil, err
			}
			b = append(b, raw...)
			continue
		}
		v, err := strconv.ParseUint(token[1:], 10, 32)
		if err != nil {
			return nil, err
		}
		switch kind {
		case 'i':
			b = append(b, byte(v))
		case 'L':
			b = append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
		case 'r', 'v':
			for v >= 0x80 {
				b, v = append(b, byte(v)|0x80), v>>7
			}
			b = append(b, byte(v))
		default:
			b = append(b, byte(v>>8), byte(v))
		}
	}
	return b, nil
}
