package mqtt_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/mqtt"
)

// TestQueryIsNotShown: a token in the URL of a WebSocket reaches the dialer, and neither the log
// nor an event.
func TestQueryIsNotShown(t *testing.T) {
	var log strings.Builder
	dialed := ""
	failed := make(chan mqtt.Event, 1)
	c, err := mqtt.New(mqtt.Config{
		URLs: []string{"wss://broker/mqtt?key=hunter2"}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Dial: func(_ context.Context, u *url.URL, _ *tls.Config) (net.Conn, error) {
			dialed = u.String()
			return nil, errors.New("no route")
		},
		OnEvent: func(e mqtt.Event) {
			if strings.Contains(e.URL, "hunter2") {
				t.Errorf("event %v: %s", e.Kind, e.URL)
			}
			if e.Kind == mqtt.Disconnected && e.Err != nil {
				select {
				case failed <- e:
				default:
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	e := <-failed
	_ = c.Close(t.Context(), mqtt.Disconnect{})
	<-ended
	if !strings.Contains(dialed, "key=hunter2") {
		t.Errorf("dialed %q", dialed)
	}
	if text := log.String() + e.Err.Error(); strings.Contains(text, "hunter2") || !strings.Contains(text, "wss://broker/mqtt?(hidden)") {
		t.Errorf("%s", text)
	}
}
