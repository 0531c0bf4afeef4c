package contract

import (
	"encoding/json"
	"fmt"
	"time"
)

// Presence is P/status of one run: who is there. The same document is the birth, the good-bye and
// the will, and it is watched: if something older overwrites it, such as the will of a connection
// that the broker gave up only after the gateway had come back, it must be published again.
type Presence struct {
	Run     string
	Store   string
	Boot    uint32
	Version string
	Now     func() (time.Time, bool)
}

// Document returns the status document of a state as of now.
func (p *Presence) Document(state string) []byte { return p.document(state, nil) }

// Sleep returns the status document of a gateway that leaves now and comes again at until, the zero
// time if the clock is not known.
func (p *Presence) Sleep(until time.Time) []byte { return p.document(Sleeping, &Time{Time: until}) }

func (p *Presence) document(state string, until *Time) []byte {
	now, _ := p.Now()
	text, err := json.Marshal(Status{V: Version, State: state, Since: Time{Time: now}, Until: until,
		Run: p.Run, Store: p.Store, Boot: p.Boot, Version: p.Version})
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	return text
}

// Overwritten reports whether a document that appeared on the topic must be answered by publishing
// ours again.
func (p *Presence) Overwritten(document []byte) bool {
	var s Status
	if err := json.Unmarshal(document, &s); err != nil {
		return true
	}
	if s.State == Sleeping && s.Run == p.Run { // it comes back to us while we leave
		return false
	}
	if s.State != Online {
		return true
	}
	// Another gateway of our name is not answered: that would be a fight without an end.
	return !p.foreign(&s) && s.Run != p.Run
}

// Twin returns what distinguishes another gateway of our name from this one, if a document on the
// topic is its birth, its good night or its will: if two push each other off the broker, each finds
// the other's at connecting, again and again. One of a store that was replaced is found once.
func (p *Presence) Twin(document []byte) (id string, ok bool) {
	var s Status
	if err := json.Unmarshal(document, &s); err != nil || s.State == Offline || s.Run == "" || !p.foreign(&s) {
		return "", false
	}
	return fmt.Sprintf("run %.40q, store %.40q", s.Run, s.Store), true
}

// foreign reports whether a document comes from another gateway: one with another store, or with a
// copy of ours, which began as many runs as we did or more. Without a store of our own it cannot be
// distinguished from an earlier run of ours.
func (p *Presence) foreign(s *Status) bool {
	if p.Store == "" || s.Store == "" || s.Run == p.Run {
		return false
	}
	return s.Store != p.Store || s.Boot >= p.Boot
}
