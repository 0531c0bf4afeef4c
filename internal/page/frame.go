package page

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A part is an element of the page that changes.
type part struct {
	id   string
	html markup
	sum  string
}

// A frame is what all viewers see at a moment.
type frame struct {
	page    string // which elements there are: others need another page
	time    string // of the snapshot, by the gateway's clock
	sensors []string
	parts   []part
}

// part returns what is in an element.
func (f *frame) part(id string) markup {
	for i := range f.parts {
		if f.parts[i].id == id {
			return f.parts[i].html
		}
	}
	return ""
}

// frames has the newest frame, which all viewers share.
type frames struct {
	viewers viewers

	mu   sync.Mutex
	last *frame
	next time.Time // when another one may be taken
	peak int64     // readings of the backlog when it was longest
}

// frame returns the newest frame, or a new one if it is too old.
func (p *Page) frame() *frame {
	f := &p.frames
	f.mu.Lock()
	defer f.mu.Unlock()
	began := time.Now()
	if f.last != nil && began.Before(f.next) {
		return f.last
	}
	v := p.view()
	f.peak = peak(f.peak, v.Queue.Backlog)
	v.Queue.Peak = f.peak
	f.last = rendered(v)
	f.next = began.Add(pauseAfter(time.Since(began)))
	return f.last
}

// pauseAfter returns how long a frame that took so long is good for. Viewers' ticks are not
// aligned: each may see a frame that is a little younger than its tick. Hundreds of sensors on a
// slow board take a fiftieth of its time, and are shown more rarely.
func pauseAfter(took time.Duration) time.Duration {
	return min(max(frameEvery*9/10, 50*took), slowest)
}

// peak returns the longest that a backlog was since there was none.
func peak(before, backlog int64) int64 {
	if backlog == 0 {
		return 0
	}
	return max(before, backlog)
}

// rendered renders a view.
func rendered(v *view) *frame {
	f := &frame{time: v.Time}
	for i := range v.Sensors {
		s := &v.Sensors[i]
		f.sensors = append(f.sensors, s.Name)
		f.add(sensorID(i), func(h *html) { writeSensor(h, s) })
	}
	for _, p := range parts {
		f.add(p.id, func(h *html) { p.write(h, v) })
	}
	f.page = sum(v.Status.Health.Run + "\n" + strings.Join(f.sensors, "\n"))
	return f
}

func (f *frame) add(id string, write func(*html)) {
	var h html
	h.Grow(4 << 10)
	write(&h)
	f.parts = append(f.parts, part{id: id, html: h.markup(), sum: sum(h.String())})
}

func sensorID(i int) string { return "s" + strconv.Itoa(i) }

// sum is short for a text.
func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(s[:9])
}
