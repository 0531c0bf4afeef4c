// Package awstest is a fake of the services of AWS IoT Core that a device speaks to over MQTT, for
// tests: Device Shadow, Jobs and fleet provisioning by claim. It is a client of any broker. What it
// does is from the developer guide; Amazon's own device client is its judge (judge_test.go).
package awstest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

type tree = map[string]any

// A Service is one account's services. Its methods may be called from any goroutine.
type Service struct {
	client *mqtt.Client
	ended  chan error

	mu        sync.Mutex
	shadows   map[string]*shadow // by prefix
	jobs      map[string][]*Job  // by thing
	notified  map[string]string  // id of the job that a thing was told of last
	certs     map[string]*Certificate
	things    map[string]string // certificate id of each, by serial number
	Templates map[string]string // topic prefix that each template gives, by name; set before Serve
	faults    map[string][]int  // codes to reject with, by operation ("update", "get", "start-next" …)
	requests  map[string]int    // that came, by operation

	Authority *Authority         // signs certificates; set before the first request
	Seen      func(event string) // is told of what the identity service does, before it answers; set before the first request
	// Delay is how long requests wait before they are looked at; set before they come.
	Delay time.Duration
}

// Serve connects a Service to a broker, and returns when it hears requests.
func Serve(ctx context.Context, broker string, dial func(context.Context, *url.URL, *tls.Config) (net.Conn, error)) (*Service, error) {
	s := &Service{ended: make(chan error, 1), shadows: map[string]*shadow{}, jobs: map[string][]*Job{}, notified: map[string]string{}, certs: map[string]*Certificate{}, things: map[string]string{},
		Templates: map[string]string{}, faults: map[string][]int{}, requests: map[string]int{}}
	heard := make(chan struct{}, 1)
	var subscriptions []mqtt.Subscription
	for _, f := range []string{"$aws/things/+/shadow/#", "$aws/things/+/jobs/#", "$aws/certificates/#", "$aws/provisioning-templates/#"} {
		subscriptions = append(subscriptions, mqtt.Subscription{Filter: f, QoS: mqtt.AtLeastOnce, NoLocal: true})
	}
	var err error
	s.client, err = mqtt.New(mqtt.Config{
		URLs: []string{broker}, ClientID: "aws", Dial: dial, Subscriptions: subscriptions, Log: slog.New(slog.DiscardHandler),
		Handler: func(_ context.Context, m *mqtt.Message) error {
			if s.Delay > 0 {
				time.AfterFunc(s.Delay, func() { s.handle(m) })
				return nil
			}
			s.handle(m)
			return nil
		},
		OnEvent: func(e mqtt.Event) {
			if e.Kind == mqtt.Connected {
				select {
				case heard <- struct{}{}:
				default:
				}
			}
		},
	})
	if err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() { defer cancel(); s.ended <- s.client.Run(running) }()
	select {
	case <-heard:
		return s, nil
	case <-ctx.Done():
		s.Close()
		return nil, ctx.Err()
	}
}

// Close ends the Service.
func (s *Service) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.client.Close(ctx, mqtt.Disconnect{})
	<-s.ended
}

// Reject makes the service reject the next requests of an operation ("get", "update", "start-next",
// "jobs/update", "create-from-csr", "provision") with these codes, one each; 0 leaves one
// unanswered.
func (s *Service) Reject(operation string, codes ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[operation] = append(s.faults[operation], codes...)
}

// Requests returns how many requests of an operation came.
func (s *Service) Requests(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[operation]
}

// Send publishes a message as it is.
func (s *Service) Send(topic string, payload any) {
	text, is := payload.([]byte)
	if !is {
		text, _ = json.Marshal(payload) // what tests and the service make
	}
	_ = s.client.Send(&mqtt.Message{Topic: topic, Payload: text, QoS: mqtt.AtLeastOnce}, func(mqtt.PublishResult, error) {})
}

func (s *Service) handle(m *mqtt.Message) {
	levels := strings.Split(m.Topic, "/")
	switch {
	case len(levels) >= 5 && levels[1] == "things" && levels[3] == "shadow":
		s.handleShadow(m.Topic, m.Payload)
	case len(levels) >= 5 && levels[1] == "things" && levels[3] == "jobs":
		s.handleJobs(levels[2], strings.Join(levels[4:], "/"), m.Payload)
	case levels[1] == "certificates":
		s.handleCertificates(strings.Join(levels[2:], "/"), m.Payload)
	case levels[1] == "provisioning-templates" && len(levels) == 5:
		s.handleProvision(levels[2], strings.Join(levels[3:], "/"), m.Payload)
	}
}

// faultLocked counts a request, and returns the code to reject it with; known is false if there is
// none.
func (s *Service) faultLocked(operation string) (code int, known bool) {
	s.requests[operation]++
	if codes := s.faults[operation]; len(codes) > 0 {
		s.faults[operation] = codes[1:]
		return codes[0], true
	}
	return 0, false
}

// stamp is the time as the services have it.
func stamp() int64 { return time.Now().Unix() }
