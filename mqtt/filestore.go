package mqtt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// FileStore returns a store that keeps one session in the directory dir, which it creates if it is
// missing. Each client needs its own directory. Everything is on the disk when a method returns, so
// each write that carries new messages waits once for the disk.
//
// The SessionFacts are in the file "session", which is replaced atomically. If it is damaged, the
// error names it; if it is removed, the client begins a new session. The messages in flight are in
// the file "messages".
func FileStore(dir string) MessageStore { return &fileStore{dir: dir} }

type fileStore struct {
	dir      string
	messages fileMessages
}

// A sessionFile is the file's first line. The second is its CRC-32, in hexadecimal.
type sessionFile struct {
	Version     int      `json:"v"`
	ClientID    string   `json:"client_id"`
	Established bool     `json:"established"`
	Received    []uint16 `json:"received,omitempty"`
}

const sessionFileVersion = 1

func (s *fileStore) path() string { return filepath.Join(s.dir, "session") }

func (s *fileStore) Load(context.Context) (SessionFacts, error) {
	b, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return SessionFacts{}, nil
	}
	if err != nil {
		return SessionFacts{}, err
	}
	line, sum, _ := bytes.Cut(b, []byte("\n"))
	var f sessionFile
	switch {
	case string(sum) != checksum(line):
		err = errors.New("its checksum is wrong")
	default:
		if err = json.Unmarshal(line, &f); err == nil && f.Version != sessionFileVersion {
			err = fmt.Errorf("version %d is unknown", f.Version)
		}
	}
	if err != nil {
		return SessionFacts{}, fmt.Errorf("%s is damaged, remove it to begin a new session: %w", s.path(), err)
	}
	return SessionFacts{ClientID: f.ClientID, Established: f.Established, Received: f.Received}, nil
}

func (s *fileStore) Save(_ context.Context, facts SessionFacts) error {
	line, err := json.Marshal(sessionFile{sessionFileVersion, facts.ClientID, facts.Established, facts.Received})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return s.replace(s.path(), append(append(line, '\n'), checksum(line)...))
}

// replace makes b the content of a file of the directory, or leaves the file as it is.
func (s *fileStore) replace(path string, b []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return s.syncDir()
}

// syncDir makes the names in the directory durable.
func (s *fileStore) syncDir() error {
	dir, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func checksum(line []byte) string { return fmt.Sprintf("%08x\n", crc32.ChecksumIEEE(line)) }
