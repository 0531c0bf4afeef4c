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

// FileStore keeps the facts of one session in the file "session" of a directory, which it makes where it is missing; each client needs
// one of its own. Save replaces the file at once as a whole and returns when file and directory are on the disk. A damaged file
// is an error that names it: without it the client begins a new session.
func FileStore(dir string) SessionStore { return fileStore{dir} }

type fileStore struct{ dir string }

// A sessionFile is the file's first line. The second is its CRC-32, in hexadecimal.
type sessionFile struct {
	Version     int      `json:"v"`
	ClientID    string   `json:"client_id"`
	Established bool     `json:"established"`
	Received    []uint16 `json:"received,omitempty"`
}

const sessionFileVersion = 1

func (s fileStore) path() string { return filepath.Join(s.dir, "session") }

func (s fileStore) Load(context.Context) (SessionFacts, error) {
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

func (s fileStore) Save(_ context.Context, facts SessionFacts) error {
	line, err := json.Marshal(sessionFile{sessionFileVersion, facts.ClientID, facts.Established, facts.Received})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	temporary := s.path() + ".new"
	if err := writeDurably(temporary, append(append(line, '\n'), checksum(line)...)); err != nil {
		return err
	}
	if err := os.Rename(temporary, s.path()); err != nil {
		return err
	}
	dir, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync() // or the new name might not outlast a power cut
}

func writeDurably(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func checksum(line []byte) string { return fmt.Sprintf("%08x\n", crc32.ChecksumIEEE(line)) }
