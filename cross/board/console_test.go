package board

import (
	"bufio"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A console is the serial line to a machine: its lines as they come, and a place up to which they
// have been looked at.
type console struct {
	t    *testing.T
	conn net.Conn

	mu    sync.Mutex
	lines []line
	grown chan struct{} // has a token when there are new lines
	next  int           // the first line that was not looked at
}

// A line is what a machine has printed, and when it came.
type line struct {
	at   time.Time
	text string
}

func newConsole(t *testing.T, conn net.Conn) *console {
	c := &console{t: t, conn: conn, grown: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() { // until the connection ends
		defer close(done)
		s := bufio.NewScanner(conn)
		for s.Scan() {
			c.add(strings.TrimRight(s.Text(), "\r"))
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
		if t.Failed() {
			t.Logf("the last lines of the console:\n%s", c.tail(60))
		}
	})
	return c
}

func (c *console) add(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line{time.Now(), text})
	select {
	case c.grown <- struct{}{}:
	default:
	}
}

func (c *console) tail(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, l := range c.lines[max(0, len(c.lines)-n):] {
		b.WriteString(l.at.Format("15:04:05.000 ") + l.text + "\n")
	}
	return b.String()
}

// match returns the first line from c.next on that matches, and moves c.next behind it, or behind
// all if none does.
func (c *console) match(re *regexp.Regexp) (groups []string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.next < len(c.lines) {
		l := c.lines[c.next]
		c.next++
		if groups := re.FindStringSubmatch(l.text); groups != nil {
			return groups, l.at
		}
	}
	return nil, time.Time{}
}

// await waits for a line that was not looked at and returns what its groups matched and when it
// came. The test fails if none comes in time.
func (c *console) await(within time.Duration, pattern string) (groups []string, at time.Time) {
	c.t.Helper()
	re, timer := regexp.MustCompile(pattern), time.NewTimer(within)
	defer timer.Stop()
	for {
		if groups, at := c.match(re); groups != nil {
			return groups, at
		}
		select {
		case <-c.grown:
		case <-timer.C:
			c.t.Fatalf("no line %q came within %v", pattern, within)
		}
	}
}

// expect is await without the time.
func (c *console) expect(within time.Duration, pattern string) []string {
	c.t.Helper()
	groups, _ := c.await(within, pattern)
	return groups
}

// all returns the lines that match, of those that have come so far.
func (c *console) all(pattern string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	re := regexp.MustCompile(pattern)
	var matching []string
	for _, l := range c.lines {
		if re.MatchString(l.text) {
			matching = append(matching, l.text)
		}
	}
	return matching
}

// send gives the machine a command.
func (c *console) send(command string) {
	c.t.Helper()
	if err := c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.Write([]byte(command + "\n")); err != nil {
		c.t.Fatalf("command %q: %v", command, err)
	}
}

// run gives the machine a command and waits until it has ended with status 0.
func (c *console) run(within time.Duration, command string) {
	c.t.Helper()
	c.send(command)
	if status := c.expect(within, `^## (\d+)$`)[1]; status != strconv.Itoa(0) {
		c.t.Fatalf("%q ended with %s", command, status)
	}
}

// float reads a number that a pattern has let through.
func float(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return v
}
