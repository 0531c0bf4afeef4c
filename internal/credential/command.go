package credential

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	commandTime = 10 * time.Second // for a command to end
	pipeTime    = time.Second      // for what a command started to close its output, after it has ended
	maxStderr   = 4 << 10          // bytes of its end
	maxReason   = 200              // bytes of its last line
)

// run runs a program and returns what it prints, without the line end. The program has the
// environment of the gateway, an empty standard input, no shell, and a process group of its own,
// which is killed when run returns. What it prints to standard output is never part of an error.
func run(ctx context.Context, argv []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	out, said := &head{cancel: cancel}, new(tail)
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Stdout, c.Stderr = out, said
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	kill := func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.Cancel, c.WaitDelay = kill, pipeTime
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("%w: it must be a program that the service's user may run", err)
	}
	begin := time.Now()
	err := c.Wait()
	_ = kill() // what the program left behind
	switch {
	case out.full:
		return nil, fmt.Errorf("%s prints more than %d bytes: it should print the password alone%s", argv[0], maxPassword, said.reason())
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%s has not ended within %v and was killed%s", argv[0], time.Since(begin).Round(100*time.Millisecond), said.reason())
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay): // that: something it started keeps the output open, but it has ended well
		return nil, fmt.Errorf("%s: %w%s", argv[0], err, said.reason())
	}
	password := withoutLineEnd(out.text)
	if len(password) == 0 {
		return nil, fmt.Errorf("%s prints nothing to its standard output%s", argv[0], said.reason())
	}
	return password, nil
}

// A head keeps the first bytes of an output, and cancels if there are more.
type head struct {
	text   []byte
	full   bool
	cancel func()
}

func (h *head) Write(b []byte) (int, error) {
	if h.full = h.full || len(h.text)+len(b) > maxPassword; h.full {
		h.text = nil
		h.cancel()
	} else {
		h.text = append(h.text, b...)
	}
	return len(b), nil
}

// A tail keeps the last bytes of an output.
type tail struct{ text []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b[max(len(b)-maxStderr, 0):]...)
	t.text = t.text[max(len(t.text)-maxStderr, 0):]
	return len(b), nil
}

// reason returns the last line, to be put behind a sentence.
func (t *tail) reason() string {
	lines := bytes.Split(bytes.TrimSpace(t.text), []byte("\n"))
	line := lines[len(lines)-1]
	if len(line) == 0 {
		return ""
	}
	return fmt.Sprintf(": it says %q", line[:min(len(line), maxReason)])
}

// tokenEnd returns when a JSON Web Token (RFC 7519, 4.1.4) ends; zero if the password is not one,
// or does not say it. One that has ended already by this machine's clock is left to the broker to
// judge: the clock may be wrong.
func tokenEnd(password []byte, now time.Time) time.Time {
	parts := strings.Split(string(password), ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	for _, part := range parts { // the signature is not checked: that is for the broker
		if _, err := base64.RawURLEncoding.DecodeString(part); err != nil {
			return time.Time{}
		}
	}
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var token struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(claims, &token) != nil || token.Exp <= 0 || token.Exp > 1<<40 {
		return time.Time{}
	}
	end := time.UnixMilli(int64(token.Exp * 1000))
	if !end.After(now) {
		return time.Time{}
	}
	return end
}
