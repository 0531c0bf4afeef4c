package aws

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/enrol"
	"github.com/fieldgate/fieldgate/internal/platform/aws/awstest"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

const provision = "$aws/provisioning-templates/fleet/provision/json"

// connect connects to a broker whose service is answer; nil leaves requests unanswered.
func connect(t *testing.T, b *mqtttest.Broker) (enrol.Session, error) {
	t.Helper()
	return Connect(t.Context(), Config{URLs: []string{"mqtt://broker"}, ClientID: "board", Template: "fleet", Dial: b.Dial, Explain: func(err error) error { return errors.New(mqtt.Diagnose(err).Cause) }})
}

// TestConnectFaults: why there is no connection, or none of use.
func TestConnectFaults(t *testing.T) {
	for _, v := range []struct {
		name   string
		b      mqtttest.Behavior
		says   string
		passes bool
	}{
		{"refused", mqtttest.Behavior{Refuse: packet.NotAuthorized}, "no connection with the claim: ", false},
		{"busy", mqtttest.Behavior{Refuse: packet.ServerBusy}, "no connection with the claim: ", true},
		{"no network", mqtttest.Behavior{DialError: errors.New("no route to host")}, "no connection with the claim: dial mqtt://broker: no route to host", true},
		{"silent", mqtttest.Behavior{Mute: true}, "no connection with the claim: ", true},
		{"subscription refused", mqtttest.Behavior{SubackCode: map[string]packet.ReasonCode{provision + "/accepted": packet.NotAuthorized}}, "the claim may not subscribe to " + provision + "/accepted (0x87", false},
		{"cut at the subscription", mqtttest.Behavior{FilterCloseAt: certificates + "/accepted"}, "no connection with the claim: ", true},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(v.b)
				defer b.Close()
				_, err := connect(t, b)
				if err == nil || !strings.HasPrefix(err.Error(), v.says) || enrol.Passes(err) != v.passes {
					t.Errorf("want %q, got %v (passes: %v)", v.says, err, enrol.Passes(err))
				}
			})
		})
	}
}

// TestRequestFaults: what a service, or somebody who pretends to be one, answers to a request. None
// is sent a second time.
func TestRequestFaults(t *testing.T) {
	answer := func(topic, text string) func(*mqtttest.Broker) {
		return func(b *mqtttest.Broker) { b.Publish(packet.Publish{QoS: 1, Topic: topic, Payload: []byte(text)}) }
	}
	for _, v := range []struct {
		name   string
		b      mqtttest.Behavior
		answer func(*mqtttest.Broker)
		says   string
		passes bool
		over   bool
	}{
		{"connection cut", mqtttest.Behavior{CloseAt: provision}, nil, "the request to " + provision + " was not answered: ", true, false},
		{"connection ended with a code", mqtttest.Behavior{CloseAt: provision, CloseCode: packet.NotAuthorized}, nil, "the claim may not publish to " + provision + " (0x87", false, false},
		{"quota exceeded", mqtttest.Behavior{AckCode: packet.QuotaExceeded}, nil, "the request to " + provision + " was not answered: ", true, false},
		{"refused", mqtttest.Behavior{AckCode: packet.NotAuthorized}, nil, "the claim may not publish to " + provision + " (0x87", false, false},
		{"no answer", mqtttest.Behavior{}, nil, "no answer to " + provision + " within 30s", true, false},
		{"no acknowledgement either", mqtttest.Behavior{NoPuback: true}, nil, "no answer to " + provision + " within 30s", true, false},
		{"not JSON", mqtttest.Behavior{}, answer(provision+"/accepted", "<html>"), "the answer to " + provision + " is not as AWS documents it", false, false},
		{"rejected without JSON", mqtttest.Behavior{}, answer(provision+"/rejected", ""), "the answer to " + provision + " is not as AWS documents it", false, false},
		{"no thing", mqtttest.Behavior{}, answer(provision+"/accepted", `{"deviceConfiguration":{}}`), "the template fleet gave the thing no usable name", false, false},
		{"thing that is no name", mqtttest.Behavior{}, answer(provision+"/accepted", `{"thingName":"a/b\n"}`), "the template fleet gave the thing no usable name", false, false},
		{"token over", mqtttest.Behavior{}, answer(provision+"/rejected", `{"statusCode":400,"errorCode":"InvalidCertificateOwnershipToken","errorMessage":"m"}`), "AWS rejects the registration with the template fleet (400 InvalidCertificateOwnershipToken: m)", true, true},
		{"control characters", mqtttest.Behavior{}, answer(provision+"/rejected", `{"statusCode":400,"errorCode":"X","errorMessage":"a\u001b[2Jb"}`), "AWS rejects the registration with the template fleet (400 X: a [2Jb)", false, false},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(v.b)
				defer b.Close()
				s, err := connect(t, b)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				result := make(chan error, 1)
				go func() {
					_, err := s.Register(t.Context(), "token", map[string]string{"SerialNumber": "17"})
					result <- err
				}()
				synctest.Wait()
				if v.answer != nil {
					b.Publish(packet.Publish{QoS: 1, Topic: certificates + "/accepted", Payload: []byte("{}")}) // of another request
					v.answer(b)
				}
				err = <-result
				var f *enrol.Fault
				if !errors.As(err, &f) || !strings.HasPrefix(err.Error(), v.says) || f.Passes != v.passes || f.TokenOver != v.over || strings.ContainsAny(err.Error(), "\x1b\n") {
					t.Errorf("want %q, got %v", v.says, err)
				}
				time.Sleep(time.Minute) // for a second one, which must not come
				if n := len(b.Published()); n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		})
	}
}

// TestExchange is the whole of it with a fake of the service.
func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		service, err := awstest.Serve(t.Context(), "mqtt://aws", b.Dial)
		if err != nil {
			t.Fatal(err)
		}
		defer service.Close()
		service.Templates["fleet"] = "plant7"
		s, err := connect(t, b)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Sign(t.Context(), "no request"); err == nil || !strings.Contains(err.Error(), "InvalidCSR") {
			t.Errorf("got %v", err)
		}
		if _, err := s.Register(t.Context(), "no token", map[string]string{"SerialNumber": "17"}); err == nil || !strings.Contains(err.Error(), tokenOver) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		service.Reject("provision", 0)
		if _, err := s.Register(ctx, "token", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
