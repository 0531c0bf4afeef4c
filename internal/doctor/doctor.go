package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/internal/enrol"
	"github.com/fieldgate/fieldgate/internal/homeassistant"
)

// A Level is how bad it is.
type Level string

const (
	OK   Level = "ok"
	Warn Level = "warn" // works, or may not for long
	Fail Level = "fail" // does not work
)

// A Check is one thing that was examined.
type Check struct {
	Subject string `json:"subject"` // "sensor hall", "store"
	Level   Level  `json:"level"`
	Detail  string `json:"detail"`
	Remedy  string `json:"remedy,omitempty"` // "" if there is nothing to do, or the detail says it
}

// A Config is what Examine looks at.
type Config struct {
	Config       *config.Config
	Store        string // file of the store
	Buses        drivers.Buses
	Board        board.Board
	Running      *contract.LocalStatus // of the gateway; nil: it does not run
	Unknown      error                 // why it is not known whether it runs: then neither sensors nor broker are touched
	Synchronised bool                  // the clock
	ClockWithin  time.Duration         // how far it may be off then; 0: not known
	ClockBasis   string                // why the clock is taken as right although the kernel does not say so; "": it is not
	Now          time.Time             // to check certificates with
	// Dial connects to a broker.
	Dial func(ctx context.Context, u *url.URL, cfg *tls.Config) (net.Conn, error)
	// Proxy returns the proxy through which Dial does that, without its password, "" if there is
	// none; nil: never.
	Proxy func(broker string) string
	// AskTime asks the server that gateway.time_from names what time it is.
	AskTime func(ctx context.Context, url string) (now time.Time, within time.Duration, err error)
}

// Examine makes all checks, which takes as long as the sensors and the broker take, and stops at
// the end of ctx.
func Examine(ctx context.Context, p Config) []Check {
	checks := append([]Check{p.gateway()}, p.reasons()...)
	if name := p.Board.String(); name != "" {
		checks = append(checks, Check{"board", OK, name, ""})
	}
	checks = append(checks, p.clock(ctx))
	for _, w := range slices.Concat(p.Config.Warnings(), homeassistant.Warnings(p.Config), enrol.Leftover(p.Config)) {
		checks = append(checks, Check{"configuration", Warn, w, ""})
	}
	checks = append(checks, p.store()...)
	checks = append(checks, p.wire(ctx)...)
	checks = append(checks, p.certificate()...)
	checks = append(checks, p.passwordFile()...)
	if p.Unknown != nil {
		return checks
	}
	checks = append(checks, p.broker(ctx)...)
	for i := range p.Config.Sensors {
		checks = append(checks, p.sensor(ctx, &p.Config.Sensors[i]))
	}
	return checks
}

// Failed reports whether something does not work.
func Failed(checks []Check) bool {
	for _, c := range checks {
		if c.Level == Fail {
			return true
		}
	}
	return false
}

func (p *Config) gateway() Check {
	if p.Unknown != nil {
		return Check{"gateway", Fail, p.Unknown.Error(), ""}
	}
	if p.Running == nil {
		return Check{"gateway", OK, "not running: doctor tries its sensors and its broker itself", ""}
	}
	c := Check{"gateway", OK, fmt.Sprintf("process %d, version %s: it uses the sensors; the states below are the ones that it reports", p.Running.PID, p.Running.Version), ""}
	if p.Running.Config != "current" {
		c.Level, c.Detail = Warn, c.Detail+"; it runs with its last good configuration, because the current one was wrong when it started"
		c.Remedy = "fieldgate reload"
	}
	return c
}

// reasons are what the running gateway says is kept from working. Its sensors and a link that is
// down have checks of their own.
func (p *Config) reasons() (checks []Check) {
	if p.Running == nil || !p.Running.Health.Link.Connected && !p.Running.Health.Link.Asleep {
		return nil
	}
	for _, r := range p.Running.Health.Reasons {
		if !strings.HasPrefix(r, "sensor ") {
			checks = append(checks, Check{"gateway", Warn, r, ""})
		}
	}
	return checks
}

// AsService is how a command runs with the rights of the service, and with the credentials that
// systemd passes to it. To change the owner of the service's files instead would keep the service
// from them.
const AsService = "run it as the service's user: sudo systemd-run --pipe --wait -q -p User=fieldgate fieldgate COMMAND (with -p LoadCredential=NAME:FILE for each credential of the unit)"

// soon is how many days before its end a certificate is worth a warning.
const expiryDays = 14

func (p *Config) certificate() []Check {
	if p.Config.MQTT.TLS.CertFile == "" {
		return nil
	}
	c := Check{Subject: "certificate", Level: OK, Remedy: "renew mqtt.tls.cert_file; the gateway takes up the new one within a minute"}
	days, ok := credential.DaysLeft(p.Config.MQTT.TLS, p.Now)
	switch {
	case !ok:
		_, err := credential.TLS(p.Config.MQTT.TLS, nil)
		c.Level, c.Detail, c.Remedy = Fail, fmt.Sprintf("it cannot be read: %v", err), "check the files and their permissions: the service's user must be able to read them"
	case days < 0:
		c.Level, c.Detail = Fail, fmt.Sprintf("it expired %.0f days ago", -days)
	case days < expiryDays:
		c.Level, c.Detail = Warn, fmt.Sprintf("it expires in %.0f days", days)
	default:
		c.Detail, c.Remedy = fmt.Sprintf("it is valid for another %.0f days", days), ""
	}
	return []Check{c}
}
