package buffer

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The plain body of a segment, all integers varints:
//
//	number of streams; of each: length and bytes of its name
//	of all records, one column after the other:
//	    position, minus that of the record before (the first: minus the id)
//	    number of its stream
//	    seq, minus that of the stream's record before (the first: minus 0)
//	    up in nanoseconds, minus that of the record before, zigzag
//	    length of the body
//	    if the segment has buckets: numbers that follow seq in it
//	    if it has buckets: nanoseconds from up to the last of it, zigzag
//	the bodies
//
// Numbers that resemble each other side by side make it a quarter smaller than record after record.
//
// A stored one is compressed if that makes it smaller.

// The bits of codec say what a stored body is.
const (
	codecZstd    = int64(1)
	codecBuckets = int64(2)

	// maxSegment bounds what a damaged row can make the decoder allocate.
	maxSegment = 4 << 20
)

var (
	errBadSegment = errors.New("damaged segment")
	errBadState   = errors.New("damaged counters")
	errBadSchema  = errors.New("damaged schema") // a statement of ours does not fit to the tables of a file of ours
	castagnoli    = crc32.MakeTable(crc32.Castagnoli)
)

// A codec packs and unpacks segments. One goroutine uses it; its memory is bounded by the small
// window.
type codec struct {
	enc   *zstd.Encoder
	dec   *zstd.Decoder
	plain []byte
	names map[string]string // of streams that were decoded, at most namesMax: most segments have the same
}

const namesMax = 1000

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxSegment))
	if err != nil {
		return nil, err
	}
	return &codec{enc: enc, dec: dec}, nil
}

// encode fills in the stored form of a sealed segment.
func (c *codec) encode(seg *segment) {
	type state struct {
		index uint64
		seq   uint64
	}
	streams := make(map[string]*state)
	var names []string
	seg.codec = 0
	for _, it := range seg.items {
		if it.span > 0 {
			seg.codec |= codecBuckets
		}
		if streams[it.stream] == nil {
			streams[it.stream] = &state{index: uint64(len(names))}
			names = append(names, it.stream)
		}
	}
	p := binary.AppendUvarint(c.plain[:0], uint64(len(names)))
	for _, n := range names {
		p = binary.AppendUvarint(p, uint64(len(n)))
		p = append(p, n...)
	}
	pos, up := seg.id, time.Duration(0)
	for _, it := range seg.items {
		p = binary.AppendUvarint(p, it.pos-pos)
		pos = it.pos
	}
	for _, it := range seg.items {
		p = binary.AppendUvarint(p, streams[it.stream].index)
	}
	for _, it := range seg.items {
		st := streams[it.stream]
		p = binary.AppendUvarint(p, it.seq-st.seq)
		st.seq = it.seq
	}
	for _, it := range seg.items {
		p = binary.AppendVarint(p, int64(it.up-up))
		up = it.up
	}
	for _, it := range seg.items {
		p = binary.AppendUvarint(p, uint64(len(it.body)))
	}
	if seg.codec&codecBuckets != 0 {
		for _, it := range seg.items {
			p = binary.AppendUvarint(p, uint64(it.span))
		}
		for _, it := range seg.items {
			p = binary.AppendVarint(p, int64(max(it.upTo, it.up)-it.up))
		}
	}
	for _, it := range seg.items {
		p = append(p, it.body...)
	}
	seg.crc = seg.checksum(p)
	seg.rawSize = int64(len(p))
	seg.encoded = c.enc.EncodeAll(p, nil)
	if len(seg.encoded) < len(p) {
		seg.codec |= codecZstd
	} else {
		seg.encoded = append([]byte(nil), p...)
	}
	if c.plain = p; cap(p) > 4*segmentCost {
		c.plain = nil
	}
}

// checksum covers whose records the segment has as well.
func (seg *segment) checksum(plain []byte) int64 {
	return int64(crc32.Update(crc32.Checksum([]byte(seg.run.id), castagnoli), castagnoli, plain))
}

// decode makes the items of a segment from its stored form. The bodies share one allocation.
func (c *codec) decode(seg *segment, n int64) error {
	if seg.rawSize < 0 || seg.rawSize > maxSegment || n < 1 || n > seg.rawSize {
		return errBadSegment
	}
	if seg.codec&^(codecZstd|codecBuckets) != 0 {
		return errBadSegment
	}
	p := seg.encoded
	if seg.codec&codecZstd != 0 {
		var err error
		if p, err = c.dec.DecodeAll(p, make([]byte, 0, seg.rawSize)); err != nil {
			return errBadSegment
		}
	}
	if int64(len(p)) != seg.rawSize || seg.checksum(p) != seg.crc {
		return errBadSegment
	}
	d := decoder{p: p}
	names := make([]string, min(d.uvarint(), uint64(n)))
	if len(names) == 0 {
		return errBadSegment
	}
	for i := range names {
		names[i] = c.name(d.bytes())
	}
	items := make([]item, n)
	seg.items = make([]*item, n)
	for i := range items {
		items[i] = item{segment: seg, state: waiting}
		seg.items[i] = &items[i]
	}
	d.columns(seg, names)
	if d.bad || len(d.p) != 0 || items[0].pos != seg.id {
		return errBadSegment
	}
	seg.cost = 0
	for i := range items {
		seg.cost += items[i].cost()
	}
	seg.encoded = nil
	return nil
}

// name returns b as a string, the same one for the same bytes.
func (c *codec) name(b []byte) string {
	if s, ok := c.names[string(b)]; ok {
		return s
	}
	if c.names == nil || len(c.names) >= namesMax {
		c.names = make(map[string]string)
	}
	s := string(b)
	c.names[s] = s
	return s
}

// columns reads the records of a segment.
func (d *decoder) columns(seg *segment, names []string) {
	pos, up := seg.id, time.Duration(0)
	for _, it := range seg.items {
		pos += d.uvarint()
		it.pos = pos
	}
	streams, seqs := make([]int, len(seg.items)), make([]uint64, len(names))
	for i, it := range seg.items {
		streams[i] = d.index(len(names))
		it.stream = names[streams[i]]
	}
	for i, it := range seg.items {
		seqs[streams[i]] += d.uvarint()
		it.seq = seqs[streams[i]]
	}
	for _, it := range seg.items {
		up += time.Duration(d.varint())
		it.up = up
	}
	lengths := make([]uint64, len(seg.items))
	for i := range lengths {
		lengths[i] = d.uvarint()
	}
	if seg.codec&codecBuckets != 0 {
		for _, it := range seg.items {
			it.span = uint32(min(d.uvarint(), math.MaxUint32))
		}
		for _, it := range seg.items {
			it.upTo = it.up + time.Duration(d.varint())
		}
	}
	for i, it := range seg.items {
		it.body = d.take(lengths[i])
	}
}

// A decoder reads varints; after an error it returns zeros.
type decoder struct {
	p   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.p)
	if n <= 0 {
		d.bad, d.p = true, nil
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.p)
	if n <= 0 {
		d.bad, d.p = true, nil
		return 0
	}
	d.p = d.p[n:]
	return v
}

// index reads a number below n.
func (d *decoder) index(n int) int {
	i := d.uvarint()
	if i >= uint64(n) {
		d.bad, d.p = true, nil
		return 0
	}
	return int(i)
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.p)) {
		d.bad, d.p = true, nil
		return nil
	}
	b := d.p[:n:n]
	d.p = d.p[n:]
	return b
}
