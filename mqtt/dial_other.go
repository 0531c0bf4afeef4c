//go:build !linux

package mqtt

import "syscall"

// limitUnacknowledged does nothing: only Linux has TCP_USER_TIMEOUT.
func limitUnacknowledged(_, _ string, _ syscall.RawConn) error { return nil }
