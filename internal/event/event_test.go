package event_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

func TestEventReadsBack(t *testing.T) {
	body, err := event.Encode("sensor", contract.SensorEvent{Sensor: "hall", State: "ok"})
	if err != nil {
		t.Fatal(err)
	}
	kind, fields, err := event.Decode(body)
	if kind != "sensor" || string(fields) != `{"sensor":"hall","state":"ok"}` || err != nil {
		t.Errorf("got %q %s %v", kind, fields, err)
	}
	for n := range len("\x06sensor{}") - 1 {
		if _, _, err := event.Decode(body[:n]); !errors.Is(err, event.ErrMalformed) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestReplyReadsBack(t *testing.T) {
	for _, r := range []event.Reply{
		{Topic: "my/answers", Correlation: []byte{0, 1}, Payload: []byte(`{"v":1}`)},
		{Topic: "fieldgate/g/reply/ping", Payload: []byte(`{}`)},
	} {
		got, err := event.DecodeReply(event.EncodeReply(r))
		if err != nil || got.Topic != r.Topic || !bytes.Equal(got.Correlation, r.Correlation) || (got.Correlation == nil) != (r.Correlation == nil) || !bytes.Equal(got.Payload, r.Payload) {
			t.Errorf("want %+v, got %+v, %v", r, got, err)
		}
	}
	if _, err := event.DecodeReply([]byte{200}); !errors.Is(err, event.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}
