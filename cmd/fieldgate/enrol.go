package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/internal/doctor"
	"github.com/fieldgate/fieldgate/internal/enrol"
	enrolaws "github.com/fieldgate/fieldgate/internal/enrol/aws"
	"github.com/fieldgate/fieldgate/internal/launch"
	"github.com/fieldgate/fieldgate/internal/probe"
	"github.com/fieldgate/fieldgate/internal/transport"
)

// waitsForIdentity is why a gateway that is not enrolled yet has no connection.
const waitsForIdentity = "this gateway gets its identity from the platform ([enrol]); until then readings are kept, and journalctl -u fieldgate says how far it is"

func enrolCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "enrol", Short: "Get the gateway an identity of its own, with a claim",
		Args: cobra.NoArgs,
	}
	c.AddCommand(enrolAWSCommand(o))
	return c
}

func enrolAWSCommand(o *options) *cobra.Command {
	var asJSON bool
	var wait time.Duration
	c := &cobra.Command{
		Use: "aws", Short: "Fleet provisioning by claim of AWS IoT Core",
		Long: `Enrol aws makes a key on this board, has AWS IoT Core sign a certificate for it with the claim of [enrol], registers the gateway as a thing
by the provisioning template, connects with the new certificate, and then deletes the claim. It writes what it got to enrolled/ in the state
directory, where the configuration takes it from. It can be interrupted at any moment, and goes on where it was. ` + "`fieldgate run`" + ` does the same
by itself when it starts without an identity.

The claim connects with the client id that the request's common name is: by default the board's serial number.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := o.load()
			if err != nil {
				return usageError{err}
			}
			if cfg.Enrol.Template == "" {
				return usageError{fmt.Errorf("%s has no [enrol]: write it with claim_cert, claim_key and template", o.config)}
			}
			places, err := o.places()
			if err == nil {
				err = places.Make(cfg)
			}
			if err != nil {
				return err
			}
			e, err := enrolment(cfg, o.config, places, slog.New(&sentences{out: cmd.ErrOrStderr()}))
			if err != nil {
				return err
			}
			defer e.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			if err := patiently(ctx, e); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					Thing       string   `json:"thing"`
					Certificate string   `json:"certificate"`
					File        string   `json:"file"`
					Left        []string `json:"left"` // of the claim, a sentence each
				}{e.Thing(), e.CertificateID(), o.enrolled(), leftClaim(o)})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "this gateway is the thing %s, with certificate %.12s; next: sudo systemctl restart fieldgate\n", e.Thing(), e.CertificateID())
			for _, s := range leftClaim(o) {
				fmt.Fprintf(cmd.OutOrStdout(), "warning: %s\n", s)
			}
			return nil
		},
	}
	stateFlag(c, o)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().DurationVar(&wait, "for", time.Minute, "`time` in which what may pass is tried again")
	return c
}

// patiently attempts until the gateway is enrolled, or what keeps it from that does not pass.
func patiently(ctx context.Context, e *enrol.Enrolment) error {
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		err := e.Attempt(ctx)
		if err == nil || !enrol.Passes(err) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w; what was done is kept: run it again", err)
		case <-timer.C:
		}
	}
}

// leftClaim says what is left of the claim of a gateway that is enrolled.
func leftClaim(o *options) []string {
	c, err := o.load()
	if err != nil {
		return []string{}
	}
	return append([]string{}, enrol.Leftover(c)...)
}

// enrolment makes the enrolment of the gateway with a configuration.
func enrolment(c *config.Config, file string, places config.Places, log *slog.Logger) (*enrol.Enrolment, error) {
	boot, err := clock.KernelBoot()
	if err != nil {
		return nil, err
	}
	serial := enrol.ThisBoard(config.MachineHash()).Serial()
	name := c.Enrol.CommonName
	if name == "" {
		name = serial
	}
	parameters := map[string]string{"SerialNumber": serial}
	for key, value := range c.Enrol.Parameters {
		parameters[key] = value
	}
	claim := c.WithClaim()
	to := transport.New(transport.Config{MQTT: claim.MQTT, Protocols: claim.Protocols})
	parse := func(text string) (*config.Config, error) {
		sources, err := config.ReadSources(file, "")
		if err != nil {
			return nil, err
		}
		own := config.Source{Name: filepath.Join(enrol.Dir(places.State), config.EnrolledFile), Text: text}
		return config.Parse(append([]config.Source{own}, sources...), catalogue())
	}
	return enrol.New(enrol.Config{
		Dir: enrol.Dir(places.State), Claim: []string{c.Enrol.ClaimKey, c.Enrol.ClaimCert}, CommonName: name, Parameters: parameters, Boot: boot, Up: clock.Up, Log: log,
		Connect: func(ctx context.Context) (enrol.Session, error) {
			if _, err := credential.TLS(claim.MQTT.TLS, nil); err != nil {
				return nil, &enrol.Fault{What: "the claim cannot be used: " + claimWords.Replace(err.Error()), Err: err,
					Remedy: "put its certificate and its key where [enrol] names them, readable for the service's user: sudo chown root:fieldgate FILE; sudo chmod 640 FILE"}
			}
			return enrolaws.Connect(ctx, enrolaws.Config{
				URLs: claim.MQTT.URLs, ClientID: name, Template: c.Enrol.Template, Dial: to.Dial, Log: slog.New(slog.DiscardHandler),
				TLS: func(context.Context) (*tls.Config, error) { return credential.TLS(claim.MQTT.TLS, now) },
				Explain: func(err error) error {
					remedy, cause := probe.Diagnose(err)
					return errors.New(claimWords.Replace(probe.Sentence(cause, remedy).Error()))
				},
			})
		},
		Check: func(text string) error { _, err := parse(text); return err },
		Try: func(ctx context.Context, text string) error {
			c, err := parse(text)
			if err != nil {
				return err
			}
			own := transport.New(transport.Config{MQTT: c.MQTT, Protocols: c.Protocols})
			_, err = doctor.Connect(ctx, doctor.Config{Config: c, Dial: own.Dial, Proxy: own.Proxy, Now: now()})
			return err
		},
	}), nil
}

// claimWords are what the words of [mqtt.tls] are called for the claim.
var claimWords = strings.NewReplacer("mqtt.tls.cert_file and key_file", "enrol.claim_cert and claim_key", "mqtt.tls.cert_file", "enrol.claim_cert", "mqtt.tls.key_file", "enrol.claim_key")

// now is the time to check certificates with, on a board whose clock may not be set.
func now() time.Time { return clock.Floor(buildTime(), time.Now()) }

// finishEnrolment does what a power cut left to do of an enrolment that needs no connection any
// more, and returns the configuration with what it wrote.
func finishEnrolment(files launch.Files, choice launch.Choice, places config.Places, named bool, log *slog.Logger) (launch.Choice, error) {
	e, err := enrolment(choice.Config, files.Config, places, log)
	if err != nil {
		return choice, nil // a gateway without a kernel's boot id says so itself
	}
	defer e.Close()
	finished, err := e.Finish()
	if err != nil {
		log.Warn("what is left to do of the enrolment cannot be done", "err", err)
	}
	if !finished || !choice.Config.ToEnrol() {
		return choice, nil
	}
	return files.Choose(named)
}

// enrol enrols the gateway while it runs without a broker, and has it reload then. The result ends
// that, and waits.
func (p *program) enrol(ctx context.Context, c *config.Config) (stop func()) {
	e, err := enrolment(c, p.config, p.places, p.log)
	if err != nil {
		p.log.Warn("the gateway cannot be enrolled", "err", err)
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		defer e.Close()
		if finished, _ := e.Finish(); finished {
			return // and yet this configuration has no identity: it is the last good one
		}
		if e.Run(ctx) != nil {
			return // it was stopped
		}
		select {
		case p.hangup <- syscall.SIGHUP:
		default: // somebody else asks for a reload
		}
	})
	return func() { cancel(); running.Wait() }
}

// reloaded is the configuration as it is now, for a gateway that runs.
func (p *program) reloaded() (*config.Config, error) {
	c, err := p.load()
	if err == nil && c.ToEnrol() {
		c = c.WithoutBroker(waitsForIdentity)
	}
	return c, err
}

// sentences prints records for a person at a terminal: the message, and what belongs to it.
type sentences struct {
	mu  sync.Mutex
	out io.Writer
}

// Enabled implements slog.Handler.
func (s *sentences) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (s *sentences) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf("; %s: %s", strings.ReplaceAll(a.Key, "_", " "), a.Value)
		return true
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprintln(s.out, line)
	return err
}

// WithAttrs implements slog.Handler.
func (s *sentences) WithAttrs([]slog.Attr) slog.Handler { return s }

// WithGroup implements slog.Handler.
func (s *sentences) WithGroup(string) slog.Handler { return s }
