package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// screen draws the table: again and again in place on a terminal, now and then below each other
// elsewhere.
type screen struct {
	out   io.Writer
	draw  func(sequence string) // a control sequence; nil: it is not a terminal
	lines int                   // of the last picture
	next  time.Time
}

const plainEvery = 5 * time.Second

// show shows what the watcher sees under a headline.
func (s *screen) show(w *watcher, headline string) {
	if s.draw == nil {
		if time.Now().Before(s.next) {
			return
		}
	}
	w.mu.Lock()
	n := w.total()
	w.mu.Unlock()
	if n == 0 {
		return
	}
	text := picture(w, headline)
	s.next = time.Now().Add(plainEvery)
	if s.draw != nil && s.lines > 0 {
		s.draw(fmt.Sprintf("\x1b[%dA\x1b[J", s.lines))
	}
	s.lines = strings.Count(text, "\n")
	_, _ = io.WriteString(s.out, text)
}

// say prints a line that stays.
func (s *screen) say(format string, args ...any) {
	s.lines = 0
	s.next = time.Now().Add(time.Second) // what is said is seen a moment later
	fmt.Fprintf(s.out, format+"\n", args...)
}

func picture(w *watcher, headline string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	q := w.queue.Queue
	fmt.Fprintf(&b, "%s\n", headline)
	fmt.Fprintf(&b, "the cloud sees: %s, %d readings arrived, %d of them late\n", orDash(w.status), w.total(), w.late)
	fmt.Fprintf(&b, "the gateway has: %d readings in its queue, %s written to flash, run %s\n\n",
		q.Live+q.Backlog, bytesText(w.queue.Flash.Bytes), orDash(w.queue.Run))
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SENSOR\tFIELD\tVALUE\tUNIT\tAGE\tSEQ\tARRIVED\tLATE")
	for _, name := range slices.Sorted(maps.Keys(w.sensors)) {
		r := w.sensors[name]
		age := "–"
		if !r.taken.IsZero() {
			age = max(time.Since(r.taken), 0).Round(10 * time.Millisecond).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\n", name, r.field, r.value, r.unit, age, r.seq, r.total, r.lates)
	}
	_ = t.Flush()
	b.WriteString("\n")
	return b.String()
}

func (w *watcher) total() (n int) {
	for _, r := range w.sensors {
		n += r.total
	}
	return n
}

func show(v any) string {
	switch v := v.(type) {
	case float64:
		if v == float64(int64(v)) {
			return strconv.FormatInt(int64(v), 10)
		}
		return strconv.FormatFloat(v, 'f', 3, 64)
	case bool, string:
		return fmt.Sprint(v)
	}
	return "–"
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func bytesText(n uint64) string {
	if n < 10<<10 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
