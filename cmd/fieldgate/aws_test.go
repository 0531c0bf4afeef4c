package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/platform/aws/awstest"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// Limits of AWS IoT Core for a connection ("AWS IoT Core endpoints and quotas").
const (
	awsRate    = 100     // PUBLISH a second
	awsBytes   = 512_000 // a second
	awsPayload = 128 << 10
	awsTopic   = 256 // bytes, without those of a rule
	awsSlashes = 7
	awsRule    = "$aws/rules/ingest/"
)

// newAWS returns a broker with the limits of AWS IoT Core, its URL and its services.
func newAWS(t *testing.T) (*mqtttest.Broker, string, *awstest.Service) {
	t.Helper()
	broker := mqtttest.New(mqtttest.Behavior{MaxMessages: awsRate, MaxBytes: awsBytes, MaxFilters: 8, Properties: packet.Properties{
		MaximumQoS: 1, ReceiveMaximum: 100, TopicAliasMaximum: 8, MaximumPacketSize: 149 << 10,
		Present: packet.Props(packet.PropMaximumQoS, packet.PropReceiveMaximum, packet.PropTopicAliasMaximum, packet.PropMaximumPacketSize, packet.PropSubscriptionIdentifierAvailable),
	}})
	t.Cleanup(broker.Close)
	service, err := awstest.Serve(t.Context(), "mqtt://b", broker.Dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker.Serve(l)
	return broker, "mqtt://" + l.Addr().String(), service
}

// TestAWS is the gateway before AWS IoT Core as its documentation has it: what is wished and asked
// for while it is away, an outage, kills while readings wait and while they are delivered, updates
// and publishes that are refused. None of the readings is missing, jobs run once, and sizes and
// filters are kept to. FIELDGATE_AWS sets how many readings wait.
func TestAWS(t *testing.T) {
	wanted := int64(10_000)
	if n, err := strconv.ParseInt(os.Getenv("FIELDGATE_AWS"), 10, 64); err == nil {
		wanted = n
	}
	broker, url, service := newAWS(t)
	rest := "[cloud]\nplatform = \"aws\"\nthing = \"press-4\"\n[telemetry]\ntopic = \"$aws/rules/ingest/{topic}\"\nbatch_max = 50\n[buffer]\nmax_loss = \"0s\"\n[commands]\nallow = [\"flush\", \"ping\", \"restart\"]\n"
	for i := range 10 {
		rest += fmt.Sprintf("[[sensor]]\nname = \"s%d\"\ndriver = \"sim\"\nevery = \"5ms\"\n", i)
	}
	rest += "[[sensor]]\nname = \"hall\"\ndriver = \"sim\"\nevery = \"1s\"\n"
	g := newGateway(t, url, rest)
	reports := func(sensor, want string) func() bool {
		return func() bool {
			_, reported, _ := service.Shadow("press-4", "")
			sensors, _ := reported["sensors"].(map[string]any)
			of, _ := sensors[sensor].(map[string]any)
			return of["every"] == want
		}
	}
	ended := func(id string) func() bool {
		return func() bool { j := service.Job("press-4", id); return j.Answers > 0 }
	}

	service.Desire("press-4", "", map[string]any{"sensors": map[string]any{"hall": map[string]any{"every": "500ms"}}, "nonsense": true})
	service.AddJob("press-4", "while-away", `{"operation":"ping"}`)
	service.Reject("get", 429)
	service.Reject("update", 500)
	g.running()
	eventually(t, 40*time.Second, "the wish is in force and reported", reports("hall", "500ms"))
	eventually(t, 20*time.Second, "the job that waited has ended", ended("while-away"))
	if s, err := g.ask(); err != nil || s.Shadow.State.Sensors["hall"].Every != "500ms" || s.Shadow.Rejected["nonsense"] == "" {
		t.Errorf("shadow %+v, %v", s.Shadow, err)
	}

	outage := func(refuse packet.ReasonCode) {
		broker.Behave(func(b *mqtttest.Behavior) { b.Refuse = refuse })
		broker.Cut()
	}
	waiting := func(n int64) func() bool {
		return func() bool {
			s, err := g.ask()
			return err == nil && s.Health.Queue.Live+s.Health.Queue.Backlog >= n
		}
	}
	outage(packet.ServerUnavailable)
	service.Desire("press-4", "", map[string]any{"sensors": map[string]any{"hall": map[string]any{"every": "700ms"}}})
	service.AddJob("press-4", "restart", `{"operation":"restart"}`)
	service.AddJob("press-4", "nonsense", `{"steps":[]}`)
	eventually(t, 5*time.Minute, "half of it waits", waiting(wanted/2))
	g.kill()
	g.running()
	eventually(t, 5*time.Minute, "all of it waits", waiting(wanted))
	late := func() (n int) {
		for _, p := range broker.Published() {
			if strings.HasSuffix(p.Topic, "/late") {
				n++
			}
		}
		return n
	}
	before := late()
	broker.Behave(func(b *mqtttest.Behavior) { b.AckCode = packet.QuotaExceeded })
	outage(packet.Success)
	eventually(t, 30*time.Second, "the broker has refused late readings", func() bool { return late() > before })
	broker.Behave(func(b *mqtttest.Behavior) { b.AckCode = packet.Success })
	eventually(t, 60*time.Second, "the drain has begun", func() bool { return late() > before+10 })
	g.kill()
	g.configure(url, strings.ReplaceAll(rest, "5ms", "1s")) // as a gateway reads
	g.running()
	eventually(t, 5*time.Minute, "the backlog is delivered", func() bool {
		s, err := g.ask()
		return err == nil && s.Health.Link.Connected && s.Health.Queue.Backlog == 0
	})
	eventually(t, 60*time.Second, "the wish of the outage is reported", reports("hall", "700ms"))
	for id, want := range map[string]string{"restart": "SUCCEEDED", "nonsense": "REJECTED"} {
		eventually(t, 60*time.Second, id+" has ended", ended(id))
		if j := service.Job("press-4", id); j.Answers != 1 || j.Status != want && j.Status != "FAILED" {
			t.Errorf("job %+v", j)
		}
	}
	eventually(t, 20*time.Second, "it is there after the restart", func() bool { s, err := g.ask(); return err == nil && s.Health.Link.Connected })
	if strings.Count(g.log.String(), "op=restart") > 1 {
		t.Error("the job restart ran more than once")
	}
	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}

	published := broker.Published()
	file, readings := g.path("messages.jsonl"), 0
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range published {
		if p.ClientID != "gw" {
			continue
		}
		topic := strings.TrimPrefix(p.Topic, awsRule)
		if len(p.Payload) > awsPayload || len(topic) > awsTopic || strings.Count(topic, "/") > awsSlashes || p.QoS > 1 {
			t.Errorf("%s with %d bytes, QoS %d", p.Topic, len(p.Payload), p.QoS)
		}
		if strings.HasPrefix(p.Topic, "$") && p.Retain {
			t.Errorf("%s is retained", p.Topic)
		}
		if strings.Contains(p.Topic, "/telemetry/") && !strings.HasPrefix(p.Topic, awsRule) {
			t.Errorf("readings on %s", p.Topic)
		}
		if !json.Valid(p.Payload) {
			continue
		}
		if strings.Contains(p.Topic, "/telemetry/") {
			readings += strings.Count(string(p.Payload), `"seq":`)
		}
		line, err := json.Marshal(map[string]any{"topic": p.Topic, "payload": json.RawMessage(p.Payload)})
		if err == nil {
			_, err = out.Write(append(line, '\n'))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	text, _ := g.command("verify", file)
	if !strings.Contains(text, "COMPLETE") || strings.Contains(text, "INCOMPLETE") || int64(readings) < wanted {
		t.Errorf("%d readings: %s", readings, text)
	}
	if wrong := broker.Violations(); len(wrong) > 0 {
		t.Errorf("the gateway did: %q", wrong)
	}
	// By real clocks a busy machine may shift some messages into another's second (docs/clouds.md);
	// TestNothingIsDiscarded of internal/link holds the rate in a bubble.
	t.Logf("%d readings in %d messages, %d of them beyond 100 messages or 512 KB in a second; %d requests for the shadow, %d updates",
		readings, len(published), broker.Discarded(), service.Requests("get"), service.Requests("update"))
}
