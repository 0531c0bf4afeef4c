// Package aws is fleet provisioning by claim of AWS IoT Core ("Device provisioning MQTT API" of its
// developer guide): two requests over MQTT, each with the topics accepted and rejected below its
// own. Nothing of it could be tried against the service itself.
package aws

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/internal/enrol"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

const (
	certificates = "$aws/certificates/create-from-csr/json"
	answerWait   = 30 * time.Second
	closeWait    = time.Second
	packetMax    = 128 << 10 // bytes of an answer; the service allows no larger message
)

// Config is what a Session is made of.
type Config struct {
	URLs     []string
	ClientID string
	Template string
	Dial     func(ctx context.Context, u *url.URL, cfg *tls.Config) (net.Conn, error)
	TLS      func(ctx context.Context) (*tls.Config, error)
	// Explain says in one sentence why there is no connection.
	Explain func(err error) error
	Log     *slog.Logger
}

// A Session implements enrol.Session.
type Session struct {
	cfg     Config
	client  *mqtt.Client
	ended   chan error
	answers chan answer
	broken  chan error // a connection that there was has ended
}

// An answer is a message on one of the topics of answers.
type answer struct {
	topic   string
	payload []byte
}

// Connect connects with the claim, and subscribes to the answers.
func Connect(ctx context.Context, c Config) (enrol.Session, error) {
	s := &Session{cfg: c, ended: make(chan error, 1), answers: make(chan answer, 8), broken: make(chan error, 1)}
	connected, failed := make(chan mqtt.Negotiated, 1), make(chan error, len(c.URLs))
	var filters []string
	for _, request := range []string{certificates, s.provision()} {
		filters = append(filters, request+"/accepted", request+"/rejected")
	}
	var subscriptions []mqtt.Subscription
	for _, f := range filters {
		subscriptions = append(subscriptions, mqtt.Subscription{Filter: f, QoS: mqtt.AtLeastOnce})
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	up := false
	var err error
	s.client, err = mqtt.New(mqtt.Config{
		URLs: c.URLs, ClientID: c.ClientID, CleanStart: true, SessionExpiry: mqtt.NoSession, MaximumPacketSize: packetMax, Dial: c.Dial, TLS: c.TLS, Subscriptions: subscriptions, Log: c.Log,
		Handler: func(_ context.Context, m *mqtt.Message) error {
			select {
			case s.answers <- answer{strings.Clone(m.Topic), append([]byte(nil), m.Payload...)}:
			default: // nobody has asked that often
			}
			return nil
		},
		OnEvent: func(e mqtt.Event) {
			switch {
			case e.Kind == mqtt.Connected && !up:
				up = true
				connected <- e.Negotiated
			case e.Kind == mqtt.Disconnected && up:
				offer(s.broken, cmp.Or(e.Err, net.ErrClosed))
				stop() // another connection would send a request that is under way a second time
			case e.Kind == mqtt.Disconnected && e.Err != nil:
				offer(failed, e.Err)
			}
		},
	})
	if err != nil {
		stop()
		return nil, &enrol.Fault{What: "the claim cannot be used: " + err.Error(), Err: err}
	}
	go func() { defer stop(); s.ended <- s.client.Run(running) }() // Close waits for it
	for tries := 0; ; {
		select {
		case n := <-connected:
			for i, code := range n.Granted {
				if code.Failed() {
					s.Close()
					return nil, &enrol.Fault{What: fmt.Sprintf("the claim may not subscribe to %s (%v)", filters[i], code),
						Remedy: "its policy needs iot:Subscribe and iot:Receive for the topics of provisioning, see \"From a claim\" in docs/clouds.md"}
				}
			}
			return s, nil
		case err := <-failed:
			if tries++; tries < len(c.URLs) {
				continue
			}
			s.Close()
			return nil, &enrol.Fault{What: "no connection with the claim: " + c.Explain(err).Error(), Passes: !mqtt.Diagnose(err).Permanent, Err: err}
		case <-ctx.Done():
			s.Close()
			return nil, ctx.Err()
		}
	}
}

// offer puts an error into a channel that has room for those that count.
func offer(c chan<- error, err error) {
	select {
	case c <- err:
	default:
	}
}

// Close implements enrol.Session.
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	_ = s.client.Close(ctx, mqtt.Disconnect{}) // the connection ends either way
	<-s.ended
}

func (s *Session) provision() string {
	return "$aws/provisioning-templates/" + s.cfg.Template + "/provision/json"
}

// Sign implements enrol.Session.
func (s *Session) Sign(ctx context.Context, csr string) (enrol.Signed, error) {
	var a struct {
		Token       string `json:"certificateOwnershipToken"`
		ID          string `json:"certificateId"`
		Certificate string `json:"certificatePem"`
	}
	err := s.ask(ctx, certificates, map[string]any{"certificateSigningRequest": csr}, &a)
	if err == nil && (a.Token == "" || a.ID == "" || a.Certificate == "") {
		err = strange(certificates, errors.New("the certificate, its id or its token is missing"))
	}
	return enrol.Signed{ID: a.ID, Certificate: a.Certificate, Token: a.Token}, err
}

var thingName = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)

// Register implements enrol.Session.
func (s *Session) Register(ctx context.Context, token string, parameters map[string]string) (enrol.Registered, error) {
	var a struct {
		Thing         string         `json:"thingName"`
		Configuration map[string]any `json:"deviceConfiguration"`
	}
	err := s.ask(ctx, s.provision(), map[string]any{"certificateOwnershipToken": token, "parameters": parameters}, &a)
	r := enrol.Registered{Thing: a.Thing, Configuration: map[string]string{}}
	for key, value := range a.Configuration {
		if text, is := value.(string); is {
			r.Configuration[key] = text
		}
	}
	if err == nil && !thingName.MatchString(a.Thing) {
		err = &enrol.Fault{What: fmt.Sprintf("the template %s gave the thing no usable name (%.40q)", s.cfg.Template, a.Thing),
			Remedy: "it needs a resource of type AWS::IoT::Thing with a ThingName, see \"From a claim\" in docs/clouds.md"}
	}
	return r, err
}

// ask sends a request and waits for its answer.
func (s *Session) ask(ctx context.Context, topic string, request, into any) error {
	text, err := json.Marshal(request)
	if err != nil {
		panic(err) // texts
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	sent := make(chan error, 1)
	err = s.client.Send(&mqtt.Message{Topic: topic, Payload: text, QoS: mqtt.AtLeastOnce}, func(_ mqtt.PublishResult, err error) { sent <- err })
	if err != nil {
		return s.unanswered(topic, err)
	}
	for {
		select {
		case err := <-sent:
			if err != nil {
				return s.unanswered(topic, err)
			}
			sent = nil // its answer comes
		case a := <-s.answers:
			switch a.topic {
			case topic + "/accepted":
				if err := json.Unmarshal(a.payload, into); err != nil {
					return strange(topic, err)
				}
				return nil
			case topic + "/rejected":
				return s.rejected(topic, a.payload)
			}
		case err := <-s.broken:
			return s.unanswered(topic, err)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return &enrol.Fault{What: fmt.Sprintf("no answer to %s within %v", topic, answerWait), Passes: true, Err: ctx.Err(),
				Remedy: "check that the claim's policy allows iot:Receive on " + topic + "/*"}
		}
	}
}

// unanswered is the fault of a request that the broker refused, or whose connection ended.
func (s *Session) unanswered(topic string, err error) error {
	if errors.Is(err, mqtt.ErrUncertain) { // why the connection ended is known in a moment
		select {
		case err = <-s.broken:
		case <-time.After(closeWait):
		}
	}
	if reason, ok := errors.AsType[*mqtt.ReasonError](err); ok && reason.Code == packet.NotAuthorized {
		return &enrol.Fault{What: fmt.Sprintf("the claim may not publish to %s (%v)", topic, reason.Code), Err: err,
			Remedy: "its policy needs iot:Publish for the topics of provisioning, see \"From a claim\" in docs/clouds.md"}
	}
	return &enrol.Fault{What: fmt.Sprintf("the request to %s was not answered: %v", topic, s.cfg.Explain(err)), Passes: true, Err: err,
		Remedy: "AWS ends a connection whose policy does not allow a topic: check iot:Publish and iot:Receive of the claim's policy"}
}

// strange is the fault of an answer that is not what the documentation says.
func strange(topic string, err error) error {
	return &enrol.Fault{What: fmt.Sprintf("the answer to %s is not as AWS documents it: %v", topic, err), Remedy: "check that mqtt.urls is an endpoint of AWS IoT Core", Err: err}
}

// tokenOver is the errorCode of a token that has lived out, or that nobody gave out.
const tokenOver = "InvalidCertificateOwnershipToken"

// rejected is the fault that a rejection describes.
func (s *Session) rejected(topic string, payload []byte) error {
	var a struct {
		Status  int    `json:"statusCode"`
		Code    string `json:"errorCode"`
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal(payload, &a); err != nil {
		return strange(topic, err)
	}
	said := fmt.Sprintf("%d %.64s: %.256s", a.Status, a.Code, printable(a.Message))
	template := topic != certificates
	f := &enrol.Fault{What: "AWS rejects the certificate request (" + said + ")"}
	if template {
		f.What = fmt.Sprintf("AWS rejects the registration with the template %s (%s)", s.cfg.Template, said)
	}
	switch {
	case a.Status == 429:
		f.Passes, f.Remedy = true, "many gateways ask at once, which passes"
	case a.Status >= 500:
		f.Passes, f.Remedy = true, "the service has a fault, which passes"
	case template && a.Code == tokenOver:
		f.Passes, f.TokenOver, f.Remedy = true, true, "a new certificate is asked for"
	case a.Status == 401 || a.Status == 403:
		f.Remedy = "check that the claim's certificate is active and its policy allows this"
		if template {
			f.Remedy = "check that the template is enabled, that its role may register things, that its pre-provisioning hook allows this board, and the claim's policy"
		}
	case template:
		f.Remedy = "check that enrol.template names a template of this account and region, and that enrol.parameters has every parameter that it asks for"
	default:
		f.Remedy = "check enrol.common_name"
	}
	return f
}

// printable returns a text of the service as one that may be logged.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
