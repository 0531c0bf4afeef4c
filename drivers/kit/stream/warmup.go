package stream

import "time"

// A WarmUp is the time after its opening in which the numbers of a sensor are not to be trusted.
type WarmUp struct{ timer *time.Timer }

// StartWarmUp begins it.
func StartWarmUp(d time.Duration) WarmUp {
	if d == 0 {
		return WarmUp{}
	}
	return WarmUp{time.NewTimer(d)}
}

// Over reports whether the time is over.
func (w *WarmUp) Over() bool {
	if w.timer == nil {
		return true
	}
	select {
	case <-w.timer.C:
		w.timer = nil
		return true
	default:
		return false
	}
}

// Stop releases what it needs.
func (w *WarmUp) Stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
