package config

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// A machine is where the identity of this one comes from.
type machine struct {
	idFile     string                          // machine-id(5)
	interfaces func() ([]net.Interface, error) // of the network
	stateDir   string                          // where a random id is kept if nothing else is there
}

// thisMachine is asked once: an identity does not change while the program runs.
var thisMachine = sync.OnceValues(func() (identity, error) {
	dir := os.Getenv("STATE_DIRECTORY")
	if dir == "" {
		dir = "/var/lib/fieldgate"
	}
	return machine{"/etc/machine-id", net.Interfaces, dir}.identify()
})

// An identity distinguishes this machine from others.
type identity struct {
	hash    string // 64 hex digits
	warning string // if it does not come from machine-id(5)
}

// identify returns the machine's identity. An id that is empty, missing or "uninitialized" is what
// all boards of an image have in common: the address of a network card is taken instead, and if
// there is none a random id that is kept.
func (m machine) identify() (identity, error) {
	text, err := ReadFile(m.idFile, 4<<10)
	if err == nil && isMachineID(bytes.TrimSpace(text)) {
		return identity{hash: hashOf(text)}, nil
	}
	why := m.idFile + " has no id"
	if errors.Is(err, fs.ErrNotExist) {
		why = m.idFile + " does not exist"
	} else if err != nil {
		why = err.Error()
	}
	if address := m.address(); address != "" {
		return identity{hashOf([]byte(address)), why + ": the default gateway.id comes from the network card " + address + " (run systemd-machine-id-setup, or set gateway.id)"}, nil
	}
	id, file, err := m.random()
	if err != nil {
		return identity{}, fmt.Errorf("%s, this machine has no network card of its own, and no id can be stored: %w", why, err)
	}
	return identity{hashOf(id), why + ": the default gateway.id comes from the random id in " + file + " (run systemd-machine-id-setup, or set gateway.id)"}, nil
}

// isMachineID reports whether text is an id as machine-id(5) defines it.
func isMachineID(text []byte) bool {
	id, err := hex.DecodeString(string(text))
	return err == nil && len(id) == 16 && !bytes.Equal(id, make([]byte, 16))
}

// address returns the hardware address of the first network card that its maker gave one.
func (m machine) address() string {
	list, err := m.interfaces()
	if err != nil {
		return ""
	}
	for _, i := range list {
		a := i.HardwareAddr
		if i.Flags&net.FlagLoopback == 0 && len(a) == 6 && a[0]&0x03 == 0 && !bytes.Equal(a, make([]byte, 6)) {
			return a.String()
		}
	}
	return ""
}

// random returns the id that is kept in the state directory, and makes it if there is none.
func (m machine) random() (id []byte, file string, err error) {
	file = filepath.Join(m.stateDir, "machine-id")
	if id, err = ReadFile(file, 4<<10); err == nil && isMachineID(bytes.TrimSpace(id)) {
		return bytes.TrimSpace(id), file, nil
	}
	var b [16]byte
	rand.Read(b[:])
	id = hex.AppendEncode(nil, b[:])
	return id, file, ReplaceFile(file, append(id, '\n'), 0o644)
}

func hashOf(id []byte) string {
	sum := sha256.Sum256(append([]byte("fieldgate "), id...))
	return hex.EncodeToString(sum[:])
}

// MachineHash returns a hash of this machine's id that does not reveal the id (machine-id(5) asks
// for that): 64 hex digits.
func MachineHash() string {
	id, err := thisMachine()
	if err != nil {
		return hashOf(nil)
	}
	return id.hash
}

// defaultID returns the host name and 6 hex digits of the machine's hash.
func defaultID(hash string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "gateway"
	}
	host, _, _ = strings.Cut(host, ".")
	host = strings.Map(func(r rune) rune {
		if badName(string(r)) != "" {
			return '-'
		}
		return r
	}, host)
	return host[:min(len(host), 57)] + "-" + hash[:6]
}
