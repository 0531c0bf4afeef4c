package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	lookupTime  = 10 * time.Second // for the name's addresses, if there are older ones
	addressTime = 5 * time.Second  // for each of these
	storeTime   = 2 * time.Second  // for the store: a card that hangs must not keep the gateway from its broker
	addressMax  = 4                // of a name
	bucket      = "dns"
	key         = "addresses"
)

// A Store keeps the addresses of names over restarts.
type Store interface {
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	PutSoon(bucket, key string, value []byte)
}

// names knows the addresses of the configured hosts at which connections were made. They are used
// again while the names cannot be looked up; whom they belong to is for TLS to verify.
type names struct {
	hosts    []string
	store    Store
	resolver *net.Resolver
	log      *slog.Logger

	mu     sync.Mutex
	loaded bool
	known  map[string][]string // newest first, at most addressMax
	away   map[string]bool     // hosts whose names cannot be looked up
}

func newNames(c Config, hosts []string) *names {
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &names{hosts: hosts, store: c.Store, resolver: c.Resolver, log: log, known: map[string][]string{}, away: map[string]bool{}}
}

// connect fits mqtt.Dialer.Connect.
func (n *names) connect(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !slices.Contains(n.hosts, host) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	old := n.addresses(ctx, host)
	nc, err := n.lookUpAndConnect(ctx, network, address, len(old) > 0)
	if _, unknown := errors.AsType[*net.DNSError](err); err != nil && (!unknown || ctx.Err() != nil) {
		return nil, err
	}
	n.note(host, old, err)
	if err == nil {
		n.remember(host, nc)
		return nc, nil
	}
	for _, ip := range old {
		c, failed := (&net.Dialer{Timeout: addressTime}).DialContext(ctx, network, net.JoinHostPort(ip, port))
		if failed == nil {
			n.remember(host, c)
			return c, nil
		}
		err = fmt.Errorf("%w; at its last address: %w", err, failed)
	}
	return nil, err
}

// lookUpAndConnect connects to an address with a name. If limited, looking it up may take
// lookupTime, so that a resolver that does not answer leaves time for something else.
func (n *names) lookUpAndConnect(ctx context.Context, network, address string, limited bool) (net.Conn, error) {
	d := net.Dialer{Resolver: n.resolver}
	if limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		timer := time.AfterFunc(lookupTime, cancel)
		defer timer.Stop()
		d.Control = func(string, string, syscall.RawConn) error { timer.Stop(); return nil } // the name was looked up
	}
	return d.DialContext(ctx, network, address)
}

// addresses returns what is known of a host.
func (n *names) addresses(ctx context.Context, host string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.loaded && n.store != nil {
		ctx, cancel := context.WithTimeout(ctx, storeTime)
		defer cancel()
		text, err := n.store.Get(ctx, bucket, key)
		n.loaded = err == nil
		kept := map[string][]string{}
		if err == nil && json.Unmarshal(text, &kept) == nil {
			for _, h := range n.hosts {
				list := slices.DeleteFunc(kept[h], func(s string) bool { _, err := netip.ParseAddr(s); return err != nil })
				if len(n.known[h]) == 0 && len(list) > 0 {
					n.known[h] = list[:min(len(list), addressMax)]
				}
			}
		}
	}
	return n.known[host]
}

// remember notes at which address a connection was made.
func (n *names) remember(host string, nc net.Conn) {
	at, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return
	}
	ip := at.Addr().String()
	n.mu.Lock()
	defer n.mu.Unlock()
	if old := n.known[host]; len(old) > 0 && old[0] == ip {
		return
	}
	list := slices.DeleteFunc(slices.Clone(n.known[host]), func(s string) bool { return s == ip })
	list = append([]string{ip}, list...)
	n.known[host] = list[:min(len(list), addressMax)]
	if n.store == nil || !n.loaded { // the store's others would be overwritten
		return
	}
	if text, err := json.Marshal(n.known); err == nil {
		n.store.PutSoon(bucket, key, text)
	}
}

// note logs once that a name cannot be looked up, err, and once that it can be again.
func (n *names) note(host string, old []string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch away := err != nil; {
	case away == n.away[host] || away && len(old) == 0: // the attempt says why it failed
	case away:
		n.away[host] = true
		n.log.Warn("a name cannot be looked up: its last addresses are used", "host", host, "addresses", old, "err", err)
	default:
		delete(n.away, host)
		n.log.Info("the name can be looked up again", "host", host)
	}
}
