package buffer

import (
	"encoding/binary"
	"hash/crc32"
)

// counters are kept in memory and written with every commit, so that nothing ever has to be
// counted.
type counters struct {
	Commit uint64 // rises with every commit: shows whether a failed one happened
	Next   uint64 // no stored position is as high
	// of the run that committed last, whose marks stand beside; 0: none has
	Boot     uint64
	Records  [classCount]int64 // not acknowledged as far as stored
	Bytes    [classCount]int64 // of segments
	Losses   int64             // rows of loss
	NextLoss int64             // id of the next row of loss
	Dead     int64             // rows of dead
	DeadSize int64             // bytes of bodies in dead

	Thinned [classCount][ThinLevels]int64 // of Bytes, those of each level
}

// A progress is what every commit writes beside what it is about. It is one short row of a table of
// its own: it shares its page with nothing, and a commit writes that page and those of its segment.
type progress struct {
	counters
	marks []mark
}

// progressStep is what the length of a stored progress is a multiple of. SQLite overwrites a value
// in place while its length stays the same.
const progressStep = 64

// encode returns the stored form: CRC-32C of what follows, then varints: the counters in their
// order, and of each mark its kind, the length and bytes of its name and its number. Zeros fill it
// up.
func (p progress) encode() []byte {
	b := make([]byte, 4, 4*progressStep)
	b = binary.AppendUvarint(b, p.Commit)
	b = binary.AppendUvarint(b, p.Next)
	b = binary.AppendUvarint(b, p.Boot)
	for _, n := range p.numbers() {
		b = binary.AppendVarint(b, *n)
	}
	b = binary.AppendUvarint(b, uint64(len(p.marks)))
	for _, m := range p.marks {
		b = append(b, byte(m.kind))
		b = binary.AppendUvarint(b, uint64(len(m.stream)))
		b = append(b, m.stream...)
		b = binary.AppendUvarint(b, m.seq)
	}
	b = append(b, make([]byte, -len(b)&(progressStep-1))...)
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b
}

func decodeProgress(b []byte) (p progress, err error) {
	if len(b) < 4 || binary.LittleEndian.Uint32(b) != crc32.Checksum(b[4:], castagnoli) {
		return p, errBadState
	}
	d := decoder{p: b[4:]}
	p.Commit, p.Next, p.Boot = d.uvarint(), d.uvarint(), d.uvarint()
	for _, n := range p.numbers() {
		*n = d.varint()
	}
	for range min(d.uvarint(), uint64(len(b))) {
		kind := Kind(d.uvarint())
		if kind >= kindCount {
			return p, errBadState
		}
		p.marks = append(p.marks, mark{kind: kind, stream: string(d.bytes()), seq: d.uvarint()})
	}
	if d.bad {
		return p, errBadState
	}
	return p, nil
}

// numbers are the signed counters, in the order in which they are stored.
func (c *counters) numbers() []*int64 {
	list := []*int64{&c.Losses, &c.NextLoss, &c.Dead, &c.DeadSize}
	for i := range classCount {
		list = append(list, &c.Records[i], &c.Bytes[i])
		for level := range c.Thinned[i] {
			list = append(list, &c.Thinned[i][level])
		}
	}
	return list
}

func (d *db) loadProgress() (progress, error) {
	v, err := d.value(`SELECT body FROM progress`)
	if err != nil {
		return progress{}, err
	}
	body, _ := v.([]byte)
	return decodeProgress(body)
}

func (d *db) saveProgress(p progress) error {
	return d.exec(`INSERT INTO progress(id, body) VALUES(1, ?) ON CONFLICT(id) DO UPDATE SET body=excluded.body`, p.encode())
}
