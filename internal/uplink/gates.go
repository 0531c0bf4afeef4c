package uplink

import (
	"strings"
	"time"
)

// familyMax is how many topics of a family the broker may refuse in a row before all of it is.
const familyMax = 2

// gates keep documents from topics that the broker refuses. The topics below P/last, P/sensors and
// Config.Announced are a family each: what is refused to two of them in a row is taken for refused
// to all, and of a family of which the broker has taken nothing yet one document is on its way at a
// time, since a broker that closes the connection at one closes it at each.
type gates struct {
	families []family
	of       map[string]*gate
}

// A family is topics that begin alike; name is the filter of them.
type family struct{ prefix, name string }

type gate struct {
	until    time.Time
	delay    time.Duration
	refused  int // in a row
	inFlight int
	proven   bool // the broker takes such documents
}

func (g *gates) gate(name string) *gate {
	e := g.of[name]
	if e == nil {
		e = &gate{}
		g.of[name] = e
	}
	return e
}

// family returns the name of the family of a topic, the filter of its topics, or "".
func (g *gates) family(topic string) string {
	for _, f := range g.families {
		if strings.HasPrefix(topic, f.prefix) {
			return f.name
		}
	}
	return ""
}

// enter reports whether a document may be sent now, and counts it as on its way.
func (g *gates) enter(topic string, now time.Time) bool {
	own := g.gate(topic)
	if now.Before(own.until) {
		return false
	}
	if name := g.family(topic); name != "" {
		if f := g.gate(name); now.Before(f.until) || !f.proven && f.inFlight > 0 {
			return false
		} else {
			f.inFlight++
		}
	}
	own.inFlight++
	return true
}

// due returns how long a document has to wait for time alone.
func (g *gates) due(topic string, now time.Time) time.Duration {
	wait := g.gate(topic).until.Sub(now)
	if name := g.family(topic); name != "" {
		wait = max(wait, g.gate(name).until.Sub(now))
	}
	return max(wait, 0)
}

// leave notes that a document came back without a verdict.
func (g *gates) leave(topic string) {
	g.gate(topic).inFlight--
	if name := g.family(topic); name != "" {
		g.gate(name).inFlight--
	}
}

// passed notes that the broker took a document, and returns what is refused no more.
func (g *gates) passed(topic string) []string {
	g.leave(topic)
	opened := []string{topic}
	if name := g.family(topic); name != "" {
		f := g.gate(name)
		*f = gate{inFlight: f.inFlight, proven: true}
		opened = append(opened, name)
	}
	delete(g.of, topic)
	return opened
}

// refused notes that the broker did not take a document, and returns what is refused now.
func (g *gates) refused(topic string, poisoned bool, now time.Time) []string {
	g.leave(topic)
	g.gate(topic).close(poisoned, now)
	name := g.family(topic)
	if name == "" {
		return []string{topic}
	}
	f := g.gate(name)
	if f.refused++; f.refused < familyMax {
		return []string{topic}
	}
	f.close(poisoned, now)
	f.proven = false
	return []string{name}
}

// close keeps documents back for a while, and longer each time.
func (g *gate) close(poisoned bool, now time.Time) {
	shortest, longest := pauseMin, pauseMax
	if poisoned {
		shortest, longest = poisonMin, poisonMax
	}
	g.delay = max(min(2*g.delay, longest), shortest)
	g.until = now.Add(g.delay)
}
