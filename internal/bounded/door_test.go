package bounded_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/bounded"
)

// TestOpen: what has no address is not served, and after an error nothing is open.
func TestOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	served := ""
	serve := func(_ context.Context, l net.Listener) error { served = l.Addr().String(); return l.Close() }
	_, err = bounded.Open(bounded.Door{Key: "a.listen", Addr: addr, Serve: serve}, bounded.Door{Key: "b.listen", Addr: taken.Addr().String(), Serve: serve})
	if err == nil || !strings.HasPrefix(err.Error(), "b.listen: ") {
		t.Fatalf("a port that is taken: %v", err)
	}
	doors, err := bounded.Open(bounded.Door{Key: "off.listen", Serve: serve}, bounded.Door{Key: "a.listen", Addr: addr, Serve: serve})
	if err != nil || len(doors) != 1 {
		t.Fatalf("%d doors, %v", len(doors), err)
	}
	if err := doors["a.listen"](t.Context()); err != nil || served != addr {
		t.Errorf("served at %q, %v", served, err)
	}
}
