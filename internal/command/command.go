package command

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
)

const (
	maxWaiting = 16       // commands of one name that wait behind the running one
	maxID      = 128      // bytes of an id
	maxName    = 64       // bytes of a command's name
	maxPayload = 16 << 10 // bytes of a command
	maxAnswer  = 1 << 10  // bytes of a Response Topic, and of Correlation Data
)

// An Error is a failure with a stable code for programs.
type Error struct {
	Code string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// A Request is a command as it arrived.
type Request struct {
	Name          string
	Payload       []byte // contract.Command
	ResponseTopic string // as the sender has it
	// Answer is where a platform wants the reply; it goes before ResponseTopic. Malformed says why
	// what the platform sent is no command. Both are "" for one of the contract's form.
	Answer, Malformed string
	Correlation       []byte
	Retained          bool
	Expiry            *time.Duration // what was left of the Message Expiry Interval when it arrived; nil: it never expires
}

// Config is what a Runner is made of.
type Config struct {
	Commands []Spec // all there are
	Host     Host
	Allowed  []string // names of those that may run
	Topics   contract.Topics
	// ReplyTopics are the filters of the Response Topics that replies may go to; none: see
	// contract.Topics.MayReply.
	ReplyTopics []string
	// Keep is how long the broker may deliver a command once more: so long no entry of the ledger
	// is forgotten.
	Keep  time.Duration
	Store *buffer.Store
	Up    func() time.Duration
	Now   func() (time.Time, bool)
	Log   *slog.Logger
}

// A Runner accepts and runs commands.
type Runner struct {
	cfg    Config
	ledger *ledger
	queues map[string]chan job
	open   atomic.Int64 // commands that were accepted and are not answered
}

// job is one accepted command on its way through a worker.
type job struct {
	entry   entry // as it stands in the ledger
	args    json.RawMessage
	expires *time.Duration // on the clock of Up; nil: never
}

// A refusal is why a command does not run.
type refusal struct{ code, why string }

// New makes a runner and answers the commands that the last end of the program interrupted. A store
// without room does not keep it from that: they are then answered from memory.
func New(ctx context.Context, c Config) (*Runner, error) {
	r := &Runner{cfg: c, queues: map[string]chan job{}}
	for _, op := range c.Commands {
		r.queues[op.Name] = make(chan job, maxWaiting)
	}
	var err error
	if r.ledger, err = openLedger(ctx, c); err != nil {
		return nil, fmt.Errorf("commands: reading the ledger: %w", err)
	}
	return r, r.answerInterrupted(ctx)
}

// Accept takes a command in. When it returns nil the broker may get its PUBACK: the command was
// answered or stands in the ledger. An error is the store's, and the broker must deliver the
// command again.
func (r *Runner) Accept(ctx context.Context, q Request) error {
	if st := r.cfg.Store.Stats(); st.EventBytes > st.MaxBytes/40 {
		r.cfg.Log.Warn("command ignored: too many replies wait for the broker", "op", q.Name, "bytes", st.EventBytes)
		return nil
	}
	q, c, no := inspect(q)
	op := r.spec(q.Name)
	switch {
	case no != (refusal{}):
	case op == nil:
		no = refusal{"unknown", fmt.Sprintf("there is no command %q", q.Name)}
	case c.ID == "" && !op.Harmless:
		no = refusal{"id-missing", fmt.Sprintf("%s changes something: it needs an id, so that a repeat does not do it twice", op.Name)}
	}
	if no != (refusal{}) {
		return r.reject(ctx, q, c.ID, no)
	}
	e := entry{Op: op.Name, ID: c.ID, Args: hashOf(c.Args), Topic: r.replyTopic(q), Correlation: q.Correlation}
	if c.ID != "" {
		if before := r.ledger.find(e.key()); before != nil {
			return r.repeat(ctx, q, before, e.Args)
		}
		if no, ok := r.ledger.refusalOf(e.key()); ok {
			return r.reject(ctx, q, c.ID, no)
		}
	}
	switch {
	case !r.allowed(op.Name):
		no = refusal{"not-allowed", fmt.Sprintf("[commands] allow does not list %q", op.Name)}
	case q.Expiry != nil && *q.Expiry <= 0:
		no = expired
	case len(r.queues[op.Name]) == maxWaiting:
		no = refusal{"busy", fmt.Sprintf("%d commands of this name are waiting already", maxWaiting)}
	}
	if no != (refusal{}) {
		return r.refuse(ctx, q, e, no)
	}
	j := job{entry: e, args: c.Args}
	if q.Expiry != nil {
		expires := r.cfg.Up() + *q.Expiry
		j.expires = &expires
	}
	if c.ID != "" {
		err := r.ledger.put(ctx, e, nil)
		switch {
		case err == nil:
		case errors.Is(err, errLedgerFull):
			no = ledgerFull(*op, r.ledger.share)
		case errors.Is(err, buffer.ErrClosed) || ctx.Err() != nil:
			return fmt.Errorf("commands: keeping %s: %w", e.key(), err) // stopping: the broker delivers it to the next start
		default:
			no = refusal{"store", fmt.Sprintf("the ledger cannot be written: %v", err)}
		}
		if no != (refusal{}) {
			r.ledger.refuse(e.key(), no)
			return r.reject(ctx, q, c.ID, no)
		}
	}
	r.open.Add(1)
	r.queues[op.Name] <- j // Accept is the only sender and saw room
	return nil
}

// Busy reports whether a command runs or waits for that.
func (r *Runner) Busy() bool { return r.open.Load() > 0 }

// ledgerFull says what a command without room in the ledger asks of the sender.
func ledgerFull(op Spec, share int) refusal {
	why := fmt.Sprintf("the ledger holds %d bytes of %q, and none may be forgotten before mqtt.session_expiry is over", share, op.Name)
	if op.Harmless {
		why += ": send it without an id"
	}
	return refusal{"ledger-full", why}
}

var expired = refusal{"expired", "the command's Message Expiry passed before it could run"}

// inspect reads a command and refuses what is wrong with it by itself. What it returns is bounded.
func inspect(q Request) (Request, contract.Command, refusal) {
	var c contract.Command
	var no refusal
	if len(q.Name) > maxName {
		q.Name = cut(q.Name, maxName)
		no = refusal{"unknown", fmt.Sprintf("the command's name is longer than %d bytes", maxName)}
	}
	if len(q.ResponseTopic) > maxAnswer {
		q.ResponseTopic = ""
		no = refusal{"too-large", fmt.Sprintf("the Response Topic is longer than %d bytes", maxAnswer)}
	}
	if len(q.Correlation) > maxAnswer {
		q.Correlation = nil
		no = refusal{"too-large", fmt.Sprintf("the Correlation Data are longer than %d bytes", maxAnswer)}
	}
	if len(q.Payload) > maxPayload {
		return q, c, refusal{"too-large", fmt.Sprintf("the payload is longer than %d bytes", maxPayload)}
	}
	if err := decodeStrict(q.Payload, &c); err != nil {
		return q, contract.Command{}, refusal{"malformed", fmt.Sprintf(`the payload must be {"id":"…","args":{…}}: %v`, err)}
	}
	switch {
	case len(c.ID) > maxID:
		return q, contract.Command{}, refusal{"malformed", fmt.Sprintf("the id is longer than %d bytes", maxID)}
	case strings.ContainsFunc(c.ID, unicode.IsControl):
		return q, contract.Command{}, refusal{"malformed", "the id has control characters"}
	case no != (refusal{}):
	case q.Malformed != "":
		no = refusal{"malformed", q.Malformed}
	case q.Retained:
		no = refusal{"retained", "a retained command would run at every connection: publish it without retain"}
	}
	return q, c, no
}

// Run works off what was accepted until ctx ends. A command that runs then is given until its
// timeout's context ends.
func (r *Runner) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for _, op := range r.cfg.Commands {
		workers.Go(func() { r.work(ctx, op) })
	}
	workers.Wait()
	return nil
}

// work runs the commands of one name, one after the other.
func (r *Runner) work(ctx context.Context, op Spec) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-r.queues[op.Name]:
			reply := r.run(ctx, op, j)
			if ctx.Err() != nil && reply.State == contract.Failed {
				return // interrupted: answered at the next start
			}
			// The reply belongs to a command that has already run: it is kept even when the gateway
			// is stopping.
			r.end(context.WithoutCancel(ctx), j.entry, reply)
			r.open.Add(-1)
			if op.After != nil && reply.State == contract.Succeeded {
				op.After(r.cfg.Host)
			}
		}
	}
}

func (r *Runner) run(ctx context.Context, op Spec, j job) contract.Reply {
	reply := r.reply(op.Name, j.entry.ID, contract.Succeeded)
	if j.expires != nil && r.cfg.Up() > *j.expires {
		reply.State, reply.Code, reply.Error = contract.Rejected, expired.code, expired.why
		return reply
	}
	ctx, cancel := context.WithTimeout(ctx, op.Timeout)
	defer cancel()
	result, err := op.Run(ctx, r.cfg.Host, j.args)
	if err == nil && result != nil {
		reply.Result, err = json.Marshal(result)
	}
	if err != nil {
		reply.State, reply.Code, reply.Error = contract.Failed, "failed", err.Error()
		var coded *Error
		if errors.As(err, &coded) {
			reply.Code = coded.Code
		} else if errors.Is(err, context.DeadlineExceeded) {
			reply.Code = "timeout"
		}
		r.cfg.Log.Warn("command failed", "op", op.Name, "id", j.entry.ID, "err", err)
	} else {
		r.cfg.Log.Info("command succeeded", "op", op.Name, "id", j.entry.ID)
	}
	reply.TS = r.time()
	return reply
}

func (r *Runner) spec(name string) *Spec {
	for i := range r.cfg.Commands {
		if r.cfg.Commands[i].Name == name {
			return &r.cfg.Commands[i]
		}
	}
	return nil
}

func (r *Runner) allowed(name string) bool {
	for _, a := range r.cfg.Allowed {
		if a == name {
			return true
		}
	}
	return false
}

// decodeStrict reads a JSON object and refuses what it does not know. Nothing at all is an empty
// object.
func decodeStrict(text []byte, v any) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one JSON value")
	}
	return nil
}

// hashOf distinguishes arguments without regard to white space.
func hashOf(args json.RawMessage) string {
	var b bytes.Buffer
	if len(args) > 0 && json.Compact(&b, args) != nil {
		b.Reset()
		b.Write(args)
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:8])
}
