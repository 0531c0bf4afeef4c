package verify

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// maxLine is the longest line of a file, in bytes: more than a message can have.
const maxLine = 64 << 20

// A line is what Lines reads: a message with its topic, or a document of a gateway by itself.
type line struct {
	Topic   string          `json:"topic"`
	Payload json.RawMessage `json:"payload"`     // the document, or a string with its text
	Hex     *string         `json:"payload_hex"` // or its bytes in hexadecimal

	N        json.RawMessage `json:"n"`        // of an event
	Readings json.RawMessage `json:"readings"` // of telemetry
	Seq      json.RawMessage `json:"seq"`
}

// Lines takes in a file of JSON lines. A line is a document as a gateway sent it, a line of
// InfluxDB line protocol, or an object with
// its topic and its payload, as `mosquitto_sub -F %j` and `-F %J` print them, or with the payload
// in hexadecimal as payload_hex, for compressed telemetry. Documents of other kinds are passed
// over. A line that cannot be read is reported in the report.
func (t *Tracker) Lines(r io.Reader, name string) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxLine)
	n := 0
	for s.Scan() {
		n++
		text := bytes.TrimSpace(s.Bytes())
		if len(text) == 0 {
			continue
		}
		if err := t.line(text); err != nil {
			_ = t.notRead(fmt.Sprintf("%s:%d", name, n), err)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", name, n+1, err)
	}
	return nil
}

func (t *Tracker) line(text []byte) error {
	if text[0] != '{' {
		return t.telemetry(text, unknownLane)
	}
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	switch {
	case l.Topic != "":
		payload := []byte(l.Payload)
		var quoted string
		if json.Unmarshal(payload, &quoted) == nil {
			payload = []byte(quoted)
		}
		if l.Hex != nil {
			var err error
			if payload, err = hex.DecodeString(*l.Hex); err != nil {
				return fmt.Errorf("payload_hex: %w", err)
			}
		}
		if len(payload) == 0 {
			return nil // cleared
		}
		return t.message(l.Topic, payload)
	case l.Readings != nil || l.Seq != nil:
		return t.telemetry(text, unknownLane)
	case l.N != nil:
		return t.event(text)
	}
	return nil
}
