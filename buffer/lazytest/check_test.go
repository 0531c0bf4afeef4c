package lazytest

import (
	"bytes"
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver of integrity

	"github.com/fieldgate/fieldgate/buffer"
)

const (
	// openLimit is the contract: a store opens within this after a cut.
	openLimit = time.Second

	// grace is by how much a record may be older than max_loss when it is lost: its commit must
	// end, on a machine that others use.
	grace = time.Second
)

// A content is what is left in a store.
type content struct {
	found, lost, dead map[ref]bool
	update            int
	previous          buffer.Previous
}

// Complaints are what is wrong, and with which records.
type complaints map[string][]ref

func (c complaints) add(what string, id ref) { c[what] = append(c[what], id) }

func (c complaints) report(t *testing.T) {
	t.Helper()
	for what, ids := range c {
		t.Errorf("%s: %d records, such as %+v", what, len(ids), ids[0])
	}
}

// check opens a copy of the medium and compares it with what was promised. The cut was at the time
// of cut, of a writer with maxLoss.
func check(t *testing.T, medium string, h *history, cut, maxLoss time.Duration, sum *totals) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(medium)); err != nil {
		t.Fatal(err)
	}
	wrong := complaints{}
	defer wrong.report(t)
	c := open(t, filepath.Join(dir, storeName), wrong, sum)
	taken := func(id ref) bool { return h.said[acking][id] || h.said[refusing][id] }
	gone := func(id ref) bool { return !c.found[id] && !c.lost[id] && !taken(id) }
	for id := range h.said[stored] {
		if taken(id) {
			continue
		}
		sum.promised++
		switch {
		case c.found[id]:
			sum.found++
		case c.lost[id]:
			sum.lost++
		default:
			wrong.add("promised and missing", id)
		}
	}
	for id, at := range h.at {
		if !gone(id) || h.said[stored][id] {
			continue
		}
		sum.young++
		sum.oldest = max(sum.oldest, cut-at)
		if cut-at > maxLoss+grace {
			wrong.add("appended long before the cut and missing", id)
		}
	}
	clear(h.at) // those that survived are below the marks of their run
	for id := range h.said[rejected] {
		if c.found[id] {
			wrong.add("rejected and there", id)
		}
	}
	for id := range h.said[acked] {
		if c.found[id] {
			wrong.add("acknowledged and there again", id)
		}
	}
	for id := range h.said[refused] {
		if c.found[id] || !c.dead[id] && !c.lost[id] {
			wrong.add("refused, and there or no dead letter", id)
		}
	}
	for kind, marks := range map[buffer.Kind]map[string]uint64{buffer.Readings: c.previous.Last, buffer.Events: c.previous.LastEvents} {
		for stream, last := range marks {
			for seq := uint64(1); seq <= last; seq++ {
				if id := (ref{kind, c.previous.Run, stream, seq}); gone(id) {
					wrong.add("a hole that is not in the ledger", id)
				}
			}
		}
	}
	if c.update < h.update {
		t.Errorf("the value is %d, %d was promised", c.update, h.update)
	}
	if c.previous.Clean {
		t.Errorf("the end of boot %d is said to be clean", c.previous.Boot)
	}
}

// open opens a store, reads all of it and closes it.
func open(t *testing.T, path string, wrong complaints, sum *totals) (c content) {
	t.Helper()
	ctx := t.Context()
	start := time.Now()
	s, err := buffer.Open(ctx, path, buffer.Options{MaxBytes: maxBytes})
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	if sum.slowest = max(sum.slowest, took); took > openLimit {
		t.Errorf("the store opened after %v", took)
	}
	if o := s.Opened(); o.SetAside != "" {
		t.Errorf("a sound store was set aside: %+v", o)
	}
	c = content{found: map[ref]bool{}, lost: map[ref]bool{}, dead: map[ref]bool{}, previous: s.Previous()}
	value, err := s.Get(ctx, "n", "i")
	if err != nil {
		t.Fatal(err)
	}
	c.update, _ = strconv.Atoi(string(value))
	for _, kind := range []buffer.Kind{buffer.Events, buffer.Readings} {
		for r, err := range s.Stored(ctx, kind) {
			if err != nil {
				t.Fatal(err)
			}
			id := refOf(r)
			if c.found[id] {
				wrong.add("there twice", id)
			}
			c.found[id] = true
			if r.Stream != updates && !bytes.Equal(r.Body, body(r.Stream, r.Seq)) {
				wrong.add("another body", id)
			}
			if i, _ := strconv.Atoi(string(r.Body)); r.Stream == updates && (i < 1 || i > c.update) {
				wrong.add("of an update that has not happened", id)
			}
		}
	}
	letters, err := s.DeadLetters(ctx, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range letters {
		c.dead[refOf(d.Record)] = true
	}
	for _, l := range s.TakeLosses(10_000) {
		if l.Reason == "corrupt" {
			t.Errorf("the ledger has %+v", l)
		}
		for seq := l.First; seq <= l.Last; seq++ {
			id := ref{l.Kind, l.Run, l.Stream, seq}
			if c.lost[id] = true; c.found[id] && l.Count == l.Last-l.First+1 {
				wrong.add("in the ledger and there", id)
			}
		}
	}
	if err := s.Close(context.WithoutCancel(ctx)); err != nil {
		t.Error(err)
	}
	if got, err := integrity(path); err != nil || got != "ok" {
		t.Errorf("integrity: %s, %v", got, err)
	}
	return c
}

// integrity asks SQLite about a closed store.
func integrity(path string) (answer string, err error) {
	u := url.URL{Scheme: "file", Path: path, RawQuery: "mode=rw"}
	db, err := sql.Open("sqlite3", u.String())
	if err != nil {
		return "", err
	}
	defer db.Close()
	err = db.QueryRow("PRAGMA integrity_check").Scan(&answer)
	return answer, err
}
