package buffer

const (
	// segmentCost closes a segment of the front and is what a commit is started for before its
	// time: larger segments save little more.
	segmentCost = 64 << 10

	// maxDirty is the number of segments with pending acknowledgements that starts a commit.
	maxDirty = 256

	// maxHeldBack is the cost of segments in RAM that is more than a commit: all that keeps them
	// there are pending acknowledgements, the rest is passed over.
	maxHeldBack = 8 * segmentCost

	// maxCached is the number of stored segments kept in RAM.
	maxCached = 128

	// maxLoads is the number of segments that one Take reads before it returns with what it has,
	// which is nothing if all of them were expired.
	maxLoads = 64

	// maxEvict is the number of segments that one commit removes.
	maxEvict = 64

	// maxThin is how many times one commit tries to thin what becomes no smaller before it removes
	// segments.
	maxThin = 4

	// thinCost is the cost of the records that are thinned at once; they are thinned already while
	// more are read, so that buckets become long.
	thinCost = 256 << 10
)

// limits are what follows from MaxBytes.
type limits struct {
	front    int   // bytes of records in RAM that are not stored
	commit   int   // bytes of them that start a commit
	cache    int   // bytes of stored records kept in RAM
	body     int   // bytes of one body
	ballast  int64 // bytes of the ballast file
	log      int64 // bytes of the log that start a checkpoint
	file     int64 // bytes of the database: what SQLite enforces
	usable   int64 // bytes of it up to which segments are stored
	readings int64 // bytes of it up to which readings are stored
}

// reserve is kept of the database for removing when everything is full.
const reserve = 64 << 10

// LogSize returns the size in bytes that the write-ahead log of a store reaches and then keeps,
// given Options.MaxBytes, which must not be zero.
func LogSize(maxBytes int64) int64 { return newLimits(maxBytes).log }

func newLimits(maxBytes int64) limits {
	l := limits{
		front:   int(clamp(maxBytes/32, 64<<10, 1<<20)),
		commit:  int(clamp(maxBytes/64, 32<<10, segmentCost)),
		cache:   int(clamp(maxBytes/64, 32<<10, 512<<10)),
		ballast: clamp(maxBytes/64, 64<<10, 1<<20),
		log:     clamp(maxBytes/16, 128<<10, 4<<20),
	}
	l.body = min(MaxBody, l.front/2) // at least two fit
	log := l.log + l.log/4 + 64<<10  // it outgrows its checkpoint by the last transaction
	l.file = maxBytes - log - l.ballast - int64(l.front)
	l.usable = l.file - reserve
	l.readings = l.usable - max(l.file/20, reserve)
	return l
}

// frontOf returns the bytes up to which the front takes records of a class: an eighth is for events
// alone.
func (l limits) frontOf(c class) int {
	if c != eventClass {
		return l.front - l.front/8
	}
	return l.front
}

// of returns the bytes of the database up to which segments of a class are stored.
func (l limits) of(c class) int64 {
	if c != eventClass {
		return l.readings
	}
	return l.usable
}

func clamp(v, low, high int64) int64 { return max(low, min(v, high)) }
