// Command parallel runs ten clients at the same time that publish 100 messages each, and one that
// counts what arrives.
//
//	go run ./mqtt/examples/parallel -broker mqtt://localhost
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

var (
	broker   = flag.String("broker", "mqtt://localhost", "URL of the broker")
	clients  = flag.Int("clients", 10, "number of clients")
	messages = flag.Int("messages", 100, "messages of each")
)

const root = "fieldgate/examples/parallel/"

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	defer running.Wait()

	connected := make(chan struct{})
	ready := sync.OnceFunc(func() { close(connected) })
	arrived := make(chan string, 100)
	counter, err := mqtt.New(mqtt.Config{
		URLs:          []string{*broker},
		Subscriptions: []mqtt.Subscription{{Filter: root + "#", QoS: mqtt.ExactlyOnce}},
		Handler: func(ctx context.Context, m *mqtt.Message) error {
			select {
			case arrived <- m.Topic:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		},
		OnEvent: func(e mqtt.Event) {
			if e.Kind == mqtt.Connected {
				ready()
			}
		},
	})
	if err != nil {
		return err
	}
	running.Go(func() { _ = counter.Run(ctx) })
	defer cancel(nil) // before running.Wait
	select {
	case <-connected:
	case <-ctx.Done():
		return context.Cause(ctx)
	}

	began := time.Now()
	for i := range *clients {
		running.Go(func() {
			if err := publish(ctx, fmt.Sprint(root, i)); err != nil {
				cancel(fmt.Errorf("client %d: %w", i, err))
			}
		})
	}
	count := make(map[string]int)
	for range *clients * *messages {
		select {
		case topic := <-arrived:
			count[topic]++
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for topic, n := range count {
		if n != *messages {
			return fmt.Errorf("%d messages on %s, want %d", n, topic, *messages)
		}
	}
	took := time.Since(began)
	fmt.Printf("%d clients, %d messages each: all %d arrived in %v\n", len(count), *messages, *clients**messages, took.Round(time.Millisecond))
	return nil
}

// publish runs one client that sends its messages, without waiting in between, and then for all of
// them to be acknowledged.
func publish(ctx context.Context, topic string) error {
	client, err := mqtt.New(mqtt.Config{URLs: []string{*broker}, SessionExpiry: mqtt.NoSession})
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = client.Run(ctx) })
	defer running.Wait()
	settled := make(chan error, *messages)
	for i := range *messages {
		m := &mqtt.Message{Topic: topic, Payload: fmt.Appendf(nil, "message %d", i), QoS: mqtt.ExactlyOnce}
		if err := client.Send(m, func(_ mqtt.PublishResult, err error) { settled <- err }); err != nil {
			return err
		}
	}
	for range *messages {
		if err := <-settled; err != nil { // each is settled, at the latest when the client ends
			return err
		}
	}
	return client.Close(ctx, mqtt.Disconnect{})
}
