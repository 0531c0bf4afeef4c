package uplink

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/event"
)

// TestPublishOnce: what is published once is not retained, only its newest text waits, and a
// connection that ends takes it along; a topic that the broker refuses is named and tried again.
func TestPublishOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const topic = "$aws/things/g/shadow/update"
		r := newRig(t, nil)
		r.uplink.Publish(topic, []byte("1"))
		r.uplink.Publish(topic, []byte("2"))
		r.uplink.Set("fieldgate/g/health", []byte("{}"), nil)
		r.uplink.SetLink(Link{Up: true, Window: 20, Fresh: true})
		flights := r.settled()
		if len(flights) != 2 {
			t.Fatalf("%s", show(flights))
		}
		for _, f := range flights {
			if once := f.Topic == topic; f.Retain == once || once && string(f.Payload) != "2" {
				t.Errorf("%s: retained %v, %s", f.Topic, f.Retain, f.Payload)
			}
		}
		ack(flights, 0)
		r.uplink.Publish(topic, []byte("3"))
		if flights = r.settled(); len(flights) != 1 {
			t.Fatalf("%s", show(flights))
		}
		ack(flights, 0x87)
		synctest.Wait()
		if list := r.uplink.Refusals(); len(list) != 1 || list[0].Topic != topic {
			t.Errorf("refused: %+v", list)
		}
		time.Sleep(time.Hour)
		if flights = r.settled(); len(flights) != 1 || string(flights[0].Payload) != "3" {
			t.Fatalf("after an hour: %s", show(flights))
		}
		flights[0].done(0, ErrEnded)
		r.uplink.SetLink(Link{})
		synctest.Wait()
		r.uplink.SetLink(Link{Up: true, Window: 20, Fresh: true})
		if flights = r.settled(); len(flights) != 1 || flights[0].Topic != "fieldgate/g/health" {
			t.Errorf("on the next connection: %s", show(flights))
		}
		ack(flights, 0)
		r.close()
	})
}

// TestReplyHasItsForm: a reply is given the form of the platform when it is sent.
func TestReplyHasItsForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) {
			c.Reply = func(e event.Reply) event.Reply { return event.Reply{Topic: e.Topic + "/update", Payload: []byte("{}")} }
		})
		if _, err := r.store.Append(t.Context(), buffer.Events, event.Replies, 0, event.EncodeReply(event.Reply{Topic: "job", Correlation: []byte("7"), Payload: []byte("[]")})); err != nil {
			t.Fatal(err)
		}
		r.uplink.SetLink(Link{Up: true, Window: 20})
		flights := r.settled()
		if len(flights) != 1 || flights[0].Topic != "job/update" || string(flights[0].Payload) != "{}" || flights[0].Correlation != nil {
			t.Errorf("%s", show(flights))
		}
		ack(flights, 0)
		r.close()
	})
}
