package page

import (
	"log/slog"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// View is what the page shows of the gateway. All of it may be called from any goroutine, and
// changes nothing.
type View struct {
	Status func() contract.LocalStatus
	// Recent returns the commands of the ledger, newest first, at most max.
	Recent func(max int) []contract.CommandRecord
}

// Around is what the program gives a page beside the gateway.
type Around struct {
	// Lines returns the newest lines of the log, oldest first, at most max.
	Lines func(max int) []string
	// Files returns what the files of the configuration set, without secrets.
	Files func() []config.Setting
	// Certificate is where a certificate that the page makes itself is kept.
	Certificate string
}

// Config is what a Page is made of.
type Config struct {
	Gateway string        // its id
	MaxLoss time.Duration // buffer.max_loss
	Page    config.Page
	View    View
	// Password returns the password that signs in, as it is now; nil: there is none.
	Password func() ([]byte, error)
	Around
	Up     func() time.Duration // since power-up
	ForTLS func() time.Time     // that certificates are checked with
	Log    *slog.Logger         // limited: others can make it log
}

// A Page is the status page of a gateway. A nil Page is one that is off: it takes what it is given
// and keeps nothing.
type Page struct {
	cfg     Config
	history *history
	gate    *gate
	certs   *certificates // nil: there is no TLS
	frames  frames
}

// New makes a page, or nil if the configuration has none. A certificate is made when the first is
// needed.
func New(c Config) *Page {
	if c.Page.Listen == "" {
		return nil
	}
	p := &Page{cfg: c, history: newHistory(c.Up()), gate: newGate(c)}
	if c.Page.TLS() {
		p.certs = newCertificates(c)
	}
	return p
}

// Reading takes in a reading. It keeps nothing of values.
func (p *Page) Reading(sensor string, up time.Duration, values []drivers.Value) {
	if p != nil {
		p.history.reading(sensor, up, values)
	}
}

// Link takes in the state that the link has come into.
func (p *Page) Link(l contract.LinkHealth) {
	if p == nil {
		return
	}
	p.history.mu.Lock()
	defer p.history.mu.Unlock()
	p.history.link.change(p.cfg.Up(), l)
}

// Lost takes in what the loss ledger reports.
func (p *Page) Lost(l []contract.Loss) {
	if p != nil {
		p.history.lost(l)
	}
}

// Where says where the page is; nil: it is off.
func (p *Page) Where() *contract.Page {
	if p == nil {
		return nil
	}
	w := &contract.Page{URL: p.url()}
	if p.certs != nil {
		w.Fingerprint = p.certs.fingerprint()
	}
	return w
}
