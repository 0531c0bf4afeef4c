package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

const (
	maxReply    = 64 << 10 // bytes of a reply
	maxRecorded = 4 << 10  // bytes of a reply that a repeat gets with its result
	maxError    = 256      // bytes of an error's text
)

// answerInterrupted answers what did not end before the program did.
func (r *Runner) answerInterrupted(ctx context.Context) error {
	list := r.ledger.unfinished()
	answers := map[string]event.Reply{}
	for i := range list {
		e := &list[i]
		reply := r.reply(e.Op, e.ID, contract.Interrupted)
		reply.Code, reply.Error = "interrupted", "the gateway ended while the command ran; it is not run again"
		text, err := json.Marshal(reply)
		if err != nil {
			return fmt.Errorf("commands: answering %s: %w", e.key(), err)
		}
		answers[e.key()] = event.Reply{Topic: e.Topic, Correlation: e.Correlation, Payload: text}
		e.Reply, e.Topic, e.Correlation = text, "", nil
	}
	failed := r.ledger.finish(ctx, list, func(tx *buffer.Tx, e entry) error {
		return tx.Append(buffer.Events, event.Replies, r.cfg.Up(), event.EncodeReply(answers[e.key()]))
	}, r.cfg.Log)
	for _, e := range failed {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.append(ctx, answers[e.key()]); err != nil {
			r.cfg.Log.Warn("a command stays unanswered", "op", e.Op, "id", e.ID, "err", err)
		}
	}
	return nil
}

// repeat answers a command whose id is known.
func (r *Runner) repeat(ctx context.Context, q Request, before *entry, hash string) error {
	switch {
	case before.Args != hash:
		return r.reject(ctx, q, before.ID, refusal{"id-reused", "this id was used before with other arguments"})
	case before.Reply == nil:
		return nil // it runs; its reply will come
	}
	return r.append(ctx, event.Reply{Topic: r.replyTopic(q), Correlation: q.Correlation, Payload: before.Reply})
}

// reject answers a command that does not run, and would not if it came again.
func (r *Runner) reject(ctx context.Context, q Request, id string, no refusal) error {
	text, err := json.Marshal(r.rejected(q.Name, id, no))
	if err != nil {
		return err
	}
	return r.append(ctx, event.Reply{Topic: r.replyTopic(q), Correlation: q.Correlation, Payload: text})
}

// refuse answers a command that does not run now. That is recorded: a repeat that comes when it
// could run gets the same answer.
func (r *Runner) refuse(ctx context.Context, q Request, e entry, no refusal) error {
	if e.ID == "" {
		return r.reject(ctx, q, "", no)
	}
	text, err := json.Marshal(r.rejected(e.Op, e.ID, no))
	if err != nil {
		return err
	}
	answer := event.Reply{Topic: e.Topic, Correlation: e.Correlation, Payload: text}
	e.Reply, e.Topic, e.Correlation = text, "", nil
	err = r.ledger.put(ctx, e, func(tx *buffer.Tx) error {
		return tx.Append(buffer.Events, event.Replies, r.cfg.Up(), event.EncodeReply(answer))
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, buffer.ErrClosed) || ctx.Err() != nil:
		return fmt.Errorf("commands: keeping %s: %w", e.key(), err)
	}
	r.ledger.refuse(e.key(), no)
	return r.append(ctx, answer)
}

func (r *Runner) rejected(op, id string, no refusal) contract.Reply {
	reply := r.reply(op, id, contract.Rejected)
	reply.Code, reply.Error = no.code, cut(no.why, maxError)
	r.cfg.Log.Warn("command rejected", "op", op, "id", id, "code", no.code)
	return reply
}

// end records the reply of a command and queues it, in one transaction if the command has an id. If
// the ledger cannot be written it is answered from memory; a later start finds it interrupted.
func (r *Runner) end(ctx context.Context, e entry, reply contract.Reply) {
	full, short := bounded(reply)
	answer := event.Reply{Topic: e.Topic, Correlation: e.Correlation, Payload: full}
	e.Topic, e.Correlation = "", nil
	if e.ID != "" {
		with := func(tx *buffer.Tx) error {
			return tx.Append(buffer.Events, event.Replies, r.cfg.Up(), event.EncodeReply(answer))
		}
		e.Reply = full
		if !r.ledger.fits(e.key(), len(full)) {
			e.Reply = short
		}
		err := r.ledger.put(ctx, e, with)
		if err == nil {
			return
		}
		r.cfg.Log.Warn("the ledger cannot be written", "op", e.Op, "id", e.ID, "err", err)
		r.ledger.hold(e)
	}
	if err := r.append(ctx, answer); err != nil {
		r.cfg.Log.Warn("a command stays unanswered", "op", e.Op, "id", e.ID, "err", err)
	}
}

// bounded returns a reply as it is sent, and as a repeat gets it if its result is too large to be
// recorded.
func bounded(reply contract.Reply) (full, short json.RawMessage) {
	reply.Error = cut(reply.Error, maxError)
	marshal := func() json.RawMessage {
		text, err := json.Marshal(reply)
		if err != nil {
			panic(err) // a struct of strings, and a result that was marshalled before
		}
		return text
	}
	full = marshal()
	if len(full) > maxReply {
		reply.Result, reply.Code = nil, "result-too-large"
		reply.Error = fmt.Sprintf("the command ended as state says; its result has %d bytes, more than the %d that a reply may have", len(full), maxReply)
		full = marshal()
		return full, full
	}
	if reply.Result != nil {
		reply.Result, reply.Code, reply.Error = nil, "result-not-kept", "this is a repeat; the result was too large to be kept for it"
	}
	return full, marshal()
}

// append queues a reply. What the store has taken but cannot make durable now is on its way all the
// same.
func (r *Runner) append(ctx context.Context, answer event.Reply) error {
	_, err := r.cfg.Store.Append(ctx, buffer.Events, event.Replies, r.cfg.Up(), event.EncodeReply(answer))
	if errors.Is(err, buffer.ErrNotDurable) || errors.Is(err, buffer.ErrFull) {
		r.cfg.Log.Warn("a reply is not durable", "topic", answer.Topic, "err", err)
		return nil
	}
	return err
}

func (r *Runner) reply(op, id, state string) contract.Reply {
	return contract.Reply{V: contract.Version, ID: id, Op: op, State: state, TS: r.time()}
}

func (r *Runner) time() contract.Time {
	t, _ := r.cfg.Now()
	return contract.Time{Time: t}
}

// replyTopic is where the platform wants the reply, or the Response Topic if it is one that replies
// may go to, else the command's own.
func (r *Runner) replyTopic(q Request) string {
	if q.Answer != "" {
		return q.Answer
	}
	if r.cfg.Topics.MayReply(q.ResponseTopic, r.cfg.ReplyTopics) {
		return q.ResponseTopic
	}
	return r.cfg.Topics.Reply(q.Name)
}

// cut bounds a text to max bytes, at the border of a character.
func cut(text string, max int) string {
	if len(text) <= max {
		return text
	}
	text = text[:max-len("…")]
	for len(text) > 0 {
		if c, size := utf8.DecodeLastRuneInString(text); c != utf8.RuneError || size > 1 {
			break
		}
		text = text[:len(text)-1]
	}
	return text + "…"
}
