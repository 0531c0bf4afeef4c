package uplink

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

const lastEvery = time.Second // at most one P/last of a sensor in this time

// docs are the retained documents: of each topic the newest text, sent when it changed. Guarded by
// Uplink.mu.
type docs struct {
	entries  map[string]*doc
	dirty    []string // topics in the order in which they changed, except first
	first    string   // the topic that goes before all others
	inFlight int
}

type doc struct {
	text     []byte // nil: the topic is to be cleared
	dirty    bool
	inFlight bool
	failed   bool   // the client did not take it; tried again at the next connection
	once     bool   // not retained, and forgotten once it was sent
	sent     func() // called once when a text was acknowledged, from Run's goroutine; nil: nobody asks
}

// Set makes text the retained document of a topic; nil clears the topic. An unchanged text is not
// sent again while the broker's session lasts. done, if it is not nil, is called once after this
// text or a newer one was acknowledged.
func (u *Uplink) Set(topic string, text []byte, done func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	d := u.docs.entries[topic]
	if d != nil && done == nil && bytes.Equal(d.text, text) && (text == nil) == (d.text == nil) {
		return
	}
	if d == nil {
		d = &doc{}
		u.docs.entries[topic] = d
	}
	d.text = text
	if done != nil {
		d.sent = done
	}
	u.docs.markLocked(topic)
	u.Wake()
}

// Publish sends text once, not retained. Of a topic only the newest text waits. What the end of a
// connection leaves unacknowledged is not sent again.
func (u *Uplink) Publish(topic string, text []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	d := u.docs.entries[topic]
	if d == nil {
		d = &doc{once: true}
		u.docs.entries[topic] = d
	}
	d.text = text
	u.docs.markLocked(topic)
	u.Wake()
}

// Repeat sends the document of a topic again although it did not change: somebody overwrote it.
func (u *Uplink) Repeat(topic string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.docs.entries[topic] != nil {
		u.docs.markLocked(topic)
		u.Wake()
	}
}

func (d *docs) markLocked(topic string) {
	if e := d.entries[topic]; !e.dirty {
		e.dirty = true
		if topic == d.first {
			d.dirty = slices.Insert(d.dirty, 0, topic)
		} else {
			d.dirty = append(d.dirty, topic)
		}
	}
}

// connectedLocked marks the documents that could not be sent, and all of them if the broker may
// have forgotten them.
func (d *docs) connectedLocked(fresh bool) {
	for topic, e := range d.entries {
		if fresh || e.failed {
			e.failed = false
			d.markLocked(topic)
		}
	}
}

func (u *Uplink) docsInFlight() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.docs.inFlight
}

// sendDirty sends changed documents, before the lanes, as far as half of the window.
func (u *Uplink) sendDirty(link Link) {
	slots, free := u.slots(link, nil), link.Window-u.inFlight()
	now := u.now()
	u.mu.Lock()
	var batch []Message
	waiting := u.docs.dirty[:0]
	for _, topic := range u.docs.dirty {
		d := u.docs.entries[topic]
		room := slots
		if topic == u.docs.first {
			room = free
		}
		if d.inFlight || room <= 0 || u.docs.inFlight >= max(link.Window/2, 1) || !u.gates.enter(topic, now) {
			waiting = append(waiting, topic)
			continue
		}
		d.dirty, d.inFlight = false, true
		u.docs.inFlight++
		slots--
		free--
		m := Message{Topic: topic, Payload: d.text, Retain: !d.once && !link.NoRetain, ContentType: "application/json", Priority: priorityLive}
		if topic == u.docs.first {
			m.Priority = priorityEvents
		}
		batch = append(batch, m)
	}
	u.docs.dirty = waiting
	u.mu.Unlock()
	for _, m := range batch {
		u.sendDoc(m, link)
	}
}

// docsDue returns how long until a document may be sent that its topic's refusal keeps back.
func (u *Uplink) docsDue() time.Duration {
	now, wait := u.now(), time.Hour
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, topic := range u.docs.dirty {
		if !u.docs.entries[topic].inFlight {
			if d := u.gates.due(topic, now); d > 0 {
				wait = min(wait, d)
			}
		}
	}
	return wait
}

// sendDoc sends a document that has entered its topic's gate.
func (u *Uplink) sendDoc(m Message, link Link) {
	o := outcome{doc: m.Topic, weight: m.size(), sent: u.now()}
	o.announced = link.MaxPacket > 0 && o.weight+packetOverhead > link.MaxPacket
	if most := u.cfg.DocumentMax; most > 0 && o.weight > most {
		o.err, o.own = ErrTooLarge, true
		u.report(o)
		return
	}
	err := u.cfg.Client.Send(m, func(code byte, err error) {
		o := o
		o.code, o.err = code, err
		u.report(o)
	})
	if err != nil {
		o.err = err
		u.report(o)
	}
}

func (u *Uplink) settleDoc(o outcome) {
	v := o.verdict()
	switch v {
	case accepted:
		u.clear(u.gates.passed(o.doc)...)
	case noVerdict:
		u.gates.leave(o.doc)
	default:
		if v == badSize && !o.announced && !o.own {
			u.sizes.failed(o.weight, u.now())
		}
		for _, topic := range u.gates.refused(o.doc, v == poisoned, u.now()) {
			u.raise(topic, o.why(topic))
		}
	}
	if n := u.newestOf(o.doc); n != nil {
		n.inFlight = false
		n.dirty = n.dirty || v != accepted
		u.addDocsInFlight(-1)
		return
	}
	u.mu.Lock()
	d := u.docs.entries[o.doc]
	d.inFlight = false
	u.docs.inFlight--
	var sent func()
	switch {
	case v == noVerdict && d.once:
		if !d.dirty {
			delete(u.docs.entries, o.doc)
		}
	case v == noVerdict:
		d.failed = true
	case v != accepted:
		u.docs.markLocked(o.doc)
	case !d.dirty:
		d.failed = false
		sent, d.sent = d.sent, nil
		if d.text == nil || d.once {
			delete(u.docs.entries, o.doc)
		}
	}
	u.mu.Unlock()
	if v == noVerdict && !errors.Is(o.err, ErrEnded) && !errors.Is(o.err, ErrWithdrawn) {
		u.cfg.Log.Warn("a retained document cannot be sent on this connection", "topic", o.doc, "err", o.err)
	}
	if sent != nil {
		sent()
	}
}

// newest is the newest reading of a sensor, for P/last.
type newest struct {
	topic    string // P/last/<sensor>
	record   buffer.Record
	dirty    bool
	inFlight bool
	sent     time.Time
}

// remember keeps the newest reading of a group that was sent.
func (u *Uplink) remember(g *group) {
	r := g.pins[len(g.pins)-1].Record()
	if r.Kind != buffer.Readings || r.SeqTo > 0 || !u.cfg.Last(r.Stream) { // a bucket is not a reading
		return
	}
	n := u.last[r.Stream]
	if n == nil {
		n = &newest{topic: u.cfg.Topics.Last(r.Stream)}
		u.last[r.Stream] = n
	}
	if u.newer(&r, &n.record) {
		n.record, n.dirty = r, true
	}
}

// newer reports whether a was measured after b, of the same sensor. A dead letter that is retried
// has a new position: of earlier runs that is all that is known.
func (u *Uplink) newer(a, b *buffer.Record) bool {
	switch now := u.cfg.Queue.Run(); {
	case a.Run == b.Run:
		return a.Seq > b.Seq
	case a.Run == now || b.Run == now:
		return a.Run == now
	}
	return a.Pos > b.Pos
}

// sendNewest sends the newest readings that are due, in what the lanes left of the window.
func (u *Uplink) sendNewest(link Link, now time.Time) {
	room := min(u.slots(link, nil), max(link.Window/docsShare, 1))
	for _, n := range u.last {
		if room <= 0 {
			return
		}
		topic := n.topic
		if !n.dirty || n.inFlight || u.held[n.record.Stream] || now.Sub(n.sent) < lastEvery || !u.gates.enter(topic, now) {
			continue
		}
		b := u.batch([]buffer.Record{n.record})
		text, err := u.cfg.JSON.Append(nil, &b)
		n.dirty = false
		if err != nil {
			u.gates.leave(topic)
			continue // its own message was buried and said so
		}
		n.inFlight, n.sent = true, now
		room--
		u.addDocsInFlight(+1)
		u.sendDoc(Message{Topic: topic, Payload: text, Retain: !link.NoRetain, ContentType: u.cfg.JSON.ContentType(), Priority: priorityLive}, link)
	}
}

// newestDue returns how long until a newest reading may be sent that had to wait at that time since
// its sensor's last one. If only the window or its family's first document is in the way, an
// outcome wakes Run.
func (u *Uplink) newestDue(now time.Time) time.Duration {
	wait := time.Hour
	for _, n := range u.last {
		if !n.dirty || n.inFlight || u.held[n.record.Stream] {
			continue
		}
		if due := max(lastEvery-now.Sub(n.sent), u.gates.due(n.topic, now)); due > 0 {
			wait = min(wait, due)
		}
	}
	return wait
}

func (u *Uplink) addDocsInFlight(n int) {
	u.mu.Lock()
	u.docs.inFlight += n
	u.mu.Unlock()
}

func (u *Uplink) newestOf(topic string) *newest {
	sensor, ok := u.cfg.Topics.LastSensor(topic)
	if !ok {
		return nil
	}
	return u.last[sensor]
}
