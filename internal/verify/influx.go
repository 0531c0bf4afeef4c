package verify

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

var errNotALine = errors.New("telemetry: neither JSON nor InfluxDB line protocol")

// lineProtocol reads telemetry of the format influx: lines with the readings of one sensor and run.
// Of the fields only the identity counts.
func lineProtocol(text []byte) (m telemetry, err error) {
	s := scanner{text}
	for len(s.rest) > 0 {
		var of telemetry
		var r item
		of.Sensor = s.name(", ")
		for s.skip(',') {
			key := s.name("=")
			if value := s.name(", "); key == "gateway" {
				of.Gateway = value
			}
		}
		if !s.skip(' ') {
			return m, errNotALine
		}
		for more := true; more; more = s.skip(',') {
			key := s.name("=")
			value := s.value()
			var err error
			switch key {
			case "run":
				of.Run = value
			case "seq":
				r.Seq, err = strconv.ParseUint(strings.TrimSuffix(value, "i"), 10, 64)
			case "seq_to":
				r.SeqTo, err = strconv.ParseUint(strings.TrimSuffix(value, "i"), 10, 64)
			}
			if err != nil {
				return m, fmt.Errorf("telemetry: %s of a line: %w", key, err)
			}
		}
		if !s.skip(' ') {
			return m, errNotALine
		}
		end := bytes.IndexByte(s.rest, '\n')
		if end < 0 {
			end = len(s.rest)
		}
		ns, err := strconv.ParseInt(string(s.rest[:end]), 10, 64)
		if err != nil {
			return m, fmt.Errorf("telemetry: the time of a line: %w", err)
		}
		r.TS = contract.Time{Time: time.Unix(0, ns)}
		s.rest = s.rest[min(end+1, len(s.rest)):]
		if m.Readings != nil && (of.Gateway != m.Gateway || of.Run != m.Run || of.Sensor != m.Sensor) {
			return m, errors.New("telemetry: lines of several sensors or runs in one message")
		}
		m.Gateway, m.Run, m.Sensor = of.Gateway, of.Run, of.Sensor
		m.Readings = append(m.Readings, r)
	}
	return m, nil
}

// A scanner reads the parts of a line.
type scanner struct{ rest []byte }

// skip reports whether a character is next, and passes it.
func (s *scanner) skip(c byte) bool {
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// name reads a name up to one of the characters in end; a backslash before one of those that need
// it makes it a part of the name. An "=" that ends it is passed.
func (s *scanner) name(end string) string {
	var out []byte
	for i := 0; i < len(s.rest); i++ {
		c := s.rest[i]
		if c == '\\' && i+1 < len(s.rest) && bytes.IndexByte([]byte(", ="), s.rest[i+1]) >= 0 {
			i++
			out = append(out, s.rest[i])
			continue
		}
		if bytes.IndexByte([]byte(end), c) >= 0 || c == '\n' {
			s.rest = s.rest[i:]
			s.skip('=')
			return string(out)
		}
		out = append(out, c)
	}
	s.rest = nil
	return string(out)
}

// value reads the value of a field; of a text what stands between its quotes.
func (s *scanner) value() string {
	if !s.skip('"') {
		return s.name(", ")
	}
	var out []byte
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '\\' && i+1 < len(s.rest) && (s.rest[i+1] == '"' || s.rest[i+1] == '\\'):
			i++
			out = append(out, s.rest[i])
		case c == '"':
			s.rest = s.rest[i+1:]
			return string(out)
		default:
			out = append(out, c)
		}
	}
	s.rest = nil
	return string(out)
}
