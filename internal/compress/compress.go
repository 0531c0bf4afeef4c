// Package compress makes payloads of telemetry smaller, and reads those that are. MQTT has no
// Content-Encoding; a compressed message has a user property of that name, and its payload begins
// with the magic number of its kind, so that a receiver that does not see properties knows it too.
package compress

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/fieldgate/fieldgate/config"
)

// A Compressor makes payloads smaller, for one goroutine at a time.
type Compressor interface {
	// Encoding is the value of the user property content-encoding.
	Encoding() string
	// Append appends the compressed src to dst.
	Append(dst, src []byte) []byte
}

// New returns the compressor of a word of telemetry.compress; nil for CompressNone.
func New(word string) (Compressor, error) {
	switch word {
	case config.CompressNone:
		return nil, nil
	case "gzip":
		w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		return &gzipper{w}, err
	case "zstd":
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(64<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
		return zstandard{w}, err
	}
	return nil, fmt.Errorf("telemetry.compress: there is no compression %q", word)
}

type gzipper struct{ w *gzip.Writer }

func (*gzipper) Encoding() string { return "gzip" }

func (g *gzipper) Append(dst, src []byte) []byte {
	out := bytes.NewBuffer(dst)
	g.w.Reset(out)
	_, _ = g.w.Write(src) // a buffer takes everything
	_ = g.w.Close()
	return out.Bytes()
}

type zstandard struct{ w *zstd.Encoder }

func (zstandard) Encoding() string { return "zstd" }

func (z zstandard) Append(dst, src []byte) []byte { return z.w.EncodeAll(src, dst) }

// The magic numbers: RFC 1952, 2.3.1 and RFC 8878, 3.1.1.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// ErrTooLarge means that a payload is larger than it may be once it is no longer compressed.
var ErrTooLarge = errors.New("the payload is too large once it is not compressed")

// Decode returns a payload as it was before it was compressed, at most max bytes; one that was not
// compressed as it is.
func Decode(payload []byte, max int) ([]byte, error) {
	var r io.Reader
	switch {
	case bytes.HasPrefix(payload, gzipMagic):
		g, err := gzip.NewReader(bytes.NewReader(payload))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		r = g
	case bytes.HasPrefix(payload, zstdMagic):
		z, err := zstd.NewReader(bytes.NewReader(payload), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		defer z.Close()
		r = z
	default:
		return payload, nil
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(max)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("decompressing: %w", err)
	case len(text) > max:
		return nil, ErrTooLarge
	}
	return text, nil
}
