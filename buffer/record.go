package buffer

import "time"

// A Lane separates what must not wait behind readings.
type Lane uint8

const (
	// Events are replies, alarms and the like; there are few of them.
	Events Lane = iota
	// Readings are measured values.
	Readings
	laneCount
)

// A Queue is what Take takes from.
type Queue uint8

const (
	// EventQueue holds the events, oldest first.
	EventQueue Queue = iota
	// LiveQueue holds the readings appended since the last Split.
	LiveQueue
	// BacklogQueue holds the readings from before it.
	BacklogQueue
	queueCount
)

// A Record is one thing to deliver. It is identified by (Run, Lane, Stream,
// Seq).
type Record struct {
	Lane   Lane
	Run    string        // the start of the program that appended it
	Stream string        // the sensor, or the name of a numbered series of events
	Seq    uint64        // 1, 2, 3 … per lane, stream and run, without holes
	Pos    uint64        // rises over all that the store holds, in the order of appending; a retried dead letter gets a new one
	Up     time.Duration // when it was measured (CLOCK_BOOTTIME), as given to Append
	Body   []byte        // opaque; shared with the store, not to be changed

	// SeqTo and UpTo are the last of the records that a bucket stands for,
	// which Options.Thin made of all from Seq to SeqTo; zero: it is a record
	// as it was appended.
	SeqTo uint64
	UpTo  time.Duration

	Gateway string // Options.Gateway of its run; empty where that is not known
	Kernel  string // Options.KernelBoot of its run, to which Up refers; empty where that is not known

	item *item
}

type itemState uint8

const (
	held    itemState = iota // not durable yet, where that is asked for
	waiting                  // can be taken
	taken                    // pinned until Ack, Release or Refuse
	done                     // acknowledged or removed
)

// An item is a resident record. All fields but state are constant, and body
// until its block is stored.
type item struct {
	block  *block
	pos    uint64
	seq    uint64
	up     time.Duration
	at     time.Duration // when it was appended; 0 when loaded
	upTo   time.Duration // of a bucket: Record.UpTo
	stream string
	body   []byte
	span   uint32 // of a bucket: Record.SeqTo - Record.Seq
	state  itemState
}

// itemOverhead is about what an item costs in RAM besides its body.
const itemOverhead = 128

func (it *item) cost() int { return len(it.body) + itemOverhead }

// last returns the last sequence number that the item stands for.
func (it *item) last() uint64 { return it.seq + uint64(it.span) }

// record returns the item as those outside see it.
func (it *item) record() Record {
	b := it.block
	r := Record{Lane: b.class.lane(), Run: b.run.id, Stream: it.stream, Seq: it.seq, Pos: it.pos, Up: it.up, Body: it.body,
		Gateway: b.run.gateway, Kernel: b.run.kernel, item: it}
	if it.span > 0 {
		r.SeqTo, r.UpTo = it.last(), it.upTo
	}
	return r
}

// A block is a resident segment: the records of one row, or those that will
// become one. Items rise in position. While it is sealed its items and its id
// do not change, so that a commit can be repeated; one that was acknowledged
// in part and certainly is on no disk is opened again.
type block struct {
	class class
	run   *run
	id    uint64 // position of the first item; key of the row
	items []*item

	left    int // items that are not done
	waiting int
	taken   int
	scan    [queueCount]int // of each queue: Take finds nothing before it
	cost    int

	sealed   bool
	writing  bool // in the transaction that runs, or whose outcome is not known
	stored   bool
	private  bool   // made by a Tx; not visible before its commit
	evicting bool   // being removed by the commit that runs
	dirty    bool   // has acknowledgements that are not stored
	bits     int    // acknowledgements that are stored
	encoded  []byte // of a sealed block that is not stored
	level    int64  // how often it was thinned
	codec    int64
	rawSize  int64
	crc      int64
}

// pinned reports whether no limit may remove the block.
func (b *block) pinned() bool { return b.taken > 0 }

// last returns the position of the last item.
func (b *block) last() uint64 { return b.items[len(b.items)-1].pos }

// A lane is the resident part of one class. Blocks rise in id: first those
// loaded from the disk, then those kept after their commit, then the front,
// which is not stored yet. Stored segments that are not resident have ids in
// [gapLo, gapHi), or Take has passed over them (hold.go).
type lane struct {
	blocks       []*block
	gapLo, gapHi uint64
	passed       passed
	depth        int64  // unacknowledged records, resident or not
	liveFrom     uint64 // records from this position on are live
	live         int64  // unacknowledged live records
}

func (l *lane) gap() bool { return l.gapLo < l.gapHi }

// find returns the index of the first block with an id of at least id.
func (l *lane) find(id uint64) int {
	lo, hi := 0, len(l.blocks)
	for lo < hi {
		if m := (lo + hi) / 2; l.blocks[m].id < id {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// resident returns the block with this id, or nil.
func (l *lane) resident(id uint64) *block {
	if i := l.find(id); i < len(l.blocks) && l.blocks[i].id == id {
		return l.blocks[i]
	}
	return nil
}

func (l *lane) insert(b *block) {
	i := l.find(b.id)
	l.blocks = append(l.blocks, nil)
	copy(l.blocks[i+1:], l.blocks[i:])
	l.blocks[i] = b
}

func (l *lane) remove(b *block) {
	i := l.find(b.id)
	if i >= len(l.blocks) || l.blocks[i] != b {
		return
	}
	copy(l.blocks[i:], l.blocks[i+1:])
	l.blocks[len(l.blocks)-1] = nil
	l.blocks = l.blocks[:len(l.blocks)-1]
}

// split makes every record before a position backlog. s.mu is held.
func (l *lane) split(from uint64) {
	if from <= l.liveFrom {
		return
	}
	for _, b := range l.blocks[:l.find(from)] {
		for _, it := range b.items {
			if it.state != done && it.pos >= l.liveFrom && it.pos < from {
				l.live--
			}
		}
	}
	l.liveFrom = from
}

// cover makes the range of what is only on the disk include [low, high). s.mu
// is held.
func (l *lane) cover(low, high uint64) {
	if low < l.passed.to {
		l.passed.to = 0
	}
	if !l.gap() {
		l.gapLo, l.gapHi = low, high
	} else {
		l.gapLo, l.gapHi = min(l.gapLo, low), max(l.gapHi, high)
	}
	l.split(high)
}

// unstored returns the front, oldest block first.
func (l *lane) unstored() []*block {
	i := len(l.blocks)
	for i > 0 && !l.blocks[i-1].stored {
		i--
	}
	return l.blocks[i:]
}
