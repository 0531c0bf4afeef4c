// Command subscriptions shows subscriptions that come and go while the client runs, and a last
// will: a watcher sees when the worker is online and when it is gone.
//
//	go run ./mqtt/examples/subscriptions -broker mqtt://localhost
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

var broker = flag.String("broker", "mqtt://localhost", "URL of the broker")

const (
	root   = "fieldgate/examples/subscriptions/"
	status = root + "status"
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

// start runs a client whose messages go to the channel.
func start(cfg mqtt.Config) (*mqtt.Client, <-chan string, error) {
	received := make(chan string, 16)
	cfg.URLs = []string{*broker}
	cfg.Handler = func(ctx context.Context, m *mqtt.Message) error {
		select {
		case received <- fmt.Sprintf("%s = %s", m.Topic[len(root):], m.Payload):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	client, err := mqtt.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	go func() { _ = client.Run(context.Background()) }() // ends with Close
	return client, received, nil
}

func run(ctx context.Context) error {
	// Subscriptions that are always wanted belong to the configuration: they are made again if the
	// broker lost the session.
	watcher, seen, err := start(mqtt.Config{Subscriptions: []mqtt.Subscription{{Filter: status, QoS: mqtt.AtLeastOnce, RetainHandling: mqtt.RetainDoNotSend}}})
	if err != nil {
		return err
	}
	worker, got, err := start(mqtt.Config{
		Will: func() *mqtt.Will {
			return &mqtt.Will{Message: mqtt.Message{Topic: status, Payload: []byte("lost"), QoS: mqtt.AtLeastOnce, Retain: true}}
		},
	})
	if err != nil {
		return err
	}
	// Subscribe returns when the broker has answered: from here on the watcher sees what the worker
	// says.
	if _, err := watcher.Subscribe(ctx, mqtt.Subscription{Filter: status, QoS: mqtt.AtLeastOnce, RetainHandling: mqtt.RetainDoNotSend}); err != nil {
		return err
	}
	if err := publish(ctx, worker, status, "online", true); err != nil {
		return err
	}
	if err := expect(ctx, "watcher", seen); err != nil {
		return err
	}

	for _, room := range []string{"kitchen", "cellar"} {
		filter := root + room + "/+"
		answer, err := worker.Subscribe(ctx, mqtt.Subscription{Filter: filter, QoS: mqtt.AtLeastOnce})
		if err != nil {
			return err
		}
		fmt.Printf("worker: subscribed to %s: %v\n", filter, answer.Codes[0])
		if err := publish(ctx, watcher, root+room+"/temperature", "21.5", false); err != nil {
			return err
		}
		if err := expect(ctx, "worker", got); err != nil {
			return err
		}
		if _, err := worker.Unsubscribe(ctx, []string{filter}); err != nil {
			return err
		}
		fmt.Printf("worker: unsubscribed from %s\n", filter)
	}

	// The worker leaves, and asks the broker to publish its will. A crash, or a lost network, would
	// do the same.
	if err := worker.Close(ctx, mqtt.Disconnect{Code: packet.DisconnectWithWill}); err != nil {
		return err
	}
	if err := expect(ctx, "watcher", seen); err != nil {
		return err
	}
	return errors.Join(publish(ctx, watcher, status, "", true), watcher.Close(ctx, mqtt.Disconnect{})) // clears what was retained
}

func publish(ctx context.Context, c *mqtt.Client, topic, text string, retain bool) error {
	_, err := c.Publish(ctx, &mqtt.Message{Topic: topic, Payload: []byte(text), QoS: mqtt.AtLeastOnce, Retain: retain})
	return err
}

func expect(ctx context.Context, who string, received <-chan string) error {
	select {
	case text := <-received:
		fmt.Printf("%s: %s\n", who, text)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s waits for a message: %w", who, context.Cause(ctx))
	}
}
