package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/probe"
	"github.com/fieldgate/fieldgate/internal/verify"
)

// errNotComplete is the verdict of verify, whose reasons were printed.
var errNotComplete = errors.New("completeness is not proven")

// verifyFlags say where to look.
type verifyFlags struct {
	mqtt    config.MQTT
	broker  string
	prefix  string
	gateway string
	length  time.Duration
	partial bool
	asJSON  bool
}

func verifyCommand(o *options) *cobra.Command {
	f := verifyFlags{}
	c := &cobra.Command{
		Use: "verify [file...]", Short: "Prove on the cloud's side that no reading is missing",
		Long: `Verify subscribes to what gateways send and proves from the numbers of the readings, the boot events and the loss ledger that
nothing is missing: per gateway, store, run and sensor. It watches until Ctrl-C, or for the time given with --for. A run that was under way
when it began counts from the first number that arrives. Without --broker it uses the [mqtt] of the configuration.

With files it reads JSON lines instead ("-" is standard input): documents as gateways sent them, or objects with "topic" and "payload" as
mosquitto_sub -F %j prints them, or "payload_hex" for compressed telemetry: mosquitto_sub -F '{"topic":"%t","payload_hex":"%x"}'. Then everything from the first number on is expected, unless --partial is given.

It exits with 0 if nothing is missing, and with 1 if something is.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, files []string) error {
			t := verify.New()
			t.Partial = f.partial || len(files) == 0
			if len(files) > 0 {
				if err := readFiles(t, cmd.InOrStdin(), files); err != nil {
					return err
				}
			} else if err := f.watch(cmd, o, t); err != nil {
				return err
			}
			return f.report(cmd.OutOrStdout(), t)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.broker, "broker", "", "`URL` of the broker: mqtt, mqtts, ws or wss")
	flags.StringVar(&f.mqtt.Username, "username", "", "user `name`")
	flags.StringVar(&f.mqtt.PasswordFile, "password-file", "", "`file` with the password")
	flags.StringVar(&f.mqtt.PasswordEnv, "password-env", "", "`name` of the environment variable with the password")
	flags.StringVar(&f.mqtt.TLS.CAFile, "ca-file", "", "`file` with the trusted certificates (default: the system's)")
	flags.StringVar(&f.mqtt.TLS.CertFile, "cert-file", "", "`file` with the client's certificate")
	flags.StringVar(&f.mqtt.TLS.KeyFile, "key-file", "", "`file` with its key")
	flags.StringVar(&f.mqtt.TLS.ServerName, "server-name", "", "`name` in the broker's certificate (default: the URL's host)")
	flags.StringVar(&f.prefix, "topic-prefix", "", "prefix of the topics (default: the configuration's, or fieldgate with --broker)")
	flags.StringVar(&f.gateway, "gateway", "+", "`id` of one gateway (default: all)")
	flags.DurationVar(&f.length, "for", 0, "how long to watch; 0: until Ctrl-C")
	flags.BoolVar(&f.partial, "partial", false, "the files begin in the middle: expect only what comes after the first number")
	flags.BoolVar(&f.asJSON, "json", false, "print the report as JSON")
	return c
}

// readFiles takes files of JSON lines in.
func readFiles(t *verify.Tracker, stdin io.Reader, files []string) error {
	for _, name := range files {
		if name == "-" {
			if err := t.Lines(stdin, "standard input"); err != nil {
				return err
			}
			continue
		}
		file, err := os.Open(name)
		if err != nil {
			return usageError{err}
		}
		err = t.Lines(file, name)
		file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// watch subscribes until Ctrl-C or the end of --for. On a terminal it shows the table meanwhile.
func (f *verifyFlags) watch(cmd *cobra.Command, o *options, t *verify.Tracker) error {
	c := &config.Config{MQTT: f.mqtt}
	if f.broker == "" {
		var err error
		if c, err = o.load(); err != nil {
			return usageError{fmt.Errorf("no --broker was given, and no configuration names one: %w", err)}
		}
		if s := c.NoBroker(); s != "" {
			return usageError{fmt.Errorf("no --broker was given, and the configuration names none: %s", s)}
		}
		if f.prefix == "" {
			f.prefix = c.Gateway.TopicPrefix
		}
	} else {
		c.MQTT.URLs = []string{f.broker}
		if f.prefix == "" {
			f.prefix = "fieldgate"
		}
	}
	ctx := cmd.Context()
	if f.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.length)
		defer cancel()
	}
	said := cmd.ErrOrStderr()
	var mu sync.Mutex // around t
	var showing sync.WaitGroup
	defer showing.Wait()
	if !f.asJSON && term.IsTerminal(int(os.Stdout.Fd())) {
		shown, stop := context.WithCancel(ctx)
		defer stop()
		showing.Go(func() { showReports(shown, cmd.OutOrStdout(), &mu, t) })
	}
	return verify.Watch(ctx, c, f.prefix, f.gateway, verify.Watcher{
		Connecting: func(url string) { fmt.Fprintf(said, "connecting to %s\n", url) },
		Connected:  func(url string) { fmt.Fprintf(said, "connected to %s, watching %s/%s\n", url, f.prefix, f.gateway) },
		Disconnected: func(err error) {
			remedy, cause := probe.Diagnose(err)
			fmt.Fprintf(said, "not connected: %v; %s\n", cause, remedy)
		},
		Outage: func(from, to time.Time) {
			mu.Lock()
			defer mu.Unlock()
			t.Outage(from, to)
		},
		Message: func(topic string, payload []byte) {
			mu.Lock()
			defer mu.Unlock()
			_ = t.Message(topic, payload) // the report says what could not be read
		},
	})
}

// showReports draws the table again every second until ctx ends.
func showReports(ctx context.Context, out io.Writer, mu *sync.Mutex, t *verify.Tracker) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			draw(out, "\x1b[H\x1b[2J")
			return
		case <-tick.C:
		}
		mu.Lock()
		r := t.Report()
		mu.Unlock()
		draw(out, "\x1b[H\x1b[2J")
		_ = r.Print(out)
	}
}

// report prints the verdict and returns it as an error if something is missing.
func (f *verifyFlags) report(out io.Writer, t *verify.Tracker) error {
	r := t.Report()
	var err error
	if f.asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		err = r.Print(out)
	}
	if err == nil && r.Verdict != verify.Complete {
		err = errNotComplete
	}
	return err
}
