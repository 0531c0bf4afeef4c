package powertest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/buffer/powertest/disk"
)

var (
	kernel  = flag.String("power.kernel", "", "kernel of the machine; the test is skipped without it")
	initrd  = flag.String("power.initrd", "", "its initial file system, made by initrd.sh")
	cuts    = flag.Int("power.cuts", 100, "power cuts")
	first   = flag.Int("power.first", 1, "flush after which the first cut comes")
	step    = flag.Int("power.step", 2, "flushes by which each cut comes later than the one before")
	perDisk = flag.Int("power.per-disk", 5, "cuts that one disk lives through")
)

const (
	diskBytes = 64 << 20

	// cutTimeout is how long the machine may take to flush that often; emulated, and others may use
	// the processor.
	cutTimeout = 2 * time.Minute
)

// A ref identifies a record of one of the two stores.
type ref struct {
	store  string
	run    string
	stream string
	seq    uint64
}

// A history is what the consoles of a disk's machines have said.
type history struct {
	stored, acking, acked, refusing, refused map[ref]bool

	console bytes.Buffer // of the last machine

	run    string // in which the value of the writer was last put
	update int
}

func newHistory() *history {
	return &history{stored: map[ref]bool{}, acking: map[ref]bool{}, acked: map[ref]bool{}, refusing: map[ref]bool{}, refused: map[ref]bool{}}
}

// add takes a line of the console in; others are the kernel's.
func (h *history) add(line string) error {
	words := strings.Fields(line)
	switch {
	case len(words) > 0 && words[0] == "failed":
		return errors.New(line)
	case len(words) == 3 && words[0] == "update":
		h.run = words[1]
		h.update, _ = strconv.Atoi(words[2])
	case len(words) == 4:
		seq, err := strconv.ParseUint(words[3], 10, 64)
		if err != nil {
			return nil
		}
		id := ref{writerStore, words[1], words[2], seq}
		switch words[0] {
		case "gateway":
			id.store = gatewayStore
			h.stored[id] = true
		case "stored":
			h.stored[id] = true
		case "acking":
			h.acking[id] = true
		case "acked":
			h.acked[id] = true
		case "refusing":
			h.refusing[id] = true
		case "refused":
			h.refused[id] = true
		}
	}
	return nil
}

// end returns the last lines of the last console.
func (h *history) end() string {
	s := h.console.String()
	return s[max(0, len(s)-6000):]
}

// Totals of a run.
type totals struct {
	cuts, found, lost, unflushed int
	promised                     map[string]int // by store
	opened                       int            // stores found after cuts
	slowest, cut                 time.Duration
}

// TestPower cuts the power after a growing number of flushes.
func TestPower(t *testing.T) {
	if *kernel == "" {
		t.Skip("needs a kernel: make test-power")
	}
	if os.Geteuid() != 0 {
		t.Skip("mounting what is left of a disk needs root")
	}
	dir := t.TempDir()
	sum := totals{promised: map[string]int{}}
	h := newHistory()
	disk := filepath.Join(dir, "disk")
	start := time.Now()
	for i := range *cuts {
		n := *first + i**step
		if i%*perDisk == 0 {
			h = newHistory()
			newMedium(t, disk)
		}
		// Nothing of the cache, all of it, or half of it.
		probability := []float64{0, 0.5, 1, rand.Float64()}[i%4]
		unflushed, err := runUntilCut(t, disk, n, probability, h)
		if err != nil {
			t.Fatalf("cut after flush %d: %v", n, err)
		}
		sum.cuts++
		sum.unflushed += unflushed
		inspect(t, dir, h, &sum)
		if t.Failed() {
			kept := filepath.Join(filepath.Dir(*initrd), "failed-disk")
			t.Logf("the medium is kept as %s: %v", kept, copyFile(kept, disk))
			t.Fatalf("cut after flush %d, %d sectors in the cache, each kept with probability %.2f; the console's end:\n%s", n, unflushed, probability, h.end())
		}
	}
	sum.cut = time.Since(start) / time.Duration(sum.cuts)
	t.Logf("%d cuts, %v each; %d sectors were in the cache; %d stores were opened after cuts, the slowest within %v",
		sum.cuts, sum.cut.Round(time.Millisecond), sum.unflushed, sum.opened, sum.slowest.Round(time.Microsecond))
	t.Logf("promised records looked for: %d of the gateway, %d of the writer; %d found, %d in the ledger, none missing",
		sum.promised[gatewayStore], sum.promised[writerStore], sum.found, sum.lost)
	for _, store := range []string{gatewayStore, writerStore} {
		if sum.promised[store] == 0 {
			t.Errorf("the %s had promised nothing when the power went: these cuts prove nothing of it; let later ones follow (-power.cuts, -power.first)", store)
		}
	}
}

func newMedium(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, nil, 0o600), os.Truncate(path, diskBytes)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-b", "4096", path).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
}

// runUntilCut starts the machine and cuts its power after n flushes. It returns how many sectors
// were in the cache of the disk.
func runUntilCut(t *testing.T, medium string, n int, probability float64, h *history) (unflushed int, err error) {
	f, err := os.OpenFile(medium, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	d, err := disk.New(f, n)
	if err != nil {
		return 0, err
	}
	socket := medium + ".sock"
	os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() { served <- d.Serve(l) }()

	ctx, cancel := context.WithTimeout(t.Context(), cutTimeout)
	defer cancel()
	machine := exec.CommandContext(ctx, "qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults", "-no-reboot",
		"-display", "none", "-serial", "stdio", "-kernel", *kernel, "-initrd", *initrd, "-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on",
		"-drive", "if=none,id=d,format=raw,cache=none,aio=threads,file=nbd+unix:///?socket="+socket, "-device", "virtio-blk-pci,drive=d,write-cache=on,logical_block_size=4096,physical_block_size=4096")
	out, err := machine.StdoutPipe()
	if err != nil {
		return 0, err
	}
	var messages bytes.Buffer
	machine.Stderr = &messages
	if err := machine.Start(); err != nil {
		return 0, err
	}
	go func() {
		select {
		case <-d.Cut(): // serve answers nothing any more
		case <-ctx.Done():
		}
		machine.Process.Kill()
	}()
	var wrong error
	h.console.Reset()
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what the cut has cut off was not promised
		}
		h.console.WriteString(line)
		if err := h.add(line); err != nil {
			wrong = err
			cancel()
		}
	}
	_ = machine.Wait() // killed
	l.Close()
	ended := <-served
	unflushed, err = d.Lose(probability)
	select {
	case <-d.Cut():
	default:
		err = errors.Join(err, fmt.Errorf("the machine ended before: %v; %s%s", ended, messages.String(), h.end()))
	}
	return unflushed, errors.Join(err, wrong)
}

// inspect mounts a copy of the medium and looks at the stores on it.
func inspect(t *testing.T, dir string, h *history, sum *totals) {
	t.Helper()
	image, mount := filepath.Join(dir, "copy"), filepath.Join(dir, "mnt")
	if err := errors.Join(copyFile(image, filepath.Join(dir, "disk")), os.MkdirAll(mount, 0o700)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-o", "loop", image, mount).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	defer func() {
		// A loop device outlives this a little: the next copy is another file.
		if err := errors.Join(unix.Unmount(mount, 0), os.Remove(image)); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	}()
	for _, name := range []string{gatewayStore, writerStore} {
		path := filepath.Join(mount, name)
		if st, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && st.Size() == 0 {
			for id := range h.stored {
				if id.store == name {
					t.Fatalf("%s is gone, %+v was promised", name, id)
				}
			}
			continue
		}
		sum.opened++
		check(t, path, name, h, sum)
	}
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// check opens a store and compares it with what was promised.
func check(t *testing.T, path, name string, h *history, sum *totals) {
	t.Helper()
	ctx := t.Context()
	start := time.Now()
	s, err := buffer.Open(ctx, path, buffer.Options{MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	sum.slowest = max(sum.slowest, time.Since(start))
	defer func() {
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	if o := s.Opened(); o.SetAside != "" {
		t.Errorf("%s was set aside: %+v", name, o)
	}
	found, lost, dead := map[ref]bool{}, map[ref]bool{}, map[ref]bool{}
	for r, err := range s.Stored(ctx, buffer.Readings) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		id := ref{name, r.Run, r.Stream, r.Seq}
		if found[id] {
			t.Errorf("%+v is there twice", id)
		}
		found[id] = true
		if name == writerStore && !bytes.Equal(r.Body, writerBody(r.Stream, r.Seq)) || len(r.Body) == 0 {
			t.Errorf("%+v has another body", id)
		}
	}
	for _, l := range s.TakeLosses(10_000) {
		if l.Reason == "corrupt" {
			t.Errorf("%s: %+v", name, l)
		}
		for seq := l.First; l.Kind == buffer.Readings && seq <= l.Last; seq++ {
			lost[ref{name, l.Run, l.Stream, seq}] = true
		}
	}
	letters, err := s.DeadLetters(ctx, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range letters {
		dead[ref{name, d.Record.Run, d.Record.Stream, d.Record.Seq}] = true
	}
	for id := range h.stored {
		if id.store != name || h.acking[id] || h.refusing[id] {
			continue
		}
		sum.promised[name]++
		switch {
		case found[id]:
			sum.found++
		case lost[id]:
			sum.lost++
		default:
			t.Errorf("%+v was promised and is missing", id)
		}
	}
	for id := range h.acked {
		if id.store == name && found[id] {
			t.Errorf("%+v was acknowledged and comes again", id)
		}
	}
	for id := range h.refused {
		if id.store == name && (found[id] || !dead[id] && !lost[id]) {
			t.Errorf("%+v was refused: found %v, dead letter %v, in the ledger %v", id, found[id], dead[id], lost[id])
		}
	}
	// Only what is above the mark of its stream may be missing.
	p := s.Previous()
	for stream, last := range p.Last {
		for seq := uint64(1); seq <= last; seq++ {
			id := ref{name, p.Run, stream, seq}
			if !found[id] && !lost[id] && !dead[id] && !h.acking[id] {
				t.Errorf("%+v is a hole without an entry in the ledger", id)
			}
		}
	}
	if p.Clean {
		t.Errorf("%s: the end of boot %d is said to be clean", name, p.Boot)
	}
	if name == writerStore && h.update > 0 {
		v, err := s.Get(ctx, "n", "i")
		if i, _ := strconv.Atoi(string(v)); err != nil || i < h.update && p.Run == h.run {
			t.Errorf("value %q, %v, want at least %d", v, err, h.update)
		}
	}
}
