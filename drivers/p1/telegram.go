package p1

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// maxTelegram is more than any meter sends: with its longest text message, a telegram of DSMR 5 has
// 4 KiB.
const maxTelegram = 8 << 10

// A framer finds telegrams in bytes: from a slash to the end of the line of an exclamation mark.
// Neither may be inside of one.
type framer struct {
	buf []byte // of a telegram; empty outside of one
	end int    // of the exclamation mark; 0 before it
}

// put adds a byte, and returns the telegram that it completes, good until the next call.
func (f *framer) put(c byte) (telegram []byte, ok bool) {
	switch {
	case c == '/':
		f.buf, f.end = append(f.buf[:0], c), 0
		return nil, false
	case len(f.buf) == 0:
		return nil, false
	case len(f.buf) == maxTelegram:
		f.buf = f.buf[:0]
		return nil, false
	}
	f.buf = append(f.buf, c)
	switch {
	case c == '!' && f.end == 0:
		f.end = len(f.buf)
	case c == '\n' && f.end > 0:
		telegram, f.buf = f.buf, f.buf[:0]
		return telegram, true
	}
	return nil, false
}

var (
	errChecksum   = errors.New("the checksum was wrong")
	errNoChecksum = errors.New("it was without a checksum")
)

// objects are what a telegram says, by the codes: the texts in parentheses.
type objects map[string][]string

// parse takes a telegram apart. One without a checksum is an error unless that is usual.
func parse(telegram []byte, unchecked bool) (objects, error) {
	end := bytes.IndexByte(telegram, '!') + 1
	switch sum := strings.TrimRight(string(telegram[end:]), "\r\n"); {
	case sum == "" && !unchecked:
		return nil, errNoChecksum
	case sum != "" && !unchecked:
		// some meters leave out zeros at the beginning
		if v, err := strconv.ParseUint(sum, 16, 16); err != nil || len(sum) > 4 || uint16(v) != crc(telegram[:end]) {
			return nil, errChecksum
		}
	}
	all := objects{}
	last := ""
	for line := range strings.Lines(string(telegram[:end-1])) {
		code, rest, ok := strings.Cut(strings.TrimSpace(line), "(")
		if !ok || !strings.HasSuffix(rest, ")") {
			continue
		}
		code, _, _ = strings.Cut(code, "*") // "1-0:1.8.0*255"
		groups := strings.Split(rest[:len(rest)-1], ")(")
		switch _, there := all[code]; {
		case code == "": // DSMR 3 has the gas meter's number on a line of its own
			if last != "" {
				all[last] = append(all[last], groups...)
			}
		case !there:
			all[code], last = groups, code
		default:
			last = ""
		}
	}
	return all, nil
}

// crc returns the checksum: x¹⁶+x¹⁵+x²+1, beginning with 0.
func crc(b []byte) uint16 { return stream.CRC16(0xa001, 0, b) }

// A quantity is a number with its unit.
type quantity struct {
	number float64
	unit   string
}

// measured returns the quantity that a text says, "001581.123*kWh" or without a unit.
func measured(text string) (quantity, bool) {
	number, unit, _ := strings.Cut(text, "*")
	if strings.Trim(number, "-.0123456789") != "" { // ParseFloat also takes "inf" and "0x1p-2"
		return quantity{}, false
	}
	v, err := strconv.ParseFloat(number, 64)
	return quantity{v, unit}, err == nil
}

// external returns what the newest meter of a type on the meter's M-Bus says, and when it said it:
// 003 is gas, 004 heat, 007 water. Several may have been connected over the years.
func (o objects) external(kind int) (q quantity, at string, present bool) {
	for _, channel := range []string{"4", "3", "2", "1"} {
		prefix := "0-" + channel + ":24."
		groups := o[prefix+"1.0"]
		if len(groups) != 1 {
			continue
		}
		if n, err := strconv.Atoi(groups[0]); err != nil || n != kind {
			continue
		}
		present = true
		for _, value := range []string{"2.1", "2.3"} { // the latter is not corrected for temperature
			if g := o[prefix+value]; len(g) == 2 {
				if q, ok := measured(g[1]); ok && q.unit != "" {
					return q, g[0], true
				}
			}
		}
		if g := o[prefix+"3.0"]; len(g) == 7 { // (time)(00)(60)(1)(0-1:24.2.1)(m3)(number)
			if q, ok := measured(g[6]); ok && q.unit == "" {
				return quantity{q.number, g[5]}, g[0], true
			}
		}
	}
	return quantity{}, "", present
}

// moment returns the time that a text such as "170102192002W" says, as RFC 3339 has it; otherwise
// the reason why there is none.
func moment(text string) (at, reason string) {
	zone := map[string]string{"W": "+01:00", "S": "+02:00"}[text[max(0, len(text)-1):]]
	if zone == "" {
		return "", "no zone"
	}
	t, err := time.Parse("060102150405", text[:len(text)-1])
	if err != nil || t.Year() < 2000 {
		return "", "not measured"
	}
	return t.Format("2006-01-02T15:04:05") + zone, ""
}
