package bus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// script makes a program of shell lines and returns the name of its bus.
func script(t *testing.T, lines string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+lines+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return "exec:" + file
}

func open(t *testing.T, name string) drivers.Port {
	t.Helper()
	p, err := newHost(t).Port(t.Context(), name, drivers.SerialMode{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// readLine reads until a line end.
func readLine(p drivers.Port) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		n, err := p.Read(b)
		switch line = append(line, b[:n]...); {
		case err != nil:
			return string(line), err
		case b[0] == '\n':
			return string(line), nil
		}
	}
}

// dropOld reads what has been printed, as a driver does at the beginning of a reading.
func dropOld(t *testing.T, p drivers.Port) string {
	t.Helper()
	setTimeout(t, p, 0)
	old, err := io.ReadAll(p)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	setTimeout(t, p, 20*time.Second)
	return string(old)
}

func TestProgramThatRunsOn(t *testing.T) {
	p := open(t, script(t, `echo "$# <$1> <$2>"; while read line; do echo "got $line"; done`)+` 'a b' "c"`)
	setTimeout(t, p, 20*time.Second)
	if line, err := readLine(p); line != "2 <a b> <c>\n" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
	if _, err := p.Write([]byte("x\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := readLine(p); line != "got x\n" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
	if old := dropOld(t, p); old != "" {
		t.Errorf("got %q", old)
	}
	setTimeout(t, p, time.Millisecond)
	if _, err := readLine(p); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A program that ends well is started again for each reading, not faster than once a second, and
// what the run before has left is not taken for new.
func TestProgramForEachReading(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	p := open(t, script(t, fmt.Sprintf(`echo x >>%s; echo "run $(wc -l <%s)"; echo more`, count, count)))
	setTimeout(t, p, 20*time.Second)
	begin := time.Now()
	for i := 1; i <= 3; i++ {
		if line, err := readLine(p); line != fmt.Sprintf("run %d\n", i) || err != nil {
			t.Fatalf("%d: got %q, %v", i, line, err)
		}
		program := p.(*lease).stream.(*program)
		<-program.run.ended
		<-time.After(time.Until(program.started.Add(startEvery)))
		if old := dropOld(t, p); old != "" {
			t.Errorf("got %q", old)
		}
	}
	for range 2 { // without pauses all is read, and the program started when it is time
		if line, err := readLine(p); line != "run 4\n" && line != "more\n" || err != nil {
			t.Errorf("got %q, %v", line, err)
		}
	}
	if line, err := readLine(p); line != "run 5\n" || err != nil || time.Since(begin) < 4*startEvery {
		t.Errorf("got %q, %v after %v", line, err, time.Since(begin))
	}
}

func TestProgramsThatFail(t *testing.T) {
	for _, tt := range []struct{ name, lines, says string }{
		{"with a reason", "echo 12; echo first >&2; echo 'no \x1bradio' >&2; exit 3", `exit status 3: it says "no \x1bradio"`},
		{"without one", "exit 1", "exit status 1"},
		{"with a novel", "yes novel | head -c 100002 >&2; exit 1", `exit status 1: it says "novel"`},
		{"by a signal", "kill -9 $$", "signal: killed"},
		{"without a word", "exit 0", "it printed nothing to its standard output and ended with 0"},
		{"on the wrong output", "echo 21.5 >&2", `ended with 0: it says "21.5"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := open(t, script(t, tt.lines))
			setTimeout(t, p, 20*time.Second)
			all, err := io.ReadAll(p)
			if !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), "the program exec:/") {
				t.Errorf("want %q, got %v after %q", tt.says, err, all)
			}
		})
	}
}

// What is not a program is told apart, with what to do.
func TestProgramsThatCannotStart(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		says       string
	}{
		{"not executable", "#!/bin/sh\n", 0o600, "it is not executable: chmod +x /"},
		{"no interpreter", "echo 5\n", 0o700, "it is a text that does not begin with the path of its interpreter, such as #!/bin/sh"},
		{"other interpreter", "#!/usr/bin/python9\n", 0o700, `it is a script, and there is no program "/usr/bin/python9", which its first line names`},
		{"lines of Windows", "#!/bin/sh\r\necho 5\r\n", 0o700, `its lines end with CR LF, as on Windows: convert it (sed -i 's/\r$//' /`},
		{"other processor", "\x7fELF\x02\x01\x01\x00", 0o700, "it is not a program for this processor"},
		{"empty", "", 0o700, "it is not a program for this processor"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "program")
			if err := os.WriteFile(file, []byte(tt.text), tt.mode); err != nil {
				t.Fatal(err)
			}
			want := "exec:" + file + " could not be started: " + tt.says
			if _, err := newHost(t).Port(t.Context(), "exec:"+file, drivers.SerialMode{}); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		})
	}
	for name, says := range map[string]string{
		"exec:/nowhere/program":       "there is no such file: fork/exec /nowhere/program: no such file",
		"exec:" + t.TempDir():         "it is a folder",
		"exec:" + os.Args[0] + "/sub": "not a directory",
	} {
		if _, err := newHost(t).Port(t.Context(), name, drivers.SerialMode{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}

// env starts, but does not find a program whose name ends with CR.
func TestScriptOfWindows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("#!/usr/bin/env sh\r\necho 5\r\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := open(t, "exec:"+file)
	setTimeout(t, p, 20*time.Second)
	if _, err := readLine(p); err == nil || !strings.Contains(err.Error(), "convert it (sed -i 's/\\r$//' "+file+")") {
		t.Errorf("got %v", err)
	}
}

// The end of a run ends its last line, if it ended well; and the runs are counted.
func TestProgramWithoutALineEnd(t *testing.T) {
	p := open(t, script(t, "printf 21.5"))
	setTimeout(t, p, 20*time.Second)
	for run := 1; run <= 2; run++ {
		line, err := readLine(p)
		if runs := p.(interface{ Runs() int }).Runs(); line != "21.5\n" || err != nil || runs != run {
			t.Errorf("got %q, %v in run %d", line, err, runs)
		}
	}
	p = open(t, script(t, "printf 21.; exit 1"))
	setTimeout(t, p, 20*time.Second)
	if text, err := io.ReadAll(p); string(text) != "21." || err == nil {
		t.Errorf("got %q, %v", text, err)
	}
}

// A port knows what it is made of, and what a program complains about while it runs.
func TestPortKinds(t *testing.T) {
	p := open(t, script(t, "echo one >&2; echo two >&2; echo; exec sleep 1000"))
	setTimeout(t, p, 20*time.Second)
	if _, err := readLine(p); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); p.(*lease).Complaint() != "two" && time.Now().Before(end); {
		<-time.After(time.Millisecond)
	}
	if l := p.(*lease); l.Kind() != drivers.ProgramPort || l.Complaint() != "two" {
		t.Errorf("got %v, %q", l.Kind(), l.Complaint())
	}
}

// What never stops printing is slowed down: it would need a processor to be thrown away.
func TestProgramThatPrintsWithoutEnd(t *testing.T) {
	p := open(t, script(t, "exec yes")).(*lease)
	begin := time.Now()
	<-time.After(500 * time.Millisecond)
	out := &p.stream.(*program).run.out
	out.mu.Lock()
	total := out.total
	out.mu.Unlock()
	if most := maxRate * (time.Since(begin).Seconds() + 2); float64(total) > most {
		t.Errorf("%d bytes in %v", total, time.Since(begin))
	}
}

// A program that prints more than is read keeps running, and what is read is its newest.
func TestProgramThatIsRarelyRead(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	p := open(t, script(t, fmt.Sprintf("seq 1 200000; echo >%s; exec sleep 1000", mark)))
	for end := time.Now().Add(20 * time.Second); ; {
		if _, err := os.Stat(mark); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the program stands still")
		}
		<-time.After(5 * time.Millisecond)
	}
	out := &p.(*lease).stream.(*program).run.out
	for end := time.Now().Add(20 * time.Second); ; <-time.After(5 * time.Millisecond) {
		out.mu.Lock()
		last := bytes.HasSuffix(out.text, []byte("\n200000\n"))
		out.mu.Unlock()
		if last || time.Now().After(end) {
			break
		}
	}
	text := dropOld(t, p)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	first, err := strconv.Atoi(lines[0])
	if err != nil || len(text) > maxOutput || len(text) < maxOutput/2 || lines[len(lines)-1] != "200000" || first != 200000-len(lines)+1 {
		t.Errorf("%d bytes, from %q to %q in %d lines, %v", len(text), lines[0], lines[len(lines)-1], len(lines), err)
	}
}

// gone waits until a process has ended; it may be a zombie of init's.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d lives", pid)
}

// A program and what it has started are gone after Close, also if they do not want to be; and what
// it has left behind when it ends.
func TestProgramIsKilledWithItsChildren(t *testing.T) {
	for name, tt := range map[string]struct {
		lines string
		last  time.Duration
	}{
		"obedient":  {"sleep 1000 & echo $!; wait", stopTime},
		"stubborn":  {"trap '' TERM; sleep 1000 & echo $!; while :; do sleep 1000; done", 3 * stopTime},
		"left over": {"sleep 1000 & echo $!", 3 * stopTime},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, script(t, tt.lines))
			setTimeout(t, p, 20*time.Second)
			line, err := readLine(p)
			pid, numErr := strconv.Atoi(strings.TrimSpace(line))
			if err != nil || numErr != nil {
				t.Fatal(line, err)
			}
			if name == "left over" {
				gone(t, pid)
			}
			begin := time.Now()
			closePort(t, p)
			closePort(t, p)
			if took := time.Since(begin); took > tt.last {
				t.Errorf("Close took %v", took)
			}
			gone(t, pid)
		})
	}
}

// Programs that take their time to end hold up nobody.
func TestProgramThatIsSlowToEnd(t *testing.T) {
	host := newHost(t)
	open := func(lines string) drivers.Port {
		p, err := host.Port(t.Context(), script(t, lines), drivers.SerialMode{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := open("trap '' TERM; echo; while :; do sleep 1000; done")
	setTimeout(t, p, 20*time.Second)
	if _, err := readLine(p); err != nil {
		t.Fatal(err)
	}
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() {
		close(begun)
		closePort(t, p)
		close(ended)
	}()
	<-begun
	for end := time.Now().Add(stopTime / 2); time.Now().Before(end); {
		open("echo")
	}
	select {
	case <-ended:
		t.Error("another could not be opened before it ended")
	default:
	}
	<-ended
}

// A program may close its standard input, or not read it: a Write ends.
func TestProgramThatDoesNotListen(t *testing.T) {
	for name, tt := range map[string]struct {
		lines, says string
		cause       error
	}{
		"closed": {"exec <&-; echo; exec sleep 1000", "it has closed its standard input, to which the sensor writes", syscall.EPIPE},
		"full":   {"echo; exec sleep 1000", "does not read its standard input, to which the sensor writes", os.ErrDeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, script(t, tt.lines))
			setTimeout(t, p, 20*time.Second)
			if _, err := readLine(p); err != nil {
				t.Fatal(err)
			}
			_, err := p.Write(make([]byte, 1<<20))
			if !errors.Is(err, tt.cause) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("want %q, got %v", tt.says, err)
			}
		})
	}
}
