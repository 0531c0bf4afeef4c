package mqtt_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// The broker of these examples is one in memory, so that they run anywhere; for a real one leave
// Dial out.
var broker = mqtttest.New(mqtttest.Behavior{})

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// A client that publishes a message and receives it.
func Example() {
	ctx := context.Background()
	received := make(chan string, 1)
	client, err := mqtt.New(mqtt.Config{
		URLs:          []string{"mqtt://broker.example.com"},
		Dial:          broker.Dial,
		ClientID:      "hall-sensor",
		Subscriptions: []mqtt.Subscription{{Filter: "plant/#", QoS: mqtt.AtLeastOnce}},
		Handler: func(_ context.Context, m *mqtt.Message) error {
			received <- fmt.Sprintf("%s: %s", m.Topic, m.Payload)
			return nil // the broker gets its acknowledgement
		},
	})
	check(err)
	go func() { _ = client.Run(ctx) }() // connects, and connects again, until Close

	_, err = client.Publish(ctx, &mqtt.Message{Topic: "plant/hall/temperature", Payload: []byte("21.5"), QoS: mqtt.AtLeastOnce})
	check(err)
	fmt.Println(<-received)
	check(client.Close(ctx, mqtt.Disconnect{}))
	// Output: plant/hall/temperature: 21.5
}

// A configuration for a broker that wants TLS and a token that changes, with a will and events.
func ExampleConfig() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	_, err := mqtt.New(mqtt.Config{
		URLs:     []string{"mqtts://a.example.com:8883", "mqtts://b.example.com:8883"},
		ClientID: "gateway-7",
		TLS: func(context.Context) (*tls.Config, error) { // asked before every attempt
			pair, err := tls.LoadX509KeyPair("/etc/gateway/cert.pem", "/etc/gateway/key.pem")
			return &tls.Config{Certificates: []tls.Certificate{pair}}, err
		},
		Credentials: func(context.Context) (mqtt.Credentials, error) {
			token, err := os.ReadFile("/run/gateway/token")
			return mqtt.Credentials{Username: "gateway-7", Password: token}, err
		},
		Will: func() *mqtt.Will {
			return &mqtt.Will{
				Message: mqtt.Message{Topic: "gateways/7/status", Payload: []byte("lost"), QoS: mqtt.AtLeastOnce, Retain: true},
				Delay:   time.Minute, // not for a short break
			}
		},
		OnEvent: func(e mqtt.Event) {
			if e.Kind == mqtt.Connected {
				log.Info("connected", "receive maximum", e.Negotiated.ReceiveMaximum)
			}
		},
		Log: log,
	})
	fmt.Println(err)
	// Output: <nil>
}

// Send is for many messages: it does not wait, and reports the outcome of each.
func ExampleClient_Send() {
	ctx := context.Background()
	client, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://broker.example.com"}, Dial: broker.Dial})
	check(err)
	settled := make(chan error, 100)
	for i := range 100 { // there is no connection yet: they wait
		m := &mqtt.Message{Topic: "plant/hall/temperature", Payload: fmt.Append(nil, i), QoS: mqtt.AtLeastOnce}
		check(client.Send(m, func(_ mqtt.PublishResult, err error) { settled <- err }))
	}
	go func() { _ = client.Run(ctx) }()
	for range 100 {
		check(<-settled)
	}
	fmt.Println("100 messages are the broker's")
	check(client.Close(ctx, mqtt.Disconnect{}))
	// Output: 100 messages are the broker's
}

// What an error of Publish means for the message.
func ExampleClient_Publish() {
	refusing := mqtttest.New(mqtttest.Behavior{AckCode: packet.NotAuthorized})
	defer refusing.Close()
	client, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://broker.example.com"}, Dial: refusing.Dial})
	check(err)
	go func() { _ = client.Run(context.Background()) }()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = client.Publish(ctx, &mqtt.Message{Topic: "forbidden", QoS: mqtt.AtLeastOnce})
	refusal, refused := errors.AsType[*mqtt.ReasonError](err)
	switch {
	case err == nil:
		fmt.Println("the broker has it")
	case refused:
		fmt.Printf("the broker refused it: %v (permanent: %v)\n", refusal.Code, mqtt.IsPermanent(err))
	case errors.Is(err, mqtt.ErrUncertain):
		fmt.Println("it was sent, and the broker may have it")
	default:
		fmt.Println("it was not sent:", err)
	}
	check(client.Close(ctx, mqtt.Disconnect{}))
	// Output: the broker refused it: 0x87 not authorized (permanent: true)
}

// Subscriptions that come and go. Those that must last belong to Config.Subscriptions.
func ExampleClient_Subscribe() {
	ctx := context.Background()
	client, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://broker.example.com"}, Dial: broker.Dial})
	check(err)
	go func() { _ = client.Run(ctx) }()
	answer, err := client.Subscribe(ctx,
		mqtt.Subscription{Filter: "plant/+/temperature", QoS: mqtt.AtLeastOnce},
		mqtt.Subscription{Filter: "$share/workers/jobs/#", QoS: mqtt.ExactlyOnce},
	)
	check(err)
	fmt.Println(answer.Codes)
	_, err = client.Unsubscribe(ctx, []string{"plant/+/temperature"})
	check(err)
	check(client.Close(ctx, mqtt.Disconnect{}))
	// Output: [0x01 granted QoS 1 0x02 granted QoS 2]
}

// A device that answers, and a request to it.
func ExampleClient_Request() {
	ctx := context.Background()
	var device *mqtt.Client
	device, err := mqtt.New(mqtt.Config{
		URLs: []string{"mqtt://broker.example.com"}, Dial: broker.Dial, ClientID: "lamp",
		Handler: func(ctx context.Context, m *mqtt.Message) error {
			_, err := device.Publish(ctx, &mqtt.Message{
				Topic: m.ResponseTopic, CorrelationData: m.CorrelationData, Payload: []byte("power is " + string(m.Payload)), QoS: mqtt.AtLeastOnce,
			})
			return err
		},
	})
	check(err)
	go func() { _ = device.Run(ctx) }()
	_, err = device.Subscribe(ctx, mqtt.Subscription{Filter: "lamp/power", QoS: mqtt.AtLeastOnce})
	check(err)

	controller, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://broker.example.com"}, Dial: broker.Dial, ClientID: "controller"})
	check(err)
	go func() { _ = controller.Run(ctx) }()
	answer, err := controller.Request(ctx, &mqtt.Message{Topic: "lamp/power", Payload: []byte("on"), QoS: mqtt.AtLeastOnce})
	check(err)
	fmt.Printf("%s\n", answer.Payload)
	check(errors.Join(controller.Close(ctx, mqtt.Disconnect{}), device.Close(ctx, mqtt.Disconnect{})))
	// Output: power is on
}

// Messages that are acknowledged later, when they are safe somewhere.
func ExampleMessage_Ack() {
	ctx := context.Background()
	queue := make(chan *mqtt.Message, 10)
	client, err := mqtt.New(mqtt.Config{
		URLs: []string{"mqtt://broker.example.com"}, Dial: broker.Dial,
		Subscriptions:  []mqtt.Subscription{{Filter: "orders/#", QoS: mqtt.AtLeastOnce}},
		ReceiveMaximum: 10,
		ManualAck:      true,
		Handler:        func(_ context.Context, m *mqtt.Message) error { queue <- m; return nil },
	})
	check(err)
	go func() { _ = client.Run(ctx) }()
	_, err = client.Publish(ctx, &mqtt.Message{Topic: "orders/1", Payload: []byte("two bolts"), QoS: mqtt.AtLeastOnce})
	check(err)
	m := <-queue
	fmt.Printf("stored %s\n", m.Payload)
	if err := m.Ack(); errors.Is(err, mqtt.ErrAckTooLate) {
		fmt.Println("it comes again: the connection was lost in between")
	}
	check(client.Close(ctx, mqtt.Disconnect{}))
	// Output: stored two bolts
}

// Authentication in which the password does not leave the machine.
func ExampleSCRAMSHA256() {
	login := func(context.Context) (mqtt.Credentials, error) {
		return mqtt.Credentials{Username: "gateway-7", Password: []byte("secret")}, nil
	}
	_, err := mqtt.New(mqtt.Config{URLs: []string{"mqtts://broker.example.com"}, Authenticator: mqtt.SCRAMSHA256(login)})
	fmt.Println(err)
	// Output: <nil>
}
