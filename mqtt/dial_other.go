//go:build !linux

package mqtt

import "net"

// limitUnacknowledged does nothing: only Linux has TCP_USER_TIMEOUT.
func limitUnacknowledged(net.Conn) {}
