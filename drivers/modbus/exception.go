package modbus

import (
	"fmt"
	"strings"
)

// An Exception is a device's refusal of a request: section 7 of the application protocol.
type Exception uint8

const (
	illegalFunction Exception = 1
	illegalAddress  Exception = 2
	illegalValue    Exception = 3
	acknowledged    Exception = 5
	busy            Exception = 6
	noPath          Exception = 10
	noTarget        Exception = 11
)

func (e Exception) Error() string {
	if name := e.name(); name != "" {
		return fmt.Sprintf("exception %d (%s)", uint8(e), name)
	}
	return fmt.Sprintf("exception %d", uint8(e))
}

// FromGateway reports whether it is not the device that refused, but a gateway that has not reached
// it.
func (e Exception) FromGateway() bool { return e == noPath || e == noTarget }

// Short returns the exception without advice: "exception 2 (illegal address)".
func (e Exception) Short() string {
	text, _, advised := strings.Cut(e.Error(), ":")
	if advised {
		text += ")"
	}
	return text
}

func (e Exception) name() string {
	switch e {
	case illegalFunction:
		return "illegal function: the device does not know this table, or no writing to it"
	case illegalAddress:
		return "illegal address: the device has not all of these; manuals often count from 1, and holding register 0 is their 40001"
	case illegalValue:
		return "illegal value"
	case 4:
		return "device failure"
	case acknowledged:
		return "acknowledged, and still at it"
	case busy:
		return "device busy"
	case 8:
		return "memory parity error"
	case noPath:
		return "the gateway has no path to the device: is this its unit_id?"
	case noTarget:
		return "the device behind the gateway does not answer: is it powered, and is this its unit_id?"
	}
	return ""
}

// hint says which option may help if a device refuses a block; "" if none does.
func (s *settings) hint(b *block, e Exception) string {
	if e == busy || e == acknowledged {
		return fmt.Sprintf("; it was asked again for %v: a longer timeout gives it more time", s.timeout)
	}
	if e != illegalAddress && e != illegalValue || b.size == 1 {
		return ""
	}
	text := ""
	if b.holes > 0 {
		text = fmt.Sprintf("; %d of them are read along because of max_gap: try max_gap = 0", b.holes)
	}
	if len(b.entries) == 1 {
		return text
	}
	option, limit := "max_read", s.maxRead
	if b.table.bits() {
		option, limit = "max_read_bits", s.maxReadBits
	}
	return text + fmt.Sprintf("; %d fields were asked for at once: try %s below %d, or one_request_per_field = true", len(b.entries), option, min(limit, b.size))
}

// hintWrite is hint for writing.
func hintWrite(q *request, e Exception) string {
	if e == illegalFunction && q.echo {
		return "; if it writes with functions 15 and 16 only, set write_multiple = true"
	}
	return ""
}
