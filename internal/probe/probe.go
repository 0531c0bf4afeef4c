// Package probe judges what answers at the broker's port, with the judgement of the MQTT library,
// for those who try a connection by hand.
package probe

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// keys are what the library's words are called in the configuration.
var keys = strings.NewReplacer("the CA file", "mqtt.tls.ca_file", "the certificate and the key", "mqtt.tls.cert_file and key_file",
	"the user name and the password", "mqtt.username and the password", "the URL", "mqtt.urls", "the TLS server name", "mqtt.tls.server_name")

// Diagnose returns err with its cause, and what to do in the words of the configuration.
func Diagnose(err error) (remedy string, cause error) {
	d := mqtt.Diagnose(err)
	return keys.Replace(d.Remedy), &diagnosed{d.Cause, err}
}

// A diagnosed error has its cause in front.
type diagnosed struct {
	cause string
	err   error
}

func (d *diagnosed) Error() string { return d.cause + ": " + d.err.Error() }
func (d *diagnosed) Unwrap() error { return d.err }

// Sentence returns what Diagnose has found, for a person who is at work on it: the cause and the
// remedy, without the words of the error itself. Any other error is left as it is.
func Sentence(err error, remedy string) error {
	text := err.Error()
	if d := (*diagnosed)(nil); errors.As(err, &d) {
		text = d.cause
	}
	if remedy != "" {
		text += ": " + remedy
	}
	return errors.New(text)
}

// Refusal returns the error of a CONNACK that refuses.
func Refusal(answer *packet.Connack) error {
	p := &answer.Properties
	return &mqtt.ReasonError{Packet: packet.CONNACK.String(), Code: answer.Code, Reason: p.ReasonString, ServerReference: p.ServerReference}
}

// NewReader returns a reader of packets for ReadConnack and Next.
func NewReader(conn net.Conn) *bufio.Reader { return bufio.NewReaderSize(conn, 2*maxBody) }

// maxBody is the longest packet that is looked at, in bytes.
const maxBody = 64 << 10

// ReadConnack reads the first packet that a broker sends.
func ReadConnack(r *bufio.Reader) (*packet.Connack, error) {
	first, err := r.Peek(4)
	if err := mqtt.CheckAnswer(first, err); err != nil {
		return nil, err
	}
	h, body, err := Next(r)
	switch {
	case err != nil:
		return nil, err
	case h.Type != packet.CONNACK || h.Length > maxBody:
		return nil, fmt.Errorf("got a packet of type %v and %d bytes, want CONNACK", h.Type, h.Length)
	case h.Length == 2:
		return nil, mqtt.ErrNotMQTT5
	}
	answer := new(packet.Connack)
	return answer, answer.Decode(h, body)
}

// Next reads a packet. It returns no body for one that is longer than 64 KiB. The body is valid
// until the next call.
func Next(r *bufio.Reader) (h packet.Header, body []byte, err error) {
	for n := 2; n <= packet.MaxHeaderSize; n++ {
		head, err := r.Peek(n)
		if err != nil {
			return h, nil, err
		}
		h, size, err := packet.DecodeHeader(head)
		if err != nil {
			return h, nil, err
		}
		if size == 0 {
			continue
		}
		if h.Length > maxBody {
			_, err := r.Discard(size + h.Length)
			return h, nil, err
		}
		whole, err := r.Peek(size + h.Length)
		if err != nil {
			return h, nil, err
		}
		_, err = r.Discard(len(whole))
		return h, whole[size:], err
	}
	return h, nil, errors.New("the answer is not an MQTT packet")
}
