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
//	of each record:
//	    position, minus that of the record before (the first: minus the id)
//	    number of its stream
//	    seq, minus that of the stream's record before (the first: minus 0)
//	    up in nanoseconds, minus that of the record before, zigzag
//	    length and bytes of the body
//	    where the segment has buckets: numbers that follow seq in it, and the
//	    nanoseconds from up to the last of it, zigzag
//
// A stored one is compressed where that makes it smaller.

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
	castagnoli    = crc32.MakeTable(crc32.Castagnoli)
)

// A codec packs and unpacks segments. One goroutine uses it; its memory is
// bounded by the small window.
type codec struct {
	enc   *zstd.Encoder
	dec   *zstd.Decoder
	plain []byte
}

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

// encode fills in the stored form of a sealed block.
func (c *codec) encode(b *block) {
	type state struct {
		index uint64
		seq   uint64
	}
	streams := make(map[string]*state)
	var names []string
	b.codec = 0
	for _, it := range b.items {
		if it.span > 0 {
			b.codec = codecBuckets
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
	pos, up := b.id, time.Duration(0)
	for _, it := range b.items {
		st := streams[it.stream]
		p = binary.AppendUvarint(p, it.pos-pos)
		p = binary.AppendUvarint(p, st.index)
		p = binary.AppendUvarint(p, it.seq-st.seq)
		p = binary.AppendVarint(p, int64(it.up-up))
		p = binary.AppendUvarint(p, uint64(len(it.body)))
		p = append(p, it.body...)
		if b.codec&codecBuckets != 0 {
			p = binary.AppendUvarint(p, uint64(it.span))
			p = binary.AppendVarint(p, int64(max(it.upTo, it.up)-it.up))
		}
		pos, up, st.seq = it.pos, it.up, it.seq
	}
	b.crc = int64(crc32.Checksum(p, castagnoli))
	b.rawSize = int64(len(p))
	b.encoded = c.enc.EncodeAll(p, nil)
	if len(b.encoded) < len(p) {
		b.codec |= codecZstd
	} else {
		b.encoded = append([]byte(nil), p...)
	}
	if c.plain = p; cap(p) > 4*blockCost {
		c.plain = nil
	}
}

// decode makes the items of a block from its stored form. The bodies share
// one allocation.
func (c *codec) decode(b *block, n int64) error {
	if b.rawSize < 0 || b.rawSize > maxSegment || n < 1 || n > b.rawSize {
		return errBadSegment
	}
	if b.codec&^(codecZstd|codecBuckets) != 0 {
		return errBadSegment
	}
	p := b.encoded
	if b.codec&codecZstd != 0 {
		var err error
		if p, err = c.dec.DecodeAll(p, make([]byte, 0, b.rawSize)); err != nil {
			return errBadSegment
		}
	}
	if int64(len(p)) != b.rawSize || int64(crc32.Checksum(p, castagnoli)) != b.crc {
		return errBadSegment
	}
	d := decoder{p: p}
	names := make([]string, min(d.uvarint(), uint64(n)))
	for i := range names {
		names[i] = string(d.bytes())
	}
	seqs := make([]uint64, len(names))
	items := make([]item, n)
	b.items = make([]*item, n)
	b.cost = 0
	pos, up := b.id, time.Duration(0)
	for i := range items {
		pos += d.uvarint()
		st := d.uvarint()
		if st >= uint64(len(names)) {
			return errBadSegment
		}
		seqs[st] += d.uvarint()
		up += time.Duration(d.varint())
		items[i] = item{block: b, pos: pos, seq: seqs[st], up: up, stream: names[st], body: d.bytes(), state: waiting}
		if b.codec&codecBuckets != 0 {
			items[i].span = uint32(min(d.uvarint(), math.MaxUint32))
			items[i].upTo = up + time.Duration(d.varint())
		}
		b.items[i] = &items[i]
		b.cost += items[i].cost()
	}
	if d.bad || len(d.p) != 0 || items[0].pos != b.id {
		return errBadSegment
	}
	b.encoded = nil
	return nil
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

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.p)) {
		d.bad, d.p = true, nil
		return nil
	}
	b := d.p[:n:n]
	d.p = d.p[n:]
	return b
}
