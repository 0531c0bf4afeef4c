package mqtt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestRequestForm checks the bytes of SUBSCRIBE and UNSUBSCRIBE: flags, identifiers of their own,
// reserved bits.
//
// [MQTT-2.2.1-3] [MQTT-2.2.2-1] [MQTT-3.8.1-1] [MQTT-3.8.3-5] [MQTT-3.10.1-1] [MQTT-4.8.2-1]
// [MQTT-4.8.2-2]
func TestRequestForm(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		full := Subscription{Filter: "$share/g/+", QoS: 2, RetainAsPublished: true, RetainHandling: RetainDoNotSend, ID: 1}
		go func() { _, _ = k.Subscribe(t.Context(), full) }()
		if b, want := <-p.got, "\x82\x12\x00\x01\x02\x0b\x01\x00\x0a$share/g/+\x2a"; string(b) != want {
			t.Errorf("want % x\ngot  % x", want, b)
		}
		go func() {
			_, _ = k.Subscribe(t.Context(), Subscription{Filter: "a"}, Subscription{Filter: "b", NoLocal: true})
		}()
		if b, want := <-p.got, "\x82\x0b\x00\x02\x00\x00\x01a\x00\x00\x01b\x04"; string(b) != want {
			t.Errorf("want % x\ngot  % x", want, b)
		}
		go func() { _, _ = k.Unsubscribe(t.Context(), []string{"a", "b"}) }()
		if b, want := <-p.got, "\xa2\x09\x00\x03\x00\x00\x01a\x00\x01b"; string(b) != want {
			t.Errorf("want % x\ngot  % x", want, b)
		}
	})
}

// TestInvalidFilters checks which topic filters are not sent, for both requests.
//
// [MQTT-4.7.3-3]
func TestInvalidFilters(t *testing.T) {
	for _, v := range []struct {
		name   string
		filter Subscription
	}{
		{"not UTF-8", Subscription{Filter: "\xff"}},                        // [MQTT-3.8.3-1] [MQTT-3.10.3-1] [MQTT-1.5.4-1]
		{"half a surrogate pair", Subscription{Filter: "\xed\xa0\x80"}},    // [MQTT-1.5.4-1]
		{"NUL", Subscription{Filter: "a\x00"}},                             // [MQTT-4.7.3-2] [MQTT-1.5.4-2]
		{"empty", Subscription{}},                                          // [MQTT-4.7.3-1]
		{"too long", Subscription{Filter: strings.Repeat("a", 65536)}},     // [MQTT-4.7.3-3]
		{"# not last", Subscription{Filter: "#/a"}},                        // [MQTT-4.7.1-1]
		{"# not alone", Subscription{Filter: "a#"}},                        // [MQTT-4.7.1-1]
		{"+ not alone", Subscription{Filter: "a/b+/c"}},                    // [MQTT-4.7.1-2]
		{"no share name", Subscription{Filter: "$share//a"}},               // [MQTT-4.8.2-1]
		{"share name with wildcard", Subscription{Filter: "$share/+/a"}},   // [MQTT-4.8.2-2]
		{"share name without filter", Subscription{Filter: "$share/g"}},    // [MQTT-4.8.2-2]
		{"shared with empty filter", Subscription{Filter: "$share/g/"}},    // [MQTT-4.8.2-2]
		{"no local", Subscription{Filter: "$share/g/a", NoLocal: true}},    // [MQTT-3.8.3-4]
		{"reserved options", Subscription{Filter: "a", RetainHandling: 3}}, // [MQTT-3.8.3-5]
	} {
		t.Run(v.name, func(t *testing.T) {
			k := idleClient(t)
			if _, err := k.Subscribe(t.Context(), v.filter); !errors.Is(err, ErrInvalid) {
				t.Errorf("subscribe: %v", err)
			}
			if v.filter.NoLocal || v.filter.RetainHandling != 0 {
				return
			}
			if _, err := k.Unsubscribe(t.Context(), []string{v.filter.Filter}); !errors.Is(err, ErrInvalid) {
				t.Errorf("unsubscribe: %v", err)
			}
		})
	}
	k := idleClient(t)
	if _, err := k.Subscribe(t.Context()); !errors.Is(err, ErrInvalid) { // [MQTT-3.8.3-2]
		t.Error(err)
	}
	if _, err := k.Unsubscribe(t.Context(), nil); !errors.Is(err, ErrInvalid) { // [MQTT-3.10.3-2]
		t.Error(err)
	}
}

// TestInvalidTopics checks which topic names are not sent.
func TestInvalidTopics(t *testing.T) {
	for _, v := range []struct{ name, topic string }{
		{"not UTF-8", "\xff"},                      // [MQTT-1.5.4-1] [MQTT-3.3.2-1]
		{"NUL", "a\x00"},                           // [MQTT-1.5.4-2] [MQTT-4.7.3-2]
		{"empty", ""},                              // [MQTT-4.7.3-1]
		{"too long", strings.Repeat("a", 65536)},   // [MQTT-4.7.3-3]
		{"multi-level wildcard", "a/#"},            // [MQTT-3.3.2-2] [MQTT-4.7.0-1]
		{"single-level wildcard", "+/temperature"}, // [MQTT-3.3.2-2] [MQTT-4.7.0-1]
	} {
		t.Run(v.name, func(t *testing.T) {
			for _, m := range []*Message{{Topic: v.topic}, {Topic: "t", ResponseTopic: v.topic}} { // [MQTT-3.3.2-13] [MQTT-3.3.2-14]
				if m.ResponseTopic == "" && m.Topic == "t" {
					continue // none
				}
				if err := idleClient(t).Send(m, nil); !errors.Is(err, ErrInvalid) {
					t.Errorf("%.100v: %v", m, err)
				}
			}
		})
	}
	for _, m := range []*Message{
		{Topic: "t", ContentType: "\xff"},                                                         // [MQTT-3.3.2-19]
		{Topic: "t", UserProperties: []UserProperty{{Key: "\xff"}}},                               // [MQTT-1.5.7-1]
		{Topic: "t", UserProperties: []UserProperty{{Key: "k", Value: "\x00"}}},                   // [MQTT-1.5.7-1]
		{Topic: "t", UserProperties: []UserProperty{{Key: "k", Value: "\U0010ffff\xed\xbf\xbf"}}}, // [MQTT-1.5.7-1]
	} {
		if err := idleClient(t).Send(m, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.100v: %v", m, err)
		}
	}
}

// TestShortestForm checks the lengths around every size of a variable byte integer.
//
// [MQTT-1.5.5-1]
func TestShortestForm(t *testing.T) {
	for _, length := range []int{127, 128, 16383, 16384, 2097151, 2097152} {
		p := packet.Publish{Topic: "t", Payload: make([]byte, length-4)}
		b := p.Append(nil)
		h, size, err := packet.DecodeHeader(b)
		want := 2
		for n := length; n >= 128; n /= 128 {
			want++
		}
		if err != nil || h.Length != length || size != want || len(b) != size+length {
			t.Errorf("length %d: header of %d bytes says %d, %v", length, size, h.Length, err)
		}
	}
}

// TestRequestAnswers checks that an answer belongs to the request with its identifier, that codes
// come in the order of the filters, and which answers end the connection.
//
// [MQTT-2.2.1-6]
func TestRequestAnswers(t *testing.T) {
	for _, v := range []struct {
		name   string
		answer packet.Suback
		want   string // of the codes
	}{
		{"SUBACK in order", packet.Suback{ID: 1, Codes: []ReasonCode{2, 0x87, 0}}, "[0x02 granted QoS 2 0x87 not authorized 0x00 success]"}, // [MQTT-3.9.3-1]
		{"SUBACK another identifier", packet.Suback{ID: 2, Codes: []ReasonCode{0, 0, 0}}, "waits"},                                          // [MQTT-3.8.4-2]
		{"SUBACK too few", packet.Suback{ID: 1, Codes: []ReasonCode{0, 0}}, "left"},                                                         // [MQTT-3.8.4-6]
		{"SUBACK too many", packet.Suback{ID: 1, Codes: []ReasonCode{0, 0, 0, 0}}, "left"},                                                  // [MQTT-3.8.4-6]
		{"SUBACK UNSUBACK", packet.Suback{Type: packet.UNSUBACK, ID: 1, Codes: []ReasonCode{0, 0, 0}}, "left"},                              // [MQTT-3.8.4-2]
	} {
		t.Run(v.name, func(t *testing.T) {
			v.answer.Type = max(v.answer.Type, packet.SUBACK)
			testRequestAnswer(t, v.answer, v.want, func(k *tester) (codes []ReasonCode, err error) {
				a, err := k.Subscribe(context.Background(), Subscription{Filter: "a"}, Subscription{Filter: "b"}, Subscription{Filter: "c"})
				return a.Codes, err
			})
		})
	}
	for _, v := range []struct {
		name   string
		answer packet.Suback
		want   string
	}{
		{"UNSUBACK in order", packet.Suback{ID: 1, Codes: []ReasonCode{0x11, 0x83, 0x87}}, "0x83 implementation specific error"}, // [MQTT-3.11.3-1]
		{"UNSUBACK another identifier", packet.Suback{ID: 2, Codes: []ReasonCode{0, 0, 0}}, "waits"},                             // [MQTT-3.10.4-5]
		{"UNSUBACK too few", packet.Suback{ID: 1, Codes: []ReasonCode{0, 0}}, "left"},                                            // [MQTT-3.11.3-1]
		{"UNSUBACK SUBACK", packet.Suback{Type: packet.SUBACK, ID: 1, Codes: []ReasonCode{0, 0, 0}}, "left"},                     // [MQTT-3.10.4-5]
	} {
		t.Run(v.name, func(t *testing.T) {
			if v.answer.Type == 0 {
				v.answer.Type = packet.UNSUBACK
			}
			testRequestAnswer(t, v.answer, v.want, func(k *tester) ([]ReasonCode, error) {
				_, err := k.Unsubscribe(context.Background(), []string{"a", "b", "c"})
				if re, ok := errors.AsType[*ReasonError](err); ok {
					return []ReasonCode{re.Code}, err
				}
				return nil, err
			})
		})
	}
}

func testRequestAnswer(t *testing.T, answer packet.Suback, want string, request func(*tester) ([]ReasonCode, error)) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.accept(t, false, packet.Properties{})
		k.await(t, Connected)
		result := make(chan []ReasonCode, 1)
		go func() {
			codes, _ := request(k)
			result <- codes
		}()
		p.packet(t)
		p.send(&answer)
		switch want {
		case "left":
			wantList(t, "sent", p.sent(t), "DISCONNECT 0x82", "end")
		case "waits":
			wantList(t, "sent", p.sent(t))
			if len(result) != 0 {
				t.Errorf("answered with %v", <-result)
			}
		default:
			synctest.Wait()
			if got := fmt.Sprint(<-result); strings.Trim(got, "[]") != strings.Trim(want, "[]") {
				t.Errorf("codes %v, want %v", got, want)
			}
		}
	})
}

// TestNothingAfterDisconnect checks that DISCONNECT is the last packet and the connection ends,
// whatever is to be sent at that moment, and that DISCONNECT has no more than a code.
//
// [MQTT-3.14.2-1] [MQTT-3.14.4-1] [MQTT-3.14.4-2]
func TestNothingAfterDisconnect(t *testing.T) {
	for round := range 50 {
		conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
			p := next()
			p.accept(t, false, packet.Properties{})
			k.await(t, Connected)
			var busy sync.WaitGroup
			for range 4 {
				busy.Go(func() {
					for k.Send(&Message{Topic: "t", QoS: QoS(round % 3)}, nil) == nil {
						time.Sleep(time.Microsecond)
					}
				})
			}
			time.Sleep(time.Duration(round) * time.Microsecond)
			busy.Go(func() { _, _ = p.nc.Write((&packet.Publish{QoS: 1, ID: 1, Topic: "in"}).Append(nil)) })
			busy.Go(func() { _ = k.Close(t.Context(), disconnect(round%2 == 0)) })
			var all [][]byte
			for b := range p.got {
				all = append(all, b)
			}
			last := slices.Clone(all[len(all)-1])
			want := []byte{0xe0, 0}
			if round%2 == 0 {
				want = []byte{0xe0, 1, 4}
			}
			if !slices.Equal(last, want) {
				t.Errorf("round %d: the last of %d packets is % x, want % x", round, len(all), last, want)
			}
			for _, b := range all[:len(all)-1] {
				if b[0] == 0xe0 {
					t.Errorf("round %d: DISCONNECT is not the last packet", round)
				}
			}
			p.nc.Close()
			busy.Wait()
		})
	}
}

// TestLeftByBroker checks that the client closes the connection on its side when the broker says
// that it leaves, and what it does then.
//
// [MQTT-4.13.2-1]
func TestLeftByBroker(t *testing.T) {
	for _, v := range []struct {
		name string
		code packet.ReasonCode
		min  time.Duration
	}{
		{"taken over", packet.SessionTakenOver, 10 * time.Second}, // [MQTT-3.1.4-3]
		{"shutting down", packet.ServerShuttingDown, 0},
		{"protocol error", packet.ProtocolError, 0},
	} {
		t.Run(v.name, func(t *testing.T) {
			conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
				p := next()
				p.accept(t, false, packet.Properties{})
				k.await(t, Connected)
				began := time.Now()
				p.send(&packet.Disconnect{Code: v.code})
				wantList(t, "sent", p.sent(t), "end")
				if e := k.await(t, Disconnected); reasonCode(e.Err) != v.code || e.Retry < v.min || time.Since(began) > 500*time.Millisecond {
					t.Errorf("%+v after %v", e, time.Since(began))
				}
			})
		})
	}
}

// TestSubscriptionsFirst checks that messages that wait for a connection do not overtake
// Config.Subscriptions, so that a client that publishes what it has subscribed to receives it.
func TestSubscriptionsFirst(t *testing.T) {
	for range 300 {
		conformance(t, func(c *Config) { c.Subscriptions = []Subscription{{Filter: "a"}, {Filter: "b", ID: 1}} }, func(t *testing.T, k *tester, next func() *peer) {
			if err := k.Send(&Message{Topic: "a"}, nil); err != nil {
				t.Fatal(err)
			}
			p := next()
			p.accept(t, false, packet.Properties{})
			wantList(t, "sent", p.sent(t), "SUBSCRIBE 1", "SUBSCRIBE 2", "PUBLISH a")
		})
		if t.Failed() {
			return
		}
	}
}
