package mqtt

import (
	"fmt"
	"testing"
	"time"
)

// TestSessionIdentifierWrap keeps a message and a request in flight while the identifiers come
// round more than once. It found a reserve that does not look at ids.
//
// [MQTT-2.2.1-3]
func TestSessionIdentifierWrap(t *testing.T) {
	s := newSession(nil, 10)
	s.resume(10)
	first := &exchange{qos: AtLeastOnce}
	s.queue.pushBack(first)
	s.send(s.next(), time.Unix(1, 0))
	request := s.reserve(nil)
	for i := range 140_000 {
		x := &exchange{qos: AtLeastOnce}
		s.queue.pushBack(x)
		if x := s.next(); s.exhausted(x) || s.send(x, time.Unix(1, 0)) {
			t.Fatalf("message %d: no identifier, or a repetition", i)
		}
		if x.id == 0 || x.id == first.id || x.id == request {
			t.Fatalf("message %d has identifier %d", i, x.id)
		}
		if _, v := s.puback(x.id); v != settled {
			t.Fatal(i, v)
		}
	}
}

func TestSessionAcknowledgements(t *testing.T) {
	for _, v := range []struct {
		name string
		qos  QoS
		ack  func(*session, uint16) (*exchange, verdict)
		want verdict
	}{
		{"PUBACK for QoS 2", ExactlyOnce, (*session).puback, wrong},
		{"PUBREC for QoS 1", AtLeastOnce, func(s *session, id uint16) (*exchange, verdict) { return s.pubrec(id, false) }, wrong},
		{"PUBCOMP before PUBREC", ExactlyOnce, (*session).pubcomp, wrong},
		{"unknown PUBACK", AtLeastOnce, func(s *session, id uint16) (*exchange, verdict) { return s.puback(id + 1) }, unknown},
		{"unknown PUBREC", ExactlyOnce, func(s *session, id uint16) (*exchange, verdict) { return s.pubrec(id+1, false) }, unknown},
		{"unknown PUBCOMP", ExactlyOnce, func(s *session, id uint16) (*exchange, verdict) { return s.pubcomp(id + 1) }, unknown},
		{"PUBACK", AtLeastOnce, (*session).puback, settled},
		{"PUBREC", ExactlyOnce, func(s *session, id uint16) (*exchange, verdict) { return s.pubrec(id, false) }, released},
		{"PUBREC twice", ExactlyOnce, func(s *session, id uint16) (*exchange, verdict) {
			s.pubrec(id, false)
			return s.pubrec(id, true)
		}, released},
		{"PUBREC refused", ExactlyOnce, func(s *session, id uint16) (*exchange, verdict) { return s.pubrec(id, true) }, settled},
	} {
		t.Run(v.name, func(t *testing.T) {
			s := newSession(nil, 10)
			s.resume(10)
			x := &exchange{qos: v.qos}
			s.queue.pushBack(x)
			s.send(s.next(), time.Unix(1, 0))
			if _, got := v.ack(&s, x.id); got != v.want {
				t.Errorf("verdict %d, want %d", got, v.want)
			}
			if inUse := s.ids.get(x.id) == x; inUse != (v.want != settled) {
				t.Error(fmt.Sprint("identifier in use: ", inUse))
			}
		})
	}
}

// TestSessionIdentifiersRunOut takes every identifier that there is, for tables of every size, and
// frees them again.
func TestSessionIdentifiersRunOut(t *testing.T) {
	for _, inFlight := range []int{1, 20, 1000, 40_000, 65535} {
		s := newSession(nil, inFlight)
		n := 0
		for ; s.reserve(nil) != 0; n++ {
			if n == 65535 {
				t.Fatal("more identifiers than there are")
			}
		}
		if n < inFlight {
			t.Errorf("%d identifiers for %d messages in flight", n, inFlight)
		}
		for id := 1; id <= 65535; id++ {
			s.ids.remove(uint16(id))
		}
		if s.ids.used != 0 || s.reserve(nil) == 0 {
			t.Errorf("%d identifiers in use after all were freed", s.ids.used)
		}
	}
}
