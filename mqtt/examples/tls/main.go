// Command tls connects with TLS, publishes a message and receives it.
//
//	go run ./mqtt/examples/tls -broker mqtts://broker.example.com
//
// With -ca it trusts only that authority; with -cert and -key it shows a certificate of its own.
// The files are read again before every attempt to connect, so that a renewed certificate needs no
// restart.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

var (
	broker = flag.String("broker", "mqtts://localhost:8883", "URL of the broker")
	ca     = flag.String("ca", "", "file with the authorities to trust instead of the system's")
	cert   = flag.String("cert", "", "file with the client's certificate")
	key    = flag.String("key", "", "file with the key of -cert")
	topic  = flag.String("topic", "fieldgate/examples/tls", "topic to publish to")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	received := make(chan string, 1)
	client, err := mqtt.New(mqtt.Config{
		URLs:          []string{*broker},
		TLS:           tlsConfig,
		Subscriptions: []mqtt.Subscription{{Filter: *topic, QoS: mqtt.AtLeastOnce}},
		Handler: func(_ context.Context, m *mqtt.Message) error {
			select {
			case received <- string(m.Payload):
				// a copy: the message is valid during this call only
			default: // another client's, after ours
			}
			return nil
		},
		Log: slog.Default(),
	})
	if err != nil {
		return err
	}
	go func() { _ = client.Run(context.Background()) }() // ends with Close

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	// Publish waits for the connection, and for the broker's acknowledgement.
	if _, err := client.Publish(ctx, &mqtt.Message{Topic: *topic, Payload: []byte("hello over TLS"), QoS: mqtt.AtLeastOnce}); err != nil {
		return err
	}
	select {
	case text := <-received:
		fmt.Println("received:", text)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return client.Close(ctx, mqtt.Disconnect{})
}

// tlsConfig makes the TLS configuration of one attempt.
func tlsConfig(context.Context) (*tls.Config, error) {
	cfg := new(tls.Config)
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", *ca)
		}
	}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
