package mqtt

import (
	"errors"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A willLimit is what of the will is given up because the broker refuses it. It belongs to the
// supervisor.
type willLimit struct {
	noRetain, noQoS, none bool
	hopeless              bool // the refusals are not about the will
}

// reduce returns w as far as the broker takes it.
func (l *willLimit) reduce(w *Will) *Will {
	if w == nil || l.none {
		return nil
	}
	r := *w
	r.Retain = r.Retain && !l.noRetain
	if l.noQoS {
		r.QoS = AtMostOnce
	}
	return &r
}

// refused notes that a CONNECT with the will w ended with err, and reports whether to try again at
// once with less of it: without RETAIN, then with QoS 0, then without the will. Codes that may be
// about something else lead back to the whole will if that did not help.
func (l *willLimit) refused(w *Will, err error) bool {
	re, ok := errors.AsType[*ReasonError](err)
	if !ok || re.Packet != packet.CONNACK.String() {
		return false
	}
	if l.hopeless {
		l.hopeless = false // once more after the long pause
		return false
	}
	switch {
	case re.Code == packet.RetainNotSupported && w != nil && w.Retain:
		l.noRetain = true
		return true
	case re.Code == packet.QoSNotSupported && w != nil && w.QoS > AtMostOnce:
		l.noQoS = true
		return true
	}
	switch re.Code {
	case packet.RetainNotSupported, packet.QoSNotSupported, packet.NotAuthorized, packet.TopicNameInvalid, packet.PacketTooLarge,
		packet.QuotaExceeded, packet.PayloadFormatInvalid:
	default:
		return false
	}
	switch {
	case w == nil && !l.none:
		return false
	case w == nil:
		*l = willLimit{hopeless: true}
		return false
	case w.Retain:
		l.noRetain = true
	case w.QoS > AtMostOnce:
		l.noQoS = true
	default:
		l.none = true
	}
	return true
}
