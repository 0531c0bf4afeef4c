// Package modbustest has models of Modbus devices for tests: units with registers, a serial line
// with several of them and with faults, and a server. Only tests import it. It is written from the
// specification, not from the driver.
package modbustest

import (
	"encoding/binary"
	"sync"
)

// A Unit is a device. What it does not have in its tables, it refuses with exception 2.
type Unit struct {
	mu       sync.Mutex
	holding  map[uint16]uint16
	input    map[uint16]uint16
	coils    map[uint16]bool
	discrete map[uint16]bool
	requests [][]byte
}

// NewUnit returns a device that has nothing.
func NewUnit() *Unit {
	return &Unit{holding: map[uint16]uint16{}, input: map[uint16]uint16{}, coils: map[uint16]bool{}, discrete: map[uint16]bool{}}
}

// Holding puts values into holding registers from an address on.
func (u *Unit) Holding(address uint16, values ...uint16) *Unit {
	return put(u, u.holding, address, values)
}

// Input puts values into input registers.
func (u *Unit) Input(address uint16, values ...uint16) *Unit { return put(u, u.input, address, values) }

// Coils sets coils.
func (u *Unit) Coils(address uint16, values ...bool) *Unit { return put(u, u.coils, address, values) }

// Discrete sets discrete inputs.
func (u *Unit) Discrete(address uint16, values ...bool) *Unit {
	return put(u, u.discrete, address, values)
}

func put[V any](u *Unit, table map[uint16]V, address uint16, values []V) *Unit {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, v := range values {
		table[address+uint16(i)] = v
	}
	return u
}

// HoldingAt returns a holding register.
func (u *Unit) HoldingAt(address uint16) uint16 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.holding[address]
}

// Requests returns what it was asked: function and data of each request.
func (u *Unit) Requests() [][]byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.requests
}

// Answer returns the answer to a request: function and data.
func (u *Unit) Answer(pdu []byte) []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = append(u.requests, append([]byte(nil), pdu...))
	function := pdu[0]
	refuse := func(code byte) []byte { return []byte{function | 0x80, code} }
	if len(pdu) < 5 {
		return refuse(3)
	}
	address, count := binary.BigEndian.Uint16(pdu[1:]), binary.BigEndian.Uint16(pdu[3:])
	switch function {
	case 1, 2:
		table := u.coils
		if function == 2 {
			table = u.discrete
		}
		if count == 0 || count > 2000 {
			return refuse(3)
		}
		answer := append([]byte{function, byte((count + 7) / 8)}, make([]byte, (count+7)/8)...)
		for i := range count {
			v, ok := table[address+i]
			if !ok {
				return refuse(2)
			}
			if v {
				answer[2+i/8] |= 1 << (i % 8)
			}
		}
		return answer
	case 3, 4:
		table := u.holding
		if function == 4 {
			table = u.input
		}
		if count == 0 || count > 125 {
			return refuse(3)
		}
		answer := []byte{function, byte(2 * count)}
		for i := range count {
			v, ok := table[address+i]
			if !ok {
				return refuse(2)
			}
			answer = binary.BigEndian.AppendUint16(answer, v)
		}
		return answer
	case 5:
		if _, ok := u.coils[address]; !ok {
			return refuse(2)
		}
		if count != 0 && count != 0xff00 {
			return refuse(3)
		}
		u.coils[address] = count != 0
		return pdu[:5]
	case 6:
		if _, ok := u.holding[address]; !ok {
			return refuse(2)
		}
		u.holding[address] = count
		return pdu[:5]
	case 15:
		for i := range count {
			if _, ok := u.coils[address+i]; !ok {
				return refuse(2)
			}
			u.coils[address+i] = pdu[6+i/8]>>(i%8)&1 != 0
		}
		return pdu[:5]
	case 16:
		for i := range count {
			if _, ok := u.holding[address+i]; !ok {
				return refuse(2)
			}
			u.holding[address+i] = binary.BigEndian.Uint16(pdu[6+2*i:])
		}
		return pdu[:5]
	}
	return refuse(1)
}
