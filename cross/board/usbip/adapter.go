package main

import (
	"encoding/binary"
	"sync"
	"syscall"
	"time"
)

// A chip is the model of one on the adapter's bus (see drivertest.Chip).
type chip interface {
	Transfer(w, r []byte) error
}

// An adapter is an i2c-tiny-usb with chips on its bus.
type adapter struct {
	mu      sync.Mutex // held while a chip is used
	chips   map[uint16]chip
	hang    time.Duration // how long the next request of a transfer takes
	status  byte          // of the last message
	written []byte        // the first message of a transfer whose second one is a read
	count   int           // messages to chips that there are
}

// The requests of i2c-tiny-usb, by the driver of Linux.
const (
	requestFunctions = 1
	requestDelay     = 2 // how fast the bus is to be
	requestStatus    = 3
	requestTransfer  = 4 // with these two bits:
	transferBegins   = 1
	transferEnds     = 2

	flagRead = 1 // I2C_M_RD

	statusACK  = 1
	statusNACK = 2

	functions = 0x0eff0001 // plain transfers, and SMBus by means of them
)

// change changes chips while none of them is being used.
func (a *adapter) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// messages returns how many messages there were since the last call.
func (a *adapter) messages() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.count
	a.count = 0
	return n
}

// takeHang returns how long the adapter is to hang now.
func (a *adapter) takeHang() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	hang := a.hang
	a.hang = 0
	return hang
}

// control answers a control request.
func (a *adapter) control(setup [8]byte, out []byte, in int) ([]byte, error) {
	le := binary.LittleEndian
	kind, request, value, index := setup[0]>>5&3, setup[1], le.Uint16(setup[2:]), le.Uint16(setup[4:])
	if kind == 0 {
		answer, err := describe(request, value)
		return answer[:min(len(answer), in)], err
	}
	transfer := request&^(transferBegins|transferEnds) == requestTransfer
	if transfer {
		time.Sleep(a.takeHang())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case request == requestFunctions:
		return le.AppendUint32(nil, functions), nil
	case request == requestDelay:
		return nil, nil
	case request == requestStatus:
		return []byte{a.status}, nil
	case transfer:
		return a.message(request, value, index, out, in), nil
	}
	return nil, syscall.EPIPE
}

// message makes one message of a transfer, whose outcome is the status. The models take a write and
// the read after it as one: the write is kept, and acknowledged if there is a chip at all.
func (a *adapter) message(request byte, flags, addr uint16, out []byte, in int) []byte {
	c := a.chips[addr]
	if c != nil {
		a.count++
	}
	written := a.written
	a.written = nil
	a.status = statusNACK
	switch {
	case flags&flagRead != 0:
		r := make([]byte, in)
		if c != nil && c.Transfer(written, r) == nil {
			a.status = statusACK
		}
		return r
	case request&transferEnds == 0:
		a.written = out
		if c != nil {
			a.status = statusACK
		}
	case c != nil && c.Transfer(out, nil) == nil:
		a.status = statusACK
	}
	return nil
}

// describe answers the standard requests: what the device is.
func describe(request byte, value uint16) ([]byte, error) {
	const getStatus, getDescriptor, getConfiguration = 0, 6, 8
	switch request {
	case getStatus:
		return []byte{0, 0}, nil
	case getConfiguration:
		return []byte{1}, nil
	case getDescriptor:
	default:
		return nil, nil // set address, configuration, interface
	}
	switch value >> 8 {
	case 1: // device: USB 1.1, vendor's class, 0403:c631
		return []byte{18, 1, 0x10, 0x01, 0xff, 0, 0, 64, 0x03, 0x04, 0x31, 0xc6, 5, 2, 1, 2, 3, 1}, nil
	case 2: // configuration with one interface that has no endpoints
		return []byte{9, 2, 18, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 0, 0xff, 0, 0, 0}, nil
	case 3:
		if value&0xff == 0 {
			return []byte{4, 3, 0x09, 0x04}, nil // English
		}
		text := []string{"", "fieldgate", "models of chips", "MODEL1"}[value&3]
		answer := []byte{byte(2 + 2*len(text)), 3}
		for _, c := range []byte(text) {
			answer = append(answer, c, 0)
		}
		return answer, nil
	}
	return nil, syscall.EPIPE
}
