package mqtt

import (
	"net"
	"net/url"
	"syscall"
	"testing"
)

// TestUserTimeout checks that the kernel was told when to give up on a peer.
func TestUserTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := Dialer{}.Dial(t.Context(), &url.URL{Scheme: "mqtt", Host: l.Addr().String()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	raw, err := nc.(*progressConn).Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		if ms, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout); ms != 30_000 || err != nil {
			t.Errorf("TCP_USER_TIMEOUT %d ms, %v", ms, err)
		}
	}); err != nil {
		t.Error(err)
	}
}
