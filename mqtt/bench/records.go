package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// checkRecords counts the TLS records that package mqtt sends, and its writes.
func checkRecords(ctx context.Context, certificate, key string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	counter := new(recordCounter)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			return
		}
		counter.Conn = raw
		acknowledge(tls.Server(counter, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS12}), 1000)
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	t := target{url: localURL(true, port), roots: certificate}
	c, err := mqtt.New(mqtt.Config{
		URLs: []string{t.url.String()}, ClientID: "records", SessionExpiry: mqtt.NoSession, MaxQueued: 10_000,
		TLS: func(context.Context) (*tls.Config, error) { return tlsConfig(t) },
	})
	if err != nil {
		return err
	}
	m := &mqtt.Message{Topic: topic, Payload: make([]byte, *payload), QoS: mqtt.AtLeastOnce}
	var settled atomic.Int64
	all := make(chan struct{})
	const n = 10_000
	for range n {
		if err := c.Send(m, func(mqtt.PublishResult, error) {
			if settled.Add(1) == n {
				close(all)
			}
		}); err != nil {
			return err
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	select {
	case <-all:
	case err := <-ended:
		return err
	}
	s := c.Stats()
	cancel()
	<-ended
	// Records are counted for the whole connection: that of the CONNECT and that of the DISCONNECT
	// are not flushes in s.
	fmt.Printf("TLS: %d records for %d flushes of %d bytes on average, the largest with %d bytes of ciphertext\n",
		counter.records.Load()-2, s.Writes, s.BytesOut/s.Writes, counter.largest.Load())
	return nil
}

// A recordCounter counts the records of application data in what is read.
type recordCounter struct {
	net.Conn
	head             [5]byte
	have, body       int
	records, largest atomic.Int64
}

func (c *recordCounter) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for rest := b[:n]; len(rest) > 0; {
		if c.body > 0 {
			skip := min(c.body, len(rest))
			c.body -= skip
			rest = rest[skip:]
			continue
		}
		c.head[c.have] = rest[0]
		rest = rest[1:]
		if c.have++; c.have == len(c.head) {
			c.have = 0
			c.body = int(c.head[3])<<8 | int(c.head[4])
			if c.head[0] == 23 {
				c.records.Add(1)
				c.largest.Store(max(c.largest.Load(), int64(c.body)))
			}
		}
	}
	return n, err
}
