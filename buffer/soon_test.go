package buffer

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// TestPutSoonCausesNoCommit: the value waits for a commit that happens anyway, the newest one wins,
// and Close is such a commit.
func TestPutSoonCausesNoCommit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "queue.db")
	ctx := context.Background()
	o := Options{MaxLoss: time.Hour, KernelBoot: "k", Up: func() time.Duration { return time.Minute }}
	s, err := Open(ctx, file, o)
	if err != nil {
		t.Fatal(err)
	}
	value := func(want string) {
		t.Helper()
		if v, err := s.Get(ctx, "b", "k"); err != nil || string(v) != want {
			t.Errorf("got %q, %v, want %q", v, err, want)
		}
	}
	commits := s.Stats().Commits
	s.PutSoon("b", "k", []byte("1"))
	s.PutSoon("b", "k", []byte("2"))
	value("") // a job of the committer's has passed
	if n := s.Stats().Commits; n != commits {
		t.Fatalf("%d commits, want %d", n, commits)
	}
	if err := s.Put(ctx, "b", "other", []byte("x")); err != nil {
		t.Fatal(err)
	}
	value("2")
	s.PutSoon("b", "k", []byte("3"))
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(ctx, file, o); err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	value("3")
}
