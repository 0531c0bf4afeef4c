package drivers

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A PortKind is what a Port is made of.
type PortKind uint8

const (
	DevicePort  PortKind = iota // a serial port by its device file or its USBName
	TCPPort                     // host and port of a serial device server, or of a service: "192.168.1.20:4001"
	UnixPort                    // a socket of this machine: "unix:/run/meter.sock"
	ProgramPort                 // a program whose output is read: "exec:/usr/bin/rtl_433 -F json"
)

// A PortName is the name of a bus of the kinds SerialBus and NetworkBus, taken apart.
type PortName struct {
	Kind    PortKind
	Address string   // of TCPPort and UnixPort, as a net.Dialer takes it; of DevicePort the name itself
	Program []string // of ProgramPort: the path and the arguments
}

// ParsePort takes a name apart, or returns what is wrong with its form.
func ParsePort(name string) (PortName, error) {
	if path, ok := strings.CutPrefix(name, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return PortName{}, errors.New(`must be the whole path of a socket, such as "unix:/run/meter.sock"`)
		}
		return PortName{Kind: UnixPort, Address: path}, nil
	}
	if command, ok := strings.CutPrefix(name, "exec:"); ok {
		words, err := splitWords(command)
		if err != nil {
			return PortName{}, err
		}
		if len(words) == 0 || !filepath.IsAbs(words[0]) {
			return PortName{}, errors.New(`must be the whole path of a program and its arguments, such as "exec:/usr/bin/rtl_433 -F json"`)
		}
		return PortName{Kind: ProgramPort, Program: words}, nil
	}
	if _, ok := ParseUSBName(name); ok || filepath.IsAbs(name) && !strings.HasPrefix(name, "/dev/i2c-") {
		return PortName{Kind: DevicePort, Address: name}, nil
	}
	host, port, err := net.SplitHostPort(name)
	if n, numErr := strconv.ParseUint(port, 10, 16); err == nil && numErr == nil && n > 0 && host != "" && host != "usb" {
		return PortName{Kind: TCPPort, Address: name}, nil
	}
	return PortName{}, fmt.Errorf(`must be a device file of a serial port, with its whole path, such as %q, an adapter's "usb:VID:PID" or "usb:VID:PID:SERIAL", "host:port", "unix:/path", or "exec:/path arguments"`,
		SerialBus.Example())
}

// splitWords splits a command at spaces. Quotes, ' or ", keep words together; there are no
// variables, no patterns and no escapes, since no shell is involved.
func splitWords(command string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune // that is open
	inWord, quoted := false, false
	var operator error
	end := func() {
		if inWord {
			words = append(words, word.String())
		}
		if inWord && !quoted && operator == nil && isOperator(word.String()) {
			operator = fmt.Errorf("has %s, but no shell that would understand it: write a script and name that, or quote what is an argument", word.String())
		}
		word.Reset()
		inWord, quoted = false, false
	}
	for _, r := range command {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord, quoted = r, true, true
		case r == ' ' || r == '\t':
			end()
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	}
	end()
	return words, operator
}

// isOperator reports whether a word means something to a shell, and is not likely an argument.
func isOperator(word string) bool {
	word = strings.TrimPrefix(strings.TrimPrefix(word, "2"), "1")
	return slices.Contains([]string{"|", "||", "&", "&&", ";", "<"}, word) || strings.HasPrefix(word, ">")
}
