// Command devicecontrol shows request and response: a device that obeys commands, and a controller
// that sends them and waits for the answers. By default it is both, with a client for each; -role
// runs one of them.
//
//	go run ./mqtt/examples/devicecontrol -broker mqtt://localhost -role device
//	go run ./mqtt/examples/devicecontrol -broker mqtt://localhost -role controller
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
)

var (
	broker = flag.String("broker", "mqtt://localhost", "URL of the broker")
	role   = flag.String("role", "both", "device, controller or both")
	name   = flag.String("name", "lamp", "name of the device")
)

func commands() string { return "fieldgate/examples/devices/" + *name + "/power" }

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch *role {
	case "device":
		err = device(ctx, func() { fmt.Println("waiting for commands on", commands()) })
	case "controller":
		err = control(ctx)
	case "both":
		err = both(ctx)
	default:
		err = fmt.Errorf("role %q is not device, controller or both", *role)
	}
	if err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

// both runs a device until the controller is done with it.
func both(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- device(ctx, func() { close(ready) }) }()
	defer func() {
		cancel()
		<-ended
	}()
	select {
	case <-ready:
		return control(ctx)
	case err := <-ended:
		ended <- err
		return err
	}
}

// device obeys commands until ctx ends. ready is called at the first connection.
func device(ctx context.Context, ready func()) error {
	power := "off"
	var client *mqtt.Client
	obey := func(ctx context.Context, m *mqtt.Message) error {
		answer := ""
		switch command := string(m.Payload); command {
		case "on", "off":
			power = command
			answer = "power is " + power
		case "status":
			answer = "power is " + power
		default:
			answer = fmt.Sprintf("unknown command %q", command)
		}
		fmt.Printf("device: %s -> %s\n", m.Payload, answer)
		if m.ResponseTopic == "" {
			return nil // no response was asked for
		}
		// The command is acknowledged when this returns: should the answer get lost with the
		// connection, the command comes again.
		_, err := client.Publish(ctx, &mqtt.Message{
			Topic: m.ResponseTopic, CorrelationData: m.CorrelationData, Payload: []byte(answer), QoS: mqtt.AtLeastOnce,
		})
		return err
	}
	client, err := mqtt.New(mqtt.Config{
		URLs:          []string{*broker},
		Subscriptions: []mqtt.Subscription{{Filter: commands(), QoS: mqtt.AtLeastOnce}},
		Handler:       obey,
		OnEvent: func(e mqtt.Event) {
			switch {
			case e.Kind == mqtt.Connected && ready != nil:
				ready()
				ready = nil
			case e.Kind == mqtt.Disconnected && e.Err != nil:
				log.Printf("device: %v", e.Err)
			}
		},
	})
	if err != nil {
		return err
	}
	return client.Run(ctx)
}

// control sends commands and prints the answers.
func control(ctx context.Context) error {
	client, err := mqtt.New(mqtt.Config{URLs: []string{*broker}})
	if err != nil {
		return err
	}
	go func() { _ = client.Run(context.Background()) }() // ends with Close
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, command := range []string{"on", "status", "dance", "off"} {
		answer, err := client.Request(ctx, &mqtt.Message{
			Topic: commands(), Payload: []byte(command), QoS: mqtt.AtLeastOnce,
			Expiry: new(10 * time.Second), // an old command is worse than none
		})
		if err != nil {
			return errors.Join(err, client.Close(ctx, mqtt.Disconnect{}))
		}
		fmt.Printf("controller: %s: %s\n", command, answer.Payload)
	}
	return client.Close(ctx, mqtt.Disconnect{})
}
