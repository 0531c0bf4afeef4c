package buffer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// What SQLite documents of its write-ahead log ("WAL File Format"): a header and frames, each a
// header of its own and a page. Its numbers are big-endian.
const (
	logHeader   = 32
	frameHeader = 24
	logMagic    = 0x377f0682 // the lowest bit set: checksums are of big-endian words
	logVersion  = 3007000
)

// A logScan is what the log of a database holds.
type logScan struct {
	end   int64  // where the last transaction ends that SQLite will find
	stale int    // commit frames of the same log at or behind the first frame that fails
	bad   string // what fails, if anything does
}

// checkAndTrimLog looks at the write-ahead log before SQLite does: SQLite ends it at the first
// frame that fails, without a word, and with it go all commits behind that frame. It returns damage
// if they were durable.
//
// A power cut cannot look like that. A commit is flushed before the next one begins, so all but the
// last transaction pass, and of the last one at most one commit frame has reached the medium, its
// own, beside frames that fail. Such a remainder is cut off here, since SQLite would leave what a
// shorter transaction does not overwrite, to be counted after the next cut. Frames of before the
// log was reset have other salts. The header is flushed before its first frame is written and lies
// in one sector, which is written whole.
func checkAndTrimLog(path string) (damage, err error) {
	f, err := os.OpenFile(path+"-wal", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, notWritable(path+"-wal", err)
	}
	defer f.Close()
	scan, err := scanLog(bufio.NewReaderSize(f, 64<<10), storedPageSize(path))
	switch {
	case err != nil:
		return nil, fmt.Errorf("buffer: reading %s-wal: %w", path, err)
	case scan.end == 0 && scan.stale > 0, scan.stale > 1:
		return fmt.Errorf("the write-ahead log is damaged: %s, %d commits follow it", scan.bad, scan.stale), nil
	case scan.stale == 1:
		if err := errors.Join(f.Truncate(scan.end), f.Sync()); err != nil {
			return nil, notWritable(path+"-wal", err)
		}
	}
	return nil, nil
}

// storedPageSize returns the size of the pages of a database, as its header gives it; of a new one
// if that cannot be.
func storedPageSize(path string) uint32 {
	f, err := os.Open(path)
	if err != nil {
		return uint32(pageSize)
	}
	defer f.Close()
	var header [18]byte
	if _, err := io.ReadFull(f, header[:]); err != nil {
		return uint32(pageSize)
	}
	if size := uint32(binary.BigEndian.Uint16(header[16:])); size >= 512 && size&(size-1) == 0 {
		return size
	}
	return uint32(pageSize)
}

// scanLog reads a log from its beginning; pageSize is that of the database. An end of 0 says that
// the header fails. A log that is not of this package's databases is left to SQLite.
func scanLog(r io.Reader, pageSize uint32) (scan logScan, err error) {
	var header [logHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return scan, endOfLog(err)
	}
	if header == [logHeader]byte{} {
		return scan, nil // a new log, its first flush did not happen
	}
	number := func(b []byte, i int) uint32 { return binary.BigEndian.Uint32(b[4*i:]) }
	var order binary.ByteOrder = binary.LittleEndian
	if header[3]&1 != 0 {
		order = binary.BigEndian
	}
	var sum logSum
	sum.add(order, header[:24])
	salt := [2]uint32{number(header[:], 4), number(header[:], 5)}
	passing := number(header[:], 0)&^1 == logMagic && sum == logSum{number(header[:], 6), number(header[:], 7)}
	if passing && number(header[:], 1) != logVersion {
		return scan, nil
	}
	if passing {
		scan.end = logHeader
		pageSize = number(header[:], 2)
	} else {
		scan.bad = "its header fails"
	}
	frame := make([]byte, frameHeader+pageSize)
	for n := 1; ; n++ {
		if _, err := io.ReadFull(r, frame); err != nil {
			return scan, endOfLog(err)
		}
		salts := [2]uint32{number(frame, 2), number(frame, 3)}
		if scan.end == 0 && n == 1 {
			salt = salts // those of the header may be what is wrong
		}
		commit := number(frame, 1) > 0
		if passing {
			sum.add(order, frame[:8])
			sum.add(order, frame[frameHeader:])
			passing = salts == salt && number(frame, 0) > 0 && sum == logSum{number(frame, 4), number(frame, 5)}
			if !passing {
				scan.bad = fmt.Sprintf("frame %d fails", n)
			}
		}
		switch {
		case passing && commit:
			scan.end = logHeader + int64(n)*int64(len(frame))
		case !passing && commit && salts == salt:
			scan.stale++
		}
	}
}

// endOfLog tells the end of the file, which may be inside a frame, from an error.
func endOfLog(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

// A logSum is the checksum of a log from its header up to some frame.
type logSum [2]uint32

func (s *logSum) add(order binary.ByteOrder, b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
}
