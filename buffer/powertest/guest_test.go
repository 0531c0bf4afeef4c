package powertest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/buffer"
)

// What the initial file system of the machine has besides the test binary, which is its /init.
const (
	gatewayFile = "/fieldgate"
	configFile  = "/fieldgate.toml"
	moduleDir   = "/modules"
)

// Where the stores are in the file system of the disk.
const (
	mountPoint   = "/data"
	gatewayStore = "queue.db"
	writerStore  = "writer.db"
)

// TestMain is the init of the machine if it is process 1.
func TestMain(m *testing.M) {
	if os.Getpid() == 1 {
		console := &console{out: os.Stdout}
		console.say("failed", guest(console))
		select {} // there is nobody to return to
	}
	os.Exit(m.Run())
}

// A console prints whole lines.
type console struct {
	mu  sync.Mutex
	out io.Writer
}

func (c *console) say(a ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(c.out, a...)
}

// Write prints what the gateway logs.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

// guest sets the machine up and returns where something fails.
func guest(c *console) error {
	for _, m := range []struct{ kind, at string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mounting %s: %w", m.at, err)
		}
	}
	if err := os.Mkdir("/run/fieldgate", 0o755); err != nil { // for the control socket
		return err
	}
	modules, err := filepath.Glob(moduleDir + "/*")
	if err != nil {
		return err
	}
	slices.Sort(modules) // their names begin with their order
	for _, m := range modules {
		f, err := os.Open(m)
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
			return fmt.Errorf("module %s: %w", m, err)
		}
		f.Close()
	}
	for tries := 0; ; tries++ {
		err := unix.Mount("/dev/vda", mountPoint, "ext4", unix.MS_NOATIME, "")
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || tries > 1000 {
			return fmt.Errorf("mounting the disk: %w", err)
		}
		time.Sleep(10 * time.Millisecond) // the kernel still looks for it
	}
	c.say("mounted")
	ended := make(chan error)
	tailed := make(chan struct{})
	go func() { ended <- gateway(c, tailed) }()
	go func() {
		<-tailed // the writer would use up the flushes that the gateway starts with
		ended <- writer(c)
	}()
	return <-ended
}

// gateway runs fieldgate and prints what its tail shows: readings that the store has taken. It
// closes tailed at the first one.
func gateway(c *console, tailed chan<- struct{}) error {
	var once sync.Once
	run := exec.Command(gatewayFile, "-c", configFile, "run")
	run.Stdout, run.Stderr = c, c
	if err := run.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("fieldgate run ended: %w", err)
		default:
		}
		status, err := exec.Command(gatewayFile, "-c", configFile, "status", "--json").Output()
		if err != nil {
			time.Sleep(20 * time.Millisecond) // it starts
			continue
		}
		var s struct{ Health struct{ Run string } }
		if err := json.Unmarshal(status, &s); err != nil {
			return err
		}
		tail := exec.Command(gatewayFile, "-c", configFile, "tail", "--json")
		out, err := tail.StdoutPipe()
		if err != nil {
			return err
		}
		if err := tail.Start(); err != nil {
			return err
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e struct {
				Sensor   string
				Readings []struct{ Seq uint64 }
			}
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				return fmt.Errorf("tail: %w: %s", err, lines.Text())
			}
			for _, r := range e.Readings {
				c.say("gateway", s.Health.Run, e.Sensor, r.Seq)
			}
			once.Do(func() { close(tailed) })
		}
		_ = tail.Wait()
	}
}

// writerBody is the body of a record of the writer.
func writerBody(stream string, seq uint64) []byte {
	b := []byte(stream + "-" + strconv.FormatUint(seq, 10))
	for len(b) < int(100+seq*37%300) {
		b = append(b, byte('a'+seq%26))
	}
	return b
}

// writer does with the store what the gateway does when it is online too: it acknowledges and
// refuses. It prints before what may have happened at a cut, after what must have.
func writer(c *console) error {
	ctx := context.Background()
	s, err := buffer.Open(ctx, mountPoint+"/"+writerStore, buffer.Options{MaxBytes: 2 << 20}) // its log is copied often
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range 2 {
		go func() {
			stream := fmt.Sprint("w", w)
			for seq := uint64(1); ; seq++ {
				if _, err := s.Append(ctx, buffer.Readings, stream, 0, writerBody(stream, seq)); err != nil {
					failed <- err
				}
				c.say("stored", s.Run(), stream, seq)
			}
		}()
	}
	go func() {
		for i := 1; ; i++ {
			r := append(s.Take(buffer.BacklogLane, 10, 1<<20), s.Take(buffer.LiveLane, 10, 1<<20)...)
			n := len(r) / 2
			for _, x := range r[:n] {
				c.say("acking", x.Run, x.Stream, x.Seq)
			}
			s.Ack(r[:n])
			refused := r[n:min(n+1, len(r))]
			if i%10 != 0 {
				refused = nil
			}
			for _, x := range refused {
				c.say("refusing", x.Run, x.Stream, x.Seq)
			}
			err := s.Refuse(ctx, refused, "test") // commits what was acknowledged too
			if err == nil {
				err = s.Update(ctx, func(tx *buffer.Tx) error { return tx.Put("n", "i", []byte(strconv.Itoa(i))) })
			}
			if err != nil {
				failed <- err
			}
			for _, x := range r[:n] {
				c.say("acked", x.Run, x.Stream, x.Seq)
			}
			for _, x := range refused {
				c.say("refused", x.Run, x.Stream, x.Seq)
			}
			c.say("update", s.Run(), i)
			s.Release(r)
		}
	}()
	return <-failed
}
