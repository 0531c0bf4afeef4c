package uplink

import (
	"fmt"
	"time"
)

// searchShown is how long after the last message that did not pass the search for a size is
// reported, if nothing large is left to send that would end it.
const searchShown = 10 * time.Minute

const searchRemedy = "set mqtt.message_max to what the broker accepts, or raise its limit"

// A search is one for the message size that a broker accepts that announced no limit. It ends with
// a message that passes and has at least half of what is tried. The zero value is none.
type search struct {
	failed int // bytes of topic and payload
	tries  int // at most this from now on
	since  time.Time
}

func (s search) String() string {
	return fmt.Sprintf("the broker did not accept a message of %d bytes and announced no limit: the gateway tries at most %d; %s", s.failed, s.tries, searchRemedy)
}

// suspect notes that a message of that size may have been too large.
func (s *sizes) suspect(size int, now time.Time) {
	s.suspected = size
	s.search = search{size, s.limit(now), now}
}

// showSearch makes the search known to Trouble.
func (u *Uplink) showSearch() {
	u.mu.Lock()
	u.search = u.sizes.search
	u.mu.Unlock()
}

// Trouble returns what the uplink is finding out about the broker, in a sentence; nil if it is
// nothing.
func (u *Uplink) Trouble() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.search.failed == 0 || u.now().Sub(u.search.since) > searchShown {
		return nil
	}
	return []string{u.search.String()}
}
