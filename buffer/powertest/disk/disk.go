// Package disk is a network block device with a volatile write cache: what was written since the
// last flush is not on the medium yet, and a cut of the power loses it, or keeps a random part. It
// is for tests only.
package disk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
)

// sector is what the medium writes whole or not at all, as flash does. With less, ext4 itself does
// not survive: it refuses to load a journal whose commit block is torn.
const sector = 4096

// A Disk serves one client. Its methods may be called from any goroutine.
type Disk struct {
	medium *os.File
	size   int64
	cut    chan struct{} // closed at the flush at which the power goes out

	mu      sync.Mutex
	cache   map[int64][]byte // sectors written since the last flush
	flushes int
	last    int // the power goes out before the flush after this one
	isCut   bool
}

// New makes a disk of a medium, whose power goes out before the flush after the last.
func New(medium *os.File, last int) (*Disk, error) {
	st, err := medium.Stat()
	if err != nil {
		return nil, err
	}
	return &Disk{medium: medium, size: st.Size(), cut: make(chan struct{}), cache: map[int64][]byte{}, last: last}, nil
}

func (d *Disk) read(p []byte, at int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.medium.ReadAt(p, at); err != nil {
		return err
	}
	for i := int64(0); i < int64(len(p)); i += sector {
		if s, ok := d.cache[at+i]; ok {
			copy(p[i:], s)
		}
	}
	return nil
}

// aligned reports whether a request is of whole sectors, as the machine is told that they have to
// be.
func aligned(at, n int64) bool { return at%sector == 0 && n%sector == 0 }

func (d *Disk) write(p []byte, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := int64(0); i < int64(len(p)); i += sector {
		d.cache[at+i] = append([]byte(nil), p[i:i+sector]...)
	}
}

var errCut = errors.New("the power is cut")

// flush makes what was written durable, or cuts the power.
func (d *Disk) flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isCut || d.flushes >= d.last {
		if !d.isCut {
			d.isCut = true
			close(d.cut)
		}
		return errCut
	}
	d.flushes++
	return d.store(1)
}

// store writes sectors of the cache to the medium, each with this probability, and empties it.
func (d *Disk) store(probability float64) error {
	for at, s := range d.cache {
		if rand.Float64() < probability {
			if _, err := d.medium.WriteAt(s, at); err != nil {
				return err
			}
		}
	}
	clear(d.cache)
	return nil
}

// Lose ends the disk: of what was not flushed each sector reaches the medium with this probability.
// It returns how many there were.
func (d *Disk) Lose(probability float64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isCut = true
	n := len(d.cache)
	return n, d.store(probability)
}

// Numbers of the NBD protocol, https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md.
const (
	nbdMagic      = 0x4e42444d41474943
	optionMagic   = 0x49484156454f5054
	optionReply   = 0x0003e889045565a9
	requestMagic  = 0x25609513
	replyMagic    = 0x67446698
	fixedNewstyle = 1
	noZeroes      = 2
	optionGo      = 7
	optionAbort   = 2
	replyAck      = 1
	replyInfo     = 3
	replyUnknown  = 1<<31 + 1
	hasFlagsFlush = 1 | 1<<2
	commandRead   = 0
	commandWrite  = 1
	commandDisc   = 2
	commandFlush  = 3
	errInvalid    = 22
	maxRequest    = 32 << 20
	requestBytes  = 28
	infoExport    = 0
	infoBlockSize = 3
)

// CutAfter has the power go out before the flush after the next n.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = d.flushes + n
}

// Cut is closed when the power goes out at a flush.
func (d *Disk) Cut() <-chan struct{} { return d.cut }

// Serve answers the one client of the listener until it goes away or the power is cut.
func (d *Disk) Serve(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	in := bufio.NewReaderSize(c, 1<<20)
	if err := d.negotiate(in, c); err != nil {
		return err
	}
	for {
		request := make([]byte, requestBytes)
		if _, err := io.ReadFull(in, request); err != nil {
			return err
		}
		command := binary.BigEndian.Uint16(request[6:])
		at, n := int64(binary.BigEndian.Uint64(request[16:])), int64(binary.BigEndian.Uint32(request[24:]))
		if binary.BigEndian.Uint32(request) != requestMagic || n > maxRequest || !aligned(at, n) {
			return errors.New("not a request of whole sectors")
		}
		reply := binary.BigEndian.AppendUint32(nil, replyMagic)
		var data []byte
		var failed error
		known := true
		switch command {
		case commandRead:
			data = make([]byte, n)
			failed = d.read(data, at)
		case commandWrite:
			p := make([]byte, n)
			if _, err := io.ReadFull(in, p); err != nil {
				return err
			}
			d.write(p, at)
		case commandFlush:
			failed = d.flush()
		case commandDisc:
			return nil
		default:
			known = false
		}
		if failed != nil {
			return failed
		}
		if known {
			reply = binary.BigEndian.AppendUint32(reply, 0)
		} else {
			reply = binary.BigEndian.AppendUint32(reply, errInvalid)
		}
		if _, err := c.Write(append(append(reply, request[8:16]...), data...)); err != nil {
			return err
		}
	}
}

// negotiate tells the client the size, and that it has to flush.
func (d *Disk) negotiate(in io.Reader, out io.Writer) error {
	hello := binary.BigEndian.AppendUint64(nil, nbdMagic)
	hello = binary.BigEndian.AppendUint64(hello, optionMagic)
	if _, err := out.Write(binary.BigEndian.AppendUint16(hello, fixedNewstyle|noZeroes)); err != nil {
		return err
	}
	if _, err := io.ReadFull(in, make([]byte, 4)); err != nil {
		return err
	}
	for {
		head := make([]byte, 16)
		if _, err := io.ReadFull(in, head); err != nil {
			return err
		}
		option := binary.BigEndian.Uint32(head[8:])
		if _, err := io.CopyN(io.Discard, in, int64(binary.BigEndian.Uint32(head[12:]))); err != nil {
			return err
		}
		answer := func(kind uint32, data []byte) error {
			b := binary.BigEndian.AppendUint64(nil, optionReply)
			b = binary.BigEndian.AppendUint32(b, option)
			b = binary.BigEndian.AppendUint32(b, kind)
			b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
			_, err := out.Write(append(b, data...))
			return err
		}
		switch option {
		case optionGo:
			export := binary.BigEndian.AppendUint16(nil, infoExport)
			export = binary.BigEndian.AppendUint64(export, uint64(d.size))
			export = binary.BigEndian.AppendUint16(export, hasFlagsFlush)
			sizes := binary.BigEndian.AppendUint16(nil, infoBlockSize)
			for _, n := range []uint32{sector, sector, maxRequest} { // at least, best, at most
				sizes = binary.BigEndian.AppendUint32(sizes, n)
			}
			return errors.Join(answer(replyInfo, export), answer(replyInfo, sizes), answer(replyAck, nil))
		case optionAbort:
			return errors.New("the client gave up")
		default:
			if err := answer(replyUnknown, nil); err != nil {
				return err
			}
		}
	}
}
