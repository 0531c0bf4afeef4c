package aws_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// TestKeysWithDots: a key of the wish that reads like the path of a setting is not the setting.
func TestKeysWithDots(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.service.Desire(thing, "", patch(t, `{"sensors":{"hall":{"every":"5000ms"}},"sensors.hall.every":"9s","sensors.hall":{"every":"8s"},"sensors":{"hall":{"every":"5000ms"},"hall.every":"7s"}}`))
		r.connect()
		updates := r.service.Requests("update")
		for range 50 {
			r.service.Desire(thing, "", patch(t, `{"sensors.hall.every":"9s"}`)) // compared anew
			r.settle()
			if _, reported, _ := r.service.Shadow(thing, ""); in(reported, "sensors", "hall", "every") != "5000ms" {
				t.Fatalf("every is %v, and reported is %v", r.every("hall"), in(reported, "sensors", "hall"))
			}
		}
		if n := r.service.Requests("update") - updates - 50; n != 0 {
			t.Errorf("%d updates although nothing changed", n)
		}
	})
}

// TestWishesOfAnyShape: nothing that a wish has where an object is expected does harm.
func TestWishesOfAnyShape(t *testing.T) {
	for _, text := range []string{`{"sensors":5}`, `{"sensors":[1,[2]]}`, `{"sensors":{"hall":true}}`, `{"sensors":{"hall":{"every":{"x":1}}}}`, `{"sensors":{"hall":{"deadband":3}}}`, `{"gateway":"x"}`, `{"":{"":1}}`,
		`{"sensors":{"pump":{"deadband":{"flow":-1e300}}}}`, `{"sensors":{"hall":{"every":["5s"]}}}`, `{"rejected":{"a":1}}`, `{"a.b":{"c.d":1},"a":{"b.c":{"d":2}}}`} {
		inBubble(t, "", func(r *rig) {
			r.connect()
			r.service.Desire(thing, "", patch(t, text))
			r.settle()
			updates := r.service.Requests("update")
			time.Sleep(10 * time.Minute)
			_, reported, _ := r.service.Shadow(thing, "")
			if r.every("hall") != 10*time.Second || in(reported, "sensors", "hall", "every") != "10s" || in(reported, "rejected") == nil || r.service.Requests("update") != updates || len(r.dialect.Trouble()) > 0 {
				t.Errorf("%s: every %v, reported %v, %d more updates, %q", text, r.every("hall"), reported, r.service.Requests("update")-updates, r.dialect.Trouble())
			}
			deep := strings.Repeat(`{"a":`, 1300) + "1" + strings.Repeat("}", 1300)
			r.service.Send(prefix+"/update/accepted", fmt.Appendf(nil, `{"state":{"desired":%s},"version":9223372036854775807}`, deep))
			r.service.Send(prefix+"/update/delta", fmt.Appendf(nil, `{"state":%s,"version":-9223372036854775808}`, deep))
			r.settle()
			before := r.service.Requests("get") + r.service.Requests("update")
			time.Sleep(10 * time.Minute)
			if n := r.service.Requests("get") + r.service.Requests("update") - before; n > 2 {
				t.Errorf("%s: %d requests after absurd versions", text, n)
			}
		})
	}
}

// TestOtherShadows: messages of other shadows and things are not this one's.
func TestOtherShadows(t *testing.T) {
	inBubble(t, "", func(r *rig) {
		r.connect()
		for _, p := range []string{prefix + "/name/x", "$aws/things/" + thing + "2/shadow", prefix + "x"} {
			for _, topic := range []string{"/update/accepted", "/get/accepted"} {
				if _, err := r.dialect.Receive(t.Context(), &mqtt.Message{Topic: p + topic, Payload: []byte(`{"state":{"desired":{"sensors":{"hall":{"every":"3s"}}}},"version":2}`)}); err != nil {
					t.Error(err)
				}
			}
		}
		if r.every("hall") != 10*time.Second {
			t.Errorf("every %v", r.every("hall"))
		}
	})
}
