package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A session is a person at a shell who does what a page says, in an empty home directory. Names and
// ports of the page that are not this machine's are replaced.
type session struct {
	*person
	shell   *exec.Cmd
	in      *os.File
	out     chan string // lines that the shell prints
	replace *strings.Replacer
}

func newSession(t *testing.T) *session {
	t.Helper()
	for _, program := range []string{"bash", "openssl", "mosquitto_sub", "mosquitto_passwd", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	broker := needMosquitto(t)
	s := &session{person: newPerson(t), out: make(chan string, 1000)}
	port := func() string { a := freeAddress(t); return a[strings.LastIndex(a, ":")+1:] }
	plain := port()
	for _, client := range []string{"sub", "pub", "rr"} { // a page names no port where it is 1883
		s.saves(".config/mosquitto_"+client, "-p "+plain)
	}
	s.replace = strings.NewReplacer("1883", plain, "8883", port(), "9142", port(), "broker.example.com", "localhost", "/etc/fieldgate/", s.home+"/")
	s.env = []string{"HOME=" + s.home, "PATH=" + s.home + ":" + filepath.Dir(broker) + ":" + os.Getenv("PATH"), "TERM=dumb",
		"STATE_DIRECTORY=" + s.home + "/state", "RUNTIME_DIRECTORY=" + s.home + "/run"} // this machine may have a gateway

	s.shell = exec.Command("bash", "--norc")
	s.shell.Dir, s.shell.Env, s.shell.SysProcAttr = s.home, s.env, s.command().SysProcAttr
	if s.shell.SysProcAttr == nil {
		s.shell.SysProcAttr = new(syscall.SysProcAttr)
	}
	s.shell.SysProcAttr.Setpgid = true
	in, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ours, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.in, s.shell.Stdin, s.shell.Stdout, s.shell.Stderr = theirs, in, out, out
	if err := s.shell.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	go func() {
		defer close(s.out)
		for lines := bufio.NewScanner(ours); lines.Scan(); {
			s.out <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		// All that a page starts is of one group. What it left is given time to end in order.
		s.in.Close()
		group := -s.shell.Process.Pid
		_ = s.shell.Wait()
		_ = syscall.Kill(group, syscall.SIGTERM)
		deadline := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		for range s.out {
		}
		deadline.Stop()
		ours.Close()
	})
	return s
}

const prompted = "exit code of the command: "

// types gives the shell a command, and returns what was printed until it had ended.
func (s *session) types(command string) (printed []string, code string) {
	s.t.Helper()
	fmt.Fprintf(s.in, "%s\ncode=$?; echo; echo %q$code\n", s.replace.Replace(command), prompted)
	limit := time.After(60 * time.Second)
	for {
		select {
		case line, ok := <-s.out:
			if !ok {
				s.t.Fatalf("%s: the shell has ended", command)
			}
			if code, ok := strings.CutPrefix(line, prompted); ok {
				return printed, code
			}
			printed = append(printed, line)
		case <-limit:
			s.t.Fatalf("%s: does not end\n%s", command, strings.Join(printed, "\n"))
		}
	}
}

// patternOf is what may take the place of a line that a page shows: other numbers and ids, but not
// 0 for a number that is not, other widths of columns, and anything for "…".
func patternOf(line string) *regexp.Regexp {
	p := regexp.QuoteMeta(strings.Join(strings.Fields(line), " "))
	p = regexp.MustCompile(`[0-9a-f]{12}|[0-9a-f]{8}|\d+(?:\\?[.,:]\d+)*`).ReplaceAllStringFunc(p, func(n string) string {
		if len(n) == 12 || len(n) == 8 && !strings.Contains(n, ":") {
			return fmt.Sprintf("(?:[0-9a-f]{%d}|[0-9.,:]+)", len(n))
		}
		if strings.ContainsAny(n, "123456789") {
			return `[0-9.,:]*[1-9][0-9.,:]*`
		}
		return `[0-9.,:]+`
	})
	return regexp.MustCompile("^" + strings.ReplaceAll(p, "…", ".*") + "$")
}

// lacks returns the first line of want that printed does not have, in the order of want.
func lacks(want, printed []string) string {
	for _, line := range want {
		pattern, found := patternOf(line), false
		for i, p := range printed {
			if pattern.MatchString(strings.Join(strings.Fields(p), " ")) {
				printed, found = printed[i+1:], true
				break
			}
		}
		if !found {
			return line
		}
	}
	return ""
}

var (
	notRun   = regexp.MustCompile(`\*\(not run by the tests: ([^)]+)\)\*`)
	fileName = regexp.MustCompile("[Tt]he file `([^`]+)`[^`]*:$")
	asksOnly = regexp.MustCompile(`^fieldgate (status|queue stats) -c|^grep `)
)

// follows does what the blocks of a page say. A block with lines that begin with "$ " is a
// session: commands, each with what it prints. A block after "the file `NAME`…:" is the content of
// this file, or is added to it. Others are not for the shell.
// A question is asked again until the answer is the page's, since the reader is slower than a test.
func (s *session) follows(page string) {
	s.t.Helper()
	commands := 0
	for _, b := range blocksOf(s.t, page) {
		if why := notRun.FindStringSubmatch(b.before); why != nil {
			s.t.Logf("%s:%d is not run: %s", b.page, b.line, why[1])
			continue
		}
		if name := fileName.FindStringSubmatch(b.before); name != nil && !strings.Contains("\n"+b.text, "\n$ ") {
			s.saves(s.replace.Replace(name[1]), s.replace.Replace(b.text))
			continue
		}
		for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			commands++
			lines := strings.Split(strings.TrimRight(part, "\n"), "\n")
			n := 1
			for n < len(lines) && strings.HasSuffix(lines[n-1], `\`) {
				n++
			}
			s.does(b, strings.Join(lines[:n], "\n"), lines[n:])
			if s.t.Failed() {
				return
			}
		}
	}
	if commands == 0 {
		s.t.Errorf("%s has no commands", page)
	}
	s.t.Logf("%s: %d commands", page, commands)
}

func (s *session) does(b block, command string, want []string) {
	s.t.Helper()
	for i := range want {
		want[i] = s.replace.Replace(want[i])
	}
	begin := time.Now()
	for deadline := begin.Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		printed, code := s.types(command)
		missing := lacks(want, printed)
		if code == "0" && missing == "" {
			if took := time.Since(begin); took > 3*time.Second {
				s.t.Logf("%s:%d: $ %s: took %.1f s", b.page, b.line, command, took.Seconds())
			}
			return
		}
		if !asksOnly.MatchString(command) || time.Now().After(deadline) {
			s.t.Errorf("%s:%d: $ %s\nexit code %s; not printed: %q\n%s", b.page, b.line, command, code, missing, strings.Join(printed, "\n"))
			log, _ := os.ReadFile(filepath.Join(s.home, "fieldgate.log"))
			s.t.Logf("fieldgate.log:\n%s", log)
			return
		}
	}
}

// saves adds text to a file of the person's.
func (s *session) saves(name, text string) {
	s.t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.home, name)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		s.t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.TrimRight(text, "\n") + "\n"); err != nil {
		s.t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(name, 65534, 65534); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestTutorial: whoever does what the tutorial says sees what it says.
func TestTutorial(t *testing.T) {
	newSession(t).follows("docs/tutorial.md")
}

// TestHandbookCommands: so does whoever does what the how-to guides say.
func TestHandbookCommands(t *testing.T) {
	for _, page := range []string{"docs/certificates.md", "docs/fleet.md", "docs/backup.md", "docs/sizing.md"} {
		t.Run(filepath.Base(page), func(t *testing.T) { newSession(t).follows(page) })
	}
}

// TestHandbookCommandsAreFound: a session that differs from its page is noticed.
func TestHandbookCommandsAreFound(t *testing.T) {
	for _, c := range []struct {
		want, printed string
		same          bool
	}{
		{"queue 10 live", "queue      7 live", true},
		{"run 3f9c61a2b07d in store 2fa733f3, start 1", "run a528335644d2 in store e730ac3a, start 12", true},
		{"queue 10 live", "queue 10 late", false},
		{"queue 10 live", "queue 0 live", false},
		{"link online …", "link online at 12:00", true},
		{"1.2 MiB of 256 MiB", "1 KiB of 256 MiB", false},
		{"a\nb", "b\na", false},
		{"a\nb", "x\na\ny\nb", true},
	} {
		if got := lacks(strings.Split(c.want, "\n"), strings.Split(c.printed, "\n")) == ""; got != c.same {
			t.Errorf("%q and %q: %v", c.want, c.printed, got)
		}
	}
}
