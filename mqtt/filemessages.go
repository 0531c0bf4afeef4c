package mqtt

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// The file "messages" of a FileStore is a journal: the changes in the order in which they were
// recorded, each with a checksum. A change that is torn, and all behind it, was never durable and
// is forgotten. The file is rewritten when most of it is about messages that are done.
//
//	step 1, serial 8, length of the PUBLISH 4, PUBLISH, CRC-32 of all that 4 (little endian)

const (
	changeHeader = 1 + 8 + 4
	changeSum    = 4
	// compactAbove is the size from which on a file is rewritten if three quarters of it are
	// useless any more.
	compactAbove = 256 << 10
)

// A fileMessage is a message in the file.
type fileMessage struct {
	publish  []byte
	released bool
	order    uint64 // of its newest change
}

// fileMessages is what the file has.
type fileMessages struct {
	live        map[uint64]fileMessage // by serial
	order       uint64
	size        int64 // of the file
	used        int64 // of it, by what is live
	nameDurable bool  // its name in the directory is durable

	compactFrom int64 // the size from which on rewriting it is worth another try
}

func (s *fileStore) messagesPath() string { return filepath.Join(s.dir, "messages") }

// Messages implements MessageStore.
func (s *fileStore) Messages(context.Context) ([]StoredMessage, error) {
	b, err := os.ReadFile(s.messagesPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	s.messages = fileMessages{live: make(map[uint64]fileMessage)}
	for rest := b; ; {
		change, size := decodeChange(rest)
		if size == 0 {
			break
		}
		rest = rest[size:]
		s.messages.apply(change, int64(size))
	}
	if torn := int64(len(b)) - s.messages.size; torn > 0 {
		if err := os.Truncate(s.messagesPath(), s.messages.size); err != nil {
			return nil, err
		}
	}
	var list []StoredMessage
	for _, serial := range s.messages.inOrder() {
		m := s.messages.live[serial]
		list = append(list, StoredMessage{serial, m.publish, m.released})
	}
	return list, nil
}

// Record implements MessageStore.
func (s *fileStore) Record(_ context.Context, changes []MessageChange) error {
	var b []byte
	for _, c := range changes {
		b = appendChange(b, c)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := s.appendMessages(b); err != nil {
		return err
	}
	for _, c := range changes {
		s.messages.apply(c, int64(changeHeader+len(c.Publish)+changeSum))
	}
	if s.messages.size > max(compactAbove, s.messages.compactFrom) && s.messages.size > 4*s.messages.used {
		s.compact()
	}
	return nil
}

// appendMessages appends b to the file, at the end that is known to be good: what an earlier error
// left behind it is overwritten.
func (s *fileStore) appendMessages(b []byte) error {
	f, err := os.OpenFile(s.messagesPath(), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, s.messages.size); err == nil {
		err = f.Truncate(s.messages.size + int64(len(b)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil && !s.messages.nameDurable {
		err = s.syncDir()
		s.messages.nameDurable = err == nil
	}
	return errors.Join(err, f.Close())
}

// compact writes a file of the live messages and replaces the old one with it. If that fails
// nothing is lost, and it is tried again when the file has doubled.
func (s *fileStore) compact() {
	fresh := fileMessages{live: make(map[uint64]fileMessage)}
	var b []byte
	add := func(c MessageChange) {
		b = appendChange(b, c)
		fresh.apply(c, int64(changeHeader+len(c.Publish)+changeSum))
	}
	for _, serial := range s.messages.inOrder() {
		m := s.messages.live[serial]
		add(MessageChange{serial, MessageSent, m.publish})
		if m.released {
			add(MessageChange{Serial: serial, Step: MessageReleased})
		}
	}
	err := s.replace(s.messagesPath(), b)
	fresh.nameDurable = err == nil
	if err == nil || s.replaced() {
		s.messages = fresh
	}
	s.messages.compactFrom = 2 * s.messages.size
}

// replaced reports whether the file is another one than it was: replace may fail after that, when
// it makes the name durable.
func (s *fileStore) replaced() bool {
	info, err := os.Stat(s.messagesPath())
	return err == nil && info.Size() != s.messages.size
}

// apply notes a change that takes size bytes of the file.
func (m *fileMessages) apply(c MessageChange, size int64) {
	if m.live == nil {
		m.live = make(map[uint64]fileMessage)
	}
	m.size += size
	m.order++
	x := m.live[c.Serial]
	m.used -= int64(len(x.publish))
	switch {
	case c.Step == MessageSent:
		x = fileMessage{publish: c.Publish, order: m.order}
	case x.publish == nil: // a step of a message that is not known
		return
	case c.Step == MessageReleased:
		x.released, x.order = true, m.order
	case c.Step == MessageDone:
		delete(m.live, c.Serial)
		return
	}
	m.used += int64(len(x.publish))
	m.live[c.Serial] = x
}

// inOrder returns the serials in the order of their newest changes.
func (m *fileMessages) inOrder() []uint64 {
	return slices.SortedFunc(maps.Keys(m.live), func(a, b uint64) int { return cmp.Compare(m.live[a].order, m.live[b].order) })
}

func appendChange(b []byte, c MessageChange) []byte {
	start := len(b)
	b = append(b, byte(c.Step))
	b = binary.LittleEndian.AppendUint64(b, c.Serial)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(c.Publish)))
	b = append(b, c.Publish...)
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

// decodeChange returns the change at the beginning of b and its size, 0 if there is no complete
// one.
func decodeChange(b []byte) (c MessageChange, size int) {
	if len(b) < changeHeader+changeSum {
		return c, 0
	}
	c.Step, c.Serial = MessageStep(b[0]), binary.LittleEndian.Uint64(b[1:])
	n := binary.LittleEndian.Uint32(b[9:])
	if uint64(n) > uint64(len(b)-changeHeader-changeSum) {
		return c, 0
	}
	end := changeHeader + int(n)
	if crc32.ChecksumIEEE(b[:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return c, 0
	}
	c.Publish = slices.Clone(b[changeHeader:end])
	return c, end + changeSum
}
