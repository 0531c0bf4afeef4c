package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// The packets of USB/IP, as Documentation/usb/usbip_protocol.rst has them.
const (
	headerSize = 48
	cmdSubmit  = 1
	cmdUnlink  = 2
	retSubmit  = 3
	retUnlink  = 4

	fullSpeed = 2
	deviceID  = 1<<16 | 2
)

// attachFile is where a socket is given to the kernel.
const attachFile = "/sys/devices/platform/vhci_hcd.0/attach"

// A plug is a device in a USB socket.
type plug struct {
	conn net.Conn
	done chan struct{} // serve has returned
}

// plugIn puts a device that answers control requests into one of the eight sockets of the virtual
// host controller.
func plugIn(socket int, control func(setup [8]byte, out []byte, in int) ([]byte, error)) (*plug, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	ours, kernels := os.NewFile(uintptr(fds[0]), "usbip"), os.NewFile(uintptr(fds[1]), "usbip")
	conn, err := net.FileConn(ours)
	if err = errors.Join(err, ours.Close()); err != nil {
		return nil, errors.Join(err, kernels.Close())
	}
	p := &plug{conn: conn, done: make(chan struct{})}
	go func() { // until pull
		defer close(p.done)
		serve(conn, control)
	}()
	err = os.WriteFile(attachFile, fmt.Appendf(nil, "%d %d %d %d", socket, kernels.Fd(), deviceID, fullSpeed), 0)
	if err = errors.Join(err, kernels.Close()); err != nil {
		return nil, errors.Join(err, p.pull())
	}
	return p, nil
}

// pull unplugs the device, also in the middle of a request.
func (p *plug) pull() error {
	err := p.conn.Close()
	<-p.done
	return err
}

// serve answers the kernel's packets until the connection ends.
func serve(conn io.ReadWriter, control func([8]byte, []byte, int) ([]byte, error)) {
	for {
		answer, err := exchange(conn, control)
		if err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// exchange reads a packet and returns the answer.
func exchange(conn io.Reader, control func([8]byte, []byte, int) ([]byte, error)) ([]byte, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(conn, h[:]); err != nil {
		return nil, err
	}
	be := binary.BigEndian
	sequence, toHost, endpoint, length := be.Uint32(h[4:]), be.Uint32(h[12:]) == 1, be.Uint32(h[16:]), be.Uint32(h[24:])
	answer := make([]byte, headerSize)
	be.PutUint32(answer[4:], sequence)
	switch be.Uint32(h[0:]) {
	case cmdUnlink: // whatever it was about has been answered before
		be.PutUint32(answer[0:], retUnlink)
		return answer, nil
	case cmdSubmit:
		be.PutUint32(answer[0:], retSubmit)
	default:
		return nil, fmt.Errorf("a packet of kind %d", be.Uint32(h[0:]))
	}
	var out []byte
	if !toHost {
		if length > 1<<16 {
			return nil, fmt.Errorf("a request of %d bytes", length)
		}
		out = make([]byte, length)
		if _, err := io.ReadFull(conn, out); err != nil {
			return nil, err
		}
	}
	var in []byte
	err := error(syscall.EPIPE) // a stall: there is no other endpoint
	if endpoint == 0 {
		in, err = control([8]byte(h[40:]), out, int(length))
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		be.PutUint32(answer[20:], uint32(-int32(errno)))
		return answer, nil
	}
	if toHost {
		be.PutUint32(answer[24:], uint32(len(in)))
		return append(answer, in...), nil
	}
	be.PutUint32(answer[24:], length)
	return answer, nil
}
