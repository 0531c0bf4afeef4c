package demo

import (
	"io"
	"net"
	"sync"
)

// link is the line between gateway and broker, which can be cut.
type link struct {
	listener net.Listener
	broker   string
	wg       sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// newLink listens on a free loopback port for connections to the broker's address.
func newLink(broker string) (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &link{listener: l, broker: broker, conns: map[net.Conn]bool{}}
	k.wg.Go(k.accept) // ends with close
	return k, nil
}

func (k *link) addr() string { return k.listener.Addr().String() }

// setCut cuts the line, with everything on it, or restores it.
func (k *link) setCut(cut bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = cut
	if cut {
		for c := range k.conns {
			c.Close()
		}
	}
}

func (k *link) close() {
	k.listener.Close()
	k.setCut(true)
	k.wg.Wait()
}

func (k *link) accept() {
	for {
		c, err := k.listener.Accept()
		if err != nil {
			return
		}
		k.wg.Go(func() { k.carry(c) })
	}
}

// carry copies both ways until either end closes or the line is cut.
func (k *link) carry(c net.Conn) {
	defer c.Close()
	b, err := net.Dial("tcp", k.broker)
	if err != nil {
		return
	}
	defer b.Close()
	if !k.add(c, b) {
		return
	}
	defer k.remove(c, b)
	done := make(chan struct{})
	go func() { // ends when either connection is closed; waited for below
		_, _ = io.Copy(b, c)
		b.Close()
		close(done)
	}()
	_, _ = io.Copy(c, b)
	c.Close()
	<-done
}

func (k *link) add(conns ...net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range conns {
		k.conns[c] = true
	}
	return !k.cut
}

func (k *link) remove(conns ...net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range conns {
		delete(k.conns, c)
	}
}
