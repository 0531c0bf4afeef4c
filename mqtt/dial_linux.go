package mqtt

import (
	"net"
	"syscall"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of <netinet/tcp.h>, which package syscall lacks.
const tcpUserTimeout = 0x12

// limitUnacknowledged makes the kernel give up a connection whose peer's machine acknowledges
// nothing for 30s. It is optional: a kernel without it is not an error, and neither is a connection
// that is not TCP.
func limitUnacknowledged(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 30_000)
		})
	}
}
