package page

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

const (
	maxViewers  = 8
	frameEvery  = time.Second
	slowest     = 10 * time.Second // that frames follow each other
	viewerTakes = 5 * time.Second  // what it is sent, else it is dropped
)

// viewers counts those who follow the page.
type viewers struct{ n atomic.Int32 }

func (v *viewers) enter() bool {
	if v.n.Add(1) > maxViewers {
		v.n.Add(-1)
		return false
	}
	return true
}

func (v *viewers) leave() { v.n.Add(-1) }

// serveEvents sends a viewer the parts of the page as they change. An event "part" has the id of an
// element in its first line and what is in it in the others, "tick" the time of the snapshot, and
// "page" of which page the parts are.
func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	if !p.frames.viewers.enter() {
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d viewers follow the page already.", maxViewers), http.StatusServiceUnavailable)
		return
	}
	defer p.frames.viewers.leave()
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Time{}); err != nil { // the request was read; its end is the viewer's
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead { // nothing follows, and no write would ever fail
		return
	}
	sent := map[string]string{}
	var b strings.Builder
	fmt.Fprintf(&b, "retry: 2000\n")
	tick := time.NewTicker(frameEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		f := p.frame()
		if first {
			event(&b, "page", f.page)
		}
		for _, part := range f.parts {
			if sent[part.id] != part.sum {
				sent[part.id] = part.sum
				event(&b, "part", part.id+"\n"+string(part.html))
			}
		}
		event(&b, "tick", f.time)
		err := control.SetWriteDeadline(time.Now().Add(viewerTakes))
		if err == nil {
			_, err = w.Write([]byte(b.String()))
		}
		if err == nil {
			err = control.Flush()
		}
		if err != nil {
			return
		}
		b.Reset()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
		if !p.cfg.Page.Local() && !p.gate.open(p.token(r)) {
			return // the session has ended
		}
	}
}

// event appends an event.
func event(b *strings.Builder, name, data string) {
	fmt.Fprintf(b, "event: %s\n", name)
	for line := range strings.SplitSeq(strings.ReplaceAll(data, "\r", " "), "\n") { // either would end a line
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(b, "data: %s\n", line)
		}
	}
	b.WriteByte('\n')
}
