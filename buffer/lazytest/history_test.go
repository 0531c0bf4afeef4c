package lazytest

import (
	"fmt"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

// A ref identifies a record of the store of a medium.
type ref struct {
	kind   buffer.Kind
	run    string
	stream string
	seq    uint64
}

func refOf(r buffer.Record) ref { return ref{r.Kind, r.Run, r.Stream, r.Seq} }

// What a writer says of records.
const (
	stored   = "stored"   // promised
	appended = "appended" // promised when max_loss is over
	rejected = "rejected"
	acking   = "acking" // may be acknowledged, as long as acked was not said
	acked    = "acked"
	refusing = "refusing"
	refused  = "refused"
)

// A history is what the writers of a medium have said.
type history struct {
	said   map[string]map[ref]bool
	at     map[ref]time.Duration // when the last writer appended what it said to be appended
	update int                   // the last value that was promised
	opened time.Duration         // how long the last Open of a writer took
	tail   []string              // what was said last
}

func newHistory() *history {
	h := &history{said: map[string]map[ref]bool{}, at: map[ref]time.Duration{}}
	for _, what := range []string{stored, rejected, acking, acked, refusing, refused} {
		h.said[what] = map[ref]bool{}
	}
	return h
}

// add takes a line of a writer in.
func (h *history) add(line string) (err error) {
	if h.tail = append(h.tail, line); len(h.tail) > 20 {
		h.tail = h.tail[1:]
	}
	what, rest, _ := strings.Cut(line, " ")
	var id ref
	switch {
	case what == "failed": // no wonder after a cut; before one runUntilCut complains
	case what == "opened":
		_, err = fmt.Sscan(rest, (*int64)(&h.opened))
	case what == "update":
		_, err = fmt.Sscan(rest, &h.update)
	case what != appended && h.said[what] == nil:
		return fmt.Errorf("the writer says %q", line)
	default:
		var at time.Duration
		fields := []any{&id.kind, &id.run, &id.stream, &id.seq, (*int64)(&at)}
		if what != appended {
			fields = fields[:4]
		}
		if _, err = fmt.Sscan(rest, fields...); err == nil && what == appended {
			h.at[id] = at
		} else if err == nil {
			h.said[what][id] = true
		}
	}
	if err != nil {
		return fmt.Errorf("the writer says %q: %w", line, err)
	}
	return nil
}
