package compress_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/compress"
)

func sample() []byte {
	var b bytes.Buffer
	for i := range 100 {
		fmt.Fprintf(&b, `{"seq":%d,"ts":"2026-11-20T15:04:%02d.123Z","fields":{"temperature":21.%d}},`, i, i%60, i)
	}
	return b.Bytes()
}

// TestEveryWordRoundTrips: each word of the configuration is read back by its magic number, several
// times over with one compressor.
func TestEveryWordRoundTrips(t *testing.T) {
	for _, w := range config.Compressions {
		c, err := compress.New(w.Name)
		if err != nil {
			t.Fatal(err)
		}
		if (c == nil) != (w.Name == config.CompressNone) {
			t.Fatalf("%s: %v", w.Name, c)
		}
		for _, src := range [][]byte{sample(), []byte("{}"), {}, sample()[:700]} {
			text := src
			if c != nil {
				if text = c.Append([]byte("x"), src)[1:]; c.Encoding() != w.Name {
					t.Errorf("%s calls itself %q", w.Name, c.Encoding())
				}
				if len(src) > 500 && len(text) > len(src)/2 {
					t.Errorf("%s: %d bytes become %d", w.Name, len(src), len(text))
				}
			}
			if back, err := compress.Decode(text, 1<<20); err != nil || !bytes.Equal(back, src) {
				t.Errorf("%s: %v", w.Name, err)
			}
		}
	}
	if _, err := compress.New("lz4"); err == nil {
		t.Error("a word that there is not")
	}
}

// TestOthersReadIt: the programs of the system read what the compressors write.
func TestOthersReadIt(t *testing.T) {
	for _, program := range []string{"gzip", "zstd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("%s is not installed", program)
			continue
		}
		c, err := compress.New(program)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "-dc")
		cmd.Stdin = bytes.NewReader(c.Append(nil, sample()))
		if out, err := cmd.Output(); err != nil || !bytes.Equal(out, sample()) {
			t.Errorf("%s: %v, %d bytes", program, err, len(out))
		}
	}
}

// TestBadPayloads end with an error and within the bound.
func TestBadPayloads(t *testing.T) {
	for _, word := range []string{"gzip", "zstd"} {
		c, err := compress.New(word)
		if err != nil {
			t.Fatal(err)
		}
		good := c.Append(nil, make([]byte, 10<<20)) // a bomb
		if _, err := compress.Decode(good, 1<<20); !errors.Is(err, compress.ErrTooLarge) {
			t.Errorf("%s: %v", word, err)
		}
		for n := 4; n < len(good); n += 1 + len(good)/20 {
			if _, err := compress.Decode(good[:n], 1<<30); err == nil {
				t.Errorf("%s: the first %d of %d bytes are read", word, n, len(good))
			}
		}
	}
}
