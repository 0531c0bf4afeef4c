package buffer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var faultStep = flag.Int("buffer.fault-step", 431, "TestFaults fails one call of so many; 1: each of them")

const (
	workerEnv = "FIELDGATE_BUFFER_WORKER"
	limitEnv  = "FIELDGATE_BUFFER_LIMIT" // length at which files stop growing: RLIMIT_FSIZE
	raiseEnv  = "FIELDGATE_BUFFER_RAISE" // the limit goes away when it was hit
)

// work does some of everything that is written, the same each time, and prints what was promised.
// Errors of the store are not errors of work.
func work(path string) {
	if text := os.Getenv(limitEnv); text != "" {
		limitFiles(text)
	}
	ctx := context.Background()
	say := func(what string, r ...Record) {
		for _, x := range r {
			fmt.Println(what, x.Run, x.Stream, x.Seq)
		}
	}
	s, err := Open(ctx, path, Options{MaxBytes: MinMaxBytes})
	if err != nil {
		fmt.Println("unopened", strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	for i := range 40 {
		stream := fmt.Sprint("s", i%2)
		seq, err := s.Append(ctx, Readings, stream, 0, workBody(i))
		if seq > 0 && err == nil {
			say("stored", Record{Run: s.Run(), Stream: stream, Seq: seq})
		}
		switch i % 10 {
		case 3, 6:
			r := s.Take(LiveLane, 2, 1<<20)
			say("acking", r...)
			s.Ack(r)
			if s.Flush(ctx) == nil {
				say("acked", r...)
			}
		case 7:
			err := s.Update(ctx, func(tx *Tx) error {
				return errors.Join(tx.Put("n", "i", []byte(strconv.Itoa(i))), tx.Append(Events, "e", 0, []byte("event")))
			})
			if err == nil {
				fmt.Println("update", i)
			}
		case 8:
			r := s.Take(LiveLane, 1, 1<<20)
			say("refusing", r...)
			if s.Refuse(ctx, r, "test") == nil {
				say("refused", r...)
			}
			s.Release(r)
		}
	}
	if s.Close(ctx) == nil {
		fmt.Println("closed")
	}
}

// workBody returns bodies of which some fill pages and cannot be compressed: the log is copied
// several times, and the oldest are removed to make room.
func workBody(i int) []byte {
	body := reading(i)
	if i%4 == 0 {
		x := uint32(i + 1)
		for range 24 << 10 {
			x = x*1664525 + 1013904223
			body = append(body, byte(x>>24))
		}
	}
	return body
}

// limitFiles makes writes beyond a length short, and those after them fail.
func limitFiles(text string) {
	hit := make(chan os.Signal, 1)
	signal.Notify(hit, unix.SIGXFSZ)
	n, _ := strconv.ParseUint(text, 10, 64)
	limit := unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println("limit", err)
		os.Exit(1)
	}
	go func() {
		for range hit {
			if os.Getenv(raiseEnv) != "" {
				limit.Cur = unix.RLIM_INFINITY
				_ = unix.Setrlimit(unix.RLIMIT_FSIZE, &limit)
			}
		}
	}()
}

// A fault is something that goes wrong while work runs.
type fault struct {
	call  string // empty: a limit
	error string
	n     int  // which call, counted from 1; or the limit in bytes
	stays bool // all calls from there on
}

func (f fault) String() string {
	stays := map[bool]string{true: " from then on"}[f.stays]
	if f.call == "" {
		return fmt.Sprintf("files end at %d%s", f.n, stays)
	}
	return fmt.Sprintf("%s %d: %s%s", f.call, f.n, f.error, stays)
}

// calls are those that write or make durable.
var calls = []string{"pwrite64", "write", "fdatasync", "fsync", "ftruncate", "fallocate"}

// command runs work under strace, which lets the fault happen on the store's own files.
func (f fault) command(path string) *exec.Cmd {
	if f.call == "" && f.n > 0 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), workerEnv+"="+path, limitEnv+"="+strconv.Itoa(f.n))
		if !f.stays {
			cmd.Env = append(cmd.Env, raiseEnv+"=1")
		}
		return cmd
	}
	args := []string{"-f", "-qq", "-o", path + ".strace", "-e", "signal=none", "-P", filepath.Dir(path)}
	for _, suffix := range []string{"", "-wal", "-journal", ".ballast", ".lock", ".damaged"} {
		args = append(args, "-P", path+suffix)
	}
	trace := strings.Join(calls, ",")
	if f.call != "" {
		trace = f.call
		when := strconv.Itoa(f.n)
		if f.stays {
			when += "+"
		}
		args = append(args, "-e", "inject="+f.call+":error="+f.error+":when="+when)
	}
	cmd := exec.Command("strace", append(args, "-e", "trace="+trace, os.Args[0])...)
	cmd.Env = append(os.Environ(), workerEnv+"="+path)
	return cmd
}

// TestFaults lets each call that writes or makes durable fail, once and from then on, with EIO and
// ENOSPC, and makes writes short at all lengths of the files. Whatever happens: what was promised
// is found when the store is opened again, nothing comes twice, and the ledger tells the rest.
func TestFaults(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	path := filepath.Join(t.TempDir(), "queue.db")
	if out, err := (fault{}).command(path).CombinedOutput(); err != nil {
		t.Skipf("strace does not work here: %v: %s", err, out)
	}
	log, err := os.ReadFile(path + ".strace")
	if err != nil {
		t.Fatal(err)
	}
	var faults []fault
	for _, call := range calls {
		n := bytes.Count(log, []byte(" "+call+"("))
		t.Logf("%d calls of %s", n, call)
		for i := 1; i <= n; i++ {
			for _, name := range []string{"EIO", "ENOSPC"} {
				faults = append(faults, fault{call, name, i, false}, fault{call, name, i, true})
			}
		}
	}
	longest := max(fileSize(path), fileSize(path+"-wal"))
	for n := int64(1000); n < longest; n += 1031 { // a page, a frame's header, in the middle of either
		faults = append(faults, fault{n: int(n)}, fault{n: int(n), stays: true})
	}
	step := *faultStep
	if testing.Short() {
		step *= 10
	}
	var done atomic.Int64
	var results faultResults
	next := make(chan fault)
	var wg sync.WaitGroup
	for w := range 2 {
		dir := t.TempDir()
		wg.Go(func() {
			i := 0
			for f := range next {
				i++
				results.check(t, f, filepath.Join(dir, fmt.Sprint(w, "-", i, ".db")))
				done.Add(1)
			}
		})
	}
	for i := 0; i < len(faults) && !t.Failed(); i += step {
		next <- faults[i]
	}
	close(next)
	wg.Wait()
	t.Logf("%d faults of %d: %s", done.Load(), len(faults), &results)
}

// faultResults adds up what was seen.
type faultResults struct {
	mu                            sync.Mutex
	stored, found, lost, unopened int
	slowest                       time.Duration
}

func (r *faultResults) String() string {
	return fmt.Sprintf("%d records promised, %d found again, %d in the ledger; %d times Open failed; the slowest Open after a fault took %v",
		r.stored, r.found, r.lost, r.unopened, r.slowest)
}

// check runs work with a fault and looks at what is left.
func (r *faultResults) check(t *testing.T, f fault, path string) {
	out, err := f.command(path).Output()
	var exit *exec.ExitError
	for i := range 3 { // strace loses its process now and then ("ptrace(PTRACE_LISTEN): Input/output error")
		if !errors.As(err, &exit) || !bytes.Contains(exit.Stderr, []byte("strace: ")) {
			break
		}
		path = fmt.Sprint(path, "-", i)
		out, err = f.command(path).Output()
	}
	if err != nil {
		if errors.As(err, &exit) {
			out = append(out, exit.Stderr...)
		}
		t.Errorf("%v: work: %v: %s", f, err, out)
		return
	}
	said := map[string]map[ref]bool{"stored": {}, "acking": {}, "acked": {}, "refusing": {}, "refused": {}}
	update, closed, unopened := 0, false, false
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 4 && said[words[0]] != nil:
			said[words[0]][parseRef(words[1:])] = true
		case words[0] == "update":
			update, _ = strconv.Atoi(words[1])
		case words[0] == "closed":
			closed = true
		case words[0] == "unopened":
			unopened = true
		default:
			t.Errorf("%v: work says %q", f, lines.Text())
		}
	}
	start := time.Now()
	s, err := Open(t.Context(), path, Options{MaxBytes: MinMaxBytes})
	took := time.Since(start)
	if err != nil {
		t.Errorf("%v: open: %v", f, err)
		return
	}
	defer func() {
		closeStore(t, s)
		for _, name := range []string{path, path + "-wal", path + ".ballast", path + ".lock", path + ".strace"} {
			os.Remove(name)
		}
	}()
	if o := s.Opened(); o.SetAside != "" {
		t.Errorf("%v: a sound store was set aside: %+v", f, o)
	}
	if v, err := s.Get(t.Context(), "n", "i"); err != nil || update > 0 && string(v) < strconv.Itoa(update) && len(v) <= len(strconv.Itoa(update)) {
		t.Errorf("%v: value %q, %v, want at least %d", f, v, err, update)
	}
	found, lost, dead := leftOf(t, f, s)
	for id := range said["stored"] {
		if !said["acking"][id] && !said["refusing"][id] && !found[id] && !lost[id] {
			t.Errorf("%v: %+v was promised and is missing", f, id)
		}
	}
	for id := range said["acked"] {
		if found[id] {
			t.Errorf("%v: %+v was acknowledged and comes again", f, id)
		}
	}
	for id := range said["refused"] {
		if !dead[id] && !lost[id] || found[id] { // large dead letters give way to newer ones
			t.Errorf("%v: %+v was refused: dead letter %v, in the ledger %v, found %v", f, id, dead[id], lost[id], found[id])
		}
	}
	p := s.Previous()
	if p.Exists && p.Clean != closed && closed {
		t.Errorf("%v: closed, but the end was not clean", f)
	}
	for stream, last := range p.Last {
		if closed && last != 20 {
			t.Errorf("%v: the last of %s is %d, want 20", f, stream, last)
		}
		for seq := uint64(1); seq <= last; seq++ {
			if id := (ref{Readings, stream, p.Run, seq}); !found[id] && !lost[id] && !dead[id] && !said["acking"][id] {
				t.Errorf("%v: %+v is a hole without an entry in the ledger", f, id)
			}
		}
	}
	if err := s.submit(context.Background(), &job{read: integrity}); err != nil {
		t.Errorf("%v: %v", f, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stored += len(said["stored"])
	r.found += len(found)
	r.lost += len(lost)
	r.slowest = max(r.slowest, took)
	if unopened {
		r.unopened++
	}
}

// leftOf takes everything out of a store.
func leftOf(t *testing.T, f fault, s *Store) (found, lost, dead map[ref]bool) {
	found, lost, dead = map[ref]bool{}, map[ref]bool{}, map[ref]bool{}
	for {
		r := s.Take(BacklogLane, 100, 1<<20)
		if len(r) == 0 {
			break
		}
		for _, x := range r {
			id := refOf(x)
			if i := int(x.Seq-1)*2 + int(x.Stream[1]-'0'); !bytes.Equal(x.Body, workBody(i)) {
				t.Errorf("%v: %+v has another body", f, id)
			}
			if found[id] {
				t.Errorf("%v: %+v comes twice", f, id)
			}
			found[id] = true
		}
		s.Ack(r)
	}
	letters, err := s.DeadLetters(t.Context(), 0, 100)
	if err != nil {
		t.Error(err)
	}
	for _, d := range letters {
		if id := refOf(d.Record); dead[id] {
			t.Errorf("%v: two dead letters of %+v", f, id)
		} else {
			dead[id] = true
		}
	}
	for _, l := range s.TakeLosses(1000) {
		if l.Reason == reasonRefused {
			continue // has a dead letter, or a second entry
		}
		for seq := l.First; seq <= l.Last; seq++ {
			id := ref{l.Kind, l.Stream, l.Run, seq}
			if lost[id] || found[id] {
				t.Errorf("%v: %+v is in the ledger as %s, but it was there before (%v) or is found (%v)", f, id, l.Reason, lost[id], found[id])
			}
			lost[id] = true
		}
	}
	return found, lost, dead
}
