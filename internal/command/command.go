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
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

const (
	maxWaiting = 16  // commands of one operation that wait behind the running one
	maxID      = 128 // bytes of an id
)

// An Operation is one thing that can be asked of the gateway.
type Operation struct {
	Name    string
	Timeout time.Duration
	// Harmless operations only look: they may come without an id.
	Harmless bool
	// Run does it. The result becomes JSON. An error that is an *Error brings its own code.
	Run func(ctx context.Context, args json.RawMessage) (result any, err error)
	// After, where it is not nil, is called when the reply of a success is durable: for what ends the program.
	After func()
}

// An Error is a failure with a stable code for programs.
type Error struct {
	Code string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// A Request is a command as it arrived.
type Request struct {
	Operation     string
	Payload       []byte // contract.Command
	ResponseTopic string
	Correlation   []byte
	Retained      bool
	Expiry        *time.Duration // what was left of the Message Expiry Interval when it arrived; nil: none
}

// Config is what a Runner is made of.
type Config struct {
	Operations []Operation // all there are
	Allowed    []string    // names of those that may run
	Topics     contract.Topics
	Store      *buffer.Store
	Up         func() time.Duration
	Now        func() (time.Time, bool)
	Log        *slog.Logger
}

// A Runner accepts and runs commands.
type Runner struct {
	Config
	ledger *ledger
	queues map[string]chan job
}

// job is one accepted command on its way through a worker.
type job struct {
	request Request
	id      string
	args    json.RawMessage
	expires time.Duration // on the clock of Up; 0: never
}

// New makes a runner and answers the commands that the last end of the program interrupted.
func New(ctx context.Context, c Config) (*Runner, error) {
	r := &Runner{Config: c, queues: map[string]chan job{}}
	for _, op := range c.Operations {
		r.queues[op.Name] = make(chan job, maxWaiting)
	}
	var err error
	if r.ledger, err = openLedger(ctx, c.Store); err != nil {
		return nil, fmt.Errorf("commands: reading the ledger: %w", err)
	}
	for _, e := range r.ledger.unfinished() {
		reply := r.reply(e.Op, e.ID, contract.Interrupted)
		reply.Code, reply.Error = "interrupted", "the gateway ended while the command ran; it is not run again"
		if err := r.end(ctx, e, reply); err != nil {
			return nil, fmt.Errorf("commands: answering %s %s: %w", e.Op, e.ID, err)
		}
	}
	return r, nil
}

// Accept takes a command in. When it returns nil the broker may get its PUBACK: the command was answered or stands in
// the ledger. An error is the store's, and the broker must deliver the command again.
func (r *Runner) Accept(ctx context.Context, q Request) error {
	var c contract.Command
	if err := decodeStrict(q.Payload, &c); err != nil {
		return r.reject(ctx, q, "", "malformed", fmt.Sprintf(`the payload must be {"id":"…","args":{…}}: %v`, err))
	}
	op := r.operation(q.Operation)
	switch {
	case q.Retained:
		return r.reject(ctx, q, c.ID, "retained", "a retained command would run at every connection: publish it without retain")
	case op == nil:
		return r.reject(ctx, q, c.ID, "unknown", fmt.Sprintf("there is no operation %q", q.Operation))
	case !r.allowed(op.Name):
		return r.reject(ctx, q, c.ID, "not-allowed", fmt.Sprintf("[commands] allow does not list %q", op.Name))
	case len(c.ID) > maxID:
		return r.reject(ctx, q, "", "malformed", fmt.Sprintf("the id is longer than %d bytes", maxID))
	case c.ID == "" && !op.Harmless:
		return r.reject(ctx, q, "", "id-missing", fmt.Sprintf("%s changes something: it needs an id, so that a repeat does not do it twice", op.Name))
	}
	j := job{request: q, id: c.ID, args: c.Args}
	if q.Expiry != nil {
		j.expires = r.Up() + *q.Expiry
	}
	key, hash := op.Name+"/"+c.ID, hashOf(c.Args)
	if c.ID != "" {
		if before := r.ledger.find(key); before != nil {
			return r.repeat(ctx, q, before, hash)
		}
	}
	if len(r.queues[op.Name]) == maxWaiting {
		return r.reject(ctx, q, c.ID, "busy", fmt.Sprintf("%d commands of this operation wait already", maxWaiting))
	}
	if c.ID != "" {
		e := entry{Op: op.Name, ID: c.ID, Args: hash, Topic: r.replyTopic(q), Correlation: q.Correlation}
		if err := r.ledger.begin(ctx, key, e); errors.Is(err, buffer.ErrClosed) || ctx.Err() != nil {
			return fmt.Errorf("commands: keeping %s: %w", key, err) // stopping: the broker delivers it to the next start
		} else if err != nil {
			return r.reject(ctx, q, c.ID, "store", fmt.Sprintf("the ledger cannot be written: %v", err))
		}
	}
	r.queues[op.Name] <- j // Accept is the only sender and saw room
	return nil
}

// Run works off what was accepted until ctx ends. A command that runs then is given until its timeout's context ends.
func (r *Runner) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	for _, op := range r.Operations {
		workers.Go(func() { r.work(ctx, op) })
	}
	workers.Wait()
	return nil
}

// work runs the commands of one operation, one after the other.
func (r *Runner) work(ctx context.Context, op Operation) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-r.queues[op.Name]:
			reply := r.run(ctx, op, j)
			if ctx.Err() != nil && reply.State == contract.Failed {
				return // interrupted: answered at the next start
			}
			e := entry{Op: op.Name, ID: j.id, Args: hashOf(j.args), Topic: r.replyTopic(j.request), Correlation: j.request.Correlation}
			// The reply belongs to a command that has already run: it is kept even when the gateway is stopping. Where the
			// ledger cannot be written it is answered from memory; a later start finds it interrupted.
			if err := r.end(context.WithoutCancel(ctx), e, reply); err != nil {
				r.Log.Warn("the ledger cannot be written", "op", op.Name, "id", j.id, "err", err)
				if err := r.answer(ctx, e, reply); err != nil {
					r.Log.Warn("a command stays unanswered", "op", op.Name, "id", j.id, "err", err)
				}
			}
			if op.After != nil && reply.State == contract.Succeeded {
				op.After()
			}
		}
	}
}

func (r *Runner) run(ctx context.Context, op Operation, j job) contract.Reply {
	reply := r.reply(op.Name, j.id, contract.Succeeded)
	if j.expires > 0 && r.Up() > j.expires {
		reply.State, reply.Code, reply.Error = contract.Rejected, "expired", "the command's Message Expiry passed before it could run"
		return reply
	}
	ctx, cancel := context.WithTimeout(ctx, op.Timeout)
	defer cancel()
	result, err := op.Run(ctx, j.args)
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
		r.Log.Warn("command failed", "op", op.Name, "id", j.id, "err", err)
	} else {
		r.Log.Info("command succeeded", "op", op.Name, "id", j.id)
	}
	reply.TS = r.time()
	return reply
}

// repeat answers a command whose id is known.
func (r *Runner) repeat(ctx context.Context, q Request, before *entry, hash string) error {
	switch {
	case before.Args != hash:
		return r.reject(ctx, q, before.ID, "id-reused", "this id was used before with other arguments")
	case before.Reply == nil:
		return nil // it runs; its reply will come
	}
	return r.append(ctx, event.Reply{Topic: r.replyTopic(q), Correlation: q.Correlation, Payload: before.Reply})
}

func (r *Runner) reject(ctx context.Context, q Request, id, code, why string) error {
	reply := r.reply(q.Operation, id, contract.Rejected)
	reply.Code, reply.Error = code, why
	r.Log.Warn("command rejected", "op", q.Operation, "id", id, "code", code)
	text, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	return r.append(ctx, event.Reply{Topic: r.replyTopic(q), Correlation: q.Correlation, Payload: text})
}

// end records the reply of a command and queues it, in one transaction where the command has an id.
func (r *Runner) end(ctx context.Context, e entry, reply contract.Reply) error {
	text, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	e.Reply = text
	answer := event.Reply{Topic: e.Topic, Correlation: e.Correlation, Payload: text}
	if e.ID == "" {
		return r.append(ctx, answer)
	}
	return r.ledger.end(ctx, e.Op+"/"+e.ID, e, func(tx *buffer.Tx) error {
		return tx.Append(buffer.Events, event.Replies, r.Up(), event.EncodeReply(answer))
	})
}

// answer queues a reply without the ledger.
func (r *Runner) answer(ctx context.Context, e entry, reply contract.Reply) error {
	text, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	return r.append(ctx, event.Reply{Topic: e.Topic, Correlation: e.Correlation, Payload: text})
}

// append queues a reply. What the store has taken but cannot make durable now is on its way all the same.
func (r *Runner) append(ctx context.Context, answer event.Reply) error {
	_, err := r.Store.Append(ctx, buffer.Events, event.Replies, r.Up(), event.EncodeReply(answer))
	if errors.Is(err, buffer.ErrNotDurable) || errors.Is(err, buffer.ErrFull) {
		r.Log.Warn("a reply is not durable", "topic", answer.Topic, "err", err)
		return nil
	}
	return err
}

func (r *Runner) reply(op, id, state string) contract.Reply {
	return contract.Reply{V: contract.Version, ID: id, Op: op, State: state, TS: r.time()}
}

func (r *Runner) time() contract.Time {
	t, _ := r.Now()
	return contract.Time{Time: t}
}

// replyTopic is the Response Topic where it is one that replies may go to, else the operation's own.
func (r *Runner) replyTopic(q Request) string {
	if contract.MayReply(q.ResponseTopic) {
		return q.ResponseTopic
	}
	return r.Topics.Reply(q.Operation)
}

func (r *Runner) operation(name string) *Operation {
	for i := range r.Operations {
		if r.Operations[i].Name == name {
			return &r.Operations[i]
		}
	}
	return nil
}

func (r *Runner) allowed(name string) bool {
	for _, a := range r.Allowed {
		if a == name {
			return true
		}
	}
	return false
}

// decodeStrict reads a JSON object and refuses what it does not know. Nothing at all is an empty object.
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

// hashOf tells arguments apart without regard to white space.
func hashOf(args json.RawMessage) string {
	var b bytes.Buffer
	if len(args) > 0 && json.Compact(&b, args) != nil {
		b.Reset()
		b.Write(args)
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:8])
}
