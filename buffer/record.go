package buffer

import "time"

// A Kind is the kind of a record. Events have a lane of their own, so as not to wait for readings.
type Kind uint8

const (
	// Events are replies, alarms and the like; there are few of them.
	Events Kind = iota
	// Readings are measured values.
	Readings
	kindCount
)

// A Lane is one of the orders in which Take returns records.
type Lane uint8

const (
	// EventLane holds the events, oldest first.
	EventLane Lane = iota
	// LiveLane holds the readings appended since the last Split, as far as they are in RAM.
	LiveLane
	// BacklogLane holds all other readings.
	BacklogLane
	laneCount
)

// A Record is one thing to deliver. It is identified by (Run, Kind, Stream, Seq).
type Record struct {
	Kind     Kind
	Priority Priority      // of readings: that of their stream when they were appended
	Run      string        // of the run that appended it, see Store.Run
	Stream   string        // the sensor, or the name of a numbered series of events
	Seq      uint64        // its number: 1, 2, 3 … per kind, stream and run, without holes
	Pos      uint64        // rises in the order of appending, see "Order" of the package
	Up       time.Duration // as given to Append: when it was measured, since power-up
	Body     []byte        // opaque; shared with the store: must not be changed, may be kept

	// SeqTo and UpTo are set in a bucket, which Options.Thin made of all records from Seq to SeqTo:
	// they are the Seq and Up of the last. In a record as it was appended they are zero.
	SeqTo uint64
	UpTo  time.Duration

	Gateway string // Options.Gateway of its run; empty if that is not known
	Kernel  string // Options.KernelBoot of its run, to which Up refers; empty if that is not known

	item *item
}

// A Pin is a taken record in eight bytes, for those who hold many.
type Pin struct{ item *item }

// Pin returns the pin of a record that Take returned.
func (r *Record) Pin() Pin { return Pin{r.item} }

// Record returns the record.
func (p Pin) Record() Record { return p.item.record() }

// Len returns the length of the record's body.
func (p Pin) Len() int { return len(p.item.body) }

type itemState uint8

const (
	held    itemState = iota // not durable yet, if that is asked for
	waiting                  // can be taken
	taken                    // pinned until Ack, Release or Refuse
	done                     // acknowledged or removed
)

// An item is a resident record. All fields but state are constant, and body until its segment is
// stored.
type item struct {
	segment *segment
	pos     uint64
	seq     uint64
	up      time.Duration
	at      time.Duration // when it was appended; 0 when loaded
	upTo    time.Duration // of a bucket: Record.UpTo
	stream  string
	body    []byte
	span    uint32 // of a bucket: Record.SeqTo - Record.Seq
	state   itemState
}

// itemOverhead is about what an item costs in RAM besides its body.
const itemOverhead = 128

func (it *item) cost() int { return len(it.body) + itemOverhead }

// last returns the last sequence number that the item stands for.
func (it *item) last() uint64 { return it.seq + uint64(it.span) }

// record returns the item as those outside see it.
func (it *item) record() Record {
	seg := it.segment
	r := Record{Kind: seg.class.kind(), Run: seg.run.id, Stream: it.stream, Seq: it.seq, Pos: it.pos, Up: it.up, Body: it.body,
		Gateway: seg.run.gateway, Kernel: seg.run.kernel, item: it}
	if seg.class != eventClass {
		r.Priority = Priority(seg.class) - Priority(normalClass)
	}
	if it.span > 0 {
		r.SeqTo, r.UpTo = it.last(), it.upTo
	}
	return r
}

// A segment holds the records of one row, or those that will become one. Items rise in position.
// While it is sealed its items and its id do not change, so that a commit can be repeated; one that
// was acknowledged in part and certainly is on no disk is opened again.
//
// Store.mu guards a segment that a shelf has, and its methods need it held. What the committer
// decodes or builds is its own until it is on a shelf, and so is the stored form of a sealed one.
type segment struct {
	class class
	run   *run
	id    uint64 // position of the first item; key of the row
	items []*item

	left    int // items that are not done
	waiting int
	taken   int
	scan    [laneCount]int // of each lane: Take finds nothing before it
	cost    int

	sealed   bool
	writing  bool // in the transaction that runs, or whose outcome is not known
	stored   bool
	private  bool   // made by a Tx; not visible before its commit
	evicting bool   // being removed by the commit that runs
	dirty    bool   // has acknowledgements that are not stored
	bits     int    // acknowledgements that are stored
	encoded  []byte // of a sealed segment that is not stored
	level    int64  // how often it was thinned
	codec    int64
	rawSize  int64
	crc      int64
}

// pinned reports whether no limit may remove the segment.
func (seg *segment) pinned() bool { return seg.taken > 0 }

// last returns the position of the last item.
func (seg *segment) last() uint64 { return seg.items[len(seg.items)-1].pos }

// A shelf is the resident part of one class. Segments rise in id: first those loaded from the disk,
// then those kept after their commit, then the front, which is not stored yet. Stored segments that
// are not resident have ids in [gapLo, gapHi), or Take has passed over them (hold.go).
//
// Store.mu guards it, and its methods need it held.
type shelf struct {
	segments     []*segment
	gapLo, gapHi uint64
	passed       passed
	depth        int64  // unacknowledged records, resident or not
	liveFrom     uint64 // records from this position on are live
	live         int64  // unacknowledged live records
}

func (sh *shelf) gap() bool { return sh.gapLo < sh.gapHi }

// find returns the index of the first segment with an id of at least id.
func (sh *shelf) find(id uint64) int {
	lo, hi := 0, len(sh.segments)
	for lo < hi {
		if m := (lo + hi) / 2; sh.segments[m].id < id {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// resident returns the segment with this id, or nil.
func (sh *shelf) resident(id uint64) *segment {
	if i := sh.find(id); i < len(sh.segments) && sh.segments[i].id == id {
		return sh.segments[i]
	}
	return nil
}

func (sh *shelf) insert(seg *segment) {
	i := sh.find(seg.id)
	sh.segments = append(sh.segments, nil)
	copy(sh.segments[i+1:], sh.segments[i:])
	sh.segments[i] = seg
}

func (sh *shelf) remove(seg *segment) {
	i := sh.find(seg.id)
	if i >= len(sh.segments) || sh.segments[i] != seg {
		return
	}
	copy(sh.segments[i:], sh.segments[i+1:])
	sh.segments[len(sh.segments)-1] = nil
	sh.segments = sh.segments[:len(sh.segments)-1]
}

// split makes every record before a position backlog.
func (sh *shelf) split(from uint64) {
	if from <= sh.liveFrom {
		return
	}
	for _, seg := range sh.segments[:sh.find(from)] {
		for _, it := range seg.items {
			if it.state != done && it.pos >= sh.liveFrom && it.pos < from {
				sh.live--
			}
		}
	}
	sh.liveFrom = from
}

// cover makes the range of what is only on the disk include [low, high).
func (sh *shelf) cover(low, high uint64) {
	if low < sh.passed.to {
		sh.passed.to = 0
	}
	if !sh.gap() {
		sh.gapLo, sh.gapHi = low, high
	} else {
		sh.gapLo, sh.gapHi = min(sh.gapLo, low), max(sh.gapHi, high)
	}
	sh.split(high)
}

// unstored returns the front, oldest segment first.
func (sh *shelf) unstored() []*segment {
	i := len(sh.segments)
	for i > 0 && !sh.segments[i-1].stored {
		i--
	}
	return sh.segments[i:]
}
