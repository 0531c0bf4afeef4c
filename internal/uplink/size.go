package uplink

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

const (
	sizesBucket  = "uplink.sizes" // of the store; the keys are the brokers' URLs
	retestFirst  = time.Hour      // after the connection to a broker whose limit is known
	retestEvery  = 24 * time.Hour
	unlimitedMin = 1 << 20 // bytes of a message above which a limit does not matter
)

// sizes is what a broker takes in one message although it announced no limit: learned from what
// failed and passed, kept in the store so that the next start begins with it, and tried again
// upwards now and then, in case the limit was raised. Sizes are of topic, payload and correlation
// data. The limit is never taken for more than twice what passed, or half of what failed.
type sizes struct {
	Fails  int `json:"fails"`  // the smallest that did not pass; 0: none is known
	Passes int `json:"passes"` // the largest that passed

	broker    string
	suspected int // a message of this size may have been too large
	retest    time.Time
	search    search
	changed   bool // and not stored
}

// limit returns how large a batch may be; 0: as large as it gets.
func (s *sizes) limit(now time.Time) int {
	limit := 0
	if s.Fails > 0 {
		limit = max(s.Passes, s.Fails/2)
		if !now.Before(s.retest) {
			limit *= 2
		}
	}
	if s.suspected > 0 && (limit == 0 || s.suspected/2 < limit) {
		limit = s.suspected / 2
	}
	return limit
}

// trying notes that a message goes out. Of those above the limit there is one at a time.
func (s *sizes) trying(size int, now time.Time) {
	if s.Fails > 0 && size > max(s.Passes, s.Fails/2) && !now.Before(s.retest) {
		s.retest = now.Add(retestEvery)
	}
}

func (s *sizes) failed(size int, now time.Time) {
	if s.Fails == 0 {
		s.retest = now.Add(retestEvery)
	}
	smaller := s.Fails == 0 || size < s.Fails || size <= s.Passes
	if smaller {
		s.Fails, s.changed = size, true
	}
	if s.Passes >= s.Fails {
		s.Passes = 0
	}
	s.suspected = 0
	if smaller {
		s.search = search{size, s.limit(now), now}
	}
}

func (s *sizes) passed(size int) {
	if size >= s.search.tries/2 {
		s.search = search{}
	}
	limit := max(s.Passes, s.Fails/2)
	if size <= s.Passes {
		return
	}
	s.changed = s.changed || s.Fails > 0 && size > limit
	s.Passes = size
	if s.Fails == 0 || size <= limit {
		return
	}
	// A test upwards passed: the next one may follow at once, until one fails or nothing is large
	// enough for it to matter.
	s.retest = time.Time{}
	if size >= s.Fails {
		s.Fails = 4 * size
	}
	if size >= unlimitedMin {
		s.Fails = 0
	}
}

// loadSizes loads what an earlier connection found out about a broker.
func (u *Uplink) loadSizes(ctx context.Context, broker string) {
	if broker == u.sizes.broker {
		return
	}
	u.sizes = sizes{broker: broker, retest: u.now().Add(retestFirst)}
	text, err := u.cfg.Queue.Get(ctx, sizesBucket, broker)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &u.sizes)
	}
	if err != nil {
		u.cfg.Log.Warn("the message size that the broker accepts must be found out again", "broker", broker, "err", err)
	}
}

// saveSizes stores what was learned about the broker.
func (u *Uplink) saveSizes(ctx context.Context) {
	s := &u.sizes
	if !s.changed || s.broker == "" {
		return
	}
	s.changed = false // one attempt: it is learned again if the disk fails
	u.cfg.Log.Info("the broker has a limit on message size that it does not announce", "broker", s.broker, "fails", s.Fails, "passes", s.Passes, "tries", s.limit(u.now()),
		"remedy", searchRemedy)
	text, err := json.Marshal(s)
	if err == nil {
		err = u.cfg.Queue.Put(ctx, sizesBucket, s.broker, text)
	}
	if err != nil {
		u.cfg.Log.Warn("the message size that the broker accepts cannot be stored", "broker", s.broker, "err", err)
	}
}

// fit renders a group. Of a batch it takes as much as the broker takes in one message, and stages
// the rest behind it.
func (u *Uplink) fit(g *group, link Link) (Message, error) {
	for {
		m, err := u.render(g)
		g.topic = m.Topic
		room := u.laneRoom(g.lane, link)
		if err == nil {
			u.weigh(g, &m)
		}
		if err != nil || room == 0 || m.size() <= room {
			return m, err
		}
		n := u.pieces(g)
		if n == 1 {
			return m, nil
		}
		g.lane.stageFirst(u.cut(g, max(1, min(n-1, n*room/m.size()))))
	}
}

// room returns how large a batch may be; 0: as large as it gets.
func (u *Uplink) room(link Link) int {
	room := u.sizes.limit(u.now())
	if announced := link.MaxPacket - packetOverhead; link.MaxPacket > 0 && (room == 0 || announced < room) {
		room = max(announced, 1)
	}
	if most := u.cfg.MessageMax; most > 0 && (room == 0 || most < room) {
		room = most
	}
	return room
}

// laneRoom is room for a lane: a message of the backlog is no larger than what its lane may have on
// its way, or live readings would wait behind it.
func (u *Uplink) laneRoom(l *lane, link Link) int {
	room := u.room(link)
	if l.id == buffer.BacklogLane && (room == 0 || u.pacer.budget < room) {
		room = u.pacer.budget
	}
	return room
}

// size is what limits are compared with.
func (m *Message) size() int { return len(m.Topic) + len(m.Payload) + len(m.Correlation) }

// whole is what the parts of one event have in common.
type whole struct{ left int }

// pieces returns into how many messages a group can be cut: its readings, or the ranges of a loss
// event.
func (u *Uplink) pieces(g *group) int {
	if len(g.pins) == 1 && u.isLoss(g) {
		return max(len(lossOf(g)), 1)
	}
	return len(g.pins)
}

// cut takes the pieces from n on away from a group and returns them as one. The parts of a loss
// event have its number; all together they say the same, and the event is delivered with the last
// of them.
func (u *Uplink) cut(g *group, n int) *group {
	rest := &group{lane: g.lane, topic: g.topic, form: g.form}
	if len(g.pins) > 1 {
		rest.pins, g.pins = g.pins[n:], g.pins[:n:n]
		return rest
	}
	if g.whole == nil {
		g.whole = &whole{left: 1}
	}
	g.whole.left++
	loss := lossOf(g)
	rest.pins, rest.whole = g.pins, g.whole
	rest.loss, g.loss = loss[n:], loss[:n:n]
	return rest
}

// lossOf returns what a loss event reports, or the part of it that g is.
func lossOf(g *group) []contract.Loss {
	if g.loss != nil {
		return g.loss
	}
	var e contract.LossEvent
	if _, fields, err := event.Decode(g.first().Body); err == nil {
		_ = json.Unmarshal(fields, &e) // what cannot be read has no pieces
	}
	return e.Loss
}
